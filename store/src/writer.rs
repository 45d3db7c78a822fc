//! Who writes to a store: one session of watching, batch by batch. A batch is in the store as a whole
//! or not at all, and durable when its commit returns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Channel, Province};
use historian::alarms::Alarm;
use historian::events::{EventEntry, Happening, TimeDoubt};
use historian::snapshot::{LinkState, Unconfirmed};
use historian::verdict_log::{self, Judgement, PollStats, VerdictState};
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction};
use signal::clock::{DAY_MS, Timestamp};

use super::alarms;
use super::batch::{Batch, MeterLine};
use super::commands;
use super::contracts;
use super::energy;
use super::epochs;
use super::forget::{self, Step};
use super::journal;
use super::kept::{self, Kept};
use super::reader::End;
use super::runs;
use super::schema::{Held, StoreError, open_to_write};
use super::sums::{self, Verb};
use super::values;

/// The verdicts of a channel are said as a whole at least once in so long when they change at all, so
/// that a window can be read without all that was before it.
const WHOLE_EVERY_MS: i64 = DAY_MS;

/// A store that is being written.
pub struct Writer {
    held: Held,
    province: Arc<Province>,
    /// Path of each channel.
    paths: Vec<i64>,
    /// What the store knows of each channel in this session.
    pages: Vec<Page>,
    /// The newest chunks of each channel's blocks.
    tails: BTreeMap<(usize, usize), values::Tail>,
    session: Option<i64>,
    /// What was written since the clock last jumped.
    epoch: i64,
    /// This run of the monitor has written before: what is in the store and later than a moment behind a
    /// jump of the clock is its own.
    goes_on: bool,
    /// It was opened again by the same run of the monitor.
    resumes: bool,
    until: Timestamp,
    forgetting: Forgetting,
}

/// When and whether what is too old is taken out.
#[derive(Debug, Clone)]
struct Forgetting {
    /// Whether it ever is.
    is_on: bool,
    /// The store, to name it.
    folder: PathBuf,
    /// When the next step may come; `None`: no session has begun.
    next: Option<Timestamp>,
    /// The step that waits until somebody confirms it.
    waits: Option<Unconfirmed>,
}

impl Forgetting {
    /// The first step comes when somebody has watched for so long, milliseconds.
    const FIRST_MS: i64 = 600_000;
    /// Time between two, and after one that waits.
    const EVERY_MS: i64 = 3_600_000;
    const WAITING_MS: i64 = DAY_MS;

    /// Makes a step when it is time for one and a station answers: who hears nobody learns nothing that could
    /// take the place of what goes.
    fn after(
        mut self,
        batch: &Batch,
        is_heard: bool,
        transaction: &mut Transaction<'_>,
        province: &Province,
    ) -> Result<Self, StoreError> {
        if batch.begins || self.next.is_none() {
            self.next = Some(batch.until.plus(Self::FIRST_MS));
        }
        if !self.is_on || !is_heard || self.next.is_some_and(|next| batch.until < next) {
            return Ok(self);
        }
        (self.next, self.waits) = (Some(batch.until.plus(Self::EVERY_MS)), None);
        for only_values in [false, true] {
            match forget::step(transaction, province, only_values)? {
                Step::Nothing => {}
                Step::Done(before, removed) => forget::tell(before, &removed),
                Step::Waits(before, percent) => {
                    self.next = Some(batch.until.plus(Self::WAITING_MS));
                    let only = if only_values { " --only-values" } else { "" };
                    let folder = self.folder.display();
                    let command = format!(
                        "gridwatch store compact --store '{folder}' --before {before}{only}"
                    );
                    tracing::warn!(
                        "{percent} % of the store is older than the contract wants; it stays until somebody \
                         stops the monitor and runs: {command}"
                    );
                    self.waits = Some(Unconfirmed { before, only_values, percent, command });
                    break;
                }
            }
        }
        Ok(self)
    }
}

/// Verdicts of a channel as the store has them.
#[derive(Debug, Clone, Default)]
struct Page {
    link: Option<LinkState>,
    states: Vec<VerdictState>,
    /// When they were last written as a whole.
    whole_at: Option<Timestamp>,
}

impl Writer {
    /// Opens the store of a folder, makes it when there is none, and closes what a writer that ended
    /// without a word has left open.
    ///
    /// # Errors
    /// When somebody else writes to it, it is of another province or was written by a later program, or cannot
    /// be used.
    pub fn open(folder: &Path, province: &Arc<Province>) -> Result<Self, StoreError> {
        let mut held = open_to_write(folder)?;
        let transaction = held.connection.transaction()?;
        of_this_province(&transaction, province, folder)?;
        journal::recover(&transaction)?;
        let paths = paths(&transaction, province)?;
        // The one that was written last: an earlier one may have had a clock that was wrong.
        let newest = transaction
            .query_row("SELECT until_ms FROM session ORDER BY id DESC LIMIT 1", [], |row| {
                row.get(0)
            })
            .optional()?;
        let newest = Timestamp(newest.unwrap_or(i64::MIN));
        let epoch = epochs::newest(&transaction)?;
        transaction.commit()?;
        let pages = vec![Page::default(); paths.len()];
        Ok(Self {
            held,
            province: Arc::clone(province),
            paths,
            pages,
            tails: BTreeMap::new(),
            session: None,
            epoch,
            goes_on: false,
            resumes: false,
            until: newest,
            forgetting: Forgetting {
                is_on: true,
                folder: folder.to_owned(),
                next: None,
                waits: None,
            },
        })
    }

    /// The same writer, but nothing is ever taken out because it is too old: for who only looks, and for
    /// recordings.
    #[must_use]
    pub fn forgetting_nothing(mut self) -> Self {
        self.forgetting.is_on = false;
        self
    }

    /// What is too old and waits until somebody confirms that it is taken out, since it is much.
    pub fn unconfirmed(&self) -> Option<&Unconfirmed> {
        self.forgetting.waits.as_ref()
    }

    /// Everything up to here is in the store, in this session or an earlier one.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// It goes on for a writer of the same run of the monitor.
    #[must_use]
    pub fn going_on(mut self) -> Self {
        (self.goes_on, self.resumes) = (true, true);
        self
    }

    /// Alarms that were open when somebody watched last.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn open_alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        alarms::open(&self.held.connection, &self.province)
    }

    /// Writes a batch. The first one begins the session: its judgements say everything, and what was
    /// learned before its own moment counts from there.
    ///
    /// # Errors
    /// When it cannot be written: nothing of it is then, and it may be tried again. When the clock is
    /// behind the newest record, and did not jump while this writer was at it: nobody knows which of the
    /// two is right.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.held.in_place()?;
        // A session begins with its first judgement, and behind everything that is in the store.
        let first = batch.judgements.iter().map(|j| j.at).min().filter(|_| batch.begins);
        let first = first.unwrap_or(batch.until);
        let comes_again = self.goes_on && !batch.jumps.is_empty();
        let behind_ms = self.until.since(first);
        if behind_ms > 0 && !comes_again {
            return Err(StoreError::ClockBehind { behind_ms, until: self.until });
        }
        let mut epoch = self.epoch;
        let mut transaction = self.held.connection.transaction()?;
        let session = if let Some(session) = self.session.filter(|_| !batch.begins) {
            session
        } else {
            if epochs::follow(&transaction, &batch.jumps, self.goes_on)? {
                epoch = epochs::newest(&transaction)?;
                // Chunks are of one epoch.
                self.tails.clear();
            }
            begin(&transaction, &self.province, (first, batch.until), epoch)?
        };
        let mut turned = BTreeMap::new();
        for judgement in &batch.judgements {
            let n = judgement.channel.index();
            let page = turned.entry(n).or_insert_with(|| self.pages[n].clone());
            put_judgement(&transaction, (self.paths[n], session), judgement, page)?;
        }
        // A ring still has records that were forgotten: whoever reads it again does not bring them back.
        let kept = kept::rows_from(&transaction, Kept::Events)?;
        let is_kept = |entry: &&EventEntry| kept.is_none_or(|kept| entry.at >= kept);
        for entry in batch.events.iter().filter(is_kept) {
            put_event(&transaction, &self.province, self.paths[entry.channel.index()], entry)?;
        }
        commands::put(&transaction, &self.paths, batch.until, &batch.commands)?;
        if let Some((from, asked)) = &batch.asked {
            for (path, asked) in self.paths.iter().zip(asked) {
                put_asked(&transaction, (*path, epoch), (*from, batch.until), asked)?;
            }
        }
        for line in &batch.metering {
            put_metering(&transaction, (batch.until, epoch), line)?;
        }
        for line in &batch.energy {
            energy::put(&transaction, (batch.until, epoch), line)?;
        }
        alarms::put(&transaction, &self.province, (&batch.alarms, batch.begins), epoch)?;
        let contract = contracts::put(&transaction, &self.province)?;
        journal::put(&transaction, contract, batch)?;
        let mut longer = BTreeMap::new();
        let new = || values::Tail::of(self.resumes);
        for sealed in &batch.values {
            let place = (sealed.channel.index(), sealed.block);
            let tail = longer
                .entry(place)
                .or_insert_with(|| self.tails.get(&place).cloned().unwrap_or_else(new));
            tail.put(&transaction, &self.province, (self.paths[place.0], epoch), sealed)?;
        }
        let own: (_, &[&dyn ToSql]) = ("id = ?1", &[&session, &batch.until.0]);
        sums::change(&transaction, ("UPDATE", &sums::SESSION), &[("until_ms", "?2")], own)?;
        let is_heard = self
            .pages
            .iter()
            .enumerate()
            .any(|(n, page)| turned.get(&n).unwrap_or(page).link == Some(LinkState::Connected));
        let forgetting = self.forgetting.clone();
        let forgetting = forgetting.after(batch, is_heard, &mut transaction, &self.province)?;
        transaction.commit()?;
        (self.session, self.until, self.forgetting) = (Some(session), batch.until, forgetting);
        (self.epoch, self.goes_on) = (epoch, true);
        for (n, page) in turned {
            self.pages[n] = page;
        }
        self.tails.append(&mut longer);
        Ok(())
    }

    /// Ends the session: whoever reads it knows that it ended as it should.
    ///
    /// # Errors
    /// When that cannot be written. Nothing is lost by it.
    pub fn close(self) -> Result<(), StoreError> {
        if let Some(session) = self.session {
            let own: (_, &[&dyn ToSql]) = ("id = ?1", &[&session, &End::Closed.code()]);
            let closed = [("closed", "?2")];
            sums::change(&self.held.connection, ("UPDATE", &sums::SESSION), &closed, own)?;
        }
        // What the log holds goes into the file, so that it can be copied.
        self.held.connection.pragma_update(None, "wal_checkpoint", "truncate")?;
        Ok(())
    }
}

/// Refuses the history of another province: one with another name and other stations. A province that got
/// another name is the same one, and so is one whose stations changed.
fn of_this_province(
    connection: &Connection,
    province: &Province,
    folder: &Path,
) -> Result<(), StoreError> {
    let newest = connection
        .query_row("SELECT contract FROM session ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let Some(newest) = newest else { return Ok(()) };
    // One that cannot be read tells nothing; a check names it.
    let Ok(known) = contracts::get(connection, newest) else { return Ok(()) };
    let stations = |of: &Province| {
        of.stations.iter().map(|station| station.id.clone()).collect::<BTreeSet<_>>()
    };
    if known.name == province.name || stations(&known) == stations(province) {
        return Ok(());
    }
    let (its, own) = (known.name.vi.clone(), province.name.vi.clone());
    Err(StoreError::OtherProvince { folder: folder.to_owned(), its, own })
}

/// The path of each channel.
pub(super) fn paths(
    transaction: &Transaction<'_>,
    province: &Province,
) -> Result<Vec<i64>, StoreError> {
    let mut get = transaction.prepare("SELECT id FROM path WHERE station = ?1 AND centre = ?2")?;
    let mut path = |channel: &Channel| {
        let station = &province.stations[channel.station.index()].id;
        let centre = &province.centres[channel.centre.index()].id;
        let row: [&dyn ToSql; 2] = [station, centre];
        sums::put_numbered(transaction, (Verb::OrIgnore, &sums::PATH), &row)?;
        Ok(get.query_row([station, centre], |row| row.get(0))?)
    };
    province.channels.iter().map(&mut path).collect()
}

fn begin(
    transaction: &Transaction<'_>,
    province: &Province,
    (from, until): (Timestamp, Timestamp),
    epoch: i64,
) -> Result<i64, StoreError> {
    let contract = contracts::put(transaction, province)?;
    let open: (_, &[&dyn ToSql]) = ("closed = ?1", &[&End::Running.code(), &End::Broken.code()]);
    sums::change(transaction, ("UPDATE", &sums::SESSION), &[("closed", "?2")], open)?;
    let program = env!("CARGO_PKG_VERSION");
    let running = End::Running.code();
    let row: [&dyn ToSql; 6] = [&contract, &from.0, &until.0, &running, &program, &epoch];
    let number = sums::put_numbered(transaction, (Verb::Insert, &sums::SESSION), &row)?;
    Ok(number.unwrap_or_default())
}

fn put_judgement(
    transaction: &Transaction<'_>,
    (path, session): (i64, i64),
    judgement: &Judgement,
    page: &mut Page,
) -> Result<(), StoreError> {
    for run in &judgement.runs {
        let (first, end) = (run.first as usize, (run.first + run.count) as usize);
        if page.states.len() < end {
            page.states.resize(end, VerdictState::default());
        }
        page.states[first..end].fill(run.state);
    }
    page.link = Some(judgement.link);
    let is_time = |whole: Timestamp| judgement.at.since(whole) >= WHOLE_EVERY_MS;
    let whole = judgement.whole || page.whole_at.is_none_or(is_time);
    let bytes = if whole {
        page.whole_at = Some(judgement.at);
        runs::to_bytes(&verdict_log::runs(page.states.iter().copied().enumerate()))
    } else {
        runs::to_bytes(&judgement.runs)
    };
    let link = judgement.link.code();
    let row: [&dyn ToSql; 6] = [&path, &judgement.at.0, &session, &whole, &link, &bytes];
    // What was told of a moment may be told again, when it is known to have been otherwise.
    sums::put(transaction, (Verb::OrReplace, &sums::JUDGEMENT, ""), &row)?;
    Ok(())
}

fn put_event(
    transaction: &Transaction<'_>,
    province: &Province,
    path: i64,
    entry: &EventEntry,
) -> Result<(), StoreError> {
    match &entry.what {
        Happening::Change(change) => {
            let station =
                &province.stations[province.channels[entry.channel.index()].station.index()];
            let point = change.point.map(|point| station.points[point.index()].id.as_str());
            let doubt = change.doubt.map(TimeDoubt::word);
            // A unit that began anew may tell what it told before under another number.
            let told: [&dyn ToSql; 7] = [
                &change.source.0,
                &path,
                &entry.unit,
                &change.address,
                &change.value,
                &change.number,
                &point,
            ];
            let mut retold = transaction.prepare_cached(
                "SELECT 1 FROM event WHERE at_ms = ?1 AND source_ms = ?1 AND path = ?2 AND unit = ?3
                 AND address = ?4 AND value = ?5 AND number <> ?6 AND point IS ?7 AND doubt IS NULL",
            )?;
            if retold.exists(&told[..])? {
                return Ok(());
            }
            let row: [&dyn ToSql; 13] = [
                &path,
                &entry.unit,
                &change.number,
                &change.source.0,
                &change.address,
                &entry.at.0,
                &entry.arrived.0,
                &point,
                &change.before,
                &change.value,
                &change.flags.0,
                &change.synchronised,
                &doubt,
            ];
            sums::put(transaction, (Verb::OrIgnore, &sums::EVENT, ""), &row)?;
        }
        Happening::Lost(gap) => {
            let after = gap.after.map(|at| at.0);
            // A gap is told again when it has become longer, or a session begins: what it has more is added.
            let mut told = transaction.prepare_cached(
                "SELECT count FROM lost_events
                 WHERE at_ms = ?3 AND path = ?1 AND unit = ?2 AND after_ms IS ?4",
            )?;
            let row: [&dyn ToSql; 4] = [&path, &entry.unit, &entry.at.0, &after];
            let mut rows = told.query(&row[..])?;
            let (mut known, mut is_told) = (0_i64, false);
            while let Some(row) = rows.next()? {
                let count: i64 = row.get(0)?;
                known = known.saturating_add(count);
                is_told |= count == 0;
            }
            drop(rows);
            let more = i64::from(gap.count).saturating_sub(known).max(0);
            // None: nobody knows how many.
            if more > 0 || gap.count == 0 && !is_told {
                let told = entry.arrived.0;
                let row: [&dyn ToSql; 6] = [&path, &entry.unit, &entry.at.0, &more, &after, &told];
                sums::put(transaction, (Verb::Insert, &sums::LOST_EVENTS, ""), &row)?;
            }
        }
    }
    Ok(())
}

fn put_asked(
    transaction: &Transaction<'_>,
    (path, epoch): (i64, i64),
    (from, until): (Timestamp, Timestamp),
    asked: &PollStats,
) -> Result<(), StoreError> {
    if asked.requests() == 0 && asked.missed == 0 {
        return Ok(());
    }
    let [no_reply, refused, undecodable] = asked.faults.map(count);
    let replies: Vec<String> = asked.replies.iter().map(u64::to_string).collect();
    let (missed, replies) = (count(asked.missed), replies.join(" "));
    let row: [&dyn ToSql; 10] = [
        &path,
        &from.0,
        &until.0,
        &no_reply,
        &refused,
        &undecodable,
        &missed,
        &asked.longest_us,
        &replies,
        &epoch,
    ];
    sums::put(transaction, (Verb::OrReplace, &sums::ASKED, ""), &row)?;
    Ok(())
}

fn put_metering(
    transaction: &Transaction<'_>,
    (at, epoch): (Timestamp, i64),
    line: &MeterLine,
) -> Result<(), StoreError> {
    let reads = &line.reads;
    let counts = [
        line.remote.want,
        line.remote.have,
        reads.first_pass.have,
        reads.first_pass.want,
        reads.final_pass.have,
        reads.final_pass.want,
        reads.intervals.have,
        reads.intervals.want,
    ]
    .map(count);
    let half_hours = reads.half_hours;
    let followed = [
        reads.final_first_pass.have,
        reads.final_first_pass.want,
        half_hours.expected,
        half_hours.on_time,
        half_hours.late,
        half_hours.backfilled,
        reads.not_heard,
        reads.final_not_heard,
        line.uncounted,
    ]
    .map(count);
    let days = line.days.map(|day| day.and_then(config::Date::number).unwrap_or_default());
    let mut row: Vec<&dyn ToSql> = Vec::with_capacity(24);
    let kind = line.kind.word();
    row.extend([&kind as &dyn ToSql, &line.id, &at.0, &line.sells]);
    row.extend(counts.iter().map(|count| count as &dyn ToSql));
    row.push(&epoch);
    row.extend(days.iter().chain(&followed).map(|n| n as &dyn ToSql));
    // What was told already of this moment by this clock stays: a recording may begin where the one before it ended.
    sums::put(transaction, (Verb::OrIgnore, &sums::METERING, ""), &row)?;
    Ok(())
}

/// A count as the database has it. None of ours comes near the end of its range.
fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
