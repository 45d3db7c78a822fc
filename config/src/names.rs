//! Names in both languages, and calendar dates.

use std::fmt;

/// A language that operators read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Vietnamese, the language of the users.
    Vi,
    /// English.
    En,
}

/// What a thing is called, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Name {
    /// The same name in both languages, as for places.
    pub fn same(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { vi: name.clone(), en: name }
    }

    /// The name in `lang`.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Vi => &self.vi,
            Lang::En => &self.en,
        }
    }
}

/// A day of the calendar, as it stands in test records and registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Year, such as 2022.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
}

impl fmt::Display for Date {
    /// ISO 8601: `2022-11-02`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}
