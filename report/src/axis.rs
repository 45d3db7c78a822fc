//! The vertical axis of a chart: where it begins and ends, and where its ticks are.

use super::sheets::{Chart, Shape};
use super::shown::length;

/// Beyond this no value of a report has a meaning, and steps would have no digits left.
const LARGEST: f64 = 1e15;

/// An axis from `low` in equal steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// Lowest value on it.
    pub(super) low: f64,
    /// Highest value on it.
    pub(super) high: f64,
    /// From tick to tick.
    pub(super) step: f64,
    steps: u8,
}

impl Axis {
    /// The axis that all values of a chart and its target have room on. Bars stand on zero; lines
    /// may begin higher, where what matters is how they differ.
    pub(super) fn of(chart: &Chart) -> Self {
        let values = chart.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        let (mut low, mut high) = values
            .chain(chart.target)
            .filter(|value| is_drawn(*value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let is_share = chart.unit.trim_start().starts_with('%');
        let ceiling = if is_share && high <= 100.0 { 100.0 } else { f64::INFINITY };
        if chart.shape == Shape::Bars || (low >= 0.0 && low < 0.4 * high) {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if high - low < 1e-9 * high.abs().max(1e-3) {
            let room = if high == 0.0 { 1.0 } else { high.abs() * 0.05 };
            low = if low >= 0.0 { (low - room).max(0.0) } else { low - room };
            high = (high + room).min(ceiling);
        }
        // Of what is counted there is no half.
        let mut values = chart.series.iter().flat_map(|series| series.values.iter().flatten());
        let is_counted =
            chart.shape == Shape::Bars && !is_share && values.all(|value| value.fract() == 0.0);
        let step = round_step((high - low) / 5.0);
        let step = if is_counted { step.max(1.0) } else { step };
        let first = (low / step + 1e-9).floor();
        let last = (high.min(ceiling) / step - 1e-9).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "five to seven steps"
        )]
        let steps = (last - first).clamp(1.0, 20.0) as u8;
        let low = first * step;
        Self { low, high: low + f64::from(steps) * step, step, steps }
    }

    /// Its ticks from below.
    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(move |n| self.low + f64::from(n) * self.step)
    }

    /// Decimals that tell its ticks apart.
    pub(super) fn decimals(self) -> usize {
        let tells = |places: &usize| self.step * libm::pow(10.0, length(*places)) >= 0.999;
        (0..9).find(tells).unwrap_or(9)
    }

    /// How far up a value is, from 0 to 1.
    pub(super) fn share(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The target of a chart, when it can be drawn.
pub(super) fn target(chart: &Chart) -> Option<f64> {
    chart.target.filter(|target| is_drawn(*target))
}

/// Whether a value can be drawn.
pub(super) fn is_drawn(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = libm::pow(10.0, libm::log10(least.max(1e-9)).floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least * 0.999);
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheets::Series;

    fn axis(shape: Shape, unit: &str, values: &[f64], target: Option<f64>) -> (f64, f64, f64) {
        let values = values.iter().copied().map(Some).collect();
        let chart = Chart {
            id: "chart",
            caption: String::new(),
            shape,
            unit: unit.to_owned(),
            categories: Vec::new(),
            series: vec![Series { name: String::new(), values }],
            target,
        };
        let Axis { low, high, step, .. } = Axis::of(&chart);
        let round = |value: f64| (value * 1e6).round() / 1e6;
        (round(low), round(high), round(step))
    }

    #[test]
    fn ticks_are_round_and_all_values_have_room() {
        assert_eq!(axis(Shape::Line, "%", &[97.3, 99.9], Some(98.0)), (97.0, 100.0, 1.0));
        assert_eq!(axis(Shape::Line, "%", &[99.31, 99.87], None), (99.2, 100.0, 0.2));
        assert_eq!(axis(Shape::Line, "ms", &[12.0, 214.0], None), (0.0, 250.0, 50.0));
        assert_eq!(axis(Shape::Bars, "h", &[3.0, 7.2], None), (0.0, 8.0, 2.0));
        assert_eq!(axis(Shape::Bars, "MW", &[-4.0, 7.0], None), (-5.0, 10.0, 5.0));
        assert_eq!(axis(Shape::Bars, "records", &[0.0, 2.0], None), (0.0, 2.0, 1.0));
        assert_eq!(axis(Shape::Bars, "records", &[0.0, 0.0], None), (0.0, 1.0, 1.0));
        assert_eq!(axis(Shape::Line, "%", &[99.0, 100.0], None), (99.0, 100.0, 0.2));
    }

    #[test]
    fn a_share_never_has_an_axis_beyond_the_whole() {
        assert_eq!(axis(Shape::Line, "%", &[100.0, 100.0], None), (95.0, 100.0, 1.0));
        assert_eq!(axis(Shape::Bars, "%", &[100.0], Some(98.0)), (0.0, 100.0, 20.0));
    }

    #[test]
    fn nothing_one_value_and_absurd_values_have_an_axis_too() {
        assert_eq!(axis(Shape::Line, "", &[], None), (0.0, 1.0, 0.2));
        assert_eq!(axis(Shape::Line, "", &[0.0], None), (0.0, 1.0, 0.2));
        assert_eq!(axis(Shape::Line, "", &[f64::NAN, f64::INFINITY, 1e300], None), (0.0, 1.0, 0.2));
        let (low, high, _) = axis(Shape::Line, "", &[50.0], None);
        assert!(low < 50.0 && high > 50.0);
    }
}
