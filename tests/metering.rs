//! Daily reading as the control room counts it: apart from coverage, for one day at a time, and
//! nothing that it was not told.

use std::sync::Arc;

use config::{MeterFigures, SoldFigures};
use gridwatch::historian::counts::Share;
use gridwatch::historian::picture::{Picture, Reads};

use crate::fixture::{World, figures};

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
        SoldFigures { remote_behind: u32::MAX, ..told },
    ] {
        world.sell("HB01", RF, wrong);
        world.scan(-400);
        let sold = world.picture_at(0).metering.sold;
        assert_eq!(sold.remote_kwh, before.sold.remote_kwh, "{wrong:?}");
        assert_eq!(before.sold.told.have - sold.told.have, installed, "{wrong:?}");
    }
}
