//! The verdict log: how the verdicts of a channel changed, for those who keep them.
//!
//! A verdict holds from the judgement that formed it to the next one of its channel. Only what
//! changed is written down, so a channel that stays as it is takes no room, and one that loses its
//! link takes a few runs of neighbours.

use config::ChannelId;
use signal::clock::Timestamp;

use super::snapshot::LinkState;
use super::verdict::{PointSnapshot, Reason};
pub use super::window::{EDGES_US, PollStats};

/// What a judgement says of one point, in sixteen bits. The layout is that of stores, and never changes:
///
/// | bits | what |
/// |---|---|
/// | 0 to 3, 10 to 12 | the code of the verdict ([`Reason::code`]), its low and its high bits; 0: good |
/// | 4 to 7, 13 to 15 | the code of why it is not live, likewise; 0: it is, or it is a command |
/// | 8 | a consistency test could take it into account |
/// | 9 | it fails one |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VerdictState(u16);

const EVALUABLE: u16 = 1 << 8;
const FINDING: u16 = 1 << 9;
/// Where the low and the high bits of the codes begin.
const VERDICT: (u16, u16) = (0, 10);
const NOT_LIVE: (u16, u16) = (4, 13);

/// The bits of a reason at a place.
fn bits_of(reason: Option<Reason>, (low, high): (u16, u16)) -> u16 {
    let code = reason.map_or(0, |reason| u16::from(reason.code()));
    (code & 0xF) << low | (code >> 4 & 0x7) << high
}

/// The code at a place.
fn code_in(bits: u16, (low, high): (u16, u16)) -> u8 {
    let [code, _] = (bits >> low & 0xF | (bits >> high & 0x7) << 4).to_le_bytes();
    code
}

impl VerdictState {
    /// Nothing was ever said of it.
    pub fn unknown() -> Self {
        let reason = Some(Reason::NeverSeen);
        Self(bits_of(reason, VERDICT) | bits_of(reason, NOT_LIVE))
    }

    /// What is kept of a point of a snapshot.
    pub fn of(point: &PointSnapshot) -> Self {
        let flag = |on: bool, bit: u16| if on { bit } else { 0 };
        Self(
            bits_of(point.verdict, VERDICT)
                | bits_of(point.not_live, NOT_LIVE)
                | flag(point.evaluable, EVALUABLE)
                | flag(point.finding.is_some(), FINDING),
        )
    }

    /// The state that these bits stand for; `None` when they stand for none.
    pub fn from_bits(bits: u16) -> Option<Self> {
        let known = |place| {
            let code = code_in(bits, place);
            code == 0 || Reason::from_code(code).is_some()
        };
        (known(VERDICT) && known(NOT_LIVE)).then_some(Self(bits))
    }

    /// Its bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// The verdict; `None`: good.
    pub fn verdict(self) -> Option<Reason> {
        Reason::from_code(code_in(self.0, VERDICT))
    }

    /// Why the point is not live; `None`: it is, or it is a command.
    pub fn not_live(self) -> Option<Reason> {
        Reason::from_code(code_in(self.0, NOT_LIVE))
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
    pub state: VerdictState,
}

/// What a judgement of a channel found otherwise than the one before. Another one of its moment takes its place.
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
    states: Vec<VerdictState>,
}

impl Page {
    /// Writes down what is new; `None` when nothing is.
    pub(super) fn turn(
        &mut self,
        channel: ChannelId,
        at: Timestamp,
        link: LinkState,
        points: &[PointSnapshot],
    ) -> Option<Judgement> {
        let whole = self.link.is_none();
        let new = points.iter().map(VerdictState::of);
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

impl Judgement {
    /// What takes its place when points that were taken to be live then are known to have been old: as they are now.
    pub(super) fn again(&self, now: &[PointSnapshot]) -> Self {
        let places = self.runs.iter().flat_map(|run| {
            let first = run.first as usize;
            (first..first + run.count as usize).map(|place| (place, run.state))
        });
        let as_now = places.map(|(place, state)| {
            let now = now.get(place).filter(|_| state.not_live().is_none());
            let old = now.filter(|now| now.not_live == Some(Reason::Old)).map(VerdictState::of);
            (place, old.unwrap_or(state))
        });
        Self { runs: runs(as_now), ..self.clone() }
    }
}

/// States of points as runs: neighbours in the same state make one. `states` are by place, in order.
pub fn runs(states: impl Iterator<Item = (usize, VerdictState)>) -> Vec<Run> {
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
    use crate::verdict::Since;

    fn point(verdict: Option<Reason>) -> PointSnapshot {
        PointSnapshot {
            verdict,
            since: Since::Always,
            not_live: verdict.filter(|reason| !reason.is_structural()),
            not_live_since: Since::Always,
            value: None,
            at: None,
            flags: Flags::GOOD,
            refusal: None,
            evaluable: verdict.is_none(),
            finding: None,
            undecided: false,
            group: None,
        }
    }

    #[test]
    fn every_state_is_told_by_its_bits() {
        for verdict in Reason::ALL.into_iter().map(Some).chain([None]) {
            let state = VerdictState::of(&point(verdict));
            assert_eq!(state.verdict(), verdict);
            assert_eq!(state.is_evaluable(), verdict.is_none());
            assert_eq!(VerdictState::from_bits(state.bits()), Some(state));
        }
        let unknown = (VerdictState::unknown().verdict(), VerdictState::unknown().not_live());
        assert_eq!(unknown, (Some(Reason::NeverSeen), Some(Reason::NeverSeen)));
        assert_eq!(VerdictState::from_bits(0xF), None);
        assert_eq!(VerdictState::from_bits(0xE0), None);
        assert_eq!(VerdictState::from_bits(0x400), None);
    }

    /// Stores of every version have these numbers: a line of this table is never changed.
    #[test]
    fn numbers_in_stores_never_change() {
        let reasons = [
            (1, "not_in_database"),
            (2, "no_e2e_record"),
            (3, "no_link"),
            (4, "no_reply"),
            (5, "refused"),
            (6, "undecodable"),
            (7, "never_seen"),
            (8, "old"),
            (9, "flagged"),
            (10, "intermediate"),
            (11, "out_of_range"),
            (12, "frozen"),
            (13, "inconsistent"),
        ];
        for (code, word) in reasons {
            assert_eq!(Reason::from_code(code).map(Reason::word), Some(word));
        }
        let links = [(0, "connected"), (1, "lost"), (2, "never_connected")];
        for (code, word) in links {
            assert_eq!(LinkState::from_code(code).map(LinkState::word), Some(word));
        }
        let told = (reasons.len(), links.len());
        assert_eq!(
            told,
            (Reason::ALL.len(), LinkState::ALL.len()),
            "what is new is told here, too"
        );
        let states = [
            (0x0000, None, None, false, false),
            (0x0100, None, None, true, false),
            (0x0002, Some("no_e2e_record"), None, false, false),
            (0x0033, Some("no_link"), Some("no_link"), false, false),
            (0x0088, Some("old"), Some("old"), false, false),
            (0x030D, Some("inconsistent"), None, true, true),
        ];
        for (bits, verdict, not_live, evaluable, finding) in states {
            let state = VerdictState::from_bits(bits).unwrap();
            assert_eq!(state.verdict().map(Reason::word), verdict, "{bits:#06x}");
            assert_eq!(state.not_live().map(Reason::word), not_live, "{bits:#06x}");
            assert_eq!((state.is_evaluable(), state.has_finding()), (evaluable, finding));
            assert_eq!(state.bits(), bits);
        }
    }

    #[test]
    fn codes_up_to_127_have_room_in_a_state() {
        for code in 0..0x80_u16 {
            for place in [VERDICT, NOT_LIVE] {
                let bits = (code & 0xF) << place.0 | (code >> 4) << place.1;
                assert_eq!(u16::from(code_in(bits, place)), code);
                assert_eq!(bits & (EVALUABLE | FINDING), 0);
            }
        }
    }

    #[test]
    fn only_what_changes_is_written_down() {
        let (channel, at) = (ChannelId::at(3), Timestamp(1_000));
        let mut page = Page::default();
        let mut points = vec![point(None); 6];
        let mut turn =
            |points: &[PointSnapshot]| page.turn(channel, at, LinkState::Connected, points);
        let first = turn(&points).unwrap();
        assert!(first.whole);
        assert_eq!(first.runs, [Run { first: 0, count: 6, state: VerdictState::of(&points[0]) }]);
        assert_eq!(turn(&points), None);
        for place in [1, 2, 4] {
            points[place] = point(Some(Reason::Old));
        }
        let state = VerdictState::of(&points[1]);
        let second = turn(&points).unwrap();
        assert!(!second.whole);
        let runs = [Run { first: 1, count: 2, state }, Run { first: 4, count: 1, state }];
        assert_eq!(second.runs, runs);
        let lost = page.turn(channel, at, LinkState::Lost, &points).unwrap();
        assert!(!lost.whole && lost.runs.is_empty(), "only the path changed");
    }
}
