//! Counts of points. Counts are summed; percentages are made only where they are shown.

use std::ops::AddAssign;

use serde::Serialize;

use super::verdict::{PointSnapshot, Reason};
use config::{Entry, Standing};

/// A share as two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Share {
    /// Those that have it.
    pub have: u64,
    /// Those that should.
    pub want: u64,
}

impl Share {
    /// A share of `want`.
    pub fn new(have: u64, want: u64) -> Self {
        Self { have, want }
    }

    /// Those that should and do not.
    pub fn lacking(self) -> u64 {
        self.want.saturating_sub(self.have)
    }

    /// Whether the share reaches `percent` of the whole, without rounding. A share of nothing
    /// reaches no target and misses none: `None`.
    pub fn reaches(self, percent: f64) -> Option<bool> {
        (self.want > 0).then(|| self.have >= self.needed(percent))
    }

    /// Whether it reaches `percent` of the whole while nobody knows of `open` of those that it lacks: `None` as
    /// long as they could decide it.
    pub fn reaches_with(self, open: u64, percent: f64) -> Option<bool> {
        let at_best = Self::new(self.have.saturating_add(open.min(self.lacking())), self.want);
        self.reaches(percent).filter(|reached| *reached || at_best.reaches(percent) == Some(false))
    }

    /// The smallest count that reaches `percent` of the whole.
    pub fn needed(self, percent: f64) -> u64 {
        // Percentages are given to few decimals; in ten-thousandths of a per cent the product is
        // exact.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a target is 0 to 100"
        )]
        let parts = (percent * 10_000.0).round() as u128;
        let needed = (u128::from(self.want) * parts).div_ceil(1_000_000);
        u64::try_from(needed).unwrap_or(u64::MAX)
    }

    /// Per cent in units of 10^-`decimals`, rounded half up, but never to a whole that is not
    /// reached. `None` for a share of nothing.
    pub fn percent(self, decimals: u32) -> Option<u64> {
        let whole = 100 * 10_u128.pow(decimals);
        let (have, want) = (u128::from(self.have), u128::from(self.want));
        let rounded = (have * whole + want / 2).checked_div(want)?;
        let shown = if have < want { rounded.min(whole - 1) } else { rounded };
        u64::try_from(shown).ok()
    }
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.have += other.have;
        self.want += other.want;
    }
}

/// Counts of the required points of a bay, a station, a centre or a province.
///
/// At every level `good` and the sum of `by_reason` make `required`, and `live.have` and the sum
/// of `not_live` make `live.want`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Points that the templates require.
    pub required: u64,
    /// Of these, in the database.
    pub mapped: u64,
    /// Of these, with a valid end-to-end record.
    pub tested: u64,
    /// Points without any reason.
    pub good: u64,
    /// Points by the first stage that fails, in the order of [`Reason::ALL`].
    pub by_reason: [u64; Reason::ALL.len()],
    /// Fresh and usable, of required points that have a value, approved exclusions left out.
    pub live: Share,
    /// Of those that are, not watched for long enough to say so ([`PointSnapshot::undecided`]).
    pub undecided: u64,
    /// Why the others are not live.
    pub not_live: [u64; Reason::ALL.len()],
    /// Approved exclusions among the points that have a value.
    pub excluded: u64,
    /// Of these, fresh and usable all the same.
    pub excluded_live: u64,
    /// Without a finding, of those that a consistency test could take into account.
    pub right: Share,
}

impl Counts {
    /// Counts one point. Points that the centre does not require do not count.
    pub fn add(&mut self, entry: &Entry, command: bool, point: &PointSnapshot) {
        if !entry.required {
            return;
        }
        self.required += 1;
        match entry.standing {
            Standing::Elsewhere | Standing::Absent(_) => {}
            Standing::Untested(_) => self.mapped += 1,
            Standing::Tested(_) => {
                self.mapped += 1;
                self.tested += 1;
            }
        }
        match point.verdict {
            None => self.good += 1,
            Some(reason) => self.by_reason[reason as usize] += 1,
        }
        if !command {
            self.add_live(entry, point);
        }
        if point.evaluable {
            self.right += Share::new(u64::from(point.finding.is_none()), 1);
        }
    }

    fn add_live(&mut self, entry: &Entry, point: &PointSnapshot) {
        if entry.excluded.is_some() {
            self.excluded += 1;
            self.excluded_live += u64::from(point.not_live.is_none());
            return;
        }
        self.live.want += 1;
        match point.not_live {
            None => {
                self.live.have += 1;
                self.undecided += u64::from(point.undecided);
            }
            Some(reason) => self.not_live[reason as usize] += 1,
        }
    }

    /// Fresh and usable, of all required points that have a value, approved exclusions too: the raw figure
    /// beside the agreed one, [`Counts::live`].
    pub fn live_raw(&self) -> Share {
        Share::new(self.live.have + self.excluded_live, self.live.want + self.excluded)
    }

    /// Points of a verdict.
    pub fn of(&self, reason: Reason) -> u64 {
        self.by_reason[reason as usize]
    }

    /// Required points that are not in the database.
    pub fn missing(&self) -> u64 {
        self.required - self.mapped
    }

    /// Mapped points without a valid end-to-end record.
    pub fn untested(&self) -> u64 {
        self.mapped - self.tested
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.required += other.required;
        self.mapped += other.mapped;
        self.tested += other.tested;
        self.good += other.good;
        self.live += other.live;
        self.undecided += other.undecided;
        self.right += other.right;
        self.excluded += other.excluded;
        self.excluded_live += other.excluded_live;
        for (sum, n) in self.by_reason.iter_mut().zip(other.by_reason) {
            *sum += n;
        }
        for (sum, n) in self.not_live.iter_mut().zip(other.not_live) {
            *sum += n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_is_shown_only_when_it_is_one() {
        assert_eq!(Share::new(10, 10).percent(0), Some(100));
        assert_eq!(Share::new(99_999, 100_000).percent(2), Some(9_999));
        assert_eq!(Share::new(199_520, 268_800).percent(2), Some(7_423));
        assert_eq!(Share::new(9, 10).percent(1), Some(900));
        assert_eq!(Share::new(0, 0).percent(1), None);
    }

    #[test]
    fn a_target_is_reached_by_integers_not_by_rounding() {
        assert_eq!(Share::new(0, 268_800).needed(74.2), 199_450);
        assert_eq!(Share::new(199_449, 268_800).reaches(74.2), Some(false));
        assert_eq!(Share::new(199_450, 268_800).reaches(74.2), Some(true));
        assert_eq!(Share::new(9, 10).reaches(90.0), Some(true));
        assert_eq!(Share::new(9, 10).reaches(90.1), Some(false));
        assert_eq!(Share::new(0, 0).reaches(90.0), None);
    }
}
