//! What is no longer kept: of each kind of record, everything from before an instant was forgotten by
//! decision. It is neither damaged nor unobserved, and a window that reaches there says so.
//!
//! Rows of some kinds stay for five weeks longer: nothing is told from them, but what is told of the time behind the
//! instant rests on them, too.

use std::collections::BTreeMap;

use rusqlite::{Connection, ToSql};
use signal::clock::{DAY_MS, Timestamp};

use super::cells;
use super::reader::Reader;
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};

/// A kind of record, as far as forgetting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// Verdicts, and with them the sessions in which somebody watched.
    Verdicts,
    /// Records of events.
    Events,
    /// Measured values, states and counters.
    Values,
    /// How polling went.
    Polling,
    /// Remote metering.
    Metering,
    /// Alarms.
    Alarms,
}

/// So much of what decides about a moment may lie before it, milliseconds: five weeks. Supply looks back by a day
/// and an hour, energy by a month and two days for another series of readings that a counter showed.
const MARGIN_MS: i64 = 35 * DAY_MS;

impl Kept {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Verdicts, Self::Events, Self::Values, Self::Polling, Self::Metering, Self::Alarms];

    /// The word in stores and JSON, stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verdicts => "verdicts",
            Self::Events => "events",
            Self::Values => "values",
            Self::Polling => "polling",
            Self::Metering => "metering",
            Self::Alarms => "alarms",
        }
    }

    /// From when on rows stay when nothing is told from before `from` any more.
    pub(super) fn rows_from(self, from: Timestamp) -> Timestamp {
        match self {
            Self::Verdicts | Self::Events | Self::Values => from.plus(-MARGIN_MS).max(Timestamp(0)),
            Self::Polling | Self::Metering | Self::Alarms => from,
        }
    }
}

/// Who wanted that something is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The monitor, because it was older than the contract wants.
    Retention,
    /// Somebody, by `gridwatch store compact`.
    Hand,
}

impl By {
    /// The word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Hand => "hand",
        }
    }
}

/// From when on each kind of record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptFrom([Option<Gap>; Kept::ALL.len()]);

/// A stretch of which there were records that are no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its first moment: before the first record there was nothing that could be kept.
    pub from: Timestamp,
    /// From here on all is kept.
    pub to: Timestamp,
}

impl KeptFrom {
    /// From when on a kind is kept; `None`: nothing of it was ever forgotten.
    pub fn of(&self, kind: Kept) -> Option<Timestamp> {
        self.gap(kind).map(|gap| gap.to)
    }

    /// The stretch of which a kind is no longer kept; `None`: nothing of it was ever forgotten.
    pub fn gap(&self, kind: Kept) -> Option<Gap> {
        self.0[kind as usize]
    }
}

/// What was forgotten of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// Nothing is told from before this moment.
    pub before: Timestamp,
    /// The first moment of which there was something; `None`: there never was.
    pub began: Option<Timestamp>,
    /// Rows that went, all together.
    pub rows: u64,
    /// Whether somebody wanted it the last time, or the monitor.
    pub by: By,
}

impl Gone {
    /// The stretch that is no longer kept; `None`: there was nothing in it.
    pub fn gap(self) -> Option<Gap> {
        let gap = |from| Gap { from, to: self.before };
        self.began.filter(|began| *began < self.before).map(gap)
    }
}

/// The first moment of which there is something of a kind: of verdicts, events and alarms also when somebody watched
/// and there was none.
pub(super) fn began(connection: &Connection, kind: Kept) -> Result<Option<Timestamp>, StoreError> {
    let first = match kind {
        Kept::Verdicts => "SELECT min(from_ms) FROM session",
        Kept::Events => {
            "SELECT min(first) FROM (
                 SELECT min(from_ms) AS first FROM session UNION ALL SELECT min(at_ms) FROM event)"
        }
        // The journal is minutes long.
        Kept::Values => {
            "SELECT min(first) FROM (
                 SELECT min(from_ms) AS first FROM chunk UNION ALL SELECT min(until_ms) FROM journal)"
        }
        Kept::Polling => "SELECT min(from_ms) FROM asked",
        Kept::Metering => {
            "SELECT min(first) FROM (
                 SELECT min(at_ms) AS first FROM metering UNION ALL SELECT min(at_ms) FROM energy)"
        }
        Kept::Alarms => {
            "SELECT min(first) FROM (
                 SELECT min(from_ms) AS first FROM session UNION ALL SELECT min(raised_ms) FROM alarm)"
        }
    };
    let first: Option<i64> = connection.query_row(first, [], |row| row.get(0))?;
    Ok(first.map(Timestamp))
}

/// Says that nothing of a kind is told from before `from`, since when there was something, how many rows went for it,
/// and who wanted it. Nothing comes back: an earlier instant than the one that is known changes nothing.
pub(super) fn put(
    connection: &Connection,
    kind: Kept,
    (began, from): (Option<Timestamp>, Timestamp),
    (rows, by): (u64, By),
) -> Result<(), StoreError> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let again = [
        ("before_ms", "max(before_ms, excluded.before_ms)"),
        // Of a store of which something went, the first record that is left is not the first one that there was.
        ("began_ms", "coalesce(began_ms, excluded.began_ms)"),
        ("rows_from_ms", "max(rows_from_ms, excluded.rows_from_ms)"),
        ("gone", "gone + excluded.gone"),
        ("last_by", "excluded.last_by"),
    ];
    let again = sums::changed(&sums::FORGOTTEN, &again);
    let again = format!("ON CONFLICT (kind) DO UPDATE SET {again}");
    let row: [&dyn ToSql; 6] = [
        &kind.word(),
        &from.0,
        &began.map(|began| began.0),
        &kind.rows_from(from).0,
        &rows,
        &by.word(),
    ];
    sums::put(connection, (Verb::Insert, &sums::FORGOTTEN, &again), &row)?;
    Ok(())
}

/// From when on a kind is kept; `None`: nothing of it was ever forgotten.
pub(super) fn get(connection: &Connection, kind: Kept) -> Result<Option<Timestamp>, StoreError> {
    moment(connection, "before_ms", kind)
}

/// From when on the rows of a kind are there; `None`: nothing of it was ever forgotten.
pub(super) fn rows_from(
    connection: &Connection,
    kind: Kept,
) -> Result<Option<Timestamp>, StoreError> {
    moment(connection, "rows_from_ms", kind)
}

fn moment(
    connection: &Connection,
    column: &str,
    kind: Kept,
) -> Result<Option<Timestamp>, StoreError> {
    if !has_table(connection, "forgotten")? {
        return Ok(None);
    }
    // Where there was nothing, nothing was forgotten.
    let mut of_kind = connection.prepare_cached(&format!(
        "SELECT {column} FROM forgotten WHERE kind = ?1 AND began_ms < before_ms"
    ))?;
    let mut rows = of_kind.query([kind.word()])?;
    rows.next()?.map(|row| cells::instant(row, 0)).transpose()
}

/// What was ever forgotten, kind by kind; a store of an earlier version does not say.
pub(super) fn all(connection: &Connection) -> Result<BTreeMap<Kept, Gone>, StoreError> {
    if !has_table(connection, "forgotten")? {
        return Ok(BTreeMap::new());
    }
    let mut said = connection.prepare_cached(
        "SELECT kind, before_ms, gone, last_by, rows_from_ms, began_ms FROM forgotten",
    )?;
    let mut rows = said.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (kind, by) = (cells::name(row, 0)?, cells::name(row, 3)?);
        if cells::instant(row, 4)? > cells::instant(row, 1)? {
            return Err(cells::bad(row, 4, "is behind what is told"));
        }
        let known = |what: &str, word: &str| {
            StoreError::Damaged(format!("what is no longer kept: {what} '{word}'"))
        };
        let kind_of = Kept::ALL.into_iter().find(|known| known.word() == kind);
        let by_of = [By::Retention, By::Hand].into_iter().find(|known| known.word() == by);
        let gone = Gone {
            before: cells::instant(row, 1)?,
            began: cells::maybe_instant(row, 5)?,
            rows: cells::count(row, 2)?,
            by: by_of.ok_or_else(|| known("by", &by))?,
        };
        all.insert(kind_of.ok_or_else(|| known("kind", &kind))?, gone);
    }
    Ok(all)
}

impl Reader {
    /// The moment from which on a kind of record can be told that begins at `from`. What stays from before
    /// only says how things stood.
    pub(super) fn kept_since(&self, kind: Kept, from: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(self.kept_from(kind)?.map_or(from, |kept| kept.max(from)))
    }

    /// From when on each kind of record is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn kept(&self) -> Result<KeptFrom, StoreError> {
        let mut kept = KeptFrom::default();
        for (kind, gone) in all(self.connection())? {
            kept.0[kind as usize] = gone.gap();
        }
        Ok(kept)
    }

    /// The stretch of which a kind of record is no longer kept; `None`: nothing of it was ever forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn gap(&self, kind: Kept) -> Result<Option<Gap>, StoreError> {
        Ok(self.kept()?.gap(kind))
    }

    /// From when on a kind of record is kept: nothing of it is told from before. `None`: nothing of it
    /// was ever forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn kept_from(&self, kind: Kept) -> Result<Option<Timestamp>, StoreError> {
        get(self.connection(), kind)
    }

    /// From when on the rows of a kind are all there: some time before what is told of it, since that rests on
    /// them. `None`: nothing of it was ever forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rows_from(&self, kind: Kept) -> Result<Option<Timestamp>, StoreError> {
        rows_from(self.connection(), kind)
    }
}
