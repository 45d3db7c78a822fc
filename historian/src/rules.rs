//! What the contract says about judging the points of a channel, worked out once. Judging reads
//! these few bytes a point again and again instead of the contract, and alike channels share them.

use std::sync::Arc;

use config::{Channel, Entry, Point, PointKind, Province, Standing};
use signal::clock::Timestamp;

use super::findings::Tests;
use super::past::{StoodChannel, StoodPoint};
use super::snapshot::LinkState;
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
    /// Where the heartbeat of the gateway is among them, where the centre reads it.
    pub(super) heartbeat: Option<usize>,
    /// Age in milliseconds at which the first of them is old.
    pub(super) soonest_old: Option<i64>,
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
    /// Whether points that are live for these reasons or not are those behind a gateway that hangs: all that could
    /// be old by now are, but for those that nothing comes from at all.
    pub(super) fn are_hung(&self, not_live: impl Iterator<Item = Option<Reason>>) -> bool {
        let soonest = |rule: &PointRule| rule.is_mapped && rule.old_after == self.soonest_old;
        let own = self.points.iter().zip(not_live).filter(|(rule, _)| soonest(rule));
        let comes = |reason: &Option<Reason>| {
            use Reason::{NeverSeen, NoLink, NoReply, Refused, Undecodable};
            !matches!(reason, Some(NoLink | NoReply | Refused | Undecodable | NeverSeen))
        };
        let mut own = own.map(|(_, reason)| reason).filter(comes).peekable();
        own.peek().is_some() && own.all(|reason| reason == Some(Reason::Old))
    }

    /// When the gateway of a channel that hung when somebody watched last beat last, at the latest.
    pub(super) fn last_beat(&self, stood: &StoodChannel) -> Option<Timestamp> {
        let state = |point: &Option<StoodPoint>| point.and_then(|point| point.state.not_live());
        if stood.link.0 != LinkState::Connected || !self.are_hung(stood.points.iter().map(state)) {
            return None;
        }
        let old = stood.points.iter().flatten().filter(|p| p.state.not_live() == Some(Reason::Old));
        let since = old.filter_map(|point| point.live_since.instant()).min()?;
        Some(since.plus(-self.soonest_old?))
    }

    fn new(province: &Province, channel: &Channel) -> Self {
        let station = &province.stations[channel.station.index()];
        let points = station.points.iter().zip(&channel.entries);
        let heartbeat = province.heartbeat(channel.station, channel.centre);
        let points: Vec<PointRule> =
            points.map(|(point, entry)| PointRule::new(province, point, entry)).collect();
        let mapped = points.iter().filter(|rule| rule.is_mapped);
        Self {
            heartbeat: heartbeat.map(config::PointId::index),
            soonest_old: mapped.filter_map(|rule| rule.old_after).min(),
            points,
            tests: Tests::new(province, channel),
        }
    }
}

impl PointRule {
    fn new(province: &Province, point: &Point, entry: &Entry) -> Self {
        let travel = match point.spec.kind {
            PointKind::DoublePoint if point.spec.id.starts_with("CB.") => Some(BREAKER_TRAVEL_MS),
            PointKind::DoublePoint => Some(DISCONNECTOR_TRAVEL_MS),
            _ => None,
        };
        Self {
            old_after: point.spec.scan.map(|scan| province.scan.old_after_ms(scan)),
            travel,
            range: point.range,
            structural: structural(entry),
            is_command: point.spec.kind.is_command(),
            is_mapped: entry.is_mapped(),
            // A value without its quality is not known to be usable.
            has_quality: entry.has_quality(),
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
