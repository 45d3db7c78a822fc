//! The snapshot: everything that screens, JSON and checks say, frozen at one instant.
//!
//! All faces draw from the same snapshot, so they cannot disagree.

use std::ops::{AddAssign, Range};
use std::sync::Arc;

use config::{
    CentreId, Channel, ChannelId, Date, MeterFigures, PointId, Province, SoldFigures, Station,
    StationId,
};
use signal::clock::{Jump, Timestamp};
use signal::layout::Layout;
use signal::update::{Evidence, LinkFault, Miss, Overrun, Strays};

use super::alarms::Alarm;
use super::counts::{Counts, Share};
use super::events::{DeviceEvents, EventCounts, EventLog};
pub use super::right::Right;
use super::traffic::TrafficSnapshot;
use super::unmanned::{self, Unmanned};
use super::verdict::{PointSnapshot, Reason, Since};

/// The province at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The contract.
    pub province: Arc<Province>,
    /// The instant.
    pub at: Timestamp,
    /// When the monitor was started.
    pub started: Timestamp,
    /// It was put together from what was kept: of requests and replies, events and single stations' meters
    /// nothing is known, and nothing is counted.
    pub is_kept: bool,
    /// The four headline figures.
    pub figures: Figures,
    /// One for each centre.
    pub centres: Vec<CentreSnapshot>,
    /// One for each substation, then for each plant: by [`StationId`]. Plants are in no figure of stations.
    pub sites: Vec<StationSnapshot>,
    /// One for each channel, by channel id.
    pub channels: Vec<Arc<ChannelSnapshot>>,
    /// Remote metering.
    pub metering: MeteringSnapshot,
    /// How polling goes.
    pub traffic: TrafficSnapshot,
    /// Events as each centre has them, in the order in which they happened.
    pub events: Vec<Arc<EventLog>>,
    /// How keeping history goes; `None` when none is kept.
    pub keeping: Option<Keeping>,
    /// What needs somebody's response, in the order of [`Alarm`]; whoever owns the alarms puts them in.
    pub alarms: Arc<[Alarm]>,
    /// Where time did not go on evenly since the monitor was started, oldest first; whoever owns the clock
    /// puts them in.
    pub jumps: Arc<[Jump]>,
}

/// How keeping history goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keeping {
    /// Everything up to here is durable; `None` as long as nothing is.
    pub until: Option<Timestamp>,
    /// Since when, and why, nothing more is.
    pub trouble: Option<(Timestamp, String)>,
    /// What is older than the contract wants, and waits to be confirmed.
    pub unconfirmed: Option<Unconfirmed>,
}

/// What is older than the contract wants to be kept, and waits until somebody confirms that it goes, since it
/// is much of what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// The local day that would be the first one kept.
    pub before: Date,
    /// Only values would go; otherwise everything.
    pub only_values: bool,
    /// Per cent of what is kept that would go, up to 100.
    pub percent: u8,
    /// The command that confirms it.
    pub command: String,
}

impl Snapshot {
    /// Puts a snapshot together from those of its channels. There are no events, alarms and traffic in it.
    pub(super) fn of(
        province: Arc<Province>,
        (started, at): (Timestamp, Timestamp),
        channels: Vec<Arc<ChannelSnapshot>>,
        metering: MeteringSnapshot,
    ) -> Self {
        let centres = centres(&province, &channels);
        let sites: Vec<StationSnapshot> = sites(&province, &channels);
        let stations = &sites[..province.substations().len()];
        let share = |have: &dyn Fn(&StationSnapshot) -> bool| {
            let have = stations.iter().filter(|s| have(s)).count() as u64;
            Share::new(have, stations.len() as u64)
        };
        let figures = Figures {
            connected: share(&|s| s.link == LinkState::Connected),
            full: share(&|s| s.full == Full::Full),
            unmanned: share(&|s| s.unmanned.is_operated() == Some(true)),
            unmanned_declared: share(&|s| s.unmanned.declared),
            remote_metering: metering.total,
        };
        let events = province.centres.iter().map(|_| Arc::default()).collect();
        Self {
            province,
            at,
            started,
            is_kept: false,
            figures,
            centres,
            sites,
            channels,
            metering,
            traffic: TrafficSnapshot::default(),
            events,
            keeping: None,
            alarms: Arc::default(),
            jumps: Arc::default(),
        }
    }

    /// Of each substation: what figures of stations are of.
    pub fn stations(&self) -> &[StationSnapshot] {
        &self.sites[..self.province.substations().len()]
    }

    /// Of a substation, or of a plant.
    pub fn site(&self, id: StationId) -> &StationSnapshot {
        &self.sites[id.index()]
    }

    /// The channel between a station and a centre.
    pub fn channel(&self, station: StationId, centre: CentreId) -> &ChannelSnapshot {
        &self.channels[self.province.channel_id(station, centre).index()]
    }

    /// Channels whose every block has been answered or given up at least once, of all.
    pub fn first_scan(&self) -> Share {
        let seen = self.channels.iter().filter(|c| c.settled).count() as u64;
        Share::new(seen, self.channels.len() as u64)
    }

    /// Points that are live as far as is known, but were not watched for long enough to say so
    /// ([`PointSnapshot::undecided`]), of those that centres require.
    pub fn undecided(&self) -> u64 {
        self.centres.iter().map(|centre| centre.counts.undecided).sum()
    }

    /// Whether every record that units have told of was read, of all units that can be reached.
    pub fn events_read(&self) -> bool {
        let up = self.channels.iter().filter(|c| c.link.state == LinkState::Connected);
        let units = up.flat_map(|channel| &channel.units).filter(|unit| unit.answers);
        units.filter_map(|unit| unit.events).all(|events| events.pending == 0)
    }

    /// Whether every block of a station has been asked once for each centre: before that, nothing can be
    /// said of it.
    pub fn settled(&self, station: StationId) -> bool {
        self.province.centre_ids().all(|centre| self.channel(station, centre).settled)
    }

    /// Stations whose every channel has settled, of all.
    pub fn stations_settled(&self) -> Share {
        let seen = self.province.station_ids().filter(|id| self.settled(*id)).count() as u64;
        Share::new(seen, self.stations().len() as u64)
    }

    /// Units that answer every centre that asks them, of those that any centre asks, over every
    /// station.
    pub fn units(&self) -> Share {
        let mut share = Share::default();
        for station in self.stations() {
            share += station.units;
        }
        share
    }
}

/// The four headline figures. Counts of stations, and of meters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Stations with a path up to every centre.
    pub connected: Share,
    /// Stations with all required signals, mapped and tested, at every centre.
    pub full: Share,
    /// Stations operated without staff: declared so, and seen well enough by the centre in charge.
    pub unmanned: Share,
    /// Stations that the contract declares to be without staff.
    pub unmanned_declared: Share,
    /// Meters with a proven remote channel, of those that sell energy.
    pub remote_metering: Share,
}

/// One centre, over all stations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CentreSnapshot {
    /// Counts of points.
    pub counts: Counts,
    /// Stations with a path up to it.
    pub connected: Share,
    /// Stations full at it.
    pub full: Share,
}

/// One substation or plant, over all centres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StationSnapshot {
    /// Worst link of all its channels.
    pub link: LinkState,
    /// Full at every centre, or the worst of them.
    pub full: Full,
    /// Right at every centre.
    pub right: Right,
    /// Whether it is operated without staff.
    pub unmanned: Unmanned,
    /// Units that answer every centre that asks them, of those that any centre asks.
    pub units: Share,
}

/// One channel: a station as one centre sees it.
#[derive(Debug, Clone)]
pub struct ChannelSnapshot {
    /// Which.
    pub id: ChannelId,
    /// The path.
    pub link: Link,
    /// The gateway hangs: it answers, and repeats what it had, so that its heartbeat is old.
    pub is_hung: bool,
    /// Structural verdict.
    pub full: Full,
    /// Correctness verdict.
    pub right: Right,
    /// Counts of required points.
    pub counts: Counts,
    /// One for each point of the station.
    pub points: Vec<PointSnapshot>,
    /// One for each unit of the station.
    pub units: Vec<DeviceSnapshot>,
    /// How asking it went over the last five minutes, all units together.
    pub traffic: TrafficSnapshot,
    /// What comes together; of a snapshot of what was kept nothing.
    pub layout: Arc<Layout>,
    /// What came of each request last, by group and first column. A group has none until it was
    /// asked for, and several when it is asked for in parts.
    pub answers: Vec<LastAnswer>,
    /// Every group has been answered or given up at least once.
    pub settled: bool,
}

impl ChannelSnapshot {
    /// Contract of the channel.
    pub fn contract<'a>(&self, province: &'a Province) -> &'a Channel {
        &province.channels[self.id.index()]
    }

    /// Its station.
    pub fn station<'a>(&self, province: &'a Province) -> &'a Station {
        &province.stations[self.contract(province).station.index()]
    }

    /// What came of the last request for the value of a point.
    pub fn last_answer(&self, point: PointId) -> Option<&LastAnswer> {
        let group = self.points[point.index()].group?;
        let column = self.layout.groups.get(usize::from(group))?.value_column(point)?;
        self.answers.iter().find(|last| last.group == group && last.columns.contains(&column))
    }

    /// Points of a unit that it refuses alone, in the order of the contract.
    pub fn set_aside(&self, province: &Province, unit: u8) -> Vec<PointId> {
        let entries = self.contract(province).entries.iter().zip(&self.points).enumerate();
        let of_unit = entries
            .filter(|(_, (entry, point))| point.is_set_aside() && entry.device() == Some(unit));
        of_unit.map(|(n, _)| PointId::at(n)).collect()
    }

    /// Counts of one bay.
    pub fn bay_counts(&self, province: &Province, bay: usize) -> Counts {
        let mut counts = Counts::default();
        let (station, channel) = (self.station(province), self.contract(province));
        for (n, point) in station.points.iter().enumerate().filter(|(_, p)| p.bay == bay) {
            counts.add(&channel.entries[n], point.spec.kind.is_command(), &self.points[n]);
        }
        counts
    }

    /// Records that came from its units, and that did not.
    pub fn event_counts(&self) -> EventCounts {
        let mut counts = EventCounts::default();
        for events in self.units.iter().filter_map(|unit| unit.events) {
            counts += events.counts;
        }
        counts
    }

    /// Points with a reason, worst stage first, in the order of the contract within a stage.
    pub fn failing(&self, province: &Province) -> Vec<(Reason, PointId)> {
        let channel = self.contract(province);
        let mut failing: Vec<(Reason, PointId)> = self
            .points
            .iter()
            .enumerate()
            .filter(|(n, _)| channel.entries[*n].required)
            .filter_map(|(n, point)| Some((point.verdict?, PointId::at(n))))
            .collect();
        failing.sort_unstable();
        failing
    }

    /// Age in milliseconds of the oldest value among required points that have one.
    pub fn oldest_ms(&self, province: &Province, now: Timestamp) -> Option<i64> {
        let entries = &self.contract(province).entries;
        let required = self.points.iter().zip(entries).filter(|(_, entry)| entry.required);
        required.filter_map(|(point, _)| point.at).map(|at| now.since(at)).max()
    }
}

fn centres(province: &Province, channels: &[Arc<ChannelSnapshot>]) -> Vec<CentreSnapshot> {
    province
        .centre_ids()
        .map(|centre| {
            let mut sum = CentreSnapshot {
                counts: Counts::default(),
                connected: Share::default(),
                full: Share::default(),
            };
            for station in province.station_ids() {
                let channel = &channels[province.channel_id(station, centre).index()];
                sum.counts += channel.counts;
                sum.connected +=
                    Share::new(u64::from(channel.link.state == LinkState::Connected), 1);
                sum.full += Share::new(u64::from(channel.full == Full::Full), 1);
            }
            sum
        })
        .collect()
}

fn sites(province: &Province, channels: &[Arc<ChannelSnapshot>]) -> Vec<StationSnapshot> {
    // Where nobody has ever answered, it may be whoever asks.
    let is_heard = channels.iter().any(|c| c.link.state != LinkState::NeverConnected);
    province
        .site_ids()
        .map(|station| {
            let of_station: Vec<&ChannelSnapshot> = province
                .centre_ids()
                .map(|centre| channels[province.channel_id(station, centre).index()].as_ref())
                .collect();
            let mut units = Share::default();
            for unit in 0..province.stations[station.index()].units.len() {
                let asked: Vec<&DeviceSnapshot> =
                    of_station.iter().map(|c| &c.units[unit]).filter(|unit| unit.asked).collect();
                let up = asked.iter().all(|unit| unit.answers);
                units +=
                    Share::new(u64::from(up && !asked.is_empty()), u64::from(!asked.is_empty()));
            }
            let worst_link = of_station.iter().map(|c| c.link.state).max();
            let in_charge = province.stations[station.index()].in_charge;
            StationSnapshot {
                link: worst_link.unwrap_or(LinkState::NeverConnected),
                full: of_station.iter().map(|c| c.full).max().unwrap_or(Full::NoneYet),
                right: of_station.iter().map(|c| c.right).max().unwrap_or(Right::NotEvaluated),
                unmanned: unmanned::of(
                    province,
                    station,
                    (of_station[in_charge.index()], is_heard),
                ),
                units,
            }
        })
        .collect()
}

/// The path to a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Up or not.
    pub state: LinkState,
    /// The judgement since which it is so.
    pub since: Timestamp,
    /// It was so already when somebody began to watch: at least since then.
    pub at_least: bool,
    /// When the last reply came.
    pub last_reply: Option<Timestamp>,
    /// Why it is not up.
    pub fault: Option<LinkFault>,
    /// The last fault of the path, and when: it stands when the path is up again.
    pub last_fault: Option<(Timestamp, LinkFault)>,
    /// Times that a connection took the place of an earlier one, since the monitor was started.
    pub reconnects: u64,
    /// When one last did.
    pub reconnected_at: Option<Timestamp>,
    /// Times that the station's port refused a connection, since the monitor was started.
    pub refusals: u64,
    /// Slots that could not be kept, since the monitor was started.
    pub missed: u64,
    /// Scans that took too long, since the monitor was started.
    pub overruns: u64,
    /// How often it was lost.
    pub losses: u64,
    /// The last scan that took too long, and when it ended.
    pub overrun: Option<(Timestamp, Overrun)>,
    /// Replies that belonged to no request that waited for one, since the monitor was started.
    pub strays: Strays,
    /// When such a reply was last told of.
    pub stray_at: Option<Timestamp>,
}

impl Link {
    /// Since when it is so, and whether perhaps longer.
    pub fn told_since(&self) -> Since {
        if self.at_least { Since::AtLeast(self.since) } else { Since::At(self.since) }
    }

    /// A path that was not yet up when somebody began to watch.
    pub(super) fn new(started: Timestamp) -> Self {
        Self {
            state: LinkState::NeverConnected,
            since: started,
            at_least: true,
            last_reply: None,
            fault: None,
            last_fault: None,
            reconnects: 0,
            reconnected_at: None,
            refusals: 0,
            missed: 0,
            overruns: 0,
            losses: 0,
            overrun: None,
            strays: Strays::default(),
            stray_at: None,
        }
    }
}

/// Whether a path is up. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkState {
    /// The station answers.
    Connected,
    /// It did, and does no more.
    Lost,
    /// It never has since the monitor was started.
    NeverConnected,
}

impl LinkState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Connected, Self::Lost, Self::NeverConnected];

    /// Its number in stores. A number that is given is never given again, nor to another state.
    pub fn code(self) -> u8 {
        match self {
            Self::Connected => 0,
            Self::Lost => 1,
            Self::NeverConnected => 2,
        }
    }

    /// The state that a number of a store stands for; `None` when it stands for none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Lost => "lost",
            Self::NeverConnected => "never_connected",
        }
    }
}

/// Whether all required signals exist and are tested: *đủ*. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Full {
    /// Every required point is mapped and has a valid end-to-end record.
    Full,
    /// Some are not.
    NotFull,
    /// None is mapped.
    NoneYet,
}

impl Full {
    /// What counts of required points say.
    pub(super) fn of(counts: &Counts) -> Self {
        match counts {
            counts if counts.tested == counts.required && counts.required > 0 => Self::Full,
            counts if counts.mapped == 0 => Self::NoneYet,
            _ => Self::NotFull,
        }
    }

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NotFull => "not_full",
            Self::NoneYet => "none_yet",
        }
    }
}

/// A unit as one centre sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceSnapshot {
    /// Whether this centre asks it at all.
    pub asked: bool,
    /// Whether it answered its latest request, be it that it refused. A gateway that says that it cannot be reached
    /// is no answer.
    pub answers: bool,
    /// Since when it is so.
    pub since: Since,
    /// How asking it went over the last five minutes.
    pub traffic: TrafficSnapshot,
    /// When a reply with values came last.
    pub last_good: Option<Timestamp>,
    /// What a request to it failed with last, and when.
    pub last_miss: Option<(Timestamp, Miss)>,
    /// Points that it refuses alone, so that they are set aside: the others of their groups are read without them.
    pub set_aside: u32,
    /// Its events; `None` until it has shown that it has any.
    pub events: Option<DeviceEvents>,
}

/// What came of a request last.
#[derive(Debug, Clone, PartialEq)]
pub struct LastAnswer {
    /// The group: its place in the channel's layout.
    pub group: u16,
    /// The columns that were asked for.
    pub columns: Range<u16>,
    /// Why nothing came; `None` when something did.
    pub miss: Option<Miss>,
    /// The bytes.
    pub evidence: Evidence,
}

impl LastAnswer {
    /// First column behind those that were asked for; what has no columns takes the place of one.
    pub fn end(&self) -> u16 {
        self.columns.end.max(self.columns.start.saturating_add(1))
    }
}

/// Remote metering, counted from the meters' own bits.
#[derive(Debug, Clone, Default)]
pub struct MeteringSnapshot {
    /// One for each group of each station, in the order of the contract.
    pub groups: Vec<MeterGroupSnapshot>,
    /// Meters that sell energy.
    pub total: Share,
    /// The same by district.
    pub districts: Vec<Share>,
    /// The same by station.
    pub stations: Vec<Share>,
    /// By class; classes that do not sell energy have their own counts here, outside the total.
    pub classes: Vec<Share>,
    /// How daily reading goes, of meters that sell energy.
    pub reads: Reads,
    /// The same by district.
    pub district_reads: Vec<Reads>,
    /// The same by station.
    pub station_reads: Vec<Reads>,
    /// By class; classes that do not sell energy have their own counts here, outside the total.
    pub class_reads: Vec<Reads>,
    /// The day that the first pass, the half hours and the concentrators' minutes hold for: the
    /// newest that any metering unit tells of. `None` when none has told yet.
    pub day: Option<Date>,
    /// The day that the final reads hold for, likewise.
    pub final_day: Option<Date>,
    /// Energy sold as head-ends have read it.
    pub sold: SoldReads,
    /// The same by district.
    pub district_sold: Vec<SoldReads>,
    /// By class; of classes that do not sell it is what they measure, outside the sum.
    pub class_sold: Vec<SoldReads>,
    /// By district, station and class: meters of groups that have never been counted. They are neither read
    /// remotely nor not.
    pub district_uncounted: Vec<u64>,
    /// The same by station.
    pub station_uncounted: Vec<u64>,
    /// The same by class.
    pub class_uncounted: Vec<u64>,
    /// All of those that sell energy. A count stands until the next one, however
    /// long the station is out of reach: a lost link does not unprove a meter's channel.
    pub uncounted: u64,
}

/// Meters of one class in one district behind one station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterGroupSnapshot {
    /// Station.
    pub station: StationId,
    /// Its place in [`config::Station::meters`].
    pub group: usize,
    /// Meters with a proven remote channel; `None` until all of its registers were read.
    pub proven: Option<u32>,
    /// Meters installed as the metering unit says; the contract has the number that counts.
    pub reported: Option<u32>,
    /// When the oldest of its registers was read.
    pub at: Option<Timestamp>,
    /// What its head-end publishes; `None` until it was read, and when it cannot be.
    pub figures: Option<MeterFigures>,
    /// Energy sold as its head-end has read it; `None` until it was read, and when it cannot be.
    pub sold: Option<SoldFigures>,
}

/// Energy sold as head-ends have read it: running counts since they began, summed up. What meters have
/// counted since they were last read is in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoldReads {
    /// Meters of which the head-end tells, of all.
    pub told: Share,
    /// Brought by remote readings, kWh.
    pub remote_kwh: u64,
    /// Brought by readings by hand, kWh.
    pub hand_kwh: u64,
    /// The latest local day, since 1970, at whose end registers stood that were read remotely; 0: none.
    pub remote_day: u16,
    /// The latest day on which meters were read by hand; 0: none.
    pub hand_day: u16,
    /// Meters whose latest remote reading failed.
    pub remote_behind: u64,
    /// Meters that the latest round by hand did not reach.
    pub hand_behind: u64,
}

impl SoldReads {
    /// What is told of a group of `meters`.
    pub fn of(figures: Option<&SoldFigures>, meters: u32) -> Self {
        let told = Share::new(if figures.is_some() { meters.into() } else { 0 }, meters.into());
        let figures = figures.copied().unwrap_or_default();
        Self {
            told,
            remote_kwh: figures.remote_kwh,
            hand_kwh: figures.hand_kwh,
            remote_day: Self::read_day(figures.day, figures.remote_days),
            hand_day: Self::read_day(figures.hand_day, figures.hand_days),
            remote_behind: figures.remote_behind.into(),
            hand_behind: figures.hand_behind.into(),
        }
    }

    /// The day of the latest reading of a count: none before a reading has brought any meter-days.
    pub fn read_day(day: u16, meter_days: u64) -> u16 {
        if meter_days > 0 { day } else { 0 }
    }

    /// A day of it as a date; `None` when there is none yet.
    pub fn date(day: u16) -> Option<Date> {
        (day > 0).then(|| Date::of_day(day.into()))
    }
}

impl AddAssign for SoldReads {
    fn add_assign(&mut self, other: Self) {
        self.told += other.told;
        self.remote_kwh = self.remote_kwh.saturating_add(other.remote_kwh);
        self.hand_kwh = self.hand_kwh.saturating_add(other.hand_kwh);
        self.remote_day = self.remote_day.max(other.remote_day);
        self.hand_day = self.hand_day.max(other.hand_day);
        self.remote_behind += other.remote_behind;
        self.hand_behind += other.hand_behind;
    }
}

/// How daily reading goes: what head-ends publish, summed up. Never merged with coverage, which
/// says how many meters can be read, not how many were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reads {
    /// Meters with a valid 00:00 register by 06:00, of those with a proven channel.
    pub first_pass: Share,
    /// Of the final day: meters with a valid 00:00 register by 06:00, what the first pass of that day was.
    pub final_first_pass: Share,
    /// Of the final day: meters with a valid 00:00 register when retries ended, three days later.
    pub final_pass: Share,
    /// Half hours of the final day, followed to their end.
    pub half_hours: HalfHours,
    /// Valid half hours by 06:00 of the next day, of those that should be.
    pub intervals: Share,
    /// Minutes that concentrators were online.
    pub minutes: Share,
    /// Concentrators online when they were asked last, of stations whose figures are fresh.
    pub online: Share,
    /// Meters of which nobody has told for the day of the first pass, since their station or their head-end did
    /// not answer: those with a proven channel, and all where none was ever counted. They are in no share of
    /// that day, neither read nor not.
    pub not_heard: u64,
    /// The same for the final day.
    pub final_not_heard: u64,
}

impl Reads {
    /// Meters of which it is told whether they were read on the day of the first pass, of all that should be.
    pub fn heard(&self) -> Share {
        Share::new(self.first_pass.want, self.first_pass.want.saturating_add(self.not_heard))
    }

    /// The same for the final day.
    pub fn final_heard(&self) -> Share {
        Share::new(self.final_pass.want, self.final_pass.want.saturating_add(self.final_not_heard))
    }
}

impl AddAssign for Reads {
    fn add_assign(&mut self, other: Self) {
        self.first_pass += other.first_pass;
        self.final_first_pass += other.final_first_pass;
        self.final_pass += other.final_pass;
        self.half_hours += other.half_hours;
        self.intervals += other.intervals;
        self.minutes += other.minutes;
        self.online += other.online;
        self.not_heard += other.not_heard;
        self.final_not_heard += other.final_not_heard;
    }
}

/// Half hours of a day, followed to their end: `on_time`, `late`, `backfilled` and [`HalfHours::missing`] make
/// `expected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HalfHours {
    /// Those that meters with an interval profile should have.
    pub expected: u64,
    /// Valid by 06:00 of the next day.
    pub on_time: u64,
    /// Valid, and came after that on the same day.
    pub late: u64,
    /// Valid, and filled in by retries on the two days after.
    pub backfilled: u64,
}

impl HalfHours {
    /// Those that never came.
    pub fn missing(self) -> u64 {
        self.expected.saturating_sub(self.on_time + self.late + self.backfilled)
    }
}

impl AddAssign for HalfHours {
    fn add_assign(&mut self, other: Self) {
        self.expected += other.expected;
        self.on_time += other.on_time;
        self.late += other.late;
        self.backfilled += other.backfilled;
    }
}
