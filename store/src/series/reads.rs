//! What the buffer tells: over sealed chunks and open rows alike.
//!
//! Spans of time begin with `from` and end before `to`. A point that the channel does not read has
//! no samples.

use std::ops::Range;

use config::{ChannelId, Decoded, Flags, PointId};
use signal::clock::Timestamp;

use super::Buffer;
use super::block::Piece;
use super::chunk::{ChunkError, Real, decoded, flags};
use super::layout::{ChannelLayout, Place, PointPlace};

/// Most steps of an [`Buffer::aligned`] read, and most pixels of a [`Buffer::downsampled`] one.
pub const STEPS_MAX: usize = 1_000_000;

/// A value that came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub value: Decoded,
    /// What the device says against it: of the same reply, or else the last that came before.
    /// `None` when it sends none, or none has come yet.
    pub flags: Option<Flags>,
}

/// What the real values of a span come to, in the unit of the point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many, at least 1.
    pub count: u64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// The one that came first.
    pub first: f64,
    /// The one that came last.
    pub last: f64,
    /// Their mean; each counts the same, however long it stood.
    pub mean: f64,
}

/// A raw value, and where it stands.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// Counted from the oldest row that is kept.
    number: u64,
    at: Timestamp,
    raw: u64,
}

/// Real values of a point, summed up raw.
#[derive(Debug, Clone, Copy)]
struct Sum {
    count: u64,
    first: f64,
    last: f64,
    min: f64,
    max: f64,
    /// Of all, in counts.
    counts: f64,
}

/// A point of a channel.
struct PointSeries<'a> {
    buffer: &'a Buffer,
    channel: ChannelId,
    layout: &'a ChannelLayout,
    point: PointPlace,
}

impl Buffer {
    fn series(&self, channel: ChannelId, point: PointId) -> Option<PointSeries<'_>> {
        let layout = &*self.channels.get(channel.index())?.layout;
        let point = layout.points.get(point.index()).copied()??;
        Some(PointSeries { buffer: self, channel, layout, point })
    }

    /// The value of a point that came last.
    pub fn latest(&self, channel: ChannelId, point: PointId) -> Option<Sample> {
        let series = self.series(channel, point)?;
        let value = series.point.value;
        let row = series.last_below(value, u64::MAX)?;
        let quality = series.point.quality.and_then(|place| {
            let is_neighbour = place.block == value.block;
            if is_neighbour {
                series.last_below(place, row.number + 1)
            } else {
                series.nearest(place, row.at)
            }
        });
        Some(series.sample(row, quality.map(|quality| quality.raw)))
    }

    /// The values of a point in a span of time, in the order in which they came.
    pub fn range(
        &self,
        channel: ChannelId,
        point: PointId,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Sample> {
        self.series(channel, point).map_or_else(Vec::new, |series| series.samples(from, to))
    }

    /// What the values of a point in a span of time come to; `None` when none is real. Chunks that
    /// lie within the span are not decoded.
    pub fn summary(
        &self,
        channel: ChannelId,
        point: PointId,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Summary> {
        let series = self.series(channel, point)?;
        let mut sum = None;
        series.sum(from, to, &|_| Some(0), &mut |_, part| Sum::add(&mut sum, part));
        sum.map(|sum| sum.summary(&series))
    }

    /// The mean of the real values of a point in a span of time, in its unit.
    pub fn mean(
        &self,
        channel: ChannelId,
        point: PointId,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<f64> {
        self.summary(channel, point, from, to).map(|summary| summary.mean)
    }

    /// A span of time cut into so many equal parts, at most [`STEPS_MAX`], and what the values of a
    /// point come to in each; `None` where none is real. Chunks that lie within one part are not
    /// decoded.
    pub fn downsampled(
        &self,
        channel: ChannelId,
        point: PointId,
        (from, to): (Timestamp, Timestamp),
        pixels: usize,
    ) -> Vec<Option<Summary>> {
        let mut sums = vec![None; pixels.min(STEPS_MAX)];
        let span = i128::from(to.0) - i128::from(from.0);
        if let Some(series) = self.series(channel, point).filter(|_| span > 0) {
            let count = sums.len() as i128;
            let pixel_of = |at: Timestamp| {
                let since = i128::from(at.0) - i128::from(from.0);
                usize::try_from(since * count / span).ok()
            };
            series.sum(from, to, &pixel_of, &mut |pixel, part| {
                if let Some(sum) = sums.get_mut(pixel) {
                    Sum::add(sum, part);
                }
            });
            return sums.into_iter().map(|sum| Some(sum?.summary(&series))).collect();
        }
        vec![None; sums.len()]
    }

    /// Several points side by side: at `from` and then every `step_ms` milliseconds, at most
    /// [`STEPS_MAX`] times, for each point the last value that came until then, unless it was
    /// older than `age_ms` milliseconds. One list of samples for each point.
    pub fn aligned(
        &self,
        points: &[(ChannelId, PointId)],
        (from, to): (Timestamp, Timestamp),
        step_ms: u32,
        age_ms: u32,
    ) -> Vec<Vec<Option<Sample>>> {
        let step = i64::from(step_ms.max(1));
        let steps = || (0..).map(|n| from.plus(step.saturating_mul(n)));
        let steps = || steps().take_while(|at| *at < to).take(STEPS_MAX);
        let of_point = |(channel, point): &(ChannelId, PointId)| {
            let age = i64::from(age_ms);
            let mut samples = self.range(*channel, *point, from.plus(-age), to);
            samples.sort_by_key(|sample| sample.at);
            let mut next = 0;
            let at_step = |at: Timestamp| {
                next += samples[next..].iter().take_while(|sample| sample.at <= at).count();
                let last = samples.get(next.checked_sub(1)?)?;
                (at.since(last.at) <= age).then_some(*last)
            };
            steps().map(at_step).collect()
        };
        points.iter().map(of_point).collect()
    }
}

impl<'a> PointSeries<'a> {
    /// What there is of the block of a column, oldest first.
    fn pieces(&self, place: Place) -> impl DoubleEndedIterator<Item = Piece<'a>> + use<'a> {
        let n = usize::from(place.block);
        let block = self.buffer.channels.get(self.channel.index());
        let block = block.and_then(|series| series.blocks.get(n)).zip(self.layout.blocks.get(n));
        block.into_iter().flat_map(|(block, layout)| block.pieces(layout))
    }

    /// The rows of a column of which this holds, in the order in which they came. Pieces that have
    /// none are told by their span of time and the numbers of their rows.
    fn rows(
        &self,
        place: Place,
        may_have: impl Fn((Timestamp, Timestamp), Range<u64>) -> bool,
        holds: impl Fn(&Row) -> bool,
    ) -> Vec<Row> {
        let mut found = Vec::new();
        let mut before = 0;
        for piece in self.pieces(place) {
            let end = before + piece.rows() as u64;
            if may_have(piece.span(), before..end) {
                each_row(&piece, place, before, |row| {
                    if holds(&row) {
                        found.push(row);
                    }
                });
            }
            before = end;
        }
        found
    }

    /// The rows of a column in a span of time.
    fn rows_within(&self, place: Place, from: Timestamp, to: Timestamp) -> Vec<Row> {
        let may_have = |(earliest, latest): (Timestamp, _), _| latest >= from && earliest < to;
        self.rows(place, may_have, |row| row.at >= from && row.at < to)
    }

    /// The last row of a column with a lower number than this.
    fn last_below(&self, place: Place, number: u64) -> Option<Row> {
        let mut end: u64 = self.pieces(place).map(|piece| piece.rows() as u64).sum();
        for piece in self.pieces(place).rev() {
            let before = end - piece.rows() as u64;
            if before < number {
                let mut last = None;
                each_row(&piece, place, before, |row| {
                    if row.number < number {
                        last = Some(row);
                    }
                });
                if last.is_some() {
                    return last;
                }
            }
            end = before;
        }
        None
    }

    /// The latest row of a column that is not later than this; of several the one that came last.
    fn nearest(&self, place: Place, at: Timestamp) -> Option<Row> {
        let mut found: Option<Row> = None;
        for piece in self.pieces(place).rev() {
            let (earliest, latest) = piece.span();
            if earliest > at || found.is_some_and(|row| latest <= row.at) {
                continue;
            }
            let mut best: Option<Row> = None;
            each_row(&piece, place, 0, |row| {
                if row.at <= at && best.is_none_or(|best| row.at >= best.at) {
                    best = Some(row);
                }
            });
            if best.is_some_and(|best| found.is_none_or(|row| best.at > row.at)) {
                found = best;
            }
        }
        found
    }

    fn samples(&self, from: Timestamp, to: Timestamp) -> Vec<Sample> {
        let rows = self.rows_within(self.point.value, from, to);
        let (Some(place), Some(first), Some(last)) =
            (self.point.quality, rows.first(), rows.last())
        else {
            return rows.into_iter().map(|row| self.sample(row, None)).collect();
        };
        if place.block == self.point.value.block {
            let (first, last) = (first.number, last.number);
            let may_have = |_, numbers: Range<u64>| numbers.start <= last && first < numbers.end;
            let mut qualities =
                self.rows(place, may_have, |row| (first..=last).contains(&row.number));
            if qualities.first().is_none_or(|quality| quality.number > first) {
                qualities.splice(0..0, self.last_below(place, first));
            }
            return self.join(&rows, &qualities, |row| row.number);
        }
        let mut qualities = self.rows_within(place, from, to);
        qualities.splice(0..0, self.nearest(place, from.plus(-1)));
        qualities.sort_by_key(|row| row.at);
        self.join(&rows, &qualities, |row| row.at)
    }

    /// Each value with the last quality that is not behind it.
    fn join<K: Ord>(
        &self,
        rows: &[Row],
        qualities: &[Row],
        order: impl Fn(&Row) -> K,
    ) -> Vec<Sample> {
        let mut place = 0;
        let sample = |row: &Row| {
            let key = order(row);
            // Nearly always the next one; where time went back, any.
            while place > 0 && order(&qualities[place - 1]) > key {
                place -= 1;
            }
            while qualities.get(place).is_some_and(|quality| order(quality) <= key) {
                place += 1;
            }
            let quality = place.checked_sub(1).map(|last| qualities[last].raw);
            self.sample(*row, quality)
        };
        rows.iter().map(sample).collect()
    }

    fn sample(&self, row: Row, quality: Option<u64>) -> Sample {
        let flags = quality.map(|raw| flags(self.point.quality_is_bit, raw));
        Sample { at: row.at, value: decoded(self.point.raw_type, self.point.scale, row.raw), flags }
    }

    /// Sums up the real values of a span of time by the part of it in which they lie, in the order
    /// in which they came.
    fn sum(
        &self,
        from: Timestamp,
        to: Timestamp,
        part_of: &dyn Fn(Timestamp) -> Option<usize>,
        add: &mut dyn FnMut(usize, Sum),
    ) {
        let place = self.point.value;
        for piece in self.pieces(place) {
            let (earliest, latest) = piece.span();
            if latest < from || earliest >= to {
                continue;
            }
            let is_within = earliest >= from && latest < to;
            let part = part_of(earliest).filter(|part| part_of(latest) == Some(*part));
            if let Some(part) = part.filter(|_| is_within) {
                match piece.statistics(place) {
                    Ok(statistics) => {
                        let real = statistics.real.and_then(|real| self.sum_of(&real));
                        if let Some(real) = real {
                            add(part, real);
                        }
                    }
                    Err(error) => report(error),
                }
                continue;
            }
            each_row(&piece, place, 0, |row| {
                if row.at >= from
                    && row.at < to
                    && let (Some(part), Some(sum)) = (part_of(row.at), self.sum_of_one(row.raw))
                {
                    add(part, sum);
                }
            });
        }
    }

    /// A raw value in the unit of the point.
    fn real(&self, raw: u64) -> Option<f64> {
        match decoded(self.point.raw_type, self.point.scale, raw) {
            Decoded::Value(x) => Some(x),
            Decoded::NoValue | Decoded::Nonsense => None,
        }
    }

    fn sum_of(&self, real: &Real) -> Option<Sum> {
        Some(Sum {
            count: real.count.into(),
            first: self.real(real.first)?,
            last: self.real(real.last)?,
            min: self.real(real.min)?,
            max: self.real(real.max)?,
            counts: real.sum,
        })
    }

    fn sum_of_one(&self, raw: u64) -> Option<Sum> {
        let x = self.real(raw)?;
        let counts = self.point.raw_type.counts(raw)?;
        Some(Sum { count: 1, first: x, last: x, min: x, max: x, counts })
    }
}

impl Sum {
    fn add(sum: &mut Option<Self>, other: Self) {
        match sum {
            None => *sum = Some(other),
            Some(sum) => {
                sum.count += other.count;
                sum.last = other.last;
                sum.min = sum.min.min(other.min);
                sum.max = sum.max.max(other.max);
                sum.counts += other.counts;
            }
        }
    }

    fn summary(self, series: &PointSeries<'_>) -> Summary {
        let Self { count, first, last, min, max, counts } = self;
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let mean = counts / count as f64 * series.point.scale;
        Summary { count, min, max, first, last, mean }
    }
}

/// Goes through the rows of a column of a piece, in front of which `before` rows are kept.
fn each_row(piece: &Piece<'_>, place: Place, before: u64, mut take: impl FnMut(Row)) {
    let (times, column) = match (piece.times(), piece.column(place)) {
        (Ok(times), Ok(column)) => (times, column),
        (Err(error), _) | (_, Err(error)) => return report(error),
    };
    for (row, raw) in column.rows() {
        let at = usize::try_from(row).ok().and_then(|row| times.get(row));
        if let Some(at) = at.copied() {
            take(Row { number: before + u64::from(row), at, raw });
        }
    }
}

/// What the buffer has made itself can be read; if not, that is a mistake of ours.
fn report(error: ChunkError) {
    tracing::error!(%error, "rows of a block are left out");
}
