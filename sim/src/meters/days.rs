//! Days as meters count them, and how chance is asked of them.

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
pub(super) const DAY_MINUTES: u32 = 1_440;
/// Half hours of a day: what interval meters keep.
pub(super) const HALF_HOURS: i64 = 48;

/// Packs what is asked of chance: what about, of which device, in which slot of time.
pub(super) fn key(kind: u8, device: u32, slot: i64) -> u64 {
    u64::from(kind) << 56 | u64::from(device) << 24 | (slot.cast_unsigned() & 0xFF_FFFF)
}
