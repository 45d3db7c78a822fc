//! Fills the series of a province with what its simulated stations send, without sockets, and says
//! what it costs to keep, to read and to sum up.
//!
//! ```text
//! cargo run --release --example series                     ten stations for an hour, each point each second
//! cargo run --release --example series -- contract         the same, as often as the contract says
//! cargo run --release --example series -- noisy            the same as the first, every measurement in motion
//! cargo run --release --example series -- fleet 1000 400   1 000 stations of 800 points in 400 MB
//! ```
//!
//! A sample is the value of a point in one reply, with its quality. Values and qualities are columns
//! of their own; figures that count each of them say so.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::sync::Arc;
use std::time::Instant;

use config::{ChannelId, Encoding, PointId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::collector::answers::Decoder;
use gridwatch::collector::plan::{Block, BlockContent, Item, Plan, layouts, plans};
use gridwatch::collector::poll::{Exchange, Poll};
use gridwatch::series::chunk::{Choices, Chunk, ChunkWriter, ColumnValues};
use gridwatch::series::{Buffer, join};
use gridwatch::signal::layout::Part;
use gridwatch::signal::update::{News, Update};
use sim::Field;

/// 2022-07-01 06:00 in Hòa Bình: a month of storms, a morning of rising load.
const START: Timestamp = Timestamp(1_656_630_000_000);
const HOUR_S: i64 = 3_600;
/// One reply in so many is lost.
const LOST_ONE_IN: u64 = 5_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("fleet") => {
            let number =
                |n: usize, or| args.get(n).map_or(or, |text| text.parse().expect("a number"));
            fleet(number(1, 1_000), number(2, 400), number(3, 900));
        }
        Some("contract") => stations(Province::built_in(), false),
        Some("noisy") => stations(each_second(), true),
        _ => stations(each_second(), false),
    }
}

/// The built-in province with every scan class read once a second, as the peers were fed.
fn each_second() -> Province {
    let text = include_str!("../config/hoa-binh.toml");
    let line = |line: &str| {
        let key = line.split('=').next().map_or("", str::trim);
        let is_period = ["fast", "normal", "slow", "counters"].contains(&key);
        if is_period { format!("{key} = 1") } else { line.to_owned() }
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    Province::parse("config/hoa-binh.toml", &lines.join("\n")).expect("the built-in province")
}

/// What a buffer was given.
#[derive(Default)]
struct Given {
    samples: u64,
    columns: u64,
    seconds: f64,
}

fn stations(province: Province, noisy: bool) {
    let province = Arc::new(province);
    let plans = plans(&province);
    let mut field = Field::new(Arc::clone(&province));
    field.step(START.0);
    let base = resident_mb();
    let mut buffer = Buffer::new(&province, &layouts(&plans), 1 << 30);
    let mut spare = Buffer::new(&province, &layouts(&plans), 1 << 30);
    let (mut given, mut plain) = (Given::default(), Vec::new());
    let mut decoders = decoders(&province, &plans);
    for second in 0..HOUR_S {
        let at = START.plus(1_000 * second);
        field.step(at.0);
        let due: Vec<Update> = (0..plans.len())
            .map(|n| {
                let channel = ChannelId::at(n);
                let mut polls = polls(&province, &field, &plans[n], channel, (at, second));
                if noisy {
                    stir(&province, &plans[n], (channel, at), &mut polls);
                }
                decoders[n].update(channel, at.plus(500), polls)
            })
            .collect();
        for update in &due {
            given.count(&plans, update);
        }
        let began = cpu_seconds();
        for update in &due {
            buffer.accept(update);
        }
        given.seconds += cpu_seconds() - began;
        buffer.take_sealed();
        if second < 60 {
            appends(&mut spare, &plans, &due, &mut plain);
        }
    }
    plain.sort_by(f64::total_cmp);
    let (samples, columns) = (given.samples as f64, given.columns as f64);
    println!(
        "{} stations, {} channels, an hour: {:.1} M samples, {:.1} M values and qualities",
        province.stations.len(),
        plans.len(),
        samples / 1e6,
        columns / 1e6
    );
    println!(
        "accept: {:.1} ns a sample in all, {:.1} where nothing is sealed; used {:.1} MB = {:.3} bytes a \
         sample; resident {:.1} MB, {:.1} with the simulator",
        1e9 * given.seconds / samples,
        1e9 * plain.get(plain.len() / 2).copied().unwrap_or(0.0),
        buffer.used() as f64 / 1e6,
        buffer.used() as f64 / samples,
        resident_mb() - base,
        resident_mb()
    );
    means(&province, &plans, &buffer);
    buffer.flush();
    sizes(&plans, &buffer);
}

/// Times what takes in updates that seal nothing, seconds a sample.
fn appends(buffer: &mut Buffer, plans: &[Arc<Plan>], due: &[Update], plain: &mut Vec<f64>) {
    for update in due {
        let mut one = Given::default();
        one.count(plans, update);
        let began = Instant::now();
        buffer.accept(update);
        let took = began.elapsed().as_secs_f64();
        if buffer.take_sealed().is_empty() && one.samples > 0 {
            plain.push(took / one.samples as f64);
        }
    }
}

impl Given {
    fn count(&mut self, plans: &[Arc<Plan>], update: &Update) {
        let News::Answers(answers) = &update.news else { return };
        for answer in answers {
            let items = items(&plans[update.channel.index()].blocks[usize::from(answer.group)]);
            self.columns += items.len() as u64;
            self.samples += values(items);
        }
    }
}

fn items(block: &Block) -> &[Item] {
    if let BlockContent::Points(items) = &block.content { items } else { &[] }
}

fn values(items: &[Item]) -> u64 {
    items.iter().filter(|item| item.part == Part::Value).count() as u64
}

/// What a channel answers in a second, read from its image as the plan asks.
fn polls(
    province: &Province,
    field: &Field,
    plan: &Plan,
    channel: ChannelId,
    (at, second): (Timestamp, i64),
) -> Vec<Poll> {
    let image = field.image(channel);
    let mut polls = Vec::new();
    for (block, asked) in plan.blocks.iter().enumerate() {
        let chance = mix(second.cast_unsigned() << 24 | u64::from(channel.0) << 12 | block as u64);
        let is_due = 1_000 * second % province.scan.milliseconds(asked.scan) == 0;
        if items(asked).is_empty() || !is_due || chance.is_multiple_of(LOST_ONE_IN) {
            continue;
        }
        let Ok(cells) = image.read(asked.unit, asked.table, asked.address, asked.count) else {
            continue;
        };
        let mut reply = vec![0; Exchange::REPLY_HEAD];
        if asked.table.is_bits() {
            let byte = |eight: &[u16]| {
                eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit != 0))
            };
            reply.extend(cells.chunks(8).map(byte));
        } else {
            reply.extend(cells.iter().flat_map(|cell| cell.to_be_bytes()));
        }
        // A reply takes 14 to 99 ms.
        let took_us = 14_000 + u32::try_from(chance >> 20 & 0xFFFF).unwrap_or(0) * 85_000 / 65_536;
        let exchange = Exchange { at, took_us, reply: reply.into(), ..Exchange::default() };
        let (offset, count) = (0, asked.count);
        polls.push(Poll { block, offset, count, fault: None, in_parts: false, exchange });
    }
    polls
}

/// Who decodes what comes over each channel.
fn decoders(province: &Province, plans: &[Arc<Plan>]) -> Vec<Decoder> {
    let channels = province.channels.iter().zip(plans);
    channels.map(|(channel, plan)| Decoder::new(province, channel, plan)).collect()
}

/// Adds what transducers without a deadband would: up to two counts either way to each measurement
/// of 16 bits, and chance in the 14 lowest of the 23 bits behind the point of each float.
fn stir(
    province: &Province,
    plan: &Plan,
    (channel, at): (ChannelId, Timestamp),
    polls: &mut [Poll],
) {
    let entries = &province.channels[channel.index()].entries;
    for poll in polls {
        let block = &plan.blocks[poll.block];
        let mut noise =
            mix(u64::from(poll.exchange.took_us) ^ at.plus(500).0.cast_unsigned() << 20);
        let mut reply = poll.exchange.reply.to_vec();
        for item in items(block).iter().filter(|item| item.part == Part::Value) {
            let Some(register) = entries[item.point.index()].register else { continue };
            noise = mix(noise.wrapping_add(item.point.0.into()));
            let at = Exchange::REPLY_HEAD + 2 * usize::from(item.offset);
            let place = match register.encoding {
                Encoding::A16 { .. } => at,
                Encoding::Af => at + 2,
                _ => continue,
            };
            let word = u16::from_be_bytes([reply[place], reply[place + 1]]);
            let chance = u16::try_from(noise >> 40 & 0x3FFF).unwrap_or(0);
            let word = match register.encoding {
                Encoding::Af => word & 0xC000 | chance,
                _ => word.wrapping_add(chance % 5).wrapping_sub(2),
            };
            reply[place..place + 2].copy_from_slice(&word.to_be_bytes());
        }
        poll.exchange.reply = reply.into();
    }
}

fn mix(n: u64) -> u64 {
    let n = (n ^ n >> 31).wrapping_mul(0x7FB5_D329_728E_A185);
    let n = (n ^ n >> 27).wrapping_mul(0x81DA_DEF4_BC2D_D44D);
    n ^ n >> 33
}

/// What the mean of every point over the hour costs, from statistics and by decoding.
fn means(province: &Province, plans: &[Arc<Plan>], buffer: &Buffer) {
    let (from, to) = (START.plus(-1), START.plus(1_000 * HOUR_S + 10_000));
    let (mut count, mut decoded, mut listed) = (0_u32, 0, 0);
    let all = || {
        (0..province.channels.len()).flat_map(|n| {
            let points = province.channels[n].entries.len();
            (0..points).map(move |point| (ChannelId::at(n), PointId::at(point)))
        })
    };
    let began = cpu_seconds();
    for (channel, point) in all() {
        count += u32::from(buffer.mean(channel, point, from, to).is_some());
    }
    let by_statistics = cpu_seconds() - began;
    let began = cpu_seconds();
    for (n, plan) in plans.iter().enumerate() {
        for (block, asked) in plan.blocks.iter().enumerate() {
            for chunk in buffer.chunks(ChannelId::at(n), block) {
                for (column, item) in items(asked).iter().enumerate() {
                    if item.part == Part::Value {
                        let column = chunk.column(column).expect("ours");
                        decoded += column.raw.len();
                        std::hint::black_box(column.statistics());
                    }
                }
            }
        }
    }
    let by_decoding = cpu_seconds() - began;
    let began = cpu_seconds();
    for (channel, point) in all() {
        listed += std::hint::black_box(buffer.range(channel, point, from, to)).len();
    }
    let by_samples = cpu_seconds() - began;
    let each = |seconds: f64, samples: usize| 1e9 * seconds / samples.max(1) as f64;
    println!(
        "mean of {count} points over the hour: {:.1} ms = {:.2} µs a point; by decoding the chunks {:.2} s \
         = {:.1} ns a sample; every sample as a list with time and quality {:.2} s = {:.1} ns a sample",
        1e3 * by_statistics,
        1e6 * by_statistics / f64::from(count.max(1)),
        by_decoding,
        each(by_decoding, decoded),
        by_samples,
        each(by_samples, listed)
    );
}

/// What chunks of so many rows take, and what it costs to make and to read them.
fn sizes(plans: &[Arc<Plan>], buffer: &Buffer) {
    println!(
        "rows    bytes a sample   a value or quality   seal ns   decode ns   join ns (of six)"
    );
    for rows in [60, 300, 900, 1_800] {
        let mut sum = Sizes::default();
        for (n, plan) in plans.iter().enumerate() {
            for (block, asked) in plan.blocks.iter().enumerate() {
                let chunks: Vec<Chunk> = buffer.chunks(ChannelId::at(n), block).cloned().collect();
                if !chunks.is_empty() {
                    sum.add(&chunks, rows, values(items(asked)));
                }
            }
        }
        let samples = sum.samples as f64;
        println!(
            "{rows:>5}   {:>14.3}   {:>18.3}   {:>7.1}   {:>9.1}   {:>7.1}",
            sum.bytes as f64 / samples,
            sum.bytes as f64 / sum.columns as f64,
            1e9 * sum.sealing / samples,
            1e9 * sum.decoding / samples,
            1e9 * sum.joining / samples
        );
    }
}

#[derive(Default)]
struct Sizes {
    bytes: usize,
    samples: u64,
    columns: u64,
    sealing: f64,
    decoding: f64,
    joining: f64,
}

impl Sizes {
    /// Cuts the chunks of a block into others of so many rows; what is left over counts too.
    fn add(&mut self, chunks: &[Chunk], rows: usize, values: u64) {
        let times: Vec<Timestamp> = chunks.iter().flat_map(|c| c.times().expect("ours")).collect();
        let columns = chunks[0].columns();
        let whole = |n: usize| {
            let parts = chunks.iter().map(|chunk| chunk.column(n).expect("ours"));
            parts.fold(Vec::new(), |mut all, part| {
                all.extend(part.raw);
                all
            })
        };
        let types: Vec<_> =
            (0..columns).map(|n| chunks[0].column(n).expect("ours").raw_type).collect();
        let all: Vec<Vec<u64>> = (0..columns).map(whole).collect();
        let mut cut: Vec<Vec<ColumnValues>> = Vec::new();
        for start in (0..times.len()).step_by(rows) {
            let end = (start + rows).min(times.len());
            let column = |(raw, raw_type): (&Vec<u64>, _)| {
                let raw = raw[start..end].to_vec();
                ColumnValues { raw_type, raw, absent: Vec::new() }
            };
            cut.push(all.iter().zip(types.iter().copied()).map(column).collect());
        }
        let mut choices = Choices::default();
        let began = cpu_seconds();
        let made: Vec<Chunk> = times
            .chunks(rows)
            .zip(&cut)
            .map(|(times, columns)| {
                let mut writer =
                    ChunkWriter::new(chunks[0].period_ms(), times, columns.len(), &mut choices)
                        .expect("rows");
                for column in columns {
                    writer.push(column).expect("fits");
                }
                writer.finish().expect("all columns")
            })
            .collect();
        self.sealing += cpu_seconds() - began;
        let began = cpu_seconds();
        for chunk in &made {
            std::hint::black_box(chunk.times().expect("ours"));
            for n in 0..columns {
                std::hint::black_box(chunk.column(n).expect("ours"));
            }
        }
        self.decoding += cpu_seconds() - began;
        let began = cpu_seconds();
        for six in made.chunks(6) {
            std::hint::black_box(join(six, &mut choices).expect("ours"));
        }
        self.joining += cpu_seconds() - began;
        self.bytes += made.iter().map(|chunk| chunk.bytes().len()).sum::<usize>();
        self.samples += times.len() as u64 * values;
        self.columns += (times.len() * columns) as u64;
    }
}

/// Holds a fleet within a budget: statuses that hardly change, measurements with noise.
fn fleet(stations: usize, budget_mb: usize, seconds: usize) {
    let seconds = i64::try_from(seconds).expect("some hours");
    let province = Province::fleet(stations).expect("a fleet");
    let plans = plans(&province);
    let base = resident_mb();
    let budget = budget_mb << 20;
    let mut buffer = Buffer::new(&province, &layouts(&plans), budget);
    println!(
        "{stations} stations, {} points, budget {budget_mb} MiB: heads of {} rows, {:.1} MiB before the \
         first row",
        province.stations.iter().map(|station| station.points.len()).sum::<usize>(),
        buffer.head_rows(),
        mib(buffer.used())
    );
    let mut given = Given::default();
    let mut decoders = decoders(&province, &plans);
    let mut slowest = 0.0_f64;
    for second in 0..seconds {
        let at = START.plus(1_000 * second);
        let mut accepting = 0.0;
        // Not all at once: the updates of a second of a large fleet are hundreds of megabytes.
        for some in (0..plans.len()).collect::<Vec<_>>().chunks(100) {
            let updates: Vec<Update> = some
                .iter()
                .map(|n| {
                    let polls =
                        drifting(ChannelId::at(*n), at, &plans[*n].blocks, second.cast_unsigned());
                    decoders[*n].update(ChannelId::at(*n), at.plus(500), polls)
                })
                .collect();
            let began = cpu_seconds();
            for update in &updates {
                buffer.accept(update);
            }
            accepting += cpu_seconds() - began;
            for update in &updates {
                given.count(&plans, update);
            }
        }
        given.seconds += accepting;
        slowest = slowest.max(accepting);
        buffer.take_sealed();
        if (second + 1) % (seconds / 9).max(1) == 0 {
            let spans = (0..plans.len()).flat_map(|n| {
                let blocks = 0..plans[n].blocks.len();
                blocks
                    .filter_map(|b| Some(buffer.chunks(channel(n), b).next()?.span().0))
                    .collect::<Vec<_>>()
            });
            println!(
                "{:>5} s: used {:6.1} MiB, resident {:6.1} MiB more than before; the oldest row is {} s old",
                second + 1,
                mib(buffer.used()),
                resident_mb() - base,
                spans.min().map_or(0, |oldest| at.since(oldest) / 1_000)
            );
        }
    }
    println!(
        "accept: {:.1} ns a sample, {:.0} ms of CPU for a second of the fleet in the mean, {:.0} at most",
        1e9 * given.seconds / given.samples as f64,
        1e3 * given.seconds / seconds as f64,
        1e3 * slowest
    );
}

fn channel(n: usize) -> ChannelId {
    ChannelId::at(n)
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A reply to each request: bits that stand but for one in some thousands, registers of which three
/// quarters have six bits of noise.
fn drifting(channel: ChannelId, at: Timestamp, blocks: &[Block], second: u64) -> Vec<Poll> {
    let mut polls = Vec::new();
    for (block, asked) in blocks.iter().enumerate() {
        let items = items(asked);
        if items.is_empty() {
            continue;
        }
        let seed = u64::from(channel.0) << 16 | block as u64;
        let mut noise = mix(seed << 24 ^ second);
        let bits = asked.table.is_bits();
        let bytes =
            if bits { usize::from(asked.count).div_ceil(8) } else { 2 * usize::from(asked.count) };
        let mut reply = vec![0; Exchange::REPLY_HEAD + bytes];
        let cells = &mut reply[Exchange::REPLY_HEAD..];
        if bits {
            cells[0] = u8::from(noise.is_multiple_of(2_000));
        } else {
            for item in items.iter().filter(|item| item.part == Part::Value) {
                let last = 2 * usize::from(item.offset + item.cells()) - 1;
                noise = noise.rotate_left(11).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let [low, ..] = noise.to_be_bytes();
                cells[last - 1] = 0x12;
                cells[last] = if item.point.0.is_multiple_of(4) { 0x40 } else { low & 0x3F };
            }
        }
        let took_us = 14_000 + u32::try_from(mix(noise) % 85_000).unwrap_or(0);
        let exchange = Exchange { at, took_us, reply: reply.into(), ..Exchange::default() };
        let (offset, count) = (0, asked.count);
        polls.push(Poll { block, offset, count, fault: None, in_parts: false, exchange });
    }
    polls
}

/// Seconds that this thread has run: others on the machine do not count. Only Linux tells.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("nanoseconds") / 1e9
}

/// Memory of this process that is in use, MiB.
fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kb.expect("kilobytes") / 1_024.0
}
