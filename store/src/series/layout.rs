//! What is kept of a channel: which groups of its layout have values, and in which column each part of a point stands.
//! Alike channels share one.

use std::sync::Arc;

use config::PointId;
use signal::layout::{Column, Group, Layout, Part};
use signal::raw::RawType;

/// What is kept of a channel.
pub(super) struct ChannelLayout {
    /// Groups that have values.
    pub(super) blocks: Vec<BlockLayout>,
    /// The place there of each group of the layout.
    places: Vec<Option<u16>>,
    /// Where each point of the station stands.
    pub(super) points: Vec<Option<PointPlace>>,
}

/// The rows of a group.
pub(super) struct BlockLayout {
    /// Its number in the layout.
    pub(super) number: usize,
    /// Between two rows, milliseconds, at least 1.
    pub(super) period_ms: u32,
    /// Bytes of a row.
    pub(super) row_bytes: usize,
    pub(super) columns: Arc<[Column]>,
    /// What each column is.
    pub(super) parts: Arc<[(PointId, Part)]>,
}

/// A column of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Among the groups that have values.
    pub(super) block: u16,
    pub(super) column: u16,
}

/// Where the two parts of a point stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct PointPlace {
    pub(super) raw_type: RawType,
    pub(super) scale: f64,
    pub(super) value: Place,
    pub(super) quality: Option<Place>,
    /// A quality of one bit says that the value is invalid.
    pub(super) quality_is_bit: bool,
}

impl BlockLayout {
    fn new(number: usize, group: &Group) -> Self {
        Self {
            number,
            period_ms: group.period_ms,
            row_bytes: group.row_bytes,
            columns: Arc::clone(&group.columns),
            parts: group.columns.iter().map(|column| (column.point, column.part)).collect(),
        }
    }
}

impl ChannelLayout {
    fn new(layout: &Layout, points: usize) -> Self {
        let mut kept = Self {
            blocks: Vec::new(),
            places: vec![None; layout.groups.len()],
            points: vec![None; points],
        };
        // A value is known before its quality is looked for, wherever the two stand.
        let mut qualities = Vec::new();
        for (number, group) in
            layout.groups.iter().enumerate().filter(|(_, g)| !g.columns.is_empty())
        {
            let Ok(block) = u16::try_from(kept.blocks.len()) else { break };
            for (column, own) in (0..).zip(group.columns.iter()) {
                let place = Place { block, column };
                match own.part {
                    Part::Value => {
                        if let Some(point) = kept.points.get_mut(own.point.index()) {
                            *point = Some(PointPlace {
                                raw_type: own.raw_type,
                                scale: own.scale,
                                value: place,
                                quality: None,
                                quality_is_bit: false,
                            });
                        }
                    }
                    Part::Quality => qualities.push((own, place)),
                }
            }
            kept.places[number] = Some(block);
            kept.blocks.push(BlockLayout::new(number, group));
        }
        for (own, place) in qualities {
            if let Some(Some(point)) = kept.points.get_mut(own.point.index()) {
                point.quality = Some(place);
                point.quality_is_bit = own.raw_type == RawType::Bit;
            }
        }
        kept
    }

    /// The place of a group of the layout among those that have values.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        self.places.get(number).copied().flatten().map(usize::from)
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.blocks.iter().map(|block| block.columns.len()).sum();
        self.blocks.capacity() * size_of::<BlockLayout>()
            + columns * (size_of::<Column>() + size_of::<(PointId, Part)>())
            + self.places.capacity() * size_of::<Option<u16>>()
            + self.points.capacity() * size_of::<Option<PointPlace>>()
    }
}

/// What is kept of every channel: one that brings what `layouts` says, of a station with so many points. Channels that
/// share a layout share this, too.
pub(super) fn kept<'a>(
    layouts: impl Iterator<Item = (&'a Arc<Layout>, usize)>,
) -> Vec<Arc<ChannelLayout>> {
    let mut known: Vec<(&Arc<Layout>, usize, Arc<ChannelLayout>)> = Vec::new();
    let mut all = Vec::new();
    for (layout, points) in layouts {
        let alike = known.iter().find(|(other, n, _)| Arc::ptr_eq(other, layout) && *n == points);
        let kept = match alike {
            Some((.., kept)) => Arc::clone(kept),
            None => Arc::new(ChannelLayout::new(layout, points)),
        };
        if alike.is_none() {
            known.push((layout, points, Arc::clone(&kept)));
        }
        all.push(kept);
    }
    all
}
