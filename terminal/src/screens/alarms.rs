//! Screen 8, alarms: what needs a response, what waits for somebody first, one row for each cause.

use std::collections::BTreeMap;

use config::StationId;
use historian::alarms::{Alarm, AlarmState, Priority, Raised};
use historian::issues::{self, Issue, Scope};
use historian::snapshot::{ChannelSnapshot, LinkState};
use historian::verdict::Reason;
use signal::clock::Timestamp;

use super::Body;
use crate::attention::at_some;
use crate::fold::{Index, Words};
use crate::list::List;
use crate::paint::{Row, rule, text_of};
use crate::places::{self, Form};
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Lines round the list: title, sums, rule, head.
const ROUND: usize = 4;
/// Lines of the selected alarm below the list, its rule among them.
const DETAIL: usize = 5;

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms {
    pub(crate) list: List<Raised>,
    pub(crate) rows: Vec<Raised>,
    /// Of one station only.
    pub(crate) station: Option<StationId>,
    /// Only those that wait for somebody.
    pub(crate) faults: bool,
    /// Rows that are seen.
    height: usize,
}

impl Alarms {
    /// Those of a station, or all.
    pub(crate) fn of(station: Option<StationId>) -> Self {
        Self { station, ..Self::default() }
    }

    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        let alarms = view.snapshot.alarms.iter();
        let wanted = alarms.filter(|alarm| !self.faults || alarm.acknowledged.is_none());
        let wanted = wanted.map(|alarm| alarm.raised);
        let of_station =
            |raised: &Raised| self.station.is_none_or(|station| station == raised.cause.station);
        self.rows = wanted.filter(of_station).collect();
        self.height = list_height(body);
        self.list.settle(&self.rows, self.height);
    }

    /// The rows that are seen.
    pub(crate) fn page(&self) -> &[Raised] {
        let first = self.list.top().min(self.rows.len());
        &self.rows[first..self.rows.len().min(first + self.height)]
    }
}

fn list_height(body: Body) -> usize {
    body.height.saturating_sub(ROUND + DETAIL).max(1)
}

fn alarm_of<'a>(view: &View<'a>, raised: Raised) -> Option<&'a Alarm> {
    view.snapshot.alarms.iter().find(|alarm| alarm.raised == raised)
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Alarms, body: Body) -> Vec<Row> {
    let width = body.width;
    let mut lines =
        vec![title(view, state, width), sums(view, state.station), rule(view.row(), width)];
    let table = table(view, width);
    lines.push(table.head());
    // By what each is known: a page of text has all of them.
    let known: BTreeMap<Raised, &Alarm> =
        view.snapshot.alarms.iter().map(|alarm| (alarm.raised, alarm)).collect();
    let shown = state.page().iter().filter_map(|raised| known.get(raised));
    lines.extend(
        shown.map(|alarm| {
            table.row(&cells(view, alarm), state.list.selected() == Some(alarm.raised))
        }),
    );
    if state.rows.is_empty() {
        let filtered = state.faults || state.station.is_some();
        let said = if filtered { Text::NoSuchAlarms } else { Text::NoAlarms };
        lines.push(view.row().gap(2).text(view.t(said)));
    }
    lines.resize(body.height.saturating_sub(DETAIL).max(lines.len()), view.row());
    match state.list.selected().and_then(|raised| alarm_of(view, raised)) {
        Some(alarm) => {
            let head = view.row().put(Role::Strong, named(view, alarm));
            lines.push(rule(head, width));
            lines.extend(details(view, alarm));
        }
        None => lines.push(rule(view.row(), width)),
    }
    lines
}

/// Alarms of a station, or of all.
fn of<'a>(view: &View<'a>, station: Option<StationId>) -> impl Iterator<Item = &'a Alarm> {
    let own = move |alarm: &&Alarm| station.is_none_or(|own| own == alarm.raised.cause.station);
    view.snapshot.alarms.iter().filter(own)
}

/// How many of these stand in a state.
fn number<'a>(alarms: impl Iterator<Item = &'a Alarm>, state: AlarmState) -> u64 {
    alarms.filter(|alarm| alarm.state() == Some(state)).count() as u64
}

/// Alarms that nobody has acknowledged.
pub(crate) fn waiting(view: &View<'_>) -> u64 {
    waiting_at(view, None)
}

fn waiting_at(view: &View<'_>, station: Option<StationId>) -> u64 {
    [AlarmState::Unacknowledged, AlarmState::Returned]
        .into_iter()
        .map(|state| number(of(view, station), state))
        .sum()
}

fn title(view: &View<'_>, state: &Alarms, width: usize) -> Row {
    let all = of(view, state.station).count() as u64;
    let waiting = waiting_at(view, state.station);
    let returned = number(of(view, state.station), AlarmState::Returned);
    let role = if waiting > 0 { Role::Fail } else { Role::Plain };
    let mut row = view
        .row()
        .gap(1)
        .put(Role::Strong, view.t(Text::Alarms))
        .text(format!(" {} · ", view.count(all)))
        .put(role, format!("{} {}", view.count(waiting), view.t(Text::Unacknowledged)))
        .text(format!(" · {} {}", view.count(returned), view.t(Text::ReturnedWord)));
    let filter = filter_text(view, state);
    if !filter.is_empty() {
        row = row.text(format!(" · {}: ", view.t(Text::FilterIs))).put(Role::Strong, filter);
    }
    if !view.keys {
        return row;
    }
    let right = format!("[{}] {}: Tab ", view.t(Text::Alarms), view.t(Text::Events));
    row.ending(view.row().text(right), width)
}

/// What the filter says, in words.
pub(crate) fn filter_text(view: &View<'_>, state: &Alarms) -> String {
    let station = state.station.map(|station| view.station(station).id.clone());
    let waiting = state.faults.then(|| view.t(Text::Unacknowledged).to_owned());
    station.into_iter().chain(waiting).collect::<Vec<_>>().join(" · ")
}

/// How many of each priority.
fn sums(view: &View<'_>, station: Option<StationId>) -> Row {
    Priority::ALL.into_iter().fold(view.row(), |row, priority| {
        let of_priority = of(view, station).filter(|alarm| alarm.priority == priority);
        let count = view.count(of_priority.count() as u64);
        let meaning = priority.text(view.lang);
        let gap = if priority == Priority::One { 1 } else { 2 };
        row.gap(gap)
            .put(Role::Strong, format!("P{} {count}", priority.number()))
            .gap(1)
            .text(meaning)
    })
}

fn table(view: &View<'_>, width: usize) -> Table {
    let columns = vec![
        Column::left("", 2),
        Column::left("P", 1),
        Column::left(view.t(Text::ColSince), if is_any_at_least(view) { 12 } else { 11 }),
        Column::left(view.t(Text::ColStation), 18).shrinks(15).grows(24),
        Column::left(view.t(Text::ColWhat), 30).shrinks(27).grows(60),
        Column::right(view.t(Text::ColAge), 7),
        Column::right(view.t(Text::ColSignals), 8),
        Column::left(view.t(Text::ColCentre), 8).yields(1),
    ];
    Table::new(view.theme, width, columns)
}

fn is_any_at_least(view: &View<'_>) -> bool {
    view.snapshot.alarms.iter().any(|alarm| alarm.at_least)
}

/// When it was raised; what stood already when somebody began to watch, at least since then.
fn raised(view: &View<'_>, alarm: &Alarm) -> String {
    let at = time(view, alarm.raised.at);
    if alarm.at_least { format!("≤{at}") } else { at }
}

fn mark(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Unacknowledged => "‼U",
        AlarmState::Returned => "·R",
        AlarmState::Acknowledged => " A",
    }
}

fn role(alarm: &Alarm) -> Role {
    match (alarm.state(), alarm.priority) {
        (Some(AlarmState::Unacknowledged), Priority::One) => Role::Urgent,
        (Some(AlarmState::Unacknowledged), Priority::Two) => Role::Fail,
        (Some(AlarmState::Unacknowledged | AlarmState::Acknowledged), _) => Role::Doubt,
        (Some(AlarmState::Returned) | None, _) => Role::Note,
    }
}

fn cells(view: &View<'_>, alarm: &Alarm) -> Vec<Cell> {
    let role = role(alarm);
    let plain = |text: String| (Role::Plain, text);
    let state = alarm.state().map_or("", mark);
    let centres = alarm.centres.iter().map(|centre| view.centre(*centre));
    vec![
        (role, state.to_owned()),
        (role, alarm.priority.number().to_string()),
        plain(raised(view, alarm)),
        plain(view.station_name(alarm.raised.cause.station)),
        (role, what(view, alarm)),
        plain(view.age(alarm.raised.at)),
        plain(view.count(alarm.signals.into())),
        plain(centres.collect::<Vec<_>>().join(" ")),
    ]
}

/// Time of day today, day and time else.
fn time(view: &View<'_>, at: Timestamp) -> String {
    let moment = view.moment();
    moment.other_day(at).unwrap_or_else(|| moment.time(at))
}

/// What it is about, without its station: `172 không trả lời`.
fn what(view: &View<'_>, alarm: &Alarm) -> String {
    let station = alarm.raised.cause.station;
    let line = alarm.raised.cause.line;
    let channels = alarm.centres.iter().map(|centre| view.snapshot.channel(station, *centre));
    // Where no path was ever up, none was lost.
    let is_new = |c: &ChannelSnapshot| c.link.state == LinkState::NeverConnected;
    let mut channels = channels.peekable();
    let never = channels.peek().is_some() && alarm.returned.is_none() && channels.all(is_new);
    let why = match line.reason {
        Reason::NoLink if never => view.t(Text::LinkNever),
        _ if line.is_hung() => view.t(Text::GatewayHangs),
        reason => reason.text(view.lang),
    };
    match line.scope {
        Scope::Unit(unit) => {
            let name = issues::unit_name(view.snapshot, station, unit, view.lang);
            format!("{name}: {why}")
        }
        Scope::Bay(bay) => format!("{}: {why}", view.station(station).bays[bay].name),
        Scope::Link | Scope::Contract(..) => why.to_owned(),
    }
}

fn named(view: &View<'_>, alarm: &Alarm) -> String {
    format!("{} · {}", view.station_name(alarm.raised.cause.station), what(view, alarm))
}

/// The signals of an alarm as they are now.
fn line_of(view: &View<'_>, alarm: &Alarm) -> Option<Issue> {
    let cause = alarm.raised.cause;
    let lines = issues::live(view.snapshot, cause.station);
    lines.into_iter().find(|line| line.id == cause.line)
}

/// When it was raised, acknowledged and gone, what it takes, and what to press.
fn details(view: &View<'_>, alarm: &Alarm) -> Vec<Row> {
    let since = |at: Timestamp| format!("{} ({})", time(view, at), view.age(at));
    let told = |word: Text, at: Timestamp| format!(" · {} {}", view.t(word), since(at));
    let returned = alarm.returned.map_or_else(String::new, |at| told(Text::ReturnedWord, at));
    let age = view.age(alarm.raised.at);
    let raised = format!(" · {} {} ({age})", view.t(Text::SinceWord), raised(view, alarm));
    let story = view.row().text(format!(" P{}{raised}{returned}", alarm.priority.number()));
    let story = match alarm.acknowledged {
        Some(at) => story.text(told(Text::AcknowledgedWord, at)),
        None => story.text(" · ").put(Role::Fail, view.t(Text::Unacknowledged)),
    };
    let signals = view.count(alarm.signals.into());
    let where_ = line_of(view, alarm).filter(|_| alarm.returned.is_none()).map(|line| {
        let station = view.station(alarm.raised.cause.station);
        format!(": {}", places::places(station, &line.points, Form::Short, view.lang))
    });
    let taken = format!(
        " {signals} {}{}{}",
        view.t(Text::ColSignals),
        at_some(view, &alarm.centres),
        where_.unwrap_or_default()
    );
    let next = match alarm.state() {
        Some(AlarmState::Acknowledged) => Text::AlarmStands,
        Some(AlarmState::Returned) => Text::AlarmIsGone,
        Some(AlarmState::Unacknowledged) | None => Text::AlarmWaits,
    };
    vec![story, view.row().text(taken), view.row().gap(1).text(view.t(next))]
}

/// Everything that is said of an alarm, as text for the clipboard.
pub(crate) fn text(view: &View<'_>, raised: Raised) -> Option<String> {
    let alarm = alarm_of(view, raised)?;
    let rows = details(view, alarm).into_iter().take(2);
    let rows = rows.map(|row| text_of(&row.line()).trim().to_owned());
    Some([named(view, alarm)].into_iter().chain(rows).collect::<Vec<_>>().join("\n"))
}

/// Whether a row has the words in its station's names or in what it says.
pub(crate) fn matches(view: &View<'_>, index: &Index, words: &Words, raised: Raised) -> bool {
    index.station(words, raised.cause.station)
        || alarm_of(view, raised).is_some_and(|alarm| words.are_in(&named(view, alarm)))
}
