//! Who keeps: a thread of its own that writes batch after batch, so that a slow disk delays neither
//! polling nor screens.
//!
//! A batch that cannot be written is tried again until it can. Meanwhile others wait; when too many do,
//! they are given up, the session ends where it was last written, and another one begins when there is
//! room again: what lies between is not observed, and nothing that was written is lost.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use config::Province;

use super::batch::Batch;
use super::schema::StoreError;
use super::writer::Writer;
use crate::clock::Timestamp;
use crate::historian::alarms::{Alarm, Alarms};
use crate::historian::picture::Keeping;

/// Batches that may wait to be written: ten minutes at one a second.
const WAITING_MAX: usize = 600;
/// Bytes of values that may wait beside them. What is more is not in the journal until it is in chunks.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// Time between two attempts to write what could not be written.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The thread that writes. Dropping it lets it write what it has, and end.
pub struct Keeper {
    batches: Option<SyncSender<Batch>>,
    /// Bytes of values that wait.
    waiting: Arc<AtomicUsize>,
    said: Arc<Mutex<Said>>,
    thread: Option<JoinHandle<()>>,
    /// Alarms that were open when it began to keep.
    open_alarms: Vec<Alarm>,
}

/// What the thread says.
#[derive(Debug, Clone, Default)]
struct Said {
    keeping: Keeping,
    /// A batch was given up: the next one is to say everything.
    lacks: bool,
    /// Nothing more will come: what cannot be written at once is given up.
    stopping: bool,
}

impl Keeper {
    /// Opens the store of a folder and begins to keep.
    ///
    /// # Errors
    /// When the store cannot be written, or another process writes to it.
    pub fn start(folder: &Path, province: &Arc<Province>) -> Result<Self, StoreError> {
        let writer = Writer::open(folder, province)?;
        let open_alarms = writer.open_alarms()?;
        let (sender, batches) = sync_channel(WAITING_MAX);
        let said: Arc<Mutex<Said>> = Arc::default();
        let waiting: Arc<AtomicUsize> = Arc::default();
        let (own, taken) = (Arc::clone(&said), Arc::clone(&waiting));
        let failed = |error| StoreError::File { path: folder.to_owned(), error };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || keep(writer, &batches, (&own, &taken)))
            .map_err(failed)?;
        Ok(Self { batches: Some(sender), waiting, said, thread: Some(thread), open_alarms })
    }

    /// Keeps nothing, and says why: for who wants to see the present all the same.
    pub fn without_store(error: &StoreError, since: Timestamp) -> Self {
        let trouble = Some((since, error.to_string()));
        let keeping = Keeping { until: None, trouble };
        let said = Arc::new(Mutex::new(Said { keeping, ..Said::default() }));
        let open_alarms = Vec::new();
        Self { batches: None, waiting: Arc::default(), said, thread: None, open_alarms }
    }

    /// The alarms that were open when it began to keep, to go on with.
    pub fn open_alarms(&self) -> Alarms {
        Alarms::resuming(self.open_alarms.clone()).keeping()
    }

    /// How keeping goes.
    pub fn keeping(&self) -> Keeping {
        lock(&self.said).keeping.clone()
    }

    /// Whether something was not kept since this was last asked: the next batch is to say everything.
    pub fn lacks(&self) -> bool {
        std::mem::take(&mut lock(&self.said).lacks)
    }

    /// Hands over a batch. When too many wait, it is given up.
    pub fn offer(&self, mut batch: Batch) {
        let Some(batches) = &self.batches else { return };
        let bytes = batch.fresh.len();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > WAITING_BYTES_MAX {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            batch.fresh = Vec::new();
        }
        let bytes = batch.fresh.len();
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = batches.try_send(batch)
        {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            lock(&self.said).lacks = true;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.batches = None;
        lock(&self.said).stopping = true;
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(
    mut writer: Writer,
    batches: &Receiver<Batch>,
    (said, waiting): (&Mutex<Said>, &AtomicUsize),
) {
    for batch in batches {
        while let Err(error) = writer.commit(&batch) {
            let given_up = matches!(error, StoreError::ClockBehind { .. }) || lock(said).stopping;
            note_trouble(said, &batch, &error, given_up);
            if given_up {
                break;
            }
            std::thread::park_timeout(AGAIN_AFTER);
        }
        waiting.fetch_sub(batch.fresh.len(), Ordering::Relaxed);
        if writer.until() == batch.until {
            lock(said).keeping = Keeping { until: Some(batch.until), trouble: None };
        }
    }
    if let Err(error) = writer.close() {
        tracing::error!("{error}");
    }
}

fn note_trouble(said: &Mutex<Said>, batch: &Batch, error: &StoreError, given_up: bool) {
    let mut said = lock(said);
    let what = error.to_string();
    let is_news = said.keeping.trouble.as_ref().is_none_or(|(_, before)| *before != what);
    if is_news {
        tracing::error!("{what}");
        said.keeping.trouble = Some((batch.until, what));
    }
    said.lacks |= given_up;
}
