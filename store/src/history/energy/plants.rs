//! Counters of plants, as they were taken down hour by hour, held against the measured power of their points.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use config::Scan;
use signal::clock::{DAY_MS, Timestamp};

use super::steps::{ByPower, CONTEXT_MS, Drawn, Oddity};
use super::{Beside, Source, wider};
use crate::history::window::{Era, Span, Window};
use crate::{EnergyKind, EnergyLine, Reader, StoreError};

/// Both counters of a point are read within this, milliseconds.
const READ_TOGETHER_MS: i64 = 300_000;

/// What a counter showed: when, and kWh.
pub(in crate::history) type Taken = (Timestamp, u64);

/// What the measured power of plants says of their counters.
pub(in crate::history) struct PlantPower<'a> {
    reader: &'a Reader,
    eras: Vec<Era>,
}

impl<'a> PlantPower<'a> {
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::history) fn of(reader: &'a Reader) -> Result<Self, StoreError> {
        let always = Span::new(Timestamp(i64::MIN), Timestamp(i64::MAX));
        let eras = Window::new(always, &[], &reader.sessions_and_margin()?).eras;
        Ok(Self { reader, eras })
    }

    /// What the power says against steps of the counter that a line is of, by the place of their later reading; each step
    /// leads from one of what was taken down of it to a later one. `other` is what was taken down of the counter of the
    /// other way.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::history) fn against(
        &self,
        line: &EnergyLine,
        (taken, other): (&[Taken], &[Taken]),
        steps: &[(usize, usize)],
    ) -> Result<BTreeMap<usize, Oddity>, StoreError> {
        let mut by_era: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (from, to) in steps {
            let at = taken[*to].0;
            let era = self.eras.partition_point(|era| era.span.to <= at);
            by_era.entry(era).or_default().push((*from, *to));
        }
        let mut found = BTreeMap::new();
        for (n, own) in by_era.into_iter().filter(|(n, _)| *n < self.eras.len()) {
            self.by_contract(n, line, (taken, other), &own, &mut found)?;
        }
        Ok(found)
    }

    /// The same of some steps whose later readings are of the time of one contract.
    fn by_contract(
        &self,
        n: usize,
        line: &EnergyLine,
        (taken, other): (&[Taken], &[Taken]),
        steps: &[(usize, usize)],
        found: &mut BTreeMap<usize, Oddity>,
    ) -> Result<(), StoreError> {
        let era = &self.eras[n];
        let province = match self.reader.contract(era.contract) {
            Ok(known) => known.province,
            // What this program cannot read tells nothing.
            Err(StoreError::Contract { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(id) = province.site(&line.station) else { return Ok(()) };
        let station = &province.stations[id.index()];
        let Some(point) = station.point(&format!("{}.{}", line.station, line.id)) else {
            return Ok(());
        };
        let whole = steps.iter().map(|(from, to)| Span::new(taken[*from].0, taken[*to].0));
        let whole = whole.reduce(|a, b| Span::new(a.from.min(b.from), a.to.max(b.to)));
        let Some(whole) = whole else { return Ok(()) };
        let beside = Beside::around(self.reader, &self.eras, n, whole)?;
        let around = wider(whole, CONTEXT_MS);
        let source = Source {
            reader: self.reader,
            province: &province,
            beside: &beside,
            id,
            station,
            era: era.clone().within(around),
            own: whole,
            kept: whole,
            unusable: vec![OnceCell::new(); province.centres.len()],
        };
        let Some((meter, same)) = source.meter(point) else { return Ok(()) };
        let bay = station.points[point.index()].bay;
        let meter = match station.plant {
            Some(plant) => meter.at_plant(plant),
            None => meter,
        };
        // The last one is of the time of this contract.
        let last = steps.iter().map(|(_, to)| *to).max().unwrap_or(0);
        let readings = Readings::of(taken, last, around.and(same));
        let way = if line.kind == EnergyKind::In { -1.0 } else { 1.0 };
        let beside = source.beside(around);
        let moments: Vec<Timestamp> = readings.all.iter().map(|(at, _)| *at).collect();
        let mut drawn = source.drawn((bay, way, around), &moments, &[], &beside)?;
        let measured = Measured::of(&readings, &drawn);
        let first = other.partition_point(|(at, _)| *at < around.from);
        readings.stand_while_other(&Readings::of(other, first, around), &mut drawn);
        let late_ms = province.scan.milliseconds(Scan::Counters);
        let by_power = ByPower::of(&meter, &readings.all, &drawn, late_ms);
        for (from, to) in steps {
            let (Some(since), Some(own)) = (readings.place(*from), readings.place(*to)) else {
                continue;
            };
            if let Some(why) = by_power.against(since, own).filter(|_| measured.near(since, own)) {
                found.insert(*to, why);
            }
        }
        Ok(())
    }
}

/// Readings of a counter, each later than the one before.
struct Readings {
    /// When, and watt hours.
    all: Vec<(Timestamp, i64)>,
    /// Their places in what was taken down, in order.
    places: Vec<usize>,
}

impl Readings {
    /// What was taken down in a span, around what stands at a place; behind a jump of the clock what is no later is left
    /// out.
    fn of(taken: &[Taken], place: usize, span: Span) -> Self {
        let is_within = |taken: &&Taken| span.from <= taken.0 && taken.0 <= span.to;
        let place = place.min(taken.len());
        let before = taken[..place].iter().rev().take_while(is_within).count();
        let behind = taken[place..].iter().take_while(is_within).count();
        let mut own = Self { all: Vec::new(), places: Vec::new() };
        for (n, (at, kwh)) in taken.iter().enumerate().take(place + behind).skip(place - before) {
            if own.all.last().is_none_or(|(last, _)| last < at) {
                own.all.push((*at, i64::try_from(*kwh).unwrap_or(i64::MAX).saturating_mul(1_000)));
                own.places.push(n);
            }
        }
        own
    }

    /// The reading that what was taken down at a place is.
    fn place(&self, taken: usize) -> Option<usize> {
        self.places.binary_search(&taken).ok()
    }

    /// While the counter of the other way moves nothing flows this way: that is known where the power is not.
    fn stand_while_other(&self, other: &Self, drawn: &mut [Drawn]) {
        for (pair, drawn) in self.all.windows(2).zip(drawn.iter_mut().skip(1)) {
            let ((since, before), (at, now)) = (pair[0], pair[1]);
            let (from, to) = (since.plus(-READ_TOGETHER_MS), at.plus(READ_TOGETHER_MS));
            let first = other.all.partition_point(|(at, _)| *at < from);
            let behind = other.all.partition_point(|(at, _)| *at <= to);
            let its = &other.all[first..behind];
            let moves = its.first().zip(its.last()).is_some_and(|(a, b)| a.1 < b.1);
            if moves && before == now {
                drawn.known_ms = drawn.known_ms.max(at.since(since));
            }
        }
    }
}

/// How much of the time up to each reading the power was measured: a recording may keep counters alone.
struct Measured<'a> {
    readings: &'a [(Timestamp, i64)],
    known_ms: Vec<i64>,
}

impl<'a> Measured<'a> {
    fn of(readings: &'a Readings, drawn: &[Drawn]) -> Self {
        let mut sum = 0;
        let known_ms = drawn.iter().map(|own| {
            sum += own.known_ms;
            sum
        });
        Self { readings: &readings.all, known_ms: known_ms.collect() }
    }

    /// Whether it was between two readings, or within a day of them.
    fn near(&self, from: usize, to: usize) -> bool {
        let at = |n: usize| self.readings[n].0;
        let first = self.readings.partition_point(|own| at(from).since(own.0) > DAY_MS);
        let behind = self.readings.partition_point(|own| own.0.since(at(to)) <= DAY_MS);
        self.known_ms[behind - 1] > self.known_ms[first]
    }
}
