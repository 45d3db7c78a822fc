//! Weather: a function of seed and time.

use crate::chance::Chance;
use crate::plant::load::Moment;

/// Outdoor temperature over the year and the day, °C: 17 in January, 29 in July, ± 4 over the day
/// (northern delta, rounded), and what warm and cold spells of some days add.
const JANUARY: f64 = 17.0;
const YEAR_SWING: f64 = 12.0;
const DAY_SWING: f64 = 4.0;
const SPELL: f64 = 5.0;
const SPELL_SECONDS: i64 = 3 * 86_400;
/// A storm is about on a share of the evenings of high summer; over so many seconds it comes and
/// goes.
const STORM_SECONDS: i64 = 3 * 3_600;
const STORM_SHARE: f64 = 0.25;

/// The weather over the province.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Outdoor temperature, °C.
    pub(crate) celsius: f64,
    /// Whether a thunderstorm is about.
    pub(crate) storm: bool,
}

impl Weather {
    pub(crate) fn of(chance: Chance, at_ms: i64, moment: Moment) -> Self {
        let spell = SPELL * chance.wander(10, at_ms, SPELL_SECONDS);
        let celsius = JANUARY + YEAR_SWING * moment.summer + DAY_SWING * day_wave(moment) + spell;
        // Storms brew from the early afternoon into the night.
        let evening =
            (0.5 - 0.5 * libm::cos((moment.hour - 6.0) / 24.0 * std::f64::consts::TAU)).powi(2);
        let slot = at_ms.div_euclid(STORM_SECONDS * 1_000);
        let likely = STORM_SHARE * moment.summer * moment.summer * evening * 2.0;
        let storm = chance.share_of(11, slot) < likely;
        Self { celsius, storm }
    }
}

/// Warmest in the early afternoon, coolest before dawn: -1 to 1.
fn day_wave(moment: Moment) -> f64 {
    libm::cos((moment.hour - 14.0) / 24.0 * std::f64::consts::TAU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summers_are_hot_and_stormy_and_winters_are_neither() {
        let chance = Chance::of(42, "weather");
        let at = |day: i64, hour: i64| {
            let at_ms = (day * 24 + hour - 7) * 3_600_000;
            Weather::of(chance, at_ms, Moment::of(at_ms, config::Zone::hours(7)))
        };
        // 2022-01-01 is day 18 993.
        let days = |from: i64| (from..from + 31).flat_map(|day| (0..24).map(move |h| (day, h)));
        let mean = |from: i64| days(from).map(|(d, h)| at(d, h).celsius).sum::<f64>() / 744.0;
        let storms = |from: i64| days(from).filter(|(d, h)| at(*d, *h).storm).count();
        assert!((mean(18_993) - 17.0).abs() < 4.0);
        assert!((mean(19_174) - 29.0).abs() < 4.0);
        assert!(storms(18_993) < 5);
        assert!((30..300).contains(&storms(19_174)), "{}", storms(19_174));
    }
}
