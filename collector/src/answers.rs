//! What replies say: cells become rows of typed values, records and figures. Here a value is decoded, once; whoever takes
//! it further knows no register.
//!
//! A whole reply with the same bytes as the one before gives the same row, which says so: comparing costs less than
//! decoding, and most of what is polled does not change.

use std::ops::Range;
use std::sync::Arc;

use config::{
    Channel, ChannelId, Encoding, Flags, MeterFigures, PointId, Province, Register, RegisterTable,
    SoldFigures, Station, blocks, commands,
};
use signal::bytes::Bytes;
use signal::clock::Timestamp;
use signal::events::{LogHead, Numbered, Record, Tail};
use signal::layout::Group;
use signal::raw::RawType;
use signal::update::{Answer, Evidence, MetersFigure, MetersTold, Miss, News, Outcome, Update};

use super::plan::{Block, BlockContent, Item, Plan};
use super::poll::{Exchange, Fault, Poll};
use super::rings::{head, number};

/// Exception 06, device busy: it asks to be asked again.
const BUSY: u8 = 0x06;
/// Exceptions 02, illegal address, and 03, illegal value: it does not have what was asked for, or not so much.
const NOT_THERE: [u8; 2] = [0x02, 0x03];
/// Exceptions of a gateway in place of a device: 0A, no path to it; 0B, it does not answer.
const UNREACHABLE: [u8; 2] = [0x0A, 0x0B];

/// Bits of the second register of a record (see the register map): the clock was not synchronised,
/// the clock failed; one bit or two.
const CLOCK_DOUBTED: u16 = 0x3000;
const ONE_BIT: u16 = 0x0100;
const TWO_BITS: u16 = 0x0200;

/// Makes answers of the polls of a channel, in the order in which they came to an end.
pub struct Decoder {
    plan: Arc<Plan>,
    /// The last whole reply to each request.
    last: Vec<Whole>,
    /// What records are about: by unit and address within their kind.
    places: Vec<Place>,
    /// How far the log of each unit was read, by the block of its header.
    logs: Vec<(usize, Tail)>,
    meters: Option<Meters>,
    /// Cells and row of the reply that is being read: kept to be used again.
    cells: Vec<u16>,
    row: Vec<u8>,
}

/// A whole reply, and the row that it gave.
#[derive(Clone, Default)]
struct Whole {
    reply: Bytes,
    row: Option<Bytes>,
}

/// Unit, kind of record, address in the table of that kind, and the point there.
type Place = (u8, u16, u16, PointId);

impl From<Fault> for Miss {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoReply => Self::NoReply,
            Fault::Refused(BUSY) => Self::Busy(BUSY),
            Fault::Refused(code) if NOT_THERE.contains(&code) => Self::NotThere(code),
            Fault::Refused(code) if UNREACHABLE.contains(&code) => Self::Unreachable(code),
            Fault::Refused(code) => Self::Refused(code),
            Fault::Undecodable => Self::Malformed,
        }
    }
}

impl Decoder {
    /// For a channel that is read by this plan, of which nothing has come.
    pub fn new(province: &Province, channel: &Channel, plan: &Arc<Plan>) -> Self {
        let station = &province.stations[channel.station.index()];
        let of = |content: &BlockContent| {
            let blocks = plan.blocks.iter().enumerate();
            blocks
                .filter(|(_, block)| block.content == *content)
                .map(|(n, _)| n)
                .collect::<Vec<_>>()
        };
        let logs: Vec<_> =
            of(&BlockContent::Events).into_iter().map(|block| (block, Tail::default())).collect();
        let meters = (!of(&BlockContent::Meters).is_empty()).then(|| Meters::new(station));
        // Where nobody records, nobody has to be found.
        let places = if logs.is_empty() { Vec::new() } else { places(channel) };
        let last = vec![Whole::default(); plan.blocks.len()];
        Self {
            plan: Arc::clone(plan),
            last,
            places,
            logs,
            meters,
            cells: Vec::new(),
            row: Vec::new(),
        }
    }

    /// What came of some polls.
    pub fn answers(&mut self, polls: Vec<Poll>) -> Vec<Answer> {
        let plan = Arc::clone(&self.plan);
        let requests: Vec<u8> = polls.iter().flat_map(|poll| poll.exchange.request).collect();
        let requests = Bytes::from(requests);
        let mut answers = Vec::with_capacity(polls.len());
        for (n, poll) in polls.into_iter().enumerate() {
            let groups = plan.blocks.get(poll.block).zip(plan.layout.groups.get(poll.block));
            let (Some(of), Ok(group)) = (groups, u16::try_from(poll.block)) else { continue };
            let mut columns = columns(of.0, (poll.offset, poll.count));
            let outcome = self.outcome(of, &poll, &mut columns);
            let sent =
                requests.part(Exchange::REQUEST_BYTES * n..Exchange::REQUEST_BYTES * (n + 1));
            let Exchange { at, took_us, reply: received, .. } = poll.exchange;
            let evidence = Evidence { at, took_us, sent, received };
            answers.push(Answer { group, columns, is_asked: true, outcome, evidence });
        }
        answers
    }

    /// The same as an update of a channel, known at a moment.
    pub fn update(&mut self, channel: ChannelId, at: Timestamp, polls: Vec<Poll>) -> Update {
        Update { channel, at, news: News::Answers(self.answers(polls)) }
    }

    fn outcome(
        &mut self,
        (block, group): (&Block, &Group),
        poll: &Poll,
        columns: &mut Range<u16>,
    ) -> Outcome {
        let last = &mut self.last[poll.block];
        match (poll.fault, &block.content) {
            (None, BlockContent::Points(items)) => {
                let is_whole = (poll.offset, poll.count) == (0, block.count);
                if let Some(row) = last.row_of(&poll.exchange).filter(|_| is_whole) {
                    // The reply is as good as the one before, and its memory is the younger one.
                    last.reply = poll.exchange.reply.clone();
                    return Outcome::Row { row, unchanged: true };
                }
                last.row = None;
                let of = (columns.clone(), poll.offset);
                let payload = poll.exchange.payload();
                let came = write_row((items, group), of, payload, &mut self.row);
                if came.is_empty() {
                    return Outcome::Missed(Miss::Malformed);
                }
                *columns = came;
                let row = Bytes::from(&self.row[..]);
                if is_whole && columns.len() == items.len() {
                    (last.reply, last.row) = (poll.exchange.reply.clone(), Some(row.clone()));
                }
                Outcome::Row { row, unchanged: false }
            }
            (None, BlockContent::Events) => {
                poll.read_cells(false, &mut self.cells);
                self.events(block, poll)
            }
            (None, BlockContent::Meters) => {
                poll.read_cells(false, &mut self.cells);
                let (address, at) =
                    (block.address.saturating_add(poll.offset), poll.exchange.heard());
                let told = self.meters.as_mut().map(|m| m.accept(address, &self.cells, at));
                Outcome::Meters(told.unwrap_or_default())
            }
            (Some(fault), _) => {
                // What comes next is news.
                last.row = None;
                if poll.in_parts {
                    Outcome::InParts(fault.into())
                } else {
                    Outcome::Missed(fault.into())
                }
            }
        }
    }

    /// What a header says, or the records behind it.
    fn events(&mut self, block: &Block, poll: &Poll) -> Outcome {
        let Some((_, tail)) = self.logs.iter_mut().find(|(block, _)| *block == poll.block) else {
            return Outcome::Nothing;
        };
        if poll.offset < block.count {
            return head(&self.cells).map_or(Outcome::Nothing, |head: LogHead| {
                tail.see(&head, poll.exchange.heard());
                Outcome::LogHead(head)
            });
        }
        let starts = (poll.offset..).step_by(blocks::EVENT_CELLS.into());
        let (cells, _) = self.cells.as_chunks::<{ blocks::EVENT_CELLS as usize }>();
        let mut records = Vec::with_capacity(cells.len());
        for (cell, record) in starts.zip(cells) {
            if let Some(number) = number(tail, cell) {
                tail.pass(number);
                let record = read_record(block.unit, number, *record, &self.places);
                records.push(Numbered { number, record });
            }
        }
        Outcome::Records(records)
    }
}

impl Whole {
    /// The row that it gave, when another reply says the same.
    fn row_of(&self, other: &Exchange) -> Option<Bytes> {
        let row = self.row.as_ref()?;
        let same =
            self.reply.get(Exchange::REPLY_HEAD..) == other.reply.get(Exchange::REPLY_HEAD..);
        same.then(|| row.clone())
    }
}

impl Plan {
    /// The row of a block's group that some of its cells give, `count` from `offset` on, as they stand in the payload of
    /// a reply; and the columns that came with them. `None` when there is no such block.
    pub fn row(
        &self,
        block: usize,
        (offset, count): (u16, u16),
        payload: &[u8],
    ) -> Option<(Range<u16>, Vec<u8>)> {
        let (group, block) = (self.layout.groups.get(block)?, self.blocks.get(block)?);
        let BlockContent::Points(items) = &block.content else { return None };
        let asked = columns(block, (offset, count));
        let mut row = Vec::new();
        let columns = write_row((items, group), (asked, offset), payload, &mut row);
        Some((columns, row))
    }
}

/// Makes a row of the columns of a group that were asked for, of a payload that begins with the cell at `from`. Returns
/// which of them came: fewer when it is short.
fn write_row(
    (items, group): (&[Item], &Group),
    (asked, from): (Range<u16>, u16),
    payload: &[u8],
    row: &mut Vec<u8>,
) -> Range<u16> {
    row.clear();
    row.resize(group.row_bytes, 0);
    for n in asked.clone() {
        let place = usize::from(n);
        let own = items.get(place).zip(group.columns.get(place));
        let came = own.and_then(|(item, column)| Some((column, raw(item, from, payload)?)));
        let Some((column, raw)) = came else { return asked.start..n };
        column.write(row, raw);
    }
    asked
}

/// Columns of a block that a request asked for: as many as it has items.
fn columns(block: &Block, (offset, count): (u16, u16)) -> Range<u16> {
    let BlockContent::Points(items) = &block.content else { return 0..0 };
    let place = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let first = items.partition_point(|item| item.offset < offset);
    let end = |item: &Item| u32::from(item.offset) + u32::from(item.cells());
    let last = items.partition_point(|item| end(item) <= u32::from(offset) + u32::from(count));
    place(first)..place(last.max(first))
}

/// The raw value of an item in the payload of a reply that begins with the cell at `from`; `None` when it is too short.
fn raw(item: &Item, from: u16, payload: &[u8]) -> Option<u64> {
    let first = usize::from(item.offset - from);
    let bit = |n: usize| Some(u64::from(payload.get(n / 8)? >> (n % 8) & 1));
    let word = |n: usize| Some(u16::from_be_bytes(*payload.get(2 * n..)?.first_chunk()?));
    match item.raw_type {
        RawType::Bit => bit(first),
        RawType::Pair => Some(bit(first)? | bit(first + 1)? << 1),
        RawType::Signed16 | RawType::Unsigned16 => Some(word(first)?.into()),
        RawType::Unsigned32 | RawType::Float32 => {
            Some(item.order.join([word(first)?, word(first + 1)?]).into())
        }
        RawType::Unsigned64 => {
            (first..first + 4).try_fold(0, |high, n| Some(high << 16 | u64::from(word(n)?)))
        }
    }
}

/// Where the records of a channel's points point to.
fn places(channel: &Channel) -> Vec<Place> {
    let status = |(n, register): (usize, Register)| {
        let kind = match (register.table, register.encoding) {
            (RegisterTable::Discrete, encoding) if encoding.cells() == 2 => TWO_BITS,
            (RegisterTable::Discrete, _) => ONE_BIT,
            (RegisterTable::Holding, Encoding::K2) => commands::RECORD,
            _ => return None,
        };
        Some((register.unit, kind, register.address, PointId::at(n)))
    };
    let entries = channel.entries.iter().enumerate();
    let mapped = entries.filter_map(|(n, entry)| Some((n, entry.register?)));
    let mut places: Vec<_> = mapped.filter_map(status).collect();
    places.sort_unstable();
    places
}

/// Reads a record; `None` when it does not carry its number, or is about nothing.
fn read_record(
    unit: u8,
    number: u32,
    cells: [u16; blocks::EVENT_CELLS as usize],
    places: &[Place],
) -> Option<Record> {
    let [low, kind, address, code, ..] = cells;
    let bits = kind & (ONE_BIT | TWO_BITS | commands::RECORD);
    if u32::from(low) != number & 0xFFFF || bits == 0 {
        return None;
    }
    let place = places.binary_search_by_key(&(unit, bits, address), |p| (p.0, p.1, p.2));
    Some(Record {
        origin: address,
        point: place.ok().map(|n| places[n].3),
        is_command: bits == commands::RECORD,
        code,
        source: Timestamp(cells[4..].iter().fold(0, |ms, word| ms << 16 | i64::from(*word))),
        flags: Flags(kind & 0xFF),
        synchronised: kind & CLOCK_DOUBTED == 0,
    })
}

/// The registers of a metering unit as they were last read.
struct Meters {
    groups: Vec<config::MeterGroup>,
    cells: Vec<u16>,
    /// When each was read.
    at: Vec<Option<Timestamp>>,
}

impl Meters {
    fn new(station: &Station) -> Self {
        let sold = usize::from(SoldFigures::REGISTERS);
        let ends = station.meters.iter().map(|group| usize::from(group.sold_address) + sold);
        let end = ends.max().unwrap_or(0);
        Self { groups: station.meters.clone(), cells: vec![0; end], at: vec![None; end] }
    }

    /// Takes registers from an address on, and says what they tell of the groups that they belong to.
    fn accept(&mut self, address: u16, read: &[u16], at: Timestamp) -> Vec<MetersTold> {
        let from = usize::from(address);
        for (n, cell) in read.iter().enumerate() {
            if let Some(kept) = self.cells.get_mut(from + n) {
                *kept = *cell;
                self.at[from + n] = Some(at);
            }
        }
        let came = from..from + read.len();
        let groups = self.groups.iter().enumerate();
        groups.flat_map(|(n, group)| self.told((n, group), &came)).collect()
    }

    /// What is told of a group by the figures of which a part has just come.
    fn told(
        &self,
        (n, group): (usize, &config::MeterGroup),
        came: &Range<usize>,
    ) -> Vec<MetersTold> {
        let read = |address: u16, count: usize| self.read(came, address, count);
        let tell = |(at, figure)| MetersTold { group: n, at, figure };
        let count = read(group.count_address, 2).map(|(cells, at)| {
            (at, MetersFigure::Reported(u32::from(cells[0]) << 16 | u32::from(cells[1])))
        });
        let bits = read(group.bits_address, group.bit_registers() as usize)
            .map(|(cells, at)| (at, MetersFigure::Proven(count_bits(cells, group.installed))));
        let reads = read(group.figures_address, usize::from(MeterFigures::REGISTERS))
            .map(|(cells, at)| (at, MetersFigure::Reads(MeterFigures::from_cells(cells))));
        let sold =
            read(group.sold_address, usize::from(SoldFigures::REGISTERS)).map(|(cells, at)| {
                (at, MetersFigure::Sold(SoldFigures::from_cells(cells, group.installed)))
            });
        [count, bits, reads, sold].into_iter().flatten().map(tell).collect()
    }

    /// Cells of a range of which a part has just come, and when the oldest of them was read; `None` until all were.
    fn read(&self, came: &Range<usize>, address: u16, count: usize) -> Option<(&[u16], Timestamp)> {
        let range = usize::from(address)..usize::from(address) + count;
        if came.start >= range.end || range.start >= came.end {
            return None;
        }
        let times = self.at.get(range.clone())?;
        if times.iter().any(Option::is_none) {
            return None;
        }
        Some((self.cells.get(range)?, times.iter().copied().flatten().min()?))
    }
}

/// Set bits among the first `meters`; what lies beyond the last meter is not one.
fn count_bits(cells: &[u16], meters: u32) -> u32 {
    let whole = (meters / 16) as usize;
    let rest = meters % 16;
    let full: u32 = cells.iter().take(whole).map(|cell| cell.count_ones()).sum();
    let last = cells.get(whole).map_or(0, |cell| (cell & ((1_u16 << rest) - 1)).count_ones());
    full + last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_last_meter_do_not_count() {
        assert_eq!(count_bits(&[0xFFFF, 0xFFFF], 20), 20);
        assert_eq!(count_bits(&[0xFFFF, 0xFFFF], 32), 32);
        assert_eq!(count_bits(&[0x0001, 0x8000], 32), 2);
        assert_eq!(count_bits(&[0x0001, 0x8000], 31), 1);
        assert_eq!(count_bits(&[], 0), 0);
    }
}
