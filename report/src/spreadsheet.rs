//! CSV that spreadsheets open as it is meant, and texts that they do not run.

use std::borrow::Cow;
use std::io::Write;

use config::plain::plain;
use config::{Date, Zone};
use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use signal::clock::{Local, Timestamp};

/// The mark of its encoding, without which Excel takes a file for one of the system's own.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Whose CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// As RFC 4180 has it: commas between cells, decimal points.
    #[default]
    Rfc,
    /// As a spreadsheet set to Vietnamese opens it: semicolons between cells, decimal commas.
    ExcelVi,
}

impl Style {
    /// What stands between cells.
    pub(crate) fn delimiter(self) -> u8 {
        match self {
            Self::Rfc => b',',
            Self::ExcelVi => b';',
        }
    }

    /// What stands in front of a file: other programs would take a mark for a part of the first name.
    pub(crate) fn mark(self) -> &'static [u8] {
        match self {
            Self::Rfc => &[],
            Self::ExcelVi => MARK,
        }
    }

    /// Who writes rows in this style.
    pub(crate) fn writer<W: Write>(self, ends: Terminator, out: W) -> Writer<W> {
        WriterBuilder::new()
            .delimiter(self.delimiter())
            .terminator(ends)
            .quote_style(QuoteStyle::Necessary)
            .from_writer(out)
    }

    /// A day.
    pub(crate) fn day(self, day: Date) -> String {
        match self {
            Self::Rfc => day.to_string(),
            Self::ExcelVi => format!("{:02}/{:02}/{}", day.day, day.month, day.year),
        }
    }

    /// A moment to the millisecond: in UTC, or for a spreadsheet in local time.
    pub(crate) fn instant(self, at: Timestamp, zone: Zone) -> String {
        match self {
            Self::Rfc => at.to_millisecond(),
            Self::ExcelVi => {
                let Local { date, hour, minute, second, millisecond } = at.local(zone);
                let day = self.day(date);
                format!("{day} {hour:02}:{minute:02}:{second:02},{millisecond:03}")
            }
        }
    }

    /// Whether: a Vietnamese spreadsheet has other words for its booleans.
    pub(crate) fn whether(self, is: bool) -> &'static str {
        match (self, is) {
            (Self::Rfc, true) => "true",
            (Self::Rfc, false) => "false",
            (Self::ExcelVi, true) => "có",
            (Self::ExcelVi, false) => "không",
        }
    }

    /// A number that was written with a decimal point.
    pub(crate) fn number(self, digits: String) -> String {
        match self {
            Self::Rfc => digits,
            Self::ExcelVi => digits.replace('.', ","),
        }
    }
}

/// A text as a cell has it: one that is like a formula, or that would be read as something else, is
/// told to be a text; what would command a terminal is written out.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    if is_like_a_formula(&text) || is_read_as_another(&text) {
        format!("'{text}").into()
    } else {
        text
    }
}

/// Whether a spreadsheet reads the text as a boolean, a date, a time, or a number that it writes in
/// another way. A whole number such as the name of a bay stays as it is, whatever it is read as.
pub(crate) fn is_read_as_another(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    if ["true", "false", "đúng", "sai"].contains(&&*text) {
        return true;
    }
    if text.starts_with('\'') {
        return false;
    }
    let mut digits = text.chars().filter(char::is_ascii_digit);
    if digits.next().is_none() {
        return false;
    }
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole {
        // A leading zero, and what lies beyond the digits of a spreadsheet's numbers, would be lost.
        return text.len() > 15 || (text.len() > 1 && text.starts_with('0'));
    }
    let is_part = |c: char| c.is_ascii_digit() || " .,:/-+e%()$€₫\u{a0}".contains(c);
    text.chars().all(is_part) || is_date_in_words(&text)
}

/// `1 jan`, `nov-22`, `2 thg 3`: with a month in letters.
fn is_date_in_words(text: &str) -> bool {
    const MONTHS: [&str; 13] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "thg"];
    let words = || text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    // `2022-11-23T14:32`, and no `T110`, which is a kind of bay.
    let is_instant = text.contains(['-', ':']);
    let is_month = |word: &str| {
        MONTHS.iter().any(|month| word.starts_with(month))
            || ["am", "pm", "tháng"].contains(&word)
            || word == "t" && is_instant
    };
    words().count() > 0 && words().all(is_month)
}

/// Whether a spreadsheet could take the text for a formula. Names and causes come from devices and
/// files of others; a cell must never run what they say.
pub(crate) fn is_like_a_formula(text: &str) -> bool {
    // The wide forms count as the plain ones where East Asian input is set up.
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_known_by_its_first_character() {
        for text in ["=1", "+1", "-1", "@x", "\t=1", "＝1"] {
            assert!(is_like_a_formula(text), "{text:?}");
        }
        for text in [
            "Đúng",
            "SAI",
            "true",
            "0471",
            "1-2",
            "10/11",
            "10:30",
            "1e5",
            "5 %",
            "1.000",
            "1 jan",
            "2022-11-23T14:32",
        ] {
            assert_eq!(super::text(text), format!("'{text}"));
        }
        for text in [
            "171",
            "0",
            "T110",
            "HB07",
            "C42",
            "471-7",
            "1 trạm",
            "chưa đúng",
            "—",
            "22 kV",
            "✓ đúng",
        ] {
            let is_date = text == "471-7";
            assert_eq!(super::text(text).starts_with('\''), is_date, "{text}");
        }
        assert!(!is_like_a_formula("HB07 = 1"));
        assert!(!is_like_a_formula(""));
    }
}
