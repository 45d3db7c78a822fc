//! Energy sold in a window, from the running counts that head-ends tell.
//!
//! What a reading brings belongs to the day that the reading holds for: the windows of a partition add
//! up, exactly. A count that steps back, or further than meters can count, began anew or is wrong:
//! what lies between its two readings is not known, and that is said.

use std::collections::BTreeMap;

use config::SoldFigures;

use crate::clock::Timestamp;
use crate::store::{EnergyKind, EnergyLine, Reader, StoreError};

/// Energy sold by meters of one district and class behind one station, or of several such groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sold {
    /// Brought by remote readings, kWh.
    pub remote_kwh: u64,
    /// Brought by readings by hand, kWh.
    pub hand_kwh: u64,
    /// Meter-days that these cover.
    pub read_days: u64,
    /// Meter-days of the window, as far as it is over.
    pub all_days: u64,
    /// The last day within the window up to which meters were read remotely; 0: none.
    pub remote_until: i64,
    /// The last day within the window on which meters were read by hand; 0: none.
    pub hand_until: i64,
    /// Meters whose latest remote reading of the window failed.
    pub remote_behind: u64,
    /// Meters that the latest round by hand of the window did not reach.
    pub hand_behind: u64,
    /// Readings that say nothing of what was sold: the count stepped back, or too far.
    pub doubtful: u64,
}

impl Sold {
    /// All that is known of it, kWh.
    pub fn kwh(&self) -> u64 {
        self.remote_kwh.saturating_add(self.hand_kwh)
    }

    /// Meter-days that no reading covers. Readings also bring days before the window, so this is
    /// the least that is missing.
    pub fn unread_days(&self) -> u64 {
        self.all_days.saturating_sub(self.read_days)
    }
}

impl std::ops::AddAssign for Sold {
    fn add_assign(&mut self, other: Self) {
        self.remote_kwh = self.remote_kwh.saturating_add(other.remote_kwh);
        self.hand_kwh = self.hand_kwh.saturating_add(other.hand_kwh);
        self.read_days = self.read_days.saturating_add(other.read_days);
        self.all_days = self.all_days.saturating_add(other.all_days);
        self.remote_until = self.remote_until.max(other.remote_until);
        self.hand_until = self.hand_until.max(other.hand_until);
        self.remote_behind = self.remote_behind.saturating_add(other.remote_behind);
        self.hand_behind = self.hand_behind.saturating_add(other.hand_behind);
        self.doubtful += other.doubtful;
    }
}

/// A group of meters, by ids of the contract of its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoldBy {
    /// Whether they sell energy; otherwise what they measure stands outside every sum.
    pub sells: bool,
    /// Station whose head-end reads them.
    pub station: String,
    /// District.
    pub district: String,
    /// Class.
    pub class: String,
}

/// What was sold on the local days from `first` to `last` (since 1970), by group. `over` is the last
/// day that was watched to its end: what comes after it is no meter-day of the window.
///
/// # Errors
/// When the store cannot be read.
pub fn sold(
    reader: &Reader,
    (first, last): (i64, i64),
    over: i64,
) -> Result<BTreeMap<SoldBy, Sold>, StoreError> {
    let mut groups: BTreeMap<SoldBy, Sold> = BTreeMap::new();
    let mut before: Option<EnergyLine> = None;
    // A store may say anything of its counts: sums stop at the end of their range.
    let days = u64::try_from(last.min(over) - first + 1).unwrap_or(0);
    let mut meters: BTreeMap<(EnergyKind, SoldBy), u64> = BTreeMap::new();
    // What a reading brings may come long after its day: all that is there is looked at.
    reader.energy_counts(Timestamp(i64::MAX), |_, line| {
        let last_line = before.replace(line.clone());
        if !matches!(line.kind, EnergyKind::Remote | EnergyKind::Hand) {
            return;
        }
        let Some((district, class)) = line.id.split_once('.') else { return };
        let key = SoldBy {
            sells: line.sells,
            station: line.station.clone(),
            district: district.to_owned(),
            class: class.to_owned(),
        };
        let same =
            |b: &EnergyLine| (b.kind, &b.station, &b.id) == (line.kind, &line.station, &line.id);
        let last_line = last_line.filter(same);
        if line.day <= last {
            meters.insert((line.kind, key.clone()), line.meters);
        }
        let in_window = (first..=last).contains(&line.day);
        if in_window {
            let own = groups.entry(key).or_default();
            take(own, last_line.as_ref(), &line);
        }
    })?;
    for ((_, key), meters) in meters {
        let all = &mut groups.entry(key).or_default().all_days;
        *all = all.saturating_add(meters.saturating_mul(days));
    }
    Ok(groups)
}

/// Takes what a line brought over the one before it, which is of the same count.
fn take(own: &mut Sold, before: Option<&EnergyLine>, line: &EnergyLine) {
    if line.kind == EnergyKind::Remote {
        (own.remote_until, own.remote_behind) = (line.day, line.behind);
    } else {
        (own.hand_until, own.hand_behind) = (line.day, line.behind);
    }
    // Without a line before it nobody knows since when the first one counts.
    let Some(before) = before else { return };
    let step = line.kwh.checked_sub(before.kwh).zip(line.meter_days.checked_sub(before.meter_days));
    let possible = |(kwh, days): &(u64, u64)| {
        line.day >= before.day && *kwh <= days.saturating_mul(SoldFigures::KWH_PER_DAY_MAX)
    };
    let Some((kwh, days)) = step.filter(possible) else {
        own.doubtful += 1;
        return;
    };
    own.read_days = own.read_days.saturating_add(days);
    match line.kind {
        EnergyKind::Remote => own.remote_kwh = own.remote_kwh.saturating_add(kwh),
        _ => own.hand_kwh = own.hand_kwh.saturating_add(kwh),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(day: i64, kwh: u64, meter_days: u64) -> EnergyLine {
        EnergyLine {
            kind: EnergyKind::Remote,
            station: "S1".to_owned(),
            id: "d.rf".to_owned(),
            sells: true,
            day,
            kwh,
            meter_days,
            meters: 10,
            behind: 1,
        }
    }

    #[test]
    fn a_count_that_cannot_be_brings_nothing_and_is_told() {
        for (before, after, kwh, doubtful) in [
            (line(5, 100, 40), line(6, 150, 50), 50, 0),
            // It began anew.
            (line(5, 100, 40), line(6, 20, 10), 0, 1),
            (line(5, 100, 40), line(6, 150, 39), 0, 1),
            // A day that goes back.
            (line(5, 100, 40), line(4, 150, 50), 0, 1),
            // Energy that no reading covers, or more than the meters can count.
            (line(5, 100, 40), line(6, 150, 40), 0, 1),
            (line(5, 100, 40), line(6, 100 + 240_001, 41), 0, 1),
            (line(5, 100, 40), line(5, 100, 40), 0, 0),
        ] {
            let mut own = Sold::default();
            take(&mut own, Some(&before), &after);
            assert_eq!((own.remote_kwh, own.doubtful), (kwh, doubtful), "{before:?} {after:?}");
        }
        let mut own = Sold::default();
        take(&mut own, None, &line(5, 1_000_000, 40));
        assert_eq!((own.kwh(), own.doubtful, own.remote_until), (0, 0, 5));
    }
}
