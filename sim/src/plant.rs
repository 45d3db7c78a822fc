//! The plant of the whole province: one second of it after the other.
//!
//! A second goes: what was due in it happens, to the millisecond → weather and loads → the network
//! is solved → what flows in each bay → controls, temperatures, counters → the value of each point.

pub(crate) mod act;
pub(crate) mod agenda;
pub(crate) mod automation;
pub(crate) mod dispatch;
pub(crate) mod event;
pub(crate) mod load;
pub(crate) mod network;
pub(crate) mod outages;
pub(crate) mod protection;
pub(crate) mod quantity;
pub(crate) mod scheme;
pub(crate) mod short_circuit;
pub(crate) mod station;
pub(crate) mod switching;
pub(crate) mod weather;

use std::sync::Arc;

use config::{Flags, LineEnd, PointId, Province, StationId};

use crate::chance::Chance;
use act::Act;
use agenda::Agenda;
use dispatch::Dispatch;
use event::Event;
use load::{CLASSES, Moment, hours_of_a_year, loads};
use network::{Electrical, Network};
use outages::Outages;
use scheme::Role;
use short_circuit::ShortCircuit;
use station::{HELD_VOLTS, Now, Station};
use weather::Weather;

/// Iron losses of the transformers along a feeder, and copper losses at its peak, share of the
/// peak: 4 to 5 % of the energy together. Assumed.
const FEEDER_IRON: f64 = 0.010;
const FEEDER_COPPER: f64 = 0.045;
/// Noise of a feeder's load over a minute, and its drift over half an hour, share of the load.
const NOISE: (f64, i64) = (0.01, 60);
const DRIFT: (f64, i64) = (0.04, 1_800);
/// What the station itself uses, MW and `MVAr`.
const SERVICE: (f64, f64) = (0.035, 0.011);
/// Frequency wanders so far round 50 Hz over so many seconds.
const FREQUENCY: (f64, i64) = (0.04, 40);
/// Rounds in which tap changers find their place before the first second.
const SETTLING_ROUNDS: usize = 20;

/// The plant.
pub(crate) struct Plant {
    pub(crate) province: Arc<Province>,
    pub(crate) network: Network,
    pub(crate) stations: Vec<Station>,
    pub(crate) agenda: Agenda<Act>,
    pub(crate) outages: Outages,
    chance: Chance,
    /// Customers' loads follow their peaks by this factor, so that the year's energy is what the
    /// province sold.
    energy_factor: f64,
    /// Frequency that a disturbance takes off, Hz, until a moment.
    pub(crate) dip: (f64, i64),
    pub(crate) now: Now,
    /// The moment up to which everything has happened.
    pub(crate) now_ms: i64,
    /// Short circuits that last, by line.
    pub(crate) line_faults: Vec<Option<ShortCircuit>>,
    /// When something was last switched.
    pub(crate) switched_ms: i64,
    /// Hour since 1970 for which faults were drawn.
    pub(crate) hour: i64,
    events: Vec<Event>,
    /// Of each plant: how much it gives.
    dispatches: Vec<(StationId, Dispatch)>,
    started: bool,
}

impl Plant {
    pub(crate) fn new(province: Arc<Province>) -> Self {
        let stations: Vec<Station> =
            (0..province.stations.len()).map(|n| Station::new(&province, n)).collect();
        let network =
            Network::new(&province, &stations.iter().map(|s| &s.scheme).collect::<Vec<_>>());
        let chance = Chance::of(province.seed, "province");
        let at_ms = 0;
        let moment = Moment::of(at_ms, province.zone);
        let weather = Weather::of(chance, at_ms, moment);
        Self {
            outages: Outages::new(&province),
            energy_factor: energy_factor(&province, chance),
            now: Now { at_ms, moment, weather, hertz: 50.0 },
            now_ms: i64::MIN,
            network,
            stations,
            agenda: Agenda::new(),
            chance,
            dip: (0.0, i64::MIN),
            line_faults: vec![None; province.lines.len()],
            switched_ms: i64::MIN,
            hour: i64::MIN,
            events: Vec::new(),
            dispatches: dispatches(&province),
            started: false,
            province,
        }
    }

    /// Lives through the time up to `at_ms`, which is `seconds` after the last call.
    pub(crate) fn advance(&mut self, at_ms: i64, seconds: f64) {
        if self.started {
            self.catch_up(at_ms);
        }
        self.now_ms = at_ms;
        self.look_out(at_ms);
        if !self.started {
            self.settle();
            self.started = true;
        }
        self.draw();
        self.solve();
        self.disturb_by_chance();
        for n in 0..self.stations.len() {
            automation::second(self, n, seconds);
        }
        self.shed_load();
        self.count(seconds / 3_600.0);
    }

    /// Works out the value of every point.
    pub(crate) fn measure(&mut self) {
        for station in &mut self.stations {
            station.measure(&self.now);
        }
    }

    /// Lets everything happen that is due by a moment.
    pub(crate) fn catch_up(&mut self, at_ms: i64) {
        while let Some((due_ms, act)) = self.agenda.take(at_ms) {
            self.now_ms = due_ms;
            self.act(due_ms, act);
        }
        self.now_ms = at_ms;
    }

    /// Time, weather and frequency.
    fn look_out(&mut self, at_ms: i64) {
        let moment = Moment::of(at_ms, self.province.zone);
        let weather = Weather::of(self.chance, at_ms, moment);
        let (depth, until) = self.dip;
        let dip = if at_ms < until { depth } else { 0.0 };
        let hertz = 50.0 + FREQUENCY.0 * self.chance.wander(0, at_ms, FREQUENCY.1) - dip;
        self.now = Now { at_ms, moment, weather, hertz };
    }

    /// Before the first second: tap changers stand where they would after a quiet hour.
    fn settle(&mut self) {
        for _ in 0..SETTLING_ROUNDS {
            self.draw();
            self.solve();
            let mut steps = 0;
            for n in 0..self.stations.len() {
                steps += automation::settle(self, n);
            }
            if steps == 0 {
                break;
            }
        }
    }

    /// What every feeder, bank and station draws.
    fn draw(&mut self) {
        let Now { at_ms, moment, weather, .. } = self.now;
        let by_class = loads(moment, weather.celsius).map(|load| load * self.energy_factor);
        for n in 0..self.stations.len() {
            if std::mem::take(&mut self.stations[n].moved) {
                let station = &self.stations[n];
                self.network
                    .switch(n, |point| station.code(point) == crate::plant::station::CLOSED);
            }
            self.network.clear(n);
            let station = &mut self.stations[n];
            for feeder in &mut station.feeders {
                let chance = station.chances[feeder.bay];
                let noise = 1.0
                    + NOISE.0 * chance.wander(3, at_ms, NOISE.1)
                    + DRIFT.0 * chance.wander(4, at_ms, DRIFT.1);
                for (class, load) in feeder.classes.iter_mut().enumerate() {
                    *load = feeder.peak_mw * station.mix[class] * by_class[class] * noise;
                }
                let load: f64 = feeder.classes.iter().sum();
                let peak = feeder.peak_mw.max(1e-9);
                feeder.loss = peak * (FEEDER_IRON + FEEDER_COPPER * (load / peak).powi(2));
                let section = station.scheme.section_of[feeder.bay];
                if let Some(section) = section.filter(|_| self.network.is_connected(n, feeder.bay))
                {
                    let p = feeder.head_mw() / HELD_VOLTS;
                    let q = feeder.head_mw() * feeder.tan_phi / HELD_VOLTS.powi(2);
                    self.network.load(n, section, p, q);
                }
            }
            for bank in &station.capacitors {
                let section = station.scheme.section_of[bank.bay];
                if let Some(section) = section.filter(|_| self.network.is_connected(n, bank.bay)) {
                    self.network.capacitor(n, section, bank.mvar / HELD_VOLTS.powi(2));
                }
            }
            for bay in station.scheme.bays(Role::Service) {
                let section = station.scheme.section_of[bay];
                if let Some(section) = section.filter(|_| self.network.is_connected(n, bay)) {
                    let (p, q) = SERVICE;
                    self.network.load(n, section, p / HELD_VOLTS, q / HELD_VOLTS.powi(2));
                }
            }
            for (transformer, own) in station.transformers.iter().enumerate() {
                self.network.tap(n, transformer, own.tap);
            }
        }
    }

    /// Solves the network and tells each bay what flows in it.
    fn solve(&mut self) {
        if let Err(diverged) = self.network.solve() {
            // What has no solution has collapsed: it stands dead until something changes.
            tracing::warn!("{diverged}");
        }
        for n in 0..self.stations.len() {
            self.tell_bays(n);
        }
        for n in 0..self.dispatches.len() {
            self.tell_points(n);
        }
    }

    /// Tells the metered points of a plant what leaves there.
    fn tell_points(&mut self, n: usize) {
        let (id, dispatch) = self.dispatches[n];
        let mw = dispatch.mw(self.now.at_ms, self.province.zone);
        let source = self.province.stations[id.index()].plant.and_then(|plant| plant.source);
        let lines = source.map_or_else(Vec::new, |source| self.network.out_of(source));
        let points = dispatch::points(&self.province, id, mw, &lines);
        for (bay, (p, q)) in self.stations[id.index()].bays.iter_mut().zip(points) {
            bay.at = Electrical { p, q, kv: 0.0 };
        }
    }

    fn tell_bays(&mut self, n: usize) {
        let station = &mut self.stations[n];
        for bay in 0..station.bays.len() {
            let Some(section) = station.scheme.section_of[bay] else { continue };
            let nominal = f64::from(station.scheme.sections[section].0);
            let volts = self.network.voltage(n, section);
            let connected = volts > 0.0 && self.network.is_connected(n, bay);
            let drawn = |p: f64, q: f64| {
                if connected {
                    (p * volts / HELD_VOLTS, q * (volts / HELD_VOLTS).powi(2))
                } else {
                    (0.0, 0.0)
                }
            };
            let through = self.network.through(n, bay).unwrap_or((0.0, 0.0));
            let (p, q) = match station.scheme.roles[bay] {
                // Seen from the section that it feeds, an incomer brings what it takes elsewhere.
                Role::Incomer(_) => (-through.0, -through.1),
                Role::Line | Role::Transformer(_) | Role::Coupler => through,
                Role::Feeder(feeder) => {
                    let feeder = &station.feeders[feeder];
                    drawn(feeder.head_mw(), feeder.head_mw() * feeder.tan_phi)
                }
                Role::Capacitor => {
                    let bank = station.capacitors.iter().find(|bank| bank.bay == bay);
                    drawn(0.0, bank.map_or(0.0, |bank| bank.mvar))
                }
                Role::Service => drawn(SERVICE.0, SERVICE.1),
                Role::Busbar | Role::Other => (0.0, 0.0),
            };
            let (line_volts, _) = match station.scheme.roles[bay] {
                Role::Line => self.network.line_side(n, bay),
                _ => (volts, 0.0),
            };
            let state = &mut station.bays[bay];
            state.at = Electrical { p, q, kv: volts * nominal };
            state.line_kv = line_volts * nominal;
        }
        for feeder in 0..station.feeders.len() {
            let bay = station.feeders[feeder].bay;
            let supplied = station.bays[bay].at.kv > 0.0 && self.network.is_connected(n, bay);
            station.feeders[feeder].state.supplied = supplied;
            // Something that was switched since the last second took it, or brought it back.
            let second = self.now.at_ms - 1_000..=self.now.at_ms;
            let within = |at_ms: i64| at_ms.clamp(*second.start(), *second.end());
            // Closed onto a fault, its breaker trips again within the second.
            let own = station.breakers_moved.iter().filter(|(moved, ..)| *moved == bay);
            for (_, at_ms, closed) in own.filter(|_| station.bays[bay].at.kv > 0.0) {
                self.outages.tell(n, feeder, *closed, within(*at_ms));
            }
            let own = station.switched_ms[bay];
            let since = if second.contains(&own) { own } else { self.switched_ms };
            self.outages.tell(n, feeder, supplied, within(since));
        }
        station.breakers_moved.clear();
    }

    /// Lets energy counters and what customers drew run over `hours`.
    fn count(&mut self, hours: f64) {
        for station in &mut self.stations {
            for bay in 0..station.bays.len() {
                station.meter(bay, hours);
            }
            for n in 0..station.feeders.len() {
                let head = station.bays[station.feeders[n].bay].at.p;
                let feeder = &mut station.feeders[n];
                let kwh = 1_000.0 * hours * head / feeder.head_mw().max(1e-12);
                for (total, load) in feeder.state.consumed_kwh.iter_mut().zip(feeder.classes) {
                    *total += load * kwh;
                }
            }
        }
    }

    /// Gives a status its code, and records the change when it is one.
    pub(crate) fn set(&mut self, at_ms: i64, station: usize, point: usize, code: u8) {
        if !self.stations[station].set(point, code) {
            return;
        }
        let own = &mut self.stations[station];
        if own.is_position(point) {
            let contract = &self.province.stations[station].points[point];
            let bay = contract.bay;
            own.switched_ms[bay] = at_ms;
            self.switched_ms = at_ms;
            let mut beside = own.scheme.chain(bay).iter().filter(|other| **other != point);
            // Behind another switch that is open it takes and brings back nothing.
            if contract.spec.id == "CB.POS"
                && matches!(code, station::OPEN | station::CLOSED)
                && beside.all(|other| own.code(*other) == station::CLOSED)
            {
                own.breakers_moved.push((bay, at_ms, code == station::CLOSED));
            }
        }
        self.events.push(Event {
            at_ms,
            station: StationId::at(station),
            point: PointId::at(point),
            value: code,
            flags: Flags::GOOD,
        });
    }

    /// Gives a status of a bay its code; a bay without such a point has nothing to record.
    pub(crate) fn set_in(&mut self, at_ms: i64, station: usize, bay: usize, id: &str, code: u8) {
        if let Some(point) = self.stations[station].scheme.point(bay, id) {
            self.set(at_ms, station, point, code);
        }
    }

    /// Takes the changes since the last call, in the order of their time.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(|event| event.at_ms);
        events
    }

    /// The line that ends at a bay: its place in the contract, and which end it is.
    pub(crate) fn line_at(&self, station: usize, bay: usize) -> Option<(usize, usize)> {
        let own = LineEnd::Bay(StationId::at(station), bay);
        self.province.lines.iter().enumerate().find_map(|(n, line)| {
            [line.from, line.to].iter().position(|end| *end == own).map(|end| (n, end))
        })
    }
}

/// How much each plant gives.
fn dispatches(province: &Province) -> Vec<(StationId, Dispatch)> {
    let plants = province.plant_ids().filter_map(|id| {
        let plant = province.stations[id.index()].plant?;
        Some((id, Dispatch::new(&plant, province.zone)))
    });
    plants.collect()
}

/// What customers' peaks are multiplied by so that their loads over the year of 2022 add up to the
/// energy that the province sold.
fn energy_factor(province: &Province, chance: Chance) -> f64 {
    /// A contract whose peaks and energy are farther apart than this says something else.
    const NEAR: std::ops::RangeInclusive<f64> = 0.6..=1.6;
    let mut peaks = [0.0; 4];
    for station in &province.stations {
        for (class, share) in &station.load {
            if let Some(n) = CLASSES.iter().position(|own| own == class) {
                peaks[n] += station.peak_mw * share;
            }
        }
    }
    let mwh: f64 = hours_of_a_year(province.zone)
        .map(|at_ms| {
            let moment = Moment::of(at_ms, province.zone);
            let by_class = loads(moment, Weather::of(chance, at_ms, moment).celsius);
            by_class.iter().zip(peaks).map(|(load, peak)| load * peak).sum::<f64>()
        })
        .sum();
    let factor = province.sold_gwh_per_year * 1_000.0 / mwh;
    if NEAR.contains(&factor) { factor } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plant::network::BASE_MVA;

    /// Saturday 2022-07-09, 19:00 in Hòa Bình.
    const EVENING_MS: i64 = 1_657_368_000_000;

    /// Largest power in MW or `MVAr` that appears or is lost at any bus, by the laws of the branches
    /// alone: currents from the voltages, not what the solver says of them.
    fn left_over(plant: &Plant) -> f64 {
        let (model, state, solution) = plant.network.model();
        let volts: Vec<grid::Complex> = solution
            .v
            .iter()
            .zip(&solution.angle)
            .map(|(v, angle)| grid::Complex::polar(*v, *angle))
            .collect();
        let mut out = vec![grid::Complex::new(0.0, 0.0); model.buses.len()];
        let one = grid::Complex::new(1.0, 0.0);
        for (branch, state) in model.branches.iter().zip(&state.branches) {
            let half = branch.charging * 0.5;
            let series = one / branch.z;
            let from = volts[branch.from] * (1.0 / state.ratio);
            let to = volts[branch.to];
            // At the other end of a branch that is open there, half the charging is all there is.
            let open_end = half + series * half / (series + half);
            let mut draw = |bus: usize, v: grid::Complex, current: grid::Complex| {
                out[bus] += v * current.conj();
            };
            match state.closed {
                [true, true] => {
                    draw(branch.from, from, (from - to) * series + from * half);
                    draw(branch.to, to, (to - from) * series + to * half);
                }
                [true, false] => draw(branch.from, from, from * open_end),
                [false, true] => draw(branch.to, to, to * open_end),
                [false, false] => {}
            }
        }
        let mut worst = 0.0_f64;
        for (n, bus) in state.buses.iter().enumerate() {
            if !matches!(bus.kind, grid::BusKind::Load) || solution.v[n] == 0.0 {
                continue;
            }
            let v = solution.v[n];
            let p = out[n].re + bus.demand.p * libm::pow(v, bus.demand.p_exponent);
            let q = out[n].im + bus.demand.q * libm::pow(v, bus.demand.q_exponent)
                - bus.shunt.im * v * v;
            worst = worst.max(p.abs()).max(q.abs());
        }
        worst * BASE_MVA
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn nothing_appears_or_is_lost_whatever_is_switched(
            seed in any::<u64>(),
            hour in 0..24_i64,
        ) {
            let mut province = Province::built_in();
            province.seed = seed;
            let chance = Chance::of(seed, "switching");
            let province = Arc::new(province);
            let mut plant = Plant::new(Arc::clone(&province));
            let start = EVENING_MS + hour * 3_600_000;
            plant.advance(start, 0.0);
            prop_assert!(left_over(&plant) < 0.001, "at the start");
            for second in 1..40_i64 {
                for n in 0..plant.stations.len() {
                    let points = plant.province.stations[n].points.len();
                    for point in 0..points {
                        let tag = (n * 10_000 + point) as u64;
                        if plant.stations[n].is_position(point) && chance.share_of(tag, second) < 0.004
                        {
                            let code = if chance.share_of(tag + 1, second) < 0.3 { 1 } else { 2 };
                            plant.set(start, n, point, code);
                        }
                    }
                    for transformer in 0..plant.stations[n].transformers.len() {
                        let tap = chance.below_of((n * 10 + transformer) as u64, second, 19) + 1;
                        let own = &mut plant.stations[n].transformers[transformer];
                        own.tap = u8::try_from(tap).unwrap().clamp(own.tap.saturating_sub(1), own.tap + 1).clamp(1, 19);
                    }
                }
                plant.advance(start + second * 1_000, 1.0);
                let lost = left_over(&plant);
                prop_assert!(lost < 0.001, "{lost} MW in second {second}");
            }
        }
    }

    #[test]
    fn busbars_stay_within_five_per_cent_through_a_day() {
        let provinces = [
            Province::built_in(),
            Province::parse("small", include_str!("../../config/small.toml")).unwrap(),
            Province::parse("thai", include_str!("../../config/thai-nguyen.toml")).unwrap(),
        ];
        for province in provinces.map(Arc::new) {
            let mut plant = Plant::new(Arc::clone(&province));
            // The hottest evening of a week and the valley after it are in it.
            for minute in 0..=24 * 60 {
                plant.advance(EVENING_MS + minute * 60_000, if minute == 0 { 0.0 } else { 60.0 });
                for (n, station) in plant.stations.iter().enumerate() {
                    for (section, (level, number)) in station.scheme.sections.iter().enumerate() {
                        let volts = plant.network.voltage(n, section);
                        // Storms switch; what is dead is no busbar in normal service.
                        assert!(
                            *level >= 110 || volts == 0.0 || (0.95..=1.05).contains(&volts),
                            "{} {level} kV C{number}: {volts} in minute {minute}",
                            province.stations[n].id
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_year_sells_what_the_province_sold() {
        let province = Arc::new(Province::built_in());
        let mut plant = Plant::new(Arc::clone(&province));
        // 2022 from the first hour, in leaps of an hour.
        let start = (18_993 * 24 - 7) * 3_600_000;
        for hour in 0..=8_760 {
            plant.advance(start + hour * 3_600_000, if hour == 0 { 0.0 } else { 3_600.0 });
        }
        let sold: f64 = plant
            .stations
            .iter()
            .flat_map(|station| &station.feeders)
            .map(|feeder| feeder.state.consumed_kwh.iter().sum::<f64>() / 1e6)
            .sum();
        assert!((sold / 1_212.0 - 1.0).abs() < 0.01, "{sold} GWh");
        let lost: f64 = plant
            .stations
            .iter()
            .flat_map(|station| station.feeders.iter().map(|f| station.delivered_kwh(f.bay) / 1e6))
            .sum::<f64>()
            - sold;
        assert!((0.03..0.07).contains(&(lost / sold)), "technical losses {lost} GWh");
    }
}
