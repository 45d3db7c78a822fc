//! Feeds the updates of a fleet to a historian, without sockets, and says what they and its
//! snapshots cost.
//!
//! ```text
//! cargo run --release --example historian                 1 000 stations, 20 rounds
//! cargo run --release --example historian -- 10000 5      10 000 stations, 5 rounds
//! ```
//!
//! A round is a second: every station is read once, and two snapshots are made, one half way.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::sync::Arc;
use std::time::Instant;

use config::{ChannelId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::collector::answers::Decoder;
use gridwatch::collector::plan::{Block, layouts, plans};
use gridwatch::collector::poll::{Exchange, Poll};
use gridwatch::historian::Historian;
use gridwatch::signal::update::Update;

const START: Timestamp = Timestamp(1_656_608_400_000);

fn main() {
    let mut args = std::env::args().skip(1).map(|text| text.parse().expect("a whole number"));
    let stations = args.next().unwrap_or(1_000);
    let rounds = args.next().unwrap_or(20);
    let province = Arc::new(Province::fleet(stations).expect("a fleet"));
    let points: usize = province.stations.iter().map(|station| station.points.len()).sum();
    let began = Instant::now();
    let plans = plans(&province);
    let planned = began.elapsed().as_secs_f64();
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    let made = began.elapsed().as_secs_f64();
    println!(
        "{stations} stations, {points} points: plans {planned:.2} s, with historian {made:.2} s"
    );
    let channels = province.channels.iter().zip(&plans);
    let mut decoders: Vec<Decoder> =
        channels.map(|(channel, plan)| Decoder::new(&province, channel, plan)).collect();
    let (mut accepts, mut snapshots) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let second = START.plus(1_000 * i64::try_from(round).unwrap_or(0));
        let mut accepting = 0.0;
        for half in 0..2 {
            let at = second.plus(500 * half);
            let own = (0..province.channels.len()).filter(|n| (n % 2 == 0) == (half == 0));
            let updates: Vec<Update> = own
                .map(|n| update(&mut decoders[n], (ChannelId::at(n), at), &plans[n].blocks, round))
                .collect();
            let began = cpu_seconds();
            for update in &updates {
                historian.accept(update);
            }
            accepting += cpu_seconds() - began;
            let began = cpu_seconds();
            // As the monitor does: the next snapshot takes the place of this one.
            drop(std::hint::black_box(historian.snapshot(at.plus(100))));
            snapshots.push(cpu_seconds() - began);
        }
        accepts.push(accepting);
    }
    for (what, mut times) in [("accept", accepts), ("snapshot", snapshots)] {
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or(0.0);
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let per_point = 1e9 * median / points as f64;
        println!("{what:<8} {:8.2} ms, {per_point:6.1} ns a point", 1e3 * median);
    }
}

/// Seconds that this thread has run: others on the machine do not count. Only Linux tells.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("nanoseconds") / 1e9
}

/// One scan of a station: a reply to each request, bits all off and registers counting.
fn update(
    decoder: &mut Decoder,
    (channel, at): (ChannelId, Timestamp),
    blocks: &[Block],
    round: usize,
) -> Update {
    let poll = |(block, asked): (usize, &Block)| {
        let bytes = if asked.table.is_bits() {
            usize::from(asked.count).div_ceil(8)
        } else {
            2 * usize::from(asked.count)
        };
        let mut reply = vec![0; Exchange::REPLY_HEAD + bytes];
        if !asked.table.is_bits() {
            for (n, byte) in reply[Exchange::REPLY_HEAD..].iter_mut().enumerate() {
                *byte = u8::try_from((n + round) % 2).unwrap_or(0);
            }
        }
        let exchange = Exchange { at, took_us: 300, reply: reply.into(), ..Exchange::default() };
        let (offset, count) = (0, asked.count);
        Poll { block, offset, count, fault: None, in_parts: false, exchange }
    };
    let polls = blocks.iter().enumerate().map(poll).collect();
    decoder.update(channel, at, polls)
}
