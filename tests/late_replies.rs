//! A reply that comes too late, or wrong in any other way, never lands on another point.
//!
//! A tenth of all replies has a fault of the wire, chosen by chance from a seed. The short run is part
//! of every test run; the long one, a million replies, is
//!
//! ```text
//! cargo test --release --test it a_million_replies -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::Province;
use gridwatch::clock::{Clock, Timestamp};
use gridwatch::collector::Collector;
use gridwatch::collector::plan::{Plan, plans};
use gridwatch::collector::poll::Exchange;
use gridwatch::monitor::Monitor;
use gridwatch::signal::update::{Answer, Evidence, Miss, News, Update};
use tokio::time::timeout;

use crate::field::PATIENCE;
use crate::station::{Asked, PlantAction, Station, identity, stations, values_on_their_points};

const DEADLINE_MS: u32 = 40;
const DEADLINE: Duration = Duration::from_millis(DEADLINE_MS as u64);
const LATE: Duration = Duration::from_millis(90);
/// First and longest wait before a station is called again, milliseconds.
const BACKOFF_MS: (u32, u32) = (50, 200);
/// A unit that did not answer is left alone for this long at first: the longest wait of all here.
const UNIT_PAUSE: Duration = Duration::from_secs(1);

/// Faults of the wire, by number.
const FAULTS: [&str; 11] = [
    "late, others wait",
    "late, others overtake",
    "truncated",
    "split",
    "duplicated",
    "wrong transaction",
    "wrong unit",
    "wrong function",
    "reset",
    "half-open",
    "garbage",
];

/// Chance: the same for the same seed and number.
fn chance(seed: u64, number: u64) -> u64 {
    let x = (seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The fault of a request, when it has one: every tenth, but the rare ones that cost a connection.
fn fault_of(seed: u64, asked: &Asked) -> Option<(usize, u64)> {
    let x = chance(seed, asked.number);
    let kind = usize::try_from(x >> 8 & 0xFFFF).unwrap() % FAULTS.len();
    x.is_multiple_of(10).then_some((kind, x >> 16))
}

fn misbehave(seed: u64, asked: &Asked) -> PlantAction {
    let Some((fault, x)) = fault_of(seed, asked) else { return PlantAction::Answers };
    let good = asked.reply();
    let part = usize::try_from(x & 0xFFFF).unwrap();
    let at = |length: usize| 1 + part % (length - 1);
    let [.., wide, low] = x.to_be_bytes();
    match fault {
        0 => PlantAction::Pieces(vec![(LATE, good)]),
        1 => PlantAction::Later(LATE, good),
        2 => PlantAction::Sends(good[..at(good.len())].to_vec()),
        3 => {
            let (one, other) = good.split_at(at(good.len()));
            let pause = DEADLINE / 8;
            PlantAction::Pieces(vec![(Duration::ZERO, one.to_vec()), (pause, other.to_vec())])
        }
        4 => PlantAction::Sends([&good[..], &good[..]].concat()),
        5 => {
            let mut other = good;
            let wrong = if low & 1 == 0 { 1 } else { u16::from_be_bytes([wide, low]) };
            let number = u16::from_be_bytes([other[0], other[1]]) ^ wrong;
            other[..2].copy_from_slice(&number.to_be_bytes());
            PlantAction::Sends(other)
        }
        6 => {
            let mut other = good;
            other[6] ^= 1 + low % 200;
            PlantAction::Sends(other)
        }
        7 => {
            let mut other = good;
            other[7] ^= 1 + low % 7;
            PlantAction::Sends(other)
        }
        8 => PlantAction::Resets,
        9 => PlantAction::Hangs,
        _ => {
            let bytes = (0..=x % 300).map(|n| chance(seed ^ 7, x ^ n).to_be_bytes()[7]);
            PlantAction::Sends(bytes.collect())
        }
    }
}

/// What a soak has seen.
#[derive(Default)]
struct Seen {
    good: u64,
    cells: u64,
    faults: BTreeMap<String, u64>,
    lost: u64,
    late: u64,
    unknown: u64,
    /// When each channel last brought values, and the longest time that one did not.
    last: BTreeMap<u16, Timestamp>,
    longest_ms: i64,
}

impl Seen {
    fn take(&mut self, plans: &[Arc<Plan>], update: &Update) {
        match &update.news {
            News::Answers(answers) => {
                for answer in answers {
                    self.take_answer(&plans[update.channel.index()], answer, update);
                }
            }
            News::Lost(_) => self.lost += 1,
            News::Strays(strays) => {
                self.late += u64::from(strays.late);
                self.unknown += u64::from(strays.unknown);
            }
            _ => {}
        }
    }

    fn take_answer(&mut self, plan: &Plan, answer: &Answer, update: &Update) {
        let block = &plan.blocks[usize::from(answer.group)];
        if let Some(miss) = answer.miss() {
            *self.faults.entry(format!("{miss:?}")).or_default() += 1;
            return;
        }
        let Evidence { sent, received, .. } = &answer.evidence;
        let [.., high, low, count_high, count_low] = **sent else { panic!("a request") };
        let count = u16::from_be_bytes([count_high, count_low]);
        let exchange = Exchange { reply: received.clone(), ..Exchange::default() };
        let mut cells = Vec::new();
        exchange.read_cells(count.into(), block.table.is_bits(), &mut cells);
        assert_eq!(cells.len(), usize::from(count));
        for (address, cell) in (u16::from_be_bytes([high, low])..).zip(&cells) {
            let own = identity(block.unit, block.table.read_function(), address);
            let own = if block.table.is_bits() { own & 1 } else { own };
            assert_eq!(*cell, own, "a register holds what another one does: {answer:?}");
        }
        self.good += 1;
        self.cells += cells.len() as u64;
        let before = self.last.insert(update.channel.0, update.at).unwrap_or(update.at);
        self.longest_ms = self.longest_ms.max(update.at.since(before));
    }
}

/// Kilobytes resident.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

const FAST: [(&str, f64); 5] =
    [("fast", 0.1), ("normal", 0.1), ("slow", 0.1), ("counters", 0.1), ("metering", 0.1)];

/// Misbehaving stations, `copies` for each channel, with so many requests in flight.
async fn bench(seed: u64, copies: usize, in_flight: u8) -> (Province, Vec<Station>) {
    let (mut province, mut all) = stations(&FAST, move |asked| misbehave(seed, asked)).await;
    let channels = province.channels.clone();
    for copy in 1..copies as u64 {
        for channel in &channels {
            let station = Station::open(move |asked| misbehave(seed ^ copy << 32, asked)).await;
            let port = station.address.port();
            province.channels.push(config::Channel { port, ..channel.clone() });
            all.push(station);
        }
    }
    for channel in &mut province.channels {
        channel.device.reply_timeout_ms = DEADLINE_MS;
        channel.device.in_flight = in_flight;
    }
    (province.link.backoff_first_ms, province.link.backoff_longest_ms) = BACKOFF_MS;
    (province, all)
}

/// Polls misbehaving stations until they have seen so many requests.
#[expect(clippy::print_stdout, reason = "what the long run is for")]
async fn soak(seed: u64, copies: usize, in_flight: u8, requests: u64) -> Seen {
    let (province, all) = bench(seed, copies, in_flight).await;
    let plans = plans(&province);
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let mut seen = Seen::default();
    let (mut next, mut memory) = (requests / 10, Vec::new());
    loop {
        let update = timeout(PATIENCE, updates.recv()).await.expect("something comes").unwrap();
        seen.take(&plans, &update);
        let asked: u64 = all.iter().map(Station::requests).sum();
        if asked >= next {
            memory.push(resident_kb());
            next += requests / 10;
        }
        if asked >= requests {
            break;
        }
    }
    collector.stop().await;
    println!(
        "seed {seed}, {in_flight} in flight: {} requests, {} replies with {} registers and bits \
         taken, 0 of them wrong; {:?}; {} late and {} unknown replies left aside; {} links lost; \
         longest time without a value {} ms; resident kB at each tenth {memory:?}",
        all.iter().map(Station::requests).sum::<u64>(),
        seen.good,
        seen.cells,
        seen.faults,
        seen.late,
        seen.unknown,
        seen.lost,
        seen.longest_ms,
    );
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_register_holds_what_another_does_whatever_goes_wrong_on_the_wire() {
    for in_flight in [1, 8] {
        let seen = soak(42, 2, in_flight, 6_000).await;
        assert!(seen.good > 3_000, "{} replies", seen.good);
        for fault in [Miss::NoReply, Miss::Malformed] {
            assert!(seen.faults.contains_key(&format!("{fault:?}")), "{:?}", seen.faults);
        }
        assert!(seen.late > 0 && seen.unknown > 0, "late {}, unknown {}", seen.late, seen.unknown);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a million replies take some minutes"]
async fn a_million_replies_with_every_tenth_wrong_and_no_value_on_a_wrong_point() {
    for (seed, in_flight) in [(1, 1), (2, 8), (3, 16)] {
        let mut seen = Seen::default();
        while seen.good < 1_000_000 {
            let part = soak(seed + 100 * seen.good, 20, in_flight, 600_000).await;
            seen.good += part.good;
            // Two periods of the longest wait there is, and the deadline that it began with.
            let bound = 2 * UNIT_PAUSE + DEADLINE;
            assert!(
                u128::try_from(part.longest_ms).unwrap() <= bound.as_millis(),
                "{} ms",
                part.longest_ms
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_lands_on_a_wrong_point_of_the_snapshot() {
    let (province, all) = bench(7, 1, 8).await;
    let monitor = Monitor::start(&Arc::new(province), Clock::system()).unwrap();
    let mut news = monitor.news();
    let watched = timeout(PATIENCE, async {
        while all.iter().map(Station::requests).sum::<u64>() < 3_000 {
            news.changed().await.unwrap();
            let snapshot = Arc::clone(&news.borrow_and_update());
            values_on_their_points(&snapshot);
        }
    });
    watched.await.expect("the stations were asked often enough");
    let snapshot = Arc::clone(&news.borrow());
    assert!(values_on_their_points(&snapshot) > 1_000);
    monitor.stop().await;
}
