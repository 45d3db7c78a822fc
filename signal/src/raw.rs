//! Raw values: what came for a point as one number, before any scale, so that nothing of it is lost: not the payload of a
//! NaN, not the count that says "no value".

use config::{Decoded, Encoding, Flags, scaled};

/// Count of a scaled value that says "no value" (see [`Encoding::A16`]).
const NO_VALUE: u16 = 0x8000;

/// How the raw values of a column are laid out. A raw value is a `u64` with this many low bits in
/// use, the others zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawType {
    /// One bit.
    Bit,
    /// Two bits: open contact lowest.
    Pair,
    /// 16 bits in two's complement; 0x8000 is no value.
    Signed16,
    /// 16 bits.
    Unsigned16,
    /// 32 bits.
    Unsigned32,
    /// The 32 bits of a float; not-a-number is no value.
    Float32,
    /// 64 bits.
    Unsigned64,
}

impl RawType {
    /// Every layout.
    pub const ALL: [Self; 7] = [
        Self::Bit,
        Self::Pair,
        Self::Signed16,
        Self::Unsigned16,
        Self::Unsigned32,
        Self::Float32,
        Self::Unsigned64,
    ];

    /// Its number in the bytes of chunks, 0 to 7. A number that is given is never given again, nor to
    /// another layout.
    pub fn code(self) -> u8 {
        match self {
            Self::Bit => 0,
            Self::Pair => 1,
            Self::Signed16 => 2,
            Self::Unsigned16 => 3,
            Self::Unsigned32 => 4,
            Self::Float32 => 5,
            Self::Unsigned64 => 6,
        }
    }

    /// The layout that a number stands for; `None` when it stands for none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.code() == code)
    }

    /// That of values in an encoding.
    pub fn of(encoding: Encoding) -> Self {
        match encoding {
            Encoding::A16 { .. } => Self::Signed16,
            Encoding::U16 { .. } | Encoding::K2 => Self::Unsigned16,
            Encoding::Af => Self::Float32,
            Encoding::C32 => Self::Unsigned32,
            Encoding::D1 | Encoding::K1 => Self::Bit,
            Encoding::D2 => Self::Pair,
            Encoding::K4 => Self::Unsigned64,
        }
    }

    /// Bytes that hold a raw value, 1 to 8.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bit | Self::Pair => 1,
            Self::Signed16 | Self::Unsigned16 => 2,
            Self::Unsigned32 | Self::Float32 => 4,
            Self::Unsigned64 => 8,
        }
    }

    /// Bits that hold a raw value, 1 to 64.
    pub fn bits(self) -> u32 {
        match self {
            Self::Bit => 1,
            Self::Pair => 2,
            Self::Signed16 | Self::Unsigned16 => 16,
            Self::Unsigned32 | Self::Float32 => 32,
            Self::Unsigned64 => 64,
        }
    }

    /// Highest raw value.
    pub fn highest(self) -> u64 {
        match self {
            Self::Bit => 1,
            Self::Pair => 3,
            Self::Signed16 | Self::Unsigned16 => u16::MAX.into(),
            Self::Unsigned32 | Self::Float32 => u32::MAX.into(),
            Self::Unsigned64 => u64::MAX,
        }
    }

    /// The number that a raw value is, in counts; `None` when it stands for no value, or for none
    /// that is finite.
    pub fn counts(self, raw: u64) -> Option<f64> {
        match self {
            Self::Signed16 => {
                let raw = word(raw);
                (raw != NO_VALUE).then(|| f64::from(raw.cast_signed()))
            }
            Self::Float32 => {
                let x = f32::from_bits(low(raw));
                x.is_finite().then(|| f64::from(x))
            }
            _ => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "what is wider than 53 bits is time"
                )]
                let x = raw as f64;
                Some(x)
            }
        }
    }
}

/// What a raw value says: the same as [`config::decode`] of the cells that it was read from.
pub fn decoded(raw_type: RawType, scale: f64, raw: u64) -> Decoded {
    match raw_type {
        RawType::Float32 => {
            let x = f32::from_bits(low(raw));
            match () {
                () if x.is_nan() => Decoded::NoValue,
                () if x.is_infinite() => Decoded::Nonsense,
                () => Decoded::Value(f64::from(x)),
            }
        }
        RawType::Signed16 | RawType::Unsigned16 => match raw_type.counts(raw) {
            Some(counts) => Decoded::Value(scaled(counts, scale)),
            None => Decoded::NoValue,
        },
        _ => raw_type.counts(raw).map_or(Decoded::NoValue, Decoded::Value),
    }
}

/// What the raw value of a quality says. A status has one bit that says "not good".
pub fn flags(is_bit: bool, raw: u64) -> Flags {
    match (is_bit, raw) {
        (true, 0) => Flags::GOOD,
        (true, _) => Flags::INVALID,
        (false, raw) => Flags(u16::try_from(raw).unwrap_or(u16::MAX)),
    }
}

/// Lowest 16 bits.
pub fn word(raw: u64) -> u16 {
    u16::try_from(raw & 0xFFFF).unwrap_or_default()
}

/// Lowest 32 bits.
pub fn low(raw: u64) -> u32 {
    u32::try_from(raw & 0xFFFF_FFFF).unwrap_or_default()
}
