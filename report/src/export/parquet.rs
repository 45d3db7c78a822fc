//! Rows as Parquet: columns with their types, so that nobody who opens the file has to guess.
//!
//! Rows are gathered in groups of a fixed number, which bounds memory; of each group some hundred bytes stay
//! until the end, because the format has its table of contents there. Texts and numbers that come again
//! and again stand in a dictionary of their group. Of the format only what every reader knows is used:
//! data pages of version 1, plain and dictionary encodings, Snappy.

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::{Type, TypePtr};

use super::tables::{Cell, Column, Row};

/// Rows of a group: as many as databases hand to one thread.
const GROUP_ROWS: usize = 128 * 1_024;

/// Writes rows, one after the other.
pub(super) struct Writer<R: Row, W: Write + Send> {
    out: SerializedFileWriter<W>,
    columns: Vec<Gathered<R>>,
    /// Rows that are gathered.
    rows: usize,
}

/// The cells of a column since the last group.
struct Gathered<R: 'static> {
    column: &'static Column<R>,
    cells: Cells,
    /// For each row, 1: it has a cell, 0: it has none.
    is_there: Vec<i16>,
}

/// Cells as the format stores them.
enum Cells {
    Bytes(Vec<ByteArray>),
    Int64(Vec<i64>),
    Int32(Vec<i32>),
    Double(Vec<f64>),
    Boolean(Vec<bool>),
}

impl<R: Row, W: Write + Send> Writer<R, W> {
    pub(super) fn begin(out: W) -> io::Result<Self> {
        Self::new(out).map_err(failed)
    }

    fn new(out: W) -> Result<Self> {
        let columns = R::COLUMNS.iter().map(kind).collect::<Result<_>>()?;
        let schema = Type::group_type_builder("row").with_fields(columns).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Smallest and largest of a group are enough to find one: those of pages would stay in memory
            // until the end.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("gridwatch version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { out, columns: R::COLUMNS.iter().map(Gathered::new).collect(), rows: 0 })
    }

    pub(super) fn row(&mut self, row: &R) -> io::Result<()> {
        for column in &mut self.columns {
            column.push(row);
        }
        self.rows += 1;
        if self.rows < GROUP_ROWS { Ok(()) } else { self.group().map_err(failed) }
    }

    /// Writes what is gathered.
    fn group(&mut self) -> Result<()> {
        self.rows = 0;
        let mut group = self.out.next_row_group()?;
        for gathered in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            gathered.write(column.untyped())?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    pub(super) fn end(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.group().map_err(failed)?;
        }
        self.out.close().map_err(failed)?;
        Ok(())
    }
}

/// How the format describes a column.
fn kind<R>(Column(name, cell): &Column<R>) -> Result<TypePtr> {
    let instant = LogicalType::timestamp(true, TimeUnit::MILLIS);
    let (physical, logical, repetition) = match cell {
        Cell::Moment(_) => (Physical::INT64, Some(instant), Repetition::OPTIONAL),
        Cell::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String), Repetition::OPTIONAL),
        Cell::Whole(_) => (Physical::INT64, None, Repetition::REQUIRED),
        Cell::Maybe(_) => (Physical::INT64, None, Repetition::OPTIONAL),
        Cell::Day(_) => (Physical::INT32, Some(LogicalType::Date), Repetition::OPTIONAL),
        Cell::Code(_) => (Physical::INT32, None, Repetition::OPTIONAL),
        Cell::Number(_) => (Physical::DOUBLE, None, Repetition::OPTIONAL),
        Cell::Instant(_) => (Physical::INT64, Some(instant), Repetition::REQUIRED),
        Cell::YesNo(_) => (Physical::BOOLEAN, None, Repetition::OPTIONAL),
    };
    let column = Type::primitive_type_builder(name, physical);
    Ok(Arc::new(column.with_logical_type(logical).with_repetition(repetition).build()?))
}

impl<R> Gathered<R> {
    fn new(column: &'static Column<R>) -> Self {
        let cells = match column.1 {
            Cell::Text(_) => Cells::Bytes(Vec::new()),
            Cell::Whole(_) | Cell::Maybe(_) | Cell::Instant(_) | Cell::Moment(_) => {
                Cells::Int64(Vec::new())
            }
            Cell::Code(_) | Cell::Day(_) => Cells::Int32(Vec::new()),
            Cell::Number(_) => Cells::Double(Vec::new()),
            Cell::YesNo(_) => Cells::Boolean(Vec::new()),
        };
        Self { column, cells, is_there: Vec::new() }
    }

    fn push(&mut self, row: &R) {
        let is_there = match (&self.column.1, &mut self.cells) {
            (Cell::Text(of), Cells::Bytes(cells)) => {
                let text = of(row);
                // Mostly it is that of the row before, and shares its bytes.
                let cell = match cells.last() {
                    _ if text.is_empty() => None,
                    Some(last) if last.data() == text.as_bytes() => Some(last.clone()),
                    _ => Some(ByteArray::from(text)),
                };
                put(cells, cell)
            }
            (Cell::Whole(of), Cells::Int64(cells)) => put(cells, Some(of(row))),
            (Cell::Maybe(of), Cells::Int64(cells)) => put(cells, of(row)),
            (Cell::Instant(of), Cells::Int64(cells)) => put(cells, Some(of(row).0)),
            (Cell::Moment(of), Cells::Int64(cells)) => put(cells, of(row).map(|at| at.0)),
            (Cell::Day(of), Cells::Int32(cells)) => {
                put(cells, of(row).and_then(|day| i32::try_from(day).ok()))
            }
            (Cell::Code(of), Cells::Int32(cells)) => put(cells, of(row).map(i32::from)),
            (Cell::Number(of), Cells::Double(cells)) => put(cells, of(row)),
            (Cell::YesNo(of), Cells::Boolean(cells)) => put(cells, of(row)),
            _ => false,
        };
        self.is_there.push(is_there.into());
    }

    /// Hands on all cells, and is empty again.
    fn write(&mut self, out: &mut ColumnWriter<'_>) -> Result<()> {
        // A column that always has its cell takes no note of it.
        let is_there = Some(&self.is_there[..]);
        match (&mut self.cells, out) {
            (Cells::Bytes(cells), ColumnWriter::ByteArrayColumnWriter(out)) => {
                out.write_batch(cells, is_there, None)?;
                cells.clear();
            }
            (Cells::Int64(cells), ColumnWriter::Int64ColumnWriter(out)) => {
                out.write_batch(cells, is_there, None)?;
                cells.clear();
            }
            (Cells::Int32(cells), ColumnWriter::Int32ColumnWriter(out)) => {
                out.write_batch(cells, is_there, None)?;
                cells.clear();
            }
            (Cells::Double(cells), ColumnWriter::DoubleColumnWriter(out)) => {
                out.write_batch(cells, is_there, None)?;
                cells.clear();
            }
            (Cells::Boolean(cells), ColumnWriter::BoolColumnWriter(out)) => {
                out.write_batch(cells, is_there, None)?;
                cells.clear();
            }
            _ => return Err(ParquetError::General("a column of another kind".to_owned())),
        }
        self.is_there.clear();
        Ok(())
    }
}

fn put<T>(cells: &mut Vec<T>, cell: Option<T>) -> bool {
    let is_there = cell.is_some();
    cells.extend(cell);
    is_there
}

/// What the system said.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
