//! Faults of the primary plant and what protection makes of them: scripts to the millisecond.
//!
//! A line fault runs as the trade's script has it (ms after the fault): 12 pickup and phase, 22
//! line differential, 24 distance zone 1, 26 teleprotection, 27 disturbance record, 52 breaker
//! under way, 58 open, 70 reclosing starts, 1 060 close, 1 130 closed, 1 135 spring, 2 000 fault
//! locator, 3 130 success, 12 000 spring charged. A fault that lasts trips again at 1 180 and
//! locks out.

use config::LineEnd;

use crate::plant::Plant;
use crate::scheme::Role;
use crate::station::{CLOSED, OPEN};
use crate::switching::What;

/// Pickup of a relay, and trip of the fast stages, ms after the fault.
const PICKUP_MS: i64 = 12;
const DIFFERENTIAL_MS: i64 = 22;
const ZONE1_MS: i64 = 24;
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
/// A crew needs so long, hours: least and most.
const REPAIR_HOURS: (f64, f64) = (0.4, 2.5);
const HOUR_MS: i64 = 3_600_000;

/// A short circuit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShortCircuit {
    /// It is still there when the breaker closes again.
    pub lasting: bool,
    /// Phase that is hit: 0 A, 1 B, 2 C.
    pub phase: u8,
    /// To earth, otherwise between phases.
    pub earth: bool,
    /// Where on a line, as a share of its length from the bay that is struck, 0 to 1.
    pub share: f64,
}

impl Plant {
    /// A short circuit on the line or feeder of a bay, or in its transformer. What is dead or
    /// switched off is not struck.
    pub(crate) fn strike(&mut self, at_ms: i64, station: usize, bay: usize, fault: ShortCircuit) {
        match self.stations[station].scheme.roles[bay] {
            Role::Line => self.strike_line(at_ms, station, bay, fault),
            Role::Feeder(_) if self.carries(station, bay) => {
                self.trip_feeder(at_ms, station, bay, fault, 1);
                self.remember_current(at_ms + LOCATED_MS, (station, bay), 0.3);
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
                    LineEnd::Source(_) => false,
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

    fn strike_line(&mut self, at_ms: i64, station: usize, bay: usize, fault: ShortCircuit) {
        let Some((line, end)) = self.line_at(station, bay) else {
            return;
        };
        let contract = &self.province.lines[line];
        let (km, ends) = (contract.km, [contract.from, contract.to]);
        for (n, far) in [(end, false), (1 - end, true)] {
            let (share, at_ms) =
                if far { (1.0 - fault.share, at_ms + FAR_END_MS) } else { (fault.share, at_ms) };
            match ends[n] {
                LineEnd::Bay(own, bay) if self.carries(own.index(), bay) => {
                    let own = (own.index(), bay);
                    self.trip_line(at_ms, own, ShortCircuit { share, ..fault }, far);
                    self.remember_current(at_ms + LOCATED_MS, own, share);
                    let located = self.stations[own.0].scheme.point(bay, "FL.KM");
                    if let Some(point) = located {
                        let value = share * km;
                        self.later(at_ms + LOCATED_MS, own.0, What::Hold { point, value });
                    }
                }
                LineEnd::Bay(..) => {}
                LineEnd::Source(_) => self.trip_source(at_ms, station, line, fault),
            }
        }
    }

    /// The far end of a line at a source, which nobody here sees.
    fn trip_source(&mut self, at_ms: i64, station: usize, line: usize, fault: ShortCircuit) {
        let opened = at_ms + DIFFERENTIAL_MS + PARTED_MS;
        self.later(opened, station, What::Source { line, closed: false });
        if !fault.lasting {
            let closed = at_ms + RECLOSE_MS + CLOSED_MS;
            self.later(closed, station, What::Source { line, closed: true });
        }
    }

    fn trip_line(&mut self, at_ms: i64, own: (usize, usize), fault: ShortCircuit, far: bool) {
        let phase = ["FLT.A", "FLT.B", "FLT.C"][usize::from(fault.phase % 3)];
        // The far end hears from the near one.
        let (signal, heard) = if far {
            ("F85.RX", TELEPROTECTION_MS + CHANNEL_MS)
        } else {
            ("F85.TX", TELEPROTECTION_MS)
        };
        for (id, on, off) in [
            ("PROT.PU", PICKUP_MS, PICKUP_GONE_MS),
            (phase, PICKUP_MS, PICKUP_GONE_MS),
            ("F87L.TRIP", DIFFERENTIAL_MS, TRIP_GONE_MS),
            ("F21.Z1", ZONE1_MS, TRIP_GONE_MS),
            (signal, heard, TELEPROTECTION_GONE_MS),
            ("DFR.TRG", RECORD_MS, RECORD_GONE_MS),
        ] {
            self.later_set(at_ms + on, own, id, 1);
            self.later_set(at_ms + off, own, id, 0);
        }
        let (station, bay) = own;
        self.later(at_ms + DIFFERENTIAL_MS, station, What::Open { bay });
        self.prepare_reclose(at_ms, own, fault, 1, RECLOSE_MS);
    }

    fn trip_feeder(
        &mut self,
        at_ms: i64,
        station: usize,
        bay: usize,
        fault: ShortCircuit,
        shot: u8,
    ) {
        let own = (station, bay);
        let id = if fault.earth { "F50N.TRIP" } else { "F50.TRIP" };
        self.later_set(at_ms + FEEDER_TRIP_MS, own, id, 1);
        self.later_set(at_ms + TRIP_GONE_MS, own, id, 0);
        self.later(at_ms + FEEDER_TRIP_MS, station, What::Open { bay });
        let dead = if shot == 1 { RECLOSE_MS } else { SECOND_SHOT_MS };
        self.prepare_reclose(at_ms, own, fault, shot, dead);
    }

    /// Reclosing starts where it is in service; otherwise the breaker stays open for the crew.
    fn prepare_reclose(
        &mut self,
        at_ms: i64,
        own: (usize, usize),
        fault: ShortCircuit,
        shot: u8,
        dead_ms: i64,
    ) {
        let (station, bay) = own;
        if self.stations[station].is_set(bay, "F79.ON") {
            self.later_set(at_ms + RECLOSE_STARTS_MS, own, "F79.PROG", 1);
            self.later(at_ms + dead_ms, station, What::Reclose { bay, fault, shot });
        } else {
            self.call_crew(at_ms, station, bay);
        }
    }

    /// The reclosing relay closes, unless somebody has been there before.
    pub(crate) fn reclose(
        &mut self,
        at_ms: i64,
        own: (usize, usize),
        fault: ShortCircuit,
        shot: u8,
    ) {
        let (station, bay) = own;
        let state = &self.stations[station];
        let may = state.status(bay, "CB.POS") == Some(OPEN)
            && !state.is_set(bay, "F86.OP")
            && !state.is_set(bay, "CB.SF6_2")
            && state.is_set(bay, "F79.ON");
        if !may {
            self.set_in(at_ms, station, bay, "F79.PROG", 0);
            return;
        }
        let is_feeder = matches!(state.scheme.roles[bay], Role::Feeder(_));
        self.close(at_ms, station, bay);
        let closed = at_ms + CLOSED_MS;
        if !fault.lasting {
            self.later_set(closed + SUCCESS_MS, own, "F79.OK", 1);
            self.later_set(closed + SUCCESS_MS, own, "F79.PROG", 0);
            self.later_set(closed + SUCCESS_MS + RECLAIM_MS, own, "F79.OK", 0);
            return;
        }
        let tripped = closed + ONTO_FAULT_MS;
        if is_feeder && shot == 1 {
            // The spring must be charged for the second shot; the relay waits long enough.
            self.trip_feeder(tripped - FEEDER_TRIP_MS, station, bay, fault, 2);
            return;
        }
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
        let locked = tripped + PARTED_MS + LOCKOUT_MS;
        self.later_set(locked, own, "F79.PROG", 0);
        self.later_set(locked, own, "F79.LO", 1);
        self.call_crew(locked, station, bay);
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
        self.later(at_ms + DIFFERENTIAL_MS, station, What::Open { bay });
        for incomer in &incomers {
            self.later(at_ms + DIFFERENTIAL_MS, station, What::Open { bay: *incomer });
        }
        self.call_crew(at_ms, station, bay);
    }

    /// A crew goes out and brings the bay back.
    fn call_crew(&mut self, at_ms: i64, station: usize, bay: usize) {
        let (least, most) = REPAIR_HOURS;
        let hours =
            least + (most - least) * self.stations[station].chances[bay].share_of(20, at_ms);
        #[expect(clippy::cast_possible_truncation, reason = "a few hours")]
        let wait = (hours * 3_600_000.0) as i64;
        self.later(at_ms + wait, station, What::Restore { bay });
    }

    /// What had locked out is free again, and the bay goes back into service.
    pub(crate) fn restore(&mut self, at_ms: i64, station: usize, bay: usize) {
        for id in ["F79.LO", "F86.OP", "F81.OP"] {
            self.set_in(at_ms, station, bay, id, 0);
        }
        self.close(at_ms, station, bay);
        match self.stations[station].scheme.roles[bay] {
            Role::Line => {
                if let Some((line, end)) = self.line_at(station, bay) {
                    let contract = &self.province.lines[line];
                    if let LineEnd::Source(_) = [contract.from, contract.to][1 - end] {
                        self.act_source(at_ms, station, line);
                    }
                }
            }
            Role::Transformer(n) => {
                let incomers = self.stations[station].scheme.transformers[n].incomers.clone();
                for incomer in incomers {
                    self.later(at_ms + 1_000, station, What::Close { bay: incomer });
                }
            }
            _ => {}
        }
    }

    fn act_source(&mut self, at_ms: i64, station: usize, line: usize) {
        self.later(at_ms, station, What::Source { line, closed: true });
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

    /// Frequency that fell takes feeders off, stage by stage; it brings them back when it has
    /// recovered.
    pub(crate) fn shed_load(&mut self) {
        let (at_ms, hertz) = (self.now.at_ms, self.now.hertz);
        let mut returned = 0;
        for n in 0..self.stations.len() {
            for feeder in 0..self.stations[n].feeders.len() {
                let (bay, stage) = {
                    let own = &self.stations[n].feeders[feeder];
                    (own.bay, own.stage)
                };
                let threshold = SHED_HZ - SHED_STEP_HZ * (f64::from(stage) - 1.0);
                let shed = self.stations[n].is_set(bay, "F81.OP");
                if stage > 0 && hertz < threshold && !shed && self.carries(n, bay) {
                    self.later_set(at_ms + SHED_DELAY_MS, (n, bay), "F81.OP", 1);
                    self.later(at_ms + SHED_DELAY_MS, n, What::Open { bay });
                    self.say_stage(at_ms + SHED_DELAY_MS, n, bay);
                } else if shed
                    && hertz > RECOVERED_HZ
                    && at_ms % RECOVERY_GAP_MS == 0
                    && returned == 0
                {
                    returned += 1;
                    self.restore(at_ms, n, bay);
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

    /// Puts down the faults that chance has for the hour that has just begun.
    pub(crate) fn disturb_by_chance(&mut self) {
        let at_ms = self.now.at_ms;
        let hour = at_ms.div_euclid(HOUR_MS);
        if std::mem::replace(&mut self.hour, hour) == hour {
            return;
        }
        let storm = if self.now.weather.storm { STORM_FACTOR } else { 1.0 };
        for n in 0..self.stations.len() {
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
