//! The verdict on a point: good, or the first stage on its way that fails; and what else is known of it.

use config::{Flags, Lang};
use signal::clock::Timestamp;
use signal::update::Miss;
pub use signal::verdict::{Reason, Since};

use super::rules::DISCONNECTOR_TRAVEL_MS;

/// A position is judged so long after a switch could have arrived at the latest, milliseconds: a slow scan and the
/// time until the first judgement.
const FOUND_OUT_MS: i64 = 15_000;

/// From which judgement on values of a point come, without one in between in which none did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sighted(Option<Timestamp>);

impl Sighted {
    /// As the first judgement of `at` leaves it.
    pub fn first(not_live: Option<Reason>, at: Timestamp) -> Self {
        let mut sighted = Self::default();
        sighted.note(not_live, at);
        sighted
    }

    /// Takes note of the next judgement: why the point is not live.
    pub fn note(&mut self, not_live: Option<Reason>, at: Timestamp) {
        self.0 = match not_live {
            None => self.0.or(Some(at)),
            Some(reason) if reason.has_value() => self.0.or(Some(at)),
            Some(_) => None,
        };
    }

    /// [`Since::begins`] of what is read from a store, which does not say whether a position was seen to move.
    pub fn begins(self, change: (Option<Reason>, Option<Reason>), at: Timestamp) -> Since {
        let is_early = |from| at.since(from) <= DISCONNECTOR_TRAVEL_MS + FOUND_OUT_MS;
        Since::begins(change, self.0.is_none_or(is_early), at)
    }

    /// Whether values come.
    pub fn is_now(self) -> bool {
        self.0.is_some()
    }
}

/// What is known of one point on one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointSnapshot {
    /// `None`: good. Otherwise the first stage that fails.
    pub verdict: Option<Reason>,
    /// Since when the verdict is so.
    pub since: Since,
    /// Why it is not live, leaving end-to-end records and consistency aside. `None` for points
    /// that are live, and for commands, which have no value.
    pub not_live: Option<Reason>,
    /// Since when it is not live.
    pub not_live_since: Since,
    /// The last value that came: a quantity, or a code.
    pub value: Option<f64>,
    /// When it came.
    pub at: Option<Timestamp>,
    /// What the device said of it.
    pub flags: Flags,
    /// How the device refused it last; `None` when it did not.
    pub refusal: Option<Miss>,
    /// A consistency test could take it into account.
    pub evaluable: bool,
    /// The consistency test that it fails.
    pub finding: Option<Finding>,
    /// It is live as far as is known, but nobody has watched it for long enough to say so: its gateway was neither
    /// seen to beat nor to hang; or a switch that has stood between its ends since it was first asked, for no longer
    /// than one that moves does.
    pub undecided: bool,
    /// The group with which its value was asked for last: its place in the channel's layout.
    pub group: Option<u16>,
}

impl PointSnapshot {
    /// Whether it is refused alone: the device has no such point, or has its value and not its quality. What speaks
    /// of the whole device sets no point aside.
    pub fn is_set_aside(&self) -> bool {
        self.not_live == Some(Reason::Refused)
            && self.refusal.is_none_or(|miss| matches!(miss, Miss::NotThere(_)))
    }
}

/// A consistency test that fails (numbers as in the trade's list of tests).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// C1: apparent power does not agree with voltage and current.
    Power,
    /// C7: current flows although the breaker is open.
    OpenBreakerCarriesCurrent,
    /// C8: one phase current departs from the others.
    PhaseSymmetry,
    /// C12: a winding is colder than the oil around it.
    Temperature,
}

impl Finding {
    /// What operators read.
    pub fn text(self, lang: Lang) -> &'static str {
        let (vi, en) = match self {
            Self::Power => ("P, Q không khớp U, I (C1)", "P, Q against U, I (C1)"),
            Self::OpenBreakerCarriesCurrent => {
                ("máy cắt mở mà có dòng (C7)", "open breaker carries current (C7)")
            }
            Self::PhaseSymmetry => ("dòng pha lệch nhau (C8)", "phase currents differ (C8)"),
            Self::Temperature => ("cuộn dây nguội hơn dầu (C12)", "winding colder than oil (C12)"),
        };
        match lang {
            Lang::Vi => vi,
            Lang::En => en,
        }
    }
}
