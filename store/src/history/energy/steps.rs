//! What a counter added between two readings, and whether that can be.
//!
//! A step leads from one reading to the next. It can be when no more was counted than can flow through the bay in
//! that time, and about as much as the measured power of the bay says. Where it cannot, the counter may only
//! have been away for a moment (nothing, a code for "not available", a wrong value): the reading before and the
//! first one that can follow it are then joined. Otherwise the step is not known, and counting goes on from
//! the new value. A counter that lost or gained a little may have come back to what it showed before while
//! no reading came: what a gap may hide of that is not known either. Whatever is decided hangs on readings at
//! most [`CONTEXT_MS`] beyond the steps before and behind, so that it is the same whichever window is asked for.

mod by_power;
mod others;

use std::collections::{BTreeMap, VecDeque};

use config::Lang;
use signal::clock::Timestamp;

use super::meter::Meter;
use crate::history::Span;
use crate::history::window::{merged, touches};
pub(super) use by_power::ByPower;

/// A counter that shows something else for no longer than this was only away.
pub(super) const AWAY_MS: i64 = 3_600_000;
/// What stands for "not available" counts when no other number came for so long.
pub(super) const STANDS_IN_MS: i64 = 2 * AWAY_MS;
/// Readings further apart than this are not joined: too much may have happened.
pub(super) const LONGEST_MS: i64 = 31 * 86_400_000;
/// A standstill is held against the power of so much time on either side: the load has a daily cycle, and at
/// night less may flow than power can prove.
const STANDSTILL_MS: i64 = 86_400_000;
/// How far from a step lies what decides about it: a break a day away at most, and a standstill a day away from that.
pub(super) const CONTEXT_MS: i64 = 2 * STANDSTILL_MS + 3 * AWAY_MS;
/// What counted and measured energy may be apart, of either: a counter of class 0.5 S (IEC 62053-22), and for the
/// power a current transformer at low load (1.5 % at a twentieth of its rating, IEC 61869-2 class 0.5) and a
/// voltage transformer (0.5 %, IEC 61869-3).
const CLASSES: f64 = 0.025;
/// Counter and power are read at moments that differ by no more, milliseconds.
pub(super) const APART_MS: i64 = 2_000;
/// A register that may have begun again counted at most this part of itself meanwhile.
pub(super) const WRAP_PART: i64 = 16;

/// What came of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A reading, watt hours.
    Count(i64),
    /// The device says that it has none, or the bits are none.
    NoValue,
    /// The device says that it cannot be used.
    Flagged,
    /// Outside what the contract says can be.
    OutOfRange,
    /// A code for "not available".
    NotAvailable,
}

/// A reading of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) at: Timestamp,
    pub(super) said: Said,
}

/// What the measured power says of the time since the reading before, watt hours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Drawn {
    /// When between two values the lower one held all the time.
    pub(super) least: f64,
    /// When the higher one did.
    pub(super) most: f64,
    /// Milliseconds in which the power was known.
    pub(super) known_ms: i64,
    /// Milliseconds in which current flowed in the bay, and was not counted the other way.
    pub(super) carried_ms: i64,
    /// The power was measured, and judged to be wrong: so may be what else the same device shows.
    pub(super) is_wrong: bool,
    /// Nobody watched for some of it.
    pub(super) is_unwatched: bool,
}

impl Drawn {
    /// Adds what it says of the time up to the next reading.
    fn add(&mut self, more: &Self) {
        self.least += more.least;
        self.most += more.most;
        self.known_ms += more.known_ms;
        self.carried_ms += more.carried_ms;
        self.is_wrong |= more.is_wrong;
        self.is_unwatched |= more.is_unwatched;
    }
}

/// From one reading to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub span: Span,
    /// What was counted, watt hours; `None`: not known.
    pub wh: Option<i64>,
}

/// What is odd about a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// It began again at nothing.
    Reset,
    /// It shows another register: the meter was replaced, or something else is sent.
    Replaced,
    /// It stepped back by less than can flow between two readings.
    StepBack,
    /// It added more than can flow through its bay.
    Jump,
    /// It added what does not agree with the measured power.
    AgainstPower,
    /// It stood still while power flowed, or was not measured.
    Frozen,
    /// Its register was full and began again.
    Wrapped,
    /// It said that it has no value, by a code or by nothing at all.
    NotAvailable,
    /// Its values were marked as not good.
    Flagged,
    /// Its values were outside their range.
    OutOfRange,
    /// No reading for too long to tell what was counted.
    TooLong,
    /// The first reading of the period tells of a longer time before it.
    Gap,
    /// It was read at the ends of a long time alone, and the station needs a part of that.
    EndsAlone,
}

impl Oddity {
    /// What operators read.
    pub fn text(self, lang: Lang) -> &'static str {
        let (vi, en) = match self {
            Self::Reset => ("công tơ về không", "began again at nothing"),
            Self::Replaced => (
                "nhảy sang chỉ số khác (thay công tơ?)",
                "shows another register (meter replaced?)",
            ),
            Self::StepBack => ("chỉ số lùi", "stepped back"),
            Self::Jump => {
                ("tăng nhiều hơn ngăn lộ có thể tải", "added more than its bay can carry")
            }
            Self::AgainstPower => ("mâu thuẫn với công suất đo", "contradicts the measured power"),
            Self::Frozen => (
                "đứng số khi có công suất hoặc không đo được công suất",
                "stood still while power flowed or was not measured",
            ),
            Self::Wrapped => ("tràn số, đếm lại từ đầu", "was full and began again"),
            Self::NotAvailable => (
                "không có giá trị (mã \"không có\", hoặc về 0 chốc lát)",
                "had no value (a code for it, or nothing for a moment)",
            ),
            Self::Flagged => ("thiết bị báo xấu", "flagged by the device"),
            Self::OutOfRange => ("ngoài dải", "out of range"),
            Self::TooLong => ("không có số liệu quá lâu", "no reading for too long"),
            Self::Gap => (
                "bước đầu kỳ gồm cả thời gian trước kỳ",
                "the first step tells of time before the period",
            ),
            Self::EndsAlone => (
                "chỉ có chỉ số ở hai đầu: trạm không tách được phần cùng lúc với các công tơ khác",
                "read at both ends alone: what of it belongs to the time of the station's other counters is not known",
            ),
        };
        match lang {
            Lang::Vi => vi,
            Lang::En => en,
        }
    }
}

/// Something odd about a counter, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Odd {
    /// What.
    pub what: Oddity,
    /// From the last reading before to the first one behind it.
    pub span: Span,
    /// What was counted over it is known nevertheless.
    pub is_known: bool,
}

/// Every step of a counter, and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Judged {
    pub(super) steps: Vec<Step>,
    pub(super) odd: Vec<Odd>,
    /// The place of the latest of each kind, and of whether what was counted is known.
    latest: BTreeMap<(Oddity, bool), usize>,
}

/// A reading that is a number, with what the power says of all time up to it.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Timestamp,
    wh: i64,
    drawn: Drawn,
    /// Why readings before it, since the mark before, are none.
    skipped: Option<Oddity>,
}

/// A step that can be: what was counted, and whether the register began again.
type Counted = (i64, bool);

/// Judges the readings of a counter, which are in the order of time; `drawn` has one entry for each.
pub(super) fn steps(meter: &Meter, readings: &[Reading], drawn: &[Drawn]) -> Judged {
    let marks = marks(meter, readings, drawn);
    let judge = Judge { meter, marks: &marks };
    // What each step says by itself, and then what else speaks against it.
    let alone: Vec<Result<Counted, Oddity>> =
        (1..marks.len()).map(|n| judge.link(n - 1, n)).collect();
    let mut links = alone.clone();
    judge.stand_still(&mut links);
    let (mut joined, unclear) = judge.joins(&links);
    let breaks = breaks(&alone, &joined);
    judge.doubt(&mut links, &mut joined);
    let others = judge.other_series(&alone, &breaks);
    judge.distrust(&mut links, &mut joined, &breaks, others);
    let mut found = Judged::default();
    let mut next = 0;
    for join in joined {
        judge.walk(&mut found, &links, next..join.from, &unclear);
        judge.join(&mut found, &links, join);
        next = join.to;
    }
    judge.walk(&mut found, &links, next..marks.len().saturating_sub(1), &unclear);
    found
}

/// The readings that are numbers.
fn marks(meter: &Meter, readings: &[Reading], drawn: &[Drawn]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut sum = Drawn::default();
    let mut skipped = None;
    // The last number that is none of those that stand for "not available".
    let mut number: Option<Mark> = None;
    for (reading, more) in readings.iter().zip(drawn) {
        sum.add(more);
        if marks.last().is_some_and(|last| reading.at <= last.at) {
            continue;
        }
        let mark = |wh| Mark { at: reading.at, wh, drawn: sum, skipped };
        let before = marks.len();
        let odd = match reading.said {
            Said::Count(wh) if meter.is_stand_in(wh) => {
                // One that shows it for longer does count from there.
                let near = |number: &Mark| reading.at.since(number.at) <= STANDS_IN_MS;
                let can_follow = number.filter(near).is_none_or(|number| {
                    let pair = [number, mark(wh)];
                    Judge { meter, marks: &pair }.link(0, 1).is_ok()
                });
                if can_follow {
                    marks.push(mark(wh));
                    None
                } else {
                    Some(Oddity::NotAvailable)
                }
            }
            Said::Count(wh) => {
                marks.push(mark(wh));
                number = marks.last().copied();
                None
            }
            Said::NoValue | Said::NotAvailable => Some(Oddity::NotAvailable),
            Said::Flagged => Some(Oddity::Flagged),
            Said::OutOfRange => Some(Oddity::OutOfRange),
        };
        if marks.len() > before {
            (sum.is_wrong, sum.is_unwatched) = (false, false);
        }
        skipped = if odd.is_some() { skipped.or(odd) } else { None };
    }
    without_stand_ins(meter, &mut marks);
    marks
}

/// Takes out what stands for "not available" between two numbers of which the later goes on from the earlier one, but not
/// from what stands between them: a nothing may come just when the register could have begun again.
fn without_stand_ins(meter: &Meter, marks: &mut Vec<Mark>) {
    let is_number = |mark: &Mark| !meter.is_stand_in(mark.wh);
    let mut kept: Vec<Mark> = Vec::with_capacity(marks.len());
    // The last number, by its place among those kept.
    let mut number: Option<usize> = None;
    for mut mark in marks.drain(..) {
        if is_number(&mark) {
            if let Some(place) = number.filter(|place| place + 1 < kept.len()) {
                let goes_on = |from: Mark| Judge { meter, marks: &[from, mark] }.link(0, 1);
                let is_near = mark.at.since(kept[place].at) <= STANDS_IN_MS;
                let is_away = is_near
                    && matches!(goes_on(kept[place]), Ok((_, false)))
                    && goes_on(kept[kept.len() - 1]).is_err();
                if is_away {
                    mark.skipped = Some(Oddity::NotAvailable);
                    kept.truncate(place + 1);
                }
            }
            number = Some(kept.len());
        }
        kept.push(mark);
    }
    *marks = kept;
}

/// Two readings, by their places, between which the counter was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Join {
    from: usize,
    to: usize,
    counted: Counted,
}

/// Whether a step lies in a join; these are in order.
fn is_joined(joined: &[Join], step: usize) -> bool {
    let next = joined.partition_point(|join| join.to <= step);
    joined.get(next).is_some_and(|join| join.from <= step)
}

/// Steps that cannot be by themselves, and not for a moment: what they say hangs on nothing else.
fn breaks(alone: &[Result<Counted, Oddity>], joined: &[Join]) -> Vec<usize> {
    let is_break = |link: &Result<Counted, Oddity>| matches!(link, Err(why) if !matches!(why, Oddity::Frozen | Oddity::TooLong));
    let steps = alone.iter().enumerate();
    let found = steps.filter(|(n, link)| is_break(link) && !is_joined(joined, *n));
    found.map(|(n, _)| n).collect()
}

/// What was counted in some steps, and what can have flowed in them, watt hours.
struct Left {
    counted: i64,
    least: f64,
    most: f64,
}

impl Left {
    /// Whether it can be when so much of it is made good elsewhere.
    fn can_be(&self, off: f64) -> bool {
        let flowed = real(self.counted) + off;
        flowed >= self.least && flowed <= self.most
    }
}

struct Judge<'a> {
    meter: &'a Meter,
    marks: &'a [Mark],
}

impl Judge<'_> {
    fn span(&self, from: usize, to: usize) -> Span {
        Span::new(self.marks[from].at, self.marks[to].at)
    }

    /// What can have flowed between two readings: at least, and at most; and at most by the rating alone.
    fn bounds(&self, from: usize, to: usize) -> (f64, f64, f64) {
        let ms = self.marks[to].at.since(self.marks[from].at).max(0);
        let rated = flowing(self.meter.most_kw, ms) + flowing(self.meter.most_kw, APART_MS);
        let (least, most) = self.measured(from, to);
        (least, most.min(rated), rated)
    }

    /// The same by the power, and by the rating where that is not known.
    fn measured(&self, from: usize, to: usize) -> (f64, f64) {
        let (a, b) = (&self.marks[from], &self.marks[to]);
        let ms = b.at.since(a.at).max(0);
        let known = (b.drawn.known_ms - a.drawn.known_ms).clamp(0, ms);
        let error = flowing(self.meter.power_error_kw, known);
        let (least, most) = (b.drawn.least - a.drawn.least, b.drawn.most - a.drawn.most);
        let apart = flowing(self.meter.most_kw, APART_MS);
        let at_least = least * (1.0 - CLASSES) - error - apart;
        let unknown = flowing(self.meter.most_kw, ms - known);
        let at_most = most * (1.0 + CLASSES) + error + apart + unknown;
        (at_least.max(0.0), at_most)
    }

    /// What was counted from one reading to another, when that can be.
    fn link(&self, from: usize, to: usize) -> Result<Counted, Oddity> {
        let (a, b) = (&self.marks[from], &self.marks[to]);
        if b.at.since(a.at) > LONGEST_MS {
            return Err(Oddity::TooLong);
        }
        let (least, most, rated) = self.bounds(from, to);
        // A count is told when it is full, at either end.
        let fits = |wh: i64, most: f64| real(wh - self.meter.count_wh) <= most;
        let enough = |wh: i64| real(wh + self.meter.count_wh) >= least;
        let counted = b.wh - a.wh;
        if counted >= 0 {
            return match () {
                () if !fits(counted, rated) => Err(Oddity::Jump),
                () if counted == 0 && !enough(counted) => Err(Oddity::Frozen),
                () if !fits(counted, most) || !enough(counted) => Err(Oddity::AgainstPower),
                () => Ok((counted, false)),
            };
        }
        let proven = least > 0.0;
        // What shows values that cannot be meanwhile is no register that was full.
        let is_read = b.skipped != Some(Oddity::OutOfRange);
        let wrapped = self.meter.wraps.iter().find_map(|wrap| {
            let counted = counted + wrap.wh;
            let near = a.wh < wrap.wh && counted >= 0 && counted <= wrap.wh / WRAP_PART;
            let can_be = is_read && near && fits(counted, most) && enough(counted);
            (can_be && (wrap.is_declared || proven)).then_some(counted)
        });
        match wrapped {
            Some(counted) => Ok((counted, true)),
            None if fits(-counted, rated) && b.wh > 0 => Err(Oddity::StepBack),
            // It began at nothing and counted on for an hour at most.
            None if fits(b.wh, flowing(self.meter.most_kw, AWAY_MS)) => Err(Oddity::Reset),
            None => Err(Oddity::Replaced),
        }
    }

    /// Finds standstills in which power flowed: what each step alone cannot prove, the whole does.
    fn stand_still(&self, links: &mut [Result<Counted, Oddity>]) {
        let mut first = 0;
        while first < links.len() {
            let value = self.marks[first].wh;
            let mut end = first;
            let goes_on = |n: usize| {
                self.marks[n + 1].wh == value && self.span(n, n + 1).length() <= LONGEST_MS
            };
            while end < links.len() && goes_on(end) {
                end += 1;
            }
            if first == end {
                first += 1;
                continue;
            }
            // Readings first to end are the same.
            let caught_up = self.caught_up(links, (first, end));
            let stood = self.stood(first, end);
            // How many steps before a reading have a power that is wrong.
            let mut wrong = vec![0];
            for n in first..end {
                wrong.push(wrong[n - first] + usize::from(self.marks[n + 1].drawn.is_wrong));
            }
            let (mut low, mut high) = (first, first);
            for (n, link) in links.iter_mut().enumerate().take(end).skip(first) {
                let span = self.span(n, n + 1);
                while span.to.since(self.marks[low].at) > STANDSTILL_MS && low < n {
                    low += 1;
                }
                high = high.max(n + 1);
                while high < end && self.marks[high + 1].at.since(span.from) <= STANDSTILL_MS {
                    high += 1;
                }
                let is_long = self.span(low, high).length() > self.meter.freeze_ms;
                let made_good = caught_up.is_some_and(|from| n >= from);
                let is_wrong = wrong[high - first] > wrong[low - first];
                let is_unsure = is_long && (is_wrong || self.is_unmeasured(n));
                if stood[n - first] || is_unsure || made_good {
                    *link = Err(Oddity::Frozen);
                }
            }
            // It stood still some time within the step before.
            if links[first] == Err(Oddity::Frozen) && first > 0 {
                let before = &mut links[first - 1];
                if matches!(before, Ok(_) | Err(Oddity::AgainstPower)) {
                    *before = Err(Oddity::Frozen);
                }
            }
            // What it adds when it moves again may be of that time, too.
            if end < links.len() && links[end - 1] == Err(Oddity::Frozen) {
                links[end] = links[end].and(Err(Oddity::AgainstPower));
            }
            first = end;
        }
    }

    /// From where on what a step adds at the end of a standstill, which is more than can have flowed in it, may have
    /// flowed: within a day.
    fn caught_up(
        &self,
        links: &[Result<Counted, Oddity>],
        (first, end): (usize, usize),
    ) -> Option<usize> {
        let out = links.get(end).filter(|_| first < end)?;
        let is_more = self.marks[end + 1].wh > self.marks[end].wh
            && matches!(out, Err(Oddity::Jump | Oddity::AgainstPower));
        let from = (first..end).find(|n| self.span(*n, end + 1).length() <= STANDSTILL_MS)?;
        (is_more && self.link(from, end + 1).is_ok()).then_some(from)
    }

    /// Whether power was not measured for some of a step, and more may have flowed in that than a count.
    fn is_unmeasured(&self, step: usize) -> bool {
        let (a, b) = (&self.marks[step], &self.marks[step + 1]);
        let unknown = b.at.since(a.at) - (b.drawn.known_ms - a.drawn.known_ms);
        unknown > APART_MS && flowing(self.meter.most_kw, unknown) > real(self.meter.count_wh)
    }

    /// For each step of a standstill, whether something says of any part of it, within a day on either side, that the
    /// counter should have moved: the power that something flowed for certain, or for so long that the register should have
    /// worked more than a device shows of nothing; or the current, for as long, whatever the power says. Then one of them
    /// is wrong.
    fn stood(&self, first: usize, end: usize) -> Vec<bool> {
        let counted = real(self.meter.count_wh) + flowing(self.meter.most_kw, APART_MS);
        let more_than = |off_kw: f64| {
            move |drawn: &Drawn| drawn.least * (1.0 - CLASSES) - flowing(off_kw, drawn.known_ms)
        };
        let for_certain = more_than(self.meter.power_error_kw);
        let for_long = more_than(self.meter.power_nothing_kw);
        let carried = |drawn: &Drawn| real(drawn.carried_ms);
        let long = self.meter.freeze_ms;
        let said = [
            self.parts((first, end), for_certain, counted, 0),
            self.parts((first, end), for_long, counted, long),
            self.parts((first, end), carried, real(long) - 1.0, long),
        ];
        (0..end - first).map(|n| said.iter().any(|own| own[n])).collect()
    }

    /// The same by one of these: where `flowed` grows by more than `proof` in a part that lasts so long at least. The
    /// shortest parts are looked for: what the power may be off by grows with time, so that hours without load behind it
    /// would hide what flowed.
    fn parts(
        &self,
        (first, end): (usize, usize),
        flowed: impl Fn(&Drawn) -> f64,
        proof: f64,
        shortest_ms: i64,
    ) -> Vec<bool> {
        let least = |n: usize| flowed(&self.marks[n].drawn);
        // How many parts begin to speak of a step less those that cease to.
        let mut change = vec![0_i32; end - first + 1];
        // Readings from which a part may begin, from the earliest on, which has the least.
        let mut begins: VecDeque<usize> = VecDeque::new();
        let of_it = &self.marks[first..=end];
        let mut next = first;
        for to in first..=end {
            while next < to && self.span(next, to).length() >= shortest_ms {
                while begins.back().is_some_and(|n| least(*n) >= least(next)) {
                    begins.pop_back();
                }
                begins.push_back(next);
                next += 1;
            }
            let mut from = None;
            while begins.front().is_some_and(|n| least(to) - least(*n) > proof) {
                from = begins.pop_front();
            }
            if let Some(from) = from {
                let low =
                    of_it.partition_point(|own| self.marks[to].at.since(own.at) > STANDSTILL_MS);
                let high =
                    of_it.partition_point(|own| own.at.since(self.marks[from].at) <= STANDSTILL_MS);
                if low + 1 < high {
                    change[low] += 1;
                    change[high - 1] -= 1;
                }
            }
        }
        let mut parts = 0;
        change
            .iter()
            .take(end - first)
            .map(|more| {
                parts += more;
                parts > 0
            })
            .collect()
    }

    /// Where a counter was away: each break and the first reading that joins the one before it. Also what lies
    /// between breaks that cannot be told apart: two series of readings in turn.
    fn joins(&self, links: &[Result<Counted, Oddity>]) -> (Vec<Join>, Vec<(usize, usize)>) {
        let mut joins: Vec<Join> = Vec::new();
        for (from, link) in links.iter().enumerate() {
            let Err(why) = link else { continue };
            // A standstill is one break, at its beginning.
            let before = from.checked_sub(1).map(|before| links[before]);
            if *why == Oddity::Frozen && before == Some(Err(Oddity::Frozen)) {
                continue;
            }
            let back = matches!(why, Oddity::StepBack).then_some(self.marks[from].wh);
            let near = |to: &usize| self.span(from, *to).length() <= AWAY_MS;
            let returns = (from + 2..self.marks.len()).take_while(near).find_map(|to| {
                let wh = self.marks[to].wh;
                // A counter that stands still has not returned: it does when it moves again.
                let stands = links[to - 1] == Err(Oddity::Frozen);
                let breaks = links[to - 1].is_err() && !stands;
                // Two readings that came in the wrong order: the next one is beyond both.
                let passes = to == from + 2
                    && back.is_some_and(|before| wh >= before)
                    && !self.step_hides(from + 1, self.off(from, from + 1));
                let is_back = breaks || passes;
                let counted = is_back.then(|| self.link(from, to))?.ok()?;
                let left = self.left(links, (from, to), counted.0);
                // What the first break lost may be lost for good, and something later is what came back.
                let lost = if *why == Oddity::Frozen { 0.0 } else { -self.off(from, from + 1) };
                let is_clear = left.can_be(0.0) && !self.hides(self.span(from, to), &left, lost);
                let is_whole = passes || is_clear;
                is_whole.then_some(Join { from, to, counted })
            });
            // What lies within another one is part of it.
            match (returns, joins.last()) {
                (Some(join), Some(last)) if join.to <= last.to => {}
                (Some(join), _) => joins.push(join),
                (None, _) => {}
            }
        }
        let mut unclear: Vec<(usize, usize)> = Vec::new();
        let mut is_clear = vec![true; joins.len()];
        for (n, pair) in joins.windows(2).enumerate() {
            if pair[1].from < pair[0].to {
                (is_clear[n], is_clear[n + 1]) = (false, false);
                unclear.push((pair[0].from, pair[1].to));
            }
        }
        let clear = joins.into_iter().zip(is_clear).filter(|(_, clear)| *clear);
        (clear.map(|(join, _)| join).collect(), unclear)
    }

    /// What a join counted in the steps in which the counter was away: those in which it counted well are taken at
    /// their word, so that no loss hides in what the power leaves open over an hour.
    fn left(
        &self,
        links: &[Result<Counted, Oddity>],
        (from, to): (usize, usize),
        counted: i64,
    ) -> Left {
        let mut left = Left { counted, least: 0.0, most: 0.0 };
        let mut away = None;
        for (n, link) in links.iter().enumerate().take(to).skip(from) {
            match link {
                Ok((well, _)) if *well > 0 => {
                    left.counted -= well;
                    if let Some(since) = away.take() {
                        self.leave(&mut left, since, n);
                    }
                }
                _ => _ = away.get_or_insert(n),
            }
        }
        if let Some(since) = away {
            self.leave(&mut left, since, to);
        }
        left
    }

    /// Adds what can have flowed between two readings.
    fn leave(&self, left: &mut Left, from: usize, to: usize) {
        let (least, most, _) = self.bounds(from, to);
        left.least += least - real(self.meter.count_wh);
        left.most += most + real(self.meter.count_wh);
    }

    /// What no step shows, watt hours: its readings and the power are not of the same moment, and counts are whole.
    fn unseen(&self) -> f64 {
        2.0 * (flowing(self.meter.most_kw, APART_MS) + real(self.meter.count_wh))
    }

    /// By how much less (below nothing) or more was counted between two readings than flowed, watt hours: the
    /// least that it can be and that is of consequence; nothing where it cannot be of any.
    fn off(&self, from: usize, to: usize) -> f64 {
        let (least, most, _) = self.bounds(from, to);
        let counted = real(self.marks[to].wh - self.marks[from].wh);
        let unseen = self.unseen();
        if counted < least && most - counted > unseen {
            (counted - least).min(-unseen)
        } else if counted > most && counted - least > unseen {
            (counted - most).max(unseen)
        } else {
            0.0
        }
    }

    /// Whether a counter may have made good what it was off by before or afterwards in the time between two
    /// readings that is longer than usual, and nobody could tell.
    fn hides(&self, span: Span, left: &Left, off: f64) -> bool {
        span.length() > self.meter.freeze_ms && off.abs() >= self.unseen() && left.can_be(off)
    }

    /// The same of one step.
    fn step_hides(&self, step: usize, off: f64) -> bool {
        let Ok((counted, _)) = self.link(step, step + 1) else { return false };
        let mut left = Left { counted, least: 0.0, most: 0.0 };
        self.leave(&mut left, step, step + 1);
        self.hides(self.span(step, step + 1), &left, off)
    }

    /// Takes back what was found of steps and joins in which a counter that lost or gained something may have come
    /// back unseen.
    fn doubt(&self, links: &mut [Result<Counted, Oddity>], joined: &mut Vec<Join>) {
        let is_joined: Vec<bool> = (0..links.len()).map(|n| is_joined(joined, n)).collect();
        // Breaks that follow each other are one: what was lost may have come back in the next step.
        let mut breaks: Vec<(usize, usize, Oddity)> = Vec::new();
        for (n, link) in links.iter().enumerate().filter(|(n, _)| !is_joined[*n]) {
            match (link, breaks.last_mut()) {
                (Err(_), Some(last)) if last.1 == n => last.1 = n + 1,
                (Err(why), _) => breaks.push((n, n + 1, *why)),
                (Ok(_), _) => {}
            }
        }
        // The breaks near a span of time, and what each was off by.
        let near = |(from, to): (usize, usize)| {
            let span = self.span(from, to);
            // Without power any gap hides as much as can flow.
            let is_measured = self.marks[to].drawn.known_ms > self.marks[from].drawn.known_ms;
            let reach = if is_measured { STANDSTILL_MS } else { AWAY_MS };
            let is_before = |n: usize| span.to.since(self.marks[n].at) > reach;
            let is_behind = move |n: usize| self.marks[n].at.since(span.from) > reach;
            let first = breaks.partition_point(|(_, to, _)| is_before(*to));
            let near = breaks[first..].iter().take_while(move |(from, ..)| !is_behind(*from));
            // Of a long break what lies near, so that it is the same however much of it was read.
            near.filter_map(move |(from, to, why)| {
                let own = &self.marks[*from..=*to];
                let begins = from + own.partition_point(|mark| span.to.since(mark.at) > reach);
                let ends = from + own.partition_point(|mark| mark.at.since(span.from) <= reach);
                (begins + 1 < ends).then(|| (self.off(begins, ends - 1), *why))
            })
        };
        joined.retain(|join| {
            let ends = (join.from, join.to);
            let left = self.left(links, ends, join.counted.0);
            !near(ends).any(|(off, _)| self.hides(self.span(join.from, join.to), &left, off))
        });
        for n in (0..links.len()).filter(|n| !is_joined[*n]) {
            if links[n].is_ok() && self.span(n, n + 1).length() > self.meter.freeze_ms {
                let hidden = near((n, n + 1)).find(|(off, _)| self.step_hides(n, *off));
                links[n] = hidden.map_or(links[n], |(_, why)| Err(why));
            }
        }
    }

    /// Books the steps of a run of readings as they follow each other.
    fn walk(
        &self,
        found: &mut Judged,
        links: &[Result<Counted, Oddity>],
        run: std::ops::Range<usize>,
        unclear: &[(usize, usize)],
    ) {
        for n in run {
            let span = self.span(n, n + 1);
            let after = unclear.partition_point(|(_, to)| *to <= n);
            let is_unclear = unclear.get(after).is_some_and(|(from, _)| *from <= n);
            let link = if is_unclear { links[n].and(Err(Oddity::Replaced)) } else { links[n] };
            let is_known = link.is_ok();
            if let Some(what) = self.marks[n + 1].skipped {
                found.remark(Odd { what, span, is_known });
            }
            match link {
                Ok((_, true)) => found.remark(Odd { what: Oddity::Wrapped, span, is_known }),
                Ok(_) => {}
                Err(what) => found.remark(Odd { what, span, is_known }),
            }
            found.steps.push(Step { span, wh: link.ok().map(|(wh, _)| wh) });
        }
    }

    /// Books what lies between two readings that join.
    fn join(&self, found: &mut Judged, links: &[Result<Counted, Oddity>], join: Join) {
        let span = self.span(join.from, join.to);
        let what = links[join.from].err().unwrap_or(Oddity::Replaced);
        // Registers that are filled once in a while stand still in between.
        if what != Oddity::Frozen || span.length() > self.meter.freeze_ms {
            // What came back was away: a moment of nothing is no reset.
            let what = if matches!(what, Oddity::Reset | Oddity::Replaced) {
                Oddity::NotAvailable
            } else {
                what
            };
            found.remark(Odd { what, span, is_known: true });
        }
        if join.counted.1 {
            found.remark(Odd { what: Oddity::Wrapped, span, is_known: true });
        }
        found.steps.push(Step { span, wh: Some(join.counted.0) });
    }
}

impl Judged {
    /// Leaves out what was counted while another series of readings was shown.
    pub(super) fn leave_out(&mut self, others: &[Span]) {
        for step in self.steps.iter_mut().filter(|step| touches(others, step.span)) {
            step.wh = None;
        }
        let what = (Oddity::Replaced, false);
        let is_of_it = |odd: &Odd| {
            let near = Span::new(odd.span.from.plus(-1), odd.span.to.plus(1));
            (odd.what, odd.is_known) == what && touches(others, near)
        };
        let (of_it, rest): (Vec<Odd>, Vec<Odd>) = self.odd.iter().partition(|odd| is_of_it(odd));
        let whole = merged(of_it.iter().map(|odd| odd.span).chain(others.iter().copied()));
        let whole = whole.into_iter().map(|span| Odd { what: what.0, span, is_known: what.1 });
        self.odd = rest.into_iter().chain(whole).collect();
        self.odd.sort_by_key(|odd| (odd.span.from, odd.what));
    }

    /// Remembers something odd; what goes on is one thing, whatever else is odd meanwhile.
    fn remark(&mut self, odd: Odd) {
        let place = self.latest.entry((odd.what, odd.is_known)).or_insert(self.odd.len());
        match self.odd.get_mut(*place) {
            Some(last) if last.span.to == odd.span.from => last.span.to = odd.span.to,
            _ => {
                *place = self.odd.len();
                self.odd.push(odd);
            }
        }
    }
}

/// What flows in some milliseconds, watt hours.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 milliseconds")]
pub(super) fn flowing(kw: f64, ms: i64) -> f64 {
    kw * ms as f64 / 3_600.0
}

#[expect(clippy::cast_precision_loss, reason = "a register of 32 bits in watt hours is below 2^53")]
fn real(wh: i64) -> f64 {
    wh as f64
}
