//! Energy sold in a window, from the running counts that head-ends tell.
//!
//! What a reading brings belongs to the day that the reading holds for: the windows of a partition add
//! up, exactly. A count that steps back, or further than meters can count, began anew or is wrong:
//! what lies between its two readings is not known, and that is said.

use std::collections::BTreeMap;

use config::SoldFigures;

use super::figure::{Figure, Remark, What};
use crate::clock::{DAY_MS, Timestamp};
use crate::historian::counts::Share;
use crate::store::{EnergyKind, EnergyLine, Reader, StoreError};

/// Energy sold by meters of one district and class behind one station, or of several such groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sold {
    remote: Read,
    hand: Read,
    remarks: Vec<Remark>,
}

/// What readings of one kind brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Read {
    kwh: u64,
    /// Meter-days that it covers.
    days: u64,
    /// Meter-days of the window, as far as it is over.
    all_days: u64,
    /// The last local day within the window for which there is a reading, since 1970; 0: none.
    pub until: i64,
    /// Meters that the latest reading of the window did not reach.
    pub behind: u64,
}

impl Read {
    fn known(&self) -> Share {
        let ms = |days: u64| days.saturating_mul(DAY_MS.unsigned_abs());
        // A first reading also brings days from before the window.
        Share::new(ms(self.days.min(self.all_days)), ms(self.all_days))
    }

    fn figure(&self) -> Figure<u64> {
        let known = self.known();
        // Where there are no meters of the kind, they sold nothing.
        if self.days > 0 || self.all_days == 0 {
            Figure::new(self.kwh, known)
        } else {
            Figure::unknown(known.want)
        }
    }
}

impl std::ops::AddAssign for Read {
    fn add_assign(&mut self, other: Self) {
        // A store may say anything of its counts: sums stop at the end of their range.
        self.kwh = self.kwh.saturating_add(other.kwh);
        self.days = self.days.saturating_add(other.days);
        self.all_days = self.all_days.saturating_add(other.all_days);
        self.until = self.until.max(other.until);
        self.behind = self.behind.saturating_add(other.behind);
    }
}

impl Sold {
    /// All that was read, kWh; what it rests on are meter-days.
    pub fn read(&self) -> Figure<u64> {
        let mut all = self.remote;
        all += self.hand;
        all.figure().with(self.remarks.iter().cloned())
    }

    /// What remote readings brought, kWh.
    pub fn remote_kwh(&self) -> Figure<u64> {
        self.remote.figure()
    }

    /// What readings by hand brought, kWh.
    pub fn hand_kwh(&self) -> Figure<u64> {
        self.hand.figure()
    }

    /// When meters were read remotely, and how many were not.
    pub fn remote(&self) -> Read {
        self.remote
    }

    /// When meters were read by hand, and how many were not.
    pub fn hand(&self) -> Read {
        self.hand
    }

    fn of(&mut self, kind: EnergyKind) -> &mut Read {
        if kind == EnergyKind::Remote { &mut self.remote } else { &mut self.hand }
    }

    /// Takes what a line brought over the one before it, which is of the same count.
    fn take(&mut self, before: Option<&EnergyLine>, (at, line): (Timestamp, &EnergyLine)) {
        let own = self.of(line.kind);
        (own.until, own.behind) = (line.day, line.behind);
        // Without a line before it nobody knows since when the first one counts.
        let Some(before) = before else { return };
        let kwh = line.kwh.checked_sub(before.kwh);
        let step = kwh.zip(line.meter_days.checked_sub(before.meter_days));
        let possible = |(kwh, days): &(u64, u64)| {
            line.day >= before.day && *kwh <= days.saturating_mul(SoldFigures::KWH_PER_DAY_MAX)
        };
        if let Some((kwh, days)) = step.filter(possible) {
            *own += Read { kwh, days, ..Read::default() };
        } else {
            let place = format!("{} {}", line.station, line.id);
            self.remarks.push(Remark { at, until: None, place, what: What::CountDoubtful });
        }
    }
}

impl std::ops::AddAssign<&Self> for Sold {
    fn add_assign(&mut self, other: &Self) {
        self.remote += other.remote;
        self.hand += other.hand;
        self.remarks.extend(other.remarks.iter().cloned());
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
    let days = u64::try_from(last.min(over) - first + 1).unwrap_or(0);
    let mut meters: BTreeMap<(EnergyKind, SoldBy), u64> = BTreeMap::new();
    // What a reading brings may come long after its day: all that is there is looked at.
    reader.energy_counts(Timestamp(i64::MAX), |at, line| {
        let last_line = before.replace(line.clone());
        if !matches!(line.kind, EnergyKind::Remote | EnergyKind::Hand) || line.day > last {
            return;
        }
        let Some((district, class)) = line.id.split_once('.') else { return };
        let key = SoldBy {
            sells: line.sells,
            station: line.station.clone(),
            district: district.to_owned(),
            class: class.to_owned(),
        };
        meters.insert((line.kind, key.clone()), line.meters);
        if line.day >= first {
            let own = groups.entry(key).or_default();
            own.take(last_line.filter(|b| b.is_same_count(&line)).as_ref(), (at, &line));
        }
    })?;
    for ((kind, key), meters) in meters {
        groups.entry(key).or_default().of(kind).all_days = meters.saturating_mul(days);
    }
    Ok(groups)
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
            own.take(Some(&before), (Timestamp(0), &after));
            assert_eq!((own.remote.kwh, own.remarks.len()), (kwh, doubtful), "{after:?}");
        }
        let mut own = Sold::default();
        own.take(None, (Timestamp(0), &line(5, 1_000_000, 40)));
        own.remote.all_days = 10;
        assert_eq!((own.remote.kwh, own.remarks.len(), own.remote.until), (0, 0, 5));
        let unknown = Figure::unknown(10 * DAY_MS.unsigned_abs());
        assert_eq!(own.read(), unknown, "not known, and not 0");
    }
}
