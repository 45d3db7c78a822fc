//! Recordings: the same updates whatever the machine does, and the verdicts of a monitor on a network.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Decoded, Province};
use gridwatch::clock::{Clock, Timestamp};
use gridwatch::historian::Historian;
use gridwatch::historian::counts::Counts;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::historian::verdict::Reason;
use gridwatch::monitor::Monitor;
use gridwatch::recording::{Recording, RecordingTally, Sink, stretched};
use gridwatch::signal::update::{Answer, LinkFault, Miss, MissKind, News, Update};
use gridwatch::store::{Reader, StoreError, Value, upkeep};
use sim::{Plans, Ports, Scenario, Simulation};

use crate::field::until;
use crate::keeping::keep;

/// 2022-11-01 00:00 in Hòa Bình.
const START: Timestamp = Timestamp(1_667_235_600_000);

fn small() -> Province {
    Province::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml")).unwrap()
}

fn plans(province: &Province, scenario: &str) -> Plans {
    let scenario = Some(Scenario::parse(province, "scenario", scenario).unwrap());
    Plans { scenario, ..Plans::default() }
}

/// Remembers a hash of all updates, and what is looked for in them.
#[derive(Default)]
struct Witness {
    hash: DefaultHasher,
    last: Timestamp,
    snapshot: Option<Snapshot>,
    seen: Vec<&'static str>,
    updates: u32,
    /// Milliseconds to sleep at each 97th update.
    pause_ms: u64,
}

impl Sink for Witness {
    fn accept(&mut self, update: &Update) -> io::Result<()> {
        assert!(update.at >= self.last, "updates come in the order of their time");
        self.last = update.at;
        format!("{update:?}").hash(&mut self.hash);
        self.updates += 1;
        if self.updates.is_multiple_of(97) && self.pause_ms > 0 {
            #[expect(clippy::disallowed_methods, reason = "a machine that is busy elsewhere")]
            std::thread::sleep(Duration::from_millis(self.pause_ms));
        }
        let seen = match &update.news {
            News::Lost(LinkFault::Refused) => "refused connections",
            News::Lost(LinkFault::Silent) => "silent stations",
            News::Lost(_) => "other losses",
            News::Renewed(_) => "renewed connections",
            News::Silent { .. } => "silent units",
            News::Strays(_) => "strays",
            News::Connected => "connections",
            News::Overrun(_) => "overruns",
            News::Answers(answers) => {
                let mut misses = answers.iter().filter_map(Answer::miss);
                match misses.next().map(Miss::kind) {
                    Some(MissKind::Refused) => "refused requests",
                    Some(MissKind::Malformed) => "undecodable replies",
                    Some(MissKind::NoReply) => "requests without a reply",
                    None => "replies",
                }
            }
        };
        if !self.seen.contains(&seen) {
            self.seen.push(seen);
        }
        Ok(())
    }

    fn judged(&mut self, _: &mut Historian, snapshot: &mut Snapshot, _: bool) -> io::Result<()> {
        self.snapshot = Some(snapshot.clone());
        Ok(())
    }
}

fn record(
    province: &Arc<Province>,
    scenario: &str,
    seconds: i64,
    pause_ms: u64,
) -> (Witness, RecordingTally) {
    let mut witness = Witness { pause_ms, ..Witness::default() };
    let window = (START, START.plus(1_000 * seconds));
    let mut recording = Recording::start(province, plans(province, scenario), window);
    while recording.step(&mut witness).unwrap() {}
    assert_eq!(recording.reached(), window.1);
    let (tally, _) = recording.end(&mut witness).unwrap();
    (witness, tally)
}

const STORMY: &str = "[rates]\nscale = 10000\n";

#[test]
fn a_recording_is_the_same_whatever_the_machine_does() {
    let province = Arc::new(stretched(small(), 10.0));
    let (one, tally) = record(&province, STORMY, 3_600, 0);
    let (other, other_tally) = record(&province, STORMY, 3_600, 3);
    assert_eq!(one.hash.finish(), other.hash.finish());
    assert_eq!(tally, other_tally);
    for what in ["refused connections", "refused requests", "silent units"] {
        assert!(one.seen.contains(&what), "an hour with many faults has {what}: {:?}", one.seen);
    }
    assert!(tally.samples > 100_000 && tally.losses > 0, "{tally:?}");
}

#[test]
fn every_fault_of_the_wire_comes_to_what_it_does_on_a_network() {
    let province = Arc::new(stretched(small(), 10.0));
    let station = &province.stations[0].id;
    let cases: [(&str, &str, &[&str]); 8] = [
        ("T01", "how = \"closed\"", &["refused connections"]),
        ("T01", "how = \"silent\"", &["silent stations", "requests without a reply"]),
        ("reset", "every = 5", &["renewed connections"]),
        ("late", "every = 5\nms = 1500", &["strays", "requests without a reply"]),
        ("garbage", "", &["renewed connections"]),
        ("truncated", "every = 5", &["undecodable replies"]),
        ("wrong-unit", "every = 5", &["undecodable replies"]),
        ("duplicated", "every = 5", &["strays"]),
    ];
    let good = |witness: &Witness| -> u64 {
        let snapshot = witness.snapshot.as_ref().unwrap();
        snapshot.channels.iter().map(|channel| channel.counts.good).sum()
    };
    let all = good(&record(&province, "rates.scale = 0\n", 60, 0).0);
    assert!(all > 0);
    for (kind, parameters, expected) in cases {
        let fault = format!("[[fault]]\nkind = \"{kind}\"\ntarget = \"{station}\"\n{parameters}\n");
        let scenario = format!("rates.scale = 0\n{fault}at = \"60s\"\nfor = \"120s\"\n");
        let (witness, tally) = record(&province, &scenario, 300, 0);
        for what in expected {
            assert!(witness.seen.contains(what), "{kind}: no {what}: {:?}", witness.seen);
        }
        assert_eq!(good(&witness), all, "{kind} is over, and everything is there: {tally:?}");
    }
}

const HELD: &str = r#"
rates.scale = 0

[[fault]]
kind = "half-open"
target = "S1/unit 2"

[[fault]]
kind = "T07"
target = "S2.110.171"

[[fault]]
kind = "T05"
target = "S2/unit 3"

[[fault]]
kind = "T01"
target = "S3"
centre = "A1"
"#;

fn counts(snapshot: &Snapshot) -> Vec<Counts> {
    snapshot.channels.iter().map(|channel| channel.counts).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_and_a_monitor_on_a_network_agree_on_every_verdict() {
    let mut province = small();
    let recorded = record(&Arc::new(province.clone()), HELD, 120, 0).0.snapshot.unwrap();
    let by_reason = |reason: Reason| -> u64 {
        recorded.channels.iter().map(|c| c.counts.not_live[reason as usize]).sum()
    };
    for reason in [Reason::NoLink, Reason::NoReply, Reason::Refused] {
        assert!(by_reason(reason) > 0, "the faults lead to {reason:?}");
    }
    let clock = Clock::showing(START, Instant::now());
    let own = clock.clone();
    let (held, time) = (plans(&province, HELD), Arc::new(move || own.now().0));
    let simulation =
        Simulation::start_with(Arc::new(province.clone()), Ports::Ephemeral, time, held)
            .await
            .unwrap();
    for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
        (channel.host, channel.port) = (address.ip().to_string(), address.port());
    }
    let monitor = Monitor::start(&Arc::new(province), clock).unwrap();
    let expected = counts(&recorded);
    until(&monitor, "the verdicts of the recording", |snapshot| counts(snapshot) == expected).await;
    monitor.stop().await;
    simulation.stop().await;
}

#[test]
fn longer_scans_make_values_live_longer() {
    let province = Arc::new(stretched(small(), 30.0));
    let (witness, tally) = record(&province, "rates.scale = 0\n", 600, 0);
    let snapshot = witness.snapshot.unwrap();
    let old =
        snapshot.channels.iter().map(|c| c.counts.not_live[Reason::Old as usize]).sum::<u64>();
    assert_eq!(old, 0, "a value that is read every 30 s is not old after 3 s");
    assert!(tally.unanswered == 0 && tally.undecodable == 0, "{tally:?}");
}

/// A recording by the program, as a script starts it.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridwatch"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["simulate", "config/small.toml"]);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_program_refuses_what_makes_no_sense_in_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("month");
    let directory = directory.to_str().unwrap();
    let from = ["--record", directory, "--from", "2022-11-01"];
    for (more, about) in [
        (&["--speed", "60"][..], "--speed"),
        (&["--control", "4000"], "--control"),
        (&["--port-base", "4000"], "--port-base"),
        (&["--days", "0"], "1..=400"),
        (&["--days", "401"], "1..=400"),
        (&["--scan", "0"], "1..=300"),
        (&["--scenario", "nowhere.toml"], "nowhere.toml"),
    ] {
        let output = program(&[&from[..], more].concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {said}");
        assert!(said.contains(about), "{more:?}: {said}");
    }
    for args in [&["--record", directory][..], &["--days", "3"], &["--from", "2022-11-01"]] {
        assert_eq!(program(args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
    let no_day = ["--record", directory, "--from", "2022-11-31"];
    let output = program(&no_day).output().unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("'2022-11-31' is not a day"),
        "{output:?}"
    );
    assert!(!Path::new(directory).exists(), "nothing is made before all is known to be well");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_recording_after_the_second_that_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let args = ["--record", directory, "--from", "2022-11-01", "--days", "400", "--scan", "300"];
    let mut child = program(&args).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("400 days from 2022-11-01"), "{line}");
    // A line a day, when it is no terminal.
    let mut days = BufReader::new(child.stderr.take().unwrap());
    days.read_line(&mut line).unwrap();
    assert!(line.contains("0.2 % done, 2022-11-01"), "{line}");
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    assert!(rest.contains("what is recorded is whole up to 2022-11-0"), "{rest}");
    let go_on = format!(
        "gridwatch simulate config/small.toml --record {directory} --scan 300 --from 2022-11-0"
    );
    assert!(rest.contains(&go_on), "{rest}");
    for part in [
        "values of points",
        "links lost",
        "CC: of the time of all required signals",
        "processor: field",
    ] {
        assert!(rest.contains(part), "no {part}: {rest}");
    }
}

/// Resident memory of a process, KiB.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_longer_recording_takes_no_more_memory() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    let args = ["--record", directory, "--from", "2022-11-01", "--days", "3", "--scan", "300"];
    let mut child = program(&args).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // A line a day, when it is no terminal.
    let mut after_a_day = || {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("% done"), "{line}");
        resident(child.id())
    };
    let (first, second) = (after_a_day(), after_a_day());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(second < first + first / 10 + 2_048, "{first} KiB, then {second} KiB");
}

/// Records some minutes in two parts, the second one going on from the first.
fn in_two_parts(province: &Arc<Province>, folder: &Path) {
    let (middle, end) = (START.plus(240_000), START.plus(420_000));
    for (from, until) in [(START, middle), (middle, end)] {
        let start = if from == START { Recording::start } else { Recording::going_on };
        let recording = start(province, plans(province, STORMY), (from, until));
        keep(recording, (folder, province), (from, 60_000));
    }
}

#[test]
fn a_recording_that_goes_on_adjoins_the_one_before_and_is_the_same_each_time() {
    let province = Arc::new(stretched(small(), 10.0));
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let rows = folders.each_ref().map(|folder| {
        in_two_parts(&province, folder.path());
        let reader = Reader::open(folder.path()).unwrap();
        let sessions = reader.sessions().unwrap();
        let (middle, end) = (START.plus(240_000), START.plus(420_000));
        assert_eq!(sessions.len(), 2);
        assert_eq!((sessions[0].until, sessions[1].from), (middle, middle), "they adjoin");
        assert_eq!(sessions[1].until, end);
        assert_eq!(upkeep::check(folder.path()).unwrap().faults, Vec::<String>::new());
        // Every value once, in order, over the seam.
        let mut values = Vec::new();
        let (station, centre) = (&province.stations[0], &province.centres[0].id);
        for point in &station.points {
            let mut last = Timestamp(i64::MIN);
            let path = (&station.id[..], &centre[..], &point.id[..]);
            let all = (Timestamp(i64::MIN), Timestamp(i64::MAX));
            let each = |value: Value| {
                assert!(value.at > last, "{}", point.id);
                last = value.at;
                values.push((value.at, format!("{:?}", value.value)));
                Ok::<(), StoreError>(())
            };
            reader.values(path, all, each).unwrap();
        }
        let around = values.iter().filter(|(at, _)| (at.since(middle)).abs() < 15_000).count();
        assert!(around > 20, "nothing is missing at the seam: {around}");
        values
    });
    assert_eq!(rows[0], rows[1]);
}

/// A transformer of which a fuse is blown shows other voltages and powers; what is measured otherwise stands still
/// meanwhile, is right, and stays so when the transformer is well again.
#[test]
fn what_stands_still_beside_a_blown_fuse_is_not_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let province = Arc::new(stretched(small(), 60.0));
    let fault = |target: &str, phases: &str| {
        format!(
            "[[fault]]\nkind = \"T27\"\ntarget = \"{target}\"\nat = \"4h\"\nfor = \"2h\"\nphases = \"{phases}\"\n"
        )
    };
    let scenario = fault("S2.22.C41", "one") + &fault("S1.22.C41", "three");
    let to_come = plans(&province, &scenario);
    let hours = |n: i64| START.plus(n * 3_600_000);
    let recording = Recording::start(&province, to_come, (START, hours(8)));
    keep(recording, (folder.path(), &province), (START, 600_000));
    let reader = Reader::open(folder.path()).unwrap();
    let (mut frozen, mut lowest) = (Vec::new(), f64::INFINITY);
    for channel in &province.channels {
        let station = &province.stations[channel.station.index()];
        let path = (&station.id[..], &province.centres[channel.centre.index()].id[..]);
        for session in reader.sessions().unwrap() {
            let each = |judged: gridwatch::store::Judged| {
                for run in
                    judged.runs.iter().filter(|run| run.state.not_live() == Some(Reason::Frozen))
                {
                    let points = &station.points[run.first as usize..][..run.count as usize];
                    frozen.extend(points.iter().map(|point| (point.id.clone(), judged.at)));
                }
            };
            reader.judgements(path, session.id, (START, hours(8)), each).unwrap();
        }
    }
    let each = |value: Value| {
        if let Decoded::Value(kv) = value.value {
            lowest = lowest.min(kv);
        }
        Ok::<(), StoreError>(())
    };
    reader.values(("S2", "CC", "S2.22.C41.UAB"), (hours(4), hours(6)), each).unwrap();
    assert!(lowest < 14.0, "a fuse was blown: {lowest} kV");
    assert_eq!(frozen, []);
}

#[test]
fn each_day_of_a_recording_is_judged_by_its_contract() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = std::fs::read_to_string(file).unwrap();
    // The winding temperature of S2 leaves the database of both centres on the second day.
    let text = text.replace("since = 2022-08-30", "since = 2022-11-02");
    let province = Arc::new(Province::parse("p.toml", &text).unwrap());
    let id = "S2.110.131.TW.HV";
    let verdicts = |until: i64| {
        let mut witness = Witness::default();
        let window = (START.plus(until - 120_000), START.plus(until));
        let mut recording =
            Recording::start(&province, plans(&province, "rates.scale = 0\n"), window);
        while recording.step(&mut witness).unwrap() {}
        recording.end(&mut witness).unwrap();
        let snapshot = witness.snapshot.unwrap();
        let station = province.station("S2").unwrap();
        let point = province.stations[station.index()].point(id).unwrap();
        let centres = province.centre_ids();
        let of = centres.map(|centre| snapshot.channel(station, centre).points[point.index()]);
        of.map(|point| (point.verdict, point.not_live)).collect::<Vec<_>>()
    };
    let day = 86_400_000;
    let [never, absent] = [Reason::NeverSeen, Reason::NotInDatabase].map(Some);
    assert_eq!(verdicts(day - 1_000), [(never, never); 2], "still in the database, and never sent");
    assert_eq!(verdicts(day + 60_000), [(absent, absent); 2]);
}
