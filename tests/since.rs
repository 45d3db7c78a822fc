//! Since when something is so: the same from every face, and *at least since* wherever it is not known exactly.

use std::fs;
use std::sync::Arc;

use config::{Date, Flags, Lang, Zone};
use gridwatch::check::{Thresholds, check, report};
use gridwatch::clock::Timestamp;
use gridwatch::collector::poll::Fault;
use gridwatch::historian::issues;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::store::{Batcher, Writer};
use gridwatch::terminal::ratatui::buffer::Buffer;
use gridwatch::terminal::ratatui::layout::Rect;
use gridwatch::terminal::{self, Options, Page, Ui};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::cli::{gridwatch, stderr, stdout};
use crate::field::small;
use crate::fixture::{NOW, World};

/// Something that goes wrong at S1, and what is said of it.
struct Case {
    what: &'static str,
    reason: Reason,
    begin: fn(&mut World, i64),
}

const CENTRES: [&str; 2] = ["CC", "A1"];

const CASES: [Case; 4] = [
    Case {
        what: "the path",
        reason: Reason::NoLink,
        begin: |world, ms| world.lose(&["S1"], &CENTRES, ms),
    },
    Case {
        what: "a unit",
        reason: Reason::NoReply,
        begin: |world, _| world.fail_unit("S1", "171", Fault::NoReply),
    },
    Case {
        what: "a value",
        reason: Reason::Flagged,
        begin: |world, _| world.flag("S1.110.171.P", Flags::INVALID),
    },
    Case {
        what: "a position",
        reason: Reason::Intermediate,
        begin: |world, _| world.set("S1.110.171.CB.POS", Some(0.0)),
    },
];

/// When it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before anybody watches.
    Before,
    /// While somebody does.
    Watched,
    /// While the path is lost, and so it is found when that is up again.
    Hidden,
}

/// The first scan and the last one, seconds from now; and from when on something is wrong that is seen.
const FROM: i64 = -718;
const BEGINS: i64 = -660;
const TO: i64 = -610;

/// What a monitor shows in the end, and the store that it kept.
fn watched(case: &Case, when: When) -> (Arc<Snapshot>, TempDir) {
    let folder = tempdir().unwrap();
    let mut world = World::of(small());
    let mut writer = Writer::open(folder.path(), &world.province).unwrap();
    let mut batcher = Batcher::new(NOW.plus(-720_000));
    world.connect_all(-719_000);
    if when == When::Before {
        (case.begin)(&mut world, -718_500);
    }
    for second in (FROM..=TO).step_by(2) {
        let ms = second * 1_000;
        if second == BEGINS {
            match when {
                When::Before => {}
                When::Watched => (case.begin)(&mut world, ms),
                When::Hidden => world.lose(&["S1"], &CENTRES, ms),
            }
        }
        if when == When::Hidden && second == BEGINS + 10 {
            (case.begin)(&mut world, ms);
            for centre in CENTRES {
                world.connect("S1", centre, ms);
            }
        }
        world.scan(ms);
        world.keep_once_known((&mut batcher, &mut writer), ms + 1_200);
        world.watched_at(ms + 1_300);
    }
    let snapshot = world.watched_at(TO * 1_000 + 1_400);
    writer.close().unwrap();
    (snapshot, folder)
}

/// What a screen of this size says.
fn screen(snapshot: &Arc<Snapshot>) -> String {
    let simulate = "gridwatch simulate".to_owned();
    let options = Options { lang: Lang::En, color: false, ascii: false, simulate };
    let mut ui = Ui::new(options, Arc::clone(snapshot));
    let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 30));
    ui.draw(&mut buffer);
    let line = |y| (0..200).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..30).map(line).collect::<Vec<_>>().join("\n")
}

/// The entry of JSON that says since when points of S1 are so, and the one of the alarm.
fn json_of(text: &str, reason: Reason) -> (Value, Value) {
    let json: Value = serde_json::from_str(text).unwrap();
    let station = json["stations"].as_array().unwrap().iter().find(|own| own["id"] == "S1");
    let reasons = station.unwrap()["centres"][0]["reasons"].as_array().unwrap();
    let own = reasons.iter().find(|own| own["reason"] == reason.word()).unwrap();
    let alarms = json["alarms"].as_array().unwrap().iter();
    let alarm =
        alarms.filter(|own| own["station"] == "S1").find(|own| own["reason"] == reason.word());
    (own.clone(), alarm.unwrap().clone())
}

#[test]
fn every_face_says_at_least_where_it_is_not_known_exactly_and_nowhere_else() {
    for case in &CASES {
        for when in [When::Before, When::Watched, When::Hidden] {
            if case.reason != Reason::NoLink || when != When::Hidden {
                tell(case, when);
            }
        }
    }
}

fn tell(case: &Case, when: When) {
    let (snapshot, folder) = watched(case, when);
    let place = format!("{}, {when:?}", case.what);
    let station = snapshot.province.station("S1").unwrap();
    let line = issues::live(&snapshot, station).into_iter().find(|own| own.reason() == case.reason);
    let line = line.unwrap_or_else(|| panic!("{place}: nothing is wrong"));
    let at_least = when != When::Watched;
    let at = line.since.instant().unwrap();
    let expected = if at_least { Since::AtLeast(at) } else { Since::At(at) };
    // Values of a unit become old scan class by scan class: of the first of them it is known or not.
    assert_eq!(line.since, expected, "{place}");
    let first = NOW.plus(1_000 * if when == When::Before { -719 } else { BEGINS });
    assert!((0..20_000).contains(&at.since(first)), "{place}: {at} after {first}");

    let local = at.local(Zone::hours(7));
    let time = format!("{:02}:{:02}:{:02}", local.hour, local.minute, local.second);
    let told = format!("{}{time}", if at_least { "≤" } else { "" });
    let said = format!("{}since {time}", if at_least { "at least " } else { "" });
    let store = folder.path().to_str().unwrap();
    let run = |args: &[&str]| {
        let output = gridwatch(&[args, &["--lang", "en", "--store", store]].concat());
        assert_eq!(output.status.code(), Some(0), "{place}: {args:?}: {}", stderr(&output));
        stdout(&output)
    };
    let page = |page| terminal::page(&snapshot, page, (Lang::En, false), 140);
    let all = Thresholds { connected: Some(100.0), live: Some(100.0), ..Thresholds::default() };
    let checked = report(&snapshot, &check(&snapshot, &all), Lang::En).join("\n");
    let texts = [
        ("screen", screen(&snapshot), format!("since {told}")),
        ("why", page(Page::Why(station)), told.clone()),
        ("alarms", page(Page::Alarms(None)), told.clone()),
        ("check", checked, said),
        ("show", run(&["show"]), format!("(since {told})")),
        ("show why", run(&["show", "why", "S1", "--width", "140"]), told.clone()),
        ("show why, narrow", run(&["show", "why", "S1", "--width", "70"]), told.clone()),
        ("show signals", run(&["show", "signals", "S1"]), told.clone()),
        ("show alarms", run(&["show", "alarms"]), told),
    ];
    for (face, text, expected) in texts {
        assert!(text.contains(&expected), "{place}: {face} does not say {expected}:\n{text}");
        let other = format!("≤{time}");
        assert!(at_least || !text.contains(&other), "{place}: {face} says {other}:\n{text}");
    }
    for text in [gridwatch::json::snapshot(&snapshot), run(&["show", "--json"])] {
        let (reason, alarm) = json_of(&text, case.reason);
        for own in [&reason, &reason["details"][0]] {
            let told = (own["since"].as_str().unwrap(), own["since_at_least"].as_bool());
            assert_eq!(told, (&at.to_string()[..], Some(at_least)), "{place}: {own}");
        }
        let told = (alarm["raised"].as_str().unwrap(), alarm["raised_at_least"].as_bool());
        assert_eq!(told, (&at.to_string()[..], Some(at_least)), "{place}: {alarm}");
    }
    reported(&place, (store, case.reason), (at, at_least));
}

/// The same in what is filed, in each format.
fn reported(place: &str, (store, reason): (&str, Reason), (at, at_least): (Timestamp, bool)) {
    let out = tempdir().unwrap();
    let local = at.local(Zone::hours(7));
    for end in ["json", "csv", "html"] {
        let to = out.path().join(format!("r.{end}"));
        let days = ["--from", "2022-11-23", "--to", "2022-11-23"];
        let args = ["report", "--store", store, "--lang", "en", "--out", to.to_str().unwrap()];
        let output = gridwatch(&[&args[..], &days].concat());
        assert_eq!(output.status.code(), Some(0), "{place}: {}", stderr(&output));
    }
    let json: Value =
        serde_json::from_slice(&fs::read(out.path().join("r.json")).unwrap()).unwrap();
    let rows = json["sheets"]["missing"]["tables"]["not_live"]["rows"].as_array().unwrap();
    let is_own = |row: &&Value| {
        row["reason"]["text"] == reason.text(Lang::En) && row["station"].to_string().contains("S1")
    };
    let own: Vec<&Value> = rows.iter().filter(is_own).collect();
    let moment = format!("{}T{}", local.date, &local.to_millisecond()[11..]);
    let is_first = |row: &&Value| row["since"].as_str().is_some_and(|own| own.starts_with(&moment));
    let first: Vec<&&Value> = own.iter().filter(|row| is_first(row)).collect();
    assert!(!first.is_empty(), "{place}: no {moment} in {rows:?}");
    assert!(first.iter().all(|row| row["since_at_least"] == at_least), "{place}: {first:?}");
    let html = fs::read_to_string(out.path().join("r.html")).unwrap();
    let cell = format!(">{}{local}<", if at_least { "≤" } else { "" });
    assert!(html.contains(&cell), "{place}: {cell}");
    let named = |name: &str| name.ends_with("not_live.csv");
    let mut files = fs::read_dir(out.path()).unwrap().map(|own| own.unwrap().path());
    let path = files.find(|path| named(path.to_str().unwrap())).unwrap();
    let mut csv = csv::Reader::from_path(path).unwrap();
    let heads = csv.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let (since, is_at_least) = (column("since"), column("since_at_least"));
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let time = &local.to_millisecond()[11..];
    let own = rows.iter().filter(|row| row[since].contains(time));
    let told: Vec<&str> = own.map(|row| &row[is_at_least]).collect();
    assert!(
        !told.is_empty() && told.iter().all(|own| *own == at_least.to_string()),
        "{place}: {rows:?}"
    );
}

#[test]
fn the_first_of_several_is_at_least_since_then_and_the_last_is_known_where_it_is() {
    let [five, seven] = [5, 7].map(Timestamp);
    let (at, least) = (Since::At, Since::AtLeast);
    let day = Since::Day(Date { year: 2022, month: 11, day: 2 });
    for (one, other, earlier, later) in [
        (at(five), at(seven), at(five), at(seven)),
        (at(five), least(seven), least(five), least(seven)),
        (least(five), at(seven), least(five), at(seven)),
        (least(five), least(seven), least(five), least(seven)),
        (at(five), least(five), least(five), at(five)),
        (Since::Always, least(seven), Since::Always, least(seven)),
        (Since::Always, day, Since::Always, day),
        (day, least(seven), day, least(seven)),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            assert_eq!(
                (one.earlier(other), one.later(other)),
                (earlier, later),
                "{one:?} {other:?}"
            );
        }
    }
}
