//! Chunks: some hundred rows of a block, compressed and never changed again.
//!
//! The bytes of a chunk say what they are, so that a store can keep them as they are and whoever
//! reads them needs no plan. Numbers are little-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `GWSC` |
//! | 4 | 4 | CRC-32 of everything behind it |
//! | 8 | 1 | version of this layout, 1 |
//! | 9 | 1 | bytes of an entry of the index, 2 or 4 |
//! | 10 | 2 | version of the format of packed columns |
//! | 12 | 4 | rows |
//! | 16 | 4 | columns |
//! | 20 | 4 | scan period, milliseconds |
//! | 24 | 8 | earliest time of a row, milliseconds since 1970 |
//! | 32 | 8 | latest time of a row |
//! | 40 | 2 or 4 each | index: where the record of each column begins, from the end of the index on |
//! | then | | times, and the records of the columns (`store/src/series/times.rs`, `store/src/series/column.rs`) |

use std::sync::Arc;

use signal::clock::Timestamp;
pub use signal::raw::{RawType, decoded, flags};
use thiserror::Error;

use super::bytes::{Bytes, put_number};
pub use super::column::ColumnValues;
pub use super::numbers::Choices;
use super::numbers::{self, FORMAT_BYTES};
pub use super::statistics::{Real, Statistics};
use super::{column, times};

/// Most rows of a chunk; no program has made one of more than 1 800.
pub const ROWS_MAX: usize = 2_048;
/// Most columns: as many values and qualities as the bits of one request, and room to spare.
pub const COLUMNS_MAX: usize = 4_096;
/// Most bytes of a chunk.
pub const BYTES_MAX: usize = 64 << 20;

const MARK: [u8; 4] = *b"GWSC";
const VERSION: u8 = 1;
const CHECKED_FROM: usize = 8;
const HEADER_BYTES: usize = 40;

/// Rows of a block. A clone is a handle of the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk(Arc<[u8]>);

/// Why bytes are no chunk, or rows make none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// They do not begin as a chunk does.
    #[error("these bytes are no chunk")]
    Foreign,
    /// A later program has written them.
    #[error("a chunk of version {0}: this program reads version {VERSION}")]
    Version(u8),
    /// The checksum is not that of the bytes.
    #[error("the chunk was damaged: its checksum is wrong")]
    Checksum,
    /// The bytes contradict themselves.
    #[error("the chunk was damaged: its {0} cannot be right")]
    Damaged(&'static str),
    /// No chunk has this column.
    #[error("the chunk has no column {0}")]
    NoColumn(usize),
    /// More than a chunk can hold, or columns that do not have the rows.
    #[error("the {0} do not fit a chunk")]
    Unfit(&'static str),
}

/// What a chunk says of itself.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Bytes of an entry of the index.
    entry_bytes: usize,
    format: [u8; FORMAT_BYTES],
    rows: usize,
    columns: usize,
    period_ms: u32,
    earliest: i64,
    latest: i64,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        bytes.take(CHECKED_FROM)?;
        let [_, entry_bytes] = bytes.array()?;
        Some(Self {
            entry_bytes: entry_bytes.into(),
            format: bytes.array()?,
            rows: u32::from_le_bytes(bytes.array()?).try_into().ok()?,
            columns: u32::from_le_bytes(bytes.array()?).try_into().ok()?,
            period_ms: u32::from_le_bytes(bytes.array()?),
            earliest: i64::from_le_bytes(bytes.array()?),
            latest: i64::from_le_bytes(bytes.array()?),
        })
    }

    fn records_from(&self) -> usize {
        HEADER_BYTES + self.entry_bytes * self.columns
    }
}

impl Chunk {
    /// Takes bytes for a chunk, after a look at mark, version, checksum and limits.
    pub fn from_bytes(bytes: Arc<[u8]>) -> Result<Self, ChunkError> {
        if bytes.get(..4) != Some(&MARK[..]) || bytes.len() < HEADER_BYTES {
            return Err(ChunkError::Foreign);
        }
        let version = bytes[CHECKED_FROM];
        if version != VERSION {
            return Err(ChunkError::Version(version));
        }
        let said = bytes.get(4..CHECKED_FROM).and_then(|said| said.try_into().ok());
        if said.map(u32::from_le_bytes) != Some(crc32fast::hash(&bytes[CHECKED_FROM..])) {
            return Err(ChunkError::Checksum);
        }
        let header = Header::read(&bytes).ok_or(ChunkError::Damaged("header"))?;
        let fits = matches!(header.entry_bytes, 2 | 4)
            && (1..=ROWS_MAX).contains(&header.rows)
            && header.columns <= COLUMNS_MAX
            && header.period_ms > 0
            && header.earliest <= header.latest
            && bytes.len() <= BYTES_MAX;
        if !fits {
            return Err(ChunkError::Damaged("header"));
        }
        let chunk = Self(bytes);
        let mut last = header.records_from();
        for n in 0..header.columns {
            let start = chunk.record_start(&header, n).filter(|start| *start >= last);
            last = start.ok_or(ChunkError::Damaged("index"))?;
        }
        if last > chunk.0.len() { Err(ChunkError::Damaged("index")) } else { Ok(chunk) }
    }

    /// The bytes, to be kept.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.0
    }

    fn header(&self) -> Header {
        let none = Header {
            entry_bytes: 0,
            format: [0; FORMAT_BYTES],
            rows: 0,
            columns: 0,
            period_ms: 1,
            earliest: 0,
            latest: 0,
        };
        // Every chunk was seen to have one.
        Header::read(&self.0).unwrap_or(none)
    }

    /// Rows, 1 to [`ROWS_MAX`].
    pub fn rows(&self) -> usize {
        self.header().rows
    }

    /// Columns, at most [`COLUMNS_MAX`].
    pub fn columns(&self) -> usize {
        self.header().columns
    }

    /// Scan period of the block, milliseconds, at least 1.
    pub fn period_ms(&self) -> u32 {
        self.header().period_ms
    }

    /// Earliest and latest time of a row. Rows are in the order in which they came, so that these
    /// are those of the first and the last one unless a clock went back.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let header = self.header();
        (Timestamp(header.earliest), Timestamp(header.latest))
    }

    fn record_start(&self, header: &Header, n: usize) -> Option<usize> {
        let mut index = Bytes(self.0.get(HEADER_BYTES + header.entry_bytes * n..)?);
        let start = usize::try_from(index.number(header.entry_bytes)?).ok()?;
        start.checked_add(header.records_from())
    }

    /// The bytes of the record of a column.
    fn record(&self, header: &Header, n: usize) -> Result<&[u8], ChunkError> {
        if n >= header.columns {
            return Err(ChunkError::NoColumn(n));
        }
        let next = if n + 1 < header.columns { self.record_start(header, n + 1) } else { None };
        let range = self.record_start(header, n).zip(Some(next.unwrap_or(self.0.len())));
        let record = range.and_then(|(start, end)| self.0.get(start..end));
        record.ok_or(ChunkError::Damaged("index"))
    }

    /// The time of each row.
    pub fn times(&self) -> Result<Vec<Timestamp>, ChunkError> {
        let header = self.header();
        let end = if header.columns > 0 { self.record_start(&header, 0) } else { None };
        let bytes = self.0.get(header.records_from()..end.unwrap_or(self.0.len()));
        let grid = (header.period_ms, header.earliest);
        let times = bytes.and_then(|bytes| times::read(header.rows, grid, header.format, bytes));
        let times = times.ok_or(ChunkError::Damaged("times"))?;
        Ok(times.into_iter().map(Timestamp).collect())
    }

    /// The values of a column.
    pub fn column(&self, n: usize) -> Result<ColumnValues, ChunkError> {
        let header = self.header();
        let record = self.record(&header, n)?;
        column::read(header.rows, header.format, record).ok_or(ChunkError::Damaged("values"))
    }

    /// What the values of a column come to, without decoding them.
    pub fn statistics(&self, n: usize) -> Result<Statistics, ChunkError> {
        let header = self.header();
        let mut record = Bytes(self.record(&header, n)?);
        let statistics = column::read_statistics(header.rows, &mut record);
        statistics.ok_or(ChunkError::Damaged("statistics"))
    }
}

/// Makes a chunk, column by column.
#[derive(Debug)]
pub struct ChunkWriter<'a> {
    choices: &'a mut Choices,
    /// The header from the rows on.
    header: Vec<u8>,
    /// Where the records begin.
    index: Vec<usize>,
    /// Times and records.
    records: Vec<u8>,
    rows: usize,
    columns: usize,
}

impl<'a> ChunkWriter<'a> {
    /// Begins a chunk with the times of its rows, which came about every `period_ms` milliseconds.
    /// `choices` are those of the block, or new ones.
    ///
    /// # Errors
    /// [`ChunkError::Unfit`] when there are no rows, or more of something than a chunk can hold.
    pub fn new(
        period_ms: u32,
        times: &[Timestamp],
        columns: usize,
        choices: &'a mut Choices,
    ) -> Result<Self, ChunkError> {
        let rows = times.len();
        let earliest = times.iter().min().filter(|_| rows <= ROWS_MAX);
        let (Some(earliest), Some(latest)) = (earliest, times.iter().max()) else {
            return Err(ChunkError::Unfit("rows"));
        };
        if columns > COLUMNS_MAX {
            return Err(ChunkError::Unfit("columns"));
        }
        let mut header = Vec::with_capacity(HEADER_BYTES);
        for count in [rows, columns] {
            put_number(&mut header, 4, count as u64);
        }
        header.extend_from_slice(&period_ms.max(1).to_le_bytes());
        header.extend_from_slice(&earliest.0.to_le_bytes());
        header.extend_from_slice(&latest.0.to_le_bytes());
        let mut records = Vec::with_capacity(16 * columns + rows);
        let own = times.iter().map(|time| time.0);
        times::write(own, period_ms, earliest.0, choices, &mut records);
        let index = Vec::with_capacity(columns);
        Ok(Self { choices, header, index, records, rows, columns })
    }

    /// Appends the next column.
    ///
    /// # Errors
    /// [`ChunkError::Unfit`] when it does not have the rows of the chunk, or is one too many.
    pub fn push(&mut self, column: &ColumnValues) -> Result<(), ChunkError> {
        let place =
            u16::try_from(self.index.len()).ok().filter(|_| self.index.len() < self.columns);
        let (Some(place), true) = (place, column.fits(self.rows)) else {
            return Err(ChunkError::Unfit("columns"));
        };
        self.index.push(self.records.len());
        column::write(column, (place, self.choices), &mut self.records);
        Ok(())
    }

    /// The chunk.
    ///
    /// # Errors
    /// [`ChunkError::Unfit`] when columns are missing, or there are more bytes than a chunk has.
    pub fn finish(self) -> Result<Chunk, ChunkError> {
        let format = numbers::format().ok_or(ChunkError::Unfit("columns"))?;
        let is_short = u16::try_from(self.records.len()).is_ok();
        let entry_bytes = if is_short { 2 } else { 4 };
        let size = HEADER_BYTES + entry_bytes * self.columns + self.records.len();
        if self.index.len() < self.columns || size > BYTES_MAX {
            return Err(ChunkError::Unfit("columns"));
        }
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[VERSION, if is_short { 2 } else { 4 }]);
        out.extend_from_slice(&format);
        out.extend_from_slice(&self.header);
        for start in self.index {
            put_number(&mut out, entry_bytes, start as u64);
        }
        out.extend_from_slice(&self.records);
        let checksum = crc32fast::hash(&out[CHECKED_FROM..]);
        out[4..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
        Ok(Chunk(out.into()))
    }
}

#[cfg(test)]
mod tests;
