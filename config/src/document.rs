//! A TOML text read with all its problems at once.
//!
//! A derive stops at the first mistake; an engineer who describes ten stations wants all of them.
//! So a document is parsed into spanned values, and each reader notes what it could not take and
//! goes on. Keys that nobody asked for are refused at the end of each table.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use unicode_normalization::UnicodeNormalization;

use crate::civil::Zone;
use crate::names::{Date, Name};
use crate::problem::{Problem, Problems, way_out};

/// Years of the days that a contract names: what lies outside is a slip of the pen.
const YEARS: std::ops::RangeInclusive<u16> = 1950..=2199;

/// The text of one file and what was found wrong in it.
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line ends.
    line_ends: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

/// Problems that are kept: nobody mends more in one go, and a file that is no province at all has
/// one on every line.
const PROBLEMS_MAX: usize = 200;

impl<'a> Document<'a> {
    /// A text; `file` is what problems call it.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { file, text, line_ends, problems: RefCell::default() }
    }

    /// The parsed text, or every syntax error in it.
    pub fn parse(&self) -> Result<Spanned<DeTable<'a>>, Problems> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or_default();
            let written = self.text.get(span.clone()).unwrap_or_default();
            let message = error.message().replace('\n', ", ");
            let message = match written.lines().next().unwrap_or_default().trim() {
                "" => message,
                written => format!("'{}': {message}", shortened(written)),
            };
            self.note(span.start, "", message);
        }
        if self.problems.borrow().is_empty() { Ok(root) } else { Err(self.take_problems()) }
    }

    /// The fields of the whole file.
    pub fn root<'d>(&'d self, root: &'d Spanned<DeTable<'a>>) -> Fields<'d> {
        Fields::new(self, String::new(), root.get_ref(), 0)
    }

    /// Notes a problem at a place of the text.
    pub fn note(&self, offset: usize, key: &str, message: impl Into<String>) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() == PROBLEMS_MAX {
            return;
        }
        problems.push(Problem {
            file: self.file.to_owned(),
            line: self.line_ends.partition_point(|end| *end < offset) + 1,
            key: key.to_owned(),
            message: message.into(),
        });
    }

    /// Whether anything was wrong so far.
    pub fn has_problems(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    /// All problems in the order of the file.
    pub fn take_problems(&self) -> Problems {
        let mut problems = self.problems.take();
        let more = problems.len() == PROBLEMS_MAX;
        problems.sort();
        problems.dedup();
        if more {
            let message = format!("more than {PROBLEMS_MAX} problems; mend these first");
            let (file, key) = (self.file.to_owned(), String::new());
            problems.push(Problem { file, line: 0, key, message });
        }
        Problems(problems)
    }
}

/// A place in a document: enough to report a problem there later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Key path.
    pub key: String,
    /// Byte of the text.
    pub offset: usize,
}

/// A value with the place where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// The fields of one table. Every key that is asked for is known; `finish` refuses the others.
pub struct Fields<'d> {
    doc: &'d Document<'d>,
    path: String,
    table: &'d DeTable<'d>,
    offset: usize,
    asked: RefCell<Vec<&'static str>>,
}

impl<'d> Fields<'d> {
    fn new(doc: &'d Document<'_>, path: String, table: &'d DeTable<'_>, offset: usize) -> Self {
        Self { doc, path, table, offset, asked: RefCell::default() }
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { key: self.path.clone(), offset: self.offset }
    }

    /// A key that may be there.
    pub fn optional(&self, key: &'static str) -> Option<Node<'d>> {
        self.asked.borrow_mut().push(key);
        let value = self.table.get(key)?;
        Some(Node { doc: self.doc, path: join(&self.path, key), value })
    }

    /// A key that must be there.
    pub fn required(&self, key: &'static str) -> Option<Node<'d>> {
        let node = self.optional(key);
        if node.is_none() {
            let message = format!("key '{key}' is missing");
            self.doc.note(self.offset, &self.path, message);
        }
        node
    }

    /// Every entry in the order of the file; for tables whose keys are names, not fields.
    pub fn entries(&self) -> Vec<(Placed<String>, Node<'d>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let path = join(&self.path, key.get_ref());
                let place = Place { key: path.clone(), offset: key.span().start };
                let name: String = key.get_ref().nfc().collect();
                (Placed { value: name, place }, Node { doc: self.doc, path, value })
            })
            .collect()
    }

    /// Notes a problem at a place.
    pub fn complain(&self, place: &Place, message: impl Into<String>) {
        self.doc.note(place.offset, &place.key, message);
    }

    /// Refuses the keys that nobody asked for.
    pub fn finish(self) {
        let asked = self.asked.into_inner();
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !asked.contains(&name) {
                let message = format!("unknown key '{name}'; {}", way_out(name, asked.clone()));
                self.doc.note(key.span().start, &self.path, message);
            }
        }
    }
}

/// As much of a text as a message can bear.
fn shortened(text: &str) -> &str {
    const SHOWN_MAX: usize = 40;
    text.char_indices().nth(SHOWN_MAX).map_or(text, |(end, _)| &text[..end])
}

fn join(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if plain { key.to_owned() } else { format!("'{key}'") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// One value of the document.
pub struct Node<'d> {
    doc: &'d Document<'d>,
    path: String,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'d> Node<'d> {
    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { key: self.path.clone(), offset: self.value.span().start }
    }

    /// A value with the place of this one.
    pub fn placed<T>(&self, value: T) -> Placed<T> {
        Placed { value, place: self.place() }
    }

    /// Notes a problem with this value.
    pub fn complain(&self, message: impl Into<String>) {
        self.doc.note(self.value.span().start, &self.path, message);
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// Whether it is a text.
    pub fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    /// The value as it is written, for a message.
    fn written(&self) -> &'d str {
        let text = self.doc.text.get(self.value.span()).unwrap_or_default();
        shortened(text.trim_matches(['"', '\'']).lines().next().unwrap_or_default())
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.complain(format!("'{}' is not {what}", self.written()));
        None
    }

    /// A text, NFC-normalised, without control characters, not empty.
    pub fn text(&self) -> Option<String> {
        const CHARS_MAX: usize = 400;
        let Some(text) = self.value.get_ref().as_str() else { return self.expected("a text") };
        let text: String = text.nfc().collect();
        if text.trim().is_empty() {
            self.complain("the text is empty");
        } else if text.chars().any(crate::plain::commands) {
            self.complain("control characters are not allowed here");
        } else if text.chars().count() > CHARS_MAX {
            self.complain(format!("the text is longer than {CHARS_MAX} characters"));
        } else {
            return Some(text);
        }
        None
    }

    /// A name that becomes part of a point id: letters, digits, `_` and `-`.
    pub fn identifier(&self) -> Option<String> {
        const CHARS_MAX: usize = 24;
        let text = self.text()?;
        let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if fits && text.len() <= CHARS_MAX {
            return Some(text);
        }
        self.expected(&format!("an id: up to {CHARS_MAX} letters A-Z, digits, '_' and '-'"))
    }

    /// True or false.
    pub fn boolean(&self) -> Option<bool> {
        self.value.get_ref().as_bool().or_else(|| self.expected("true or false"))
    }

    fn as_number(&self) -> Option<f64> {
        match self.value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(as_f64),
            DeValue::Float(x) => x.as_str().parse::<f64>().ok(),
            _ => None,
        }
    }

    /// A number within bounds.
    pub fn number(&self, low: f64, high: f64) -> Option<f64> {
        match self.as_number() {
            Some(x) if (low..=high).contains(&x) => Some(x),
            _ => self.expected(&format!("a number from {low} to {high}")),
        }
    }

    /// A whole number within bounds.
    pub fn integer(&self, low: i64, high: i64) -> Option<i64> {
        let value = match self.value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok(),
            _ => None,
        };
        match value {
            Some(n) if (low..=high).contains(&n) => Some(n),
            _ => self.expected(&format!("a whole number from {low} to {high}")),
        }
    }

    /// How far local time is ahead of UTC, in hours: quarters of one are enough for every place on Earth.
    pub fn offset(&self) -> Option<Zone> {
        let what = "a number of hours from -12 to 14, in quarters, such as 7, 5.75 or -3.5; a zone has its name in 'time_zone'";
        self.as_number().and_then(Zone::of_hours).or_else(|| self.expected(what))
    }

    /// A time zone by its name in the IANA database.
    pub fn zone(&self) -> Option<Zone> {
        let name = self.text()?;
        let zone = Zone::named(&name);
        if zone.is_none() {
            self.complain(format!("'{name}' is no time zone; {}", Zone::nearest(&name)));
        }
        zone
    }

    /// A date.
    pub fn date(&self) -> Option<Date> {
        let date = self.value.get_ref().as_datetime().and_then(|d| d.date);
        match date {
            Some(d) if YEARS.contains(&d.year) => {
                Some(Date { year: d.year, month: d.month, day: d.day })
            }
            Some(d) => {
                let (first, last) = (YEARS.start(), YEARS.end());
                self.complain(format!("{d} is no day of a record: years are {first} to {last}"));
                None
            }
            None => self.expected("a date such as 2022-11-02, without quotes"),
        }
    }

    /// An instant as UTC milliseconds since 1970: with its offset, or what the clocks of a zone show.
    pub fn instant(&self, zone: Zone) -> Option<i64> {
        let written = self.value.get_ref().as_datetime();
        let Some((date, time, offset)) = written.and_then(|d| Some((d.date?, d.time?, d.offset)))
        else {
            return self.expected(
                "an instant such as 2022-11-23T14:32:07 in local time, or 2022-11-23T07:32:07Z, without quotes",
            );
        };
        let date = Date { year: date.year, month: date.month, day: date.day };
        let minutes = i64::from(time.hour) * 60 + i64::from(time.minute);
        let seconds = minutes * 60 + i64::from(time.second.unwrap_or(0));
        let ms = seconds * 1_000 + i64::from(time.nanosecond.unwrap_or(0) / 1_000_000);
        let at = match offset {
            None => zone.instant(date, ms),
            Some(toml::value::Offset::Z) => Zone::UTC.instant(date, ms),
            Some(toml::value::Offset::Custom { minutes }) => {
                Zone::UTC.instant(date, ms - i64::from(minutes) * 60_000)
            }
        };
        at.map_err(|why| self.complain(why.to_string())).ok()
    }

    /// Whether it is a date, a time, or both.
    pub fn is_datetime(&self) -> bool {
        self.value.get_ref().is_datetime()
    }

    /// The members of a list.
    pub fn items(&self) -> Vec<Self> {
        let Some(array) = self.value.get_ref().as_array() else {
            return self.expected("a list in [ ]").unwrap_or_default();
        };
        array
            .iter()
            .enumerate()
            .map(|(n, value)| Node { doc: self.doc, path: format!("{}[{n}]", self.path), value })
            .collect()
    }

    /// The fields of a table.
    pub fn fields(&self) -> Option<Fields<'d>> {
        let Some(table) = self.value.get_ref().as_table() else {
            return self.expected("a table");
        };
        Some(Fields::new(self.doc, self.path.clone(), table, self.value.span().start))
    }

    /// A name: one text for both languages, or `{ en = "…", vi = "…" }`.
    pub fn name(&self) -> Option<Name> {
        if self.value.get_ref().is_str() {
            return self.text().map(Name::same);
        }
        let Some(fields) = self.value.get_ref().is_table().then(|| self.fields()).flatten() else {
            return self.expected("a name: \"…\" or { en = \"…\", vi = \"…\" }");
        };
        let en = fields.required("en").and_then(|n| n.text());
        let vi = fields.required("vi").and_then(|n| n.text());
        fields.finish();
        Some(Name { vi: vi?, en: en? })
    }

    /// One of a fixed set of words.
    pub fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let written = self.text()?;
        let found = choices.iter().find(|(word, _)| *word == written);
        if found.is_none() {
            let words = choices.iter().map(|(word, _)| *word);
            self.complain(format!("'{written}' is not known here; {}", way_out(&written, words)));
        }
        found.map(|(_, choice)| *choice)
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of a contract are far below 2^52")]
fn as_f64(n: i64) -> f64 {
    n as f64
}
