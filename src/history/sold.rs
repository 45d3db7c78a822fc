//! Energy sold in a window, from the running counts that head-ends tell.
//!
//! What a reading brings belongs to the day that the reading holds for, and a day has the meters that were told of
//! last up to it: the windows of a partition add up, exactly. A count that steps back, or further than meters can count, began anew or is wrong:
//! what lies between its two readings is not known, and that is said.

use std::collections::BTreeMap;

use config::{Province, SoldFigures};

use super::counted::Days;
use super::figure::{Figure, Remark, What};
use crate::clock::{DAY_MS, Timestamp};
use crate::historian::counts::Share;
use crate::store::{EnergyKind, EnergyLine};

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
    /// Meter-days that readings of the window cover; a first reading also brings days from before it.
    pub fn covered_days(&self) -> u64 {
        self.days
    }

    /// Meter-days of the window, as far as it is over.
    pub fn all_days(&self) -> u64 {
        self.all_days
    }

    fn known(&self) -> Share {
        let ms = |days: u64| days.saturating_mul(DAY_MS.unsigned_abs());
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

    /// Whether nothing is told of it, and nothing was to be.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes what a line brought over the one before it, which is of the same count.
    pub(super) fn take(
        &mut self,
        before: Option<&EnergyLine>,
        (at, line): (Timestamp, &EnergyLine),
    ) {
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

impl SoldBy {
    /// Whether a contract has such meters.
    fn is_of(&self, province: &Province) -> bool {
        let station = province.stations.iter().find(|station| station.id == self.station);
        station.is_some_and(|station| {
            station.meters.iter().any(|group| {
                let class = &province.meter_classes[group.class];
                class.id == self.class
                    && class.sold == self.sells
                    && province.districts[group.district].id == self.district
            })
        })
    }
}

/// The meters of a running count. A day has those of the last line whose day is not later; what no line tells has
/// those of the first day of which one does.
#[derive(Debug, Default)]
pub(super) struct Meters {
    /// How many there are from a day on, and of which group; in the order of these days.
    told: Vec<(i64, u64, SoldBy)>,
}

impl Meters {
    /// Takes what a line tells of them, and says to which group it belongs; `None` for a count that is not of a
    /// district and a class.
    pub(super) fn tell(&mut self, line: &EnergyLine) -> Option<&SoldBy> {
        let earlier = self.told.iter().rposition(|(since, ..)| *since < line.day);
        self.told.truncate(earlier.map_or(0, |n| n + 1));
        let last = self.told.last();
        let is_news = |(_, count, group): &(i64, u64, SoldBy)| {
            (*count, group.sells) != (line.meters, line.sells)
        };
        if last.is_none_or(is_news) {
            let (district, class) = line.id.split_once('.')?;
            let group = SoldBy {
                sells: line.sells,
                station: line.station.clone(),
                district: district.to_owned(),
                class: class.to_owned(),
            };
            self.told.push((line.day, line.meters, group));
        }
        self.told.last().map(|(.., group)| group)
    }

    /// Adds their days to what is wanted of their group.
    pub(super) fn add(self, kind: EnergyKind, days: &Days<'_>, sold: &mut BTreeMap<SoldBy, Sold>) {
        let ends: Vec<i64> =
            self.told.iter().skip(1).map(|(since, ..)| *since).chain([i64::MAX]).collect();
        for (n, ((since, count, group), end)) in self.told.into_iter().zip(ends).enumerate() {
            let since = if n == 0 { i64::MIN } else { since };
            let days = days.count((since, end), |province| group.is_of(province));
            if days > 0 {
                let own = sold.entry(group).or_default().of(kind);
                own.all_days = own.all_days.saturating_add(count.saturating_mul(days));
            }
        }
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
