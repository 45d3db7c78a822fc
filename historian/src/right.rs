//! *Right* (đúng): what the word means, for an instant and for a window alike.

use config::Station;

use super::counts::Share;

/// Whether the signals are right: *đúng*. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Nearly everything that could be tested has no finding, and none of the leading signals has.
    Right,
    /// Nothing could be tested.
    NotEvaluated,
    /// Neither.
    Wrong,
}

/// What must be without a finding, per cent: of all that could be tested, and of each leading signal by
/// itself. The trade's 0.99.
const RIGHT_PERCENT: f64 = 99.0;

impl Right {
    /// The one definition. `all` is what has no finding, of what could be tested: points at an instant, their
    /// time over a window. `leading` is the same of each leading signal ([`is_leading`]) by itself: at an
    /// instant any finding on it is too much, over a window one for more than 1 % of the time in which it
    /// could be tested. So a breaker position that was wrong for a day of a month makes the month wrong,
    /// however many other signals there are.
    pub fn of(all: Share, leading: impl IntoIterator<Item = Share>) -> Self {
        let is_enough = |share: Share| share.reaches(RIGHT_PERCENT);
        match is_enough(all) {
            None => Self::NotEvaluated,
            Some(true) if leading.into_iter().all(|own| is_enough(own) != Some(false)) => {
                Self::Right
            }
            Some(_) => Self::Wrong,
        }
    }

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::NotEvaluated => "not_evaluated",
            Self::Wrong => "wrong",
        }
    }
}

/// Whether a station stands or falls with a point: a breaker position, a bus voltage, power and currents
/// of a transformer.
pub fn is_leading(station: &Station, point: usize) -> bool {
    let point = &station.points[point];
    let is_transformer = station.transformers.iter().any(|(bay, _)| *bay == point.bay);
    match point.spec.id.as_str() {
        "CB.POS" | "UAB" | "UBC" | "UCA" => true,
        "P" | "Q" | "IA" | "IB" | "IC" => is_transformer,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leading_signal_decides_however_many_others_there_are() {
        let hours = |right, of| Share::new(right, of);
        let month = 720;
        let well = hours(150 * month, 150 * month);
        assert_eq!(Right::of(well, []), Right::Right);
        assert_eq!(Right::of(Share::default(), []), Right::NotEvaluated);
        // 7 h of a month are within the 1 %, 8 h are not.
        assert_eq!(Right::of(well, [hours(713, month)]), Right::Right);
        assert_eq!(Right::of(well, [hours(712, month)]), Right::Wrong);
        // A whole month of one breaker, of 150 signals: 99.3 % of all time, and wrong all the same.
        let all = hours(149 * month, 150 * month);
        assert_eq!(Right::of(all, [hours(0, month), hours(month, month)]), Right::Wrong);
        // What could not be tested says nothing.
        assert_eq!(Right::of(all, [Share::default()]), Right::Right);
        // At an instant a point is right or it is not.
        assert_eq!(Right::of(Share::new(149, 150), [Share::new(0, 1)]), Right::Wrong);
        assert_eq!(Right::of(Share::new(149, 150), [Share::new(1, 1)]), Right::Right);
        assert_eq!(Right::of(Share::new(98, 100), []), Right::Wrong);
    }
}
