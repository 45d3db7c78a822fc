//! Workbooks, read back by another library than the one that wrote them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::time::{Duration, Instant};

use calamine::{Data as Read, DataType as _, Range, Reader as _, Xlsx};
use config::Lang;

use super::*;
use crate::sample;
use crate::spreadsheet::is_like_a_formula;

type Book = Xlsx<Cursor<Vec<u8>>>;

fn open(report: &Report) -> Book {
    Xlsx::new(Cursor::new(bytes(report).unwrap())).unwrap()
}

/// The rows from the head on whose first cell is given.
fn below(range: &Range<Read>, head: &str) -> Vec<Vec<Read>> {
    let rows = range.rows().map(<[Read]>::to_vec);
    rows.skip_while(|row| row[0] != Read::String(head.to_owned())).collect()
}

fn number(cell: &Read) -> f64 {
    match cell {
        Read::Float(value) => *value,
        Read::DateTime(value) => value.as_f64(),
        _ => f64::NAN,
    }
}

fn is_near(cell: &Read, value: f64) -> bool {
    (number(cell) - value).abs() < 1e-9
}

#[test]
fn every_kind_of_cell_comes_back_as_the_number_that_it_is() {
    let mut book = open(&sample::every_cell());
    let range = book.worksheet_range("Ô").unwrap();
    let rows = below(&range, "text");
    let heads: Vec<String> = rows[0].iter().take(10).map(ToString::to_string).collect();
    assert_eq!(
        heads,
        [
            "text",
            "verdict",
            "count",
            "number",
            "share",
            "share: tử số",
            "share: mẫu số",
            "duration",
            "instant",
            "day"
        ]
    );
    let row = &rows[1];
    assert_eq!(row[0], Read::String("Trạm Đông Hà".to_owned()));
    assert_eq!(row[1], Read::String("Đủ".to_owned()), "the word alone, without its glyph");
    assert!(is_near(&row[2], 8_153.0) && is_near(&row[3], -1_234.567_8));
    assert!(is_near(&row[4], 0.7423) && is_near(&row[5], 199_520.0));
    assert!(is_near(&row[6], 268_800.0) && is_near(&row[7], 2_631_852.25 / 86_400.0));
    // Excel counts days from the end of 1899: 2022-11-23 14:32:07.240, in local time.
    let noon = 44_888.0 + (14.0 * 3_600.0 + 32.0 * 60.0 + 7.24) / 86_400.0;
    assert!((number(&row[8]) - noon).abs() < 1e-8, "{:?}", row[8]);
    assert!(is_near(&row[9], 44_888.0));
    // Since then, or before: a moment for who calculates, with a mark for who reads.
    assert!((number(&row[10]) - noon).abs() < 1e-8, "{:?}", row[10]);
    let looks = &files(&sample::every_cell())["xl/styles.xml"];
    assert!(looks.contains("&quot;≤&quot;dd/mm/yyyy hh:mm:ss"), "{looks}");
}

#[test]
fn a_percentage_is_never_a_whole_that_is_not_reached_and_nothing_is_a_dash() {
    let mut book = open(&sample::every_cell());
    let rows = below(&book.worksheet_range("Ô").unwrap(), "text");
    assert_eq!(rows[2][4], Read::String("—".to_owned()));
    assert!(is_near(&rows[2][5], 0.0) && is_near(&rows[2][6], 0.0));
    assert!(is_near(&rows[4][4], 0.9999), "99 999 of 100 000 is below 100 %");
    assert!(is_near(&rows[5][4], 1.0));
    assert_eq!(rows[2][7], Read::String("−0:00:01,500".to_owned()), "no calendar has this");
    assert_eq!(rows[4][9], Read::String("01/01/1".to_owned()), "nor this");
    assert!(rows[3].iter().all(Read::is_empty), "a row of nothing is empty");
    assert!(is_near(&rows[6][4], 0.375) && is_near(&rows[6][5], 3.0) && is_near(&rows[6][6], 8.0));
    assert_eq!(rows[7][0], Read::String("Cộng".to_owned()));
}

#[test]
fn charts_are_drawn_from_cells_and_a_gap_is_an_empty_cell() {
    let report = sample::month(Lang::Vi);
    let mut book = open(&report);
    let range = book.worksheet_range("Số liệu biểu đồ").unwrap();
    for chart in sample::charts(&report) {
        let rows = below(&range, &format!("{} ({})", chart.caption, chart.unit));
        assert_eq!(rows[1][1], Read::String(chart.series[0].name.clone()));
        for (n, category) in chart.categories.iter().enumerate() {
            assert_eq!(rows[n + 2][0], Read::String(category.clone()));
            for (m, series) in chart.series.iter().enumerate() {
                match series.values[n] {
                    Some(value) => assert!(is_near(&rows[n + 2][m + 1], value)),
                    None => assert!(rows[n + 2][m + 1].is_empty()),
                }
            }
        }
    }
}

#[test]
fn texts_of_others_are_texts_and_nothing_in_a_workbook_is_a_formula() {
    let report = sample::hostile();
    let mut book = open(&report);
    let name = &report.sheets[0].name;
    let range = book.worksheet_range(name).unwrap();
    let said: Vec<String> = range.used_cells().map(|(_, _, cell)| cell.to_string()).collect();
    for text in sample::HOSTILE.iter().filter(|text| !text.contains(['\r', '\u{1}'])) {
        assert!(said.iter().any(|said| said == text), "{text:?}");
    }
    assert!(said.iter().any(|said| is_like_a_formula(said)), "there is something to fear");
    for sheet in book.sheet_names() {
        assert!(book.worksheet_formula(&sheet).unwrap().is_empty(), "{sheet}");
    }
    let longest = said.iter().map(|said| said.encode_utf16().count()).max();
    assert_eq!(longest, Some(TEXT_MAX));
}

#[test]
fn sheets_stand_in_order_with_the_numbers_of_the_charts_last() {
    let report = sample::month(Lang::En);
    let mut names: Vec<&str> = report.sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    names.push("Chart data");
    assert_eq!(open(&report).sheet_names(), names);
    assert_eq!(open(&sample::every_cell()).sheet_names().len(), 4, "an empty sheet is one too");
}

#[test]
fn a_workbook_does_not_tell_when_it_was_written() {
    let reports = [sample::month(Lang::Vi), sample::every_cell(), sample::hostile()];
    let write = || reports.each_ref().map(|report| bytes(report).unwrap());
    let first = write();
    // A workbook can tell times to the second.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_100) {
        assert!(first == write());
    }
}

#[test]
fn a_name_that_no_tab_can_have_is_an_error() {
    let mut report = sample::every_cell();
    report.sheets[0].name = "a/b".to_owned();
    assert!(bytes(&report).is_err());
}

/// The files of a workbook, by name.
fn files(report: &Report) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes(report).unwrap())).unwrap();
    let mut files = BTreeMap::new();
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        files.insert(file.name().unwrap().into_owned(), text);
    }
    files
}

/// What stands in an attribute, each time that it is there.
fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    text.split(begin.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

fn numbers(text: &str, name: &str) -> Vec<f64> {
    attributes(text, name).iter().map(|said| said.parse().unwrap()).collect()
}

#[test]
fn sheets_print_on_a4_with_type_of_eight_points_and_the_heads_of_long_tables_on_each_page() {
    for lang in [Lang::Vi, Lang::En] {
        let files = files(&sample::month(lang));
        let workbook = &files["xl/workbook.xml"];
        let sheets: Vec<&str> = workbook.split("<sheet ").skip(1).collect();
        let type_pt = numbers(&files["xl/styles.xml"].replace("<sz val", "<sz size"), "size");
        let smallest = type_pt.into_iter().fold(f64::INFINITY, f64::min);
        let mut long = 0;
        for (n, named) in sheets.iter().enumerate() {
            let named = named.split("/>").next().unwrap();
            let sheet = &files[&format!("xl/worksheets/sheet{}.xml", n + 1)];
            if n + 1 == sheets.len() {
                assert!(named.contains("state=\"hidden\""), "numbers of charts: {named}");
                continue;
            }
            assert!(!named.contains("hidden"), "{named}");
            for set in ["paperSize=\"9\"", "orientation=\"landscape\"", "fitToPage=\"1\""] {
                assert!(sheet.contains(set), "{named}: {set}");
            }
            // Inches of A4 within the margins; a column of so many digits has seven pixels each, 96 an inch.
            let margins = numbers(sheet, "left")[0] + numbers(sheet, "right")[0];
            let columns = sheet.split("<col ").skip(1).map(|column| {
                let column = format!(" {column}");
                let count = numbers(&column, "max")[0] - numbers(&column, "min")[0] + 1.0;
                count * numbers(&column, "width")[0] * 7.0 / 96.0
            });
            let scale = ((297.0 / 25.4 - margins) / columns.sum::<f64>()).min(1.0);
            // Points of a page within its margins, and of the rows of each table.
            let margins = numbers(sheet, "top")[0] + numbers(sheet, "bottom")[0];
            let page = (210.0 / 25.4 - margins) * 72.0 / scale;
            let heights: BTreeMap<u32, f64> = sheet
                .split("<row ")
                .skip(1)
                .map(|row| {
                    let row = format!(" {}", row.split('>').next().unwrap());
                    let height = numbers(&row, "ht").first().copied().unwrap_or(ROW);
                    (attributes(&row, "r")[0].parse().unwrap(), height)
                })
                .collect();
            // A sheet that is little more than a page is made smaller with its height, too.
            let all: f64 = (1..=*heights.keys().max().unwrap())
                .map(|row| heights.get(&row).copied().unwrap_or(ROW))
                .sum();
            let is_one = !sheet.contains("fitToHeight=\"0\"");
            let scale = if is_one { scale * (page / all).min(1.0) } else { scale };
            assert!(smallest * scale >= 8.0, "{named}: {smallest} points at {scale}");
            let related = files.get(&format!("xl/worksheets/_rels/sheet{}.xml.rels", n + 1));
            let targets = related.map_or_else(Vec::new, |text| attributes(text, "Target"));
            for table in targets.iter().filter_map(|target| target.strip_prefix("../tables/")) {
                let ends = attributes(&files[&format!("xl/tables/{table}")], "ref")[0];
                let digits = |cell: &str| {
                    cell.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>()
                };
                let (first, last) = ends.split_once(':').unwrap();
                let (first, last) = (digits(first).unwrap(), digits(last).unwrap());
                let height: f64 = (first..=last).map(|row| heights.get(&row).unwrap_or(&ROW)).sum();
                if height > page {
                    long += 1;
                    let title = format!("localSheetId=\"{n}\"");
                    let of_sheet = workbook
                        .split("<definedName ")
                        .find(|name| name.contains("_xlnm.Print_Titles") && name.contains(&title));
                    let rows = format!("${first}:${first}<");
                    assert!(of_sheet.is_some_and(|name| name.contains(&rows)), "{named}: {table}");
                }
            }
        }
        assert!(long > 0, "some table is longer than a page");
    }
}

#[test]
fn signatures_that_have_no_room_take_the_last_rows_of_the_table_and_its_head_with_them() {
    let mut taken = 0;
    for rows in 10..45 {
        let mut report = sample::every_cell();
        let table = Table {
            id: "signed",
            caption: "Signed".to_owned(),
            columns: sample::columns(&["text", "count"]),
            rows: (0..rows).map(|n| vec![Cell::Text("a".to_owned()), Cell::Count(n)]).collect(),
            total: None,
        };
        let roles = vec!["One".to_owned(), "Two".to_owned()];
        report.sheets.truncate(1);
        report.sheets[0].parts = vec![SheetPart::Table(table), SheetPart::Signatures(roles)];
        let files = files(&report);
        let sheet = &files["xl/worksheets/sheet1.xml"];
        // Heading, caption and head are five rows; the signatures come behind an empty one.
        let end = 5 + u32::try_from(rows).unwrap();
        let breaks = sheet
            .split("<brk ")
            .skip(1)
            .map(|own| attributes(&format!(" {own}"), "id")[0].parse::<u32>().unwrap());
        if let Some(last) = breaks.max() {
            assert!(last <= end - TOGETHER_ROWS, "{rows} rows: {last}");
            assert!(files["xl/workbook.xml"].contains("Print_Titles"), "{rows} rows");
            taken += 1;
        }
    }
    assert!(taken > 0);
}

/// A report of one sheet with these parts.
fn sheet_of(parts: Vec<SheetPart>) -> Report {
    let mut report = sample::every_cell();
    report.sheets.truncate(1);
    report.sheets[0].parts = parts;
    report
}

fn table_of_rows(id: &'static str, rows: u64) -> Table {
    let row = |n| vec![Cell::Text("a".to_owned()), Cell::Count(n)];
    Table {
        id,
        caption: id.to_owned(),
        columns: sample::columns(&["text", "count"]),
        rows: (0..rows).map(row).collect(),
        total: None,
    }
}

/// Rows behind which a page ends.
fn breaks(sheet: &str) -> Vec<u32> {
    let own = sheet.split("<brk ").skip(1).map(|own| format!(" {own}"));
    own.map(|own| attributes(&own, "id")[0].parse().unwrap()).collect()
}

#[test]
fn no_page_begins_with_what_stands_behind_a_table() {
    let note = || SheetPart::Note("Energy ".repeat(150));
    let ends: [fn(SheetPart) -> Vec<SheetPart>; 4] = [
        |note| vec![note],
        |note| vec![note, SheetPart::Note("And more.".to_owned())],
        |_| vec![SheetPart::Table(table_of_rows("nothing", 0))],
        |note| vec![SheetPart::Table(table_of_rows("nothing", 0)), note],
    ];
    let mut taken = 0;
    for (above, end, rows) in [0, 6]
        .into_iter()
        .flat_map(|above| ends.map(|end| (above, end)))
        .flat_map(|(above, end)| (3..90).map(move |rows| (above, end, rows)))
    {
        let first = (above > 0).then(|| SheetPart::Table(table_of_rows("above", above)));
        let own = SheetPart::Table(table_of_rows("table", rows));
        let report = sheet_of(first.into_iter().chain([own]).chain(end(note())).collect());
        let files = files(&report);
        for (name, sheet) in
            files.iter().filter(|(name, _)| name.starts_with("xl/worksheets/sheet"))
        {
            // Rows of tables: numbers stand in their second column.
            let numbers: Vec<u32> = sheet
                .split("<c r=\"B")
                .skip(1)
                .filter(|cell| {
                    cell.split("</c>")
                        .next()
                        .is_some_and(|own| own.contains("<v>") && !own.contains("t=\"s\""))
                })
                .map(|cell| cell.split('"').next().unwrap().parse().unwrap())
                .collect();
            let Some(last) = numbers.last() else { panic!("{name} has no rows") };
            for own in breaks(sheet) {
                assert!(
                    own < *last,
                    "{name}: {rows} rows below {above}: a page begins behind them, {own} of {last}"
                );
                taken += 1;
            }
        }
    }
    assert!(taken > 100, "{taken}");
}

#[test]
fn that_there_is_no_row_is_said_across_the_table() {
    for (lang, said) in [(Lang::Vi, "không có dòng nào"), (Lang::En, "no rows")] {
        let mut table = table_of_rows("nothing", 0);
        for column in &mut table.columns {
            column.width = 4;
        }
        let mut report = sheet_of(vec![SheetPart::Table(table)]);
        report.lang = lang;
        let range = open(&report).worksheet_range("Ô").unwrap();
        assert_eq!(below(&range, "text")[1][0], Read::String(said.to_owned()));
        let files = files(&report);
        assert!(
            files["xl/worksheets/sheet1.xml"].contains("<mergeCell ref=\"A6:B6\"/>"),
            "{lang:?}"
        );
        assert!(!files.keys().any(|name| name.starts_with("xl/tables/")), "no filter of nothing");
    }
}

#[test]
fn labels_of_charts_are_as_large_as_the_type_of_their_sheet() {
    let files = files(&sample::month(Lang::Vi));
    let mut charts = 0;
    for (name, chart) in files.iter().filter(|(name, _)| name.starts_with("xl/charts/chart")) {
        for part in ["c:catAx", "c:valAx"] {
            let axis = chart.split(&format!("<{part}>")).nth(1).unwrap();
            let axis = axis.split(&format!("</{part}>")).next().unwrap();
            assert!(!numbers(axis, "sz").is_empty(), "{name}: {part} has the type of the program");
        }
        let legend =
            chart.split("<c:legend>").nth(1).map(|own| own.split("</c:legend>").next().unwrap());
        assert!(legend.is_none_or(|own| !numbers(own, "sz").is_empty()), "{name}");
        let least = numbers(chart, "sz").into_iter().fold(f64::INFINITY, f64::min) / 100.0;
        assert!(least * SMALLEST >= 8.0, "{name}: {least}");
        charts += 1;
    }
    assert!(charts >= 4);
}
