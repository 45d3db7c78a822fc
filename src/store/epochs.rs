//! Epochs: what was written between two jumps of the clock. A clock that was set back lets a stretch of
//! time come twice; then the later epoch holds, since its clock was corrected, and what earlier ones say of
//! that stretch is kept and counts for nothing.

use rusqlite::{Connection, ToSql, Transaction};

use super::cells;
use super::journal;
use super::reader::{End, Session};
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};
use crate::clock::{Jump, JumpKind, Timestamp};

/// Stretches of time that sessions of epochs behind the first have watched.
#[derive(Debug, Clone, Default)]
pub(super) struct Epochs {
    watched: Vec<(i64, Timestamp, Timestamp)>,
}

impl Epochs {
    /// Of the sessions of a store as they were written, with their epochs.
    pub(super) fn of(sessions: &[(Session, i64)]) -> Self {
        let later = sessions.iter().filter(|(_, epoch)| *epoch > 0);
        Self { watched: later.map(|(own, epoch)| (*epoch, own.from, own.until)).collect() }
    }

    /// Whether the clock never jumped: nothing can have come twice.
    pub(super) fn is_one(&self) -> bool {
        self.watched.is_empty()
    }

    /// What of each session holds, in the order of time: pieces that never overlap.
    pub(super) fn pieces(&self, sessions: &[(Session, i64)]) -> Vec<(Session, i64)> {
        let mut pieces = Vec::with_capacity(sessions.len());
        for (session, epoch) in sessions {
            let mut own = vec![(session.from, session.until)];
            let later =
                self.watched.iter().filter(|(later, from, until)| later > epoch && from < until);
            for (_, from, until) in later {
                let cut = |(own_from, own_until): (Timestamp, Timestamp)| {
                    if *until <= own_from || own_until <= *from {
                        return vec![(own_from, own_until)];
                    }
                    let around = [(own_from, *from), (*until, own_until)];
                    around.into_iter().filter(|(from, until)| from < until).collect()
                };
                own = own.into_iter().flat_map(cut).collect();
            }
            pieces.extend(own.into_iter().map(|(from, until)| {
                let end = if until == session.until { session.end } else { End::Jump };
                (Session { from, until, end, ..*session }, *epoch)
            }));
        }
        pieces.sort_by_key(|(piece, _)| (piece.from, piece.until, piece.id));
        pieces
    }
}

/// The condition of a query that leaves out what a later epoch has.
pub(super) fn holds(table: &str, at: &str) -> String {
    format!(
        "AND NOT EXISTS (
             SELECT 1 FROM session AS later WHERE later.epoch > {table}.epoch
                 AND later.from_ms <= {table}.{at} AND {table}.{at} < later.until_ms)"
    )
}

/// The epoch that is being written: the last jump.
pub(super) fn newest(connection: &Connection) -> Result<i64, StoreError> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(id) FROM clock_jump", [], |row| row.get(0))?;
    Ok(newest.unwrap_or(0))
}

/// Takes note of the jumps of the clock that the store does not know yet; whether there were any. When
/// the session before them was of the same run of the monitor, what is known of it now is corrected.
pub(super) fn follow(
    transaction: &Transaction<'_>,
    jumps: &[Jump],
    goes_on: bool,
) -> Result<bool, StoreError> {
    let known = self::jumps(transaction)?;
    let new: Vec<&Jump> = jumps.iter().filter(|jump| !known.contains(jump)).collect();
    if new.is_empty() {
        return Ok(false);
    }
    // What came before a jump is of the epoch that ended with it.
    journal::recover(transaction)?;
    for Jump { before, after, by_ms, kind } in &new {
        let row: [&dyn ToSql; 4] = [&before.0, &after.0, by_ms, &kind.code()];
        sums::put_numbered(transaction, (Verb::Insert, &sums::CLOCK_JUMP), &row)?;
    }
    let set = new.iter().filter(|jump| jump.kind == JumpKind::Set).map(|jump| jump.by_ms);
    let by_ms: i64 = set.sum();
    if goes_on && by_ms != 0 {
        correct(transaction, by_ms)?;
    }
    if goes_on {
        let running: (_, &[&dyn ToSql]) =
            ("closed = ?2", &[&End::Jump.code(), &End::Running.code()]);
        sums::change(transaction, ("UPDATE", &sums::SESSION), &[("closed", "?1")], running)?;
    }
    Ok(true)
}

/// Every jump of the clock, in the order in which they came.
pub(super) fn jumps(connection: &Connection) -> Result<Vec<Jump>, StoreError> {
    if !has_table(connection, "clock_jump")? {
        return Ok(Vec::new());
    }
    let mut all = connection
        .prepare("SELECT before_ms, after_ms, by_ms, kind FROM clock_jump ORDER BY id")?;
    let mut rows = all.query([])?;
    let mut jumps = Vec::new();
    while let Some(row) = rows.next()? {
        let code: i64 = cells::of(row, 3)?;
        let kind = u8::try_from(code).ok().and_then(JumpKind::from_code);
        let unknown = || StoreError::Damaged(format!("jump of the clock: kind {code}"));
        jumps.push(Jump {
            before: cells::instant(row, 0)?,
            after: cells::instant(row, 1)?,
            by_ms: cells::of(row, 2)?,
            kind: kind.ok_or_else(unknown)?,
        });
    }
    Ok(jumps)
}

/// The clock of the last session was wrong by `by_ms`: what units reported in it is given its own time,
/// where nothing but that clock spoke against it, and what is still open the time by the corrected clock.
fn correct(transaction: &Transaction<'_>, by_ms: i64) -> Result<(), StoreError> {
    let last = "FROM session ORDER BY id DESC LIMIT 1";
    let explained = format!(
        "doubt IS NOT NULL AND abs(arrived_ms + ?1 - source_ms) <= ?2
             AND arrived_ms BETWEEN (SELECT from_ms - ?2 {last}) AND (SELECT until_ms {last})"
    );
    let own = [("doubt", "NULL"), ("at_ms", "source_ms")];
    let explained: (&str, &[&dyn ToSql]) = (&explained[..], &[&by_ms, &EXPLAINED_MS]);
    sums::change(transaction, ("UPDATE", &sums::EVENT), &own, explained)?;
    // An alarm that stands is one and the same before and behind the jump.
    let later = [
        ("raised_ms", "raised_ms + ?1"),
        ("returned_ms", "returned_ms + ?1"),
        ("acknowledged_ms", "acknowledged_ms + ?1"),
    ];
    let open: (_, &[&dyn ToSql]) = ("open = 1", &[&by_ms]);
    sums::change(transaction, ("UPDATE OR REPLACE", &sums::ALARM), &later, open)?;
    Ok(())
}

/// A record whose time fits its arrival by the corrected clock to so many milliseconds is right: records
/// are read within seconds.
const EXPLAINED_MS: i64 = 15_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sessions() -> impl Strategy<Value = Vec<(Session, i64)>> {
        let session = (0_i64..200, 0_i64..60, 0_i64..5);
        prop::collection::vec(session, 0..9).prop_map(|all| {
            let session = |(n, (from, length, epoch)): (usize, (i64, i64, i64))| {
                let (from, until) = (Timestamp(from), Timestamp(from + length));
                let id = i64::try_from(n).unwrap();
                (Session { id, contract: 1, from, until, end: End::Closed }, epoch)
            };
            // Within an epoch sessions do not overlap.
            let mut kept: Vec<(Session, i64)> = Vec::new();
            for (own, epoch) in all.into_iter().enumerate().map(session) {
                let over = |(other, of): &(Session, i64)| {
                    *of == epoch && other.from < own.until && own.from < other.until
                };
                if !kept.iter().any(over) {
                    kept.push((own, epoch));
                }
            }
            kept
        })
    }

    proptest! {
        #[test]
        fn every_millisecond_that_was_watched_belongs_to_the_latest_epoch(sessions in sessions()) {
            let epochs = Epochs::of(&sessions);
            let pieces = epochs.pieces(&sessions);
            for at in (0..300).map(Timestamp) {
                let holds = |of: &[(Session, i64)]| -> Vec<i64> {
                    let of = of.iter().filter(|(own, _)| own.from <= at && at < own.until);
                    of.map(|(own, _)| own.id).collect()
                };
                let all = sessions.iter().filter(|(own, _)| own.from <= at && at < own.until);
                let latest = all.max_by_key(|(_, epoch)| *epoch);
                let expected: Vec<i64> = latest.iter().map(|(own, _)| own.id).collect();
                prop_assert_eq!(holds(&pieces), expected);
            }
        }
    }
}
