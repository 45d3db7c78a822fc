//! Judged of counters over made-up series, against what truly flowed.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use signal::clock::Timestamp;

use super::meter::Meter;
use super::steps::{CONTEXT_MS, Drawn, Judged, Odd, Oddity, Reading, Said, Step, flowing, steps};
use super::{Span, counts, merged, unknown};

/// A counter is read each minute.
const MINUTE_MS: i64 = 60_000;
const KWH: i64 = 1_000;
/// Counts of a register of 32 bits.
const FULL: i64 = 1 << 32;
/// A feeder of 30 MW, whose power is measured within 50 kW.
const MOST_KW: f64 = 30_000.0;
const ERROR_KW: f64 = 50.0;
/// It carries 3 MW: 50 kWh a minute.
const PER_MINUTE: i64 = 50;
/// What is not seen of a step: what flows in two seconds, and a count at either end.
const UNSEEN_KWH: i64 = 2 * 17 + 2;

fn at(minute: i64) -> Timestamp {
    Timestamp(minute * MINUTE_MS)
}

/// Readings in kilowatt hours, a minute apart; `None`: none came.
fn judged(kwh: &[Option<i64>], power: Option<f64>) -> Judged {
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    let came = kwh.iter().zip(0_i64..).filter_map(|(kwh, minute)| Some(((*kwh)?, minute)));
    let readings: Vec<Reading> = came
        .map(|(kwh, minute)| Reading { at: at(minute), said: meter.reading(as_value(kwh)) })
        .collect();
    let drawn: Vec<Drawn> = (0..readings.len())
        .map(|n| {
            let ms = n.checked_sub(1).map_or(0, |before| readings[n].at.since(readings[before].at));
            power.map_or(Drawn::default(), |kw| {
                let wh = flowing(kw, ms);
                Drawn { least: wh, most: wh, known_ms: ms, ..Drawn::default() }
            })
        })
        .collect();
    steps(&meter, &readings, &drawn)
}

#[expect(clippy::cast_precision_loss, reason = "registers of 32 bits")]
fn as_value(kwh: i64) -> f64 {
    kwh as f64
}

fn sum(steps: &[Step]) -> i64 {
    steps.iter().filter_map(|step| step.wh).sum::<i64>() / KWH
}

/// Minutes of which it is not known what was counted.
fn not_known(steps: &[Step]) -> i64 {
    let unknown = steps.iter().filter(|step| step.wh.is_none());
    unknown.map(|step| step.span.length()).sum::<i64>() / MINUTE_MS
}

/// More than a day, minutes: which of two series is the counter's own is known when both were shown for so long.
const SHOWN: i64 = 1_500;

/// A counter that counts well for more than a day, and is altered from then on: in an hour, and in what comes behind.
fn hour(from: i64, behind: i64, alter: impl Fn(i64, i64) -> Option<i64>) -> Vec<Option<i64>> {
    let shown = |minute| {
        let kwh = from + PER_MINUTE * minute;
        if minute < 0 { Some(kwh) } else { alter(minute, kwh) }
    };
    (-SHOWN..=60 + behind).map(shown).collect()
}

const WHOLE: i64 = 60 * PER_MINUTE;
const FROM: i64 = 81_234_567;

/// What was done to a counter that counts well.
type Alter = fn(i64, i64) -> Option<i64>;

/// A family of faults: where it begins, what is done to it, which sum must come of it, how many minutes are not
/// known, and what is remarked.
type Family = (&'static str, i64, Alter, i64, i64, &'static [(Oddity, bool)]);

/// Whether the counter shows the fault: ten minutes from the twentieth on.
fn meanwhile(minute: i64) -> bool {
    (20..30).contains(&minute)
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn families() -> Vec<Family> {
    use Oddity::{Frozen, Jump, NotAvailable, Replaced, Reset, StepBack, Wrapped};
    vec![
        ("nothing", FROM, |_, kwh| Some(kwh), WHOLE, 0, &[]),
        (
            "a moment of zero",
            FROM,
            |minute, kwh| Some(if minute == 20 { 0 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "ten minutes of zero",
            FROM,
            |minute, kwh| Some(if meanwhile(minute) { 0 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "ten minutes of zero, and the register could have begun again meanwhile",
            100_010 - 29 * PER_MINUTE,
            |minute, kwh| Some(if meanwhile(minute) { 0 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "two moments of zero",
            FROM,
            |minute, kwh| Some(if minute == 20 || minute == 24 { 0 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true), (NotAvailable, true)],
        ),
        (
            "all bits",
            FROM,
            |minute, kwh| Some(if meanwhile(minute) { FULL - 1 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "all bits but the highest",
            FROM,
            |minute, kwh| Some(if minute == 20 || minute == 45 { FULL / 2 - 1 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true), (NotAvailable, true)],
        ),
        (
            "the highest bit alone",
            FROM,
            |minute, kwh| Some(if minute == 20 { FULL / 2 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "another value for a moment",
            FROM,
            |minute, kwh| Some(if minute == 20 { 7_654_321 } else { kwh }),
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "a higher value for a moment",
            FROM,
            |minute, kwh| Some(if minute == 20 { kwh + 9_000_000 } else { kwh }),
            WHOLE,
            0,
            &[(Jump, true)],
        ),
        (
            "a reset",
            FROM,
            |minute, kwh| Some(if minute < 20 { kwh } else { PER_MINUTE * (minute - 20) + 10 }),
            WHOLE - PER_MINUTE,
            1,
            &[(Reset, false)],
        ),
        (
            "a reset that is at nothing at first",
            FROM,
            |minute, kwh| Some(if minute < 20 { kwh } else { PER_MINUTE * (minute - 20) }),
            WHOLE - 2 * PER_MINUTE,
            2,
            &[(NotAvailable, false), (Reset, false)],
        ),
        (
            "a reset, and the true count again after half an hour",
            FROM,
            |minute, kwh| {
                Some(if (20..50).contains(&minute) { PER_MINUTE * (minute - 20) + 10 } else { kwh })
            },
            WHOLE,
            0,
            &[(NotAvailable, true)],
        ),
        (
            "a meter replaced by a used one",
            FROM,
            |minute, kwh| Some(if minute < 20 { kwh } else { kwh - 40_000_000 }),
            WHOLE - PER_MINUTE,
            1,
            &[(Replaced, false)],
        ),
        (
            "a meter replaced by one that shows more",
            FROM,
            |minute, kwh| Some(if minute < 20 { kwh } else { kwh + 40_000_000 }),
            WHOLE - PER_MINUTE,
            1,
            &[(Jump, false)],
        ),
        (
            "a register of 32 bits is full",
            FULL - 1_020,
            |_, kwh| Some(kwh % FULL),
            WHOLE,
            0,
            &[(Wrapped, true)],
        ),
        (
            "a register of six digits is full",
            999_000 - 20,
            |_, kwh| Some(kwh % 1_000_000),
            WHOLE,
            0,
            &[(Wrapped, true)],
        ),
        (
            "a register of eight digits is full",
            99_999_000 - 20,
            |_, kwh| Some(kwh % 100_000_000),
            WHOLE,
            0,
            &[(Wrapped, true)],
        ),
        (
            "one unit back",
            FROM,
            |minute, kwh| Some(if minute == 20 { kwh - PER_MINUTE - 1 } else { kwh }),
            WHOLE,
            0,
            &[(StepBack, true)],
        ),
        (
            "frozen for ten minutes",
            FROM,
            |minute, kwh| Some(if meanwhile(minute) { FROM + 20 * PER_MINUTE } else { kwh }),
            WHOLE,
            0,
            &[(Frozen, true)],
        ),
        (
            "frozen to the end",
            FROM,
            |minute, kwh| Some(kwh.min(FROM + 20 * PER_MINUTE).max(kwh.min(minute))),
            19 * PER_MINUTE,
            41,
            &[(Frozen, false)],
        ),
        ("no readings", FROM, |minute, kwh| (!meanwhile(minute)).then_some(kwh), WHOLE, 0, &[]),
    ]
}

#[test]
fn every_family_of_faults_is_recognised() {
    for (family, from, alter, kwh, minutes, odd) in families() {
        let behind = if family == "frozen to the end" { 0 } else { SHOWN };
        let kwh = kwh + PER_MINUTE * (SHOWN + behind);
        let Judged { steps, odd: found, .. } = judged(&hour(from, behind, alter), Some(3_000.0));
        assert_eq!(sum(&steps), kwh, "{family}: {found:?}");
        assert_eq!(not_known(&steps), minutes, "{family}: {found:?}");
        let found: Vec<(Oddity, bool)> = found.iter().map(|odd| (odd.what, odd.is_known)).collect();
        assert_eq!(found, odd, "{family}");
    }
}

#[test]
fn without_power_what_can_flow_decides() {
    for (family, from, alter, kwh, minutes, _) in families() {
        let behind = if family == "frozen to the end" { 0 } else { SHOWN };
        let Judged { steps, odd, .. } = judged(&hour(from, behind, alter), None);
        let (kwh, minutes) = match family {
            // Nobody can know that it had only so many digits.
            "a register of six digits is full" | "a register of eight digits is full" => {
                (WHOLE - PER_MINUTE, 1)
            }
            _ => (kwh, minutes),
        };
        let kwh = kwh + PER_MINUTE * (SHOWN + behind);
        assert_eq!((sum(&steps), not_known(&steps)), (kwh, minutes), "{family}: {odd:?}");
    }
}

#[test]
fn a_frozen_counter_that_catches_up_after_hours_is_not_known_meanwhile() {
    let day = (0..=1_440).map(|minute| {
        let kwh = FROM + PER_MINUTE * minute;
        Some(if (300..900).contains(&minute) { FROM + PER_MINUTE * 300 } else { kwh })
    });
    let Judged { steps, odd, .. } = judged(&day.collect::<Vec<_>>(), Some(3_000.0));
    assert_eq!(sum(&steps), PER_MINUTE * (1_440 - 601));
    assert_eq!(not_known(&steps), 601);
    let frozen = Odd { what: Oddity::Frozen, span: Span::new(at(299), at(899)), is_known: false };
    assert_eq!(odd[0], frozen);
}

#[test]
fn at_night_less_flows_than_power_can_prove_and_a_frozen_counter_is_found_by_day() {
    // 30 kW flow for eight hours, 3 MW otherwise; the counter stands all the time.
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    let readings: Vec<Reading> = (0..=1_440)
        .map(|minute| Reading { at: at(minute), said: Said::Count(FROM * KWH) })
        .collect();
    let drawn: Vec<Drawn> = (0..=1_440)
        .map(|minute| {
            let wh = flowing(if minute < 480 { 30.0 } else { 3_000.0 }, MINUTE_MS);
            Drawn { least: wh, most: wh, known_ms: MINUTE_MS, ..Drawn::default() }
        })
        .collect();
    let found = steps(&meter, &readings, &drawn);
    assert_eq!(not_known(&found.steps), 1_440);
    assert_eq!(found.odd.len(), 1, "one remark: {:?}", found.odd);
}

#[test]
fn what_flowed_while_a_counter_stood_is_not_hidden_by_a_day_without_load() {
    // 1.6 MW flow for two hours and three quarters, then the breaker is open; the counter stands all the time.
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    for (flows, from) in [(165, 0), (165, 700), (60, 300)] {
        let last = 2_400;
        let readings = (0..=last).map(|minute| {
            let moves = if minute < 30 { minute } else { 30 };
            Reading { at: at(minute), said: Said::Count((FROM + moves) * KWH) }
        });
        let drawn = (0..=last).map(|minute| {
            let is_flowing = (30 + from..30 + from + flows).contains(&minute) || minute < 30;
            let wh = flowing(if is_flowing { 1_600.0 } else { 0.0 }, MINUTE_MS);
            let wh = if minute < 30 { 1_000.0 } else { wh };
            Drawn { least: wh, most: wh, known_ms: MINUTE_MS, ..Drawn::default() }
        });
        let found = steps(&meter, &readings.collect::<Vec<_>>(), &drawn.collect::<Vec<_>>());
        let known = found.steps.iter().filter(|step| step.wh.is_some());
        let none = |step: &&Step| step.wh == Some(0);
        let first = known.clone().find(none).map(|step| step.span.from);
        // A day behind what flowed nothing speaks against the counter any more.
        let until = at(30 + from + flows + 1_440);
        assert!(first.is_none_or(|first| first.since(until).abs() <= 10 * MINUTE_MS), "{first:?}");
        assert_eq!(known.filter(none).count() > 0, until < at(last), "{flows} {from}");
    }
}

#[test]
fn what_is_made_good_behind_a_standstill_is_of_that_time() {
    // 600 kW flow, of which a minute is ten counts; it stands from the 300th minute on, and then shows what it should.
    let day = |stands: i64, power: Option<f64>| {
        let kwh = move |minute: i64| FROM + 10 * minute;
        let minutes = 0..=1_440_i64;
        let shown = move |minute: i64| {
            if (300..300 + stands).contains(&minute) { kwh(300) } else { kwh(minute) }
        };
        judged(&minutes.map(|minute| Some(shown(minute))).collect::<Vec<_>>(), power)
    };
    for stands in [2, 5, 8, 15, 30, 55, 58, 70, 300] {
        for power in [Some(600.0), None] {
            let Judged { steps, odd, .. } = day(stands, power);
            let (counted, missing) = (sum(&steps), not_known(&steps));
            // What is told as known is all that flowed then.
            assert_eq!(counted, 10 * (1_440 - missing), "{stands} {power:?}: {odd:?}");
        }
    }
}

#[test]
fn two_series_in_turn_cannot_be_told_apart() {
    let other = |minute: i64, kwh: i64| Some(if minute % 2 == 0 { kwh } else { kwh / 3 });
    let shown: Vec<_> = (0..=60).map(|minute| other(minute, FROM + PER_MINUTE * minute)).collect();
    let Judged { steps, .. } = judged(&shown, None);
    assert_eq!((sum(&steps), not_known(&steps)), (0, 60));
}

#[test]
fn another_counter_that_a_device_shows_is_none_while_its_power_is_wrong() {
    // From the 1 700th minute on for so long, a third of it all; its power is found to be wrong a minute later.
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    for lasts in [2, 30, 59, 90, 600, 1_440, 2_800] {
        let is_other = |minute: i64| (1_700..1_700 + lasts).contains(&minute);
        let shown = |minute: i64| {
            let kwh = FROM + PER_MINUTE * minute;
            if is_other(minute) { kwh / 3 } else { kwh }
        };
        let all = 0..=6_200_i64;
        let reading = |minute| Reading { at: at(minute), said: Said::Count(shown(minute) * KWH) };
        let readings: Vec<Reading> = all.clone().map(reading).collect();
        let power = |minute: i64| {
            if is_other(minute - 1) || is_other(minute) {
                return Drawn { is_wrong: minute > 1_701, ..Drawn::default() };
            }
            let wh = flowing(3_000.0, MINUTE_MS);
            Drawn { least: wh, most: wh, known_ms: MINUTE_MS, ..Drawn::default() }
        };
        let drawn: Vec<Drawn> = all.map(power).collect();
        let Judged { steps, odd, .. } = super::steps::steps(&meter, &readings, &drawn);
        let known = 6_200 - not_known(&steps);
        let off = (sum(&steps) - PER_MINUTE * known).abs();
        // The minute in which nobody has found it yet counts a third.
        assert!(off <= PER_MINUTE, "{lasts}: {off} kWh off, {odd:?}");
        assert!(known >= 6_200 - lasts - 2, "{lasts}: the rest is known, {known}");
    }
}

#[test]
fn another_series_for_some_hours_is_none_when_the_counter_is_back() {
    for lasts in [61, 90, 600, 1_200] {
        for power in [None, Some(3_000.0)] {
            let shown = (0..=4_320_i64).map(|minute| {
                let kwh = FROM + PER_MINUTE * minute;
                Some(if (300..300 + lasts).contains(&minute) { kwh / 3 } else { kwh })
            });
            let Judged { steps, odd, .. } = judged(&shown.collect::<Vec<_>>(), power);
            let known = 4_320 - not_known(&steps);
            assert_eq!(sum(&steps), PER_MINUTE * known, "{lasts} {power:?}: {odd:?}");
            assert_eq!(known, 4_320 - lasts - 1, "{lasts} {power:?}: the rest is known");
        }
    }
}

#[test]
fn a_series_that_counts_what_the_other_one_lacks_is_the_same_counter() {
    // It begins at nothing, or is cut to five digits, and counts on; what it was before is back after some hours.
    for power in [None, Some(3_000.0)] {
        for cut in [None, Some(100_000)] {
            let shown = (0..=4_320_i64).map(|minute| {
                let kwh = FROM + PER_MINUTE * minute;
                let other = cut.map_or(PER_MINUTE * (minute - 1_800), |digits| kwh % digits);
                Some(if (1_800..2_200).contains(&minute) { other } else { kwh })
            });
            let Judged { steps, odd, .. } = judged(&shown.collect::<Vec<_>>(), power);
            let missing = not_known(&steps);
            assert_eq!(sum(&steps), PER_MINUTE * (4_320 - missing), "{cut:?} {power:?}: {odd:?}");
            assert!(missing <= 3, "{cut:?} {power:?}: {missing}");
        }
    }
}

#[test]
fn which_of_two_series_is_the_counters_own_is_known_when_both_were_shown_for_a_day() {
    // The counter shows another one from a moment on, up to the end.
    for (from, long) in [(100, 3_000), (1_700, 4_000), (1_700, 3_000), (3_000, 3_100)] {
        for power in [None, Some(3_000.0)] {
            for small in [false, true] {
                let shown = (0..=long).map(|minute| {
                    let kwh = FROM + PER_MINUTE * minute;
                    let other = if small { 4_000 + minute } else { kwh / 3 };
                    Some(if minute >= from { other } else { kwh })
                });
                let Judged { steps, .. } = judged(&shown.collect::<Vec<_>>(), power);
                let is_known = |minute: i64| {
                    let step = steps.iter().find(|step| step.span.to == at(minute));
                    step.is_some_and(|step| step.wh.is_some())
                };
                let what = format!("{from} of {long}, {power:?}, {small}");
                assert_eq!(is_known(from - 1), from > 1_440, "{what}");
                // Neither agrees with the power.
                let behind = long - from > 1_440 && power.is_none();
                assert_eq!(is_known(from + 2), behind, "{what}");
            }
        }
    }
}

#[test]
fn a_counter_that_fell_to_nothing_says_nothing_until_it_moves() {
    let shown = (0..=3_000).map(|minute| {
        let kwh = FROM + PER_MINUTE * minute;
        Some(match minute {
            1_700..2_000 => 0,
            2_000.. => PER_MINUTE * (minute - 2_000) + 10,
            _ => kwh,
        })
    });
    // Its power is nothing, too, which both have from another device.
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    let shown: Vec<Option<i64>> = shown.collect();
    let drawn: Vec<Drawn> = (0..=3_000)
        .map(|minute| {
            let kw = if (1_700..=2_000).contains(&minute) { 0.0 } else { 3_000.0 };
            let wh = flowing(kw, MINUTE_MS);
            Drawn { least: wh, most: wh, known_ms: MINUTE_MS, ..Drawn::default() }
        })
        .collect();
    let readings: Vec<Reading> = (0..)
        .zip(&shown)
        .map(|(minute, kwh)| Reading { at: at(minute), said: Said::Count(kwh.unwrap() * KWH) })
        .collect();
    let Judged { steps, odd, .. } = super::steps::steps(&meter, &readings, &drawn);
    let missing = not_known(&steps);
    assert!((300..=301).contains(&missing), "{missing}: {odd:?}");
}

#[test]
fn readings_of_bad_quality_are_none() {
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    let readings: Vec<Reading> = (0..=60)
        .map(|minute| {
            let said = match minute {
                10 => Said::Flagged,
                20 => Said::OutOfRange,
                30 => Said::NoValue,
                _ => Said::Count(KWH * (FROM + PER_MINUTE * minute)),
            };
            Reading { at: at(minute), said }
        })
        .collect();
    let found = steps(&meter, &readings, &vec![Drawn::default(); readings.len()]);
    assert_eq!((sum(&found.steps), not_known(&found.steps)), (WHOLE, 0));
    let found: Vec<Oddity> = found.odd.iter().map(|odd| odd.what).collect();
    assert_eq!(found, [Oddity::Flagged, Oddity::OutOfRange, Oddity::NotAvailable]);
}

/// What may go wrong with a counter: from a reading on, for so many.
#[derive(Debug, Clone)]
enum Fault {
    Zero,
    Missing,
    AllBits,
    Spike(i64),
    Frozen,
    Back(i64),
    /// From then on it shows something else.
    Reset,
    Replaced(i64),
}

const READINGS: usize = 600;
const MINUTES: i64 = 600;

fn fault() -> impl Strategy<Value = (Fault, usize, usize)> {
    let kind = prop_oneof![
        Just(Fault::Zero),
        Just(Fault::Missing),
        Just(Fault::AllBits),
        (1_i64..FULL).prop_map(Fault::Spike),
        Just(Fault::Frozen),
        (1_i64..400).prop_map(Fault::Back),
        Just(Fault::Reset),
        (1_i64..FULL).prop_map(Fault::Replaced),
    ];
    (kind, 1..READINGS, prop_oneof![Just(1_usize), 1_usize..10, 1_usize..200])
}

/// What a counter truly counted, minute by minute, and what it showed.
fn shown(
    mut register: i64,
    kw: &[i64],
    faults: &[(Fault, usize, usize)],
) -> (Vec<i64>, Vec<Option<i64>>) {
    let mut truth = vec![0];
    let mut shown: Vec<Option<i64>> = vec![Some(register % FULL)];
    let mut wh = 0;
    let mut held = None;
    for n in 1..60 * (kw.len() - 1) {
        let minute = kw[n / 60] * KWH / 60;
        wh += minute;
        truth.push(wh);
        for (fault, from, _) in faults.iter().filter(|(_, from, _)| *from == n) {
            match fault {
                Fault::Reset => register = -wh / KWH,
                Fault::Replaced(other) => register = *other,
                Fault::Frozen => held = shown[from - 1],
                _ => {}
            }
        }
        let kwh = (register + wh / KWH).rem_euclid(FULL);
        let active = faults.iter().filter(|(_, from, long)| (*from..from + long).contains(&n));
        let mut told = Some(kwh);
        for (fault, ..) in active {
            told = match fault {
                Fault::Zero => Some(0),
                Fault::Missing => None,
                Fault::AllBits => Some(FULL - 1),
                Fault::Spike(other) => Some(*other),
                Fault::Frozen => held.or(told),
                Fault::Back(by) => told.map(|kwh| (kwh - by).max(1)),
                Fault::Reset | Fault::Replaced(_) => told,
            };
        }
        shown.push(told);
    }
    (truth, shown)
}

/// What a case of chance is made of: the register, the load hour by hour, faults, and cuts of the window.
type Case = (i64, Vec<i64>, Vec<(Fault, usize, usize)>, Vec<i64>);

fn case() -> impl Strategy<Value = Case> {
    (
        prop_oneof![1_000_000..FULL, FULL - 20_000..FULL],
        prop::collection::vec(2_000_i64..20_000, READINGS / 60 + 1),
        prop::collection::vec(fault(), 0..6),
        prop::collection::vec(0..MINUTES * MINUTE_MS, 0..8),
    )
}

/// Whether it is no number that a counter shows in place of what it counted.
fn is_number(kwh: i64) -> bool {
    ![0, FULL - 1, FULL / 2, FULL / 2 - 1].contains(&kwh)
}

/// What the measured power leaves open over the gaps between readings from one minute to another, watt hours: so
/// much a counter may lose or gain in them, and nobody can tell, if it happens where no reading comes.
fn left_open(readings: &[Reading], truth: &[i64], (from, to): (usize, usize)) -> i64 {
    let minute = |reading: &Reading| usize::try_from(reading.at.0 / MINUTE_MS).unwrap();
    let is_number =
        |reading: &&Reading| matches!(reading.said, Said::Count(wh) if is_number(wh / KWH));
    let numbers = readings.iter().filter(is_number).map(minute).filter(|n| from < *n && *n < to);
    let numbers: Vec<usize> = std::iter::once(from).chain(numbers).chain([to]).collect();
    let gaps = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1);
    gaps.map(|pair| {
        let flowed = truth[pair[1]] - truth[pair[0]];
        let minutes = i64::try_from(pair[1] - pair[0]).unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "watt hours")]
        let error = flowing(ERROR_KW, minutes * MINUTE_MS) as i64;
        flowed / 40 + error
    })
    .sum()
}

/// Whether every fault begins and ends where readings come that show it.
fn all_are_seen(shown: &[Option<i64>], faults: &[(Fault, usize, usize)]) -> bool {
    let comes = |n: usize| shown.get(n).is_none_or(|kwh| kwh.is_some_and(is_number));
    let changes_nothing =
        |fault: &Fault| matches!(fault, Fault::Missing | Fault::Zero | Fault::AllBits);
    faults.iter().filter(|(fault, ..)| !changes_nothing(fault)).all(|(fault, from, long)| {
        let is_for_good = matches!(fault, Fault::Reset | Fault::Replaced(_));
        let end = if is_for_good { *from } else { from + long };
        comes(from - 1) && comes(*from) && comes(end.saturating_sub(1)) && comes(end)
    })
}

/// Holds what is known of a case against what truly flowed. `may_hide`: where a fault begins or ends in a gap, what the
/// measured power leaves open there may be wrong (docs/history.md): one case in some thousands.
fn judge((register, kw, faults, cuts): Case, may_hide: bool) -> Result<(), TestCaseError> {
    let (truth, shown) = shown(register, &kw, &faults);
    let meter = Meter::for_trial(MOST_KW, ERROR_KW);
    let mut readings = Vec::new();
    let mut drawn = Vec::new();
    let mut since = 0;
    for (n, kwh) in shown.iter().enumerate() {
        let Some(kwh) = kwh else { continue };
        let minute = i64::try_from(n).unwrap();
        readings.push(Reading { at: at(minute), said: meter.reading(as_value(*kwh)) });
        let wh = as_value(truth[n] - truth[since]);
        let known_ms = MINUTE_MS * i64::try_from(n - since).unwrap();
        drawn.push(Drawn { least: wh, most: wh, known_ms, ..Drawn::default() });
        since = n;
    }
    let found = steps(&meter, &readings, &drawn);

    // Judged follow each other, and what is known of them is what flowed.
    let minute = |at: Timestamp| usize::try_from(at.0 / MINUTE_MS).unwrap();
    for pair in found.steps.windows(2) {
        prop_assert_eq!(pair[0].span.to, pair[1].span.from);
    }
    let is_seen = all_are_seen(&shown, &faults);
    for run in found.steps.split(|step| step.wh.is_none()).filter(|run| !run.is_empty()) {
        let (first, last) = (minute(run[0].span.from), minute(run[run.len() - 1].span.to));
        let counted: i64 = run.iter().filter_map(|step| step.wh).sum();
        let flowed = truth[last] - truth[first];
        let is_hidden = may_hide && !is_seen;
        let hidden = if is_hidden { left_open(&readings, &truth, (first, last)) } else { 0 };
        let most = KWH * UNSEEN_KWH * (1 + i64::try_from(faults.len()).unwrap()) + hidden;
        prop_assert!((counted - flowed).abs() <= most, "{counted} of {flowed}: {:?}", found.odd);
    }

    // Windows add up, and so does the time in which they are known.
    let whole = Span::new(at(0), at(MINUTES));
    let mut edges = cuts;
    edges.extend([whole.from.0, whole.to.0]);
    edges.sort_unstable();
    let energy = |part: Span| -> i64 {
        found.steps.iter().filter(|step| counts(step, part)).filter_map(|step| step.wh).sum()
    };
    let lacking = |part: Span, window: Span| -> i64 {
        let unknown = merged(unknown(&found.steps, part, window));
        unknown.iter().map(|span| span.and(part).length()).sum()
    };
    let parts: Vec<Span> =
        edges.windows(2).map(|pair| Span::new(Timestamp(pair[0]), Timestamp(pair[1]))).collect();
    prop_assert_eq!(parts.iter().map(|part| energy(*part)).sum::<i64>(), energy(whole));
    prop_assert_eq!(
        parts.iter().map(|part| lacking(*part, whole)).sum::<i64>(),
        lacking(whole, whole)
    );
    // A part alone does not know what only a later reading will tell.
    for part in parts {
        prop_assert!(lacking(part, part) >= lacking(part, whole));
    }
    let slowly: i64 = found.steps.iter().filter_map(|step| step.wh).sum();
    prop_assert_eq!(energy(whole), slowly);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30_000))]

    #[test]
    #[ignore = "a campaign of some minutes"]
    fn faults_never_add_energy_over_thousands_of_histories(case in case()) {
        judge(case, true)?;
    }
}

proptest! {
    // The same 400 cases each time, none of which hides anything; the campaign above has others.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2), ..ProptestConfig::with_cases(400) })]

    #[test]
    fn faults_never_add_energy(case in case()) {
        judge(case, false)?;
    }

    #[test]
    fn what_decides_about_a_step_is_not_far(
        register in 1_000_000..FULL,
        faults in prop::collection::vec(fault(), 0..6),
        from in 200_usize..400,
    ) {
        // Of days, so that what lies a day away and three hours is not all there is.
        let (kw, from) = (vec![3_000; 12 * READINGS / 60 + 1], 12 * from);
        let faults: Vec<_> =
            faults.into_iter().map(|(fault, at, long)| (fault, 12 * at, 12 * long)).collect();
        let (_, shown) = shown(register, &kw, &faults);
        let part = Span::new(at(i64::try_from(from).unwrap()), at(i64::try_from(from).unwrap() + 20));
        let mut near = shown.clone();
        let reach = usize::try_from(CONTEXT_MS / MINUTE_MS).unwrap() + 10;
        for (n, kwh) in near.iter_mut().enumerate() {
            if n + reach < from || n > from + 20 + reach {
                *kwh = None;
            }
        }
        let of = |kwh: &[Option<i64>]| -> Vec<Step> {
            let all = judged(kwh, None).steps;
            let within = |step: &Step| step.span.from >= part.from && step.span.to < part.to;
            all.into_iter().filter(within).collect()
        };
        prop_assert_eq!(of(&shown), of(&near));
    }
}

#[test]
fn a_counter_of_a_small_feeder_that_stands_is_found_by_what_the_power_shows_for_hours() {
    // It carries less than what the power may be off by, in one place more than a device shows of nothing.
    let mut meter = Meter::for_trial(MOST_KW, 450.0);
    meter.freeze_ms = 30 * MINUTE_MS;
    for (kw, is_found) in [(400.0, true), (100.0, false)] {
        let stands = 600..1_200;
        let kwh = |minute: i64| FROM + 5 * minute - (minute - 600).clamp(0, 600) * 5;
        let readings: Vec<Reading> = (0..3_000)
            .map(|minute| Reading { at: at(minute), said: meter.reading(as_value(kwh(minute))) })
            .collect();
        let wh = flowing(kw, MINUTE_MS);
        let drawn = Drawn { least: wh, most: wh, known_ms: MINUTE_MS, ..Drawn::default() };
        let found = steps(&meter, &readings, &vec![drawn; readings.len()]);
        let missing = not_known(&found.steps);
        let lasts = stands.end - stands.start;
        assert_eq!(missing >= lasts, is_found, "{kw}: {missing}");
        assert!(missing <= lasts + 2, "{kw}: {missing}");
    }
}

#[test]
fn a_register_of_one_digit_shows_no_series() {
    // Some ten kilowatt hours a minute, of which one digit is shown for more than a day, and about which the power may be off.
    let meter = Meter::for_trial(MOST_KW, 450.0);
    let mut kwh: Vec<i64> = vec![FROM];
    kwh.extend((0..6_000_i64).scan(FROM, |kwh, minute| {
        *kwh += 4 + minute * 7_919 % 13;
        Some(*kwh)
    }));
    let own = |minute: i64| kwh[usize::try_from(minute).unwrap()];
    let readings: Vec<Reading> = (0..=6_000_i64)
        .map(|minute| {
            let kwh = own(minute);
            let shown = if (1_800..4_000).contains(&minute) { kwh % 10 } else { kwh };
            Reading { at: at(minute), said: meter.reading(as_value(shown)) }
        })
        .collect();
    let drawn = Drawn::default();
    let Judged { steps, odd, .. } = steps(&meter, &readings, &vec![drawn; readings.len()]);
    let (missing, known) = (not_known(&steps), sum(&steps));
    assert!((2_200..=2_204).contains(&missing), "{missing}: {odd:?}");
    let truth = own(6_000) - own(0) - 10 * missing;
    assert!((known - truth).abs() <= 12, "{known} of {truth}");
}
