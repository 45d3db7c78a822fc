//! The journal: values that are in no chunk yet, as they came with each commit. Whoever reads a store
//! makes chunks of them for himself; who opens it to write, after a writer that ended without a word,
//! for good.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use collector::plan::{layouts, plans};
use config::{ChannelId, PointId, Province};
use rusqlite::{Connection, ToSql, Transaction};
use signal::clock::Timestamp;
use signal::layout::Part;

use super::batch::{Batch, JOURNAL_BYTES_MAX};
use super::contracts;
use super::epochs;
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};
use super::values::{Tail, described};
use super::writer::paths;
use crate::series::{Buffer, Sealed, fresh};

/// What all rows of a journal may unpack to, bytes: more than a writer ever leaves.
pub(super) const ROOM_BYTES: usize = 2 * JOURNAL_BYTES_MAX;
/// Memory for what is made of a journal. It is never longer than what a writer leaves open.
const BUDGET_BYTES: usize = 1 << 30;

/// Puts the values of a batch into the journal, and takes out those that are in chunks by now.
pub(super) fn put(
    transaction: &Transaction<'_>,
    contract: i64,
    batch: &Batch,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("DELETE FROM journal WHERE contract = ?1 AND until_ms < ?2")?
        .execute([contract, batch.open_from.0])?;
    if !batch.fresh.is_empty() && batch.open_from <= batch.until {
        let data = snap::raw::Encoder::new().compress_vec(&batch.fresh);
        let data = data.map_err(damaged)?;
        let row: [&dyn ToSql; 3] = [&batch.until.0, &contract, &data];
        sums::put(transaction, (Verb::OrReplace, &sums::JOURNAL, ""), &row)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: snap::Error) -> StoreError {
    StoreError::Damaged(format!("journal of values: {error}"))
}

/// Reads what stands in a row of the journal. `room` is what all rows may unpack to, and is
/// less by this one afterwards: some bytes may claim to be any number.
pub(super) fn read(data: &[u8], room: &mut usize) -> Result<Vec<u8>, StoreError> {
    let length = snap::raw::decompress_len(data).map_err(damaged)?;
    *room = room.checked_sub(length).ok_or_else(|| {
        let why = format!("journal of values: more than {} MB", ROOM_BYTES >> 20);
        StoreError::Damaged(why)
    })?;
    let bytes = snap::raw::Decoder::new().decompress_vec(data).map_err(damaged)?;
    if fresh::are_rows(&bytes) {
        Ok(bytes)
    } else {
        Err(StoreError::Damaged("journal of values: a row is none".to_owned()))
    }
}

/// Makes chunks of what a writer that ended without a word has left in the journal. Rows whose contract
/// this program cannot read stay for the one that can.
pub(super) fn recover(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let mut room = ROOM_BYTES;
    for contract in contracts_in(transaction)? {
        match recover_of(transaction, contract, &mut room) {
            Err(error @ StoreError::Contract { .. }) => {
                tracing::warn!(%error, "values that were not yet in chunks stay in the journal");
            }
            recovered => recovered?,
        }
    }
    Ok(())
}

fn recover_of(
    transaction: &Transaction<'_>,
    contract: i64,
    room: &mut usize,
) -> Result<(), StoreError> {
    let province = contracts::get(transaction, contract)?;
    let paths = paths(transaction, &province)?;
    let epoch = epochs::newest(transaction)?;
    let unsealed = unsealed(transaction, contract, &province, room)?;
    for error in unsealed.damaged {
        tracing::error!("{error}");
    }
    for sealed in unsealed.chunks {
        // Its own, so that chunks stay as they are: the values of a block go on in another session.
        let path = (paths[sealed.channel.index()], epoch);
        Tail::default().put(transaction, &province, path, &sealed)?;
    }
    transaction.execute("DELETE FROM journal WHERE contract = ?1", [contract])?;
    Ok(())
}

/// What is made of the journal.
pub(super) struct Unsealed {
    /// Values that are in no chunk of the store.
    pub(super) chunks: Vec<Sealed>,
    /// Rows that cannot be read.
    damaged: Vec<StoreError>,
}

impl Unsealed {
    /// The chunks, when all of it could be read.
    pub(super) fn whole(mut self) -> Result<Vec<Sealed>, StoreError> {
        self.damaged.pop().map_or(Ok(self.chunks), Err)
    }
}

/// Contracts of which values stand in the journal; a store of the first version has none.
pub(super) fn contracts_in(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    if !has_table(connection, "journal")? {
        return Ok(Vec::new());
    }
    let mut contracts = connection.prepare("SELECT DISTINCT contract FROM journal")?;
    Ok(contracts.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Makes chunks of what stands in the journal of a contract.
pub(super) fn unsealed(
    connection: &Connection,
    contract: i64,
    province: &Province,
    room: &mut usize,
) -> Result<Unsealed, StoreError> {
    let plans = plans(province);
    let mut buffer = Buffer::new(province, &layouts(&plans), BUDGET_BYTES);
    // Up to when the rows of a block are in chunks.
    let mut sealed: BTreeMap<_, Timestamp> = BTreeMap::new();
    let mut damaged = Vec::new();
    let mut journal =
        connection.prepare("SELECT data FROM journal WHERE contract = ?1 ORDER BY until_ms")?;
    let mut lines = journal.query([contract])?;
    while let Some(line) = lines.next()? {
        let data = line.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let bytes = match read(data, room) {
            Ok(bytes) => bytes,
            Err(error) => {
                damaged.push(error);
                continue;
            }
        };
        for entry in fresh::entries(&bytes) {
            let own;
            let row = match entry {
                fresh::JournalEntry::Row(row) => row,
                fresh::JournalEntry::OldReply(reply) => {
                    let fresh::OldReply { channel, group, at, offset, count, payload } = reply;
                    let plan = plans.get(channel.index());
                    let read = plan.and_then(|plan| plan.row(group, (offset, count), payload));
                    let Some((columns, read)) = read else { continue };
                    own = read;
                    fresh::Row { channel, group, at, columns, row: &own }
                }
            };
            let place = (row.channel, row.group);
            let Some(columns) = buffer.columns(place) else { continue };
            let until = match sealed.entry(place) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    *new.insert(newest(connection, province, (row.channel, columns))?)
                }
            };
            if row.at > until {
                buffer.accept_row(&row);
            }
        }
    }
    buffer.flush();
    Ok(Unsealed { chunks: buffer.take_sealed(), damaged })
}

/// Up to when the rows of the block with these columns are in chunks.
fn newest(
    connection: &Connection,
    province: &Province,
    (channel, columns): (ChannelId, &[(PointId, Part)]),
) -> Result<Timestamp, StoreError> {
    let channel = &province.channels[channel.index()];
    let station = &province.stations[channel.station.index()];
    let centre = &province.centres[channel.centre.index()].id;
    // What stands in the journal was written since the clock last jumped.
    let of_epoch = if has_table(connection, "clock_jump")? {
        format!("AND chunk.epoch = {}", epochs::newest(connection)?)
    } else {
        String::new()
    };
    let newest: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT max(until_ms) FROM chunk
             JOIN block ON block.id = chunk.block
             JOIN path ON path.id = block.path JOIN layout ON layout.id = block.layout
             WHERE station = ?1 AND centre = ?2 AND columns = ?3 {of_epoch}"
        ))?
        .query_row([&station.id, centre, &described(station, columns)], |row| row.get(0))?;
    Ok(Timestamp(newest.unwrap_or(i64::MIN)))
}
