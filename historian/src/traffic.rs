//! How polling goes: requests, faults and round trips over the last five minutes.

use signal::clock::Timestamp;
use signal::update::{Miss, MissKind};

/// Length of a slot, milliseconds.
const SLOT_MS: i64 = 10_000;
/// Slots kept: five minutes.
const SLOTS: u16 = 30;
/// Buckets of round-trip time: four to an octave from 16 µs on; the last is open, from 17 s.
const BUCKETS: usize = 81;

/// Counts over the window, as the snapshot has them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrafficSnapshot {
    /// Requests that came to an end.
    pub requests: u64,
    /// Of these, without a reply.
    pub no_reply: u64,
    /// Refused.
    pub refused: u64,
    /// With a reply that made no sense.
    pub undecodable: u64,
    /// Seconds that the window covers, at most 300.
    pub window_s: f64,
    /// Median round trip of answered requests, milliseconds, upper edge of its bucket (19 %).
    pub p50_ms: Option<f64>,
    /// 95 of 100 are not longer.
    pub p95_ms: Option<f64>,
    /// Longest, exact.
    pub max_ms: Option<f64>,
}

impl TrafficSnapshot {
    /// Requests that brought no values.
    pub fn errors(&self) -> u64 {
        self.no_reply + self.refused + self.undecodable
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    number: i64,
    requests: u64,
    faults: [u64; 3],
    buckets: [u32; BUCKETS],
    max_us: u32,
}

const EMPTY: Slot =
    Slot { number: -1, requests: 0, faults: [0; 3], buckets: [0; BUCKETS], max_us: 0 };

/// A window that slides by slots. Its memory does not depend on how many requests there are.
#[derive(Debug)]
pub(super) struct Traffic {
    started: Timestamp,
    slots: Vec<Slot>,
}

impl Traffic {
    pub(super) fn new(started: Timestamp) -> Self {
        Self { started, slots: vec![EMPTY; usize::from(SLOTS)] }
    }

    pub(super) fn count(&mut self, at: Timestamp, took_us: u32, miss: Option<Miss>) {
        let number = at.0.div_euclid(SLOT_MS);
        let index = usize::try_from(number.rem_euclid(i64::from(SLOTS))).unwrap_or(0);
        let slot = &mut self.slots[index];
        if slot.number != number {
            *slot = Slot { number, ..EMPTY };
        }
        slot.requests += 1;
        match miss.map(Miss::kind) {
            Some(MissKind::NoReply) => slot.faults[0] += 1,
            Some(MissKind::Refused) => slot.faults[1] += 1,
            Some(MissKind::Malformed) => slot.faults[2] += 1,
            None => {}
        }
        if miss != Some(Miss::NoReply) {
            slot.buckets[bucket(took_us)] += 1;
            slot.max_us = slot.max_us.max(took_us);
        }
    }

    pub(super) fn snapshot(&self, now: Timestamp) -> TrafficSnapshot {
        let newest = now.0.div_euclid(SLOT_MS);
        let oldest = newest - i64::from(SLOTS) + 1;
        let window = self.slots.iter().filter(|slot| (oldest..=newest).contains(&slot.number));
        let mut sum = EMPTY;
        for slot in window {
            sum.requests += slot.requests;
            sum.max_us = sum.max_us.max(slot.max_us);
            for (total, n) in sum.faults.iter_mut().zip(slot.faults) {
                *total += n;
            }
            for (total, n) in sum.buckets.iter_mut().zip(slot.buckets) {
                *total += n;
            }
        }
        let answered: u64 = sum.buckets.iter().map(|n| u64::from(*n)).sum();
        let start = self.started.0.max(oldest * SLOT_MS);
        #[expect(clippy::cast_precision_loss, reason = "a window is a few hundred seconds")]
        let window_s = (now.0 - start).max(0) as f64 / 1_000.0;
        let max_ms = (answered > 0).then(|| f64::from(sum.max_us) / 1_000.0);
        let at = |percent| quantile(&sum.buckets, answered, percent).map(|us| us / 1_000.0);
        TrafficSnapshot {
            requests: sum.requests,
            no_reply: sum.faults[0],
            refused: sum.faults[1],
            undecodable: sum.faults[2],
            window_s,
            p50_ms: at(50).map(|ms| ms.min(max_ms.unwrap_or(ms))),
            p95_ms: at(95).map(|ms| ms.min(max_ms.unwrap_or(ms))),
            max_ms,
        }
    }
}

fn bucket(us: u32) -> usize {
    let octave = us.max(16).ilog2();
    let quarter = (us.max(16) >> (octave - 2)) & 3;
    (((octave - 4) * 4 + quarter) as usize).min(BUCKETS - 1)
}

/// Upper edge in microseconds.
fn edge(bucket: usize) -> f64 {
    let (octave, quarter) = (bucket / 4 + 4, bucket % 4);
    f64::from(1_u32 << octave.min(31)) * (f64::from(u8::try_from(quarter).unwrap_or(3)) + 5.0) / 4.0
}

fn quantile(buckets: &[u32; BUCKETS], total: u64, percent: u64) -> Option<f64> {
    let rank = (total * percent).div_ceil(100);
    let mut passed = 0;
    let found = buckets.iter().position(|n| {
        passed += u64::from(*n);
        total > 0 && passed >= rank
    });
    found.map(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_quarter_octave() {
        let mut traffic = Traffic::new(Timestamp(0));
        for us in 1..=1_000 {
            traffic.count(Timestamp(5), us, None);
        }
        let snapshot = traffic.snapshot(Timestamp(1_000));
        let within = |shown: Option<f64>, ms: f64| {
            let shown = shown.unwrap();
            assert!(shown >= ms && shown <= ms * 1.26, "{shown} for {ms}");
        };
        within(snapshot.p50_ms, 0.5);
        within(snapshot.p95_ms, 0.95);
        assert_eq!(snapshot.max_ms, Some(1.0));
        assert_eq!((snapshot.requests, snapshot.errors()), (1_000, 0));
    }

    #[test]
    fn what_is_older_than_five_minutes_no_longer_counts() {
        let mut traffic = Traffic::new(Timestamp(0));
        traffic.count(Timestamp(0), 100, Some(Miss::NoReply));
        traffic.count(Timestamp(200_000), 100, Some(Miss::Refused(2)));
        let snapshot = traffic.snapshot(Timestamp(250_000));
        assert_eq!((snapshot.no_reply, snapshot.refused), (1, 1));
        let snapshot = traffic.snapshot(Timestamp(320_000));
        assert_eq!((snapshot.no_reply, snapshot.refused), (0, 1));
        assert_eq!(snapshot.p50_ms, Some(0.1), "only what was answered has a round trip");
    }
}
