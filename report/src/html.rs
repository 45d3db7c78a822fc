//! A report as one HTML file: for reading on screen and for printing on A4, landscape. Style and
//! charts stand in it, it loads nothing and runs nothing.

use config::Lang;
use words::format;
use words::texts::Text;

use super::layout::{Field, Paper};
use super::markup::Markup;
use super::sheets::{Cell, Head, Mark, Report, Sheet, SheetPart, Table};
use super::shown::{Reader, cut, glyph, in_hours, word};
use super::svg::svg;

const STYLE: &str = include_str!("html.css");
/// What stands beside each other on a printed page: 273 mm, in digits of eight points.
const PAPER: Paper = Paper { across: 158.0, padding: 1.9, apart: false };
/// A table with so many rows is printed on one page, if need be on the next one.
const WHOLE_MAX: usize = 14;
/// Rows of a longer one that stand with its head at least.
const TOGETHER: usize = 3;

/// A report as one page.
pub fn page(report: &Report) -> String {
    let reader = Reader { lang: report.lang, zone: report.zone };
    let lang = if report.lang == Lang::Vi { "vi" } else { "en" };
    let mut out = Markup::default();
    out.raw("<!DOCTYPE html>\n").open("html", &[("lang", &lang)]).raw("\n<head>\n");
    out.raw("<meta charset=\"utf-8\">\n");
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.leaf("title", &[], &report.title).raw("\n<style>\n").raw(STYLE);
    foot(&mut out, &cut(&report.title, 120));
    out.raw("</style>\n</head>\n<body>\n<header>");
    out.leaf("h1", &[], &report.title).leaf("p", &[], &report.subtitle).raw("</header>\n");
    contents(&mut out, report);
    out.raw("<main>\n");
    for sheet in &report.sheets {
        section(&mut out, sheet, reader);
    }
    out.raw("</main>\n</body>\n</html>\n");
    out.finish()
}

/// What stands at the foot of every printed page.
fn foot(out: &mut Markup, title: &str) {
    out.raw("@page { @bottom-left { content: ").style_text(title);
    out.raw("; font: 8pt sans-serif; color: #57606a }");
    out.raw(" @bottom-right { content: counter(page) \" / \" counter(pages);");
    out.raw(" font: 8pt sans-serif; color: #57606a } }\n");
}

fn contents(out: &mut Markup, report: &Report) {
    out.raw("<nav aria-labelledby=\"contents\">");
    out.leaf("h2", &[("id", &"contents")], Text::Contents.get(report.lang)).raw("<ol>");
    for sheet in &report.sheets {
        out.raw("<li>").leaf("a", &[("href", &format!("#sheet-{}", sheet.id))], &sheet.name);
        out.raw("</li>");
    }
    out.raw("</ol></nav>\n");
}

fn section(out: &mut Markup, sheet: &Sheet, reader: Reader) {
    let is_form = sheet.parts.iter().any(|part| matches!(part, SheetPart::Head(_)));
    let class = if is_form { "form" } else { "" };
    out.open("section", &[("id", &format!("sheet-{}", sheet.id)), ("class", &class)]);
    out.leaf("h2", &[], &sheet.name).raw("\n");
    for part in &sheet.parts {
        match part {
            SheetPart::Note(text) => {
                out.leaf("p", &[], text);
            }
            SheetPart::Table(table) => write_table(out, table, reader),
            SheetPart::Chart(chart) => {
                out.raw("<figure>").leaf("figcaption", &[], &chart.caption);
                out.piece(&svg(chart, reader.lang)).raw("</figure>");
            }
            SheetPart::Head(head) => form_head(out, head, reader),
            SheetPart::Signatures(roles) => {
                out.raw("<div class=\"sides sign\">");
                for role in roles {
                    out.raw("<div>").leaf("strong", &[], role).raw("<br>");
                    out.leaf("em", &[], Text::ToSign.get(reader.lang)).raw("</div>");
                }
                out.raw("</div>");
            }
        }
        out.raw("\n");
    }
    out.raw("</section>\n");
}

fn form_head(out: &mut Markup, head: &Head, reader: Reader) {
    out.raw("<div class=\"sides\"><div>");
    out.text(Reader::or_dots(head.company.as_deref())).raw("<br>");
    out.leaf("strong", &[], Reader::or_dots(head.unit.as_deref())).raw("</div><div>");
    out.text(&reader.form_number(head)).raw("<br>");
    out.leaf("em", &[], &reader.place_and_date(head)).raw("</div></div>\n");
    out.leaf("h3", &[], &head.title).leaf("p", &[("class", &"period")], &head.period);
}

/// A table; one that is too wide for a page is parted.
fn write_table(out: &mut Markup, table: &Table, reader: Reader) {
    let parts = PAPER.lay_out(&[table], reader).into_iter().flatten();
    for (n, fields) in parts.enumerate() {
        let id = if n == 0 {
            format!("table-{}", table.id)
        } else {
            format!("table-{}-{}", table.id, n + 1)
        };
        let class = if table.rows.len() > WHOLE_MAX { "" } else { "whole" };
        out.open("table", &[("id", &id), ("class", &class)]);
        let caption = match n {
            0 => table.caption.clone(),
            _ => format!("{} ({})", table.caption, Text::ContinuedTable.get(reader.lang)),
        };
        out.leaf("caption", &[], &caption);
        part_of_table(out, table, &fields, reader);
        out.raw("</table>");
    }
}

fn part_of_table(out: &mut Markup, table: &Table, fields: &[Field], reader: Reader) {
    let columns = || fields.iter().map(|field| (field.column, &table.columns[field.column]));
    out.raw("\n<colgroup>");
    for (_, column) in columns() {
        if column.holds.shares() {
            // Counts and percentage stand side by side where there is room.
            out.raw("<col>");
        } else {
            out.open("col", &[("style", &format!("width:{}ch", column.width))]);
        }
    }
    out.raw("</colgroup>\n<thead><tr>");
    for (n, column) in columns() {
        let is_number = table.rows.iter().filter_map(|row| row.get(n)).any(is_number);
        if is_number {
            out.leaf("th", &[("scope", &"col"), ("class", &"n")], &column.title);
        } else {
            out.leaf("th", &[("scope", &"col")], &column.title);
        }
    }
    out.raw("</tr></thead>");
    // The first rows are kept together, and so with the head.
    let (first, rest) = table.rows.split_at(table.rows.len().min(TOGETHER));
    let mut above = None;
    for (rows, class) in [(first, "first"), (rest, "")] {
        if rows.is_empty() && (class.is_empty() || !table.rows.is_empty()) {
            continue;
        }
        out.raw("\n").open("tbody", &[("class", &class)]);
        for cells in rows {
            // What is of one day stands together.
            let day = cells.first().filter(|cell| matches!(cell, Cell::Day(_)));
            let is_same = day.is_some() && day == above;
            above = day;
            out.raw(if is_same { "\n<tr class=\"same\">" } else { "\n<tr>" });
            row(out, table, (fields, cells), reader);
            out.raw("</tr>");
        }
        if rows.is_empty() {
            out.raw("\n<tr>");
            let across = fields.len().max(1);
            let nothing = Text::NoRows.get(reader.lang);
            out.leaf("td", &[("colspan", &across), ("class", &"none")], nothing).raw("</tr>");
        }
        out.raw("\n</tbody>");
    }
    if let Some(cells) = &table.total {
        out.raw("\n<tfoot><tr class=\"total\">");
        row(out, table, (fields, cells), reader);
        out.raw("</tr></tfoot>");
    }
}

fn row(out: &mut Markup, table: &Table, (fields, cells): (&[Field], &[Cell]), reader: Reader) {
    for (n, field) in fields.iter().enumerate() {
        let cell = cells.get(field.column).unwrap_or(&Cell::Empty);
        let said = reader.shown_in(table, cell);
        match cell {
            Cell::Text(_) if n == 0 => {
                out.leaf("th", &[("scope", &"row"), ("class", &breaking(&said))], &said);
            }
            Cell::Text(_) => {
                out.leaf("td", &[("class", &breaking(&said))], &said);
            }
            // What is as it should be stays plain, so that the rest is seen.
            Cell::Verdict(Mark::Good, _) => {
                out.leaf("td", &[], &format!("{}\u{a0}{said}", glyph(Mark::Good)));
            }
            Cell::Verdict(mark, _) => {
                let class = format!("{} {}", word(*mark), breaking(&said));
                let said = format!("{}\u{a0}{said}", glyph(*mark));
                out.leaf("td", &[("class", &class.trim_end())], &said);
            }
            Cell::Share(share, ..) | Cell::AtLeast(share, ..) => {
                let counts = format::share(*share, reader.lang);
                // Where there is no room beside the counts, the percentage stands below them.
                out.raw("<td class=\"n s\">").leaf("small", &[], &counts).raw(" ");
                out.leaf("span", &[], &said).raw("</td>");
            }
            Cell::TimeShare(share, ..) => {
                // The times are long: they are told where the pointer rests, and in the other formats.
                let hours = |ms| reader.shown(&Cell::Number(in_hours(ms), 1));
                let title = format!("{} / {} h", hours(share.have), hours(share.want));
                out.leaf("td", &[("class", &"n"), ("title", &title)], &said);
            }
            Cell::Instant(_) | Cell::Day(_) | Cell::Since(_) => {
                out.leaf("td", &[("class", &"d")], &said);
            }
            Cell::NotKnown => {
                out.leaf("td", &[("class", &word(Mark::Doubt))], &said);
            }
            other if is_number(other) => {
                out.raw("<td class=\"n\">").text(&said).raw("</td>");
            }
            _ => {
                out.leaf("td", &[], &said);
            }
        }
    }
}

/// The class of texts with words that no column has room for: they may be broken anywhere.
fn breaking(text: &str) -> &'static str {
    let is_long = |word: &str| word.chars().count() > 24;
    if text.split_whitespace().any(is_long) { "w" } else { "" }
}

/// What stands flush right, digit under digit.
fn is_number(cell: &Cell) -> bool {
    match cell {
        Cell::Count(_)
        | Cell::Number(..)
        | Cell::Share(..)
        | Cell::AtLeast(..)
        | Cell::TimeShare(..)
        | Cell::Duration(_) => true,
        Cell::Empty
        | Cell::NotKnown
        | Cell::Text(_)
        | Cell::Verdict(..)
        | Cell::Instant(_)
        | Cell::Day(_)
        | Cell::Since(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_kind_of_cell_reads_as_the_language_writes_it() {
        let page = page(&sample::every_cell());
        for said in [
            "<html lang=\"vi\">",
            "<th scope=\"row\">Trạm Đông Hà</th>",
            "<td>✓\u{a0}Đủ</td>",
            "<td class=\"bad\">✗\u{a0}Thiếu</td>",
            "<td class=\"n\">8.153</td>",
            "<td class=\"n\">−1.234,57</td>",
            "<small>199.520/268.800</small> <span>74,23 %</span>",
            "<small>0/0</small> <span>—</span>",
            "<small>3/8</small> <span>≥37,50 %</span>",
            "<td class=\"n\">731:04:12,250</td>",
            "<td class=\"d\">23/11/2022 14:32:07,240</td>",
            "<td class=\"d\">29/02/2024</td>",
            "<th scope=\"col\" class=\"n\">",
            "không có dòng nào",
        ] {
            assert!(page.contains(said), "{said}");
        }
    }

    #[test]
    fn texts_of_others_never_become_markup() {
        let page = page(&sample::hostile());
        let body = page.split("<body>").nth(1).expect("a body");
        assert!(
            !page.contains("<script") && !page.contains("onerror=\"") && !page.contains('\u{1}')
        );
        assert!(body.contains("&lt;script&gt;") && body.contains("&amp;"));
        assert_eq!(page.matches("</style>").count(), 1, "a title cannot end the style sheet");
        assert_eq!(page.matches("<title").count(), page.matches("</title>").count());
        assert!(!page.contains("<img"));
    }

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let page = page(&sample::month(Lang::Vi));
        for word in [" src=", "//", "@import", "<script", "<link", "javascript:", " on"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn contents_lead_to_every_sheet() {
        let report = sample::month(Lang::Vi);
        let page = page(&report);
        for sheet in &report.sheets {
            assert!(page.contains(&format!("href=\"#sheet-{}\"", sheet.id)));
            assert!(page.contains(&format!("<section id=\"sheet-{}\"", sheet.id)));
        }
    }

    #[test]
    fn opened_elements_are_closed_and_the_same_report_is_the_same_page() {
        for report in [sample::month(Lang::En), sample::every_cell(), sample::hostile()] {
            let page = page(&report);
            for name in [
                "table", "tbody", "div", "tr", "td", "th", "section", "figure", "svg", "g", "text",
                "p",
            ] {
                let opened = page.matches(&format!("<{name}>")).count()
                    + page.matches(&format!("<{name} ")).count();
                assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
            }
            assert_eq!(page, super::page(&report));
        }
    }
}
