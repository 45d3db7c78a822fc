//! Screen 8, events: what the units recorded, newest first, as the centre of the basis has it.

use config::{CentreId, PointId, StationId};
use historian::clocks::ClockOffset;
use historian::events::{Change, DeviceEvents, EventCounts, EventEntry, Happening, RecordGap};
use signal::clock::Timestamp;

use super::Body;
use crate::fold::{Index, Words};
use crate::format::{self, NOT_EVALUATED};
use crate::happenings;
use crate::issues::unit_name;
use crate::jumps;
use crate::list::List;
use crate::paint::{Row, rule};
use crate::plain;
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// An entry: what a row is known by, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    centre: CentreId,
    at: Timestamp,
    order: u64,
    pub(crate) station: StationId,
    /// The status that changed, if the contract has one there.
    pub(crate) point: Option<PointId>,
}

/// Lines above the list: title, clocks, rule, head. Below it: a line for what is hidden, a rule.
const ROUND: usize = 6;

/// Room for the name of a bay.
const BAY_WIDTH: usize = 5;

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    pub(crate) list: List<EventId>,
    pub(crate) rows: Vec<EventId>,
    /// Of one station only.
    pub(crate) station: Option<StationId>,
    /// Only what is lost or to be doubted.
    pub(crate) faults: bool,
}

impl Events {
    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        let centre = view.basis;
        let newest_first = view.snapshot.events[centre.index()].iter().rev();
        let id = |entry: &EventEntry| {
            let point = match &entry.what {
                Happening::Change(change) => change.point,
                Happening::Lost(_) => None,
            };
            let station = view.province().channels[entry.channel.index()].station;
            EventId { centre, at: entry.at, order: entry.order, station, point }
        };
        let wanted = newest_first.filter(|entry| !self.faults || is_doubtful(entry)).map(id);
        let wanted = wanted.filter(|id| self.station.is_none_or(|only| only == id.station));
        // Who stands at the newest stays there when others come.
        let at_newest = self.list.row() == 0;
        self.rows = wanted.collect();
        if at_newest {
            self.list.select(0, &self.rows);
        }
        let height = list_height(body, self.rows.len());
        self.list.settle(&self.rows, height);
    }
}

/// Whether an entry is a gap, or something speaks against it.
fn is_doubtful(entry: &EventEntry) -> bool {
    match &entry.what {
        Happening::Change(change) => mark(change).is_some(),
        Happening::Lost(_) => true,
    }
}

/// What speaks against a record, in one cell: `!` its time cannot be, `?` its clock was not
/// synchronised, `~` a flag of the device.
fn mark(change: &Change) -> Option<char> {
    match change {
        Change { doubt: Some(_), .. } => Some('!'),
        Change { synchronised: false, .. } => Some('?'),
        Change { flags, .. } if !flags.is_good() => Some('~'),
        Change { .. } => None,
    }
}

fn detail_height(body: Body) -> usize {
    if body.height >= 24 { 6 } else { 3 }
}

fn list_height(body: Body, rows: usize) -> usize {
    let room = body.height.saturating_sub(ROUND + detail_height(body));
    (room + usize::from(rows <= room + 1)).max(1)
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Events, find: &str, body: Body) -> Vec<Row> {
    let width = body.width;
    let mut lines = vec![title(view, state, find, width), clocks(view, state, width)];
    lines.push(rule(view.row(), width));
    let table = table(view, width);
    lines.push(table.head());
    let height = list_height(body, state.rows.len());
    let rows = state.rows.iter().skip(state.list.top()).take(height);
    lines.extend(rows.filter_map(|id| {
        let entry = entry_of(view, *id)?;
        Some(table.row(&cells(view, entry), state.list.selected() == Some(*id)))
    }));
    if state.rows.is_empty() {
        let filtered = state.faults || state.station.is_some();
        let said = if filtered { Text::NoSuchEvents } else { Text::NoEvents };
        lines.push(view.row().gap(2).text(view.t(said)));
    }
    let hidden = state.rows.len().saturating_sub(state.list.top() + height);
    if hidden > 0 {
        let hidden = view.count(hidden as u64);
        lines.push(view.row().text(format!("  … {hidden} {} (↓)", view.t(Text::More))));
    }
    let detail = detail_height(body);
    lines.resize(body.height.saturating_sub(detail + 1).max(lines.len()), view.row());
    match state.list.selected().and_then(|id| entry_of(view, id)) {
        Some(entry) => lines.extend(details(view, entry, width).into_iter().take(detail + 1)),
        None => lines.push(rule(view.row(), width)),
    }
    lines
}

fn entry_of<'a>(view: &View<'a>, id: EventId) -> Option<&'a EventEntry> {
    view.snapshot.events.get(id.centre.index())?.find(id.at, id.order)
}

/// What the filter says, in words.
pub(crate) fn filter_text(view: &View<'_>, state: &Events) -> String {
    let station = state.station.map(|station| view.station(station).id.clone());
    let doubtful = state.faults.then(|| view.t(Text::DoubtfulOnly).to_owned());
    station.into_iter().chain(doubtful).collect::<Vec<_>>().join(" · ")
}

fn title(view: &View<'_>, state: &Events, find: &str, width: usize) -> Row {
    let mut counts = EventCounts::default();
    for station in view.sites(state.station) {
        counts += view.snapshot.channel(station, view.basis).event_counts();
    }
    let row = view.row().gap(1).put(Role::Strong, view.t(Text::Events));
    let row = row.text(format!(
        " {} · {} {}",
        view.centre(view.basis),
        view.t(Text::RecordsWord),
        view.count(counts.received)
    ));
    let role = if counts.lost + counts.uncounted > 0 { Role::Fail } else { Role::Plain };
    let row = row.text(" · ");
    let mut row = row.put(role, format!("{} {}", view.t(Text::LostWord), lost_of(view, counts)));
    let filter = filter_text(view, state);
    if !filter.is_empty() {
        row = row.text(format!(" · {}: ", view.t(Text::FilterIs))).put(Role::Strong, filter);
    }
    if !find.is_empty() {
        row = row.text(format!(" · {}: ", view.t(Text::FindIs))).put(Role::Strong, find);
    }
    let place = state.list.row() + usize::from(!state.rows.is_empty());
    let (place, all) = (view.count(place as u64), view.count(state.rows.len() as u64));
    let right = format!("{place}/{all} · {} ", view.t(Text::SortSince));
    row.ending(view.row().text(right), width)
}

/// How many records were lost: at least so many where it is not always known.
fn lost_of(view: &View<'_>, counts: EventCounts) -> String {
    let at_least = if counts.uncounted > 0 { "≥ " } else { "" };
    format!("{at_least}{}", view.count(counts.lost))
}

/// How the clocks of the units stand: how many are known, and which is worst.
fn clocks(view: &View<'_>, state: &Events, width: usize) -> Row {
    let stations = view.sites(state.station);
    let (mut known, mut astray, mut worst) = (0_u64, 0_u64, None::<(i64, String)>);
    let (mut unsynchronised, mut offsets) = (0_u64, Vec::new());
    for station in stations {
        for (n, unit) in view.snapshot.channel(station, view.basis).units.iter().enumerate() {
            let Some(DeviceEvents { clock, synchronised, .. }) = unit.events else { continue };
            unsynchronised += u64::from(!synchronised);
            known += u64::from(clock.is_some());
            offsets.extend(clock.map(|clock| clock.ms));
            let Some(clock) = clock.filter(|clock| clock.is_off()) else { continue };
            astray += 1;
            if worst.as_ref().is_none_or(|(ms, _)| *ms < clock.ms.abs()) {
                let unit = unit_name(view.snapshot, station, n, view.lang);
                let said = format!("{} {unit} {}", view.station(station).id, offset(view, clock));
                worst = Some((clock.ms.abs(), said));
            }
        }
    }
    let mut row = view.row();
    if let Some(jump) = view.snapshot.jumps.last() {
        let times = view.snapshot.jumps.len() as u64;
        let times = if times > 1 { format!(" ({}×)", view.count(times)) } else { String::new() };
        let said = jumps::when(jump, view.province().zone, view.lang);
        row = row.gap(1).put(Role::Doubt, said).text(times).text(" ·");
    }
    // Where nearly all are off by the same, it is not they who are wrong.
    if let Some(ms) = common(&mut offsets) {
        let own = view.say("đồng hồ máy này lệch", "the clock of this machine is off by");
        let sign = if ms > 0 { "−" } else { "+" };
        let long = format::fine_age(ms.saturating_abs(), view.lang);
        return row.gap(1).put(Role::Doubt, format!("{own} {sign}{long}")).filled(width);
    }
    let row = row.text(format!(
        " {} {} {} · ",
        view.t(Text::ClocksWord),
        view.count(known),
        view.t(Text::Measured)
    ));
    let fails = |n: u64| if n > 0 { Role::Doubt } else { Role::Plain };
    let mut row = row
        .put(fails(astray), format!("{} {}", view.count(astray), view.t(Text::ClocksOff)))
        .text(" · ")
        .put(
            fails(unsynchronised),
            format!("{} {}", view.count(unsynchronised), view.t(Text::NotSynchronised)),
        );
    if let Some((_, worst)) = worst {
        row = row.text(" · ").put(Role::Doubt, worst);
    }
    row.filled(width)
}

/// Clocks of units that must be known before that of this machine can be held against them.
const CLOCKS_MIN: usize = 3;

/// What nine in ten clocks are off by, if they agree on it to two seconds and it is more than that.
fn common(offsets: &mut [i64]) -> Option<i64> {
    offsets.sort_unstable();
    let middle = *offsets.get(offsets.len() / 2)?;
    let near = offsets.iter().filter(|ms| ms.abs_diff(middle) <= 2_000).count();
    let agree = offsets.len() >= CLOCKS_MIN && near * 10 >= offsets.len() * 9;
    (agree && middle.abs() > 2_000).then_some(middle)
}

/// How far a clock is off: `+0,1 s ±0,5 s`.
fn offset(view: &View<'_>, clock: ClockOffset) -> String {
    #[expect(clippy::cast_precision_loss, reason = "within 65 536 s")]
    let seconds = clock.ms as f64 / 1_000.0;
    let sign = if clock.ms >= 50 { "+" } else { "" };
    let within = format::fine_age(clock.within_ms, view.lang);
    format!("{sign}{} s ±{within}", format::number(seconds, 1, view.lang))
}

fn table(view: &View<'_>, width: usize) -> Table {
    let columns = vec![
        Column::left(view.t(Text::ColTime), 13),
        Column::left("", 1),
        Column::left(view.t(Text::ColStation), 15).shrinks(5).grows(18),
        Column::left(view.t(Text::ColBay), BAY_WIDTH),
        Column::left(view.t(Text::ColSignal), 20).shrinks(14).grows(34),
        Column::left(view.t(Text::ColChange), 23).shrinks(18).grows(30),
        Column::right(view.t(Text::ColDelay), 8).yields(1),
    ];
    Table::new(view.theme, width, columns)
}

fn cells(view: &View<'_>, entry: &EventEntry) -> Vec<Cell> {
    let station = view.province().channels[entry.channel.index()].station;
    let plain = |text: String| (Role::Plain, text);
    match &entry.what {
        Happening::Change(change) => {
            let mark = mark(change);
            let role = if mark.is_some() { Role::Doubt } else { Role::Plain };
            let point = change.point.map(|p| &view.station(station).points[p.index()]);
            let delay = entry.arrived.since(change.source);
            vec![
                (role, time(view, change.source)),
                (role, mark.map_or_else(String::new, String::from)),
                plain(view.station_name(station)),
                plain(bay(view, entry)),
                plain(signal(view, station, change)),
                plain(happenings::turn(point, change, view.lang)),
                (role, happenings::difference(delay, view.lang)),
            ]
        }
        Happening::Lost(gap) => {
            // A unit of several bays has a name that does not fit where bays stand.
            let (unit, lost) = (bay(view, entry), happenings::lost_count(gap, view.lang));
            let is_short = crate::paint::width(&unit) <= BAY_WIDTH;
            vec![
                (Role::Fail, time(view, entry.at)),
                (Role::Fail, "‼".to_owned()),
                plain(view.station_name(station)),
                plain(if is_short { unit.clone() } else { String::new() }),
                (Role::Fail, if is_short { lost } else { format!("{lost} {unit}") }),
                plain(between(view, gap)),
                plain(String::new()),
            ]
        }
    }
}

/// Time of day to the millisecond today, day and time else.
fn time(view: &View<'_>, at: Timestamp) -> String {
    let moment = view.moment();
    moment.other_day(at).unwrap_or_else(|| moment.fine_time(at))
}

fn between(view: &View<'_>, gap: &RecordGap) -> String {
    let time = |at: Option<Timestamp>| at.map_or("…".to_owned(), |at| view.moment().time(at));
    format!("{} – {}", time(gap.after), time(gap.before))
}

/// The bay of the status, or what the unit carries.
fn bay(view: &View<'_>, entry: &EventEntry) -> String {
    let station = view.province().channels[entry.channel.index()].station;
    let contract = view.station(station);
    if let Happening::Change(Change { point: Some(point), .. }) = entry.what {
        return contract.bays[contract.points[point.index()].bay].name.clone();
    }
    unit_index(view, entry)
        .map_or_else(String::new, |unit| unit_name(view.snapshot, station, unit, view.lang))
}

fn unit_index(view: &View<'_>, entry: &EventEntry) -> Option<usize> {
    let station = view.province().channels[entry.channel.index()].station;
    view.station(station).units.iter().position(|unit| unit.id == entry.unit)
}

fn signal(view: &View<'_>, station: StationId, change: &Change) -> String {
    change.point.map_or_else(
        || format!("{} {}", view.t(Text::NoSuchPoint), change.address),
        |point| view.station(station).points[point.index()].spec.name.get(view.lang).to_owned(),
    )
}

/// All of the selected entry, under a rule.
fn details(view: &View<'_>, entry: &EventEntry, width: usize) -> Vec<Row> {
    let station = view.province().channels[entry.channel.index()].station;
    let head = match &entry.what {
        Happening::Change(change) => {
            let id = change.point.map(|p| view.station(station).points[p.index()].id.clone());
            let id = id.unwrap_or_else(|| view.station(station).id.clone());
            let point = change.point.map(|p| &view.station(station).points[p.index()]);
            let turn = happenings::turn(point, change, view.lang);
            let name = format!(" · {}: {turn}", signal(view, station, change));
            view.row().put(Role::Strong, id).text(name)
        }
        Happening::Lost(gap) => {
            let place = format!("{} {} · ", view.station(station).id, bay(view, entry));
            let lost = happenings::lost(gap, view.moment());
            view.row().put(Role::Strong, place).put(Role::Fail, lost)
        }
    };
    let mut lines = vec![rule(head, width)];
    if let Happening::Change(change) = &entry.what {
        lines.push(story(view, entry, change));
        let marks = happenings::marks(change, view.lang);
        let row = view.row().gap(1).put(Role::Doubt, &marks);
        let row = if marks.is_empty() { row } else { row.text(" · ") };
        lines.push(row.text(elsewhere(view, entry, change)));
    }
    lines.push(unit_line(view, entry));
    lines
}

/// What changed, when, and when it came.
fn story(view: &View<'_>, entry: &EventEntry, change: &Change) -> Row {
    let moment = view.moment();
    let day = format::date(change.source.local(moment.zone).date, view.lang);
    view.row().text(format!(
        " {day} {} · {} {} ({})",
        moment.fine_time(change.source),
        view.t(Text::ArrivedWord),
        moment.fine_time(entry.arrived),
        happenings::difference(entry.arrived.since(change.source), view.lang)
    ))
}

/// Whether the other centres have the same change, and how much later it came there.
fn elsewhere(view: &View<'_>, entry: &EventEntry, change: &Change) -> String {
    let own = &view.province().channels[entry.channel.index()];
    let others = view.centres().into_iter().filter(|centre| *centre != own.centre);
    let said = others.filter_map(|centre| {
        let point = change.point?;
        let name = view.centre(centre);
        let channel = view.province().channel_id(own.station, centre);
        let contract = &view.province().channels[channel.index()];
        if !contract.entries[point.index()].is_mapped() {
            return Some(format!("{name}: {}", view.t(Text::NotSentHere)));
        }
        let log = &view.snapshot.events[centre.index()];
        let same = |other: &&EventEntry| match &other.what {
            Happening::Change(told) => {
                (other.channel, told.point) == (channel, change.point)
                    && (told.source, told.value) == (change.source, change.value)
            }
            Happening::Lost(_) => false,
        };
        Some(log.iter().rev().find(same).map_or_else(
            || format!("{name}: {}", view.t(Text::NotThere)),
            |other| {
                let delay = other.arrived.since(change.source);
                format!("{name}: {}", happenings::difference(delay, view.lang))
            },
        ))
    });
    let record = format!("{} {}", view.t(Text::RecordWord), change.number);
    [record].into_iter().chain(said).collect::<Vec<_>>().join(" · ")
}

/// The clock and the counts of the unit.
fn unit_line(view: &View<'_>, entry: &EventEntry) -> Row {
    let channel = &view.snapshot.channels[entry.channel.index()];
    let index = unit_index(view, entry);
    let events = index.and_then(|unit| channel.units[unit].events);
    let name = index.map_or_else(String::new, |unit| {
        unit_name(view.snapshot, channel.contract(view.province()).station, unit, view.lang)
    });
    let row = view.row().text(format!(" {} {name}", view.t(Text::Unit)));
    let Some(events) = events else { return row };
    let clock = events.clock;
    let role = if clock.is_some_and(ClockOffset::is_off) { Role::Doubt } else { Role::Plain };
    let clock = clock.map_or_else(|| NOT_EVALUATED.to_owned(), |clock| offset(view, clock));
    let EventCounts { received, duplicates, .. } = events.counts;
    row.text(format!(" · {} ", view.t(Text::ClockWord))).put(role, clock).text(format!(
        " · {} {} · {} {} · {} {}",
        view.t(Text::RecordsWord),
        view.count(received),
        view.t(Text::LostWord),
        lost_of(view, events.counts),
        view.t(Text::AgainWord),
        view.count(duplicates)
    ))
}

/// Whether a row has the words in the names of its station, bay and signal.
pub(crate) fn matches(view: &View<'_>, index: &Index, words: &Words, id: EventId) -> bool {
    match id.point {
        Some(point) => {
            let bay = view.station(id.station).points[point.index()].bay;
            index.point(words, id.station, bay, point)
        }
        None => index.station(words, id.station),
    }
}

/// An entry as a line of text, for the clipboard.
pub(crate) fn text(view: &View<'_>, id: EventId) -> Option<String> {
    entry_of(view, id).map(|entry| plain::event_line(view, entry))
}
