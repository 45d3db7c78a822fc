//! The plant, and what its stations tell each centre: samples, records, register images.

pub(crate) mod chain;
pub(crate) mod commands;
pub(crate) mod conduct;
pub(crate) mod image;
pub(crate) mod ring;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use config::{ChannelId, Decoded, PointId, Province, StationId, blocks};

use crate::meters::Meters;
use crate::plant::Plant;
use crate::plant::event::Event;
use crate::plant::station::FeederState;
use chain::Chain;
use commands::Commands;
use image::{Blocks, DeviceImage, Image, Layout, Refusal, SentSample, metering_unit};
use ring::Ring;

/// What is true of a point, and what a centre gets of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// In the unit of the point, or a code.
    pub true_value: f64,
    /// What the centre's map makes of the cells; `None` when they are no value or refused.
    pub sent: Option<f64>,
}

/// What comes between what a station sends and what each centre gets.
pub(crate) trait Interference {
    /// Whether it touches a channel, or has until just now.
    fn touch(&self, channel: ChannelId) -> bool;

    /// What a channel sends of each point, given what is true. Costs nothing where nothing interferes.
    fn samples<'a>(
        &mut self,
        channel: ChannelId,
        at_ms: i64,
        samples: &'a [SentSample],
    ) -> Cow<'a, [SentSample]>;

    /// What a channel can be asked for, given the image without interference.
    fn image(&mut self, channel: ChannelId, at_ms: i64, image: Image) -> Image;

    /// The records that a channel sends, given the true changes of its station after the first and
    /// up to the second moment of `span`, in the order in which they are sent. Must be called once for
    /// each step, after the samples. Costs nothing where nothing interferes.
    fn alter_events<'a>(
        &mut self,
        channel: ChannelId,
        span: (i64, i64),
        events: &'a [Event],
    ) -> Cow<'a, [Event]>;

    /// What the clock of a unit shows at a moment, as a channel sees it.
    fn clock(&self, channel: ChannelId, unit: u8, at_ms: i64) -> i64;
}

/// The plant and its telemetry, as they are without faults of the telemetry.
pub(crate) struct Telemetry {
    pub(crate) province: Arc<Province>,
    pub(crate) plant: Plant,
    commands: Commands,
    chains: Vec<Chain>,
    meters: Meters,
    /// What hangs on each feeder, station by station.
    feeders: Vec<Vec<FeederState>>,
    /// What each station sends, point by point.
    pub(crate) samples: Vec<Vec<SentSample>>,
    /// Which of them are news since the layouts took them over.
    news: Vec<Vec<usize>>,
    layouts: Vec<Layout>,
    /// Records by channel and unit.
    rings: Vec<Vec<Arc<Ring>>>,
    /// What each channel can be asked for; made when somebody asks.
    images: Vec<OnceLock<Arc<Image>>>,
    /// Alarms of the clocks of each station: of which unit, `None` for all, and which point.
    clocks: Vec<Vec<(Option<u8>, usize)>>,
    /// Changes of state of the last step.
    pub(crate) events: Vec<Event>,
    pub(crate) at_ms: Option<i64>,
}

impl Telemetry {
    pub(crate) fn new(province: Arc<Province>) -> Self {
        let meters = Meters::new(&province);
        let units: Vec<Arc<DeviceImage>> = province
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
        let rings = province
            .channels
            .iter()
            .map(|channel| {
                let last = channel.entries.iter().filter_map(|e| Some(e.register?.unit)).max();
                let own = province.stations[channel.station.index()].units.len();
                (0..own.max(usize::from(last.unwrap_or(0)))).map(|_| Arc::default()).collect()
            })
            .collect();
        let plant = Plant::new(Arc::clone(&province));
        let samples: Vec<Vec<SentSample>> = plant
            .stations
            .iter()
            .map(|station| station.values().iter().copied().map(SentSample::good).collect())
            .collect();
        Self {
            commands: Commands::default(),
            chains: (0..province.stations.len()).map(|n| Chain::new(&province, n)).collect(),
            feeders: plant
                .stations
                .iter()
                .map(|station| station.feeder_states().collect())
                .collect(),
            meters,
            plant,
            news: samples.iter().map(|_| Vec::new()).collect(),
            samples,
            layouts,
            rings,
            images: province.channels.iter().map(|_| OnceLock::new()).collect(),
            clocks: province.stations.iter().map(clocks_of).collect(),
            events: Vec::new(),
            at_ms: None,
            province,
        }
    }

    /// Lets the plant live up to `at_ms`, of which `passed_ms` count, and measures it.
    pub(crate) fn live(&mut self, at_ms: i64, passed_ms: i64) {
        #[expect(clippy::cast_precision_loss, reason = "at most an hour")]
        let seconds = passed_ms as f64 / 1_000.0;
        self.at_ms = Some(at_ms);
        self.plant.advance(at_ms, seconds);
        self.commands.follow(&self.plant);
        self.plant.measure();
        self.read_meters(at_ms);
        let stations = self.plant.stations.iter_mut().zip(&self.chains);
        let sent = self.samples.iter_mut().zip(&mut self.news);
        for ((station, chain), (samples, news)) in stations.zip(sent) {
            let changed = std::mem::take(&mut station.changed);
            chain.send((station.values(), changed), at_ms, samples, news);
        }
    }

    /// Lets the meters count what was drawn, and their readings arrive.
    fn read_meters(&mut self, at_ms: i64) {
        for (states, station) in self.feeders.iter_mut().zip(&self.plant.stations) {
            states.clear();
            states.extend(station.feeder_states());
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

    /// What the register of a meter shows, kWh.
    pub(crate) fn meter_kwh(&self, station: StationId, group: usize, meter: u32) -> Option<f64> {
        self.meters.register_kwh((station.index(), group, meter), &self.feeders)
    }

    /// Tells every channel what it is to know after a step that lasted over `span`: records first,
    /// then the image.
    pub(crate) fn tell(&mut self, interference: &mut impl Interference, span: (i64, i64)) {
        let mut events = self.plant.take_events();
        self.refresh(interference);
        events.retain(|event| {
            let station = &self.province.stations[event.station.index()];
            station.points[event.point.index()].spec.time_tag.is_some()
        });
        for n in 0..self.images.len() {
            let channel = ChannelId::at(n);
            let sent = self.sent(interference, channel, span.1);
            let station = self.province.channels[n].station;
            let own: Vec<Event> =
                events.iter().filter(|event| event.station == station).copied().collect();
            let own = interference.alter_events(channel, span, &own).into_owned();
            self.record(channel, &own, sent.as_deref());
            if let Some(sent) = sent {
                self.lay_out_altered(interference, channel, &sent);
            }
        }
        self.events.append(&mut events);
    }

    /// Lays every channel out again, or those of one station: something was written, or a fault has
    /// come or gone.
    pub(crate) fn lay_out(
        &mut self,
        interference: &mut impl Interference,
        only: Option<StationId>,
    ) {
        let at_ms = self.at_ms.unwrap_or(0);
        self.take_results(interference);
        for n in 0..self.images.len() {
            if only.is_some_and(|only| self.province.channels[n].station != only) {
                continue;
            }
            self.images[n] = OnceLock::new();
            let channel = ChannelId::at(n);
            if let Some(sent) = self.sent(interference, channel, at_ms) {
                self.lay_out_altered(interference, channel, &sent);
            }
        }
    }

    /// Lets every layout take over what is news.
    fn refresh(&mut self, interference: &impl Interference) {
        // Images that nobody looks at any more would make every unit that changes a copy.
        self.images.fill_with(OnceLock::new);
        for (layout, channel) in self.layouts.iter_mut().zip(&self.province.channels) {
            let station = channel.station.index();
            layout.refresh(&self.samples[station], &self.news[station]);
        }
        for news in &mut self.news {
            news.clear();
        }
        self.take_results(interference);
    }

    /// Writes what came of commands into their result registers, and records it in the rings of the
    /// centre that asked, by the clock of the unit.
    fn take_results(&mut self, interference: &impl Interference) {
        for said in self.commands.take_said() {
            let channel = said.channel.index();
            self.layouts[channel].set_result(said.point, said.code());
            let own = &self.province.channels[channel];
            let Some(register) = own.entries[said.point].register else { continue };
            let station = own.station.index();
            let synced = self.is_synchronised(station, register.unit, &self.samples[station]);
            let at_ms = interference.clock(said.channel, register.unit, said.at_ms);
            let unit = usize::from(register.unit).wrapping_sub(1);
            if let Some(ring) = self.rings[channel].get_mut(unit) {
                let cells = (register.address, said.value());
                Arc::make_mut(ring).record_command(at_ms, cells, synced);
            }
        }
    }

    /// What faults make of the samples of a channel, when any touches it.
    fn sent(
        &mut self,
        interference: &mut impl Interference,
        channel: ChannelId,
        at_ms: i64,
    ) -> Option<Vec<SentSample>> {
        if !interference.touch(channel) {
            return None;
        }
        let station = self.province.channels[channel.index()].station.index();
        Some(interference.samples(channel, at_ms, &self.samples[station]).into_owned())
    }

    fn lay_out_altered(
        &mut self,
        interference: &mut impl Interference,
        channel: ChannelId,
        sent: &[SentSample],
    ) {
        let station = self.province.channels[channel.index()].station.index();
        let layout = &self.layouts[channel.index()];
        let own = &self.samples[station];
        let at_ms = self.at_ms.unwrap_or(0);
        let image = layout.altered((own, sent), |unit| {
            self.blocks(channel, unit, sent, interference.clock(channel, unit, at_ms))
        });
        let image = interference.image(channel, at_ms, image);
        self.images[channel.index()] = OnceLock::from(Arc::new(image));
    }

    /// Takes records into the rings of a channel that has their points.
    fn record(&mut self, channel: ChannelId, events: &[Event], sent: Option<&[SentSample]>) {
        for event in events {
            let station = &self.province.stations[event.station.index()];
            let point = &station.points[event.point.index()];
            let entry = &self.province.channels[channel.index()].entries[event.point.index()];
            let Some(register) = entry.register else { continue };
            let unit = usize::from(register.unit).wrapping_sub(1);
            let samples = sent.unwrap_or(&self.samples[event.station.index()]);
            let synchronised = self.is_synchronised(event.station.index(), register.unit, samples);
            if let Some(ring) = self.rings[channel.index()].get_mut(unit) {
                let double = point.spec.kind == config::PointKind::DoublePoint;
                Arc::make_mut(ring).record(event, register.address, double, synchronised);
            }
        }
    }

    /// What a channel can be asked for now.
    pub(crate) fn image(&self, channel: ChannelId) -> Arc<Image> {
        let image = self.images[channel.index()].get_or_init(|| {
            let layout = &self.layouts[channel.index()];
            let station = self.province.channels[channel.index()].station.index();
            let samples = &self.samples[station];
            let at_ms = self.at_ms.unwrap_or(0);
            Arc::new(layout.image(|unit| self.blocks(channel, unit, samples, at_ms)))
        });
        Arc::clone(image)
    }

    /// What stands beside the points of a unit, whose clock shows `clock_ms`.
    fn blocks(&self, channel: ChannelId, unit: u8, sent: &[SentSample], clock_ms: i64) -> Blocks {
        let station = self.province.channels[channel.index()].station.index();
        let ring = self.rings[channel.index()].get(usize::from(unit) - 1);
        let ring = ring.cloned().unwrap_or_default();
        let at_ms = self.at_ms.unwrap_or(0);
        let command = self.commands.cells((channel, station, unit), at_ms);
        let is_synchronised = self.is_synchronised(station, unit, sent);
        let header = self.header(&ring, channel, (clock_ms, is_synchronised));
        Blocks { ring, header, command }
    }

    /// Whether the clock of a unit is synchronised, as the station says itself.
    fn is_synchronised(&self, station: usize, unit: u8, sent: &[SentSample]) -> bool {
        let alarms = &self.clocks[station];
        let own = alarms.iter().filter(|(of, _)| of.is_none_or(|of| of == unit));
        !own.into_iter().any(|(_, point)| sent[*point].value > 0.0)
    }

    /// Header in front of the event ring of a unit.
    fn header(
        &self,
        ring: &Ring,
        channel: ChannelId,
        (clock_ms, is_synchronised): (i64, bool),
    ) -> [u16; 12] {
        let halves = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes();
            [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
        };
        let ([sum, sum_low], [new, new_low], [old, old_low]) = (
            halves(self.layouts[channel.index()].checksum()),
            halves(ring.newest()),
            halves(ring.oldest()),
        );
        let second = clock_ms.div_euclid(1_000);
        let alive = u16::try_from(second & 0xFFFF).unwrap_or(0);
        let (restarts, clock) = (0, u16::from(is_synchronised) | config::commands::KEPT);
        let (marker, version, records) = (blocks::MARKER, blocks::VERSION, blocks::EVENT_RECORDS);
        [marker, version, sum, sum_low, alive, restarts, new, new_low, old, old_low, clock, records]
    }

    /// True value of a point.
    pub(crate) fn value(&self, station: StationId, point: PointId) -> f64 {
        self.plant.stations[station.index()].values()[point.index()]
    }

    /// What is true of a point, and what a channel sends of it.
    pub(crate) fn pair(&self, channel: ChannelId, point: PointId) -> Pair {
        let contract = &self.province.channels[channel.index()];
        let register = contract.entries[point.index()].register;
        let decoded = register.and_then(|register| self.image(channel).decoded(&register));
        let sent = match decoded {
            Some((Decoded::Value(value), _)) => Some(value),
            _ => None,
        };
        Pair { true_value: self.value(contract.station, point), sent }
    }

    /// Takes a write of registers from a centre.
    pub(crate) fn write_registers(
        &mut self,
        at_ms: i64,
        channel: ChannelId,
        write: (u8, u16, &[u16]),
    ) -> Result<(), Refusal> {
        let at_ms = at_ms.max(self.at_ms.unwrap_or(at_ms));
        self.plant.catch_up(at_ms);
        self.commands.write_registers(&mut self.plant, at_ms, channel, write)
    }

    /// Takes a write of a coil from a centre.
    pub(crate) fn write_coil(
        &mut self,
        at_ms: i64,
        channel: ChannelId,
        write: (u8, u16, bool),
    ) -> Result<(), Refusal> {
        let at_ms = at_ms.max(self.at_ms.unwrap_or(at_ms));
        self.plant.catch_up(at_ms);
        self.commands.write_coil(&mut self.plant, at_ms, channel, write)
    }
}

/// Statuses by which a station says that a clock is not synchronised: of a bay control unit, or of
/// the station as a whole.
fn clocks_of(station: &config::Station) -> Vec<(Option<u8>, usize)> {
    let alarms = station.points.iter().enumerate().filter_map(|(n, point)| {
        let unit = station.bays[point.bay].unit;
        match point.spec.id.as_str() {
            "BCU.SYNC" => Some((station.units.get(unit).map(|unit| unit.id), n)),
            "GPS.FAIL" => Some((None, n)),
            _ => None,
        }
    });
    alarms.collect()
}
