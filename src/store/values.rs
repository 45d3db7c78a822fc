//! Values in the store: chunks as they were sealed, and reading a point out of them.

use std::fmt::Write as _;
use std::sync::Arc;

use config::{Decoded, Flags, Province};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::reader::Reader;
use super::schema::StoreError;
use crate::clock::Timestamp;
use crate::collector::plan::Part;
use crate::series::Sealed;
use crate::series::chunk::{Chunk, Column, decoded};

/// A value of a point as it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// When its reply came.
    pub at: Timestamp,
    /// What it was.
    pub value: Decoded,
    /// What the device said of it; `None` when that did not come with the same reply.
    pub flags: Option<Flags>,
}

/// The words of the two parts of a point.
const VALUE: &str = "value";
const QUALITY: &str = "quality";

/// Puts a chunk into the store.
pub(super) fn put(
    transaction: &Transaction<'_>,
    province: &Province,
    path: i64,
    sealed: &Sealed,
) -> Result<(), StoreError> {
    let block = block(transaction, province, path, sealed)?;
    let (from, until) = sealed.chunk.span();
    let rows = i64::try_from(sealed.chunk.rows()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT INTO chunk (block, from_ms, until_ms, rows, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![block, from.0, until.0, rows, sealed.chunk.bytes().as_ref()])?;
    Ok(())
}

/// The block that a chunk is of.
fn block(
    transaction: &Transaction<'_>,
    province: &Province,
    path: i64,
    sealed: &Sealed,
) -> Result<i64, StoreError> {
    let station = &province.stations[province.channels[sealed.channel.index()].station.index()];
    let columns = sealed.columns.iter().fold(String::new(), |mut text, (point, part)| {
        let part = match part {
            Part::Value => VALUE,
            Part::Quality => QUALITY,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {part}", station.points[point.index()].local_id());
        text
    });
    transaction
        .prepare_cached("INSERT OR IGNORE INTO layout (columns) VALUES (?1)")?
        .execute([&columns])?;
    let layout: i64 = transaction
        .prepare_cached("SELECT id FROM layout WHERE columns = ?1")?
        .query_row([&columns], |row| row.get(0))?;
    transaction
        .prepare_cached("INSERT OR IGNORE INTO block (path, layout) VALUES (?1, ?2)")?
        .execute([path, layout])?;
    Ok(transaction
        .prepare_cached("SELECT id FROM block WHERE path = ?1 AND layout = ?2")?
        .query_row([path, layout], |row| row.get(0))?)
}

/// Where a point stands in the rows of a block.
struct Place {
    block: i64,
    value: usize,
    quality: Option<usize>,
}

impl Reader {
    /// Hands on the values of a point at a centre from `from` up to `to`, block by block in the order of
    /// time. How they are encoded is what the contract of their time says.
    ///
    /// # Errors
    /// When the store cannot be read, or a chunk is damaged.
    pub fn values(
        &self,
        (station, centre, point): (&str, &str, &str),
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Value),
    ) -> Result<(), StoreError> {
        let sessions = self.sessions()?;
        let contract_at = |at: Timestamp| {
            let n = sessions.partition_point(|session| session.from <= at);
            // A chunk may begin some seconds before its session: nobody was asked everything yet.
            sessions.get(n.saturating_sub(1)).map(|session| session.contract)
        };
        let mut rows = self.connection().prepare_cached(
            "SELECT data FROM chunk WHERE block = ?1 AND until_ms >= ?2 AND from_ms < ?3
             ORDER BY from_ms, id",
        )?;
        for place in places(self.connection(), (station, centre, point))? {
            let mut chunks = rows.query(params![place.block, from.0, to.0])?;
            while let Some(row) = chunks.next()? {
                let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                let damaged = |error: crate::series::chunk::ChunkError| {
                    StoreError::Damaged(format!("values of {point}: {error}"))
                };
                let chunk = Chunk::from_bytes(Arc::from(bytes)).map_err(damaged)?;
                let Some(contract) = contract_at(chunk.span().0) else { continue };
                let province = self.contract(contract)?.province;
                let Some(read) = encoding(&province, (station, centre, point)) else { continue };
                values(&chunk, &place, &read, (from, to), &mut each).map_err(damaged)?;
            }
        }
        Ok(())
    }
}

/// How a value is read: its encoding, and whether its quality is one bit.
struct Encoded {
    encoding: config::Encoding,
    quality_is_bit: bool,
}

fn encoding(province: &Province, (station, centre, point): (&str, &str, &str)) -> Option<Encoded> {
    let (station, centre) = (province.station(station)?, province.centre(centre)?);
    let point = province.stations[station.index()].point(point)?;
    let register = province.channel(station, centre).entries[point.index()].register?;
    Some(Encoded { encoding: register.encoding, quality_is_bit: register.table.is_bits() })
}

fn places(
    connection: &Connection,
    (station, centre, point): (&str, &str, &str),
) -> Result<Vec<Place>, StoreError> {
    let path: Option<i64> = connection
        .prepare_cached("SELECT id FROM path WHERE station = ?1 AND centre = ?2")?
        .query_row([station, centre], |row| row.get(0))
        .optional()?;
    let Some(path) = path else { return Ok(Vec::new()) };
    let local = point.split_once('.').map_or(point, |(_, local)| local);
    let mut blocks = connection.prepare_cached(
        "SELECT block.id, columns FROM block JOIN layout ON layout.id = block.layout
         WHERE path = ?1 ORDER BY block.id",
    )?;
    let mut rows = blocks.query([path])?;
    let mut places = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let place = |part: &str| {
            columns.lines().position(|line| line.split_once(' ') == Some((local, part)))
        };
        if let Some(value) = place(VALUE) {
            places.push(Place { block: row.get(0)?, value, quality: place(QUALITY) });
        }
    }
    Ok(places)
}

fn values(
    chunk: &Chunk,
    place: &Place,
    read: &Encoded,
    (from, to): (Timestamp, Timestamp),
    each: &mut impl FnMut(Value),
) -> Result<(), crate::series::chunk::ChunkError> {
    let times = chunk.times()?;
    let column = chunk.column(place.value)?;
    let quality = place.quality.map(|n| chunk.column(n)).transpose()?;
    let mut said = quality.iter().flat_map(Column::rows).peekable();
    for (row, raw) in column.rows() {
        while said.peek().is_some_and(|(other, _)| *other < row) {
            said.next();
        }
        let Some(at) = times.get(row as usize).copied().filter(|at| (from..to).contains(at)) else {
            continue;
        };
        let flags = said.peek().filter(|(other, _)| *other == row).map(|(_, raw)| *raw);
        let flags = flags.map(|raw| match (read.quality_is_bit, raw) {
            (true, 0) => Flags::GOOD,
            (true, _) => Flags::INVALID,
            (false, raw) => Flags(u16::try_from(raw).unwrap_or(u16::MAX)),
        });
        each(Value { at, value: decoded(read.encoding, raw), flags });
    }
    Ok(())
}
