//! Rows as CSV: instants are ISO 8601 in UTC to the millisecond, what is not there is empty. A Vietnamese spreadsheet
//! has local times as it reads them, below Vietnamese heads.

use std::io::{self, Write};

use ::csv::{Error, ErrorKind, Terminator};

use super::tables::{Cell, Column, Row, head};
use config::{Date, Zone};

use crate::spreadsheet::{self, Style};

/// Writes rows, one after the other.
pub(super) struct Writer<W: Write> {
    style: Style,
    zone: Zone,
    out: ::csv::Writer<W>,
}

impl<W: Write> Writer<W> {
    /// Writes the names of the columns; a file for a spreadsheet has a mark in front of them.
    pub(super) fn begin<R: Row>(
        (style, zone): (Style, Zone),
        is_file: bool,
        mut out: W,
    ) -> io::Result<Self> {
        if is_file {
            out.write_all(style.mark())?;
        }
        let ends = if is_file { Terminator::CRLF } else { Terminator::Any(b'\n') };
        let mut out = style.writer(ends, out);
        out.write_record(R::COLUMNS.iter().map(|Column(name, _)| match style {
            Style::Rfc => name,
            Style::ExcelVi => head(name),
        }))
        .map_err(failed)?;
        Ok(Self { style, zone, out })
    }

    pub(super) fn row<R: Row>(&mut self, row: &R) -> io::Result<()> {
        for Column(_, cell) in R::COLUMNS {
            match cell {
                Cell::Text(of) => self.field(&spreadsheet::text(of(row))),
                Cell::Whole(of) => self.field(&of(row).to_string()),
                Cell::Maybe(of) => self.field(&written(of(row))),
                Cell::Day(of) => {
                    self.field(&written(of(row).map(|day| self.style.day(Date::of_day(day)))))
                }
                Cell::Code(of) => self.field(&written(of(row))),
                Cell::Number(of) => self.field(&self.style.number(written(of(row).map(digits)))),
                Cell::Instant(of) => self.field(&self.style.instant(of(row), self.zone)),
                Cell::Moment(of) => {
                    self.field(&written(of(row).map(|at| self.style.instant(at, self.zone))))
                }
                Cell::YesNo(of) => self.field(&written(of(row).map(|is| self.style.whether(is)))),
            }?;
        }
        self.out.write_record(None::<&[u8]>).map_err(failed)
    }

    fn field(&mut self, text: &str) -> io::Result<()> {
        self.out.write_field(text).map_err(failed)
    }

    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A number as the shortest digits that are read as it again.
fn digits(number: f64) -> String {
    let is_usual = number == 0.0 || !number.is_finite() || (1e-5..1e16).contains(&number.abs());
    if is_usual { number.to_string() } else { format!("{number:e}") }
}

fn written(cell: Option<impl ToString>) -> String {
    cell.map_or_else(String::new, |cell| cell.to_string())
}

/// What the system said.
fn failed(error: Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
