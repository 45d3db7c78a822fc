//! Rows as they came, one behind the other: what a kill would take, since they are not sealed yet.
//!
//! Stores up to version 4 have the cells of replies in their place; which of both it is stands in front.

use std::ops::Range;

use config::ChannelId;
use signal::clock::Timestamp;

use super::bytes::{Bytes, put_number, put_varint, unzigzag, zigzag};

/// Longest row: as many values as one request brings, and room to spare.
const ROW_MAX: usize = 1 << 16;
/// Longest payload of a reply: 125 registers.
const PAYLOAD_MAX: usize = 255;
/// Stands in front of rows of values. Replies begin with their time, which has never been so late.
const MARK: u64 = u64::from_le_bytes(*b"gw rows2");

/// The values that came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// Station and centre.
    pub channel: ChannelId,
    /// The group: its place in the channel's layout.
    pub group: usize,
    /// When it came.
    pub at: Timestamp,
    /// The columns that came.
    pub columns: Range<u16>,
    /// The row of the group.
    pub row: &'a [u8],
}

/// What came of one question, as stores up to version 4 have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldReply<'a> {
    /// Station and centre.
    pub channel: ChannelId,
    /// The group: its place in the channel's layout.
    pub group: usize,
    /// When it came.
    pub at: Timestamp,
    /// First cell that was asked for, counted from the first of the group.
    pub offset: u16,
    /// Cells that were asked for.
    pub count: u16,
    /// They, as they stood in the reply.
    pub payload: &'a [u8],
}

/// One or the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry<'a> {
    /// Values.
    Row(Row<'a>),
    /// Cells.
    OldReply(OldReply<'a>),
}

/// What stands in front of rows; their times are told from `since` on.
pub(super) fn begin(out: &mut Vec<u8>, since: Timestamp) {
    put_number(out, 8, MARK);
    put_number(out, 8, since.0.cast_unsigned());
}

/// Appends a row; its time is told from `since` on.
pub(super) fn put(out: &mut Vec<u8>, since: Timestamp, row: &Row<'_>) {
    if row.row.len() > ROW_MAX {
        return;
    }
    put_varint(out, row.channel.index() as u64);
    put_varint(out, row.group as u64);
    put_varint(out, zigzag(row.at.since(since)));
    put_varint(out, row.columns.start.into());
    put_varint(out, row.columns.end.into());
    put_varint(out, row.row.len() as u64);
    out.extend_from_slice(row.row);
}

/// Reads rows again, until their end or the first that is none.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = JournalEntry<'_>> {
    let (mut bytes, front) = front(bytes);
    std::iter::from_fn(move || front.and_then(|front| entry(&mut bytes, front)))
}

/// Whether bytes are rows to their end.
pub fn are_rows(bytes: &[u8]) -> bool {
    let (mut bytes, front) = front(bytes);
    let Some(front) = front else { return false };
    while !bytes.0.is_empty() {
        if entry(&mut bytes, front).is_none() {
            return false;
        }
    }
    true
}

/// Whether values follow, and the time from which theirs are told.
type Front = (bool, Timestamp);

fn front(bytes: &[u8]) -> (Bytes<'_>, Option<Front>) {
    let mut bytes = Bytes(bytes);
    let mut front = || {
        let first = bytes.number(8)?;
        let since = if first == MARK { bytes.number(8)? } else { first };
        Some((first == MARK, Timestamp(since.cast_signed())))
    };
    let front = front();
    (bytes, front)
}

fn entry<'a>(bytes: &mut Bytes<'a>, (are_values, since): Front) -> Option<JournalEntry<'a>> {
    let small = usize::from(u16::MAX);
    let channel = ChannelId::at(bytes.count(small)?);
    let group = bytes.count(small)?;
    let at = Timestamp(since.0.checked_add(unzigzag(bytes.varint()?))?);
    let first = u16::try_from(bytes.count(small)?).ok()?;
    let second = u16::try_from(bytes.count(small)?).ok()?;
    let length = bytes.count(if are_values { ROW_MAX } else { PAYLOAD_MAX })?;
    let values = bytes.take(length)?;
    Some(if are_values {
        JournalEntry::Row(Row { channel, group, at, columns: first..second, row: values })
    } else {
        let (offset, count, payload) = (first, second, values);
        JournalEntry::OldReply(OldReply { channel, group, at, offset, count, payload })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_channel_that_cannot_be_ends_it() {
        let mut bytes = vec![0; 8];
        bytes.extend([0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0, 0]);
        assert_eq!(entries(&bytes).count(), 0);
    }

    #[test]
    fn replies_of_earlier_stores_are_read() {
        let mut bytes = 1_669_188_727_240_i64.to_le_bytes().to_vec();
        bytes.extend([3, 1, 4, 2, 2, 4, 0x12, 0x34, 0xFF, 0xFE, 3, 0]);
        let (channel, at) = (ChannelId::at(3), Timestamp(1_669_188_727_242));
        let payload = &[0x12, 0x34, 0xFF, 0xFE][..];
        let reply = OldReply { channel, group: 1, at, offset: 2, count: 2, payload };
        assert_eq!(entries(&bytes).collect::<Vec<_>>(), [JournalEntry::OldReply(reply)]);
        assert!(!are_rows(&bytes), "the second one breaks off");
        assert!(are_rows(&bytes[..bytes.len() - 2]));
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_were_put(
            since in -1_000_000_i64..2_000_000_000_000,
            given in proptest::collection::vec(
                (0..9_000_usize, 0..300_usize, -5_000..5_000_i64, any::<u16>(), any::<u16>(),
                 proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let row = |(channel, group, after, from, to, row)| {
                let at = Timestamp(since + after);
                Row { channel: ChannelId::at(channel), group, at, columns: from..to, row }
            };
            let given: Vec<Row<'_>> =
                given.iter().map(|(a, b, c, d, e, f)| row((*a, *b, *c, *d, *e, &f[..]))).collect();
            let mut bytes = Vec::new();
            begin(&mut bytes, Timestamp(since));
            for row in &given {
                put(&mut bytes, Timestamp(since), row);
            }
            let of = |bytes| entries(bytes).map(|entry| match entry {
                JournalEntry::Row(row) => row,
                JournalEntry::OldReply(_) => panic!("no reply was put"),
            }).collect::<Vec<_>>();
            prop_assert_eq!(of(&bytes), given.clone());
            prop_assert!(are_rows(&bytes));
            let rest = &bytes[..cut.index(bytes.len() + 1)];
            if rest.len() >= 16 {
                let some = of(rest);
                prop_assert_eq!(&some[..], &given[..some.len()]);
                // Cut within a row, they are not.
                let mut again = Vec::new();
                begin(&mut again, Timestamp(since));
                for row in &some {
                    put(&mut again, Timestamp(since), row);
                }
                prop_assert_eq!(are_rows(rest), again == rest);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(entries(&bytes).count() <= bytes.len());
        }
    }
}
