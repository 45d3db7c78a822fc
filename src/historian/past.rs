//! The picture of a moment of which only verdicts and values were kept, not what was asked and answered.

use std::sync::Arc;

use config::{ChannelId, Flags, Province, Station};

use super::counts::Counts;
use super::ledger::State;
use super::picture::{
    ChannelPicture, Full, Link, LinkState, MeteringPicture, Picture, Right, UnitPicture,
};
use super::rules::{Rules, rules};
use super::traffic::TrafficPicture;
use super::verdict::{PointPicture, Reason, Since};
use crate::clock::Timestamp;
use crate::collector::plan::{Plan, plans};

/// What was kept of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptChannel {
    /// The path, and since when it is so.
    pub link: (LinkState, Timestamp),
    /// Each point of the station, in the order of the contract.
    pub points: Vec<KeptPoint>,
}

/// What was kept of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptPoint {
    /// How it stands.
    pub state: State,
    /// Since when its verdict is so.
    pub since: Timestamp,
    /// Since when it is live, or not for this reason.
    pub live_since: Timestamp,
    /// Its last value, when that came, and what the device said of it.
    pub value: Option<(f64, Timestamp, Flags)>,
}

/// The picture of `at`, from what was kept of each channel since `started`. It has no requests and replies, no
/// traffic and no events.
pub fn picture(
    province: &Arc<Province>,
    (started, at): (Timestamp, Timestamp),
    channels: &[KeptChannel],
    metering: MeteringPicture,
) -> Picture {
    let drawn = channels.iter().zip(plans(province)).zip(rules(province)).enumerate();
    let drawn = drawn.map(|(n, ((kept, plan), rules))| {
        Arc::new(channel(province, ChannelId::at(n), (kept, &plan), &rules))
    });
    Picture::of(Arc::clone(province), (started, at), drawn.collect(), metering)
}

fn channel(
    province: &Province,
    id: ChannelId,
    (kept, plan): (&KeptChannel, &Arc<Plan>),
    rules: &Rules,
) -> ChannelPicture {
    let contract = &province.channels[id.index()];
    let station = &province.stations[contract.station.index()];
    let (mut counts, mut leads) = (Counts::default(), false);
    let ruled = kept.points.iter().zip(&rules.points).zip(&contract.entries).enumerate();
    let points: Vec<PointPicture> = ruled
        .map(|(n, ((kept, rule), entry))| {
            let state = kept.state;
            let finding = rules.tests.finding_on(n).filter(|_| state.has_finding());
            leads |= finding.is_some() && rules.tests.is_leading(n);
            let since = rule.structural.filter(|(reason, _)| state.verdict() == Some(*reason));
            let live_since =
                rule.structural.filter(|(reason, _)| state.not_live() == Some(*reason));
            let (value, at, flags) = match kept.value {
                Some((value, at, flags)) => (Some(value), Some(at), flags),
                None => (None, None, Flags::GOOD),
            };
            let point = PointPicture {
                verdict: state.verdict(),
                since: since.map_or(Since::At(kept.since), |(_, since)| since),
                not_live: state.not_live(),
                not_live_since: live_since.map_or(Since::At(kept.live_since), |(_, since)| since),
                value,
                at,
                flags,
                exception: 0,
                evaluable: state.is_evaluable(),
                finding,
                block: None,
            };
            counts.add(entry, rule.is_command, &point);
            point
        })
        .collect();
    ChannelPicture {
        id,
        link: link(kept),
        full: Full::of(&counts),
        right: Right::of(&counts, leads),
        counts,
        units: units(station, &contract.entries, kept, plan),
        points,
        traffic: TrafficPicture::default(),
        plan: Arc::clone(plan),
        exchanges: Vec::new(),
        settled: true,
    }
}

fn link(kept: &KeptChannel) -> Link {
    let (state, since) = kept.link;
    let came = kept.points.iter().filter_map(|point| point.value.map(|(_, at, _)| at));
    Link { state, since, last_reply: came.max(), ..Link::new(since) }
}

/// A unit did not answer when this is why its points were not live.
fn units(
    station: &Station,
    entries: &[config::Entry],
    kept: &KeptChannel,
    plan: &Plan,
) -> Vec<UnitPicture> {
    let (link, link_since) = kept.link;
    let unit = |unit: &config::Unit| {
        let own = entries.iter().zip(&kept.points);
        let own = own.filter(|(entry, _)| entry.register.is_some_and(|r| r.unit == unit.id));
        let silent = own.filter(|(_, point)| point.state.not_live() == Some(Reason::NoReply));
        let silent_since = silent.map(|(_, point)| point.live_since).min();
        let (answers, since) = match (link, silent_since) {
            (LinkState::Connected, None) => (true, link_since),
            (LinkState::Connected, Some(since)) => (false, since),
            _ => (false, link_since),
        };
        UnitPicture {
            asked: plan.blocks.iter().any(|block| block.unit == unit.id),
            answers,
            since,
            traffic: TrafficPicture::default(),
            last_good: None,
            last_fault: None,
            set_aside: 0,
            events: None,
        }
    };
    station.units.iter().map(unit).collect()
}
