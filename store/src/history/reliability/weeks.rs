//! What is known of the supply of feeders, worked out week by week: a window takes the weeks that it touches, and as many
//! around them as an interruption lasts that it has something of.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use config::Station;
use signal::clock::{DAY_MS, Timestamp};

use super::evidence::{Positions, Source};
use super::feeder::{
    Closing, FURTHER, Stretch, borne_out, doubt_without_current, push, stretches, while_supplied,
};
use super::known::{Known, name_of};
use super::missing::{Missing, common};
use super::scheme::{Scheme, Supply};
use super::track::{REACH_MS, Turn};
use super::tracks::Tracks;
use super::{FeederName, Reliability};
use crate::history::window::{merged, without};
use crate::history::{Era, Span, What, Window};
use crate::{Kept, Reader, StoreError};

/// How far beyond a week lies what decides about it: what tracks reach for, and a few scans.
pub(super) const EDGE_MS: i64 = REACH_MS + 3_600_000;

/// What is known is worked out week by week, from Monday, 00:00 UTC, each from what lies in it and [`EDGE_MS`] around
/// it: so it is the same whichever window is asked for.
const WEEK_MS: i64 = 7 * DAY_MS;
/// The first Monday of 1970.
const MONDAY: Timestamp = Timestamp(4 * DAY_MS);
/// Of a store of more weeks, some twenty years, several are worked out as one.
const WEEKS: i64 = 1_040;

/// Works out who was without supply in a window.
///
/// # Errors
/// When the store cannot be read, or a contract of that time not be judged by.
pub fn reliability(
    reader: &Reader,
    window: Span,
    wanted: impl Fn(&str) -> bool,
) -> Result<Reliability, StoreError> {
    let sessions = reader.sessions_and_margin()?;
    let all = sessions.first().zip(sessions.last());
    let Some((first, last)) = all else { return Ok(Reliability { window, feeders: Vec::new() }) };
    let events_from = reader.rows_from(Kept::Events)?;
    let rows_from = events_from.max(reader.rows_from(Kept::Verdicts)?);
    let all = Span::new(rows_from.map_or(first.from, |from| first.from.max(from)), last.until);
    // What decides about the edges lies beyond them, and of what was forgotten nothing does.
    let begins = rows_from.map_or(all.from, |from| all.from.max(from.plus(EDGE_MS)));
    let (mut positions, mut missing) = (Positions::default(), Missing::from(events_from));
    reader.records(|record| {
        if wanted(&record.station) {
            missing.take(&record);
            positions.take(record);
        }
    })?;
    reader.losses(|unit, span| {
        if wanted(&unit.0) {
            missing.told(unit, span);
        }
    })?;
    missing.end();
    // A contract also holds where nobody watched any more: what it knows of then is not known.
    let always = Span::new(Timestamp(i64::MIN), Timestamp(i64::MAX));
    let eras = Window::new(always, &[], &sessions).eras;
    let (positions, missing) = (&positions, &missing);
    let kept = Span::new(begins, all.to);
    let week_ms = WEEK_MS * (1 + kept.length() / WEEK_MS / WEEKS);
    let known = BTreeMap::new();
    let mut weeks = Weeks { reader, eras, positions, missing, wanted, all, kept, week_ms, known };
    let (earliest, latest) = weeks.of_window(kept);
    let (mut first, mut last) = weeks.of_window(window);
    // What lasts at an edge of these weeks began before them, or ends behind.
    let (mut more_before, mut more_behind) = (1, 1);
    loop {
        let known = weeks.known(window, (first, last))?;
        let (before, behind) = known.lasts_at_edges(window);
        let (before, behind) = (before && first > earliest, behind && last < latest);
        if !before && !behind {
            let kept = reader.kept_from(Kept::Events)?.max(reader.kept_from(Kept::Verdicts)?);
            return Ok(known.into_reliability(window, kept));
        }
        if before {
            first = earliest.max(first - more_before);
            more_before *= 2;
        }
        if behind {
            last = latest.min(last + more_behind);
            more_behind *= 2;
        }
    }
}

/// What a store has, week by week.
struct Weeks<'a, F> {
    reader: &'a Reader,
    /// The contracts, each while it held.
    eras: Vec<Era>,
    positions: &'a Positions,
    missing: &'a Missing,
    /// Whether a station is asked for.
    wanted: F,
    /// The time of which anything is there.
    all: Span,
    /// The part of it of which anything is told.
    kept: Span,
    /// How long a week of it is, milliseconds.
    week_ms: i64,
    /// The weeks that were worked out.
    known: BTreeMap<i64, Stretches>,
}

/// What is known of the feeders over a stretch of time.
#[derive(Default)]
struct Stretches {
    feeders: BTreeMap<FeederName, Pieces>,
    /// Where a breaker stood at first hangs on what was polled before, or that it was closed on how it stood then.
    hangs_on_earlier: bool,
}

impl<F: Fn(&str) -> bool> Weeks<'_, F> {
    /// The first and the last week of a window of which anything is told.
    fn of_window(&self, window: Span) -> (i64, i64) {
        let own = |at: Timestamp| {
            at.clamp(self.kept.from, self.kept.to).since(MONDAY).div_euclid(self.week_ms)
        };
        (own(window.from), own(window.to))
    }

    /// From the beginning of one week to the end of another, as far as anything is told of them.
    fn span(&self, first: i64, last: i64) -> Span {
        let from = MONDAY.plus(first.saturating_mul(self.week_ms));
        let to = MONDAY.plus(last.saturating_add(1).saturating_mul(self.week_ms));
        Span::new(from, to).and(self.kept)
    }

    /// What is known from one week to another, of the feeders that a contract knew in them or in a window.
    fn known(&mut self, window: Span, (first, last): (i64, i64)) -> Result<Known, StoreError> {
        for week in first..=last {
            if !self.known.contains_key(&week) {
                let found = self.week(week)?;
                self.known.insert(week, found);
            }
        }
        let mut known = Known::default();
        let own = self.span(first, last);
        // The last contract may begin just where what is kept ends.
        let own = Span::new(own.from, own.to.plus(1));
        let is_near = |era: &&Era| [own, window].iter().any(|of| era.span.and(*of).length() > 0);
        for era in self.eras.iter().filter(is_near) {
            let province = self.reader.contract(era.contract)?.province;
            for station in province.stations.iter().filter(|own| (self.wanted)(&own.id)) {
                known.meet(era.span, &province, station);
            }
        }
        for (_, found) in self.known.range(first..=last) {
            for (name, pieces) in &found.feeders {
                known.extend(name, pieces);
            }
        }
        Ok(known)
    }

    /// Works out a week: from what lies around it, and as much before that as is needed to know how it began.
    fn week(&self, week: i64) -> Result<Stretches, StoreError> {
        let own = self.span(week, week);
        let mut edge_ms = EDGE_MS;
        loop {
            let read = Span::new(own.from.plus(-edge_ms), own.to.plus(EDGE_MS)).and(self.all);
            let found = self.read(read)?.within(own, read.from.plus(EDGE_MS));
            if !found.hangs_on_earlier || read.from <= self.all.from {
                return Ok(found);
            }
            edge_ms = edge_ms.saturating_mul(4);
        }
    }

    fn read(&self, read: Span) -> Result<Stretches, StoreError> {
        let mut found = Stretches::default();
        for era in self.eras.iter().filter(|era| era.span.and(read).length() > 0) {
            let province = self.reader.contract(era.contract)?.province;
            for (station, contract) in province.station_ids().zip(&province.stations) {
                if !(self.wanted)(&contract.id) {
                    continue;
                }
                let (span, old) = (era.span.and(read), OnceCell::new());
                let (reader, province) = (self.reader, &*province);
                let source = Source { reader, province, station, era, span, old };
                found.add(&source, self.positions, self.missing)?;
            }
        }
        Ok(found)
    }
}

impl Stretches {
    /// Adds what is known of a station in an era.
    fn add(
        &mut self,
        source: &Source<'_>,
        positions: &Positions,
        missing: &Missing,
    ) -> Result<(), StoreError> {
        let span = source.span;
        let station = &source.province.stations[source.station.index()];
        let scheme = Scheme::new(station);
        let bays = bays(station, &scheme);
        let tracks = Tracks::follow(source, (positions, missing), &scheme, bays)?;
        self.hangs_on_earlier |= tracks.hangs_on_earlier;
        for feeder in station.feeder_bays() {
            let bay = &station.bays[feeder];
            let mut own = scheme.feeds(bay.level);
            own.push(feeder);
            let breakers: Vec<(usize, &[Turn])> =
                own.iter().filter_map(|bay| Some((*bay, &tracks.turns.get(bay)?[..]))).collect();
            let lag_ms = 3 * source.period_ms(feeder);
            let (dark, short) = source.without_current(feeder)?;
            let mut found = stretches(&scheme, feeder, &breakers, span);
            // Another contract says nothing of how a breaker stood.
            if source.era.span.from >= span.from {
                for stretch in &mut found {
                    stretch.closes.retain(|closing| closing.open_until > FURTHER);
                }
            }
            let doubts = breakers.iter().filter_map(|(bay, _)| tracks.doubts.get(bay)).flatten();
            let disputed = doubts
                .clone()
                .filter(|(what, _)| matches!(what, What::ByCurrent | What::CentresContradict));
            let disputed = merged(disputed.map(|(_, own)| *own));
            let flow = |span: Span| source.flow(feeder, span);
            let found = borne_out(found, &disputed, source.period_ms(feeder), flow)?;
            let (found, without) = doubt_without_current(found, &dark, source.period_ms(feeder));
            let short = while_supplied(&found, short, lag_ms);
            let units: BTreeSet<u8> =
                breakers.iter().map(|(bay, _)| station.units[station.bays[*bay].unit].id).collect();
            let position = scheme.breakers[feeder];
            let centres = position.map_or_else(Vec::new, |point| source.centres(point));
            let lost = units.iter().flat_map(|unit| missing.at_all(&station.id, *unit, &centres));
            let has_ring = position.is_none_or(|point| source.has_ring(point));
            let no_ring = (!has_ring).then_some(span).into_iter();
            let no_ring = no_ring.flat_map(|own| source.era.watched(own));
            let no_ring = no_ring.map(|own| (What::NoRing, own));
            let pieces = self.feeders.entry(name_of(station, feeder)).or_default();
            let disbelieved = breakers.iter().filter_map(|(bay, _)| tracks.disbelieved.get(bay));
            let lost = lost.chain(disbelieved.flatten().copied());
            pieces.unrecorded.extend(lost.map(|lost| lost.and(span)));
            let unknown = found.iter().filter(|own| own.supply == Supply::Unknown);
            let unknown = merged(unknown.map(|own| own.span));
            let watched = unknown.iter().flat_map(|own| source.era.watched(*own));
            let is_said = |what: &What| matches!(what, What::CentresContradict | What::Untold);
            let told = doubts.clone().filter(|(what, _)| is_said(what));
            let said = merged(told.map(|(_, own)| *own).chain(without.iter().copied()));
            let unseen = self::without(watched, &said).into_iter();
            let unseen = unseen.map(|own| (What::PositionUnseen, own));
            let without = without.into_iter().chain(short).map(|own| (What::WithoutCurrent, own));
            let untold =
                merged(doubts.clone().filter(|own| own.0 == What::Untold).map(|own| own.1));
            let untold = common(&untold, &unknown).into_iter().map(|own| (What::Untold, own));
            let others = doubts.copied().filter(|(what, _)| *what != What::Untold);
            pieces.doubts.extend(others.chain(untold).chain(unseen).chain(without).chain(no_ring));
            pieces.stretches.extend(found);
        }
        Ok(())
    }

    /// What of it lies in a stretch of time. `told_from`: what was read tells how things stood from there on.
    fn within(mut self, looked: Span, told_from: Timestamp) -> Self {
        for pieces in self.feeders.values_mut() {
            for stretch in &mut pieces.stretches {
                let own = stretch.span.and(looked);
                // What was assumed of its beginning is not of another one.
                if own.from > stretch.span.from {
                    stretch.assumed.clear();
                    stretch.is_told = false;
                }
                stretch.closes.retain(|closing| own.from <= closing.at && closing.at < own.to);
                // That it was open before follows from what was read further off.
                let is_far = |closing: &Closing| closing.open_until <= told_from;
                self.hangs_on_earlier |=
                    stretch.supply == Supply::Unknown && stretch.closes.iter().any(is_far);
                stretch.closes.retain(|closing| closing.open_until > FURTHER);
                stretch.span = own;
            }
            pieces.stretches.retain(|stretch| stretch.span.length() > 0);
            for (_, span) in &mut pieces.doubts {
                *span = span.and(looked);
            }
            for span in &mut pieces.unrecorded {
                *span = span.and(looked);
            }
        }
        self
    }
}

/// What is known of a feeder over a stretch of time.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) stretches: Vec<Stretch>,
    pub(super) unrecorded: Vec<Span>,
    pub(super) doubts: Vec<(What, Span)>,
}

impl Pieces {
    /// Adds what is known of the time behind.
    pub(super) fn extend(&mut self, later: &Self) {
        for stretch in &later.stretches {
            push(&mut self.stretches, stretch.clone());
        }
        self.unrecorded.extend(&later.unrecorded);
        self.doubts.extend(&later.doubts);
    }
}

/// The bays of a station whose breakers say who is supplied.
fn bays(station: &Station, scheme: &Scheme<'_>) -> BTreeSet<usize> {
    let feeders: Vec<usize> = station.feeder_bays().collect();
    let feeds = feeders.iter().flat_map(|feeder| scheme.feeds(station.bays[*feeder].level));
    let mut bays: BTreeSet<usize> = feeds.collect();
    bays.extend(feeders);
    bays.retain(|bay| scheme.breakers[*bay].is_some());
    bays
}
