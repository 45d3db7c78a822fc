//! The rows of the list: what each stands for, how it fares, and in which order they come.

use std::cmp::Reverse;

use config::{ChannelId, DeviceKind, StationId};
use historian::counts::Share;
use historian::snapshot::{ChannelSnapshot, DeviceSnapshot, LinkState};
use historian::traffic::TrafficSnapshot;
use signal::clock::Timestamp;

use super::Sort;
use crate::evidence;
use crate::issues::unit_name;
use crate::theme::Role;
use crate::view::View;

/// For how long something that has passed is still a problem of the present, milliseconds: as long
/// as requests are counted.
const RECENT_MS: i64 = 300_000;
/// Fewest failing units that can be the fault of their path.
const SHARED_LEAST: u64 = 3;

/// A path from a station to a centre, or a unit behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkId {
    pub(crate) station: StationId,
    pub(crate) channel: ChannelId,
    /// An index into the station's units; `None` for the path.
    pub(crate) unit: Option<usize>,
}

/// How asking a device goes. Ordered from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Lost,
    Never,
    /// The gateway answers, and repeats what it had.
    Hung,
    /// The unit does not answer, though the path is up.
    Silent,
    /// Slots were missed of late.
    Overrun,
    /// Connections broke off of late.
    Unsteady,
    /// Requests failed of late: of the unit, or of most units of the path.
    Errors,
    /// Replies came late, or unasked, of late.
    Strays,
    /// One request of twenty takes more than half of its deadline.
    Slow,
    /// Registers are refused.
    SetAside,
    Good,
    /// Nothing is known yet.
    Pending,
}

impl Health {
    /// In a word, with a mark that does not need its colour.
    pub(super) fn text(self, view: &View<'_>) -> &'static str {
        let (vi, en) = match self {
            Self::Lost => ("✗ mất nối", "✗ lost"),
            Self::Never => ("✗ chưa nối", "✗ never up"),
            Self::Hung => ("✗ treo", "✗ hangs"),
            Self::Silent => ("✗ im lặng", "✗ silent"),
            Self::Overrun => ("! quá c.kỳ", "! overrun"),
            Self::Unsteady => ("! đứt nối", "! unsteady"),
            Self::Errors => ("! có lỗi", "! errors"),
            Self::Strays => ("! k.khớp", "! strays"),
            Self::Slow => ("! chậm", "! slow"),
            Self::SetAside => ("! tạm tách", "! aside"),
            Self::Good => ("✓ tốt", "✓ up"),
            Self::Pending => ("—", "—"),
        };
        view.say(vi, en)
    }

    pub(super) fn role(self) -> Role {
        match self {
            Self::Lost | Self::Never | Self::Hung | Self::Silent => Role::Fail,
            Self::Good | Self::Pending => Role::Plain,
            _ => Role::Doubt,
        }
    }

    pub(super) fn is_problem(self) -> bool {
        self < Self::Good
    }
}

/// A row with all that is known of it.
pub(super) struct Seen<'a> {
    pub(super) channel: &'a ChannelSnapshot,
    pub(super) contract: &'a config::Channel,
    pub(super) unit: Option<(usize, &'a config::Device, &'a DeviceSnapshot)>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(view: &View<'a>, id: LinkId) -> Self {
        let channel = &view.snapshot.channels[id.channel.index()];
        let contract = channel.contract(view.province());
        let units = &channel.station(view.province()).units;
        let unit = id.unit.map(|n| (n, &units[n], &channel.units[n]));
        Self { channel, contract, unit }
    }

    /// Id and name of the station, or id of the station and name of the unit.
    pub(super) fn name(&self, view: &View<'_>) -> String {
        let station = &view.station(self.contract.station).id;
        match self.unit {
            None => view.station_name(self.contract.station),
            Some((n, unit, _)) => {
                format!("{station} u{} {}", unit.id, self.unit_label(view, n, unit))
            }
        }
    }

    fn unit_label(&self, view: &View<'_>, n: usize, unit: &config::Device) -> String {
        match unit.kind {
            DeviceKind::Bay(_) => unit_name(view.snapshot, self.contract.station, n, view.lang),
            _ => unit.label.get(view.lang).to_owned(),
        }
    }

    /// `thiết bị 2 (172)`.
    pub(super) fn unit_words(&self, view: &View<'_>) -> Option<String> {
        let (n, unit, _) = self.unit?;
        Some(evidence::unit(view, unit, &self.unit_label(view, n, unit)))
    }

    pub(super) fn centre(&self, view: &View<'a>) -> &'a str {
        view.centre(self.contract.centre)
    }

    pub(super) fn traffic(&self) -> &'a TrafficSnapshot {
        self.unit.map_or(&self.channel.traffic, |(_, _, unit)| &unit.traffic)
    }

    /// When values came last: from the unit, or over the path from any.
    pub(super) fn last_good(&self) -> Option<Timestamp> {
        match self.unit {
            Some((_, _, unit)) => unit.last_good,
            None => self.channel.units.iter().filter_map(|unit| unit.last_good).max(),
        }
    }

    /// A unit behind the same path.
    pub(super) fn id_of_unit(&self, unit: usize) -> LinkId {
        LinkId { station: self.contract.station, channel: self.channel.id, unit: Some(unit) }
    }

    /// The units of the path that have a problem.
    pub(super) fn units_with_problems(&self, view: &View<'a>) -> Vec<Self> {
        let all = (0..self.channel.units.len()).map(|n| self.id_of_unit(n));
        let seen = all.map(|id| Seen::new(view, id));
        seen.filter(|seen| seen.health(view).is_problem()).collect()
    }

    /// Units that are asked, and those of them of which some requests failed of late though they
    /// answer: where it is most of them, it is their path that is at fault.
    pub(super) fn failing_units(&self) -> Share {
        let asked = self.channel.units.iter().filter(|unit| unit.asked);
        let failing = asked.clone().filter(|unit| self.health_of_unit(unit) == Health::Errors);
        Share::new(failing.count() as u64, asked.count() as u64)
    }

    fn is_path_at_fault(&self) -> bool {
        let failing = self.failing_units();
        failing.have >= SHARED_LEAST && 2 * failing.have > failing.want
    }

    pub(super) fn health(&self, view: &View<'_>) -> Health {
        match self.unit {
            None => self.health_of_path(view),
            Some((_, _, unit)) => self.health_of_unit(unit),
        }
    }

    fn health_of_path(&self, view: &View<'_>) -> Health {
        let link = &self.channel.link;
        let recent = |at: Option<Timestamp>| at.is_some_and(|at| view.now.since(at) <= RECENT_MS);
        match link.state {
            LinkState::Lost => Health::Lost,
            LinkState::NeverConnected if link.fault.is_some() => Health::Never,
            LinkState::NeverConnected => Health::Pending,
            LinkState::Connected if self.channel.is_hung => Health::Hung,
            LinkState::Connected if recent(link.overrun.map(|(at, _)| at)) => Health::Overrun,
            LinkState::Connected if recent(link.reconnected_at) => Health::Unsteady,
            LinkState::Connected if self.is_path_at_fault() => Health::Errors,
            LinkState::Connected if recent(link.stray_at) => Health::Strays,
            LinkState::Connected if self.is_slow() => Health::Slow,
            LinkState::Connected => Health::Good,
        }
    }

    fn health_of_unit(&self, unit: &DeviceSnapshot) -> Health {
        let unheard = unit.last_good.is_none() && unit.last_miss.is_none();
        if !unit.asked || unheard || self.channel.link.state != LinkState::Connected {
            // What is wrong with the path is said of the path.
            return Health::Pending;
        }
        // Registers that stand alone are asked for again and again, and refused each time.
        let refused = if unit.set_aside > 0 { 0 } else { unit.traffic.refused };
        if !unit.answers {
            Health::Silent
        } else if unit.traffic.no_reply + unit.traffic.undecodable + refused > 0 {
            Health::Errors
        } else if self.is_slow() {
            Health::Slow
        } else if unit.set_aside > 0 {
            Health::SetAside
        } else {
            Health::Good
        }
    }

    fn is_slow(&self) -> bool {
        let deadline = f64::from(self.contract.device.reply_timeout_ms);
        self.traffic().p95_ms.is_some_and(|ms| 2.0 * ms > deadline)
    }
}

/// Every path, those of plants behind those of stations, and every unit with a problem, in the order that was chosen.
pub(super) fn sorted(view: &View<'_>, sort: Sort, faults: bool) -> Vec<LinkId> {
    let mut found: Vec<(LinkId, Health, &TrafficSnapshot)> = Vec::new();
    let centres = view.centres();
    for station in view.province().site_ids() {
        for centre in &centres {
            let channel = view.province().channel_id(station, *centre);
            let units = view.snapshot.channels[channel.index()].units.len();
            let shared =
                Seen::new(view, LinkId { station, channel, unit: None }).is_path_at_fault();
            for unit in [None].into_iter().chain((0..units).map(Some)) {
                let id = LinkId { station, channel, unit };
                let seen = Seen::new(view, id);
                let health = seen.health(view);
                let is_row = unit.is_none() && !faults;
                // What most units share is said once, of their path.
                let is_said = shared && unit.is_some() && health == Health::Errors;
                if is_row || health.is_problem() && !is_said {
                    found.push((id, health, seen.traffic()));
                }
            }
        }
    }
    match sort {
        Sort::Severity => found.sort_by_key(|(_, health, t)| (*health, Reverse(t.errors()))),
        Sort::Contract => {}
        Sort::Errors => found.sort_by_key(|(_, _, traffic)| Reverse(traffic.errors())),
        // Those of which nothing is known come last.
        Sort::Slowest => found.sort_by(|(_, _, a), (_, _, b)| {
            b.p95_ms.unwrap_or(-1.0).total_cmp(&a.p95_ms.unwrap_or(-1.0))
        }),
    }
    found.into_iter().map(|(id, ..)| id).collect()
}
