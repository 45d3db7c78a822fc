//! Help: made from the key table, and a menu of it. Every action can be reached from here with
//! arrows and Enter alone.

use historian::verdict::Reason;

use super::Body;
use crate::keys::{self, Action, Binding, Group, Place};
use crate::list::List;
use crate::paint::{Row, Side, beside, framed, wrap};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// State of help: the selected entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Help {
    pub(crate) list: List<usize>,
}

/// The bindings of a place in the order of help.
pub(crate) fn entries(place: Place) -> Vec<&'static Binding> {
    let of_group = |group: Group| keys::at(place).filter(move |binding| binding.group == group);
    Group::ALL.into_iter().flat_map(of_group).collect()
}

/// What an entry does.
pub(crate) fn action(place: Place, row: usize) -> Option<Action> {
    entries(place).get(row).map(|binding| binding.action)
}

/// The popup, as large as the body.
pub(crate) fn draw(view: &View<'_>, help: &Help, place: (Place, &str), body: Body) -> Vec<Row> {
    let (place, name) = place;
    let inner = body.width - 2;
    let columns = if body.is_wide() { 3 } else { 2 };
    let mut lines = menu(view, help, place, inner, columns);
    // The entry that Enter would run stays in sight.
    let selected = help.list.row();
    lines.push(view.row());
    lines.push(view.row().gap(2).put(Role::Strong, view.t(Text::HelpMarks)));
    lines.extend(marks(view, inner));
    lines.push(view.row());
    for text in [Text::HelpTelex, Text::HelpFold] {
        lines.extend(wrap(view.t(text), inner - 4).into_iter().map(|l| view.row().gap(2).text(l)));
    }
    let room = body.height - 2;
    let entries = entries(place).len().max(1);
    let hidden = lines.len().saturating_sub(room);
    // Near the end of the menu the end of the page is shown.
    let top = if hidden == 0 { 0 } else { hidden * selected / entries };
    let mut shown: Vec<Row> = lines.into_iter().skip(top).take(room).collect();
    shown.resize(room, view.row());
    let title = format!("{} — {name}", view.t(Text::HelpTitle));
    let right = view.row().text(view.t(Text::HelpEnter));
    framed(view.row().put(Role::Strong, title), right, shown, body.width)
}

/// Groups of bindings, spread over columns of about the same height.
fn menu(view: &View<'_>, help: &Help, place: Place, width: usize, columns: usize) -> Vec<Row> {
    let side = (width - 2) / columns;
    let mut blocks: Vec<Vec<Row>> = Vec::new();
    let mut number = 0;
    for group in Group::ALL {
        let bindings: Vec<&Binding> = keys::at(place).filter(|b| b.group == group).collect();
        let title = view.row().put(Role::Strong, view.t(group.title())).filled(side);
        let mut block = vec![title];
        for binding in bindings {
            let row = entry(view, binding, side - 2);
            let chosen = help.list.selected() == Some(number);
            let row = if chosen { row.selected() } else { row };
            block.push(row.gap(2));
            number += 1;
        }
        block.push(view.row().gap(side));
        blocks.push(block);
    }
    let all: usize = blocks.iter().map(Vec::len).sum();
    let mut spread: Vec<Vec<Row>> = vec![Vec::new(); columns];
    let mut column = 0;
    for block in blocks {
        let filled = spread[column].len();
        // A block goes where more than half of it belongs.
        if column + 1 < columns && filled > 0 && filled + block.len() / 2 > all / columns {
            column += 1;
        }
        spread[column].extend(block);
    }
    for column in &mut spread {
        if column.is_empty() {
            column.push(view.row().gap(side));
        }
    }
    let joined = spread.into_iter().reduce(beside).unwrap_or_default();
    joined.into_iter().map(|row| view.row().gap(2).join(row)).collect()
}

fn entry(view: &View<'_>, binding: &Binding, width: usize) -> Row {
    view.row().cell(Role::Strong, binding.shown, 9, Side::Left).cell(
        Role::Plain,
        view.t(binding.text),
        width.saturating_sub(9),
        Side::Left,
    )
}

/// Every quality mark with what it means.
fn marks(view: &View<'_>, width: usize) -> Vec<Row> {
    let mut known: Vec<(char, Vec<&str>)> = Vec::new();
    for reason in Reason::ALL {
        let text = reason.text(view.lang);
        match known.iter_mut().find(|(mark, _)| *mark == reason.mark()) {
            Some((_, texts)) => texts.push(text),
            None => known.push((reason.mark(), vec![text])),
        }
    }
    let known = known.into_iter().map(|(mark, texts)| format!("{mark} {}", texts.join(", ")));
    let good = format!("· {}", view.t(Text::Good));
    let all: Vec<String> = [good].into_iter().chain(known).collect();
    let mut lines: Vec<Row> = Vec::new();
    for mark in all {
        let wide = crate::paint::width(&mark) + 3;
        match lines.last_mut() {
            Some(line) if line.width() + wide <= width - 2 => {
                *line = line.clone().gap(3).text(mark);
            }
            _ => lines.push(view.row().gap(2).text(mark)),
        }
    }
    lines
}
