//! What stands between a meter and its head-end, at any moment: outages in closed form, as a
//! function of the device and of time, so that the past needs no memory. Only the supply of the
//! feeders comes from the plant and is remembered, a few days long.

use config::{DAY_MS, Zone};

use super::days::{HOUR_MS, half_hours_between, key, minutes};
use super::fleet::{Block, Fleet, Technology};
use crate::chance::Chance;
use crate::plant::station::FeederState;

/// How outages of a kind of device come and go.
///
/// Time is cut into slots; in each slot an outage begins or none does, and none lasts longer than
/// a slot, so a moment depends on its own slot and the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outages {
    /// Tells the kinds of outages of a device apart.
    kind: u8,
    slot_ms: i64,
    /// Chance that one begins in a slot.
    per_slot: f64,
    lasts: Lasts,
}

/// How long an outage lasts, milliseconds.
#[derive(Debug, Clone, Copy)]
enum Lasts {
    /// Most are short: exponential about this mean.
    Mean(f64),
    /// Anything between, alike.
    Between(f64, f64),
}

impl Outages {
    /// Devices that are out for a share of the time, for `mean_hours` on average and never for
    /// longer than five times that.
    const fn share(kind: u8, share: f64, mean_hours: i64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "hours")]
        let mean_ms = (mean_hours * HOUR_MS) as f64;
        let slot_ms = 5 * mean_hours * HOUR_MS;
        Self { kind, slot_ms, per_slot: 5.0 * share, lasts: Lasts::Mean(mean_ms) }
    }

    /// The outage that begins in a slot.
    fn in_slot(&self, chance: Chance, device: u32, slot: i64) -> Option<(i64, i64)> {
        let begins = chance.share(key(self.kind, device, slot));
        if begins >= self.per_slot {
            return None;
        }
        // What is left of the number that decided is a number as good as new.
        let place = begins / self.per_slot;
        let share = chance.share(key(self.kind + 1, device, slot));
        let ms = match self.lasts {
            Lasts::Mean(mean) => -mean * libm::log(1.0 - share),
            Lasts::Between(low, high) => low + (high - low) * share,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "within a slot of some days"
        )]
        let (start, lasts) = ((place * self.slot_ms as f64) as i64, ms as i64);
        let start = slot * self.slot_ms + start;
        Some((start, start + lasts.min(self.slot_ms)))
    }

    /// The outages that touch a window, UTC milliseconds.
    fn within(
        self,
        chance: Chance,
        device: u32,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = (i64, i64)> {
        let slots = from.div_euclid(self.slot_ms) - 1..=to.div_euclid(self.slot_ms);
        slots
            .filter_map(move |slot| self.in_slot(chance, device, slot))
            .filter(move |(start, end)| *start < to && *end > from)
    }

    /// Whether a device is out at a moment.
    pub(super) fn is_out(self, chance: Chance, device: u32, at_ms: i64) -> bool {
        self.within(chance, device, at_ms, at_ms + 1).next().is_some()
    }
}

/// Power or SIM of a concentrator: 0.4 % are out at any time, 18 h on average.
const CONCENTRATOR: Outages = Outages::share(30, 0.004, 18);
/// A node of the radio mesh, one to five meters: 0.6 % are cut off at any time, 3 days on average.
pub(super) const NODE: Outages = Outages::share(32, 0.006, 72);
/// Meters of a node, on average.
pub(super) const NODE_METERS: u32 = 3;
/// Cellular network of a valley: of ten stations, one to three a month in all, for 1 to 8 hours.
const VALLEY: Outages = Outages {
    kind: 34,
    slot_ms: DAY_MS,
    per_slot: 2.0 / 10.0 / 30.0,
    #[expect(clippy::cast_precision_loss, reason = "hours")]
    lasts: Lasts::Between(HOUR_MS as f64, 8.0 * HOUR_MS as f64),
};
/// Chance that an outage of a valley takes along what hangs on a feeder of its station.
const VALLEY_SHARE: f64 = 0.5;

/// Days for which the supply of the feeders is remembered: retries end after three.
const DAYS: u8 = 6;
/// The same, as a length.
const RING: usize = DAYS as usize;

/// Which half hours each feeder was without supply in.
pub(super) struct Supply {
    zone: Zone,
    /// The local day that each place of the ring holds.
    days: [i64; RING],
    /// One bit for each half hour of the day: without supply at some time in it.
    dead: Vec<[u64; RING]>,
    /// Milliseconds without supply.
    dead_ms: Vec<[u32; RING]>,
    alive: Vec<bool>,
    last_ms: Option<i64>,
}

impl Supply {
    pub(super) fn new(feeders: usize, zone: Zone) -> Self {
        Self {
            zone,
            days: [i64::MIN; RING],
            dead: vec![[0; RING]; feeders],
            dead_ms: vec![[0; RING]; feeders],
            alive: vec![true; feeders],
            last_ms: None,
        }
    }

    /// Takes note of the feeders at a moment, and of the time that passed.
    pub(super) fn note(&mut self, at_ms: i64, stations: &[Vec<FeederState>], first: &[usize]) {
        let last = self.last_ms.unwrap_or(at_ms).max(at_ms - 2 * DAY_MS);
        self.last_ms = Some(at_ms);
        let today = self.zone.day(at_ms);
        for day in self.zone.day(last)..=today {
            let place = place(day);
            if self.days[place] != day {
                self.days[place] = day;
                self.dead.iter_mut().for_each(|dead| dead[place] = 0);
                self.dead_ms.iter_mut().for_each(|dead| dead[place] = 0);
            }
        }
        let passed = u32::try_from(at_ms - last).unwrap_or(0);
        let is_dead = |state: &FeederState| !state.supplied;
        let mut touched = Vec::new();
        if stations.iter().flatten().any(is_dead) {
            let of_day = |day| (place(day), half_hours_between(self.zone, day, (last, at_ms)));
            touched.extend((self.zone.day(last)..=today).map(of_day));
        }
        for (states, first) in stations.iter().zip(first) {
            for (n, state) in states.iter().enumerate() {
                let Some(alive) = self.alive.get_mut(first + n) else { continue };
                *alive = state.supplied;
                if !state.supplied {
                    self.note_dead(first + n, &touched, (today, passed));
                }
            }
        }
    }

    /// `touched` are the half hours since the last look, by the place of their day.
    fn note_dead(
        &mut self,
        feeder: usize,
        touched: &[(usize, u64)],
        (today, passed_ms): (i64, u32),
    ) {
        for (place, half_hours) in touched {
            self.dead[feeder][*place] |= half_hours;
        }
        let of_day = &mut self.dead_ms[feeder][place(today)];
        *of_day = of_day.saturating_add(passed_ms);
    }

    /// Half hours of a local day in which a feeder was without supply, one bit each; none of days
    /// that nobody saw.
    pub(super) fn dead(&self, feeder: usize, day: i64) -> u64 {
        if self.days[place(day)] == day { self.dead[feeder][place(day)] } else { 0 }
    }

    /// Minutes of a local day that a feeder was without supply.
    fn dead_minutes(&self, feeder: usize, day: i64) -> u32 {
        let known = self.days[place(day)] == day;
        if known { self.dead_ms[feeder][place(day)] / 60_000 } else { 0 }
    }

    /// Whether a feeder is supplied now.
    pub(super) fn is_alive(&self, feeder: usize) -> bool {
        self.alive[feeder]
    }

    fn was_dead(&self, feeder: usize, at_ms: i64) -> bool {
        let day = self.zone.day(at_ms);
        self.dead(feeder, day) & half_hours_between(self.zone, day, (at_ms, at_ms)) != 0
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.dead.as_slice()) + size_of_val(self.dead_ms.as_slice()) + self.alive.len()
    }
}

fn place(day: i64) -> usize {
    usize::try_from(day.rem_euclid(i64::from(DAYS))).unwrap_or(0)
}

/// The ways from meters to the head-end.
pub(super) struct Ways {
    /// By what local clocks go.
    pub(super) zone: Zone,
    /// One for each station: its valley.
    valleys: Vec<Chance>,
}

impl Ways {
    pub(super) fn new(province: &config::Province) -> Self {
        let valley = |s: &config::Station| Chance::of(province.seed, &format!("{}.valley", s.id));
        Self { zone: province.zone, valleys: province.stations.iter().map(valley).collect() }
    }

    /// The outages of a block's way that touch a window, UTC.
    fn outages(
        &self,
        fleet: &Fleet,
        block: &Block,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = (i64, i64)> {
        let group = &fleet.groups[block.group as usize];
        let valley = self.valleys[group.station];
        let feeder = block.feeder;
        let in_valley = move |(start, _): &(i64, i64)| {
            valley.share(key(36, feeder, start.div_euclid(DAY_MS))) < VALLEY_SHARE
        };
        let own = fleet.is_concentrator(block).then_some(group.chance);
        let own = own
            .into_iter()
            .flat_map(move |chance| CONCENTRATOR.within(chance, block.first, from, to));
        own.chain(VALLEY.within(valley, 0, from, to).filter(in_valley))
    }

    /// Whether a block can be reached, its feeder aside.
    pub(super) fn is_up(&self, fleet: &Fleet, block: &Block, at_ms: i64) -> bool {
        self.outages(fleet, block, at_ms, at_ms + 1).next().is_none()
    }

    /// Whether a block could be reached at a moment of the past.
    pub(super) fn was_up(&self, fleet: &Fleet, block: &Block, supply: &Supply, at_ms: i64) -> bool {
        !supply.was_dead(block.feeder as usize, at_ms) && self.is_up(fleet, block, at_ms)
    }

    /// Minutes of a local day that a concentrator was online. Where its feeder was dead while it
    /// was out for another reason too, both count.
    pub(super) fn minutes_online(
        &self,
        fleet: &Fleet,
        block: &Block,
        supply: &Supply,
        day: i64,
    ) -> u32 {
        let (from, to) = (self.zone.day_begins(day), self.zone.day_begins(day + 1));
        let mut out: Vec<(i64, i64)> = self.outages(fleet, block, from, to).collect();
        out.sort_unstable();
        let (mut covered, mut until) = (0, from);
        for (start, end) in out {
            let (start, end) = (start.max(until), end.min(to));
            covered += (end - start).max(0);
            until = until.max(end);
        }
        let out = u32::try_from(covered / 60_000).unwrap_or(0);
        let dead = supply.dead_minutes(block.feeder as usize, day);
        minutes(self.zone, day).saturating_sub(out + dead)
    }

    /// Whether a meter's node of the radio mesh is cut off.
    pub(super) fn is_cut_off(
        chance: Chance,
        technology: Technology,
        meter: u32,
        at_ms: i64,
    ) -> bool {
        technology == Technology::Radio && NODE.is_out(chance, meter / NODE_METERS, at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_out_for_their_share_of_the_time_and_for_their_mean() {
        let chance = Chance::of(7, "outages");
        for (outages, share, hours) in [(CONCENTRATOR, 0.004, 18.0), (NODE, 0.006, 72.0)] {
            let (from, to) = (0, 400 * DAY_MS);
            let found: Vec<(i64, i64)> = (0..2_000)
                .flat_map(|device| outages.within(chance, device, from, to))
                .map(|(start, end)| (start.max(from), end.min(to)))
                .collect();
            let sum: i64 = found.iter().map(|(start, end)| end - start).sum();
            #[expect(clippy::cast_precision_loss, reason = "a test")]
            let (out, mean) = (
                sum as f64 / (2_000.0 * to as f64),
                sum as f64 / found.len() as f64 / HOUR_MS as f64,
            );
            assert!((out / share - 1.0).abs() < 0.1, "{out} of the time");
            assert!((mean / hours - 1.0).abs() < 0.1, "{mean} h");
        }
    }

    #[test]
    fn a_window_and_a_moment_agree() {
        let chance = Chance::of(7, "outages");
        for device in 0..300 {
            for (start, end) in NODE.within(chance, device, 0, 60 * DAY_MS) {
                assert!(NODE.is_out(chance, device, start));
                assert!(NODE.is_out(chance, device, end - 1) || end == start);
            }
        }
    }

    #[test]
    fn the_supply_of_days_long_gone_is_forgotten() {
        let mut supply = Supply::new(1, Zone::UTC);
        let state = |supplied| vec![vec![FeederState { consumed_kwh: [0.0; 4], supplied }]];
        let day = 19_000;
        supply.note(day * DAY_MS, &state(true), &[0]);
        supply.note(day * DAY_MS + 3 * HOUR_MS + 1, &state(false), &[0]);
        supply.note(day * DAY_MS + 3 * HOUR_MS + 2, &state(true), &[0]);
        assert_eq!(supply.dead(0, day), 0x7F);
        assert_eq!(supply.dead_minutes(0, day), 180);
        assert!(supply.is_alive(0));
        for n in 1..=6 {
            supply.note((day + n) * DAY_MS, &state(true), &[0]);
        }
        assert_eq!(supply.dead(0, day), 0);
        assert_eq!(supply.dead(0, day + 6), 0);
    }
}
