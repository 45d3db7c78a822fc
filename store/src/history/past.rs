//! How a province stood at a moment: its snapshot again, from what the store kept.
//!
//! Verdicts hold from judgement to judgement. What already stood so when a session began, and when the one
//! before it ended, is told since then: a restart of the monitor is no news. Nobody watched in between,
//! and that is told, too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use config::{ChannelId, Date, Decoded, Entry, Flags, Province};
use historian::alarms::count_anew;
use historian::counts::Share;
use historian::past::{KeptChannel, KeptPoint, StoodChannel, StoodPoint, snapshot};
use historian::snapshot::{LinkState, MeteringSnapshot, Reads, Snapshot, SoldReads};
use historian::verdict::{Reason, Sighted, Since};
use historian::verdict_log::VerdictState;
use signal::clock::Timestamp;

use super::window::Span;
use crate::{
    EnergyKind, EnergyLine, Judged, Kept, KeptFrom, MeterKind, Metered, Reader, Session, StoreError,
};

/// A province at a moment.
#[derive(Debug)]
pub struct Past {
    /// As it was judged. It has no requests and replies and no events; the alarms are as they stood then.
    pub snapshot: Snapshot,
    /// The session in which it was.
    pub session: Session,
    /// Stretches in which nobody watched, the latest first, between the moment and the time since when the
    /// oldest of what is wrong in the snapshot is told to be so.
    pub unwatched: Vec<Span>,
    /// From when on each kind of record is kept.
    pub kept: KeptFrom,
}

/// How the province stood at `at`, or when it was last watched. `None` when nobody watched then.
///
/// # Errors
/// When the store cannot be read, or what stands in it is damaged.
pub fn past(reader: &Reader, at: Option<Timestamp>) -> Result<Option<Past>, StoreError> {
    let sessions = reader.sessions()?;
    // What was written last: an earlier session may have had a clock that was ahead.
    let newest = sessions.iter().max_by_key(|session| (session.id, session.until));
    let at = at.or(newest.map(|session| session.until));
    let kept = reader.kept()?;
    let at = at.filter(|at| kept.of(Kept::Verdicts).is_none_or(|from| *at >= from));
    let watched = |session: &Session, at| session.from <= at && at <= session.until;
    let own = at.and_then(|at| {
        let place = sessions.iter().rposition(|session| watched(session, at))?;
        Some((at, &sessions[..=place]))
    });
    let Some((at, sessions)) = own else { return Ok(None) };
    let Some((session, earlier)) = sessions.split_last() else { return Ok(None) };
    let province = reader.contract(session.contract)?.province;
    // A past day is judged by what held on it.
    let province = Arc::new(province.as_of(Date::of_day(at.local_day(province.zone))));
    let mut unwatched = BTreeMap::new();
    let mut channels = Vec::with_capacity(province.channels.len());
    for n in 0..province.channels.len() {
        let channel = Channel { reader, province: &province, id: ChannelId::at(n) };
        channels.push(channel.kept((session, earlier), at, |span| {
            unwatched.insert(span.from, span);
        })?);
    }
    let mut metering = metering(&province, &reader.metering(at)?);
    sold(&province, reader, at, &mut metering)?;
    let when = (session.from, at);
    let mut snapshot = snapshot(&province, when, &channels, metering);
    let mut alarms = reader.alarms_at(&province, when)?;
    count_anew(&snapshot, &mut alarms);
    snapshot.alarms = alarms.into();
    let unwatched = unwatched.into_values().rev().collect();
    Ok(Some(Past { snapshot, session: *session, unwatched, kept }))
}

/// How each channel of a province stood when somebody watched last, by channel id; nothing when nobody ever did.
/// Points are followed by their ids, also through another contract.
///
/// # Errors
/// When the store cannot be read, or what stands in it is damaged.
pub fn stood(
    reader: &Reader,
    province: &Province,
) -> Result<Vec<Option<StoodChannel>>, StoreError> {
    let sessions = reader.sessions()?;
    let Some((session, earlier)) = sessions.split_last() else { return Ok(Vec::new()) };
    let then = reader.contract(session.contract)?.province;
    let mut channels = Vec::with_capacity(province.channels.len());
    for n in 0..province.channels.len() {
        let own = Channel { reader, province, id: ChannelId::at(n) };
        let Some((id, places)) = own.counterpart_in(&then) else {
            channels.push(None);
            continue;
        };
        let channel = Channel { reader, province: &then, id };
        let station = &then.stations[then.channels[id.index()].station.index()];
        let mut standing = channel.standing(session, session.until, station.points.len())?;
        channel.look_back(&mut standing, (session, earlier), &mut |_| {})?;
        let own_station = &province.stations[province.channels[n].station.index()];
        let points = 0..own_station.points.len();
        let points = points.map(|n| standing.points.get(*places.get(&n)?).copied().flatten());
        let points: Vec<Option<StoodPoint>> = points.collect();
        let answered = match standing.link {
            Some((LinkState::NeverConnected, _)) => reader.answered(channel.path())?,
            _ => true,
        };
        let stood = |link| StoodChannel { at: session.until, answered, link, points };
        channels.push(standing.link.map(stood));
    }
    Ok(channels)
}

/// A channel of the contract that held at the moment.
struct Channel<'a> {
    reader: &'a Reader,
    province: &'a Province,
    id: ChannelId,
}

/// How a channel stood at the end of a stretch.
struct Standing {
    link: Option<(LinkState, Since)>,
    points: Vec<Option<StoodPoint>>,
    /// From which judgement on values of each of them came.
    sighted: Vec<Sighted>,
    /// The first judgement.
    began: Option<Timestamp>,
}

impl Standing {
    fn take(&mut self, judged: &Judged, from: Timestamp) {
        // What a session judged before is not told any more: it says how things stood. And what stands so in the
        // first judgement stood so before anybody watched, perhaps.
        let moment = judged.at.max(from);
        let at = match self.began {
            Some(_) if judged.at >= from => Since::At(moment),
            _ => Since::AtLeast(moment),
        };
        self.began.get_or_insert(moment);
        if self.link.is_none_or(|(link, _)| link != judged.link) {
            self.link = Some((judged.link, at));
        }
        for run in &judged.runs {
            let end = (run.first as usize).saturating_add(run.count as usize);
            let places = (run.first as usize).min(self.points.len())..end.min(self.points.len());
            let points = self.points[places.clone()].iter_mut().zip(&mut self.sighted[places]);
            for (point, sighted) in points {
                let state = run.state;
                sighted.note(state.not_live(), moment);
                let begins = |before: Option<Reason>, reason: Option<Reason>, since: Since| {
                    if before == reason {
                        since
                    } else if at.is_at_least() {
                        at
                    } else {
                        sighted.begins((before, reason), moment)
                    }
                };
                let (since, live_since) = match *point {
                    None => (at, at),
                    Some(StoodPoint { state: before, since, live_since }) => (
                        begins(before.verdict(), state.verdict(), since),
                        begins(before.not_live(), state.not_live(), live_since),
                    ),
                };
                *point = Some(StoodPoint { state, since, live_since });
            }
        }
    }
}

/// What is wrong since the beginning of a session, so that the one before may know since when.
struct Open {
    /// Places in the contract: of points whose verdict is, and of those that are not live.
    verdicts: Vec<usize>,
    live: Vec<usize>,
    link: bool,
}

impl Open {
    fn of(standing: &Standing, entries: &[Entry]) -> Self {
        let began = standing.began;
        let link = standing
            .link
            .is_some_and(|(link, since)| link != LinkState::Connected && is_open(since, began));
        Self { verdicts: VERDICT.open(standing, entries), live: LIVE.open(standing, entries), link }
    }

    fn is_empty(&self) -> bool {
        self.verdicts.is_empty() && self.live.is_empty() && !self.link
    }
}

/// Whether it was so from the beginning of a session, so that the one before may know since when.
fn is_open(since: Since, began: Option<Timestamp>) -> bool {
    began.is_some_and(|began| since == Since::AtLeast(began))
}

/// One of the two things that are told of a point.
struct Aspect {
    reason: fn(VerdictState) -> Option<Reason>,
    since: fn(&mut StoodPoint) -> &mut Since,
}

const VERDICT: Aspect = Aspect { reason: VerdictState::verdict, since: |stood| &mut stood.since };
const LIVE: Aspect =
    Aspect { reason: VerdictState::not_live, since: |stood| &mut stood.live_since };

impl Aspect {
    /// The required points of which it is wrong since the first judgement. What the contract lacks is told
    /// since a day that the contract names.
    fn open(&self, standing: &Standing, entries: &[Entry]) -> Vec<usize> {
        let is_wrong = |mut stood: StoodPoint| {
            let reason = (self.reason)(stood.state);
            reason.is_some_and(|reason| !reason.is_structural())
                && is_open(*(self.since)(&mut stood), standing.began)
        };
        let points = standing.points.iter().zip(entries).enumerate();
        let open =
            points.filter(|(_, (stood, entry))| entry.required && stood.is_some_and(is_wrong));
        open.map(|(n, _)| n).collect()
    }

    /// Takes over since when it was so from how points stood `before`, in a session that `began` then. Those
    /// are left that were so from its beginning, too. Whether there was any.
    fn carry(
        &self,
        open: &mut Vec<usize>,
        points: &mut [Option<StoodPoint>],
        before: impl Fn(usize) -> Option<StoodPoint>,
        began: Option<Timestamp>,
    ) -> bool {
        let mut goes_on = false;
        open.retain(|n| {
            let (Some(own), Some(mut before)) = (&mut points[*n], before(*n)) else { return false };
            if (self.reason)(own.state) != (self.reason)(before.state) {
                return false;
            }
            let since = *(self.since)(&mut before);
            *(self.since)(own) = since;
            goes_on = true;
            is_open(since, began)
        });
        goes_on
    }
}

impl Channel<'_> {
    fn path(&self) -> (&str, &str) {
        let channel = &self.province.channels[self.id.index()];
        let station = &self.province.stations[channel.station.index()];
        (&station.id, &self.province.centres[channel.centre.index()].id)
    }

    /// How it stood at `at`, and since when; `cross` is told of each stretch in which nobody watched over
    /// which that goes.
    fn kept(
        &self,
        (session, earlier): (&Session, &[Session]),
        at: Timestamp,
        mut cross: impl FnMut(Span),
    ) -> Result<KeptChannel, StoreError> {
        let station = self.province.channels[self.id.index()].station;
        let points = &self.province.stations[station.index()].points;
        let mut standing = self.standing(session, at, points.len())?;
        self.look_back(&mut standing, (session, earlier), &mut cross)?;
        let values = self.reader.latest(session.contract, self.id, at)?;
        let began = Since::AtLeast(session.from);
        let unjudged =
            StoodPoint { state: VerdictState::unknown(), since: began, live_since: began };
        let points = standing.points.iter().zip(values).map(|(stood, value)| {
            let StoodPoint { state, since, live_since } = stood.unwrap_or(unjudged);
            let value = value.and_then(|value| match value.value {
                Decoded::Value(number) => {
                    Some((number, value.at, value.flags.unwrap_or(Flags::GOOD)))
                }
                Decoded::NoValue | Decoded::Nonsense => None,
            });
            KeptPoint { state, since, live_since, value }
        });
        let link = standing.link.unwrap_or((LinkState::NeverConnected, began));
        Ok(KeptChannel { link, points: points.collect() })
    }

    /// How it stood in a session at `at`; points by their places in a contract that has so many.
    fn standing(
        &self,
        session: &Session,
        at: Timestamp,
        points: usize,
    ) -> Result<Standing, StoreError> {
        let (points, sighted) = (vec![None; points], vec![Sighted::default(); points]);
        let mut standing = Standing { link: None, points, sighted, began: None };
        let span = (session.from, at.plus(1));
        let from = session.from;
        self.reader.judgements(self.path(), session.id, span, |j| standing.take(&j, from))?;
        Ok(standing)
    }

    /// What is wrong since its session began is told since when it was so in the sessions before.
    fn look_back(
        &self,
        standing: &mut Standing,
        (session, earlier): (&Session, &[Session]),
        cross: &mut impl FnMut(Span),
    ) -> Result<(), StoreError> {
        let (mut later, mut open) =
            (session, Open::of(standing, &self.province.channels[self.id.index()].entries));
        for session in earlier.iter().rev() {
            if open.is_empty() {
                break;
            }
            let contract = self.reader.contract(session.contract)?.province;
            let Some((count, places)) = self.places_in(&contract) else { break };
            let before = self.standing(session, session.until, count)?;
            let stood = |n: usize| before.points.get(*places.get(&n)?).copied().flatten();
            let points = &mut standing.points;
            let mut goes_on = VERDICT.carry(&mut open.verdicts, points, stood, before.began);
            goes_on |= LIVE.carry(&mut open.live, points, stood, before.began);
            if std::mem::take(&mut open.link)
                && let (Some((_, since)), Some((link, earlier))) = (&mut standing.link, before.link)
                && link != LinkState::Connected
            {
                *since = earlier;
                open.link = is_open(earlier, before.began);
                goes_on = true;
            }
            if goes_on {
                cross(Span::new(session.until, later.from));
            }
            later = session;
        }
        Ok(())
    }

    /// The same channel in another contract, and the places there of the points of this one.
    fn counterpart_in(&self, other: &Province) -> Option<(ChannelId, HashMap<usize, usize>)> {
        let (station, centre) = self.path();
        let id = other.channel_id(other.site(station)?, other.centre(centre)?);
        let (_, places) = self.places_in(other)?;
        Some((id, places))
    }

    /// How many points the station has in another contract, and the places there of those of this one.
    fn places_in(&self, other: &Province) -> Option<(usize, HashMap<usize, usize>)> {
        let own = self.province.channels[self.id.index()].station;
        let own = &self.province.stations[own.index()];
        let station = &other.stations[other.site(&own.id)?.index()];
        let known: HashMap<&str, usize> =
            station.points.iter().enumerate().map(|(n, point)| (&point.id[..], n)).collect();
        let places = own.points.iter().enumerate();
        let places = places.filter_map(|(n, point)| Some((n, *known.get(&point.id[..])?)));
        Some((station.points.len(), places.collect()))
    }
}

/// The energy sold as head-ends had told it by a moment.
fn sold(
    province: &Province,
    reader: &Reader,
    at: Timestamp,
    snapshot: &mut MeteringSnapshot,
) -> Result<(), StoreError> {
    let mut latest: BTreeMap<(String, String, EnergyKind), EnergyLine> = BTreeMap::new();
    reader.energy_counts(at.plus(1), |_, line| {
        latest.insert((line.station.clone(), line.id.clone(), line.kind), line);
    })?;
    for line in latest.into_values() {
        let Some((district, class)) = line.id.split_once('.') else { continue };
        let day = SoldReads::read_day(u16::try_from(line.day).unwrap_or(0), line.meter_days);
        let told = Share::new(line.meters, line.meters);
        let reads = match line.kind {
            EnergyKind::Remote => SoldReads {
                told,
                remote_kwh: line.kwh,
                remote_day: day,
                remote_behind: line.behind,
                ..SoldReads::default()
            },
            EnergyKind::Hand => SoldReads {
                told,
                hand_kwh: line.kwh,
                hand_day: day,
                hand_behind: line.behind,
                ..SoldReads::default()
            },
            EnergyKind::Out | EnergyKind::In => continue,
        };
        if let Some(n) = province.meter_classes.iter().position(|own| own.id == class) {
            snapshot.class_sold[n] += reads;
        }
        if line.sells {
            snapshot.sold += reads;
            if let Some(n) = province.districts.iter().position(|own| own.id == district) {
                snapshot.district_sold[n] += reads;
            }
        }
    }
    Ok(())
}

/// Remote metering as it was counted last. What is told of single stations is not kept.
fn metering(province: &Province, counted: &[Metered]) -> MeteringSnapshot {
    let (districts, classes) = (province.districts.len(), province.meter_classes.len());
    let mut snapshot = MeteringSnapshot {
        districts: vec![Share::default(); districts],
        stations: vec![Share::default(); province.stations.len()],
        classes: vec![Share::default(); classes],
        district_reads: vec![Reads::default(); districts],
        station_reads: vec![Reads::default(); province.stations.len()],
        class_reads: vec![Reads::default(); classes],
        district_uncounted: vec![0; districts],
        station_uncounted: vec![0; province.stations.len()],
        class_uncounted: vec![0; classes],
        district_sold: vec![SoldReads::default(); districts],
        class_sold: vec![SoldReads::default(); classes],
        ..MeteringSnapshot::default()
    };
    let followed = || counted.iter().filter_map(|line| line.followed);
    snapshot.day = followed().map(|of| of.day).max().and_then(SoldReads::date);
    snapshot.final_day = followed().map(|of| of.final_day).max().and_then(SoldReads::date);
    for line in counted {
        let share = |(have, want): (u64, u64)| Share::new(have, want);
        let remote = Share::new(line.remote, line.meters);
        let reads = Reads {
            first_pass: share(line.first_pass),
            final_pass: share(line.final_pass),
            intervals: share(line.half_hours),
            final_first_pass: line
                .followed
                .map(|of| share(of.final_first_pass))
                .unwrap_or_default(),
            half_hours: line.followed.map(|of| of.half_hours).unwrap_or_default(),
            not_heard: line.not_heard()[0],
            final_not_heard: line.not_heard()[1],
            ..Reads::default()
        };
        match line.kind {
            MeterKind::District => {
                let own = province.districts.iter().position(|district| district.id == line.id);
                if let Some(n) = own {
                    (snapshot.districts[n], snapshot.district_reads[n]) = (remote, reads);
                    snapshot.district_uncounted[n] = line.uncounted;
                }
            }
            MeterKind::Class => {
                let own = province.meter_classes.iter().position(|class| class.id == line.id);
                if let Some(n) = own {
                    (snapshot.classes[n], snapshot.class_reads[n]) = (remote, reads);
                    snapshot.class_uncounted[n] = line.uncounted;
                    if line.sells {
                        snapshot.uncounted += line.uncounted;
                        snapshot.total += remote;
                        snapshot.reads += reads;
                    }
                }
            }
        }
    }
    snapshot
}
