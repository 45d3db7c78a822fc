//! What the historian keeps of one channel, and the verdict on each of its points.

use std::sync::Arc;

use config::{ChannelId, Decoded, Flags, Province};
use signal::clock::Timestamp;
use signal::layout::{Column, Freshness, Group, Layout, Part};
use signal::raw::{RawType, decoded, flags};
use signal::update::{Answer, LinkFault, Miss, MissKind, News, Outcome as Came, Update};

use super::counts::Counts;
use super::events::{ChannelEvents, EventLog};
use super::findings::{self, Findings};
use super::heartbeat::{Beat, Heartbeat};
use super::meters::Meters;
use super::past::{StoodChannel, StoodPoint};
use super::rules::{PointRule, Rules};
use super::snapshot::{ChannelSnapshot, DeviceSnapshot, Full, LastAnswer, Link, LinkState};
use super::traffic::TrafficSnapshot;
use super::verdict::{Finding, PointSnapshot, Reason, Sighted, Since};
use super::verdict_log::{Judgement, Page};
use super::window::{PollStats, Window};

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
    /// What the last snapshot told of the path.
    told_link: LinkState,
    /// How it stood when somebody watched last, until that is compared with how it stands, and that is proven.
    stood: Option<StoodChannel>,
    /// Whether it was compared.
    recalled: bool,
    /// It answered before this run of the monitor.
    answered_before: bool,
    layout: Arc<Layout>,
    /// What came of each request last, by group and first column.
    answers: Vec<LastAnswer>,
    points: Vec<PointState>,
    groups: Vec<GroupState>,
    units: Vec<DeviceSnapshot>,
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
    /// The latest snapshot, as long as it is true.
    kept: Option<Kept>,
    /// The one before: its memory is used again when nobody looks at it any more.
    spare: Option<Arc<ChannelSnapshot>>,
    events: ChannelEvents,
    /// What was last written down, where somebody keeps it.
    page: Option<Page>,
    /// What was asked since that was last told.
    asked: PollStats,
    /// What its head-end has told, where this centre reads it.
    pub(super) meters: Option<Meters>,
}

/// A snapshot that stays true until something comes in, or until time alone changes a verdict.
struct Kept {
    snapshot: Arc<ChannelSnapshot>,
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

/// How a group came last.
#[derive(Debug, Clone, Copy, Default)]
struct GroupState {
    /// All of it came, as values: what is unchanged behind that is as good as new.
    is_whole: bool,
    /// When it came again, unchanged, since its points were told.
    came: Option<Timestamp>,
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
    group: Option<u16>,
    verdict: Option<Reason>,
    since: Since,
    /// Why it is not live; while it is judged, before it is known whether it is frozen.
    pub(super) not_live: Option<Reason>,
    /// What the last snapshot told of that, and since when it is so.
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
    /// It stands as long as the link does: its device tells when it changes.
    stands: bool,
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
    Missed(Miss),
}

impl ChannelState {
    pub(super) fn new(
        province: &Province,
        index: usize,
        layout: Arc<Layout>,
        rules: Arc<Rules>,
        started: Timestamp,
    ) -> Self {
        let channel = &province.channels[index];
        let station = &province.stations[channel.station.index()];
        let (id, link) = (ChannelId::at(index), Link::new(started));
        let asked = |unit: u8| layout.groups.iter().any(|group| group.device == unit);
        let device_snapshot = |unit: &config::Device| DeviceSnapshot {
            asked: asked(unit.id),
            answers: false,
            since: Since::AtLeast(started),
            traffic: TrafficSnapshot::default(),
            last_good: None,
            last_miss: None,
            set_aside: 0,
            events: None,
        };
        let units: Vec<DeviceSnapshot> = station.units.iter().map(device_snapshot).collect();
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
            answers: Vec::with_capacity(layout.groups.len()),
            groups: vec![GroupState::default(); layout.groups.len()],
            events: ChannelEvents::new(id, &layout),
            layout,
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
            asked: PollStats::default(),
            meters: metering.then(|| Meters::new(station)),
        }
    }

    /// Takes an update into account; events go to the log of the channel's centre.
    pub(super) fn accept(&mut self, province: &Province, update: &Update, log: &mut Arc<EventLog>) {
        self.put_aside();
        match &update.news {
            News::Connected => {
                if self.link.state == LinkState::Lost {
                    self.count_reconnect(update.at);
                }
                self.set_link(LinkState::Connected, update.at, None);
            }
            News::Renewed(fault) => {
                self.count_reconnect(update.at);
                if let Some(fault) = fault {
                    self.link.last_fault = Some((update.at, fault.clone()));
                }
            }
            News::Lost(fault) => {
                self.link.refusals += u64::from(*fault == LinkFault::Refused);
                self.link.last_fault = Some((update.at, fault.clone()));
                let state = match self.link.state {
                    LinkState::NeverConnected if !self.answered_before => LinkState::NeverConnected,
                    _ => LinkState::Lost,
                };
                self.set_link(state, update.at, Some(fault.clone()));
            }
            News::Silent { device, miss } => {
                self.accept_silence(province, *device, *miss, update.at);
            }
            News::Overrun(overrun) => {
                tracing::info!(channel = self.name, ?overrun);
                self.link.missed += u64::from(overrun.missed);
                self.asked.missed += u64::from(overrun.missed);
                self.link.overruns += 1;
                self.link.overrun = Some((update.at, *overrun));
            }
            News::Strays(strays) => {
                tracing::info!(channel = self.name, ?strays);
                self.link.strays.late = self.link.strays.late.saturating_add(strays.late);
                self.link.strays.unknown = self.link.strays.unknown.saturating_add(strays.unknown);
                self.link.stray_at = Some(update.at);
            }
            News::Answers(answers) => {
                for answer in answers {
                    self.accept_answer(province, update.at, answer, log);
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
        if state != LinkState::Connected {
            // What changed meanwhile nobody told: all of it is to be read again.
            for point in &mut self.points {
                (point.value_part.stands, point.quality_part.stands) = (false, false);
            }
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

    fn accept_answer(
        &mut self,
        province: &Province,
        at: Timestamp,
        answer: &Answer,
        log: &mut Arc<EventLog>,
    ) {
        let layout = Arc::clone(&self.layout);
        let Some(group) = layout.groups.get(usize::from(answer.group)) else { return };
        // What came may have been held until the stream behind it was seen to be in order.
        let at = answer.evidence.heard().min(at);
        let miss = answer.miss();
        if answer.is_asked {
            self.count(province, group.device, at, (answer.evidence.took_us, miss));
        }
        if matches!(answer.outcome, Came::InParts(_)) {
            return;
        }
        // Records of events lie behind their head: the evidence is what they say.
        if !matches!(answer.outcome, Came::Records(_)) {
            self.keep_answer(answer, miss);
        }
        if miss != Some(Miss::NoReply) {
            self.link.last_reply = Some(at);
            // One request without a reply is no silence yet.
            let answers = miss.is_none_or(Miss::is_answer);
            let unit = self.unit_mut(province, group.device);
            if let Some(unit) = unit.filter(|unit| unit.answers != answers) {
                (unit.answers, unit.since) = (answers, Since::At(at));
            }
        }
        match &answer.outcome {
            Came::Row { unchanged: true, .. } if self.came_again(answer, at) => {}
            Came::Row { row, .. } => self.accept_columns(group, answer, at, Ok(row)),
            Came::Missed(miss) => self.accept_columns(group, answer, at, Err(*miss)),
            Came::LogHead(head) => {
                let evidence = &answer.evidence;
                let when = (evidence.at, evidence.heard());
                if let Some(beat) = self.events.see(group.device, head, when, log) {
                    self.heartbeat.beat(at, beat);
                }
            }
            Came::Records(records) => {
                self.events.take(group.device, records, answer.evidence.heard(), log);
            }
            Came::Changes(changes) => {
                self.events.tell(group.device, changes, answer.evidence.heard(), log);
            }
            Came::Meters(told) => {
                if let Some(meters) = &mut self.meters {
                    meters.accept(told);
                }
            }
            Came::Nothing | Came::InParts(_) => {}
        }
    }

    /// Takes a group that came as it did before, when that says all there is to say: then no point is touched.
    fn came_again(&mut self, answer: &Answer, at: Timestamp) -> bool {
        let group = &mut self.groups[usize::from(answer.group)];
        if group.is_whole {
            group.came = Some(at);
            let heartbeat = self.rules.heartbeat.map(|n| self.points[n].group);
            if heartbeat == Some(Some(answer.group)) {
                self.heartbeat.take(at, Beat::Same);
            }
        }
        group.is_whole
    }

    /// Tells the points of a group when it came again.
    fn tell_points(&mut self, group: usize) {
        let Some(at) = self.groups[group].came.take() else { return };
        for column in self.layout.groups[group].columns.iter() {
            let part = self.points[column.point.index()].part_mut(column.part);
            part.note(Outcome::Came, at);
        }
    }

    /// Takes the columns of a group that were asked for: the row of which they are, or why there is none.
    fn accept_columns(
        &mut self,
        group: &Group,
        answer: &Answer,
        at: Timestamp,
        came: Result<&[u8], Miss>,
    ) {
        let number = usize::from(answer.group);
        self.tell_points(number);
        let mut is_whole = came.is_ok() && answer.columns.len() == group.columns.len();
        for column in group.some(&answer.columns) {
            let state = &mut self.points[column.point.index()];
            if column.part == Part::Value {
                state.group = Some(answer.group);
            }
            let row = match came {
                Ok(row) => row,
                Err(miss) => {
                    state.part_mut(column.part).note(Outcome::Missed(miss), at);
                    continue;
                }
            };
            let before = state.value_part.at;
            let came = state.accept(column, column.read(row), at);
            state.part_mut(column.part).stands = group.freshness == Freshness::Supervised;
            is_whole &= state.part_mut(column.part).outcome == Outcome::Came;
            match (came, before) {
                (Some(beat), _) if self.rules.heartbeat == Some(column.point.index()) => {
                    self.heartbeat.take(at, beat);
                }
                (Some(Beat::New), Some(before)) => self.heartbeat.moved_since(before),
                _ => {}
            }
        }
        self.groups[number].is_whole = is_whole;
    }

    /// Counts a request to a device, whatever it says of single points: how long it took, and why it brought nothing.
    fn count(
        &mut self,
        province: &Province,
        device: u8,
        at: Timestamp,
        (took_us, miss): (u32, Option<Miss>),
    ) {
        self.asked.count(took_us, miss);
        let Some(place) = self.unit_place(province, device) else {
            self.others.count(at, took_us, miss);
            return;
        };
        self.windows[place].count(at, took_us, miss);
        let unit = &mut self.units[place];
        match miss {
            None => unit.last_good = Some(at),
            Some(miss) => unit.last_miss = Some((at, miss)),
        }
    }

    fn unit_place(&self, province: &Province, id: u8) -> Option<usize> {
        let channel = &province.channels[self.id.index()];
        let units = &province.stations[channel.station.index()].units;
        units.iter().position(|unit| unit.id == id)
    }

    fn unit_mut(&mut self, province: &Province, id: u8) -> Option<&mut DeviceSnapshot> {
        self.unit_place(province, id).map(|place| &mut self.units[place])
    }

    /// Keeps what came of the last request for each column of a group.
    fn keep_answer(&mut self, answer: &Answer, miss: Option<Miss>) {
        let (group, columns) = (answer.group, answer.columns.clone());
        let last = LastAnswer { group, columns, miss, evidence: answer.evidence.clone() };
        let (start, end) = (last.columns.start, last.end());
        let first = self.answers.partition_point(|other| {
            other.group < group || other.group == group && other.end() <= start
        });
        let over = self.answers[first..]
            .iter()
            .take_while(|other| {
                other.group == group && u32::from(other.columns.start) < u32::from(end)
            })
            .count();
        if over == 1 {
            self.answers[first] = last;
        } else {
            self.answers.splice(first..first + over, [last]);
        }
    }

    fn accept_silence(&mut self, province: &Province, device: u8, miss: Miss, at: Timestamp) {
        let layout = Arc::clone(&self.layout);
        if let Some(state) = self.unit_mut(province, device).filter(|state| state.answers) {
            (state.answers, state.since) = (false, Since::At(at));
        }
        let groups = layout.groups.iter().enumerate();
        for (n, group) in groups.filter(|(_, group)| group.device == device) {
            self.tell_points(n);
            self.groups[n].is_whole = false;
            for column in group.columns.iter() {
                let state = &mut self.points[column.point.index()];
                state.part_mut(column.part).note(Outcome::Missed(miss), at);
            }
        }
    }

    /// The kept snapshot is true no longer.
    fn put_aside(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.spare = Some(kept.snapshot);
        }
    }

    /// From now on what changes is written down: all of it with the next snapshot.
    pub(super) fn keep_verdict_log(&mut self) {
        // What history says of its first moment is what snapshots say from then on.
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
    pub(super) fn take_asked(&mut self) -> PollStats {
        std::mem::take(&mut self.asked)
    }

    /// The snapshot at `now`: the latest one again when nothing can have changed since. What is new in
    /// it is written down.
    pub(super) fn snapshot(
        &mut self,
        province: &Province,
        now: Timestamp,
        judgements: &mut Vec<Judgement>,
    ) -> Arc<ChannelSnapshot> {
        if let Some(kept) = &self.kept
            && (kept.from..=kept.until).contains(&now)
        {
            return Arc::clone(&kept.snapshot);
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
        let snapshot = Arc::new(self.draw(province, now));
        if let Some(page) = &mut self.page {
            let again = hung.map(|own| own.told.iter().map(|told| told.again(&snapshot.points)));
            judgements.extend(again.into_iter().flatten());
            let told = page.turn(self.id, now, self.link.state, &snapshot.points);
            if let Some(unproven) = &mut self.unproven {
                unproven.told.extend(told.clone());
            }
            judgements.extend(told);
        }
        self.kept = Some(Kept { snapshot: Arc::clone(&snapshot), from: now, until });
        snapshot
    }

    /// The contract of another day: the last snapshot is true no longer.
    pub(super) fn judge_by(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
        self.kept = None;
    }

    /// Judges what each point says by itself, then what they say against each other. Returns until
    /// when that holds if nothing comes in.
    fn judge(&mut self, now: Timestamp) -> Timestamp {
        (0..self.groups.len()).for_each(|group| self.tell_points(group));
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
    fn draw(&mut self, province: &Province, now: Timestamp) -> ChannelSnapshot {
        let channel = &province.channels[self.id.index()];
        let mut counts = Counts::default();
        let spare = self.spare.take().and_then(Arc::into_inner);
        let mut points = spare.map(|snapshot| snapshot.points).unwrap_or_default();
        points.clear();
        points.reserve_exact(self.points.len());
        let newest = self.heartbeat.not_newer_than().unwrap_or(FOREVER);
        let is_unproven = self.is_unproven(now);
        let ruled = self.points.iter().zip(&self.rules.points).zip(&channel.entries);
        for (n, ((state, rule), entry)) in ruled.enumerate() {
            let seen = (self.findings.evaluable(n), self.findings.of(n).1);
            let is_undecided = state.is_undecided(rule, now)
                || is_unproven && state.not_live.is_none() && rule.old_after.is_some();
            let mut snapshot = state.snapshot(seen, is_undecided);
            snapshot.at = snapshot.at.map(|at| at.min(newest));
            counts.add(entry, rule.is_command, &snapshot);
            points.push(snapshot);
        }
        self.count_set_aside(province, &points);
        let traffic = self.sum_traffic(now);
        ChannelSnapshot {
            id: self.id,
            link: self.link.clone(),
            is_hung: self.is_hung(now),
            full: Full::of(&counts),
            right: self.rules.tests.right(&counts, &points),
            counts,
            points,
            units: self.device_snapshots(province),
            traffic,
            layout: Arc::clone(&self.layout),
            settled: self.settled(),
            answers: self.answers.clone(),
        }
    }

    /// How many points of each unit are refused alone.
    fn count_set_aside(&mut self, province: &Province, points: &[PointSnapshot]) {
        for unit in &mut self.units {
            unit.set_aside = 0;
        }
        let entries = &province.channels[self.id.index()].entries;
        for (entry, _) in entries.iter().zip(points).filter(|(_, point)| point.is_set_aside()) {
            if let Some(unit) = entry.device().and_then(|id| self.unit_mut(province, id)) {
                unit.set_aside += 1;
            }
        }
    }

    /// Brings the traffic of every unit up to date, and returns that of all of them, of those that
    /// the contract does not list too.
    fn sum_traffic(&mut self, now: Timestamp) -> TrafficSnapshot {
        let mut all = PollStats::default();
        for (unit, window) in self.units.iter_mut().zip(&self.windows) {
            let sum = window.sum(now);
            unit.traffic = sum.snapshot(self.started, now);
            all += sum;
        }
        all += self.others.sum(now);
        all.snapshot(self.started, now)
    }

    fn device_snapshots(&self, province: &Province) -> Vec<DeviceSnapshot> {
        let channel = &province.channels[self.id.index()];
        let units = &province.stations[channel.station.index()].units;
        let with_events = |(snapshot, unit): (&DeviceSnapshot, &config::Device)| DeviceSnapshot {
            events: self.events.of_unit(unit.id),
            ..*snapshot
        };
        self.units.iter().zip(units).map(with_events).collect()
    }

    /// Every group has been answered or given up, or the station cannot be reached.
    fn settled(&self) -> bool {
        let unreachable = self.link.state != LinkState::Connected && self.link.fault.is_some();
        let given_up = |n: usize| {
            let device_of = |group: usize| self.layout.groups[group].device;
            let same_device =
                self.answers.iter().filter(|l| device_of(usize::from(l.group)) == device_of(n));
            same_device.into_iter().any(|last| last.miss.is_some_and(|miss| !miss.is_answer()))
        };
        let known = |n: usize| {
            self.answers.binary_search_by_key(&n, |last| usize::from(last.group)).is_ok()
                || given_up(n)
        };
        unreachable || (0..self.layout.groups.len()).all(known)
    }
}

impl PartState {
    fn new() -> Self {
        Self { at: None, stands: false, withdrawn: false, outcome: Outcome::Unasked }
    }

    fn note(&mut self, outcome: Outcome, at: Timestamp) {
        match outcome {
            Outcome::Came => (self.at, self.withdrawn) = (Some(at), false),
            Outcome::NoValue => self.withdrawn = true,
            Outcome::Missed(Miss::NotThere(_) | Miss::Refused(_) | Miss::Unreachable(_)) => {
                self.withdrawn = true;
            }
            Outcome::Unasked | Outcome::Missed(_) => {}
        }
        self.outcome = outcome;
    }

    /// Until when it is fresh, if it is. No value is newer than `newest`.
    fn fresh_until(&self, old_after: i64, (newest, now): (Timestamp, Timestamp)) -> Timestamp {
        let of = |at: Timestamp| if self.stands { newest } else { at.min(newest) };
        let until = self.at.map(of).filter(|at| *at < FOREVER);
        let until = until.map_or(FOREVER, |at| at.plus(old_after));
        if self.withdrawn || until < now { FOREVER } else { until }
    }

    /// Why the part cannot be used. No value is newer than `newest`.
    fn judge(&self, old_after: i64, (newest, now): (Timestamp, Timestamp)) -> Option<Reason> {
        let told = |at: Timestamp| if self.stands { now } else { at };
        let is_old = |at: Timestamp| now.since(told(at).min(newest)) > old_after;
        let fresh = !self.withdrawn && self.at.is_some_and(|at| !is_old(at));
        if fresh {
            // One request that went wrong is no news as long as what came is fresh.
            return None;
        }
        Some(match self.outcome {
            Outcome::Missed(miss) => match miss.kind() {
                MissKind::NoReply => Reason::NoReply,
                MissKind::Refused => Reason::Refused,
                MissKind::Malformed => Reason::Undecodable,
            },
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
            group: None,
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

    /// Takes the raw value of one of its parts. Returns how its value came, if one did.
    fn accept(&mut self, column: &Column, raw: u64, at: Timestamp) -> Option<Beat> {
        if column.part == Part::Quality {
            self.flags = flags(column.raw_type == RawType::Bit, raw);
            self.quality_part.note(Outcome::Came, at);
            return None;
        }
        let (outcome, came) = match decoded(column.raw_type, column.scale, raw) {
            Decoded::Value(value) => {
                let came = match self.value {
                    None => Beat::First,
                    same if same == Some(value) => Beat::Same,
                    Some(_) => Beat::New,
                };
                if came != Beat::Same {
                    self.moved = came == Beat::New;
                    self.was_seen_to_move = self.moved && self.sighted.is_now();
                    (self.value, self.changed) = (Some(value), Some(at));
                }
                (Outcome::Came, Some(came))
            }
            Decoded::NoValue => (Outcome::NoValue, None),
            Decoded::Nonsense => (Outcome::Missed(Miss::Malformed), None),
        };
        self.value_part.note(outcome, at);
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
    /// snapshot before is so since now: that is what history keeps, so everybody tells the same.
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

    fn snapshot(
        &self,
        (evaluable, finding): (bool, Option<Finding>),
        undecided: bool,
    ) -> PointSnapshot {
        let refusal = match self.value_part.outcome {
            Outcome::Missed(miss) => miss.code().map(|_| miss),
            _ => None,
        };
        PointSnapshot {
            verdict: self.verdict,
            since: self.since,
            not_live: self.not_live,
            not_live_since: self.not_live_since,
            value: self.value,
            at: self.value_part.at,
            flags: self.flags,
            refusal,
            evaluable,
            finding,
            undecided,
            group: self.group,
        }
    }
}
