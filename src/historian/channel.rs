//! What the historian keeps of one channel, and the verdict on each of its points.

use std::sync::Arc;

use config::{Channel, ChannelId, Decoded, Entry, Flags, Province, decode};

use super::counts::Counts;
use super::events::{ChannelEvents, EventLog};
use super::findings::{self, Findings};
use super::heartbeat::{Beat, Heartbeat};
use super::ledger::{Judgement, Page};
use super::meters::MeterCells;
use super::past::{StoodChannel, StoodPoint};
use super::picture::{ChannelPicture, Full, LastPoll, Link, LinkState, UnitPicture};
use super::rules::{PointRule, Rules};
use super::traffic::TrafficPicture;
use super::verdict::{Finding, PointPicture, Reason, Sighted, Since};
use super::window::{Asked, Window};
use crate::clock::Timestamp;
use crate::collector::plan::{Content, Item, Part, Plan};
use crate::collector::reading::{Event, Fault, LinkFault, Poll, Reading};

/// Exception 06, device busy: the value stands until it is old, the device asks to be asked again.
const BUSY: u8 = 6;

/// How asking has gone of late is told anew after that time even if nothing comes in.
const TRAFFIC_HOLDS_MS: i64 = 10_000;
/// A heartbeat that has stood for so much longer than makes a value old does so alone: by then a gateway that hangs is
/// known to, milliseconds.
const SURELY_STANDS_MS: i64 = 3_000;
/// Nothing changes by itself.
const FOREVER: Timestamp = Timestamp(i64::MAX);
/// Before anything that is kept.
const NEVER: Timestamp = Timestamp(i64::MIN / 2);

/// State of one channel.
pub(super) struct ChannelState {
    id: ChannelId,
    /// What the log calls it: `HB07 at CC`.
    name: String,
    link: Link,
    /// What the last picture told of the path.
    told_link: LinkState,
    /// How it stood when somebody watched last, until that is compared with how it stands, and that is proven.
    stood: Option<StoodChannel>,
    /// Whether it was compared.
    recalled: bool,
    /// It answered before this run of the monitor.
    answered_before: bool,
    plan: Arc<Plan>,
    /// What came of each request last, by block and first cell.
    exchanges: Vec<LastPoll>,
    /// Cells of the reply that is being read: kept to be used again.
    cells: Vec<u16>,
    points: Vec<PointState>,
    units: Vec<UnitPicture>,
    /// What was asked of each unit of late.
    windows: Vec<Window>,
    /// The same for units that the contract does not list: points may be pinned to them.
    others: Window,
    started: Timestamp,
    rules: Arc<Rules>,
    findings: Findings,
    heartbeat: Heartbeat,
    /// As long as nobody knows whether what comes moves.
    unproven: Option<Unproven>,
    /// The latest picture, as long as it is true.
    kept: Option<Kept>,
    /// The one before: its memory is used again when nobody looks at it any more.
    spare: Option<Arc<ChannelPicture>>,
    events: ChannelEvents,
    /// What was last written down, where somebody keeps it.
    page: Option<Page>,
    /// What was asked since that was last told.
    asked: Asked,
    /// Registers of the metering unit, where this centre reads it.
    pub(super) meters: Option<MeterCells>,
}

/// A picture that stays true until something comes in, or until time alone changes a verdict.
struct Kept {
    picture: Arc<ChannelPicture>,
    from: Timestamp,
    until: Timestamp,
}

/// What was told of a channel before it was known whether what comes from it moves.
struct Unproven {
    /// Since when it is told.
    since: Timestamp,
    /// What was written down of that.
    told: Vec<Judgement>,
}

/// State of one point.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointState {
    /// Last value that came.
    pub(super) value: Option<f64>,
    /// When it was last another one.
    pub(super) changed: Option<Timestamp>,
    /// It has been another one since somebody began to watch.
    pub(super) moved: bool,
    /// And it became what it is while values came.
    was_seen_to_move: bool,
    /// It stood between its ends for too long when somebody watched last.
    stood_between: bool,
    flags: Flags,
    value_part: PartState,
    quality_part: PartState,
    block: Option<u16>,
    verdict: Option<Reason>,
    since: Since,
    /// Why it is not live; while it is judged, before it is known whether it is frozen.
    pub(super) not_live: Option<Reason>,
    /// What the last picture told of that, and since when it is so.
    told_not_live: Option<Reason>,
    not_live_since: Since,
    /// From which judgement on values of it come.
    sighted: Sighted,
}

/// How reading one part of a point goes, its value or its quality.
#[derive(Debug, Clone, Copy)]
struct PartState {
    /// When it last came.
    at: Option<Timestamp>,
    /// The device has said since then that it has none, or will not give it.
    withdrawn: bool,
    outcome: Outcome,
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
        rules: Arc<Rules>,
        started: Timestamp,
    ) -> Self {
        let station = &province.stations[channel.station.index()];
        let (id, link) = (ChannelId::at(index), Link::new(started));
        let asked = |unit: u8| plan.blocks.iter().any(|block| block.unit == unit);
        let unit_picture = |unit: &config::Unit| UnitPicture {
            asked: asked(unit.id),
            answers: false,
            since: Since::AtLeast(started),
            traffic: TrafficPicture::default(),
            last_good: None,
            last_fault: None,
            set_aside: 0,
            events: None,
        };
        let units: Vec<UnitPicture> = station.units.iter().map(unit_picture).collect();
        let points = rules.points.iter().map(|rule| PointState::new(rule, started)).collect();
        let metering = province.centres[channel.centre.index()].metering;
        let name = format!("{} at {}", station.id, province.centres[channel.centre.index()].id);
        Self {
            id,
            name,
            told_link: link.state,
            link,
            stood: None,
            recalled: false,
            answered_before: false,
            exchanges: Vec::with_capacity(plan.blocks.len()),
            cells: Vec::new(),
            events: ChannelEvents::new(id, channel, &plan),
            plan,
            points,
            windows: vec![Window::new(); units.len()],
            others: Window::new(),
            units,
            started,
            findings: Findings::new(&rules.tests),
            heartbeat: Heartbeat::default(),
            unproven: None,
            rules,
            kept: None,
            spare: None,
            page: None,
            asked: Asked::default(),
            meters: metering.then(|| MeterCells::new(station)),
        }
    }

    /// Takes a reading into account; events go to the log of the channel's centre.
    pub(super) fn accept(
        &mut self,
        province: &Province,
        reading: &Reading,
        log: &mut Arc<EventLog>,
    ) {
        self.put_aside();
        match &reading.event {
            Event::Connected => {
                if self.link.state == LinkState::Lost {
                    self.count_reconnect(reading.at);
                }
                self.set_link(LinkState::Connected, reading.at, None);
            }
            Event::Renewed(fault) => {
                self.count_reconnect(reading.at);
                if let Some(fault) = fault {
                    self.link.last_fault = Some((reading.at, fault.clone()));
                }
            }
            Event::Lost(fault) => {
                self.link.refusals += u64::from(*fault == LinkFault::Refused);
                self.link.last_fault = Some((reading.at, fault.clone()));
                let state = match self.link.state {
                    LinkState::NeverConnected if !self.answered_before => LinkState::NeverConnected,
                    _ => LinkState::Lost,
                };
                self.set_link(state, reading.at, Some(fault.clone()));
            }
            Event::Silent(unit, fault) => {
                self.accept_silence(province, *unit, *fault, reading.at);
            }
            Event::Overrun(overrun) => {
                tracing::info!(channel = self.name, ?overrun);
                self.link.missed += u64::from(overrun.missed);
                self.asked.missed += u64::from(overrun.missed);
                self.link.overruns += 1;
                self.link.overrun = Some((reading.at, *overrun));
            }
            Event::Strays(strays) => {
                tracing::info!(channel = self.name, ?strays);
                self.link.strays.late = self.link.strays.late.saturating_add(strays.late);
                self.link.strays.unknown = self.link.strays.unknown.saturating_add(strays.unknown);
                self.link.stray_at = Some(reading.at);
            }
            Event::Polls(polls) => {
                for poll in polls {
                    self.accept_poll(province, reading.at, poll, log);
                }
            }
        }
    }

    fn count_reconnect(&mut self, at: Timestamp) {
        self.link.reconnects += 1;
        self.link.reconnected_at = Some(at);
    }

    fn set_link(&mut self, state: LinkState, at: Timestamp, fault: Option<LinkFault>) {
        if self.link.state != state {
            tracing::info!(channel = self.name, link = state.word(), ?fault);
            let was_up = self.link.state == LinkState::Connected;
            self.link.losses += u64::from(state == LinkState::Lost && was_up);
            self.link.state = state;
        }
        self.link.fault = fault;
        for unit in &mut self.units {
            match state {
                // Whether it would have answered meanwhile nobody knows.
                LinkState::Connected if !unit.answers => unit.since = Since::AtLeast(at),
                LinkState::Lost | LinkState::NeverConnected if unit.answers => {
                    (unit.answers, unit.since) = (false, Since::At(at));
                }
                _ => {}
            }
        }
    }

    fn accept_poll(
        &mut self,
        province: &Province,
        at: Timestamp,
        poll: &Poll,
        log: &mut Arc<EventLog>,
    ) {
        let plan = Arc::clone(&self.plan);
        let Some(block) = plan.blocks.get(poll.block) else { return };
        // What came may have been held until the stream behind it was seen to be in order.
        let at = poll.exchange.heard().min(at);
        let fault = poll.fault;
        self.count(province, block.unit, at, poll);
        if poll.in_parts {
            return;
        }
        // Records of events lie behind their header: the evidence is what they say.
        if poll.offset < block.count {
            self.keep_exchange(poll);
        }
        if fault != Some(Fault::NoReply) {
            self.link.last_reply = Some(at);
        }
        let channel = &province.channels[self.id.index()];
        let answers = is_answer(fault);
        // One request without a reply is no silence yet.
        let says = fault != Some(Fault::NoReply);
        let unit = self.unit_mut(province, block.unit);
        if let Some(unit) = unit.filter(|unit| says && unit.answers != answers) {
            (unit.answers, unit.since) = (answers, Since::At(at));
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
                    let before = state.value_part.at;
                    let came = state.accept(entry, item.part, at, own.unwrap_or_default(), fault);
                    match (came, before) {
                        (Some(beat), _) if self.rules.heartbeat == Some(item.point.index()) => {
                            self.heartbeat.take(at, beat);
                        }
                        (Some(Beat::New), Some(before)) => self.heartbeat.moved_since(before),
                        _ => {}
                    }
                }
            }
            Content::Events => {
                if let Some(beat) = self.events.accept(poll, &cells, log) {
                    self.heartbeat.beat(at, beat);
                }
            }
            Content::Meters => {
                if let Some(meters) = &mut self.meters {
                    meters.accept(block.address.saturating_add(poll.offset), &cells, at);
                }
            }
        }
        self.cells = cells;
    }

    /// Counts a request to a unit, whatever it says of single cells.
    fn count(&mut self, province: &Province, unit: u8, at: Timestamp, poll: &Poll) {
        self.asked.count(poll.exchange.took_us, poll.fault);
        let Some(place) = self.unit_place(province, unit) else {
            self.others.count(at, poll.exchange.took_us, poll.fault);
            return;
        };
        self.windows[place].count(at, poll.exchange.took_us, poll.fault);
        let unit = &mut self.units[place];
        match poll.fault {
            None => unit.last_good = Some(at),
            Some(fault) => unit.last_fault = Some((at, fault)),
        }
    }

    fn unit_place(&self, province: &Province, id: u8) -> Option<usize> {
        let channel = &province.channels[self.id.index()];
        let units = &province.stations[channel.station.index()].units;
        units.iter().position(|unit| unit.id == id)
    }

    fn unit_mut(&mut self, province: &Province, id: u8) -> Option<&mut UnitPicture> {
        self.unit_place(province, id).map(|place| &mut self.units[place])
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
    fn accept_silence(&mut self, province: &Province, unit: u8, fault: Fault, at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        if let Some(state) = self.unit_mut(province, unit).filter(|state| state.answers) {
            (state.answers, state.since) = (false, Since::At(at));
        }
        for block in plan.blocks.iter().filter(|block| block.unit == unit) {
            let Content::Points(items) = &block.content else { continue };
            for item in items {
                let state = &mut self.points[item.point.index()];
                let part = state.part_mut(item.part);
                part.note(Outcome::Fault(fault), at);
            }
        }
    }

    /// The kept picture is true no longer.
    fn put_aside(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.spare = Some(kept.picture);
        }
    }

    /// From now on what changes is written down: all of it with the next picture.
    pub(super) fn keep_ledger(&mut self) {
        // What history says of its first moment is what pictures say from then on.
        self.recalled &= self.page.is_some();
        self.page = Some(Page::default());
        if let Some(unproven) = &mut self.unproven {
            unproven.told.clear();
        }
        self.put_aside();
    }

    /// How it stood when somebody watched last: what stands so still is told since then, and what takes a while
    /// to be found out need not be found out again.
    pub(super) fn recall(&mut self, stood: StoodChannel) {
        self.answered_before = stood.answered;
        for (state, stood) in self.points.iter_mut().zip(&stood.points) {
            let reason = stood.and_then(|stood| stood.state.not_live());
            state.stood_between = reason == Some(Reason::Intermediate);
        }
        self.findings.recall(&self.rules.tests, &stood, self.started);
        if findings::is_recent(&stood, self.started)
            && let Some(last) = self.rules.last_beat(&stood)
        {
            self.heartbeat = Heartbeat::hung(last);
        }
        (self.stood, self.recalled) = (Some(stood), false);
        self.put_aside();
    }

    /// Whether the station answered before this run of the monitor.
    pub(super) fn answered_before(&self) -> bool {
        self.answered_before
    }

    /// What was asked since this was last called.
    pub(super) fn take_asked(&mut self) -> Asked {
        std::mem::take(&mut self.asked)
    }

    /// The picture at `now`: the latest one again when nothing can have changed since. What is new in
    /// it is written down.
    pub(super) fn picture(
        &mut self,
        province: &Province,
        now: Timestamp,
        judgements: &mut Vec<Judgement>,
    ) -> Arc<ChannelPicture> {
        if let Some(kept) = &self.kept
            && (kept.from..=kept.until).contains(&now)
        {
            return Arc::clone(&kept.picture);
        }
        self.put_aside();
        let until = self.judge(now);
        if !self.recalled && (self.page.is_some() || self.settled()) {
            self.recalled = true;
            self.compare(now);
            self.unproven = Some(Unproven { since: now, told: Vec::new() });
        }
        let is_undecided = self.is_unproven(now);
        let decided = self.unproven.take_if(|_| !is_undecided);
        let hung = decided.as_ref().filter(|_| self.never_moved(now));
        if let Some(unproven) = hung {
            // Nobody knows of when its values were, from the first one on.
            self.compare(unproven.since);
        }
        if self.recalled && self.unproven.is_none() {
            self.stood = None;
        }
        let picture = Arc::new(self.draw(province, now));
        if let Some(page) = &mut self.page {
            let again = hung.map(|own| own.told.iter().map(|told| told.again(&picture.points)));
            judgements.extend(again.into_iter().flatten());
            let told = page.turn(self.id, now, self.link.state, &picture.points);
            if let Some(unproven) = &mut self.unproven {
                unproven.told.extend(told.clone());
            }
            judgements.extend(told);
        }
        self.kept = Some(Kept { picture: Arc::clone(&picture), from: now, until });
        picture
    }

    /// The contract of another day: the last picture is true no longer.
    pub(super) fn judge_by(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
        self.kept = None;
    }

    /// Judges what each point says by itself, then what they say against each other. Returns until
    /// when that holds if nothing comes in.
    fn judge(&mut self, now: Timestamp) -> Timestamp {
        // How asking has gone of late is told by the minute.
        let mut until = now.plus(TRAFFIC_HOLDS_MS);
        let newest = match self.heartbeat.not_newer_than() {
            Some(_) if self.never_moved(now) => NEVER,
            newest => newest.unwrap_or(FOREVER),
        };
        for (state, rule) in self.points.iter_mut().zip(&self.rules.points) {
            state.not_live = state.judge_live(&self.link, rule, (newest, now));
            until = until.min(state.holds_until(rule, (newest, now)));
        }
        let frozen = self.frozen_heartbeat(now, &mut until);
        until = self.findings.evaluate(&self.rules.tests, &self.points, now).min(until);
        let link = self.link.state;
        if self.told_link != link {
            self.told_link = link;
            (self.link.since, self.link.at_least) = (now, false);
        }
        for (n, (state, rule)) in self.points.iter_mut().zip(&self.rules.points).enumerate() {
            let (is_frozen, finding) = self.findings.of(n);
            let is_frozen = is_frozen || frozen == Some(n);
            state.settle(rule, link, (is_frozen, finding.is_some()), now);
        }
        until
    }

    /// The heartbeat, when it has stood for longer than makes a value old while others moved. Where it may come to
    /// that by itself, what is judged holds no longer than until then.
    fn frozen_heartbeat(&self, now: Timestamp, until: &mut Timestamp) -> Option<usize> {
        let n = self.rules.heartbeat.filter(|_| self.heartbeat.is_frozen())?;
        let frozen_after = self.rules.points[n].old_after?.saturating_add(SURELY_STANDS_MS);
        if self.points[n].resting(now) > frozen_after {
            return Some(n);
        }
        *until = self.points[n].changed.map_or(*until, |at| (*until).min(at.plus(frozen_after)));
        None
    }

    /// Whether its gateway answers, but repeats what it had for so long that this is old.
    fn is_hung(&self, now: Timestamp) -> bool {
        let last = self.heartbeat.not_newer_than().zip(self.rules.soonest_old);
        last.is_some_and(|(at, old_after)| now.since(at) > old_after)
            && self.link.state == LinkState::Connected
    }

    /// Whether nothing has moved since it was first asked, for so long that values are old: nobody knows of when any
    /// of them is.
    fn never_moved(&self, now: Timestamp) -> bool {
        self.heartbeat.never_moved() && self.is_hung(now)
    }

    /// Whether nobody knows yet whether what comes moves.
    fn is_unproven(&self, now: Timestamp) -> bool {
        self.heartbeat.is_undecided() || self.heartbeat.never_moved() && !self.is_hung(now)
    }

    /// Holds what stands at the first moment of which history will tell, or at which every block was asked,
    /// against how it stood when somebody watched last. What is wrong since then is told since then; of the
    /// rest it is known only that it is so at least since now.
    fn compare(&mut self, now: Timestamp) {
        let stood = self.stood.as_ref();
        let link = stood.map(|stood| stood.link);
        (self.link.since, self.link.at_least) = match link {
            Some((state, since))
                if state == self.link.state
                    && state != LinkState::Connected
                    && since.instant() <= Some(now) =>
            {
                (since.instant().unwrap_or(now), since.is_at_least())
            }
            _ => (now, true),
        };
        for (n, state) in self.points.iter_mut().enumerate() {
            let before = stood.and_then(|stood| *stood.points.get(n)?);
            state.compare(before, now);
        }
    }

    /// Puts together what was judged.
    fn draw(&mut self, province: &Province, now: Timestamp) -> ChannelPicture {
        let channel = &province.channels[self.id.index()];
        let mut counts = Counts::default();
        let spare = self.spare.take().and_then(Arc::into_inner);
        let mut points = spare.map(|picture| picture.points).unwrap_or_default();
        points.clear();
        points.reserve_exact(self.points.len());
        let newest = self.heartbeat.not_newer_than().unwrap_or(FOREVER);
        let is_unproven = self.is_unproven(now);
        let ruled = self.points.iter().zip(&self.rules.points).zip(&channel.entries);
        for (n, ((state, rule), entry)) in ruled.enumerate() {
            let seen = (self.findings.evaluable(n), self.findings.of(n).1);
            let is_undecided = state.is_undecided(rule, now)
                || is_unproven && state.not_live.is_none() && rule.old_after.is_some();
            let mut picture = state.picture(seen, is_undecided);
            picture.at = picture.at.map(|at| at.min(newest));
            counts.add(entry, rule.is_command, &picture);
            points.push(picture);
        }
        self.count_set_aside(province, &points);
        let traffic = self.sum_traffic(now);
        ChannelPicture {
            id: self.id,
            link: self.link.clone(),
            is_hung: self.is_hung(now),
            full: Full::of(&counts),
            right: self.rules.tests.right(&counts, &points),
            counts,
            points,
            units: self.unit_pictures(province),
            traffic,
            plan: Arc::clone(&self.plan),
            settled: self.settled(),
            exchanges: self.exchanges.clone(),
        }
    }

    /// How many points of each unit are refused alone.
    fn count_set_aside(&mut self, province: &Province, points: &[PointPicture]) {
        for unit in &mut self.units {
            unit.set_aside = 0;
        }
        let entries = &province.channels[self.id.index()].entries;
        for (entry, _) in entries.iter().zip(points).filter(|(_, point)| point.is_set_aside()) {
            let register = entry.register.as_ref();
            if let Some(unit) = register.and_then(|r| self.unit_mut(province, r.unit)) {
                unit.set_aside += 1;
            }
        }
    }

    /// Brings the traffic of every unit up to date, and returns that of all of them, of those that
    /// the contract does not list too.
    fn sum_traffic(&mut self, now: Timestamp) -> TrafficPicture {
        let mut all = Asked::default();
        for (unit, window) in self.units.iter_mut().zip(&self.windows) {
            let sum = window.sum(now);
            unit.traffic = sum.picture(self.started, now);
            all += sum;
        }
        all += self.others.sum(now);
        all.picture(self.started, now)
    }

    fn unit_pictures(&self, province: &Province) -> Vec<UnitPicture> {
        let channel = &province.channels[self.id.index()];
        let units = &province.stations[channel.station.index()].units;
        let with_events = |(picture, unit): (&UnitPicture, &config::Unit)| UnitPicture {
            events: self.events.of_unit(unit.id),
            ..*picture
        };
        self.units.iter().zip(units).map(with_events).collect()
    }

    /// Every block has been answered or given up, or the station cannot be reached.
    fn settled(&self) -> bool {
        let unreachable = self.link.state != LinkState::Connected && self.link.fault.is_some();
        let given_up = |n: usize| {
            let unit_of = |block: usize| self.plan.blocks[block].unit;
            let same_unit =
                self.exchanges.iter().filter(|l| unit_of(usize::from(l.block)) == unit_of(n));
            same_unit.into_iter().any(|last| !is_answer(last.fault))
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

impl PartState {
    fn new() -> Self {
        Self { at: None, withdrawn: false, outcome: Outcome::Unasked }
    }

    fn note(&mut self, outcome: Outcome, at: Timestamp) {
        match outcome {
            Outcome::Came => (self.at, self.withdrawn) = (Some(at), false),
            Outcome::NoValue => self.withdrawn = true,
            Outcome::Fault(Fault::Refused(code)) if code != BUSY => self.withdrawn = true,
            Outcome::Unasked | Outcome::Fault(_) => {}
        }
        self.outcome = outcome;
    }

    /// Until when it is fresh, if it is. No value is newer than `newest`.
    fn fresh_until(&self, old_after: i64, (newest, now): (Timestamp, Timestamp)) -> Timestamp {
        let until = self.at.map_or(FOREVER, |at| at.min(newest).plus(old_after));
        if self.withdrawn || until < now { FOREVER } else { until }
    }

    /// Why the part cannot be used. No value is newer than `newest`.
    fn judge(&self, old_after: i64, (newest, now): (Timestamp, Timestamp)) -> Option<Reason> {
        let is_old = |at: Timestamp| now.since(at.min(newest)) > old_after;
        let fresh = !self.withdrawn && self.at.is_some_and(|at| !is_old(at));
        if fresh {
            // One request that went wrong is no news as long as what came is fresh.
            return None;
        }
        Some(match self.outcome {
            Outcome::Fault(Fault::NoReply) => Reason::NoReply,
            Outcome::Fault(Fault::Refused(_)) => Reason::Refused,
            Outcome::Fault(Fault::Undecodable) => Reason::Undecodable,
            Outcome::NoValue => Reason::Flagged,
            Outcome::Unasked | Outcome::Came if self.at.is_some() => Reason::Old,
            Outcome::Unasked | Outcome::Came => Reason::NeverSeen,
        })
    }
}

impl PointState {
    fn new(rule: &PointRule, started: Timestamp) -> Self {
        let (verdict, since) = rule.structural.unzip();
        let since = since.unwrap_or(Since::AtLeast(started));
        Self {
            value: None,
            changed: None,
            moved: false,
            was_seen_to_move: false,
            stood_between: false,
            flags: Flags::GOOD,
            value_part: PartState::new(),
            quality_part: PartState::new(),
            block: None,
            verdict,
            since,
            not_live: None,
            told_not_live: None,
            not_live_since: Since::AtLeast(started),
            sighted: Sighted::default(),
        }
    }

    fn part_mut(&mut self, part: Part) -> &mut PartState {
        match part {
            Part::Value => &mut self.value_part,
            Part::Quality => &mut self.quality_part,
        }
    }

    /// Takes one part of the point from the cells of a reply, from its first one on. Returns how its value came,
    /// if one did.
    fn accept(
        &mut self,
        entry: &Entry,
        part: Part,
        at: Timestamp,
        cells: &[u16],
        fault: Option<Fault>,
    ) -> Option<Beat> {
        let register = entry.register.as_ref()?;
        let mut came = None;
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
                        came = Some(match self.value {
                            None => Beat::First,
                            same if same == Some(value) => Beat::Same,
                            Some(_) => Beat::New,
                        });
                        if came != Some(Beat::Same) {
                            self.moved = came == Some(Beat::New);
                            self.was_seen_to_move = self.moved && self.sighted.is_now();
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
        came
    }

    /// Why the point is not live: the first stage that fails from the database to the plausibility of the
    /// value. No value is newer than `newest`.
    fn judge_live(
        &self,
        link: &Link,
        rule: &PointRule,
        (newest, now): (Timestamp, Timestamp),
    ) -> Option<Reason> {
        // A command has no value.
        let old_after = rule.old_after?;
        if let Some((Reason::NotInDatabase, _)) = rule.structural {
            return Some(Reason::NotInDatabase);
        }
        if link.state != LinkState::Connected {
            return Some(Reason::NoLink);
        }
        let quality = || {
            rule.has_quality.then(|| self.quality_part.judge(old_after, (newest, now))).flatten()
        };
        self.value_part
            .judge(old_after, (newest, now))
            .or_else(quality)
            .or_else(|| self.judge_value(rule, self.value?, now))
    }

    /// Until when what is judged at `now` holds by itself: a part becomes old, or a switch has stood
    /// between its ends for too long.
    fn holds_until(&self, rule: &PointRule, (newest, now): (Timestamp, Timestamp)) -> Timestamp {
        let Some(old_after) = rule.old_after else { return FOREVER };
        let mut until = self.value_part.fresh_until(old_after, (newest, now));
        if rule.has_quality {
            until = until.min(self.quality_part.fresh_until(old_after, (newest, now)));
        }
        if let (Some(travel), Some(changed)) = (rule.travel, self.changed) {
            let arrived = changed.plus(travel);
            until = if arrived < now { until } else { until.min(arrived) };
        }
        until
    }

    /// The last stages: what the value itself says.
    fn judge_value(&self, rule: &PointRule, value: f64, now: Timestamp) -> Option<Reason> {
        if !self.flags.is_good() {
            Some(Reason::Flagged)
        } else if self.is_between_ends(rule, value, now) {
            Some(Reason::Intermediate)
        } else if rule.range.is_some_and(|(low, high)| !(low..=high).contains(&value)) {
            Some(Reason::OutOfRange)
        } else {
            None
        }
    }

    fn is_between_ends(&self, rule: &PointRule, value: f64, now: Timestamp) -> bool {
        let Some(travel) = rule.travel else { return false };
        // 3 is contradictory at once, 0 only when it lasts.
        value >= 3.0 || value < 1.0 && (self.stands_between() || self.resting(now) > travel)
    }

    /// How long it has had its value, as far as it was watched, milliseconds.
    fn resting(&self, now: Timestamp) -> i64 {
        self.changed.map_or(0, |changed| now.since(changed))
    }

    /// Whether it has not left the place between its ends at which it was found before.
    fn stands_between(&self) -> bool {
        self.stood_between && !self.moved
    }

    /// Whether it counts as live only because nobody has watched it for long enough: between its ends since it was
    /// first asked, as one that moves is.
    fn is_undecided(&self, rule: &PointRule, now: Timestamp) -> bool {
        let is_between = self.value.is_some_and(|value| value < 1.0) && !self.moved;
        self.not_live.is_none()
            && rule.travel.is_some_and(|travel| is_between && self.resting(now) <= travel)
    }

    /// The verdict, once it is known whether the point is frozen or contradicts others: the first stage of all
    /// that fails. A command has no value, but it needs the link as much as one. What is other than in the
    /// picture before is so since now: that is what history keeps, so everybody tells the same.
    fn settle(
        &mut self,
        rule: &PointRule,
        link: LinkState,
        (is_frozen, has_finding): (bool, bool),
        now: Timestamp,
    ) {
        let of_contract = |reason: Option<Reason>| {
            rule.structural.filter(|(own, _)| Some(*own) == reason).map(|(_, since)| since)
        };
        if self.not_live.is_none() && is_frozen {
            self.not_live = Some(Reason::Frozen);
        }
        self.sighted.note(self.not_live, now);
        // What was between its ends when values came first has stood there since nobody knows when.
        let is_found = !self.was_seen_to_move && self.value.is_some_and(|value| value < 1.0);
        let begins = |before: Option<Reason>, reason: Option<Reason>| {
            of_contract(reason).unwrap_or_else(|| Since::begins((before, reason), is_found, now))
        };
        if self.told_not_live != self.not_live {
            self.not_live_since = begins(self.told_not_live, self.not_live);
            self.told_not_live = self.not_live;
        }
        let no_link = (link != LinkState::Connected && rule.is_mapped).then_some(Reason::NoLink);
        let structural = rule.structural.map(|(reason, _)| reason);
        let inconsistent = has_finding.then_some(Reason::Inconsistent);
        let verdict = structural.or(self.not_live).or(no_link).or(inconsistent);
        if self.verdict != verdict {
            self.since = begins(self.verdict, verdict);
            self.verdict = verdict;
        }
    }

    /// Takes over since when it is so from how it stood when somebody watched last.
    fn compare(&mut self, before: Option<StoodPoint>, now: Timestamp) {
        let told =
            |reason: Option<Reason>, since: Since, stood: Option<(Option<Reason>, Since)>| {
                match (since, stood) {
                    // The contract names the day.
                    (Since::Always | Since::Day(_), _) => since,
                    // By a clock that is behind the one of then, nobody knows.
                    (_, Some((then, since)))
                        if reason.is_some() && then == reason && since.instant() <= Some(now) =>
                    {
                        since
                    }
                    _ => Since::AtLeast(now),
                }
            };
        self.sighted = Sighted::first(self.not_live, now);
        let stood = before.map(|before| (before.state.verdict(), before.since));
        self.since = told(self.verdict, self.since, stood);
        let stood = before.map(|before| (before.state.not_live(), before.live_since));
        self.not_live_since = told(self.not_live, self.not_live_since, stood);
    }

    fn picture(
        &self,
        (evaluable, finding): (bool, Option<Finding>),
        undecided: bool,
    ) -> PointPicture {
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
            undecided,
            block: self.block,
        }
    }
}
