//! The field: a simulated province of unmanned 110 kV substations.
//!
//! [`Field`] is the plant and its register images: synchronous, without sockets or clock, the same
//! bytes for the same seed and the same steps. [`Simulation`] puts it on the network: one Modbus
//! TCP server per channel (a station as one centre sees it).
//!
//! One second goes: what is due in the plant happens → loads → power flow → controls and counters →
//! values of points (`plant`) → measuring chain (`chain`) → registers (`image`).
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
//! assert_eq!(field.image(channel).read(1, Table::Discrete, 0, 2), Ok(vec![0, 1]));
//! ```

mod agenda;
mod automation;
mod chain;
mod chance;
mod commands;
mod events;
mod frames;
mod image;
mod load;
mod network;
mod outages;
mod plant;
mod protection;
mod quantity;
mod scheme;
mod server;
mod station;
mod switching;
mod weather;

use std::sync::Arc;

use config::{ChannelId, PointId, Province, StationId, blocks};

use chain::Chain;
pub use chain::tolerance;
use chance::Chance;
use commands::Commands;
pub use commands::Outcome;
pub use events::Event;
use events::Ring;
use image::{Blocks, Layout, UnitImage, metering_unit};
pub use image::{Image, Refusal, Sample};
pub use outages::{Outage, SUSTAINED_MS};
use plant::Plant;
pub use protection::Fault;
pub use server::{Ports, Simulation, StartError, Traffic};
use switching::What;

/// The plant lives second by second.
const SECOND_MS: i64 = 1_000;
/// A longer time than this is not lived through but passed over: counters run on, what was due
/// happens, and the present is as after a quiet while.
const LEAP_MS: i64 = 300_000;
/// Counters do not run on over more than this: a machine that slept is not a station that ran.
const COUNTED_MS: i64 = 3_600_000;

/// The plant of a province and what it tells each centre.
pub struct Field {
    province: Arc<Province>,
    at_ms: Option<i64>,
    seconds: u64,
    plant: Plant,
    commands: Commands,
    chains: Vec<Chain>,
    /// What each station sends, point by point.
    samples: Vec<Vec<Sample>>,
    layouts: Vec<Layout>,
    /// Events by channel and unit.
    rings: Vec<Vec<Arc<Ring>>>,
    /// Those of the last step.
    events: Vec<Event>,
}

impl Field {
    /// The field of a province, before its first step: no measurement has a value.
    pub fn new(province: Arc<Province>) -> Self {
        let meters: Vec<Arc<UnitImage>> =
            province.stations.iter().map(|s| Arc::new(meters_of(province.seed, s))).collect();
        let layouts: Vec<Layout> = province
            .channels
            .iter()
            .map(|channel| Layout::new(&province, channel, &meters[channel.station.index()]))
            .collect();
        let rings = province
            .channels
            .iter()
            .map(|channel| {
                let units = province.stations[channel.station.index()].units.len();
                (0..units).map(|_| Arc::new(Ring::default())).collect()
            })
            .collect();
        let plant = Plant::new(Arc::clone(&province));
        let samples: Vec<Vec<Sample>> = plant
            .stations
            .iter()
            .map(|station| station.values().iter().copied().map(Sample::good).collect())
            .collect();
        let chains = (0..province.stations.len()).map(|n| Chain::new(&province, n)).collect();
        Self {
            at_ms: None,
            seconds: 0,
            commands: Commands::new(&province),
            chains,
            plant,
            samples,
            layouts,
            rings,
            events: Vec::new(),
            province,
        }
    }

    /// Brings the field to a moment, UTC milliseconds since 1970, second by second. Moments that
    /// are not later than the last one change nothing, and nothing happens within a second: the
    /// field is always at a whole one.
    pub fn step(&mut self, at_ms: i64) {
        let at_ms = at_ms.div_euclid(SECOND_MS) * SECOND_MS;
        self.events.clear();
        let Some(mut last) = self.at_ms else {
            self.second(at_ms, 0);
            return;
        };
        if at_ms - last > LEAP_MS {
            self.second(at_ms, (at_ms - last).min(COUNTED_MS));
            return;
        }
        while last < at_ms {
            last += SECOND_MS;
            self.second(last, SECOND_MS);
        }
    }

    /// Lives through the time up to `at_ms`, of which `passed_ms` count.
    fn second(&mut self, at_ms: i64, passed_ms: i64) {
        #[expect(clippy::cast_precision_loss, reason = "at most an hour")]
        let seconds = passed_ms as f64 / 1_000.0;
        self.at_ms = Some(at_ms);
        self.seconds += 1;
        self.plant.advance(at_ms, seconds);
        self.commands.follow(&mut self.plant);
        self.plant.measure();
        let stations = self.plant.stations.iter().zip(&self.chains);
        for ((station, chain), samples) in stations.zip(&mut self.samples) {
            chain.send(station.values(), at_ms, samples);
        }
        self.record();
    }

    /// Takes the events of the plant into the rings of every channel that has their points.
    fn record(&mut self) {
        for event in self.plant.take_events() {
            let station = &self.province.stations[event.station.index()];
            let point = &station.points[event.point.index()];
            if point.spec.time_tag.is_none() {
                continue;
            }
            for centre in self.province.centre_ids() {
                let channel = self.province.channel_id(event.station, centre);
                let entry = &self.province.channels[channel.index()].entries[event.point.index()];
                let Some(register) = entry.register else { continue };
                let unit = usize::from(register.unit).wrapping_sub(1);
                if let Some(ring) = self.rings[channel.index()].get_mut(unit) {
                    let double = point.spec.kind == config::Kind::DoublePoint;
                    Arc::make_mut(ring).record(&event, register.address, double);
                }
            }
            self.events.push(event);
        }
    }

    /// What a channel can be asked for now.
    pub fn image(&self, channel: ChannelId) -> Arc<Image> {
        let station = self.province.channels[channel.index()].station.index();
        let rings = &self.rings[channel.index()];
        let at_ms = self.at_ms.unwrap_or(0);
        let blocks_of = |unit: u8| {
            let ring = rings.get(usize::from(unit) - 1).cloned().unwrap_or_default();
            let header = self.header(&ring, channel);
            Blocks { header, ring, command: self.commands.cells(&self.plant, station, unit, at_ms) }
        };
        Arc::new(self.layouts[channel.index()].image(&self.samples[station], blocks_of))
    }

    /// Header in front of the event ring of a unit.
    fn header(&self, ring: &Ring, channel: ChannelId) -> [u16; 12] {
        let halves = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes();
            [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
        };
        let ([sum, sum_low], [new, new_low], [old, old_low]) = (
            halves(self.layouts[channel.index()].checksum()),
            halves(ring.newest()),
            halves(ring.oldest()),
        );
        let alive = u16::try_from(self.seconds & 0xFFFF).unwrap_or(0);
        let (restarts, clock) = (0, 1);
        let records = blocks::EVENT_RECORDS;
        [
            blocks::MARKER,
            blocks::VERSION,
            sum,
            sum_low,
            alive,
            restarts,
            new,
            new_low,
            old,
            old_low,
            clock,
            records,
        ]
    }

    /// True value of a point: in its unit, or a code. Not a number before the first step.
    pub fn value(&self, station: StationId, point: PointId) -> f64 {
        self.plant.stations[station.index()].values()[point.index()]
    }

    /// What a station sends of a point.
    pub fn sample(&self, station: StationId, point: PointId) -> Sample {
        self.samples[station.index()][point.index()]
    }

    /// Changes of state during the last step, in the order of their time.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Interruptions of supply since the start: those that ended, then those that last.
    pub fn outages(&self) -> Vec<Outage> {
        self.plant.outages.all()
    }

    /// A short circuit at a moment that is still to come, on the line or the feeder of a bay or in
    /// its transformer. What is dead then, or switched off, is not struck.
    pub fn strike(&mut self, at_ms: i64, station: StationId, bay: usize, fault: Fault) {
        self.plant.later(at_ms, station.index(), What::Strike { bay, fault });
    }

    /// Takes so many hertz off the frequency of the grid until a moment.
    pub fn dip(&mut self, hertz: f64, until_ms: i64) {
        self.plant.dip = (hertz, until_ms);
    }

    /// Sets a status as the plant has it, at a moment that is still to come: a key turned, gas
    /// lost, a switch moved by hand.
    pub fn set(&mut self, at_ms: i64, station: StationId, point: PointId, code: u8) {
        let (station, point) = (station.index(), point.index());
        self.plant.later(at_ms, station, What::Set { point, code });
    }

    /// Takes a write of registers from a centre: a command, or a clock.
    ///
    /// # Errors
    /// The exception to answer with when it is neither.
    pub fn write_registers(
        &mut self,
        at_ms: i64,
        channel: ChannelId,
        unit: u8,
        address: u16,
        values: &[u16],
    ) -> Result<(), Refusal> {
        let at_ms = at_ms.max(self.at_ms.unwrap_or(at_ms));
        self.commands.write_registers(&mut self.plant, at_ms, channel, (unit, address, values))?;
        self.show_results(channel);
        Ok(())
    }

    /// Takes a write of a coil from a centre: a command that is one pulse.
    ///
    /// # Errors
    /// Exception 02 when no command stands there.
    pub fn write_coil(
        &mut self,
        at_ms: i64,
        channel: ChannelId,
        unit: u8,
        address: u16,
        on: bool,
    ) -> Result<(), Refusal> {
        let at_ms = at_ms.max(self.at_ms.unwrap_or(at_ms));
        self.commands.write_coil(&mut self.plant, at_ms, channel, (unit, address, on))
    }

    /// What came of a command can be read at once, not only after the next second.
    fn show_results(&mut self, channel: ChannelId) {
        let station = self.province.channels[channel.index()].station.index();
        let points = &self.province.stations[station].points;
        for (n, _) in points.iter().enumerate().filter(|(_, p)| p.spec.kind.is_command()) {
            self.samples[station][n] = Sample::good(self.plant.stations[station].held(n));
        }
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
