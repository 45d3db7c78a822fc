//! The file of the store: its tables, their versions, and what can be wrong with it.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use signal::clock::{Local, Timestamp};
use thiserror::Error;

use super::sums;
use crate::leftovers::Leftover;

/// What a file of ours says of itself, so that no other database is taken for one: `grid`.
const APPLICATION_ID: i32 = 0x6772_6964;

/// Name of the file within the folder of a store.
pub(super) const FILE: &str = "gridwatch.db";

/// Name of the file that a writer holds.
const LOCK: &str = "lock";

/// How long a reader waits while the writer closes a checkpoint.
const BUSY: Duration = Duration::from_secs(5);

/// What each version added. A store is brought up to the newest one by whoever opens it to write.
const MIGRATIONS: [&str; 5] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

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
-- Some hundred rows of a block, compressed (store/src/series/chunk.rs has the layout).
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
-- Values that are in no chunk yet, as they came with each commit (store/src/series/fresh.rs has the layout,
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
-- What is no longer kept: nothing of a kind is told from before its instant, by decision and not by accident. Rows of
-- some kinds stay for a while longer, since what is told rests on them.
CREATE TABLE forgotten (
    kind      TEXT PRIMARY KEY,         -- verdicts, events, values, polling, metering, alarms
    before_ms INTEGER NOT NULL,
    began_ms  INTEGER,                  -- the first moment of which there was something; nothing: there never was
    rows_from_ms INTEGER NOT NULL,
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
ALTER TABLE alarm ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
-- 1: its cause was there already when somebody began to watch, at least since raised_ms.
ALTER TABLE alarm ADD COLUMN at_least INTEGER NOT NULL DEFAULT 0;
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
-- Whether a unit records what comes of commands, as it said itself: when a session begins, on each day,
-- and when it said otherwise.
CREATE TABLE commands_kept (
    path  INTEGER NOT NULL REFERENCES path,
    unit  INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kept  INTEGER NOT NULL,             -- 1: it does, 0: it does not
    PRIMARY KEY (path, unit, at_ms)
) STRICT, WITHOUT ROWID;
-- Running counts of energy: a row whenever one stands otherwise. What was added since the row before
-- belongs to the day of the row.
CREATE TABLE energy (
    kind       TEXT NOT NULL,        -- remote, hand: energy sold, as it was read; out, in: of a plant
    station    TEXT NOT NULL,        -- or plant
    id         TEXT NOT NULL,        -- district.class of the meters; point of the plant
    at_ms      INTEGER NOT NULL,     -- when it was told
    sells      INTEGER NOT NULL,     -- 1: counts into the energy sold
    day        INTEGER NOT NULL,     -- local, since 1970: up to whose end it goes
    kwh        INTEGER NOT NULL,
    meter_days INTEGER NOT NULL,     -- that it covers; 0 of a plant
    meters     INTEGER NOT NULL,
    behind     INTEGER NOT NULL,     -- of these, those that the latest reading did not reach
    unread_days INTEGER NOT NULL,    -- meter-days up to the end of the day that no reading covers
    epoch      INTEGER NOT NULL,
    PRIMARY KEY (kind, station, id, at_ms, epoch)
) STRICT, WITHOUT ROWID;
-- Two epochs may tell of one moment.
CREATE TABLE asked_of_epoch (
    path        INTEGER NOT NULL REFERENCES path,
    from_ms     INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    no_reply    INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    undecodable INTEGER NOT NULL,
    missed      INTEGER NOT NULL,    -- slots
    longest_us  INTEGER NOT NULL,
    replies     TEXT NOT NULL,       -- by round trip, a number for each bucket
    epoch       INTEGER NOT NULL,
    PRIMARY KEY (path, from_ms, epoch)
) STRICT, WITHOUT ROWID;
INSERT INTO asked_of_epoch SELECT path, from_ms, until_ms, no_reply, refused, undecodable, missed, longest_us,
    replies, 0 FROM asked;
DROP TABLE asked;
ALTER TABLE asked_of_epoch RENAME TO asked;
-- The same of metering. What stands behind the epoch is NULL in rows of before, which there were only while every
-- meter was counted.
CREATE TABLE metering_of_epoch (
    kind      TEXT NOT NULL,         -- district, class
    id        TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    sells     INTEGER NOT NULL,      -- 1: counts into coverage
    meters    INTEGER NOT NULL,
    remote    INTEGER NOT NULL,      -- with a proven channel
    first_have INTEGER NOT NULL, first_want INTEGER NOT NULL,
    final_have INTEGER NOT NULL, final_want INTEGER NOT NULL,
    half_hours_have INTEGER NOT NULL, half_hours_want INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    -- Local days, since 1970, 0: none yet, that the figures are of: first pass and half hours of one, and what was
    -- followed to its end of another.
    day       INTEGER,
    final_day INTEGER,
    final_first_have INTEGER, final_first_want INTEGER,
    followed  INTEGER,               -- half hours that there should be; of these:
    on_time   INTEGER,               -- by 06:00 of the next day
    late      INTEGER,               -- later on that day
    backfilled INTEGER,              -- on the two days after it
    -- Meters of which nobody told for the day, and for the final day: they are in no other count of it.
    not_heard INTEGER, final_not_heard INTEGER,
    uncounted INTEGER,               -- of the meters, those of which nobody has told whether they have a channel
    PRIMARY KEY (kind, id, at_ms, epoch)
) STRICT, WITHOUT ROWID;
INSERT INTO metering_of_epoch SELECT kind, id, at_ms, sells, meters, remote, first_have, first_want, final_have,
    final_want, half_hours_have, half_hours_want, 0,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM metering;
DROP TABLE metering;
ALTER TABLE metering_of_epoch RENAME TO metering;
-- When it was told that records never came; NULL in rows of before. A count of 0: nobody knows how many.
ALTER TABLE lost_events ADD COLUMN told_ms INTEGER;
-- A recording may read every class less often than the texts say: no more often than once in so many milliseconds.
-- The hash then says that, too.
ALTER TABLE contract ADD COLUMN slowed_ms INTEGER;
-- A checksum of each row (store/src/sums.rs).
ALTER TABLE contract ADD COLUMN sum INTEGER;
ALTER TABLE datalist ADD COLUMN sum INTEGER;
ALTER TABLE path ADD COLUMN sum INTEGER;
ALTER TABLE session ADD COLUMN sum INTEGER;
ALTER TABLE judgement ADD COLUMN sum INTEGER;
ALTER TABLE event ADD COLUMN sum INTEGER;
ALTER TABLE lost_events ADD COLUMN sum INTEGER;
ALTER TABLE asked ADD COLUMN sum INTEGER;
ALTER TABLE layout ADD COLUMN sum INTEGER;
ALTER TABLE block ADD COLUMN sum INTEGER;
ALTER TABLE chunk ADD COLUMN sum INTEGER;
ALTER TABLE metering ADD COLUMN sum INTEGER;
ALTER TABLE journal ADD COLUMN sum INTEGER;
ALTER TABLE alarm ADD COLUMN sum INTEGER;
ALTER TABLE forgotten ADD COLUMN sum INTEGER;
ALTER TABLE clock_jump ADD COLUMN sum INTEGER;
ALTER TABLE commands_kept ADD COLUMN sum INTEGER;
ALTER TABLE energy ADD COLUMN sum INTEGER;
";

const VERSION_5: &str = "
-- Rows of the journal are values from here on, no longer the cells of replies (store/src/series/fresh.rs): no table differs,
-- but who knows only cells must not read them.
";

/// The first version whose rows have checksums.
const SUMMED_FROM: usize = 4;

/// Longest text or blob of a store, bytes: a chunk's, and room to spare.
const CELL_BYTES_MAX: i32 = 72 << 20;

/// Why a store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is none.
    #[error("no store in '{}': run 'gridwatch monitor --store' with that folder first, or name another one with --store", .0.display())]
    Missing(PathBuf),
    /// Another process writes to it.
    #[error("the store in '{}' is being written by another monitor; stop that one, or name another folder with --store", .0.display())]
    InUse(PathBuf),
    /// It has the history of another province.
    #[error("the store in '{}' is of '{its}', not of '{own}'; name another folder with --store", folder.display())]
    OtherProvince {
        /// The folder.
        folder: PathBuf,
        /// Name of its province.
        its: String,
        /// Name of the one that was to be written to it.
        own: String,
    },
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
    /// It cannot be read.
    #[error("the store in '{}' cannot be read: {why}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What is in the way.
        why: String,
    },
    /// Whoever asked for it wanted it to end.
    #[error("stopped, and nothing was written")]
    Stopped,
    /// Who may only read it cannot keep it still.
    #[error("the store in '{}' was written while it was read; try again", .0.display())]
    Disturbed(PathBuf),
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
        /// The newest record, by the clock of the province.
        newest: Option<Local>,
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
fn newest_said(newest: Option<Local>) -> String {
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
            // Rows that are longer than any of ours can be are damage, too.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TooBig) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Other(error),
        }
    }
}

impl StoreError {
    /// Says of what it is that something cannot be right.
    pub(super) fn within(self, place: &str) -> Self {
        match self {
            Self::Damaged(why) => Self::Damaged(format!("{place}: {why}")),
            other => other,
        }
    }

    /// What is wrong, for who is told of damage anyway.
    pub(super) fn fault(&self) -> String {
        match self {
            Self::Damaged(why) => why.clone(),
            other => other.to_string(),
        }
    }
}

/// A connection that writes, and the lock that keeps others from it.
pub(super) struct Held {
    // Closed before the lock is given back: fields are dropped in their order.
    pub(super) connection: Connection,
    folder: PathBuf,
    /// The file itself, where a link of its name leads elsewhere.
    database: PathBuf,
    identity: Option<Identity>,
    /// What lies beside the database, and is of this connection.
    beside: Vec<(PathBuf, Identity)>,
    _lock: Lock,
}

impl Drop for Held {
    /// A log that is of this connection is taken for one of whatever database stands beside it: where another one took
    /// the place of its own, it must go. Not where only a link leads to another one.
    fn drop(&mut self) {
        let found = identity(&self.database);
        if found.is_some() && self.identity.is_some() && found != self.identity {
            for (path, _) in self.beside.iter().filter(|(path, own)| identity(path) == Some(*own)) {
                // Where this fails, whoever opens that database reads it with this log.
                if let Err(error) = std::fs::remove_file(path) {
                    tracing::error!("{}: {error}", path.display());
                }
            }
        }
    }
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
        let log = beside(&self.database, "wal");
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
    /// The lock that lies in `place`, of the store of a folder.
    fn of(place: &Path, folder: &Path) -> Result<Self, StoreError> {
        let path = place.join(LOCK);
        let failed = |error| StoreError::File { path: path.clone(), error };
        // Others than files may block for ever whoever opens them.
        only_files(&path)?;
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
    let database = database(folder)?;
    // By whatever link it is found, one writes.
    let lock = Lock::of(database.parent().unwrap_or(folder), folder)?;
    only_files(&database)?;
    ["wal", "shm", "journal"].iter().try_for_each(|end| only_files(&beside(&database, end)))?;
    let mut connection = Connection::open(&database)?;
    distrust(&connection)?;
    sums::teach(&connection)?;
    let version = version(&connection, folder, true)?;
    // Rows are durable when a commit returns: the log is synced with each.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    for (n, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        if n + 1 == SUMMED_FROM {
            sums::begin(&transaction)?;
        }
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
    let of_folder = identity(&database);
    let beside = ["wal", "shm"].map(|end| beside(&database, end)).into_iter();
    let beside = beside.filter_map(|path| Some((identity(&path)?, path)));
    let beside = beside.map(|(own, path)| (path, own)).collect();
    let folder = folder.to_owned();
    Ok(Held { connection, folder, database, identity: of_folder, beside, _lock: lock })
}

/// Refuses what is there but no file.
fn only_files(path: &Path) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a file");
            Err(StoreError::File { path: path.to_owned(), error })
        }
        // What is not there is no harm, and what cannot be looked at is said by who opens it.
        _ => Ok(()),
    }
}

/// The file of the store of a folder. A symbolic link of its name is followed: the database has its log beside the
/// file itself, and so does its lock lie.
pub(super) fn database(folder: &Path) -> Result<PathBuf, StoreError> {
    let path = folder.join(FILE);
    if !path.is_symlink() {
        return Ok(path);
    }
    path.canonicalize().map_err(|error| {
        let why = format!("a symbolic link that leads to no file: {error}");
        StoreError::File { path, error: io::Error::new(error.kind(), why) }
    })
}

/// A file of the database's own beside it.
pub(super) fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-");
    name.push(end);
    name.into()
}

/// What a file says of itself is not believed: somebody may have sent it.
fn distrust(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, CELL_BYTES_MAX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise a statement is parsed anew with each value that a range of it is given, which costs more than
    // to run it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    for never in [DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW] {
        connection.set_db_config(never, false)?;
    }
    Ok(())
}

/// A connection that reads.
pub(super) struct Opened {
    // Closed before its copy is removed: fields are dropped in their order.
    connection: Connection,
    folder: PathBuf,
    database: PathBuf,
    /// How the files were, when nobody else can be kept from writing them.
    still: Option<Stamp>,
    _copy: Option<Copy>,
}

impl Deref for Opened {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// By what a change of the files of a store is seen: length and time of each.
type Stamp = [Option<(u64, Option<std::time::SystemTime>)>; 2];

fn stamp(database: &Path) -> Stamp {
    [database.to_owned(), beside(database, "wal")].map(|path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()))
    })
}

/// A copy in a folder of its own, gone when it is not needed any more.
struct Copy(Leftover);

impl Copy {
    fn of(database: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::File { path: database.to_owned(), error };
        let mut maker = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
        let place = |n: u32| {
            let name = format!("gridwatch-{}-{n}", std::process::id());
            std::env::temp_dir().join(name)
        };
        let is_made = |path: &PathBuf| maker.create(path).is_ok();
        let made = (0..100).map(place).find(is_made);
        let full = || failed(io::Error::other("no folder for a copy of it can be made"));
        let copy = Self(Leftover::at(made.ok_or_else(full)?));
        let to = copy.0.path().join(FILE);
        let all = ["journal", "wal"].map(|end| (beside(database, end), beside(&to, end)));
        for (from, to) in all.into_iter().chain([(database.to_owned(), to)]) {
            if from.is_file() {
                // Not with its permissions: the copy is written, where the change is taken back.
                let copied = File::open(from)
                    .and_then(|mut from| io::copy(&mut from, &mut File::create(&to)?));
                copied.map_err(failed)?;
            }
        }
        Ok(copy)
    }
}

impl Opened {
    /// Whether what was read is of one moment: where nobody could be kept from writing meanwhile, that
    /// nobody did.
    pub(super) fn undisturbed(&self) -> Result<(), StoreError> {
        match &self.still {
            Some(was) if *was != stamp(&self.database) => {
                Err(StoreError::Disturbed(self.folder.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// Opens the store of a folder to read, beside whoever writes to it. Nothing of the folder need be
/// writable: an archive, the store of another account.
pub(super) fn open_to_read(folder: &Path) -> Result<Opened, StoreError> {
    let path = database(folder)?;
    if !path.is_file() {
        return Err(StoreError::Missing(folder.to_owned()));
    }
    for end in ["wal", "shm", "journal"] {
        only_files(&beside(&path, end))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = |connection, still, copy| Opened {
        connection,
        folder: folder.to_owned(),
        database: path.clone(),
        still,
        _copy: copy,
    };
    let shut_out = match Connection::open_with_flags(&path, flags)
        .map_err(StoreError::from)
        .and_then(|connection| looked_at(connection, folder))
    {
        Ok(connection) => return Ok(opened(connection, None, None)),
        Err(StoreError::ReadOnly(why)) => why,
        Err(error) => return Err(error),
    };
    let has = |end| std::fs::metadata(beside(&path, end)).is_ok_and(|found| found.len() > 0);
    let unreadable = |error| match error {
        StoreError::ReadOnly(why) => StoreError::Unreadable { path: folder.to_owned(), why },
        error => error,
    };
    if has("journal") {
        // Who wrote last was cut off within a change, which is taken back first. Not in the store: who reads
        // changes nothing.
        let copy = Copy::of(&path)?;
        let connection = Connection::open(copy.0.path().join(FILE))?;
        let connection = looked_at(connection, folder).map_err(unreadable)?;
        return Ok(opened(connection, None, Some(copy)));
    }
    tracing::debug!(%shut_out, "reading a store that nobody can be kept from writing");
    let still = stamp(&path);
    let connection = if has("wal") {
        // The log is read as well, without the index that others would share.
        let connection = Connection::open_with_flags_and_vfs(&path, flags, c"unix-none")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection
    } else {
        let uri = immutable(&path).ok_or_else(|| StoreError::ReadOnly(shut_out));
        Connection::open_with_flags(uri?, flags | OpenFlags::SQLITE_OPEN_URI)?
    };
    let connection = looked_at(connection, folder).map_err(unreadable)?;
    Ok(opened(connection, Some(still), None))
}

/// The name by which a database is opened that nobody writes.
fn immutable(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let mut uri = "file:".to_owned();
    for byte in path.to_str()?.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    Some(uri + "?immutable=1")
}

fn looked_at(connection: Connection, folder: &Path) -> Result<Connection, StoreError> {
    distrust(&connection)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    version(&connection, folder, false)?;
    Ok(connection)
}

/// Whether a store has a table: those of earlier versions, which are read as they are, lack some.
pub(super) fn has_table(connection: &Connection, table: &str) -> Result<bool, StoreError> {
    let mut named = connection.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
    Ok(named.exists([table])?)
}

/// The column of epochs, of which a store of an earlier version has none: all of it is of the first.
pub(super) fn epoch_column(connection: &Connection) -> Result<&'static str, StoreError> {
    Ok(if has_table(connection, "clock_jump")? { "epoch" } else { "0" })
}

/// Whether a table has a column, which may have come with a later version.
pub(super) fn has_column(
    connection: &Connection,
    table: &str,
    column: &str,
) -> Result<bool, StoreError> {
    let mut named =
        connection.prepare_cached("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2")?;
    Ok(named.exists([table, column])?)
}

/// What a store consists of: kind, name, table and text of each part.
type Part = (String, String, String, Option<String>);

fn parts(connection: &Connection) -> Result<Vec<Part>, rusqlite::Error> {
    // What the database itself keeps for its planner is none of ours, and no harm.
    let mut all = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
         WHERE name NOT LIKE 'sqlite\\_stat_' ESCAPE '\\' ORDER BY type, name LIMIT 100",
    )?;
    let part = |row: &Row<'_>| {
        let text: Option<String> = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, text.map(|text| bare(&text))))
    };
    all.query_map([], part)?.collect()
}

/// A text of the schema without its comments and spaces, which say nothing to the database.
fn bare(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// A store consists of the tables of its version and nothing else: a view in place of a table may never
/// come to its end, and a table of another form may compute what it holds.
fn only_own_tables(connection: &Connection, version: usize) -> Result<(), StoreError> {
    let own = Connection::open_in_memory()?;
    MIGRATIONS.iter().take(version).try_for_each(|migration| own.execute_batch(migration))?;
    let (own, found) = (parts(&own)?, parts(connection)?);
    let strange = found.iter().find(|part| !own.contains(part));
    if let Some((kind, name, ..)) = strange {
        let why = format!("{kind} '{name}' is none of a store of version {version}");
        return Err(StoreError::Damaged(why));
    }
    match own.iter().find(|part| !found.contains(part)) {
        Some((kind, name, ..)) => Err(StoreError::Damaged(format!("{kind} '{name}' is not there"))),
        None => Ok(()),
    }
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
    only_own_tables(connection, found)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_free_when_its_writer_is_gone_though_a_copy_of_the_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::of(folder.path(), folder.path()).unwrap();
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
