//! Whether a store is whole, as far as that can be proven: docs/history.md says what is, and what is not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::alarms;
use super::contracts;
use super::epochs;
use super::journal;
use super::kept::{self, Gone, Kept};
use super::runs;
use super::schema::{FILE, StoreError, has_table, open_to_read};
use crate::clock::Timestamp;
use crate::series::chunk::Chunk;

/// Faults that are told one by one.
const TOLD_MAX: usize = 20;

/// What was found in a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Bytes of its files.
    pub bytes: u64,
    /// Sessions, and the first and the last moment in them.
    pub sessions: u64,
    /// From when until when somebody watched at all.
    pub range: Option<(Timestamp, Timestamp)>,
    /// What is no longer kept, by decision.
    pub gone: BTreeMap<Kept, Gone>,
    /// Rows by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// What is wrong, the first twenty.
    pub faults: Vec<String>,
    /// What is wrong, all of it.
    pub fault_count: usize,
}

impl Findings {
    fn fault(&mut self, what: String) {
        self.fault_count += 1;
        if self.faults.len() < TOLD_MAX {
            self.faults.push(what);
        }
    }
}

/// Reads all of a store and says what is wrong with it.
///
/// # Errors
/// When it cannot be opened at all.
pub fn check(folder: &Path) -> Result<Findings, StoreError> {
    let mut found = Findings::default();
    for end in ["", "-wal"] {
        let file = folder.join(format!("{FILE}{end}"));
        found.bytes += std::fs::metadata(file).map_or(0, |said| said.len());
    }
    let connection = match open_to_read(folder) {
        Err(StoreError::Damaged(why)) => {
            found.fault(why);
            return Ok(found);
        }
        opened => opened?,
    };
    // Pages first: what stands on damaged ones says nothing.
    for check in [check_pages, check_rows] {
        if let Err(error) = check(&connection, &mut found) {
            found.fault(error.to_string());
        }
    }
    Ok(found)
}

fn check_pages(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let mut pages = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut said = pages.query([])?;
    while let Some(row) = said.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            found.fault(line);
        }
    }
    Ok(())
}

fn check_rows(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let tables = [
        "contract",
        "session",
        "judgement",
        "event",
        "lost_events",
        "commands_kept",
        "asked",
        "metering",
        "chunk",
        "journal",
        "alarm",
        "clock_jump",
    ];
    for table in tables {
        if !has_table(connection, table)? {
            continue;
        }
        let count = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&count, [], |row| row.get(0))?;
        found.rows.insert(table, u64::try_from(count).unwrap_or(0));
    }
    found.gone = kept::all(connection)?;
    // Those of later epochs have stretches that came twice: docs/history.md.
    let epoch = if has_table(connection, "clock_jump")? { "epoch" } else { "0" };
    let mut sessions = connection.prepare(&format!(
        "SELECT id, from_ms, until_ms, {epoch} FROM session ORDER BY 4, from_ms, id"
    ))?;
    let mut rows = sessions.query([])?;
    let mut before: Option<(i64, i64)> = None;
    while let Some(row) = rows.next()? {
        let (id, from, until): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if until < from {
            found.fault(format!("session {id} ends before it begins"));
        }
        let epoch: i64 = row.get(3)?;
        if before.is_some_and(|(before, of)| of == epoch && from < before) {
            found.fault(format!("session {id} begins before the one before it ends"));
        }
        before = Some((until, epoch));
        found.sessions += 1;
        let (from, until) = (Timestamp(from), Timestamp(until));
        let (first, last) = found.range.unwrap_or((from, until));
        found.range = Some((first.min(from), last.max(until)));
    }
    check_judgements(connection, found)?;
    check_chunks(connection, found)?;
    if has_table(connection, "alarm")? {
        alarms::damaged(connection)?.iter().for_each(|error| found.fault(error.to_string()));
    }
    if has_table(connection, "journal")? {
        check_journal(connection, found)?;
    }
    if let Err(error) = epochs::jumps(connection) {
        found.fault(error.to_string());
    }
    let mut all = connection.prepare("SELECT id FROM contract ORDER BY id")?;
    let ids: Vec<i64> = all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in ids {
        if let Err(error) = contracts::get(connection, id) {
            found.fault(error.to_string());
        }
    }
    Ok(())
}

/// Every judgement can be read, lies within its session, and the first of each says everything.
fn check_judgements(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let mut all = connection.prepare(
        "SELECT judgement.path, judgement.session, at_ms, whole, runs, from_ms, until_ms
         FROM judgement LEFT JOIN session ON session.id = judgement.session
         ORDER BY judgement.path, judgement.session, at_ms",
    )?;
    let mut rows = all.query([])?;
    let mut last: Option<(i64, i64)> = None;
    while let Some(row) = rows.next()? {
        let (path, session, at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let place = || format!("judgement of path {path} at {}", Timestamp(at).to_millisecond());
        if last != Some((path, session)) && !row.get::<_, bool>(3)? {
            found.fault(format!(
                "{}: the first of session {session} does not say everything",
                place()
            ));
        }
        last = Some((path, session));
        let bytes = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        if let Err(bad) = runs::from_bytes(bytes) {
            found.fault(format!("{}: {bad}", place()));
        }
        match (row.get::<_, Option<i64>>(5)?, row.get::<_, Option<i64>>(6)?) {
            (Some(from), Some(until)) if (from..=until).contains(&at) => {}
            (Some(_), Some(_)) => {
                found.fault(format!("{}: outside its session {session}", place()));
            }
            _ => found.fault(format!("{}: there is no session {session}", place())),
        }
    }
    Ok(())
}

/// Every chunk has the bytes that it was written with.
fn check_chunks(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let mut all = connection.prepare("SELECT id, block, from_ms, data FROM chunk")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        if let Err(error) = Chunk::from_bytes(Arc::from(bytes)) {
            let (id, block, from): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let at = Timestamp(from).to_millisecond();
            found.fault(format!("chunk {id} of block {block} at {at}: {error}"));
        }
    }
    Ok(())
}

/// Every line of the journal can be read to its end.
fn check_journal(connection: &Connection, found: &mut Findings) -> Result<(), StoreError> {
    let mut all = connection.prepare("SELECT until_ms, data FROM journal")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let at = Timestamp(row.get(0)?).to_millisecond();
        if let Err(error) = journal::read(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)
        {
            found.fault(format!("values that came up to {at}: {error}"));
        }
    }
    Ok(())
}
