//! What it costs us to keep: the recorded replies once more through the buffer of the series and the
//! writer of the store, as the monitor has them.

use std::ops::Range;
use std::path::Path;

use config::{Province, WordOrder};
use gridwatch::clock::Timestamp;
use gridwatch::collector::answers::Decoder;
use gridwatch::collector::plan::layouts;
use gridwatch::collector::poll::{Exchange, Poll};
use gridwatch::series::chunk::{Chunk, ColumnValues, RawType};
use gridwatch::series::{Buffer, Sealed};
use gridwatch::signal::layout::Part;
use gridwatch::signal::update::Update;
use gridwatch::store::{Batch, Writer};

use super::source::{Block, Source};
use super::{cpu_seconds, proc_number};

/// Replies are made of the recording for so long at a time.
const SLICE_MS: i64 = 600_000;

/// Keeps everything in a new store with a commit every `seconds`.
pub(super) fn keep(source: &Source, folder: &Path, seconds: i64) {
    let province: &Province = &source.province;
    let mut buffer =
        Buffer::new(province, &layouts(&source.plans), province.history.buffer_bytes());
    let written = proc_number("/proc/self/io", "write_bytes");
    let mut writer = Writer::open(folder, &source.province).expect("a new store");
    let (mut appending, mut committing, mut samples) = (0.0, 0.0, 0);
    writer.commit(&batch(true, source.day.start, Vec::new())).expect("committed");
    let mut from = source.day.start;
    while from < source.day.end {
        let to = from.plus(SLICE_MS);
        let (updates, count) = replies(source, &(from..to));
        samples += count;
        let mut updates = updates.iter().peekable();
        // With a commit each second only bytes are told: to read the clock would cost more than the rest.
        let apart = 1_000 * seconds >= SLICE_MS;
        while from < to {
            from = from.plus((1_000 * seconds).min(SLICE_MS));
            let began = if apart { cpu_seconds() } else { 0.0 };
            while let Some(update) = updates.next_if(|update| update.at < from) {
                buffer.accept(update);
            }
            if from >= source.day.end {
                buffer.flush();
            }
            let sealed = if apart { cpu_seconds() } else { 0.0 };
            let values = buffer.take_sealed();
            writer.commit(&batch(false, from, values)).expect("committed");
            if apart {
                appending += sealed - began;
                committing += cpu_seconds() - sealed;
            }
        }
    }
    assert_eq!(buffer.untaken(), 0, "something was not kept");
    writer.close().expect("closed");
    println!("samples {samples}");
    if appending > 0.0 {
        println!("append_seal_cpu {appending:.3}");
        println!("commit_cpu {committing:.3}");
    }
    println!("written_bytes {:.0}", proc_number("/proc/self/io", "write_bytes") - written);
    println!("resident_kb {:.0}", proc_number("/proc/self/status", "VmRSS"));
    println!("used_bytes {}", buffer.used());
}

fn batch(begins: bool, until: Timestamp, values: Vec<Sealed>) -> Batch {
    Batch { values, ..Batch::empty(begins, until) }
}

/// The replies of a span in the order in which they came, and how many values they have.
fn replies(source: &Source, span: &Range<Timestamp>) -> (Vec<Update>, u64) {
    let (mut all, mut samples) = (Vec::new(), 0);
    for block in &source.blocks {
        for chunk in source.chunks(block, span) {
            samples += of_chunk(source, (block, &chunk), span, &mut all);
        }
    }
    all.sort_by_key(|update| update.at);
    (all, samples)
}

/// Which cells of a row came: the first, and the one behind the last.
type Came = (u16, u16);

fn came(block: &Block, columns: &[ColumnValues], (rows, cells): (usize, u16)) -> Vec<Came> {
    if columns.iter().all(|column| column.absent.is_empty()) {
        return vec![(0, cells); rows];
    }
    // Where a device was asked in parts, each made a row of its own.
    let mut came = vec![(u16::MAX, 0); rows];
    for (item, column) in block.items.iter().zip(columns) {
        for (row, _) in column.rows() {
            let (first, end) = &mut came[row as usize];
            *first = (*first).min(item.offset);
            *end = (*end).max(item.offset + item.cells());
        }
    }
    came
}

/// Adds the replies that the rows of a chunk are from, and says how many values they have.
fn of_chunk(
    source: &Source,
    (block, chunk): (&Block, &Chunk),
    span: &Range<Timestamp>,
    all: &mut Vec<Update>,
) -> u64 {
    let asked = &source.plans[block.channel.index()].blocks[block.number];
    let entries = &source.province.channels[block.channel.index()].entries;
    let times = chunk.times().expect("times");
    let columns: Vec<_> =
        (0..block.items.len()).map(|n| chunk.column(n).expect("a column")).collect();
    let came = came(block, &columns, (times.len(), asked.count));
    let bits = asked.table.is_bits();
    let mut rows: Vec<Vec<u8>> = came
        .iter()
        .map(|(first, end)| {
            let cells = usize::from(end.saturating_sub(*first));
            vec![0; Exchange::REPLY_HEAD + if bits { cells.div_ceil(8) } else { 2 * cells }]
        })
        .collect();
    let channel = &source.province.channels[block.channel.index()];
    let plan = &source.plans[block.channel.index()];
    let mut decoder = Decoder::new(&source.province, channel, plan);
    let mut samples = 0;
    for (n, (item, column)) in block.items.iter().zip(&columns).enumerate() {
        let order = entries[item.point.index()].register.map_or(WordOrder::Abcd, |r| r.word_order);
        for (row, raw) in column.rows() {
            let row = row as usize;
            if span.contains(&times[row]) {
                samples += u64::from(item.part == Part::Value);
                let raw = source.raw((block, n), times[row], (column.raw_type, raw));
                let cell = usize::from(item.offset - came[row].0);
                put(&mut rows[row][Exchange::REPLY_HEAD..], cell, (column.raw_type, order), raw);
            }
        }
    }
    for ((at, (first, end)), reply) in times.iter().zip(came).zip(rows) {
        if span.contains(at) {
            let exchange = Exchange { at: *at, reply: reply.into(), ..Exchange::default() };
            let (offset, count) = (first, end.saturating_sub(first));
            let poll =
                Poll { block: block.number, offset, count, fault: None, in_parts: false, exchange };
            all.push(decoder.update(block.channel, *at, vec![poll]));
        }
    }
    samples
}

/// Writes a raw value as a station sends it.
fn put(payload: &mut [u8], cell: usize, (raw_type, order): (RawType, WordOrder), raw: u64) {
    let wide = raw.to_be_bytes();
    match raw_type {
        RawType::Bit | RawType::Pair => {
            for n in 0..raw_type.bits() as usize {
                let (place, bit) = (cell + n, u8::from(raw >> n & 1 == 1));
                payload[place / 8] |= bit << (place % 8);
            }
        }
        RawType::Unsigned32 | RawType::Float32 => {
            let words = [[wide[4], wide[5]], [wide[6], wide[7]]].map(u16::from_be_bytes);
            // Each order is its own inverse.
            let sent = order.join(words).to_be_bytes();
            payload[2 * cell..2 * cell + 4].copy_from_slice(&sent);
        }
        _ => {
            let bytes = raw_type.bytes();
            payload[2 * cell..2 * cell + bytes].copy_from_slice(&wide[8 - bytes..]);
        }
    }
}
