//! Whether a store is whole, as far as that can be proven: docs/history.md says what is, and what is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::Province;
use rusqlite::{Connection, Row};
use signal::clock::Timestamp;

use super::kept::{self, Gone, Kept};
use super::reader::{self, Session, judged, session};
use super::schema::{StoreError, beside, database, epoch_column, has_table, open_to_read};
use super::values::{self, Pace};
use super::{alarms, cells, contracts, energy, epochs, journal, sums};
use crate::series::chunk::{Chunk, ChunkError};

/// Tables whose rows are counted for who asks.
const TOLD: [&str; 13] = [
    "contract",
    "session",
    "judgement",
    "event",
    "lost_events",
    "commands_kept",
    "asked",
    "metering",
    "energy",
    "chunk",
    "journal",
    "alarm",
    "clock_jump",
];
/// Faults that are told one by one.
const TOLD_MAX: usize = 20;

/// Most contracts: every one is read again, and who writes a new one each day needs 27 years for so many.
const CONTRACTS_MAX: usize = 10_000;

/// What was found in a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Bytes of its files.
    pub bytes: u64,
    /// Sessions, and the first and the last moment in them.
    pub sessions: u64,
    /// From when until when somebody watched at all, by a clock that was right.
    pub range: Option<(Timestamp, Timestamp)>,
    /// What is no longer kept, by decision.
    pub gone: BTreeMap<Kept, Gone>,
    /// Rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// Rows without a checksum: of a store of an earlier version, or values from before there were any.
    pub unproven: u64,
    /// What is wrong, the first twenty.
    pub faults: Vec<String>,
    /// What is wrong, all of it.
    pub fault_count: usize,
}

impl Findings {
    fn fault(&mut self, what: String) {
        self.fault_count += 1;
        if self.faults.len() < TOLD_MAX {
            self.faults.push(what);
        }
    }
}

/// Reads all of a store and says what is wrong with it: whatever a report would refuse, and whatever is not
/// what was written.
///
/// # Errors
/// When it cannot be opened at all.
pub fn check(folder: &Path) -> Result<Findings, StoreError> {
    let mut found = Findings::default();
    let file = database(folder)?;
    for file in [beside(&file, "wal"), file] {
        found.bytes += std::fs::metadata(file).map_or(0, |said| said.len());
    }
    let opened = match open_to_read(folder) {
        Err(StoreError::Damaged(why)) => {
            found.fault(why);
            return Ok(found);
        }
        opened => opened?,
    };
    // All of it belongs together, beside whoever writes.
    opened.execute_batch("BEGIN")?;
    // Pages first: what stands on damaged ones says nothing.
    for check in [
        check_pages,
        check_references,
        check_sums,
        check_sessions,
        check_chunks,
        check_journal,
        check_others,
    ] {
        if let Err(error) = check(&opened, &mut found) {
            found.fault(error.fault());
        }
    }
    opened.undisturbed()?;
    Ok(found)
}

fn check_pages(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let mut pages = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut said = pages.query([])?;
    while let Some(row) = said.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            found.fault(line);
        }
    }
    Ok(())
}

/// What a row refers to is there.
fn check_references(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let mut broken = connection.prepare(
        "SELECT \"table\", \"parent\", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2",
    )?;
    let mut rows = broken.query([])?;
    while let Some(row) = rows.next()? {
        let (table, of): (String, String) = (row.get(0)?, row.get(1)?);
        let count: i64 = row.get(2)?;
        found.fault(format!("{table}: {count} rows of no {of} that there is"));
    }
    Ok(())
}

/// Every row is what was written.
fn check_sums(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    for of in sums::ALL {
        if !has_table(connection, of.table)? {
            continue;
        }
        let count = format!("SELECT count(*) FROM {}", of.table);
        let count: i64 = connection.query_row(&count, [], |row| row.get(0))?;
        if TOLD.contains(&of.table) {
            found.rows.insert(of.table, u64::try_from(count).unwrap_or(0));
        }
        found.unproven += sums::prove(connection, of, |fault| found.fault(fault))?;
    }
    Ok(())
}

/// Sessions follow each other, their contracts can be read, and their judgements are of points of them.
fn check_sessions(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let contracts = check_contracts(connection, found)?;
    // Those of later epochs have stretches that came twice: docs/history.md.
    let epoch = epoch_column(connection)?;
    let mut all = connection.prepare(&format!(
        "SELECT id, contract, from_ms, until_ms, closed, {epoch} FROM session
         ORDER BY 6, from_ms, id"
    ))?;
    let mut rows = all.query([])?;
    let mut sessions: BTreeMap<i64, Session> = BTreeMap::new();
    let mut all_of_them: Vec<(Session, i64)> = Vec::new();
    let mut before: Option<(Timestamp, i64)> = None;
    while let Some(row) = rows.next()? {
        found.sessions += 1;
        let (own, epoch) = match session(row) {
            Ok(known) => known,
            Err(error) => {
                found.fault(error.fault());
                continue;
            }
        };
        if before.is_some_and(|(until, of)| of == epoch && own.from < until) {
            found.fault(format!("session {} begins before the one before it ends", own.id));
        }
        before = Some((own.until, epoch));
        all_of_them.push((own, epoch));
        sessions.insert(own.id, own);
    }
    reader::bounded(sessions.len())?;
    // What a clock has told that turned out to be wrong is told nowhere.
    let wrong = epochs::wrong(connection, &all_of_them).unwrap_or_default();
    for (own, _) in all_of_them.iter().filter(|(_, epoch)| !wrong.contains(epoch)) {
        let (first, last) = found.range.unwrap_or((own.from, own.until));
        found.range = Some((first.min(own.from), last.max(own.until)));
    }
    check_judgements(connection, (&sessions, &contracts), found)
}

/// Every judgement can be read, lies within its session, is of points that there are, and the first of
/// each says everything.
fn check_judgements(
    connection: &Connection,
    (sessions, contracts): (&BTreeMap<i64, Session>, &BTreeMap<i64, Paths>),
    found: &mut Findings,
) -> Result<(), StoreError> {
    let mut all = connection.prepare(
        "SELECT at_ms, session, whole, link, runs, path, station, centre FROM judgement
         LEFT JOIN path ON path.id = judgement.path ORDER BY path, session, at_ms",
    )?;
    let mut rows = all.query([])?;
    let mut last: Option<(i64, i64)> = None;
    // Points of the path of the last row, by the contract of its session.
    let mut points: Option<usize> = None;
    while let Some(row) = rows.next()? {
        let (at, path): (i64, i64) = (row.get(0)?, row.get(5)?);
        let place = || format!("judgement of path {path} at {}", Timestamp(at).to_millisecond());
        let judged = match judged(row) {
            Ok(judged) => judged,
            Err(error) => {
                found.fault(format!("{}: {}", place(), error.fault()));
                continue;
            }
        };
        let session = judged.session;
        let Some(known) = sessions.get(&session) else {
            found.fault(format!("{}: session {session} is none that can be", place()));
            continue;
        };
        if last != Some((path, session)) {
            last = Some((path, session));
            if !judged.whole {
                let what = format!("the first of session {session} does not say everything");
                found.fault(format!("{}: {what}", place()));
            }
            let path = (cells::name(row, 6)?, cells::name(row, 7)?);
            let paths = contracts.get(&known.contract);
            points = paths.map(|paths| paths.get(&path).copied().unwrap_or(0));
        }
        if !(known.from..=known.until).contains(&judged.at) {
            found.fault(format!("{}: outside its session {session}", place()));
        }
        let end = judged.runs.last().map_or(0, |run| u64::from(run.first) + u64::from(run.count));
        if points.is_some_and(|points| end > points as u64) {
            found.fault(format!("{}: of more points than the contract has", place()));
        }
    }
    Ok(())
}

/// How many points a centre may be told of a station or plant, by their ids.
type Paths = BTreeMap<(String, String), usize>;

/// Every contract can be read again, and gives what it gave. Returns the paths of each that can: a whole one takes
/// some megabytes.
fn check_contracts(
    connection: &Connection,
    found: &mut Findings,
) -> Result<BTreeMap<i64, Paths>, StoreError> {
    let mut all = connection.prepare("SELECT id FROM contract ORDER BY id")?;
    let ids: Vec<i64> = all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    cells::at_most(ids.len(), CONTRACTS_MAX, "contracts")?;
    let mut contracts = BTreeMap::new();
    for id in ids {
        match contracts::get(connection, id) {
            Ok(province) => drop(contracts.insert(id, paths(&province))),
            Err(error) => found.fault(error.fault()),
        }
    }
    Ok(contracts)
}

fn paths(province: &Province) -> Paths {
    let of_channel = |channel: &config::Channel| {
        let station = &province.stations[channel.station.index()];
        let centre = province.centres[channel.centre.index()].id.clone();
        ((station.id.clone(), centre), station.points.len())
    };
    province.channels.iter().map(of_channel).collect()
}

/// How many columns each block has: no path has more than can be read.
fn check_blocks(
    connection: &Connection,
    found: &mut Findings,
) -> Result<BTreeMap<i64, usize>, StoreError> {
    let mut layouts: BTreeMap<i64, usize> = BTreeMap::new();
    let mut all = connection.prepare("SELECT id, columns FROM layout")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let described = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        layouts.insert(row.get(0)?, described.lines().count());
    }
    let mut blocks = BTreeMap::new();
    let mut of_path: BTreeMap<i64, usize> = BTreeMap::new();
    let mut all = connection.prepare("SELECT id, path, layout FROM block")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        // One of no layout is told with the references.
        let columns = layouts.get(&row.get(2)?).copied().unwrap_or(0);
        blocks.insert(row.get(0)?, columns);
        *of_path.entry(row.get(1)?).or_default() += columns.max(1);
    }
    for (path, columns) in of_path {
        if let Err(error) = values::bounded(columns) {
            found.fault(format!("path {path}: {}", error.fault()));
        }
    }
    Ok(blocks)
}

/// Every chunk has the bytes that it was written with, stands where it belongs, and can be read to its end.
fn check_chunks(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let blocks = check_blocks(connection, found)?;
    let mut all =
        connection.prepare("SELECT data, id, block, from_ms, until_ms, rows FROM chunk")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (id, block, from): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let columns = blocks.get(&block).copied().unwrap_or(0);
        if let Err(error) = check_chunk(row, columns) {
            let at = Timestamp(from).to_millisecond();
            found.fault(format!("chunk {id} of block {block} at {at}: {}", error.fault()));
        }
    }
    check_order_of_chunks(connection, found)
}

/// Of one clock, no two chunks of a block have the same time, and none has more rows than can have come in it.
fn check_order_of_chunks(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let epoch = epoch_column(connection)?;
    let mut all = connection.prepare(&format!(
        "SELECT block, {epoch} AS epoch_of, id, from_ms, until_ms, rows FROM chunk
         ORDER BY block, epoch_of, from_ms, id"
    ))?;
    let mut rows = all.query([])?;
    let mut last: Option<((i64, i64), Timestamp, Pace)> = None;
    while let Some(row) = rows.next()? {
        let (block, epoch, id): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let [from, until] = [3, 4].map(|column| row.get(column).map(Timestamp));
        let (from, until) = (from?, until?);
        let own = last.take().filter(|(of, ..)| *of == (block, epoch));
        let (of, before, mut pace) = own.unwrap_or(((block, epoch), from, Pace::default()));
        let mut fault = |what: &str| {
            let at = from.to_millisecond();
            found.fault(format!("chunk {id} of block {block} at {at}: {what}"));
        };
        if from < before {
            fault(&format!("one before it reaches to {}", before.to_millisecond()));
        }
        let count = usize::try_from(row.get::<_, i64>(5)?).unwrap_or(usize::MAX);
        if let Err(error) = pace.take((from, until), count) {
            fault(&error.fault());
            pace = Pace::default();
        }
        last = Some((of, before.max(until), pace));
    }
    Ok(())
}

fn check_chunk(row: &Row<'_>, columns: usize) -> Result<(), StoreError> {
    let damaged = |error: ChunkError| StoreError::Damaged(error.to_string());
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let chunk = Chunk::from_bytes(Arc::from(bytes)).map_err(damaged)?;
    if chunk.span() != (cells::instant(row, 3)?, cells::instant(row, 4)?) {
        return Err(StoreError::Damaged("its times are not those of its row".to_owned()));
    }
    if chunk.rows() as u64 != cells::count(row, 5)? {
        return Err(StoreError::Damaged("its rows are not as many as its row says".to_owned()));
    }
    if chunk.columns() != columns {
        return Err(StoreError::Damaged("its columns are not those of its block".to_owned()));
    }
    chunk.times().map_err(damaged)?;
    for column in 0..chunk.columns() {
        chunk.column(column).map_err(damaged)?;
    }
    Ok(())
}

/// Every line of the journal can be read to its end.
fn check_journal(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    if !has_table(connection, "journal")? {
        return Ok(());
    }
    let mut all = connection.prepare("SELECT until_ms, data FROM journal")?;
    let mut rows = all.query([])?;
    let mut room = journal::ROOM_BYTES;
    while let Some(row) = rows.next()? {
        let at = Timestamp(row.get(0)?).to_millisecond();
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if let Err(error) = journal::read(bytes, &mut room) {
            found.fault(format!("values that came up to {at}: {}", error.fault()));
        }
    }
    Ok(())
}

/// Rows that a reader would refuse.
fn check_others(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    reader::damaged(connection, |error| found.fault(error.fault()))?;
    let metered = "SELECT count(*) FROM (SELECT DISTINCT kind, id FROM metering)";
    let metered: i64 = connection.query_row(metered, [], |row| row.get(0))?;
    let metered = reader::bounded_metering(usize::try_from(metered).unwrap_or(usize::MAX));
    metered.err().iter().for_each(|error| found.fault(error.fault()));
    epochs::jumps(connection).err().iter().for_each(|error| found.fault(error.fault()));
    match kept::all(connection) {
        Ok(gone) => found.gone = gone,
        Err(error) => found.fault(error.fault()),
    }
    if has_table(connection, "energy")? {
        energy::damaged(connection, |error| found.fault(error.fault()))?;
    }
    if has_table(connection, "alarm")? {
        alarms::damaged(connection, |error| found.fault(error.fault()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
