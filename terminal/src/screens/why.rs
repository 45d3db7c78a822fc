//! The Why screen: what a station lacks, since when and why; what would make it full; what was
//! checked and ruled out; what is wrong right now.

mod remedy;

use config::{CentreId, StationId};
use historian::counts::Share;
use historian::snapshot::Full;

use super::overview::scanning;
use super::{Body, exclusions, unmanned};
use crate::attention::{role_of, short_of};
use crate::evidence;
use crate::format;
use crate::issues::{self, Issue, IssueId, Scope};
use crate::list::List;
use crate::paint::{Row, Side, rule, text_of, wrap};
use crate::places::{Form, places};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// State of the screen.
#[derive(Debug, Clone)]
pub(crate) struct Why {
    pub(crate) station: StationId,
    pub(crate) list: List<IssueId>,
    pub(crate) rows: Vec<IssueId>,
    /// First line of the document that is shown.
    top: usize,
}

impl Why {
    pub(crate) fn new(station: StationId) -> Self {
        Self { station, list: List::default(), rows: Vec::new(), top: 0 }
    }

    /// With a line selected, as soon as it is there.
    pub(crate) fn at(station: StationId, line: Option<IssueId>) -> Self {
        let list = line.map_or_else(List::default, List::at);
        Self { list, ..Self::new(station) }
    }

    /// Takes over what there is to show.
    pub(crate) fn settle(&mut self, view: &View<'_>, body: Body) {
        let lines = issues::of_station(view.snapshot, self.station);
        self.rows = lines.iter().map(|line| line.id).collect();
        // Pages are pages of the document, where a line may take several rows.
        self.list.settle(&self.rows, body.height / 2);
        let document = document(view, self.station, body.width, self.list.selected());
        let (room, all) = (body.height.saturating_sub(HEAD), document.lines.len());
        self.top = self.top.min(all.saturating_sub(room));
        if let Some((first, last)) = document.selected {
            // The head of the table stays in sight with its first line.
            let first = if self.list.row() == 0 { 0 } else { first };
            self.top = self.top.min(first).max((last + 1).saturating_sub(room));
        }
    }
}

/// Lines above the document: title and rule.
const HEAD: usize = 2;

/// The screen.
pub(crate) fn draw(view: &View<'_>, state: &Why, body: Body) -> Vec<Row> {
    let document = document(view, state.station, body.width, state.list.selected());
    let hints = [Text::EscClose, Text::EnterSignals, Text::CopyHint].map(|text| view.t(text));
    let hidden = document.lines.len().saturating_sub(state.top + body.height - HEAD);
    let more =
        if hidden > 0 { format!("↓ {hidden} {} · ", view.t(Text::More)) } else { String::new() };
    let right = view.row().text(format!("{more}{} ", hints.join(" · ")));
    let mut lines = vec![title(view, state.station).ending(right, body.width)];
    lines.push(rule(view.row(), body.width));
    lines.extend(document.lines.into_iter().skip(state.top).take(body.height - HEAD));
    lines
}

fn title(view: &View<'_>, station: StationId) -> Row {
    let full = view.snapshot.site(station).full == Full::Full;
    let verdict = view.t(if full { Text::WhyFull } else { Text::WhyNotFull });
    view.row()
        .gap(1)
        .put(Role::Strong, view.station_name(station))
        .text(" — ")
        .put(if full { Role::Plain } else { Role::Fail }, verdict)
}

/// The text of the screen, for the clipboard and for pipes.
pub(crate) fn plain(view: &View<'_>, station: StationId, width: usize) -> String {
    let rows = [title(view, station)].into_iter().chain(document(view, station, width, None).lines);
    let lines = rows.map(|row| crate::paint::text_of(&row.line()).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Everything there is to say of a station.
pub(crate) struct Document {
    pub(crate) lines: Vec<Row>,
    /// First and last line of the selected issue.
    selected: Option<(usize, usize)>,
}

pub(crate) fn document(
    view: &View<'_>,
    station: StationId,
    width: usize,
    selected: Option<IssueId>,
) -> Document {
    let mut lines = summaries(view, station, width);
    // Who works in a plant is no matter of the contract.
    if view.station(station).plant.is_none() {
        let unmanned = text_of(&unmanned::of_station(view, station, usize::MAX).line());
        lines.extend(
            wrap(unmanned.trim(), width - 2).into_iter().map(|line| view.row().gap(1).text(line)),
        );
    }
    lines.extend(exclusions::of_station(view, station));
    let mut document = Document { lines, selected: None };
    let structural = issues::structural(view.snapshot, station);
    let live = issues::live(view.snapshot, station);
    document.lines.push(view.row());
    if structural.is_empty() {
        document.lines.push(view.row().text(format!("   {}", view.t(Text::AllPresent))));
    } else {
        document.table(view, station, width, &structural, selected);
        document.lines.push(view.row());
        document.section(view, Text::WhyRemedy, width);
        document.lines.extend(remedy::steps(view, station, &structural, width));
    }
    if !view.settled(station) {
        document.lines.push(view.row());
        document.lines.push(scanning(view));
    }
    if !live.is_empty() {
        document.lines.push(view.row());
        document.section(view, Text::WhyNow, width);
        document.table(view, station, width, &live, selected);
    }
    document.lines.push(view.row());
    document.section(view, Text::WhyNotCause, width);
    document.lines.extend(remedy::ruled_out(view, station, width));
    document
}

/// `tại A1 191/199 đủ = 95,98 %  2 chưa có · 6 chưa E2E`, for each centre.
fn summaries(view: &View<'_>, station: StationId, width: usize) -> Vec<Row> {
    let each = view.centres().into_iter().map(|centre| {
        let counts = &view.snapshot.channel(station, centre).counts;
        let full = Share::new(counts.tested, counts.required);
        let row = view.row().text(format!(" {} {}  ", view.t(Text::At), view.centre(centre)));
        let row = row.put(Role::Strong, view.share(full));
        let row = row.text(format!(
            " {} = {} %",
            view.t(Text::IsFull),
            format::percent_digits(full, 2, None, view.lang)
        ));
        let lacks = format!(
            "   {} {} · {} {}",
            view.count(counts.missing()),
            view.t(Text::MissingWord),
            view.count(counts.untested()),
            view.t(Text::UntestedWord)
        );
        if full.lacking() > 0 { row.put(Role::Fail, lacks) } else { row.text(" ✓") }
    });
    let each: Vec<Row> = each.collect();
    let side_by_side = each.iter().map(Row::width).sum::<usize>() + 4 * each.len() <= width;
    if !side_by_side {
        return each;
    }
    let joined = each.into_iter().reduce(|left, right| left.gap(4).join(right));
    joined.into_iter().collect()
}

impl Document {
    fn section(&mut self, view: &View<'_>, title: Text, width: usize) {
        self.lines.push(rule(view.row().put(Role::Strong, view.t(title)), width));
    }

    /// Issues as a table; where it is narrow, place and proof stand below each.
    fn table(
        &mut self,
        view: &View<'_>,
        station: StationId,
        width: usize,
        issues: &[Issue],
        selected: Option<IssueId>,
    ) {
        self.lines.push(head(view, width));
        for line in issues {
            let chosen = selected == Some(line.id);
            let rows = line_rows(view, station, line, width);
            let first = self.lines.len();
            self.lines.extend(rows.into_iter().enumerate().map(|(n, row)| {
                let mark = if chosen && n == 0 { "▸" } else { " " };
                let row = view.row().text(mark).join(row).filled(width);
                if chosen { row.selected() } else { row }
            }));
            if chosen {
                self.selected = Some((first, self.lines.len() - 1));
            }
        }
    }
}

/// Widths of the columns place and proof; `None` where they stand below.
fn columns(width: usize) -> Option<(usize, usize)> {
    let rest = width.checked_sub(FIXED + 1)?;
    (rest >= 52).then(|| {
        let places = (rest / 2).min(60);
        (places, rest - places)
    })
}

const FIXED: usize = 1 + 4 + 1 + 12 + 1 + 8 + 1 + 10 + 1;

fn fixed(view: &View<'_>, n: &str, (role, reason): (Role, &str), at: &str) -> Row {
    view.row()
        .cell(Role::Plain, n, 4, Side::Right)
        .gap(1)
        .cell(role, reason, 12, Side::Left)
        .gap(1)
        .cell(Role::Plain, at, 8, Side::Left)
        .gap(1)
}

fn head(view: &View<'_>, width: usize) -> Row {
    let reason = (Role::Strong, view.t(Text::ColReason));
    let row =
        view.row().gap(1).join(fixed(view, view.t(Text::ColCount), reason, view.t(Text::ColAt)));
    let since = view.t(Text::ColSince);
    let Some((places, proof)) = columns(width) else {
        return row.cell(Role::Plain, since, 10, Side::Left);
    };
    row.cell(Role::Plain, view.t(Text::ColWhere), places, Side::Left)
        .cell(Role::Plain, since, 10, Side::Left)
        .gap(1)
        .cell(Role::Plain, view.t(Text::ColEvidence), proof, Side::Left)
}

fn line_rows(view: &View<'_>, station: StationId, line: &Issue, width: usize) -> Vec<Row> {
    let reason = line.reason();
    let link = view.snapshot.channel(station, line.centres[0]).link.state;
    let said = format!("{} {}", reason.mark(), short_of(view, line, link));
    let at: Vec<&str> = ordered(view, &line.centres).map(|centre| view.centre(centre)).collect();
    let n = view.count(line.counts.iter().max().copied().unwrap_or(0) as u64);
    let first = fixed(view, &n, (role_of(reason), &said), &at.join(" "));
    let where_ = place(view, station, line);
    let proof = evidence::of_line(view, station, line);
    // Signals of one cause may lack since several moments: the first and the last of them stand there.
    let (first_since, last) = (view.since(line.since), view.since(line.last_since));
    let moments =
        if last == first_since { vec![last] } else { vec![first_since, format!("–{last}")] };
    let Some((places, proofs)) = columns(width) else {
        let below = [where_, proof].into_iter().filter(|text| !text.is_empty());
        let below = below.flat_map(|text| wrap(&text, width - 8));
        let below = below.map(|text| view.row().gap(6).text(text));
        let exactly = |since| view.moment().since_exactly(since);
        let (from, to) = (exactly(line.since), exactly(line.last_since));
        let span = if to == from { to } else { format!("{from} – {to}") };
        let first = first.cell(Role::Plain, &span, 20.max(span.chars().count()), Side::Left);
        return [first].into_iter().chain(below).collect();
    };
    // Of a moment on another day the hour stands before what proves it.
    let parts = [hours(view, line), proof].into_iter().filter(|part| !part.is_empty());
    let proof = parts.collect::<Vec<_>>().join(" · ");
    let (where_, proof) = (wrap(&where_, places - 1), wrap(&proof, proofs));
    let blank = view.row().gap(FIXED - 12);
    (0..where_.len().max(proof.len()).max(moments.len()))
        .map(|n| {
            let start = if n == 0 { first.clone() } else { blank.clone() };
            let since = moments.get(n).map_or("", String::as_str);
            start
                .cell(Role::Plain, where_.get(n).map_or("", String::as_str), places, Side::Left)
                .cell(Role::Plain, since, 10, Side::Left)
                .gap(1)
                .cell(Role::Plain, proof.get(n).map_or("", String::as_str), proofs, Side::Left)
        })
        .collect()
}

/// The time of day of moments on another day, of which the column has no more than the day.
fn hours(view: &View<'_>, line: &Issue) -> String {
    let [first, last] = [line.since, line.last_since].map(|since| {
        let exactly = view.moment().since_exactly(since);
        let hour = exactly.strip_prefix(&view.since(since)).unwrap_or_default();
        hour.trim().to_owned()
    });
    if last.is_empty() || last == first { first } else { format!("{first} – {last}") }
}

/// An issue in one line, for screens that have few.
pub(crate) fn brief(view: &View<'_>, station: StationId, line: &Issue, width: usize) -> Row {
    let reason = line.reason();
    let link = view.snapshot.channel(station, line.centres[0]).link.state;
    let said = format!("{} {}", reason.mark(), short_of(view, line, link));
    let at: Vec<&str> = ordered(view, &line.centres).map(|centre| view.centre(centre)).collect();
    let n = view.count(line.counts.iter().max().copied().unwrap_or(0) as u64);
    let row = fixed(view, &n, (role_of(reason), &said), &at.join(" "));
    let where_ = place(view, station, line);
    // The first moment, and that others came later.
    let (since, last) = (view.since(line.since), view.since(line.last_since));
    let since = if last == since { since } else { format!("{since}…") };
    let Some((places, proofs)) = columns(width + 1) else {
        let room = width.saturating_sub(FIXED);
        return row.cell(Role::Plain, &where_, room, Side::Left).gap(1).cell(
            Role::Plain,
            &since,
            10,
            Side::Right,
        );
    };
    let proof = evidence::of_line(view, station, line);
    row.cell(Role::Plain, &where_, places - 1, Side::Left)
        .gap(1)
        .cell(Role::Plain, &since, 10, Side::Left)
        .gap(1)
        .cell(Role::Plain, &proof, proofs, Side::Left)
}

/// Where the signals of a line are.
fn place(view: &View<'_>, station: StationId, line: &Issue) -> String {
    let place = match line.id.scope {
        Scope::Link => view.t(Text::WholeStation).to_owned(),
        Scope::Unit(_) | Scope::Bay(_) | Scope::Contract(..) => {
            places(view.station(station), &line.points, Form::Full, view.lang)
        }
    };
    if line.counts.iter().all(|count| Some(count) == line.counts.first()) {
        return place;
    }
    // Each centre lacks its own number of them.
    let each = ordered(view, &line.centres).map(|centre| {
        format!("{} {}", view.centre(centre), view.count(line.count_at(centre) as u64))
    });
    format!("{}: {place}", each.collect::<Vec<_>>().join(" · "))
}

/// Centres in the order of columns.
fn ordered(view: &View<'_>, centres: &[CentreId]) -> impl Iterator<Item = CentreId> {
    let centres = centres.to_vec();
    view.centres().into_iter().filter(move |centre| centres.contains(centre))
}
