//! The field: a simulated province of unmanned 110 kV substations.
//!
//! [`Field`] is the plant and its register images: synchronous, without sockets or clock, the same
//! bytes for the same seed and the same steps. [`Simulation`] puts it on the network: one Modbus
//! TCP server per channel (a station as one centre sees it).
//!
//! One step goes: loads by hour and season → feeders → incomers → transformers → what each station
//! draws → shared out over the lines (`flow`) → voltages, taps → values of points → registers.
//!
//! ```
//! use std::sync::Arc;
//! use config::{Province, Table};
//!
//! let province = Arc::new(Province::built_in());
//! let mut field = sim::Field::new(Arc::clone(&province));
//! field.step(1_669_188_727_000);
//! let channel = province.channel_id(province.station("HB03").unwrap(), province.centre("CC").unwrap());
//! // Unit 1 is the bay control unit of line 171; its breaker is closed: 10.
//! assert_eq!(field.image(channel).read(1, Table::Discrete, 0, 2), Ok(&[0, 1][..]));
//! ```

mod chance;
pub mod control;
mod events;
pub mod faults;
mod flow;
mod frames;
mod image;
mod load;
mod plant;
mod quantity;
mod server;

use std::sync::Arc;

use config::{ChannelId, LineEnd, PointId, Province, StationId};

use chance::Chance;
pub use events::Event;
use faults::{Faults, pairs};
use flow::Grid;
pub use image::{Image, Refusal, Sample};
use image::{Layout, UnitImage, metering_unit};
use load::Moment;
use plant::{Now, Plant};
pub use server::{Plans, Ports, Simulation, StartError, Traffic};

/// Longest time that counters run on over one step: a machine that slept is not a station that ran.
const STEP_MAX_MS: i64 = 3_600_000;

/// The plant of a province and what it tells each centre.
pub struct Field {
    province: Arc<Province>,
    at_ms: Option<i64>,
    chance: Chance,
    grid: Grid,
    plants: Vec<Plant>,
    /// What each station sends, point by point.
    samples: Vec<Vec<Sample>>,
    layouts: Vec<Layout>,
    images: Vec<Arc<Image>>,
    faults: Faults,
}

impl Field {
    /// The field of a province, before its first step: no measurement has a value.
    pub fn new(province: Arc<Province>) -> Self {
        let plants: Vec<Plant> =
            (0..province.stations.len()).map(|n| Plant::new(&province, n)).collect();
        let in_service = |end: LineEnd| match end {
            LineEnd::Bay(station, bay) => plants[station.index()].is_closed(bay),
            LineEnd::Source(_) => true,
        };
        let grid = Grid::new(&province, |line| {
            line.open_at.is_none() && in_service(line.from) && in_service(line.to)
        });
        let meters: Vec<Arc<UnitImage>> =
            province.stations.iter().map(|s| Arc::new(meters_of(province.seed, s))).collect();
        let layouts: Vec<Layout> = province
            .channels
            .iter()
            .map(|channel| Layout::new(&province, channel, &meters[channel.station.index()]))
            .collect();
        let samples: Vec<Vec<Sample>> = plants
            .iter()
            .map(|plant| plant.values().iter().copied().map(Sample::good).collect())
            .collect();
        let images = layouts
            .iter()
            .zip(&province.channels)
            .map(|(layout, channel)| Arc::new(layout.image(&samples[channel.station.index()])))
            .collect();
        let chance = Chance::of(province.seed, "province");
        let faults = Faults::new(Arc::clone(&province));
        Self { at_ms: None, chance, grid, plants, samples, layouts, images, faults, province }
    }

    /// Brings the field to a moment, UTC milliseconds since 1970. Moments that are not later than
    /// the last one change nothing.
    pub fn step(&mut self, at_ms: i64) {
        if self.at_ms.is_some_and(|last| at_ms <= last) {
            return;
        }
        let passed_ms = self.at_ms.map_or(0, |last| (at_ms - last).min(STEP_MAX_MS));
        self.at_ms = Some(at_ms);
        self.faults.step(at_ms, &pairs(&self.province, &self.samples, &self.images));
        let province = Arc::clone(&self.province);
        let moment = Moment::of(at_ms, province.utc_offset_hours);
        for (n, (plant, station)) in self.plants.iter_mut().zip(&province.stations).enumerate() {
            plant.draw(station, self.grid.is_alive(n), moment, at_ms);
        }
        let demand: Vec<(f64, f64)> = self.plants.iter().map(Plant::demand).collect();
        let flows = self.grid.share_out(&demand);
        // Frequency wanders round 50 Hz within the normal band.
        let hertz = 50.0 + 0.04 * self.chance.wander(0, at_ms, 40);
        #[expect(clippy::cast_precision_loss, reason = "a step is at most an hour")]
        let seconds = passed_ms as f64 / 1_000.0;
        for (n, (plant, station)) in self.plants.iter_mut().zip(&province.stations).enumerate() {
            let mut lines = Vec::new();
            for (line, flow) in province.lines.iter().zip(&flows.lines) {
                for (end, power) in [(line.from, flow.from), (line.to, flow.to)] {
                    if let LineEnd::Bay(station, bay) = end
                        && station.index() == n
                    {
                        lines.push((bay, power));
                    }
                }
            }
            plant.settle(station, flows.kv[n], &lines, at_ms);
            plant.count(seconds);
            plant.measure(station, &Now { at_ms, moment, hertz });
        }
        for (samples, plant) in self.samples.iter_mut().zip(&self.plants) {
            samples.clear();
            samples.extend(plant.values().iter().copied().map(Sample::good));
        }
        self.lay_out(at_ms);
    }

    /// Makes the image of each channel: the samples, and what faults make of them.
    fn lay_out(&mut self, at_ms: i64) {
        for (n, channel) in self.province.channels.iter().enumerate() {
            let samples = &self.samples[channel.station.index()];
            let sent = self.faults.samples(ChannelId::at(n), at_ms, samples);
            let image = self.layouts[n].image(&sent);
            self.images[n] = Arc::new(self.faults.image(ChannelId::at(n), at_ms, image));
        }
        self.faults.tell(&pairs(&self.province, &self.samples, &self.images));
    }

    /// What a channel can be asked for now.
    pub fn image(&self, channel: ChannelId) -> Arc<Image> {
        Arc::clone(&self.images[channel.index()])
    }

    /// True value of a point: in its unit, or a code. Not a number before the first step.
    pub fn value(&self, station: StationId, point: PointId) -> f64 {
        self.plants[station.index()].values()[point.index()]
    }
}

/// The metering unit of a station. Of each group exactly as many meters have a proven channel as
/// the contract says, spread over the group by chance.
fn meters_of(seed: u64, station: &config::Station) -> UnitImage {
    metering_unit(station, |group| {
        // A fixed order of the group by an affine walk with a step that shares no factor with its
        // size; the first `remote` of that order have a channel.
        let (size, remote) = (u64::from(group.installed), u64::from(group.remote));
        let name = format!("{}.{}.{}", station.id, group.district, group.class);
        let step = coprime_step(size);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a 32-bit number"
        )]
        let shift = (Chance::of(seed, &name).share(0) * f64::from(group.installed)) as u64;
        move |meter| (u64::from(meter) * step + shift) % size < remote
    })
}

/// A number near the golden section of `size` that shares no factor with it.
fn coprime_step(size: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // 0.618 spreads best.
    let near = (size * 618 / 1_000).max(1);
    (near..=near + size).find(|step| gcd(*step, size) == 1).unwrap_or(1)
}
