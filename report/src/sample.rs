//! Reports for the tests: every kind of cell, texts that mean harm, and a month as a utility files
//! it.

use config::{Date, Lang, Zone};
use historian::counts::Share;
use historian::verdict::Since;
use signal::clock::Timestamp;

use super::sheets::{
    Cell, Chart, Holds, Mark, Report, Series, Shape, Sheet, SheetColumn, SheetPart, Table,
};

mod month;

pub(super) use month::month;

/// Texts as devices, files and people of ill will write them.
pub(super) const HOSTILE: [&str; 14] = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "'=1+1",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=\"alert(1)\">",
    "A & B; C, D",
    "một dòng\nhai dòng\r\nba \"dòng\"",
    "Trạm biến áp 110 kV Nghĩa Đàn, ngăn lộ 171",
    "&amp; &#60; _x0041_ %d {0}",
    "]]> --> </style> </title> \u{1}\u{7f}",
    "dài_quá_không_có_chỗ_ngắt_dài_quá_không_có_chỗ_ngắt_dài_quá_không_có_chỗ_ngắt_dài_quá_hết",
];

/// All tables of a report.
pub(super) fn tables(report: &Report) -> impl Iterator<Item = &Table> {
    report.sheets.iter().flat_map(|sheet| &sheet.parts).filter_map(|part| match part {
        SheetPart::Table(table) => Some(table),
        _ => None,
    })
}

/// All charts of a report.
pub(super) fn charts(report: &Report) -> impl Iterator<Item = &Chart> {
    report.sheets.iter().flat_map(|sheet| &sheet.parts).filter_map(|part| match part {
        SheetPart::Chart(chart) => Some(chart),
        _ => None,
    })
}

fn column(id: &'static str, title: &str, width: u8) -> SheetColumn {
    SheetColumn::new(id, title.to_owned(), title, width)
}

/// Says of each column of a sample what it holds.
fn declared(mut report: Report) -> Report {
    let kinds = Holds::ALL;
    for part in report.sheets.iter_mut().flat_map(|sheet| &mut sheet.parts) {
        let SheetPart::Table(table) = part else { continue };
        for (n, column) in table.columns.iter_mut().enumerate() {
            let rows = || table.rows.iter().chain(&table.total);
            let holds = kinds.into_iter().find(|kind| rows().all(|row| kind.takes(&row[n])));
            *column = column.clone().holding(holds.unwrap());
        }
    }
    report
}

/// Columns that are called by their ids.
pub(super) fn columns(ids: &[&'static str]) -> Vec<SheetColumn> {
    ids.iter().map(|id| column(id, id, 14)).collect()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// A row of so many cells, the rest of them empty.
fn filled(columns: usize, mut cells: Vec<Cell>) -> Vec<Cell> {
    cells.resize(columns, Cell::Empty);
    cells
}

fn share(have: u64, want: u64) -> Cell {
    Cell::Share(Share::new(have, want), 2, None)
}

/// A table without rows.
fn nothing() -> Table {
    Table {
        id: "nothing",
        caption: "Không có gì".to_owned(),
        columns: vec![column("a", "Cột", 20), column("b", "CỘT", 20)],
        rows: Vec::new(),
        total: None,
    }
}

/// Every kind of cell, a table and charts without anything.
pub(super) fn every_cell() -> Report {
    let columns =
        ["text", "verdict", "count", "number", "share", "duration", "instant", "day", "since"];
    let at_least = Cell::AtLeast(Share::new(3, 8), 2, None);
    let rows = vec![
        vec![
            text("Trạm Đông Hà"),
            Cell::Verdict(Mark::Good, "Đủ".to_owned()),
            Cell::Count(8_153),
            Cell::Number(-1_234.567_8, 2),
            share(199_520, 268_800),
            Cell::Duration(2_631_852_250),
            Cell::Instant(Timestamp(1_669_188_727_240)),
            Cell::Day(Date { year: 2022, month: 11, day: 23 }),
            Cell::Since(Since::AtLeast(Timestamp(1_669_188_727_240))),
        ],
        vec![
            text(""),
            Cell::Verdict(Mark::Bad, "Thiếu".to_owned()),
            Cell::Count(0),
            Cell::Number(f64::NAN, 2),
            share(0, 0),
            Cell::Duration(-1_500),
            Cell::Instant(Timestamp(0)),
            Cell::Day(Date { year: 2024, month: 2, day: 29 }),
            Cell::Since(Since::At(Timestamp(1_669_188_727_240))),
        ],
        vec![Cell::Empty; 9],
        vec![
            text("Không đọc được"),
            Cell::Verdict(Mark::Doubt, "Loại trừ".to_owned()),
            Cell::Count(u64::from(u32::MAX)),
            Cell::Number(0.5, 0),
            share(99_999, 100_000),
            Cell::Duration(0),
            Cell::Empty,
            Cell::Day(Date { year: 1, month: 1, day: 1 }),
            Cell::Since(Since::Always),
        ],
        filled(9, vec![text("Đủ cả"), Cell::Empty, Cell::Empty, Cell::Empty, share(7, 7)]),
        filled(9, vec![text("Chưa đếm đủ"), Cell::Empty, Cell::Empty, Cell::Empty, at_least]),
    ];
    let kinds = Table {
        id: "kinds",
        caption: "Mọi loại ô".to_owned(),
        columns: self::columns(&columns),
        rows,
        total: Some(filled(9, vec![text("Cộng"), Cell::Empty, Cell::Count(8_153)])),
    };
    let chart = |id, shape, categories: &[&str], values: &[&[Option<f64>]]| {
        SheetPart::Chart(Chart {
            id,
            caption: "Không có giá trị".to_owned(),
            shape,
            unit: "%".to_owned(),
            categories: categories.iter().map(|name| (*name).to_owned()).collect(),
            series: values
                .iter()
                .map(|values| Series { name: "Dãy".to_owned(), values: values.to_vec() })
                .collect(),
            target: None,
        })
    };
    declared(Report {
        lang: Lang::Vi,
        zone: Zone::hours(7),
        title: "Mọi loại ô".to_owned(),
        subtitle: "Mẫu".to_owned(),
        sheets: vec![
            Sheet {
                id: "cells",
                name: "Ô".to_owned(),
                parts: vec![SheetPart::Table(kinds), SheetPart::Table(nothing())],
            },
            Sheet {
                id: "charts",
                name: "Biểu đồ".to_owned(),
                parts: vec![
                    chart("empty", Shape::Line, &[], &[]),
                    chart("all_missing", Shape::Bars, &["a", "b"], &[&[None, None], &[None]]),
                    chart("absurd", Shape::Line, &["a"], &[&[Some(f64::NAN), Some(1e300)]]),
                    chart("negative", Shape::Bars, &["a", "b"], &[&[Some(-3.0), Some(2.0)]]),
                ],
            },
            Sheet { id: "empty", name: "Trống".to_owned(), parts: Vec::new() },
        ],
    })
}

/// Texts that mean harm wherever a text may stand.
pub(super) fn hostile() -> Report {
    let everything = HOSTILE.join(" ");
    let row = |harm: &&str| vec![text(harm), Cell::Verdict(Mark::Bad, (*harm).to_owned())];
    let values = vec![Some(1.0), None, Some(1e12), Some(-1.0)];
    Report {
        lang: Lang::Vi,
        zone: Zone::hours(7),
        title: everything.clone(),
        subtitle: everything.clone(),
        sheets: vec![Sheet {
            id: "hostile",
            name: "=Trạm & 'tên' <x>".to_owned(),
            parts: vec![
                SheetPart::Note(everything.repeat(200)),
                SheetPart::Note("=1+1".to_owned()),
                SheetPart::Table(Table {
                    id: "texts",
                    caption: everything.clone(),
                    columns: vec![column("text", &everything, 30), column("b", &everything, 30)],
                    rows: HOSTILE.iter().map(row).collect(),
                    total: Some(filled(2, vec![text("=SUM(A1)")])),
                }),
                SheetPart::Table(Table {
                    id: "long",
                    caption: "Dài".to_owned(),
                    columns: vec![column("text", "x", 30)],
                    rows: vec![vec![text(&"ệ".repeat(40_000))]],
                    total: None,
                }),
                SheetPart::Chart(Chart {
                    id: "hostile_chart",
                    caption: everything.clone(),
                    shape: Shape::Bars,
                    unit: everything,
                    categories: HOSTILE.iter().map(|harm| (*harm).to_owned()).collect(),
                    series: HOSTILE[..8]
                        .iter()
                        .map(|harm| Series { name: (*harm).to_owned(), values: values.clone() })
                        .collect(),
                    target: Some(f64::NAN),
                }),
            ],
        }],
    }
}
