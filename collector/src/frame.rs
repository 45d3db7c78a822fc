//! Frames of Modbus TCP as a master has them: requests to read, and what their replies say.
//!
//! Pure, and of the whole protocol only what reading takes. Nothing here trusts a length, a number
//! or an address that a station sends.

use config::RegisterTable;

use super::poll::{Exchange, Fault};

/// Bytes of the header up to the unit: transaction, protocol, length.
const HEADER: usize = 6;
/// Longest frame: header and unit, and 253 bytes (application protocol V1.1b3, section 4.1).
const FRAME_MAX: usize = 260;
/// Shortest frame: header, unit, function, and a code.
const FRAME_MIN: usize = 9;
/// Bit of the function of a reply that is an exception.
const EXCEPTION: u8 = 0x80;

/// A request to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRequest {
    /// Number by which its reply is known.
    pub transaction: u16,
    /// Unit id.
    pub unit: u8,
    /// Table.
    pub table: RegisterTable,
    /// First cell, zero-based.
    pub address: u16,
    /// Cells.
    pub count: u16,
}

impl ReadRequest {
    /// As it goes over the wire.
    pub fn bytes(&self) -> [u8; Exchange::REQUEST_BYTES] {
        let mut bytes = [0; Exchange::REQUEST_BYTES];
        bytes[..2].copy_from_slice(&self.transaction.to_be_bytes());
        bytes[HEADER - 1] = 6;
        bytes[6..8].copy_from_slice(&[self.unit, self.table.read_function()]);
        bytes[8..10].copy_from_slice(&self.address.to_be_bytes());
        bytes[10..].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// Bytes of the cells in its reply.
    fn payload(self) -> usize {
        let count = usize::from(self.count);
        if self.table.is_bits() { count.div_ceil(8) } else { 2 * count }
    }

    /// What a frame with its transaction number says to it.
    ///
    /// # Errors
    /// The exception that the device answered with, or that the frame is no reply to this request:
    /// another unit, another function, or another length.
    pub fn answered_by(&self, frame: &[u8]) -> Result<(), Fault> {
        let function = self.table.read_function();
        match *frame {
            [.., unit, said, code]
                if frame.len() == FRAME_MIN
                    && unit == self.unit
                    && said == function | EXCEPTION =>
            {
                Err(Fault::Refused(code))
            }
            [_, _, _, _, _, _, unit, said, bytes, ..]
                if unit == self.unit
                    && said == function
                    && usize::from(bytes) == self.payload()
                    && frame.len() == Exchange::REPLY_HEAD + self.payload() =>
            {
                Ok(())
            }
            _ => Err(Fault::Undecodable),
        }
    }
}

/// What stands at the front of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// Not a whole frame yet.
    Incomplete,
    /// A frame of so many bytes with this transaction number.
    Frame(usize, u16),
    /// Nothing that a Modbus server sends: what follows cannot be told apart either.
    Garbage,
}

/// Looks at the front of a stream of replies.
pub fn front(stream: &[u8]) -> Front {
    if stream.get(2..4).is_some_and(|protocol| protocol != [0, 0]) {
        return Front::Garbage;
    }
    let Some(&[high, low, _, _, length_high, length_low]) = stream.first_chunk::<HEADER>() else {
        return Front::Incomplete;
    };
    let end = HEADER + usize::from(u16::from_be_bytes([length_high, length_low]));
    if !(FRAME_MIN..=FRAME_MAX).contains(&end) {
        return Front::Garbage;
    }
    if stream.len() < end {
        return Front::Incomplete;
    }
    Front::Frame(end, u16::from_be_bytes([high, low]))
}

/// Numbers of requests: 65 280 of them follow each other before one comes again.
///
/// Their high byte is never 0 and the same for 256 requests in a row, so that a stray head among
/// cells is found by looking for one byte; their low byte jumps, so that a number which is off by
/// one, or has a bit wrong, is hardly that of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers(u16);

impl Numbers {
    /// So many there are.
    pub const ALL: u16 = 255 * 256;

    /// The next number.
    pub fn draw(&mut self) -> u16 {
        let n = self.0;
        self.0 = if n == Self::ALL - 1 { 0 } else { n + 1 };
        let [high, low] = n.to_be_bytes();
        u16::from_be_bytes([high + 1, low.wrapping_mul(37)])
    }
}

/// Whether the cells of a reply hold the head of another reply, to a request whose number has one of
/// these high bytes.
///
/// A reply that breaks off is filled up by the one behind it: its length is then right, and its
/// cells are not. The head of the reply that it swallowed gives it away. It may be one that waits,
/// one that was given up, or the second copy of one that came.
///
/// A whole reply at the end of the cells gives itself away whatever its number and function are.
pub fn swallows(frame: &[u8], high: u8, or: u8) -> bool {
    let payload = frame.get(Exchange::REPLY_HEAD..).unwrap_or_default();
    // Hardly any reply gets further than this.
    has_zero_word(payload)
        && may_hold_head(payload)
        && (memchr::memchr2_iter(high, or, payload).any(|at| match payload[at..] {
            [_, _, 0, 0, 0, 3, _, said, ..] if said & EXCEPTION != 0 => is_read(said & !EXCEPTION),
            [_, _, 0, 0, 0, length, _, said, bytes, ..] => {
                is_read(said) && length.checked_sub(3) == Some(bytes)
            }
            _ => false,
        }) || ends_in_frame(payload))
}

/// Whether two bytes at an even place are 0: of three zeros in a row two are. Of many measurements
/// none is, and this is the cheapest look.
fn has_zero_word(payload: &[u8]) -> bool {
    // Words that are looked at together, without a branch between them and those before.
    const TOGETHER: usize = 16;
    let (words, _) = payload.as_chunks::<2>();
    let (many, _) = words.as_chunks::<TOGETHER>();
    let mut any = [0; TOGETHER];
    // The last ones stand at the end, among some that were looked at already.
    for words in many.iter().chain(words.last_chunk()) {
        for (any, word) in any.iter_mut().zip(words) {
            *any |= u16::from(u16::from_ne_bytes(*word) == 0);
        }
    }
    // So few that there is no such chunk are left to the look behind this one.
    words.len() < TOGETHER || any.iter().fold(0, |all, one| all | one) != 0
}

/// Whether the protocol and the length of any reply could stand somewhere in these bytes: three bytes
/// that are 0, and a length that is one of an exception, or fits the number of bytes behind it.
fn may_hold_head(payload: &[u8]) -> bool {
    // Places at which it is looked at once, without a branch in between: that makes this look cheap.
    const TOGETHER: usize = 32;
    // Bytes of a head from its protocol to the number of bytes, the last place.
    const LAST: usize = 6;
    let looks_so = |bytes: &[u8; TOGETHER + LAST]| {
        let looks_so: [u8; TOGETHER] = std::array::from_fn(|n| {
            let more = bytes[n + 3].wrapping_sub(3);
            let zeros = bytes[n] | bytes[n + 1] | bytes[n + 2];
            u8::from(zeros == 0) & (u8::from(more == 0) | u8::from(more == bytes[n + LAST]))
        });
        looks_so.iter().fold(0, |any, one| any | one) != 0
    };
    // An exception at the very end has no byte there any more.
    if matches!(*payload, [.., 0, 0, 0, 3, _, _]) {
        return true;
    }
    let mut rest = payload;
    while let Some(bytes) = rest.first_chunk() {
        if looks_so(bytes) {
            return true;
        }
        rest = &rest[TOGETHER..];
    }
    // What is left, with what stands in front of it where there is some, so that it is long enough.
    if let Some(bytes) = payload.last_chunk() {
        return looks_so(bytes);
    }
    let mut bytes = [u8::MAX; TOGETHER + LAST];
    bytes[..payload.len()].copy_from_slice(payload);
    looks_so(&bytes)
}

/// Whether bytes end in a whole reply.
fn ends_in_frame(payload: &[u8]) -> bool {
    (5..payload.len()).any(|at| match payload[at - 3..] {
        [0, 0, 0, 3, _, said, _] => said & EXCEPTION != 0,
        [0, 0, 0, length, _, said, bytes, ..] => {
            usize::from(length) == payload.len() - at - 1
                && said & EXCEPTION == 0
                && length.checked_sub(3) == Some(bytes)
        }
        _ => false,
    })
}

/// Whether the cells of a reply end in the beginning of the head of another reply, to the request with
/// this number.
///
/// The last reply that came may have broken off and been filled up by no more than that, when the
/// rest of the other one is still on its way.
pub fn ends_in_head(frame: &[u8], number: u16) -> bool {
    let payload = frame.get(Exchange::REPLY_HEAD..).unwrap_or_default();
    let [high, low] = number.to_be_bytes();
    let head = [high, low, 0, 0, 0];
    (1..=HEAD_BYTES.min(payload.len())).any(|bytes| {
        let tail = &payload[payload.len() - bytes..];
        let is_head = tail.iter().zip(head).all(|(byte, of_head)| *byte == of_head);
        is_head && tail.get(7).is_none_or(|said| is_read(said & !EXCEPTION))
    })
}

/// Whether the end of a reply is worth a look with [`ends_in_head`]: the high byte that the numbers of
/// its time have stands among its last cells.
pub fn may_end_in_head(frame: &[u8], number: u16) -> bool {
    let payload = frame.get(Exchange::REPLY_HEAD..).unwrap_or_default();
    let [high, _] = number.to_be_bytes();
    let tail = &payload[payload.len().saturating_sub(HEAD_BYTES)..];
    let after = high.checked_add(1).unwrap_or(1);
    tail.iter().any(|byte| [before(high), high, after].contains(byte))
}

/// The high byte that numbers have before they have this one.
pub fn before(high: u8) -> u8 {
    if high <= 1 { u8::MAX } else { high - 1 }
}

/// Bytes from the number of a reply to its function.
const HEAD_BYTES: usize = 8;

/// Whether a function is one of those that read.
fn is_read(function: u8) -> bool {
    (1..=4).contains(&function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const READ: ReadRequest = ReadRequest {
        transaction: 0x0107,
        unit: 3,
        table: RegisterTable::Input,
        address: 100,
        count: 2,
    };

    #[test]
    fn requests_are_as_the_specification_has_them() {
        assert_eq!(READ.bytes(), [1, 7, 0, 0, 0, 6, 3, 4, 0, 100, 0, 2]);
        let bits = ReadRequest { table: RegisterTable::Discrete, count: 2_000, ..READ };
        assert_eq!(bits.bytes()[7..], [2, 0, 100, 0x07, 0xD0]);
    }

    #[test]
    fn a_reply_is_one_only_with_its_unit_function_and_length() {
        let good = [1, 7, 0, 0, 0, 7, 3, 4, 4, 0xAB, 0xCD, 0, 1];
        assert_eq!(front(&good), Front::Frame(13, 0x0107));
        assert_eq!(READ.answered_by(&good), Ok(()));
        let other = |at: usize, byte: u8| {
            let mut frame = good;
            frame[at] = byte;
            READ.answered_by(&frame)
        };
        assert_eq!(other(6, 4), Err(Fault::Undecodable), "another unit");
        assert_eq!(other(7, 3), Err(Fault::Undecodable), "another function");
        assert_eq!(other(8, 6), Err(Fault::Undecodable), "another length");
        assert_eq!(READ.answered_by(&good[..11]), Err(Fault::Undecodable), "short");
        assert_eq!(READ.answered_by(&[&good[..], &[0]].concat()), Err(Fault::Undecodable));
        let refused = [1, 7, 0, 0, 0, 3, 3, 0x84, 2];
        assert_eq!(READ.answered_by(&refused), Err(Fault::Refused(2)));
        let elsewhere = [1, 7, 0, 0, 0, 3, 4, 0x84, 2];
        assert_eq!(READ.answered_by(&elsewhere), Err(Fault::Undecodable));
        // Two bits in one byte are as long as an exception, and none.
        let bits = ReadRequest { table: RegisterTable::Discrete, ..READ };
        assert_eq!(bits.answered_by(&[1, 7, 0, 0, 0, 4, 3, 2, 1, 3]), Ok(()));
    }

    #[test]
    fn the_front_of_a_stream_is_a_frame_or_no_frame_at_all() {
        let good = [1, 7, 0, 0, 0, 7, 3, 4, 4, 0xAB, 0xCD, 0, 1];
        for short in 0..good.len() {
            assert_eq!(front(&good[..short]), Front::Incomplete);
        }
        assert_eq!(front(&[1, 7, 0, 1]), Front::Garbage);
        assert_eq!(front(b"HTTP/1.1 400 Bad Request"), Front::Garbage);
        for length in [0_u16, 1, 2, 255, u16::MAX] {
            let [high, low] = length.to_be_bytes();
            assert_eq!(front(&[1, 7, 0, 0, high, low, 1]), Front::Garbage);
        }
    }

    #[test]
    fn a_number_comes_again_only_after_all_others() {
        let mut numbers = Numbers::default();
        let first: Vec<u16> = (0..65_280).map(|_| numbers.draw()).collect();
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len());
        assert!(first.iter().all(|number| *number >= 256));
        assert_eq!(numbers.draw(), first[0]);
        for near in first.windows(32) {
            let off = near[1..].iter().find(|other| near[0].abs_diff(**other) == 1);
            assert_eq!(off, None, "a number that is off by one is not that of a neighbour");
        }
    }

    #[test]
    fn a_reply_that_has_swallowed_another_one_is_found_out() {
        let head = [1, 7, 0, 0, 0, 27, 3, 4, 24, 0, 0, 1, 0, 0, 0];
        let other = [&head[..], &[1, 44, 0, 0, 0, 5, 3, 4, 2, 9, 9], &[1, 44, 7, 0, 0, 0, 0]];
        assert!(swallows(&other.concat(), 1, 1));
        assert!(!swallows(&other.concat(), 2, 2));
        let refused = [&head[..], &[1, 44, 0, 0, 0, 3, 9, 0x83, 2], &[0; 9]];
        assert!(swallows(&refused.concat(), 1, 1));
        let wrong_function = [&head[..], &[0; 5], &[7, 44, 0, 0, 0, 7, 6, 6, 4, 36, 128, 96, 238]];
        assert!(swallows(&wrong_function.concat(), 1, 1), "a whole one at the end");
        let wrong_number = [&head[..], &[9; 9], &[7, 44, 0, 0, 0, 3, 9, 0x83, 2]];
        assert!(swallows(&wrong_number.concat(), 1, 1));
        assert!(!swallows(&[&wrong_number.concat()[..], &[0]].concat(), 1, 1), "not at the end");
        let cells = [&head[..], &[1, 44, 0, 0, 0, 5, 3, 4, 3, 9, 9], &[1, 44, 7, 0, 0, 0, 0]];
        assert!(!swallows(&cells.concat(), 1, 1), "no reply of this length has so many bytes");
    }

    #[test]
    fn a_reply_may_end_in_the_beginning_of_another_one() {
        let head = [1, 7, 0, 0, 0, 13, 3, 4, 10];
        let other = [0x01, 0xED, 0, 0, 0, 35, 3, 4];
        for bytes in 1..=8 {
            let cells = [&[9; 10][bytes..], &other[..bytes]].concat();
            assert!(ends_in_head(&[&head[..], &cells].concat(), 0x01ED), "{bytes} bytes of it");
        }
        assert!(!ends_in_head(&[&head[..], &[9; 10]].concat(), 0x01ED));
        let no_read = [&[9; 2][..], &other[..7], &[16]].concat();
        assert!(!ends_in_head(&[&head[..], &no_read].concat(), 0x01ED));
    }

    #[test]
    fn a_value_in_front_of_good_qualities_is_no_head_of_another_reply() {
        let head = [0x01, 0xF9, 0, 0, 0, 0x0B, 3, 4, 8];
        let (values, qualities) = ([0x01, 0x64, 0x01, 0x8D], [0; 4]);
        assert!(!swallows(&[&head[..], &values, &qualities].concat(), 1, 1));
    }

    /// Bytes among which those of heads are many.
    fn cells() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![3 => Just(0), 2 => 0..8_u8, 1 => Just(0x84), 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..120)
    }

    proptest! {
        #[test]
        fn what_the_quick_look_passes_over_has_no_head(cells in cells()) {
            let is_head = |at: usize| match cells[at..] {
                [_, _, 0, 0, 0, 3, _, said, ..] if said & EXCEPTION != 0 => true,
                [_, _, 0, 0, 0, length, _, _, bytes, ..] => length.checked_sub(3) == Some(bytes),
                _ => false,
            };
            let any = (0..cells.len()).any(is_head) || ends_in_frame(&cells);
            prop_assert!((has_zero_word(&cells) && may_hold_head(&cells)) || !any);
        }

        #[test]
        fn any_bytes_are_looked_at_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), count: u16) {
            let request = ReadRequest { count, ..READ };
            if let Front::Frame(end, _) = front(&bytes) {
                prop_assert!((FRAME_MIN..=FRAME_MAX).contains(&end) && end <= bytes.len());
                let _ = request.answered_by(&bytes[..end]);
            }
            let _ = request.answered_by(&bytes);
            let _ = swallows(&bytes, 1, 1);
        }
    }
}
