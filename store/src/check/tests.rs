//! A check against everything that cannot be: what a reader refuses it names, and what it calls whole
//! is read.

use config::Province;
use historian::verdict_log::{PollStats, Run, VerdictState};
use rusqlite::ToSql;

use super::super::reader::Reader;
use super::super::schema::{FILE, open_to_write};
use super::super::sums::{ALL, Summed, Verb};
use super::super::{runs, sums};
use super::*;
use crate::series::chunk::{Choices, ChunkWriter, ColumnValues, RawType};

const AT: i64 = 1_667_310_000_000;

fn run(count: u32) -> Vec<u8> {
    runs::to_bytes(&[Run { first: 0, count, state: VerdictState::from_bits(0).unwrap() }])
}

/// A chunk of one column that is the same in each row.
fn chunk(rows: i64) -> Vec<u8> {
    let times: Vec<_> = (0..rows).map(|n| Timestamp(AT + n * 1_000)).collect();
    let mut choices = Choices::default();
    let mut writer = ChunkWriter::new(1_000, &times, 1, &mut choices).unwrap();
    let raw = vec![7; times.len()];
    let column = ColumnValues { raw_type: RawType::Unsigned16, raw, absent: Vec::new() };
    writer.push(&column).unwrap();
    writer.finish().unwrap().bytes().to_vec()
}

/// A store with a row in each table, made by hand.
fn store(folder: &Path) {
    let held = open_to_write(folder).unwrap();
    let province = Province::load(Path::new("../config/small.toml")).unwrap();
    let put = |of: &Summed, row: &[&dyn ToSql]| {
        sums::put(&held.connection, (Verb::Insert, of, ""), row).unwrap();
    };
    let contract = contracts::put(&held.connection, &province).unwrap();
    put(&sums::PATH, &[&1, &province.stations[0].id, &province.centres[0].id]);
    put(&sums::SESSION, &[&1, &contract, &AT, &(AT + 600_000), &1, &"0.1.0", &0]);
    put(&sums::SESSION, &[&2, &contract, &(AT + 700_000), &(AT + 800_000), &2, &"0.1.0", &0]);
    put(&sums::JUDGEMENT, &[&1, &AT, &1, &1, &0, &run(20)]);
    let none: Option<i64> = None;
    let point = "S1.110.171.P";
    put(
        &sums::EVENT,
        &[&1, &1, &17, &AT, &5, &AT, &(AT + 40), &point, &none, &2, &0, &1, &"ahead"],
    );
    put(&sums::LOST_EVENTS, &[&1, &1, &AT, &3, &none, &(AT + 40)]);
    put(&sums::COMMANDS_KEPT, &[&1, &1, &AT, &1]);
    let replies = vec!["4"; PollStats::default().replies.len()].join(" ");
    put(&sums::ASKED, &[&1, &AT, &(AT + 600_000), &1, &2, &3, &4, &5_000, &replies, &0]);
    put(&sums::LAYOUT, &[&1, &"110.171.P value\n"]);
    put(&sums::BLOCK, &[&1, &1, &1]);
    put(&sums::CHUNK, &[&1, &AT, &(AT + 4_000), &5, &chunk(5), &0]);
    let metering: [&dyn ToSql; 24] = [
        &"district",
        &"D1",
        &AT,
        &1,
        &10,
        &8,
        &7,
        &8,
        &8,
        &8,
        &300,
        &384,
        &0,
        &19_297,
        &19_294,
        &6,
        &8,
        &384,
        &300,
        &40,
        &20,
        &2,
        &1,
        &2,
    ];
    put(&sums::METERING, &metering);
    put(&sums::ENERGY, &[&"hand", &"S1", &"D1.rf", &AT, &1, &19_297, &500, &40, &20, &3, &9, &0]);
    let alarm: [&dyn ToSql; 12] =
        [&"S1", &"link", &"no_link", &AT, &1, &"A1 CC", &4, &(AT + 9), &none, &0, &0, &0];
    put(&sums::ALARM, &alarm);
    put(&sums::FORGOTTEN, &[&"values", &(AT - 1), &(AT - 2), &(AT - 1), &7, &"hand"]);
    put(&sums::CLOCK_JUMP, &[&1, &(AT + 600_000), &(AT + 700_000), &0, &3]);
}

/// Reads all that a report reads.
fn read_all(folder: &Path) -> Result<(), StoreError> {
    let reader = Reader::open(folder)?;
    let all = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    let path = ("S1", "A1");
    for session in reader.sessions()? {
        reader.contract(session.contract)?;
        reader.judgements(path, session.id, all, |_| {})?;
    }
    reader.events(all, |_| {})?;
    reader.lost_events(all)?;
    reader.losses(|_, _| {})?;
    reader.asked(path, all)?;
    reader.commands_kept(path, all)?;
    reader.metering(Timestamp(i64::MAX))?;
    reader.metering_changes(all, |_| {})?;
    reader.energy_counts(all.1, |_, _| {})?;
    reader.energy_changes(all, |_, _| {})?;
    reader.alarms(all, |_| {})?;
    for kind in super::super::Kept::ALL {
        reader.kept_from(kind)?;
    }
    reader.values::<StoreError>(("S1", "A1", "S1.110.171.P"), all, |_| Ok(()))
}

#[test]
fn what_is_whole_is_read() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let found = check(folder.path()).unwrap();
    assert_eq!((found.fault_count, found.unproven), (0, 0), "{:?}", found.faults);
    read_all(folder.path()).unwrap();
}

/// What no program of ours writes, and what a check says of it.
const CANNOT_BE: [(&str, &str); 79] = [
    ("session SET closed = 4 WHERE id = 1", "closed"),
    ("session SET from_ms = -9223372036854775808 WHERE id = 1", "from_ms"),
    ("session SET until_ms = 9223372036854775807 WHERE id = 2", "until_ms"),
    ("session SET from_ms = 0, until_ms = 253402300799999 WHERE id = 2", "longer"),
    ("session SET until_ms = from_ms - 1 WHERE id = 2", "ends before it begins"),
    ("session SET from_ms = from_ms - 300000 WHERE id = 2", "begins before"),
    ("session SET contract = 77 WHERE id = 2", "no contract"),
    ("judgement SET link = 9", "link"),
    ("judgement SET link = -1", "link"),
    ("judgement SET whole = 2", "whole"),
    ("judgement SET whole = 0", "does not say everything"),
    ("judgement SET session = 2", "outside its session"),
    ("judgement SET session = 3", "session"),
    ("judgement SET path = 3", "path"),
    ("judgement SET at_ms = at_ms - 1", "outside its session"),
    ("judgement SET runs = x'00'", "runs"),
    ("judgement SET runs = x'00ff7f0000'", "more points"),
    ("event SET unit = 256", "unit"),
    ("event SET unit = -1", "unit"),
    ("event SET number = 4294967296", "number"),
    ("event SET address = 65536", "address"),
    ("event SET at_ms = -1", "at_ms"),
    ("event SET arrived_ms = 9223372036854775807", "arrived_ms"),
    ("event SET before = 65536", "before"),
    ("event SET value = -1", "value"),
    ("event SET flags = 65536", "flags"),
    ("event SET synchronised = 2", "synchronised"),
    ("event SET doubt = 'perhaps'", "doubt"),
    ("event SET point = hex(zeroblob(4000))", "point"),
    ("lost_events SET count = 9223372036854775807", "count"),
    ("lost_events SET count = -1", "count"),
    ("lost_events SET after_ms = -1", "after_ms"),
    ("lost_events SET told_ms = -1", "told_ms"),
    ("commands_kept SET unit = 256", "unit"),
    ("commands_kept SET at_ms = -1", "at_ms"),
    ("commands_kept SET kept = 2", "kept"),
    ("asked SET no_reply = 9223372036854775807", "no_reply"),
    ("asked SET missed = -1", "missed"),
    ("asked SET longest_us = 4294967296", "longest_us"),
    ("asked SET replies = '1 2'", "round trips"),
    ("asked SET replies = replies || ' 1'", "round trips"),
    ("asked SET replies = '-' || replies", "round trips"),
    ("asked SET until_ms = from_ms - 1", "until_ms"),
    ("metering SET kind = 'moon'", "kind"),
    ("metering SET sells = 7", "sells"),
    ("metering SET remote = 11", "remote"),
    ("metering SET half_hours_have = -1", "half_hours_have"),
    ("metering SET day = -1", "day"),
    ("metering SET day = NULL", "final_day is of no day"),
    ("metering SET final_day = NULL", "final_day"),
    ("metering SET final_day = 65536", "final_day"),
    ("metering SET final_first_have = 9", "final_first_have"),
    ("metering SET followed = 359", "followed is less than its parts"),
    ("metering SET on_time = 1099511627777", "on_time"),
    ("metering SET late = -1", "late"),
    ("metering SET backfilled = NULL", "backfilled"),
    ("metering SET not_heard = 11", "not_heard is more than all"),
    ("metering SET final_not_heard = NULL", "final_not_heard"),
    ("metering SET uncounted = 3", "uncounted is more than the rest"),
    ("metering SET uncounted = NULL", "uncounted"),
    ("energy SET kind = 'steam'", "kind"),
    ("energy SET sells = 2", "sells"),
    ("energy SET day = -1", "day"),
    ("energy SET kwh = -1", "kwh"),
    ("energy SET meter_days = 9223372036854775807", "meter_days"),
    ("energy SET behind = 21", "behind"),
    ("energy SET unread_days = -1", "unread_days"),
    ("chunk SET rows = 6", "rows"),
    ("chunk SET until_ms = until_ms + 1", "times"),
    ("alarm SET reason = 'tired'", "tired"),
    ("alarm SET priority = 4", "priority"),
    ("alarm SET open = 2", "open"),
    ("alarm SET at_least = 2", "at_least"),
    ("forgotten SET kind = 'socks'", "socks"),
    ("forgotten SET last_by = 'moths'", "moths"),
    ("forgotten SET gone = -1", "gone"),
    ("forgotten SET rows_from_ms = -1", "rows_from_ms"),
    ("forgotten SET rows_from_ms = before_ms + 1", "is behind what is told"),
    ("clock_jump SET kind = 4", "kind 4"),
];

#[test]
fn what_cannot_be_is_named_though_its_checksum_is_right() {
    let first = tempfile::tempdir().unwrap();
    store(first.path());
    for (change, named) in CANNOT_BE {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(first.path().join(FILE), folder.path().join(FILE)).unwrap();
        let held = open_to_write(folder.path()).unwrap();
        held.connection.pragma_update(None, "foreign_keys", false).unwrap();
        assert_eq!(
            held.connection.execute(&format!("UPDATE {change}"), []).unwrap(),
            1,
            "{change}"
        );
        sums::begin(&held.connection).unwrap();
        sums::renew(&held.connection, &sums::CHUNK, ("true", &[])).unwrap();
        drop(held);
        let found = check(folder.path()).unwrap();
        assert!(found.faults.iter().any(|fault| fault.contains(named)), "{change}: {found:?}");
        assert!(
            !found.faults.iter().any(|fault| fault.contains("checksum")),
            "{change}: {found:?}"
        );
    }
}

#[test]
fn chunks_that_have_the_same_time_are_named() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let again = |epoch: i64| {
        let held = open_to_write(folder.path()).unwrap();
        let again = "INSERT INTO chunk (block, from_ms, until_ms, rows, data, epoch)
             SELECT block, from_ms, until_ms, rows, data, ?1 FROM chunk WHERE id = 1";
        held.connection.execute(again, [epoch]).unwrap();
        sums::renew(&held.connection, &sums::CHUNK, ("true", &[])).unwrap();
        drop(held);
        let faults = check(folder.path()).unwrap().faults;
        faults.iter().filter(|fault| fault.contains("one before it reaches to")).count()
    };
    assert_eq!(again(7), 0, "a clock that was set back lets a time come twice");
    assert_eq!(again(0), 1);
}

/// A byte of each column of each table is another one.
#[test]
fn a_row_that_is_not_what_was_written_is_named() {
    let first = tempfile::tempdir().unwrap();
    store(first.path());
    let columns =
        ALL.iter().flat_map(|of| of.columns.iter().map(move |column| (of.table, *column)));
    for (table, column) in columns {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(first.path().join(FILE), folder.path().join(FILE)).unwrap();
        let held = open_to_write(folder.path()).unwrap();
        held.connection.pragma_update(None, "foreign_keys", false).unwrap();
        let change = format!(
            "UPDATE OR IGNORE {table} SET {column} = CASE typeof({column}) WHEN 'text' THEN {column} || 'x'
                 WHEN 'blob' THEN CAST({column} || 'x' AS BLOB) ELSE coalesce({column}, 40) + 1 END"
        );
        held.connection.execute(&change, []).unwrap();
        let rows = held
            .connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        drop(held);
        let named = check(folder.path()).unwrap().faults;
        let is_named =
            named.iter().any(|fault| fault.starts_with(table) && fault.contains("checksum"));
        // The journal of this store has no row.
        assert!(is_named || rows.unwrap() == 0, "{table}.{column}: {named:?}");
    }
}

#[test]
fn rows_of_an_earlier_version_get_their_checksums_and_chunks_are_proven_by_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::copy(Path::new("../tests/stores/0.1.0/live").join(FILE), &file).unwrap();
    let old = check(folder.path()).unwrap();
    assert!(old.fault_count == 0 && old.unproven > 10, "{old:?}");
    drop(open_to_write(folder.path()).unwrap());
    let new = check(folder.path()).unwrap();
    assert_eq!((new.fault_count, new.unproven), (0, new.rows["chunk"] + new.rows["journal"]));
    let rows = Connection::open(&file).unwrap();
    rows.execute("UPDATE event SET value = value + 1", []).unwrap();
    let flipped = check(folder.path()).unwrap();
    assert_eq!(flipped.fault_count as u64, flipped.rows["event"]);
}

#[test]
fn every_channel_of_a_contract_has_points_those_of_plants_too() {
    let province = Province::built_in();
    assert!(province.stations.iter().any(|station| station.plant.is_some()));
    let paths = paths(&province);
    for channel in &province.channels {
        let station = &province.stations[channel.station.index()];
        let path = (station.id.clone(), province.centres[channel.centre.index()].id.clone());
        assert_eq!(paths.get(&path), Some(&station.points.len()), "{path:?}");
    }
    assert_eq!(paths.len(), province.channels.len());
}
