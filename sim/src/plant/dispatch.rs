//! What plants give to the grid: a dispatch by hour and season that adds up to the year.
//!
//! The grid behind a plant is not modelled. What leaves at 110 kV is what the power flow says of the
//! lines that begin there; the rest of the plant's output leaves at its other metered points, in equal
//! parts. So the points of a plant always sum to its output, and agree with the network where they meet
//! it. A plant that gives less than its 110 kV lines take draws the difference from the grid behind it.

use config::{Plant, Province, StationId, Zone};

use super::load::{Moment, hours_of_a_year};

/// Output in the dry season and how much the wet one adds, share of a full dispatch. Assumed.
const SEASON: (f64, f64) = (0.55, 0.45);
/// Humps of the day over an even output: hour, width in hours, height. Assumed: morning and evening
/// peak of the tariff, and the night.
const DAY: [(f64, f64, f64); 3] = [(10.0, 2.0, 0.25), (18.5, 2.2, 0.30), (2.5, 2.5, -0.20)];
/// The wet season comes so many days after midsummer: the reservoir is fullest in August. Assumed.
const LATE_MS: i64 = 40 * 86_400_000;
/// Reactive power beyond the 110 kV yard, share of the active one. Assumed.
pub(crate) const TAN_PHI: f64 = 0.1;

/// How the output of a plant follows time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dispatch {
    mw: f64,
    factor: f64,
}

impl Dispatch {
    pub(crate) fn new(plant: &Plant, zone: Zone) -> Self {
        let mut dispatch = Self { mw: plant.mw, factor: 1.0 };
        let Some(gwh) = plant.gwh_per_year else { return dispatch };
        // An output above what is installed is cut, so the factor is found in steps.
        for _ in 0..12 {
            let mwh: f64 = hours_of_a_year(zone).map(|at_ms| dispatch.mw(at_ms, zone)).sum();
            dispatch.factor *= gwh * 1_000.0 / mwh.max(1e-9);
        }
        dispatch
    }

    /// Output at a moment, MW.
    pub(crate) fn mw(&self, at_ms: i64, zone: Zone) -> f64 {
        let wet = Moment::of(at_ms - LATE_MS, zone).summer;
        let hour = Moment::of(at_ms, zone).hour;
        let humps = DAY.iter().map(|(at, width, height)| {
            let away = (hour - at).abs();
            height * libm::exp(-(away.min(24.0 - away) / width).powi(2))
        });
        let share = (SEASON.0 + SEASON.1 * wet) * (1.0 + humps.sum::<f64>());
        self.mw * (self.factor * share).clamp(0.0, 1.0)
    }
}

/// What stands at the metered points of a plant: into each from the plant, MW and `MVAr`, in the order
/// of its bays. `lines` are the flows of its 110 kV lines in their order.
pub(crate) fn points(
    province: &Province,
    plant: StationId,
    mw: f64,
    lines: &[(f64, f64)],
) -> Vec<(f64, f64)> {
    let bays = &province.stations[plant.index()].bays;
    let others = bays.iter().filter(|bay| bay.level != 110).count();
    let yard: f64 = lines.iter().map(|(p, _)| p).sum();
    #[expect(clippy::cast_precision_loss, reason = "a plant has some dozens of points")]
    let share = (mw - yard) / others.max(1) as f64;
    let mut lines = lines.iter().copied();
    bays.iter()
        .map(|bay| match bay.level {
            110 => lines.next().unwrap_or_default(),
            _ => (share, TAN_PHI * share),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_adds_up_whatever_is_asked_of_a_plant() {
        let zones =
            [Zone::hours(7), Zone::minutes(345).unwrap(), Zone::named("Europe/Berlin").unwrap()];
        for (gwh, zone) in [1_000.0, 9_417.1, 15_000.0].into_iter().zip(zones) {
            let plant = Plant { mw: 1_920.0, gwh_per_year: Some(gwh), source: None };
            let dispatch = Dispatch::new(&plant, zone);
            let start = zone.day_begins(18_993);
            // In steps of ten minutes, unlike the factor.
            let steps = 8_760 * 6;
            let mwh: f64 = (0..steps).map(|n| dispatch.mw(start + n * 600_000, zone) / 6.0).sum();
            assert!((mwh / 1_000.0 / gwh - 1.0).abs() < 0.001, "{mwh} MWh of {gwh} GWh");
            let most =
                (0..8_760).map(|n| dispatch.mw(start + n * 3_600_000, zone)).fold(0.0, f64::max);
            assert!(most <= 1_920.0);
        }
    }
}
