//! Local time from the province file to the report: days of 23 and 25 hours, zones of half an hour, and a change of
//! zone in the middle of a store.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::cli::{gridwatch, stderr, stdout};

const HOUR_MS: i64 = 3_600_000;
/// A little more than lies between two values of a point that is read every five minutes.
const SCAN_MS: i64 = 330_000;
/// Such a point.
const POINT: &str = "S1.110.171.CB.OPS";

/// The small province by another clock, and a store of it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Records days of it, counters and verdicts.
    fn record(&self, clock: &str, from: &str, days: &str) {
        let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
        let text = std::fs::read_to_string(small).unwrap();
        let is_clock = |line: &str| line.starts_with("utc_offset_hours");
        let lines: Vec<&str> =
            text.lines().map(|line| if is_clock(line) { clock } else { line }).collect();
        let file = self.path("province.toml");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let store = self.path("store");
        let args = ["simulate", &file, "--record", &store, "--from", from, "--days", days];
        let output = gridwatch(&[&args[..], &["--counters"]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }

    fn run(&self, args: &[&str]) -> Output {
        gridwatch(&[args, &["--store", &self.path("store")]].concat())
    }

    fn report(&self, args: &[&str]) -> Value {
        let out = self.path("report.json");
        let output = self.run(&[&["report", "--lang", "en", "--out", &out], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
    }

    /// Rows of a table of the store within local days.
    fn exported(&self, table: &str, more: &[&str]) -> Vec<csv::StringRecord> {
        let output = self.run(&[&["store", "export", table], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let rows = stdout(&output);
        csv::Reader::from_reader(rows.as_bytes()).records().map(Result::unwrap).collect()
    }

    /// Values that are read every five minutes are there from one instant up to another, and no others.
    fn has_values(&self, days: &[&str], from: &str, to: &str) {
        let rows = self.exported("values", &[&["--point", POINT, "--centre", "CC"], days].concat());
        let times = rows.iter().map(|row| config::utc_instant(&row[0]).unwrap());
        let [from, to] = [from, to].map(|at| config::utc_instant(at).unwrap());
        let (first, last) = (times.clone().min().unwrap(), times.max().unwrap());
        assert!((from..from + SCAN_MS).contains(&first), "{days:?}: {}", config::utc_text(first));
        assert!((to - SCAN_MS..to).contains(&last), "{days:?}: {}", config::utc_text(last));
    }
}

fn rows<'a>(report: &'a Value, sheet: &str, table: &str) -> &'a [Value] {
    let table = &report["sheets"][sheet]["tables"][table];
    table["rows"].as_array().unwrap_or_else(|| panic!("{sheet} {table:.300}"))
}

fn ms(share: &Value) -> (i64, i64) {
    (share["have_ms"].as_i64().unwrap(), share["want_ms"].as_i64().unwrap())
}

/// Figures of the first centre: what there is to see of an hour, and of a whole report.
fn live(report: &Value) -> (i64, i64) {
    ms(&rows(report, "summary", "centres")[0]["live_of_all"])
}

/// The days round one on which clocks are set: of each the report, and of all of them.
fn days_add_up(place: &Place, days: [(&str, i64); 3]) {
    let report = place.report(&["--from", days[0].0, "--to", days[2].0]);
    assert_eq!(report["time_zone"], "Europe/Berlin");
    assert_eq!(report["utc_offset_hours"], Value::Null);
    let by_day: Vec<&Value> =
        rows(&report, "quality", "days").iter().filter(|row| row["centre"] == "CC").collect();
    let (mut sum, mut energy) = ((0, 0), 0);
    for ((day, hours), row) in days.into_iter().zip(&by_day) {
        assert_eq!(row["day"], day);
        let own = place.report(&["--from", day]);
        assert_eq!(ms(&row["live_of_all"]), live(&own), "{day}");
        // So much time of each point.
        let points = ms(&row["observed"]).1 / (hours * HOUR_MS);
        assert_eq!(points * hours * HOUR_MS, ms(&row["observed"]).1, "{day} has {hours} hours");
        assert_eq!(ms(&rows(&own, "energy", "energy")[0]["known"]).1, hours * HOUR_MS);
        sum = (sum.0 + live(&own).0, sum.1 + live(&own).1);
        energy += ms(&rows(&own, "energy", "energy")[0]["known"]).1;
    }
    assert_eq!(by_day.len(), 3);
    assert_eq!(sum, live(&report));
    assert_eq!(energy, ms(&rows(&report, "energy", "energy")[0]["known"]).1);
    // Of the month the same days, and the others were not watched.
    let month = place.report(&["--month", &days[0].0[..7]]);
    assert_eq!(live(&month).0, live(&report).0);
    let first = &rows(&month, "quality", "days")[0];
    assert!(first["day"].as_str().unwrap().ends_with("-01"));
}

#[test]
fn a_day_of_25_hours_has_them_in_every_figure() {
    let place = Place::new();
    place.record("time_zone = \"Europe/Berlin\"", "2022-10-29", "6");
    days_add_up(&place, [("2022-10-29", 24), ("2022-10-30", 25), ("2022-10-31", 24)]);

    // Meters have 50 half hours of it, of which the final count came on the night to the third of November.
    let final_count = |day: &str| -> u64 {
        let rows = place.exported("metering", &[]);
        let of_day = |row: &&csv::StringRecord| &row[13] == day && &row[1] == "district";
        rows.iter().rfind(of_day).unwrap()[16].parse().unwrap()
    };
    let (plain, long) = (final_count("2022-10-29"), final_count("2022-10-30"));
    assert!(long > 0 && plain * 50 == long * 48, "{plain} and {long} half hours");

    // What is exported of it is what its clocks showed.
    let day = ["--from", "2022-10-30", "--to", "2022-10-30"];
    place.has_values(&day, "2022-10-29T22:00:00Z", "2022-10-30T23:00:00Z");

    // A time of the hour that comes twice is asked for with its offset.
    let shown = place.run(&["show", "--at", "2022-10-30 02:30"]);
    assert_eq!(shown.status.code(), Some(2));
    assert!(stderr(&shown).contains("'2022-10-30 02:30:00+02:00'"), "{}", stderr(&shown));
    for at in ["2022-10-30 02:30+02:00", "2022-10-30 02:30:00+01:00", "2022-10-30 03:00"] {
        let shown = place.run(&["show", "--at", at, "--json"]);
        assert!(shown.status.success(), "{at}: {}", stderr(&shown));
    }

    // Forgetting ends with the day, an hour later than by the clock of its morning.
    let said = stdout(&place.run(&["store", "compact", "--before", "2022-10-31"]));
    assert!(said.contains("no longer kept from before 2022-10-31 00:00:00"), "{said}");
    place.has_values(&[], "2022-10-30T23:00:00Z", "2022-11-03T23:00:00Z");
}

#[test]
fn a_day_of_23_hours_has_them_in_every_figure() {
    let place = Place::new();
    place.record("time_zone = \"Europe/Berlin\"", "2022-03-26", "3");
    days_add_up(&place, [("2022-03-26", 24), ("2022-03-27", 23), ("2022-03-28", 24)]);
    let day = ["--from", "2022-03-27", "--to", "2022-03-27"];
    place.has_values(&day, "2022-03-26T23:00:00Z", "2022-03-27T22:00:00Z");
    let shown = place.run(&["show", "--at", "2022-03-27 02:30"]);
    assert_eq!(shown.status.code(), Some(2));
    assert!(stderr(&shown).contains("there is no 2022-03-27 02:30:00"), "{}", stderr(&shown));
}

#[test]
fn offsets_have_quarters_of_an_hour() {
    let place = Place::new();
    place.record("utc_offset_hours = 5.75", "2022-11-01", "1");
    let report = place.report(&["--from", "2022-11-01"]);
    assert_eq!(report["utc_offset_hours"], 5.75);
    let contract = &rows(&report, "method", "contracts")[0];
    assert_eq!(contract["from"], "2022-11-01T00:00:00.000+05:45");
    assert_eq!(ms(&rows(&report, "energy", "energy")[0]["known"]).1, 24 * HOUR_MS);
    let day = ["--from", "2022-11-01", "--to", "2022-11-01"];
    place.has_values(&day, "2022-10-31T18:15:00Z", "2022-11-01T18:15:00Z");
}

#[test]
fn a_zone_whose_clocks_nobody_sets_answers_like_its_offset() {
    let said = ["utc_offset_hours = 7", "time_zone = \"Asia/Ho_Chi_Minh\""].map(|clock| {
        let place = Place::new();
        place.record(clock, "2022-11-01", "1");
        let mut report = place.report(&["--month", "2022-11"]);
        for contract in
            report["sheets"]["method"]["tables"]["contracts"]["rows"].as_array_mut().unwrap()
        {
            contract["hash"] = Value::Null;
        }
        assert_eq!(report["utc_offset_hours"], 7);
        let shown = stdout(&place.run(&["show", "signals", "--all", "--at", "14:00"]));
        let events = stdout(&place.run(&["store", "export", "events", "--csv", "excel-vi"]));
        (report.to_string(), shown, events)
    });
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_report_over_a_change_of_zone_goes_by_the_last_contract_and_says_so() {
    let place = Place::new();
    place.record("utc_offset_hours = 7", "2022-10-31", "2");
    // The first contract ends at 18:00 of the same day in Berlin.
    place.record("time_zone = \"Europe/Berlin\"", "2022-11-01", "2");
    let report = place.report(&["--from", "2022-11-01", "--to", "2022-11-02"]);
    assert_eq!(report["time_zone"], "Europe/Berlin");
    let note = "Days and times of all the period are those of the last contract's zone, Europe/Berlin; contracts of it \
                had UTC+07:00.";
    for sheet in ["summary", "method"] {
        let notes = report["sheets"][sheet]["notes"].as_array().unwrap();
        assert!(notes.iter().any(|said| said == note), "{sheet}: {notes:?}");
    }
    let contracts = rows(&report, "method", "contracts");
    assert_eq!(contracts[1]["from"], "2022-11-01T18:00:00.000+01:00");
    // Its days are those of Berlin, and add up.
    let days = ["2022-11-01", "2022-11-02"].map(|day| live(&place.report(&["--from", day])));
    assert_eq!((days[0].0 + days[1].0, days[0].1 + days[1].1), live(&report));
    // Before the change there was one zone alone.
    let before = place.report(&["--from", "2022-10-31"]);
    assert_eq!(before["utc_offset_hours"], 7);
    assert!(!before.to_string().contains("last contract's zone"));
}
