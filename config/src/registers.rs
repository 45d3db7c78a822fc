//! The register map: where each point of a station stands on a channel.
//!
//! Addresses are zero-based, as on the wire. Per unit and centre they are allotted from the
//! templates alone, so that a point which is missing leaves a hole and moves nobody:
//!
//! | table | content |
//! |---|---|
//! | discrete inputs | statuses, then one quality bit for each |
//! | input registers | for each scan class: values, then one quality register for each |
//! | holding registers | result registers of the commands, clock |
//! | coils | pulses |
//!
//! Values and their quality are neighbours so that one request, and so one instant, covers both.

use crate::codec::{Encoding, WordOrder};
use crate::kind::PointKind;
use crate::template::Scan;

/// Limits of the Modbus application protocol (specification V1.1b3, section 6).
pub mod limits {
    /// Registers that one read may ask for.
    pub const REGISTERS_PER_READ_MAX: u16 = 125;
    /// Bits that one read may ask for.
    pub const BITS_PER_READ_MAX: u16 = 2_000;
    /// Highest unit id of a device; 248 to 255 are reserved.
    pub const UNIT_MAX: u8 = 247;
}

/// What every unit of a simulated station has beside its points. A unit in which a point is pinned
/// into one of these has none of them.
pub mod blocks {
    /// Holding registers of the command block: the command (address of its result register), order
    /// 1 or 2, mode, token; then the result and the seconds for which a selection still stands.
    pub const COMMAND: u16 = 40_000;
    /// Registers that one command writes.
    pub const COMMAND_WRITTEN: u16 = 4;
    /// Registers of the command block.
    pub const COMMAND_CELLS: u16 = 6;
    /// Input registers in front of the event ring: marker, version of this layout, checksum of the
    /// register map (2), alive counter, restart counter, newest and oldest sequence number (2
    /// each), clock quality, records in the ring.
    pub const EVENT_HEADER: u16 = 40_000;
    /// Registers of the header.
    pub const EVENT_HEADER_CELLS: u16 = 12;
    /// Input registers of the event ring: record n stands at `(n - 1) % EVENT_RECORDS`.
    pub const EVENT_RING: u16 = 40_100;
    /// Registers of a record: low word of its number, type and quality, point, value, UTC
    /// milliseconds since 1970 (4).
    pub const EVENT_CELLS: u16 = 8;
    /// Records of the ring.
    pub const EVENT_RECORDS: u16 = 1_024;
    /// First register of the header: "GW".
    pub const MARKER: u16 = 0x4757;
    /// Version of this layout.
    pub const VERSION: u16 = 1;

    /// First address behind the ring.
    pub const END: u16 = EVENT_RING + EVENT_CELLS * EVENT_RECORDS;
}

/// Records of commands in an event ring, and what their results mean.
pub mod commands {
    /// Bit of the second register of a record: it is of a command. Its address is that of the
    /// command's result register, its value is the result, and above it the order and the mode of
    /// the write that led to it (no mode where the result came by itself).
    pub const RECORD: u16 = 0x0400;
    /// Bit of the clock register of the header: the unit keeps such records.
    pub const KEPT: u16 = 0x0002;
    /// Bits of a value that have the result.
    pub const RESULT: u16 = 0x00FF;
    /// Where the order stands in a value, and where the mode.
    pub const SHIFTS: (u16, u16) = (8, 10);
    /// Result: selected, waits for its execution.
    pub const SELECTED: u16 = 1;
    /// Result: under way.
    pub const EXECUTING: u16 = 2;
    /// Result: done.
    pub const DONE: u16 = 3;
    /// Result: the selection was taken back.
    pub const CANCELLED: u16 = 4;
    /// First of the results that say why a command was not done.
    pub const FIRST_FAILURE: u16 = 10;
    /// Result: the selection became too old before anybody executed it.
    pub const TOO_OLD: u16 = 11;
}

/// One of the four tables of the Modbus data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterTable {
    /// Bits that a master may write, read by function 01.
    Coil,
    /// Bits, read by function 02.
    Discrete,
    /// Registers that a master may write, read by function 03.
    Holding,
    /// Registers, read by function 04.
    Input,
}

impl RegisterTable {
    /// The words of the contract with their tables.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("coil", Self::Coil),
        ("discrete", Self::Discrete),
        ("holding", Self::Holding),
        ("input", Self::Input),
    ];

    /// The word, such as `input`.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, table)| *table == self).map_or("", |(word, _)| word)
    }

    /// The function that reads it.
    pub fn read_function(self) -> u8 {
        match self {
            Self::Coil => 1,
            Self::Discrete => 2,
            Self::Holding => 3,
            Self::Input => 4,
        }
    }

    /// Cells that one read may ask for.
    pub fn cells_per_read_max(self) -> u16 {
        if self.is_bits() { limits::BITS_PER_READ_MAX } else { limits::REGISTERS_PER_READ_MAX }
    }

    /// Whether its cells are bits.
    pub fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// The table in which points of a kind stand unless the contract pins them elsewhere.
    pub(crate) fn of(kind: PointKind) -> Self {
        match kind {
            PointKind::SinglePoint | PointKind::DoublePoint | PointKind::DerivedStatus => {
                Self::Discrete
            }
            PointKind::Measurement
            | PointKind::EventMeasurement
            | PointKind::CalculatedMeasurement
            | PointKind::Counter => Self::Input,
            PointKind::SingleCommand => Self::Coil,
            PointKind::DoubleCommand | PointKind::StepCommand | PointKind::SetPoint => {
                Self::Holding
            }
        }
    }
}

/// Where a point stands on a channel, and how it is laid out there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Register {
    /// Modbus unit id, 1 to 247.
    pub unit: u8,
    /// The table.
    pub table: RegisterTable,
    /// First cell, zero-based as on the wire.
    pub address: u16,
    /// Layout.
    pub encoding: Encoding,
    /// Byte order of values of two registers.
    pub word_order: WordOrder,
    /// Cell of the same table with the quality; `None` when the device sends none.
    pub quality: Option<u16>,
}

impl Register {
    /// First address after the value.
    pub fn end(&self) -> u32 {
        u32::from(self.address) + u32::from(self.encoding.cells())
    }
}

/// What is to be placed in a unit.
pub(crate) struct Slot {
    /// Index of the point in its station.
    pub(crate) point: usize,
    pub(crate) unit: u8,
    pub(crate) kind: PointKind,
    pub(crate) scan: Option<Scan>,
    pub(crate) encoding: Encoding,
    pub(crate) word_order: WordOrder,
    pub(crate) with_quality: bool,
}

/// Allots addresses to the slots of one unit, in their order. `None` when a table is full.
pub(crate) fn allot(slots: &[Slot]) -> Option<Vec<(usize, Register)>> {
    let mut placed = Vec::with_capacity(slots.len());
    for table in
        [RegisterTable::Coil, RegisterTable::Discrete, RegisterTable::Holding, RegisterTable::Input]
    {
        let mut next = 0_u32;
        for scan in [None].into_iter().chain(Scan::ALL.map(Some)) {
            let block: Vec<&Slot> = slots
                .iter()
                .filter(|slot| RegisterTable::of(slot.kind) == table && slot.scan == scan)
                .collect();
            next = allot_block(&block, table, next, &mut placed)?;
        }
    }
    Some(placed)
}

fn allot_block(
    block: &[&Slot],
    table: RegisterTable,
    start: u32,
    placed: &mut Vec<(usize, Register)>,
) -> Option<u32> {
    let cells: u32 = block.iter().map(|slot| u32::from(slot.encoding.cells())).sum();
    let mut next = start;
    let mut next_quality = start + cells;
    for slot in block {
        let quality = slot.with_quality && !slot.kind.is_command();
        placed.push((
            slot.point,
            Register {
                unit: slot.unit,
                table,
                address: u16::try_from(next).ok()?,
                encoding: slot.encoding,
                word_order: slot.word_order,
                quality: if quality { Some(u16::try_from(next_quality).ok()?) } else { None },
            },
        ));
        next += u32::from(slot.encoding.cells());
        next_quality += u32::from(quality);
    }
    (next_quality <= 0x1_0000).then_some(next_quality)
}
