//! Civil time: days, local clocks and time zones, and the one place that does arithmetic with them. Instants are
//! milliseconds since 1970, UTC; days are counted since 1970-01-01. No clock is read here.
//!
//! The calendar and the rules of zones are those of the crate `jiff` and the table that it brings along, so that
//! answers are the same on every machine.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, OnceLock};

use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, civil};
use thiserror::Error;

use crate::names::Date;

/// Milliseconds of a day whose clocks nobody sets.
pub const DAY_MS: i64 = 86_400_000;

const MINUTE_MS: i64 = 60_000;
const HALF_HOUR_MS: i64 = 30 * MINUTE_MS;
/// Names that a message offers in place of a wrong one.
const OFFERED: usize = 3;
/// No name is nearly as long, letters.
const NAME_MAX: usize = 60;

/// How local time of a province follows from UTC: always so far ahead, or as a zone of the IANA database says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Rule);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Rule {
    /// Minutes ahead of UTC.
    Fixed(i16),
    Named(&'static Known),
}

/// A zone of the database. Its rules are read when it is first asked for them.
struct Known {
    name: String,
    rules: OnceLock<TimeZone>,
}

/// All zones, in the order of their names.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let names = DATABASE.available().map(|name| name.as_str().to_owned());
    let mut all: Vec<Known> = names.map(|name| Known { name, rules: OnceLock::new() }).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
});

/// What the program brings along: what the machine has is never asked.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Known {
    fn rules(&self) -> &TimeZone {
        // What the database lists it has.
        self.rules.get_or_init(|| DATABASE.get(&self.name).unwrap_or(TimeZone::UTC))
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A text that says no day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is not a day; write it as 2022-11-23")]
pub struct NoDay(pub String);

/// Why what a local clock shows is no instant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoInstant {
    /// The calendar has no such day.
    #[error("{0} is not a day of the calendar")]
    Day(Date),
    /// Clocks are set back, and show it once more.
    #[error(
        "{local} comes twice in {zone}, where clocks are set back: write it with its offset, '{local}{}' or '{local}{}'",
        .zone.offset_text(.at[0]), .zone.offset_text(.at[1])
    )]
    Twice {
        /// What the clock shows.
        local: Local,
        /// Whose.
        zone: Zone,
        /// When, the first time and the second.
        at: [i64; 2],
    },
    /// Clocks are set forward, and never show it.
    #[error("there is no {local} in {zone}: clocks are set forward from {from} to {to}")]
    Skipped {
        /// What no clock shows.
        local: Local,
        /// Where.
        zone: Zone,
        /// What clocks would show when they are set.
        from: Local,
        /// What they show instead.
        to: Local,
    },
}

impl Zone {
    /// That of UTC itself.
    pub const UTC: Self = Self(Rule::Fixed(0));

    /// Local time that is always so many hours ahead of UTC.
    pub const fn hours(ahead: i8) -> Self {
        Self(Rule::Fixed(60 * ahead as i16))
    }

    /// Local time that is always so many minutes ahead of UTC; `None` where there is no such: it is a quarter of an
    /// hour more or less, from 12 hours behind to 14 ahead.
    pub fn minutes(ahead: i16) -> Option<Self> {
        let is_one = (-720..=840).contains(&ahead) && ahead % 15 == 0;
        is_one.then_some(Self(Rule::Fixed(ahead)))
    }

    /// The same of hours, which may have quarters.
    pub fn of_hours(ahead: f64) -> Option<Self> {
        let minutes = ahead * 60.0;
        let is_one = (-720.0..=840.0).contains(&minutes) && minutes.fract() == 0.0;
        #[expect(clippy::cast_possible_truncation, reason = "within its bounds")]
        is_one.then_some(minutes as i16).and_then(Self::minutes)
    }

    /// The zone that the IANA database calls so, such as `Europe/Berlin`.
    pub fn named(name: &str) -> Option<Self> {
        let place = KNOWN.binary_search_by(|known| known.name.as_str().cmp(name)).ok()?;
        Some(Self(Rule::Named(&KNOWN[place])))
    }

    /// Names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|known| known.name.as_str())
    }

    /// What to write in place of a name that no zone has.
    pub(crate) fn nearest(wrong: &str) -> String {
        // 'Etc/GMT+7' of the database is seven hours behind: nobody who writes 'GMT+7' means that.
        if wrong.contains(|letter: char| letter.is_ascii_digit()) {
            return "an offset is written in hours as 'utc_offset_hours'".to_owned();
        }
        let wrong = wrong.to_lowercase().replace(' ', "_");
        let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let near = |name: &'static str| {
            let (own, whole) = (city(&name.to_lowercase()), name.to_lowercase());
            // Who knows the city may not know the continent.
            let distance = strsim::damerau_levenshtein(&wrong, &whole)
                .min(1 + strsim::damerau_levenshtein(&city(&wrong), &own));
            (distance <= 1 + own.chars().count() / 3).then_some((distance, name))
        };
        let is_name = wrong.chars().count() <= NAME_MAX;
        let mut near: Vec<(usize, &str)> =
            Self::names().filter(|_| is_name).filter_map(near).collect();
        near.sort_unstable();
        // Much nearer ones leave no doubt.
        let nearest = near.first().map_or(0, |(distance, _)| *distance);
        near.retain(|(distance, _)| *distance <= nearest + 1);
        let named: Vec<String> =
            near.iter().take(OFFERED).map(|(_, name)| format!("'{name}'")).collect();
        match named.split_last() {
            None => "zones are named as in the IANA database, such as 'Europe/Berlin'".to_owned(),
            Some((last, [])) => format!("did you mean {last}?"),
            Some((last, others)) => format!("did you mean {} or {last}?", others.join(", ")),
        }
    }

    /// Its name in the database, if it is one of it.
    pub fn name(self) -> Option<&'static str> {
        match self.0 {
            Rule::Fixed(_) => None,
            Rule::Named(known) => Some(&known.name),
        }
    }

    /// By how much local time is ahead of UTC at an instant, milliseconds.
    pub fn ahead_ms(self, at_ms: i64) -> i64 {
        match self.0 {
            Rule::Fixed(minutes) => i64::from(minutes) * MINUTE_MS,
            Rule::Named(known) => {
                i64::from(known.rules().to_offset(timestamp(at_ms)).seconds()) * 1_000
            }
        }
    }

    /// Hours that local time is ahead of UTC at an instant.
    pub fn ahead_hours(self, at_ms: i64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "less than a day")]
        let ms = self.ahead_ms(at_ms) as f64;
        ms / 3_600_000.0
    }

    /// Whether clocks are ever set there, of the years that a store can have: 1970 and later.
    pub fn changes(self) -> bool {
        match self.0 {
            Rule::Fixed(_) => false,
            // That of Vietnam was last set in 1975.
            Rule::Named(known) => {
                known.rules().following(timestamp(10 * 366 * DAY_MS)).next().is_some()
            }
        }
    }

    /// Hours that local time is ahead of UTC where nobody ever sets clocks: by them, and by its name where somebody does,
    /// a zone is told to other programs.
    pub fn fixed_hours(self) -> Option<f64> {
        (!self.changes()).then(|| self.ahead_hours(i64::MAX))
    }

    /// Whether local time is the same in another zone, however either is named.
    pub fn agrees(self, other: Self) -> bool {
        let hours = self.fixed_hours();
        self == other || (hours.is_some() && hours == other.fixed_hours())
    }

    /// The day that an instant is of. Each instant is of one day, and days follow each other without a gap; where clocks
    /// are set back over midnight, the later day has begun by then.
    pub fn day(self, at_ms: i64) -> i64 {
        let day = at_ms.saturating_add(self.ahead_ms(at_ms)).div_euclid(DAY_MS);
        match self.0 {
            Rule::Fixed(_) => day,
            // Where clocks are set back over midnight they show the day before once more.
            Rule::Named(_) => day + i64::from(at_ms >= self.day_begins(day + 1)),
        }
    }

    /// The first instant of a day. One that clocks pass over has no length: it begins with the next one.
    pub fn day_begins(self, day: i64) -> i64 {
        let midnight = day.saturating_mul(DAY_MS);
        let found = match self.0 {
            Rule::Fixed(_) => None,
            Rule::Named(known) => Date::at_day(day).and_then(|date| {
                let local =
                    known.rules().to_ambiguous_timestamp(date.to_datetime(civil::Time::midnight()));
                Some(local.compatible().ok()?.as_millisecond())
            }),
        };
        found.unwrap_or_else(|| midnight.saturating_sub(self.ahead_ms(midnight)))
    }

    /// How long a day is, milliseconds.
    pub fn day_ms(self, day: i64) -> i64 {
        self.day_begins(day + 1) - self.day_begins(day)
    }

    /// Half hours of a day: 48, and 46 or 50 where clocks are set by an hour.
    pub fn half_hours(self, day: i64) -> i64 {
        self.day_ms(day) / HALF_HOUR_MS
    }

    /// The first instant of a date; `None` when the calendar has no such.
    pub fn begins(self, date: Date) -> Option<i64> {
        Some(self.day_begins(date.number()?))
    }

    /// When the clocks of a day first show so much after midnight or more, milliseconds; those of a whole day or more are of the next.
    pub fn shows(self, day: i64, ms: i64) -> i64 {
        let (day, ms) = (day + ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
        if ms == 0 {
            return self.day_begins(day);
        }
        let plain = day.saturating_mul(DAY_MS).saturating_add(ms);
        let Rule::Named(known) = self.0 else { return plain.saturating_sub(self.ahead_ms(plain)) };
        let local = Offset::UTC.to_datetime(timestamp(plain));
        match known.rules().to_ambiguous_timestamp(local).compatible() {
            Ok(at) => at.as_millisecond(),
            Err(_) => plain.saturating_sub(self.ahead_ms(plain)),
        }
    }

    /// The instant at which the local clock shows so many milliseconds after midnight of a date.
    ///
    /// # Errors
    /// When there is none, or two.
    pub fn instant(self, date: Date, ms: i64) -> Result<i64, NoInstant> {
        let day = date.number().ok_or(NoInstant::Day(date))?;
        let plain = day * DAY_MS + ms;
        let Rule::Named(known) = self.0 else { return Ok(plain - self.ahead_ms(plain)) };
        let found = known.rules().to_ambiguous_timestamp(Offset::UTC.to_datetime(timestamp(plain)));
        let local = Self::UTC.local(plain);
        let after = |offset: Offset| plain - i64::from(offset.seconds()) * 1_000;
        match found.offset() {
            AmbiguousOffset::Unambiguous { offset } => Ok(after(offset)),
            AmbiguousOffset::Fold { before, after: later } => {
                Err(NoInstant::Twice { local, zone: self, at: [after(before), after(later)] })
            }
            AmbiguousOffset::Gap { before, after: later } => {
                let past = timestamp(after(before) + 1);
                let set = known.rules().preceding(past).next();
                let set = set.map_or(after(before), |set| set.timestamp().as_millisecond());
                let shown =
                    |offset: Offset| Self::UTC.local(set + i64::from(offset.seconds()) * 1_000);
                Err(NoInstant::Skipped { local, zone: self, from: shown(before), to: shown(later) })
            }
        }
    }

    /// What calendar and clock show at an instant.
    pub fn local(self, at_ms: i64) -> Local {
        let plain = at_ms.saturating_add(self.ahead_ms(at_ms));
        let ms = plain.rem_euclid(DAY_MS);
        let Some(date) = Date::at_day(plain.div_euclid(DAY_MS)) else { return Local::EPOCH };
        let part = |unit: i64, count: i64| u8::try_from(ms / unit % count).unwrap_or(0);
        Local {
            date: Date::from(date),
            hour: part(3_600_000, 24),
            minute: part(MINUTE_MS, 60),
            second: part(1_000, 60),
            millisecond: u16::try_from(ms % 1_000).unwrap_or(0),
        }
    }

    /// The offset of an instant as ISO 8601 has it: `+07:00`, `+05:30`.
    pub fn offset_text(self, at_ms: i64) -> String {
        offset_text(self.ahead_ms(at_ms) / 1_000)
    }
}

/// The offset of local times before 1900 may have seconds.
fn offset_text(ahead_s: i64) -> String {
    let (sign, ahead) = (if ahead_s < 0 { '-' } else { '+' }, ahead_s.abs());
    let (hour, minute, second) = (ahead / 3_600, ahead / 60 % 60, ahead % 60);
    let seconds = if second == 0 { String::new() } else { format!(":{second:02}") };
    format!("{sign}{hour:02}:{minute:02}{seconds}")
}

impl fmt::Display for Zone {
    /// Its name, or how far it is ahead: `Europe/Berlin`, `UTC+07:00`, `UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rule::Fixed(0) => f.write_str("UTC"),
            Rule::Fixed(minutes) => write!(f, "UTC{}", offset_text(60 * i64::from(minutes))),
            Rule::Named(known) => f.write_str(&known.name),
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An instant within the years that have dates.
fn timestamp(at_ms: i64) -> Timestamp {
    let end = if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at_ms).unwrap_or(end)
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

impl Local {
    /// What stands for instants that have no date.
    const EPOCH: Self = Self {
        date: Date { year: 1970, month: 1, day: 1 },
        hour: 0,
        minute: 0,
        second: 0,
        millisecond: 0,
    };

    /// The same to the millisecond: `2022-11-23 14:32:07.240`.
    pub fn to_millisecond(self) -> String {
        format!("{self}.{:03}", self.millisecond)
    }
}

impl fmt::Display for Local {
    /// As people of the place read it, day first by its year: `2022-11-23 14:32:07`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, hour, minute, second, .. } = self;
        write!(f, "{date} {hour:02}:{minute:02}:{second:02}")
    }
}

/// ISO 8601 in UTC, to the millisecond: `2022-11-23T07:32:07.240Z`.
pub fn utc_text(at_ms: i64) -> String {
    let Local { date, hour, minute, second, millisecond } = Zone::UTC.local(at_ms);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// The instant that ISO 8601 in UTC says, `2022-11-23T07:32:07.240Z` or without milliseconds; `None` of anything else.
pub fn utc_instant(text: &str) -> Option<i64> {
    let read: Timestamp = text.parse().ok()?;
    text.ends_with('Z').then(|| read.as_millisecond())
}

impl Date {
    /// A day of the calendar by its number since 1970; the first of them where the calendar has none.
    pub fn of_day(day: i64) -> Self {
        Self::at_day(day).map_or(Local::EPOCH.date, Self::from)
    }

    /// Its number since 1970; `None` when the calendar has no such day.
    pub fn number(self) -> Option<i64> {
        let since = self.civil()?.duration_since(civil::date(1970, 1, 1));
        Some(since.as_secs() / (DAY_MS / 1_000))
    }

    /// The last day of its month.
    #[must_use]
    pub fn month_ends(self) -> Self {
        self.first_of_month().civil().map_or(self, |date| Self::from(date.last_of_month()))
    }

    /// The first day of its month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        Self { day: 1, ..self }
    }

    /// Reads a day: `2022-11-23`, or as Vietnamese screens have it, `23/11/2022`.
    ///
    /// # Errors
    /// When it is none, or the calendar does not have it.
    pub fn read(text: &str) -> Result<Self, NoDay> {
        Self::parts(text).ok_or_else(|| NoDay(text.to_owned()))
    }

    fn parts(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = text.split('-').collect();
        if parts.len() == 1 {
            parts = text.split('/').rev().collect();
        }
        let [year, month, day] = parts[..] else { return None };
        let small = |text: &str| u8::try_from(digits(text, 2)?).ok();
        let date = Self { year: digits(year, 4)?, month: small(month)?, day: small(day)? };
        // The calendar says whether there is such a day.
        date.civil().map(|_| date)
    }

    fn civil(self) -> Option<civil::Date> {
        let (month, day) = (i8::try_from(self.month).ok()?, i8::try_from(self.day).ok()?);
        civil::Date::new(i16::try_from(self.year).ok()?, month, day).ok()
    }

    fn at_day(day: i64) -> Option<civil::Date> {
        let since = SignedDuration::from_secs(day.checked_mul(DAY_MS / 1_000)?);
        civil::date(1970, 1, 1).checked_add(since).ok()
    }
}

/// A number of so many digits.
fn digits(text: &str, count: usize) -> Option<u16> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl From<civil::Date> for Date {
    /// Years before the first one have no number here: 0 stands for them.
    fn from(date: civil::Date) -> Self {
        Self {
            year: u16::try_from(date.year()).unwrap_or(0),
            month: date.month().unsigned_abs(),
            day: date.day().unsigned_abs(),
        }
    }
}
