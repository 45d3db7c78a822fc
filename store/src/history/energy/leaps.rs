//! Another series of readings that a counter shows for days: a gateway whose addresses are shifted sends the register of
//! another counter.
//!
//! What lasts no longer than a day is found by all readings that are near ([`super::steps`]). What lasts longer is found
//! by two leaps, away and back, up to a month apart: each by more than can be counted in a day; or by leaps of several
//! counters of a station at once. Of a stretch of rows without such a leap the ends are enough, so that a month on
//! either side costs little to look at.

use signal::clock::{DAY_MS, Timestamp};

use super::meter::Meter;
use super::steps::{AWAY_MS, LONGEST_MS};
use crate::history::Span;
use crate::history::window::merged;

/// So far apart two leaps may be, milliseconds.
pub(super) const FAR_MS: i64 = LONGEST_MS;
/// So many leaps of a day (UTC) are looked at, up and down: what leaps more often shows no series of readings.
const OF_DAY: usize = 8;

/// So long what several counters went over to together is not known to be their own, and so is what they showed before,
/// milliseconds: half of what is looked at, so that what leads back is seen on either side.
pub(in crate::history) const DOUBT_MS: i64 = FAR_MS / 2;
/// Counters of a station that leap within this, milliseconds, do so together: they are read some scans apart.
pub(in crate::history) const TOGETHER_MS: i64 = 15 * 60_000;

/// A reading that is a number: when, and watt hours.
type Number = (Timestamp, i64);

/// From one reading to the next, by more than can be counted in a day.
#[derive(Debug, Clone, Copy)]
struct Leap {
    from: Number,
    to: Number,
}

impl Leap {
    fn is_up(&self) -> bool {
        self.to.1 > self.from.1
    }
}

/// Whether the first and the last of some readings are enough, of which the lowest and the highest are these: there is no
/// leap among them, and all are numbers.
pub(super) fn has_none(meter: &Meter, length_ms: i64, (low, high): (i64, i64)) -> bool {
    length_ms <= DAY_MS
        && high.saturating_sub(low) <= meter.at_most(DAY_MS)
        && !meter.has_stand_in(low, high)
}

/// When a counter went over to another series, and what it showed before and behind, for half a month at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over {
    at: Timestamp,
    pub(super) before: Span,
    pub(super) behind: Span,
}

impl Over {
    /// It had shown the one before for so long that it is its own.
    pub(super) fn had_its_own(&self) -> bool {
        self.before.length() >= DOUBT_MS
    }
}

/// Of counters of a station, what several of them did together: one meter may be replaced, several that go over at once are
/// addresses that were shifted, or put right.
pub(super) fn together(all: &[Vec<Over>]) -> Vec<Vec<Over>> {
    let of_one = |(n, own): (usize, &Vec<Over>)| {
        let is_shared = |over: &&Over| {
            let mut others = all.iter().enumerate().filter(|(other, _)| *other != n);
            let near = |other: &Over| other.at.since(over.at).abs() <= TOGETHER_MS;
            others.any(|(_, others)| others.iter().any(near))
        };
        own.iter().filter(is_shared).copied().collect()
    };
    all.iter().enumerate().map(of_one).collect()
}

/// The leaps of a counter.
pub(super) struct Leaps<'a> {
    meter: &'a Meter,
    /// When it was first read.
    first: Option<Timestamp>,
    last: Option<Number>,
    all: Vec<Leap>,
}

impl<'a> Leaps<'a> {
    pub(super) fn of(meter: &'a Meter) -> Self {
        Self { meter, first: None, last: None, all: Vec::new() }
    }

    /// Takes the next reading that is a number.
    pub(super) fn take(&mut self, at: Timestamp, wh: i64) {
        let to = (at, wh);
        self.first.get_or_insert(at);
        let Some(from) = self.last.filter(|last| last.0 < at) else {
            self.last = self.last.or(Some(to));
            return;
        };
        self.last = Some(to);
        if !self.is_leap(from, to) {
            return;
        }
        let leap = Leap { from, to };
        // What is back within an hour was only away.
        let near = self.all.partition_point(|own| at.since(own.from.0) > AWAY_MS);
        if let Some(away) = self.all[near..].iter().position(|own| self.follows(own.from, to)) {
            self.all.truncate(near + away);
            return;
        }
        let day = |own: &Leap| own.to.0.0.div_euclid(DAY_MS);
        let of_day = self.all.iter().rev().take_while(|own| day(own) == day(&leap));
        if of_day.filter(|own| own.is_up() == leap.is_up()).count() < OF_DAY {
            self.all.push(leap);
        }
    }

    fn is_leap(&self, from: Number, to: Number) -> bool {
        let (counted, ms) = (to.1 - from.1, to.0.since(from.0));
        let begins_again = self.meter.wraps.iter().any(|wrap| {
            from.1 < wrap.wh && (0..=self.meter.at_most(ms)).contains(&(counted + wrap.wh))
        });
        match counted {
            0.. => counted > self.meter.at_most(ms.max(DAY_MS)),
            _ => -counted > self.meter.at_most(DAY_MS) && !begins_again,
        }
    }

    /// Whether one reading can be counted on from another one.
    fn follows(&self, from: Number, to: Number) -> bool {
        (0..=self.meter.at_most(to.0.since(from.0))).contains(&(to.1 - from.1))
    }

    /// When another series was shown for more than a day: from a leap away to the first one back to where the counter can
    /// be by then, else to the last one to a register that began anew meanwhile. Where the other one is the counter's own,
    /// and counted what the first one lacks, nothing is lost.
    pub(super) fn others(&self) -> Vec<Span> {
        merged((0..self.all.len()).filter_map(|n| self.from(n)))
    }

    /// Leaps to a series that is neither its own, nor one that was shown before or is left for it again within half a month.
    pub(super) fn over(&self) -> Vec<Over> {
        let near = |a: &Leap, b: &Leap| b.to.0.since(a.from.0) <= DOUBT_MS;
        let comes_back = |a: &Leap, b: &Leap| near(a, b) && self.follows(a.from, b.to);
        let is_over = |n: &usize| {
            let leap = &self.all[*n];
            let step_ms = leap.to.0.since(leap.from.0);
            !self.meter.is_its_own(leap.from.1, leap.to.1, step_ms)
                && !self.all[..*n].iter().any(|before| comes_back(before, leap))
                && !self.all[n + 1..].iter().any(|behind| comes_back(leap, behind))
        };
        let shown = |n: usize| {
            let leap = &self.all[n];
            let before = n.checked_sub(1).map(|before| self.all[before].to.0).or(self.first);
            let since = before.unwrap_or(leap.from.0).max(leap.from.0.plus(-DOUBT_MS));
            let doubted = leap.to.0.plus(DOUBT_MS);
            let until = self.all.get(n + 1).map_or(doubted, |next| next.from.0.min(doubted));
            let (before, behind) = (Span::new(since, leap.from.0), Span::new(leap.to.0, until));
            Over { at: leap.to.0, before, behind }
        };
        (0..self.all.len()).filter(is_over).map(shown).collect()
    }

    /// The same from one leap on.
    fn from(&self, n: usize) -> Option<Span> {
        let away = &self.all[n];
        let near = |own: &&Leap| own.to.0.since(away.from.0) <= FAR_MS;
        let later: Vec<&Leap> = self.all[n + 1..].iter().take_while(near).collect();
        // From series to series it may come back from either side.
        let turns = |own: usize| own > 0 || later[own].is_up() != away.is_up();
        let is_back = |own: &usize| turns(*own) && self.follows(away.from, later[*own].to);
        // What leads from a series that was not shown for a day may itself lead back.
        let since = n.checked_sub(1).map(|before| self.all[before].to.0).or(self.first)?;
        let began_anew =
            |leap: &Leap| leap.to.1 <= self.meter.at_most(leap.to.0.since(away.from.0));
        let is_left = away.from.0.since(since) >= DAY_MS && !began_anew(away);
        let between = (0..later.len())
            .find(is_back)
            .or_else(|| (0..later.len()).rev().find(|own| is_left && began_anew(later[*own])))?;
        let back = later[between];
        let is_far = back.to.0.since(away.from.0) > DAY_MS;
        let step_ms = away.to.0.since(away.from.0);
        let lacks = (back.to.1 - away.from.1) - (back.from.1 - away.to.1);
        let in_leaps = back.to.0.since(back.from.0) + step_ms;
        let is_the_same = between == 0
            && self.meter.is_its_own(away.from.1, away.to.1, step_ms)
            && (0..=self.meter.at_most(in_leaps)).contains(&lacks);
        (is_far && !is_the_same).then(|| Span::new(away.to.0, back.from.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// Hourly readings in megawatt hours; a counter of 30 MW.
    fn others(hours: i64, shown: impl Fn(i64) -> i64) -> Vec<(i64, i64)> {
        let meter = Meter::for_trial(30_000.0, 50.0);
        let mut leaps = Leaps::of(&meter);
        for hour in 0..hours {
            leaps.take(Timestamp(hour * HOUR), 1_000_000 * shown(hour));
        }
        leaps.others().iter().map(|own| (own.from.0 / HOUR, own.to.0 / HOUR)).collect()
    }

    #[test]
    fn what_a_counter_shows_of_another_one_for_days_is_found() {
        // Two counters of 3 and of 8 MW, which show this; when the second one is shown in place of the first one.
        let (one, other) = (|hour| 500_000 + 3 * hour, |hour| 90_000 + 8 * hour);
        let table = [
            ("never", 0..0, 1_000, vec![]),
            ("for a day", 100..123, 1_000, vec![]),
            ("for more", 100..130, 1_000, vec![(100, 129)]),
            ("for a month", 100..843, 1_000, vec![(100, 842)]),
            ("for longer", 100..844, 1_000, vec![]),
            ("still", 100..1_000, 1_000, vec![]),
        ];
        for (what, at, hours, expected) in table {
            let shown = |hour| if at.contains(&hour) { other(hour) } else { one(hour) };
            assert_eq!(others(hours, shown), expected, "{what}");
            // The one below in place of the one above, and the other way round.
            let shown = |hour| if at.contains(&hour) { one(hour) } else { other(hour) };
            assert_eq!(others(hours, shown), expected, "{what}, turned round");
        }
    }

    #[test]
    fn a_counter_may_come_back_by_way_of_others_or_begun_anew() {
        let one = |hour: i64| 500_000 + 3 * hour;
        // From one to another that counts as much, to a third one, below and above, and back.
        for level in [20_000, 200_000, 900_000] {
            let shown = |hour: i64| match hour {
                100..150 => 90_000 + 3 * hour,
                150..200 => level + 5 * hour,
                _ => one(hour),
            };
            assert_eq!(others(500, shown), [(100, 199)], "{level}");
        }
        // Its own register began anew meanwhile.
        let anew = |hour: i64| match hour {
            100..150 => 900_000 + 3 * hour,
            150.. => 3 * (hour - 120),
            _ => one(hour),
        };
        assert_eq!(others(500, anew), [(100, 149)]);
        // It begins anew each day for some hours, and is what it was in between.
        let daily = |hour: i64| match hour % 24 {
            0..3 => 3 * (hour % 24),
            _ => one(hour),
        };
        assert_eq!(others(500, daily), []);
    }

    #[test]
    fn several_counters_that_go_over_at_once_are_no_replaced_meters() {
        let meter = Meter::for_trial(30_000.0, 50.0);
        // Counters that show something else from an hour on, for so many hours of a record.
        let over = |counters: &[(i64, i64, i64)], hours: i64| -> Vec<Vec<(i64, i64)>> {
            let of_one = |(from, until, other): &(i64, i64, i64)| {
                let mut leaps = Leaps::of(&meter);
                for hour in 0..hours {
                    let is_away = (*from..*until).contains(&hour);
                    let shown = if is_away { *other } else { 500_000 } + 3 * hour;
                    leaps.take(Timestamp(hour * HOUR), 1_000_000 * shown);
                }
                leaps.over()
            };
            let all: Vec<Vec<Over>> = counters.iter().map(of_one).collect();
            let hours = |own: &Span| (own.from.0 / HOUR, own.to.0 / HOUR);
            let shown = |own: &Over| [own.before, own.behind].map(|span| hours(&span));
            together(&all).iter().map(|own| own.iter().flat_map(shown).collect()).collect()
        };
        let (never, doubted) = (1_000_000, 372);
        // Alone; together, soon and long after the record began; not at once; to nothing; and back.
        assert_eq!(over(&[(100, never, 90_000), (5_000, never, 0)], 2_000), [vec![], vec![]]);
        let both = [(100, never, 90_000), (100, never, 20_000)];
        let expected = vec![(0, 99), (100, 100 + doubted)];
        assert_eq!(over(&both, 2_000), [expected.clone(), expected]);
        let both = [(800, never, 90_000), (800, never, 20_000)];
        let expected = vec![(799 - doubted, 799), (800, 800 + doubted)];
        assert_eq!(over(&both, 2_000), [expected.clone(), expected]);
        let apart = [(800, never, 90_000), (801, never, 20_000)];
        assert_eq!(over(&apart, 2_000), [vec![], vec![]]);
        let anew = [(800, never, -2_400), (800, never, -2_400)];
        assert_eq!(over(&anew, 2_000), [vec![], vec![]]);
        let back = [(800, 1_100, 90_000), (800, 1_100, 20_000)];
        assert_eq!(over(&back, 2_000), [vec![], vec![]]);
    }

    #[test]
    fn a_meter_that_was_replaced_or_is_its_own_is_no_other_series() {
        let own = |hour: i64| 500_000 + 3 * hour;
        let meanwhile = 100..200;
        // Replaced by a new one; begun anew for a while; cut to fewer digits for a while; a register that was full.
        assert_eq!(others(500, |hour| if hour < 100 { own(hour) } else { 3 * hour }), []);
        let anew = |hour| if meanwhile.contains(&hour) { 3 * (hour - 99) } else { own(hour) };
        assert_eq!(others(500, anew), []);
        let cut = |hour| if meanwhile.contains(&hour) { own(hour) % 10_000 } else { own(hour) };
        assert_eq!(others(500, cut), []);
        assert_eq!(others(500, |hour| (99_800 + 3 * hour) % 100_000), []);
        // What leaps all the time shows none.
        assert!(others(2_000, |hour| (hour * 7_919 % 13) * 50_000).len() < 100);
    }
}
