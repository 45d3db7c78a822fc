//! Where the breakers of a station stood: what the store has of each, put together.

use std::collections::{BTreeMap, BTreeSet};

use config::{CentreId, PointId, Scan};
use signal::clock::Timestamp;

use super::believed::{behind_polls, believed};
use super::chatter::{chatter, restless};
use super::contradiction::{Ring, contradictions, told_apart};
use super::evidence::{Polls, Positions, Source};
use super::feeder::seen;
use super::missing::{ALWAYS, Missing, common};
use super::scheme::{Place, Scheme};
use super::track::{Evidence, Record, Turn, track};
use super::untold::unanswered;
use super::weeks::EDGE_MS;
use crate::StoreError;
use crate::history::window::{merged, without};
use crate::history::{Span, What};

/// How long reading a header and its records takes at most, milliseconds.
const TOLD_MS: i64 = 1_000;

/// Where the breakers of a station stood, by bay.
#[derive(Default)]
pub(super) struct Tracks {
    pub(super) turns: BTreeMap<usize, Vec<Turn>>,
    /// Where one stood at first hangs on what was polled before.
    pub(super) hangs_on_earlier: bool,
    /// Stretches in which its records were not believed, by bay.
    pub(super) disbelieved: BTreeMap<usize, Vec<Span>>,
    /// What was assumed over stretches of time, by bay.
    pub(super) doubts: BTreeMap<usize, Vec<(What, Span)>>,
}

impl Tracks {
    pub(super) fn follow(
        source: &Source<'_>,
        of: (&Positions, &Missing),
        scheme: &Scheme<'_>,
        bays: BTreeSet<usize>,
    ) -> Result<Self, StoreError> {
        let breakers: Vec<(usize, PointId)> =
            bays.into_iter().filter_map(|bay| Some((bay, scheme.breakers[bay]?))).collect();
        let points: Vec<PointId> = breakers.iter().map(|(_, point)| *point).collect();
        let [usable, mute] = source.usable(&points)?;
        let mut all = Self::default();
        for (bay, point) in breakers {
            let watched = [&usable[&point.index()][..], &mute[&point.index()]];
            let breaker = Breaker::of(source, of, (bay, point), watched)?;
            all.add(source, bay, breaker)?;
        }
        Ok(all)
    }

    fn add(
        &mut self,
        source: &Source<'_>,
        bay: usize,
        breaker: Breaker<'_>,
    ) -> Result<(), StoreError> {
        let Breaker { point, polls, usable, records, .. } = &breaker;
        let chatter = breaker.chatter();
        let told = told_apart(&breaker.rings());
        let scan_ms = source.scan_ms(*point);
        let contradictions = contradictions(&polls.said, (&chatter, &told), scan_ms, source.span);
        let evidence = Evidence {
            records,
            polls: &polls.positions,
            usable,
            said: &polls.said,
            chatter: &chatter,
            lost: &breaker.lost(),
            gone: &breaker.gone(),
            blind: &breaker.blind()?,
            contradictions: &contradictions,
            whole: &breaker.whole(&[&chatter, &contradictions, &breaker.disbelieved]),
            first: source.first_of_changes(*point, polls, records)?,
            first_poll: source.first_poll(*point, polls)?,
            period_ms: source.period_ms(bay),
            soon_ms: breaker.soon_ms,
        };
        self.hangs_on_earlier |= source.hangs_on_earlier(*point, (polls, usable), EDGE_MS)?;
        let found = track(&evidence, source.span, |span| source.flow(bay, span))?;
        let by_current = found.by_current.iter().map(|own| (What::ByCurrent, own.and(source.span)));
        let mut doubts: Vec<(What, Span)> = by_current.collect();
        let others = [(What::Untold, &found.untold), (What::CentresContradict, &contradictions)];
        for (what, spans) in others {
            let looked = |all: &Span| {
                let all = *all;
                of_span(usable, all).iter().map(move |own| (what, own.and(all)))
            };
            doubts.extend(spans.iter().flat_map(looked));
        }
        let mut turns = seen(&found.turns, (usable, &breaker.unseen()), source.span);
        let alone = breaker.alone;
        let without = without_polls(&mut turns, (usable, &polls.there), source.span.to, alone);
        doubts.extend(without.into_iter().map(|own| (alone, own)));
        self.doubts.insert(bay, doubts);
        self.turns.insert(bay, turns);
        self.disbelieved.insert(bay, breaker.disbelieved);
        Ok(())
    }
}

/// What the store has of a breaker.
struct Breaker<'a> {
    source: &'a Source<'a>,
    missing: &'a Missing,
    station: &'a str,
    unit: u8,
    point: PointId,
    /// Records that are believed, of all centres.
    records: Vec<Record>,
    /// Stretches in which others were not.
    disbelieved: Vec<Span>,
    polls: Polls,
    /// Its contact, as each centre that reads it has the records of it.
    contacts: Vec<Vec<Record>>,
    /// When its position could be used, and when its unit did not answer for it, by centre.
    watched: [&'a [Vec<Span>]; 2],
    /// When its position could be used at all.
    usable: Vec<Span>,
    /// What polls tell first they tell of so many milliseconds before.
    soon_ms: i64,
    /// What is assumed where it was not polled.
    alone: What,
}

impl<'a> Breaker<'a> {
    fn of(
        source: &'a Source<'a>,
        (positions, missing): (&Positions, &'a Missing),
        (bay, point): (usize, PointId),
        watched: [&'a [Vec<Span>]; 2],
    ) -> Result<Self, StoreError> {
        let station = &source.province.stations[source.station.index()];
        let id = &station.points[point.index()].id;
        let has_lost = |centre: &str, of| missing.has_lost(&station.id, centre, of);
        let mut records = positions.of(id, source.era.span.to, has_lost);
        // Of all that there are: it is the same whichever window is asked for.
        let alone = if records.is_empty() { What::StartAssumed } else { What::RecordsAlone };
        let polls = source.polls(point, watched[0], &records)?;
        // A ring is looked at with each scan of this class.
        let told_ms = source.province.scan.milliseconds(Scan::Normal) + TOLD_MS;
        let disbelieved = believed(&mut records, &polls.positions, told_ms);
        behind_polls(&mut records, &polls.positions);
        let contacts = polls.of_centres.iter();
        let contacts = contacts
            .map(|(centre, _)| positions.contact(id, &source.province.centres[centre.index()].id));
        Ok(Self {
            contacts: contacts.collect(),
            usable: source.joined(watched[0]),
            soon_ms: source.soon_ms(bay),
            unit: station.units[station.bays[bay].unit].id,
            station: &station.id,
            source,
            missing,
            point,
            records,
            disbelieved,
            polls,
            watched,
            alone,
        })
    }

    fn name(&self, centre: CentreId) -> &'a str {
        &self.source.province.centres[centre.index()].id
    }

    /// When its unit did not answer for it at a centre, and it could be used at none.
    fn unseen(&self) -> Vec<Span> {
        without(self.watched[1].iter().flatten().copied(), &self.usable)
    }

    /// When records of its unit were lost at all centres.
    fn gone(&self) -> Vec<Span> {
        let centres = self.source.centres(self.point);
        let gone = self.missing.happened(self.station, self.unit, &centres).into_iter();
        // The record before it is there.
        gone.map(|own| Span::new(own.from.plus(1), own.to)).collect()
    }

    /// When nothing is known of it: records of its unit were lost and nobody polled it, or it was open and its unit did
    /// not answer for it.
    fn blind(&self) -> Result<Vec<Span>, StoreError> {
        let gone = self.gone();
        let elsewhere = self.source.polled_elsewhere(self.point, &gone)?;
        let polled = common(&self.usable, &self.polls.there).into_iter().chain(elsewhere);
        let gone = without(gone.into_iter(), &merged(polled));
        let told = (&self.records[..], &self.polls.positions[..]);
        let unanswered = unanswered(&self.unseen(), told, self.soon_ms, self.source.span.to);
        Ok(merged(gone.into_iter().chain(unanswered)))
    }

    /// When records that never came may have been of chatter.
    fn lost(&self) -> Vec<Span> {
        let centres = self.source.centres(self.point);
        let lost = self.missing.untold(self.station, self.unit, &centres);
        restless(lost, &self.records, (&self.polls.positions, &self.usable), self.soon_ms)
    }

    /// When its contact chattered: what chatters may do so on the way to one centre.
    fn chatter(&self) -> Vec<Span> {
        let of_centres = self.polls.of_centres.iter().zip(&self.contacts);
        merged(of_centres.flat_map(|((centre, polls), contact)| {
            let own = centre.index()..=centre.index();
            let usable = self.source.joined(&self.watched[0][own]);
            let lost = self.missing.untold(self.station, self.unit, &[self.name(*centre)]);
            let lost = restless(lost, contact, (polls, &usable), self.soon_ms);
            chatter(contact, &lost, self.soon_ms)
        }))
    }

    /// Without its ends: what is told late, or polled first, is so within that.
    fn inner(&self, own: Span) -> Span {
        Span::new(own.from.plus(self.soon_ms), own.to.plus(-self.soon_ms))
    }

    /// With as much beyond its ends.
    fn outer(&self, own: Span) -> Span {
        Span::new(own.from.plus(-self.soon_ms), own.to.plus(self.soon_ms))
    }

    /// The centres that get records of it, with when they read it, and what they have of its contact.
    fn readers(&self) -> impl Iterator<Item = (CentreId, (&'a str, &'a [Span]), &[Record])> {
        let all = self.polls.of_centres.iter().zip(&self.contacts);
        let own = all.filter(|((centre, _), _)| self.source.has_records(*centre));
        own.map(|((centre, _), contact)| {
            let read = (self.name(*centre), &self.watched[0][centre.index()][..]);
            (*centre, read, &contact[..])
        })
    }

    /// What each centre has of its contact.
    fn rings(&self) -> Vec<Ring<'_>> {
        let ring = |(centre, read, records): (CentreId, _, _)| {
            let lost = self.missing.left_out(self.station, self.unit, self.name(centre));
            let whole = without(self.source.era.watched(ALWAYS), &lost).into_iter();
            let mute = self.watched[1][centre.index()].iter().copied();
            let unread = self.missing.unread(self.station, self.unit, read);
            let doubted = mute.chain(unread).map(|own| self.outer(own));
            Ring {
                records,
                whole: merged(whole.map(|own| self.inner(own))),
                doubted: merged(doubted),
            }
        };
        self.readers().map(ring).collect()
    }

    /// When its position could be used and every record of its unit came, but for some stretches.
    fn whole(&self, others: &[&[Span]]) -> Vec<Span> {
        let read: Vec<_> = self.readers().map(|(_, read, _)| read).collect();
        let lost = self.missing.untold_to_readers(self.station, self.unit, &read);
        let others = merged(others.iter().copied().flatten().copied().chain(lost));
        let whole = without(self.usable.iter().copied(), &others).into_iter();
        merged(whole.map(|own| self.inner(own)))
    }
}

/// Where a breaker is known to have stood while its position could be used, but without a poll that is near. The turns
/// in which that begins are told to be so: `alone`, unless something else was assumed of them.
fn without_polls(
    turns: &mut [Turn],
    (usable, there): (&[Span], &[Span]),
    end: Timestamp,
    alone: What,
) -> Vec<Span> {
    let ends: Vec<Timestamp> = turns.iter().skip(1).map(|turn| turn.at).chain([end]).collect();
    let mut all = Vec::new();
    for (turn, to) in turns.iter_mut().zip(ends).filter(|(turn, _)| turn.place != Place::Unknown) {
        let own = Span::new(turn.at, to);
        if of_span(there, own).first().is_none_or(|span| turn.at < span.from) {
            turn.assumed = turn.assumed.or(Some(alone));
        }
        let looked = of_span(usable, own).iter().map(|span| span.and(own));
        all.extend(without(looked, of_span(there, own)));
    }
    all
}

/// Those of some stretches, in order, that have anything of a span.
fn of_span(all: &[Span], own: Span) -> &[Span] {
    let first = all.partition_point(|span| span.to <= own.from);
    let end = all.partition_point(|span| span.from < own.to);
    &all[first..end.max(first)]
}
