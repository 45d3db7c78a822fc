//! What a figure says, for tests that hold it against another.

use gridwatch::historian::counts::Share;
use gridwatch::history::{Figure, FigureRow, Printed};

/// What stands in a cell.
enum Cell<T> {
    Value(T),
    Else,
}

impl<T> Printed for Cell<T> {
    fn not_known() -> Self {
        Self::Else
    }

    fn known(_: Share) -> Self {
        Self::Else
    }

    fn text(_: String) -> Self {
        Self::Else
    }

    fn count(_: usize) -> Self {
        Self::Else
    }
}

/// The value of a figure; `None`: it is not known.
pub(crate) fn told<T: Clone>(figure: &Figure<T>) -> Option<T> {
    let mut row = FigureRow::new();
    row.add(figure, |value| Cell::Value(value.clone()));
    match row.counted().remove(0) {
        Cell::Value(value) => Some(value),
        Cell::Else => None,
    }
}
