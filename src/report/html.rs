//! A report as one HTML file: for reading on screen and for printing on A4, landscape. Style and
//! charts stand in it, it loads nothing and runs nothing.

use config::Lang;

use super::markup::Markup;
use super::sheets::{Cell, Mark, Part, Report, Sheet, Table};
use super::shown::{Reader, cut, glyph, has_shares, in_hours, word};
use super::svg::svg;
use crate::words::format;
use crate::words::texts::Text;

const STYLE: &str = include_str!("html.css");

/// A report as one page.
pub fn page(report: &Report) -> String {
    let reader = Reader { lang: report.lang, zone: report.utc_offset_hours };
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
    out.open("section", &[("id", &format!("sheet-{}", sheet.id))]);
    out.leaf("h2", &[], &sheet.name).raw("\n");
    for part in &sheet.parts {
        match part {
            Part::Note(text) => {
                out.leaf("p", &[], text);
            }
            Part::Table(table) => write_table(out, table, reader),
            Part::Chart(chart) => {
                out.raw("<figure>").leaf("figcaption", &[], &chart.caption);
                out.piece(&svg(chart, reader.lang)).raw("</figure>");
            }
        }
        out.raw("\n");
    }
    out.raw("</section>\n");
}

fn write_table(out: &mut Markup, table: &Table, reader: Reader) {
    out.open("table", &[("id", &format!("table-{}", table.id))]);
    out.leaf("caption", &[], &table.caption).raw("\n<colgroup>");
    for (n, column) in table.columns.iter().enumerate() {
        if has_shares(table, n) {
            // Counts and percentage stand side by side where there is room.
            out.raw("<col>");
        } else {
            out.open("col", &[("style", &format!("width:{}ch", column.width))]);
        }
    }
    out.raw("</colgroup>\n<thead><tr>");
    for (n, column) in table.columns.iter().enumerate() {
        let is_number = table.rows.iter().filter_map(|row| row.get(n)).any(is_number);
        if is_number {
            out.leaf("th", &[("scope", &"col"), ("class", &"n")], &column.title);
        } else {
            out.leaf("th", &[("scope", &"col")], &column.title);
        }
    }
    out.raw("</tr></thead>\n<tbody>");
    for cells in &table.rows {
        out.raw("\n<tr>");
        row(out, cells, reader);
        out.raw("</tr>");
    }
    if table.rows.is_empty() {
        out.raw("\n<tr>");
        let across = table.columns.len().max(1);
        let nothing = Text::NoRows.get(reader.lang);
        out.leaf("td", &[("colspan", &across), ("class", &"none")], nothing).raw("</tr>");
    }
    out.raw("\n</tbody>");
    if let Some(cells) = &table.total {
        out.raw("\n<tfoot><tr class=\"total\">");
        row(out, cells, reader);
        out.raw("</tr></tfoot>");
    }
    out.raw("</table>");
}

fn row(out: &mut Markup, cells: &[Cell], reader: Reader) {
    for (n, cell) in cells.iter().enumerate() {
        let said = reader.shown(cell);
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
            Cell::Share(share, ..) => {
                let counts = format::share(*share, reader.lang);
                // Where the counts are long, the percentage stands below them.
                let class = if counts.chars().count() > 20 { "l" } else { "" };
                out.raw("<td class=\"n\">").leaf("small", &[("class", &class)], &counts).raw(" ");
                out.text(&said).raw("</td>");
            }
            Cell::TimeShare(share, ..) => {
                // The times are long: they are told where the pointer rests, and in the other formats.
                let hours = |ms| reader.shown(&Cell::Number(in_hours(ms), 1));
                let title = format!("{} / {} h", hours(share.have), hours(share.want));
                out.leaf("td", &[("class", &"n"), ("title", &title)], &said);
            }
            Cell::Instant(_) | Cell::Day(_) => {
                out.leaf("td", &[("class", &"d")], &said);
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
        | Cell::TimeShare(..)
        | Cell::Duration(_) => true,
        Cell::Empty | Cell::Text(_) | Cell::Verdict(..) | Cell::Instant(_) | Cell::Day(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

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
            "<small>199.520/268.800</small> 74,23 %",
            "<small>0/0</small> —",
            "<td class=\"n\">731:04:12</td>",
            "<td class=\"d\">23/11/2022 14:32:07</td>",
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
            for name in ["table", "tr", "td", "th", "section", "figure", "svg", "g", "text", "p"] {
                let opened = page.matches(&format!("<{name}>")).count()
                    + page.matches(&format!("<{name} ")).count();
                assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "{name}");
            }
            assert_eq!(page, super::page(&report));
        }
    }
}
