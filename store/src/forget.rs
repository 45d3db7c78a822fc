//! Forgetting: what lies before a moment is taken out of a store, kind by kind, and the store says from
//! when on each kind is kept.
//!
//! What a window behind the moment needs from before it stays: five weeks of judgements, records and values; and of what
//! is older how every point was judged, said once more as a whole, the last record of each status and unit and
//! the last values of each block; the figures of metering that held; alarms that reach behind it. So such a window
//! is told the same before and after.
//!
//! The monitor forgets by time that was watched, never by what a clock says: a record is too old when
//! somebody has watched for as long as the contract wants since then. It goes on in steps of a day, and a
//! step that would take more than a tenth of the store waits for somebody to confirm it.

use std::collections::BTreeMap;

use config::{Date, HistorySettings, Province, Zone};
use historian::verdict_log::{self, VerdictState};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};
use signal::clock::{DAY_MS, Timestamp};

use super::contracts;
use super::kept::{self, By, Kept};
use super::runs;
use super::schema::StoreError;
use super::sums::{self, Verb};

/// A step that would take more than one part in so many of a store waits to be confirmed.
const STEP_PART: i64 = 10;

/// Rows that were taken out, by kind.
pub type Removed = BTreeMap<Kept, u64>;

/// Takes out what the given kinds have from before a moment, and says so in the store; by hand only when
/// there was anything, or something was forgotten before.
pub(super) fn forget(
    connection: &Connection,
    from: Timestamp,
    (kinds, by): (&[Kept], By),
) -> Result<Removed, StoreError> {
    // The values that stay are those of the contract that still holds: asked before sessions go.
    let carried = carried_since(connection, Kept::Values.rows_from(from))?;
    let is_watched = "SELECT EXISTS (SELECT 1 FROM session WHERE from_ms < ?1)";
    let is_watched: bool = connection.query_row(is_watched, [from.0], |row| row.get(0))?;
    let began = kinds.iter().map(|kind| Ok((*kind, kept::began(connection, *kind)?)));
    let began: BTreeMap<Kept, Option<Timestamp>> = began.collect::<Result<_, StoreError>>()?;
    let mut removed = Removed::new();
    // Sessions go last: they say which alarms are over.
    for kind in kinds.iter().rev() {
        let rows_from = kind.rows_from(from);
        let rows = match kind {
            Kept::Verdicts => verdicts(connection, rows_from)?,
            Kept::Events => events(connection, rows_from)?,
            Kept::Values => values(connection, rows_from, carried)?,
            Kept::Polling => polling(connection, from)?,
            Kept::Metering => metering(connection, from)?,
            Kept::Alarms => alarms(connection, from)?,
        };
        removed.insert(*kind, rows);
    }
    let is_news = by == By::Retention || is_watched || removed.values().any(|rows| *rows > 0);
    for (kind, rows) in &removed {
        // Where something was forgotten before, the later moment holds, were there nothing in between.
        if is_news || kept::get(connection, *kind)?.is_some() {
            kept::put(connection, *kind, (began[kind], from), (*rows, by))?;
        }
    }
    drop_contracts(connection)?;
    Ok(removed)
}

/// Since when the contract has held that is in force at a moment: values from before that could not be read
/// any more. `None` when nobody has watched.
fn carried_since(
    connection: &Connection,
    from: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut before = connection.prepare_cached(
        "SELECT contract, from_ms FROM session WHERE from_ms < ?1 ORDER BY from_ms DESC",
    )?;
    let mut rows = before.query([from.0])?;
    let mut since: Option<(i64, Timestamp)> = None;
    while let Some(row) = rows.next()? {
        let contract = row.get(0)?;
        match since {
            Some((latest, _)) if latest != contract => return Ok(since.map(|(_, from)| from)),
            _ => since = Some((contract, Timestamp(row.get(1)?))),
        }
    }
    // Nobody knows of an earlier one: it also held before.
    Ok(since.map(|_| Timestamp(i64::MIN)))
}

fn paths(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut all = connection.prepare_cached("SELECT id FROM path ORDER BY id")?;
    Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn count(rows: usize) -> u64 {
    rows as u64
}

/// How each path stood at the last millisecond before the moment is said as a whole there; what was said
/// before goes, and so do sessions that ended before.
fn verdicts(connection: &Connection, from: Timestamp) -> Result<u64, StoreError> {
    let last = from.plus(-1);
    // The last one to begin before stays, were it only for its contract: it holds until another comes.
    let latest: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM session WHERE from_ms < ?1 ORDER BY epoch DESC, from_ms DESC LIMIT 1",
        )?
        .query_row([from.0], |row| row.get(0))
        .optional()?;
    let over = "SELECT id FROM session WHERE from_ms < ?1 AND until_ms >= ?1";
    let sessions: Vec<i64> = connection
        .prepare_cached(over)?
        .query_map([from.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut rows = 0;
    for path in paths(connection)? {
        for session in &sessions {
            say_again(connection, (path, *session), last)?;
        }
        rows += connection
            .prepare_cached(&format!(
                "DELETE FROM judgement WHERE path = ?2 AND at_ms < ?1
                     AND NOT (at_ms = ?1 - 1 AND session IN ({over}))"
            ))?
            .execute(params![from.0, path])?;
    }
    rows += connection
        .prepare_cached("DELETE FROM session WHERE until_ms < ?1 AND id IS NOT ?2")?
        .execute(params![from.0, latest])?;
    Ok(count(rows))
}

/// Writes how a path stood in a session at a moment as a whole, from the last time that it was and what
/// changed since.
fn say_again(
    connection: &Connection,
    (path, session): (i64, i64),
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut said = connection.prepare_cached(
        "SELECT link, runs FROM judgement
         WHERE path = ?1 AND session = ?2 AND at_ms <= ?3 AND at_ms >= coalesce((
             SELECT max(at_ms) FROM judgement
             WHERE path = ?1 AND session = ?2 AND whole = 1 AND at_ms <= ?3), -9223372036854775808)
         ORDER BY at_ms",
    )?;
    let mut rows = said.query(params![path, session, at.0])?;
    let (mut link, mut states): (Option<i64>, Vec<Option<VerdictState>>) = (None, Vec::new());
    while let Some(row) = rows.next()? {
        link = Some(row.get(0)?);
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let runs = runs::from_bytes(bytes).map_err(|bad| StoreError::Damaged(bad.to_string()))?;
        for run in runs {
            let (first, end) = (run.first as usize, (run.first + run.count) as usize);
            if states.len() < end {
                states.resize(end, None);
            }
            states[first..end].fill(Some(run.state));
        }
    }
    drop(rows);
    let Some(link) = link else { return Ok(()) };
    // What nothing was said of stays unsaid.
    let states = states.into_iter().enumerate();
    let bytes = runs::to_bytes(&verdict_log::runs(states.filter_map(|(n, s)| Some((n, s?)))));
    let row: [&dyn ToSql; 6] = [&path, &at.0, &session, &true, &link, &bytes];
    sums::put(connection, (Verb::OrReplace, &sums::JUDGEMENT, ""), &row)?;
    Ok(())
}

/// Of each status the last record before the moment stays: it says how it stood. So does the last one of each unit,
/// whose number says whether one is lacking, and what each unit said last of its records of commands.
fn events(connection: &Connection, from: Timestamp) -> Result<u64, StoreError> {
    let records = connection.execute(
        "DELETE FROM event WHERE at_ms < ?1
             AND (path, unit, number, source_ms, address) NOT IN (
                 SELECT path, unit, number, source_ms, address FROM (
                     SELECT path, unit, number, source_ms, address, point IS NOT NULL AS is_known,
                         row_number() OVER (
                             PARTITION BY path, point
                             ORDER BY at_ms DESC, unit DESC, number DESC) AS of_point,
                         row_number() OVER (
                             PARTITION BY path, unit
                             ORDER BY arrived_ms DESC, number DESC, source_ms DESC, address DESC) AS of_unit
                     FROM event WHERE at_ms < ?1)
                 WHERE (is_known AND of_point = 1) OR of_unit = 1)",
        [from.0],
    )?;
    let lost = connection.execute(
        "DELETE FROM lost_events WHERE max(at_ms, coalesce(told_ms, at_ms)) < ?1",
        [from.0],
    )?;
    let commands = connection.execute(
        "DELETE FROM commands_kept WHERE at_ms < (
             SELECT max(at_ms) FROM commands_kept AS later
             WHERE later.path = commands_kept.path AND later.unit = commands_kept.unit
                 AND later.at_ms <= ?1)",
        [from.0],
    )?;
    Ok(count(records + lost + commands))
}

/// Chunks that reach behind the moment stay, and of each block the last one before it, which has the last
/// readings of counters and positions: as far as the contract held by which they can be read. The journal stays:
/// it is minutes long, and may have the last of all.
fn values(
    connection: &Connection,
    from: Timestamp,
    carried: Option<Timestamp>,
) -> Result<u64, StoreError> {
    let mut blocks = connection.prepare_cached("SELECT id FROM block ORDER BY id")?;
    let blocks: Vec<i64> = blocks.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut rows = 0;
    for block in blocks {
        let last: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT id, until_ms FROM chunk WHERE block = ?1 AND from_ms < ?2 AND until_ms < ?2
                 ORDER BY from_ms DESC, id DESC LIMIT 1",
            )?
            .query_row(params![block, from.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let stays = last.filter(|(_, until)| carried.is_some_and(|since| *until >= since.0));
        rows += connection
            .prepare_cached(
                "DELETE FROM chunk
                 WHERE block = ?1 AND from_ms < ?2 AND until_ms < ?2 AND id IS NOT ?3",
            )?
            .execute(params![block, from.0, stays.map(|(id, _)| id)])?;
    }
    Ok(count(rows))
}

/// A stretch of polling belongs to the moment at which it begins.
fn polling(connection: &Connection, from: Timestamp) -> Result<u64, StoreError> {
    let mut rows = 0;
    for path in paths(connection)? {
        rows += connection
            .prepare_cached("DELETE FROM asked WHERE path = ?1 AND from_ms < ?2")?
            .execute(params![path, from.0])?;
    }
    Ok(count(rows))
}

/// The last figures before the moment are those that hold at it, of each epoch: another one may be of a wrong clock.
fn metering(connection: &Connection, from: Timestamp) -> Result<u64, StoreError> {
    let rows = connection.execute(
        "DELETE FROM metering WHERE at_ms < (
             SELECT max(at_ms) FROM metering AS later
             WHERE later.kind = metering.kind AND later.id = metering.id
                 AND later.epoch = metering.epoch AND later.at_ms <= ?1)",
        [from.0],
    )?;
    let counts = connection.execute(
        "DELETE FROM energy WHERE at_ms < (
             SELECT max(at_ms) FROM energy AS later
             WHERE later.kind = energy.kind AND later.station = energy.station
                 AND later.id = energy.id AND later.epoch = energy.epoch AND later.at_ms <= ?1)",
        [from.0],
    )?;
    Ok(count(rows + counts))
}

/// An alarm stays that is open, or whose return or acknowledgement lies behind the moment; also one whose return
/// nobody saw, unless the session in which it was raised ended before the moment, and it with that.
fn alarms(connection: &Connection, from: Timestamp) -> Result<u64, StoreError> {
    let rows = connection.execute(
        "DELETE FROM alarm WHERE open = 0 AND raised_ms < ?1
             AND coalesce(returned_ms, ?1 - 1) < ?1 AND coalesce(acknowledged_ms, ?1 - 1) < ?1
             AND (returned_ms IS NOT NULL OR EXISTS (
                 SELECT 1 FROM session WHERE until_ms > raised_ms AND until_ms < ?1))",
        [from.0],
    )?;
    Ok(count(rows))
}

/// What a step of the retention came to.
pub(super) enum Step {
    /// Nothing was too old.
    Nothing,
    /// This was taken out, from before that moment.
    Done(Timestamp, Removed),
    /// So many per cent of the store would go that lie before a local day: it waits.
    Waits(Date, u8),
}

/// Takes out a day of what the contract does not want to be kept any longer, when there is one: of everything,
/// or of the values alone.
pub(super) fn step(
    transaction: &mut Transaction<'_>,
    province: &Province,
    only_values: bool,
) -> Result<Step, StoreError> {
    let HistorySettings { values_days, verdicts_days, .. } = province.history;
    let (days, kinds) = if only_values {
        (values_days, &[Kept::Values][..])
    } else {
        (verdicts_days, &Kept::ALL[..])
    };
    let Some(too_old) = watched_for(transaction, days)? else { return Ok(Step::Nothing) };
    let oldest =
        if only_values { oldest_value(transaction)? } else { oldest_session(transaction)? };
    let Some(oldest) = oldest else { return Ok(Step::Nothing) };
    let zone = zone_at(transaction, oldest)?.unwrap_or(province.zone);
    let next = oldest.local_day(zone) + 1;
    let (before, from) = (Date::of_day(next), Timestamp::of_local_day(next, zone));
    if from > too_old {
        return Ok(Step::Nothing);
    }
    let was = pages(transaction)?;
    let savepoint = transaction.savepoint()?;
    let removed = forget(&savepoint, from, (kinds, By::Retention))?;
    let gone = was - pages(&savepoint)?;
    // Where few days are kept, one of them is much of the store, and nobody wonders.
    if gone * STEP_PART > was && gone * i64::from(days) > 2 * was {
        // What is not committed is as it was.
        drop(savepoint);
        let percent = u8::try_from(100 * gone / was.max(1)).unwrap_or(100);
        return Ok(Step::Waits(before, percent));
    }
    savepoint.commit()?;
    Ok(Step::Done(from, removed))
}

/// Says in the log what was taken out.
pub(super) fn tell(before: Timestamp, removed: &Removed) {
    let rows = removed.iter().filter(|(_, rows)| **rows > 0);
    let rows: Vec<String> = rows.map(|(kind, rows)| format!("{} {rows}", kind.word())).collect();
    let rows = if rows.is_empty() { "none".to_owned() } else { rows.join(", ") };
    tracing::info!("older than the contract wants, so no longer kept from before {before}: {rows}");
}

/// Pages that are in use.
fn pages(connection: &Connection) -> Result<i64, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    Ok(number("page_count")? - number("freelist_count")?)
}

/// The moment since which somebody has watched for so many days, all sessions together; `None` when nobody
/// has for that long.
fn watched_for(connection: &Connection, days: u16) -> Result<Option<Timestamp>, StoreError> {
    let mut sessions =
        connection.prepare_cached("SELECT from_ms, until_ms FROM session ORDER BY from_ms DESC")?;
    let mut rows = sessions.query([])?;
    let mut left = i64::from(days) * DAY_MS;
    while let Some(row) = rows.next()? {
        let (from, until) = (Timestamp(row.get(0)?), Timestamp(row.get(1)?));
        let watched = until.since(from).max(0);
        if watched >= left {
            return Ok(Some(until.plus(-left)));
        }
        left -= watched;
    }
    Ok(None)
}

/// When somebody watched first, of what is kept.
fn oldest_session(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let kept = kept::get(connection, Kept::Verdicts)?.unwrap_or(Timestamp(i64::MIN));
    let first: Option<i64> = connection.query_row(
        "SELECT min(from_ms) FROM session WHERE until_ms >= ?1",
        [kept.0],
        |row| row.get(0),
    )?;
    Ok(first.map(|first| Timestamp(first).max(kept)))
}

/// When the oldest chunk ends, of those that are kept.
fn oldest_value(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let kept = kept::get(connection, Kept::Values)?.unwrap_or(Timestamp(i64::MIN));
    let oldest: Option<i64> = connection.query_row(
        "SELECT min((SELECT until_ms FROM chunk WHERE chunk.block = block.id AND until_ms >= ?1
                     ORDER BY from_ms LIMIT 1)) FROM block",
        [kept.0],
        |row| row.get(0),
    )?;
    Ok(oldest.map(Timestamp))
}

/// By what local time went at a moment, by the contract of that time; `None` when there is none that this program can
/// read.
pub(super) fn zone_at(connection: &Connection, at: Timestamp) -> Result<Option<Zone>, StoreError> {
    let contract: Option<i64> = connection
        .prepare_cached(
            "SELECT contract FROM session ORDER BY from_ms > ?1, abs(from_ms - ?1) LIMIT 1",
        )?
        .query_row([at.0], |row| row.get(0))
        .optional()?;
    let Some(contract) = contract else { return Ok(None) };
    match contracts::get(connection, contract) {
        Err(StoreError::Contract { .. }) => Ok(None),
        province => Ok(Some(province?.zone)),
    }
}

/// When a local day begins, by the contract of that time.
pub(super) fn day_begins(
    connection: &Connection,
    day: Date,
    otherwise: Zone,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(near) = Timestamp::midnight(day, otherwise) else { return Ok(None) };
    let zone = zone_at(connection, near)?.unwrap_or(otherwise);
    Ok(Timestamp::midnight(day, zone))
}

/// Contracts that nothing refers to any more.
fn drop_contracts(connection: &Connection) -> Result<(), StoreError> {
    let unused = "id NOT IN (SELECT contract FROM session)
        AND id NOT IN (SELECT contract FROM journal)";
    connection.execute_batch(&format!(
        "DELETE FROM datalist WHERE contract IN (SELECT id FROM contract WHERE {unused});
         DELETE FROM contract WHERE {unused};"
    ))?;
    Ok(())
}
