//! Who reads a store: at one instant of it, beside whoever writes.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use config::Province;
use historian::events::TimeDoubt;
use historian::snapshot::{HalfHours, LinkState};
use historian::verdict_log::{EDGES_US, PollStats, Run};
use rusqlite::{Connection, OptionalExtension, Row, params};
use signal::clock::{DAY_MS, Jump, Timestamp};

use super::batch::MeterKind;
use super::cells;
use super::commands;
use super::contracts;
use super::epochs::{self, Epochs};
use super::journal;
use super::kept::Kept;
use super::recent::Recent;
use super::runs;
use super::schema::{Opened, StoreError, epoch_column, has_column, has_table, open_to_read};
use super::values::{OfStation, Reign};
use crate::series::Sealed;

/// A store as it was when it was opened: what is written later is not seen, so that all that is read
/// belongs together.
pub struct Reader {
    connection: Opened,
    /// Contracts that were read: to read one takes as long as a province file does.
    contracts: RefCell<BTreeMap<i64, Contract>>,
    /// What stands in the journal, as chunks, by contract.
    journal: OnceCell<BTreeMap<i64, Vec<Sealed>>>,
    epochs: OnceCell<Arc<Epochs>>,
    /// What of each session holds, with its epoch.
    pieces: OnceCell<Vec<(Session, i64)>>,
    /// How long each contract held.
    reigns: OnceCell<Vec<Reign>>,
    /// The blocks of the station of which values were asked for last.
    blocks: RefCell<OfStation>,
    /// The chunks that were read last.
    recent: RefCell<Recent>,
}

/// A stretch of time in which somebody watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: i64,
    /// The contract by which it was judged.
    pub contract: i64,
    /// Its first judgement, of those that are kept. A session of which nothing is kept any more but its
    /// contract, which holds until the next one, has no length and lies before all that is.
    pub from: Timestamp,
    /// Up to here everything is known.
    pub until: Timestamp,
    /// Whether it ended, and how.
    pub end: End,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// It has not, as far as the store knows.
    Running,
    /// As it should.
    Closed,
    /// Without a word: the process or the machine died.
    Broken,
    /// The clock was set, the machine slept, or nothing ran; or another session whose clock was corrected
    /// has what follows.
    Jump,
}

impl End {
    /// Every way to end.
    pub const ALL: [Self; 4] = [Self::Running, Self::Closed, Self::Broken, Self::Jump];

    /// Its number in the store. A number that is given is never given again, nor to another end.
    pub fn code(self) -> i64 {
        match self {
            Self::Running => 0,
            Self::Closed => 1,
            Self::Broken => 2,
            Self::Jump => 3,
        }
    }

    /// The end that a number stands for; `None` when it stands for none.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.code() == code)
    }
}

/// A contract that sessions refer to.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Its number.
    pub id: i64,
    /// SHA-256 of its texts, hexadecimal.
    pub hash: String,
    /// The province that it describes.
    pub province: Arc<Province>,
}

/// A judgement of a path as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// In which session.
    pub session: i64,
    /// The runs say every point.
    pub whole: bool,
    /// The path.
    pub link: LinkState,
    /// Points by their places in the contract.
    pub runs: Vec<Run>,
}

/// A record of a ring of events as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Station id.
    pub station: String,
    /// Centre id.
    pub centre: String,
    /// Unit id.
    pub unit: u8,
    /// Number of the record in its unit.
    pub number: u32,
    /// When it happened, or came if the unit's clock cannot be right.
    pub at: Timestamp,
    /// By the clock of the unit.
    pub source: Timestamp,
    /// When it came.
    pub arrived: Timestamp,
    /// Address of the status.
    pub address: u16,
    /// Full id of the status; `None` when the contract of the time had none there.
    pub point: Option<String>,
    /// The code before, when it is known.
    pub before: Option<u16>,
    /// Its new code.
    pub value: u16,
    /// What the device said against it.
    pub flags: u16,
    /// Whether the unit held its clock to be synchronised.
    pub synchronised: bool,
    /// Why the time cannot be right: `ahead`, `behind`.
    pub doubt: Option<String>,
}

/// How asking went over a path for some minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// From when.
    pub from: Timestamp,
    /// Up to when.
    pub until: Timestamp,
    /// How.
    pub asked: PollStats,
}

/// Remote metering of a district or class, from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered {
    /// What it is about.
    pub kind: MeterKind,
    /// Its id in the contract.
    pub id: String,
    /// Since when.
    pub at: Timestamp,
    /// Whether its meters sell energy.
    pub sells: bool,
    /// Meters, and those with a proven channel.
    pub meters: u64,
    /// Of these, with a proven channel.
    pub remote: u64,
    /// Of these, those that nobody had counted: neither with a channel nor without.
    pub uncounted: u64,
    /// Read by 06:00, of those that should be: have, want.
    pub first_pass: (u64, u64),
    /// Read when retries ended: have, want.
    pub final_pass: (u64, u64),
    /// Half hours that came by 06:00: have, want.
    pub half_hours: (u64, u64),
    /// Days, and what was followed to its end; `None` in rows of stores before version 4.
    pub followed: Option<FollowedDay>,
}

/// Of which days figures of metering are, and what became of one of them when retries had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedDay {
    /// The local day of first pass and half hours, since 1970; 0: nobody has told of one.
    pub day: u16,
    /// The day that was followed to its end, three days before as a rule.
    pub final_day: u16,
    /// Read by 06:00 on that day: have, want.
    pub final_first_pass: (u64, u64),
    /// Its half hours.
    pub half_hours: HalfHours,
    /// Meters of which nobody told for `day`, and for `final_day`: they are in no other count of it.
    pub not_heard: [u64; 2],
}

impl Metered {
    /// Meters of which nobody told for the day of the first pass, and for the final day. Stores before version 4
    /// do not say so: there it is how many with a proven channel are in no count of that day.
    pub fn not_heard(&self) -> [u64; 2] {
        let left_out = |(_, want)| self.remote.saturating_sub(want);
        let counted = || [self.first_pass, self.final_pass].map(left_out);
        self.followed.map_or_else(counted, |followed| followed.not_heard)
    }
}

impl Reader {
    /// Opens the store of a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be read by this program.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let connection = open_to_read(folder)?;
        // One transaction for the life of the reader; its first read fixes what it sees.
        connection.execute_batch("BEGIN; SELECT count(*) FROM session;")?;
        Ok(Self {
            connection,
            contracts: RefCell::default(),
            journal: OnceCell::new(),
            epochs: OnceCell::new(),
            pieces: OnceCell::new(),
            reigns: OnceCell::new(),
            blocks: RefCell::default(),
            recent: RefCell::default(),
        })
    }

    /// Whether all that was read is of one moment. It is, where writers can be kept waiting; a store that
    /// may only be read is looked at once more.
    ///
    /// # Errors
    /// When somebody wrote to it meanwhile.
    pub fn undisturbed(&self) -> Result<(), StoreError> {
        self.connection.undisturbed()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn known_reigns(&self) -> &OnceCell<Vec<Reign>> {
        &self.reigns
    }

    pub(super) fn recent(&self) -> &RefCell<Recent> {
        &self.recent
    }

    pub(super) fn last_blocks(&self) -> &RefCell<OfStation> {
        &self.blocks
    }

    /// Every session, in the order of time. They never overlap: of a stretch that came twice, because the
    /// clock was set back, the session with the corrected clock has it, and of another one there may be
    /// several pieces.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        let kept = self.kept_from(Kept::Verdicts)?;
        Ok(self.pieces_from(kept)?.into_iter().map(|(piece, _)| piece).collect())
    }

    /// The same, with those of which nothing is told any more, but whose rows are there: what is told of the
    /// time behind rests on them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sessions_and_margin(&self) -> Result<Vec<Session>, StoreError> {
        Ok(self.pieces()?.iter().map(|(piece, _)| *piece).collect())
    }

    /// The same, with the epoch of each.
    pub(super) fn pieces(&self) -> Result<&[(Session, i64)], StoreError> {
        if let Some(known) = self.pieces.get() {
            return Ok(known);
        }
        let pieces = self.pieces_from(self.rows_from(Kept::Verdicts)?)?;
        Ok(self.pieces.get_or_init(|| pieces))
    }

    /// What lies behind a moment of each session, with its epoch; and of what lies before it the last one, which has
    /// no length, for its contract: it holds until another comes.
    fn pieces_from(&self, from: Option<Timestamp>) -> Result<Vec<(Session, i64)>, StoreError> {
        let mut pieces = epochs::pieces(&self.written()?.sessions);
        let Some(from) = from else { return Ok(pieces) };
        let before = pieces.iter().filter(|(piece, _)| piece.from < from);
        let last = before.max_by_key(|(piece, epoch)| (*epoch, piece.from)).map(|(own, _)| *own);
        pieces.retain(|(piece, _)| piece.until >= from || last == Some(*piece));
        for (piece, _) in &mut pieces {
            piece.until = piece.until.max(from.plus(-1));
            piece.from = if piece.until < from { piece.until } else { piece.from.max(from) };
        }
        Ok(pieces)
    }

    /// When the session began that is kept from a moment on.
    pub(super) fn began(&self, from: Timestamp) -> Result<Timestamp, StoreError> {
        let kept = self.kept_from(Kept::Verdicts)?;
        if kept.is_none_or(|kept| from > kept) {
            return Ok(from);
        }
        let began: Option<i64> = self.connection.query_row(
            "SELECT max(from_ms) FROM session WHERE from_ms <= ?1",
            [from.0],
            |row| row.get(0),
        )?;
        Ok(began.map_or(from, Timestamp))
    }

    /// Sessions as they were written, but for those of a wrong clock.
    fn written(&self) -> Result<Written, StoreError> {
        let epoch = epoch_column(&self.connection)?;
        let mut all = self.connection.prepare(&format!(
            "SELECT id, contract, from_ms, until_ms, closed, {epoch} FROM session ORDER BY from_ms, id"
        ))?;
        let mut rows = all.query([])?;
        let mut sessions = Vec::new();
        while let Some(row) = rows.next()? {
            sessions.push(session(row)?);
            bounded(sessions.len())?;
        }
        let wrong = epochs::wrong(&self.connection, &sessions)?;
        sessions.retain(|(_, epoch)| !wrong.contains(epoch));
        Ok(Written { sessions, wrong })
    }

    /// What a query of a table adds, so that rows whose moment (`at`, a column) a later epoch has are left
    /// out.
    pub(super) fn holds(&self, table: &str, at: &str) -> Result<String, StoreError> {
        let epochs = if let Some(known) = self.epochs.get() {
            known
        } else {
            let Written { sessions, wrong } = self.written()?;
            let epochs = Arc::new(Epochs::of(&sessions, wrong));
            epochs.teach(&self.connection)?;
            self.epochs.get_or_init(|| epochs)
        };
        Ok(if epochs.is_one() { String::new() } else { epochs::holds(table, at) })
    }

    /// Where time did not go on evenly, in the order in which that came.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn jumps(&self) -> Result<Vec<Jump>, StoreError> {
        epochs::jumps(&self.connection)
    }

    /// A contract, read again from its texts.
    ///
    /// # Errors
    /// When this program makes something else of it than the one that recorded it.
    pub fn contract(&self, id: i64) -> Result<Contract, StoreError> {
        if let Some(known) = self.contracts.borrow().get(&id) {
            return Ok(known.clone());
        }
        let province = contracts::get(&self.connection, id)?;
        let hash = contracts::hash(&province.origin);
        let contract = Contract { id, hash, province };
        self.contracts.borrow_mut().insert(id, contract.clone());
        Ok(contract)
    }

    /// Values that are in no chunk yet, by contract; those of one that this program cannot read are left
    /// out, since it says so when it is asked for their contract.
    pub(super) fn journal(&self) -> Result<&BTreeMap<i64, Vec<Sealed>>, StoreError> {
        if let Some(known) = self.journal.get() {
            return Ok(known);
        }
        let (mut all, mut room) = (BTreeMap::new(), journal::ROOM_BYTES);
        for contract in journal::contracts_in(&self.connection)? {
            match self.contract(contract) {
                Err(StoreError::Contract { .. }) => {}
                known => {
                    let province = &known?.province;
                    let unsealed =
                        journal::unsealed(&self.connection, contract, province, &mut room)?;
                    all.insert(contract, unsealed.whole()?);
                }
            }
        }
        Ok(self.journal.get_or_init(|| all))
    }

    /// Whether a station has ever answered a centre, as far as is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered(&self, (station, centre): (&str, &str)) -> Result<bool, StoreError> {
        let connected = LinkState::Connected.code();
        let answered = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM path JOIN judgement ON judgement.path = path.id
                 WHERE station = ?1 AND centre = ?2 AND link = ?3)",
            )?
            .query_row(params![station, centre, connected], |row| row.get(0))?;
        Ok(answered)
    }

    /// Hands on the judgements of a path in a session that say how it stood from `from` to `to`: the
    /// last whole one up to `from`, and all behind it.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn judgements(
        &self,
        (station, centre): (&str, &str),
        session: i64,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Judged),
    ) -> Result<(), StoreError> {
        let path: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM path WHERE station = ?1 AND centre = ?2")?
            .query_row([station, centre], |row| row.get(0))
            .optional()?;
        let Some(path) = path else { return Ok(()) };
        let first: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT max(at_ms) FROM judgement
                 WHERE path = ?1 AND session = ?2 AND whole = 1 AND at_ms <= ?3",
            )?
            .query_row(params![path, session, from.0], |row| row.get(0))?;
        let mut of_path = self.connection.prepare_cached(
            "SELECT at_ms, session, whole, link, runs FROM judgement
             WHERE path = ?1 AND at_ms >= ?2 AND at_ms < ?3 AND session = ?4 ORDER BY at_ms",
        )?;
        let mut rows = of_path.query(params![path, first.unwrap_or(from.0), to.0, session])?;
        while let Some(row) = rows.next()? {
            each(judged(row)?);
        }
        Ok(())
    }

    /// Records of events from `from` up to `to`, in the order in which they happened.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn events(
        &self,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Recorded),
    ) -> Result<(), StoreError> {
        let mut of_window = self.connection.prepare_cached(&format!(
            "SELECT {RECORDED} FROM event JOIN path ON path.id = event.path
             WHERE at_ms >= ?1 AND at_ms < ?2
             ORDER BY at_ms, station, centre, unit, number"
        ))?;
        let from = self.kept_since(Kept::Events, from)?;
        let mut rows = of_window.query(params![from.0, to.0])?;
        while let Some(row) = rows.next()? {
            each(recorded(row)?);
        }
        Ok(())
    }

    /// Hands on every record that there is, unit by unit of each path, in the order in which they came: also those
    /// from before what is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn records(&self, mut each: impl FnMut(Recorded)) -> Result<(), StoreError> {
        let mut all = self.connection.prepare_cached(&format!(
            "SELECT {RECORDED} FROM event JOIN path ON path.id = event.path
             ORDER BY event.path, unit, arrived_ms, number, source_ms, address"
        ))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            each(recorded(row)?);
        }
        Ok(())
    }

    /// Records that never came, by path: station, centre, and how many from `from` up to `to`; 0 where nobody knows
    /// how many, or how many of them in that time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lost_events(
        &self,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(String, String, u64)>, StoreError> {
        let from = self.kept_since(Kept::Events, from)?;
        let mut lost: BTreeMap<(String, String), Option<u64>> = BTreeMap::new();
        self.gaps((from, to), |path, (began, told), count| {
            let is_within = began >= from && told < to;
            let count = Some(count).filter(|count| *count > 0 && is_within);
            let own = lost.entry(path).or_insert(Some(0));
            *own = own.zip(count).map(|(own, count)| own.saturating_add(count));
        })?;
        let count = |count: Option<u64>| count.unwrap_or(0);
        Ok(lost.into_iter().map(|((station, centre), n)| (station, centre, count(n))).collect())
    }

    /// Paths over which records were lost that may have happened from `from` up to `to`: station and centre.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn paths_that_lost(
        &self,
        window: (Timestamp, Timestamp),
    ) -> Result<BTreeSet<(String, String)>, StoreError> {
        let mut lost = BTreeSet::new();
        self.gaps(window, |path, _, _| {
            lost.insert(path);
        })?;
        Ok(lost)
    }

    /// Hands on the gaps among records that have some of a stretch: station and centre; when it began and when it was
    /// told; and how many records it has, 0 when nobody knows. It begins with the record before it; where none came in
    /// the session that told it, when somebody had watched before, at the earliest.
    fn gaps(
        &self,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut((String, String), (Timestamp, Timestamp), u64),
    ) -> Result<(), StoreError> {
        // Before everything that is known of, where nobody had watched before, or that is no longer kept.
        const BEGAN: &str = "coalesce(after_ms,
            (SELECT max(until_ms) FROM session WHERE until_ms <= lost_events.at_ms), 0)";
        let told = format!("coalesce({}, at_ms)", told(&self.connection)?);
        let mut touching = self.connection.prepare_cached(&format!(
            "SELECT station, centre, {BEGAN}, {told}, count FROM lost_events
             JOIN path ON path.id = lost_events.path WHERE {told} >= ?1 AND {BEGAN} < ?2"
        ))?;
        let mut rows = touching.query(params![from.0, to.0])?;
        while let Some(row) = rows.next()? {
            let path = (cells::name(row, 0)?, cells::name(row, 1)?);
            let span = (cells::instant(row, 2)?, cells::instant(row, 3)?);
            each(path, span, lost_count(row, 4)?);
        }
        Ok(())
    }

    /// Hands on each stretch in which records never came: station, centre, unit, from when to when. Where it is not
    /// known behind which record they are, it begins with the session. Stores of before version 4 do not say when it
    /// was told, and have none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn losses(
        &self,
        mut each: impl FnMut((String, String, u8), (Timestamp, Timestamp)),
    ) -> Result<(), StoreError> {
        let told = told(&self.connection)?;
        let mut all = self.connection.prepare_cached(&format!(
            "SELECT station, centre, unit, coalesce(after_ms,
                 (SELECT max(from_ms) FROM session WHERE from_ms <= {told}), at_ms), {told}
             FROM lost_events JOIN path ON path.id = lost_events.path WHERE {told} IS NOT NULL"
        ))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let unit = (cells::name(row, 0)?, cells::name(row, 1)?, cells::of(row, 2)?);
            each(unit, (cells::instant(row, 3)?, cells::instant(row, 4)?));
        }
        Ok(())
    }

    /// How asking went over a path in the stretches that begin from `from` up to `to`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn asked(
        &self,
        path: (&str, &str),
        span: (Timestamp, Timestamp),
    ) -> Result<PollStats, StoreError> {
        let mut sum = PollStats::default();
        self.asking(path, span, |stretch| {
            for (sum, more) in sum.faults.iter_mut().zip(stretch.asked.faults) {
                *sum += more;
            }
            sum.missed += stretch.asked.missed;
            sum.longest_us = sum.longest_us.max(stretch.asked.longest_us);
            for (sum, more) in sum.replies.iter_mut().zip(stretch.asked.replies) {
                *sum += more;
            }
        })?;
        Ok(sum)
    }

    /// Hands on how asking went over a path in each stretch that begins from `from` up to `to`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn asking(
        &self,
        (station, centre): (&str, &str),
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Stretch),
    ) -> Result<(), StoreError> {
        let holds = self.holds("asked", "from_ms")?;
        let mut of_path = self.connection.prepare_cached(&format!(
            "SELECT no_reply, refused, undecodable, missed, longest_us, replies, from_ms, until_ms
             FROM asked JOIN path ON path.id = asked.path
             WHERE station = ?1 AND centre = ?2 AND from_ms >= ?3 AND from_ms < ?4 {holds}
             ORDER BY from_ms"
        ))?;
        let mut rows = of_path.query(params![station, centre, from.0, to.0])?;
        while let Some(row) = rows.next()? {
            each(stretch(row)?);
        }
        Ok(())
    }

    /// Hands on the stretches of which it is told how asking went over any path, from when up to when, as far as they have
    /// anything of a span; in the order of their beginning.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn asked_stretches(
        &self,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Timestamp, Timestamp),
    ) -> Result<(), StoreError> {
        let holds = self.holds("asked", "from_ms")?;
        let mut stretches = self.connection.prepare_cached(&format!(
            "SELECT DISTINCT from_ms, until_ms FROM asked WHERE until_ms > ?1 AND from_ms < ?2 {holds} ORDER BY from_ms"
        ))?;
        let mut rows = stretches.query(params![from.0, to.0])?;
        while let Some(row) = rows.next()? {
            each(cells::instant(row, 0)?, cells::instant(row, 1)?);
        }
        Ok(())
    }

    /// Remote metering as it stood at `at`: the latest figures of each district and class; none of a moment
    /// of which they are no longer kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn metering(&self, at: Timestamp) -> Result<Vec<Metered>, StoreError> {
        let (holds, followed) = (self.holds("metering", "at_ms")?, followed(&self.connection)?);
        let epoch = epoch_column(&self.connection)?;
        let mut latest = self.connection.prepare_cached(&format!(
            "SELECT kind, id, at_ms, sells, meters, remote, first_have, first_want,
                 final_have, final_want, half_hours_have, half_hours_want, {followed}
             FROM (SELECT *, row_number() OVER (
                     PARTITION BY kind, id ORDER BY at_ms DESC, {epoch} DESC) AS place
                 FROM metering WHERE at_ms <= ?1 {holds})
             WHERE place = 1 ORDER BY kind, id"
        ))?;
        if self.kept_since(Kept::Metering, at)? > at {
            return Ok(Vec::new());
        }
        let mut rows = latest.query([at.0])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(metered(row)?);
            bounded_metering(all.len())?;
        }
        Ok(all)
    }

    /// When remote metering was told of first, of all that is still there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn metering_begins(&self) -> Result<Option<Timestamp>, StoreError> {
        let holds = self.holds("metering", "at_ms")?;
        let first = format!("SELECT min(at_ms) FROM metering WHERE 1 = 1 {holds}");
        let mut first = self.connection.prepare_cached(&first)?;
        let mut rows = first.query([])?;
        rows.next()?.map_or(Ok(None), |row| cells::maybe_instant(row, 0))
    }

    /// Hands on what remote metering said from `from` up to `to`, whenever a figure was another one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn metering_changes(
        &self,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Metered),
    ) -> Result<(), StoreError> {
        let (holds, followed) = (self.holds("metering", "at_ms")?, followed(&self.connection)?);
        // A number by itself would be the place of a column.
        let epoch = epoch_column(&self.connection)?;
        let mut of_window = self.connection.prepare_cached(&format!(
            "SELECT kind, id, at_ms, sells, meters, remote, first_have, first_want,
                 final_have, final_want, half_hours_have, half_hours_want, {followed}
             FROM metering WHERE at_ms >= ?1 AND at_ms < ?2 {holds}
             ORDER BY at_ms, kind, id, {epoch} + 0"
        ))?;
        let from = self.kept_since(Kept::Metering, from)?;
        let mut rows = of_window.query(params![from.0, to.0])?;
        while let Some(row) = rows.next()? {
            each(metered(row)?);
        }
        Ok(())
    }
}

/// Most sessions of a store: with one each five minutes, a year. Who begins anew so often has other things to
/// mend, and a report of so many gaps is none.
const SESSIONS_MAX: usize = 100_000;

/// There are no more sessions than a report can be made of.
pub(super) fn bounded(sessions: usize) -> Result<(), StoreError> {
    cells::at_most(sessions, SESSIONS_MAX, "sessions")
}

/// Most districts and classes of which remote metering tells; a province has some dozens.
const METERED_MAX: usize = 10_000;

/// There are no more districts and classes than a report can name.
pub(super) fn bounded_metering(metered: usize) -> Result<(), StoreError> {
    cells::at_most(metered, METERED_MAX, "districts and classes of meters")
}

/// Longest session, milliseconds: a hundred years. No machine ran for so long.
const SESSION_MS_MAX: i64 = 36_525 * DAY_MS;

/// What was written by clocks that were right, as far as anybody knows.
struct Written {
    /// With their epochs.
    sessions: Vec<(Session, i64)>,
    /// The epochs whose clock was wrong.
    wrong: BTreeSet<i64>,
}

/// A session and its epoch: number, contract, first and last moment, how it ended, epoch.
pub(super) fn session(row: &Row<'_>) -> Result<(Session, i64), StoreError> {
    let id: i64 = cells::of(row, 0)?;
    let of_it = |error: StoreError| error.within(&format!("session {id}"));
    let (from, until) =
        (cells::instant(row, 2).map_err(of_it)?, cells::instant(row, 3).map_err(of_it)?);
    let end = End::from_code(cells::of(row, 4)?);
    let end = end.ok_or_else(|| of_it(cells::bad(row, 4, "is none that there is")))?;
    if until < from {
        return Err(StoreError::Damaged(format!("session {id} ends before it begins")));
    }
    if until.since(from) > SESSION_MS_MAX {
        return Err(StoreError::Damaged(format!("session {id} lasts for longer than it can")));
    }
    Ok((Session { id, contract: cells::of(row, 1)?, from, until, end }, cells::of(row, 5)?))
}

/// What [`recorded`] reads, of events and their paths.
const RECORDED: &str =
    "station, centre, unit, number, at_ms, source_ms, arrived_ms, address, point,
     before, value, flags, synchronised, doubt";

fn recorded(row: &Row<'_>) -> Result<Recorded, StoreError> {
    let doubt = cells::maybe_name(row, 13)?;
    let is_known = |word: &str| TimeDoubt::ALL.iter().any(|doubt| doubt.word() == word);
    if doubt.as_deref().is_some_and(|doubt| !is_known(doubt)) {
        return Err(cells::bad(row, 13, "is none that there is"));
    }
    Ok(Recorded {
        station: cells::name(row, 0)?,
        centre: cells::name(row, 1)?,
        unit: cells::of(row, 2)?,
        number: cells::of(row, 3)?,
        at: cells::instant(row, 4)?,
        // Whatever the clock of the unit said.
        source: Timestamp(cells::of(row, 5)?),
        arrived: cells::instant(row, 6)?,
        address: cells::of(row, 7)?,
        point: cells::maybe_name(row, 8)?,
        before: cells::of(row, 9)?,
        value: cells::of(row, 10)?,
        flags: cells::of(row, 11)?,
        synchronised: cells::flag(row, 12)?,
        doubt,
    })
}

/// How many records never came: no more than they have numbers.
fn lost_count(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    let count = cells::count(row, column)?;
    let most = u64::from(u32::MAX);
    if count > most { Err(cells::bad(row, column, "is more than can be")) } else { Ok(count) }
}

fn stretch(row: &Row<'_>) -> Result<Stretch, StoreError> {
    let mut asked = PollStats { longest_us: cells::of(row, 4)?, ..PollStats::default() };
    for (place, fault) in asked.faults.iter_mut().enumerate() {
        *fault = cells::count(row, place)?;
    }
    asked.missed = cells::count(row, 3)?;
    let replies = cells::name(row, 5)?;
    let counts: Vec<u64> = replies
        .split(' ')
        .map_while(|count| count.parse().ok().filter(|n: &u64| n >> 40 == 0))
        .collect();
    if counts.len() != asked.replies.len() || replies.split(' ').count() != counts.len() {
        let buckets = EDGES_US.len() + 1;
        let why = format!("round trips '{replies}' are not {buckets} counts");
        return Err(StoreError::Damaged(why));
    }
    asked.replies.copy_from_slice(&counts);
    let (from, until) = (cells::instant(row, 6)?, cells::instant(row, 7)?);
    if until < from {
        return Err(cells::bad(row, 7, "is before the beginning"));
    }
    Ok(Stretch { from, until, asked })
}

/// Columns of what was followed to its end, which came with version 4.
fn followed(connection: &Connection) -> Result<&'static str, StoreError> {
    let has = has_column(connection, "metering", "final_day")?;
    Ok(if has {
        FOLLOWED
    } else {
        "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    })
}

/// When it was told that records never came, which came with version 4.
fn told(connection: &Connection) -> Result<&'static str, StoreError> {
    Ok(if has_column(connection, "lost_events", "told_ms")? { "told_ms" } else { "NULL" })
}

const FOLLOWED: &str = "day, final_day, final_first_have, final_first_want, followed, on_time, late, backfilled, not_heard, final_not_heard, uncounted";

fn metered(row: &Row<'_>) -> Result<Metered, StoreError> {
    let kind = MeterKind::of(&cells::name(row, 0)?);
    let kind = kind.ok_or_else(|| cells::bad(row, 0, "is none that there is"))?;
    // Of no more than there are.
    let of = |have: usize, want: usize| {
        let (have_n, want) = (cells::count(row, have)?, cells::count(row, want)?);
        if have_n > want {
            Err(cells::bad(row, have, "is more than all"))
        } else {
            Ok((have_n, want))
        }
    };
    let (remote, meters) = of(5, 4)?;
    let followed = followed_of(row, meters)?;
    // Rows of stores before version 4 were kept when every meter was counted.
    let uncounted = if followed.is_some() { cells::count(row, 22)? } else { 0 };
    if uncounted > meters - remote {
        return Err(cells::bad(row, 22, "is more than the rest"));
    }
    Ok(Metered {
        kind,
        id: cells::name(row, 1)?,
        at: cells::instant(row, 2)?,
        sells: cells::flag(row, 3)?,
        meters,
        remote,
        uncounted,
        first_pass: of(6, 7)?,
        final_pass: of(8, 9)?,
        half_hours: of(10, 11)?,
        followed,
    })
}

/// Of which days a row of so many meters is, and what it says of them.
fn followed_of(row: &Row<'_>, meters: u64) -> Result<Option<FollowedDay>, StoreError> {
    let told: Option<i64> = cells::of(row, 12)?;
    if told.is_none() {
        let rest = (13..23).map(|n| cells::of::<Option<i64>>(row, n));
        let odd = rest.collect::<Result<Vec<_>, _>>()?.iter().position(Option::is_some);
        return odd.map_or(Ok(None), |n| Err(cells::bad(row, 13 + n, "is of no day")));
    }
    let final_first_pass = (cells::count(row, 14)?, cells::count(row, 15)?);
    if final_first_pass.0 > final_first_pass.1 {
        return Err(cells::bad(row, 14, "is more than all"));
    }
    let half_hours = HalfHours {
        expected: cells::count(row, 16)?,
        on_time: cells::count(row, 17)?,
        late: cells::count(row, 18)?,
        backfilled: cells::count(row, 19)?,
    };
    let parts = [half_hours.on_time, half_hours.late, half_hours.backfilled];
    let sum = parts.into_iter().try_fold(0_u64, u64::checked_add);
    if sum.is_none_or(|sum| sum > half_hours.expected) {
        return Err(cells::bad(row, 16, "is less than its parts"));
    }
    let not_heard = [cells::count(row, 20)?, cells::count(row, 21)?];
    if let Some(n) = not_heard.iter().position(|not_heard| *not_heard > meters) {
        return Err(cells::bad(row, 20 + n, "is more than all"));
    }
    let (day, final_day) = (cells::of(row, 12)?, cells::of(row, 13)?);
    Ok(Some(FollowedDay { day, final_day, final_first_pass, half_hours, not_heard }))
}

pub(super) fn judged(row: &Row<'_>) -> Result<Judged, StoreError> {
    let link = LinkState::from_code(cells::of(row, 3)?);
    let link = link.ok_or_else(|| cells::bad(row, 3, "is none that there is"))?;
    let bytes = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let runs = runs::from_bytes(bytes).map_err(|bad| StoreError::Damaged(bad.to_string()))?;
    let (at, session) = (cells::instant(row, 0)?, cells::of(row, 1)?);
    Ok(Judged { at, session, whole: cells::flag(row, 2)?, link, runs })
}

/// A table of which a row may be what cannot be, the columns that are read of it and of what it refers to, that, and
/// by what they are read.
type Kind = (&'static str, &'static str, &'static str, fn(&Row<'_>) -> Result<(), StoreError>);

/// Those that are read row by row.
const KINDS: [Kind; 5] = [
    ("event", RECORDED, "LEFT JOIN path ON path.id = event.path", |row| recorded(row).map(|_| ())),
    (
        "lost_events",
        "station, centre, count, at_ms, after_ms, unit, {told}",
        "LEFT JOIN path ON path.id = lost_events.path",
        |row| {
            lost_count(row, 2)?;
            cells::instant(row, 3)?;
            cells::maybe_instant(row, 4)?;
            cells::maybe_instant(row, 6)?;
            cells::of::<u8>(row, 5).map(|_| ())
        },
    ),
    ("commands_kept", "unit, at_ms, kept", "", |row| commands::said(row).map(|_| ())),
    (
        "asked",
        "no_reply, refused, undecodable, missed, longest_us, replies, from_ms, until_ms",
        "",
        |row| stretch(row).map(|_| ()),
    ),
    (
        "metering",
        "kind, id, at_ms, sells, meters, remote, first_have, first_want, final_have, final_want,
         half_hours_have, half_hours_want, {followed}",
        "",
        |row| metered(row).map(|_| ()),
    ),
];

/// Hands on each row of events, lost events, what units said, asking and metering that cannot be.
pub(super) fn damaged(
    connection: &Connection,
    mut each: impl FnMut(StoreError),
) -> Result<(), StoreError> {
    for (table, columns, of, can_be) in KINDS {
        if !has_table(connection, table)? {
            continue;
        }
        let columns = columns.replace("{followed}", followed(connection)?);
        let columns = columns.replace("{told}", told(connection)?);
        let mut all = connection.prepare(&format!("SELECT {columns} FROM {table} {of}"))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(error) = can_be(row) {
                each(error.within(table));
            }
        }
    }
    Ok(())
}
