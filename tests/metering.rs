//! Daily reading as the control room counts it: apart from coverage, for one day at a time, and
//! nothing that it was not told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{MeterFigures, SoldFigures};
use gridwatch::historian::counts::Share;
use gridwatch::historian::picture::{Picture, Reads, SoldReads};
use gridwatch::history::past;
use gridwatch::store::{Gatherer, Reader, Writer};
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

fn station(picture: &Picture, id: &str) -> usize {
    picture.province.station(id).unwrap().index()
}

#[test]
fn reads_are_summed_from_integers_for_their_day() {
    let picture = World::running().picture_at(0);
    let metering = &picture.metering;
    assert_eq!(metering.day.unwrap().to_string(), "2022-11-22");
    assert_eq!(metering.final_day.unwrap().to_string(), "2022-11-19");
    assert_eq!(metering.reads.first_pass.want, metering.total.have, "of those in coverage");
    assert_eq!(metering.unreported, 0);
    let mut sums = [Share::default(); 3];
    for reads in &metering.district_reads {
        sums[0] += reads.first_pass;
    }
    for reads in &metering.station_reads {
        sums[1] += reads.first_pass;
    }
    for (reads, class) in metering.class_reads.iter().zip(&picture.province.meter_classes) {
        sums[2] += if class.sold { reads.first_pass } else { Share::default() };
    }
    assert_eq!(sums, [metering.reads.first_pass; 3]);
}

#[test]
fn nothing_is_claimed_before_anything_was_told() {
    let mut world = World::new();
    let metering = world.picture_at(0).metering.clone();
    assert_eq!((metering.day, metering.final_day), (None, None));
    assert_eq!(metering.reads, Reads::default());
    for n in 0..7 {
        world.publish("HB01", n, MeterFigures::default());
    }
    world.connect_all(-1_000);
    world.scan_stations(&["HB01"], -900);
    let metering = world.picture_at(0).metering.clone();
    assert_eq!((metering.day, metering.final_day), (None, None), "day 0 is no day");
    assert_eq!(metering.reads.first_pass, Share::default());
    assert!(metering.total.have > 0, "coverage is another matter");
}

#[test]
fn a_group_that_tells_of_another_day_is_left_out_and_said() {
    let mut world = World::running();
    let whole = world.picture_at(0);
    let of_group = group(&world, "HB01");
    let told = figures(&of_group);
    let older = MeterFigures { day: told.day - 1, final_day: told.final_day - 1, ..told };
    world.publish("HB01", RF, older);
    world.scan(-500);
    let picture = world.picture_at(0);
    let metering = &picture.metering;
    assert_eq!(metering.day, whole.metering.day);
    assert_eq!(metering.unreported, u64::from(of_group.remote));
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
    let picture = world.picture_at(0);
    let reads = &picture.metering.station_reads[station(&picture, "HB01")];
    assert!(reads.first_pass.have <= reads.first_pass.want);
    assert_eq!(picture.metering.unreported, u64::from(told.expected));
}

#[test]
fn what_was_online_is_not_online_when_nobody_asks_any_more() {
    let mut world = World::running();
    world.lose(&["HB01"], &["CC"], -900);
    let online = |picture: Arc<Picture>| {
        let metering = &picture.metering;
        (metering.station_reads[station(&picture, "HB01")].online, metering.reads.first_pass)
    };
    let (before, reads) = online(world.picture_at(0));
    assert!(before.want > 0);
    world.scan(190_000);
    let (after, still) = online(world.picture_at(200_000));
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
    let before = world.picture_at(0).metering.clone();
    world.sell("HB01", RF, told);
    world.scan(-500);
    let metering = world.picture_at(0).metering.clone();
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
        let sold = world.picture_at(0).metering.sold;
        assert_eq!(sold.remote_kwh, before.sold.remote_kwh, "{wrong:?}");
        assert_eq!(before.sold.told.have - sold.told.have, installed, "{wrong:?}");
    }
}

/// What became of the half hours of a group, by chance, and of which days it is told.
fn by_chance(
    random: &mut Xoshiro256PlusPlus,
    group: &config::MeterGroup,
    later: u16,
) -> MeterFigures {
    let told = figures(group);
    let mut left = told.final_intervals_expected;
    let mut part = || {
        let n = if left > 0 { random.random_range(0..=left) } else { 0 };
        left -= n;
        n
    };
    MeterFigures {
        day: told.day + later,
        final_day: told.final_day + later,
        final_intervals_on_time: part(),
        final_intervals_late: part(),
        final_intervals_backfilled: part(),
        ..told
    }
}

#[test]
fn half_hours_are_kept_and_exported_by_day_and_by_what_became_of_them() {
    let (folder, mut world) = (tempdir().unwrap(), World::running());
    let province = Arc::clone(&world.province);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(48);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let mut gatherer = Gatherer::new(NOW.plus(-60_000));
    let mut told: Vec<Vec<(&config::MeterGroup, MeterFigures)>> = Vec::new();
    for (later, ms) in [(0, 0), (1, 86_400_000)] {
        let mut of_day = Vec::new();
        for station in province.substations() {
            for (n, group) in station.meters.iter().enumerate() {
                let figures = by_chance(&mut random, group, later);
                world.publish(&station.id, n, figures);
                of_day.push((group, figures));
            }
        }
        told.push(of_day);
        world.scan(ms - 100);
        world.keep((&mut gatherer, &mut writer), ms);
        let at = NOW.plus(ms);
        let (now, reader) = (world.picture_at(ms), Reader::open(folder.path()).unwrap());
        let then = past(&reader, Some(at)).unwrap().unwrap().picture.metering;
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
    assert_eq!(reported(folder.path()), counted_from_rows(folder.path()));
}

/// Half hours by district, and of all: expected, on time, late, filled in, missing.
type HalfHours = BTreeMap<String, [u64; 5]>;

/// As the report has them, over days in which those lie that were followed to their end.
fn reported(store: &Path) -> HalfHours {
    let out = store.join("r.json");
    let (store, file) = (store.to_str().unwrap(), out.to_str().unwrap());
    let days = ["--from", "2022-11-14", "--to", "2022-11-25"];
    let args = [&["report", "--store", store, "--out", file][..], &days].concat();
    let output = gridwatch(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let table = &said["sheets"]["metering"]["tables"]["half_hours"];
    let of = |row: &serde_json::Value| {
        let share = |name: &str| row[name]["have"].as_u64().unwrap();
        let parts = ["on_time", "late", "backfilled", "missing"].map(share);
        assert_eq!(row["days"]["have"], 2, "{row}");
        let [on_time, late, backfilled, missing] = parts;
        [row["expected"].as_u64().unwrap(), on_time, late, backfilled, missing]
    };
    let rows = table["rows"].as_array().unwrap();
    let mut told: HalfHours =
        rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), of(row))).collect();
    told.insert("all".to_owned(), of(&table["total"]));
    told
}

/// The same from the rows of the store alone.
fn counted_from_rows(store: &Path) -> HalfHours {
    let file = rusqlite::Connection::open(store.join("gridwatch.db")).unwrap();
    let mut rows = file
        .prepare(
            "SELECT id, followed, on_time, late, backfilled FROM metering WHERE kind = 'district'
             GROUP BY id, final_day HAVING at_ms = max(at_ms)",
        )
        .unwrap();
    let mut rows = rows.query([]).unwrap();
    let mut counted = HalfHours::new();
    while let Some(row) = rows.next().unwrap() {
        let id: String = row.get(0).unwrap();
        let n = |place| row.get::<_, i64>(place).unwrap().unsigned_abs();
        let came = n(2) + n(3) + n(4);
        for id in [id, "all".to_owned()] {
            let sum = counted.entry(id).or_default();
            for (sum, n) in sum.iter_mut().zip([n(1), n(2), n(3), n(4), n(1) - came]) {
                *sum += n;
            }
        }
    }
    counted
}
