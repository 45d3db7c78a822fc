//! The buffer gives back what was put in, bit for bit, and of too much the newest.

use std::sync::{Arc, LazyLock};

use collector::answers::Decoder;
use collector::plan::{Block, BlockContent, Item, Plan, layouts};
use collector::poll::{Exchange, Fault, Poll};
use config::{
    ChannelId, Date, Decoded, Encoding, Entries, Entry, Flags, PointId, Province, Register,
    RegisterTable, Scan, Standing, WordOrder, decode,
};
use proptest::collection::vec;
use proptest::prelude::*;
use signal::raw::RawType;

use super::block::Piece;
use super::layout::Place;
use super::reads::{Sample, Summary};
use super::*;

const START: i64 = 1_669_188_727_000;
const CHANNEL: ChannelId = ChannelId(0);
/// Block of the events, which have no rows here.
const EVENTS: usize = 2;

/// A channel with every encoding and word order; one quality stands apart from its value.
struct Bench {
    province: Province,
    plans: Vec<Arc<Plan>>,
}

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let mut province = Province::fleet(1).unwrap();
    let codes = [
        (Encoding::A16 { scale: 0.01 }, WordOrder::Abcd),
        (Encoding::U16 { scale: 1.0 }, WordOrder::Abcd),
        (Encoding::Af, WordOrder::Abcd),
        (Encoding::Af, WordOrder::Cdab),
        (Encoding::Af, WordOrder::Badc),
        (Encoding::C32, WordOrder::Dcba),
        (Encoding::K4, WordOrder::Abcd),
        (Encoding::K2, WordOrder::Abcd),
        (Encoding::D1, WordOrder::Abcd),
        (Encoding::D2, WordOrder::Abcd),
        (Encoding::D1, WordOrder::Abcd),
    ];
    let block = |table, scan, content| Block {
        unit: 1,
        table,
        address: 0,
        count: 0,
        scan,
        whole: Vec::new(),
        content,
    };
    let points = || BlockContent::Points(Vec::new());
    let mut blocks = vec![
        block(RegisterTable::Discrete, Scan::Fast, points()),
        block(RegisterTable::Input, Scan::Normal, points()),
        block(RegisterTable::Input, Scan::Normal, BlockContent::Events),
        block(RegisterTable::Input, Scan::Slow, points()),
    ];
    let mut place = |number: usize, point: usize, part, (raw_type, order, scale)| {
        let block: &mut Block = &mut blocks[number];
        let BlockContent::Points(items) = &mut block.content else { panic!("a block of points") };
        let offset = block.count;
        let item = Item { point: PointId::at(point), part, offset, raw_type, order, scale };
        block.count += item.cells();
        items.push(item);
        offset
    };
    let mut entries = Vec::new();
    for (n, (encoding, word_order)) in codes.into_iter().enumerate() {
        let table = if encoding.is_bits() { RegisterTable::Discrete } else { RegisterTable::Input };
        let number = usize::from(!encoding.is_bits());
        let kind = (RawType::of(encoding), word_order, encoding.scale());
        let address = place(number, n, Part::Value, kind);
        let register = Register { unit: 1, table, address, encoding, word_order, quality: None };
        let standing = Standing::Tested(Date { year: 2022, month: 1, day: 1 });
        entries.push(Entry { required: true, standing, excluded: None, register: Some(register) });
    }
    for (n, entry) in entries.iter_mut().enumerate() {
        let register = entry.register.as_mut().unwrap();
        // Point 7 has its quality in a slower block, point 10 has none.
        let number = if n == 7 { 3 } else { usize::from(!register.encoding.is_bits()) };
        let raw_type = if register.encoding.is_bits() { RawType::Bit } else { RawType::Unsigned16 };
        let kind = (raw_type, WordOrder::Abcd, 1.0);
        register.quality = (n != 10).then(|| place(number, n, Part::Quality, kind));
    }
    province.channels[0].entries = Entries::from(entries);
    let period = |scan| u32::try_from(province.scan.milliseconds(scan)).unwrap();
    let plans = vec![Arc::new(Plan::of(blocks, period))];
    Bench { province, plans }
});

/// Rows that come one after the other.
#[derive(Debug, Clone)]
struct Burst {
    block: usize,
    rows: usize,
    /// Milliseconds from row to row.
    pace: i64,
    /// Cells that are asked for, of the whole as of 256; `None`: all of them.
    part: Option<(u16, u16)>,
    outcome: Outcome,
    filling: Filling,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Came,
    /// So many bytes less than asked for.
    Short(usize),
    NoReply,
    InParts,
}

/// What the bytes of a row are.
#[derive(Debug, Clone, Copy)]
enum Filling {
    Same(u64),
    Noise(u64),
    NotANumber(u64),
    NoValue,
}

fn burst() -> impl Strategy<Value = Burst> {
    let pace =
        prop_oneof![6 => 900_i64..1_100, 1 => Just(0), 1 => -2_000_i64..0, 1 => 5_000_i64..90_000];
    let part = prop_oneof![4 => Just(None), 1 => (0_u16..256, 1_u16..256).prop_map(Some)];
    let outcome = prop_oneof![
        8 => Just(Outcome::Came),
        1 => (0_usize..60).prop_map(Outcome::Short),
        1 => Just(Outcome::NoReply),
        1 => Just(Outcome::InParts),
    ];
    let filling = prop_oneof![
        any::<u64>().prop_map(Filling::Same),
        any::<u64>().prop_map(Filling::Noise),
        any::<u64>().prop_map(Filling::NotANumber),
        Just(Filling::NoValue),
    ];
    (0_usize..4, 1_usize..120, pace, part, outcome, filling).prop_map(
        |(block, rows, pace, part, outcome, filling)| Burst {
            block,
            rows,
            pace,
            part,
            outcome,
            filling,
        },
    )
}

fn payload(filling: Filling, row: usize, bytes: usize) -> Vec<u8> {
    let mix = |seed: u64, n: usize| {
        let x = (seed ^ n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x ^ x >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[2]
    };
    let byte = |n: usize| match filling {
        Filling::Same(seed) => mix(seed, n),
        Filling::Noise(seed) => mix(seed, n + 1_000 * row),
        Filling::NotANumber(seed) => {
            if n.is_multiple_of(2) {
                0x7F
            } else {
                0x80 | mix(seed, n + 1_000 * row)
            }
        }
        Filling::NoValue => {
            if n.is_multiple_of(2) {
                0x80
            } else {
                0
            }
        }
    };
    (0..bytes).map(byte).collect()
}

/// A row as the model keeps it: each cell of the block that came.
type ModelRow = (Timestamp, Vec<Option<u16>>);

/// Puts bursts into a buffer, and every row into a plain list for each block.
fn put(buffer: &mut Buffer, bursts: &[Burst]) -> Vec<Vec<ModelRow>> {
    let plan = &BENCH.plans[0];
    let mut model = vec![Vec::new(); plan.blocks.len()];
    let mut decoder = decoder();
    let mut now = Timestamp(START);
    for burst in bursts {
        let block = &plan.blocks[burst.block];
        let whole = if burst.block == EVENTS { 12 } else { block.count };
        let (offset, count) = burst.part.map_or((0, whole), |(from, length)| {
            let from = from * whole / 256;
            (from, (length * whole / 256).clamp(1, whole - from))
        });
        let bits = block.table.is_bits();
        let asked = if bits { usize::from(count).div_ceil(8) } else { 2 * usize::from(count) };
        for row in 0..burst.rows {
            now = now.plus(burst.pace);
            let short = if let Outcome::Short(short) = burst.outcome { short } else { 0 };
            let mut reply = vec![0; Exchange::REPLY_HEAD];
            reply.extend(payload(burst.filling, row, asked.saturating_sub(short)));
            let exchange = Exchange {
                at: now.plus(-20),
                took_us: 19_001,
                reply: reply.into(),
                ..Exchange::default()
            };
            let in_parts = matches!(burst.outcome, Outcome::InParts);
            let fault = match burst.outcome {
                Outcome::NoReply => Some(Fault::NoReply),
                Outcome::InParts => Some(Fault::Refused(2)),
                Outcome::Came | Outcome::Short(_) => None,
            };
            let poll = Poll { block: burst.block, offset, count, fault, in_parts, exchange };
            let mut came = Vec::new();
            poll.read_cells(bits, &mut came);
            let mut all = vec![None; block.count.into()];
            for (cell, came) in all.iter_mut().skip(offset.into()).zip(came) {
                *cell = Some(came);
            }
            let row = (now, all);
            if !in_parts && items(block).iter().any(|item| cells(&row, *item).is_some()) {
                model[burst.block].push(row);
            }
            let news = News::Answers(decoder.answers(vec![poll]));
            buffer.accept(&Update { channel: CHANNEL, at: now.plus(3), news });
        }
    }
    model
}

/// Who decodes what comes over the channel.
fn decoder() -> Decoder {
    Decoder::new(&BENCH.province, &BENCH.province.channels[0], &BENCH.plans[0])
}

fn cells(row: &ModelRow, item: Item) -> Option<Vec<u16>> {
    let range = usize::from(item.offset)..usize::from(item.offset + item.cells());
    row.1[range].iter().copied().collect()
}

fn items(block: &Block) -> &[Item] {
    if let BlockContent::Points(items) = &block.content { items } else { &[] }
}

/// The raw value of cells, made in another way than the buffer makes it.
fn raw(item: Item, cells: &[u16]) -> u64 {
    let register = BENCH.province.channels[0].entries[item.point.index()].register.unwrap();
    let encoding = if item.part == Part::Quality { Encoding::K2 } else { register.encoding };
    match encoding {
        Encoding::D2 => u64::from(cells[0] | cells[1] << 1),
        Encoding::Af | Encoding::C32 => u64::from(register.word_order.join([cells[0], cells[1]])),
        _ => cells.iter().fold(0, |high, word| high << 16 | u64::from(*word)),
    }
}

/// Compares every kept row of every block with the newest of the model. Returns how many rows each
/// has kept.
fn compare(buffer: &Buffer, model: &[Vec<ModelRow>]) -> Vec<usize> {
    let series = &buffer.channels[0];
    let mut kept = vec![0; model.len()];
    for (place, (own, block)) in series.layout.blocks.iter().zip(&series.blocks).enumerate() {
        let pieces: Vec<Piece<'_>> = block.pieces(own).collect();
        let rows: usize = pieces.iter().map(Piece::rows).sum();
        kept[own.number] = rows;
        let all = &model[own.number];
        let newest = &all[all.len() - rows..];
        let times: Vec<Timestamp> = pieces.iter().flat_map(|p| p.times().unwrap()).collect();
        let expected: Vec<Timestamp> = newest.iter().map(|row| row.0).collect();
        assert_eq!(times, expected);
        for (n, item) in items(&BENCH.plans[0].blocks[own.number]).iter().enumerate() {
            let at = Place { block: place.try_into().unwrap(), column: n.try_into().unwrap() };
            let mut next = newest.iter();
            for piece in &pieces {
                let column = piece.column(at).unwrap();
                assert!(column.fits(piece.rows()));
                let mut values = column.rows().peekable();
                for (n, row) in next.by_ref().take(piece.rows()).enumerate() {
                    let found = values.next_if(|(at, _)| *at as usize == n).map(|(_, raw)| raw);
                    assert_eq!(found, cells(row, *item).map(|cells| raw(*item, &cells)));
                }
            }
        }
    }
    kept
}

/// The samples of a point, from the rows of the model that are kept.
fn samples(model: &[Vec<ModelRow>], kept: &[usize], point: usize) -> Vec<Sample> {
    let plan = &BENCH.plans[0];
    let register = BENCH.province.channels[0].entries[point].register.unwrap();
    let find = |part| {
        plan.blocks.iter().enumerate().find_map(|(n, block)| {
            let own = |item: &&Item| item.point.index() == point && item.part == part;
            Some((n, *items(block).iter().find(own)?))
        })
    };
    let newest = |n: usize| &model[n][model[n].len() - kept[n]..];
    let (number, value) = find(Part::Value).unwrap();
    let mut found = Vec::new();
    for (n, row) in newest(number).iter().enumerate() {
        let Some(own) = cells(row, value) else { continue };
        let quality = find(Part::Quality).and_then(|(other, item)| {
            let mut earlier: Vec<&ModelRow> = if other == number {
                newest(other)[..=n].iter().collect()
            } else {
                newest(other).iter().filter(|other| other.0 <= row.0).collect()
            };
            earlier.retain(|row| cells(row, item).is_some());
            if other != number {
                earlier.sort_by_key(|row| row.0);
            }
            Some(cells(earlier.last()?, item)?[0])
        });
        let flags = quality.map(|said| match said {
            0 => Flags::GOOD,
            _ if register.encoding.is_bits() => Flags::INVALID,
            said => Flags(said),
        });
        let value = decode(register.encoding, register.word_order, &own);
        found.push(Sample { at: row.0, value, flags });
    }
    found
}

fn summary(samples: &[Sample]) -> Option<Summary> {
    let real = samples.iter().filter_map(|sample| match sample.value {
        Decoded::Value(x) => Some(x),
        _ => None,
    });
    let real: Vec<f64> = real.collect();
    Some(Summary {
        count: real.len() as u64,
        min: real.iter().copied().fold(f64::INFINITY, f64::min),
        max: real.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        first: *real.first()?,
        last: *real.last()?,
        mean: real.iter().sum::<f64>() / f64::from(u32::try_from(real.len()).unwrap()),
    })
}

fn are_alike(one: Option<Summary>, other: Option<Summary>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    let size = one.min.abs().max(one.max.abs());
    (one.count, one.min, one.max, one.first, one.last)
        == (other.count, other.min, other.max, other.first, other.last)
        && (one.mean - other.mean).abs() <= 1e-9 * size
}

/// Budgets with long heads, with short ones, and with hardly any chunks.
fn budget() -> impl Strategy<Value = usize> {
    prop_oneof![Just(4 << 20), 20_000_usize..120_000]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_the_newest_of_what_came(
        bursts in vec(burst(), 1..60),
        budget in budget(),
        is_flushed: bool,
    ) {
        let mut buffer = Buffer::new(&BENCH.province, &layouts(&BENCH.plans), budget);
        let model = put(&mut buffer, &bursts);
        if is_flushed {
            buffer.flush();
        }
        let kept = compare(&buffer, &model);
        let open: usize = buffer.channels[0].blocks.iter().map(|block| block.head.times.len()).sum();
        prop_assert!(!is_flushed || open == 0);
        if budget > 1 << 20 {
            let came: Vec<usize> = model.iter().map(Vec::len).collect();
            prop_assert_eq!(kept, came, "nothing had to go");
        } else {
            let chunks: usize = buffer.channels[0].blocks.iter().map(|b| b.chunks().count()).sum();
            prop_assert!(buffer.used() <= budget || chunks == 0, "{} bytes", buffer.used());
        }
        // Everything that is left was sealed after everything that is gone.
        let gone_before = buffer.seals.front().map_or(buffer.next_seal, |(seal, ..)| *seal);
        for oldest in buffer.channels[0].blocks.iter().filter_map(BlockSeries::oldest_seal) {
            prop_assert!(oldest >= gone_before);
        }
        let counted = buffer.block_bytes;
        let blocks = buffer.channels[0].blocks.iter();
        prop_assert_eq!(counted, blocks.map(BlockSeries::bytes).sum::<usize>());
    }

    #[test]
    fn reads_tell_what_the_rows_say(
        bursts in vec(burst(), 1..40),
        budget in budget(),
        (from, to) in (0_usize..2_500, 0_usize..2_500),
        pixels in 1_usize..20,
    ) {
        let mut buffer = Buffer::new(&BENCH.province, &layouts(&BENCH.plans), budget);
        let model = put(&mut buffer, &bursts);
        let kept = compare(&buffer, &model);
        let at = |n: usize| {
            let times: Vec<Timestamp> = model.iter().flatten().map(|row| row.0).collect();
            times.get(n % times.len().max(1)).copied().unwrap_or_default()
        };
        let (from, to) = (at(from).min(at(to)), at(from).max(at(to)).plus(1));
        for point in 0..BENCH.province.channels[0].entries.len() {
            let id = PointId::at(point);
            let all = samples(&model, &kept, point);
            prop_assert_eq!(buffer.latest(CHANNEL, id), all.last().copied());
            let within: Vec<Sample> =
                all.iter().filter(|s| s.at >= from && s.at < to).copied().collect();
            prop_assert_eq!(&buffer.range(CHANNEL, id, from, to), &within);
            let told = buffer.summary(CHANNEL, id, from, to);
            prop_assert!(are_alike(told, summary(&within)), "{told:?} {:?}", summary(&within));
            let drawn = buffer.downsampled(CHANNEL, id, (from, to), pixels);
            for (n, drawn) in drawn.iter().enumerate() {
                let own = |sample: &&Sample| {
                    usize::try_from(sample.at.0 - from.0).unwrap() * pixels
                        / usize::try_from(to.0 - from.0).unwrap()
                        == n
                };
                let own: Vec<Sample> = within.iter().filter(own).copied().collect();
                prop_assert!(are_alike(*drawn, summary(&own)));
            }
            let (step, age) = (7_000, 3_000);
            let span = (from, to.min(from.plus(500_000)));
            let aligned = buffer.aligned(&[(CHANNEL, id)], span, step, age);
            let mut sorted = all.clone();
            sorted.sort_by_key(|sample| sample.at);
            for (n, told) in (0..).zip(&aligned[0]) {
                let at = from.plus(n * i64::from(step));
                // Quality is of what is read: older ones than the age may lie before it.
                let last = sorted.iter().rfind(|sample| sample.at <= at);
                let last = last.filter(|sample| at.since(sample.at) <= age.into());
                prop_assert_eq!(*told, last.copied());
            }
        }
    }

    #[test]
    fn every_row_is_handed_over_once(bursts in vec(burst(), 1..60), every in 1_usize..9) {
        let mut buffer = Buffer::new(&BENCH.province, &layouts(&BENCH.plans), 100_000);
        let mut model = vec![Vec::new(); 4];
        let mut taken: Vec<Vec<Timestamp>> = vec![Vec::new(); 4];
        let mut sealed = Vec::new();
        for bursts in bursts.chunks(every) {
            for (all, new) in model.iter_mut().zip(put(&mut buffer, bursts)) {
                all.extend(new.into_iter().map(|row| row.0));
            }
            sealed.extend(buffer.take_sealed());
        }
        buffer.flush();
        sealed.extend(buffer.take_sealed());
        for Sealed { block, chunk, .. } in sealed {
            prop_assert!(chunk.rows() <= buffer.head_rows());
            taken[block].extend(chunk.times().unwrap());
        }
        prop_assert_eq!(buffer.untaken(), 0);
        prop_assert_eq!(taken, model);
    }
}

#[test]
fn six_small_chunks_become_one_and_the_oldest_goes_first() {
    let rows = |rows| Burst {
        block: 1,
        rows,
        pace: 1_000,
        part: None,
        outcome: Outcome::Came,
        filling: Filling::Same(7),
    };
    let mut buffer = Buffer::new(&BENCH.province, &layouts(&BENCH.plans), 4 << 20);
    assert_eq!(buffer.head_rows(), HEAD_ROWS_MAX);
    put(&mut buffer, &[rows(8 * 300 + 200)]);
    let chunks =
        |buffer: &Buffer| -> Vec<usize> { buffer.chunks(CHANNEL, 1).map(Chunk::rows).collect() };
    // Of three blocks, the second is first sealed after two thirds of a head, and joins what comes
    // behind its first two chunks.
    assert_eq!(chunks(&buffer), [200, 300, 6 * 300, 300]);
    assert_eq!(buffer.take_sealed().len(), 9);
    let mut buffer = Buffer::new(&BENCH.province, &layouts(&BENCH.plans), 30_000);
    assert_eq!(buffer.head_rows(), 105);
    let mut noise = rows(20_000);
    noise.filling = Filling::Noise(3);
    put(&mut buffer, &[rows(500)]);
    let before = buffer.chunks(CHANNEL, 1).next().map(Chunk::span);
    put(&mut buffer, &[noise]);
    assert!(buffer.used() <= 30_000);
    assert!(buffer.chunks(CHANNEL, 1).next().map(Chunk::span) > before);
    assert!(buffer.untaken() > 0, "nobody took them, and they are counted");
}

#[test]
fn what_nobody_reads_is_no_row() {
    let mut buffer = Buffer::new(&BENCH.province, &layouts(&BENCH.plans), 1 << 20);
    let empty = buffer.used();
    let exchange = Exchange { reply: vec![0; 60].into(), ..Exchange::default() };
    let poll = |block, offset| Poll {
        block,
        offset,
        count: 4,
        fault: None,
        in_parts: false,
        exchange: exchange.clone(),
    };
    let polls = vec![poll(EVENTS, 0), poll(99, 0), poll(0, 60_000), poll(3, u16::MAX)];
    let news = News::Answers(decoder().answers(polls));
    let at = Timestamp(START);
    buffer.accept(&Update { channel: CHANNEL, at, news: news.clone() });
    buffer.accept(&Update { channel: ChannelId(9), at, news });
    buffer.flush();
    assert!(buffer.take_sealed().is_empty());
    assert_eq!(buffer.used(), empty);
    assert_eq!(buffer.latest(CHANNEL, PointId(0)), None);
    assert_eq!(buffer.latest(CHANNEL, PointId(999)), None);
    assert_eq!(buffer.latest(ChannelId(9), PointId(0)), None);
}
