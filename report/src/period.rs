//! The time that a report is about: a month, a quarter, a year, or from one day to another, in local
//! time.

use config::{Date, Lang, Zone};
use signal::clock::Timestamp;
use store::history::Span;
use thiserror::Error;

/// Longest period, days: ten years and some.
const DAYS_MAX: i64 = 3_700;

/// A period of whole local days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day, included.
    pub last: Date,
    /// By what local time goes.
    pub zone: Zone,
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

fn number(text: &str, digits: usize) -> Option<u16> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

impl Period {
    /// A month: `2022-11`.
    ///
    /// # Errors
    /// When the text is none.
    pub fn month(text: &str, zone: Zone) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod::Month(text.to_owned());
        let first = Date::read(&format!("{text}-01")).map_err(|_| bad())?;
        Ok(Self { first, last: first, zone }.to_end_of_month())
    }

    /// A quarter of a year: `2022-Q3`.
    ///
    /// # Errors
    /// When the text is none.
    pub fn quarter(text: &str, zone: Zone) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod::Quarter(text.to_owned());
        let (year, quarter) = text.split_once("-Q").ok_or_else(bad)?;
        let quarter = number(quarter, 1).filter(|n| (1..=4).contains(n)).ok_or_else(bad)?;
        Self::of_months(year, 3 * quarter - 2, 3, zone).ok_or_else(bad)
    }

    /// A year: `2022`.
    ///
    /// # Errors
    /// When the text is none.
    pub fn year(text: &str, zone: Zone) -> Result<Self, BadPeriod> {
        Self::of_months(text, 1, 12, zone).ok_or_else(|| BadPeriod::Year(text.to_owned()))
    }

    /// So many months of a year, from one of them on.
    fn of_months(year: &str, month: u16, count: u16, zone: Zone) -> Option<Self> {
        let first = Date::read(&format!("{year}-{month:02}-01")).ok()?;
        let last = Date { month: u8::try_from(month + count - 1).ok()?, ..first };
        let last = Self { first: last, last, zone }.to_end_of_month().last;
        Some(Self { first, last, zone })
    }

    /// From one day to another, both included.
    ///
    /// # Errors
    /// When it ends before it begins, or is too long.
    pub fn days(first: Date, last: Date, zone: Zone) -> Result<Self, BadPeriod> {
        if last < first {
            return Err(BadPeriod::Backwards { first, last });
        }
        let period = Self { first, last, zone };
        let (first, next) = period.numbers();
        let days = next - first;
        if days > DAYS_MAX { Err(BadPeriod::Long(days)) } else { Ok(period) }
    }

    fn to_end_of_month(self) -> Self {
        Self { last: self.first.month_ends(), ..self }
    }

    /// Its first day and the one after it, since 1970.
    fn numbers(self) -> (i64, i64) {
        // Days are read from a calendar.
        let number = |date: Date| date.number().unwrap_or_default();
        (number(self.first), number(self.last) + 1)
    }

    /// All of it.
    pub fn span(self) -> Span {
        let (first, next) = self.numbers();
        let begin = |day| Timestamp::of_local_day(day, self.zone);
        Span::new(begin(first), begin(next))
    }

    /// Its days that have any time: a few places have once passed over one.
    fn lived(self) -> impl Iterator<Item = i64> {
        let (first, next) = self.numbers();
        (first..next).filter(move |day| self.zone.day_ms(*day) > 0)
    }

    /// When each of its days begins: those on which clocks are set are longer or shorter than others.
    pub fn cuts(self) -> Vec<Timestamp> {
        self.lived().map(|day| Timestamp::of_local_day(day, self.zone)).collect()
    }

    /// Its days.
    pub fn dates(self) -> Vec<Date> {
        self.lived().map(Date::of_day).collect()
    }

    /// The period of the same kind before it: the month, quarter or year before a whole one, else as
    /// many days.
    #[must_use]
    pub fn before(self) -> Self {
        let (begins, next) = self.numbers();
        let last = Date::of_day(begins - 1);
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
        let earlier = || Date::of_day(2 * begins - next);
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
        let day = |date| words::format::date(date, lang);
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

    const HOA_BINH: Zone = Zone::hours(7);

    #[test]
    fn a_month_begins_and_ends_at_local_midnight() {
        let november = Period::month("2022-11", HOA_BINH).unwrap();
        let span = november.span();
        assert_eq!(span.from.to_string(), "2022-10-31T17:00:00Z");
        assert_eq!(span.to.to_string(), "2022-11-30T17:00:00Z");
        assert_eq!(november.dates().len(), 30);
        assert_eq!(november.dates()[29].to_string(), "2022-11-30");
        assert_eq!(november.name(Lang::Vi), "tháng 11/2022");
        let february = Period::month("2024-02", HOA_BINH).unwrap();
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
            let quarter = Period::quarter(text, HOA_BINH).unwrap();
            assert_eq!(format!("{} {}", quarter.first, quarter.last), span);
            assert_eq!((&quarter.name(Lang::En)[..], &quarter.name(Lang::Vi)[..]), (text, vi));
            assert_eq!(quarter.before(), Period::quarter(before, HOA_BINH).unwrap());
            assert_eq!(quarter.before().span().to, quarter.span().from);
        }
        let year = Period::year("2020", HOA_BINH).unwrap();
        assert_eq!(year.dates().len(), 366);
        assert_eq!((year.name(Lang::En), year.name(Lang::Vi)), ("2020".into(), "năm 2020".into()));
        assert_eq!(year.before(), Period::year("2019", HOA_BINH).unwrap());
        assert!(year.is_year() && !year.is_month());
        // The quarters of a year are the year, and its months the quarters.
        let quarters: Vec<_> =
            (1..=4).map(|n| Period::quarter(&format!("2020-Q{n}"), HOA_BINH).unwrap()).collect();
        let dates: Vec<_> = quarters.iter().flat_map(|quarter| quarter.dates()).collect();
        assert_eq!(dates, year.dates());
        // Three months that are no quarter have as many days before them.
        let (first, last) = (Date::read("2022-02-01").unwrap(), Date::read("2022-04-30").unwrap());
        let months = Period::days(first, last, HOA_BINH).unwrap();
        assert_eq!(months.name(Lang::En), "2022-02-01 to 2022-04-30");
        assert_eq!(months.before().dates().len(), months.dates().len());
        // The parts of two years are no year.
        let (first, last) = (Date::read("2021-01-01").unwrap(), Date::read("2022-12-31").unwrap());
        assert!(!Period::days(first, last, HOA_BINH).unwrap().is_year());
        assert_eq!(Period::month("2022-01", HOA_BINH).unwrap().before().name(Lang::En), "2021-12");
    }

    #[test]
    fn days_are_counted_from_the_first_to_the_last() {
        let (first, last) = (Date::read("2022-11-03").unwrap(), Date::read("2022-11-09").unwrap());
        let week = Period::days(first, last, HOA_BINH).unwrap();
        assert_eq!(week.dates().len(), 7);
        assert_eq!(week.before().name(Lang::En), "2022-10-27 to 2022-11-02");
        assert_eq!(
            Period::days(last, first, HOA_BINH),
            Err(BadPeriod::Backwards { first: last, last: first })
        );
    }

    #[test]
    fn periods_over_a_set_clock_have_all_their_days() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for (month, days, hours) in
            [("2022-03", 31, 743), ("2022-10", 31, 745), ("2022-11", 30, 720)]
        {
            let month = Period::month(month, berlin).unwrap();
            assert_eq!((month.dates().len(), month.cuts().len()), (days, days));
            assert_eq!(month.span().length(), hours * 3_600_000);
            assert_eq!(month.before().span().to, month.span().from);
            let days = month.dates().into_iter().map(|day| Period::days(day, day, berlin).unwrap());
            assert_eq!(days.map(|day| day.span().length()).sum::<i64>(), month.span().length());
        }
        let october = Period::month("2022-10", berlin).unwrap();
        assert_eq!(october.span().from.to_string(), "2022-09-30T22:00:00Z");
        assert_eq!(october.span().to.to_string(), "2022-10-31T23:00:00Z");
        assert_eq!(october.cuts()[30].to_string(), "2022-10-30T23:00:00Z");
        let year = Period::year("2022", berlin).unwrap();
        assert_eq!(year.span().length(), 8_760 * 3_600_000);
        // The week before one of 167 hours has seven days too.
        let week = Period::days(
            Date::read("2022-03-21").unwrap(),
            Date::read("2022-03-27").unwrap(),
            berlin,
        )
        .unwrap();
        assert_eq!(week.before().name(Lang::En), "2022-03-14 to 2022-03-20");
        // Nobody in Samoa lived on the day before New Year's Eve.
        let samoa = Period::month("2011-12", Zone::named("Pacific/Apia").unwrap()).unwrap();
        assert_eq!((samoa.dates().len(), samoa.cuts().len()), (30, 30));
        assert_eq!(samoa.span().length(), 30 * 24 * 3_600_000);
    }

    #[test]
    fn what_is_no_day_or_month_is_refused() {
        for text in ["2022-13", "2022-1", "11-2022", "2022-11-01", "", "２０２２-11"] {
            assert_eq!(Period::month(text, HOA_BINH), Err(BadPeriod::Month(text.to_owned())));
        }
        for text in
            ["2022-Q0", "2022-Q5", "2022-q1", "2022Q1", "2022-Q01", "2022", "Q1", "2022-Q２"]
        {
            assert_eq!(Period::quarter(text, HOA_BINH), Err(BadPeriod::Quarter(text.to_owned())));
        }
        for text in ["22", "2022-01", "0000x", "năm 2022", "", "-2022"] {
            assert_eq!(Period::year(text, HOA_BINH), Err(BadPeriod::Year(text.to_owned())));
        }
        for text in
            ["2022-02-30", "2022-2-3", "11/23/2022", "2022/11/23", "0000-00-00", "2022-11-23T00"]
        {
            assert_eq!(Date::read(text), Err(config::NoDay(text.to_owned())));
        }
        assert_eq!(
            Date::read("23/11/2022"),
            Date::read("2022-11-23"),
            "the day first, as in Vietnam"
        );
    }
}
