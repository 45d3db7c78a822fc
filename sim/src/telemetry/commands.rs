//! Commands from a centre: select before operate, the conditions for remote switching, and what
//! came of it.
//!
//! A command is selected and then executed by two writes of the unit's command block (command,
//! order, mode, token); the token ties the two together. What came of it stands in the command's
//! own result register and in the block.

use std::collections::BTreeMap;

use config::{ChannelId, Encoding, PointKind, RegisterTable, blocks, commands};

use crate::plant::Plant;
use crate::plant::scheme::Role;
use crate::plant::station::{BETWEEN, CLOSED, OPEN};
use crate::telemetry::image::Refusal;

/// A selection stands so long.
const SELECTED_MS: i64 = 30_000;
/// A command is given up when what it asked for has not come so long after it should have.
const GRACE_MS: i64 = 2_000;
/// Sync-check: largest difference of angle in degrees, and of voltage per unit; a side below the
/// dead voltage is taken for dead and may be joined.
const SYNC_DEGREES: f64 = 20.0;
const SYNC_VOLTS: f64 = 0.10;
const DEAD_VOLTS: f64 = 0.30;

/// What came of a command: the code in its result register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CommandOutcome {
    /// Nobody has asked for anything yet.
    None = 0,
    /// It waits for its execution.
    Selected = commands::SELECTED,
    /// The device is under way.
    Executing = commands::EXECUTING,
    /// Confirmed by position, and by current where there is one.
    Done = commands::DONE,
    /// The selection was taken back.
    Cancelled = commands::CANCELLED,
    /// Execute without a selection.
    NotSelected = commands::FIRST_FAILURE,
    /// The selection was too old.
    TimedOut = 11,
    /// The token or the order is not that of the selection, or another centre has selected.
    Mismatch = 12,
    /// The station is switched to local.
    StationLocal = 20,
    /// The bay control unit is switched to local.
    BayLocal = 21,
    /// The drive is switched to local.
    DriveLocal = 22,
    /// Another centre has the authority.
    NoAuthority = 23,
    /// The interlock forbids it.
    Interlocked = 24,
    /// The sync-check forbids it.
    NotInStep = 25,
    /// Too little SF6 to switch.
    LowGas = 26,
    /// The spring is not charged.
    SpringUncharged = 27,
    /// The lockout relay has not been reset.
    LockedOut = 28,
    /// It is where it should go.
    AlreadyThere = 29,
    /// It is under way, or its position is not known.
    Moving = 30,
    /// No control voltage, or both trip circuits are broken.
    NoControlPower = 31,
    /// The bay control unit or relay is faulty or cannot be reached.
    UnitFailed = 32,
    /// The bank still discharges.
    Discharging = 33,
    /// It stands at its end, or its drive has tripped.
    AtEnd = 34,
    /// The device did not do it.
    NotConfirmed = 40,
}

/// A command that was selected.
#[derive(Debug, Clone, Copy)]
struct Selection {
    point: usize,
    order: u16,
    token: u16,
    channel: ChannelId,
    until_ms: i64,
}

/// A command on its way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    channel: ChannelId,
    station: usize,
    /// The command.
    point: usize,
    order: u16,
    goal: Goal,
    until_ms: i64,
}

/// What a command wants to see.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// A status with a code; a breaker is also asked for its current.
    Code { point: usize, code: u8, breaker: Option<usize> },
    /// A tap changer in a position.
    Tap { transformer: usize, position: u8 },
}

/// The commands of all stations.
#[derive(Default)]
pub(crate) struct Commands {
    /// What was written last, by channel and unit: each centre has its own.
    written: BTreeMap<(ChannelId, u8), Written>,
    /// Selections, by station and unit: one stands at a time.
    selections: BTreeMap<(usize, u8), Selection>,
    /// What came of each command, by channel and point.
    results: BTreeMap<(ChannelId, usize), CommandOutcome>,
    /// Results that nobody has taken over yet.
    said: Vec<Said>,
    pending: Vec<Pending>,
    /// Sync-checks that are bypassed, by station and bay, until.
    bypassed: BTreeMap<(usize, usize), i64>,
}

/// What came of a command, or of a write to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    /// Who asked.
    pub(crate) channel: ChannelId,
    /// The command.
    pub(crate) point: usize,
    /// When, UTC milliseconds since 1970.
    pub(crate) at_ms: i64,
    outcome: CommandOutcome,
    order: u16,
    /// Of the write, 0 when the result came by itself.
    mode: u16,
}

impl Said {
    /// What stands in the result register.
    pub(crate) fn code(&self) -> u16 {
        self.outcome as u16
    }

    /// What stands in the record of it.
    pub(crate) fn value(&self) -> u16 {
        let (order, mode) = commands::SHIFTS;
        self.code() | self.order << order | self.mode << mode
    }
}

/// The last write of a centre to the command block of a unit.
#[derive(Debug, Clone, Copy)]
struct Written {
    cells: [u16; blocks::COMMAND_WRITTEN as usize],
    point: usize,
}

/// Who asks: a channel, its station, and the unit.
#[derive(Debug, Clone, Copy)]
struct Asker {
    channel: ChannelId,
    station: usize,
    unit: u8,
}

impl Commands {
    /// The registers of the command block of a unit, as a channel has it.
    pub(crate) fn cells(
        &self,
        (channel, station, unit): (ChannelId, usize, u8),
        at_ms: i64,
    ) -> [u16; blocks::COMMAND_CELLS as usize] {
        let Some(Written { cells: [a, b, c, d], point }) =
            self.written.get(&(channel, unit)).copied()
        else {
            return [0; blocks::COMMAND_CELLS as usize];
        };
        let result = self.results.get(&(channel, point)).copied().unwrap_or(CommandOutcome::None);
        let own = self.selections.get(&(station, unit)).filter(|s| s.channel == channel);
        let left = own.map_or(0, |s| (s.until_ms - at_ms).max(0) / 1_000);
        [a, b, c, d, result as u16, u16::try_from(left).unwrap_or(u16::MAX)]
    }

    /// What came of commands since the last call, in the order in which it came.
    pub(crate) fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// Looks after commands on their way: once a second.
    pub(crate) fn follow(&mut self, plant: &Plant) {
        let at_ms = plant.now.at_ms;
        for command in std::mem::take(&mut self.pending) {
            let Pending { channel, station, point, order, goal, until_ms } = command;
            let said = |outcome| Said { channel, point, at_ms, outcome, order, mode: 0 };
            if plant.has(station, goal) {
                self.say(said(CommandOutcome::Done));
            } else if at_ms > until_ms {
                self.say(said(CommandOutcome::NotConfirmed));
            } else {
                self.pending.push(command);
            }
        }
        self.bypassed.retain(|_, until_ms| *until_ms > at_ms);
        let old: Vec<(usize, u8)> = self
            .selections
            .iter()
            .filter(|(_, selection)| selection.until_ms < at_ms)
            .map(|(key, _)| *key)
            .collect();
        for key in old {
            if let Some(Selection { channel, point, order, .. }) = self.selections.remove(&key) {
                let outcome = CommandOutcome::TimedOut;
                self.say(Said { channel, point, at_ms, outcome, order, mode: 0 });
            }
        }
    }

    /// Says to a centre what came of its command.
    fn say(&mut self, said: Said) {
        self.results.insert((said.channel, said.point), said.outcome);
        self.said.push(said);
    }

    /// Takes a write of registers: the command block of a unit, or a clock.
    ///
    /// # Errors
    /// The exception to answer with, when the write is none of these.
    pub(crate) fn write_registers(
        &mut self,
        plant: &mut Plant,
        at_ms: i64,
        channel: ChannelId,
        (unit, address, values): (u8, u16, &[u16]),
    ) -> Result<(), Refusal> {
        let province = std::sync::Arc::clone(&plant.province);
        let own = &province.channels[channel.index()];
        let station = own.station.index();
        let command_at = |address: u16, encoding: Encoding| {
            own.entries.iter().position(|entry| {
                entry.register.is_some_and(|register| {
                    register.table == RegisterTable::Holding
                        && (register.unit, register.address) == (unit, address)
                        && register.encoding == encoding
                })
            })
        };
        if address != blocks::COMMAND {
            // Four registers of milliseconds. The station's own clock is a good one: what is left
            // of the write is that it counts as synchronised.
            if command_at(address, Encoding::K4).is_none() {
                return Err(Refusal::IllegalAddress);
            }
            if values.len() != 4 {
                return Err(Refusal::IllegalQuantity);
            }
            plant.synchronise(at_ms, station);
            return Ok(());
        }
        let [address, order, mode, token] = *values else {
            return Err(Refusal::IllegalQuantity);
        };
        let of_unit = |entry: &config::Entry| entry.register.is_some_and(|r| r.unit == unit);
        if !own.entries.iter().any(of_unit) {
            return Err(Refusal::UnitAbsent);
        }
        let point = command_at(address, Encoding::K2).ok_or(Refusal::IllegalQuantity)?;
        if !(1..=2).contains(&order) || !(1..=3).contains(&mode) {
            return Err(Refusal::IllegalQuantity);
        }
        let cells = [address, order, mode, token];
        self.written.insert((channel, unit), Written { cells, point });
        let asked = Selection { point, order, token, channel, until_ms: at_ms + SELECTED_MS };
        let asker = Asker { channel, station, unit };
        let outcome = match mode {
            1 => self.select(plant, at_ms, asker, asked),
            2 => self.execute(plant, at_ms, asker, asked),
            _ => self.cancel(asker, asked),
        };
        self.say(Said { channel, point, at_ms, outcome, order, mode });
        Ok(())
    }

    fn select(
        &mut self,
        plant: &Plant,
        at_ms: i64,
        Asker { channel, station, unit }: Asker,
        asked: Selection,
    ) -> CommandOutcome {
        let standing = self.selections.get(&(station, unit)).copied();
        let standing = standing.filter(|standing| standing.until_ms >= at_ms);
        if standing.is_some_and(|standing| standing.channel != channel) {
            return CommandOutcome::Mismatch;
        }
        if let Some(refused) = self.refused(plant, at_ms, station, asked) {
            return refused;
        }
        if let Some(Selection { point, order, .. }) = standing {
            let outcome = CommandOutcome::Cancelled;
            self.say(Said { channel, point, at_ms, outcome, order, mode: 0 });
        }
        self.selections.insert((station, unit), asked);
        CommandOutcome::Selected
    }

    fn cancel(&mut self, Asker { station, unit, .. }: Asker, asked: Selection) -> CommandOutcome {
        match self.selections.get(&(station, unit)) {
            Some(own) if (own.point, own.channel) == (asked.point, asked.channel) => {
                self.selections.remove(&(station, unit));
                CommandOutcome::Cancelled
            }
            _ => CommandOutcome::NotSelected,
        }
    }

    fn execute(
        &mut self,
        plant: &mut Plant,
        at_ms: i64,
        Asker { channel, station, unit }: Asker,
        asked: Selection,
    ) -> CommandOutcome {
        let own = self.selections.get(&(station, unit)).copied();
        let Some(own) = own.filter(|own| own.channel == channel) else {
            return CommandOutcome::NotSelected;
        };
        if own.until_ms < at_ms {
            self.selections.remove(&(station, unit));
            return CommandOutcome::TimedOut;
        }
        let key = |s: Selection| (s.point, s.order, s.token);
        if key(own) != key(asked) {
            return CommandOutcome::Mismatch;
        }
        self.selections.remove(&(station, unit));
        // Between select and execute the world may have changed.
        if let Some(refused) = self.refused(plant, at_ms, station, asked) {
            return refused;
        }
        let point = asked.point;
        match plant.obey(at_ms, station, point, asked.order) {
            Some((goal, arrives_ms)) => {
                let until_ms = arrives_ms + GRACE_MS;
                self.pending.retain(|p| (p.station, p.point) != (station, point));
                let order = asked.order;
                self.pending.push(Pending { channel, station, point, order, goal, until_ms });
                CommandOutcome::Executing
            }
            None => CommandOutcome::AtEnd,
        }
    }

    /// Takes a pulse of a coil.
    ///
    /// # Errors
    /// Exception 02 when no command stands there.
    pub(crate) fn write_coil(
        &mut self,
        plant: &mut Plant,
        at_ms: i64,
        channel: ChannelId,
        (unit, address, on): (u8, u16, bool),
    ) -> Result<(), Refusal> {
        let province = std::sync::Arc::clone(&plant.province);
        let own = &province.channels[channel.index()];
        let station = own.station.index();
        let found = own.entries.iter().position(|entry| {
            entry.register.is_some_and(|register| {
                register.table == RegisterTable::Coil
                    && (register.unit, register.address) == (unit, address)
            })
        });
        let point = found.ok_or(Refusal::IllegalAddress)?;
        let Some(bay) = plant.bay_of(station, point).filter(|_| on) else { return Ok(()) };
        if plant.keys(station, bay, channel).is_some() {
            return Ok(());
        }
        match province.stations[station].points[point].spec.id.as_str() {
            "F86.RST" => {
                for id in ["F86.OP", "F79.LO"] {
                    plant.set_in(at_ms, station, bay, id, 0);
                }
            }
            "F25.BYP" => {
                self.bypassed.insert((station, bay), at_ms + SELECTED_MS);
            }
            "FPUMP.CMD" => plant.set_in(at_ms, station, bay, "FIRE.PUMP", 1),
            _ => {}
        }
        Ok(())
    }

    /// Why a command may not be executed now.
    fn refused(
        &self,
        plant: &Plant,
        at_ms: i64,
        station: usize,
        asked: Selection,
    ) -> Option<CommandOutcome> {
        let bay = plant.bay_of(station, asked.point)?;
        if let Some(key) = plant.keys(station, bay, asked.channel) {
            return Some(key);
        }
        let own = &plant.stations[station];
        let failed = ["BCU.FAIL", "BCU.COM", "REL.FAIL", "REL.COM"];
        if failed.iter().any(|id| own.is_set(bay, id)) {
            return Some(CommandOutcome::UnitFailed);
        }
        let id = plant.province.stations[station].points[asked.point].spec.id.as_str();
        let close = asked.order == 2;
        match id {
            "CB.CMD" => {
                // While the controller has a bank, nobody else switches it.
                if own.is_set(bay, "APFC.AUTO") {
                    return Some(CommandOutcome::Interlocked);
                }
                let until = self.bypassed.get(&(station, bay));
                let bypassed = until.is_some_and(|until| *until > at_ms);
                plant.breaker_refuses(station, bay, close, bypassed)
            }
            "DS1.CMD" | "DS2.CMD" | "DS3.CMD" | "DS7.CMD" => {
                plant.disconnector_refuses(station, bay, id, close)
            }
            "TAP.CMD" => plant.tap_refuses(station, bay),
            "COOL.CMD" => own.is_set(bay, "COOL.AUTO").then_some(CommandOutcome::Interlocked),
            _ => None,
        }
    }
}

impl Plant {
    fn bay_of(&self, station: usize, point: usize) -> Option<usize> {
        self.province.stations[station].points.get(point).map(|point| point.bay)
    }

    /// Who has the authority: the keys of station, bay and drive, and the centre in charge.
    fn keys(&self, station: usize, bay: usize, channel: ChannelId) -> Option<CommandOutcome> {
        let own = &self.stations[station];
        let local = |bay: usize, id: &str| own.status(bay, id) == Some(0);
        let mut commons = own.scheme.commons();
        if commons.clone().any(|bay| local(bay, "STN.RL")) {
            return Some(CommandOutcome::StationLocal);
        }
        if local(bay, "BAY.RL") {
            return Some(CommandOutcome::BayLocal);
        }
        if local(bay, "CB.RL") {
            return Some(CommandOutcome::DriveLocal);
        }
        // 0 is the first centre of the contract, 1 the second.
        let centre = self.province.channels[channel.index()].centre.index();
        let in_charge = commons.find_map(|bay| own.status(bay, "STN.RMT")).map(usize::from);
        (in_charge.is_some_and(|own| own != centre)).then_some(CommandOutcome::NoAuthority)
    }

    /// Why the breaker of a bay may not be switched, keys and authority aside.
    pub(crate) fn breaker_refuses(
        &self,
        station: usize,
        bay: usize,
        close: bool,
        bypassed: bool,
    ) -> Option<CommandOutcome> {
        let own = &self.stations[station];
        let set = |id: &str| own.is_set(bay, id);
        match (own.status(bay, "CB.POS")?, close) {
            (CLOSED, true) | (OPEN, false) => return Some(CommandOutcome::AlreadyThere),
            (CLOSED | OPEN, _) => {}
            _ => return Some(CommandOutcome::Moving),
        }
        if self.now_ms < own.guards[bay].driven_until_ms {
            return Some(CommandOutcome::Moving);
        }
        if own.lacks_power(bay) {
            return Some(CommandOutcome::NoControlPower);
        }
        if own.lacks_gas(bay) {
            return Some(CommandOutcome::LowGas);
        }
        if !close {
            return None;
        }
        if set("F86.OP") || set("F79.LO") {
            return Some(CommandOutcome::LockedOut);
        }
        if set("CB.SPRING") || self.now_ms < own.guards[bay].charged_ms {
            return Some(CommandOutcome::SpringUncharged);
        }
        if set("DISCH.BLK") {
            return Some(CommandOutcome::Discharging);
        }
        // Nothing may be earthed that would be energised, and no switch under way.
        if own.is_earthed(bay) {
            return Some(CommandOutcome::Interlocked);
        }
        let chain = own.scheme.chain(bay);
        let breaker = own.scheme.point(bay, "CB.POS");
        let under_way = |point: &usize| Some(*point) != breaker && own.code(*point) == BETWEEN;
        if chain.iter().any(under_way) {
            return Some(CommandOutcome::Interlocked);
        }
        let joins = matches!(own.scheme.roles[bay], Role::Line | Role::Coupler);
        (joins && !bypassed && !self.in_step(station, bay)).then_some(CommandOutcome::NotInStep)
    }

    /// A disconnector moves only while its breaker is open and nothing at it is earthed.
    fn disconnector_refuses(
        &self,
        station: usize,
        bay: usize,
        command: &str,
        close: bool,
    ) -> Option<CommandOutcome> {
        let own = &self.stations[station];
        let position = command.replace(".CMD", ".POS");
        match (own.status(bay, &position)?, close) {
            (CLOSED, true) | (OPEN, false) => return Some(CommandOutcome::AlreadyThere),
            (CLOSED | OPEN, _) => {}
            _ => return Some(CommandOutcome::Moving),
        }
        if own.status(bay, "DS.RL") == Some(0) {
            return Some(CommandOutcome::DriveLocal);
        }
        if own.is_set(bay, "DS.MOTOR") {
            return Some(CommandOutcome::NoControlPower);
        }
        if own.is_set(bay, "ILK.BYP") {
            return None;
        }
        let still = self.now_ms >= own.guards[bay].driven_until_ms;
        let open = own.status(bay, "CB.POS") == Some(OPEN) && still;
        (!open || own.is_earthed(bay)).then_some(CommandOutcome::Interlocked)
    }

    fn tap_refuses(&self, station: usize, bay: usize) -> Option<CommandOutcome> {
        let own = &self.stations[station];
        if own.status(bay, "OLTC.RL") == Some(0) {
            return Some(CommandOutcome::DriveLocal);
        }
        if own.is_set(bay, "OLTC.MCB") {
            return Some(CommandOutcome::NoControlPower);
        }
        // While the regulator has it, nobody else steps it.
        if own.is_set(bay, "F90.AUTO") {
            return Some(CommandOutcome::Interlocked);
        }
        own.is_set(bay, "OLTC.PROG").then_some(CommandOutcome::Moving)
    }

    /// Whether the two sides of a breaker could be joined: one of them is dead, or voltage and
    /// angle are near enough. Without its voltage transformer the relay cannot tell.
    pub(crate) fn in_step(&self, station: usize, bay: usize) -> bool {
        let own = &self.stations[station];
        if own.is_set(bay, "VT.MCB") || own.is_set(bay, "VTS") {
            return false;
        }
        let Some(section) = own.scheme.section_of[bay] else { return true };
        let (near, here) = self.network.bus_side(station, section);
        let (far, there) = match own.scheme.roles[bay] {
            Role::Coupler => {
                let (level, _) = own.scheme.sections[section];
                let first = own.scheme.section(level, 1).unwrap_or(section);
                self.network.bus_side(station, first)
            }
            _ => self.network.line_side(station, bay),
        };
        let dead = near < DEAD_VOLTS || far < DEAD_VOLTS;
        dead || ((near - far).abs() <= SYNC_VOLTS && (here - there).abs() <= SYNC_DEGREES)
    }

    /// Does what a command asks for: what it will come to, and when. `None` when it cannot.
    fn obey(
        &mut self,
        at_ms: i64,
        station: usize,
        command: usize,
        order: u16,
    ) -> Option<(Goal, i64)> {
        let province = std::sync::Arc::clone(&self.province);
        let spec = &province.stations[station].points[command].spec;
        let bay = province.stations[station].points[command].bay;
        let own = &self.stations[station];
        let point = |id: &str| own.scheme.point(bay, id);
        if spec.id == "CB.CMD" {
            let (point, close) = (point("CB.POS")?, order == 2);
            self.take_over(at_ms, (station, bay));
            if close {
                self.set_in(at_ms, station, bay, "F81.OP", 0);
                self.close(at_ms, station, bay);
            } else {
                self.open(at_ms, station, bay);
            }
            let code = if close { CLOSED } else { OPEN };
            return Some((Goal::Code { point, code, breaker: Some(bay) }, at_ms + 1_000));
        }
        if spec.id == "TAP.CMD" {
            let Role::Transformer(transformer) = own.scheme.roles[bay] else { return None };
            let tap = own.transformers[transformer].tap;
            let up = order == 2;
            let arrives = self.step_tap(at_ms, station, transformer, up)?;
            let position = if up { tap + 1 } else { tap - 1 };
            return Some((Goal::Tap { transformer, position }, arrives));
        }
        let switched = match spec.id.as_str() {
            "F79.CMD" => "F79.ON",
            "F90.CMD" => "F90.AUTO",
            "COOL.CMD" => "COOL.G1",
            "COOL.MODE" => "COOL.AUTO",
            "LIGHT.CMD" => "LIGHT.ON",
            other => {
                let point = point(&format!("{}.POS", other.strip_suffix(".CMD")?))?;
                let code = if order == 2 { CLOSED } else { OPEN };
                let arrives = self.travel(at_ms, station, point, code);
                return Some((Goal::Code { point, code, breaker: None }, arrives));
            }
        };
        let (point, code) = (point(switched)?, u8::from(orders_second(spec.kind, order)));
        self.set(at_ms, station, point, code);
        Some((Goal::Code { point, code, breaker: None }, at_ms))
    }

    /// Whether a command has come to what it wanted.
    fn has(&self, station: usize, goal: Goal) -> bool {
        let own = &self.stations[station];
        match goal {
            Goal::Code { point, code, breaker } => {
                let current = breaker.is_none_or(|bay| {
                    let at = own.bays[bay].at;
                    code != OPEN || libm::hypot(at.p, at.q) < 0.5
                });
                own.code(point) == code && current
            }
            Goal::Tap { transformer, position } => {
                own.transformers[transformer].tap == position
                    && !own.transformers[transformer].stepping
            }
        }
    }

    /// Somebody has set the station's clock.
    fn synchronise(&mut self, at_ms: i64, station: usize) {
        for bay in 0..self.stations[station].bays.len() {
            for id in ["BCU.SYNC", "GPS.FAIL"] {
                self.set_in(at_ms, station, bay, id, 0);
            }
        }
    }
}

/// Orders are written off and on, or manual and automatic: the second one sets.
fn orders_second(kind: PointKind, order: u16) -> bool {
    kind == PointKind::DoubleCommand && order == 2
}
