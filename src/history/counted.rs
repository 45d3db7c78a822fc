//! Energy by running counts: what was sold, and what plants gave to the grid, in one walk through the counts
//! that a store has.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use config::Province;

use super::produced::{self, Point, Produced};
use super::sold::{self, Count, Sold, SoldBy};
use super::window::{Span, Window};
use crate::clock::Timestamp;
use crate::store::{Contract, EnergyKind, EnergyLine, Reader, StoreError};

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
    /// How far local time is ahead, hours.
    utc_offset_hours: i8,
    /// All of the window, however much of it was watched: what is asked of it must not hang on whether somebody watched
    /// later.
    pub(super) span: Span,
    /// The contracts of the window in the order of time, each with the day at whose end it was the first to
    /// hold. The first one also holds before.
    contracts: Vec<(i64, &'a Province)>,
}

impl<'a> Days<'a> {
    /// The days of a window, which begins and ends with one. `contracts` are those of its eras.
    pub fn new(window: &Window, contracts: &'a [Contract], utc_offset_hours: i8) -> Self {
        let day = |at: Timestamp| at.local_day(utc_offset_hours);
        let (from, to) = (window.span.from, window.span.to);
        let eras = window.eras.iter().zip(contracts);
        Self {
            first: day(from),
            last: day(to.plus(-1)),
            utc_offset_hours,
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
        at.local_day(self.utc_offset_hours)
    }

    /// When a local day begins.
    pub(super) fn midnight(&self, day: i64) -> Timestamp {
        Timestamp::of_local_day(day, self.utc_offset_hours)
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
    fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
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

impl<T> Brought<T> {
    fn map<U>(self, with: impl FnOnce(T) -> U) -> Brought<U> {
        match self {
            Self::First => Brought::First,
            Self::Known(own) => Brought::Known(with(own)),
            Self::Doubtful => Brought::Doubtful,
        }
    }
}

/// A running count, line by line. A line that cannot follow the one before brings nothing; the next one is held against
/// the last that was believed, so that a count which was wrong for a moment adds nothing when it is right again, and
/// only then against the one that was not: it may have begun anew.
#[derive(Debug, Default)]
struct Chain {
    believed: Option<(Timestamp, EnergyLine)>,
    /// The line before, believed or not.
    last: Option<(Timestamp, EnergyLine)>,
}

impl Chain {
    /// Takes the next line: since when, and what it brought. `step` says what lies between a line and this one, where
    /// that can be.
    fn next<T>(
        &mut self,
        told: &(Timestamp, EnergyLine),
        step: impl Fn(&(Timestamp, EnergyLine)) -> Option<T>,
    ) -> Brought<(Timestamp, T)> {
        let since = |old: &(Timestamp, EnergyLine)| Some((old.0, step(old)?));
        let is_first = self.believed.is_none();
        let known = self.believed.as_ref().and_then(since);
        let known = known.or_else(|| self.last.as_ref().and_then(since));
        if is_first || known.is_some() {
            self.believed = Some(told.clone());
        }
        match known {
            Some(known) => Brought::Known(known),
            None if is_first => Brought::First,
            None => Brought::Doubtful,
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
    let mut counted = Counted::default();
    let mut points: BTreeMap<(String, String), Point> = BTreeMap::new();
    let mut chain = Chain::default();
    let mut meters = Count::default();
    // What a reading brings may come long after its day: all that is there is looked at.
    reader.energy_counts(Timestamp(i64::MAX), |at, line| {
        if let Some((_, old)) = chain.last.as_ref().filter(|(_, old)| !old.is_same_count(&line)) {
            std::mem::take(&mut meters).add(old.kind, days, &mut counted.sold);
            chain = Chain::default();
        }
        let told = (at, line);
        let line = &told.1;
        match line.kind {
            _ if !wanted(&line.station) => {}
            EnergyKind::Remote | EnergyKind::Hand => {
                let per_year = held.province(line.day).map_or(0.0, |own| own.sold_gwh_per_year);
                let brought = chain.next(&told, |(_, old)| sold::step(old, line, per_year));
                let old = chain.last.as_ref().map(|(_, line)| line);
                meters.take(days, (old, brought.map(|(_, read)| read)), (at, line));
            }
            EnergyKind::Out | EnergyKind::In => {
                let rating = held.rating(line);
                let brought = chain.next(&told, |(since, old)| {
                    produced::step((old.kwh, line.kwh), at.since(*since), rating)
                });
                // A step that belongs to another window may have some of its time in this one.
                let is_near = |since: Timestamp| days.touches(since, at);
                let crosses = matches!(brought, Brought::Known((since, _)) if is_near(since));
                if days.has(line.day) || crosses {
                    let own = points.entry(Point::key(line)).or_default();
                    own.take(days, brought, (at, line));
                }
            }
        }
        chain.last = Some(told);
    })?;
    if let Some((_, old)) = chain.last {
        meters.add(old.kind, days, &mut counted.sold);
    }
    // Groups that no contract of the window names, and of which nothing was told in it.
    counted.sold.retain(|_, own| !own.is_empty());
    let points = points.into_iter().filter(|(_, own)| own.is_of_window());
    counted.produced = points.map(|(key, own)| (key, own.into_produced(days.span))).collect();
    Ok(counted)
}
