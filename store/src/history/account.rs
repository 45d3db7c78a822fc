//! Accounts of time: how long points were in which state. Milliseconds, summed as integers.

use std::iter::Sum;
use std::ops::AddAssign;

use config::{Entry, Standing};
use historian::counts::Share;
use historian::verdict::Reason;
use historian::verdict_log::VerdictState;

/// How long required points were in which state, over all of them: point-milliseconds.
///
/// `good`, the sum of `by_reason`, `unobserved` and `not_kept` make `required`; the same with `live`,
/// `not_live`, `live_unobserved` and `live_not_kept` make `live_required`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// All of the time of all points.
    pub required: i64,
    /// In the database.
    pub mapped: i64,
    /// With a valid end-to-end record.
    pub tested: i64,
    /// Without any reason.
    pub good: i64,
    /// By the first stage that failed, in the order of [`Reason::ALL`].
    pub by_reason: [i64; Reason::ALL.len()],
    /// Nobody watched.
    pub unobserved: i64,
    /// No longer kept: whether somebody watched, and what was so then, is not known any more.
    pub not_kept: i64,
    /// Of points that have a value and are not excluded with approval.
    pub live_required: i64,
    /// Fresh and usable.
    pub live: i64,
    /// Why not.
    pub not_live: [i64; Reason::ALL.len()],
    /// Nobody watched, of `live_required`.
    pub live_unobserved: i64,
    /// No longer kept, of `live_required`.
    pub live_not_kept: i64,
    /// Of points that are excluded with approval.
    pub excluded: i64,
    /// Of this, fresh and usable all the same.
    pub excluded_live: i64,
    /// Of this, nobody watched.
    pub excluded_unobserved: i64,
    /// Of this, no longer kept.
    pub excluded_not_kept: i64,
    /// A consistency test could take them into account.
    pub evaluable: i64,
    /// Of these, without a finding.
    pub right: i64,
}

/// What is known of a point over a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointSeen {
    /// Nothing any more.
    NotKept,
    /// Nothing, since nobody watched.
    Nobody,
    /// It stood like this.
    As(VerdictState),
}

/// One point of a contract, as far as accounts go.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "five things that a contract says, each apart")]
pub struct Account {
    required: bool,
    mapped: bool,
    tested: bool,
    excluded: bool,
    command: bool,
}

impl Account {
    /// What the contract says of a point.
    pub fn new(entry: &Entry, command: bool) -> Self {
        let mapped = matches!(entry.standing, Standing::Untested(_) | Standing::Tested(_));
        Self {
            required: entry.required,
            mapped,
            tested: matches!(entry.standing, Standing::Tested(_)),
            excluded: entry.excluded.is_some(),
            command,
        }
    }

    /// Whether the centre must receive it.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Adds so many milliseconds in a state, not observed or not kept. Points that the centre does not
    /// require do not count.
    pub fn add(&self, times: &mut Times, seen: PointSeen, ms: i64) {
        if !self.required {
            return;
        }
        let when = |is: bool| if is { ms } else { 0 };
        times.required += ms;
        times.mapped += when(self.mapped);
        times.tested += when(self.tested);
        match seen {
            PointSeen::NotKept => times.not_kept += ms,
            PointSeen::Nobody => times.unobserved += ms,
            PointSeen::As(state) => match state.verdict() {
                None => times.good += ms,
                Some(reason) => times.by_reason[reason as usize] += ms,
            },
        }
        if self.command {
            return;
        }
        if self.excluded {
            times.excluded += ms;
            match seen {
                PointSeen::NotKept => times.excluded_not_kept += ms,
                PointSeen::Nobody => times.excluded_unobserved += ms,
                PointSeen::As(state) => times.excluded_live += when(state.not_live().is_none()),
            }
        } else {
            times.live_required += ms;
            match seen {
                PointSeen::NotKept => times.live_not_kept += ms,
                PointSeen::Nobody => times.live_unobserved += ms,
                PointSeen::As(state) => match state.not_live() {
                    None => times.live += ms,
                    Some(reason) => times.not_live[reason as usize] += ms,
                },
            }
        }
        if let PointSeen::As(state) = seen
            && state.is_evaluable()
        {
            times.evaluable += ms;
            times.right += when(!state.has_finding());
        }
    }
}

impl Times {
    /// Live, of the time in which somebody watched.
    pub fn live_share(&self) -> Share {
        share(self.live, self.live_required - self.live_unobserved - self.live_not_kept)
    }

    /// The same with what is left out with approval counted, too: the raw figure beside the agreed one.
    pub fn live_share_raw(&self) -> Share {
        let watched = self.live_required - self.live_unobserved - self.live_not_kept;
        let excluded = self.excluded - self.excluded_unobserved - self.excluded_not_kept;
        share(self.live + self.excluded_live, watched + excluded)
    }

    /// Live, of all of the time: what nobody watched, and what is no longer kept, counts as not known to be
    /// live.
    pub fn live_share_of_all(&self) -> Share {
        share(self.live, self.live_required)
    }

    /// Good, of the time in which somebody watched.
    pub fn good_share(&self) -> Share {
        share(self.good, self.observed())
    }

    /// Without a finding, of what could be evaluated.
    pub fn right_share(&self) -> Share {
        share(self.right, self.evaluable)
    }

    /// Watched, of all of the time.
    pub fn observed_share(&self) -> Share {
        share(self.observed(), self.required)
    }

    /// Somebody watched, and it is kept.
    pub fn observed(&self) -> i64 {
        self.required - self.unobserved - self.not_kept
    }
}

/// A share of milliseconds.
pub(super) fn share(have: i64, want: i64) -> Share {
    let count = |ms: i64| u64::try_from(ms).unwrap_or(0);
    Share::new(count(have), count(want))
}

impl Sum for Times {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, times| {
            sum += times;
            sum
        })
    }
}

impl<'a> Sum<&'a Self> for Times {
    fn sum<I: Iterator<Item = &'a Self>>(all: I) -> Self {
        all.copied().sum()
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.required += other.required;
        self.mapped += other.mapped;
        self.tested += other.tested;
        self.good += other.good;
        self.unobserved += other.unobserved;
        self.not_kept += other.not_kept;
        self.live_required += other.live_required;
        self.live += other.live;
        self.live_unobserved += other.live_unobserved;
        self.live_not_kept += other.live_not_kept;
        self.excluded += other.excluded;
        self.excluded_live += other.excluded_live;
        self.excluded_unobserved += other.excluded_unobserved;
        self.excluded_not_kept += other.excluded_not_kept;
        self.evaluable += other.evaluable;
        self.right += other.right;
        for (sum, ms) in self.by_reason.iter_mut().zip(other.by_reason) {
            *sum += ms;
        }
        for (sum, ms) in self.not_live.iter_mut().zip(other.not_live) {
            *sum += ms;
        }
    }
}
