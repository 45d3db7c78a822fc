//! Signals that fall short, one by one, and those that are left out with approval.

use config::{Cause, Entry, PointId, Standing};
use historian::verdict::{Reason, Since};
use words::texts::Text;

use super::{text, titled};
use crate::facts::{ChannelFacts, Facts};
use crate::sheets::{Cell, Holds, Mark, Sheet, SheetColumn, SheetPart, Table};

/// Rows of signals that were not live at the end of the period; a lost station alone has hundreds.
const NOT_LIVE_MAX: usize = 500;

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut parts = vec![SheetPart::Table(structural(facts))];
    parts.extend(priority_a(facts).map(SheetPart::Table));
    let (table, left) = not_live(facts);
    parts.push(SheetPart::Table(table));
    if left > 0 {
        let n = words::format::count(left as u64, facts.lang);
        parts.push(words.note(&format!("Còn {n} dòng khác."), &format!("And {n} more rows.")));
    }
    parts.push(words.note(
        "Không sống cuối kỳ: '≤' là đã như vậy từ lúc đó hoặc trước nữa: từ trước đầu kỳ, trước khi bắt đầu giám sát, \
         hoặc trong lúc không đọc được tín hiệu.",
        "Not live at the end of the period: '≤' is so since then or before: since before the period, since before \
         anybody watched, or while the signal could not be read.",
    ));
    titled("missing", words.say("Tín hiệu thiếu", "Missing signals"), parts)
}

/// Id, name and template of a point: how rows of a signal go on.
fn of_point(facts: &Facts, channel: &ChannelFacts, point: PointId) -> Vec<Cell> {
    let station = facts.station(facts.channel(channel.id));
    let point = &station.points[point.index()];
    let bay = &station.bays[point.bay];
    let mut row = facts.heads(channel).to_vec();
    row.extend([
        text(&bay.name),
        text(&bay.template),
        text(&point.spec.id),
        text(point.spec.name.get(facts.lang)),
    ]);
    row
}

fn point_columns(facts: &Facts) -> Vec<SheetColumn> {
    let words = facts.words();
    let mut columns = facts.head_columns();
    columns.extend([
        words.column("bay", "Ngăn", "Bay", 8),
        words.column("template", "Mẫu", "Template", 9),
        words.column("signal", "Tín hiệu", "Signal", 12),
        words.column("signal_name", "Tên tín hiệu", "Signal name", 34),
    ]);
    columns
}

fn structural(facts: &Facts) -> Table {
    let words = facts.words();
    let mut columns = point_columns(facts);
    columns.extend([
        words.column("reason", "Lý do", "Reason", 24),
        words.column("since", "Từ ngày", "Since", 11),
        words.column("why", "Nguyên nhân", "Cause", 34),
    ]);
    let mut rows = Vec::new();
    for channel in &facts.channels {
        let entries = facts.channel(channel.id).entries.iter().enumerate();
        for (n, entry) in entries.filter(|(_, entry)| entry.required) {
            let Some((reason, cause)) = issue(entry) else { continue };
            let mut row = of_point(facts, channel, PointId::at(n));
            row.push(Cell::Verdict(Mark::Bad, reason.text(facts.lang).to_owned()));
            row.extend(since_and_why(facts, cause));
            rows.push(row);
        }
    }
    Table {
        id: "missing",
        caption: words.say("Thiếu hoặc chưa thí nghiệm", "Missing or untested"),
        columns,
        rows,
        total: None,
    }
}

fn issue(entry: &Entry) -> Option<(Reason, &Cause)> {
    match &entry.standing {
        Standing::Absent(cause) => Some((Reason::NotInDatabase, cause)),
        Standing::Untested(cause) => Some((Reason::NoE2eRecord, cause)),
        Standing::Elsewhere | Standing::Tested(_) => None,
    }
}

fn since_and_why(facts: &Facts, cause: &Cause) -> [Cell; 2] {
    let always = || Cell::Text(Text::Always.get(facts.lang).to_owned());
    [cause.since.map_or_else(always, Cell::Day), text(cause.text(facts.lang))]
}

/// Every signal of priority A that was not live at the centre in charge, and for how long; nothing when all were.
/// Those of a bay that were so for as long stand in one row.
fn priority_a(facts: &Facts) -> Option<Table> {
    let words = facts.words();
    let mut columns = facts.head_columns();
    columns.extend([
        words.column("bay", "Ngăn", "Bay", 8),
        words.column("count", "Số tín hiệu", "Signals", 9),
        words.column("signals", "Tín hiệu", "Signals by name", 60),
        words
            .column("not_live", "Không sống, mỗi tín hiệu", "Not live, each", 12)
            .holding(Holds::Times),
    ]);
    let mut rows = Vec::new();
    for channel in &facts.channels {
        let contract = facts.channel(channel.id);
        let station = facts.station(contract);
        if contract.centre != station.in_charge {
            continue;
        }
        let mut groups: Vec<(usize, i64, Vec<PointId>)> = Vec::new();
        for (point, ms) in facts.operation(contract.station).lost {
            let bay = station.points[point.index()].bay;
            match groups.iter_mut().find(|group| (group.0, group.1) == (bay, ms)) {
                Some((.., points)) => points.push(point),
                None => groups.push((bay, ms, vec![point])),
            }
        }
        for (bay, ms, points) in groups {
            let names = points.iter().map(|point| &station.points[point.index()].spec.id[..]);
            let mut row = facts.heads(channel).to_vec();
            row.extend([
                text(&station.bays[bay].name),
                Cell::Count(points.len() as u64),
                text(&names.collect::<Vec<_>>().join(", ")),
                Cell::Duration(ms),
            ]);
            rows.push(row);
        }
    }
    (!rows.is_empty()).then(|| Table {
        id: "priority_a",
        caption: words.say(
            "Tín hiệu ưu tiên A không sống tại trung tâm điều khiển, lâu nhất trước",
            "Priority A signals that were not live at the centre in charge, the longest first",
        ),
        columns,
        rows,
        total: None,
    })
}

/// Signals of a bay that are not live for one reason since one moment: one row tells of more than
/// so many.
const SINGLE_MAX: usize = 3;

/// What was not live at the end of what was observed, and how many rows more there are. Signals of
/// a bay with one reason since one moment have one cause, and one row.
fn not_live(facts: &Facts) -> (Table, usize) {
    let words = facts.words();
    let mut columns = point_columns(facts);
    columns.extend([
        words.column("count", "Số tín hiệu", "Signals", 9),
        words.column("reason", "Lý do", "Reason", 24),
        words.column("since", "Từ", "Since", 18).holding(Holds::Since),
    ]);
    let mut rows = Vec::new();
    for channel in &facts.channels {
        let station = facts.station(facts.channel(channel.id));
        let entries = facts.channel(channel.id).entries.iter().enumerate();
        let mut groups: Vec<(usize, Reason, Since, Vec<PointId>)> = Vec::new();
        for (n, _) in entries.filter(|(_, entry)| entry.required && entry.excluded.is_none()) {
            let Some((state, since)) = channel.last(PointId::at(n)) else { continue };
            let Some(reason) = state.not_live().filter(|reason| !reason.is_structural()) else {
                continue;
            };
            let bay = station.points[n].bay;
            let same = |group: &&mut (usize, Reason, Since, Vec<PointId>)| {
                (group.0, group.1, group.2) == (bay, reason, since)
            };
            match groups.iter_mut().find(same) {
                Some((.., points)) => points.push(PointId::at(n)),
                None => groups.push((bay, reason, since, vec![PointId::at(n)])),
            }
        }
        for (_, reason, since, points) in groups {
            let is_many = points.len() > SINGLE_MAX;
            let count = if is_many { points.len() as u64 } else { 1 };
            for point in points.into_iter().take(if is_many { 1 } else { SINGLE_MAX }) {
                let mut row = of_point(facts, channel, point);
                if is_many {
                    let name = words.say(
                        &format!("{count} tín hiệu của ngăn"),
                        &format!("{count} signals of the bay"),
                    );
                    let end = row.len();
                    row[end - 2..].clone_from_slice(&[Cell::Empty, Cell::Text(name)]);
                }
                row.push(Cell::Count(count));
                row.push(Cell::Verdict(Mark::Bad, reason.text(facts.lang).to_owned()));
                row.push(Cell::Since(since));
                rows.push(row);
            }
        }
    }
    let left = rows.len().saturating_sub(NOT_LIVE_MAX);
    rows.truncate(NOT_LIVE_MAX);
    let table = Table {
        id: "not_live",
        caption: words.say("Không sống cuối kỳ", "Not live at the end of the period"),
        columns,
        rows,
        total: None,
    };
    (table, left)
}

/// What is left out of the live figures with approval.
pub(super) fn exclusions(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut columns = point_columns(facts);
    columns.extend([
        words.column("since", "Từ ngày", "Since", 11),
        words.column("why", "Lý do, cấp duyệt", "Why, approved by", 40),
        words.column("raw", "Sống, nếu không loại trừ", "Live, were it not excluded", 14),
    ]);
    let mut rows = Vec::new();
    for channel in &facts.channels {
        let entries = facts.channel(channel.id).entries.iter().enumerate();
        for (n, entry) in entries.filter(|(_, entry)| entry.required) {
            let Some(cause) = &entry.excluded else { continue };
            let mut row = of_point(facts, channel, PointId::at(n));
            row.extend(since_and_why(facts, cause));
            let verdict = match channel.last(PointId::at(n)).map(|(state, _)| state.not_live()) {
                Some(None) => Cell::Verdict(Mark::Good, words.say("sống", "live")),
                Some(Some(reason)) => Cell::Verdict(Mark::Bad, reason.text(facts.lang).to_owned()),
                None => Cell::Verdict(Mark::Doubt, words.say("không theo dõi", "not watched")),
            };
            row.push(verdict);
            rows.push(row);
        }
    }
    let table = Table {
        id: "exclusions",
        caption: words.say("Loại trừ được duyệt", "Approved exclusions"),
        columns,
        rows,
        total: None,
    };
    titled("exclusions", words.say("Loại trừ", "Exclusions"), vec![SheetPart::Table(table)])
}
