//! What came of a question to a station.

use signal::bytes::Bytes;
use signal::clock::Timestamp;

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
    pub reply: Bytes,
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

    /// What stands behind the head of the reply; nothing when it has none.
    pub(super) fn payload(&self) -> &[u8] {
        self.reply.get(Self::REPLY_HEAD..).unwrap_or_default()
    }

    /// Appends up to `count` cells of the reply, bits as 0 and 1.
    pub fn read_cells(&self, count: usize, bits: bool, cells: &mut Vec<u16>) {
        let payload = self.payload();
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
        Self { at: Timestamp::default(), took_us: 0, request, reply: Bytes::default() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_from_the_bytes_of_the_reply() {
        let came = [0, 1, 0, 0, 0, 9, 1, 4, 6, 0x01, 0x78, 0xFF, 0xFE, 0, 0];
        let words = Bytes::from(&came[..]);
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
