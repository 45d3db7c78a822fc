//! Collector and historian joined: pictures come out.

use std::sync::Arc;
use std::time::Duration;

use config::Province;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::collector::plan::{Plan, plans};
use crate::collector::reading::Reading;
use crate::collector::{Collector, StartError};
use crate::historian::Historian;
use crate::historian::picture::Picture;

/// Least time between two pictures: half the fastest scan, so that what is read is soon seen.
const PICTURE_EVERY: Duration = Duration::from_millis(500);

/// Pictures may take one part in so many of a core. A province so large that judging all of its points
/// takes longer is judged less often: what is read must not wait for what is shown.
const PICTURE_SHARE: u32 = 16;

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
        let plans: Vec<Arc<Plan>> = plans(province);
        let mut historian = Historian::new(Arc::clone(province), &plans, clock.now());
        let (sender, news) = watch::channel(Arc::new(historian.picture(clock.now())));
        let (collector, readings) = Collector::start(province, &plans, clock)?;
        let cancel = CancellationToken::new();
        let historian =
            tokio::spawn(keep_history(historian, readings, sender, clock, cancel.clone()));
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

async fn keep_history(
    mut historian: Historian,
    mut readings: mpsc::Receiver<Reading>,
    pictures: watch::Sender<Arc<Picture>>,
    clock: Clock,
    cancel: CancellationToken,
) {
    let mut next = Instant::now();
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = sleep_until(next) => {
                let began = Instant::now();
                pictures.send_replace(Arc::new(historian.picture(clock.now())));
                // The one before goes here too, when nobody looks at it any more.
                next = began + pause_after(began.elapsed());
            }
            taken = readings.recv_many(&mut batch, BATCH_MAX) => {
                if taken == 0 {
                    return;
                }
                for reading in batch.drain(..) {
                    historian.accept(&reading);
                }
            }
        }
    }
}
