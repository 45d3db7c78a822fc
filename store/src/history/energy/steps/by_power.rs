//! Readings of a counter that other rules have judged, held against the measured power alone: those of plants.

use signal::clock::Timestamp;

use super::super::meter::Meter;
use super::{Drawn, Judge, Mark, Oddity, flowing, real};

/// Readings of a counter that are believed for all else, held against the measured power.
pub(in crate::history::energy) struct ByPower<'a> {
    meter: &'a Meter,
    marks: Vec<Mark>,
    /// Why a step belongs to a standstill.
    stands: Vec<Option<Oddity>>,
    /// A counter may have been read so long before the time of its reading, milliseconds.
    late_ms: i64,
}

impl<'a> ByPower<'a> {
    /// Readings, each later than the one before; `drawn` has one entry for each.
    pub(in crate::history::energy) fn of(
        meter: &'a Meter,
        readings: &[(Timestamp, i64)],
        drawn: &[Drawn],
        late_ms: i64,
    ) -> Self {
        let mut sum = Drawn::default();
        let mut marks = Vec::with_capacity(readings.len());
        for ((at, wh), more) in readings.iter().zip(drawn) {
            sum.add(more);
            marks.push(Mark { at: *at, wh: *wh, drawn: sum, skipped: None });
            (sum.is_wrong, sum.is_unwatched) = (false, false);
        }
        let judge = Judge { meter, marks: &marks };
        let alone: Vec<_> = (1..marks.len()).map(|n| judge.link(n - 1, n)).collect();
        let mut links = alone.clone();
        judge.stand_still(&mut links);
        let stands = links.iter().zip(&alone).map(|(link, alone)| {
            let is_frozen = *link == Err(Oddity::Frozen);
            link.err().filter(|_| is_frozen || link != alone)
        });
        Self { meter, stands: stands.collect(), marks, late_ms }
    }

    /// What the power says against what was counted from one reading to a later one.
    pub(in crate::history::energy) fn against(&self, from: usize, to: usize) -> Option<Oddity> {
        let judge = Judge { meter: self.meter, marks: &self.marks };
        let (a, b) = (&self.marks[from], &self.marks[to]);
        let (least, most) = judge.measured(from, to);
        let ms = b.at.since(a.at).max(1);
        let is_known = b.drawn.known_ms - a.drawn.known_ms >= ms;
        let average = if is_known {
            flowing(1.0, self.late_ms) * (b.drawn.most - a.drawn.most) / flowing(1.0, ms)
        } else {
            flowing(self.meter.most_kw, self.late_ms)
        };
        let counted = real(b.wh - a.wh);
        let apart = average + real(self.meter.count_wh);
        let is_against = counted > most + apart || counted < least - apart;
        let stands = self.stands[from].filter(|_| to == from + 1);
        stands.or(is_against.then_some(Oddity::AgainstPower))
    }
}
