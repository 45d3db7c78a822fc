//! Remote metering: counted from the meters' own bits, not taken on trust.

use config::{MeterFigures, Province, Scan, SoldFigures, Station, Zone};
use signal::clock::Timestamp;
use signal::update::{MetersFigure, MetersTold};

use super::channel::ChannelState;
use super::counts::Share;
use super::snapshot::{HalfHours, MeterGroupSnapshot, MeteringSnapshot, Reads, SoldReads};

/// What the head-end of a station has told of each group of meters.
pub(super) struct Meters(Vec<Heard>);

/// What a head-end has told of a group, and when the oldest part of it was here.
#[derive(Clone, Default)]
struct Heard {
    reported: Option<u32>,
    proven: Option<(u32, Timestamp)>,
    reads: Option<(Option<MeterFigures>, Timestamp)>,
    sold: Option<SoldFigures>,
}

impl Meters {
    pub(super) fn new(station: &Station) -> Self {
        Self(vec![Heard::default(); station.meters.len()])
    }

    pub(super) fn accept(&mut self, told: &[MetersTold]) {
        for MetersTold { group, at, figure } in told {
            let Some(heard) = self.0.get_mut(*group) else { continue };
            match figure {
                MetersFigure::Reported(count) => heard.reported = Some(*count),
                MetersFigure::Proven(count) => heard.proven = Some((*count, *at)),
                MetersFigure::Reads(figures) => heard.reads = Some((*figures, *at)),
                MetersFigure::Sold(sold) => heard.sold = *sold,
            }
        }
    }

    /// What is told of a group; `today`: the local day of a zone, since 1970. What cannot be of the meters that the contract has
    /// is as good as not told: a head-end that is wrong about one group tells nothing of others.
    fn group(&self, n: usize, group: &config::MeterGroup, today: (Zone, i64)) -> Told {
        let Some(heard) = self.0.get(n) else { return Told::default() };
        let reported = heard.reported;
        let is_other = |reported| reported > group.installed.saturating_mul(OTHERS_MAX);
        let proven = heard.proven.filter(|_| !reported.is_some_and(is_other));
        let at = [proven.map(|(_, at)| at), heard.reads.map(|(_, at)| at)];
        Told {
            proven: proven.map(|(count, _)| count),
            reported,
            at: at.into_iter().flatten().min(),
            figures: heard
                .reads
                .and_then(|(figures, _)| figures)
                .filter(|figures| can_be(figures, group.installed, today)),
            sold: heard.sold.filter(|sold| i64::from(sold.day.max(sold.hand_day)) <= today.1),
        }
    }
}

/// A head-end that tells of more meters than so many times those of the contract does not tell of these.
const OTHERS_MAX: u32 = 2;
/// Half hours of a day whose clocks nobody sets. A head-end may tell of as many on one that is shorter.
const HALF_HOURS: i64 = 48;
/// The clock of a head-end may be ahead of ours by so much, milliseconds.
const AHEAD_MS: i64 = 600_000;

/// Whether figures can be of so many meters, and of a day that has come.
fn can_be(figures: &MeterFigures, meters: u32, (zone, today): (Zone, i64)) -> bool {
    let (meters, concentrators) = (u64::from(meters), u64::from(figures.concentrators));
    let half_hours = |day: u16| zone.half_hours(day.into()).max(HALF_HOURS).unsigned_abs();
    let minutes = half_hours(figures.day) * 30;
    i64::from(figures.day.max(figures.final_day)) <= today
        && u64::from(figures.expected.max(figures.final_expected)) <= meters
        && u64::from(figures.intervals_expected) <= meters * half_hours(figures.day)
        && u64::from(figures.final_intervals_expected) <= meters * half_hours(figures.final_day)
        && u64::from(figures.minutes_expected) <= concentrators * minutes
}

/// What a metering unit has told of a group.
#[derive(Default)]
struct Told {
    proven: Option<u32>,
    reported: Option<u32>,
    at: Option<Timestamp>,
    figures: Option<MeterFigures>,
    sold: Option<SoldFigures>,
}

/// The days that the figures hold for, since 1970: the newest that any group tells of, 0 for none.
#[derive(Clone, Copy, Default)]
struct Days {
    first: u16,
    last: u16,
}

impl Days {
    fn of(groups: &[MeterGroupSnapshot]) -> Self {
        let figures = || groups.iter().filter_map(|group| group.figures);
        Self {
            first: figures().map(|figures| figures.day).max().unwrap_or(0),
            last: figures().map(|figures| figures.final_day).max().unwrap_or(0),
        }
    }
}

/// What the figures of a group add: nothing to the counts of a day that they do not hold for, and
/// nothing to what is online when they are not fresh.
fn reads(figures: &MeterFigures, days: Days, fresh: bool) -> Reads {
    let share = |have: u32, want: u32, counts: bool| {
        if counts { Share::new(u64::from(have), u64::from(want)) } else { Share::default() }
    };
    let first = days.first > 0 && figures.day == days.first;
    let last = days.last > 0 && figures.final_day == days.last;
    Reads {
        first_pass: share(figures.first_pass, figures.expected, first),
        final_first_pass: share(figures.final_first_pass, figures.final_expected, last),
        final_pass: share(figures.final_read, figures.final_expected, last),
        half_hours: if last { half_hours(figures) } else { HalfHours::default() },
        intervals: share(figures.intervals, figures.intervals_expected, first),
        minutes: share(figures.minutes_online, figures.minutes_expected, first),
        online: share(u32::from(figures.online), u32::from(figures.concentrators), fresh),
        ..Reads::default()
    }
}

fn half_hours(figures: &MeterFigures) -> HalfHours {
    HalfHours {
        expected: figures.final_intervals_expected.into(),
        on_time: figures.final_intervals_on_time.into(),
        late: figures.final_intervals_late.into(),
        backfilled: figures.final_intervals_backfilled.into(),
    }
}

pub(super) fn snapshot(
    province: &Province,
    channels: &[ChannelState],
    now: Timestamp,
) -> MeteringSnapshot {
    let mut snapshot = MeteringSnapshot {
        districts: vec![Share::default(); province.districts.len()],
        stations: vec![Share::default(); province.stations.len()],
        classes: vec![Share::default(); province.meter_classes.len()],
        district_reads: vec![Reads::default(); province.districts.len()],
        station_reads: vec![Reads::default(); province.stations.len()],
        class_reads: vec![Reads::default(); province.meter_classes.len()],
        district_uncounted: vec![0; province.districts.len()],
        station_uncounted: vec![0; province.stations.len()],
        class_uncounted: vec![0; province.meter_classes.len()],
        district_sold: vec![SoldReads::default(); province.districts.len()],
        class_sold: vec![SoldReads::default(); province.meter_classes.len()],
        ..MeteringSnapshot::default()
    };
    let today = (province.zone, now.plus(AHEAD_MS).local_day(province.zone));
    for station in province.station_ids() {
        let reader = province
            .centre_ids()
            .find_map(|c| channels[province.channel_id(station, c).index()].meters.as_ref());
        for (n, group) in province.stations[station.index()].meters.iter().enumerate() {
            let told = reader.map(|meters| meters.group(n, group, today)).unwrap_or_default();
            snapshot.groups.push(MeterGroupSnapshot {
                station,
                group: n,
                proven: told.proven,
                reported: told.reported,
                at: told.at,
                figures: told.figures,
                sold: told.sold,
            });
            // The contract says how many there are; what never came is not proven.
            let share = Share::new(u64::from(told.proven.unwrap_or(0)), u64::from(group.installed));
            let uncounted = if told.proven.is_none() { u64::from(group.installed) } else { 0 };
            snapshot.classes[group.class] += share;
            snapshot.class_uncounted[group.class] += uncounted;
            let energy = SoldReads::of(told.sold.as_ref(), group.installed);
            snapshot.class_sold[group.class] += energy;
            if province.meter_classes[group.class].sold {
                snapshot.total += share;
                snapshot.sold += energy;
                snapshot.district_sold[group.district] += energy;
                snapshot.districts[group.district] += share;
                snapshot.stations[station.index()] += share;
                snapshot.uncounted += uncounted;
                snapshot.district_uncounted[group.district] += uncounted;
                snapshot.station_uncounted[station.index()] += uncounted;
            }
        }
    }
    sum_reads(province, &mut snapshot, now);
    snapshot
}

fn sum_reads(province: &Province, snapshot: &mut MeteringSnapshot, now: Timestamp) {
    let days = Days::of(&snapshot.groups);
    (snapshot.day, snapshot.final_day) = (SoldReads::date(days.first), SoldReads::date(days.last));
    let fresh_ms = province.scan.old_after_ms(Scan::Metering);
    for told in &snapshot.groups {
        let group = &province.stations[told.station.index()].meters[told.group];
        let sold = province.meter_classes[group.class].sold;
        let fresh = told.at.is_some_and(|at| now.since(at) <= fresh_ms);
        let mut reads =
            told.figures.map(|figures| reads(&figures, days, fresh)).unwrap_or_default();
        // Whoever does not tell of a day leaves open what was read of it.
        let lacks = |newest: u16, of: fn(&MeterFigures) -> u16| {
            let is_told = told.figures.is_some_and(|figures| of(&figures) == newest);
            let meters = told.proven.unwrap_or(group.installed);
            if newest == 0 || is_told { 0 } else { u64::from(meters) }
        };
        reads.not_heard = lacks(days.first, |figures| figures.day);
        reads.final_not_heard = lacks(days.last, |figures| figures.final_day);
        snapshot.class_reads[group.class] += reads;
        if !sold {
            continue;
        }
        snapshot.reads += reads;
        snapshot.district_reads[group.district] += reads;
        snapshot.station_reads[told.station.index()] += reads;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: u16 = 19_318;

    /// A metering unit that tells this of its first group, and how it is told.
    fn told(reported: u32, figures: MeterFigures, sold: SoldFigures) -> Told {
        told_in(Zone::hours(7), reported, figures, sold)
    }

    fn told_in(zone: Zone, reported: u32, figures: MeterFigures, sold: SoldFigures) -> Told {
        let province = Province::built_in();
        let station = province.stations.iter().find(|own| !own.meters.is_empty()).unwrap();
        let group = &station.meters[0];
        let mut meters = Meters::new(station);
        let told = |figure| MetersTold { group: 0, at: Timestamp(0), figure };
        meters.accept(&[
            told(MetersFigure::Reported(reported)),
            told(MetersFigure::Proven(group.remote)),
            told(MetersFigure::Reads(Some(figures))),
            told(MetersFigure::Sold(Some(sold))),
        ]);
        meters.group(0, group, (zone, TODAY.into()))
    }

    #[test]
    fn what_cannot_be_of_the_meters_of_a_group_is_not_told() {
        let province = Province::built_in();
        let station = province.stations.iter().find(|own| !own.meters.is_empty()).unwrap();
        let meters = station.meters[0].installed;
        let good = MeterFigures {
            day: TODAY,
            final_day: TODAY - 3,
            expected: meters,
            first_pass: meters - 1,
            final_expected: meters,
            final_read: meters - 1,
            intervals_expected: meters * 48,
            final_intervals_expected: meters * 48,
            concentrators: 10,
            online: 9,
            minutes_expected: 14_400,
            ..MeterFigures::default()
        };
        let sold = SoldFigures { day: TODAY - 1, hand_day: TODAY - 9, ..SoldFigures::default() };
        let all = told(meters, good, sold);
        assert!(all.proven.is_some() && all.sold == Some(sold));
        assert_eq!(all.figures, Some(good));
        for bad in [
            MeterFigures { day: u16::MAX, ..good },
            MeterFigures { day: TODAY + 1, ..good },
            MeterFigures { final_day: TODAY + 1, ..good },
            MeterFigures { expected: 4_000_000_000, ..good },
            MeterFigures { expected: meters + 1, ..good },
            MeterFigures { final_expected: meters + 1, ..good },
            MeterFigures { intervals_expected: meters * 48 + 1, ..good },
            MeterFigures { final_intervals_expected: meters * 48 + 1, ..good },
            MeterFigures { minutes_expected: 14_401, ..good },
        ] {
            let all = told(meters, bad, sold);
            assert_eq!(all.figures, None, "{bad:?}");
            assert!(all.proven.is_some() && all.sold == Some(sold), "the rest is told: {bad:?}");
        }
        for bad in
            [SoldFigures { day: TODAY + 1, ..sold }, SoldFigures { hand_day: u16::MAX, ..sold }]
        {
            assert_eq!(told(meters, good, bad).sold, None, "{bad:?}");
        }
        // 2022-11-06 had 25 hours in New York.
        let long = Zone::named("America/New_York").unwrap();
        for (day, half_hours, fits) in [(19_302, 50, true), (19_303, 50, false), (19_303, 48, true)]
        {
            let expected = MeterFigures { day, intervals_expected: meters * half_hours, ..good };
            let of_last = MeterFigures {
                final_day: day,
                final_intervals_expected: meters * half_hours,
                ..good
            };
            let of_minutes = MeterFigures { day, minutes_expected: 300 * half_hours, ..good };
            for figures in [expected, of_last, of_minutes] {
                assert_eq!(
                    told_in(long, meters, figures, sold).figures.is_some(),
                    fits,
                    "{figures:?}"
                );
            }
        }
        // It tells of other meters, or of none that anybody has.
        assert_eq!(told(u32::MAX, good, sold).proven, None);
        assert_eq!(told(2 * meters + 1, good, sold).proven, None);
        assert!(told(meters + 2, good, sold).proven.is_some(), "two are new");
    }
}
