//! Screen 2, stations: the four verdicts of every station at each centre, side by side.

use std::cmp::Reverse;

use config::StationId;
use historian::counts::{Counts, Share};
use historian::snapshot::{LinkState, Right};

use super::overview::{detail, full_cell, link_cell, nobody, right_cell, scanning};
use super::{Body, exclusions, unmanned};
use crate::attention;
use crate::evidence;
use crate::format::NOT_EVALUATED;
use crate::list::List;
use crate::paint::{Row, Side, rule, wrap};
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Lines round the list: title, two rules, head, total.
const ROUND: usize = 5;
/// Lines below the list: legend with blanks, and the selected station.
const LEGEND: usize = 4;
const DETAIL: usize = 5;

/// How stations are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    #[default]
    Severity,
    Contract,
    Live,
    Missing,
}

impl Sort {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Severity => Self::Contract,
            Self::Contract => Self::Live,
            Self::Live => Self::Missing,
            Self::Missing => Self::Severity,
        }
    }

    pub(crate) fn text(self) -> Text {
        match self {
            Self::Severity => Text::SortSeverity,
            Self::Contract => Text::SortOrder,
            Self::Live => Text::SortLive,
            Self::Missing => Text::SortMissing,
        }
    }
}

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stations {
    pub(crate) list: List<StationId>,
    pub(crate) rows: Vec<StationId>,
    pub(crate) sort: Sort,
    pub(crate) faults: bool,
}

impl Stations {
    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        let snapshot = view.snapshot;
        let counts = |id: &StationId| &snapshot.channel(*id, view.basis).counts;
        self.rows = match self.sort {
            Sort::Severity => attention::by_severity(snapshot),
            _ => snapshot.province.station_ids().collect(),
        };
        match self.sort {
            Sort::Severity | Sort::Contract => {}
            // As shares would sort, without dividing.
            Sort::Live => self.rows.sort_by(|a, b| {
                let (a, b) = (counts(a).live, counts(b).live);
                (a.have * b.want).cmp(&(b.have * a.want))
            }),
            Sort::Missing => {
                self.rows.sort_by_key(|id| Reverse(counts(id).missing() + counts(id).untested()));
            }
        }
        if self.faults {
            self.rows.retain(|id| attention::needs_attention(snapshot, *id));
        }
        self.list.settle(&self.rows, list_height(body, self.rows.len()));
    }
}

fn legend_height(body: Body) -> usize {
    if body.is_wide() { LEGEND } else { 0 }
}

fn list_height(body: Body, rows: usize) -> usize {
    let most = body.height.saturating_sub(ROUND + legend_height(body) + DETAIL).max(3);
    most.min(rows.max(3))
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Stations, body: Body) -> Vec<Row> {
    let width = body.width;
    let line = || rule(view.row(), width);
    let mut lines = vec![title(view, state, width), line()];
    if view.nobody_ever() {
        lines.extend(nobody(view));
        return lines;
    }
    let table = table(view, width);
    lines.push(table.head());
    if view.starting() {
        lines.push(scanning(view));
    }
    let rows = state.rows.iter().skip(state.list.top());
    let shown = rows.take(list_height(body, state.rows.len()) - usize::from(view.starting()));
    lines.extend(shown.map(|id| table.row(&cells(view, *id), state.list.selected() == Some(*id))));
    if state.rows.is_empty() {
        lines.push(view.row().gap(2).text(view.t(Text::AllWell)));
    }
    lines.push(line());
    lines.push(table.row(&totals(view), false));
    if body.is_wide() {
        lines.extend(legend(view));
    }
    lines.extend(panel(view, state, body, body.height.saturating_sub(lines.len())));
    lines
}

fn title(view: &View<'_>, state: &Stations, width: usize) -> Row {
    let all = view.snapshot.stations().len();
    let full = view.snapshot.figures.full.have;
    let concerns = attention::concerns(view.snapshot).len();
    let row = view.row().gap(1).put(Role::Strong, view.t(Text::Stations)).text(format!(
        " {all} · {} {full} · {concerns} {}",
        view.t(Text::FullStations),
        view.t(Text::NeedAttention)
    ));
    let sort = format!("{}: {} ▼ ", view.t(Text::SortIs), view.t(state.sort.text()));
    row.ending(view.row().text(sort.replace('▼', "↓")), width)
}

fn table(view: &View<'_>, width: usize) -> Table {
    let pair = view.pair();
    let names: Vec<&str> = pair.iter().map(|centre| view.centre(*centre)).collect();
    let missing = format!("– {}", names.join("/"));
    let mut columns = vec![
        Column::left(view.t(Text::ColStation), 16).grows(30),
        Column::left(view.t(Text::ColLinkTitle), 6),
        Column::left(view.t(Text::ColFullTitle), 7),
        Column::right(missing.clone(), crate::paint::width(&missing).max(7)),
        Column::right("! E2E", 5).yields(1),
        Column::left(view.t(Text::ColRightTitle), 5),
        Column::left(view.t(Text::ColUnmanned), 5).yields(3),
    ];
    for (centre, name) in pair.iter().zip(&names) {
        // The centre that is not the basis gives way.
        let (count, percent) = if *centre == view.basis { (0, 0) } else { (4, 5) };
        // As wide as the sum of all stations needs.
        let sum = view.share(view.snapshot.centres[centre.index()].counts.live);
        let room = crate::paint::width(&sum).max(9);
        let head = format!("{} {name}", view.t(Text::ColLiveAt));
        columns.push(Column::right(head, room).yields(count));
        columns.push(Column::right("%", 5).yields(percent));
    }
    if has_exclusions(view) {
        columns.push(Column::right(view.t(Text::ColExcluded), 4).yields(3));
    }
    columns.push(Column::right(view.t(Text::ColUnits), 5).yields(2));
    Table::new(view.theme, width, columns)
}

/// Whether any signal is left out of the live counts: without one the column says nothing.
fn has_exclusions(view: &View<'_>) -> bool {
    view.snapshot.centres[view.basis.index()].counts.excluded > 0
}

/// The counts of a row: of a station or of the province.
fn count_cells(view: &View<'_>, each: &[Counts], live: bool) -> (Cell, Vec<Cell>, Vec<Cell>) {
    let missing: Vec<String> = each.iter().map(|c| view.count(c.missing())).collect();
    let lacks = each.iter().any(|counts| counts.missing() > 0);
    let missing = if lacks { (Role::Fail, missing.join("/")) } else { dot() };
    let untested = each.iter().map(Counts::untested).max().unwrap_or(0);
    let untested = if untested > 0 { (Role::Fail, view.count(untested)) } else { dot() };
    let live = each.iter().flat_map(|counts| live_cells(view, counts.live, live)).collect();
    (missing, vec![untested], live)
}

fn dot() -> Cell {
    (Role::Plain, "·".to_owned())
}

fn live_cells(view: &View<'_>, share: Share, known: bool) -> [Cell; 2] {
    if !known {
        return [(Role::Plain, NOT_EVALUATED.to_owned()), (Role::Plain, String::new())];
    }
    let role = if share.lacking() > 0 { Role::Fail } else { Role::Plain };
    [(role, view.share(share)), (role, view.percent(share))]
}

fn cells(view: &View<'_>, station: StationId) -> Vec<Cell> {
    let seen = view.snapshot.site(station);
    let each: Vec<Counts> =
        view.pair().iter().map(|c| view.snapshot.channel(station, *c).counts).collect();
    let settled = view.settled(station);
    let (missing, untested, live) = count_cells(view, &each, settled);
    let findings = each.iter().map(|counts| counts.right.lacking()).max().unwrap_or(0);
    let mut right = right_cell(seen.right);
    if findings > 0 {
        right.1 = format!("{} {findings}", right.1);
    }
    let pending = || (Role::Plain, NOT_EVALUATED.to_owned());
    let link = if settled { link_cell(view, seen.link) } else { pending() };
    let full = if settled { full_cell(view, seen.full) } else { pending() };
    let excluded = view.snapshot.channel(station, view.basis).counts.excluded;
    let excluded = if excluded > 0 { (Role::Note, view.count(excluded)) } else { dot() };
    let units = if seen.units.lacking() > 0 && settled { Role::Fail } else { Role::Plain };
    let mut cells = vec![(Role::Plain, view.station_name(station)), link, full, missing];
    cells.extend(untested);
    cells.push(right);
    cells.push(unmanned::cell(view, station));
    cells.extend(live);
    if has_exclusions(view) {
        cells.push(excluded);
    }
    cells.push((units, view.share(seen.units)));
    cells
}

fn totals(view: &View<'_>) -> Vec<Cell> {
    let snapshot = view.snapshot;
    let each: Vec<Counts> =
        view.pair().iter().map(|centre| snapshot.centres[centre.index()].counts).collect();
    let (missing, untested, live) = count_cells(view, &each, !view.starting());
    let strong = |text: String| (Role::Strong, text);
    let evaluated = snapshot.stations().iter().filter(|s| s.right != Right::NotEvaluated);
    let right = Share::new(
        evaluated.clone().filter(|station| station.right == Right::Right).count() as u64,
        evaluated.count() as u64,
    );
    let right = if right.want == 0 { NOT_EVALUATED.to_owned() } else { view.share(right) };
    let all = snapshot.stations().len();
    let excluded = snapshot.centres[view.basis.index()].counts.excluded;
    let mut cells = vec![
        strong(format!("{} {all}", view.t(Text::Province))),
        strong(view.share(snapshot.figures.connected)),
        strong(view.share(snapshot.figures.full)),
        missing,
    ];
    cells.extend(untested);
    cells.push(strong(right));
    cells.push(strong(unmanned::headline(view).share));
    cells.extend(live);
    if excluded > 0 {
        cells.push((Role::Note, view.count(excluded)));
    }
    cells.push(strong(view.share(snapshot.units())));
    cells
}

fn legend(view: &View<'_>) -> Vec<Row> {
    let line = |a: Text, b: Text| {
        let left = view.row().gap(1).cell(Role::Plain, view.t(a), 43, Side::Left);
        left.text(format!("  {}", view.t(b)))
    };
    vec![
        view.row(),
        line(Text::LegendLink, Text::LegendFull),
        line(Text::LegendRight, Text::LegendLive),
        view.row(),
    ]
}

/// The selected station in words.
fn panel(view: &View<'_>, state: &Stations, body: Body, height: usize) -> Vec<Row> {
    let Some(station) = state.list.selected() else { return Vec::new() };
    if height < 2 {
        return Vec::new();
    }
    let name = view.row().put(Role::Strong, view.station_name(station));
    let mut lines = vec![rule(name, body.width)];
    lines.extend(links(view, station, body.width));
    lines.push(structure(view, station));
    lines.push(unmanned::of_station(view, station, body.width));
    lines.extend(exclusions::of_station(view, station));
    let said = detail(view, station);
    let start = if said.structural { view.t(Text::Lacks) } else { view.t(Text::WhyNow) };
    let text = match said.said.as_str() {
        "" => view.t(Text::NothingLive).to_owned(),
        words => format!("{start}: {words}"),
    };
    let wrapped = wrap(&text, body.width - 2);
    lines.extend(wrapped.into_iter().map(|line| view.row().gap(1).text(line)));
    lines.truncate(height);
    lines
}

/// The state of each path and since when; in one line where it fits.
fn links(view: &View<'_>, station: StationId, width: usize) -> Vec<Row> {
    let each = view.centres().into_iter().map(|centre| link(view, station, centre));
    let each: Vec<Row> = each.collect();
    if each.iter().map(|row| row.width() + 2).sum::<usize>() > width {
        return each;
    }
    each.into_iter().reduce(|row, next| row.text(" ·").join(next)).into_iter().collect()
}

fn link(view: &View<'_>, station: StationId, centre: config::CentreId) -> Row {
    let channel = view.snapshot.channel(station, centre);
    let (role, word) = match channel.link.state {
        LinkState::Connected => (Role::Plain, Text::LinkUp),
        LinkState::Lost => (Role::Fail, Text::LinkLost),
        LinkState::NeverConnected if channel.settled => (Role::Fail, Text::LinkNever),
        LinkState::NeverConnected => (Role::Plain, Text::Scanning),
    };
    let since = view.since(channel.link.told_since());
    let row =
        view.row().text(format!(" {} ", view.centre(centre))).put(role, view.t(word)).text(
            format!(" {} {since} ({})", view.t(Text::SinceWord), view.age(channel.link.since)),
        );
    let fault = channel.link.fault.as_ref().filter(|_| channel.link.state != LinkState::Connected);
    let Some(fault) = fault else { return row };
    let contract = channel.contract(view.province());
    let fault = evidence::link_fault(fault, view.lang);
    row.text(format!(" {}:{}: {fault}", contract.host, contract.port))
}

/// What the contract says of a station: `14 trên 597 chưa có trong CSDL (TTĐK), …`.
fn structure(view: &View<'_>, station: StationId) -> Row {
    let each = view.centres().into_iter().map(|centre| {
        let counts = &view.snapshot.channel(station, centre).counts;
        let name = view.centre(centre);
        let full = Share::new(counts.tested, counts.required);
        if counts.tested == counts.required {
            return format!("{name} ✓ {} {}", view.share(full), view.t(Text::IsFull));
        }
        format!(
            "{name} {} {}: {} {} · {} {}",
            view.share(full),
            view.t(Text::IsFull),
            view.count(counts.missing()),
            view.t(Text::MissingWord),
            view.count(counts.untested()),
            view.t(Text::UntestedWord)
        )
    });
    view.row().text(format!(" {}", each.collect::<Vec<_>>().join("    ")))
}
