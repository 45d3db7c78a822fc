//! Whether a station is operated without staff is observed, not declared: one signal of priority A decides.

use config::{Flags, PointId};
use gridwatch::check::{Grade, Thresholds, check, report};
use gridwatch::historian::counts::Share;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::historian::unmanned::lost;
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::json;

use crate::fixture::{NOW, World};

fn operated(snapshot: &Snapshot) -> Share {
    snapshot.figures.unmanned
}

fn lost_at(snapshot: &Snapshot, station: &str) -> Vec<(String, Reason, Since)> {
    let id = snapshot.province.station(station).unwrap();
    let name =
        |point: PointId| snapshot.province.stations[id.index()].points[point.index()].id.clone();
    lost(snapshot, id).into_iter().map(|lost| (name(lost.point), lost.reason, lost.since)).collect()
}

#[test]
fn the_undisturbed_province_is_operated_as_it_is_declared() {
    let snapshot = World::running().snapshot_at(0);
    assert_eq!(operated(&snapshot), Share::new(10, 10));
    assert_eq!(snapshot.figures.unmanned_declared, Share::new(10, 10));
    // What HB07 lacks are measurements and trip-circuit supervisions; what it has not tested is live.
    assert_eq!(lost_at(&snapshot, "HB07"), []);
    for station in snapshot.stations() {
        assert_eq!(station.unmanned.signals.lacking(), 0);
        assert!(station.unmanned.signals.want > 100, "{:?}", station.unmanned.signals);
    }
}

#[test]
fn nothing_is_known_as_long_as_nobody_has_ever_answered() {
    let mut world = World::new();
    world.refuse_all(1_000);
    // What could not be asked was tried: who watches begins.
    let silent = world.snapshot_at(60_000);
    assert_eq!(silent.figures.unmanned_declared, Share::new(10, 10));
    assert!(silent.stations().iter().all(|station| station.unmanned.is_operated().is_none()));
    let thresholds = Thresholds { unmanned: Some(100.0), ..Thresholds::default() };
    assert_eq!(check(&silent, &thresholds).grade(), Grade::NoData);

    // One station that answers shows that the others could be heard.
    let mut world = World::running();
    world.lose_all(1_000);
    let lost = world.snapshot_at(60_000);
    assert!(lost.stations().iter().all(|station| station.unmanned.is_operated() == Some(false)));
}

#[test]
fn one_lost_signal_takes_the_station_and_is_named_whatever_the_average_says() {
    let mut world = World::running();
    let before = world.snapshot_at(0);
    world.flag("HB01.110.131.F96.ALM", Flags::INVALID);
    world.scan(1_000);
    let snapshot = world.snapshot_at(3_000);
    assert_eq!(operated(&snapshot), Share::new(9, 10));
    assert_eq!(snapshot.figures.unmanned_declared, Share::new(10, 10));
    let since = Since::At(NOW.plus(2_000));
    let lost = lost_at(&snapshot, "HB01");
    assert_eq!(lost, [("HB01.110.131.F96.ALM".to_owned(), Reason::Flagged, since)]);
    let live = |snapshot: &Snapshot| snapshot.centres[0].counts.live;
    assert_eq!(live(&snapshot).have + 1, live(&before).have, "99.98 % are live");
    let thresholds = Thresholds { unmanned: Some(100.0), ..Thresholds::default() };
    assert!(thresholds.needs_stations());
    let outcome = check(&snapshot, &thresholds);
    assert_eq!(outcome.grade(), Grade::Missed);
    let said = report(&snapshot, &outcome, config::Lang::En).join("\n");
    for word in ["9/10", "HB01", "131 F96.ALM", "since 14:32:09", "priority A"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert!(!said.contains("HB07"), "nobody else: {said}");
    let json: serde_json::Value = serde_json::from_str(&json::snapshot(&snapshot)).unwrap();
    let unmanned = &json["stations"][0]["unmanned"];
    assert_eq!((&unmanned["declared"], &unmanned["operated"]), (&true.into(), &false.into()));
    assert_eq!(unmanned["lost"][0]["point"], "HB01.110.131.F96.ALM");
    assert_eq!(json["figures"]["unmanned"]["have"], 9);
}

#[test]
fn what_is_not_priority_a_or_not_in_charge_takes_nothing() {
    let mut world = World::running();
    for id in ["HB01.110.131.TAP.POS", "HB01.110.171.F74.TC1", "HB01.0.STN.DC.U1"] {
        world.flag(id, Flags::INVALID);
    }
    world.scan(1_000);
    assert_eq!(operated(&world.snapshot_at(3_000)), Share::new(10, 10));
    world.scan(3_500);
    world.lose(&["HB02"], &["A1"], 4_000);
    assert_eq!(operated(&world.snapshot_at(4_500)), Share::new(10, 10), "A1 does not operate it");
    world.lose(&["HB02"], &["CC"], 5_000);
    let snapshot = world.snapshot_at(5_500);
    assert_eq!(operated(&snapshot), Share::new(9, 10));
    assert!(lost_at(&snapshot, "HB02").len() > 100);
}

#[test]
fn before_anybody_has_answered_nothing_is_said() {
    let mut world = World::new();
    let snapshot = world.snapshot_at(0);
    assert_eq!(operated(&snapshot).have, 0);
    assert!(snapshot.stations().iter().all(|station| station.unmanned.is_operated().is_none()));
    let all = Thresholds::targets(&snapshot.province.targets);
    let outcome = check(&snapshot, &all);
    assert_eq!(outcome.grade(), Grade::NoData, "although full is missed, too");
    assert!(outcome.results.iter().any(|result| result.grade == Grade::Missed));
}
