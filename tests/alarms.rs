//! Alarms: raised once for one cause, acknowledged by somebody, gone when there is nothing left to do, and
//! kept over a restart.

use std::sync::Arc;

use config::{Flags, Zone};
use gridwatch::clock::{Jump, JumpKind, Timestamp};
use gridwatch::collector::poll::Fault;
use gridwatch::historian::alarms::{Alarm, AlarmState, Alarms, Priority, Raised};
use gridwatch::historian::issues::Scope;
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict::Reason;
use gridwatch::historian::verdict_log::Judgement;
use gridwatch::store::{Batch, Batcher, KeptAlarm, Reader, StoreError, Writer, upkeep};
use tempfile::tempdir;

use crate::fixture::{NOW, World};

/// The listed alarms after a stretch of time, seconds from now: everybody who can is asked each other second.
fn watched(world: &mut World, from: i64, to: i64) -> Arc<[Alarm]> {
    for second in (from..=to).step_by(2) {
        world.scan(second * 1_000);
        world.watched_at(second * 1_000 + 900);
    }
    world.alarms.listed()
}

fn states(alarms: &[Alarm]) -> Vec<Option<AlarmState>> {
    alarms.iter().map(Alarm::state).collect()
}

#[test]
fn sixty_signals_behind_one_unit_are_one_alarm_and_a_lost_path_takes_it_over() {
    let mut world = World::started();
    assert!(watched(&mut world, -70, -62).is_empty());
    world.fail_unit("HB03", "172", Fault::NoReply);
    let alarms = watched(&mut world, -60, -60);
    assert!(alarms.is_empty(), "not before it has lasted: {alarms:?}");
    let alarms = watched(&mut world, -58, -40);
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let unit = alarms[0].clone();
    assert_eq!((unit.priority, unit.raised.cause.line.reason), (Priority::One, Reason::NoReply));
    assert!(unit.signals > 30 && unit.centres.len() == 2, "{unit:?}");
    // Behind a path that is lost nobody knows of the unit: it has not returned.
    world.lose(&["HB03"], &["CC", "A1"], -38_000);
    let alarms = watched(&mut world, -38, -20);
    let reasons: Vec<Reason> = alarms.iter().map(|a| a.raised.cause.line.reason).collect();
    assert_eq!(reasons, [Reason::NoLink, Reason::NoReply], "the newest first");
    assert_eq!(states(&alarms), [Some(AlarmState::Unacknowledged); 2]);
    assert_eq!(alarms[1].raised, unit.raised, "still the same time that it was raised");
    world.alarms.acknowledge(&[unit.raised], NOW);
    let json: serde_json::Value =
        serde_json::from_str(&gridwatch::json::snapshot(&world.watched_at(-19_000))).unwrap();
    let told = json["alarms"].as_array().unwrap().iter().map(|alarm| {
        (alarm["cause"].as_str().unwrap(), alarm["state"].as_str().unwrap(), &alarm["acknowledged"])
    });
    let at = serde_json::to_value(NOW).unwrap();
    let none = serde_json::Value::Null;
    let expected = [("link", "unacknowledged", &none), ("unit 2", "acknowledged", &at)];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let unit = &json["alarms"][1];
    assert_eq!((&unit["station"], &unit["reason"]), (&"HB03".into(), &"no_reply".into()));
    assert_eq!((&unit["priority"], &unit["centres"]), (&1.into(), &vec!["CC", "A1"].into()));
}

#[test]
fn an_alarm_leaves_the_list_when_it_has_returned_and_somebody_knows() {
    let mut world = World::started();
    watched(&mut world, -130, -122);
    let flagged = |world: &mut World, flags: Flags, from: i64| {
        world.flag("HB05.110.171.CB.POS", flags);
        watched(world, from, from + 18)
    };
    let alarms = flagged(&mut world, Flags::INVALID, -120);
    assert_eq!((alarms.len(), alarms[0].priority), (1, Priority::Two), "a breaker position");
    let first = alarms[0].raised;
    let known = NOW.plus(-101_000);
    assert_eq!(world.alarms.acknowledge(&[first, first], known), 1);
    assert_eq!(states(&world.alarms.listed()), [Some(AlarmState::Acknowledged)]);
    assert_eq!(flagged(&mut world, Flags::GOOD, -100), [].into(), "known and gone");
    // Back before anybody looked: it waits.
    let alarms = flagged(&mut world, Flags::INVALID, -80);
    let second = alarms[0].raised;
    assert!(second.at > first.at && second.cause == first.cause);
    assert_eq!(world.alarms.acknowledge(&[first], NOW), 0, "that was for another time");
    let alarms = flagged(&mut world, Flags::GOOD, -60);
    assert_eq!(states(&alarms), [Some(AlarmState::Returned)]);
    // It comes again: another time, which nobody knows of yet.
    let alarms = flagged(&mut world, Flags::INVALID, -40);
    assert_eq!(states(&alarms), [Some(AlarmState::Unacknowledged)]);
    let third = alarms[0].raised;
    let alarms = flagged(&mut world, Flags::GOOD, -20);
    assert_eq!(states(&alarms), [Some(AlarmState::Returned)]);
    assert_eq!(world.alarms.acknowledge(&[third], NOW), 1);
    assert!(world.alarms.listed().is_empty());
    // Who keeps them knows how each of the three times ended.
    let changes = world.alarms.take_changes(true);
    let ends: Vec<_> = changes
        .iter()
        .map(|c| (c.alarm.returned.is_some(), c.alarm.acknowledged.is_some(), c.is_open))
        .collect();
    assert_eq!(ends, [(true, true, false), (true, false, false), (true, true, false)]);
    assert!(world.alarms.take_changes(false).is_empty());
}

#[test]
fn before_everything_was_asked_nothing_is_raised_and_nothing_returns() {
    let mut world = World::started();
    watched(&mut world, -50, -42);
    world.fail_unit("HB03", "172", Fault::NoReply);
    let open = watched(&mut world, -40, -30).to_vec();
    assert_eq!(open.len(), 1);
    // A monitor that starts anew has asked nobody yet.
    let mut fresh = World::new();
    fresh.alarms = Alarms::resuming(open.clone());
    fresh.watched_at(-20_000);
    fresh.watched_at(-10_000);
    assert_eq!(fresh.alarms.listed().to_vec(), open);
    // Then all answer.
    fresh.connect_all(-9_000);
    let alarms = watched(&mut fresh, -9, 0);
    assert_eq!(states(&alarms), [Some(AlarmState::Returned)]);
}

fn batch(world: &mut World, begins: bool, until: Timestamp) -> Batch {
    let judgement = Judgement {
        channel: config::ChannelId::at(0),
        at: until,
        link: LinkState::Connected,
        whole: true,
        runs: Vec::new(),
    };
    let alarms = world.alarms.take_changes(begins);
    Batch { judgements: vec![judgement], alarms, ..Batch::empty(begins, until) }
}

fn kept(folder: &std::path::Path) -> Vec<KeptAlarm> {
    let mut all = Vec::new();
    let reader = Reader::open(folder).unwrap();
    reader.alarms((Timestamp(i64::MIN), Timestamp(i64::MAX)), |alarm| all.push(alarm)).unwrap();
    all
}

#[test]
fn what_was_acknowledged_is_so_after_a_kill() {
    let folder = tempdir().unwrap();
    let mut world = World::started();
    let province = world.snapshot_at(-300_000).province.clone();
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    assert_eq!(writer.open_alarms().unwrap(), []);
    watched(&mut world, -230, -222);
    world.fail_unit("HB03", "172", Fault::NoReply);
    world.flag("HB05.110.171.CB.POS", Flags::INVALID);
    watched(&mut world, -220, -201);
    writer.commit(&batch(&mut world, true, NOW.plus(-200_000))).unwrap();
    let raised: Vec<Raised> = world.alarms.listed().iter().map(|alarm| alarm.raised).collect();
    assert_eq!(raised.len(), 2);
    assert_eq!(world.alarms.acknowledge(&raised[..1], NOW.plus(-199_000)), 1);
    writer.commit(&batch(&mut world, false, NOW.plus(-198_000))).unwrap();
    let open = world.alarms.listed().to_vec();
    // Killed: nothing is closed.
    drop(writer);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let mut again = writer.open_alarms().unwrap();
    again.sort_by_key(|alarm| std::cmp::Reverse(alarm.acknowledged.is_none()));
    assert_eq!(again, open, "as they stood, acknowledged or not");
    // The next session has them, and ends one of them; what it does not know any more is over.
    let mut next = World::started();
    next.alarms = Alarms::resuming(vec![open[1].clone()]).keeping();
    writer.commit(&batch(&mut next, true, NOW.plus(-99_000))).unwrap();
    watched(&mut next, -98, -90);
    writer.commit(&batch(&mut next, false, NOW.plus(-89_000))).unwrap();
    writer.close().unwrap();
    let all = kept(folder.path());
    let ends: Vec<_> = all
        .iter()
        .map(|a| {
            (
                &a.station[..],
                &a.cause[..],
                a.returned.is_some(),
                a.acknowledged.is_some(),
                a.is_open,
            )
        })
        .collect();
    assert_eq!(
        ends,
        [("HB05", "bay 171", false, false, false), ("HB03", "unit 2", true, true, false)],
        "{all:?}"
    );
    let found = upkeep::check(folder.path()).unwrap();
    assert_eq!((found.fault_count, found.rows["alarm"]), (0, 2));
    // A word that no program has written is damage, and named.
    let file = rusqlite::Connection::open(folder.path().join("gridwatch.db")).unwrap();
    file.execute("UPDATE alarm SET reason = 'tired' WHERE station = 'HB05'", []).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let read = reader.alarms((Timestamp(0), Timestamp(i64::MAX)), |_| {});
    assert!(matches!(read, Err(StoreError::Damaged(what)) if what.contains("tired")));
    assert!(upkeep::check(folder.path()).unwrap().fault_count > 0);
}

#[test]
fn an_alarm_is_one_and_the_same_whatever_the_clock_does() {
    const BY_MS: i64 = 300_000;
    let folder = tempdir().unwrap();
    let mut world = World::started();
    let mut writer = Writer::open(folder.path(), &world.province).unwrap();
    world.fail_unit("HB03", "172", Fault::NoReply);
    let before = watched(&mut world, -60, -30)[0].raised;
    writer.commit(&batch(&mut world, true, NOW.plus(-30_000))).unwrap();
    drop(writer);
    // A restart: it is known from the store, and another one is raised by a clock that is wrong.
    let mut writer = Writer::open(folder.path(), &world.province).unwrap();
    world.alarms = Alarms::resuming(writer.open_alarms().unwrap()).keeping();
    world.flag("HB05.110.171.CB.POS", Flags::INVALID);
    watched(&mut world, -28, -10);
    let own =
        world.alarms.listed().iter().map(|alarm| alarm.raised).find(|r| *r != before).unwrap();
    writer.commit(&batch(&mut world, true, NOW.plus(-10_000))).unwrap();
    // The clock is set right, twice over.
    for (n, by_ms) in [BY_MS, -1_000].into_iter().enumerate() {
        let at = NOW.plus(-9_000);
        let jump = Jump { before: at, after: at.plus(by_ms), by_ms, kind: JumpKind::Set };
        world.alarms.clock_was_set(by_ms);
        let until = NOW.plus(BY_MS + i64::try_from(n).unwrap() * 10_000);
        writer.commit(&Batch { jumps: vec![jump], ..batch(&mut world, true, until) }).unwrap();
    }
    world.alarms.acknowledge(&[before], NOW.plus(BY_MS));
    writer.commit(&batch(&mut world, false, NOW.plus(BY_MS + 20_000))).unwrap();
    writer.close().unwrap();
    let kept = kept(folder.path());
    let raised: Vec<Timestamp> = kept.iter().map(|alarm| alarm.raised).collect();
    assert_eq!(raised, [before.at, own.at.plus(BY_MS - 1_000)], "{kept:?}");
    assert_eq!(
        kept.iter().map(|alarm| alarm.acknowledged.is_some()).collect::<Vec<_>>(),
        [true, false]
    );
    assert!(kept.iter().all(|alarm| alarm.is_open));
    assert_eq!(upkeep::check(folder.path()).unwrap().faults, Vec::<String>::new());
}

#[test]
fn an_alarm_keeps_what_it_took_though_its_cause_leaves_centre_by_centre() {
    let mut world = World::started();
    watched(&mut world, -70, -62);
    world.lose(&["HB03"], &["CC"], -60_000);
    let one = watched(&mut world, -60, -50)[0].clone();
    world.lose(&["HB03"], &["A1"], -49_000);
    let both = watched(&mut world, -48, -40)[0].clone();
    assert!(both.raised == one.raised && both.signals >= one.signals);
    assert_eq!((one.centres.len(), both.centres.len()), (1, 2));
    world.connect("HB03", "CC", -39_000);
    let less = watched(&mut world, -38, -30)[0].clone();
    assert_eq!((less.signals, &less.centres), (both.signals, &both.centres));
    assert_eq!(less.returned, None);
    world.connect("HB03", "A1", -29_000);
    let gone = watched(&mut world, -28, -20)[0].clone();
    assert_eq!((gone.signals, &gone.centres), (both.signals, &both.centres));
    assert!(gone.returned.is_some());
}

#[test]
fn no_alarm_returns_before_it_was_raised() {
    let mut world = World::started();
    world.fail_unit("HB03", "172", Fault::NoReply);
    let mut open = watched(&mut world, -60, -30).to_vec();
    // It was raised by a clock that was ahead of the one of now.
    open[0].raised.at = NOW.plus(300_000);
    let mut fresh = World::started();
    fresh.alarms = Alarms::resuming(open.clone());
    let alarms = watched(&mut fresh, -20, 0);
    assert_eq!(states(&alarms), [Some(AlarmState::Returned)]);
    assert_eq!(alarms[0].returned, Some(open[0].raised.at));
}

#[test]
fn an_alarm_that_waited_is_in_the_past_though_it_was_raised_again() {
    let folder = tempdir().unwrap();
    let mut world = World::started();
    let mut writer = Writer::open(folder.path(), &world.province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(-720_000));
    watched(&mut world, -130, -122);
    world.keep((&mut batcher, &mut writer), -121_000);
    let mut shown = Vec::new();
    for (flags, from) in [(Flags::INVALID, -120), (Flags::GOOD, -90), (Flags::INVALID, -60)] {
        world.flag("HB05.110.171.CB.POS", flags);
        let alarms = watched(&mut world, from, from + 24);
        shown.push((NOW.plus((from + 25) * 1_000), alarms));
    }
    world.keep((&mut batcher, &mut writer), -30_000);
    writer.close().unwrap();
    let [first, waits, again] = &shown[..] else { panic!("three") };
    assert_eq!(states(&waits.1), [Some(AlarmState::Returned)]);
    assert!(again.1[0].raised.at > waits.0 && first.1[0].raised == waits.1[0].raised);
    let reader = Reader::open(folder.path()).unwrap();
    for (at, alarms) in &shown {
        let past = gridwatch::history::past(&reader, Some(*at)).unwrap().unwrap().snapshot;
        let told = |alarms: &[Alarm]| -> Vec<_> {
            alarms.iter().map(|own| (own.raised, own.state())).collect()
        };
        assert_eq!(told(&past.alarms), told(alarms), "{at}");
    }
}

/// A bay unit of 110 kV that its gateway does not reach is not seen, whatever the exception is, and nobody says that
/// it answers: neither the screens nor the store.
#[test]
fn a_unit_that_only_its_gateway_speaks_for_is_not_seen_and_does_not_answer() {
    for fault in [Fault::NoReply, Fault::Refused(0x0A), Fault::Refused(0x0B), Fault::Refused(4)] {
        let mut world = World::new();
        world.fail_unit("HB03", "172", fault);
        world.connect_all(-700_500);
        let alarms = watched(&mut world, -700, -680);
        assert_eq!(alarms.len(), 1, "{fault:?}: {alarms:?}");
        assert_eq!((alarms[0].priority, alarms[0].at_least), (Priority::One, true), "{fault:?}");
        let folder = tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), &world.province).unwrap();
        let mut batcher = Batcher::new(NOW.plus(-720_000));
        world.keep((&mut batcher, &mut writer), -670_000);
        writer.close().unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        let past = gridwatch::history::past(&reader, None).unwrap().unwrap();
        let station = world.province.station("HB03").unwrap();
        for snapshot in [&past.snapshot, &*world.watched_at(-669_000)] {
            let page = gridwatch::terminal::Page::Why(station);
            let said = gridwatch::terminal::page(snapshot, page, (config::Lang::En, false), 140);
            assert!(!said.contains("units answer"), "{fault:?}: {said}");
        }
        assert_eq!(past.snapshot.alarms.len(), 1);
        assert!(past.snapshot.alarms[0].at_least, "the store knows it, too");
    }
    // One that is lost while somebody watches is lost then; a few values that are refused are no unit.
    let mut world = World::started();
    watched(&mut world, -130, -122);
    world.fail_unit("HB03", "172", Fault::Refused(0x0B));
    let alarms = watched(&mut world, -120, -100);
    assert_eq!((alarms[0].priority, alarms[0].at_least), (Priority::One, false));
}

#[test]
fn a_gateway_that_hangs_is_one_alarm_and_what_stands_behind_it_is_old() {
    let folder = tempdir().unwrap();
    let mut world = World::started();
    let mut writer = Writer::open(folder.path(), &world.province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(-720_000));
    assert!(watched(&mut world, -330, -322).is_empty());
    world.hang("HB03", Some(-320_000));
    assert!(watched(&mut world, -320, -318).is_empty(), "a beat that comes late is no news");
    let alarms = watched(&mut world, -316, -60);
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let line = alarms[0].raised.cause.line;
    assert_eq!((line.reason, line.scope), (Reason::Old, Scope::Link));
    assert_eq!((alarms[0].priority, alarms[0].centres.len()), (Priority::One, 2));
    let snapshot = world.watched_at(-59_100);
    let station = world.province.station("HB03").unwrap();
    for centre in world.province.centre_ids() {
        let channel = snapshot.channel(station, centre);
        assert_eq!((channel.link.state, channel.counts.live.have), (LinkState::Connected, 0));
        let newest = channel.points.iter().filter_map(|point| point.at).max().unwrap();
        assert!(newest <= NOW.plus(-319_000), "no value is newer than the last beat: {newest:?}");
    }
    // The store tells the same, and every face names the gateway.
    world.keep((&mut batcher, &mut writer), -59_000);
    writer.close().unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let past = gridwatch::history::past(&reader, None).unwrap().unwrap();
    for snapshot in [&past.snapshot, &*snapshot] {
        let page = gridwatch::terminal::Page::Why(station);
        let said = gridwatch::terminal::page(snapshot, page, (config::Lang::En, false), 140);
        assert!(said.contains("repeats what it had: heartbeat stands still"), "{said}");
        let json: serde_json::Value =
            serde_json::from_str(&gridwatch::json::snapshot(snapshot)).unwrap();
        let of_station = json["stations"].as_array().unwrap().iter().find(|s| s["id"] == "HB03");
        assert_eq!(of_station.unwrap()["centres"][0]["hung"], true);
    }
    world.hang("HB03", None);
    let alarms = watched(&mut world, -58, -40);
    assert_eq!(states(&alarms), [Some(AlarmState::Returned)]);
}

#[test]
fn a_heartbeat_that_stands_while_others_move_is_frozen_and_takes_nothing_with_it() {
    let mut world = World::started();
    assert!(watched(&mut world, -130, -122).is_empty());
    world.set("HB03.0.STN.STN.HB", Some(4_711.0));
    let alarms = watched(&mut world, -120, -60);
    let found: Vec<_> = alarms.iter().map(|a| (a.raised.cause.line.reason, a.signals)).collect();
    assert_eq!(found, [(Reason::Frozen, 1)]);
    for second in (-58..-40).step_by(2) {
        world.set("HB03.0.STN.STN.HB", Some(f64::from(second + 5_000)));
        watched(&mut world, second.into(), second.into());
    }
    assert_eq!(states(&world.alarms.listed()), [Some(AlarmState::Returned)], "it beats");
}

#[test]
fn signals_of_one_cause_lack_since_the_first_moment_to_the_last() {
    let mut world = World::started();
    watched(&mut world, -130, -122);
    for (id, from) in [("HB05.110.171.CB.POS", -120), ("HB05.110.171.DS1.POS", -60)] {
        world.flag(id, Flags::INVALID);
        watched(&mut world, from, from + 18);
    }
    let snapshot = world.watched_at(-40_000);
    let station = snapshot.province.station("HB05").unwrap();
    let lines = gridwatch::historian::issues::live(&snapshot, station);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let span = line.last_since.instant().unwrap().since(line.since.instant().unwrap());
    assert!((59_000..=61_000).contains(&span), "{span}");
    let page = gridwatch::terminal::Page::Why(station);
    let text = gridwatch::terminal::page(&snapshot, page, (config::Lang::En, false), 140);
    for (since, dash) in [(line.since, ""), (line.last_since, "–")] {
        let local = since.instant().unwrap().local(Zone::hours(7));
        let said = format!("{dash}{:02}:{:02}:{:02}", local.hour, local.minute, local.second);
        assert!(text.contains(&said), "{said} is missing in\n{text}");
    }
}
