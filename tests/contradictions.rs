//! Two centres that contradict each other about a breaker: one of them has a value that is wrong or stuck, while the
//! breaker truly opens and closes. What is said to be known is held against what the field knows of itself.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Timestamp;
use gridwatch::history::reliability::{Feeder, Reliability, SUSTAINED_MS, Tally, reliability};
use gridwatch::history::{Span, What};
use gridwatch::recording::stretched;
use gridwatch::store::Reader;

use crate::month::{Stage, Truth, compare, outside, truth, within};

/// 2022-11-01 00:00 local.
const START: Timestamp = Timestamp(1_667_235_600_000);
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
/// So long is recorded.
const LENGTH: i64 = 240 * MINUTE;
/// Seconds between two reads of a point.
const SCAN_S: f64 = 10.0;
/// When breakers open and close by hand, from the start: an outage of twenty minutes and one of forty seconds.
const OUTAGES: [(i64, i64); 2] = [(7_207, 8_407), (12_004, 12_044)];
/// When feeders are struck: their breakers open and close again within a second.
const STRUCK: i64 = 10_811;

/// When the fault begins and ends, minutes from the start.
const TIMES: [(&str, i64, i64); 7] = [
    ("before all and behind all", 60, 230),
    ("up to the midst of the outage", 60, 130),
    ("within the outage", 125, 135),
    ("from the midst of the outage on", 130, 230),
    ("over before it", 60, 100),
    ("behind it", 150, 230),
    ("from the start to the end", 0, 240),
];

/// A value that is wrong or stuck at one centre.
#[derive(Debug, Clone, Copy)]
struct Case {
    breaker: &'static str,
    kind: &'static str,
    centre: &'static str,
    when: (&'static str, i64, i64),
}

const FEEDERS: [&str; 9] = [
    "S1.22.471",
    "S1.22.472",
    "S1.22.473",
    "S1.22.474",
    "S2.22.471",
    "S2.22.472",
    "S2.22.473",
    "S3.22.471",
    "S3.22.472",
];
const INCOMERS: [&str; 3] = ["S1.22.431", "S2.22.431", "S3.22.431"];
const TRANSFORMERS: [&str; 3] = ["S1.110.131", "S2.110.131", "S3.110.131"];

/// Every kind of fault at every centre and time, each at one of some breakers: as many at once as there are of them.
fn cases(breakers: &[&'static str], centres: &[&'static str]) -> Vec<Vec<Case>> {
    let of_time = TIMES.iter().flat_map(|when| {
        centres
            .iter()
            .flat_map(move |centre| ["T08", "T19"].map(move |kind| (*when, *centre, kind)))
    });
    let all: Vec<_> = of_time.collect();
    all.chunks(breakers.len())
        .map(|own| {
            let own = own.iter().zip(breakers);
            own.map(|((when, centre, kind), breaker)| Case { breaker, kind, centre, when: *when })
                .collect()
        })
        .collect()
}

/// The small province with centres in this order; a third one has what A1 has.
fn province(centres: &[&str]) -> Arc<Province> {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let (head, rest) = text.split_once("[[centres]]").unwrap();
    let (first, rest) = rest.split_once("[[centres]]").unwrap();
    let (second, rest) = rest.split_once("# === What feeds").unwrap();
    let third = second.replace("A1", "B2");
    let mut text = head.to_owned();
    for centre in centres {
        let own = match *centre {
            "CC" => first,
            "A1" => second,
            _ => &third,
        };
        let _ = write!(text, "[[centres]]{own}");
    }
    let mut rest = format!("# === What feeds{rest}");
    if centres.contains(&"B2") {
        rest = rest.replace("e2e = { ", "e2e = { B2 = 2021-03-09, ");
    }
    let province = Province::parse("small.toml", &(text + &rest)).unwrap();
    Arc::new(stretched(province, SCAN_S))
}

fn scenario(cases: &[Case], more: &str) -> String {
    let mut text = format!("rates.scale = 0\n{more}");
    for Case { breaker, kind, centre, when: (_, from, to) } in cases {
        let (at, long) = (from * 60, (to - from) * 60);
        let _ = writeln!(
            text,
            "[[fault]]\nkind = \"{kind}\"\ntarget = \"{breaker}.CB.POS\"\ncentre = \"{centre}\"\nat = \"{at}s\"\n\
             for = \"{long}s\""
        );
        for (open, closed) in OUTAGES {
            for (code, at) in [("open", open), ("closed", closed)] {
                let _ = writeln!(
                    text,
                    "[[plant]]\ndo = \"set\"\npoint = \"{breaker}.CB.POS\"\ncode = \"{code}\"\nat = \"{at}s\""
                );
            }
        }
        if FEEDERS.contains(breaker) {
            let _ = writeln!(
                text,
                "[[plant]]\ndo = \"strike\"\nbay = \"{breaker}\"\nat = \"{STRUCK}s\""
            );
        }
    }
    text
}

/// What was recorded, and what is true.
struct Told {
    found: Reliability,
    truth: Truth,
}

fn told(centres: &[&str], scenario: String) -> Told {
    told_from(START, centres, scenario)
}

fn told_from(start: Timestamp, centres: &[&str], scenario: String) -> Told {
    let window = (start, start.plus(LENGTH));
    let stage = Stage { province: province(centres), scenario, window };
    let folder = tempfile::tempdir().unwrap();
    stage.record(folder.path());
    hangs_on_no_window(folder.path(), Span::new(window.0, window.1));
    let reader = Reader::open(folder.path()).unwrap();
    let found = reliability(&reader, Span::new(window.0, window.1), |_| true).unwrap();
    Told { found, truth: truth(&[stage]) }
}

/// Windows add up.
fn hangs_on_no_window(folder: &Path, window: Span) {
    let reader = Reader::open(folder).unwrap();
    let tally = |span: Span| reliability(&reader, span, |_| true).unwrap().tally(span, None);
    let edges = [0, 61, 125, 137, 200, 240].map(|minute| window.from.plus(minute * MINUTE));
    let mut sum = Tally::default();
    for part in edges.windows(2) {
        sum += tally(Span::new(part[0], part[1]));
    }
    assert_eq!(sum, tally(window));
}

impl Told {
    fn feeders(&self) -> impl Iterator<Item = (&Feeder, &[Span])> {
        self.found.feeders.iter().map(|feeder| {
            let key = (feeder.name.station.clone(), feeder.name.bay.clone());
            (feeder, self.truth.get(&key).map_or(&[][..], Vec::as_slice))
        })
    }

    /// What is known is true, but for a scan and its lag at either end of an outage that no record tells.
    fn is_true(&self, what: &str) {
        compare(&self.found, &self.truth);
        let all = self.found.window;
        for (feeder, outages) in self.feeders() {
            let known = outside(all, &feeder.unknown);
            let dead: Vec<Span> =
                feeder.interruptions.iter().flat_map(|own| own.dead.iter().copied()).collect();
            let supplied = outside(all, &dead);
            let leave = 2 * 13 * SECOND;
            for outage in outages {
                let wrong: i64 = known.iter().map(|own| within(own.and(*outage), &supplied)).sum();
                assert!(
                    wrong <= leave,
                    "{what} {}: {wrong} ms of {outage:?} are told as supplied",
                    feeder.name
                );
            }
            for own in &dead {
                let wrong = length(&outside(*own, outages));
                assert!(wrong <= leave, "{what} {}: {wrong} ms of {own:?} were none", feeder.name);
            }
        }
    }

    /// When centres are said to contradict each other about a feeder.
    fn contradicted(&self, feeder: &Feeder) -> Vec<Span> {
        let all = self.found.doubts().into_iter();
        let own =
            all.filter(|own| own.feeder == feeder.name && own.what == What::CentresContradict);
        own.map(|own| own.span).collect()
    }
}

/// While a fault makes centres say opposite things of a breaker: minutes from the start.
fn opposite(case: &Case) -> Vec<Span> {
    let (_, from, to) = case.when;
    let span = |from: i64, to: i64| Span::new(START.plus(from * SECOND), START.plus(to * SECOND));
    let fault = span(from * 60, to * 60);
    let open = |at: i64| OUTAGES.iter().any(|(from, to)| *from <= at && at < *to);
    match (case.kind, open(from * 60)) {
        ("T19", _) => vec![fault],
        (_, is_open) => {
            let outages = OUTAGES.iter().map(|(from, to)| span(*from, *to));
            let outages: Vec<Span> = outages.collect();
            let apart = if is_open { outside(fault, &outages) } else { outages };
            apart.into_iter().map(|own| own.and(fault)).filter(|own| own.length() > 0).collect()
        }
    }
}

/// Records so many of the cases, and holds what is told against the truth.
fn run(centres: &[&'static str], breakers: &[&'static str], recordings: usize) {
    let (mut known, mut all) = (0, 0);
    for cases in cases(breakers, centres).into_iter().take(recordings) {
        let what = format!("{centres:?} {cases:?}");
        let told = told(centres, scenario(&cases, ""));
        told.is_true(&what);
        for (feeder, outages) in told.feeders() {
            let of_feeder = |case: &&Case| {
                case.breaker == feeder.name.to_string()
                    || case.breaker.starts_with(&feeder.name.station)
                        && !FEEDERS.contains(&case.breaker)
            };
            let named = told.contradicted(feeder);
            let case = cases.iter().find(of_feeder);
            let opposite = case.map(opposite).unwrap_or_default();
            for span in &opposite {
                // They may say the same, or be no more than a scan or two apart, at its ends.
                let unnamed = length(&outside(*span, &named));
                assert!(unnamed <= 45 * SECOND, "{what} {} {span:?}: {named:?}", feeder.name);
            }
            let wrongly: i64 = named.iter().map(|own| length(&outside(*own, &opposite))).sum();
            let leave = i64::try_from(opposite.len()).unwrap() * 45 * SECOND;
            assert!(wrongly <= leave, "{what} {}: {named:?}", feeder.name);
            let seen = outside(told.found.window, &feeder.unknown);
            for outage in outages.iter().filter(|own| own.length() > SUSTAINED_MS) {
                known += within(*outage, &seen);
                all += outage.length();
            }
            if case.is_none() {
                assert!(length(&feeder.unknown) <= 10 * SECOND, "{what} {}", feeder.name);
            }
        }
    }
    assert!(2 * known > all, "current decides: {known} of {all} ms without supply are known");
}

fn length(spans: &[Span]) -> i64 {
    spans.iter().map(|own| own.length()).sum()
}

#[test]
fn what_is_known_of_a_feeder_of_which_centres_say_opposite_things_is_true() {
    run(&["CC", "A1"], &FEEDERS, 1);
    run(&["A1", "CC"], &FEEDERS, 1);
}

#[test]
fn what_is_known_of_feeders_below_breakers_of_which_centres_say_opposite_things_is_true() {
    run(&["CC", "A1"], &INCOMERS, 1);
    run(&["A1", "CC"], &TRANSFORMERS, 1);
}

#[test]
#[ignore = "some minutes: cargo test --test it contradictions:: -- --ignored"]
fn whichever_centre_is_wrong_of_whichever_breaker_whenever_what_is_known_is_true() {
    for centres in [&["CC", "A1"][..], &["A1", "CC"], &["CC", "A1", "B2"]] {
        for breakers in [&FEEDERS[..], &INCOMERS, &TRANSFORMERS] {
            run(centres, breakers, usize::MAX);
        }
    }
}

/// The centre that is wrong is alone for some minutes: it is believed no more than before.
#[test]
fn a_centre_that_was_contradicted_is_not_believed_when_it_is_alone() {
    let (first, second) = (TIMES[0], TIMES[6]);
    let case = |breaker, kind, when| Case { breaker, kind, centre: "A1", when };
    let cases = [
        case("S1.22.471", "T19", first),
        case("S1.22.472", "T08", first),
        case("S2.22.431", "T19", first),
        case("S3.22.471", "T19", second),
    ];
    // The first centre loses its path in the midst of that, and behind the outage.
    let mut lost = String::new();
    for (station, from, to) in [("S1", 110, 115), ("S2", 90, 150), ("S3", 0, 20), ("S1", 160, 170)]
    {
        let (at, long) = (from * 60, (to - from) * 60);
        let _ = writeln!(
            lost,
            "[[fault]]\nkind = \"T01\"\ntarget = \"{station}\"\ncentre = \"CC\"\nat = \"{at}s\"\nfor = \"{long}s\""
        );
    }
    let told = told(&["CC", "A1"], scenario(&cases, &lost));
    told.is_true("alone");
    let named =
        told.found.doubts().iter().filter(|own| own.what == What::CentresContradict).count();
    assert!(named > 0);
}

/// 2022-11-01 17:00 local: what flows in every feeder is beyond doubt.
const EVENING: Timestamp = Timestamp(START.0 + 17 * 60 * MINUTE);

/// Everything that tells of the flow of a bay.
const MEASURED: [&str; 5] = ["IA", "IB", "IC", "P", "Q"];

/// A fault: of what, which, at which centre, from when to when, minutes from the start.
type Wrong = (&'static str, &'static str, &'static str, i64, i64);

/// What is wrong about a feeder; `measured`: with all that tells of its flow.
struct Both {
    what: &'static str,
    breaker: &'static str,
    positions: &'static [Wrong],
    measured: (&'static str, i64, i64),
    /// The share of the outage that is known, per cent: at least, at most.
    known: (i64, i64),
}

/// Positions that are wrong while the only measurements stand still: these decide nothing, neither that supply went on
/// nor that it was out. The outage is from minute 120 to 140.
const STANDING: [Both; 12] = [
    Both {
        what: "a position and its measurements are frozen at one centre",
        breaker: "S1.22.471",
        positions: &[("CB.POS", "T08", "CC", 60, 230)],
        measured: ("T08", 60, 230),
        known: (0, 0),
    },
    Both {
        what: "up to the midst of the outage",
        breaker: "S1.22.472",
        positions: &[("CB.POS", "T08", "CC", 60, 230)],
        measured: ("T08", 60, 130),
        known: (0, 5),
    },
    Both {
        what: "at nothing, while the centre that told of the opening is stuck",
        breaker: "S1.22.473",
        positions: &[("CB.POS", "T08", "A1", 125, 230)],
        measured: ("T08", 125, 230),
        known: (95, 100),
    },
    Both {
        what: "the same, and the other one had no position meanwhile",
        breaker: "S1.22.474",
        positions: &[("CB.POS", "T18", "CC", 100, 139), ("CB.POS", "T08", "A1", 125, 230)],
        measured: ("T08", 125, 230),
        known: (0, 100),
    },
    Both {
        what: "only one centre has a position",
        breaker: "S2.22.471",
        positions: &[("CB.POS", "T18", "CC", 60, 230)],
        measured: ("T08", 60, 230),
        known: (0, 0),
    },
    Both {
        what: "a contact chatters",
        breaker: "S2.22.472",
        positions: &[("CB.POS", "T20", "CC", 118, 142)],
        measured: ("T08", 60, 230),
        known: (0, 0),
    },
    Both {
        what: "a position is inverted where they are",
        breaker: "S2.22.473",
        positions: &[("CB.POS", "T19", "CC", 60, 230)],
        measured: ("T08", 60, 230),
        known: (0, 0),
    },
    Both {
        what: "a position is inverted where they are not",
        breaker: "S3.22.471",
        positions: &[("CB.POS", "T19", "A1", 60, 230)],
        measured: ("T08", 60, 230),
        known: (0, 0),
    },
    Both {
        what: "they move",
        breaker: "S3.22.472",
        positions: &[("CB.POS", "T08", "CC", 60, 230)],
        measured: ("T08", 200, 201),
        known: (95, 100),
    },
    Both {
        what: "stuck at zero",
        breaker: "S1.22.471",
        positions: &[("CB.POS", "T08", "CC", 60, 230)],
        measured: ("T09", 70, 230),
        known: (0, 0),
    },
    Both {
        what: "stuck at zero where a position is inverted",
        breaker: "S1.22.472",
        positions: &[("CB.POS", "T19", "CC", 60, 230)],
        measured: ("T09", 70, 230),
        known: (0, 0),
    },
    Both {
        what: "stuck at zero from the midst of the outage on",
        breaker: "S2.22.471",
        positions: &[("CB.POS", "T08", "CC", 60, 230)],
        measured: ("T09", 130, 230),
        known: (95, 100),
    },
];

#[test]
fn a_measurement_that_stands_still_does_not_decide_between_centres() {
    for cases in [&STANDING[..9], &STANDING[9..]] {
        let own = cases.iter().flat_map(|case| {
            let (kind, from, to) = case.measured;
            let measured = MEASURED.iter().map(move |point| (*point, kind, "CC", from, to));
            let all = case.positions.iter().copied().chain(measured);
            all.map(|wrong| (case.breaker, wrong))
        });
        let mut faults = String::new();
        for (breaker, (point, kind, centre, from, to)) in own {
            let (at, long) = (from * 60, (to - from) * 60);
            let _ = writeln!(
                faults,
                "[[fault]]\nkind = \"{kind}\"\ntarget = \"{breaker}.{point}\"\ncentre = \"{centre}\"\nat = \"{at}s\"\n\
                 for = \"{long}s\""
            );
        }
        for case in cases {
            let (from, to) = OUTAGES[0];
            for (code, at) in [("open", from), ("closed", to)] {
                let _ = writeln!(
                    faults,
                    "[[plant]]\ndo = \"set\"\npoint = \"{}.CB.POS\"\ncode = \"{code}\"\nat = \"{at}s\"\n",
                    case.breaker
                );
            }
        }
        let told = told_from(EVENING, &["CC", "A1"], scenario(&[], &faults));
        told.is_true("standing");
        for case in cases {
            let of_case = |(feeder, _): &(&Feeder, _)| feeder.name.to_string() == case.breaker;
            let (feeder, outages) = told.feeders().find(of_case).unwrap();
            let outage = outages.iter().find(|own| own.length() > SUSTAINED_MS).unwrap();
            let seen = outside(told.found.window, &feeder.unknown);
            let known = within(*outage, &seen) * 100 / outage.length();
            let (least, most) = case.known;
            assert!(least <= known && known <= most, "{}: {known} %", case.what);
        }
    }
}
