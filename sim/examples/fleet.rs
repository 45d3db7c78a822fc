//! Lives through some seconds of a fleet without sockets, and says what they cost.
//!
//! ```text
//! cargo run --release -p gridwatch-sim --example fleet                 1 000 stations, 60 s
//! cargo run --release -p gridwatch-sim --example fleet -- 10000 20     10 000 stations, 20 s
//! ```

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::sync::Arc;
use std::time::Instant;

use config::{ChannelId, Province};
use sim::Field;

/// 2022-07-01 00:00 in Hòa Bình: a month of storms.
const START_MS: i64 = 1_656_608_400_000;

fn main() {
    let mut args = std::env::args().skip(1).map(|text| text.parse().expect("a whole number"));
    let stations = args.next().unwrap_or(1_000);
    let seconds = args.next().unwrap_or(60);
    let began = Instant::now();
    let province = Arc::new(Province::fleet(stations).expect("a fleet"));
    let contract = began.elapsed().as_secs_f64();
    let mut field = Field::new(Arc::clone(&province));
    field.step(START_MS);
    let start = began.elapsed().as_secs_f64();
    println!("{stations} stations: contract {contract:.2} s, up to the first second {start:.2} s");
    let (mut steps, mut images) = (Vec::new(), Vec::new());
    let mut events = 0;
    for second in 1..=seconds {
        let began = Instant::now();
        field.step(START_MS + i64::try_from(second).unwrap_or(i64::MAX) * 1_000);
        steps.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        for n in 0..province.channels.len() {
            std::hint::black_box(field.image(ChannelId::at(n)));
        }
        images.push(began.elapsed().as_secs_f64());
        events += field.events().len();
    }
    println!("{events} events; milliseconds a second, median and worst:");
    for (what, mut times) in [("step", steps), ("images", images)] {
        times.sort_by(f64::total_cmp);
        let ms = |n: usize| times.get(n).map_or(0.0, |s| 1e3 * s);
        println!("  {what:<7} {:8.2} {:8.2}", ms(times.len() / 2), ms(times.len() - 1));
    }
}
