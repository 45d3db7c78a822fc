//! How one unit has answered over the last five minutes, in 200 bytes: there may be 180 000 of them,
//! ten thousand stations of eight units at two centres and one a channel. What a whole channel did is their sum.

use std::ops::AddAssign;

use signal::clock::Timestamp;
use signal::update::{Miss, MissKind};

use super::traffic::TrafficSnapshot;

/// Length of a slot, milliseconds.
const SLOT_MS: i64 = 60_000;
/// Slots kept: the minute that runs, and four before it.
const SLOTS: u16 = 5;
/// Upper edges of the buckets of round-trip time, microseconds, as people read them; one more is
/// open, and nothing is said of it but the longest.
pub const EDGES_US: [u32; 12] =
    [100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];
const BUCKETS: usize = EDGES_US.len() + 1;

/// A minute. Counts stop at 65 535, which is a thousand requests a second to one unit.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Minutes since 1970.
    minute: u32,
    /// Longest round trip, microseconds.
    max_us: u32,
    /// Without a reply, refused, undecodable.
    faults: [u16; 3],
    /// Requests with a reply, by round trip.
    buckets: [u16; BUCKETS],
}

const EMPTY: Slot = Slot { minute: 0, max_us: 0, faults: [0; 3], buckets: [0; BUCKETS] };

/// A window that slides by minutes.
#[derive(Debug, Clone)]
pub(super) struct Window {
    slots: [Slot; SLOTS as usize],
}

/// What was asked over a stretch of time, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PollStats {
    /// Requests without a reply, refused, undecodable.
    pub faults: [u64; 3],
    /// Requests with a reply, by round trip: not longer than each of [`EDGES_US`], and longer.
    pub replies: [u64; BUCKETS],
    /// Longest round trip, microseconds.
    pub longest_us: u32,
    /// Slots that could not be kept. A window does not count them.
    pub missed: u64,
}

fn minute(at: Timestamp) -> u32 {
    u32::try_from(at.0.div_euclid(SLOT_MS)).unwrap_or(0)
}

/// The place of a miss among those that are counted.
fn kind(miss: Option<Miss>) -> Option<usize> {
    miss.map(|miss| match miss.kind() {
        MissKind::NoReply => 0,
        MissKind::Refused => 1,
        MissKind::Malformed => 2,
    })
}

/// The bucket of a round trip.
fn bucket(took_us: u32) -> usize {
    EDGES_US.partition_point(|edge| *edge < took_us)
}

impl Window {
    pub(super) fn new() -> Self {
        Self { slots: [EMPTY; SLOTS as usize] }
    }

    /// Counts a request that came to an end.
    pub(super) fn count(&mut self, at: Timestamp, took_us: u32, miss: Option<Miss>) {
        let minute = minute(at);
        let slot = &mut self.slots[(minute % u32::from(SLOTS)) as usize];
        if slot.minute != minute {
            *slot = Slot { minute, ..EMPTY };
        }
        if let Some(kind) = kind(miss) {
            slot.faults[kind] = slot.faults[kind].saturating_add(1);
        }
        if miss != Some(Miss::NoReply) {
            let bucket = &mut slot.buckets[bucket(took_us)];
            *bucket = bucket.saturating_add(1);
            slot.max_us = slot.max_us.max(took_us);
        }
    }

    /// What was counted in the window that ends now.
    pub(super) fn sum(&self, now: Timestamp) -> PollStats {
        let newest = minute(now);
        let oldest = newest.saturating_sub(u32::from(SLOTS) - 1);
        let mut sum = PollStats::default();
        for slot in self.slots.iter().filter(|slot| (oldest..=newest).contains(&slot.minute)) {
            for (total, n) in sum.faults.iter_mut().zip(slot.faults) {
                *total += u64::from(n);
            }
            for (total, n) in sum.replies.iter_mut().zip(slot.buckets) {
                *total += u64::from(n);
            }
            sum.longest_us = sum.longest_us.max(slot.max_us);
        }
        sum
    }
}

impl AddAssign for PollStats {
    fn add_assign(&mut self, other: Self) {
        for (total, n) in self.faults.iter_mut().zip(other.faults) {
            *total += n;
        }
        for (total, n) in self.replies.iter_mut().zip(other.replies) {
            *total += n;
        }
        self.longest_us = self.longest_us.max(other.longest_us);
        self.missed += other.missed;
    }
}

impl PollStats {
    pub(super) fn count(&mut self, took_us: u32, miss: Option<Miss>) {
        if let Some(kind) = kind(miss) {
            self.faults[kind] += 1;
        }
        if miss != Some(Miss::NoReply) {
            self.replies[bucket(took_us)] += 1;
            self.longest_us = self.longest_us.max(took_us);
        }
    }

    /// Requests that came to an end.
    pub fn requests(&self) -> u64 {
        self.faults[0] + self.answered()
    }

    fn answered(&self) -> u64 {
        self.replies.iter().sum()
    }

    /// The counts as the snapshot has them, of a monitor that was started at some time.
    pub(super) fn snapshot(&self, started: Timestamp, now: Timestamp) -> TrafficSnapshot {
        let answered = self.answered();
        let oldest = (i64::from(minute(now)) - i64::from(SLOTS) + 1) * SLOT_MS;
        #[expect(clippy::cast_precision_loss, reason = "a window is a few hundred seconds")]
        let window_s = now.since(started.max(Timestamp(oldest))).max(0) as f64 / 1_000.0;
        let [no_reply, refused, undecodable] = self.faults;
        TrafficSnapshot {
            requests: self.requests(),
            no_reply,
            refused,
            undecodable,
            window_s,
            p50_ms: self.quantile_ms(answered, 50),
            p95_ms: self.quantile_ms(answered, 95),
            max_ms: (answered > 0).then(|| f64::from(self.longest_us) / 1_000.0),
        }
    }

    /// So many of a hundred took no longer: upper edge of the bucket, but never above the longest.
    fn quantile_ms(&self, answered: u64, percent: u64) -> Option<f64> {
        let rank = (answered * percent).div_ceil(100);
        let mut passed = 0;
        let found = self.replies.iter().position(|n| {
            passed += n;
            answered > 0 && passed >= rank
        })?;
        let edge = EDGES_US.get(found).copied().unwrap_or(self.longest_us);
        Some(f64::from(edge.min(self.longest_us)) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = SLOT_MS;

    #[test]
    fn a_unit_takes_two_hundred_bytes() {
        assert!(size_of::<Window>() <= 200, "{}", size_of::<Window>());
    }

    #[test]
    fn round_trips_are_told_by_edges_that_they_do_not_exceed() {
        let mut window = Window::new();
        for us in [300, 700, 1_500, 1_700, 90_000] {
            window.count(Timestamp(MINUTE), us, None);
        }
        window.count(Timestamp(MINUTE), 1_000_000, Some(Miss::NoReply));
        let snapshot = window.sum(Timestamp(MINUTE)).snapshot(Timestamp(0), Timestamp(MINUTE));
        assert_eq!((snapshot.requests, snapshot.no_reply), (6, 1));
        assert_eq!((snapshot.p50_ms, snapshot.p95_ms), (Some(2.0), Some(90.0)));
        assert_eq!(snapshot.max_ms, Some(90.0), "what was not answered has no round trip");
        let mut slow = Window::new();
        slow.count(Timestamp(MINUTE), 3_200_000, None);
        let snapshot = slow.sum(Timestamp(MINUTE)).snapshot(Timestamp(0), Timestamp(MINUTE));
        assert_eq!(snapshot.p50_ms, Some(3_200.0), "above the last edge the longest stands");
    }

    #[test]
    fn what_is_older_than_five_minutes_no_longer_counts() {
        let mut window = Window::new();
        window.count(Timestamp(10 * MINUTE), 100, Some(Miss::Malformed));
        window.count(Timestamp(12 * MINUTE), 100, Some(Miss::Refused(2)));
        let at = |minutes: i64| {
            let now = Timestamp(minutes * MINUTE);
            window.sum(now).snapshot(Timestamp(0), now)
        };
        assert_eq!((at(14).undecodable, at(14).refused), (1, 1));
        assert_eq!((at(15).undecodable, at(15).refused), (0, 1));
        assert_eq!((at(17).requests, at(17).p50_ms), (0, None));
        let mut later = window.clone();
        later.count(Timestamp(15 * MINUTE), 100, None);
        let snapshot = later.sum(Timestamp(15 * MINUTE)).snapshot(Timestamp(0), Timestamp(0));
        assert_eq!(snapshot.undecodable, 0, "a slot that is used again begins anew");
    }

    #[test]
    fn rates_are_over_the_time_that_was_really_watched() {
        let sum = Window::new().sum(Timestamp(0));
        let (start, now) = (Timestamp(10 * MINUTE + 30_000), Timestamp(11 * MINUTE));
        assert!((sum.snapshot(start, now).window_s - 30.0).abs() < 1e-9);
        let now = Timestamp(60 * MINUTE + 15_000);
        assert!((sum.snapshot(start, now).window_s - 255.0).abs() < 1e-9, "four minutes and 15 s");
    }

    #[test]
    fn a_channel_is_the_sum_of_its_units() {
        let (mut one, mut other) = (Window::new(), Window::new());
        one.count(Timestamp(0), 900, None);
        other.count(Timestamp(0), 9_000, Some(Miss::Refused(2)));
        let mut sum = one.sum(Timestamp(0));
        sum += other.sum(Timestamp(0));
        let snapshot = sum.snapshot(Timestamp(0), Timestamp(1));
        assert_eq!((snapshot.requests, snapshot.refused), (2, 1));
        assert_eq!((snapshot.p50_ms, snapshot.max_ms), (Some(1.0), Some(9.0)));
    }
}
