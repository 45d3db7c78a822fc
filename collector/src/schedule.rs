//! When a channel is asked, and when it is called again: slots, waits, and the pace of a fleet.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use config::{Province, Scan};
use tokio::time::Instant;

use super::plan::Plan;

/// Time between two connection attempts of a fleet: 500 a second at most, so that a region that
/// comes back is not run over by all its centres' calls at once.
const CONNECT_EVERY: Duration = Duration::from_millis(2);

/// Slots of the scan classes of a channel.
#[derive(Debug)]
pub(super) struct Schedule {
    classes: Vec<Class>,
}

/// One scan class: its blocks and when they are due next.
#[derive(Debug)]
struct Class {
    period: Duration,
    due: Instant,
    blocks: Range<usize>,
}

/// Slots that a scan has run over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) slots: u32,
    /// Period of the fastest class that missed one.
    pub(super) period: Duration,
}

impl Schedule {
    /// The slots of a plan from `start` on. Their grid depends on `seed`: fast slots are spread over
    /// their period, and slow ones over the fast slots within theirs, so that neither the channels
    /// of a province nor the classes of a channel tick together.
    pub(super) fn new(province: &Province, plan: &Plan, start: Instant, seed: u64) -> Self {
        let mut classes: Vec<Class> = Vec::new();
        for scan in Scan::ALL {
            let first = plan.blocks.partition_point(|block| block.scan < scan);
            let last = plan.blocks.partition_point(|block| block.scan <= scan);
            if first < last {
                let period = Duration::from_secs_f64(province.scan.seconds(scan));
                classes.push(Class { period, due: start, blocks: first..last });
            }
        }
        let fastest = classes.iter().map(|class| class.period).min().unwrap_or_default();
        let phase = fastest.mul_f64(share(seed));
        for (n, class) in classes.iter_mut().enumerate() {
            let turns = class.period.as_nanos() / fastest.as_nanos().max(1);
            let turn =
                mix(seed.wrapping_add(n as u64 + 1)) % u64::try_from(turns).unwrap_or(1).max(1);
            let turn = u32::try_from(turn).unwrap_or(0);
            class.due = start + phase + fastest * turn;
        }
        Self { classes }
    }

    /// Whether there is nothing to ask.
    pub(super) fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// When the next slot is.
    pub(super) fn next(&self) -> Option<Instant> {
        self.classes.iter().map(|class| class.due).min()
    }

    /// Blocks whose slot has come by `now`, fastest class first.
    pub(super) fn due(&self, now: Instant) -> impl Iterator<Item = usize> {
        self.classes.iter().filter(move |class| class.due <= now).flat_map(|c| c.blocks.clone())
    }

    /// Every block, fastest class first.
    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        self.classes.iter().flat_map(|class| class.blocks.clone())
    }

    /// Moves every class that was due at `began` to its next slot that is not over by `now`, and says
    /// how many are. They are not made up for.
    pub(super) fn pass(&mut self, began: Instant, now: Instant) -> Option<Missed> {
        let mut sum: Option<Missed> = None;
        for class in self.classes.iter_mut().filter(|class| class.due <= began) {
            let slots = class.pass(now);
            if slots > 0 {
                let missed = sum.get_or_insert(Missed { slots: 0, period: class.period });
                missed.slots = missed.slots.saturating_add(slots);
                missed.period = missed.period.min(class.period);
            }
        }
        sum
    }

    /// Leaves out the slots up to `now`: everything has just been asked, or nothing could be.
    pub(super) fn skip_to(&mut self, now: Instant) {
        for class in self.classes.iter_mut().filter(|class| class.due <= now) {
            class.pass(now);
            if class.due <= now {
                class.due += class.period;
            }
        }
    }
}

impl Class {
    /// Moves to the next slot that is not over by `now` and returns how many are. A slot lasts until
    /// the next one: a scan may begin late in it.
    fn pass(&mut self, now: Instant) -> u32 {
        self.due += self.period;
        let late = now.saturating_duration_since(self.due);
        let periods = late.as_nanos() / self.period.as_nanos().max(1);
        let missed = u32::try_from(periods).unwrap_or(u32::MAX);
        self.due += self.period * missed;
        missed
    }
}

/// Waits that double from try to try, with chance taken from a seed so that stations which were
/// lost together do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
    seed: u64,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, tries: 0, seed }
    }

    /// The next wait: between half and the whole of first × 2^tries, cut at the longest.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.tries.min(20)).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        whole.mul_f64(0.5 + 0.5 * share(mix(self.seed.wrapping_add(u64::from(self.tries)))))
    }

    /// The station answered.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// Lets the channels of a fleet connect one after the other.
#[derive(Debug)]
pub(super) struct Gate {
    next: Mutex<Instant>,
}

impl Gate {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: Mutex::new(now) }
    }

    /// When whoever asks at `now` has its turn. Turns are given in the order in which they are asked
    /// for.
    pub(super) fn turn(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now);
        *next = turn + CONNECT_EVERY;
        turn
    }
}

/// A number's share of its range, from 0 up to but not 1.
fn share(x: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit a float exactly")]
    let share = (x >> 40) as f64 / f64::from(1_u32 << 24);
    share
}

/// Spreads the bits of a number (the finaliser of `SplitMix64`).
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn waits_double_up_to_the_longest_and_differ_between_stations() {
        let ms = Duration::from_millis;
        let waits = |seed| {
            let mut backoff = Backoff::new(ms(500), ms(15_000), seed);
            [0; 8].map(|_| backoff.next())
        };
        for (n, wait) in waits(7).into_iter().enumerate() {
            let whole = ms(500 << n).min(ms(15_000));
            assert!(wait >= whole / 2 && wait <= whole, "try {n}: {wait:?}");
        }
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn missed_slots_are_counted_and_not_made_up_for() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut class = Class { period: second, due: start, blocks: 0..1 };
        assert_eq!(class.pass(start), 0);
        assert_eq!(class.due, start + second);
        assert_eq!(class.pass(start + Duration::from_millis(5_300)), 3, "those at 2, 3 and 4 s");
        assert_eq!(class.due, start + 5 * second);
    }

    #[test]
    fn slots_of_a_province_are_spread_over_their_periods() {
        let province = Province::built_in();
        let plan = plan(&province, &province.channels[0]);
        let start = Instant::now();
        let spread = |class: usize, seconds: f64| {
            let mut eighths = [0; 8];
            for seed in 0..800 {
                let schedule = Schedule::new(&province, &plan, start, mix(seed));
                let late = (schedule.classes[class].due - start).as_secs_f64();
                assert!(late < seconds);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 7"
                )]
                let eighth = (late / seconds * 8.0) as usize;
                eighths[eighth] += 1;
            }
            assert!(eighths.iter().all(|n| (60..140).contains(n)), "{eighths:?}");
        };
        spread(0, 1.0);
        spread(2, 10.0);
    }

    #[test]
    fn a_fleet_connects_one_after_the_other() {
        let start = Instant::now();
        let gate = Gate::new(start);
        for n in 0..=200 {
            assert_eq!(gate.turn(start), start + n * CONNECT_EVERY);
        }
        let later = start + Duration::from_secs(9);
        assert_eq!(gate.turn(later), later);
    }
}
