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
mod flow;
mod frames;
mod image;
mod load;
mod meters;
mod plant;
mod quantity;
mod server;

use std::sync::Arc;

use config::{ChannelId, LineEnd, PointId, Province, StationId};

use chance::Chance;
use flow::Grid;
pub use image::{Image, Refusal, Sample};
use image::{Layout, UnitImage, metering_unit};
use load::Moment;
use meters::{FeederState, Meters};
use plant::{Now, Plant};
pub use server::{Ports, Simulation, StartError, Traffic};

/// Longest time that counters run on over one step: a machine that slept is not a station that ran.
const STEP_MAX_MS: i64 = 3_600_000;

/// The plant of a province and what it tells each centre.
pub struct Field {
    province: Arc<Province>,
    at_ms: Option<i64>,
    chance: Chance,
    grid: Grid,
    plants: Vec<Plant>,
    meters: Meters,
    /// By station: what hangs on each of its feeders.
    feeders: Vec<Vec<FeederState>>,
    /// What each station sends, point by point.
    samples: Vec<Vec<Sample>>,
    layouts: Vec<Layout>,
    images: Vec<Arc<Image>>,
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
        let meters = Meters::new(&province);
        let units: Vec<Arc<UnitImage>> = province
            .stations
            .iter()
            .enumerate()
            .map(|(n, station)| {
                Arc::new(metering_unit(station, |group, meter| meters.is_proven(n, group, meter)))
            })
            .collect();
        let layouts: Vec<Layout> = province
            .channels
            .iter()
            .map(|channel| Layout::new(&province, channel, &units[channel.station.index()]))
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
        let none = FeederState { consumed_kwh: [0.0; 4], supplied: false };
        let feeders = plants.iter().map(|plant| vec![none; plant.feeder_mw().count()]).collect();
        Self {
            at_ms: None,
            chance,
            grid,
            plants,
            meters,
            feeders,
            samples,
            layouts,
            images,
            province,
        }
    }

    /// Brings the field to a moment, UTC milliseconds since 1970. Moments that are not later than
    /// the last one change nothing.
    pub fn step(&mut self, at_ms: i64) {
        if self.at_ms.is_some_and(|last| at_ms <= last) {
            return;
        }
        let passed_ms = self.at_ms.map_or(0, |last| (at_ms - last).min(STEP_MAX_MS));
        self.at_ms = Some(at_ms);
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
        self.read_meters(at_ms, seconds / 3_600.0);
        for (samples, plant) in self.samples.iter_mut().zip(&self.plants) {
            samples.clear();
            samples.extend(plant.values().iter().copied().map(Sample::good));
        }
        for (n, channel) in province.channels.iter().enumerate() {
            let samples = &self.samples[channel.station.index()];
            self.images[n] = Arc::new(self.layouts[n].image(samples));
        }
    }

    /// Lets the meters count what was drawn, and their readings arrive.
    fn read_meters(&mut self, at_ms: i64, hours: f64) {
        // Until the plant keeps its feeders by load class: what they draw by the station's mix, all
        // alike, less a technical loss.
        const LOSS: f64 = 0.06;
        for ((states, plant), station) in
            self.feeders.iter_mut().zip(&self.plants).zip(&self.province.stations)
        {
            for (state, mw) in states.iter_mut().zip(plant.feeder_mw()) {
                state.supplied = mw > 0.0;
                for (class, share) in &station.load {
                    state.consumed_kwh[*class as usize] +=
                        mw * share * (1.0 - LOSS) * 1_000.0 * hours;
                }
            }
        }
        self.meters.step(at_ms, &self.feeders);
        for (id, station) in self.province.station_ids().zip(&self.province.stations) {
            let Some(figures) = self.meters.news(id.index()) else { continue };
            for centre in self.province.centre_ids() {
                let layout = &mut self.layouts[self.province.channel_id(id, centre).index()];
                layout.set_meter_figures(station, figures);
            }
        }
    }

    /// What the register of a meter shows, kWh: its place in [`config::Station::meters`] and its
    /// number there. `None` for a meter that is not there.
    pub fn meter_kwh(&self, station: StationId, group: usize, meter: u32) -> Option<f64> {
        self.meters.register_kwh((station.index(), group, meter), &self.feeders)
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
