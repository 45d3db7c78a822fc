//! What is kept of a channel: which blocks of its plan have points, and in which column each part
//! of a point stands. Alike channels share one.

use std::sync::Arc;

use config::{Channel, Encoding, PointId, Province, Table, WordOrder};

use super::raw::RawType;
use crate::collector::plan::{Block, Content, Item, Part, Plan};

/// What is kept of a channel.
pub(super) struct ChannelLayout {
    /// Blocks that have points.
    pub(super) blocks: Vec<BlockLayout>,
    /// The place there of each block of the plan.
    places: Vec<Option<u16>>,
    /// Where each point of the station stands.
    pub(super) points: Vec<Option<PointPlace>>,
}

/// The rows of a block.
pub(super) struct BlockLayout {
    /// Its number in the plan.
    pub(super) number: usize,
    /// Between two rows, milliseconds, at least 1.
    pub(super) period_ms: u32,
    /// Cells of a whole row.
    pub(super) cells: u16,
    /// Whether they are bits.
    pub(super) bits: bool,
    pub(super) columns: Vec<ColumnPlace>,
    /// What each column is.
    pub(super) parts: Arc<[(PointId, Part)]>,
}

/// Where the values of a column stand in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColumnPlace {
    pub(super) raw_type: RawType,
    /// First cell.
    pub(super) offset: u16,
    /// Byte order of values of two registers.
    pub(super) order: WordOrder,
}

/// A column of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Among the blocks that have points.
    pub(super) block: u16,
    pub(super) column: u16,
}

/// Where the two parts of a point stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointPlace {
    pub(super) encoding: Encoding,
    pub(super) value: Place,
    pub(super) quality: Option<Place>,
    /// A quality of one bit says that the value is invalid.
    pub(super) quality_is_bit: bool,
}

impl BlockLayout {
    /// Bytes of the cells of a row.
    pub(super) fn row_bytes(&self) -> usize {
        if self.bits { usize::from(self.cells).div_ceil(8) } else { 2 * usize::from(self.cells) }
    }
}

impl ColumnPlace {
    fn new(block: &Block, item: Item, channel: &Channel) -> Option<Self> {
        let register = channel.entries.get(item.point.index())?.register?;
        let raw_type = match item.part {
            Part::Value => RawType::of(register.encoding),
            Part::Quality => RawType::of_quality(block.table),
        };
        // The contract and the plan see to it; bytes are only read where they must be.
        let is_within = u32::from(item.offset) + u32::from(raw_type.cells()) <= block.count.into();
        let fits = matches!(raw_type, RawType::Bit | RawType::Pair) == block.table.is_bits();
        let order = register.word_order;
        (is_within && fits).then_some(Self { raw_type, offset: item.offset, order })
    }
}

impl ChannelLayout {
    fn new(province: &Province, channel: &Channel, plan: &Plan) -> Self {
        let mut layout = Self {
            blocks: Vec::new(),
            places: vec![None; plan.blocks.len()],
            points: vec![None; channel.entries.len()],
        };
        // A value is known before its quality is looked for, wherever the two stand.
        let mut qualities = Vec::new();
        for (number, block) in plan.blocks.iter().enumerate() {
            let Content::Points(items) = &block.content else { continue };
            let Ok(place) = u16::try_from(layout.blocks.len()) else { break };
            let mut columns: Vec<ColumnPlace> = Vec::with_capacity(items.len());
            let mut parts = Vec::with_capacity(items.len());
            for item in items {
                let (Some(column), Ok(n)) =
                    (ColumnPlace::new(block, *item, channel), u16::try_from(columns.len()))
                else {
                    continue;
                };
                columns.push(column);
                parts.push((item.point, item.part));
                let at = Place { block: place, column: n };
                match (item.part, channel.entries[item.point.index()].register) {
                    (Part::Value, Some(register)) => {
                        layout.points[item.point.index()] = Some(PointPlace {
                            encoding: register.encoding,
                            value: at,
                            quality: None,
                            quality_is_bit: false,
                        });
                    }
                    _ => qualities.push((item.point, at, block.table)),
                }
            }
            let period = province.scan.milliseconds(block.scan).max(1);
            layout.places[number] = Some(place);
            layout.blocks.push(BlockLayout {
                number,
                period_ms: u32::try_from(period).unwrap_or(u32::MAX),
                cells: block.count,
                bits: block.table.is_bits(),
                columns,
                parts: parts.into(),
            });
        }
        for (point, at, table) in qualities {
            if let Some(Some(place)) = layout.points.get_mut(point.index()) {
                place.quality = Some(at);
                place.quality_is_bit = Table::is_bits(table);
            }
        }
        layout
    }

    /// The place of a block of the plan among those that have points.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        self.places.get(number).copied().flatten().map(usize::from)
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.blocks.iter().map(|block| block.columns.capacity()).sum();
        self.blocks.capacity() * size_of::<BlockLayout>()
            + columns * (size_of::<ColumnPlace>() + size_of::<(PointId, Part)>())
            + self.places.capacity() * size_of::<Option<u16>>()
            + self.points.capacity() * size_of::<Option<PointPlace>>()
    }
}

/// The layout of every channel. `plans` has one plan per channel; channels that share entries and
/// plan share a layout.
pub(super) fn layouts(province: &Province, plans: &[Arc<Plan>]) -> Vec<Arc<ChannelLayout>> {
    let mut known: Vec<(&Channel, &Arc<Plan>, Arc<ChannelLayout>)> = Vec::new();
    let mut layouts = Vec::with_capacity(plans.len());
    for (channel, plan) in province.channels.iter().zip(plans) {
        let alike = known.iter().find(|(other, others, _)| {
            Arc::ptr_eq(others, plan) && other.entries.is_shared_with(&channel.entries)
        });
        let layout = match alike {
            Some((_, _, layout)) => Arc::clone(layout),
            None => Arc::new(ChannelLayout::new(province, channel, plan)),
        };
        if alike.is_none() {
            known.push((channel, plan, Arc::clone(&layout)));
        }
        layouts.push(layout);
    }
    layouts
}
