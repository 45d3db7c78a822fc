//! Screen 1, overview: the whole responsibility at a glance. Four headline figures, what is live,
//! the stations that need attention with their cause in words, reasons, polling.

use config::{Channel, ChannelId, StationId};
use historian::snapshot::{Full, LinkState, Right};
use historian::verdict::Reason;

use super::{Body, boxes, why};
use crate::attention::{self, at_some, path_text, short_reason};
use crate::evidence;
use crate::format::{self, NOT_EVALUATED};
use crate::issues::{self, Issue, Scope};
use crate::list::List;
use crate::paint::{Row, beside, fit, framed, width, wrap};
use crate::places::{Form, places};
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Lines of the layout for 100 columns that are no stations: figures 4, live 4, frame, head and
/// detail of the stations 4.
const WIDE_FIXED: usize = 12;
/// Smallest height of the boxes at the bottom.
const BOXES_MIN: usize = 8;
/// Columns from which the selected station's why stands beside everything else.
const WHY_BESIDE: usize = 140;

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    pub(crate) list: List<StationId>,
    pub(crate) rows: Vec<StationId>,
}

impl Overview {
    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        self.rows = attention::concerns(view.snapshot);
        self.list.settle(&self.rows, rows_shown(body, self.rows.len()));
    }
}

/// Whether everything of the layout for 100 columns fits.
fn is_wide(body: Body) -> bool {
    body.is_wide() && body.height >= WIDE_FIXED + BOXES_MIN + 4
}

/// Stations that fit.
fn rows_shown(body: Body, all: usize) -> usize {
    if !is_wide(body) {
        // Four lines of figures, frame and head 3, detail 2, reasons and polling 2.
        return body.height.saturating_sub(11).max(1);
    }
    let spare = body.height - WIDE_FIXED - BOXES_MIN;
    // What stations do not need goes to the reasons.
    spare.min(all.max(6))
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Overview, body: Body) -> Vec<Row> {
    if !is_wide(body) {
        return compact(view, state, body);
    }
    if body.width < WHY_BESIDE {
        return wide(view, state, body);
    }
    let left = Body { width: 100, ..body };
    let right = Body { width: body.width - 100, ..body };
    let mut beside_it = why_panel(view, state, right);
    beside_it.truncate(body.height);
    beside(wide(view, state, left), beside_it)
}

fn wide(view: &View<'_>, state: &Overview, body: Body) -> Vec<Row> {
    let shown = rows_shown(body, state.rows.len());
    let mut lines = boxes::figures(view, body.width);
    lines.extend(boxes::live(view, body.width));
    lines.extend(stations(view, state, body.width, (shown, 1)));
    let height = body.height.saturating_sub(lines.len());
    let left = body.width / 2;
    let reasons = boxes::reasons(view, left, height);
    lines.extend(beside(reasons, boxes::modbus(view, body.width - left, height)));
    lines
}

/// Why the selected station falls short, beside the overview.
fn why_panel(view: &View<'_>, state: &Overview, body: Body) -> Vec<Row> {
    let Some(station) = state.list.selected() else {
        return framed(view.row(), view.row(), vec![view.row(); body.height - 2], body.width);
    };
    let mut lines = why::document(view, station, body.width - 2, None).lines;
    lines.truncate(body.height - 2);
    lines.resize(body.height - 2, view.row());
    let title = view.row().put(Role::Strong, view.t(Text::Why).to_uppercase());
    let title = title.text(format!(" — {}", view.station_name(station)));
    framed(title, view.row(), lines, body.width)
}

/// The layout for 80 columns: figures as lines, reasons and polling in one line each.
fn compact(view: &View<'_>, state: &Overview, body: Body) -> Vec<Row> {
    let mut lines = figure_lines(view);
    lines.extend(boxes::live_lines(view));
    let shown = rows_shown(body, state.rows.len());
    lines.extend(stations(view, state, body.width, (shown, 2)));
    lines.push(reasons_line(view, body.width));
    let links = view.row().text(format!(" {} · ", boxes::rates(view)));
    lines.push(links.join(boxes::errors(view)));
    lines
}

/// The headline figures in two lines.
pub(crate) fn figure_lines(view: &View<'_>) -> Vec<Row> {
    let stations = boxes::headlines(view).into_iter();
    let first = stations.enumerate().fold(view.row(), |row, (n, (text, figure))| {
        let (role, mark) = boxes::mark(figure.reached);
        let row = row.gap(if n == 0 { 1 } else { 6 });
        row.text(format!("{} ", view.t(text)))
            .put(Role::Strong, figure.share)
            .text(format!(" {} % ", figure.percent))
            .put(role, mark)
    });
    let metering = &view.snapshot.metering;
    let target = view.province().targets.remote_metering;
    let (role, mark) = boxes::mark(boxes::metering_reached(view));
    let percent = boxes::coverage_percent(view, (metering.total, metering.uncounted), 2);
    let said = boxes::coverage_share(view, metering.total, metering.uncounted);
    let second = view
        .row()
        .text(format!(" {} ", view.t(Text::MeteringLine)))
        .put(Role::Strong, said)
        .text(format!(" = {percent} % · {} ", view.t(Text::Target)))
        .text(format!("{} ", format::target(target, view.lang)))
        .put(role, mark)
        .text(format!(" {}", boxes::against_target(view, metering.total, metering.uncounted)));
    vec![first, second]
}

/// Why signals are not live at the basis, in one line of `room` cells: most of them first, their sum where it fits.
pub(crate) fn reasons_line(view: &View<'_>, room: usize) -> Row {
    let start = format!(" {} ({}): ", view.t(Text::NotLiveBy), view.centre(view.basis));
    if view.starting() {
        return view.row().text(start).text(NOT_EVALUATED);
    }
    let counts = &view.snapshot.centres[view.basis.index()].counts;
    let mut found: Vec<(Reason, u64)> = Reason::ALL
        .into_iter()
        .map(|reason| (reason, counts.not_live[reason as usize]))
        .filter(|(_, n)| *n > 0)
        .collect();
    found.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    if found.is_empty() {
        return view.row().text(start).text(view.t(Text::Nothing));
    }
    let mut row = view.row().text(start);
    for (n, (reason, count)) in found.iter().enumerate() {
        let (mark, said) = (reason.mark(), short_reason(*reason, view.lang));
        let text = format!("{mark} {said} {}", view.count(*count));
        let text = if n == 0 { text } else { format!(" · {text}") };
        let is_last = n + 1 == found.len();
        let more = if is_last { 0 } else { width(MORE) };
        if n > 0 && row.width() + width(&text) + more > room {
            return row.text(MORE);
        }
        row = row.text(text);
    }
    let sum = format!(" = {}", view.count(counts.live.lacking()));
    let has_room = found.len() > 1 && row.width() + width(&sum) <= room;
    if has_room { row.text(sum) } else { row }
}

/// In place of what has no room.
const MORE: &str = " · …";

/// Stations that need attention: `shown` rows, and what the selected one lacks in `detail` lines.
fn stations(
    view: &View<'_>,
    state: &Overview,
    width: usize,
    (shown, detail): (usize, usize),
) -> Vec<Row> {
    let inner = width - 2;
    let wide = width >= 96;
    let title = view
        .row()
        .put(Role::Strong, view.t(if wide { Text::Attention } else { Text::AttentionShort }));
    let order = format!(" — {}", view.t(Text::WorstFirst));
    let title = if wide { title.text(order) } else { title };
    let all = view.snapshot.stations().len();
    let right = format!("{}/{all} · {}", state.rows.len(), view.t(Text::EnterWhy));
    let mut lines = Vec::new();
    if view.nobody_ever() {
        lines = nobody(view);
    } else {
        let table = table(view, inner);
        lines.push(table.head());
        if view.starting() {
            lines.push(scanning(view));
        } else if state.rows.is_empty() {
            lines.push(view.row().gap(2).text(view.t(Text::AllWell)));
        }
        let left = (shown + 1).saturating_sub(lines.len());
        let rows = state.rows.iter().skip(state.list.top()).take(left);
        lines.extend(
            rows.map(|id| table.row(&cells(view, &table, *id), state.list.selected() == Some(*id))),
        );
    }
    let room = shown + 1 + detail - lines.len();
    let said = selected_detail(view, state, inner, room);
    lines.resize(shown + 1 + detail - said.len(), view.row());
    lines.extend(said);
    framed(title, view.row().text(right), lines, width)
}

/// How far the first scan has come.
pub(crate) fn scanning(view: &View<'_>) -> Row {
    let scan = view.snapshot.stations_settled();
    let since = format::fine_age(view.now.since(view.snapshot.started), view.lang);
    view.row().gap(2).put(
        Role::Strong,
        format!(
            "{} {} {}… {since}",
            view.t(Text::Scanning),
            view.share(scan),
            view.t(Text::StationsUnit)
        ),
    )
}

/// What to do when no station has ever answered.
pub(crate) fn nobody(view: &View<'_>) -> Vec<Row> {
    let fault = view.snapshot.channels.iter().find_map(|channel| channel.link.fault.as_ref());
    let fault = fault.map_or_else(String::new, |f| evidence::link_fault(f, view.lang));
    let addresses = format!("  {} {}.", view.t(Text::NobodyAnswers), addresses(view));
    vec![
        view.row(),
        view.row().put(Role::Fail, addresses),
        view.row().text(format!("  {fault}")),
        view.row(),
        view.row().text(format!("  {}", view.t(Text::StartSimulator))),
        view.row().put(Role::Strong, format!("    {}", view.simulate)),
    ]
}

/// Where the stations should be: `127.0.0.1:15201–15220`.
fn addresses(view: &View<'_>) -> String {
    let province = view.province();
    let own = (0..province.channels.len()).map(ChannelId::at).filter(|id| !province.is_plant(*id));
    let channels: Vec<&Channel> = own.map(|id| &province.channels[id.index()]).collect();
    let Some(first) = channels.first() else { return String::new() };
    let ports = channels.iter().filter(|c| c.host == first.host).map(|c| c.port);
    let (low, high) = (ports.clone().min().unwrap_or(0), ports.max().unwrap_or(0));
    let range = if low == high { low.to_string() } else { format!("{low}–{high}") };
    let others = channels.iter().any(|c| c.host != first.host);
    format!("{}:{range}{}", first.host, if others { ", …" } else { "" })
}

fn table(view: &View<'_>, width: usize) -> Table {
    let why = format!(
        "{} ({} {})",
        view.t(Text::ColWhy),
        view.t(Text::SignalsAt),
        view.centre(view.basis)
    );
    let columns = vec![
        Column::left(view.t(Text::ColStation), 16),
        Column::left(view.t(Text::ColLink), 6).yields(2),
        Column::left(view.t(Text::ColFull), 7),
        Column::left(view.t(Text::ColRight), 5),
        Column::right(view.t(Text::ColLive), 6),
        Column::left(why, 34).grows(usize::MAX),
        Column::right(view.t(Text::ColSince), 10).yields(1),
    ];
    Table::new(view.theme, width, columns)
}

fn cells(view: &View<'_>, table: &Table, station: StationId) -> Vec<Cell> {
    let seen = view.snapshot.site(station);
    let counts = &view.snapshot.channel(station, view.basis).counts;
    let summary = attention::summary(view, station, table.width(5));
    let since = summary.since.map_or_else(String::new, |since| view.since(since));
    vec![
        (Role::Plain, view.station_name(station)),
        link_cell(view, seen.link),
        full_cell(view, seen.full),
        right_cell(seen.right),
        (Role::Plain, view.percent(counts.live)),
        (Role::Plain, summary.why),
        (Role::Plain, since),
    ]
}

/// Mark and word of a link.
pub(crate) fn link_cell(view: &View<'_>, link: LinkState) -> Cell {
    match link {
        LinkState::Connected => (Role::Plain, "✓".to_owned()),
        LinkState::Lost => (Role::Fail, format!("✗ {}", view.t(Text::LostShort))),
        LinkState::NeverConnected => {
            (Role::Fail, format!("{NOT_EVALUATED} {}", view.t(Text::NeverShort)))
        }
    }
}

/// Mark and word of whether a station is full.
pub(crate) fn full_cell(view: &View<'_>, full: Full) -> Cell {
    match full {
        Full::Full => (Role::Plain, format!("✓ {}", view.t(Text::IsFull))),
        Full::NotFull => (Role::Fail, format!("✗ {}", view.t(Text::NotFull))),
        Full::NoneYet => (Role::Fail, format!("✗ {}", view.t(Text::NoneYet))),
    }
}

/// Mark of whether a station is right.
pub(crate) fn right_cell(right: Right) -> Cell {
    match right {
        Right::Right => (Role::Plain, "✓".to_owned()),
        Right::Wrong => (Role::Fail, "✗".to_owned()),
        Right::NotEvaluated => (Role::Plain, NOT_EVALUATED.to_owned()),
    }
}

/// What the selected station lacks: a line for each cause where there is room, else signal by
/// signal in what there is.
fn selected_detail(view: &View<'_>, state: &Overview, width: usize, lines: usize) -> Vec<Row> {
    let Some(station) = state.list.selected() else { return Vec::new() };
    let issues = issues::of_station(view.snapshot, station);
    if (2..=lines).contains(&issues.len()) {
        let rows = issues.iter().enumerate().map(|(n, line)| {
            let start = view.row().text(if n == 0 { " └" } else { "  " });
            start.join(why::brief(view, station, line, width - 2))
        });
        return rows.collect();
    }
    let id = &view.station(station).id;
    let text = detail(view, station);
    let lacks = if text.structural { format!(" {}", view.t(Text::Lacks)) } else { String::new() };
    let room = width.saturating_sub(4);
    let mut wrapped = wrap(&format!("└ {id}{lacks}: {}", text.said), room);
    if wrapped.len() > lines {
        let rest = wrapped.split_off(lines - 1).join(" ");
        wrapped.push(fit(&rest, room));
    }
    let indent = |n: usize| if n == 0 { " " } else { "   " };
    let rows = wrapped.into_iter().enumerate();
    rows.map(|(n, line)| view.row().text(indent(n)).text(line)).collect()
}

/// Signals of a station that fall short, spelled out.
pub(crate) struct Detail {
    pub(crate) said: String,
    /// Whether it says what the contract lacks, rather than what is wrong right now.
    pub(crate) structural: bool,
}

/// What a station lacks; when nothing is lacking, what is wrong right now.
pub(crate) fn detail(view: &View<'_>, station: StationId) -> Detail {
    let of_station = view.station(station);
    let lines = issues::structural(view.snapshot, station);
    let linked = view.snapshot.site(station).link == LinkState::Connected;
    if lines.is_empty() || !linked {
        let live = issues::live(view.snapshot, station);
        let said = live.iter().map(|line| live_detail(view, station, line));
        return Detail { said: said.collect::<Vec<_>>().join(" · "), structural: false };
    }
    let of = |reason: Reason| -> Vec<config::PointId> {
        let lines = lines.iter().filter(|line| line.reason() == reason);
        let mut points: Vec<_> = lines.flat_map(|line| line.points.iter().copied()).collect();
        points.sort_unstable();
        points.dedup();
        points
    };
    let (missing, untested) = (of(Reason::NotInDatabase), of(Reason::NoE2eRecord));
    let mut said = Vec::new();
    if !missing.is_empty() {
        said.push(places(of_station, &missing, Form::Short, view.lang));
    }
    if !untested.is_empty() {
        said.push(format!("E2E {}", places(of_station, &untested, Form::Short, view.lang)));
    }
    Detail { said: said.join(" · "), structural: true }
}

fn live_detail(view: &View<'_>, station: StationId, line: &Issue) -> String {
    let reason = line.reason();
    let since = view.moment().since_exactly(line.since);
    let at = at_some(view, &line.centres);
    let link = view.snapshot.channel(station, line.centres[0]).link.state;
    let (word, where_) = match line.id.scope {
        Scope::Link => (path_text(view, line.id, link), view.t(Text::WholeStation).to_owned()),
        Scope::Unit(_) | Scope::Bay(_) | Scope::Contract(..) => {
            let points = places(view.station(station), &line.points, Form::Short, view.lang);
            (short_reason(reason, view.lang), points)
        }
    };
    let proof = evidence::of_line(view, station, line);
    let dot = if proof.is_empty() { "" } else { " · " };
    format!("{} {word}{at} {where_} {} {since}{dot}{proof}", reason.mark(), view.t(Text::SinceWord))
}
