//! What a report says, apart from the format it is written in: sheets of tables and charts.

use std::borrow::Cow;

use config::{Date, Lang, Zone};
use historian::counts::Share;
use historian::verdict::Since;
use signal::clock::Timestamp;

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Language of every word in it.
    pub lang: Lang,
    /// By what local time goes: instants are written in it.
    pub zone: Zone,
    /// What it is.
    pub title: String,
    /// Of what, and for which time: one line.
    pub subtitle: String,
    /// In the order in which they are read.
    pub sheets: Vec<Sheet>,
}

/// One sheet: what belongs together on a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Stable word: key in JSON, part of a CSV file's name. Lower case ASCII and `_`.
    pub id: &'static str,
    /// What the tab says, at most 31 characters, none of `[]:*?/\`.
    pub name: String,
    /// From top to bottom.
    pub parts: Vec<SheetPart>,
}

/// A part of a sheet.
#[derive(Debug, Clone, PartialEq)]
pub enum SheetPart {
    /// A paragraph.
    Note(String),
    /// A table.
    Table(Table),
    /// A chart.
    Chart(Chart),
    /// The head of a form that is filed: the rest of the sheet is the form.
    Head(Head),
    /// Who signs a form, from left to right: what each is. Names are written by hand.
    Signatures(Vec<String>),
}

/// The head of a form. What is not known stays open, as a dotted line to write on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The company that the unit belongs to.
    pub company: Option<String>,
    /// The unit that files the form.
    pub unit: Option<String>,
    /// Number of the form: `BM21`.
    pub number: Option<String>,
    /// What the form is called.
    pub title: String,
    /// Of which time.
    pub period: String,
    /// Where it is issued.
    pub place: Option<String>,
    /// The day on which it is issued.
    pub date: Option<Date>,
}

/// A table. Every row has one cell for each column.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Stable word, unique within the report: key in JSON, name of a CSV file.
    pub id: &'static str,
    /// What stands above it.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<SheetColumn>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// A row that sums the others, set off below them.
    pub total: Option<Vec<Cell>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct SheetColumn {
    /// Stable word: key in JSON and head of a CSV column.
    pub id: Cow<'static, str>,
    /// What stands above it, units included.
    pub title: String,
    /// How wide it should be, in characters of body text.
    pub width: u8,
    /// Unit of its numbers as CSV names it: `mwh`; nothing where they have none.
    pub unit: &'static str,
    /// What its figures are: that says how many fields it has and how they are called, whatever its rows are.
    pub holds: Holds,
}

/// What the figures of a column are. Words, and nothing, may stand in place of any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holds {
    /// Counts, quantities, instants and days; or words alone.
    #[default]
    Plain,
    /// Lengths of time.
    Times,
    /// Shares of time.
    TimeShares,
    /// Shares of what is counted.
    Shares,
    /// Shares of time beside shares of what is counted: each row says its unit.
    Both,
    /// Moments since which something is so: a second field says whether perhaps for longer.
    Since,
}

impl Holds {
    /// Every one, those that hold the most last.
    #[cfg(test)]
    pub(super) const ALL: [Self; 6] =
        [Self::Plain, Self::Times, Self::Shares, Self::TimeShares, Self::Since, Self::Both];

    /// Whether they are shares, which take three columns where each cell holds one number.
    pub fn shares(self) -> bool {
        matches!(self, Self::TimeShares | Self::Shares | Self::Both)
    }

    /// Whether a cell is such a figure, or stands in place of one.
    pub fn takes(self, cell: &Cell) -> bool {
        match cell {
            Cell::Empty | Cell::NotKnown | Cell::Text(_) | Cell::Verdict(..) => true,
            Cell::Count(_) | Cell::Number(..) | Cell::Instant(_) | Cell::Day(_) => {
                self == Self::Plain
            }
            Cell::Since(_) => self == Self::Since,
            Cell::Duration(_) => self == Self::Times,
            Cell::TimeShare(..) => matches!(self, Self::TimeShares | Self::Both),
            Cell::Share(..) | Cell::AtLeast(..) => matches!(self, Self::Shares | Self::Both),
        }
    }
}

/// Units that titles of columns name behind their last comma, and how CSV writes them.
const UNITS: [(&str, &str); 9] = [
    ("%", "percent"),
    ("kV", "kv"),
    ("MW", "mw"),
    ("MWh", "mwh"),
    ("GWh", "gwh"),
    ("min", "min"),
    ("h", "h"),
    ("ms", "ms"),
    ("≤ ms", "ms"),
];

impl Report {
    /// Says on which day its forms are issued.
    pub fn issue(&mut self, day: Date) {
        for part in self.sheets.iter_mut().flat_map(|sheet| &mut sheet.parts) {
            if let SheetPart::Head(head) = part {
                head.date = Some(day);
            }
        }
    }
}

impl Table {
    /// Whether every cell is what its column says that it holds.
    pub fn is_declared(&self) -> bool {
        let mut rows = self.rows.iter().chain(&self.total);
        rows.all(|row| self.columns.iter().zip(row).all(|(column, cell)| column.holds.takes(cell)))
    }

    /// Whether seconds are too coarse for it: it has a stretch of time that is no whole number of
    /// seconds and shorter than a minute.
    pub fn is_precise(&self) -> bool {
        let is_short = |cell: &Cell| matches!(cell, Cell::Duration(ms) if ms % 1_000 != 0 && ms.abs() < 60_000);
        self.rows.iter().flatten().any(is_short)
    }
}

impl SheetColumn {
    /// A column; its unit is the one that its title in English names: `Received, MWh`.
    pub fn new(id: impl Into<Cow<'static, str>>, title: String, english: &str, width: u8) -> Self {
        let id = id.into();
        let named = english.rsplit_once(", ").map_or("", |(_, unit)| unit);
        let unit = UNITS.iter().find(|(name, _)| *name == named).map_or("", |(_, unit)| unit);
        Self { id, title, width, unit, holds: Holds::Plain }
    }

    /// The same column, saying what its cells are.
    #[must_use]
    pub fn holding(self, holds: Holds) -> Self {
        Self { holds, ..self }
    }
}

/// One cell. What is empty, unknown or without a denominator is `Empty` or says so as text.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing to say.
    Empty,
    /// A figure that is not known: nobody has looked, or nobody keeps it. Never shown as zero.
    NotKnown,
    /// Words.
    Text(String),
    /// A judgement in words, and how it is marked beside them.
    Verdict(Mark, String),
    /// A whole number of things.
    Count(u64),
    /// A quantity, shown with so many decimals.
    Number(f64, u8),
    /// A share: both counts are written, and the percentage made from them, with so many decimals.
    /// A share of nothing shows as a dash, and one below the target that it is held against, in
    /// per cent, is never shown at it.
    Share(Share, u8, Option<f64>),
    /// The same of which more may be: some of the whole are not counted. Shown with `≥`.
    AtLeast(Share, u8, Option<f64>),
    /// A share of times, summed over all signals: both in milliseconds, told in hours where there is
    /// room for them.
    TimeShare(Share, u8, Option<f64>),
    /// A stretch of time in milliseconds, shown in hours to the second: `731:04:12`; to the
    /// millisecond in tables that have short ones.
    Duration(i64),
    /// An instant in local time, to the second; to the millisecond in the same tables.
    Instant(Timestamp),
    /// A day.
    Day(Date),
    /// Since when something is so: an instant, with `≤` where it is not known exactly.
    Since(Since),
}

/// How a judgement is marked: always beside its word, never instead of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Not known, or left out with approval.
    Doubt,
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Stable word, unique within the report.
    pub id: &'static str,
    /// What stands above it.
    pub caption: String,
    /// How its values are drawn.
    pub shape: Shape,
    /// What its values are, written along the vertical axis.
    pub unit: String,
    /// What its values belong to, along the horizontal axis.
    pub categories: Vec<String>,
    /// Its lines or groups of bars, each with one value for each category.
    pub series: Vec<Series>,
    /// A level that should be reached.
    pub target: Option<f64>,
}

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Points joined by lines; a value that is not there parts them.
    Line,
    /// Upright bars.
    Bars,
}

/// One line, or one bar of each group.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// One for each category; `None` where there is none.
    pub values: Vec<Option<f64>>,
}
