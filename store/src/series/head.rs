//! The open rows of a group, as they came, one behind the other, until they are sealed. Taking one in is a copy of some
//! hundred bytes; columns are made of many rows at once.

use std::ops::Range;

use signal::clock::Timestamp;

use super::column::ColumnValues;
use super::layout::BlockLayout;

/// Open rows of a group.
#[derive(Default)]
pub(super) struct Head {
    pub(super) times: Vec<Timestamp>,
    /// Rows of as many bytes as the group's have.
    rows: Vec<u8>,
    /// Rows of which only some columns came.
    parts: Vec<PartRow>,
}

/// A row that is not whole.
struct PartRow {
    row: u32,
    /// First column that came, and the one behind the last.
    from: u16,
    to: u16,
}

impl Head {
    /// An empty one with room for `rows` rows of `row_bytes` bytes.
    pub(super) fn new(rows: usize, row_bytes: usize) -> Self {
        Self {
            times: Vec::with_capacity(rows),
            rows: Vec::with_capacity(rows * row_bytes),
            parts: Vec::new(),
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.times.capacity() * size_of::<Timestamp>()
            + self.rows.capacity()
            + self.parts.capacity() * size_of::<PartRow>()
    }

    /// Takes in a row that came at `at`, of which these columns did. Returns whether there were any: a row of another
    /// length is none of the group's.
    pub(super) fn push(
        &mut self,
        layout: &BlockLayout,
        at: Timestamp,
        came: &Range<u16>,
        row: &[u8],
    ) -> bool {
        let columns = u16::try_from(layout.columns.len()).unwrap_or(u16::MAX);
        let (from, to) = (came.start, came.end.min(columns));
        let Ok(number) = u32::try_from(self.times.len()) else { return false };
        if row.len() != layout.row_bytes || from >= to {
            return false;
        }
        self.times.push(at);
        self.rows.extend_from_slice(row);
        if (from, to) != (0, columns) {
            self.parts.push(PartRow { row: number, from, to });
        }
        true
    }

    /// Forgets every row and keeps the room.
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.rows.clear();
        self.parts.clear();
    }

    /// The values of a column of the layout.
    pub(super) fn read(&self, layout: &BlockLayout, n: usize, column: &mut ColumnValues) {
        column.raw.clear();
        column.absent.clear();
        let Some(own) = layout.columns.get(n) else { return };
        column.raw_type = own.raw_type;
        let came = |part: &PartRow| (usize::from(part.from)..part.to.into()).contains(&n);
        for part in self.parts.iter().filter(|part| !came(part)) {
            column.leave_out(part.row);
        }
        own.read_all(&self.rows, layout.row_bytes, &mut column.raw);
        if !column.absent.is_empty() {
            let mut row = 0;
            let mut absent = column.absent.iter().peekable();
            column.raw.retain(|_| {
                while absent.next_if(|gap| gap.end <= row).is_some() {}
                let is_there = absent.peek().is_none_or(|gap| row < gap.start);
                row += 1;
                is_there
            });
        }
    }
}
