//! Bytes that came, or that were made, together: kept in one piece of memory, which lasts as long as any part of it.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of a piece of memory that is shared with others. A clone shares it, too.
#[derive(Clone, Default)]
pub struct Bytes {
    together: Arc<[u8]>,
    start: u32,
    end: u32,
}

impl Bytes {
    /// A part of it.
    ///
    /// # Panics
    /// When it does not have those bytes.
    #[must_use]
    pub fn part(&self, bytes: Range<usize>) -> Self {
        assert!(bytes.start <= bytes.end && bytes.end <= self.len());
        let place = |n: usize| self.start + u32::try_from(n).unwrap_or(u32::MAX);
        let (start, end) = (place(bytes.start), place(bytes.end));
        Self { together: Arc::clone(&self.together), start, end }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.together[self.start as usize..self.end as usize]
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { together: bytes.into(), start: 0, end }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
