//! What came of a question to a station.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use config::ChannelId;

use crate::clock::Timestamp;

/// One thing that the collector has learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The channel it is about.
    pub channel: ChannelId,
    /// When it was learned.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What happened on a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The station answered for the first time on this connection.
    Connected,
    /// There is no path to the station.
    Lost(LinkFault),
    /// The connection broke off for this reason, or was worn, and another one stands in its place.
    Renewed(Option<LinkFault>),
    /// Requests that came to an end, in the order in which they did.
    Polls(Vec<Poll>),
    /// A unit answered nothing of what it was asked in this scan, or a gateway said in its place that
    /// it does not: it is left alone for a while, and this holds for all of it.
    Silent(u8, Fault),
    /// Slots could not be kept.
    Overrun(Overrun),
    /// Replies came that belong to no request that waits: so many since the last such event.
    Strays(Strays),
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// The block of the channel's plan that was asked for.
    pub block: usize,
    /// First cell that was asked for, counted from the first of the block: a block that a device
    /// refuses is asked for in parts.
    pub offset: u16,
    /// Cells that were asked for.
    pub count: u16,
    /// Why it brought no values; `None` when it did.
    pub fault: Option<Fault>,
    /// It was refused, and is asked for in parts instead: it says nothing of single cells.
    pub in_parts: bool,
    /// What went over the wire. Without a fault, the reply holds as many cells as were asked for.
    pub exchange: Exchange,
}

impl Poll {
    /// First cell behind what was asked for, counted from the first of the block.
    pub fn end(&self) -> u32 {
        u32::from(self.offset) + u32::from(self.count)
    }

    /// Puts the cells of the reply into `cells`, bits as 0 and 1: none when there was a fault, and
    /// fewer than asked for when the reply is short.
    pub fn read_cells(&self, bits: bool, cells: &mut Vec<u16>) {
        cells.clear();
        if self.fault.is_none() {
            self.exchange.read_cells(usize::from(self.count), bits, cells);
        }
    }
}

/// The bytes of one request and its reply: evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was sent.
    pub at: Timestamp,
    /// Microseconds from request to the end of the reply, or to giving up.
    pub took_us: u32,
    /// The request as sent.
    pub request: [u8; Self::REQUEST_BYTES],
    /// The reply as received; empty when none came.
    pub reply: Reply,
}

/// The bytes of a reply. Those that came together are kept together, so that a reply costs no memory
/// of its own: as long as one of them is kept, all of them are, some kilobytes at most.
#[derive(Clone, Default)]
pub struct Reply {
    together: Arc<[u8]>,
    start: u32,
    end: u32,
}

impl Reply {
    /// One of the replies of which this one is made up.
    ///
    /// # Panics
    /// When it does not have these bytes.
    #[must_use]
    pub fn part(&self, bytes: Range<usize>) -> Self {
        assert!(bytes.start <= bytes.end && bytes.end <= self.len());
        let place = |n: usize| self.start + u32::try_from(n).unwrap_or(u32::MAX);
        let (start, end) = (place(bytes.start), place(bytes.end));
        Self { together: Arc::clone(&self.together), start, end }
    }
}

impl Deref for Reply {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.together[self.start as usize..self.end as usize]
    }
}

impl From<&[u8]> for Reply {
    fn from(bytes: &[u8]) -> Self {
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { together: bytes.into(), start: 0, end }
    }
}

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl PartialEq for Reply {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Reply {}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Exchange {
    /// Bytes of a read request: transaction, protocol, length, unit, function, address, count.
    pub const REQUEST_BYTES: usize = 12;
    /// Bytes of a reply in front of its cells: transaction, protocol, length, unit, function,
    /// length of the payload.
    pub const REPLY_HEAD: usize = 9;

    /// When the reply was there, to the millisecond, rounded up.
    pub fn heard(&self) -> Timestamp {
        self.at.plus(i64::from(self.took_us.div_ceil(1_000)))
    }

    /// Appends up to `count` cells of the reply, bits as 0 and 1.
    pub fn read_cells(&self, count: usize, bits: bool, cells: &mut Vec<u16>) {
        let payload = self.reply.get(Self::REPLY_HEAD..).unwrap_or_default();
        if bits {
            let bit = |n: usize| u16::from(payload[n / 8] >> (n % 8) & 1);
            cells.extend((0..count.min(8 * payload.len())).map(bit));
        } else {
            let (words, _) = payload.as_chunks();
            let words = &words[..count.min(words.len())];
            cells.extend(words.iter().map(|word| u16::from_be_bytes(*word)));
        }
    }
}

impl Default for Exchange {
    fn default() -> Self {
        let request = [0; Self::REQUEST_BYTES];
        Self { at: Timestamp::default(), took_us: 0, request, reply: Reply::default() }
    }
}

/// Why a request brought no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No complete reply within the deadline.
    NoReply,
    /// The device answered with this exception code.
    Refused(u8),
    /// A reply came that is not one to this request: wrong unit, function or length.
    Undecodable,
}

/// Why there is no path to a station.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LinkFault {
    /// Nobody listens there.
    Refused,
    /// No connection within the deadline.
    ConnectTimeout,
    /// The connection was closed or reset.
    Closed,
    /// Connected, but no unit answers any more.
    Silent,
    /// What comes over the connection is not Modbus.
    Garbage,
    /// Anything else, in the system's words.
    Other(String),
}

/// A scan that was still under way when its next slot came. What was missed is not made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrun {
    /// Slots of all scan classes that could not be kept.
    pub missed: u32,
    /// Requests that the scan's deadline left no time for; they come first in the next scan.
    pub unasked: u32,
    /// How long it took, milliseconds.
    pub took_ms: u32,
    /// Period of the fastest class that missed a slot, milliseconds.
    pub period_ms: u32,
    /// What took the time.
    pub cause: Cause,
}

/// What made a scan too long: the largest part of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Waiting for a unit that did not answer.
    SilentUnit(u8),
    /// The station took its time to answer.
    SlowReplies,
    /// The pauses that its settings ask for.
    Pauses,
    /// This machine was late: the task of the channel did not run when it should.
    Machine,
    /// The historian did not take readings as fast as they came.
    Historian,
}

/// Replies that belong to no request that waits for one. They are counted and never used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strays {
    /// To a request that had been given up: they came too late.
    pub late: u32,
    /// To no request that was ever sent, or a second one to the same.
    pub unknown: u32,
}

impl Strays {
    /// Both together.
    pub fn sum(self) -> u32 {
        self.late + self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_from_the_bytes_of_the_reply() {
        let came = [0, 1, 0, 0, 0, 9, 1, 4, 6, 0x01, 0x78, 0xFF, 0xFE, 0, 0];
        let words = Reply::from(&came[..]);
        let mut poll = Poll {
            block: 0,
            offset: 0,
            count: 2,
            fault: None,
            in_parts: false,
            exchange: Exchange { reply: words, ..Exchange::default() },
        };
        let mut cells = vec![7];
        poll.read_cells(false, &mut cells);
        assert_eq!(cells, [0x0178, 0xFFFE]);
        poll.count = 4;
        poll.read_cells(false, &mut cells);
        assert_eq!(cells.len(), 3, "the reply ends before");
        poll.exchange.reply = vec![0, 1, 0, 0, 0, 5, 1, 2, 2, 0b0000_0101, 0b1000_0000].into();
        poll.count = 16;
        poll.read_cells(true, &mut cells);
        assert_eq!(cells, [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        poll.fault = Some(Fault::Undecodable);
        poll.read_cells(true, &mut cells);
        assert!(cells.is_empty());
    }
}
