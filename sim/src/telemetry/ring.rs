//! The ring in which a unit keeps its last changes of state.

use config::{Flags, blocks, commands};

use crate::plant::event::Event;

/// Bits of the second register of a record: the time is UTC; the clock is not synchronised; one
/// bit or two. The low byte has the quality of IEC 60870-5.
const UTC: u16 = 0x8000;
const NOT_SYNCHRONISED: u16 = 0x2000;
const ONE_BIT: u16 = 0x0100;
const TWO_BITS: u16 = 0x0200;

/// Mark of an event that a full buffer has lost: it gets a number, and nothing else.
pub(crate) const LOST: Flags = Flags(0x4000);

/// The last events of a unit, for one centre. Numbers start at 1 and never skip; a record stands at
/// an address that follows from its number, so that any number of masters reads without asking and
/// a gap in the numbers tells of loss.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ring {
    newest: u32,
    records: Vec<[u16; blocks::EVENT_CELLS as usize]>,
}

impl Ring {
    /// Records an event of the status that stands at `address`.
    pub(crate) fn record(&mut self, event: &Event, address: u16, double: bool, synced: bool) {
        self.newest += 1;
        let slot = (self.newest as usize - 1) % usize::from(blocks::EVENT_RECORDS);
        if event.flags.0 & LOST.0 != 0 {
            // Its number is spent, so that whoever reads sees the gap.
            self.put(slot, [0; blocks::EVENT_CELLS as usize]);
            return;
        }
        let kind = if double { TWO_BITS } else { ONE_BIT } | (event.flags.0 & 0xFF);
        self.write(slot, (kind, synced), (address, u16::from(event.value)), event.at_ms);
    }

    /// Records what came of the command whose result stands at `address`.
    pub(crate) fn record_command(&mut self, at_ms: i64, cells: (u16, u16), synced: bool) {
        self.newest += 1;
        let slot = (self.newest as usize - 1) % usize::from(blocks::EVENT_RECORDS);
        self.write(slot, (commands::RECORD, synced), cells, at_ms);
    }

    fn write(
        &mut self,
        slot: usize,
        (kind, synced): (u16, bool),
        (address, value): (u16, u16),
        at_ms: i64,
    ) {
        let ms = at_ms.cast_unsigned();
        #[expect(clippy::cast_possible_truncation, reason = "taken apart word by word")]
        let word = |shift: u32| (ms >> shift) as u16;
        #[expect(clippy::cast_possible_truncation, reason = "the low word of the number")]
        let number = self.newest as u16;
        let kind = kind | if synced { UTC } else { UTC | NOT_SYNCHRONISED };
        self.put(slot, [number, kind, address, value, word(48), word(32), word(16), word(0)]);
    }

    fn put(&mut self, slot: usize, record: [u16; blocks::EVENT_CELLS as usize]) {
        if slot < self.records.len() {
            self.records[slot] = record;
        } else {
            self.records.push(record);
        }
    }

    /// Number of the newest record, 0 when there is none.
    pub(crate) fn newest(&self) -> u32 {
        self.newest
    }

    /// Number of the oldest record that is still there, 0 when there is none.
    pub(crate) fn oldest(&self) -> u32 {
        let kept = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        if kept == 0 { 0 } else { self.newest - kept + 1 }
    }

    /// A register of the ring, counted from its first; 0 where no record stands yet.
    pub(crate) fn cell(&self, cell: u16) -> u16 {
        let (slot, part) = (cell / blocks::EVENT_CELLS, cell % blocks::EVENT_CELLS);
        self.records.get(usize::from(slot)).map_or(0, |record| record[usize::from(part)])
    }
}

#[cfg(test)]
mod tests {
    use config::{PointId, StationId};

    use super::*;

    #[test]
    fn a_record_stands_where_its_number_says_and_the_oldest_go_first() {
        let mut ring = Ring::default();
        assert_eq!((ring.newest(), ring.oldest(), ring.cell(0)), (0, 0, 0));
        for n in 1..=1_100_i64 {
            let event = Event {
                at_ms: 1_669_188_727_000 + n,
                station: StationId::at(0),
                point: PointId::at(0),
                value: 2,
                flags: Flags::GOOD,
            };
            ring.record(&event, 17, true, true);
        }
        assert_eq!((ring.newest(), ring.oldest()), (1_100, 77));
        let slot = (1_100 - 1) % blocks::EVENT_RECORDS * blocks::EVENT_CELLS;
        let record: Vec<u16> = (slot..slot + 8).map(|cell| ring.cell(cell)).collect();
        assert_eq!(record[..4], [1_100, 0x8200, 17, 2]);
        let ms = record[4..].iter().fold(0_i64, |ms, word| ms << 16 | i64::from(*word));
        assert_eq!(ms, 1_669_188_728_100);
    }
}
