//! Looking after a store: a copy while it is written, and room given back.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Date, Zone};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use signal::clock::Timestamp;

pub use super::check::{Findings, check};
use super::forget::{self, Removed};
use super::kept::{By, Kept};
use super::schema::{FILE, StoreError, make_folder, open_to_read, open_to_write};

/// Pages that are copied at a time, so that a writer need not wait long.
const PAGES: i32 = 256;
/// Pause when the writer is at it.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Whether there is a store in a folder.
pub(super) fn is_there(folder: &Path) -> bool {
    folder.join(FILE).is_file()
}

/// Copies a store while it may be written: the copy is the store of one instant. `progress` is told the
/// share that is done, 0 to 1. Returns the file that was made.
///
/// It is written beside its place, and moved there when it is whole and on the disk: what broke off is no
/// store, and is begun anew the next time.
///
/// # Errors
/// When there is a store already in the other folder, one of the two fails, or `progress` says that it is
/// enough.
pub fn backup(
    folder: &Path,
    to: &Path,
    progress: impl FnMut(f64) -> ControlFlow<()>,
) -> Result<PathBuf, StoreError> {
    let source = open_to_read(folder)?;
    let failed = |path: &Path, error| StoreError::File { path: path.to_owned(), error };
    make_folder(to).map_err(|error| failed(to, error))?;
    let file = to.join(FILE);
    if file.exists() {
        let error =
            std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is a store already");
        return Err(failed(&file, error));
    }
    let part = to.join(PART);
    let remove = || {
        for end in ["", "-journal", "-wal", "-shm"] {
            // What an earlier try left, or none.
            let _ = std::fs::remove_file(to.join(format!("{PART}{end}")));
        }
    };
    remove();
    let copied = copy(&source, &part, progress)
        .and_then(|()| source.undisturbed())
        .and_then(|()| settle(&part, &file).map_err(|error| failed(&file, error)));
    if let Err(error) = copied {
        remove();
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        return Err(match error {
            // It is not the disk of the store.
            StoreError::Full => failed(&file, full),
            error => error,
        });
    }
    Ok(file)
}

/// Name of a copy as long as it is not whole.
const PART: &str = "gridwatch.db.part";

fn copy(
    source: &Connection,
    part: &Path,
    mut progress: impl FnMut(f64) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut copy = Connection::open(part)?;
    // Nothing of it counts before it is whole.
    copy.pragma_update(None, "synchronous", "off")?;
    let backup = Backup::new(source, &mut copy)?;
    loop {
        let step = backup.step(PAGES)?;
        let said = backup.progress();
        let (left, all) = (f64::from(said.remaining), f64::from(said.pagecount.max(1)));
        if progress(1.0 - left / all).is_break() {
            return Err(StoreError::Stopped);
        }
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // The writer is at it: soon again.
            _ => std::thread::park_timeout(BUSY_PAUSE),
        }
    }
}

/// Moves a copy to its place.
fn settle(part: &Path, file: &Path) -> std::io::Result<()> {
    std::fs::File::open(part)?.sync_all()?;
    std::fs::rename(part, file)?;
    // Where a folder cannot be synced, its names come with time.
    #[cfg(unix)]
    let _ =
        file.parent().map(std::fs::File::open).and_then(Result::ok).map(|above| above.sync_all());
    Ok(())
}

/// What is to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forget {
    /// The local day that is the first one kept.
    pub before: Date,
    /// Values alone; otherwise everything.
    pub only_values: bool,
    /// By what local time goes, where no contract of the store says it.
    pub zone: Zone,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the file before.
    pub was: u64,
    /// Bytes of the file now.
    pub is: u64,
    /// From before when something was taken out, and how many rows of each kind.
    pub removed: Option<(Timestamp, Removed)>,
}

/// Forgets what was before a local day, if one is named, and gives the room back to the file system.
///
/// # Errors
/// When somebody writes to the store, it cannot be written, or nothing would be left.
pub fn compact(folder: &Path, forget: Option<Forget>) -> Result<Compacted, StoreError> {
    let size = || std::fs::metadata(folder.join(FILE)).map_or(0, |said| said.len());
    if !folder.join(FILE).is_file() {
        return Err(StoreError::Missing(folder.to_owned()));
    }
    let was = size();
    let mut held = open_to_write(folder)?;
    let mut removed = None;
    if let Some(Forget { before, only_values, zone }) = forget {
        let transaction = held.connection.transaction()?;
        let newest: Option<i64> =
            transaction.query_row("SELECT max(until_ms) FROM session", [], |row| row.get(0))?;
        let from = forget::day_begins(&transaction, before, zone)?;
        let from = from.zip(newest).filter(|(from, newest)| from.0 <= *newest);
        let Some((from, _)) = from else {
            let newest = newest.map(|newest| Timestamp(newest).local(zone));
            return Err(StoreError::NothingLeft { before, newest });
        };
        let kinds = if only_values { &[Kept::Values][..] } else { &Kept::ALL[..] };
        removed = Some((from, forget::forget(&transaction, from, (kinds, By::Hand))?));
        transaction.commit()?;
    }
    held.connection.execute_batch("VACUUM")?;
    held.connection.pragma_update(None, "wal_checkpoint", "truncate")?;
    Ok(Compacted { was, is: size(), removed })
}
