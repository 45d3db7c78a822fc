//! Which units record what comes of commands: where one does not, how many commands there were is not
//! known.

use std::collections::BTreeMap;

use config::ChannelId;
use historian::snapshot::Snapshot;
use rusqlite::{Row, ToSql, Transaction, params};
use signal::clock::{DAY_MS, Timestamp};

use super::cells;
use super::reader::Reader;
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};

/// What a unit says of its records of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandsKept {
    /// Station and centre.
    pub channel: ChannelId,
    /// Unit id.
    pub unit: u8,
    /// Whether it keeps them.
    pub kept: bool,
}

/// What was said last, by channel and unit, and on which day.
#[derive(Debug, Default)]
pub(super) struct Said {
    units: BTreeMap<(ChannelId, u8), bool>,
    day: Option<i64>,
}

impl Said {
    /// What is to be written of a snapshot: what is news, and all of it on a new day or when a session
    /// begins, so that no window of a day needs anything from before.
    pub(super) fn news(&mut self, snapshot: &Snapshot, begins: bool) -> Vec<CommandsKept> {
        let day = Some(snapshot.at.0.div_euclid(DAY_MS));
        if begins || day != self.day {
            (self.units, self.day) = (BTreeMap::new(), day);
        }
        let mut news = Vec::new();
        for channel in &snapshot.channels {
            let station = channel.station(&snapshot.province);
            for (unit, shown) in station.units.iter().zip(&channel.units) {
                let Some(events) = shown.events else { continue };
                let kept = events.commands;
                if self.units.insert((channel.id, unit.id), kept) != Some(kept) {
                    news.push(CommandsKept { channel: channel.id, unit: unit.id, kept });
                }
            }
        }
        news
    }
}

/// Writes what units said at a moment.
pub(super) fn put(
    transaction: &Transaction<'_>,
    paths: &[i64],
    at: Timestamp,
    said: &[CommandsKept],
) -> Result<(), StoreError> {
    for CommandsKept { channel, unit, kept } in said {
        let row: [&dyn ToSql; 4] = [&paths[channel.index()], unit, &at.0, kept];
        sums::put(transaction, (Verb::OrReplace, &sums::COMMANDS_KEPT, ""), &row)?;
    }
    Ok(())
}

impl Reader {
    /// What units of a path said until `to` of whether they record commands: unit, when, and whether; of each
    /// unit from what held at `from` on. Nothing of stores of earlier versions.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn commands_kept(
        &self,
        (station, centre): (&str, &str),
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<(u8, Timestamp, bool)>, StoreError> {
        if !has_table(self.connection(), "commands_kept")? {
            return Ok(Vec::new());
        }
        let mut of_path = self.connection().prepare_cached(
            "SELECT unit, at_ms, kept FROM commands_kept JOIN path ON path.id = commands_kept.path
             WHERE station = ?1 AND centre = ?2 AND at_ms <= ?4 AND at_ms >= coalesce((
                 SELECT max(at_ms) FROM commands_kept AS earlier
                 WHERE earlier.path = commands_kept.path AND earlier.unit = commands_kept.unit
                     AND earlier.at_ms <= ?3), ?3)
             ORDER BY unit, at_ms",
        )?;
        let mut rows = of_path.query(params![station, centre, from.0, to.0])?;
        let mut said_by = Vec::new();
        while let Some(row) = rows.next()? {
            said_by.push(said(row)?);
        }
        Ok(said_by)
    }
}

/// What a unit said: unit, when, and whether.
pub(super) fn said(row: &Row<'_>) -> Result<(u8, Timestamp, bool), StoreError> {
    Ok((cells::of(row, 0)?, cells::instant(row, 1)?, cells::flag(row, 2)?))
}
