//! What is no longer kept: of each kind of record, everything from before an instant was forgotten by
//! decision. It is neither damaged nor unobserved, and a window that reaches there says so.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::reader::Reader;
use super::schema::{StoreError, has_table};
use crate::clock::Timestamp;

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
}

/// Says that nothing of a kind is kept from before `from`. Nothing comes back: an earlier instant than
/// the one that is known changes nothing.
pub(super) fn put(
    transaction: &Transaction<'_>,
    kind: Kept,
    from: Timestamp,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO forgotten (kind, before_ms) VALUES (?1, ?2)
         ON CONFLICT (kind) DO UPDATE SET before_ms = max(before_ms, ?2)",
        params![kind.word(), from.0],
    )?;
    Ok(())
}

/// From when on a kind is kept; `None`: nothing of it was ever forgotten.
pub(super) fn get(connection: &Connection, kind: Kept) -> Result<Option<Timestamp>, StoreError> {
    if !has_table(connection, "forgotten")? {
        return Ok(None);
    }
    let before = connection
        .prepare_cached("SELECT before_ms FROM forgotten WHERE kind = ?1")?
        .query_row([kind.word()], |row| row.get(0))
        .optional()?;
    Ok(before.map(Timestamp))
}

impl Reader {
    /// From when on a kind of record is kept: nothing of it is there from before. `None`: nothing of it
    /// was ever forgotten.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn kept_from(&self, kind: Kept) -> Result<Option<Timestamp>, StoreError> {
        get(self.connection(), kind)
    }
}
