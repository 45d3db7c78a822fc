//! The reading campaigns: which registers and half hours of a day have arrived, block by block.
//!
//! | campaign | of which day | when | counts |
//! |---|---|---|---|
//! | first pass | yesterday | 00:00 to 06:00 | registers of midnight, half hours, concentrators' minutes |
//! | final | three days before | 18:00 to 24:00 | registers and half hours that came with any of twelve attempts |
//!
//! Each block has its own instant within those six hours, so a step reads a few blocks only. What
//! is found follows from the seed and the instant; a campaign that nobody saw (before the start, or
//! while the machine slept) comes out the same when it is caught up with, save that feeders are
//! then taken to have been supplied.

use config::{DAY_MS, MeterFigures, Zone};

use super::days::{HALF_HOUR_MS, HOUR_MS, half_hours, key, minutes};
use super::fleet::{Block, Fleet, Technology};
use super::outages::{Supply, Ways};
use crate::chance::coprime_step;

/// Length of a campaign by the clock: the deadline of the first pass is 06:00.
const WINDOW_MS: i64 = 6 * HOUR_MS;
/// Attempts on a register, one every six hours, the last before the end of D+3.
const ATTEMPTS: usize = 12;
/// The first attempt of the second day after: what is late by a day has arrived, and half hours are filled in.
const NEXT_DAY: usize = 4;
/// Days for which a meter keeps its fate.
const MONTH_DAYS: i64 = 30;
/// Meters that were replaced while the head-end has the old id.
const REPLACED: f64 = 0.001;
/// Meters whose clock is off so far that their half hours are shifted.
const DRIFTED: f64 = 0.003;
/// Registers that roll over or are reset, a day: a negative difference, which is refused.
const RESET_PER_DAY: f64 = 0.000_2 / 365.0;
/// Meters behind a concentrator whose link is good enough for half hours. Assumed.
const GOOD_LINK: f64 = 0.8;

/// What is lost on the last stretch.
struct Losses {
    /// Registers that come a day late.
    late: f64,
    /// Half hours lost, by day and from 18:00 to 22:00. Of the carrier 3.5 % over the day.
    interval: f64,
    interval_evening: f64,
    /// An attempt that fails, by day and in the evening. Assumed for the carrier, else not told
    /// apart from `late`.
    attempt: f64,
    attempt_evening: f64,
}

impl Losses {
    const fn of(technology: Technology) -> Self {
        match technology {
            Technology::Modem => Self {
                late: 0.007,
                interval: 0.007,
                interval_evening: 0.007,
                attempt: 0.0,
                attempt_evening: 0.0,
            },
            Technology::Radio => Self {
                late: 0.015,
                interval: 0.015,
                interval_evening: 0.015,
                attempt: 0.0,
                attempt_evening: 0.0,
            },
            Technology::Carrier => Self {
                late: 0.015,
                interval: 0.03,
                interval_evening: 0.06,
                attempt: 0.03,
                attempt_evening: 0.08,
            },
        }
    }
}

/// Half hours from 18:00 to 22:00, when the carrier is worst.
fn evening(zone: Zone, day: i64) -> u64 {
    let since_midnight = zone.shows(day, 18 * HOUR_MS) - zone.day_begins(day);
    let first = u32::try_from(since_midnight / HALF_HOUR_MS).unwrap_or(0);
    0xFF_u64.checked_shl(first).unwrap_or(0)
}

/// What the campaigns look at.
pub(super) struct Scene<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) ways: &'a Ways,
    pub(super) supply: &'a Supply,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    First,
    Final,
}

impl Pass {
    /// Days from the local day on which it is counted back to the day that it reads, and hours of
    /// that day at which it starts.
    const fn place(self) -> (i64, i64) {
        match self {
            Self::First => (1, 0),
            Self::Final => (3, 18),
        }
    }

    /// When it starts and ends on a local day.
    fn window(self, zone: Zone, day: i64) -> (i64, i64) {
        let start = self.place().1 * HOUR_MS;
        (zone.shows(day, start), zone.shows(day, start + WINDOW_MS))
    }
}

/// A campaign that comes round every day.
pub(super) struct Campaign {
    pass: Pass,
    /// The day that was counted to its end last, and what came of it.
    closed: Option<i64>,
    /// The day that is being counted, how many blocks are, and what came of them.
    running: Option<i64>,
    done: usize,
    tally: Vec<MeterFigures>,
}

impl Campaign {
    pub(super) fn new(pass: Pass, groups: usize) -> Self {
        let tally = vec![MeterFigures::default(); groups];
        Self { pass, closed: None, running: None, done: 0, tally }
    }

    /// Brings the campaign to a moment. The counts of a day that closes are
    /// handed to `publish`: the day, the number of a group, what was counted.
    pub(super) fn advance(
        &mut self,
        scene: &Scene<'_>,
        at_ms: i64,
        mut publish: impl FnMut(u16, u32, &MeterFigures),
    ) {
        let zone = scene.ways.zone;
        // The day whose campaign has started last, and how far that has come.
        let mut on = zone.day(at_ms);
        let (mut starts, mut ends) = self.pass.window(zone, on);
        if at_ms < starts {
            on -= 1;
            (starts, ends) = self.pass.window(zone, on);
        }
        let day = on - self.pass.place().0;
        let last_closed = if at_ms >= ends { day } else { day - 1 };
        let blocks = scene.fleet.blocks.len();
        if self.closed != Some(last_closed) {
            self.count(scene, last_closed, blocks);
            let published = u16::try_from(last_closed).unwrap_or(0);
            for (tally, group) in self.tally.iter().zip(0..) {
                publish(published, group, tally);
            }
            self.closed = Some(last_closed);
            self.running = None;
        }
        if at_ms < ends {
            let into = i128::from(at_ms - starts);
            let share = into * blocks as i128 / i128::from(ends - starts);
            self.count(scene, day, usize::try_from(share).unwrap_or(blocks));
        }
    }

    /// Counts the blocks of a day up to a number of them.
    fn count(&mut self, scene: &Scene<'_>, day: i64, up_to: usize) {
        if self.running != Some(day) {
            self.running = Some(day);
            self.done = 0;
            self.tally.fill(MeterFigures::default());
        }
        for n in self.done..up_to {
            let block = in_turn(scene, n);
            let tally = &mut self.tally[block.group as usize];
            match self.pass {
                Pass::First => first_pass(scene, (block, n), day, tally),
                Pass::Final => final_pass(scene, (block, n), day, tally),
            }
        }
        self.done = self.done.max(up_to);
    }
}

/// What keeps a meter from being read for longer than a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    Replaced,
    Drifted,
}

fn fate(scene: &Scene<'_>, block: &Block, meter: u32, day: i64) -> Fate {
    let chance = scene.fleet.groups[block.group as usize].chance;
    let share = chance.share(key(40, meter, day.div_euclid(MONTH_DAYS)));
    match share {
        _ if share < REPLACED => Fate::Replaced,
        _ if share < REPLACED + DRIFTED => Fate::Drifted,
        _ => Fate::Well,
    }
}

/// How the register of a meter's midnight fares on the last stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Prompt,
    Late,
    Refused,
}

fn delivery(scene: &Scene<'_>, block: &Block, meter: u32, day: i64, losses: &Losses) -> Delivery {
    let chance = scene.fleet.groups[block.group as usize].chance;
    let share = chance.share(key(41, meter, day));
    match share {
        _ if share < losses.late => Delivery::Late,
        _ if share >= 1.0 - RESET_PER_DAY => Delivery::Refused,
        _ => Delivery::Prompt,
    }
}

/// The meters of a block with a proven channel.
fn proven<'a>(scene: &Scene<'a>, block: &Block) -> impl Iterator<Item = u32> + use<'a> {
    let group = &scene.fleet.groups[block.group as usize];
    let mut order = group.order(block.first);
    let remote = u64::from(group.remote);
    (block.first..block.first + block.meters).filter(move |_| {
        let found = order < remote;
        order = group.next_order(order);
        found
    })
}

/// The first pass over a block: what every meter of it has in common.
struct Visit<'a> {
    scene: &'a Scene<'a>,
    block: &'a Block,
    day: i64,
    at_ms: i64,
    technology: Technology,
    losses: Losses,
    up: bool,
}

impl<'a> Visit<'a> {
    fn new(scene: &'a Scene<'a>, block: &'a Block, day: i64, at_ms: i64) -> Self {
        let technology = scene.fleet.technology(block);
        let up = scene.ways.was_up(scene.fleet, block, scene.supply, at_ms);
        Self { scene, block, day, at_ms, technology, losses: Losses::of(technology), up }
    }

    /// How a meter fares that the head-end reaches at all; `None` when it does not.
    fn reached(&self, meter: u32) -> Option<Fate> {
        let chance = self.scene.fleet.groups[self.block.group as usize].chance;
        if !self.up || Ways::is_cut_off(chance, self.technology, meter, self.at_ms) {
            return None;
        }
        Some(fate(self.scene, self.block, meter, self.day)).filter(|fate| *fate != Fate::Replaced)
    }

    /// Whether the register of midnight of a meter that is reached has come.
    fn is_prompt(&self, meter: u32) -> bool {
        let Self { scene, block, day, losses, .. } = self;
        let chance = scene.fleet.groups[block.group as usize].chance;
        delivery(scene, block, meter, *day, losses) == Delivery::Prompt
            && (losses.attempt <= 0.0
                || chance.share(key(attempt_kind(0), meter, *day)) >= losses.attempt)
    }
}

/// Tells of every meter with a proven channel whether the first pass of a day has read it.
pub(super) fn first_readings(scene: &Scene<'_>, day: i64, mut each: impl FnMut(&Block, u32, bool)) {
    let blocks = &scene.fleet.blocks;
    for n in 0..blocks.len() {
        let block = in_turn(scene, n);
        let visit = Visit::new(scene, block, day, attempt_at(scene, (day, 0), n));
        for meter in proven(scene, block) {
            each(block, meter, visit.reached(meter).is_some() && visit.is_prompt(meter));
        }
    }
}

/// The block whose turn in a campaign is the `n`th.
fn in_turn<'a>(scene: &Scene<'a>, n: usize) -> &'a Block {
    let blocks = &scene.fleet.blocks;
    let size = blocks.len() as u64;
    // Neighbours are not read one after the other.
    let place = usize::try_from(n as u64 * coprime_step(size) % size).unwrap_or(0);
    &blocks[place]
}

/// When an attempt on the registers of a day comes to the block whose turn is the `n`th: one every six hours of the
/// clock from midnight on, which takes all of them.
fn attempt_at(scene: &Scene<'_>, (day, attempt): (i64, i64), n: usize) -> i64 {
    let (zone, clock) = (scene.ways.zone, attempt * WINDOW_MS);
    let (starts, ends) = (zone.shows(day + 1, clock), zone.shows(day + 1, clock + WINDOW_MS));
    let into = i128::from(ends - starts) * n as i128 / scene.fleet.blocks.len() as i128;
    starts + i64::try_from(into).unwrap_or(0)
}

fn first_pass(scene: &Scene<'_>, (block, n): (&Block, usize), day: i64, tally: &mut MeterFigures) {
    let visit = Visit::new(scene, block, day, attempt_at(scene, (day, 0), n));
    let profile = Profile::new(scene, block, day, &visit.losses);
    for meter in proven(scene, block) {
        tally.expected += 1;
        let good = profile.has(scene, block, meter);
        if good {
            tally.intervals_expected += half_hours(scene.ways.zone, day);
        }
        let Some(fate) = visit.reached(meter) else { continue };
        tally.first_pass += u32::from(visit.is_prompt(meter));
        if good && fate == Fate::Well {
            tally.intervals += profile.on_time(scene, block, meter);
        }
    }
    if scene.fleet.is_concentrator(block) {
        tally.minutes_expected += minutes(scene.ways.zone, day);
        tally.minutes_online += scene.ways.minutes_online(scene.fleet, block, scene.supply, day);
    }
}

/// Half hours of a day that the meters of a block can have, by day and in the evening.
struct Profile {
    day: i64,
    technology: Technology,
    /// How many there are, of these the share that an attempt loses, and the chance that it loses none.
    slots: [(u32, f64, f64); 2],
}

impl Profile {
    fn new(scene: &Scene<'_>, block: &Block, day: i64, losses: &Losses) -> Self {
        let (zone, dead) = (scene.ways.zone, scene.supply.dead(block.feeder as usize, day));
        let supplied = !dead & ((1 << half_hours(zone, day)) - 1);
        let evening = evening(zone, day);
        let slot = |bits: u64, loss: f64| {
            let n = bits.count_ones();
            (n, loss, libm::pow(1.0 - loss, f64::from(n)))
        };
        let slots = [
            slot(supplied & !evening, losses.interval),
            slot(supplied & evening, losses.interval_evening),
        ];
        Self { day, technology: scene.fleet.technology(block), slots }
    }

    /// Whether a meter is read by half hours at all.
    fn has(&self, scene: &Scene<'_>, block: &Block, meter: u32) -> bool {
        let group = &scene.fleet.groups[block.group as usize];
        group.intervals
            && (self.technology == Technology::Modem
                || group.chance.share(key(42, meter, 0)) < GOOD_LINK)
    }

    /// How many come with the first pass, of a meter that it reaches.
    fn on_time(&self, scene: &Scene<'_>, block: &Block, meter: u32) -> u32 {
        let chance = scene.fleet.groups[block.group as usize].chance;
        let come = |((n, loss, none), kind)| {
            n - lost(n, loss, none, chance.share(key(kind, meter, self.day)))
        };
        self.slots.into_iter().zip([44, 45]).map(come).sum()
    }

    /// How many come with a later attempt, of those that have not come yet: the meter still keeps them, and
    /// each may be lost once more.
    fn later(&self, scene: &Scene<'_>, block: &Block, (meter, n): (u32, usize), left: u32) -> u32 {
        let chance = scene.fleet.groups[block.group as usize].chance;
        let loss = self.slots[0].1;
        let none = libm::pow(1.0 - loss, f64::from(left));
        left - lost(left, loss, none, chance.share(key(attempt_kind(n) + 20, meter, self.day)))
    }

    /// How many the meters can have at most: none while their feeder was without supply.
    fn possible(&self) -> u32 {
        self.slots.iter().map(|(n, ..)| n).sum()
    }
}

/// How many of `n` are lost, each with chance `loss`: the number at which the sum of the binomial
/// chances passes `share`. `none` is the chance that none is.
fn lost(n: u32, loss: f64, none: f64, share: f64) -> u32 {
    let (mut chance, mut sum, mut lost) = (none, none, 0);
    while share >= sum && lost < n {
        chance *= f64::from(n - lost) / f64::from(lost + 1) * loss / (1.0 - loss);
        sum += chance;
        lost += 1;
    }
    lost
}

fn final_pass(
    scene: &Scene<'_>,
    (block, turn): (&Block, usize),
    day: i64,
    tally: &mut MeterFigures,
) {
    let group = &scene.fleet.groups[block.group as usize];
    let technology = scene.fleet.technology(block);
    let losses = Losses::of(technology);
    let mut attempts = [(0, false); ATTEMPTS];
    for ((at, up), n) in attempts.iter_mut().zip(0_i64..) {
        *at = attempt_at(scene, (day, n), turn);
        *up = scene.ways.was_up(scene.fleet, block, scene.supply, *at);
    }
    let profile = Profile::new(scene, block, day, &losses);
    for meter in proven(scene, block) {
        tally.final_expected += 1;
        let reached =
            attempts.map(|(at, up)| up && !Ways::is_cut_off(group.chance, technology, meter, at));
        let fate = fate(scene, block, meter, day);
        let has_profile = profile.has(scene, block, meter);
        if has_profile {
            tally.final_intervals_expected += half_hours(scene.ways.zone, day);
        }
        if fate == Fate::Replaced {
            continue;
        }
        if has_profile && fate == Fate::Well {
            follow_half_hours(scene, block, &profile, (meter, &reached), tally);
        }
        let delivery = delivery(scene, block, meter, day, &losses);
        if delivery == Delivery::Refused {
            continue;
        }
        let first = if delivery == Delivery::Late { NEXT_DAY } else { 0 };
        let arrives = |n: usize| {
            let share = || group.chance.share(key(attempt_kind(n), meter, day));
            let at = attempts[n].0;
            let local = at + scene.ways.zone.ahead_ms(at);
            reached[n] && (losses.attempt <= 0.0 || share() >= attempt_loss(&losses, local))
        };
        tally.final_first_pass += u32::from(first == 0 && arrives(0));
        tally.final_read += u32::from((first..ATTEMPTS).any(arrives));
    }
}

/// Follows the half hours of a meter to their end, attempt by attempt.
fn follow_half_hours(
    scene: &Scene<'_>,
    block: &Block,
    profile: &Profile,
    (meter, reached): (u32, &[bool; ATTEMPTS]),
    tally: &mut MeterFigures,
) {
    let on_time = if reached[0] { profile.on_time(scene, block, meter) } else { 0 };
    tally.final_intervals_on_time += on_time;
    let mut left = profile.possible() - on_time;
    for n in (1..ATTEMPTS).filter(|n| reached[*n]) {
        if left == 0 {
            break;
        }
        let come = profile.later(scene, block, (meter, n), left);
        left -= come;
        let late = n < NEXT_DAY;
        let kept = if late {
            &mut tally.final_intervals_late
        } else {
            &mut tally.final_intervals_backfilled
        };
        *kept += come;
    }
}

/// Tells the attempts on a register apart.
fn attempt_kind(n: usize) -> u8 {
    50 + u8::try_from(n).unwrap_or(0)
}

/// Chance that an attempt fails on the last stretch.
fn attempt_loss(losses: &Losses, local_ms: i64) -> f64 {
    let hour = local_ms.rem_euclid(DAY_MS) / HOUR_MS;
    if (18..22).contains(&hour) { losses.attempt_evening } else { losses.attempt }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_binomial() {
        let (n, loss) = (48, 0.015);
        let none = (1.0_f64 - loss).powi(48);
        let sum: u32 =
            (0..100_000_u32).map(|k| lost(n, loss, none, (f64::from(k) + 0.5) / 100_000.0)).sum();
        assert!((f64::from(sum) / 100_000.0 - 48.0 * loss).abs() < 0.001);
        assert_eq!(lost(0, loss, 1.0, 0.999), 0);
        assert_eq!(lost(3, 0.5, 0.125, 1.0), 3);
    }
}
