//! Changes of state with their time.

use config::{Flags, PointId, StationId};

/// A status took another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When, by the station's clock: UTC milliseconds since 1970.
    pub at_ms: i64,
    /// Where.
    pub station: StationId,
    /// Which status.
    pub point: PointId,
    /// Its new code.
    pub value: u8,
    /// What the device says against it.
    pub flags: Flags,
}
