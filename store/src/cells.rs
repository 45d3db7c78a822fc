//! One cell of a row, and what it cannot be, and how many of a kind there are at most: what a file says is believed
//! only within these bounds, by who reads it and by who checks it alike.

use rusqlite::types::FromSql;
use rusqlite::{Error, Row};
use signal::clock::Timestamp;

use super::schema::StoreError;

/// The last millisecond of the year 9999, UTC: no later moment has a date.
const INSTANT_MAX: i64 = 253_402_300_799_999;
/// More of anything is none of ours, and as many as fit a table can still be summed.
const COUNT_MAX: i64 = 1 << 40;
/// Longest text that names something, bytes.
const NAME_BYTES_MAX: usize = 4_096;

/// There are no more of something than an answer can be made of in time. What is bounded is what is held or asked for
/// one by one, not rows that are read one after the other.
pub(super) fn at_most(count: usize, most: usize, what: &str) -> Result<(), StoreError> {
    if count <= most {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("there are more than {most} {what}")))
}

/// A cell that cannot be.
pub(super) fn bad(row: &Row<'_>, column: usize, what: &str) -> StoreError {
    let name = row.as_ref().column_name(column).unwrap_or("?");
    StoreError::Damaged(format!("{name} {what}"))
}

fn number(row: &Row<'_>, column: usize, range: (i64, i64)) -> Result<i64, StoreError> {
    let number: i64 = of(row, column)?;
    if (range.0..=range.1).contains(&number) {
        Ok(number)
    } else {
        Err(bad(row, column, &format!("{number} cannot be")))
    }
}

/// A cell of a type that has bounds of its own.
pub(super) fn of<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    row.get(column).map_err(|error| match error {
        Error::IntegralValueOutOfRange(_, number) => {
            bad(row, column, &format!("{number} cannot be"))
        }
        Error::InvalidColumnType(..) | Error::FromSqlConversionFailure(..) => {
            bad(row, column, "is of another kind than it can be")
        }
        error => error.into(),
    })
}

/// A moment of the years 1970 to 9999.
pub(super) fn instant(row: &Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    number(row, column, (0, INSTANT_MAX)).map(Timestamp)
}

/// A moment, or none.
pub(super) fn maybe_instant(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    let is_there = of::<Option<i64>>(row, column)?.is_some();
    is_there.then(|| instant(row, column)).transpose()
}

/// How many of something.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    number(row, column, (0, COUNT_MAX)).map(i64::cast_unsigned)
}

/// Yes or no.
pub(super) fn flag(row: &Row<'_>, column: usize) -> Result<bool, StoreError> {
    number(row, column, (0, 1)).map(|number| number == 1)
}

/// A name.
pub(super) fn name(row: &Row<'_>, column: usize) -> Result<String, StoreError> {
    let length = row.get_ref(column)?.as_str().map(str::len);
    let length = length.map_err(|_| bad(row, column, "is no text"))?;
    if length > NAME_BYTES_MAX {
        return Err(bad(row, column, &format!("of {length} bytes cannot be")));
    }
    of(row, column)
}

/// A name, or none.
pub(super) fn maybe_name(row: &Row<'_>, column: usize) -> Result<Option<String>, StoreError> {
    let is_there = !matches!(row.get_ref(column)?, rusqlite::types::ValueRef::Null);
    is_there.then(|| name(row, column)).transpose()
}
