//! `gridwatch store`: look after the history that was kept.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::config::{Date, Province, Zone};
use clap::{Args, Subcommand, ValueEnum};
use gridwatch::clock::{Clock, Timestamp};
use gridwatch::export::{self, Choice, Format, Request, Table};
use gridwatch::history::Span;
use gridwatch::store::upkeep::{self, Compacted, Forget};
use gridwatch::store::{Aside, By, Gap, Kept, Reader, StoreError, set_aside};

use super::bar::Bar;
use super::{
    Common, CsvStyle, EXIT_MISSED, Failure, NOTHING_WRITTEN, Outcome, Stop, note, say, store_folder,
};

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Read all of a store and say whether it is whole
    Check(CheckArgs),
    /// Forget what is older than a day, if one is named, and give the room back
    Compact(CompactArgs),
    /// Write what was kept as Parquet or CSV: verdicts, events, values, asking, metering, energy, alarms
    Export(ExportArgs),
    /// Copy a store into another folder, also while a monitor writes to it
    Backup(BackupArgs),
    /// Set aside what is later than now, where the clock was wrong; a copy of the whole store is kept
    Aside(AsideArgs),
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

Exit codes: 0 whole, 1 something is wrong with it, or it was stopped, 2 usage, or it cannot be opened.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    folder: Folder,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store compact --store /srv/gridwatch
  gridwatch store compact --store /srv/gridwatch --before 2021-01-01   forgets the years before
  gridwatch store compact --before 2022-11-01 --only-values            forgets values alone

Days are local ones of the province, by the contract of their time. What windows from that day on need
from before it stays, so that they are told as before; what is gone is told as no longer kept.
No monitor may write to it meanwhile.")]
pub(super) struct CompactArgs {
    #[command(flatten)]
    folder: Folder,
    /// Forget what was before this day, which begins at midnight in the province
    #[arg(long, value_name = "DAY")]
    before: Option<String>,
    /// With --before: forget only values, and keep all else
    #[arg(long, requires = "before")]
    only_values: bool,
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

impl From<What> for Table {
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

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch store aside --store /srv/gridwatch
  gridwatch store aside --store /srv/gridwatch --to /mnt/usb/future

For a store that a monitor wrote to while the clock of its machine was ahead. See to it that the
clock is right now. A monitor that waits for it goes on by itself.
Exit codes: 0 done, or there was nothing later than now; 2 usage, or it cannot be done.")]
pub(super) struct AsideArgs {
    #[command(flatten)]
    folder: Folder,
    /// Folder of the copy [default: beside the store, with the moment in its name]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// A monitor that waits for the store holds it for a moment each second: looks for one in which it does
/// not.
const LOOKS: u32 = 40;
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Folder {
    fn path(&self) -> Result<PathBuf, Failure> {
        store_folder(self.store.as_ref(), &Province::built_in())
    }
}

pub(super) fn run(common: &Common, command: &StoreCommand) -> Outcome {
    match command {
        StoreCommand::Check(args) => check(args),
        StoreCommand::Compact(args) => compact(args),
        StoreCommand::Export(args) => export(common, args),
        StoreCommand::Backup(args) => backup(args),
        StoreCommand::Aside(args) => aside(args),
    }
}

/// By what local time goes, by the newest contract of the store; where none can be read, as in Vietnam.
fn zone_of(folder: &Path) -> Zone {
    let newest = Reader::open(folder).and_then(|reader| zone_in(&reader));
    newest.unwrap_or(Province::built_in().zone)
}

fn zone_in(reader: &Reader) -> Result<Zone, StoreError> {
    match reader.sessions()?.last() {
        Some(last) => Ok(reader.contract(last.contract)?.province.zone),
        None => Ok(Province::built_in().zone),
    }
}

fn check(args: &CheckArgs) -> Outcome {
    let folder = args.folder.path()?;
    let _stop =
        Stop::at_once("stopped before all of it was read: whether it is whole is not known")?;
    let found = upkeep::check(&folder)?;
    let zone = zone_of(&folder);
    let range = found.range.map_or_else(
        || "nothing in it yet".to_owned(),
        |(from, until)| {
            format!("{} to {}, {} sessions", from.local(zone), until.local(zone), found.sessions)
        },
    );
    say(format_args!("{}: {} kB; {range}", folder.display(), found.bytes / 1_024))?;
    let ahead = found.range.map(|(_, until)| until.since(Clock::system().now()));
    if let Some(ahead) = ahead.filter(|ms| *ms > FUTURE_MS) {
        say(format_args!(
            "reaches {} s into the future; if the clock of this machine is right, 'gridwatch store aside' \
             sets that part aside and keeps a copy",
            ahead / 1_000
        ))?;
    }
    let rows = found.rows.iter().map(|(table, count)| format!("{table} {count}"));
    say(format_args!("rows: {}", rows.collect::<Vec<_>>().join(", ")))?;
    for (kind, gone) in found.gone.iter().filter(|(_, gone)| gone.gap().is_some()) {
        let by = match gone.by {
            By::Retention => "older than the contract wants",
            By::Hand => "by 'gridwatch store compact'",
        };
        let (kind, before, rows) = (kind.word(), gone.before.local(zone), gone.rows);
        say(format_args!(
            "no longer kept: {kind} from before {before}, {rows} rows, the last {by}"
        ))?;
    }
    for fault in &found.faults {
        say(format_args!("wrong: {fault}"))?;
    }
    if found.fault_count > found.faults.len() {
        say(format_args!("and {} more", found.fault_count - found.faults.len()))?;
    }
    if found.unproven > 0 {
        say(format_args!(
            "{} rows have no checksum, since an earlier version wrote them: only what cannot be is found there",
            found.unproven
        ))?;
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
    let zone = zone_of(&folder);
    let before = args.before.as_deref().map(Date::read).transpose()?;
    let forget = before.map(|before| Forget { before, only_values: args.only_values, zone });
    let Compacted { was, is, removed } = upkeep::compact(&folder, forget)?;
    say(format_args!("{}: {} kB, was {} kB", folder.display(), is / 1_024, was / 1_024))?;
    if let Some((from, removed)) = removed {
        let from = from.local(zone_of(&folder));
        let rows: Vec<String> =
            removed.iter().map(|(kind, rows)| format!("{} {rows}", kind.word())).collect();
        say(format_args!(
            "no longer kept from before {from}; rows taken out: {}",
            rows.join(", ")
        ))?;
        say(
            "verdicts, events and values of the week before stay, untold: what is told of later rests on them",
        )?;
    }
    Ok(0)
}

/// A record that is so far ahead of the clock of this machine is of the future, milliseconds: copies come
/// from other machines.
const FUTURE_MS: i64 = 60_000;

fn aside(args: &AsideArgs) -> Outcome {
    let folder = args.folder.path()?;
    let now = Clock::system().now();
    let stamp = now.to_string().replace(['-', ':'], "");
    let name = folder.file_name().map_or_else(|| "store".into(), |name| name.to_string_lossy());
    let beside = folder.with_file_name(format!("{name}-aside-{stamp}"));
    let to = args.to.clone().unwrap_or(beside);
    let mut looks = 1;
    let aside = loop {
        match set_aside(&folder, now, &to) {
            Err(StoreError::InUse(_)) if looks < LOOKS => looks += 1,
            done => break done?,
        }
        std::thread::park_timeout(LOOK_EVERY);
    };
    let Some(Aside { copy, rows, sessions, newest }) = aside else {
        let now = now.local(zone_of(&folder));
        say(format_args!("{}: nothing in it is later than {now}", folder.display()))?;
        return Ok(0);
    };
    let zone = zone_of(&folder);
    let (newest, now) = (newest.local(zone), now.local(zone));
    let (folder, copy) = (folder.display(), copy.display());
    say(format_args!(
        "{folder}: {sessions} sessions reached up to {newest}; {rows} rows later than {now} were set aside"
    ))?;
    say(format_args!("{copy}: the store as it was"))?;
    Ok(0)
}

fn backup(args: &BackupArgs) -> Outcome {
    let folder = args.folder.path()?;
    let stop = Stop::listen()?;
    let mut bar = Bar::new();
    let made = upkeep::backup(&folder, &args.to, |done| {
        bar.show(done);
        stop.flow()
    });
    bar.clear();
    say(made?.display())?;
    Ok(0)
}

fn export(common: &Common, args: &ExportArgs) -> Outcome {
    let style = args.csv.into();
    let out = args.out.as_deref().filter(|path| *path != Path::new("-"));
    // What cannot be written is said before it is worked out.
    let file = out.map(|path| Ok((path, Format::of(path, style)?))).transpose().map_err(refused)?;
    let _stop = Stop::at_once(NOTHING_WRITTEN)?;
    let reader = Reader::open(&args.folder.path()?)?;
    let request = Request {
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
        let out = (Format::Lines(style), io::stdout());
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
fn say_what_is_gone(reader: &Reader, request: &Request) -> Result<(), Failure> {
    let zone = zone_in(reader)?;
    let kind = match request.table {
        Table::Verdicts => Kept::Verdicts,
        Table::Events => Kept::Events,
        Table::Values => Kept::Values,
        Table::Polling => Kept::Polling,
        Table::Metering | Table::Energy => Kept::Metering,
        Table::Alarms => Kept::Alarms,
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

fn refused(error: export::Error) -> Failure {
    match error {
        export::Error::Output(error) => Failure::Output(error),
        other => Failure::Usage(other.to_string()),
    }
}
