//! Running counts of energy: of the energy sold, as head-ends tell of it, and of plants, by the counters of
//! their metered points.

use std::collections::BTreeMap;

use historian::snapshot::Snapshot;
use rusqlite::{Connection, Row, ToSql, Transaction};
use signal::clock::Timestamp;

use super::cells;
use super::kept::Kept;
use super::reader::Reader;
use super::schema::{StoreError, has_table};
use super::sums::{self, Verb};

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// No counter of ours shows more, kWh: a thousand million megawatt-hours.
const KWH_MAX: f64 = 1e12;
/// Columns of a row, as they are read.
const COLUMNS: &str =
    "kind, station, id, at_ms, sells, day, kwh, meter_days, meters, behind, unread_days";

/// A running count of energy, as it stood at the end of its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnergyLine {
    /// What it counts.
    pub kind: EnergyKind,
    /// The station whose head-end tells of it, or the plant: ids of the contract.
    pub station: String,
    /// District and class of the meters, as `hoa-binh.mv`; of a plant, its point without the plant.
    pub id: String,
    /// Whether these meters sell energy.
    pub sells: bool,
    /// The local day, since 1970, up to whose end the count goes: what was added since the line before belongs to
    /// it. Before the first reading, the day at whose end the count began.
    pub day: i64,
    /// The count, kWh.
    pub kwh: u64,
    /// Meter-days that it covers; of a plant none.
    pub meter_days: u64,
    /// Meters that it is about, whether or not they were read.
    pub meters: u64,
    /// Of these, those that the latest reading did not reach.
    pub behind: u64,
    /// Meter-days up to the end of the day that no reading covers; of a plant none.
    pub unread_days: u64,
}

impl EnergyLine {
    /// Whether another line is of the same running count, so that the difference of both is energy.
    pub fn is_same_count(&self, other: &Self) -> bool {
        (self.kind, &self.station, &self.id) == (other.kind, &other.station, &other.id)
    }
}

/// What a running count of energy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnergyKind {
    /// Energy sold, read remotely.
    Remote,
    /// Energy sold, read by hand.
    Hand,
    /// A metered point of a plant: what it gives to the grid.
    Out,
    /// A metered point of a plant: what it takes from there.
    In,
}

impl EnergyKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Remote, Self::Hand, Self::Out, Self::In];

    /// The word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Hand => "hand",
            Self::Out => "out",
            Self::In => "in",
        }
    }

    /// What a word of the store stands for; `None`: nothing of ours.
    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Knows what counts stood at, so that only what is news is written.
#[derive(Debug, Default)]
pub(super) struct Counting {
    sold: BTreeMap<(EnergyKind, String, String), EnergyLine>,
    /// Counters of plants that wait for the next batch, and the local hour of the last of them, with how far local time
    /// was ahead of UTC.
    plants: Vec<EnergyLine>,
    hour: Option<(i64, i64)>,
}

impl Counting {
    /// Takes down the counters of plants when an hour is over.
    pub(super) fn note(&mut self, snapshot: &Snapshot) {
        // Where clocks are set back they show an hour twice.
        let ahead = snapshot.province.zone.ahead_ms(snapshot.at.0);
        let hour = Some(((snapshot.at.0 + ahead).div_euclid(HOUR_MS), ahead));
        if self.hour != hour {
            self.hour = hour;
            self.plants = plant_lines(snapshot);
        }
    }

    /// What is to be written of a snapshot. A session begins and ends with what the counters of plants show
    /// then (`is_edge`).
    pub(super) fn news(&mut self, snapshot: &Snapshot, is_edge: bool) -> Vec<EnergyLine> {
        if is_edge {
            self.hour = None;
            self.note(snapshot);
        }
        let mut news = std::mem::take(&mut self.plants);
        for line in sold_lines(snapshot) {
            let key = (line.kind, line.station.clone(), line.id.clone());
            if self.sold.get(&key) != Some(&line) {
                self.sold.insert(key, line.clone());
                news.push(line);
            }
        }
        news
    }
}

/// Writes how a count stood at a moment.
pub(super) fn put(
    transaction: &Transaction<'_>,
    (at, epoch): (Timestamp, i64),
    line: &EnergyLine,
) -> Result<(), StoreError> {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let [kwh, days, meters, behind, unread] =
        [line.kwh, line.meter_days, line.meters, line.behind, line.unread_days].map(count);
    let (kind, EnergyLine { station, id, sells, day, .. }) = (line.kind.word(), line);
    let row: [&dyn ToSql; 12] =
        [&kind, station, id, &at.0, sells, day, &kwh, &days, &meters, &behind, &unread, &epoch];
    // A recording may begin at the moment at which the one before it ended: what that told then stays.
    sums::put(transaction, (Verb::OrIgnore, &sums::ENERGY, ""), &row)?;
    Ok(())
}

/// Most running counts of energy: of ten thousand stations, ten each.
const COUNTS_MAX: usize = 100_000;

/// There are no more running counts than a report can be made of.
fn bounded(counts: usize) -> Result<(), StoreError> {
    cells::at_most(counts, COUNTS_MAX, "running counts of energy")
}

impl Reader {
    /// Hands on what every running count of energy said up to `until`, count by count, each in the order in
    /// which it was told, with when that was. The first of each may be from before what is kept: what
    /// follows is counted from there. A store of an earlier version has none.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn energy_counts(
        &self,
        until: Timestamp,
        mut each: impl FnMut(Timestamp, EnergyLine),
    ) -> Result<(), StoreError> {
        if !has_table(self.connection(), "energy")? {
            return Ok(());
        }
        let holds = self.holds("energy", "at_ms")?;
        let mut all = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM energy WHERE at_ms < ?1 {holds}
             ORDER BY kind, station, id, epoch, at_ms"
        ))?;
        let mut rows = all.query([until.0])?;
        let (mut counts, mut last) = (0, None);
        while let Some(row) = rows.next()? {
            let (at, line) = line(row)?;
            if !last.as_ref().is_some_and(|last: &EnergyLine| last.is_same_count(&line)) {
                counts += 1;
                bounded(counts)?;
                last = Some(line.clone());
            }
            each(at, line);
        }
        Ok(())
    }

    /// Hands on what was told of counts of energy from `from` up to `to`, in the order of time.
    ///
    /// # Errors
    /// When the store cannot be read, or what stands in it is damaged.
    pub fn energy_changes(
        &self,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(Timestamp, EnergyLine),
    ) -> Result<(), StoreError> {
        if !has_table(self.connection(), "energy")? {
            return Ok(());
        }
        let holds = self.holds("energy", "at_ms")?;
        let mut of_window = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM energy WHERE at_ms >= ?1 AND at_ms < ?2 {holds}
             ORDER BY at_ms, kind, station, id"
        ))?;
        let from = self.kept_since(Kept::Metering, from)?;
        let mut rows = of_window.query([from.0, to.0])?;
        while let Some(row) = rows.next()? {
            let (at, line) = line(row)?;
            each(at, line);
        }
        Ok(())
    }
}

/// A row: when it was told, and what.
fn line(row: &Row<'_>) -> Result<(Timestamp, EnergyLine), StoreError> {
    let kind = EnergyKind::of(&cells::name(row, 0)?);
    let line = EnergyLine {
        kind: kind.ok_or_else(|| cells::bad(row, 0, "is none that there is"))?,
        station: cells::name(row, 1)?,
        id: cells::name(row, 2)?,
        sells: cells::flag(row, 4)?,
        day: cells::of::<u32>(row, 5)?.into(),
        kwh: cells::count(row, 6)?,
        meter_days: cells::count(row, 7)?,
        meters: cells::count(row, 8)?,
        behind: cells::count(row, 9)?,
        unread_days: cells::count(row, 10)?,
    };
    if line.behind > line.meters {
        return Err(cells::bad(row, 9, "is more than all"));
    }
    Ok((cells::instant(row, 3)?, line))
}

/// Hands on what cannot be read.
pub(super) fn damaged(
    connection: &Connection,
    mut each: impl FnMut(StoreError),
) -> Result<(), StoreError> {
    let counts = "SELECT count(*) FROM (SELECT DISTINCT kind, station, id FROM energy)";
    let counts: i64 = connection.query_row(counts, [], |row| row.get(0))?;
    bounded(usize::try_from(counts).unwrap_or(usize::MAX)).err().into_iter().for_each(&mut each);
    let mut all = connection.prepare(&format!("SELECT {COLUMNS} FROM energy"))?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(error) = line(row) {
            let at: i64 = row.get(3)?;
            each(
                error
                    .within(&format!("energy that was told at {}", Timestamp(at).to_millisecond())),
            );
        }
    }
    Ok(())
}

/// Energy sold, group by group, of those that tell of it.
fn sold_lines(snapshot: &Snapshot) -> Vec<EnergyLine> {
    let province = &snapshot.province;
    // A count that has not begun yet begins at the end of a day that is not over yet.
    let over = snapshot.at.local_day(province.zone) - 1;
    let told = snapshot.metering.groups.iter();
    let told = told.filter_map(|group| Some((group, group.sold?, group.proven?)));
    let lines = told.flat_map(|(told, sold, remote)| {
        let station = &province.stations[told.station.index()];
        let group = &station.meters[told.group];
        let class = &province.meter_classes[group.class];
        let line = |kind, day: u16, meters: u32| EnergyLine {
            kind,
            station: station.id.clone(),
            id: format!("{}.{}", province.districts[group.district].id, class.id),
            sells: class.sold,
            day: [day, sold.since].into_iter().find(|day| *day > 0).map_or(over, i64::from),
            kwh: 0,
            meter_days: 0,
            meters: meters.into(),
            behind: 0,
            unread_days: 0,
        };
        let hand = group.installed.saturating_sub(remote);
        [
            EnergyLine {
                kwh: sold.remote_kwh,
                meter_days: sold.remote_days,
                behind: sold.remote_behind.into(),
                unread_days: sold.remote_unread.into(),
                ..line(EnergyKind::Remote, sold.day, remote)
            },
            EnergyLine {
                kwh: sold.hand_kwh,
                meter_days: sold.hand_days,
                behind: sold.hand_behind.into(),
                unread_days: sold.hand_unread.into(),
                ..line(EnergyKind::Hand, sold.hand_day, hand)
            },
        ]
    });
    // A head-end that tells of more meters behind than there are tells of others.
    lines.filter(|line| line.behind <= line.meters).collect()
}

/// What the counters of plants show, of those that were read within the hour and of which nothing speaks
/// against it.
fn plant_lines(snapshot: &Snapshot) -> Vec<EnergyLine> {
    let province = &snapshot.province;
    let mut lines = Vec::new();
    for id in province.plant_ids() {
        let plant = &province.stations[id.index()];
        for (n, point) in plant.points.iter().enumerate() {
            let kind = match point.spec.id.as_str() {
                "E.OUT" => EnergyKind::Out,
                "E.IN" => EnergyKind::In,
                _ => continue,
            };
            let read = province.centre_ids().find_map(|centre| {
                let seen = snapshot.channel(id, centre).points.get(n)?;
                let at = seen.at.filter(|at| snapshot.at.since(*at) < HOUR_MS)?;
                let is_good = seen.not_live.is_none();
                let kwh = 1_000.0 * seen.value.filter(|_| is_good)?;
                (0.0..=KWH_MAX).contains(&kwh).then_some((at, kwh))
            });
            let Some((at, kwh)) = read else { continue };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within its bounds"
            )]
            let kwh = kwh.round() as u64;
            lines.push(EnergyLine {
                kind,
                station: plant.id.clone(),
                id: point.local_id().to_owned(),
                sells: false,
                // What is read at midnight belongs to the day that ends then.
                day: at.plus(-1).local_day(province.zone),
                kwh,
                meter_days: 0,
                meters: 0,
                behind: 0,
                unread_days: 0,
            });
        }
    }
    lines
}
