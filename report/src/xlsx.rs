//! A report as a workbook: numbers as numbers, tables with filters, charts of the program that
//! opens it. Nothing in it tells when it was written, so the same report is the same bytes.

mod charts;
mod looks;

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, Table as NativeTable, TableColumn, TableStyle, Workbook,
    Worksheet, XlsxError,
};
use words::format::{self, NOT_EVALUATED};
use words::texts::Text;

use super::layout::{Field, HEAD_MAX, Paper, Role, lines};
use super::sheets::{Cell, Chart, Head, Report, SheetPart, Table};
use super::shown::{Reader, cut, in_hours, length, places, real};
use charts::{Data, is_empty};
use looks::Looks;

/// Longest text of a cell, in UTF-16 units.
const TEXT_MAX: usize = 32_767;
/// Longest name of a sheet, with room for its number.
const TAB_MAX: usize = 26;
/// Rows above a head that still leave room below it when they stay in view.
const FROZEN_MAX: f64 = 260.0;
/// Height of a row, in points.
const ROW: f64 = 15.0;
/// Height of the name of a sheet and what stands below it, in points.
const HEADING: f64 = 22.0 + 2.0 * ROW;
/// Height of a row of signatures, in points.
const SIGNED: f64 = 70.0;
/// What a page of A4 in landscape takes within its margins: width in pixels, height in points, and
/// a little less of each, since programs measure type on their own.
const PAGE: (f64, f64) = (1_030.0, 490.0);
/// Width of a digit of the type of a workbook, eleven points, in pixels.
const DIGIT: f64 = 7.0;
/// What a column has beside its digits: its indent, in digits, and its edges, in pixels.
const INDENT: f64 = 1.5;
const EDGES: f64 = 5.0;
/// A page is made smaller until its columns fit, down to eight points.
const SMALLEST: f64 = 8.0 / 11.0;
/// What a page takes at that, in points.
const HIGHEST: f64 = PAGE.1 / SMALLEST;
/// Where tables go.
const PAPER: Paper =
    Paper { across: PAGE.0 / SMALLEST / DIGIT, padding: INDENT + EDGES / DIGIT, apart: true };
/// Size of a chart in pixels, and rows that it covers.
const CHART: (u32, u32, u32) = (960, 300, 16);
/// Rows of a table that stand with its head at least.
const TOGETHER: usize = 3;
const TOGETHER_ROWS: u32 = 3;

/// A report as a workbook.
pub fn bytes(report: &Report) -> Result<Vec<u8>, XlsxError> {
    let looks = Looks::new(Reader { lang: report.lang, zone: report.zone });
    let mut workbook = Workbook::new();
    workbook.set_properties(
        &DocProperties::new()
            .set_title(cut(&report.title, HEAD_MAX))
            .set_subject(cut(&report.subtitle, HEAD_MAX))
            .set_author("gridwatch")
            .set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?),
    );
    let data_name = Text::ChartData.get(report.lang);
    let of = format!("{} · {}", report.title, report.subtitle);
    let mut data: Vec<Data<'_>> = Vec::new();
    for sheet in &report.sheets {
        let tables: Vec<&Table> = sheet.parts.iter().filter_map(table_of).collect();
        let items = items(&sheet.parts, &PAPER.lay_out(&tables, looks.reader));
        let (mut rest, mut number) = (&items[..], 1);
        while number == 1 || !rest.is_empty() {
            let name = match number {
                1 => sheet.name.clone(),
                n => format!("{} ({n})", cut(&sheet.name, TAB_MAX)),
            };
            let worksheet = workbook.add_worksheet().set_name(&name)?;
            set_up(worksheet, report);
            let (here, widths) = on_one_sheet(rest, looks.reader);
            // What would be little more than a page is made smaller until it is one.
            let height = height_of(here, &widths, looks.reader);
            let is_one = height > capacity(&widths) && height <= HIGHEST;
            if is_one {
                worksheet.set_print_fit_to_pages(1, 1);
            }
            let mut page = Page::new(worksheet, &looks, widths)?;
            page.capacity = if is_one { HIGHEST } else { page.capacity };
            if !matches!(here.first(), Some(Item::Head(_))) {
                page.heading(&name, &of)?;
            }
            for (n, item) in here.iter().enumerate() {
                page.behind = Behind::of(&here[n + 1..], &page.widths, looks.reader);
                page.put(item, (data_name, &mut data))?;
            }
            page.finish()?;
            rest = &rest[here.len()..];
            number += 1;
        }
    }
    if !data.is_empty() {
        let worksheet = workbook.add_worksheet().set_name(data_name)?;
        set_up(worksheet, report);
        worksheet.write_with_format(0, 0, data_name, &looks::title())?;
        charts::write(worksheet, &data, &looks)?;
        // Charts are drawn from it, nobody files it: what is hidden is not printed.
        worksheet.set_hidden(true);
    }
    workbook.save_to_buffer()
}

fn table_of(part: &SheetPart) -> Option<&Table> {
    match part {
        SheetPart::Table(table) => Some(table),
        _ => None,
    }
}

/// How a sheet is printed: A4 across, as wide as a page, its title and number at the foot.
fn set_up(worksheet: &mut Worksheet, report: &Report) {
    worksheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    worksheet.set_margins(0.4, 0.4, 0.5, 0.65, 0.3, 0.3);
    // An ampersand begins a code there; the space keeps a leading digit out of the size.
    let title = cut(&report.title, 100).replace('&', "&&");
    // Where programs make it smaller with the page all the same, it is eight points at least.
    worksheet.set_footer(format!("&L&11 {title}&R&11 &P / &N"));
    worksheet.set_header_footer_scale_with_doc(false).set_screen_gridlines(false);
}

/// What is put on a sheet at once.
enum Item<'a> {
    Note(&'a str),
    Chart(&'a Chart),
    /// A part of a table: its columns, and how many parts came before it.
    Table(&'a Table, Vec<Field>, usize),
    Head(&'a Head),
    Signatures(&'a [String]),
}

impl Item<'_> {
    /// Whether it may stand below a table that goes on over pages, whose head each of them repeats.
    fn may_follow(&self) -> bool {
        match self {
            Item::Note(_) | Item::Signatures(_) => true,
            Item::Table(table, ..) => table.rows.is_empty() && table.total.is_none(),
            Item::Chart(_) | Item::Head(_) => false,
        }
    }

    /// Its height with the room below it, in points.
    fn height(&self, widths: &[f64], reader: Reader) -> f64 {
        match self {
            Item::Note(text) => note_of(text, widths).1 + ROW / 2.0,
            Item::Chart(_) => f64::from(CHART.2) * ROW,
            Item::Table(table, fields, _) => Heights::of(table, fields, widths, reader).all() + ROW,
            Item::Head(_) => 6.0 * ROW + 20.0,
            Item::Signatures(_) => 2.0 * ROW + SIGNED,
        }
    }
}

/// What of the items goes on one sheet, and how wide its columns are: a table that goes on over pages is the last one,
/// and columns are as wide as those that stand on the sheet would like them.
fn on_one_sheet<'a, 'b>(items: &'a [Item<'b>], reader: Reader) -> (&'a [Item<'b>], Vec<f64>) {
    let is_long = |n: usize, widths: &[f64]| match &items[n] {
        Item::Table(table, fields, _) => {
            let above = height_of(&items[..n], widths, reader);
            goes_on(Heights::of(table, fields, widths, reader).all(), above, capacity(widths))
        }
        _ => false,
    };
    // As many as stand together: with others a table may be longer, since they share columns.
    for count in (2..=items.len()).rev() {
        let here = &items[..count];
        let widths = widths_of(here);
        let first = (0..count).find(|n| is_long(*n, &widths));
        if first.is_none_or(|first| here[first + 1..].iter().all(Item::may_follow)) {
            return (here, widths);
        }
    }
    let here = &items[..items.len().min(1)];
    (here, widths_of(here))
}

/// Whether a table goes on over pages: no page has room for it, or not below what little stands at the top of the
/// first one, which would be left alone there.
fn goes_on(all: f64, above: f64, capacity: f64) -> bool {
    all > capacity || above < capacity / 3.0 && above + all > capacity
}

/// Widths of the columns below each other, in digits, without indent.
fn widths_of(items: &[Item<'_>]) -> Vec<f64> {
    let fields = items.iter().filter_map(|item| match item {
        Item::Table(_, fields, _) => Some(&fields[..]),
        _ => None,
    });
    let mut widths = PAPER.widths(fields);
    // Notes and charts need room where tables are narrow.
    while widths.len() < 4 || widths.iter().sum::<f64>() < 110.0 {
        widths.push(11.0);
    }
    widths
}

/// Height of all that stands on a sheet, in points.
fn height_of(items: &[Item<'_>], widths: &[f64], reader: Reader) -> f64 {
    let above = if matches!(items.first(), Some(Item::Head(_))) { 0.0 } else { HEADING };
    above + items.iter().map(|item| item.height(widths, reader)).sum::<f64>()
}

/// The last column over which a paragraph stands, and its height in points. Merged cells do not grow by themselves,
/// so it is worked out from its length.
fn note_of(text: &str, widths: &[f64]) -> (usize, f64) {
    let mut across = 0.0;
    let last = widths.iter().take_while(|width| {
        across += **width + INDENT;
        across <= 180.0
    });
    let last = last.count().clamp(2, widths.len()) - 1;
    let room = widths[..=last].iter().map(|width| width + INDENT).sum::<f64>();
    (last, (ROW * lines(text, room - 2.0, false)).min(400.0))
}

/// Height of a printed page of a sheet that is made as small as its columns want it, in points.
fn capacity(widths: &[f64]) -> f64 {
    let across = widths.iter().map(|width| pixels(*width)).sum::<f64>();
    PAGE.1 / (PAGE.0 / across).min(1.0)
}

/// Heights of what a part of a table is made of, in points.
struct Heights {
    head: f64,
    rows: Vec<f64>,
    total: f64,
}

impl Heights {
    fn of(table: &Table, fields: &[Field], widths: &[f64], reader: Reader) -> Self {
        let names = heads(fields);
        let above = names.iter().zip(widths).map(|(head, w)| lines(head, w - 1.0, true));
        let head = ROW * above.fold(1.0, f64::max);
        let own = |cells: &Vec<Cell>| tallest((table, cells), (fields, widths), reader);
        // Where there is no row, one says so across all columns.
        let across = fields.iter().zip(widths).map(|(_, width)| width + INDENT).sum::<f64>();
        let nothing = || ROW * lines(Text::NoRows.get(reader.lang), across - INDENT, false);
        let rows = if table.rows.is_empty() {
            vec![nothing()]
        } else {
            table.rows.iter().map(own).collect()
        };
        Self { head, rows, total: table.total.as_ref().map_or(0.0, own) }
    }

    /// With its caption.
    fn all(&self) -> f64 {
        ROW + self.head + self.rows.iter().sum::<f64>() + self.total
    }
}

/// Height of a row of a table, in points.
fn tallest(
    (table, cells): (&Table, &[Cell]),
    (fields, widths): (&[Field], &[f64]),
    reader: Reader,
) -> f64 {
    let mut tallest = 1.0_f64;
    for (field, width) in fields.iter().zip(widths) {
        let lines = match cells.get(field.column) {
            Some(Cell::Text(text)) => lines(text, *width, false),
            Some(Cell::Verdict(_, text)) => lines(&format!("✗\u{a0}{text}"), *width, true),
            Some(Cell::NotKnown) => lines(&reader.shown_in(table, &Cell::NotKnown), *width, false),
            _ => 1.0,
        };
        tallest = tallest.max(lines);
    }
    ROW * tallest.min(26.0)
}

fn items<'a>(parts: &'a [SheetPart], tables: &[Vec<Vec<Field>>]) -> Vec<Item<'a>> {
    let mut laid_out = tables.iter();
    let mut items = Vec::new();
    for part in parts {
        match part {
            SheetPart::Note(text) => items.push(Item::Note(text)),
            SheetPart::Chart(chart) => items.push(Item::Chart(chart)),
            SheetPart::Head(head) => items.push(Item::Head(head)),
            SheetPart::Signatures(roles) => items.push(Item::Signatures(roles)),
            SheetPart::Table(table) => {
                let parts = laid_out.next().into_iter().flatten().enumerate();
                items.extend(parts.map(|(n, fields)| Item::Table(table, fields.clone(), n)));
            }
        }
    }
    items
}

/// A head for each column: filters need a name of its own for every one.
fn heads(fields: &[Field]) -> Vec<String> {
    let mut heads: Vec<String> = Vec::new();
    for field in fields {
        let is_taken =
            |head: &str| heads.iter().any(|other| other.to_lowercase() == head.to_lowercase());
        let numbered = (2..).map(|k| format!("{} ({k})", field.head));
        let mut names = std::iter::once(field.head.clone()).chain(numbered);
        let free = names.find(|head| !is_taken(head));
        heads.push(free.unwrap_or_default());
    }
    heads
}

/// A worksheet on its way, from top to bottom.
struct Page<'a> {
    worksheet: &'a mut Worksheet,
    looks: &'a Looks,
    /// Widths of its columns in digits, without indent.
    widths: Vec<f64>,
    row: u32,
    /// Height of what stands above on the same printed page, and of a whole one, in points.
    used: f64,
    capacity: f64,
    breaks: Vec<u32>,
    /// Rows of heads with the height above.
    heads: Vec<(u32, f64)>,
    /// The head of a table that goes on over pages: it is the last one of its sheet, since a sheet
    /// can repeat one head alone.
    repeated: Option<u32>,
    /// Its height, which every page behind it has less for what follows, in points.
    repeated_height: f64,
    /// What follows what is put.
    behind: Behind,
}

/// What stands directly behind a table and belongs to it: notes, tables without rows, signatures. None of them stands on
/// a page without some of what it follows.
#[derive(Default)]
struct Behind {
    /// Height of the first of them, and of all, in points.
    heights: [f64; 2],
    /// Nothing else stands below on the sheet.
    is_all: bool,
}

impl Behind {
    fn of(rest: &[Item<'_>], widths: &[f64], reader: Reader) -> Self {
        let own = rest.iter().take_while(|item| item.may_follow());
        let heights: Vec<f64> = own.map(|item| item.height(widths, reader)).collect();
        let (first, all) = (heights.first().copied().unwrap_or(0.0), heights.iter().sum());
        Self { heights: [first, all], is_all: heights.len() == rest.len() }
    }
}

/// The last rows of a table.
struct Tail {
    /// The first of them.
    first: u32,
    /// Their height and that of the head, in points.
    height: f64,
    /// Row of the head.
    head: u32,
}

impl<'a> Page<'a> {
    fn new(
        worksheet: &'a mut Worksheet,
        looks: &'a Looks,
        widths: Vec<f64>,
    ) -> Result<Self, XlsxError> {
        for (n, width) in widths.iter().enumerate() {
            worksheet.set_column_width(column(n), width + INDENT)?;
        }
        Ok(Self {
            worksheet,
            looks,
            row: 0,
            used: 0.0,
            capacity: capacity(&widths),
            widths,
            breaks: Vec::new(),
            heads: Vec::new(),
            repeated: None,
            repeated_height: 0.0,
            behind: Behind::default(),
        })
    }

    fn put<'b>(
        &mut self,
        item: &Item<'b>,
        (data_name, data): (&'b str, &mut Vec<Data<'b>>),
    ) -> Result<(), XlsxError> {
        match item {
            Item::Note(text) => self.note(text),
            Item::Table(table, fields, n) => self.table(table, fields, *n),
            Item::Head(head) => self.form_head(head),
            Item::Signatures(roles) => self.signatures(roles),
            Item::Chart(chart) if is_empty(chart) => {
                let lang = self.looks.reader.lang;
                self.note(&format!("{}: {}", chart.caption, Text::NoValues.get(lang)))
            }
            Item::Chart(chart) => {
                let row = data.last().map_or(2, Data::end);
                let block = Data { chart, sheet: data_name, row };
                self.chart(&block)?;
                data.push(block);
                Ok(())
            }
        }
    }

    fn heading(&mut self, name: &str, of: &str) -> Result<(), XlsxError> {
        self.worksheet.write_with_format(0, 0, name, &looks::title())?;
        self.worksheet.set_row_height(0, 22)?;
        self.worksheet.write_with_format(1, 0, of, &looks::soft())?;
        (self.row, self.used) = (3, HEADING);
        Ok(())
    }

    /// Columns that belong to the n-th of so many equal parts of the sheet's width.
    fn part_of_width(&self, n: usize, parts: usize) -> (usize, usize) {
        let all = self.widths.iter().map(|width| pixels(*width)).sum::<f64>();
        let edge = |n: usize| {
            let mut across = 0.0;
            let left = self.widths.iter().take_while(|width| {
                across += pixels(**width);
                across <= all * length(n) / length(parts) + 1e-6
            });
            // Each part has a column at least.
            left.count().clamp(n, self.widths.len() - (parts - n))
        };
        (edge(n), edge(n + 1) - 1)
    }

    /// A text over some columns of the row.
    fn across(
        &mut self,
        (first, last): (usize, usize),
        text: &str,
        look: &Format,
    ) -> Result<(), XlsxError> {
        let (row, text) = (self.row, fit(text));
        if first == last {
            self.worksheet.write_with_format(row, column(first), text, look)?;
        } else {
            self.worksheet.merge_range(row, column(first), row, column(last), &text, look)?;
        }
        Ok(())
    }

    fn form_head(&mut self, head: &Head) -> Result<(), XlsxError> {
        let reader = self.looks.reader;
        let all = (0, self.widths.len() - 1);
        let (left, right) = (self.part_of_width(0, 2), self.part_of_width(1, 2));
        self.across(left, Reader::or_dots(head.company.as_deref()), &looks::middle())?;
        self.across(right, &reader.form_number(head), &looks::middle())?;
        self.height(ROW)?;
        self.across(left, Reader::or_dots(head.unit.as_deref()), &looks::middle().set_bold())?;
        self.across(right, &reader.place_and_date(head), &looks::middle().set_italic())?;
        self.height(ROW)?;
        self.height(ROW)?;
        self.across(all, &head.title, &looks::middle().set_bold().set_font_size(14))?;
        self.height(20.0)?;
        self.across(all, &head.period, &looks::middle().set_italic())?;
        self.height(ROW)?;
        self.height(ROW)
    }

    fn signatures(&mut self, roles: &[String]) -> Result<(), XlsxError> {
        self.break_before(2.0 * ROW + SIGNED);
        let roles = roles.get(..self.widths.len()).unwrap_or(roles);
        let to_sign = Text::ToSign.get(self.looks.reader.lang);
        for (n, role) in roles.iter().enumerate() {
            let part = self.part_of_width(n, roles.len());
            self.across(part, role, &looks::middle().set_bold())?;
        }
        self.height(ROW)?;
        for n in 0..roles.len() {
            let part = self.part_of_width(n, roles.len());
            self.across(part, to_sign, &looks::middle().set_italic())?;
        }
        self.height(ROW)?;
        self.height(SIGNED)
    }

    /// Before which rows of a table a page begins; the last one has some of them, and the row of totals.
    fn breaks_of(&self, heights: &[f64], total: f64) -> Vec<usize> {
        let (mut used, mut breaks) = (self.used, Vec::new());
        for (n, height) in heights.iter().enumerate() {
            let is_last = n + 1 == heights.len();
            let needs = height + if is_last { total } else { 0.0 };
            if n > 0 && used + needs > self.capacity {
                let most = heights.len().saturating_sub(TOGETHER);
                let after = breaks.last().map_or(1, |last| last + 1);
                let at = n.min(most).max(after).min(n);
                breaks.push(at);
                used = self.repeated_height + heights[at..n].iter().sum::<f64>();
            }
            used += height;
        }
        breaks
    }

    /// An empty row below something. It begins no page: what comes next does, when it has no room.
    fn space(&mut self, points: f64) -> Result<(), XlsxError> {
        self.worksheet.set_row_height(self.row, points)?;
        self.row += 1;
        self.used += points;
        Ok(())
    }

    /// Gives the row its height, and goes to the next one.
    fn height(&mut self, points: f64) -> Result<(), XlsxError> {
        self.worksheet.set_row_height(self.row, points)?;
        self.down(1, points);
        Ok(())
    }

    /// A paragraph across the sheet.
    fn note(&mut self, text: &str) -> Result<(), XlsxError> {
        let (last, height) = note_of(text, &self.widths);
        self.break_before(height);
        self.across((0, last), text, &looks::note(text))?;
        self.height(height)?;
        self.space(ROW / 2.0)
    }

    /// A part of a table. It stands on one page when that has room for it, and is the last one of
    /// its sheet otherwise, so that its head can be repeated.
    fn table(&mut self, table: &Table, fields: &[Field], part: usize) -> Result<(), XlsxError> {
        let Some(last) = fields.len().checked_sub(1) else { return self.note(&table.caption) };
        let lang = self.looks.reader.lang;
        let caption = match part {
            0 => cut(&table.caption, HEAD_MAX),
            _ => format!("{} ({})", cut(&table.caption, HEAD_MAX), Text::ContinuedTable.get(lang)),
        };
        let names = heads(fields);
        let own = Heights::of(table, fields, &self.widths, self.looks.reader);
        let all = own.all();
        let Heights { head: head_height, rows: heights, total } = own;
        let is_long = self.repeated.is_none() && goes_on(all, self.used, self.capacity);
        let behind = self.behind.heights.into_iter().rev().find(|own| all + own <= self.capacity);
        self.break_before(if is_long {
            ROW + head_height + heights.iter().take(TOGETHER).sum::<f64>()
        } else {
            all + behind.unwrap_or(0.0)
        });
        self.worksheet.write_with_format(self.row, 0, caption, &looks::caption())?;
        self.height(ROW)?;
        let head = self.row;
        self.heads.push((head, self.used));
        if is_long {
            (self.repeated, self.repeated_height) = (Some(head), head_height);
        }
        for (n, name) in names.iter().enumerate() {
            self.worksheet.write_with_format(head, column(n), name, &looks::head())?;
        }
        self.height(head_height)?;
        if table.rows.is_empty() {
            // Cells of a native table cannot be one, and there is nothing to filter.
            let nothing = Text::NoRows.get(lang);
            let look = self.looks.cell(&Cell::Text(nothing.to_owned()), false, false);
            self.across((0, last), nothing, &look)?;
            self.height(heights[0])?;
        } else {
            self.rows(table, fields, (&heights, total))?;
            let name = match part {
                0 => format!("table_{}", table.id),
                n => format!("table_{}_{}", table.id, n + 1),
            };
            let columns: Vec<TableColumn> = names
                .iter()
                .map(|head| TableColumn::new().set_header(head))
                .map(|head| head.set_header_format(looks::head()))
                .collect();
            let native =
                NativeTable::new().set_name(name).set_style(TableStyle::None).set_columns(&columns);
            self.worksheet.add_table(head, 0, self.row - 1, column(last), &native)?;
        }
        // Below the table and not in it: sorting must not carry the total away.
        if let Some(cells) = &table.total {
            self.cells(table, fields, (cells, true), total)?;
        }
        let end = self.row;
        self.space(ROW)?;
        // As many rows stay with the head as go with what follows.
        if heights.len() >= 2 * TOGETHER {
            let own = heights.iter().rev().take(TOGETHER).sum::<f64>();
            let first = end - u32::from(table.total.is_some()) - TOGETHER_ROWS;
            self.keep_with_tail(&Tail { first, height: head_height + own + total + ROW, head });
        }
        Ok(())
    }

    /// The rows of a table, over as many pages as they take.
    fn rows(
        &mut self,
        table: &Table,
        fields: &[Field],
        (heights, total): (&[f64], f64),
    ) -> Result<(), XlsxError> {
        let breaks = self.breaks_of(heights, total);
        for (n, (cells, height)) in table.rows.iter().zip(heights).enumerate() {
            if breaks.contains(&n) {
                self.breaks.push(self.row);
                self.used = self.repeated_height;
            }
            self.cells(table, fields, (cells, false), *height)?;
        }
        Ok(())
    }

    fn cells(
        &mut self,
        table: &Table,
        fields: &[Field],
        (cells, total): (&[Cell], bool),
        height: f64,
    ) -> Result<(), XlsxError> {
        let is_precise = table.is_precise();
        for (n, field) in fields.iter().enumerate() {
            let cell = cells.get(field.column).unwrap_or(&Cell::Empty);
            let look = self.looks.cell(cell, total, is_precise);
            let said = || self.looks.reader.shown_in(table, cell);
            // Negative times cannot be shown by the calendar that all spreadsheets know.
            let negative = matches!(cell, Cell::Duration(ms) if *ms < 0).then(said);
            let cell = &negative.map_or_else(|| cell.clone(), Cell::Text);
            self.cell(column(n), cell, field.role, (total, &look))?;
        }
        self.height(height)
    }

    fn cell(
        &mut self,
        n: u16,
        cell: &Cell,
        role: Role,
        (total, look): (bool, &Format),
    ) -> Result<(), XlsxError> {
        let (sheet, row) = (&mut *self.worksheet, self.row);
        let text = |sheet: &mut Worksheet, said: &str| {
            sheet.write_string_with_format(row, n, fit(said), look).map(|_| ())
        };
        let number = |sheet: &mut Worksheet, value: f64| {
            sheet.write_number_with_format(row, n, value, look).map(|_| ())
        };
        match cell {
            Cell::TimeShare(..) if role == Role::Unit => text(sheet, "h"),
            _ if role == Role::Unit => sheet.write_blank(row, n, look).map(|_| ()),
            Cell::Share(share, ..) | Cell::AtLeast(share, ..) if role != Role::Cell => {
                let count = if role == Role::Numerator { share.have } else { share.want };
                let look = self.looks.cell(&Cell::Count(count), total, false);
                sheet.write_number_with_format(row, n, real(count), &look).map(|_| ())
            }
            Cell::TimeShare(share, ..) if role != Role::Cell => {
                let ms = if role == Role::Numerator { share.have } else { share.want };
                let hours = Cell::Number(in_hours(ms), 1);
                let look = self.looks.cell(&hours, total, false);
                sheet.write_number_with_format(row, n, in_hours(ms), &look).map(|_| ())
            }
            Cell::Share(share, decimals, target)
            | Cell::AtLeast(share, decimals, target)
            | Cell::TimeShare(share, decimals, target) => {
                // As it is shown, so that no format rounds it to a whole that is not reached.
                let places = places(*decimals);
                match format::percent_units(*share, places, *target) {
                    Some(units) => {
                        number(sheet, real(units) / libm::pow(10.0, f64::from(places) + 2.0))
                    }
                    None => text(sheet, NOT_EVALUATED),
                }
            }
            Cell::Text(said) | Cell::Verdict(_, said) if role == Role::Cell => text(sheet, said),
            Cell::NotKnown if role == Role::Cell => text(sheet, &self.looks.reader.shown(cell)),
            Cell::Count(n) if role == Role::Cell => number(sheet, real(*n)),
            Cell::Number(value, _) if value.is_finite() => number(sheet, *value),
            Cell::Duration(ms) => number(sheet, real(ms.unsigned_abs()) / 86_400_000.0),
            Cell::Instant(_) | Cell::Day(_) | Cell::Since(_) => match self.looks.date(cell) {
                Some(date) => sheet.write_datetime_with_format(row, n, date, look).map(|_| ()),
                None => text(sheet, &self.looks.reader.shown(cell)),
            },
            _ => sheet.write_blank(row, n, look).map(|_| ()),
        }
    }

    fn chart(&mut self, data: &Data<'_>) -> Result<(), XlsxError> {
        let (width, height, rows) = CHART;
        self.break_before(f64::from(rows) * ROW);
        let mut drawing = data.drawing(self.looks.reader);
        let all: f64 = self.widths.iter().map(|width| pixels(*width)).sum();
        let scale = (all / f64::from(width)).min(1.0);
        drawing.set_width(width).set_height(height).set_scale_width(scale);
        // A little below its row, so that a page does not end with its upper edge.
        self.worksheet.insert_chart_with_offset(self.row, 0, &drawing, 2, 6)?;
        for _ in 0..rows {
            self.height(ROW)?;
        }
        Ok(())
    }

    /// Begins a new page for what has no room on this one.
    fn break_before(&mut self, height: f64) {
        if self.used > 0.0 && self.used + height > self.capacity {
            self.breaks.push(self.row);
            self.used = self.repeated_height;
        }
    }

    /// Begins a page with the last rows of the table above, and its head, where what stands behind it has no room on
    /// this one: with all of that if a page has room for it, with the first of it otherwise.
    fn keep_with_tail(&mut self, tail: &Tail) {
        // A sheet repeats one head, on every page from there on.
        let may_repeat = match self.repeated {
            Some(head) => head == tail.head,
            None => self.behind.is_all,
        };
        let [first, all] = self.behind.heights;
        let behind = if tail.height + all <= self.capacity { all } else { first };
        let is_better = self.used + behind > self.capacity && tail.height + behind <= self.capacity;
        if may_repeat && is_better {
            self.breaks.push(tail.first);
            self.used = tail.height;
            self.repeated = Some(tail.head);
        }
    }

    fn down(&mut self, rows: u32, height: f64) {
        self.row += rows;
        self.used += height;
    }

    /// What depends on all of the sheet: heads that stay in view and are printed on every page.
    fn finish(self) -> Result<(), XlsxError> {
        match self.heads[..] {
            [(head, above)] if above <= FROZEN_MAX => {
                self.worksheet.set_freeze_panes(head + 1, 0)?;
            }
            _ => {
                self.worksheet.set_freeze_panes(1, 0)?;
            }
        }
        if let Some(head) = self.repeated {
            self.worksheet.set_repeat_rows(head, head)?;
        }
        if !self.breaks.is_empty() {
            self.worksheet.set_page_breaks(&self.breaks)?;
        }
        Ok(())
    }
}

/// A text as long as a cell may be.
fn fit(text: &str) -> String {
    let text = &config::plain::plain(text)[..];
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

/// Width of a column of so many digits.
fn pixels(width: f64) -> f64 {
    ((width + INDENT) * DIGIT + EDGES).floor()
}

fn column(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
