//! Correctness: tests of a bay's values against each other.
//!
//! Numbers and tolerances are those of the trade's list (C1, C7, C8, C12, C14). Tests that need
//! the province as a whole belong to a state estimator and are not here.

use config::{Channel, Entry, Point, Province, Station};

use super::channel::PointState;
use super::counts::Counts;
use super::picture::Right;
use super::verdict::Finding;
use crate::clock::Timestamp;

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
/// C12: kelvin by which a winding may be colder than the oil.
const TEMPERATURE_TOLERANCE_K: f64 = 2.0;
/// C14: time without a change after which a measurement may be frozen.
const FROZEN_MS: i64 = 15 * 60_000;
/// C14: change of a peer, in its deadbands, that shows that the quantity moved.
const PEER_DEADBANDS: f64 = 2.0;
/// Correct share below which a station is not right.
const RIGHT_PERCENT: f64 = 99.0;

/// The tests of one channel and how they stand.
pub(super) struct Findings {
    tests: Vec<Test>,
    peers: Vec<Peers>,
    evaluable: Vec<bool>,
    found: Vec<Option<(Finding, Timestamp)>>,
    frozen: Vec<Option<Timestamp>>,
    leading: Vec<bool>,
}

/// One test over some points of a bay.
struct Test {
    finding: Finding,
    /// Indices of the points it needs; the first is the one that carries the finding.
    points: Vec<usize>,
    /// Full scale of the quantity compared.
    full_scale: f64,
    tolerance: f64,
    failing_since: Option<Timestamp>,
}

/// Two measurements of a bay that move together.
struct Peers {
    point: usize,
    peer: usize,
    /// Value of the peer when the point last changed.
    peer_then: Option<f64>,
    change_seen: Option<Timestamp>,
}

impl Findings {
    pub(super) fn new(province: &Province, channel: &Channel) -> Self {
        let station = &province.stations[channel.station.index()];
        let mut findings = Self {
            tests: Vec::new(),
            peers: Vec::new(),
            evaluable: vec![false; station.points.len()],
            found: vec![None; station.points.len()],
            frozen: vec![None; station.points.len()],
            leading: vec![false; station.points.len()],
        };
        for bay in 0..station.bays.len() {
            let members = Members { station, entries: &channel.entries, bay };
            findings.add_bay(&members);
        }
        findings
    }

    fn add_bay(&mut self, bay: &Members<'_>) {
        let name = |id: &str| bay.find(id);
        let level = bay.station.bays[bay.bay].level;
        let voltage = bay.voltage();
        if let (Some(p), Some(q), Some(i), Some(u)) = (name("P"), name("Q"), name("IA"), voltage) {
            self.add(Finding::Power, &[p, q, i, u], bay.full_scale(p), POWER_TOLERANCE);
        }
        if let (Some(breaker), Some(i)) = (name("CB.POS"), name("IA")) {
            let finding = Finding::OpenBreakerCarriesCurrent;
            self.add(finding, &[breaker, i], bay.full_scale(i), CURRENT_FLOWS);
        }
        if let (Some(a), Some(b), Some(c)) = (name("IA"), name("IB"), name("IC")) {
            let (high, medium) = PHASE_TOLERANCE;
            let tolerance = if level >= 110 { high } else { medium };
            self.add(Finding::PhaseSymmetry, &[a, b, c], bay.full_scale(a), tolerance);
        }
        if let Some(oil) = name("TOIL") {
            for winding in ["TW.HV", "TW.MV", "TW.LV"].into_iter().filter_map(name) {
                let (finding, tolerance) = (Finding::Temperature, TEMPERATURE_TOLERANCE_K);
                self.add(finding, &[winding, oil], Some(1.0), tolerance);
            }
        }
        for (point, peer) in [("P", "IA"), ("IA", "P"), ("UAB", "UBC"), ("UBC", "UAB")] {
            if let (Some(point), Some(peer)) = (name(point), name(peer)) {
                self.peers.push(Peers { point, peer, peer_then: None, change_seen: None });
            }
        }
        // A finding on one of these fails the station by itself.
        let quantities: &[&str] =
            if bay.is_transformer() { &["P", "Q", "IA", "IB", "IC"] } else { &[] };
        for id in quantities.iter().chain(&["CB.POS", "UAB", "UBC", "UCA"]) {
            if let Some(n) = name(id) {
                self.leading[n] = true;
            }
        }
    }

    /// Adds a test. Without a full scale to measure against there is none.
    fn add(&mut self, finding: Finding, points: &[usize], full_scale: Option<f64>, tolerance: f64) {
        let Some(full_scale) = full_scale else { return };
        let points = points.to_vec();
        self.tests.push(Test { finding, points, full_scale, tolerance, failing_since: None });
    }

    /// Tests every bay with the values as they stand at `now`.
    pub(super) fn evaluate(&mut self, station: &Station, states: &[PointState], now: Timestamp) {
        self.evaluable.fill(false);
        self.found.fill(None);
        for test in &mut self.tests {
            let live = |n: &usize| states[*n].not_live.is_none();
            if !test.points.iter().all(live) {
                test.failing_since = None;
                continue;
            }
            for n in &test.points {
                self.evaluable[*n] = true;
            }
            let value = |n: usize| states[test.points[n]].value.unwrap_or(0.0);
            if !test.contradicts(value) {
                test.failing_since = None;
                continue;
            }
            let since = *test.failing_since.get_or_insert(now);
            if now.since(since) >= LASTS_MS {
                self.found[test.points[0]].get_or_insert((test.finding, since));
            }
        }
        self.frozen.fill(None);
        for peers in &mut self.peers {
            if let Some(since) = peers.evaluate(&station.points, states, now) {
                self.frozen[peers.point] = Some(since);
            }
        }
    }

    pub(super) fn of(&self, point: usize) -> Option<(Finding, Timestamp)> {
        self.found[point]
    }

    pub(super) fn frozen(&self, point: usize) -> Option<Timestamp> {
        self.frozen[point]
    }

    pub(super) fn evaluable(&self, point: usize) -> bool {
        self.evaluable[point]
    }

    pub(super) fn right(&self, counts: &Counts) -> Right {
        let leads =
            self.found.iter().zip(&self.leading).any(|(f, leading)| *leading && f.is_some());
        match counts.right.reaches(RIGHT_PERCENT) {
            None => Right::NotEvaluated,
            Some(true) if !leads => Right::Right,
            Some(_) => Right::Wrong,
        }
    }
}

impl Test {
    fn contradicts(&self, value: impl Fn(usize) -> f64) -> bool {
        match self.finding {
            Finding::Power => {
                let apparent = value(0).hypot(value(1));
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
                mean > PHASE_LOAD_MIN * self.full_scale && apart > self.tolerance * mean
            }
            Finding::Temperature => value(0) < value(1) - self.tolerance,
        }
    }
}

impl Peers {
    /// Since when the point is frozen, if it is.
    fn evaluate(
        &mut self,
        points: &[Point],
        states: &[PointState],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let (state, peer) = (&states[self.point], &states[self.peer]);
        if state.not_live.is_some() || peer.not_live.is_some() {
            return None;
        }
        if self.change_seen != state.changed {
            self.change_seen = state.changed;
            self.peer_then = peer.value;
        }
        let changed = state.changed?;
        let moved = (peer.value? - self.peer_then?).abs();
        let band = points[self.peer].deadband?;
        (now.since(changed) > FROZEN_MS && moved > PEER_DEADBANDS * band).then_some(changed)
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
                point.bay == bay && point.spec.id == id && entry.register.is_some()
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

    fn is_transformer(&self) -> bool {
        self.station.transformers.iter().any(|(bay, _)| *bay == self.bay)
    }

    fn full_scale(&self, point: usize) -> Option<f64> {
        self.station.points[point].range.map(|(low, high)| low.abs().max(high.abs()))
    }
}
