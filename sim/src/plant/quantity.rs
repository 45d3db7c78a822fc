//! Which quantity of its bay each point carries: the one place that reads point ids.

use config::{Point, PointKind};

/// Kelvin by which the hottest winding runs above the oil at the rating.
pub(crate) const HOTTEST_WINDING_K: f64 = 24.0;

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
    /// A room, °C: its mean, and how much of the weather comes in.
    Room(f64, f64),
    /// Voltage of the station service, V.
    ServiceVolts,
    /// Open-delta voltage of a live busbar, V.
    Residual,
    /// Voltage of the batteries, V.
    Battery,
    /// A value that wanders round a mean by so much.
    Wander(f64, f64),
    /// Energy: 0 active in, 1 active out, 2 reactive in, 3 reactive out, kWh or kVArh.
    Energy(usize),
    /// The same of active energy, `MWh`.
    MegawattHours(usize),
    /// Rolls by one each second.
    Heartbeat,
    /// What an event has left: a fault location, a count of operations, the result of a command.
    Held,
    /// Position of a switching device.
    Position,
    /// Any other status.
    Status,
}

/// The quantity of a point. A point that the model does not know stays as it is.
pub(crate) fn quantity(point: &Point) -> Quantity {
    if point.spec.kind.is_command() {
        return Quantity::Held;
    }
    if point.spec.kind == PointKind::DoublePoint {
        return Quantity::Position;
    }
    if point.spec.kind.is_status() {
        return Quantity::Status;
    }
    let id = point.spec.id.as_str();
    // Station service is 400 V and has its own small numbers.
    if id == "U" && point.spec.unit == "V" {
        return Quantity::ServiceVolts;
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
        "TW.LV" => Quantity::Winding(HOTTEST_WINDING_K),
        "LOAD" => Quantity::Loading,
        "I0" => Quantity::Wander(1.5, 0.8),
        "U0" => Quantity::Residual,
        "IUNB" => Quantity::Wander(0.05, 0.02),
        "DGA.H2" => Quantity::Wander(28.0, 3.0),
        "DC.U1" | "DC.U2" => Quantity::Battery,
        "DC.I1" | "DC.I2" => Quantity::Wander(0.6, 0.2),
        "TROOM" => Quantity::Room(25.0, 0.15),
        "HROOM" => Quantity::Wander(58.0, 5.0),
        "STN.HB" => Quantity::Heartbeat,
        "E.IMP" => Quantity::Energy(0),
        "E.EXP" => Quantity::Energy(1),
        "E.OUT" => Quantity::MegawattHours(0),
        "E.IN" => Quantity::MegawattHours(1),
        "R.IMP" => Quantity::Energy(2),
        "R.EXP" => Quantity::Energy(3),
        _ => Quantity::Held,
    }
}
