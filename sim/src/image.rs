//! The register image of a channel: what a station answers to one centre, cell by cell.

use std::sync::Arc;

use config::{
    Channel, Encoding, Flags, MeterFigures, Province, Register, Station, Table, WordOrder, encode,
};

/// Why a read cannot be answered, as a Modbus exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 02: no point stands at one of the addresses.
    IllegalAddress,
    /// 03: nothing, or more than one read may ask for.
    IllegalQuantity,
    /// 0B: the gateway knows no such unit.
    UnitAbsent,
}

/// What a station sends of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// In the unit of the point, or a code; not a number when there is none.
    pub value: f64,
    /// What the device itself says against it.
    pub flags: Flags,
}

impl Sample {
    /// A value with nothing against it; one that is not finite has none and says so.
    pub fn good(value: f64) -> Self {
        let flags = if value.is_finite() { Flags::GOOD } else { Flags::INVALID };
        Self { value, flags }
    }
}

/// Everything that a channel can be asked for, at one instant. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    units: Vec<Arc<UnitImage>>,
}

/// The tables of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UnitImage {
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

impl Image {
    /// The cells of a table; bits as 0 and 1.
    ///
    /// # Errors
    /// The exception that the specification asks for. A quantity is looked at before the address.
    pub fn read(
        &self,
        unit: u8,
        table: Table,
        address: u16,
        count: u16,
    ) -> Result<&[u16], Refusal> {
        let index = usize::from(unit).wrapping_sub(1);
        let image = self.units.get(index).ok_or(Refusal::UnitAbsent)?;
        if count == 0 || count > table.cells_per_read_max() {
            return Err(Refusal::IllegalQuantity);
        }
        let cells = image.cells(table);
        let range = usize::from(address)..usize::from(address) + usize::from(count);
        let defined = cells.defined.get(range.clone()).ok_or(Refusal::IllegalAddress)?;
        if !defined.iter().all(|defined| *defined) {
            return Err(Refusal::IllegalAddress);
        }
        cells.values.get(range).ok_or(Refusal::IllegalAddress)
    }
}

impl UnitImage {
    fn cells(&self, table: Table) -> &Cells {
        match table {
            Table::Coil => &self.coils,
            Table::Discrete => &self.discrete,
            Table::Holding => &self.holding,
            Table::Input => &self.input,
        }
    }

    fn cells_mut(&mut self, table: Table) -> &mut Cells {
        match table {
            Table::Coil => &mut self.coils,
            Table::Discrete => &mut self.discrete,
            Table::Holding => &mut self.holding,
            Table::Input => &mut self.input,
        }
    }

    /// Makes the addresses of a range points.
    fn define(&mut self, table: Table, range: std::ops::Range<usize>) {
        let cells = self.cells_mut(table);
        if cells.values.len() < range.end {
            cells.values.resize(range.end, 0);
        }
        let defined = Arc::make_mut(&mut cells.defined);
        defined.resize(defined.len().max(range.end), false);
        defined[range].fill(true);
    }
}

/// How the image of a channel is made: its empty units, and where each point goes.
pub(crate) struct Layout {
    empty: Vec<Arc<UnitImage>>,
    placed: Vec<(usize, Register)>,
    /// Where the metering unit is among them, when the centre reads it.
    meters: Option<usize>,
}

impl Layout {
    pub(crate) fn new(province: &Province, channel: &Channel, meters: &Arc<UnitImage>) -> Self {
        let station = &province.stations[channel.station.index()];
        let placed: Vec<(usize, Register)> = channel
            .entries
            .iter()
            .enumerate()
            .filter_map(|(n, entry)| Some((n, entry.register?)))
            .collect();
        // A pinned point may stand in a unit of its own, beyond those of the bays.
        let units = placed.iter().map(|(_, register)| usize::from(register.unit)).max();
        let count = station.units.len().max(units.unwrap_or(0));
        let mut empty = vec![UnitImage::default(); count];
        for (_, register) in &placed {
            let unit = &mut empty[usize::from(register.unit) - 1];
            let start = usize::from(register.address);
            unit.define(register.table, start..start + usize::from(register.encoding.cells()));
            if let Some(quality) = register.quality {
                unit.define(register.table, usize::from(quality)..usize::from(quality) + 1);
            }
        }
        let mut empty: Vec<Arc<UnitImage>> = empty.into_iter().map(Arc::new).collect();
        let reads_meters = province.centres[channel.centre.index()].metering;
        let unit = station.metering_unit().filter(|_| reads_meters);
        let unit = unit.map(|unit| usize::from(unit) - 1);
        if let Some(unit) = unit {
            empty[unit] = Arc::clone(meters);
        }
        Self { empty, placed, meters: unit }
    }

    /// Writes what the head-end publishes, group by group, into the metering unit.
    pub(crate) fn set_meter_figures(&mut self, station: &Station, figures: &[MeterFigures]) {
        let Some(unit) = self.meters else { return };
        let cells = &mut Arc::make_mut(&mut self.empty[unit]).input.values;
        for (group, figures) in station.meters.iter().zip(figures) {
            let at = usize::from(group.figures_address);
            cells[at..at + usize::from(MeterFigures::REGISTERS)].copy_from_slice(&figures.cells());
        }
    }

    /// The image with these samples, one for each point of the station.
    pub(crate) fn image(&self, samples: &[Sample]) -> Image {
        let mut units = self.empty.clone();
        for (point, register) in &self.placed {
            let unit = Arc::make_mut(&mut units[usize::from(register.unit) - 1]);
            let cells = &mut unit.cells_mut(register.table).values;
            let start = usize::from(register.address);
            let end = start + usize::from(register.encoding.cells());
            let sample = samples[*point];
            let value = Some(sample.value).filter(|value| value.is_finite());
            let mut flags =
                encode(register.encoding, register.word_order, value, &mut cells[start..end]);
            flags.0 |= sample.flags.0;
            if let Some(quality) = register.quality {
                let said =
                    if register.table.is_bits() { u16::from(!flags.is_good()) } else { flags.0 };
                cells[usize::from(quality)] = said;
            }
        }
        Image { units }
    }
}

/// The metering unit of a station, its figures still zero; `is_proven` says which meters of which
/// group have a remote channel.
pub(crate) fn metering_unit(
    station: &Station,
    is_proven: impl Fn(usize, u32) -> bool,
) -> UnitImage {
    let mut unit = UnitImage::default();
    for (n, group) in station.meters.iter().enumerate() {
        let at = usize::from(group.count_address);
        unit.define(Table::Input, at..at + 2);
        let start = usize::from(group.bits_address);
        unit.define(Table::Input, start..start + group.bit_registers() as usize);
        let figures = usize::from(group.figures_address);
        unit.define(Table::Input, figures..figures + usize::from(MeterFigures::REGISTERS));
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
