//! The journal: values that are in no chunk yet, as they came with each commit. Whoever opens a store
//! after a writer that ended without a word makes chunks of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Transaction, params};

use super::batch::Batch;
use super::contracts;
use super::schema::StoreError;
use super::values::{Tail, block};
use super::writer::paths;
use crate::clock::Timestamp;
use crate::collector::plan::plans;
use crate::series::{Buffer, fresh};

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
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO journal (until_ms, contract, data) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![batch.until.0, contract, data.map_err(damaged)?])?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: snap::Error) -> StoreError {
    StoreError::Damaged(format!("journal of values: {error}"))
}

/// Reads what stands in a row of the journal.
pub(super) fn read(data: &[u8]) -> Result<Vec<u8>, StoreError> {
    snap::raw::Decoder::new().decompress_vec(data).map_err(damaged)
}

/// Makes chunks of what a writer that ended without a word has left in the journal. Rows whose contract
/// this program cannot read stay for the one that can.
pub(super) fn recover(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let mut contracts = transaction.prepare("SELECT DISTINCT contract FROM journal")?;
    let contracts: Vec<i64> =
        contracts.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for contract in contracts {
        match recover_of(transaction, contract) {
            Err(error @ StoreError::Contract { .. }) => {
                tracing::warn!(%error, "values that were not yet in chunks stay in the journal");
            }
            recovered => recovered?,
        }
    }
    Ok(())
}

fn recover_of(transaction: &Transaction<'_>, contract: i64) -> Result<(), StoreError> {
    let province = contracts::get(transaction, contract)?;
    let paths = paths(transaction, &province)?;
    let mut buffer = Buffer::new(&province, &plans(&province), BUDGET_BYTES);
    // Up to when the rows of a block are in chunks.
    let mut sealed: BTreeMap<_, Timestamp> = BTreeMap::new();
    let mut journal =
        transaction.prepare("SELECT data FROM journal WHERE contract = ?1 ORDER BY until_ms")?;
    let mut lines = journal.query([contract])?;
    while let Some(line) = lines.next()? {
        let bytes = match read(line.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!("{error}");
                continue;
            }
        };
        for row in fresh::rows(&bytes) {
            let place = (row.channel, row.block);
            let Some(columns) = buffer.columns(place) else { continue };
            let until = match sealed.entry(place) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let path = paths[row.channel.index()];
                    let block = block(transaction, &province, path, (row.channel, columns))?;
                    *new.insert(newest(transaction, block)?)
                }
            };
            if row.at > until {
                buffer.accept_row(&row);
            }
        }
    }
    buffer.flush();
    for sealed in buffer.take_sealed() {
        // Its own, so that chunks stay as they are: the values of a block go on in another session.
        Tail::default().put(transaction, &province, paths[sealed.channel.index()], &sealed)?;
    }
    transaction.execute("DELETE FROM journal WHERE contract = ?1", [contract])?;
    Ok(())
}

/// Up to when the rows of a block are in chunks.
fn newest(transaction: &Transaction<'_>, block: i64) -> Result<Timestamp, StoreError> {
    let newest: Option<i64> = transaction
        .prepare_cached("SELECT max(until_ms) FROM chunk WHERE block = ?1")?
        .query_row([block], |row| row.get(0))?;
    Ok(Timestamp(newest.unwrap_or(i64::MIN)))
}
