//! What a chunk tells of a column without decoding it.

use signal::raw::RawType;

use super::bytes::{Bytes, put_number, put_varint, unzigzag, zigzag};

/// What the values of a column come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Rows that have a value of this column, whatever it says.
    pub present: u32,
    /// What those come to that are real: neither "no value" nor without bounds. `None` when none
    /// is.
    pub real: Option<Real>,
}

/// What real values come to. `first` to `max` are raw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Real {
    /// How many, at least 1.
    pub count: u32,
    /// The one of the first row.
    pub first: u64,
    /// The one of the last row.
    pub last: u64,
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
    /// Their sum, in counts.
    pub sum: f64,
}

impl Real {
    /// Of raw values; `None` when none of them is real.
    pub fn of(raw_type: RawType, raw: &[u64]) -> Option<Self> {
        // Told apart outside the loop, so that the loop is a plain one.
        match raw_type {
            RawType::Signed16 => scan(raw, |raw| RawType::Signed16.counts(raw)),
            RawType::Float32 => scan(raw, |raw| RawType::Float32.counts(raw)),
            _ => scan(raw, |raw| RawType::Unsigned64.counts(raw)),
        }
    }

    /// Of a value that stands in `count` rows.
    pub(super) fn constant(raw_type: RawType, raw: u64, count: u32) -> Option<Self> {
        let counts = raw_type.counts(raw).filter(|_| count > 0)?;
        let sum = counts * f64::from(count);
        Some(Self { count, first: raw, last: raw, min: raw, max: raw, sum })
    }

    /// Appends what stands in a chunk: everything but the count.
    pub(super) fn write(&self, raw_type: RawType, out: &mut Vec<u8>) {
        for raw in [self.first, self.last, self.min, self.max] {
            put_number(out, raw_type.bytes(), raw);
        }
        if has_short_sum(raw_type) {
            #[expect(clippy::cast_possible_truncation, reason = "32 bits, some thousand times")]
            put_varint(out, zigzag(self.sum as i64));
        } else {
            put_number(out, 8, self.sum.to_bits());
        }
    }

    /// Reads what [`Real::write`] has written.
    pub(super) fn read(raw_type: RawType, count: u32, bytes: &mut Bytes<'_>) -> Option<Self> {
        let width = raw_type.bytes();
        let mut raw = || bytes.number(width).filter(|raw| *raw <= raw_type.highest());
        let (first, last, min, max) = (raw()?, raw()?, raw()?, raw()?);
        let sum = if has_short_sum(raw_type) {
            #[expect(clippy::cast_precision_loss, reason = "32 bits, some thousand times")]
            let sum = unzigzag(bytes.varint()?) as f64;
            sum
        } else {
            f64::from_bits(bytes.number(8)?)
        };
        Some(Self { count, first, last, min, max, sum })
    }
}

/// Whether sums are whole and far below 53 bits.
fn has_short_sum(raw_type: RawType) -> bool {
    !matches!(raw_type, RawType::Float32 | RawType::Unsigned64)
}

fn scan(raw: &[u64], counts: impl Fn(u64) -> Option<f64>) -> Option<Real> {
    let mut found: Option<(Real, f64, f64)> = None;
    for raw in raw {
        let Some(x) = counts(*raw) else { continue };
        match &mut found {
            None => {
                let (count, raw, sum) = (1, *raw, x);
                let real = Real { count, first: raw, last: raw, min: raw, max: raw, sum };
                found = Some((real, x, x));
            }
            Some((real, min, max)) => {
                real.count += 1;
                real.last = *raw;
                real.sum += x;
                if x < *min {
                    (real.min, *min) = (*raw, x);
                }
                if x > *max {
                    (real.max, *max) = (*raw, x);
                }
            }
        }
    }
    found.map(|(real, _, _)| real)
}
