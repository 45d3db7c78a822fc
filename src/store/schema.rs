//! The file of the store: its tables, their versions, and what can be wrong with it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

use crate::clock::Timestamp;

/// What a file of ours says of itself, so that no other database is taken for one: `grid`.
const APPLICATION_ID: i32 = 0x6772_6964;

/// Name of the file within the folder of a store.
pub(super) const FILE: &str = "gridwatch.db";

/// Name of the file that a writer holds.
const LOCK: &str = "lock";

/// How long a reader waits while the writer closes a checkpoint.
const BUSY: Duration = Duration::from_secs(5);

/// What each version added. A store is brought up to the newest one by whoever opens it to write.
const MIGRATIONS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

const VERSION_1: &str = "
-- What a province was, for as long as sessions refer to it: the texts it was read from.
CREATE TABLE contract (
    id       INTEGER PRIMARY KEY,
    hash     TEXT NOT NULL UNIQUE,   -- SHA-256 of the texts, hexadecimal
    expanded TEXT NOT NULL,          -- SHA-256 of points and requirements that they gave
    file     TEXT NOT NULL,
    text     TEXT NOT NULL,
    fleet    INTEGER                 -- stations, when it is a fleet; then the texts are empty
) STRICT;
CREATE TABLE datalist (
    contract INTEGER NOT NULL REFERENCES contract,
    place    INTEGER NOT NULL,
    file     TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (contract, place)
) STRICT, WITHOUT ROWID;
-- A station as one centre sees it.
CREATE TABLE path (
    id      INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    centre  TEXT NOT NULL,
    UNIQUE (station, centre)
) STRICT;
-- A stretch of time in which somebody watched. Those of one epoch never overlap; what lies between is
-- not observed. All times are milliseconds since 1970, UTC.
CREATE TABLE session (
    id       INTEGER PRIMARY KEY,
    contract INTEGER NOT NULL REFERENCES contract,
    from_ms  INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,       -- everything up to here is in the store
    closed   INTEGER NOT NULL,       -- 0: it runs, 1: as it should, 2: without a word, 3: the clock jumped
    program  TEXT NOT NULL
) STRICT;
-- How verdicts changed. A row holds from its instant to the next one of its path in the session.
CREATE TABLE judgement (
    path    INTEGER NOT NULL REFERENCES path,
    at_ms   INTEGER NOT NULL,
    session INTEGER NOT NULL REFERENCES session,
    whole   INTEGER NOT NULL,        -- 1: the runs say every point, 0: those that changed
    link    INTEGER NOT NULL,        -- 0 connected, 1 lost, 2 never connected
    runs    BLOB NOT NULL,
    PRIMARY KEY (path, at_ms)
) STRICT, WITHOUT ROWID;
-- Records of the rings of events, each once however often it was read.
CREATE TABLE event (
    path         INTEGER NOT NULL REFERENCES path,
    unit         INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    source_ms    INTEGER NOT NULL,   -- by the clock of the unit
    address      INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL,   -- where it stands in the order
    arrived_ms   INTEGER NOT NULL,
    point        TEXT,
    before       INTEGER,
    value        INTEGER NOT NULL,
    flags        INTEGER NOT NULL,
    synchronised INTEGER NOT NULL,
    doubt        TEXT,               -- why the time cannot be right: ahead, behind
    PRIMARY KEY (path, unit, number, source_ms, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_by_time ON event (at_ms);
-- Records that never came.
CREATE TABLE lost_events (
    path     INTEGER NOT NULL REFERENCES path,
    unit     INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    after_ms INTEGER
) STRICT;
CREATE INDEX lost_events_by_time ON lost_events (at_ms);
-- How asking went.
CREATE TABLE asked (
    path        INTEGER NOT NULL REFERENCES path,
    from_ms     INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    no_reply    INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    undecodable INTEGER NOT NULL,
    missed      INTEGER NOT NULL,    -- slots
    longest_us  INTEGER NOT NULL,
    replies     TEXT NOT NULL,       -- by round trip, a number for each bucket
    PRIMARY KEY (path, from_ms)
) STRICT, WITHOUT ROWID;
-- What the columns of chunks are: a line for each, the point within its station and value or quality.
CREATE TABLE layout (
    id      INTEGER PRIMARY KEY,
    columns TEXT NOT NULL UNIQUE
) STRICT;
-- Values whose rows stand together, because they come with one reply.
CREATE TABLE block (
    id     INTEGER PRIMARY KEY,
    path   INTEGER NOT NULL REFERENCES path,
    layout INTEGER NOT NULL REFERENCES layout,
    UNIQUE (path, layout)
) STRICT;
-- Some hundred rows of a block, compressed (src/series/chunk.rs has the layout).
CREATE TABLE chunk (
    id       INTEGER PRIMARY KEY,
    block    INTEGER NOT NULL REFERENCES block,
    from_ms  INTEGER NOT NULL,       -- earliest row
    until_ms INTEGER NOT NULL,       -- latest row
    rows     INTEGER NOT NULL,
    data     BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_by_time ON chunk (block, from_ms);
-- Remote metering: a row whenever a figure is another one.
CREATE TABLE metering (
    kind      TEXT NOT NULL,         -- district, class
    id        TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    sells     INTEGER NOT NULL,      -- 1: counts into coverage
    meters    INTEGER NOT NULL,
    remote    INTEGER NOT NULL,      -- with a proven channel
    first_have INTEGER NOT NULL, first_want INTEGER NOT NULL,
    final_have INTEGER NOT NULL, final_want INTEGER NOT NULL,
    half_hours_have INTEGER NOT NULL, half_hours_want INTEGER NOT NULL,
    PRIMARY KEY (kind, id, at_ms)
) STRICT, WITHOUT ROWID;
";

const VERSION_2: &str = "
-- Values that are in no chunk yet, as they came with each commit (src/series/fresh.rs has the layout,
-- compressed with Snappy). Whoever opens the store after a kill makes chunks of them.
CREATE TABLE journal (
    until_ms INTEGER PRIMARY KEY,
    contract INTEGER NOT NULL REFERENCES contract,
    data     BLOB NOT NULL
) STRICT;
";

const VERSION_3: &str = "
-- Alarms, each time that one was raised.
CREATE TABLE alarm (
    id              INTEGER PRIMARY KEY,
    station         TEXT NOT NULL,
    cause           TEXT NOT NULL,      -- link, or the unit or bay: unit 3, bay 172
    reason          TEXT NOT NULL,      -- no_link, no_reply, flagged, ...
    raised_ms       INTEGER NOT NULL,   -- since when its cause was there
    priority        INTEGER NOT NULL,   -- 1 to 3
    centres         TEXT NOT NULL,      -- that lacked signals by it
    signals         INTEGER NOT NULL,   -- that it took
    returned_ms     INTEGER,            -- since when its cause was gone
    acknowledged_ms INTEGER,
    open            INTEGER NOT NULL,   -- 1 while it is listed
    UNIQUE (station, cause, reason, raised_ms)
) STRICT;
CREATE INDEX alarm_raised ON alarm (raised_ms);
CREATE INDEX alarm_open ON alarm (open) WHERE open = 1;
";

const VERSION_4: &str = "
-- What is no longer kept: nothing of a kind is from before its instant, by decision and not by accident.
CREATE TABLE forgotten (
    kind      TEXT PRIMARY KEY,         -- verdicts, events, values, polling, metering, alarms
    before_ms INTEGER NOT NULL,
    gone      INTEGER NOT NULL,         -- rows, all together
    last_by   TEXT NOT NULL             -- who wanted it the last time: retention, hand
) STRICT, WITHOUT ROWID;
-- Where time did not go on evenly: the clock was set, the machine slept, or nothing ran. The rows that are
-- written from then on have its id as their epoch; before the first one it is 0. Where sessions of several
-- epochs say how one moment was, the latest epoch holds; what earlier ones say of it is kept, and counts
-- for nothing.
CREATE TABLE clock_jump (
    id        INTEGER PRIMARY KEY,
    before_ms INTEGER NOT NULL,      -- the last moment before it, by the clock as it went then
    after_ms  INTEGER NOT NULL,      -- the first one behind it, by the clock as it goes from then on
    by_ms     INTEGER NOT NULL,      -- how far it was set ahead; how long it slept or nothing ran
    kind      INTEGER NOT NULL,      -- 1 set, 2 slept, 3 nothing ran
    UNIQUE (before_ms, after_ms)
) STRICT;
ALTER TABLE session ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE asked ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metering ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alarm ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunk ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
-- Two sessions may judge a path at one moment.
CREATE TABLE judgement_of_session (
    path    INTEGER NOT NULL REFERENCES path,
    at_ms   INTEGER NOT NULL,
    session INTEGER NOT NULL REFERENCES session,
    whole   INTEGER NOT NULL,        -- 1: the runs say every point, 0: those that changed
    link    INTEGER NOT NULL,        -- 0 connected, 1 lost, 2 never connected
    runs    BLOB NOT NULL,
    PRIMARY KEY (path, session, at_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO judgement_of_session SELECT path, at_ms, session, whole, link, runs FROM judgement;
DROP TABLE judgement;
ALTER TABLE judgement_of_session RENAME TO judgement;
";

/// Why a store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is none.
    #[error("no store in '{}': run 'gridwatch monitor --store' with that folder first, or name another one with --store", .0.display())]
    Missing(PathBuf),
    /// Another process writes to it.
    #[error("the store in '{}' is being written by another monitor; stop that one, or name another folder with --store", .0.display())]
    InUse(PathBuf),
    /// A database, but not one of ours.
    #[error("'{}' is not a store of gridwatch; name another folder with --store", .0.display())]
    Foreign(PathBuf),
    /// It was written by a later program.
    #[error("the store in '{}' has version {found}, this program knows versions up to {known}: use the newer gridwatch that wrote it", path.display())]
    Newer {
        /// The folder.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest that is known.
        known: usize,
    },
    /// There is no room left.
    #[error("the disk of the store is full")]
    Full,
    /// It cannot be written.
    #[error("the store cannot be written: {0}")]
    ReadOnly(String),
    /// What stands in it cannot be right.
    #[error("the store is damaged: {0}; 'gridwatch store check' says where")]
    Damaged(String),
    /// This program makes something else of a contract than the one that recorded it.
    #[error(
        "contract {id} of the store cannot be judged by: {why}; use the gridwatch that recorded it, or a window without it"
    )]
    Contract {
        /// Its number in the store.
        id: i64,
        /// What is wrong.
        why: String,
    },
    /// Its file was deleted or moved away while it was written.
    #[error("the store in '{}' was deleted or moved away; put it back, or wait until a new one is begun", .0.display())]
    Gone(PathBuf),
    /// Another file has taken its place while it was written.
    #[error("the store in '{}' was replaced by another one", .0.display())]
    Replaced(PathBuf),
    /// The clock is behind what was recorded.
    #[error("the clock is {} s behind the newest record of the store, of {until}; set it if it is wrong; if it is right, 'gridwatch store aside' sets aside what the store has of the future", .behind_ms / 1_000)]
    ClockBehind {
        /// How far, milliseconds.
        behind_ms: i64,
        /// The newest record.
        until: Timestamp,
    },
    /// Nothing would be left.
    #[error(
        "nothing would be left from before {before}: {}; name a day that is not behind it",
        newest_said(*.newest)
    )]
    NothingLeft {
        /// The first day that was to be kept.
        before: config::Date,
        /// The newest record.
        newest: Option<Timestamp>,
    },
    /// The file system does not do what it should.
    #[error("'{}': {error}", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Anything else that the database says.
    #[error("the store: {0}")]
    Other(rusqlite::Error),
}

/// What the store ends with.
fn newest_said(newest: Option<Timestamp>) -> String {
    newest.map_or_else(
        || "the store is empty".to_owned(),
        |newest| format!("the newest record of the store is of {newest}"),
    )
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly(error.to_string())
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Other(error),
        }
    }
}

/// A connection that writes, and the lock that keeps others from it.
pub(super) struct Held {
    // Closed before the lock is given back: fields are dropped in their order.
    pub(super) connection: Connection,
    folder: PathBuf,
    identity: Option<Identity>,
    _lock: Lock,
}

impl Held {
    /// Whether what is written is what stands in the folder: an open file goes on when its name is gone.
    ///
    /// # Errors
    /// When it was deleted, moved or replaced.
    pub(super) fn in_place(&self) -> Result<(), StoreError> {
        let Some(own) = self.identity else { return Ok(()) };
        match identity(&self.folder.join(FILE)) {
            Some(found) if found == own => {}
            Some(_) => return Err(StoreError::Replaced(self.folder.clone())),
            None => return Err(StoreError::Gone(self.folder.clone())),
        }
        // What was committed of late stands in its log.
        let log = self.folder.join(format!("{FILE}-wal"));
        if log.is_file() { Ok(()) } else { Err(StoreError::Gone(self.folder.clone())) }
    }
}

/// What a file is, whatever its name: device and number.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(file: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(file).ok().map(|said| (said.dev(), said.ino()))
}

/// Where files have no number, a file that is open cannot be moved or deleted.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

/// The file that a writer holds; given back by the system when the process ends, however it ends.
struct Lock(File);

impl Lock {
    fn of(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK);
        let failed = |error| StoreError::File { path: path.clone(), error };
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for Lock {
    /// Not left to the closing of the file: a program that is just being started by another thread
    /// has a copy of it for a moment, and the lock would be held for as long.
    fn drop(&mut self) {
        // Where this fails, the closing of the file is what is left.
        let _ = self.0.unlock();
    }
}

/// Makes the folder of a store, and those above it, so that they survive what their contents survive:
/// the database syncs the names within its folder, but not the folder's own name.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    make_folder(above)?;
    // Also says what is wrong when there is a file of that name.
    std::fs::create_dir_all(folder)?;
    // Where a folder cannot be synced, the database goes on, too.
    #[cfg(unix)]
    let _ = File::open(above).and_then(|above| above.sync_all());
    Ok(())
}

/// Opens the store of a folder to write, makes it when there is none, and brings it up to date.
pub(super) fn open_to_write(folder: &Path) -> Result<Held, StoreError> {
    make_folder(folder).map_err(|error| StoreError::File { path: folder.to_owned(), error })?;
    let lock = Lock::of(folder)?;
    let mut connection = Connection::open(folder.join(FILE))?;
    connection.busy_timeout(BUSY)?;
    let version = version(&connection, folder, true)?;
    // Rows are durable when a commit returns: the log is synced with each.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    for (n, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(
            None,
            "user_version",
            i64::try_from(n + 1).unwrap_or(i64::MAX),
        )?;
        transaction.commit()?;
    }
    // The log is there from the first write on: from now on it must not go away.
    connection.execute_batch("BEGIN IMMEDIATE; PRAGMA user_version; COMMIT")?;
    let identity = identity(&folder.join(FILE));
    Ok(Held { connection, folder: folder.to_owned(), identity, _lock: lock })
}

/// Opens the store of a folder to read, beside whoever writes to it.
pub(super) fn open_to_read(folder: &Path) -> Result<Connection, StoreError> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Err(StoreError::Missing(folder.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    version(&connection, folder, false)?;
    Ok(connection)
}

/// Whether a store has a table: those of earlier versions, which are read as they are, lack some.
pub(super) fn has_table(connection: &Connection, table: &str) -> Result<bool, StoreError> {
    let mut named = connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
    Ok(named.exists([table])?)
}

/// The version of a store; 0: an empty file, which only a writer makes something of.
fn version(connection: &Connection, folder: &Path, may_be_new: bool) -> Result<usize, StoreError> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application =
        number("application_id").map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::Foreign(folder.to_owned()),
            _ => error.into(),
        })?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = application == 0 && tables == 0;
    if is_empty && !may_be_new {
        // The machine failed before the writer that made the file had written anything.
        return Err(StoreError::Missing(folder.to_owned()));
    }
    if application != i64::from(APPLICATION_ID) && !is_empty {
        return Err(StoreError::Foreign(folder.to_owned()));
    }
    let found = usize::try_from(number("user_version")?).unwrap_or(usize::MAX);
    let known = MIGRATIONS.len();
    if found > known {
        return Err(StoreError::Newer { path: folder.to_owned(), found, known });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_free_when_its_writer_is_gone_though_a_copy_of_the_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::of(folder.path()).unwrap();
        let copy = lock.0.try_clone().unwrap();
        assert!(matches!(open_to_write(folder.path()), Err(StoreError::InUse(_))));
        drop(lock);
        open_to_write(folder.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn a_file_that_nothing_was_written_to_is_no_store_yet() {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join(FILE)).unwrap();
        assert!(matches!(open_to_read(folder.path()), Err(StoreError::Missing(_))));
        open_to_write(folder.path()).unwrap();
        open_to_read(folder.path()).unwrap();
    }
}
