//! Energy through the stations, from the counters of their bays.
//!
//! A step of a counter belongs to the window of its later reading, so that windows add up; each contract is judged by
//! itself, and a window is the sum of its contracts. What is received and what is delivered is summed over the
//! same time: that in which every counter of the station is known. What flowed in a part of a long step is not
//! known, so that one that lies in two days, or of which another counter knows only a part, is not in that time.

mod leaps;
mod meter;
mod plants;
mod steps;
#[cfg(test)]
mod trial;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::{
    Bay, CentreId, Decoded, Encoding, Flags, Name, Point, PointId, Province, Scan, Station,
    StationId,
};
use historian::counts::Share;
use historian::verdict::Reason;
use signal::clock::{DAY_MS, Timestamp};

use super::NOTHING;
use super::figure::{Figure, Remark, What};
use super::intervals::intervals;
use super::voltage::{self, BusVoltage};
use super::window::{Era, Span, Window, merged, without};
use crate::{Kept, Reader, StoreError, Value};
pub(super) use leaps::{DOUBT_MS, TOGETHER_MS};
use leaps::{FAR_MS, Leaps, Over};
use meter::{Meter, kilowatts};
pub(super) use plants::{PlantPower, Taken};
use steps::{CONTEXT_MS, Drawn, LONGEST_MS, Reading, STANDS_IN_MS, Said, flowing, steps};
pub use steps::{Odd, Oddity, Step};

/// What a transformer loses at most while it is under voltage, of its rating, and of what it carries. Our own bounds,
/// wide ones: they must hold for any transformer of 16 to 63 MVA, old ones too, whose losses the contract does not
/// name. What goes beyond is marked, and nothing is left out for it.
const NO_LOAD_LOSS: f64 = 0.001;
const LOAD_LOSS: f64 = 0.006;
/// What a station uses itself at most, kW (assumed: heating, charging, cooling, lighting).
const OWN_USE_KW: f64 = 100.0;
/// Two sides of class 0.5 may be off by this much of each other.
const COUNTERS_APART: f64 = 0.01;

const HOUR_MS: i64 = 3_600_000;
/// Values of the power that are no further apart say what flowed between them: a recording may have read them more
/// rarely than the contract says.
const POWER_APART_MS: i64 = 600_000;
/// What is held in memory is a piece of a window in which the counters of a station were read about so many times, or
/// a day: what decides about a step lies more than a day on either side of it, so that shorter ones gain nothing.
const PIECE_READINGS: u64 = 1_000_000;

/// On which side of a station a counter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Into its transformers from 110 kV.
    Received,
    /// Out of its feeders.
    Delivered,
}

/// What a counter counted in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterEnergy {
    point: String,
    side: Side,
    /// Watt hours that are known.
    wh: i64,
    /// Milliseconds of which it is known what was counted, of those in which it was in the contract.
    known: Share,
    /// What is odd about it, in the order of time.
    odd: Vec<Odd>,
}

impl CounterEnergy {
    /// Full id.
    pub fn point(&self) -> &str {
        &self.point
    }

    /// Its side.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Watt hours.
    pub fn energy(&self) -> Figure<i64> {
        figure(self.wh, self.known, self.wh != 0).with(self.remarks())
    }

    fn remarks(&self) -> impl Iterator<Item = Remark> {
        self.odd.iter().map(|odd| Remark {
            at: odd.span.from,
            until: Some(odd.span.to),
            place: self.point.clone(),
            what: What::Counter(odd.what, odd.is_known),
        })
    }
}

/// A figure, or none when nothing of its window is known: no time, and no step that was told in it.
fn figure<T>(value: T, known: Share, is_told: bool) -> Figure<T> {
    let is_known = known.have > 0 || is_told;
    if is_known { Figure::new(value, known) } else { Figure::unknown(known.want) }
}

/// Energy into stations and out of them, over the same time on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Through {
    /// Watt hours; `None` where the contract has no counters on that side.
    received: Option<i64>,
    delivered: Option<i64>,
    /// Milliseconds in which every counter was known.
    known: Share,
    /// Least and most that may be lost in that time, watt hours.
    loss_bounds: (i64, i64),
    /// Long steps that are not in that time, by counter.
    left_out: Vec<(String, Span)>,
}

/// What is received and not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Watt hours.
    pub wh: i64,
    /// Of these, watt hours.
    pub received_wh: i64,
    /// It can be what transformers lose and the station uses itself.
    pub is_plausible: bool,
}

impl Through {
    /// Watt hours into the transformers; `None` where the contract has no counters there.
    pub fn received(&self) -> Option<Figure<i64>> {
        self.received.map(|wh| self.figure(wh))
    }

    /// Watt hours out of the feeders; `None` where the contract has no counters there.
    pub fn delivered(&self) -> Option<Figure<i64>> {
        self.delivered.map(|wh| self.figure(wh))
    }

    /// What is received and not delivered; `None` where the contract has no counters on one side.
    pub fn lost(&self) -> Option<Figure<Lost>> {
        let received_wh = self.received?;
        let wh = received_wh - self.delivered?;
        let (least, most) = self.loss_bounds;
        let is_plausible = (least..=most).contains(&wh);
        Some(self.figure(Lost { wh, received_wh, is_plausible }))
    }

    fn figure<T>(&self, value: T) -> Figure<T> {
        let mut counted = [self.received, self.delivered].into_iter().flatten();
        figure(value, self.known, counted.any(|wh| wh != 0)).with(self.remarks())
    }

    fn remarks(&self) -> impl Iterator<Item = Remark> {
        self.left_out.iter().map(|(point, span)| Remark {
            at: span.from,
            until: Some(span.to),
            place: point.clone(),
            what: What::Counter(Oddity::EndsAlone, false),
        })
    }

    /// Both together. A side that only one of the two has is not known of the other, which is then out on both
    /// sides.
    #[must_use]
    fn and(mut self, mut other: Self) -> Self {
        let sides = |part: &Self| (part.received.is_some(), part.delivered.is_some());
        if sides(&self) != sides(&other) && self.known.want > 0 && other.known.want > 0 {
            for part in [&mut self, &mut other] {
                if sides(part) != (true, true) {
                    part.leave_out();
                }
            }
        }
        let sum = |one: Option<i64>, other: Option<i64>| match (one, other) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        let mut known = self.known;
        known += other.known;
        let mut left_out = self.left_out;
        for own in other.left_out {
            if !left_out.contains(&own) {
                left_out.push(own);
            }
        }
        Self {
            received: sum(self.received, other.received),
            delivered: sum(self.delivered, other.delivered),
            known,
            loss_bounds: (
                self.loss_bounds.0 + other.loss_bounds.0,
                self.loss_bounds.1 + other.loss_bounds.1,
            ),
            left_out,
        }
    }

    /// Nothing of it counts, on either side.
    fn leave_out(&mut self) {
        (self.received, self.delivered) = (Some(0), Some(0));
        (self.known.have, self.loss_bounds) = (0, (0, 0));
    }
}

impl std::iter::Sum for Through {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.reduce(Self::and).unwrap_or_default()
    }
}

/// Energy through a station in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct StationEnergy {
    /// Id.
    pub station: String,
    /// Name.
    pub name: Name,
    /// Its energy.
    pub through: Through,
    /// Its counters.
    pub counters: Vec<CounterEnergy>,
    /// Its busbars below 110 kV.
    pub voltages: Vec<BusVoltage>,
}

/// What counters and voltages of stations say about a window, in the order of the last contract; stations that
/// it has no more come behind. Stations without a value are left out.
///
/// # Errors
/// When the store cannot be read.
pub fn energies(
    reader: &Reader,
    window: &Window,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<StationEnergy>, StoreError> {
    energies_in_pieces(reader, window, wanted, PIECE_READINGS)
}

/// The same, worked out in pieces of some days in which the counters of a station were read `readings` times or a
/// little more often. The result is the same whatever that is; longer pieces take more memory, shorter ones more
/// time.
///
/// # Errors
/// As above.
pub fn energies_in_pieces(
    reader: &Reader,
    window: &Window,
    wanted: impl Fn(&str) -> bool,
    readings: u64,
) -> Result<Vec<StationEnergy>, StoreError> {
    let sessions = reader.sessions_and_margin()?;
    let kept = reader.kept_from(Kept::Values)?.max(reader.kept_from(Kept::Verdicts)?);
    let always = Span::new(Timestamp(i64::MIN), Timestamp(i64::MAX));
    let eras = Window::new(always, &[], &sessions).eras;
    let mut all: BTreeMap<String, StationEnergy> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut with_values: BTreeSet<String> = BTreeSet::new();
    for (n, era) in eras.iter().enumerate() {
        let own = era.span.and(window.span);
        let kept = Span::new(kept.map_or(own.from, |kept| kept.max(own.from)), own.to);
        if own.length() == 0 {
            continue;
        }
        let province = reader.contract(era.contract)?.province;
        let beside = Beside::around(reader, &eras, n, own)?;
        let now: Vec<String> = province.stations.iter().map(|s| s.id.clone()).collect();
        order.retain(|id| !now.contains(id));
        order.splice(0..0, now);
        for (id, station) in province.station_ids().zip(&province.stations) {
            if !wanted(&station.id) {
                continue;
            }
            let source = Source {
                reader,
                province: &province,
                beside: &beside,
                id,
                station,
                era: era.clone(),
                own,
                kept,
                unusable: vec![OnceCell::new(); province.centres.len()],
            };
            // A contract without a value of a station leaves its time not known.
            let (energy, has_values) = source.energy(window.span, readings)?;
            if has_values {
                with_values.insert(station.id.clone());
            }
            match all.get_mut(&station.id) {
                Some(sum) => sum.add(energy),
                None => {
                    all.insert(station.id.clone(), energy);
                }
            }
        }
    }
    all.retain(|id, _| with_values.contains(id));
    Ok(order.iter().filter_map(|id| all.remove(id)).collect())
}

/// A contract that held before or behind another one.
struct Near {
    era: Era,
    /// `None`: this program makes something else of it than the one that recorded it.
    province: Option<Arc<Province>>,
}

/// Contracts that held before and behind another one, the nearest first.
struct Beside {
    before: Vec<Near>,
    behind: Vec<Near>,
}

impl Beside {
    /// Those near what a window has of an era.
    fn around(reader: &Reader, eras: &[Era], n: usize, own: Span) -> Result<Self, StoreError> {
        let near = |era: &Era| {
            let province = match reader.contract(era.contract) {
                Ok(known) => Some(known.province),
                Err(StoreError::Contract { .. }) => None,
                Err(error) => return Err(error),
            };
            Ok(Near { era: era.clone(), province })
        };
        let far = 2 * LONGEST_MS + CONTEXT_MS;
        let (first, last) = (own.from.plus(-far), own.to.plus(far));
        let before = eras[..n].iter().rev().take_while(|era| era.span.to > first);
        let behind = eras[n + 1..].iter().take_while(|era| era.span.from < last);
        Ok(Self {
            before: before.map(near).collect::<Result<_, _>>()?,
            behind: behind.map(near).collect::<Result<_, _>>()?,
        })
    }
}

impl StationEnergy {
    /// Adds what came behind, by the contract of that time.
    fn add(&mut self, later: Self) {
        self.through = std::mem::take(&mut self.through).and(later.through);
        self.name = later.name;
        for counter in later.counters {
            match self.counters.iter_mut().find(|own| own.point == counter.point) {
                Some(own) => {
                    own.wh += counter.wh;
                    own.known += counter.known;
                    for odd in counter.odd {
                        if !own.odd.contains(&odd) {
                            own.odd.push(odd);
                        }
                    }
                }
                None => self.counters.push(counter),
            }
        }
        for voltage in later.voltages {
            match self
                .voltages
                .iter_mut()
                .find(|own| own.bay == voltage.bay && own.level == voltage.level)
            {
                Some(own) => own.add(&voltage),
                None => self.voltages.push(voltage),
            }
        }
    }
}

/// A station over the time of one contract.
pub(super) struct Source<'a> {
    pub(super) reader: &'a Reader,
    pub(super) province: &'a Province,
    /// The contracts before and behind that are near.
    beside: &'a Beside,
    id: StationId,
    pub(super) station: &'a Station,
    /// The contract's time, as far as it matters.
    era: Era,
    /// What of the window it has.
    pub(super) own: Span,
    /// What of that is told: what was forgotten is not known.
    pub(super) kept: Span,
    /// When points are judged to be wrong or old, by centre.
    unusable: Vec<OnceCell<Unusable>>,
}

/// When values that came are not to be used, whatever their flags say.
#[derive(Debug, Clone, Default)]
struct Unusable {
    /// Of powers: judged to be frozen, to contradict others, or old.
    wrong: BTreeMap<PointId, Vec<Span>>,
    /// Of voltages and currents: a gateway repeats them.
    old: BTreeMap<PointId, Vec<Span>>,
}

/// A counter, and over which time other contracts have it, too.
struct Register {
    point: PointId,
    side: Side,
    meter: Meter,
    same: Span,
}

/// What a counter did around a piece of a window.
struct Counter {
    steps: Vec<Step>,
    odd: Vec<Odd>,
    has_values: bool,
}

impl Source<'_> {
    /// What the window has of it, and whether any value came.
    fn energy(mut self, window: Span, readings: u64) -> Result<(StationEnergy, bool), StoreError> {
        let (mut registers, mut arounds) = (Vec::new(), Vec::new());
        let (mut others, mut over) = (Vec::new(), Vec::new());
        let mut around = wider(self.days(self.kept), CONTEXT_MS);
        for (point, side) in self.counters() {
            if let Some(register) = self.register(point, side) {
                let own = self.around(&register, self.kept)?;
                let (own_others, own_over) = self.others(&register)?;
                others.push(own_others);
                over.push(own_over);
                around = Span::new(around.from.min(own.from), around.to.max(own.to));
                registers.push(register);
                arounds.push(own);
            }
        }
        for (others, over) in others.iter_mut().zip(leaps::together(&over)) {
            for own in over {
                others.push(own.behind);
                if !own.had_its_own() && !self.went_wrong(&own)? {
                    others.push(own.before);
                }
            }
            *others = merged(std::mem::take(others));
        }
        let beside = self.beside(around);
        self.era = self.era.within(around);
        let mut voltages = Vec::new();
        let mut doubtful: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
        for (bus, bay) in self.station.bays.iter().enumerate() {
            if self.find(bus, "UAB").is_none() {
                continue;
            }
            let mut spans = voltage::doubtful(&self, bus, self.era.span)?;
            for other in &beside {
                let is_same = |its: &Bay| its.name == bay.name && its.level == bay.level;
                let Some(bus) = other.station.bays.iter().position(is_same) else { continue };
                if other.find(bus, "UAB").is_some() {
                    spans.extend(voltage::doubtful(other, bus, other.era.span)?);
                }
            }
            spans.sort_unstable_by_key(|span| span.from);
            doubtful.insert(bus, spans);
            if voltage::is_busbar(bay) {
                voltages.push(voltage::voltage(&self, bus)?);
            }
        }
        let mut sum = Sum::of(&registers);
        for piece in self.pieces(&registers, readings)? {
            let mut counters = Vec::with_capacity(registers.len());
            for ((register, whole), others) in registers.iter().zip(&arounds).zip(&others) {
                // One piece is all there is, most often.
                let around =
                    if piece == self.kept { *whole } else { self.around(register, piece)? };
                let bay = self.station.points[register.point.index()].bay;
                let bus = voltage::bus_of(self.station, bay);
                let doubts = bus.and_then(|bus| doubtful.get(&bus)).map_or(&[][..], Vec::as_slice);
                let found = self.counter((register, piece, around), (doubts, others), &beside)?;
                counters.push(found);
            }
            let (lacking, left_out) = self.lacking(piece, &counters);
            sum.add(piece, (&counters, &lacking), (self.kept, window));
            sum.leave_out(left_out);
        }
        let has_values = voltages.iter().any(BusVoltage::has_values)
            || sum.counters.iter().any(|counter| counter.has_values);
        Ok((self.told(sum, voltages), has_values))
    }

    /// The same station by the contracts beside this one, as far as they held in a stretch of time: what was
    /// measured is in doubt there whichever contract asks.
    fn beside(&self, around: Span) -> Vec<Self> {
        let near = self.beside.before.iter().chain(&self.beside.behind);
        near.filter_map(|near| {
            let province = near.province.as_deref()?;
            let id = province.station(&self.station.id)?;
            let era = near.era.clone().within(around);
            (era.span.length() > 0).then(|| Self {
                reader: self.reader,
                province,
                beside: self.beside,
                id,
                station: &province.stations[id.index()],
                own: era.span,
                kept: era.span,
                era,
                unusable: vec![OnceCell::new(); province.centres.len()],
            })
        })
        .collect()
    }

    /// Counters at the high side of transformers and at the feeders.
    fn counters(&self) -> Vec<(PointId, Side)> {
        let side = |bay: &Bay| match () {
            () if bay.is_transformer() => Some(Side::Received),
            () if bay.is_feeder() => Some(Side::Delivered),
            () => None,
        };
        let points = self.station.points.iter().enumerate();
        points
            .filter(|(_, point)| point.spec.id == "E.IMP")
            .filter_map(|(n, point)| Some((PointId::at(n), side(&self.station.bays[point.bay])?)))
            .collect()
    }

    /// A point of a bay that some centre gets.
    pub(super) fn find(&self, bay: usize, id: &str) -> Option<PointId> {
        let mut points = self.station.points.iter();
        let place = points.position(|point| point.bay == bay && point.spec.id == id)?;
        self.centre(PointId::at(place)).map(|_| PointId::at(place))
    }

    /// The first centre that gets a point: its values are taken.
    pub(super) fn centre(&self, point: PointId) -> Option<CentreId> {
        self.province.centre_ids().find(|centre| {
            self.province.channel(self.id, *centre).entries[point.index()].is_mapped()
        })
    }

    /// Hands on the values of a point at the first centre that gets it.
    pub(super) fn values(
        &self,
        point: PointId,
        span: Span,
        mut each: impl FnMut(Value),
    ) -> Result<(), StoreError> {
        let Some(path) = self.path(point) else { return Ok(()) };
        self.reader.values_but((path, (span.from, span.to)), |_, _| false, &mut |value| {
            each(value);
            Ok(())
        })
    }

    fn path(&self, point: PointId) -> Option<(&str, &str, &str)> {
        let centre = &self.province.centres[self.centre(point)?.index()].id;
        Some((&self.station.id, centre, &self.station.points[point.index()].id))
    }

    /// What of some stretches, in the order of time, was watched: a value stands no longer than that.
    pub(super) fn watched(&self, stretches: Vec<(Span, Option<f64>)>) -> Vec<(Span, Option<f64>)> {
        let watched = |(span, value)| self.era.watched(span).map(move |watched| (watched, value));
        stretches.into_iter().flat_map(watched).collect()
    }

    /// What some stretches of a point have beside those in which its value is old: a gateway that hangs repeats what
    /// it had.
    pub(super) fn not_old(
        &self,
        point: PointId,
        stretches: Vec<(Span, Option<f64>)>,
    ) -> Result<Vec<(Span, Option<f64>)>, StoreError> {
        let old = self.unusable(point)?.and_then(|all| all.old.get(&point));
        let Some(old) = old else { return Ok(stretches) };
        let left = stretches.into_iter().flat_map(|(span, value)| {
            let first = old.partition_point(|own| own.to <= span.from);
            let own: Vec<Span> =
                old[first..].iter().copied().take_while(|own| own.from < span.to).collect();
            without(std::iter::once(span), &own).into_iter().map(move |span| (span, value))
        });
        Ok(left.collect())
    }

    /// When a power is judged to be frozen, to contradict others, or old.
    fn wrong(&self, point: PointId) -> Result<&[Span], StoreError> {
        let wrong = self.unusable(point)?.and_then(|all| all.wrong.get(&point));
        Ok(wrong.map_or(&[], Vec::as_slice))
    }

    fn unusable(&self, point: PointId) -> Result<Option<&Unusable>, StoreError> {
        let Some(centre) = self.centre(point) else { return Ok(None) };
        let cell = &self.unusable[centre.index()];
        if cell.get().is_some() {
            return Ok(cell.get());
        }
        let channel = self.province.channel(self.id, centre);
        let mut all = Unusable::default();
        intervals(self.reader, self.province, channel, &self.era, |interval| {
            let (point, state) = (interval.point, interval.state);
            let is_wrong = state.has_finding() || state.not_live() == Some(Reason::Frozen);
            let is_old = state.not_live() == Some(Reason::Old);
            let of = match self.station.points[point.index()].spec.id.as_str() {
                "P" if is_wrong || is_old => &mut all.wrong,
                "UAB" | "UBC" | "UCA" | "VT.MCB" | "IA" if is_old => &mut all.old,
                _ => return,
            };
            of.entry(point).or_default().push(interval.span);
        })?;
        Ok(Some(cell.get_or_init(|| all)))
    }

    /// The local day of a moment, since 1970-01-01.
    fn day(&self, at: Timestamp) -> i64 {
        at.local_day(self.province.zone)
    }

    /// When a local day begins.
    fn midnight(&self, day: i64) -> Timestamp {
        Timestamp::of_local_day(day, self.province.zone)
    }

    /// The whole days that a stretch touches, as far as the contract held then and nothing was forgotten.
    fn days(&self, own: Span) -> Span {
        let (first, last) = (self.day(own.from), self.day(own.to.plus(-1)));
        let whole = Span::new(self.midnight(first), self.midnight(last + 1));
        let forgotten = self.kept.from > self.own.from;
        let from = if forgotten { self.kept.from } else { whole.from };
        Span::new(from, whole.to).and(self.era.span)
    }

    /// What the station received and delivered is not known where some counter is not, and in long steps that lie in
    /// two days or reach into such time. Of what a stretch touches: the time, and the steps, by place of the counter.
    fn lacking(&self, own: Span, counters: &[Counter]) -> (Vec<Span>, Vec<(usize, Span)>) {
        let days = self.days(own);
        let long = TOLD_LATER_MS.max(self.province.scan.old_after_ms(Scan::Counters));
        let mut all: Vec<(Span, Option<usize>)> = Vec::new();
        for (place, counter) in counters.iter().enumerate() {
            all.extend(gaps(&counter.steps, days).into_iter().map(|gap| (gap, None)));
            let known = counter.steps.iter().filter(|step| step.wh.is_some());
            let long = known.filter(|step| step.span.length() > long);
            all.extend(long.map(|step| (step.span, Some(place))));
        }
        all.sort_unstable_by_key(|(span, place)| (span.from, span.to, *place));
        // Those that overlap are out together, if one of them is.
        let is_out = |(span, place): &(Span, Option<usize>)| {
            let is_in_day = self.day(span.from) == self.day(span.to.plus(-1));
            place.is_none() || !is_in_day || span.from < days.from || span.to > days.to
        };
        let mut ends = Timestamp(i64::MIN);
        let overlapping = all.chunk_by(|(one, _), (next, _)| {
            ends = ends.max(one.to);
            next.from < ends
        });
        let (mut time, mut steps) = (Vec::new(), Vec::new());
        for run in overlapping.filter(|run| run.iter().any(is_out)) {
            time.extend(run.iter().map(|(span, _)| span.and(own)));
            let touching = run.iter().filter(|(span, _)| span.and(own).length() > 0);
            steps.extend(touching.filter_map(|(span, place)| Some(((*place)?, *span))));
        }
        (merged(time), steps)
    }

    /// The kept time in pieces of whole days in which counters were read so many times, or a little more often.
    fn pieces(&self, registers: &[Register], readings: u64) -> Result<Vec<Span>, StoreError> {
        let mut by_day: BTreeMap<i64, u64> = BTreeMap::new();
        for centre in self.province.centre_ids() {
            let own = registers.iter().filter(|own| self.centre(own.point) == Some(centre));
            let points: BTreeSet<&str> =
                own.map(|own| self.station.points[own.point.index()].local_id()).collect();
            let path = (&self.station.id[..], &self.province.centres[centre.index()].id[..]);
            let span = (self.kept.from, self.kept.to);
            let zone = self.province.zone;
            for (day, count) in self.reader.readings_by_day(path, &points, span, zone)? {
                *by_day.entry(day).or_default() += count;
            }
        }
        let (mut pieces, mut from, mut read) = (Vec::new(), self.kept.from, 0);
        for (day, count) in by_day {
            let end = self.midnight(day.saturating_add(1));
            read += count;
            if read >= readings && from < end && end < self.kept.to {
                pieces.push(Span::new(from, end));
                (from, read) = (end, 0);
            }
        }
        pieces.push(Span::new(from, self.kept.to));
        Ok(pieces)
    }

    /// What a counter is; `None` when the point is none.
    fn register(&self, point: PointId, side: Side) -> Option<Register> {
        let (meter, same) = self.meter(point)?;
        Some(Register { point, side, meter, same })
    }

    /// The same, and over which time other contracts have it, too.
    fn meter(&self, point: PointId) -> Option<(Meter, Span)> {
        let spec = &self.station.points[point.index()];
        let sent = self.centre(point).and_then(|centre| {
            self.province.channel(self.id, centre).entries[point.index()].encoding()
        });
        let encoding = sent.unwrap_or(spec.encoding);
        let meter = Meter::of(self.province, self.station, spec, encoding)?;
        // A point of the same name that another contract has otherwise is another one.
        let is_same = |near: &&Near| {
            near.province.as_ref().is_some_and(|other| self.is_same_in(other, spec, encoding))
        };
        let furthest =
            |beside: &[Near]| beside.iter().take_while(is_same).last().map(|n| n.era.span);
        let Span { from, to } = self.era.span;
        let same = Span::new(
            furthest(&self.beside.before).map_or(from, |span| span.from),
            furthest(&self.beside.behind).map_or(to, |span| span.to),
        );
        Some((meter, same))
    }

    /// Over which time a counter is read, to know what it counted in a stretch: what is known of a day hangs on all
    /// of it, and the step that leads into the first day, and the one out of the last, are judged like those within.
    fn around(&self, register: &Register, stretch: Span) -> Result<Span, StoreError> {
        let own = self.days(stretch);
        // Whether the counter stood still in the step before the one that leads in decides about that, too, and
        // likewise behind.
        let mut around = own;
        for _ in 0..2 {
            let before = self.number(register, (around.from, -1))?.unwrap_or(around.from);
            let behind = self.number(register, (around.to, 1))?.unwrap_or(around.to);
            // The next one lies behind that reading.
            around = Span::new(before, behind.plus(1));
        }
        Ok(wider(around, CONTEXT_MS).and(register.same))
    }

    /// When a counter last said a number before a moment, or first from it on, if that is not too far. What
    /// stands for "not available" is one, too, where nothing else is for so long that it counts.
    fn number(
        &self,
        register: &Register,
        (at, way): (Timestamp, i64),
    ) -> Result<Option<Timestamp>, StoreError> {
        let Register { point, meter, same, .. } = register;
        let counts_from = if way < 0 { Timestamp(i64::MIN) } else { at.plus(STANDS_IN_MS) };
        let mut stand_in = None;
        // It is most often near.
        for far in [HOUR_MS, DAY_MS, LONGEST_MS] {
            let end = at.plus(way * far);
            let span = Span::new(at.min(end), at.max(end)).and(*same);
            let mut numbers = Ends::default();
            let mut stand_ins = Ends::default();
            self.values(*point, span, |value| match said(meter, &value) {
                Said::Count(wh) if !meter.is_stand_in(wh) => numbers.add(value.at),
                Said::Count(_) if value.at >= counts_from => stand_ins.add(value.at),
                _ => {}
            })?;
            let nearest = numbers.nearest(way);
            if nearest.is_some() {
                return Ok(nearest);
            }
            stand_in = stand_ins.nearest(way);
        }
        Ok(stand_in)
    }

    /// When another series was shown for more than a day in place of a counter, and what is told is near; and when it went
    /// over to one.
    fn others(&self, register: &Register) -> Result<(Vec<Span>, Vec<Over>), StoreError> {
        let Register { point, meter, same, .. } = register;
        let Some(path) = self.path(*point) else { return Ok((Vec::new(), Vec::new())) };
        // Whole days: so many leaps of each are looked at.
        let around = wider(self.days(self.kept), FAR_MS + DAY_MS);
        let day = |at: Timestamp| at.0.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        let around = Span::new(Timestamp(day(around.from)), Timestamp(day(around.to)).plus(DAY_MS));
        let around = around.and(*same);
        let mut leaps = Leaps::of(meter);
        let skips = |(first, last): (Timestamp, Timestamp), (low, high): (f64, f64)| {
            let said = (meter.reading(low), meter.reading(high));
            matches!(said, (Said::Count(low), Said::Count(high))
                if leaps::has_none(meter, last.since(first), (low, high)))
        };
        self.reader.values_but((path, (around.from, around.to)), skips, &mut |value| {
            if let Said::Count(wh) = said(meter, &value)
                && !meter.is_stand_in(wh)
            {
                leaps.take(value.at, wh);
            }
            Ok::<_, StoreError>(())
        })?;
        Ok((leaps.others(), leaps.over()))
    }

    /// Whether the station contradicts itself behind a leap by at least a point more, all the time, and by far more than
    /// before: then its addresses were right before.
    fn went_wrong(&self, over: &Over) -> Result<bool, StoreError> {
        let [before, behind] = [self.contradicted(over.before)?, self.contradicted(over.behind)?];
        Ok(behind >= 1.0 + 4.0 * before)
    }

    /// How many points of the station contradict others at a time, as a centre finds: on average of a stretch.
    fn contradicted(&self, span: Span) -> Result<f64, StoreError> {
        let Some(centre) = self.province.centre_ids().next() else { return Ok(0.0) };
        let channel = self.province.channel(self.id, centre);
        let (era, mut ms) = (self.era.clone().within(span), 0);
        intervals(self.reader, self.province, channel, &era, |interval| {
            if interval.state.has_finding() {
                ms += interval.span.and(span).length();
            }
        })?;
        #[expect(clippy::cast_precision_loss, reason = "half a month of some hundred points")]
        Ok(ms as f64 / span.length().max(1) as f64)
    }

    /// Reads a counter around a stretch and judges its steps in it.
    fn counter(
        &self,
        (register, own, around): (&Register, Span, Span),
        (doubtful, others): (&[Span], &[Span]),
        beside: &[Source<'_>],
    ) -> Result<Counter, StoreError> {
        let Register { point, meter, .. } = register;
        let days = self.days(own);
        let mut readings = Vec::new();
        self.values(*point, around, |value| {
            readings.push(Reading { at: value.at, said: said(meter, &value) });
        })?;
        let is_within = |reading: &Reading| reading.at >= own.from && reading.at < own.to;
        let bay = self.station.points[point.index()].bay;
        let moments: Vec<Timestamp> = readings.iter().map(|reading| reading.at).collect();
        let mut drawn = self.drawn((bay, 1.0, around), &moments, doubtful, beside)?;
        if may_stand(&readings, meter.freeze_ms) {
            self.carried((bay, around), &moments, &mut drawn)?;
        }
        let mut judged = steps(meter, &readings, &drawn);
        judged.leave_out(others);
        // One whose later reading was forgotten is told nowhere.
        judged.steps.retain(|step| step.span.to >= days.from && step.span.from < days.to);
        judged.steps.shrink_to_fit();
        // What lies beyond these was judged by less than decides about it.
        let first = judged.steps.first().map_or(days.from, |step| step.span.from);
        let told = Span::new(first, judged.steps.last().map_or(first, |step| step.span.to));
        for odd in &mut judged.odd {
            odd.span = odd.span.and(told);
        }
        judged.odd.retain(|odd| odd.span.length() > 0);
        let leads = |step: &Step| step.wh.is_some() && step.span.and(own).length() > 0;
        let has_values = readings.iter().any(is_within) || judged.steps.iter().any(leads);
        Ok(Counter { steps: judged.steps, odd: judged.odd, has_values })
    }

    /// Whether another contract has a counter of this station as this one does.
    fn is_same_in(&self, other: &Province, point: &Point, encoding: Encoding) -> bool {
        let Some(station) = other.station(&self.station.id) else { return false };
        let Some(place) = other.stations[station.index()].point(&point.id) else { return false };
        let its = &other.stations[station.index()].points[place.index()];
        let mut centres = other.centre_ids();
        let sent = centres
            .find_map(|centre| other.channel(station, centre).entries[place.index()].encoding());
        its.spec.unit == point.spec.unit && sent == Some(encoding)
    }

    /// What the measured power of a bay says about the time before each reading of a counter of one `way`: 1 as the power
    /// is counted, -1 against it.
    fn drawn(
        &self,
        (bay, way, around): (usize, f64, Span),
        readings: &[Timestamp],
        doubtful: &[Span],
        beside: &[Source<'_>],
    ) -> Result<Vec<Drawn>, StoreError> {
        let mut drawn = vec![Drawn::default(); readings.len()];
        let Some(power) = self.find(bay, "P") else { return Ok(drawn) };
        let point = &self.station.points[power.index()];
        let Some(unit) = kilowatts(&point.spec.unit) else { return Ok(drawn) };
        let old = self.province.scan.old_after_ms(point.spec.scan.unwrap_or(Scan::Slow));
        let longest = old.max(POWER_APART_MS);
        let mut judged = self.wrong(power)?.to_vec();
        for other in beside {
            if let Some(power) = other.station.point(&point.id) {
                judged.extend(other.wrong(power)?);
            }
        }
        judged.sort_unstable_by_key(|span| span.from);
        let mut doubts = Doubts { lists: [(&judged, 0), (doubtful, 0)] };
        let span = wider(around, longest);
        let mut last: Option<(Timestamp, f64)> = None;
        let mut place = 0;
        self.values(power, span, |value| {
            let is_good = value.flags.is_none_or(Flags::is_good);
            let is_real =
                |now: f64| point.range.is_none_or(|(low, high)| (low..=high).contains(&now));
            let kw = match value.value {
                // What flows the other way is another counter's.
                Decoded::Value(now) if is_good && is_real(now) => Some((way * now * unit).max(0.0)),
                _ => None,
            };
            if let (Some((from, before)), Some(now)) = (last, kw) {
                let piece = Span::new(from, value.at);
                if piece.length() <= longest && !doubts.touch(piece) {
                    let (least, most) = (before.min(now), before.max(now));
                    spread(readings, &mut place, piece, |n, ms| {
                        drawn[n].least += flowing(least, ms);
                        drawn[n].most += flowing(most, ms);
                        drawn[n].known_ms += ms;
                    });
                }
            }
            last = kw.map(|kw| (value.at, kw));
        })?;
        let mut wrong = Doubts { lists: [(&judged, 0), (&[], 0)] };
        for (pair, drawn) in readings.windows(2).zip(drawn.iter_mut().skip(1)) {
            let span = Span::new(pair[0], pair[1]);
            drawn.is_wrong = wrong.touch(span);
            let eras = std::iter::once(&self.era).chain(beside.iter().map(|other| &other.era));
            let watched: i64 = eras.flat_map(|era| era.watched(span)).map(Span::length).sum();
            drawn.is_unwatched = watched < span.length();
        }
        Ok(drawn)
    }

    /// When current flowed in a bay, in the time before each reading: in either of two values that are near, and while
    /// nothing was counted the other way.
    fn carried(
        &self,
        (bay, around): (usize, Span),
        readings: &[Timestamp],
        drawn: &mut [Drawn],
    ) -> Result<(), StoreError> {
        let Some(current) = self.find(bay, "IA") else { return Ok(()) };
        let point = &self.station.points[current.index()];
        let Some(((_, high), full)) = point.range.zip(point.full_scale()) else { return Ok(()) };
        // More than a device shows of nothing.
        let flows_from = NOTHING * full + point.deadband.unwrap_or(0.0);
        let span = wider(around, POWER_APART_MS);
        let number = |value: &Value| match value.value {
            Decoded::Value(now) if value.flags.is_none_or(Flags::is_good) => Some(now),
            _ => None,
        };
        let mut other_way: Vec<Span> = Vec::new();
        if let Some(export) = self.find(bay, "E.EXP") {
            let mut last: Option<(Timestamp, f64)> = None;
            self.values(export, span, |value| {
                let now = number(&value);
                if let (Some((from, before)), Some(now)) = (last, now)
                    && now > before
                {
                    other_way.push(Span::new(from, value.at));
                }
                last = now.map(|now| (value.at, now)).or(last);
            })?;
        }
        let other_way = merged(other_way);
        let mut last: Option<Timestamp> = None;
        let mut place = 0;
        self.values(current, span, |value| {
            let flows = number(&value).is_some_and(|now| now > flows_from && now <= high);
            if let Some(from) = last.filter(|_| flows) {
                let piece = Span::new(from, value.at);
                if piece.length() <= POWER_APART_MS {
                    for own in without(std::iter::once(piece), &other_way) {
                        spread(readings, &mut place, own, |n, ms| drawn[n].carried_ms += ms);
                    }
                }
            }
            last = flows.then_some(value.at);
        })
    }

    /// What all pieces say.
    fn told(&self, sum: Sum<'_>, voltages: Vec<BusVoltage>) -> StationEnergy {
        let length = self.own.length().unsigned_abs();
        let forgotten = self.own.length() - self.kept.length();
        let known = |lacking: i64| {
            let lacking = (forgotten + lacking).unsigned_abs();
            Share::new(length.saturating_sub(lacking), length)
        };
        let [received, delivered] = [Side::Received, Side::Delivered].map(|side| sum.flowed(side));
        let has_counters = !sum.counters.is_empty();
        let common = if has_counters { known(sum.lacking_ms) } else { Share::new(0, length) };
        let loss_bounds = self.loss_bounds(&sum, received.unwrap_or(0), common);
        let point = |of: &SumOf<'_>| self.station.points[of.register.point.index()].id.clone();
        let left_out = sum.left_out.iter().map(|(n, span)| (point(&sum.counters[*n]), *span));
        let left_out = left_out.collect();
        let rows = sum.counters.into_iter().map(|counter| CounterEnergy {
            point: point(&counter),
            side: counter.register.side,
            wh: counter.wh,
            known: known(counter.unknown_ms),
            odd: counter.odd,
        });
        StationEnergy {
            station: self.station.id.clone(),
            name: self.station.name.clone(),
            through: Through { received, delivered, known: common, loss_bounds, left_out },
            counters: rows.collect(),
            voltages,
        }
    }

    /// Least and most that can be lost in the station while it received `wh`.
    fn loss_bounds(&self, sum: &Sum<'_>, wh: i64, known: Share) -> (i64, i64) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let (wh, gaps) = (wh as f64, sum.gaps as f64);
        let ms = i64::try_from(known.have).unwrap_or(i64::MAX);
        let mva: f64 = self.station.transformers.iter().map(|(_, mva)| mva).sum();
        let standing = flowing(1e3 * NO_LOAD_LOSS * mva + OWN_USE_KW, ms);
        // Counters are not read at one instant: at either end of each stretch a scan may be on one side alone.
        let scan = self.province.scan.milliseconds(Scan::Counters);
        let average = if ms > 0 { wh / flowing(1.0, ms) } else { 0.0 };
        let edges = flowing(average, 2 * scan) * (1.0 + gaps);
        let counts: i64 = sum.counters.iter().map(|counter| counter.register.meter.count_wh).sum();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let apart = COUNTERS_APART * wh + edges + counts as f64 * (1.0 + gaps);
        (rounded(-apart), rounded(apart + standing + LOAD_LOSS * wh))
    }
}

/// What the pieces of a window say of a counter.
struct SumOf<'a> {
    register: &'a Register,
    /// Watt hours of the steps whose later reading is in them.
    wh: i64,
    /// What of it flowed while every counter of the station was known.
    common_wh: i64,
    /// Milliseconds of which it is not known what was counted.
    unknown_ms: i64,
    odd: Vec<Odd>,
    has_values: bool,
}

/// What the pieces of a window say of a station, one after the other.
struct Sum<'a> {
    counters: Vec<SumOf<'a>>,
    /// Milliseconds in which some counter is not known.
    lacking_ms: i64,
    /// So many stretches are these.
    gaps: usize,
    /// Where the last of them ends.
    last_gap_to: Option<Timestamp>,
    /// Long steps that are in them, by place of the counter.
    left_out: Vec<(usize, Span)>,
}

impl<'a> Sum<'a> {
    fn of(registers: &'a [Register]) -> Self {
        let none = |register| SumOf {
            register,
            wh: 0,
            common_wh: 0,
            unknown_ms: 0,
            odd: Vec::new(),
            has_values: false,
        };
        Self {
            counters: registers.iter().map(none).collect(),
            lacking_ms: 0,
            gaps: 0,
            last_gap_to: None,
            left_out: Vec::new(),
        }
    }

    /// Adds the piece of `whole` that comes next.
    fn add(
        &mut self,
        own: Span,
        (counters, lacking): (&[Counter], &[Span]),
        (whole, window): (Span, Span),
    ) {
        let common = outside(own, lacking);
        self.lacking_ms += lacking.iter().map(|span| span.length()).sum::<i64>();
        // One that lies on both sides of a cut is one.
        let goes_on = lacking.first().is_some_and(|gap| self.last_gap_to == Some(gap.from));
        self.gaps += lacking.len() - usize::from(goes_on);
        self.last_gap_to = lacking.last().map(|gap| gap.to).or(self.last_gap_to);
        for (sum, counter) in self.counters.iter_mut().zip(counters) {
            let within = counter.steps.iter().filter(|step| counts(step, own));
            sum.wh += within.filter_map(|step| step.wh).sum::<i64>();
            sum.common_wh += flowed(&counter.steps, &common);
            let unknown = unknown(&counter.steps, own, window);
            sum.unknown_ms += unknown.iter().map(|span| span.and(own).length()).sum::<i64>();
            sum.has_values |= counter.has_values;
            sum.remark(counter, own, whole);
        }
    }

    /// Adds long steps that were left out of the piece: one may lie in two.
    fn leave_out(&mut self, steps: Vec<(usize, Span)>) {
        let known = self.left_out.len();
        for own in steps {
            if !self.left_out[..known].contains(&own) {
                self.left_out.push(own);
            }
        }
    }

    /// Watt hours on a side while every counter of the station was known; `None` without a counter there.
    fn flowed(&self, side: Side) -> Option<i64> {
        let mut of_side = self.counters.iter().filter(|own| own.register.side == side).peekable();
        of_side.peek()?;
        Some(of_side.map(|counter| counter.common_wh).sum())
    }
}

impl SumOf<'_> {
    /// Adds what is odd in a piece of a whole.
    fn remark(&mut self, counter: &Counter, own: Span, whole: Span) {
        let known = self.odd.len();
        let touches = |odd: &&Odd| odd.span.to >= own.from && odd.span.from < own.to;
        for odd in counter.odd.iter().filter(touches) {
            // One that lies on both sides of a cut was found by each, and is one.
            let is_same = |other: &&mut Odd| {
                (other.what, other.is_known) == (odd.what, odd.is_known)
                    && other.span.from <= odd.span.to
                    && odd.span.from <= other.span.to
            };
            match self.odd[..known].iter_mut().find(is_same) {
                Some(other) => {
                    let Span { from, to } = other.span;
                    other.span = Span::new(from.min(odd.span.from), to.max(odd.span.to));
                }
                None => self.odd.push(*odd),
            }
        }
        let mut steps = counter.steps.iter();
        let leads_in = steps.find(|step| step.span.to >= own.from);
        let leads_in = leads_in.filter(|_| own.from == whole.from);
        if let Some(step) = leads_in.filter(|step| step.wh.is_some() && step.span.to < whole.to)
            && own.from.since(step.span.from) > TOLD_LATER_MS
        {
            self.odd.push(Odd { what: Oddity::Gap, span: step.span, is_known: true });
        }
        self.odd.sort_by_key(|odd| (odd.span.from, odd.what));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
fn rounded(wh: f64) -> i64 {
    wh.round() as i64
}

/// The first and the last of some moments, which come in the order of time.
#[derive(Default)]
struct Ends(Option<(Timestamp, Timestamp)>);

impl Ends {
    fn add(&mut self, at: Timestamp) {
        self.0 = Some((self.0.map_or(at, |(first, _)| first), at));
    }

    /// The last one, going back; else the first.
    fn nearest(&self, way: i64) -> Option<Timestamp> {
        self.0.map(|(first, last)| if way < 0 { last } else { first })
    }
}

/// A span with so many milliseconds on either side.
fn wider(span: Span, ms: i64) -> Span {
    Span::new(span.from.plus(-ms), span.to.plus(ms))
}

/// What a value of a counter says.
fn said(meter: &Meter, value: &Value) -> Said {
    if value.flags.is_some_and(|flags| !flags.is_good()) {
        return Said::Flagged;
    }
    match value.value {
        Decoded::Value(now) => meter.reading(now),
        Decoded::NoValue | Decoded::Nonsense => Said::NoValue,
    }
}

/// Stretches in which the power is not known, each list in the order of time, and how far they are past.
struct Doubts<'a> {
    lists: [(&'a [Span], usize); 2],
}

impl Doubts<'_> {
    /// Whether one of them has some of a piece; pieces come in the order of time.
    fn touch(&mut self, piece: Span) -> bool {
        let mut touched = false;
        for (list, place) in &mut self.lists {
            while list.get(*place).is_some_and(|span| span.to <= piece.from) {
                *place += 1;
            }
            touched |= list.get(*place).is_some_and(|span| span.from < piece.to);
        }
        touched
    }
}

/// Whether a counter shows the same for so long, milliseconds, that it may stand still.
fn may_stand(readings: &[Reading], freeze_ms: i64) -> bool {
    readings.chunk_by(|one, next| one.said == next.said).any(|run| match run {
        [first, .., last] => last.at.since(first.at) >= freeze_ms,
        _ => false,
    })
}

/// Hands on how many milliseconds of a piece of time lie before each reading, by its place; pieces come in the order of
/// time, and `place` is kept between them.
fn spread(readings: &[Timestamp], place: &mut usize, piece: Span, mut add: impl FnMut(usize, i64)) {
    while readings.get(*place).is_some_and(|at| *at <= piece.from) {
        *place += 1;
    }
    let mut n = (*place).max(1);
    while n < readings.len() && readings[n - 1] < piece.to {
        let ms = Span::new(readings[n - 1], readings[n]).and(piece).length();
        add(n, ms);
        n += 1;
    }
}

/// Whether a step counts in a part of a window: its later reading is there.
fn counts(step: &Step, part: Span) -> bool {
    step.span.to >= part.from && step.span.to < part.to
}

/// What a counter counted in some stretches, watt hours. Counters of a station are read some seconds apart, and one
/// may say nothing for a while, so a stretch may cut a step: its energy is taken to have flowed evenly. What lies
/// on either side of a cut is the whole, so that windows add up.
fn flowed(steps: &[Step], stretches: &[Span]) -> i64 {
    let mut sum = 0;
    let mut first = 0;
    for step in steps {
        let Some(wh) = step.wh else { continue };
        while stretches.get(first).is_some_and(|span| span.to <= step.span.from) {
            first += 1;
        }
        let up_to = |at: Timestamp| {
            let length = i128::from(step.span.length().max(1));
            let part = i128::from(wh) * i128::from(at.since(step.span.from)) / length;
            i64::try_from(part).unwrap_or(wh)
        };
        let touching = stretches[first..].iter().take_while(|span| span.from < step.span.to);
        for own in touching.map(|span| span.and(step.span)) {
            sum += up_to(own.to) - up_to(own.from);
        }
    }
    sum
}

/// What a span has beside some stretches, which are in order.
fn outside(span: Span, stretches: &[Span]) -> Vec<Span> {
    let mut from = span.from;
    let mut left = Vec::with_capacity(stretches.len() + 1);
    for own in stretches {
        left.push(Span::new(from, own.from));
        from = own.to;
    }
    left.push(Span::new(from, span.to));
    left.retain(|span| span.length() > 0);
    left
}

/// When no step tells what a counter counted, in the order of time.
fn gaps(steps: &[Step], own: Span) -> Vec<Span> {
    let mut all = Vec::new();
    let mut known_up_to = own.from;
    for step in steps.iter().filter(|step| step.wh.is_some() && step.span.to > own.from) {
        if step.span.from >= own.to {
            break;
        }
        if step.span.from > known_up_to {
            all.push(Span::new(known_up_to, step.span.from));
        }
        known_up_to = known_up_to.max(step.span.to);
    }
    if known_up_to < own.to {
        all.push(Span::new(known_up_to, own.to));
    }
    all
}

/// When it is not known what a counter counted, in the order of time: outside its steps, in those that cannot be,
/// and in one that tells its energy only behind the window, or that of a time before it, too.
fn unknown(steps: &[Step], own: Span, window: Span) -> Vec<Span> {
    let mut all = Vec::new();
    let mut known_up_to = own.from;
    for step in steps.iter().filter(|step| step.wh.is_some()) {
        let leaves = step.span.to >= window.to || step.span.from < window.from;
        let is_elsewhere = leaves && step.span.length() > TOLD_LATER_MS;
        if step.span.to <= known_up_to || is_elsewhere {
            continue;
        }
        if step.span.from > known_up_to {
            all.push(Span::new(known_up_to, step.span.from));
        }
        known_up_to = step.span.to;
    }
    if known_up_to < own.to {
        all.push(Span::new(known_up_to, own.to));
    }
    all
}

/// A step that is longer, and leaves the window, leaves its time in it not known: what was counted then is told by the
/// next window, or together with what was counted before.
const TOLD_LATER_MS: i64 = 15 * 60_000;
