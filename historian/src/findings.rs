//! Correctness: tests of a bay's values against each other.
//!
//! Numbers and tolerances are those of the trade's list (C1, C7, C8, C12, C14). Tests that need
//! the province as a whole belong to a state estimator and are not here.

use config::{Channel, Entry, Province, Station};
use signal::clock::Timestamp;

use super::channel::PointState;
use super::counts::{Counts, Share};
use super::past::StoodChannel;
use super::right::{Right, is_leading};
use super::verdict::{Finding, PointSnapshot, Reason};
use super::verdict_log::VerdictState;

/// A contradiction must last this long to be a finding: values of a bay are read moments apart,
/// and a switching operation is over by then.
const LASTS_MS: i64 = 30_000;
/// C1: apparent power against voltage and current, share of full scale.
const POWER_TOLERANCE: f64 = 0.03;
/// C7: current above which an open breaker is not open, share of full scale.
const CURRENT_FLOWS: f64 = 0.03;
/// C8: departure of a phase current from their mean, at 110 kV and at medium voltage.
const PHASE_TOLERANCE: (f64, f64) = (0.10, 0.20);
/// C8: mean current below which phases are not compared, share of full scale.
const PHASE_LOAD_MIN: f64 = 0.05;
/// C12: kelvin by which a winding may seem colder than the oil: two sensors and their converters of 1.5 K each
/// (at rest both are as warm), and each value held within its deadband of 1 K.
const TEMPERATURE_TOLERANCE_K: f64 = 5.0;
/// C14: time without a change after which a measurement may be frozen.
const FROZEN_MS: i64 = 15 * 60_000;
/// C8: what three phases that are held within their deadbands may seem to differ by: one above, two below,
/// and the mean with these, in deadbands.
const PHASE_DEADBANDS: f64 = 4.0 / 3.0;
/// C14: what a value that is held within its deadband may not have moved although it seems so: one at either
/// end, in deadbands.
const HIDDEN_DEADBANDS: f64 = 2.0;
/// C14: change of the point, in its deadbands, that must have come with that of its peer: one would be sent,
/// one more is for what the two do not have in common. Deadbands of a current and a power of one bay
/// differ by far: what is many steps of the one may be less than a step of the other.
const PEER_DEADBANDS: f64 = 2.0;
/// C14: share of its nominal by which a voltage may be another one and still be that of the grid. A transformer of
/// which one fuse is blown shows two voltages by √3 less, so that what does not move is the one that is right.
const VOLTAGE_APART: f64 = 0.2;

/// What is tested of the points of a channel.
pub(super) struct Tests {
    of_bays: Vec<Test>,
    peers: Vec<Peers>,
    /// Points on which one finding fails the station.
    leading: Vec<usize>,
}

/// How the tests of a channel stand.
pub(super) struct Findings {
    /// Since when each test fails.
    failing: Vec<Option<Timestamp>>,
    /// The tests that failed when somebody watched last, until they can be made again.
    failed: Vec<bool>,
    seen: Vec<SeenPeer>,
    /// The points that were frozen when somebody watched last, until they move.
    froze: Vec<bool>,
    /// What stands against each point: some of the marks below.
    marks: Vec<u8>,
    found: Vec<(usize, Finding)>,
}

/// A test took the point into account; it has a finding; it is frozen.
const EVALUABLE: u8 = 1;
const FOUND: u8 = 2;
const FROZEN: u8 = 4;

/// One test over some points of a bay.
struct Test {
    finding: Finding,
    /// Indices of the points it needs; the first is the one that carries the finding.
    points: Vec<usize>,
    /// Full scale of the quantity compared.
    full_scale: f64,
    tolerance: f64,
    /// Largest deadband of its points, in their unit.
    deadband: f64,
}

/// Two measurements of a bay that move together, in proportion.
struct Peers {
    point: usize,
    peer: usize,
    /// The voltage that the peer is measured with, and its nominal: without it, what the peer does proves nothing.
    voltage: Option<(usize, f64)>,
    /// Smallest change of the point that is sent, and of the peer.
    bands: Option<(f64, f64)>,
}

/// What was last seen of two peers.
#[derive(Clone, Copy, Default)]
struct SeenPeer {
    /// Value of the peer when the point last changed; or later, when it could be believed again.
    peer_then: Option<f64>,
    change: Option<Timestamp>,
}

impl Tests {
    pub(super) fn new(province: &Province, channel: &Channel) -> Self {
        let station = &province.stations[channel.station.index()];
        let mut tests = Self { of_bays: Vec::new(), peers: Vec::new(), leading: Vec::new() };
        for bay in 0..station.bays.len() {
            let members = Members { station, entries: &channel.entries, bay };
            tests.add_bay(&members);
        }
        tests
    }

    fn add_bay(&mut self, bay: &Members<'_>) {
        let name = |id: &str| bay.find(id);
        let level = bay.station.bays[bay.bay].level;
        let voltage = bay.voltage();
        if let (Some(p), Some(q), Some(i), Some(u)) = (name("P"), name("Q"), name("IA"), voltage) {
            self.add(bay, Finding::Power, &[p, q, i, u], (bay.full_scale(p), POWER_TOLERANCE));
        }
        if let (Some(breaker), Some(i)) = (name("CB.POS"), name("IA")) {
            let finding = Finding::OpenBreakerCarriesCurrent;
            self.add(bay, finding, &[breaker, i], (bay.full_scale(i), CURRENT_FLOWS));
        }
        if let (Some(a), Some(b), Some(c)) = (name("IA"), name("IB"), name("IC")) {
            let (high, medium) = PHASE_TOLERANCE;
            let tolerance = if level >= 110 { high } else { medium };
            self.add(bay, Finding::PhaseSymmetry, &[a, b, c], (bay.full_scale(a), tolerance));
        }
        if let Some(oil) = name("TOIL") {
            for winding in ["TW.HV", "TW.MV", "TW.LV"].into_iter().filter_map(name) {
                let (finding, tolerance) = (Finding::Temperature, TEMPERATURE_TOLERANCE_K);
                self.add(bay, finding, &[winding, oil], (Some(1.0), tolerance));
            }
        }
        for (point_id, peer_id) in [("P", "IA"), ("IA", "P"), ("UAB", "UBC"), ("UBC", "UAB")] {
            if let (Some(point), Some(peer)) = (name(point_id), name(peer_id)) {
                let band = |n: usize| bay.station.points[n].deadband;
                let of_peer = |id| if id == "P" { voltage } else { name(id) };
                let voltage = (peer_id != "IA").then(|| of_peer(peer_id)).flatten();
                let voltage = voltage.map(|n| (n, bay.nominal(n)));
                let bands = band(point).zip(band(peer));
                self.peers.push(Peers { point, peer, voltage, bands });
            }
        }
        let own = bay.station.points.iter().enumerate().filter(|(_, point)| point.bay == bay.bay);
        let leading = own.filter(|(n, _)| is_leading(bay.station, *n));
        self.leading.extend(leading.map(|(n, _)| n).filter(|n| bay.entries[*n].is_mapped()));
    }

    /// Adds a test. Without a full scale to measure against there is none.
    fn add(
        &mut self,
        bay: &Members<'_>,
        finding: Finding,
        points: &[usize],
        (full_scale, tolerance): (Option<f64>, f64),
    ) {
        let Some(full_scale) = full_scale else { return };
        let points = points.to_vec();
        let bands = points.iter().filter_map(|n| bay.station.points[*n].deadband);
        let deadband = bands.fold(0.0, f64::max);
        self.of_bays.push(Test { finding, points, full_scale, tolerance, deadband });
    }

    /// The contradictions that are found on a point, if any can be.
    pub(super) fn finding_on(&self, point: usize) -> Option<Finding> {
        self.of_bays.iter().find(|test| test.points[0] == point).map(|test| test.finding)
    }

    /// Whether a channel is right, by its counts and the points on which a station stands or falls.
    pub(super) fn right(&self, counts: &Counts, points: &[PointSnapshot]) -> Right {
        let leading = self.leading.iter().map(|n| &points[*n]).filter(|point| point.evaluable);
        Right::of(counts.right, leading.map(|p| Share::new(u64::from(p.finding.is_none()), 1)))
    }
}

/// Whether somebody watched so lately that what stood still then is taken to do so still: whoever looks away for
/// longer does not know whether it has moved.
pub(super) fn is_recent(stood: &StoodChannel, now: Timestamp) -> bool {
    (0..=FROZEN_MS).contains(&now.since(stood.at))
}

impl Findings {
    pub(super) fn new(tests: &Tests) -> Self {
        Self {
            failing: vec![None; tests.of_bays.len()],
            failed: vec![false; tests.of_bays.len()],
            seen: vec![SeenPeer::default(); tests.peers.len()],
            froze: vec![false; tests.peers.len()],
            marks: Vec::new(),
            found: Vec::new(),
        }
    }

    /// What stood against points when somebody watched last, before a moment at which nothing was seen yet.
    pub(super) fn recall(&mut self, tests: &Tests, stood: &StoodChannel, now: Timestamp) {
        let state = |n: usize| stood.points.get(n).copied().flatten().map(|point| point.state);
        for (test, failed) in tests.of_bays.iter().zip(&mut self.failed) {
            *failed = state(test.points[0]).is_some_and(VerdictState::has_finding);
        }
        let is_recent = is_recent(stood, now);
        for (peers, froze) in tests.peers.iter().zip(&mut self.froze) {
            let not_live = state(peers.point).and_then(VerdictState::not_live);
            *froze = is_recent && not_live == Some(Reason::Frozen);
        }
    }

    /// Tests every bay with the values as they stand at `now`. Returns until when that holds if no
    /// value comes.
    pub(super) fn evaluate(
        &mut self,
        tests: &Tests,
        states: &[PointState],
        now: Timestamp,
    ) -> Timestamp {
        self.marks.clear();
        self.marks.resize(states.len(), 0);
        self.found.clear();
        let mut until = Timestamp(i64::MAX);
        let standing = self.failing.iter_mut().zip(&mut self.failed);
        for (test, (failing, failed)) in tests.of_bays.iter().zip(standing) {
            let live = |n: &usize| states[*n].not_live.is_none();
            if !test.points.iter().all(live) {
                *failing = None;
                continue;
            }
            for n in &test.points {
                self.marks[*n] |= EVALUABLE;
            }
            let value = |n: usize| states[test.points[n]].value.unwrap_or(0.0);
            let has_failed = std::mem::take(failed);
            if !test.contradicts(value) {
                *failing = None;
                continue;
            }
            let since = if has_failed { now.plus(-LASTS_MS) } else { now };
            let since = *failing.get_or_insert(since);
            let first = test.points[0];
            if now.since(since) < LASTS_MS {
                until = until.min(since.plus(LASTS_MS - 1));
            } else if self.marks[first] & FOUND == 0 {
                self.marks[first] |= FOUND;
                self.found.push((first, test.finding));
            }
        }
        let seen = self.seen.iter_mut().zip(&mut self.froze);
        for (peers, (seen, froze)) in tests.peers.iter().zip(seen) {
            let states_of = (&states[peers.point], &states[peers.peer]);
            *froze &= !states_of.0.moved;
            if *froze && states_of.0.not_live.is_none() && states_of.1.not_live.is_none() {
                self.marks[peers.point] |= FROZEN;
                continue;
            }
            let Some(changed) = peers.stands_still(seen, states) else { continue };
            if now.since(changed) > FROZEN_MS {
                self.marks[peers.point] |= FROZEN;
            } else {
                until = until.min(changed.plus(FROZEN_MS));
            }
        }
        until
    }

    /// Whether a point is frozen, and what it is found to contradict.
    pub(super) fn of(&self, point: usize) -> (bool, Option<Finding>) {
        let marks = self.marks.get(point).copied().unwrap_or(0);
        let found = self.found.iter().filter(|_| marks & FOUND != 0).find(|(n, _)| *n == point);
        (marks & FROZEN != 0, found.map(|(_, finding)| *finding))
    }

    pub(super) fn evaluable(&self, point: usize) -> bool {
        self.marks.get(point).is_some_and(|marks| marks & EVALUABLE != 0)
    }
}

impl Test {
    fn contradicts(&self, value: impl Fn(usize) -> f64) -> bool {
        match self.finding {
            Finding::Power => {
                let apparent = libm::hypot(value(0), value(1));
                // kV × A × √3 is kVA.
                let product = 3_f64.sqrt() * value(3) * value(2) / 1_000.0;
                (apparent - product).abs() > self.tolerance * self.full_scale
            }
            // Code 1 is open.
            Finding::OpenBreakerCarriesCurrent => {
                (value(0) - 1.0).abs() < 0.5 && value(1) > self.tolerance * self.full_scale
            }
            Finding::PhaseSymmetry => {
                let mean = (value(0) + value(1) + value(2)) / 3.0;
                let apart = (0..3).map(|n| (value(n) - mean).abs()).fold(0.0, f64::max);
                let allowed = self.tolerance * mean + PHASE_DEADBANDS * self.deadband;
                mean > PHASE_LOAD_MIN * self.full_scale && apart > allowed
            }
            Finding::Temperature => value(0) < value(1) - self.tolerance,
        }
    }
}

impl Peers {
    /// Whether the voltage with which the peer is measured is one of the grid, as far as it is seen.
    fn is_believed(&self, states: &[PointState]) -> bool {
        self.voltage.is_none_or(|(n, nominal)| {
            let seen = states[n].value.filter(|_| states[n].not_live.is_none());
            seen.is_none_or(|voltage| (voltage - nominal).abs() <= VOLTAGE_APART * nominal)
        })
    }

    /// When the point changed last, if it has stood still since while its peer moved.
    fn stands_still(&self, seen: &mut SeenPeer, states: &[PointState]) -> Option<Timestamp> {
        let (state, peer) = (&states[self.point], &states[self.peer]);
        if state.not_live.is_some() || peer.not_live.is_some() {
            return None;
        }
        if seen.change != state.changed {
            *seen = SeenPeer { peer_then: None, change: state.changed };
        }
        if !self.is_believed(states) {
            return None;
        }
        seen.peer_then = seen.peer_then.or(peer.value);
        let changed = state.changed?;
        let (now, then) = (peer.value?, seen.peer_then?);
        let (own_band, peer_band) = self.bands?;
        let moved = (now - then).abs() - HIDDEN_DEADBANDS * peer_band;
        let ought = state.value?.abs() * moved / now.abs().max(then.abs());
        (ought > PEER_DEADBANDS * own_band).then_some(changed)
    }
}

/// The mapped points of one bay.
struct Members<'a> {
    station: &'a Station,
    entries: &'a [Entry],
    bay: usize,
}

impl Members<'_> {
    fn find(&self, id: &str) -> Option<usize> {
        self.find_in(self.bay, id)
    }

    fn find_in(&self, bay: usize, id: &str) -> Option<usize> {
        let points = self.station.points.iter().zip(self.entries);
        points
            .enumerate()
            .find(|(_, (point, entry))| {
                point.bay == bay && point.spec.id == id && entry.is_mapped()
            })
            .map(|(n, _)| n)
    }

    /// The voltage that the bay's power belongs to: of its line, or of its bus section.
    fn voltage(&self) -> Option<usize> {
        let own = &self.station.bays[self.bay];
        self.find("UL").or_else(|| {
            let bays = self.station.bays.iter().enumerate();
            bays.filter(|(_, bay)| bay.level == own.level && bay.section == own.section)
                .find_map(|(n, _)| self.find_in(n, "UAB"))
        })
    }

    /// Nominal voltage where a point is, kV.
    fn nominal(&self, point: usize) -> f64 {
        f64::from(self.station.bays[self.station.points[point].bay].level)
    }

    fn full_scale(&self, point: usize) -> Option<f64> {
        self.station.points[point].full_scale()
    }
}
