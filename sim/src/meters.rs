//! The meters of a province: what they count, and how their readings reach the head-end.
//!
//! Nothing is kept per meter. Which feeder and load class a meter belongs to, its share of their
//! energy and how its readings fare follow from the contract, the seed and its number (`fleet`),
//! in closed form; so do the outages on the way (`outages`). What is read day by day is counted in
//! campaigns that are spread evenly over the night (`campaign`), and so is the energy that was sold
//! (`sold`).
//!
//! The energy of each feeder comes from the plant, behind its head, technical losses taken off
//! ([`FeederState`]). The meters that sell energy count exactly that: their shares of a load class
//! on a feeder sum to 1, and their deviations from its shape cancel out pair by pair. Meters that
//! sell nothing total the areas behind public stations: what all meters there without a modem of
//! their own count; they are outside the sum. A load class on a feeder without any meter is not
//! metered.

mod campaign;
mod days;
mod fleet;
mod outages;
mod sold;

use config::{MeterFigures, Province, SoldFigures};

use crate::plant::station::FeederState;
use campaign::{Campaign, Pass, Scene};
use fleet::Fleet;
use outages::{Supply, Ways};
use sold::Sold;

/// Each concentrator is looked at once in this time.
const ROUND_MS: i64 = 60_000;

/// All meters of a province.
pub(crate) struct Meters {
    fleet: Fleet,
    ways: Ways,
    supply: Supply,
    first: Campaign,
    last: Campaign,
    sold: Sold,
    /// One for each block: it can be reached, its feeder aside.
    up: Vec<bool>,
    /// Concentrators that can be reached, by group and feeder of its station.
    reached: Vec<Vec<u16>>,
    last_ms: Option<i64>,
    /// What the head-end publishes, by station and group.
    figures: Vec<Vec<(MeterFigures, SoldFigures)>>,
    changed: Vec<bool>,
}

impl Meters {
    /// The meters of a province, none of them read yet.
    pub(crate) fn new(province: &Province) -> Self {
        let fleet = Fleet::new(province);
        let groups = fleet.groups.len();
        let stations = &province.stations;
        let feeders: Vec<usize> = stations.iter().map(|s| s.feeder_bays().count()).collect();
        let nothing = (MeterFigures::default(), SoldFigures::default());
        let mut figures: Vec<Vec<(MeterFigures, SoldFigures)>> =
            stations.iter().map(|station| vec![nothing; station.meters.len()]).collect();
        for block in fleet.blocks.iter().filter(|block| fleet.is_concentrator(block)) {
            let (station, group) = fleet.place(block.group);
            let known = &mut figures[station][group].0.concentrators;
            *known = known.saturating_add(1);
        }
        Self {
            ways: Ways::new(province),
            supply: Supply::new(feeders.iter().sum(), province.zone),
            first: Campaign::new(Pass::First, groups),
            last: Campaign::new(Pass::Final, groups),
            sold: Sold::new(groups),
            up: vec![false; fleet.blocks.len()],
            reached: fleet.groups.iter().map(|g| vec![0; feeders[g.station]]).collect(),
            last_ms: None,
            changed: vec![true; figures.len()],
            figures,
            fleet,
        }
    }

    /// Brings readings to a moment, UTC milliseconds; `feeders` by station.
    pub(crate) fn step(&mut self, at_ms: i64, feeders: &[Vec<FeederState>]) {
        self.supply.note(at_ms, feeders, &self.fleet.first_feeder);
        self.look_round(at_ms);
        let Self { fleet, ways, supply, first, last, sold, figures: kept, changed, .. } = self;
        let scene = Scene { fleet, ways, supply };
        let mut is_news = sold.note(fleet, (ways.zone, at_ms), feeders);
        let mut closed = None;
        first.advance(&scene, at_ms, |day, group, counted| {
            let (station, group) = fleet.place(group);
            let kept = &mut kept[station][group].0;
            closed = Some(i64::from(day));
            *kept = MeterFigures {
                day,
                expected: counted.expected,
                first_pass: counted.first_pass,
                intervals_expected: counted.intervals_expected,
                intervals: counted.intervals,
                minutes_expected: counted.minutes_expected,
                minutes_online: counted.minutes_online,
                ..*kept
            };
            changed[station] = true;
        });
        last.advance(&scene, at_ms, |day, group, counted| {
            let (station, group) = fleet.place(group);
            let kept = &mut kept[station][group].0;
            *kept = MeterFigures {
                final_day: day,
                final_expected: counted.final_expected,
                final_first_pass: counted.final_first_pass,
                final_read: counted.final_read,
                final_intervals_expected: counted.final_intervals_expected,
                final_intervals_on_time: counted.final_intervals_on_time,
                final_intervals_late: counted.final_intervals_late,
                final_intervals_backfilled: counted.final_intervals_backfilled,
                ..*kept
            };
            changed[station] = true;
        });
        is_news |= closed.is_some_and(|day| sold.read_day(&scene, day));
        if is_news {
            for (figures, group) in sold.figures(fleet).into_iter().zip(0..) {
                let (station, group) = fleet.place(group);
                kept[station][group].1 = figures;
                changed[station] = true;
            }
        }
        self.count_online();
        self.last_ms = Some(at_ms);
    }

    /// Looks at those concentrators whose turn has come since the last step.
    fn look_round(&mut self, at_ms: i64) {
        let blocks = self.fleet.blocks.len();
        let whole_round = self.last_ms.is_none_or(|last| at_ms - last >= ROUND_MS);
        let turn = |ms: i64| {
            let share = i128::from(ms.rem_euclid(ROUND_MS)) * blocks as i128;
            usize::try_from(share / i128::from(ROUND_MS)).unwrap_or(0)
        };
        let (from, to) = (turn(self.last_ms.unwrap_or(0)), turn(at_ms));
        let ranges = match () {
            () if whole_round => [0..blocks, 0..0],
            () if from <= to => [from..to, 0..0],
            () => [from..blocks, 0..to],
        };
        for n in ranges.into_iter().flatten() {
            let block = &self.fleet.blocks[n];
            if !self.fleet.is_concentrator(block) {
                continue;
            }
            let up = self.ways.is_up(&self.fleet, block, at_ms);
            if up != self.up[n] {
                self.up[n] = up;
                let group = &self.fleet.groups[block.group as usize];
                let feeder = block.feeder as usize - self.fleet.first_feeder[group.station];
                let reached = &mut self.reached[block.group as usize][feeder];
                *reached = if up { reached.saturating_add(1) } else { reached.saturating_sub(1) };
            }
        }
    }

    /// Concentrators that can be reached and whose feeder is supplied.
    fn count_online(&mut self) {
        for (group, reached) in self.reached.iter().enumerate() {
            let station = self.fleet.groups[group].station;
            let first = self.fleet.first_feeder[station];
            let alive = reached.iter().enumerate().filter(|(n, _)| self.supply.is_alive(first + n));
            let online = alive.fold(0_u16, |sum, (_, reached)| sum.saturating_add(*reached));
            let (station, group) = self.fleet.place(u32::try_from(group).unwrap_or(0));
            let kept = &mut self.figures[station][group].0.online;
            if *kept != online {
                *kept = online;
                self.changed[station] = true;
            }
        }
    }

    /// What the head-end publishes of a station's groups, when that has changed since last asked.
    pub(crate) fn news(&mut self, station: usize) -> Option<&[(MeterFigures, SoldFigures)]> {
        let changed = std::mem::replace(self.changed.get_mut(station)?, false);
        if changed { self.figures.get(station).map(Vec::as_slice) } else { None }
    }

    /// Whether a remote channel to a meter is proven; `group` as in [`config::Station::meters`].
    pub(crate) fn is_proven(&self, station: usize, group: usize, meter: u32) -> bool {
        let group = self.fleet.group(station, group);
        group.is_some_and(|group| self.fleet.groups[group].is_proven(meter))
    }

    /// What the register of a meter shows, kWh; `group` as in [`config::Station::meters`].
    pub(crate) fn register_kwh(
        &self,
        (station, group, meter): (usize, usize, u32),
        feeders: &[Vec<FeederState>],
    ) -> Option<f64> {
        self.fleet.register_kwh(self.fleet.group(station, group)?, meter, feeders)
    }
}

#[cfg(test)]
impl Meters {
    /// Bytes on the heap.
    fn bytes(&self) -> usize {
        let figures: usize = self.figures.iter().map(|f| size_of_val(f.as_slice())).sum();
        let reached: usize = self.reached.iter().map(|r| size_of_val(r.as_slice())).sum();
        // Both campaigns keep a tally as large as the figures.
        self.fleet.bytes()
            + self.supply.bytes()
            + self.sold.bytes()
            + self.up.len()
            + 3 * figures
            + reached
    }
}

#[cfg(test)]
mod tests;
