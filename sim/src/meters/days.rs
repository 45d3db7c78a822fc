//! Days as meters count them, and how chance is asked of them.

use config::Zone;

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const HALF_HOUR_MS: i64 = HOUR_MS / 2;

/// Half hours of a day, which interval meters keep: 46 or 50 where clocks are set.
pub(super) fn half_hours(zone: Zone, day: i64) -> u32 {
    u32::try_from(zone.half_hours(day)).unwrap_or(0).min(u64::BITS - 1)
}

/// Minutes of a day.
pub(super) fn minutes(zone: Zone, day: i64) -> u32 {
    u32::try_from(zone.day_ms(day) / 60_000).unwrap_or(0)
}

/// The half hours of a day from one that has an instant to one that has another, one bit each.
pub(super) fn half_hours_between(zone: Zone, day: i64, (first, last): (i64, i64)) -> u64 {
    let (begins, ends) = (zone.day_begins(day), zone.day_begins(day + 1));
    let place = |at: i64| (at.clamp(begins, ends.max(begins + 1) - 1) - begins) / HALF_HOUR_MS;
    (place(first)..=place(last)).filter(|n| *n < 64).fold(0, |bits, n| bits | 1 << n)
}

/// Packs what is asked of chance: what about, of which device, in which slot of time.
pub(super) fn key(kind: u8, device: u32, slot: i64) -> u64 {
    u64::from(kind) << 56 | u64::from(device) << 24 | (slot.cast_unsigned() & 0xFF_FFFF)
}
