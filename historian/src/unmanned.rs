//! Whether a station is operated without staff: what the contract declares, and what is observed.
//!
//! It is when the contract says so and the centre in charge sees it well enough: every required signal of
//! priority A there is live, or left out with approval. One that is not decides, whatever the average says.

use config::{Entry, Point, PointId, Province, StationId};

use super::counts::Share;
use super::snapshot::{ChannelSnapshot, Snapshot};
use super::verdict::{PointSnapshot, Reason, Since};

/// How a station is operated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmanned {
    /// The contract declares it to be without staff.
    pub declared: bool,
    /// Required signals of priority A at the centre in charge that are live, of those not left out with
    /// approval.
    pub signals: Share,
    /// Of those that are live, not watched for long enough to say so ([`PointSnapshot::undecided`]).
    pub undecided: u64,
    /// Every block was asked once, and some station of the province has ever answered: before that nothing can
    /// be said of signals.
    pub asked: bool,
    /// Since when the first of those that are not live is not.
    pub lost_since: Option<Since>,
}

impl Unmanned {
    /// Whether the centre in charge sees every signal that it must; `None` when that cannot be said: nobody has
    /// asked yet or watched for long enough, or the templates name no signal of priority A.
    pub fn is_seen(self) -> Option<bool> {
        let is_lost = self.signals.lacking() > 0;
        let can_be_said = self.asked && self.signals.want > 0 && (is_lost || self.undecided == 0);
        can_be_said.then_some(!is_lost)
    }

    /// Whether it is operated without staff; `None` when that cannot be said.
    pub fn is_operated(self) -> Option<bool> {
        if self.declared { self.is_seen() } else { Some(false) }
    }
}

/// A signal of priority A that is not live at the centre in charge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LostSignal {
    /// Which.
    pub point: PointId,
    /// Why it is not live.
    pub reason: Reason,
    /// Since when.
    pub since: Since,
}

/// Whether a station without staff depends on a point at the centre in charge.
pub fn is_needed(point: &Point, entry: &Entry) -> bool {
    point.spec.priority_a && entry.required && entry.excluded.is_none()
}

/// Needed points of the channel to the centre in charge, as they were seen.
fn needed<'a>(
    province: &'a Province,
    channel: &'a ChannelSnapshot,
) -> impl Iterator<Item = (PointId, &'a PointSnapshot)> {
    let entries = &channel.contract(province).entries;
    let points = channel.station(province).points.iter().zip(entries).zip(&channel.points);
    let needed = points.enumerate().filter(|(_, ((point, entry), _))| is_needed(point, entry));
    needed.map(|(n, (_, snapshot))| (PointId::at(n), snapshot))
}

/// How a station is operated; `channel` is the one to the centre in charge of it, and `is_heard` whether any
/// station has ever answered.
pub(super) fn of(
    province: &Province,
    station: StationId,
    (channel, is_heard): (&ChannelSnapshot, bool),
) -> Unmanned {
    let mut unmanned = Unmanned {
        declared: province.stations[station.index()].unmanned,
        signals: Share::default(),
        undecided: 0,
        asked: channel.settled && is_heard,
        lost_since: None,
    };
    for (_, point) in needed(province, channel) {
        unmanned.signals += Share::new(u64::from(point.not_live.is_none()), 1);
        unmanned.undecided += u64::from(point.undecided);
        if point.not_live.is_some() {
            let since = point.not_live_since;
            let first = unmanned.lost_since.map_or(since, |first| first.earlier(since));
            unmanned.lost_since = Some(first);
        }
    }
    unmanned
}

/// The signals that keep a station from being seen, in the order of the contract.
pub fn lost(snapshot: &Snapshot, station: StationId) -> Vec<LostSignal> {
    let province = &snapshot.province;
    let centre = province.stations[station.index()].in_charge;
    let lost = needed(province, snapshot.channel(station, centre)).filter_map(|(point, seen)| {
        seen.not_live.map(|reason| LostSignal { point, reason, since: seen.not_live_since })
    });
    lost.collect()
}
