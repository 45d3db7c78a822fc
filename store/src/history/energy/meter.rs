//! What a counter of energy can do: its register, and what can flow through its bay.

use config::{Bay, Encoding, Plant, Point, Province, Scan, Station};

use super::steps::{APART_MS, Said, WRAP_PART, flowing};
use crate::history::NOTHING;
use crate::history::produced::OVERLOAD;

/// A transformer may carry this much of its rating for a short emergency (IEC 60076-7: 1.8 for medium power
/// transformers, which those of a 110 kV station are).
const TRANSFORMER_OVERLOAD: f64 = 1.8;
/// No bay of a station of 110 kV carries more, A. Our own bound, a value of the series R10 of which rated currents
/// of switchgear are taken: feeders and transformers of such stations are rated far below it.
const SWITCHGEAR_AMPS: f64 = 4_000.0;
/// Voltage at most, of the nominal one (IEC 60038: 40.5 kV at 35 kV, which is the most; 24 kV at 22 kV, 123 kV at
/// 110 kV).
const HIGHEST_VOLTAGE: f64 = 1.16;
/// What a transducer may be off by, of its full scale (IEC 60688, class 0.5).
const TRANSDUCER: f64 = 0.005;
/// The digits that registers of meters have: they begin again at these powers of ten, counts.
const DIGITS: std::ops::RangeInclusive<u32> = 5..=9;

/// Where a register begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrap {
    /// Watt hours that it counts up to.
    pub(super) wh: i64,
    /// The contract says so: by the size of the register, or by the range of the point.
    pub(super) is_declared: bool,
}

/// A counter of energy, as the contract knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Meter {
    /// Watt hours of one count, at least one.
    pub(super) count_wh: i64,
    pub(super) wraps: Vec<Wrap>,
    /// What can flow through its bay at most, kW.
    pub(super) most_kw: f64,
    /// What the measured power of the bay may be off by whatever flows, kW.
    pub(super) power_error_kw: f64,
    /// What its device may show of no power at most, kW.
    pub(super) power_nothing_kw: f64,
    /// Values that "not available" may look like, watt hours.
    stand_ins: Vec<i64>,
    /// The register with every bit set: never a reading, watt hours.
    all_ones: Option<i64>,
    /// Lowest and highest reading that can be real, watt hours.
    range: Option<(i64, i64)>,
    /// A standstill that is no longer than this is how the register works, milliseconds.
    pub(super) freeze_ms: i64,
    wh_per_unit: f64,
}

/// Watt hours of a unit; `None`: it is none of energy.
fn watt_hours(unit: &str) -> Option<f64> {
    match unit {
        "Wh" => Some(1.0),
        "kWh" => Some(1e3),
        "MWh" => Some(1e6),
        "GWh" => Some(1e9),
        _ => None,
    }
}

/// Kilowatts of a unit of active power.
pub(super) fn kilowatts(unit: &str) -> Option<f64> {
    match unit {
        "W" => Some(1e-3),
        "kW" => Some(1.0),
        "MW" => Some(1e3),
        _ => None,
    }
}

/// The nearest whole number of watt hours: readings are whole counts, and a float of 53 bits holds any
/// register of 32.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to what a register of 32 bits can say"
)]
fn whole(wh: f64) -> i64 {
    wh.clamp(-9e18, 9e18).round() as i64
}

impl Meter {
    /// The counter that a point is; `None` when it counts no energy. `register` is how it is sent to the
    /// centre that is asked.
    pub(super) fn of(
        province: &Province,
        station: &Station,
        point: &Point,
        register: Encoding,
    ) -> Option<Self> {
        let wh_per_unit = watt_hours(&point.spec.unit)?;
        let count = register.scale() * wh_per_unit;
        let wh = |counts: f64| whole(counts * count);
        let highest = match register {
            Encoding::U16 { .. } => f64::from(u16::MAX),
            Encoding::C32 => f64::from(u32::MAX),
            _ => return None,
        };
        let half = f64::midpoint(highest, 1.0).floor();
        let mut wraps: Vec<Wrap> = DIGITS
            .map(|digits| 10_f64.powi(digits.cast_signed()))
            .filter(|counts| *counts <= highest)
            .map(|counts| Wrap { wh: wh(counts), is_declared: false })
            .collect();
        wraps.push(Wrap { wh: wh(highest + 1.0), is_declared: true });
        let range =
            point.range.map(|(low, high)| (whole(low * wh_per_unit), whole(high * wh_per_unit)));
        let count_wh = wh(1.0).max(1);
        if let Some((0, high)) = range {
            let declared = high.saturating_add(count_wh);
            wraps.retain(|wrap| wrap.wh != declared);
            wraps.push(Wrap { wh: declared, is_declared: true });
        }
        let scan = point.spec.scan.unwrap_or(Scan::Counters);
        let freeze_ms = i64::from(point.spec.freeze_minutes.unwrap_or(0)) * 60_000;
        Some(Self {
            count_wh,
            wraps,
            most_kw: most_kw(station, point.bay),
            power_error_kw: power_error_kw(station, point.bay),
            power_nothing_kw: NOTHING * full_power_kw(station, point.bay),
            stand_ins: vec![0, wh(half - 1.0), wh(half)],
            all_ones: Some(wh(highest)),
            range,
            freeze_ms: freeze_ms + province.scan.old_after_ms(scan),
            wh_per_unit,
        })
    }

    /// The same counter at a metered point of a plant, which gives no more than its rating, whatever the point can show: what
    /// is nothing goes by that, too.
    #[must_use]
    pub(super) fn at_plant(self, plant: Plant) -> Self {
        let rated = 1e3 * OVERLOAD * plant.mw;
        Self {
            most_kw: self.most_kw.min(rated),
            power_nothing_kw: self.power_nothing_kw.min(NOTHING * rated),
            ..self
        }
    }

    /// What a value of the register is as a reading.
    pub(super) fn reading(&self, value: f64) -> Said {
        let wh = whole(value * self.wh_per_unit);
        if self.all_ones == Some(wh) {
            Said::NotAvailable
        } else if self.range.is_some_and(|(low, high)| !(low..=high).contains(&wh)) {
            Said::OutOfRange
        } else {
            Said::Count(wh)
        }
    }

    /// Whether devices say this, too, when they have no value: nothing, or all bits but the highest, or that
    /// alone.
    pub(super) fn is_stand_in(&self, wh: i64) -> bool {
        self.stand_ins.contains(&wh)
    }

    /// Whether something from one value to another may stand for "not available".
    pub(super) fn has_stand_in(&self, low: i64, high: i64) -> bool {
        self.stand_ins.iter().any(|wh| (low..=high).contains(wh))
    }

    /// Whether what is shown some milliseconds later may be of the same meter, which has counted on: its register began
    /// anew, or shows fewer digits.
    pub(super) fn is_its_own(&self, before: i64, behind: i64, ms: i64) -> bool {
        let more = 0..=self.at_most(ms);
        let is_cut = |wrap: &Wrap| {
            let is_sure = self.at_most(ms) <= wrap.wh / WRAP_PART;
            is_sure && before >= wrap.wh && more.contains(&(behind - before.rem_euclid(wrap.wh)))
        };
        more.contains(&behind) || self.wraps.iter().any(is_cut)
    }

    /// What can be counted in some milliseconds at most, watt hours: by what can flow, and a count more.
    #[expect(clippy::cast_possible_truncation, reason = "clamped by the conversion")]
    pub(super) fn at_most(&self, ms: i64) -> i64 {
        let flows = flowing(self.most_kw, ms.saturating_add(APART_MS));
        (flows as i64).saturating_add(self.count_wh)
    }

    #[cfg(test)]
    pub(super) fn for_trial(most_kw: f64, power_error_kw: f64) -> Self {
        let full = 1_i64 << 32;
        let digits =
            DIGITS.map(|digits| Wrap { wh: 1_000 * 10_i64.pow(digits), is_declared: false });
        let mut wraps: Vec<Wrap> = digits.collect();
        wraps.push(Wrap { wh: 1_000 * full, is_declared: true });
        Self {
            count_wh: 1_000,
            wraps,
            most_kw,
            power_error_kw,
            power_nothing_kw: NOTHING * most_kw,
            stand_ins: vec![0, 1_000 * (full / 2 - 1), 1_000 * (full / 2)],
            all_ones: Some(1_000 * (full - 1)),
            range: None,
            freeze_ms: 180_000,
            wh_per_unit: 1_000.0,
        }
    }
}

/// Full scale of a point of a bay, when its unit is known.
fn full_scale<'a>(
    station: &'a Station,
    bay: usize,
    id: &str,
    factor: impl Fn(&str) -> Option<f64>,
) -> Option<(f64, &'a Point)> {
    let point = station.points.iter().find(|point| point.bay == bay && point.spec.id == id)?;
    Some((point.full_scale()? * factor(&point.spec.unit)?, point))
}

/// What can flow through a bay at most, kW: the least of what its measurements can show, what its transformer can
/// carry for a while, and what switchgear of its level is built for.
fn most_kw(station: &Station, bay: usize) -> f64 {
    let own: &Bay = &station.bays[bay];
    let kv = f64::from(own.level.max(1)) * HIGHEST_VOLTAGE;
    let through = |amps: f64| 3_f64.sqrt() * kv * amps;
    let amps = |unit: &str| (unit == "A").then_some(1.0);
    let rating = station.transformers.iter().find(|(of, _)| *of == bay);
    let bounds = [
        Some(through(SWITCHGEAR_AMPS)),
        full_scale(station, bay, "P", kilowatts).map(|(kw, _)| kw),
        full_scale(station, bay, "IA", amps).map(|(amps, _)| through(amps)),
        rating.map(|(_, mva)| 1e3 * TRANSFORMER_OVERLOAD * mva),
    ];
    bounds.into_iter().flatten().filter(|kw| *kw > 0.0).fold(f64::INFINITY, f64::min)
}

/// Full scale of the measured power of a bay, kW; nothing where it has none.
fn full_power_kw(station: &Station, bay: usize) -> f64 {
    full_scale(station, bay, "P", kilowatts).map_or(0.0, |(full, _)| full)
}

/// What the measured power of a bay may be off by whatever flows, kW: its transducer, and what is not sent because
/// of its deadband.
fn power_error_kw(station: &Station, bay: usize) -> f64 {
    full_scale(station, bay, "P", kilowatts).map_or(0.0, |(full, point)| {
        let unit = kilowatts(&point.spec.unit).unwrap_or(0.0);
        TRANSDUCER * full + point.deadband.unwrap_or(0.0) * unit
    })
}
