//! A chart as SVG, drawn to be read on screen and on paper. Colours come from the page's style
//! sheet (`.s0` to `.s5`); every series also has its own dash, marker and hatching.

use config::Lang;
use words::format;
use words::texts::Text;

use super::axis::{Axis, is_drawn, target};
use super::markup::{Attributes, Markup};
use super::sheets::{Chart, Series, Shape};
use super::shown::{Reader, cut, length};

const WIDTH: f64 = 960.0;
const PLOT_HEIGHT: f64 = 230.0;
/// Least room for the labels of the vertical axis.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
/// About how wide a character of the labels is, and how high a line of them.
const CHARACTER: f64 = 6.6;
const LINE: f64 = 18.0;
/// Distance of points that are too close for markers.
const CROWDED: f64 = 9.0;
/// Looks that differ: dash, and shape of the marker.
const DASHES: [&str; 6] = ["none", "7 3", "2 3", "9 3 2 3", "5 5", "12 3"];
/// Longest name of a category or series that is written out.
const NAME: usize = 40;

/// The frame that values are drawn in.
struct Plot {
    axis: Axis,
    left: f64,
    top: f64,
    /// Width of one category.
    slot: f64,
}

impl Plot {
    fn bottom(&self) -> f64 {
        self.top + PLOT_HEIGHT
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom() - self.axis.share(value) * PLOT_HEIGHT
    }

    /// Middle of a category.
    fn x(&self, category: usize) -> f64 {
        self.left + self.slot * (length(category) + 0.5)
    }
}

/// A chart as an element of a page.
pub(super) fn svg(chart: &Chart, lang: Lang) -> Markup {
    let reader = Reader { lang, zone: config::Zone::UTC };
    let legend = legend(chart, reader);
    let rows = legend.iter().map(|entry| entry.row + 1).max().unwrap_or(0);
    let axis = Axis::of(chart);
    let tick = |tick| format::number(tick, axis.decimals(), lang).chars().count();
    let ticks = length(axis.ticks().map(tick).max().unwrap_or(0)) * CHARACTER + 14.0;
    let labels = Labels::of(chart);
    let left = LEFT.max(ticks).max(labels.overhang());
    let top = LINE * (length(rows) + 1.0) + 6.0;
    let plot = Plot { axis, left, top, slot: (WIDTH - left - RIGHT) / slots(chart) };
    let height = plot.bottom() + labels.height();
    let (title, describing) = (format!("{}-title", chart.id), format!("{}-desc", chart.id));
    let mut out = Markup::default();
    out.open(
        "svg",
        &[
            ("viewBox", &format!("0 0 {WIDTH} {height:.0}")),
            ("role", &"img"),
            ("aria-labelledby", &format!("{title} {describing}")),
        ],
    );
    out.leaf("title", &[("id", &title)], &chart.caption);
    out.leaf("desc", &[("id", &describing)], &description(chart, reader));
    hatchings(&mut out, chart);
    grid(&mut out, chart, &plot, lang);
    labels.draw(&mut out, chart, &plot);
    for (n, series) in chart.series.iter().enumerate() {
        out.open("g", &[("class", &format!("s{}", n % DASHES.len()))]);
        match chart.shape {
            Shape::Line => line(&mut out, chart, &plot, n, series, reader),
            Shape::Bars => bars(&mut out, chart, &plot, n, series, reader),
        }
        out.close("g");
    }
    if let Some(target) = target(chart) {
        draw_target(&mut out, &plot, target);
    }
    for entry in &legend {
        entry.draw(&mut out, chart);
    }
    if chart.series.iter().all(|series| series.values.iter().flatten().all(|v| !is_drawn(*v))) {
        let (x, y) =
            (at(plot.left + (WIDTH - plot.left - RIGHT) / 2.0), at(plot.top + PLOT_HEIGHT / 2.0));
        let place: Attributes<'_> = &[("x", &x), ("y", &y), ("text-anchor", &"middle")];
        out.leaf("text", place, Text::NoValues.get(lang));
    }
    out.close("svg");
    out
}

/// What the chart shows, for those who cannot see it.
pub(super) fn description(chart: &Chart, reader: Reader) -> String {
    let shape = match chart.shape {
        Shape::Line => Text::LineChart,
        Shape::Bars => Text::BarChart,
    };
    let mut said = vec![shape.get(reader.lang).to_owned()];
    if let (Some(first), Some(last)) = (chart.categories.first(), chart.categories.last()) {
        said.push(format!("{} – {}", cut(first, NAME), cut(last, NAME)));
    }
    if let Some(target) = target(chart) {
        said.push(target_words(chart, target, reader));
    }
    let series = chart.series.iter().map(|series| extremes(chart, series, reader));
    let series: Vec<String> = series.collect();
    format!("{}. {}", said.join(", "), series.join("; "))
}

fn extremes(chart: &Chart, series: &Series, reader: Reader) -> String {
    let values = series.values.iter().flatten().copied().filter(|value| is_drawn(*value));
    let (lowest, highest) = (values.clone().reduce(f64::min), values.reduce(f64::max));
    let name = cut(&series.name, NAME);
    let (Some(lowest), Some(highest)) = (lowest, highest) else {
        return format!("{name}: {}", Text::NoValues.get(reader.lang));
    };
    format!(
        "{name}: {} {}, {} {}",
        Text::Lowest.get(reader.lang),
        with_unit(chart, lowest, reader),
        Text::Highest.get(reader.lang),
        with_unit(chart, highest, reader),
    )
}

fn with_unit(chart: &Chart, value: f64, reader: Reader) -> String {
    format!("{} {}", reader.value(value), cut(&chart.unit, NAME)).trim_end().to_owned()
}

fn target_words(chart: &Chart, target: f64, reader: Reader) -> String {
    format!("{} {}", Text::Target.get(reader.lang), with_unit(chart, target, reader))
}

/// Fills of the bars of all series but the first, which is solid.
fn hatchings(out: &mut Markup, chart: &Chart) {
    const LINES: [&str; 5] = ["M0 6L6 0", "M0 0L6 6", "M0 3H6", "M3 0V6", "M0 3H6M3 0V6"];
    if chart.shape != Shape::Bars || chart.series.len() < 2 {
        return;
    }
    out.raw("<defs>");
    for (n, lines) in LINES.iter().enumerate().take(chart.series.len() - 1) {
        out.open(
            "pattern",
            &[
                ("id", &format!("{}-h{}", chart.id, n + 1)),
                ("class", &format!("s{}", n + 1)),
                ("width", &6),
                ("height", &6),
                ("patternUnits", &"userSpaceOnUse"),
            ],
        );
        out.mark("path", &[("d", lines), ("stroke", &"currentColor"), ("stroke-width", &1.6)]);
        out.close("pattern");
    }
    out.raw("</defs>");
}

fn fill(chart: &Chart, series: usize) -> String {
    match series % DASHES.len() {
        0 => "currentColor".to_owned(),
        n => format!("url(#{}-h{n})", chart.id),
    }
}

fn grid(out: &mut Markup, chart: &Chart, plot: &Plot, lang: Lang) {
    let decimals = plot.axis.decimals();
    for tick in plot.axis.ticks() {
        let y = at(plot.y(tick));
        let near = |level: f64| (tick - level).abs() < plot.axis.step * 1e-6;
        let is_base = near(plot.axis.low) || near(0.0);
        let class = if is_base { "base" } else { "grid" };
        let (x1, x2) = (at(plot.left), at(WIDTH - RIGHT));
        out.mark("line", &[("class", &class), ("x1", &x1), ("x2", &x2), ("y1", &y), ("y2", &y)]);
        let (x, y) = (at(plot.left - 8.0), at(plot.y(tick) + 4.0));
        let label = format::number(tick, decimals, lang);
        out.leaf("text", &[("x", &x), ("y", &y), ("text-anchor", &"end")], &label);
    }
    let (x, y) = (at(plot.left - 8.0), at(plot.top - 12.0));
    let unit = cut(&chart.unit, NAME);
    let anchor = if unit.chars().count() > 6 { "start" } else { "end" };
    let x = if anchor == "end" { x } else { at(4.0) };
    out.leaf("text", &[("class", &"unit"), ("x", &x), ("y", &y), ("text-anchor", &anchor)], &unit);
}

/// How the categories are written: in a row, thinned out until they have room, or slanting where
/// every one has a name of its own.
struct Labels {
    every: usize,
    slanting: bool,
    longest: usize,
}

impl Labels {
    /// Characters of a slanting name.
    const SLANTING: usize = 18;

    fn of(chart: &Chart) -> Self {
        let letters = |name: &String| name.chars().count().min(NAME);
        let longest = chart.categories.iter().map(letters).max().unwrap_or(0);
        let room = (length(longest) + 1.5) * CHARACTER;
        let slot = (WIDTH - 2.0 * LEFT) / slots(chart);
        let slanting = chart.shape == Shape::Bars && room > slot && slot > LINE;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let every = if slanting { 1 } else { (room / slot).ceil().max(1.0) as usize };
        Self { every, slanting, longest }
    }

    /// How far a slanting name may reach to the left of its category.
    fn overhang(&self) -> f64 {
        if self.slanting { length(self.longest.min(Self::SLANTING)) * CHARACTER * 0.7 } else { 0.0 }
    }

    fn height(&self) -> f64 {
        let slanting = length(self.longest.min(Self::SLANTING)) * CHARACTER * 0.6 + 26.0;
        if self.slanting { slanting } else { 30.0 }
    }

    fn draw(&self, out: &mut Markup, chart: &Chart, plot: &Plot) {
        for (n, name) in chart.categories.iter().enumerate().step_by(self.every) {
            let (x, tick) = (at(plot.x(n)), plot.bottom());
            let (y1, y2) = (at(tick), at(tick + 5.0));
            out.mark(
                "line",
                &[("class", &"base"), ("x1", &x), ("x2", &x), ("y1", &y1), ("y2", &y2)],
            );
            let y = at(tick + 19.0);
            if self.slanting {
                let turn = format!("rotate(-35 {x} {y})");
                let place: Attributes<'_> =
                    &[("x", &x), ("y", &y), ("text-anchor", &"end"), ("transform", &turn)];
                out.leaf("text", place, &cut(name, Self::SLANTING));
            } else {
                let place: Attributes<'_> = &[("x", &x), ("y", &y), ("text-anchor", &"middle")];
                out.leaf("text", place, &cut(name, NAME));
            }
        }
    }
}

/// A line that ends where a value is missing and begins anew behind it. Where points are close
/// only those without neighbours are marked.
fn line(out: &mut Markup, chart: &Chart, plot: &Plot, n: usize, series: &Series, reader: Reader) {
    let points: Vec<Option<(usize, f64)>> = (series.values.iter().enumerate())
        .take(chart.categories.len())
        .map(|(n, value)| value.filter(|value| is_drawn(*value)).map(|value| (n, value)))
        .collect();
    for run in points.split(Option::is_none) {
        let run: Vec<(usize, f64)> = run.iter().flatten().copied().collect();
        if run.len() > 1 {
            let place =
                |(n, value): &(usize, f64)| format!("{},{}", at(plot.x(*n)), at(plot.y(*value)));
            let path: Vec<String> = run.iter().map(place).collect();
            let dash = DASHES[n % DASHES.len()];
            out.mark(
                "polyline",
                &[("class", &"line"), ("points", &path.join(" ")), ("stroke-dasharray", &dash)],
            );
            if plot.slot < CROWDED {
                continue;
            }
        }
        for (category, value) in run {
            let said = point_words(chart, series, category, value, reader);
            marker(out, n, plot.x(category), plot.y(value), &said);
        }
    }
}

/// What a pointer that rests on a value is told.
fn point_words(chart: &Chart, series: &Series, at: usize, value: f64, reader: Reader) -> String {
    let category = chart.categories.get(at).map_or("", String::as_str);
    let (name, value) = (cut(&series.name, NAME), with_unit(chart, value, reader));
    format!("{name}, {}: {value}", cut(category, NAME))
}

fn marker(out: &mut Markup, n: usize, x: f64, y: f64, said: &str) {
    let shape = match n % DASHES.len() {
        0 => "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z",
        1 => "m-3 -3h6v6h-6z",
        2 => "m0 -4l4 7h-8z",
        3 => "m0 -4.2l4.2 4.2l-4.2 4.2l-4.2 -4.2z",
        4 => "m-3 -3l6 6m0 -6l-6 6",
        _ => "m-4 0h8m-4 -4v8",
    };
    let path = format!("M{} {}{shape}", at(x), at(y));
    out.open("path", &[("class", &"dot"), ("d", &path)]).leaf("title", &[], said).close("path");
}

fn bars(out: &mut Markup, chart: &Chart, plot: &Plot, n: usize, series: &Series, reader: Reader) {
    let group = (plot.slot * 0.72).min(40.0 * length(chart.series.len()));
    let width = group / length(chart.series.len().max(1));
    let zero = plot.y(0.0);
    let fill = fill(chart, n);
    for (category, value) in series.values.iter().enumerate().take(chart.categories.len()) {
        let Some(value) = value.filter(|value| is_drawn(*value)) else { continue };
        let (x, y) = (plot.x(category) - group / 2.0 + width * length(n), plot.y(value));
        let said = point_words(chart, series, category, value, reader);
        out.open(
            "rect",
            &[
                ("class", &"bar"),
                ("x", &at(x + 1.0)),
                ("y", &at(y.min(zero))),
                ("width", &at((width - 2.0).max(1.0))),
                ("height", &at((y - zero).abs().max(0.5))),
                ("fill", &fill),
            ],
        );
        out.leaf("title", &[], &said).close("rect");
    }
}

fn draw_target(out: &mut Markup, plot: &Plot, target: f64) {
    let (x1, x2, y) = (at(plot.left), at(WIDTH - RIGHT), at(plot.y(target)));
    out.mark("line", &[("class", &"target"), ("x1", &x1), ("x2", &x2), ("y1", &y), ("y2", &y)]);
}

/// One series, or the target, in the legend.
struct Entry {
    series: Option<usize>,
    name: String,
    x: f64,
    row: usize,
}

/// The legend, where there is more to tell apart than one series.
fn legend(chart: &Chart, reader: Reader) -> Vec<Entry> {
    let series = chart.series.iter().map(|series| cut(&series.name, NAME)).enumerate();
    let target = target(chart).map(|target| (None, target_words(chart, target, reader)));
    let (mut x, mut row) = (LEFT, 0);
    let mut entries = Vec::with_capacity(chart.series.len() + 1);
    for (series, name) in series.map(|(n, name)| (Some(n), name)).chain(target) {
        let width = length(name.chars().count()) * CHARACTER + 58.0;
        if x + width > WIDTH - RIGHT && x > LEFT {
            (x, row) = (LEFT, row + 1);
        }
        entries.push(Entry { series, name, x, row });
        x += width;
    }
    if entries.len() < 2 { Vec::new() } else { entries }
}

impl Entry {
    fn draw(&self, out: &mut Markup, chart: &Chart) {
        let y = LINE * (length(self.row) + 0.5);
        if let Some(n) = self.series {
            self.swatch(out, chart, n, y);
        } else {
            let (x1, x2, y) = (at(self.x), at(self.x + 32.0), at(y));
            let line: Attributes<'_> =
                &[("class", &"target"), ("x1", &x1), ("x2", &x2), ("y1", &y), ("y2", &y)];
            out.mark("line", line);
        }
        let (x, y) = (at(self.x + 38.0), at(y + 4.0));
        out.leaf("text", &[("x", &x), ("y", &y)], &self.name);
    }

    fn swatch(&self, out: &mut Markup, chart: &Chart, n: usize, y: f64) {
        let look = n % DASHES.len();
        out.open("g", &[("class", &format!("s{look}"))]);
        match chart.shape {
            Shape::Line => {
                let points = format!("{},{y} {},{y}", at(self.x), at(self.x + 32.0));
                let line: Attributes<'_> =
                    &[("class", &"line"), ("points", &points), ("stroke-dasharray", &DASHES[look])];
                out.mark("polyline", line);
                marker(out, n, self.x + 16.0, y, &self.name);
            }
            Shape::Bars => {
                let (x, y, fill) = (at(self.x + 8.0), at(y - 6.0), fill(chart, n));
                let bar: Attributes<'_> = &[
                    ("class", &"bar"),
                    ("x", &x),
                    ("y", &y),
                    ("width", &24),
                    ("height", &12),
                    ("fill", &fill),
                ];
                out.mark("rect", bar);
            }
        }
        out.close("g");
    }
}

/// Categories that share the width.
fn slots(chart: &Chart) -> f64 {
    length(chart.categories.len().max(1))
}

/// A coordinate.
fn at(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn drawn(id: &str, lang: Lang) -> String {
        let report = sample::month(lang);
        let chart = sample::charts(&report).find(|chart| chart.id == id).expect("a chart");
        svg(chart, lang).finish()
    }

    #[test]
    fn a_line_is_parted_where_a_value_is_missing() {
        let whole = drawn("live_by_day", Lang::Vi);
        // Two series; the first has one gap.
        assert_eq!(whole.matches("<polyline class=\"line\"").count(), 2 + 1 + 2, "{whole}");
        assert_eq!(whole.matches("class=\"dot\"").count(), 29 + 30 + 2);
        assert!(!whole.contains("NaN"));
    }

    #[test]
    fn a_chart_says_what_it_shows_without_being_seen() {
        let whole = drawn("live_by_day", Lang::Vi);
        assert!(whole.contains("aria-labelledby=\"live_by_day-title live_by_day-desc\""));
        assert!(whole.contains("Biểu đồ đường, 01/11 – 30/11, mục tiêu 98 %"), "{whole}");
        assert!(whole.contains("thấp nhất"));
        assert!(drawn("live_by_day", Lang::En).contains("Line chart"));
    }

    #[test]
    fn series_differ_by_more_than_colour() {
        let lines = drawn("live_by_day", Lang::Vi);
        assert!(lines.contains("stroke-dasharray=\"none\"") && lines.contains("\"7 3\""));
        let bars = drawn("outages", Lang::Vi);
        assert!(bars.contains("fill=\"currentColor\"") && bars.contains("url(#outages-h1)"));
    }

    #[test]
    fn charts_without_values_and_with_hostile_names_are_charts() {
        for report in [sample::every_cell(), sample::hostile()] {
            for chart in sample::charts(&report) {
                let whole = svg(chart, Lang::Vi).finish();
                assert!(!whole.contains("NaN") && !whole.contains("inf"), "{whole}");
                assert!(!whole.contains("<script"), "{whole}");
            }
        }
        let report = sample::every_cell();
        let empty = sample::charts(&report).next().expect("a chart");
        assert!(svg(empty, Lang::En).finish().contains("no values"));
    }

    #[test]
    fn a_month_of_hours_is_a_line_without_markers() {
        let report = sample::month(Lang::Vi);
        let mut chart = sample::charts(&report).nth(1).expect("a chart").clone();
        chart.categories = (0..720).map(|hour| format!("{hour} h")).collect();
        chart.series.truncate(1);
        chart.target = None;
        chart.series[0].values = (0..720).map(|n| (n % 100 != 50).then_some(99.0)).collect();
        chart.series[0].values[52] = None;
        let whole = svg(&chart, Lang::Vi).finish();
        assert_eq!(whole.matches("class=\"dot\"").count(), 1, "the hour between two gaps");
        assert_eq!(whole.matches("<polyline").count(), 8);
    }
}
