//! One column of a chunk: its values, and how they become bytes.
//!
//! A record is a byte that says layout and mode, where rows have no value, the statistics, and then
//! the values in the mode that suits them:
//!
//! | mode | values |
//! |---|---|
//! | empty | none: the column has no value in any row |
//! | constant | the value |
//! | runs | the first value; rows to each change and what the new value has in other bits |
//! | plain | one after the other |
//! | packed | as `pco` has them |

use std::ops::Range;

use signal::raw::RawType;

use super::bytes::{Bytes, put_number, put_varint};
use super::numbers::{self, Choices, FORMAT_BYTES};
use super::statistics::{Real, Statistics};

/// A column is kept as runs when fewer than one row in so many differs from the one before.
const RUN_ROWS: usize = 16;

const LAYOUT: u8 = 0x07;
const MODE_SHIFT: u8 = 3;
/// Not every row has a value.
const GAPS: u8 = 0x40;
/// Not every value is real.
const UNREAL: u8 = 0x80;

/// How the values of a record stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Empty,
    Constant,
    Runs,
    Plain,
    Packed,
}

const MODES: [Mode; 5] = [Mode::Empty, Mode::Constant, Mode::Runs, Mode::Plain, Mode::Packed];

impl Mode {
    /// Its number in the bytes of chunks, 0 to 7. A number that is given is never given again, nor to
    /// another mode.
    fn code(self) -> u8 {
        match self {
            Self::Empty => 0,
            Self::Constant => 1,
            Self::Runs => 2,
            Self::Plain => 3,
            Self::Packed => 4,
        }
    }

    /// The mode that a number stands for; `None` when it stands for none.
    fn from_code(code: u8) -> Option<Self> {
        MODES.into_iter().find(|mode| mode.code() == code)
    }
}

/// The values of a column in the rows of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnValues {
    /// Layout of the values.
    pub raw_type: RawType,
    /// The raw values of the rows that have one, in the order of the rows.
    pub raw: Vec<u64>,
    /// Rows without a value, in order: none empty, none touching the next.
    pub absent: Vec<Range<u32>>,
}

impl ColumnValues {
    /// A column without rows.
    pub fn new(raw_type: RawType) -> Self {
        Self { raw_type, raw: Vec::new(), absent: Vec::new() }
    }

    /// Rows that have a value, with it.
    pub fn rows(&self) -> impl Iterator<Item = (u32, u64)> {
        let mut absent = self.absent.iter().peekable();
        let mut next = 0;
        self.raw.iter().map(move |raw| {
            while let Some(gap) = absent.next_if(|gap| gap.start == next) {
                next = gap.end;
            }
            let row = next;
            next += 1;
            (row, *raw)
        })
    }

    /// What the values come to.
    pub fn statistics(&self) -> Statistics {
        let present = u32::try_from(self.raw.len()).unwrap_or(u32::MAX);
        Statistics { present, real: Real::of(self.raw_type, &self.raw) }
    }

    /// The rows that stay, one behind the other.
    pub(super) fn only(&self, stays: &[bool]) -> Self {
        let mut only = Self::new(self.raw_type);
        let (mut values, mut next) = (self.rows().peekable(), 0);
        for (row, stays) in (0..).zip(stays) {
            let value = values.next_if(|(of, _)| *of == row);
            match value.filter(|_| *stays) {
                Some((_, raw)) => only.raw.push(raw),
                None if *stays => only.leave_out(next),
                None => {}
            }
            next += u32::from(*stays);
        }
        only
    }

    /// Says that a row has no value; rows come in order.
    pub(super) fn leave_out(&mut self, row: u32) {
        match self.absent.last_mut() {
            Some(last) if last.end == row => last.end = row + 1,
            _ => self.absent.push(row..row + 1),
        }
    }

    /// Appends the rows of another one, of which `rows` lie in front.
    pub(super) fn append(&mut self, rows: u32, other: &Self) {
        self.raw.extend_from_slice(&other.raw);
        for gap in &other.absent {
            let gap = gap.start + rows..gap.end + rows;
            match self.absent.last_mut() {
                Some(last) if last.end == gap.start => last.end = gap.end,
                _ => self.absent.push(gap),
            }
        }
    }

    /// Whether it describes so many rows, and each value fits its layout.
    pub(super) fn fits(&self, rows: usize) -> bool {
        let mut end = None;
        let are_apart = self.absent.iter().all(|gap| {
            let apart = gap.start < gap.end && end.is_none_or(|end| end < gap.start);
            end = Some(gap.end);
            apart
        });
        let absent: usize = self.absent.iter().map(ExactSizeIterator::len).sum();
        let within = end.is_none_or(|end| usize::try_from(end).is_ok_and(|end| end <= rows));
        let highest = self.raw_type.highest();
        are_apart
            && within
            && self.raw.len() + absent == rows
            && self.raw.iter().all(|raw| *raw <= highest)
    }
}

/// Appends the record of a column. `choice` is where in the choices it has its own.
pub(super) fn write(column: &ColumnValues, choice: (u16, &mut Choices), out: &mut Vec<u8>) {
    let raw_type = column.raw_type;
    let (raw, width) = (&column.raw[..], raw_type.bytes());
    let layout = raw_type.code();
    let changes = raw.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let mode = match raw {
        [] => Mode::Empty,
        _ if changes == 0 => Mode::Constant,
        _ if changes * RUN_ROWS < raw.len() => Mode::Runs,
        _ => Mode::Packed,
    };
    let statistics = column.statistics();
    let real = statistics.real.map_or(0, |real| real.count);
    let mut head = layout | mode.code() << MODE_SHIFT;
    head |= if column.absent.is_empty() { 0 } else { GAPS };
    head |= if real == statistics.present { 0 } else { UNREAL };
    let start = out.len();
    out.push(head);
    if !column.absent.is_empty() {
        put_varint(out, column.absent.len() as u64);
        let mut end = 0;
        for gap in &column.absent {
            put_varint(out, (gap.start - end).into());
            put_varint(out, (gap.end - gap.start).into());
            end = gap.end;
        }
    }
    if real != statistics.present {
        put_varint(out, real.into());
    }
    if let Some(real) = statistics.real.filter(|_| mode != Mode::Constant) {
        real.write(raw_type, out);
    }
    match (mode, raw) {
        (Mode::Constant | Mode::Runs, [first, ..]) => {
            put_number(out, width, *first);
            if mode == Mode::Runs {
                write_changes(raw, changes, out);
            }
        }
        (Mode::Packed, _) => {
            let values = out.len();
            let packed = numbers::pack(raw_type, raw, choice, out);
            if packed.is_none() || out.len() - values > raw.len() * width {
                out.truncate(values);
                out[start] = layout | Mode::Plain.code() << MODE_SHIFT | head & (GAPS | UNREAL);
                for raw in raw {
                    put_number(out, width, *raw);
                }
            }
        }
        _ => {}
    }
}

fn write_changes(raw: &[u64], changes: usize, out: &mut Vec<u8>) {
    put_varint(out, changes as u64);
    let mut last = 0;
    for (n, pair) in raw.windows(2).enumerate() {
        if pair[0] != pair[1] {
            put_varint(out, (n + 1 - last) as u64);
            put_varint(out, pair[0] ^ pair[1]);
            last = n + 1;
        }
    }
}

/// The front of a record.
struct Head {
    raw_type: RawType,
    mode: Mode,
    absent: Vec<Range<u32>>,
    present: usize,
    real: u32,
}

fn read_head(rows: usize, bytes: &mut Bytes<'_>) -> Option<Head> {
    let [head] = bytes.array()?;
    let raw_type = RawType::from_code(head & LAYOUT)?;
    let mode = Mode::from_code(head >> MODE_SHIFT & LAYOUT)?;
    let mut absent = Vec::new();
    let mut present = rows;
    if head & GAPS != 0 {
        let gaps = bytes.count(rows)?;
        let mut end = 0;
        for n in 0..gaps {
            let start = end + bytes.count(rows - end)?;
            let length = bytes.count(rows - start)?;
            if length == 0 || n > 0 && start == end {
                return None;
            }
            end = start + length;
            present -= length;
            absent.push(u32::try_from(start).ok()?..u32::try_from(end).ok()?);
        }
    }
    if (mode == Mode::Empty) != (present == 0) {
        return None;
    }
    let real = if head & UNREAL == 0 { present } else { bytes.count(present)? };
    Some(Head { raw_type, mode, absent, present, real: u32::try_from(real).ok()? })
}

/// The statistics of a record, without its values.
pub(super) fn read_statistics(rows: usize, bytes: &mut Bytes<'_>) -> Option<Statistics> {
    let head = read_head(rows, bytes)?;
    let present = u32::try_from(head.present).ok()?;
    let real = match head.mode {
        _ if head.real == 0 => None,
        Mode::Constant => {
            let raw = bytes.number(head.raw_type.bytes())?;
            Real::constant(head.raw_type, raw, present)
        }
        _ => Some(Real::read(head.raw_type, head.real, bytes)?),
    };
    Some(Statistics { present, real })
}

/// Reads a record. `format` is that of packed values.
pub(super) fn read(rows: usize, format: [u8; FORMAT_BYTES], bytes: &[u8]) -> Option<ColumnValues> {
    let mut bytes = Bytes(bytes);
    let head = read_head(rows, &mut bytes)?;
    let (raw_type, width, present) = (head.raw_type, head.raw_type.bytes(), head.present);
    if head.mode != Mode::Constant && head.real > 0 {
        Real::read(raw_type, head.real, &mut bytes)?;
    }
    // Not more than the rows of a chunk, which are limited.
    let mut raw = Vec::with_capacity(present);
    match head.mode {
        Mode::Empty => {}
        Mode::Constant => raw.resize(present, bytes.number(width)?),
        Mode::Runs => read_runs(width, present, &mut bytes, &mut raw)?,
        Mode::Plain => {
            let values = bytes.take(present * width)?;
            for value in values.chunks_exact(width) {
                raw.push(Bytes(value).number(width)?);
            }
        }
        Mode::Packed => numbers::unpack(raw_type, present, (format, bytes.0), &mut raw)?,
    }
    let highest = raw_type.highest();
    let fits = raw.iter().all(|raw| *raw <= highest);
    fits.then_some(ColumnValues { raw_type, raw, absent: head.absent })
}

fn read_runs(
    width: usize,
    present: usize,
    bytes: &mut Bytes<'_>,
    raw: &mut Vec<u64>,
) -> Option<()> {
    let mut value = bytes.number(width)?;
    for _ in 0..bytes.count(present)? {
        let rows = bytes.count(present - raw.len())?;
        raw.resize(raw.len() + rows, value);
        value ^= bytes.varint()?;
    }
    raw.resize(present, value);
    Some(())
}
