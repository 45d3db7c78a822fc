//! Epochs: what was written between two jumps of the clock. A clock that was set back lets a stretch of
//! time come twice; then the later epoch holds, since its clock was corrected, and what earlier ones say of
//! that stretch is kept and counts for nothing. Where a jump is taken back by a later one of the same run, the clock
//! was wrong in between: all that was written then is kept and counts for nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ToSql, Transaction};
use signal::clock::{Jump, JumpKind, Timestamp};

use super::cells;
use super::journal;
use super::reader::{End, Session};
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};

/// Of each stretch of time that sessions of epochs behind the first have watched, the latest of these epochs.
#[derive(Debug, Clone, Default)]
pub(super) struct Epochs {
    latest: Vec<Latest>,
    /// Those whose clock was wrong.
    wrong: BTreeSet<i64>,
}

/// A stretch of time, and the latest epoch in which somebody watched in it.
#[derive(Debug, Clone, Copy)]
struct Latest {
    epoch: i64,
    from: Timestamp,
    until: Timestamp,
}

/// Stretches by their beginnings, which never overlap.
type Taken = BTreeMap<Timestamp, Timestamp>;

/// Stretches that reach into the inside of one.
fn inside(taken: &Taken, (from, until): (Timestamp, Timestamp)) -> Vec<(Timestamp, Timestamp)> {
    // Those that begin later, and the one that may reach over.
    let before = taken.range(..=from).next_back();
    let first = before.filter(|(_, end)| **end > from).map_or(from, |(begin, _)| *begin);
    let later = taken.range(first..until).map(|(begin, end)| (*begin, *end));
    later.filter(|(_, end)| *end > from).collect()
}

impl Epochs {
    /// Of the sessions of a store as they were written, with their epochs, and the epochs whose clock was wrong.
    pub(super) fn of(sessions: &[(Session, i64)], wrong: BTreeSet<i64>) -> Self {
        let is_later = |(own, epoch): &&(Session, i64)| *epoch > 0 && own.from < own.until;
        let later: Vec<_> = sessions.iter().filter(is_later).copied().collect();
        let mut latest: Vec<Latest> = Vec::new();
        for (piece, epoch) in pieces(&later) {
            match latest.last_mut() {
                // Sessions of one epoch that a damaged store has twice.
                Some(last) if piece.from < last.until => last.until = last.until.max(piece.until),
                _ => latest.push(Latest { epoch, from: piece.from, until: piece.until }),
            }
        }
        Self { latest, wrong }
    }

    /// Whether the clock never jumped: nothing can have come twice.
    pub(super) fn is_one(&self) -> bool {
        self.latest.is_empty() && self.wrong.is_empty()
    }

    /// Whether what an epoch says of a moment holds: no later one says anything of it.
    fn holds(&self, epoch: i64, at: Timestamp) -> bool {
        let next = self.latest.partition_point(|latest| latest.from <= at);
        let own = self.latest[..next].last().filter(|latest| at < latest.until);
        own.is_none_or(|latest| latest.epoch <= epoch) && !self.wrong.contains(&epoch)
    }

    /// Lets the statements of a connection ask whether what an epoch says of a moment holds:
    /// `holds(epoch, at_ms)`.
    pub(super) fn teach(self: &Arc<Self>, connection: &Connection) -> Result<(), StoreError> {
        let (flags, own) = (FunctionFlags::SQLITE_UTF8, Arc::clone(self));
        connection.create_scalar_function(c"holds", 2, flags, move |given| {
            Ok(own.holds(given.get(0)?, Timestamp(given.get(1)?)))
        })?;
        Ok(())
    }
}

/// What of each session holds, with its epoch, in the order of time: pieces that never overlap.
pub(super) fn pieces(sessions: &[(Session, i64)]) -> Vec<(Session, i64)> {
    let mut latest_first: Vec<&(Session, i64)> = sessions.iter().collect();
    latest_first.sort_by_key(|(_, epoch)| Reverse(*epoch));
    let (mut pieces, mut taken) = (Vec::with_capacity(sessions.len()), Taken::new());
    for of_epoch in latest_first.chunk_by(|(_, one), (_, other)| one == other) {
        for (session, epoch) in of_epoch {
            let (mut from, until) = (session.from, session.until);
            let mut ends = Vec::new();
            for (begin, end) in inside(&taken, (from, until)) {
                if from < begin {
                    ends.push((from, begin));
                }
                from = end;
            }
            // What has no length is there, too, unless it lies within another one.
            if from < until || (from, until) == (session.from, session.until) {
                ends.push((from, until));
            }
            pieces.extend(ends.into_iter().map(|(from, until)| {
                let end = if until == session.until { session.end } else { End::Jump };
                (Session { from, until, end, ..*session }, *epoch)
            }));
        }
        for (session, _) in
            of_epoch.iter().filter(|(own, epoch)| *epoch > 0 && own.from < own.until)
        {
            let (mut from, mut until) = (session.from, session.until);
            for (begin, end) in inside(&taken, (from, until)) {
                taken.remove(&begin);
                (from, until) = (from.min(begin), until.max(end));
            }
            taken.insert(from, until);
        }
    }
    pieces.sort_by_key(|(piece, _)| (piece.from, piece.until, piece.id));
    let mut end = Timestamp(i64::MIN);
    pieces.retain(|(piece, _)| {
        let holds = piece.from < piece.until || piece.from >= end;
        end = end.max(piece.until);
        holds
    });
    pieces
}

/// The condition of a query that leaves out what a later epoch has.
pub(super) fn holds(table: &str, at: &str) -> String {
    format!("AND holds({table}.epoch, {table}.{at})")
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

/// So many jumps may lie between one and that which takes it back.
const EXCURSION_MAX: usize = 8;
/// A jump is taken back by one that leads so many times nearer to where the clock was before.
const NEARER: i64 = 100;

/// The epochs whose clock was wrong: it was set, and set back again, while the monitor ran. `jumps` are the number of
/// each and by how much it set the clock, milliseconds; `sessions` are all, with their epochs.
fn taken_back(jumps: &[(i64, i64)], sessions: &[(Session, i64)]) -> BTreeSet<i64> {
    let mut last: BTreeMap<i64, &Session> = BTreeMap::new();
    for (session, epoch) in sessions {
        let own = last.entry(*epoch).or_insert(session);
        if session.id > own.id {
            *own = session;
        }
    }
    // Only a run knows how its clocks lie to each other.
    let goes_on = |epoch: i64| last.get(&epoch).is_none_or(|session| session.end == End::Jump);
    // How far ahead of the first clock each is.
    let ahead = jumps.iter().scan(0_i64, |ahead, (id, by_ms)| {
        *ahead = ahead.saturating_add(*by_ms);
        Some((*id, *ahead))
    });
    let clocks: Vec<(i64, i64)> = std::iter::once((0, 0)).chain(ahead).collect();
    let mut wrong = BTreeSet::new();
    for (n, (epoch, own)) in clocks.iter().enumerate().rev() {
        if wrong.contains(epoch) {
            continue;
        }
        let before = clocks[..n].iter().enumerate().rev().take(EXCURSION_MAX);
        for (m, (_, then)) in before.take_while(|(_, (epoch, _))| goes_on(*epoch)) {
            let apart = own.saturating_sub(*then).saturating_abs().saturating_mul(NEARER);
            let strays = clocks[m + 1..n]
                .iter()
                .filter(|(_, between)| between.saturating_sub(*then).saturating_abs() > apart);
            wrong.extend(strays.map(|(epoch, _)| *epoch));
        }
    }
    wrong
}

/// The same, of a store.
pub(super) fn wrong(
    connection: &Connection,
    sessions: &[(Session, i64)],
) -> Result<BTreeSet<i64>, StoreError> {
    // A machine that slept has the same clock.
    let set = |jump: &Jump| if jump.kind == JumpKind::Set { jump.by_ms } else { 0 };
    let jumps = numbered(connection)?;
    let jumps: Vec<(i64, i64)> = jumps.iter().map(|(id, jump)| (*id, set(jump))).collect();
    Ok(taken_back(&jumps, sessions))
}

/// Most jumps of the clock: a session ends with each.
const JUMPS_MAX: usize = 100_000;

/// Every jump of the clock, in the order in which they came.
pub(super) fn jumps(connection: &Connection) -> Result<Vec<Jump>, StoreError> {
    Ok(numbered(connection)?.into_iter().map(|(_, jump)| jump).collect())
}

/// The same, each with its number.
fn numbered(connection: &Connection) -> Result<Vec<(i64, Jump)>, StoreError> {
    if !has_table(connection, "clock_jump")? {
        return Ok(Vec::new());
    }
    let mut all = connection
        .prepare("SELECT before_ms, after_ms, by_ms, kind, id FROM clock_jump ORDER BY id")?;
    let mut rows = all.query([])?;
    let mut jumps = Vec::new();
    while let Some(row) = rows.next()? {
        let code: i64 = cells::of(row, 3)?;
        let kind = u8::try_from(code).ok().and_then(JumpKind::from_code);
        let unknown = || StoreError::Damaged(format!("jump of the clock: kind {code}"));
        let jump = Jump {
            before: cells::instant(row, 0)?,
            after: cells::instant(row, 1)?,
            by_ms: cells::of(row, 2)?,
            kind: kind.ok_or_else(unknown)?,
        };
        jumps.push((cells::of(row, 4)?, jump));
        cells::at_most(jumps.len(), JUMPS_MAX, "jumps of the clock")?;
    }
    Ok(jumps)
}

/// The clock of the last session was wrong by `by_ms`: what units reported in it is given its own time,
/// where nothing but that clock spoke against it.
fn correct(transaction: &Transaction<'_>, by_ms: i64) -> Result<(), StoreError> {
    let last = "FROM session ORDER BY id DESC LIMIT 1";
    let explained = format!(
        "doubt IS NOT NULL AND abs(arrived_ms + ?1 - source_ms) <= ?2
             AND arrived_ms BETWEEN (SELECT from_ms - ?2 {last}) AND (SELECT until_ms {last})"
    );
    let own = [("doubt", "NULL"), ("at_ms", "source_ms")];
    let explained: (&str, &[&dyn ToSql]) = (&explained[..], &[&by_ms, &EXPLAINED_MS]);
    sums::change(transaction, ("UPDATE", &sums::EVENT), &own, explained)?;
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

    /// One session in each epoch: whether it ended with a jump, and by how much that set the clock.
    fn run(ends: &[(End, i64)]) -> BTreeSet<i64> {
        let session = |(n, (end, _)): (i64, &(End, i64))| {
            let at = Timestamp(n * 1_000);
            (Session { id: n, contract: 1, from: at, until: at.plus(500), end: *end }, n)
        };
        let sessions: Vec<_> = (0..).zip(ends).map(session).collect();
        let jumps: Vec<_> = (1..).zip(ends).map(|(n, (_, by_ms))| (n, *by_ms)).collect();
        taken_back(&jumps[..ends.len() - 1], &sessions)
    }

    #[test]
    fn a_clock_that_is_set_and_set_back_was_wrong_in_between() {
        const HOUR: i64 = 3_600_000;
        let cases: [(&[i64], &[i64]); 11] = [
            (&[], &[]),
            (&[-2 * HOUR], &[]),
            (&[-2 * HOUR, 2 * HOUR], &[1]),
            // Not quite back.
            (&[2 * HOUR, -2 * HOUR + 3_000], &[1]),
            // To another time.
            (&[-2 * HOUR, HOUR], &[]),
            // By and by, and the machine slept in between.
            (&[-2 * HOUR, 0, HOUR, HOUR], &[1, 2, 3]),
            (&[HOUR, -HOUR, HOUR, -HOUR], &[1, 3]),
            // What it comes back to last is right.
            (&[HOUR, -HOUR, HOUR], &[2]),
            (&[0, 0], &[]),
            (&[5, -5, HOUR], &[1]),
            (&[i64::MAX, i64::MAX, i64::MIN], &[1, 2]),
        ];
        for (steps, expected) in cases {
            let ends: Vec<_> = steps.iter().map(|by_ms| (End::Jump, *by_ms)).collect();
            let wrong = run(&[&ends[..], &[(End::Running, 0)]].concat());
            assert_eq!(wrong.into_iter().collect::<Vec<_>>(), expected, "{steps:?}");
        }
        // A run knows nothing of the clock of another one.
        assert!(run(&[(End::Closed, HOUR), (End::Jump, -HOUR), (End::Running, 0)]).is_empty());
        assert!(run(&[(End::Jump, HOUR), (End::Broken, -HOUR), (End::Running, 0)]).is_empty());
    }

    proptest! {
        #[test]
        fn every_millisecond_that_was_watched_belongs_to_the_latest_epoch(sessions in sessions()) {
            let (epochs, pieces) = (Epochs::of(&sessions, BTreeSet::new()), pieces(&sessions));
            let apart = pieces.windows(2).all(|pair| pair[0].0.until <= pair[1].0.from);
            prop_assert!(apart, "{pieces:?}");
            for at in (0..300).map(Timestamp) {
                let holds = |of: &[(Session, i64)]| -> Vec<i64> {
                    let of = of.iter().filter(|(own, _)| own.from <= at && at < own.until);
                    of.map(|(own, _)| own.id).collect()
                };
                let all = sessions.iter().filter(|(own, _)| own.from <= at && at < own.until);
                let latest = all.max_by_key(|(_, epoch)| *epoch);
                let expected: Vec<i64> = latest.iter().map(|(own, _)| own.id).collect();
                prop_assert_eq!(holds(&pieces), expected);
                for epoch in 0..5 {
                    let later = |(own, of): &(Session, i64)| {
                        *of > epoch && own.from <= at && at < own.until
                    };
                    prop_assert_eq!(epochs.holds(epoch, at), !sessions.iter().any(later));
                }
            }
        }
    }
}
