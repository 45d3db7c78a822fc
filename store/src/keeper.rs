//! Who keeps: a thread of its own that writes batch after batch, so that a slow disk delays neither
//! polling nor screens.
//!
//! A batch that cannot be written is tried again until it can. Meanwhile others wait; when too many do,
//! they are given up, the session ends where it was last written, and another one begins when there is
//! room again: what lies between is not observed, and nothing that was written is lost.
//!
//! A store that somebody takes away is let go of: where another one stands in its place, that one is
//! gone on with, and where there is none a new one is begun after a while.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use config::Province;
use historian::alarms::{Alarm, Alarms};
use historian::snapshot::Keeping;
use signal::clock::Timestamp;

use super::batch::Batch;
use super::schema::StoreError;
use super::upkeep;
use super::writer::Writer;

/// Batches that may wait to be written: ten minutes at one a second.
const WAITING_MAX: usize = 600;
/// Bytes of values that may wait beside them. What is more is not in the journal until it is in chunks.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// A store that was taken away may be put back for so long before a new one is begun in its place,
/// milliseconds.
const ABSENT_MS: i64 = 10_000;
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
        Self::of(folder, province, true)
    }

    /// The same, but nothing is ever taken out because it is older than the contract wants: for who only
    /// looks.
    ///
    /// # Errors
    /// As [`Keeper::start`].
    pub fn start_looking(folder: &Path, province: &Arc<Province>) -> Result<Self, StoreError> {
        Self::of(folder, province, false)
    }

    fn of(folder: &Path, province: &Arc<Province>, forgets: bool) -> Result<Self, StoreError> {
        let writer = Writer::open(folder, province)?;
        let writer = if forgets { writer } else { writer.forgetting_nothing() };
        let open_alarms = writer.open_alarms()?;
        let (sender, batches) = sync_channel(WAITING_MAX);
        let said: Arc<Mutex<Said>> = Arc::default();
        let waiting: Arc<AtomicUsize> = Arc::default();
        let (own, taken) = (Arc::clone(&said), Arc::clone(&waiting));
        let failed = |error| StoreError::File { path: folder.to_owned(), error };
        let (folder, province) = (folder.to_owned(), Arc::clone(province));
        let pen = Pen {
            folder,
            province,
            writer: Some(writer),
            has_written: false,
            absent: None,
            forgets,
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || keep(pen, &batches, (&own, &taken)))
            .map_err(failed)?;
        Ok(Self { batches: Some(sender), waiting, said, thread: Some(thread), open_alarms })
    }

    /// Keeps nothing, and says why: for who wants to see the present all the same.
    pub fn without_store(error: &StoreError, since: Timestamp) -> Self {
        let trouble = Some((since, error.to_string()));
        let keeping = Keeping { until: None, trouble, unconfirmed: None };
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

/// What is written with: the store as long as it is where it was, and how to open it again.
struct Pen {
    folder: PathBuf,
    province: Arc<Province>,
    writer: Option<Writer>,
    /// This run of the monitor has written to a store in this folder.
    has_written: bool,
    /// Since when there has been no store.
    absent: Option<Timestamp>,
    /// What is too old is taken out.
    forgets: bool,
}

impl Pen {
    /// Writes a batch. When the store has to be opened again, which lets go of all that was said of the
    /// session before, only one that begins a session can be written.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open(batch)?,
        };
        let done = writer.commit(batch);
        match &done {
            Ok(()) => (self.has_written, self.absent) = (true, None),
            Err(StoreError::Gone(_)) => self.absent = Some(batch.until),
            Err(_) => {}
        }
        // Who sets the store right by hand is not to find it held.
        if !done.as_ref().is_err_and(is_given_up) {
            self.writer = Some(writer);
        }
        done
    }

    fn open(&mut self, batch: &Batch) -> Result<Writer, StoreError> {
        // A clock that was set back begins to count anew.
        let waited = self.absent.map(|since| batch.until.since(since));
        let is_soon = waited.is_some_and(|waited| (0..ABSENT_MS).contains(&waited));
        if is_soon && !upkeep::is_there(&self.folder) {
            return Err(StoreError::Gone(self.folder.clone()));
        }
        let writer = Writer::open(&self.folder, &self.province)?;
        let writer = if self.forgets { writer } else { writer.forgetting_nothing() };
        if !batch.begins {
            return Err(StoreError::Replaced(self.folder.clone()));
        }
        Ok(if self.has_written { writer.going_on() } else { writer })
    }

    fn until(&self) -> Option<Timestamp> {
        self.writer.as_ref().map(Writer::until)
    }
}

/// Whether a batch that failed so is not tried again: it would fail for ever, or goes on from what is not
/// there any more.
fn is_given_up(error: &StoreError) -> bool {
    matches!(error, StoreError::ClockBehind { .. } | StoreError::Gone(_) | StoreError::Replaced(_))
}

fn keep(mut pen: Pen, batches: &Receiver<Batch>, (said, waiting): (&Mutex<Said>, &AtomicUsize)) {
    for batch in batches {
        while let Err(error) = pen.commit(&batch) {
            // Without a writer the next batch is to say everything.
            let given_up = pen.writer.is_none() || lock(said).stopping;
            note_trouble(said, &batch, &error, given_up);
            if given_up {
                break;
            }
            std::thread::park_timeout(AGAIN_AFTER);
        }
        waiting.fetch_sub(batch.fresh.len(), Ordering::Relaxed);
        if pen.until() == Some(batch.until) {
            let unconfirmed = pen.writer.as_ref().and_then(Writer::unconfirmed).cloned();
            let keeping = Keeping { until: Some(batch.until), trouble: None, unconfirmed };
            let before = std::mem::replace(&mut lock(said).keeping, keeping);
            if before.trouble.is_some() {
                tracing::info!("history is kept again");
            }
        }
    }
    if let Some(Err(error)) = pen.writer.map(Writer::close) {
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
