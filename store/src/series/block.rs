//! The rows of one block: open ones in front, chunks behind them, small ones joined to large ones.

use std::collections::VecDeque;

use signal::clock::Timestamp;

use super::chunk::{Chunk, ChunkError, ChunkWriter, ColumnValues, RawType, Statistics};
use super::head::Head;
use super::layout::{BlockLayout, Place};
use super::numbers::Choices;
use super::{ALLOCATION_BYTES, footprint};

/// Chunks of equal rank that are joined to one of the next.
pub(super) const JOINED: usize = 6;
/// Most rows of a joined chunk. Beyond it, chunks hardly grow denser and reads of a moment dearer.
const JOINED_ROWS_MAX: usize = 1_800;

/// Rows of a block.
pub(super) struct BlockSeries {
    pub(super) head: Head,
    /// Rows at which the head is sealed.
    head_rows: usize,
    /// Seals whose chunks are not joined with those that follow.
    apart: usize,
    /// Oldest first.
    chunks: VecDeque<Stored>,
    /// Bytes of them.
    chunk_bytes: usize,
    choices: Choices,
}

/// A chunk and its place in the order of all.
struct Stored {
    chunk: Chunk,
    /// When the last of its rows were sealed: the number of that seal.
    seal: u64,
    /// How many times its rows were joined.
    rank: u8,
}

/// A chunk with the ones before it.
#[derive(Debug, Clone)]
pub struct Joined {
    /// How many chunks of its block that were sealed, or joined, right before are in it, too.
    pub with: usize,
    /// All their rows.
    pub chunk: Chunk,
}

/// Rows of a block, sealed or open.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    Sealed(&'a Chunk),
    Open(&'a Head, &'a BlockLayout),
}

impl BlockSeries {
    /// Without rows. The first seal comes after `first_rows`, the others after `rows`; the chunks
    /// of the first `apart` seals are not joined with those that follow.
    pub(super) fn new(
        layout: &BlockLayout,
        (first_rows, rows): (usize, usize),
        apart: usize,
    ) -> Self {
        Self {
            head: Head::new(rows, layout.row_bytes),
            head_rows: first_rows.clamp(1, rows.max(1)),
            apart,
            chunks: VecDeque::new(),
            chunk_bytes: 0,
            choices: Choices::default(),
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn bytes(&self) -> usize {
        self.head.bytes()
            + self.chunk_bytes
            + self.choices.bytes()
            + self.chunks.capacity() * size_of::<Stored>()
            + 4 * ALLOCATION_BYTES
    }

    /// Whether the head is to be sealed.
    pub(super) fn is_due(&self) -> bool {
        self.head.times.len() >= self.head_rows
    }

    /// Seals the head, which is then empty; the next one has `rows` rows. `None` without rows. Returns its
    /// chunk, and what it was joined to.
    pub(super) fn seal(
        &mut self,
        layout: &BlockLayout,
        seal: u64,
        rows: usize,
    ) -> Option<Result<(Chunk, Option<Joined>), ChunkError>> {
        if self.head.times.is_empty() {
            return None;
        }
        let sealed = self.seal_head(layout);
        self.head.clear();
        self.head_rows = rows;
        Some(sealed.map(|chunk| {
            let rank = u8::from(self.apart > 0);
            self.apart = self.apart.saturating_sub(1);
            let before = self.chunks.len();
            self.push(Stored { chunk: chunk.clone(), seal, rank });
            while let Some(joined) = self.join() {
                for _ in 0..JOINED {
                    self.forget_newest();
                }
                self.push(joined);
            }
            let with = (before + 1).saturating_sub(self.chunks.len());
            let newest = self.chunks.back().filter(|_| with > 0);
            let joined = newest.map(|stored| Joined { with, chunk: stored.chunk.clone() });
            (chunk, joined)
        }))
    }

    fn seal_head(&mut self, layout: &BlockLayout) -> Result<Chunk, ChunkError> {
        let (head, columns) = (&self.head, layout.columns.len());
        let mut writer =
            ChunkWriter::new(layout.period_ms, &head.times, columns, &mut self.choices)?;
        let mut column = ColumnValues::new(RawType::Bit);
        for n in 0..columns {
            head.read(layout, n, &mut column);
            writer.push(&column)?;
        }
        writer.finish()
    }

    /// The newest chunks as one, when there are enough of equal rank and their rows are not too
    /// many.
    fn join(&mut self) -> Option<Stored> {
        let newest = self.chunks.range(self.chunks.len().checked_sub(JOINED)?..);
        let newest: Vec<&Stored> = newest.collect();
        let (last, rank) = (newest.last()?.seal, newest.last()?.rank);
        let rows: usize = newest.iter().map(|stored| stored.chunk.rows()).sum();
        if rows > JOINED_ROWS_MAX || newest.iter().any(|stored| stored.rank != rank) {
            return None;
        }
        let chunks: Vec<Chunk> = newest.iter().map(|stored| stored.chunk.clone()).collect();
        match join(&chunks, &mut self.choices) {
            Ok(chunk) => Some(Stored { chunk, seal: last, rank: rank.saturating_add(1) }),
            Err(error) => {
                tracing::error!(%error, "chunks stay small");
                None
            }
        }
    }

    fn push(&mut self, stored: Stored) {
        self.chunk_bytes += footprint(&stored.chunk);
        self.chunks.push_back(stored);
    }

    fn forget_newest(&mut self) {
        if let Some(stored) = self.chunks.pop_back() {
            self.chunk_bytes -= footprint(&stored.chunk);
        }
    }

    /// Forgets the oldest chunk if its last rows are those of this seal.
    pub(super) fn evict(&mut self, seal: u64) {
        if self.chunks.front().is_some_and(|oldest| oldest.seal == seal)
            && let Some(stored) = self.chunks.pop_front()
        {
            self.chunk_bytes -= footprint(&stored.chunk);
        }
    }

    /// The seal of its oldest chunk.
    #[cfg(test)]
    pub(super) fn oldest_seal(&self) -> Option<u64> {
        self.chunks.front().map(|oldest| oldest.seal)
    }

    /// Its chunks, oldest first.
    pub(super) fn chunks(&self) -> impl DoubleEndedIterator<Item = &Chunk> {
        self.chunks.iter().map(|stored| &stored.chunk)
    }

    /// Everything it has, oldest first.
    pub(super) fn pieces<'a>(
        &'a self,
        layout: &'a BlockLayout,
    ) -> impl DoubleEndedIterator<Item = Piece<'a>> {
        let open = (!self.head.times.is_empty()).then_some(Piece::Open(&self.head, layout));
        self.chunks().map(Piece::Sealed).chain(open)
    }
}

impl Piece<'_> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Sealed(chunk) => chunk.rows(),
            Self::Open(head, _) => head.times.len(),
        }
    }

    /// Earliest and latest time of a row.
    pub(super) fn span(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::Sealed(chunk) => chunk.span(),
            Self::Open(head, _) => {
                let times = || head.times.iter().copied();
                (times().min().unwrap_or_default(), times().max().unwrap_or_default())
            }
        }
    }

    pub(super) fn times(&self) -> Result<Vec<Timestamp>, ChunkError> {
        match self {
            Self::Sealed(chunk) => chunk.times(),
            Self::Open(head, _) => Ok(head.times.clone()),
        }
    }

    pub(super) fn column(&self, place: Place) -> Result<ColumnValues, ChunkError> {
        let n = usize::from(place.column);
        match self {
            Self::Sealed(chunk) => chunk.column(n),
            Self::Open(head, layout) => {
                let raw_type = layout.columns.get(n).ok_or(ChunkError::NoColumn(n))?.raw_type;
                let mut column = ColumnValues::new(raw_type);
                head.read(layout, n, &mut column);
                Ok(column)
            }
        }
    }

    pub(super) fn statistics(&self, place: Place) -> Result<Statistics, ChunkError> {
        match self {
            Self::Sealed(chunk) => chunk.statistics(place.column.into()),
            Self::Open(..) => Ok(self.column(place)?.statistics()),
        }
    }
}

/// Chunks of one block, oldest first, as one chunk. `choices` are those of the block, or new ones.
///
/// # Errors
/// [`ChunkError::Unfit`] when they do not have the same columns, or too many rows; otherwise what
/// is wrong with one of them.
pub fn join(chunks: &[Chunk], choices: &mut Choices) -> Result<Chunk, ChunkError> {
    let first = chunks.first().ok_or(ChunkError::Unfit("rows"))?;
    let columns = first.columns();
    if chunks.iter().any(|chunk| chunk.columns() != columns) {
        return Err(ChunkError::Unfit("columns"));
    }
    let mut times = Vec::new();
    for chunk in chunks {
        times.extend(chunk.times()?);
    }
    let mut writer = ChunkWriter::new(first.period_ms(), &times, columns, choices)?;
    for n in 0..columns {
        let mut joined = first.column(n)?;
        let mut rows = first.rows();
        for chunk in &chunks[1..] {
            let column = chunk.column(n)?;
            if column.raw_type != joined.raw_type {
                return Err(ChunkError::Unfit("columns"));
            }
            let before = u32::try_from(rows).map_err(|_| ChunkError::Unfit("rows"))?;
            joined.append(before, &column);
            rows += chunk.rows();
        }
        writer.push(&joined)?;
    }
    writer.finish()
}

/// The rows of a chunk that are later than a moment; `None`: there are none. `choices` are those of the block, or new
/// ones.
///
/// # Errors
/// What is wrong with the chunk.
pub fn later(
    chunk: &Chunk,
    than: Timestamp,
    choices: &mut Choices,
) -> Result<Option<Chunk>, ChunkError> {
    let times = chunk.times()?;
    let stays: Vec<bool> = times.iter().map(|at| *at > than).collect();
    let left: Vec<Timestamp> = times.into_iter().filter(|at| *at > than).collect();
    if left.is_empty() {
        return Ok(None);
    }
    let mut writer = ChunkWriter::new(chunk.period_ms(), &left, chunk.columns(), choices)?;
    for n in 0..chunk.columns() {
        writer.push(&chunk.column(n)?.only(&stays))?;
    }
    writer.finish().map(Some)
}
