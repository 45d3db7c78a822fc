//! Why a station falls short, in lines that can be acted upon: signals with the same reason, since
//! and cause together, whichever centre lacks them.

use std::cmp::Reverse;

use config::{CentreId, DeviceKind, Entry, Lang, PointId, Standing, StationId};

use super::snapshot::Snapshot;
use super::verdict::{PointSnapshot, Reason, Since};

/// What the signals of a line have in common, beside the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The path to the station.
    Link,
    /// The unit that should have answered: an index into the station's units.
    Unit(usize),
    /// The bay: an index into the station's bays.
    Bay(usize),
    /// A cause that the contract names; told apart by its first point and centre.
    Contract(PointId, CentreId),
}

/// What a line is known by, from snapshot to snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IssueId {
    /// Why.
    pub reason: Reason,
    /// Where.
    pub scope: Scope,
}

impl IssueId {
    /// Whether it is a gateway that hangs: its path is up, and all that comes over it is old.
    pub fn is_hung(self) -> bool {
        (self.reason, self.scope) == (Reason::Old, Scope::Link)
    }
}

/// Signals of a station that fall short for one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Issue {
    /// What it is known by.
    pub id: IssueId,
    /// Centres that lack them, in the order of the contract.
    pub centres: Vec<CentreId>,
    /// How many of the signals each of these lacks.
    pub counts: Vec<usize>,
    /// The signals, in the order of the contract.
    pub points: Vec<PointId>,
    /// Since when the first of them does.
    pub since: Since,
    /// Since when the last of them does; the same where all do since one moment.
    pub last_since: Since,
}

impl Issue {
    /// Why.
    pub fn reason(&self) -> Reason {
        self.id.reason
    }

    /// Signals that it takes from the centres, all told.
    pub fn gain(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How many of its signals a centre lacks.
    pub fn count_at(&self, centre: CentreId) -> usize {
        let own = self.centres.iter().zip(&self.counts).find(|(other, _)| **other == centre);
        own.map_or(0, |(_, count)| *count)
    }
}

/// What is known of one signal at one centre.
struct Seen<'a> {
    centre: CentreId,
    point: PointId,
    entry: &'a Entry,
    snapshot: &'a PointSnapshot,
}

/// Every issue of a station: what the contract lacks first, then what is wrong right now, each
/// with what takes the most signals from the centres first.
pub fn of_station(snapshot: &Snapshot, station: StationId) -> Vec<Issue> {
    let mut lines = structural(snapshot, station);
    lines.extend(live(snapshot, station));
    lines
}

fn seen(snapshot: &Snapshot, station: StationId) -> impl Iterator<Item = Seen<'_>> {
    snapshot.province.centre_ids().flat_map(move |centre| {
        let entries = &snapshot.province.channel(station, centre).entries;
        let points = &snapshot.channel(station, centre).points;
        let required = entries.iter().zip(points).enumerate().filter(|(_, (e, _))| e.required);
        required.map(move |(n, (entry, snapshot))| Seen {
            centre,
            point: PointId::at(n),
            entry,
            snapshot,
        })
    })
}

/// What the contract lacks: signals not mapped or not tested.
pub fn structural(snapshot: &Snapshot, station: StationId) -> Vec<Issue> {
    // First the centres of each signal and cause, then signals of the same cause and centres.
    let mut of_points: Vec<(PointId, Reason, &Standing, Vec<CentreId>)> = Vec::new();
    for seen in seen(snapshot, station) {
        let reason = match &seen.entry.standing {
            Standing::Absent(_) => Reason::NotInDatabase,
            Standing::Untested(_) => Reason::NoE2eRecord,
            Standing::Elsewhere | Standing::Tested(_) => continue,
        };
        of_points.push((seen.point, reason, &seen.entry.standing, vec![seen.centre]));
    }
    of_points.sort_by_key(|(point, reason, ..)| (*point, *reason));
    of_points.dedup_by(|later, kept| {
        let same = later.0 == kept.0 && later.2 == kept.2;
        if same {
            kept.3.append(&mut later.3);
        }
        same
    });
    let mut groups: Vec<(&Standing, Issue)> = Vec::new();
    for (point, reason, standing, centres) in of_points {
        let same =
            |(known, line): &&mut (&Standing, Issue)| *known == standing && line.centres == centres;
        if let Some((_, line)) = groups.iter_mut().find(same) {
            line.points.push(point);
            line.counts.iter_mut().for_each(|count| *count += 1);
            continue;
        }
        let scope = Scope::Contract(point, centres[0]);
        let since = match standing {
            Standing::Absent(cause) | Standing::Untested(cause) => {
                cause.since.map_or(Since::Always, Since::Day)
            }
            Standing::Elsewhere | Standing::Tested(_) => Since::Always,
        };
        let id = IssueId { reason, scope };
        let counts = vec![1; centres.len()];
        let (points, last_since) = (vec![point], since);
        groups.push((standing, Issue { id, centres, counts, points, since, last_since }));
    }
    let mut lines: Vec<Issue> = groups.into_iter().map(|(_, line)| line).collect();
    lines.sort_by_key(|line| (Reverse(line.gain()), line.id));
    lines
}

/// What is wrong right now: signals that are mapped and yet not live, or not right. Approved
/// exclusions are left out, as they are from the counts, and so are channels that have not been
/// scanned once: nothing can be said of them yet.
pub fn live(snapshot: &Snapshot, station: StationId) -> Vec<Issue> {
    let of_station = &snapshot.province.stations[station.index()];
    let mut lines: Vec<Issue> = Vec::new();
    for seen in seen(snapshot, station) {
        if !snapshot.channel(station, seen.centre).settled {
            continue;
        }
        let Some((reason, since)) = live_reason(&seen) else { continue };
        let bay = &of_station.bays[of_station.points[seen.point.index()].bay];
        let scope = match reason {
            // Nobody can ask for what is not mapped: one cause, whatever its bays.
            Reason::NeverSeen if !seen.entry.is_mapped() => {
                let mut known = lines.iter().map(|line| line.id);
                let known =
                    known.find(|id| id.reason == reason && matches!(id.scope, Scope::Contract(..)));
                known.map_or(Scope::Contract(seen.point, seen.centre), |id| id.scope)
            }
            Reason::NoLink => Scope::Link,
            // A gateway that hangs is one cause, whatever lies behind it.
            Reason::Old if snapshot.channel(station, seen.centre).is_hung => Scope::Link,
            Reason::NoReply | Reason::Refused => Scope::Unit(bay.unit),
            _ => Scope::Bay(of_station.points[seen.point.index()].bay),
        };
        let id = IssueId { reason, scope };
        if let Some(line) = lines.iter_mut().find(|line| line.id == id) {
            line.points.push(seen.point);
            line.since = line.since.earlier(since);
            line.last_since = line.last_since.later(since);
            if line.centres.last() != Some(&seen.centre) {
                line.centres.push(seen.centre);
                line.counts.push(0);
            }
            if let Some(count) = line.counts.last_mut() {
                *count += 1;
            }
        } else {
            let (centres, points) = (vec![seen.centre], vec![seen.point]);
            let (counts, last_since) = (vec![1], since);
            lines.push(Issue { id, centres, counts, points, since, last_since });
        }
    }
    for line in &mut lines {
        line.points.sort_unstable();
        line.points.dedup();
    }
    lines.sort_by_key(|line| (line.reason(), Reverse(line.points.len()), line.id));
    lines
}

fn live_reason(seen: &Seen<'_>) -> Option<(Reason, Since)> {
    let point = seen.snapshot;
    match point.not_live {
        Some(Reason::NotInDatabase) => None,
        Some(_) if seen.entry.excluded.is_some() => None,
        Some(reason) => Some((reason, point.not_live_since)),
        None if point.finding.is_some() => {
            // The verdict's own time stands only when the finding is the verdict.
            let own = point.verdict == Some(Reason::Inconsistent);
            Some((Reason::Inconsistent, if own { point.since } else { point.not_live_since }))
        }
        None => None,
    }
}

/// What a unit is called: the name of its bay, or what it carries.
pub fn unit_name(snapshot: &Snapshot, station: StationId, unit: usize, lang: Lang) -> String {
    let of_station = &snapshot.province.stations[station.index()];
    let unit = &of_station.units[unit];
    match unit.kind {
        DeviceKind::Bay(bay) => of_station.bays[bay].name.clone(),
        DeviceKind::Section { .. } | DeviceKind::Station | DeviceKind::Metering => {
            unit.label.get(lang).to_owned()
        }
    }
}
