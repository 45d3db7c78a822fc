//! How cells of a workbook look.

use config::Lang;
use historian::verdict::Since;
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, FormatBorder};

use crate::sheets::{Cell, Mark};
use crate::shown::{Reader, glyph, places};
use crate::spreadsheet::is_like_a_formula;

/// Name of a sheet.
pub(super) fn title() -> Format {
    Format::new().set_bold().set_font_size(15)
}

/// What a sheet belongs to.
pub(super) fn soft() -> Format {
    Format::new().set_font_color(0x57_60_6A)
}

/// Above a table.
pub(super) fn caption() -> Format {
    Format::new().set_bold().set_font_size(12)
}

/// A paragraph.
pub(super) fn note(text: &str) -> Format {
    let note = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    if is_like_a_formula(text) { note.set_quote_prefix() } else { note }
}

/// In the middle of a part of the sheet: heads of forms, and who signs.
pub(super) fn middle() -> Format {
    Format::new().set_align(FormatAlign::Center).set_text_wrap()
}

/// Head of a column.
pub(super) fn head() -> Format {
    left(framed())
        .set_bold()
        .set_text_wrap()
        .set_align(FormatAlign::VerticalCenter)
        .set_background_color(0xE4_E9_EF)
}

/// Makes the formats of a workbook.
pub(super) struct Looks {
    /// Who reads it.
    pub(super) reader: Reader,
}

impl Looks {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// A cell of a table; times to the millisecond in one that is precise.
    pub(super) fn cell(&self, cell: &Cell, total: bool, is_precise: bool) -> Format {
        let second = if is_precise { "ss.000" } else { "ss" };
        let look = framed().set_align(FormatAlign::Top);
        let look = match cell {
            Cell::Empty => look,
            Cell::Text(text) => wrapped(look, text),
            // The glyph belongs to the look: filters and formulas see the word alone.
            Cell::Verdict(mark, text) => {
                marked(wrapped(look, text), *mark).set_num_format(format!("\"{} \"@", glyph(*mark)))
            }
            Cell::Count(_) => right(look).set_num_format(self.number(0)),
            Cell::Number(_, decimals) => right(look).set_num_format(self.number(places(*decimals))),
            Cell::Share(_, decimals, _) | Cell::TimeShare(_, decimals, _) => {
                right(look).set_num_format(percent(places(*decimals)))
            }
            Cell::AtLeast(_, decimals, _) => {
                right(look).set_num_format(format!("\"≥\"{}", percent(places(*decimals))))
            }
            Cell::NotKnown => marked(left(look).set_text_wrap(), Mark::Doubt),
            Cell::Duration(_) => right(look).set_num_format(format!("[h]:mm:{second}")),
            Cell::Since(Since::AtLeast(_)) => {
                left(look).set_num_format(format!("\"≤\"{} hh:mm:{second}", self.day()))
            }
            Cell::Instant(_) | Cell::Since(Since::At(_)) => {
                left(look).set_num_format(format!("{} hh:mm:{second}", self.day()))
            }
            Cell::Day(_) | Cell::Since(Since::Day(_) | Since::Always) => {
                left(look).set_num_format(self.day())
            }
        };
        if total { look.set_bold().set_border_top(FormatBorder::Medium) } else { look }
    }

    fn day(&self) -> &'static str {
        match self.reader.lang {
            Lang::Vi => "dd/mm/yyyy",
            Lang::En => "yyyy-mm-dd",
        }
    }

    /// Digits in groups where the language has them, with so many decimals.
    pub(super) fn number(&self, decimals: u32) -> String {
        let whole = if self.reader.lang == Lang::Vi { "#,##0" } else { "0" };
        format!("{whole}{}", fraction(decimals))
    }

    /// An instant or a day as spreadsheets count them; `None` before 1900.
    pub(super) fn date(&self, cell: &Cell) -> Option<ExcelDateTime> {
        match cell {
            Cell::Day(day) | Cell::Since(Since::Day(day)) => {
                ExcelDateTime::from_ymd(day.year, day.month, day.day).ok()
            }
            Cell::Instant(at) | Cell::Since(Since::At(at) | Since::AtLeast(at)) => {
                let local = at.local(self.reader.zone);
                let date = local.date;
                let second = f64::from(local.second) + f64::from(local.millisecond) / 1_000.0;
                let day = ExcelDateTime::from_ymd(date.year, date.month, date.day).ok()?;
                day.and_hms(local.hour.into(), local.minute, second).ok()
            }
            _ => None,
        }
    }
}

fn framed() -> Format {
    Format::new().set_border(FormatBorder::Thin).set_border_color(0xC3_CB_D4)
}

fn right(look: Format) -> Format {
    look.set_align(FormatAlign::Right).set_indent(1)
}

/// A text that nobody who edits its cell makes a formula.
fn wrapped(look: Format, text: &str) -> Format {
    let look = left(look).set_text_wrap();
    if is_like_a_formula(text) { look.set_quote_prefix() } else { look }
}

/// A step away from the digits of the column before.
fn left(look: Format) -> Format {
    look.set_align(FormatAlign::Left).set_indent(1)
}

/// What is as it should be stays plain, so that the rest is seen.
fn marked(look: Format, mark: Mark) -> Format {
    match mark {
        Mark::Good => look,
        Mark::Bad => look.set_background_color(0xFF_D9_D3).set_font_color(0x8C_1D_10).set_bold(),
        Mark::Doubt => look.set_background_color(0xFF_F0_B8).set_font_color(0x6B_4A_00),
    }
}

/// A whole has no decimals.
fn percent(decimals: u32) -> String {
    format!("[=1]0\\ %;0{}\\ %", fraction(decimals))
}

fn fraction(decimals: u32) -> String {
    match decimals {
        0 => String::new(),
        n => format!(".{}", "0".repeat(n as usize)),
    }
}
