//! Energy and voltage of a period, from the values that were kept.

use config::{Bay, CentreId, Decoded, Flags, Point, PointId, Province, Scan, Station, StationId};

use crate::clock::Timestamp;
use crate::historian::counts::Share;
use crate::history::Window;
use crate::store::{Reader, StoreError, Value};

/// Voltage may depart from its nominal value by this share (Vietnamese grid code, ±5 %).
const VOLTAGE_TOLERANCE: f64 = 0.05;

/// What counters and voltages of a station say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StationEnergy {
    /// Which.
    pub(super) station: StationId,
    /// Into its transformers from 110 kV, kWh.
    pub(super) received: Metered,
    /// Out of its feeders, kWh.
    pub(super) delivered: Metered,
    /// By busbar below 110 kV.
    pub(super) voltages: Vec<BusVoltage>,
}

/// The sum of some counters over a period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Metered {
    /// kWh.
    pub(super) kwh: f64,
    /// Counters with at least two values, of all.
    pub(super) counters: Share,
    /// Milliseconds between first and last value, of the period, over all counters.
    pub(super) covered: Share,
    /// How often one was less than before: what it had counted then is not known.
    pub(super) resets: u32,
}

/// How long the voltage of a busbar was within its limits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BusVoltage {
    /// Its bay.
    pub(super) bay: usize,
    /// Milliseconds within, of those in which there was a good value.
    pub(super) within: Share,
    /// Lowest and highest good value, kV.
    pub(super) range: Option<(f64, f64)>,
}

/// Reads what the counters and voltages of the stations say; empty when no values were kept at all.
pub(super) fn energies(
    reader: &Reader,
    province: &Province,
    window: &Window,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<StationEnergy>, StoreError> {
    let mut all = Vec::new();
    for (id, station) in province.station_ids().zip(&province.stations) {
        if !wanted(&station.id) {
            continue;
        }
        let energy = Source { reader, province, id, station, window }.energy()?;
        let has = energy.received.counters.have + energy.delivered.counters.have;
        if has > 0 || energy.voltages.iter().any(|bus| bus.within.want > 0) {
            all.push(energy);
        }
    }
    Ok(all)
}

struct Source<'a> {
    reader: &'a Reader,
    province: &'a Province,
    id: StationId,
    station: &'a Station,
    window: &'a Window,
}

impl Source<'_> {
    fn energy(&self) -> Result<StationEnergy, StoreError> {
        let is_bus = |bay: &Bay| bay.name.starts_with('C') && (1..110).contains(&bay.level);
        let mut voltages = Vec::new();
        for (point, bay) in self.points("UAB", is_bus) {
            voltages.push(self.voltage(point, bay)?);
        }
        Ok(StationEnergy {
            station: self.id,
            received: self.metered(Bay::is_transformer)?,
            delivered: self.metered(Bay::is_feeder)?,
            voltages,
        })
    }

    /// Points of a kind in bays of a kind: their places, and those of their bays.
    fn points(&self, id: &str, of: impl Fn(&Bay) -> bool) -> Vec<(PointId, usize)> {
        let is_it = |point: &Point| point.spec.id == id && of(&self.station.bays[point.bay]);
        let points = self.station.points.iter().enumerate();
        points.filter(|(_, p)| is_it(p)).map(|(n, p)| (PointId::at(n), p.bay)).collect()
    }

    /// Hands on the values of a point at the first centre that gets it.
    fn values(&self, point: PointId, mut each: impl FnMut(Value)) -> Result<(), StoreError> {
        let mut centres = self.province.centre_ids();
        let reads = |centre: &CentreId| {
            self.province.channel(self.id, *centre).entries[point.index()].register.is_some()
        };
        let Some(centre) = centres.find(reads) else { return Ok(()) };
        let centre = &self.province.centres[centre.index()].id;
        let id = &self.station.points[point.index()].id;
        let span = self.window.span;
        self.reader.values((&self.station.id, centre, id), (span.from, span.to), |value| {
            each(value);
            Ok(())
        })
    }

    fn metered(&self, of: fn(&Bay) -> bool) -> Result<Metered, StoreError> {
        let mut sum = Metered::default();
        let length = self.window.span.length().unsigned_abs();
        for (point, _) in self.points("E.IMP", of) {
            let (mut first, mut last): (Option<Timestamp>, Option<(Timestamp, f64)>) = (None, None);
            let (mut kwh, mut resets) = (0.0, 0);
            self.values(point, |value| {
                let Decoded::Value(now) = value.value else { return };
                if value.flags.is_some_and(|flags| !flags.is_good()) {
                    return;
                }
                first.get_or_insert(value.at);
                match last {
                    Some((_, before)) if now >= before => kwh += now - before,
                    Some(_) => resets += 1,
                    None => {}
                }
                last = Some((value.at, now));
            })?;
            let span = first.zip(last).map_or(0, |(first, (last, _))| last.since(first));
            sum.kwh += kwh;
            sum.resets += resets;
            sum.counters += Share::new(u64::from(span > 0), 1);
            sum.covered += Share::new(span.unsigned_abs(), length);
        }
        Ok(sum)
    }

    fn voltage(&self, point: PointId, bay: usize) -> Result<BusVoltage, StoreError> {
        let nominal = f64::from(self.station.bays[bay].level);
        // A value stands until the next one, but not beyond the time after which it is old.
        let scan = self.station.points[point.index()].spec.scan.unwrap_or(Scan::Slow);
        let longest = self.province.scan.old_after_ms(scan);
        let mut bus = BusVoltage { bay, within: Share::default(), range: None };
        let mut last: Option<(Timestamp, f64)> = None;
        let mut book = |last: Option<(Timestamp, f64)>, to: Timestamp| {
            let Some((from, kv)) = last else { return };
            let ms = to.since(from).clamp(0, longest).unsigned_abs();
            let is_within = (kv / nominal - 1.0).abs() <= VOLTAGE_TOLERANCE;
            bus.within += Share::new(if is_within { ms } else { 0 }, ms);
            let (low, high) = bus.range.unwrap_or((kv, kv));
            bus.range = Some((low.min(kv), high.max(kv)));
        };
        self.values(point, |value| {
            book(last, value.at);
            let good = value.flags.is_none_or(Flags::is_good);
            last = match value.value {
                Decoded::Value(kv) if good => Some((value.at, kv)),
                _ => None,
            };
        })?;
        book(last, self.window.span.to);
        Ok(bus)
    }
}
