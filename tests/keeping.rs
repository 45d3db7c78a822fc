//! Records a stretch of time into a store, as `simulate --record` does: for tests that read it afterwards.

use std::io;
use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::plans;
use gridwatch::collector::reading::Reading;
use gridwatch::historian::Historian;
use gridwatch::historian::alarms::Alarms;
use gridwatch::historian::picture::Picture;
use gridwatch::recording::{Recording, Sink};
use gridwatch::series::Buffer;
use gridwatch::store::{Gatherer, Writer};
use sim::Plans;
use sim::faults::Scenario;

/// Bytes of values that are held before they go into the store.
const BUFFER_BYTES: usize = 64 << 20;

/// Keeps what is recorded, and commits it so often.
struct Keeping {
    writer: Writer,
    buffer: Buffer,
    gatherer: Gatherer,
    alarms: Alarms,
    every_ms: i64,
}

impl Sink for Keeping {
    fn accept(&mut self, reading: &Reading) -> io::Result<()> {
        self.buffer.accept(reading);
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        picture: &mut Picture,
        last: bool,
    ) -> io::Result<()> {
        self.alarms.look(picture);
        let sources = (historian, &mut self.buffer, &mut self.alarms);
        let batch = self.gatherer.gather(sources, picture, (self.every_ms, last));
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
    let mut keeping = Keeping {
        writer: Writer::open(folder, province).unwrap(),
        buffer: Buffer::new(province, &plans(province), BUFFER_BYTES),
        gatherer: Gatherer::new(window.0),
        alarms: Alarms::default().keeping(),
        every_ms,
    };
    let to_come = Plans { scenario: Some(scenario), ..Plans::default() };
    let mut recording = Recording::start(province, to_come, window);
    while recording.step(&mut keeping).unwrap() {}
    recording.end(&mut keeping).unwrap();
    keeping.writer.close().unwrap();
}
