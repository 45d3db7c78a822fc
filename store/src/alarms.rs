//! Alarms in the store: each time that one was raised is a row, which says how it ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Display;

use config::{CentreId, Province, StationId};
use historian::alarms::{Alarm, AlarmCause, AlarmChange, Priority, Raised};
use historian::issues::{IssueId, Scope};
use historian::verdict::Reason;
use rusqlite::{Connection, Row, ToSql, Transaction, params};
use signal::clock::Timestamp;

use super::cells;
use super::kept::Kept;
use super::reader::{self, Reader};
use super::schema::{StoreError, has_column, has_table};
use super::sums::{self, Verb};

/// An alarm as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAlarm {
    /// Station id.
    pub station: String,
    /// What the signals have in common: `link`, `unit 3`, `bay 172`.
    pub cause: String,
    /// Why they fell short.
    pub reason: Reason,
    /// How urgent it was.
    pub priority: Priority,
    /// Ids of the centres that lacked signals by it.
    pub centres: Vec<String>,
    /// Signals that it took.
    pub signals: u32,
    /// Since when its cause was there.
    pub raised: Timestamp,
    /// Its cause was there already when somebody began to watch: at least since then.
    pub at_least: bool,
    /// Since when it was gone; `None` while it is there, or when nobody watched any more.
    pub returned: Option<Timestamp>,
    /// When somebody acknowledged it.
    pub acknowledged: Option<Timestamp>,
    /// It waits for its return or for somebody.
    pub is_open: bool,
}

/// What the name of a cause stands for in a contract.
fn scope(province: &Province, station: StationId, text: &str) -> Option<Scope> {
    let station = &province.stations[station.index()];
    if text == "link" {
        return Some(Scope::Link);
    }
    let (kind, name) = text.split_once(' ')?;
    match kind {
        "unit" => {
            let id: u8 = name.parse().ok()?;
            station.units.iter().position(|unit| unit.id == id).map(Scope::Unit)
        }
        "bay" => station.bays.iter().position(|bay| bay.name == name).map(Scope::Bay),
        _ => None,
    }
}

/// What becomes of a row when its alarm stands otherwise.
const AGAIN: &str = "ON CONFLICT (station, cause, reason, raised_ms) DO UPDATE SET
    priority = excluded.priority, centres = excluded.centres, signals = excluded.signals,
    returned_ms = excluded.returned_ms, acknowledged_ms = excluded.acknowledged_ms,
    open = excluded.open, epoch = excluded.epoch, at_least = excluded.at_least, sum = excluded.sum";

/// Puts what became of alarms into the store. When a session begins, `changes` are all that are open: what
/// else was open before is over, whenever that was.
pub(super) fn put(
    transaction: &Transaction<'_>,
    province: &Province,
    (changes, begins): (&[AlarmChange], bool),
    epoch: i64,
) -> Result<(), StoreError> {
    for AlarmChange { alarm, formerly, .. } in changes {
        let Some(cause) = alarm.raised.cause.name(province) else { continue };
        let station = &province.stations[alarm.raised.cause.station.index()].id;
        let (reason, raised) = (alarm.raised.cause.line.reason.word(), alarm.raised.at.0);
        // It is one and the same before and behind the jump of a clock.
        for before in formerly {
            let row: (_, &[&dyn ToSql]) = (
                "open = 1 AND station = ?1 AND cause = ?2 AND reason = ?3 AND raised_ms = ?4",
                &[station, &cause, &reason, &before.0, &raised],
            );
            let again = ("UPDATE OR REPLACE", &sums::ALARM);
            sums::change(transaction, again, &[("raised_ms", "?5")], row)?;
        }
    }
    if begins {
        let open = ("open = 1", &[][..]);
        sums::change(transaction, ("UPDATE", &sums::ALARM), &[("open", "0")], open)?;
    }
    for AlarmChange { alarm, is_open, .. } in changes {
        let Some(cause) = alarm.raised.cause.name(province) else { continue };
        let station = &province.stations[alarm.raised.cause.station.index()].id;
        let centres = alarm.centres.iter().map(|id| &province.centres[id.index()].id[..]);
        let ms = |at: Option<Timestamp>| at.map(|at| at.0);
        let (reason, priority) = (alarm.raised.cause.line.reason.word(), alarm.priority.number());
        let centres = centres.collect::<Vec<_>>().join(" ");
        let row: [&dyn ToSql; 12] = [
            station,
            &cause,
            &reason,
            &alarm.raised.at.0,
            &priority,
            &centres,
            &alarm.signals,
            &ms(alarm.returned),
            &ms(alarm.acknowledged),
            is_open,
            &epoch,
            &alarm.at_least,
        ];
        sums::put(transaction, (Verb::Insert, &sums::ALARM, AGAIN), &row)?;
    }
    Ok(())
}

/// Alarms that were open when somebody watched last. What the contract does not know any more is over.
pub(super) fn open(connection: &Connection, province: &Province) -> Result<Vec<Alarm>, StoreError> {
    let select = select(connection)?;
    let mut open = connection.prepare(&format!("{select} WHERE open = 1 ORDER BY raised_ms"))?;
    let mut rows = open.query([])?;
    let mut alarms = Vec::new();
    while let Some(row) = rows.next()? {
        alarms.extend(alarm(province, &kept(row)?));
        bounded(alarms.len())?;
    }
    Ok(alarms)
}

/// Most alarms that are listed at one time, of which each has a cause of its own: of ten thousand stations, ten each.
const LISTED_MAX: usize = 100_000;

/// There are no more alarms than can be listed at one time.
fn bounded(listed: usize) -> Result<(), StoreError> {
    cells::at_most(listed, LISTED_MAX, "alarms at one time")
}

fn alarm(province: &Province, kept: &KeptAlarm) -> Option<Alarm> {
    let station = province.site(&kept.station)?;
    let line = IssueId { reason: kept.reason, scope: scope(province, station, &kept.cause)? };
    let centres: Vec<CentreId> = kept.centres.iter().filter_map(|id| province.centre(id)).collect();
    Some(Alarm {
        raised: Raised { cause: AlarmCause { station, line }, at: kept.raised },
        at_least: kept.at_least,
        priority: kept.priority,
        centres,
        signals: kept.signals,
        returned: kept.returned,
        acknowledged: kept.acknowledged,
    })
}

/// Rows of alarms; stores before version 4 do not say which stood before somebody began to watch.
fn select(connection: &Connection) -> Result<String, StoreError> {
    let at_least = if has_column(connection, "alarm", "at_least")? { "at_least" } else { "0" };
    Ok(format!(
        "SELECT station, cause, reason, priority, centres, signals, raised_ms,
             returned_ms, acknowledged_ms, open, {at_least} FROM alarm"
    ))
}

fn kept(row: &Row<'_>) -> Result<KeptAlarm, StoreError> {
    let (word, number): (String, u8) = (cells::name(row, 2)?, cells::of(row, 3)?);
    let reason = Reason::ALL.iter().find(|known| known.word() == word);
    let priority = Priority::ALL.iter().find(|known| known.number() == number);
    let known = |column, said: &dyn Display| {
        cells::bad(row, column, &format!("'{said}' is none that there is"))
    };
    let centres = cells::name(row, 4)?;
    Ok(KeptAlarm {
        station: cells::name(row, 0)?,
        cause: cells::name(row, 1)?,
        reason: *reason.ok_or_else(|| known(2, &word))?,
        priority: *priority.ok_or_else(|| known(3, &number))?,
        centres: centres.split_whitespace().map(str::to_owned).collect(),
        signals: cells::of(row, 5)?,
        raised: cells::instant(row, 6)?,
        returned: cells::maybe_instant(row, 7)?,
        acknowledged: cells::maybe_instant(row, 8)?,
        is_open: cells::flag(row, 9)?,
        at_least: cells::flag(row, 10)?,
    })
}

/// Hands on what cannot be read.
pub(super) fn damaged(
    connection: &Connection,
    mut each: impl FnMut(StoreError),
) -> Result<(), StoreError> {
    let mut all = connection.prepare(&format!("{} ORDER BY raised_ms", select(connection)?))?;
    let mut rows = all.query([])?;
    let (mut at_once, mut is_bounded) = (AtOnce::of(connection)?, true);
    while let Some(row) = rows.next()? {
        match kept(row) {
            Ok(alarm) if is_bounded => {
                let counted = bounded(at_once.add(&alarm));
                is_bounded = counted.is_ok();
                counted.err().into_iter().for_each(&mut each);
            }
            Ok(_) => {}
            Err(error) => {
                let raised: i64 = row.get(6)?;
                let at = Timestamp(raised).to_millisecond();
                each(error.within(&format!("alarm that was raised at {at}")));
            }
        }
    }
    Ok(())
}

/// Counts how many alarms are listed at one time, which come in the order in which they were raised.
struct AtOnce {
    /// When sessions begin, and the last moment of each and of those before it.
    sessions: Vec<(Timestamp, Timestamp)>,
    /// Those that never leave the list, and when the others do.
    open: usize,
    ends: BinaryHeap<Reverse<Timestamp>>,
}

impl AtOnce {
    fn of(connection: &Connection) -> Result<Self, StoreError> {
        let mut all =
            connection.prepare("SELECT from_ms, until_ms FROM session ORDER BY from_ms")?;
        let mut rows = all.query([])?;
        let mut sessions: Vec<(Timestamp, Timestamp)> = Vec::new();
        while let Some(row) = rows.next()? {
            let (from, until) = (Timestamp(row.get(0)?), Timestamp(row.get(1)?));
            let last = sessions.last().map_or(until, |(_, last)| until.max(*last));
            sessions.push((from, last));
            reader::bounded(sessions.len())?;
        }
        Ok(Self { sessions, open: 0, ends: BinaryHeap::new() })
    }

    /// How many are listed when one more is raised.
    fn add(&mut self, alarm: &KeptAlarm) -> usize {
        while self.ends.peek().is_some_and(|end| end.0 <= alarm.raised) {
            self.ends.pop();
        }
        // One that never returned is listed up to the end of the session in which it was raised.
        let began = self.sessions.partition_point(|(from, _)| *from <= alarm.raised);
        let session = self.sessions[..began].last().map(|(_, last)| last.plus(1));
        let unseen = session.filter(|_| alarm.returned.is_none());
        let end = alarm.returned.max(alarm.acknowledged).max(unseen);
        if alarm.is_open {
            self.open += 1;
        } else if let Some(end) = end.filter(|end| *end > alarm.raised) {
            self.ends.push(Reverse(end));
        }
        self.open + self.ends.len()
    }
}

impl Reader {
    /// The alarms that were listed at `at`, as they stood then, with those that began in the session that
    /// began at `from` or an earlier one. What the contract does not know is left out.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn alarms_at(
        &self,
        province: &Province,
        (from, at): (Timestamp, Timestamp),
    ) -> Result<Vec<Alarm>, StoreError> {
        if !has_table(self.connection(), "alarm")? {
            return Ok(Vec::new());
        }
        let holds = self.holds("alarm", "raised_ms")?;
        // One of an earlier session that is over although it never returned was over when this one began. One that
        // has returned, and that nobody acknowledged, waited until it was raised once more.
        let select = select(self.connection())?;
        let mut listed = self.connection().prepare_cached(&format!(
            "{select} WHERE raised_ms <= ?2
                 AND (returned_ms > ?2 OR acknowledged_ms > ?2 OR open = 1
                      OR (raised_ms >= ?1 AND (returned_ms IS NULL
                          OR acknowledged_ms IS NULL AND EXISTS (
                              SELECT 1 FROM alarm AS again WHERE again.station = alarm.station
                                  AND again.cause = alarm.cause AND again.reason = alarm.reason
                                  AND again.raised_ms > ?2)))) {holds}"
        ))?;
        let mut rows = listed.query(params![self.began(from)?.0, at.0])?;
        let mut alarms = Vec::new();
        while let Some(row) = rows.next()? {
            let mut kept = kept(row)?;
            for later in [&mut kept.returned, &mut kept.acknowledged] {
                *later = later.filter(|moment| *moment <= at);
            }
            alarms.extend(alarm(province, &kept));
            bounded(alarms.len())?;
        }
        alarms.sort_by_cached_key(Alarm::order);
        Ok(alarms)
    }

    /// Hands on the alarms that were raised from `from` up to `to`, in the order of time. A store of an
    /// earlier version has none.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn alarms(
        &self,
        (from, to): (Timestamp, Timestamp),
        each: impl FnMut(KeptAlarm),
    ) -> Result<(), StoreError> {
        self.select_alarms("raised_ms >= ?1 AND raised_ms < ?2", (from, to), each)
    }

    /// The same of those that were raised before `to` and had not returned by `from`, as far as is known.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn alarms_in(
        &self,
        span: (Timestamp, Timestamp),
        each: impl FnMut(KeptAlarm),
    ) -> Result<(), StoreError> {
        let stood =
            "raised_ms < ?2 AND (raised_ms >= ?1 OR returned_ms IS NULL OR returned_ms > ?1)";
        self.select_alarms(stood, span, each)
    }

    fn select_alarms(
        &self,
        which: &str,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(KeptAlarm),
    ) -> Result<(), StoreError> {
        if !has_table(self.connection(), "alarm")? {
            return Ok(());
        }
        let holds = self.holds("alarm", "raised_ms")?;
        let select = select(self.connection())?;
        let mut of_window = self
            .connection()
            .prepare_cached(&format!("{select} WHERE ({which}) {holds} ORDER BY raised_ms, id"))?;
        let from = self.kept_since(Kept::Alarms, from)?;
        let mut rows = of_window.query(params![from.0, to.0])?;
        while let Some(row) = rows.next()? {
            each(kept(row)?);
        }
        Ok(())
    }
}
