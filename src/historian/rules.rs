//! What the contract says about judging the points of a channel, worked out once. Judging reads
//! these few bytes a point again and again instead of the contract, and alike channels share them.

use std::sync::Arc;

use config::{Channel, Entry, Kind, Point, Province, Standing};

use super::findings::Tests;
use super::verdict::{Reason, Since};

/// How long a breaker may stand between its ends before it counts: it moves within tenths of a
/// second.
const BREAKER_TRAVEL_MS: i64 = 2_000;
/// The same for motor-driven disconnectors and earth switches, which take 8 to 15 s.
pub(crate) const DISCONNECTOR_TRAVEL_MS: i64 = 25_000;

/// How the points of a channel are judged.
pub(super) struct Rules {
    /// One for each point of the station.
    pub(super) points: Vec<PointRule>,
    /// What is tested of them against each other.
    pub(super) tests: Tests,
}

/// How one point is judged.
pub(super) struct PointRule {
    /// Age in milliseconds above which its value is old; `None` for a command, which has no value.
    pub(super) old_after: Option<i64>,
    /// How long a double point may stand between its ends, milliseconds; `None` for other kinds.
    pub(super) travel: Option<i64>,
    /// Lowest and highest value that can be real.
    pub(super) range: Option<(f64, f64)>,
    /// What the contract itself has against it.
    pub(super) structural: Option<(Reason, Since)>,
    pub(super) is_command: bool,
    pub(super) is_mapped: bool,
    pub(super) has_quality: bool,
}

/// The rules of every channel.
pub(super) fn rules(province: &Province) -> Vec<Arc<Rules>> {
    let mut known: Vec<(&Channel, Arc<Rules>)> = Vec::new();
    let channels = province.channels.iter().map(|channel| {
        let alike = known.iter().find(|(other, _)| other.entries.is_shared_with(&channel.entries));
        if let Some((_, rules)) = alike {
            return Arc::clone(rules);
        }
        let rules = Arc::new(Rules::new(province, channel));
        known.push((channel, Arc::clone(&rules)));
        rules
    });
    channels.collect()
}

impl Rules {
    fn new(province: &Province, channel: &Channel) -> Self {
        let station = &province.stations[channel.station.index()];
        let points = station.points.iter().zip(&channel.entries);
        Self {
            points: points.map(|(point, entry)| PointRule::new(province, point, entry)).collect(),
            tests: Tests::new(province, channel),
        }
    }
}

impl PointRule {
    fn new(province: &Province, point: &Point, entry: &Entry) -> Self {
        let travel = match point.spec.kind {
            Kind::DoublePoint if point.spec.id.starts_with("CB.") => Some(BREAKER_TRAVEL_MS),
            Kind::DoublePoint => Some(DISCONNECTOR_TRAVEL_MS),
            _ => None,
        };
        Self {
            old_after: point.spec.scan.map(|scan| province.scan.old_after_ms(scan)),
            travel,
            range: point.range,
            structural: structural(entry),
            is_command: point.spec.kind.is_command(),
            is_mapped: entry.register.is_some(),
            // A value without its quality is not known to be usable.
            has_quality: entry.register.is_some_and(|register| register.quality.is_some()),
        }
    }
}

/// The structural reason of an entry.
fn structural(entry: &Entry) -> Option<(Reason, Since)> {
    let since = |cause: &config::Cause| cause.since.map_or(Since::Always, Since::Day);
    match &entry.standing {
        Standing::Elsewhere | Standing::Tested(_) => None,
        Standing::Absent(cause) => Some((Reason::NotInDatabase, since(cause))),
        Standing::Untested(cause) => Some((Reason::NoE2eRecord, since(cause))),
    }
}
