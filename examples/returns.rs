//! How soon a station is there again, and how long a scan over a slow link takes. Prints the figures
//! that stand in docs/measurements.md.
//!
//! ```text
//! cargo run --release --example returns              200 stations, 40 returns of one of them
//! cargo run --release --example returns -- 20 5      fewer
//! ```

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::sync::Arc;
use std::time::Duration;

use config::{ChannelId, Province};
use gridwatch::clock::Clock;
use gridwatch::collector::Collector;
use gridwatch::collector::plan::{Plan, plans};
use gridwatch::signal::update::{Answer, News, Update};
use sim::{Ports, Simulation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

/// Round trip of the slow link.
const ROUND_TRIP: Duration = Duration::from_millis(100);
/// Blocks of a scan over it.
const BLOCKS: usize = 12;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().map_or(default, |text| text.parse().expect("a number"));
    let (stations, returns) = (number(200_usize), number(40_usize));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        over_a_slow_link().await;
        returning(stations, returns).await;
    });
}

fn is_good(news: &News) -> bool {
    matches!(news, News::Answers(answers) if answers.iter().any(|answer| answer.miss().is_none()))
}

async fn next(updates: &mut Receiver<Update>) -> Update {
    updates.recv().await.expect("the collector runs")
}

/// Stations leave and come back: one at a time, then all at once.
async fn returning(stations: usize, returns: usize) {
    let mut province = Province::fleet(stations).expect("a fleet");
    let clock = Clock::system();
    let own = clock.clone();
    let time = Arc::new(move || own.now().0);
    let simulation = Simulation::start(Arc::new(province.clone()), Ports::Ephemeral, time);
    let simulation = simulation.await.expect("the stations listen");
    for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
        (channel.host, channel.port) = (address.ip().to_string(), address.port());
    }
    let plans = plans(&province);
    let (collector, mut updates) =
        Collector::start(&province, &plans, clock).expect("the stations are polled");
    let mut live = vec![false; stations];
    let began = Instant::now();
    while live.iter().any(|live| !live) {
        let update = next(&mut updates).await;
        live[update.channel.index()] |= is_good(&update.news);
    }
    println!(
        "{stations} stations called for the first time: all live after {:.2} s",
        began.elapsed().as_secs_f64()
    );

    let mut took = Vec::new();
    for n in 0..returns {
        let gone = ChannelId::at(n * 7 % stations);
        simulation.set_online(gone, false).await.expect("it goes");
        // Away for some two seconds: some tries have failed by then.
        let until = Instant::now() + Duration::from_millis(1_700 + 97 * (n as u64 % 7));
        let mut lost = false;
        while Instant::now() < until || !lost {
            let update = next(&mut updates).await;
            lost |= update.channel == gone && matches!(update.news, News::Lost(_));
        }
        simulation.set_online(gone, true).await.expect("it comes back");
        let back = Instant::now();
        loop {
            let update = next(&mut updates).await;
            if update.channel == gone && is_good(&update.news) {
                break;
            }
        }
        took.push(back.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    let [first, .., last] = took[..] else { return };
    println!(
        "a station that was away for 2 s, from its return to its first good value, {returns} times: \
         min {first:.2}, median {:.2}, max {last:.2} s",
        took[took.len() / 2]
    );

    let overflows = listen_overflows();
    for n in 0..stations {
        simulation.set_online(ChannelId::at(n), false).await.expect("it goes");
    }
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        tokio::select! {
            _ = next(&mut updates) => {}
            () = sleep_until(until) => {}
        }
    }
    for n in 0..stations {
        simulation.set_online(ChannelId::at(n), true).await.expect("it comes back");
    }
    let back = Instant::now();
    live.fill(false);
    let mut times = Vec::new();
    while times.len() < stations {
        let update = next(&mut updates).await;
        let live = &mut live[update.channel.index()];
        if !*live && is_good(&update.news) {
            *live = true;
            times.push(back.elapsed().as_secs_f64());
        }
    }
    println!(
        "{stations} stations back at once after 20 s: half of them live after {:.2} s, all after \
         {:.2} s; listen queues that ran over: {}",
        times[stations / 2],
        times[stations - 1],
        listen_overflows() - overflows
    );
    collector.stop().await;
    simulation.stop().await;
}

/// Connections that the system has dropped because a listener's queue was full, since it started.
fn listen_overflows() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("TcpExt:")).collect();
    let [names, values] = lines[..] else { return 0 };
    let names = names.split_whitespace().zip(values.split_whitespace());
    let found = names.into_iter().find(|(name, _)| *name == "ListenOverflows");
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// A station that answers each request a round trip after it came, however many are under way.
async fn slow_station(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a socket");
        let (mut reader, mut writer) = stream.into_split();
        let (sender, mut due) = tokio::sync::mpsc::channel::<(Instant, [u8; 12])>(1_024);
        tokio::spawn(async move {
            while let Some((at, asked)) = due.recv().await {
                sleep_until(at).await;
                let count = usize::from(u16::from_be_bytes([asked[10], asked[11]]));
                let bytes = if asked[7] <= 2 { count.div_ceil(8) } else { 2 * count };
                let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
                let mut reply = vec![
                    asked[0],
                    asked[1],
                    0,
                    0,
                    0,
                    byte(bytes + 3),
                    asked[6],
                    asked[7],
                    byte(bytes),
                ];
                reply.resize(9 + bytes, 0);
                if writer.write_all(&reply).await.is_err() {
                    return;
                }
            }
        });
        let mut asked = [0; 12];
        while reader.read_exact(&mut asked).await.is_ok() {
            if sender.send((Instant::now() + ROUND_TRIP, asked)).await.is_err() {
                break;
            }
        }
    }
}

/// Scans of twelve blocks, by how many requests the device takes at once.
async fn over_a_slow_link() {
    for in_flight in [1, 4, 12, 16] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut province = Province::fleet(1).expect("a fleet");
        province.channels[0].port = listener.local_addr().expect("a port").port();
        province.channels[0].device.in_flight = in_flight;
        province.channels[0].device.registers_max = 40;
        province.channels[0].device.events = false;
        tokio::spawn(slow_station(listener));
        let mut blocks = plans(&province)[0].blocks.clone();
        blocks.truncate(BLOCKS);
        assert_eq!(blocks.len(), BLOCKS);
        let plans = [Arc::new(Plan::of(blocks, |_| 1_000))];
        let (collector, mut updates) =
            Collector::start(&province, &plans, Clock::system()).expect("it is polled");
        // Of each scan: from the first request to the end of the last reply.
        let mut scans = Vec::new();
        let mut answers = Vec::new();
        while scans.len() < 5 {
            if let News::Answers(some) = next(&mut updates).await.news {
                answers.extend(some);
            }
            if answers.len() >= BLOCKS {
                let scan: Vec<_> = answers.drain(..BLOCKS).collect();
                let sent = scan.iter().map(|answer| answer.evidence.at.0).min().unwrap_or(0);
                let end = |Answer { evidence, .. }: &Answer| {
                    evidence.at.0 * 1_000 + i64::from(evidence.took_us)
                };
                let took = scan.iter().map(end).max().unwrap_or(0) - sent * 1_000;
                #[expect(clippy::cast_precision_loss, reason = "some thousands")]
                scans.push(took as f64 / 1_000.0 / ROUND_TRIP.as_secs_f64() / 1_000.0);
            }
        }
        scans.sort_by(f64::total_cmp);
        println!(
            "{BLOCKS} blocks over a round trip of 100 ms, {in_flight:>2} in flight: a scan takes {:.2} \
             round trips (median of five)",
            scans[2]
        );
        collector.stop().await;
    }
}
