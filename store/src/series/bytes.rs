//! Numbers to bytes and back. Reading never trusts a length: what is not there is `None`.

/// Bytes that are still to be read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A number of `count` bytes, at most 8, lowest first.
    pub(super) fn number(&mut self, count: usize) -> Option<u64> {
        let mut whole = [0; 8];
        whole.get_mut(..count)?.copy_from_slice(self.take(count)?);
        Some(u64::from_le_bytes(whole))
    }

    /// A number of which each byte holds seven bits, lowest first; all but the last have bit 7.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7F);
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return None;
            }
            number |= shifted;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A varint that is at most `most`.
    pub(super) fn count(&mut self, most: usize) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|count| *count <= most)
    }
}

/// Appends the lowest `count` bytes of a number, lowest first.
pub(super) fn put_number(out: &mut Vec<u8>, count: usize, number: u64) {
    out.extend_from_slice(&number.to_le_bytes()[..count.min(8)]);
}

/// Appends a number as [`Bytes::varint`] reads it.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [byte, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(byte & 0x7F);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// A signed number as an unsigned one that is small when the signed one is near zero.
pub(super) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// The reverse of [`zigzag`].
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(number: u64, signed: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            put_varint(&mut out, zigzag(signed));
            put_number(&mut out, 8, number);
            let mut bytes = Bytes(&out);
            prop_assert_eq!(bytes.varint(), Some(number));
            prop_assert_eq!(bytes.varint().map(unzigzag), Some(signed));
            prop_assert_eq!(bytes.number(8), Some(number));
            prop_assert_eq!(bytes.varint(), None);
        }
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_none() {
        assert_eq!(Bytes(&[0xFF; 11]).varint(), None);
        assert_eq!(
            Bytes(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2]).varint(),
            None
        );
    }
}
