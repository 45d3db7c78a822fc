//! What a store has of the future, because a clock was wrong: set aside by who knows that, and kept.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::ToSql;
use signal::clock::Timestamp;

use super::journal;
use super::schema::{StoreError, open_to_write};
use super::sums;
use super::upkeep::{backup, is_there};

/// What was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// The store as it was, all of it.
    pub copy: PathBuf,
    /// Rows that are not in the store any more.
    pub rows: usize,
    /// Sessions of which something was set aside.
    pub sessions: u32,
    /// Its newest record until then.
    pub newest: Timestamp,
}

/// Takes what is later than a moment out of a store, after the whole of it was copied into another folder.
/// `None`: there is nothing later, and nothing was done.
///
/// # Errors
/// When somebody writes to the store, there is a store in the other folder already, or one of the two cannot
/// be written; nothing is taken out then.
pub fn set_aside(folder: &Path, after: Timestamp, to: &Path) -> Result<Option<Aside>, StoreError> {
    if !is_there(folder) {
        return Err(StoreError::Missing(folder.to_owned()));
    }
    let mut held = open_to_write(folder)?;
    let later = "SELECT count(*), max(until_ms) FROM session WHERE until_ms > ?1";
    let (sessions, newest): (u32, Option<i64>) =
        held.connection.query_row(later, [after.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(newest) = newest else { return Ok(None) };
    let copy = backup(folder, to, |_| ControlFlow::Continue(()))?;
    let transaction = held.connection.transaction()?;
    journal::recover(&transaction)?;
    let mut rows = transaction.execute(
        "DELETE FROM judgement WHERE at_ms > ?1
             OR session IN (SELECT id FROM session WHERE from_ms > ?1)",
        [after.0],
    )?;
    for (table, at) in [
        ("session", "from_ms"),
        ("event", "at_ms"),
        ("lost_events", "at_ms"),
        ("commands_kept", "at_ms"),
        ("asked", "from_ms"),
        ("metering", "at_ms"),
        ("energy", "at_ms"),
        ("chunk", "from_ms"),
        ("alarm", "raised_ms"),
    ] {
        rows += transaction.execute(&format!("DELETE FROM {table} WHERE {at} > ?1"), [after.0])?;
    }
    let longer: (_, &[&dyn ToSql]) = ("until_ms > ?1", &[&after.0]);
    sums::change(&transaction, ("UPDATE", &sums::SESSION), &[("until_ms", "?1")], longer)?;
    transaction.commit()?;
    Ok(Some(Aside { copy, rows, sessions, newest: Timestamp(newest) }))
}
