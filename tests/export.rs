//! Tables as files: what Parquet says is what CSV says, and what the store has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use config::{ChannelId, Province, Zone};
use gridwatch::clock::{DAY_MS, Jump, JumpKind, Timestamp};
use gridwatch::collector::plan::{layouts, plans};
use gridwatch::historian::Historian;
use gridwatch::historian::counts::Share;
use gridwatch::historian::events::{Change, EventEntry, Happening, TimeDoubt};
use gridwatch::historian::snapshot::{LinkState, Reads};
use gridwatch::historian::verdict::Reason;
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::json;
use gridwatch::recording::stretched;
use gridwatch::report::parquet::file::reader::{FileReader as _, SerializedFileReader};
use gridwatch::report::parquet::record::Field;
use gridwatch::store::{Batch, EnergyKind, EnergyLine, MeterKind, MeterLine, Reader, Writer};
use sim::Scenario;
use tempfile::{TempDir, tempdir};

use crate::cli::{gridwatch, stderr, stdout};
use crate::keeping;

/// 2022-11-21 03:06:40 UTC.
const START: Timestamp = Timestamp(1_669_000_000_000);

const TABLES: [&str; 7] =
    ["verdicts", "events", "values", "polling", "metering", "energy", "alarms"];

/// Records a stretch of time into a store.
fn record(folder: &Path, text: &str, (from, seconds): (Timestamp, i64)) {
    let province = Province::parse("config/small.toml", text).unwrap();
    let province = Arc::new(stretched(province, 10.0));
    let fault = "[[fault]]\nkind = \"T07\"\ntarget = \"S1.110.171\"\nat = \"60s\"\nfor = \"60s\"\n\
                 [[plant]]\ndo = \"strike\"\nbay = \"S1.22.471\"\nat = \"40s\"\n";
    let scenario = Scenario::parse(&province, "scenario.toml", fault).unwrap();
    keeping::record(folder, &province, scenario, (from, from.plus(1_000 * seconds)), 30_000);
}

fn small() -> String {
    fs::read_to_string("config/small.toml").unwrap()
}

/// The folder of a store of five minutes, one for all tests.
fn store() -> &'static str {
    static STORE: OnceLock<TempDir> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let folder = tempdir().unwrap();
        record(folder.path(), &small(), (START, 300));
        folder
    });
    store.path().to_str().unwrap()
}

/// Exports from that store into a file of a folder.
fn export(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let out = ["--store", store(), "--out", path.to_str().unwrap()];
    let output = gridwatch(&[&["store", "export"], args, &out].concat());
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
    assert!(stdout(&output).starts_with(path.to_str().unwrap()), "{}", stdout(&output));
    path
}

/// Names of the columns, and rows, of a Parquet file, each cell as CSV has it.
fn parquet_rows(path: &Path) -> Vec<Vec<String>> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema();
    let names = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let mut rows = vec![names];
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let cells = row.get_column_iter().map(|(_, cell)| match cell {
            Field::Null => String::new(),
            Field::Str(text) => text.clone(),
            Field::Long(n) => n.to_string(),
            Field::Int(n) => n.to_string(),
            Field::Double(n) => n.to_string(),
            Field::Bool(is) => is.to_string(),
            Field::TimestampMillis(ms) => Timestamp(*ms).to_millisecond(),
            Field::Date(day) => {
                Timestamp(i64::from(*day) * DAY_MS).local(Zone::UTC).date.to_string()
            }
            other => panic!("{other:?}"),
        });
        rows.push(cells.collect());
    }
    rows
}

fn csv_rows(path: &Path) -> Vec<Vec<String>> {
    let bytes = fs::read(path).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap().to_owned();
    assert!(!text.starts_with('\u{feff}'), "plain CSV has no mark");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows = reader.records();
    rows.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The cells of a column.
fn column<'a>(rows: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let place = rows[0].iter().position(|column| column == name).unwrap();
    rows[1..].iter().map(|row| &row[place][..]).collect()
}

#[test]
fn parquet_and_csv_say_the_same_and_always_with_the_same_bytes() {
    let folder = tempdir().unwrap();
    for table in TABLES {
        let written = |name: &str| export(folder.path(), &format!("{table}{name}"), &[table]);
        let files = [".parquet", ".csv"].map(|end| (end, written(end)));
        let (parquet, csv) = (parquet_rows(&files[0].1), csv_rows(&files[1].1));
        assert!(parquet.len() > 1, "there is something of {table}");
        assert_eq!(parquet.len(), csv.len());
        for (one, other) in parquet.iter().zip(&csv) {
            assert_eq!(one, other, "{table}");
        }
        for (end, file) in files {
            let again = written(&format!("-again{end}"));
            assert!(fs::read(again).unwrap() == fs::read(file).unwrap(), "{table}{end}");
        }
    }
    // To a pipe, the same rows with the ends of lines of everybody else.
    let said = stdout(&gridwatch(&["store", "export", "events", "--store", store()]));
    let file = fs::read_to_string(folder.path().join("events.csv")).unwrap();
    assert_eq!(said, file.replace("\r\n", "\n"));
    let dash = gridwatch(&["store", "export", "events", "--store", store(), "--out", "-"]);
    assert_eq!(stdout(&dash), said);
}

#[test]
fn values_are_all_that_came_point_by_point_in_the_order_of_time() {
    let folder = tempdir().unwrap();
    let rows = parquet_rows(&export(folder.path(), "all.parquet", &["values"]));
    let mut came: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut seen = Vec::new();
    for row in &rows[1..] {
        let path = (&row[2][..], &row[3][..]);
        if seen.last() != Some(&path) {
            seen.push(path);
        }
        came.entry(path).or_default().push(&row[0]);
    }
    assert_eq!(seen.len(), came.len(), "each point of a centre stands together");
    assert!(came.values().all(|times| times.is_sorted()));
    let reader = Reader::open(Path::new(store())).unwrap();
    let sessions = reader.sessions().unwrap();
    let province = reader.contract(sessions[0].contract).unwrap().province;
    let all = (Timestamp(0), Timestamp(i64::MAX));
    for channel in &province.channels {
        let station = &province.stations[channel.station.index()];
        let centre = &province.centres[channel.centre.index()].id;
        for point in &station.points {
            let mut count = 0;
            let path = (&station.id[..], &centre[..], &point.id[..]);
            let each = |_| {
                count += 1;
                Ok::<(), gridwatch::store::StoreError>(())
            };
            reader.values(path, all, each).unwrap();
            let exported = came.get(&(&centre[..], &point.id[..])).map_or(0, Vec::len);
            assert_eq!(exported, count, "{path:?}");
        }
    }
    assert!(rows.len() > 30_000, "{}", rows.len());
}

#[test]
fn rows_are_those_of_whom_they_are_asked_for() {
    let folder = tempdir().unwrap();
    let of = |args: &[&str]| parquet_rows(&export(folder.path(), "some.parquet", args));
    let distinct = |rows: &[Vec<String>], name: &str| -> BTreeSet<String> {
        column(rows, name).into_iter().map(str::to_owned).collect()
    };
    let set =
        |ids: &[&str]| -> BTreeSet<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
    let points = ["--point", "S1.110.171.P", "--point", "S2.110.171.P"];
    let rows = of(&[&["values"], &points[..]].concat());
    assert_eq!(distinct(&rows, "point"), set(&["S1.110.171.P", "S2.110.171.P"]));
    assert_eq!(distinct(&rows, "centre"), set(&["CC", "A1"]));
    let rows = of(&[&["values", "--centre", "A1"], &points[..]].concat());
    assert_eq!(distinct(&rows, "centre"), set(&["A1"]));
    for table in ["verdicts", "values", "polling"] {
        let rows = of(&[table, "--station", "S3", "--centre", "CC"]);
        assert_eq!(distinct(&rows, "station"), set(&["S3"]), "{table}");
        assert_eq!(distinct(&rows, "centre"), set(&["CC"]), "{table}");
    }
    let events = of(&["events"]);
    let own = of(&["events", "--station", "S1"]);
    let count = column(&events, "station").iter().filter(|id| **id == "S1").count();
    assert!(count > 0 && own.len() == 1 + count);
    // A day of which there is nothing.
    for table in TABLES {
        let rows = of(&[table, "--from", "2030-01-01", "--to", "2030-01-01"]);
        assert_eq!(rows.len(), 1, "{table} has columns and no rows");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_way_out() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out.parquet");
    let out = out.to_str().unwrap();
    let text = out.replace(".parquet", ".txt");
    for (args, said) in [
        (&["values", "--out", &text][..], ".parquet or .csv"),
        (&["values", "--out", out, "--point", "S1.110.171.PP"], "did you mean 'S1.110.171.P'?"),
        (&["values", "--out", out, "--point", "S7.110.171.P"], "no station 'S7' in the store"),
        (&["verdicts", "--out", out, "--station", "S9"], "no station 'S9' in the store"),
        (&["events", "--out", out, "--centre", "A2"], "no centre 'A2' in the store; did you mean"),
        (&["polling", "--out", out, "--point", "S1.110.171.P"], "this table has no points"),
        (&["metering", "--out", out, "--centre", "A1"], "this table has no centres"),
        (&["values", "--out", "no/such/folder/x.csv"], "cannot write 'no/such/folder/x.csv'"),
    ] {
        let output = gridwatch(&[&["store", "export", "--store", store()], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // Nothing in what was asked for: it is said what there is.
    for more in [&[][..], &["--out", out]] {
        let days = ["store", "export", "--store", store(), "events", "--from", "2031-01-01"];
        let output = gridwatch(&[&days[..], more].concat());
        assert_eq!(output.status.code(), Some(0));
        let said =
            "no row: there was nothing of that in what was asked for; somebody watched from ";
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// What a shell says of an export that writes to this file, in front of which something stands.
#[cfg(unix)]
fn shell(before: &str, out: &Path) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_gridwatch");
    let (store, out) = (store(), out.display());
    let script = format!("{before} {program} store export values --store {store} --out {out}");
    Command::new("sh").args(["-c", &script]).output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_what_was_there() {
    let folder = tempdir().unwrap();
    // As long as it is open, the store has the files that each reader needs.
    let _open = Reader::open(Path::new(store())).unwrap();
    for name in ["values.parquet", "values.csv"] {
        let path = folder.path().join(name);
        fs::write(&path, "of yesterday").unwrap();
        // A write beyond the limit is an error, not the end.
        let output = shell("trap '' XFSZ; ulimit -f 8; exec", &path);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let said = stderr(&output);
        let expected = format!("gridwatch: cannot write '{}': File too large", path.display());
        assert!(said.starts_with(&expected), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "of yesterday");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no drafts are left");
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_into_a_full_disk_is_an_error() {
    let script = format!(
        "{} store export values --store {} > /dev/full",
        env!("CARGO_BIN_EXE_gridwatch"),
        store()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot write: No space left"), "{}", stderr(&output));
}

#[test]
fn values_stay_in_order_when_contracts_come_and_go() {
    let folder = tempdir().unwrap();
    // The other contract asks for fewer registers at once, so that values come in other blocks.
    let other = small().replace("in_flight = 8 ", "registers_max = 12\nin_flight = 8 ");
    assert_ne!(other, small());
    for (n, text) in [small(), other, small()].iter().enumerate() {
        let from = START.plus(100_000 * i64::try_from(n).unwrap());
        record(folder.path(), text, (from, 60));
    }
    let store = folder.path().to_str().unwrap();
    let args = ["store", "export", "values", "--store", store, "--point", "S1.110.171.P"];
    let said = stdout(&gridwatch(&[&args[..], &["--centre", "CC"]].concat()));
    let times: Vec<&str> = said.lines().skip(1).map(|line| &line[..24]).collect();
    assert!(times.is_sorted(), "{said}");
    let spans = [(0, 60), (100, 160), (200, 260)].map(|(from, to)| {
        let [from, to] = [from, to].map(|s| START.plus(1_000 * s).to_millisecond());
        times.iter().filter(|at| (&from[..]..&to[..]).contains(*at)).count()
    });
    assert!(spans.iter().all(|count| *count >= 4), "{spans:?}");
    assert_eq!(spans.iter().sum::<usize>(), times.len());
}

/// A plant's metered points are kept and handed out like those of a station, in a window's snapshots too.
#[test]
fn values_of_plants_are_handed_out() {
    let plant =
        "\n[[plants]]\nid = \"P1\"\nmw = 10\ngwh_per_year = 40\npoints = { PM = [\"571\"] }\n";
    let folder = tempdir().unwrap();
    record(folder.path(), &format!("{}{plant}", small()), (START, 60));
    let store = folder.path().to_str().unwrap();
    let out = gridwatch(&[
        "store",
        "export",
        "values",
        "--store",
        store,
        "--station",
        "P1",
        "--out",
        "-",
    ]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let reader = Reader::open(folder.path()).unwrap();
    let sessions = reader.sessions().unwrap();
    let province = reader.contract(sessions[0].contract).unwrap().province;
    let plant = &province.stations[province.site("P1").unwrap().index()];
    let said = stdout(&out);
    for centre in &province.centres {
        for point in &plant.points {
            let cell = format!(",{},", point.id);
            assert!(said.lines().any(|row| row.contains(&cell)), "{} at {}", point.id, centre.id);
        }
    }
}

/// A store in which every word that a table can have stands, and the moment behind it.
fn store_of_every_word(folder: &Path) -> Timestamp {
    let province = Arc::new(Province::parse("config/small.toml", &small()).unwrap());
    let mut writer = Writer::open(folder, &province).unwrap();
    let mut at = START;
    let points = province.stations[0].points.len();
    for (n, kind) in JumpKind::ALL.into_iter().enumerate() {
        let begun = at;
        let runs = vec![Run {
            first: 0,
            count: u32::try_from(points).unwrap(),
            state: VerdictState::from_bits(0).unwrap(),
        }];
        let channel = ChannelId::at(0);
        let first = Judgement { channel, at, link: LinkState::Connected, whole: true, runs };
        let each = Reason::ALL.iter().zip(1..).map(|(reason, second)| {
            let state = VerdictState::from_bits(reason.code().into()).unwrap();
            let (at, whole) = (begun.plus(1_000 * second), false);
            let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
            Judgement { at, whole, runs, ..first.clone() }
        });
        let events = TimeDoubt::ALL.iter().zip(1_u32..).map(|(doubt, number)| EventEntry {
            channel,
            unit: 1,
            at: begun.plus(500),
            order: 0,
            arrived: begun.plus(500),
            what: Happening::Change(Change {
                number: number + 2 * u32::try_from(n).unwrap(),
                address: 0,
                point: None,
                before: None,
                value: 1,
                source: begun,
                flags: config::Flags::GOOD,
                synchronised: true,
                doubt: Some(*doubt),
            }),
        });
        let (after, by_ms) = (begun.plus(60_000), 5_000);
        let jump = Jump { before: begun.plus(30_000), after, by_ms, kind };
        let until = begun.plus(30_000);
        let batch = Batch {
            judgements: std::iter::once(first.clone()).chain(each).collect(),
            events: events.collect(),
            metering: MeterKind::ALL.map(line).to_vec(),
            energy: EnergyKind::ALL.map(|kind| energy(kind, n as u64)).to_vec(),
            ..Batch::empty(true, until)
        };
        writer.commit(&batch).unwrap();
        let jumps = vec![jump];
        writer.commit(&Batch { jumps, ..Batch::empty(true, after) }).unwrap();
        at = after.plus(1);
    }
    writer.close().unwrap();
    at
}

fn line(kind: MeterKind) -> MeterLine {
    let (remote, reads) = (Share::new(8, 10), Reads::default());
    MeterLine {
        kind,
        id: "x".to_owned(),
        sells: true,
        remote,
        uncounted: 0,
        reads,
        days: [None, None],
    }
}

fn energy(kind: EnergyKind, kwh: u64) -> EnergyLine {
    let (station, id) = ("S1".to_owned(), "x".to_owned());
    EnergyLine {
        kind,
        station,
        id,
        sells: true,
        day: 19_000,
        kwh,
        meter_days: 1,
        meters: 1,
        behind: 0,
        unread_days: 0,
    }
}

/// One word for one thing: what an enum calls itself is what stands in exports, JSON and the docs.
#[test]
fn words_are_the_same_in_each_face() {
    let folder = tempdir().unwrap();
    let now = store_of_every_word(folder.path());
    let words = |all: &[&'static str]| -> BTreeSet<String> {
        let words: BTreeSet<String> = all.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(words.len(), all.len(), "{all:?}");
        words
    };
    let jumps = words(&JumpKind::ALL.map(JumpKind::word));
    let doubts = words(&TimeDoubt::ALL.map(TimeDoubt::word));
    let mut reasons = words(&Reason::ALL.map(Reason::word));
    let docs = fs::read_to_string("docs/history.md").unwrap();
    let listed = docs.lines().skip_while(|line| !line.starts_with("Reasons are ")).take(2);
    let listed = listed.collect::<String>();
    for reason in &reasons {
        assert!(listed.contains(&format!("`{reason}`")), "{reason} in {listed}");
    }
    reasons.insert("good".to_owned());
    for (table, name, words) in [
        ("verdicts", "verdict", reasons),
        ("events", "clock", jumps.clone()),
        ("events", "doubt", doubts),
        ("metering", "kind", words(&MeterKind::ALL.map(MeterKind::word))),
        ("energy", "kind", words(&EnergyKind::ALL.map(EnergyKind::word))),
    ] {
        let store = folder.path().to_str().unwrap();
        let output = gridwatch(&["store", "export", table, "--store", store]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let mut rows = csv::Reader::from_reader(&output.stdout[..]);
        let place = rows.headers().unwrap().iter().position(|head| head == name).unwrap();
        let cells = rows.records().map(|row| row.unwrap()[place].to_owned());
        let found: BTreeSet<String> = cells.filter(|cell| !cell.is_empty()).collect();
        assert_eq!(found, words, "{table}.{name}");
        let head = format!("| `{table}` | ");
        let mut row = docs.lines().filter(|line| line.starts_with(&head));
        let row = row.next_back().unwrap();
        let told = words.iter().filter(|word| row.contains(&format!("`{word}`"))).count();
        assert!(table == "verdicts" || told == words.len(), "{words:?} in {row}");
    }
    let province = Arc::new(Province::parse("config/small.toml", &small()).unwrap());
    let mut snapshot =
        Historian::new(Arc::clone(&province), &layouts(&plans(&province)), now).snapshot(now);
    let jump = |kind| Jump { before: now, after: now.plus(1), by_ms: 1, kind };
    snapshot.jumps = JumpKind::ALL.map(jump).into();
    let said: serde_json::Value = serde_json::from_str(&json::snapshot(&snapshot)).unwrap();
    let kinds =
        said["clock_jumps"].as_array().unwrap().iter().map(|jump| jump["kind"].as_str().unwrap());
    assert_eq!(kinds.map(str::to_owned).collect::<BTreeSet<_>>(), jumps);
}
