//! A report as a workbook: numbers as numbers, tables with filters, charts of the program that
//! opens it. Nothing in it tells when it was written, so the same report is the same bytes.

mod charts;
mod looks;

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Table as NativeTable, TableColumn, TableStyle, Workbook,
    Worksheet, XlsxError,
};

use super::sheets::{Cell, Part, Report, Sheet, Table};
use super::shown::{Reader, cut, has_shares, in_hours, places, real};
use crate::words::format::{self, NOT_EVALUATED};
use crate::words::texts::Text;
use charts::{Data, is_empty};
use looks::Looks;

/// Longest text of a cell, in UTF-16 units.
const TEXT_MAX: usize = 32_767;
/// Longest head of a column that filters can name.
const HEAD_MAX: usize = 200;
/// Rows above a head that still leave room below it when they stay in view.
const FROZEN_MAX: f64 = 260.0;
/// Height of a row, in points.
const ROW: f64 = 15.0;
/// What a page of A4 in landscape takes within its margins: width in pixels, height in points.
const PAGE: (f64, f64) = (1_040.0, 505.0);
/// Size of a chart in pixels, and rows that it covers.
const CHART: (u32, u32, u32) = (960, 300, 16);

/// A report as a workbook.
pub fn bytes(report: &Report) -> Result<Vec<u8>, XlsxError> {
    let looks = Looks::new(Reader { lang: report.lang, zone: report.utc_offset_hours });
    let mut workbook = Workbook::new();
    workbook.set_properties(
        &DocProperties::new()
            .set_title(cut(&report.title, HEAD_MAX))
            .set_subject(cut(&report.subtitle, HEAD_MAX))
            .set_author("gridwatch")
            .set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?),
    );
    let data_name = Text::ChartData.get(report.lang);
    let mut data: Vec<Data<'_>> = Vec::new();
    for sheet in &report.sheets {
        let worksheet = workbook.add_worksheet().set_name(&sheet.name)?;
        set_up(worksheet, report);
        let mut page = Page::new(worksheet, &looks, sheet)?;
        page.heading(&sheet.name, &format!("{} · {}", report.title, report.subtitle))?;
        for part in &sheet.parts {
            match part {
                Part::Note(text) => page.note(text)?,
                Part::Table(table) => page.table(table)?,
                Part::Chart(chart) if is_empty(chart) => {
                    page.note(&format!("{}: {}", chart.caption, Text::NoValues.get(report.lang)))?;
                }
                Part::Chart(chart) => {
                    let row = data.last().map_or(2, Data::end);
                    let block = Data { chart, sheet: data_name, row };
                    page.chart(&block)?;
                    data.push(block);
                }
            }
        }
        page.finish()?;
    }
    if !data.is_empty() {
        let worksheet = workbook.add_worksheet().set_name(data_name)?;
        set_up(worksheet, report);
        worksheet.write_with_format(0, 0, data_name, &looks::title())?;
        charts::write(worksheet, &data, &looks)?;
    }
    workbook.save_to_buffer()
}

/// How a sheet is printed: A4 across, as wide as a page, its title and number at the foot.
fn set_up(worksheet: &mut Worksheet, report: &Report) {
    worksheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    worksheet.set_margins(0.4, 0.4, 0.5, 0.65, 0.3, 0.3);
    // An ampersand begins a code there; the space keeps a leading digit out of the size.
    let title = cut(&report.title, 100).replace('&', "&&");
    worksheet.set_footer(format!("&L&8 {title}&R&8 &P / &N"));
    worksheet.set_header_footer_scale_with_doc(false).set_screen_gridlines(false);
}

/// One column of a written table: each holds one number.
struct Field {
    column: usize,
    role: Role,
    head: String,
    width: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Cell,
    Numerator,
    Denominator,
}

/// Whether the shares of a column are of times.
fn times(table: &Table, column: usize) -> bool {
    let mut cells = table.rows.iter().chain(&table.total).filter_map(|row| row.get(column));
    cells.any(|cell| matches!(cell, Cell::TimeShare(..)))
}

/// A share is three columns: the percentage and, beside it, the two counts that it is made of.
fn fields(table: &Table, reader: Reader) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (n, column) in table.columns.iter().enumerate() {
        let cells = table.rows.iter().chain(&table.total).filter_map(|row| row.get(n));
        let number = |cell: &&Cell| !matches!(cell, Cell::Text(_) | Cell::Verdict(..));
        let shown = |cell| reader.shown(cell).chars().count() + 3;
        let needed = cells.clone().filter(number).map(shown).max();
        let width = characters(needed.unwrap_or(0)).max(f64::from(column.width)).max(6.0);
        let title = cut(&column.title, HEAD_MAX);
        let want = |cell: &Cell| match cell {
            Cell::Share(share, ..) => format::count(share.want, reader.lang).chars().count() + 4,
            Cell::TimeShare(share, ..) => {
                reader.shown(&Cell::Number(in_hours(share.want), 1)).chars().count() + 4
            }
            _ => 0,
        };
        let counted = cells.map(want).max().unwrap_or(0);
        let counts = [(Role::Numerator, Text::Numerator), (Role::Denominator, Text::Denominator)];
        let is_time = times(table, n);
        let counts = counts.map(|(role, text)| Field {
            column: n,
            role,
            head: format!("{title}: {}{}", text.get(reader.lang), if is_time { ", h" } else { "" }),
            width: characters(counted).max(11.0),
        });
        fields.push(Field { column: n, role: Role::Cell, head: title, width });
        if has_shares(table, n) {
            fields.extend(counts);
        }
    }
    // Filters need a name of its own for every column.
    for n in 0..fields.len() {
        let head = fields[n].head.clone();
        let is_taken = |head: &str| {
            fields[..n].iter().any(|other| other.head.to_lowercase() == head.to_lowercase())
        };
        let numbered = (2..).map(|k| format!("{head} ({k})"));
        let free = std::iter::once(head.clone()).chain(numbered).find(|head| !is_taken(head));
        fields[n].head = free.unwrap_or(head);
    }
    fields
}

/// A sheet on its way, from top to bottom.
struct Page<'a> {
    worksheet: &'a mut Worksheet,
    looks: &'a Looks,
    /// Widths of its columns in characters.
    widths: Vec<f64>,
    row: u32,
    /// Height of what stands above on the same printed page, and of a whole one, in points.
    used: f64,
    capacity: f64,
    breaks: Vec<u32>,
    /// Rows of heads with the height above, and rows of their tables.
    heads: Vec<(u32, f64, usize)>,
    ends_with_table: bool,
}

impl<'a> Page<'a> {
    fn new(
        worksheet: &'a mut Worksheet,
        looks: &'a Looks,
        sheet: &Sheet,
    ) -> Result<Self, XlsxError> {
        let mut widths: Vec<f64> = Vec::new();
        for part in &sheet.parts {
            let Part::Table(table) = part else { continue };
            for (n, field) in fields(table, looks.reader).into_iter().enumerate() {
                match widths.get_mut(n) {
                    Some(width) => *width = width.max(field.width),
                    None => widths.push(field.width),
                }
            }
        }
        // Notes and charts need room where tables are narrow.
        while widths.iter().sum::<f64>() < 120.0 {
            widths.push(12.0);
        }
        for (n, width) in widths.iter().enumerate() {
            worksheet.set_column_width(column(n), *width)?;
        }
        let scale = (PAGE.0 / widths.iter().map(|width| pixels(*width)).sum::<f64>()).min(1.0);
        Ok(Self {
            worksheet,
            looks,
            widths,
            row: 0,
            used: 0.0,
            capacity: PAGE.1 / scale,
            breaks: Vec::new(),
            heads: Vec::new(),
            ends_with_table: matches!(sheet.parts.last(), Some(Part::Table(_))),
        })
    }

    fn heading(&mut self, name: &str, of: &str) -> Result<(), XlsxError> {
        self.worksheet.write_with_format(0, 0, name, &looks::title())?;
        self.worksheet.set_row_height(0, 22)?;
        self.worksheet.write_with_format(1, 0, of, &looks::soft())?;
        (self.row, self.used) = (3, 22.0 + 2.0 * ROW);
        Ok(())
    }

    /// A paragraph across the sheet. Merged cells do not grow by themselves, so its height is
    /// worked out from its length.
    fn note(&mut self, text: &str) -> Result<(), XlsxError> {
        let mut across = 0.0;
        let last = self.widths.iter().take_while(|width| {
            across += **width;
            across <= 150.0
        });
        let last = last.count().clamp(2, self.widths.len()) - 1;
        let room = self.widths[..=last].iter().sum::<f64>();
        let lines = lines(text, room);
        let (row, text) = (self.row, fit(text));
        self.worksheet.merge_range(row, 0, row, column(last), &text, &looks::note(&text))?;
        self.worksheet.set_row_height(row, ROW * lines)?;
        self.down(1, ROW * lines);
        self.down(1, ROW);
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<(), XlsxError> {
        let fields = fields(table, self.looks.reader);
        let Some(last) = fields.len().checked_sub(1) else { return self.note(&table.caption) };
        let caption = cut(&table.caption, HEAD_MAX);
        self.worksheet.write_with_format(self.row, 0, caption, &looks::caption())?;
        self.down(1, ROW);
        let head = self.row;
        self.heads.push((head, self.used, table.rows.len()));
        let heads: Vec<TableColumn> = fields
            .iter()
            .map(|field| TableColumn::new().set_header(&field.head))
            .map(|head| head.set_header_format(looks::head()))
            .collect();
        let tallest =
            fields.iter().zip(&self.widths).map(|(field, width)| lines(&field.head, width - 2.0));
        let height = ROW * tallest.fold(1.0, f64::max);
        self.worksheet.set_row_height(head, height)?;
        self.down(1, height);
        for cells in &table.rows {
            self.cells(&fields, cells, false)?;
        }
        if table.rows.is_empty() {
            let nothing = Text::NoRows.get(self.looks.reader.lang).to_owned();
            self.cells(&fields, &[Cell::Text(nothing)], false)?;
        }
        let native = NativeTable::new()
            .set_name(format!("table_{}", table.id))
            .set_style(TableStyle::None)
            .set_columns(&heads);
        self.worksheet.add_table(head, 0, self.row - 1, column(last), &native)?;
        // Below the table and not in it: sorting must not carry the total away.
        if let Some(cells) = &table.total {
            self.cells(&fields, cells, true)?;
        }
        self.down(1, ROW);
        Ok(())
    }

    fn cells(&mut self, fields: &[Field], cells: &[Cell], total: bool) -> Result<(), XlsxError> {
        let mut tallest = 1.0_f64;
        for (n, field) in fields.iter().enumerate() {
            let cell = cells.get(field.column).unwrap_or(&Cell::Empty);
            if let Cell::Text(text) | Cell::Verdict(_, text) = cell {
                tallest = tallest.max(lines(text, self.widths[n] - 1.5));
            }
            self.cell(column(n), cell, field.role, total)?;
        }
        if tallest > 1.0 {
            // Not every program makes room for wrapped lines when it opens a workbook.
            self.worksheet.set_row_height(self.row, ROW * tallest)?;
        }
        self.down(1, ROW * tallest);
        Ok(())
    }

    fn cell(&mut self, n: u16, cell: &Cell, role: Role, total: bool) -> Result<(), XlsxError> {
        let (sheet, row) = (&mut *self.worksheet, self.row);
        let look = self.looks.cell(cell, total);
        let text = |sheet: &mut Worksheet, said: &str| {
            sheet.write_string_with_format(row, n, fit(said), &look).map(|_| ())
        };
        let number = |sheet: &mut Worksheet, value: f64| {
            sheet.write_number_with_format(row, n, value, &look).map(|_| ())
        };
        match cell {
            Cell::Share(share, ..) if role == Role::Numerator => {
                let look = self.looks.cell(&Cell::Count(share.have), total);
                sheet.write_number_with_format(row, n, real(share.have), &look).map(|_| ())
            }
            Cell::Share(share, ..) if role == Role::Denominator => {
                let look = self.looks.cell(&Cell::Count(share.want), total);
                sheet.write_number_with_format(row, n, real(share.want), &look).map(|_| ())
            }
            Cell::TimeShare(share, ..) if role != Role::Cell => {
                let ms = if role == Role::Numerator { share.have } else { share.want };
                let hours = Cell::Number(in_hours(ms), 1);
                let look = self.looks.cell(&hours, total);
                sheet.write_number_with_format(row, n, in_hours(ms), &look).map(|_| ())
            }
            Cell::Share(share, decimals, target) | Cell::TimeShare(share, decimals, target) => {
                // As it is shown, so that no format rounds it to a whole that is not reached.
                let places = places(*decimals);
                match format::percent_units(*share, places, *target) {
                    Some(units) => {
                        number(sheet, real(units) / 10_f64.powf(f64::from(places) + 2.0))
                    }
                    None => text(sheet, NOT_EVALUATED),
                }
            }
            Cell::Text(said) | Cell::Verdict(_, said) if role == Role::Cell => text(sheet, said),
            Cell::Count(n) if role == Role::Cell => number(sheet, real(*n)),
            Cell::Number(value, _) if value.is_finite() => number(sheet, *value),
            // Negative times cannot be shown by the calendar that all spreadsheets know.
            Cell::Duration(ms) if *ms < 0 => text(sheet, &self.looks.reader.shown(cell)),
            Cell::Duration(ms) => number(sheet, real(ms.unsigned_abs() / 1_000) / 86_400.0),
            Cell::Instant(_) | Cell::Day(_) => match self.looks.date(cell) {
                Some(date) => sheet.write_datetime_with_format(row, n, date, &look).map(|_| ()),
                None => text(sheet, &self.looks.reader.shown(cell)),
            },
            _ => sheet.write_blank(row, n, &look).map(|_| ()),
        }
    }

    fn chart(&mut self, data: &Data<'_>) -> Result<(), XlsxError> {
        let (width, height, rows) = CHART;
        let room = f64::from(rows) * ROW;
        if self.used + room > self.capacity && self.used > 0.0 {
            self.breaks.push(self.row);
            self.used = 0.0;
        }
        let mut drawing = data.drawing(self.looks.reader);
        let all: f64 = self.widths.iter().map(|width| pixels(*width)).sum();
        let scale = (all / f64::from(width)).min(1.0);
        drawing.set_width(width).set_height(height).set_scale_width(scale);
        // A little below its row, so that a page does not end with its upper edge.
        self.worksheet.insert_chart_with_offset(self.row, 0, &drawing, 2, 6)?;
        self.down(rows, room);
        Ok(())
    }

    fn down(&mut self, rows: u32, height: f64) {
        self.row += rows;
        self.used += height;
        if self.used > self.capacity {
            self.used = height;
        }
    }

    /// What depends on all of the sheet: heads that stay in view and are printed on every page.
    fn finish(self) -> Result<(), XlsxError> {
        if let [(head, above, _)] = self.heads[..]
            && above <= FROZEN_MAX
        {
            self.worksheet.set_freeze_panes(head + 1, 0)?;
        } else {
            self.worksheet.set_freeze_panes(1, 0)?;
        }
        // A repeated head is right only where all further pages belong to its table.
        if let Some((head, ..)) = self.heads.last().filter(|_| self.ends_with_table) {
            self.worksheet.set_repeat_rows(*head, *head)?;
        }
        if !self.breaks.is_empty() {
            self.worksheet.set_page_breaks(&self.breaks)?;
        }
        Ok(())
    }
}

/// A text as long as a cell may be.
fn fit(text: &str) -> String {
    if text.encode_utf16().count() <= TEXT_MAX {
        return text.to_owned();
    }
    let mut units = 0;
    let kept = text.chars().take_while(|character| {
        units += character.len_utf16();
        units < TEXT_MAX
    });
    kept.chain(['…']).collect()
}

/// Lines that a text takes in a column of so many characters.
fn lines(text: &str, width: f64) -> f64 {
    let line = |line: &str| {
        // Letters are a little narrower than the digits that widths are counted in.
        (characters(line.chars().count()) * 0.92 / width.max(4.0)).ceil().max(1.0)
    };
    text.split('\n').map(line).sum::<f64>().clamp(1.0, 27.0)
}

fn pixels(width: f64) -> f64 {
    (width * 7.0 + 5.0).floor()
}

fn column(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn characters(n: usize) -> f64 {
    real(n as u64)
}

#[cfg(test)]
mod tests;
