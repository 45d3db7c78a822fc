//! The program as a script sees it: output, exit codes, errors.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use config::Province;
use serde_json::Value;

use crate::fixture::points_of_plants;

pub(crate) fn gridwatch(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gridwatch"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("LC_ALL")
        .env("LANG", "en_US.UTF-8")
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Ports that tests are given, below the range that the system hands out.
const PORTS: Range<u16> = 10_000..30_000;

/// A port from which on `count` ports are free right now. No other test of this run is given any of them: they stand
/// behind those that were given last.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..500 {
        let any = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Another run beside this one begins elsewhere.
        let base = next.unwrap_or_else(|| PORTS.start + any() % (PORTS.end - PORTS.start));
        let base = if base + count > PORTS.end { PORTS.start } else { base };
        *next = Some(base + count);
        let bound = (base..base + count).map(|port| TcpListener::bind(("127.0.0.1", port)));
        if bound.collect::<Vec<_>>().iter().all(Result::is_ok) {
            return base;
        }
    }
    panic!("no ports are free")
}

pub(crate) fn json(output: &Output) -> Value {
    let text = stdout(output);
    assert!(text.ends_with("}\n"), "one object and a newline: {text:.200}");
    serde_json::from_str(&text).unwrap()
}

/// Sums of the points of a channel by reason.
fn by_reason(channel: &Value) -> BTreeMap<String, u64> {
    let reasons = channel["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|entry| {
            let count = entry["count"].as_u64().unwrap();
            assert_eq!(entry["points"].as_array().unwrap().len() as u64, count);
            (entry["reason"].as_str().unwrap().to_owned(), count)
        })
        .collect()
}

#[test]
fn demo_prints_the_four_figures_and_the_station_that_is_not_full() {
    let output = gridwatch(&["demo", "--once", "--json", "--port-base", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let snapshot = json(&output);
    assert_eq!(snapshot["schema"], 2);
    assert_eq!(snapshot["province"], "Hòa Bình");
    let figure = |name: &str| {
        let figure = &snapshot["figures"][name];
        (figure["have"].as_u64().unwrap(), figure["want"].as_u64().unwrap())
    };
    assert_eq!(figure("connected"), (10, 10));
    assert_eq!(figure("full"), (9, 10));
    assert_eq!(figure("unmanned"), (10, 10));
    assert_eq!(figure("remote_metering"), (199_520, 268_800));
    let metering = &snapshot["metering"];
    assert_eq!(metering["first_pass"]["want"], 199_520, "yesterday is known from the start");
    assert_eq!(metering["final"]["want"], 199_520);
    for (key, least) in [("first_pass", 90), ("final", 99), ("intervals", 90)] {
        let number = |name: &str| metering[key][name].as_u64().unwrap();
        assert!(number("have") < number("want") && 100 * number("have") > least * number("want"));
    }
    assert!(metering["concentrators_online"]["want"].as_u64().unwrap() > 700);
    assert_ne!(metering["day"], metering["final_day"]);
    assert_eq!(metering["not_heard"], 0);
    for station in snapshot["stations"].as_array().unwrap() {
        for channel in station["centres"].as_array().unwrap() {
            let reasons = by_reason(channel);
            let of = |reason: &str| reasons.get(reason).copied().unwrap_or(0);
            let number = |key: &str| channel[key].as_u64().unwrap();
            assert_eq!(of("not_in_database"), number("missing"));
            assert_eq!(of("no_e2e_record"), number("untested"));
            assert_eq!(reasons.values().sum::<u64>() + number("good"), number("required"));
            assert_eq!(channel["link"], "connected");
            let expected = match (station["id"].as_str().unwrap(), channel["id"].as_str().unwrap())
            {
                ("HB07", "CC") => ("not_full", 14, 6),
                ("HB07", "A1") => ("not_full", 2, 6),
                _ => ("full", 0, 0),
            };
            let full = channel["full"].as_str().unwrap();
            assert_eq!((full, number("missing"), number("untested")), expected, "{station}");
            assert_eq!(
                channel["live"]["have"].as_u64().unwrap() + of("not_in_database"),
                channel["live"]["want"].as_u64().unwrap(),
                "what is mapped is live in a healthy field: {channel:.400}"
            );
        }
    }
    let text = stdout(&output);
    for point in ["HB07.22.471.F74.TC", "HB07.110.131.TAP.POS", "HB07.110.172.F21.Z1"] {
        assert!(text.contains(point), "{point} is listed");
    }
}

#[test]
fn a_point_taken_out_of_the_map_is_missed_and_still_required() {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let last = text.rfind("[[stations]]").unwrap();
    let absent = "[[stations.absent]]\npoints = [\"110.171.CB.POS\"]\nat = [\"CC\"]\n\n";
    let fewer = format!("{}{absent}{}", &text[..last], &text[last..]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fewer.toml");
    std::fs::write(&path, fewer).unwrap();
    let run = |config: &str| {
        let output = gridwatch(&["demo", config, "--once", "--json", "--port-base", "0"]);
        json(&output)["centres"].clone()
    };
    let (before, after) = (run("config/small.toml"), run(path.to_str().unwrap()));
    let number = |centres: &Value, n: usize, key: &str| centres[n][key].as_u64().unwrap();
    assert_eq!(number(&after, 0, "required"), number(&before, 0, "required"));
    assert_eq!(number(&after, 0, "mapped"), number(&before, 0, "mapped") - 1);
    for key in ["required", "mapped", "tested"] {
        assert_eq!(number(&after, 1, key), number(&before, 1, key), "A1 is not concerned");
    }
}

#[test]
fn a_monitor_that_nobody_answers_says_so_in_the_same_shape() {
    let base = free_ports(20).to_string();
    let output = gridwatch(&["monitor", "--once", "--json", "--port-base", &base]);
    assert_eq!(output.status.code(), Some(3));
    let snapshot = json(&output);
    assert_eq!(snapshot["figures"]["connected"]["have"], 0);
    assert_eq!(snapshot["figures"]["full"]["have"], 9, "full is structural");
    assert_eq!(snapshot["figures"]["remote_metering"], Value::Null, "no meter was counted");
    assert_eq!(snapshot["figures"]["unmanned"]["have"], 0, "nobody sees the stations");
    assert_eq!(snapshot["figures"]["unmanned_declared"]["have"], 10);
    assert_eq!(snapshot["metering"]["day"], Value::Null);
    assert_eq!(snapshot["metering"]["first_pass"], Value::Null, "unknown is not zero of many");
    for station in snapshot["stations"].as_array().unwrap() {
        for channel in station["centres"].as_array().unwrap() {
            assert_eq!(channel["link"], "never_connected");
            assert_eq!(channel["live"]["have"], 0);
            let total: u64 = by_reason(channel).values().sum();
            let good = channel["good"].as_u64().unwrap();
            assert_eq!(total + good, channel["required"].as_u64().unwrap());
        }
    }
}

#[test]
fn check_says_which_station_falls_short_and_why() {
    let output = gridwatch(&["check", "--full", "95"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("MISSED  full: 9/10 = 90.00 %, threshold 95 %"), "{text}");
    for part in ["HB07 Yên Thủy", "not in DB", "F74.TC", "no E2E", "F21.Z1"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let output = gridwatch(&["check", "config/hoa-binh.toml", "--full", "90"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "ok      full: 9/10 = 90.00 %, threshold 90 %\n");
}

#[test]
fn check_without_an_answer_is_neither_good_nor_bad() {
    let base = free_ports(20).to_string();
    let output = gridwatch(&["check", "--live", "98", "--port-base", &base]);
    assert_eq!(output.status.code(), Some(3));
    let said = "NO DATA live at CC: 0 known to be of 6735";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
    assert!(stdout(&output).starts_with("No station answered: "), "{}", stdout(&output));
    // Who asks only what the contract says asks no station.
    assert!(!stdout(&gridwatch(&["check", "--full", "90"])).contains("answered"));
    // Whatever else is missed.
    let output = gridwatch(&["check", "--full", "95", "--live", "98", "--port-base", &base]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("MISSED  full"), "{}", stdout(&output));
    let once = ["monitor", "--once", "--timeout", "2", "--no-store", "--port-base", &base];
    let said = stdout(&gridwatch(&once));
    assert!(said.contains("Unmanned —/10 — %"), "{said}");
}

#[test]
fn a_broken_file_is_named_with_its_line_by_every_command() {
    let path = "tests/bad-configs/several-at-once.toml";
    for command in [
        &["check", path][..],
        &["config", "check", path],
        &["map", path],
        &["plan", path],
        &["simulate", path],
        &["monitor", path, "--once"],
        &["demo", path, "--once"],
    ] {
        let output = gridwatch(command);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let text = stderr(&output);
        let line = format!("{path}:20: lines[0].km: '0' is not a number from 0.01 to 1000");
        assert!(text.contains(&line), "{command:?}: {text}");
        assert!(text.ends_with("gridwatch: 6 problems in the configuration\n"), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn stations_without_a_heartbeat_are_named_by_config_check() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bays) = (folder.path().join("own.toml"), folder.path().join("bays"));
    fs::create_dir(&bays).unwrap();
    let small = fs::read_to_string("config/small.toml").unwrap();
    fs::write(&file, format!("bays = \"bays\"\n{small}")).unwrap();
    let template = fs::read_to_string("config/bays/STN.toml").unwrap();
    let check = |template: &str| {
        fs::write(bays.join("STN.toml"), template).unwrap();
        let output = gridwatch(&["config", "check", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(!check(&template).contains("heartbeat"));
    let said = check(&template.replacen("heartbeat = true, ", "", 1));
    assert!(said.contains("note: S1, S2, S3: no heartbeat is read"), "{said}");
}

#[test]
fn without_a_terminal_the_screens_say_what_to_use_instead() {
    for command in ["demo", "monitor"] {
        let output = gridwatch(&[command]);
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(text.contains(&format!("'gridwatch {command} --once --json'")), "{text}");
    }
}

#[test]
fn once_without_json_is_readable_text() {
    let output = gridwatch(&["demo", "--once", "--port-base", "0", "--lang", "en"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(!text.contains('\u{1b}'), "no escape codes in a pipe");
    for part in ["10/10", "9/10", "199520/268800", "HB07 Yên Thủy"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let base = free_ports(20);
    let taken = TcpListener::bind(("127.0.0.1", base + 2)).unwrap();
    let output = gridwatch(&["simulate", "--port-base", &base.to_string()]);
    drop(taken);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains(&format!("port {}", base + 2)), "{text}");
    assert!(text.contains("HB03") && text.contains("--port-base"), "{text}");
}

#[test]
fn ports_that_do_not_fit_are_refused() {
    let output = gridwatch(&["map", "--port-base", "65530"]);
    assert_eq!(output.status.code(), Some(2));
    // A port for each of ten stations and of the plants at both centres.
    let most = 65_516 - 2 * Province::built_in().plant_ids().count();
    assert!(stderr(&output).contains(&format!("use 1 to {most}")), "{}", stderr(&output));
}

#[test]
fn the_map_has_one_row_per_point_and_centre() {
    let output = gridwatch(&["map"]);
    let mut csv = csv::Reader::from_reader(output.stdout.as_slice());
    let columns = "centre,point,host,port,unit,table,address,type,scale,word_order,name_en,name_vi,measured_in";
    assert_eq!(csv.headers().unwrap().iter().collect::<Vec<_>>().join(","), columns);
    let all: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let measured_in =
        |end: &str| all.iter().find(|row| row[1].ends_with(end)).unwrap()[12].to_owned();
    assert_eq!([".110.171.P", ".110.171.CB.POS"].map(measured_in), ["MW", ""]);
    let mut keys: Vec<(String, String)> =
        all.iter().map(|row| (row[0].into(), row[1].into())).collect();
    let rows = keys.len();
    // Everything at CC but the 14 that are absent, the required ones at A1 but the 2; and the plants' at both.
    assert_eq!(rows, 8_153 - 14 + 2_364 - 2 + 2 * points_of_plants(&Province::built_in()));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), rows);
}

#[test]
fn who_reads_no_further_ends_a_command_quietly() {
    let program = env!("CARGO_BIN_EXE_gridwatch");
    for command in ["map", "plan"] {
        let piped = format!("({program} {command}; echo \"code $?\" >&2) | head -n 1");
        let output = Command::new("sh").args(["-c", &piped]).output().unwrap();
        assert_eq!(stderr(&output), "code 0\n", "{command}");
    }
}

#[test]
fn the_plan_keeps_the_limits_and_names_an_unknown_station() {
    let output = gridwatch(&["plan", "--station", "HB07"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("function 02 discrete"), "{}", stdout(&output));
    let plant = gridwatch(&["plan", "--station", "HPP"]);
    assert_eq!(plant.status.code(), Some(0), "a plant is asked, too: {}", stderr(&plant));
    assert!(stdout(&plant).contains("HPP"), "{}", stdout(&plant));
    let output = gridwatch(&["plan", "--station", "HB11"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("station 'HB11' is not in the configuration"));
}
