//! Values to registers and back: the one place where both directions stand side by side.
//!
//! A *cell* is what one address of a table holds: a register of 16 bits, or a bit as 0 or 1.
//! Encodings are those of the datalist (its column `modbus`).

use std::fmt;

use thiserror::Error;

use crate::kind::PointKind;
use crate::problem::way_out;

/// How a value is laid out in cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Encoding {
    /// Signed 16-bit register; value = raw × scale. `0x8000` stands for "no value".
    A16 {
        /// Engineering units per count.
        scale: f64,
    },
    /// Unsigned 16-bit register; value = raw × scale.
    U16 {
        /// Engineering units per count.
        scale: f64,
    },
    /// IEEE 754 float in two registers. Not-a-number stands for "no value".
    Af,
    /// Unsigned 32-bit counter in two registers.
    C32,
    /// One bit.
    D1,
    /// Two adjacent bits, open contact first: 01 open (1), 10 closed (2), 00 between (0),
    /// 11 contradictory (3), as in IEC 60870-5.
    D2,
    /// A coil that takes one pulse.
    K1,
    /// A command by select-before-operate; its cell holds the result code of the last one.
    K2,
    /// Four registers, UTC milliseconds since 1970, high word first.
    K4,
}

/// Raw register that says "no value" in encoding `A16`.
const NO_VALUE: u16 = 0x8000;

/// Why a text is no encoding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum EncodingError {
    #[error("encoding '{code}' is not known; {hint}")]
    Unknown { code: String, hint: String },
    #[error("scale '{written}' is not of the form x0.01")]
    Scale { written: String },
    #[error("encoding '{code}' takes no scale, remove '{written}'")]
    TakesNoScale { code: String, written: String },
}

impl Encoding {
    /// Reads the datalist's notation: `A16 x0.01`, `U16`, `AF`, `C32`, `D1`, …
    pub(crate) fn parse(text: &str) -> Result<Self, EncodingError> {
        let (code, scale) = match text.split_once(' ') {
            Some((code, scale)) => (code, Some(scale.trim())),
            None => (text, None),
        };
        let scaled = || match scale {
            None => Ok(1.0),
            Some(written) => match written.strip_prefix('x').map(str::parse::<f64>) {
                Some(Ok(k)) if k > 0.0 && k.is_finite() => Ok(k),
                _ => Err(EncodingError::Scale { written: written.to_owned() }),
            },
        };
        let plain = |encoding| match scale {
            None => Ok(encoding),
            Some(written) => Err(EncodingError::TakesNoScale {
                code: code.to_owned(),
                written: written.to_owned(),
            }),
        };
        match code {
            "A16" => Ok(Self::A16 { scale: scaled()? }),
            "U16" => Ok(Self::U16 { scale: scaled()? }),
            "AF" => plain(Self::Af),
            "C32" => plain(Self::C32),
            "D1" => plain(Self::D1),
            "D2" => plain(Self::D2),
            "K1" => plain(Self::K1),
            "K2" => plain(Self::K2),
            "K4" => plain(Self::K4),
            _ => {
                let codes = ["A16", "U16", "AF", "C32", "D1", "D2", "K1", "K2", "K4"];
                Err(EncodingError::Unknown { code: code.to_owned(), hint: way_out(code, codes) })
            }
        }
    }

    /// Code without scale, such as `A16`.
    pub fn code(self) -> &'static str {
        match self {
            Self::A16 { .. } => "A16",
            Self::U16 { .. } => "U16",
            Self::Af => "AF",
            Self::C32 => "C32",
            Self::D1 => "D1",
            Self::D2 => "D2",
            Self::K1 => "K1",
            Self::K2 => "K2",
            Self::K4 => "K4",
        }
    }

    /// Engineering units per count; 1 where nothing is scaled.
    pub fn scale(self) -> f64 {
        match self {
            Self::A16 { scale } | Self::U16 { scale } => scale,
            _ => 1.0,
        }
    }

    /// Number of cells.
    pub fn cells(self) -> u16 {
        match self {
            Self::A16 { .. } | Self::U16 { .. } | Self::D1 | Self::K1 | Self::K2 => 1,
            Self::Af | Self::C32 | Self::D2 => 2,
            Self::K4 => 4,
        }
    }

    /// Whether it lives in bits rather than registers.
    pub fn is_bits(self) -> bool {
        matches!(self, Self::D1 | Self::D2 | Self::K1)
    }

    /// Whether it can carry a point of this kind.
    pub(crate) fn carries(self, kind: PointKind) -> bool {
        match kind {
            PointKind::Measurement
            | PointKind::EventMeasurement
            | PointKind::CalculatedMeasurement => {
                matches!(self, Self::A16 { .. } | Self::U16 { .. } | Self::Af)
            }
            PointKind::SinglePoint | PointKind::DerivedStatus => matches!(self, Self::D1),
            PointKind::DoublePoint => matches!(self, Self::D2),
            PointKind::Counter => matches!(self, Self::U16 { .. } | Self::C32),
            PointKind::SingleCommand => matches!(self, Self::K1),
            PointKind::DoubleCommand | PointKind::StepCommand => matches!(self, Self::K2),
            PointKind::SetPoint => matches!(self, Self::K4),
        }
    }
}

impl fmt::Display for Encoding {
    /// The datalist's notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale();
        f.write_str(self.code())?;
        if (scale - 1.0).abs() > f64::EPSILON { write!(f, " x{scale}") } else { Ok(()) }
    }
}

/// Order of the bytes of a value of two registers, most significant byte `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WordOrder {
    /// High word first, high byte first: the usual one.
    #[default]
    Abcd,
    /// Low word first.
    Cdab,
    /// High word first, bytes of each word swapped.
    Badc,
    /// Low word first, bytes swapped.
    Dcba,
}

impl WordOrder {
    /// The notations of the contract with their orders.
    pub const CODES: [(&'static str, Self); 4] =
        [("ABCD", Self::Abcd), ("CDAB", Self::Cdab), ("BADC", Self::Badc), ("DCBA", Self::Dcba)];

    /// The notation, such as `ABCD`.
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(_, order)| *order == self).map_or("", |(code, _)| code)
    }

    fn split(self, raw: u32) -> [u16; 2] {
        let [a, b, c, d] = raw.to_be_bytes();
        let (high, low) = match self {
            Self::Abcd => ([a, b], [c, d]),
            Self::Cdab => ([c, d], [a, b]),
            Self::Badc => ([b, a], [d, c]),
            Self::Dcba => ([d, c], [b, a]),
        };
        [u16::from_be_bytes(high), u16::from_be_bytes(low)]
    }

    /// The value that two registers hold, the first of them first.
    pub fn join(self, words: [u16; 2]) -> u32 {
        // Each order is its own inverse: it swaps words, bytes, or both.
        let [high, low] = self.split(u32::from(words[0]) << 16 | u32::from(words[1]));
        u32::from(high) << 16 | u32::from(low)
    }
}

/// Quality bits of a value, as in the quality descriptor of IEC 60870-5-101/104.
///
/// In the quality block a measurement or counter has one register of these; a status has one bit
/// that says [`Flags::INVALID`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// Nothing to say against the value.
    pub const GOOD: Self = Self(0);
    /// OV: outside what the register can hold.
    pub const OVERFLOW: Self = Self(0x01);
    /// BL: blocked for transmission, value held.
    pub const BLOCKED: Self = Self(0x10);
    /// SB: entered by hand.
    pub const SUBSTITUTED: Self = Self(0x20);
    /// NT: the last refresh failed.
    pub const NOT_TOPICAL: Self = Self(0x40);
    /// IV: the value cannot be used.
    pub const INVALID: Self = Self(0x80);
    /// TEST: the device is being tested. The quality descriptor has no bit for it (there it is a
    /// cause of transmission), so it stands above its eight.
    pub const TEST: Self = Self(0x0200);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::INVALID, "IV"),
        (Self::NOT_TOPICAL, "NT"),
        (Self::TEST, "TEST"),
        (Self::SUBSTITUTED, "SB"),
        (Self::BLOCKED, "BL"),
        (Self::OVERFLOW, "OV"),
    ];

    /// Whether the device says nothing against the value.
    pub fn is_good(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Flags {
    /// Names of the bits that are set, worst first: `IV NT`; unknown bits in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut space = "";
        for (flag, name) in Self::NAMES {
            if rest & flag.0 != 0 {
                write!(f, "{space}{name}")?;
                rest &= !flag.0;
                space = " ";
            }
        }
        if rest != 0 { write!(f, "{space}0x{rest:04X}") } else { Ok(()) }
    }
}

/// What a point's cells say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decoded {
    /// A value in the unit of the point; a code for statuses.
    Value(f64),
    /// The device says that it has none.
    NoValue,
    /// The bits are no value of this encoding.
    Nonsense,
}

/// Writes `value` into `cells`. `None` writes "no value" where the encoding has one, otherwise 0.
///
/// Returns [`Flags::OVERFLOW`] when the value does not fit and was cut to the nearest that does,
/// and [`Flags::INVALID`] when there is none.
///
/// # Panics
/// When `cells` is shorter than [`Encoding::cells`].
pub fn encode(
    encoding: Encoding,
    order: WordOrder,
    value: Option<f64>,
    cells: &mut [u16],
) -> Flags {
    let value = value.filter(|x| !x.is_nan());
    let (missing, x) = match value {
        Some(x) => (Flags::GOOD, x),
        None => (Flags::INVALID, 0.0),
    };
    let (raw, cut) = rounded(encoding, x);
    match encoding {
        Encoding::A16 { .. } if value.is_none() => cells[0] = NO_VALUE,
        Encoding::Af => {
            let float = value.map_or(f32::NAN, narrow);
            cells[..2].copy_from_slice(&order.split(float.to_bits()));
        }
        Encoding::A16 { .. } | Encoding::U16 { .. } | Encoding::K2 => cells[0] = low_word(raw),
        Encoding::D1 | Encoding::K1 => cells[0] = u16::from(raw != 0),
        Encoding::D2 => {
            cells[0] = low_word(raw) & 1;
            cells[1] = low_word(raw) >> 1 & 1;
        }
        Encoding::C32 => {
            let count = u32::try_from(raw).unwrap_or_default();
            cells[..2].copy_from_slice(&order.split(count));
        }
        Encoding::K4 => {
            for (n, cell) in cells[..4].iter_mut().enumerate() {
                *cell = low_word(raw >> (48 - 16 * n));
            }
        }
    }
    missing.with(cut)
}

/// Nearest count that the encoding can hold, and whether that is not the value itself.
fn rounded(encoding: Encoding, x: f64) -> (i64, Flags) {
    let (low, high) = match encoding {
        Encoding::A16 { .. } => (-32_767.0, 32_767.0),
        Encoding::U16 { .. } | Encoding::K2 => (0.0, 65_535.0),
        Encoding::C32 => (0.0, f64::from(u32::MAX)),
        Encoding::D1 | Encoding::K1 => (0.0, 1.0),
        Encoding::D2 => (0.0, 3.0),
        Encoding::K4 => (0.0, 4e15),
        Encoding::Af => return (0, Flags::GOOD),
    };
    let counts = (x / encoding.scale()).round();
    let cut = if (low..=high).contains(&counts) { Flags::GOOD } else { Flags::OVERFLOW };
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of the register")]
    let raw = counts.clamp(low, high) as i64;
    (raw, cut)
}

fn low_word(raw: i64) -> u16 {
    let [.., high, low] = raw.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[expect(clippy::cast_possible_truncation, reason = "the encoding is single precision")]
fn narrow(x: f64) -> f32 {
    x as f32
}

/// Reads a value from `cells`.
///
/// Fewer cells than [`Encoding::cells`] are [`Decoded::Nonsense`]: a short reply is no value.
pub fn decode(encoding: Encoding, order: WordOrder, cells: &[u16]) -> Decoded {
    match (encoding, cells) {
        (Encoding::A16 { .. }, [NO_VALUE, ..]) => Decoded::NoValue,
        (Encoding::A16 { scale }, [raw, ..]) => {
            Decoded::Value(scaled(f64::from(raw.cast_signed()), scale))
        }
        (Encoding::U16 { scale }, [raw, ..]) => Decoded::Value(scaled(f64::from(*raw), scale)),
        (Encoding::K2, [raw, ..]) => Decoded::Value(f64::from(*raw)),
        (Encoding::D1 | Encoding::K1, [bit @ (0 | 1), ..]) => Decoded::Value(f64::from(*bit)),
        (Encoding::D2, [open @ (0 | 1), closed @ (0 | 1), ..]) => {
            Decoded::Value(f64::from(open | closed << 1))
        }
        (Encoding::C32, [high, low, ..]) => Decoded::Value(f64::from(order.join([*high, *low]))),
        (Encoding::Af, [high, low, ..]) => {
            let x = f64::from(f32::from_bits(order.join([*high, *low])));
            match () {
                () if x.is_nan() => Decoded::NoValue,
                () if x.is_infinite() => Decoded::Nonsense,
                () => Decoded::Value(x),
            }
        }
        (Encoding::K4, [a, b, c, d, ..]) => {
            let seconds_high = f64::from(u32::from(*a) << 16 | u32::from(*b));
            let low = f64::from(u32::from(*c) << 16 | u32::from(*d));
            Decoded::Value(seconds_high * 4_294_967_296.0 + low)
        }
        _ => Decoded::Nonsense,
    }
}

/// Counts × scale, by a division where the scale is a decimal fraction: 1261 × 0.01 is then 12.61
/// and not 12.610000000000001.
pub fn scaled(counts: f64, scale: f64) -> f64 {
    let per_unit = (1.0 / scale).round();
    let exact = per_unit >= 1.0 && (per_unit * scale - 1.0).abs() < 1e-12;
    if exact { counts / per_unit } else { counts * scale }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(encoding: Encoding, order: WordOrder, value: f64) -> Decoded {
        let mut cells = [0; 4];
        let flags = encode(encoding, order, Some(value), &mut cells);
        assert!(flags.is_good(), "{value} does not fit {encoding}");
        decode(encoding, order, &cells[..usize::from(encoding.cells())])
    }

    #[test]
    fn a_double_point_has_its_open_contact_in_the_lower_address() {
        for (code, expected) in [(0.0, [0, 0]), (1.0, [1, 0]), (2.0, [0, 1]), (3.0, [1, 1])] {
            let mut cells = [9; 2];
            encode(Encoding::D2, WordOrder::Abcd, Some(code), &mut cells);
            assert_eq!(cells, expected);
        }
    }

    #[test]
    fn no_value_is_said_and_understood() {
        let mut cells = [0; 2];
        let a16 = Encoding::A16 { scale: 0.1 };
        assert_eq!(encode(a16, WordOrder::Abcd, None, &mut cells), Flags::INVALID);
        assert_eq!(cells[0], 0x8000);
        assert_eq!(decode(a16, WordOrder::Abcd, &cells), Decoded::NoValue);
        encode(Encoding::Af, WordOrder::Cdab, None, &mut cells);
        assert_eq!(decode(Encoding::Af, WordOrder::Cdab, &cells), Decoded::NoValue);
    }

    #[test]
    fn a_value_that_does_not_fit_is_cut_and_flagged() {
        let mut cells = [0; 1];
        let a16 = Encoding::A16 { scale: 0.01 };
        assert_eq!(encode(a16, WordOrder::Abcd, Some(1e6), &mut cells), Flags::OVERFLOW);
        assert_eq!(decode(a16, WordOrder::Abcd, &cells), Decoded::Value(327.67));
        assert_eq!(encode(a16, WordOrder::Abcd, Some(-1e6), &mut cells), Flags::OVERFLOW);
        assert_eq!(decode(a16, WordOrder::Abcd, &cells), Decoded::Value(-327.67));
    }

    #[test]
    fn word_orders_are_those_of_the_relay_manuals() {
        let raw = 0x0A0B_0C0D;
        assert_eq!(WordOrder::Abcd.split(raw), [0x0A0B, 0x0C0D]);
        assert_eq!(WordOrder::Cdab.split(raw), [0x0C0D, 0x0A0B]);
        assert_eq!(WordOrder::Badc.split(raw), [0x0B0A, 0x0D0C]);
        assert_eq!(WordOrder::Dcba.split(raw), [0x0D0C, 0x0B0A]);
    }

    #[test]
    fn notation_reads_back() {
        for text in ["A16 x0.01", "A16", "U16 x0.001", "AF", "C32", "D1", "D2", "K1", "K2", "K4"] {
            assert_eq!(Encoding::parse(text).map(|e| e.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn flags_are_spelled_worst_first() {
        assert_eq!(Flags(0xC1).to_string(), "IV NT OV");
        assert_eq!(Flags(0x0100).to_string(), "0x0100");
    }

    proptest! {
        #[test]
        fn every_count_survives_the_wire(raw in -32_767_i16..=i16::MAX) {
            let value = f64::from(raw) / 100.0;
            let encoding = Encoding::A16 { scale: 0.01 };
            prop_assert_eq!(round_trip(encoding, WordOrder::Abcd, value), Decoded::Value(value));
        }

        #[test]
        fn counters_and_floats_survive_every_word_order(raw: u32, x: f32, order in 0_usize..4) {
            let order = WordOrder::CODES[order].1;
            let count = f64::from(raw);
            prop_assert_eq!(round_trip(Encoding::C32, order, count), Decoded::Value(count));
            let x = f64::from(x);
            prop_assert_eq!(round_trip(Encoding::Af, order, x), Decoded::Value(x));
        }

        #[test]
        fn any_cells_decode_without_panic(cells in proptest::collection::vec(any::<u16>(), 0..5)) {
            for text in ["A16 x0.01", "U16", "AF", "C32", "D1", "D2", "K1", "K2", "K4"] {
                let encoding = Encoding::parse(text).expect("a known encoding");
                if let Decoded::Value(x) = decode(encoding, WordOrder::Abcd, &cells) {
                    prop_assert!(x.is_finite());
                }
            }
        }
    }
}
