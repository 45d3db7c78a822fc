//! The province as one electrical network: stations, transformers and lines as buses and branches,
//! with what the switches of the stations connect.
//!
//! Every bus section is a bus for life and every coupler a branch of its own, so that what opens or
//! closes changes values, never the shape of the equations.

use config::{LineEnd, Province};
use grid::{
    Branch, Bus, BusKind, Complex, Conductor, Demand, Diverged, Network as Model, NetworkState,
    PowerFlow, ShortCircuitVoltages, SolverSettings, TapChanger, Topology, Windings,
};

use crate::plant::scheme::{Role, Scheme};

/// Power base, MVA.
pub(crate) const BASE_MVA: f64 = 100.0;
/// Voltage at which sources hold the grid, kV.
const SOURCE_KV: f64 = 117.0;
/// Short-circuit power behind a plant with 220/110 kV transformation, and behind a tie, MVA; and
/// the reactance over resistance there. Assumed.
const PLANT_MVA: f64 = 4_000.0;
const TIE_MVA: f64 = 2_500.0;
const SOURCE_X_OVER_R: f64 = 10.0;
/// Reactance of a closed coupler, per unit on [`BASE_MVA`]: small, and its flow comes out of the
/// solution like any other.
const COUPLER_X: f64 = 3e-4;
/// Rated voltage of the high side of a transformer, kV.
const HIGH_KV: f64 = 115.0;
/// How load follows voltage: exponents of active and reactive power (domain: 1 and 2).
const LOAD_EXPONENTS: (f64, f64) = (1.0, 2.0);
/// Impedance of a feeder to its end, ohm: some 12 km of overhead conductor. Assumed.
const FEEDER_OHM: (f64, f64) = (3.6, 4.6);
/// Mismatch at which a solution is good, per unit: 0.1 kW.
const TOLERANCE: f64 = 1e-6;

/// Where a bay is a branch of the network: the branch, and which end of it (0 from, 1 to). Loads
/// are no branches: they are put on their section.
type Place = Option<(usize, usize)>;

/// The network of a province.
pub(crate) struct Network {
    model: Model,
    state: NetworkState,
    flow: PowerFlow,
    stations: Vec<StationNodes>,
    lines: Vec<LineNodes>,
}

/// Where a station stands in the network.
struct StationNodes {
    /// Bus of each section.
    buses: Vec<usize>,
    places: Vec<Place>,
    topology: Topology,
    /// Point of each switch of the topology.
    switches: Vec<usize>,
    /// Node of the topology at the outer end of each bay, and the one where it begins.
    ends: Vec<(usize, usize)>,
    /// Branch of the tapped winding and rated voltage of the other side, per transformer.
    taps: Vec<Option<Tapped>>,
    /// Bays that are connected to their section now.
    connected: Vec<bool>,
}

struct Tapped {
    branch: usize,
    /// Rated voltage of the other side and nominal voltage of its bus, kV; none for a star point.
    other: Option<(f64, f64)>,
}

/// Where a line stands.
struct LineNodes {
    branch: usize,
    ends: [LineEnd; 2],
    /// Impedance of the whole line, per unit.
    z: Complex,
}

/// What stands at a place of the network.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Electrical {
    /// Into the bay from its section, MW and `MVAr`.
    pub(crate) p: f64,
    pub(crate) q: f64,
    /// Phase-to-phase voltage of the section, kV; 0 when it is dead.
    pub(crate) kv: f64,
}

impl Network {
    pub(crate) fn new(province: &Province, schemes: &[&Scheme]) -> Self {
        let model = Model { base_mva: BASE_MVA, buses: Vec::new(), branches: Vec::new() };
        let mut build = Build { model, ratios: Vec::new() };
        let mut stations: Vec<StationNodes> =
            schemes.iter().map(|scheme| build.station(scheme)).collect();
        let sources: Vec<usize> =
            province.sources.iter().map(|source| build.source(source.mw.is_some())).collect();
        let mut lines = Vec::with_capacity(province.lines.len());
        for line in &province.lines {
            let bus = |end: LineEnd| match end {
                LineEnd::Bay(station, bay) => {
                    let section = schemes[station.index()].section_of[bay];
                    stations[station.index()].buses[section.unwrap_or(0)]
                }
                // Right behind the bus that is held, on the other side of the impedance.
                LineEnd::Infeed(source) => sources[source] + 1,
            };
            let known = Conductor::named(&line.conductor);
            let conductor = known.expect("the contract knows the same conductors");
            let data = conductor.line(line.km, 110.0, BASE_MVA);
            let branch = build.branch(bus(line.from), bus(line.to), data.z, data.charging);
            let ends = [line.from, line.to];
            for (n, end) in ends.into_iter().enumerate() {
                if let LineEnd::Bay(station, bay) = end {
                    stations[station.index()].places[bay] = Some((branch, n));
                }
            }
            lines.push(LineNodes { branch, ends, z: data.z });
        }
        let Build { model, ratios } = build;
        let mut state = NetworkState::of(&model);
        for (branch, ratio) in ratios {
            state.branches[branch].ratio = ratio;
        }
        for source in &sources {
            let v = SOURCE_KV / model.buses[*source].kv;
            state.buses[*source].kind = BusKind::Source { v, angle: 0.0 };
        }
        let flow = PowerFlow::new(&model).expect("a network built here is well formed");
        Self { model, state, flow, stations, lines }
    }

    /// Takes over which switches of a station are closed, by point.
    pub(crate) fn switch(&mut self, station: usize, is_closed: impl Fn(usize) -> bool) {
        let nodes = &mut self.stations[station];
        let closed: Vec<bool> = nodes.switches.iter().map(|point| is_closed(*point)).collect();
        let buses = nodes.topology.process(&closed);
        for (bay, (inner, outer)) in nodes.ends.iter().enumerate() {
            nodes.connected[bay] = buses.of_node[*inner] == buses.of_node[*outer];
            if let Some((branch, end)) = nodes.places[bay] {
                self.state.branches[branch].closed[end] = nodes.connected[bay];
            }
        }
    }

    /// Opens or closes what stands at the far end of a line from a source.
    pub(crate) fn switch_source(&mut self, line: usize, closed: bool) {
        let LineNodes { branch, ends, .. } = &self.lines[line];
        for (n, end) in ends.iter().enumerate() {
            if let LineEnd::Infeed(_) = end {
                self.state.branches[*branch].closed[n] = closed;
            }
        }
    }

    /// Whether the switches of a bay connect it to its section.
    pub(crate) fn is_connected(&self, station: usize, bay: usize) -> bool {
        self.stations[station].connected[bay]
    }

    /// Takes the loads off every section of a station.
    pub(crate) fn clear(&mut self, station: usize) {
        for bus in &self.stations[station].buses {
            self.state.buses[*bus].demand = Demand {
                p_exponent: LOAD_EXPONENTS.0,
                q_exponent: LOAD_EXPONENTS.1,
                ..Demand::default()
            };
            self.state.buses[*bus].shunt = Complex::new(0.0, 0.0);
        }
    }

    /// Puts a load on a section, MW and `MVAr` at its nominal voltage.
    pub(crate) fn load(&mut self, station: usize, section: usize, p: f64, q: f64) {
        let demand = &mut self.state.buses[self.stations[station].buses[section]].demand;
        demand.p += p / BASE_MVA;
        demand.q += q / BASE_MVA;
    }

    /// Puts a capacitor bank on a section, `MVAr` at its nominal voltage.
    pub(crate) fn capacitor(&mut self, station: usize, section: usize, mvar: f64) {
        self.state.buses[self.stations[station].buses[section]].shunt.im += mvar / BASE_MVA;
    }

    /// Brings a transformer to a position of its tap changer.
    pub(crate) fn tap(&mut self, station: usize, transformer: usize, position: u8) {
        if let Some(tapped) = &self.stations[station].taps[transformer] {
            let (rated, nominal) = tapped.other.unwrap_or((1.0, 1.0));
            let ratio =
                TapChanger::STANDARD.off_nominal(position, [HIGH_KV, rated], [110.0, nominal]);
            self.state.branches[tapped.branch].ratio = ratio;
        }
    }

    /// Solves the network as it stands.
    ///
    /// # Errors
    /// The islands that have no solution; they carry nothing then.
    pub(crate) fn solve(&mut self) -> Result<(), Diverged> {
        let settings = SolverSettings { tolerance: TOLERANCE, ..SolverSettings::default() };
        self.flow.solve(&self.state, &settings).map(|_| ())
    }

    /// Voltage of a section per unit; 0 when it is dead or its island has no solution.
    pub(crate) fn voltage(&self, station: usize, section: usize) -> f64 {
        self.volts(self.stations[station].buses[section])
    }

    fn volts(&self, bus: usize) -> f64 {
        let v = self.flow.solution().v[bus];
        if v.is_finite() { v } else { 0.0 }
    }

    /// What the power flow says of a bay that is a branch end; loads are told by their owner.
    pub(crate) fn through(&self, station: usize, bay: usize) -> Option<(f64, f64)> {
        let (branch, end) = self.stations[station].places[bay]?;
        let flow = &self.flow.solution().flows[branch];
        let power = if end == 0 { flow.from } else { flow.to };
        let (p, q) = (power.re * BASE_MVA, power.im * BASE_MVA);
        Some(if p.is_finite() && q.is_finite() { (p, q) } else { (0.0, 0.0) })
    }

    /// What leaves a source over each of its lines, in their order, MW and `MVAr`.
    pub(crate) fn out_of(&self, source: usize) -> Vec<(f64, f64)> {
        let end = LineEnd::Infeed(source);
        let own = self.lines.iter().filter_map(|line| {
            let at = line.ends.iter().position(|own| *own == end)?;
            let flow = &self.flow.solution().flows[line.branch];
            let power = if at == 0 { flow.from } else { flow.to };
            let (p, q) = (power.re * BASE_MVA, power.im * BASE_MVA);
            Some(if p.is_finite() && q.is_finite() { (p, q) } else { (0.0, 0.0) })
        });
        own.collect()
    }

    /// Voltage per unit and angle in degrees on the line side of a line bay: its section's while
    /// it is connected, else what the other end brings.
    pub(crate) fn line_side(&self, station: usize, bay: usize) -> (f64, f64) {
        let Some((branch, end)) = self.stations[station].places[bay] else {
            return (0.0, 0.0);
        };
        let Branch { from, to, .. } = self.model.branches[branch];
        let (own, other) = if end == 0 { (from, to) } else { (to, from) };
        let closed = self.state.branches[branch].closed;
        if closed[end] {
            self.phasor(own)
        } else if closed[1 - end] {
            self.phasor(other)
        } else {
            (0.0, 0.0)
        }
    }

    /// Voltage per unit and angle in degrees of a section.
    pub(crate) fn bus_side(&self, station: usize, section: usize) -> (f64, f64) {
        self.phasor(self.stations[station].buses[section])
    }

    fn phasor(&self, bus: usize) -> (f64, f64) {
        let angle = self.flow.solution().angle[bus];
        if angle.is_finite() { (self.volts(bus), angle.to_degrees()) } else { (0.0, 0.0) }
    }

    /// Fault current in kA of a three-phase fault on a line, a share of its length away from a
    /// bay; on anything else right behind the bay.
    pub(crate) fn fault_ka(
        &mut self,
        station: usize,
        bay: usize,
        section: usize,
        share: f64,
    ) -> f64 {
        let bus = self.stations[station].buses[section];
        let kv = self.model.buses[bus].kv;
        let line = match self.stations[station].places[bay] {
            Some((branch, _)) => self.lines.iter().find(|line| line.branch == branch),
            _ => None,
        };
        let v = self.volts(bus);
        let Some(source) = self.flow.thevenin(&self.state, bus) else { return 0.0 };
        // A feeder has an impedance of its own up to the fault.
        let (r, x) = FEEDER_OHM;
        let feeder = Complex::new(r, x) * (share * BASE_MVA / (kv * kv));
        let to_fault = line.map_or(feeder, |line| line.z * share);
        let z = (source + to_fault).abs().max(1e-3);
        v / z * BASE_MVA / (3_f64.sqrt() * kv)
    }

    /// The network, how it stands, and its solution.
    #[cfg(test)]
    pub(crate) fn model(&self) -> (&Model, &NetworkState, &grid::Solution) {
        (&self.model, &self.state, self.flow.solution())
    }
}

/// The model while it is built.
struct Build {
    model: Model,
    /// Ratios that never change: branch and ratio.
    ratios: Vec<(usize, f64)>,
}

impl Build {
    fn bus(&mut self, kv: f64) -> usize {
        self.model.buses.push(Bus { kv });
        self.model.buses.len() - 1
    }

    fn branch(&mut self, from: usize, to: usize, z: Complex, charging: Complex) -> usize {
        self.model.branches.push(Branch { from, to, z, charging, shift: 0.0 });
        self.model.branches.len() - 1
    }

    /// A source: a bus that is held, and the next one behind its impedance.
    fn source(&mut self, is_plant: bool) -> usize {
        let (held, yard) = (self.bus(110.0), self.bus(110.0));
        let z = BASE_MVA / if is_plant { PLANT_MVA } else { TIE_MVA };
        self.branch(held, yard, Complex::new(z / SOURCE_X_OVER_R, z), Complex::new(0.0, 0.0));
        held
    }

    fn station(&mut self, scheme: &Scheme) -> StationNodes {
        let buses: Vec<usize> =
            scheme.sections.iter().map(|(level, _)| self.bus(f64::from(*level))).collect();
        let mut nodes = buses.len();
        let (mut pairs, mut switches, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = Vec::with_capacity(scheme.roles.len());
        for (bay, role) in scheme.roles.iter().enumerate() {
            let Some(own) = scheme.section_of[bay] else {
                places.push(None);
                ends.push((0, 0));
                continue;
            };
            let (level, _) = scheme.sections[own];
            let first = scheme.section(level, 1).unwrap_or(own);
            let inner = if *role == Role::Coupler { first } else { own };
            let mut outer = inner;
            for point in scheme.chain(bay) {
                pairs.push((outer, nodes));
                switches.push(*point);
                outer = nodes;
                nodes += 1;
            }
            ends.push((inner, outer));
            places.push(match role {
                Role::Coupler if first != own => {
                    let z = Complex::new(0.0, COUPLER_X);
                    let branch = self.branch(buses[first], buses[own], z, Complex::new(0.0, 0.0));
                    Some((branch, 0))
                }
                _ => None,
            });
        }
        let taps = (0..scheme.transformers.len())
            .map(|n| self.transformer(scheme, n, &buses, &mut places))
            .collect();
        let connected = vec![false; places.len()];
        let topology = Topology::new(nodes.max(1), pairs);
        StationNodes { buses, places, topology, switches, ends, taps, connected }
    }

    /// A transformer with one medium side is a branch, with more a star.
    fn transformer(
        &mut self,
        scheme: &Scheme,
        n: usize,
        buses: &[usize],
        places: &mut [Place],
    ) -> Option<Tapped> {
        let transformer = &scheme.transformers[n];
        let mva = transformer.mva;
        let high = buses[scheme.section_of[transformer.bay]?];
        let level_of =
            |bay: usize| scheme.section_of[bay].map(|s| (buses[s], scheme.sections[s].0));
        let medium: Vec<(usize, usize, u16)> = transformer
            .incomers
            .iter()
            .filter_map(|bay| level_of(*bay).map(|(bus, level)| (*bay, bus, level)))
            .collect();
        let none = Complex::new(0.0, 0.0);
        if let [(bay, bus, level)] = medium[..] {
            let (windings, uk) = two_windings(mva);
            let data = windings.two(uk, BASE_MVA);
            // The nameplate speaks of rated voltage, the bus of its nominal one.
            let scale = (rated_kv(level) / f64::from(level)).powi(2);
            let branch = self.branch(high, bus, data.z * scale, data.magnetising * (1.0 / scale));
            places[transformer.bay] = Some((branch, 0));
            places[bay] = Some((branch, 1));
            return Some(Tapped { branch, other: Some((rated_kv(level), f64::from(level))) });
        }
        let uk = ShortCircuitVoltages { hm: 10.5, hl: 17.0, ml: 6.0 };
        let data = three_windings(mva).three(uk, BASE_MVA);
        let star = self.bus(110.0);
        let branch = self.branch(high, star, data.h, data.magnetising);
        places[transformer.bay] = Some((branch, 0));
        for (n, (bay, bus, level)) in medium.into_iter().enumerate() {
            let z = if n == 0 { data.m } else { data.l };
            let leg = self.branch(bus, star, z, none);
            self.ratios.push((leg, rated_kv(level) / f64::from(level)));
            places[bay] = Some((leg, 0));
        }
        Some(Tapped { branch, other: None })
    }
}

/// Voltage of a medium-voltage winding at its off-load tap: 38.5 kV less 2 × 2.5 % at 35, 23 kV at
/// 22; others run 5 % above.
fn rated_kv(level: u16) -> f64 {
    match level {
        35 => 38.5 * 0.95,
        22 => 23.0,
        other => 1.05 * f64::from(other),
    }
}

/// Nameplate of a 110/MV transformer and its short-circuit voltage in per cent, between the public
/// standard types of 25, 40 and 63 MVA.
fn two_windings(mva: f64) -> (Windings, f64) {
    let at = |values: [f64; 3]| between(mva, values);
    let windings = Windings {
        mva,
        load_loss_kw: beyond(mva) * at([102.0, 136.0, 202.0]),
        no_load_loss_kw: beyond(mva) * at([14.0, 18.0, 22.0]),
        no_load_percent: at([0.07, 0.05, 0.04]),
    };
    (windings, at([12.0, 16.2, 18.0]))
}

/// Nameplate of a 115/38.5/23 kV transformer (handbook values of older units).
fn three_windings(mva: f64) -> Windings {
    let at = |values: [f64; 3]| between(mva, values);
    Windings {
        mva,
        load_loss_kw: beyond(mva) * at([140.0, 200.0, 290.0]),
        no_load_loss_kw: beyond(mva) * at([30.0, 41.0, 55.0]),
        no_load_percent: at([0.7, 0.6, 0.5]),
    }
}

/// Losses below 25 and above 63 MVA go with the rating.
fn beyond(mva: f64) -> f64 {
    mva / mva.clamp(25.0, 63.0)
}

/// Straight between the values at 25, 40 and 63 MVA; outside them that of the nearest.
fn between(mva: f64, [a, b, c]: [f64; 3]) -> f64 {
    match mva {
        m if m <= 25.0 => a,
        m if m <= 40.0 => a + (b - a) * (m - 25.0) / 15.0,
        m if m <= 63.0 => b + (c - b) * (m - 40.0) / 23.0,
        _ => c,
    }
}
