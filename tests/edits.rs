//! A store whose rows somebody made: bytes say what is altered in it, then all that reads a store reads it.
//! `fuzz/fuzz_targets/store.rs` lets a fuzzer say the bytes.

use std::fs;
use std::io;
use std::path::Path;

use config::{Lang, Zone};
use gridwatch::clock::Timestamp;
use gridwatch::export::{self, Choice, ExportTable};
use gridwatch::history::past;
use gridwatch::report::period::Period;
use gridwatch::report::{ReportRequest, html, json, report};
use gridwatch::spreadsheet::Style;
use gridwatch::store::{Reader, upkeep};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// Name of the database within the folder of a store.
const FILE: &str = "gridwatch.db";
/// Alterations of a store at most.
const EDITS_MAX: usize = 16;

/// Bytes that are taken one after the other; zeros when there are none left.
struct Given<'a>(&'a [u8]);

impl Given<'_> {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn number(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let taken = self.take(8);
        bytes[..taken.len()].copy_from_slice(&taken);
        i64::from_le_bytes(bytes)
    }

    fn index(&mut self, count: usize) -> usize {
        (usize::from(self.byte()) * 256 + usize::from(self.byte())) % count.max(1)
    }

    /// Another value in place of one.
    fn value(&mut self, was: Value) -> Value {
        const EDGES: [i64; 12] = [
            i64::MIN,
            -1,
            0,
            1,
            2,
            255,
            65_535,
            65_536,
            u32::MAX as i64,
            1 << 40,
            253_402_300_799_999,
            i64::MAX,
        ];
        match (self.byte() % 8, was) {
            (0, _) => Value::Null,
            (1, _) => EDGES[self.index(EDGES.len())].into(),
            (2, _) => self.number().into(),
            (3, Value::Integer(was)) => was.wrapping_add(self.byte().cast_signed().into()).into(),
            (4, Value::Integer(was)) => {
                let by = self.number() % 100_000_000;
                was.wrapping_add(by).into()
            }
            (3 | 4, Value::Text(was)) => {
                String::from_utf8_lossy(&self.altered(was.into_bytes())).into_owned().into()
            }
            (3, Value::Blob(was)) => self.altered(was).into(),
            // A chunk whose checksum is right.
            (4, Value::Blob(was)) => {
                let mut bytes = self.altered(was);
                if let Some((head, rest)) = bytes.split_at_mut_checked(8) {
                    head[4..].copy_from_slice(&crc32fast::hash(rest).to_le_bytes());
                }
                bytes.into()
            }
            (5, _) => {
                let length = self.byte().into();
                String::from_utf8_lossy(&self.take(length)).into_owned().into()
            }
            (6, _) => {
                let length = self.byte().into();
                self.take(length).into()
            }
            (_, was) => was,
        }
    }

    /// Bytes of which some were changed, taken out or put in.
    fn altered(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let (at, length) = (self.index(bytes.len()), usize::from(self.byte() % 16));
        let (by, end) = (self.byte(), bytes.len().min(at + length));
        match by % 4 {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let put = self.take(length);
                bytes.splice(at..at, put).for_each(drop);
            }
            _ => {
                let put = self.take(length);
                bytes.splice(at..end, put).for_each(drop);
            }
        }
        bytes
    }
}

/// A table, and its columns: names, and which of them are its key.
struct Form {
    table: String,
    columns: Vec<String>,
    key: Vec<usize>,
}

fn forms(rows: &Connection) -> rusqlite::Result<Vec<Form>> {
    let mut named =
        rows.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let tables: Vec<String> = named.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let form = |table: String| {
        let mut said = rows.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
        let all = said.query_map([&table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let all: Vec<(String, i64)> = all.collect::<Result<_, _>>()?;
        let key = (0..all.len()).filter(|n| all[*n].1 > 0).collect();
        Ok(Form { table, key, columns: all.into_iter().map(|(name, _)| name).collect() })
    };
    tables.into_iter().map(form).collect()
}

/// Alters a row, makes one after it, or takes it out. What the database itself refuses is left out.
fn edit(rows: &Connection, forms: &[Form], given: &mut Given<'_>) -> rusqlite::Result<()> {
    let (action, form) = (given.byte(), &forms[given.index(forms.len())]);
    let (table, count) = (&form.table, form.columns.len());
    let many: u32 =
        rows.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    let place = given.index(many as usize);
    let nth = format!("SELECT * FROM {table} LIMIT 1 OFFSET {place}");
    let was = rows.query_row(&nth, [], |row| {
        (0..count).map(|n| row.get::<_, Value>(n)).collect::<Result<Vec<_>, _>>()
    });
    let mut row = was.unwrap_or_else(|_| vec![Value::Integer(1); count]);
    if action % 4 != 0 {
        let named = form.key.iter().enumerate();
        let named: Vec<_> =
            named.map(|(n, column)| format!("{} IS ?{}", form.columns[*column], n + 1)).collect();
        let which = if named.is_empty() { "rowid = 1".to_owned() } else { named.join(" AND ") };
        let key = form.key.iter().map(|column| &row[*column]);
        rows.execute(&format!("DELETE FROM {table} WHERE {which}"), params_from_iter(key))?;
    }
    if action % 4 != 3 {
        for _ in 0..=(action / 4 % 4) {
            let column = given.index(count);
            row[column] = given.value(row[column].clone());
        }
        let places: Vec<_> = (1..=count).map(|n| format!("?{n}")).collect();
        let put = format!("INSERT OR REPLACE INTO {table} VALUES ({})", places.join(", "));
        rows.execute(&put, params_from_iter(row))?;
    }
    Ok(())
}

/// Makes of a store, a database in a folder, what bytes say.
fn alter(folder: &Path, known: &[Form], given: &mut Given<'_>) {
    let file = folder.join(FILE);
    let raw = given.byte();
    let rows = Connection::open(&file).unwrap();
    for (pragma, to) in [("foreign_keys", "off"), ("synchronous", "off"), ("journal_mode", "off")] {
        rows.pragma_update(None, pragma, to).unwrap();
    }
    for _ in 0..EDITS_MAX {
        if given.0.is_empty() {
            break;
        }
        // What it refuses is not in the store.
        let _refused = edit(&rows, known, given);
    }
    drop(rows);
    // Some bytes of the file, whatever they are.
    if raw % 8 == 7 {
        let mut bytes = fs::read(&file).unwrap();
        for _ in 0..raw / 8 {
            let at = usize::try_from(given.number()).unwrap_or(0) % bytes.len();
            bytes[at] = given.byte();
        }
        fs::write(&file, bytes).unwrap();
    }
}

/// What reads a store.
#[derive(Debug, Clone, Copy)]
enum Reads {
    Report,
    Page,
    Past,
    Export(ExportTable),
}

impl Reads {
    const ALL: [Self; 10] = [
        Self::Report,
        Self::Page,
        Self::Past,
        Self::Export(ExportTable::Verdicts),
        Self::Export(ExportTable::Events),
        Self::Export(ExportTable::Values),
        Self::Export(ExportTable::Polling),
        Self::Export(ExportTable::Metering),
        Self::Export(ExportTable::Energy),
        Self::Export(ExportTable::Alarms),
    ];

    /// Reads it: why it could not, when it could not.
    fn read(self, reader: &Reader, period: Period) -> Result<(), String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        match self {
            Self::Report | Self::Page => {
                let request = ReportRequest { period, station: None, lang: Lang::Vi };
                let made = report(reader, &request, |_| {}).map_err(|error| said(&error))?;
                match made {
                    None => {}
                    Some(report) if matches!(self, Self::Page) => drop(html::page(&report)),
                    Some(report) => drop(json::bytes(&report).map_err(|error| said(&error))?),
                }
            }
            Self::Past => {
                let at = Timestamp(period.span().from.0 + 8 * 3_600_000);
                past(reader, Some(at)).map_err(|error| said(&error))?;
            }
            Self::Export(table) => {
                let (span, choice) = (period.span(), Choice::default());
                let request = export::ExportRequest { table, span, choice, lang: Lang::En };
                let out = (export::ExportFormat::Lines(Style::Rfc), io::sink());
                export::to_output(reader, &request, out, &mut |_| {})
                    .map_err(|error| said(&error))?;
            }
        }
        Ok(())
    }
}

/// A store to alter, and the days of which there is something in it.
pub(crate) struct Base {
    bytes: Vec<u8>,
    forms: Vec<Form>,
    period: Period,
}

impl Base {
    /// One that is in a folder.
    pub(crate) fn of(folder: &Path) -> Self {
        // Beside a file that may be written, a reader leaves files of its own.
        let (bytes, copy) = (fs::read(folder.join(FILE)).unwrap(), tempfile::tempdir().unwrap());
        fs::write(copy.path().join(FILE), &bytes).unwrap();
        let forms = forms(&Connection::open(copy.path().join(FILE)).unwrap()).unwrap();
        let sessions = Reader::open(copy.path()).unwrap().sessions().unwrap();
        let days = [sessions[0].from, sessions[sessions.len() - 1].until]
            .map(|at| at.local(Zone::hours(7)).date);
        let period = Period::days(days[0], days[1], Zone::hours(7)).unwrap();
        Self { bytes, forms, period }
    }

    /// Alters it as bytes say, and lets one of what reads a store read it, as the first byte says: who tries many
    /// gets to more of them than with all at once. Returns whether a check calls the outcome whole.
    ///
    /// # Panics
    /// When something refuses what a check calls whole.
    pub(crate) fn trial(&self, data: &[u8]) -> bool {
        let (which, edits) = data.split_first().unwrap_or((&0, &[]));
        let reads = Reads::ALL[usize::from(*which) % Reads::ALL.len()];
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), &self.bytes).unwrap();
        alter(folder.path(), &self.forms, &mut Given(edits));
        let checked = upkeep::check(folder.path());
        let is_whole = checked.is_ok_and(|found| found.fault_count == 0);
        let read = Reader::open(folder.path())
            .map_err(|error| error.to_string())
            .and_then(|reader| reads.read(&reader, self.period));
        assert!(!is_whole || read.is_ok(), "a check calls whole what {reads:?} refuses: {read:?}");
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use gridwatch::store::Writer;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// The store of a monitor that was killed: as version 0.1.0 left it, and as this one goes on with it.
    static BASES: LazyLock<[Base; 2]> = LazyLock::new(|| {
        let (old, new) = (Path::new("tests/stores/0.1.0/live"), tempfile::tempdir().unwrap());
        fs::copy(old.join(FILE), new.path().join(FILE)).unwrap();
        let province = {
            let reader = Reader::open(new.path()).unwrap();
            let contract = reader.sessions().unwrap()[0].contract;
            reader.contract(contract).unwrap().province
        };
        Writer::open(new.path(), &province).unwrap();
        [Base::of(old), Base::of(new.path())]
    });

    #[test]
    fn what_was_found_of_stores_is_tried_again() {
        let tried = crate::corpora::try_all("store", 1, |data| {
            if let Some((which, edits)) = data.split_first() {
                BASES[usize::from(which % 2)].trial(edits);
            }
        });
        assert!(tried > 60);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::with_cases(200)
        })]
        #[test]
        fn what_a_check_calls_whole_is_read(
            data in prop::collection::vec(any::<u8>(), 0..200),
            which in 0_usize..2,
        ) {
            BASES[which].trial(&data);
        }
    }
}
