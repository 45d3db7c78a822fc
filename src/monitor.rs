//! Collector and historian joined: pictures come out.

use std::sync::Arc;
use std::time::Duration;

use config::Province;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::collector::plan::{Plan, plans};
use crate::collector::reading::Reading;
use crate::collector::{Collector, StartError};
use crate::historian::Historian;
use crate::historian::picture::Picture;
use crate::series::Buffer;
use crate::store::{Gatherer, Keeper};

/// Least time between two pictures: half the fastest scan, so that what is read is soon seen.
const PICTURE_EVERY: Duration = Duration::from_millis(500);

/// Pictures may take one part in so many of a core. A province so large that judging all of its points
/// takes longer is judged less often: what is read must not wait for what is shown.
const PICTURE_SHARE: u32 = 16;

/// Time between two commits to the store: what may be lost when the process or the machine dies.
const COMMIT_EVERY_MS: i64 = 1_000;

/// Readings taken in one go before the clock is looked at again.
const BATCH_MAX: usize = 512;

/// A running monitor. Dropping it stops it.
pub struct Monitor {
    collector: Collector,
    historian: JoinHandle<()>,
    cancel: CancellationToken,
    news: watch::Receiver<Arc<Picture>>,
}

impl Monitor {
    /// Starts to poll every channel of `province`.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When certificates that the contract names cannot be used.
    pub fn start(province: &Arc<Province>, clock: Clock) -> Result<Self, StartError> {
        Self::start_keeping(province, clock, None)
    }

    /// The same, and keeps history.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start_keeping(
        province: &Arc<Province>,
        clock: Clock,
        keeper: Option<Keeper>,
    ) -> Result<Self, StartError> {
        let plans: Vec<Arc<Plan>> = plans(province);
        let started = clock.now();
        let mut historian = Historian::new(Arc::clone(province), &plans, started);
        let (sender, news) = watch::channel(Arc::new(historian.picture(started)));
        let history = keeper.map(|keeper| History::new(keeper, started));
        let (collector, readings) = Collector::start(province, &plans, clock)?;
        let cancel = CancellationToken::new();
        let mut buffer = Buffer::new(province, &plans, province.history.buffer_bytes());
        if history.is_some() {
            buffer.keep_fresh();
        }
        let task = Task { historian, buffer, history, pictures: sender, clock };
        let historian = tokio::spawn(task.run(readings, cancel.clone()));
        Ok(Self { collector, historian, cancel, news })
    }

    /// The latest picture, and word of every new one.
    pub fn news(&self) -> watch::Receiver<Arc<Picture>> {
        self.news.clone()
    }

    /// The first picture in which every channel has settled, or the latest when `patience` has run
    /// out.
    pub async fn first_complete(&self, patience: Duration) -> Arc<Picture> {
        let mut news = self.news();
        let complete = |picture: &Arc<Picture>| picture.first_scan().lacking() == 0;
        let _ = timeout(patience, news.wait_for(complete)).await;
        Arc::clone(&news.borrow_and_update())
    }

    /// The first picture in which every channel has settled and every record of the rings was read,
    /// or the latest when `patience` has run out.
    pub async fn events_read(&self, patience: Duration) -> Arc<Picture> {
        let mut news = self.news();
        let read = |p: &Arc<Picture>| p.first_scan().lacking() == 0 && p.events_read();
        let _ = timeout(patience, news.wait_for(read)).await;
        Arc::clone(&news.borrow_and_update())
    }

    /// Stops polling and waits until every task has ended.
    pub async fn stop(self) {
        self.collector.stop().await;
        self.cancel.cancel();
        // A historian that panicked has already said so.
        let _ = self.historian.await;
    }
}

/// From the beginning of one picture to that of the next, when it took so long to make.
fn pause_after(took: Duration) -> Duration {
    PICTURE_EVERY.max(took * PICTURE_SHARE)
}

/// The historian at work: the one place in which it lives.
struct Task {
    historian: Historian,
    buffer: Buffer,
    history: Option<History>,
    pictures: watch::Sender<Arc<Picture>>,
    clock: Clock,
}

impl Task {
    async fn run(mut self, mut readings: mpsc::Receiver<Reading>, cancel: CancellationToken) {
        let mut next = Instant::now();
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = sleep_until(next) => {
                    let began = Instant::now();
                    self.publish(false);
                    // The one before goes here too, when nobody looks at it any more.
                    next = began + pause_after(began.elapsed());
                }
                taken = readings.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 {
                        break;
                    }
                    for reading in batch.drain(..) {
                        self.historian.accept(&reading);
                        self.buffer.accept(&reading);
                    }
                }
            }
        }
        self.publish(true);
        if let Some(history) = self.history {
            // What is left is written while others run on.
            let _ = tokio::task::spawn_blocking(|| drop(history)).await;
        }
    }

    /// Makes a picture, hands on what is to be kept, and shows it.
    fn publish(&mut self, last: bool) {
        let mut picture = self.historian.picture(self.clock.now());
        if let Some(history) = &mut self.history {
            history.note((&mut self.historian, &mut self.buffer), &mut picture, last);
            picture.keeping = Some(history.keeper.keeping());
        }
        self.pictures.send_replace(Arc::new(picture));
    }
}

/// What is kept of the pictures.
struct History {
    keeper: Keeper,
    gatherer: Gatherer,
}

impl History {
    fn new(keeper: Keeper, started: Timestamp) -> Self {
        Self { keeper, gatherer: Gatherer::new(started) }
    }

    fn note(
        &mut self,
        (historian, buffer): (&mut Historian, &mut Buffer),
        picture: &mut Picture,
        last: bool,
    ) {
        if self.keeper.lacks() {
            self.gatherer.begin_anew();
        }
        let sources = (historian, buffer);
        if let Some(batch) = self.gatherer.gather(sources, picture, (COMMIT_EVERY_MS, last)) {
            self.keeper.offer(batch);
        }
    }
}
