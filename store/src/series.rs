//! The series: every value that came, for hours, compressed in memory.
//!
//! One row for each answer, with its time and the values that came, raw. Rows of a block (one group
//! of a layout) stand together, because they share their times and most of their fate. What did not
//! come makes no row: a gap stays a gap.
//!
//! The newest rows of a block are kept as they came (`store/src/series/head.rs`); when there are enough of
//! them they are sealed into an immutable [`chunk`], and six small chunks are later joined into a
//! large one. When all of it takes more than the budget, what was sealed first is forgotten, over
//! all blocks alike. What it costs is told by `examples/series.rs`.

mod block;
mod bytes;
pub mod chunk;
mod column;
pub mod fresh;
mod head;
mod layout;
mod numbers;
pub mod reads;
mod statistics;
#[cfg(test)]
mod tests;
mod times;

use std::collections::VecDeque;
use std::sync::Arc;

use config::{ChannelId, PointId, Province};
use signal::clock::Timestamp;
use signal::layout::{Layout, Part};
use signal::update::{Answer, News, Outcome, Update};

use block::{BlockSeries, JOINED};
pub use block::{Joined, join, later};
use chunk::Chunk;
use fresh::Row;
use layout::ChannelLayout;

/// Rows of a head when the budget allows: the five minutes of a block that is read each second.
const HEAD_ROWS_MAX: usize = 300;
/// Rows of a head when it does not: with fewer, chunks would be mostly their own description.
const HEAD_ROWS_MIN: usize = 30;
/// Heads take at most one part in so many of the budget, and so do chunks that wait to be taken.
const HEAD_SHARE: usize = 4;
/// Rows of a block among which the oldest may stand, since replies may overtake each other.
const OUT_OF_ORDER_MAX: usize = 4;
/// What an allocation takes beside what was asked for: a length, and rounding up.
const ALLOCATION_BYTES: usize = 16;
/// What a chunk takes beside its bytes: two counts of who holds it, and the allocation.
const CHUNK_BYTES: usize = 16 + ALLOCATION_BYTES;
/// Memory between chunks that lies idle, as one part in so many of theirs: chunks of many sizes come
/// and go, and what one leaves seldom fits the next. Measured: an eighth to a quarter.
const IDLE_ONE_IN: usize = 8;

/// Every value that came, as far back as the budget reaches.
pub struct Buffer {
    budget: usize,
    /// Rows of a head.
    head_rows: usize,
    channels: Vec<ChannelSeries>,
    /// Every seal that is not forgotten: its number, and what was sealed.
    seals: VecDeque<(u64, ChannelId, u16)>,
    next_seal: u64,
    /// Sealed since somebody last asked.
    waiting: VecDeque<Sealed>,
    waiting_bytes: usize,
    untaken: u64,
    /// Rows that came since somebody last asked, when somebody does, and the time they are told from.
    fresh: Option<(Timestamp, Vec<u8>)>,
    /// Bytes that do not change, and those of all blocks.
    fixed_bytes: usize,
    block_bytes: usize,
}

/// Memory that a chunk takes.
fn footprint(chunk: &Chunk) -> usize {
    let bytes = chunk.bytes().len();
    bytes + bytes / IDLE_ONE_IN + CHUNK_BYTES
}

/// The blocks of a channel.
struct ChannelSeries {
    layout: Arc<ChannelLayout>,
    blocks: Vec<BlockSeries>,
}

/// Rows of a block that were sealed.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Station and centre.
    pub channel: ChannelId,
    /// The block: its place in the channel's layout.
    pub block: usize,
    /// What each column is.
    pub columns: Arc<[(PointId, Part)]>,
    /// Its rows.
    pub chunk: Chunk,
    /// The same with the rows before them, when they were just joined: who keeps those may keep this
    /// one in place of all.
    pub joined: Option<Joined>,
}

impl Sealed {
    /// Memory that it takes while it waits to be taken, as if it were not among the chunks too.
    fn footprint(&self) -> usize {
        let joined = self.joined.as_ref().map_or(0, |joined| footprint(&joined.chunk));
        footprint(&self.chunk) + joined
    }
}

impl Buffer {
    /// A buffer without rows. `layouts` has one per channel; `budget_bytes` is what all of it
    /// may take. Heads and fixed parts are taken even where they are more than that: then no chunk
    /// is kept.
    pub fn new(province: &Province, layouts: &[Arc<Layout>], budget_bytes: usize) -> Self {
        let points = province.channels.iter().map(|channel| channel.entries.len());
        let layouts = layout::kept(layouts.iter().zip(points));
        let blocks = || layouts.iter().flat_map(|layout| &layout.blocks);
        let row_bytes: usize = blocks().map(|block| block.row_bytes + size_of::<Timestamp>()).sum();
        let head_rows = budget_bytes / HEAD_SHARE / row_bytes.max(1);
        let head_rows = head_rows.clamp(HEAD_ROWS_MIN, HEAD_ROWS_MAX);
        let count = blocks().count();
        let mut known: Vec<&Arc<ChannelLayout>> = layouts.iter().collect();
        known.sort_unstable_by_key(|layout| Arc::as_ptr(layout));
        known.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let shared: usize = known.iter().map(|layout| layout.bytes()).sum();
        let mut number = 0;
        let series_of = |layout: Arc<ChannelLayout>| {
            let blocks = layout.blocks.iter().map(|block| {
                number += 1;
                // First seals and first joins are spread evenly, and so are all that follow: the
                // seconds of a fleet cost the same.
                let first_rows = head_rows * number / count.max(1);
                BlockSeries::new(block, (first_rows, head_rows), number % JOINED)
            });
            ChannelSeries { blocks: blocks.collect(), layout: Arc::clone(&layout) }
        };
        let channels: Vec<ChannelSeries> = layouts.iter().cloned().map(series_of).collect();
        let all = || channels.iter().flat_map(|channel| &channel.blocks);
        Self {
            budget: budget_bytes,
            head_rows,
            seals: VecDeque::new(),
            next_seal: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            untaken: 0,
            fresh: None,
            fixed_bytes: shared
                + channels.len() * (size_of::<ChannelSeries>() + ALLOCATION_BYTES)
                + count * size_of::<BlockSeries>(),
            block_bytes: all().map(BlockSeries::bytes).sum(),
            channels,
        }
    }

    /// Takes in the values of an update; anything else of it says nothing of them.
    pub fn accept(&mut self, update: &Update) {
        let News::Answers(answers) = &update.news else { return };
        for Answer { group, columns, outcome, evidence, .. } in answers {
            let Outcome::Row { row, .. } = outcome else { continue };
            // What came may have been held until the stream behind it was seen to be in order.
            let at = evidence.heard().min(update.at);
            let (channel, group, columns) = (update.channel, usize::from(*group), columns.clone());
            self.accept_row(&Row { channel, group, at, columns, row });
        }
    }

    /// Takes in a row, unless nothing of its block is kept.
    pub fn accept_row(&mut self, row: &Row<'_>) {
        let Some(ChannelSeries { layout, blocks }) = self.channels.get_mut(row.channel.index())
        else {
            return;
        };
        let Some(place) = layout.place(row.group) else { return };
        let (Some(own), Some(block)) = (layout.blocks.get(place), blocks.get_mut(place)) else {
            return;
        };
        if let Some((since, out)) = &mut self.fresh {
            if out.is_empty() {
                *since = row.at;
                fresh::begin(out, *since);
            }
            fresh::put(out, *since, row);
        }
        let before = block.head.bytes();
        block.head.push(own, row.at, &row.columns, row.row);
        self.block_bytes += block.head.bytes() - before;
        if block.is_due() {
            self.seal(row.channel, place);
            self.evict();
        }
    }

    /// From now on remembers rows as they come, for [`Buffer::take_fresh`].
    pub fn keep_fresh(&mut self) {
        self.fresh.get_or_insert_default();
    }

    /// The rows that came since the last call, to be read with [`fresh::entries`]; nothing when they are
    /// not remembered.
    pub fn take_fresh(&mut self) -> Vec<u8> {
        self.fresh.as_mut().map(|(_, rows)| std::mem::take(rows)).unwrap_or_default()
    }

    /// Seals the heads whose rows go back before a moment, and returns the time of the oldest row that is
    /// still open.
    pub fn seal_before(&mut self, moment: Timestamp) -> Option<Timestamp> {
        let mut oldest: Option<Timestamp> = None;
        for n in 0..self.channels.len() {
            for place in 0..self.channels[n].blocks.len() {
                // Rows come nearly in order: by so much one may be older than the first.
                let first = self.channels[n].blocks[place].head.times.iter().take(OUT_OF_ORDER_MAX);
                let Some(first) = first.min().copied() else { continue };
                if first < moment {
                    self.seal(ChannelId::at(n), place);
                } else {
                    oldest = Some(oldest.map_or(first, |oldest| oldest.min(first)));
                }
            }
        }
        self.evict();
        oldest
    }

    /// What the columns of a block of a channel's layout are, when something of it is kept.
    pub fn columns(&self, (channel, block): (ChannelId, usize)) -> Option<&[(PointId, Part)]> {
        let layout = &self.channels.get(channel.index())?.layout;
        Some(&layout.blocks.get(layout.place(block)?)?.parts)
    }

    /// Seals the head of a block.
    fn seal(&mut self, channel: ChannelId, place: usize) {
        let Some(series) = self.channels.get_mut(channel.index()) else { return };
        let (Some(own), Some(block), Ok(short)) =
            (series.layout.blocks.get(place), series.blocks.get_mut(place), u16::try_from(place))
        else {
            return;
        };
        let before = block.bytes();
        let sealed = block.seal(own, self.next_seal, self.head_rows);
        self.block_bytes = self.block_bytes - before + block.bytes();
        match sealed {
            None => {}
            Some(Ok((chunk, joined))) => {
                self.seals.push_back((self.next_seal, channel, short));
                self.next_seal += 1;
                let (block, columns) = (own.number, Arc::clone(&own.parts));
                let sealed = Sealed { channel, block, columns, chunk, joined };
                self.waiting_bytes += sealed.footprint();
                self.waiting.push_back(sealed);
            }
            Some(Err(error)) => tracing::error!(%error, "rows of a block are lost"),
        }
    }

    /// Forgets what was sealed first until the rest fits.
    fn evict(&mut self) {
        while self.waiting_bytes > self.budget / HEAD_SHARE {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= oldest.footprint();
            self.untaken += 1;
        }
        while self.used() > self.budget {
            let Some((seal, channel, place)) = self.seals.pop_front() else { break };
            let series = self.channels.get_mut(channel.index());
            let block = series.and_then(|series| series.blocks.get_mut(usize::from(place)));
            if let Some(block) = block {
                // Where the rows of this seal are joined with later ones, they go with those.
                let before = block.bytes();
                block.evict(seal);
                self.block_bytes = self.block_bytes - before + block.bytes();
            }
        }
    }

    /// Seals every head: before the end, so that nothing is left that nobody can take.
    pub fn flush(&mut self) {
        for n in 0..self.channels.len() {
            for place in 0..self.channels[n].blocks.len() {
                self.seal(ChannelId::at(n), place);
            }
        }
        self.evict();
    }

    /// What was sealed since the last call, oldest first: every row once, in chunks of the rows of
    /// one head. Who wants none of it takes it all the same: what waits takes up to a quarter of
    /// the budget, and beyond that the oldest is dropped ([`Buffer::untaken`]).
    pub fn take_sealed(&mut self) -> Vec<Sealed> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting).into()
    }

    /// Chunks that were dropped before somebody took them.
    pub fn untaken(&self) -> u64 {
        self.untaken
    }

    /// Bytes that all of it takes: chunks with the memory that lies idle between them, heads, what
    /// describes them, and what waits to be taken (counted as if it were not among the chunks too).
    pub fn used(&self) -> usize {
        self.fixed_bytes
            + self.block_bytes
            + self.waiting_bytes
            + self.waiting.capacity() * size_of::<Sealed>()
            + self.seals.capacity() * size_of::<(u64, ChannelId, u16)>()
    }

    /// Rows after which a head is sealed, 30 to 300.
    pub fn head_rows(&self) -> usize {
        self.head_rows
    }

    /// The chunks of a block of the channel's layout, oldest first. Its open rows are not among them.
    /// A clone of a chunk is a handle: it can be decoded elsewhere, and outlives its eviction.
    pub fn chunks(
        &self,
        channel: ChannelId,
        block: usize,
    ) -> impl DoubleEndedIterator<Item = &Chunk> {
        let series = self.channels.get(channel.index());
        let block =
            series.and_then(|series| series.blocks.get(series.layout.place(block)?)).into_iter();
        block.flat_map(BlockSeries::chunks)
    }
}
