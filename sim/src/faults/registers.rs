//! Faults of the register image: addresses that are gone, shifted, exchanged, or another device's.

use config::{Channel, DeviceKind, Register, Station};

use super::fault::{Fault, Touched};
use super::kind::{FaultKind, FaultSettings};
use crate::telemetry::image::Image;

/// Alters the image of a channel as one fault does.
pub(crate) fn apply(
    fault: &Fault,
    touched: &mut Touched,
    (station, contract): (&Station, &Channel),
    at_ms: i64,
    image: &mut Image,
) {
    let registers = |touched: &Touched| -> Vec<Register> {
        let points = touched.points.iter();
        points.filter_map(|point| contract.entries[point.index()].register).collect()
    };
    match fault.kind {
        FaultKind::GatewayHung => {
            let held = touched.image.get_or_insert_with(|| image.clone());
            image.hold(held);
        }
        FaultKind::PointsRefused => {
            for register in registers(touched) {
                image.undefine(&register);
            }
        }
        FaultKind::WordOrder => {
            let swaps = fault.settings.word("swaps");
            for register in registers(touched) {
                image.swap(&register, swaps != 1, swaps != 0);
            }
        }
        FaultKind::IndexShift => {
            #[expect(clippy::cast_possible_truncation, reason = "bounded by the specification")]
            let by = fault.settings.number("by") as i32;
            for unit in &touched.units {
                image.shift(*unit, by);
            }
        }
        // Two devices answer in turn; by time and not by request, so that it does not matter who
        // polls how often.
        FaultKind::DuplicateAddress if at_ms.div_euclid(1_000) % 2 != 0 => {
            for unit in &touched.units {
                if let Some(other) = twin(station, *unit, &fault.settings) {
                    image.answer_as(*unit, other);
                }
            }
        }
        _ => {}
    }
}

/// The device that has the address of `unit` too: the one that was named, else the nearest that
/// carries the same kind of bays.
pub(crate) fn twin(station: &Station, unit: u8, settings: &FaultSettings) -> Option<u8> {
    let named = settings.number("unit");
    if named.is_finite() {
        let other = station.units.iter().find(|other| (f64::from(other.id) - named).abs() < 0.5);
        return other.map(|other| other.id).filter(|other| *other != unit);
    }
    let templates = |unit: usize| -> Vec<&str> {
        let bays = station.bays.iter().filter(|bay| bay.unit == unit);
        bays.map(|bay| bay.template.as_str()).collect()
    };
    let own = station.units.iter().position(|other| other.id == unit)?;
    let candidates = || {
        let all = station.units.iter().enumerate();
        all.filter(|(n, other)| *n != own && other.kind != DeviceKind::Metering)
    };
    let near = |(n, _): &(usize, &config::Device)| n.abs_diff(own);
    let alike = candidates().filter(|(n, _)| templates(*n) == templates(own)).min_by_key(near);
    alike.or_else(|| candidates().min_by_key(near)).map(|(_, other)| other.id)
}

/// Whether the other device sends anything at the cells of a value.
pub(crate) fn has_twin(contract: &Channel, register: &Register, twin: Option<u8>) -> bool {
    let registers = contract.entries.iter().filter_map(|entry| entry.register);
    registers.filter(|other| Some(other.unit) == twin && other.table == register.table).any(|o| {
        let value = u32::from(register.address) < o.end() && u32::from(o.address) < register.end();
        let quality = |at: u16, of: &Register| {
            of.address <= at && u32::from(at) < of.end() || of.quality == Some(at)
        };
        value
            || register.quality.is_some_and(|at| quality(at, &o))
            || o.quality.is_some_and(|at| quality(at, register))
    })
}
