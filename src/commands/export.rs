//! `gridwatch store export`: what was kept, as Parquet or CSV.

use std::io;
use std::path::{Path, PathBuf};

use ::config::Date;
use clap::{Args, ValueEnum};
use gridwatch::clock::Timestamp;
use gridwatch::export::{self, Choice, ExportFormat, ExportRequest, ExportTable};
use gridwatch::history::Span;
use gridwatch::spreadsheet::Style;
use gridwatch::store::{Gap, Kept, Reader};

use super::bar::Bar;
use super::store::{Folder, zone_in};
use super::{Common, Failure, NOTHING_WRITTEN, Outcome, Stop, note, say};

/// Whose CSV is written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum CsvStyle {
    Rfc,
    ExcelVi,
}

impl From<CsvStyle> for Style {
    fn from(style: CsvStyle) -> Self {
        match style {
            CsvStyle::Rfc => Self::Rfc,
            CsvStyle::ExcelVi => Self::ExcelVi,
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store export verdicts --from 2022-11-01 --to 2022-11-30 --out verdicts.csv
  gridwatch store export values --station HB03 --from 2022-11-07 --to 2022-11-07 --out hb03.parquet
  gridwatch store export values --point HB03.110.171.P --point HB03.110.172.P --centre A1
  gridwatch store export events --out events.csv --csv excel-vi
  gridwatch store export values --out values.parquet
  duckdb -c \"SELECT point, avg(value) FROM 'values.parquet' GROUP BY point\"

Days are local ones of the province, as in a report; times are UTC, in CSV ISO 8601 to the millisecond;
--csv excel-vi has local ones, as a Vietnamese spreadsheet reads them, below Vietnamese heads. Verdicts: one row for each stretch in which a
required point stood in one way; time that nobody watched has no row. Values: by station, centre,
point and time. docs/history.md has the columns of every table.
Exit codes: 0 written, 1 stopped, and no file was written, 2 usage, or it cannot be read or written.")]
pub(super) struct ExportArgs {
    /// What
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    folder: Folder,
    /// First day [default: the first of the store]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Last day [default: the last of the store]
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Only this point, such as HB03.110.171.P; may be given several times
    #[arg(long, value_name = "ID")]
    point: Vec<String>,
    /// Only this station, all its points; may be given several times
    #[arg(long, value_name = "ID")]
    station: Vec<String>,
    /// Only as this centre sees it
    #[arg(long, value_name = "ID")]
    centre: Option<String>,
    /// File to write: its end says how, .parquet or .csv [default: CSV to standard output, as does -]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How CSV is written: with comma and point, or as a Vietnamese Excel reads it
    #[arg(long, value_enum, value_name = "STYLE", default_value = "rfc")]
    csv: CsvStyle,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Verdict intervals of required points
    Verdicts,
    /// Records of the event rings
    Events,
    /// Every value that came
    Values,
    /// How polling went, in stretches of ten minutes
    #[value(alias = "asked")]
    Polling,
    /// Remote metering, whenever a figure was another one
    Metering,
    /// Running counts of energy sold and produced
    Energy,
    /// Alarms, each time that one was raised
    Alarms,
}

impl From<What> for ExportTable {
    fn from(what: What) -> Self {
        match what {
            What::Verdicts => Self::Verdicts,
            What::Events => Self::Events,
            What::Values => Self::Values,
            What::Polling => Self::Polling,
            What::Metering => Self::Metering,
            What::Energy => Self::Energy,
            What::Alarms => Self::Alarms,
        }
    }
}

pub(super) fn run(common: &Common, args: &ExportArgs) -> Outcome {
    let style = args.csv.into();
    let out = args.out.as_deref().filter(|path| *path != Path::new("-"));
    // What cannot be written is said before it is worked out.
    let file =
        out.map(|path| Ok((path, ExportFormat::of(path, style)?))).transpose().map_err(refused)?;
    let _stop = Stop::at_once(NOTHING_WRITTEN)?;
    let reader = Reader::open(&args.folder.path()?)?;
    let request = ExportRequest {
        table: args.what.into(),
        span: span(args, &reader)?,
        choice: Choice {
            stations: args.station.clone(),
            points: args.point.clone(),
            centre: args.centre.clone(),
        },
        lang: common.lang(),
    };
    say_what_is_gone(&reader, &request)?;
    let Some((path, format)) = file else {
        let out = (ExportFormat::Lines(style), io::stdout());
        let rows = export::to_output(&reader, &request, out, &mut |_| {}).map_err(refused)?;
        reader.undisturbed()?;
        say_what_there_is(&reader, rows)?;
        return Ok(0);
    };
    let mut bar = Bar::new();
    let rows = export::to_file(&reader, &request, (path, format), &mut |done| bar.show(done));
    bar.clear();
    reader.undisturbed()?;
    let rows = rows.map_err(refused)?;
    say(format_args!("{}: {rows} rows", path.display()))?;
    say_what_there_is(&reader, rows)?;
    Ok(0)
}

/// Says on the error stream of which time the store is, where nothing of it was asked for.
fn say_what_there_is(reader: &Reader, rows: u64) -> Result<(), Failure> {
    if rows > 0 {
        return Ok(());
    }
    let (zone, sessions) = (zone_in(reader)?, reader.sessions()?);
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else {
        return note("gridwatch: no row: the store is empty, nobody has watched yet");
    };
    let (from, until) = (first.from.local(zone), last.until.local(zone));
    note(format_args!(
        "gridwatch: no row: there was nothing of that in what was asked for; somebody watched from {from} to {until}"
    ))
}

/// Says on the error stream what of the request is no longer kept: a row that is not there says nothing.
fn say_what_is_gone(reader: &Reader, request: &ExportRequest) -> Result<(), Failure> {
    let zone = zone_in(reader)?;
    let kind = match request.table {
        ExportTable::Verdicts => Kept::Verdicts,
        ExportTable::Events => Kept::Events,
        ExportTable::Values => Kept::Values,
        ExportTable::Polling => Kept::Polling,
        ExportTable::Metering | ExportTable::Energy => Kept::Metering,
        ExportTable::Alarms => Kept::Alarms,
    };
    let asked = request.span;
    let is_asked = |gap: &Gap| gap.to > asked.from && gap.from < asked.to;
    if let Some(Gap { to: from, .. }) = reader.gap(kind)?.filter(is_asked) {
        let (kind, from) = (kind.word(), from.local(zone));
        note(format_args!(
            "gridwatch: {kind} from before {from} are no longer kept, so they are not in it"
        ))?;
    }
    Ok(())
}

/// The days that are asked for, as a report cuts them, else all that there is.
fn span(args: &ExportArgs, reader: &Reader) -> Result<Span, Failure> {
    let all = Span::new(Timestamp(i64::MIN), Timestamp(i64::MAX));
    if args.from.is_none() && args.to.is_none() {
        return Ok(all);
    }
    let zone = zone_in(reader)?;
    let number = |text: &String| {
        let date = Date::read(text)?;
        let bad = || Failure::Usage(format!("'{text}' is not a day of the calendar"));
        date.number().ok_or_else(bad)
    };
    let begins = |day| Timestamp::of_local_day(day, zone);
    let from = args.from.as_ref().map(number).transpose()?;
    let to = args.to.as_ref().map(number).transpose()?;
    if let (Some(first), Some(last)) = (&args.from, &args.to)
        && to < from
    {
        let why = format!("the period ends on {last}, before it begins on {first}");
        return Err(Failure::Usage(why));
    }
    Ok(Span::new(from.map_or(all.from, begins), to.map_or(all.to, |day| begins(day + 1))))
}

fn refused(error: export::ExportError) -> Failure {
    match error {
        export::ExportError::Output(error) => Failure::Output(error),
        other => Failure::Usage(other.to_string()),
    }
}
