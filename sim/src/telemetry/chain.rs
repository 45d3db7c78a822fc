//! The measuring chain: from what is true to what a station sends.
//!
//! Instrument transformers and transducers have errors of their own, fixed by the seed; there is
//! noise, the steps of the converter, and the deadband below which a change is not sent. What is
//! sent never leaves [`tolerance`] of the truth: that is the class of a point.

use config::{Point, PointKind, Province};

use crate::chance::Chance;
use crate::telemetry::image::SentSample;

/// Ratio error of instrument transformers (class 0.5), and gain of a transducer, share of the
/// value.
const TRANSFORMER_GAIN: f64 = 0.003;
const TRANSDUCER_GAIN: f64 = 0.003;
/// Offset of a transducer, and noise (one sigma; three at most), share of full scale.
const OFFSET: f64 = 0.001;
const NOISE: f64 = 0.0005;
/// Step of a 12-bit converter over 4–20 mA, share of full scale.
const QUANTUM: f64 = 0.000_24;
/// What is smaller than this is shown as zero, share of full scale.
const ZERO: f64 = 0.002;
/// Error of temperature transducers, K, and of frequency, Hz.
const TEMPERATURE_K: f64 = 1.5;
const FREQUENCY_HZ: f64 = 0.003;

/// Errors of one point.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Link {
    gain: f64,
    offset: f64,
    /// One sigma, in the unit of the point.
    noise: f64,
    quantum: f64,
    zero: f64,
    deadband: f64,
    /// What the transducer can show.
    range: (f64, f64),
    chance: Chance,
}

/// The measuring chains of one station.
pub(crate) struct Chain {
    /// What is measured: point and errors.
    links: Vec<(usize, Link)>,
    /// What is sent as it is, each second: counters, what events leave.
    exact: Vec<usize>,
    /// What is sent as it is when it changes.
    statuses: Vec<usize>,
}

/// What a point is made to measure with.
struct Class {
    gain: f64,
    offset: f64,
    noise: f64,
    quantum: f64,
    zero: f64,
}

/// The class of a measurement, in its unit; `None` for what is counted, not measured.
fn class(point: &Point) -> Option<Class> {
    let full = point.full_scale()?;
    let exact = matches!(point.spec.id.as_str(), "TAP.POS" | "STN.HB" | "SETGRP" | "CAM.N");
    if !point.spec.kind.is_measurement() || exact {
        return None;
    }
    let transformers = match point.spec.id.as_str() {
        // A current and a voltage transformer stand before a power transducer.
        "P" | "Q" => 2.0,
        id if id.starts_with('I') || id.starts_with('U') => 1.0,
        _ => 0.0,
    };
    let gain = transformers * TRANSFORMER_GAIN + TRANSDUCER_GAIN;
    Some(match point.spec.unit.as_str() {
        "°C" => Class { gain: 0.0, offset: TEMPERATURE_K, noise: 0.02, quantum: 0.05, zero: 0.0 },
        "Hz" => {
            Class { gain: 0.0, offset: FREQUENCY_HZ, noise: 0.000_5, quantum: 0.001, zero: 0.0 }
        }
        _ if point.spec.kind == PointKind::EventMeasurement => {
            Class { gain: 0.005, offset: 0.0, noise: 0.0, quantum: 0.0, zero: 0.0 }
        }
        _ => Class {
            gain,
            offset: OFFSET * full,
            noise: NOISE * full,
            quantum: QUANTUM * full,
            zero: if transformers > 0.0 { ZERO * full } else { 0.0 },
        },
    })
}

/// How far what is sent of a point may be from what is true, in its unit: the errors of its chain
/// at the value, its deadband, and the resolution of its register. 0 for what is sent as it is.
pub fn tolerance(point: &Point, value: f64) -> f64 {
    // A float has seven digits.
    let resolution = (point.encoding.scale() / 2.0).max(value.abs() * 1e-7);
    class(point).map_or(0.0, |class| {
        let Class { gain, offset, noise, quantum, zero } = class;
        let chain = gain * value.abs() + offset + 3.0 * noise + quantum / 2.0;
        // What the chain might see below its zero may be shown as nothing at all.
        let nothing = if value.abs() - chain < zero { value.abs() } else { 0.0 };
        chain.max(nothing) + point.deadband.unwrap_or(0.0) + resolution
    })
}

impl Chain {
    pub(crate) fn new(province: &Province, station: usize) -> Self {
        let mut chain = Self { links: Vec::new(), exact: Vec::new(), statuses: Vec::new() };
        for (n, point) in province.stations[station].points.iter().enumerate() {
            match class(point) {
                Some(class) => chain.links.push((n, Link::new(province.seed, point, &class))),
                None if point.spec.kind.is_status() => chain.statuses.push(n),
                None => chain.exact.push(n),
            }
        }
        chain
    }

    /// Sends the values of a station, and names those that are news. A sample stays as it is while
    /// its value has not left the deadband. Statuses are looked at when one of them `changed`.
    pub(crate) fn send(
        &self,
        (values, changed): (&[f64], bool),
        at_ms: i64,
        samples: &mut [SentSample],
        news: &mut Vec<usize>,
    ) {
        let second = at_ms.div_euclid(1_000);
        let mut say = |point: usize, sent: f64, samples: &mut [SentSample]| {
            if sent.to_bits() != samples[point].value.to_bits() {
                samples[point] = SentSample::good(sent);
                news.push(point);
            }
        };
        for (point, link) in &self.links {
            let (value, before) = (values[*point], samples[*point].value);
            let measured = if value.is_finite() { link.measure(value, second) } else { value };
            // What has become zero, or is no longer, is always news.
            let holds =
                (measured - before).abs() <= link.deadband && (measured == 0.0) == (before == 0.0);
            if !holds {
                say(*point, measured, samples);
            }
        }
        let statuses: &[usize] = if changed { &self.statuses } else { &[] };
        for point in self.exact.iter().chain(statuses) {
            say(*point, values[*point], samples);
        }
    }
}

impl Link {
    fn new(seed: u64, point: &Point, class: &Class) -> Self {
        let chance = Chance::of(seed, &point.id);
        Self {
            gain: 1.0 + chance.between(1, -class.gain, class.gain),
            offset: chance.between(2, -class.offset, class.offset),
            noise: class.noise,
            quantum: class.quantum,
            zero: class.zero,
            deadband: point.deadband.unwrap_or(0.0),
            range: point.range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY)),
            chance,
        }
    }

    fn measure(&self, value: f64, second: i64) -> f64 {
        let noisy = value * self.gain + self.offset + self.noise * self.chance.bell(3, second);
        if noisy.abs() < self.zero || value == 0.0 && self.zero > 0.0 {
            return 0.0;
        }
        let shown =
            if self.quantum > 0.0 { (noisy / self.quantum).round() * self.quantum } else { noisy };
        // A value that can be real is not shown as one that cannot.
        let (low, high) = self.range;
        if (low..=high).contains(&value) { shown.clamp(low, high) } else { shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_stays_within_its_class() {
        let province = Province::built_in();
        let chain = Chain::new(&province, 2);
        let points = &province.stations[2].points;
        let mut samples = vec![SentSample::good(f64::NAN); points.len()];
        let mut news = Vec::new();
        let (mut moved, mut banded) = (0, 0);
        for second in 0..2_000_i64 {
            let values: Vec<f64> = points
                .iter()
                .map(|point| {
                    let (low, high) = point.range.unwrap_or((0.0, 1.0));
                    let chance = Chance::of(7, &point.id);
                    // Slowly through the whole range, and often round zero.
                    let share = chance.wander(1, second * 1_000, 1_800);
                    if low < 0.0 { high * share } else { low + (high - low) * share.max(0.0) }
                })
                .collect();
            let before = samples.clone();
            chain.send((&values, true), second * 1_000, &mut samples, &mut news);
            for ((point, value), (sample, before)) in
                points.iter().zip(&values).zip(samples.iter().zip(&before))
            {
                let apart = (sample.value - value).abs();
                let most = tolerance(point, *value);
                assert!(apart <= most + 1e-9, "{} {value} {}: {most}", point.id, sample.value);
                let news = before.value.to_bits() != sample.value.to_bits();
                moved += usize::from(news && point.deadband.is_some());
                banded += usize::from(point.deadband.is_some());
            }
        }
        // The deadband holds most of them back.
        assert!(moved > 1_000 && moved < banded / 4, "{moved} of {banded}");
    }
}
