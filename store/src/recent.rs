//! Chunks that were read last, with the times of their rows: points of a block are asked for one after the other, and a
//! long window a day at a time.

use std::cell::OnceCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use signal::clock::Timestamp;

use crate::series::chunk::{Chunk, ChunkError};

/// So many at most: a month of a block that is read each minute has some twenty.
const CHUNKS_MAX: usize = 64;
/// So many bytes of them at most; their times come on top, eight bytes a row.
const BYTES_MAX: usize = 16 << 20;

/// A chunk that was read.
pub(super) struct Held {
    chunk: Chunk,
    times: OnceCell<Vec<Timestamp>>,
}

impl Held {
    pub(super) fn of(chunk: Chunk) -> Self {
        Self { chunk, times: OnceCell::new() }
    }

    pub(super) fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// The time of each row.
    pub(super) fn times(&self) -> Result<&[Timestamp], ChunkError> {
        if let Some(known) = self.times.get() {
            return Ok(known);
        }
        let times = self.chunk.times()?;
        Ok(self.times.get_or_init(|| times))
    }
}

/// Those that were read last, by their number in the store.
#[derive(Default)]
pub(super) struct Recent {
    by_id: HashMap<i64, Rc<Held>>,
    /// In the order in which they came.
    order: VecDeque<i64>,
    bytes: usize,
}

impl Recent {
    pub(super) fn get(&self, id: i64) -> Option<Rc<Held>> {
        self.by_id.get(&id).map(Rc::clone)
    }

    /// Keeps one, in place of those that came first.
    pub(super) fn keep(&mut self, id: i64, held: &Rc<Held>) {
        self.bytes += held.chunk.bytes().len();
        self.by_id.insert(id, Rc::clone(held));
        self.order.push_back(id);
        while self.order.len() > CHUNKS_MAX || self.bytes > BYTES_MAX {
            let Some(first) = self.order.pop_front() else { break };
            if let Some(gone) = self.by_id.remove(&first) {
                self.bytes -= gone.chunk.bytes().len();
            }
        }
    }
}
