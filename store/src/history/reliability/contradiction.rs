//! Where centres contradict each other about a breaker, and what decides between them.
//!
//! Each centre polls the position over a path of its own, and one of them may have a value that is wrong or stuck. What
//! a centre has of it, polls and records alike, comes from one contact and is no second witness of itself. So where two
//! say opposite things nobody can say how the breaker stood, unless the current decides: while it flows the breaker is
//! closed; where it ceased as one of them said that the breaker opened, that one is right as long as nothing flows. A value
//! that stands still decides nothing: it may be frozen.
//!
//! The records of two centres are held against each other, too: where each has every record that there is, and one tells of
//! a change that the other one never had, they say opposite things, whoever was polled meanwhile.
//!
//! Two scans are not of one moment: a difference that is no longer than a scan means nothing. One that has begun lasts
//! until they say the same again: where one of them has no position meanwhile, the other one may be the wrong one.

use signal::clock::Timestamp;

use super::evidence::POLLED_MS;
use super::missing::common;
use super::scheme::Place;
use super::track::{DISBELIEF_MS, Flow, LAG_MS, OFF_MS, Record, Sample, Turn, other, place};
use crate::history::window::{merged, touches, without};
use crate::history::{Span, What};

/// What one centre said of a breaker for a while, by its polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    place: Place,
    /// The last poll that said otherwise, where it was polled up to then; else the first that said so.
    before: Timestamp,
    /// The first poll that said so.
    from: Timestamp,
    /// The last moment at which it surely said so.
    last: Timestamp,
    /// The first poll that said otherwise, or when the position could be used no longer.
    until: Timestamp,
}

impl Said {
    /// While it surely said so.
    fn span(&self) -> Span {
        Span::new(self.from, self.last)
    }
}

/// What a centre said, from its polls; `usable`: when its position could be used. Of a stretch in which polls said the
/// same at least the first and the last are there. `scan_ms`: between two polls; a value is old after `old_ms`.
pub(super) fn said(
    polls: &[(Timestamp, u16)],
    usable: &[Span],
    (scan_ms, old_ms): (i64, i64),
) -> Vec<Said> {
    // Without a poll for longer, none was kept.
    let longest = 2 * POLLED_MS;
    let mut all: Vec<Said> = Vec::new();
    for span in usable {
        // It is found to be usable after the poll that brought it.
        let first = polls.partition_point(|(at, _)| *at < span.from.plus(-2 * scan_ms));
        let own = polls[first..].iter().take_while(|(at, _)| *at < span.to);
        let mut now: Option<Said> = None;
        for (at, place) in own.filter_map(|(at, code)| Some((*at, place(*code)?))) {
            match &mut now {
                Some(now) if now.place == place && at.since(now.last) <= longest => now.last = at,
                _ => {
                    let (before, from) = match now.take() {
                        Some(own) if at.since(own.last) <= longest => {
                            all.push(Said { until: at, ..own });
                            (own.last, at)
                        }
                        Some(own) => {
                            all.push(Said { until: own.last, ..own });
                            (at, at)
                        }
                        None if at.since(span.from) <= longest => {
                            (at.min(span.from), at.min(span.from))
                        }
                        None => (at, at),
                    };
                    now = Some(Said { place, before, from, last: at, until: at });
                }
            }
        }
        if let Some(now) = now {
            let is_held = span.to.since(now.last) <= longest;
            let (last, until) = if is_held {
                (now.last.max(span.to.plus(-old_ms)), span.to)
            } else {
                (now.last, now.last)
            };
            all.push(Said { last, until, ..now });
        }
    }
    all
}

/// What a centre has of a contact.
pub(super) struct Ring<'a> {
    /// Its records, in the order of time.
    pub(super) records: &'a [Record],
    /// When every record of it came as far as their numbers say, in order: the same whatever is looked at.
    pub(super) whole: Vec<Span>,
    /// When there may be others nevertheless, in order, of what is looked at.
    pub(super) doubted: Vec<Span>,
}

/// Stretches in which the records of two centres tell opposite things for longer than clocks may be apart, in order: each of
/// them has all that there are, and yet one has a change that the other one has not. Each reaches no further than
/// [`DISBELIEF_MS`] from that change.
pub(super) fn told_apart(rings: &[Ring<'_>]) -> Vec<Span> {
    let mut all = Vec::new();
    for (n, one) in rings.iter().enumerate() {
        for other in &rings[n + 1..] {
            let doubted = merged(one.doubted.iter().chain(&other.doubted).copied());
            let is_sure = |own: &Span| !touches(&doubted, *own);
            for both in common(&one.whole, &other.whole) {
                let found = told_apart_in(one.records, other.records, both).into_iter();
                let near = |own: Span| Span::new(own.from, own.to.min(own.from.plus(DISBELIEF_MS)));
                all.extend(found.map(near).filter(is_sure));
            }
        }
    }
    merged(all)
}

/// The same in a stretch of which both have everything, from one change to another one. They began alike, as far as the first
/// change that one of them has tells.
fn told_apart_in(one: &[Record], another: &[Record], within: Span) -> Vec<Span> {
    let in_it = |records: &[Record], side: usize| -> Vec<(Timestamp, usize, Place, bool)> {
        let first = records.partition_point(|own| own.at < within.from);
        let own = records[first..].iter().take_while(|own| own.at < within.to);
        own.filter_map(|own| Some((own.at, side, place(own.value)?, own.is_exact))).collect()
    };
    let (one, another) = (in_it(one, 0), in_it(another, 1));
    let before = |own: &[(Timestamp, usize, Place, bool)]| own.first().map(|own| other(own.2));
    let (Some(first), Some(second)) =
        (before(&one).or(before(&another)), before(&another).or(before(&one)))
    else {
        return Vec::new();
    };
    let mut all = [one, another].concat();
    all.sort_by_key(|(at, ..)| *at);
    let mut stands = [first, second];
    let mut from: Option<(Timestamp, bool)> = None;
    let mut found = Vec::new();
    for (at, side, place, is_exact) in all {
        stands[side] = place;
        match from {
            None if stands[0] != stands[1] => from = Some((at, is_exact)),
            Some((since, was_exact)) if stands[0] == stands[1] => {
                found.push((Span::new(since, at), was_exact && is_exact));
                from = None;
            }
            _ => {}
        }
    }
    let is_apart = |(span, is_exact): &(Span, bool)| *is_exact && span.length() > OFF_MS;
    found.into_iter().filter(is_apart).map(|(span, _)| span).collect()
}

/// When centres contradicted each other within a span, in order: by polls, and by records, where these are `told` apart.
/// `scan_ms`: between two polls of a centre. While a contact chatters polls of different moments say nothing of each
/// other.
pub(super) fn contradictions(
    centres: &[Vec<Said>],
    (chatter, told): (&[Span], &[Span]),
    scan_ms: i64,
    within: Span,
) -> Vec<Span> {
    let least = scan_ms + LAG_MS;
    let (mut same, mut opposite) = (Vec::new(), Vec::new());
    for (n, one) in centres.iter().enumerate() {
        for other in &centres[n + 1..] {
            let mut rest = &other[..];
            for own in one {
                rest = &rest[rest.partition_point(|other| other.until <= own.from)..];
                for other in rest.iter().take_while(|other| other.from < own.until) {
                    let both = own.span().and(other.span());
                    if both.length() <= least {
                        continue;
                    }
                    if own.place == other.place {
                        same.push(both);
                    } else {
                        let from = own.before.max(other.before);
                        opposite.push(Span::new(from, own.until.min(other.until)));
                    }
                }
            }
        }
    }
    let near = |own: &Span| Span::new(own.from.plus(-least), own.to.plus(least));
    let mut opposite = without(opposite.into_iter(), &merged(chatter.iter().map(near)));
    opposite.retain(|own| own.length() > least);
    let told = told.iter().map(|own| own.and(within)).filter(|own| own.length() > 0);
    opposite.extend(without(told, &merged(chatter.iter().map(near))));
    if opposite.is_empty() {
        return opposite;
    }
    let mut all = opposite.clone();
    for between in without(std::iter::once(within), &merged(same)) {
        for core in opposite.iter().filter(|core| core.and(between).length() > 0) {
            let reach = Span::new(core.from.plus(-DISBELIEF_MS), core.to.plus(DISBELIEF_MS));
            all.push(reach.and(between));
        }
    }
    // What is told just before may be of that, by a clock that is early.
    let early = |span: Span| Span::new(span.from.plus(-OFF_MS), span.to).and(within);
    merged(all.into_iter().map(early))
}

/// What a centre said, with what its records tell of when that began.
#[derive(Debug, Clone, Copy)]
struct Claim {
    place: Place,
    span: Span,
    /// It changed then: within this.
    changed: Option<Span>,
    /// What was assumed of that.
    assumed: Option<What>,
}

/// Claims of a centre round a span.
fn claims(said: &[Said], records: &[Record], within: Span) -> Vec<Claim> {
    let mut all: Vec<Claim> = Vec::new();
    for own in said {
        let is_change = own.before < own.from;
        let earliest = own.before.plus(-LAG_MS);
        let is_own = |record: &&Record| place(record.value) == Some(own.place);
        let first = records.partition_point(|record| record.at < earliest);
        let next = records[first..].iter().take_while(|record| record.at <= own.from);
        let record = next.filter(is_own).last().filter(|_| is_change);
        let from = record.map_or(own.from, |record| record.at);
        if let Some(last) = all.last_mut().filter(|last| last.span.to > from) {
            last.span = Span::new(last.span.from, from);
        }
        let since = if record.is_some() { from } else { own.before };
        let changed = is_change.then(|| Span::new(since, from));
        let assumed = match record {
            Some(record) => (!record.is_exact).then_some(What::ClockDoubtful),
            None => is_change.then_some(What::NoRecord),
        };
        all.push(Claim { place: own.place, span: Span::new(from, own.until), changed, assumed });
    }
    all.retain(|claim| claim.span.and(within).length() > 0);
    all
}

/// Where a breaker stood while centres contradicted each other, from the beginning of that on, and how it stands
/// behind it: as what was told `last` says, where no centre says anything any more. `samples`: what flowed in that
/// while, and just before.
pub(super) fn decided(
    (span, last): (Span, Place),
    centres: &[Vec<Said>],
    records: &[Record],
    (samples, period_ms): (&[Sample], i64),
    turns: &mut Vec<Turn>,
) {
    let beyond = Span::new(span.from, span.to.plus(1));
    let claims: Vec<Vec<Claim>> = centres.iter().map(|own| claims(own, records, beyond)).collect();
    let with_current = with_current(samples, 3 * period_ms);
    let opened: Vec<(Span, Option<What>)> = claims
        .iter()
        .flatten()
        .filter_map(|claim| {
            let own = opened(claim, samples, period_ms)?;
            Some((not_answered((claim, own), &claims, period_ms)?, claim.assumed))
        })
        .collect();
    let of_claims = claims.iter().flatten().map(|claim| claim.span);
    let of_opened = opened.iter().map(|(own, _)| *own);
    // What ceases just when a breaker is said to open moved: so it flowed up to then.
    let ceases = of_opened.clone().map(|own| Span::new(own.from.plus(-period_ms), own.from));
    let with_current = merged(with_current.into_iter().chain(ceases));
    let edges = of_claims.chain(with_current.iter().copied()).chain(of_opened);
    let edges = edges.flat_map(|own| [own.from, own.to]).chain([span.from]);
    let mut edges: Vec<Timestamp> = edges.filter(|at| span.from <= *at && *at < span.to).collect();
    edges.sort_unstable();
    edges.dedup();
    let told: Vec<(Place, Option<What>)> = edges.iter().map(|at| agreed(&claims, *at, 2)).collect();
    // In between they may say the same for a moment, since their polls are not of one.
    let is_apart = |(place, _): &(Place, _)| *place == Place::Unknown;
    let first = told.iter().position(is_apart).unwrap_or(told.len());
    let end = told.iter().rposition(is_apart).map_or(0, |last| last + 1);
    let has = |own: &Span, at: Timestamp| own.from <= at && at < own.to;
    let mut push = |at, place, assumed, is_told| {
        turns.push(Turn { at, place, assumed, is_exact: false, is_told });
    };
    for (n, at) in edges.into_iter().enumerate() {
        let (place, assumed) = if !(first..end).contains(&n) {
            told[n]
        } else if with_current.iter().any(|own| has(own, at)) {
            (Place::Closed, Some(What::CurrentFlowed))
        } else if let Some((_, assumed)) = opened.iter().find(|(own, _)| has(own, at)) {
            (Place::Open, *assumed)
        } else {
            (Place::Unknown, None)
        };
        let is_closing = place == Place::Unknown && closes(&claims, at, (samples, period_ms));
        push(at, place, assumed, is_closing);
    }
    // They say the same again; or the only one that says anything is believed again.
    let is_said = claims.iter().flatten().any(|own| has(&own.span, span.to));
    let (place, assumed) = if is_said { agreed(&claims, span.to, 1) } else { (last, None) };
    push(span.to, place, assumed, false);
}

/// Whether a centre says from a moment on that the breaker is closed, and something was measured then: an outage is over.
fn closes(claims: &[Vec<Claim>], at: Timestamp, (samples, period_ms): (&[Sample], i64)) -> bool {
    let is_said = |claim: &Claim| {
        claim.place == Place::Closed && claim.changed.is_some() && claim.span.from == at
    };
    let next = samples.partition_point(|sample| sample.at <= at.plus(LAG_MS));
    let mut soon = samples[next..].iter().take_while(|own| own.at <= at.plus(5 * period_ms));
    let is_measured = |sample: &Sample| sample.flow != Flow::Nothing && sample.is_alive();
    claims.iter().flatten().any(is_said) && soon.any(is_measured)
}

/// What centres say at a moment, where so many say anything and all the same; and what was assumed of a change then.
fn agreed(claims: &[Vec<Claim>], at: Timestamp, least: usize) -> (Place, Option<What>) {
    let is_now = |claim: &&Claim| claim.span.from <= at && at < claim.span.to;
    let now: Vec<&Claim> = claims.iter().flatten().filter(is_now).collect();
    let assumed = now.iter().find(|claim| claim.span.from == at).and_then(|claim| claim.assumed);
    let places = now.iter().map(|claim| claim.place);
    let first = places
        .clone()
        .next()
        .filter(|first| now.len() >= least && places.clone().all(|place| place == *first));
    (first.unwrap_or(Place::Unknown), assumed)
}

/// Stretches between two measurements with current, no further apart than `longest_ms`.
fn with_current(samples: &[Sample], longest_ms: i64) -> Vec<Span> {
    let is_near = |pair: &&[Sample]| pair[1].at.since(pair[0].at) <= longest_ms;
    let pairs = samples.windows(2).filter(|pair| pair.iter().all(Sample::flows)).filter(is_near);
    merged(pairs.map(|pair| Span::new(pair[0].at, pair[1].at)))
}

/// While a breaker was open, as a centre says that it opened: current flowed up to then, and from then on nothing did.
fn opened(claim: &Claim, samples: &[Sample], period_ms: i64) -> Option<Span> {
    let changed = claim.changed.filter(|_| claim.place == Place::Open)?;
    let longest = 3 * period_ms;
    // Up to then it may be of before; nothing is only what came since.
    let next = samples.partition_point(|sample| sample.at <= changed.from.plus(LAG_MS));
    let is_since =
        |sample: &Sample| sample.at >= changed.from.plus(-LAG_MS) && sample.flow == Flow::Nothing;
    let next = samples[..next].iter().rposition(|sample| !is_since(sample))? + 1;
    let before = samples[..next].last().filter(|sample| sample.flow == Flow::Flows)?;
    if changed.from.since(before.at) > longest {
        return None;
    }
    // A measurement may be a scan old.
    let is_late = |sample: &&Sample| {
        sample.flow != Flow::Nothing && sample.at < changed.to.plus(2 * period_ms)
    };
    let mut last: Option<Timestamp> = None;
    let mut nothing = samples[next..].iter().skip_while(is_late);
    let ends = nothing.find_map(|sample| {
        let is_near = last.is_none_or(|last| sample.at.since(last) <= longest);
        if sample.flow != Flow::Nothing || !is_near || sample.at >= claim.span.to {
            return Some(sample.at >= claim.span.to && is_near);
        }
        last = Some(sample.at);
        None
    });
    let last = last?;
    let is_to_its_end = ends.unwrap_or(claim.span.to.since(last) <= longest);
    let to = if is_to_its_end { claim.span.to } else { last };
    // Only so long, that what decides is near.
    let to = to.min(claim.span.from.plus(DISBELIEF_MS));
    Some(Span::new(claim.span.from, to))
}

/// What of a stretch in which a breaker was `open` lies before another centre begins to say that it is closed: what ceased
/// before may stand still since, and does not say who is right then.
fn not_answered(
    (claim, open): (&Claim, Span),
    claims: &[Vec<Claim>],
    period_ms: i64,
) -> Option<Span> {
    // Up to then it may be what the other one says of the same change.
    let changed = claim.changed.map_or(claim.span.from, |own| own.to);
    let soon = changed.plus(3 * period_ms + LAG_MS);
    let closed = claims.iter().flatten().filter(|own| own.place == Place::Closed);
    let answers = closed.map(|own| own.span.from).filter(|at| *at > soon).min();
    let own = Span::new(open.from, answers.map_or(open.to, |at| open.to.min(at)));
    (own.length() > 0).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::super::track::{CLOSED, OPEN};
    use super::*;

    const SCAN: i64 = 10_000;
    const OLD: i64 = 3 * SCAN;
    const HOUR: i64 = 3_600_000;

    fn span(from: i64, to: i64) -> Span {
        Span::new(Timestamp(from), Timestamp(to))
    }

    /// What a centre says that polls so many milliseconds behind full scans, and says open within some stretches.
    fn says(usable: &[Span], late: i64, open: &[(i64, i64)]) -> Vec<Said> {
        let is_open = |at: i64| open.iter().any(|(from, to)| *from <= at && at < *to);
        let polls = |own: &Span| {
            let times = (own.from.0 / SCAN..own.to.0 / SCAN).map(|n| n * SCAN + late);
            times.map(|at| (Timestamp(at), if is_open(at) { OPEN } else { CLOSED })).collect()
        };
        let polls: Vec<_> = usable.iter().flat_map(|own| -> Vec<_> { polls(own) }).collect();
        said(&polls, usable, (SCAN, OLD))
    }

    fn found(centres: &[Vec<Said>], within: Span) -> Vec<(i64, i64)> {
        let all = contradictions(centres, (&[], &[]), SCAN, within);
        all.iter().map(|own| (own.from.0, own.to.0)).collect()
    }

    #[test]
    fn a_difference_of_a_scan_means_nothing() {
        let all = [span(0, 2 * HOUR)];
        let none: Vec<(i64, i64)> = Vec::new();
        for late in (0..SCAN).step_by(700) {
            // One opening, seen by both; and one that one of them saw alone, or twice.
            for open in [(100_000, 700_000), (100_000, 101_000), (100_000, 112_000)] {
                for lag in (0..3_000).step_by(500) {
                    let one = says(&all, 0, &[open]);
                    let other = says(&all, late, &[(open.0 + lag, open.1 + lag)]);
                    assert_eq!(found(&[one, other], all[0]), none, "{late} {open:?} {lag}");
                }
            }
        }
    }

    #[test]
    fn a_longer_one_is_from_the_last_poll_that_agreed_to_the_first_that_does_again() {
        let all = [span(0, 10 * HOUR)];
        let early = |at: i64| at - OFF_MS;
        for late in (0..SCAN).step_by(1_300) {
            let one = says(&all, 0, &[]);
            let other = says(&all, late, &[(200_000, 400_000)]);
            let expected = [(early(190_000 + late).max(early(190_000)), 400_000 + late)];
            for centres in [[one.clone(), other.clone()], [other, one]] {
                let found = found(&centres, all[0]);
                assert_eq!(found.len(), 1);
                // A confirmed poll of either may be the last that agreed.
                assert!((found[0].0 - expected[0].0).abs() <= SCAN, "{late} {found:?}");
                assert!((found[0].1 - expected[0].1).abs() <= SCAN, "{late} {found:?}");
                assert!(found[0].0 <= 190_000 + late && found[0].1 >= 400_000, "{found:?}");
            }
        }
    }

    #[test]
    fn it_lasts_while_one_of_them_has_no_position_but_no_longer_than_a_day() {
        let day = DISBELIEF_MS;
        let within = span(0, 6 * day);
        let always = [within];
        // The second one says open from the start, and has no position for a while.
        let gone = |from: i64, to: i64| [span(0, from), span(to, 6 * day)];
        let wrong = |usable: &[Span]| says(usable, 300, &[(0, 2 * day)]);
        let right = says(&always, 0, &[]);
        let of = |usable: &[Span]| found(&[right.clone(), wrong(usable)], within);
        let whole = of(&gone(day, day + HOUR));
        assert_eq!(whole.len(), 1, "an hour in its midst");
        assert!((whole[0].1 - 2 * day).abs() <= SCAN, "{whole:?}");
        let lost = of(&gone(day, 3 * day + HOUR));
        assert_eq!(lost.len(), 1, "it is right when it is back");
        assert!((lost[0].1 - 2 * day).abs() <= OLD, "{lost:?}");
        let back = of(&gone(day, day + HOUR / 2));
        assert_eq!(back.len(), 1);
        // Three centres: what two of them say alike ends it.
        let third = says(&always, 600, &[]);
        let three = found(&[right.clone(), wrong(&gone(day, 3 * day)), third], within);
        assert!(three.iter().all(|own| own.1 <= day + OLD), "{three:?}");
    }

    #[test]
    fn it_is_the_same_whatever_is_looked_at() {
        let day = DISBELIEF_MS;
        let usable = [span(0, 3 * day), span(3 * day + HOUR, 9 * day)];
        let open = [(2 * day, 3 * day), (5 * day, 5 * day + 40_000), (7 * day, 7 * day + HOUR)];
        let whole = span(0, 9 * day);
        let clip = |all: &[Span], within: Span| {
            let own = all.iter().map(|own| span(own.from.0.max(0), own.to.0).and(within));
            own.filter(|own| own.length() > 0).collect::<Vec<_>>()
        };
        let of = |within: Span| {
            let clipped: Vec<Span> =
                usable.iter().map(|own| own.and(within)).filter(|own| own.length() > 0).collect();
            let centres = [says(&clipped, 0, &[]), says(&clipped, 300, &open)];
            contradictions(&centres, (&[], &[]), SCAN, within)
        };
        let all = of(whole);
        assert_eq!(all.len(), 3, "{all:?}");
        for from in (0..7 * day).step_by(7 * 3_600_000) {
            let looked = span(from, from + day);
            let read = span((from - day - HOUR).max(0), from + 2 * day + HOUR);
            assert_eq!(clip(&of(read), looked), clip(&all, looked), "{from}");
        }
    }

    fn samples(to: i64, flow: impl Fn(i64) -> Flow) -> Vec<Sample> {
        let times = (0..to / SCAN).map(|n| n * SCAN + 900);
        let sample = |at: i64| {
            let at = Timestamp(at);
            Sample { at, flow: flow(at.0), stands: Span::new(at, at) }
        };
        times.map(sample).collect()
    }

    /// How long a breaker is told to be open, closed, and neither, in seconds.
    fn lengths(turns: &[Turn], to: i64) -> (i64, i64, i64) {
        let mut all = (0, 0, 0);
        let ends = turns.iter().skip(1).map(|turn| turn.at.0).chain([to]);
        for (turn, end) in turns.iter().zip(ends) {
            let own = match turn.place {
                Place::Open => &mut all.0,
                Place::Closed => &mut all.1,
                Place::Unknown => &mut all.2,
            };
            *own += (end - turn.at.0) / 1_000;
        }
        all
    }

    #[test]
    fn the_current_decides_between_them() {
        let all = [span(0, HOUR)];
        let record = |at: i64, value| Record { at: Timestamp(at), value, is_exact: true };
        let records = [record(605_000, OPEN), record(1_205_000, CLOSED)];
        let real = [(605_000, 1_205_000)];
        let stuck = says(&all, 0, &[]);
        let right = says(&all, 300, &real);
        let decide = |centres: &[Vec<Said>], flow: &dyn Fn(i64) -> Flow| {
            let samples = samples(HOUR, flow);
            let mut turns = Vec::new();
            for own in contradictions(centres, (&[], &[]), SCAN, all[0]) {
                decided((own, Place::Unknown), centres, &records, (&samples, SCAN), &mut turns);
                assert_eq!(turns.last().map(|turn| turn.place), Some(Place::Closed), "agreed");
            }
            let to = turns.last().map_or(0, |turn| turn.at.0);
            lengths(&turns, to)
        };
        let truly =
            |at: i64| if (605_000..1_205_000).contains(&at) { Flow::Nothing } else { Flow::Flows };
        for centres in [[stuck.clone(), right.clone()], [right, stuck]] {
            // It opened and current ceased: one is stuck.
            let (open, _, unknown) = decide(&centres, &truly);
            assert!(open >= 599 && unknown <= 1, "{open} s open, {unknown} s not known");
            // Current goes on: the other one is wrong.
            let (open, closed, unknown) = decide(&centres, &|_| Flow::Flows);
            assert!(open == 0 && closed >= 600 && unknown <= 11, "{closed} {unknown}");
            // It never flowed, or too little to tell: nobody can say.
            for flow in [Flow::Nothing, Flow::Unclear] {
                let (open, closed, unknown) = decide(&centres, &|_| flow);
                assert!(open == 0 && unknown >= 595, "{flow:?}: {open} {closed} {unknown}");
            }
            // It ceased long after: it was lost above.
            let late = |at: i64| if at > 900_000 { Flow::Nothing } else { Flow::Flows };
            let (open, closed, unknown) = decide(&centres, &late);
            assert!(open == 0 && closed >= 280 && unknown >= 300, "{open} {closed} {unknown}");
        }
    }

    #[test]
    fn a_value_that_stands_still_decides_nothing() {
        let all = [span(0, HOUR)];
        let record = |at: i64, value| Record { at: Timestamp(at), value, is_exact: true };
        let records = [record(605_000, OPEN), record(3_005_000, CLOSED)];
        let centres = [says(&all, 0, &[]), says(&all, 300, &[(605_000, 3_005_000)])];
        // What it is; when it moved, seconds; from when on nothing is shown; and how much is told as closed.
        let table: [(&str, &[i64], i64, bool); 4] = [
            ("frozen from before it on", &[300], HOUR, false),
            ("it moves before it and behind it", &[300, 3_200], HOUR, false),
            ("it moves all the time", &[300, 700, 1_500, 2_300, 3_100], HOUR, true),
            ("at nothing from before it on", &[300], 300_000, false),
        ];
        for (what, moves, nothing, is_closed) in table {
            let moves: Vec<i64> = moves.iter().map(|at| at * 1_000).collect();
            let mut samples =
                samples(HOUR, |at| if at < nothing { Flow::Flows } else { Flow::Nothing });
            for own in &mut samples {
                let next = moves.partition_point(|at| *at <= own.at.0);
                let from = next.checked_sub(1).map_or(i64::MIN, |n| moves[n]);
                own.stands = span(from, moves.get(next).copied().unwrap_or(i64::MAX));
            }
            let mut turns = Vec::new();
            for own in contradictions(&centres, (&[], &[]), SCAN, all[0]) {
                let measured = (&samples[..], SCAN);
                decided((own, Place::Unknown), &centres, &records, measured, &mut turns);
            }
            let to = turns.last().map_or(0, |turn| turn.at.0);
            let (open, closed, unknown) = lengths(&turns, to);
            assert_eq!(open, 0, "{what}");
            if is_closed {
                assert!(closed >= 2_380 && unknown <= 30, "{what}: {closed} {unknown}");
            } else {
                assert!(closed <= 20 && unknown >= 2_380, "{what}: {closed} {unknown}");
            }
        }
    }

    #[test]
    fn what_ceased_before_another_centre_says_closed_does_not_decide_any_longer() {
        let all = [span(0, HOUR)];
        let record = |at: i64, value| Record { at: Timestamp(at), value, is_exact: true };
        // The second centre is stuck open; the first one had no position for a while, and says closed then.
        let records = [record(605_000, OPEN)];
        let first = says(&[span(0, 300_000), span(1_800_000, HOUR)], 0, &[]);
        let centres = [first, says(&all, 300, &[(605_000, HOUR)])];
        let samples = samples(HOUR, |at| if at < 605_000 { Flow::Flows } else { Flow::Nothing });
        let mut turns = Vec::new();
        for own in contradictions(&centres, (&[], &[]), SCAN, all[0]) {
            decided((own, Place::Unknown), &centres, &records, (&samples, SCAN), &mut turns);
        }
        let (open, _, unknown) = lengths(&turns, turns.last().map_or(0, |turn| turn.at.0));
        assert!((1_180..1_200).contains(&open) && unknown >= 1_750, "{open} {unknown}");
    }

    #[test]
    fn an_outage_that_one_centre_tells_is_found_whenever_it_begins_and_ends() {
        let all = [span(0, HOUR)];
        for begins in (600_000..610_000).step_by(500) {
            for ends in [1_200_000, 1_203_500, 1_207_000] {
                let real = begins..ends;
                let record = |at: i64, value| Record { at: Timestamp(at), value, is_exact: true };
                let records = [record(begins, OPEN), record(ends, CLOSED)];
                let centres = [says(&all, 0, &[]), says(&all, 8_300, &[(begins, ends)])];
                let flow = |at: i64| if real.contains(&at) { Flow::Nothing } else { Flow::Flows };
                let samples = samples(HOUR, flow);
                let mut turns = Vec::new();
                for own in contradictions(&centres, (&[], &[]), SCAN, all[0]) {
                    let measured = (&samples[..], SCAN);
                    decided((own, Place::Unknown), &centres, &records, measured, &mut turns);
                }
                let to = turns.last().map_or(0, |turn| turn.at.0);
                let (open, _, unknown) = lengths(&turns, to);
                let long = (ends - begins) / 1_000;
                assert!(open >= long - 1 && unknown <= 12, "{begins} {ends}: {open} {unknown}");
            }
        }
    }

    /// What it is, the other centre's records, when it has all of them, and when they are told apart; seconds.
    type RingCase<'a> = (&'a str, &'a [Record], &'a [(i64, i64)], Vec<(i64, i64)>);

    #[test]
    fn a_change_that_one_centre_never_recorded_is_told_apart() {
        let record = |(at, value): &(i64, u16)| Record {
            at: Timestamp(at * 1_000),
            value: *value,
            is_exact: true,
        };
        let seconds = |from: i64, to: i64| span(from * 1_000, to * 1_000);
        let of = |all: &[(i64, u16)]| -> Vec<Record> { all.iter().map(record).collect() };
        let whole = |all: &[(i64, i64)]| -> Vec<Span> {
            all.iter().map(|(from, to)| seconds(*from, *to)).collect()
        };
        let real = of(&[(100, OPEN), (700, CLOSED)]);
        let turned = of(&[(100, OPEN), (300, CLOSED), (340, OPEN), (700, CLOSED)]);
        let late = of(&[(108, OPEN), (708, CLOSED)]);
        let reversed = of(&[(100, CLOSED), (700, OPEN)]);
        let all = [(0, 900)];
        let table: [RingCase<'_>; 7] = [
            ("they agree", &real, &all, vec![]),
            ("by a clock that is eight seconds fast", &late, &all, vec![]),
            ("turned round in an outage", &turned, &all, vec![(300, 340)]),
            ("nothing changed at one", &[], &all, vec![(100, 700)]),
            ("that lost some", &[], &[(0, 50), (800, 900)], vec![]),
            ("that has the second half", &real[1..], &[(500, 900)], vec![]),
            ("the other way round", &reversed, &all, vec![(100, 700)]),
        ];
        let ring = |records, spans| Ring { records, whole: whole(spans), doubted: Vec::new() };
        for (what, records, spans, expected) in table {
            let found: Vec<_> = told_apart(&[ring(&real, &all), ring(records, spans)])
                .iter()
                .map(|own| (own.from.0 / 1_000, own.to.0 / 1_000))
                .collect();
            assert_eq!(found, expected, "{what}");
        }
        let doubted = [Record { is_exact: false, ..record(&(100, OPEN)) }];
        let found = told_apart(&[ring(&doubted, &all), ring(&[], &all)]);
        assert_eq!(found, [], "a wrong clock proves nothing");
    }
}
