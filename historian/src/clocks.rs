//! How far the clock of a unit is off ours, as far as can be told from reading.
//!
//! The header of the events has the low 16 bits of the unit's second. When it was asked for and
//! when it came bound our time of that moment, so each header bounds the offset to a second and the
//! time of the reply. Headers that come at different moments within a second bound it further. What
//! has been found is believed less as it ages, since clocks drift, and forgotten when a header
//! contradicts it: then the clock was set.

use signal::clock::Timestamp;

/// Time after which the counter of seconds begins again.
const WRAP_MS: i64 = 65_536_000;
/// A clock drifts by one in so many at most: 200 ppm, ten times what a quartz does.
const DRIFT_ONE_IN: i64 = 5_000;

/// How far a clock is off ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Milliseconds that it is ahead; negative when it is behind. Known up to multiples of 65 536 s,
    /// of which this is the nearest to none.
    pub ms: i64,
    /// Milliseconds by which that may be wrong, either way.
    pub within_ms: i64,
}

impl ClockOffset {
    /// Whether the clock cannot be right: not even a second would explain it.
    pub fn is_off(self) -> bool {
        self.ms.abs() > self.within_ms.saturating_add(1_000)
    }
}

/// What is known of a clock: its offset lies between the two, as of that moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClockWindow(Option<(i64, i64, Timestamp)>);

impl ClockWindow {
    /// Takes the counter of a header that was asked for and came at these moments.
    pub(super) fn read(&mut self, alive: u16, asked: Timestamp, heard: Timestamp) {
        let second = i64::from(alive) * 1_000;
        let took = heard.since(asked).max(0);
        let near = |ms: i64| (ms + WRAP_MS / 2).rem_euclid(WRAP_MS) - WRAP_MS / 2;
        let ahead = near(second - asked.0.rem_euclid(WRAP_MS));
        let fresh = (ahead - took, ahead + 1_000);
        let kept = self.0.and_then(|(low, high, at)| {
            let drift = heard.since(at).abs() / DRIFT_ONE_IN;
            let at = if drift > 0 { heard } else { at };
            // Seen from the other end of the counter it may be the same.
            let turns = near(fresh.0 - low) - (fresh.0 - low);
            let (from, to) = (fresh.0 + turns, fresh.1 + turns);
            let (low, high) = ((low - drift).max(from), (high + drift).min(to));
            (low <= high).then_some((low, high, at))
        });
        self.0 = Some(kept.unwrap_or((fresh.0, fresh.1, heard)));
    }

    /// The unit has begun anew: what was known of its clock need not hold.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    pub(super) fn offset(&self) -> Option<ClockOffset> {
        let (low, high, _) = self.0?;
        let ms = low.midpoint(high);
        Some(ClockOffset { ms, within_ms: (high - ms).max(ms - low) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_669_188_727_000;

    /// Reads a clock that is ahead by so much, at a moment; the reply takes 10 ms.
    fn read(window: &mut ClockWindow, at: i64, ahead: i64) {
        let second = (at + 4 + ahead).div_euclid(1_000);
        let alive = u16::try_from(second.rem_euclid(0x1_0000)).unwrap();
        window.read(alive, Timestamp(at), Timestamp(at + 10));
    }

    #[test]
    fn one_header_bounds_a_clock_to_a_second_and_others_narrow_it() {
        for ahead in [0, 340, -2_700, 3_600_000, -30_000_000] {
            let mut window = ClockWindow::default();
            read(&mut window, START, ahead);
            let first = window.offset().unwrap();
            assert!(first.within_ms <= 506, "{first:?}");
            assert!((first.ms - ahead).abs() <= first.within_ms, "{first:?} for {ahead}");
            for n in 1..40 {
                read(&mut window, START + 2_077 * n, ahead);
            }
            let last = window.offset().unwrap();
            assert!(last.within_ms < 100, "{last:?}");
            assert!((last.ms - ahead).abs() <= last.within_ms, "{last:?} for {ahead}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_measured_anew_and_one_that_drifts_is_followed() {
        let mut window = ClockWindow::default();
        for n in 0..20 {
            read(&mut window, START + 2_077 * n, 0);
        }
        read(&mut window, START + 60_000, 90_000);
        let set = window.offset().unwrap();
        assert!((set.ms - 90_000).abs() <= set.within_ms, "{set:?}");
        assert!(set.is_off());
        for n in 0..10_000 {
            // 50 ppm.
            let ahead = n * 2_077 / 20_000;
            read(&mut window, START + 70_000 + 2_077 * n, ahead);
            let offset = window.offset().unwrap();
            assert!((offset.ms - ahead).abs() <= offset.within_ms + 1, "{n}: {offset:?}");
        }
    }

    #[test]
    fn the_counter_begins_again_after_65_536_seconds() {
        let mut window = ClockWindow::default();
        let wrap = START.div_euclid(WRAP_MS) * WRAP_MS + WRAP_MS;
        for n in -20..20 {
            read(&mut window, wrap + 2_077 * n, 340);
        }
        let offset = window.offset().unwrap();
        assert!(
            (offset.ms - 340).abs() <= offset.within_ms && offset.within_ms < 100,
            "{offset:?}"
        );
    }
}
