//! Energy by running counts: what was sold, and what plants gave to the grid, in one walk through the counts
//! that a store has.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Province, Zone};
use signal::clock::{DAY_MS, Timestamp};

use super::energy::{PlantPower, Taken};
use super::figure::What;
use super::produced::{self, Point, Produced};
use super::sold::{self, Count, Sold, SoldBy};
use super::window::{Span, Window};
use crate::{Contract, EnergyKind, EnergyLine, Reader, StoreError};

/// Energy of a window by running counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    /// Energy sold, by group of meters.
    pub sold: BTreeMap<SoldBy, Sold>,
    /// What went over the metered points of plants, by plant and point.
    pub produced: BTreeMap<(String, String), Produced>,
}

/// A window of whole local days, since 1970.
pub struct Days<'a> {
    first: i64,
    last: i64,
    /// By what local time goes.
    zone: Zone,
    /// All of the window, however much of it was watched: what is asked of it must not hang on whether somebody watched
    /// later.
    pub(super) span: Span,
    /// The contracts of the window in the order of time, each with the day at whose end it was the first to
    /// hold. The first one also holds before.
    contracts: Vec<(i64, &'a Province)>,
}

impl<'a> Days<'a> {
    /// The days of a window, which begins and ends with one. `contracts` are those of its eras.
    pub fn new(window: &Window, contracts: &'a [Contract], zone: Zone) -> Self {
        let day = |at: Timestamp| at.local_day(zone);
        let (from, to) = (window.span.from, window.span.to);
        let eras = window.eras.iter().zip(contracts);
        Self {
            first: day(from),
            last: day(to.plus(-1)),
            zone,
            span: window.span,
            contracts: eras
                .map(|(era, contract)| (day(era.span.from), &*contract.province))
                .collect(),
        }
    }

    /// The first day of the window.
    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// The local day of a moment.
    pub(super) fn day(&self, at: Timestamp) -> i64 {
        at.local_day(self.zone)
    }

    /// When a local day begins.
    pub(super) fn midnight(&self, day: i64) -> Timestamp {
        Timestamp::of_local_day(day, self.zone)
    }

    /// The last day of the window.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// The contract of a day.
    pub(super) fn province(&self, day: i64) -> Option<&'a Province> {
        of_day(&self.contracts, day).copied()
    }

    /// Whether a day is one of the window.
    pub(super) fn has(&self, day: i64) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Days of the window from `from` up to but not including `to` whose contract has what `is_named` asks for.
    pub(super) fn count(
        &self,
        (from, to): (i64, i64),
        is_named: impl Fn(&Province) -> bool,
    ) -> u64 {
        let from = from.max(self.first);
        let to = to.min(self.last.saturating_add(1));
        let ends = self.contracts.iter().skip(1).map(|(day, _)| *day).chain([i64::MAX]);
        let eras = self.contracts.iter().zip(ends).enumerate();
        eras.filter(|(_, ((_, province), _))| is_named(province))
            .map(|(n, ((begins, _), ends))| {
                let begins = if n == 0 { i64::MIN } else { *begins };
                u64::try_from(to.min(ends).saturating_sub(from.max(begins))).unwrap_or(0)
            })
            .sum()
    }

    /// Whether a stretch has any time of the window.
    pub(super) fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        Span::new(from, to).and(self.span).length() > 0
    }
}

/// What holds on a day, of what began to hold day by day; the first one also held before.
fn of_day<T>(all: &[(i64, T)], day: i64) -> Option<&T> {
    let next = all.partition_point(|(begins, _)| *begins <= day);
    all[..next].last().or(all.first()).map(|(_, own)| own)
}

/// The contracts of a store, each from the day on at whose end it was the first to hold: what a line can be hangs on
/// that of its day, whatever window is asked for.
struct Held<'a> {
    reader: &'a Reader,
    /// In the order of days, with the numbers of the contracts.
    from: Vec<(i64, i64)>,
    /// Those that were asked for; none where this program cannot read it.
    read: RefCell<BTreeMap<i64, Option<Arc<Province>>>>,
}

impl<'a> Held<'a> {
    fn of(reader: &'a Reader, days: &Days<'_>) -> Result<Self, StoreError> {
        let always = Span { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
        let eras = Window::new(always, &[], &reader.sessions()?).eras;
        let from = eras.iter().map(|era| (days.day(era.span.from), era.contract)).collect();
        Ok(Self { reader, from, read: RefCell::default() })
    }

    /// The contract of a day.
    fn province(&self, day: i64) -> Option<Arc<Province>> {
        let contract = of_day(&self.from, day)?;
        let mut read = self.read.borrow_mut();
        let own = read.entry(*contract);
        own.or_insert_with(|| Some(self.reader.contract(*contract).ok()?.province)).clone()
    }

    /// The installed power of a plant on a day, MW; `None` where its contract names none.
    fn rating(&self, plant: &str, day: i64) -> Option<f64> {
        let province = self.province(day)?;
        let site = province.site(plant)?;
        Some(province.stations[site.index()].plant?.mw)
    }
}

/// What a line of a running count brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought<T> {
    /// Nothing is before it: nobody knows since when it counts.
    First,
    /// So much.
    Known(T),
    /// What it says cannot be, or something speaks against it.
    Doubtful(What),
}

/// A count that shows another one for no longer than this is found out when it is right again, milliseconds.
const AWAY_MS: i64 = 31 * DAY_MS;

/// What each line of a running count brought, and since which line. `can_follow` says whether a line may follow an
/// earlier one, `begins` whether nothing was counted at a line yet: what comes next counts from there.
///
/// A line that cannot follow the one before brings nothing. The next one is held against the last that was believed, so
/// that a count which was wrong for a moment adds nothing when it is right again, and only then against the one that was
/// not: it may have begun anew. Where it breaks off once more it may be back: what can follow a line from before it began
/// anew was another counter meanwhile; what it added is known if that is the only such line.
fn follow(
    lines: usize,
    at: impl Fn(usize) -> Timestamp,
    can_follow: impl Fn(usize, usize) -> bool,
    begins: impl Fn(usize) -> bool,
) -> Vec<Brought<usize>> {
    let mut brought: Vec<Brought<usize>> = Vec::with_capacity(lines);
    let mut believed = 0;
    // Lines that were believed last before it began anew.
    let mut left: Vec<usize> = Vec::new();
    for n in 0..lines {
        if n == 0 {
            brought.push(Brought::First);
            continue;
        }
        let is_after_another = believed < n - 1 && can_follow(n - 1, n);
        if !(is_after_another && begins(n - 1)) && can_follow(believed, n) {
            brought.push(Brought::Known(believed));
            believed = n;
            continue;
        }
        if is_after_another {
            left.push(believed);
            brought.push(Brought::Known(n - 1));
            believed = n;
            continue;
        }
        let is_back =
            |from: &usize| at(n).since(at(*from)).abs() <= AWAY_MS && can_follow(*from, n);
        let Some(place) = left.iter().position(is_back) else {
            brought.push(Brought::Doubtful(What::CountDoubtful));
            continue;
        };
        let from = left[place];
        brought[from + 1..].fill(Brought::Doubtful(What::CountDoubtful));
        // Where it can follow more than one, what it added is not known; it goes on from there.
        let is_clear = !left[place + 1..].iter().any(is_back);
        let own = Brought::Known(from);
        brought.push(if is_clear { own } else { Brought::Doubtful(What::CountDoubtful) });
        left.truncate(place);
        believed = n;
    }
    brought
}

/// Of two series of readings neither is believed before it was read for a day, while somebody watched how the one gave way
/// to the other: which is the counter's own nobody knows. `begins` says whether a line can be of a counter that began at
/// nothing since the one before.
fn unproven(
    brought: &mut [Brought<usize>],
    at: impl Fn(usize) -> Timestamp,
    begins: impl Fn(usize) -> bool,
) {
    // A series begins at a line that brought nothing itself.
    let begins_series = |n: usize| {
        matches!(brought[n], Brought::Doubtful(_)) && brought.get(n + 1) == Some(&Brought::Known(n))
    };
    let mut first: Vec<usize> = (1..brought.len()).filter(|n| begins_series(*n)).collect();
    let leads_away = |n: &usize| at(*n).since(at(n - 1)) <= produced::UNSEEN_MS && !begins(*n);
    let away: Vec<bool> = first.iter().map(leads_away).collect();
    first.insert(0, 0);
    for (n, from) in first.iter().enumerate() {
        let to = first.get(n + 1).copied().unwrap_or(brought.len());
        let is_beside_another = n > 0 && away[n - 1] || away.get(n) == Some(&true);
        let own = &mut brought[*from..to];
        let last = own.iter().rposition(|own| matches!(own, Brought::Known(_)));
        let is_short = last.is_none_or(|last| at(from + last).since(at(*from)) < DAY_MS);
        if is_beside_another && is_short {
            let known = own.iter_mut().filter(|own| matches!(own, Brought::Known(_)));
            known.for_each(|own| *own = Brought::Doubtful(What::CountDoubtful));
        }
    }
}

/// What was sold and produced on some days by the counts of the stations and plants that are `wanted`.
///
/// # Errors
/// When the store cannot be read.
pub fn counted(
    reader: &Reader,
    days: &Days<'_>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Counted, StoreError> {
    let held = Held::of(reader, days)?;
    let mut counts = Counts { days, held, counted: Counted::default(), plants: BTreeMap::new() };
    // The lines of one count.
    let mut lines: Vec<(Timestamp, EnergyLine)> = Vec::new();
    // What a reading brings may come long after its day: all that is there is looked at.
    reader.energy_counts(Timestamp(i64::MAX), |at, line| {
        if lines.last().is_some_and(|(_, old)| !old.is_same_count(&line)) {
            counts.take(&lines);
            lines.clear();
        }
        if wanted(&line.station) {
            lines.push((at, line));
        }
    })?;
    counts.take(&lines);
    // Groups that no contract of the window names, and of which nothing was told in it.
    counts.counted.sold.retain(|_, own| !own.is_empty());
    counts.produced()
}

/// What is known of the counts that were gone through.
struct Counts<'a> {
    days: &'a Days<'a>,
    held: Held<'a>,
    counted: Counted,
    /// Counters of plants, to the grid and from it, by plant and point.
    plants: BTreeMap<(String, String), [Option<PlantCounter>; 2]>,
}

impl Counts<'_> {
    /// Takes all lines of one count.
    fn take(&mut self, lines: &[(Timestamp, EnergyLine)]) {
        match lines.first().map(|(_, line)| line.kind) {
            None => {}
            Some(EnergyKind::Remote | EnergyKind::Hand) => self.take_sold(lines),
            Some(EnergyKind::Out | EnergyKind::In) => self.take_produced(lines),
        }
    }

    fn take_sold(&mut self, lines: &[(Timestamp, EnergyLine)]) {
        let step = |from: usize, to: usize| {
            let (old, line) = (&lines[from].1, &lines[to].1);
            let per_year = self.held.province(line.day).map_or(0.0, |own| own.sold_gwh_per_year);
            sold::step(old, line, per_year)
        };
        let begins = |n: usize| (lines[n].1.kwh, lines[n].1.meter_days) == (0, 0);
        let can_follow = |from: usize, to: usize| step(from, to).is_some();
        let brought = follow(lines.len(), |n| lines[n].0, can_follow, begins);
        let mut meters = Count::default();
        for (n, ((at, line), brought)) in lines.iter().zip(brought).enumerate() {
            let old = n.checked_sub(1).map(|before| &lines[before].1);
            let brought = brought.and_then(|from| step(from, n));
            meters.take(self.days, (old, brought), (*at, line));
        }
        if let Some((_, last)) = lines.last() {
            meters.add(last.kind, self.days, &mut self.counted.sold);
        }
    }

    /// Keeps what was taken down of a counter of a plant.
    fn take_produced(&mut self, lines: &[(Timestamp, EnergyLine)]) {
        let Some((_, line)) = lines.first() else { return };
        let counter = PlantCounter {
            line: line.clone(),
            taken: lines.iter().map(|(at, line)| (*at, line.kwh)).collect(),
            days: lines.iter().map(|(_, line)| line.day).collect(),
        };
        let side = usize::from(line.kind == EnergyKind::In);
        self.plants.entry(Point::key(line)).or_default()[side] = Some(counter);
    }

    /// What the points of plants gave to the grid and took from it.
    fn produced(mut self) -> Result<Counted, StoreError> {
        let power = PlantPower::of(self.held.reader)?;
        for (key, counters) in std::mem::take(&mut self.plants) {
            let mut point = Point::default();
            let [out, back] = &counters;
            for (own, other) in [(out, back), (back, out)] {
                let Some(own) = own else { continue };
                let other = other.as_ref().map_or(&[][..], |other| &other.taken);
                self.read_counter((own, other), &power, &mut point)?;
            }
            if point.is_of_window() {
                let own = point.into_produced(self.days.span);
                self.counted.produced.insert(key, own);
            }
        }
        Ok(self.counted)
    }

    fn read_counter(
        &self,
        (own, other): (&PlantCounter, &[Taken]),
        power: &PlantPower<'_>,
        point: &mut Point,
    ) -> Result<(), StoreError> {
        let PlantCounter { line, taken, days } = own;
        let step = |from: usize, to: usize| {
            let ((since, before), (at, now)) = (taken[from], taken[to]);
            let rating = self.held.rating(&line.station, days[to]);
            let kwh = produced::step((before, now), at.since(since), rating)?;
            Some((since, kwh))
        };
        let can_follow = |from: usize, to: usize| step(from, to).is_some();
        // A counter that shows nothing may only be away.
        let mut brought = follow(taken.len(), |n| taken[n].0, can_follow, |_| false);
        let begins = |n: usize| {
            let passed = taken[n].0.since(taken[n - 1].0);
            let rating = self.held.rating(&line.station, days[n]);
            produced::step((0, taken[n].1), passed, rating).is_some()
        };
        unproven(&mut brought, |n| taken[n].0, begins);
        // A step that belongs to another window may have some of its time in this one.
        let is_near = |n: usize| match brought[n] {
            Brought::Known(from) => self.days.touches(taken[from].0, taken[n].0),
            _ => false,
        };
        let told: Vec<usize> =
            (0..taken.len()).filter(|n| self.days.has(days[*n]) || is_near(*n)).collect();
        let steps = told.iter().filter_map(|n| match brought[*n] {
            Brought::Known(from) => Some((from, *n)),
            _ => None,
        });
        let against = power.against(line, (taken, other), &steps.collect::<Vec<_>>())?;
        for n in told {
            let brought = match against.get(&n) {
                Some(why) => Brought::Doubtful(What::Counter(*why, false)),
                None => brought[n].and_then(|from| step(from, n)),
            };
            let before = n.checked_sub(1).map(|before| taken[before].0);
            point.take(self.days, line, brought, (before, taken[n].0, days[n]));
        }
        Ok(())
    }
}

/// A counter of a metered point of a plant.
struct PlantCounter {
    /// What it is: the first of its lines.
    line: EnergyLine,
    /// What was taken down of it, and of which day.
    taken: Vec<Taken>,
    days: Vec<i64>,
}

impl Brought<usize> {
    /// What the step since that line is.
    fn and_then<T>(self, step: impl FnOnce(usize) -> Option<T>) -> Brought<T> {
        match self {
            Self::First => Brought::First,
            Self::Known(from) => {
                step(from).map_or(Brought::Doubtful(What::CountDoubtful), Brought::Known)
            }
            Self::Doubtful(why) => Brought::Doubtful(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts, an hour apart, of which none adds more than 100 an hour: which line each follows; -1: the first one, -2: it
    /// brings nothing.
    fn followed(kwh: &[u64]) -> Vec<i64> {
        let line = |(n, kwh): (i64, &u64)| {
            let line = EnergyLine {
                kind: EnergyKind::Out,
                station: "P".to_owned(),
                id: "E.OUT".to_owned(),
                sells: false,
                day: 0,
                kwh: *kwh,
                meter_days: 0,
                meters: 0,
                behind: 0,
                unread_days: 0,
            };
            (Timestamp(n * 3_600_000), line)
        };
        let lines: Vec<_> = (0..).zip(kwh).map(line).collect();
        let can = |from: usize, to: usize| {
            let hours = u64::try_from(to - from).unwrap();
            kwh[to].checked_sub(kwh[from]).is_some_and(|more| more <= 100 * hours)
        };
        let place = |own: Brought<usize>| match own {
            Brought::First => -1,
            Brought::Known(from) => i64::try_from(from).unwrap(),
            Brought::Doubtful(_) => -2,
        };
        follow(lines.len(), |n| lines[n].0, can, |n| kwh[n] == 0).into_iter().map(place).collect()
    }

    #[test]
    fn a_count_that_was_another_one_meanwhile_goes_on_where_it_was() {
        let table: [(&str, &[u64], &[i64]); 10] = [
            ("counts", &[5_000, 5_050, 5_100], &[-1, 0, 1]),
            ("a wrong moment", &[5_000, 9, 5_100], &[-1, -2, 0]),
            ("begun anew", &[5_000, 10, 60, 110], &[-1, -2, 1, 2]),
            ("another one meanwhile", &[5_000, 10, 60, 110, 5_300], &[-1, -2, -2, -2, 0]),
            ("and back at what it was", &[5_000, 9_000, 9_010, 5_200], &[-1, -2, -2, 0]),
            ("twice", &[5_000, 10, 60, 5_200, 70, 80, 5_400], &[-1, -2, -2, 0, -2, -2, 3]),
            ("begun anew and soon as far", &[30, 0, 60, 90], &[-1, -2, 1, 2]),
            ("nothing for a moment", &[5_000, 0, 5_100], &[-1, -2, 0]),
            ("begun anew twice", &[5_000, 10, 60, 1, 20], &[-1, -2, 1, -2, 3]),
            ("back to one of two", &[250, 10, 60, 1, 20, 300, 350], &[-1, -2, -2, -2, -2, -2, 5]),
        ];
        for (what, kwh, expected) in table {
            assert_eq!(followed(kwh), expected, "{what}");
        }
        // Not after more than a month: it may have begun anew.
        for (hours, last) in [(743, 0), (744, -2)] {
            let weeks = [5_000].into_iter().chain((0..hours).map(|n| 10 + n));
            let long = followed(&weeks.chain([5_100]).collect::<Vec<u64>>());
            assert_eq!(long.last(), Some(&last), "{hours}");
        }
    }

    /// The same of a counter that gives 100 an hour at most, with `unproven`: the series that are not believed are -2.
    fn believed(kwh: &[u64], minutes: impl Fn(usize) -> i64) -> Vec<i64> {
        let at = |n: usize| Timestamp(60_000 * minutes(n));
        let can = |from: usize, to: usize| {
            let hours = u64::try_from(at(to).since(at(from)) / 3_600_000 + 1).unwrap_or(0);
            kwh[to].checked_sub(kwh[from]).is_some_and(|more| more <= 100 * hours)
        };
        let mut brought = follow(kwh.len(), at, can, |_| false);
        unproven(&mut brought, at, |n| kwh[n] <= 100);
        let place = |own: &Brought<usize>| match own {
            Brought::First => -1,
            Brought::Known(from) => i64::try_from(*from).unwrap(),
            Brought::Doubtful(_) => -2,
        };
        brought.iter().map(place).collect()
    }

    #[test]
    fn a_series_that_is_not_a_day_old_is_not_believed_beside_another_one() {
        let hourly = |n: usize| 60 * i64::try_from(n).unwrap();
        let series = |from: u64, hours: u64| (0..hours).map(move |n| from + 10 * n);
        let counts = |all: &[(u64, u64)]| -> Vec<u64> {
            all.iter().flat_map(|(from, hours)| series(*from, *hours)).collect()
        };
        let doubtful = |own: &[i64]| own.iter().filter(|own| **own == -2).count();
        let table: [(&str, &[(u64, u64)], usize); 6] = [
            ("one", &[(5_000, 10)], 0),
            ("a day each", &[(5_000, 25), (90_000, 25)], 1),
            ("not yet", &[(5_000, 25), (90_000, 24)], 24),
            ("not before", &[(5_000, 24), (90_000, 25)], 24),
            ("neither", &[(5_000, 10), (90_000, 10)], 19),
            ("begun anew", &[(5_000, 10), (10, 10)], 1),
        ];
        for (what, all, expected) in table {
            assert_eq!(doubtful(&believed(&counts(all), hourly)), expected, "{what}");
        }
        // Nobody saw how the one gave way to the other.
        let apart = |n: usize| hourly(n) + if n < 10 { 0 } else { 180 };
        assert_eq!(doubtful(&believed(&counts(&[(5_000, 10), (90_000, 10)]), apart)), 1);
        // The clock was set back.
        let back = |n: usize| hourly(n) - if n < 10 { 0 } else { 1_000 };
        assert_eq!(doubtful(&believed(&counts(&[(5_000, 20)]), back)), 19);
    }
}
