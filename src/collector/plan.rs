//! What to ask: the register map of a channel cut into few requests. Pure, and printable.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Channel, MeterFigures, PointId, Province, Register, Scan, Station, Table};

/// Mapped cells of other scan classes that a request may read over: cheaper than another request,
/// whose header, system calls and round trip weigh as much as some dozen registers.
const MAPPED_GAP_MAX: u32 = 32;

/// The requests of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The requests, fastest scan class first, then by unit, table and address.
    pub blocks: Vec<Block>,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Unit id.
    pub unit: u8,
    /// Table.
    pub table: Table,
    /// First cell, zero-based.
    pub address: u16,
    /// Cells, at least 1 and at most what one read may ask for.
    pub count: u16,
    /// How often it is asked.
    pub scan: Scan,
    /// What its cells are.
    pub content: Content,
}

/// What the cells of a block are.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Values and qualities of points.
    Points(Vec<Item>),
    /// Registers of the metering unit, from `address` on.
    Meters,
}

/// A part of a point within a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The point.
    pub point: PointId,
    /// Its value or its quality.
    pub part: Part,
    /// First cell within the block.
    pub offset: u16,
}

/// Which of its two parts a point has in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value.
    Value,
    /// The quality.
    Quality,
}

impl Block {
    /// Bytes of request and reply on the wire, headers of Modbus TCP included.
    pub fn wire_bytes(&self) -> u32 {
        let payload = if self.table.is_bits() {
            u32::from(self.count).div_ceil(8)
        } else {
            2 * u32::from(self.count)
        };
        // Request: MBAP 7, function 1, address 2, count 2. Reply: MBAP 7, function 1, length 1.
        12 + 9 + payload
    }
}

/// The plan of every channel, by channel id.
pub fn plans(province: &Province) -> Vec<Arc<Plan>> {
    province.channels.iter().map(|channel| Arc::new(plan(province, channel))).collect()
}

/// The plan of one channel.
pub fn plan(province: &Province, channel: &Channel) -> Plan {
    let station = &province.stations[channel.station.index()];
    let mut groups: BTreeMap<(Scan, u8, Table), Vec<Span>> = BTreeMap::new();
    let mut mapped: BTreeMap<(u8, Table), Vec<(u32, u32)>> = BTreeMap::new();
    for (point, spec, register) in readable(station, channel) {
        let spans = groups.entry((spec, register.unit, register.table)).or_default();
        let mapped = mapped.entry((register.unit, register.table)).or_default();
        for span in spans_of(point, &register) {
            mapped.push((span.start, span.end));
            spans.push(span);
        }
    }
    let mut blocks = Vec::new();
    for ((scan, unit, table), mut spans) in groups {
        spans.sort_by_key(|span| span.start);
        let mut cells = mapped.get(&(unit, table)).cloned().unwrap_or_default();
        cells.sort_unstable();
        let gap_max = u32::from(channel.device.gap_max);
        blocks.extend(pack(&spans, &cells, gap_max, table).into_iter().map(|block| Block {
            unit,
            table,
            scan,
            ..block
        }));
    }
    if province.centres[channel.centre.index()].metering {
        blocks.extend(meter_blocks(station));
    }
    Plan { blocks }
}

/// Points of the channel that are read: mapped, and not commands.
fn readable<'a>(
    station: &'a Station,
    channel: &'a Channel,
) -> impl Iterator<Item = (PointId, Scan, Register)> + 'a {
    station
        .points
        .iter()
        .zip(channel.entries.iter())
        .enumerate()
        .filter_map(|(n, (point, entry))| Some((PointId::at(n), point.spec.scan?, entry.register?)))
}

/// A run of cells that must be read together.
struct Span {
    start: u32,
    end: u32,
    point: PointId,
    part: Part,
}

fn spans_of(point: PointId, register: &Register) -> impl Iterator<Item = Span> + use<> {
    let value =
        Span { start: u32::from(register.address), end: register.end(), point, part: Part::Value };
    let quality = register.quality.map(u32::from);
    let quality = quality.map(|at| Span { start: at, end: at + 1, point, part: Part::Quality });
    std::iter::once(value).chain(quality)
}

/// Greedy from the lowest address: each block takes what still fits.
fn pack(spans: &[Span], mapped: &[(u32, u32)], gap_max: u32, table: Table) -> Vec<Block> {
    let cells_max = u32::from(table.cells_per_read_max());
    let mut blocks = Vec::new();
    let mut rest = spans;
    while let Some(first) = rest.first() {
        let (start, mut end, mut taken) = (first.start, first.end, 1);
        for span in &rest[1..] {
            let fits = span.end.max(end) - start <= cells_max;
            if !fits || !may_bridge(end, span.start, mapped, gap_max) {
                break;
            }
            end = end.max(span.end);
            taken += 1;
        }
        let (block, tail) = rest.split_at(taken);
        blocks.push(block_of(block, start, end));
        rest = tail;
    }
    blocks
}

/// Whether a request may read over the cells from `end` up to `start`: few mapped ones, and no
/// more unmapped ones than the contract allows, since a device may refuse those.
fn may_bridge(end: u32, start: u32, mapped: &[(u32, u32)], gap_max: u32) -> bool {
    if start <= end {
        return true;
    }
    let from = mapped.partition_point(|(_, mapped_end)| *mapped_end <= end);
    let known: u32 = mapped[from..]
        .iter()
        .take_while(|(mapped_start, _)| *mapped_start < start)
        .map(|(a, b)| (*b).min(start) - (*a).max(end))
        .sum();
    let unknown = (start - end).saturating_sub(known);
    unknown <= gap_max && known <= MAPPED_GAP_MAX
}

fn block_of(spans: &[Span], start: u32, end: u32) -> Block {
    let cell = |at: u32| u16::try_from(at).expect("the contract keeps registers below 65 536");
    let items = spans
        .iter()
        .map(|span| Item { point: span.point, part: span.part, offset: cell(span.start - start) })
        .collect();
    Block {
        unit: 0,
        table: Table::Input,
        address: cell(start),
        count: cell(end - start),
        scan: Scan::Fast,
        content: Content::Points(items),
    }
}

/// The metering unit, read whole: counters and bits in as few requests as it takes, then the
/// figures, so that those of a group are of one instant.
fn meter_blocks(station: &Station) -> Vec<Block> {
    let Some(unit) = station.metering_unit() else { return Vec::new() };
    let (table, scan) = (Table::Input, Scan::Metering);
    let most = u32::from(table.cells_per_read_max());
    let bits = (0..station.meter_bits_end()).step_by(most as usize).map(|address| {
        let count = (station.meter_bits_end() - address).min(most);
        (address, count)
    });
    let of_group = u32::from(MeterFigures::REGISTERS);
    let figures = station.meters.chunks((most / of_group) as usize).filter_map(|groups| {
        let (first, count) = (groups.first()?, u32::try_from(groups.len()).ok()?);
        Some((u32::from(first.figures_address), count * of_group))
    });
    let cell = |at: u32| u16::try_from(at).expect("a table has 65 536 registers");
    let block = |(address, count)| Block {
        unit,
        table,
        address: cell(address),
        count: cell(count),
        scan,
        content: Content::Meters,
    };
    bits.chain(figures).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_readable_point_is_asked_for_once_and_no_request_is_too_long() {
        let province = Province::built_in();
        for channel in &province.channels {
            let plan = plan(&province, channel);
            let station = &province.stations[channel.station.index()];
            let mut found = BTreeSet::new();
            for block in &plan.blocks {
                assert!((1..=block.table.cells_per_read_max()).contains(&block.count));
                let Content::Points(items) = &block.content else { continue };
                for item in items {
                    let register = channel.entries[item.point.index()].register.unwrap();
                    let cell = match item.part {
                        Part::Value => register.address,
                        Part::Quality => register.quality.unwrap(),
                    };
                    assert_eq!(block.address + item.offset, cell);
                    assert_eq!((block.unit, block.table), (register.unit, register.table));
                    assert!(found.insert((item.point, item.part == Part::Value)));
                }
            }
            let readable: Vec<_> = readable(station, channel).collect();
            assert_eq!(found.len(), 2 * readable.len());
        }
    }

    #[test]
    fn no_request_reads_over_a_point_that_is_not_mapped() {
        let province = Province::built_in();
        let station = province.station("HB07").unwrap();
        let centre = province.centre("CC").unwrap();
        let channel = province.channel(station, centre);
        let mapped: BTreeSet<(u8, Table, u32)> = channel
            .entries
            .iter()
            .filter_map(|entry| entry.register)
            .flat_map(|r| {
                let cells = (u32::from(r.address)..r.end()).chain(r.quality.map(u32::from));
                cells.map(move |cell| (r.unit, r.table, cell))
            })
            .collect();
        for block in plan(&province, channel).blocks {
            if block.content != Content::Meters {
                for cell in 0..u32::from(block.count) {
                    let cell = u32::from(block.address) + cell;
                    assert!(mapped.contains(&(block.unit, block.table, cell)));
                }
            }
        }
    }

    #[test]
    fn the_metering_unit_is_read_whole_and_the_figures_of_a_group_at_once() {
        let province = Province::built_in();
        for station in &province.stations {
            let blocks = meter_blocks(station);
            let mut next = 0;
            for block in &blocks {
                assert_eq!(block.address, next);
                next += block.count;
            }
            let last = station.meters.last().unwrap();
            assert_eq!(next, last.figures_address + MeterFigures::REGISTERS);
            for group in &station.meters {
                let end = group.figures_address + MeterFigures::REGISTERS;
                let whole =
                    |b: &Block| b.address <= group.figures_address && end <= b.address + b.count;
                assert!(blocks.iter().any(whole));
            }
        }
    }

    #[test]
    fn gaps_are_bridged_only_as_far_as_the_contract_allows() {
        let mapped = [(0, 4), (6, 10), (50, 60)];
        assert!(may_bridge(4, 4, &mapped, 0));
        assert!(!may_bridge(4, 6, &mapped, 0));
        assert!(may_bridge(4, 6, &mapped, 2));
        assert!(may_bridge(4, 12, &mapped, 4), "4 mapped and 4 unmapped cells lie between");
        assert!(!may_bridge(4, 50, &mapped, 8));
    }
}
