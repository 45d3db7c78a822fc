//! Who hangs where: which feeder and load class each meter belongs to, which share of its energy
//! it counts, and who its concentrator is. All of it follows from the contract, the seed and the
//! number of a meter, so a meter itself takes no memory at all.

use config::{MeterGroup, Province, Station, run_start};

use super::days::key;
use crate::chance::{Chance, coprime_step};
use crate::plant::station::FeederState;

/// Meters that one concentrator reads (the trade's "about 250 neighbours").
pub(super) const NEIGHBOURS: u32 = 250;
/// Lowest and highest share of a pair in its group, relative: households differ by this much.
const WEIGHT: (f64, f64) = (50.0, 1_000.0);
/// How far a meter's half hour may lie from the shape of its load class: 0.9 of it. Below 1, so
/// that no half hour is negative.
const DEVIATION: f64 = 0.9;
/// Highest reading of a direct meter, kWh (five digits), and of one behind transformers.
const REGISTER_KWH: (f64, f64) = (1e5, 1e8);
/// Classes of at least this size are measured behind current transformers.
const TRANSFORMER_SIZE: u64 = 50;

/// How a meter is read from afar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Technology {
    /// A modem of its own.
    Modem,
    /// Radio mesh to a concentrator.
    Radio,
    /// Power-line carrier to a concentrator.
    Carrier,
}

/// What a class of meters may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    One(Technology),
    /// One concentrator has this, the next that.
    RadioOrCarrier,
}

impl Means {
    /// From the words of the contract: whatever is neither RF nor PLC has a modem.
    fn of(technology: &str) -> Self {
        let upper = technology.to_uppercase();
        let has = |word| upper.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
        match (has("RF"), has("PLC")) {
            (true, true) => Self::RadioOrCarrier,
            (true, false) => Self::One(Technology::Radio),
            (false, true) => Self::One(Technology::Carrier),
            (false, false) => Self::One(Technology::Modem),
        }
    }
}

/// Meters of one class in one district behind one station.
pub(super) struct Group {
    pub(super) chance: Chance,
    pub(super) station: usize,
    pub(super) installed: u32,
    pub(super) remote: u32,
    pub(super) sold: bool,
    means: Means,
    /// Half hours are read at least where the link allows it; of pure PLC, daily registers only.
    pub(super) intervals: bool,
    size: u64,
    step: u64,
    shift: u64,
    /// Its runs: a range of [`Fleet::runs`].
    runs: std::ops::Range<usize>,
}

impl Group {
    /// Where a meter stands in the fixed order of its group. The first `remote` of that order have
    /// a proven channel.
    pub(super) fn order(&self, meter: u32) -> u64 {
        (u64::from(meter) * self.step + self.shift) % u64::from(self.installed.max(1))
    }

    /// From the place of one meter to that of the next.
    pub(super) fn next_order(&self, order: u64) -> u64 {
        let next = order + self.step;
        let size = u64::from(self.installed.max(1));
        if next >= size { next - size } else { next }
    }

    /// Whether a remote channel to a meter is proven.
    pub(super) fn is_proven(&self, meter: u32) -> bool {
        self.order(meter) < u64::from(self.remote)
    }
}

/// Meters of a group on one feeder: neighbours by number.
struct Run {
    group: u32,
    /// Among the feeders of the province.
    feeder: u32,
    first: u32,
    meters: u32,
    /// Meters of the run up to the end of each load class.
    ends: [u32; 4],
}

/// Meters that are read together: those of a concentrator, or as many with modems of their own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) group: u32,
    pub(super) feeder: u32,
    /// First meter in the group.
    pub(super) first: u32,
    pub(super) meters: u32,
}

/// Weights of what hangs on a feeder.
#[derive(Debug, Clone, Copy, Default)]
struct Weights {
    /// Of meters that sell energy, by load class.
    sold: [u64; 4],
    /// Of these, of those behind public stations: without a modem of their own.
    public: [u64; 4],
    /// Of meters that total areas.
    totals: u64,
}

/// All meters of a province.
pub(super) struct Fleet {
    pub(super) groups: Vec<Group>,
    pub(super) blocks: Vec<Block>,
    /// First group of each station.
    first_group: Vec<usize>,
    /// First feeder of each station among those of the province.
    pub(super) first_feeder: Vec<usize>,
    runs: Vec<Run>,
    weights: Vec<Weights>,
    /// Energy over which a deviation swings, kWh by feeder and load class: that of an hour.
    swings: Vec<[f64; 4]>,
}

/// A meter, found: what its reading follows from.
#[derive(Clone, Copy)]
struct Found {
    run: usize,
    /// Load class; those that total areas have none.
    class: Option<usize>,
    /// Number of its pair within the run and class, and which of the two it is; 0 for a meter
    /// without a partner.
    pair: u32,
    side: f64,
}

impl Fleet {
    pub(super) fn new(province: &Province) -> Self {
        let mut fleet = Self {
            groups: Vec::new(),
            blocks: Vec::new(),
            first_group: Vec::new(),
            first_feeder: Vec::new(),
            runs: Vec::new(),
            weights: Vec::new(),
            swings: Vec::new(),
        };
        for (n, station) in province.stations.iter().enumerate() {
            fleet.first_group.push(fleet.groups.len());
            fleet.first_feeder.push(fleet.weights.len());
            let feeders = station.feeder_bays().count();
            for _ in 0..feeders {
                fleet.weights.push(Weights::default());
                fleet.swings.push(swings(station, feeders));
            }
            for group in &station.meters {
                fleet.add_group(province, n, group, feeders);
            }
        }
        for run in 0..fleet.runs.len() {
            fleet.weigh(run);
        }
        fleet.blocks.shrink_to_fit();
        fleet
    }

    fn add_group(&mut self, province: &Province, n: usize, group: &MeterGroup, feeders: usize) {
        let station = &province.stations[n];
        let class = &province.meter_classes[group.class];
        let means = Means::of(&class.technology.en);
        let name = format!("{}.{}.{}", station.id, group.district, group.class);
        let chance = Chance::of(province.seed, &name);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a 32-bit number"
        )]
        let shift = (chance.share(0) * f64::from(group.installed)) as u64;
        let first_run = self.runs.len();
        let of_load = load_of(province, station, group);
        for feeder in 0..feeders {
            let at = |n: usize| run_start(group.installed, n as u64, feeders as u64);
            let (first, end) = (at(feeder), at(feeder + 1));
            self.runs.push(Run {
                group: u32::try_from(self.groups.len()).unwrap_or(u32::MAX),
                feeder: u32::try_from(self.first_feeder[n] + feeder).unwrap_or(u32::MAX),
                first,
                meters: end - first,
                ends: ends(&of_load, end - first),
            });
        }
        self.groups.push(Group {
            chance,
            station: n,
            installed: group.installed,
            remote: group.remote,
            sold: class.sold,
            means,
            intervals: means != Means::One(Technology::Carrier),
            size: u64::from(class.size),
            step: coprime_step(u64::from(group.installed)),
            shift,
            runs: first_run..self.runs.len(),
        });
        for run in first_run..self.runs.len() {
            self.add_blocks(run);
        }
    }

    /// Concentrators of a run; meters with modems are taken together in the same number.
    fn add_blocks(&mut self, run: usize) {
        let run = &self.runs[run];
        let group = &self.groups[run.group as usize];
        if group.remote == 0 || run.meters == 0 {
            return;
        }
        let proven = u64::from(run.meters) * u64::from(group.remote) / u64::from(group.installed);
        let blocks = (proven + u64::from(NEIGHBOURS) / 2) / u64::from(NEIGHBOURS);
        let blocks = blocks.max(1);
        for n in 0..blocks {
            let first = run_start(run.meters, n, blocks);
            self.blocks.push(Block {
                group: run.group,
                feeder: run.feeder,
                first: run.first + first,
                meters: run_start(run.meters, n + 1, blocks) - first,
            });
        }
    }

    /// Adds the weights of a run to those of its feeder.
    fn weigh(&mut self, run: usize) {
        let of_run = &self.runs[run];
        let group = &self.groups[of_run.group as usize];
        // Without any proven channel there are no modems: hand-held and mechanical meters.
        let modem = group.means == Means::One(Technology::Modem) && group.remote > 0;
        let mut sums = [0; 4];
        let mut from = 0;
        for (class, sum) in sums.iter_mut().enumerate() {
            let meters = of_run.ends[class] - from;
            let pairs: u64 = (0..meters / 2).map(|pair| 2 * self.weight(run, class, pair)).sum();
            let last = if meters % 2 == 1 { self.weight(run, class, meters / 2) } else { 0 };
            *sum = pairs + last;
            from = of_run.ends[class];
        }
        let weights = &mut self.weights[of_run.feeder as usize];
        if !group.sold {
            weights.totals += sums.iter().sum::<u64>();
            return;
        }
        for (class, sum) in sums.into_iter().enumerate() {
            weights.sold[class] += sum;
            weights.public[class] += if modem { 0 } else { sum };
        }
    }

    /// Weight of each meter of a pair: many small ones, few large.
    fn weight(&self, run: usize, class: usize, pair: u32) -> u64 {
        let of_run = &self.runs[run];
        let group = &self.groups[of_run.group as usize];
        let share = group.chance.share(key(1 + class_tag(class), of_run.first + pair, 0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between the two bounds"
        )]
        let weight = (WEIGHT.0 + (WEIGHT.1 - WEIGHT.0) * share * share) as u64;
        weight * group.size
    }

    /// Number of a group among those of the province.
    pub(super) fn group(&self, station: usize, group: usize) -> Option<usize> {
        let end = self.first_group.get(station + 1).copied().unwrap_or(self.groups.len());
        let found = self.first_group.get(station)? + group;
        (found < end).then_some(found)
    }

    /// Station of a group, and its place in [`Station::meters`].
    pub(super) fn place(&self, group: u32) -> (usize, usize) {
        let station = self.groups[group as usize].station;
        (station, group as usize - self.first_group[station])
    }

    fn find(&self, group: usize, meter: u32) -> Option<Found> {
        let of_group = self.groups.get(group).filter(|g| meter < g.installed)?;
        let runs = &self.runs[of_group.runs.clone()];
        let in_group = runs.partition_point(|run| run.first + run.meters <= meter);
        let run = runs.get(in_group)?;
        let at = meter - run.first;
        let class = run.ends.iter().position(|end| at < *end)?;
        let from = if class == 0 { 0 } else { run.ends[class - 1] };
        let (place, meters) = (at - from, run.ends[class] - from);
        let alone = place + 1 == meters && meters % 2 == 1;
        Some(Found {
            run: of_group.runs.start + in_group,
            class: of_group.sold.then_some(class),
            pair: place / 2,
            side: match place % 2 {
                _ if alone => 0.0,
                0 => 1.0,
                _ => -1.0,
            },
        })
    }

    /// What a meter has counted since the start of the simulation, kWh.
    ///
    /// A meter that sells energy counts its share of what its load class drew on its feeder, more
    /// or less by a deviation that its partner has the other way round. Those that do not sell
    /// total the areas behind public stations: what all meters without a modem of their own count.
    pub(super) fn consumed_kwh(
        &self,
        group: usize,
        meter: u32,
        feeders: &[Vec<FeederState>],
    ) -> Option<f64> {
        let found = self.find(group, meter)?;
        let feeder = self.runs[found.run].feeder as usize;
        let station = self.groups[group].station;
        let in_station = feeder - self.first_feeder[station];
        let drawn = feeders.get(station)?.get(in_station)?.consumed_kwh;
        Some(self.of_found(group, meter, found, drawn))
    }

    /// The same of a meter that is there, when so much was `drawn` on its feeder by load class.
    pub(super) fn counted_kwh(&self, group: u32, meter: u32, drawn: [f64; 4]) -> f64 {
        let group = group as usize;
        self.find(group, meter).map_or(0.0, |found| self.of_found(group, meter, found, drawn))
    }

    fn of_found(&self, group: usize, meter: u32, found: Found, drawn: [f64; 4]) -> f64 {
        let run = &self.runs[found.run];
        let feeder = run.feeder as usize;
        let of_group = &self.groups[group];
        let weights = &self.weights[feeder];
        // Those without a load class of their own are weighed by where they stand.
        let class = found.class.unwrap_or_else(|| {
            let at = meter - run.first;
            run.ends.iter().position(|end| at < *end).unwrap_or(0)
        });
        let weight = self.weight(found.run, class, found.pair);
        let (phi, whole, swing) = if found.class.is_some() {
            (drawn[class], weights.sold[class], self.swings[feeder][class])
        } else {
            let behind =
                |class: usize| drawn[class] * ratio(weights.public[class], weights.sold[class]);
            ((0..4).map(behind).sum(), weights.totals, self.swings[feeder].iter().sum())
        };
        let tag = key(9 + class_tag(class), run.first + found.pair, 0);
        let deviation = found.side * deviation(of_group.chance, tag, phi, swing);
        ratio(weight, whole) * (phi + deviation)
    }

    /// Runs: meters of a group on a feeder.
    pub(super) fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// Group of a run, its meters, and its feeder among those of the province.
    pub(super) fn run(&self, run: usize) -> (u32, std::ops::Range<u32>, usize) {
        let Run { group, feeder, first, meters, .. } = self.runs[run];
        (group, first..first + meters, feeder as usize)
    }

    /// Feeder of a run among those of the province.
    pub(super) fn feeder_of_run(&self, run: usize) -> usize {
        self.runs[run].feeder as usize
    }

    /// What the register of a meter shows, kWh: it rolls over like the real ones.
    pub(super) fn register_kwh(
        &self,
        group: usize,
        meter: u32,
        feeders: &[Vec<FeederState>],
    ) -> Option<f64> {
        let of_group = self.groups.get(group)?;
        let counted = self.consumed_kwh(group, meter, feeders)?;
        let direct = of_group.size < TRANSFORMER_SIZE;
        let highest = if direct { REGISTER_KWH.0 } else { REGISTER_KWH.1 };
        let start = highest * of_group.chance.share(key(20, meter, 0));
        Some((start + counted).rem_euclid(highest))
    }

    /// Meters of a group on a feeder.
    #[cfg(test)]
    pub(super) fn on_feeder(&self, group: usize, feeder: usize) -> std::ops::Range<u32> {
        let runs = &self.runs[self.groups[group].runs.clone()];
        let found = runs.iter().find(|run| run.feeder as usize == feeder);
        found.map_or(0..0, |run| run.first..run.first + run.meters)
    }

    /// How the meters of a block are read.
    pub(super) fn technology(&self, block: &Block) -> Technology {
        let group = &self.groups[block.group as usize];
        match group.means {
            Means::One(technology) => technology,
            Means::RadioOrCarrier if group.chance.share(key(21, block.first, 0)) < 0.5 => {
                Technology::Radio
            }
            Means::RadioOrCarrier => Technology::Carrier,
        }
    }

    /// Whether a block is a concentrator, and not meters with modems of their own.
    pub(super) fn is_concentrator(&self, block: &Block) -> bool {
        self.groups[block.group as usize].means != Means::One(Technology::Modem)
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.groups.as_slice())
            + size_of_val(self.blocks.as_slice())
            + size_of_val(self.runs.as_slice())
            + size_of_val(self.weights.as_slice())
            + size_of_val(self.swings.as_slice())
    }
}

fn class_tag(class: usize) -> u8 {
    u8::try_from(class).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "sums of weights are far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Shares of the load classes among the meters of a group: those of the station, as far as the
/// class of meters serves them. A load class that no class of meters here serves is everybody's.
fn load_of(province: &Province, station: &Station, group: &MeterGroup) -> [f64; 4] {
    let serves = |group: &MeterGroup, class| {
        let of_group = &province.meter_classes[group.class];
        of_group.sold && of_group.load.contains(&class)
    };
    let mut shares = [0.0; 4];
    for (class, share) in &station.load {
        let somebody = station.meters.iter().any(|g| g.installed > 0 && serves(g, *class));
        if serves(group, *class) || !somebody {
            shares[*class as usize] += share;
        }
    }
    if shares.iter().sum::<f64>() <= 0.0 {
        // Nobody here draws what these meters are for: they belong to the largest class.
        let largest = station.load.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        shares[largest.map_or(0, |(class, _)| *class as usize)] = 1.0;
    }
    shares
}

/// Meters up to the end of each load class: in proportion, but two at least of each class that is
/// served, as long as there are enough.
fn ends(shares: &[f64; 4], meters: u32) -> [u32; 4] {
    let served = shares.iter().filter(|share| **share > 0.0).count();
    let least = if meters as usize >= 2 * served { 2 } else { 0 };
    let sum: f64 = shares.iter().sum();
    let mut counts = shares.map(|share| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a 32-bit number"
        )]
        let count = (share / sum * f64::from(meters)) as u32;
        if share > 0.0 { count.max(least) } else { 0 }
    });
    // The rest, or what is too many, is the largest class's.
    let largest = (0..4).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap_or(0);
    let others: u32 = (0..4).filter(|n| *n != largest).map(|n| counts[n]).sum();
    counts[largest] = meters.saturating_sub(others);
    let mut end = 0;
    counts.map(|count| {
        end = (end + count).min(meters);
        end
    })
}

/// Energy of an hour at the peak on each of `feeders` equal feeders, kWh by load class.
fn swings(station: &Station, feeders: usize) -> [f64; 4] {
    let mut swings = [1.0; 4];
    #[expect(clippy::cast_precision_loss, reason = "a few dozen feeders")]
    let feeders = feeders.max(1) as f64;
    for (class, share) in &station.load {
        swings[*class as usize] = (station.peak_mw * 1_000.0 * share / feeders).max(1.0);
    }
    swings
}

/// A function of the energy drawn that wanders about zero and rises or falls by less than
/// [`DEVIATION`] of it: where nothing is drawn, nothing deviates.
fn deviation(chance: Chance, tag: u64, phi: f64, swing: f64) -> f64 {
    let at = phi / swing;
    #[expect(clippy::cast_possible_truncation, reason = "hours of energy since the start")]
    let n = at.floor() as i64;
    let knot = |n: i64| chance.share(tag ^ (n.cast_unsigned() & 0xFF_FFFF)) - 0.5;
    let (from, to) = (knot(n), knot(n + 1));
    DEVIATION * swing * (from + (to - from) * (at - at.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_s_words_say_how_meters_are_read() {
        assert_eq!(Means::of("RF/PLC"), Means::RadioOrCarrier);
        assert_eq!(Means::of("rf"), Means::One(Technology::Radio));
        assert_eq!(Means::of("PLC"), Means::One(Technology::Carrier));
        assert_eq!(Means::of("4G"), Means::One(Technology::Modem));
        assert_eq!(Means::of(""), Means::One(Technology::Modem));
    }

    #[test]
    fn load_classes_share_the_meters_of_a_run_and_each_has_some() {
        assert_eq!(ends(&[0.4, 0.1, 0.0, 0.5], 100), [40, 50, 50, 100]);
        assert_eq!(ends(&[0.999, 0.001, 0.0, 0.0], 100), [98, 100, 100, 100]);
        assert_eq!(ends(&[0.5, 0.0, 0.0, 0.5], 3), [1, 1, 1, 3]);
        assert_eq!(ends(&[1.0, 0.0, 0.0, 0.0], 0), [0; 4]);
    }

    #[test]
    fn a_deviation_never_takes_back_what_was_drawn() {
        let chance = Chance::of(1, "m");
        let at = |phi: f64| phi + deviation(chance, 77, phi, 40.0);
        for n in 0..5_000_i32 {
            let phi = f64::from(n) * 0.7;
            assert!(at(phi + 0.7) > at(phi));
            assert!((at(phi) - phi).abs() < 40.0);
        }
    }
}
