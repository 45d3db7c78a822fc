//! Rows as they came, one behind the other: what a kill would take, since they are not sealed yet.

use config::ChannelId;

use super::bytes::{Bytes, put_varint, unzigzag, zigzag};
use crate::clock::Timestamp;

/// Longest payload of a reply: 125 registers.
const PAYLOAD_MAX: usize = 255;

/// What came of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Station and centre.
    pub channel: ChannelId,
    /// The block: its place in the channel's plan.
    pub block: usize,
    /// When it came.
    pub at: Timestamp,
    /// First cell that was asked for, counted from the first of the block.
    pub offset: u16,
    /// Cells that were asked for.
    pub count: u16,
    /// They, as they stood in the reply.
    pub payload: &'a [u8],
}

/// Appends a row; its time is told from `since` on.
pub(super) fn put(out: &mut Vec<u8>, since: Timestamp, row: &Row<'_>) {
    let payload = &row.payload[..row.payload.len().min(PAYLOAD_MAX)];
    put_varint(out, row.channel.index() as u64);
    put_varint(out, row.block as u64);
    put_varint(out, zigzag(row.at.since(since)));
    put_varint(out, row.offset.into());
    put_varint(out, row.count.into());
    put_varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Reads rows again, until their end or the first that is none.
pub fn rows(bytes: &[u8]) -> impl Iterator<Item = Row<'_>> {
    let mut bytes = Bytes(bytes);
    let since = bytes.number(8).map(|since| Timestamp(since.cast_signed()));
    std::iter::from_fn(move || row(&mut bytes, since?))
}

/// Whether bytes are rows to their end.
pub fn are_rows(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    let Some(since) = bytes.number(8) else { return false };
    while !bytes.0.is_empty() {
        if row(&mut bytes, Timestamp(since.cast_signed())).is_none() {
            return false;
        }
    }
    true
}

fn row<'a>(bytes: &mut Bytes<'a>, since: Timestamp) -> Option<Row<'a>> {
    let small = usize::from(u16::MAX);
    let channel = ChannelId::at(bytes.count(small)?);
    let block = bytes.count(small)?;
    let at = Timestamp(since.0.checked_add(unzigzag(bytes.varint()?))?);
    let offset = u16::try_from(bytes.count(small)?).ok()?;
    let count = u16::try_from(bytes.count(small)?).ok()?;
    let length = bytes.count(PAYLOAD_MAX)?;
    Some(Row { channel, block, at, offset, count, payload: bytes.take(length)? })
}

#[cfg(test)]
mod tests {
    use super::super::bytes::put_number;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_channel_that_cannot_be_ends_it() {
        let mut bytes = vec![0; 8];
        bytes.extend([0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0, 0]);
        assert_eq!(rows(&bytes).count(), 0);
    }

    proptest! {
        #[test]
        fn rows_are_read_as_they_were_put(
            since in -1_000_000_i64..2_000_000_000_000,
            given in proptest::collection::vec(
                (0..9_000_usize, 0..300_usize, -5_000..5_000_i64, any::<u16>(), any::<u16>(),
                 proptest::collection::vec(any::<u8>(), 0..=PAYLOAD_MAX)), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let row = |(channel, block, after, offset, count, payload)| {
                let at = Timestamp(since + after);
                Row { channel: ChannelId::at(channel), block, at, offset, count, payload }
            };
            let given: Vec<Row<'_>> =
                given.iter().map(|(a, b, c, d, e, f)| row((*a, *b, *c, *d, *e, &f[..]))).collect();
            let mut bytes = Vec::new();
            put_number(&mut bytes, 8, since.cast_unsigned());
            for row in &given {
                put(&mut bytes, Timestamp(since), row);
            }
            prop_assert_eq!(rows(&bytes).collect::<Vec<_>>(), given.clone());
            prop_assert!(are_rows(&bytes));
            let some: Vec<_> = rows(&bytes[..cut.index(bytes.len() + 1)]).collect();
            prop_assert_eq!(&some[..], &given[..some.len()]);
            // Cut within a row, they are not.
            let rest = &bytes[..cut.index(bytes.len() + 1)];
            let mut again = Vec::new();
            put_number(&mut again, 8, since.cast_unsigned());
            for row in &some {
                put(&mut again, Timestamp(since), row);
            }
            prop_assert_eq!(are_rows(rest), again == rest);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(rows(&bytes).count() <= bytes.len());
        }
    }
}
