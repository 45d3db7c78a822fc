//! Values in the store: chunks as they were sealed, and reading a point out of them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use config::{ChannelId, Decoded, Encoding, Flags, PointId, Province, Station, Zone};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction, params};
use signal::clock::Timestamp;
use signal::layout::Part;

use super::cells;
use super::kept;
use super::reader::{Reader, Session};
use super::recent::Held;
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};
use crate::series::chunk::{Choices, Chunk, ChunkError, ColumnValues, RawType, decoded, flags};
use crate::series::{Sealed, later};

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

/// The word for a part of a point.
fn word(part: Part) -> &'static str {
    match part {
        Part::Value => "value",
        Part::Quality => "quality",
    }
}

/// A chunk that this session has put into the store.
#[derive(Debug, Clone, Copy)]
struct Kept {
    id: i64,
    from: Timestamp,
    rows: usize,
}

/// The newest chunks of a block that this session has put into the store, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    kept: Vec<Kept>,
    /// The first one may have rows that are there: a monitor that goes on with a store which was taken away has rows
    /// open that were made chunks of when it was opened again.
    resumes: bool,
}

impl Tail {
    /// Chunks that may still be joined with later ones: five of each of four ranks, and some.
    const MOST: usize = 24;

    /// None yet, of a writer that goes on with a store, or does not.
    pub(super) fn of(resumes: bool) -> Self {
        Self { resumes, ..Self::default() }
    }

    /// Puts a chunk into the store; where it was joined with ones that are there, in place of all these.
    pub(super) fn put(
        &mut self,
        transaction: &Transaction<'_>,
        province: &Province,
        (path, epoch): (i64, i64),
        sealed: &Sealed,
    ) -> Result<(), StoreError> {
        let columns = (sealed.channel, &sealed.columns[..]);
        let block = block(transaction, province, path, columns)?;
        let rest;
        let mut chunk = &sealed.chunk;
        if self.resumes && self.kept.is_empty() {
            let Some(own) = rest_of(transaction, (block, epoch), chunk)? else { return Ok(()) };
            rest = own;
            chunk = &rest;
        }
        if let Some(joined) = &sealed.joined
            && let Some(first) = self.kept.len().checked_sub(joined.with)
        {
            let own: usize = self.kept[first..].iter().map(|kept| kept.rows).sum();
            let begins = self.kept.get(first).map(|kept| kept.from);
            // Something of it may never have got here.
            if begins == Some(joined.chunk.span().0)
                && own + sealed.chunk.rows() == joined.chunk.rows()
            {
                for kept in self.kept.drain(first..) {
                    transaction
                        .prepare_cached(
                            "DELETE FROM chunk WHERE id = ?1 AND block = ?2 AND from_ms = ?3",
                        )?
                        .execute(params![kept.id, block, kept.from.0])?;
                }
                chunk = &joined.chunk;
            }
        }
        let ((from, until), rows) = (chunk.span(), chunk.rows());
        let count = i64::try_from(rows).unwrap_or(i64::MAX);
        let bytes = chunk.bytes().as_ref();
        let row: [&dyn ToSql; 6] = [&block, &from.0, &until.0, &count, &bytes, &epoch];
        sums::put(transaction, (Verb::Insert, &sums::CHUNK, ""), &row)?;
        if self.kept.len() == Self::MOST {
            self.kept.remove(0);
        }
        self.kept.push(Kept { id: transaction.last_insert_rowid(), from, rows });
        Ok(())
    }
}

/// The rows of a chunk that are later than all that a block has since the clock last jumped; `None`: there are none.
fn rest_of(
    transaction: &Transaction<'_>,
    of: (i64, i64),
    chunk: &Chunk,
) -> Result<Option<Chunk>, StoreError> {
    let newest: Option<i64> = transaction
        .prepare_cached("SELECT max(until_ms) FROM chunk WHERE block = ?1 AND epoch = ?2")?
        .query_row(of, |row| row.get(0))?;
    match newest.map(Timestamp).filter(|newest| chunk.span().0 <= *newest) {
        Some(newest) => later(chunk, newest, &mut Choices::default())
            .map_err(|error| StoreError::Damaged(format!("values: {error}"))),
        None => Ok(Some(chunk.clone())),
    }
}

/// The block that has these columns.
pub(super) fn block(
    transaction: &Transaction<'_>,
    province: &Province,
    path: i64,
    (channel, columns): (ChannelId, &[(PointId, Part)]),
) -> Result<i64, StoreError> {
    let station = &province.stations[province.channels[channel.index()].station.index()];
    let columns = described(station, columns);
    sums::put_numbered(transaction, (Verb::OrIgnore, &sums::LAYOUT), &[&columns])?;
    let layout: i64 = transaction
        .prepare_cached("SELECT id FROM layout WHERE columns = ?1")?
        .query_row([&columns], |row| row.get(0))?;
    sums::put_numbered(transaction, (Verb::OrIgnore, &sums::BLOCK), &[&path, &layout])?;
    Ok(transaction
        .prepare_cached("SELECT id FROM block WHERE path = ?1 AND layout = ?2")?
        .query_row([path, layout], |row| row.get(0))?)
}

/// Columns as the store describes them, a line each.
pub(super) fn described(station: &Station, columns: &[(PointId, Part)]) -> String {
    columns.iter().fold(String::new(), |mut text, (point, part)| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {}", station.points[point.index()].local_id(), word(*part));
        text
    })
}

/// Where a point stands in the rows of a block.
#[derive(Debug, Clone, Copy)]
struct Place {
    value: usize,
    quality: Option<usize>,
}

impl Place {
    /// `column` says where a part of the point stands.
    fn of(column: impl Fn(Part) -> Option<usize>) -> Option<Self> {
        Some(Self { value: column(Part::Value)?, quality: column(Part::Quality) })
    }
}

/// Rows of a block come no more often than it is scanned, which is every 100 ms at most (config/src/read.rs). A store that
/// has them more densely was made to take memory; this many may have come late, all at once.
const AT_ONCE_MAX: i64 = 32_768;
const SCAN_MIN_MS: i64 = 100;

/// How densely the chunks of a block come, one after the other.
#[derive(Default)]
pub(super) struct Pace {
    until: Option<Timestamp>,
    /// Milliseconds that the rows so far took beyond the time they are from.
    behind_ms: i64,
}

impl Pace {
    /// The next chunk, from when to when it is, and its rows.
    ///
    /// # Errors
    /// When these rows cannot have come in that time.
    pub(super) fn take(
        &mut self,
        (from, until): (Timestamp, Timestamp),
        rows: usize,
    ) -> Result<(), StoreError> {
        let last = self.until.unwrap_or(from);
        self.behind_ms = self.behind_ms.saturating_sub(until.since(last).max(0)).max(0);
        self.until = Some(last.max(until));
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.behind_ms = self.behind_ms.saturating_add(rows.saturating_mul(SCAN_MIN_MS));
        if self.behind_ms > AT_ONCE_MAX * SCAN_MIN_MS {
            let at = from.to_millisecond();
            return Err(StoreError::Damaged(format!(
                "values: more rows up to {at} than a device can be asked for"
            )));
        }
        Ok(())
    }
}

impl Reader {
    /// How often some points of a path, by their ids within the station, were read on each day since 1970-01-01 in a zone,
    /// counted by chunks: those of a span, and perhaps a chunk more at either end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn readings_by_day(
        &self,
        path: (&str, &str),
        points: &BTreeSet<&str>,
        (from, to): (Timestamp, Timestamp),
        zone: Zone,
    ) -> Result<BTreeMap<i64, u64>, StoreError> {
        let mut by_day = BTreeMap::new();
        for (block, places) in &self.blocks(path)?.all {
            let own = places.iter().filter(|(local, _)| points.contains(&local[..])).count();
            if own == 0 {
                continue;
            }
            let mut of_block = self.connection().prepare_cached(
                "SELECT until_ms, rows FROM chunk
                 WHERE block = ?1 AND until_ms >= ?2 AND from_ms < ?3",
            )?;
            let mut rows = of_block.query(params![block, from.0, to.0])?;
            while let Some(row) = rows.next()? {
                let count = cells::count(row, 1)?.saturating_mul(own as u64);
                let day = Timestamp(row.get(0)?).local_day(zone);
                let day: &mut u64 = by_day.entry(day).or_default();
                *day = day.saturating_add(count);
            }
        }
        Ok(by_day)
    }

    /// Hands on the values of a point at a centre from `from` up to `to`, in the order of time, until `each`
    /// says that it is enough. How they are encoded is what the contract of their time says.
    ///
    /// # Errors
    /// When the store cannot be read, a chunk is damaged, or what `each` says.
    pub fn values<E: From<StoreError>>(
        &self,
        path: (&str, &str, &str),
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let from = self.kept_since(kept::Kept::Values, from)?;
        self.values_but((path, (from, to)), |_, _| false, &mut each)
    }

    /// The same, with those that are no longer told, as far as they are there; but of a stretch of rows that
    /// `skips` only the first and the last, undecoded. `skips` is told from when to when the stretch is, and
    /// the lowest and highest value in it; only stretches in which every row has a real value, all of the
    /// same quality, are asked about.
    ///
    /// # Errors
    /// When the store cannot be read, a chunk is damaged, or what `each` says.
    pub fn values_but<E: From<StoreError>>(
        &self,
        (path, (from, to)): ((&str, &str, &str), (Timestamp, Timestamp)),
        skips: impl Fn((Timestamp, Timestamp), (f64, f64)) -> bool,
        each: &mut impl FnMut(Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let damaged =
            |error: ChunkError| StoreError::Damaged(format!("values of {}: {error}", path.2));
        let blocks = self.blocks((path.0, path.1))?;
        let local = path.2.split_once('.').map_or(path.2, |(_, local)| local);
        let places = blocks.of_point.get(local).map(Vec::as_slice).unwrap_or_default();
        // Another contract may have read the point in another block: one after the other, all blocks together
        // are in the order of time.
        let pieces = self.pieces()?;
        let newest_epoch = pieces.iter().map(|(_, epoch)| *epoch).max();
        let has_chunks =
            |reign: &Reign| reign.epoch.is_none_or(|epoch| blocks.epochs.contains(&epoch));
        for reign in self.reigns()?.iter().filter(|own| own.is_last_of_contract || has_chunks(own))
        {
            let read = OnceCell::new();
            let mut hand_on = |held: &Held, place: &Place| {
                // A contract of which there is nothing need not be known.
                if read.get().is_none() {
                    let province = self.contract(reign.contract)?.province;
                    let _ = read.set(encoding(&province, path));
                }
                let Some(Some(read)) = read.get() else { return Ok(()) };
                let ends = ends(held.chunk(), place, read).map_err(damaged)?;
                let ends = ends.filter(|(ends, range)| {
                    let (first, last) = (ends[0].at, ends[1].at);
                    first >= from
                        && last < to
                        && reign.has(first)
                        && reign.has(last)
                        && skips((first, last), *range)
                });
                let values = match ends {
                    Some((ends, _)) => ends.to_vec(),
                    None => values(held, place, read).map_err(damaged)?,
                };
                for value in values {
                    if value.at >= from && value.at < to && reign.has(value.at) {
                        each(value)?;
                    }
                }
                Ok(())
            };
            for (block, place) in places.iter().filter(|_| has_chunks(reign)) {
                self.chunks::<E>(*block, reign, (from, to), |held| hand_on(held, place))?;
            }
            // What is not sealed is of the epoch that is being written.
            if reign.is_last_of_contract && reign.epoch.is_none_or(|own| Some(own) == newest_epoch)
            {
                for (chunk, place) in self.unsealed(reign.contract, path)? {
                    hand_on(&Held::of(chunk.clone()), &place)?;
                }
            }
        }
        Ok(())
    }

    /// The last value of each point of a channel of a contract up to `at`, by place in the contract; `None`
    /// where none came that is a number.
    ///
    /// # Errors
    /// When the store cannot be read, or a chunk is damaged.
    pub fn latest(
        &self,
        contract: i64,
        channel: ChannelId,
        at: Timestamp,
    ) -> Result<Vec<Option<Value>>, StoreError> {
        let damaged = |error: ChunkError| StoreError::Damaged(format!("values: {error}"));
        let province = self.contract(contract)?.province;
        let own = &province.channels[channel.index()];
        let station = &province.stations[own.station.index()];
        let centre = &province.centres[own.centre.index()].id;
        let points: HashMap<&str, usize> =
            station.points.iter().enumerate().map(|(n, point)| (point.local_id(), n)).collect();
        let mut latest: Vec<Option<Value>> = vec![None; station.points.len()];
        if self.kept_since(kept::Kept::Values, at)? > at {
            return Ok(latest);
        }
        let mut look = |held: &Held, n: usize, place: &Place| {
            let Some(read) = own.entries[n].encoding().map(Encoded::of) else { return Ok(()) };
            let is_later = |value: &Value| {
                value.at <= at
                    && matches!(value.value, Decoded::Value(_))
                    && latest[n].is_none_or(|other| other.at <= value.at)
            };
            if let Some(value) = values(held, place, &read)?.into_iter().rev().find(is_later) {
                latest[n] = Some(value);
            }
            Ok(())
        };
        let watched = |(piece, epoch): &(Session, i64)| (piece.from <= at).then_some(*epoch);
        let epoch = self.pieces()?.iter().rev().find_map(watched);
        let own_first = match epoch.filter(|epoch| *epoch > 0) {
            Some(epoch) => format!("epoch = {epoch} DESC,"),
            None => String::new(),
        };
        for (block, places) in &self.blocks((&station.id, centre))?.all {
            let newest = self
                .connection()
                .prepare_cached(&format!(
                    "SELECT data FROM chunk WHERE block = ?1 AND from_ms <= ?2
                     ORDER BY {own_first} from_ms DESC, id DESC LIMIT 1"
                ))?
                .query_row(params![block, at.0], |row| Ok(chunk(row)))
                .optional()?;
            let Some(chunk) = newest.transpose()? else { continue };
            let held = Held::of(chunk);
            for (local, place) in places {
                if let Some(n) = points.get(&local[..]) {
                    look(&held, *n, place).map_err(damaged)?;
                }
            }
        }
        let unsealed = self.journal()?.get(&contract).map(Vec::as_slice).unwrap_or_default();
        for sealed in unsealed.iter().filter(|sealed| sealed.channel == channel) {
            let held = Held::of(sealed.chunk.clone());
            for (place, (point, part)) in sealed.columns.iter().enumerate() {
                if *part == Part::Value {
                    let quality = (*point, Part::Quality);
                    let quality = sealed.columns.iter().position(|column| *column == quality);
                    let place = Place { value: place, quality };
                    look(&held, point.index(), &place).map_err(damaged)?;
                }
            }
        }
        Ok(latest)
    }

    fn reigns(&self) -> Result<&[Reign], StoreError> {
        if let Some(known) = self.known_reigns().get() {
            return Ok(known);
        }
        let reigns = reigns(self.pieces()?);
        Ok(self.known_reigns().get_or_init(|| reigns))
    }

    /// The blocks of a path. Those of the last station that was asked for are kept, since its points are asked for one
    /// after the other, of one centre and of another.
    fn blocks(&self, (station, centre): (&str, &str)) -> Result<Rc<Blocks>, StoreError> {
        let mut last = self.last_blocks().borrow_mut();
        if last.station != station {
            *last = OfStation { station: station.to_owned(), by_centre: BTreeMap::new() };
        }
        if let Some(blocks) = last.by_centre.get(centre) {
            return Ok(Rc::clone(blocks));
        }
        let blocks = Rc::new(Blocks::of(self.connection(), (station, centre))?);
        last.by_centre.insert(centre.to_owned(), Rc::clone(&blocks));
        Ok(blocks)
    }

    /// Chunks of a point's values in the journal, which are in no chunk of the store.
    fn unsealed(
        &self,
        contract: i64,
        (station, centre, point): (&str, &str, &str),
    ) -> Result<Vec<(&Chunk, Place)>, StoreError> {
        let Some(unsealed) = self.journal()?.get(&contract) else { return Ok(Vec::new()) };
        let province = self.contract(contract)?.province;
        let place = |sealed: &Sealed| {
            let channel = &province.channels[sealed.channel.index()];
            let of = &province.stations[channel.station.index()];
            let is_path = of.id == station && province.centres[channel.centre.index()].id == centre;
            let point = of.point(point).filter(|_| is_path)?;
            Place::of(|part| sealed.columns.iter().position(|column| *column == (point, part)))
        };
        let of_point = unsealed.iter().filter_map(|sealed| Some((&sealed.chunk, place(sealed)?)));
        Ok(of_point.collect())
    }

    /// Hands on the chunks of a block and a contract that may have rows from `from` up to `to`, in the order
    /// of time.
    fn chunks<E: From<StoreError>>(
        &self,
        block: i64,
        reign: &Reign,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(&Held) -> Result<(), E>,
    ) -> Result<(), E> {
        // A chunk is of the contract in which it ends: it may begin some seconds before its session, when
        // nobody was asked everything yet. Chunks of a block do not overlap, so that of those that begin too
        // early only the last may reach in; those of another epoch may.
        let (first, last) = (from.max(reign.from), to.min(reign.to));
        if reign.chunks_end_by <= first {
            return Ok(());
        }
        let of_epoch = if reign.epoch.is_some() { "AND epoch = ?5" } else { "AND ?5 IS NULL" };
        let mut of_block = self
            .connection()
            .prepare_cached(&format!(
                "SELECT id, rows FROM chunk WHERE block = ?1 AND until_ms >= ?2 AND until_ms < ?3
                     AND from_ms < ?4 {of_epoch} AND from_ms >= coalesce((
                         SELECT max(from_ms) FROM chunk
                         WHERE block = ?1 AND from_ms <= ?2 {of_epoch}), ?2)
                 ORDER BY from_ms, id"
            ))
            .map_err(StoreError::from)?;
        let span = params![block, first.0, reign.chunks_end_by.0, last.0, reign.epoch];
        let mut rows = of_block.query(span).map_err(StoreError::from)?;
        let mut pace = Pace::default();
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let held = self.held(row.get(0).map_err(StoreError::from)?)?;
            let chunk = held.chunk();
            if chunk.rows() as u64 != cells::count(row, 1)? {
                let said = "values: a chunk has not as many rows as its row says".to_owned();
                return Err(StoreError::Damaged(said).into());
            }
            pace.take(chunk.span(), chunk.rows())?;
            each(&held)?;
        }
        Ok(())
    }

    /// A chunk by its number.
    fn held(&self, id: i64) -> Result<Rc<Held>, StoreError> {
        if let Some(held) = self.recent().borrow().get(id) {
            return Ok(held);
        }
        let mut of_id = self.connection().prepare_cached("SELECT data FROM chunk WHERE id = ?1")?;
        let chunk = of_id.query_row([id], |row| Ok(chunk(row)))??;
        let held = Rc::new(Held::of(chunk));
        self.recent().borrow_mut().keep(id, &held);
        Ok(held)
    }
}

fn chunk(row: &Row<'_>) -> Result<Chunk, StoreError> {
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let chunk = Chunk::from_bytes(Arc::from(bytes));
    chunk.map_err(|error| StoreError::Damaged(format!("values: {error}")))
}

/// How long a contract held.
pub(super) struct Reign {
    contract: i64,
    from: Timestamp,
    to: Timestamp,
    /// Its chunks end before this.
    chunks_end_by: Timestamp,
    /// It did not come to hold again later.
    is_last_of_contract: bool,
    /// Only what was written in this epoch, and lies within: the clock has jumped.
    epoch: Option<i64>,
}

impl Reign {
    /// Whether a value of a chunk belongs to it.
    fn has(&self, at: Timestamp) -> bool {
        self.epoch.is_none() || (self.from <= at && at < self.to)
    }
}

/// The contracts one after the other; the first also held before, and the last holds for ever. Where the
/// clock has jumped, another one begins with each epoch, since chunks of different epochs may overlap.
fn reigns(sessions: &[(Session, i64)]) -> Vec<Reign> {
    let mut reigns: Vec<Reign> = Vec::new();
    let is_one = sessions.iter().all(|(_, epoch)| *epoch == 0);
    for (session, epoch) in sessions {
        let Session { contract, from, .. } = *session;
        let epoch = (!is_one).then_some(*epoch);
        match reigns.last_mut() {
            Some(last) if last.contract == contract && last.epoch == epoch => continue,
            Some(last) => last.to = from,
            None => {}
        }
        let from = if reigns.is_empty() { Timestamp(i64::MIN) } else { from };
        let (to, is_last_of_contract) = (Timestamp(i64::MAX), true);
        let chunks_end_by = to;
        reigns.push(Reign { contract, from, to, chunks_end_by, is_last_of_contract, epoch });
    }
    // From the last one back: the next of each epoch, and contracts that come to hold again.
    let mut next_of: HashMap<Option<i64>, (i64, Timestamp, Timestamp)> = HashMap::new();
    let mut later: HashSet<(i64, Option<i64>)> = HashSet::new();
    for own in reigns.iter_mut().rev() {
        own.is_last_of_contract = later.insert((own.contract, own.epoch));
        // A chunk goes on where a later epoch has a part of its time.
        own.chunks_end_by = match next_of.get(&own.epoch) {
            None => Timestamp(i64::MAX),
            Some((contract, from, _)) if *contract != own.contract => *from,
            Some((_, _, end_by)) => *end_by,
        };
        next_of.insert(own.epoch, (own.contract, own.from, own.chunks_end_by));
    }
    reigns
}

/// How a value is read: its type and what a count is worth, and whether its quality is one bit.
struct Encoded {
    raw_type: RawType,
    scale: f64,
    quality_is_bit: bool,
}

impl Encoded {
    fn of(encoding: Encoding) -> Self {
        let (raw_type, scale) = (RawType::of(encoding), encoding.scale());
        Self { raw_type, scale, quality_is_bit: encoding.is_bits() }
    }

    fn decoded(&self, raw: u64) -> Decoded {
        decoded(self.raw_type, self.scale, raw)
    }

    /// What a quality says.
    fn flags(&self, raw: u64) -> Flags {
        flags(self.quality_is_bit, raw)
    }
}

fn encoding(province: &Province, (station, centre, point): (&str, &str, &str)) -> Option<Encoded> {
    let (station, centre) = (province.site(station)?, province.centre(centre)?);
    let point = province.stations[station.index()].point(point)?;
    province.channel(station, centre).entries[point.index()].encoding().map(Encoded::of)
}

/// Most columns of all blocks of a path together: of a station of a thousand points, each with its quality, as many
/// as five hundred contracts bring that lay all of them otherwise.
const COLUMNS_MAX: usize = 1_000_000;

/// There are no more columns of a path than can be read.
pub(super) fn bounded(columns: usize) -> Result<(), StoreError> {
    cells::at_most(columns, COLUMNS_MAX, "columns of values of a path")
}

/// Where the points of a block stand, by their ids within the station.
type Places = Vec<(Arc<str>, Place)>;

/// The blocks of a station, by centre.
#[derive(Default)]
pub(super) struct OfStation {
    station: String,
    by_centre: BTreeMap<String, Rc<Blocks>>,
}

/// The blocks of a path of which there are values, and where in their rows each point stands.
#[derive(Default)]
pub(super) struct Blocks {
    /// In the order of their numbers.
    all: Vec<(i64, Places)>,
    of_point: HashMap<Arc<str>, Vec<(i64, Place)>>,
    /// Epochs in which their chunks were written.
    epochs: BTreeSet<i64>,
}

impl Blocks {
    fn of(connection: &Connection, (station, centre): (&str, &str)) -> Result<Self, StoreError> {
        let mut of_path = connection.prepare_cached(
            "SELECT block.id, columns FROM block JOIN layout ON layout.id = block.layout
             JOIN path ON path.id = block.path
             WHERE station = ?1 AND centre = ?2
                 AND EXISTS (SELECT 1 FROM chunk WHERE chunk.block = block.id)
             ORDER BY block.id",
        )?;
        let mut rows = of_path.query([station, centre])?;
        let (mut blocks, mut columns) = (Self::default(), 0);
        while let Some(row) = rows.next()? {
            let described = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            // One without any takes room, too.
            columns += described.lines().count().max(1);
            bounded(columns)?;
            blocks.add(row.get(0)?, described);
        }
        if has_table(connection, "clock_jump")? {
            let mut epochs = connection.prepare_cached(
                "SELECT DISTINCT epoch FROM chunk JOIN block ON block.id = chunk.block
                 JOIN path ON path.id = block.path WHERE station = ?1 AND centre = ?2",
            )?;
            let epochs = epochs.query_map([station, centre], |row| row.get(0))?;
            blocks.epochs = epochs.collect::<Result<_, _>>()?;
        }
        Ok(blocks)
    }

    fn add(&mut self, block: i64, described: &str) {
        let mut places: HashMap<(&str, Part), usize> = HashMap::new();
        for (column, line) in described.lines().enumerate() {
            let Some((local, part)) = line.split_once(' ') else { continue };
            let part = [Part::Value, Part::Quality].into_iter().find(|known| word(*known) == part);
            if let Some(part) = part {
                places.entry((local, part)).or_insert(column);
            }
        }
        let mut values: Vec<_> =
            places.keys().filter(|key| key.1 == Part::Value).copied().collect();
        values.sort_unstable_by_key(|key| places[key]);
        let mut own = Vec::with_capacity(values.len());
        for (local, _) in values {
            let Some(place) = Place::of(|part| places.get(&(local, part)).copied()) else {
                continue;
            };
            let local = self
                .of_point
                .get_key_value(local)
                .map_or_else(|| local.into(), |(n, _)| Arc::clone(n));
            self.of_point.entry(Arc::clone(&local)).or_default().push((block, place));
            own.push((local, place));
        }
        self.all.push((block, own));
    }
}

/// The first and the last value of a chunk, and the lowest and the highest.
type Ends = ([Value; 2], (f64, f64));

/// The first and the last value of a point in a chunk, and the lowest and the highest, undecoded. `None`
/// when a row has no real value, or qualities differ.
fn ends(chunk: &Chunk, place: &Place, read: &Encoded) -> Result<Option<Ends>, ChunkError> {
    let rows = u32::try_from(chunk.rows()).unwrap_or(u32::MAX);
    let of = |column: usize| -> Result<_, ChunkError> {
        let real = chunk.statistics(column)?.real;
        Ok(real.filter(|real| real.count == rows))
    };
    let quality = match place.quality {
        None => None,
        Some(column) => match of(column)?.filter(|real| real.min == real.max) {
            Some(real) => Some(real.first),
            None => return Ok(None),
        },
    };
    let Some(real) = of(place.value)? else { return Ok(None) };
    let number = |raw: u64| match read.decoded(raw) {
        Decoded::Value(value) => Some(value),
        _ => None,
    };
    let Some(range) = number(real.min).zip(number(real.max)) else { return Ok(None) };
    let (first, last) = chunk.span();
    let flags = quality.map(|raw| read.flags(raw));
    let end = |at, raw| Value { at, value: read.decoded(raw), flags };
    Ok(Some(([end(first, real.first), end(last, real.last)], range)))
}

/// The values of a point in a chunk.
fn values(held: &Held, place: &Place, read: &Encoded) -> Result<Vec<Value>, ChunkError> {
    let (chunk, times) = (held.chunk(), held.times()?);
    let column = chunk.column(place.value)?;
    let quality = place.quality.map(|n| chunk.column(n)).transpose()?;
    let mut said = quality.iter().flat_map(ColumnValues::rows).peekable();
    let mut values = Vec::with_capacity(times.len());
    for (row, raw) in column.rows() {
        while said.peek().is_some_and(|(other, _)| *other < row) {
            said.next();
        }
        let Some(at) = times.get(row as usize).copied() else { continue };
        let flags = said.peek().filter(|(other, _)| *other == row).map(|(_, raw)| *raw);
        let flags = flags.map(|raw| read.flags(raw));
        values.push(Value { at, value: read.decoded(raw), flags });
    }
    Ok(values)
}
