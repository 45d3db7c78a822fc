//! The ledger: how the verdicts of a channel changed, for those who keep them.
//!
//! A verdict holds from the judgement that formed it to the next one of its channel. Only what
//! changed is written down, so a channel that stays as it is takes no room, and one that loses its
//! link takes a few runs of neighbours.

use config::ChannelId;

use super::picture::LinkState;
use super::verdict::{PointPicture, Reason};
pub use super::window::EDGES_US;
use crate::clock::Timestamp;
use crate::collector::reading::Fault;

/// What a judgement says of one point, in sixteen bits: the verdict in bits 0 to 3, why it is not
/// live in 4 to 7 (each 0, or the place of the reason in [`Reason::ALL`] plus one), whether a
/// consistency test could take it into account in 8, whether it fails one in 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State(u16);

const EVALUABLE: u16 = 1 << 8;
const FINDING: u16 = 1 << 9;

impl State {
    /// What is kept of a point of a picture.
    pub fn of(point: &PointPicture) -> Self {
        let reason = |reason: Option<Reason>| reason.map_or(0, |reason| reason as u16 + 1);
        let flag = |on: bool, bit: u16| if on { bit } else { 0 };
        Self(
            reason(point.verdict)
                | reason(point.not_live) << 4
                | flag(point.evaluable, EVALUABLE)
                | flag(point.finding.is_some(), FINDING),
        )
    }

    /// The state that these bits stand for; `None` when they stand for none.
    pub fn from_bits(bits: u16) -> Option<Self> {
        let known = |nibble: u16| usize::from(nibble) <= Reason::ALL.len();
        let state = Self(bits);
        let fits = bits & !(0xFF | EVALUABLE | FINDING) == 0;
        (fits && known(bits & 0xF) && known(bits >> 4 & 0xF)).then_some(state)
    }

    /// Its bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The verdict; `None`: good.
    pub fn verdict(self) -> Option<Reason> {
        Reason::ALL.get(usize::from(self.0 & 0xF).wrapping_sub(1)).copied()
    }

    /// Why the point is not live; `None`: it is, or it is a command.
    pub fn not_live(self) -> Option<Reason> {
        Reason::ALL.get(usize::from(self.0 >> 4 & 0xF).wrapping_sub(1)).copied()
    }

    /// Whether a consistency test could take it into account.
    pub fn is_evaluable(self) -> bool {
        self.0 & EVALUABLE != 0
    }

    /// Whether it fails one.
    pub fn has_finding(self) -> bool {
        self.0 & FINDING != 0
    }
}

/// Neighbours that are in the same state, by their places in the contract of the station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first of them.
    pub first: u32,
    /// How many, at least one.
    pub count: u32,
    /// Their state.
    pub state: State,
}

/// What a judgement of a channel found otherwise than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The channel.
    pub channel: ChannelId,
    /// When it was judged.
    pub at: Timestamp,
    /// The path.
    pub link: LinkState,
    /// The runs say the state of every point, not only of those that changed.
    pub whole: bool,
    /// Points by place, without overlap.
    pub runs: Vec<Run>,
}

/// What was asked of a channel over a stretch of time, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Requests without a reply, refused, undecodable.
    pub faults: [u64; 3],
    /// Requests with a reply, by round trip: not longer than each of [`EDGES_US`], and longer.
    pub replies: [u64; EDGES_US.len() + 1],
    /// Longest round trip, microseconds.
    pub longest_us: u32,
    /// Slots that could not be kept.
    pub missed: u64,
}

impl Asked {
    pub(super) fn count(&mut self, took_us: u32, fault: Option<Fault>) {
        match fault {
            Some(Fault::NoReply) => {
                self.faults[0] += 1;
                return;
            }
            Some(Fault::Refused(_)) => self.faults[1] += 1,
            Some(Fault::Undecodable) => self.faults[2] += 1,
            None => {}
        }
        self.replies[EDGES_US.partition_point(|edge| *edge < took_us)] += 1;
        self.longest_us = self.longest_us.max(took_us);
    }

    /// Requests that came to an end.
    pub fn requests(&self) -> u64 {
        self.faults[0] + self.replies.iter().sum::<u64>()
    }
}

/// What was last written down of a channel.
#[derive(Debug, Default)]
pub(super) struct Page {
    link: Option<LinkState>,
    states: Vec<State>,
}

impl Page {
    /// Writes down what is new; `None` when nothing is.
    pub(super) fn turn(
        &mut self,
        channel: ChannelId,
        at: Timestamp,
        link: LinkState,
        points: &[PointPicture],
    ) -> Option<Judgement> {
        let whole = self.link.is_none();
        let new = points.iter().map(State::of);
        let mut runs: Vec<Run> = Vec::new();
        if whole {
            self.states = new.collect();
            for (n, state) in self.states.iter().enumerate() {
                extend(&mut runs, n, *state);
            }
        } else {
            for (n, (old, state)) in self.states.iter_mut().zip(new).enumerate() {
                if *old != state {
                    *old = state;
                    extend(&mut runs, n, state);
                }
            }
        }
        let is_news = whole || !runs.is_empty() || self.link != Some(link);
        self.link = Some(link);
        is_news.then_some(Judgement { channel, at, link, whole, runs })
    }
}

fn extend(runs: &mut Vec<Run>, place: usize, state: State) {
    // A station has at most some hundred thousand points: the contract sees to that.
    let first = u32::try_from(place).unwrap_or(u32::MAX);
    match runs.last_mut() {
        Some(last) if last.state == state && last.first + last.count == first => last.count += 1,
        _ => runs.push(Run { first, count: 1, state }),
    }
}

#[cfg(test)]
mod tests {
    use config::Flags;

    use super::*;
    use crate::historian::verdict::Since;

    fn point(verdict: Option<Reason>) -> PointPicture {
        PointPicture {
            verdict,
            since: Since::Always,
            not_live: verdict.filter(|reason| !reason.is_structural()),
            not_live_since: Since::Always,
            value: None,
            at: None,
            flags: Flags::GOOD,
            exception: 0,
            evaluable: verdict.is_none(),
            finding: None,
            block: None,
        }
    }

    #[test]
    fn every_state_is_told_by_its_bits() {
        for verdict in Reason::ALL.into_iter().map(Some).chain([None]) {
            let state = State::of(&point(verdict));
            assert_eq!(state.verdict(), verdict);
            assert_eq!(state.is_evaluable(), verdict.is_none());
            assert_eq!(State::from_bits(state.bits()), Some(state));
        }
        assert_eq!(State::from_bits(0xF), None);
        assert_eq!(State::from_bits(0xE0), None);
        assert_eq!(State::from_bits(0x400), None);
    }

    #[test]
    fn only_what_changes_is_written_down() {
        let (channel, at) = (ChannelId::at(3), Timestamp(1_000));
        let mut page = Page::default();
        let mut points = vec![point(None); 6];
        let mut turn =
            |points: &[PointPicture]| page.turn(channel, at, LinkState::Connected, points);
        let first = turn(&points).unwrap();
        assert!(first.whole);
        assert_eq!(first.runs, [Run { first: 0, count: 6, state: State::of(&points[0]) }]);
        assert_eq!(turn(&points), None);
        for place in [1, 2, 4] {
            points[place] = point(Some(Reason::Old));
        }
        let state = State::of(&points[1]);
        let second = turn(&points).unwrap();
        assert!(!second.whole);
        let runs = [Run { first: 1, count: 2, state }, Run { first: 4, count: 1, state }];
        assert_eq!(second.runs, runs);
        let lost = page.turn(channel, at, LinkState::Lost, &points).unwrap();
        assert!(!lost.whole && lost.runs.is_empty(), "only the path changed");
    }
}
