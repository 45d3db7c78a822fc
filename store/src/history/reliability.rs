//! Who was without supply, from when to when: the ground of SAIDI, SAIFI and MAIFI.
//!
//! What a window says follows from the history that is kept, not from the window: supply is worked out week by week, an
//! interruption is followed to its beginning and its end outside of the window, and each window has the minutes that
//! lie in it. So windows add up. What nobody saw is not known, and never counted as supplied.

mod believed;
mod chatter;
mod contradiction;
mod evidence;
mod feeder;
mod missing;
mod scheme;
mod tally;
mod track;
mod tracks;
mod untold;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use config::{Province, Station, StationId};
use historian::counts::Share;
use signal::clock::{DAY_MS, Timestamp};

use self::evidence::{Positions, Source};
use self::feeder::{
    Closing, Stretch, borne_out, doubt_without_current, interruptions, push, stretches,
    while_supplied,
};
pub use self::feeder::{Feeder, FeederInterruption, FeederName, InterruptionKind, SUSTAINED_MS};
use self::missing::{Missing, common};
use self::scheme::{Scheme, Supply};
pub use self::tally::{Count, Tally};
use self::track::{REACH_MS, Turn};
use self::tracks::Tracks;
use super::figure::{Figure, Remark, What};
use super::window::{merged, without};
use super::{Era, Span, Window};
use crate::{Kept, Reader, StoreError};

/// What is known of the supply of feeders around a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliability {
    /// The window.
    pub window: Span,
    /// Every feeder that a contract of the window knew, by station, level and bay.
    pub feeders: Vec<Feeder>,
}

impl Reliability {
    /// What the feeders of a station, or all of them, come to in a stretch within the window.
    pub fn tally(&self, stretch: Span, station: Option<&str>) -> Tally {
        let mut sum = Tally::default();
        for feeder in &self.feeders {
            if station.is_none_or(|station| station == feeder.name.station) {
                sum += Tally::of(feeder, stretch.and(self.window));
            }
        }
        sum
    }

    /// The interruptions that touch the window, in the order of their beginning; those from before it first, whose
    /// beginning may not be kept, by feeder.
    pub fn interruptions(&self) -> Vec<(&FeederName, &FeederInterruption)> {
        let all = self.feeders.iter().flat_map(|feeder| {
            let own = feeder.interruptions.iter().filter(|own| own.is_in(self.window));
            own.map(|own| (&feeder.name, own))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(name, own)| (own.from.max(self.window.from), *name));
        all
    }
}

/// What was assumed or is not known of a feeder over a stretch of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// When.
    pub span: Span,
    /// Which feeder.
    pub feeder: FeederName,
    /// Meters that sell energy behind it at the beginning.
    pub customers: u64,
    /// What.
    pub what: What,
}

/// Indices of a group of feeders over a window, with what they rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Indices {
    /// Meters that sell energy: the mean over the window where contracts differ.
    pub customers: Figure<u64>,
    /// Sustained interruptions that began in it.
    pub sustained: Figure<u64>,
    /// Momentary ones.
    pub momentary: Figure<u64>,
    /// Interruptions that are not known to be either.
    pub undecided: Figure<u64>,
    /// Minutes without supply in sustained interruptions, of the mean customer.
    pub saidi: Figure<f64>,
    /// Sustained interruptions of the mean customer.
    pub saifi: Figure<f64>,
    /// Momentary interruptions of the mean customer.
    pub maifi: Figure<f64>,
}

impl Reliability {
    /// The indices of a station, or of all of them.
    pub fn indices(&self, station: Option<&str>) -> Indices {
        let tally = self.tally(self.window, station);
        let window_ms = self.window.length().unsigned_abs();
        let remarks = self.remarks(station);
        let lost = self.lost_records(station);
        let known = Share::new(tally.known_ms, tally.customer_ms);
        let recorded = Share::new(tally.recorded_ms, tally.customer_ms);
        let per_customer = |sum: u64, unit: u64| {
            let all = u128::from(tally.customer_ms) * u128::from(unit);
            ratio(u128::from(sum) * u128::from(window_ms), all)
        };
        let of_known = |value| figure(value, known, window_ms).with(remarks.iter().cloned());
        let of_recorded = |value| {
            let remarks = remarks.iter().chain(&lost).cloned();
            figure(value, recorded, window_ms).with(remarks)
        };
        let mean = tally.customer_ms.checked_div(window_ms).unwrap_or(0);
        Indices {
            customers: Figure::new(mean, Share::new(window_ms, window_ms)),
            sustained: count(tally.sustained.interruptions, of_known),
            momentary: count(tally.momentary.interruptions, of_recorded),
            undecided: count(tally.undecided.interruptions, of_known),
            saidi: of_known(per_customer(tally.sustained.customer_ms, 60_000)),
            saifi: of_known(per_customer(tally.sustained.customers, 1)),
            maifi: of_recorded(per_customer(tally.momentary.customers, 1)),
        }
    }

    /// What was assumed of the interruptions that touch the window, and of its time.
    fn remarks(&self, station: Option<&str>) -> Vec<Remark> {
        let is_own = |name: &FeederName| station.is_none_or(|station| station == name.station);
        let all = self.interruptions().into_iter().filter(|(name, _)| is_own(name));
        let of_interruptions = all.flat_map(|(name, own)| {
            own.assumed.iter().map(|what| Remark {
                at: own.from,
                until: own.until,
                place: name.to_string(),
                what: *what,
            })
        });
        let doubts = self.doubts().into_iter().filter(|own| is_own(&own.feeder));
        let of_time = doubts.map(|own| Remark {
            at: own.span.from,
            until: Some(own.span.to),
            place: own.feeder.to_string(),
            what: own.what,
        });
        of_time.chain(of_interruptions).collect()
    }

    /// What was assumed or is not known over stretches of the window, as far as they lie in it, in the order of time.
    pub fn doubts(&self) -> Vec<Doubt> {
        let of_feeder = |feeder: &Feeder| {
            let of_window = |(what, span): &(What, Span)| {
                let span = span.and(self.window);
                let of_time = feeder.customers.iter().find(|(era, _)| era.and(span).length() > 0);
                let customers = of_time.map_or(0, |(_, customers)| *customers);
                let feeder = feeder.name.clone();
                (span.length() > 0).then_some(Doubt { span, feeder, customers, what: *what })
            };
            feeder.doubts.iter().filter_map(of_window).collect::<Vec<_>>()
        };
        let mut all: Vec<Doubt> = self.feeders.iter().flat_map(of_feeder).collect();
        all.sort_by(|one, other| {
            (one.span.from, &one.feeder, one.what).cmp(&(
                other.span.from,
                &other.feeder,
                other.what,
            ))
        });
        all
    }

    /// Stretches in which records of a unit were lost or not believed, once for all of its feeders.
    fn lost_records(&self, station: Option<&str>) -> Vec<Remark> {
        let mut lost = BTreeMap::new();
        for feeder in &self.feeders {
            if station.is_some_and(|station| station != feeder.name.station) {
                continue;
            }
            // What is hidden without a record lost is told by itself.
            let others = merged(feeder.unknown.iter().copied().chain(hidden(&feeder.doubts)));
            for span in without(feeder.unrecorded.iter().copied(), &others) {
                let span = span.and(self.window);
                if span.length() > 0 {
                    lost.entry((&feeder.name.station, span.from)).or_insert(span);
                }
            }
        }
        let remark = |((station, _), span): ((&String, Timestamp), Span)| Remark {
            at: span.from,
            until: Some(span.to),
            place: station.clone(),
            what: What::RecordsLost,
        };
        lost.into_iter().map(remark).collect()
    }
}

/// That there was none is said of no less than one in so many customer-milliseconds.
const NONE_OF: u64 = 10_000;

/// A figure whose value is known as far as anything is: what was seen however little was, but nothing is no figure
/// where next to nothing was.
fn figure(value: Option<f64>, known: Share, window_ms: u64) -> Figure<f64> {
    let is_enough = known.have.saturating_mul(NONE_OF) >= known.want;
    match value {
        Some(value) if known.have > 0 && (value > 0.0 || is_enough) => Figure::new(value, known),
        // How much was seen is told nevertheless: a window says no less of it than its days.
        _ if known.want > 0 => Figure::untold(known),
        _ => Figure::unknown(window_ms),
    }
}

/// A count as a figure; `of` says what it rests on.
fn count(count: u64, of: impl Fn(Option<f64>) -> Figure<f64>) -> Figure<u64> {
    of(Some(if count > 0 { 1.0 } else { 0.0 })).map(|_| count)
}

/// One number by another, in lowest terms divided once: it has no more digits than it must. `None` by nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "lowest terms are exact up to 2^53; beyond it a rounding"
)]
fn ratio(n: u128, all: u128) -> Option<f64> {
    let (mut divisor, mut rest) = (all, n);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (all > 0).then(|| (n / divisor) as f64 / (all / divisor) as f64)
}

/// How far beyond a week lies what decides about it: what tracks reach for, and a few scans.
const EDGE_MS: i64 = REACH_MS + 3_600_000;

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
        let mut known = Known { feeders: BTreeMap::new() };
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
                if let Some(own) = known.feeders.get_mut(name) {
                    own.pieces.extend(pieces);
                }
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
        let (province, span) = (source.province, source.span);
        let station = &province.stations[source.station.index()];
        let scheme = Scheme::new(station);
        let bays = bays(province, source.station);
        let tracks = Tracks::follow(source, (positions, missing), &scheme, bays)?;
        self.hangs_on_earlier |= tracks.hangs_on_earlier;
        for (feeder, _) in province.customers_by_feeder(station) {
            let bay = &station.bays[feeder];
            let mut own = scheme.feeds(bay.level);
            own.push(feeder);
            let breakers: Vec<(usize, &[Turn])> =
                own.iter().filter_map(|bay| Some((*bay, &tracks.turns.get(bay)?[..]))).collect();
            let lag_ms = 3 * source.period_ms(feeder);
            let (dark, short) = source.without_current(feeder)?;
            let found = stretches(&scheme, feeder, &breakers, span);
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
struct Pieces {
    stretches: Vec<Stretch>,
    unrecorded: Vec<Span>,
    doubts: Vec<(What, Span)>,
}

impl Pieces {
    /// Adds what is known of the time behind.
    fn extend(&mut self, later: &Self) {
        for stretch in &later.stretches {
            push(&mut self.stretches, stretch.clone());
        }
        self.unrecorded.extend(&later.unrecorded);
        self.doubts.extend(&later.doubts);
    }
}

/// What is known of the feeders in a window and in as many weeks around it as that needs.
struct Known {
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
    fn meet(&mut self, span: Span, province: &Province, station: &Station) {
        let scheme = Scheme::new(station);
        for (feeder, customers) in province.customers_by_feeder(station) {
            let poll_ms = scheme.breakers[feeder]
                .map_or(0, |point| evidence::scan_ms(province, &station.points[point.index()]));
            let own = self.feeders.entry(name_of(station, feeder)).or_default();
            own.contracts.push(Contracted { span, customers, poll_ms });
        }
    }

    /// Whether something that touches the window may have begun before the weeks that are known, or end behind them.
    fn lasts_at_edges(&self, window: Span) -> (bool, bool) {
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
    fn into_reliability(self, window: Span, kept: Option<Timestamp>) -> Reliability {
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

/// The name of the feeder of a bay.
fn name_of(station: &Station, bay: usize) -> FeederName {
    let bay = &station.bays[bay];
    FeederName { station: station.id.clone(), bay: bay.name.clone(), level: bay.level }
}

/// The bays of a station whose breakers say who is supplied.
fn bays(province: &Province, station: StationId) -> BTreeSet<usize> {
    let station = &province.stations[station.index()];
    let scheme = Scheme::new(station);
    let feeders: Vec<usize> = station.feeder_bays().collect();
    let feeds = feeders.iter().flat_map(|feeder| scheme.feeds(station.bays[*feeder].level));
    let mut bays: BTreeSet<usize> = feeds.collect();
    bays.extend(feeders);
    bays.retain(|bay| scheme.breakers[*bay].is_some());
    bays
}

/// Those of some doubts in which short interruptions may have gone unseen, whatever records came.
fn hidden(doubts: &[(What, Span)]) -> impl Iterator<Item = Span> {
    let hides = |what: What| {
        matches!(
            what,
            What::ByCurrent | What::WithoutCurrent | What::CentresContradict | What::NoRing
        )
    };
    doubts.iter().filter(move |(what, _)| hides(*what)).map(|(_, span)| *span)
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

#[cfg(test)]
mod tests {
    use historian::counts::Share;

    use super::{figure, ratio};
    use crate::history::Figure;

    #[test]
    fn that_there_was_none_is_not_said_of_next_to_nothing() {
        for (value, have, is_known) in
            [(0.0, 2, true), (0.0, 1, false), (1.0, 1, true), (1.0, 0, false)]
        {
            let known = Share::new(have, 20_000);
            let expected = if is_known { Figure::new(value, known) } else { Figure::untold(known) };
            assert_eq!(figure(Some(value), known, 1), expected, "{value} of {have}");
        }
    }

    #[test]
    fn an_index_has_no_more_digits_than_it_must() {
        let month_ms = 2_592_000_000_u128;
        for n in 0..5_000_u128 {
            // Of two thousand customers, all of a month known.
            let expected = format!("{}.{:04}", n * 5 / 10_000, n * 5 % 10_000);
            let expected = expected.parse::<f64>().unwrap();
            assert_eq!(ratio(n * month_ms, 2_000 * month_ms), Some(expected), "{n}");
            let minutes = ratio(n * 60_000 * month_ms, 2_000 * month_ms * 60_000);
            assert_eq!(minutes, Some(expected), "{n}");
        }
        assert_eq!(ratio(1, 0), None);
        assert_eq!(ratio(0, 0), None);
        assert_eq!(ratio(1, 3), Some(1.0 / 3.0));
    }
}
