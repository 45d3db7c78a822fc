//! How long a centre saw every signal on which a station without staff depends. Milliseconds, summed as
//! integers: parts of a window add up to the whole.

use std::iter::Sum;
use std::ops::AddAssign;

use historian::counts::Share;
use historian::verdict_log::VerdictState;
use signal::clock::Timestamp;

use super::account::share;
use super::window::Span;

/// Time in which all of the needed signals of a channel ([`historian::unmanned::is_needed`]) were live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sight {
    /// Milliseconds in which each of them was judged; none when the contract names no such signal.
    pub watched: i64,
    /// Of these, those in which every one was live.
    pub seen: i64,
}

impl Sight {
    /// Seen, of the time watched.
    pub fn share(self) -> Share {
        share(self.seen, self.watched)
    }
}

impl AddAssign for Sight {
    fn add_assign(&mut self, other: Self) {
        self.watched += other.watched;
        self.seen += other.seen;
    }
}

impl Sum for Sight {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, sight| {
            sum += sight;
            sum
        })
    }
}

/// Books the time, change by change.
pub(super) struct SightFold<'a> {
    parts: &'a [Span],
    /// By place in the contract.
    needed: Vec<bool>,
    count: usize,
    /// Needed points of which nothing was said in this session, and those that are not live.
    unknown: usize,
    dark: usize,
    /// Up to here the time is booked.
    at: Timestamp,
    /// For each part of the window.
    pub(super) sights: Vec<Sight>,
}

impl<'a> SightFold<'a> {
    pub(super) fn new(parts: &'a [Span], needed: Vec<bool>, from: Timestamp) -> Self {
        let count = needed.iter().filter(|needed| **needed).count();
        let sights = vec![Sight::default(); parts.len()];
        Self { parts, needed, count, unknown: count, dark: 0, at: from, sights }
    }

    /// A point takes another state.
    pub(super) fn turn(
        &mut self,
        place: usize,
        before: Option<VerdictState>,
        after: VerdictState,
        at: Timestamp,
    ) {
        if !self.needed.get(place).is_some_and(|needed| *needed) {
            return;
        }
        self.pass(at);
        match before {
            None => self.unknown = self.unknown.saturating_sub(1),
            Some(before) if before.not_live().is_some() => self.dark = self.dark.saturating_sub(1),
            Some(_) => {}
        }
        self.dark += usize::from(after.not_live().is_some());
    }

    /// Books the time up to a moment.
    pub(super) fn pass(&mut self, to: Timestamp) {
        let from = self.at;
        self.at = from.max(to);
        if to <= from || self.unknown > 0 || self.count == 0 {
            return;
        }
        let first = self.parts.partition_point(|part| part.to <= from);
        let own = self.parts.iter().zip(&mut self.sights).skip(first);
        for (part, sight) in own.take_while(|(part, _)| part.from < to) {
            let ms = part.and(Span::new(from, to)).length();
            sight.watched += ms;
            sight.seen += if self.dark == 0 { ms } else { 0 };
        }
    }

    /// What comes next is another session: nothing is known until it says something.
    pub(super) fn end_session(&mut self) {
        (self.unknown, self.dark) = (self.count, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACES: usize = 3;

    /// Live, or not for the first reason that there is.
    fn state(live: bool) -> VerdictState {
        VerdictState::from_bits(if live { 0 } else { 0x33 }).unwrap_or(VerdictState::unknown())
    }

    /// The time of a window in parts, from changes in the order of time: what a session says of every point at
    /// 10, and what changes until it ends at 90.
    fn booked(
        parts: &[Span],
        needed: &[bool],
        first: &[bool],
        changes: &[(i64, usize, bool)],
    ) -> Vec<Sight> {
        let mut fold = SightFold::new(parts, needed.to_vec(), Timestamp(0));
        fold.pass(Timestamp(10));
        let mut states: Vec<Option<VerdictState>> = vec![None; PLACES];
        let start = first.iter().enumerate().map(|(n, live)| (10, n, *live));
        for (at, place, live) in start.chain(changes.iter().copied()) {
            let before = states[place].replace(state(live));
            fold.turn(place, before, state(live), Timestamp(at));
        }
        fold.pass(Timestamp(90));
        fold.end_session();
        fold.pass(Timestamp(100));
        fold.sights
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_what_counting_each_millisecond_gives(
            needed in proptest::collection::vec(any::<bool>(), PLACES),
            first in proptest::collection::vec(any::<bool>(), PLACES),
            mut changes in proptest::collection::vec((10_i64..90, 0..PLACES, any::<bool>()), 0..12),
            cut in 1_i64..99,
        ) {
            changes.sort_by_key(|(at, ..)| *at);
            let whole = [Span::new(Timestamp(0), Timestamp(100))];
            let two = [
                Span::new(Timestamp(0), Timestamp(cut)),
                Span::new(Timestamp(cut), Timestamp(100)),
            ];
            let all = booked(&whole, &needed, &first, &changes);
            let parts: Sight = booked(&two, &needed, &first, &changes).into_iter().sum();
            prop_assert_eq!(all[0], parts);
            let mut slow = Sight::default();
            for ms in 10..90 {
                let live = |place: usize| {
                    let own = changes.iter().filter(|(at, n, _)| *n == place && *at <= ms);
                    own.max_by_key(|(at, ..)| *at).map_or(first[place], |(.., live)| *live)
                };
                if needed.contains(&true) {
                    slow.watched += 1;
                    slow.seen += i64::from((0..PLACES).all(|n| !needed[n] || live(n)));
                }
            }
            prop_assert_eq!(all[0], slow);
        }
    }
}
