//! Energy sold in a window, from the running counts that head-ends tell.
//!
//! What a reading brings, energy and meter-days alike, belongs to the day that the reading holds for, and a day has
//! the meters that were told of last up to its end: the windows of a partition add up, exactly. Of the meter-days that
//! the readings of a window bring, some may lie before it: no more than were unread when it began. A count
//! that steps back, or further than meters can count, began anew or is wrong: what lies between its two readings is
//! not known, and that is said.

use std::collections::BTreeMap;

use config::{Province, SoldFigures};
use historian::counts::Share;
use signal::clock::{DAY_MS, Timestamp};

use super::counted::{Brought, Days};
use super::figure::{Figure, Remark};
use crate::{EnergyKind, EnergyLine};

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
    /// Meter-days that it covers, within the window and before it.
    days: u64,
    /// Of these, those that lie within the window, whatever was unread before.
    within: u64,
    /// Meter-days of the window.
    all_days: u64,
    /// The last local day within the window for which there is a reading, since 1970; 0: none.
    pub until: i64,
    /// Meters that the latest reading of the window did not reach.
    behind: u64,
    /// Some of its groups were not read at all in the window.
    is_unread: bool,
}

impl Read {
    /// Meter-days that readings of the window cover; some of them may lie before it.
    pub fn covered_days(&self) -> u64 {
        self.days
    }

    /// Meter-days of the window.
    pub fn all_days(&self) -> u64 {
        self.all_days
    }

    /// Meters that the latest reading of the window did not reach; `None` where some were not read at all, since then
    /// nobody was to be missed.
    pub fn behind(&self) -> Option<u64> {
        (!self.is_unread).then_some(self.behind)
    }

    fn figure(&self) -> Figure<u64> {
        let ms = |days: u64| days.saturating_mul(DAY_MS.unsigned_abs());
        // Where there are no meters of the kind, they sold nothing.
        if self.days > 0 || self.all_days == 0 {
            Figure::new(self.kwh, Share::new(ms(self.within), ms(self.all_days)))
        } else {
            Figure::unknown(ms(self.all_days))
        }
    }
}

impl std::ops::AddAssign for Read {
    fn add_assign(&mut self, other: Self) {
        // A store may say anything of its counts: sums stop at the end of their range.
        self.kwh = self.kwh.saturating_add(other.kwh);
        self.days = self.days.saturating_add(other.days);
        self.within = self.within.saturating_add(other.within);
        self.all_days = self.all_days.saturating_add(other.all_days);
        self.until = self.until.max(other.until);
        self.behind = self.behind.saturating_add(other.behind);
        self.is_unread = self.is_unread || other.is_unread;
    }
}

impl Sold {
    /// All that was read, kWh. What it rests on are meter-days of the window that its readings cover, at least.
    pub fn read(&self) -> Figure<u64> {
        self.all().figure().with(self.remarks.iter().cloned())
    }

    /// What both kinds of readings brought.
    pub fn all(&self) -> Read {
        let mut all = self.remote;
        all += self.hand;
        all
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

    /// Takes what a line brought.
    fn take(&mut self, brought: Brought<Read>, (at, line): (Timestamp, &EnergyLine)) {
        let own = self.of(line.kind);
        own.behind = line.behind;
        if line.meter_days > 0 {
            own.until = line.day;
        }
        match brought {
            // Nobody knows since when it counts.
            Brought::First => {}
            Brought::Known(read) => *own += read,
            Brought::Doubtful(what) => {
                let place = format!("{} {}", line.station, line.id);
                self.remarks.push(Remark { at, until: None, place, what });
            }
        }
    }
}

/// No group of meters sells so many times what the whole province does.
const OF_PROVINCE_MAX: f64 = 3.0;
/// A meter that is read otherwise from a contract on brings what it counted since it was last read: two rounds by hand,
/// days.
const CHANGED_DAYS: u64 = 62;

/// What readings brought from one line of a count to a later one; `None` when that cannot be. `gwh_per_year`: what the
/// province sells by its contract; 0: nothing is said of it.
pub(super) fn step(old: &EnergyLine, line: &EnergyLine, gwh_per_year: f64) -> Option<Read> {
    let kwh = line.kwh.checked_sub(old.kwh)?;
    let days = line.meter_days.checked_sub(old.meter_days)?;
    let passed = u64::try_from(line.day.checked_sub(old.day)?).ok()?;
    // No more meter-days than were unread, and have come since.
    let meters = old.meters.max(line.meters);
    let changed = old.meters.abs_diff(line.meters).saturating_mul(CHANGED_DAYS);
    let unread = old.unread_days.saturating_add(meters.saturating_mul(passed));
    let is_read = days <= unread.saturating_add(changed);
    // Of meters that were not read for long, as many days as they were not.
    let long = passed.max(days.div_ceil(meters.max(1)));
    #[expect(clippy::cast_precision_loss, reason = "a bound, far from any edge")]
    let (wide, most) = (kwh as f64, OF_PROVINCE_MAX * gwh_per_year * 1e6 / 365.0 * long as f64);
    let is_sold = kwh <= days.saturating_mul(SoldFigures::KWH_PER_DAY_MAX)
        && (gwh_per_year <= 0.0 || wide <= most);
    (is_read && is_sold).then(|| Read { kwh, days, ..Read::default() })
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

/// A running count of meters, as it is gone through.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// What its readings brought. Its meters may sell by one contract and not by the next.
    own: BTreeMap<SoldBy, Sold>,
    /// How many meters there are from a day on, and of which group; in the order of these days. What no line
    /// tells has those of the first day of which one does.
    meters: Vec<(i64, u64, SoldBy)>,
    /// The last day before the window up to which it is told, and the meter-days that were unread at its end;
    /// without such a day the first that is told.
    unread: Option<(i64, u64)>,
}

impl Count {
    /// Takes a line, with the one of the same count before it, and what it brought.
    pub(super) fn take(
        &mut self,
        days: &Days<'_>,
        (before, brought): (Option<&EnergyLine>, Brought<Read>),
        (at, line): (Timestamp, &EnergyLine),
    ) {
        let Some((district, class)) = line.id.split_once('.') else { return };
        let group = SoldBy {
            sells: line.sells,
            station: line.station.clone(),
            district: district.to_owned(),
            class: class.to_owned(),
        };
        let first = days.first();
        if line.day < first && before.is_some_and(|old| old.day >= first) {
            // A count that goes back over the beginning may bring what the one before has brought.
            self.unread = Some((first, u64::MAX));
        } else if self.unread.is_none_or(|(_, unread)| line.day < first && unread < u64::MAX) {
            self.unread = Some((line.day, line.unread_days));
        }
        if days.has(line.day) {
            self.own.entry(group.clone()).or_default().take(brought, (at, line));
        }
        // Behind a jump of the clock what was told later holds.
        let day = days.day(at);
        let earlier = self.meters.iter().rposition(|(since, ..)| *since < day);
        self.meters.truncate(earlier.map_or(0, |n| n + 1));
        if self.meters.last().is_none_or(|(_, count, last)| (*count, last) != (line.meters, &group))
        {
            self.meters.push((day, line.meters, group));
        }
    }

    /// Adds it to what was sold, with the meter-days of the window, and those that its readings cover.
    pub(super) fn add(
        mut self,
        kind: EnergyKind,
        days: &Days<'_>,
        sold: &mut BTreeMap<SoldBy, Sold>,
    ) {
        let unread = self.unread_before(days.first());
        let ends: Vec<i64> =
            self.meters.iter().skip(1).map(|(since, ..)| *since).chain([i64::MAX]).collect();
        for (n, ((since, count, group), end)) in self.meters.into_iter().zip(ends).enumerate() {
            let since = if n == 0 { i64::MIN } else { since };
            let days = days.count((since, end), |province| group.is_of(province));
            if days > 0 {
                let own = self.own.entry(group).or_default().of(kind);
                own.all_days = own.all_days.saturating_add(count.saturating_mul(days));
            }
        }
        for (group, mut own) in self.own {
            let read = own.of(kind);
            // Each day that was unread before may be among those that were brought, and no other one from before.
            read.within = read.days.saturating_sub(unread).min(read.all_days);
            read.is_unread = read.all_days > 0 && read.until == 0;
            *sold.entry(group).or_default() += &own;
        }
    }

    /// Meter-days that may have been unread when a day began: as they were told, and all since then.
    fn unread_before(&self, first: i64) -> u64 {
        let Some((told, mut unread)) = self.unread else { return 0 };
        let ends = self.meters.iter().skip(1).map(|(since, ..)| *since).chain([i64::MAX]);
        for (n, ((since, count, _), end)) in self.meters.iter().zip(ends).enumerate() {
            let since = if n == 0 { i64::MIN } else { *since };
            let days = first.min(end).saturating_sub(since.max(told.saturating_add(1)));
            unread = unread.saturating_add(count.saturating_mul(u64::try_from(days).unwrap_or(0)));
        }
        unread
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::What;
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
            unread_days: 0,
        }
    }

    #[test]
    fn a_count_that_cannot_be_brings_nothing() {
        for (before, after, kwh) in [
            (line(5, 100, 40), line(6, 150, 50), Some(50)),
            // It began anew.
            (line(5, 100, 40), line(6, 20, 10), None),
            (line(5, 100, 40), line(6, 150, 39), None),
            // A day that goes back.
            (line(5, 100, 40), line(4, 150, 50), None),
            // Energy that no reading covers, or more than the meters can count.
            (line(5, 100, 40), line(6, 150, 40), None),
            (line(5, 100, 40), line(6, 100 + 240_001, 41), None),
            (line(5, 100, 40), line(5, 100, 40), Some(0)),
            // More readings than there are meters and days, but for what was unread.
            (line(5, 100, 40), line(6, 150, 51), None),
            (line(5, 100, 40), line(5, 150, 41), None),
            (EnergyLine { unread_days: 1, ..line(5, 100, 40) }, line(5, 150, 41), Some(50)),
            // Some are read in this way from now on.
            (EnergyLine { meters: 9, ..line(5, 100, 40) }, line(6, 150, 40 + 10 + 62), Some(50)),
            (EnergyLine { meters: 9, ..line(5, 100, 40) }, line(6, 150, 40 + 10 + 63), None),
        ] {
            let read = step(&before, &after, 0.0).map(|read| read.kwh);
            assert_eq!(read, kwh, "{before:?} {after:?}");
        }
        // Of a province that sells 1 GWh a day.
        let gwh = |kwh| {
            let many = |line| EnergyLine { meters: 1_000, ..line };
            step(&many(line(5, 0, 40)), &many(line(6, kwh, 1_040)), 365.0)
        };
        assert!(gwh(2_900_000).is_some() && gwh(3_100_000).is_none(), "three times the province");
    }

    #[test]
    fn what_is_doubtful_is_told_and_the_first_line_brings_nothing() {
        let mut own = Sold::default();
        own.take(Brought::Doubtful(What::CountDoubtful), (Timestamp(0), &line(6, 20, 10)));
        assert_eq!((own.remote.kwh, own.remarks.len()), (0, 1));
        let mut own = Sold::default();
        own.take(Brought::First, (Timestamp(0), &line(5, 1_000_000, 40)));
        own.remote.all_days = 10;
        assert_eq!((own.remote.kwh, own.remarks.len(), own.remote.until), (0, 0, 5));
        let unknown = Figure::unknown(10 * DAY_MS.unsigned_abs());
        assert_eq!(own.read(), unknown, "not known, and not 0");
    }
}
