//! Alarms: what needs somebody's response, until it has returned and was acknowledged.
//!
//! One cause is one alarm: the signals that fall short of a station for one reason, as
//! [`super::issues`] puts them together, whichever centres lack them. What the contract lacks is work
//! for the office, not for the control room, and raises none. States and transitions are those of
//! ISA-18.2: raised, it is unacknowledged; acknowledged, it stands until it returns; returned before
//! anybody acknowledged it, it waits for that.
//!
//! Pure: it is shown snapshots and told what was acknowledged. Nothing here writes to a station.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use config::{CentreId, DeviceKind, Lang, Province, Station, StationId};
use signal::clock::Timestamp;

use super::issues::{self, Issue, IssueId, Scope};
use super::right::is_leading;
use super::snapshot::Snapshot;
use super::verdict::{Reason, Since};

/// A path, a unit or a position must be gone, or there again, for so long, milliseconds.
const STATUS_DELAY_MS: i64 = 2_000;
/// Level from which a bay is one of the high-voltage grid, kV.
const HIGH_VOLTAGE_KV: u16 = 110;

/// How urgent a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A station or a bay of the 110 kV grid is not seen.
    One,
    /// A switch is in between, a breaker position, a bus voltage or a transformer's load is wrong or doubtful;
    /// a unit of lower voltage is not seen.
    Two,
    /// Other values are not to be relied upon.
    Three,
}

impl Priority {
    /// The urgent first.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// What operators read.
    pub fn text(self, lang: Lang) -> &'static str {
        let (vi, en) = match self {
            Self::One => ("mất giám sát 110 kV", "110 kV not seen"),
            Self::Two => ("vị trí, điện áp, MBA", "position, voltage, transformer"),
            Self::Three => ("chất lượng số liệu", "data quality"),
        };
        match lang {
            Lang::Vi => vi,
            Lang::En => en,
        }
    }

    /// As it is written: 1 to 3.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlarmCause {
    /// Where.
    pub station: StationId,
    /// Why, and what signals have in common.
    pub line: IssueId,
}

impl AlarmCause {
    /// What the signals have in common, by a name that outlasts a change of the contract: `link`, `unit 3`,
    /// `bay 172`. `None` for what the contract lacks, which raises no alarm.
    pub fn name(self, province: &Province) -> Option<String> {
        let station = &province.stations[self.station.index()];
        match self.line.scope {
            Scope::Link => Some("link".to_owned()),
            Scope::Unit(unit) => Some(format!("unit {}", station.units[unit].id)),
            Scope::Bay(bay) => Some(format!("bay {}", station.bays[bay].name)),
            Scope::Contract(..) => None,
        }
    }
}

/// One time that it was raised: an acknowledgement is for this one and no later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raised {
    /// What.
    pub cause: AlarmCause,
    /// Since when.
    pub at: Timestamp,
}

/// How an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmState {
    /// Its cause is there, and nobody has acknowledged it.
    Unacknowledged,
    /// Its cause was there and is gone, and nobody has acknowledged it.
    Returned,
    /// Its cause is there, and somebody knows.
    Acknowledged,
}

impl AlarmState {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unacknowledged => "unacknowledged",
            Self::Returned => "returned",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// Something that needs a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What, and since when.
    pub raised: Raised,
    /// Its cause was there already when somebody began to watch: at least since then.
    pub at_least: bool,
    /// How urgent.
    pub priority: Priority,
    /// Centres that have lacked signals by it, in the order of the contract.
    pub centres: Vec<CentreId>,
    /// Signals that it has taken at most.
    pub signals: u32,
    /// Since when its cause is gone.
    pub returned: Option<Timestamp>,
    /// When somebody acknowledged it.
    pub acknowledged: Option<Timestamp>,
}

impl Alarm {
    /// How it stands; `None` when nothing is left to do about it.
    pub fn state(&self) -> Option<AlarmState> {
        match (self.returned, self.acknowledged) {
            (None, None) => Some(AlarmState::Unacknowledged),
            (Some(_), None) => Some(AlarmState::Returned),
            (None, Some(_)) => Some(AlarmState::Acknowledged),
            (Some(_), Some(_)) => None,
        }
    }

    /// In which order alarms are listed: those that wait for somebody first, then by urgency, the newest
    /// first.
    pub fn order(&self) -> (Option<AlarmState>, Priority, Reverse<Timestamp>, AlarmCause) {
        (self.state(), self.priority, Reverse(self.raised.at), self.raised.cause)
    }
}

/// What became of an alarm, for who keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmChange {
    /// As it stands now.
    pub alarm: Alarm,
    /// Whether it is still listed: one that comes again before it was acknowledged makes way for the new one.
    pub is_open: bool,
    /// When it was raised by clocks that were set since: under which it may be kept.
    pub formerly: Vec<Timestamp>,
}

/// All alarms that are listed.
#[derive(Debug, Default)]
pub struct Alarms {
    open: BTreeMap<AlarmCause, Alarm>,
    /// As they were when somebody watched last, by another clock than that of this run.
    resumed: BTreeMap<AlarmCause, Alarm>,
    /// When those that are open were raised by clocks that were set since.
    formerly: BTreeMap<AlarmCause, Vec<Timestamp>>,
    /// Since when the cause of an alarm has not been there.
    leaving: BTreeMap<AlarmCause, Timestamp>,
    /// What has changed since that was last taken; `None` when nobody takes it.
    changes: Option<BTreeMap<Raised, AlarmChange>>,
    listed: Arc<[Alarm]>,
}

impl Alarms {
    /// Begins with what was open when somebody watched last: acknowledgements hold on.
    pub fn resuming(open: Vec<Alarm>) -> Self {
        let open: BTreeMap<AlarmCause, Alarm> =
            open.into_iter().map(|alarm| (alarm.raised.cause, alarm)).collect();
        let mut alarms = Self { resumed: open.clone(), open, ..Self::default() };
        alarms.list();
        alarms
    }

    /// The same, and changes are held for [`Alarms::take_changes`].
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.changes.get_or_insert_default();
        self
    }

    /// What has changed since this was last asked; with `all`, also whatever is open.
    pub fn take_changes(&mut self, all: bool) -> Vec<AlarmChange> {
        if self.changes.is_some() && all {
            let open: Vec<AlarmCause> = self.open.keys().copied().collect();
            for cause in open {
                self.note(cause, true);
            }
        }
        self.changes.as_mut().map(std::mem::take).unwrap_or_default().into_values().collect()
    }

    /// The clock was set, and is ahead of what it would have shown by so much: alarms that stand were raised
    /// and acknowledged when they were, by the corrected clock. What was told by the clock of an earlier run stays.
    pub fn clock_was_set(&mut self, by_ms: i64) {
        self.leaving.clear();
        for (cause, alarm) in &mut self.open {
            let resumed = self.resumed.get(cause).filter(|old| old.raised == alarm.raised);
            let of_resumed = resumed
                .map_or([None; 3], |old| [Some(old.raised.at), old.returned, old.acknowledged]);
            let raised = alarm.raised.at;
            let times =
                [Some(&mut alarm.raised.at), alarm.returned.as_mut(), alarm.acknowledged.as_mut()];
            for (at, old) in times.into_iter().zip(of_resumed) {
                if let Some(at) = at.filter(|at| old != Some(**at)) {
                    *at = at.plus(by_ms);
                }
            }
            if alarm.raised.at != raised {
                self.formerly.entry(*cause).or_default().push(raised);
            }
        }
        self.list();
    }

    /// What is listed: what waits for somebody first, then the urgent, the newest first.
    pub fn listed(&self) -> Arc<[Alarm]> {
        Arc::clone(&self.listed)
    }

    /// Looks at a snapshot: what is raised by it, and what has returned.
    pub fn look(&mut self, snapshot: &Snapshot) {
        let mut is_news = false;
        for station in snapshot.province.station_ids().filter(|id| snapshot.settled(*id)) {
            is_news |= self.look_at(snapshot, station);
        }
        if is_news {
            self.list();
        }
    }

    fn look_at(&mut self, snapshot: &Snapshot, station: StationId) -> bool {
        let mut channels = snapshot.province.centre_ids().map(|c| snapshot.channel(station, c));
        let lacks = channels.any(|c| c.counts.live.lacking() + c.counts.right.lacking() > 0);
        let mut lines = if lacks { issues::live(snapshot, station) } else { Vec::new() };
        lines.retain(|line| !matches!(line.id.scope, Scope::Contract(..)));
        let mut is_news = false;
        for line in &lines {
            is_news |= self.stands(snapshot, AlarmCause { station, line: line.id }, line);
        }
        let first =
            AlarmCause { station, line: IssueId { reason: Reason::ALL[0], scope: Scope::Link } };
        let own = self.open.range(first..).take_while(|(cause, _)| cause.station == station);
        let absent = own.filter(|(cause, alarm)| {
            alarm.returned.is_none() && !lines.iter().any(|line| line.id == cause.line)
        });
        let contract = &snapshot.province.stations[station.index()];
        let absent: Vec<(AlarmCause, bool)> = absent
            .map(|(cause, alarm)| (*cause, lines.iter().any(|line| hides(contract, line, alarm))))
            .collect();
        for (cause, is_hidden) in absent {
            if is_hidden {
                self.leaving.remove(&cause);
            } else {
                is_news |= self.is_gone(snapshot, cause);
            }
        }
        is_news
    }

    /// The cause is there.
    fn stands(&mut self, snapshot: &Snapshot, cause: AlarmCause, line: &Issue) -> bool {
        self.leaving.remove(&cause);
        let signals = u32::try_from(line.points.len()).unwrap_or(u32::MAX);
        if let Some(alarm) = self.open.get_mut(&cause).filter(|alarm| alarm.returned.is_none()) {
            let known = |centre: &CentreId| alarm.centres.contains(centre);
            if signals <= alarm.signals && line.centres.iter().all(known) {
                return false;
            }
            alarm.signals = alarm.signals.max(signals);
            alarm.centres.extend(&line.centres);
            alarm.centres.sort_unstable();
            alarm.centres.dedup();
            self.note(cause, true);
            return true;
        }
        // An alarm is raised by who watches: what stood before is raised when somebody began.
        let (since, at_least) = match line.since {
            Since::At(at) => (at.max(snapshot.started), at < snapshot.started),
            Since::AtLeast(at) => (at.max(snapshot.started), true),
            Since::Always | Since::Day(_) => (snapshot.started, true),
        };
        let is_unit_lost = takes_unit(snapshot, cause, line);
        if snapshot.at.since(since) < delay_ms(&snapshot.province, cause, (line, is_unit_lost)) {
            return false;
        }
        // It comes again, and nobody has acknowledged it: this is another time, the earlier one is over.
        self.note(cause, false);
        let alarm = Alarm {
            raised: Raised { cause, at: since },
            at_least,
            priority: priority(
                &snapshot.province.stations[cause.station.index()],
                (line, is_unit_lost),
            ),
            centres: line.centres.clone(),
            signals,
            returned: None,
            acknowledged: None,
        };
        self.formerly.remove(&cause);
        self.open.insert(cause, alarm);
        self.note(cause, true);
        true
    }

    /// The cause of an alarm is not there.
    fn is_gone(&mut self, snapshot: &Snapshot, cause: AlarmCause) -> bool {
        let since = *self.leaving.entry(cause).or_insert(snapshot.at);
        if snapshot.at.since(since) < STATUS_DELAY_MS {
            return false;
        }
        self.leaving.remove(&cause);
        if let Some(alarm) = self.open.get_mut(&cause) {
            // By a clock that is behind the one by which it was raised.
            alarm.returned = Some(since.max(alarm.raised.at));
        }
        self.settle(cause);
        true
    }

    /// Somebody has acknowledged alarms. Those that are not there any more are passed over. How many it was.
    pub fn acknowledge(&mut self, raised: &[Raised], at: Timestamp) -> usize {
        let mut count = 0;
        for one in raised {
            let alarm = self.open.get_mut(&one.cause);
            let known = alarm.filter(|a| a.raised == *one && a.acknowledged.is_none());
            if let Some(alarm) = known {
                alarm.acknowledged = Some(at.max(one.at));
                count += 1;
                self.settle(one.cause);
            }
        }
        self.list();
        count
    }

    /// Notes how an alarm stands, and takes it off the list when nothing is left to do.
    fn settle(&mut self, cause: AlarmCause) {
        let is_open = self.open.get(&cause).is_some_and(|alarm| alarm.state().is_some());
        self.note(cause, is_open);
        if !is_open {
            self.open.remove(&cause);
            self.formerly.remove(&cause);
        }
    }

    fn note(&mut self, cause: AlarmCause, is_open: bool) {
        if let (Some(changes), Some(alarm)) = (&mut self.changes, self.open.get(&cause)) {
            let formerly = self.formerly.get(&cause).cloned().unwrap_or_default();
            changes.insert(alarm.raised, AlarmChange { alarm: alarm.clone(), is_open, formerly });
        }
    }

    fn list(&mut self) {
        let mut listed: Vec<Alarm> = self.open.values().cloned().collect();
        listed.sort_by_cached_key(Alarm::order);
        self.listed = listed.into();
    }
}

/// Says of alarms whose cause is there what a snapshot shows of it: how many signals it takes, at which centres.
pub fn count_anew(snapshot: &Snapshot, alarms: &mut [Alarm]) {
    let mut of_stations: BTreeMap<StationId, Vec<Issue>> = BTreeMap::new();
    for alarm in alarms.iter_mut().filter(|alarm| alarm.returned.is_none()) {
        let AlarmCause { station, line } = alarm.raised.cause;
        let lines = of_stations.entry(station).or_insert_with(|| issues::live(snapshot, station));
        if let Some(line) = lines.iter().find(|other| other.id == line) {
            alarm.signals = u32::try_from(line.points.len()).unwrap_or(u32::MAX);
            alarm.centres.clone_from(&line.centres);
        }
    }
}

/// Whether an alarm cannot be seen behind this: nobody knows of a unit behind a lost path, nor of the values of
/// a unit that does not answer, whether they are good again.
fn hides(station: &Station, line: &Issue, alarm: &Alarm) -> bool {
    let is_behind = match (line.id.scope, alarm.raised.cause.line.scope) {
        (Scope::Link, _) => true,
        (Scope::Unit(unit), Scope::Bay(bay)) => station.bays[bay].unit == unit,
        _ => false,
    };
    is_behind && alarm.centres.iter().all(|centre| line.centres.contains(centre))
}

/// How long a cause must be there, milliseconds: values are given as many scans as until one is old.
fn delay_ms(province: &Province, cause: AlarmCause, (line, is_unit_lost): (&Issue, bool)) -> i64 {
    if is_unit_lost || matches!(cause.line.reason, Reason::NoLink | Reason::Intermediate) {
        return STATUS_DELAY_MS;
    }
    let points = &province.stations[cause.station.index()].points;
    let scans = line.points.iter().filter_map(|point| points[point.index()].spec.scan);
    scans.map(|scan| province.scan.old_after_ms(scan)).min().unwrap_or(STATUS_DELAY_MS)
}

/// Whether nothing is seen of a unit: it does not answer, or each value that a centre asks it for is refused,
/// be it by its gateway.
fn takes_unit(snapshot: &Snapshot, cause: AlarmCause, line: &Issue) -> bool {
    let Scope::Unit(unit) = line.id.scope else { return false };
    let contract = &snapshot.province.stations[cause.station.index()];
    let is_whole = |centre: &CentreId| {
        let entries = &snapshot.province.channel(cause.station, *centre).entries;
        let points = &snapshot.channel(cause.station, *centre).points;
        let own = entries.iter().zip(points).zip(&contract.points).filter(|((entry, _), point)| {
            let is_asked = entry.required && entry.is_mapped();
            is_asked && !point.spec.kind.is_command() && contract.bays[point.bay].unit == unit
        });
        let mut own = own.map(|((_, seen), _)| seen.not_live).peekable();
        own.peek().is_some() && own.all(|why| why == Some(Reason::Refused))
    };
    line.reason() == Reason::NoReply || line.centres.iter().any(is_whole)
}

fn priority(station: &Station, (line, is_unit_lost): (&Issue, bool)) -> Priority {
    let is_high = |bay: usize| station.bays[bay].level >= HIGH_VOLTAGE_KV;
    match line.id.scope {
        Scope::Link => Priority::One,
        Scope::Unit(unit) if is_unit_lost => match station.units[unit].kind {
            DeviceKind::Bay(bay) if is_high(bay) => Priority::One,
            DeviceKind::Section { level, .. } if level >= HIGH_VOLTAGE_KV => Priority::One,
            _ => Priority::Two,
        },
        _ if line.reason() == Reason::Intermediate => Priority::Two,
        _ if line.points.iter().any(|point| is_leading(station, point.index())) => Priority::Two,
        _ => Priority::Three,
    }
}
