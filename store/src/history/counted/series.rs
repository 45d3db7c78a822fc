//! What the lines of a running count brought, each by itself and as they follow each other: series of readings.

use std::collections::BTreeSet;
use std::ops::Range;

use signal::clock::{DAY_MS, Timestamp};

use super::super::energy::{DOUBT_MS, TOGETHER_MS};
use super::super::figure::What;
use super::super::produced;

/// What a line of a running count brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::history) enum Brought<T> {
    /// Nothing is before it: nobody knows since when it counts.
    First,
    /// So much.
    Known(T),
    /// What it says cannot be, or something speaks against it.
    Doubtful(What),
}

/// A count that shows another one for no longer than this is found out when it is right again, milliseconds.
const AWAY_MS: i64 = 31 * DAY_MS;

/// So many lines from which a count began anew are remembered: one that does so all the time shows nothing.
const LEFT_MAX: usize = 100;

/// What each line of a running count brought, and since which line. `can_follow` says whether a line may follow an
/// earlier one, `begins` whether nothing was counted at a line yet: what comes next counts from there.
///
/// A line that cannot follow the one before brings nothing. The next one is held against the last that was believed, so
/// that a count which was wrong for a moment adds nothing when it is right again, and only then against the one that was
/// not: it may have begun anew. Where it breaks off once more it may be back: what can follow a line from before it began
/// anew was another counter meanwhile; what it added is known if that is the only such line.
pub(super) fn follow(
    lines: usize,
    at: impl Fn(usize) -> Timestamp,
    can_follow: impl Fn(usize, usize) -> bool,
    begins: impl Fn(usize) -> bool,
) -> Vec<Brought<usize>> {
    let mut brought: Vec<Brought<usize>> = Vec::with_capacity(lines);
    let mut believed = 0;
    // Lines that were believed last before it began anew.
    let mut left: Vec<usize> = Vec::new();
    for n in 0..lines {
        if n == 0 {
            brought.push(Brought::First);
            continue;
        }
        let is_after_another = believed < n - 1 && can_follow(n - 1, n);
        if !(is_after_another && begins(n - 1)) && can_follow(believed, n) {
            brought.push(Brought::Known(believed));
            believed = n;
            continue;
        }
        if is_after_another {
            if left.len() == LEFT_MAX {
                left.remove(0);
            }
            left.push(believed);
            brought.push(Brought::Known(n - 1));
            believed = n;
            continue;
        }
        let is_back =
            |from: &usize| at(n).since(at(*from)).abs() <= AWAY_MS && can_follow(*from, n);
        let Some(place) = left.iter().position(is_back) else {
            brought.push(Brought::Doubtful(What::CountDoubtful));
            continue;
        };
        let from = left[place];
        brought[from + 1..].fill(Brought::Doubtful(What::CountDoubtful));
        // Where it can follow more than one, what it added is not known; it goes on from there.
        let is_clear = !left[place + 1..].iter().any(is_back);
        let own = Brought::Known(from);
        brought.push(if is_clear { own } else { Brought::Doubtful(What::CountDoubtful) });
        left.truncate(place);
        believed = n;
    }
    brought
}

/// A series of readings: lines that follow each other, but for those that were wrong for a moment.
#[derive(Debug, Clone)]
pub(super) struct Series {
    lines: Range<usize>,
    began: Timestamp,
    /// From its first line to the last one that is believed, milliseconds.
    shown_ms: i64,
    /// It gave way to no other one that can be a counter begun at nothing, and somebody watched how: which of the two is the
    /// counter's own nobody knows.
    leads_away: bool,
}

/// The series of a count, of which it is known what each line brought; `begins` says whether a line can be of a counter
/// that began at nothing since the one before.
pub(super) fn series(
    brought: &[Brought<usize>],
    at: impl Fn(usize) -> Timestamp,
    begins: impl Fn(usize) -> bool,
) -> Vec<Series> {
    // A later one begins at a line that brought nothing itself.
    let is_first = |n: &usize| {
        matches!(brought[*n], Brought::Doubtful(_))
            && brought.get(n + 1) == Some(&Brought::Known(*n))
    };
    let first: Vec<usize> = std::iter::once(0).chain((1..brought.len()).filter(is_first)).collect();
    let ends = first.iter().skip(1).copied().chain([brought.len()]);
    let of_lines = |(from, to): (usize, usize)| {
        let is_known = |n: &usize| matches!(brought[*n], Brought::Known(_));
        let last = (from..to).rfind(is_known).unwrap_or(from);
        let is_seen = |n: usize| at(n).since(at(n - 1)) <= produced::UNSEEN_MS;
        Series {
            lines: from..to,
            began: at(from),
            shown_ms: at(last).since(at(from)),
            leads_away: from > 0 && is_seen(from) && !begins(from),
        }
    };
    if brought.is_empty() {
        return Vec::new();
    }
    first.iter().copied().zip(ends).map(of_lines).collect()
}

/// When series began that came behind others: all of them, and those that lead away.
#[derive(Debug, Default)]
pub(super) struct Begun {
    all: Vec<Timestamp>,
    leading_away: Vec<Timestamp>,
}

impl Begun {
    /// Those of some counters.
    pub(super) fn of<'a>(counters: impl Iterator<Item = &'a [Series]>) -> Self {
        let mut begun = Self::default();
        for own in counters.flatten().filter(|own| own.lines.start > 0) {
            begun.all.push(own.began);
            begun.leading_away.extend(own.leads_away.then_some(own.began));
        }
        begun.all.sort_unstable();
        begun.leading_away.sort_unstable();
        begun
    }

    /// How many began near another one, of which one or the other leads away.
    fn near(&self, series: &Series) -> usize {
        let begun = if series.leads_away { &self.all } else { &self.leading_away };
        let first = begun.partition_point(|at| series.began.since(*at) > TOGETHER_MS);
        let behind = begun.partition_point(|at| at.since(series.began) <= TOGETHER_MS);
        behind - first
    }
}

/// Lines that are of a series which is not known to be the counter's own; `begun` are those of all counters of the plant,
/// the own ones, too.
pub(super) fn not_its_own(
    own: &[Series],
    begun: &Begun,
    at: impl Fn(usize) -> Timestamp,
    is_nothing: impl Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    let own_begun = Begun::of(std::iter::once(own));
    for (n, series) in own.iter().enumerate() {
        // Of two neither is believed before it was read for a day.
        let is_beside_another =
            series.leads_away || own.get(n + 1).is_some_and(|next| next.leads_away);
        if is_beside_another && series.shown_ms < DAY_MS {
            lines.extend(series.lines.clone());
        }
        let Some(before) = n.checked_sub(1).map(|before| &own[before]) else { continue };
        // Several that go over at once are addresses that were shifted, or put right.
        if begun.near(series) > own_begun.near(series) {
            let soon = |n: &usize| at(*n).since(series.began) <= DOUBT_MS;
            lines.extend(series.lines.clone().take_while(soon));
            if before.shown_ms < DOUBT_MS {
                lines.extend(before.lines.clone());
            }
        }
        // What fell to nothing and stands there is none.
        lines.extend(series.lines.clone().take_while(|n| is_nothing(*n)));
    }
    lines
}

impl Brought<usize> {
    /// What the step since that line is.
    pub(super) fn and_then<T>(self, step: impl FnOnce(usize) -> Option<T>) -> Brought<T> {
        match self {
            Self::First => Brought::First,
            Self::Known(from) => {
                step(from).map_or(Brought::Doubtful(What::CountDoubtful), Brought::Known)
            }
            Self::Doubtful(why) => Brought::Doubtful(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EnergyKind, EnergyLine};

    /// Counts, an hour apart, of which none adds more than 100 an hour: which line each follows; -1: the first one, -2: it
    /// brings nothing.
    fn followed(kwh: &[u64]) -> Vec<i64> {
        let line = |(n, kwh): (i64, &u64)| {
            let line = EnergyLine {
                kind: EnergyKind::Out,
                station: "P".to_owned(),
                id: "E.OUT".to_owned(),
                sells: false,
                day: 0,
                kwh: *kwh,
                meter_days: 0,
                meters: 0,
                behind: 0,
                unread_days: 0,
            };
            (Timestamp(n * 3_600_000), line)
        };
        let lines: Vec<_> = (0..).zip(kwh).map(line).collect();
        let can = |from: usize, to: usize| {
            let hours = u64::try_from(to - from).unwrap();
            kwh[to].checked_sub(kwh[from]).is_some_and(|more| more <= 100 * hours)
        };
        let place = |own: Brought<usize>| match own {
            Brought::First => -1,
            Brought::Known(from) => i64::try_from(from).unwrap(),
            Brought::Doubtful(_) => -2,
        };
        follow(lines.len(), |n| lines[n].0, can, |n| kwh[n] == 0).into_iter().map(place).collect()
    }

    #[test]
    fn a_count_that_was_another_one_meanwhile_goes_on_where_it_was() {
        let table: [(&str, &[u64], &[i64]); 10] = [
            ("counts", &[5_000, 5_050, 5_100], &[-1, 0, 1]),
            ("a wrong moment", &[5_000, 9, 5_100], &[-1, -2, 0]),
            ("begun anew", &[5_000, 10, 60, 110], &[-1, -2, 1, 2]),
            ("another one meanwhile", &[5_000, 10, 60, 110, 5_300], &[-1, -2, -2, -2, 0]),
            ("and back at what it was", &[5_000, 9_000, 9_010, 5_200], &[-1, -2, -2, 0]),
            ("twice", &[5_000, 10, 60, 5_200, 70, 80, 5_400], &[-1, -2, -2, 0, -2, -2, 3]),
            ("begun anew and soon as far", &[30, 0, 60, 90], &[-1, -2, 1, 2]),
            ("nothing for a moment", &[5_000, 0, 5_100], &[-1, -2, 0]),
            ("begun anew twice", &[5_000, 10, 60, 1, 20], &[-1, -2, 1, -2, 3]),
            ("back to one of two", &[250, 10, 60, 1, 20, 300, 350], &[-1, -2, -2, -2, -2, -2, 5]),
        ];
        for (what, kwh, expected) in table {
            assert_eq!(followed(kwh), expected, "{what}");
        }
        // Not after more than a month: it may have begun anew.
        for (hours, last) in [(743, 0), (744, -2)] {
            let weeks = [5_000].into_iter().chain((0..hours).map(|n| 10 + n));
            let long = followed(&weeks.chain([5_100]).collect::<Vec<u64>>());
            assert_eq!(long.last(), Some(&last), "{hours}");
        }
    }

    /// The same of a counter that gives 100 an hour at most, with the series that are not known to be its own as -2.
    fn believed(kwh: &[u64], minutes: impl Fn(usize) -> i64) -> Vec<i64> {
        let at = |n: usize| Timestamp(60_000 * minutes(n));
        let can = |from: usize, to: usize| {
            let hours = u64::try_from(at(to).since(at(from)) / 3_600_000 + 1).unwrap_or(0);
            kwh[to].checked_sub(kwh[from]).is_some_and(|more| more <= 100 * hours)
        };
        let brought = follow(kwh.len(), at, can, |_| false);
        let own = series(&brought, at, |n| kwh[n] <= 100);
        let not_own = not_its_own(&own, &Begun::default(), at, |n| kwh[n] == 0);
        let place = |(n, own): (usize, &Brought<usize>)| match own {
            Brought::First => -1,
            Brought::Known(_) if not_own.contains(&n) => -2,
            Brought::Known(from) => i64::try_from(*from).unwrap(),
            Brought::Doubtful(_) => -2,
        };
        brought.iter().enumerate().map(place).collect()
    }

    /// What it is, where its series begin and how many hours they last, and how many readings are not known.
    type SeriesCase<'a> = (&'a str, &'a [(u64, u64)], usize);

    #[test]
    fn a_series_that_is_not_a_day_old_is_not_believed_beside_another_one() {
        let hourly = |n: usize| 60 * i64::try_from(n).unwrap();
        let series = |from: u64, hours: u64| (0..hours).map(move |n| from + 10 * n);
        let counts = |all: &[(u64, u64)]| -> Vec<u64> {
            all.iter().flat_map(|(from, hours)| series(*from, *hours)).collect()
        };
        let doubtful = |own: &[i64]| own.iter().filter(|own| **own == -2).count();
        let table: [SeriesCase<'_>; 6] = [
            ("one", &[(5_000, 10)], 0),
            ("a day each", &[(5_000, 25), (90_000, 25)], 1),
            ("not yet", &[(5_000, 25), (90_000, 24)], 24),
            ("not before", &[(5_000, 24), (90_000, 25)], 24),
            ("neither", &[(5_000, 10), (90_000, 10)], 19),
            ("begun anew", &[(5_000, 10), (10, 10)], 1),
        ];
        for (what, all, expected) in table {
            assert_eq!(doubtful(&believed(&counts(all), hourly)), expected, "{what}");
        }
        // What fell to nothing counts again when it moves.
        let fell: Vec<u64> = series(5_000, 30).chain([0; 30]).chain(series(10, 30)).collect();
        assert_eq!(doubtful(&believed(&fell, hourly)), 30);
        // Nobody saw how the one gave way to the other.
        let apart = |n: usize| hourly(n) + if n < 10 { 0 } else { 180 };
        assert_eq!(doubtful(&believed(&counts(&[(5_000, 10), (90_000, 10)]), apart)), 1);
        // The clock was set back.
        let back = |n: usize| hourly(n) - if n < 10 { 0 } else { 1_000 };
        assert_eq!(doubtful(&believed(&counts(&[(5_000, 20)]), back)), 19);
    }

    #[test]
    fn counters_of_a_plant_that_go_over_at_once_are_not_their_own() {
        let line = |n: usize| Timestamp(3_600_000 * i64::try_from(n).unwrap());
        let of = |from: usize, to: usize, leads_away: bool| Series {
            lines: from..to,
            began: line(from),
            shown_ms: line(to).since(line(from)),
            leads_away,
        };
        // A series of some days, and another one behind it, which another counter begins so many hours later.
        let table: [(usize, bool, usize, bool, usize); 5] = [
            (400, true, 0, true, 372),
            (400, false, 0, true, 372),
            (400, false, 0, false, 0),
            (400, true, 1, true, 0),
            (100, false, 0, true, 100 + 372),
        ];
        for (shown, leads_away, later, other_leads, expected) in table {
            let own = [of(0, shown, false), of(shown, shown + 600, leads_away)];
            let begins = shown + later;
            let other = [of(0, begins, false), of(begins, begins + 600, other_leads)];
            let begun = Begun::of([&own[..], &other].into_iter());
            let found = not_its_own(&own, &begun, line, |_| false);
            assert!(found.len().abs_diff(expected) <= 1, "{shown} {later}: {}", found.len());
        }
    }
}
