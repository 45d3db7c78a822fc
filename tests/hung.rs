//! A gateway that hangs already when somebody begins to look: nobody knows of when its values are, from the first one
//! on.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Timestamp;
use gridwatch::history::reliability::reliability;
use gridwatch::history::{Span, Window};
use gridwatch::recording::stretched;
use gridwatch::store::Reader;
use serde_json::Value;
use sim::Scenario;
use tempfile::tempdir;

use crate::energy::all;
use crate::keeping::record;

/// 2022-11-01 00:00 local.
const START: Timestamp = Timestamp(1_667_235_600_000);
const MINUTE: i64 = 60_000;

/// S3 hangs from a moment on for so long, seconds from the start; its feeder is out from one to another.
fn scenario(hangs: (i64, i64), out: (i64, i64)) -> String {
    let mut text = format!(
        "[rates]\nscale = 0\n[[fault]]\nkind = \"T03\"\ntarget = \"S3\"\nat = \"{}s\"\nfor = \"{}s\"\n",
        hangs.0, hangs.1
    );
    for (code, at) in [("open", out.0), ("closed", out.1)] {
        let _ = write!(
            text,
            "[[plant]]\ndo = \"set\"\npoint = \"S3.22.471.CB.POS\"\ncode = \"{code}\"\nat = \"{at}s\"\n"
        );
    }
    text
}

fn province(scan_s: f64) -> Arc<Province> {
    Arc::new(stretched(Province::load(Path::new("config/small.toml")).unwrap(), scan_s))
}

fn keep(folder: &Path, province: &Arc<Province>, scenario: &str, window: (Timestamp, Timestamp)) {
    let scenario = Scenario::parse(province, "scenario", scenario).unwrap();
    record(folder, province, scenario, window, 60_000);
}

/// Milliseconds within a span in which any value of a station was told to be live at any centre, of all of them
/// together that it was judged.
fn live_ms(reader: &Reader, province: &Province, station: &str, span: Span) -> (i64, i64) {
    let contract = &province.stations[province.station(station).unwrap().index()];
    let has_value: Vec<bool> =
        contract.points.iter().map(|point| !point.spec.kind.is_command()).collect();
    let (mut live, mut all) = (0, 0);
    for session in reader.sessions().unwrap() {
        let own = Span::new(session.from, session.until).and(span);
        for centre in &province.centres {
            let mut states = vec![None; has_value.len()];
            let (mut before, mut is_live) = (own.from, None);
            let path = (station, &centre.id[..]);
            reader
                .judgements(path, session.id, (own.from, own.to), |judged| {
                    let at = judged.at.max(own.from);
                    let length = at.since(before);
                    all += if is_live.is_some() { length } else { 0 };
                    live += if is_live == Some(true) { length } else { 0 };
                    for run in &judged.runs {
                        let (first, end) = (run.first as usize, (run.first + run.count) as usize);
                        states[first..end].fill(Some(run.state.not_live().is_none()));
                    }
                    let of_values = states.iter().zip(&has_value).filter(|(_, has)| **has);
                    is_live = Some(of_values.clone().any(|(live, _)| *live == Some(true)));
                    before = at;
                })
                .unwrap();
            let length = own.to.since(before);
            all += if is_live.is_some() { length } else { 0 };
            live += if is_live == Some(true) { length } else { 0 };
        }
    }
    (live, all)
}

/// Milliseconds of a span of which it is known whether the feeders of a station had supply, and what voltage it had.
fn known_ms(reader: &Reader, station: &str, span: Span) -> (u64, u64) {
    let supply = reliability(reader, span, |own| own == station).unwrap();
    let supply = supply.indices(Some(station)).saidi.known();
    let energy = all(reader, span.from, span.to);
    let own = energy.iter().find(|own| own.station == station);
    let voltage = own.map_or(0, |own| own.voltages[0].within().known().have);
    (supply.have, voltage)
}

#[test]
fn what_a_gateway_says_that_hangs_from_the_start_is_never_known() {
    for (scan_s, minutes) in [(1.0, 8), (10.0, 40)] {
        let province = province(scan_s);
        let folder = tempdir().unwrap();
        let hangs = minutes * 60 / 2;
        // Out before it answers, and over long behind.
        let text = scenario((0, hangs), (60, hangs + 60));
        let window = (START, START.plus(minutes * MINUTE));
        keep(folder.path(), &province, &text, window);
        let reader = Reader::open(folder.path()).unwrap();
        let first = reader.sessions().unwrap()[0].from;
        let answers = START.plus(hangs * 1_000);
        let hung = Span::new(first, answers);
        let (live, all) = live_ms(&reader, &province, "S3", hung);
        assert_eq!((live, all), (0, 2 * hung.length()), "{scan_s} s");
        assert_eq!(known_ms(&reader, "S3", hung), (0, 0), "{scan_s} s");
        // It answers, and all is known; the others were from the start.
        let answered = Span::new(answers.plus(MINUTE), window.1);
        let (live, all) = live_ms(&reader, &province, "S3", answered);
        assert_eq!(live, all, "{scan_s} s");
        let (live, all) = live_ms(&reader, &province, "S1", Span::new(first, window.1));
        assert_eq!(live, all, "{scan_s} s");
        let supply = reliability(&reader, Span::new(first, window.1), |_| true).unwrap();
        let known = supply.indices(Some("S1")).saidi.known();
        assert_eq!(known.lacking(), 0, "{scan_s} s");
        // It was out when somebody could see it, and since when nobody knows.
        let interruptions = supply.interruptions();
        let [(feeder, own)] = &interruptions[..] else { panic!("{interruptions:?}") };
        assert_eq!((&feeder.bay[..], own.counts), ("471", false));
        assert!(
            own.from >= answers && own.until == Some(START.plus((hangs + 60) * 1_000)),
            "{own:?}"
        );
    }
}

#[test]
fn a_restart_while_a_gateway_hangs_makes_nothing_known() {
    let province = province(10.0);
    let folder = tempdir().unwrap();
    let restart = START.plus(30 * MINUTE);
    let hung_at = START.plus(20 * MINUTE);
    // Each time the field begins anew; the second one hangs from its start for ten minutes.
    keep(
        folder.path(),
        &province,
        &scenario((1_200, 600), (1_500, 1_700)),
        (START, restart.plus(-MINUTE)),
    );
    let until = restart.plus(20 * MINUTE);
    keep(folder.path(), &province, &scenario((0, 600), (120, 180)), (restart, until));
    let reader = Reader::open(folder.path()).unwrap();
    let hung = Span::new(hung_at.plus(40_000), restart.plus(10 * MINUTE));
    assert_eq!(known_ms(&reader, "S3", hung), (0, 0));
    // Counters are read once a minute, and old after three.
    let old = Span::new(hung_at.plus(4 * MINUTE), hung.to);
    let (live, all) = live_ms(&reader, &province, "S3", old);
    assert!(live == 0 && all > 0, "{live} of {all} ms");
    let window = Window::new(Span::new(START, until), &[], &reader.sessions().unwrap());
    assert_eq!(reader.sessions().unwrap().len(), 2, "{:?}", window.eras);
    assert!(reliability(&reader, window.span, |_| true).unwrap().interruptions().is_empty());
}

#[test]
fn one_look_sees_a_gateway_that_hangs() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("hung.toml");
    std::fs::write(&file, "[[fault]]\nkind = \"T03\"\ntarget = \"S3\"\n").unwrap();
    let run = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_gridwatch"))
            .args(["demo", "config/small.toml", "--once", "--port-base", "0", "--lang", "en"])
            .arg("--scenario")
            .arg(&file)
            .args(more)
            .output()
            .unwrap()
    };
    let output = run(&["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let snapshot: Value = serde_json::from_slice(&output.stdout).unwrap();
    for station in snapshot["stations"].as_array().unwrap() {
        let hangs = station["id"] == "S3";
        for centre in station["centres"].as_array().unwrap() {
            assert_eq!(centre["hung"], hangs, "{station:?}");
            assert_eq!(centre["undecided"], 0);
            assert_eq!(centre["live"]["have"] == 0, hangs, "{centre:?}");
        }
        assert_eq!(station["unmanned"]["operated"], !hangs, "{station:?}");
    }
    let text = String::from_utf8(run(&[]).stdout).unwrap();
    assert!(text.contains("gateway hangs"), "{text}");
    assert!(!text.contains("not watched for long enough"), "{text}");
}
