//! The snapshot of a moment of which only verdicts and values were kept, not what was asked and answered.

use std::sync::Arc;

use config::{Channel, ChannelId, Flags, Province};
use signal::clock::Timestamp;

use super::counts::Counts;
use super::rules::{Rules, rules};
use super::snapshot::{
    ChannelSnapshot, DeviceSnapshot, Full, Link, LinkState, MeteringSnapshot, Snapshot,
};
use super::traffic::TrafficSnapshot;
use super::verdict::{PointSnapshot, Reason, Since};
use super::verdict_log::VerdictState;

/// What was kept of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptChannel {
    /// The path, and since when it is so.
    pub link: (LinkState, Since),
    /// Each point of the station, in the order of the contract.
    pub points: Vec<KeptPoint>,
}

/// What was kept of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptPoint {
    /// How it stands.
    pub state: VerdictState,
    /// Since when its verdict is so.
    pub since: Since,
    /// Since when it is live, or not for this reason.
    pub live_since: Since,
    /// Its last value, when that came, and what the device said of it.
    pub value: Option<(f64, Timestamp, Flags)>,
}

/// How a channel stood when somebody watched last.
#[derive(Debug, Clone, PartialEq)]
pub struct StoodChannel {
    /// When that was.
    pub at: Timestamp,
    /// The station has ever answered this centre.
    pub answered: bool,
    /// The path, and since when it was so.
    pub link: (LinkState, Since),
    /// Each point of the station, in the order of the contract; nothing of what the contract then did not have.
    pub points: Vec<Option<StoodPoint>>,
}

impl StoodChannel {
    /// How it stands in a snapshot of `at`.
    pub(super) fn of(channel: &ChannelSnapshot, at: Timestamp) -> Self {
        let link = &channel.link;
        let stood = |point: &PointSnapshot| {
            let (state, since) = (VerdictState::of(point), point.since);
            Some(StoodPoint { state, since, live_since: point.not_live_since })
        };
        Self {
            at,
            answered: link.state != LinkState::NeverConnected,
            link: (link.state, link.told_since()),
            points: channel.points.iter().map(stood).collect(),
        }
    }

    /// By a clock that shows `now`, and that says nothing of the moments of the one of then.
    #[must_use]
    pub fn by_another_clock(mut self, now: Timestamp) -> Self {
        let since = Since::AtLeast(now);
        (self.at, self.link.1) = (now, since);
        for point in self.points.iter_mut().flatten() {
            (point.since, point.live_since) = (since, since);
        }
        self
    }
}

/// How a point stood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoodPoint {
    /// How.
    pub state: VerdictState,
    /// Since when its verdict was so.
    pub since: Since,
    /// Since when it was live, or not for this reason.
    pub live_since: Since,
}

/// The snapshot of `at`, from what was kept of each channel since `started`. It has no requests and replies, no
/// traffic and no events.
pub fn snapshot(
    province: &Arc<Province>,
    (started, at): (Timestamp, Timestamp),
    channels: &[KeptChannel],
    metering: MeteringSnapshot,
) -> Snapshot {
    let drawn = channels.iter().zip(rules(province)).enumerate();
    let drawn = drawn.map(|(n, (kept, rules))| {
        Arc::new(channel(province, ChannelId::at(n), kept, (&rules, started)))
    });
    let snapshot = Snapshot::of(Arc::clone(province), (started, at), drawn.collect(), metering);
    Snapshot { is_kept: true, ..snapshot }
}

fn channel(
    province: &Province,
    id: ChannelId,
    kept: &KeptChannel,
    (rules, started): (&Rules, Timestamp),
) -> ChannelSnapshot {
    let contract = &province.channels[id.index()];
    let mut counts = Counts::default();
    let ruled = kept.points.iter().zip(&rules.points).zip(&contract.entries).enumerate();
    let points: Vec<PointSnapshot> = ruled
        .map(|(n, ((kept, rule), entry))| {
            let state = kept.state;
            let (verdict, not_live) = as_of_the_day(state, rule.structural);
            let finding = rules.tests.finding_on(n).filter(|_| state.has_finding());
            let since = rule.structural.filter(|(reason, _)| verdict == Some(*reason));
            let live_since = rule.structural.filter(|(reason, _)| not_live == Some(*reason));
            let (value, at, flags) = match kept.value {
                Some((value, at, flags)) => (Some(value), Some(at), flags),
                None => (None, None, Flags::GOOD),
            };
            let point = PointSnapshot {
                verdict,
                since: since.map_or(kept.since, |(_, since)| since),
                not_live,
                not_live_since: live_since.map_or(kept.live_since, |(_, since)| since),
                value,
                at,
                flags,
                refusal: None,
                evaluable: state.is_evaluable(),
                finding,
                undecided: false,
                group: None,
            };
            counts.add(entry, rule.is_command, &point);
            point
        })
        .collect();
    ChannelSnapshot {
        id,
        link: link(kept, started),
        is_hung: rules.are_hung(points.iter().map(|point| point.not_live)),
        full: Full::of(&counts),
        right: rules.tests.right(&counts, &points),
        counts,
        units: units(province, contract, kept),
        points,
        traffic: TrafficSnapshot::default(),
        layout: Arc::default(),
        answers: Vec::new(),
        settled: true,
    }
}

/// Verdict and why it is not live, by the contract of the day: who recorded it may have held a remark against the
/// point that begins only later, or not yet known of one.
fn as_of_the_day(
    state: VerdictState,
    structural: Option<(Reason, Since)>,
) -> (Option<Reason>, Option<Reason>) {
    let structural = structural.map(|(reason, _)| reason);
    let not_live = match state.not_live() {
        // Then nothing was received of it, whatever the reason.
        Some(Reason::NotInDatabase) if structural != Some(Reason::NotInDatabase) => {
            Some(Reason::NeverSeen)
        }
        other => other,
    };
    let verdict = match (structural, state.verdict()) {
        (Some(reason), _) => Some(reason),
        (None, Some(reason)) if reason.is_structural() => {
            let of_command = (reason == Reason::NotInDatabase).then_some(Reason::NeverSeen);
            let found = state.has_finding().then_some(Reason::Inconsistent);
            not_live.or(of_command).or(found)
        }
        (None, other) => other,
    };
    (verdict, not_live)
}

fn link(kept: &KeptChannel, started: Timestamp) -> Link {
    let (state, since) = kept.link;
    let came = kept.points.iter().filter_map(|point| point.value.map(|(_, at, _)| at));
    let at_least = since.is_at_least();
    let since = since.instant().unwrap_or(started);
    Link { state, since, at_least, last_reply: came.max(), ..Link::new(started) }
}

/// A unit did not answer when this is why its points were not live.
fn units(province: &Province, contract: &Channel, kept: &KeptChannel) -> Vec<DeviceSnapshot> {
    let station = &province.stations[contract.station.index()];
    let reads_meters = province.centres[contract.centre.index()].metering;
    let is_asked = |device: u8| {
        let points = station.points.iter().zip(&contract.entries);
        let mut values = points.filter(|(point, _)| point.spec.scan.is_some());
        values.any(|(_, entry)| entry.device() == Some(device))
            || reads_meters && station.metering_unit() == Some(device)
    };
    let (link, link_since) = kept.link;
    let unit = |unit: &config::Device| {
        let own = contract.entries.iter().zip(&kept.points);
        let own = own.filter(|(entry, _)| entry.device() == Some(unit.id));
        let silent = own.filter(|(_, point)| point.state.not_live() == Some(Reason::NoReply));
        let silent_since = silent.map(|(_, point)| point.live_since).reduce(Since::earlier);
        let (answers, since) = match (link, silent_since) {
            (LinkState::Connected, None) => (true, link_since),
            (LinkState::Connected, Some(since)) => (false, since),
            _ => (false, link_since),
        };
        DeviceSnapshot {
            asked: is_asked(unit.id),
            answers,
            since,
            traffic: TrafficSnapshot::default(),
            last_good: None,
            last_miss: None,
            set_aside: 0,
            events: None,
        }
    };
    station.units.iter().map(unit).collect()
}
