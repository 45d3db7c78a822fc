//! Which records of a breaker are not believed: those of a clock that cannot be right, against what was polled.
//!
//! A record of a wrong clock stands where its unit told of it, or before that by its distance to the last one that was
//! told with it. A unit that begins its ring anew may tell anything of a time that was watched. Where the position
//! was polled while it should have stood as such a record says, and never stood so, the record is not
//! believed; but what was short in that while may have gone unseen.
//!
//! A clock that is some seconds slow is not found wrong by itself. Its records stand before polls that still say what was
//! before; they are placed behind these.

use signal::clock::Timestamp;

use super::track::{LAG_MS, OFF_MS, Record};
use crate::history::Span;

/// So long behind a record, milliseconds, its position must show in the polls, if it stood so that long.
const SHOWS_MS: i64 = 30_000;

/// Moves records of slow clocks, all in the order of time, behind the polls that contradict them: the last one before
/// the first that says the same, where no other record lies between.
pub(super) fn behind_polls(records: &mut [Record], polls: &[(Timestamp, u16)]) {
    for n in 0..records.len() {
        let next = records.get(n + 1).map_or(Timestamp(i64::MAX), |next| next.at);
        let record = &mut records[n];
        let first = polls.partition_point(|(at, _)| *at <= record.at.plus(LAG_MS));
        let before = polls[first..].iter().take_while(|(_, code)| *code != record.value).count();
        let Some((agrees, _)) = polls.get(first + before) else { continue };
        let last = before.checked_sub(1).map(|before| polls[first + before].0);
        if let Some(last) = last.filter(|last| last.since(record.at) <= OFF_MS)
            && *agrees < next
        {
            (record.at, record.is_exact) = (last, false);
        }
    }
}

/// Takes out the records that are not believed, of all in the order of time; returns in which stretches. `told_ms`: how long it takes at most
/// until a record is told, so much earlier it may have happened.
pub(super) fn believed(
    records: &mut Vec<Record>,
    polls: &[(Timestamp, u16)],
    told_ms: i64,
) -> Vec<Span> {
    let mut doubted = Vec::new();
    let all = std::mem::take(records);
    for record in &all {
        let end = record.at.plus(SHOWS_MS);
        let next = all.get(all.partition_point(|own| own.at <= record.at)).map(|next| next.at);
        // It may have been over as much earlier as it began.
        let to = next.map_or(end, |next| next.plus(-told_ms).min(end));
        let within = |from: Timestamp, to: Timestamp| {
            let first = polls.partition_point(|(at, _)| *at < from);
            polls[first..].iter().take_while(move |(at, _)| *at < to)
        };
        let is_polled = within(record.at.plus(LAG_MS), to).next().is_some();
        let mut near = within(record.at.plus(-told_ms), next.map_or(end, |next| next.min(end)));
        if !record.is_exact && is_polled && near.all(|(_, code)| *code != record.value) {
            doubted.push(Span::new(record.at.plus(-told_ms), next.unwrap_or(end).min(end)));
        } else {
            records.push(*record);
        }
    }
    doubted
}

#[cfg(test)]
mod tests {
    use super::super::track::{CLOSED, OPEN};
    use super::*;

    #[test]
    fn a_record_of_a_slow_clock_stands_behind_the_polls_that_contradict_it() {
        // Open from the 40th to the 60th second, polled each second; clocks that are so many seconds slow.
        let table = [(0, true), (2, true), (4, false), (9, false), (10, false), (12, true)];
        for (slow, is_exact) in table {
            let record = |second: i64, value| Record {
                at: Timestamp((second - slow) * 1_000),
                value,
                is_exact: true,
            };
            let mut records = [record(40, OPEN), record(60, CLOSED)];
            let as_told = records;
            behind_polls(&mut records, &polls(40..60));
            for ((own, told), last) in records.iter().zip(&as_told).zip([39_300, 59_300]) {
                assert_eq!(own.is_exact, is_exact, "{slow} s");
                assert_eq!(own.at, if is_exact { told.at } else { Timestamp(last) }, "{slow} s");
            }
        }
        // What is closed again before it is polled is no slow clock's.
        let own =
            |second: i64, value| Record { at: Timestamp(second * 1_000), value, is_exact: true };
        let mut short = [own(40, OPEN), own(41, CLOSED)];
        behind_polls(&mut short, &polls(0..0));
        assert_eq!(short, [own(40, OPEN), own(41, CLOSED)]);
        // Nor what was never polled.
        behind_polls(&mut short, &[]);
        assert_eq!(short, [own(40, OPEN), own(41, CLOSED)]);
    }

    /// Polls each second up to the hundredth, saying open within a stretch.
    fn polls(open: std::ops::Range<i64>) -> Vec<(Timestamp, u16)> {
        let code = |n: &i64| if open.contains(n) { OPEN } else { CLOSED };
        (0..100).map(|n| (Timestamp(n * 1_000 + 300), code(&n))).collect()
    }

    #[test]
    fn a_record_of_a_wrong_clock_is_believed_unless_the_polls_say_otherwise_all_along() {
        // Records as (second, code, exact), when it was polled open, those that are left, what is in doubt.
        let table = [
            (
                "never seen so",
                vec![(40, OPEN, false), (50, CLOSED, false)],
                0..0,
                vec![50],
                vec![(38, 50)],
            ),
            ("seen so", vec![(40, OPEN, false), (50, CLOSED, false)], 39..49, vec![40, 50], vec![]),
            (
                "seen so, told late",
                vec![(40, OPEN, false), (50, CLOSED, false)],
                38..40,
                vec![40, 50],
                vec![],
            ),
            (
                "over before it shows",
                vec![(40, OPEN, false), (44, CLOSED, false)],
                0..0,
                vec![40, 44],
                vec![],
            ),
            (
                "by a right clock",
                vec![(40, OPEN, true), (50, CLOSED, true)],
                0..0,
                vec![40, 50],
                vec![],
            ),
            ("never closed again", vec![(40, OPEN, false)], 0..0, vec![], vec![(38, 70)]),
            ("open much later", vec![(20, OPEN, false)], 80..100, vec![], vec![(18, 50)]),
            (
                "nobody polled",
                vec![(200, OPEN, false), (300, CLOSED, false)],
                0..0,
                vec![200, 300],
                vec![],
            ),
        ];
        for (what, records, open, left, doubted) in table {
            let mut all: Vec<Record> = records
                .iter()
                .map(|(second, value, is_exact)| Record {
                    at: Timestamp(second * 1_000),
                    value: *value,
                    is_exact: *is_exact,
                })
                .collect();
            let found = believed(&mut all, &polls(open), 2_000);
            let found: Vec<_> =
                found.iter().map(|own| (own.from.0 / 1_000, own.to.0 / 1_000)).collect();
            let seconds: Vec<i64> = all.iter().map(|record| record.at.0 / 1_000).collect();
            assert_eq!((seconds, found), (left, doubted), "{what}");
        }
    }

    #[test]
    fn ten_records_of_a_watched_minute_make_no_interruption() {
        let mut all: Vec<Record> = (0..10)
            .map(|n| {
                let (at, value) =
                    (Timestamp(20_000 + n * 6_000), if n % 2 == 0 { OPEN } else { CLOSED });
                Record { at, value, is_exact: false }
            })
            .collect();
        let doubted = believed(&mut all, &polls(0..0), 1_000);
        assert!(all.iter().all(|record| record.value == CLOSED), "{all:?}");
        assert_eq!((all.len(), doubted.len()), (5, 5));
    }
}
