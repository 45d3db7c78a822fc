//! A report as CSV: one file for each table, and one that lists them and has all else that the
//! report says: for programs and for those who calculate on.
//!
//! Heads are the ids of the columns with the unit of what stands below them (`lost_s`,
//! `received_mwh`); for a Vietnamese spreadsheet they are what stands above the columns on paper. A
//! share takes three columns (`_have`, `_want`, `_percent`), durations are seconds, the row of totals
//! is the last one. Instants are ISO 8601 with their offset, or as such a spreadsheet reads them. A
//! figure that is not known is an empty field. No field is one that a spreadsheet takes for something
//! else than it says.

use std::borrow::Cow;

use ::csv::{Error, Terminator, Writer};

use super::sheets::{Cell, Column, Holds, Part, Report, Table};
use super::shown::{Reader, glyph, has_shares, is_mixed, iso, places};
use crate::spreadsheet::{self, Style};
use crate::words::format;
use crate::words::texts::Text;
use config::Lang;

/// A written file: what it is called, and its bytes.
type Written<N> = (N, Vec<u8>);

/// The tables of a report, each with its id, in the order in which they are read.
pub(super) fn files(report: &Report, style: Style) -> Result<Vec<Written<&'static str>>, Error> {
    let tables = tables(report);
    tables.map(|(_, table)| Ok((table.id, file(table, report, style)?))).collect()
}

fn tables(report: &Report) -> impl Iterator<Item = (&str, &Table)> {
    report.sheets.iter().flat_map(|sheet| {
        sheet.parts.iter().filter_map(|part| match part {
            Part::Table(table) => Some((sheet.name.as_str(), table)),
            _ => None,
        })
    })
}

/// What a report says beside its tables, and which of these is in which file: `name` says it of a
/// table's id.
pub(super) fn index(
    report: &Report,
    style: Style,
    name: impl Fn(&str) -> String,
) -> Result<Vec<u8>, Error> {
    let reader = Reader { lang: report.lang, zone: report.utc_offset_hours };
    let mut bytes = style.mark().to_vec();
    let mut writer = style.writer(Terminator::CRLF, &mut bytes);
    writer.write_record(match style {
        Style::Rfc => ["sheet", "kind", "text", "file"],
        Style::ExcelVi => ["Trang", "Loại", "Nội dung", "Tệp"],
    })?;
    let mut row = |sheet: &str, kind: Text, said: &str, file: &str| {
        let [sheet, said] = [sheet, said].map(spreadsheet::text);
        writer.write_record([&*sheet, kind.get(report.lang), &*said, file])
    };
    row("", Text::ReportTitle, &report.title, "")?;
    row("", Text::ReportTitle, &report.subtitle, "")?;
    for sheet in &report.sheets {
        for part in &sheet.parts {
            match part {
                Part::Note(said) => row(&sheet.name, Text::Note, said, "")?,
                Part::Table(table) => {
                    row(&sheet.name, Text::TableFile, &table.caption, &name(table.id))?;
                }
                Part::Chart(_) => {}
                Part::Head(head) => {
                    for said in [&head.company, &head.unit] {
                        row(&sheet.name, Text::FormHead, Reader::or_dots(said.as_deref()), "")?;
                    }
                    for said in [reader.form_number(head), reader.place_and_date(head)] {
                        row(&sheet.name, Text::FormHead, &said, "")?;
                    }
                    row(&sheet.name, Text::FormHead, &head.title, "")?;
                    row(&sheet.name, Text::FormHead, &head.period, "")?;
                }
                Part::Signatures(roles) => {
                    for role in roles {
                        row(&sheet.name, Text::Signature, role, "")?;
                    }
                }
            }
        }
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

fn file(table: &Table, report: &Report, style: Style) -> Result<Vec<u8>, Error> {
    let reader = Reader { lang: report.lang, zone: report.utc_offset_hours };
    let mut bytes = style.mark().to_vec();
    let mut writer = style.writer(Terminator::CRLF, &mut bytes);
    let shares: Vec<bool> = (0..table.columns.len()).map(|n| has_shares(table, n)).collect();
    writer.write_record(heads(table, &shares, style, reader.lang))?;
    for cells in table.rows.iter().chain(&table.total) {
        for (n, (cell, shares)) in cells.iter().zip(&shares).enumerate() {
            match cell {
                Cell::Share(..) | Cell::AtLeast(..) | Cell::TimeShare(..) => {
                    share(&mut writer, cell, style)?;
                }
                other => {
                    if *shares {
                        writer.write_field("")?;
                        writer.write_field("")?;
                    }
                    writer.write_field(&*field(other, reader, style))?;
                }
            }
            if *shares && is_mixed(table, n) {
                let is_time = matches!(cell, Cell::TimeShare(..));
                writer.write_field(if is_time { "s" } else { "" })?;
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

/// What stands above the columns of a file, each with its unit.
fn heads(table: &Table, shares: &[bool], style: Style, lang: Lang) -> Vec<String> {
    let mut heads = Vec::new();
    for (n, (column, shares)) in table.columns.iter().zip(shares).enumerate() {
        let cells = || table.rows.iter().chain(&table.total).filter_map(move |row| row.get(n));
        let any = |is: fn(&Cell) -> bool| cells().any(is);
        let in_seconds = matches!(column.holds, Holds::Times | Holds::TimeShares)
            || any(|cell| matches!(cell, Cell::Duration(_) | Cell::TimeShare(..)));
        if !*shares {
            let unit = if in_seconds { "s" } else { column.unit };
            heads.push(head(column, ("", ""), unit, style));
            continue;
        }
        let is_mixed = is_mixed(table, n);
        let unit = if in_seconds && !is_mixed { "s" } else { "" };
        heads.push(head(column, ("have", Text::Numerator.get(lang)), unit, style));
        heads.push(head(column, ("want", Text::Denominator.get(lang)), unit, style));
        heads.push(head(column, ("percent", "%"), "", style));
        if is_mixed {
            heads.push(head(column, ("unit", Text::ShareUnit.get(lang)), "", style));
        }
    }
    heads
}

fn head(column: &Column, (id, word): (&str, &str), unit: &str, style: Style) -> String {
    match style {
        Style::Rfc => {
            let parts = [&*column.id, id, unit].into_iter().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("_")
        }
        Style::ExcelVi => {
            // Titles name every unit but that of times, which are written in another way on paper.
            let unit = if unit == "s" { ", s" } else { "" };
            let title = column.title.strip_suffix(", %").filter(|_| word == "%");
            let title = title.unwrap_or(&column.title);
            let said = match word {
                "" => format!("{title}{unit}"),
                "%" => format!("{title}, %"),
                word => format!("{title}: {word}{unit}"),
            };
            spreadsheet::text(&said).into_owned()
        }
    }
}

fn share<W: std::io::Write>(
    writer: &mut Writer<W>,
    cell: &Cell,
    style: Style,
) -> Result<(), Error> {
    let (Cell::Share(share, decimals, target)
    | Cell::AtLeast(share, decimals, target)
    | Cell::TimeShare(share, decimals, target)) = cell
    else {
        return Ok(());
    };
    for n in [share.have, share.want] {
        writer.write_field(match cell {
            Cell::TimeShare(..) => seconds(n, style),
            _ => n.to_string(),
        })?;
    }
    let percent = match share.want {
        // At least so much: which share it is, is not known.
        _ if matches!(cell, Cell::AtLeast(..)) => String::new(),
        0 => String::new(),
        1.. => format::percent_digits(*share, places(*decimals), *target, Lang::En),
    };
    writer.write_field(style.number(percent))
}

/// A cell that is one field.
fn field(cell: &Cell, reader: Reader, style: Style) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => spreadsheet::text(text),
        // With its mark: a spreadsheet takes the word for right alone for a boolean.
        Cell::Verdict(mark, text) => format!("{} {text}", glyph(*mark)).into(),
        Cell::Count(n) => n.to_string().into(),
        Cell::Number(value, _) if value.is_finite() => style.number(value.to_string()).into(),
        Cell::Duration(ms) => {
            let sign = if *ms < 0 { "-" } else { "" };
            format!("{sign}{}", seconds(ms.unsigned_abs(), style)).into()
        }
        Cell::Instant(at) => match style {
            Style::Rfc => iso(*at, reader.zone).into(),
            Style::ExcelVi => style.instant(*at, reader.zone).into(),
        },
        Cell::Day(day) => style.day(*day).into(),
        Cell::Empty
        | Cell::NotKnown
        | Cell::Number(..)
        | Cell::Share(..)
        | Cell::AtLeast(..)
        | Cell::TimeShare(..) => "".into(),
    }
}

/// Milliseconds as seconds.
fn seconds(ms: u64, style: Style) -> String {
    style.number(format!("{}.{:03}", ms / 1_000, ms % 1_000))
}

#[cfg(test)]
mod tests {
    use config::plain::plain;

    use super::*;
    use crate::historian::counts::Share;
    use crate::report::sample;
    use crate::spreadsheet::{is_like_a_formula, is_read_as_another};
    use proptest::prelude::*;

    fn table(report: &Report, style: Style, id: &str) -> String {
        let files = files(report, style).unwrap();
        let (_, bytes) = files.into_iter().find(|(name, _)| *name == id).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_kind_of_cell_has_its_own_form() {
        let written = table(&sample::every_cell(), Style::Rfc, "kinds");
        let lines: Vec<&str> = written.split("\r\n").collect();
        assert_eq!(
            lines[0],
            "text,verdict,count,number,share_have,share_want,share_percent,duration_s,instant,day"
        );
        assert_eq!(
            lines[1],
            "Trạm Đông Hà,✓ Đủ,8153,-1234.5678,199520,268800,74.23,2631852.250,\
             2022-11-23T14:32:07.240+07:00,2022-11-23"
        );
        assert_eq!(lines[2], ",✗ Thiếu,0,,0,0,,-1.500,1970-01-01T07:00:00.000+07:00,2024-02-29");
        assert_eq!(lines[3], ",,,,,,,,,", "a row of nothing has all its commas");
        assert_eq!(lines[6], "Chưa đếm đủ,,,,3,8,,,,", "which share it is nobody knows");
        let last = lines[lines.len() - 2];
        assert_eq!(last, "Cộng,,8153,,,,,,,", "the total is the last row");
    }

    #[test]
    fn columns_stay_the_same_whatever_is_known() {
        let kinds = [
            (Holds::Any, "a"),
            (Holds::Times, "b"),
            (Holds::TimeShares, "c"),
            (Holds::Shares, "d"),
        ];
        let columns = kinds.map(|(holds, id)| Column::new(id, id.into(), id, 9).holding(holds));
        let counted = Cell::Share(Share::new(3, 10), 2, None);
        let known = [Cell::Count(1), Cell::Duration(1_000), share_of_time(), counted];
        let of = |rows| {
            let columns = columns.to_vec();
            Table { id: "t", caption: String::new(), columns, rows, total: None }
        };
        let head = |rows| {
            let bytes = file(&of(rows), &sample::every_cell(), Style::Rfc).unwrap();
            String::from_utf8(bytes).unwrap().lines().next().unwrap().to_owned()
        };
        assert_eq!(
            head(vec![known.to_vec()]),
            "a,b_s,c_have_s,c_want_s,c_percent,d_have,d_want,d_percent"
        );
        for rows in [vec![], vec![vec![Cell::NotKnown; 4]], vec![vec![Cell::Empty; 4]]] {
            assert_eq!(head(rows), head(vec![known.to_vec()]));
        }
        // Seconds and counts in one column: each row says what it has.
        let counted = Cell::Share(Share::new(3, 10), 2, None);
        let mixed = [share_of_time(), counted, Cell::Empty].map(|cell| vec![cell]);
        let columns = vec![Column::new("v", "v".into(), "v", 9)];
        let (caption, rows) = (String::new(), mixed.to_vec());
        let mixed = Table { id: "t", caption, columns, rows, total: None };
        let bytes = file(&mixed, &sample::every_cell(), Style::Rfc).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "v_have,v_want,v_percent,v_unit\r\n1.000,2.000,50.00,s\r\n3,10,30.00,\r\n,,,\r\n"
        );
    }

    fn share_of_time() -> Cell {
        Cell::TimeShare(Share::new(1_000, 2_000), 2, None)
    }

    #[test]
    fn vietnamese_excel_gets_semicolons_and_decimal_commas() {
        let written = table(&sample::every_cell(), Style::ExcelVi, "kinds");
        let line = written.split("\r\n").nth(1).unwrap();
        assert_eq!(
            line,
            "Trạm Đông Hà;✓ Đủ;8153;-1234,5678;199520;268800;74,23;2631852,250;\
             23/11/2022 14:32:07,240;23/11/2022"
        );
    }

    #[test]
    fn texts_of_others_are_quoted_and_never_run() {
        for style in [Style::Rfc, Style::ExcelVi] {
            let written = table(&sample::hostile(), style, "texts");
            assert_eq!(written.starts_with('\u{feff}'), style == Style::ExcelVi);
            let mut reader = ::csv::ReaderBuilder::new()
                .delimiter(style.delimiter())
                .from_reader(written.trim_start_matches('\u{feff}').as_bytes());
            let read: Vec<String> =
                reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
            assert_eq!(read.len(), sample::HOSTILE.len() + 1, "and the total");
            for (read, text) in read.iter().zip(sample::HOSTILE) {
                assert!(!is_like_a_formula(read), "{read:?}");
                assert_eq!(read.trim_start_matches('\''), plain(text).trim_start_matches('\''));
            }
        }
    }

    #[test]
    fn an_empty_table_is_its_heads_and_the_same_report_is_the_same_bytes() {
        assert_eq!(table(&sample::every_cell(), Style::Rfc, "nothing"), "a,b\r\n");
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
            let report = sample::every_cell();
            for style in [Style::Rfc, Style::ExcelVi] {
                let bytes = file(&table, &report, style).unwrap();
                let mut reader = ::csv::ReaderBuilder::new()
                    .delimiter(style.delimiter())
                    .from_reader(&bytes[style.mark().len()..]);
                let record = reader.records().next().unwrap().unwrap();
                prop_assert!(!is_like_a_formula(&record[0]) && !is_read_as_another(&record[0]));
                let told = plain(&text);
                prop_assert_eq!(record[0].strip_prefix('\'').unwrap_or(&record[0]), told.strip_prefix('\'').unwrap_or(&told));
                prop_assert_eq!(&record[1], count.to_string());
            }
        }
    }
}
