//! Who was without supply, from when to when: the ground of SAIDI, SAIFI and MAIFI.
//!
//! What a window says follows from the history that is kept, not from the window: supply is worked out week by week, an
//! interruption is followed to its beginning and its end outside of the window, and each window has the minutes that
//! lie in it. So windows add up. What nobody saw is not known, and never counted as supplied.

mod believed;
mod chatter;
mod contradiction;
mod evidence;
mod feeder;
mod known;
mod missing;
mod scheme;
mod tally;
mod track;
mod tracks;
mod untold;
mod weeks;

use std::collections::BTreeMap;

use historian::counts::Share;
use signal::clock::Timestamp;

pub use self::feeder::{Feeder, FeederInterruption, FeederName, InterruptionKind, SUSTAINED_MS};
use self::known::hidden;
pub use self::tally::{Count, Tally};
pub use self::weeks::reliability;
use super::Span;
use super::figure::{Figure, Remark, What};
use super::window::{merged, without};

/// What is known of the supply of feeders around a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliability {
    /// The window.
    pub window: Span,
    /// Every feeder that a contract of the window knew, by station, level and bay.
    pub feeders: Vec<Feeder>,
}

impl Reliability {
    /// What the feeders of a station, or all of them, come to in a stretch within the window.
    pub fn tally(&self, stretch: Span, station: Option<&str>) -> Tally {
        let mut sum = Tally::default();
        for feeder in &self.feeders {
            if station.is_none_or(|station| station == feeder.name.station) {
                sum += Tally::of(feeder, stretch.and(self.window));
            }
        }
        sum
    }

    /// The interruptions that touch the window, in the order of their beginning; those from before it first, whose
    /// beginning may not be kept, by feeder.
    pub fn interruptions(&self) -> Vec<(&FeederName, &FeederInterruption)> {
        let all = self.feeders.iter().flat_map(|feeder| {
            let own = feeder.interruptions.iter().filter(|own| own.is_in(self.window));
            own.map(|own| (&feeder.name, own))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(name, own)| (own.from.max(self.window.from), *name));
        all
    }
}

/// What was assumed or is not known of a feeder over a stretch of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// When.
    pub span: Span,
    /// Which feeder.
    pub feeder: FeederName,
    /// Meters that sell energy behind it at the beginning.
    pub customers: u64,
    /// What.
    pub what: What,
}

/// Indices of a group of feeders over a window, with what they rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Indices {
    /// Meters that sell energy: the mean over the window where contracts differ.
    pub customers: Figure<u64>,
    /// Sustained interruptions that began in it.
    pub sustained: Figure<u64>,
    /// Momentary ones.
    pub momentary: Figure<u64>,
    /// Interruptions that are not known to be either.
    pub undecided: Figure<u64>,
    /// Minutes without supply in sustained interruptions, of the mean customer.
    pub saidi: Figure<f64>,
    /// Sustained interruptions of the mean customer.
    pub saifi: Figure<f64>,
    /// Momentary interruptions of the mean customer.
    pub maifi: Figure<f64>,
}

impl Reliability {
    /// The indices of a station, or of all of them.
    pub fn indices(&self, station: Option<&str>) -> Indices {
        let tally = self.tally(self.window, station);
        let window_ms = self.window.length().unsigned_abs();
        let remarks = self.remarks(station);
        let lost = self.lost_records(station);
        let known = Share::new(tally.known_ms, tally.customer_ms);
        let recorded = Share::new(tally.recorded_ms, tally.customer_ms);
        let per_customer = |sum: u64, unit: u64| {
            let all = u128::from(tally.customer_ms) * u128::from(unit);
            ratio(u128::from(sum) * u128::from(window_ms), all)
        };
        let of_known = |value| figure(value, known, window_ms).with(remarks.iter().cloned());
        let of_recorded = |value| {
            let remarks = remarks.iter().chain(&lost).cloned();
            figure(value, recorded, window_ms).with(remarks)
        };
        let mean = tally.customer_ms.checked_div(window_ms).unwrap_or(0);
        Indices {
            customers: Figure::new(mean, Share::new(window_ms, window_ms)),
            sustained: count(tally.sustained.interruptions, of_known),
            momentary: count(tally.momentary.interruptions, of_recorded),
            undecided: count(tally.undecided.interruptions, of_known),
            saidi: of_known(per_customer(tally.sustained.customer_ms, 60_000)),
            saifi: of_known(per_customer(tally.sustained.customers, 1)),
            maifi: of_recorded(per_customer(tally.momentary.customers, 1)),
        }
    }

    /// What was assumed of the interruptions that touch the window, and of its time.
    fn remarks(&self, station: Option<&str>) -> Vec<Remark> {
        let is_own = |name: &FeederName| station.is_none_or(|station| station == name.station);
        let all = self.interruptions().into_iter().filter(|(name, _)| is_own(name));
        let of_interruptions = all.flat_map(|(name, own)| {
            own.assumed.iter().map(|what| Remark {
                at: own.from,
                until: own.until,
                place: name.to_string(),
                what: *what,
            })
        });
        let doubts = self.doubts().into_iter().filter(|own| is_own(&own.feeder));
        let of_time = doubts.map(|own| Remark {
            at: own.span.from,
            until: Some(own.span.to),
            place: own.feeder.to_string(),
            what: own.what,
        });
        of_time.chain(of_interruptions).collect()
    }

    /// What was assumed or is not known over stretches of the window, as far as they lie in it, in the order of time.
    pub fn doubts(&self) -> Vec<Doubt> {
        let of_feeder = |feeder: &Feeder| {
            let of_window = |(what, span): &(What, Span)| {
                let span = span.and(self.window);
                let of_time = feeder.customers.iter().find(|(era, _)| era.and(span).length() > 0);
                let customers = of_time.map_or(0, |(_, customers)| *customers);
                let feeder = feeder.name.clone();
                (span.length() > 0).then_some(Doubt { span, feeder, customers, what: *what })
            };
            feeder.doubts.iter().filter_map(of_window).collect::<Vec<_>>()
        };
        let mut all: Vec<Doubt> = self.feeders.iter().flat_map(of_feeder).collect();
        all.sort_by(|one, other| {
            (one.span.from, &one.feeder, one.what).cmp(&(
                other.span.from,
                &other.feeder,
                other.what,
            ))
        });
        all
    }

    /// Stretches in which records of a unit were lost or not believed, once for all of its feeders.
    fn lost_records(&self, station: Option<&str>) -> Vec<Remark> {
        let mut lost = BTreeMap::new();
        for feeder in &self.feeders {
            if station.is_some_and(|station| station != feeder.name.station) {
                continue;
            }
            // What is hidden without a record lost is told by itself.
            let others = merged(feeder.unknown.iter().copied().chain(hidden(&feeder.doubts)));
            for span in without(feeder.unrecorded.iter().copied(), &others) {
                let span = span.and(self.window);
                if span.length() > 0 {
                    lost.entry((&feeder.name.station, span.from)).or_insert(span);
                }
            }
        }
        let remark = |((station, _), span): ((&String, Timestamp), Span)| Remark {
            at: span.from,
            until: Some(span.to),
            place: station.clone(),
            what: What::RecordsLost,
        };
        lost.into_iter().map(remark).collect()
    }
}

/// That there was none is said of no less than one in so many customer-milliseconds: of less it would be read as a figure.
const NONE_OF: u64 = 100;

/// A figure whose value is known as far as anything is: what was seen however little was, but nothing is no figure
/// where next to nothing was.
fn figure(value: Option<f64>, known: Share, window_ms: u64) -> Figure<f64> {
    let is_enough = known.have > 0 && known.have.saturating_mul(NONE_OF) >= known.want;
    match value {
        Some(value) if value > 0.0 || is_enough => Figure::new(value, known),
        // How much was seen is told nevertheless: a window says no less of it than its days.
        _ if known.want > 0 => Figure::untold(known),
        _ => Figure::unknown(window_ms),
    }
}

/// A count as a figure; `of` says what it rests on.
fn count(count: u64, of: impl Fn(Option<f64>) -> Figure<f64>) -> Figure<u64> {
    of(Some(if count > 0 { 1.0 } else { 0.0 })).map(|_| count)
}

/// One number by another, in lowest terms divided once: it has no more digits than it must. `None` by nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "lowest terms are exact up to 2^53; beyond it a rounding"
)]
fn ratio(n: u128, all: u128) -> Option<f64> {
    let (mut divisor, mut rest) = (all, n);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (all > 0).then(|| (n / divisor) as f64 / (all / divisor) as f64)
}

#[cfg(test)]
mod tests {
    use historian::counts::Share;

    use super::{figure, ratio};
    use crate::history::Figure;

    #[test]
    fn that_there_was_none_is_not_said_of_next_to_nothing() {
        for (value, have, is_known) in
            [(0.0, 2, true), (0.0, 1, false), (0.0, 0, false), (1.0, 1, true), (1.0, 0, true)]
        {
            let known = Share::new(have, 200);
            let expected = if is_known { Figure::new(value, known) } else { Figure::untold(known) };
            assert_eq!(figure(Some(value), known, 1), expected, "{value} of {have}");
        }
    }

    #[test]
    fn an_index_has_no_more_digits_than_it_must() {
        let month_ms = 2_592_000_000_u128;
        for n in 0..5_000_u128 {
            // Of two thousand customers, all of a month known.
            let expected = format!("{}.{:04}", n * 5 / 10_000, n * 5 % 10_000);
            let expected = expected.parse::<f64>().unwrap();
            assert_eq!(ratio(n * month_ms, 2_000 * month_ms), Some(expected), "{n}");
            let minutes = ratio(n * 60_000 * month_ms, 2_000 * month_ms * 60_000);
            assert_eq!(minutes, Some(expected), "{n}");
        }
        assert_eq!(ratio(1, 0), None);
        assert_eq!(ratio(0, 0), None);
        assert_eq!(ratio(1, 3), Some(1.0 / 3.0));
    }
}
