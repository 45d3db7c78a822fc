//! What a recording learns, gathered into batches for a store: the updates that come, and the snapshots that the
//! historian makes of them.

use std::sync::Arc;

use historian::Historian;
use historian::alarms::{Alarm, Alarms};
use historian::snapshot::Snapshot;
use signal::clock::Timestamp;
use signal::update::Update;

use super::batch::{Batch, Batcher};
use crate::series::Buffer;

/// Gathers what is learned from a moment on. Whoever commits the batches says where to, and how often.
pub struct Recorder {
    buffer: Buffer,
    batcher: Batcher,
    alarms: Alarms,
}

impl Recorder {
    /// Nothing was learned before `from`; values wait in `buffer`.
    pub fn new(from: Timestamp, buffer: Buffer) -> Self {
        Self { buffer, batcher: Batcher::new(from), alarms: Alarms::default().keeping() }
    }

    /// Takes the values of an update. Verdicts, events and alarms follow from the snapshots alone.
    pub fn accept(&mut self, update: &Update) {
        self.buffer.accept(update);
    }

    /// Looks at the latest snapshot of the historian. What is new comes back when it is time for it: `every_ms`
    /// after the last time, or when no other snapshot will follow (`last`).
    pub fn look(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        (every_ms, last): (i64, bool),
    ) -> Option<Batch> {
        self.alarms.look(snapshot);
        let sources = (historian, &mut self.buffer, &mut self.alarms);
        self.batcher.gather(sources, snapshot, (every_ms, last))
    }

    /// Alarms that are listed, as of the latest snapshot that was looked at.
    pub fn listed(&self) -> Arc<[Alarm]> {
        self.alarms.listed()
    }

    /// Values that are in no batch yet.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}
