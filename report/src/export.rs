//! The export: tables of what was kept, for databases, statistics and spreadsheets.
//!
//! A table is described once, column by column (`report/src/export/tables.rs`); Parquet and CSV are two ways
//! to write its rows, one by one as they are read, so that the longest export takes no more memory than
//! a short one. The same store and request give the same bytes.

mod csv;
mod parquet;
mod source;
mod tables;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use config::{Lang, Zone};
use store::history::Span;
use store::leftovers;
use store::{Reader, StoreError};

use crate::drafts::{Drafts, Unwritten};
use crate::spreadsheet::Style;
use source::Source;
use tables::Row;

/// A table of what was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportTable {
    /// How long each required point stood as it did.
    Verdicts,
    /// Records of the event rings.
    Events,
    /// Every value that came.
    Values,
    /// How asking went, path by path in stretches of some minutes.
    Polling,
    /// Remote metering, whenever a figure was another one.
    Metering,
    /// Running counts of energy sold and produced, whenever one stood otherwise.
    Energy,
    /// Alarms, each time that one was raised.
    Alarms,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// Which table.
    pub table: ExportTable,
    /// Of which time.
    pub span: Span,
    /// Of whom.
    pub choice: Choice,
    /// In which language points have their names.
    pub lang: Lang,
}

/// Of whom rows are wanted. Stations and points add up; with neither, everybody is meant.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// All of these stations, by their ids.
    pub stations: Vec<String>,
    /// These points, by their full ids.
    pub points: Vec<String>,
    /// As this centre sees them.
    pub centre: Option<String>,
}

/// What a table is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Columns with types, compressed: for databases and statistics.
    Parquet,
    /// A file that spreadsheets open.
    Csv(Style),
    /// CSV for whoever reads a pipe: lines end as those of other programs, and nothing stands in front.
    Lines(Style),
}

impl ExportFormat {
    /// The format that the end of a file name asks for.
    ///
    /// # Errors
    /// When it asks for none.
    pub fn of(path: &Path, style: Style) -> Result<Self, ExportError> {
        let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match end.as_str() {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv(style)),
            _ => Err(ExportError::ExportFormat(path.to_owned())),
        }
    }
}

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The end of the file name says no format.
    #[error("'{}': a table is written to a file that ends in .parquet or .csv", .0.display())]
    ExportFormat(PathBuf),
    /// Nobody has this name.
    #[error("no {what} '{id}' in the store; {hint}")]
    Unknown {
        /// What it should name.
        what: &'static str,
        /// The name.
        id: String,
        /// What was perhaps meant.
        hint: String,
    },
    /// The table does not tell these apart.
    #[error("this table has no {0}, so that rows cannot be chosen by them")]
    Choice(&'static str),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] Unwritten),
    /// What is not a file cannot be written.
    #[error("cannot write: {0}")]
    Output(io::Error),
}

/// Who is told the share of the work that is done, 0 to 1.
type Watch<'a> = &'a mut dyn FnMut(f64);

/// Writes a table to a file, and says how many rows it has. The file is whole or not there: it is
/// written beside its place and moved there.
///
/// # Errors
/// When the store cannot be read, the file not be written, or there is nobody of that name.
pub fn to_file(
    reader: &Reader,
    request: &ExportRequest,
    (path, format): (&Path, ExportFormat),
    watch: Watch<'_>,
) -> Result<u64, ExportError> {
    let source = Source::new(reader, request)?;
    let mut drafts = Drafts::default();
    let out = drafts.begin(path)?;
    let rows = write(&source, (format, out), watch).map_err(|error| match error {
        ExportError::Output(error) => Unwritten::of(path)(error).into(),
        other => other,
    })?;
    drafts.settle()?;
    Ok(rows)
}

/// Writes a table to what is not a file, and says how many rows it has.
///
/// # Errors
/// When the store cannot be read, the output not be written, or there is nobody of that name.
pub fn to_output(
    reader: &Reader,
    request: &ExportRequest,
    out: (ExportFormat, impl Write + Send),
    watch: Watch<'_>,
) -> Result<u64, ExportError> {
    let source = Source::new(reader, request)?;
    leftovers::is_seen();
    write(&source, out, watch)
}

fn write(
    source: &Source<'_>,
    (format, out): (ExportFormat, impl Write + Send),
    watch: Watch<'_>,
) -> Result<u64, ExportError> {
    let out = (format, source.zone(), out);
    match source.table() {
        ExportTable::Verdicts => filled(out, |each| source.verdicts(watch, each)),
        ExportTable::Events => filled(out, |each| source.events(watch, each)),
        ExportTable::Values => filled(out, |each| source.values(watch, each)),
        ExportTable::Polling => filled(out, |each| source.asked(watch, each)),
        ExportTable::Alarms => filled(out, |each| source.alarms(each)),
        ExportTable::Metering => filled(out, |each| source.metering(each)),
        ExportTable::Energy => filled(out, |each| source.energy(each)),
    }
}

/// Takes a row.
type Each<'a, R> = &'a mut dyn FnMut(&R) -> Result<(), ExportError>;

/// Writes the rows that `fill` hands on.
fn filled<R: Row, W: Write + Send>(
    (format, zone, out): (ExportFormat, Zone, W),
    fill: impl FnOnce(Each<'_, R>) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let mut rows = 0;
    let mut count = |written: io::Result<()>| {
        rows += 1;
        written.map_err(ExportError::Output)
    };
    let ended = match format {
        ExportFormat::Parquet => {
            let mut writer = parquet::Writer::begin(out).map_err(ExportError::Output)?;
            fill(&mut |row| count(writer.row(row)))?;
            writer.end()
        }
        ExportFormat::Csv(style) | ExportFormat::Lines(style) => {
            let is_file = matches!(format, ExportFormat::Csv(_));
            let mut writer = csv::Writer::begin::<R>((style, zone), is_file, out)
                .map_err(ExportError::Output)?;
            fill(&mut |row| count(writer.row(row)))?;
            writer.end()
        }
    };
    ended.map_err(ExportError::Output)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ::parquet::file::metadata::RowGroupMetaData;
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::Field;
    use config::{Decoded, Flags};
    use signal::clock::Timestamp;
    use store::Value;

    use super::tables::Sample;
    use super::*;

    fn sample(n: i64) -> Sample {
        let value = match n % 7 {
            0 => Decoded::NoValue,
            1 => Decoded::Nonsense,
            #[expect(clippy::cast_precision_loss, reason = "small")]
            _ => Decoded::Value(n as f64 * -0.25),
        };
        let flags = (n % 3 > 0).then_some(Flags(0x80));
        let [station, centre] = ["=1+1", "Trạm \"A\", B"].map(str::to_owned);
        let point = format!("@{}", n / 50_000);
        Sample {
            station,
            centre,
            point,
            unit: "MW".to_owned(),
            value: Value { at: Timestamp(n), value, flags },
        }
    }

    fn csv_of(format: ExportFormat, count: i64) -> String {
        let mut bytes = Vec::new();
        filled((format, Zone::hours(7), &mut bytes), |each| {
            (0..count).try_for_each(|n| each(&sample(n)))
        })
        .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_end_of_the_name_says_the_format() {
        let of = |name: &str| ExportFormat::of(Path::new(name), Style::ExcelVi);
        assert_eq!(of("a/b.PARQUET").unwrap(), ExportFormat::Parquet);
        assert_eq!(of("b.csv").unwrap(), ExportFormat::Csv(Style::ExcelVi));
        for name in ["b", "b.xlsx", ".csv"] {
            let error = of(name).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(".parquet or .csv"), "{error}");
        }
    }

    #[test]
    fn csv_runs_no_text_and_leaves_numbers_alone() {
        assert_eq!(
            csv_of(ExportFormat::Lines(Style::Rfc), 3),
            "time,station,centre,point,value,unit,problem,flags\n\
             1970-01-01T00:00:00.000Z,'=1+1,\"Trạm \"\"A\"\", B\",'@0,,MW,no value,\n\
             1970-01-01T00:00:00.001Z,'=1+1,\"Trạm \"\"A\"\", B\",'@0,,MW,undecodable,128\n\
             1970-01-01T00:00:00.002Z,'=1+1,\"Trạm \"\"A\"\", B\",'@0,-0.5,MW,,128\n"
        );
        let excel = csv_of(ExportFormat::Csv(Style::ExcelVi), 3);
        assert!(excel.starts_with("\u{feff}Thời điểm;Trạm;"), "{excel}");
        assert!(excel.ends_with(";'@0;-0,5;MW;;128\r\n"), "{excel}");
        assert!(excel.contains("\r\n01/01/1970 07:00:00,001;"), "{excel}");
    }

    #[test]
    fn groups_of_parquet_are_bounded_and_lose_nothing() {
        let count = 300_000;
        let mut file = tempfile::tempfile().unwrap();
        let rows = (0..count).map(sample);
        let written = filled((ExportFormat::Parquet, Zone::hours(7), &mut file), |each| {
            rows.into_iter().try_for_each(|row| each(&row))
        });
        assert_eq!(written.unwrap(), 300_000);
        let reader = SerializedFileReader::<File>::new(file).unwrap();
        let groups = reader.metadata().row_groups().iter().map(RowGroupMetaData::num_rows);
        let groups: Vec<i64> = groups.collect();
        assert_eq!(groups, [131_072, 131_072, 37_856]);
        let read = reader.get_row_iter(None).unwrap();
        for (n, row) in (0..count).zip(read) {
            let (row, own) = (row.unwrap(), sample(n));
            let cells: Vec<&Field> = row.get_column_iter().map(|(_, cell)| cell).collect();
            let text = |text: &str| Field::Str(text.to_owned());
            let (value, problem) = match own.value.value {
                Decoded::Value(number) => (Field::Double(number), Field::Null),
                Decoded::NoValue => (Field::Null, text("no value")),
                Decoded::Nonsense => (Field::Null, text("undecodable")),
            };
            let flags = own.value.flags.map_or(Field::Null, |flags| Field::Int(flags.0.into()));
            let expected = [
                &Field::TimestampMillis(n),
                &text(&own.station),
                &text(&own.centre),
                &text(&own.point),
                &value,
                &text(&own.unit),
                &problem,
                &flags,
            ];
            assert_eq!(cells, expected);
        }
    }
}
