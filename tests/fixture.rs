//! Snapshots for the screens: the real historian, fed with what well-behaved stations would answer,
//! and with what goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{
    ChannelId, Encoding, Flags, MeterFigures, Point, PointId, PointKind, Province, SoldFigures,
    Station, StationId, WordOrder, blocks, encode,
};
use gridwatch::clock::Timestamp;
use gridwatch::collector::answers::Decoder;
use gridwatch::collector::plan::{Block, BlockContent, Plan, layouts, plans};
use gridwatch::collector::poll::{Exchange, Fault, Poll};
use gridwatch::historian::Historian;
use gridwatch::historian::alarms::Alarms;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::series::Buffer;
use gridwatch::signal::layout::Part;
use gridwatch::signal::update::{LinkFault, News, Overrun, OverrunCause, Strays, Update};
use gridwatch::store::{Batcher, Writer};

/// What a province of one centre begins with, for tests that write their own.
pub(crate) const HEAD: &str = r#"
[province]
name = "P"
seed = 1
[link]
port_base = 17001
"#;
/// Its centre.
pub(crate) const CENTRE: &str = r#"
[[centres]]
id = "CC"
name = "CC"
title = "Centre"
requires = ["AB", "B"]
"#;
/// A station with one transformer, up to its bays.
pub(crate) const STATION: &str = r#"
[[stations]]
id = "S1"
name = "S1"
unmanned = true
e2e = { CC = 2022-01-01 }
peak_mw = 5
load = { rural = 1.0 }
transformers = { "131" = 25 }
[stations.bays]
T110 = ["131"]
"#;

/// 23/11/2022 14:32:07 in Vietnam, a Wednesday: the present of every fixture.
pub(crate) const NOW: Timestamp = Timestamp(1_669_188_727_240);
/// When the monitor was started: twelve minutes before.
const STARTED: i64 = -720_000;

/// The file of a province with the heartbeats of its gateways in no database, for stations of which nothing moves.
/// Stations stand last in it.
pub(crate) fn without_heartbeat(text: &str) -> String {
    let absent = "[[stations.absent]]\npoints = [\"0.STN.STN.HB\"]\n";
    let text = text.replace("\n[[stations]]", &format!("\n{absent}\n[[stations]]"));
    format!("{}\n{absent}", text.replacen(absent, "", 1))
}

/// Metered points of plants, signal by signal.
pub(crate) fn points_of_plants(province: &Province) -> usize {
    province.plant_ids().map(|id| province.stations[id.index()].points.len()).sum()
}

/// Records of a unit, and how many of them were told.
type Records = (Vec<[u16; 8]>, usize);

/// A province whose stations answer.
pub(crate) struct World {
    pub(crate) province: Arc<Province>,
    plans: Vec<Arc<Plan>>,
    decoders: Vec<Decoder>,
    historian: Historian,
    /// What points say instead of what they should.
    values: BTreeMap<(StationId, PointId), Option<f64>>,
    flags: BTreeMap<(StationId, PointId), Flags>,
    faults: BTreeMap<(StationId, u8), Fault>,
    lost: Vec<ChannelId>,
    reported: BTreeMap<(StationId, usize), u32>,
    figures: BTreeMap<(StationId, usize), MeterFigures>,
    sold: BTreeMap<(StationId, usize), SoldFigures>,
    /// Records of the units of each channel, and how many of them were told.
    records: BTreeMap<(ChannelId, u8), Records>,
    /// Seconds that the clock of a unit is ahead.
    clocks: BTreeMap<(StationId, u8), i64>,
    /// Gateways that answer with what they had then, so many milliseconds from now.
    hung: BTreeMap<StationId, i64>,
    pub(crate) alarms: Alarms,
}

impl World {
    /// Started, nobody asked yet.
    pub(crate) fn new() -> Self {
        Self::of(Province::built_in())
    }

    /// Another province, started, nobody asked yet.
    pub(crate) fn of(province: Province) -> Self {
        let province = Arc::new(province);
        let plans = plans(&province);
        let layouts = layouts(&plans);
        let historian = Historian::new(Arc::clone(&province), &layouts, NOW.plus(STARTED));
        Self {
            decoders: decoders(&province, &plans),
            province,
            plans,
            historian,
            values: BTreeMap::new(),
            flags: BTreeMap::new(),
            faults: BTreeMap::new(),
            lost: Vec::new(),
            reported: BTreeMap::new(),
            figures: BTreeMap::new(),
            sold: BTreeMap::new(),
            records: BTreeMap::new(),
            clocks: BTreeMap::new(),
            hung: BTreeMap::new(),
            alarms: Alarms::default().keeping(),
        }
    }

    /// Every station answered everything, eleven minutes ago.
    pub(crate) fn started() -> Self {
        let mut world = Self::new();
        world.connect_all(-719_000);
        world.scan(-700_000);
        world
    }

    /// Every station answered everything, eleven minutes ago and just now.
    pub(crate) fn running() -> Self {
        let mut world = Self::started();
        world.scan(-1_100);
        world
    }

    /// The snapshot so many milliseconds from now.
    pub(crate) fn snapshot_at(&mut self, ms: i64) -> Arc<Snapshot> {
        Arc::new(self.historian.snapshot(NOW.plus(ms)))
    }

    /// The same, with the alarms that it raises and those before it.
    pub(crate) fn watched_at(&mut self, ms: i64) -> Arc<Snapshot> {
        let mut snapshot = self.historian.snapshot(NOW.plus(ms));
        self.alarms.look(&snapshot);
        snapshot.alarms = self.alarms.listed();
        Arc::new(snapshot)
    }

    /// Keeps what there is to keep then.
    pub(crate) fn keep(&mut self, to: (&mut Batcher, &mut Writer), ms: i64) {
        assert!(self.keep_once_known(to, ms), "nothing is known yet");
    }

    /// The same, as soon as anything is known; whether it is.
    pub(crate) fn keep_once_known(
        &mut self,
        (batcher, writer): (&mut Batcher, &mut Writer),
        ms: i64,
    ) -> bool {
        let mut snapshot = self.historian.snapshot(NOW.plus(ms));
        let mut buffer = Buffer::new(&self.province, &layouts(&self.plans), 1 << 20);
        let sources = (&mut self.historian, &mut buffer, &mut self.alarms);
        let batch = batcher.gather(sources, &mut snapshot, (0, false));
        let is_known = batch.is_some();
        if let Some(batch) = batch {
            writer.commit(&batch).unwrap();
        }
        is_known
    }

    fn channels(&self) -> impl Iterator<Item = ChannelId> + use<> {
        (0..self.province.channels.len()).map(ChannelId::at)
    }

    /// What was told is judged: what it changed is so since then.
    fn look(&mut self, ms: i64) {
        self.historian.snapshot(NOW.plus(ms));
    }

    fn tell(&mut self, channel: ChannelId, ms: i64, news: News) {
        self.historian.accept(&Update { channel, at: NOW.plus(ms), news });
    }

    fn answer(&mut self, channel: ChannelId, ms: i64, poll: Poll) {
        let answers = self.decoders[channel.index()].answers(vec![poll]);
        self.tell(channel, ms, News::Answers(answers));
    }

    pub(crate) fn connect_all(&mut self, ms: i64) {
        for channel in self.channels() {
            self.tell(channel, ms, News::Connected);
        }
        self.look(ms);
    }

    /// Every path is up but those of one station, where nobody listens.
    pub(crate) fn connect_all_but(&mut self, station: &str, ms: i64) {
        let station = self.province.station(station).unwrap();
        for channel in self.channels() {
            if self.province.channels[channel.index()].station == station {
                self.lost.push(channel);
                self.tell(channel, ms, News::Lost(LinkFault::Refused));
            } else {
                self.tell(channel, ms, News::Connected);
            }
        }
        self.look(ms);
    }

    /// A path that was lost is up again.
    pub(crate) fn connect(&mut self, station: &str, centre: &str, ms: i64) {
        let channel = self.channel_of(station, centre);
        self.lost.retain(|lost| *lost != channel);
        self.tell(channel, ms, News::Connected);
        self.look(ms);
    }

    /// Nobody listens anywhere.
    pub(crate) fn refuse_all(&mut self, ms: i64) {
        for channel in self.channels() {
            self.tell(channel, ms, News::Lost(LinkFault::Refused));
        }
        self.look(ms);
    }

    /// Channels of some stations are lost.
    pub(crate) fn lose(&mut self, stations: &[&str], centres: &[&str], ms: i64) {
        for (station, centre) in stations.iter().flat_map(|s| centres.iter().map(move |c| (s, c))) {
            let station = self.province.station(station).unwrap();
            let centre = self.province.centre(centre).unwrap();
            let channel = self.province.channel_id(station, centre);
            self.lost.push(channel);
            self.tell(channel, ms, News::Lost(LinkFault::Closed));
        }
        self.look(ms);
    }

    pub(crate) fn lose_all(&mut self, ms: i64) {
        for channel in self.channels() {
            self.lost.push(channel);
            self.tell(channel, ms, News::Lost(LinkFault::Closed));
        }
        self.look(ms);
    }

    fn channel_of(&self, station: &str, centre: &str) -> ChannelId {
        let station = self.province.station(station).unwrap();
        self.province.channel_id(station, self.province.centre(centre).unwrap())
    }

    /// A path breaks off and is up again four seconds later.
    pub(crate) fn interrupt(&mut self, station: &str, centre: &str, ms: i64) {
        let channel = self.channel_of(station, centre);
        self.tell(channel, ms, News::Lost(LinkFault::Closed));
        self.tell(channel, ms + 4_000, News::Connected);
    }

    /// A scan of a channel takes 1.4 s of its second.
    pub(crate) fn overrun(&mut self, station: &str, centre: &str, cause: OverrunCause, ms: i64) {
        let channel = self.channel_of(station, centre);
        let overrun = Overrun { missed: 1, unasked: 0, took_ms: 1_400, period_ms: 1_000, cause };
        self.tell(channel, ms, News::Overrun(overrun));
    }

    /// Replies come that nobody waits for.
    pub(crate) fn stray(&mut self, station: &str, centre: &str, strays: Strays, ms: i64) {
        let channel = self.channel_of(station, centre);
        self.tell(channel, ms, News::Strays(strays));
    }

    /// Unit id that carries a bay.
    pub(crate) fn unit(&self, station: &str, bay: &str) -> u8 {
        let id = self.province.station(station).unwrap();
        let of_station = &self.province.stations[id.index()];
        let bay = of_station.bays.iter().find(|b| b.name == bay).unwrap();
        of_station.units[bay.unit].id
    }

    /// A unit answers every request with a fault from now on.
    pub(crate) fn fail_unit(&mut self, station: &str, bay: &str, fault: Fault) {
        let id = self.province.station(station).unwrap();
        let unit = self.unit(station, bay);
        self.faults.insert((id, unit), fault);
    }

    /// Every unit of a station does so from now on.
    pub(crate) fn fail_station(&mut self, station: &str, fault: Fault) {
        let id = self.province.station(station).unwrap();
        for unit in &self.province.stations[id.index()].units {
            self.faults.insert((id, unit.id), fault);
        }
    }

    /// What a point says from now on.
    pub(crate) fn set(&mut self, id: &str, value: Option<f64>) {
        let key = self.find(id);
        self.values.insert(key, value);
    }

    /// What a device says of a point from now on.
    pub(crate) fn flag(&mut self, id: &str, flags: Flags) {
        let key = self.find(id);
        self.flags.insert(key, flags);
    }

    /// Meters installed as a metering unit reports them.
    pub(crate) fn report_meters(&mut self, station: &str, group: usize, installed: u32) {
        let id = self.province.station(station).unwrap();
        self.reported.insert((id, group), installed);
    }

    /// What the head-end of a station says of a group of meters from now on.
    pub(crate) fn publish(&mut self, station: &str, group: usize, figures: MeterFigures) {
        let id = self.province.station(station).unwrap();
        self.figures.insert((id, group), figures);
    }

    /// What the head-end of a station has read of the energy that a group of meters sold.
    pub(crate) fn sell(&mut self, station: &str, group: usize, sold: SoldFigures) {
        let id = self.province.station(station).unwrap();
        self.sold.insert((id, group), sold);
    }

    /// A status takes a code at a moment: every centre's unit records it. A unit that loses its
    /// record spends the number.
    pub(crate) fn record(&mut self, id: &str, code: u16, ms: i64, lost: bool) {
        let (station, point) = self.find(id);
        for channel in self.channels() {
            let contract = &self.province.channels[channel.index()];
            if contract.station != station {
                continue;
            }
            let Some(register) = contract.entries[point.index()].register else { continue };
            let ahead = self.clocks.get(&(station, register.unit)).copied().unwrap_or(0);
            let at = (NOW.0 + ms + 1_000 * ahead).to_be_bytes();
            let word = |n: usize| u16::from_be_bytes([at[2 * n], at[2 * n + 1]]);
            let (records, _) = self.records.entry((channel, register.unit)).or_default();
            let number = u16::try_from(records.len() + 1).unwrap();
            let bits = if register.encoding.cells() == 2 { 0x0200 } else { 0x0100 };
            let kind = 0x8000 | bits | if ahead == 0 { 0 } else { 0x2000 };
            let record = [number, kind, register.address, code, word(0), word(1), word(2), word(3)];
            records.push(if lost { [0; 8] } else { record });
        }
    }

    /// The gateway of a station repeats what it has at a moment, or goes on.
    pub(crate) fn hang(&mut self, station: &str, since: Option<i64>) {
        let id = self.province.station(station).unwrap();
        self.hung.remove(&id);
        self.hung.extend(since.map(|ms| (id, ms)));
    }

    /// The clock of the unit of a bay is ahead by so many seconds from now on.
    pub(crate) fn set_clock(&mut self, station: &str, bay: &str, seconds: i64) {
        let id = self.province.station(station).unwrap();
        let of_station = &self.province.stations[id.index()];
        let bay = of_station.bays.iter().find(|b| b.name == bay).unwrap();
        self.clocks.insert((id, of_station.units[bay.unit].id), seconds);
    }

    /// The header of the events of a unit, and the records that are new since the last scan.
    fn tell_events(&mut self, channel: ChannelId, n: usize, ms: i64) {
        let block = self.plans[channel.index()].blocks[n].clone();
        let station = self.province.channels[channel.index()].station;
        let ahead = self.clocks.get(&(station, block.unit)).copied().unwrap_or(0);
        let shown = self.hung.get(&station).copied().unwrap_or(ms);
        let second = (NOW.0 + shown).div_euclid(1_000) + ahead;
        let alive = u16::try_from(second.rem_euclid(0x1_0000)).unwrap();
        let (records, told) = self.records.entry((channel, block.unit)).or_default();
        let newest = u16::try_from(records.len()).unwrap();
        let (marker, version, ring) = (blocks::MARKER, blocks::VERSION, blocks::EVENT_RECORDS);
        let synchronised = u16::from(ahead == 0);
        let header =
            vec![marker, version, 1, 2, alive, 0, 0, newest, 0, newest.min(1), synchronised, ring];
        let first = u16::try_from(*told).unwrap();
        let news = records[*told..].as_flattened().to_vec();
        *told = records.len();
        let behind = blocks::EVENT_RING - blocks::EVENT_HEADER + first * blocks::EVENT_CELLS;
        for (offset, cells) in [(0, header), (behind, news)] {
            let count = u16::try_from(cells.len()).unwrap();
            if count > 0 {
                let exchange = exchange(&block, &Ok(cells), n, NOW.plus(ms));
                let poll = Poll { block: n, offset, count, fault: None, in_parts: false, exchange };
                self.answer(channel, ms, poll);
            }
        }
    }

    fn find(&self, id: &str) -> (StationId, PointId) {
        let station = self.province.station(id.split('.').next().unwrap()).unwrap();
        (station, self.province.stations[station.index()].point(id).unwrap())
    }

    /// Every channel that is up answers, or fails to answer, every request once.
    pub(crate) fn scan(&mut self, ms: i64) {
        for channel in self.channels().filter(|c| !self.lost.contains(c)).collect::<Vec<_>>() {
            self.scan_channel(channel, ms);
        }
        self.look(ms + 1_000);
    }

    /// Channels of some stations answer, as at the start.
    pub(crate) fn scan_stations(&mut self, stations: &[&str], ms: i64) {
        for channel in self.channels() {
            let station = self.province.channels[channel.index()].station;
            if stations.contains(&self.province.stations[station.index()].id.as_str()) {
                self.scan_channel(channel, ms);
            }
        }
    }

    fn scan_channel(&mut self, channel: ChannelId, ms: i64) {
        let plan = Arc::clone(&self.plans[channel.index()]);
        let station = self.province.channels[channel.index()].station;
        for (n, block) in plan.blocks.iter().enumerate() {
            let fault = self.faults.get(&(station, block.unit)).copied();
            if block.content == BlockContent::Events && fault.is_none() {
                self.tell_events(channel, n, ms + i64::try_from(n).unwrap() * 7);
                continue;
            }
            // Requests of a channel follow each other.
            let at = ms + i64::try_from(n).unwrap() * 7;
            let shown = self.hung.get(&station).copied().unwrap_or(at);
            let cells = self.cells(channel, block, NOW.plus(shown));
            let exchange = exchange(block, &fault.map_or(Ok(cells), Err), n, NOW.plus(at));
            let (offset, count) = (0, block.count);
            let poll = Poll { block: n, offset, count, fault, in_parts: false, exchange };
            self.answer(channel, at, poll);
        }
        let silent = self
            .faults
            .iter()
            .filter(|((of, _), fault)| *of == station && **fault == Fault::NoReply);
        for device in silent.map(|((_, unit), _)| *unit).collect::<Vec<_>>() {
            let miss = Fault::NoReply.into();
            self.tell(channel, ms + 1_000, News::Silent { device, miss });
        }
    }

    fn cells(&self, channel: ChannelId, block: &Block, at: Timestamp) -> Vec<u16> {
        let contract = &self.province.channels[channel.index()];
        let station = &self.province.stations[contract.station.index()];
        let mut cells = vec![0; usize::from(block.count)];
        let BlockContent::Points(items) = &block.content else {
            return self.meter_cells(contract.station, station, block);
        };
        for item in items {
            let point = &station.points[item.point.index()];
            let register = contract.entries[item.point.index()].register.unwrap();
            let key = (contract.station, item.point);
            let from = usize::from(item.offset);
            match item.part {
                Part::Value => {
                    let value = self.values.get(&key).copied();
                    let value = value.unwrap_or_else(|| Some(believable(station, point, at)));
                    let end = from + usize::from(register.encoding.cells());
                    encode(register.encoding, register.word_order, value, &mut cells[from..end]);
                }
                Part::Quality => {
                    let said = self.flags.get(&key).copied().unwrap_or_default().0;
                    cells[from] = if block.table.is_bits() { u16::from(said != 0) } else { said };
                }
            }
        }
        cells
    }

    fn meter_cells(&self, id: StationId, station: &Station, block: &Block) -> Vec<u16> {
        let end = usize::from(block.address) + usize::from(block.count);
        let mut all = vec![0_u16; end.max(1)];
        let mut put = |at: usize, cell: u16| {
            if let Some(kept) = all.get_mut(at) {
                *kept = cell;
            }
        };
        for (n, group) in station.meters.iter().enumerate() {
            let installed = self.reported.get(&(id, n)).copied().unwrap_or(group.installed);
            let mut count = [0; 2];
            encode(Encoding::C32, WordOrder::Abcd, Some(f64::from(installed)), &mut count);
            put(usize::from(group.count_address), count[0]);
            put(usize::from(group.count_address) + 1, count[1]);
            let figures = self.figures.get(&(id, n)).copied().unwrap_or_else(|| figures(group));
            for (at, cell) in (group.figures_address..).zip(figures.cells()) {
                put(usize::from(at), cell);
            }
            let sold = self.sold.get(&(id, n)).copied().unwrap_or_default();
            for (at, cell) in (group.sold_address..).zip(sold.cells()) {
                put(usize::from(at), cell);
            }
            for register in 0..group.bit_registers() {
                let proven = group.remote.saturating_sub(16 * register).min(16);
                let bits = u16::try_from((1_u32 << proven) - 1).unwrap();
                put(usize::from(group.bits_address) + register as usize, bits);
            }
        }
        all.split_off(usize::from(block.address))
    }
}

/// Who decodes what comes over each channel.
pub(crate) fn decoders(province: &Province, plans: &[Arc<Plan>]) -> Vec<Decoder> {
    let channels = province.channels.iter().zip(plans);
    channels.map(|(channel, plan)| Decoder::new(province, channel, plan)).collect()
}

/// What a head-end publishes of a group: yesterday 97 % at the first pass, 99.6 % in the end.
pub(crate) fn figures(group: &config::MeterGroup) -> MeterFigures {
    let yesterday = u16::try_from(NOW.0 / 86_400_000 - 1).unwrap();
    let concentrators = u16::try_from(group.remote / 250).unwrap();
    let minutes_expected = u32::from(concentrators) * 1_440;
    MeterFigures {
        day: yesterday,
        final_day: yesterday - 3,
        expected: group.remote,
        first_pass: group.remote - group.remote * 3 / 100,
        final_expected: group.remote,
        final_first_pass: group.remote - group.remote * 35 / 1_000,
        final_read: group.remote - group.remote * 4 / 1_000,
        final_intervals_expected: 48 * group.remote,
        final_intervals_on_time: 47 * group.remote,
        final_intervals_late: group.remote / 2,
        final_intervals_backfilled: group.remote / 4,
        intervals_expected: 48 * group.remote,
        intervals: 48 * group.remote - group.remote,
        concentrators,
        online: concentrators - concentrators / 100,
        minutes_expected,
        minutes_online: minutes_expected - minutes_expected / 150,
    }
}

/// A value at a moment that agrees with its neighbours: power with voltage and current, windings with oil.
fn believable(station: &Station, point: &Point, at: Timestamp) -> f64 {
    let bay = &station.bays[point.bay];
    let of_bay = |id: &str| station.points.iter().find(|p| p.bay == point.bay && p.spec.id == id);
    let open = of_bay("CB.POS").is_some_and(|breaker| breaker.normal == 1);
    let number: f64 = bay.name.chars().filter_map(|c| c.to_digit(10)).map(f64::from).sum();
    let voltage = match bay.level {
        110 => 115.2,
        35 => 36.1,
        22 => 22.8,
        _ => 0.4,
    };
    // Feeders carry a few megawatts, lines some tens.
    let active = match bay.level {
        _ if open => 0.0,
        110 => 12.0 + number,
        _ => 1.5 + number / 8.0,
    };
    let reactive = match bay.template.as_str() {
        "CAP" => 2.0,
        _ => 0.2 * active,
    };
    let active = if bay.template == "CAP" { 0.0 } else { active };
    let current = libm::hypot(active, reactive) * 1_000.0 / (3_f64.sqrt() * voltage);
    match (point.spec.kind, point.spec.id.as_str()) {
        (PointKind::SinglePoint | PointKind::DoublePoint | PointKind::DerivedStatus, _) => {
            f64::from(point.normal)
        }
        (_, "P") => active,
        (_, "Q") => reactive,
        (_, "IA" | "IB" | "IC") => current,
        (_, "UAB" | "UBC" | "UCA" | "UL") => voltage,
        (_, "UA" | "UB" | "UC") => voltage / 3_f64.sqrt(),
        (_, "F") => 50.01,
        (_, "PF") => 0.98,
        (_, "TOIL") => 58.5,
        (_, "TW.HV" | "TW.MV" | "TW.LV") => 66.4,
        (_, "TAP.POS") => 9.0,
        (_, "DC.U1" | "DC.U2") => 231.0,
        (_, "U") => 396.0,
        (_, "TROOM") => 24.5,
        (_, "STN.HB") => f64::from(u16::try_from(at.0.div_euclid(1_000) % 0x1_0000).unwrap()),
        (_, "SETGRP") => 1.0,
        (PointKind::Counter, _) => 123_456.0,
        _ => 0.0,
    }
}

/// What went over the wire.
pub(crate) fn exchange(
    block: &Block,
    result: &Result<Vec<u16>, Fault>,
    n: usize,
    at: Timestamp,
) -> Exchange {
    let number = u16::try_from(0x2A + n).unwrap().to_be_bytes();
    let function = block.table.read_function();
    let [address_high, address_low] = block.address.to_be_bytes();
    let [count_high, count_low] = block.count.to_be_bytes();
    let head = |length: u16| {
        let [high, low] = length.to_be_bytes();
        vec![number[0], number[1], 0, 0, high, low, block.unit]
    };
    let mut request = head(6);
    request.extend([function, address_high, address_low, count_high, count_low]);
    let payload: Vec<u8> = match result {
        Ok(cells) if block.table.is_bits() => cells
            .chunks(8)
            .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit != 0)))
            .collect(),
        Ok(cells) => cells.iter().flat_map(|cell| cell.to_be_bytes()).collect(),
        Err(_) => Vec::new(),
    };
    let mut reply = Vec::new();
    match result {
        Ok(_) => {
            reply = head(u16::try_from(payload.len() + 3).unwrap());
            reply.extend([function, u8::try_from(payload.len()).unwrap()]);
            reply.extend(payload);
        }
        Err(Fault::Refused(code)) => {
            reply = head(3);
            reply.extend([function | 0x80, *code]);
        }
        Err(_) => {}
    }
    let took_us = match result {
        Err(Fault::NoReply) => 1_000_000,
        _ => 900 + u32::try_from(n * 370 % 5_000).unwrap(),
    };
    let request = request.try_into().unwrap();
    Exchange { at: at.plus(-2), took_us, request, reply: reply.into() }
}
