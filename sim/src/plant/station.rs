//! One station as it really is: the codes of its statuses, what its devices have counted and held,
//! and the electricity in its bays.

use config::{Point, PointKind, Province, Station as Contract};
use grid::TapChanger;

use crate::chance::Chance;
use crate::plant::load::{CLASSES, Moment};
use crate::plant::network::Electrical;
use crate::plant::quantity::{Quantity, quantity};
use crate::plant::scheme::{Role, Scheme};
use crate::plant::short_circuit::{Guard, ShortCircuit};
use crate::plant::weather::Weather;

/// Code of a double point that is open, closed, or under way.
pub(crate) const OPEN: u8 = 1;
pub(crate) const CLOSED: u8 = 2;
pub(crate) const BETWEEN: u8 = 0;

/// Earth switches of a bay, at the levels where they stand.
const EARTH_SWITCHES: [&str; 7] =
    ["ES15.POS", "ES25.POS", "ES35.POS", "ES38.POS", "ES75.POS", "ES76.POS", "ES.POS"];
/// Widest spread of phase currents; voltages spread a fifth of it.
const PHASE_SPREAD: f64 = 0.006;
/// Voltage behind the station transformer, V.
const SERVICE_VOLTS: f64 = 400.0;
/// Voltage that regulators hold at medium voltage, per unit of the section's (22.44 kV at 22 kV).
pub(crate) const HELD_VOLTS: f64 = 1.02;
/// Voltage of a battery that its charger holds, V.
pub(crate) const FLOAT_VOLTS: f64 = 231.0;
/// Positions of a tap changer.
pub(crate) const TAPS: std::ops::RangeInclusive<u8> = 1..=TapChanger::STANDARD.positions;
/// Exponent of the winding's rise over the oil.
pub(crate) const WINDING_EXPONENT: f64 = 1.6;

/// A station.
pub(crate) struct Station {
    pub(crate) scheme: Scheme,
    /// Chance of each bay.
    pub(crate) chances: Vec<Chance>,
    quantities: Vec<Quantity>,
    /// What is worked out each second: everything but statuses, which say when they change.
    measured: Vec<Measured>,
    codes: Vec<u8>,
    /// Values that events set, and counts of operations, by point.
    held: Vec<f64>,
    /// Shares of the load classes, in their order.
    pub(crate) mix: [f64; 4],
    pub(crate) feeders: Vec<Feeder>,
    pub(crate) transformers: Vec<Transformer>,
    pub(crate) capacitors: Vec<Capacitor>,
    pub(crate) bays: Vec<BayState>,
    /// What protection and people have done to each bay lately.
    pub(crate) guards: Vec<Guard>,
    /// Short circuits that last, by bay; those of lines belong to the plant.
    pub(crate) faults: Vec<Option<ShortCircuit>>,
    /// When a switch of each bay last moved.
    pub(crate) switched_ms: Vec<i64>,
    /// What breakers did since the last second, in order: bay, when, and whether it closed.
    pub(crate) breakers_moved: Vec<(usize, i64, bool)>,
    /// DC supply.
    pub(crate) battery_volts: f64,
    /// A switch has moved since the network was last told.
    pub(crate) moved: bool,
    /// A status has changed since the values were last sent.
    pub(crate) changed: bool,
    values: Vec<f64>,
}

/// A point whose value is worked out each second.
#[derive(Debug, Clone, Copy)]
struct Measured {
    point: usize,
    bay: usize,
    quantity: Quantity,
    /// Lowest value that can be real.
    low: f64,
}

/// The electricity in a bay.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BayState {
    pub(crate) at: Electrical,
    /// Voltage beyond the switches of the bay, kV.
    pub(crate) line_kv: f64,
    /// kWh in and out, kVArh in and out.
    energy: [f64; 4],
}

/// What hangs behind the head of a feeder, as the plant has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FeederState {
    /// Energy drawn since the start of the simulation, kWh by load class (rural, industry, cement,
    /// services), technical losses taken off. Never falls.
    pub(crate) consumed_kwh: [f64; 4],
    /// Whether it is under voltage.
    pub(crate) supplied: bool,
}

/// A medium-voltage feeder.
#[derive(Debug, Clone)]
pub(crate) struct Feeder {
    pub(crate) bay: usize,
    /// What its customers draw at their peak, MW.
    pub(crate) peak_mw: f64,
    pub(crate) tan_phi: f64,
    /// Stage of under-frequency shedding that takes it, from 1; 0 for none.
    pub(crate) stage: u8,
    /// Under-frequency took it off, and nobody has switched it since.
    pub(crate) shed: bool,
    /// Customers' load now by class and the technical loss, MW at the voltage that is held.
    pub(crate) classes: [f64; 4],
    pub(crate) loss: f64,
    /// What its customers have, and have drawn.
    pub(crate) state: FeederState,
}

impl Feeder {
    /// What its head carries at the voltage that is held, MW.
    pub(crate) fn head_mw(&self) -> f64 {
        self.classes.iter().sum::<f64>() + self.loss
    }
}

/// A transformer with its tap changer and its temperatures.
#[derive(Debug, Clone)]
pub(crate) struct Transformer {
    pub(crate) bay: usize,
    pub(crate) mva: f64,
    pub(crate) tap: u8,
    /// Seconds that the voltage has been outside its band: positive too high, negative too low.
    pub(crate) outside: i32,
    /// The tap changer is under way.
    pub(crate) stepping: bool,
    /// Top-oil temperature, °C; not a number before the first second.
    pub(crate) oil: f64,
}

/// A capacitor bank under its controller.
#[derive(Debug, Clone)]
pub(crate) struct Capacitor {
    pub(crate) bay: usize,
    pub(crate) mvar: f64,
    /// Seconds for which the controller has wanted it the other way.
    pub(crate) wanting: i32,
}

/// A moment of the province.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// UTC milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The same in the local calendar.
    pub(crate) moment: Moment,
    pub(crate) weather: Weather,
    /// Frequency of the grid.
    pub(crate) hertz: f64,
}

impl Station {
    pub(crate) fn new(province: &Province, index: usize) -> Self {
        let station = &province.stations[index];
        let scheme = Scheme::new(station);
        let chances: Vec<Chance> = station
            .bays
            .iter()
            .map(|bay| Chance::of(province.seed, &format!("{}.{}", station.id, bay.name)))
            .collect();
        let start = |(n, point): (usize, &Point)| first_value(chances[point.bay], n, point);
        let mut new = Self {
            quantities: station.points.iter().map(quantity).collect(),
            codes: station.points.iter().map(|point| point.normal).collect(),
            held: station.points.iter().enumerate().map(start).collect(),
            mix: mix(station),
            feeders: Vec::new(),
            transformers: Vec::new(),
            capacitors: Vec::new(),
            bays: vec![BayState::default(); station.bays.len()],
            guards: vec![Guard::QUIET; station.bays.len()],
            faults: vec![None; station.bays.len()],
            switched_ms: vec![i64::MIN; station.bays.len()],
            breakers_moved: Vec::new(),
            battery_volts: FLOAT_VOLTS,
            moved: true,
            changed: true,
            values: vec![f64::NAN; station.points.len()],
            measured: Vec::new(),
            scheme,
            chances,
        };
        new.equip(station);
        let measured = station.points.iter().enumerate().map(|(point, own)| Measured {
            point,
            bay: own.bay,
            quantity: new.quantities[point],
            low: own.range.map_or(0.0, |(low, _)| low),
        });
        let is_status = |m: &Measured| matches!(m.quantity, Quantity::Position | Quantity::Status);
        new.measured = measured.filter(|measured| !is_status(measured)).collect();
        new
    }

    /// Feeders, transformers and banks. Shares of the station's peak are by chance, fixed.
    fn equip(&mut self, station: &Contract) {
        let weight = |bay: &usize| self.chances[*bay].between(1, 0.6, 1.4);
        let weights: f64 = self.scheme.feeders.iter().map(weight).sum();
        let [_, industry, cement, _] = self.mix;
        let works_share = industry + cement;
        self.feeders = self
            .scheme
            .feeders
            .iter()
            .map(|bay| {
                let chance = self.chances[*bay];
                // Power factor 0.90 to 0.95 where people live, 0.88 to 0.93 where there is industry.
                let villages = chance.between(2, 0.33, 0.48);
                let works = chance.between(2, 0.40, 0.54);
                // Under-frequency stages hold six feeders in ten.
                let stage = [1, 2, 3, 4, 1, 2, 0, 0, 0, 0][chance.below(4, 10)];
                Feeder {
                    bay: *bay,
                    peak_mw: station.peak_mw * weight(bay) / weights,
                    tan_phi: villages + (works - villages) * works_share,
                    stage,
                    shed: false,
                    classes: [0.0; 4],
                    loss: 0.0,
                    state: FeederState { consumed_kwh: [0.0; 4], supplied: true },
                }
            })
            .collect();
        self.transformers = self
            .scheme
            .transformers
            .iter()
            .map(|t| Transformer {
                bay: t.bay,
                mva: t.mva,
                tap: 10,
                outside: 0,
                stepping: false,
                oil: f64::NAN,
            })
            .collect();
        self.capacitors = self
            .scheme
            .bays(Role::Capacitor)
            .map(|bay| Capacitor { bay, mvar: self.bank_mvar(bay), wanting: 0 })
            .collect();
    }

    /// Size of a capacitor bank, `MVAr`: 8 % of its transformer's rating, at most 6.
    fn bank_mvar(&self, bay: usize) -> f64 {
        let section = self.scheme.section_of[bay];
        let transformer = section.and_then(|section| self.scheme.transformer_at(section));
        transformer.map_or(2.0, |n| (0.08 * self.scheme.transformers[n].mva).min(6.0))
    }

    /// What the customers of each feeder have, and have drawn.
    pub(crate) fn feeder_states(&self) -> impl Iterator<Item = FeederState> {
        self.feeders.iter().map(|feeder| feeder.state)
    }

    /// Code of a status.
    pub(crate) fn code(&self, point: usize) -> u8 {
        self.codes[point]
    }

    /// Code of a status of a bay; `None` when the bay has no such point.
    pub(crate) fn status(&self, bay: usize, id: &str) -> Option<u8> {
        self.scheme.point(bay, id).map(|point| self.codes[point])
    }

    /// Whether the breaker of a bay would not open: too little gas, or no circuit to trip it.
    pub(crate) fn cannot_trip(&self, bay: usize) -> bool {
        self.lacks_gas(bay) || self.lacks_power(bay)
    }

    /// Whether the breaker of a bay has too little gas to switch.
    pub(crate) fn lacks_gas(&self, bay: usize) -> bool {
        self.is_set(bay, "CB.SF6_2") || self.is_set(bay, "PNL.GAS")
    }

    /// Whether the breaker of a bay has no control voltage, or no circuit to trip it.
    pub(crate) fn lacks_power(&self, bay: usize) -> bool {
        let set = |id: &str| self.is_set(bay, id);
        let no_first = set("CB.DC1") || set("F74.TC1");
        let no_second = set("CB.DC2") || set("F74.TC2");
        set("PNL.DC") || set("F74.TC") || no_first && no_second
    }

    /// Whether an earth switch of a bay is not open.
    pub(crate) fn is_earthed(&self, bay: usize) -> bool {
        EARTH_SWITCHES.iter().any(|id| self.status(bay, id).is_some_and(|code| code != OPEN))
    }

    /// Whether a bay has the status and it is set.
    pub(crate) fn is_set(&self, bay: usize, id: &str) -> bool {
        self.status(bay, id) == Some(1)
    }

    /// Gives a status a code; whether that is news.
    pub(crate) fn set(&mut self, point: usize, code: u8) -> bool {
        let news = std::mem::replace(&mut self.codes[point], code) != code;
        self.moved |= news && self.is_position(point);
        self.changed |= news;
        news
    }

    /// Whether a point is the position of a switching device.
    pub(crate) fn is_position(&self, point: usize) -> bool {
        self.quantities[point] == Quantity::Position
    }

    /// A value that events set.
    pub(crate) fn hold(&mut self, point: usize, value: f64) {
        self.held[point] = value;
    }

    /// Counts an operation.
    pub(crate) fn count(&mut self, point: usize) {
        self.held[point] += 1.0;
    }

    /// Lets energy counters of a bay run over `hours`.
    pub(crate) fn meter(&mut self, bay: usize, hours: f64) {
        let BayState { at, energy, .. } = &mut self.bays[bay];
        let kw = 1_000.0 * hours;
        energy[0] += at.p.max(0.0) * kw;
        energy[1] += (-at.p).max(0.0) * kw;
        energy[2] += at.q.max(0.0) * kw;
        energy[3] += (-at.q).max(0.0) * kw;
    }

    /// What has gone into a bay since the start, kWh.
    #[cfg(test)]
    pub(crate) fn delivered_kwh(&self, bay: usize) -> f64 {
        self.bays[bay].energy[0]
    }

    /// Works out the values of all points.
    pub(crate) fn measure(&mut self, now: &Now) {
        for n in 0..self.measured.len() {
            let measured = self.measured[n];
            self.values[measured.point] = self.value_of(measured, now);
        }
        if self.changed {
            for (point, quantity) in self.quantities.iter().enumerate() {
                if matches!(quantity, Quantity::Position | Quantity::Status) {
                    self.values[point] = f64::from(self.codes[point]);
                }
            }
        }
    }

    /// Values as they were worked out last, one for each point.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Apparent power over the rating.
    pub(crate) fn loading(&self, transformer: usize) -> f64 {
        let Transformer { bay, mva, .. } = self.transformers[transformer];
        let at = self.bays[bay].at;
        libm::hypot(at.p, at.q) / mva
    }

    fn value_of(&self, measured: Measured, now: &Now) -> f64 {
        let Measured { point: n, bay: at, quantity, low } = measured;
        let bay = &self.bays[at];
        let Electrical { p, q, kv } = bay.at;
        let role = self.scheme.roles[at];
        let chance = self.chances[at];
        let phase = |k: usize| phase(chance, k);
        // Not `hypot`: nothing here is near the ends of the range, and this is done for each point.
        let apparent = (p * p + q * q).sqrt();
        let amps = if kv > 0.0 { apparent / (3_f64.sqrt() * kv) * 1_000.0 } else { 0.0 };
        // A line's voltage transformers stand beyond its switches, all others at the section.
        let volts = if role == Role::Line { bay.line_kv } else { kv };
        let transformer = match role {
            Role::Transformer(n) => Some(n),
            _ => None,
        };
        let loading = transformer.map_or(0.0, |n| self.loading(n));
        let oil = transformer.map_or(now.weather.celsius, |n| self.transformers[n].oil);
        match quantity {
            Quantity::P => p,
            Quantity::Q => q,
            Quantity::I(_) if role == Role::Service => {
                apparent * 1e6 / (3_f64.sqrt() * SERVICE_VOLTS)
            }
            Quantity::I(k) => amps * phase(k),
            Quantity::U(k) => volts * (1.0 + 0.2 * (phase(k) - 1.0)),
            Quantity::Ue(k) => volts / 3_f64.sqrt() * (1.0 + 0.2 * (phase(k) - 1.0)),
            Quantity::ServiceVolts => {
                let nominal = f64::from(self.level(at).max(1));
                SERVICE_VOLTS * (kv / nominal / HELD_VOLTS)
            }
            Quantity::F if volts > 0.0 => now.hertz,
            Quantity::F => low,
            Quantity::PowerFactor if apparent > 1e-9 => p / apparent,
            Quantity::PowerFactor => 1.0,
            Quantity::Tap => transformer.map_or(10.0, |n| f64::from(self.transformers[n].tap)),
            Quantity::Oil => oil,
            Quantity::Winding(rise) => oil + rise * libm::pow(loading, WINDING_EXPONENT),
            Quantity::Loading => 100.0 * loading,
            Quantity::Residual if kv > 0.0 => 0.8 + 0.3 * chance.wander(n as u64, now.at_ms, 300),
            Quantity::Residual => 0.0,
            Quantity::Battery => self.battery_volts + 0.6 * chance.wander(n as u64, now.at_ms, 300),
            Quantity::Room(mean, share) => mean + share * (now.weather.celsius - 24.0),
            Quantity::Wander(mean, swing) => mean + swing * chance.wander(n as u64, now.at_ms, 300),
            Quantity::Energy(k) => (self.held[n] + bay.energy[k]).floor() % 1e9,
            Quantity::MegawattHours(k) => (bay.energy[k] / 1_000.0).floor() % 1e9,
            Quantity::Heartbeat => f64::from(
                u16::try_from(now.at_ms.div_euclid(1_000).rem_euclid(65_536)).unwrap_or(0),
            ),
            Quantity::Position | Quantity::Status | Quantity::Held => self.held[n],
        }
    }

    fn level(&self, bay: usize) -> u16 {
        self.scheme.section_of[bay].map_or(0, |section| self.scheme.sections[section].0)
    }
}

/// Shares of the load classes of a station, in the order in which loads are kept.
fn mix(station: &Contract) -> [f64; 4] {
    CLASSES.map(|class| {
        station.load.iter().filter(|(own, _)| *own == class).map(|(_, share)| share).sum()
    })
}

/// Spread of a phase of a bay: three numbers round 1 whose mean is 1.
fn phase(chance: Chance, k: usize) -> f64 {
    let spread = |k: u64| PHASE_SPREAD * (2.0 * chance.share(100 + k) - 1.0);
    let mean = (spread(0) + spread(1) + spread(2)) / 3.0;
    1.0 + spread(k as u64) - mean
}

/// What a point holds at first: a counter has run for years.
fn first_value(chance: Chance, n: usize, point: &Point) -> f64 {
    let tag = 300 + n as u64;
    match (point.spec.id.as_str(), point.spec.kind) {
        ("OLTC.OPS", _) => chance.between(tag, 4_000.0, 30_000.0).round(),
        ("CB.OPS", _) => chance.between(tag, 60.0, 900.0).round(),
        ("E.IMP" | "E.EXP" | "R.IMP" | "R.EXP", _) => chance.between(tag, 1e6, 9e7),
        // The last fault is some months ago.
        ("FL.KM", _) => chance.between(tag, 1.0, 20.0),
        ("FL.KA", _) => chance.between(tag, 1.0, 6.0),
        ("CAM.N", _) => 16.0,
        ("SETGRP", _) => 1.0,
        (_, kind) if kind == PointKind::Counter || kind.is_command() => 0.0,
        _ => point.range.map_or(0.0, |(low, high)| f64::midpoint(low, high)),
    }
}
