//! Changes of state with their time tags, as a station records them.

use config::{Flags, PointId, StationId};

/// A change of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its time tag, UTC milliseconds since 1970.
    pub at_ms: i64,
    /// Where.
    pub station: StationId,
    /// What.
    pub point: PointId,
    /// The code after the change.
    pub value: u8,
    /// What the device says against it.
    pub flags: Flags,
}
