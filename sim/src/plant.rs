//! The electrical state of one station: loads at its feeders, summed up bay by bay.

use config::{Bay, Point, Province, Station};

use crate::chance::Chance;
use crate::load::{Moment, load};
use crate::quantity::{Quantity, quantity};

/// Rating of a transformer that the contract does not rate, MVA.
const RATING_MVA: f64 = 25.0;
/// Nominal voltage at which a level is run, relative to its name (23 kV at a 22 kV busbar).
const RUN_AT: f64 = 1.035;
/// Tap changer: voltage per step, middle position, last position (115 kV ± 9 × 1.78 %).
const TAP_STEP: f64 = 0.0178;
const TAP_MIDDLE: f64 = 10.0;
const TAP_LAST: f64 = 19.0;
/// Short-circuit voltage between high and medium side, share of the rating.
const TRANSFORMER_X: f64 = 0.105;
/// Load and no-load loss at the rating, share of it.
const LOAD_LOSS: f64 = 0.0045;
const NO_LOAD_LOSS: f64 = 0.0007;
/// Size of a capacitor bank, share of its transformer's rating, and its largest, `MVAr`.
const CAPACITOR_SHARE: f64 = 0.08;
const CAPACITOR_MAX_MVAR: f64 = 6.0;
/// What the station itself uses, MW.
const STATION_SERVICE_MW: f64 = 0.035;
/// Top-oil rise at the rating and its exponent (ONAN).
const OIL_RISE_K: f64 = 52.0;
const OIL_EXPONENT: f64 = 0.8;
/// Loss at the rating over no-load loss, as it stands in the oil rise.
const LOSS_RATIO: f64 = 6.0;
/// Exponent of the winding's rise over the oil.
const WINDING_EXPONENT: f64 = 1.6;
/// Oil follows the load of about this long ago (time constant of ONAN cooling).
const OIL_LAG_HOURS: f64 = 1.5;
/// Widest spread of phase currents and voltages.
const PHASE_SPREAD: f64 = 0.006;

/// What a bay does for the station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Number within [`Plant::feeders`].
    Feeder(usize),
    Capacitor,
    /// Medium side of a transformer: its number within [`Plant::transformers`].
    Incomer(usize),
    /// Number within [`Plant::transformers`].
    Transformer(usize),
    /// A 110 kV line; its flow comes from the grid.
    Line,
    Service,
    Busbar,
    Coupler,
    Other,
}

/// State of a bay.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BayState {
    pub(crate) p: f64,
    pub(crate) q: f64,
    pub(crate) kv: f64,
    energy: [f64; 4],
}

/// A moment of the province.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// UTC milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The same in the local calendar.
    pub(crate) moment: Moment,
    /// Frequency of the grid.
    pub(crate) hertz: f64,
}

/// A station.
pub(crate) struct Plant {
    chance: Chance,
    chances: Vec<Chance>,
    roles: Vec<Role>,
    quantities: Vec<Quantity>,
    /// Whether the breaker of the bay is closed.
    closed: Vec<bool>,
    feeders: Vec<Feeder>,
    transformers: Vec<Transformer>,
    pub(crate) bays: Vec<BayState>,
    oil: Vec<f64>,
    values: Vec<f64>,
    demand: (f64, f64),
}

struct Feeder {
    bay: usize,
    /// Share of the station's peak.
    weight: f64,
    tan_phi: f64,
    incomer: Option<usize>,
}

struct Transformer {
    bay: usize,
    mva: f64,
    tap: f64,
    tap_operations: f64,
}

impl Plant {
    pub(crate) fn new(province: &Province, index: usize) -> Self {
        let station = &province.stations[index];
        let chance = Chance::of(province.seed, &station.id);
        let of_bay = |bay: &Bay| Chance::of(province.seed, &format!("{}.{}", station.id, bay.name));
        let mut plant = Self {
            chance,
            chances: station.bays.iter().map(of_bay).collect(),
            roles: vec![Role::Other; station.bays.len()],
            quantities: station.points.iter().map(|p| quantity(&station.bays[p.bay], p)).collect(),
            closed: (0..station.bays.len()).map(|bay| is_closed(station, bay)).collect(),
            feeders: Vec::new(),
            transformers: Vec::new(),
            bays: vec![BayState::default(); station.bays.len()],
            oil: vec![0.0; station.bays.len()],
            values: vec![f64::NAN; station.points.len()],
            demand: (0.0, 0.0),
        };
        plant.assign_roles(station);
        plant
    }

    /// Roles by the number of a bay (Vietnamese numbering: second digit 3 transformer, 7 line or
    /// feeder, 1 coupler) and the letters of busbars, capacitors and station service.
    fn assign_roles(&mut self, station: &Station) {
        for (n, bay) in
            station.bays.iter().enumerate().filter(|(_, bay)| role_digit(bay) == Some('3'))
        {
            if bay.level >= 110 {
                let rated = station.transformers.iter().find(|(rated, _)| *rated == n);
                let mva = rated.map_or(RATING_MVA, |(_, mva)| *mva);
                self.roles[n] = Role::Transformer(self.transformers.len());
                let tap_operations = self.chances[n].between(7, 4_000.0, 30_000.0).round();
                self.transformers.push(Transformer { bay: n, mva, tap: 0.0, tap_operations });
            }
        }
        let mut weights = 0.0;
        for (n, bay) in station.bays.iter().enumerate() {
            self.roles[n] = match (role_digit(bay), self.roles[n]) {
                (_, transformer @ Role::Transformer(_)) => transformer,
                (Some('3'), _) => {
                    self.transformer_of(station, bay).map_or(Role::Other, Role::Incomer)
                }
                (Some('7'), _) if bay.level >= 110 => Role::Line,
                (Some('7'), _) => {
                    let (weight, tan_phi) = (
                        self.chances[n].between(1, 0.6, 1.4),
                        self.chances[n].between(2, 0.33, 0.46),
                    );
                    weights += weight;
                    self.feeders.push(Feeder { bay: n, weight, tan_phi, incomer: None });
                    Role::Feeder(self.feeders.len() - 1)
                }
                (Some('1'), _) => Role::Coupler,
                _ if bay.name.starts_with("TBN") => Role::Capacitor,
                _ if bay.name.starts_with("TD") => Role::Service,
                _ if bay.name.starts_with('C') => Role::Busbar,
                _ => Role::Other,
            };
        }
        for n in 0..self.feeders.len() {
            self.feeders[n].weight /= weights;
            self.feeders[n].incomer = self.incomer_of(station, self.feeders[n].bay);
        }
    }

    /// The transformer with the number of a medium-voltage bay, else the first.
    fn transformer_of(&self, station: &Station, bay: &Bay) -> Option<usize> {
        let same =
            |t: &Transformer| station.bays[t.bay].name.chars().last() == bay.name.chars().last();
        let found = self.transformers.iter().position(same);
        found.or((!self.transformers.is_empty()).then_some(0))
    }

    /// The incomer of a bay's section, else any of its level.
    fn incomer_of(&self, station: &Station, bay: usize) -> Option<usize> {
        let own = &station.bays[bay];
        let incomers = || {
            (0..station.bays.len()).filter(|n| {
                matches!(self.roles[*n], Role::Incomer(_)) && station.bays[*n].level == own.level
            })
        };
        incomers().find(|n| station.bays[*n].section == own.section).or_else(|| incomers().next())
    }

    /// What the station draws from the 110 kV grid, MW and `MVAr`.
    pub(crate) fn demand(&self) -> (f64, f64) {
        self.demand
    }

    /// What each feeder draws, MW.
    pub(crate) fn feeder_mw(&self) -> impl Iterator<Item = f64> {
        self.feeders.iter().map(|feeder| self.bays[feeder.bay].p)
    }

    /// Loads at `at_ms`, summed up to the high side of the transformers. A dead station draws
    /// nothing.
    pub(crate) fn draw(&mut self, station: &Station, alive: bool, moment: Moment, at_ms: i64) {
        let factor = |moment| {
            station.load.iter().map(|(class, share)| share * load(*class, moment)).sum::<f64>()
        };
        let now: f64 = if alive { factor(moment) } else { 0.0 };
        for bay in &mut self.bays {
            (bay.p, bay.q) = (0.0, 0.0);
        }
        for n in 0..self.feeders.len() {
            let feeder = &self.feeders[n];
            if !self.closed[feeder.bay] {
                continue;
            }
            // Noise of one feeder about 1 %, and a slow drift of its own.
            let chance = self.chances[feeder.bay];
            let noise = 0.01 * chance.wander(3, at_ms, 60) + 0.04 * chance.wander(4, at_ms, 1_800);
            let p = station.peak_mw * feeder.weight * now * (1.0 + noise);
            let (bay, incomer, q) = (feeder.bay, feeder.incomer, p * feeder.tan_phi);
            self.add(Some(bay), p, q);
            self.add(incomer, p, q);
        }
        for n in 0..station.bays.len() {
            let incomer = self.incomer_of(station, n);
            match self.roles[n] {
                Role::Capacitor if self.closed[n] && alive => {
                    let mva = incomer.map_or(RATING_MVA, |incomer| self.rating(incomer));
                    let mvar = (CAPACITOR_SHARE * mva).min(CAPACITOR_MAX_MVAR);
                    self.add(Some(n), 0.0, mvar);
                    self.add(incomer, 0.0, -mvar);
                }
                Role::Service if alive => {
                    self.add(Some(n), STATION_SERVICE_MW, 0.3 * STATION_SERVICE_MW);
                    self.add(incomer, STATION_SERVICE_MW, 0.3 * STATION_SERVICE_MW);
                }
                _ => {}
            }
        }
        self.demand = (0.0, 0.0);
        for n in 0..station.bays.len() {
            if let Role::Incomer(transformer) = self.roles[n] {
                let (p, q) = (self.bays[n].p, self.bays[n].q);
                self.add(Some(self.transformers[transformer].bay), p, q);
            }
        }
        for n in 0..self.transformers.len() {
            let Transformer { bay, mva, .. } = self.transformers[n];
            if !alive || !self.closed[bay] {
                continue;
            }
            let use2 = self.loading(bay, mva).powi(2);
            let loss = (NO_LOAD_LOSS + LOAD_LOSS * use2) * mva;
            self.add(Some(bay), loss, TRANSFORMER_X * use2 * mva);
            self.demand.0 += self.bays[bay].p;
            self.demand.1 += self.bays[bay].q;
            // Oil follows the load of some time ago.
            let before = factor(moment.earlier(OIL_LAG_HOURS));
            let use_then = self.loading(bay, mva) * before / now.max(0.01);
            let rise = OIL_RISE_K
                * ((1.0 + LOSS_RATIO * use_then * use_then) / (1.0 + LOSS_RATIO))
                    .powf(OIL_EXPONENT);
            self.oil[bay] = ambient(moment) + rise;
        }
    }

    fn add(&mut self, bay: Option<usize>, p: f64, q: f64) {
        if let Some(bay) = bay {
            self.bays[bay].p += p;
            self.bays[bay].q += q;
        }
    }

    fn rating(&self, incomer: usize) -> f64 {
        match self.roles[incomer] {
            Role::Incomer(n) => self.transformers[n].mva,
            _ => RATING_MVA,
        }
    }

    fn loading(&self, bay: usize, mva: f64) -> f64 {
        self.bays[bay].p.hypot(self.bays[bay].q) / mva
    }

    /// Whether nothing in a bay is open in normal service that carries its current.
    pub(crate) fn is_closed(&self, bay: usize) -> bool {
        self.closed[bay]
    }

    /// Takes the flows of the 110 kV lines and the bus voltage, and settles taps, voltages and the
    /// coupler.
    pub(crate) fn settle(
        &mut self,
        station: &Station,
        kv: f64,
        lines: &[(usize, (f64, f64))],
        at_ms: i64,
    ) {
        for (bay, (p, q)) in lines {
            (self.bays[*bay].p, self.bays[*bay].q) = (*p, *q);
        }
        for n in 0..self.transformers.len() {
            let transformer = &self.transformers[n];
            let bay = transformer.bay;
            let drop = TRANSFORMER_X * self.bays[bay].q / transformer.mva;
            // Lower positions have more turns on the high side.
            let wanted = TAP_MIDDLE - ((kv / 115.0 - drop) - 1.0) / TAP_STEP;
            let held = (transformer.tap - wanted).abs() < 0.8 && transformer.tap > 0.0;
            if !held && kv > 0.0 {
                let transformer = &mut self.transformers[n];
                let tap = wanted.round().clamp(1.0, TAP_LAST);
                if transformer.tap > 0.0 {
                    transformer.tap_operations += (tap - transformer.tap).abs();
                }
                transformer.tap = tap;
            }
        }
        let is_bus = |bay: &Bay, section: u8| bay.level >= 110 && bay.section == section;
        for n in 0..station.bays.len() {
            let bay = &station.bays[n];
            let wander = 0.002 * self.chance.wander(u64::from(bay.level), at_ms, 120);
            self.bays[n].kv = match bay.level {
                0 => 0.0,
                110.. => kv,
                level if kv > 0.0 => f64::from(level) * RUN_AT * (1.0 + wander),
                _ => 0.0,
            };
            if self.roles[n] == Role::Coupler && bay.level >= 110 && self.closed[n] {
                // What the second section draws and its lines do not bring.
                let others = (0..station.bays.len()).filter(|m| {
                    is_bus(&station.bays[*m], 2)
                        && matches!(self.roles[*m], Role::Line | Role::Transformer(_))
                });
                let (p, q) =
                    others.fold((0.0, 0.0), |(p, q), m| (p + self.bays[m].p, q + self.bays[m].q));
                (self.bays[n].p, self.bays[n].q) = (p, q);
            }
        }
    }

    /// Lets counters run over `seconds`.
    pub(crate) fn count(&mut self, seconds: f64) {
        for bay in &mut self.bays {
            let hours = seconds / 3_600.0 * 1_000.0;
            bay.energy[0] += bay.p.max(0.0) * hours;
            bay.energy[1] += (-bay.p).max(0.0) * hours;
            bay.energy[2] += bay.q.max(0.0) * hours;
            bay.energy[3] += (-bay.q).max(0.0) * hours;
        }
    }

    /// Values of all points.
    pub(crate) fn measure(&mut self, station: &Station, now: &Now) {
        for (n, point) in station.points.iter().enumerate() {
            self.values[n] = self.value_of(n, point, now);
        }
    }

    /// Values as they were measured last, one for each point.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    fn value_of(&self, n: usize, point: &Point, now: &Now) -> f64 {
        let Now { hertz, moment, at_ms } = *now;
        let bay = &self.bays[point.bay];
        let chance = self.chances[point.bay];
        let tag = n as u64;
        let phase = |k: usize| {
            // Three phases whose spreads sum to zero.
            let spread = |k: u64| PHASE_SPREAD * (2.0 * chance.share(100 + k) - 1.0);
            let mean = (spread(0) + spread(1) + spread(2)) / 3.0;
            1.0 + spread(k as u64) - mean
        };
        let apparent = bay.p.hypot(bay.q);
        let amps = if bay.kv > 0.0 { apparent / (3_f64.sqrt() * bay.kv) * 1_000.0 } else { 0.0 };
        let transformer = self.transformers.iter().find(|t| t.bay == point.bay);
        let use_now = transformer.map_or(0.0, |t| apparent / t.mva);
        let oil = self.oil[point.bay];
        match self.quantities[n] {
            Quantity::P => bay.p,
            Quantity::Q => bay.q,
            Quantity::I(_) if self.roles[point.bay] == Role::Service => {
                // Behind the station transformer, at 400 V.
                apparent / (3_f64.sqrt() * 0.4) * 1_000.0
            }
            Quantity::I(k) => amps * phase(k),
            Quantity::U(k) => bay.kv * (1.0 + 0.2 * (phase(k) - 1.0)),
            Quantity::Ue(k) => bay.kv / 3_f64.sqrt() * (1.0 + 0.2 * (phase(k) - 1.0)),
            Quantity::F if bay.kv > 0.0 => hertz,
            Quantity::F => point.range.map_or(0.0, |(low, _)| low),
            Quantity::PowerFactor if apparent > 0.0 => bay.p / apparent,
            Quantity::PowerFactor => 1.0,
            Quantity::Tap => transformer.map_or(TAP_MIDDLE, |t| t.tap.max(1.0)),
            Quantity::Oil => oil.max(ambient(moment)),
            Quantity::Winding(rise) => {
                oil.max(ambient(moment)) + rise * use_now.powf(WINDING_EXPONENT)
            }
            Quantity::Loading => 100.0 * use_now,
            Quantity::Room(mean, swing) => mean + swing * day_wave(moment),
            Quantity::Wander(mean, swing) => mean + swing * chance.wander(tag, at_ms, 300),
            Quantity::Energy(k) => {
                let start = chance.between(200 + k as u64, 1e6, 9e7);
                (start + bay.energy[k]).floor() % 1e9
            }
            Quantity::TapOperations => transformer.map_or(0.0, |t| t.tap_operations),
            Quantity::Heartbeat => {
                f64::from(u16::try_from(at_ms.div_euclid(1_000).rem_euclid(65_536)).unwrap_or(0))
            }
            Quantity::Fixed(value) => value,
            Quantity::Normal => f64::from(point.normal),
            Quantity::Command => 0.0,
        }
    }
}

/// Second digit of a three-digit bay name: what the bay is for.
fn role_digit(bay: &Bay) -> Option<char> {
    let digits = bay.name.len() == 3 && bay.name.chars().all(|c| c.is_ascii_digit());
    digits.then(|| bay.name.chars().nth(1)).flatten()
}

/// Whether nothing in the bay is open in normal service that carries its current.
fn is_closed(station: &Station, bay: usize) -> bool {
    let carries = |id: &str| ["CB.POS", "DS1.POS", "DS2.POS", "DS3.POS", "DS7.POS"].contains(&id);
    let own = station.points.iter().filter(|point| point.bay == bay);
    own.filter(|point| carries(&point.spec.id)).all(|point| point.normal != 1)
}

/// Warmest in the early afternoon, coolest before dawn: -1 to 1.
fn day_wave(moment: Moment) -> f64 {
    ((moment.hour - 14.0) / 24.0 * std::f64::consts::TAU).cos()
}

/// Outdoor temperature, °C: 17 in January, 29 in July, ± 4 over the day (northern delta, rounded).
fn ambient(moment: Moment) -> f64 {
    17.0 + 12.0 * moment.summer + 4.0 * day_wave(moment)
}
