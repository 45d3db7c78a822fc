//! Whether a station is operated without staff is observed, not declared: one signal of priority A decides.

use config::{Flags, PointId};
use gridwatch::check::{Grade, Thresholds, check, report};
use gridwatch::historian::counts::Share;
use gridwatch::historian::picture::Picture;
use gridwatch::historian::unmanned::lost;
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::json;

use crate::fixture::{NOW, World};

fn operated(picture: &Picture) -> Share {
    picture.figures.unmanned
}

fn lost_at(picture: &Picture, station: &str) -> Vec<(String, Reason, Since)> {
    let id = picture.province.station(station).unwrap();
    let name =
        |point: PointId| picture.province.stations[id.index()].points[point.index()].id.clone();
    lost(picture, id).into_iter().map(|lost| (name(lost.point), lost.reason, lost.since)).collect()
}

#[test]
fn the_undisturbed_province_is_operated_as_it_is_declared() {
    let picture = World::running().picture_at(0);
    assert_eq!(operated(&picture), Share::new(10, 10));
    assert_eq!(picture.figures.unmanned_declared, Share::new(10, 10));
    // What HB07 lacks are measurements and trip-circuit supervisions; what it has not tested is live.
    assert_eq!(lost_at(&picture, "HB07"), []);
    for station in picture.stations() {
        assert_eq!(station.unmanned.signals.lacking(), 0);
        assert!(station.unmanned.signals.want > 100, "{:?}", station.unmanned.signals);
    }
}

#[test]
fn nothing_is_known_as_long_as_nobody_has_ever_answered() {
    let mut world = World::new();
    world.refuse_all(1_000);
    // What could not be asked was tried: who watches begins.
    let silent = world.picture_at(60_000);
    assert_eq!(silent.figures.unmanned_declared, Share::new(10, 10));
    assert!(silent.stations().iter().all(|station| station.unmanned.is_operated().is_none()));
    let thresholds = Thresholds { unmanned: Some(100.0), ..Thresholds::default() };
    assert_eq!(check(&silent, &thresholds).grade(), Grade::NoData);

    // One station that answers shows that the others could be heard.
    let mut world = World::running();
    world.lose_all(1_000);
    let lost = world.picture_at(60_000);
    assert!(lost.stations().iter().all(|station| station.unmanned.is_operated() == Some(false)));
}

#[test]
fn one_lost_signal_takes_the_station_and_is_named_whatever_the_average_says() {
    let mut world = World::running();
    let before = world.picture_at(0);
    world.flag("HB01.110.131.F96.ALM", Flags::INVALID);
    world.scan(1_000);
    let picture = world.picture_at(3_000);
    assert_eq!(operated(&picture), Share::new(9, 10));
    assert_eq!(picture.figures.unmanned_declared, Share::new(10, 10));
    let since = Since::At(NOW.plus(2_000));
    let lost = lost_at(&picture, "HB01");
    assert_eq!(lost, [("HB01.110.131.F96.ALM".to_owned(), Reason::Flagged, since)]);
    let live = |picture: &Picture| picture.centres[0].counts.live;
    assert_eq!(live(&picture).have + 1, live(&before).have, "99.98 % are live");
    let thresholds = Thresholds { unmanned: Some(100.0), ..Thresholds::default() };
    assert!(thresholds.needs_stations());
    let outcome = check(&picture, &thresholds);
    assert_eq!(outcome.grade(), Grade::Missed);
    let said = report(&picture, &outcome, config::Lang::En).join("\n");
    for word in ["9/10", "HB01", "131 F96.ALM", "since 14:32:09", "priority A"] {
        assert!(said.contains(word), "{word} in {said}");
    }
    assert!(!said.contains("HB07"), "nobody else: {said}");
    let json: serde_json::Value = serde_json::from_str(&json::picture(&picture)).unwrap();
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
    assert_eq!(operated(&world.picture_at(3_000)), Share::new(10, 10));
    world.scan(3_500);
    world.lose(&["HB02"], &["A1"], 4_000);
    assert_eq!(operated(&world.picture_at(4_500)), Share::new(10, 10), "A1 does not operate it");
    world.lose(&["HB02"], &["CC"], 5_000);
    let picture = world.picture_at(5_500);
    assert_eq!(operated(&picture), Share::new(9, 10));
    assert!(lost_at(&picture, "HB02").len() > 100);
}

#[test]
fn before_anybody_has_answered_nothing_is_said() {
    let mut world = World::new();
    let picture = world.picture_at(0);
    assert_eq!(operated(&picture).have, 0);
    assert!(picture.stations().iter().all(|station| station.unmanned.is_operated().is_none()));
    let all = Thresholds::targets(&picture.province.targets);
    let outcome = check(&picture, &all);
    assert_eq!(outcome.grade(), Grade::NoData, "although full is missed, too");
    assert!(outcome.results.iter().any(|result| result.grade == Grade::Missed));
}
