//! Other series of readings that a counter shows for no longer than a day.

use super::{AWAY_MS, Counted, Join, Judge, Left, Oddity, STANDSTILL_MS, real};
use crate::history::Span;

/// A reading a day away, or so little more.
const SHOWN_MS: i64 = STANDSTILL_MS + 3 * AWAY_MS;
/// A counter that breaks off so many times within an hour shows no series of readings: what fits is chance.
const RESTLESS: usize = 4;
/// What shows a wrong power is judged to do so within this, milliseconds.
const FOUND_MS: i64 = 180_000;

impl Judge<'_> {
    /// What a device counted while it may have shown another counter is not known: where it may be of another series, as
    /// `others` says of each step; and while its power was judged to be wrong, from a break on or up to one, within a day.
    pub(super) fn distrust(
        &self,
        links: &mut [Result<Counted, Oddity>],
        joined: &mut Vec<Join>,
        breaks: &[usize],
        mut others: Vec<bool>,
    ) {
        let mut not_known = vec![false; links.len()];
        for own in breaks.iter().copied() {
            let mut behind = own + 1..links.len();
            let mut before = (0..own).rev();
            let ways: [&mut dyn Iterator<Item = usize>; 2] = [&mut behind, &mut before];
            for way in ways {
                for n in way {
                    let away = self.span(own.min(n + 1), n.max(own + 1)).length();
                    let is_wrong = self.marks[n + 1].drawn.is_wrong;
                    if away > STANDSTILL_MS || !is_wrong && away > FOUND_MS {
                        break;
                    }
                    not_known[n] |= is_wrong;
                }
            }
        }
        for (link, _) in links.iter_mut().zip(not_known).filter(|(_, own)| *own) {
            *link = link.and(Err(Oddity::Replaced));
        }
        // Whatever else is odd about another series: it is one thing.
        joined.retain(|join| {
            let own = join.from..join.to;
            let is_other = others[own.clone()].contains(&true);
            if is_other {
                others[own].fill(true);
            }
            !is_other
        });
        for (link, _) in links.iter_mut().zip(others).filter(|(_, own)| *own) {
            *link = Err(Oddity::Replaced);
        }
    }

    /// Which steps may be of another series of readings, all of it within a day. One that comes back a day later at most
    /// was away meanwhile, unless what the other one counted is what it lacks itself. Which of two is the counter's own is
    /// not known where one of them was not shown for a day: a reading lies a day away, or up to three hours more. What
    /// breaks off all the time is no series, and what fell to nothing and stands there is none either.
    pub(super) fn other_series(
        &self,
        alone: &[Result<Counted, Oddity>],
        breaks: &[usize],
    ) -> Vec<bool> {
        let mut others = vec![false; alone.len()];
        let mut comes_back = vec![false; alone.len()];
        for (n, from) in breaks.iter().enumerate() {
            let near = |to: &&usize| self.span(*from, **to + 1).length() <= STANDSTILL_MS;
            let mut later = breaks[n + 1..].iter().take_while(near).enumerate();
            if let Some((_, to)) = later.find(|(own, to)| self.is_back(*from, **to, *own > 0)) {
                (comes_back[*from], comes_back[*to]) = (true, true);
                if !self.is_the_same(alone, *from, *to) {
                    others[from + 1..*to].fill(true);
                }
            }
        }
        for own in breaks.windows(RESTLESS) {
            let (from, to) = (own[0], own[RESTLESS - 1]);
            if self.span(from, to + 1).length() <= AWAY_MS {
                others[from + 1..to].fill(true);
            }
        }
        let last = self.marks.len().saturating_sub(1);
        for own in breaks {
            let falls_to_nothing = self.marks[own + 1].wh == 0;
            let stands = |n: &usize| {
                self.marks[n + 1].wh == 0 && self.span(*own, n + 1).length() <= STANDSTILL_MS
            };
            if falls_to_nothing {
                (own + 1..last).take_while(stands).for_each(|n| others[n] = true);
            }
            if comes_back[*own] || !self.leads_away(*own) {
                continue;
            }
            let (from, to) = (self.marks[*own].at, self.marks[own + 1].at);
            if !self.is_read(Span::new(from.plus(STANDSTILL_MS), from.plus(SHOWN_MS))) {
                let near = |n: &usize| self.span(*own, n + 1).length() <= STANDSTILL_MS;
                (own + 1..last).take_while(near).for_each(|n| others[n] = true);
            }
            if !self.is_read(Span::new(to.plus(-SHOWN_MS), to.plus(-STANDSTILL_MS))) {
                let near = |n: &usize| self.span(*n, own + 1).length() <= STANDSTILL_MS;
                (0..*own).rev().take_while(near).for_each(|n| others[n] = true);
            }
        }
        others
    }

    /// Whether there is a reading from one moment to another.
    fn is_read(&self, span: Span) -> bool {
        let first = self.marks.partition_point(|mark| mark.at < span.from);
        self.marks.get(first).is_some_and(|mark| mark.at <= span.to)
    }

    /// Whether a break leads to another series while somebody watched: to more than can have been counted from nothing, or
    /// from what was shown before, in its own time and that of a standstill before it, a day at most.
    fn leads_away(&self, n: usize) -> bool {
        let fits = |from: usize, wh: i64| {
            let (.., rated) = self.bounds(from, n + 1);
            real(wh - self.meter.count_wh) <= rated
        };
        let (before, behind) = (self.marks[n].wh, self.marks[n + 1].wh);
        if self.marks[n + 1].drawn.is_unwatched {
            return false;
        }
        let stands = |from: &usize| {
            self.marks[*from].wh == before && self.span(*from, n + 1).length() <= STANDSTILL_MS
        };
        let since = (0..n).rev().take_while(stands).last().unwrap_or(n);
        if behind < before {
            !(fits(n, before - behind) || fits(since, behind))
        } else {
            !fits(since, behind - before)
        }
    }

    /// Whether one step leads away from a series of readings, and a later one back to where it can be by then: the other
    /// way, or `by_others`, from either side.
    fn is_back(&self, away: usize, back: usize, by_others: bool) -> bool {
        let step = |n: usize| self.marks[n + 1].wh - self.marks[n].wh;
        let counted = self.marks[back + 1].wh - self.marks[away].wh;
        let (.., rated) = self.bounds(away, back + 1);
        let fits = counted >= 0 && real(counted - self.meter.count_wh) <= rated;
        let turns = step(away).signum() * step(back).signum() < 0;
        fits && (turns || by_others && self.leads_away(away) && self.leads_away(back))
    }

    /// Whether the series between two breaks counted what the other one lacks, but for what can have flowed in the two.
    fn is_the_same(&self, alone: &[Result<Counted, Oddity>], away: usize, back: usize) -> bool {
        let (before, behind) = (self.marks[away].wh, self.marks[away + 1].wh);
        if !self.meter.is_its_own(before, behind, self.span(away, away + 1).length()) {
            return false;
        }
        let between = self.marks[back].wh - behind;
        let whole = self.marks[back + 1].wh - self.marks[away].wh;
        let mut left = Left { counted: whole - between, least: 0.0, most: 0.0 };
        self.leave(&mut left, away, away + 1);
        self.leave(&mut left, back, back + 1);
        alone[away + 1..back].iter().all(Result::is_ok) && left.can_be(0.0)
    }
}
