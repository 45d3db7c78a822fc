//! The ledger: how the verdicts of a channel changed, for those who keep them.
//!
//! A verdict holds from the judgement that formed it to the next one of its channel. Only what
//! changed is written down, so a channel that stays as it is takes no room, and one that loses its
//! link takes a few runs of neighbours.

use config::ChannelId;

use super::picture::LinkState;
use super::verdict::{PointPicture, Reason};
pub use super::window::{Asked, EDGES_US};
use crate::clock::Timestamp;

/// What a judgement says of one point, in sixteen bits: the verdict in bits 0 to 3, why it is not
/// live in 4 to 7 (each 0, or the place of the reason in [`Reason::ALL`] plus one), whether a
/// consistency test could take it into account in 8, whether it fails one in 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State(u16);

const EVALUABLE: u16 = 1 << 8;
const FINDING: u16 = 1 << 9;

impl State {
    /// Nothing was ever said of it.
    pub const UNKNOWN: Self = Self((Reason::NeverSeen as u16 + 1) * 0x11);

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
        let runs = if whole {
            self.states = new.collect();
            runs(self.states.iter().copied().enumerate())
        } else {
            let changed =
                self.states.iter_mut().zip(new).enumerate().filter_map(|(n, (old, new))| {
                    (std::mem::replace(old, new) != new).then_some((n, new))
                });
            runs(changed)
        };
        let is_news = whole || !runs.is_empty() || self.link != Some(link);
        self.link = Some(link);
        is_news.then_some(Judgement { channel, at, link, whole, runs })
    }
}

/// States of points as runs: neighbours in the same state make one. `states` are by place, in order.
pub fn runs(states: impl Iterator<Item = (usize, State)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, state) in states {
        // A station has at most some hundred thousand points: the contract sees to that.
        let first = u32::try_from(place).unwrap_or(u32::MAX);
        match runs.last_mut() {
            Some(last) if last.state == state && last.first + last.count == first => {
                last.count += 1;
            }
            _ => runs.push(Run { first, count: 1, state }),
        }
    }
    runs
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
        let unknown = (State::UNKNOWN.verdict(), State::UNKNOWN.not_live());
        assert_eq!(unknown, (Some(Reason::NeverSeen), Some(Reason::NeverSeen)));
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
