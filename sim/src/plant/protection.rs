//! Faults of the primary plant and what protection makes of them: scripts to the millisecond.
//!
//! A line fault runs as the trade's script has it (ms after the fault): 12 pickup and phase, 22
//! line differential, 24 distance zone 1, 26 teleprotection, 27 disturbance record, 52 breaker
//! under way, 58 open, 70 reclosing starts, 1 060 close, 1 130 closed, 1 135 spring, 2 000 fault
//! locator, 3 130 success, 12 000 spring charged. A fault that lasts trips again at 1 180 and
//! locks out.

use config::LineEnd;

use crate::plant::Plant;
use crate::plant::act::What;
use crate::plant::scheme::Role;
use crate::plant::short_circuit::{Guard, ShortCircuit};
use crate::plant::station::{CLOSED, Feeder, OPEN};

/// Pickup of a relay, and trip of the fast stages, ms after the fault.
const PICKUP_MS: i64 = 12;
const DIFFERENTIAL_MS: i64 = 22;
const ZONE1_MS: i64 = 24;
/// Zone 1 reaches over this share of a line.
const ZONE1_REACH: f64 = 0.8;
const TELEPROTECTION_MS: i64 = 26;
const RECORD_MS: i64 = 27;
/// Instantaneous overcurrent of a feeder.
const FEEDER_TRIP_MS: i64 = 12;
/// The far end of a line sees the fault so much later, and hears of it over the channel.
const FAR_END_MS: i64 = 1;
const CHANNEL_MS: i64 = 8;
/// Signals drop: pickup and phases, trips, teleprotection, the record's trigger.
const PICKUP_GONE_MS: i64 = 95;
const TRIP_GONE_MS: i64 = 120;
const TELEPROTECTION_GONE_MS: i64 = 140;
const RECORD_GONE_MS: i64 = 5_000;
/// Auto-reclose: starts, closes for the first and the second time (the second only at medium
/// voltage, counted from the trip before it).
const RECLOSE_STARTS_MS: i64 = 70;
const RECLOSE_MS: i64 = 1_060;
const SECOND_SHOT_MS: i64 = 15_000;
/// Contacts close so long after the closing impulse; a fault that lasts trips so much later.
const CLOSED_MS: i64 = 70;
const ONTO_FAULT_MS: i64 = 50;
/// After a successful reclosing: success is said, and forgotten.
const SUCCESS_MS: i64 = 2_000;
const RECLAIM_MS: i64 = 15_000;
/// Fault locator and current are worked out.
const LOCATED_MS: i64 = 2_000;
/// Contacts part, ms after the impulse; lockout is said so much after that.
const PARTED_MS: i64 = 36;
const LOCKOUT_MS: i64 = 12;
/// A breaker that has not opened by then has failed (domain: 150–250 ms).
const BREAKER_FAILURE_MS: i64 = 200;
/// Bays that come back together do so one after the other, ms apart; one that may not yet is looked
/// at again.
const RETURN_GAP_MS: i64 = 2_000;
const LOOK_AGAIN_MS: i64 = 600_000;
/// Under-frequency: first stage and steps below it, Hz; delay of a stage, ms; shed feeders come
/// back above this frequency, one after the other, ms apart. Domain: 49.0 Hz and below in 0.2 Hz
/// steps, 0 to 0.5 s.
const SHED_HZ: f64 = 49.0;
const SHED_STEP_HZ: f64 = 0.2;
const SHED_DELAY_MS: i64 = 200;
const RECOVERED_HZ: f64 = 49.8;
const RECOVERY_GAP_MS: i64 = 20_000;
/// How often: trips of a feeder in a year without and with a storm over it (one every three to
/// five days a station in the season, one every two weeks otherwise, for eight feeders), trips of
/// a line per 100 km and year (two to four), and the share of faults that last.
const FEEDER_PER_YEAR: f64 = 3.3;
const STORM_FACTOR: f64 = 25.0;
const LINE_PER_100_KM_YEAR: f64 = 2.0;
const LASTING: f64 = 0.2;
const HOURS_PER_YEAR: f64 = 8_760.0;
/// Visits to an unmanned station in an hour of daylight: about one in four days. Assumed.
const VISITS_PER_HOUR: f64 = 0.025;
/// A crew needs so long, hours: least and most.
const REPAIR_HOURS: (f64, f64) = (0.4, 2.5);
const HOUR_MS: i64 = 3_600_000;

/// A bay: its station and its place there.
type Own = (usize, usize);

impl Plant {
    /// A short circuit on the line or feeder of a bay, or in its transformer. What is dead or
    /// switched off is not struck.
    pub(crate) fn strike(&mut self, at_ms: i64, station: usize, bay: usize, fault: ShortCircuit) {
        match self.stations[station].scheme.roles[bay] {
            Role::Line => self.strike_line(at_ms, station, bay, fault),
            Role::Feeder(_) if self.carries(station, bay) => {
                if fault.lasting {
                    self.stations[station].faults[bay] = Some(fault);
                }
                self.trip_feeder(at_ms, (station, bay), fault);
                self.remember_current(at_ms + LOCATED_MS, (station, bay), fault.share);
            }
            Role::Transformer(n) if self.carries(station, bay) => {
                self.trip_transformer(at_ms, station, n);
            }
            _ => {}
        }
    }

    /// Whether a short circuit at a bay would find something live there.
    pub(crate) fn feels(&self, station: usize, bay: usize) -> bool {
        match self.stations[station].scheme.roles[bay] {
            Role::Line => self.line_at(station, bay).is_some_and(|(line, _)| {
                let line = &self.province.lines[line];
                [line.from, line.to].iter().any(|end| match end {
                    LineEnd::Bay(own, bay) => self.carries(own.index(), *bay),
                    LineEnd::Infeed(_) => false,
                })
            }),
            Role::Feeder(_) | Role::Transformer(_) => self.carries(station, bay),
            _ => false,
        }
    }

    /// Whether the breaker of a bay is closed and its section is live.
    fn carries(&self, station: usize, bay: usize) -> bool {
        let own = &self.stations[station];
        own.status(bay, "CB.POS") == Some(CLOSED) && own.bays[bay].at.kv > 0.0
    }

    /// The short circuit that a bay would close onto.
    fn fault_behind(&self, (station, bay): Own) -> Option<ShortCircuit> {
        match self.stations[station].scheme.roles[bay] {
            Role::Line => self.line_at(station, bay).and_then(|(line, _)| self.line_faults[line]),
            _ => self.stations[station].faults[bay],
        }
    }

    fn guard(&mut self, (station, bay): Own) -> &mut Guard {
        &mut self.stations[station].guards[bay]
    }

    /// Somebody switches a bay: sequences that were under way end, and no crew brings it back.
    pub(crate) fn take_over(&mut self, at_ms: i64, own: Own) {
        let guard = self.guard(own);
        (guard.run, guard.shot, guard.out) = (guard.run + 1, 0, false);
        let (station, bay) = own;
        self.set_in(at_ms, station, bay, "F79.PROG", 0);
        if let Role::Feeder(n) = self.stations[station].scheme.roles[bay] {
            self.stations[station].feeders[n].shed = false;
        }
    }

    fn strike_line(&mut self, at_ms: i64, station: usize, bay: usize, fault: ShortCircuit) {
        let Some((line, end)) = self.line_at(station, bay) else { return };
        let contract = &self.province.lines[line];
        let (km, ends) = (contract.km, [contract.from, contract.to]);
        let live = ends.iter().any(|end| match end {
            LineEnd::Bay(own, bay) => self.carries(own.index(), *bay),
            LineEnd::Infeed(_) => true,
        });
        if !live {
            return;
        }
        if fault.lasting {
            self.line_faults[line] = Some(fault);
            self.call_crew(at_ms, (station, bay));
        }
        for (n, far) in [(end, false), (1 - end, true)] {
            let (share, at_ms) =
                if far { (1.0 - fault.share, at_ms + FAR_END_MS) } else { (fault.share, at_ms) };
            match ends[n] {
                LineEnd::Bay(own, bay) if self.carries(own.index(), bay) => {
                    let own = (own.index(), bay);
                    self.trip_line(at_ms, own, ShortCircuit { share, ..fault }, far);
                    self.remember_current(at_ms + LOCATED_MS, own, share);
                    if let Some(point) = self.stations[own.0].scheme.point(bay, "FL.KM") {
                        let value = share * km;
                        self.later(at_ms + LOCATED_MS, own.0, What::Hold { point, value });
                    }
                }
                LineEnd::Bay(..) => {}
                LineEnd::Infeed(_) => self.trip_source(at_ms, station, line, fault),
            }
        }
    }

    /// The far end of a line at a source, which nobody here sees. A crew brings it back after a
    /// fault that lasts.
    fn trip_source(&mut self, at_ms: i64, station: usize, line: usize, fault: ShortCircuit) {
        let opened = at_ms + DIFFERENTIAL_MS + PARTED_MS;
        self.later(opened, station, What::Source { line, closed: false });
        if !fault.lasting {
            let closed = at_ms + RECLOSE_MS + CLOSED_MS;
            self.later(closed, station, What::Source { line, closed: true });
        }
    }

    fn trip_line(&mut self, at_ms: i64, own: Own, fault: ShortCircuit, far: bool) {
        const PHASES: [&str; 3] = ["FLT.A", "FLT.B", "FLT.C"];
        let phase = usize::from(fault.phase % 3);
        // The far end hears from the near one.
        let (signal, heard) = if far {
            ("F85.RX", TELEPROTECTION_MS + CHANNEL_MS)
        } else {
            ("F85.TX", TELEPROTECTION_MS)
        };
        // Zone 1 ends before the line does; beyond it zone 2 trips at once when the other end
        // calls.
        let (zone, seen) =
            if fault.share <= ZONE1_REACH { ("F21.Z1", ZONE1_MS) } else { ("F21.Z2", heard + 2) };
        let mut signals = vec![
            ("PROT.PU", PICKUP_MS, PICKUP_GONE_MS),
            (PHASES[phase], PICKUP_MS, PICKUP_GONE_MS),
            ("F87L.TRIP", DIFFERENTIAL_MS, TRIP_GONE_MS),
            (zone, seen, TRIP_GONE_MS),
            (signal, heard, TELEPROTECTION_GONE_MS),
            ("DFR.TRG", RECORD_MS, RECORD_GONE_MS),
        ];
        if !fault.earth {
            signals.push((PHASES[(phase + 1) % 3], PICKUP_MS, PICKUP_GONE_MS));
        }
        for (id, on, off) in signals {
            self.later_set(at_ms + on, own, id, 1);
            self.later_set(at_ms + off, own, id, 0);
        }
        self.take_out(at_ms, at_ms + DIFFERENTIAL_MS, own);
    }

    fn trip_feeder(&mut self, at_ms: i64, own: Own, fault: ShortCircuit) {
        let id = if fault.earth { "F50N.TRIP" } else { "F50.TRIP" };
        self.later_set(at_ms + FEEDER_TRIP_MS, own, id, 1);
        self.later_set(at_ms + TRIP_GONE_MS, own, id, 0);
        self.take_out(at_ms, at_ms + FEEDER_TRIP_MS, own);
    }

    /// A relay takes a bay out: the breaker opens, and reclosing starts where it is in service and
    /// has not just been at work; otherwise a crew has to come.
    fn take_out(&mut self, struck_ms: i64, impulse_ms: i64, own: Own) {
        let (station, bay) = own;
        let fails = self.stations[station].cannot_trip(bay);
        let recloses = self.stations[station].is_set(bay, "F79.ON") && !fails;
        let guard = self.guard(own);
        (guard.run, guard.shot, guard.out) = (guard.run + 1, 0, true);
        let (run, again) = (guard.run, struck_ms < guard.reclaim_until_ms);
        self.later(impulse_ms, station, What::Open { bay });
        if fails {
            self.fail_breaker(impulse_ms + BREAKER_FAILURE_MS, own);
        }
        if recloses && !again {
            self.later_set(struck_ms + RECLOSE_STARTS_MS, own, "F79.PROG", 1);
            self.later(struck_ms + RECLOSE_MS, station, What::Reclose { bay, run });
        } else if again {
            self.lock_out(impulse_ms + PARTED_MS + LOCKOUT_MS, own, run);
        } else {
            self.call_crew(struck_ms, own);
        }
    }

    /// A breaker that does not open: its section is opened instead.
    fn fail_breaker(&mut self, at_ms: i64, (station, bay): Own) {
        self.later_set(at_ms, (station, bay), "F50BF.TRIP", 1);
        self.later_set(at_ms + TRIP_GONE_MS, (station, bay), "F50BF.TRIP", 0);
        let scheme = &self.stations[station].scheme;
        let section = scheme.section_of[bay];
        let others: Vec<usize> = (0..scheme.roles.len())
            .filter(|other| *other != bay && scheme.section_of[*other] == section)
            .filter(|other| scheme.point(*other, "CB.POS").is_some())
            .collect();
        for other in others {
            let guard = self.guard((station, other));
            (guard.run, guard.out) = (guard.run + 1, true);
            self.later(at_ms, station, What::Open { bay: other });
            self.call_crew(at_ms, (station, other));
        }
    }

    fn lock_out(&mut self, at_ms: i64, own: Own, run: u32) {
        let (station, bay) = own;
        for (id, code) in [("F79.PROG", 0), ("F79.LO", 1)] {
            if let Some(point) = self.stations[station].scheme.point(bay, id) {
                self.later(at_ms, station, What::SetIn { bay, run, point, code });
            }
        }
        self.call_crew(at_ms, own);
    }

    /// The reclosing relay closes, unless somebody has been there before: once the spring is
    /// charged, and onto a line only when it is dead or in step.
    pub(crate) fn reclose(&mut self, at_ms: i64, own: Own, run: u32) {
        let (station, bay) = own;
        let state = &self.stations[station];
        let guard = state.guards[bay];
        if guard.run != run {
            return;
        }
        if at_ms < guard.charged_ms {
            self.later(guard.charged_ms + 1, station, What::Reclose { bay, run });
            return;
        }
        let in_step = state.scheme.roles[bay] != Role::Line || self.in_step(station, bay);
        let may = state.status(bay, "CB.POS") == Some(OPEN)
            && !state.is_set(bay, "F86.OP")
            && state.is_set(bay, "F79.ON")
            && in_step;
        if !may || !self.close(at_ms, station, bay) {
            self.lock_out(at_ms, own, run);
            return;
        }
        self.guard(own).shot += 1;
    }

    /// The contacts of a breaker have closed: onto a fault it trips again.
    pub(crate) fn has_closed(&mut self, at_ms: i64, own: Own) {
        let (station, bay) = own;
        let live = self.stations[station].bays[bay].at.kv > 0.0;
        let recloses = self.stations[station].is_set(bay, "F79.PROG");
        let guard = *self.guard(own);
        let Some(fault) = self.fault_behind(own).filter(|_| live) else {
            self.guard(own).out = false;
            if recloses {
                self.guard(own).reclaim_until_ms = at_ms + SUCCESS_MS + RECLAIM_MS;
                for (id, wait, code) in [
                    ("F79.OK", SUCCESS_MS, 1),
                    ("F79.PROG", SUCCESS_MS, 0),
                    ("F79.OK", SUCCESS_MS + RECLAIM_MS, 0),
                ] {
                    if let Some(point) = self.stations[station].scheme.point(bay, id) {
                        let run = guard.run;
                        self.later(at_ms + wait, station, What::SetIn { bay, run, point, code });
                    }
                }
            }
            return;
        };
        let is_feeder = matches!(self.stations[station].scheme.roles[bay], Role::Feeder(_));
        let tripped = at_ms + ONTO_FAULT_MS;
        let trips: &[&str] = match (is_feeder, fault.earth) {
            (true, true) => &["F50N.TRIP"],
            (true, false) => &["F50.TRIP"],
            _ => &["F50STUB.SOTF", "F21.Z1"],
        };
        for id in trips {
            self.later_set(tripped, own, id, 1);
            self.later_set(tripped + TRIP_GONE_MS, own, id, 0);
        }
        self.later(tripped, station, What::Open { bay });
        self.guard(own).out = true;
        let run = guard.run;
        if is_feeder && recloses && guard.shot == 1 {
            self.later(tripped + SECOND_SHOT_MS, station, What::Reclose { bay, run });
        } else {
            self.lock_out(tripped + PARTED_MS + LOCKOUT_MS, own, run);
        }
    }

    /// A transformer's differential takes it off on all sides and locks it out.
    fn trip_transformer(&mut self, at_ms: i64, station: usize, transformer: usize) {
        let own = &self.stations[station].scheme.transformers[transformer];
        let (bay, incomers) = (own.bay, own.incomers.clone());
        for (id, on, off) in [
            ("F87T.TRIP", DIFFERENTIAL_MS, TRIP_GONE_MS),
            ("F96.ALM", DIFFERENTIAL_MS + 60, HOUR_MS),
            ("DFR.TRG", RECORD_MS, RECORD_GONE_MS),
        ] {
            self.later_set(at_ms + on, (station, bay), id, 1);
            self.later_set(at_ms + off, (station, bay), id, 0);
        }
        self.later_set(at_ms + DIFFERENTIAL_MS + 4, (station, bay), "F86.OP", 1);
        for side in incomers.into_iter().chain([bay]) {
            // Only what was in service comes back.
            if self.stations[station].status(side, "CB.POS") == Some(CLOSED) {
                let guard = self.guard((station, side));
                (guard.run, guard.out) = (guard.run + 1, true);
                self.later(at_ms + DIFFERENTIAL_MS, station, What::Open { bay: side });
            }
        }
        self.call_crew(at_ms, (station, bay));
    }

    /// A crew goes out; when it is done the bay can go back into service.
    fn call_crew(&mut self, at_ms: i64, (station, bay): Own) {
        let (least, most) = REPAIR_HOURS;
        let hours =
            least + (most - least) * self.stations[station].chances[bay].share_of(20, at_ms);
        #[expect(clippy::cast_possible_truncation, reason = "a few hours")]
        let wait = (hours * 3_600_000.0) as i64;
        self.later(at_ms + wait, station, What::Repair { bay });
    }

    /// The fault of a bay is gone. What it had taken out comes back, both ends of a line and all
    /// sides of a transformer, unless somebody has switched it since.
    pub(crate) fn repair(&mut self, at_ms: i64, station: usize, bay: usize) {
        self.stations[station].faults[bay] = None;
        let mut bays = vec![(station, bay)];
        match self.stations[station].scheme.roles[bay] {
            Role::Line => {
                let Some((line, end)) = self.line_at(station, bay) else { return };
                self.line_faults[line] = None;
                let contract = &self.province.lines[line];
                match [contract.from, contract.to][1 - end] {
                    LineEnd::Bay(other, bay) => bays.push((other.index(), bay)),
                    LineEnd::Infeed(_) => {
                        self.later(at_ms, station, What::Source { line, closed: true });
                    }
                }
            }
            Role::Transformer(n) => {
                let incomers = &self.stations[station].scheme.transformers[n].incomers;
                bays.extend(incomers.iter().map(|incomer| (station, *incomer)));
            }
            _ => {}
        }
        for (n, own) in (0..).zip(bays) {
            let guard = self.guard(own);
            if guard.out {
                guard.run += 1;
                let run = guard.run;
                // One after the other, so that the second finds the first closed.
                let (at_ms, bay) = (at_ms + n * RETURN_GAP_MS, own.1);
                self.later(at_ms, own.0, What::Return { bay, run });
            }
        }
    }

    /// A bay goes back into service, when nothing forbids it; else somebody looks again later.
    pub(crate) fn go_back(&mut self, at_ms: i64, own: Own, run: u32) {
        let (station, bay) = own;
        let guard = *self.guard(own);
        if guard.run != run || !guard.out {
            return;
        }
        for id in ["F79.LO", "F86.OP"] {
            self.set_in(at_ms, station, bay, id, 0);
        }
        let refused = self.breaker_refuses(station, bay, true, false).is_some();
        if refused || !self.close(at_ms, station, bay) {
            self.later(at_ms + LOOK_AGAIN_MS, station, What::Return { bay, run });
        }
    }

    /// The current of the last fault, as the relay shows it some time after.
    fn remember_current(&mut self, at_ms: i64, (station, bay): (usize, usize), share: f64) {
        let scheme = &self.stations[station].scheme;
        let (Some(point), Some(section)) = (scheme.point(bay, "FL.KA"), scheme.section_of[bay])
        else {
            return;
        };
        let value = self.network.fault_ka(station, bay, section, share);
        self.later(at_ms, station, What::Hold { point, value });
    }

    /// Frequency that fell takes feeders off, stage by stage; it brings them back, one after the
    /// other, when it has recovered and nobody has switched them since.
    pub(crate) fn shed_load(&mut self) {
        let (at_ms, hertz) = (self.now.at_ms, self.now.hertz);
        let returns = hertz > RECOVERED_HZ && at_ms % RECOVERY_GAP_MS == 0;
        let mut returned = false;
        for n in 0..self.stations.len() {
            for feeder in 0..self.stations[n].feeders.len() {
                let Feeder { bay, stage, shed, .. } = self.stations[n].feeders[feeder];
                let threshold = SHED_HZ - SHED_STEP_HZ * (f64::from(stage) - 1.0);
                if stage > 0 && hertz < threshold && !shed && self.carries(n, bay) {
                    self.take_over(at_ms, (n, bay));
                    self.stations[n].feeders[feeder].shed = true;
                    self.later_set(at_ms + SHED_DELAY_MS, (n, bay), "F81.OP", 1);
                    self.later(at_ms + SHED_DELAY_MS, n, What::Open { bay });
                    self.say_stage(at_ms + SHED_DELAY_MS, n, bay);
                } else if shed && returns && !returned {
                    returned = true;
                    self.stations[n].feeders[feeder].shed = false;
                    self.set_in(at_ms, n, bay, "F81.OP", 0);
                    if self.breaker_refuses(n, bay, true, false).is_none() {
                        self.close(at_ms, n, bay);
                    }
                }
            }
        }
    }

    /// The busbars of a shed feeder say that a stage has operated, for a minute.
    fn say_stage(&mut self, at_ms: i64, station: usize, bay: usize) {
        let scheme = &self.stations[station].scheme;
        let section = scheme.section_of[bay];
        let busbars: Vec<usize> = scheme.bays(Role::Busbar).collect();
        for busbar in busbars {
            let scheme = &self.stations[station].scheme;
            if scheme.section_of[busbar] == section {
                self.later_set(at_ms, (station, busbar), "F81.OP", 1);
                self.later_set(at_ms + 60_000, (station, busbar), "F81.OP", 0);
            } else if scheme.point(busbar, "F81.ST1").is_some() {
                self.later_set(at_ms, (station, busbar), "F81.ST1", 1);
                self.later_set(at_ms + 60_000, (station, busbar), "F81.ST1", 0);
            }
        }
    }

    /// A crew that comes by day opens the gate, then the door, and leaves.
    fn visit_by_chance(&mut self, n: usize, hour: i64) {
        let at_ms = self.now.at_ms;
        let common = self.stations[n].scheme.commons().next();
        let by_day = (7.0..17.0).contains(&self.now.moment.hour);
        let Some(bay) = common.filter(|_| by_day) else { return };
        let chance = self.stations[n].chances[bay];
        if chance.share_of(40, hour) >= VISITS_PER_HOUR {
            return;
        }
        let minutes = 20 + 5 * i64::try_from(chance.below_of(41, hour, 20)).unwrap_or(0);
        for (id, minute, code) in [
            ("SEC.GATE", 1, 1),
            ("SEC.GATE", 3, 0),
            ("SEC.DOOR", 4, 1),
            ("SEC.DOOR", 4 + minutes, 0),
            ("SEC.GATE", 6 + minutes, 1),
            ("SEC.GATE", 8 + minutes, 0),
        ] {
            self.later_set(at_ms + 60_000 * minute, (n, bay), id, code);
        }
    }

    /// Puts down the faults that chance has for the hour that has just begun.
    pub(crate) fn disturb_by_chance(&mut self) {
        let at_ms = self.now.at_ms;
        let hour = at_ms.div_euclid(HOUR_MS);
        if std::mem::replace(&mut self.hour, hour) == hour {
            return;
        }
        let storm = if self.now.weather.storm { STORM_FACTOR } else { 1.0 };
        for n in 0..self.stations.len() {
            self.visit_by_chance(n, hour);
            for bay in 0..self.stations[n].bays.len() {
                let per_year = match self.stations[n].scheme.roles[bay] {
                    Role::Feeder(_) => FEEDER_PER_YEAR,
                    // Each end strikes for half of its line.
                    Role::Line => self.line_at(n, bay).map_or(0.0, |(line, _)| {
                        self.province.lines[line].km / 100.0 * LINE_PER_100_KM_YEAR / 2.0
                    }),
                    _ => continue,
                };
                let chance = self.stations[n].chances[bay];
                if chance.share_of(30, hour) >= per_year * storm / HOURS_PER_YEAR {
                    continue;
                }
                let fault = ShortCircuit {
                    lasting: chance.share_of(31, hour) < LASTING,
                    phase: [0, 1, 2][chance.below_of(32, hour, 3)],
                    earth: chance.share_of(33, hour) < 0.7,
                    share: chance.share_of(34, hour) / 2.0,
                };
                #[expect(clippy::cast_possible_truncation, reason = "within an hour")]
                let within = (chance.share_of(35, hour) * 3_600_000.0) as i64;
                let struck = hour * HOUR_MS + within;
                if struck > at_ms {
                    self.later(struck, n, What::Strike { bay, fault });
                }
            }
        }
    }
}
