//! What a report is made from: everything that it needs of the store, gathered once.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{CentreId, Channel, ChannelId, Lang, PointId, PointKind, Province, StationId};
use historian::verdict::Since;
use historian::verdict_log::{PollStats, VerdictState};
use signal::clock::{Jump, Timestamp};
use store::history::alarms::{Stood, alarms};
use store::history::energy::{StationEnergy, energies};
use store::history::reliability::{Reliability, reliability};
use store::history::{
    Asking, ChannelHistory, Counted, Days, Figure, LinkHistory, PointHistory, Readings, Sight,
    Span, Times, Window, channel_history, counted, readings,
};
use store::{Contract, Kept, KeptAlarm, KeptFrom, Metered, Reader, Recorded, Session, StoreError};

use super::operations::{Operations, operations};
use super::period::Period;
use super::shown::real;

/// Months in the long chart: the month of the report, and a year before.
const MONTHS: usize = 13;
/// Points that are named as the least available of each centre.
const WORST_MAX: usize = 30;

/// What of a store a report is about.
#[derive(Debug, Clone)]
pub struct ReportRequest {
    /// The time.
    pub period: Period,
    /// Only this station, by its id; all of them otherwise.
    pub station: Option<String>,
    /// Language.
    pub lang: Lang,
}

/// Everything that a report says, as figures.
pub(super) struct Facts {
    pub(super) lang: Lang,
    pub(super) period: Period,
    pub(super) window: Window,
    /// The contract that holds at the end of the period.
    pub(super) province: Arc<Province>,
    /// Every contract that held in the period, in the order of time.
    pub(super) contracts: Vec<Contract>,
    /// Those that touch the period.
    pub(super) sessions: Vec<Session>,
    /// Where time did not go on evenly, on one side of it or the other in the period.
    pub(super) jumps: Vec<Jump>,
    /// Stations and centres of the last contract, in its order.
    pub(super) channels: Vec<ChannelFacts>,
    /// The same figures of the whole period before, as far as it was kept.
    pub(super) before: Vec<Times>,
    /// For each month up to this one, the figures of each centre.
    pub(super) months: Vec<(Period, Vec<Times>)>,
    pub(super) metering: Vec<Metered>,
    pub(super) metering_before: Vec<Metered>,
    pub(super) metering_days: Vec<Vec<Metered>>,
    /// Daily reading and half hours.
    pub(super) readings: Readings,
    pub(super) events: EventFacts,
    /// Alarms that were raised in it or stood in it from before, in the order in which they were raised, with how
    /// long they stood.
    pub(super) stood: Vec<Stood>,
    pub(super) reliability: Reliability,
    pub(super) energies: Vec<StationEnergy>,
    /// Remote operations, by station id.
    pub(super) operations: BTreeMap<String, Operations>,
    /// Energy sold and produced; of plants nothing in a report of one station.
    pub(super) counted: Counted,
}

/// A station as one centre sees it.
pub(super) struct ChannelFacts {
    pub(super) id: ChannelId,
    /// For each day.
    pub(super) days: Vec<Times>,
    /// How long every signal was live on which a station without staff depends, for each day.
    pub(super) sights: Vec<Sight>,
    pub(super) link: LinkHistory,
    pub(super) asked: Figure<PollStats>,
    /// By kind of signal.
    pub(super) kinds: BTreeMap<PointKind, Times>,
    /// Each point, in the order of the last contract.
    pub(super) points: Vec<PointHistory>,
    /// Points that earlier contracts of the period had and the last one has no more, by the id within the station.
    former: BTreeMap<String, PointHistory>,
}

/// Records of events.
#[derive(Default)]
pub(super) struct EventFacts {
    /// For each day, for each centre.
    pub(super) days: Vec<Vec<u64>>,
    /// Records by station, signal and centre.
    pub(super) by_point: BTreeMap<(String, String), u64>,
    /// Stretches of ten minutes with more than ten records at a station, by centre: floods.
    pub(super) floods: Vec<(Timestamp, String, String, u64)>,
    /// Records that never came; `None`: nobody knows how many.
    pub(super) lost: Option<u64>,
    pub(super) received: u64,
}

impl ChannelFacts {
    pub(super) fn times(&self) -> Times {
        self.days.iter().sum()
    }
}

impl Facts {
    pub(super) fn channel(&self, id: ChannelId) -> &Channel {
        &self.province.channels[id.index()]
    }

    /// Alarms that were raised in the period, in the order of time.
    pub(super) fn alarms(&self) -> impl Iterator<Item = &KeptAlarm> {
        let kept = self.window.kept(Kept::Alarms);
        self.stood.iter().filter(move |own| own.begins_in(kept)).map(|own| &own.alarm)
    }

    /// Channels of a centre.
    pub(super) fn of_centre(&self, centre: CentreId) -> impl Iterator<Item = &ChannelFacts> {
        self.channels.iter().filter(move |channel| self.channel(channel.id).centre == centre)
    }

    /// Channels of a station, centre by centre.
    pub(super) fn of_station(&self, station: StationId) -> impl Iterator<Item = &ChannelFacts> {
        self.channels.iter().filter(move |channel| self.channel(channel.id).station == station)
    }

    /// Stations that the report is about.
    pub(super) fn stations(&self) -> Vec<StationId> {
        let of_first = self.channels.iter().map(|channel| self.channel(channel.id).station);
        let mut stations: Vec<StationId> = of_first.collect();
        stations.sort_unstable();
        stations.dedup();
        stations
    }

    /// The least available points that have a value, by the id within their station, worst first; those that the last
    /// contract has no more, too.
    pub(super) fn worst(&self) -> Vec<(&ChannelFacts, &str, &PointHistory)> {
        let down = |point: &PointHistory| point.times.not_live.iter().sum::<i64>();
        let mut worst: Vec<(&ChannelFacts, &str, &PointHistory)> = Vec::new();
        for channel in &self.channels {
            let station = self.station(self.channel(channel.id));
            let points = station.points.iter().map(config::Point::local_id).zip(&channel.points);
            let former = channel.former.iter().map(|(id, point)| (&id[..], point));
            let all = points.chain(former).filter(|(_, point)| down(point) > 0);
            worst.extend(all.map(|(id, point)| (channel, id, point)));
        }
        // In the order of the contract where they are alike.
        worst.sort_by_key(|(_, _, history)| std::cmp::Reverse(down(history)));
        worst.truncate(WORST_MAX);
        worst
    }
}

/// Gathers what a report needs. `progress` is told the share of the work that is done, 0 to 1.
///
/// # Errors
/// When the store cannot be read, or has nothing of a contract that could be judged by.
pub(super) fn gather(
    reader: &Reader,
    request: &ReportRequest,
    mut progress: impl FnMut(f64),
) -> Result<Option<Facts>, StoreError> {
    let period = request.period;
    let sessions = reader.sessions()?;
    let kept = reader.kept()?;
    let window = Window::new(period.span(), &period.cuts(), &sessions).with_kept(kept);
    if window.observed_ms() == 0 {
        return Ok(None);
    }
    let contracts: Vec<Contract> =
        window.eras.iter().map(|era| reader.contract(era.contract)).collect::<Result<_, _>>()?;
    let Some(last) = contracts.last() else { return Ok(None) };
    // What stands at the end of the period is judged by what held on its last day.
    let province = Arc::new(last.province.as_of(period.last));
    let wanted = |station: &str| request.station.as_deref().is_none_or(|only| only == station);
    let is_wanted = |channel: &Channel| wanted(&province.stations[channel.station.index()].id);
    let ids: Vec<ChannelId> = (0..province.channels.len())
        .map(ChannelId::at)
        .filter(|id| !province.is_plant(*id) && is_wanted(&province.channels[id.index()]))
        .collect();
    // Two walks of all channels: this period, and the time up to it.
    let steps = 2.0 * real(ids.len() as u64);
    let mut done = 0.0;
    let mut step = || {
        done += 1.0;
        progress(done / steps);
    };
    let mut channels = Vec::new();
    let asking = Asking::of(reader, &window)?;
    for id in &ids {
        channels.push(channel_facts(reader, &window, (&contracts, &asking), *id)?);
        step();
    }
    let earlier = Earlier::new(period, &sessions, kept);
    let mut before = Vec::new();
    let mut of_centres = vec![vec![Times::default(); province.centres.len()]; MONTHS];
    for id in &ids {
        let parts = parts_of(reader, &earlier.window, &province, *id)?;
        before.push(earlier.within(period.before(), &parts));
        let centre = province.channels[id.index()].centre.index();
        for (month, sums) in earlier.months.iter().zip(&mut of_centres) {
            sums[centre] += earlier.within(*month, &parts);
        }
        step();
    }
    let span = period.span();
    let days = Days::new(&window, &contracts, period.zone);
    Ok(Some(Facts {
        lang: request.lang,
        period,
        sessions: sessions
            .iter()
            .copied()
            .filter(|s| s.until > span.from && s.from < span.to)
            // What of each lies in the period: the same whatever is kept from before.
            .map(|s| Session { from: s.from.max(span.from), until: s.until.min(span.to), ..s })
            .collect(),
        jumps: reader
            .jumps()?
            .into_iter()
            .filter(|jump| {
                [jump.before, jump.after].iter().any(|at| (span.from..span.to).contains(at))
            })
            .collect(),
        channels,
        before,
        months: earlier.months.into_iter().zip(of_centres).collect(),
        // What is told from the first moment behind it on is not of the period.
        metering: reader.metering(span.to.plus(-1))?,
        metering_before: reader.metering(span.from.plus(-1))?,
        metering_days: metering_days(reader, &window)?,
        readings: readings(reader, &days)?,
        events: event_facts(reader, &province, &window, wanted)?,
        stood: alarms(reader, window.kept(Kept::Alarms), wanted)?,
        reliability: reliability(reader, span, wanted)?,
        energies: energies(reader, &window, wanted)?,
        operations: operations(reader, &province, &window, &contracts, wanted)?,
        counted: counted(reader, &days, wanted)?,
        contracts,
        province,
        window,
    }))
}

/// The time up to a period, cut so that each month and the period before are whole parts.
struct Earlier {
    window: Window,
    /// The month in which the period ends, and those before it.
    months: Vec<Period>,
}

impl Earlier {
    fn new(period: Period, sessions: &[Session], kept: KeptFrom) -> Self {
        let months = period.months(MONTHS);
        let spans = months.iter().copied().chain([period.before()]).map(Period::span);
        let mut edges: Vec<Timestamp> = spans.flat_map(|span| [span.from, span.to]).collect();
        edges.sort_unstable();
        let (first, last) = (edges[0], edges[edges.len() - 1]);
        edges.dedup();
        let window = Window::new(Span::new(first, last), &edges, sessions).with_kept(kept);
        Self { window, months }
    }

    /// Figures of a period that is whole parts of the window.
    fn within(&self, period: Period, parts: &[Times]) -> Times {
        let span = period.span();
        let own = self.window.parts.iter().zip(parts);
        own.filter(|(part, _)| span.and(**part) == **part).map(|(_, times)| times).sum()
    }
}

/// Metering as it stood at the end of each day; nothing of days in which nobody watched.
fn metering_days(reader: &Reader, window: &Window) -> Result<Vec<Vec<Metered>>, StoreError> {
    let observed = || window.eras.iter().flat_map(|era| &era.observed);
    let of_day = |day: &Span| {
        let watched = observed().any(|(_, span)| span.and(*day).length() > 0);
        if watched { reader.metering(day.to.plus(-1)) } else { Ok(Vec::new()) }
    };
    window.parts.iter().map(of_day).collect()
}

/// The channel of another contract that has the same station and centre.
fn counterpart(of: &Province, id: ChannelId, within: &Province) -> Option<ChannelId> {
    let channel = &of.channels[id.index()];
    let station = within.site(&of.stations[channel.station.index()].id)?;
    let centre = within.centre(&of.centres[channel.centre.index()].id)?;
    Some(within.channel_id(station, centre))
}

fn channel_facts(
    reader: &Reader,
    window: &Window,
    (contracts, asking): (&[Contract], &Asking),
    id: ChannelId,
) -> Result<ChannelFacts, StoreError> {
    let last = &contracts[contracts.len() - 1].province;
    let channel = &last.channels[id.index()];
    let station = &last.stations[channel.station.index()];
    let centre = &last.centres[channel.centre.index()].id;
    let mut facts = ChannelFacts {
        id,
        days: vec![Times::default(); window.parts.len()],
        sights: vec![Sight::default(); window.parts.len()],
        link: LinkHistory::default(),
        asked: asking.over(reader, (&station.id, centre))?,
        kinds: BTreeMap::new(),
        points: vec![PointHistory::default(); station.points.len()],
        former: BTreeMap::new(),
    };
    for (era, contract) in window.eras.iter().zip(contracts) {
        let province = &contract.province;
        let Some(own) = counterpart(last, id, province) else { continue };
        let own = &province.channels[own.index()];
        let history = channel_history(reader, province, own, window, era)?;
        facts.add(&history, province, own, last);
    }
    Ok(facts)
}

impl ChannelFacts {
    fn add(&mut self, history: &ChannelHistory, of: &Province, channel: &Channel, last: &Province) {
        for (day, part) in self.days.iter_mut().zip(&history.parts) {
            *day += *part;
        }
        for (day, part) in self.sights.iter_mut().zip(&history.sights) {
            *day += *part;
        }
        self.link += history.link;
        let station = &of.stations[channel.station.index()];
        let now = &last.stations[last.channels[self.id.index()].station.index()];
        for (n, (point, history)) in station.points.iter().zip(&history.points).enumerate() {
            *self.kinds.entry(point.spec.kind).or_default() += history.times;
            // Most contracts have most points at the same place.
            let same = now.points.get(n).filter(|other| other.id == point.id).map(|_| n);
            let place = same.or_else(|| now.point(&point.id).map(PointId::index));
            let sum = match place {
                Some(place) => &mut self.points[place],
                None => self.former.entry(point.local_id().to_owned()).or_default(),
            };
            sum.times += history.times;
            sum.outages += history.outages;
            sum.last = history.last;
        }
    }

    /// State of a point at the end of what was observed, and since when.
    pub(super) fn last(&self, point: PointId) -> Option<(VerdictState, Since)> {
        self.points[point.index()].last
    }
}

/// Figures of a channel for each part of a window, over all its contracts.
fn parts_of(
    reader: &Reader,
    window: &Window,
    province: &Arc<Province>,
    id: ChannelId,
) -> Result<Vec<Times>, StoreError> {
    let mut parts = vec![Times::default(); window.parts.len()];
    for era in &window.eras {
        let contract = reader.contract(era.contract)?.province;
        let Some(own) = counterpart(province, id, &contract) else { continue };
        let own = &contract.channels[own.index()];
        let history = channel_history(reader, &contract, own, window, era)?;
        for (part, own) in parts.iter_mut().zip(history.parts) {
            *part += own;
        }
    }
    Ok(parts)
}

/// Records of ten minutes at one station beyond which nobody can read them any more.
const FLOOD: u64 = 10;
/// Length of the stretch in which they, and alarms, are counted, milliseconds.
pub(super) const FLOOD_MS: i64 = 600_000;

fn event_facts(
    reader: &Reader,
    province: &Province,
    window: &Window,
    wanted: impl Fn(&str) -> bool,
) -> Result<EventFacts, StoreError> {
    let span = window.span;
    let mut facts = EventFacts {
        days: vec![vec![0; province.centres.len()]; window.parts.len()],
        ..EventFacts::default()
    };
    let mut stretches: BTreeMap<(i64, String, String), u64> = BTreeMap::new();
    reader.events((span.from, span.to), |event: Recorded| {
        let Some(centre) = province.centre(&event.centre).filter(|_| wanted(&event.station)) else {
            return;
        };
        facts.received += 1;
        let day = window.parts.partition_point(|day| day.to <= event.at);
        if let Some(day) = facts.days.get_mut(day) {
            day[centre.index()] += 1;
        }
        let stretch = event.at.0.div_euclid(FLOOD_MS);
        *stretches.entry((stretch, event.station.clone(), event.centre)).or_default() += 1;
        if let Some(point) = event.point {
            *facts.by_point.entry((event.station, point)).or_default() += 1;
        }
    })?;
    let floods = stretches.into_iter().filter(|(_, count)| *count > FLOOD);
    facts.floods = floods
        .map(|((stretch, station, centre), count)| {
            (Timestamp(stretch * FLOOD_MS), station, centre, count)
        })
        .collect();
    let lost = reader.lost_events((span.from, span.to))?;
    let mut own = lost.iter().filter(|(station, ..)| wanted(station)).map(|(.., n)| *n);
    facts.lost = own.try_fold(0_u64, |sum, n| (n > 0).then(|| sum.saturating_add(n)));
    Ok(facts)
}
