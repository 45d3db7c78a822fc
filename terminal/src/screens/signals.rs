//! Screen 4, signals: every signal with its value, quality, age and verdict at each centre, and
//! the evidence of the selected one.

mod rows;
mod shown;

use collector::explain;
use config::{CentreId, PointId, PointKind, StationId};
use historian::verdict::Reason;

use super::{Body, card};
use crate::attention::{role_of, short_at, short_reason};
use crate::fold::{Index, Words};
use crate::format::NOT_EVALUATED;
use crate::list::List;
use crate::paint::{Row, rule};
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;
use rows::worst;
pub(crate) use shown::{Shown, reader};

/// A signal: what a row is known by.
pub(crate) type SignalId = (StationId, PointId);

/// Lines above the list: title, reasons, rule, head. Below it: a line for what is hidden, a rule.
const ROUND: usize = 6;

/// How signals are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    #[default]
    Contract,
    Reason,
    Newest,
}

impl Sort {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Contract => Self::Reason,
            Self::Reason => Self::Newest,
            Self::Newest => Self::Contract,
        }
    }

    pub(crate) fn text(self) -> Text {
        match self {
            Self::Contract => Text::SortOrder,
            Self::Reason => Text::SortReason,
            Self::Newest => Text::SortSince,
        }
    }
}

/// Which signals are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    pub(crate) station: Option<StationId>,
    /// At the basis or at any other centre.
    pub(crate) reason: Option<Reason>,
    /// Only those that fall short at some centre.
    pub(crate) faults: bool,
}

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    pub(crate) list: List<SignalId>,
    pub(crate) rows: Vec<SignalId>,
    pub(crate) sort: Sort,
    pub(crate) filter: Filter,
    /// The filter that the screen was opened with: Esc goes back to it before it leaves.
    pub(crate) base: Filter,
    /// The evidence fills the screen.
    pub(crate) card: bool,
    /// Signals before filtering.
    all: usize,
    /// Signals by reason at the basis, in the order of [`Reason::ALL`], before that filter.
    by_reason: [usize; Reason::ALL.len()],
}

impl Signals {
    /// The signals of a filter.
    pub(crate) fn new(filter: Filter, selected: Option<SignalId>) -> Self {
        let list = selected.map_or_else(List::default, List::at);
        Self { list, filter, base: filter, ..Self::default() }
    }

    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        self.collect(view);
        let height = list_height(body, self.rows.len());
        self.list.settle(&self.rows, height);
    }

    /// How many signals have each reason, those that occur.
    pub(crate) fn reasons(&self) -> Vec<(Reason, usize)> {
        let counted = Reason::ALL.into_iter().zip(self.by_reason);
        counted.filter(|(reason, n)| *n > 0 || self.filter.reason == Some(*reason)).collect()
    }
}

fn detail_height(body: Body) -> usize {
    match body {
        Body { height, .. } if height >= 24 => 7,
        Body { height, .. } if height >= 18 => 3,
        Body { .. } => 1,
    }
}

fn list_height(body: Body, rows: usize) -> usize {
    let room = body.height.saturating_sub(ROUND + detail_height(body));
    // A list that fits needs no line that says what is hidden.
    (room + usize::from(rows <= room + 1)).max(1)
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Signals, find: &str, body: Body) -> Vec<Row> {
    let width = body.width;
    if let (true, Some(id)) = (state.card, state.list.selected()) {
        return card::full(view, id, body);
    }
    let mut lines = vec![title(view, state, find, width), chips(view, state, width)];
    lines.push(rule(view.row(), width));
    let table = table(view, state, width);
    lines.push(table.head());
    let height = list_height(body, state.rows.len());
    let rows = state.rows.iter().skip(state.list.top()).take(height);
    lines.extend(
        rows.map(|id| table.row(&cells(view, state, *id), state.list.selected() == Some(*id))),
    );
    if state.rows.is_empty() {
        let said = if state.filter == Filter::default() {
            view.t(Text::NoFailing).to_owned()
        } else {
            format!(
                "0 {} {} — {} · {}",
                view.t(Text::Of),
                view.count(state.all as u64),
                filter_text(view, state),
                view.t(Text::EscClearsFilter)
            )
        };
        lines.push(view.row().gap(2).text(said));
    }
    let hidden = state.rows.len().saturating_sub(state.list.top() + height);
    if hidden > 0 {
        lines.push(view.row().text(format!(
            "  … {} {} (↓)",
            view.count(hidden as u64),
            view.t(Text::More)
        )));
    }
    let detail = detail_height(body);
    lines.resize(body.height.saturating_sub(detail + 1).max(lines.len()), view.row());
    match state.list.selected() {
        Some(id) => lines.extend(card::below(view, id, width, detail)),
        None => lines.push(rule(view.row(), width)),
    }
    lines
}

/// What the filter says, in words: `trạm=HB07 · chỉ mục lỗi`.
pub(crate) fn filter_text(view: &View<'_>, state: &Signals) -> String {
    let filter = &state.filter;
    let mut parts = Vec::new();
    if let Some(station) = filter.station {
        parts.push(view.station(station).id.clone());
    }
    if let Some(reason) = filter.reason {
        parts.push(format!("{} {}", reason.mark(), short_reason(reason, view.lang)));
    }
    if filter.faults {
        parts.push(view.t(Text::FaultsOnly).to_owned());
    }
    parts.join(" · ")
}

fn title(view: &View<'_>, state: &Signals, find: &str, width: usize) -> Row {
    let shown = view.count(state.rows.len() as u64);
    let all = view.count(state.all as u64);
    let row = view.row().gap(1).put(Role::Strong, view.t(Text::Signals));
    let mut row = row.text(format!(" {shown} {} {all}", view.t(Text::Of)));
    let filter = filter_text(view, state);
    if !filter.is_empty() {
        row = row.text(format!(" · {}: ", view.t(Text::FilterIs))).put(Role::Strong, filter);
    }
    if !find.is_empty() {
        row = row.text(format!(" · {}: ", view.t(Text::FindIs))).put(Role::Strong, find);
    }
    let place = state.list.row() + usize::from(!state.rows.is_empty());
    let sort = view.t(state.sort.text());
    let right = format!("{} · {}: {sort} ", view.count(place as u64), view.t(Text::SortIs));
    row.ending(view.row().text(right), width)
}

/// The reasons that occur, with counts at the basis before they are chosen.
fn chips(view: &View<'_>, state: &Signals, width: usize) -> Row {
    let lead = format!(" {} {} ", view.t(Text::ReasonChips), view.centre(view.basis));
    let reasons = state.reasons();
    if reasons.is_empty() {
        return view.row().text(lead).text(view.t(Text::Nothing)).filled(width);
    }
    let row = reasons.into_iter().fold(view.row().text(lead), |row, (reason, n)| {
        let chosen = state.filter.reason == Some(reason);
        let role = if chosen { Role::Selected } else { role_of(reason) };
        let said = short_reason(reason, view.lang);
        let chip = format!("[{} {said} {}]", reason.mark(), view.count(n as u64));
        row.put(role, chip).gap(1)
    });
    row.filled(width)
}

fn table(view: &View<'_>, state: &Signals, width: usize) -> Table {
    let mut columns = Vec::new();
    if state.filter.station.is_none() {
        columns.push(Column::left(view.t(Text::StationsShort), 5));
    }
    columns.extend([
        Column::left(view.t(Text::ColBay), 6),
        Column::left(view.t(Text::ColSignal), 26).shrinks(12).grows(46),
        Column::left(view.t(Text::ColKind), 4).yields(3),
        Column::right(view.t(Text::ColValue), 12),
        Column::left(view.t(Text::ColQuality), 1),
        Column::right(view.t(Text::ColAge), 6),
    ]);
    let pair = view.pair();
    columns.extend(pair.iter().map(|centre| Column::left(view.centre(*centre), 11)));
    columns.push(Column::left(view.t(Text::ColSource), 9).yields(4));
    columns.push(Column::left(view.t(Text::ColSince), 10).yields(2));
    Table::new(view.theme, width, columns)
}

fn cells(view: &View<'_>, state: &Signals, id: SignalId) -> Vec<Cell> {
    let (station, point) = id;
    let of_station = view.station(station);
    let contract = &of_station.points[point.index()];
    let plain = |text: String| (Role::Plain, text);
    let mut cells = Vec::new();
    if state.filter.station.is_none() {
        cells.push(plain(of_station.id.clone()));
    }
    let shown = Shown::of(view, id);
    cells.extend([
        plain(of_station.bays[contract.bay].name.clone()),
        plain(contract.spec.name.get(view.lang).to_owned()),
        plain(view.t(kind(contract.spec.kind)).to_owned()),
        (if shown.mark.is_some() { Role::Doubt } else { Role::Plain }, shown.value),
        shown.mark.map_or_else(|| plain(String::new()), |mark| (Role::Doubt, mark.to_string())),
        plain(shown.age),
    ]);
    for centre in view.pair() {
        cells.push(verdict(view, id, centre));
    }
    let entry = &view.province().channel(station, reader(view, id)).entries[point.index()];
    cells.push(plain(explain::short_address(entry).unwrap_or_else(|| "–".to_owned())));
    let since = worst(view.snapshot, id).map_or_else(String::new, |point| view.since(point.since));
    cells.push(plain(since));
    cells
}

/// Mark and words of a verdict at a centre: blank where it is not required, a dot where it is good.
fn verdict(view: &View<'_>, (station, point): SignalId, centre: CentreId) -> Cell {
    let entry = &view.province().channel(station, centre).entries[point.index()];
    if !entry.required {
        let sent = entry.is_mapped();
        let said = if sent { view.t(Text::Optional) } else { "" };
        return (Role::Plain, said.to_owned());
    }
    let channel = view.snapshot.channel(station, centre);
    let link = channel.link.state;
    match channel.points[point.index()].verdict {
        Some(reason) if !channel.settled && !reason.is_structural() => {
            (Role::Plain, NOT_EVALUATED.to_owned())
        }
        Some(reason) => {
            (role_of(reason), format!("{} {}", reason.mark(), short_at(view, reason, link)))
        }
        None if entry.excluded.is_some() => (Role::Note, format!("x {}", view.t(Text::Excluded))),
        None => (Role::Plain, "·".to_owned()),
    }
}

/// Kind of a signal in a word.
pub(crate) fn kind(kind: PointKind) -> Text {
    match kind {
        PointKind::Measurement | PointKind::EventMeasurement | PointKind::CalculatedMeasurement => {
            Text::KindMeasurement
        }
        PointKind::SinglePoint | PointKind::DerivedStatus => Text::KindSingle,
        PointKind::DoublePoint => Text::KindDouble,
        PointKind::SingleCommand
        | PointKind::DoubleCommand
        | PointKind::StepCommand
        | PointKind::SetPoint => Text::KindCommand,
        PointKind::Counter => Text::KindCounter,
    }
}

/// Whether a row has the words in its names.
pub(crate) fn matches(view: &View<'_>, index: &Index, words: &Words, id: SignalId) -> bool {
    let (station, point) = id;
    let bay = view.station(station).points[point.index()].bay;
    index.point(words, station, bay, point)
}
