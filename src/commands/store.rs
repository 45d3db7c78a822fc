//! `gridwatch store`: look after the history that was kept.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use ::config::{Decoded, Lang, Province, way_out};
use clap::{Args, Subcommand, ValueEnum};
use gridwatch::clock::{DAY_MS, Timestamp};
use gridwatch::history::{Span, Window, intervals};
use gridwatch::report::period::day;
use gridwatch::store::{Reader, StoreError, upkeep};

use super::{Common, EXIT_MISSED, Failure, Outcome, say, store_folder};

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Read all of a store and say whether it is whole
    Check(CheckArgs),
    /// Forget what is older than a day, if one is named, and give the room back
    Compact(CompactArgs),
    /// Write what was kept as CSV: verdict intervals or events
    Export(ExportArgs),
    /// Copy a store into another folder, also while a monitor writes to it
    Backup(BackupArgs),
}

#[derive(Args)]
struct Folder {
    /// Folder of the store [default: where 'gridwatch monitor' keeps that of Hòa Bình]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store check
  gridwatch store check --store /srv/gridwatch

Exit codes: 0 whole, 1 something is wrong with it, 2 usage, or it cannot be opened.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: Folder,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store compact --store /srv/gridwatch
  gridwatch store compact --store /srv/gridwatch --before 2021-01-01   forgets the years before

No monitor may write to it meanwhile.")]
pub(super) struct CompactArgs {
    #[command(flatten)]
    folder: Folder,
    /// Forget what was before this day
    #[arg(long, value_name = "DAY")]
    before: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store export verdicts --from 2022-11-01 --to 2022-11-30 --out verdicts.csv
  gridwatch store export events --out events.csv
  gridwatch store export values --point HB03.110.171.P --from 2022-11-07 --to 2022-11-07

Times are UTC, ISO 8601 to the millisecond. Verdicts: one row for each stretch in which a required
point stood in one way; time that nobody watched has no row.")]
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
    /// With values: which point, such as HB03.110.171.P
    #[arg(long, value_name = "ID", required_if_eq("what", "values"))]
    point: Option<String>,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Verdict intervals of required points
    Verdicts,
    /// Records of the event rings
    Events,
    /// Every value of one point (--point)
    Values,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store backup /mnt/usb/gridwatch
  gridwatch store backup --store /srv/gridwatch /mnt/usb/gridwatch

The copy is the store of one instant, and a store like any: 'report --store' reads it.")]
pub(super) struct BackupArgs {
    #[command(flatten)]
    folder: Folder,
    /// Folder of the copy
    #[arg(value_name = "TO")]
    to: PathBuf,
}

impl Folder {
    fn path(&self) -> Result<PathBuf, Failure> {
        store_folder(self.store.as_ref(), &Province::built_in())
    }
}

fn failed(error: StoreError) -> Failure {
    error.into()
}

pub(super) fn run(common: &Common, command: &StoreCommand) -> Outcome {
    match command {
        StoreCommand::Check(args) => check(args),
        StoreCommand::Compact(args) => compact(args),
        StoreCommand::Export(args) => export(common, args),
        StoreCommand::Backup(args) => backup(args),
    }
}

fn check(args: &CheckArgs) -> Outcome {
    let folder = args.folder.path()?;
    let found = upkeep::check(&folder).map_err(failed)?;
    let range = found.range.map_or_else(
        || "nothing in it yet".to_owned(),
        |(from, until)| format!("{from} to {until}, {} sessions", found.sessions),
    );
    say(format_args!("{}: {} kB; {range}", folder.display(), found.bytes / 1_024))?;
    let rows = found.rows.iter().map(|(table, count)| format!("{table} {count}"));
    say(format_args!("rows: {}", rows.collect::<Vec<_>>().join(", ")))?;
    for fault in &found.faults {
        say(format_args!("wrong: {fault}"))?;
    }
    if found.fault_count > found.faults.len() {
        say(format_args!("and {} more", found.fault_count - found.faults.len()))?;
    }
    if found.fault_count == 0 {
        say("whole")?;
        return Ok(0);
    }
    say("take the last backup, or 'gridwatch store backup' for what can still be read")?;
    Ok(EXIT_MISSED)
}

fn compact(args: &CompactArgs) -> Outcome {
    let folder = args.folder.path()?;
    let before = args.before.as_deref().map(instant).transpose()?;
    let (was, is) = upkeep::compact(&folder, before).map_err(failed)?;
    say(format_args!("{}: {} kB, was {} kB", folder.display(), is / 1_024, was / 1_024))?;
    Ok(0)
}

/// The moment at which a day begins, UTC.
fn instant(text: &str) -> Result<Timestamp, Failure> {
    let date = day(text).map_err(|error| Failure::Usage(error.to_string()))?;
    let bad = || Failure::Usage(format!("'{text}' is not a day of the calendar"));
    Timestamp::midnight(date, 0).ok_or_else(bad)
}

fn backup(args: &BackupArgs) -> Outcome {
    let folder = args.folder.path()?;
    let file = upkeep::backup(&folder, &args.to, |_| {}).map_err(failed)?;
    say(file.display())?;
    Ok(0)
}

fn export(common: &Common, args: &ExportArgs) -> Outcome {
    let reader = Reader::open(&args.folder.path()?).map_err(failed)?;
    let sessions = reader.sessions().map_err(failed)?;
    let first = sessions.first().map_or(Timestamp(0), |session| session.from);
    let last = sessions.last().map_or(Timestamp(0), |session| session.until.plus(1));
    let from = args.from.as_deref().map(instant).transpose()?.unwrap_or(first);
    let to = args.to.as_deref().map(instant).transpose()?.map(|day| day.plus(DAY_MS));
    let span = Span::new(from, to.unwrap_or(last));
    let out: Box<dyn Write> = match &args.out {
        None => Box::new(io::stdout().lock()),
        Some(path) => Box::new(std::fs::File::create(path).map_err(|error| {
            Failure::Usage(format!("'{}' cannot be written: {error}", path.display()))
        })?),
    };
    let mut out = csv::Writer::from_writer(BufWriter::new(out));
    match args.what {
        What::Verdicts => {
            let window = Window::new(span, &[], &sessions);
            verdicts(common.lang(), &reader, &window, &mut out)?;
        }
        What::Events => events(&reader, span, &mut out)?,
        What::Values => {
            values(&reader, args.point.as_deref().unwrap_or_default(), span, &mut out)?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// Every value of a point, centre by centre.
fn values(reader: &Reader, point: &str, span: Span, out: &mut Out<'_>) -> Result<(), Failure> {
    let sessions = reader.sessions().map_err(failed)?;
    let station = point.split_once('.').map_or(point, |(station, _)| station);
    let Some(last) = sessions.last() else { return Ok(()) };
    let province = reader.contract(last.contract).map_err(failed)?.province;
    let found = province.station(station).map(|id| &province.stations[id.index()]);
    if found.is_none_or(|station| station.point(point).is_none()) {
        let ids = province.stations.iter().flat_map(|s| s.points.iter().map(|p| p.id.as_str()));
        let hint = way_out(point, ids);
        return Err(Failure::Usage(format!("no point '{point}' in the store; {hint}")));
    }
    out.write_record(["at", "centre", "point", "value", "flags"]).map_err(written)?;
    for centre in &province.centres {
        let mut outcome = Ok(());
        let path = (station, &centre.id[..], point);
        reader
            .values(path, (span.from, span.to), |value| {
                if outcome.is_err() {
                    return;
                }
                let number = match value.value {
                    Decoded::Value(number) => number.to_string(),
                    Decoded::NoValue => String::new(),
                    Decoded::Nonsense => "undecodable".to_owned(),
                };
                let flags = value.flags.map_or_else(String::new, |flags| flags.0.to_string());
                let at = value.at.to_millisecond();
                outcome = out.write_record([&at, &centre.id, point, &number, &flags]);
            })
            .map_err(failed)?;
        outcome.map_err(written)?;
    }
    Ok(())
}

type Out<'a> = csv::Writer<BufWriter<Box<dyn Write + 'a>>>;

fn written(error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::Output(error),
        other => Failure::Usage(format!("CSV: {other:?}")),
    }
}

fn verdicts(
    lang: Lang,
    reader: &Reader,
    window: &Window,
    out: &mut Out<'_>,
) -> Result<(), Failure> {
    let head =
        ["station", "centre", "point", "name", "from", "until", "verdict", "not_live", "right"];
    out.write_record(head).map_err(written)?;
    for era in &window.eras {
        let province = reader.contract(era.contract).map_err(failed)?.province;
        for channel in &province.channels {
            let station = &province.stations[channel.station.index()];
            let centre = &province.centres[channel.centre.index()].id;
            let mut outcome = Ok(());
            intervals(reader, &province, channel, era, |interval| {
                let point = &station.points[interval.point.index()];
                if !channel.entries[interval.point.index()].required || outcome.is_err() {
                    return;
                }
                let state = interval.state;
                let right = match (state.is_evaluable(), state.has_finding()) {
                    (false, _) => "",
                    (true, finding) => ["yes", "no"][usize::from(finding)],
                };
                outcome = out.write_record([
                    station.id.as_str(),
                    centre,
                    &point.id,
                    point.spec.name.get(lang),
                    &interval.span.from.to_millisecond(),
                    &interval.span.to.to_millisecond(),
                    state.verdict().map_or("good", |reason| reason.word()),
                    state.not_live().map_or("", |reason| reason.word()),
                    right,
                ]);
            })
            .map_err(failed)?;
            outcome.map_err(written)?;
        }
    }
    Ok(())
}

fn events(reader: &Reader, span: Span, out: &mut Out<'_>) -> Result<(), Failure> {
    let head = [
        "at",
        "station",
        "centre",
        "unit",
        "number",
        "source",
        "arrived",
        "address",
        "point",
        "before",
        "value",
        "flags",
        "synchronised",
        "doubt",
    ];
    out.write_record(head).map_err(written)?;
    let mut outcome = Ok(());
    reader
        .events((span.from, span.to), |event| {
            if outcome.is_err() {
                return;
            }
            outcome = out.write_record([
                event.at.to_millisecond(),
                event.station,
                event.centre,
                event.unit.to_string(),
                event.number.to_string(),
                event.source.to_millisecond(),
                event.arrived.to_millisecond(),
                event.address.to_string(),
                event.point.unwrap_or_default(),
                event.before.map_or_else(String::new, |code| code.to_string()),
                event.value.to_string(),
                event.flags.to_string(),
                event.synchronised.to_string(),
                event.doubt.unwrap_or_default(),
            ]);
        })
        .map_err(failed)?;
    outcome.map_err(written)
}
