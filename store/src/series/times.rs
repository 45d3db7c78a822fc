//! The times of the rows of a chunk. Rows come on a grid, the scan period, so a time is a slot of
//! the grid and what it lies behind it: slots follow on one another but for gaps, and what is left
//! is the little by which replies differ. All columns of a block share it.

use signal::raw::{RawType, low};

use super::bytes::{Bytes, put_varint, unzigzag, zigzag};
use super::column::{self, ColumnValues};
use super::numbers::{Choices, FORMAT_BYTES};

/// Where the choices have that of the times: behind every column.
const CHOICE: u16 = u16::MAX;

/// A slot that is not the one behind the last, before this row.
struct Jump {
    row: u64,
    slots: i64,
}

/// Appends the times of rows, milliseconds since 1970, in any order. `earliest` is the least of them.
///
/// Arithmetic wraps and is undone by the same: any times at all read back.
pub(super) fn write(
    times: impl Iterator<Item = i64>,
    period_ms: u32,
    earliest: i64,
    choices: &mut Choices,
    out: &mut Vec<u8>,
) {
    let period = i64::from(period_ms.max(1));
    let mut times = times.peekable();
    let first = times.peek().copied().unwrap_or(earliest);
    let mut behind = ColumnValues::new(RawType::Unsigned32);
    let mut jumps: Vec<Jump> = Vec::new();
    let mut last = -1;
    for (row, time) in (0..).zip(times) {
        // The first time stands in the middle of its slot, since it may have been late or early.
        let since = time.wrapping_sub(first).wrapping_add(period / 2);
        let slot = since.div_euclid(period);
        behind.raw.push(since.rem_euclid(period).cast_unsigned());
        let slots = slot.wrapping_sub(last).wrapping_sub(1);
        if slots != 0 {
            jumps.push(Jump { row, slots });
        }
        last = slot;
    }
    put_varint(out, zigzag(first.wrapping_sub(earliest)));
    put_varint(out, jumps.len() as u64);
    let mut last = 0;
    for jump in jumps {
        put_varint(out, jump.row - last);
        put_varint(out, zigzag(jump.slots));
        last = jump.row;
    }
    column::write(&behind, (CHOICE, choices), out);
}

/// Reads the times of `rows` rows.
pub(super) fn read(
    rows: usize,
    (period_ms, earliest): (u32, i64),
    format: [u8; FORMAT_BYTES],
    bytes: &[u8],
) -> Option<Vec<i64>> {
    let mut bytes = Bytes(bytes);
    let period = i64::from(period_ms.max(1));
    let first = earliest.wrapping_add(unzigzag(bytes.varint()?));
    let mut jumps = vec![0_i64; rows];
    let mut row = 0;
    for _ in 0..bytes.count(rows)? {
        row += bytes.count(rows - row)?;
        *jumps.get_mut(row)? = unzigzag(bytes.varint()?);
    }
    let behind = column::read(rows, format, bytes.0)?;
    if behind.raw_type != RawType::Unsigned32 || behind.raw.len() != rows {
        return None;
    }
    let mut slot = -1_i64;
    let times = behind.raw.iter().zip(jumps).map(|(behind, jump)| {
        slot = slot.wrapping_add(1).wrapping_add(jump);
        let behind = i64::from(low(*behind)).wrapping_sub(period / 2);
        first.wrapping_add(slot.wrapping_mul(period)).wrapping_add(behind)
    });
    Some(times.collect())
}
