//! One feeder over time: when it was supplied, when it was dead, and the interruptions that follow.

use std::collections::{BTreeMap, BTreeSet};

use signal::clock::{DAY_MS, Timestamp};

use super::evidence::Dark;
use super::scheme::{Place, Scheme, Supply};
use super::track::{DISBELIEF_MS, Flow, LAG_MS, Sample, Turn};
use crate::history::window::{merged, without};
use crate::history::{Span, What};

/// An interruption longer than this counts for SAIDI and SAIFI, a shorter one for MAIFI (Vietnamese
/// rules: five minutes).
pub const SUSTAINED_MS: i64 = 5 * 60_000;

/// A feeder, by names that outlast a contract.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeederName {
    /// Station id.
    pub station: String,
    /// Name of its bay.
    pub bay: String,
    /// Voltage level, kV.
    pub level: u16,
}

impl std::fmt::Display for FeederName {
    /// As the ids of its points begin: `HB04.22.473`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.station, self.level, self.bay)
    }
}

/// A breaker was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) at: Timestamp,
    /// Up to when it was known to be open; [`FURTHER`]: of what was looked at nothing tells how it stood before, so that it may
    /// have been.
    pub(super) open_until: Timestamp,
}

/// Before all that was looked at.
pub(super) const FURTHER: Timestamp = Timestamp(i64::MIN);

/// A stretch in which a feeder had the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) span: Span,
    pub(super) supply: Supply,
    /// When breakers that it depends on were closed, at its beginning or in it, in order.
    pub(super) closes: Vec<Closing>,
    /// A record tells of its beginning.
    pub(super) is_told: bool,
    /// What was assumed of its beginning.
    pub(super) assumed: BTreeSet<What>,
}

/// A feeder over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeder {
    /// Which.
    pub name: FeederName,
    /// Meters that sell energy behind it, contract by contract: each while it held.
    pub customers: Vec<(Span, u64)>,
    /// When it was without supply, in the order of their beginning.
    pub interruptions: Vec<FeederInterruption>,
    /// Stretches in which it is not known whether it was supplied, of the time of its contracts.
    pub unknown: Vec<Span>,
    /// Stretches in which an interruption between two polls may have gone unseen: the unknown ones, and
    /// those in which records were lost.
    pub unrecorded: Vec<Span>,
    /// What was assumed or is not known over stretches of its time, whether or not anything was interrupted in them; of
    /// each kind in the order of time.
    pub doubts: Vec<(What, Span)>,
}

impl Feeder {
    /// The same, without what is told from before a moment. An interruption that had begun then is none that
    /// began in what is kept, and has what of it lies there.
    pub(super) fn kept_from(mut self, kept: Timestamp) -> Self {
        for own in &mut self.interruptions {
            own.counts &= own.from >= kept;
            for dead in &mut own.dead {
                *dead = Span::new(dead.from.max(kept), dead.to);
            }
            own.dead.retain(|dead| dead.length() > 0);
        }
        self.interruptions.retain(|own| own.from >= kept || !own.dead.is_empty());
        let eras = self.customers.iter().map(|(era, _)| *era);
        let gone: Vec<Span> = eras.map(|era| Span::new(era.from, era.to.min(kept))).collect();
        for spans in [&mut self.unknown, &mut self.unrecorded] {
            *spans = merged(spans.drain(..).chain(gone.iter().copied()));
        }
        for (_, span) in &mut self.doubts {
            *span = Span::new(span.from.max(kept), span.to);
        }
        self.doubts.retain(|(_, span)| span.length() > 0);
        self
    }
}

/// How an interruption counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InterruptionKind {
    /// Longer than [`SUSTAINED_MS`].
    Sustained,
    /// Over sooner.
    Momentary,
    /// Not known to be either: it lasts and is short so far, or nobody saw when it ended.
    Undecided,
}

/// A feeder without supply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeederInterruption {
    /// When it began, or was first seen.
    pub from: Timestamp,
    /// When it was over, or first seen to be; `None`: it lasts, as far as is known.
    pub until: Option<Timestamp>,
    /// Stretches in which it is known to have been without supply.
    pub dead: Vec<Span>,
    /// How it counts, by its whole length.
    pub kind: InterruptionKind,
    /// Its beginning lies in the time that is kept, so that a window has it.
    pub counts: bool,
    /// Meters that sell energy behind it when it began.
    pub customers: u64,
    /// What was assumed.
    pub assumed: BTreeSet<What>,
}

impl FeederInterruption {
    /// Milliseconds without supply that are known, within a window.
    pub fn ms_in(&self, window: Span) -> i64 {
        self.dead.iter().map(|span| span.and(window).length()).sum()
    }

    /// Whether it touches a window.
    pub fn is_in(&self, window: Span) -> bool {
        self.ms_in(window) > 0 || self.begins_in(window)
    }

    /// Whether it began in a window.
    pub fn begins_in(&self, window: Span) -> bool {
        window.from <= self.from && self.from < window.to
    }
}

/// Where a breaker stood, with what nobody could see left out. `usable` are the stretches in which its
/// position could be used; outside them it is known only to have been open from a record that told so up to one of its
/// closing, but for those in which its unit did not answer for it: what happened then it need not have recorded. A turn
/// to nobody knows where is told by a record when that says that it closed then.
pub(super) fn seen(turns: &[Turn], (usable, mute): (&[Span], &[Span]), era: Span) -> Vec<Turn> {
    let mut seen = Vec::new();
    for (n, turn) in turns.iter().enumerate() {
        let next = turns.get(n + 1);
        let span = Span::new(turn.at, next.map_or(era.to, |next| next.at)).and(era);
        if span.length() == 0 {
            continue;
        }
        let is_proven =
            turn.place == Place::Open && turn.is_told && next.is_some_and(|next| next.is_exact);
        let mut from = span.from;
        let mut push = |at, place, assumed| {
            let closed = turn.place == Place::Closed && at == turn.at;
            let is_told = turn.is_told && at == turn.at && (place != Place::Unknown || closed);
            seen.push(Turn { at, place, assumed, is_told, ..*turn });
        };
        let proven = if is_proven { without(std::iter::once(span), mute) } else { Vec::new() };
        let known = if is_proven { &proven[..] } else { usable };
        for own in known.iter().map(|own| own.and(span)).filter(|own| own.length() > 0) {
            if own.from > from {
                push(from, Place::Unknown, None);
            }
            push(own.from, turn.place, turn.assumed);
            from = own.to;
        }
        if from < span.to {
            push(from, Place::Unknown, None);
        }
    }
    seen
}

/// What a feeder had, from where the breakers stood that it depends on.
pub(super) fn stretches(
    scheme: &Scheme<'_>,
    feeder: usize,
    breakers: &[(usize, &[Turn])],
    era: Span,
) -> Vec<Stretch> {
    let mut turns: Vec<(Timestamp, usize, &Turn)> = breakers
        .iter()
        .flat_map(|(bay, turns)| turns.iter().map(move |turn| (turn.at, *bay, turn)))
        .collect();
    turns.sort_by_key(|(at, bay, _)| (*at, *bay));
    let mut places: Vec<(usize, Place)> =
        breakers.iter().map(|(bay, _)| (*bay, Place::Unknown)).collect();
    // Those that were open when it was last known how they stood, and up to when.
    let mut opened: BTreeMap<usize, Timestamp> = BTreeMap::new();
    // Those of which it was ever known.
    let mut known: BTreeSet<usize> = BTreeSet::new();
    let mut all: Vec<Stretch> = Vec::new();
    let mut rest = &turns[..];
    while let Some((at, ..)) = rest.first() {
        let count = rest.partition_point(|(other, ..)| other == at);
        let (now, later) = rest.split_at(count);
        rest = later;
        let (mut assumed, mut closes) = (BTreeSet::new(), Vec::new());
        let is_told = now.iter().any(|(.., turn)| turn.is_told && turn.place == Place::Open);
        for (_, bay, turn) in now {
            if let Some(place) = places.iter_mut().find(|(own, _)| own == bay) {
                let closed =
                    turn.place == Place::Closed || turn.place == Place::Unknown && turn.is_told;
                if place.1 == Place::Open || turn.place == Place::Open {
                    opened.insert(*bay, *at);
                }
                if closed {
                    let further = (!known.contains(bay)).then_some(FURTHER);
                    let open_until = opened.remove(bay).or(further);
                    closes.extend(open_until.map(|open_until| Closing { at: *at, open_until }));
                }
                place.1 = turn.place;
                if turn.place != Place::Unknown {
                    known.insert(*bay);
                }
            }
            assumed.extend(turn.assumed);
        }
        let place = |bay: usize| {
            places.iter().find(|(own, _)| *own == bay).map_or(Place::Closed, |(_, place)| *place)
        };
        let supply = scheme.supply(feeder, place);
        let to = rest.first().map_or(era.to, |(at, ..)| *at);
        push(&mut all, Stretch { span: Span::new(*at, to), supply, closes, is_told, assumed });
    }
    all
}

/// Adds what came behind.
pub(super) fn push(all: &mut Vec<Stretch>, new: Stretch) {
    if new.span.length() == 0 {
        return;
    }
    match all.last_mut() {
        Some(last) if last.supply == new.supply && last.span.to == new.span.from => {
            last.span.to = new.span.to;
            last.closes.extend(new.closes);
        }
        _ => all.push(new),
    }
}

/// A stretch without supply beside a dispute is borne out by what was measured no further away than this, milliseconds.
const BESIDE_MS: i64 = DISBELIEF_MS / 2;

/// What lies so near a stretch.
fn reached(own: Span) -> Span {
    Span::new(own.from.plus(-BESIDE_MS), own.to.plus(BESIDE_MS))
}

/// Where more than nothing is measured although the feeder is said to be without supply, nobody can say which is wrong.
/// Within [`BESIDE_MS`] of what is `disputed`, in order, it is without supply only so far from a moment at which nothing was
/// measured. `flow` tells what was measured in a span, each `period_ms`.
///
/// # Errors
/// What `flow` says.
pub(super) fn borne_out<E>(
    stretches: Vec<Stretch>,
    disputed: &[Span],
    period_ms: i64,
    mut flow: impl FnMut(Span) -> Result<Vec<Sample>, E>,
) -> Result<Vec<Stretch>, E> {
    let near = 2 * period_ms + LAG_MS;
    let mut all = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        if stretch.supply != Supply::Dead {
            push(&mut all, stretch);
            continue;
        }
        let span = stretch.span;
        // Closer to its edges what is measured may be of the time before or behind it.
        let inner = Span::new(span.from.plus(LAG_MS), span.to.plus(-LAG_MS));
        let samples = if inner.length() > 0 { flow(inner)? } else { Vec::new() };
        let is_nothing = |sample: &Sample| sample.flow == Flow::Nothing;
        let next = disputed.partition_point(|own| own.to.plus(near) <= span.from);
        let beside = disputed[next..].iter().take_while(|own| own.from.plus(-near) < span.to);
        let doubted = merged(beside.map(|own| reached(*own).and(span)));
        let nothing = samples.iter().filter(|own| is_nothing(own));
        let nothing = merged(nothing.map(|own| reached(Span::new(own.at, own.at.plus(1)))));
        let mut unknown = without(doubted.into_iter(), &nothing);
        let (mut before, longest) = (span.from, 3 * period_ms);
        for (n, sample) in samples.iter().enumerate() {
            if is_nothing(sample) {
                before = sample.at;
            } else {
                let (from, to) = (sample.at.plus(-longest), sample.at.plus(longest));
                let mut soon = samples[n..].iter().take_while(|own| own.at < to);
                let behind = soon.find(|own| is_nothing(own)).map_or(span.to, |own| own.at);
                unknown.push(Span::new(before.max(from), behind.min(to)));
            }
        }
        let unknown = merged(unknown);
        let dead = without(std::iter::once(span), &unknown).into_iter();
        let dead = dead.map(|own| (own, Supply::Dead));
        let unknown = unknown.into_iter().map(|own| (own, Supply::Unknown));
        let mut parts: Vec<(Span, Supply)> = dead.chain(unknown).collect();
        parts.sort_by_key(|(own, _)| own.from);
        let mut assumed = stretch.assumed;
        for (span, supply) in parts {
            let assumed = std::mem::take(&mut assumed);
            let closes =
                stretch.closes.iter().filter(|own| span.from <= own.at && own.at < span.to);
            let closes = closes.copied().collect();
            let is_told = stretch.is_told && span.from == stretch.span.from;
            push(&mut all, Stretch { span, supply, closes, is_told, assumed });
        }
    }
    Ok(all)
}

/// Where nothing flowed although the feeder is said to be supplied, nobody can say: what shows no current
/// may have lost its supply above the station, or its breaker may not tell. Just behind a stretch without
/// supply the measurement, taken each `period_ms`, may be old; between two of them with nothing at any measurement it
/// need not have been supplied at all, and one before which nothing flowed may have begun earlier than is told. Returns what
/// the feeder had, and where that is in doubt.
pub(super) fn doubt_without_current(
    stretches: Vec<Stretch>,
    dark: &[Dark],
    period_ms: i64,
) -> (Vec<Stretch>, Vec<Span>) {
    let lag_ms = 3 * period_ms;
    // What is longer was measured at least once, not just behind its beginning.
    let measured_ms = LAG_MS + period_ms;
    let (mut all, mut doubts) = (Vec::with_capacity(stretches.len()), Vec::new());
    // Up to when it is not said to be without supply.
    let mut until: Vec<Timestamp> = Vec::with_capacity(stretches.len());
    for stretch in stretches.iter().rev() {
        let next = until.last().copied().unwrap_or(Timestamp(i64::MAX));
        until.push(if stretch.supply == Supply::Dead { stretch.span.from } else { next });
    }
    let (mut dead_until, mut doubted_until) = (Timestamp(i64::MIN), Timestamp(i64::MIN));
    for (mut stretch, until) in stretches.into_iter().zip(until.into_iter().rev()) {
        if stretch.supply != Supply::Supplied {
            if stretch.supply == Supply::Dead {
                dead_until = stretch.span.to;
                stretch.is_told &= doubted_until < stretch.span.from;
            }
            push(&mut all, stretch);
            continue;
        }
        let mut from = stretch.span.from;
        let mut assumed = stretch.assumed;
        let certain = Span::new(dead_until.plus(lag_ms), stretch.span.to);
        for Dark { span, reach } in dark {
            let own = span.and(stretch.span);
            let is_measured = own.length() > measured_ms;
            let is_behind = is_measured && dead_until == own.from && own == stretch.span;
            let is_before = is_measured && own.to == until;
            let is_long = span.and(Span::new(dead_until.plus(lag_ms), until)).length() > lag_ms;
            let doubted = own.and(certain);
            if !is_behind && (doubted.length() == 0 || !is_long && !is_before) {
                continue;
            }
            // Where nothing flowed since it was without supply, that need not have been over.
            let lasts = dead_until == stretch.span.from && span.from <= stretch.span.from;
            let doubted = if lasts { own } else { doubted };
            // Nor does anybody know of what was not measured next to it.
            let reach = reach.and(stretch.span);
            let begins = if doubted.from == span.from { reach.from } else { doubted.from };
            let ends = if doubted.to == span.to { reach.to } else { doubted.to };
            let doubted = Span::new(begins.max(from), ends);
            let mut part = |span, supply, assumed| {
                let closes = Vec::new();
                push(&mut all, Stretch { span, supply, closes, is_told: false, assumed });
            };
            part(Span::new(from, doubted.from), Supply::Supplied, std::mem::take(&mut assumed));
            part(doubted, Supply::Unknown, BTreeSet::new());
            from = from.max(doubted.to);
            doubted_until = from;
            doubts.push(doubted);
        }
        let (span, closes) = (Span::new(from, stretch.span.to), Vec::new());
        let is_told = stretch.is_told && span.from == stretch.span.from;
        push(&mut all, Stretch { span, supply: Supply::Supplied, closes, is_told, assumed });
    }
    (all, doubts)
}

/// Those of some spans, in order, in which a feeder was supplied, and for so long before and behind: near an
/// interruption what is measured may be of it.
pub(super) fn while_supplied(stretches: &[Stretch], spans: Vec<Span>, lag_ms: i64) -> Vec<Span> {
    let is_supplied = |own: &Span| {
        let near = Span::new(own.from.plus(-lag_ms), own.to.plus(lag_ms));
        let first = stretches.partition_point(|stretch| stretch.span.to <= near.from);
        let mut of_near = stretches[first..].iter().take_while(|own| own.span.from < near.to);
        of_near.all(|stretch| stretch.supply == Supply::Supplied)
    };
    spans.into_iter().filter(is_supplied).collect()
}

/// After so long of which nothing is known, milliseconds, nothing that was known before says anything of what comes: less than
/// is kept of the time before what is forgotten.
const UNSEEN_MS: i64 = 5 * DAY_MS;

/// The interruptions that follow from stretches, which may have gaps between them: nobody knows of those. What polls alone
/// tell from one moment to another is known to `poll_ms`, milliseconds.
pub(super) fn interruptions(
    stretches: &[Stretch],
    poll_ms: impl Fn(Timestamp, Timestamp) -> i64,
    customers: impl Fn(Timestamp) -> u64,
) -> Vec<FeederInterruption> {
    let over = |own: FeederInterruption, assumed: Vec<What>, earliest: Timestamp| {
        over(own, assumed, (earliest, &poll_ms))
    };
    let mut all: Vec<FeederInterruption> = Vec::new();
    let mut open: Option<FeederInterruption> = None;
    // When the one that is open may have begun.
    let mut earliest = Timestamp(i64::MIN);
    let mut last_known = Timestamp(i64::MIN);
    // It was supplied when it was last known.
    let mut was_supplied = false;
    let mut is_known = false;
    let mut until = Timestamp(i64::MIN);
    for stretch in stretches {
        is_known &= stretch.span.from == until;
        until = stretch.span.to;
        let unseen = stretch.span.from.0.saturating_sub(last_known.0);
        if stretch.supply != Supply::Unknown && unseen > UNSEEN_MS {
            all.extend(open.take().map(|own| over(own, vec![What::EndUnseen], earliest)));
            was_supplied = false;
        }
        match stretch.supply {
            Supply::Unknown => {
                is_known = false;
                // What made it dead is over, and nobody knows whether anything else does: what comes later is
                // another interruption.
                if !stretch.closes.is_empty()
                    && let Some(own) = open.take()
                {
                    all.push(over(own, vec![What::EndUnseen], earliest));
                    was_supplied = true;
                }
            }
            Supply::Dead => {
                let own = open.get_or_insert_with(|| {
                    let mut assumed = stretch.assumed.clone();
                    assumed.extend((!is_known).then_some(What::BeginUnseen));
                    // A record tells when it began, whoever could see that.
                    let is_known = is_known || stretch.is_told;
                    earliest = if is_known { stretch.span.from } else { last_known };
                    FeederInterruption {
                        from: stretch.span.from,
                        until: None,
                        dead: Vec::new(),
                        kind: InterruptionKind::Undecided,
                        counts: was_supplied,
                        customers: customers(stretch.span.from),
                        assumed,
                    }
                });
                if !own.dead.is_empty() && !is_known {
                    own.assumed.insert(What::UnseenBetween);
                }
                match own.dead.last_mut() {
                    Some(last) if last.to == stretch.span.from => last.to = stretch.span.to,
                    _ => own.dead.push(stretch.span),
                }
                (is_known, was_supplied, last_known) = (true, false, stretch.span.to);
            }
            Supply::Supplied => {
                if let Some(mut own) = open.take() {
                    own.until = Some(stretch.span.from);
                    let unseen = (!is_known).then_some(What::EndUnseen);
                    let assumed = stretch.assumed.iter().copied().chain(unseen);
                    all.push(over(own, assumed.collect(), earliest));
                }
                (is_known, was_supplied, last_known) = (true, true, stretch.span.to);
            }
        }
    }
    all.extend(open.map(|own| over(own, vec![What::Open], earliest)));
    all
}

/// An interruption of which nothing more is known, with what is assumed of its end. It began at `earliest` or later; what polls
/// alone tell is known to `poll_ms`.
fn over(
    mut own: FeederInterruption,
    assumed: Vec<What>,
    (earliest, poll_ms): (Timestamp, impl Fn(Timestamp, Timestamp) -> i64),
) -> FeederInterruption {
    own.assumed.extend(assumed);
    let is_polled = own.assumed.contains(&What::NoRecord);
    let ends = own.until.or(own.dead.last().map(|last| last.to)).unwrap_or(own.from);
    own.kind = kind(&own, earliest, if is_polled { poll_ms(own.from, ends) } else { 0 });
    own
}

/// By its whole length, as far as that is known: to so many milliseconds. It began at `earliest` or later.
fn kind(own: &FeederInterruption, earliest: Timestamp, unsure_ms: i64) -> InterruptionKind {
    let last = own.dead.last().map_or(own.from, |span| span.to);
    let at_least = last.since(own.from) - unsure_ms;
    if at_least > SUSTAINED_MS {
        return InterruptionKind::Sustained;
    }
    match own.until {
        Some(until) if until.since(earliest) + unsure_ms <= SUSTAINED_MS => {
            InterruptionKind::Momentary
        }
        _ => InterruptionKind::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: i64, to: i64, supply: Supply) -> Stretch {
        let span = Span::new(Timestamp(from), Timestamp(to));
        Stretch { span, supply, closes: Vec::new(), is_told: false, assumed: BTreeSet::new() }
    }

    fn closed_at(all: &[i64]) -> Vec<Closing> {
        let closing = |at: &i64| Closing { at: Timestamp(*at), open_until: Timestamp(*at) };
        all.iter().map(closing).collect()
    }

    /// Nothing flowed, and was measured all along.
    fn dark(from: i64, to: i64) -> Dark {
        Dark::new(Span::new(Timestamp(from), Timestamp(to)), &[], 0)
    }

    const MINUTE: i64 = 60_000;

    #[test]
    fn what_polls_alone_tell_is_of_no_kind_within_a_scan_of_five_minutes() {
        use Supply::{Dead, Supplied};
        for (seconds, polled, expected) in [
            (295, true, InterruptionKind::Undecided),
            (305, true, InterruptionKind::Undecided),
            (285, true, InterruptionKind::Momentary),
            (315, true, InterruptionKind::Sustained),
            (300, false, InterruptionKind::Momentary),
            (301, false, InterruptionKind::Sustained),
        ] {
            let ends = 600_000 + seconds * 1_000;
            let assumed = polled.then_some(What::NoRecord).into_iter().collect();
            let dead = Stretch { assumed, ..stretch(600_000, ends, Dead) };
            let all = [stretch(0, 600_000, Supplied), dead, stretch(ends, 2_000_000, Supplied)];
            assert_eq!(
                interruptions(&all, |_, _| 10_000, |_| 1)[0].kind,
                expected,
                "{seconds} {polled}"
            );
        }
    }

    #[test]
    fn an_outage_before_which_nothing_flowed_may_have_begun_earlier() {
        use Supply::{Dead, Supplied, Unknown};
        // Since when nothing flowed, seconds, and whether its beginning is known.
        for (dark_from, is_known) in [(595, true), (588, true), (580, false), (500, false)] {
            let dead = Stretch { is_told: true, ..stretch(600_000, 890_000, Dead) };
            let all =
                vec![stretch(0, 600_000, Supplied), dead, stretch(890_000, 2_000_000, Supplied)];
            let (found, _) =
                doubt_without_current(all, &[dark(dark_from * 1_000, 895_000)], 10_000);
            assert_eq!(found[1].supply == Unknown, !is_known, "{dark_from}");
            let kind = interruptions(&found, |_, _| 0, |_| 1)[0].kind;
            // Longer than five minutes from when something flowed last.
            let is_decided = dark_from >= 588;
            let expected =
                if is_decided { InterruptionKind::Momentary } else { InterruptionKind::Undecided };
            assert_eq!(kind, expected, "{dark_from}");
        }
    }

    #[test]
    fn what_was_not_measured_next_to_a_stretch_without_current_is_in_doubt_with_it() {
        let dark = Dark::new(
            Span::new(Timestamp(3_600_000), Timestamp(4_000_000)),
            &[Span::new(Timestamp(900_000), Timestamp(3_600_000))],
            30_000,
        );
        let all = vec![stretch(0, 9_000_000, Supply::Supplied)];
        let (found, doubts) = doubt_without_current(all, &[dark], 10_000);
        assert_eq!(doubts, [Span::new(Timestamp(900_000), Timestamp(4_000_000))]);
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn one_whose_beginning_nobody_saw_may_have_been_longer_than_what_was_seen_of_it() {
        use Supply::{Dead, Supplied};
        for (unseen, is_told, expected) in [
            (MINUTE, false, InterruptionKind::Momentary),
            (3 * MINUTE, false, InterruptionKind::Undecided),
            (3 * MINUTE, true, InterruptionKind::Momentary),
        ] {
            let begins = 10 * MINUTE + unseen;
            let dead = Stretch { is_told, ..stretch(begins, begins + 3 * MINUTE, Dead) };
            let behind = stretch(begins + 3 * MINUTE, 30 * MINUTE, Supplied);
            let found =
                interruptions(&[stretch(0, 10 * MINUTE, Supplied), dead, behind], |_, _| 0, |_| 7);
            assert_eq!(found[0].kind, expected, "{unseen} {is_told}");
            assert!(found[0].assumed.contains(&What::BeginUnseen));
        }
    }

    #[test]
    fn an_interruption_counts_by_its_whole_length() {
        use Supply::{Dead, Supplied};
        let all = [
            stretch(0, 10 * MINUTE, Supplied),
            stretch(10 * MINUTE, 16 * MINUTE, Dead),
            stretch(16 * MINUTE, 20 * MINUTE, Supplied),
            stretch(20 * MINUTE, 25 * MINUTE, Dead),
            stretch(25 * MINUTE, 30 * MINUTE, Supplied),
            stretch(30 * MINUTE, 31 * MINUTE, Dead),
        ];
        let found = interruptions(&all, |_, _| 0, |_| 7);
        let kinds: Vec<InterruptionKind> = found.iter().map(|own| own.kind).collect();
        assert_eq!(
            kinds,
            [InterruptionKind::Sustained, InterruptionKind::Momentary, InterruptionKind::Undecided]
        );
        assert!(found.iter().all(|own| own.counts && own.customers == 7));
        assert_eq!(found[2].until, None);
        assert!(found[2].assumed.contains(&What::Open));
        let window = Span::new(Timestamp(0), Timestamp(12 * MINUTE));
        assert_eq!(found[0].ms_in(window), 2 * MINUTE, "six minutes, two of them within");
        assert!(found[0].begins_in(window) && !found[1].is_in(window));
    }

    #[test]
    fn what_nobody_saw_is_neither_dead_nor_supplied() {
        use Supply::{Dead, Supplied, Unknown};
        let all = [
            stretch(0, MINUTE, Dead),
            stretch(MINUTE, 9 * MINUTE, Unknown),
            stretch(9 * MINUTE, 10 * MINUTE, Dead),
            stretch(10 * MINUTE, 12 * MINUTE, Unknown),
            stretch(12 * MINUTE, 13 * MINUTE, Supplied),
            stretch(13 * MINUTE, 14 * MINUTE, Unknown),
            stretch(14 * MINUTE, 15 * MINUTE, Dead),
        ];
        let found = interruptions(&all, |_, _| 0, |_| 1);
        assert_eq!(found.len(), 2);
        let window = Span::new(Timestamp(0), Timestamp(99 * MINUTE));
        assert_eq!(found[0].ms_in(window), 2 * MINUTE);
        assert_eq!(
            found[0].kind,
            InterruptionKind::Sustained,
            "from its first to its last dead moment"
        );
        let told = [What::UnseenBetween, What::BeginUnseen, What::EndUnseen];
        assert!(told.iter().all(|one| found[0].assumed.contains(one)), "{:?}", found[0].assumed);
        assert!(!found[0].counts, "it began before anything was known");
        assert!(found[1].counts, "it began after it was last seen supplied");
    }

    #[test]
    fn what_follows_a_closing_that_nobody_can_judge_is_another_interruption() {
        use Supply::{Dead, Supplied, Unknown};
        let closed =
            |from, to| Stretch { closes: closed_at(&[from]), ..stretch(from, to, Unknown) };
        let all = [
            stretch(0, MINUTE, Unknown),
            stretch(MINUTE, MINUTE + 1_000, Dead),
            closed(MINUTE + 1_000, 90 * MINUTE),
            stretch(90 * MINUTE, 90 * MINUTE + 1_000, Dead),
            closed(90 * MINUTE + 1_000, 95 * MINUTE),
            stretch(95 * MINUTE, 99 * MINUTE, Supplied),
            stretch(99 * MINUTE, 109 * MINUTE, Dead),
            closed(109 * MINUTE, 110 * MINUTE),
        ];
        let found = interruptions(&all, |_, _| 0, |_| 1);
        let told: Vec<_> = found.iter().map(|own| (own.kind, own.until, own.counts)).collect();
        let expected = [
            (InterruptionKind::Undecided, None, false),
            (InterruptionKind::Undecided, None, true),
            (InterruptionKind::Sustained, None, true),
        ];
        assert_eq!(told, expected, "each by itself");
        let window = Span::new(Timestamp(0), Timestamp(200 * MINUTE));
        assert_eq!(found.iter().map(|own| own.ms_in(window)).sum::<i64>(), 10 * MINUTE + 2_000);
        assert!(found.iter().all(|own| own.assumed.contains(&What::EndUnseen)));
        assert!(!found.iter().any(|own| own.assumed.contains(&What::Open)));
    }

    #[test]
    fn a_closing_within_a_stretch_without_supply_is_one_of_the_part_in_which_it_is_doubted() {
        use Supply::{Dead, Unknown};
        let minutes = |all: &[i64]| -> Vec<Closing> {
            closed_at(&all.iter().map(|own| own * MINUTE).collect::<Vec<_>>())
        };
        let flows = |at: i64| if at / MINUTE == 20 { Flow::Flows } else { Flow::Nothing };
        let samples = |span: Span| {
            let times = (span.from.0..span.to.0).step_by(10_000);
            let sample = |at: i64| {
                let at = Timestamp(at);
                Sample { at, flow: flows(at.0), stands: Span::new(at, at) }
            };
            Ok::<_, ()>(times.map(sample).collect())
        };
        // Whatever was closed before, which need not be looked at.
        for before in [&[][..], &[2], &[2, 5]] {
            let closes = minutes(&[before, &[20, 30]].concat());
            let dead = Stretch { closes, ..stretch(0, 40 * MINUTE, Dead) };
            let found = borne_out(vec![dead], &[], 10_000, samples).unwrap();
            let told: Vec<_> = found.into_iter().map(|own| (own.supply, own.closes)).collect();
            let of_parts = [minutes(before), minutes(&[20]), minutes(&[30])];
            let expected: Vec<_> = [Dead, Unknown, Dead].into_iter().zip(of_parts).collect();
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_feeder_without_current_is_not_known_to_be_supplied() {
        use Supply::{Dead, Supplied, Unknown};
        let all = vec![
            stretch(0, 10 * MINUTE, Supplied),
            stretch(10 * MINUTE, 11 * MINUTE, Dead),
            stretch(11 * MINUTE, 60 * MINUTE, Supplied),
        ];
        // A measurement that lags behind the closing says nothing, one that goes on does.
        let lag = [dark(10 * MINUTE, 11 * MINUTE + 10_000)];
        assert_eq!(doubt_without_current(all.clone(), &lag, 10_000), (all.clone(), Vec::new()));
        let doubted = [dark(30 * MINUTE, 40 * MINUTE)];
        let (found, doubts) = doubt_without_current(all, &doubted, 10_000);
        let supplies: Vec<Supply> = found.iter().map(|own| own.supply).collect();
        assert_eq!(supplies, [Supplied, Dead, Supplied, Unknown, Supplied]);
        assert_eq!(doubts, [doubted[0].span], "it is named");
    }

    #[test]
    fn what_is_without_current_may_be_known_in_parts_alone() {
        use Supply::{Dead, Supplied, Unknown};
        let span = |from: i64, to: i64| Span::new(Timestamp(from * 1_000), Timestamp(to * 1_000));
        let without = |all: [Supply; 4], until: i64| {
            let edges = [0, 600, 620, 640, 660];
            let all = all.into_iter().zip(edges.windows(2));
            let all = all.map(|(supply, ends)| stretch(ends[0] * 1_000, ends[1] * 1_000, supply));
            doubt_without_current(all.collect(), &[dark(595_000, until * 1_000)], 10_000).1
        };
        let parts = [span(595, 600), span(620, 640), span(640, 655)];
        assert_eq!(without([Supplied, Unknown, Supplied, Supplied], 655), parts);
        // Just before and behind an outage it is of that.
        assert_eq!(without([Supplied, Dead, Supplied, Supplied], 635), []);
        assert_eq!(without([Supplied, Unknown, Dead, Supplied], 655), []);
    }

    #[test]
    fn between_two_stretches_without_supply_something_must_flow() {
        use Supply::{Dead, Supplied, Unknown};
        // How long it was supplied in between, and up to when nothing flowed, seconds.
        for (long, nothing, expected) in [
            (120, 3_000, Unknown),
            (25, 3_000, Unknown),
            // It need not have been measured.
            (12, 3_000, Supplied),
            (120, 630, Supplied),
        ] {
            let edges = [0, 600, 600 + long, 1_800];
            let all: Vec<Stretch> = [Dead, Supplied, Dead]
                .into_iter()
                .zip(edges.windows(2))
                .map(|(supply, ends)| stretch(ends[0] * 1_000, ends[1] * 1_000, supply))
                .collect();
            let (found, _) = doubt_without_current(all, &[dark(-10_000, nothing * 1_000)], 10_000);
            assert_eq!(found[1].supply, expected, "{long} {nothing}");
        }
    }
}
