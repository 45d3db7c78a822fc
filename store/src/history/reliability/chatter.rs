//! When the contact of a breaker chattered: it changed more often than a breaker can.
//!
//! Such a contact fills the ring of its unit faster than it is read, so that records are lost, its own and those of
//! others. What was lost next to its changes, and what is left over between two losses, proves nothing of its own.

use signal::clock::Timestamp;

use super::evidence::POLLED_MS;
use super::track::{DISBELIEF_MS, Record, place};
use crate::history::Span;
use crate::history::window::{merged, touches, without};

/// So many changes, none further from the one before than [`CHATTER_MS`] but for records that were lost between, are
/// no breaker's: reclosing twice makes six.
const CHATTER: usize = 8;
const CHATTER_MS: i64 = 5_000;
/// Lost records no further from chatter than this, milliseconds, may be of it.
pub(super) const CHATTER_REACH_MS: i64 = DISBELIEF_MS;
/// Twelve polls of a contact that say the same, before a moment and behind it, are no chance: it does not chatter then.
/// So long they take at most, in times that the first poll of a stretch may take.
const STEADY: i64 = 3;

/// Stretches in which a contact changed from one end to the other more often than a breaker can; what it shows on its
/// way is no change of its own. Records that were lost next to such changes, and what is told next to those, are of it.
/// Changes with lost ones between may be `longest_ms` apart.
pub(super) fn chatter(records: &[Record], lost: &[Span], longest_ms: i64) -> Vec<Span> {
    let ends: Vec<Record> =
        records.iter().filter(|record| place(record.value).is_some()).copied().collect();
    let all = ends.iter().map(moment).chain(lost.iter().copied());
    // What is no further apart than changes of one chatter hangs together.
    let longer = CHATTER_MS - 1;
    let together = merged(all.map(|own| Span::new(own.from, own.to.plus(longer))));
    let mut episodes = Vec::new();
    let mut rest = &ends[..];
    for own in together {
        let (of_own, later) = rest.split_at(rest.partition_point(|record| record.at < own.to));
        rest = later;
        let own = Span::new(own.from, own.to.plus(-longer));
        let near = |core: Span| {
            let reach = CHATTER_REACH_MS;
            Span::new(core.from.plus(-reach), core.to.plus(reach)).and(own)
        };
        episodes.extend(too_many(of_own, lost, longest_ms).into_iter().map(near));
    }
    merged(episodes)
}

/// The moment of a record.
pub(super) fn moment(record: &Record) -> Span {
    Span::new(record.at, record.at.plus(1))
}

/// Stretches with too many changes for a breaker, of records that hang together. Where some were lost between two that
/// say the same, it changed.
fn too_many(records: &[Record], lost: &[Span], longest_ms: i64) -> Vec<Span> {
    let mut found = Vec::new();
    for run in records.chunk_by(|one, next| next.at.since(one.at) <= longest_ms) {
        let changes = |pair: &&[Record]| {
            let between = Span::new(pair[0].at, pair[1].at);
            pair[0].value != pair[1].value || touches(lost, between)
        };
        // The first one may be the same as the last that came before, of which the way back was lost.
        if let [first, .., last] = run
            && 1 + run.windows(2).filter(changes).count() >= CHATTER
        {
            found.push(Span::new(first.at, moment(last).to));
        }
    }
    found
}

/// So many records no further apart than [`CHATTER_MS`] may be what is left of chatter that no poll met: a trip with
/// two more tries has three.
const DENSE: usize = 4;

/// Those of some stretches in which a contact may have chattered: in the others its polls said the same for so long,
/// before and behind, that it stood still, and its records do not come one on the other. `soon_ms`: the first poll of a
/// stretch takes no longer.
pub(super) fn restless(
    lost: Vec<Span>,
    records: &[Record],
    (polls, usable): (&[(Timestamp, u16)], &[Span]),
    soon_ms: i64,
) -> Vec<Span> {
    let ends = records.iter().filter(|record| place(record.value).is_some());
    let ends: Vec<Record> = ends.copied().collect();
    let runs = ends.chunk_by(|one, next| next.at.since(one.at) <= CHATTER_MS);
    let dense = runs.filter(|run| run.len() >= DENSE).filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        Some(Span::new(first.at.plus(-soon_ms), last.at.plus(soon_ms)))
    });
    let dense = merged(dense);
    let mut steady = Vec::new();
    for own in usable {
        let first = polls.partition_point(|(at, _)| *at < own.from);
        let end = polls.partition_point(|(at, _)| *at < own.to);
        // Without a poll for longer, none was kept.
        let goes_on = |one: &(Timestamp, u16), next: &(Timestamp, u16)| {
            one.1 == next.1 && next.0.since(one.0) <= 2 * POLLED_MS
        };
        for run in polls[first..end.max(first)].chunk_by(goes_on) {
            if let [(from, code), .., (to, _)] = run
                && place(*code).is_some()
            {
                let margin = STEADY * soon_ms;
                steady.push(Span::new(from.plus(margin), to.plus(-margin)));
            }
        }
    }
    let steady = without(steady.into_iter(), &dense);
    without(lost.into_iter(), &merged(steady))
}

#[cfg(test)]
mod tests {
    use super::super::track::{CLOSED, OPEN};
    use super::*;

    fn record(at: i64, value: u16) -> Record {
        Record { at: Timestamp(at), value, is_exact: true }
    }

    #[test]
    fn records_that_were_lost_next_to_chatter_are_of_it() {
        let run = |from: i64, count: i64| -> Vec<Record> {
            let code = |n: i64| if n % 2 == 0 { OPEN } else { CLOSED };
            (0..count).map(|n| record(from + n * 200, code(n))).collect()
        };
        let spans = |all: &[(i64, i64)]| -> Vec<Span> {
            all.iter().map(|own| Span::new(Timestamp(own.0), Timestamp(own.1))).collect()
        };
        // What came, when records may have been lost, and when it chattered.
        let (hour, day) = (3_600_000, CHATTER_REACH_MS);
        let table = [
            ("nothing lost", vec![run(0, 10)], vec![], vec![(0, 1_801)]),
            ("too few", vec![run(0, 7)], vec![], vec![]),
            (
                "in the middle",
                vec![run(0, 10), run(20_000, 10)],
                vec![(1_800, 20_000)],
                vec![(0, 21_801)],
            ),
            (
                "what is left over",
                vec![run(0, 10), run(20_000, 2)],
                vec![(1_800, 20_000)],
                vec![(0, 20_201)],
            ),
            (
                "in front, behind",
                vec![run(0, 10)],
                vec![(-hour, 0), (4_000, hour)],
                vec![(-hour, hour)],
            ),
            ("far away", vec![run(0, 10)], vec![(-hour, -5_001), (7_000, hour)], vec![(0, 1_801)]),
            ("without end", vec![run(0, 10)], vec![(1_800, i64::MAX)], vec![(0, 1_801 + day)]),
            (
                "nearly all",
                (0..8).map(|n| run(n * 50_000, 1)).collect(),
                vec![(0, 350_000)],
                vec![(0, 350_001)],
            ),
            ("two of a day", vec![run(0, 4), run(8 * hour, 4)], vec![(600, 8 * hour)], vec![]),
        ];
        for (what, runs, lost, expected) in table {
            let found = chatter(&runs.concat(), &spans(&lost), 60_000);
            assert_eq!(found, spans(&expected), "{what}");
        }
    }

    #[test]
    fn what_was_lost_while_the_contact_stood_still_is_no_chatter() {
        let hour = 3_600_000;
        let span = |from: i64, to: i64| Span::new(Timestamp(from), Timestamp(to));
        // Each ten seconds: for half an hour now this, now that; then closed, open for an hour, and closed.
        let code = |at: i64| match at / 10_000 {
            n if at < hour / 2 && n % 3 == 0 => OPEN,
            _ if (hour..2 * hour).contains(&at) => OPEN,
            _ => CLOSED,
        };
        let polls: Vec<_> =
            (0..3 * hour / 10_000).map(|n| (Timestamp(n * 10_000), code(n * 10_000))).collect();
        let margin = STEADY * 60_000;
        let expected = [
            span(0, hour / 2 - 20_000 + margin),
            span(hour - 10_000 - margin, hour + margin),
            span(2 * hour - 10_000 - margin, 2 * hour + margin),
            span(3 * hour - 10_000 - margin, 4 * hour),
        ];
        let lost = vec![span(0, 4 * hour)];
        let found = restless(lost.clone(), &[], (&polls, &[span(0, 3 * hour)]), 60_000);
        assert_eq!(found, expected);
        // Where its position could not be used polls say nothing.
        assert_eq!(restless(lost.clone(), &[], (&polls, &[]), 60_000), lost);
    }
}
