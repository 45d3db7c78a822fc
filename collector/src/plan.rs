//! What to ask: the register map of a channel cut into few requests. Pure, and printable.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use config::{
    Channel, MeterFigures, PointId, Province, Register, RegisterTable, Scan, SoldFigures, Station,
    WordOrder, blocks,
};
use signal::layout::{self, Group, Layout, Part};
use signal::raw::RawType;

/// Mapped registers of other scan classes that a request may read over. A register costs 2 bytes, a
/// request some 60 to 120 in headers of all layers, two system calls at each end, and a round trip
/// or its share of one: as much as some dozen registers.
const MAPPED_GAP_MAX: u32 = 32;

/// The requests of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What it brings: a group for each request, in their order.
    pub layout: Arc<Layout>,
    /// The requests, fastest scan class first, then by unit, table and address.
    pub blocks: Vec<Block>,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Unit id.
    pub unit: u8,
    /// Table.
    pub table: RegisterTable,
    /// First cell, zero-based.
    pub address: u16,
    /// Cells, at least 1 and at most what one read may ask for.
    pub count: u16,
    /// How often it is asked.
    pub scan: Scan,
    /// Cells that only mean something when they come with one reply, counted from the first: what
    /// a device refuses is not asked for in parts within them.
    pub whole: Vec<Range<u16>>,
    /// What its cells are.
    pub content: BlockContent,
}

/// What the cells of a block are.
#[derive(Debug, Clone, PartialEq)]
pub enum BlockContent {
    /// Values and qualities of points, in the order of their cells.
    Points(Vec<Item>),
    /// Registers of the metering unit, from `address` on.
    Meters,
    /// The header of the events of a unit. Records are asked for as cells behind it.
    Events,
}

/// A part of a point within a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// The point.
    pub point: PointId,
    /// Its value or its quality.
    pub part: Part,
    /// First cell within the block.
    pub offset: u16,
    /// What its cells hold.
    pub raw_type: RawType,
    /// Byte order of values of two registers.
    pub order: WordOrder,
    /// What a count is worth in the unit of the point; 1 where nothing is scaled.
    pub scale: f64,
}

impl Item {
    /// Cells, 1 to 4.
    pub fn cells(&self) -> u16 {
        match self.raw_type {
            RawType::Bit | RawType::Signed16 | RawType::Unsigned16 => 1,
            RawType::Pair | RawType::Unsigned32 | RawType::Float32 => 2,
            RawType::Unsigned64 => 4,
        }
    }
}

impl Block {
    /// What can be asked for apart, cell by cell from the first of the block on: parts of points,
    /// and runs that are whole. Cells between them hold nothing.
    pub fn atoms(&self) -> Vec<Range<u16>> {
        let BlockContent::Points(items) = &self.content else {
            return std::iter::once(0..self.count).collect();
        };
        let own = |item: &Item| item.offset..item.offset.saturating_add(item.cells());
        let mut atoms: Vec<Range<u16>> = Vec::new();
        for item in items {
            let cells = own(item);
            let around = self.whole.iter().find(|w| w.contains(&cells.start));
            let cells = around.cloned().unwrap_or(cells);
            if atoms.last().is_none_or(|last| last.end <= cells.start) {
                atoms.push(cells);
            }
        }
        atoms
    }

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

/// The plan of every channel, by channel id. Alike channels share one.
pub fn plans(province: &Province) -> Vec<Arc<Plan>> {
    let mut known: Vec<(&Channel, Arc<Plan>)> = Vec::new();
    let plan_of = |channel| {
        if let Some((_, plan)) = known.iter().find(|(other, _)| are_alike(other, channel)) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(plan(province, channel));
        known.push((channel, Arc::clone(&plan)));
        plan
    };
    province.channels.iter().map(plan_of).collect()
}

/// Whether two channels are surely read in the same way.
fn are_alike(one: &Channel, other: &Channel) -> bool {
    one.entries.is_shared_with(&other.entries)
        && (one.centre, &one.device, &one.whole) == (other.centre, &other.device, &other.whole)
}

/// The plan of one channel: for every scan class, unit and table the fewest requests that cover its
/// points within the limits of the device, and of all such plans one that reads the fewest cells.
pub fn plan(province: &Province, channel: &Channel) -> Plan {
    let station = &province.stations[channel.station.index()];
    let mut groups: BTreeMap<(Scan, u8, RegisterTable), Vec<Span>> = BTreeMap::new();
    let mut mapped: BTreeMap<(u8, RegisterTable), Vec<(u32, u32)>> = BTreeMap::new();
    for (point, scan, register) in readable(station, channel) {
        let spans = groups.entry((scan, register.unit, register.table)).or_default();
        let mapped = mapped.entry((register.unit, register.table)).or_default();
        for span in spans_of(point, &register) {
            mapped.push((span.start, span.end));
            spans.push(span);
        }
    }
    for cells in mapped.values_mut() {
        cells.sort_unstable();
    }
    let with_events = event_units(station, channel, &mapped);
    let mut requests = Vec::new();
    for ((scan, unit, table), mut spans) in groups {
        spans.sort_by_key(|span| span.start);
        let of_unit = channel.whole.iter().filter(|w| (w.unit, w.table) == (unit, table));
        let whole: Vec<(u32, u32)> = of_unit.map(|w| (w.address.into(), w.end())).collect();
        let limits = Limits {
            cells_max: channel.device.cells_max(table).into(),
            gap_max: channel.device.gap_max.into(),
            mapped_gap_max: MAPPED_GAP_MAX * if table.is_bits() { 16 } else { 1 },
            mapped: mapped.get(&(unit, table)).map_or(&[], Vec::as_slice),
        };
        let atoms = atoms_of(&spans, &whole);
        for range in pack(&atoms, &limits) {
            requests.push(block_of(&spans, &atoms[range], (unit, table, scan)));
        }
    }
    if province.centres[channel.centre.index()].metering {
        requests.extend(meter_blocks(station, channel));
    }
    requests.extend(with_events.into_iter().map(event_block));
    requests.sort_by_key(|block| block.scan);
    let period = |scan| u32::try_from(province.scan.milliseconds(scan)).unwrap_or(u32::MAX);
    Plan::of(requests, period)
}

impl Plan {
    /// A plan of these requests, of which those of a scan class are sent each so many milliseconds.
    pub fn of(blocks: Vec<Block>, period_ms: impl Fn(Scan) -> u32) -> Self {
        let group = |block: &Block| {
            let (device, period) = (block.unit, period_ms(block.scan));
            match &block.content {
                BlockContent::Points(items) => {
                    let parts = items.iter().map(|i| (i.point, i.part, i.raw_type, i.scale));
                    Group::of_values(device, period, parts)
                }
                BlockContent::Meters => Group::of_others(device, period, layout::Content::Meters),
                BlockContent::Events => Group::of_others(device, period, layout::Content::Events),
            }
        };
        let groups = blocks.iter().map(group).collect();
        Self { blocks, layout: Arc::new(Layout { groups }) }
    }
}

/// What each plan brings.
pub fn layouts(plans: &[Arc<Plan>]) -> Vec<Arc<Layout>> {
    plans.iter().map(|plan| Arc::clone(&plan.layout)).collect()
}

/// Units that have events: those of the bays, unless a point is pinned into their place.
fn event_units(
    station: &Station,
    channel: &Channel,
    mapped: &BTreeMap<(u8, RegisterTable), Vec<(u32, u32)>>,
) -> Vec<u8> {
    let header_max = channel.device.cells_max(RegisterTable::Input);
    if !channel.device.events || header_max < blocks::EVENT_HEADER_CELLS {
        return Vec::new();
    }
    let mut units: Vec<u8> = mapped.keys().map(|(unit, _)| *unit).collect();
    units.dedup();
    let in_the_way = |unit: u8| {
        channel.entries.iter().filter_map(|entry| entry.register).any(|register| {
            let cells = register.end().max(register.quality.map_or(0, |at| u32::from(at) + 1));
            register.unit == unit && !register.table.is_bits() && cells > blocks::COMMAND.into()
        })
    };
    units.retain(|unit| Some(*unit) != station.metering_unit() && !in_the_way(*unit));
    units
}

fn event_block(unit: u8) -> Block {
    let (address, count) = (blocks::EVENT_HEADER, blocks::EVENT_HEADER_CELLS);
    let (table, scan) = (RegisterTable::Input, Scan::Normal);
    let whole = std::iter::once(0..count).collect();
    Block { unit, table, address, count, scan, whole, content: BlockContent::Events }
}

/// Points of the channel that are read: mapped, and not commands.
fn readable<'a>(
    station: &'a Station,
    channel: &'a Channel,
) -> impl Iterator<Item = (PointId, Scan, Register)> + 'a {
    station
        .points
        .iter()
        .zip(&channel.entries)
        .enumerate()
        .filter_map(|(n, (point, entry))| Some((PointId::at(n), point.spec.scan?, entry.register?)))
}

/// A run of cells that holds one part of a point.
#[derive(Debug)]
struct Span {
    start: u32,
    end: u32,
    point: PointId,
    part: Part,
    raw_type: RawType,
    order: WordOrder,
    scale: f64,
}

fn spans_of(point: PointId, register: &Register) -> impl Iterator<Item = Span> + use<> {
    let order = register.word_order;
    let value = Span {
        start: u32::from(register.address),
        end: register.end(),
        point,
        part: Part::Value,
        raw_type: RawType::of(register.encoding),
        order,
        scale: register.encoding.scale(),
    };
    let raw_type = if register.table.is_bits() { RawType::Bit } else { RawType::Unsigned16 };
    let quality = register.quality.map(u32::from).map(|at| Span {
        start: at,
        end: at + 1,
        point,
        part: Part::Quality,
        raw_type,
        order,
        scale: 1.0,
    });
    std::iter::once(value).chain(quality)
}

/// A run of cells that must come with one reply, and its spans.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Atom {
    start: u32,
    end: u32,
    spans: Range<usize>,
}

/// What a request may hold.
struct Limits<'a> {
    cells_max: u32,
    /// Unmapped cells that it may read over: a device may refuse those.
    gap_max: u32,
    mapped_gap_max: u32,
    /// Mapped cells of all scan classes, in order.
    mapped: &'a [(u32, u32)],
}

/// Joins spans, which are in order, that overlap or lie in one of the runs that are `whole`.
fn atoms_of(spans: &[Span], whole: &[(u32, u32)]) -> Vec<Atom> {
    let mut atoms: Vec<Atom> = Vec::new();
    for (n, span) in spans.iter().enumerate() {
        let around = whole.iter().find(|(start, end)| span.start < *end && *start < span.end);
        let (start, end) = around.map_or((span.start, span.end), |(start, end)| {
            (span.start.min(*start), span.end.max(*end))
        });
        match atoms.last_mut() {
            Some(last) if start < last.end => {
                last.end = last.end.max(end);
                last.spans.end = n + 1;
            }
            _ => atoms.push(Atom { start, end, spans: n..n + 1 }),
        }
    }
    atoms
}

/// Cuts atoms into requests: the fewest, and of the ways to do so one with the fewest cells.
///
/// The best way to ask for the first atoms is the best way to ask for some of them and one request
/// for the rest, over all the requests that may end there.
fn pack(atoms: &[Atom], limits: &Limits<'_>) -> Vec<Range<usize>> {
    // For the first n atoms: requests, cells, and where the last request begins.
    let mut best: Vec<(u32, u32, usize)> = vec![(0, 0, 0)];
    for (n, last) in atoms.iter().enumerate() {
        let mut found = (u32::MAX, u32::MAX, n);
        for first in (0..=n).rev() {
            if first < n && !limits.may_bridge(atoms[first].end, atoms[first + 1].start) {
                break;
            }
            let cells = last.end - atoms[first].start;
            if cells > limits.cells_max && first < n {
                break;
            }
            let (requests, before, _) = best[first];
            found = found.min((requests + 1, before + cells, first));
        }
        best.push(found);
    }
    let mut cuts = Vec::new();
    let mut end = atoms.len();
    while end > 0 {
        let first = best[end].2;
        cuts.push(first..end);
        end = first;
    }
    cuts.reverse();
    cuts
}

impl Limits<'_> {
    /// Whether a request may read over the cells from `end` up to `start`.
    fn may_bridge(&self, end: u32, start: u32) -> bool {
        if start <= end {
            return true;
        }
        let from = self.mapped.partition_point(|(_, mapped_end)| *mapped_end <= end);
        let known: u32 = self.mapped[from..]
            .iter()
            .take_while(|(mapped_start, _)| *mapped_start < start)
            .map(|(a, b)| (*b).min(start) - (*a).max(end))
            .sum();
        let unknown = (start - end).saturating_sub(known);
        unknown <= self.gap_max && known <= self.mapped_gap_max
    }
}

fn block_of(
    spans: &[Span],
    atoms: &[Atom],
    (unit, table, scan): (u8, RegisterTable, Scan),
) -> Block {
    let cell = |at: u32| u16::try_from(at).expect("the contract keeps registers below 65 536");
    let (start, end) = (atoms[0].start, atoms[atoms.len() - 1].end);
    let own = &spans[atoms[0].spans.start..atoms[atoms.len() - 1].spans.end];
    let items = own
        .iter()
        .map(|span| Item {
            point: span.point,
            part: span.part,
            offset: cell(span.start - start),
            raw_type: span.raw_type,
            order: span.order,
            scale: span.scale,
        })
        .collect();
    let joined = atoms.iter().filter(|atom| {
        let span = &spans[atom.spans.start];
        atom.spans.len() > 1 || (span.start, span.end) != (atom.start, atom.end)
    });
    let whole = joined.map(|atom| cell(atom.start - start)..cell(atom.end - start)).collect();
    let (address, count, content) = (cell(start), cell(end - start), BlockContent::Points(items));
    Block { unit, table, address, count, scan, whole, content }
}

/// The metering unit, read whole: counters and bits in as few requests as it takes, then the
/// figures of daily reading and those of the energy sold.
fn meter_blocks(station: &Station, channel: &Channel) -> Vec<Block> {
    let Some(unit) = station.metering_unit() else { return Vec::new() };
    let (table, scan) = (RegisterTable::Input, Scan::Metering);
    let most = u32::from(channel.device.cells_max(table));
    let bits = (0..station.meter_bits_end()).step_by(most as usize).map(|address| {
        let count = (station.meter_bits_end() - address).min(most);
        (address, count)
    });
    let groups = || station.meters.iter();
    let figures = published(groups().map(|g| g.figures_address), MeterFigures::REGISTERS, most);
    let sold = published(groups().map(|g| g.sold_address), SoldFigures::REGISTERS, most);
    let cell = |at: u32| u16::try_from(at).expect("a table has 65 536 registers");
    let block = |(address, count): (u32, u32)| {
        let (address, count) = (cell(address), cell(count));
        let whole = std::iter::once(0..count).collect();
        Block { unit, table, address, count, scan, whole, content: BlockContent::Meters }
    };
    bits.chain(figures).chain(sold).map(block).collect()
}

/// What is published of groups that stand one behind the other, each `of_group` registers: the
/// figures of a group are of one instant, so they come with one reply where the device can.
fn published(
    addresses: impl Iterator<Item = u16>,
    of_group: u16,
    most: u32,
) -> impl Iterator<Item = (u32, u32)> {
    let of_group = u32::from(of_group);
    let together = if most < of_group { most } else { most / of_group * of_group };
    let addresses: Vec<u32> = addresses.map(u32::from).collect();
    let start = addresses.first().copied().unwrap_or(0);
    let end = addresses.last().map_or(0, |last| last + of_group);
    (start..end).step_by(together as usize).map(move |address| {
        let count = (end - address).min(together);
        (address, count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::CentreId;
    use proptest::prelude::*;
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
                let BlockContent::Points(items) = &block.content else { continue };
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
        let mapped: BTreeSet<(u8, RegisterTable, u32)> = channel
            .entries
            .iter()
            .filter_map(|entry| entry.register)
            .flat_map(|r| {
                let cells = (u32::from(r.address)..r.end()).chain(r.quality.map(u32::from));
                cells.map(move |cell| (r.unit, r.table, cell))
            })
            .collect();
        for block in plan(&province, channel).blocks {
            if matches!(block.content, BlockContent::Points(_)) {
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
        for (station_id, station) in province.station_ids().zip(&province.stations) {
            let channel = province.channel(station_id, CentreId::at(0));
            let blocks = meter_blocks(station, channel);
            let mut next = 0;
            for block in &blocks {
                assert_eq!(block.address, next);
                next += block.count;
            }
            let last = station.meters.last().unwrap();
            assert_eq!(next, last.sold_address + SoldFigures::REGISTERS);
            for group in &station.meters {
                let end = group.figures_address + MeterFigures::REGISTERS;
                let whole =
                    |b: &Block| b.address <= group.figures_address && end <= b.address + b.count;
                assert!(blocks.iter().any(whole));
                let end = group.sold_address + SoldFigures::REGISTERS;
                let whole =
                    |b: &Block| b.address <= group.sold_address && end <= b.address + b.count;
                assert!(blocks.iter().any(whole));
            }
        }
    }

    #[test]
    fn gaps_are_bridged_only_as_far_as_the_contract_allows() {
        let mapped = [(0, 4), (6, 10), (50, 60)];
        let may_bridge = |end, start, gap_max| {
            let limits = Limits { cells_max: 125, gap_max, mapped_gap_max: 32, mapped: &mapped };
            limits.may_bridge(end, start)
        };
        assert!(may_bridge(4, 4, 0));
        assert!(!may_bridge(4, 6, 0));
        assert!(may_bridge(4, 6, 2));
        assert!(may_bridge(4, 12, 4), "4 mapped and 4 unmapped cells lie between");
        assert!(!may_bridge(4, 50, 8));
    }

    /// Each request takes what still fits, from the lowest address on.
    fn greedy(atoms: &[Atom], limits: &Limits<'_>) -> usize {
        let (mut requests, mut first) = (0, 0);
        while first < atoms.len() {
            let mut last = first;
            while last + 1 < atoms.len()
                && limits.may_bridge(atoms[last].end, atoms[last + 1].start)
                && atoms[last + 1].end - atoms[first].start <= limits.cells_max
            {
                last += 1;
            }
            (requests, first) = (requests + 1, last + 1);
        }
        requests
    }

    /// Every way to cut atoms into requests.
    fn all_ways(atoms: &[Atom], limits: &Limits<'_>) -> (usize, u32) {
        let mut best = (usize::MAX, u32::MAX);
        for cuts in 0..1_u32 << (atoms.len() - 1) {
            let ends = (0..atoms.len()).filter(|n| n + 1 == atoms.len() || cuts >> n & 1 == 1);
            let (mut first, mut requests, mut cells, mut fits) = (0, 0, 0, true);
            for last in ends {
                let own = &atoms[first..=last];
                let length = own[own.len() - 1].end - own[0].start;
                let bridged = own.windows(2).all(|w| limits.may_bridge(w[0].end, w[1].start));
                fits &= (length <= limits.cells_max || own.len() == 1) && bridged;
                (requests, cells, first) = (requests + 1, cells + length, last + 1);
            }
            if fits {
                best = best.min((requests, cells));
            }
        }
        best
    }

    /// Spans with gaps between them; some gaps are mapped.
    fn layouts() -> impl Strategy<Value = (Vec<Span>, Vec<(u32, u32)>)> {
        let part =
            (prop_oneof![3 => Just(0_u32), 2 => 1_u32..8, 1 => 8_u32..60], any::<bool>(), 1_u32..4);
        proptest::collection::vec(part, 1..14).prop_map(|parts| {
            let (mut spans, mut mapped, mut next) = (Vec::new(), Vec::new(), 0);
            for (n, (gap, is_mapped, cells)) in (0_u16..).zip(parts) {
                if is_mapped && gap > 0 {
                    mapped.push((next, next + gap));
                }
                let (start, end) = (next + gap, next + gap + cells);
                spans.push(Span {
                    start,
                    end,
                    point: PointId(n),
                    part: Part::Value,
                    raw_type: RawType::Unsigned16,
                    order: WordOrder::Abcd,
                    scale: 1.0,
                });
                mapped.push((start, end));
                next = end;
            }
            (spans, mapped)
        })
    }

    proptest! {
        #[test]
        fn a_plan_covers_every_point_within_the_limits_and_none_has_fewer_requests_or_cells(
            (spans, mapped) in layouts(),
            cells_max in 4_u32..60,
            gap_max in 0_u32..6,
            whole in proptest::option::of((0_u32..40, 2_u32..5)),
        ) {
            let limits = Limits { cells_max, gap_max, mapped_gap_max: 8, mapped: &mapped };
            let whole: Vec<(u32, u32)> = whole.map(|(start, count)| (start, start + count)).into_iter().collect();
            let atoms = atoms_of(&spans, &whole);
            let requests = pack(&atoms, &limits);
            let mut next = 0;
            let mut cells = 0;
            for request in &requests {
                prop_assert_eq!(request.start, next);
                next = request.end;
                let block = block_of(&spans, &atoms[request.clone()], (1, RegisterTable::Input, Scan::Fast));
                prop_assert!(u32::from(block.count) <= cells_max || request.len() == 1);
                cells += u32::from(block.count);
                let BlockContent::Points(items) = &block.content else { panic!("points") };
                for item in items {
                    prop_assert!(item.offset + item.cells() <= block.count);
                    let span = &spans[item.point.index()];
                    prop_assert_eq!(u32::from(block.address + item.offset), span.start);
                }
                for (start, end) in &whole {
                    let touches = items.iter().any(|i| {
                        let span = &spans[i.point.index()];
                        span.start < *end && *start < span.end
                    });
                    let holds = u32::from(block.address) <= *start
                        && *end <= u32::from(block.address + block.count);
                    prop_assert!(holds || !touches);
                }
                prop_assert!(block.atoms().iter().all(|atom| atom.end <= block.count));
            }
            prop_assert_eq!(next, atoms.len());
            prop_assert!(requests.len() <= greedy(&atoms, &limits));
            prop_assert_eq!((requests.len(), cells), all_ways(&atoms, &limits));
        }
    }
}
