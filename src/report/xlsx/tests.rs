//! Workbooks, read back by another library than the one that wrote them.

use std::io::Cursor;
use std::time::{Duration, Instant};

use calamine::{Data as Read, DataType as _, Range, Reader as _, Xlsx};
use config::Lang;

use super::*;
use crate::report::sample;
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
    assert_eq!(rows[6][0], Read::String("Cộng".to_owned()));
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
