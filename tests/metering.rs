//! Daily reading as the control room counts it: apart from coverage, for one day at a time, and
//! nothing that it was not told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use config::{MeterFigures, SoldFigures};
use gridwatch::historian::counts::Share;
use gridwatch::historian::snapshot::{Reads, Snapshot, SoldReads};
use gridwatch::history::past;
use gridwatch::store::{Batcher, Reader, Writer};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use tempfile::tempdir;

use crate::cli::{gridwatch, stderr};
use crate::fixture::{NOW, World, figures};

/// The single-phase RF meters of HB01.
const RF: usize = 2;

fn group(world: &World, station: &str) -> config::MeterGroup {
    let id = world.province.station(station).unwrap();
    world.province.stations[id.index()].meters[RF].clone()
}

fn station(snapshot: &Snapshot, id: &str) -> usize {
    snapshot.province.station(id).unwrap().index()
}

#[test]
fn reads_are_summed_from_integers_for_their_day() {
    let snapshot = World::running().snapshot_at(0);
    let metering = &snapshot.metering;
    assert_eq!(metering.day.unwrap().to_string(), "2022-11-22");
    assert_eq!(metering.final_day.unwrap().to_string(), "2022-11-19");
    assert_eq!(metering.reads.first_pass.want, metering.total.have, "of those in coverage");
    assert_eq!(metering.reads.not_heard, 0);
    let mut sums = [Share::default(); 3];
    for reads in &metering.district_reads {
        sums[0] += reads.first_pass;
    }
    for reads in &metering.station_reads {
        sums[1] += reads.first_pass;
    }
    for (reads, class) in metering.class_reads.iter().zip(&snapshot.province.meter_classes) {
        sums[2] += if class.sold { reads.first_pass } else { Share::default() };
    }
    assert_eq!(sums, [metering.reads.first_pass; 3]);
}

#[test]
fn nothing_is_claimed_before_anything_was_told() {
    let mut world = World::new();
    let metering = world.snapshot_at(0).metering.clone();
    assert_eq!((metering.day, metering.final_day), (None, None));
    assert_eq!(metering.reads, Reads::default());
    for n in 0..7 {
        world.publish("HB01", n, MeterFigures::default());
    }
    world.connect_all(-1_000);
    world.scan_stations(&["HB01"], -900);
    let metering = world.snapshot_at(0).metering.clone();
    assert_eq!((metering.day, metering.final_day), (None, None), "day 0 is no day");
    assert_eq!(metering.reads.first_pass, Share::default());
    assert!(metering.total.have > 0, "coverage is another matter");
}

#[test]
fn a_group_that_tells_of_another_day_is_left_out_and_said() {
    let mut world = World::running();
    let whole = world.snapshot_at(0);
    let of_group = group(&world, "HB01");
    let told = figures(&of_group);
    let older = MeterFigures { day: told.day - 1, final_day: told.final_day - 1, ..told };
    world.publish("HB01", RF, older);
    world.scan(-500);
    let snapshot = world.snapshot_at(0);
    let metering = &snapshot.metering;
    assert_eq!(metering.day, whole.metering.day);
    assert_eq!(metering.reads.not_heard, u64::from(of_group.remote));
    let lacking =
        |of: fn(&Reads) -> Share| of(&whole.metering.reads).want - of(&metering.reads).want;
    assert_eq!(lacking(|reads| reads.first_pass), u64::from(told.expected));
    assert_eq!(lacking(|reads| reads.final_pass), u64::from(told.final_expected));
    assert_eq!(lacking(|reads| reads.minutes), u64::from(told.minutes_expected));
    assert_eq!(lacking(|reads| reads.online), 0, "what is online now has no day");
    assert_eq!(metering.total, whole.metering.total, "coverage is another matter");
}

#[test]
fn figures_that_cannot_be_are_none() {
    let mut world = World::running();
    let told = figures(&group(&world, "HB01"));
    world.publish("HB01", RF, MeterFigures { first_pass: told.expected + 1, ..told });
    world.scan(-500);
    let snapshot = world.snapshot_at(0);
    let reads = &snapshot.metering.station_reads[station(&snapshot, "HB01")];
    assert!(reads.first_pass.have <= reads.first_pass.want);
    assert_eq!(snapshot.metering.reads.not_heard, u64::from(told.expected));
}

#[test]
fn what_was_online_is_not_online_when_nobody_asks_any_more() {
    let mut world = World::running();
    world.lose(&["HB01"], &["CC"], -900);
    let online = |snapshot: Arc<Snapshot>| {
        let metering = &snapshot.metering;
        (metering.station_reads[station(&snapshot, "HB01")].online, metering.reads.first_pass)
    };
    let (before, reads) = online(world.snapshot_at(0));
    assert!(before.want > 0);
    world.scan(190_000);
    let (after, still) = online(world.snapshot_at(200_000));
    assert_eq!(after, Share::default());
    assert_eq!(still, reads, "what was read yesterday stays read");
}

#[test]
fn energy_sold_is_what_head_ends_told_and_what_cannot_be_is_none() {
    let mut world = World::running();
    let installed = u64::from(group(&world, "HB01").installed);
    let told = SoldFigures {
        day: 19_318,
        hand_day: 19_317,
        remote_behind: 3,
        hand_behind: 2,
        remote_kwh: 5_000_000_000,
        remote_days: 1_000_000,
        hand_kwh: 70_000,
        hand_days: 9_000,
        remote_unread: 40,
        hand_unread: 20_000,
        since: 19_100,
    };
    let before = world.snapshot_at(0).metering.clone();
    world.sell("HB01", RF, told);
    world.scan(-500);
    let metering = world.snapshot_at(0).metering.clone();
    let own = metering.groups.iter().find(|own| own.sold == Some(told)).unwrap();
    assert_eq!(own.group, RF);
    assert_eq!(metering.sold.remote_kwh - before.sold.remote_kwh, 5_000_000_000);
    assert_eq!(metering.sold.hand_kwh - before.sold.hand_kwh, 70_000);
    assert_eq!((metering.sold.remote_behind, metering.sold.hand_behind), (3, 2));
    assert_eq!((metering.sold.remote_day, metering.sold.hand_day), (19_318, 19_317));
    let by_district: u64 = metering.district_sold.iter().map(|sold| sold.remote_kwh).sum();
    assert_eq!(by_district, metering.sold.remote_kwh);
    // Each of these cannot be, and then nothing is told of the group.
    for wrong in [
        SoldFigures { remote_days: 20_000, ..told },
        SoldFigures { remote_days: 19_319 * installed, ..told },
        SoldFigures { hand_days: 0, ..told },
        SoldFigures { since: 19_318, ..told },
        SoldFigures { remote_behind: u32::MAX, ..told },
    ] {
        world.sell("HB01", RF, wrong);
        world.scan(-400);
        let sold = world.snapshot_at(0).metering.sold;
        assert_eq!(sold.remote_kwh, before.sold.remote_kwh, "{wrong:?}");
        assert_eq!(before.sold.told.have - sold.told.have, installed, "{wrong:?}");
    }
}

#[test]
fn no_day_of_a_reading_is_told_before_anything_was_read() {
    for (remote_days, hand_days) in [(0, 0), (9_000, 0), (0, 9_000), (9_000, 9_000)] {
        let (folder, mut world) = (tempdir().unwrap(), World::running());
        let province = Arc::clone(&world.province);
        // Each head-end names the days of its registers, and has begun to count only now.
        for station in province.substations() {
            for n in 0..station.meters.len() {
                let told = SoldFigures { day: 19_318, hand_day: 19_317, ..SoldFigures::default() };
                world.sell(&station.id, n, told);
            }
        }
        let told = SoldFigures {
            day: 19_318,
            hand_day: 19_317,
            remote_days,
            hand_days,
            since: 19_100,
            ..SoldFigures::default()
        };
        world.sell("HB01", RF, told);
        world.scan(-500);
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        let mut batcher = Batcher::new(NOW.plus(-60_000));
        world.keep((&mut batcher, &mut writer), 0);
        writer.close().unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        let then = past(&reader, None).unwrap().unwrap().snapshot.metering.sold;
        let now = world.snapshot_at(0).metering.sold;
        let days = [(remote_days, 19_318), (hand_days, 19_317)];
        let expected = days.map(|(read, day)| if read > 0 { day } else { 0 });
        for (what, sold) in [("now", now), ("then", then)] {
            assert_eq!([sold.remote_day, sold.hand_day], expected, "{what}: {sold:?}");
        }
        drop(reader);
        let shown = gridwatch(&["show", "--json", "--store", folder.path().to_str().unwrap()]);
        let said: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        let sold = &said["metering"]["sold"];
        for (kind, (read, _)) in ["remote", "hand"].into_iter().zip(days) {
            for what in ["until", "behind"] {
                assert_eq!(sold[format!("{kind}_{what}")].is_null(), read == 0, "{kind} {sold}");
            }
        }
    }
}

/// What a head-end tells so many days later of a group, by chance: of one day the same whenever it is told.
fn by_chance((station, n): (usize, usize), group: &config::MeterGroup, later: u16) -> MeterFigures {
    let told = figures(group);
    let (day, final_day) = (told.day + later, told.final_day + later);
    let of = |day: u16| {
        let seed = u64::from(day) << 32 | (station as u64) << 16 | n as u64;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let first = random.random_range(0..=told.expected);
        let mut left = told.final_intervals_expected;
        let parts = [(); 3].map(|()| {
            let n = if left > 0 { random.random_range(0..=left) } else { 0 };
            left -= n;
            n
        });
        (first, random.random_range(first..=told.expected), parts)
    };
    let (first_pass, _, [intervals, ..]) = of(day);
    let (final_first_pass, final_read, [on_time, late, backfilled]) = of(final_day);
    MeterFigures {
        day,
        final_day,
        first_pass,
        intervals,
        final_first_pass,
        final_read,
        final_intervals_on_time: on_time,
        final_intervals_late: late,
        final_intervals_backfilled: backfilled,
        ..told
    }
}

#[test]
fn half_hours_are_kept_and_exported_by_day_and_by_what_became_of_them() {
    let (folder, mut world) = (tempdir().unwrap(), World::running());
    let province = Arc::clone(&world.province);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(-60_000));
    let mut told: Vec<Vec<(&config::MeterGroup, MeterFigures)>> = Vec::new();
    for (later, ms) in [(0, 0), (1, 86_400_000)] {
        let mut of_day = Vec::new();
        for (place, station) in province.substations().iter().enumerate() {
            for (n, group) in station.meters.iter().enumerate() {
                let figures = by_chance((place, n), group, later);
                world.publish(&station.id, n, figures);
                of_day.push((group, figures));
            }
        }
        told.push(of_day);
        world.scan(ms - 100);
        world.keep((&mut batcher, &mut writer), ms);
        let at = NOW.plus(ms);
        let (now, reader) = (world.snapshot_at(ms), Reader::open(folder.path()).unwrap());
        let then = past(&reader, Some(at)).unwrap().unwrap().snapshot.metering;
        assert_eq!((then.day, then.final_day), (now.metering.day, now.metering.final_day));
        assert_eq!(then.reads.half_hours, now.metering.reads.half_hours);
        assert_eq!(then.reads.final_first_pass, now.metering.reads.final_first_pass);
    }
    writer.close().unwrap();
    let store = folder.path().to_str().unwrap();
    let output = gridwatch(&["store", "export", "metering", "--store", store]);
    let mut rows = csv::Reader::from_reader(&output.stdout[..]);
    let heads = rows.headers().unwrap().clone();
    let mut seen = 0;
    for row in rows.records() {
        let row = row.unwrap();
        let cell = |name: &str| &row[heads.iter().position(|head| head == name).unwrap()];
        let n = |name: &str| cell(name).parse::<u64>().unwrap();
        let of_day = &told[usize::from(cell("time") != NOW.to_millisecond())];
        // Each figure from what every group was told to have, apart.
        let own = of_day.iter().filter(|(group, _)| match cell("kind") {
            "class" => province.meter_classes[group.class].id == cell("id"),
            _ => {
                province.meter_classes[group.class].sold
                    && province.districts[group.district].id == cell("id")
            }
        });
        let sum = |of: fn(&MeterFigures) -> u32| -> u64 {
            own.clone().map(|(_, figures)| u64::from(of(figures))).sum()
        };
        let parts = ["on_time", "late", "backfilled", "missing"].map(n);
        let date = |day: u16| SoldReads::date(day).unwrap().to_string();
        assert_eq!(cell("day"), date(of_day[0].1.day));
        assert_eq!(cell("final_day"), date(of_day[0].1.final_day));
        assert_eq!(n("final_half_hours"), sum(|f| f.final_intervals_expected));
        assert_eq!(parts.iter().sum::<u64>(), n("final_half_hours"));
        assert_eq!(parts[0], sum(|f| f.final_intervals_on_time));
        assert_eq!(parts[1], sum(|f| f.final_intervals_late));
        assert_eq!(parts[2], sum(|f| f.final_intervals_backfilled));
        assert_eq!(n("final_first_pass_have"), sum(|f| f.final_first_pass));
        assert_eq!(n("final_first_pass_want"), sum(|f| f.final_expected));
        seen += 1;
    }
    assert_eq!(seen, 2 * (province.districts.len() + province.meter_classes.len()));
}

/// What is told of a district in a window: meters read and not heard, half hours, and what they rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Told {
    /// Days with figures, of all; days with a final count.
    days: [u64; 3],
    /// Meters read by 06:00, of those of which it is told; those that were not heard.
    first_pass: [u64; 3],
    /// Half hours: expected, on time, late, filled in, missing, not final.
    half_hours: [u64; 6],
    /// Meters of which half hours are told, of all.
    heard: [u64; 2],
}

impl std::ops::AddAssign for Told {
    fn add_assign(&mut self, other: Self) {
        fn add<const N: usize>(sum: &mut [u64; N], other: [u64; N]) {
            sum.iter_mut().zip(other).for_each(|(sum, n)| *sum += n);
        }
        add(&mut self.days, other.days);
        add(&mut self.first_pass, other.first_pass);
        add(&mut self.half_hours, other.half_hours);
        add(&mut self.heard, other.heard);
    }
}

/// What was told of one day by some meters: those that were not heard, and the rest.
#[derive(Clone, Copy, Default)]
struct Says {
    not_heard: u64,
    /// Read by 06:00 and all.
    first_pass: [u64; 2],
    /// The same of what half hours rest on.
    heard: u64,
    /// Expected, on time, late, filled in.
    half_hours: [u64; 4],
}

/// A day of a district, by what was told at once and by what was told in the end.
fn day_of(first: Option<Says>, last: Option<Says>, meters: u64) -> Told {
    let (Some(early), Some(best)) = (first.or(last), last.or(first)) else {
        return Told {
            days: [0, 1, 0],
            first_pass: [0, 0, meters],
            heard: [0, meters],
            ..Told::default()
        };
    };
    let read = if best.not_heard < early.not_heard { best } else { early };
    let [expected, on_time, late, backfilled] = best.half_hours;
    let rest = expected - on_time - late - backfilled;
    let is_final = u64::from(last.is_some());
    Told {
        days: [u64::from(read.first_pass[1] > 0), 1, is_final],
        first_pass: [read.first_pass[0], read.first_pass[1], read.not_heard],
        half_hours: [expected, on_time, late, backfilled, rest * is_final, rest * (1 - is_final)],
        heard: [best.heard, best.heard + best.not_heard],
    }
}

/// By district, in the report of some days.
fn reported(store: &Path, (from, to): (&str, &str)) -> BTreeMap<String, Told> {
    let out = store.join("r.json");
    let (store, file) = (store.to_str().unwrap(), out.to_str().unwrap());
    let args = ["report", "--store", store, "--out", file, "--from", from, "--to", to];
    let output = gridwatch(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let tables = &said["sheets"]["metering"]["tables"];
    let (reads, halves) = (&tables["daily_reading"], &tables["half_hours"]);
    let of = |read: &serde_json::Value, half: &serde_json::Value| {
        let n = |row: &serde_json::Value, name: &str| row[name].as_u64().unwrap_or(0);
        let share = |row: &serde_json::Value, name: &str, part: &str| n(&row[name], part);
        let parts = ["on_time", "late", "backfilled", "missing", "not_final"];
        let [on_time, late, backfilled, missing, not_final] =
            parts.map(|part| share(half, part, "have"));
        let (heard, all) = (share(read, "known", "have"), share(read, "known", "want"));
        assert_eq!(all - heard, n(read, "not_heard"), "{read}");
        // Nothing is known where nothing is told, and is never 0.
        assert_eq!(read["mean"]["known"] == false, share(read, "days", "have") == 0, "{read}");
        Told {
            days: [
                share(read, "days", "have"),
                share(read, "days", "want"),
                share(half, "days", "have"),
            ],
            first_pass: [
                share(read, "mean", "have"),
                share(read, "mean", "want"),
                n(read, "not_heard"),
            ],
            half_hours: [n(half, "expected"), on_time, late, backfilled, missing, not_final],
            heard: [share(half, "known", "have"), share(half, "known", "want")],
        }
    };
    let rows = reads["rows"].as_array().unwrap().iter().zip(halves["rows"].as_array().unwrap());
    let mut all = Told::default();
    let told: BTreeMap<String, Told> = rows
        .map(|(read, half)| {
            let own = of(read, half);
            // Days are told once for all districts.
            all += Told { days: [0; 3], ..own };
            (read["id"].as_str().unwrap().to_owned(), own)
        })
        .collect();
    let total = of(&reads["total"], &halves["total"]);
    assert_eq!(Told { days: [0; 3], ..total }, all, "the total is the sum");
    told
}

/// The same from the rows of the store alone, of days since 1970, of which those from `begins` on are told whatever was
/// heard.
fn counted_from_rows(
    store: &Path,
    (first, last): (i64, i64),
    begins: i64,
) -> BTreeMap<String, Told> {
    let file = rusqlite::Connection::open(store.join("gridwatch.db")).unwrap();
    let mut rows = file
        .prepare(
            "SELECT id, at_ms, remote, day, first_have, first_want, not_heard, half_hours_want,
                 half_hours_have, final_day, final_first_have, final_first_want, final_not_heard,
                 final_want, followed, on_time, late, backfilled, uncounted
             FROM metering WHERE kind = 'district' ORDER BY at_ms",
        )
        .unwrap();
    let mut rows = rows.query([]).unwrap();
    let mut all: BTreeMap<String, Vec<Vec<i64>>> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let numbers = (1..19).map(|n| row.get(n).unwrap()).collect();
        all.entry(row.get(0).unwrap()).or_default().push(numbers);
    }
    let mut counted: BTreeMap<String, Told> = BTreeMap::new();
    for (id, rows) in all {
        for day in first..=last {
            let n = |n: i64| n.unsigned_abs();
            // The row that heard the most, of equal ones the last.
            let best = |day_at: usize, not_heard: usize| {
                let of_day = rows.iter().filter(|row| row[day_at] == day);
                of_day.rev().min_by_key(|row| row[not_heard])
            };
            let early = best(2, 5).map(|row| Says {
                not_heard: n(row[5]),
                first_pass: [n(row[3]), n(row[4])],
                heard: n(row[4]),
                half_hours: [n(row[6]), n(row[7]), 0, 0],
            });
            let late = best(8, 11).map(|row| Says {
                not_heard: n(row[11]),
                first_pass: [n(row[9]), n(row[10])],
                heard: n(row[12]),
                half_hours: [n(row[13]), n(row[14]), n(row[15]), n(row[16])],
            });
            if early.is_none() && late.is_none() && day < begins {
                continue;
            }
            let end = (day + 1) * 86_400_000 - 7 * 3_600_000;
            let last = rows.iter().rfind(|row| row[0] < end);
            let meters = last.map_or(0, |row| n(row[1] + row[17]));
            *counted.entry(id.clone()).or_default() += day_of(early, late, meters);
        }
    }
    counted
}

/// The stations that were heard on a day, and those of which meters were counted since the monitor was started.
type Heard = (BTreeSet<usize>, BTreeSet<usize>);

/// The same from what the stations told, of which some could not be heard on some days. Of those of which no meter was
/// counted any may have a channel.
fn counted_in_the_field(
    province: &config::Province,
    heard: &[Option<Heard>],
    (first, last): (i64, i64),
    begins: i64,
) -> BTreeMap<String, Told> {
    let mut counted: BTreeMap<String, Told> = BTreeMap::new();
    let newest = figures(&province.stations[0].meters[0]);
    let (zero, final_zero) = (i64::from(newest.day), i64::from(newest.final_day));
    for (n, district) in province.districts.iter().enumerate() {
        let groups: Vec<(usize, usize, &config::MeterGroup)> = province
            .substations()
            .iter()
            .enumerate()
            .flat_map(|(place, station)| {
                station.meters.iter().enumerate().map(move |(n, group)| (place, n, group))
            })
            .filter(|(_, _, group)| group.district == n && province.meter_classes[group.class].sold)
            .collect();
        let says = |later: i64, is_final: bool| {
            let (heard, counted) = heard.get(usize::try_from(later).ok()?)?.as_ref()?;
            let mut says = Says::default();
            for (place, n, group) in &groups {
                if !heard.contains(place) {
                    says.not_heard += may_be_remote(counted, *place, group);
                    continue;
                }
                let told = by_chance((*place, *n), group, u16::try_from(later).unwrap());
                let (read, all, parts) = if is_final {
                    let parts = [
                        told.final_intervals_expected,
                        told.final_intervals_on_time,
                        told.final_intervals_late,
                        told.final_intervals_backfilled,
                    ];
                    (told.final_first_pass, told.final_expected, parts)
                } else {
                    (
                        told.first_pass,
                        told.expected,
                        [told.intervals_expected, told.intervals, 0, 0],
                    )
                };
                says.first_pass[0] += u64::from(read);
                says.first_pass[1] += u64::from(all);
                says.heard += u64::from(all);
                for (sum, n) in says.half_hours.iter_mut().zip(parts) {
                    *sum += u64::from(n);
                }
            }
            Some(says)
        };
        for day in first..=last {
            let (early, late) = (says(day - zero, false), says(day - final_zero, true));
            if early.is_none() && late.is_none() && day < begins {
                continue;
            }
            let last = heard.iter().take(usize::try_from(day + 1 - zero).unwrap_or(0));
            let nobody = Heard::default();
            let (_, known) = last.flatten().last().unwrap_or(&nobody);
            let meters = groups.iter().map(|(place, _, group)| may_be_remote(known, *place, group));
            let meters = meters.sum();
            *counted.entry(district.id.clone()).or_default() += day_of(early, late, meters);
        }
    }
    counted
}

fn may_be_remote(counted: &BTreeSet<usize>, place: usize, group: &config::MeterGroup) -> u64 {
    if counted.contains(&place) { group.remote.into() } else { group.installed.into() }
}

/// Nov 14, 2022, in days since 1970.
const NOV_14: i64 = 19_310;

/// Days of November as a report takes them, and since 1970.
fn november(from: i64, to: i64) -> ([String; 2], (i64, i64)) {
    let said = [from, to].map(|day| format!("2022-11-{day:02}"));
    (said, (NOV_14 + from - 14, NOV_14 + to - 14))
}

#[test]
fn meters_that_nobody_hears_are_neither_read_nor_not_and_each_day_is_told_in_its_own_period() {
    let (folder, mut world) = (tempdir().unwrap(), World::running());
    let province = Arc::clone(&world.province);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(62);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(-60_000));
    let mut heard: Vec<Option<Heard>> = Vec::new();
    let mut counted: BTreeSet<usize> = (0..province.substations().len()).collect();
    for later in 0..8_u16 {
        // One day nobody looks; on the first everybody is heard, so that every meter was counted once.
        if later == 6 {
            heard.push(None);
            continue;
        }
        let ms = i64::from(later) * 86_400_000;
        if later == 4 {
            // The monitor is started again, and knows nothing of who does not answer.
            (world, batcher) = (World::new(), Batcher::new(NOW.plus(ms - 60_000)));
            world.connect_all(ms - 1_000);
            counted.clear();
        }
        let mut of_day = BTreeSet::new();
        for (place, station) in province.substations().iter().enumerate() {
            for (n, group) in station.meters.iter().enumerate() {
                world.publish(&station.id, n, by_chance((place, n), group, later));
            }
            if later == 0 || random.random_bool(0.7) {
                of_day.insert(place);
            }
        }
        // One after the other, as they answer at 06:00: nobody else has told of the day yet.
        for place in &of_day {
            world.scan_stations(&[&province.stations[*place].id], ms - 700);
        }
        world.keep((&mut batcher, &mut writer), ms);
        counted.extend(&of_day);
        let (now, reader) = (world.snapshot_at(ms), Reader::open(folder.path()).unwrap());
        let all = |reads: &Reads| [reads.heard().want, reads.final_heard().want];
        let meters = now.metering.total.have + now.metering.uncounted;
        assert_eq!(all(&now.metering.reads), [meters; 2], "nobody drops out");
        let then = past(&reader, Some(NOW.plus(ms))).unwrap().unwrap().snapshot.metering;
        let not_heard = |reads: &Reads| [reads.not_heard, reads.final_not_heard];
        assert_eq!(not_heard(&then.reads), not_heard(&now.metering.reads));
        heard.push(Some((of_day, counted.clone())));
    }
    writer.close().unwrap();
    let all = province.substations().len();
    assert!(heard.iter().flatten().any(|(of_day, counted)| of_day.len() < counted.len()));
    assert!(heard.iter().flatten().any(|(_, counted)| counted.len() < all));
    // The store has its first row on the 23rd.
    let begins = NOV_14 + 9;
    let mut parts: BTreeMap<String, Told> = BTreeMap::new();
    for (from, to) in [(14, 30), (14, 23), (24, 25), (26, 26), (27, 30)] {
        let ([first, last], days) = november(from, to);
        let told = reported(folder.path(), (&first, &last));
        let wanted = |counted: BTreeMap<String, Told>| -> BTreeMap<String, Told> {
            let own = |id: &String| counted.get(id).copied().unwrap_or_default();
            told.keys().map(|id| (id.clone(), own(id))).collect()
        };
        let from_rows = counted_from_rows(folder.path(), days, begins);
        assert_eq!(told, wanted(from_rows), "{first} {last}: the rows");
        let in_the_field = counted_in_the_field(&province, &heard, days, begins);
        assert_eq!(told, wanted(in_the_field), "{first} {last}: what was told");
        for (id, own) in told.iter().filter(|_| (from, to) != (14, 30)) {
            *parts.entry(id.clone()).or_default() += *own;
        }
    }
    let whole = reported(folder.path(), ("2022-11-14", "2022-11-30"));
    assert_eq!(parts, whole, "the parts are the whole");
    // Somebody watches again weeks later, and each day is told as before.
    let reports =
        || [(14, 30), (24, 25), (27, 30)].map(|(from, to)| sheets(folder.path(), (from, to)));
    let before = reports();
    let ms = 40 * 86_400_000;
    let (mut world, mut batcher) = (World::new(), Batcher::new(NOW.plus(ms - 60_000)));
    world.connect_all(ms - 1_000);
    for (place, station) in province.substations().iter().enumerate() {
        for (n, group) in station.meters.iter().enumerate() {
            world.publish(&station.id, n, by_chance((place, n), group, 40));
        }
    }
    world.scan(ms - 700);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    world.keep((&mut batcher, &mut writer), ms);
    world.keep((&mut batcher, &mut writer), ms + 30_000);
    writer.close().unwrap();
    for (after, before) in reports().iter().zip(&before) {
        // A plant's counter that is read again tells of the time between.
        for (sheet, before) in before.iter().filter(|(sheet, _)| *sheet != "produced") {
            assert_eq!(&after[sheet], before, "{sheet}");
        }
    }
    let [read, of, not_heard] =
        whole.values().fold([0; 3], |sum, own| [0, 1, 2].map(|n| sum[n] + own.first_pass[n]));
    assert!(read > 0 && of > read && not_heard > 0);
}

/// The sheets of a report of some days of November; what stands in them must not hang on who watched later.
fn sheets(store: &Path, (from, to): (i64, i64)) -> serde_json::Map<String, serde_json::Value> {
    let ([first, last], _) = november(from, to);
    reported(store, (&first, &last));
    let said = std::fs::read(store.join("r.json")).unwrap();
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    said["sheets"].as_object().unwrap().clone()
}

/// Meters of a district or class by station: what the contract has of them, as kind and id, place of the station,
/// meters, and those with a channel.
fn meters_of(province: &config::Province) -> Vec<((&'static str, String), usize, u64, u64)> {
    let mut all = Vec::new();
    for (place, station) in province.substations().iter().enumerate() {
        for group in &station.meters {
            let class = &province.meter_classes[group.class];
            let district = &province.districts[group.district];
            let (installed, remote) = (u64::from(group.installed), u64::from(group.remote));
            all.push((("class", class.id.clone()), place, installed, remote));
            if class.sold {
                all.push((("district", district.id.clone()), place, installed, remote));
            }
        }
    }
    all
}

/// By kind and id: meters, those with a channel, uncounted ones; those of which the newest day is told, and those of which
/// it is not.
type Rows = BTreeMap<(String, String), [u64; 5]>;

#[test]
fn a_monitor_that_is_restarted_while_a_station_is_lost_keeps_what_it_counts_and_says_what_it_does_not()
 {
    let (folder, mut world) = (tempdir().unwrap(), World::running());
    let province = Arc::clone(&world.province);
    let lost = province.station("HB03").unwrap().index();
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(-60_000));
    world.keep((&mut batcher, &mut writer), 0);
    world.keep((&mut batcher, &mut writer), 30_000);
    writer.close().unwrap();
    // The next day another monitor begins, and one station does not answer.
    let day = 86_400_000;
    let mut world = World::new();
    for (place, station) in province.substations().iter().enumerate() {
        for (n, group) in station.meters.iter().enumerate() {
            world.publish(&station.id, n, by_chance((place, n), group, 1));
        }
    }
    world.connect_all_but("HB03", day - 2_000);
    world.scan(day - 1_000);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(day - 60_000));
    world.keep((&mut batcher, &mut writer), day);
    let snapshot = world.snapshot_at(day);
    world.keep((&mut batcher, &mut writer), day + 30_000);
    let meters = meters_of(&province);
    // What each row should say, from the contract alone.
    let expected = |is_lost: bool| -> Rows {
        let mut rows = Rows::new();
        for ((kind, id), place, installed, remote) in &meters {
            let row = rows.entry(((*kind).to_owned(), id.clone())).or_default();
            let is_counted = !is_lost || *place != lost;
            let [counted, uncounted] = if is_counted { [*remote, 0] } else { [0, *installed] };
            let sums = [*installed, counted, uncounted, counted, uncounted];
            row.iter_mut().zip(sums).for_each(|(sum, n)| *sum += n);
        }
        rows
    };
    let rows = |at: i64| -> Rows {
        let file = rusqlite::Connection::open(folder.path().join("gridwatch.db")).unwrap();
        let mut rows = file
            .prepare(
                "SELECT kind, id, meters, remote, uncounted, first_want, not_heard
                 FROM metering WHERE at_ms = ?1",
            )
            .unwrap();
        let rows = rows.query_map([at], |row| {
            let n = |n: usize| row.get::<_, i64>(n).unwrap().unsigned_abs();
            Ok(((row.get(0)?, row.get(1)?), [2, 3, 4, 5, 6].map(n)))
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(rows(NOW.0), expected(false));
    let told = rows(NOW.plus(day).0);
    assert_eq!(told, expected(true), "at once, and of all");
    let is_open = |row: &[u64; 5]| row[2] > 0;
    assert!(told.values().any(is_open) && !told.values().all(is_open));
    // A moment is told as it was seen.
    let reader = Reader::open(folder.path()).unwrap();
    let then = past(&reader, Some(NOW.plus(day))).unwrap().unwrap().snapshot.metering;
    let now = &snapshot.metering;
    assert_eq!((then.total, then.uncounted), (now.total, now.uncounted));
    assert_eq!((&then.districts, &then.classes), (&now.districts, &now.classes));
    assert_eq!(
        (&then.district_uncounted, &then.class_uncounted),
        (&now.district_uncounted, &now.class_uncounted)
    );
    assert!(then.uncounted > 0 && then.total.want == then.total.have + then.total.lacking());
    drop(reader);
    assert_told(folder.path(), &province, &told);
    // It answers: all of it is counted, and told of the day.
    world.connect("HB03", "A1", day + 60_000);
    world.connect("HB03", "CC", day + 60_000);
    world.scan_stations(&["HB03"], day + 61_000);
    world.keep((&mut batcher, &mut writer), day + 70_000);
    writer.close().unwrap();
    let mut all = told;
    all.extend(rows(NOW.plus(day + 70_000).0));
    assert_eq!(all, expected(false));
    let report = report_of(folder.path());
    let reading = &report["sheets"]["metering"]["tables"]["daily_reading"]["total"];
    // Of the 24th nobody has told yet.
    let channels = |row: &[u64; 5]| row[1] + row[2];
    let of_districts = all.iter().filter(|((kind, _), _)| kind == "district");
    let unread: u64 = of_districts.map(|(_, row)| channels(row)).sum();
    assert_eq!(reading["not_heard"], unread, "who answers later is believed: {reading}");
    assert_eq!(reading["days"], serde_json::json!({"have": 1, "want": 2}));
    let figures = &report["sheets"]["summary"]["tables"]["figures"]["rows"];
    assert!(!figures.to_string().contains("at_least"), "{figures}");
}

/// The report of the two days.
fn report_of(store: &Path) -> serde_json::Value {
    let out = store.join("r.json");
    let (store, file) = (store.to_str().unwrap(), out.to_str().unwrap());
    let days = ["--from", "2022-11-23", "--to", "2022-11-24"];
    let args = [&["report", "--store", store, "--out", file, "--lang", "en"][..], &days].concat();
    let output = gridwatch(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

/// What report, screens and exports say of rows.
fn assert_told(store: &Path, province: &config::Province, rows: &Rows) {
    let report = report_of(store);
    let sheet = &report["sheets"]["metering"];
    let mut told = BTreeMap::new();
    for (kind, table) in [("district", "districts"), ("class", "classes")] {
        for row in sheet["tables"][table]["rows"].as_array().unwrap() {
            let n = |name: &str| row[name].as_u64().unwrap();
            let (share, key) =
                (&row["coverage"], (kind.to_owned(), row["id"].as_str().unwrap().to_owned()));
            let [meters, remote, uncounted, ..] = rows[&key];
            let expected = match uncounted {
                0 => serde_json::json!({"have": remote, "want": meters}),
                n if n == meters => serde_json::json!({"known": false}),
                _ => serde_json::json!({"have": remote, "want": meters, "at_least": true}),
            };
            assert_eq!(share, &expected, "{key:?}");
            let first = row["first_pass"]["want"].as_u64().unwrap();
            told.insert(key, [meters, remote, n("uncounted"), first, n("not_heard")]);
        }
    }
    assert_eq!(&told, rows);
    let of_districts = |n: usize| -> u64 {
        rows.iter().filter(|((kind, _), _)| kind == "district").map(|(_, row)| row[n]).sum()
    };
    let [meters, remote, uncounted] = [0, 1, 2].map(of_districts);
    let figure = report["sheets"]["summary"]["tables"]["figures"]["rows"].as_array().unwrap();
    let figure = figure.iter().find(|row| row["value"]["want"] == meters).unwrap();
    assert_eq!(
        figure["value"],
        serde_json::json!({"have": remote, "want": meters, "at_least": true})
    );
    assert_eq!(figure["reached"]["mark"], "doubt");
    let notes = report["sheets"]["summary"]["notes"].to_string();
    assert!(notes.contains("meters that sell were not counted"), "{notes}");
    let values = &sheet["charts"]["coverage_by_day"]["series"][0]["values"];
    assert!(values[0].is_number() && values[1].is_null(), "{values}");
    let store = store.to_str().unwrap();
    let output =
        gridwatch(&["store", "export", "metering", "--store", store, "--from", "2022-11-24"]);
    let mut exported = BTreeMap::new();
    for row in csv::Reader::from_reader(&output.stdout[..]).deserialize() {
        let row: BTreeMap<String, String> = row.unwrap();
        let names = ["meters", "remote", "uncounted", "first_pass_want", "not_heard"];
        let numbers = names.map(|name| row[name].parse::<u64>().unwrap());
        exported.insert((row["kind"].clone(), row["id"].clone()), numbers);
    }
    assert_eq!(&exported, rows);
    let shown = gridwatch(&["show", "metering", "--store", store, "--lang", "en"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    for district in &province.districts {
        let [meters, _, uncounted, ..] = rows[&("district".to_owned(), district.id.clone())];
        let name = district.name.get(config::Lang::En);
        let line = text.lines().find(|line| line.contains(name)).unwrap();
        assert_eq!(line.contains("uncounted"), uncounted > 0, "{line}");
        assert_eq!(line.contains('≥'), uncounted > 0 && uncounted < meters, "{line}");
    }
    let shown = gridwatch(&["show", "--json", "--store", store]);
    let said: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(said["metering"]["uncounted"], uncounted);
}
