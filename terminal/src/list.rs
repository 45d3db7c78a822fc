//! A list that keeps its selection by identity, whatever happens to the order.

/// Where a selection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// Selected row and scroll position of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<Id> {
    selected: Option<Id>,
    row: usize,
    top: usize,
    height: usize,
}

impl<Id> Default for List<Id> {
    fn default() -> Self {
        Self { selected: None, row: 0, top: 0, height: 1 }
    }
}

impl<Id: Copy + PartialEq> List<Id> {
    /// A list that will have `id` selected once it is there.
    pub(crate) fn at(id: Id) -> Self {
        Self { selected: Some(id), ..Self::default() }
    }

    /// What is selected.
    pub(crate) fn selected(&self) -> Option<Id> {
        self.selected
    }

    /// First row in the window.
    pub(crate) fn top(&self) -> usize {
        self.top
    }

    /// Takes over the rows as they are now, shown in a window of `height`. A row that went away
    /// leaves the selection to the one that took its place.
    pub(crate) fn settle(&mut self, rows: &[Id], height: usize) {
        self.height = height.max(1);
        let found = self.selected.and_then(|id| rows.iter().position(|row| *row == id));
        self.row = found.unwrap_or(self.row.min(rows.len().saturating_sub(1)));
        self.selected = rows.get(self.row).copied();
        self.top = self.top.min(rows.len().saturating_sub(self.height)).min(self.row);
        self.top = self.top.max((self.row + 1).saturating_sub(self.height));
    }

    /// Moves the selection. Says whether it moved.
    pub(crate) fn go(&mut self, motion: Motion, rows: &[Id]) -> bool {
        let last = rows.len().saturating_sub(1);
        let row = match motion {
            Motion::Up => self.row.saturating_sub(1),
            Motion::Down => (self.row + 1).min(last),
            Motion::PageUp => self.row.saturating_sub(self.height),
            Motion::PageDown => (self.row + self.height).min(last),
            Motion::First => 0,
            Motion::Last => last,
        };
        let moved = row != self.row;
        self.select(row, rows);
        moved
    }

    /// Selects a row by its place.
    pub(crate) fn select(&mut self, row: usize, rows: &[Id]) {
        self.row = row;
        self.selected = rows.get(row).copied();
        self.settle(rows, self.height);
    }

    /// Place of the selected row.
    pub(crate) fn row(&self) -> usize {
        self.row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_follows_its_row_when_the_order_changes() {
        let mut list = List::default();
        list.settle(&[1, 2, 3, 4], 2);
        list.go(Motion::Down, &[1, 2, 3, 4]);
        assert_eq!(list.selected(), Some(2));
        list.settle(&[4, 3, 2, 1], 2);
        assert_eq!((list.selected(), list.row(), list.top()), (Some(2), 2, 1));
    }

    #[test]
    fn a_row_that_leaves_hands_the_selection_to_its_neighbour() {
        let mut list = List::at(3);
        list.settle(&[1, 2, 3, 4], 9);
        list.settle(&[1, 2, 4], 9);
        assert_eq!(list.selected(), Some(4));
        list.settle(&[1, 2], 9);
        assert_eq!(list.selected(), Some(2));
        list.settle(&[], 9);
        assert_eq!(list.selected(), None);
        list.settle(&[7], 9);
        assert_eq!(list.selected(), Some(7));
    }

    #[test]
    fn the_window_always_holds_the_selection() {
        let rows: Vec<u32> = (0..50).collect();
        let mut list = List::default();
        list.settle(&rows, 10);
        for motion in [Motion::PageDown, Motion::Last, Motion::PageUp, Motion::Up, Motion::First] {
            list.go(motion, &rows);
            assert!((list.top()..list.top() + 10).contains(&list.row()), "{motion:?}");
        }
        list.go(Motion::Last, &rows);
        list.settle(&rows, 40);
        assert_eq!(list.top(), 10, "no empty room below the end");
    }
}
