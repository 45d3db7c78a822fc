//! What a chunk gives back is what was put in, and no bytes at all do harm.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::series::join;

/// How the values of a column come about.
#[derive(Debug, Clone)]
enum Course {
    Constant(u64),
    /// Another value at so many rows.
    Steps(Vec<(usize, u64)>),
    Ramp(u64, u64),
    Random(Vec<u64>),
    /// What stands for no value, and what is near it.
    Odd(Vec<usize>),
}

const ODD: [u64; 12] = [
    0x8000,
    0x7FFF,
    0x8001,
    0,
    0x7FC0_0000,
    0x7F80_0001,
    0xFFC1_2345,
    0x7F80_0000,
    0xFF80_0000,
    0x8000_0000,
    1,
    u64::MAX,
];

fn course() -> impl Strategy<Value = Course> {
    prop_oneof![
        any::<u64>().prop_map(Course::Constant),
        vec((0_usize..400, any::<u64>()), 0..6).prop_map(Course::Steps),
        (any::<u64>(), 0_u64..50).prop_map(|(first, step)| Course::Ramp(first, step)),
        vec(any::<u64>(), 1..40).prop_map(Course::Random),
        vec(0..ODD.len(), 1..40).prop_map(Course::Odd),
    ]
}

impl Course {
    fn at(&self, row: usize) -> u64 {
        match self {
            Self::Constant(raw) => *raw,
            Self::Steps(steps) => {
                steps.iter().rfind(|(from, _)| *from <= row).map_or(0, |(_, raw)| *raw)
            }
            Self::Ramp(first, step) => first.wrapping_add(step.wrapping_mul(row as u64)),
            Self::Random(raw) => raw[row % raw.len()].wrapping_mul(1 | (row / raw.len()) as u64),
            Self::Odd(odd) => ODD[odd[row % odd.len()]],
        }
    }
}

fn times() -> impl Strategy<Value = Vec<Timestamp>> {
    let on_a_grid = vec((0_i64..99, prop_oneof![9 => Just(1_i64), 1 => -3_i64..60]), 1..400);
    let on_a_grid = (any::<i32>(), on_a_grid).prop_map(|(first, rows)| {
        let mut slot = i64::from(first);
        let time = |(late, slots): (i64, i64)| {
            slot += slots;
            Timestamp(slot * 1_000 + late)
        };
        rows.into_iter().map(time).collect()
    });
    let any = vec(any::<i64>().prop_map(Timestamp), 1..100);
    prop_oneof![4 => on_a_grid, 1 => any]
}

prop_compose! {
    fn column()(
        kind in 0..RawType::ALL.len(),
        course in course(),
        absent in prop_oneof![3 => Just(Vec::new()), 1 => vec((0_usize..400, 1_usize..200), 0..5)],
    ) -> (RawType, Course, Vec<(usize, usize)>) {
        (RawType::ALL[kind], course, absent)
    }
}

fn fill(
    (raw_type, course, absent): &(RawType, Course, Vec<(usize, usize)>),
    rows: Range<usize>,
) -> ColumnValues {
    let mut column = ColumnValues::new(*raw_type);
    for row in rows.clone() {
        if absent.iter().any(|(from, count)| (*from..from + count).contains(&row)) {
            column.leave_out(u32::try_from(row - rows.start).unwrap());
        } else {
            column.raw.push(course.at(row) & raw_type.highest());
        }
    }
    column
}

fn chunk(times: &[Timestamp], columns: &[ColumnValues], choices: &mut Choices) -> Chunk {
    let mut writer = ChunkWriter::new(1_000, times, columns.len(), choices).unwrap();
    for column in columns {
        writer.push(column).unwrap();
    }
    writer.finish().unwrap()
}

/// Reads everything that a chunk has; only that it ends matters.
fn read_all(chunk: &Chunk) {
    if let Ok(times) = chunk.times() {
        assert_eq!(times.len(), chunk.rows());
    }
    for n in 0..chunk.columns().min(40) {
        let _ = chunk.statistics(n);
        if let Ok(column) = chunk.column(n) {
            assert!(column.fits(chunk.rows()));
            assert_eq!(column.rows().count(), column.raw.len());
        }
    }
}

fn sign(bytes: &mut [u8]) {
    if bytes.len() > CHECKED_FROM {
        let checksum = crc32fast::hash(&bytes[CHECKED_FROM..]);
        bytes[4..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_put_in_comes_out(times in times(), columns in vec(column(), 0..6)) {
        let rows = times.len();
        let columns: Vec<ColumnValues> = columns.iter().map(|column| fill(column, 0..rows)).collect();
        let mut choices = Choices::default();
        // The second time by the choices of the first.
        for _ in 0..2 {
            let made = chunk(&times, &columns, &mut choices);
            let read = Chunk::from_bytes(Arc::clone(made.bytes())).unwrap();
            prop_assert_eq!(read.times().unwrap(), &times[..]);
            let span = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
            prop_assert_eq!((read.span(), read.rows(), read.period_ms()), (span, rows, 1_000));
            prop_assert_eq!(read.columns(), columns.len());
            for (n, column) in columns.iter().enumerate() {
                prop_assert_eq!(&read.column(n).unwrap(), column);
                let statistics = read.statistics(n).unwrap();
                prop_assert_eq!(statistics.present as usize, column.raw.len());
                let real: Vec<f64> =
                    column.raw.iter().filter_map(|raw| column.raw_type.counts(*raw)).collect();
                let counts = |raw: u64| column.raw_type.counts(raw).unwrap();
                prop_assert_eq!(statistics.real.map_or(0, |real| real.count as usize), real.len());
                if let Some(told) = statistics.real {
                    let told_of = [told.first, told.last, told.min, told.max].map(counts);
                    let min = real.iter().copied().fold(f64::INFINITY, f64::min);
                    let max = real.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let expected = [real[0], real[real.len() - 1], min, max];
                    prop_assert!(told_of.iter().zip(expected).all(|(told, x)| (told - x).abs() <= 0.0));
                    let sum: f64 = real.iter().sum();
                    let size: f64 = real.iter().map(|x| x.abs()).sum();
                    prop_assert!((told.sum - sum).abs() <= 1e-12 * size);
                }
            }
            prop_assert_eq!(read.column(columns.len()), Err(ChunkError::NoColumn(columns.len())));
        }
    }

    #[test]
    fn joined_chunks_have_the_rows_of_all(
        times in times(),
        columns in vec(column(), 1..5),
        cuts in vec(1_usize..150, 1..6),
    ) {
        let mut choices = Choices::default();
        let (mut start, mut parts) = (0, Vec::new());
        for cut in cuts.iter().copied().chain([times.len()]) {
            let end = (start + cut).min(times.len());
            if start < end {
                let own: Vec<ColumnValues> = columns.iter().map(|c| fill(c, start..end)).collect();
                parts.push(chunk(&times[start..end], &own, &mut choices));
            }
            start = end;
        }
        let joined = join(&parts, &mut choices).unwrap();
        prop_assert_eq!(joined.times().unwrap(), &times[..]);
        for (n, column) in columns.iter().enumerate() {
            prop_assert_eq!(joined.column(n).unwrap(), fill(column, 0..times.len()));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in vec(any::<u8>(), 0..400), rows in 0_u32..500, columns in 0_u32..9) {
        let _ = Chunk::from_bytes(bytes.clone().into());
        if bytes.len() >= HEADER_BYTES {
            bytes[..4].copy_from_slice(b"GWSC");
            bytes[8..10].copy_from_slice(&[VERSION, 2]);
            bytes[12..16].copy_from_slice(&rows.to_le_bytes());
            bytes[16..20].copy_from_slice(&columns.to_le_bytes());
            bytes[31] &= 0x7F;
            bytes[32..40].copy_from_slice(&i64::MAX.to_le_bytes());
            for n in 0..columns as usize {
                let start = HEADER_BYTES + 2 * n;
                if let Some(index) = bytes.get_mut(start..start + 2) {
                    index.copy_from_slice(&(40 + 30 * u16::try_from(n).unwrap()).to_le_bytes());
                }
            }
            sign(&mut bytes);
            if let Ok(chunk) = Chunk::from_bytes(bytes.into()) {
                read_all(&chunk);
            }
        }
    }

    #[test]
    fn damage_is_noticed_and_what_is_forged_does_no_harm(
        times in times(),
        columns in vec(column(), 1..5),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let columns: Vec<ColumnValues> = columns.iter().map(|c| fill(c, 0..times.len())).collect();
        let made = chunk(&times, &columns, &mut Choices::default());
        let mut bytes = made.bytes().to_vec();
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if bytes[..] != made.bytes()[..] {
            prop_assert!(Chunk::from_bytes(bytes.clone().into()).is_err());
        }
        sign(&mut bytes);
        if let Ok(chunk) = Chunk::from_bytes(bytes.clone().into()) {
            read_all(&chunk);
        }
        bytes.truncate(cut.index(bytes.len()));
        sign(&mut bytes);
        if let Ok(chunk) = Chunk::from_bytes(bytes.into()) {
            read_all(&chunk);
        }
    }
}

#[test]
fn rows_that_make_no_chunk_are_refused() {
    let mut choices = Choices::default();
    let none = ChunkWriter::new(1_000, &[], 0, &mut choices);
    assert_eq!(none.map(|_| ()), Err(ChunkError::Unfit("rows")));
    let mut writer = ChunkWriter::new(1_000, &[Timestamp(0)], 1, &mut choices).unwrap();
    let mut column = ColumnValues::new(RawType::Bit);
    assert_eq!(writer.push(&column), Err(ChunkError::Unfit("columns")), "no row");
    column.raw.push(2);
    assert_eq!(writer.push(&column), Err(ChunkError::Unfit("columns")), "no bit");
    column.raw[0] = 1;
    assert_eq!(writer.push(&column), Ok(()));
    assert_eq!(writer.push(&column), Err(ChunkError::Unfit("columns")), "one too many");
    assert_eq!(writer.finish().map(|chunk| chunk.rows()), Ok(1));
}
