//! The forms that are filed: what of them is known, and that no spreadsheet reads a cell as another.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Flags, Province, commands};
use gridwatch::clock::{DAY_MS, Timestamp};
use gridwatch::historian::events::{Change, EventEntry, Happening, RecordGap, TimeDoubt};
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::recording::stretched;
use gridwatch::store::{Batch, CommandsKept, Reader, Writer};
use serde_json::{Value, json};
use sim::Scenario;
use tempfile::tempdir;

use crate::cli::{gridwatch, stderr};
use crate::keeping;

const CONFIG: &str = "config/small.toml";
/// 2022-11-07 00:00 in local time.
const START: i64 = 1_667_754_000_000;

fn province() -> Arc<Province> {
    Arc::new(Province::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIG)).unwrap())
}

/// Everything good at every channel from the start on.
fn judgements(province: &Province) -> Vec<Judgement> {
    let good = |n: usize| {
        let points = province.stations[province.channels[n].station.index()].points.len();
        let runs = vec![Run {
            first: 0,
            count: u32::try_from(points).unwrap(),
            state: VerdictState::from_bits(0).unwrap(),
        }];
        let (channel, at, link) = (ChannelId::at(n), Timestamp(START), LinkState::Connected);
        Judgement { channel, at, link, whole: true, runs }
    };
    (0..province.channels.len()).map(good).collect()
}

/// Breakers with commands of the first station at the first centre: place of the command, unit, level.
fn breakers(province: &Province) -> Vec<(usize, u8, u16)> {
    let station = &province.stations[0];
    let entries = province.channels[0].entries.iter().zip(&station.points).enumerate();
    let breakers = entries.filter(|(_, (_, point))| point.spec.id == "CB.CMD");
    breakers
        .filter_map(|(n, (entry, point))| {
            Some((n, entry.register?.unit, station.bays[point.bay].level))
        })
        .collect()
}

/// A store of an hour; with what units say of their commands, and how commands of breakers ended.
fn store(folder: &Path, keeps: bool, ended: &[(usize, u16)]) {
    store_with(folder, keeps, ended, None);
}

/// The same, where records of a unit of the first station never came.
fn store_with(folder: &Path, keeps: bool, ended: &[(usize, u16)], lost: Option<(u8, RecordGap)>) {
    let province = province();
    store_of(folder, judgements(&province), (keeps, ended, DAY_MS), lost);
}

/// The same, with what was judged.
fn store_of(
    folder: &Path,
    judgements: Vec<Judgement>,
    (keeps, ended, watched_ms): (bool, &[(usize, u16)], i64),
    lost: Option<(u8, RecordGap)>,
) {
    let province = province();
    let breakers = breakers(&province);
    let events = ended.iter().zip(1..).map(|((breaker, result), number)| {
        let (point, unit, _) = breakers[*breaker];
        let at = Timestamp(START + 60_000 * i64::from(number));
        let change = Change {
            number,
            address: 0,
            point: Some(config::PointId::at(point)),
            before: None,
            value: result | 1 << commands::SHIFTS.0,
            source: at,
            flags: Flags::GOOD,
            synchronised: true,
            doubt: None,
        };
        let what = Happening::Change(change);
        EventEntry { channel: ChannelId::at(0), unit, at, order: 0, arrived: at, what }
    });
    let lost = lost.map(|(unit, gap)| {
        let (at, what) = (Timestamp(START + 1_800_000), Happening::Lost(gap));
        EventEntry { channel: ChannelId::at(0), unit, at, order: 0, arrived: at, what }
    });
    let units = province.channels.iter().enumerate().flat_map(|(n, channel)| {
        let station = &province.stations[channel.station.index()];
        let kept = |unit: &config::Device| CommandsKept {
            channel: ChannelId::at(n),
            unit: unit.id,
            kept: true,
        };
        station.units.iter().map(kept).collect::<Vec<_>>()
    });
    let batch = Batch {
        judgements,
        events: events.chain(lost).collect(),
        commands: if keeps { units.collect() } else { Vec::new() },
        ..Batch::empty(true, Timestamp(START + watched_ms))
    };
    let mut writer = Writer::open(folder, &province).unwrap();
    writer.commit(&batch).unwrap();
    writer.close().unwrap();
}

fn report(store: &Path, name: &str, more: &[&str]) -> std::path::PathBuf {
    let out = store.join(name);
    let args = [
        "report",
        CONFIG,
        "--store",
        store.to_str().unwrap(),
        "--from",
        "2022-11-07",
        "--lang",
        "vi",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = gridwatch(&[&args[..], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    out
}

fn sheet(store: &Path, id: &str) -> Value {
    let file = report(store, "r.json", &["--issued", "2022-12-02"]);
    let mut said: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    said["sheets"][id].take()
}

#[test]
fn remote_operations_are_counted_where_units_record_them_and_are_not_known_elsewhere() {
    let folder = tempdir().unwrap();
    let ended = [(0, 1), (0, 2), (0, 3), (0, 24), (1, 3), (1, 4), (1, 40), (1, 24)];
    store(folder.path(), true, &ended);
    let form = sheet(folder.path(), "bm21");
    let row = &form["tables"]["bm21"]["rows"][0];
    let levels = breakers(&province());
    let mut counts: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for (breaker, result) in ended.iter().filter(|(_, result)| *result == 3 || *result >= 10) {
        let count = counts.entry(levels[*breaker].2).or_default();
        count.0 += 1;
        count.1 += u64::from(*result != 3);
    }
    assert_eq!(counts.values().map(|count| count.0).sum::<u64>(), 5);
    for (level, (all, failed)) in counts {
        assert_eq!(row[format!("operations_{level}kv")], all, "{row}");
        assert_eq!(row[format!("failed_{level}kv")], failed, "{row}");
    }
    assert_eq!(row["cause"], "liên động (2); thiết bị không thực hiện (1)");
    assert_eq!(row["lost_now"], 0);
    // The second station has none: that is known, too.
    assert_eq!(form["tables"]["bm21"]["rows"][1]["operations_22kv"], 0);

    let other = tempdir().unwrap();
    store(other.path(), false, &ended);
    let form = sheet(other.path(), "bm21");
    let row = &form["tables"]["bm21"]["rows"][0];
    for column in ["operations_22kv", "failed_22kv", "operations_110kv", "cause"] {
        assert_eq!(row[column], json!({ "known": false }), "never a zero");
    }
}

#[test]
fn what_a_unit_tells_again_under_other_numbers_is_counted_once() {
    let folder = tempdir().unwrap();
    let province = province();
    let ended = (true, &[(0, 3), (0, 24)][..], 3_600_000);
    store_of(folder.path(), judgements(&province), ended, None);
    let (point, unit, level) = breakers(&province)[0];
    let kept = province.channels.iter().enumerate().flat_map(|(n, channel)| {
        let station = &province.stations[channel.station.index()];
        let channel = ChannelId::at(n);
        let kept = move |unit: &config::Device| CommandsKept { channel, unit: unit.id, kept: true };
        station.units.iter().map(kept).collect::<Vec<_>>()
    });
    let kept: Vec<_> = kept.collect();
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    // Six more times the ring is read from its beginning, with other numbers each time, and then one comes that is new.
    for n in 1..=7_i64 {
        let until = Timestamp(START + 3_600_000 + n * 20_000);
        let told = [(60_000, 3), (120_000, 24)].map(|(ms, result)| (START + ms, result));
        let told = if n < 7 { told.to_vec() } else { vec![(until.0, 3)] };
        let events = told.iter().zip(1_u32..).map(|((source, result), place)| {
            let change = Change {
                number: u32::try_from(n).unwrap() * 10 + place,
                address: 0,
                point: Some(config::PointId::at(point)),
                before: None,
                value: result | 1 << commands::SHIFTS.0,
                source: Timestamp(*source),
                flags: Flags::GOOD,
                synchronised: true,
                doubt: (n == 3).then_some(TimeDoubt::Behind),
            };
            let at = if n == 3 { until } else { Timestamp(*source) };
            let what = Happening::Change(change);
            EventEntry { channel: ChannelId::at(0), unit, at, order: 0, arrived: until, what }
        });
        let judged = judgements(&province).into_iter();
        let judged = judged.map(|judgement| Judgement { at: until, ..judgement });
        let batch = Batch {
            judgements: if n == 1 { judged.collect() } else { Vec::new() },
            events: events.collect(),
            commands: kept.clone(),
            ..Batch::empty(n == 1, until)
        };
        writer.commit(&batch).unwrap();
    }
    writer.close().unwrap();
    let form = sheet(folder.path(), "bm21");
    let row = &form["tables"]["bm21"]["rows"][0];
    assert_eq!(row[format!("failed_{level}kv")], 1, "{row}");
    assert_eq!(row[format!("operations_{level}kv")], 3, "{row}");
    // An hour of a day was watched: that there was none is not said, and the form says from when it is.
    let none = &form["tables"]["bm21"]["rows"][1]["operations_22kv"];
    assert_eq!(*none, json!({ "known": false }), "{form}");
    for id in ["bm21", "bm_5a"] {
        let form = sheet(folder.path(), id).to_string();
        for note in ["Chỉ 4,31 %", "lúc theo dõi cuối cùng, 07/11/2022 01:02:20"] {
            assert!(form.contains(note), "{note}: {form}");
        }
    }
    let events = sheet(folder.path(), "events").to_string();
    assert!(events.contains("Bản ghi nhận được: 3; bản ghi bị mất: 0."), "{events}");
}

#[test]
fn a_selection_that_became_too_old_says_whether_the_link_was_lost_meanwhile() {
    let folder = tempdir().unwrap();
    // One a minute. The link is lost within the 30 s of the second one, before those of the third and until
    // within them, and at the other centre over the fourth.
    let ended = [(0, 11), (0, 11), (1, 11), (1, 11), (1, 24)];
    let minute = 60_000;
    let turns = [
        (0, 2 * minute - 1, LinkState::Lost),
        (0, 2 * minute + 1, LinkState::Connected),
        (0, 3 * minute - 31_000, LinkState::Lost),
        (0, 3 * minute - 29_000, LinkState::Connected),
        (1, 4 * minute - 40_000, LinkState::Lost),
    ];
    let province = province();
    let mut all = judgements(&province);
    for (channel, ms, link) in turns {
        let (channel, at) = (ChannelId::at(channel), Timestamp(START + ms));
        all.push(Judgement { channel, at, link, whole: false, runs: Vec::new() });
    }
    store_of(folder.path(), all, (true, &ended, DAY_MS), None);
    let form = sheet(folder.path(), "bm21");
    assert_eq!(
        form["tables"]["bm21"]["rows"][0]["cause"],
        "quá thời gian chọn (2); quá thời gian chọn, mất kết nối (2); liên động (1)"
    );
}

#[test]
fn remote_operations_are_not_known_where_records_of_them_were_lost() {
    let folder = tempdir().unwrap();
    let unit = breakers(&province())[0].1;
    let gap = RecordGap { count: 2, after: None, before: None };
    store_with(folder.path(), true, &[(0, 3)], Some((unit, gap)));
    let form = sheet(folder.path(), "bm21");
    let rows = &form["tables"]["bm21"]["rows"];
    assert_eq!(rows[0]["operations_22kv"], json!({ "known": false }), "{}", rows[0]);
    assert_eq!(rows[1]["operations_22kv"], 0, "nothing was lost of the other station");
}

#[test]
fn lost_records_are_missing_from_every_window_that_they_may_be_of() {
    const HOUR: i64 = 3_600_000;
    // The record before them, if one came, and when they were told, hours from the first midnight; and of which
    // of three days operations are then not known.
    for (after, told, unknown) in [
        (Some(20), 49, [true, true, true]),
        (Some(25), 49, [false, true, true]),
        (Some(26), 30, [false, true, false]),
        (Some(20), 24, [true, true, false]),
        // Nothing came before in the session: not before somebody had watched before, up to the second midnight.
        (None, 36, [false, true, false]),
    ] {
        let folder = tempdir().unwrap();
        let province = province();
        let unit = breakers(&province)[0].1;
        let kept = |province: &Province| -> Vec<CommandsKept> {
            let units = province.channels.iter().enumerate().flat_map(|(n, channel)| {
                let station = &province.stations[channel.station.index()];
                let kept = move |unit: &config::Device| CommandsKept {
                    channel: ChannelId::at(n),
                    unit: unit.id,
                    kept: true,
                };
                station.units.iter().map(kept).collect::<Vec<_>>()
            });
            units.collect()
        };
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        for hour in [0_i64, 12, 24, 36, 48, 60, 72] {
            // The second session begins at noon of the second day; nobody watched for twelve hours before.
            let begins = hour == 0 || (after.is_none() && hour == 36);
            let at = Timestamp(START + hour * HOUR);
            let judged = judgements(&province).into_iter().map(|judgement| {
                let whole = begins;
                Judgement { at, whole, ..judgement }
            });
            let gaps = Some(told).filter(|told| *told > hour - 12 && *told <= hour);
            let events = gaps.map(|told| {
                let after = after.map(|hour| Timestamp(START + hour * HOUR));
                let what = Happening::Lost(RecordGap { count: 2, after, before: None });
                let at = Timestamp(START + told * HOUR);
                EventEntry { channel: ChannelId::at(0), unit, at, order: 0, arrived: at, what }
            });
            writer
                .commit(&Batch {
                    judgements: if begins { judged.collect() } else { Vec::new() },
                    events: events.into_iter().collect(),
                    commands: kept(&province),
                    ..Batch::empty(begins, at)
                })
                .unwrap();
        }
        writer.close().unwrap();
        for (day, is_unknown) in ["2022-11-07", "2022-11-08", "2022-11-09"].iter().zip(unknown) {
            let out = folder.path().join("r.json");
            let store = folder.path().to_str().unwrap();
            let output = gridwatch(&[
                "report",
                CONFIG,
                "--store",
                store,
                "--from",
                day,
                "--to",
                day,
                "--out",
                out.to_str().unwrap(),
            ]);
            assert!(output.status.success(), "{}", stderr(&output));
            let said: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
            let row = &said["sheets"]["bm21"]["tables"]["bm21"]["rows"][0];
            let expected = if is_unknown { json!({ "known": false }) } else { json!(0) };
            assert_eq!(row["operations_22kv"], expected, "{after:?} {told} {day}");
        }
    }
}

#[test]
fn a_form_has_what_the_contract_names_and_leaves_the_rest_open() {
    let folder = tempdir().unwrap();
    store(folder.path(), true, &[]);
    let form = sheet(folder.path(), "bm_5a");
    assert_eq!(form["form"]["company"], Value::Null, "this contract names none");
    assert_eq!(form["form"]["number"], "BM_5a");
    assert_eq!(form["form"]["date"], "2022-12-02");
    assert_eq!(form["form"]["signatures"], json!(["Người lập", "Trưởng đơn vị"]));
    let rows = form["tables"]["bm_5a"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), province().stations.len(), "a row for a station, with every centre");
    for centre in &province().centres {
        let id = centre.id.to_lowercase();
        assert!(rows[0].get(format!("signals_{id}")).is_some(), "{}", rows[0]);
        assert_eq!(rows[0][format!("link_{id}")]["text"], "đang kết nối");
    }
    let page = std::fs::read_to_string(report(folder.path(), "r.html", &[])).unwrap();
    assert!(page.contains("………………………, ngày …… tháng …… năm ………"), "nothing is invented");
    assert!(page.contains("(Ký, ghi rõ họ tên)"));
}

#[test]
fn no_spreadsheet_reads_a_field_as_another_and_heads_have_units() {
    let folder = tempdir().unwrap();
    store(folder.path(), true, &[(0, 3)]);
    for (style, delimiter) in [("rfc", b','), ("excel-vi", b';')] {
        let index = report(folder.path(), "r.csv", &["--csv", style]);
        let mut files = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "csv") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let mut rows = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(&bytes[3..]);
            if style == "rfc" && path.ends_with("r-channels.csv") {
                let heads: Vec<String> =
                    rows.headers().unwrap().iter().map(str::to_owned).collect();
                for head in ["lost_s", "longest_s", "p50_ms", "max_ms", "available_have_s"] {
                    assert!(heads.iter().any(|own| own == head), "{head}: {heads:?}");
                }
            }
            for field in rows
                .records()
                .flat_map(|row| row.unwrap().iter().map(str::to_lowercase).collect::<Vec<_>>())
            {
                assert!(
                    !["đúng", "sai", "true", "false"].contains(&field.trim()),
                    "{path:?}: {field}"
                );
            }
            files += 1;
        }
        let listed = std::fs::read_to_string(&index).unwrap();
        assert_eq!(listed.matches("r-").count() + 1, files, "the index lists every file");
    }
}

/// A store of five minutes with alarms, values and interruptions, and one of the same day in which nothing happened.
fn full_and_empty(full: &Path, empty: &Path) {
    let text = std::fs::read_to_string(CONFIG).unwrap();
    let province = Arc::new(stretched(Province::parse(CONFIG, &text).unwrap(), 10.0));
    let faults = "[[fault]]\nkind = \"T07\"\ntarget = \"S1.110.171\"\nat = \"60s\"\nfor = \"60s\"\n\
                  [[plant]]\ndo = \"strike\"\nbay = \"S1.22.471\"\nat = \"40s\"\n";
    let scenario = Scenario::parse(&province, "scenario.toml", faults).unwrap();
    let from = Timestamp(START + 3_600_000);
    keeping::record(full, &province, scenario, (from, from.plus(300_000)), 30_000);
    store(empty, false, &[]);
}

/// Heads of every file of a report, and how many rows it has.
fn heads(store: &Path, style: &str, delimiter: u8) -> BTreeMap<String, (Vec<String>, usize)> {
    report(store, "h.csv", &["--csv", style]);
    let mut heads = BTreeMap::new();
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(table) = name.strip_prefix("h-") else { continue };
        let mut rows = csv::ReaderBuilder::new().delimiter(delimiter).from_path(&path).unwrap();
        let own = rows.headers().unwrap().iter().map(str::to_owned).collect();
        // The reader refuses rows of another length than that of the heads.
        let count = rows.records().map(Result::unwrap).count();
        heads.insert(table.to_owned(), (own, count));
    }
    heads
}

#[test]
fn every_table_has_the_same_columns_in_a_full_window_and_in_an_empty_one() {
    let [full, empty] = [tempdir().unwrap(), tempdir().unwrap()];
    full_and_empty(full.path(), empty.path());
    for (style, delimiter) in [("rfc", b','), ("excel-vi", b';')] {
        let [of_full, of_empty] = [&full, &empty].map(|own| heads(own.path(), style, delimiter));
        let mut emptied = Vec::new();
        for (table, (heads, rows)) in &of_full {
            let Some((others, left)) = of_empty.get(table) else { continue };
            assert_eq!(heads, others, "{table}");
            if *rows > 0 && *left == 0 {
                emptied.push(&table[..]);
            }
        }
        assert!(emptied.contains(&"causes.csv"), "{emptied:?} have rows in one of them alone");
        assert!(of_full.len() > 20, "{}", of_full.len());
    }
}

#[test]
fn a_report_of_a_day_says_when_its_reading_is_known() {
    let [full, empty] = [tempdir().unwrap(), tempdir().unwrap()];
    full_and_empty(full.path(), empty.path());
    let said = sheet(full.path(), "metering");
    let reading = &said["tables"]["daily_reading"];
    assert_eq!(reading["total"]["days"]["have"], 0, "{reading}");
    let notes = said["notes"].as_array().unwrap();
    assert!(
        notes.iter().any(|note| note.as_str().unwrap().contains("06:00 ngày hôm sau")),
        "{notes:?}"
    );
}

#[test]
fn alarms_are_counted_and_their_share_stands_apart() {
    let [full, empty] = [tempdir().unwrap(), tempdir().unwrap()];
    full_and_empty(full.path(), empty.path());
    let mut all = 0;
    for (folder, is_full) in [(&full, true), (&empty, false)] {
        let said = sheet(folder.path(), "alarms");
        let rows = said["tables"]["priorities"]["rows"].as_array().unwrap();
        let count = |row: &Value| row["raised"].as_u64().unwrap();
        let sum: u64 = rows.iter().map(count).sum();
        assert_eq!(sum > 0, is_full, "{rows:?}");
        for row in rows {
            assert_eq!(row["of_all"], json!({ "have": count(row), "want": sum }));
        }
        let causes = said["tables"]["causes"]["rows"].as_array().unwrap();
        assert_eq!(causes.iter().map(count).sum::<u64>(), sum, "fewer than ten causes");
        all += sum;
    }
    let (reader, mut kept) = (Reader::open(full.path()).unwrap(), 0);
    reader.alarms((Timestamp(START), Timestamp(START + 86_400_000)), |_| kept += 1).unwrap();
    assert_eq!(kept, all);
}

/// Columns that only name a row.
const NAMES: &str = "station name centre id number bay template signal signal_name point feeder bus nominal plant level \
                     code kind side place remark";

/// `operations_22kv` as `operations_LEVELkv`, `link_a1` as `link_CENTRE`.
fn written(column: &str) -> String {
    match column.split_once('_') {
        Some((what @ ("signals" | "link"), _)) => format!("{what}_CENTRE"),
        Some((what @ ("operations" | "failed"), _)) => format!("{what}_LEVELkv"),
        _ => column.to_owned(),
    }
}

#[test]
fn the_list_of_what_each_figure_means_has_every_column_of_every_table() {
    let folder = tempdir().unwrap();
    store(folder.path(), true, &[]);
    let file = report(folder.path(), "all.json", &[]);
    let said: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = include_str!("../docs/history.md");
    let (_, list) = text.split_once("## What each figure means").unwrap();
    let (list, _) = list.split_once("\n## ").unwrap();
    // A row: the sheet with its tables, the columns, the figure, its source, what makes it not known.
    let rows: Vec<Vec<&str>> = list
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect();
    let words = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut tables = 0;
    for (sheet, told) in said["sheets"].as_object().unwrap() {
        for (table, told) in told["tables"].as_object().unwrap() {
            let own = rows.iter().filter(|row| words(row[0]).contains(table));
            let explained: Vec<String> = own.flat_map(|row| words(row[1])).collect();
            for column in told["columns"].as_array().unwrap() {
                let column = written(column["id"].as_str().unwrap());
                let is_told =
                    explained.contains(&column) || NAMES.split(' ').any(|name| name == column);
                assert!(is_told, "{sheet}: column {column} of {table}");
            }
            tables += 1;
        }
    }
    assert!(tables > 20, "{tables}");
    // And nothing is explained that is in no table: of rows whose tables are all in this report.
    let told = || said["sheets"].as_object().unwrap().values();
    let all: Vec<(&String, &Value)> =
        told().flat_map(|sheet| sheet["tables"].as_object().unwrap()).collect();
    let is_there = |id: &String| all.iter().any(|(table, _)| *table == id);
    let mut explained = 0;
    for row in rows.iter().skip(1).filter(|row| words(row[0]).iter().all(is_there)) {
        let own = words(row[0]);
        let tables = all.iter().filter(|(table, _)| own.contains(table));
        let columns = tables.flat_map(|(_, table)| table["columns"].as_array().unwrap());
        let known: Vec<String> =
            columns.map(|column| written(column["id"].as_str().unwrap())).collect();
        for column in words(row[1]) {
            assert!(known.contains(&column), "{column} is in none of {own:?}");
            explained += 1;
        }
    }
    assert!(explained > 80, "{explained}");
}

#[test]
fn every_priority_a_signal_that_was_lost_is_named_with_how_long() {
    let folder = tempdir().unwrap();
    let province = province();
    let mut all = judgements(&province);
    // Each station is lost at its first centre in the last half hour, and one breaker ten minutes before.
    let old = VerdictState::from_bits(0x77).unwrap();
    let points = &province.stations[0].points;
    let breaker = points.iter().position(|point| point.spec.id == "CB.POS").unwrap();
    let breaker = u32::try_from(breaker).unwrap();
    let run = Run { first: breaker, count: 1, state: old };
    let (at, link) = (Timestamp(START + 1_200_000), LinkState::Connected);
    all.push(Judgement { channel: ChannelId::at(0), at, link, whole: false, runs: vec![run] });
    let count = u32::try_from(province.stations[0].points.len()).unwrap();
    let (at, link) = (Timestamp(START + 1_800_000), LinkState::Lost);
    let runs = vec![Run { first: 0, count, state: old }];
    all.push(Judgement { channel: ChannelId::at(0), at, link, whole: false, runs });
    store_of(folder.path(), all, (true, &[], 3_600_000), None);

    let station = &province.stations[0];
    assert_eq!(station.in_charge, province.channels[0].centre, "the first centre is in charge");
    let entries = station.points.iter().zip(&province.channels[0].entries).enumerate();
    let needed = entries.filter(|(_, (point, entry))| {
        point.spec.priority_a && entry.required && entry.excluded.is_none()
    });
    let mut wanted: BTreeMap<(String, String), i64> = BTreeMap::new();
    for (n, (point, _)) in needed {
        let minutes = if n == breaker as usize { 40 } else { 30 };
        let bay = station.bays[point.bay].name.clone();
        wanted.insert((bay, point.spec.id.clone()), minutes * 60_000);
    }
    let missing = sheet(folder.path(), "missing");
    let mut told = BTreeMap::new();
    for row in missing["tables"]["priority_a"]["rows"].as_array().unwrap() {
        let names = row["signals"].as_str().unwrap().split(", ");
        for name in names.clone() {
            let bay = row["bay"].as_str().unwrap().to_owned();
            told.insert((bay, name.to_owned()), row["not_live"].as_i64().unwrap());
        }
        assert_eq!(row["count"], names.count());
    }
    assert_eq!(told, wanted);
    let stations = sheet(folder.path(), "stations");
    let named = stations["tables"]["stations"]["rows"][0]["a_lost"].as_str().unwrap().to_owned();
    let more = wanted.len() - 5;
    assert!(
        named.ends_with(&format!("và {more} tín hiệu nữa: xem trang Tín hiệu thiếu")),
        "{named}"
    );

    // What was never in the database is told with the word of the screens.
    let absent = missing["tables"]["missing"]["rows"].as_array().unwrap();
    assert!(absent.iter().all(|row| !row["since"].is_null()), "{absent:?}");
}

#[test]
fn each_form_stands_on_the_width_of_a_page_in_both_languages() {
    // The province with the most voltage levels.
    let folder = tempdir().unwrap();
    let province = Arc::new(Province::built_in());
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let batch = Batch {
        judgements: judgements(&province),
        ..Batch::empty(true, Timestamp(START + 3_600_000))
    };
    writer.commit(&batch).unwrap();
    writer.close().unwrap();
    for lang in ["vi", "en"] {
        let out = folder.path().join("r.html");
        let (store, file) = (folder.path().to_str().unwrap(), out.to_str().unwrap());
        let days = ["report", "--store", store, "--from", "2022-11-07", "--lang", lang];
        let output = gridwatch(&[&days[..], &["--out", file]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let page = std::fs::read_to_string(&out).unwrap();
        for form in ["bm_5a", "bm21"] {
            assert!(page.contains(&format!("id=\"table-{form}\"")), "{lang} {form}");
            assert!(!page.contains(&format!("id=\"table-{form}-2\"")), "{lang} {form} in parts");
        }
    }
}
