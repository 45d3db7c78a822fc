//! A report as CSV: one file for each table, and one that lists them and has all else that the
//! report says: for programs and for those who calculate on.
//!
//! Heads are the ids of the columns with the unit of what stands below them (`lost_s`,
//! `received_mwh`); for a Vietnamese spreadsheet they are what stands above the columns on paper. A
//! share takes three columns (`_have`, `_want`, `_percent`), durations are seconds, the row of totals
//! is the last one. Moments since which something is so take two: `since` and `since_at_least`. Instants are ISO 8601 with their offset, or as such a spreadsheet reads them. A
//! figure that is not known is an empty field. No field is one that a spreadsheet takes for something
//! else than it says.

use std::borrow::Cow;

use ::csv::{Error, Terminator};
use historian::verdict::Since;
use words::format;
use words::texts::Text;

use super::sheets::{Cell, Holds, Report, SheetColumn, SheetPart, Table};
use super::shown::{Reader, glyph, iso, places};
use crate::spreadsheet::{self, Style};
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
            SheetPart::Table(table) => Some((sheet.name.as_str(), table)),
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
    let reader = Reader { lang: report.lang, zone: report.zone };
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
                SheetPart::Note(said) => row(&sheet.name, Text::Note, said, "")?,
                SheetPart::Table(table) => {
                    row(&sheet.name, Text::TableFile, &table.caption, &name(table.id))?;
                }
                SheetPart::Chart(_) => {}
                SheetPart::Head(head) => {
                    for said in [&head.company, &head.unit] {
                        row(&sheet.name, Text::FormHead, Reader::or_dots(said.as_deref()), "")?;
                    }
                    for said in [reader.form_number(head), reader.place_and_date(head)] {
                        row(&sheet.name, Text::FormHead, &said, "")?;
                    }
                    row(&sheet.name, Text::FormHead, &head.title, "")?;
                    row(&sheet.name, Text::FormHead, &head.period, "")?;
                }
                SheetPart::Signatures(roles) => {
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
    let reader = Reader { lang: report.lang, zone: report.zone };
    let mut bytes = style.mark().to_vec();
    let mut writer = style.writer(Terminator::CRLF, &mut bytes);
    writer.write_record(heads(table, style, reader.lang))?;
    for cells in table.rows.iter().chain(&table.total) {
        for (column, cell) in table.columns.iter().zip(cells) {
            if column.holds.shares() {
                let counts = counts(cell, style).unwrap_or_default();
                for count in counts {
                    writer.write_field(count)?;
                }
            }
            writer.write_field(&*field(cell, reader, style))?;
            if column.holds == Holds::Both {
                let is_time = matches!(cell, Cell::TimeShare(..));
                writer.write_field(if is_time { "s" } else { "" })?;
            }
            if column.holds == Holds::Since {
                writer.write_field(match cell {
                    Cell::Since(since) => style.whether(since.is_at_least()),
                    _ => "",
                })?;
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(bytes)
}

/// What stands above the columns of a file, each with its unit: the columns say it, and no row.
fn heads(table: &Table, style: Style, lang: Lang) -> Vec<String> {
    let mut heads = Vec::new();
    for column in &table.columns {
        let unit = match column.holds {
            Holds::Times | Holds::TimeShares => "s",
            Holds::Shares | Holds::Both => "",
            Holds::Plain | Holds::Since => column.unit,
        };
        if !column.holds.shares() {
            heads.push(head(column, ("", ""), unit, style));
            if column.holds == Holds::Since {
                heads.push(head(column, ("at_least", Text::PerhapsEarlier.get(lang)), unit, style));
            }
            continue;
        }
        heads.push(head(column, ("have", Text::Numerator.get(lang)), unit, style));
        heads.push(head(column, ("want", Text::Denominator.get(lang)), unit, style));
        heads.push(head(column, ("percent", "%"), "", style));
        if column.holds == Holds::Both {
            heads.push(head(column, ("unit", Text::ShareUnit.get(lang)), "", style));
        }
    }
    heads
}

fn head(column: &SheetColumn, (id, word): (&str, &str), unit: &str, style: Style) -> String {
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

/// What a share counts, and of how many; nothing for a cell that is none.
fn counts(cell: &Cell, style: Style) -> Option<[String; 2]> {
    match cell {
        Cell::Share(share, ..) | Cell::AtLeast(share, ..) => {
            Some([share.have, share.want].map(|n| n.to_string()))
        }
        Cell::TimeShare(share, ..) => Some([share.have, share.want].map(|ms| seconds(ms, style))),
        _ => None,
    }
}

/// A cell as one field; of a share its percentage.
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
        Cell::Instant(at) | Cell::Since(Since::At(at) | Since::AtLeast(at)) => match style {
            Style::Rfc => iso(*at, reader.zone).into(),
            Style::ExcelVi => style.instant(*at, reader.zone).into(),
        },
        Cell::Day(day) | Cell::Since(Since::Day(day)) => style.day(*day).into(),
        Cell::Share(share, decimals, target) | Cell::TimeShare(share, decimals, target)
            if share.want > 0 =>
        {
            let percent = format::percent_digits(*share, places(*decimals), *target, Lang::En);
            style.number(percent).into()
        }
        // At least so much: which share it is, is not known.
        Cell::AtLeast(..)
        | Cell::Empty
        | Cell::NotKnown
        | Cell::Since(Since::Always)
        | Cell::Number(..)
        | Cell::Share(..)
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
    use historian::counts::Share;
    use signal::clock::Timestamp;

    use super::*;
    use crate::sample;
    use crate::sheets::Mark;
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
            "text,verdict,count,number,share_have,share_want,share_percent,duration_s,instant,day,\
             since,since_at_least"
        );
        assert_eq!(
            lines[1],
            "Trạm Đông Hà,✓ Đủ,8153,-1234.5678,199520,268800,74.23,2631852.250,\
             2022-11-23T14:32:07.240+07:00,2022-11-23,2022-11-23T14:32:07.240+07:00,true"
        );
        assert_eq!(
            lines[2],
            ",✗ Thiếu,0,,0,0,,-1.500,1970-01-01T07:00:00.000+07:00,2024-02-29,\
             2022-11-23T14:32:07.240+07:00,false"
        );
        assert_eq!(lines[3], ",,,,,,,,,,,", "a row of nothing has all its commas");
        assert_eq!(lines[6], "Chưa đếm đủ,,,,3,8,,,,,,", "which share it is nobody knows");
        let last = lines[lines.len() - 2];
        assert_eq!(last, "Cộng,,8153,,,,,,,,,", "the total is the last row");
    }

    /// A figure of each kind of column.
    fn figures(holds: Holds) -> Vec<Cell> {
        let counted = Cell::Share(Share::new(3, 10), 2, None);
        match holds {
            Holds::Plain => vec![Cell::Count(1), Cell::Number(0.5, 1), Cell::Instant(Timestamp(0))],
            Holds::Times => vec![Cell::Duration(1_000)],
            Holds::TimeShares => vec![share_of_time()],
            Holds::Shares => vec![counted, Cell::AtLeast(Share::new(3, 10), 2, None)],
            Holds::Both => vec![counted, share_of_time()],
            Holds::Since => vec![Cell::Since(Since::AtLeast(Timestamp(0)))],
        }
    }

    #[test]
    fn columns_stay_the_same_whatever_the_rows_are() {
        let kinds = [
            (Holds::Plain, "a"),
            (Holds::Times, "b_s"),
            (Holds::TimeShares, "c_have_s,c_want_s,c_percent"),
            (Holds::Shares, "d_have,d_want,d_percent"),
            (Holds::Both, "e_have,e_want,e_percent,e_unit"),
            (Holds::Since, "f,f_at_least"),
        ];
        let columns = ["a", "b", "c", "d", "e", "f"].into_iter().zip(kinds);
        for (id, (holds, heads)) in columns {
            let columns = vec![SheetColumn::new(id, id.into(), id, 9).holding(holds)];
            let words = [Cell::Text("x".to_owned()), Cell::Verdict(Mark::Bad, "x".to_owned())];
            let mut cells = vec![Cell::Empty, Cell::NotKnown];
            cells.extend(words.into_iter().chain(figures(holds)));
            let alone = cells.iter().map(|cell| vec![vec![cell.clone()]]);
            let all = cells.iter().map(|cell| vec![cell.clone()]).collect();
            for rows in alone.chain([vec![], all]) {
                let (caption, columns) = (String::new(), columns.clone());
                let table = Table { id: "t", caption, columns, rows, total: None };
                assert!(table.is_declared());
                let bytes = file(&table, &sample::every_cell(), Style::Rfc).unwrap();
                let written = String::from_utf8(bytes).unwrap();
                let lines: Vec<&str> = written.lines().collect();
                assert_eq!(lines[0], heads, "{table:?}");
                let commas = heads.matches(',').count();
                assert!(lines.iter().all(|line| line.matches(',').count() == commas), "{lines:?}");
            }
        }
    }

    /// What a column does not say that it holds is found before anybody reads it.
    #[test]
    fn a_figure_of_another_kind_than_its_column_says_is_told() {
        let kinds = [Holds::Plain, Holds::Times, Holds::TimeShares, Holds::Shares, Holds::Both];
        for (holds, own) in kinds.iter().flat_map(|one| kinds.map(|other| (*one, other))) {
            let is_part = own == Holds::Both && matches!(holds, Holds::Shares | Holds::TimeShares);
            let all = figures(holds).iter().all(|cell| own.takes(cell));
            assert_eq!(all, holds == own || is_part, "{holds:?} in {own:?}");
        }
    }

    /// Seconds and counts in one column: each row says what it has.
    #[test]
    fn a_column_of_both_says_the_unit_of_each_share() {
        let counted = Cell::Share(Share::new(3, 10), 2, None);
        let rows = [share_of_time(), counted, Cell::Empty].map(|cell| vec![cell]).to_vec();
        let columns = vec![SheetColumn::new("v", "v".into(), "v", 9).holding(Holds::Both)];
        let table = Table { id: "t", caption: String::new(), columns, rows, total: None };
        let bytes = file(&table, &sample::every_cell(), Style::Rfc).unwrap();
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
             23/11/2022 14:32:07,240;23/11/2022;23/11/2022 14:32:07,240;có"
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
