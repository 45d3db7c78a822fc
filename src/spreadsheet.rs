//! CSV that spreadsheets open as it is meant, and texts that they do not run.

use std::borrow::Cow;
use std::io::Write;

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

/// Without the mark of its encoding in front, Excel takes a file for one of the system's own.
pub(crate) const MARK: &[u8] = "\u{feff}".as_bytes();

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

    /// Who writes rows in this style.
    pub(crate) fn writer<W: Write>(self, ends: Terminator, out: W) -> Writer<W> {
        WriterBuilder::new()
            .delimiter(self.delimiter())
            .terminator(ends)
            .quote_style(QuoteStyle::Necessary)
            .from_writer(out)
    }

    /// A number that was written with a decimal point.
    pub(crate) fn number(self, digits: String) -> String {
        match self {
            Self::Rfc => digits,
            Self::ExcelVi => digits.replace('.', ","),
        }
    }
}

/// A text as a cell has it: one that is like a formula is told to be none.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if is_like_a_formula(text) { format!("'{text}").into() } else { text.into() }
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
        assert!(!is_like_a_formula("HB07 = 1"));
        assert!(!is_like_a_formula(""));
    }
}
