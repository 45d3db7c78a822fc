//! Which quantity of its bay each point carries: the one place that reads point ids.

use config::{Bay, Kind, Point};

/// What a point shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quantity {
    /// Active power, MW.
    P,
    /// Reactive power, `MVAr`.
    Q,
    /// Current of a phase (0 A, 1 B, 2 C), A.
    I(usize),
    /// Phase-to-phase voltage (0 AB, 1 BC, 2 CA), kV.
    U(usize),
    /// Phase-to-earth voltage, kV.
    Ue(usize),
    /// Frequency, Hz.
    F,
    /// Power factor with the sign of P.
    PowerFactor,
    /// Tap position.
    Tap,
    /// Top-oil temperature, °C.
    Oil,
    /// Winding temperature, °C; K by which it runs hotter at rated load.
    Winding(f64),
    /// Per cent of the rating.
    Loading,
    /// Ambient and rooms: mean and daily swing, °C.
    Room(f64, f64),
    /// A value that wanders round a mean by so much.
    Wander(f64, f64),
    /// Energy: 0 active in, 1 active out, 2 reactive in, 3 reactive out, kWh or kVArh.
    Energy(usize),
    /// Operations of the tap changer.
    TapOperations,
    /// Rolls by one each second.
    Heartbeat,
    /// Stays as it is.
    Fixed(f64),
    /// A switching device or an alarm in normal service.
    Normal,
    /// A command: its result register says that none was given.
    Command,
}

/// The quantity of a point. A point that the model does not know stays in the middle of its range.
pub(crate) fn quantity(bay: &Bay, point: &Point) -> Quantity {
    if point.spec.kind.is_command() {
        return Quantity::Command;
    }
    if point.spec.kind.is_status() {
        return Quantity::Normal;
    }
    let id = point.spec.id.as_str();
    // Station service is 400 V and has its own small numbers.
    if id == "U" && point.spec.unit == "V" {
        return Quantity::Wander(398.0, 3.0);
    }
    match id {
        "P" => Quantity::P,
        "Q" => Quantity::Q,
        "IA" | "I" => Quantity::I(0),
        "IB" => Quantity::I(1),
        "IC" => Quantity::I(2),
        "UL" | "UAB" => Quantity::U(0),
        "UBC" => Quantity::U(1),
        "UCA" => Quantity::U(2),
        "UA" => Quantity::Ue(0),
        "UB" => Quantity::Ue(1),
        "UC" => Quantity::Ue(2),
        "F" => Quantity::F,
        "PF" => Quantity::PowerFactor,
        "TAP.POS" => Quantity::Tap,
        "TOIL" => Quantity::Oil,
        // Hot-spot gradients differ a little between windings.
        "TW.HV" => Quantity::Winding(20.0),
        "TW.MV" => Quantity::Winding(22.0),
        "TW.LV" => Quantity::Winding(24.0),
        "LOAD" => Quantity::Loading,
        "I0" => Quantity::Wander(1.5, 0.8),
        "U0" => Quantity::Wander(0.8, 0.3),
        "IUNB" => Quantity::Wander(0.05, 0.02),
        "DGA.H2" => Quantity::Wander(28.0, 3.0),
        "DC.U1" | "DC.U2" => Quantity::Wander(231.0, 0.6),
        "DC.I1" | "DC.I2" => Quantity::Wander(0.6, 0.2),
        "TROOM" => Quantity::Room(25.0, 1.5),
        "HROOM" => Quantity::Wander(58.0, 5.0),
        "CAM.N" => Quantity::Fixed(16.0),
        "SETGRP" => Quantity::Fixed(1.0),
        "STN.HB" => Quantity::Heartbeat,
        // The last fault is some months ago.
        "FL.KM" => Quantity::Fixed(12.4),
        "FL.KA" => Quantity::Fixed(3.1),
        "E.IMP" => Quantity::Energy(0),
        "E.EXP" => Quantity::Energy(1),
        "R.IMP" => Quantity::Energy(2),
        "R.EXP" => Quantity::Energy(3),
        "OLTC.OPS" => Quantity::TapOperations,
        "CB.OPS" => Quantity::Fixed(if bay.level >= 110 { 148.0 } else { 420.0 }),
        _ if point.spec.kind == Kind::Counter => Quantity::Fixed(0.0),
        _ => Quantity::Fixed(point.range.map_or(0.0, |(low, high)| f64::midpoint(low, high))),
    }
}
