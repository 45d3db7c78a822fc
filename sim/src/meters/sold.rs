//! Energy sold, as the head-end reads it: what each reading of a meter brings.
//!
//! | meters | are read | assumed |
//! |---|---|---|
//! | with a proven channel | every day with the first pass, the register of midnight | |
//! | without | by hand, once a month: each group on each feeder is a route with a day of its own | the 11th to the 25th; 1.5 % of the meters are behind a locked door then and wait for the next month |
//!
//! A meter that is read brings exactly what it has counted since it was last read. Only those that
//! are behind are remembered one by one; all others were read with their neighbours. Meters begin to
//! count at the first midnight: a day of which the head-end has seen only a part would be told as whole
//! meter-days, with the energy of that part.

use std::collections::BTreeMap;

use config::{Date, SoldFigures, Zone};

use super::campaign::{Scene, first_readings};
use super::days::key;
use super::fleet::{Fleet, Group};
use crate::plant::station::FeederState;

/// Days of the month on which routes are walked: the first, and how many. Assumed.
const ROUTE_DAYS: (i64, u8) = (11, 15);
/// Meters behind a locked door when their route is walked. Assumed.
const LOCKED: f64 = 0.015;

/// What was drawn on each feeder of the province up to the end of a local day.
#[derive(Debug, Clone)]
struct Midnight {
    day: i64,
    drawn: Vec<[f64; 4]>,
}

impl Midnight {
    fn new(day: i64, feeders: &[Vec<FeederState>]) -> Self {
        let drawn = feeders.iter().flatten().map(|state| state.consumed_kwh).collect();
        Self { day, drawn }
    }
}

/// When a meter was last read, and what it had counted by then, kWh.
type Read = (i64, f64);

/// What has been read of a group.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    remote_kwh: f64,
    remote_days: i64,
    hand_kwh: f64,
    hand_days: i64,
    /// The last days that either holds for.
    day: i64,
    hand_day: i64,
}

/// The energy sold, read so far.
pub(super) struct Sold {
    /// The last day that was over when the head-end started, if it did not start at midnight.
    started: Option<i64>,
    /// The day at whose end meters began to count.
    since: i64,
    /// The end of the latest day that is over.
    ended: Option<Midnight>,
    /// The end of the day that was read remotely last.
    read: Option<Midnight>,
    /// What had been drawn on the feeder of each run when its route was last walked.
    walked: Vec<(i64, [f64; 4])>,
    /// Meters that are behind, by group and number.
    behind: BTreeMap<(u32, u32), Read>,
    counted: Vec<Counted>,
}

impl Sold {
    pub(super) fn new(groups: usize) -> Self {
        let counted = vec![Counted::default(); groups];
        Self {
            started: None,
            since: 0,
            ended: None,
            read: None,
            walked: Vec::new(),
            behind: BTreeMap::new(),
            counted,
        }
    }

    /// Takes note of the time: of what was drawn by the end of a day, and walks the routes of that
    /// day. Whether there is anything to tell.
    pub(super) fn note(
        &mut self,
        fleet: &Fleet,
        (zone, at_ms): (Zone, i64),
        feeders: &[Vec<FeederState>],
    ) -> bool {
        let over = zone.day(at_ms) - 1;
        let Some(ended) = &self.ended else {
            let is_midnight = zone.day_begins(over + 1) == at_ms;
            if !is_midnight && *self.started.get_or_insert(over) == over {
                return false;
            }
            // Meters begin to count now.
            let start = Midnight::new(over, feeders);
            let drawn = |run| (over, start.drawn[fleet.feeder_of_run(run)]);
            self.walked = (0..fleet.run_count()).map(drawn).collect();
            (self.read, self.ended) = (Some(start.clone()), Some(start));
            self.since = over;
            return true;
        };
        if ended.day >= over {
            return false;
        }
        let ended = Midnight::new(over, feeders);
        let walked = self.walk(fleet, &ended);
        self.ended = Some(ended);
        walked
    }

    /// Reads the meters without a channel of those routes whose day is over.
    fn walk(&mut self, fleet: &Fleet, ended: &Midnight) -> bool {
        let date = Date::of_day(ended.day);
        let (of_month, month) =
            (i64::from(date.day), 12 * i64::from(date.year) + i64::from(date.month) - 1);
        let mut walked = false;
        for run in 0..fleet.run_count() {
            let (number, meters, feeder) = fleet.run(run);
            let group = &fleet.groups[number as usize];
            let share = group.chance.share(key(60, meters.start, 0));
            #[expect(clippy::cast_possible_truncation, reason = "a share of some days")]
            let route_day = ROUTE_DAYS.0 + (share * f64::from(ROUTE_DAYS.1)) as i64;
            if group.remote >= group.installed || of_month != route_day {
                continue;
            }
            walked = true;
            let drawn = ended.drawn[feeder];
            let (before, drawn_before) =
                std::mem::replace(&mut self.walked[run], (ended.day, drawn));
            for meter in meters.filter(|meter| !group.is_proven(*meter)) {
                let last = || (before, fleet.counted_kwh(number, meter, drawn_before));
                if group.chance.share(key(61, meter, month)) < LOCKED {
                    self.behind.entry((number, meter)).or_insert_with(last);
                    continue;
                }
                let (since, kwh) = self.behind.remove(&(number, meter)).unwrap_or_else(last);
                let counted = &mut self.counted[number as usize];
                counted.hand_kwh += fleet.counted_kwh(number, meter, drawn) - kwh;
                counted.hand_days += ended.day - since;
                counted.hand_day = ended.day;
            }
        }
        walked
    }

    /// The first pass of a day is over: takes what it brought.
    pub(super) fn read_day(&mut self, scene: &Scene<'_>, day: i64) -> bool {
        // What was before the start nobody has lived through.
        let Some(ended) = self.ended.clone().filter(|ended| ended.day == day) else { return false };
        let Some(read) = self.read.replace(ended.clone()).filter(|read| read.day < day) else {
            return false;
        };
        let fleet = scene.fleet;
        first_readings(scene, day, |block, meter, is_read| {
            let (group, feeder) = (block.group, block.feeder as usize);
            let last = || (read.day, fleet.counted_kwh(group, meter, read.drawn[feeder]));
            if !is_read {
                self.behind.entry((group, meter)).or_insert_with(last);
                return;
            }
            let (since, kwh) = self.behind.remove(&(group, meter)).unwrap_or_else(last);
            let counted = &mut self.counted[group as usize];
            counted.remote_kwh += fleet.counted_kwh(group, meter, ended.drawn[feeder]) - kwh;
            counted.remote_days += day - since;
            counted.day = day;
        });
        true
    }

    /// What is published of each group.
    pub(super) fn figures(&self, fleet: &Fleet) -> Vec<SoldFigures> {
        let of_group = |(counted, group)| published(counted, group, self.since);
        let mut figures: Vec<SoldFigures> =
            self.counted.iter().zip(&fleet.groups).map(of_group).collect();
        for (number, meter) in self.behind.keys() {
            let own = &mut figures[*number as usize];
            let proven = fleet.groups[*number as usize].is_proven(*meter);
            *(if proven { &mut own.remote_behind } else { &mut own.hand_behind }) += 1;
        }
        figures
    }

    /// Bytes on the heap, without those that are behind.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let midnight =
            |at: &Option<Midnight>| at.as_ref().map_or(0, |at| size_of_val(at.drawn.as_slice()));
        midnight(&self.ended)
            + midnight(&self.read)
            + size_of_val(self.walked.as_slice())
            + size_of_val(self.counted.as_slice())
    }

    /// Meter-days that no reading covers, meter by meter: remotely up to the last day that was read, by hand up
    /// to that of the last round.
    #[cfg(test)]
    pub(super) fn unread_days(&self, fleet: &Fleet, group: usize) -> [u64; 2] {
        let Counted { day, hand_day, .. } = self.counted[group];
        let mut unread = [0; 2];
        for run in 0..fleet.run_count() {
            let (number, meters, _) = fleet.run(run);
            let own = &fleet.groups[number as usize];
            for meter in meters.filter(|_| number as usize == group) {
                let (side, day, read) = match (own.is_proven(meter), &self.read) {
                    (true, Some(read)) => (0, day, read.day),
                    (true, None) => (0, day, self.since),
                    (false, _) => (1, hand_day, self.walked.get(run).map_or(0, |own| own.0)),
                };
                let last = self.behind.get(&(number, meter)).map_or(read, |(since, _)| *since);
                unread[side] += u64::try_from(day - last).unwrap_or(0);
            }
        }
        unread
    }

    /// What the meters that are behind have counted since they were read, kWh.
    #[cfg(test)]
    pub(super) fn unread_kwh(&self, fleet: &Fleet, feeders: &[Vec<FeederState>]) -> f64 {
        let drawn: Vec<[f64; 4]> = feeders.iter().flatten().map(|s| s.consumed_kwh).collect();
        let mut unread = 0.0;
        for run in 0..fleet.run_count() {
            let (number, meters, feeder) = fleet.run(run);
            let group = &fleet.groups[number as usize];
            for meter in meters.filter(|_| group.sold) {
                let neighbours = match (group.is_proven(meter), &self.read) {
                    (true, Some(read)) => read.drawn[feeder],
                    (true, None) => [0.0; 4],
                    (false, _) => self.walked[run].1,
                };
                let last = self.behind.get(&(number, meter)).map(|(_, kwh)| *kwh);
                let last = last.unwrap_or_else(|| fleet.counted_kwh(number, meter, neighbours));
                unread += fleet.counted_kwh(number, meter, drawn[feeder]) - last;
            }
        }
        unread
    }
}

/// Whole kilowatt-hours, as registers have them. All meters of a group began to count at the end of the day
/// `since`, so what no reading covers is all the time since then but that which readings cover.
fn published(counted: &Counted, group: &Group, since: i64) -> SoldFigures {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "energy of a group is far below 2^53 kWh, and never falls"
    )]
    let whole = |kwh: f64| kwh.max(0.0) as u64;
    let count = |days: i64| u64::try_from(days).unwrap_or(0);
    let day = |day: i64| u16::try_from(day).unwrap_or(0);
    let unread = |meters: u32, day: i64, days: i64| {
        let all = i64::from(meters) * (day - since).max(0);
        u32::try_from((all - days).max(0)).unwrap_or(u32::MAX)
    };
    let hand = group.installed - group.remote.min(group.installed);
    SoldFigures {
        day: day(counted.day),
        hand_day: day(counted.hand_day),
        remote_behind: 0,
        hand_behind: 0,
        remote_kwh: whole(counted.remote_kwh),
        remote_days: count(counted.remote_days),
        hand_kwh: whole(counted.hand_kwh),
        hand_days: count(counted.hand_days),
        remote_unread: unread(group.remote, counted.day, counted.remote_days),
        hand_unread: unread(hand, counted.hand_day, counted.hand_days),
        since: day(since),
    }
}
