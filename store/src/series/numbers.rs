//! Columns of numbers by `pco`: it models numbers and packs what the model leaves, to the bit.
//!
//! How to model a column (mode and order of differences) is searched once, and then kept for some
//! chunks: the search costs as much as all the rest, and a signal does not change its nature.

use pco::data_types::Number;
use pco::metadata::{DeltaEncoding, Mode};
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};
use signal::raw::{RawType, low, word};

/// How hard to try, of 12. Beyond 8 some tenths of a per cent cost twice the time.
const LEVEL: usize = 8;
/// Chunks for which a choice is kept.
const KEPT_FOR: u8 = 16;

/// The version of its format that `pco` notes in front of what it writes.
pub(super) const FORMAT_BYTES: usize = 2;

/// How columns of a block are modelled: those that a search was made for.
#[derive(Debug, Clone, Default)]
pub struct Choices(Vec<Choice>);

/// How one column is modelled.
#[derive(Debug, Clone, Copy)]
struct Choice {
    column: u16,
    /// Chunks for which it still stands.
    left: u8,
    /// Order of the differences, 0 to 7.
    order: u8,
    mode: KeptMode,
}

/// The modes of `pco` that its search can find.
#[derive(Debug, Clone, Copy)]
enum KeptMode {
    Classic,
    /// Multiples of a whole number.
    Multiple(u32),
    /// Multiples of a float.
    FloatMultiple(f32),
    /// Floats of which so many low bits say little.
    Quantised(u8),
}

impl Choices {
    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Choice>()
    }

    /// The choice for a column, if it still stands.
    fn take(&mut self, column: u16) -> Option<Choice> {
        let place = self.0.binary_search_by_key(&column, |choice| choice.column).ok()?;
        let choice = self.0.get_mut(place)?;
        choice.left = choice.left.checked_sub(1)?;
        Some(*choice)
    }

    fn keep(&mut self, choice: Choice) {
        match self.0.binary_search_by_key(&choice.column, |choice| choice.column) {
            Ok(place) => self.0[place] = choice,
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, choice);
            }
        }
    }
}

impl Choice {
    /// What a search has found; differences to some earlier value than the one before are not
    /// kept, since reading them back takes memory that the bytes ask for.
    fn of<N: Raw>(column: u16, mode: &Mode, delta: &DeltaEncoding) -> Self {
        let mode = match mode {
            Mode::IntMult(_) | Mode::FloatMult(_) => N::multiple(mode),
            Mode::FloatQuant(bits) => u8::try_from(*bits).ok().map(KeptMode::Quantised),
            _ => None,
        };
        let order = match delta {
            DeltaEncoding::NoOp => 0,
            DeltaEncoding::Consecutive { order, .. } => u8::try_from(*order).unwrap_or(1),
            _ => 1,
        };
        Self { column, left: KEPT_FOR - 1, order, mode: mode.unwrap_or(KeptMode::Classic) }
    }

    fn config(self) -> ChunkConfig {
        let mode = match self.mode {
            KeptMode::Classic => ModeSpec::Classic,
            KeptMode::Multiple(base) => ModeSpec::TryIntMult(base.into()),
            KeptMode::FloatMultiple(base) => ModeSpec::TryFloatMult(base.into()),
            KeptMode::Quantised(bits) => ModeSpec::TryFloatQuant(bits.into()),
        };
        config().with_mode_spec(mode).with_delta_spec(DeltaSpec::TryConsecutive(self.order.into()))
    }
}

fn config() -> ChunkConfig {
    ChunkConfig::default().with_compression_level(LEVEL).with_enable_8_bit(true)
}

/// The version of the format that is written.
pub(super) fn format() -> Option<[u8; FORMAT_BYTES]> {
    let mut bytes = Vec::with_capacity(FORMAT_BYTES);
    FileCompressor::default().write_header(&mut bytes).ok()?;
    bytes.try_into().ok()
}

/// Appends the packed values of a column; `None` when they cannot be packed, and `out` may then
/// hold a part.
pub(super) fn pack(
    raw_type: RawType,
    raw: &[u64],
    (column, choices): (u16, &mut Choices),
    out: &mut Vec<u8>,
) -> Option<()> {
    match raw_type {
        RawType::Bit | RawType::Pair => pack_as::<u8>(raw, (column, choices), out),
        RawType::Signed16 => pack_as::<i16>(raw, (column, choices), out),
        RawType::Unsigned16 => pack_as::<u16>(raw, (column, choices), out),
        RawType::Unsigned32 => pack_as::<u32>(raw, (column, choices), out),
        RawType::Float32 => pack_as::<f32>(raw, (column, choices), out),
        RawType::Unsigned64 => pack_as::<u64>(raw, (column, choices), out),
    }
}

fn pack_as<N: Raw>(
    raw: &[u64],
    (column, choices): (u16, &mut Choices),
    out: &mut Vec<u8>,
) -> Option<()> {
    let numbers: Vec<N> = raw.iter().map(|raw| N::of(*raw)).collect();
    let pco = FileCompressor::default();
    let mut packed = if let Some(choice) = choices.take(column) {
        pco.chunk_compressor(&numbers, &choice.config()).ok()?
    } else {
        let searched = pco.chunk_compressor(&numbers, &config()).ok()?;
        let meta = searched.meta();
        let choice = Choice::of::<N>(column, &meta.mode, &meta.delta_encoding);
        choices.keep(choice);
        if is_bounded(&meta.mode, &meta.delta_encoding) {
            searched
        } else {
            pco.chunk_compressor(&numbers, &choice.config()).ok()?
        }
    };
    packed.write_meta(&mut *out).ok()?;
    packed.write_page(0, out).ok()?;
    Some(())
}

/// Puts `count` values into `raw`; `None` when the bytes are not such values.
pub(super) fn unpack(
    raw_type: RawType,
    count: usize,
    (format, bytes): ([u8; FORMAT_BYTES], &[u8]),
    raw: &mut Vec<u64>,
) -> Option<()> {
    match raw_type {
        RawType::Bit | RawType::Pair => unpack_as::<u8>(count, (format, bytes), raw),
        RawType::Signed16 => unpack_as::<i16>(count, (format, bytes), raw),
        RawType::Unsigned16 => unpack_as::<u16>(count, (format, bytes), raw),
        RawType::Unsigned32 => unpack_as::<u32>(count, (format, bytes), raw),
        RawType::Float32 => unpack_as::<f32>(count, (format, bytes), raw),
        RawType::Unsigned64 => unpack_as::<u64>(count, (format, bytes), raw),
    }
}

fn unpack_as<N: Raw>(
    count: usize,
    (format, bytes): ([u8; FORMAT_BYTES], &[u8]),
    raw: &mut Vec<u64>,
) -> Option<()> {
    let (pco, _) = FileDecompressor::new(&format[..]).ok()?;
    let (mut packed, page) = pco.chunk_decompressor::<N, _>(bytes).ok()?;
    let meta = packed.meta();
    if !is_bounded(&meta.mode, &meta.delta_encoding) {
        return None;
    }
    let mut numbers = vec![N::default(); count];
    let progress = packed.page_decompressor(page, count).ok()?.read(&mut numbers).ok()?;
    raw.extend(numbers.into_iter().map(N::raw));
    progress.finished.then_some(())
}

/// Whether reading it takes no more memory than the values do.
fn is_bounded(mode: &Mode, delta: &DeltaEncoding) -> bool {
    let is_known = matches!(delta, DeltaEncoding::NoOp | DeltaEncoding::Consecutive { .. });
    is_known && !matches!(mode, Mode::Dict(_))
}

/// A number that `pco` packs, and the raw value that it stands for.
trait Raw: Number + Default {
    fn of(raw: u64) -> Self;
    fn raw(self) -> u64;
    /// The mode to keep where numbers are multiples of one.
    fn multiple(mode: &Mode) -> Option<KeptMode>;
}

macro_rules! whole {
    ($number:ty, $latent:ty, $of:expr, $raw:expr) => {
        impl Raw for $number {
            fn of(raw: u64) -> Self {
                $of(raw)
            }

            fn raw(self) -> u64 {
                u64::from($raw(self))
            }

            fn multiple(mode: &Mode) -> Option<KeptMode> {
                let Mode::IntMult(base) = mode else { return None };
                let base = u32::try_from(*base.downcast_ref::<$latent>()?).ok()?;
                Some(KeptMode::Multiple(base))
            }
        }
    };
}

whole!(u8, u8, |raw| word(raw).to_le_bytes()[0], u8::from);
whole!(u16, u16, word, u16::from);
whole!(i16, u16, |raw| word(raw).cast_signed(), i16::cast_unsigned);
whole!(u32, u32, low, u32::from);
whole!(u64, u64, |raw| raw, u64::from);

impl Raw for f32 {
    fn of(raw: u64) -> Self {
        Self::from_bits(low(raw))
    }

    fn raw(self) -> u64 {
        self.to_bits().into()
    }

    fn multiple(mode: &Mode) -> Option<KeptMode> {
        let Mode::FloatMult(base) = mode else { return None };
        // Floats as numbers that are in order: positive ones with the sign bit set, of negative
        // ones every bit turned.
        let ordered = *base.downcast_ref::<u32>()?;
        let bits = if ordered >> 31 == 1 { ordered ^ 1 << 31 } else { !ordered };
        Some(KeptMode::FloatMultiple(Self::from_bits(bits)))
    }
}
