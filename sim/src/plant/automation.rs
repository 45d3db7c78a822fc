//! What a station does by itself, second by second: tap changers, capacitor banks, fans, alarms by
//! threshold, the batteries.

use crate::plant::Plant;
use crate::plant::quantity::HOTTEST_WINDING_K;
use crate::plant::scheme::Role;
use crate::plant::station::{CLOSED, FLOAT_VOLTS, HELD_VOLTS, OPEN, TAPS, WINDING_EXPONENT};

/// Half of the band round the voltage that regulators hold which they leave alone, per unit. Busbars are
/// to stay within 5 % of their nominal voltage: band, a step that is still to come and the side that is
/// not regulated take 3 % of it together.
const BAND: f64 = 0.0135;
/// Seconds outside the band until the first step, and until the next.
const FIRST_STEP_S: i32 = 45;
const NEXT_STEP_S: i32 = 12;
/// A regulator leaves a collapsing voltage alone, per unit.
const BLOCKED_BELOW: f64 = 0.80;
/// A bank is wanted when its transformer draws more reactive power than this share of the bank,
/// and is not when less than that, for so many seconds.
const BANK_IN: f64 = 1.1;
const BANK_OUT: f64 = -0.05;
const BANK_S: i32 = 120;
/// Top-oil rise at the rating, K, its exponent, the losses at the rating over those without load,
/// and the time constant, hours (natural cooling).
const OIL_RISE_K: f64 = 52.0;
const OIL_EXPONENT: f64 = 0.8;
const LOSS_RATIO: f64 = 6.0;
const OIL_HOURS: f64 = 2.5;
/// Fans run above this oil temperature and stop below that, °C; with them the rise is so much less.
const FANS: (f64, f64) = (60.0, 52.0);
const FANS_COOL: f64 = 0.75;
/// Oil and winding alarms, °C, and the kelvin by which they drop again.
const OIL_ALARM: f64 = 85.0;
const WINDING_ALARM: f64 = 105.0;
const HYSTERESIS_K: f64 = 3.0;
/// Under- and over-voltage of a busbar, per unit.
const LOW_VOLTS: f64 = 0.80;
const HIGH_VOLTS: f64 = 1.15;
/// Batteries without chargers fall by so much an hour, V, to the least that a day leaves.
const DISCHARGE_V_PER_HOUR: f64 = 1.6;
const FLAT_VOLTS: f64 = 198.0;
/// Alarm of the DC supply, V.
const DC_LOW_VOLTS: f64 = 220.0;

/// One second in a station.
pub(crate) fn second(plant: &mut Plant, n: usize, seconds: f64) {
    for transformer in 0..plant.stations[n].transformers.len() {
        regulate(plant, n, transformer, seconds);
        warm(plant, n, transformer, seconds);
    }
    for bank in 0..plant.stations[n].capacitors.len() {
        compensate(plant, n, bank, seconds);
    }
    watch_busbars(plant, n);
    watch_lines(plant, n);
    supply(plant, n, seconds);
}

/// Steps every tap changer whose voltage is outside its band at once, for a quiet start; how many
/// have moved.
pub(crate) fn settle(plant: &mut Plant, n: usize) -> usize {
    let mut moved = 0;
    for transformer in 0..plant.stations[n].transformers.len() {
        let wanted = match volts_held(plant, n, transformer) {
            Some(volts) if volts > HELD_VOLTS + BAND => -1,
            Some(volts) if volts > BLOCKED_BELOW && volts < HELD_VOLTS - BAND => 1,
            _ => 0,
        };
        let own = &mut plant.stations[n].transformers[transformer];
        if let Some(tap) = own.tap.checked_add_signed(wanted).filter(|tap| TAPS.contains(tap))
            && tap != own.tap
        {
            own.tap = tap;
            moved += 1;
        }
    }
    moved
}

/// Voltage that a transformer's regulator looks at: of its last incomer's section, per unit.
fn volts_held(plant: &Plant, n: usize, transformer: usize) -> Option<f64> {
    let scheme = &plant.stations[n].scheme;
    let incomer = scheme.transformers[transformer].incomers.last()?;
    let section = scheme.section_of[*incomer]?;
    plant.network.is_connected(n, *incomer).then(|| plant.network.voltage(n, section))
}

fn whole(seconds: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a step is at most some minutes")]
    let whole = seconds.min(3_600.0) as i32;
    whole
}

/// A position up gives more voltage.
fn regulate(plant: &mut Plant, n: usize, transformer: usize, seconds: f64) {
    let at_ms = plant.now.at_ms;
    let bay = plant.stations[n].transformers[transformer].bay;
    let volts = volts_held(plant, n, transformer).unwrap_or(0.0);
    let live = plant.network.is_connected(n, bay) && volts > 0.0;
    plant.set_in(at_ms, n, bay, "F90.BLK", u8::from(live && volts < BLOCKED_BELOW));
    let station = &mut plant.stations[n];
    let automatic = station.status(bay, "F90.AUTO") != Some(0)
        && !station.is_set(bay, "F90.FAIL")
        && !station.is_set(bay, "OLTC.MCB");
    let own = &mut station.transformers[transformer];
    if !live || !automatic || volts < BLOCKED_BELOW || (volts - HELD_VOLTS).abs() <= BAND {
        own.outside = 0;
        return;
    }
    let high = volts > HELD_VOLTS;
    let passed = whole(seconds);
    own.outside = if high { own.outside.max(0) + passed } else { own.outside.min(0) - passed };
    if own.outside.abs() >= FIRST_STEP_S && !own.stepping {
        own.outside = own.outside.signum() * (FIRST_STEP_S - NEXT_STEP_S);
        plant.step_tap(at_ms, n, transformer, !high);
    }
}

/// Oil follows losses and weather; fans follow the oil.
fn warm(plant: &mut Plant, n: usize, transformer: usize, seconds: f64) {
    let (at_ms, ambient) = (plant.now.at_ms, plant.now.weather.celsius);
    let station = &mut plant.stations[n];
    let loading = station.loading(transformer);
    let bay = station.transformers[transformer].bay;
    let fans = station.is_set(bay, "COOL.G1");
    let cool = if fans { FANS_COOL } else { 1.0 };
    let live = station.bays[bay].at.kv > 0.0 && station.status(bay, "CB.POS") == Some(CLOSED);
    let losses = (1.0 + LOSS_RATIO * loading * loading) / (1.0 + LOSS_RATIO);
    let rise = libm::pow(losses, OIL_EXPONENT);
    let target = ambient + if live { OIL_RISE_K * rise * cool } else { 0.0 };
    let own = &mut station.transformers[transformer];
    if own.oil.is_nan() {
        own.oil = target;
    }
    own.oil += (target - own.oil) * (1.0 - libm::exp(-seconds / 3_600.0 / OIL_HOURS));
    let oil = own.oil;
    let winding = oil + HOTTEST_WINDING_K * libm::pow(loading, WINDING_EXPONENT);
    if station.status(bay, "COOL.AUTO") != Some(0) {
        let run = if fans { oil > FANS.1 } else { oil > FANS.0 };
        plant.set_in(at_ms, n, bay, "COOL.G1", u8::from(run));
        let second = if fans { oil > FANS.1 + 6.0 } else { oil > FANS.0 + 6.0 };
        plant.set_in(at_ms, n, bay, "COOL.G2", u8::from(second));
    }
    for (id, value, limit) in [("F26O.ALM", oil, OIL_ALARM), ("F26W.ALM", winding, WINDING_ALARM)] {
        let raised = plant.stations[n].is_set(bay, id);
        let limit = if raised { limit - HYSTERESIS_K } else { limit };
        plant.set_in(at_ms, n, bay, id, u8::from(value > limit));
    }
    let loading_high = loading > if plant.stations[n].is_set(bay, "F49.ALM") { 1.05 } else { 1.1 };
    plant.set_in(at_ms, n, bay, "F49.ALM", u8::from(loading_high));
}

fn compensate(plant: &mut Plant, n: usize, bank: usize, seconds: f64) {
    let at_ms = plant.now.at_ms;
    let station = &plant.stations[n];
    let own = &station.capacitors[bank];
    let (bay, mvar) = (own.bay, own.mvar);
    let section = station.scheme.section_of[bay];
    let transformer = section.and_then(|section| station.scheme.transformer_at(section));
    let drawn = transformer.map_or(0.0, |t| station.bays[station.transformers[t].bay].at.q);
    let is_open = station.status(bay, "CB.POS") == Some(OPEN);
    let wanted = match station.status(bay, "CB.POS") {
        Some(OPEN) => {
            drawn > BANK_IN * mvar && plant.breaker_refuses(n, bay, true, false).is_none()
        }
        Some(CLOSED) => drawn < BANK_OUT * mvar,
        _ => false,
    };
    let automatic =
        station.status(bay, "APFC.AUTO") != Some(0) && !station.is_set(bay, "F60C.TRIP");
    let live = station.bays[bay].at.kv > 0.0;
    let own = &mut plant.stations[n].capacitors[bank];
    own.wanting = if wanted && automatic && live { own.wanting + whole(seconds) } else { 0 };
    if own.wanting >= BANK_S {
        own.wanting = 0;
        if is_open {
            plant.close(at_ms, n, bay);
        } else {
            plant.open(at_ms, n, bay);
        }
    }
}

/// What busbar relays say of their voltage.
fn watch_busbars(plant: &mut Plant, n: usize) {
    let at_ms = plant.now.at_ms;
    for bay in 0..plant.stations[n].bays.len() {
        let scheme = &plant.stations[n].scheme;
        if scheme.roles[bay] != Role::Busbar {
            continue;
        }
        let Some(section) = scheme.section_of[bay] else { continue };
        let volts = plant.network.voltage(n, section);
        plant.set_in(at_ms, n, bay, "LIVE", u8::from(volts > 0.3));
        plant.set_in(at_ms, n, bay, "F27.OP", u8::from(volts < LOW_VOLTS));
        plant.set_in(at_ms, n, bay, "F59.OP", u8::from(volts > HIGH_VOLTS));
    }
}

/// Whether the two sides of an open line breaker could be joined, as its relay says.
fn watch_lines(plant: &mut Plant, n: usize) {
    let at_ms = plant.now.at_ms;
    for bay in 0..plant.stations[n].bays.len() {
        if matches!(plant.stations[n].scheme.roles[bay], Role::Line | Role::Coupler) {
            let open = plant.stations[n].status(bay, "CB.POS") == Some(OPEN);
            let refused = open && !plant.in_step(n, bay);
            plant.set_in(at_ms, n, bay, "F25.NOK", u8::from(refused));
        }
    }
}

/// Station service, chargers and batteries.
fn supply(plant: &mut Plant, n: usize, seconds: f64) {
    let at_ms = plant.now.at_ms;
    let services: Vec<usize> = plant.stations[n].scheme.bays(Role::Service).collect();
    let mut any = services.is_empty();
    for bay in services {
        let live = plant.stations[n].bays[bay].at.kv > 0.0 && plant.network.is_connected(n, bay);
        plant.set_in(at_ms, n, bay, "LOSS", u8::from(!live));
        any |= live;
    }
    let hours = seconds / 3_600.0;
    let station = &mut plant.stations[n];
    let volts = station.battery_volts;
    station.battery_volts = if any {
        (volts + 20.0 * hours).min(FLOAT_VOLTS)
    } else {
        (volts - DISCHARGE_V_PER_HOUR * hours).max(FLAT_VOLTS)
    };
    let low = u8::from(station.battery_volts < DC_LOW_VOLTS);
    for bay in station.scheme.commons().collect::<Vec<_>>() {
        for (id, code) in [
            ("AC.FAIL", u8::from(!any)),
            ("UPS.BAT", u8::from(!any)),
            ("DC.UV1", low),
            ("DC.UV2", low),
        ] {
            plant.set_in(at_ms, n, bay, id, code);
        }
    }
}
