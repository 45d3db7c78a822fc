//! Ends without a word: what a monitor has called durable is there when it was killed, whenever that was; and what
//! is half written is nothing.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use config::{Province, Zone};
use gridwatch::history::{Span, Window, channel_history};
use gridwatch::store::{End, Reader, Writer, upkeep};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::cli::free_ports;
use crate::inject::{Simulator, file};
use crate::untrusted;

const CONFIG: &str = "config/small.toml";

/// Faults that come and go every other second, so that there is always something to keep.
fn restless() -> String {
    let mut text = "about = \"Always something\"\n".to_owned();
    for n in 0..1_000 {
        let (kind, target) =
            [("T07", "S1.110.171"), ("T08", "S2"), ("T05", "S3"), ("T01", "S1")][n % 4];
        let at = 1 + n * 2;
        writeln!(
            text,
            "[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\nat = \"{at}s\"\nfor = \"3s\"\n"
        )
        .unwrap();
    }
    text
}

/// What the kills came to.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    kills: usize,
    judgements: usize,
    /// Records of events.
    events: usize,
    /// Sessions that were found to have ended without a word.
    broken: usize,
    /// Durable but not yet told when it was killed.
    ahead: usize,
}

/// Runs a monitor until it has called something durable, and kills it at a moment after that.
/// Returns what it had called durable, as it wrote it.
#[expect(
    clippy::disallowed_methods,
    reason = "it is killed at any moment, so nothing is waited for"
)]
fn killed(base: &str, store: &Path, lines: usize, then: Duration) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gridwatch"))
        .args(["monitor", CONFIG, "--port-base", base, "--headless", "--tell", "0.1", "--store"])
        .arg(store)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it says what is durable");
    }
    std::thread::sleep(then);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said by then counts, too.
    let rest = output.lines().map_while(Result::ok).filter(|said| said.ends_with("connected"));
    let last = rest.last().unwrap_or(line);
    let until = last.strip_prefix("durable until ").and_then(|rest| rest.split(',').next());
    until.unwrap().to_owned()
}

/// An instant as the monitor says it: in local time of the province.
fn local(at: gridwatch::clock::Timestamp) -> String {
    at.local(Zone::hours(7)).to_millisecond()
}

/// Kills a monitor again and again, and looks at its store each time.
fn kill(times: usize, seed: u64) -> Seen {
    let (folder, scenario) = file("restless.toml", &restless());
    let base = (free_ports(12) + 1).to_string();
    let arguments = ["simulate", CONFIG, "--port-base", &base, "--scenario", &scenario];
    let _simulator = Simulator::start(&arguments);
    let store = folder.path().join("store");
    let province = Arc::new(Province::load(Path::new(CONFIG)).unwrap());
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut seen = Seen::default();
    for n in 0..times {
        let then = Duration::from_micros(chance.random_range(0..1_200_000));
        let durable = killed(&base, &store, 1 + n % 6, then);
        if n % 5 == 0 {
            // Whoever opens it next brings it in order; reading alone must be enough, too.
            drop(Writer::open(&store, &province).unwrap());
        }
        let reader = Reader::open(&store).unwrap();
        let sessions = reader.sessions().unwrap();
        assert_eq!(sessions.len(), n + 1, "each one is there");
        let last = sessions[n];
        assert!(local(last.until) >= durable, "{} {durable}", last.until.to_millisecond());
        seen.ahead += usize::from(local(last.until) > durable);
        for pair in sessions.windows(2) {
            assert!(pair[0].until < pair[1].from, "{pair:?} do not overlap");
            assert_eq!(pair[0].end, End::Broken);
        }
        let window = Window::new(Span::new(sessions[0].from, last.until), &[], &sessions);
        let watched: i64 = sessions.iter().map(|s| s.until.since(s.from)).sum();
        assert_eq!(window.observed_ms(), watched);
        for channel in &province.channels {
            let history =
                channel_history(&reader, &province, channel, &window, &window.eras[0]).unwrap();
            let times = history.times();
            let required = i64::try_from(channel.required()).unwrap();
            assert_eq!(times.required, window.span.length() * required);
            assert_eq!(
                times.required - times.unobserved,
                watched * required,
                "the gaps are marked"
            );
            let bad: i64 = times.by_reason.iter().sum();
            assert_eq!(times.good + bad + times.unobserved, times.required);
        }
        seen.kills += 1;
        seen.broken = sessions.iter().filter(|session| session.end != End::Closed).count();
    }
    let reader = Reader::open(&store).unwrap();
    let sessions = reader.sessions().unwrap();
    let (from, to) = (sessions[0].from, sessions[sessions.len() - 1].until);
    for session in &sessions {
        for channel in &province.channels {
            let station = &province.stations[channel.station.index()].id;
            let centre = &province.centres[channel.centre.index()].id;
            let mut last = None;
            let path = (&station[..], &centre[..]);
            reader
                .judgements(path, session.id, (session.from, to.plus(1)), |judged| {
                    assert!(last.is_some() || judged.whole, "a session begins with everything");
                    assert!(last < Some(judged.at) && judged.at <= session.until);
                    last = Some(judged.at);
                    seen.judgements += 1;
                })
                .unwrap();
        }
    }
    reader.events((from, to), |_| seen.events += 1).unwrap();
    seen
}

#[test]
fn a_killed_monitor_has_lost_nothing_that_it_called_durable() {
    let seen = kill(4, 1);
    println!("{seen:?}");
    assert!(seen.judgements > 0);
}

#[test]
#[ignore = "a hundred kills take some minutes"]
fn a_hundred_kills_lose_nothing_that_was_called_durable() {
    let seen = kill(100, 2);
    println!("{seen:?}");
    assert_eq!(seen.kills, 100);
    assert!(seen.judgements > 700 && seen.ahead > 0, "{seen:?}");
}

/// Names in a folder, in order.
#[cfg(unix)]
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A report of many files, the last of which is a pipe, so that it stands still in the midst of them.
#[cfg(unix)]
fn report_of(store: &Path, out: &Path) -> Command {
    let mut report = Command::new(env!("CARGO_BIN_EXE_gridwatch"));
    report.args(["report", "--from", "2022-11-01", "--lang", "en", "--store"]).arg(store);
    report.arg("--out").arg(out.join("r.csv")).stdout(Stdio::null()).stderr(Stdio::piped());
    report
}

#[cfg(unix)]
#[test]
fn a_report_that_is_killed_leaves_what_was_there_and_no_parts_for_long() {
    // Whoever is killed leaves files beside it.
    let store = untrusted::store();
    let signal = |name: &str, id: u32| {
        let killed = Command::new("kill").args(["-s", name, &id.to_string()]).status();
        assert!(killed.unwrap().success());
    };
    let out = tempfile::tempdir().unwrap();
    assert!(report_of(store.path(), out.path()).status().unwrap().success());
    let whole = names(out.path());
    let last = out.path().join("r-sessions.csv");
    let old = std::fs::read(out.path().join("r.csv")).unwrap();
    let parts = || {
        names(out.path())
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "part"))
            .count()
    };
    std::fs::remove_file(&last).unwrap();
    assert!(Command::new("mkfifo").arg(&last).status().unwrap().success());
    for name in ["TERM", "KILL"] {
        let mut report = report_of(store.path(), out.path()).spawn().unwrap();
        // All files but the pipe and what comes behind it.
        while parts() <= whole.len() / 2 {
            assert!(report.try_wait().unwrap().is_none(), "it waits for its pipe");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        signal(name, report.id());
        if name == "TERM" {
            let mut said = String::new();
            report.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            assert!(said.contains("nothing was written"), "{said}");
            assert_eq!(report.wait().unwrap().code(), Some(1));
            assert_eq!(parts(), 0);
        } else {
            assert_eq!(report.wait().unwrap().code(), None);
            assert!(parts() > 0, "it had no time to tidy up");
        }
        assert_eq!(std::fs::read(out.path().join("r.csv")).unwrap(), old, "{name}");
    }
    std::fs::remove_file(&last).unwrap();
    assert!(report_of(store.path(), out.path()).status().unwrap().success());
    assert_eq!(names(out.path()), whole, "the next one removes what was left");
}

/// The system kills whoever writes more to a file than it may.
#[cfg(target_os = "linux")]
#[test]
fn a_backup_that_is_killed_leaves_no_store_and_is_made_again() {
    let (store, to) = (untrusted::store(), tempfile::tempdir().unwrap());
    let backup = |limit: &str| {
        let script = format!("ulimit -c 0; ulimit -f {limit}; exec \"$0\" \"$@\"");
        Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_gridwatch"), "store", "backup"])
            .arg(to.path())
            .arg("--store")
            .arg(store.path())
            .output()
            .unwrap()
    };
    let killed = backup("200");
    assert_eq!(killed.status.code(), None, "it was killed: {killed:?}");
    assert!(!to.path().join("gridwatch.db").exists());
    assert!(names(to.path()).iter().any(|name| name.contains("part")), "in the midst of it");
    let again = backup("unlimited");
    assert!(again.status.success(), "{again:?}");
    assert_eq!(upkeep::check(to.path()).unwrap().faults, Vec::<String>::new());
    assert!(!names(to.path()).iter().any(|name| name.contains("part")));
}
