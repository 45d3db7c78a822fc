//! What is known is right: a stretch recorded with faults of breakers, clocks, records and paths, held
//! against what the field knows of itself.
//!
//! The field lives twice by the same seed and script: once recorded through its stations, once alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::{DAY_MS, Timestamp};
use gridwatch::history::reliability::{
    Feeder, InterruptionKind, Reliability, SUSTAINED_MS, Tally, reliability,
};
use gridwatch::history::{Span, What};
use gridwatch::recording::stretched;
use gridwatch::store::Reader;
use sim::{Field, Outage, Scenario};

use crate::energy::{Truth as Counted, all, check_station};
use crate::keeping::record;

/// 2022-11-01 00:00 local.
pub(crate) const START: Timestamp = Timestamp(1_667_235_600_000);
pub(crate) const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Seconds between two reads of a point.
const SCAN_S: f64 = 10.0;

/// A province, what happens in it, and while it does.
pub(crate) struct Stage {
    pub(crate) province: Arc<Province>,
    pub(crate) scenario: String,
    pub(crate) window: (Timestamp, Timestamp),
}

impl Stage {
    pub(crate) fn scenario(&self) -> Scenario {
        Scenario::parse(&self.province, "scenario", &self.scenario).unwrap()
    }

    /// Records it into a store, as `simulate --record` does.
    pub(crate) fn record(&self, folder: &Path) {
        record(folder, &self.province, self.scenario(), self.window, 600_000);
    }

    /// What truly happened.
    fn live(&self) -> Vec<Outage> {
        let mut field = Field::new(Arc::clone(&self.province));
        field.plan(self.scenario());
        let mut at = self.window.0;
        while at < self.window.1 {
            field.step(at.0);
            at = at.plus(1_000);
        }
        field.outages()
    }
}

/// The small province, and the same with a feeder of S1 that has another name.
fn contracts() -> [Arc<Province>; 2] {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let renamed = text.replacen("\"473\", \"474\"]", "\"473\", \"475\"]", 1);
    assert_ne!(text, renamed);
    [text, renamed].map(|text| {
        let province = Province::parse("small.toml", &text).unwrap();
        Arc::new(stretched(province, SCAN_S))
    })
}

/// Faults of telemetry, each over something that truly happens, `at` minutes after the start.
fn script(at: i64, fourth: &str) -> String {
    let mut text = String::new();
    let minutes = |n: i64| format!("{}s", (at + n) * 60);
    let mut fault = |kind: &str, target: &str, begin: i64, minutes_long: i64, more: &str| {
        let (at, long) = (minutes(begin), minutes_long * 60);
        let head = format!("[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\n");
        let _ = writeln!(text, "{head}at = \"{at}\"\nfor = \"{long}s\"\n{more}");
    };
    // Contacts that chatter while current flows: a feeder's, and the one above all feeders.
    fault("T20", "S2.22.472.CB.POS", 20, 4, "");
    fault("T20", "S1.110.131.CB.POS", 30, 3, "per_second = 3");
    // Clocks that are wrong.
    fault("T22", "S2", 40, 40, "seconds = -60");
    fault("T22", "S3", 40, 40, "seconds = 30");
    // Records that never come: among them that of a closing.
    fault("T23", "S3", 100, 8, "lost = 1.0");
    // A position that stands still while the breaker moves.
    fault("T08", "S2.22.471.CB.POS", 120, 40, "");
    // A transformer fuse says that there is no voltage.
    fault("T27", "S1.22.C41", 170, 20, "phases = \"three\"");
    // Nobody reaches the station, and a counter begins anew.
    fault("T01", "S1", 200, 15, "");
    fault("T24", "S1.22.471.E.IMP", 90, 60, "");
    let mut set = |point: &str, from: i64, to: i64, second: i64| {
        for (code, minute) in [("open", from), ("closed", to)] {
            let at = (at + minute) * 60 + second;
            let _ = writeln!(
                text,
                "[[plant]]\ndo = \"set\"\npoint = \"{point}.CB.POS\"\ncode = \"{code}\"\nat = \"{at}s\"\n"
            );
        }
    };
    // Supply that was truly lost: without a fault, and under each of those above.
    set("S1.22.472", 10, 25, 13);
    set("S2.22.473", 12, 14, 4);
    set(&format!("S1.22.{fourth}"), 15, 28, 21);
    set("S2.22.471", 50, 61, 7);
    set("S3.22.471", 55, 57, 33);
    set("S3.22.472", 95, 104, 17);
    set("S2.22.471", 130, 145, 2);
    set("S1.22.431", 175, 183, 9);
    set("S1.22.473", 195, 206, 41);
    for (bay, minute) in [("S1.22.471", 5), ("S2.22.472", 48), ("S3.22.471", 70)] {
        let at = (at + minute) * 60 + 11;
        let _ = writeln!(text, "[[plant]]\ndo = \"strike\"\nbay = \"{bay}\"\nat = \"{at}s\"\n");
    }
    text
}

/// A storm, `at` minutes after the start: feeders that trip and reclose, or stay out until a crew has been there, a
/// transformer that its protection takes off, a frequency that sheds load; while a path is lost, a contact chatters
/// and a counter stands still.
fn storm(at: i64) -> String {
    let second = |minute: i64| (at + minute) * 60 + 17;
    let mut text = String::new();
    let strikes = [
        ("S1.22.471", 0, false, true),
        ("S2.22.472", 2, true, true),
        ("S1.22.472", 4, true, false),
        ("S3.22.471", 5, false, true),
        ("S1.110.131", 9, false, true),
        ("S2.22.471", 12, false, false),
    ];
    for (bay, minute, lasting, earth) in strikes {
        let at = second(minute);
        let _ = writeln!(
            text,
            "[[plant]]\ndo = \"strike\"\nbay = \"{bay}\"\nlasting = {lasting}\nearth = {earth}\nat = \"{at}s\"\n"
        );
    }
    let dip = second(20);
    let _ =
        writeln!(text, "[[plant]]\ndo = \"dip\"\nhertz = 1.3\nat = \"{dip}s\"\nfor = \"20s\"\n");
    let faults = [
        ("T01", "S2", 1, 480),
        ("T20", "S3.22.472.CB.POS", 6, 120),
        ("T08", "S3.22.472.E.IMP", 10, 3_600),
    ];
    for (kind, target, minute, long) in faults {
        let at = second(minute);
        let _ = writeln!(
            text,
            "[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\nat = \"{at}s\"\nfor = \"{long}s\"\n"
        );
    }
    text
}

/// Hours of the first contract, and of the second; with a storm in the middle of each where there is time for one.
fn stages(scripts: i64, every: i64) -> [Stage; 2] {
    let mut from = START;
    contracts().map(|province| {
        let fourth =
            if province.stations[0].point("S1.22.475.CB.POS").is_some() { "475" } else { "474" };
        let script: String = (0..scripts).map(|n| script(n * every / MINUTE, fourth)).collect();
        let storm =
            if every >= DAY_MS { storm(scripts / 2 * every / MINUTE + 300) } else { String::new() };
        let scenario = format!("rates.scale = 0\n{script}{storm}");
        let window = (from, from.plus(scripts * every));
        from = window.1.plus(MINUTE);
        Stage { province, scenario, window }
    })
}

/// Stretches of a window that lie in none of some others.
pub(crate) fn outside(window: Span, others: &[Span]) -> Vec<Span> {
    let mut from = window.from;
    let mut left = Vec::new();
    for other in others.iter().map(|other| other.and(window)).filter(|other| other.length() > 0) {
        left.push(Span::new(from, other.from));
        from = other.to;
    }
    left.push(Span::new(from, window.to));
    left.retain(|span| span.length() > 0);
    left
}

pub(crate) fn within(span: Span, stretches: &[Span]) -> i64 {
    stretches.iter().map(|own| own.and(span).length()).sum()
}

/// The first moment of an outage that lies in one of some stretches.
fn first_seen(outage: Span, stretches: &[Span]) -> Option<Timestamp> {
    stretches.iter().map(|own| own.and(outage)).find(|own| own.length() > 0).map(|own| own.from)
}

/// True outages by feeder: `S1 471`.
pub(crate) type Truth = BTreeMap<(String, String), Vec<Span>>;

pub(crate) fn truth(stages: &[Stage]) -> Truth {
    let mut truth = Truth::new();
    for stage in stages {
        for outage in stage.live() {
            let station = &stage.province.stations[outage.station.index()];
            let until = outage.until_ms.map_or(stage.window.1, Timestamp);
            let feeder = (station.id.clone(), station.bays[outage.bay].name.clone());
            truth.entry(feeder).or_default().push(Span::new(Timestamp(outage.from_ms), until));
        }
    }
    truth
}

/// What should be known of a feeder, from the truth over the stretches of which it is known.
fn expected(feeder: &Feeder, truth: &[Span], window: Span) -> Tally {
    let known = outside(window, &feeder.unknown);
    let recorded = outside(window, &feeder.unrecorded);
    let mut sum = Tally::default();
    let customers = |at: Timestamp| {
        let era = feeder.customers.iter().find(|(era, _)| era.from <= at && at < era.to);
        era.map_or(0, |(_, customers)| *customers)
    };
    for outage in truth {
        let is_sustained = outage.length() > SUSTAINED_MS;
        let stretches = if is_sustained { &known } else { &recorded };
        let count = if is_sustained { &mut sum.sustained } else { &mut sum.momentary };
        if let Some(seen) = first_seen(*outage, stretches) {
            count.interruptions += 1;
            count.customers += customers(seen);
        }
        let ms = within(*outage, &known).unsigned_abs();
        count.customer_ms += customers(outage.from) * ms;
    }
    sum
}

/// Whether a moment lies where it may have been seen on either side of an edge of some stretches: a scan, and what a
/// wrong clock leaves open.
fn is_at_edge(at: Timestamp, stretches: &[Span]) -> bool {
    let mut edges = stretches.iter().flat_map(|own| [own.from, own.to]);
    edges.any(|edge| at.since(edge).abs() <= 11_000)
}

/// Holds what is known against the truth; returns both sums, and for how much of it there is leave.
pub(crate) fn compare(found: &Reliability, truth: &Truth) -> (Tally, Tally, u64) {
    let (mut known, mut true_sum, mut leave) = (Tally::default(), Tally::default(), 0);
    for feeder in &found.feeders {
        let key = (feeder.name.station.clone(), feeder.name.bay.clone());
        let outages = truth.get(&key).map_or(&[][..], Vec::as_slice);
        let (own, mut should) =
            (Tally::of(feeder, found.window), expected(feeder, outages, found.window));
        let recorded = outside(found.window, &feeder.unrecorded);
        let told = |kind: InterruptionKind| {
            let own = feeder.interruptions.iter().filter(move |own| own.kind == kind && own.counts);
            own.filter(|own| {
                kind != InterruptionKind::Momentary
                    || within(Span::new(own.from, own.from.plus(1)), &recorded) > 0
                        && !is_at_edge(own.from, &recorded)
            })
            .count() as u64
        };
        // At the edge of what was recorded a doubtful time decides on which side it is told.
        let is_short = |own: &&Span| own.length() <= SUSTAINED_MS;
        let at_edge = outages.iter().filter(is_short).filter_map(|own| first_seen(*own, &recorded));
        let at_edge = at_edge.filter(|seen| is_at_edge(*seen, &recorded)).count() as u64;
        let momentary = should.momentary.interruptions - at_edge;
        let what = format!("{}: {:#?}\ntruth {outages:?}", feeder.name, feeder.interruptions);
        assert_eq!(
            told(InterruptionKind::Sustained),
            should.sustained.interruptions,
            "sustained {what}"
        );
        assert_eq!(told(InterruptionKind::Momentary), momentary, "momentary {what}");
        let doubted = [What::ClockDoubtful, What::NoRecord];
        for own in &feeder.interruptions {
            if doubted.iter().any(|what| own.assumed.contains(what)) {
                leave += own.customers * 2 * 11_000;
            }
        }
        known += own;
        should.customer_ms = own.customer_ms;
        true_sum += should;
    }
    (known, true_sum, leave)
}

#[expect(clippy::cast_precision_loss, reason = "a share of sums far below 2^53")]
fn share(of: u64, all: u64) -> f64 {
    of as f64 / all.max(1) as f64
}

/// Holds what stations received, delivered and lost against what their counters truly counted over the same time.
fn check_energy(reader: &Reader, stage: &Stage) {
    let (from, to) = stage.window;
    let minutes = to.since(from) / MINUTE;
    let truth = Counted::of(&stage.province, stage.scenario(), (from, minutes));
    let span = Span::new(from.plus(20 * MINUTE), to.plus(-5 * MINUTE));
    let stations = all(reader, span.from, span.to);
    assert_eq!(stations.len(), stage.province.stations.len());
    for station in &stations {
        check_station(reader, &truth, span, station);
        let known = station.through.received().unwrap().known();
        assert!(known.have * 10 > known.want * 8, "{}: {known:?}", station.station);
    }
}

/// Records stages, and holds what is known of supply and energy against the truth.
fn run(stages: &[Stage]) {
    let folder = tempfile::tempdir().unwrap();
    for stage in stages {
        stage.record(folder.path());
    }
    let truth = truth(stages);
    let window = Span::new(stages[0].window.0, stages[stages.len() - 1].window.1);
    let reader = Reader::open(folder.path()).unwrap();
    for stage in stages {
        check_energy(&reader, stage);
    }
    let found = reliability(&reader, window, |_| true).unwrap();
    let (known, should, leave) = compare(&found, &truth);
    let (known_ms, true_ms) = (known.sustained.customer_ms, should.sustained.customer_ms);
    let off = known_ms.abs_diff(true_ms);
    let known_share = share(known.known_ms, known.customer_ms);
    let told = format!(
        "SAIDI: {known_ms} customer-ms known, {true_ms} true in the same stretches, off by {:.4} %, \
         leave for doubtful records {:.3} %; sustained {} of {}, momentary {} of {}; known {:.2} % of the time, \
         recorded {:.2} %",
        100.0 * share(off, true_ms),
        100.0 * share(leave, true_ms),
        known.sustained.interruptions,
        should.sustained.interruptions,
        known.momentary.interruptions,
        should.momentary.interruptions,
        100.0 * known_share,
        100.0 * share(known.recorded_ms, known.customer_ms),
    );
    #[expect(clippy::print_stderr, reason = "what a campaign came to")]
    {
        eprintln!("{told}");
    }
    assert!(off <= true_ms / 1_000 + leave, "{told}");
    assert!(true_ms > 0 && should.momentary.interruptions > 0, "{told}");
    assert!(known_share > 0.9 && known.known_ms < known.customer_ms, "{told}");
    let all: Vec<What> =
        found.interruptions().iter().flat_map(|(_, own)| own.assumed.clone()).collect();
    for what in [What::ClockDoubtful, What::NoRecord] {
        assert!(all.contains(&what), "{what:?} was assumed somewhere: {all:?}");
    }
    // Windows add up over what was recorded, whatever it is cut into.
    let tally = |span: Span| reliability(&reader, span, |_| true).unwrap().tally(span, None);
    let whole = tally(window);
    for parts in [2, 7] {
        let edge = |n: i64| window.from.plus(window.length() * n / parts);
        let mut sum = Tally::default();
        for n in 0..parts {
            sum += tally(Span::new(edge(n), edge(n + 1)));
        }
        assert_eq!(sum, whole, "{parts} parts");
    }
}

#[test]
fn what_is_known_of_supply_is_what_happened() {
    run(&stages(1, 4 * HOUR));
}

#[test]
#[ignore = "a month takes minutes: cargo test --release --test it month:: -- --ignored --nocapture"]
fn what_is_known_of_the_supply_of_a_month_is_what_happened() {
    run(&stages(15, DAY_MS));
}

/// A station above opens its line: no breaker of those below moves, and nothing flows in their feeders.
#[test]
fn supply_that_was_lost_above_is_not_known_however_rarely_it_was_read() {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let (from, until) = (START, START.plus(5 * HOUR));
    let lost = Span::new(START.plus(2 * HOUR), START.plus(3 * HOUR));
    let mut scenario = "[rates]\nscale = 0\n".to_owned();
    for (code, at) in [("open", lost.from), ("closed", lost.to)] {
        let second = at.since(START) / 1_000;
        let _ = writeln!(
            scenario,
            "[[plant]]\ndo = \"set\"\npoint = \"S1.110.172.CB.POS\"\ncode = \"{code}\"\nat = \"{second}s\"\n"
        );
    }
    for scan_s in [10.0, 60.0, 300.0] {
        let province = Province::parse("small.toml", &text).unwrap();
        let province = Arc::new(stretched(province, scan_s));
        let stage = Stage { province, scenario: scenario.clone(), window: (from, until) };
        let folder = tempfile::tempdir().unwrap();
        stage.record(folder.path());
        let reader = Reader::open(folder.path()).unwrap();
        let found = reliability(&reader, Span::new(from, until), |_| true).unwrap();
        let below: Vec<&Feeder> =
            found.feeders.iter().filter(|feeder| feeder.name.station == "S2").collect();
        assert!(!below.is_empty());
        for feeder in below {
            let told = feeder
                .interruptions
                .iter()
                .map(|own| Span::new(own.from, own.until.unwrap_or(until)));
            let told: Vec<Span> = told.chain(feeder.unknown.iter().copied()).collect();
            let told_ms = lost.length() - within(lost, &outside(lost, &told));
            // Nothing is measured to flow from a scan after it on, to a scan before its end.
            #[expect(clippy::cast_possible_truncation, reason = "minutes")]
            let scans_ms = (scan_s * 2_000.0) as i64;
            assert!(told_ms >= lost.length() - scans_ms, "{scan_s} s {feeder:?}: {told_ms} ms");
            // Where it is not known a row says why, and when.
            let about = Span::new(lost.from.plus(-HOUR), lost.to.plus(HOUR));
            let unknown_ms = within(about, &feeder.unknown);
            let named: Vec<Span> = found
                .doubts()
                .iter()
                .filter(|own| own.feeder == feeder.name && own.what == What::WithoutCurrent)
                .map(|own| own.span)
                .collect();
            assert!(unknown_ms > 0 && within(about, &named) == unknown_ms, "{scan_s} s {named:?}");
            assert_eq!(within(found.window, &named), unknown_ms, "and nothing else");
        }
        for (station, is_named) in [("S1", false), ("S2", true)] {
            let remarks = found.indices(Some(station)).saidi;
            let (remarks, _) = remarks.remarks();
            let mut named = remarks.iter().filter(|own| own.what == What::WithoutCurrent);
            assert_eq!(named.next().is_some(), is_named, "{station}: {remarks:?}");
        }
    }
}

/// A contact chatters for hours, and meanwhile its breaker trips and is closed again by its automatics, and once more
/// for longer: what nobody can tell from the contact is not known, and that is said.
#[test]
fn what_a_contact_hides_while_it_chatters_is_not_known_and_named() {
    for (contact, struck) in [("S2.22.472", "S2.22.472"), ("S2.110.131", "S2.22.472")] {
        for per_second in [1, 5] {
            let scenario = format!(
                "[rates]\nscale = 0\n[[fault]]\nkind = \"T20\"\ntarget = \"{contact}.CB.POS\"\nat = \"20m\"\n\
                 for = \"2h\"\nper_second = {per_second}\n[[plant]]\ndo = \"strike\"\nbay = \"{struck}\"\n\
                 at = \"3611s\"\n[[plant]]\ndo = \"strike\"\nbay = \"{struck}\"\nat = \"9011s\"\n"
            );
            let province = Arc::clone(&contracts()[0]);
            let window = (START, START.plus(3 * HOUR));
            let stage = Stage { province, scenario, window };
            let folder = tempfile::tempdir().unwrap();
            stage.record(folder.path());
            let reader = Reader::open(folder.path()).unwrap();
            let window = Span::new(window.0, window.1);
            let found = reliability(&reader, window, |_| true).unwrap();
            let truth = truth(&[stage]);
            let outages = &truth[&("S2".to_owned(), "472".to_owned())];
            let while_chattering = Span::new(START.plus(20 * MINUTE), START.plus(140 * MINUTE));
            let hidden: Vec<&Span> =
                outages.iter().filter(|own| own.and(while_chattering).length() > 0).collect();
            assert!(!hidden.is_empty() && hidden.len() < outages.len(), "{outages:?}");
            compare(&found, &truth);
            let feeders = found.feeders.iter().filter(|own| own.name.station == "S2");
            let mut touched = 0;
            for feeder in feeders {
                let recorded = outside(window, &feeder.unrecorded);
                let is_hidden = contact.contains("110") || contact.ends_with(&feeder.name.bay);
                let expected = if is_hidden { while_chattering.length() } else { 0 };
                let unrecorded = while_chattering.length() - within(while_chattering, &recorded);
                assert!(unrecorded >= expected - 11_000, "{}: {unrecorded} ms", feeder.name);
                assert!(is_hidden || unrecorded == 0, "{}: {unrecorded} ms", feeder.name);
                let mut named: Vec<Span> = found
                    .doubts()
                    .iter()
                    .filter(|own| own.feeder == feeder.name && own.what == What::ByCurrent)
                    .map(|own| own.span)
                    .chain(feeder.unknown.iter().copied())
                    .collect();
                named.sort_by_key(|own| own.from);
                let unnamed = within(while_chattering, &outside(window, &named));
                assert!(!is_hidden || unnamed <= 11_000, "{}: {named:?}", feeder.name);
                touched += usize::from(is_hidden);
            }
            assert!(touched > 0);
            let maifi = found.indices(Some("S2")).maifi;
            assert!(maifi.known().have < maifi.known().want, "{:?}", maifi.known());
            assert!(maifi.remarks().0.iter().any(|own| own.what == What::ByCurrent));
        }
    }
}

/// The line of a station is open for some seconds, thrice: no breaker below moves, and no record tells of it.
#[test]
fn a_moment_without_current_is_no_time_of_which_short_interruptions_are_known() {
    let mut scenario = "[rates]\nscale = 0\n".to_owned();
    for (minute, seconds) in [(60, 15), (90, 19), (120, 25)] {
        for (code, second) in [("open", minute * 60 + 4), ("closed", minute * 60 + 4 + seconds)] {
            let _ = writeln!(
                scenario,
                "[[plant]]\ndo = \"set\"\npoint = \"S1.110.172.CB.POS\"\ncode = \"{code}\"\nat = \"{second}s\"\n"
            );
        }
    }
    let window = (START, START.plus(3 * HOUR));
    let stage = Stage { province: Arc::clone(&contracts()[0]), scenario, window };
    let folder = tempfile::tempdir().unwrap();
    stage.record(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    let found = reliability(&reader, Span::new(window.0, window.1), |_| true).unwrap();
    let truth = truth(&[stage]);
    let of_station = truth.iter().filter(|((station, _), _)| station == "S2");
    assert!(of_station.clone().count() > 0 && of_station.clone().all(|(_, own)| own.len() == 3));
    compare(&found, &truth);
    let doubts = found.doubts();
    for ((_, bay), outages) in of_station {
        for outage in outages {
            let is_named = doubts.iter().any(|own| {
                own.feeder.bay == *bay
                    && own.feeder.station == "S2"
                    && own.what == What::WithoutCurrent
                    && own.span.and(*outage).length() > 0
            });
            assert!(is_named, "{bay} {outage:?}: {doubts:?}");
        }
    }
    let known = found.indices(Some("S2")).maifi.known();
    assert!(known.have < known.want && found.indices(Some("S1")).maifi.known().have > 0);
}
