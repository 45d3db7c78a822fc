//! Daily reading and half hours of the local days of a window, as head-ends told of them.
//!
//! A day's figures come after it: those of the first pass from 06:00 of the next day on, the final ones three days
//! later. They belong to the day that they are of, whenever they came, so that the windows of a partition add up.
//! Meters of which nobody told for a day were neither read nor not: they are counted beside, and a day of which nobody told at
//! all has all its meters there.

use std::collections::{BTreeMap, BTreeSet};

use config::Province;
use historian::counts::Share;
use historian::snapshot::HalfHours;
use signal::clock::{DAY_MS, Timestamp};

use super::counted::Days;
use super::figure::{Figure, Remark, What};
use crate::{Kept, MeterKind, Metered, Reader, StoreError};

/// The first pass of a day ends so long after midnight, milliseconds.
const FIRST_PASS_MS: i64 = 6 * 3_600_000;

/// What is told of one local day, by one district.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayRead {
    /// Meters read by 06:00 of the next day, of those of which that is told.
    pub first_pass: Share,
    /// Meters of which it is not told.
    pub not_heard: u64,
    /// Half hours: of the final count where there is one, else of the first pass.
    pub half_hours: HalfHours,
    /// It is the final count.
    pub is_final: bool,
    /// Meters of which half hours are told, of all.
    pub half_hours_heard: Share,
}

impl DayRead {
    /// Whether it reaches a target, per cent; `None` as long as meters that were not heard could decide it, and
    /// where nothing is told.
    pub fn reaches(&self, target: f64) -> Option<bool> {
        let Share { have, want } = self.first_pass;
        let all = Share::new(have, want.saturating_add(self.not_heard));
        all.reaches_with(self.not_heard, target).filter(|_| want > 0)
    }
}

impl std::ops::AddAssign for DayRead {
    fn add_assign(&mut self, other: Self) {
        self.first_pass += other.first_pass;
        self.not_heard = self.not_heard.saturating_add(other.not_heard);
        self.half_hours += other.half_hours;
        self.is_final |= other.is_final;
        self.half_hours_heard += other.half_hours_heard;
    }
}

/// Half hours of some days, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    /// Of all days; those of days without a final count have what came on time, and nothing else is told.
    pub half_hours: HalfHours,
    /// Those that had not come by 06:00, of days without a final count: late, filled in, or missing.
    pub not_final: u64,
}

impl Followed {
    /// Those that never came, of days with a final count.
    pub fn missing(&self) -> u64 {
        self.half_hours.missing().saturating_sub(self.not_final)
    }
}

/// Days of a window by their number since 1970: those that are kept, from the first one on of which the store has figures. A
/// day that nobody was told of is one of them, whether it is to come or was missed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    days: BTreeMap<i64, DayRead>,
    remarks: Vec<Remark>,
}

impl Reading {
    /// Days of which something is told, of all.
    pub fn days(&self) -> Share {
        self.share(|day| day.first_pass.want > 0)
    }

    /// Days with a final count, of all.
    pub fn final_days(&self) -> Share {
        self.share(|day| day.is_final)
    }

    fn share(&self, is_so: impl Fn(&DayRead) -> bool) -> Share {
        let have = self.days.values().filter(|day| is_so(day)).count();
        Share::new(have as u64, self.days.len() as u64)
    }

    /// Meters of which the first pass is not told, of all days together: meter-days.
    pub fn not_heard(&self) -> u64 {
        self.days.values().fold(0, |sum, day| day.not_heard.saturating_add(sum))
    }

    /// Meters read by 06:00, of all days together. What it rests on are meter-days.
    pub fn first_pass(&self) -> Figure<Share> {
        let (mut sum, mut heard) = (Share::default(), Share::default());
        for day in self.days.values() {
            sum += day.first_pass;
            let all = day.first_pass.want.saturating_add(day.not_heard);
            heard += Share::new(day.first_pass.want, all);
        }
        self.figure(sum, sum.want, heard)
    }

    /// Half hours of all days together, likewise.
    pub fn half_hours(&self) -> Figure<Followed> {
        let (mut sum, mut heard) = (Followed::default(), Share::default());
        for day in self.days.values() {
            sum.half_hours += day.half_hours;
            sum.not_final += if day.is_final { 0 } else { day.half_hours.missing() };
            heard += day.half_hours_heard;
        }
        self.figure(sum, sum.half_hours.expected, heard)
    }

    fn figure<T>(&self, value: T, of: u64, heard: Share) -> Figure<T> {
        let ms = |days: u64| days.saturating_mul(DAY_MS.unsigned_abs());
        let known = Share::new(ms(heard.have), ms(heard.want));
        let figure = if of > 0 { Figure::new(value, known) } else { Figure::untold(known) };
        figure.with(self.remarks.iter().cloned())
    }

    /// The day with the lowest share, of those of which every meter was heard: another one might be lower,
    /// or not. Of equal ones the first.
    pub fn worst(&self) -> Option<(i64, Share)> {
        // Compared without dividing.
        let product = |have: u64, want: u64| u128::from(have) * u128::from(want);
        let heard =
            self.days.iter().filter(|(_, day)| day.first_pass.want > 0 && day.not_heard == 0);
        heard
            .map(|(day, own)| (*day, own.first_pass))
            .min_by(|(_, a), (_, b)| product(a.have, b.want).cmp(&product(b.have, a.want)))
    }

    /// Days below a target, per cent, and days of which that cannot be told.
    pub fn below(&self, target: f64) -> (u64, u64) {
        let count = |of: Option<bool>| {
            self.days.values().filter(|day| day.reaches(target) == of).count() as u64
        };
        (count(Some(false)), count(None))
    }
}

impl std::ops::AddAssign<&Self> for Reading {
    fn add_assign(&mut self, other: &Self) {
        for (day, own) in &other.days {
            *self.days.entry(*day).or_default() += *own;
        }
        self.remarks.extend(other.remarks.iter().cloned());
    }
}

/// How daily reading went on days of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readings {
    /// By district of the contracts of their time.
    pub districts: BTreeMap<String, Reading>,
    /// The first day of which figures are kept, where the window begins before it.
    pub first: Option<i64>,
}

impl Readings {
    /// All districts together.
    pub fn all(&self) -> Reading {
        let mut all = Reading::default();
        self.districts.values().for_each(|own| all += own);
        all
    }
}

/// Rows of one district that tell of one day: the one that heard the most meters, of equal ones the last.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// Meters that were not heard, and what was read: meters, and half hours.
    first: Option<(u64, Share, Share)>,
    /// The same of the final count, with what it tells of the first pass.
    last: Option<(u64, Share, (HalfHours, Share))>,
}

/// Takes a row in place of an earlier one, unless it heard fewer meters.
fn take<T>(own: &mut Option<(u64, Share, T)>, told: (u64, Share, T)) {
    if own.as_ref().is_none_or(|(not_heard, ..)| told.0 <= *not_heard) {
        *own = Some(told);
    }
}

/// How daily reading went on the days of a window.
///
/// # Errors
/// When the store cannot be read, or what stands in it is damaged.
pub fn readings(reader: &Reader, days: &Days<'_>) -> Result<Readings, StoreError> {
    let Some(began) = reader.metering_begins()? else { return Ok(Readings::default()) };
    let mut told: BTreeMap<(String, i64), Told> = BTreeMap::new();
    // What is told of a day comes after it, however long.
    let from = days.midnight(days.first());
    let mut changed = BTreeSet::new();
    reader.metering_changes((from, Timestamp(i64::MAX)), |line| {
        changed.insert(days.day(line.at));
        note(&mut told, days, &line);
    })?;
    let kept = reader.kept_from(Kept::Metering)?;
    let is_kept = |day: i64| kept.is_none_or(|kept| days.midnight(day) >= kept);
    let mut readings = Readings::default();
    for ((id, day), told) in told.into_iter().filter(|((_, day), _)| is_kept(*day)) {
        readings.put(id, days, (day, told.day()));
    }
    let begins = days.first().max(days.day(began));
    let mut latest: Option<(i64, Vec<Metered>)> = None;
    for day in (begins..=days.last()).filter(|day| is_kept(*day)) {
        if readings.are_all_told(days, day) {
            continue;
        }
        // What was told last, up to the end of the day.
        let is_new = |(of, _): &(i64, _)| changed.range(of + 1..=day).next().is_some();
        let lines = match latest.take().filter(|latest| !is_new(latest)) {
            Some((_, lines)) => lines,
            None => reader.metering(days.midnight(day + 1).plus(-1))?,
        };
        for (id, meters) in readings.lacking(days, (day, &lines)) {
            let nothing = DayRead {
                not_heard: meters,
                half_hours_heard: Share::new(0, meters),
                ..DayRead::default()
            };
            readings.put(id, days, (day, nothing));
        }
        latest = Some((day, lines));
    }
    let told = readings.districts.values().filter_map(|own| own.days.keys().next());
    readings.first = told.min().copied().filter(|day| *day > days.first());
    Ok(readings)
}

impl Readings {
    fn is_told(&self, id: &str, day: i64) -> bool {
        self.districts.get(id).is_some_and(|own| own.days.contains_key(&day))
    }

    /// Whether something is told of a day by each district of its contract.
    fn are_all_told(&self, days: &Days<'_>, day: i64) -> bool {
        let is_told = |province: &Province| {
            province.districts.iter().all(|district| self.is_told(&district.id, day))
        };
        days.province(day).is_none_or(is_told)
    }

    /// Districts of the contract of a day of which nothing is told, with the meters that had a channel, or may have had
    /// one, by what was told last.
    fn lacking(&self, days: &Days<'_>, (day, last): (i64, &[Metered])) -> Vec<(String, u64)> {
        let named = days.province(day);
        let is_named = |line: &Metered| {
            named.is_some_and(|own| own.districts.iter().any(|district| district.id == line.id))
        };
        let is_lacking = |line: &&Metered| {
            line.kind == MeterKind::District && is_named(line) && !self.is_told(&line.id, day)
        };
        // Of those that nobody has counted, any may have one.
        let meters = |line: &Metered| line.remote.saturating_add(line.uncounted);
        last.iter().filter(is_lacking).map(|line| (line.id.clone(), meters(line))).collect()
    }

    fn put(&mut self, id: String, days: &Days<'_>, (day, read): (i64, DayRead)) {
        let all_heard = read.not_heard == 0 && read.half_hours_heard.lacking() == 0;
        let (at, until) = (days.midnight(day), Some(days.midnight(day + 1)));
        let remark = Remark { at, until, place: id.clone(), what: What::NotHeard };
        let own = self.districts.entry(id).or_default();
        own.days.insert(day, read);
        own.remarks.extend((!all_heard).then_some(remark));
    }
}

impl Told {
    fn day(self) -> DayRead {
        let (not_heard, first_pass, intervals) = self.first.unwrap_or_default();
        let early =
            HalfHours { expected: intervals.want, on_time: intervals.have, ..HalfHours::default() };
        // Who was not heard on the day may have been when it was over, and then says what the first pass was.
        let of_last = self.last.map(|(not_heard, _, (_, first_pass))| (not_heard, first_pass));
        let better = of_last.filter(|(unheard, _)| self.first.is_none() || *unheard < not_heard);
        let (unheard, read, half_hours) = match self.last {
            Some((unheard, read, (half_hours, _))) => (unheard, read, half_hours),
            None => (not_heard, first_pass, early),
        };
        let (not_heard, first_pass) = better.unwrap_or((not_heard, first_pass));
        DayRead {
            first_pass,
            not_heard,
            half_hours,
            is_final: self.last.is_some(),
            half_hours_heard: Share::new(read.want, read.want.saturating_add(unheard)),
        }
    }
}

/// Notes what a row tells of days of the window.
fn note(told: &mut BTreeMap<(String, i64), Told>, days: &Days<'_>, line: &Metered) {
    if line.kind != MeterKind::District {
        return;
    }
    let share = |(have, want): (u64, u64)| Share::new(have, want);
    let [not_heard, final_not_heard] = line.not_heard();
    // Stores before version 4 do not say of which day it is: from 06:00 on it is the day before.
    let unsaid = days.day(line.at.plus(-FIRST_PASS_MS)) - 1;
    let day = line.followed.map_or(unsaid, |of| of.day.into());
    if day > 0 && days.has(day) {
        let own = told.entry((line.id.clone(), day)).or_default();
        take(&mut own.first, (not_heard, share(line.first_pass), share(line.half_hours)));
    }
    let Some(followed) = line.followed else { return };
    let day = i64::from(followed.final_day);
    if day > 0 && days.has(day) {
        let own = told.entry((line.id.clone(), day)).or_default();
        let of_day = (followed.half_hours, share(followed.final_first_pass));
        take(&mut own.last, (final_not_heard, share(line.final_pass), of_day));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(have: u64, want: u64, not_heard: u64) -> DayRead {
        DayRead { first_pass: Share::new(have, want), not_heard, ..DayRead::default() }
    }

    #[test]
    fn a_day_is_judged_only_where_meters_that_were_not_heard_cannot_decide() {
        for (day, reaches) in [
            (read(98, 100, 0), Some(true)),
            (read(97, 100, 0), Some(false)),
            // All that were not heard may have been read, and none of them.
            (read(98, 98, 2), Some(true)),
            (read(97, 98, 2), None),
            (read(98, 100, 1), None),
            (read(90, 93, 7), Some(false)),
            (read(0, 0, 100), None),
            (read(0, 0, 0), None),
        ] {
            assert_eq!(day.reaches(98.0), reaches, "{day:?}");
        }
    }

    #[test]
    fn no_day_is_the_worst_because_nobody_looked() {
        let days = [read(99, 100, 0), read(95, 100, 0), read(3, 5, 95), read(0, 0, 100)];
        let days = (1_i64..).zip(days).collect();
        let reading = Reading { days, remarks: Vec::new() };
        assert_eq!(reading.worst(), Some((2, Share::new(95, 100))));
        assert_eq!(reading.below(98.0), (1, 2));
        assert_eq!((reading.days(), reading.not_heard()), (Share::new(3, 4), 195));
        let day = DAY_MS.unsigned_abs();
        assert_eq!(
            reading.first_pass(),
            Figure::new(Share::new(197, 205), Share::new(205 * day, 400 * day))
        );
        assert_eq!(Reading::default().first_pass(), Figure::unknown(0));
    }

    #[test]
    fn who_heard_most_is_believed_of_equal_ones_the_last() {
        let share = |n| Share::new(n, 10);
        let mut own = None;
        for (not_heard, n) in [(5, 1), (2, 2), (2, 3), (4, 4)] {
            take(&mut own, (not_heard, share(n), ()));
        }
        assert_eq!(own, Some((2, share(3), ())));
        let first = Some((5, share(4), Share::new(40, 480)));
        let half_hours = HalfHours { expected: 960, on_time: 90, late: 5, backfilled: 5 };
        let last = Some((1, share(9), (half_hours, share(8))));
        let day = Told { first, last }.day();
        assert_eq!((day.first_pass, day.not_heard, day.is_final), (share(8), 1, true));
        assert_eq!((day.half_hours, day.half_hours_heard), (half_hours, Share::new(10, 11)));
        let early = Told { first, last: None }.day();
        assert_eq!((early.first_pass, early.not_heard, early.is_final), (share(4), 5, false));
        assert_eq!((early.half_hours.on_time, early.half_hours_heard), (40, Share::new(10, 15)));
    }
}
