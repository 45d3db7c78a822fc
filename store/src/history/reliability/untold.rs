//! Positions of a breaker that changed for its polls although its unit, which tells of every change, told of none.
//!
//! A contact that is wrong, or values of another device, show what never happened. While no record was lost what the last
//! record said goes on up to the next one. A change that only polls saw is believed where one of them bears it out: the
//! next record tells that it was over. Otherwise nobody can say: what else the unit tells may be as wrong.

use signal::clock::Timestamp;

use super::scheme::Place;
use super::track::{DISBELIEF_MS, Record, Turn, other, place};
use crate::history::window::{merged, touches};
use crate::history::{Span, What};

/// Stretches, in order, in which a breaker is said to have stood as no record bears out. `whole`: when every record of its
/// unit came, `blind`: when some were lost and nobody polled it, `gone`: when some were lost, in order; `first`: how it stood when it
/// was first polled, where it has no record. Each reaches from a change no further than [`DISBELIEF_MS`].
pub(super) fn untold(
    turns: &[Turn],
    (records, first): (&[Record], Option<Place>),
    (whole, blind, gone): (&[Span], &[Span], &[Span]),
) -> Vec<Span> {
    let ends: Vec<(Timestamp, Place)> =
        records.iter().filter_map(|record| Some((record.at, place(record.value)?))).collect();
    let is_whole = |at: Timestamp| {
        let next = whole.partition_point(|own| own.to <= at);
        whole.get(next).is_some_and(|own| own.from <= at)
    };
    // Whether it was polled long before need not be looked at.
    let is_blind = |from: Timestamp, to: Timestamp| {
        let near = from.max(to.plus(-DISBELIEF_MS));
        touches(blind, Span::new(near, to)) || touches(gone, Span::new(from, near))
    };
    let mut found: Vec<Span> = Vec::new();
    for (n, pair) in turns.windows(2).enumerate() {
        let (before, turn) = (&pair[0], &pair[1]);
        if turn.assumed != Some(What::NoRecord)
            || turn.place == Place::Unknown
            || !is_whole(turn.at)
        {
            continue;
        }
        let next = ends.partition_point(|(at, _)| *at < turn.at);
        let (last, next) = (next.checked_sub(1).and_then(|n| ends.get(n)), ends.get(next).copied());
        // It stands otherwise than the last record said, whatever is in doubt between the two.
        let differs =
            last.is_some_and(|(at, place)| *place != turn.place && !is_blind(*at, turn.at));
        if before.place == Place::Unknown && !differs {
            continue;
        }
        let last = last.copied().or(first.map(|place| (Timestamp(i64::MIN), place)));
        let own = if last.is_some_and(|(_, place)| place == turn.place) {
            // It is as the last record said, and ever was.
            let from = last.map_or(before.at, |(at, _)| before.at.max(at));
            Span::new(from.max(turn.at.plus(-DISBELIEF_MS)), turn.at)
        } else if next.is_none_or(|(_, place)| place == turn.place) {
            let to = turns.get(n + 2).map_or(Timestamp(i64::MAX), |next| next.at);
            let to = next.map_or(to, |(at, _)| to.min(at));
            Span::new(turn.at, to.min(turn.at.plus(DISBELIEF_MS)))
        } else {
            continue;
        };
        found.push(own);
    }
    merged(found)
}

/// Stretches, in order, in which nobody can say how a breaker stood that was open when its unit ceased to answer for it in one of
/// `mute`, and was not polled behind that: its closing need not be recorded. One that was closed is taken to be so still.
/// `soon_ms`: the first poll of a stretch comes within this; nothing lasts longer than up to `end`.
pub(super) fn unanswered(
    mute: &[Span],
    (records, polls): (&[Record], &[(Timestamp, u16)]),
    soon_ms: i64,
    end: Timestamp,
) -> Vec<Span> {
    let records = records.iter().map(|record| (record.at, record.value, true));
    let polls = polls.iter().map(|(at, code)| (*at, *code, false));
    let told = records.chain(polls).filter_map(|(at, code, own)| Some((at, place(code)?, own)));
    let mut told: Vec<(Timestamp, Place, bool)> = told.collect();
    told.sort_by_key(|(at, ..)| *at);
    let mut found = Vec::new();
    for own in mute {
        let first = told.partition_point(|(at, ..)| *at <= own.from);
        let (before, behind) = told.split_at(first);
        let mut polled = behind.iter().filter(|(at, _, is_record)| !is_record && *at >= own.to);
        if polled.next().is_some_and(|(at, ..)| at.since(own.to) <= soon_ms) {
            continue;
        }
        let next = behind.iter().find(|(at, _, is_record)| *is_record || *at >= own.to);
        let stood = before.last().map(|(_, place, _)| *place);
        // Of what was told before, nothing may be kept.
        let stood = stood.or(next.filter(|own| own.2).map(|(_, place, _)| other(*place)));
        if stood == Some(Place::Open) {
            found.push(Span::new(own.from, next.map_or(end, |(at, ..)| *at).max(own.to)));
        }
    }
    merged(found)
}

/// Puts another turn in the place of those in a stretch; behind it the breaker stands as it was said to.
pub(super) fn replaced(turns: &mut Vec<Turn>, stretch: Span, by: Turn) {
    let first = turns.partition_point(|turn| turn.at < stretch.from);
    let end = turns.partition_point(|turn| turn.at < stretch.to);
    let last = end.checked_sub(1).and_then(|n| turns.get(n)).copied();
    let goes_on = turns.get(end).is_none_or(|next| next.at > stretch.to);
    let behind = last.filter(|_| goes_on && stretch.to < Timestamp(i64::MAX));
    let behind = behind.map(|last| Turn {
        at: stretch.to,
        assumed: None,
        is_exact: false,
        is_told: false,
        ..last
    });
    turns.splice(first..end, std::iter::once(by).chain(behind));
}

#[cfg(test)]
mod tests {
    use super::super::track::{CLOSED, OPEN};
    use super::*;

    const SECOND: i64 = 1_000;
    const HOUR: i64 = 3_600 * SECOND;

    fn turn(at: i64, place: Place, assumed: Option<What>) -> Turn {
        let is_told = assumed.is_none();
        Turn { at: Timestamp(at), place, assumed, is_exact: is_told, is_told }
    }

    /// Records of so many hours.
    fn recorded(all: &[(i64, u16)]) -> Vec<Record> {
        let record = |(hour, value): &(i64, u16)| Record {
            at: Timestamp(*hour * HOUR),
            value: *value,
            is_exact: true,
        };
        all.iter().map(record).collect()
    }

    /// What it is, records, turns that polls made of them, and what is in doubt; hours.
    type Case = (&'static str, Vec<(i64, u16)>, Vec<(i64, Place, Option<What>)>, Vec<(i64, i64)>);

    #[test]
    fn what_only_polls_saw_is_held_against_the_records_before_and_behind() {
        use Place::{Closed, Open};
        let polled = Some(What::NoRecord);
        let whole = vec![Span::new(Timestamp(0), Timestamp(100 * HOUR))];
        let table: [Case; 9] = [
            (
                "a breaker without records",
                vec![],
                vec![(0, Closed, Some(What::StartAssumed)), (2, Open, polled), (3, Closed, polled)],
                vec![(2, 3)],
            ),
            (
                "not known in between",
                vec![(1, OPEN)],
                vec![(1, Open, None), (2, Place::Unknown, None), (50, Closed, polled)],
                vec![(50, 74)],
            ),
            (
                "told at neither end",
                vec![(1, CLOSED), (9, OPEN)],
                vec![(1, Closed, None), (2, Open, polled), (3, Closed, polled), (9, Open, None)],
                vec![(2, 3)],
            ),
            (
                "and nothing recorded before",
                vec![(9, OPEN)],
                vec![(0, Closed, None), (2, Open, polled), (3, Closed, polled), (9, Open, None)],
                vec![(2, 3)],
            ),
            (
                "nor behind",
                vec![(1, CLOSED)],
                vec![(1, Closed, None), (2, Open, polled), (3, Closed, polled)],
                vec![(2, 3)],
            ),
            (
                "told at its end",
                vec![(1, CLOSED), (3, CLOSED)],
                vec![(1, Closed, None), (2, Open, polled), (3, Closed, None)],
                vec![],
            ),
            (
                "closed for a while within an outage",
                vec![(1, OPEN), (9, CLOSED)],
                vec![(1, Open, None), (2, Closed, polled), (3, Open, polled), (9, Closed, None)],
                vec![(2, 3)],
            ),
            (
                "so when somebody began to look",
                vec![(1, CLOSED)],
                vec![(1, Open, Some(What::StartAssumed)), (3, Closed, polled)],
                vec![(1, 3)],
            ),
            (
                "so no further than a day",
                vec![(1, CLOSED)],
                vec![(1, Closed, None), (2, Open, polled)],
                vec![(2, 26)],
            ),
        ];
        for (what, records, turns, expected) in table {
            let records = recorded(&records);
            let turns: Vec<Turn> =
                turns.into_iter().map(|(at, place, how)| turn(at * HOUR, place, how)).collect();
            let told = |found: Vec<Span>| -> Vec<(i64, i64)> {
                found.iter().map(|own| (own.from.0 / HOUR, own.to.0 / HOUR)).collect()
            };
            let of = (&records[..], records.is_empty().then_some(Closed));
            assert_eq!(told(untold(&turns, of, (&whole, &[], &[]))), expected, "{what}");
            // Where records were lost nothing speaks against the polls.
            assert_eq!(told(untold(&turns, of, (&[], &[], &[]))), [], "{what}");
            if what == "not known in between" {
                // Within a day nobody must have polled meanwhile.
                let hours = [(30, true, vec![]), (30, false, vec![(50, 74)]), (10, false, vec![])];
                for (hour, is_blind, left) in hours {
                    let gone = [Span::new(Timestamp(hour * HOUR), Timestamp((hour + 1) * HOUR))];
                    let lost = (&whole[..], if is_blind { &gone[..] } else { &[] }, &gone[..]);
                    assert_eq!(told(untold(&turns, of, lost)), left, "{what} {hour}");
                }
            }
        }
    }

    #[test]
    fn one_that_was_open_when_its_unit_fell_silent_may_be_closed() {
        // Records, polls, and what nobody can say; hours. The unit is silent from the tenth to the twelfth.
        type Case = (&'static str, Vec<(i64, u16)>, Vec<(i64, u16)>, Vec<(i64, i64)>);
        let table: [Case; 8] = [
            ("nothing told", vec![], vec![], vec![]),
            ("open", vec![(9, OPEN)], vec![], vec![(10, 99)]),
            ("open, polled as such", vec![], vec![(9, OPEN)], vec![(10, 99)]),
            ("its closing told later", vec![(9, OPEN), (20, CLOSED)], vec![], vec![(10, 20)]),
            ("polled behind", vec![(9, OPEN)], vec![(12, CLOSED)], vec![]),
            ("closed", vec![(9, CLOSED)], vec![], vec![]),
            ("closed, and opened later", vec![(9, CLOSED), (20, OPEN)], vec![], vec![]),
            ("open before anything is kept", vec![(20, CLOSED)], vec![], vec![(10, 20)]),
        ];
        let hour = |hour: i64| Timestamp(hour * HOUR);
        for (what, records, polls, expected) in table {
            let records = recorded(&records);
            let polls: Vec<_> = polls.iter().map(|(at, code)| (hour(*at), *code)).collect();
            let mute = [Span::new(hour(10), hour(12))];
            let found = unanswered(&mute, (&records, &polls), 60 * SECOND, hour(99));
            let found: Vec<_> =
                found.iter().map(|own| (own.from.0 / HOUR, own.to.0 / HOUR)).collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn what_stands_behind_a_stretch_goes_on() {
        use Place::{Closed, Open, Unknown};
        let mut turns = vec![turn(0, Closed, None), turn(10, Open, None), turn(50, Closed, None)];
        let unknown = |at| turn(at, Unknown, Some(What::NoRecord));
        replaced(&mut turns, Span::new(Timestamp(20), Timestamp(30)), unknown(20));
        let told: Vec<_> = turns.iter().map(|turn| (turn.at.0, turn.place)).collect();
        assert_eq!(told, [(0, Closed), (10, Open), (20, Unknown), (30, Open), (50, Closed)]);
        replaced(&mut turns, Span::new(Timestamp(10), Timestamp(50)), unknown(10));
        let told: Vec<_> = turns.iter().map(|turn| (turn.at.0, turn.place)).collect();
        assert_eq!(told, [(0, Closed), (10, Unknown), (50, Closed)]);
    }
}
