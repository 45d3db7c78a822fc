//! A clock that is set, a machine that sleeps, and what the store makes of it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use config::{ChannelId, Date, Province, Zone};
use gridwatch::clock::{Clock, Jump, JumpKind, Shown, Timestamp};
use gridwatch::collector::plan::{layouts, plans};
use gridwatch::historian::Historian;
use gridwatch::historian::counts::Share;
use gridwatch::historian::snapshot::{ChannelSnapshot, LinkState, Reads, Snapshot};
use gridwatch::historian::verdict::Reason;
use gridwatch::historian::verdict_log::{Judgement, PollStats, Run, VerdictState};
use gridwatch::history::{Span, Times, Window, channel_history, past};
use gridwatch::monitor::Monitor;
use gridwatch::store::upkeep::{self, Forget};
use gridwatch::store::{
    Batch, EnergyKind, EnergyLine, Keeper, MeterKind, MeterLine, Reader, StoreError, Writer,
};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::field::{simulate, small, until};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A machine whose clock can be set and that can sleep, while its stations know the right time.
struct Machine {
    began: Instant,
    /// When somebody looked at its clocks, and what it showed: the last look before each time that it was set, and the
    /// first one after.
    looks: Mutex<Vec<Look>>,
    /// How far its clock is ahead, and how long it slept, milliseconds: whoever looks sees both change at once.
    set: Mutex<(i64, i64)>,
}

/// A look at the clocks of a machine.
#[derive(Debug, Clone, Copy)]
struct Look {
    shown: Timestamp,
    ahead_ms: i64,
    /// Time that passed since it began, as the monotonic clock has it.
    passed_ms: i64,
}

const BEGAN: Timestamp = Timestamp(1_669_188_727_000);

impl Machine {
    fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), looks: Mutex::default(), set: Mutex::default() })
    }

    /// Sets its clock ahead, and lets it sleep.
    fn set(&self, by_ms: i64, asleep_ms: i64) {
        let mut set = self.set.lock().unwrap();
        *set = (set.0 + by_ms, set.1 + asleep_ms);
    }

    /// What it shows.
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        BEGAN.plus(passed + self.set.lock().unwrap().0)
    }

    fn clock(self: &Arc<Self>) -> Clock {
        let own = Arc::clone(self);
        Clock::following(Arc::new(move || {
            // Neither of them changes while it is looked at.
            let set = own.set.lock().unwrap();
            let (ahead_ms, asleep_ms) = *set;
            let monotonic = Instant::now();
            let passed = monotonic - own.began;
            let with_sleep = Some(passed + Duration::from_millis(asleep_ms.unsigned_abs()));
            let passed_ms = i64::try_from(passed.as_millis()).unwrap();
            let shown = BEGAN.plus(passed_ms + ahead_ms);
            own.looks.lock().unwrap().push(Look { shown, ahead_ms, passed_ms });
            Some(Shown { monotonic, real_us: shown.0 * 1_000, with_sleep })
        }))
    }

    /// The last look before its clock was set to be ahead as it is now, and the first one after.
    fn looks_round_the_jump(&self) -> [Look; 2] {
        let (ahead_ms, _) = *self.set.lock().unwrap();
        let looks = self.looks.lock().unwrap();
        let first = looks.iter().position(|look| look.ahead_ms == ahead_ms).unwrap();
        [looks[first - 1], looks[first]]
    }
}

/// Every time that stands in a table, with its epoch.
fn times_in(folder: &Path, query: &str) -> Vec<(i64, Timestamp)> {
    let file = rusqlite::Connection::open(folder.join("gridwatch.db")).unwrap();
    let mut rows = file.prepare(query).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, Timestamp(row.get(1)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

const TIMES: [&str; 7] = [
    "SELECT epoch, from_ms FROM session",
    "SELECT epoch, until_ms FROM session",
    "SELECT epoch, at_ms FROM judgement JOIN session ON session.id = judgement.session",
    "SELECT epoch, from_ms FROM asked UNION SELECT epoch, until_ms FROM asked",
    "SELECT epoch, at_ms FROM metering",
    "SELECT epoch, from_ms FROM chunk UNION SELECT epoch, until_ms FROM chunk",
    "SELECT epoch, raised_ms FROM alarm",
];

/// The clocks of one run that were wrong, by how much each jump set them: one that came back to where it was, a hundred
/// times nearer than it was in between.
fn wrong_clocks(set: &[i64]) -> Vec<i64> {
    let ahead = |n: usize| set[..n].iter().sum::<i64>();
    let mut wrong = Vec::new();
    for last in (0..=set.len()).rev() {
        for first in last.saturating_sub(8)..last {
            let strays = (first + 1..last).filter(|n| {
                (ahead(*n) - ahead(first)).abs() > 100 * (ahead(last) - ahead(first)).abs()
            });
            if !wrong.contains(&i64::try_from(last).unwrap()) {
                wrong.extend(strays.map(|n| i64::try_from(n).unwrap()).collect::<Vec<_>>());
            }
        }
    }
    wrong
}

/// The epochs of a store whose clock was wrong, run by run: a run goes on over a jump with which its session ended.
pub(crate) fn wrong_epochs(file: &rusqlite::Connection) -> Vec<i64> {
    let mut set = file.prepare("SELECT by_ms * (kind = 1) FROM clock_jump ORDER BY id").unwrap();
    let set: Vec<i64> = set.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut wrong = Vec::new();
    let (mut first, last) = (0, i64::try_from(set.len()).unwrap());
    for epoch in 0..=last {
        let closed: Option<i64> = file
            .query_row(
                "SELECT closed FROM session WHERE epoch = ?1 ORDER BY id DESC LIMIT 1",
                [epoch],
                |row| row.get(0),
            )
            .ok();
        if epoch < last && closed.is_none_or(|closed| closed == 3) {
            continue;
        }
        let run = &set[usize::try_from(first).unwrap()..usize::try_from(epoch).unwrap()];
        wrong.extend(wrong_clocks(run).into_iter().map(|n| first + n));
        first = epoch + 1;
    }
    wrong
}

/// Milliseconds that any session of a right clock covers: each once.
fn union_ms(folder: &Path) -> i64 {
    let file = rusqlite::Connection::open(folder.join("gridwatch.db")).unwrap();
    let wrong = wrong_epochs(&file);
    let query = "SELECT from_ms, until_ms, epoch FROM session ORDER BY from_ms";
    let mut rows = file.prepare(query).unwrap();
    let of_row = |row: &rusqlite::Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    };
    let rows = rows.query_map([], of_row).unwrap().map(Result::unwrap);
    let (mut sum, mut end) = (0, i64::MIN);
    for (from, until, _) in rows.filter(|(.., epoch)| !wrong.contains(epoch)) {
        sum += (until - from.max(end)).max(0);
        end = end.max(until);
    }
    sum
}

/// The figures of a span, all channels together.
fn figures(folder: &Path, span: Span) -> (Times, i64) {
    let reader = Reader::open(folder).unwrap();
    let window = Window::new(span, &[], &reader.sessions().unwrap());
    let mut sum = Times::default();
    for era in &window.eras {
        let province = reader.contract(era.contract).unwrap().province;
        for channel in &province.channels {
            sum += channel_history(&reader, &province, channel, &window, era).unwrap().times();
        }
    }
    (sum, window.observed_ms())
}

/// What must hold of a store whatever the clock did.
fn assert_adds_up(folder: &Path) {
    let found = upkeep::check(folder).unwrap();
    assert_eq!(found.faults, Vec::<String>::new());
    let (from, until) = found.range.unwrap();
    let (times, observed) = figures(folder, Span::new(from, until));
    assert_eq!(observed, union_ms(folder), "each watched millisecond counts once");
    let reasons: i64 = times.by_reason.iter().sum();
    assert_eq!(times.good + reasons + times.unobserved, times.required);
    let length = until.since(from);
    assert_eq!(times.unobserved, times.required / length * (length - observed));
    let reader = Reader::open(folder).unwrap();
    let province = reader.contract(reader.sessions().unwrap()[0].contract).unwrap().province;
    let all = (Timestamp(i64::MIN), Timestamp(i64::MAX));
    for channel in &province.channels {
        let station = &province.stations[channel.station.index()];
        let centre = &province.centres[channel.centre.index()].id;
        for point in &station.points {
            let mut last = Timestamp(i64::MIN);
            let path = (&station.id[..], &centre[..], &point.id[..]);
            let in_order = |value: gridwatch::store::Value| {
                assert!(value.at > last, "{}: each value once, in order", point.id);
                last = value.at;
                Ok::<(), StoreError>(())
            };
            reader.values(path, all, in_order).unwrap();
        }
    }
}

/// Lets a monitor keep history while the clock of its machine jumps, and looks at what it wrote.
async fn jump(by_ms: i64, asleep_ms: i64) {
    let machine = Machine::new();
    // It was wrong when the monitor was started, and is set right.
    machine.set(asleep_ms - by_ms, 0);
    let started = machine.now();
    let folder = tempdir().unwrap();
    let mut province = small();
    let own = Arc::clone(&machine);
    // The stations have clocks of their own.
    let stations = move || {
        let passed = i64::try_from(own.began.elapsed().as_millis()).unwrap();
        BEGAN.plus(passed + own.set.lock().unwrap().1).0
    };
    let simulation = simulate(&mut province, Arc::new(stations)).await;
    let province = Arc::new(province);
    let keeper = Keeper::start(folder.path(), &province).unwrap();
    let monitor = Monitor::start_keeping(&province, machine.clock(), Some(keeper)).unwrap();
    let kept = |snapshot: &Snapshot| {
        let keeping = snapshot.keeping.as_ref()?;
        assert_eq!(keeping.trouble, None);
        keeping.until
    };
    let first = until(&monitor, "history is kept", |p| kept(p).is_some()).await;
    let first = kept(&first).unwrap();
    let enough = first.plus(5_000);
    until(&monitor, "some seconds are kept", |p| kept(p).is_some_and(|at| at > enough)).await;
    machine.set(by_ms, asleep_ms);
    let told = until(&monitor, "it is told", |p| !p.jumps.is_empty()).await;
    let Jump { before, after, by_ms: told_ms, kind } = told.jumps[0];
    assert_eq!(kind, if asleep_ms > 0 { JumpKind::Slept } else { JumpKind::Set });
    assert!((told_ms - by_ms).abs() < 20, "{told_ms}");
    // Told at the first look that can see it: right up to the look before, and again from this one on.
    let [last, first] = machine.looks_round_the_jump();
    assert!((before.since(last.shown)).abs() < 20, "{before} is not the last look, {last:?}");
    assert!((after.since(first.shown)).abs() < 20, "{after} is not the first look, {first:?}");
    let enough = after.plus(4_000);
    let end = until(&monitor, "history goes on", |p| {
        let mut units = p.channels.iter().flat_map(|channel| &channel.units);
        kept(p).is_some_and(|at| at > enough && at < after.plus(DAY_MS))
            && units.any(|unit| unit.events.is_some_and(|events| events.clock.is_some()))
    });
    let end = end.await;
    assert_eq!(end.jumps.len(), 1, "once");
    // Units know the right time, and so does the monitor now: nobody is blamed.
    let units = end.channels.iter().flat_map(|channel| &channel.units);
    let clocks: Vec<_> = units.filter_map(|unit| unit.events.and_then(|e| e.clock)).collect();
    assert!(!clocks.is_empty() && clocks.iter().all(|clock| !clock.is_off()), "{clocks:?}");
    monitor.stop().await;
    simulation.stop().await;

    let now = machine.now();
    for query in TIMES {
        for (epoch, at) in times_in(folder.path(), query) {
            if epoch == 0 {
                // By the clock of before, up to when it is seen that it was set.
                let seen = last.shown.plus(first.passed_ms - last.passed_ms);
                let right = started.plus(-1)..seen.plus(1);
                assert!(right.contains(&at), "{query}: {at} of {right:?}");
            } else {
                let right = first.shown.plus(-1)..now.plus(1);
                assert!(right.contains(&at), "{query}: {at} of {right:?}");
            }
        }
    }
    assert_adds_up(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.jumps().unwrap(), [told.jumps[0]]);
    let file = rusqlite::Connection::open(folder.path().join("gridwatch.db")).unwrap();
    let ends: Vec<i64> = file
        .prepare("SELECT closed FROM session ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(ends, [3, 1], "the session ended with the jump, the next one as it should");
    // Whoever starts it again goes on at once.
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let batch = Batch { judgements: judgements(&province, now, 0), ..Batch::empty(true, now) };
    writer.commit(&batch).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_goes_on_with_the_right_time_when_the_clock_is_set() {
    // Some seconds back: they come twice. By days: whatever was first, the clock is followed.
    let steps = [2 * HOUR_MS, -2 * HOUR_MS, 400 * DAY_MS, -400 * DAY_MS, 500, -500, -3_000];
    futures_of(steps.map(|by_ms| jump(by_ms, 0))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_slept_leaves_a_gap() {
    jump(600_000, 600_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_that_runs_over_midnight_judges_by_the_contract_of_the_day() {
    // S2: a signal whose end-to-end record is no longer valid from this day on.
    let day = Date { year: 2022, month: 9, day: 14 };
    let mut province = small();
    let midnight = Timestamp::midnight(day, province.zone).unwrap();
    let clock = Clock::showing(midnight.plus(-1_500), Instant::now());
    let stations = clock.clone();
    let simulation = simulate(&mut province, Arc::new(move || stations.now().0)).await;
    let (folder, province) = (tempdir().unwrap(), Arc::new(province));
    let keeper = Keeper::start(folder.path(), &province).unwrap();
    let monitor = Monitor::start_keeping(&province, clock, Some(keeper)).unwrap();
    let untested = |snapshot: &Snapshot| -> u64 {
        let of = |c: &Arc<ChannelSnapshot>| c.counts.by_reason[Reason::NoE2eRecord as usize];
        snapshot.channels.iter().map(of).sum()
    };
    let first = Arc::clone(&monitor.news().borrow());
    assert!(first.at < midnight && untested(&first) == 0, "{}", first.at);
    let next = until(&monitor, "it is another day", |p| p.at >= midnight).await;
    let whole = Historian::new(Arc::clone(&province), &layouts(&plans(&province)), midnight)
        .snapshot(midnight);
    let expected = untested(&whole);
    assert!(expected > 0);
    assert_eq!(untested(&next), expected, "in the first snapshot of the day");
    let enough = midnight.plus(100);
    let is_kept =
        |p: &Snapshot| p.keeping.as_ref().and_then(|k| k.until).is_some_and(|at| at > enough);
    until(&monitor, "the day has begun in the store, too", is_kept).await;
    monitor.stop().await;
    simulation.stop().await;
    // Who reads it later finds the same on both sides of midnight.
    let reader = Reader::open(folder.path()).unwrap();
    for (at, expected) in [(midnight.plus(-1), 0), (enough, expected)] {
        let then = past(&reader, Some(at)).unwrap().unwrap().snapshot;
        assert_eq!(untested(&then), expected, "{at}");
    }
}

/// Runs futures beside each other.
async fn futures_of<const N: usize>(all: [impl Future<Output = ()> + Send + 'static; N]) {
    let mut running = tokio::task::JoinSet::new();
    for one in all {
        running.spawn(one);
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// Judgements of every channel that say one state of everything.
fn judgements(province: &Province, at: Timestamp, bits: u16) -> Vec<Judgement> {
    let judgement = |n: usize| {
        let points = province.stations[province.channels[n].station.index()].points.len();
        let state = VerdictState::from_bits(bits).unwrap();
        let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
        Judgement { channel: ChannelId::at(n), at, link: LinkState::Connected, whole: true, runs }
    };
    (0..province.channels.len()).map(judgement).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sessions between which the clock jumps, each some seconds long and in a state of its own every
    /// second, against a list that says second by second who of those with a right clock wrote of it last.
    #[test]
    fn what_comes_twice_is_what_was_written_last_by_a_right_clock(
        sessions in prop::collection::vec((1_i64..40, -60_i64..60), 1..7),
        window in (-100_i64..200, 1_i64..200),
        cut in 1_i64..200,
    ) {
        let folder = tempdir().unwrap();
        let province = Arc::new(small());
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        let mut at = BEGAN;
        let mut jumps = Vec::new();
        let set: Vec<i64> = sessions[..sessions.len() - 1].iter().map(|(_, by)| *by).collect();
        let wrong = wrong_clocks(&set);
        let mut seconds = std::collections::BTreeMap::new();
        for (n, (length, by)) in (0..).zip(sessions) {
            for second in 0..=length {
                let bits = if second % 2 == 0 { 0 } else { 0x88 };
                let judgements = judgements(&province, at, bits);
                let begins = second == 0;
                let jumps = if begins { jumps.clone() } else { Vec::new() };
                let batch = Batch { judgements, jumps, ..Batch::empty(begins, at) };
                writer.commit(&batch).unwrap();
                if second < length {
                    if !wrong.contains(&n) {
                        seconds.insert(at, bits);
                    }
                    at = at.plus(1_000);
                }
            }
            let after = at.plus(by * 1_000);
            let jump = Jump { before: at, after, by_ms: by * 1_000, kind: JumpKind::Set };
            jumps.push(jump);
            at = after;
        }
        writer.close().unwrap();
        assert_adds_up(folder.path());
        let from = BEGAN.plus(window.0 * 1_000);
        let (middle, to) = (from.plus(cut.min(window.1) * 1_000), from.plus(window.1 * 1_000));
        let (all, observed) = figures(folder.path(), Span::new(from, to));
        let in_window = seconds.range(from..to);
        let good = in_window.clone().filter(|(_, bits)| **bits == 0).count();
        let slow = |count: usize| i64::try_from(count).unwrap() * 1_000;
        prop_assert_eq!(observed, slow(in_window.clone().count()));
        if observed > 0 {
            let each = all.required / to.since(from);
            prop_assert_eq!(all.good, each * slow(good));
            prop_assert_eq!(all.good + all.by_reason.iter().sum::<i64>(), each * observed);
            // Windows add up.
            let (early, _) = figures(folder.path(), Span::new(from, middle));
            let (late, _) = figures(folder.path(), Span::new(middle, to));
            prop_assert_eq!(early.good + late.good, all.good);
            prop_assert_eq!(early.by_reason[7] + late.by_reason[7], all.by_reason[7]);
        }
    }
}

#[test]
fn a_clock_that_was_wrong_from_the_start_holds_nothing_up_but_what_nobody_can_know() {
    let folder = tempdir().unwrap();
    let province = Arc::new(small());
    let begin = |writer: &mut Writer, at: Timestamp, jumps: Vec<Jump>| {
        let judgements = judgements(&province, at, 0);
        writer.commit(&Batch { judgements, jumps, ..Batch::empty(true, at) })
    };
    let ahead = BEGAN.plus(400 * DAY_MS);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    begin(&mut writer, ahead, Vec::new()).unwrap();
    // It is set while the monitor runs: the monitor has seen which time came after which.
    let by_ms = -400 * DAY_MS;
    let set = Jump { before: ahead.plus(1_000), after: BEGAN, by_ms, kind: JumpKind::Set };
    begin(&mut writer, BEGAN, vec![set]).unwrap();
    drop(writer);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    begin(&mut writer, BEGAN.plus(60_000), Vec::new()).unwrap();
    drop(writer);
    // It was set while nobody ran: which of the two is right?
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let refused = begin(&mut writer, BEGAN.plus(-60_000), Vec::new()).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("120 s behind") && said.contains("store aside"), "{said}");
    let before =
        Jump { before: BEGAN, after: BEGAN.plus(-1_000), by_ms: -1_000, kind: JumpKind::Set };
    begin(&mut writer, BEGAN.plus(-60_000), vec![before]).unwrap_err();
}

/// Within an outage the clock is two hours behind for a while: nothing of that while is told of the morning.
#[test]
fn a_clock_that_was_wrong_for_a_while_tells_nothing() {
    let folder = tempdir().unwrap();
    let province = Arc::new(small());
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let (good, bad) = (0, 0x88);
    let begun = BEGAN.plus(-3 * HOUR_MS);
    let wrong = Jump {
        before: BEGAN.plus(60_000),
        after: BEGAN.plus(60_000 - 2 * HOUR_MS),
        by_ms: -2 * HOUR_MS,
        kind: JumpKind::Set,
    };
    let (from, to) = (wrong.after.plus(48_000), BEGAN.plus(108_000));
    let right = Jump { before: from, after: to, by_ms: 2 * HOUR_MS, kind: JumpKind::Set };
    let end = to.plus(60_000);
    for (at, bits, begins, jumps) in [
        (begun, good, true, vec![]),
        (BEGAN, bad, false, vec![]),
        (wrong.before, bad, false, vec![]),
        (wrong.after, bad, true, vec![wrong]),
        (right.before, bad, false, vec![wrong]),
        (to, bad, true, vec![wrong, right]),
        (end, bad, false, vec![wrong, right]),
    ] {
        let judgements = judgements(&province, at, bits);
        writer.commit(&Batch { judgements, jumps, ..Batch::empty(begins, at) }).unwrap();
    }
    writer.close().unwrap();
    assert_adds_up(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    let watched: Vec<_> =
        reader.sessions().unwrap().iter().map(|own| (own.from, own.until)).collect();
    assert_eq!(watched, [(begun, wrong.before), (to, end)]);
    let (all, _) = figures(folder.path(), Span::new(begun, end));
    let each = all.required / end.since(begun);
    assert_eq!(all.good, each * BEGAN.since(begun));
    assert_eq!(all.by_reason.iter().sum::<i64>(), each * (60_000 + 60_000));
}

#[test]
fn a_store_does_not_reach_into_a_future_of_which_only_a_wrong_clock_told() {
    let (folder, province) = (tempdir().unwrap(), Arc::new(small()));
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let (by_ms, before) = (400 * DAY_MS, BEGAN.plus(60_000));
    let wrong = Jump { before, after: before.plus(by_ms), by_ms, kind: JumpKind::Set };
    let before = wrong.after.plus(60_000);
    let right = Jump { before, after: before.plus(-by_ms), by_ms: -by_ms, kind: JumpKind::Set };
    let end = right.after.plus(60_000);
    for (at, begins, jumps) in [
        (BEGAN, true, vec![]),
        (wrong.before, false, vec![]),
        (wrong.after, true, vec![wrong]),
        (right.before, false, vec![wrong]),
        (right.after, true, vec![wrong, right]),
        (end, false, vec![wrong, right]),
    ] {
        let judgements = judgements(&province, at, 0);
        writer.commit(&Batch { judgements, jumps, ..Batch::empty(begins, at) }).unwrap();
    }
    writer.close().unwrap();
    let found = upkeep::check(folder.path()).unwrap();
    assert_eq!((found.faults, found.range), (Vec::new(), Some((BEGAN, end))));
    assert_eq!(found.sessions, 3, "all of it is kept");
}

#[test]
fn what_two_clocks_tell_of_one_moment_is_kept_of_both_and_counts_of_the_right_one() {
    let province = Arc::new(small());
    // The clock is set back, to the time that it had; and an hour later it is set forward again, or it is not.
    let (by_ms, hour) = (-2 * HOUR_MS, BEGAN.plus(HOUR_MS));
    let back = Jump { before: BEGAN.plus(2 * HOUR_MS), after: BEGAN, by_ms, kind: JumpKind::Set };
    let forth = Jump {
        before: hour.plus(1),
        after: hour.plus(2 * HOUR_MS + 1),
        by_ms: -by_ms,
        kind: JumpKind::Set,
    };
    for (is_taken_back, right) in [(false, 2), (true, 1)] {
        let folder = tempdir().unwrap();
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        let mut told = |at: Timestamp, n: u64, jumps: &[Jump]| {
            let begins = at != hour;
            let judgements = if begins { judgements(&province, at, 0) } else { Vec::new() };
            let metering = if begins { Vec::new() } else { vec![meter_line(n)] };
            let asked = (!begins).then(|| {
                let asked = PollStats { missed: n, ..PollStats::default() };
                (at.plus(-60_000), vec![asked; province.channels.len()])
            });
            let jumps = jumps.to_vec();
            let batch = Batch { judgements, metering, asked, jumps, ..Batch::empty(begins, at) };
            writer.commit(&batch).unwrap();
        };
        told(BEGAN, 1, &[]);
        told(hour, 1, &[]);
        told(back.after, 2, &[back]);
        told(hour, 2, &[back]);
        if is_taken_back {
            told(forth.after, 3, &[back, forth]);
        }
        writer.close().unwrap();
        assert_adds_up(folder.path());
        for table in ["metering", "asked"] {
            let rows = format!("SELECT DISTINCT epoch, 0 FROM {table} ORDER BY epoch");
            let epochs: Vec<i64> = times_in(folder.path(), &rows).iter().map(|own| own.0).collect();
            assert_eq!(epochs, [0, 1], "{table}: both are kept");
        }
        let reader = Reader::open(folder.path()).unwrap();
        for at in [hour, hour.plus(60_000)] {
            let held = reader.metering(at).unwrap();
            assert_eq!(held.iter().map(|own| own.remote).collect::<Vec<_>>(), [right], "{at}");
        }
        let mut changes = Vec::new();
        let all = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        reader.metering_changes(all, |line| changes.push(line.remote)).unwrap();
        // At the last moment of a session a later one has nothing to say.
        assert_eq!(changes.last(), Some(&right));
        let centre = &province.centres[province.channels[0].centre.index()].id;
        let path = (&province.stations[0].id[..], &centre[..]);
        assert_eq!(reader.asked(path, all).unwrap().missed, right);
    }
}

#[test]
fn a_cut_takes_no_figure_of_a_right_clock_for_one_of_a_wrong_one() {
    let (folder, province) = (tempdir().unwrap(), Arc::new(small()));
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let by_ms = 2 * HOUR_MS;
    let wrong = Jump { before: BEGAN, after: BEGAN.plus(by_ms), by_ms, kind: JumpKind::Set };
    let (before, after) = (BEGAN.plus(by_ms + 60_000), BEGAN.plus(60_000));
    let right = Jump { before, after, by_ms: -by_ms, kind: JumpKind::Set };
    let energy = |kwh: u64| EnergyLine {
        kind: EnergyKind::Remote,
        station: "S1".to_owned(),
        id: "D1.rf".to_owned(),
        sells: true,
        day: 19_300,
        kwh,
        meter_days: kwh,
        meters: 10,
        behind: 0,
        unread_days: 0,
    };
    let days_later = BEGAN.plus(3 * DAY_MS);
    for (at, n, jumps) in [
        (BEGAN, 1, vec![]),
        (wrong.after, 2, vec![wrong]),
        (right.after, 3, vec![wrong, right]),
        (days_later, 4, vec![wrong, right]),
    ] {
        let begins = at != days_later;
        let judgements = if begins { judgements(&province, at, 0) } else { Vec::new() };
        let (metering, energy) = (vec![meter_line(n)], vec![energy(n)]);
        let batch = Batch { judgements, metering, energy, jumps, ..Batch::empty(begins, at) };
        writer.commit(&batch).unwrap();
    }
    writer.close().unwrap();
    let told = |at: Timestamp| {
        let reader = Reader::open(folder.path()).unwrap();
        let remote: Vec<u64> =
            reader.metering(at).unwrap().iter().map(|line| line.remote).collect();
        let mut kwh = Vec::new();
        reader.energy_counts(at.plus(1), |_, line| kwh.push(line.kwh)).unwrap();
        (remote, kwh.pop())
    };
    let zone = province.zone;
    let before = BEGAN.plus(DAY_MS).local(zone).date;
    let cut = Timestamp::midnight(before, zone).unwrap();
    assert!(cut > wrong.after.plus(60_000));
    let whole = told(cut);
    assert_eq!(whole, (vec![3], Some(3)));
    upkeep::compact(folder.path(), Some(Forget { before, only_values: false, zone })).unwrap();
    assert_eq!(told(cut), whole);
}

/// Remote metering of a district, so many meters with a proven channel.
fn meter_line(remote: u64) -> MeterLine {
    MeterLine {
        kind: MeterKind::District,
        id: "D1".to_owned(),
        sells: true,
        remote: Share::new(remote, 10),
        uncounted: 0,
        reads: Reads::default(),
        days: [None; 2],
    }
}

#[test]
fn a_jump_of_the_clock_stands_among_the_events() {
    use crate::cli::{gridwatch, stderr, stdout};
    let folder = tempdir().unwrap();
    let province = Arc::new(small());
    let by_ms = -2 * HOUR_MS;
    let set =
        Jump { before: BEGAN.plus(60_000), after: BEGAN.plus(by_ms), by_ms, kind: JumpKind::Set };
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    for (at, jumps, begins) in [
        (BEGAN, Vec::new(), true),
        (set.before, Vec::new(), false),
        (set.after, vec![set], true),
        (set.after.plus(60_000), Vec::new(), false),
    ] {
        let judgements = if begins { judgements(&province, at, 0) } else { Vec::new() };
        writer.commit(&Batch { judgements, jumps, ..Batch::empty(begins, at) }).unwrap();
    }
    writer.close().unwrap();
    let store = folder.path().to_str().unwrap();
    let export = |more: &[&str]| {
        let output =
            gridwatch(&[&["store", "export", "events", "--store", store][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let rows = |text: &str| -> Vec<Vec<String>> {
        let mut all = csv::Reader::from_reader(text.as_bytes());
        let records = all.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
        records.collect()
    };
    let told = rows(&export(&[]));
    let [row] = &told[..] else { panic!("one row: {told:?}") };
    let (time, arrived, what) = (&row[0], &row[6], &row[14..]);
    assert_eq!([time, arrived], [set.before, set.after].map(Timestamp::to_millisecond).each_ref());
    assert_eq!(what, ["clock_set", "-7200000"]);
    assert!(row[1..5].iter().all(String::is_empty), "it is of no station: {row:?}");
    assert!(rows(&export(&["--station", "S1"])).is_empty());
    let out = folder.path().join("r.json");
    let day = set.before.local(Zone::hours(7)).date.to_string();
    let made =
        gridwatch(&["report", "--store", store, "--from", &day, "--out", out.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    let notes = report["sheets"]["events"]["notes"].to_string();
    assert!(notes.contains("The machine's clock was set by"), "{notes}");
}
