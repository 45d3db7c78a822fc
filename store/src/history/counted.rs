//! Energy by running counts: what was sold, and what plants gave to the grid, in one walk through the counts
//! that a store has.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Province, Zone};
use signal::clock::{DAY_MS, Timestamp};

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

    /// The installed power of the plant that a line is of, MW; `None` where its contract names none.
    fn rating(&self, line: &EnergyLine) -> Option<f64> {
        let province = self.province(line.day)?;
        let site = province.site(&line.station)?;
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
    /// What it says cannot be.
    Doubtful,
}

/// A count that shows another one for no longer than this is found out when it is right again, milliseconds.
const AWAY_MS: i64 = 7 * DAY_MS;

/// What each line of a running count brought, and since which line. `can_follow` says whether a line may follow an
/// earlier one, `begins` whether nothing was counted at a line yet: what comes next counts from there.
///
/// A line that cannot follow the one before brings nothing. The next one is held against the last that was believed, so
/// that a count which was wrong for a moment adds nothing when it is right again, and only then against the one that was
/// not: it may have begun anew. Where it breaks off once more it may be back: what can follow a line from before it began
/// anew was another counter meanwhile.
fn follow(
    lines: &[(Timestamp, EnergyLine)],
    can_follow: impl Fn(usize, usize) -> bool,
    begins: impl Fn(usize) -> bool,
) -> Vec<Brought<usize>> {
    let mut brought: Vec<Brought<usize>> = Vec::with_capacity(lines.len());
    let mut believed = 0;
    // Lines that were believed last before it began anew.
    let mut left: Vec<usize> = Vec::new();
    for n in 0..lines.len() {
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
        let is_back = |from: &usize| {
            lines[n].0.since(lines[*from].0).abs() <= AWAY_MS && can_follow(*from, n)
        };
        match left.iter().rposition(is_back) {
            Some(place) => {
                let from = left[place];
                left.truncate(place);
                brought[from + 1..].fill(Brought::Doubtful);
                brought.push(Brought::Known(from));
                believed = n;
            }
            None => brought.push(Brought::Doubtful),
        }
    }
    brought
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
    let mut counts = Counts { days, held, counted: Counted::default(), points: BTreeMap::new() };
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
    let Counts { mut counted, points, .. } = counts;
    // Groups that no contract of the window names, and of which nothing was told in it.
    counted.sold.retain(|_, own| !own.is_empty());
    let points = points.into_iter().filter(|(_, own)| own.is_of_window());
    counted.produced = points.map(|(key, own)| (key, own.into_produced(days.span))).collect();
    Ok(counted)
}

/// What is known of the counts that were gone through.
struct Counts<'a> {
    days: &'a Days<'a>,
    held: Held<'a>,
    counted: Counted,
    points: BTreeMap<(String, String), Point>,
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
        let brought = follow(lines, |from, to| step(from, to).is_some(), begins);
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

    fn take_produced(&mut self, lines: &[(Timestamp, EnergyLine)]) {
        let step = |from: usize, to: usize| {
            let ((since, old), (at, line)) = (&lines[from], &lines[to]);
            let rating = self.held.rating(line);
            let kwh = produced::step((old.kwh, line.kwh), at.since(*since), rating)?;
            Some((*since, kwh))
        };
        // A counter that shows nothing may only be away.
        let brought = follow(lines, |from, to| step(from, to).is_some(), |_| false);
        for (n, ((at, line), brought)) in lines.iter().zip(brought).enumerate() {
            let brought = brought.and_then(|from| step(from, n));
            // A step that belongs to another window may have some of its time in this one.
            let is_near = |since: Timestamp| self.days.touches(since, *at);
            let crosses = matches!(brought, Brought::Known((since, _)) if is_near(since));
            if self.days.has(line.day) || crosses {
                let own = self.points.entry(Point::key(line)).or_default();
                own.take(self.days, brought, (*at, line));
            }
        }
    }
}

impl Brought<usize> {
    /// What the step since that line is.
    fn and_then<T>(self, step: impl FnOnce(usize) -> Option<T>) -> Brought<T> {
        match self {
            Self::First => Brought::First,
            Self::Known(from) => step(from).map_or(Brought::Doubtful, Brought::Known),
            Self::Doubtful => Brought::Doubtful,
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
            Brought::Doubtful => -2,
        };
        follow(&lines, can, |n| kwh[n] == 0).into_iter().map(place).collect()
    }

    #[test]
    fn a_count_that_was_another_one_meanwhile_goes_on_where_it_was() {
        let table: [(&str, &[u64], &[i64]); 9] = [
            ("counts", &[5_000, 5_050, 5_100], &[-1, 0, 1]),
            ("a wrong moment", &[5_000, 9, 5_100], &[-1, -2, 0]),
            ("begun anew", &[5_000, 10, 60, 110], &[-1, -2, 1, 2]),
            ("another one meanwhile", &[5_000, 10, 60, 110, 5_300], &[-1, -2, -2, -2, 0]),
            ("and back at what it was", &[5_000, 9_000, 9_010, 5_200], &[-1, -2, -2, 0]),
            ("twice", &[5_000, 10, 60, 5_200, 70, 80, 5_400], &[-1, -2, -2, 0, -2, -2, 3]),
            ("begun anew and soon as far", &[30, 0, 60, 90], &[-1, -2, 1, 2]),
            ("nothing for a moment", &[5_000, 0, 5_100], &[-1, -2, 0]),
            ("begun anew twice", &[5_000, 10, 60, 1, 20], &[-1, -2, 1, -2, 3]),
        ];
        for (what, kwh, expected) in table {
            assert_eq!(followed(kwh), expected, "{what}");
        }
        // Not after weeks: it may have begun anew.
        let weeks: Vec<u64> = [5_000].into_iter().chain((0..200).map(|n| 10 + n)).collect();
        let long = followed(&[&weeks[..], &[5_100]].concat());
        assert_eq!((long[2], long[201]), (1, -2));
    }
}
