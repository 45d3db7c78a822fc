//! Lives through a stretch of simulated time without sockets, and says what it cost.
//!
//! ```text
//! cargo run --release -p gridwatch-sim --example day                            Hòa Bình, 24 h
//! cargo run --release -p gridwatch-sim --example day -- config/small.toml 168   a week of three stations
//! ```
//!
//! Every second of it has the power flow, the measuring chain, and the register images of all
//! channels; sent minus true is compared with the class of every point each minute.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use config::{ChannelId, PointId, Province};
use sim::Field;

/// 2022-07-01 00:00 in Hòa Bình: a month of storms.
const START_MS: i64 = 1_656_608_400_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let province = match args.next() {
        Some(path) => Province::load(Path::new(&path)).expect("the file is a province"),
        None => Province::built_in(),
    };
    let hours: i64 = args.next().map_or(24, |text| text.parse().expect("hours"));
    let province = Arc::new(province);
    let channels = province.channels.len();
    let mut field = Field::new(Arc::clone(&province));
    let (mut events, mut slowest, mut stepping, mut imaging) = (0, 0.0_f64, 0.0, 0.0);
    let mut worst = (0.0_f64, String::new());
    for second in 0..hours * 3_600 {
        let began = Instant::now();
        field.step(START_MS + second * 1_000);
        let step = began.elapsed().as_secs_f64();
        let began = Instant::now();
        for n in 0..channels {
            std::hint::black_box(field.image(ChannelId::at(n)));
        }
        imaging += began.elapsed().as_secs_f64();
        stepping += step;
        slowest = slowest.max(step);
        events += field.events().len();
        if second % 60 == 0 {
            compare(&province, &field, &mut worst);
        }
    }
    let steps = hours * 3_600;
    let mean = |seconds: f64| 1e3 * seconds / f64::from(u32::try_from(steps).unwrap_or(u32::MAX));
    println!(
        "{} stations, {channels} channels, {hours} h: {:.1} s; a step {:.3} ms and its images {:.3} \
         ms in the mean, slowest step {:.1} ms",
        province.stations.len(),
        stepping + imaging,
        mean(stepping),
        mean(imaging),
        1e3 * slowest
    );
    println!("{events} events, {} interruptions of feeders", field.outages().len());
    println!("sent minus true over class, worst: {:.3} at {}", worst.0, worst.1);
}

/// The largest share of its class by which any point is off.
fn compare(province: &Province, field: &Field, worst: &mut (f64, String)) {
    for (id, station) in province.station_ids().zip(&province.stations) {
        for (n, point) in station.points.iter().enumerate() {
            let point_id = PointId::at(n);
            let (value, sent) = (field.value(id, point_id), field.sample(id, point_id).value);
            let apart = (value - sent).abs();
            let share = if apart == 0.0 { 0.0 } else { apart / sim::tolerance(point, value) };
            if share > worst.0 {
                *worst = (share, format!("{} ({value} sent as {sent})", point.id));
            }
        }
    }
}
