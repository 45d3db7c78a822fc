//! Means over the day from a store of ours, in the three ways that it can be asked.

use std::path::Path;

use config::Decoded;
use gridwatch::series::chunk::{Chunk, Real};
use gridwatch::store::{Reader, StoreError};

use super::source::{Series, Source};
use super::{Means, cpu_seconds, repeat, tell_difference};

pub(super) fn means(source: &Source, folder: &Path, expected: &Means) {
    let reader = Reader::open(folder).expect("a store");
    let ways: [(&str, &dyn Fn() -> Means); 3] = [
        ("reader", &|| by_reader(source, &reader)),
        ("decoding", &|| by_chunks(source, decoded)),
        ("statistics", &|| by_chunks(source, told)),
    ];
    for (name, way) in ways {
        let answer = repeat(name, cpu_seconds, way);
        tell_difference(name, &answer, expected);
    }
}

/// Point by point, every value with its time and quality, as an export has them.
fn by_reader(source: &Source, reader: &Reader) -> Means {
    let mean = |series: &Series| {
        let (mut count, mut sum) = (0_u64, 0.0);
        let point = (series.station.as_str(), series.centre.as_str(), series.id.as_str());
        let read = reader.values(point, (source.day.start, source.day.end), |value| {
            if let Decoded::Value(x) = value.value {
                count += 1;
                sum += x;
            }
            Ok::<(), StoreError>(())
        });
        read.expect("values");
        (count > 0).then(|| (series.id.clone(), sum / count as f64))
    };
    source.series.iter().filter_map(mean).collect()
}

/// Count and sum of the real values of a column, in counts.
type Sum = (u32, f64);

fn decoded(chunk: &Chunk, column: usize) -> Sum {
    let column = chunk.column(column).expect("a column");
    Real::of(column.raw_type, &column.raw).map_or((0, 0.0), |real| (real.count, real.sum))
}

fn told(chunk: &Chunk, column: usize) -> Sum {
    let statistics = chunk.statistics(column).expect("statistics");
    statistics.real.map_or((0, 0.0), |real| (real.count, real.sum))
}

/// Chunk by chunk, each read once for all of its columns. Where one reaches over the edge of the day,
/// rows decide.
fn by_chunks(source: &Source, whole: impl Fn(&Chunk, usize) -> Sum) -> Means {
    let mut sums = vec![(0_u64, 0.0); source.series.len()];
    for block in &source.blocks {
        for chunk in source.chunks(block, &source.day) {
            let (first, last) = chunk.span();
            let is_within = source.day.contains(&first) && source.day.contains(&last);
            for n in block.series.clone() {
                let column = source.series[n].column;
                let (count, sum) =
                    if is_within { whole(&chunk, column) } else { cut(source, &chunk, column) };
                sums[n].0 += u64::from(count);
                sums[n].1 += sum;
            }
        }
    }
    let mean = |(series, (count, sum)): (&Series, (u64, f64))| {
        (count > 0).then(|| (series.id.clone(), sum / count as f64 * series.encoding.scale()))
    };
    source.series.iter().zip(sums).filter_map(mean).collect()
}

fn cut(source: &Source, chunk: &Chunk, column: usize) -> Sum {
    let (times, column) = (chunk.times().expect("times"), chunk.column(column).expect("a column"));
    let within = column.rows().filter(|(row, _)| source.day.contains(&times[*row as usize]));
    let raw: Vec<u64> = within.map(|(_, raw)| raw).collect();
    Real::of(column.raw_type, &raw).map_or((0, 0.0), |real| (real.count, real.sum))
}
