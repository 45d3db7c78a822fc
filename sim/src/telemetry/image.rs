//! The register image of a channel: what a station answers to one centre, cell by cell.

use std::sync::Arc;

use config::{
    Channel, Decoded, Encoding, Flags, MeterFigures, Province, Register, RegisterTable,
    SoldFigures, Station, WordOrder, blocks, decode, encode,
};

use crate::telemetry::conduct::Conduct;
use crate::telemetry::ring::Ring;

/// Why a read cannot be answered, as a Modbus exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 02: no point stands at one of the addresses.
    IllegalAddress,
    /// 03: nothing, or more than one read may ask for.
    IllegalQuantity,
    /// 0B: the gateway knows no such unit.
    UnitAbsent,
    /// The exception of a device or gateway that is not well.
    Fault(u8),
}

/// What a station sends of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SentSample {
    /// In the unit of the point, or a code; not a number when there is none.
    pub value: f64,
    /// What the device itself says against it.
    pub flags: Flags,
}

impl SentSample {
    /// A value with nothing against it; one that is not finite has none and says so.
    pub fn good(value: f64) -> Self {
        let flags = if value.is_finite() { Flags::GOOD } else { Flags::INVALID };
        Self { value, flags }
    }
}

/// Everything that a channel can be asked for, at one instant. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    units: Vec<Arc<DeviceImage>>,
    /// What stands beside the points, unit by unit; `None` where there is no room for it.
    blocks: Vec<Option<Blocks>>,
    /// How the channel behaves beside what it says.
    conduct: Arc<Conduct>,
}

/// Events and commands of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(crate) ring: Arc<Ring>,
    pub(crate) header: [u16; blocks::EVENT_HEADER_CELLS as usize],
    pub(crate) command: [u16; blocks::COMMAND_CELLS as usize],
}

/// The tables of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DeviceImage {
    coils: Cells,
    discrete: Cells,
    holding: Cells,
    input: Cells,
}

/// Cells from address 0 on, and which of them are points.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Cells {
    values: Vec<u16>,
    defined: Arc<Vec<bool>>,
}

/// The cells that a read asks for.
enum Found<'a> {
    Cells(&'a [u16]),
    /// These of the records of events.
    Ring(&'a Ring, std::ops::Range<u16>),
}

impl Image {
    /// The cells of a table; bits as 0 and 1.
    ///
    /// # Errors
    /// The exception that the specification asks for. A quantity is looked at before the address.
    pub fn read(
        &self,
        unit: u8,
        table: RegisterTable,
        address: u16,
        count: u16,
    ) -> Result<Vec<u16>, Refusal> {
        Ok(match self.find(unit, table, address, count)? {
            Found::Cells(cells) => cells.to_vec(),
            Found::Ring(ring, cells) => cells.map(|cell| ring.cell(cell)).collect(),
        })
    }

    /// The same as the bytes of an answer: registers high byte first, or eight bits to a byte, the
    /// first one lowest. Nothing is written when there is an error.
    pub(crate) fn tell(
        &self,
        unit: u8,
        table: RegisterTable,
        (address, count): (u16, u16),
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        match self.find(unit, table, address, count)? {
            Found::Cells(cells) if table.is_bits() => {
                let bit = |byte: u8, cell: &u16| byte >> 1 | if *cell == 0 { 0 } else { 0x80 };
                out.extend(cells.chunks(8).map(|eight| {
                    let unused = 8 - eight.len();
                    eight.iter().fold(0, bit) >> unused
                }));
            }
            Found::Cells(cells) => {
                // Room first, then a plain loop over it: that is what compilers make wide.
                let start = out.len();
                out.resize(start + 2 * cells.len(), 0);
                for (bytes, cell) in out[start..].chunks_exact_mut(2).zip(cells) {
                    bytes.copy_from_slice(&cell.to_be_bytes());
                }
            }
            Found::Ring(ring, cells) => {
                out.extend(cells.flat_map(|cell| ring.cell(cell).to_be_bytes()));
            }
        }
        Ok(())
    }

    /// Where the cells of a read stand.
    fn find(
        &self,
        unit: u8,
        table: RegisterTable,
        address: u16,
        count: u16,
    ) -> Result<Found<'_>, Refusal> {
        if let Some(code) = self.conduct.refuses(unit) {
            return Err(Refusal::Fault(code));
        }
        let index = usize::from(unit).wrapping_sub(1);
        let image = self.units.get(index).ok_or(Refusal::UnitAbsent)?;
        if count == 0 || count > table.cells_per_read_max() {
            return Err(Refusal::IllegalQuantity);
        }
        if let Some(Some(own)) = self.blocks.get(index)
            && address >= blocks::COMMAND
        {
            return own.find(table, address, count).ok_or(Refusal::IllegalAddress);
        }
        let cells = image.cells(table);
        let range = usize::from(address)..usize::from(address) + usize::from(count);
        let defined = cells.defined.get(range.clone()).ok_or(Refusal::IllegalAddress)?;
        // Every one is looked at, without a way out in between, so that many are at once.
        if defined.iter().filter(|defined| !**defined).count() > 0 {
            return Err(Refusal::IllegalAddress);
        }
        cells.values.get(range).map(Found::Cells).ok_or(Refusal::IllegalAddress)
    }

    /// What a centre makes of the cells of a point, and what the device says of it; `None` when it
    /// gets no cells.
    pub fn decoded(&self, register: &Register) -> Option<(Decoded, Flags)> {
        let cells = register.encoding.cells();
        let cells = self.read(register.unit, register.table, register.address, cells).ok()?;
        let quality = |at| self.read(register.unit, register.table, at, 1).ok()?.first().copied();
        let said = match register.quality {
            Some(at) => quality(at)?,
            None => 0,
        };
        let bits = register.table.is_bits();
        let flags = if bits && said != 0 { Flags::INVALID } else { Flags(said) };
        Some((decode(register.encoding, register.word_order, &cells), flags))
    }

    /// Why a write cannot be taken, as far as the channel itself is concerned: a unit that is
    /// not there or does not answer, or a command that is not on its map any more.
    pub(crate) fn refuses_write(
        &self,
        unit: u8,
        table: RegisterTable,
        command: u16,
    ) -> Option<Refusal> {
        if let Some(code) = self.conduct.refuses(unit).or_else(|| self.conduct.ignores(unit)) {
            return Some(Refusal::Fault(code));
        }
        let Some(image) = self.units.get(usize::from(unit).wrapping_sub(1)) else {
            return Some(Refusal::UnitAbsent);
        };
        let defined = &image.cells(table).defined;
        (defined.get(usize::from(command)) == Some(&false)).then_some(Refusal::IllegalAddress)
    }

    /// How the channel behaves.
    pub(crate) fn conduct(&self) -> &Conduct {
        &self.conduct
    }

    pub(crate) fn conduct_mut(&mut self) -> &mut Conduct {
        Arc::make_mut(&mut self.conduct)
    }

    /// Says what another image said.
    pub(crate) fn hold(&mut self, held: &Self) {
        self.units.clone_from(&held.units);
        self.blocks.clone_from(&held.blocks);
    }

    /// Takes the cells of a point off the map, those of its quality too.
    pub(crate) fn undefine(&mut self, register: &Register) {
        let Some(cells) = self.cells_mut(register.unit, register.table) else { return };
        let defined = Arc::make_mut(&mut cells.defined);
        let value = usize::from(register.address)
            ..usize::from(register.address) + usize::from(register.encoding.cells());
        for at in value.chain(register.quality.map(usize::from)) {
            if let Some(defined) = defined.get_mut(at) {
                *defined = false;
            }
        }
    }

    /// Exchanges the words of a value, the bytes of each word, or both.
    pub(crate) fn swap(&mut self, register: &Register, words: bool, bytes: bool) {
        let Some(cells) = self.cells_mut(register.unit, register.table) else { return };
        let start = usize::from(register.address);
        let end = start + usize::from(register.encoding.cells());
        let Some(value) = cells.values.get_mut(start..end) else { return };
        if words {
            value.reverse();
        }
        if bytes {
            for cell in value {
                *cell = cell.swap_bytes();
            }
        }
    }

    /// Lets each cell that is a point say what stands `by` cells further.
    pub(crate) fn shift(&mut self, unit: u8, by: i32) {
        for table in [RegisterTable::Discrete, RegisterTable::Input] {
            let Some(cells) = self.cells_mut(unit, table) else { continue };
            let values = cells.values.clone();
            for (at, cell) in cells.values.iter_mut().enumerate() {
                let from = i64::try_from(at).unwrap_or(0) + i64::from(by);
                let from = usize::try_from(from).ok();
                *cell = from.and_then(|from| values.get(from)).copied().unwrap_or(0);
            }
        }
    }

    /// Lets a unit say what another one has at the same addresses, where that has any.
    pub(crate) fn answer_as(&mut self, unit: u8, other: u8) {
        let index = usize::from(other).wrapping_sub(1);
        let Some(other) = self.units.get(index).map(Arc::clone) else { return };
        for table in [RegisterTable::Discrete, RegisterTable::Input] {
            let Some(cells) = self.cells_mut(unit, table) else { continue };
            let theirs = other.cells(table);
            for (at, cell) in cells.values.iter_mut().enumerate() {
                if theirs.defined.get(at) == Some(&true) {
                    *cell = theirs.values[at];
                }
            }
        }
    }

    fn cells_mut(&mut self, unit: u8, table: RegisterTable) -> Option<&mut Cells> {
        let unit = self.units.get_mut(usize::from(unit).wrapping_sub(1))?;
        Some(Arc::make_mut(unit).cells_mut(table))
    }
}

impl Blocks {
    /// Registers of a block; `None` when they do not all lie in one.
    fn find(&self, table: RegisterTable, address: u16, count: u16) -> Option<Found<'_>> {
        let range_from = |start: u16| {
            let from = usize::from(address.checked_sub(start)?);
            Some(from..from + usize::from(count))
        };
        match table {
            RegisterTable::Holding => {
                self.command.get(range_from(blocks::COMMAND)?).map(Found::Cells)
            }
            RegisterTable::Input => {
                let header =
                    range_from(blocks::EVENT_HEADER).and_then(|range| self.header.get(range));
                header.map(Found::Cells).or_else(|| {
                    let from = address.checked_sub(blocks::EVENT_RING)?;
                    let until = from.checked_add(count)?;
                    (until <= blocks::EVENT_CELLS * blocks::EVENT_RECORDS)
                        .then_some(Found::Ring(&self.ring, from..until))
                })
            }
            RegisterTable::Coil | RegisterTable::Discrete => None,
        }
    }
}

impl DeviceImage {
    fn cells(&self, table: RegisterTable) -> &Cells {
        match table {
            RegisterTable::Coil => &self.coils,
            RegisterTable::Discrete => &self.discrete,
            RegisterTable::Holding => &self.holding,
            RegisterTable::Input => &self.input,
        }
    }

    fn cells_mut(&mut self, table: RegisterTable) -> &mut Cells {
        match table {
            RegisterTable::Coil => &mut self.coils,
            RegisterTable::Discrete => &mut self.discrete,
            RegisterTable::Holding => &mut self.holding,
            RegisterTable::Input => &mut self.input,
        }
    }

    /// Makes the addresses of a range points.
    fn define(&mut self, table: RegisterTable, range: std::ops::Range<usize>) {
        let cells = self.cells_mut(table);
        if cells.values.len() < range.end {
            cells.values.resize(range.end, 0);
        }
        let defined = Arc::make_mut(&mut cells.defined);
        defined.resize(defined.len().max(range.end), false);
        defined[range].fill(true);
    }
}

/// How the image of a channel is made: its units as they are now, and where each point goes.
pub(crate) struct Layout {
    /// Kept from second to second: only what has changed is encoded.
    units: Vec<Arc<DeviceImage>>,
    /// Register of each point that is mapped.
    placed: Vec<Option<Register>>,
    /// Units that have room for events and commands.
    with_blocks: Vec<bool>,
    checksum: u32,
    conduct: Arc<Conduct>,
    /// Where the metering unit is among them, when the centre reads it.
    meters: Option<usize>,
}

impl Layout {
    pub(crate) fn new(province: &Province, channel: &Channel, meters: &Arc<DeviceImage>) -> Self {
        let station = &province.stations[channel.station.index()];
        let placed: Vec<Option<Register>> =
            channel.entries.iter().map(|entry| entry.register).collect();
        // A pinned point may stand in a unit of its own, beyond those of the bays.
        let last = placed.iter().flatten().map(|register| usize::from(register.unit)).max();
        let count = station.units.len().max(last.unwrap_or(0));
        let mut units = vec![DeviceImage::default(); count];
        for register in placed.iter().flatten() {
            let unit = &mut units[usize::from(register.unit) - 1];
            let start = usize::from(register.address);
            unit.define(register.table, start..start + usize::from(register.encoding.cells()));
            if let Some(quality) = register.quality {
                unit.define(register.table, usize::from(quality)..usize::from(quality) + 1);
            }
        }
        let room = |unit: &DeviceImage| {
            let first = usize::from(blocks::COMMAND);
            unit.holding.values.len() <= first && unit.input.values.len() <= first
        };
        let mut with_blocks: Vec<bool> = units.iter().map(room).collect();
        let mut units: Vec<Arc<DeviceImage>> = units.into_iter().map(Arc::new).collect();
        let reads_meters = province.centres[channel.centre.index()].metering;
        let meters_at = station.metering_unit().filter(|_| reads_meters);
        let meters_at = meters_at.map(|unit| usize::from(unit) - 1);
        if let Some(unit) = meters_at {
            units[unit] = Arc::clone(meters);
        }
        if let Some(unit) = station.metering_unit() {
            with_blocks[usize::from(unit) - 1] = false;
        }
        let checksum = placed.iter().flatten().fold(0x811C_9DC5, |sum, register| {
            let place = [u16::from(register.unit), register.table as u16, register.address];
            place
                .iter()
                .fold(sum, |sum: u32, part| (sum ^ u32::from(*part)).wrapping_mul(0x0100_0193))
        });
        let none = vec![SentSample::good(f64::NAN); station.points.len()];
        write(&mut units, &placed, &none, 0..none.len());
        Self { units, placed, with_blocks, checksum, conduct: Arc::default(), meters: meters_at }
    }

    /// Writes what the head-end publishes, group by group, into the metering unit.
    pub(crate) fn set_meter_figures(
        &mut self,
        station: &Station,
        figures: &[(MeterFigures, SoldFigures)],
    ) {
        let Some(unit) = self.meters else { return };
        let cells = &mut Arc::make_mut(&mut self.units[unit]).input.values;
        for (group, (reads, sold)) in station.meters.iter().zip(figures) {
            let at = usize::from(group.figures_address);
            cells[at..at + usize::from(MeterFigures::REGISTERS)].copy_from_slice(&reads.cells());
            let at = usize::from(group.sold_address);
            cells[at..at + usize::from(SoldFigures::REGISTERS)].copy_from_slice(&sold.cells());
        }
    }

    /// Writes the result of a command into its register.
    pub(crate) fn set_result(&mut self, point: usize, code: u16) {
        let Some(register) = self.placed[point] else { return };
        let unit = Arc::make_mut(&mut self.units[usize::from(register.unit) - 1]);
        if let Some(cell) =
            unit.cells_mut(register.table).values.get_mut(usize::from(register.address))
        {
            *cell = code;
        }
    }

    /// Checksum of the register map, so that a master sees when it has changed (FNV-1a).
    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// Takes over the samples of the points that are news.
    pub(crate) fn refresh(&mut self, samples: &[SentSample], news: &[usize]) {
        write(&mut self.units, &self.placed, samples, news.iter().copied());
    }

    /// The image as it is now; `blocks_of` tells what stands beside the points of a unit.
    pub(crate) fn image(&self, blocks_of: impl Fn(u8) -> Blocks) -> Image {
        let units_with = (1_u8..).zip(&self.with_blocks);
        let blocks = units_with.map(|(unit, has)| has.then(|| blocks_of(unit))).collect();
        Image { units: self.units.clone(), blocks, conduct: Arc::clone(&self.conduct) }
    }

    /// The image with other samples than its own.
    pub(crate) fn altered(
        &self,
        (own, sent): (&[SentSample], &[SentSample]),
        blocks_of: impl Fn(u8) -> Blocks,
    ) -> Image {
        let mut image = self.image(blocks_of);
        let key = |sample: SentSample| (sample.value.to_bits(), sample.flags);
        let differ = (0..own.len()).filter(|n| key(own[*n]) != key(sent[*n]));
        write(&mut image.units, &self.placed, sent, differ);
        image
    }
}

/// Encodes the samples of some points.
fn write(
    units: &mut [Arc<DeviceImage>],
    placed: &[Option<Register>],
    samples: &[SentSample],
    points: impl Iterator<Item = usize>,
) {
    for point in points {
        let Some(register) = &placed[point] else { continue };
        let unit = Arc::make_mut(&mut units[usize::from(register.unit) - 1]);
        let cells = &mut unit.cells_mut(register.table).values;
        let start = usize::from(register.address);
        let end = start + usize::from(register.encoding.cells());
        let sample = samples[point];
        let value = Some(sample.value).filter(|value| value.is_finite());
        let flags = encode(register.encoding, register.word_order, value, &mut cells[start..end])
            .with(sample.flags);
        if let Some(quality) = register.quality {
            let said = if register.table.is_bits() { u16::from(!flags.is_good()) } else { flags.0 };
            cells[usize::from(quality)] = said;
        }
    }
}

/// The metering unit of a station, its figures still zero; `is_proven` says which meters of which
/// group have a remote channel.
pub(crate) fn metering_unit(
    station: &Station,
    is_proven: impl Fn(usize, u32) -> bool,
) -> DeviceImage {
    let mut unit = DeviceImage::default();
    for (n, group) in station.meters.iter().enumerate() {
        let at = usize::from(group.count_address);
        unit.define(RegisterTable::Input, at..at + 2);
        let start = usize::from(group.bits_address);
        unit.define(RegisterTable::Input, start..start + group.bit_registers() as usize);
        let figures = usize::from(group.figures_address);
        unit.define(RegisterTable::Input, figures..figures + usize::from(MeterFigures::REGISTERS));
        let sold = usize::from(group.sold_address);
        unit.define(RegisterTable::Input, sold..sold + usize::from(SoldFigures::REGISTERS));
        let cells = &mut unit.input.values;
        let installed = Some(f64::from(group.installed));
        let flags = encode(Encoding::C32, WordOrder::Abcd, installed, &mut cells[at..at + 2]);
        debug_assert_eq!(flags, Flags::GOOD, "a u32 fits a C32");
        for meter in (0..group.installed).filter(|meter| is_proven(n, *meter)) {
            cells[start + meter as usize / 16] |= 1 << (meter % 16);
        }
    }
    unit
}
