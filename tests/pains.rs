//! What users of every polling collector complain of, each as a test named after the pain.

use std::collections::BTreeMap;
use std::future;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::{ChannelId, Province, RegisterTable};
use gridwatch::clock::Clock;
use gridwatch::collector::Collector;
use gridwatch::collector::plan::{Plan, plans};
use gridwatch::historian::snapshot::{LinkState, Snapshot};
use gridwatch::historian::verdict::Reason;
use gridwatch::monitor::Monitor;
use gridwatch::signal::update::{
    Answer, LinkFault, Miss, News, Outcome, Overrun, OverrunCause, Update,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout};
use tokio_modbus::server::{Service, tcp::Server};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

use crate::field::{PATIENCE, until};
use crate::fixture::without_heartbeat;
use crate::station::{Asked, PlantAction, Station, identity, stations, values_on_their_points};

/// Every class is read five times a second.
const FAST: [(&str, f64); 5] =
    [("fast", 0.2), ("normal", 0.2), ("slow", 0.2), ("counters", 0.2), ("metering", 0.2)];
/// Nothing grows old while a test runs.
const SLOW: [(&str, f64); 5] =
    [("fast", 60.0), ("normal", 60.0), ("slow", 60.0), ("counters", 60.0), ("metering", 60.0)];

fn monitor(province: &Province) -> (Arc<Province>, Monitor) {
    let province = Arc::new(province.clone());
    let monitor = Monitor::start(&province, Clock::system()).unwrap();
    (province, monitor)
}

/// A monitor of one station only.
fn alone(province: &mut Province, stations: &mut Vec<Station>) -> Station {
    province.channels.truncate(1);
    stations.drain(1..);
    stations.remove(0)
}

async fn next_event<T>(
    updates: &mut Receiver<Update>,
    mut wanted: impl FnMut(&News) -> Option<T>,
) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            let update = updates.recv().await.expect("the collector runs");
            if let Some(found) = wanted(&update.news) {
                return found;
            }
        }
    });
    found.await.expect("it comes")
}

/// Cells of its block that an answer is about.
fn cells(plan: &Plan, answer: &Answer) -> std::ops::Range<u16> {
    let [.., high, low, count_high, count_low] = *answer.evidence.sent else { panic!("a request") };
    let first = u16::from_be_bytes([high, low]) - plan.blocks[usize::from(answer.group)].address;
    first..first + u16::from_be_bytes([count_high, count_low])
}

fn quick_backoff(province: &mut Province) {
    (province.link.backoff_first_ms, province.link.backoff_longest_ms) = (20, 100);
}

fn set_devices(province: &mut Province, set: impl Fn(&mut config::DeviceLimits)) {
    province.channels.iter_mut().for_each(|channel| set(&mut channel.device));
}

fn all_connected(snapshot: &Snapshot) -> bool {
    snapshot.channels.iter().all(|channel| channel.link.state == LinkState::Connected)
}

/// Every value that is read has come since then.
fn all_fresh(snapshot: &Snapshot, since: gridwatch::clock::Timestamp) -> bool {
    snapshot.channels.iter().all(|channel| {
        let entries = &channel.contract(&snapshot.province).entries;
        let points = &channel.station(&snapshot.province).points;
        channel.points.iter().zip(entries).zip(points).all(|((point, entry), spec)| {
            entry.register.is_none()
                || spec.spec.kind.is_command()
                || point.at.is_some_and(|at| at >= since)
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_1_a_link_that_drops_comes_back_by_itself_however_it_dropped() {
    let hangs = Arc::new(AtomicBool::new(false));
    let hang = Arc::clone(&hangs);
    let manner = move |_: &Asked| {
        if hang.load(Ordering::Relaxed) { PlantAction::Hangs } else { PlantAction::Answers }
    };
    let (mut province, mut all) = stations(&FAST, manner).await;
    quick_backoff(&mut province);
    set_devices(&mut province, |device| device.reply_timeout_ms = 100);
    let (_, monitor) = monitor(&province);
    until(&monitor, "all connected", all_connected).await;
    let lost = |snapshot: &Snapshot| {
        snapshot.channels.iter().all(|channel| channel.link.state == LinkState::Lost)
    };
    for _ in 0..3 {
        // The port is gone, connections closed.
        for station in &mut all {
            station.go().await;
        }
        let snapshot = until(&monitor, "all lost", lost).await;
        for station in &mut all {
            station.come_back().await;
        }
        until(&monitor, "all back", |p| all_connected(p) && all_fresh(p, snapshot.at)).await;
        // The connection stays open, and nobody is there any more.
        hangs.store(true, Ordering::Relaxed);
        let snapshot = until(&monitor, "all silent", lost).await;
        let fault = &snapshot.channels[0].link.fault;
        assert!(matches!(fault, Some(LinkFault::Silent)), "{fault:?}");
        hangs.store(false, Ordering::Relaxed);
        until(&monitor, "all back", |p| all_connected(p) && all_fresh(p, snapshot.at)).await;
    }
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_2_an_old_value_is_never_shown_as_live() {
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    // One unit falls silent, one refuses: the others go on.
    let manner = move |asked: &Asked| match (asked.unit(), stop.load(Ordering::Relaxed)) {
        (1, true) => PlantAction::Silent,
        (2, true) => PlantAction::Refuses(4),
        _ => PlantAction::Answers,
    };
    let (mut province, _all) = stations(&FAST, manner).await;
    set_devices(&mut province, |device| device.reply_timeout_ms = 100);
    let (province, monitor) = monitor(&province);
    let live = |snapshot: &Snapshot, unit: u8| {
        let of_channel = |channel: &gridwatch::historian::snapshot::ChannelSnapshot| {
            let entries = &channel.contract(&province).entries;
            let of_unit = channel.points.iter().zip(entries);
            of_unit
                .filter(|(_, entry)| entry.register.is_some_and(|r| r.unit == unit))
                .filter(|(point, _)| point.value.is_some() && point.not_live.is_none())
                .count()
        };
        snapshot.channels.iter().map(|channel| of_channel(channel)).sum::<usize>()
    };
    let snapshot =
        until(&monitor, "all units live", |p| (1..=3).all(|unit| live(p, unit) > 0)).await;
    let before = live(&snapshot, 3);
    stopped.store(true, Ordering::Relaxed);
    let snapshot = until(&monitor, "two units not live", |p| live(p, 1) + live(p, 2) == 0).await;
    assert_eq!(live(&snapshot, 3), before, "the third unit is not concerned");
    let reasons: Vec<_> = snapshot.channels.iter().flat_map(|c| &c.points).collect();
    assert!(reasons.iter().any(|point| point.not_live == Some(Reason::NoReply)));
    assert!(reasons.iter().any(|point| point.not_live == Some(Reason::Refused)));
    // What is not live keeps the value and the time at which it came.
    let kept = reasons.iter().find(|point| point.not_live == Some(Reason::Refused)).unwrap();
    assert!(kept.value.is_some() && kept.at.is_some());
    monitor.stop().await;
}

/// A station of feeders with 120 measurements in a row in unit 200, without quality.
fn hundred_and_twenty() -> (Province, Vec<String>) {
    let feeders: Vec<String> = (71..95).map(|n| format!("\"4{n}\"")).collect();
    let head = "[province]\nname = \"Thử\"\n[scan]\nslow = 0.2\nnormal = 0.2\n\
        [[centres]]\nid = \"CC\"\nrequires = [\"AB\", \"B\"]\noptional = true\n\
        [[sources]]\nid = \"SRC\"\n\
        [[lines]]\nfrom = \"SRC\"\nto = \"S1.171\"\nkm = 5\nconductor = \"AC-185\"\n\
        [[stations]]\nid = \"S1\"\nunmanned = true\nquality = false\ne2e = { CC = 2021-03-10 }\n\
        transformers = { \"131\" = 25 }\n[stations.bays]\nL110 = [\"171\"]\nT110 = [\"131\"]\n";
    let text = format!("{head}FMV = [{}]\nSTN = [\"STN\"]\n", feeders.join(", "));
    let bare = Province::parse("f", &text).unwrap();
    let measured = bare.stations[0].points.iter().filter(|point| {
        point.spec.scan == Some(config::Scan::Slow)
            && point.spec.kind == config::PointKind::Measurement
            && point.encoding.cells() == 1
    });
    let ids: Vec<String> = measured.map(|point| point.local_id().to_owned()).take(120).collect();
    assert_eq!(ids.len(), 120);
    let pins = ids.iter().enumerate().map(|(n, id)| {
        let place = format!("unit = 200\ntable = \"input\"\naddress = {n}\n");
        format!("[[stations.pins]]\npoint = \"{id}\"\n{place}")
    });
    let pinned: String = std::iter::once(text).chain(pins).collect();
    (Province::parse("f", &without_heartbeat(&pinned)).unwrap(), ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_3_one_bad_register_of_120_leaves_the_other_119_live_within_two_scans() {
    let bad = Arc::new(AtomicU16::new(77));
    let asked_for_bad = Arc::new(AtomicUsize::new(0));
    let (register, count) = (Arc::clone(&bad), Arc::clone(&asked_for_bad));
    let manner = move |asked: &Asked| {
        let of_block = asked.unit() == 200 && asked.function() == 4;
        if of_block && asked.covers(register.load(Ordering::Relaxed)) {
            count.fetch_add(1, Ordering::Relaxed);
            return PlantAction::Refuses(2);
        }
        PlantAction::Answers
    };
    let station = Station::open(manner).await;
    let (mut province, ids) = hundred_and_twenty();
    province.channels[0].port = station.address.port();
    province.channels[0].device.events = false;
    let plans = plans(&province);
    let block = plans[0].blocks.iter().position(|block| block.unit == 200).unwrap();
    assert_eq!(plans[0].blocks[block].count, 120);
    // The updates of two scans, as they come.
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let mut came = std::collections::BTreeSet::new();
    let mut refused = std::collections::BTreeSet::new();
    let mut scans = 0;
    while scans < 2 {
        let answers = next_event(&mut updates, |news| match news {
            News::Answers(answers) => Some(answers.clone()),
            _ => None,
        });
        for answer in answers.await {
            // Another block of the unit of the station, once a scan.
            scans += usize::from(answer.group == 0);
            match answer.outcome {
                _ if usize::from(answer.group) != block => {}
                Outcome::InParts(_) => {}
                Outcome::Missed(_) => refused.extend(cells(&plans[0], &answer)),
                _ => came.extend(cells(&plans[0], &answer)),
            }
        }
    }
    assert_eq!((came.len(), &refused), (119, &[77].into()));
    collector.stop().await;
    // And as it is shown, until the register comes back.
    let (province, monitor) = monitor(&province);
    let station_points = &province.stations[0].points;
    let not_live = |snapshot: &Snapshot| {
        let points = station_points.iter().zip(&snapshot.channels[0].points);
        let ours = points.filter(|(spec, _)| ids.iter().any(|id| id == spec.local_id()));
        // What such a register holds is seldom a voltage that can be.
        let plausible = [None, Some(Reason::OutOfRange)];
        let failing = ours.filter(|(_, point)| !plausible.contains(&point.not_live));
        failing
            .map(|(spec, point)| (spec.local_id().to_owned(), point.not_live))
            .collect::<Vec<_>>()
    };
    let alone = vec![(ids[77].clone(), Some(Reason::Refused))];
    until(&monitor, "one register alone is refused", |p| not_live(p) == alone).await;
    let before = asked_for_bad.load(Ordering::Relaxed);
    let start = monitor.news().borrow().at;
    let later = until(&monitor, "some scans go by", |p| p.at.since(start) > 2_000).await;
    assert_eq!(not_live(&later), alone);
    assert!(asked_for_bad.load(Ordering::Relaxed) <= before + 1, "it is left alone");
    bad.store(999, Ordering::Relaxed);
    until(&monitor, "the register is back", |p| not_live(p).is_empty()).await;
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_4_a_device_that_is_always_one_reply_late_never_shifts_values() {
    // Every reply comes after its deadline, in the time of the next request.
    let late = Duration::from_millis(90);
    let manner = move |asked: &Asked| PlantAction::Pieces(vec![(late, asked.reply())]);
    let (mut province, _all) = stations(&FAST, manner).await;
    quick_backoff(&mut province);
    set_devices(&mut province, |device| (device.reply_timeout_ms, device.in_flight) = (60, 1));
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let mut late = 0;
    while late < 20 {
        late += next_event(&mut updates, |news| match news {
            News::Answers(answers) => {
                let unanswered = answers.iter().all(|answer| answer.miss() == Some(Miss::NoReply));
                assert!(unanswered, "a late reply was taken for one in time: {answers:?}");
                None
            }
            News::Strays(strays) => Some(strays.late),
            _ => None,
        })
        .await;
    }
    collector.stop().await;
}

/// So long a scan is put off at most before it is told that slots were missed.
const UNTOLD: Duration = Duration::from_secs(1);

/// What has slots 200 ms apart was read in each of them, but those of which it is told that they were missed: a
/// machine that is busy with something else misses some.
fn assert_read(what: &str, (scans, missed): (usize, usize), lasted: Duration) {
    let slots = usize::try_from(lasted.saturating_sub(UNTOLD).as_millis() / 200).unwrap();
    assert!(
        scans + missed >= slots,
        "{what} was read {scans} times in {slots} slots, {missed} missed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_5_a_dead_unit_costs_its_neighbours_one_probe_a_pause() {
    let probes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&probes);
    let manner = move |asked: &Asked| {
        if asked.unit() == 2 {
            count.fetch_add(1, Ordering::Relaxed);
            return PlantAction::Silent;
        }
        PlantAction::Answers
    };
    let (mut province, mut all) = stations(&FAST, manner).await;
    let _station = alone(&mut province, &mut all);
    set_devices(&mut province, |device| (device.in_flight, device.reply_timeout_ms) = (4, 100));
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    next_event(&mut updates, |news| matches!(news, News::Silent { device: 2, .. }).then_some(()))
        .await;
    // Four requests may have been on their way. Behind one more answer the station has read all of them.
    let mut answers = 0;
    next_event(&mut updates, |news| {
        if let News::Answers(own) = news {
            answers += own.iter().filter(|answer| answer.miss().is_none()).count();
        }
        (answers > 4).then_some(())
    })
    .await;
    let (first, start) = (probes.load(Ordering::Relaxed), Instant::now());
    let mut good: BTreeMap<u8, usize> = BTreeMap::new();
    let mut missed = 0;
    // The pauses last 1, 2, 4 seconds: two probes are seen, however long that takes, and the end of another pause.
    while start.elapsed() < Duration::from_secs(6) || probes.load(Ordering::Relaxed) < first + 2 {
        next_event(&mut updates, |news| {
            if let News::Overrun(overrun) = news {
                missed += usize::try_from(overrun.missed).unwrap();
            }
            if let News::Answers(own) = news {
                for answer in own.iter().filter(|answer| answer.miss().is_none()) {
                    *good.entry(plans[0].blocks[usize::from(answer.group)].unit).or_default() += 1;
                }
                return Some(());
            }
            assert!(!matches!(news, News::Lost(_)), "{news:?}");
            None
        })
        .await;
    }
    // No pause is shorter than it should be.
    let (probed, lasted) = (probes.load(Ordering::Relaxed) - first, start.elapsed());
    let pauses = [1, 2, 4, 8, 16, 32, 64].into_iter().scan(0, |end, pause| {
        *end += pause;
        Some(Duration::from_secs(*end))
    });
    let most = pauses.take_while(|end| *end <= lasted).count() + 1;
    assert!(probed <= most, "{probed} probes in {lasted:?}");
    let blocks = |unit: u8| plans[0].blocks.iter().filter(|block| block.unit == unit).count();
    for (unit, replies) in good {
        let scans = replies / blocks(unit);
        assert_read(&format!("unit {unit}"), (scans, missed), lasted);
    }
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_5_a_dead_station_does_not_delay_the_others() {
    let manner = |_: &Asked| PlantAction::Answers;
    let (mut province, mut all) = stations(&FAST, manner).await;
    // The first takes connections and never answers; the second takes none.
    let mute = Station::open(|_| PlantAction::Hangs).await;
    province.channels[0].port = mute.address.port();
    all[1].go().await;
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let start = Instant::now();
    let (mut replies, mut missed) = (BTreeMap::new(), BTreeMap::new());
    while start.elapsed() < Duration::from_secs(3) {
        let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
        match &update.news {
            News::Answers(answers) => {
                *replies.entry(update.channel).or_insert(0) +=
                    answers.iter().filter(|answer| answer.miss().is_none()).count();
            }
            News::Overrun(overrun) => {
                *missed.entry(update.channel).or_insert(0) +=
                    usize::try_from(overrun.missed).unwrap();
            }
            _ => {}
        }
    }
    let lasted = start.elapsed();
    for n in 2..province.channels.len() {
        let scans = replies[&ChannelId::at(n)] / plans[n].blocks.len();
        let missed = missed.get(&ChannelId::at(n)).copied().unwrap_or(0);
        assert_read(&format!("channel {n}"), (scans, missed), lasted);
    }
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_6_a_station_is_read_in_blocks_not_register_by_register() {
    let (province, all) = stations(&SLOW, |_| PlantAction::Answers).await;
    let station = &all[0];
    let (province, monitor) = monitor(&province);
    until(&monitor, "the first scan", |p| p.first_scan().lacking() == 0).await;
    let read = province.channels[0].entries.iter().filter(|entry| entry.register.is_some()).count();
    let requests = usize::try_from(station.requests()).unwrap();
    assert_eq!(requests, plans(&province)[0].blocks.len(), "what was planned, and no more");
    assert!(requests * 15 < read, "{requests} requests for {read} points");
    monitor.stop().await;
}

/// Requests by unit, function and address.
type Counts = BTreeMap<(u8, u8, u16), usize>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_7_each_signal_is_read_at_its_own_rate() {
    let counts: Arc<Mutex<Counts>> = Arc::default();
    let counted = Arc::clone(&counts);
    let manner = move |asked: &Asked| {
        let place = (asked.unit(), asked.function(), asked.address());
        *counted.lock().unwrap().entry(place).or_default() += 1;
        PlantAction::Answers
    };
    let periods = [("fast", 0.2), ("normal", 0.4), ("slow", 0.8), ("counters", 1.6)];
    let (mut province, mut all) = stations(&periods, manner).await;
    let _station = alone(&mut province, &mut all);
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let (start, mut missed) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(5) {
        let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
        if let News::Overrun(overrun) = update.news {
            missed += usize::try_from(overrun.missed).unwrap();
        }
    }
    let seen = start.elapsed().saturating_sub(UNTOLD);
    collector.stop().await;
    let lasted = start.elapsed();
    let counts = counts.lock().unwrap();
    for block in plans[0].blocks.iter().filter(|block| block.scan != config::Scan::Metering) {
        let place = (block.unit, block.table.read_function(), block.address);
        let (asked, period) = (counts[&place], province.scan.seconds(block.scan));
        // The whole at once when the connection is there, then each slot once.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few")]
        let slots = |time: Duration| (time.as_secs_f64() / period) as usize;
        let most = slots(lasted) + 3;
        assert!(asked <= most, "{:?} was asked {asked} times, {most} at most", block.scan);
        assert!(asked + missed + 2 >= slots(seen), "{:?}: {asked} in {seen:?}", block.scan);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_8_an_overrun_is_told_with_its_cause_and_nothing_queues_up() {
    // Each reply takes 40 ms, one after the other: a scan of 0.2 s takes half a second and more.
    let manner =
        |asked: &Asked| PlantAction::Pieces(vec![(Duration::from_millis(40), asked.reply())]);
    let (mut province, mut all) = stations(&FAST, manner).await;
    let station = alone(&mut province, &mut all);
    set_devices(&mut province, |device| device.in_flight = 1);
    let overrun = |news: &News| match news {
        News::Overrun(overrun) => Some(*overrun),
        _ => None,
    };
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    for _ in 0..3 {
        let Overrun { missed, unasked, took_ms, period_ms, cause } =
            next_event(&mut updates, overrun).await;
        assert_eq!((unasked, period_ms, cause), (0, 200, OverrunCause::SlowReplies));
        assert!(missed >= 1 && took_ms > 200, "{missed} slots, {took_ms} ms");
    }
    // Slots that were missed are not made up for: the station is never asked more than one by one.
    let (asked, start) = (station.requests(), Instant::now());
    sleep(Duration::from_secs(1)).await;
    let asked = u128::from(station.requests() - asked);
    let most = start.elapsed().as_millis() / 40 + 2;
    assert!(asked <= most, "{asked} requests: one each 40 ms at most");
    collector.stop().await;
    // A scan has a deadline: what is left is asked first with the next, so that all get their turn.
    set_devices(&mut province, |device| device.scan_timeout_ms = 200);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let overrun = next_event(&mut updates, overrun).await;
    assert!(overrun.unasked > 0, "{overrun:?}");
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < plans[0].blocks.len() {
        seen.extend(
            next_event(&mut updates, |news| match news {
                News::Answers(answers) => {
                    Some(answers.iter().map(|answer| answer.group).collect::<Vec<_>>())
                }
                _ => None,
            })
            .await,
        );
    }
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_8_a_scan_whose_deadline_comes_in_a_pause_is_followed_by_the_next() {
    let (mut province, mut all) = stations(&FAST, |_| PlantAction::Answers).await;
    let station = alone(&mut province, &mut all);
    set_devices(&mut province, |device| {
        (device.pause_between_ms, device.scan_timeout_ms) = (30, 100);
    });
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    for _ in 0..10 {
        let overrun = next_event(&mut updates, |news| match news {
            News::Overrun(overrun) => Some(*overrun),
            _ => None,
        });
        assert!(overrun.await.unasked > 0);
    }
    assert!(station.requests() >= 20);
    timeout(PATIENCE, collector.stop()).await.expect("every task can be stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_5_a_unit_that_refuses_and_then_falls_silent_does_not_stop_its_neighbours() {
    let stage = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&stage);
    // First all statuses of unit 1 are refused, then the connection breaks and the unit is silent.
    let manner = move |asked: &Asked| match (now.load(Ordering::Relaxed), asked.unit()) {
        (0, 1) if asked.function() == 2 => PlantAction::Refuses(2),
        (1, _) => PlantAction::Resets,
        (2, 1) => PlantAction::Silent,
        _ => PlantAction::Answers,
    };
    let (mut province, mut all) = stations(&FAST, manner).await;
    let _station = alone(&mut province, &mut all);
    quick_backoff(&mut province);
    set_devices(&mut province, |device| device.reply_timeout_ms = 100);
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let good = |unit: u8, count: usize| {
        let plan = Arc::clone(&plans[0]);
        let mut seen = 0;
        move |news: &News| {
            if let News::Answers(own) = news {
                let of_unit = own.iter().filter(|a| plan.blocks[usize::from(a.group)].unit == unit);
                seen += of_unit.filter(|answer| answer.miss().is_none()).count();
            }
            (seen >= count).then_some(())
        }
    };
    next_event(&mut updates, good(1, 20)).await;
    stage.store(1, Ordering::Relaxed);
    next_event(&mut updates, |news| matches!(news, News::Lost(_)).then_some(())).await;
    stage.store(2, Ordering::Relaxed);
    next_event(&mut updates, |news| matches!(news, News::Silent { device: 1, .. }).then_some(()))
        .await;
    // Some scans more, probes of the silent unit among them.
    next_event(&mut updates, good(2, 100)).await;
    stage.store(3, Ordering::Relaxed);
    next_event(&mut updates, good(1, 20)).await;
    timeout(PATIENCE, collector.stop()).await.expect("every task can be stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_1_a_station_that_closes_idle_connections_is_read_with_each_slot() {
    // It closes after 50 ms without a request; slots are 200 ms apart.
    let manner = |_: &Asked| PlantAction::AnswersAndClosesWhenIdle(Duration::from_millis(50));
    let (mut province, mut all) = stations(&FAST, manner).await;
    let _station = alone(&mut province, &mut all);
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let (mut good, mut renewed) = (0, 0);
    while good < 20 * plans[0].blocks.len() || renewed < 5 {
        let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
        match update.news {
            News::Answers(answers) => {
                good += answers.iter().filter(|answer| answer.miss().is_none()).count();
            }
            News::Renewed(_) => renewed += 1,
            News::Lost(fault) => panic!("the link is not lost: {fault:?}"),
            _ => {}
        }
    }
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_8_an_overrun_by_a_silent_unit_names_the_unit() {
    let manner =
        |asked: &Asked| if asked.unit() == 3 { PlantAction::Silent } else { PlantAction::Answers };
    let (mut province, mut all) = stations(&FAST, manner).await;
    let _station = alone(&mut province, &mut all);
    set_devices(&mut province, |device| device.reply_timeout_ms = 700);
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    // The first scan asks for everything at once and misses no slot; the probes after it do.
    let overrun = next_event(&mut updates, |news| match news {
        News::Overrun(overrun) if overrun.cause == OverrunCause::SilentDevice(3) => Some(*overrun),
        _ => None,
    });
    assert!(overrun.await.took_ms >= 700);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_10_a_station_that_takes_one_connection_is_never_asked_for_two() {
    // It hangs up now and then, talks nonsense, falls silent: each ends the connection.
    let manner = |asked: &Asked| match asked.number % 31 {
        7 => PlantAction::Closes,
        17 => PlantAction::Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        27 => PlantAction::Resets,
        _ => PlantAction::Answers,
    };
    let (mut province, all) = stations(&FAST, manner).await;
    quick_backoff(&mut province);
    set_devices(&mut province, |device| device.reply_timeout_ms = 100);
    let (_, monitor) = monitor(&province);
    let asked = |_: &Snapshot| all.iter().all(|station| station.requests() > 300);
    until(&monitor, "some hundred requests", asked).await;
    for station in &all {
        let (accepted, most_open) = station.connections();
        // The old one is closed before a new one is opened, though the station may see it later.
        assert!(accepted > 3 && most_open <= 2, "{accepted} connections, {most_open} at once");
    }
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_10_a_station_without_a_free_connection_is_seen_as_such_and_comes_up_when_it_has() {
    // A second connection is closed at once, as devices do whose places are taken.
    let full = Arc::new(AtomicBool::new(true));
    let is_full = Arc::clone(&full);
    let manner = move |_: &Asked| {
        if is_full.load(Ordering::Relaxed) { PlantAction::Closes } else { PlantAction::Answers }
    };
    let (mut province, _all) = stations(&FAST, manner).await;
    quick_backoff(&mut province);
    let (_, monitor) = monitor(&province);
    let closed = |snapshot: &Snapshot| {
        let fault = |c: &gridwatch::historian::snapshot::ChannelSnapshot| c.link.fault.clone();
        snapshot.channels.iter().all(|channel| fault(channel) == Some(LinkFault::Closed))
    };
    until(&monitor, "closed by the station", closed).await;
    full.store(false, Ordering::Relaxed);
    until(&monitor, "all connected", all_connected).await;
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_13_a_slow_device_gets_its_pauses_and_one_request_at_a_time() {
    let log: Arc<Mutex<Vec<(u16, Instant)>>> = Arc::default();
    let written = Arc::clone(&log);
    let manner = move |asked: &Asked| {
        written.lock().unwrap().push((asked.port, asked.at));
        PlantAction::Pieces(vec![(Duration::from_millis(5), asked.reply())])
    };
    let (mut province, _all) = stations(&SLOW, manner).await;
    set_devices(&mut province, |device| {
        (device.in_flight, device.pause_after_connect_ms, device.pause_between_ms) = (8, 300, 20);
    });
    let connecting = Instant::now();
    let (_, monitor) = monitor(&province);
    until(&monitor, "the first scan", |p| p.first_scan().lacking() == 0).await;
    monitor.stop().await;
    let mut log = log.lock().unwrap();
    log.sort();
    for pair in log.windows(2) {
        let apart = pair[1].1 - pair[0].1;
        if pair[0].0 != pair[1].0 {
            let after = pair[1].1 - connecting;
            assert!(after >= Duration::from_millis(300), "a pause after connecting, not {after:?}");
            continue;
        }
        assert!(
            apart >= Duration::from_millis(24),
            "a reply and a pause lie between, not {apart:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pain_13_a_device_is_asked_for_no_more_than_it_can_take_at_once() {
    let manner = |asked: &Asked| {
        let limit = if asked.function() <= 2 { 96 } else { 10 };
        assert!(asked.count() <= limit, "{} cells", asked.count());
        PlantAction::Answers
    };
    let (mut province, _all) = stations(&SLOW, manner).await;
    set_devices(&mut province, |device| (device.registers_max, device.bits_max) = (10, 96));
    province.channels.iter_mut().for_each(|channel| channel.whole.clear());
    let (_, monitor) = monitor(&province);
    let snapshot = until(&monitor, "the first scan", |p| p.first_scan().lacking() == 0).await;
    assert!(values_on_their_points(&snapshot) > 1_000);
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_requests_share_one_round_trip_where_the_device_takes_them() {
    // The station answers nothing until it has seen twelve requests: one by one, none would ever be.
    let (held, enough) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
    let (holding, ring) = (Arc::clone(&held), Arc::clone(&enough));
    let manner = move |asked: &Asked| {
        let mut held = holding.lock().unwrap();
        held.push(asked.reply());
        if held.len() < 12 {
            return PlantAction::Silent;
        }
        ring.notify_one();
        PlantAction::Sends(held.drain(..).flatten().collect())
    };
    let (mut province, mut all) = stations(&SLOW, manner).await;
    let _station = alone(&mut province, &mut all);
    set_devices(&mut province, |device| (device.in_flight, device.registers_max) = (12, 40));
    let mut blocks = plans(&province)[0].blocks.clone();
    assert!(blocks.len() >= 12);
    blocks.truncate(12);
    let plans = [Arc::new(Plan::of(blocks, |_| 1_000))];
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let mut good = 0;
    while good < 12 {
        good += next_event(&mut updates, |news| match news {
            News::Answers(answers) => {
                Some(answers.iter().filter(|answer| answer.miss().is_none()).count())
            }
            _ => None,
        })
        .await;
    }
    collector.stop().await;
}

/// A station by the Modbus library: another implementation of the protocol than the collector's own.
struct Library(Arc<AtomicU64>);

impl Service for Library {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        let unit = request.slave;
        let cells = |table: RegisterTable, address: u16, count: u16| {
            let function = table.read_function();
            (address..address + count).map(move |at| identity(unit, function, at))
        };
        future::ready(match request.request {
            Request::ReadDiscreteInputs(address, count) => Ok(Response::ReadDiscreteInputs(
                cells(RegisterTable::Discrete, address, count).map(|cell| cell & 1 == 1).collect(),
            )),
            Request::ReadInputRegisters(address, count) => Ok(Response::ReadInputRegisters(
                cells(RegisterTable::Input, address, count).collect(),
            )),
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_speaks_by_the_modbus_library_is_read() {
    let (mut province, _all) = stations(&SLOW, |_| PlantAction::Silent).await;
    let served = Arc::new(AtomicU64::new(0));
    for channel in &mut province.channels {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        channel.port = listener.local_addr().unwrap().port();
        let served = Arc::clone(&served);
        tokio::spawn(async move {
            let on_connected = |stream, _| {
                let service = Library(Arc::clone(&served));
                future::ready(Ok(Some((service, stream))))
            };
            let _ = Server::new(listener).serve(&on_connected, |_| {}).await;
        });
    }
    let (_, monitor) = monitor(&province);
    let snapshot = until(&monitor, "the first scan", |p| p.first_scan().lacking() == 0).await;
    assert!(values_on_their_points(&snapshot) > 1_000);
    assert_eq!(snapshot.traffic.errors(), 0);
    monitor.stop().await;
}
