//! Feeders as they are followed from contract to contract, and the interruptions that they had.

use std::collections::BTreeMap;

use config::{Province, Station};
use signal::clock::Timestamp;

use super::feeder::interruptions;
use super::scheme::{Scheme, Supply};
use super::weeks::Pieces;
use super::{Feeder, FeederInterruption, FeederName, Reliability, evidence};
use crate::history::window::{merged, without};
use crate::history::{Span, What};

/// What is known of the feeders in a window and in as many weeks around it as that needs.
#[derive(Default)]
pub(super) struct Known {
    feeders: BTreeMap<FeederName, Followed>,
}

/// A feeder as it is followed, from contract to contract.
#[derive(Default)]
struct Followed {
    /// In the order of time.
    contracts: Vec<Contracted>,
    pieces: Pieces,
}

/// What a contract says of a feeder.
#[derive(Clone, Copy)]
struct Contracted {
    span: Span,
    /// Meters that sell energy behind it.
    customers: u64,
    /// What polls alone tell is known to so many milliseconds.
    poll_ms: i64,
}

impl Known {
    /// Meets the feeders of a station in a contract.
    pub(super) fn meet(&mut self, span: Span, province: &Province, station: &Station) {
        let scheme = Scheme::new(station);
        for (feeder, customers) in province.customers_by_feeder(station) {
            let poll_ms = scheme.breakers[feeder]
                .map_or(0, |point| evidence::scan_ms(province, &station.points[point.index()]));
            let own = self.feeders.entry(name_of(station, feeder)).or_default();
            own.contracts.push(Contracted { span, customers, poll_ms });
        }
    }

    /// Adds what is known of the time behind of a feeder that was met.
    pub(super) fn extend(&mut self, name: &FeederName, later: &Pieces) {
        if let Some(own) = self.feeders.get_mut(name) {
            own.pieces.extend(later);
        }
    }

    /// Whether something that touches the window may have begun before the weeks that are known, or end behind them.
    pub(super) fn lasts_at_edges(&self, window: Span) -> (bool, bool) {
        let (mut before, mut behind) = (false, false);
        for feeder in self.feeders.values() {
            let found = feeder.interruptions();
            before |= found.iter().any(|own| !own.counts && own.is_in(window));
            let is_open = |own: &FeederInterruption| own.assumed.contains(&What::Open);
            behind |= found.iter().any(|own| is_open(own) && own.is_in(window));
        }
        (before, behind)
    }

    /// `kept`: nothing is told from before this moment.
    pub(super) fn into_reliability(self, window: Span, kept: Option<Timestamp>) -> Reliability {
        let feeders = self.feeders.into_iter().filter_map(|(name, followed)| {
            let is_of_window = |own: &Contracted| own.span.and(window).length() > 0;
            let is_own = followed.contracts.iter().any(is_of_window);
            let own = is_own.then(|| followed.into_feeder(name))?;
            Some(match kept {
                Some(kept) => own.kept_from(kept),
                None => own,
            })
        });
        Reliability { window, feeders: feeders.collect() }
    }
}

impl Followed {
    fn interruptions(&self) -> Vec<FeederInterruption> {
        let of_time = |own: &&Contracted, at| own.span.from <= at && at < own.span.to;
        let customers = |at: Timestamp| {
            self.contracts.iter().find(|own| of_time(own, at)).map_or(0, |own| own.customers)
        };
        let poll_ms = |from: Timestamp, to: Timestamp| {
            let own = self.contracts.iter().filter(|own| of_time(own, from) || of_time(own, to));
            own.map(|own| own.poll_ms).max().unwrap_or(0)
        };
        interruptions(&self.pieces.stretches, poll_ms, customers)
    }

    fn into_feeder(self, name: FeederName) -> Feeder {
        let mut interruptions = self.interruptions();
        // Of one that no contract has any more nobody says that it is without supply still.
        let is_gone = self.contracts.last().is_some_and(|own| own.span.to < Timestamp(i64::MAX));
        for own in interruptions.iter_mut().filter(|_| is_gone) {
            if own.assumed.remove(&What::Open) {
                own.assumed.insert(What::EndUnseen);
            }
        }
        let known = self.pieces.stretches.iter().filter(|own| own.supply != Supply::Unknown);
        let known = merged(known.map(|own| own.span));
        let unknown = without(self.contracts.iter().map(|own| own.span), &known);
        let mut by_kind: BTreeMap<What, Vec<Span>> = BTreeMap::new();
        for (what, span) in self.pieces.doubts {
            by_kind.entry(what).or_default().push(span);
        }
        let doubts = by_kind.into_iter().flat_map(|(what, spans)| {
            let spans = merged(spans);
            // Where nothing is known nothing was assumed.
            let spans = match what {
                What::WithoutCurrent
                | What::PositionUnseen
                | What::CentresContradict
                | What::Untold => spans,
                _ => without(spans.into_iter(), &unknown),
            };
            spans.into_iter().map(move |own| (what, own)).collect::<Vec<_>>()
        });
        let doubts: Vec<(What, Span)> = doubts.collect();
        let unrecorded =
            unknown.iter().copied().chain(self.pieces.unrecorded).chain(hidden(&doubts));
        let unrecorded = merged(unrecorded);
        let customers = self.contracts.iter().map(|own| (own.span, own.customers)).collect();
        Feeder { name, customers, interruptions, unknown, unrecorded, doubts }
    }
}

/// The name of the feeder of a bay.
pub(super) fn name_of(station: &Station, bay: usize) -> FeederName {
    let bay = &station.bays[bay];
    FeederName { station: station.id.clone(), bay: bay.name.clone(), level: bay.level }
}

/// Those of some doubts in which short interruptions may have gone unseen, whatever records came.
pub(super) fn hidden(doubts: &[(What, Span)]) -> impl Iterator<Item = Span> {
    let hides = |what: What| {
        matches!(
            what,
            What::ByCurrent | What::WithoutCurrent | What::CentresContradict | What::NoRing
        )
    };
    doubts.iter().filter(move |(what, _)| hides(*what)).map(|(_, span)| *span)
}
