//! Energy by running counts: what was sold, and what plants gave to the grid, in one walk through the counts
//! that a store has.

use std::collections::BTreeMap;

use config::Province;

use super::produced::{Point, Produced};
use super::reading::FIRST_PASS_MS;
use super::sold::{Count, Sold, SoldBy};
use super::window::{Span, Window};
use crate::clock::{DAY_MS, Timestamp};
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
    /// The last day that was watched to its end: what comes after it is no meter-day of the window.
    over: i64,
    /// The last day of the window whose first pass was watched to its end.
    read_until: i64,
    /// How far local time is ahead, milliseconds.
    local: i64,
    /// The window as far as it was watched.
    pub(super) span: Span,
    /// The contracts of the window in the order of time, each with the day at whose end it was the first to
    /// hold. The first one also holds before.
    contracts: Vec<(i64, &'a Province)>,
}

impl<'a> Days<'a> {
    /// The days of a window, which begins and ends with one. `contracts` are those of its eras, and `watched` is the
    /// end of all that was watched.
    pub fn new(
        window: &Window,
        contracts: &'a [Contract],
        (watched, utc_offset_hours): (Timestamp, i8),
    ) -> Self {
        let local = i64::from(utc_offset_hours) * 3_600_000;
        let day = |at: Timestamp| at.plus(local).0.div_euclid(DAY_MS);
        let (from, to) = (window.span.from, window.span.to);
        let eras = window.eras.iter().zip(contracts);
        Self {
            first: day(from),
            last: day(to.plus(-1)),
            over: day(watched.plus(1)) - 1,
            read_until: (day(watched.plus(1 - FIRST_PASS_MS)) - 1).min(day(to.plus(-1))),
            local,
            span: Span::new(from, to.min(watched)),
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
        at.plus(self.local).0.div_euclid(DAY_MS)
    }

    /// When a local day begins.
    pub(super) fn midnight(&self, day: i64) -> Timestamp {
        Timestamp(day.saturating_mul(DAY_MS)).plus(-self.local)
    }

    /// The last day of the window whose first pass was watched to its end.
    pub(super) fn read_until(&self) -> i64 {
        self.read_until
    }

    /// The contract of a day.
    pub(super) fn province(&self, day: i64) -> Option<&'a Province> {
        let of_day = self.contracts.iter().rfind(|(begins, _)| *begins <= day);
        of_day.or(self.contracts.first()).map(|(_, province)| *province)
    }

    /// Whether a day is one of the window.
    pub(super) fn has(&self, day: i64) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Days of the window, as far as it is over, from `from` up to but not including `to` whose contract has
    /// what `is_named` asks for.
    pub(super) fn count(
        &self,
        (from, to): (i64, i64),
        is_named: impl Fn(&Province) -> bool,
    ) -> u64 {
        let from = from.max(self.first);
        let to = to.min(self.last.min(self.over).saturating_add(1));
        let ends = self.contracts.iter().skip(1).map(|(day, _)| *day).chain([i64::MAX]);
        let eras = self.contracts.iter().zip(ends).enumerate();
        eras.filter(|(_, ((_, province), _))| is_named(province))
            .map(|(n, ((begins, _), ends))| {
                let begins = if n == 0 { i64::MIN } else { *begins };
                u64::try_from(to.min(ends).saturating_sub(from.max(begins))).unwrap_or(0)
            })
            .sum()
    }

    /// Whether a stretch has any time of the window as far as it was watched.
    fn touches(&self, from: Timestamp, to: Timestamp) -> bool {
        Span::new(from, to).and(self.span).length() > 0
    }
}

/// A line, and when it was told.
type Told = (Timestamp, EnergyLine);

/// The installed power of a plant by a contract, MW; `None` for one that it does not name.
fn rating(province: Option<&Province>, plant: &str) -> Option<f64> {
    let province = province?;
    Some(province.stations[province.site(plant)?.index()].plant?.mw)
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
    let mut counted = Counted::default();
    let mut points: BTreeMap<(String, String), Point> = BTreeMap::new();
    let mut before: Option<Told> = None;
    let mut meters = Count::default();
    // Steps of plants that belong to another window, of which some time lies in this one.
    let mut crossing: Vec<(Told, Told)> = Vec::new();
    // What a reading brings may come long after its day: all that is there is looked at.
    reader.energy_counts(Timestamp(i64::MAX), |at, line| {
        let old = before.take();
        if let Some((_, old)) = old.as_ref().filter(|(_, old)| !old.is_same_count(&line)) {
            std::mem::take(&mut meters).add(old.kind, days, &mut counted.sold);
        }
        let old = old.filter(|(_, old)| old.is_same_count(&line));
        match line.kind {
            _ if !wanted(&line.station) => {}
            EnergyKind::Remote | EnergyKind::Hand => {
                meters.take(days, old.as_ref().map(|(_, line)| line), (at, &line));
            }
            EnergyKind::Out | EnergyKind::In => {
                if days.has(line.day) {
                    let rating = rating(days.province(line.day), &line.station);
                    let own = points.entry(Point::key(&line)).or_default();
                    own.take((days, rating), old.as_ref(), (at, &line));
                } else if let Some(old) = old.filter(|(since, _)| days.touches(*since, at)) {
                    crossing.push((old, (at, line.clone())));
                }
            }
        }
        before = Some((at, line));
    })?;
    if let Some((_, old)) = before {
        meters.add(old.kind, days, &mut counted.sold);
    }
    if !crossing.is_empty() {
        let sessions = reader.sessions()?;
        let always = Span { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
        let eras = Window::new(always, &[], &sessions).eras;
        for (old, (at, line)) in crossing {
            let holds = eras.iter().rfind(|era| days.day(era.span.from) <= line.day);
            let Some(era) = holds.or(eras.first()) else { continue };
            let rating = rating(Some(&reader.contract(era.contract)?.province), &line.station);
            let own = points.entry(Point::key(&line)).or_default();
            own.take((days, rating), Some(&old), (at, &line));
        }
    }
    // Groups that no contract of the window names, and of which nothing was told in it.
    counted.sold.retain(|_, own| !own.is_empty());
    let points = points.into_iter().filter(|(_, own)| own.is_of_window());
    counted.produced = points.map(|(key, own)| (key, own.into_produced(days.span))).collect();
    Ok(counted)
}
