//! A report as CSV: one file for each table, for programs and for those who calculate on.
//!
//! Heads are the ids of the columns. A share takes three columns (`_have`, `_want`, `_percent`),
//! durations are seconds, instants ISO 8601 with their offset. The row of totals is left out:
//! whoever sums a column would count everything twice.

use ::csv::{Error, Terminator};

use super::sheets::{Cell, Part, Report, Table};
use super::shown::{has_shares, iso, places};
use crate::spreadsheet::{self, MARK, Style};
use crate::words::format;
use config::Lang;

/// The tables of a report, each with its id, in the order in which they are read.
pub(super) fn files(report: &Report, style: Style) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let parts = report.sheets.iter().flat_map(|sheet| &sheet.parts);
    parts
        .filter_map(|part| match part {
            Part::Table(table) => Some(table),
            Part::Note(_) | Part::Chart(_) => None,
        })
        .map(|table| Ok((table.id, file(table, report.utc_offset_hours, style)?)))
        .collect()
}

fn file(table: &Table, zone: i8, style: Style) -> Result<Vec<u8>, Error> {
    let mut bytes = MARK.to_vec();
    let mut writer = style.writer(Terminator::CRLF, &mut bytes);
    let shares: Vec<bool> = (0..table.columns.len()).map(|n| has_shares(table, n)).collect();
    for (column, shares) in table.columns.iter().zip(&shares) {
        if *shares {
            for what in ["have", "want", "percent"] {
                writer.write_field(format!("{}_{what}", column.id))?;
            }
        } else {
            writer.write_field(column.id)?;
        }
    }
    writer.write_record(None::<&[u8]>)?;
    for row in &table.rows {
        for (cell, shares) in row.iter().zip(&shares) {
            match cell {
                Cell::Share(share, decimals, target) | Cell::TimeShare(share, decimals, target) => {
                    for n in [share.have, share.want] {
                        writer.write_field(match cell {
                            Cell::TimeShare(..) => seconds(n, style),
                            _ => n.to_string(),
                        })?;
                    }
                    let places = places(*decimals);
                    let percent = match share.want {
                        0 => String::new(),
                        1.. => format::percent_digits(*share, places, *target, Lang::En),
                    };
                    writer.write_field(style.number(percent))?;
                }
                other => {
                    if *shares {
                        writer.write_field("")?;
                        writer.write_field("")?;
                    }
                    writer.write_field(field(other, zone, style))?;
                }
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

/// A cell that is one field.
fn field(cell: &Cell, zone: i8, style: Style) -> String {
    match cell {
        Cell::Text(text) | Cell::Verdict(_, text) => spreadsheet::text(text).into_owned(),
        Cell::Count(n) => n.to_string(),
        Cell::Number(value, _) if value.is_finite() => style.number(value.to_string()),
        Cell::Duration(ms) => {
            let sign = if *ms < 0 { "-" } else { "" };
            format!("{sign}{}", seconds(ms.unsigned_abs(), style))
        }
        Cell::Instant(at) => iso(*at, zone),
        Cell::Day(day) => day.to_string(),
        Cell::Empty | Cell::Number(..) | Cell::Share(..) | Cell::TimeShare(..) => String::new(),
    }
}

/// Milliseconds as seconds.
fn seconds(ms: u64, style: Style) -> String {
    style.number(format!("{}.{:03}", ms / 1_000, ms % 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::spreadsheet::is_like_a_formula;
    use proptest::prelude::*;

    fn table(report: &Report, style: Style, id: &str) -> String {
        let files = files(report, style).unwrap();
        let (_, bytes) = files.into_iter().find(|(name, _)| *name == id).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_kind_of_cell_has_its_own_form() {
        let written = table(&sample::every_cell(), Style::Rfc, "kinds");
        let lines: Vec<&str> = written.trim_start_matches('\u{feff}').split("\r\n").collect();
        assert_eq!(
            lines[0],
            "text,verdict,count,number,share_have,share_want,share_percent,duration,instant,day"
        );
        assert_eq!(
            lines[1],
            "Trạm Đông Hà,Đủ,8153,-1234.5678,199520,268800,74.23,2631852.250,\
             2022-11-23T14:32:07.240+07:00,2022-11-23"
        );
        assert_eq!(lines[2], ",Thiếu,0,,0,0,,-1.500,1970-01-01T07:00:00.000+07:00,2024-02-29");
        assert_eq!(lines[3], ",,,,,,,,,", "a row of nothing has all its commas");
        assert!(!written.contains("Cộng"), "totals are left out");
    }

    #[test]
    fn vietnamese_excel_gets_semicolons_and_decimal_commas() {
        let written = table(&sample::every_cell(), Style::ExcelVi, "kinds");
        let line = written.split("\r\n").nth(1).unwrap();
        assert_eq!(
            line,
            "Trạm Đông Hà;Đủ;8153;-1234,5678;199520;268800;74,23;2631852,250;\
             2022-11-23T14:32:07.240+07:00;2022-11-23"
        );
    }

    #[test]
    fn texts_of_others_are_quoted_and_never_run() {
        for style in [Style::Rfc, Style::ExcelVi] {
            let written = table(&sample::hostile(), style, "texts");
            assert!(written.starts_with('\u{feff}'));
            let mut reader = ::csv::ReaderBuilder::new()
                .delimiter(style.delimiter())
                .from_reader(written.trim_start_matches('\u{feff}').as_bytes());
            let read: Vec<String> =
                reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
            assert_eq!(read.len(), sample::HOSTILE.len());
            for (read, text) in read.iter().zip(sample::HOSTILE) {
                assert!(!is_like_a_formula(read), "{read:?}");
                assert_eq!(read.trim_start_matches('\''), text.trim_start_matches('\''));
            }
        }
    }

    #[test]
    fn an_empty_table_is_its_heads_and_the_same_report_is_the_same_bytes() {
        assert_eq!(table(&sample::every_cell(), Style::Rfc, "nothing"), "\u{feff}a,b\r\n");
        let month = sample::month(Lang::Vi);
        assert_eq!(files(&month, Style::Rfc).unwrap(), files(&month, Style::Rfc).unwrap());
        assert_eq!(files(&month, Style::Rfc).unwrap().len(), sample::tables(&month).count());
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_is_no_formula(text in "(?s).{0,40}", count: u64) {
            let table = Table {
                id: "table",
                caption: String::new(),
                columns: sample::columns(&["text", "count"]),
                rows: vec![vec![Cell::Text(text.clone()), Cell::Count(count)]],
                total: None,
            };
            for style in [Style::Rfc, Style::ExcelVi] {
                let bytes = file(&table, 7, style).unwrap();
                let mut reader = ::csv::ReaderBuilder::new()
                    .delimiter(style.delimiter())
                    .from_reader(&bytes["\u{feff}".len()..]);
                let record = reader.records().next().unwrap().unwrap();
                prop_assert!(!is_like_a_formula(&record[0]));
                prop_assert_eq!(record[0].strip_prefix('\'').unwrap_or(&record[0]), text.strip_prefix('\'').unwrap_or(&text));
                prop_assert_eq!(&record[1], count.to_string());
            }
        }
    }
}
