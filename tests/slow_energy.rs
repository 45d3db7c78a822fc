//! Energy counted slowly: from what the field said and from the rows of sessions and judgements, by what
//! docs/history.md says of it ("Energy and voltage"). Nothing is shared with the program but the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{Province, Scan, Station};
use rusqlite::Connection;

use crate::clock::wrong_epochs;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// A count of a counter, watt hours.
const COUNT: i64 = 1_000;
/// What stands for "not available", watt hours.
const STAND_INS: [i64; 3] = [0, COUNT * ((1 << 31) - 1), COUNT * (1 << 31)];
/// Codes of verdicts: frozen; and the bit of a finding.
const FROZEN: u16 = 12;
const FINDING: u16 = 1 << 9;

/// What the field said of a point.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) point: String,
    pub(crate) at: i64,
    /// How often the clock had jumped.
    pub(crate) epoch: i64,
    /// `None`: it said that there is none.
    pub(crate) said: Option<f64>,
}

/// Readings that are joined over what lies between them, and what was counted there.
type Join = (usize, usize, i64);

/// A stretch of time of one session.
#[derive(Debug, Clone, Copy)]
struct Piece {
    from: i64,
    to: i64,
    session: i64,
    contract: i64,
    epoch: i64,
}

/// What a counter counted in a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) wh: i64,
    pub(crate) known: (u64, u64),
    /// Stretches between readings of which it is not known what was counted.
    pub(crate) unknown: Vec<(i64, i64)>,
}

/// A window, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Energy {
    pub(crate) counters: BTreeMap<String, Counted>,
    pub(crate) received: i64,
    pub(crate) delivered: i64,
    pub(crate) known: (u64, u64),
    /// Least and most that may be lost.
    pub(crate) bounds: (i64, i64),
}

/// From one reading to a later one.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: i64,
    to: i64,
    wh: Option<i64>,
}

/// A reading and the next one.
type Change = ((i64, i64), (i64, i64));

/// When a counter went over to another series, and the stretches of both.
#[derive(Debug, Clone, Copy)]
struct Over {
    at: i64,
    before: (i64, i64),
    behind: (i64, i64),
}

/// Time that two stretches share.
fn both(one: (i64, i64), other: (i64, i64)) -> i64 {
    (one.1.min(other.1) - one.0.max(other.0)).max(0)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn real(n: i64) -> f64 {
    n as f64
}

/// Watt hours of some kilowatts over some milliseconds.
fn wh(kw: f64, ms: i64) -> f64 {
    kw * real(ms) / 3_600.0
}

/// What the power of a bay says.
#[derive(Default)]
struct Power {
    /// From, to; the lower and the higher of its two values, kW.
    pieces: Vec<(i64, i64, f64, f64)>,
    /// What all pieces before each say: least, most, milliseconds.
    before: Vec<(f64, f64, i64)>,
}

impl Power {
    fn of(pieces: Vec<(i64, i64, f64, f64)>) -> Self {
        let mut before = vec![(0.0, 0.0, 0)];
        for (n, (from, to, low, high)) in pieces.iter().enumerate() {
            let (least, most, ms): (f64, f64, i64) = before[n];
            before.push((least + wh(*low, to - from), most + wh(*high, to - from), ms + to - from));
        }
        Self { pieces, before }
    }

    /// Up to a moment.
    fn up_to(&self, at: i64) -> (f64, f64, i64) {
        let n = self.pieces.partition_point(|piece| piece.1 <= at);
        let (mut least, mut most, mut ms) = self.before[n];
        if let Some((from, _, low, high)) = self.pieces.get(n).filter(|piece| piece.0 < at) {
            least += wh(*low, at - from);
            most += wh(*high, at - from);
            ms += at - from;
        }
        (least, most, ms)
    }

    fn between(&self, from: i64, to: i64) -> (f64, f64, i64) {
        if self.before.is_empty() {
            return (0.0, 0.0, 0);
        }
        let (a, b) = (self.up_to(from), self.up_to(to));
        (b.0 - a.0, b.1 - a.1, b.2 - a.2)
    }
}

/// What the contract says of a counter and its bay.
struct Meter {
    most_kw: f64,
    error_kw: f64,
    /// What the device may show of no power, kW.
    nothing_kw: f64,
    /// Where its register may begin again, watt hours, and whether the contract says so.
    full: Vec<(i64, bool)>,
    range: (i64, i64),
    /// Longer than this is no ordinary step.
    long: i64,
}

impl Meter {
    fn of(province: &Province, station: &Station, bay: usize) -> Self {
        let own = &station.bays[bay];
        let point = |id: &str| {
            station.points.iter().find(|point| point.bay == bay && point.spec.id == id).unwrap()
        };
        let full_scale = |id: &str| {
            let (low, high) = point(id).range.unwrap();
            high.abs().max(low.abs())
        };
        let through = |amps: f64| 3_f64.sqrt() * 1.16 * f64::from(own.level) * amps;
        let mut most_kw = (1e3 * full_scale("P")).min(through(full_scale("IA")));
        most_kw = most_kw.min(through(4_000.0));
        if let Some((_, mva)) = station.transformers.iter().find(|(of, _)| *of == bay) {
            most_kw = most_kw.min(1.8 * 1e3 * mva);
        }
        let deadband = point("P").deadband.unwrap_or(0.0);
        let error_kw = 1e3 * (0.005 * full_scale("P") + deadband);
        // All registers of the test have 32 bits, count kilowatt hours, and have a range of nine digits.
        let (low, high) = point("E.IMP").range.unwrap();
        assert_eq!((low, high), (0.0, 999_999_999.0));
        let range = (0, 999_999_999 * COUNT);
        let mut full: Vec<(i64, bool)> =
            (5..9).map(|digits| (COUNT * 10_i64.pow(digits), false)).collect();
        full.extend([(COUNT << 32, true), (range.1 + COUNT, true)]);
        let long = 30 * 60_000 + province.scan.old_after_ms(Scan::Counters);
        let nothing_kw = 1e3 * 0.004 * full_scale("P");
        Self { most_kw, error_kw, nothing_kw, full, range, long }
    }

    /// What a register shows, watt hours; `None` of what it cannot.
    fn real(&self, kwh: f64) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "a register")]
        let wh = kwh as i64 * COUNT;
        let can_be = !Self::is_all_ones(kwh) && wh >= self.range.0 && wh <= self.range.1;
        can_be.then_some(wh)
    }

    /// Every bit of a register set.
    fn is_all_ones(kwh: f64) -> bool {
        (kwh - f64::from(u32::MAX)).abs() < 0.5
    }

    /// What can be counted in some time at most, watt hours.
    fn most(&self, ms: i64) -> f64 {
        real(COUNT) + wh(self.most_kw, ms + 2_000).floor()
    }

    /// Whether a reading may be of the meter that showed the one before it, begun anew or cut to fewer digits.
    fn is_its_own(&self, one: (i64, i64), next: (i64, i64)) -> bool {
        let most = self.most(next.0 - one.0);
        let fits = |wh: i64| wh >= 0 && real(wh) <= most;
        let is_cut = |full: i64| {
            most.floor() <= real(full / 16) && one.1 >= full && fits(next.1 - one.1 % full)
        };
        fits(next.1) || self.full.iter().any(|(full, _)| is_cut(*full))
    }

    /// The same, but for what stands for "not available".
    fn number(&self, kwh: f64) -> Option<i64> {
        self.real(kwh).filter(|wh| !STAND_INS.contains(wh))
    }

    /// Flows in the two seconds that readings may be apart.
    fn apart(&self) -> f64 {
        wh(self.most_kw, 2_000)
    }

    /// What is of no consequence.
    fn unseen(&self) -> f64 {
        2.0 * (self.apart() + real(COUNT))
    }
}

/// Why a step cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Frozen,
    AgainstPower,
    Back,
    Else,
}

type Link = Result<i64, Why>;

/// The readings of a counter that are numbers.
struct Judge<'a> {
    meter: &'a Meter,
    power: &'a Power,
    /// When current flowed, in its milliseconds.
    current: &'a Power,
    /// When the power was judged to be wrong.
    wrong: &'a [(i64, i64)],
    /// When somebody watched.
    watched: &'a [(i64, i64)],
    /// When, and watt hours.
    marks: Vec<(i64, i64)>,
    /// When there was a reading before which, since the one before that, it first showed what cannot be.
    behind_unreal: BTreeSet<i64>,
    links: Vec<Link>,
}

impl Judge<'_> {
    /// Every step of a counter, from all that it ever said.
    fn steps(
        meter: &Meter,
        (power, current, wrong): (&Power, &Power, &[(i64, i64)]),
        watched: &[(i64, i64)],
        readings: &[(i64, Option<f64>)],
    ) -> (Vec<Step>, Vec<Over>) {
        let (marks, links, behind_unreal) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut judge =
            Judge { meter, power, current, wrong, watched, marks, behind_unreal, links };
        judge.read(readings);
        let ends = 1..judge.marks.len();
        judge.links = ends.map(|n| judge.can(judge.marks[n - 1], judge.marks[n])).collect();
        judge.stand_still();
        let (joins, unclear) = judge.joins();
        let breaks = judge.breaks(&joins);
        let joins = judge.doubt(&joins);
        let joins = judge.distrust(joins, &breaks);
        let mut steps = Vec::new();
        for n in 0..judge.links.len() {
            if let Some((from, to, counted)) =
                joins.iter().find(|(from, to, _)| *from <= n && n < *to)
            {
                if *from == n {
                    let (from, to) = (judge.marks[*from].0, judge.marks[*to].0);
                    steps.push(Step { from, to, wh: Some(*counted) });
                }
                continue;
            }
            let is_unclear = unclear.iter().any(|(from, to)| *from <= n && n < *to);
            let wh = judge.links[n].ok().filter(|_| !is_unclear);
            steps.push(Step { from: judge.marks[n].0, to: judge.marks[n + 1].0, wh });
        }
        let others = judge.shown_for_days(readings);
        for step in &mut steps {
            step.wh =
                step.wh.filter(|_| others.iter().all(|o| both(*o, (step.from, step.to)) == 0));
        }
        let over = judge.went_over(readings);
        (steps, over)
    }

    /// Whether one reading can be counted on from another one.
    fn goes_on(&self, one: (i64, i64), next: (i64, i64)) -> bool {
        next.1 >= one.1 && real(next.1 - one.1) <= self.meter.most(next.0 - one.0)
    }

    /// The readings that are numbers, and their changes by more than can be counted in a day.
    fn changes(&self, readings: &[(i64, Option<f64>)]) -> (Vec<(i64, i64)>, Vec<Change>) {
        let numbers: Vec<(i64, i64)> = readings
            .iter()
            .filter_map(|(at, value)| self.meter.number((*value)?).map(|wh| (*at, wh)))
            .collect();
        let most = |ms: i64| self.meter.most(ms);
        let goes_on = |one: (i64, i64), next: (i64, i64)| self.goes_on(one, next);
        let mut changes: Vec<Change> = Vec::new();
        for pair in numbers.windows(2) {
            let (one, next) = (pair[0], pair[1]);
            let (ms, more) = (next.0 - one.0, real(next.1 - one.1));
            let is_full = self
                .meter
                .full
                .iter()
                .any(|(full, _)| one.1 < *full && goes_on((one.0, one.1 - full), next));
            let is_great = if more >= 0.0 { more > most(ms.max(DAY)) } else { -more > most(DAY) };
            if !is_great || more < 0.0 && is_full {
                continue;
            }
            let back = |own: &Change| next.0 - own.0.0 <= HOUR && goes_on(own.0, next);
            if let Some(away) = changes.iter().position(back) {
                changes.truncate(away);
                continue;
            }
            let alike = changes.iter().filter(|own| {
                own.1.0.div_euclid(DAY) == next.0.div_euclid(DAY)
                    && (own.1.1 > own.0.1) == (more > 0.0)
            });
            if alike.count() < 8 {
                changes.push((one, next));
            }
        }
        (numbers, changes)
    }

    /// When it went over to another series that is not its own, and neither was shown in the half month before nor is
    /// left for the one before within another.
    fn went_over(&self, readings: &[(i64, Option<f64>)]) -> Vec<Over> {
        let (numbers, changes) = self.changes(readings);
        let half = 31 * DAY / 2;
        let mut all = Vec::new();
        for (n, (one, next)) in changes.iter().enumerate() {
            let returns = |from: &Change, back: &Change| {
                back.1.0 - from.0.0 <= half && self.goes_on(from.0, back.1)
            };
            let is_back = changes[..n].iter().any(|from| returns(from, &changes[n]));
            let is_left = changes[n + 1..].iter().any(|back| returns(&changes[n], back));
            if self.meter.is_its_own(*one, *next) || is_back || is_left {
                continue;
            }
            let since = if n == 0 { numbers[0].0 } else { changes[n - 1].1.0 };
            let until = changes.get(n + 1).map_or(i64::MAX, |later| later.0.0);
            let before = (since.max(one.0 - half), one.0);
            all.push(Over { at: next.0, before, behind: (next.0, until.min(next.0 + half)) });
        }
        all
    }

    /// When another series was shown for more than a day: between two changes of more than can be counted in a day, of
    /// which the second one leads back to where the counter can be, a month later at most; unless it is the only one and
    /// what lies between counted what the first series lacks. Of a day of UTC eight upwards are looked at, and eight
    /// downwards; what is back within an hour was only away.
    fn shown_for_days(&self, readings: &[(i64, Option<f64>)]) -> Vec<(i64, i64)> {
        let most = |ms: i64| self.meter.most(ms);
        let goes_on = |one: (i64, i64), next: (i64, i64)| self.goes_on(one, next);
        let (numbers, changes) = self.changes(readings);
        let mut found = Vec::new();
        for (n, away) in changes.iter().enumerate() {
            let is_up = |own: &Change| own.1.1 > own.0.1;
            let near = changes[n + 1..].iter().take_while(|back| back.1.0 - away.0.0 <= 31 * DAY);
            let later: Vec<_> = near.enumerate().collect();
            let begins = |own: &Change, since: i64| real(own.1.1) <= most(own.1.0 - since);
            let back = later.iter().find(|(n, back)| {
                (*n > 0 || is_up(back) != is_up(away)) && goes_on(away.0, back.1)
            });
            // Its own series was shown for a day before.
            let since = if n == 0 { numbers[0].0 } else { changes[n - 1].1.0 };
            let is_held = away.0.0 - since >= DAY;
            let anew = later
                .iter()
                .rfind(|(_, back)| is_held && begins(back, away.0.0) && !begins(away, away.0.0));
            let Some((between, _)) = back.or(anew).copied() else { continue };
            let back = changes[n + 1 + between];
            let lacks = (back.1.1 - away.0.1) - (back.0.1 - away.1.1);
            let in_changes = back.1.0 - back.0.0 + away.1.0 - away.0.0;
            let is_the_same = between == 0
                && self.meter.is_its_own(away.0, away.1)
                && lacks >= 0
                && real(lacks) <= most(in_changes);
            if back.1.0 - away.0.0 > DAY && !is_the_same {
                found.push((away.1.0, back.0.0));
            }
        }
        found
    }

    /// Takes the readings that are numbers.
    fn read(&mut self, readings: &[(i64, Option<f64>)]) {
        let mut last: Option<(i64, i64)> = None;
        // Why there was none since the last one: whether it showed what cannot be.
        let mut why = None;
        for (at, value) in readings {
            let Some(wh) = value.and_then(|kwh| self.meter.real(kwh)) else {
                why.get_or_insert(value.is_some_and(|kwh| !Meter::is_all_ones(kwh)));
                continue;
            };
            let mark = (*at, wh);
            if why == Some(true) {
                self.behind_unreal.insert(*at);
            }
            if STAND_INS.contains(&wh) {
                // For up to two hours.
                let near = last.filter(|last| at - last.0 <= 2 * HOUR);
                if near.is_none_or(|near| self.can(near, mark).is_ok()) {
                    self.marks.push(mark);
                    why = None;
                } else {
                    why.get_or_insert(false);
                }
            } else {
                why = None;
                // What stands between goes, when this goes on from the number before and not from that.
                let before = self.marks.iter().rposition(|own| !STAND_INS.contains(&own.1));
                if let Some(before) = before.filter(|before| before + 1 < self.marks.len()) {
                    let [number, other] = [self.marks[before], self.marks[self.marks.len() - 1]];
                    let near = at - number.0 <= 2 * HOUR && wh >= number.1;
                    if near && self.can(number, mark).is_ok() && self.can(other, mark).is_err() {
                        self.marks.truncate(before + 1);
                        self.behind_unreal.remove(at);
                    }
                }
                self.marks.push(mark);
                last = Some(mark);
            }
        }
    }

    /// The least and the most that can have flowed between two moments, and the most by the rating alone.
    fn flowed(&self, from: i64, to: i64) -> (f64, f64, f64) {
        let (least, most, known) = self.power.between(from, to);
        let off = wh(self.meter.error_kw, known) + self.meter.apart();
        let rated = wh(self.meter.most_kw, to - from) + self.meter.apart();
        let unknown = wh(self.meter.most_kw, to - from - known);
        ((least * 0.975 - off).max(0.0), (most * 1.025 + off + unknown).min(rated), rated)
    }

    /// What was counted from one reading to another, if that can be.
    fn can(&self, from: (i64, i64), to: (i64, i64)) -> Link {
        if to.0 - from.0 > 31 * DAY {
            return Err(Why::Else);
        }
        let (least, most, rated) = self.flowed(from.0, to.0);
        let is_no_more = |wh: i64, most: f64| real(wh - COUNT) <= most;
        let is_enough = |wh: i64| real(wh + COUNT) >= least;
        let counted = to.1 - from.1;
        if counted >= 0 {
            let can_be = is_no_more(counted, most) && is_enough(counted);
            return match () {
                () if can_be => Ok(counted),
                () if !is_no_more(counted, rated) => Err(Why::Else),
                () if counted == 0 => Err(Why::Frozen),
                () => Err(Why::AgainstPower),
            };
        }
        let fulls = self.meter.full.iter().filter(|_| !self.behind_unreal.contains(&to.0));
        for (full, is_said) in fulls {
            let through = counted + full;
            let fits = from.1 < *full && (0..=full / 16).contains(&through);
            if fits && is_no_more(through, most) && is_enough(through) && (*is_said || least > 0.0)
            {
                return Ok(through);
            }
        }
        Err(if is_no_more(-counted, rated) && to.1 > 0 { Why::Back } else { Why::Else })
    }

    fn length(&self, from: usize, to: usize) -> i64 {
        self.marks[to].0 - self.marks[from].0
    }

    fn between(&self, from: usize, to: usize) -> (f64, f64, f64) {
        self.flowed(self.marks[from].0, self.marks[to].0)
    }

    /// Whether the power was judged to be wrong in a step.
    fn is_wrong(&self, n: usize) -> bool {
        let own = (self.marks[n].0, self.marks[n + 1].0);
        self.wrong.iter().any(|wrong| both(*wrong, own) > 0)
    }

    /// Finds standstills: held against the power of a day on either side.
    fn stand_still(&mut self) {
        let same = |n: usize, marks: &[(i64, i64)]| {
            marks[n].1 == marks[n + 1].1 && marks[n + 1].0 - marks[n].0 <= 31 * DAY
        };
        let count = self.links.len();
        // Whether what comes behind a standstill, too much for its own time, is none for that of the standstill from a step
        // on, a day at most.
        let made_good = |n: usize| {
            let Some(end) = (n..count).find(|end| !same(*end, &self.marks)) else { return false };
            let is_more = self.marks[end + 1].1 > self.marks[end].1;
            let first = (0..=n).rev().take_while(|own| same(*own, &self.marks)).last().unwrap_or(n);
            let from = (first..end).find(|from| self.length(*from, end + 1) <= DAY);
            let fits = from.is_some_and(|from| {
                n >= from && self.can(self.marks[from], self.marks[end + 1]).is_ok()
            });
            is_more && self.links[end].is_err() && fits
        };
        // For each reading of a standstill the latest one before it since which it should have moved.
        let proofs: Vec<(usize, usize)> = (1..=count)
            .flat_map(|to| {
                let begins = || (0..to).rev().take_while(|from| same(*from, &self.marks));
                let certain = begins().find(|from| self.between(*from, to).0 > real(COUNT));
                // For longer than the register may rest more than a device shows of nothing.
                let flows = |from: &usize| {
                    let (at, end) = (self.marks[*from].0, self.marks[to].0);
                    let (least, _, known) = self.power.between(at, end);
                    let nothing = wh(self.meter.nothing_kw, known) + self.meter.apart();
                    end - at >= self.meter.long && least * 0.975 - nothing > real(COUNT)
                };
                let carries = |from: &usize| {
                    let (at, end) = (self.marks[*from].0, self.marks[to].0);
                    let long = self.meter.long;
                    end - at >= long && self.current.between(at, end).2 >= long
                };
                let all = [certain, begins().find(flows), begins().find(carries)];
                all.into_iter().flatten().map(move |from| (from, to))
            })
            .collect();
        let frozen: Vec<bool> = (0..count)
            .map(|n| {
                if !same(n, &self.marks) {
                    return false;
                }
                let mut low = n;
                while low > 0 && same(low - 1, &self.marks) && self.length(low - 1, n + 1) <= DAY {
                    low -= 1;
                }
                let mut high = n + 1;
                while high < count && same(high, &self.marks) && self.length(n, high + 1) <= DAY {
                    high += 1;
                }
                // The power proves it of any part of the standstill, within a day on either side.
                let is_of_it = |(from, to): &&(usize, usize)| {
                    (*from..*to).all(|own| same(own, &self.marks))
                        && (n.min(*from)..n.max(*to)).all(|own| same(own, &self.marks))
                };
                let is_near = |(from, to): &&(usize, usize)| {
                    self.length(*from, n + 1) <= DAY && self.length(n, *to) <= DAY
                };
                if proofs.iter().filter(is_near).any(|own| is_of_it(&own)) || made_good(n) {
                    return true;
                }
                let is_long = self.length(low, high) > self.meter.long;
                if is_long && (low..high).any(|own| self.is_wrong(own)) {
                    return true;
                }
                // Where power is not measured, a standstill of more than half an hour proves nothing.
                let (from, to) = (self.marks[n].0, self.marks[n + 1].0);
                let unknown = to - from - self.power.between(from, to).2;
                let may_flow = wh(self.meter.most_kw, unknown) > real(COUNT);
                self.length(low, high) > self.meter.long && unknown > 2_000 && may_flow
            })
            .collect();
        for (n, is_frozen) in frozen.into_iter().enumerate() {
            let begins = same(n, &self.marks) && (n == 0 || !same(n - 1, &self.marks));
            if is_frozen {
                self.links[n] = Err(Why::Frozen);
            }
            // It stood still for some of the step before, and what it adds behind may be of that time.
            if begins && n > 0 && self.links[n] == Err(Why::Frozen) {
                let before = &mut self.links[n - 1];
                if matches!(before, Ok(_) | Err(Why::AgainstPower)) {
                    *before = Err(Why::Frozen);
                }
            }
            let ends = same(n, &self.marks) && n + 1 < count && !same(n + 1, &self.marks);
            if ends && self.links[n] == Err(Why::Frozen) && self.links[n + 1].is_ok() {
                self.links[n + 1] = Err(Why::AgainstPower);
            }
        }
    }

    /// By how much a step is off, at least: below nothing, too little.
    fn off(&self, from: usize, to: usize) -> f64 {
        let (least, most, _) = self.between(from, to);
        let counted = real(self.marks[to].1 - self.marks[from].1);
        let unseen = self.meter.unseen();
        match () {
            () if counted < least && most - counted > unseen => (counted - least).min(-unseen),
            () if counted > most && counted - least > unseen => (counted - most).max(unseen),
            () => 0.0,
        }
    }

    /// Of what was counted between two readings, what was counted while the counter was away, and the least
    /// and most that can have flowed then.
    fn away(&self, from: usize, to: usize, counted: i64) -> (f64, f64, f64) {
        let counts_well = |n: &usize| matches!(self.links[*n], Ok(wh) if wh > 0);
        let well: i64 = (from..to).filter(counts_well).map(|n| self.links[n].unwrap()).sum();
        let (mut least, mut most) = (0.0, 0.0);
        let mut n = from;
        while n < to {
            let end = (n..to).find(counts_well).unwrap_or(to);
            if end > n {
                let (low, high, _) = self.between(n, end);
                least += low - real(COUNT);
                most += high + real(COUNT);
            }
            n = end + 1;
        }
        (real(counted - well), least, most)
    }

    /// Whether something that is off elsewhere may have been made good in a stretch, and nobody could tell.
    fn hides(&self, length: i64, (counted, least, most): (f64, f64, f64), off: f64) -> bool {
        let can_be = (least..=most).contains(&(counted + off));
        length > self.meter.long && off.abs() >= self.meter.unseen() && can_be
    }

    fn step_hides(&self, n: usize, off: f64) -> bool {
        let Ok(counted) = self.can(self.marks[n], self.marks[n + 1]) else { return false };
        let (least, most, _) = self.between(n, n + 1);
        let open = (real(counted), least - real(COUNT), most + real(COUNT));
        self.hides(self.length(n, n + 1), open, off)
    }

    /// Where a counter was away for up to an hour, and is back; and what cannot be told apart.
    fn joins(&self) -> (Vec<Join>, Vec<(usize, usize)>) {
        let mut joins: Vec<Join> = Vec::new();
        for from in 0..self.links.len() {
            let Err(why) = self.links[from] else { continue };
            let goes_on = from > 0 && self.links[from - 1] == Err(Why::Frozen);
            if why == Why::Frozen && goes_on {
                continue;
            }
            let mut near =
                (from + 2..self.marks.len()).take_while(|to| self.length(from, *to) <= HOUR);
            let found = near.find_map(|to| self.is_back(from, to, why));
            if let Some((to, counted)) = found
                && joins.last().is_none_or(|last| to > last.1)
            {
                joins.push((from, to, counted));
            }
        }
        let overlap = |n: usize| joins.get(n + 1).is_some_and(|next| next.0 < joins[n].1);
        let unclear: Vec<(usize, usize)> = (0..joins.len())
            .filter(|n| overlap(*n))
            .map(|n| (joins[n].0, joins[n + 1].1))
            .collect();
        let clear = (0..joins.len()).filter(|n| !overlap(*n) && (*n == 0 || !overlap(n - 1)));
        (clear.map(|n| joins[n]).collect(), unclear)
    }

    fn is_back(&self, from: usize, to: usize, why: Why) -> Option<(usize, i64)> {
        let last = self.links[to - 1];
        let off = self.off(from, from + 1);
        // The next reading is beyond both: they came in the wrong order.
        let passes = to == from + 2
            && why == Why::Back
            && self.marks[to].1 >= self.marks[from].1
            && !self.step_hides(from + 1, off);
        let breaks = last.is_err() && last != Err(Why::Frozen);
        if !passes && !breaks {
            return None;
        }
        let counted = self.can(self.marks[from], self.marks[to]).ok()?;
        let left = self.away(from, to, counted);
        let lost = if why == Why::Frozen { 0.0 } else { -off };
        let can_be = (left.1..=left.2).contains(&left.0);
        let is_clear = can_be && !self.hides(self.length(from, to), left, lost);
        (passes || is_clear).then_some((to, counted))
    }

    /// Steps that cannot be by themselves, and are in no join.
    fn breaks(&self, joins: &[Join]) -> Vec<usize> {
        let is_joined = |n: usize| joins.iter().any(|(from, to, _)| *from <= n && n < *to);
        let is_break = |n: usize| {
            let link = self.can(self.marks[n], self.marks[n + 1]);
            !matches!(link, Ok(_) | Err(Why::Frozen)) && self.length(n, n + 1) <= 31 * DAY
        };
        (0..self.links.len()).filter(|n| is_break(*n) && !is_joined(*n)).collect()
    }

    /// What may be of another series of readings: one that is left and come back to within a day was away, unless the other
    /// one counted what it lacks; one that is left for good, or begun with, was shown for a day to be believed; and what
    /// fell to nothing and stands there is nothing.
    fn other_series(&self, breaks: &[usize]) -> Vec<usize> {
        let step = |n: usize| self.marks[n + 1].1 - self.marks[n].1;
        let is_no_more =
            |from: usize, to: usize, wh: i64| real(wh - COUNT) <= self.between(from, to).2;
        // More than what can have been counted from nothing, or since it last moved; and somebody watched.
        let leads_away = |own: usize| {
            let (before, behind) = (self.marks[own].1, self.marks[own + 1].1);
            let stood = (0..=own).rev().take_while(|n| self.marks[*n].1 == before);
            let since = stood.filter(|n| *n == own || self.length(*n, own + 1) <= DAY).last();
            let goes_on = is_no_more(since.unwrap(), own + 1, behind - before);
            let steps_back = is_no_more(own, own + 1, before - behind);
            let begins = is_no_more(since.unwrap(), own + 1, behind);
            let step = (self.marks[own].0, self.marks[own + 1].0);
            let watched: i64 = self.watched.iter().map(|watched| both(*watched, step)).sum();
            let is_away = if behind < before { !steps_back && !begins } else { !goes_on };
            is_away && watched >= step.1 - step.0
        };
        let is_back = |away: usize, back: usize, by_others: bool| {
            let counted = self.marks[back + 1].1 - self.marks[away].1;
            let turns_round = step(away).signum() == -step(back).signum()
                || by_others && leads_away(away) && leads_away(back);
            turns_round && counted >= 0 && is_no_more(away, back + 1, counted)
        };
        let mut taken = Vec::new();
        let mut comes_back = Vec::new();
        for away in breaks {
            let near = breaks.iter().filter(|n| *n > away && self.length(*away, **n + 1) <= DAY);
            let mut near = near.enumerate();
            let back = near.find(|(n, back)| is_back(*away, **back, *n > 0));
            let Some((_, back)) = back else { continue };
            comes_back.extend([away, back]);
            let whole = self.marks[back + 1].1 - self.marks[*away].1;
            let other = self.marks[*back].1 - self.marks[away + 1].1;
            let (first, last) = (self.between(*away, away + 1), self.between(*back, back + 1));
            let most = first.1 + last.1 + 2.0 * real(COUNT);
            let least = first.0 + last.0 - 2.0 * real(COUNT);
            let is_the_same = (least..=most).contains(&real(whole - other))
                && self.meter.is_its_own(self.marks[*away], self.marks[away + 1]);
            let can = |n: usize| self.can(self.marks[n], self.marks[n + 1]).is_ok();
            if !is_the_same || !(away + 1..*back).all(can) {
                taken.extend(away + 1..*back);
            }
        }
        // Four within an hour: whatever fits is chance.
        for own in breaks.windows(4).filter(|own| self.length(own[0], own[3] + 1) <= HOUR) {
            taken.extend(own[0] + 1..own[3]);
        }
        let at = |n: usize| self.marks[n].0;
        let reads = |from: i64, to: i64| self.marks.iter().any(|own| from <= own.0 && own.0 <= to);
        for own in breaks {
            if self.marks[own + 1].1 == 0 {
                let stands = (own + 1..self.links.len()).take_while(|n| self.marks[n + 1].1 == 0);
                taken.extend(stands.filter(|n| self.length(*own, n + 1) <= DAY));
            }
            if !leads_away(*own) || comes_back.contains(&own) {
                continue;
            }
            if !reads(at(*own) + DAY, at(*own) + 27 * HOUR) {
                let behind = own + 1..self.links.len();
                taken.extend(behind.filter(|n| self.length(*own, n + 1) <= DAY));
            }
            if !reads(at(own + 1) - 27 * HOUR, at(own + 1) - DAY) {
                taken.extend((0..*own).filter(|n| self.length(*n, own + 1) <= DAY));
            }
        }
        taken
    }

    /// Takes back what was counted while something may have been wrong, within a day: next to a break while the power was
    /// judged to be wrong, without a gap of more than three minutes behind or before the break; and what may be of another
    /// series.
    fn distrust(&mut self, mut joins: Vec<Join>, breaks: &[usize]) -> Vec<Join> {
        let is_wrong = |n: usize| self.is_wrong(n);
        let mut taken = Vec::new();
        for own in breaks.iter().copied() {
            let behind = (own + 1..self.links.len()).map(|n| (n, self.length(own, n)));
            let before = (0..own).rev().map(|n| (n, self.length(n + 1, own + 1)));
            let goes_on =
                |(n, away): &(usize, i64)| *away <= DAY && (is_wrong(*n) || *away <= 180_000);
            let next_to_it = behind.take_while(goes_on).chain(before.take_while(goes_on));
            taken.extend(next_to_it.map(|(n, _)| n).filter(|n| is_wrong(*n)));
        }
        let mut others = self.other_series(breaks);
        joins.retain(|(from, to, _)| {
            let is_other = (*from..*to).any(|n| others.contains(&n));
            if is_other {
                others.extend(*from..*to);
            }
            !is_other
        });
        taken.retain(|n| self.links[*n].is_ok());
        for n in taken.into_iter().chain(others) {
            self.links[n] = Err(Why::Else);
        }
        joins
    }

    /// Takes back what a counter that lost or gained something nearby may have made good unseen.
    fn doubt(&mut self, joins: &[Join]) -> Vec<Join> {
        let is_joined = |n: usize| joins.iter().any(|(from, to, _)| *from <= n && n < *to);
        let mut breaks: Vec<(usize, usize)> = Vec::new();
        for n in (0..self.links.len()).filter(|n| self.links[*n].is_err() && !is_joined(*n)) {
            match breaks.last_mut() {
                Some(last) if last.1 == n => last.1 = n + 1,
                _ => breaks.push((n, n + 1)),
            }
        }
        let near = |from: usize, to: usize| -> Vec<f64> {
            let (_, _, known) = self.power.between(self.marks[from].0, self.marks[to].0);
            let reach = if known > 0 { DAY } else { HOUR };
            let (begins, ends) = (self.marks[from].0, self.marks[to].0);
            // Of a long break what lies near.
            let own = breaks.iter().filter_map(|(a, b)| {
                let is_near = |n: &usize| {
                    ends - self.marks[*n].0 <= reach && self.marks[*n].0 - begins <= reach
                };
                let own: Vec<usize> = (*a..=*b).filter(is_near).collect();
                (own.len() > 1).then(|| (own[0], own[own.len() - 1]))
            });
            own.map(|(a, b)| self.off(a, b)).collect()
        };
        let hidden: Vec<usize> = (0..self.links.len())
            .filter(|n| !is_joined(*n) && self.links[*n].is_ok())
            .filter(|n| self.length(*n, n + 1) > self.meter.long)
            .filter(|n| near(*n, n + 1).iter().any(|off| self.step_hides(*n, *off)))
            .collect();
        let stay = |(from, to, counted): &(usize, usize, i64)| {
            let left = self.away(*from, *to, *counted);
            !near(*from, *to).iter().any(|off| self.hides(self.length(*from, *to), left, *off))
        };
        let joins = joins.iter().filter(|join| stay(join)).copied().collect();
        for n in hidden {
            self.links[n] = Err(Why::Else);
        }
        joins
    }
}

/// A history, as its rows and the field tell it.
pub(crate) struct Rows {
    pieces: Vec<Piece>,
    /// Contract, from when and up to when it held.
    eras: Vec<(i64, i64, i64)>,
    contracts: BTreeMap<i64, std::sync::Arc<Province>>,
    /// What points said, in the order of time; what a later epoch has is left out.
    said: BTreeMap<String, Vec<(i64, Option<f64>)>>,
    /// When what is measured was found frozen or contradicting others.
    doubted: Vec<(i64, i64)>,
    /// When it was found to contradict others.
    contradictions: Vec<(i64, i64)>,
    /// Steps of each counter, by stretches of eras that have it.
    steps: BTreeMap<(String, usize), Vec<Step>>,
}

impl Rows {
    /// `contract`: what a number of the store stands for.
    pub(crate) fn read(
        folder: &Path,
        said: &[Value],
        contract: impl Fn(i64) -> std::sync::Arc<Province>,
    ) -> Self {
        let rows = Connection::open(folder.join("gridwatch.db")).unwrap();
        let wrong = wrong_epochs(&rows);
        let mut sessions = rows
            .prepare(
                "SELECT id, contract, from_ms, until_ms, epoch FROM session ORDER BY from_ms, id",
            )
            .unwrap();
        let sessions: Vec<Piece> = sessions
            .query_map([], |row| {
                let (session, contract, epoch) = (row.get(0)?, row.get(1)?, row.get(4)?);
                Ok(Piece { from: row.get(2)?, to: row.get(3)?, session, contract, epoch })
            })
            .unwrap()
            .map(Result::unwrap)
            .filter(|piece| !wrong.contains(&piece.epoch))
            .collect();
        let pieces = pieces(&sessions);
        // Counters, powers and voltages are those of the first centre.
        let mut judged = rows
            .prepare(
                "SELECT session, at_ms, runs FROM judgement JOIN path ON path.id = path
                 WHERE centre = 'CC' ORDER BY at_ms",
            )
            .unwrap();
        let judged: Vec<(i64, i64, u16)> = judged
            .query_map([], |row| {
                let runs: Vec<u8> = row.get(2)?;
                let bits = u16::from_le_bytes([runs[runs.len() - 2], runs[runs.len() - 1]]);
                Ok((row.get(0)?, row.get(1)?, bits))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut eras: Vec<(i64, i64, i64)> = Vec::new();
        for piece in &pieces {
            match eras.last_mut() {
                Some(last) if last.0 == piece.contract => {}
                Some(last) => {
                    last.2 = piece.from;
                    eras.push((piece.contract, piece.from, i64::MAX));
                }
                None => eras.push((piece.contract, i64::MIN, i64::MAX)),
            }
        }
        let contracts = eras.iter().map(|era| (era.0, contract(era.0))).collect();
        let mut own = Self {
            doubted: doubted(&pieces, &judged, |bits| {
                bits & FINDING != 0 || bits >> 4 & 0xF == FROZEN
            }),
            contradictions: doubted(&pieces, &judged, |bits| bits & FINDING != 0),
            said: held(&pieces, said),
            pieces,
            eras,
            contracts,
            steps: BTreeMap::new(),
        };
        own.judge();
        own
    }

    fn station(&self, contract: i64) -> &Station {
        &self.contracts[&contract].stations[0]
    }

    /// Counters at the high side of the transformer and at the feeders, with their bays.
    fn counters(&self, contract: i64) -> Vec<(String, usize)> {
        let station = self.station(contract);
        let is_counted = |bay: usize| {
            let bay = &station.bays[bay];
            bay.level == 110 && bay.name == "131" || bay.name.starts_with("47")
        };
        let own = station.points.iter().filter(|p| p.spec.id == "E.IMP" && is_counted(p.bay));
        own.map(|point| (point.id.clone(), point.bay)).collect()
    }

    /// Judges every counter, over each stretch of contracts that have it.
    fn judge(&mut self) {
        let mut over: BTreeMap<(String, usize), Vec<Over>> = BTreeMap::new();
        for n in 0..self.eras.len() {
            let (contract, from, mut to) = self.eras[n];
            for (point, bay) in self.counters(contract) {
                let has = |era: &(i64, i64, i64)| {
                    self.counters(era.0).iter().any(|(other, _)| *other == point)
                };
                if n > 0 && has(&self.eras[n - 1]) {
                    let before = (point.clone(), n - 1);
                    let (steps, own) = (self.steps[&before].clone(), over[&before].clone());
                    self.steps.insert((point.clone(), n), steps);
                    over.insert((point, n), own);
                    continue;
                }
                for era in self.eras[n..].iter().take_while(|era| has(era)) {
                    to = era.2;
                }
                let province = &self.contracts[&contract];
                let meter = Meter::of(province, self.station(contract), bay);
                let power = self.power(contract, bay);
                let current = self.current(contract, bay);
                let readings = self.said.get(&point).map_or(&[][..], Vec::as_slice);
                let own = readings.iter().filter(|(at, _)| from <= *at && *at < to);
                let own: Vec<(i64, Option<f64>)> = own.copied().collect();
                let watched: Vec<(i64, i64)> =
                    self.pieces.iter().map(|piece| (piece.from, piece.to)).collect();
                let (steps, own) =
                    Judge::steps(&meter, (&power, &current, &self.doubted), &watched, &own);
                self.steps.insert((point.clone(), n), steps);
                over.insert((point, n), own);
            }
        }
        for n in 0..self.eras.len() {
            self.leave_out_together(n, &over);
        }
    }

    /// What counters of an era show where two of them or more went over to other series within a quarter of an hour is not
    /// known to be their own: behind it, and before unless they had shown that for half a month, or the station contradicts
    /// itself by a point more behind it, and more than four times as much.
    fn leave_out_together(&mut self, era: usize, over: &BTreeMap<(String, usize), Vec<Over>>) {
        let counters = self.counters(self.eras[era].0);
        for (point, _) in &counters {
            let others = counters.iter().filter(|(other, _)| other != point);
            let mut doubtful = Vec::new();
            for own in &over[&(point.clone(), era)] {
                let is_near = |other: &Over| (other.at - own.at).abs() <= 15 * 60_000;
                let is_shared = others
                    .clone()
                    .any(|(other, _)| over[&(other.clone(), era)].iter().any(is_near));
                if !is_shared {
                    continue;
                }
                doubtful.push(own.behind);
                let is_new = own.before.1 - own.before.0 < 31 * DAY / 2;
                let points = |span| self.contradicted(era, span);
                if is_new && points(own.behind) < 1.0 + 4.0 * points(own.before) {
                    doubtful.push(own.before);
                }
            }
            for step in self.steps.get_mut(&(point.clone(), era)).unwrap() {
                let own = (step.from, step.to);
                step.wh = step.wh.filter(|_| doubtful.iter().all(|d| both(*d, own) == 0));
            }
        }
    }

    /// How many points contradict others at a time, on average of what an era has of a stretch: all of them, or none.
    fn contradicted(&self, era: usize, span: (i64, i64)) -> f64 {
        let (contract, from, to) = self.eras[era];
        let own = (span.0.max(from), span.1.min(to));
        let ms: i64 = self.contradictions.iter().map(|found| both(*found, own)).sum();
        let points = i64::try_from(self.station(contract).points.len()).unwrap();
        real(ms * points) / real((span.1 - span.0).max(1))
    }

    /// When more current flowed in a bay than a device shows of nothing, by either of two values that are near.
    fn current(&self, contract: i64, bay: usize) -> Power {
        let station = self.station(contract);
        let current = station.points.iter().find(|p| p.bay == bay && p.spec.id == "IA").unwrap();
        let full = current.range.unwrap().1;
        let nothing = 0.004 * full + current.deadband.unwrap_or(0.0);
        let values = self.said.get(&current.id).map_or(&[][..], Vec::as_slice);
        let flows = |said: Option<f64>| said.is_some_and(|amps| amps > nothing && amps <= full);
        let pairs = values.windows(2).map(|pair| (pair[0], pair[1]));
        let pairs =
            pairs.filter(|(one, next)| next.0 - one.0 <= 600_000 && flows(one.1) && flows(next.1));
        Power::of(pairs.map(|(one, next)| (one.0, next.0, 0.0, 0.0)).collect())
    }

    /// What the power of a bay says, where it is known.
    fn power(&self, contract: i64, bay: usize) -> Power {
        let station = self.station(contract);
        let power = station.points.iter().find(|p| p.bay == bay && p.spec.id == "P").unwrap();
        let range = power.range.unwrap();
        let mut doubts = self.doubted.clone();
        let own = &station.bays[bay];
        let is_its_bus = |bay: &config::Bay| {
            bay.name.starts_with('C') && bay.level == own.level && bay.section == own.section
        };
        if let Some(bus) = station.bays.iter().find(|bay| is_its_bus(bay)) {
            doubts.extend(self.tripped(contract, &format!("S1.{}.{}.VT.MCB", bus.level, bus.name)));
        }
        let values = self.said.get(&power.id).map_or(&[][..], Vec::as_slice);
        let mut pieces = Vec::new();
        for pair in values.windows(2) {
            let ((from, one), (to, other)) = (pair[0], pair[1]);
            let (Some(one), Some(other)) = (one, other) else { continue };
            let is_real = |mw: f64| mw >= range.0 && mw <= range.1;
            let is_doubted = doubts.iter().any(|doubt| both(*doubt, (from, to)) > 0);
            if to - from <= 600_000 && is_real(one) && is_real(other) && !is_doubted {
                let (one, other) = (1e3 * one.max(0.0), 1e3 * other.max(0.0));
                pieces.push((from, to, one.min(other), one.max(other)));
            }
        }
        Power::of(pieces)
    }

    /// When the contact of a voltage transformer says that it has tripped: each value stands up to the next
    /// one, while somebody watched, and not when it is old.
    fn tripped(&self, contract: i64, point: &str) -> Vec<(i64, i64)> {
        let station = self.station(contract);
        let scan = station.points.iter().find(|own| own.id == point).unwrap().spec.scan.unwrap();
        let old = self.contracts[&contract].scan.old_after_ms(scan);
        let values = self.said.get(point).map_or(&[][..], Vec::as_slice);
        let mut all = Vec::new();
        for (n, (at, value)) in values.iter().enumerate() {
            let next = values.get(n + 1).map_or(i64::MAX, |next| next.0);
            let until = next.min(at + stands(values, n, old));
            if *value == Some(1.0) {
                let seen =
                    self.pieces.iter().map(|piece| (piece.from.max(*at), piece.to.min(until)));
                all.extend(seen.filter(|(from, to)| from < to));
            }
        }
        all
    }

    /// Counts a window.
    pub(crate) fn energy(&self, window: (i64, i64)) -> Energy {
        let mut all = Energy::default();
        for n in 0..self.eras.len() {
            let (contract, from, to) = self.eras[n];
            let own = (from.max(window.0), to.min(window.1));
            if own.0 < own.1 {
                self.count(&mut all, n, contract, own, window);
            }
        }
        all
    }

    /// Adds what an era has of a window.
    fn count(
        &self,
        all: &mut Energy,
        era: usize,
        contract: i64,
        own: (i64, i64),
        window: (i64, i64),
    ) {
        let length = (own.1 - own.0).unsigned_abs();
        let counters = self.counters(contract);
        let steps = |point: &str| self.steps[&(point.to_owned(), era)].iter();
        let is_known = |step: &&Step| step.wh.is_some();
        for (point, _) in &counters {
            let counted = all.counters.entry(point.clone()).or_default();
            let is_own = |step: &&Step| own.0 <= step.to && step.to < own.1;
            counted.wh += steps(point).filter(is_own).filter_map(|step| step.wh).sum::<i64>();
            // What of a step of more than a quarter of an hour that leaves the window is of it is not known.
            let is_within = |step: &&Step| window.0 <= step.from && step.to < window.1;
            let in_time = |step: &&Step| is_within(step) || step.to - step.from <= 15 * 60_000;
            let told = steps(point).filter(is_known).filter(in_time);
            let ms: i64 = told.map(|step| both((step.from, step.to), own)).sum();
            counted.known.0 += ms.unsigned_abs();
            counted.known.1 += length;
            let lacking = steps(point).filter(|step| step.wh.is_none());
            let lacking = lacking.filter(|step| both((step.from, step.to), own) > 0);
            counted.unknown.extend(lacking.map(|step| (step.from, step.to)));
        }
        let out = self.out(era);
        // Time in which every counter is known, as stretches between all the edges that there are.
        let mut edges = vec![own.0, own.1];
        edges.extend(
            counters.iter().flat_map(|(point, _)| steps(point)).flat_map(|s| [s.from, s.to]),
        );
        edges.extend(out.iter().flat_map(|own| [own.0, own.1]));
        edges.retain(|edge| own.0 <= *edge && *edge <= own.1);
        edges.sort_unstable();
        edges.dedup();
        let mut common: Vec<(i64, i64)> = Vec::new();
        for pair in edges.windows(2) {
            let has = |step: &&Step| step.from <= pair[0] && pair[1] <= step.to;
            let knows = |point: &str| steps(point).any(|step| step.wh.is_some() && has(&step));
            let is_out = out.iter().any(|own| both(*own, (pair[0], pair[1])) > 0);
            if !is_out && counters.iter().all(|(point, _)| knows(point)) {
                match common.last_mut() {
                    Some(last) if last.1 == pair[0] => last.1 = pair[1],
                    _ => common.push((pair[0], pair[1])),
                }
            }
        }
        let known: i64 = common.iter().map(|(from, to)| to - from).sum();
        all.known.0 += known.unsigned_abs();
        all.known.1 += length;
        let mut received = 0;
        for (point, bay) in &counters {
            let wh: i64 = common
                .iter()
                .flat_map(|stretch| steps(point).filter(is_known).map(move |s| part(s, *stretch)))
                .sum();
            if self.station(contract).bays[*bay].level == 110 {
                received += wh;
            } else {
                all.delivered += wh;
            }
        }
        all.received += received;
        let bounds = self.bounds(contract, counters.len(), received, known, gaps(own, &common));
        all.bounds = (all.bounds.0 + bounds.0, all.bounds.1 + bounds.1);
    }

    /// Long steps of an era that do not count for the station: those that leave their day or the era, those that reach
    /// into time in which another counter is not known, and those that reach into such ones.
    fn out(&self, era: usize) -> Vec<(i64, i64)> {
        let (contract, from, to) = self.eras[era];
        let long = self.contracts[&contract].scan.old_after_ms(Scan::Counters).max(15 * 60_000);
        let day = |at: i64| (at + 7 * HOUR).div_euclid(DAY);
        let known: Vec<Vec<(i64, i64)>> = self
            .counters(contract)
            .into_iter()
            .map(|(point, _)| {
                let steps = self.steps[&(point, era)].iter().filter(|step| step.wh.is_some());
                steps.map(|step| (step.from, step.to)).collect()
            })
            .collect();
        let mut left: Vec<(i64, i64)> = known.iter().flatten().copied().collect();
        left.retain(|own| own.1 - own.0 > long);
        let mut out: Vec<(i64, i64)> = Vec::new();
        loop {
            let is_out = |own: &(i64, i64)| {
                let leaves = own.0 < from || own.1 > to || day(own.0) != day(own.1 - 1);
                let covers = |steps: &Vec<(i64, i64)>| {
                    steps.iter().map(|step| both(*step, *own)).sum::<i64>() == own.1 - own.0
                };
                leaves || !known.iter().all(covers) || out.iter().any(|o| both(*o, *own) > 0)
            };
            let (more, rest): (Vec<_>, Vec<_>) = left.iter().copied().partition(is_out);
            if more.is_empty() {
                return out;
            }
            out.extend(more);
            left = rest;
        }
    }

    /// What can be lost.
    fn bounds(
        &self,
        contract: i64,
        counters: usize,
        received: i64,
        known: i64,
        gaps: usize,
    ) -> (i64, i64) {
        let mva: f64 = self.station(contract).transformers.iter().map(|(_, mva)| mva).sum();
        let scan = self.contracts[&contract].scan.milliseconds(Scan::Counters);
        let ends = real(1 + i64::try_from(gaps).unwrap());
        let average = if known > 0 { real(received) / wh(1.0, known) } else { 0.0 };
        let counts = real(COUNT * i64::try_from(counters).unwrap());
        let apart = 0.01 * real(received) + ends * (wh(average, 2 * scan) + counts);
        let lost = wh(0.001 * 1e3 * mva + 100.0, known) + 0.006 * real(received);
        #[expect(clippy::cast_possible_truncation, reason = "watt hours")]
        let whole = |wh: f64| wh.round() as i64;
        (whole(-apart), whole(apart + lost))
    }
}

/// What of a step lies in a stretch: its energy flows evenly, in whole watt hours since its beginning.
fn part(step: &Step, (from, to): (i64, i64)) -> i64 {
    let (from, to) = (from.clamp(step.from, step.to), to.clamp(step.from, step.to));
    let up_to = |at: i64| {
        let part = i128::from(step.wh.unwrap()) * i128::from(at - step.from);
        i64::try_from(part / i128::from(step.to - step.from)).unwrap()
    };
    up_to(to) - up_to(from)
}

/// How many stretches are between those that are common.
fn gaps(own: (i64, i64), common: &[(i64, i64)]) -> usize {
    let mut at = own.0;
    let mut gaps = 0;
    for (from, to) in common.iter().chain([&(own.1, own.1)]) {
        gaps += usize::from(*from > at);
        at = *to;
    }
    gaps
}

/// Every stretch of time belongs to the session of the latest epoch that has it.
fn pieces(sessions: &[Piece]) -> Vec<Piece> {
    let mut edges: Vec<i64> = sessions.iter().flat_map(|own| [own.from, own.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut pieces: Vec<Piece> = Vec::new();
    for pair in edges.windows(2) {
        let has = sessions.iter().filter(|own| own.from <= pair[0] && pair[1] <= own.to);
        let Some(owner) = has.max_by_key(|own| own.epoch) else { continue };
        match pieces.last_mut() {
            Some(last) if last.session == owner.session && last.to == pair[0] => last.to = pair[1],
            _ => pieces.push(Piece { from: pair[0], to: pair[1], ..*owner }),
        }
    }
    // One that ended as it began has brought its contract nevertheless, but where another one went on.
    let has_it = |own: &Piece, at: i64| own.from < at && at < own.to;
    pieces.extend(
        sessions
            .iter()
            .filter(|own| own.from == own.to)
            .filter(|own| !sessions.iter().any(|other| has_it(other, own.from))),
    );
    pieces.sort_by_key(|piece| (piece.from, piece.to, piece.session));
    pieces
}

/// What was said, by point, where no later epoch has the time.
fn held(pieces: &[Piece], said: &[Value]) -> BTreeMap<String, Vec<(i64, Option<f64>)>> {
    let mut all: BTreeMap<String, Vec<(i64, Option<f64>)>> = BTreeMap::new();
    for value in said {
        let owner = pieces.iter().rfind(|piece| piece.from <= value.at);
        if owner.is_none_or(|owner| owner.epoch == value.epoch) {
            all.entry(value.point.clone()).or_default().push((value.at, value.said));
        }
    }
    for values in all.values_mut() {
        values.sort_by_key(|(at, _)| *at);
    }
    all
}

/// When what is measured was judged as `is_wrong` says.
fn doubted(
    pieces: &[Piece],
    judged: &[(i64, i64, u16)],
    is_wrong: impl Fn(u16) -> bool,
) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    for piece in pieces {
        let own: Vec<(i64, u16)> = judged
            .iter()
            .filter(|(session, ..)| *session == piece.session)
            .map(|(_, at, bits)| (*at, *bits))
            .collect();
        for (n, (at, bits)) in own.iter().enumerate() {
            let next = own.get(n + 1).map_or(i64::MAX, |next| next.0);
            let stretch = (piece.from.max(*at), piece.to.min(next));
            if is_wrong(*bits) && stretch.0 < stretch.1 {
                all.push(stretch);
            }
        }
    }
    all
}

/// How long a value stands at most: until it is old, or three times as long as values are apart near it where
/// they come more rarely, but no longer than a quarter of an hour.
fn stands(values: &[(i64, Option<f64>)], n: usize, old: i64) -> i64 {
    let apart = |n: usize| {
        let ms = values.get(n + 1)?.0 - values[n].0;
        Some(ms).filter(|ms| *ms <= 900_000)
    };
    let before = n.checked_sub(1).and_then(apart);
    let earlier = before.and(n.checked_sub(2).and_then(apart));
    let usual = [earlier, before, apart(n)].into_iter().flatten().min().unwrap_or(0);
    (3 * usual).max(old).min(900_000)
}
