//! Looking after a store: a copy while it is written, and room given back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::HistorySettings;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Transaction, params};

pub use super::check::{Findings, check};
use super::kept::{self, Kept};
use super::schema::{FILE, StoreError, make_folder, open_to_read, open_to_write};
use crate::clock::{DAY_MS, Timestamp};

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
/// # Errors
/// When there is a store already in the other folder, or one of the two fails.
pub fn backup(
    folder: &Path,
    to: &Path,
    mut progress: impl FnMut(f64),
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
    let mut copy = Connection::open(&file)?;
    {
        let backup = Backup::new(&source, &mut copy)?;
        loop {
            let step = backup.step(PAGES)?;
            let said = backup.progress();
            let (left, all) = (f64::from(said.remaining), f64::from(said.pagecount.max(1)));
            progress(1.0 - left / all);
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // The writer is at it: soon again.
                _ => std::thread::park_timeout(BUSY_PAUSE),
            }
        }
    }
    Ok(file)
}

/// Forgets what is older than `keep_from` and gives its room back to the file system. Returns bytes
/// before and after.
///
/// # Errors
/// When somebody writes to the store, or it cannot be written.
pub fn compact(folder: &Path, keep_from: Option<Timestamp>) -> Result<(u64, u64), StoreError> {
    let size = || std::fs::metadata(folder.join(FILE)).map_or(0, |said| said.len());
    if !folder.join(FILE).is_file() {
        return Err(StoreError::Missing(folder.to_owned()));
    }
    let before = size();
    let mut held = open_to_write(folder)?;
    if let Some(from) = keep_from {
        let transaction = held.connection.transaction()?;
        forget(&transaction, from)?;
        transaction.commit()?;
    }
    held.connection.execute_batch("VACUUM")?;
    held.connection.pragma_update(None, "wal_checkpoint", "truncate")?;
    Ok((before, size()))
}

/// Takes out what is older at a moment than the contract wants it to be.
pub(super) fn retain(
    transaction: &Transaction<'_>,
    now: Timestamp,
    history: HistorySettings,
) -> Result<(), StoreError> {
    let before = |days: u16| now.plus(-i64::from(days) * DAY_MS);
    let values = before(history.values_days);
    if transaction.execute("DELETE FROM chunk WHERE until_ms < ?1", [values.0])? > 0 {
        kept::put(transaction, Kept::Values, values)?;
    }
    forget(transaction, before(history.verdicts_days))
}

/// Takes out what lies before a moment. Of the judgements of a session that goes on behind it, the last
/// whole one before it stays, and what follows.
pub(super) fn forget(transaction: &Transaction<'_>, from: Timestamp) -> Result<(), StoreError> {
    transaction.execute(
        "DELETE FROM judgement WHERE at_ms < ?1 AND at_ms < coalesce((
             SELECT max(at_ms) FROM judgement AS whole
             WHERE whole.path = judgement.path AND whole.session = judgement.session
                 AND whole.whole = 1 AND whole.at_ms <= ?1), -9223372036854775808)",
        [from.0],
    )?;
    let ended = "SELECT id FROM session WHERE until_ms < ?1";
    transaction.execute(&format!("DELETE FROM judgement WHERE session IN ({ended})"), [from.0])?;
    transaction.execute("DELETE FROM session WHERE until_ms < ?1", [from.0])?;
    // A session that goes on begins where its history does.
    transaction.execute(
        "UPDATE session SET from_ms = max(from_ms, (
             SELECT max(first) FROM (
                 SELECT min(at_ms) AS first FROM judgement
                 WHERE judgement.session = session.id GROUP BY path)))
         WHERE from_ms < ?1 AND EXISTS (
             SELECT 1 FROM judgement WHERE judgement.session = session.id)",
        [from.0],
    )?;
    for table in ["event", "lost_events"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE at_ms < ?1"), [from.0])?;
    }
    transaction.execute("DELETE FROM asked WHERE until_ms < ?1", [from.0])?;
    transaction.execute("DELETE FROM chunk WHERE until_ms < ?1", [from.0])?;
    // The last figures before the moment are those that hold at it.
    transaction.execute(
        "DELETE FROM metering WHERE at_ms < (
             SELECT max(at_ms) FROM metering AS later
             WHERE later.kind = metering.kind AND later.id = metering.id AND later.at_ms <= ?1)",
        params![from.0],
    )?;
    transaction.execute("DELETE FROM alarm WHERE open = 0 AND raised_ms < ?1", [from.0])?;
    let unused = "id NOT IN (SELECT contract FROM session)";
    let of_unused =
        format!("DELETE FROM datalist WHERE contract IN (SELECT id FROM contract WHERE {unused})");
    transaction.execute(&of_unused, [])?;
    transaction.execute(&format!("DELETE FROM contract WHERE {unused}"), [])?;
    Ok(())
}
