//! Screen 9, links: how asking each station and each plant goes for each centre, and each unit with which it does
//! not go well, worst first. Plants are marked: they are in no count of stations, paths and units.

mod card;
mod remedy;
mod rows;

use super::Body;
use crate::format::{self, NOT_EVALUATED};
use crate::list::List;
use crate::paint::{Row, rule, text_of, width};
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;
pub(crate) use rows::LinkId;
use rows::{Health, Seen};

/// Lines round the list: title, two rules, head.
const ROUND: usize = 4;
/// Lines of the selected device below the list, where it is narrow and where it is wide.
const DETAIL: (usize, usize) = (6, 8);
/// Cells of a screen on which the title says how long requests are counted, too.
const WIDE: usize = 100;
/// Most cells of the name of a device.
const NAME_MOST: usize = 28;

/// How rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    #[default]
    Severity,
    Contract,
    Errors,
    Slowest,
}

impl Sort {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Severity => Self::Contract,
            Self::Contract => Self::Errors,
            Self::Errors => Self::Slowest,
            Self::Slowest => Self::Severity,
        }
    }

    pub(crate) fn text(self) -> Text {
        match self {
            Self::Severity => Text::SortSeverity,
            Self::Contract => Text::SortOrder,
            Self::Errors => Text::SortErrors,
            Self::Slowest => Text::SortSlowest,
        }
    }
}

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    pub(crate) list: List<LinkId>,
    pub(crate) rows: Vec<LinkId>,
    pub(crate) sort: Sort,
    pub(crate) faults: bool,
    /// The selected device fills the screen.
    pub(crate) card: bool,
}

impl Links {
    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        self.rows = rows::sorted(view, self.sort, self.faults);
        self.list.settle(&self.rows, list_height(body));
        self.card &= self.list.selected().is_some();
    }
}

fn list_height(body: Body) -> usize {
    let detail = if body.is_wide() { DETAIL.1 } else { DETAIL.0 };
    body.height.saturating_sub(ROUND + detail).max(3)
}

/// What a row is called, for the list and for finding it.
pub(crate) fn name(view: &View<'_>, id: LinkId) -> String {
    Seen::new(view, id).name(view)
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Links, body: Body) -> Vec<Row> {
    if let Some(id) = state.list.selected().filter(|_| state.card) {
        return card::full(view, id, body);
    }
    let width = body.width;
    let mut lines = vec![title(view, state, width), rule(view.row(), width)];
    let table = table(view, width);
    lines.push(table.head());
    let shown = state.rows.iter().skip(state.list.top()).take(list_height(body));
    lines.extend(shown.map(|id| table.row(&cells(view, *id), state.list.selected() == Some(*id))));
    if state.rows.is_empty() {
        lines.push(view.row().gap(2).text(view.t(Text::LinksWell)));
    }
    let Some(id) = state.list.selected() else { return lines };
    let height = body.height.saturating_sub(lines.len() + 1);
    let mut head = view.row().put(Role::Strong, full_name(view, id));
    let hidden = state.rows.len().saturating_sub(state.list.top() + list_height(body));
    if hidden > 0 {
        // Of the list above.
        let more = format!("… {} {} (↓)", view.count(hidden as u64), view.t(Text::More));
        head = view.row().text(more).text(" ── ").join(head);
    }
    lines.push(rule(head, width));
    lines.extend(card::document(view, id, width).into_iter().take(height));
    lines
}

/// Everything that the card says, as text for the clipboard.
pub(crate) fn plain(view: &View<'_>, id: LinkId) -> String {
    let title = view.row().text(full_name(view, id));
    let rows = [title].into_iter().chain(card::document(view, id, 100));
    let lines = rows.map(|row| text_of(&row.line()).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Name, unit and centre.
fn full_name(view: &View<'_>, id: LinkId) -> String {
    let seen = Seen::new(view, id);
    let unit = seen.unit_words(view).map_or_else(String::new, |unit| format!(" · {unit}"));
    let is_plant = view.province().is_plant(id.channel);
    let plant = if is_plant { view.t(Text::PlantUncounted) } else { "" };
    format!("{}{unit} → {}{plant}", view.station_name(seen.contract.station), seen.centre(view))
}

fn title(view: &View<'_>, state: &Links, room: usize) -> Row {
    let channels = &view.snapshot.channels;
    let province = view.province();
    let paths = (province.centres.len() * province.substations().len()) as u64;
    let of_plants = (province.centres.len() * province.plant_ids().count()) as u64;
    let window_s = channels.first().map_or(0.0, |channel| channel.traffic.window_s);
    #[expect(clippy::cast_possible_truncation, reason = "a window is a few hundred seconds")]
    let window = format::age((window_s * 1_000.0) as i64, view.lang);
    let plants = match of_plants {
        0 => String::new(),
        n => format!(" + {} {}", view.count(n), view.t(Text::PlantPathsWord)),
    };
    // Where there is no room for both, that there are others weighs more.
    let window = if of_plants > 0 && room < WIDE {
        String::new()
    } else {
        format!(" · {} {window}", view.t(Text::Window))
    };
    let row = view.row().gap(1).put(Role::Strong, view.t(Text::Links)).text(format!(
        " · {} {}{plants} · {} {}{window}",
        view.count(paths),
        view.t(Text::PathsWord),
        view.share(view.snapshot.units()),
        view.t(Text::UnitsAnswer),
    ));
    let sort = format!("{}: {} ↓ ", view.t(Text::SortIs), view.t(state.sort.text()));
    row.ending(view.row().text(sort), room)
}

fn table(view: &View<'_>, room: usize) -> Table {
    let centres = view.province().centre_ids().map(|centre| width(view.centre(centre)));
    let centre = centres.max().unwrap_or(0).max(2);
    let columns = vec![
        Column::left(view.t(Text::ColDevice), 15).shrinks(10).grows(NAME_MOST),
        Column::left("", centre),
        Column::left(view.t(Text::ColState), 10),
        Column::right("p50≤", 5).yields(7),
        Column::right("p95≤", 5),
        Column::right("max", 5).yields(8),
        Column::right(view.t(Text::ColPerSecond), 5).yields(5),
        Column::right(view.t(Text::ColNoReply), 6),
        Column::right(view.t(Text::ColRefused), 6),
        Column::right(view.t(Text::ColBad), 5).yields(6),
        Column::right(view.t(Text::ColStrays), 5),
        Column::right(view.t(Text::ColMissed), 6),
        Column::right(view.t(Text::ColLastGood), 8),
        Column::left(view.t(Text::ColWhy), 24).grows(120).yields(9),
    ];
    Table::new(view.theme, room, columns)
}

fn cells(view: &View<'_>, id: LinkId) -> Vec<Cell> {
    let seen = Seen::new(view, id);
    let (health, traffic) = (seen.health(view), seen.traffic());
    let role = health.role();
    let plain = |text: String| (Role::Plain, text);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let rate = traffic.requests as f64 / traffic.window_s.max(1.0);
    let rate = format::number(rate, usize::from(rate < 100.0), view.lang);
    let link = &seen.channel.link;
    // Slots and strays belong to the connection, which all units of a station share.
    let own = |n: u64| if seen.unit.is_some() { plain(String::new()) } else { counted(view, n) };
    let why = if health == Health::Good { String::new() } else { card::now(view, &seen) };
    vec![
        plain(seen.name(view)),
        plain(seen.centre(view).to_owned()),
        (role, health.text(view).to_owned()),
        plain(milliseconds(view, traffic.p50_ms)),
        (if health == Health::Slow { role } else { Role::Plain }, {
            milliseconds(view, traffic.p95_ms)
        }),
        plain(milliseconds(view, traffic.max_ms)),
        plain(rate),
        counted(view, traffic.no_reply),
        counted(view, traffic.refused),
        counted(view, traffic.undecodable),
        own(u64::from(link.strays.sum())),
        own(link.missed),
        plain(seen.last_good().map_or_else(|| NOT_EVALUATED.to_owned(), |at| view.age(at))),
        plain(why),
    ]
}

/// A count of something that should not be: nothing to see where there is none.
fn counted(view: &View<'_>, n: u64) -> Cell {
    if n == 0 { (Role::Plain, "·".to_owned()) } else { (Role::Doubt, view.count(n)) }
}

/// A round trip in at most five cells.
fn milliseconds(view: &View<'_>, ms: Option<f64>) -> String {
    match ms {
        None => NOT_EVALUATED.to_owned(),
        Some(ms) if ms >= 9_999.5 => format!("{} s", format::number(ms / 1_000.0, 0, view.lang)),
        Some(ms) => format::milliseconds(ms, view.lang),
    }
}
