//! A store that somebody sends, or that may only be read: it commands nothing, takes no more than it should,
//! and is read where nothing can be written.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use gridwatch::clock::Timestamp;
use gridwatch::series::chunk::{Choices, Chunk, ChunkWriter, ColumnValues, ROWS_MAX};
use gridwatch::store::{Reader, StoreError, Writer, upkeep};
use rusqlite::Connection;
use tempfile::{TempDir, tempdir};

use crate::cli::{gridwatch, stderr, stdout};

/// Most memory that a command may take for a small store, kilobytes.
const MEMORY_KB: u32 = 500_000;

/// A store with some of everything, as version 0.1.0 left it, in a folder of its own.
pub(crate) fn store() -> TempDir {
    let folder = tempdir().unwrap();
    let from = "tests/stores/0.1.0/recorded/gridwatch.db";
    fs::copy(from, folder.path().join("gridwatch.db")).unwrap();
    folder
}

fn file(folder: &Path) -> Connection {
    let file = Connection::open(folder.join("gridwatch.db")).unwrap();
    file.pragma_update(None, "foreign_keys", false).unwrap();
    file
}

/// Runs a command that may take no more than [`MEMORY_KB`] and a minute, which is ten seconds of a program
/// that was not built to be debugged.
fn bounded(args: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("ulimit -d {MEMORY_KB}; exec timeout 60 \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_gridwatch"))
        .args(args)
        .env("LANG", "en_US.UTF-8")
        .env_remove("LC_ALL")
        .output()
        .unwrap()
}

/// What is read of a store: none of it ends in any other way than by an answer or a reason. Returns what a
/// check says.
fn read_bounded(folder: &Path, what: &str) -> String {
    let (store, out) = (folder.to_str().unwrap(), tempdir().unwrap());
    let out = out.path().join("r.json");
    let out = out.to_str().unwrap();
    let days = ["--from", "2022-11-01", "--to", "2022-11-03"];
    let check = bounded(&["store", "check", "--store", store]);
    let others = [
        bounded(&[&["report", "--store", store, "--out", out][..], &days].concat()),
        bounded(&["show", "--at", "2022-11-01 08:30:00", "--store", store]),
        bounded(&["store", "export", "values", "--store", store]),
        bounded(&["store", "export", "alarms", "--store", store]),
    ];
    for output in others.iter().chain([&check]) {
        let code = output.status.code();
        assert!(matches!(code, Some(0..=3)), "{what}: {code:?} {}", stderr(output));
    }
    let refused = others.iter().find(|output| output.status.code() == Some(2));
    if let Some(refused) = refused {
        let said = stderr(refused);
        assert_ne!(check.status.code(), Some(0), "{what}: a check calls whole what says: {said}");
    }
    stdout(&check) + &stderr(&check)
}

/// A literal byte and copies of 64 of them, as Snappy has it: the size is what it claims.
fn bomb(size: u32) -> Vec<u8> {
    let count = (size - 1) / 64;
    let (mut bytes, mut length) = (Vec::new(), 1 + 64 * count);
    while length >= 128 {
        bytes.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    bytes.extend([u8::try_from(length).unwrap(), 0, 0]);
    bytes.extend((0..count).flat_map(|_| [(63 << 2) | 2, 1, 0]));
    bytes
}

#[test]
fn a_store_that_somebody_made_takes_no_more_than_it_should() {
    const N: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n";
    let endless = format!(
        "DROP TABLE lost_events; CREATE VIEW lost_events AS {N})
         SELECT x AS path, x AS unit, x AS at_ms, x AS count, x AS after_ms FROM n"
    );
    let cases: [(&str, &str, &str); 4] = [
        ("a view that never ends", &endless, "view 'lost_events'"),
        (
            "a view that takes all memory",
            "ALTER TABLE contract RENAME TO c2; CREATE VIEW contract AS SELECT id, hash, expanded, file,
             hex(zeroblob(400000000)) AS text, fleet FROM c2",
            "c2",
        ),
        ("a trigger", "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM event; END", "trigger 't'"),
        (
            "a computed column",
            "ALTER TABLE event ADD COLUMN more TEXT AS (hex(zeroblob(100000000)))",
            "table 'event'",
        ),
    ];
    for (what, sql, said) in cases {
        let folder = store();
        file(folder.path()).execute_batch(sql).unwrap();
        let check = read_bounded(folder.path(), what);
        assert!(check.contains(said), "{what}: {check}");
    }
}

/// What is held in memory or asked for one by one is bounded, however many rows a table has: table and columns, what
/// they are in row `x`, how many of them, and what is said.
const TOO_MANY: [(&str, &str, u32, &str); 5] = [
    (
        "session (id, contract, from_ms, until_ms, closed, program)",
        "x + 100, 1, 1670000000000 + 10 * x, 1670000000005 + 10 * x, 1, ''",
        100_001,
        "more than 100000 sessions",
    ),
    (
        "clock_jump (id, before_ms, after_ms, by_ms, kind)",
        "x, 1670000000000 + x, 1670000000001 + x, 1, 1",
        100_001,
        "more than 100000 jumps of the clock",
    ),
    (
        "metering (kind, id, at_ms, sells, meters, remote, first_have, first_want, final_have,
             final_want, half_hours_have, half_hours_want)",
        "'class', x, 1667260800000, 1, 2, 1, 0, 1, 0, 1, 0, 1",
        10_001,
        "more than 10000 districts and classes",
    ),
    (
        "energy (kind, station, id, at_ms, sells, day, kwh, meter_days, meters, behind, unread_days,
             epoch)",
        "'hand', x, 'd.c', 1667260800000, 1, 19297, 1, 1, 1, 0, 0, 0",
        100_001,
        "more than 100000 running counts",
    ),
    (
        "contract (id, hash, expanded, file, text)",
        "x + 100, x, '', '', ''",
        10_001,
        "more than 10000 contracts",
    ),
];

/// The statement that makes so many rows.
fn rows(table: &str, values: &str, count: u32) -> String {
    format!(
        "INSERT INTO {table} WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {count})
         SELECT {values} FROM n;"
    )
}

#[test]
fn more_than_an_answer_can_be_made_of_is_refused() {
    let columns =
        "UPDATE layout SET columns = replace(hex(zeroblob(1000001)), '00', 'x value' || char(10))
         WHERE id = (SELECT min(id) FROM layout)";
    let many = TOO_MANY.map(|(table, values, count, said)| (rows(table, values, count), said));
    let columns = (columns.to_owned(), "more than 1000000 columns");
    for (sql, said) in many.into_iter().chain([columns]) {
        let folder = store();
        let path = folder.path();
        // Tables that came later are in a store of this version alone.
        let is_later = ["clock", "counts"].iter().any(|what| said.contains(what));
        if is_later {
            let reader = Reader::open(path).unwrap();
            let contract = reader.sessions().unwrap()[0].contract;
            let province = reader.contract(contract).unwrap().province;
            drop(reader);
            Writer::open(path, &province).unwrap().close().unwrap();
        }
        file(path).execute_batch(&sql).unwrap();
        let said_of_it: Vec<String> = if is_later {
            // A check says of each of these rows first that it has no checksum.
            let reader = Reader::open(path).unwrap();
            let counts = reader.energy_counts(Timestamp(i64::MAX), |_, _| {});
            [reader.jumps().map(drop), counts]
                .into_iter()
                .filter_map(Result::err)
                .map(|e| e.to_string())
                .collect()
        } else {
            upkeep::check(path).unwrap().faults
        };
        assert!(said_of_it.iter().any(|fault| fault.contains(said)), "{said}: {said_of_it:?}");
    }
    // A number that stands for thousands of stations.
    let folder = store();
    let hash = gridwatch::store::hash(&config::Origin::Fleet(10_000));
    let paths = rows("path (id, station, centre)", "x + 1000, x, 'CC'", 5_000);
    let fleet = format!(
        "UPDATE contract SET text = '', fleet = 10000, hash = '{hash}'
         WHERE id = (SELECT max(id) FROM contract); {paths}"
    );
    file(folder.path()).execute_batch(&fleet).unwrap();
    let check = read_bounded(folder.path(), "a fleet");
    assert!(check.contains("a fleet of more stations than 5"), "{check}");
}

#[test]
fn alarms_of_one_time_are_listed_at_once_or_refused() {
    let of = |count: u32, returned: &str, is_open: u32| {
        let folder = store();
        let alarms = rows(
            "alarm (station, cause, reason, raised_ms, priority, centres, signals, returned_ms, open)",
            &format!(
                "'S1', 'link', 'no_link', 1667408700000 + x, 1, 'CC', 3, {returned}, {is_open}"
            ),
            count,
        );
        file(folder.path()).execute_batch(&alarms).unwrap();
        folder
    };
    let show = |folder: &TempDir, what: &[&str]| {
        let store = folder.path().to_str().unwrap();
        bounded(&[&["show"][..], what, &["--store", store]].concat())
    };
    let many = of(60_000, "NULL", 1);
    let shown = show(&many, &["alarms"]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    let listed = stdout(&shown).lines().filter(|line| line.contains("S1")).count();
    assert!(listed >= 60_000, "{listed}");
    assert_eq!(show(&many, &["--json"]).status.code(), Some(0));
    // Whether they are open still, or returned after the moment that is asked for.
    for (returned, is_open) in [("NULL", 1), ("1667490000000", 0), ("NULL", 0)] {
        let too_many = of(100_001, returned, is_open);
        let said = "more than 100000 alarms at one time";
        let shown = show(&too_many, &["alarms", "--at", "2022-11-03 00:10:00"]);
        assert_eq!(shown.status.code(), Some(2), "{returned}");
        assert!(stderr(&shown).contains(said), "{returned}: {}", stderr(&shown));
        let check = read_bounded(too_many.path(), "alarms");
        assert!(check.contains(said), "{returned}: {check}");
    }
}

#[test]
fn what_a_row_unpacks_to_is_bounded() {
    let folder = store();
    let row = rusqlite::params![1_667_310_000_000_i64, 1, bomb(300 << 20)];
    file(folder.path()).execute("INSERT INTO journal VALUES (?1, ?2, ?3)", row).unwrap();
    let check = read_bounded(folder.path(), "a row of the journal");
    assert!(check.contains("more than 128 MB"), "{check}");
}

/// Puts chunks of 2 048 rows into a store, `apart` milliseconds from row to row and from chunk to chunk, in which every
/// column shows a number that goes on; takes out those that the block has. It is the block that has a counter.
fn rows_apart(folder: &Path, chunks: i64, apart: i64) {
    let file = file(folder);
    let (block, columns): (i64, String) = file
        .query_row(
            "SELECT block.id, columns FROM block JOIN layout ON layout.id = block.layout
             WHERE columns LIKE '%22.47_.E.IMP value%' ORDER BY block.id LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let (from, bytes): (i64, Vec<u8>) = file
        .query_row(
            "SELECT from_ms, data FROM chunk WHERE block = ?1 ORDER BY from_ms LIMIT 1",
            [block],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let first = Chunk::from_bytes(bytes.into()).unwrap();
    file.execute("DELETE FROM chunk WHERE block = ?1", [block]).unwrap();
    let count = i64::try_from(ROWS_MAX).unwrap();
    let mut choices = Choices::default();
    for n in 0..chunks {
        let rows = n * count..(n + 1) * count;
        let times: Vec<Timestamp> = rows.clone().map(|row| Timestamp(from + row * apart)).collect();
        let lines = columns.lines();
        let mut writer =
            ChunkWriter::new(60_000, &times, lines.clone().count(), &mut choices).unwrap();
        for (place, line) in lines.enumerate() {
            let mut column = ColumnValues::new(first.column(place).unwrap().raw_type);
            let is_value = line.ends_with(" value");
            let raw = |row: i64| if is_value { 1_000_000 + row.unsigned_abs() / 1_000 } else { 0 };
            column.raw = rows.clone().map(raw).collect();
            writer.push(&column).unwrap();
        }
        let chunk = writer.finish().unwrap();
        let (begins, ends) = chunk.span();
        let row = rusqlite::params![block, begins.0, ends.0, count, &chunk.bytes()[..]];
        file.execute(
            "INSERT INTO chunk (block, from_ms, until_ms, rows, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            row,
        )
        .unwrap();
    }
}

#[test]
fn values_that_cannot_have_come_so_densely_take_no_memory() {
    // A device can be asked every 100 ms: hours of that are read.
    let folder = store();
    rows_apart(folder.path(), 100, 100);
    let check = read_bounded(folder.path(), "values of each 100 ms");
    assert!(!check.contains("values"), "{check}");
    let folder = store();
    rows_apart(folder.path(), 100, 1);
    let check = read_bounded(folder.path(), "values of each millisecond");
    assert!(check.contains("than a device can be asked for"), "{check}");
}

/// Commands that only read, as an account that may not write to the folder. The superuser may write
/// everywhere, so that the test becomes nobody then.
#[cfg(unix)]
fn as_reader(folder: &Path, program: &Path) -> Vec<(String, Output)> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let work = tempdir().unwrap();
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    open(work.path());
    let out = work.path().join("r.json");
    let (store, out) = (folder.to_str().unwrap(), out.to_str().unwrap());
    let commands: [&[&str]; 4] = [
        &["store", "check", "--store", store],
        &["report", "--store", store, "--from", "2022-11-01", "--out", out],
        &["show", "--at", "2022-11-01 08:30:00", "--store", store],
        &["store", "export", "events", "--store", store],
    ];
    let is_superuser = fs::metadata(work.path()).unwrap().uid() == 0;
    let run = |args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(work.path()).env("LANG", "en_US.UTF-8").env_remove("LC_ALL");
        if is_superuser {
            command.uid(65_534).gid(65_534);
        }
        (args.join(" "), command.output().unwrap())
    };
    commands.iter().map(|args| run(args)).collect()
}

#[cfg(unix)]
#[test]
fn reading_needs_no_right_to_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    // Where anybody may run it.
    let place = tempdir().unwrap();
    mode(place.path(), 0o755);
    let program = place.path().join("gridwatch");
    fs::copy(env!("CARGO_BIN_EXE_gridwatch"), &program).unwrap();
    let expected = |folder: &Path| {
        let store = folder.to_str().unwrap();
        stdout(&gridwatch(&["store", "export", "events", "--store", store]))
    };
    // A store that was closed, one with a log beside it and nobody's index of it, and one whose last
    // change was cut off.
    for beside in ["", "-wal", "-wal -shm", "-journal"] {
        let whole = store();
        let rows = expected(whole.path());
        let folder = tempdir().unwrap();
        let path = |end: &str| folder.path().join(format!("gridwatch.db{end}"));
        let from = |end: &str| whole.path().join(format!("gridwatch.db{end}"));
        let writer = file(whole.path());
        if beside.starts_with("-wal") {
            writer.pragma_update(None, "journal_mode", "wal").unwrap();
            writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
            // What stands in the log alone counts.
            writer
                .execute("DELETE FROM event WHERE number = (SELECT max(number) FROM event)", [])
                .unwrap();
        } else if beside == "-journal" {
            writer.pragma_update(None, "journal_mode", "delete").unwrap();
            writer.pragma_update(None, "cache_size", 1).unwrap();
            writer
                .execute_batch("BEGIN; UPDATE event SET value = 9; UPDATE asked SET missed = 8")
                .unwrap();
        }
        fs::copy(from(""), path("")).unwrap();
        for end in beside.split_whitespace() {
            fs::copy(from(end), path(end)).unwrap();
        }
        if beside == "-journal" {
            writer.execute_batch("ROLLBACK").unwrap();
        }
        let rows = if beside.starts_with("-wal") { expected(whole.path()) } else { rows };
        drop(writer);
        let files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
        for path in &files {
            mode(path, 0o444);
        }
        mode(folder.path(), 0o555);
        let before: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        for (args, output) in as_reader(folder.path(), &program) {
            assert_eq!(output.status.code(), Some(0), "{beside} {args}: {}", stderr(&output));
            if args.contains("export") {
                assert_eq!(stdout(&output), rows, "{beside}");
            }
        }
        let after: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(before == after, "{beside}: who reads changes nothing");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files.len(), "{beside}");
        mode(folder.path(), 0o755);
    }
}

/// The superuser too is kept from writing by a mount that is read only; it takes the right to mount.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs the right to mount"]
fn a_mount_that_is_read_only_is_read() {
    let folder = store();
    let (store, program) = (folder.path().to_str().unwrap(), env!("CARGO_BIN_EXE_gridwatch"));
    let script = format!(
        "mount --bind {store} {store} && mount -o remount,ro,bind {store} {store} &&
         ! touch {store}/x 2>/dev/null && {program} store check --store {store} &&
         {program} show --at '2022-11-01 08:30:00' --store {store} &&
         {program} report --from 2022-11-01 --store {store} --out /dev/shm/r.json && rm /dev/shm/r.json &&
         {program} store export events --store {store}"
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_copy_that_broke_off_is_no_store_and_is_made_again() {
    let (from, to) = (store(), tempdir().unwrap());
    let stopped = upkeep::backup(from.path(), to.path(), |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(StoreError::Stopped)));
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0, "nothing is left");
    // What a killed one left.
    fs::write(to.path().join("gridwatch.db.part"), b"half").unwrap();
    fs::write(to.path().join("gridwatch.db.part-journal"), b"half").unwrap();
    assert!(matches!(Reader::open(to.path()), Err(StoreError::Missing(_))));
    upkeep::backup(from.path(), to.path(), |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(upkeep::check(to.path()).unwrap().faults, Vec::<String>::new());
    let names: Vec<_> = fs::read_dir(to.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().contains("part")), "{names:?}");
}

#[test]
fn a_truth_log_that_cannot_be_written_is_an_error() {
    let folder = tempdir().unwrap();
    let scenario = folder.path().join("s.toml");
    let fault = "[[fault]]\nkind = \"T08\"\ntarget = \"S1\"\nat = \"1h\"\nfor = \"1h\"\n";
    fs::write(&scenario, fault).unwrap();
    let store = folder.path().join("store");
    let (store, scenario) = (store.to_str().unwrap(), scenario.to_str().unwrap());
    let output = gridwatch(&[
        "simulate",
        "config/small.toml",
        "--record",
        store,
        "--from",
        "2022-11-01",
        "--days",
        "1",
        "--scan",
        "300",
        "--no-values",
        "--scenario",
        scenario,
        "--truth",
        "/dev/full",
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("truth log '/dev/full' cannot be written"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn nothing_in_a_file_commands_a_terminal() {
    let folder = store();
    let province = folder.path().join("p.toml");
    let text =
        "[province]\nname = \"x\"\n\"\\u001b]0;OWNED\\u0007\\u001b[31mred\" = 1\n# \u{1b}[2J\n";
    fs::write(&province, text).unwrap();
    file(folder.path())
        .execute(
            "UPDATE contract SET file = 'a' || char(27) || ']0;OWNED' || char(7) || char(8238)",
            [],
        )
        .unwrap();
    file(folder.path())
        .execute("UPDATE alarm SET cause = 'bay ' || char(27) || '[31m'", [])
        .unwrap();
    let (store, province) = (folder.path().to_str().unwrap(), province.to_str().unwrap());
    for args in [
        &["config", "check", province][..],
        &["store", "check", "--store", store],
        &["show", "--at", "2022-11-01 08:30:00", "--store", store],
        &["show", "alarms", "--at", "2022-11-01 08:30:00", "--json", "--store", store],
        &["store", "export", "alarms", "--store", store],
        &["report", province, "--month", "2022-11", "--store", store, "--out", "x.json"],
    ] {
        let output = gridwatch(args);
        let said = stdout(&output) + &stderr(&output);
        let commands = |c: char| config::plain::commands(c) && c != '\n' && c != '\t';
        assert!(!said.contains(commands), "{args:?}: {said:?}");
    }
    // Nor does a name make a line of what is said of it.
    let name = "' || char(10) || 'FAKED' || char(13) || char(9) || '";
    file(folder.path())
        .execute_batch(&format!(
            "UPDATE contract SET file = 'a{name}.toml', text = 'x = 1';
             INSERT INTO metering SELECT kind, '{name}', at_ms, sells, 1, 2, 0, 0, 0, 0, 0, 0
                 FROM metering LIMIT 1;
             UPDATE alarm SET reason = '{name}'; UPDATE asked SET replies = '{name}';
             UPDATE session SET program = '{name}'; UPDATE path SET station = '{name}'"
        ))
        .unwrap();
    let reader = Connection::open(folder.path().join("gridwatch.db")).unwrap();
    let text = |column: &str| -> String {
        let one = format!("SELECT {column} FROM contract ORDER BY id DESC LIMIT 1");
        reader.query_row(&one, [], |row| row.get(0)).unwrap()
    };
    let (named, content) = (text("file"), text("text"));
    let origin = config::Origin::Texts { file: named, text: content, templates: Vec::new() };
    let hash = gridwatch::store::hash(&origin);
    drop(reader);
    file(folder.path())
        .execute_batch(&format!(
            "DELETE FROM datalist; UPDATE contract SET hash = hash || id;
             UPDATE contract SET hash = '{hash}' WHERE id = (SELECT max(id) FROM contract)"
        ))
        .unwrap();
    let key = folder.path().join("key\nFAKED.toml");
    let of_key =
        "[province]\nname = \"x\"\n\"a\\nFAKED\" = 1\n[stations.\"b\\nFAKED\"]\n\"\\nFAKED\" = 2\n";
    fs::write(&key, of_key).unwrap();
    let (key, none) = (key.to_str().unwrap(), folder.path().join("no\nFAKED"));
    let none = none.to_str().unwrap();
    let mut told = 0;
    for args in [
        &["config", "check", key][..],
        &["check", key],
        &["monitor", key, "--once"],
        &["simulate", key],
        &["report", key, "--month", "2022-11", "--store", store, "--out", "x.json"],
        &["report", "--month", "2022-11", "--store", none, "--out", "x.json"],
        &["report", "--month", "2022-11", "--store", store, "--out", none],
        &["store", "check", "--store", store],
        &["store", "check", "--store", none],
        &["store", "backup", none, "--store", none],
        &["store", "aside", "--store", none],
        &["show", "--store", store],
        &["show", "alarms", "--store", store],
        &["show", "--store", none],
    ] {
        let output = gridwatch(args);
        assert_eq!(output.status.code().filter(|code| *code > 0), output.status.code(), "{args:?}");
        let said = stdout(&output) + &stderr(&output);
        told += usize::from(said.contains("FAKED"));
        let is_alone = |line: &str| line.trim_start().starts_with("FAKED") || line.contains('\t');
        assert!(!said.lines().any(is_alone), "{args:?}: {said}");
    }
    assert!(told > 8, "the names are told: {told}");
    let turned = folder.path().join("turned.toml");
    let small = fs::read_to_string("config/small.toml").unwrap();
    fs::write(&turned, small.replacen("name = \"", "name = \"\u{202e}", 1)).unwrap();
    let output = gridwatch(&["config", "check", turned.to_str().unwrap()]);
    assert!(stderr(&output).contains("control characters are not allowed"), "{}", stderr(&output));
}

#[test]
fn a_report_is_of_the_stations_of_its_store() {
    let folder = store();
    let store = folder.path().to_str().unwrap();
    let out = folder.path().join("r.json");
    let report = |more: &[&str]| {
        let args =
            ["report", "--from", "2022-11-01", "--store", store, "--out", out.to_str().unwrap()];
        gridwatch(&[&args[..], more].concat())
    };
    assert_eq!(report(&["--station", "S1"]).status.code(), Some(0));
    let refused = report(&["--station", "HB07"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("'HB07' is not in the configuration"),
        "{}",
        stderr(&refused)
    );
    let other = report(&["config/hoa-binh.toml"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("not of 'Hòa Bình'"), "{}", stderr(&other));
}

#[test]
fn an_export_is_cut_by_local_days_and_never_backwards() {
    let folder = store();
    let store = folder.path().to_str().unwrap();
    let args = ["store", "export", "values", "--store", store, "--from", "2022-11-01", "--to"];
    let day = gridwatch(&[&args[..], &["2022-11-01"]].concat());
    let text = stdout(&day);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let times: Vec<String> = rows.records().map(|row| row.unwrap()[0].to_owned()).collect();
    assert!(!times.is_empty());
    let is_within = |time: &&String| {
        ("2022-10-31T17:00:00.000Z".."2022-11-01T17:00:00.000Z").contains(&time.as_str())
    };
    assert!(times.iter().all(|time| is_within(&time)), "a day of +07:00");
    let backwards = gridwatch(&[&args[..], &["2022-10-31"]].concat());
    assert_eq!(backwards.status.code(), Some(2));
    assert!(stderr(&backwards).contains("before it begins"), "{}", stderr(&backwards));
}

#[test]
fn a_store_is_not_gone_on_with_by_another_province() {
    let folder = store();
    let path = folder.path().to_str().unwrap();
    let refused = gridwatch(&["monitor", "--once", "--timeout", "1", "--store", path]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    let names = ["of 'Tỉnh Một Trạm'", "not of 'Hòa Bình'", "--store"];
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    let sessions = Reader::open(folder.path()).unwrap().sessions().unwrap();
    // The same stations under another name are the same province.
    let reader = Reader::open(folder.path()).unwrap();
    let mut renamed = (*reader.contract(sessions[0].contract).unwrap().province).clone();
    renamed.name = config::Name::same("Tỉnh Khác");
    let renamed = Arc::new(renamed);
    drop(reader);
    Writer::open(folder.path(), &renamed).unwrap().close().unwrap();
    assert_eq!(Reader::open(folder.path()).unwrap().sessions().unwrap(), sessions);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_and_waited_for_by_nobody() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (pipe, circle) = (at("pipe.toml"), at("circle.toml"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    for (file, said) in [(&pipe[..], "pipe"), ("/dev/zero", "device"), (&circle, "symbolic links")]
    {
        let refused = bounded(&["config", "check", file]);
        let both = stdout(&refused) + &stderr(&refused);
        assert!(both.contains(said), "{file}: {both}");
        let scenario = bounded(&["simulate", "config/small.toml", "--scenario", file]);
        assert_eq!((refused.status.code(), scenario.status.code()), (Some(2), Some(2)), "{file}");
        assert!(stderr(&scenario).contains("cannot be read"), "{}", stderr(&scenario));
    }
    // Among the templates of a province.
    fs::create_dir(at("bays")).unwrap();
    fs::rename(&pipe, at("bays/own.toml")).unwrap();
    let text = fs::read_to_string("config/small.toml").unwrap();
    fs::write(at("province.toml"), format!("bays = \"bays\"\n{text}")).unwrap();
    let refused = bounded(&["config", "check", &at("province.toml")]);
    assert_eq!(refused.status.code(), Some(2));
    let both = stdout(&refused) + &stderr(&refused);
    assert!(both.contains("pipe"), "{both}");
    // In place of the files of a store.
    for name in ["gridwatch.db", "gridwatch.db-wal", "lock"] {
        let folder = store();
        let place = folder.path().join(name);
        if name == "gridwatch.db" {
            fs::remove_file(&place).unwrap();
        }
        assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
        let path = folder.path().to_str().unwrap();
        let monitor = ["monitor", "config/small.toml", "--once", "--timeout", "1", "--store", path];
        let output = bounded(&monitor);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        let check = bounded(&["store", "check", "--store", path]);
        assert!(matches!(check.status.code(), Some(0..=2)), "{name}: {}", stderr(&check));
    }
}
