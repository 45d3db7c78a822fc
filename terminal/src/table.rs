//! Tables: columns that give way in a fixed order when it gets narrow.

use super::paint::{Row, Side};
use super::theme::{Role, Theme};

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    head: String,
    width: usize,
    side: Side,
    /// Narrowest it may become when no other column gives way any more.
    least: usize,
    /// Widest it may grow; its own width for columns that do not.
    most: usize,
    /// How soon it gives way: the highest first, 0 never.
    yields: u8,
}

impl Column {
    /// A column with its text at the left.
    pub(crate) fn left(head: impl Into<String>, width: usize) -> Self {
        Self { head: head.into(), width, side: Side::Left, least: width, most: width, yields: 0 }
    }

    /// A column with its text at the right.
    pub(crate) fn right(head: impl Into<String>, width: usize) -> Self {
        Self { side: Side::Right, ..Self::left(head, width) }
    }

    /// It gives way when it gets narrow, before those with a lower number.
    pub(crate) fn yields(self, order: u8) -> Self {
        Self { yields: order, ..self }
    }

    /// It becomes narrower, down to `least`, when nothing else gives way any more.
    pub(crate) fn shrinks(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// It takes what is left of the width, up to `most`.
    pub(crate) fn grows(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

/// A cell: how it is meant, and its text.
pub(crate) type Cell = (Role, String);

/// Columns laid out for a width.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    theme: Theme,
    room: usize,
    columns: Vec<Column>,
    /// Width of each column; `None` when it had to give way.
    widths: Vec<Option<usize>>,
}

impl Table {
    /// Lays columns out for `room` cells. Two cells stand before the first column, for the mark of
    /// the selected row.
    pub(crate) fn new(theme: Theme, room: usize, columns: Vec<Column>) -> Self {
        let mut widths: Vec<Option<usize>> = columns.iter().map(|c| Some(c.width)).collect();
        while taken(&widths) > room {
            let shown = columns.iter().enumerate().filter(|(n, _)| widths[*n].is_some());
            let Some((n, column)) = shown.max_by_key(|(_, column)| column.yields) else { break };
            if column.yields == 0 {
                break;
            }
            widths[n] = None;
        }
        let mut excess = taken(&widths).saturating_sub(room);
        for (column, width) in columns.iter().zip(&mut widths) {
            if let Some(width) = width {
                let less = excess.min(width.saturating_sub(column.least));
                *width -= less;
                excess -= less;
            }
        }
        let mut spare = room.saturating_sub(taken(&widths));
        for (column, width) in columns.iter().zip(&mut widths) {
            if let Some(width) = width {
                let more = spare.min(column.most.saturating_sub(*width));
                *width += more;
                spare -= more;
            }
        }
        Self { theme, room, columns, widths }
    }

    /// Whether a column is shown.
    #[cfg(test)]
    fn shows(&self, column: usize) -> bool {
        self.widths[column].is_some()
    }

    /// Width of a column, 0 when it is not shown.
    pub(crate) fn width(&self, column: usize) -> usize {
        self.widths[column].unwrap_or(0)
    }

    /// The line with the names of the columns.
    pub(crate) fn head(&self) -> Row {
        let cells = self.columns.iter().map(|column| (Role::Strong, column.head.clone()));
        self.line(&cells.collect::<Vec<_>>(), "  ")
    }

    /// A row.
    pub(crate) fn row(&self, cells: &[Cell], selected: bool) -> Row {
        let row = self.line(cells, if selected { "▸ " } else { "  " });
        if selected { row.selected() } else { row }
    }

    /// A row with a mark of one cell before it.
    pub(crate) fn marked(&self, cells: &[Cell], mark: &str) -> Row {
        self.line(cells, &format!("{mark} "))
    }

    fn line(&self, cells: &[Cell], mark: &str) -> Row {
        let mut row = Row::new(self.theme).text(mark);
        let mut first = true;
        for ((column, width), (role, text)) in self.columns.iter().zip(&self.widths).zip(cells) {
            if let Some(width) = width {
                row = row.gap(usize::from(!first)).cell(*role, text, *width, column.side);
                first = false;
            }
        }
        row.filled(self.room)
    }
}

fn taken(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    2 + shown.clone().sum::<usize>() + shown.count().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_way_in_their_order_and_rows_keep_the_width() {
        let columns = || {
            vec![
                Column::left("name", 6).shrinks(4).grows(20),
                Column::right("a", 5).yields(1),
                Column::right("b", 5).yields(2),
            ]
        };
        for room in 8..60 {
            let table = Table::new(Theme::Mono, room, columns());
            assert!(!table.shows(2) || table.shows(1), "{room}");
            assert_eq!(table.head().width(), room);
        }
        let table = Table::new(Theme::Mono, 17, columns());
        assert!(table.shows(1) && !table.shows(2));
        assert_eq!(table.width(0), 9);
        assert_eq!(Table::new(Theme::Mono, 7, columns()).width(0), 5, "it shrinks last of all");
    }
}
