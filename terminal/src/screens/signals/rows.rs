//! Which signals are listed, and in which order.

use std::cmp::Reverse;

use config::{PointId, StationId};
use historian::snapshot::Snapshot;
use historian::verdict::{PointSnapshot, Reason, Since};

use super::{SignalId, Signals, Sort};
use crate::view::View;

impl Signals {
    /// Lists the signals of a snapshot that the filter lets through.
    pub(super) fn collect(&mut self, view: &View<'_>) {
        let snapshot = view.snapshot;
        // The same rows are written again: their memory is kept from snapshot to snapshot.
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        self.all = 0;
        self.by_reason = [0; Reason::ALL.len()];
        for station in view.sites(self.filter.station) {
            self.collect_station(view, station, &mut rows);
        }
        match self.sort {
            Sort::Contract => {}
            Sort::Reason => rows.sort_by_key(|id| {
                worst(snapshot, *id).map_or(Reason::ALL.len(), |point| {
                    point.verdict.map_or(Reason::ALL.len(), |reason| reason as usize)
                })
            }),
            Sort::Newest => rows.sort_by_key(|id| Reverse(newest(snapshot, *id))),
        }
        self.rows = rows;
    }

    fn collect_station(&mut self, view: &View<'_>, station: StationId, rows: &mut Vec<SignalId>) {
        let (snapshot, province) = (view.snapshot, view.province());
        let channels: Vec<_> = province
            .centre_ids()
            .map(|centre| {
                let entries = &province.channel(station, centre).entries;
                (centre, entries, &snapshot.channel(station, centre).points)
            })
            .collect();
        let settled: Vec<bool> =
            province.centre_ids().map(|c| snapshot.channel(station, c).settled).collect();
        for n in 0..province.stations[station.index()].points.len() {
            let verdicts = channels.iter().filter(|(_, entries, _)| entries[n].required);
            let mut failing = false;
            let mut matches = self.filter.reason.is_none();
            for (centre, _, points) in verdicts {
                let point = &points[n];
                // Before its first scan a channel has nothing to say of values.
                if !settled[centre.index()] && !point.verdict.is_some_and(Reason::is_structural) {
                    continue;
                }
                failing |= point.verdict.is_some();
                matches |= has_reason(point, self.filter.reason);
                if *centre == view.basis {
                    for reason in reasons_of(point) {
                        self.by_reason[reason as usize] += 1;
                    }
                }
            }
            self.all += 1;
            if matches && (failing || !self.filter.faults) {
                rows.push((station, PointId::at(n)));
            }
        }
    }
}

/// The reasons of a signal: why it is not full or right, and why it is not live.
fn reasons_of(point: &PointSnapshot) -> impl Iterator<Item = Reason> {
    let second = point.not_live.filter(|reason| Some(*reason) != point.verdict);
    point.verdict.into_iter().chain(second)
}

fn has_reason(point: &PointSnapshot, wanted: Option<Reason>) -> bool {
    wanted.is_some_and(|wanted| reasons_of(point).any(|reason| reason == wanted))
}

/// A signal as the centre sees it at which it fails at the earliest stage.
pub(super) fn worst(snapshot: &Snapshot, (station, point): SignalId) -> Option<&PointSnapshot> {
    let province = &snapshot.province;
    let required = province
        .centre_ids()
        .filter(|c| province.channel(station, *c).entries[point.index()].required);
    let failing = required
        .map(|centre| &snapshot.channel(station, centre).points[point.index()])
        .filter(|point| point.verdict.is_some());
    failing.min_by_key(|point| point.verdict)
}

/// When a signal began to fall short, in an order where the latest is the greatest.
fn newest(snapshot: &Snapshot, id: SignalId) -> (u8, i64) {
    match worst(snapshot, id).map(|point| point.since) {
        None => (0, 0),
        Some(Since::Always) => (1, 0),
        Some(Since::Day(day)) => {
            let days = (i64::from(day.year) * 16 + i64::from(day.month)) * 32 + i64::from(day.day);
            (2, days)
        }
        Some(Since::At(at) | Since::AtLeast(at)) => (3, at.0),
    }
}
