//! A province, expanded: every station, bay, unit, point and channel with dense indices.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use thiserror::Error;

use crate::civil::Zone;
use crate::codec::{Encoding, WordOrder};
use crate::kind::PointKind;
use crate::names::{Date, Lang, Name};
use crate::registers::Register;
use crate::template::{LoadClass, PointSpec, Scan, Template};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// As an index.
            pub fn index(self) -> usize {
                usize::from(self.0)
            }

            /// The id at an index.
            ///
            /// # Panics
            /// When there are more than 65 535 of its kind; the contract refuses such a file.
            pub fn at(index: usize) -> Self {
                Self(u16::try_from(index).expect("the contract limits these to 65 535"))
            }
        }
    };
}

index!(
    /// A station: its place in [`Province::stations`].
    StationId
);
index!(
    /// A centre: its place in [`Province::centres`].
    CentreId
);
index!(
    /// A point of a station: its place in [`Station::points`].
    PointId
);
index!(
    /// A channel: its place in [`Province::channels`].
    ChannelId
);

/// A province as its contract describes it.
#[derive(Debug, Clone)]
pub struct Province {
    /// What it is called.
    pub name: Name,
    /// By what its clocks go.
    pub zone: Zone,
    /// Seed of everything that happens by chance in the simulated field.
    pub seed: u64,
    /// Energy sold in a year, in `GWh`.
    pub sold_gwh_per_year: f64,
    /// What was reported of other years, to tell the change from them.
    pub reported_years: Vec<ReportedYear>,
    /// What the operator has promised, in per cent.
    pub targets: Targets,
    /// How often each scan class is read.
    pub scan: ScanPeriods,
    /// How stations are reached.
    pub link: LinkSettings,
    /// What is kept of the past.
    pub history: HistorySettings,
    /// Heads and signatures of the forms that are filed.
    pub form: FormSettings,
    /// Share of the watched time, per cent, in which every priority A signal of a station must be live so that
    /// it was operated without staff over a window.
    pub unmanned_seen: f64,
    /// Who receives.
    pub centres: Vec<Centre>,
    /// What feeds the grid from outside.
    pub sources: Vec<Infeed>,
    /// 110 kV lines.
    pub lines: Vec<Line>,
    /// Kinds of meters.
    pub meter_classes: Vec<MeterClass>,
    /// Districts by which metering is reported.
    pub districts: Vec<District>,
    /// The substations, and behind them the plants: these are asked like stations, and counted as none.
    pub stations: Vec<Station>,
    /// One for each centre and station, all stations of the first centre first.
    pub channels: Vec<Channel>,
    /// The datalists in use.
    pub templates: Vec<Template>,
    /// What it was read from.
    pub origin: Arc<Origin>,
}

/// What stands on every form that is filed. What the contract does not name stays open there, as a
/// dotted line to write on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormSettings {
    /// The company that the unit belongs to.
    pub company: Option<Name>,
    /// The unit that files.
    pub unit: Option<Name>,
    /// Where forms are issued.
    pub place: Option<Name>,
    /// Number of the form of monthly supervision of SCADA.
    pub supervision: String,
    /// Number of the form of statistics and assessment of SCADA operation.
    pub assessment: String,
    /// Who signs, from left to right; at most four.
    pub signatures: Vec<Name>,
}

impl Default for FormSettings {
    fn default() -> Self {
        let role = |vi: &str, en: &str| Name { vi: vi.to_owned(), en: en.to_owned() };
        Self {
            company: None,
            unit: None,
            place: None,
            supervision: "BM_5a".to_owned(),
            assessment: "BM21".to_owned(),
            signatures: vec![
                role("Người lập", "Prepared by"),
                role("Trưởng đơn vị", "Head of the unit"),
            ],
        }
    }
}

/// What is kept of the past, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// Megabytes (2^20 bytes) of values in memory, 8 to 65 536.
    pub buffer_mb: u32,
    /// Days for which values stay in the store, 1 to 36 500.
    pub values_days: u16,
    /// Days for which everything else does, 31 to 36 500.
    pub verdicts_days: u16,
}

impl HistorySettings {
    /// Bytes of values in memory.
    pub fn buffer_bytes(&self) -> usize {
        usize::try_from(self.buffer_mb).unwrap_or(usize::MAX).saturating_mul(1 << 20)
    }
}

/// What a province was read from: all that it takes to read it again, on another day and without its
/// files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A province file and datalists.
    Texts {
        /// What problems call the file.
        file: String,
        /// What stands in it.
        text: String,
        /// Every datalist that it could use: file and text.
        templates: Vec<(String, String)>,
    },
    /// A fleet of so many stations.
    Fleet(usize),
}

impl Station {
    /// Whether a point is a command that switches something with two positions: opens and closes.
    pub fn is_switching(&self, point: &Point) -> bool {
        let device = point.spec.id.strip_suffix(".CMD").filter(|_| point.spec.kind.is_command());
        device.is_some_and(|device| {
            let position = format!("{device}.POS");
            let stands = |other: &Point| {
                (other.bay, other.spec.kind) == (point.bay, PointKind::DoublePoint)
                    && other.spec.id == position
            };
            self.points.iter().any(stands)
        })
    }
}

/// Why ports cannot start at a base.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum PortsError {
    /// They would run past the last port that there is.
    #[error("port base {base} does not fit: {count} ports are needed, use 1 to {highest}")]
    TooMany { base: u16, count: usize, highest: usize },
    /// One would fall on the address of a device.
    #[error(
        "port base {base} does not fit: {station} at {centre} would have {host}:{port}, which \
         another station's 'address' has; choose another base"
    )]
    Taken { base: u16, station: String, centre: String, host: String, port: u16 },
}

impl Province {
    /// The centre with this id.
    pub fn centre(&self, id: &str) -> Option<CentreId> {
        self.centres.iter().position(|centre| centre.id == id).map(CentreId::at)
    }

    /// The substation with this id.
    pub fn station(&self, id: &str) -> Option<StationId> {
        self.substations().iter().position(|station| station.id == id).map(StationId::at)
    }

    /// Centre ids in order.
    pub fn centre_ids(&self) -> impl Iterator<Item = CentreId> + use<> {
        (0..self.centres.len()).map(CentreId::at)
    }

    /// Substations: what every figure of stations counts. They stand in front of the plants.
    pub fn substations(&self) -> &[Station] {
        let count = self.stations.partition_point(|station| station.plant.is_none());
        &self.stations[..count]
    }

    /// Ids of the substations in order.
    pub fn station_ids(&self) -> impl Iterator<Item = StationId> + use<> {
        (0..self.substations().len()).map(StationId::at)
    }

    /// Ids of the plants in order.
    pub fn plant_ids(&self) -> impl Iterator<Item = StationId> + use<> {
        (self.substations().len()..self.stations.len()).map(StationId::at)
    }

    /// Ids of substations, then of plants: whatever has channels.
    pub fn site_ids(&self) -> impl Iterator<Item = StationId> + use<> {
        (0..self.stations.len()).map(StationId::at)
    }

    /// The contract as it holds on a day: remarks (absent, untested, excluded) that begin later do not hold yet,
    /// and who was tested later is not tested yet. Registers stay as they are: what is absent has none before
    /// its day either, so that nothing of it can be received.
    #[must_use]
    pub fn as_of(&self, day: Date) -> Self {
        let mut province = self.clone();
        for channel in &mut province.channels {
            let is_later = |entry: &Entry| entry.days().any(|other| other > day);
            if !channel.entries.iter().any(is_later) {
                continue;
            }
            let tested = channel.entries.iter().find_map(|entry| match entry.standing {
                Standing::Tested(date) => Some(date),
                _ => None,
            });
            let entries = channel.entries.iter().map(|entry| entry.as_of(day, tested));
            channel.entries = Entries::from(entries.collect::<Vec<_>>());
        }
        province
    }

    /// The substation or plant with this id.
    pub fn site(&self, id: &str) -> Option<StationId> {
        self.stations.iter().position(|station| station.id == id).map(StationId::at)
    }

    /// Whether a channel is that of a plant.
    pub fn is_plant(&self, channel: ChannelId) -> bool {
        self.stations[self.channels[channel.index()].station.index()].plant.is_some()
    }

    /// Places of the channels in the order of their ports: those of plants come last, so that one more
    /// plant moves no port of a station.
    fn by_port(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.channels.len()).collect();
        places.sort_by_key(|n| self.is_plant(ChannelId::at(*n)));
        places
    }

    /// The channel between a station and a centre.
    pub fn channel_id(&self, station: StationId, centre: CentreId) -> ChannelId {
        ChannelId::at(centre.index() * self.stations.len() + station.index())
    }

    /// The channel between a station and a centre.
    pub fn channel(&self, station: StationId, centre: CentreId) -> &Channel {
        &self.channels[self.channel_id(station, centre).index()]
    }

    /// What always moves while the gateway of a station runs, where a centre reads it.
    pub fn heartbeat(&self, station: StationId, centre: CentreId) -> Option<PointId> {
        let points = &self.stations[station.index()].points;
        let mut points = points.iter().zip(&self.channel(station, centre).entries);
        let is_it = |(point, entry): (&Point, &Entry)| point.spec.is_heartbeat && entry.is_mapped();
        points.position(is_it).map(PointId::at)
    }

    /// Points that a centre must receive, over all stations.
    pub fn required(&self, centre: CentreId) -> usize {
        self.station_ids().map(|station| self.channel(station, centre).required()).sum()
    }

    /// Moves every port that the contract does not pin so that they start at `base`.
    ///
    /// # Errors
    /// When they would run past 65 535, or one would fall on the address of a device.
    pub fn move_ports(&mut self, base: u16) -> Result<(), PortsError> {
        let count = self.channels.len();
        let last = usize::from(base) + count.saturating_sub(1);
        if base == 0 || last > usize::from(u16::MAX) {
            let highest = usize::from(u16::MAX) - count.saturating_sub(1);
            return Err(PortsError::TooMany { base, count, highest });
        }
        if let Some((port, moved)) = self.first_taken(base) {
            return Err(PortsError::Taken {
                base,
                station: self.stations[moved.station.index()].id.clone(),
                centre: self.centres[moved.centre.index()].id.clone(),
                host: moved.host.clone(),
                port,
            });
        }
        for (port, n) in (base..=u16::MAX).zip(self.by_port()) {
            let channel = &mut self.channels[n];
            if !channel.pinned_address {
                channel.port = port;
            }
        }
        Ok(())
    }

    /// The first channel that ports from `base` on would put at the address of a device: two at
    /// one address would show one station's values as the other's.
    fn first_taken(&self, base: u16) -> Option<(u16, &Channel)> {
        let pinned = self.channels.iter().filter(|channel| channel.pinned_address);
        let taken: BTreeSet<(&str, u16)> =
            pinned.map(|channel| (channel.host.as_str(), channel.port)).collect();
        let by_port = self.by_port().into_iter().map(|n| &self.channels[n]);
        (base..=u16::MAX).zip(by_port).find(|(port, channel)| {
            !channel.pinned_address && taken.contains(&(channel.host.as_str(), *port))
        })
    }
}

/// Targets of the province, per cent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// Stations connected to every centre.
    pub connected: f64,
    /// Stations with all required signals at every centre.
    pub full: f64,
    /// Stations without staff.
    pub unmanned: f64,
    /// Meters read remotely.
    pub remote_metering: f64,
    /// Required points that are live.
    pub live: f64,
    /// Time in which somebody watched, of a window: below it, nothing is said to be reached.
    pub watched: f64,
    /// Meters read by 06:00 of each day; `None` when nothing was promised.
    pub daily_reading: Option<f64>,
}

/// Seconds between two reads of each scan class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanPeriods {
    periods: [f64; Scan::ALL.len()],
    /// Milliseconds that [`Self::at_least`] made them, where it changed one.
    slowed_ms: Option<i64>,
    /// Scans without a fresh value until a point is old.
    pub stale_after: u16,
}

impl ScanPeriods {
    pub(crate) fn new(periods: [f64; Scan::ALL.len()], stale_after: u16) -> Self {
        Self { periods, slowed_ms: None, stale_after }
    }

    /// The same, but with no class read more often than once in so many seconds.
    #[must_use]
    pub fn at_least(mut self, seconds: f64) -> Self {
        if self.periods.iter().any(|period| *period < seconds) {
            self.periods = self.periods.map(|period| period.max(seconds));
            self.slowed_ms = Some(milliseconds(seconds));
        }
        self
    }

    /// Milliseconds between two reads that no class goes below, whatever the contract says; `None`: it is read as it
    /// says.
    pub fn slowed_ms(&self) -> Option<i64> {
        self.slowed_ms
    }

    /// Seconds between two reads.
    pub fn seconds(&self, scan: Scan) -> f64 {
        self.periods[scan as usize]
    }

    /// Milliseconds between two reads.
    pub fn milliseconds(&self, scan: Scan) -> i64 {
        milliseconds(self.seconds(scan))
    }

    /// Age in milliseconds above which a value of this class is old.
    pub fn old_after_ms(&self, scan: Scan) -> i64 {
        self.milliseconds(scan) * i64::from(self.stale_after)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "periods are at most a day")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

/// How stations are reached, and how simulated ones let themselves be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// Host of every station that pins none.
    pub host: String,
    /// First port.
    pub port_base: u16,
    /// Longest wait for a connection, milliseconds.
    pub connect_timeout_ms: u32,
    /// First wait before connecting again, milliseconds.
    pub backoff_first_ms: u32,
    /// Longest wait before connecting again, milliseconds.
    pub backoff_longest_ms: u32,
    /// Connections that a simulated station takes at once for each centre, 1 to 1 000.
    pub connections_max: u16,
    /// Peers that a simulated station takes connections from; empty: all.
    pub allow: Vec<IpNet>,
    /// What stations without settings of their own can take.
    pub device: DeviceLimits,
    /// Modbus/TCP Security; without it connections are plain TCP.
    pub tls: Option<Tls>,
}

/// Modbus/TCP Security: who trusts whom, what each end shows, and what a role may do. The files are
/// named here and read by whoever needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of those who must have signed the other end's.
    pub authority: PathBuf,
    /// What simulated stations show.
    pub station: Option<Identity>,
    /// What each centre shows, by centre.
    pub centres: Vec<Option<Identity>>,
    /// Roles that may read from a simulated station.
    pub may_read: Vec<String>,
    /// Roles that may write to one.
    pub may_write: Vec<String>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What the device of a station can take: how much it is asked at once, and how patiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Longest wait for a reply, milliseconds.
    pub reply_timeout_ms: u32,
    /// Longest time for one scan: what is not asked by then waits for the next, milliseconds.
    pub scan_timeout_ms: u32,
    /// Requests under way at once on a connection, 1 to [`DeviceLimits::IN_FLIGHT_MAX`].
    pub in_flight: u8,
    /// Registers that one request asks for at most, 2 to 125.
    pub registers_max: u16,
    /// Bits that one request asks for at most, 16 to 2 000.
    pub bits_max: u16,
    /// Unmapped cells that one request may read over. Devices may refuse them, so 0 is the rule.
    pub gap_max: u16,
    /// Pause between connecting and the first request, milliseconds.
    pub pause_after_connect_ms: u32,
    /// Pause between a reply and the next request, milliseconds; above 0 requests go one by one.
    pub pause_between_ms: u32,
    /// Whether its units have the header and ring of events that [`crate::blocks`] describes.
    pub events: bool,
}

impl DeviceLimits {
    /// Most requests under way at once: what Modbus messaging on TCP recommends a server to take
    /// (implementation guide V1.0b, 4.3.2) is 1 to 16; some gateways take twice that.
    pub const IN_FLIGHT_MAX: u8 = 32;

    /// Cells of a table that one request asks for at most.
    pub fn cells_max(&self, table: crate::registers::RegisterTable) -> u16 {
        if table.is_bits() { self.bits_max } else { self.registers_max }
    }
}

impl Default for DeviceLimits {
    /// What a device of which nothing is known can surely take: one request at a time.
    fn default() -> Self {
        Self {
            reply_timeout_ms: 1_000,
            scan_timeout_ms: 10_000,
            in_flight: 1,
            registers_max: crate::registers::limits::REGISTERS_PER_READ_MAX,
            bits_max: crate::registers::limits::BITS_PER_READ_MAX,
            gap_max: 0,
            pause_after_connect_ms: 0,
            pause_between_ms: 0,
            events: false,
        }
    }
}

/// Cells that a device only tells in one go: read apart they would not be of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// Unit id.
    pub unit: u8,
    /// Table.
    pub table: crate::registers::RegisterTable,
    /// First cell.
    pub address: u16,
    /// Cells, at most what one request of the device may ask for.
    pub count: u16,
}

impl Whole {
    /// First address behind it.
    pub fn end(&self) -> u32 {
        u32::from(self.address) + u32::from(self.count)
    }
}

/// A centre that receives signals.
#[derive(Debug, Clone, PartialEq)]
pub struct Centre {
    /// Id, such as `CC`.
    pub id: String,
    /// Short name on screens.
    pub name: Name,
    /// Full name.
    pub title: Name,
    /// Classes of points that it must receive.
    pub requires: Vec<crate::template::Class>,
    /// Whether optional points are sent here too.
    pub optional: bool,
    /// Whether it reads the metering units.
    pub metering: bool,
}

/// What was reported of a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReportedYear {
    /// The year, 1900 to 2200.
    pub year: u16,
    /// Energy sold, `GWh`.
    pub sold_gwh: Option<f64>,
    /// Energy produced and distributed, `GWh`.
    pub produced_gwh: Option<f64>,
}

/// A plant or tie that feeds the grid from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Infeed {
    /// Id.
    pub id: String,
    /// Name.
    pub name: Name,
    /// Installed power in MW; `None` for a tie to another province.
    pub mw: Option<f64>,
}

/// A 110 kV line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// One end.
    pub from: LineEnd,
    /// The other end.
    pub to: LineEnd,
    /// Length in km.
    pub km: f64,
    /// Conductor, such as `AC-185`.
    pub conductor: String,
    /// The end whose breaker is open in normal service.
    pub open_at: Option<LineEnd>,
}

/// Where a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// At a bay of a station.
    Bay(StationId, usize),
    /// At a source: its place in [`Province::sources`].
    Infeed(usize),
}

/// A kind of meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterClass {
    /// Id, such as `rf`.
    pub id: String,
    /// Name.
    pub name: Name,
    /// How it is read, such as `RF`; empty where nothing is said.
    pub technology: Name,
    /// Whether it sells energy; others are outside coverage.
    pub sold: bool,
    /// Load classes that its customers belong to; never empty.
    pub load: Vec<LoadClass>,
    /// What one of them draws on average, of what a household does.
    pub size: u16,
}

/// A district.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct District {
    /// Id.
    pub id: String,
    /// Name.
    pub name: Name,
}

/// A substation.
#[derive(Debug, Clone)]
pub struct Station {
    /// Id, such as `HB07`.
    pub id: String,
    /// Name.
    pub name: Name,
    /// Declared to be operated without staff. Whether it is also seen well enough is another matter:
    /// [`Station::in_charge`].
    pub unmanned: bool,
    /// The centre that operates it, and so must see its priority A signals.
    pub in_charge: CentreId,
    /// Coincident peak of its load, MW.
    pub peak_mw: f64,
    /// Shares of the load classes, sum 1.
    pub load: Vec<(LoadClass, f64)>,
    /// Rating in MVA by transformer bay (index into `bays`).
    pub transformers: Vec<(usize, f64)>,
    /// Its bays, in the order of the contract.
    pub bays: Vec<Bay>,
    /// Its Modbus units, metering unit last where there is one.
    pub units: Vec<Device>,
    /// Its points, bay by bay.
    pub points: Vec<Point>,
    /// The meters fed from it.
    pub meters: Vec<MeterGroup>,
    /// What it is besides, when it is no substation but a plant: its bays are metered points then.
    pub plant: Option<Plant>,
}

/// A power plant as far as the province meters it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plant {
    /// Installed power, MW.
    pub mw: f64,
    /// What the simulated plant gives to the grid in 2022, `GWh`; without it that follows from its
    /// dispatch alone.
    pub gwh_per_year: Option<f64>,
    /// The source whose 110 kV lines begin at its 110 kV points, one after the other in the order of
    /// both: its place in [`Province::sources`].
    pub source: Option<usize>,
}

impl Station {
    /// The point with this full id.
    pub fn point(&self, id: &str) -> Option<PointId> {
        self.points.iter().position(|point| point.id == id).map(PointId::at)
    }

    /// Registers of its metering unit that hold counters and bits; the figures follow.
    pub fn meter_bits_end(&self) -> u32 {
        let ends = self.meters.iter().map(|g| u32::from(g.bits_address) + g.bit_registers());
        ends.max().unwrap_or(0)
    }

    /// The metering unit.
    pub fn metering_unit(&self) -> Option<u8> {
        self.units.iter().find(|unit| unit.kind == DeviceKind::Metering).map(|unit| unit.id)
    }
}

/// A switchgear bay.
#[derive(Debug, Clone, PartialEq)]
pub struct Bay {
    /// Name, such as `171`.
    pub name: String,
    /// Voltage level in kV; 0 for the station as a whole.
    pub level: u16,
    /// Id of its template.
    pub template: String,
    /// Bus section it hangs on, from 1.
    pub section: u8,
    /// Device that carries it: an index into [`Station::units`].
    pub unit: usize,
    /// What it is called on screens: where its line goes, or what it is.
    pub label: Name,
}

impl Bay {
    /// Second digit of a three-digit number: what the bay is for (Vietnamese numbering: 3 transformer, 7
    /// line or feeder, 1 coupler).
    pub fn role_digit(&self) -> Option<char> {
        let digits = self.name.len() == 3 && self.name.chars().all(|c| c.is_ascii_digit());
        digits.then(|| self.name.chars().nth(1)).flatten()
    }

    /// Whether customers hang on it.
    pub fn is_feeder(&self) -> bool {
        (1..110).contains(&self.level) && self.role_digit() == Some('7')
    }

    /// Whether it is the high side of a transformer.
    pub fn is_transformer(&self) -> bool {
        self.role_digit() == Some('3') && self.level >= 110
    }
}

/// A Modbus unit of a station.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Unit id, 1 to 247.
    pub id: u8,
    /// What it carries.
    pub kind: DeviceKind,
    /// What it is called on screens, such as `171` or `35 kV C31`.
    pub label: Name,
}

/// What a unit carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// One bay: an index into [`Station::bays`].
    Bay(usize),
    /// The bays of a bus section.
    Section {
        /// Voltage level, kV.
        level: u16,
        /// Section, from 1.
        section: u8,
    },
    /// The station as a whole.
    Station,
    /// The meters.
    Metering,
}

/// One signal of a station.
#[derive(Debug, Clone)]
pub struct Point {
    /// Full id, such as `HB07.22.471.F74.TC`.
    pub id: String,
    /// Its bay: an index into [`Station::bays`].
    pub bay: usize,
    /// The template point.
    pub spec: Arc<PointSpec>,
    /// Lowest and highest value that can be real.
    pub range: Option<(f64, f64)>,
    /// Smallest change that is sent, in the unit of the point.
    pub deadband: Option<f64>,
    /// Code in normal service, see [`PointSpec::normal`].
    pub normal: u8,
    /// Layout, the template's unless pinned.
    pub encoding: Encoding,
    /// Byte order, high word first unless pinned.
    pub word_order: WordOrder,
}

impl Point {
    /// Id within the station: level, bay, element, info.
    pub fn local_id(&self) -> &str {
        self.id.split_once('.').map_or(&self.id, |(_, local)| local)
    }

    /// The full scale of what measures it, in its unit: the end of its range that is further from nothing; `None` without
    /// a range.
    pub fn full_scale(&self) -> Option<f64> {
        self.range.map(|(low, high)| low.abs().max(high.abs()))
    }
}

/// The path from a station to a centre: one TCP address and one register map.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Station.
    pub station: StationId,
    /// Centre.
    pub centre: CentreId,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the contract pins host and port: a real device, not a simulated one.
    pub pinned_address: bool,
    /// What its device can take.
    pub device: DeviceLimits,
    /// Whether it is secured as [`LinkSettings::tls`] says; otherwise it is plain TCP.
    pub tls: bool,
    /// What its device only tells in one go.
    pub whole: Vec<Whole>,
    /// One for each point of the station.
    pub entries: Entries,
}

impl Channel {
    /// Points that the centre must receive.
    pub fn required(&self) -> usize {
        self.entries.iter().filter(|entry| entry.required).count()
    }
}

/// What a channel knows of each point of its station. Clones share it, so that alike stations have
/// it once: where two channels share it, the points of their stations differ in nothing but the
/// station's id.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries(Arc<[Entry]>);

impl Entries {
    /// Whether both are the same one, not only equal.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Self {
        Self(entries.into())
    }
}

impl std::ops::Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// What a channel knows of one point.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The centre must receive it. This comes from the templates alone.
    pub required: bool,
    /// How far it has come.
    pub standing: Standing,
    /// An approved exclusion from the live figures.
    pub excluded: Option<Cause>,
    /// Where it stands, when it is mapped.
    pub register: Option<Register>,
}

impl Entry {
    /// Whether the centre can ask for it.
    pub fn is_mapped(&self) -> bool {
        self.register.is_some()
    }

    /// The device that has it: its number within the station, where it is mapped.
    pub fn device(&self) -> Option<u8> {
        self.register.map(|register| register.unit)
    }

    /// How its value is sent, where it is mapped.
    pub fn encoding(&self) -> Option<Encoding> {
        self.register.map(|register| register.encoding)
    }

    /// Whether the device says what is to be held against its value.
    pub fn has_quality(&self) -> bool {
        self.register.is_some_and(|register| register.quality.is_some())
    }

    /// The days that the contract names for it.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        let standing = match &self.standing {
            Standing::Elsewhere => None,
            Standing::Absent(cause) | Standing::Untested(cause) => cause.since,
            Standing::Tested(date) => Some(*date),
        };
        standing.into_iter().chain(self.excluded.as_ref().and_then(|cause| cause.since))
    }

    /// As it is on a day, at a station that was otherwise tested on another one.
    fn as_of(&self, day: Date, tested: Option<Date>) -> Self {
        let begins_later = |cause: &Cause| cause.since.is_some_and(|since| since > day);
        let tested_on = |date: Option<Date>| match date {
            Some(date) if date <= day => Standing::Tested(date),
            _ => Standing::Untested(Cause::default()),
        };
        let standing = match &self.standing {
            Standing::Absent(cause) | Standing::Untested(cause) if begins_later(cause) => {
                tested_on(tested)
            }
            Standing::Tested(date) => tested_on(Some(*date)),
            other => other.clone(),
        };
        let excluded = self.excluded.clone().filter(|cause| !begins_later(cause));
        Self { standing, excluded, ..self.clone() }
    }
}

/// How far a point has come at a centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Neither required nor sent here.
    Elsewhere,
    /// Not in the centre's database.
    Absent(Cause),
    /// Mapped, without a valid end-to-end record.
    Untested(Cause),
    /// Mapped, with an end-to-end record of this date.
    Tested(Date),
}

/// Since when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    /// First day; `None` when it was never otherwise.
    pub since: Option<Date>,
    /// In words.
    pub why: Option<Name>,
}

impl Cause {
    /// The reason in `lang`, empty when none is given.
    pub fn text(&self, lang: Lang) -> &str {
        self.why.as_ref().map_or("", |why| why.get(lang))
    }
}

/// Meters of one class in one district behind one station, with their place in the metering unit.
///
/// All of it stands in input registers: the number installed as a 32-bit counter, one bit for each
/// meter that says whether a remote channel to it is proven, sixteen to a register, the first meter
/// in the lowest bit, the figures of daily reading
/// ([`crate::MeterFigures`]), and the energy sold ([`crate::SoldFigures`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterGroup {
    /// District: its place in [`Province::districts`].
    pub district: usize,
    /// Class: its place in [`Province::meter_classes`].
    pub class: usize,
    /// Meters installed.
    pub installed: u32,
    /// Of these, with a proven remote channel: what the simulated meters have.
    pub remote: u32,
    /// Address of the counter.
    pub count_address: u16,
    /// Address of the first register of bits.
    pub bits_address: u16,
    /// Address of the first register of figures.
    pub figures_address: u16,
    /// Address of the first register of energy sold.
    pub sold_address: u16,
}

impl MeterGroup {
    /// Registers of bits.
    pub fn bit_registers(&self) -> u32 {
        self.installed.div_ceil(16)
    }
}
