//! Contracts in the store: what a province was while somebody watched it.
//!
//! A contract is kept as the texts it was read from, and read again from them: old windows are
//! judged by the contract of their time. A second hash says what the texts gave, so that a program
//! that makes something else of them says so instead of judging by it.

use std::fmt::Write as _;
use std::sync::Arc;

use config::{Origin, Problems, Province};
use rusqlite::{Connection, OptionalExtension, ToSql};
use sha2::{Digest, Sha256};

use super::cells;
use super::schema::{StoreError, has_column};
use super::sums::{self, Verb};

/// How much less often a contract may be read than it says, milliseconds.
const SLOWED_MS: std::ops::RangeInclusive<i64> = 100..=86_400_000;

/// SHA-256 of the texts of a contract, hexadecimal: what reports name it by.
pub fn hash(origin: &Origin) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    match origin {
        Origin::Fleet(stations) => add(&format!("fleet {stations}")),
        // Where the files lay says nothing.
        Origin::Texts { text, templates, .. } => {
            add(text);
            for (_, text) in templates {
                add(text);
            }
        }
    }
    hexadecimal(&digest.finalize())
}

/// What a contract stands in the store by: its hash, or one of that and of how much less often it was read than it
/// says, milliseconds.
fn key(origin: &Origin, slowed_ms: Option<i64>) -> String {
    let own = hash(origin);
    match slowed_ms {
        None => own,
        Some(ms) => hexadecimal(&Sha256::digest(format!("{own} {ms}"))),
    }
}

/// SHA-256 of what judging depends on: every point of every station, and what each centre requires.
fn expanded(province: &Province) -> String {
    let mut digest = Sha256::new();
    for station in &province.stations {
        digest.update(station.id.as_bytes());
        for point in &station.points {
            digest.update(point.id.as_bytes());
            digest.update([0, u8::from(point.spec.kind.is_command())]);
        }
    }
    for (channel, centre) in
        province.channels.iter().map(|c| (c, &province.centres[c.centre.index()]))
    {
        digest.update(centre.id.as_bytes());
        for entry in &channel.entries {
            let standing = match entry.standing {
                config::Standing::Elsewhere => 0,
                config::Standing::Absent(_) => 1,
                config::Standing::Untested(_) => 2,
                config::Standing::Tested(_) => 3,
            };
            let excluded = u8::from(entry.excluded.is_some());
            digest.update([standing, u8::from(entry.required), excluded]);
        }
    }
    hexadecimal(&digest.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Puts a contract into the store, unless it is there; returns its id.
pub(super) fn put(connection: &Connection, province: &Province) -> Result<i64, StoreError> {
    let slowed_ms = province.scan.slowed_ms();
    let hash = key(&province.origin, slowed_ms);
    let known = connection
        .query_row("SELECT id FROM contract WHERE hash = ?1", [&hash], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let (file, text, fleet, datalists) = match province.origin.as_ref() {
        Origin::Fleet(stations) => ("", "", i64::try_from(*stations).ok(), &[][..]),
        Origin::Texts { file, text, templates } => (&file[..], &text[..], None, &templates[..]),
    };
    let expanded = expanded(province);
    let row: [&dyn ToSql; 6] = [&hash, &expanded, &file, &text, &fleet, &slowed_ms];
    let id = sums::put_numbered(connection, (Verb::Insert, &sums::CONTRACT), &row)?;
    let id = id.unwrap_or_default();
    for (place, (file, text)) in datalists.iter().enumerate() {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let row: [&dyn ToSql; 4] = [&id, &place, file, text];
        sums::put(connection, (Verb::Insert, &sums::DATALIST, ""), &row)?;
    }
    Ok(id)
}

/// Reads a contract again.
pub(super) fn get(connection: &Connection, id: i64) -> Result<Arc<Province>, StoreError> {
    let slowed =
        if has_column(connection, "contract", "slowed_ms")? { "slowed_ms" } else { "NULL" };
    let mut one = connection.prepare_cached(&format!(
        "SELECT expanded, file, text, fleet, hash, {slowed} FROM contract WHERE id = ?1"
    ))?;
    let mut rows = one.query([id])?;
    let damaged = |why: &str| StoreError::Damaged(format!("contract {id}: {why}"));
    let row = rows.next()?.ok_or_else(|| damaged("there is none"))?;
    let said: String = cells::name(row, 0)?;
    let origin = if let Some(stations) = cells::of::<Option<i64>>(row, 3)? {
        Origin::Fleet(fleet(connection, (id, stations))?)
    } else {
        let mut of_contract = connection
            .prepare("SELECT file, text FROM datalist WHERE contract = ?1 ORDER BY place")?;
        let mut rows = of_contract.query([id])?;
        let mut templates = Vec::new();
        while let Some(row) = rows.next()? {
            templates.push((cells::name(row, 0)?, cells::of(row, 1)?));
        }
        Origin::Texts { file: cells::name(row, 1)?, text: cells::of(row, 2)?, templates }
    };
    let slowed_ms: Option<i64> = cells::of(row, 5)?;
    if slowed_ms.is_some_and(|ms| !SLOWED_MS.contains(&ms)) {
        return Err(damaged("nothing is read as rarely as it says"));
    }
    if key(&origin, slowed_ms) != cells::name(row, 4)? {
        return Err(damaged("its texts are not those that were written"));
    }
    let unreadable = |why: String| StoreError::Contract { id, why };
    let mut province =
        Province::from_origin(&origin).map_err(|problems| unreadable(first(&problems)))?;
    if let Some(ms) = slowed_ms {
        #[expect(clippy::cast_precision_loss, reason = "at most a day")]
        let seconds = ms as f64 / 1e3;
        province.scan = province.scan.at_least(seconds);
    }
    if expanded(&province) != said {
        return Err(unreadable("its texts give other points than when they were recorded".into()));
    }
    Ok(Arc::new(province))
}

/// The first of some problems, and how many more there are.
fn first(problems: &Problems) -> String {
    let more = problems.0.len().saturating_sub(1);
    let first = problems.0.first().map_or_else(String::new, ToString::to_string);
    if more > 0 { format!("{first}, and {more} more problems") } else { first }
}

/// How many stations a fleet has: no more than the store has paths for. Each takes some 100 KB of memory.
fn fleet(connection: &Connection, (id, stations): (i64, i64)) -> Result<usize, StoreError> {
    let known: i64 =
        connection.query_row("SELECT count(DISTINCT station) FROM path", [], |row| row.get(0))?;
    let count = usize::try_from(stations).ok().filter(|_| stations <= known);
    count.ok_or_else(|| {
        StoreError::Damaged(format!("contract {id}: a fleet of more stations than {known}"))
    })
}
