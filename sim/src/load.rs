//! What customers draw, by hour, season and weekday.

use config::LoadClass;

/// Hourly shapes, per unit of their own peak: rural summer, rural winter, industry, cement,
/// services. Assumed; the industry's dips follow the tariff's peak hours.
const SHAPES: [[f64; 24]; 5] = [
    [
        0.62, 0.58, 0.55, 0.53, 0.52, 0.55, 0.60, 0.62, 0.64, 0.68, 0.74, 0.82, 0.86, 0.84, 0.80,
        0.78, 0.76, 0.78, 0.86, 0.94, 0.98, 1.00, 0.92, 0.76,
    ],
    [
        0.38, 0.35, 0.33, 0.32, 0.35, 0.45, 0.60, 0.62, 0.58, 0.56, 0.60, 0.64, 0.60, 0.54, 0.52,
        0.54, 0.64, 0.86, 1.00, 0.98, 0.90, 0.76, 0.58, 0.45,
    ],
    [
        0.82, 0.82, 0.82, 0.80, 0.72, 0.72, 0.78, 0.90, 0.98, 0.90, 0.88, 0.86, 0.92, 0.98, 1.00,
        1.00, 0.98, 0.80, 0.78, 0.80, 0.86, 0.90, 0.98, 0.90,
    ],
    [
        1.00, 1.00, 1.00, 1.00, 0.90, 0.85, 0.85, 0.85, 0.85, 0.70, 0.60, 0.70, 0.85, 0.85, 0.85,
        0.85, 0.80, 0.55, 0.50, 0.55, 0.85, 0.90, 1.00, 1.00,
    ],
    [
        0.30, 0.28, 0.27, 0.27, 0.28, 0.32, 0.42, 0.62, 0.85, 0.95, 0.98, 0.92, 0.80, 0.90, 1.00,
        0.98, 0.90, 0.75, 0.68, 0.66, 0.60, 0.48, 0.38, 0.33,
    ],
];

/// Industry on a Sunday, of a working day. Assumed.
const SUNDAY_INDUSTRY: f64 = 0.75;

const DAY_MS: i64 = 86_400_000;

/// A moment of the local calendar, as far as loads look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Hours since midnight, 0 up to 24.
    pub(crate) hour: f64,
    /// 0 in midwinter, 1 in midsummer.
    pub(crate) summer: f64,
    sunday: bool,
}

impl Moment {
    pub(crate) fn of(at_ms: i64, utc_offset_hours: i8) -> Self {
        let local = at_ms + i64::from(utc_offset_hours) * 3_600_000;
        let day = local.div_euclid(DAY_MS);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a day, days of a year")]
        let (hour, season) = (
            local.rem_euclid(DAY_MS) as f64 / 3_600_000.0,
            // Days since the middle of January 1970, round the year of 365.25 days.
            (day - 15) as f64 / 365.25 * std::f64::consts::TAU,
        );
        // 1970-01-01 was a Thursday.
        Self { hour, summer: 0.5 - 0.5 * season.cos(), sunday: (day + 4).rem_euclid(7) == 0 }
    }

    /// The same day some hours earlier.
    pub(crate) fn earlier(self, hours: f64) -> Self {
        Self { hour: (self.hour - hours).rem_euclid(24.0), ..self }
    }
}

/// Load of a class, per unit of its peak.
pub(crate) fn load(class: LoadClass, moment: Moment) -> f64 {
    let at = |shape: usize| interpolate(&SHAPES[shape], moment.hour);
    let sunday = if moment.sunday { SUNDAY_INDUSTRY } else { 1.0 };
    match class {
        LoadClass::Rural => at(0) * moment.summer + at(1) * (1.0 - moment.summer),
        LoadClass::Industry => at(2) * sunday,
        LoadClass::Cement => at(3),
        LoadClass::Services => at(4),
    }
}

/// Straight between full hours.
fn interpolate(shape: &[f64; 24], hour: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an hour is 0 up to 24"
    )]
    let n = hour.floor() as usize % 24;
    let x = hour.fract();
    shape[n] * (1.0 - x) + shape[(n + 1) % 24] * x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_weekdays_are_local() {
        // Wednesday 2022-11-23 07:32:07 UTC is 14:32:07 in Hòa Bình.
        let moment = Moment::of(1_669_188_727_000, 7);
        assert!((moment.hour - 14.535).abs() < 0.001);
        assert!(!moment.sunday);
        assert!(Moment::of(1_669_188_727_000 + 4 * DAY_MS, 7).sunday);
        assert!(moment.summer < 0.25);
    }

    #[test]
    fn every_class_stays_within_its_peak() {
        for hour in 0..24 * 14 {
            let moment = Moment::of(1_669_188_727_000 + hour * 3_600_000, 7);
            for class in
                [LoadClass::Rural, LoadClass::Industry, LoadClass::Cement, LoadClass::Services]
            {
                assert!((0.2..=1.0).contains(&load(class, moment)));
            }
        }
    }
}
