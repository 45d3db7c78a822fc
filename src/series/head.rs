//! The open rows of a block: the bytes of each reply as they came, one behind the other, until they
//! are sealed. Taking one in is a copy of some hundred bytes; columns are made of many rows at once.

use super::column::Column;
use super::layout::{BlockLayout, ColumnPlace};
use super::raw::RawType;
use crate::clock::Timestamp;

/// Open rows of a block.
#[derive(Default)]
pub(super) struct Head {
    pub(super) times: Vec<Timestamp>,
    /// Rows of as many bytes as a whole reply has.
    cells: Vec<u8>,
    /// Rows of which only some cells came.
    parts: Vec<PartRow>,
}

/// A row that is not whole.
struct PartRow {
    row: u32,
    /// First cell that came, and the one behind the last.
    from: u16,
    to: u16,
}

impl Head {
    /// An empty one with room for `rows` rows of `row_bytes` bytes.
    pub(super) fn new(rows: usize, row_bytes: usize) -> Self {
        Self {
            times: Vec::with_capacity(rows),
            cells: Vec::with_capacity(rows * row_bytes),
            parts: Vec::new(),
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.times.capacity() * size_of::<Timestamp>()
            + self.cells.capacity()
            + self.parts.capacity() * size_of::<PartRow>()
    }

    /// Takes in a reply that came at `at`: cells from `offset` on, at most `count` of them, as
    /// many as there are in `payload`. Returns whether there were any.
    pub(super) fn push(
        &mut self,
        layout: &BlockLayout,
        at: Timestamp,
        (offset, count): (u16, u16),
        payload: &[u8],
    ) -> bool {
        let row_bytes = layout.row_bytes();
        if let (0, true, Some(whole)) = (offset, count >= layout.cells, payload.get(..row_bytes)) {
            self.times.push(at);
            self.cells.extend_from_slice(whole);
            return true;
        }
        let came = if layout.bits { 8 * payload.len() } else { payload.len() / 2 };
        let to = usize::from(offset).saturating_add(came.min(count.into()));
        let to = u16::try_from(to).unwrap_or(u16::MAX).min(layout.cells);
        let Ok(row) = u32::try_from(self.times.len()) else { return false };
        if offset >= to {
            return false;
        }
        let start = self.cells.len();
        self.cells.resize(start + row_bytes, 0);
        let cells = &mut self.cells[start..];
        let first = usize::from(offset);
        if layout.bits {
            for n in first..usize::from(to) {
                let bit = payload[(n - first) / 8] >> ((n - first) % 8) & 1;
                cells[n / 8] |= bit << (n % 8);
            }
        } else {
            let bytes = 2 * (usize::from(to) - first);
            cells[2 * first..2 * first + bytes].copy_from_slice(&payload[..bytes]);
        }
        self.times.push(at);
        self.parts.push(PartRow { row, from: offset, to });
        true
    }

    /// Forgets every row and keeps the room.
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.cells.clear();
        self.parts.clear();
    }

    /// The values of a column.
    pub(super) fn read(&self, layout: &BlockLayout, place: ColumnPlace, column: &mut Column) {
        column.raw_type = place.raw_type;
        column.raw.clear();
        column.absent.clear();
        let (from, to) = (place.offset, place.offset + place.raw_type.cells());
        for part in self.parts.iter().filter(|part| from < part.from || to > part.to) {
            column.leave_out(part.row);
        }
        let rows = self.cells.chunks_exact(layout.row_bytes().max(1));
        let first = usize::from(from);
        match place.raw_type {
            RawType::Bit => {
                let bit = |row: &[u8]| u64::from(row[first / 8] >> (first % 8) & 1);
                column.raw.extend(rows.map(bit));
            }
            RawType::Pair => {
                let bit = |row: &[u8], n: usize| u64::from(row[n / 8] >> (n % 8) & 1);
                column.raw.extend(rows.map(|row| bit(row, first) | bit(row, first + 1) << 1));
            }
            RawType::Signed16 | RawType::Unsigned16 => {
                column.raw.extend(rows.map(|row| u64::from(word(row, first))));
            }
            RawType::Unsigned32 | RawType::Float32 => {
                let words = |row: &[u8]| [word(row, first), word(row, first + 1)];
                column.raw.extend(rows.map(|row| u64::from(place.order.join(words(row)))));
            }
            RawType::Unsigned64 => {
                let words = |row: &[u8]| [0, 1, 2, 3].map(|n| word(row, first + n));
                let join = |high: u64, low: u16| high << 16 | u64::from(low);
                column.raw.extend(rows.map(|row| words(row).into_iter().fold(0, join)));
            }
        }
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

fn word(row: &[u8], cell: usize) -> u16 {
    u16::from_be_bytes([row[2 * cell], row[2 * cell + 1]])
}
