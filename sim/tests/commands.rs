//! Commands by select before operate: what they do, and every reason to refuse one.

use std::sync::Arc;

use config::{ChannelId, Encoding, Province, Register, RegisterTable, blocks, commands};
use sim::{CommandOutcome, Field, Refusal, ShortCircuit};

/// Wednesday 2022-11-23, 10:00 in Hòa Bình.
const START_MS: i64 = 1_669_172_400_000;
const SELECT: u16 = 1;
const EXECUTE: u16 = 2;
const CANCEL: u16 = 3;
const OPEN: u16 = 1;
const CLOSE: u16 = 2;

/// A centre at work on a field.
struct Desk {
    province: Arc<Province>,
    field: Field,
    at_ms: i64,
}

impl Desk {
    fn new() -> Self {
        let province = Arc::new(Province::built_in());
        let mut field = Field::new(Arc::clone(&province));
        field.step(START_MS);
        Self { province, field, at_ms: START_MS }
    }

    fn wait(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.at_ms += 1_000;
            self.field.step(self.at_ms);
        }
    }

    fn channel(&self, point: &str, centre: &str) -> ChannelId {
        let station = self.province.station(&point[..4]).expect("a station");
        self.province.channel_id(station, self.province.centre(centre).expect("a centre"))
    }

    /// Sets statuses as the plant has them.
    fn given(&mut self, conditions: &[(&str, u8)]) {
        for (id, code) in conditions {
            let station = self.province.station(&id[..4]).expect("a station");
            let point = self.province.stations[station.index()].point(id).expect("a point");
            self.field.set(self.at_ms, station, point, *code);
        }
        self.wait(1);
    }

    fn write(&mut self, centre: &str, command: &str, rest: [u16; 3]) -> Result<(), Refusal> {
        let channel = self.channel(command, centre);
        let own = &self.province.channels[channel.index()];
        let station = &self.province.stations[own.station.index()];
        let point = station.point(command).expect("a command");
        let register = own.entries[point.index()].register.expect("it is mapped");
        let [order, mode, token] = rest;
        let values = [register.address, order, mode, token];
        self.field.write_registers(self.at_ms, channel, register.unit, blocks::COMMAND, &values)
    }

    /// Result of a command, as a client reads it.
    fn result(&self, centre: &str, command: &str) -> u16 {
        let channel = self.channel(command, centre);
        let own = &self.province.channels[channel.index()];
        let point = self.province.stations[own.station.index()].point(command).expect("a command");
        let register = own.entries[point.index()].register.expect("it is mapped");
        let image = self.field.image(channel);
        let read = |address| {
            image.read(register.unit, RegisterTable::Holding, address, 1).expect("it can be read")
                [0]
        };
        let (own, block) = (read(register.address), read(blocks::COMMAND + 4));
        assert_eq!(own, block, "the block says the same of its last command");
        own
    }

    /// Selects and executes; the result after each.
    fn operate(&mut self, command: &str, order: u16) -> (u16, u16) {
        self.write("CC", command, [order, SELECT, 7]).expect("a write that is well formed");
        let selected = self.result("CC", command);
        self.write("CC", command, [order, EXECUTE, 7]).expect("a write that is well formed");
        (selected, self.result("CC", command))
    }

    fn value(&self, id: &str) -> f64 {
        let station = self.province.station(&id[..4]).expect("a station");
        let point = self.province.stations[station.index()].point(id).expect("a point");
        self.field.value(station, point)
    }
}

fn code(outcome: CommandOutcome) -> u16 {
    outcome as u16
}

#[test]
fn a_breaker_is_selected_executed_and_confirmed() {
    let mut desk = Desk::new();
    let command = "HB04.22.471.CB.CMD";
    let steps = (code(CommandOutcome::Selected), code(CommandOutcome::Executing));
    assert_eq!(desk.operate(command, OPEN), steps);
    desk.wait(2);
    assert_eq!(desk.result("CC", command), code(CommandOutcome::Done));
    assert!((desk.value("HB04.22.471.CB.POS") - 1.0).abs() < 0.1);
    assert!(desk.value("HB04.22.471.P").abs() < 1e-9);
    assert_eq!(desk.operate(command, CLOSE), steps);
    desk.wait(2);
    assert_eq!(desk.result("CC", command), code(CommandOutcome::Done));
    assert!(desk.value("HB04.22.471.P") > 0.1);
}

#[test]
fn a_disconnector_a_tap_changer_and_a_regulator_obey() {
    let mut desk = Desk::new();
    let steps = (code(CommandOutcome::Selected), code(CommandOutcome::Executing));
    assert_eq!(desk.operate("HB01.110.131.F90.CMD", OPEN), steps);
    desk.wait(1);
    assert_eq!(desk.result("CC", "HB01.110.131.F90.CMD"), code(CommandOutcome::Done));
    let tap = desk.value("HB01.110.131.TAP.POS");
    assert_eq!(desk.operate("HB01.110.131.TAP.CMD", 2), steps);
    desk.wait(3);
    assert_eq!(desk.operate("HB01.110.131.TAP.CMD", 2).0, code(CommandOutcome::Moving));
    desk.wait(5);
    assert!((desk.value("HB01.110.131.TAP.POS") - tap - 1.0).abs() < 0.1);
    // A disconnector only behind an open breaker; ten seconds of travel.
    assert_eq!(desk.operate("HB04.110.171.DS7.CMD", OPEN).0, code(CommandOutcome::Interlocked));
    assert_eq!(desk.operate("HB04.110.171.CB.CMD", OPEN), steps);
    desk.wait(2);
    assert_eq!(desk.operate("HB04.110.171.DS7.CMD", OPEN), steps);
    desk.wait(5);
    assert!(desk.value("HB04.110.171.DS7.POS").abs() < 0.1, "under way");
    desk.wait(7);
    assert!((desk.value("HB04.110.171.DS7.POS") - 1.0).abs() < 0.1);
    assert_eq!(desk.result("CC", "HB04.110.171.DS7.CMD"), code(CommandOutcome::Done));
}

#[test]
fn every_condition_refuses_with_its_code() {
    // What stands in the way, the command, its order, and what comes of the selection.
    let line = "HB02.110.172";
    let cases: &[(&[&str], &str, u16, CommandOutcome)] = &[
        (&["HB02.0.STN.STN.RL=0"], "CB.CMD", OPEN, CommandOutcome::StationLocal),
        (&["BAY.RL=0"], "CB.CMD", OPEN, CommandOutcome::BayLocal),
        (&["CB.RL=0"], "CB.CMD", OPEN, CommandOutcome::DriveLocal),
        (&["HB02.0.STN.STN.RMT=1"], "CB.CMD", OPEN, CommandOutcome::NoAuthority),
        (&[], "CB.CMD", CLOSE, CommandOutcome::AlreadyThere),
        (&["CB.POS=0"], "CB.CMD", CLOSE, CommandOutcome::Moving),
        (&["CB.POS=3"], "CB.CMD", CLOSE, CommandOutcome::Moving),
        (&["CB.DC1=1", "F74.TC2=1"], "CB.CMD", OPEN, CommandOutcome::NoControlPower),
        (&["CB.SF6_2=1"], "CB.CMD", OPEN, CommandOutcome::LowGas),
        (&["BCU.FAIL=1"], "CB.CMD", OPEN, CommandOutcome::UnitFailed),
        (&["CB.POS=1", "CB.SPRING=1"], "CB.CMD", CLOSE, CommandOutcome::SpringUncharged),
        (&["CB.POS=1", "F86.OP=1"], "CB.CMD", CLOSE, CommandOutcome::LockedOut),
        (&["CB.POS=1", "ES76.POS=2"], "CB.CMD", CLOSE, CommandOutcome::Interlocked),
        (&["CB.POS=1", "DS7.POS=0"], "CB.CMD", CLOSE, CommandOutcome::Interlocked),
        (&["CB.POS=1", "VT.MCB=1"], "CB.CMD", CLOSE, CommandOutcome::NotInStep),
        (&[], "DS1.CMD", OPEN, CommandOutcome::Interlocked),
        (&["CB.POS=1", "DS.RL=0"], "DS1.CMD", OPEN, CommandOutcome::DriveLocal),
        (&["CB.POS=1", "DS.MOTOR=1"], "DS1.CMD", OPEN, CommandOutcome::NoControlPower),
    ];
    for (conditions, command, order, expected) in cases {
        let mut desk = Desk::new();
        let full = |id: &str| {
            if id.starts_with("HB") { id.to_owned() } else { format!("{line}.{id}") }
        };
        for condition in *conditions {
            let (id, value) = condition.split_once('=').expect("id=code");
            desk.given(&[(&full(id), value.parse().expect("a code"))]);
        }
        let (selected, executed) = desk.operate(&full(command), *order);
        assert_eq!(selected, code(*expected), "{conditions:?}: {command} {order}");
        assert_eq!(executed, code(CommandOutcome::NotSelected), "{conditions:?}");
    }
}

#[test]
fn conditions_of_banks_tap_changers_and_authority() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.operate("HB04.110.131.TAP.CMD", 2).0,
        code(CommandOutcome::Interlocked),
        "automatic"
    );
    desk.given(&[("HB04.110.131.F90.AUTO", 0), ("HB04.110.131.OLTC.RL", 0)]);
    assert_eq!(desk.operate("HB04.110.131.TAP.CMD", 2).0, code(CommandOutcome::DriveLocal));
    desk.given(&[("HB04.110.131.OLTC.RL", 1)]);
    for _ in 0..20 {
        desk.operate("HB04.110.131.TAP.CMD", 2);
        desk.wait(8);
    }
    assert_eq!(desk.operate("HB04.110.131.TAP.CMD", 2).1, code(CommandOutcome::AtEnd));
    // A bank must discharge before it is closed again.
    let bank = "HB04.22.TBN401";
    desk.given(&[(&format!("{bank}.APFC.AUTO"), 0)]);
    let command = format!("{bank}.CB.CMD");
    if desk.value(&format!("{bank}.CB.POS")) < 1.5 {
        desk.wait(400);
        desk.operate(&command, CLOSE);
        desk.wait(15);
    }
    desk.operate(&command, OPEN);
    desk.wait(2);
    assert_eq!(desk.operate(&command, CLOSE).0, code(CommandOutcome::Discharging));
    desk.wait(310);
    assert_eq!(desk.operate(&command, CLOSE).0, code(CommandOutcome::Selected));
    // The dispatch centre may switch only when it is in charge.
    let line = "HB02.110.172.CB.CMD";
    desk.write("A1", line, [OPEN, SELECT, 1]).expect("a write that is well formed");
    assert_eq!(desk.result("A1", line), code(CommandOutcome::NoAuthority));
    desk.given(&[("HB02.0.STN.STN.RMT", 1)]);
    desk.write("A1", line, [OPEN, SELECT, 1]).expect("a write that is well formed");
    assert_eq!(desk.result("A1", line), code(CommandOutcome::Selected));
}

#[test]
fn a_selection_is_tied_to_its_token_its_order_and_its_time() {
    let mut desk = Desk::new();
    let command = "HB02.110.172.CB.CMD";
    let say = |desk: &mut Desk, rest: [u16; 3]| {
        desk.write("CC", command, rest).expect("a write that is well formed");
        desk.result("CC", command)
    };
    assert_eq!(say(&mut desk, [OPEN, EXECUTE, 7]), code(CommandOutcome::NotSelected));
    assert_eq!(say(&mut desk, [OPEN, SELECT, 7]), code(CommandOutcome::Selected));
    assert_eq!(say(&mut desk, [OPEN, EXECUTE, 8]), code(CommandOutcome::Mismatch));
    assert_eq!(say(&mut desk, [CLOSE, EXECUTE, 7]), code(CommandOutcome::Mismatch));
    assert_eq!(say(&mut desk, [OPEN, CANCEL, 7]), code(CommandOutcome::Cancelled));
    assert_eq!(say(&mut desk, [OPEN, EXECUTE, 7]), code(CommandOutcome::NotSelected));
    assert_eq!(say(&mut desk, [OPEN, SELECT, 7]), code(CommandOutcome::Selected));
    desk.wait(32);
    assert_eq!(desk.result("CC", command), code(CommandOutcome::TimedOut));
    // What has changed since the selection counts.
    assert_eq!(say(&mut desk, [OPEN, SELECT, 7]), code(CommandOutcome::Selected));
    desk.given(&[("HB02.110.172.CB.SF6_2", 1)]);
    assert_eq!(say(&mut desk, [OPEN, EXECUTE, 7]), code(CommandOutcome::LowGas));
    assert!((desk.value("HB02.110.172.CB.POS") - 2.0).abs() < 0.1);
}

#[test]
fn pulses_reset_a_lockout_and_bypass_the_sync_check() {
    let mut desk = Desk::new();
    let station = desk.province.station("HB02").expect("a station");
    let bays = &desk.province.stations[station.index()].bays;
    let bay = bays.iter().position(|bay| bay.name == "172").expect("a bay");
    let fault = ShortCircuit { lasting: true, phase: 1, earth: false, share: 0.2 };
    desk.field.strike(desk.at_ms + 100, station, bay, fault);
    desk.wait(20);
    let command = "HB02.110.172.CB.CMD";
    assert_eq!(desk.operate(command, CLOSE).0, code(CommandOutcome::LockedOut));
    let pulse = |desk: &mut Desk, id: &str| {
        let channel = desk.channel(id, "CC");
        let own = &desk.province.channels[channel.index()];
        let point = desk.province.stations[own.station.index()].point(id).expect("a command");
        let register = own.entries[point.index()].register.expect("it is mapped");
        desk.field.write_coil(desk.at_ms, channel, register.unit, register.address, true)
    };
    assert_eq!(pulse(&mut desk, "HB02.110.172.F86.RST"), Ok(()));
    desk.given(&[("HB02.110.172.VT.MCB", 1)]);
    assert_eq!(desk.operate(command, CLOSE).0, code(CommandOutcome::NotInStep));
    assert_eq!(pulse(&mut desk, "HB02.110.172.F25.BYP"), Ok(()));
    assert_eq!(desk.operate(command, CLOSE).1, code(CommandOutcome::Executing));
}

#[test]
fn a_write_that_is_no_command_is_answered_by_an_exception() {
    let mut desk = Desk::new();
    let channel = desk.channel("HB02.110.172.CB.CMD", "CC");
    let entries = desk.province.channels[channel.index()].entries.clone();
    let clock = |r: &Register| r.encoding == Encoding::K4 && r.table == RegisterTable::Holding;
    let clock = entries.iter().filter_map(|entry| entry.register).find(clock).expect("a clock");
    let mut write = |unit, address, values: &[u16]| {
        desk.field.write_registers(desk.at_ms, channel, unit, address, values)
    };
    assert_eq!(write(clock.unit, clock.address, &[1; 3]), Err(Refusal::IllegalQuantity));
    assert_eq!(write(clock.unit, clock.address, &[1; 4]), Ok(()));
    assert_eq!(write(1, 5, &[1, 1, 1, 1]), Err(Refusal::IllegalAddress));
    assert_eq!(write(1, blocks::COMMAND, &[1, 1, 1]), Err(Refusal::IllegalQuantity));
    assert_eq!(write(1, blocks::COMMAND, &[900, 1, 1, 1]), Err(Refusal::IllegalQuantity));
    assert_eq!(write(1, blocks::COMMAND, &[0, 3, 1, 1]), Err(Refusal::IllegalQuantity));
    assert_eq!(write(1, blocks::COMMAND, &[0, 1, 4, 1]), Err(Refusal::IllegalQuantity));
    assert_eq!(write(200, blocks::COMMAND, &[0, 1, 1, 1]), Err(Refusal::UnitAbsent));
    assert_eq!(write(0, blocks::COMMAND, &[0, 1, 1, 1]), Err(Refusal::UnitAbsent));
    assert_eq!(
        desk.field.write_coil(desk.at_ms, channel, 1, 999, true),
        Err(Refusal::IllegalAddress)
    );
}

#[test]
fn what_is_under_way_is_not_driven_again_and_no_disconnector_opens_under_it() {
    let mut desk = Desk::new();
    let breaker = "HB04.110.171.CB.CMD";
    let channel = desk.channel(breaker, "CC");
    let own = &Arc::clone(&desk.province).channels[channel.index()];
    let station = &Arc::clone(&desk.province).stations[own.station.index()];
    let register = |id: &str| own.entries[station.point(id).expect("a point").index()].register;
    let mut operate = |command: &str, order: u16, at_ms: i64| {
        let register = register(command).expect("it is mapped");
        for mode in [SELECT, EXECUTE] {
            let values = [register.address, order, mode, 7];
            let (unit, block) = (register.unit, blocks::COMMAND);
            desk.field.write_registers(at_ms, channel, unit, block, &values).expect("well formed");
            let image = desk.field.image(channel);
            let result =
                image.read(unit, RegisterTable::Holding, register.address, 1).expect("a result")[0];
            if mode == EXECUTE || result != code(CommandOutcome::Selected) {
                return result;
            }
        }
        unreachable!()
    };
    assert_eq!(operate(breaker, OPEN, START_MS + 100), code(CommandOutcome::Executing));
    assert_eq!(operate(breaker, OPEN, START_MS + 120), code(CommandOutcome::Moving));
    // Open 36 ms after the impulse, not only at the next second.
    assert_eq!(operate(breaker, OPEN, START_MS + 150), code(CommandOutcome::AlreadyThere));
    assert_eq!(operate(breaker, CLOSE, START_MS + 400), code(CommandOutcome::Executing));
    let disconnector = "HB04.110.171.DS7.CMD";
    assert_eq!(operate(disconnector, OPEN, START_MS + 430), code(CommandOutcome::Interlocked));
    assert_eq!(operate(disconnector, OPEN, START_MS + 900), code(CommandOutcome::Interlocked));
    desk.wait(3);
    assert!((desk.value("HB04.110.171.CB.OPS").fract()).abs() < 1e-9);
    assert!((desk.value("HB04.110.171.DS7.POS") - 2.0).abs() < 0.1);
}

#[test]
fn each_centre_reads_what_came_of_its_own_commands() {
    let mut desk = Desk::new();
    let command = "HB02.110.172.CB.CMD";
    desk.write("CC", command, [OPEN, SELECT, 1]).expect("well formed");
    desk.write("A1", command, [OPEN, SELECT, 2]).expect("well formed");
    assert_eq!(desk.result("CC", command), code(CommandOutcome::Selected));
    assert_eq!(desk.result("A1", command), code(CommandOutcome::Mismatch));
    desk.write("CC", command, [OPEN, EXECUTE, 1]).expect("well formed");
    desk.write("A1", command, [OPEN, EXECUTE, 2]).expect("well formed");
    assert_eq!(desk.result("CC", command), code(CommandOutcome::Executing));
    assert_eq!(desk.result("A1", command), code(CommandOutcome::NotSelected));
    desk.wait(2);
    assert_eq!(desk.result("CC", command), code(CommandOutcome::Done));
    // Another selection in the same unit takes the place of the first.
    desk.write("CC", command, [CLOSE, SELECT, 1]).expect("well formed");
    desk.write("CC", "HB02.110.172.F79.CMD", [OPEN, SELECT, 1]).expect("well formed");
    let channel = desk.channel(command, "CC");
    let image = desk.field.image(channel);
    let register = |id: &str| {
        let own = &desk.province.channels[channel.index()];
        let station = &desk.province.stations[own.station.index()];
        own.entries[station.point(id).expect("a command").index()].register.expect("mapped")
    };
    let first = register(command);
    let result =
        image.read(first.unit, RegisterTable::Holding, first.address, 1).expect("a result")[0];
    assert_eq!(result, code(CommandOutcome::Cancelled));
}

#[test]
fn a_bank_under_its_controller_is_nobody_else_s_and_its_controller_minds_the_earth_switch() {
    let mut desk = Desk::new();
    let bank = "HB04.22.TBN401";
    assert_eq!(desk.operate(&format!("{bank}.CB.CMD"), OPEN).0, code(CommandOutcome::Interlocked));
    desk.given(&[(&format!("{bank}.CB.POS"), 1), (&format!("{bank}.ES.POS"), 2)]);
    desk.wait(900);
    assert!((desk.value(&format!("{bank}.CB.POS")) - 1.0).abs() < 0.1, "it stays open");
}

#[test]
fn a_device_that_does_not_do_it_is_not_confirmed() {
    let mut desk = Desk::new();
    let command = "HB04.22.471.CB.CMD";
    assert_eq!(desk.operate(command, OPEN).1, code(CommandOutcome::Executing));
    // Somebody at the panel closes it again at once.
    let station = desk.province.station("HB04").expect("a station");
    let breaker = desk.province.stations[station.index()].point("HB04.22.471.CB.POS");
    desk.field.set(START_MS + 200, station, breaker.expect("a point"), 2);
    desk.wait(2);
    assert_eq!(desk.result("CC", command), code(CommandOutcome::Executing));
    desk.wait(3);
    assert_eq!(desk.result("CC", command), code(CommandOutcome::NotConfirmed));
}

#[test]
fn what_comes_of_commands_is_recorded_in_the_ring_of_the_centre_that_asked() {
    let mut desk = Desk::new();
    let command = "HB04.22.471.CB.CMD";
    desk.operate(command, OPEN);
    desk.wait(2);
    desk.write("CC", command, [OPEN, SELECT, 8]).expect("a write that is well formed");
    let register = {
        let channel = &desk.province.channels[desk.channel(command, "CC").index()];
        let station = &desk.province.stations[channel.station.index()];
        channel.entries[station.point(command).expect("a command").index()].register
    };
    let register = register.expect("it is mapped");
    let records = |centre: &str| {
        let image = desk.field.image(desk.channel(command, centre));
        let read = |address, count| image.read(register.unit, RegisterTable::Input, address, count);
        let header = read(blocks::EVENT_HEADER, 12).expect("it can be read");
        assert_eq!(header[10] & commands::KEPT, commands::KEPT, "it says that it keeps them");
        let ring = read(blocks::EVENT_RING, header[7] * 8).expect("it can be read");
        let records: Vec<Vec<u16>> = ring.chunks(8).map(<[u16]>::to_vec).collect();
        records.into_iter().filter(|record| record[1] & commands::RECORD != 0).collect::<Vec<_>>()
    };
    let own = records("CC");
    let told: Vec<(u16, u16)> = own.iter().map(|record| (record[2], record[3])).collect();
    let value = |outcome: CommandOutcome, mode: u16| {
        (register.address, code(outcome) | OPEN << commands::SHIFTS.0 | mode << commands::SHIFTS.1)
    };
    assert_eq!(
        told,
        [
            value(CommandOutcome::Selected, SELECT),
            value(CommandOutcome::Executing, EXECUTE),
            value(CommandOutcome::Done, 0),
            value(CommandOutcome::AlreadyThere, SELECT),
        ]
    );
    let ms = own[0][4..].iter().fold(0_i64, |ms, word| ms << 16 | i64::from(*word));
    assert_eq!(ms, START_MS, "by the clock of the unit");
    assert!(records("A1").is_empty(), "what one centre asks for is not of the other");
}
