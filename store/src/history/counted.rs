//! Energy by running counts: what was sold, and what plants gave to the grid, in one walk through the counts
//! that a store has.

mod series;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Province, Zone};
use signal::clock::Timestamp;

use super::energy::{PlantPower, Taken};
use super::figure::What;
use super::produced::{self, Point, Produced};
use super::sold::{self, Count, Sold, SoldBy};
use super::window::{Span, Window};
use crate::{Contract, EnergyKind, EnergyLine, Reader, StoreError};
pub(super) use series::Brought;
use series::{Begun, Series, follow, not_its_own, series};

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
        let points: Vec<_> = std::mem::take(&mut self.plants).into_iter().collect();
        for points in points.chunk_by(|((one, _), _), ((next, _), _)| one == next) {
            let counters = || points.iter().flat_map(|(_, counters)| counters.iter().flatten());
            let all: Vec<(Vec<Brought<usize>>, Vec<Series>)> =
                counters().map(|own| self.followed(own)).collect();
            let begun = Begun::of(all.iter().map(|(_, series)| &series[..]));
            let mut followed = all.iter();
            for (key, counters) in points {
                let mut point = Point::default();
                let [out, back] = counters;
                for (own, other) in [(out, back), (back, out)] {
                    let Some(own) = own else { continue };
                    let Some((brought, series)) = followed.next() else { continue };
                    let at = |n: usize| own.taken[n].0;
                    let not_own = not_its_own(series, &begun, at, |n| own.taken[n].1 == 0);
                    let brought = brought.iter().enumerate().map(|(n, brought)| match brought {
                        Brought::Known(_) if not_own.contains(&n) => {
                            Brought::Doubtful(What::CountDoubtful)
                        }
                        _ => *brought,
                    });
                    let brought: Vec<Brought<usize>> = brought.collect();
                    let other = other.as_ref().map_or(&[][..], |other| &other.taken);
                    self.read_counter((own, &brought), other, &power, &mut point)?;
                }
                if point.is_of_window() {
                    let own = point.into_produced(self.days.span);
                    self.counted.produced.insert(key.clone(), own);
                }
            }
        }
        Ok(self.counted)
    }

    /// What each line of a counter brought, and since which, and the series that it showed.
    fn followed(&self, own: &PlantCounter) -> (Vec<Brought<usize>>, Vec<Series>) {
        let at = |n: usize| own.taken[n].0;
        let can_follow = |from: usize, to: usize| self.step(own, from, to).is_some();
        // A counter that shows nothing may only be away.
        let brought = follow(own.taken.len(), at, can_follow, |_| false);
        let begins = |n: usize| {
            let rating = self.held.rating(&own.line.station, own.days[n]);
            produced::step((0, own.taken[n].1), at(n).since(at(n - 1)), rating).is_some()
        };
        let series = series(&brought, at, begins);
        (brought, series)
    }

    /// Since when a counter counted up to a line from an earlier one, and how much, kWh; `None` when that cannot be.
    fn step(&self, own: &PlantCounter, from: usize, to: usize) -> Option<(Timestamp, i64)> {
        let ((since, before), (at, now)) = (own.taken[from], own.taken[to]);
        let rating = self.held.rating(&own.line.station, own.days[to]);
        let kwh = produced::step((before, now), at.since(since), rating)?;
        Some((since, kwh))
    }

    fn read_counter(
        &self,
        (own, brought): (&PlantCounter, &[Brought<usize>]),
        other: &[Taken],
        power: &PlantPower<'_>,
        point: &mut Point,
    ) -> Result<(), StoreError> {
        let PlantCounter { line, taken, days } = own;
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
                None => brought[n].and_then(|from| self.step(own, from, n)),
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
