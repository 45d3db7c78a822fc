//! Charts of a workbook, and the sheet with the numbers that they are drawn from.

use rust_xlsxwriter::{
    Chart as Drawing, ChartAxisLabelPosition, ChartEmptyCells, ChartFont, ChartFormat,
    ChartLegendPosition, ChartLine, ChartLineDashType, ChartMarker, ChartMarkerType,
    ChartPatternFill, ChartPatternFillType, ChartSeries, ChartSolidFill, Worksheet, XlsxError,
};
use words::texts::Text;

use super::looks::{self, Looks};
use super::{column, fit};
use crate::axis::{Axis, is_drawn, target};
use crate::sheets::{Cell, Chart, Shape};
use crate::shown::{Reader, cut};
use crate::svg::description;

/// How each series looks, so that it is told apart without its colour too.
const COLOURS: [u32; 6] = [0x00_67_A5, 0xB8_42_0A, 0x00_79_5A, 0x8D_4A_8F, 0x8A_6A_00, 0x4A_55_60];
const TARGET: u32 = 0xB0_00_20;
const DASHES: [ChartLineDashType; 6] = [
    ChartLineDashType::Solid,
    ChartLineDashType::Dash,
    ChartLineDashType::RoundDot,
    ChartLineDashType::DashDot,
    ChartLineDashType::SquareDot,
    ChartLineDashType::LongDash,
];
const MARKERS: [ChartMarkerType; 6] = [
    ChartMarkerType::Circle,
    ChartMarkerType::Square,
    ChartMarkerType::Triangle,
    ChartMarkerType::Diamond,
    ChartMarkerType::X,
    ChartMarkerType::PlusSign,
];
const PATTERNS: [ChartPatternFillType; 5] = [
    ChartPatternFillType::DiagonalStripesWideUpwards,
    ChartPatternFillType::DiagonalStripesWideDownwards,
    ChartPatternFillType::HorizontalStripesDark,
    ChartPatternFillType::VerticalStripesDark,
    ChartPatternFillType::SmallGrid,
];
/// Categories that can be named along an axis.
const NAMED: usize = 16;

/// Whether there is nothing that a chart could be drawn from.
pub(super) fn is_empty(chart: &Chart) -> bool {
    chart.series.is_empty() || chart.categories.is_empty()
}

/// Where the numbers of a chart stand: caption, heads, and a row for each category.
pub(super) struct Data<'a> {
    pub(super) chart: &'a Chart,
    /// Name of the sheet.
    pub(super) sheet: &'a str,
    /// Row of the caption.
    pub(super) row: u32,
}

impl Data<'_> {
    fn first(&self) -> u32 {
        self.row + 2
    }

    fn last(&self) -> u32 {
        self.row + 1 + u32::try_from(self.chart.categories.len()).unwrap_or(u32::MAX / 2)
    }

    /// The row behind it, with one left free.
    pub(super) fn end(&self) -> u32 {
        self.last() + 2
    }

    fn range(&self, n: usize) -> (&str, u32, u16, u32, u16) {
        (self.sheet, self.first(), column(n), self.last(), column(n))
    }

    /// The chart, drawn from these cells.
    pub(super) fn drawing(&self, reader: Reader) -> Drawing {
        let Self { chart, .. } = self;
        let axis = Axis::of(chart);
        let mut drawing = match chart.shape {
            Shape::Line => Drawing::new_line(),
            Shape::Bars => Drawing::new_column(),
        };
        for n in 0..chart.series.len() {
            // A series that is made first and pushed then would lose its marker.
            self.series(n, drawing.add_series());
        }
        if target(chart).is_some() {
            match chart.shape {
                Shape::Line => self.target(drawing.add_series()),
                Shape::Bars => {
                    let mut line = Drawing::new_line();
                    self.target(line.add_series());
                    drawing.combine(&line);
                }
            }
        }
        drawing.show_empty_cells_as(ChartEmptyCells::Gaps);
        drawing.set_alt_text(format!("{}. {}", chart.caption, description(chart, reader)));
        // Named by their cells: a name given as a text may be taken for a reference to others.
        drawing.title().set_name((self.sheet, self.row, 0)).set_font(&heading());
        if chart.series.len() > 1 || target(chart).is_some() {
            drawing.legend().set_position(ChartLegendPosition::Bottom).set_font(&labels());
        } else {
            drawing.legend().set_hidden();
        }
        let every = u16::try_from(chart.categories.len().div_ceil(NAMED)).unwrap_or(u16::MAX);
        drawing
            .x_axis()
            .set_font(&labels())
            .set_text_axis(true)
            .set_label_position(ChartAxisLabelPosition::Low)
            .set_label_interval(every)
            .set_tick_interval(every);
        let decimals = u32::try_from(axis.decimals()).unwrap_or(0);
        drawing
            .y_axis()
            .set_font(&labels())
            .set_num_format(Looks::new(reader).number(decimals))
            .set_min(axis.low)
            .set_max(axis.high)
            .set_major_unit(axis.step)
            .set_major_gridlines_line(ChartLine::new().set_color(0xD0_D7_DE));
        drawing
    }

    fn series(&self, n: usize, series: &mut ChartSeries) {
        let look = n % COLOURS.len();
        self.cells(n + 1, series);
        let mut line = ChartLine::new();
        line.set_color(COLOURS[look]).set_width(2).set_dash_type(DASHES[look]);
        let mut solid = ChartSolidFill::new();
        solid.set_color(COLOURS[look]);
        let mut format = ChartFormat::new();
        match (self.chart.shape, look) {
            (Shape::Line, _) => {
                let mut dot = ChartFormat::new();
                dot.set_solid_fill(&solid).set_line(ChartLine::new().set_color(COLOURS[look]));
                let mut marker = ChartMarker::new();
                marker.set_type(MARKERS[look]).set_size(5).set_format(&mut dot);
                series.set_marker(&marker);
                format.set_line(&line);
            }
            (Shape::Bars, 0) => {
                format.set_solid_fill(&solid);
            }
            (Shape::Bars, _) => {
                let mut pattern = ChartPatternFill::new();
                pattern.set_pattern(PATTERNS[look - 1]);
                pattern.set_foreground_color(COLOURS[look]).set_background_color(0xFF_FF_FF);
                format.set_pattern_fill(&pattern);
                format.set_border(ChartLine::new().set_color(COLOURS[look]));
            }
        }
        if self.chart.shape == Shape::Bars {
            series.set_gap(60);
        }
        series.set_format(&mut format);
    }

    fn target(&self, series: &mut ChartSeries) {
        let mut line = ChartLine::new();
        line.set_color(TARGET).set_width(1.5).set_dash_type(ChartLineDashType::LongDashDot);
        self.cells(self.chart.series.len() + 1, series);
        series.set_format(ChartFormat::new().set_line(&line));
        series.set_marker(ChartMarker::new().set_none());
    }

    fn cells(&self, n: usize, series: &mut ChartSeries) {
        series.set_name((self.sheet, self.row + 1, column(n)));
        series.set_categories(self.range(0)).set_values(self.range(n));
    }

    fn write(&self, worksheet: &mut Worksheet, looks: &Looks) -> Result<(), XlsxError> {
        let Self { chart, row, .. } = self;
        let unit = if chart.unit.is_empty() { String::new() } else { format!(" ({})", chart.unit) };
        let caption = cut(&format!("{}{unit}", chart.caption), 250);
        worksheet.write_with_format(*row, 0, caption, &looks::caption())?;
        let level = target(chart);
        let target = Text::Target.get(looks.reader.lang).to_owned();
        let names = chart.series.iter().map(|series| &series.name);
        worksheet.write_with_format(row + 1, 0, "", &looks::head())?;
        for (n, name) in names.chain(level.map(|_| &target)).enumerate() {
            worksheet.write_with_format(row + 1, column(n + 1), cut(name, 250), &looks::head())?;
        }
        for (category, row) in chart.categories.iter().zip(self.first()..) {
            let look = looks.cell(&Cell::Text(category.clone()), false, false);
            worksheet.write_string_with_format(row, 0, fit(category), &look)?;
        }
        let values = chart.series.iter().map(|series| series.values.clone());
        let target = level.map(|target| vec![Some(target); chart.categories.len()]);
        for (n, values) in values.chain(target).enumerate() {
            let look = looks.cell(&Cell::Number(0.0, decimals(&values)), false, false);
            let values = values.into_iter().chain(std::iter::repeat(None));
            for (value, row) in values.zip(self.first()..=self.last()) {
                match value.filter(|value| is_drawn(*value)) {
                    Some(value) => {
                        worksheet.write_number_with_format(row, column(n + 1), value, &look)?;
                    }
                    None => {
                        worksheet.write_blank(row, column(n + 1), &look)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Two decimals where there are any.
fn decimals(values: &[Option<f64>]) -> u8 {
    let is_whole = |value: &f64| value.fract() == 0.0;
    if values.iter().flatten().all(is_whole) { 0 } else { 2 }
}

/// The numbers of all charts, below each other.
pub(super) fn write(
    worksheet: &mut Worksheet,
    data: &[Data<'_>],
    looks: &Looks,
) -> Result<(), XlsxError> {
    worksheet.set_column_width(0, 22)?;
    worksheet.set_column_range_width(1, 12, 14)?;
    for block in data {
        block.write(worksheet, looks)?;
    }
    worksheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// What stands above a chart.
fn heading() -> ChartFont {
    let mut font = ChartFont::new();
    font.set_size(12).set_bold();
    font
}

/// What stands along its axes and in its legend: as large as the type of the sheet, so that it is eight points at least
/// where a page is made smaller.
fn labels() -> ChartFont {
    let mut font = ChartFont::new();
    font.set_size(11);
    font
}
