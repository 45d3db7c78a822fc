//! What customers draw, by hour, season and weekday.

use config::{DAY_MS, LoadClass, Zone};

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

/// Industry on a Sunday, and in the week of Tết; villages in that week: share of a working day.
/// Assumed.
const SUNDAY_INDUSTRY: f64 = 0.75;
const TET_INDUSTRY: f64 = 0.45;
const TET_RURAL: f64 = 0.9;
/// Villages and services draw so much more per kelvin above or below these temperatures, °C (fans
/// and air conditioning, heating). Assumed.
const HOT: (f64, f64) = (30.0, 0.03);
const COLD: (f64, f64) = (14.0, 0.01);

/// First days of the lunar year, as days since 1970, from 2018 to 2036. Other years have no Tết.
const TET: [i64; 19] = [
    17_578, 17_932, 18_286, 18_670, 19_024, 19_379, 19_763, 20_117, 20_501, 20_855, 21_209, 21_593,
    21_947, 22_302, 22_686, 23_041, 23_425, 23_779, 24_133,
];
/// Tết is kept from so many days before its first day to so many after.
const TET_DAYS: std::ops::RangeInclusive<i64> = -2..=4;

/// The middle of each hour of 2022, UTC milliseconds: what a year comes to is summed up over these.
pub(crate) fn hours_of_a_year(zone: Zone) -> impl Iterator<Item = i64> {
    /// 2022-01-01 and the hours of that year.
    const START_DAY: i64 = 18_993;
    const HOURS: i64 = 8_760;
    let start = zone.day_begins(START_DAY);
    (0..HOURS).map(move |hour| start + (2 * hour + 1) * 1_800_000)
}

/// A moment of the local calendar, as far as loads and weather look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Hours since midnight, 0 up to 24.
    pub(crate) hour: f64,
    /// 0 in midwinter, 1 in midsummer.
    pub(crate) summer: f64,
    sunday: bool,
    tet: bool,
}

impl Moment {
    pub(crate) fn of(at_ms: i64, zone: Zone) -> Self {
        // What clocks show: people live by it, on days of 23 and 25 hours too.
        let local = at_ms + zone.ahead_ms(at_ms);
        let day = local.div_euclid(DAY_MS);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a day, days of a year")]
        let (hour, season) = (
            local.rem_euclid(DAY_MS) as f64 / 3_600_000.0,
            // Days since the middle of January 1970, round the year of 365.25 days.
            (day - 15) as f64 / 365.25 * std::f64::consts::TAU,
        );
        Self {
            hour,
            summer: 0.5 - 0.5 * libm::cos(season),
            // 1970-01-01 was a Thursday.
            sunday: (day + 4).rem_euclid(7) == 0,
            tet: TET.iter().any(|first| TET_DAYS.contains(&(day - first))),
        }
    }
}

/// Load of each class, in the order of [`CLASSES`], per unit of its peak on a mild day.
pub(crate) fn loads(moment: Moment, celsius: f64) -> [f64; 4] {
    let at = |shape: usize| interpolate(&SHAPES[shape], moment.hour);
    let sunday = if moment.sunday { SUNDAY_INDUSTRY } else { 1.0 };
    let (industry, rural) = if moment.tet { (TET_INDUSTRY, TET_RURAL) } else { (sunday, 1.0) };
    let weather = 1.0 + HOT.1 * (celsius - HOT.0).max(0.0) + COLD.1 * (COLD.0 - celsius).max(0.0);
    [
        (at(0) * moment.summer + at(1) * (1.0 - moment.summer)) * rural * weather,
        at(2) * industry,
        at(3) * industry.max(SUNDAY_INDUSTRY),
        at(4) * rural * weather,
    ]
}

/// The classes in the order in which loads are kept.
pub(crate) const CLASSES: [LoadClass; 4] =
    [LoadClass::Rural, LoadClass::Industry, LoadClass::Cement, LoadClass::Services];

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

    const HOA_BINH: Zone = Zone::hours(7);

    #[test]
    fn hours_and_weekdays_are_local() {
        // Wednesday 2022-11-23 07:32:07 UTC is 14:32:07 in Hòa Bình.
        let moment = Moment::of(1_669_188_727_000, HOA_BINH);
        assert!((moment.hour - 14.535).abs() < 0.001);
        assert!(!moment.sunday);
        assert!(Moment::of(1_669_188_727_000 + 4 * DAY_MS, HOA_BINH).sunday);
        assert!(moment.summer < 0.25);
    }

    #[test]
    fn hours_are_those_of_the_clock_when_it_is_set() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        // 16:00 UTC is 17:00 in winter, and 18:00 from the last Sunday of March on.
        let sunday = 19_078 * DAY_MS;
        for (at, hour) in [(sunday - 8 * 3_600_000, 17.0), (sunday + 16 * 3_600_000, 18.0)] {
            let moment = Moment::of(at, berlin);
            assert!((moment.hour - hour).abs() < 1e-9, "{}", moment.hour);
            assert_eq!(moment.sunday, at > sunday);
        }
        let india = Moment::of(sunday, Zone::minutes(330).unwrap());
        assert!((india.hour - 5.5).abs() < 1e-9);
    }

    #[test]
    fn tet_stops_the_works() {
        // 2022-02-01 was the first day of the year of the tiger.
        let day = |n: i64| Moment::of((19_024 + n) * DAY_MS, HOA_BINH);
        assert!(day(0).tet && day(4).tet && !day(5).tet && day(-2).tet && !day(-3).tet);
        let [_, holiday, ..] = loads(day(0), 20.0);
        let [_, work, ..] = loads(day(8), 20.0);
        assert!(holiday < 0.5 * work);
    }

    #[test]
    fn loads_stay_within_their_peaks_and_follow_the_heat() {
        for hour in 0..24 * 14 {
            let moment = Moment::of(1_669_188_727_000 + hour * 3_600_000, HOA_BINH);
            assert!(loads(moment, 22.0).iter().all(|load| (0.2..=1.0).contains(load)));
            let (mild, hot) = (loads(moment, 30.0), loads(moment, 36.0));
            assert!((hot[0] / mild[0] - 1.18).abs() < 1e-9, "villages cool themselves");
            assert!((hot[1] - mild[1]).abs() < 1e-9, "industry does not");
        }
    }
}
