//! Screen 7, remote metering: which share of the meters that sell energy is read remotely, by
//! district, technology and station, against the target; and how far the counts can be trusted.

mod trust;

use config::Date;
use historian::counts::Share;
use historian::snapshot::{MeterGroupSnapshot, MeteringSnapshot, Reads};
use historian::verdict::Since;

use super::Body;
use super::boxes::{
    Against, against_target, coverage_percent, coverage_share, mark, metering_reached,
};
use crate::format::{self, NOT_EVALUATED};
use crate::list::List;
use crate::paint::{self, Row, beside, framed};
use crate::table::{Cell, Column, Table};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// By what meters are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum By {
    #[default]
    District,
    Class,
    Station,
}

impl By {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::District => Self::Class,
            Self::Class => Self::Station,
            Self::Station => Self::District,
        }
    }

    /// By what those are grouped that stand beside.
    fn beside(self) -> Self {
        if self == Self::Class { Self::District } else { Self::Class }
    }

    fn title(self) -> Text {
        match self {
            Self::District => Text::ByDistrict,
            Self::Class => Text::ByClass,
            Self::Station => Text::ByStation,
        }
    }

    fn head(self) -> Text {
        match self {
            Self::District => Text::ColDistrict,
            Self::Class => Text::ColClass,
            Self::Station => Text::ColStation,
        }
    }
}

/// How groups are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    #[default]
    Lowest,
    Short,
    Contract,
}

impl Sort {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Lowest => Self::Short,
            Self::Short => Self::Contract,
            Self::Contract => Self::Lowest,
        }
    }

    pub(crate) fn text(self) -> Text {
        match self {
            Self::Lowest => Text::SortLowest,
            Self::Short => Text::SortShort,
            Self::Contract => Text::SortContract,
        }
    }
}

/// Which figure of daily reading stands beside coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Measure {
    #[default]
    First,
    Final,
    Intervals,
    Minutes,
}

impl Measure {
    const ALL: [Self; 4] = [Self::First, Self::Final, Self::Intervals, Self::Minutes];

    pub(crate) fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    pub(crate) fn text(self) -> Text {
        match self {
            Self::First => Text::ReadFirst,
            Self::Final => Text::ReadFinal,
            Self::Intervals => Text::ReadIntervals,
            Self::Minutes => Text::ReadMinutes,
        }
    }

    fn head(self) -> Text {
        match self {
            Self::First => Text::ColFirst,
            Self::Final => Text::ColFinal,
            Self::Intervals => Text::ColIntervals,
            Self::Minutes => Text::ColMinutes,
        }
    }

    fn percent_head(self) -> Text {
        match self {
            Self::First => Text::ColFirstPercent,
            Self::Final => Text::ColFinalPercent,
            Self::Intervals => Text::ColIntervalsPercent,
            Self::Minutes => Text::ColMinutesPercent,
        }
    }

    fn of(self, reads: &Reads) -> Share {
        match self {
            Self::First => reads.first_pass,
            Self::Final => reads.final_pass,
            Self::Intervals => reads.intervals,
            Self::Minutes => reads.minutes,
        }
    }

    /// Meters of which nobody told for its day.
    fn not_heard(self, reads: &Reads) -> u64 {
        if self == Self::Final { reads.final_not_heard } else { reads.not_heard }
    }

    /// Meters of which it is told for its day, of all that should be.
    fn heard(self, reads: &Reads) -> Share {
        if self == Self::Final { reads.final_heard() } else { reads.heard() }
    }

    /// The day that it holds for.
    fn day(self, metering: &MeteringSnapshot) -> Option<Date> {
        if self == Self::Final { metering.final_day } else { metering.day }
    }
}

/// State of the screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metering {
    pub(crate) list: List<usize>,
    pub(crate) rows: Vec<usize>,
    pub(crate) by: By,
    pub(crate) measure: Measure,
    pub(crate) sort: Sort,
    pub(crate) faults: bool,
}

/// Least lines of the boxes at the bottom: what is said of reads and counts, in its frame.
const BOXES: usize = 11;
/// Rows of the list that the boxes leave it at least.
const LIST: usize = 8;
/// Lines at the bottom where there are no boxes.
const LINES: usize = 5;
/// Cells of a bar.
const BAR: usize = 22;

impl Metering {
    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        let groups = groups(view, self.by);
        let needed = |n: usize| {
            let target = view.province().targets.remote_metering;
            groups[n].share.needed(target).saturating_sub(groups[n].share.have)
        };
        let mut rows: Vec<usize> =
            (0..groups.len()).filter(|n| groups[*n].share.want > 0).collect();
        match self.sort {
            // As shares would sort, without dividing. What is outside the figure comes last.
            Sort::Lowest => rows.sort_by(|a, b| {
                let (a, b) = (&groups[*a], &groups[*b]);
                let (x, y) = (a.share.have * b.share.want, b.share.have * a.share.want);
                (!a.sold, x).cmp(&(!b.sold, y))
            }),
            Sort::Short => rows.sort_by_key(|n| std::cmp::Reverse(needed(*n))),
            Sort::Contract => {}
        }
        if self.faults {
            rows.retain(|n| groups[*n].sold && needed(*n) > 0);
        }
        self.rows = rows;
        self.list.settle(&self.rows, list_height(view, self, body));
    }

    /// What a row is called.
    pub(crate) fn name(&self, view: &View<'_>, row: usize) -> String {
        groups(view, self.by).get(row).map_or_else(String::new, |group| group.name.clone())
    }
}

fn has_boxes(body: Body) -> bool {
    body.is_wide() && body.height >= 22
}

/// Lines of the boxes at the bottom: all groups that stand there have a row, as long as the list above them
/// keeps enough.
fn boxes_height(view: &View<'_>, state: &Metering, body: Body) -> usize {
    let beside = groups(view, state.by.beside());
    let rows = beside.iter().filter(|group| group.share.want > 0).count();
    (rows + 3).min(body.height.saturating_sub(5 + LIST)).max(BOXES)
}

fn list_height(view: &View<'_>, state: &Metering, body: Body) -> usize {
    // Title, frame 2, head, total.
    let boxes = if has_boxes(body) { boxes_height(view, state, body) } else { LINES };
    body.height.saturating_sub(5 + boxes).max(1)
}

/// Meters of a district, a class or a station.
struct Group {
    name: String,
    share: Share,
    reads: Reads,
    uncounted: u64,
    sold: bool,
}

fn groups(view: &View<'_>, by: By) -> Vec<Group> {
    let (metering, province) = (&view.snapshot.metering, view.province());
    let (names, shares, reads): (Vec<String>, &[Share], &[Reads]) = match by {
        By::District => {
            let names = province.districts.iter().map(|d| d.name.get(view.lang).to_owned());
            (names.collect(), &metering.districts, &metering.district_reads)
        }
        By::Class => {
            let names = province.meter_classes.iter().map(|c| c.name.get(view.lang).to_owned());
            (names.collect(), &metering.classes, &metering.class_reads)
        }
        By::Station => {
            let names = province.station_ids().map(|id| view.station_name(id));
            (names.collect(), &metering.stations, &metering.station_reads)
        }
    };
    let mut groups: Vec<Group> = names
        .into_iter()
        .zip(shares.iter().zip(reads))
        .enumerate()
        .map(|(n, (name, (share, reads)))| {
            let sold = by != By::Class || province.meter_classes[n].sold;
            Group { name, share: *share, reads: *reads, uncounted: 0, sold }
        })
        .collect();
    for group in &metering.groups {
        let contract = contract(view, group);
        if group.proven.is_some() || (by != By::Class && !is_sold(view, group)) {
            continue;
        }
        let n = match by {
            By::District => contract.district,
            By::Class => contract.class,
            By::Station => group.station.index(),
        };
        groups[n].uncounted += u64::from(contract.installed);
    }
    groups
}

fn contract<'a>(view: &View<'a>, group: &MeterGroupSnapshot) -> &'a config::MeterGroup {
    &view.station(group.station).meters[group.group]
}

fn is_sold(view: &View<'_>, group: &MeterGroupSnapshot) -> bool {
    view.province().meter_classes[contract(view, group).class].sold
}

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Metering, body: Body) -> Vec<Row> {
    let mut lines = vec![title(view, body.width)];
    lines.extend(main_box(view, state, body));
    if has_boxes(body) {
        let height = boxes_height(view, state, body);
        let right = trust::least(view).max(body.width * 2 / 5);
        let classes = side_box(view, state, (body.width - right, height));
        lines.extend(beside(classes, trust::boxed(view, right, height)));
    } else {
        let mut texts = trust::lines(view, body.width);
        fit(view, &mut texts, LINES, " ");
        lines.extend(texts);
    }
    lines
}

fn title(view: &View<'_>, width: usize) -> Row {
    let metering = &view.snapshot.metering;
    let target = view.province().targets.remote_metering;
    let percent = coverage_percent(view, (metering.total, metering.uncounted), 2);
    let said = coverage_share(view, metering.total, metering.uncounted);
    let (role, mark) = mark(metering_reached(view));
    let row = view
        .row()
        .gap(1)
        .put(Role::Strong, view.t(Text::Metering))
        .text(" ")
        .put(Role::Strong, said)
        .text(format!(" = {percent} % · {} ", view.t(Text::Target)))
        .text(format!("{} % = ", format::target(target, view.lang)))
        .text(format!("{} ", view.count(metering.total.needed(target))))
        .put(role, mark)
        .text(format!(" {}", against_target(view, metering.total, metering.uncounted)));
    let hint = view.t(if width < 96 { Text::GroupHint } else { Text::ReadsHint });
    // The line of keys has it, too.
    let fits = row.width() + 2 + paint::width(hint) <= width;
    let right = if fits { view.row().text(format!("{hint} ")) } else { view.row() };
    row.ending(right, width)
}

fn main_box(view: &View<'_>, state: &Metering, body: Body) -> Vec<Row> {
    let groups = groups(view, state.by);
    let table = table(view, state, &groups, body.width - 2);
    let mut lines = vec![table.head()];
    let height = list_height(view, state, body);
    let rows = state.rows.iter().skip(state.list.top()).take(height);
    lines.extend(rows.map(|n| {
        table.row(&cells(view, &groups[*n], state.measure), state.list.selected() == Some(*n))
    }));
    lines.resize(height + 1, view.row());
    lines.push(table.row(&total_cells(view, state.measure), false));
    let title = view.row().put(Role::Strong, view.t(state.by.title()));
    let mut sort = format!(" — {}", view.t(state.sort.text()));
    if state.rows.len() > height {
        let at = state.list.selected().and_then(|own| state.rows.iter().position(|n| *n == own));
        sort = format!("{sort} · {}/{}", at.map_or(0, |n| n + 1), state.rows.len());
    }
    let target = format::target(view.province().targets.remote_metering, view.lang);
    let day = day_text(view, state.measure);
    let read = format!("{} {} {day}", view.t(state.measure.head()), view.t(Text::ForDay));
    let key = if table.width(5) > 0 { format!(" ┃ = {target} %") } else { String::new() };
    framed(title.text(sort), view.row().text(read + &key), lines, body.width)
}

/// Cells that the longest name takes.
fn longest_name(groups: &[Group]) -> usize {
    groups.iter().map(|group| paint::width(&group.name)).max().unwrap_or(0)
}

/// What was read, as wide as all of it.
fn read_column(view: &View<'_>, measure: Measure) -> Column {
    let all = read_count(view, measure.of(&view.snapshot.metering.reads));
    Column::right(view.t(measure.head()), paint::width(&all).max(9)).yields(1)
}

fn table(view: &View<'_>, state: &Metering, groups: &[Group], width: usize) -> Table {
    let mut columns = vec![
        Column::left(view.t(state.by.head()), longest_name(groups).max(18)).shrinks(14).grows(44),
        Column::right(view.t(Text::ColTotal), 7),
        Column::right(view.t(Text::ColRemote), paint::width(view.t(Text::ColRemote)).max(7)),
        Column::right(view.t(Text::ColPercent), 5),
        Column::left("", 1),
        Column::left(view.t(Text::ColAgainst), BAR).yields(3),
        Column::right(view.t(Text::ColShort), 9),
        read_column(view, state.measure),
        Column::right(view.t(Text::ColPercent), 5).yields(2),
    ];
    if view.snapshot.metering.uncounted > 0 {
        let head = view.t(Text::Uncounted);
        columns.push(Column::right(head, paint::width(head)));
    }
    if has_not_heard(view, state.measure) {
        let head = view.t(Text::NotHeard);
        columns.push(Column::right(head, paint::width(head)).yields(2));
    }
    Table::new(view.theme, width, columns)
}

/// Whether for the day of a measure anybody was not heard beside those that were never counted: then it is said how
/// many.
fn has_not_heard(view: &View<'_>, measure: Measure) -> bool {
    let metering = &view.snapshot.metering;
    measure.not_heard(&metering.reads) > metering.uncounted
}

/// What was not counted, and of whom nobody told: each has a column where there are any.
fn unknown(view: &View<'_>, measure: Measure, uncounted: u64, reads: &Reads) -> Vec<Cell> {
    let said = |n: u64| match n {
        0 => (Role::Plain, "·".to_owned()),
        n => (Role::Doubt, view.count(n)),
    };
    let mut cells = Vec::new();
    if view.snapshot.metering.uncounted > 0 {
        cells.push(said(uncounted));
    }
    if has_not_heard(view, measure) {
        cells.push(said(measure.not_heard(reads)));
    }
    cells
}

/// Which share was read, per cent: at least so much where some meters were not heard, all of which may have been read.
/// How many half hours and minutes those should have is not told: there it is the share of the others.
fn read_percent(view: &View<'_>, measure: Measure, reads: &Reads) -> String {
    let (read, not_heard) = (measure.of(reads), measure.not_heard(reads));
    let digits = |share: Share| format::percent_digits(share, 1, None, view.lang);
    match measure {
        Measure::First | Measure::Final if not_heard > 0 && read.want > 0 => {
            format!("≥{}", digits(Share::new(read.have, measure.heard(reads).want)))
        }
        _ => digits(read),
    }
}

fn cells(view: &View<'_>, group: &Group, measure: Measure) -> Vec<Cell> {
    let target = view.province().targets.remote_metering;
    let share = group.share;
    let at_best = Share::new(share.have + group.uncounted, share.want);
    let verdict = match (share.reaches(target), at_best.reaches(target)) {
        (Some(false), Some(true)) => None,
        (verdict, _) => verdict,
    };
    let (role, mark) = mark(verdict);
    let short = share.needed(target).saturating_sub(share.have);
    let plain = |text: String| (Role::Plain, text);
    let read = measure.of(&group.reads);
    let is_unknown = group.uncounted > 0 && group.uncounted >= share.want;
    if !group.sold {
        let mut cells = vec![
            plain(group.name.clone()),
            plain(view.count(share.want)),
            plain(counted(view, share, group.uncounted)),
            plain(coverage_percent(view, (share, group.uncounted), 1)),
            plain(String::new()),
            plain(String::new()),
            (Role::Note, view.t(Text::SellsNothing).to_owned()),
            plain(read_count(view, read)),
            plain(read_percent(view, measure, &group.reads)),
        ];
        cells.extend(unknown(view, measure, group.uncounted, &group.reads));
        return cells;
    }
    let mut cells = vec![
        plain(group.name.clone()),
        plain(view.count(share.want)),
        plain(counted(view, share, group.uncounted)),
        plain(coverage_percent(view, (share, group.uncounted), 1)),
        (role, mark.to_owned()),
        plain(if is_unknown { String::new() } else { bar(share, target) }),
        // How many are short is not known while some are not counted.
        if short > 0 && group.uncounted > 0 {
            plain(NOT_EVALUATED.to_owned())
        } else if short > 0 {
            (role, view.count(short))
        } else {
            plain("·".to_owned())
        },
        plain(read_count(view, read)),
        plain(read_percent(view, measure, &group.reads)),
    ];
    cells.extend(unknown(view, measure, group.uncounted, &group.reads));
    cells
}

/// Meters with a proven channel; nothing is known where none was counted.
fn counted(view: &View<'_>, share: Share, uncounted: u64) -> String {
    if uncounted > 0 && uncounted >= share.want { "—".to_owned() } else { view.count(share.have) }
}

/// How daily reading goes over the province, line by line.
pub(crate) fn read_lines(view: &View<'_>, width: usize) -> Vec<Row> {
    let mut lines = Measure::ALL.map(|measure| trust::read_line(view, measure, width)).to_vec();
    lines.extend(trust::followed(view, width));
    lines
}

/// The day that a figure holds for: `22/11`.
fn day_text(view: &View<'_>, measure: Measure) -> String {
    let day = measure.day(&view.snapshot.metering);
    day.map_or_else(|| "—".to_owned(), |day| view.moment().since(Since::Day(day)))
}

/// Those that were read; nothing is known where nothing was to be read.
fn read_count(view: &View<'_>, read: Share) -> String {
    if read.want > 0 { view.count(read.have) } else { "—".to_owned() }
}

fn total_cells(view: &View<'_>, measure: Measure) -> Vec<Cell> {
    let metering = &view.snapshot.metering;
    let target = view.province().targets.remote_metering;
    let (role, mark) = mark(metering_reached(view));
    let strong = |text: String| (Role::Strong, text);
    let read = measure.of(&metering.reads);
    let mut cells = vec![
        strong(view.t(Text::WholeProvince).to_owned()),
        strong(view.count(metering.total.want)),
        strong(counted(view, metering.total, metering.uncounted)),
        strong(coverage_percent(view, (metering.total, metering.uncounted), 1)),
        (role, mark.to_owned()),
        strong(bar(metering.total, target)),
        (role, over(view, metering.total, metering.uncounted)),
        strong(read_count(view, read)),
        strong(read_percent(view, measure, &metering.reads)),
    ];
    cells.extend(unknown(view, measure, metering.uncounted, &metering.reads));
    cells
}

/// By how many meters the province is short of its target, or over it, with a sign; not known while some that
/// could decide it are not counted.
fn over(view: &View<'_>, share: Share, uncounted: u64) -> String {
    match Against::target(view, share, uncounted) {
        Against::Ahead(more) => format!("+{}", view.count(more)),
        Against::Short(lacking) => view.count(lacking),
        Against::Open => NOT_EVALUATED.to_owned(),
    }
}

/// A bar with a mark at the target: the mark is passed only when the target is reached.
fn bar(share: Share, target: f64) -> String {
    let cells = BAR as u64;
    let reached = share.reaches(target) == Some(true);
    let at = usize::try_from(Share::new(0, cells - 1).needed(target)).unwrap_or(BAR - 1);
    let length = (share.have * (cells - 1)).checked_div(share.want).unwrap_or(0);
    let length = usize::try_from(length).unwrap_or(BAR);
    let length = if reached { length.max(at) } else { length.min(at.saturating_sub(1)) };
    // The mark takes a cell of its own.
    let before: String = (0..at).map(|n| if n < length { '█' } else { '·' }).collect();
    let after: String = (at..BAR - 1).map(|n| if n < length { '█' } else { '·' }).collect();
    format!("{before}┃{after}")
}

/// Meters by another grouping, in short. What sells nothing has a mark, which the frame explains: colour alone
/// says nothing.
fn side_box(view: &View<'_>, state: &Metering, (width, height): (usize, usize)) -> Vec<Row> {
    let (by, measure) = (state.by.beside(), state.measure);
    let groups = groups(view, by);
    let columns = vec![
        Column::left(view.t(by.head()), longest_name(&groups)).shrinks(14).grows(44),
        Column::right(view.t(Text::ColRemote), 8),
        read_column(view, measure),
        Column::right(view.t(measure.percent_head()), 8),
    ];
    let table = Table::new(view.theme, width - 2, columns);
    let mut lines = vec![table.head()];
    lines.extend(groups.iter().filter(|group| group.share.want > 0).map(|group| {
        let role = if group.sold { Role::Plain } else { Role::Note };
        let cells = [
            (role, group.name.clone()),
            (role, counted(view, group.share, group.uncounted)),
            (role, read_count(view, measure.of(&group.reads))),
            (role, format::percent_digits(measure.of(&group.reads), 1, None, view.lang)),
        ];
        if group.sold { table.row(&cells, false) } else { table.marked(&cells, UNSOLD) }
    }));
    fit(view, &mut lines, height - 2, "  ");
    let unsold = groups.iter().any(|group| !group.sold && group.share.want > 0);
    let key =
        if unsold { format!("{UNSOLD} {}", view.t(Text::SellsNothing)) } else { String::new() };
    framed(view.row().put(Role::Strong, view.t(by.title())), view.row().text(key), lines, width)
}

/// Stands before the name of a class that sells nothing.
const UNSOLD: &str = "*";

/// Makes lines fill `room` exactly; what does not fit is counted in the last one.
fn fit(view: &View<'_>, lines: &mut Vec<Row>, room: usize, indent: &str) {
    if lines.len() > room {
        let hidden = lines.len() - room + 1;
        lines.truncate(room - 1);
        lines.push(view.row().text(format!("{indent}… {hidden} {}", view.t(Text::More))));
    }
    lines.resize(room, view.row());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_passes_the_mark_only_when_the_target_is_reached() {
        let at = |share: Share| bar(share, 74.2);
        let mark = at(Share::new(0, 100)).chars().position(|c| c == '┃').unwrap();
        for have in 0..=1_000 {
            let share = Share::new(have, 1_000);
            let cells: Vec<char> = at(share).chars().collect();
            assert_eq!(cells.len(), BAR);
            let touches = cells[mark - 1] == '█';
            assert_eq!(touches, share.reaches(74.2) == Some(true), "{have}");
        }
    }
}
