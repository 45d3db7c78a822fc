//! The report: what a window of history says, as sheets, and the files they are written to.
//!
//! A report is made once, as plain sheets of tables and charts; XLSX, HTML, CSV and JSON are four
//! ways to write the same sheets, so they cannot disagree. The same store gives the same bytes.

mod axis;
mod content;
mod csv;
pub mod drafts;
pub mod export;
mod facts;
pub mod html;
pub mod json;
mod layout;
mod markup;
mod operations;
pub mod period;
#[cfg(test)]
mod sample;
pub mod sheets;
mod shown;
pub mod spreadsheet;
mod svg;
mod unmanned;
pub mod xlsx;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use store::{Reader, StoreError};

use drafts::{Drafts, Unwritten, beside};
pub use facts::ReportRequest;
/// By what Parquet is written, for who reads it again.
pub use parquet;
use sheets::Report;
use spreadsheet::Style;

/// Makes a report of what a store has of a period; `None` when nobody watched in it. `progress` is
/// told the share of the work that is done, 0 to 1.
///
/// # Errors
/// When the store cannot be read, or a contract of the period not be judged by.
pub fn report(
    reader: &Reader,
    request: &ReportRequest,
    progress: impl FnMut(f64),
) -> Result<Option<Report>, StoreError> {
    Ok(facts::gather(reader, request, progress)?.map(|facts| content::report(&facts)))
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReportFormat {
    /// A workbook, for those who go on with it.
    Xlsx,
    /// A page, for those who read or print it.
    Html,
    /// A file for each table, for those who calculate.
    Csv,
    /// One object, for programs.
    Json,
}

impl ReportFormat {
    /// The format that the end of a file name asks for.
    pub fn of(path: &Path) -> Result<Self, ReportError> {
        let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match end.as_str() {
            "xlsx" => Ok(Self::Xlsx),
            "html" => Ok(Self::Html),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(ReportError::ReportFormat(path.to_owned())),
        }
    }
}

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The end of the file name says no format.
    #[error("'{}': a report is written to a file that ends in .xlsx, .html, .csv or .json", .0.display())]
    ReportFormat(PathBuf),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] Unwritten),
    /// A workbook cannot hold what the report says.
    #[error("the report does not fit into a workbook: {0}")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// A table cannot be written as CSV.
    #[error("a table of the report cannot be written as CSV: {0}")]
    Csv(#[from] ::csv::Error),
    /// The report cannot be written as JSON.
    #[error("the report cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a report in the format that the end of the name asks for, and returns the files that
/// are there now. Each is whole or not there: it is written beside its place and moved there, and
/// none is moved before all are written. CSV has a file for each table, `FILE-<table id>.csv`, and
/// `FILE.csv`, which lists them and has notes, heads of forms and who signs them.
pub fn write(report: &Report, path: &Path, style: Style) -> Result<Vec<PathBuf>, ReportError> {
    let format = ReportFormat::of(path)?;
    let files = match format {
        ReportFormat::Xlsx => vec![(path.to_owned(), xlsx::bytes(report)?)],
        ReportFormat::Html => vec![(path.to_owned(), html::page(report).into_bytes())],
        ReportFormat::Json => vec![(path.to_owned(), json::bytes(report)?)],
        ReportFormat::Csv => {
            let place = |id: &str| beside(path, |stem, end| format!("{stem}-{id}.{end}"));
            let name =
                |id: &str| place(id).file_name().unwrap_or_default().to_string_lossy().into_owned();
            let tables = csv::files(report, style)?;
            let index = (path.to_owned(), csv::index(report, style, name)?);
            let tables = tables.into_iter().map(|(id, bytes)| (place(id), bytes));
            std::iter::once(index).chain(tables).collect()
        }
    };
    let mut drafts = Drafts::default();
    for (path, bytes) in &files {
        drafts.begin(path)?.write_all(bytes).map_err(Unwritten::of(path))?;
    }
    Ok(drafts.settle()?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use config::Lang;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_end_of_the_name_says_the_format() {
        assert_eq!(ReportFormat::of(Path::new("thang-11.xlsx")).unwrap(), ReportFormat::Xlsx);
        assert_eq!(ReportFormat::of(Path::new("a/b.HTML")).unwrap(), ReportFormat::Html);
        for name in ["thang-11", "thang-11.md", ".xlsx"] {
            let error = ReportFormat::of(Path::new(name)).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains(".xlsx, .html, .csv or .json"),
                "{error}"
            );
        }
    }

    #[test]
    fn each_format_is_written_whole_and_twice_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let report = sample::month(Lang::Vi);
        for name in ["tháng 11.xlsx", "tháng 11.html", "tháng 11.json"] {
            let path = folder.path().join(name);
            let written = write(&report, &path, Style::Rfc).unwrap();
            assert_eq!(written, std::slice::from_ref(&path));
            let bytes = fs::read(&path).unwrap();
            write(&report, &path, Style::Rfc).unwrap();
            assert_eq!(bytes, fs::read(&path).unwrap(), "{name}");
        }
        assert_eq!(names(folder.path()).len(), 3, "no drafts are left");
    }

    #[test]
    fn csv_is_a_file_for_each_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nov.csv");
        let report = sample::every_cell();
        let written = write(&report, &path, Style::ExcelVi).unwrap();
        assert_eq!(names(folder.path()), ["nov-kinds.csv", "nov-nothing.csv", "nov.csv"]);
        assert_eq!(written[0], path);
        let index = fs::read_to_string(&path).unwrap();
        assert!(index.contains("Ô;bảng;Mọi loại ô;nov-kinds.csv\r\n"), "{index}");
    }

    #[test]
    fn what_cannot_be_written_names_its_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere").join("a.html");
        let error = write(&sample::every_cell(), &nowhere, Style::Rfc).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
        // A folder stands where the second table should go.
        fs::create_dir_all(folder.path().join("a-nothing.csv").join("x")).unwrap();
        write(&sample::every_cell(), &folder.path().join("a.csv"), Style::Rfc).unwrap_err();
        assert!(!names(folder.path()).iter().any(|name| name.contains("part")));
    }

    #[test]
    #[ignore = "writes samples to look at"]
    fn samples_to_look_at() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join("report");
        fs::create_dir_all(&folder).unwrap();
        let samples = [
            ("month-vi", sample::month(Lang::Vi)),
            ("month-en", sample::month(Lang::En)),
            ("kinds", sample::every_cell()),
            ("hostile", sample::hostile()),
        ];
        for (name, report) in samples {
            for end in ["xlsx", "html", "csv", "json"] {
                write(&report, &folder.join(format!("{name}.{end}")), Style::Rfc).unwrap();
            }
        }
    }
}
