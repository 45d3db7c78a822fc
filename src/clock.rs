//! Time: the one file that reads a clock, and the one that writes times for people.

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use config::Date;
use serde::{Serialize, Serializer};

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// An instant in milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `ms` later.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The beginning of a day in a zone that is `hours` ahead of UTC; `None` when the calendar has no
    /// such day.
    pub fn midnight(day: Date, hours: i8) -> Option<Self> {
        let month = time::Month::try_from(day.month).ok()?;
        let date = time::Date::from_calendar_date(day.year.into(), month, day.day).ok()?;
        let utc = date.midnight().assume_utc().unix_timestamp();
        Some(Self((utc - i64::from(hours) * 3_600) * 1_000))
    }

    /// ISO 8601 in UTC, to the millisecond: `2022-11-23T07:32:07.240Z`.
    pub fn to_millisecond(self) -> String {
        let second = self.to_string();
        let (second, ms) = (second.trim_end_matches('Z'), self.0.rem_euclid(1_000));
        format!("{second}.{ms:03}Z")
    }

    /// Calendar and clock of a zone that is `hours` ahead of UTC.
    pub fn local(self, hours: i8) -> Local {
        let shifted = i128::from(self.0) * 1_000_000 + i128::from(hours) * 3_600_000_000_000;
        let time = time::OffsetDateTime::from_unix_timestamp_nanos(shifted)
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        Local {
            date: Date {
                year: u16::try_from(time.year()).unwrap_or(0),
                month: time.month().into(),
                day: time.day(),
            },
            hour: time.hour(),
            minute: time.minute(),
            second: time.second(),
            millisecond: time.millisecond(),
        }
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC, to the second: `2022-11-23T07:32:07Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Local { date, hour, minute, second, .. } = self.local(0);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A wall clock reading in some zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Day.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999.
    pub millisecond: u16,
}

/// A clock that never jumps: the system's time at the start, moved on by the monotonic clock, so
/// that ages stay true when somebody sets the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    since: Instant,
    speed: u32,
}

impl Clock {
    /// A clock set by the system's.
    pub fn system() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        Self { start, since: Instant::now(), speed: 1 }
    }

    /// A clock that shows `start` at an instant of the monotonic clock: that of a world in which time is
    /// told, not taken.
    pub fn showing(start: Timestamp, since: Instant) -> Self {
        Self { start, since, speed: 1 }
    }

    /// The same clock, running so many times as fast from now on.
    #[must_use]
    pub fn at_speed(self, speed: u32) -> Self {
        Self { start: self.now(), since: Instant::now(), speed }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// What it shows at an instant of the monotonic clock.
    pub fn at(&self, instant: Instant) -> Timestamp {
        let elapsed = instant.saturating_duration_since(self.since).as_millis();
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        self.start.plus(elapsed.saturating_mul(i64::from(self.speed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_shown_in_local_time() {
        let at = Timestamp(1_669_188_727_240);
        assert_eq!(at.to_string(), "2022-11-23T07:32:07Z");
        assert_eq!(at.to_millisecond(), "2022-11-23T07:32:07.240Z");
        let local = at.local(7);
        assert_eq!(local.date.to_string(), "2022-11-23");
        assert_eq!((local.hour, local.minute, local.second), (14, 32, 7));
        assert_eq!(local.millisecond, 240);
        let day = Date { year: 2022, month: 11, day: 23 };
        let midnight = Timestamp::midnight(day, 7).unwrap();
        assert_eq!(midnight.to_string(), "2022-11-22T17:00:00Z");
        assert_eq!(Timestamp::midnight(Date { month: 2, day: 30, ..day }, 7), None);
    }
}
