//! What the historian keeps of one channel, and the verdict on each of its points.

use std::sync::Arc;

use config::{Channel, ChannelId, Decoded, Entry, Flags, Kind, Point, Province, Standing, decode};

use super::counts::Counts;
use super::findings::Findings;
use super::meters::MeterCells;
use super::picture::{ChannelPicture, Full, LastPoll, Link, LinkState, UnitPicture};
use super::verdict::{PointPicture, Reason, Since};
use crate::clock::Timestamp;
use crate::collector::plan::{Content, Item, Part, Plan};
use crate::collector::reading::{Event, Fault, Poll, Reading, Strays};

/// How long a breaker may stand between its ends before it counts: it moves within tenths of a
/// second.
const BREAKER_TRAVEL_MS: i64 = 2_000;
/// The same for motor-driven disconnectors and earth switches, which take 8 to 15 s.
const DISCONNECTOR_TRAVEL_MS: i64 = 25_000;

/// Exception 06, device busy: the value stands until it is old, the device asks to be asked again.
const BUSY: u8 = 6;

/// State of one channel.
pub(super) struct ChannelState {
    id: ChannelId,
    /// What the log calls it: `HB07 at CC`.
    name: String,
    link: Link,
    plan: Arc<Plan>,
    /// What came of each request last, by block and first cell.
    exchanges: Vec<LastPoll>,
    /// Cells of the reply that is being read: kept to be used again.
    cells: Vec<u16>,
    points: Vec<PointState>,
    units: Vec<UnitPicture>,
    findings: Findings,
    /// Registers of the metering unit, where this centre reads it.
    pub(super) meters: Option<MeterCells>,
}

/// State of one point.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointState {
    /// Last value that came.
    pub(super) value: Option<f64>,
    /// When it was last another one.
    pub(super) changed: Option<Timestamp>,
    flags: Flags,
    value_part: PartState,
    quality_part: PartState,
    block: Option<u16>,
    verdict: Option<Reason>,
    since: Since,
    /// Why it is not live, as of the last picture.
    pub(super) not_live: Option<Reason>,
    not_live_since: Since,
}

/// How reading one part of a point goes, its value or its quality.
#[derive(Debug, Clone, Copy)]
struct PartState {
    /// When it last came.
    at: Option<Timestamp>,
    /// The device has said since then that it has none, or will not give it.
    withdrawn: bool,
    outcome: Outcome,
    outcome_since: Timestamp,
}

/// What came of the last request for a part of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unasked,
    Came,
    /// The device says that it has no value.
    NoValue,
    Fault(Fault),
}

impl ChannelState {
    pub(super) fn new(
        province: &Province,
        index: usize,
        channel: &Channel,
        plan: Arc<Plan>,
        started: Timestamp,
    ) -> Self {
        let station = &province.stations[channel.station.index()];
        let (id, state) = (ChannelId::at(index), LinkState::NeverConnected);
        let link = Link {
            state,
            since: started,
            last_reply: None,
            fault: None,
            missed: 0,
            overrun: None,
            strays: Strays::default(),
        };
        let asked = |unit: u8| plan.blocks.iter().any(|block| block.unit == unit);
        let units = station
            .units
            .iter()
            .map(|unit| UnitPicture { asked: asked(unit.id), answers: false, since: started })
            .collect();
        let points = channel.entries.iter().map(|entry| PointState::new(entry, started)).collect();
        let metering = province.centres[channel.centre.index()].metering;
        let name = format!("{} at {}", station.id, province.centres[channel.centre.index()].id);
        Self {
            id,
            name,
            link,
            exchanges: Vec::with_capacity(plan.blocks.len()),
            cells: Vec::new(),
            plan,
            points,
            units,
            findings: Findings::new(province, channel),
            meters: metering.then(|| MeterCells::new(station)),
        }
    }

    pub(super) fn accept(&mut self, province: &Province, reading: &Reading) {
        match &reading.event {
            Event::Connected => self.set_link(LinkState::Connected, reading.at, None),
            Event::Lost(fault) => {
                let state = match self.link.state {
                    LinkState::NeverConnected => LinkState::NeverConnected,
                    LinkState::Connected | LinkState::Lost => LinkState::Lost,
                };
                self.set_link(state, reading.at, Some(fault.clone()));
            }
            Event::Silent(unit) => self.accept_silence(province, *unit, reading.at),
            Event::Overrun(overrun) => {
                tracing::info!(channel = self.name, ?overrun);
                self.link.missed += u64::from(overrun.missed);
                self.link.overrun = Some((reading.at, *overrun));
            }
            Event::Strays(strays) => {
                tracing::info!(channel = self.name, ?strays);
                self.link.strays.late = self.link.strays.late.saturating_add(strays.late);
                self.link.strays.unknown = self.link.strays.unknown.saturating_add(strays.unknown);
            }
            Event::Polls(polls) => {
                for poll in polls {
                    self.accept_poll(province, reading.at, poll);
                }
            }
        }
    }

    fn set_link(
        &mut self,
        state: LinkState,
        at: Timestamp,
        fault: Option<crate::collector::reading::LinkFault>,
    ) {
        if self.link.state != state {
            tracing::info!(channel = self.name, link = state.word(), ?fault);
            self.link.state = state;
            self.link.since = at;
        }
        self.link.fault = fault;
        if state != LinkState::Connected {
            for unit in self.units.iter_mut().filter(|unit| unit.answers) {
                (unit.answers, unit.since) = (false, at);
            }
        }
    }

    fn accept_poll(&mut self, province: &Province, at: Timestamp, poll: &Poll) {
        let plan = Arc::clone(&self.plan);
        let Some(block) = plan.blocks.get(poll.block) else { return };
        let fault = poll.fault;
        if poll.in_parts {
            return;
        }
        self.keep_exchange(poll);
        if fault != Some(Fault::NoReply) {
            self.link.last_reply = Some(at);
        }
        let channel = &province.channels[self.id.index()];
        let answers = is_answer(fault);
        // One request without a reply is no silence yet.
        let says = fault != Some(Fault::NoReply);
        let unit = self.unit_mut(province, block.unit);
        if let Some(unit) = unit.filter(|unit| says && unit.answers != answers) {
            (unit.answers, unit.since) = (answers, at);
        }
        let mut cells = std::mem::take(&mut self.cells);
        poll.read_cells(block.table.is_bits(), &mut cells);
        match &block.content {
            Content::Points(items) => {
                let number = u16::try_from(poll.block).ok();
                for item in asked(items, poll) {
                    let entry = &channel.entries[item.point.index()];
                    let state = &mut self.points[item.point.index()];
                    if item.part == Part::Value {
                        state.block = number;
                    }
                    let own = cells.get(usize::from(item.offset - poll.offset)..);
                    state.accept(entry, item.part, at, own.unwrap_or_default(), fault);
                }
            }
            Content::Events => {}
            Content::Meters => {
                if let Some(meters) = &mut self.meters {
                    meters.accept(block.address.saturating_add(poll.offset), &cells, at);
                }
            }
        }
        self.cells = cells;
    }

    fn unit_mut(&mut self, province: &Province, id: u8) -> Option<&mut UnitPicture> {
        let channel = &province.channels[self.id.index()];
        let units = &province.stations[channel.station.index()].units;
        units.iter().position(|unit| unit.id == id).map(|n| &mut self.units[n])
    }

    /// Keeps what went over the wire last for each cell of a block.
    fn keep_exchange(&mut self, poll: &Poll) {
        let Ok(block) = u16::try_from(poll.block) else { return };
        let first = self.exchanges.partition_point(|last| {
            last.block < block || last.block == block && last.end() <= u32::from(poll.offset)
        });
        let over = self.exchanges[first..]
            .iter()
            .take_while(|last| last.block == block && u32::from(last.offset) < poll.end())
            .count();
        let last = LastPoll {
            block,
            offset: poll.offset,
            count: poll.count,
            fault: poll.fault,
            exchange: poll.exchange.clone(),
        };
        if over == 1 {
            self.exchanges[first] = last;
        } else {
            self.exchanges.splice(first..first + over, [last]);
        }
    }

    /// A unit that does not answer is left alone for a while, so its other requests are not even
    /// sent: what holds for one holds for all.
    fn accept_silence(&mut self, province: &Province, unit: u8, at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        if let Some(state) = self.unit_mut(province, unit).filter(|state| state.answers) {
            (state.answers, state.since) = (false, at);
        }
        for block in plan.blocks.iter().filter(|block| block.unit == unit) {
            let Content::Points(items) = &block.content else { continue };
            for item in items {
                let state = &mut self.points[item.point.index()];
                let part = state.part_mut(item.part);
                part.note(Outcome::Fault(Fault::NoReply), at);
            }
        }
    }

    pub(super) fn picture(&mut self, province: &Province, now: Timestamp) -> ChannelPicture {
        let channel = &province.channels[self.id.index()];
        let station = &province.stations[channel.station.index()];
        for ((state, entry), point) in
            self.points.iter_mut().zip(&channel.entries).zip(&station.points)
        {
            let old_after = point.spec.scan.map(|scan| province.scan.old_after_ms(scan));
            let live = state.judge_live(&self.link, entry, point, old_after, now);
            state.set_not_live(live, now);
        }
        self.findings.evaluate(station, &self.points, now);
        let mut counts = Counts::default();
        let mut points = Vec::with_capacity(self.points.len());
        for (n, (entry, point)) in channel.entries.iter().zip(&station.points).enumerate() {
            let state = &mut self.points[n];
            if let (None, Some(since)) = (state.not_live, self.findings.frozen(n)) {
                state.set_not_live(Some((Reason::Frozen, Since::At(since))), now);
            }
            let finding = self.findings.of(n);
            state.judge(entry, &self.link, finding.map(|(_, since)| since), now);
            let picture = state.picture(self.findings.evaluable(n), finding.map(|(f, _)| f));
            counts.add(entry, point.spec.kind.is_command(), &picture);
            points.push(picture);
        }
        ChannelPicture {
            id: self.id,
            link: self.link.clone(),
            full: full(&counts),
            right: self.findings.right(&counts),
            counts,
            points,
            units: self.units.clone(),
            plan: Arc::clone(&self.plan),
            settled: self.settled(),
            exchanges: self.exchanges.clone(),
        }
    }

    /// Every block has been answered or given up, or the station cannot be reached.
    fn settled(&self) -> bool {
        let unreachable = self.link.state != LinkState::Connected && self.link.fault.is_some();
        let given_up = |n: usize| {
            let unit_of = |block: usize| self.plan.blocks[block].unit;
            let same_unit =
                self.exchanges.iter().filter(|l| unit_of(usize::from(l.block)) == unit_of(n));
            same_unit.into_iter().any(|last| last.fault == Some(Fault::NoReply))
        };
        let known = |n: usize| {
            self.exchanges.binary_search_by_key(&n, |last| usize::from(last.block)).is_ok()
                || given_up(n)
        };
        unreachable || (0..self.plan.blocks.len()).all(known)
    }
}

/// Items of a block that a request asked for.
fn asked<'a>(items: &'a [Item], poll: &Poll) -> &'a [Item] {
    let first = items.partition_point(|item| item.offset < poll.offset);
    let last = items.partition_point(|item| u32::from(item.offset) < poll.end());
    &items[first..last.max(first)]
}

/// Whether a unit is there: it answered, be it with an exception of its own. Exceptions 0A and 0B
/// come from the gateway in its place.
fn is_answer(fault: Option<Fault>) -> bool {
    !matches!(fault, Some(Fault::NoReply | Fault::Refused(0x0A | 0x0B)))
}

fn full(counts: &Counts) -> Full {
    match counts {
        counts if counts.tested == counts.required && counts.required > 0 => Full::Full,
        counts if counts.mapped == 0 => Full::NoneYet,
        _ => Full::NotFull,
    }
}

/// The structural reason of an entry.
fn structural(entry: &Entry) -> Option<(Reason, Since)> {
    let since = |cause: &config::Cause| cause.since.map_or(Since::Always, Since::Day);
    match &entry.standing {
        Standing::Elsewhere | Standing::Tested(_) => None,
        Standing::Absent(cause) => Some((Reason::NotInDatabase, since(cause))),
        Standing::Untested(cause) => Some((Reason::NoE2eRecord, since(cause))),
    }
}

impl PartState {
    fn new(started: Timestamp) -> Self {
        Self { at: None, withdrawn: false, outcome: Outcome::Unasked, outcome_since: started }
    }

    fn note(&mut self, outcome: Outcome, at: Timestamp) {
        match outcome {
            Outcome::Came => (self.at, self.withdrawn) = (Some(at), false),
            Outcome::NoValue => self.withdrawn = true,
            Outcome::Fault(Fault::Refused(code)) if code != BUSY => self.withdrawn = true,
            Outcome::Unasked | Outcome::Fault(_) => {}
        }
        if self.outcome != outcome {
            (self.outcome, self.outcome_since) = (outcome, at);
        }
    }

    /// Why the part cannot be used, and since when, if it was known.
    fn judge(&self, old_after: i64, now: Timestamp) -> Option<(Reason, Option<Timestamp>)> {
        let fresh = !self.withdrawn && self.at.is_some_and(|at| now.since(at) <= old_after);
        if fresh {
            // One request that went wrong is no news as long as what came is fresh.
            return None;
        }
        let reason = match self.outcome {
            Outcome::Fault(Fault::NoReply) => Reason::NoReply,
            Outcome::Fault(Fault::Refused(_)) => Reason::Refused,
            Outcome::Fault(Fault::Undecodable) => Reason::Undecodable,
            Outcome::NoValue => Reason::Flagged,
            Outcome::Unasked | Outcome::Came => match self.at {
                Some(at) => return Some((Reason::Old, Some(at.plus(old_after)))),
                None => return Some((Reason::NeverSeen, None)),
            },
        };
        Some((reason, Some(self.outcome_since)))
    }
}

impl PointState {
    fn new(entry: &Entry, started: Timestamp) -> Self {
        let (verdict, since) = structural(entry).unzip();
        let since = since.unwrap_or(Since::At(started));
        Self {
            value: None,
            changed: None,
            flags: Flags::GOOD,
            value_part: PartState::new(started),
            quality_part: PartState::new(started),
            block: None,
            verdict,
            since,
            not_live: None,
            not_live_since: Since::At(started),
        }
    }

    fn part_mut(&mut self, part: Part) -> &mut PartState {
        match part {
            Part::Value => &mut self.value_part,
            Part::Quality => &mut self.quality_part,
        }
    }

    /// Takes one part of the point from the cells of a reply, from its first one on.
    fn accept(
        &mut self,
        entry: &Entry,
        part: Part,
        at: Timestamp,
        cells: &[u16],
        fault: Option<Fault>,
    ) {
        let Some(register) = &entry.register else { return };
        let outcome = match (part, fault) {
            (_, Some(fault)) => Outcome::Fault(fault),
            (Part::Quality, None) => match cells.first() {
                // A status has one bit that says "not good".
                Some(said) if register.table.is_bits() && *said != 0 => {
                    self.flags = Flags::INVALID;
                    Outcome::Came
                }
                Some(said) => {
                    self.flags = Flags(*said);
                    Outcome::Came
                }
                None => Outcome::Fault(Fault::Undecodable),
            },
            (Part::Value, None) => {
                let own = cells.len().min(usize::from(register.encoding.cells()));
                let cells = &cells[..own];
                match decode(register.encoding, register.word_order, cells) {
                    Decoded::Value(value) => {
                        if self.value != Some(value) {
                            (self.value, self.changed) = (Some(value), Some(at));
                        }
                        Outcome::Came
                    }
                    Decoded::NoValue => Outcome::NoValue,
                    Decoded::Nonsense => Outcome::Fault(Fault::Undecodable),
                }
            }
        };
        self.part_mut(part).note(outcome, at);
    }

    /// Why the point is not live, and since when: the first stage that fails from the database to
    /// the plausibility of the value.
    fn judge_live(
        &self,
        link: &Link,
        entry: &Entry,
        point: &Point,
        old_after: Option<i64>,
        now: Timestamp,
    ) -> Option<(Reason, Since)> {
        // A command has no value.
        let old_after = old_after?;
        if let Some((Reason::NotInDatabase, since)) = structural(entry) {
            return Some((Reason::NotInDatabase, since));
        }
        if link.state != LinkState::Connected {
            return Some((Reason::NoLink, Since::At(link.since)));
        }
        // A value without its quality is not known to be usable.
        let has_quality = entry.register.is_some_and(|register| register.quality.is_some());
        let quality = || has_quality.then(|| self.quality_part.judge(old_after, now)).flatten();
        if let Some((reason, since)) = self.value_part.judge(old_after, now).or_else(quality) {
            let since = since.map_or_else(|| self.not_live_since_or(reason, now), Since::At);
            return Some((reason, since));
        }
        self.judge_value(point, self.value?, now)
    }

    /// The last stages: what the value itself says.
    fn judge_value(&self, point: &Point, value: f64, now: Timestamp) -> Option<(Reason, Since)> {
        let reason = if !self.flags.is_good() {
            Reason::Flagged
        } else if self.is_between_ends(point, value, now) {
            return Some((Reason::Intermediate, Since::At(self.changed.unwrap_or(now))));
        } else if point.range.is_some_and(|(low, high)| !(low..=high).contains(&value)) {
            Reason::OutOfRange
        } else {
            return None;
        };
        Some((reason, self.not_live_since_or(reason, now)))
    }

    /// The moment since which the point was already so in the last picture, else now.
    fn not_live_since_or(&self, reason: Reason, now: Timestamp) -> Since {
        if self.not_live == Some(reason) { self.not_live_since } else { Since::At(now) }
    }

    fn is_between_ends(&self, point: &Point, value: f64, now: Timestamp) -> bool {
        if point.spec.kind != Kind::DoublePoint {
            return false;
        }
        let travel = if point.spec.id.starts_with("CB.") {
            BREAKER_TRAVEL_MS
        } else {
            DISCONNECTOR_TRAVEL_MS
        };
        let resting = self.changed.map_or(0, |changed| now.since(changed));
        // 3 is contradictory at once, 0 only when it lasts.
        value >= 3.0 || (value < 1.0 && resting > travel)
    }

    fn set_not_live(&mut self, live: Option<(Reason, Since)>, now: Timestamp) {
        match live {
            Some((reason, since)) => (self.not_live, self.not_live_since) = (Some(reason), since),
            None if self.not_live.is_some() => {
                (self.not_live, self.not_live_since) = (None, Since::At(now));
            }
            None => {}
        }
    }

    /// The verdict: the first stage of all that fails. A command has no value, but it needs the
    /// link as much as one.
    fn judge(
        &mut self,
        entry: &Entry,
        link: &Link,
        inconsistent_since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let live = self.not_live.map(|reason| (reason, self.not_live_since));
        let no_link = (link.state != LinkState::Connected && entry.register.is_some())
            .then_some((Reason::NoLink, Since::At(link.since)));
        let inconsistent = inconsistent_since.map(|at| (Reason::Inconsistent, Since::At(at)));
        match structural(entry).or(live).or(no_link).or(inconsistent) {
            Some((reason, since)) => (self.verdict, self.since) = (Some(reason), since),
            None if self.verdict.is_some() => (self.verdict, self.since) = (None, Since::At(now)),
            None => {}
        }
    }

    fn picture(&self, evaluable: bool, finding: Option<super::verdict::Finding>) -> PointPicture {
        let exception = match self.value_part.outcome {
            Outcome::Fault(Fault::Refused(code)) => code,
            _ => 0,
        };
        PointPicture {
            verdict: self.verdict,
            since: self.since,
            not_live: self.not_live,
            not_live_since: self.not_live_since,
            value: self.value,
            at: self.value_part.at,
            flags: self.flags,
            exception,
            evaluable,
            finding,
            block: self.block,
        }
    }
}
