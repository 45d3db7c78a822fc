//! Looking after a store, and what it does when the disk or the file is not well.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use config::{ChannelId, Date, Decoded, Province, Zone, decode};
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::{BlockContent, Plan, layouts, plans};
use gridwatch::collector::poll::Exchange;
use gridwatch::historian::Historian;
use gridwatch::historian::snapshot::{ChannelSnapshot, LinkState, Snapshot};
use gridwatch::historian::verdict::Reason;
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::history::{Span, Times, Window, channel_history};
use gridwatch::recording::{Recording, Sink};
use gridwatch::series::Buffer;
use gridwatch::signal::layout::Part;
use gridwatch::signal::update::{Evidence, News, Outcome, Update};
use gridwatch::store::upkeep::{self, Forget};
use gridwatch::store::{Batch, Reader, Recorder, StoreError, Value, Writer};
use sim::{Plans, Scenario};
use tempfile::tempdir;

use crate::cli::{free_ports, gridwatch, stderr, stdout};
use crate::inject::Simulator;

const DAY_MS: i64 = 86_400_000;

fn province() -> Arc<Province> {
    Arc::new(Province::load(Path::new("config/small.toml")).unwrap())
}

/// Six days of two sessions in which a point of each channel is good and not good in turn, hour by hour.
fn six_days(folder: &Path, province: &Arc<Province>) {
    for (from, hours) in [(1_000, 60), (66 * 3_600_000, 70)] {
        let mut writer = Writer::open(folder, province).unwrap();
        for hour in 0..hours {
            let at = Timestamp(from + hour * 3_600_000);
            let bits = if hour % 2 == 0 { 0 } else { 0x88 };
            let judgement = |n: usize| {
                let points = province.stations[province.channels[n].station.index()].points.len();
                let count = if hour == 0 { u32::try_from(points).unwrap() } else { 7 };
                let state = VerdictState::from_bits(bits).unwrap();
                Judgement {
                    channel: ChannelId::at(n),
                    at,
                    link: LinkState::Connected,
                    whole: hour == 0,
                    runs: vec![Run { first: 0, count, state }],
                }
            };
            let judgements = (0..province.channels.len()).map(judgement).collect();
            let batch = Batch { judgements, ..Batch::empty(hour == 0, at) };
            writer.commit(&batch).unwrap();
        }
        writer.close().unwrap();
    }
}

/// Figures of a span, all channels together.
fn times(folder: &Path, span: Span) -> Times {
    let reader = Reader::open(folder).unwrap();
    let window = Window::new(span, &[], &reader.sessions().unwrap());
    let mut sum = Times::default();
    for era in &window.eras {
        let province = reader.contract(era.contract).unwrap().province;
        for channel in &province.channels {
            sum += channel_history(&reader, &province, channel, &window, era).unwrap().times();
        }
    }
    sum
}

#[test]
fn what_is_forgotten_changes_nothing_of_what_came_after() {
    let folder = tempdir().unwrap();
    let province = province();
    six_days(folder.path(), &province);
    let day = |day| Date { year: 1970, month: 1, day };
    let from = |n| Timestamp::midnight(day(n), province.zone).unwrap();
    let span = Span::new(from(4), Timestamp(6 * DAY_MS));
    let before = times(folder.path(), span);
    assert!(before.good > 0 && before.unobserved > 0 && before.by_reason[7] > 0);
    let forget = |before| Some(Forget { before, only_values: false, zone: Zone::UTC });
    let done = upkeep::compact(folder.path(), forget(day(4))).unwrap();
    assert!(done.is <= done.was);
    assert_eq!(times(folder.path(), span), before);
    let found = upkeep::check(folder.path()).unwrap();
    // Of the first session its contract stays: it held until the second began.
    assert_eq!((found.fault_count, found.sessions), (0, 2), "{:?}", found.faults);
    // From the middle of a session on.
    let span = Span::new(from(5), Timestamp(6 * DAY_MS));
    let before = times(folder.path(), span);
    upkeep::compact(folder.path(), forget(day(5))).unwrap();
    assert_eq!(times(folder.path(), span), before);
    assert_eq!(upkeep::check(folder.path()).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_copy_is_the_store_of_one_instant_while_it_is_written() {
    let folder = tempdir().unwrap();
    let province = province();
    six_days(folder.path(), &province);
    let writer = Writer::open(folder.path(), &province).unwrap();
    let copy = folder.path().join("copy");
    upkeep::backup(folder.path(), &copy, |_| ControlFlow::Continue(())).unwrap();
    let span = Span::new(Timestamp(0), Timestamp(7 * DAY_MS));
    assert_eq!(times(&copy, span), times(folder.path(), span));
    assert_eq!(upkeep::check(&copy).unwrap().faults, Vec::<String>::new());
    let again = upkeep::backup(folder.path(), &copy, |_| ControlFlow::Continue(()))
        .unwrap_err()
        .to_string();
    assert!(again.contains("there is a store already"), "{again}");
    drop(writer);
}

#[test]
fn a_damaged_page_is_found_and_named_and_nothing_is_judged_by_it() {
    let folder = tempdir().unwrap();
    six_days(folder.path(), &province());
    let path = folder.path().join("gridwatch.db");
    let length = std::fs::metadata(&path).unwrap().len();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // Every page behind the schema.
    for page in 3..length / 4_096 {
        file.seek(SeekFrom::Start(page * 4_096)).unwrap();
        file.write_all(&[0xA5; 512]).unwrap();
    }
    drop(file);
    let store = folder.path().to_str().unwrap();
    let output = gridwatch(&["store", "check", "--store", store]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("wrong: "), "{}", stdout(&output));
    let out = folder.path().join("r.json");
    let month = ["report", "config/small.toml", "--store", store, "--month", "1970-01", "--out"];
    let output = gridwatch(&[&month[..], &[out.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("the store is damaged"), "{}", stderr(&output));
    assert!(!out.exists());
}

#[test]
fn a_store_is_looked_at_and_exported_from_the_command_line() {
    let folder = tempdir().unwrap();
    six_days(folder.path(), &province());
    let store = folder.path().to_str().unwrap();
    let said = stdout(&gridwatch(&["store", "check", "--store", store]));
    assert!(said.contains("2 sessions") && said.ends_with("whole\n"), "{said}");
    let rows = stdout(&gridwatch(&["store", "export", "verdicts", "--store", store]));
    let mut reader = csv::Reader::from_reader(rows.as_bytes());
    let mut ms = 0;
    for row in reader.records() {
        let row = row.unwrap();
        let at = |column: usize| {
            let text = row.get(column).unwrap();
            Timestamp::from_iso(text).unwrap().0
        };
        assert!(at(4) < at(5), "{row:?}");
        ms += at(5) - at(4);
    }
    let all = times(folder.path(), Span::new(Timestamp(0), Timestamp(7 * DAY_MS)));
    assert_eq!(ms, all.required - all.unobserved, "rows are all that was watched");
    let output = gridwatch(&["store", "check", "--store", "no/such/folder"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no store in 'no/such/folder'"), "{}", stderr(&output));
}

/// The limit of a process for the length of its files, as the system's own tool sets it.
#[cfg(target_os = "linux")]
fn allow_bytes(pid: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let done = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status().unwrap();
    assert!(done.success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_stops_nothing_and_loses_nothing() {
    let base = (free_ports(12) + 1).to_string();
    let config = "config/small.toml";
    let _simulator = Simulator::start(&["simulate", config, "--port-base", &base]);
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    // A write beyond the limit is an error, not the end.
    let program = env!("CARGO_BIN_EXE_gridwatch");
    let command = format!(
        "trap '' XFSZ; exec {program} monitor {config} --port-base {base} --headless --tell 0.1 --store {}",
        store.display()
    );
    let mut monitor =
        Command::new("sh").args(["-c", &command]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines().map_while(Result::ok);
    let until = |line: &str| line["durable until ".len()..][..23].to_owned();
    let first = until(&lines.next().expect("something is durable"));
    allow_bytes(monitor.id(), "4096");
    let stuck =
        lines.find(|line| line.contains("NOT KEPT")).expect("it says that it keeps nothing");
    assert!(stuck.contains("3/3 stations connected"), "it goes on polling: {stuck}");
    assert!(until(&stuck) >= first);
    allow_bytes(monitor.id(), "unlimited");
    let back = lines.find(|line| !line.contains("NOT KEPT")).expect("it keeps again");
    assert!(until(&back) > until(&stuck));
    let kill = Command::new("kill").args(["-TERM", &monitor.id().to_string()]).status().unwrap();
    assert!(kill.success() && monitor.wait().unwrap().success());
    let sessions = Reader::open(&store).unwrap().sessions().unwrap();
    assert_eq!(sessions.len(), 1, "what had to wait was written: there is no gap");
    assert!(
        sessions[0].from.local(Zone::hours(7)).to_millisecond() <= first
            && sessions[0].until.local(Zone::hours(7)).to_millisecond() >= until(&back)
    );
    assert_eq!(upkeep::check(&store).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    match Writer::open(&file.join("store"), &province()) {
        Err(StoreError::File { path, .. }) => assert!(path.starts_with(&file)),
        other => panic!("{:?}", other.err()),
    }
}

/// Nothing is recorded before.
const BEGINS: Timestamp = Timestamp(1_669_000_000_000);

/// Keeps what is recorded, and what came in it, told by the contract's own decoding.
struct Witness {
    province: Arc<Province>,
    plans: Vec<Arc<Plan>>,
    writer: Option<Writer>,
    recorder: Recorder,
    begun: bool,
    came: BTreeMap<(usize, usize), Vec<(Timestamp, Decoded)>>,
    /// Every raw verdict, summed up as slowly and simply as can be.
    slow: Vec<Slow>,
    before: Option<Snapshot>,
}

/// Point-milliseconds of a channel's required points.
#[derive(Debug, Clone, Default, PartialEq)]
struct Slow {
    verdicts: BTreeMap<Option<Reason>, i64>,
    live: BTreeMap<Option<Reason>, i64>,
    evaluable: i64,
    right: i64,
}

impl Slow {
    fn add(&mut self, province: &Province, seen: &ChannelSnapshot, ms: i64) {
        let channel = &province.channels[seen.id.index()];
        let points = &province.stations[channel.station.index()].points;
        for ((point, entry), state) in points.iter().zip(channel.entries.iter()).zip(&seen.points) {
            if !entry.required {
                continue;
            }
            *self.verdicts.entry(state.verdict).or_default() += ms;
            if !point.spec.kind.is_command() && entry.excluded.is_none() {
                *self.live.entry(state.not_live).or_default() += ms;
            }
            if state.evaluable {
                self.evaluable += ms;
                self.right += if state.finding.is_none() { ms } else { 0 };
            }
        }
    }
}

/// The same of what the store says.
fn slow_of(times: &Times) -> Slow {
    let pairs = |good: i64, by: &[i64]| {
        let bad = Reason::ALL.into_iter().zip(by).map(|(reason, ms)| (Some(reason), *ms));
        bad.chain([(None, good)]).filter(|(_, ms)| *ms > 0).collect()
    };
    Slow {
        verdicts: pairs(times.good, &times.by_reason),
        live: pairs(times.live, &times.not_live),
        evaluable: times.evaluable,
        right: times.right,
    }
}

impl Witness {
    fn new(folder: &Path, province: &Arc<Province>) -> Self {
        let plans = plans(province);
        Self {
            writer: Some(Writer::open(folder, province).unwrap()),
            // So little that heads are short, and enough that chunks stay until they are joined.
            recorder: Recorder::new(BEGINS, Buffer::new(province, &layouts(&plans), 1 << 20)),
            begun: false,
            came: BTreeMap::new(),
            slow: vec![Slow::default(); province.channels.len()],
            before: None,
            province: Arc::clone(province),
            plans,
        }
    }

    /// Asserts that the store has exactly the values that came up to a moment, and says how many.
    fn assert_kept(&self, folder: &Path, until: Timestamp) -> usize {
        let reader = Reader::open(folder).unwrap();
        let mut values = 0;
        for ((channel, point), came) in &self.came {
            let channel = &self.province.channels[*channel];
            let station = &self.province.stations[channel.station.index()];
            let path = (
                &station.id[..],
                &self.province.centres[channel.centre.index()].id[..],
                &station.points[*point].id[..],
            );
            let mut kept = Vec::new();
            let keep = |value: Value| {
                kept.push((value.at, value.value));
                Ok::<(), StoreError>(())
            };
            reader.values(path, (Timestamp(0), Timestamp(i64::MAX)), keep).unwrap();
            let came: Vec<_> = came.iter().take_while(|(at, _)| *at <= until).collect();
            // Not-a-number is no number that equals itself.
            assert_eq!(format!("{kept:?}"), format!("{came:?}"), "{path:?}");
            values += kept.len();
        }
        values
    }
}

impl Sink for Witness {
    fn accept(&mut self, update: &Update) -> io::Result<()> {
        self.recorder.accept(update);
        let News::Answers(answers) = &update.news else { return Ok(()) };
        let channel = update.channel.index();
        // Decoded once more, from the bytes of the wire.
        for answer in answers.iter().filter(|a| matches!(a.outcome, Outcome::Row { .. })) {
            let block = &self.plans[channel].blocks[usize::from(answer.group)];
            let BlockContent::Points(items) = &block.content else { continue };
            let Evidence { sent, received, .. } = &answer.evidence;
            let [.., high, low, count_high, count_low] = **sent else { panic!("a request") };
            let first = u16::from_be_bytes([high, low]) - block.address;
            let count = u16::from_be_bytes([count_high, count_low]);
            let exchange = Exchange { reply: received.clone(), ..Exchange::default() };
            let mut cells = Vec::new();
            exchange.read_cells(count.into(), block.table.is_bits(), &mut cells);
            let at = answer.evidence.heard().min(update.at);
            for item in items.iter().filter(|item| item.part == Part::Value) {
                let Some(from) = item.offset.checked_sub(first).map(usize::from) else {
                    continue;
                };
                let Some(own) = cells.get(from..from + usize::from(item.cells())) else { continue };
                let entry = &self.province.channels[channel].entries[item.point.index()];
                let register = entry.register.unwrap();
                let value = decode(register.encoding, register.word_order, own);
                self.came.entry((channel, item.point.index())).or_default().push((at, value));
            }
        }
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        last: bool,
    ) -> io::Result<()> {
        if let Some(before) = self.before.take() {
            for (slow, seen) in self.slow.iter_mut().zip(&before.channels) {
                slow.add(&self.province, seen, snapshot.at.since(before.at));
            }
        }
        if let Some(batch) = self.recorder.look(historian, snapshot, (60_000, last)) {
            self.writer.as_mut().unwrap().commit(&batch).unwrap();
            self.begun = true;
        }
        self.before = self.begun.then(|| snapshot.clone());
        Ok(())
    }
}

/// Rows of the longest chunk of a store.
fn longest_chunk(folder: &Path) -> i64 {
    let file = rusqlite::Connection::open(folder.join("gridwatch.db")).unwrap();
    file.query_row("SELECT max(rows) FROM chunk", [], |row| row.get(0)).unwrap()
}

#[test]
fn values_that_were_in_no_chunk_yet_survive_a_writer_that_ends_without_a_word() {
    let folder = tempdir().unwrap();
    let province = province();
    let mut witness = Witness::new(folder.path(), &province);
    // Heads that are open for long.
    let mut buffer = Buffer::new(&province, &layouts(&witness.plans), 64 << 20);
    buffer.keep_fresh();
    witness.recorder = Recorder::new(BEGINS, buffer);
    let window = (Timestamp(1_669_000_000_000), Timestamp(1_669_000_500_000));
    let mut recording = Recording::start(&province, Plans::default(), window);
    while recording.step(&mut witness).unwrap() {}
    let until = witness.writer.as_ref().unwrap().until();
    drop(recording);
    // Whoever reads beside the writer sees them at once.
    let values = witness.assert_kept(folder.path(), until);
    assert!(values > 50_000, "{values}");
    // Nothing is flushed and nothing closed, as when it is killed.
    drop(witness.writer.take());
    let reader = Reader::open(folder.path()).unwrap();
    let sessions = reader.sessions().unwrap();
    assert_eq!((sessions.len(), sessions[0].until), (1, until));
    let before = longest_chunk(folder.path());
    for _ in 0..2 {
        // Whoever opens it next makes chunks of them, once.
        drop(Writer::open(folder.path(), &province).unwrap());
        let values = witness.assert_kept(folder.path(), until);
        assert!(values > 50_000, "{values}");
    }
    assert!(before < 400, "{before} seconds were in chunks before");
    let found = upkeep::check(folder.path()).unwrap();
    assert_eq!((found.fault_count, found.rows["journal"]), (0, 0), "{:?}", found.faults);
}

#[test]
fn a_store_of_the_first_version_is_read_as_it_is_and_brought_up_to_date_by_who_writes() {
    let folder = tempdir().unwrap();
    let province = province();
    Writer::open(folder.path(), &province).unwrap().close().unwrap();
    let file = rusqlite::Connection::open(folder.path().join("gridwatch.db")).unwrap();
    file.execute_batch(
        "DROP TABLE journal; DROP TABLE alarm; DROP TABLE clock_jump; DROP TABLE forgotten;
         DROP TABLE commands_kept; DROP TABLE energy",
    )
    .unwrap();
    for table in ["session", "chunk"] {
        file.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN epoch")).unwrap();
    }
    file.execute_batch("ALTER TABLE lost_events DROP COLUMN told_ms").unwrap();
    file.execute_batch("ALTER TABLE contract DROP COLUMN slowed_ms").unwrap();
    let all = "contract datalist path session event lost_events layout block chunk";
    for table in all.split(' ') {
        file.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN sum")).unwrap();
    }
    file.execute_batch(
        "DROP TABLE judgement;
         CREATE TABLE judgement ( path INTEGER NOT NULL REFERENCES path, at_ms INTEGER NOT NULL,
             session INTEGER NOT NULL REFERENCES session, whole INTEGER NOT NULL,
             link INTEGER NOT NULL, runs BLOB NOT NULL, PRIMARY KEY (path, at_ms) )
             STRICT, WITHOUT ROWID;
         DROP TABLE asked;
         CREATE TABLE asked ( path INTEGER NOT NULL REFERENCES path, from_ms INTEGER NOT NULL,
             until_ms INTEGER NOT NULL, no_reply INTEGER NOT NULL, refused INTEGER NOT NULL,
             undecodable INTEGER NOT NULL, missed INTEGER NOT NULL, longest_us INTEGER NOT NULL,
             replies TEXT NOT NULL, PRIMARY KEY (path, from_ms) ) STRICT, WITHOUT ROWID;
         DROP TABLE metering;
         CREATE TABLE metering ( kind TEXT NOT NULL, id TEXT NOT NULL, at_ms INTEGER NOT NULL,
             sells INTEGER NOT NULL, meters INTEGER NOT NULL, remote INTEGER NOT NULL,
             first_have INTEGER NOT NULL, first_want INTEGER NOT NULL,
             final_have INTEGER NOT NULL, final_want INTEGER NOT NULL,
             half_hours_have INTEGER NOT NULL, half_hours_want INTEGER NOT NULL,
             PRIMARY KEY (kind, id, at_ms) ) STRICT, WITHOUT ROWID",
    )
    .unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    drop(file);
    assert_eq!(Reader::open(folder.path()).unwrap().sessions().unwrap(), []);
    let found = upkeep::check(folder.path()).unwrap();
    assert_eq!((found.fault_count, found.rows.get("journal")), (0, None), "{:?}", found.faults);
    drop(Writer::open(folder.path(), &province).unwrap());
    assert_eq!(upkeep::check(folder.path()).unwrap().rows["journal"], 0);
}

#[test]
fn every_value_and_verdict_that_came_is_read_from_the_store_again() {
    let folder = tempdir().unwrap();
    let province = province();
    let scenario = "[[fault]]\nkind = \"T07\"\ntarget = \"S1.110.171\"\nat = \"60s\"\nfor = \"300s\"\n\
                    [[fault]]\nkind = \"T01\"\ntarget = \"S2\"\nat = \"120s\"\nfor = \"200s\"\n";
    let scenario = Scenario::parse(&province, "scenario.toml", scenario).unwrap();
    let to_come = Plans { scenario: Some(scenario), ..Plans::default() };
    let mut witness = Witness::new(folder.path(), &province);
    let window = (Timestamp(1_669_000_000_000), Timestamp(1_669_000_900_000));
    let mut recording = Recording::start(&province, to_come, window);
    while recording.step(&mut witness).unwrap() {}
    recording.end(&mut witness).unwrap();
    witness.writer.take().unwrap().close().unwrap();
    let head = i64::try_from(witness.recorder.buffer().head_rows()).unwrap();
    assert!(longest_chunk(folder.path()) >= 6 * head, "chunks are joined");
    let reader = Reader::open(folder.path()).unwrap();
    let values = witness.assert_kept(folder.path(), Timestamp(i64::MAX));
    assert!(values > 100_000, "{values}");
    let sessions = reader.sessions().unwrap();
    let window = Window::new(Span::new(sessions[0].from, sessions[0].until), &[], &sessions);
    let mut reasons = 0;
    for (channel, slow) in province.channels.iter().zip(&mut witness.slow) {
        let history =
            channel_history(&reader, &province, channel, &window, &window.eras[0]).unwrap();
        slow.verdicts.retain(|_, ms| *ms > 0);
        slow.live.retain(|_, ms| *ms > 0);
        assert_eq!(slow_of(&history.times()), *slow, "every raw verdict, for as long as it held");
        reasons += slow.live.len();
    }
    assert!(reasons > province.channels.len(), "not all of it was good");
    assert_eq!(upkeep::check(folder.path()).unwrap().faults, Vec::<String>::new());
}
