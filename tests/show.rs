//! History as a snapshot: what was shown at a moment is shown again, and a restart of the monitor is no news.

use std::io;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::{layouts, plans};
use gridwatch::historian::Historian;
use gridwatch::historian::alarms::{AlarmState, Raised};
use gridwatch::historian::snapshot::{LinkState, Snapshot};
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::history::{Span, past};
use gridwatch::recording::{Recording, Sink};
use gridwatch::series::Buffer;
use gridwatch::signal::update::Update;
use gridwatch::store::{Batch, Reader, Recorder, Writer};
use sim::{Plans, Scenario};
use tempfile::tempdir;

use crate::cli::{gridwatch, stderr, stdout};

fn province() -> Arc<Province> {
    Arc::new(Province::load(Path::new("config/small.toml")).unwrap())
}

/// Keeps history as a monitor does, and each snapshot that was shown.
struct Shown {
    writer: Option<Writer>,
    recorder: Recorder,
    snapshots: Vec<Snapshot>,
}

impl Sink for Shown {
    fn accept(&mut self, update: &Update) -> io::Result<()> {
        self.recorder.accept(update);
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        last: bool,
    ) -> io::Result<()> {
        if let Some(batch) = self.recorder.look(historian, snapshot, (20_000, last)) {
            self.writer.as_mut().unwrap().commit(&batch).unwrap();
        }
        snapshot.alarms = self.recorder.listed();
        self.snapshots.push(snapshot.clone());
        Ok(())
    }
}

const FAULTS: &str = "
[[fault]]
kind = \"T07\"
target = \"S1.110.171\"
at = \"60s\"
for = \"300s\"
[[fault]]
kind = \"T01\"
target = \"S2\"
at = \"120s\"
for = \"200s\"
[[fault]]
kind = \"T11\"
target = \"S1.22.471.P\"
at = \"100s\"
for = \"200s\"
factor = 1000
";

fn at_of(since: Since) -> Option<Timestamp> {
    match since {
        Since::At(at) | Since::AtLeast(at) => Some(at),
        Since::Always | Since::Day(_) => None,
    }
}

fn states(snapshot: &Snapshot) -> Vec<(Raised, Option<AlarmState>)> {
    snapshot.alarms.iter().map(|alarm| (alarm.raised, alarm.state())).collect()
}

#[test]
fn a_moment_of_history_is_the_snapshot_that_was_shown() {
    let folder = tempdir().unwrap();
    let province = province();
    let scenario = Scenario::parse(&province, "scenario.toml", FAULTS).unwrap();
    let to_come = Plans { scenario: Some(scenario), ..Plans::default() };
    let begins = Timestamp(1_669_000_000_000);
    let mut shown = Shown {
        writer: Some(Writer::open(folder.path(), &province).unwrap()),
        recorder: Recorder::new(
            begins,
            Buffer::new(&province, &layouts(&plans(&province)), 1 << 20),
        ),
        snapshots: Vec::new(),
    };
    let mut recording = Recording::start(&province, to_come, (begins, begins.plus(420_000)));
    while recording.step(&mut shown).unwrap() {}
    recording.end(&mut shown).unwrap();
    shown.writer.take().unwrap().close().unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let sessions = reader.sessions().unwrap();
    let mut reasons = Vec::new();
    let (mut alarms, mut values) = (0, 0);
    // A second of its own between them, so that it is not always the same part of a minute.
    let watched = shown.snapshots.iter().filter(|snapshot| snapshot.at >= sessions[0].from);
    // In the first second nobody knew yet that the gateways beat, which history knows.
    let is_open =
        |snapshot: &&Snapshot| snapshot.channels.iter().any(|channel| channel.counts.undecided > 0);
    let watched: Vec<&Snapshot> = watched.skip_while(is_open).collect();
    assert!(watched[0].at.since(sessions[0].from) <= 3_000);
    for (nth, seen) in watched.iter().enumerate().step_by(7) {
        let kept = past(&reader, Some(seen.at)).unwrap().expect("somebody watched").snapshot;
        assert_eq!((kept.at, kept.figures, &kept.centres), (seen.at, seen.figures, &seen.centres));
        assert_eq!(kept.sites, seen.sites);
        // An alarm is listed, or has returned, some seconds after it is known to have been.
        let around = watched[nth.saturating_sub(40)..watched.len().min(nth + 40)].iter();
        if around.into_iter().all(|other| states(other) == states(seen)) {
            assert_eq!(kept.alarms, seen.alarms, "{}", seen.at);
            alarms = alarms.max(kept.alarms.len());
        }
        for (kept, seen) in kept.channels.iter().zip(&seen.channels) {
            assert_eq!(
                (kept.link.state, kept.full, kept.right),
                (seen.link.state, seen.full, seen.right)
            );
            assert_eq!(kept.counts, seen.counts);
            for (n, (kept, seen)) in kept.points.iter().zip(&seen.points).enumerate() {
                assert_eq!((kept.verdict, kept.not_live), (seen.verdict, seen.not_live), "{n}");
                assert_eq!((kept.evaluable, kept.finding), (seen.evaluable, seen.finding), "{n}");
                assert_eq!((kept.value, kept.at), (seen.value, seen.at), "{n}");
                values += usize::from(kept.value.is_some());
                if seen.verdict.is_some() {
                    let since =
                        [(kept.since, seen.since), (kept.not_live_since, seen.not_live_since)];
                    assert!(since.iter().all(|(kept, seen)| kept == seen), "{n}: {since:?}");
                }
                reasons.extend(kept.verdict.filter(|reason| !reasons.contains(reason)));
            }
        }
    }
    for reason in [Reason::NoLink, Reason::Refused, Reason::Flagged] {
        assert!(reasons.contains(&reason), "{reason:?} was among it: {reasons:?}");
    }
    assert!(alarms > 0 && values > 10_000, "{alarms} {values}");
    assert!(past(&reader, Some(begins)).unwrap().is_none(), "nothing was known yet");
    assert!(past(&reader, Some(sessions[0].until.plus(1))).unwrap().is_none());
    assert_eq!(past(&reader, None).unwrap().unwrap().snapshot.at, sessions[0].until);
}

const HOUR: i64 = 3_600_000;

fn bits(verdict: Option<Reason>) -> VerdictState {
    let bits = verdict.map_or(0, |reason| (reason as u16 + 1) * 0x11);
    VerdictState::from_bits(bits).unwrap()
}

/// One session: how the points stand from each hour on, all of them but the first two alike, and whether the
/// paths are up.
fn session(
    folder: &Path,
    province: &Arc<Province>,
    hours: &[(i64, [Option<Reason>; 2], LinkState)],
) {
    let mut writer = Writer::open(folder, province).unwrap();
    for (nth, (hour, verdicts, link)) in hours.iter().enumerate() {
        let at = Timestamp(hour * HOUR);
        let judgement = |n: usize| {
            let points = province.stations[province.channels[n].station.index()].points.len();
            let run = |first: u32, count: u32, verdict| Run { first, count, state: bits(verdict) };
            let rest = run(2, u32::try_from(points).unwrap() - 2, None);
            let runs = vec![run(0, 1, verdicts[0]), run(1, 1, verdicts[1]), rest];
            Judgement { channel: ChannelId::at(n), at, link: *link, whole: nth == 0, runs }
        };
        let judgements = (0..province.channels.len()).map(judgement).collect();
        writer.commit(&Batch { judgements, ..Batch::empty(nth == 0, at) }).unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn what_stood_so_before_a_restart_is_told_since_then_and_that_nobody_watched_in_between() {
    use LinkState::{Connected, Lost};
    let folder = tempdir().unwrap();
    let (province, old, flagged) = (province(), Some(Reason::Old), Some(Reason::Flagged));
    // Of a day on which all that the contract says holds.
    let later = 19_300 * 24;
    let kept = |hours: &[(i64, [Option<Reason>; 2], LinkState)]| {
        let hours: Vec<_> = hours.iter().map(|(hour, v, link)| (later + hour, *v, *link)).collect();
        session(folder.path(), &province, &hours);
    };
    kept(&[(1, [None, None], Connected), (2, [old, flagged], Lost), (3, [old, flagged], Lost)]);
    kept(&[(5, [old, old], Lost), (6, [old, old], Lost)]);
    kept(&[(8, [old, old], Lost), (9, [old, None], Connected), (10, [old, old], Lost)]);
    let reader = Reader::open(folder.path()).unwrap();
    let hour = |hour: i64| Timestamp((later + hour) * HOUR);
    let seen = |at: i64| {
        let past = past(&reader, Some(hour(at))).unwrap().unwrap();
        let channel = &past.snapshot.channels[0];
        let since = [0, 1].map(|n| at_of(channel.points[n].since).unwrap().0 / HOUR - later);
        let live =
            [0, 1].map(|n| at_of(channel.points[n].not_live_since).unwrap().0 / HOUR - later);
        assert_eq!(since, live);
        (since, channel.link.since.0 / HOUR - later, past.unwatched)
    };
    let gaps = [Span::new(hour(6), hour(8)), Span::new(hour(3), hour(5))];
    assert_eq!(seen(3), ([2, 2], 2, vec![]));
    // The second point was flagged before, and is old now: that began when somebody watched again.
    assert_eq!(seen(6), ([2, 5], 2, gaps[1..].to_vec()));
    assert_eq!(seen(8), ([2, 5], 2, gaps.to_vec()));
    assert_eq!(seen(10), ([2, 10], 10, gaps.to_vec()));
    assert!(past(&reader, Some(hour(4))).unwrap().is_none(), "nobody watched");
}

#[test]
fn history_is_shown_from_the_command_line() {
    let folder = tempdir().unwrap();
    let province = province();
    let hours = [
        (1, [None, None], LinkState::Connected),
        (2, [Some(Reason::Old), None], LinkState::Connected),
    ];
    session(folder.path(), &province, &hours);
    let store = folder.path().to_str().unwrap();
    let show = |args: &[&str]| {
        let all = [&["show", "--lang", "en"][..], args, &["--store", store]].concat();
        let output = gridwatch(&all);
        (output.status.code(), stdout(&output), stderr(&output))
    };
    // 08:00 and 09:00 of the first of January 1970 in Vietnam.
    let (code, out, _) = show(&["--at", "1970-01-01 08:30"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("1970-01-01 08:30:00") && !out.contains("H old"), "{out}");
    let (code, out, _) = show(&["signals"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("H old") && out.contains("09:00:00"), "{out}");
    assert!(out.contains("Nobody watches any more: it ended at 1970-01-01 09:00:00"), "{out}");
    for screen in ["overview", "stations", "metering", "alarms", "signals"] {
        let (code, out, err) = show(&[screen, "--width", "80"]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{screen}");
        assert!(out.contains("1970-01-01 09:00:00") && out.lines().count() > 5, "{out}");
        assert!(out.lines().all(|line| !line.contains('▸') && line == line.trim_end()), "{out}");
        assert!(!out.contains("Tab"), "a text has no keys: {out}");
    }
    // What the figures say is as long as it is; why stations fall short keeps to the width, as it does by itself.
    for width in ["60", "80", "120"] {
        let (_, overview, _) = show(&["overview", "--width", width]);
        let (_, why, _) = show(&["why", "S1", "--width", width]);
        let (why, _) = why.split_once("\nFrom the history").unwrap();
        assert!(why.lines().count() > 2 && overview.contains(why.trim_end()), "{overview}\n{why}");
    }
    let (code, out, _) = show(&["why", "S1"]);
    assert!(code == Some(0) && out.contains("S1"), "{out}");
    let (code, out, _) = show(&["--json", "--at", "09:00"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, json["schema"].as_i64()), (Some(0), Some(2)));
    // What nobody looked at is no zero.
    for nothing in [&json["polling"], &json["stations"][0]["centres"][0]["traffic"]] {
        assert!(nothing.is_null(), "{nothing}");
    }
    assert!(json["metering"]["stations"].is_null() && json["centres"][0]["events"].is_null());
    assert!(json["figures"]["remote_metering"].is_null(), "no meter was ever counted");
    for (args, says) in [
        (&["why"][..], "say which station"),
        (&["why", "S9"], "station 'S9' is not in the configuration"),
        (&["stations", "S1"], "leave the station away"),
        (&["stations", "--all"], "--all is for"),
        (&["--at", "tomorrow"], "is no time"),
    ] {
        let (code, _, err) = show(args);
        assert!(code == Some(2) && err.contains(says), "{args:?}: {err}");
    }
    for at in ["1970-01-01 09:00", "01/01/1970 09:00"] {
        assert_eq!(show(&["--at", at]).0, Some(0), "as screens of either language have it");
    }
    let (code, _, err) = show(&["--at", "1970-01-02 08:00"]);
    let says = "nobody watched at 1970-01-02 08:00:00; somebody did until 1970-01-01 09:00:00";
    assert!(code == Some(3) && err.contains(says), "{err}");
    let output = gridwatch(&["show", "--store", "/nowhere"]);
    assert!(
        output.status.code() == Some(2) && stderr(&output).contains("no store in"),
        "{}",
        stderr(&output)
    );
}
