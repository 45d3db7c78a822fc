//! Records a stretch of time into a store, as `simulate --record` does: for tests that read it afterwards.

use std::io;
use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::{layouts, plans};
use gridwatch::historian::Historian;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::recording::{Recording, Sink};
use gridwatch::series::Buffer;
use gridwatch::signal::update::Update;
use gridwatch::store::{Recorder, Writer};
use sim::{Plans, Scenario};

/// Bytes of values that are held before they go into the store.
const BUFFER_BYTES: usize = 64 << 20;

/// Keeps what is recorded, and commits it so often.
struct Keeping {
    writer: Writer,
    recorder: Recorder,
    every_ms: i64,
    /// Values, too.
    values: bool,
}

impl Sink for Keeping {
    fn accept(&mut self, update: &Update) -> io::Result<()> {
        if self.values {
            self.recorder.accept(update);
        }
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        last: bool,
    ) -> io::Result<()> {
        let batch = self.recorder.look(historian, snapshot, (self.every_ms, last));
        batch.map_or(Ok(()), |batch| self.writer.commit(&batch).map_err(io::Error::other))
    }
}

/// Records what happens in a province from one moment to another into the store of a folder, with a commit
/// every so many milliseconds.
pub(crate) fn record(
    folder: &Path,
    province: &Arc<Province>,
    scenario: Scenario,
    window: (Timestamp, Timestamp),
    every_ms: i64,
) {
    let to_come = Plans { scenario: Some(scenario), ..Plans::default() };
    let recording = Recording::start(province, to_come, window);
    keep(recording, (folder, province), (window.0, every_ms));
}

/// The same without values, as `simulate --record --no-values` does.
pub(crate) fn record_without_values(
    folder: &Path,
    province: &Arc<Province>,
    scenario: Scenario,
    window: (Timestamp, Timestamp),
) {
    let to_come = Plans { scenario: Some(scenario), ..Plans::default() };
    let recording = Recording::start(province, to_come, window);
    keep_some(recording, (folder, province), (window.0, 600_000), false);
}

/// Keeps a recording that begins at a moment in the store of a folder, with a commit every so many milliseconds.
pub(crate) fn keep(
    recording: Recording,
    place: (&Path, &Arc<Province>),
    (from, every_ms): (Timestamp, i64),
) {
    keep_some(recording, place, (from, every_ms), true);
}

fn keep_some(
    mut recording: Recording,
    (folder, province): (&Path, &Arc<Province>),
    (from, every_ms): (Timestamp, i64),
    values: bool,
) {
    let mut keeping = Keeping {
        writer: Writer::open(folder, province).unwrap(),
        recorder: Recorder::new(
            from,
            Buffer::new(province, &layouts(&plans(province)), BUFFER_BYTES),
        ),
        every_ms,
        values,
    };
    while recording.step(&mut keeping).unwrap() {}
    recording.end(&mut keeping).unwrap();
    keeping.writer.close().unwrap();
}
