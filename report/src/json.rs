//! A report as JSON, schema 1: for programs. Nothing is rounded: shares are their two counts,
//! durations integer milliseconds, instants ISO 8601 with their offset.
//!
//! ```text
//! { schema, lang, utc_offset_hours or time_zone, title, subtitle, sheets: { <sheet>: {
//!     name, form: {company, unit, number, title, period, place, date, signatures} or null, notes: [text],
//!     tables: { <table>: { caption, columns: [{id, title}], rows: [{<column>: cell}], total } },
//!     charts: { <chart>: { caption, shape, unit, target, categories, series: [{name, values}] } }
//! } } }
//! ```
//!
//! Where clocks are set, the zone has its name in place of hours: each instant says by itself how far it is ahead.
//! A cell without anything to say is null; a figure that is not known is `{"known": false}`.
//!
//! Fields stand in this order, and sheets, tables, charts and columns in that of the report.
//! `schema` goes up when a field changes its meaning.

use config::{Lang, Zone};
use historian::verdict::Since;
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::sheets::{
    Cell, Chart, Head, Report, Series, Shape, Sheet, SheetColumn, SheetPart, Table,
};
use super::shown::{iso, word};

/// Version of the shape.
const SCHEMA: u32 = 1;

/// A report as one JSON object and a newline.
pub fn bytes(report: &Report) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(&Document(report))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Whole where it is.
fn number(hours: f64) -> Option<serde_json::Number> {
    hours.to_string().parse().ok()
}

/// What an object holds by name, in a given order.
struct Named<I>(I);

impl<'a, V: Serialize, I: Iterator<Item = (&'a str, V)> + Clone> Serialize for Named<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

/// A list that is made while it is written.
struct Listed<I>(I);

impl<V: Serialize, I: Iterator<Item = V> + Clone> Serialize for Listed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

struct Document<'a>(&'a Report);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Report { lang, zone, title, subtitle, sheets } = self.0;
        let mut document = serializer.serialize_struct("Report", 6)?;
        document.serialize_field("schema", &SCHEMA)?;
        document.serialize_field("lang", if *lang == Lang::Vi { "vi" } else { "en" })?;
        match (zone.fixed_hours(), zone.name()) {
            (Some(hours), _) => document.serialize_field("utc_offset_hours", &number(hours))?,
            (None, name) => document.serialize_field("time_zone", &name)?,
        }
        document.serialize_field("title", title)?;
        document.serialize_field("subtitle", subtitle)?;
        let sheets = sheets.iter().map(|sheet| (sheet.id, SheetEntry { sheet, zone: *zone }));
        document.serialize_field("sheets", &Named(sheets))?;
        document.end()
    }
}

struct SheetEntry<'a> {
    sheet: &'a Sheet,
    zone: Zone,
}

impl Serialize for SheetEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (parts, zone) = (self.sheet.parts.iter(), self.zone);
        let notes = parts.clone().filter_map(|part| match part {
            SheetPart::Note(text) => Some(text),
            _ => None,
        });
        let tables = parts.clone().filter_map(move |part| match part {
            SheetPart::Table(table) => Some((table.id, TableEntry { table, zone })),
            _ => None,
        });
        let form = parts.clone().find_map(|part| match part {
            SheetPart::Head(head) => Some(FormEntry { head, sheet: self.sheet }),
            _ => None,
        });
        let charts = parts.filter_map(|part| match part {
            SheetPart::Chart(chart) => Some((chart.id, ChartEntry(chart))),
            _ => None,
        });
        let mut sheet = serializer.serialize_struct("Sheet", 5)?;
        sheet.serialize_field("name", &self.sheet.name)?;
        sheet.serialize_field("form", &form)?;
        sheet.serialize_field("notes", &Listed(notes))?;
        sheet.serialize_field("tables", &Named(tables))?;
        sheet.serialize_field("charts", &Named(charts))?;
        sheet.end()
    }
}

struct FormEntry<'a> {
    head: &'a Head,
    sheet: &'a Sheet,
}

impl Serialize for FormEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Head { company, unit, number, title, period, place, date } = self.head;
        let signatures = self.sheet.parts.iter().filter_map(|part| match part {
            SheetPart::Signatures(roles) => Some(roles),
            _ => None,
        });
        let mut form = serializer.serialize_struct("Form", 8)?;
        form.serialize_field("company", company)?;
        form.serialize_field("unit", unit)?;
        form.serialize_field("number", number)?;
        form.serialize_field("title", title)?;
        form.serialize_field("period", period)?;
        form.serialize_field("place", place)?;
        form.serialize_field("date", &date.map(|date| date.to_string()))?;
        form.serialize_field("signatures", &Listed(signatures.flatten()))?;
        form.end()
    }
}

struct TableEntry<'a> {
    table: &'a Table,
    zone: Zone,
}

#[derive(Serialize)]
struct ColumnEntry<'a> {
    id: &'a str,
    title: &'a str,
}

impl Serialize for TableEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Table { columns, rows, total, .. } = self.table;
        let row = |cells| Row { columns, cells, zone: self.zone };
        let titles = columns.iter().map(|SheetColumn { id, title, .. }| ColumnEntry { id, title });
        let mut table = serializer.serialize_struct("Table", 4)?;
        table.serialize_field("caption", &self.table.caption)?;
        table.serialize_field("columns", &Listed(titles))?;
        table.serialize_field("rows", &Listed(rows.iter().map(|cells| row(cells))))?;
        table.serialize_field("total", &total.as_ref().map(|cells| row(cells)))?;
        table.end()
    }
}

struct Row<'a> {
    columns: &'a [SheetColumn],
    cells: &'a [Cell],
    zone: Zone,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            row.serialize_entry(&*column.id, &Value { cell, zone: self.zone })?;
            if let Cell::Since(since) = cell {
                let id = format!("{}_at_least", column.id);
                row.serialize_entry(&id, &since.is_at_least())?;
            }
        }
        row.end()
    }
}

struct Value<'a> {
    cell: &'a Cell,
    zone: Zone,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.cell {
            Cell::Empty => serializer.serialize_none(),
            Cell::NotKnown => {
                let mut figure = serializer.serialize_map(Some(1))?;
                figure.serialize_entry("known", &false)?;
                figure.end()
            }
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Verdict(mark, text) => {
                let mut verdict = serializer.serialize_map(Some(2))?;
                verdict.serialize_entry("mark", word(*mark))?;
                verdict.serialize_entry("text", text)?;
                verdict.end()
            }
            Cell::Count(n) => serializer.serialize_u64(*n),
            Cell::Number(value, _) => serializer.serialize_f64(*value),
            Cell::Share(share, ..) => share.serialize(serializer),
            Cell::AtLeast(share, ..) => {
                let mut counts = serializer.serialize_map(Some(3))?;
                counts.serialize_entry("have", &share.have)?;
                counts.serialize_entry("want", &share.want)?;
                counts.serialize_entry("at_least", &true)?;
                counts.end()
            }
            Cell::TimeShare(share, ..) => {
                let mut times = serializer.serialize_map(Some(2))?;
                times.serialize_entry("have_ms", &share.have)?;
                times.serialize_entry("want_ms", &share.want)?;
                times.end()
            }
            Cell::Duration(ms) => serializer.serialize_i64(*ms),
            Cell::Instant(at) => serializer.serialize_str(&iso(*at, self.zone)),
            Cell::Day(day) => serializer.collect_str(day),
            Cell::Since(since) => match since {
                Since::Always => serializer.serialize_none(),
                Since::Day(day) => serializer.collect_str(day),
                Since::At(at) | Since::AtLeast(at) => {
                    serializer.serialize_str(&iso(*at, self.zone))
                }
            },
        }
    }
}

struct ChartEntry<'a>(&'a Chart);

#[derive(Serialize)]
struct SeriesEntry<'a> {
    name: &'a str,
    values: &'a [Option<f64>],
}

impl Serialize for ChartEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Chart { caption, shape, unit, categories, series, target, .. } = self.0;
        let shape = match shape {
            Shape::Line => "line",
            Shape::Bars => "bars",
        };
        let series = series.iter().map(|Series { name, values }| SeriesEntry { name, values });
        let mut chart = serializer.serialize_struct("Chart", 6)?;
        chart.serialize_field("caption", caption)?;
        chart.serialize_field("shape", shape)?;
        chart.serialize_field("unit", unit)?;
        chart.serialize_field("target", target)?;
        chart.serialize_field("categories", categories)?;
        chart.serialize_field("series", &Listed(series))?;
        chart.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use serde_json::{Value as Json, json};

    fn read(report: &Report) -> Json {
        serde_json::from_slice(&bytes(report).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_of_cell_keeps_all_that_is_known() {
        let document = read(&sample::every_cell());
        assert_eq!(document["schema"], 1);
        let rows = &document["sheets"]["cells"]["tables"]["kinds"]["rows"];
        assert_eq!(
            rows[0],
            json!({
                "text": "Trạm Đông Hà",
                "verdict": {"mark": "good", "text": "Đủ"},
                "count": 8_153,
                "number": -1_234.567_8,
                "share": {"have": 199_520, "want": 268_800},
                "duration": 2_631_852_250_i64,
                "instant": "2022-11-23T14:32:07.240+07:00",
                "day": "2022-11-23",
                "since": "2022-11-23T14:32:07.240+07:00",
                "since_at_least": true,
            })
        );
        assert_eq!(rows[1]["number"], Json::Null, "what is no number is null");
        assert_eq!(rows[1]["duration"], -1_500);
        assert_eq!(rows[2]["share"], Json::Null);
        assert_eq!(rows[5]["share"], json!({"have": 3, "want": 8, "at_least": true}));
        assert_eq!(document["sheets"]["cells"]["tables"]["kinds"]["total"]["count"], 8_153);
        assert_eq!(document["sheets"]["cells"]["tables"]["nothing"]["rows"], json!([]));
    }

    #[test]
    fn charts_keep_their_gaps() {
        let document = read(&sample::month(Lang::Vi));
        let chart = &document["sheets"]["quality"]["charts"]["live_by_day"];
        assert_eq!(chart["shape"], "line");
        assert_eq!(chart["target"], 98.0);
        assert_eq!(chart["categories"].as_array().unwrap().len(), 30);
        assert_eq!(chart["series"][0]["values"][16], Json::Null);
        let empty = read(&sample::every_cell());
        assert_eq!(empty["sheets"]["charts"]["charts"]["empty"]["series"], json!([]));
    }

    #[test]
    fn fields_stand_in_the_order_of_the_report_and_bytes_repeat() {
        let written = String::from_utf8(bytes(&sample::every_cell()).unwrap()).unwrap();
        let places: Vec<usize> = [
            "\"schema\"",
            "\"lang\"",
            "\"title\"",
            "\"sheets\"",
            "\"cells\"",
            "\"name\"",
            "\"text\"",
        ]
        .iter()
        .map(|field| written.find(field).unwrap())
        .collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(written.ends_with("}\n"));
        let month = sample::month(Lang::En);
        assert_eq!(bytes(&month).unwrap(), bytes(&month).unwrap());
    }

    #[test]
    fn texts_of_others_come_back_as_they_were() {
        let document = read(&sample::hostile());
        let rows = document["sheets"]["hostile"]["tables"]["texts"]["rows"].as_array().unwrap();
        for (row, text) in rows.iter().zip(sample::HOSTILE) {
            assert_eq!(row["text"], text);
        }
    }
}
