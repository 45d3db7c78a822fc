//! Remote operations: what came of commands that switch something, as the units recorded it. Where
//! a unit keeps no such records, how many there were is not known.
//!
//! One operation is one record of how a command ended: done, or refused, forgotten or not confirmed. A
//! command that was selected and never executed, because the link broke on the way, ends as a
//! selection that became too old, and so counts as failed, and the lost link stands beside it. A selection that was taken back is none.

use std::collections::{BTreeMap, BTreeSet};

use config::{Lang, Province, Station, commands};
use historian::counts::Share;
use historian::snapshot::LinkState;
use signal::clock::{DAY_MS, Timestamp};
use store::history::Window;
use store::{Contract, Kept, Reader, Session, StoreError};
use words::happenings::result_of;
use words::texts::Text;

/// Units are said to record commands once a day and when a session begins, whose header is read a
/// little before: so far back it is looked for, milliseconds.
const BEFORE_MS: i64 = DAY_MS + 60_000;

/// For how long a selection stands, milliseconds (`docs/commands.md`).
const SELECTED_MS: i64 = 30_000;

/// Operations of one station.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Operations {
    /// By level in kV: all, and those that failed.
    pub(super) levels: BTreeMap<u16, (u64, u64)>,
    /// Results of those that failed, whether the link was lost meanwhile, and how often each came.
    pub(super) causes: BTreeMap<(u16, bool), u64>,
    /// Every unit with such commands recorded them as long as somebody watched, none of its records was
    /// lost, and all that came are still kept.
    pub(super) is_known: bool,
    /// So much of the period lies between the first and the last moment that somebody watched that there being none
    /// may be said.
    pub(super) is_told: bool,
}

impl Operations {
    /// A count of operations; `None`: none was counted, and nobody could know.
    pub(super) fn count(&self, count: u64) -> Option<u64> {
        (count > 0 || self.is_told).then_some(count)
    }

    /// Why operations failed, in words: `liên động (3); quá thời gian chọn, mất kết nối (1)`.
    pub(super) fn causes(&self, lang: Lang) -> String {
        let said = self.causes.iter().map(|((code, is_lost), count)| {
            let word = result_of(*code, lang).map_or_else(|| code.to_string(), str::to_owned);
            let lost =
                if *is_lost { format!(", {}", Text::LinkLost.get(lang)) } else { String::new() };
            format!("{word}{lost} ({count})")
        });
        said.collect::<Vec<_>>().join("; ")
    }
}

/// Operations of the window, by station id.
pub(super) fn operations(
    reader: &Reader,
    province: &Province,
    window: &Window,
    contracts: &[Contract],
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Operations>, StoreError> {
    let span = window.span;
    let lost = reader.paths_that_lost((span.from, span.to))?;
    // What happened while nobody watched was told afterwards, where somebody watched again.
    let told = window.observed().map_or(0, |own| own.and(span).length());
    let [told, all_of_it] = [told, span.length()].map(i64::unsigned_abs);
    let is_told = Share::new(told, all_of_it).reaches(province.targets.watched) == Some(true);
    let cut = window.not_kept(Kept::Events).length() > 0;
    let mut all: BTreeMap<String, Operations> = BTreeMap::new();
    for station in province.stations.iter().filter(|station| wanted(&station.id)) {
        let is_known = !cut && is_known(reader, station, (window, contracts), &lost)?;
        all.insert(station.id.clone(), Operations { is_known, is_told, ..Operations::default() });
    }
    let mut too_old = Vec::new();
    reader.events((span.from, span.to), |event| {
        let Some(id) = &event.point else { return };
        // A record belongs to the contract of its time.
        let era = window.eras.partition_point(|era| era.span.to <= event.at);
        let Some(contract) = contracts.get(era) else { return };
        let found = contract.province.station(&event.station);
        let Some(station) = found.map(|found| &contract.province.stations[found.index()]) else {
            return;
        };
        let Some(point) = station.point(id).map(|point| &station.points[point.index()]) else {
            return;
        };
        let result = event.value & commands::RESULT;
        let ends = result == commands::DONE || result >= commands::FIRST_FAILURE;
        if !(ends && station.is_switching(point)) {
            return;
        }
        let Some(own) = all.get_mut(&event.station) else { return };
        let level = own.levels.entry(station.bays[point.bay].level).or_default();
        level.0 += 1;
        if result != commands::DONE {
            level.1 += 1;
            if result == commands::TOO_OLD {
                too_old.push((event.station, event.centre, event.at));
            } else {
                *own.causes.entry((result, false)).or_default() += 1;
            }
        }
    })?;
    let sessions = reader.sessions()?;
    for (station, centre, at) in too_old {
        let is_lost = was_lost(reader, &sessions, (&station, &centre), at)?;
        if let Some(own) = all.get_mut(&station) {
            *own.causes.entry((commands::TOO_OLD, is_lost)).or_default() += 1;
        }
    }
    Ok(all)
}

/// Whether the link of a path was lost, as far as anybody watched, while a selection stood that had become too old
/// at a moment.
fn was_lost(
    reader: &Reader,
    sessions: &[Session],
    path: (&str, &str),
    at: Timestamp,
) -> Result<bool, StoreError> {
    let from = at.plus(-SELECTED_MS);
    let mut is_lost = false;
    for session in sessions.iter().filter(|own| own.from <= at && own.until >= from) {
        let mut before = None;
        reader.judgements(path, session.id, (from, at.plus(1)), |judged| {
            if judged.at < from {
                before = Some(judged.link);
            } else {
                is_lost |= judged.link == LinkState::Lost;
            }
        })?;
        is_lost |= before == Some(LinkState::Lost);
    }
    Ok(is_lost)
}

/// Whether every unit with commands that switch recorded them in every session of the window, at every
/// centre that it serves, and none of the records was lost on the way there.
fn is_known(
    reader: &Reader,
    station: &Station,
    (window, contracts): (&Window, &[Contract]),
    lost: &BTreeSet<(String, String)>,
) -> Result<bool, StoreError> {
    let mut any = false;
    for (era, contract) in window.eras.iter().zip(contracts) {
        let province = &contract.province;
        let Some(own) = province.station(&station.id) else { continue };
        let own_station = &province.stations[own.index()];
        for centre in province.centre_ids() {
            let channel = province.channel(own, centre);
            let entries = channel.entries.iter().zip(&own_station.points);
            let switching = entries.filter(|(_, point)| own_station.is_switching(point));
            let mut units: Vec<u8> = switching.filter_map(|(entry, _)| entry.device()).collect();
            units.sort_unstable();
            units.dedup();
            let path = (own_station.id.as_str(), province.centres[centre.index()].id.as_str());
            if !units.is_empty() && lost.contains(&(path.0.to_owned(), path.1.to_owned())) {
                return Ok(false);
            }
            for (_, span) in &era.observed {
                let mut said = reader.commands_kept(path, (span.from, span.to))?;
                said.retain(|(_, at, _)| span.from.since(*at) <= BEFORE_MS);
                let keeps = |unit: &u8| {
                    let mut own = said.iter().filter(|(of, ..)| of == unit).peekable();
                    own.peek().is_some() && own.all(|(.., kept)| *kept)
                };
                any |= !units.is_empty();
                if !units.iter().all(keeps) {
                    return Ok(false);
                }
            }
        }
    }
    Ok(any)
}
