//! Stores of earlier versions answer the same for ever. Each folder of `tests/stores` has a store as that
//! version left it, and what it answered: `recorded` has two recorded days with a gap and a change of
//! contract between them, `live` a monitor that was killed, with values that were in no chunk yet.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gridwatch::store::{Reader, Writer, upkeep};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::cli::{gridwatch, json, stderr, stdout};

/// Rows of a table as `store export` tells them, by column name.
fn export(store: &str, table: &str) -> Vec<BTreeMap<String, String>> {
    let output = gridwatch(&["store", "export", table, "--store", store]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let mut rows = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    rows.deserialize().map(Result::unwrap).collect()
}

/// Milliseconds since 1970.
fn ms(text: &str) -> i64 {
    config::utc_instant(text).unwrap()
}

fn ms_or_none(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { ms(text).to_string() }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn verdicts(store: &str, out: &mut String) {
    let mut sums: BTreeMap<[String; 4], (u64, i64)> = BTreeMap::new();
    for row in export(store, "verdicts") {
        let key =
            ["centre", "verdict", "not_live", "is_right"].map(|c| or_none(&row[c]).to_owned());
        let sum = sums.entry(key).or_default();
        *sum = (sum.0 + 1, sum.1 + ms(&row["until"]) - ms(&row["since"]));
    }
    for (key, (count, ms)) in sums {
        writeln!(out, "verdicts {}: {count} intervals, {ms} ms", key.join(" ")).unwrap();
    }
}

fn events(store: &str, out: &mut String) {
    let mut digest = crc32fast::Hasher::new();
    let rows = export(store, "events");
    for row in &rows {
        let [time, source, arrived] =
            ["time", "source", "arrived"].map(|c| ms(&row[c]).to_string());
        let text = |column: &str| or_none(&row[column]).to_owned();
        let mut line = vec![time, text("station"), text("centre"), text("unit"), text("number")];
        line.extend([source, arrived]);
        let rest = ["address", "point", "before", "value", "flags", "synchronised", "doubt"];
        line.extend(rest.map(text));
        digest.update((line.join(" ") + "\n").as_bytes());
    }
    writeln!(out, "events: {}, crc {:08x}", rows.len(), digest.finalize()).unwrap();
}

fn values(store: &str, out: &mut String) {
    let mut centres: BTreeMap<String, (u64, crc32fast::Hasher)> = BTreeMap::new();
    for row in export(store, "values") {
        let (count, digest) = centres.entry(row["centre"].clone()).or_default();
        *count += 1;
        digest.update(&ms(&row["time"]).to_be_bytes());
        digest.update(row["point"].as_bytes());
        match row["value"].parse::<f64>() {
            Ok(value) => digest.update(&value.to_bits().to_be_bytes()),
            Err(_) => digest.update(row["problem"].as_bytes()),
        }
        match row["flags"].parse::<u16>() {
            Ok(flags) => digest.update(&flags.to_be_bytes()),
            Err(_) => digest.update(b"-"),
        }
    }
    for (centre, (count, digest)) in centres {
        writeln!(out, "values {centre}: {count}, crc {:08x}", digest.finalize()).unwrap();
    }
}

fn polling(store: &str, out: &mut String) {
    let mut centres: BTreeMap<String, ([u64; 5], u64)> = BTreeMap::new();
    for row in export(store, "asked") {
        let number = |column: &str| row[column].parse::<u64>().unwrap();
        let (sums, longest) = centres.entry(row["centre"].clone()).or_default();
        let counts = ["replies", "no_reply", "refused", "undecodable", "missed_slots"].map(number);
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
        *longest = (*longest).max(number("longest_us"));
    }
    for (centre, ([replies, no_reply, refused, undecodable, missed], longest)) in centres {
        writeln!(
            out,
            "polling {centre}: {replies} replies, {no_reply} no reply, {refused} refused, \
             {undecodable} undecodable, {missed} missed, longest {longest} us"
        )
        .unwrap();
    }
}

fn metering(store: &str, out: &mut String) {
    for row in export(store, "metering") {
        let share = |name: &str| {
            format!("{}/{}", row[&format!("{name}_have")], row[&format!("{name}_want")])
        };
        let sells = if row["sells"] == "true" { "sells" } else { "sells nothing" };
        writeln!(
            out,
            "metering {} {} {} {sells}: {}/{}, first pass {}, final {}, half hours {}",
            ms(&row["time"]),
            row["kind"],
            row["id"],
            row["remote"],
            row["meters"],
            share("first_pass"),
            share("final_pass"),
            share("half_hours")
        )
        .unwrap();
    }
}

fn alarms(store: &str, out: &mut String) {
    for row in export(store, "alarms") {
        let is_open = if row["is_open"] == "true" { "open" } else { "over" };
        writeln!(
            out,
            "alarm {} {} {} {} P{}: {} signals, {}, returned {}, acknowledged {}, {is_open}",
            ms(&row["raised"]),
            row["station"],
            row["cause"],
            row["reason"],
            row["priority"],
            row["signals"],
            row["centres"],
            ms_or_none(&row["returned"]),
            ms_or_none(&row["acknowledged"])
        )
        .unwrap();
    }
}

/// Counts of each station at each centre at a moment, in local time.
fn show(store: &str, at: &str, out: &mut String) {
    let output = gridwatch(&["show", "--store", store, "--at", at, "--json", "--lang", "en"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = json(&output);
    for station in said["stations"].as_array().unwrap() {
        for centre in station["centres"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let reasons = centre["reasons"].as_array().unwrap().iter();
            let reasons: Vec<String> =
                reasons.map(|r| format!("{} {}", text(&r["reason"]), r["count"])).collect();
            writeln!(
                out,
                "at {at} {} {}: {}, {}, required {}, missing {}, untested {}, live {}/{}: {}",
                text(&station["id"]),
                text(&centre["id"]),
                text(&centre["link"]),
                text(&centre["full"]),
                centre["required"],
                centre["missing"],
                centre["untested"],
                centre["live"]["have"],
                centre["live"]["want"],
                reasons.join(", ")
            )
            .unwrap();
        }
    }
}

/// Times of each centre over some days.
fn report(store: &str, (from, to): (&str, &str), out: &mut String) {
    let file = Path::new(store).join("report.json");
    let path = file.to_str().unwrap();
    let output = gridwatch(&[
        "report", "--store", store, "--from", from, "--to", to, "--out", path, "--lang", "en",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for row in said["sheets"]["summary"]["tables"]["centres"]["rows"].as_array().unwrap() {
        writeln!(
            out,
            "report {}: required {}, missing {}, untested {}, live {}/{} ms, watched {}/{} ms",
            row["centre"].as_str().unwrap(),
            row["required"],
            row["missing"],
            row["untested"],
            row["live"]["have_ms"],
            row["live"]["want_ms"],
            row["observed"]["have_ms"],
            row["observed"]["want_ms"]
        )
        .unwrap();
    }
}

/// What a store of a version answers; its own answers stand beside it. Returns a copy of it.
fn of(name: &str, moments: &[&str], days: (&str, &str)) -> TempDir {
    let folder = Path::new("tests/stores").join(name);
    let copy = tempdir().unwrap();
    std::fs::copy(folder.join("gridwatch.db"), copy.path().join("gridwatch.db")).unwrap();
    let store = copy.path().to_str().unwrap();
    let check = gridwatch(&["store", "check", "--store", store, "--lang", "en"]);
    assert!(check.status.success() && stdout(&check).contains("whole"), "{}", stdout(&check));
    let mut answers = String::new();
    for tell in [verdicts, events, values, polling, metering, alarms] {
        tell(store, &mut answers);
    }
    for at in moments {
        show(store, at, &mut answers);
    }
    report(store, days, &mut answers);
    let expected = std::fs::read_to_string(folder.join("answers.txt")).unwrap();
    let (told, were): (Vec<&str>, Vec<&str>) =
        (answers.lines().collect(), expected.lines().collect());
    for (now, then) in told.iter().zip(&were) {
        assert_eq!(now, then);
    }
    assert_eq!(told.len(), were.len());
    copy
}

#[test]
fn recorded_days_of_0_1_0_answer_the_same_for_ever() {
    let moments = ["2022-11-01 04:30:00", "2022-11-01 08:30:00", "2022-11-03 13:10:00"];
    of("0.1.0/recorded", &moments, ("2022-11-01", "2022-11-03"));
}

#[test]
fn a_killed_monitor_of_0_1_0_answers_the_same_for_ever() {
    of("0.1.0/live", &["2026-11-29 08:01:20"], ("2026-11-29", "2026-11-29"));
}

#[test]
fn values_that_version_4_had_not_sealed_yet_are_made_chunks_of_by_who_writes() {
    let copy = of("4/live", &["2026-11-30 22:24:15"], ("2026-11-30", "2026-11-30"));
    let store = copy.path().to_str().unwrap();
    let told = || {
        let mut told = String::new();
        values(store, &mut told);
        told
    };
    let before = told();
    let contract = Reader::open(copy.path()).unwrap().contract(1).unwrap();
    assert_ne!(upkeep::check(copy.path()).unwrap().rows["journal"], 0);
    Writer::open(copy.path(), &contract.province).unwrap().close().unwrap();
    let found = upkeep::check(copy.path()).unwrap();
    assert_eq!((found.fault_count, found.rows["journal"]), (0, 0), "{:?}", found.faults);
    assert_eq!(told(), before);
}
