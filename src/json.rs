//! The snapshot as JSON, schema 2. All counts are integers; `schema` goes up when a field changes
//! its meaning. What nobody has looked at is null, never a zero.
//!
//! Schema 2: `figures.unmanned` counts the stations that are declared to be without staff *and* are seen well
//! enough; what is declared alone is `figures.unmanned_declared`, and `unmanned` of a station is an object.
//! `right` of a station at a centre is the verdict (`right`, `wrong`, `not_evaluated`), of a centre the stations
//! that are right; the counts of signals that it was in schema 1 are `right_signals`. `polling`, `traffic`,
//! `events` and `metering.stations` are null where nobody was asked.

use std::collections::BTreeMap;

use config::{CentreId, Province, Standing, StationId};
use historian::alarms::Alarm;
use historian::counts::Share;
use historian::events::{EventCounts, EventEntry, Happening, TimeDoubt};
use historian::snapshot::{ChannelSnapshot, Reads, Right, Snapshot, SoldReads};
use historian::unmanned;
use historian::verdict::{Reason, Since};
use serde::Serialize;
use signal::clock::{Jump, Timestamp};

/// Version of the shape below.
const SCHEMA: u32 = 2;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    at: Timestamp,
    province: &'a str,
    figures: Figures,
    centres: Vec<Centre<'a>>,
    stations: Vec<Station<'a>>,
    metering: Metering<'a>,
    /// What plants show at their metered points; no stations.
    plants: Vec<PlantEntry<'a>>,
    /// Null when nobody was asked: it was put together from history.
    polling: Option<Polling>,
    alarms: Vec<AlarmEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<History<'a>>,
    /// Where time did not go on evenly since the monitor was started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clock_jumps: Vec<ClockJump>,
}

/// The clock was set, the machine slept, or nothing ran.
#[derive(Serialize)]
struct ClockJump {
    /// The last moment before, by the clock as it went then.
    before: Timestamp,
    /// The first one behind it, by the clock as it goes from then on.
    after: Timestamp,
    /// How far it was set ahead; how long it slept, or nothing ran.
    by_ms: i64,
    /// `clock_set`, `slept`, `stopped`.
    kind: &'static str,
}

/// The headline figures. Counts of stations, and of meters.
#[derive(Serialize)]
struct Figures {
    connected: Share,
    full: Share,
    /// Declared to be without staff, and seen well enough by the centre in charge.
    unmanned: Share,
    /// Stations of which that cannot be said.
    unmanned_unknown: u64,
    unmanned_declared: Share,
    /// Null when no meter was counted.
    remote_metering: Option<Share>,
}

/// A plant. Null: not known now.
#[derive(Serialize)]
struct PlantEntry<'a> {
    id: &'a str,
    name: &'a str,
    points: Vec<MeteredPoint<'a>>,
}

/// A metered point: positive power goes to the grid.
#[derive(Serialize)]
struct MeteredPoint<'a> {
    level_kv: u16,
    id: &'a str,
    p_mw: Option<f64>,
    q_mvar: Option<f64>,
    out_mwh: Option<f64>,
    in_mwh: Option<f64>,
}

/// How keeping history goes; not there when none is kept.
#[derive(Serialize)]
struct History<'a> {
    /// Everything up to here is durable.
    durable_until: Option<Timestamp>,
    /// Since when, and why, nothing more is.
    trouble: Option<Trouble<'a>>,
    /// What is older than the contract wants and waits to be confirmed.
    unconfirmed: Option<UnconfirmedEntry<'a>>,
}

#[derive(Serialize)]
struct UnconfirmedEntry<'a> {
    /// The local day that would be the first one kept.
    before: String,
    only_values: bool,
    percent: u8,
    /// What confirms it.
    command: &'a str,
}

#[derive(Serialize)]
struct Trouble<'a> {
    since: Timestamp,
    why: &'a str,
}

/// What needs somebody's response.
#[derive(Serialize)]
struct AlarmEntry<'a> {
    station: &'a str,
    /// What its signals have in common: `link`, `unit 3`, `bay 172`.
    cause: String,
    reason: &'static str,
    /// 1, the most urgent, to 3.
    priority: u8,
    state: &'static str,
    raised: Timestamp,
    /// Its cause was there already when somebody began to watch.
    raised_at_least: bool,
    returned: Option<Timestamp>,
    acknowledged: Option<Timestamp>,
    signals: u32,
    /// That lack signals by it.
    centres: Vec<&'a str>,
}

/// How asking the stations goes.
#[derive(Serialize)]
struct Polling {
    /// Seconds that the requests and faults stand for, the last ones.
    window_s: f64,
    requests: u64,
    no_reply: u64,
    refused: u64,
    undecodable: u64,
    /// Since the start, over all stations.
    missed_slots: u64,
    links_lost: u64,
}

/// Remote metering: how many meters can be read (coverage), and how many were (reads).
#[derive(Serialize)]
struct Metering<'a> {
    /// Null when no meter was counted.
    coverage: Option<Share>,
    /// Meters that nobody has counted: neither read remotely nor not.
    uncounted: u64,
    /// Local days that the reads hold for.
    day: Option<String>,
    final_day: Option<String>,
    #[serde(flatten)]
    reads: ReadShares,
    /// Null when no head-end tells of it.
    sold: Option<Sold>,
    districts: Vec<MeteringOf<'a>>,
    classes: Vec<MeteringOf<'a>>,
    /// Null where nobody was asked: it is not kept.
    stations: Option<Vec<MeteringOf<'a>>>,
}

#[derive(Serialize)]
struct MeteringOf<'a> {
    id: &'a str,
    /// Whether its meters sell energy, and so stand in the totals.
    sells: bool,
    coverage: Option<Share>,
    uncounted: u64,
    #[serde(flatten)]
    reads: ReadShares,
    #[serde(skip_serializing_if = "Option::is_none")]
    sold: Option<Sold>,
}

/// Energy sold, as running counts of what was read.
#[derive(Serialize)]
struct Sold {
    /// Meters of which it is told, of all.
    told: Share,
    remote_kwh: u64,
    /// Local day at whose end the registers stood; null: none yet.
    remote_until: Option<String>,
    /// Meters that the latest reading did not reach; null: there was none that could have.
    remote_behind: Option<u64>,
    hand_kwh: u64,
    /// Local day of the last reading by hand.
    hand_until: Option<String>,
    hand_behind: Option<u64>,
}

/// Null is what nobody has told.
#[derive(Serialize)]
struct ReadShares {
    first_pass: Option<Share>,
    /// Of `final_day`, what the first pass of that day was.
    final_first_pass: Option<Share>,
    r#final: Option<Share>,
    intervals: Option<Share>,
    half_hours: Option<HalfHours>,
    concentrator_minutes: Option<Share>,
    concentrators_online: Option<Share>,
    /// Meters of which nobody told for `day`, and for `final_day`: in no share, neither read nor not.
    not_heard: u64,
    final_not_heard: u64,
}

/// Half hours of `final_day`: the last four make the first.
#[derive(Serialize)]
struct HalfHours {
    expected: u64,
    on_time: u64,
    late: u64,
    backfilled: u64,
    missing: u64,
}

#[derive(Serialize)]
struct Centre<'a> {
    id: &'a str,
    required: u64,
    mapped: u64,
    tested: u64,
    good: u64,
    live: Share,
    /// Of those that are live, not watched for long enough to say so.
    undecided: u64,
    /// The same with what is left out with approval counted, too.
    live_raw: Share,
    /// Stations that are right, of those that could be tested.
    right: Share,
    right_signals: Share,
    excluded: u64,
    connected: Share,
    full: Share,
    events: Option<EventCounts>,
}

#[derive(Serialize)]
struct Station<'a> {
    id: &'a str,
    name: &'a str,
    unmanned: Unmanned<'a>,
    centres: Vec<StationAtCentre<'a>>,
}

/// Whether it is operated without staff.
#[derive(Serialize)]
struct Unmanned<'a> {
    /// By the contract.
    declared: bool,
    /// Declared, and seen; null when that cannot be said.
    operated: Option<bool>,
    /// The centre that must see its signals of priority A.
    in_charge: &'a str,
    /// Of these, those that are live.
    signals: Share,
    /// The others.
    lost: Vec<LostEntry<'a>>,
}

#[derive(Serialize)]
struct LostEntry<'a> {
    point: &'a str,
    reason: &'static str,
    since: Option<String>,
    since_at_least: bool,
}

#[derive(Serialize)]
struct StationAtCentre<'a> {
    id: &'a str,
    link: &'static str,
    link_since: Timestamp,
    /// It was so already when somebody began to watch.
    link_since_at_least: bool,
    /// The gateway answers, and repeats what it had.
    hung: bool,
    full: &'static str,
    required: u64,
    mapped: u64,
    missing: u64,
    untested: u64,
    good: u64,
    live: Share,
    /// Of those that are live, not watched for long enough to say so.
    undecided: u64,
    /// The same with what is left out with approval counted, too.
    live_raw: Share,
    right: &'static str,
    right_signals: Share,
    excluded: u64,
    reasons: Vec<ReasonEntry<'a>>,
    traffic: Option<Traffic>,
    events: Option<EventCounts>,
}

/// How polling a station goes. Requests and round trips are of the last five minutes, the others
/// are counted since the monitor was started.
#[derive(Serialize)]
struct Traffic {
    requests: u64,
    no_reply: u64,
    refused: u64,
    undecodable: u64,
    /// Replies that came after their request had been given up.
    late: u32,
    /// Replies to no request, or second ones.
    unknown: u32,
    missed_slots: u64,
    overruns: u64,
    /// Null when nothing was answered.
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
}

/// The points of a channel whose verdict is the same reason.
#[derive(Serialize)]
struct ReasonEntry<'a> {
    reason: &'static str,
    count: u64,
    points: Vec<&'a str>,
    /// Since when the longest-standing of them is so; null when one was never otherwise.
    since: Option<String>,
    /// One of them was so already when somebody began to watch, or could be seen: at least since then.
    since_at_least: bool,
    details: Vec<Detail<'a>>,
}

/// Points of a reason by since-when and why, and whether they are left out.
type Details<'a> = BTreeMap<(Option<String>, bool, Option<&'a str>, bool), Vec<&'a str>>;

/// Points of a reason that share since-when and why.
#[derive(Serialize)]
struct Detail<'a> {
    points: Vec<&'a str>,
    since: Option<String>,
    /// It was so already when somebody began to watch: at least since then.
    since_at_least: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    /// They are left out of the live figures with approval.
    excluded: bool,
}

/// The snapshot as one JSON object on one line, without a newline at its end.
///
/// # Panics
/// Never: the document has only strings, numbers and lists.
pub fn snapshot(snapshot: &Snapshot) -> String {
    let province = &snapshot.province;
    let document = Document {
        schema: SCHEMA,
        at: snapshot.at,
        province: &province.name.vi,
        figures: figures(snapshot),
        centres: province.centre_ids().map(|centre| centre_entry(snapshot, centre)).collect(),
        stations: province.station_ids().map(|station| station_entry(snapshot, station)).collect(),
        metering: metering(snapshot),
        plants: province.plant_ids().map(|plant| plant_entry(snapshot, plant)).collect(),
        polling: (!snapshot.is_kept).then(|| polling(snapshot)),
        alarms: snapshot.alarms.iter().filter_map(|alarm| alarm_entry(snapshot, alarm)).collect(),
        history: snapshot.keeping.as_ref().map(|keeping| History {
            durable_until: keeping.until,
            trouble: keeping.trouble.as_ref().map(|(since, why)| Trouble { since: *since, why }),
            unconfirmed: keeping.unconfirmed.as_ref().map(|waits| UnconfirmedEntry {
                before: waits.before.to_string(),
                only_values: waits.only_values,
                percent: waits.percent,
                command: &waits.command,
            }),
        }),
        clock_jumps: snapshot.jumps.iter().map(clock_jump).collect(),
    };
    serde_json::to_string(&document).expect("the document has only strings, numbers and lists")
}

fn figures(snapshot: &Snapshot) -> Figures {
    let (figures, metering) = (&snapshot.figures, &snapshot.metering);
    let unknown = snapshot.stations().iter().filter(|s| s.unmanned.is_operated().is_none());
    Figures {
        connected: figures.connected,
        full: figures.full,
        unmanned: figures.unmanned,
        unmanned_unknown: unknown.count() as u64,
        unmanned_declared: figures.unmanned_declared,
        remote_metering: counted(figures.remote_metering, metering.uncounted),
    }
}

fn clock_jump(jump: &Jump) -> ClockJump {
    let Jump { before, after, by_ms, kind } = *jump;
    ClockJump { before, after, by_ms, kind: kind.word() }
}

/// A plant, by the first centre that has a value of each point.
fn plant_entry(snapshot: &Snapshot, id: StationId) -> PlantEntry<'_> {
    let province = &snapshot.province;
    let plant = &province.stations[id.index()];
    let value = |n: usize| {
        province.centre_ids().find_map(|centre| {
            let seen = snapshot.channel(id, centre).points.get(n)?;
            seen.value.filter(|_| seen.not_live.is_none())
        })
    };
    let points = plant.bays.iter().enumerate().map(|(bay, own)| {
        let of = |id: &str| {
            let found = plant.points.iter().position(|p| p.bay == bay && p.spec.id == id);
            found.and_then(value)
        };
        MeteredPoint {
            level_kv: own.level,
            id: &own.name,
            p_mw: of("P"),
            q_mvar: of("Q"),
            out_mwh: of("E.OUT"),
            in_mwh: of("E.IN"),
        }
    });
    PlantEntry { id: &plant.id, name: &plant.name.vi, points: points.collect() }
}

fn alarm_entry<'a>(snapshot: &'a Snapshot, alarm: &Alarm) -> Option<AlarmEntry<'a>> {
    let (province, cause) = (&snapshot.province, alarm.raised.cause);
    let centres = alarm.centres.iter().map(|centre| &province.centres[centre.index()].id[..]);
    Some(AlarmEntry {
        station: &province.stations[cause.station.index()].id,
        cause: cause.name(province)?,
        reason: cause.line.reason.word(),
        priority: alarm.priority.number(),
        state: alarm.state()?.word(),
        raised: alarm.raised.at,
        raised_at_least: alarm.at_least,
        returned: alarm.returned,
        acknowledged: alarm.acknowledged,
        signals: alarm.signals,
        centres: centres.collect(),
    })
}

fn polling(snapshot: &Snapshot) -> Polling {
    let traffic = &snapshot.traffic;
    let links = || snapshot.channels.iter().map(|channel| &channel.link);
    Polling {
        window_s: traffic.window_s,
        requests: traffic.requests,
        no_reply: traffic.no_reply,
        refused: traffic.refused,
        undecodable: traffic.undecodable,
        missed_slots: links().map(|link| link.missed).sum(),
        links_lost: links().map(|link| link.losses).sum(),
    }
}

fn metering(snapshot: &Snapshot) -> Metering<'_> {
    let (metering, province) = (&snapshot.metering, &snapshot.province);
    let of = |(id, sells), (coverage, uncounted): (Share, u64), reads: &Reads, energy| MeteringOf {
        id,
        sells,
        coverage: counted(coverage, uncounted),
        uncounted,
        reads: read_shares(reads),
        sold: Option::and_then(energy, sold),
    };
    let pairs = |shares: &[Share], uncounted: &[u64]| -> Vec<(Share, u64)> {
        shares.iter().copied().zip(uncounted.iter().copied()).collect()
    };
    let districts = pairs(&metering.districts, &metering.district_uncounted);
    let districts = province.districts.iter().zip(districts).zip(&metering.district_reads);
    let classes = pairs(&metering.classes, &metering.class_uncounted);
    let classes = province.meter_classes.iter().zip(classes).zip(&metering.class_reads);
    let stations = pairs(&metering.stations, &metering.station_uncounted);
    let stations = province.substations().iter().zip(stations).zip(&metering.station_reads);
    let stations = stations
        .map(|((station, share), reads)| of((&station.id, true), share, reads, None::<&SoldReads>));
    Metering {
        coverage: counted(metering.total, metering.uncounted),
        uncounted: metering.uncounted,
        day: metering.day.map(|day| day.to_string()),
        final_day: metering.final_day.map(|day| day.to_string()),
        reads: read_shares(&metering.reads),
        sold: sold(&metering.sold),
        districts: districts
            .zip(&metering.district_sold)
            .map(|(((d, share), reads), energy)| of((&d.id, true), share, reads, Some(energy)))
            .collect(),
        classes: classes
            .zip(&metering.class_sold)
            .map(|(((c, share), reads), energy)| of((&c.id, c.sold), share, reads, Some(energy)))
            .collect(),
        stations: (!snapshot.is_kept).then(|| stations.collect()),
    }
}

/// A count of which something is known.
fn counted(coverage: Share, uncounted: u64) -> Option<Share> {
    (uncounted < coverage.want).then_some(coverage)
}

/// What was read of the energy sold; `None` when nobody tells of it.
fn sold(reads: &SoldReads) -> Option<Sold> {
    let date = |day: u16| SoldReads::date(day).map(|date| date.to_string());
    (reads.told.have > 0).then(|| Sold {
        told: reads.told,
        remote_kwh: reads.remote_kwh,
        remote_until: date(reads.remote_day),
        remote_behind: (reads.remote_day > 0).then_some(reads.remote_behind),
        hand_kwh: reads.hand_kwh,
        hand_until: date(reads.hand_day),
        hand_behind: (reads.hand_day > 0).then_some(reads.hand_behind),
    })
}

fn read_shares(reads: &Reads) -> ReadShares {
    let known = |share: Share| (share.want > 0).then_some(share);
    let half_hours = reads.half_hours;
    ReadShares {
        first_pass: known(reads.first_pass),
        final_first_pass: known(reads.final_first_pass),
        r#final: known(reads.final_pass),
        intervals: known(reads.intervals),
        half_hours: (half_hours.expected > 0).then(|| HalfHours {
            expected: half_hours.expected,
            on_time: half_hours.on_time,
            late: half_hours.late,
            backfilled: half_hours.backfilled,
            missing: half_hours.missing(),
        }),
        concentrator_minutes: known(reads.minutes),
        concentrators_online: known(reads.online),
        not_heard: reads.not_heard,
        final_not_heard: reads.final_not_heard,
    }
}

fn centre_entry(snapshot: &Snapshot, centre: CentreId) -> Centre<'_> {
    let found = &snapshot.centres[centre.index()];
    Centre {
        id: &snapshot.province.centres[centre.index()].id,
        required: found.counts.required,
        mapped: found.counts.mapped,
        tested: found.counts.tested,
        good: found.counts.good,
        live: found.counts.live,
        undecided: found.counts.undecided,
        live_raw: found.counts.live_raw(),
        right: stations_right(snapshot, centre),
        right_signals: found.counts.right,
        excluded: found.counts.excluded,
        connected: found.connected,
        full: found.full,
        events: (!snapshot.is_kept).then(|| event_counts(snapshot, centre)),
    }
}

fn stations_right(snapshot: &Snapshot, centre: CentreId) -> Share {
    let mut sum = Share::default();
    for station in snapshot.province.station_ids() {
        let right = snapshot.channel(station, centre).right;
        let is_tested = right != Right::NotEvaluated;
        sum += Share::new(u64::from(right == Right::Right), u64::from(is_tested));
    }
    sum
}

fn event_counts(snapshot: &Snapshot, centre: CentreId) -> EventCounts {
    let mut sum = EventCounts::default();
    for station in snapshot.province.station_ids() {
        sum += snapshot.channel(station, centre).event_counts();
    }
    sum
}

fn station_entry(snapshot: &Snapshot, station: StationId) -> Station<'_> {
    let province = &snapshot.province;
    let contract = &province.stations[station.index()];
    let at = |centre: CentreId| {
        let channel = snapshot.channel(station, centre);
        let counts = &channel.counts;
        StationAtCentre {
            id: &province.centres[centre.index()].id,
            link: channel.link.state.word(),
            link_since: channel.link.since,
            link_since_at_least: channel.link.at_least,
            hung: channel.is_hung,
            full: channel.full.word(),
            required: counts.required,
            mapped: counts.mapped,
            missing: counts.missing(),
            untested: counts.untested(),
            good: counts.good,
            live: counts.live,
            undecided: counts.undecided,
            live_raw: counts.live_raw(),
            right: channel.right.word(),
            right_signals: counts.right,
            excluded: counts.excluded,
            reasons: reasons(province, channel),
            traffic: (!snapshot.is_kept).then(|| traffic(channel)),
            events: (!snapshot.is_kept).then(|| channel.event_counts()),
        }
    };
    Station {
        id: &contract.id,
        name: &contract.name.vi,
        unmanned: unmanned_entry(snapshot, station),
        centres: province.centre_ids().map(at).collect(),
    }
}

fn unmanned_entry(snapshot: &Snapshot, station: StationId) -> Unmanned<'_> {
    let contract = &snapshot.province.stations[station.index()];
    let seen = snapshot.site(station).unmanned;
    let lost = unmanned::lost(snapshot, station).into_iter().map(|lost| LostEntry {
        point: &contract.points[lost.point.index()].id,
        reason: lost.reason.word(),
        since: since_text(lost.since),
        since_at_least: lost.since.is_at_least(),
    });
    Unmanned {
        declared: seen.declared,
        operated: seen.is_operated(),
        in_charge: &snapshot.province.centres[contract.in_charge.index()].id,
        signals: seen.signals,
        lost: lost.collect(),
    }
}

fn traffic(channel: &ChannelSnapshot) -> Traffic {
    let (seen, link) = (&channel.traffic, &channel.link);
    Traffic {
        requests: seen.requests,
        no_reply: seen.no_reply,
        refused: seen.refused,
        undecodable: seen.undecodable,
        late: link.strays.late,
        unknown: link.strays.unknown,
        missed_slots: link.missed,
        overruns: link.overruns,
        p50_ms: seen.p50_ms,
        p95_ms: seen.p95_ms,
    }
}

fn reasons<'a>(province: &'a Province, channel: &'a ChannelSnapshot) -> Vec<ReasonEntry<'a>> {
    let (station, entries) = (channel.station(province), &channel.contract(province).entries);
    let mut groups: BTreeMap<Reason, (Since, Details<'_>)> = BTreeMap::new();
    for (reason, point) in channel.failing(province) {
        let seen = channel.points[point.index()].since;
        let (since, at_least) = (since_text(seen), seen.is_at_least());
        let why = match &entries[point.index()].standing {
            Standing::Absent(cause) | Standing::Untested(cause) if reason.is_structural() => {
                cause.why.as_ref().map(|why| why.en.as_str())
            }
            _ => None,
        };
        let (first, details) = groups.entry(reason).or_insert_with(|| (seen, Details::new()));
        *first = first.earlier(seen);
        let excluded = entries[point.index()].excluded.is_some();
        let own = details.entry((since, at_least, why, excluded)).or_default();
        own.push(&station.points[point.index()].id);
    }
    groups
        .into_iter()
        .map(|(reason, (first, details))| {
            let points: Vec<&str> = details.values().flatten().copied().collect();
            ReasonEntry {
                reason: reason.word(),
                count: points.len() as u64,
                points,
                since: since_text(first),
                since_at_least: first.is_at_least(),
                details: details
                    .into_iter()
                    .map(|((since, since_at_least, why, excluded), points)| Detail {
                        points,
                        since,
                        since_at_least,
                        why,
                        excluded,
                    })
                    .collect(),
            }
        })
        .collect()
}

/// A day as `2022-11-02`, an instant in UTC, nothing for what was always so.
fn since_text(since: Since) -> Option<String> {
    match since {
        Since::Always => None,
        Since::Day(date) => Some(date.to_string()),
        Since::At(at) | Since::AtLeast(at) => Some(at.to_string()),
    }
}

/// An event, or a gap between events.
#[derive(Serialize)]
struct Event<'a> {
    /// Where it stands in the order, UTC to the millisecond.
    at: String,
    arrived: String,
    station: &'a str,
    centre: &'a str,
    unit: u8,
    #[serde(flatten)]
    what: EventWhat<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EventWhat<'a> {
    Change {
        number: u32,
        bay: Option<&'a str>,
        /// Null when the contract has no status at the address.
        point: Option<&'a str>,
        address: u16,
        /// The code before; null when the record before did not come.
        before: Option<u16>,
        value: u16,
        /// By the clock of the unit.
        source: String,
        delay_ms: i64,
        flags: String,
        synchronised: bool,
        /// `ahead` or `behind` when the time cannot be right.
        doubt: Option<&'static str>,
    },
    Lost {
        /// Null: not known how many.
        lost: Option<u32>,
        after: Option<String>,
        before: Option<String>,
    },
}

/// One entry of the events as a JSON object.
///
/// # Panics
/// Never: it has only strings, integers and lists.
pub fn event(snapshot: &Snapshot, entry: &EventEntry) -> String {
    let province = &snapshot.province;
    let channel = &province.channels[entry.channel.index()];
    let station = &province.stations[channel.station.index()];
    let what = match &entry.what {
        Happening::Change(change) => {
            let point = change.point.map(|point| &station.points[point.index()]);
            EventWhat::Change {
                number: change.number,
                bay: point.map(|point| station.bays[point.bay].name.as_str()),
                point: point.map(|point| point.id.as_str()),
                address: change.address,
                before: change.before,
                value: change.value,
                source: change.source.to_millisecond(),
                delay_ms: entry.arrived.since(change.source),
                flags: change.flags.to_string(),
                synchronised: change.synchronised,
                doubt: change.doubt.map(TimeDoubt::word),
            }
        }
        Happening::Lost(gap) => EventWhat::Lost {
            lost: Some(gap.count).filter(|count| *count > 0),
            after: gap.after.map(Timestamp::to_millisecond),
            before: gap.before.map(Timestamp::to_millisecond),
        },
    };
    let event = Event {
        at: entry.at.to_millisecond(),
        arrived: entry.arrived.to_millisecond(),
        station: &station.id,
        centre: &province.centres[channel.centre.index()].id,
        unit: entry.unit,
        what,
    };
    serde_json::to_string(&event).expect("the event has only strings, integers and lists")
}
