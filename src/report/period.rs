//! The time that a report is about: a month, a quarter, a year, or from one day to another, in local
//! time.

use config::{Date, Lang};
use thiserror::Error;

use crate::clock::{DAY_MS, Timestamp};
use crate::history::Span;

/// Longest period, days: ten years and some.
const DAYS_MAX: i64 = 3_700;

/// A period of whole local days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day, included.
    pub last: Date,
    /// Hours that local time is ahead of UTC.
    pub utc_offset_hours: i8,
}

/// A period that cannot be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BadPeriod {
    /// The text is no month.
    #[error("'{0}' is not a month; write it as 2022-11")]
    Month(String),
    /// The text is no quarter.
    #[error("'{0}' is not a quarter; write it as 2022-Q3")]
    Quarter(String),
    /// The text is no year.
    #[error("'{0}' is not a year; write it as 2022")]
    Year(String),
    /// The text is no day.
    #[error("'{0}' is not a day; write it as 2022-11-23")]
    Day(String),
    /// It ends before it begins.
    #[error("the period ends on {last}, before it begins on {first}")]
    Backwards {
        /// First day.
        first: Date,
        /// Last day.
        last: Date,
    },
    /// It is too long for one report.
    #[error("the period has {0} days; a report covers at most {DAYS_MAX}")]
    Long(i64),
}

/// Reads a day: `2022-11-23`, or as Vietnamese screens have it, `23/11/2022`.
///
/// # Errors
/// When it is none.
pub fn day(text: &str) -> Result<Date, BadPeriod> {
    let bad = || BadPeriod::Day(text.to_owned());
    let mut parts: Vec<&str> = text.split('-').collect();
    if parts.len() == 1 {
        parts = text.split('/').rev().collect();
    }
    let [year, month, day] = parts[..] else { return Err(bad()) };
    let date = Date {
        year: number(year, 4).ok_or_else(bad)?,
        month: number(month, 2).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad)?,
        day: number(day, 2).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad)?,
    };
    // The calendar says whether there is such a day.
    Timestamp::midnight(date, 0).map(|_| date).ok_or_else(bad)
}

fn number(text: &str, digits: usize) -> Option<u16> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl Period {
    /// A month: `2022-11`.
    ///
    /// # Errors
    /// When the text is none.
    pub fn month(text: &str, utc_offset_hours: i8) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod::Month(text.to_owned());
        let first = day(&format!("{text}-01")).map_err(|_| bad())?;
        Ok(Self { first, last: first, utc_offset_hours }.to_end_of_month())
    }

    /// A quarter of a year: `2022-Q3`.
    ///
    /// # Errors
    /// When the text is none.
    pub fn quarter(text: &str, utc_offset_hours: i8) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod::Quarter(text.to_owned());
        let (year, quarter) = text.split_once("-Q").ok_or_else(bad)?;
        let quarter = number(quarter, 1).filter(|n| (1..=4).contains(n)).ok_or_else(bad)?;
        Self::of_months(year, 3 * quarter - 2, 3, utc_offset_hours).ok_or_else(bad)
    }

    /// A year: `2022`.
    ///
    /// # Errors
    /// When the text is none.
    pub fn year(text: &str, utc_offset_hours: i8) -> Result<Self, BadPeriod> {
        Self::of_months(text, 1, 12, utc_offset_hours)
            .ok_or_else(|| BadPeriod::Year(text.to_owned()))
    }

    /// So many months of a year, from one of them on.
    fn of_months(year: &str, month: u16, count: u16, utc_offset_hours: i8) -> Option<Self> {
        let first = day(&format!("{year}-{month:02}-01")).ok()?;
        let last = Date { month: u8::try_from(month + count - 1).ok()?, ..first };
        let last = Self { first: last, last, utc_offset_hours }.to_end_of_month().last;
        Some(Self { first, last, utc_offset_hours })
    }

    /// From one day to another, both included.
    ///
    /// # Errors
    /// When it ends before it begins, or is too long.
    pub fn days(first: Date, last: Date, utc_offset_hours: i8) -> Result<Self, BadPeriod> {
        if last < first {
            return Err(BadPeriod::Backwards { first, last });
        }
        let period = Self { first, last, utc_offset_hours };
        let days = period.span().length() / DAY_MS;
        if days > DAYS_MAX { Err(BadPeriod::Long(days)) } else { Ok(period) }
    }

    fn to_end_of_month(self) -> Self {
        let Date { year, month, .. } = self.first;
        let month = time::Month::try_from(month).unwrap_or(time::Month::January);
        let last = month.length(year.into());
        Self { last: Date { day: last, ..self.first }, ..self }
    }

    /// All of it.
    pub fn span(self) -> Span {
        let begin = |date| Timestamp::midnight(date, self.utc_offset_hours).unwrap_or_default();
        Span::new(begin(self.first), begin(self.last).plus(DAY_MS))
    }

    /// When each of its days begins.
    pub fn cuts(self) -> Vec<Timestamp> {
        let span = self.span();
        let days = span.length() / DAY_MS;
        (0..days).map(|day| span.from.plus(day * DAY_MS)).collect()
    }

    /// Its days.
    pub fn dates(self) -> Vec<Date> {
        self.cuts().into_iter().map(|at| at.local(self.utc_offset_hours).date).collect()
    }

    /// The period of the same kind before it: the month, quarter or year before a whole one, else as
    /// many days.
    #[must_use]
    pub fn before(self) -> Self {
        let local = |at: Timestamp| at.local(self.utc_offset_hours).date;
        let last = local(self.span().from.plus(-1));
        let whole = match self.whole() {
            Whole::Month => Some(1),
            Whole::Quarter => Some(3),
            Whole::Year => Some(12),
            Whole::None => None,
        };
        let first = whole.and_then(|months| {
            // The month before a whole one is the last of those before.
            let month = (last.month + 1).checked_sub(months).filter(|month| *month > 0)?;
            Some(Date { month, day: 1, ..last })
        });
        let earlier = || local(self.span().from.plus(-self.span().length()));
        Self { first: first.unwrap_or_else(earlier), last, ..self }
    }

    /// The months up to the one in which it ends, the oldest first.
    pub fn months(self, count: usize) -> Vec<Self> {
        let first = Date { day: 1, ..self.last };
        let mut months = vec![Self { first, last: first, ..self }.to_end_of_month()];
        while months.len() < count {
            let before = months[months.len() - 1].before();
            months.push(before);
        }
        months.reverse();
        months
    }

    /// Whether it is one whole month.
    pub fn is_month(self) -> bool {
        self.whole() == Whole::Month
    }

    /// Whether it is one whole year.
    pub fn is_year(self) -> bool {
        self.whole() == Whole::Year
    }

    fn whole(self) -> Whole {
        let (first, last) = (self.first, self.last);
        let ends = Self { first: last, ..self }.to_end_of_month().last == last;
        if first.day != 1 || !ends || first.year != last.year {
            return Whole::None;
        }
        match last.month - first.month {
            0 => Whole::Month,
            2 if first.month % 3 == 1 => Whole::Quarter,
            11 => Whole::Year,
            _ => Whole::None,
        }
    }

    /// What it is called: `tháng 11/2022`, `2022-Q3`, `năm 2022`, `2022-11-03 to 2022-11-09`.
    pub fn name(self, lang: Lang) -> String {
        let Date { year, month, .. } = self.first;
        let quarter = month.div_ceil(3);
        let day = |date| crate::words::format::date(date, lang);
        match (self.whole(), lang) {
            (Whole::Month, Lang::Vi) => format!("tháng {month:02}/{year}"),
            (Whole::Month, Lang::En) => format!("{year}-{month:02}"),
            (Whole::Quarter, Lang::Vi) => format!("quý {quarter}/{year}"),
            (Whole::Quarter, Lang::En) => format!("{year}-Q{quarter}"),
            (Whole::Year, Lang::Vi) => format!("năm {year}"),
            (Whole::Year, Lang::En) => year.to_string(),
            (Whole::None, Lang::Vi) => format!("từ {} đến {}", day(self.first), day(self.last)),
            (Whole::None, Lang::En) => format!("{} to {}", day(self.first), day(self.last)),
        }
    }
}

/// Which whole part of the calendar a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Month,
    Quarter,
    Year,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_and_ends_at_local_midnight() {
        let november = Period::month("2022-11", 7).unwrap();
        let span = november.span();
        assert_eq!(span.from.to_string(), "2022-10-31T17:00:00Z");
        assert_eq!(span.to.to_string(), "2022-11-30T17:00:00Z");
        assert_eq!(november.dates().len(), 30);
        assert_eq!(november.dates()[29].to_string(), "2022-11-30");
        assert_eq!(november.name(Lang::Vi), "tháng 11/2022");
        let february = Period::month("2024-02", 7).unwrap();
        assert_eq!(february.dates().len(), 29);
        assert_eq!(february.before().name(Lang::En), "2024-01");
        let months = november.months(13);
        assert_eq!(months[0].name(Lang::En), "2021-11");
        assert_eq!(months[12], november);
    }

    #[test]
    fn quarters_and_years_are_whole_months_and_follow_each_other() {
        for (text, span, vi, before) in [
            ("2022-Q1", "2022-01-01 2022-03-31", "quý 1/2022", "2021-Q4"),
            ("2022-Q2", "2022-04-01 2022-06-30", "quý 2/2022", "2022-Q1"),
            ("2022-Q3", "2022-07-01 2022-09-30", "quý 3/2022", "2022-Q2"),
            ("2020-Q4", "2020-10-01 2020-12-31", "quý 4/2020", "2020-Q3"),
        ] {
            let quarter = Period::quarter(text, 7).unwrap();
            assert_eq!(format!("{} {}", quarter.first, quarter.last), span);
            assert_eq!((&quarter.name(Lang::En)[..], &quarter.name(Lang::Vi)[..]), (text, vi));
            assert_eq!(quarter.before(), Period::quarter(before, 7).unwrap());
            assert_eq!(quarter.before().span().to, quarter.span().from);
        }
        let year = Period::year("2020", 7).unwrap();
        assert_eq!(year.dates().len(), 366);
        assert_eq!((year.name(Lang::En), year.name(Lang::Vi)), ("2020".into(), "năm 2020".into()));
        assert_eq!(year.before(), Period::year("2019", 7).unwrap());
        assert!(year.is_year() && !year.is_month());
        // The quarters of a year are the year, and its months the quarters.
        let quarters: Vec<_> =
            (1..=4).map(|n| Period::quarter(&format!("2020-Q{n}"), 7).unwrap()).collect();
        let dates: Vec<_> = quarters.iter().flat_map(|quarter| quarter.dates()).collect();
        assert_eq!(dates, year.dates());
        // Three months that are no quarter have as many days before them.
        let (first, last) = (day("2022-02-01").unwrap(), day("2022-04-30").unwrap());
        let months = Period::days(first, last, 7).unwrap();
        assert_eq!(months.name(Lang::En), "2022-02-01 to 2022-04-30");
        assert_eq!(months.before().dates().len(), months.dates().len());
        // The parts of two years are no year.
        let (first, last) = (day("2021-01-01").unwrap(), day("2022-12-31").unwrap());
        assert!(!Period::days(first, last, 7).unwrap().is_year());
        assert_eq!(Period::month("2022-01", 7).unwrap().before().name(Lang::En), "2021-12");
    }

    #[test]
    fn days_are_counted_from_the_first_to_the_last() {
        let (first, last) = (day("2022-11-03").unwrap(), day("2022-11-09").unwrap());
        let week = Period::days(first, last, 7).unwrap();
        assert_eq!(week.dates().len(), 7);
        assert_eq!(week.before().name(Lang::En), "2022-10-27 to 2022-11-02");
        assert_eq!(
            Period::days(last, first, 7),
            Err(BadPeriod::Backwards { first: last, last: first })
        );
    }

    #[test]
    fn what_is_no_day_or_month_is_refused() {
        for text in ["2022-13", "2022-1", "11-2022", "2022-11-01", "", "２０２２-11"] {
            assert_eq!(Period::month(text, 7), Err(BadPeriod::Month(text.to_owned())));
        }
        for text in
            ["2022-Q0", "2022-Q5", "2022-q1", "2022Q1", "2022-Q01", "2022", "Q1", "2022-Q２"]
        {
            assert_eq!(Period::quarter(text, 7), Err(BadPeriod::Quarter(text.to_owned())));
        }
        for text in ["22", "2022-01", "0000x", "năm 2022", "", "-2022"] {
            assert_eq!(Period::year(text, 7), Err(BadPeriod::Year(text.to_owned())));
        }
        for text in
            ["2022-02-30", "2022-2-3", "11/23/2022", "2022/11/23", "0000-00-00", "2022-11-23T00"]
        {
            assert_eq!(day(text), Err(BadPeriod::Day(text.to_owned())));
        }
        assert_eq!(day("23/11/2022"), day("2022-11-23"), "the day first, as in Vietnam");
    }
}
