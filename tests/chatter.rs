//! Contacts of breakers that chatter, recorded while records are lost, at any rate; units that fail, and measurements
//! that freeze: what is said of supply is what happened, or it says that it is not known.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Timestamp;
use gridwatch::history::Span;
use gridwatch::history::reliability::{
    Feeder, FeederInterruption, InterruptionKind, Reliability, SUSTAINED_MS, Tally, reliability,
};
use gridwatch::recording::stretched;
use gridwatch::store::Reader;
use proptest::prelude::*;

use crate::keeping::record_without_values;
use crate::month::{MINUTE, START, Stage, Truth, outside, truth, within};
use crate::partition::edges;

/// What happens to feeders of one station, whose records come from its units.
#[derive(Debug, Clone)]
struct Story {
    /// Seconds between two reads of a point.
    scan_s: u16,
    /// How long it is, minutes.
    minutes: i64,
    /// Values are kept, too.
    values: bool,
    /// All of it happens a second time, to units that begin anew.
    twice: bool,
    /// Units record changes.
    rings: bool,
    faults: Vec<Fault>,
    /// Short circuits and openings by hand.
    actions: Vec<PlantAction>,
}

/// A fault of telemetry.
#[derive(Debug, Clone)]
struct Fault {
    /// Kind, target, and its parameter.
    what: (&'static str, &'static str, String),
    /// From when on and for how long, seconds.
    at: i64,
    long: i64,
}

/// What happens to a feeder: a short circuit, or it is open for so many seconds.
#[derive(Debug, Clone)]
struct PlantAction {
    bay: &'static str,
    at: i64,
    open: Option<i64>,
}

impl Story {
    fn scenario(&self) -> String {
        let mut text = "[rates]\nscale = 0\n".to_owned();
        for Fault { what: (kind, target, more), at, long } in &self.faults {
            let _ = writeln!(
                text,
                "[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\nat = \"{at}s\"\nfor = \"{long}s\"\n{more}"
            );
        }
        for PlantAction { bay, at, open } in &self.actions {
            let Some(long) = open else {
                let _ =
                    writeln!(text, "[[plant]]\ndo = \"strike\"\nbay = \"{bay}\"\nat = \"{at}s\"");
                continue;
            };
            for (code, at) in [("open", *at), ("closed", at + long)] {
                let _ = writeln!(
                    text,
                    "[[plant]]\ndo = \"set\"\npoint = \"{bay}.CB.POS\"\ncode = \"{code}\"\nat = \"{at}s\""
                );
            }
        }
        text
    }

    fn stages(&self) -> Vec<Stage> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
        let mut text = std::fs::read_to_string(file).unwrap();
        if !self.rings {
            text = text.replace("[link]\n", "[link]\nevents = false\n");
        }
        let province = Province::parse("small.toml", &text).unwrap();
        assert!(self.rings || !province.link.device.events, "it has no event rings");
        let province = Arc::new(stretched(province, f64::from(self.scan_s)));
        let starts = [START, START.plus((self.minutes + 1) * MINUTE)];
        let stage = |from: &Timestamp| Stage {
            province: Arc::clone(&province),
            scenario: self.scenario(),
            window: (*from, from.plus(self.minutes * MINUTE)),
        };
        starts.iter().take(1 + usize::from(self.twice)).map(stage).collect()
    }

    /// A moment lies where it is seen on either side of an edge: two scans.
    fn leave_ms(&self) -> i64 {
        2_000 * i64::from(self.scan_s) + 2_000
    }
}

/// Stretches, each longer at both ends.
fn wider(stretches: &[Span], by_ms: i64) -> Vec<Span> {
    stretches.iter().map(|own| Span::new(own.from.plus(-by_ms), own.to.plus(by_ms))).collect()
}

/// Holds a feeder against what truly happened: what is said to be dead was dead, what was dead is said to be or is not
/// known, and each interruption that is counted was one.
fn check(feeder: &Feeder, truth: &[Span], window: Span, leave_ms: i64) -> Result<(), String> {
    let told: Vec<Span> = feeder.interruptions.iter().flat_map(|own| own.dead.clone()).collect();
    let second = |at: Timestamp| at.since(window.from) / 1_000;
    let seconds = |all: &[Span]| -> Vec<(i64, i64)> {
        all.iter().map(|own| (second(own.from), second(own.to))).collect()
    };
    let what = || {
        let mut text = format!("{}: truth {:?}", feeder.name, seconds(truth));
        for own in &feeder.interruptions {
            let dead = seconds(&own.dead);
            let _ = write!(text, "\n{:?} of {dead:?} {:?}", own.kind, own.assumed);
        }
        let _ = write!(text, "\nunknown {:?}", seconds(&feeder.unknown));
        let _ = write!(text, "\nunrecorded {:?}", seconds(&feeder.unrecorded));
        text
    };
    for dead in &told {
        if within(*dead, &wider(truth, leave_ms)) < dead.length() {
            return Err(format!("{:?} was not dead; {}", seconds(&[*dead]), what()));
        }
    }
    let open = wider(&feeder.unknown, leave_ms).into_iter().chain(wider(&told, leave_ms));
    let mut open: Vec<Span> = open.collect();
    open.sort_by_key(|own| own.from);
    let hidden = wider(&feeder.unrecorded, leave_ms);
    for own in truth {
        let is_short = own.length() <= SUSTAINED_MS;
        let lost = outside(window, if is_short { &hidden } else { &[] });
        let unsaid = outside(*own, &open);
        let unsaid = unsaid.iter().any(|unsaid| within(*unsaid, &lost) > 0);
        if unsaid {
            return Err(format!("{:?} is not said; {}", seconds(&[*own]), what()));
        }
    }
    let counted =
        |kind: InterruptionKind| feeder.interruptions.iter().filter(move |own| own.kind == kind);
    let is_of = |own: &FeederInterruption, outage: &Span| {
        let told = Span::new(own.from, own.dead.last().map_or(own.from, |dead| dead.to));
        wider(&[*outage], leave_ms)[0].and(told).length() > 0
    };
    for (kind, is_long) in
        [(InterruptionKind::Sustained, true), (InterruptionKind::Momentary, false)]
    {
        for own in counted(kind) {
            let near = truth.iter().filter(|outage| is_of(own, outage));
            let fits = |outage: &&Span| {
                let limit = SUSTAINED_MS + if is_long { -leave_ms } else { leave_ms };
                (outage.length() > limit) == is_long
            };
            if near.clone().filter(fits).count() == 0 {
                let from = second(own.from);
                return Err(format!("{kind:?} from {from} was none; {}", what()));
            }
        }
    }
    Ok(())
}

/// What comes of a story.
struct Found {
    of: Reliability,
    whole: Tally,
    parts: Tally,
    truth: Truth,
}

impl Found {
    fn of(story: &Story, cuts: &[i64]) -> Self {
        let stages = story.stages();
        let folder = tempfile::tempdir().unwrap();
        for stage in &stages {
            if story.values {
                stage.record(folder.path());
            } else {
                let (province, scenario) = (&stage.province, stage.scenario());
                record_without_values(folder.path(), province, scenario, stage.window);
            }
        }
        let reader = Reader::open(folder.path()).unwrap();
        let window = Span::new(stages[0].window.0, stages[stages.len() - 1].window.1);
        let told = |(from, to)| {
            let span = Span::new(Timestamp(from), Timestamp(to));
            reliability(&reader, span, |_| true).unwrap()
        };
        let edges = edges((window.from.0, window.to.0), cuts);
        let mut parts = Tally::default();
        for part in edges.windows(2) {
            let part = told((part[0], part[1]));
            parts += part.tally(part.window, None);
        }
        let of = told((window.from.0, window.to.0));
        Self { whole: of.tally(window, None), of, parts, truth: truth(&stages) }
    }

    fn check(&self, leave_ms: i64) -> Result<(), String> {
        for feeder in &self.of.feeders {
            let name = (feeder.name.station.clone(), feeder.name.bay.clone());
            let truth = self.truth.get(&name).map_or(&[][..], Vec::as_slice);
            check(feeder, truth, self.of.window, leave_ms)?;
        }
        if self.parts != self.whole {
            return Err(format!("{:?} in parts, {:?} as a whole", self.parts, self.whole));
        }
        Ok(())
    }
}

fn chatter(target: &'static str, per_second: u32, at: i64, long: i64) -> Fault {
    let more = format!("per_second = {per_second}");
    Fault { what: ("T20", target, more), at, long }
}

fn fault(what: (&'static str, &'static str, &str), at: i64, long: i64) -> Fault {
    Fault { what: (what.0, what.1, what.2.to_owned()), at, long }
}

/// A breaker is opened by hand.
fn open(bay: usize, at: i64, long: i64) -> PlantAction {
    PlantAction { bay: FEEDERS[bay], at, open: Some(long) }
}

/// Seconds.
const HOUR: i64 = 3_600;

const FEEDERS: [&str; 3] = ["S2.22.471", "S2.22.472", "S2.22.473"];
const CONTACTS: [&str; 5] = [
    "S2.22.471.CB.POS",
    "S2.22.472.CB.POS",
    "S2.22.473.CB.POS",
    "S2.22.431.CB.POS",
    "S2.110.131.CB.POS",
];

fn stories() -> impl Strategy<Value = Story> {
    let rate = prop_oneof![Just(1_u32), Just(2), Just(5), Just(10), Just(20), Just(50)];
    let long = prop_oneof![20_i64..120, 120_i64..3_600, 3_600_i64..10_000];
    let more = prop_oneof![
        3 => Just(""),
        1 => Just("centre = \"CC\""),
        1 => Just("centre = \"A1\""),
        1 => Just("quality = \"BL\""),
        1 => Just("quality = \"BL\"\ncentre = \"A1\"")
    ];
    let chattering = (0_usize..5, rate, more, 60_i64..9_000, long.clone());
    let chattering = chattering.prop_map(|(n, rate, more, at, long)| {
        let Fault { what: (kind, contact, per_second), .. } = chatter(CONTACTS[n], rate, at, long);
        Fault { what: (kind, contact, format!("{per_second}\n{more}")), at, long }
    });
    let lost = prop_oneof![Just("0.3"), Just("0.8"), Just("1.0")];
    let one = prop_oneof![Just(""), Just("centre = \"CC\""), Just("centre = \"A1\"")];
    let other = prop_oneof![
        3 => (lost, 60_i64..9_000, long.clone()).prop_map(|(share, at, long)| {
            Fault { what: ("T23", "S2", format!("lost = {share}")), at, long }
        }),
        2 => (one, 60_i64..9_000, long.clone()).prop_map(|(centre, at, long)| {
            Fault { what: ("T01", "S2", centre.to_owned()), at, long }
        }),
        2 => (0_usize..5, 60_i64..9_000, long).prop_map(|(n, at, long)| {
            let (kind, target, more) = [
                ("T03", "S2", ""),
                ("T04", FEEDERS[1], "says = \"0B\""),
                ("T05", FEEDERS[1], ""),
                ("T08", "S2.22.471.I?", ""),
                ("T08", "S2.22.472.P", ""),
            ][n];
            Fault { what: (kind, target, more.to_owned()), at, long }
        }),
    ];
    let action =
        (0_usize..3, 30_i64..11_000, prop::option::of(prop_oneof![5_i64..200, 400_i64..3_000]));
    let action = action.prop_map(|(n, at, open)| PlantAction { bay: FEEDERS[n], at, open });
    let scan_s = prop_oneof![1 => Just(1_u16), 4 => Just(10), 2 => Just(60)];
    (
        scan_s,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.75),
        prop::collection::vec(chattering, 1..4),
        prop::collection::vec(other, 0..3),
        prop::collection::vec(action, 0..6),
    )
        .prop_map(|(scan_s, twice, values, mut faults, others, actions)| {
            faults.extend(others);
            Story { scan_s, minutes: 200, values, twice, rings: true, faults, actions }
        })
}

/// Feeders trip and reclose, one is opened for ten minutes, at a moment of so many seconds.
fn actions(at: i64) -> Vec<PlantAction> {
    vec![
        PlantAction { bay: FEEDERS[0], at, open: None },
        PlantAction { bay: FEEDERS[1], at: at + 90, open: None },
        PlantAction { bay: FEEDERS[1], at: at + 200, open: Some(600) },
        PlantAction { bay: FEEDERS[2], at: at + 300, open: Some(20) },
    ]
}

/// Seconds between scans, minutes, contacts and how often a second they change, from when on for how long; what else;
/// for how much of its time supply must be known, per mille: currents tell, but for what truly was without supply while
/// its contact chattered, and what nobody reached.
type Case = (u16, i64, &'static [(usize, u32)], (i64, i64), &'static [Other], u64);

/// A fault that takes records away: kind, parameter, from when on and for how long.
type Other = (&'static str, &'static str, i64, i64);

/// However fast contacts chatter and however rarely anybody looks, so that their records push each other out of the
/// ring; whatever else takes records away meanwhile.
#[test]
fn what_is_said_while_contacts_chatter_is_what_happened() {
    const LOST: &str = "lost = 0.9";
    let cases: [Case; 9] = [
        (10, 110, &[(1, 20)], (1_200, 3_600), &[], 960),
        (10, 60, &[(1, 50)], (1_200, 600), &[], 980),
        (1, 40, &[(1, 50)], (900, 300), &[], 980),
        (60, 100, &[(1, 5)], (1_200, 3_000), &[], 950),
        (60, 100, &[(0, 10), (1, 2), (3, 5)], (1_200, 3_000), &[], 930),
        (10, 80, &[(1, 5)], (1_200, 1_800), &[("T23", LOST, 1_500, 2_700)], 930),
        (
            10,
            80,
            &[(1, 20)],
            (1_200, 1_800),
            &[("T01", "", 1_000, 900), ("T01", "", 2_800, 600)],
            690,
        ),
        // No record comes any more.
        (10, 50, &[(1, 5)], (1_200, 600), &[("T23", "lost = 1.0", 1_500, 9_000)], 900),
        // Records wait to be read when it ends.
        (60, 60, &[(1, 20), (4, 2)], (1_200, 3_000), &[], 880),
    ];
    for (scan_s, minutes, contacts, (at, long), others, least) in cases {
        let contacts = contacts.iter().map(|(n, rate)| chatter(CONTACTS[*n], *rate, at, long));
        let others = others.iter().map(|(kind, more, at, long)| Fault {
            what: (kind, "S2", (*more).to_owned()),
            at: *at,
            long: *long,
        });
        let faults = contacts.chain(others).collect();
        let actions = [300, at + 300, at + long + 60].into_iter().flat_map(actions).collect();
        let twice = scan_s == 1;
        let story = Story { scan_s, minutes, values: true, twice, rings: true, faults, actions };
        let of_station = checked(&story);
        let known = 1_000 * of_station.known_ms / of_station.customer_ms;
        let recorded = 1_000 * of_station.recorded_ms / of_station.customer_ms;
        assert!(known >= least && recorded < 990, "{story:?}: {known}, {recorded} ‰ known");
        assert!(of_station.sustained.interruptions > 0 && of_station.momentary.interruptions > 0);
    }
}

/// A unit that fails records nothing, a gateway that hangs repeats what it had; current and power that freeze say nothing
/// against a contact; a contact that says open while a little flows is not believed; and one that chatters while the
/// breaker is open, or whose records nobody vouches for, or at one centre alone, makes no interruption.
#[test]
fn what_is_said_when_a_witness_fails_is_what_happened() {
    let twice = [open(1, 2_000, 1_200), open(1, 5_600, 2_400)];
    let frozen = [
        fault(("T08", "S2.22.472.IA", ""), 900, 4 * HOUR),
        fault(("T08", "S2.22.472.P", ""), 900, 4 * HOUR),
    ];
    let strike = PlantAction { bay: FEEDERS[1], at: 1_000, open: None };
    let short = |scan_s, more: &str| {
        let fault = fault(("T20", CONTACTS[1], &format!("per_second = 50\n{more}")), 4_000, 60);
        (scan_s, vec![fault], vec![open(1, 2_000, 6_000)])
    };
    let alone = |rate: u32, more: &str| {
        let fault =
            fault(("T20", CONTACTS[1], &format!("per_second = {rate}\n{more}")), 1_500, 2 * HOUR);
        (10, vec![fault], vec![strike.clone(), open(0, 4_000, 900)])
    };
    let gone = |kind, target, more: &str, scan_s| {
        (scan_s, vec![fault((kind, target, more), 2_600, 4_200)], twice.to_vec())
    };
    let stories = [
        gone("T04", FEEDERS[1], "says = \"0B\"", 10),
        gone("T04", FEEDERS[1], "says = \"com\"", 10),
        gone("T04", FEEDERS[1], "says = \"com\"", 60),
        gone("T05", FEEDERS[1], "", 10),
        gone("T05", FEEDERS[1], "", 60),
        gone("T03", "S2", "", 10),
        gone("T01", "S2", "", 10),
        (10, frozen.to_vec(), vec![open(1, 3_000, HOUR)]),
        (10, frozen[..1].to_vec(), vec![open(1, 3_000, HOUR)]),
        // All currents at once are one witness.
        (10, vec![fault(("T08", "S2.22.472.I?", ""), 900, 4 * HOUR)], vec![open(1, 3_000, HOUR)]),
        (60, vec![fault(("T08", "S2.22.472.I?", ""), 900, 4 * HOUR)], vec![open(1, 3_000, HOUR)]),
        // A contact that says closed before anything flows again ends no outage.
        (10, vec![fault(("T19", CONTACTS[1], ""), 3_240, 2 * HOUR)], vec![open(1, 3_000, 1_200)]),
        (10, vec![fault(("T19", CONTACTS[3], ""), 3_240, 2 * HOUR)], vec![open(1, 3_000, 1_200)]),
        short(60, ""),
        short(60, "centre = \"CC\""),
        short(10, "centre = \"CC\""),
        alone(50, "centre = \"A1\""),
        alone(20, "centre = \"CC\""),
        alone(20, "quality = \"BL\""),
        alone(2, "quality = \"BL\"\ncentre = \"A1\""),
        (10, vec![fault(("T19", CONTACTS[1], ""), 1_500, 2 * HOUR)], vec![strike.clone()]),
        (10, vec![fault(("T16", FEEDERS[2], ""), 1_500, 2 * HOUR)], vec![]),
    ];
    for (scan_s, faults, actions) in stories {
        let story = Story {
            scan_s,
            minutes: 200,
            values: true,
            twice: false,
            rings: true,
            faults,
            actions,
        };
        checked(&story);
    }
    // One of two openings that a link hid is told by its records; of one that a unit hid nobody can say.
    let known = |kind, target, more: &str| {
        let (scan_s, faults, actions) = gone(kind, target, more, 10);
        let of_station = checked(&Story {
            scan_s,
            minutes: 200,
            values: true,
            twice: false,
            rings: true,
            faults,
            actions,
        });
        of_station.sustained.customer_ms / 1_000 / 104
    };
    assert_eq!(known("T01", "S2", ""), 3_600);
    assert!((1_200..2_400).contains(&known("T05", FEEDERS[1], "")));
    // What two centres have by clocks eight seconds apart is one, though one of them loses records.
    let faults = vec![
        fault(("T22", FEEDERS[1], "seconds = -8\ncentre = \"A1\""), 600, 3 * HOUR),
        fault(("T20", CONTACTS[0], "per_second = 20\ncentre = \"CC\""), 900, 3 * HOUR),
    ];
    let strikes = (1..6).map(|n| PlantAction { at: n * 1_900, ..strike.clone() }).collect();
    let story = Story {
        scan_s: 10,
        minutes: 200,
        values: true,
        twice: false,
        rings: true,
        faults,
        actions: strikes,
    };
    assert_eq!(checked(&story).momentary.interruptions, 5);
}

/// What no record tells at either end is none, though nothing is measured, or it is short.
#[test]
fn what_only_polls_saw_is_no_interruption() {
    let shifted = |at: &str, gone: &str| {
        [
            fault(("T16", FEEDERS[2], &format!("centre = \"{at}\"")), 1_500, 2 * HOUR),
            fault(("T01", "S2", &format!("centre = \"{gone}\"")), 1_000, 3 * HOUR),
        ]
    };
    let strike = PlantAction { bay: FEEDERS[1], at: 1_000, open: None };
    let stories = [
        (10, shifted("A1", "CC").to_vec(), vec![]),
        (10, shifted("A1", "CC").to_vec(), vec![open(2, 300, 20), strike]),
        (60, shifted("CC", "A1").to_vec(), vec![open(2, 300, 20), open(2, 10_000, 900)]),
        (10, vec![fault(("T30", FEEDERS[2], ""), 1_500, 2 * HOUR)], vec![]),
        (10, vec![fault(("T30", FEEDERS[2], ""), 1_500, 2 * HOUR)], vec![open(2, 300, 20)]),
        (60, vec![fault(("T16", FEEDERS[2], ""), 1_500, 20)], vec![open(2, 300, 20)]),
        (60, vec![fault(("T16", FEEDERS[2], ""), 1_530, 20)], vec![]),
        // A contact turned round, for less than a minute, or a few scans, or within an outage.
        (10, vec![fault(("T19", CONTACTS[1], ""), 1_500, 30)], vec![]),
        (10, vec![fault(("T19", CONTACTS[1], ""), 1_503, 30)], vec![open(1, 300, 20)]),
        (60, vec![fault(("T19", CONTACTS[1], ""), 1_500, 200)], vec![]),
        (60, vec![fault(("T19", CONTACTS[1], ""), 3_300, 120)], vec![open(1, 3_000, 1_200)]),
        (10, vec![fault(("T19", CONTACTS[1], ""), 3_300, 30)], vec![open(1, 3_000, 1_200)]),
    ];
    for (scan_s, faults, actions) in stories {
        let (minutes, values) = (200, true);
        checked(&Story { scan_s, minutes, values, twice: false, rings: true, faults, actions });
    }
}

/// The ring of one centre is a witness of what another one says; a gateway that hangs says nothing since its last beat; what
/// nothing bears out next to it may have begun earlier.
#[test]
fn what_one_centre_says_is_held_against_what_another_one_recorded() {
    let (cc, a1) = ("centre = \"CC\"", "centre = \"A1\"");
    let turned = |at, long, more| fault(("T19", CONTACTS[1], more), at, long);
    let frozen = |at, long, more| fault(("T08", CONTACTS[1], more), at, long);
    let gone = |more| fault(("T01", "S2", more), 2_000, HOUR);
    let mut stories = Vec::new();
    for scan_s in [10, 60] {
        let mut story = |faults: Vec<Fault>, actions: Vec<PlantAction>| {
            stories.push((scan_s, faults, actions));
        };
        // A gateway hangs for one centre just before or behind a switching.
        for at in [2_990, 3_300, 3_410] {
            story(vec![fault(("T03", "S2", cc), at, 1_800)], vec![open(1, 3_000, 420)]);
            story(vec![fault(("T03", "S2", a1), at, 1_800)], vec![open(1, 3_000, 420)]);
        }
        // A contact is turned round or stuck at one, while the other one is lost, and afterwards tells all.
        story(vec![gone(cc), turned(3_000, 1_200, a1)], vec![]);
        story(vec![gone(a1), turned(3_000, 1_200, cc)], vec![]);
        story(vec![gone(cc), turned(2_600, 1_200, a1)], vec![open(1, 1_900, 1_200)]);
        story(vec![gone(cc), frozen(3_500, 1_500, a1)], vec![open(1, 3_200, 900)]);
        // Turned round for some scans, alone or within an outage.
        story(vec![turned(3_000, 120, cc)], vec![]);
        story(vec![turned(3_000, 60, a1)], vec![]);
        story(vec![turned(3_006, 40, a1)], vec![open(1, 2_400, 1_200)]);
        // Its beginning is hidden, and it lasts longer than it was seen to.
        story(vec![frozen(2_970, 130, "")], vec![open(1, 3_000, 390)]);
        // Nothing is measured while it is hidden.
        let lost = fault(("T01", "S2", cc), 2_964, 3_000);
        story(vec![frozen(2_963, 4_200, ""), lost], vec![open(1, 3_001, HOUR)]);
        // Another device answers, and what is measured in the same unit with it.
        let down = fault(("T05", FEEDERS[0], cc), 2_970, 300);
        story(vec![fault(("T16", FEEDERS[0], "by = 4"), 3_000, 1_149), down], vec![]);
        story(vec![fault(("T16", FEEDERS[0], ""), 3_000, 1_800)], vec![]);
    }
    stories.push((1, vec![fault(("T03", "S2", cc), 990, 1_800)], vec![open(1, 1_000, 420)]));
    stories.push((1, vec![turned(1_006, 12, a1)], vec![open(1, 600, 1_200)]));
    for (scan_s, faults, actions) in stories {
        let (minutes, values) = (if scan_s == 1 { 60 } else { 120 }, true);
        checked(&Story { scan_s, minutes, values, twice: false, rings: true, faults, actions });
    }
    // A gateway hangs that could not be seen to, but for the other centre; units without records; and one that fails
    // while values are not kept, so that nothing tells of a closing.
    let hung = fault(("T03", "S2", ""), 2_000, 2 * HOUR);
    let mute = fault(("T04", FEEDERS[1], ""), 2_600, HOUR);
    let strike = |at| PlantAction { bay: FEEDERS[0], at, open: None };
    for scan_s in [10, 60] {
        let others = [
            (true, false, vec![hung.clone()], vec![open(1, 2_300, 1_800)]),
            (true, false, vec![], vec![strike(1_000), strike(5_000), open(2, 3_000, 1_200)]),
            (false, true, vec![mute.clone()], vec![open(1, 2_000, 1_800)]),
        ];
        for (values, rings, faults, actions) in others {
            let minutes = 180;
            checked(&Story { scan_s, minutes, values, twice: false, rings, faults, actions });
        }
    }
}

/// What is said of the station, held against what happened.
fn checked(story: &Story) -> Tally {
    let found = Found::of(story, &[1_111_111, 2_222_222]);
    if let Err(error) = found.check(story.leave_ms()) {
        panic!("{story:?}: {error}");
    }
    found.of.tally(found.of.window, Some("S2"))
}

/// Without values nothing is known but what records say: none says anything of how long it is so over a gap.
#[test]
fn records_alone_prove_nothing_over_records_that_were_lost() {
    let losses: [&[Other]; 3] = [
        &[],
        &[("T23", "lost = 0.5", 200, 1_000)],
        &[("T23", "lost = 0.8", 100, 2_500), ("T01", "", 900, 600)],
    ];
    for others in losses {
        let others = others.iter().map(|(kind, more, at, long)| Fault {
            what: (kind, "S2", (*more).to_owned()),
            at: *at,
            long: *long,
        });
        let faults = std::iter::once(chatter(CONTACTS[1], 50, 1_300, 300)).chain(others).collect();
        let actions = [300, 1_000, 1_700].into_iter().flat_map(actions).collect();
        let story = Story {
            scan_s: 10,
            minutes: 50,
            values: false,
            twice: false,
            rings: true,
            faults,
            actions,
        };
        let of_station = checked(&story);
        assert!(of_station.known_ms > 0 && of_station.known_ms < of_station.customer_ms);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    #[ignore = "a campaign of an hour"]
    fn what_is_said_while_contacts_chatter_is_what_happened_in_many_histories(
        (story, cuts) in (stories(), prop::collection::vec(any::<i64>(), 1..4))
    ) {
        let found = Found::of(&story, &cuts);
        found.check(story.leave_ms()).map_err(TestCaseError::fail)?;
    }
}
