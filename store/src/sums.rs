//! Checksums of rows: each row of the store has one over all that a report can depend on, so that a
//! check can prove it. A checksum is written by the statement that writes the row.
//!
//! Pages of the database have none, and what `SQLite`'s own check knows of them is their order, not their
//! content.

use std::borrow::Cow;
use std::sync::OnceLock;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Row, ToSql};

use super::schema::{StoreError, has_column};

/// How a row is put into a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    /// It is not there yet.
    Insert,
    /// What is there already stays.
    OrIgnore,
    /// It takes the place of what is there.
    OrReplace,
}

impl Verb {
    fn words(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::OrIgnore => "INSERT OR IGNORE",
            Self::OrReplace => "INSERT OR REPLACE",
        }
    }
}

/// A table whose rows have checksums.
#[derive(Debug)]
pub(super) struct Summed {
    /// Its name.
    pub(super) table: &'static str,
    /// What tells its rows apart, for who is to find one.
    pub(super) key: &'static [&'static str],
    /// What the checksum is over, in this order. Numbers of rows are in it where others refer to them.
    pub(super) columns: &'static [&'static str],
    /// What puts a row into it, by [`Verb`]: rows come by the thousand, and the text is the same each time.
    puts: [OnceLock<String>; 3],
    /// Rows of earlier versions got theirs when the store was brought up to date. Those of `chunk` and
    /// `journal` did not: they are many, chunks bring a checksum of their own, and both are soon gone.
    from_the_first: bool,
}

macro_rules! summed {
    ($name:ident, $table:literal, $key:expr, $columns:expr, $from_the_first:expr) => {
        pub(super) static $name: Summed = Summed {
            table: $table,
            key: &$key,
            columns: &$columns,
            puts: [const { OnceLock::new() }; 3],
            from_the_first: $from_the_first,
        };
    };
}

summed!(
    CONTRACT,
    "contract",
    ["id"],
    ["id", "hash", "expanded", "file", "text", "fleet", "slowed_ms"],
    true
);
summed!(DATALIST, "datalist", ["contract", "place"], ["contract", "place", "file", "text"], true);
summed!(PATH, "path", ["id"], ["id", "station", "centre"], true);
summed!(
    SESSION,
    "session",
    ["id"],
    ["id", "contract", "from_ms", "until_ms", "closed", "program", "epoch"],
    true
);
summed!(
    JUDGEMENT,
    "judgement",
    ["path", "session", "at_ms"],
    ["path", "at_ms", "session", "whole", "link", "runs"],
    true
);
summed!(
    EVENT,
    "event",
    ["path", "unit", "number", "source_ms", "address"],
    [
        "path",
        "unit",
        "number",
        "source_ms",
        "address",
        "at_ms",
        "arrived_ms",
        "point",
        "before",
        "value",
        "flags",
        "synchronised",
        "doubt"
    ],
    true
);
summed!(
    LOST_EVENTS,
    "lost_events",
    ["path", "unit", "at_ms"],
    ["path", "unit", "at_ms", "count", "after_ms", "told_ms"],
    true
);
summed!(
    COMMANDS_KEPT,
    "commands_kept",
    ["path", "unit", "at_ms"],
    ["path", "unit", "at_ms", "kept"],
    true
);
summed!(
    ASKED,
    "asked",
    ["path", "from_ms", "epoch"],
    [
        "path",
        "from_ms",
        "until_ms",
        "no_reply",
        "refused",
        "undecodable",
        "missed",
        "longest_us",
        "replies",
        "epoch"
    ],
    true
);
summed!(LAYOUT, "layout", ["id"], ["id", "columns"], true);
summed!(BLOCK, "block", ["id"], ["id", "path", "layout"], true);
summed!(
    CHUNK,
    "chunk",
    ["id", "block", "from_ms"],
    ["block", "from_ms", "until_ms", "rows", "data", "epoch"],
    false
);
summed!(
    METERING,
    "metering",
    ["kind", "id", "at_ms", "epoch"],
    [
        "kind",
        "id",
        "at_ms",
        "sells",
        "meters",
        "remote",
        "first_have",
        "first_want",
        "final_have",
        "final_want",
        "half_hours_have",
        "half_hours_want",
        "epoch",
        "day",
        "final_day",
        "final_first_have",
        "final_first_want",
        "followed",
        "on_time",
        "late",
        "backfilled",
        "not_heard",
        "final_not_heard",
        "uncounted"
    ],
    true
);
summed!(
    ENERGY,
    "energy",
    ["kind", "station", "id", "at_ms", "epoch"],
    [
        "kind",
        "station",
        "id",
        "at_ms",
        "sells",
        "day",
        "kwh",
        "meter_days",
        "meters",
        "behind",
        "unread_days",
        "epoch"
    ],
    true
);
summed!(JOURNAL, "journal", ["until_ms"], ["until_ms", "contract", "data"], false);
summed!(
    ALARM,
    "alarm",
    ["station", "cause", "reason", "raised_ms"],
    [
        "station",
        "cause",
        "reason",
        "raised_ms",
        "priority",
        "centres",
        "signals",
        "returned_ms",
        "acknowledged_ms",
        "open",
        "epoch",
        "at_least"
    ],
    true
);
summed!(
    FORGOTTEN,
    "forgotten",
    ["kind"],
    ["kind", "before_ms", "began_ms", "rows_from_ms", "gone", "last_by"],
    true
);
summed!(CLOCK_JUMP, "clock_jump", ["id"], ["id", "before_ms", "after_ms", "by_ms", "kind"], true);

/// Every table.
pub(super) static ALL: [&Summed; 18] = [
    &CONTRACT,
    &DATALIST,
    &PATH,
    &SESSION,
    &JUDGEMENT,
    &EVENT,
    &LOST_EVENTS,
    &COMMANDS_KEPT,
    &ASKED,
    &LAYOUT,
    &BLOCK,
    &CHUNK,
    &METERING,
    &ENERGY,
    &JOURNAL,
    &ALARM,
    &FORGOTTEN,
    &CLOCK_JUMP,
];

/// The checksum of a row: CRC-32 over kind and content of each value.
fn sum<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> i64 {
    let mut digest = crc32fast::Hasher::new();
    for value in values {
        let (kind, bytes): (u8, &[u8]) = match value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(number) => {
                digest.update(&[1]);
                digest.update(&number.to_le_bytes());
                continue;
            }
            ValueRef::Real(number) => {
                digest.update(&[2]);
                digest.update(&number.to_bits().to_le_bytes());
                continue;
            }
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        digest.update(&[kind]);
        digest.update(&(bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    digest.finalize().into()
}

/// Lets the statements of a connection make checksums: `row_sum(…)`.
pub(super) fn teach(connection: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("row_sum", -1, flags, |given| {
        Ok(sum((0..given.len()).map(|n| given.get_raw(n))))
    })
}

impl Summed {
    /// The statement that puts a row into the table.
    fn put(&self, verb: Verb) -> &str {
        self.puts[verb as usize].get_or_init(|| {
            let (table, columns) = (self.table, self.columns.join(", "));
            let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
            let (verb, places) = (verb.words(), places.join(", "));
            format!("{verb} INTO {table} ({columns}, sum) VALUES ({places}, row_sum({places}))")
        })
    }
}

/// Puts a row into a table. `values` are those of [`Summed::columns`]; `tail` is what follows the values.
/// Returns how many rows were written.
pub(super) fn put(
    connection: &Connection,
    (verb, of, tail): (Verb, &Summed, &str),
    values: &[&dyn ToSql],
) -> Result<usize, Error> {
    let mut statement = Cow::Borrowed(of.put(verb));
    if !tail.is_empty() {
        statement.to_mut().extend([" ", tail]);
    }
    connection.prepare_cached(&statement)?.execute(values)
}

/// Puts a row into a table that numbers its rows. `values` are those behind the number, which is
/// returned; `None` when `verb` found the row there.
pub(super) fn put_numbered(
    connection: &Connection,
    (verb, of): (Verb, &Summed),
    values: &[&dyn ToSql],
) -> Result<Option<i64>, Error> {
    let (verb, table, columns) = (verb.words(), of.table, &of.columns[1..]);
    let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    let (columns, places) = (columns.join(", "), places.join(", "));
    let put = format!("{verb} INTO {table} ({columns}) VALUES ({places})");
    if connection.prepare_cached(&put)?.execute(values)? == 0 {
        return Ok(None);
    }
    let number = connection.last_insert_rowid();
    renew(connection, of, ("id = ?1", &[&number]))?;
    Ok(Some(number))
}

/// Changes columns of the rows that `which` says, a condition. `verb` is `UPDATE` or one of its kind. A row
/// that is not what was written stays one that is not.
pub(super) fn change(
    connection: &Connection,
    (verb, of): (&str, &Summed),
    changes: &[(&str, &str)],
    (which, values): (&str, &[&dyn ToSql]),
) -> Result<(), Error> {
    let (table, sets) = (of.table, changed(of, changes));
    connection
        .prepare_cached(&format!("{verb} {table} SET {sets} WHERE {which}"))?
        .execute(values)?;
    Ok(())
}

/// What follows `SET` where columns of a row change, and its checksum with them.
pub(super) fn changed(of: &Summed, changes: &[(&str, &str)]) -> String {
    let was = of.columns.join(", ");
    let is =
        |own: &&'static str| changes.iter().find(|(column, _)| column == own).map_or(*own, |c| c.1);
    let is = of.columns.iter().map(is).collect::<Vec<_>>().join(", ");
    let sets: Vec<String> = changes.iter().map(|(column, to)| format!("{column} = {to}")).collect();
    let sets = sets.join(", ");
    format!("{sets}, sum = CASE WHEN sum IS row_sum({was}) THEN row_sum({is}) ELSE sum END")
}

/// Makes the checksums of the rows that `which` says, a condition, from what they hold now.
pub(super) fn renew(
    connection: &Connection,
    of: &Summed,
    (which, values): (&str, &[&dyn ToSql]),
) -> Result<(), Error> {
    let (table, columns) = (of.table, of.columns.join(", "));
    connection
        .prepare_cached(&format!("UPDATE {table} SET sum = row_sum({columns}) WHERE {which}"))?
        .execute(values)?;
    Ok(())
}

/// Gives the rows of an earlier version their checksums.
pub(super) fn begin(connection: &Connection) -> Result<(), Error> {
    ALL.iter()
        .filter(|of| of.from_the_first)
        .try_for_each(|of| renew(connection, of, ("true", &[])))
}

/// Hands on which rows are not what was written, and returns how many have no checksum though
/// all is well: those of a store, or of values, from before there were any.
pub(super) fn prove(
    connection: &Connection,
    of: &Summed,
    mut broken: impl FnMut(String),
) -> Result<u64, StoreError> {
    let table = of.table;
    if !has_column(connection, table, "sum")? {
        let count = connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))?;
        return Ok(u64::try_from(count).unwrap_or(0));
    }
    let (key, columns) = (of.key.join(", "), of.columns.join(", "));
    let mut all = connection.prepare(&format!("SELECT {columns}, sum, {key} FROM {table}"))?;
    let mut rows = all.query([])?;
    let (count, mut unproven) = (of.columns.len(), 0);
    while let Some(row) = rows.next()? {
        let own = (0..count).map(|n| row.get_ref(n)).collect::<Result<Vec<_>, _>>()?;
        match row.get::<_, Option<i64>>(count)? {
            Some(said) if said == sum(own.into_iter()) => {}
            None if !of.from_the_first => unproven += 1,
            _ => broken(format!("{}: its checksum is wrong", named(of, row)?)),
        }
    }
    Ok(unproven)
}

/// A row by its key, which stands behind columns and checksum.
fn named(of: &Summed, row: &Row<'_>) -> Result<String, Error> {
    let mut name = format!("{} of", of.table);
    for (n, column) in of.key.iter().enumerate() {
        let value = match row.get_ref(of.columns.len() + 1 + n)? {
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            _ => "?".to_owned(),
        };
        name.push_str(if n == 0 { " " } else { ", " });
        name.extend([column, " ", &value]);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::super::schema::open_to_write;
    use super::*;

    #[test]
    fn a_checksum_is_over_every_column_of_every_table() {
        let folder = tempfile::tempdir().unwrap();
        let held = open_to_write(folder.path()).unwrap();
        let names = |sql: &str| {
            let mut said = held.connection.prepare(sql).unwrap();
            let rows = said.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<Vec<String>, _>>().unwrap()
        };
        let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
        let mut known: Vec<_> = ALL.iter().map(|of| of.table).collect();
        known.sort_unstable();
        assert_eq!(tables, known);
        for of in ALL {
            let mut columns = names(&format!("SELECT name FROM pragma_table_info('{}')", of.table));
            assert!(columns.contains(&"sum".to_owned()), "{}", of.table);
            columns.retain(|name| name != "sum");
            // Numbers of rows to which no other refers, and whose order the database knows.
            columns.retain(|name| name != "id" || !matches!(of.table, "chunk" | "alarm"));
            assert_eq!(columns, of.columns, "{}", of.table);
        }
    }

    #[test]
    fn the_checksum_of_a_row_never_becomes_another_one() {
        use ValueRef::{Blob, Integer, Null, Real, Text};
        let row = [Null, Integer(-2), Real(0.5), Text(b"HB03"), Blob(&[0, 255])];
        assert_eq!(sum(row.into_iter()), 1_428_836_153);
        assert_ne!(
            sum([Text(b"ab"), Text(b"c")].into_iter()),
            sum([Text(b"a"), Text(b"bc")].into_iter())
        );
        assert_ne!(sum([Text(b"a")].into_iter()), sum([Blob(b"a")].into_iter()));
    }
}
