//! What a source brings over a channel: which points come together, in which order and of which types.
//!
//! A *group* is what arrives together: the reply to one request, or a point that tells of itself. Its *columns* are the
//! values and qualities of points. A *row* has one raw value for each column, packed: bits side by side, wider types from
//! the next whole byte on, lowest byte first.

use std::ops::Range;
use std::sync::Arc;

use config::PointId;

use super::raw::RawType;

/// What comes over one channel. Alike channels share one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// What comes together; updates name these by their place.
    pub groups: Vec<Group>,
}

/// What comes together from one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The device: its number within the station.
    pub device: u8,
    /// How often it comes, milliseconds, at least 1; where it is not asked for, how densely it may.
    pub period_ms: u32,
    /// How long what came of it holds.
    pub freshness: Freshness,
    /// What it is.
    pub content: Content,
    /// The columns of its rows; none where it is no values.
    pub columns: Arc<[Column]>,
    /// Bytes of a row.
    pub row_bytes: usize,
}

/// How long a value holds when no other one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is asked for again and again: it becomes old, at the age that the contract says.
    Polled,
    /// Its device tells when it changes: it stands as long as the link does, over which all of it was read once.
    Supervised,
}

/// What comes with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Values and qualities of points.
    Values,
    /// Figures of the meters.
    Meters,
    /// What the device has recorded.
    Events,
}

/// A column of a group: where in its rows a part of a point stands, and as what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// The point.
    pub point: PointId,
    /// Its value, or its quality.
    pub part: Part,
    /// What its raw values are.
    pub raw_type: RawType,
    /// What a count is worth in the unit of the point; 1 where nothing is scaled.
    pub scale: f64,
    /// Its first bit in a row.
    bit: u32,
}

/// A part of a point that comes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What it measures, counts or says.
    Value,
    /// What the device says against that.
    Quality,
}

impl Group {
    /// Values of a device that come each `period_ms`: parts of points in the order of the columns, with types and scales.
    pub fn of_values(
        device: u8,
        period_ms: u32,
        parts: impl IntoIterator<Item = (PointId, Part, RawType, f64)>,
    ) -> Self {
        let mut end = 0_u32;
        let mut column = |(point, part, raw_type, scale): (PointId, Part, RawType, f64)| {
            let bits = raw_type.bits();
            let bit = if bits < 8 { end } else { end.next_multiple_of(8) };
            end = bit + bits;
            Column { point, part, raw_type, scale, bit }
        };
        let columns = parts.into_iter().map(&mut column).collect();
        let row_bytes = end.div_ceil(8) as usize;
        let (period_ms, freshness, content) =
            (period_ms.max(1), Freshness::Polled, Content::Values);
        Self { device, period_ms, freshness, content, columns, row_bytes }
    }

    /// Something of a device that is no values and comes each `period_ms`.
    pub fn of_others(device: u8, period_ms: u32, content: Content) -> Self {
        let (columns, row_bytes) = (Arc::from([]), 0);
        let (period_ms, freshness) = (period_ms.max(1), Freshness::Polled);
        Self { device, period_ms, freshness, content, columns, row_bytes }
    }

    /// The same, of which the device tells when it changes.
    #[must_use]
    pub fn supervised(self) -> Self {
        Self { freshness: Freshness::Supervised, ..self }
    }

    /// A row in which one column has a raw value, and the others nothing.
    pub fn row_of(&self, column: u16, raw: u64) -> Vec<u8> {
        let mut row = vec![0; self.row_bytes];
        if let Some(column) = self.columns.get(usize::from(column)) {
            column.write(&mut row, raw);
        }
        row
    }

    /// The column of the value of a point.
    pub fn value_column(&self, point: PointId) -> Option<u16> {
        let is_value = |column: &Column| column.point == point && column.part == Part::Value;
        u16::try_from(self.columns.iter().position(is_value)?).ok()
    }

    /// Some of its columns, as far as there are any.
    pub fn some(&self, columns: &Range<u16>) -> &[Column] {
        let to = usize::from(columns.end).min(self.columns.len());
        &self.columns[usize::from(columns.start).min(to)..to]
    }
}

impl Column {
    /// Reads its raw value in a row.
    ///
    /// # Panics
    /// When the row is shorter than the group's.
    #[inline]
    pub fn read(&self, row: &[u8]) -> u64 {
        let first = (self.bit / 8) as usize;
        let bytes = &row[first..];
        match self.raw_type {
            RawType::Bit => u64::from(bytes[0] >> (self.bit % 8) & 1),
            RawType::Pair => {
                let high = &row[((self.bit + 1) / 8) as usize];
                u64::from(bytes[0] >> (self.bit % 8) & 1)
                    | u64::from(high >> ((self.bit + 1) % 8) & 1) << 1
            }
            RawType::Signed16 | RawType::Unsigned16 => u64::from(u16::from_le_bytes(array(bytes))),
            RawType::Unsigned32 | RawType::Float32 => u64::from(u32::from_le_bytes(array(bytes))),
            RawType::Unsigned64 => u64::from_le_bytes(array(bytes)),
        }
    }

    /// Its highest raw value.
    pub fn highest(&self) -> u64 {
        self.raw_type.highest()
    }

    /// Reads its raw values in rows of so many bytes that stand one behind the other, and appends them.
    pub fn read_all(&self, rows: &[u8], row_bytes: usize, raw: &mut Vec<u64>) {
        let rows = rows.chunks_exact(row_bytes.max(1));
        let first = (self.bit / 8) as usize;
        // The type is looked at once, not with each row.
        match self.raw_type {
            RawType::Bit | RawType::Pair => raw.extend(rows.map(|row| self.read(row))),
            RawType::Signed16 | RawType::Unsigned16 => {
                raw.extend(rows.map(|row| u64::from(u16::from_le_bytes(array(&row[first..])))));
            }
            RawType::Unsigned32 | RawType::Float32 => {
                raw.extend(rows.map(|row| u64::from(u32::from_le_bytes(array(&row[first..])))));
            }
            RawType::Unsigned64 => {
                raw.extend(rows.map(|row| u64::from_le_bytes(array(&row[first..]))));
            }
        }
    }

    /// Writes a raw value into a row whose bits of this column are 0.
    ///
    /// # Panics
    /// When the row is shorter than the group's.
    #[inline]
    pub fn write(&self, row: &mut [u8], raw: u64) {
        let first = (self.bit / 8) as usize;
        match self.raw_type {
            RawType::Bit | RawType::Pair => {
                for n in 0..self.raw_type.bits() {
                    let bit = self.bit + n;
                    row[(bit / 8) as usize] |= u8::from(raw >> n & 1 != 0) << (bit % 8);
                }
            }
            wide => {
                let bytes = wide.bytes();
                row[first..first + bytes].copy_from_slice(&raw.to_le_bytes()[..bytes]);
            }
        }
    }
}

/// The first bytes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_into_a_row_is_read_from_it(
            given in proptest::collection::vec((0..RawType::ALL.len(), any::<u64>()), 1..200)
        ) {
            let types = given.iter().map(|(n, _)| RawType::ALL[*n]);
            let part = |(n, raw_type)| (PointId::at(n), Part::Value, raw_type, 1.0);
            let group = Group::of_values(1, 1_000, types.enumerate().map(part));
            let mut row = vec![0; group.row_bytes];
            let raw = |n: usize| given[n].1 & group.columns[n].raw_type.highest();
            for (n, column) in group.columns.iter().enumerate() {
                column.write(&mut row, raw(n));
            }
            for (n, column) in group.columns.iter().enumerate() {
                prop_assert_eq!(column.read(&row), raw(n));
            }
            let bits: u32 = group.columns.iter().map(|column| column.raw_type.bits()).sum();
            let gaps = 7 * u32::try_from(given.len()).unwrap();
            prop_assert!(group.row_bytes <= ((bits + gaps) / 8 + 1) as usize);
        }
    }
}
