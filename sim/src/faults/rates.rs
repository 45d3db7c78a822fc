//! Faults that come by themselves: how often is a rate, when and where is chance by seed.

use config::{Province, Station, StationId};

use super::fault::Injection;
use super::kind::{FAULTS, FaultKind, FaultSettings, FaultSpec};
use super::samples::has_vt;
use crate::chance::Chance;
use crate::target::{Reach, bay_id};

/// Time is cut into slots in which a fault starts or does not.
const SLOT_MS: i64 = 60_000;
/// Slots that are looked at after a pause of the field: a day.
const SLOTS_MAX: i64 = 1_440;
const SLOTS_PER_YEAR: f64 = 365.25 * 1_440.0;
const HOUR_MS: f64 = 3_600_000.0;

/// How often each fault comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Starts in a station in a year, by kind.
    per_station_year: Vec<f64>,
}

impl Rates {
    /// The rates of the table of faults, all times `scale`.
    pub fn of_table(scale: f64) -> Self {
        let rates = FAULTS.iter().map(|spec| spec.rate.per_station_year * scale);
        Self { per_station_year: rates.collect() }
    }

    /// Sets the rate of one kind, starts in a station in a year.
    pub fn set(&mut self, kind: FaultKind, per_station_year: f64) {
        self.per_station_year[kind as usize] = per_station_year;
    }
}

/// The chance behind the rates.
pub(crate) struct Dice {
    rates: Rates,
    /// One for each kind and station.
    chances: Vec<Chance>,
    last_slot: Option<i64>,
}

impl Dice {
    pub(crate) fn new(province: &Province, rates: Rates) -> Self {
        let chances = FAULTS.iter().flat_map(|spec| {
            let name = |station: &Station| format!("rate {} {}", spec.id, station.id);
            province.stations.iter().map(move |s| Chance::of(province.seed, &name(s)))
        });
        Self { rates, chances: chances.collect(), last_slot: None }
    }

    /// Faults that start in the slots since the last call, with the moments at which they do.
    pub(crate) fn thrown(&mut self, province: &Province, at_ms: i64) -> Vec<(i64, Injection)> {
        let now = at_ms.div_euclid(SLOT_MS);
        let last = self.last_slot.replace(now).unwrap_or(now);
        let mut thrown = Vec::new();
        for slot in (last + 1).max(now - SLOTS_MAX)..=now {
            for spec in FAULTS {
                let rate = self.rates.per_station_year[spec.kind as usize] / SLOTS_PER_YEAR;
                if rate <= 0.0 {
                    continue;
                }
                for station in province.station_ids() {
                    let place = spec.kind as usize * province.stations.len() + station.index();
                    let chance = self.chances[place];
                    let number = slot.cast_unsigned().wrapping_mul(8);
                    if chance.share(number) < rate
                        && let Some(injection) = drawn(province, spec, station, chance, number)
                    {
                        thrown.push((slot * SLOT_MS, injection));
                    }
                }
            }
        }
        thrown
    }
}

/// A fault of a kind at a station, its target and duration by chance.
fn drawn(
    province: &Province,
    spec: &FaultSpec,
    id: StationId,
    chance: Chance,
    number: u64,
) -> Option<Injection> {
    let settings = FaultSettings::of(spec.kind);
    let station = &province.stations[id.index()];
    let candidates = candidates(station, spec, &settings);
    let target = candidates.get(place(chance.share(number + 1), candidates.len()))?.clone();
    // A lost channel is that of one centre; what a device does, every centre sees.
    let centre = (spec.kind == FaultKind::ChannelLost).then(|| {
        let centre = place(chance.share(number + 2), province.centres.len());
        province.centres[centre].id.clone()
    });
    // Short ones are more frequent than long ones: even over the logarithm.
    let (shortest, longest) = spec.rate.hours;
    let hours = shortest * libm::pow(longest / shortest, chance.share(number + 3));
    #[expect(clippy::cast_possible_truncation, reason = "at most some months")]
    let for_ms = Some((hours * HOUR_MS) as i64);
    Some(Injection { kind: spec.kind, target, centre, for_ms, settings })
}

fn place(share: f64, count: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let place = (share * count as f64) as usize;
    place.min(count.saturating_sub(1))
}

/// What a fault can hit at a station.
fn candidates(station: &Station, spec: &FaultSpec, settings: &FaultSettings) -> Vec<String> {
    let bays = 0..station.bays.len();
    let takes = |point: &&config::Point| spec.kind.takes(settings, point);
    match spec.reach {
        Reach::Station => vec![station.id.clone()],
        Reach::Unit => {
            station.units.iter().map(|unit| format!("{}/unit {}", station.id, unit.id)).collect()
        }
        Reach::Bay => {
            bays.filter(|bay| has_vt(station, *bay)).map(|bay| bay_id(station, bay)).collect()
        }
        // A transposed current transformer turns every quantity of its bay.
        Reach::Point if [FaultKind::Polarity, FaultKind::PhaseSwap].contains(&spec.kind) => bays
            .filter(|bay| station.points.iter().filter(takes).any(|point| point.bay == *bay))
            .map(|bay| bay_id(station, bay))
            .collect(),
        Reach::Point => station.points.iter().filter(takes).map(|p| p.id.clone()).collect(),
    }
}
