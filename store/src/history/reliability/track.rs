//! Where a breaker stood, from everything that tells of it: records of its changes, polled positions,
//! and the current that flows in its bay.
//!
//! A record says when to the millisecond, but may be lost, or of a clock that is wrong. A poll is never
//! of a wrong time, but sees only how it stands once a scan. Each fills in what the other lacks; what
//! was assumed stands beside the turn as a remark.
//!
//! All records are gone through, however old. What polls and currents add hangs on those no further away than
//! [`REACH_MS`].

use signal::clock::Timestamp;

use super::chatter::{CHATTER_REACH_MS, moment};
use super::contradiction::{Said, decided};
use super::scheme::Place;
use super::untold::{replaced, untold};
use crate::history::window::{merged, without};
use crate::history::{Span, What};

/// Code of a double point that is open.
pub(super) const OPEN: u16 = 1;
/// Code of a double point that is closed.
pub(super) const CLOSED: u16 = 2;

/// A poll may still say what was before a record that is so old, milliseconds: the image of a device is
/// renewed by the second, and a gateway takes its time.
pub(super) const LAG_MS: i64 = 3_000;
/// A clock that is off by no more than this, milliseconds, is not found wrong by itself: its records stand so much before or
/// behind what they tell of.
pub(super) const OFF_MS: i64 = 10_000;
/// A breaker that is said to be open for so long, milliseconds, is held against its current.
const HELD_AGAINST_MS: i64 = 60_000;
/// Current at two moments that are no further apart is there, milliseconds.
pub(super) const AGAIN_MS: i64 = 3_600_000;
/// What shows more than nothing and does not move for longer, milliseconds, may be frozen. What is real stands so long
/// within its deadband.
pub(super) const STANDS_MS: i64 = 900_000;
/// A contact that said open while current flowed is not believed for so long before and afterwards, milliseconds:
/// the load has a daily cycle, and at night less may flow than can be measured.
pub(super) const DISBELIEF_MS: i64 = 86_400_000;
/// The first poll of a stretch in which the position could be used comes within this, or within four scans.
pub(super) const SOON_MS: i64 = 60_000;
/// How far from a moment lies what decides about it, records aside.
pub(super) const REACH_MS: i64 = DISBELIEF_MS + AGAIN_MS;

/// A record of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// When it happened, as well as that is known.
    pub(super) at: Timestamp,
    pub(super) value: u16,
    /// By a clock that nothing speaks against.
    pub(super) is_exact: bool,
}

/// What flows in a bay, as measured at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) at: Timestamp,
    pub(super) flow: Flow,
    /// While what shows more than nothing stands still, from one time that anything of the bay moved to the next; without an end
    /// where none is known.
    pub(super) stands: Span,
}

impl Sample {
    /// Whether it shows more than nothing by what moves: a value that stands still may be frozen, and proves nothing.
    pub(super) fn is_alive(&self) -> bool {
        self.stands.to.0.saturating_sub(self.stands.from.0) <= STANDS_MS
    }

    /// The same, where what moved at all in an episode, no further than a day away, is taken to have lived meanwhile.
    fn is_alive_in(&self, episode: Span) -> bool {
        let near = Span::new(self.at.plus(-DISBELIEF_MS), self.at.plus(DISBELIEF_MS)).and(episode);
        let Span { from, to } = self.stands;
        self.is_alive() || from >= near.from || to < near.to
    }

    /// Whether it proves that current flows.
    pub(super) fn flows(&self) -> bool {
        self.flow == Flow::Flows && self.is_alive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Current and power are there beyond doubt.
    Flows,
    /// Neither is.
    Nothing,
    /// They disagree, or are too small to tell.
    Unclear,
}

/// From when on a breaker stood where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) at: Timestamp,
    pub(super) place: Place,
    pub(super) assumed: Option<What>,
    /// A record with a right clock says so.
    pub(super) is_exact: bool,
    /// A record says so, whatever its clock.
    pub(super) is_told: bool,
}

/// What is known of a breaker: each list is in the order of time.
pub(super) struct Evidence<'a> {
    pub(super) records: &'a [Record],
    /// Usable positions that were polled: at least the first and the last of a stretch in which they
    /// were the same, and every one round a record.
    pub(super) polls: &'a [(Timestamp, u16)],
    /// Stretches in which the position could be used, in order.
    pub(super) usable: &'a [Span],
    /// What each centre said, by its polls.
    pub(super) said: &'a [Vec<Said>],
    /// When its contact chattered, in order.
    pub(super) chatter: &'a [Span],
    /// When records that never came may have been of chatter, in order.
    pub(super) lost: &'a [Span],
    /// When records of its unit were lost at all centres, in order.
    pub(super) gone: &'a [Span],
    /// When records of its unit were lost and nobody polled it, in order.
    pub(super) blind: &'a [Span],
    /// When they contradicted each other, in order.
    pub(super) contradictions: &'a [Span],
    /// When every record of its unit came, in order.
    pub(super) whole: &'a [Span],
    /// The first position that was polled at all, of one that has no record.
    pub(super) first: Option<u16>,
    /// Where no position was polled near: the first one that was polled at all, however far away, and when.
    pub(super) first_poll: Option<(Timestamp, u16)>,
    /// How often currents are read, milliseconds.
    pub(super) period_ms: i64,
    /// What polls tell first they tell of so many milliseconds before.
    pub(super) soon_ms: i64,
}

/// Long before anything.
const NEVER: Timestamp = Timestamp(i64::MIN / 2);

pub(super) fn place(code: u16) -> Option<Place> {
    match code {
        OPEN => Some(Place::Open),
        CLOSED => Some(Place::Closed),
        _ => None,
    }
}

/// The other end position.
pub(super) fn other(place: Place) -> Place {
    match place {
        Place::Open => Place::Closed,
        Place::Closed => Place::Open,
        Place::Unknown => Place::Unknown,
    }
}

/// How a breaker stood.
pub(super) struct Track {
    /// In the order of time.
    pub(super) turns: Vec<Turn>,
    /// Stretches in which its contact was not believed: closed is what current tells there, scan by scan, so that nobody
    /// can say what was over between two of them.
    pub(super) by_current: Vec<Span>,
    /// Stretches in which it is said to have stood as no record bears out.
    pub(super) untold: Vec<Span>,
}

/// How a breaker stood. `flow` tells what flowed in its bay in a span; only what touches `within` is held against
/// that.
///
/// # Errors
/// What `flow` says.
pub(super) fn track<E>(
    evidence: &Evidence<'_>,
    within: Span,
    mut flow: impl FnMut(Span) -> Result<Vec<Sample>, E>,
) -> Result<Track, E> {
    let period_ms = evidence.period_ms;
    let chatter = without(evidence.chatter.iter().copied(), evidence.contradictions);
    let mut turns = Vec::new();
    let mut walk = Walk::begin(evidence, &mut turns);
    // A record says how it stood, whatever was lost before and behind it.
    let told = evidence.blind.iter().flat_map(|own| {
        let records = evidence.records;
        let first = records.partition_point(|record| record.at < own.from);
        records[first..].iter().take_while(|record| record.at < own.to).map(moment)
    });
    let others = chatter.iter().chain(evidence.contradictions).copied();
    let others = merged(others.chain(told));
    let blind = without(evidence.blind.iter().copied(), &others);
    let of_chatter = chatter.iter().chain(&blind).map(|own| (*own, false));
    let of_centres = evidence.contradictions.iter().map(|own| (*own, true));
    let mut episodes: Vec<(Span, bool)> = of_chatter.chain(of_centres).collect();
    episodes.sort_by_key(|(own, _)| own.from);
    for (episode, is_contradiction) in episodes {
        walk.up_to(episode.from, &mut turns);
        let before = turns.last().map_or(Place::Unknown, |turn: &Turn| turn.place);
        let margin = if is_contradiction { 5 * period_ms } else { 2 * period_ms };
        let round = Span::new(episode.from.plus(-margin), episode.to.plus(margin)).and(within);
        let samples = if round.length() > 0 { flow(round)? } else { Vec::new() };
        if is_contradiction {
            let measured = (&samples[..], period_ms);
            let last = walk.told_last(episode).unwrap_or(before);
            decided((episode, last), evidence.said, evidence.records, measured, &mut turns);
            walk.leave_out(episode);
        } else {
            chattered(episode, before, &samples, 3 * period_ms, &mut turns);
            walk.pass(episode, &mut turns);
        }
    }
    walk.up_to(Timestamp(i64::MAX), &mut turns);
    let told = (evidence.records, evidence.first.and_then(place));
    let untold = untold(&turns, told, (evidence.whole, &blind, evidence.gone));
    // What is measured in the same unit is no witness of it.
    for own in &untold {
        let (at, place) = (own.from, Place::Unknown);
        let unknown = Turn { at, place, assumed: None, is_exact: false, is_told: false };
        replaced(&mut turns, *own, unknown);
    }
    let mut held = hold_against_current(&turns, within, flow, period_ms)?;
    settle(&mut held.turns);
    held.by_current = merged(held.by_current.into_iter().chain(chatter));
    held.untold = untold;
    Ok(held)
}

/// Leaves out turns that the next one takes back at the same moment, and those that are none.
fn settle(turns: &mut Vec<Turn>) {
    let mut at = turns.iter().skip(1).map(|turn| turn.at).collect::<Vec<_>>().into_iter();
    turns.retain(|turn| at.next().is_none_or(|next| next > turn.at));
    turns.dedup_by(|later, earlier| {
        later.place == earlier.place && later.is_told == earlier.is_told
    });
}

/// Where the breaker stood while its contact chattered: closed between two measurements with current,
/// where it was between two without, and otherwise nobody can say.
fn chattered(
    episode: Span,
    before: Place,
    samples: &[Sample],
    longest_ms: i64,
    turns: &mut Vec<Turn>,
) {
    let mut push = |at: Timestamp, place: Place, assumed| {
        turns.push(Turn {
            at: at.max(episode.from),
            place,
            assumed,
            is_exact: false,
            is_told: false,
        });
    };
    let is_alive = |sample: &Sample| sample.is_alive_in(episode);
    push(episode.from, Place::Unknown, None);
    for pair in samples.windows(2) {
        let (one, next) = (pair[0], pair[1]);
        if next.at <= episode.from || one.at >= episode.to {
            continue;
        }
        let is_near = next.at.since(one.at) <= longest_ms;
        match (one.flow, next.flow) {
            (Flow::Flows, Flow::Flows) if is_near && is_alive(&one) && is_alive(&next) => {
                push(one.at, Place::Closed, Some(What::CurrentFlowed));
            }
            (Flow::Nothing, Flow::Nothing) if is_near && before == Place::Open => {
                push(one.at, Place::Open, None);
            }
            _ => push(one.at, Place::Unknown, None),
        }
    }
    if let Some(last) = samples.last().filter(|last| last.at < episode.to) {
        push(last.at, Place::Unknown, None);
    }
}

/// Goes through records and polls in the order of time.
struct Walk<'a> {
    records: &'a [Record],
    polls: &'a [(Timestamp, u16)],
    usable: &'a [Span],
    /// When records that never came may have been of chatter.
    lost: &'a [Span],
    /// What polls tell first they tell of so many milliseconds before.
    soon_ms: i64,
    last_record: Timestamp,
    last_poll: Timestamp,
}

impl<'a> Walk<'a> {
    /// What is told first also tells of the time before it.
    fn begin(evidence: &Evidence<'a>, turns: &mut Vec<Turn>) -> Self {
        let Evidence { records, polls, usable, lost, first_poll, soon_ms, .. } = *evidence;
        let record = records.iter().find_map(|record| Some((record.at, place(record.value)?)));
        // What was lost before it may have been another one.
        let is_first = |at: Timestamp| evidence.blind.first().is_none_or(|own| own.from >= at);
        let mut seen = polls.iter().chain(&first_poll);
        let poll = seen.find_map(|(at, code)| Some((*at, place(*code)?)));
        let chatter = evidence.chatter.first();
        let chatter = chatter.filter(|e| record.is_some_and(|(at, _)| e.from <= at && at < e.to));
        let told = chatter.map(|e| e.from).or(record.map(|(at, _)| at));
        let record = record.filter(|(at, _)| chatter.is_none() && is_first(*at));
        let place = match (record, poll) {
            (_, Some((seen, place))) if told.is_none_or(|at| seen < at) => place,
            (Some((_, first)), _) => other(first),
            // What nobody ever saw is not known.
            _ => Place::Unknown,
        };
        // Whether that is assumed hangs on whether it was polled near, as for every other turn.
        let (assumed, is_exact, is_told) = (None, false, false);
        turns.push(Turn { at: NEVER, place, assumed, is_exact, is_told });
        Self { records, polls, usable, lost, soon_ms, last_record: NEVER, last_poll: NEVER }
    }

    /// Takes what came before a moment.
    fn up_to(&mut self, to: Timestamp, turns: &mut Vec<Turn>) {
        loop {
            let record = self.records.first().filter(|record| record.at < to);
            let poll = self.polls.first().filter(|(at, _)| *at < to);
            match (record, poll) {
                (Some(record), poll) if poll.is_none_or(|(at, _)| record.at <= *at) => {
                    self.records = &self.records[1..];
                    self.record(*record, turns);
                }
                (_, Some(poll)) => {
                    self.polls = &self.polls[1..];
                    self.poll(*poll, turns);
                }
                _ => return,
            }
        }
    }

    fn record(&mut self, record: Record, turns: &mut Vec<Turn>) {
        let Some(place) = place(record.value) else { return };
        self.last_record = record.at;
        let assumed = (!record.is_exact).then_some(What::ClockDoubtful);
        let is_exact = record.is_exact;
        turn(turns, Turn { at: record.at, place, assumed, is_exact, is_told: true });
    }

    fn poll(&mut self, (at, code): (Timestamp, u16), turns: &mut Vec<Turn>) {
        let Some(place) = place(code) else { return };
        let since = self.seen_since(at);
        self.last_poll = at;
        let stands = turns.last().map(|turn| turn.place);
        if stands == Some(place) || at.since(self.last_record) <= LAG_MS {
            return;
        }
        // The record that tells of it may be of a clock that is a little late, or have come with it.
        let soon = self.records.iter().take_while(|record| record.at.since(at) <= LAG_MS);
        let told = soon.clone().find(|record| self::place(record.value) == Some(place));
        let assumed = match told {
            Some(record) if record.is_exact => None,
            Some(_) => Some(What::ClockDoubtful),
            None => Some(What::NoRecord),
        };
        let at = if assumed == Some(What::NoRecord) { since } else { at };
        turn(turns, Turn { at, place, assumed, is_exact: false, is_told: false });
    }

    /// Since when a poll tells how the breaker stands: the first one of a stretch in which its position could be
    /// used tells it from the beginning of that, whatever was told before nobody looked.
    fn seen_since(&self, at: Timestamp) -> Timestamp {
        let own = self.usable.get(self.usable.partition_point(|span| span.to <= at));
        let from = own.map_or(at, |span| span.from.min(at));
        let from = if at.since(from) <= self.soon_ms { from } else { at };
        if self.last_poll < from && self.last_record < from { from } else { at }
    }

    /// How it stood by what was told or polled last in an episode.
    fn told_last(&self, episode: Span) -> Option<Place> {
        let records = self.records.iter().take_while(|record| record.at < episode.to);
        let record =
            records.filter_map(|own| Some((own.at.plus(LAG_MS), place(own.value)?))).last();
        let polls = self.polls.iter().take_while(|(at, _)| *at < episode.to);
        let poll = polls.filter_map(|(at, code)| Some((*at, place(*code)?))).last();
        // A poll just behind a record may still say what was before.
        record.into_iter().chain(poll).max_by_key(|(at, _)| *at).map(|(_, place)| place)
    }

    /// Leaves out what was told and polled in an episode; returns its last record.
    fn leave_out(&mut self, episode: Span) -> Option<Record> {
        let within = self.records.iter().take_while(|record| record.at < episode.to);
        let last = within.clone().filter(|record| place(record.value).is_some()).last().copied();
        self.records = &self.records[within.count()..];
        self.polls = &self.polls[self.polls.partition_point(|(at, _)| *at < episode.to)..];
        last
    }

    /// Leaves out what a contact said while it chattered; it stands where its last record left it, where none was lost
    /// behind that. That is no proof of how it stands once nobody looks.
    fn pass(&mut self, episode: Span, turns: &mut Vec<Turn>) {
        let last = self.leave_out(episode);
        self.last_record = last.map_or(self.last_record, |last| last.at);
        let at = episode.to;
        let own = last.filter(|last| moment(last).to == at).and_then(|last| place(last.value));
        let place = own.unwrap_or_else(|| self.stands_from(at));
        turns.push(Turn { at, place, assumed: None, is_exact: false, is_told: false });
    }

    /// How it stood from a moment on, by what came next: no record was lost up to that.
    fn stands_from(&self, at: Timestamp) -> Place {
        let record = self.records.iter().find_map(|own| Some((own.at, other(place(own.value)?))));
        let shows = self.polls.iter().find(|(seen, _)| *seen >= at.plus(LAG_MS));
        let shows = shows.filter(|(seen, _)| seen.since(at) <= CHATTER_REACH_MS);
        let poll = shows.and_then(|(seen, code)| Some((*seen, place(*code)?)));
        let next = record.into_iter().chain(poll).min_by_key(|(seen, _)| *seen);
        let lost = self.lost.get(self.lost.partition_point(|own| own.to <= at));
        let is_whole = |seen: Timestamp| lost.is_none_or(|own| own.from >= seen);
        next.filter(|(seen, _)| is_whole(*seen)).map_or(Place::Unknown, |(_, place)| place)
    }
}

/// Adds a turn, where it is one, or the first record that says so. None is earlier than the one before it.
fn turn(turns: &mut Vec<Turn>, mut new: Turn) {
    let last = turns.last();
    let is_news = |last: &Turn| last.place != new.place || new.is_told && !last.is_told;
    if last.is_none_or(is_news) {
        new.at = last.map_or(new.at, |last| new.at.max(last.at));
        turns.push(new);
    }
}

/// A contact that says open while current flows is not believed: the breaker is closed from one measurement with
/// current to the next, and otherwise, near those, nobody can say.
fn hold_against_current<E>(
    turns: &[Turn],
    within: Span,
    mut flow: impl FnMut(Span) -> Result<Vec<Sample>, E>,
    period_ms: i64,
) -> Result<Track, E> {
    let (mut held, mut by_current) = (Vec::with_capacity(turns.len()), Vec::new());
    for (n, turn) in turns.iter().enumerate() {
        held.push(*turn);
        let to = turns.get(n + 1).map_or(Timestamp(i64::MAX), |next| next.at);
        let is_long = to.0.saturating_sub(turn.at.0) >= HELD_AGAINST_MS.max(4 * period_ms);
        if turn.place != Place::Open || !is_long {
            continue;
        }
        // A measurement may be a scan old, and change by less than is sent.
        let span = Span::new(turn.at.plus(2 * period_ms), to).and(within);
        let samples = if span.length() > 0 { flow(span)? } else { Vec::new() };
        for doubted in disbelieved(&samples) {
            let doubted = doubted.and(Span::new(turn.at, to));
            by_current.push(doubted);
            if doubted.from == turn.at {
                held.pop();
            }
            closed_by_current(
                (doubted, doubted.from == turn.at),
                &samples,
                5 * period_ms,
                &mut held,
            );
            if doubted.to < to {
                held.push(Turn { at: doubted.to, assumed: None, is_exact: false, ..*turn });
            }
        }
    }
    Ok(Track { turns: held, by_current, untold: Vec::new() })
}

/// When a contact that says open is not believed, in order: round moments with current.
fn disbelieved(samples: &[Sample]) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for sample in samples.iter().filter(|sample| sample.flows()) {
        if let Some(before) = last.filter(|last| sample.at.since(*last) <= AGAIN_MS) {
            let own = Span::new(before.plus(-DISBELIEF_MS), sample.at.plus(DISBELIEF_MS));
            match all.last_mut() {
                Some(last) if own.from <= last.to => last.to = own.to,
                _ => all.push(own),
            }
        }
        last = Some(sample.at);
    }
    all
}

/// Where a breaker stood in a span in which its contact is not believed. `is_new`: it said so from the beginning of
/// the span on, and the measurement may be older.
fn closed_by_current(
    (span, is_new): (Span, bool),
    samples: &[Sample],
    longest_ms: i64,
    held: &mut Vec<Turn>,
) {
    let mut push = |at, is_closed: bool| {
        let (place, assumed) = if is_closed {
            (Place::Closed, Some(What::CurrentFlowed))
        } else {
            (Place::Unknown, None)
        };
        held.push(Turn { at, place, assumed, is_exact: false, is_told: false });
    };
    let (mut since, mut flows) = (span.from, is_new);
    let first = samples.partition_point(|sample| sample.at < span.from);
    for sample in samples[first..].iter().take_while(|sample| sample.at < span.to) {
        let flows_now = sample.flows();
        push(since, flows && flows_now && sample.at.since(since) <= longest_ms);
        (since, flows) = (sample.at, flows_now);
    }
    push(since, flows);
    if since.plus(longest_ms) < span.to {
        push(since.plus(longest_ms), false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::chatter::chatter;
    use super::*;

    const SCAN: i64 = 10_000;

    fn sample(at: i64, flow: Flow) -> Sample {
        Sample { at: Timestamp(at), flow, stands: moment(&record(at, OPEN)) }
    }

    fn record(at: i64, value: u16) -> Record {
        Record { at: Timestamp(at), value, is_exact: true }
    }

    fn doubtful(at: i64, value: u16) -> Record {
        Record { is_exact: false, ..record(at, value) }
    }

    /// Polls every scan up to `to`, each saying what `of` does.
    fn polls(to: i64, of: impl Fn(i64) -> u16) -> Vec<(Timestamp, u16)> {
        (0..to / SCAN).map(|n| (Timestamp(n * SCAN + 700), of(n * SCAN + 700))).collect()
    }

    fn walk(
        records: &[Record],
        polls: &[(Timestamp, u16)],
        flow: impl Fn(i64) -> Flow,
    ) -> Vec<Turn> {
        walk_usable(records, polls, &[], flow)
    }

    fn walk_usable(
        records: &[Record],
        polls: &[(Timestamp, u16)],
        usable: &[Span],
        flow: impl Fn(i64) -> Flow,
    ) -> Vec<Turn> {
        let (period_ms, soon_ms) = (SCAN, SOON_MS.max(4 * SCAN));
        let evidence = Evidence {
            records,
            polls,
            usable,
            said: &[],
            chatter: &chatter(records, &[], soon_ms),
            lost: &[],
            gone: &[],
            blind: &[],
            contradictions: &[],
            whole: &[],
            first: None,
            first_poll: None,
            period_ms,
            soon_ms,
        };
        let within = Span::new(Timestamp(0), Timestamp(1_000_000_000));
        let samples = |span: Span| {
            let to = span.to.0.min(1_000_000_000);
            let times = (span.from.0.max(0) / SCAN..=to / SCAN).map(|n| n * SCAN + 900);
            let within = times.filter(|at| *at >= span.from.0 && *at < to);
            Ok::<_, ()>(within.map(|at| sample(at, flow(at))).collect())
        };
        track(&evidence, within, samples).unwrap().turns
    }

    fn told(turns: &[Turn]) -> Vec<(i64, Place, Option<What>)> {
        turns.iter().map(|turn| (turn.at.0.max(0), turn.place, turn.assumed)).collect()
    }

    fn nothing(_: i64) -> Flow {
        Flow::Nothing
    }

    #[test]
    fn a_record_tells_the_moment_and_the_polls_agree() {
        let open = |at: i64| if (65_432..665_432).contains(&at) { OPEN } else { CLOSED };
        let turns =
            walk(&[record(65_432, OPEN), record(665_432, CLOSED)], &polls(900_000, open), nothing);
        let expected =
            [(0, Place::Closed, None), (65_432, Place::Open, None), (665_432, Place::Closed, None)];
        assert_eq!(told(&turns), expected);
    }

    #[test]
    fn a_closing_that_no_record_tells_is_at_the_first_poll_that_saw_it() {
        let open = |at: i64| if (65_432..665_432).contains(&at) { OPEN } else { CLOSED };
        let turns = walk(&[record(65_432, OPEN)], &polls(3_000_000, open), nothing);
        assert_eq!(turns.last().map(|t| (t.at.0, t.place, t.assumed)), {
            Some((670_700, Place::Closed, Some(What::NoRecord)))
        });
        // Also when no poll ever saw it open.
        let turns = walk(&[record(65_432, OPEN)], &polls(3_000_000, |_| CLOSED), nothing);
        let expected = [(65_432, Place::Open, None), (70_700, Place::Closed, Some(What::NoRecord))];
        assert_eq!(told(&turns)[1..], expected);
    }

    #[test]
    fn the_first_poll_after_nobody_looked_tells_from_the_beginning() {
        // Its closing was told to nobody; the position can be used again from a moment before the poll on.
        let usable = [Span::new(Timestamp(600_000), Timestamp(900_000))];
        let polls: Vec<(Timestamp, u16)> =
            (61..90).map(|n| (Timestamp(n * SCAN - 300), CLOSED)).collect();
        let turns = walk_usable(&[record(65_432, OPEN)], &polls, &usable, nothing);
        let closed = (600_000, Place::Closed, Some(What::NoRecord));
        assert_eq!(told(&turns)[1..], [(65_432, Place::Open, None), closed]);
        // A record that came since then tells more.
        let records = [record(65_432, OPEN), record(602_000, OPEN)];
        let turns = walk_usable(&records, &polls, &usable, nothing);
        let closed = (609_700, Place::Closed, Some(What::NoRecord));
        assert_eq!(told(&turns)[1..], [(65_432, Place::Open, None), closed]);
    }

    #[test]
    fn records_of_a_wrong_clock_keep_their_distance() {
        let turns = walk(
            &[doubtful(68_930, OPEN), doubtful(70_000, CLOSED)],
            &polls(200_000, |_| CLOSED),
            nothing,
        );
        let doubted = Some(What::ClockDoubtful);
        assert_eq!(
            told(&turns)[1..],
            [(68_930, Place::Open, doubted), (70_000, Place::Closed, doubted)]
        );
    }

    #[test]
    fn a_contact_that_chatters_while_current_flows_never_opened() {
        let records: Vec<Record> = (0..600)
            .map(|n| record(100_000 + n * 200, if n % 2 == 0 { OPEN } else { CLOSED }))
            .collect();
        let any = |at: i64| if at / SCAN % 3 == 0 { OPEN } else { CLOSED };
        let turns = walk(&records, &polls(100_000, |_| CLOSED), |_| Flow::Flows);
        assert!(turns.iter().all(|turn| turn.place == Place::Closed), "{turns:?}");
        // Also where it was open before, and the record of its closing was lost.
        let opened = [&[record(20_000, OPEN)][..], &records].concat();
        let closed = |at: i64| if (20_000..50_000).contains(&at) { OPEN } else { CLOSED };
        let turns = walk(&opened, &polls(100_000, closed), |at| {
            if (20_000..50_000).contains(&at) { Flow::Nothing } else { Flow::Flows }
        });
        let opens = turns.iter().filter(|turn| turn.place == Place::Open).count();
        assert_eq!(opens, 1, "{turns:?}");
        // Where no current is known, nobody can say.
        let turns = walk(&records, &polls(100_000, any), |_| Flow::Unclear);
        assert!(turns.iter().any(|turn| turn.place == Place::Unknown), "{turns:?}");
        // Reclosing twice is no chatter.
        let deeds = [(0, OPEN), (1_000, CLOSED), (1_100, OPEN), (16_000, CLOSED), (16_100, OPEN)];
        let deeds: Vec<Record> = deeds.iter().map(|(at, v)| record(100_000 + at, *v)).collect();
        assert_eq!(walk(&deeds, &polls(100_000, |_| CLOSED), nothing).len(), 6);
        // Nor is it with what the breaker shows on its way.
        let both = deeds.iter().flat_map(|own| [record(own.at.0 - 40, 0), *own]);
        let both: Vec<Record> = both.collect();
        assert_eq!(walk(&both, &polls(100_000, |_| CLOSED), nothing).len(), 6);
    }

    #[test]
    fn behind_chatter_it_stands_as_what_came_next_says() {
        let chattered: Vec<Record> =
            (0..600).map(|n| record(n * 200, if n % 2 == 0 { CLOSED } else { OPEN })).collect();
        // How it stood just behind, by whether records were lost then, the polls, and the next record.
        let table = [
            ("nothing lost", None, None, None, Place::Open),
            ("nothing tells", Some(200_000), None, None, Place::Unknown),
            ("a poll", Some(200_000), Some(CLOSED), None, Place::Closed),
            ("a record", Some(200_000), None, Some(OPEN), Place::Closed),
            ("a poll before it", Some(200_000), Some(OPEN), Some(OPEN), Place::Open),
        ];
        for (what, lost, poll, next, expected) in table {
            let lost: Vec<Span> =
                lost.into_iter().map(|to| Span::new(Timestamp(119_800), Timestamp(to))).collect();
            let polls: Vec<(Timestamp, u16)> =
                poll.into_iter().map(|code| (Timestamp(210_000), code)).collect();
            let mut records = chattered.clone();
            records.extend(next.map(|code| record(900_000, code)));
            let evidence = Evidence {
                records: &records,
                polls: &polls,
                usable: &[],
                said: &[],
                chatter: &chatter(&records, &lost, SOON_MS),
                lost: &lost,
                gone: &[],
                blind: &[],
                contradictions: &[],
                whole: &[],
                first: None,
                first_poll: None,
                period_ms: SCAN,
                soon_ms: SOON_MS,
            };
            let within = Span::new(Timestamp(0), Timestamp(0));
            let turns = track(&evidence, within, |_| Ok::<_, ()>(Vec::new())).unwrap().turns;
            let at = turns.partition_point(|turn| turn.at.0 <= 200_000);
            assert_eq!(turns[at - 1].place, expected, "{what}: {turns:?}");
        }
    }

    #[test]
    fn a_contact_that_says_open_while_current_flows_is_not_believed() {
        let turns = walk(
            &[record(100_000, OPEN)],
            &polls(900_000, |at| if at > 100_000 { OPEN } else { CLOSED }),
            |_| Flow::Flows,
        );
        // Behind the last measurement nobody knows.
        assert_eq!(turns.iter().filter(|turn| turn.at.0 < 900_000).count(), 1, "{turns:?}");
        assert_eq!(turns[0].place, Place::Closed);
        let comes_and_goes = |at: i64| if at < 500_000 { Flow::Flows } else { Flow::Nothing };
        let turns = walk(
            &[record(100_000, OPEN)],
            &polls(900_000, |at| if at > 100_000 { OPEN } else { CLOSED }),
            comes_and_goes,
        );
        let expected = [
            (0, Place::Closed, None),
            (490_900, Place::Unknown, None),
            // A day after it flowed last it is believed again.
            (490_900 + DISBELIEF_MS, Place::Open, None),
        ];
        assert_eq!(told(&turns), expected);
    }

    #[test]
    fn what_came_first_tells_of_the_time_before() {
        let start =
            |records: &[Record], polls: &[(Timestamp, u16)]| walk(records, polls, nothing)[0].place;
        assert_eq!(start(&[], &[]), Place::Unknown, "nothing tells of it");
        assert_eq!(start(&[record(5, CLOSED)], &[]), Place::Open);
        assert_eq!(start(&[], &polls(20_000, |_| OPEN)), Place::Open);
    }
}
