//! What breakers, disconnectors and tap changers do, and how long it takes them.

use crate::plant::Plant;
use crate::plant::act::{Act, What};
use crate::plant::scheme::Role;
use crate::plant::station::{BETWEEN, CLOSED, OPEN, TAPS};

/// Times in milliseconds after the impulse (domain: opening 30–40 ms at 110 kV and 40–60 ms at
/// medium voltage, closing 60–100 ms and 60–80 ms).
struct Drive {
    /// Both contacts have left their places, and one has arrived, while opening.
    open: (i64, i64),
    /// The same while closing.
    close: (i64, i64),
}

const DRIVE_110: Drive = Drive { open: (30, 36), close: (62, 70) };
const DRIVE_MV: Drive = Drive { open: (40, 46), close: (62, 70) };
/// The spring is found uncharged so long after the contacts have closed, and is charged again
/// after (domain: 8–15 s).
const SPRING_FOUND_MS: i64 = 5;
const SPRING_CHARGE_MS: i64 = 10_865;
/// Travel of a motor-driven disconnector (domain: 8–15 s).
const DISCONNECTOR_MS: i64 = 10_000;
/// One step of a tap changer (domain: 5–8 s).
const TAP_MS: i64 = 6_000;
/// A capacitor bank must not be closed for so long after it was opened.
const DISCHARGE_MS: i64 = 5 * 60_000;

impl Plant {
    /// Puts down that something happens in a station.
    pub(crate) fn later(&mut self, at_ms: i64, station: usize, what: What) {
        self.agenda.put(at_ms, Act { station, what });
    }

    /// Puts down that a status of a bay takes a code; a bay without such a point does nothing.
    pub(crate) fn later_set(
        &mut self,
        at_ms: i64,
        (station, bay): (usize, usize),
        id: &str,
        code: u8,
    ) {
        if let Some(point) = self.stations[station].scheme.point(bay, id) {
            self.later(at_ms, station, What::Set { point, code });
        }
    }

    /// Makes an act happen.
    pub(crate) fn act(&mut self, at_ms: i64, Act { station, what }: Act) {
        match what {
            What::Set { point, code } => self.set(at_ms, station, point, code),
            What::Hold { point, value } => self.stations[station].hold(point, value),
            What::Count { point } => self.stations[station].count(point),
            What::Open { bay } => {
                self.open(at_ms, station, bay);
            }
            What::Arrive { bay, code } => {
                if let Some(point) = self.stations[station].scheme.point(bay, "CB.POS") {
                    self.set(at_ms, station, point, code);
                }
                if code == CLOSED {
                    self.has_closed(at_ms, (station, bay));
                }
            }
            What::ByHand { point, code } => {
                let bay = self.province.stations[station].points[point].bay;
                if self.stations[station].scheme.point(bay, "CB.POS") == Some(point) {
                    self.take_over(at_ms, (station, bay));
                }
                self.set(at_ms, station, point, code);
            }
            What::Strike { bay, fault } => self.strike(at_ms, station, bay, fault),
            What::SetIn { bay, run, point, code } => {
                if self.stations[station].guards[bay].run == run {
                    self.set(at_ms, station, point, code);
                }
            }
            What::Reclose { bay, run } => self.reclose(at_ms, (station, bay), run),
            What::Repair { bay } => self.repair(at_ms, station, bay),
            What::Return { bay, run } => self.go_back(at_ms, (station, bay), run),
            What::Source { line, closed } => {
                self.network.switch_source(line, closed);
                self.switched_ms = at_ms;
            }
            What::Dip { hertz, until_ms } => self.dip = (hertz, until_ms),
            What::Tap { transformer, position } => {
                let own = &mut self.stations[station].transformers[transformer];
                (own.tap, own.stepping) = (position, false);
                let bay = own.bay;
                self.set_in(at_ms, station, bay, "OLTC.PROG", 0);
                self.set_in(at_ms, station, bay, "OLTC.MIN", u8::from(position == *TAPS.start()));
                self.set_in(at_ms, station, bay, "OLTC.MAX", u8::from(position == *TAPS.end()));
                if let Some(point) = self.stations[station].scheme.point(bay, "OLTC.OPS") {
                    self.stations[station].count(point);
                }
            }
        }
    }

    fn drive(&self, station: usize, bay: usize) -> &'static Drive {
        let scheme = &self.stations[station].scheme;
        let level = scheme.section_of[bay].map_or(0, |section| scheme.sections[section].0);
        if level >= 110 { &DRIVE_110 } else { &DRIVE_MV }
    }

    /// The breaker of a bay gets an opening impulse: whether it moves. One that is not closed, is
    /// under way, or cannot trip does not.
    pub(crate) fn open(&mut self, at_ms: i64, station: usize, bay: usize) -> bool {
        let scheme = &self.stations[station].scheme;
        let Some(point) = scheme.point(bay, "CB.POS") else { return false };
        let (ops, is_bank) = (scheme.point(bay, "CB.OPS"), scheme.roles[bay] == Role::Capacitor);
        let state = &self.stations[station];
        let driven = at_ms < state.guards[bay].driven_until_ms;
        if state.code(point) != CLOSED || driven || state.cannot_trip(bay) {
            return false;
        }
        let (left, arrived) = self.drive(station, bay).open;
        self.stations[station].guards[bay].driven_until_ms = at_ms + arrived;
        self.later(at_ms + left, station, What::Set { point, code: BETWEEN });
        self.later(at_ms + arrived, station, What::Arrive { bay, code: OPEN });
        if let Some(point) = ops {
            self.later(at_ms + arrived, station, What::Count { point });
        }
        if is_bank {
            let until_ms = at_ms + arrived + DISCHARGE_MS;
            self.later_set(at_ms + arrived, (station, bay), "DISCH.BLK", 1);
            self.later_set(until_ms, (station, bay), "DISCH.BLK", 0);
        }
        true
    }

    /// The breaker of a bay gets a closing impulse: whether it moves. One that is not open, is
    /// under way, has no gas or no charged spring does not.
    pub(crate) fn close(&mut self, at_ms: i64, station: usize, bay: usize) -> bool {
        let Some(point) = self.stations[station].scheme.point(bay, "CB.POS") else { return false };
        let state = &self.stations[station];
        let guard = state.guards[bay];
        let ready = at_ms >= guard.driven_until_ms && at_ms >= guard.charged_ms;
        let blocked = ["CB.SPRING", "CB.SF6_2", "PNL.GAS"].iter().any(|id| state.is_set(bay, id));
        if state.code(point) != OPEN || !ready || blocked {
            return false;
        }
        let (left, arrived) = self.drive(station, bay).close;
        let found = at_ms + arrived + SPRING_FOUND_MS;
        let guard = &mut self.stations[station].guards[bay];
        (guard.driven_until_ms, guard.charged_ms) = (at_ms + arrived, found + SPRING_CHARGE_MS);
        self.later(at_ms + left, station, What::Set { point, code: BETWEEN });
        self.later(at_ms + arrived, station, What::Arrive { bay, code: CLOSED });
        self.later_set(found, (station, bay), "CB.SPRING", 1);
        self.later_set(found + SPRING_CHARGE_MS, (station, bay), "CB.SPRING", 0);
        true
    }

    /// A motor-driven switch starts to move; when it arrives, UTC milliseconds.
    pub(crate) fn travel(&mut self, at_ms: i64, station: usize, point: usize, code: u8) -> i64 {
        self.set(at_ms, station, point, BETWEEN);
        self.later(at_ms + DISCONNECTOR_MS, station, What::Set { point, code });
        at_ms + DISCONNECTOR_MS
    }

    /// A tap changer starts to move by one position up or down; when it arrives. `None` when it is
    /// under way, or stands at its end.
    pub(crate) fn step_tap(
        &mut self,
        at_ms: i64,
        station: usize,
        transformer: usize,
        up: bool,
    ) -> Option<i64> {
        let own = &mut self.stations[station].transformers[transformer];
        let position = if up { own.tap + 1 } else { own.tap - 1 };
        if own.stepping || !TAPS.contains(&position) {
            return None;
        }
        own.stepping = true;
        let bay = own.bay;
        self.set_in(at_ms, station, bay, "OLTC.PROG", 1);
        self.later(at_ms + TAP_MS, station, What::Tap { transformer, position });
        Some(at_ms + TAP_MS)
    }
}
