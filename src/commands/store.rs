//! `gridwatch store`: look after the history that was kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::config::{Date, Province, Zone};
use clap::{Args, Subcommand};
use gridwatch::clock::Clock;
use gridwatch::store::upkeep::{self, Compacted, Forget};
use gridwatch::store::{Aside, By, Reader, StoreError, set_aside};

use super::bar::Bar;
#[cfg(feature = "report")]
use super::export;
use super::{Common, EXIT_MISSED, Failure, Outcome, Stop, say, store_folder};

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Read all of a store and say whether it is whole
    Check(CheckArgs),
    /// Forget what is older than a day, if one is named, and give the room back
    Compact(CompactArgs),
    /// Write what was kept as Parquet or CSV: verdicts, events, values, asking, metering, energy, alarms
    #[cfg(feature = "report")]
    Export(export::ExportArgs),
    /// Copy a store into another folder, also while a monitor writes to it
    Backup(BackupArgs),
    /// Set aside what is later than now, where the clock was wrong; a copy of the whole store is kept
    Aside(AsideArgs),
}

#[derive(Args)]
pub(super) struct Folder {
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
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        store_folder(self.store.as_ref(), &Province::built_in())
    }
}

#[cfg_attr(
    not(feature = "report"),
    expect(unused_variables, reason = "only exports have a language")
)]
pub(super) fn run(common: &Common, command: &StoreCommand) -> Outcome {
    match command {
        StoreCommand::Check(args) => check(args),
        StoreCommand::Compact(args) => compact(args),
        #[cfg(feature = "report")]
        StoreCommand::Export(args) => export::run(common, args),
        StoreCommand::Backup(args) => backup(args),
        StoreCommand::Aside(args) => aside(args),
    }
}

/// By what local time goes, by the newest contract of the store; where none can be read, as in Vietnam.
fn zone_of(folder: &Path) -> Zone {
    let newest = Reader::open(folder).and_then(|reader| zone_in(&reader));
    newest.unwrap_or(Province::built_in().zone)
}

pub(super) fn zone_in(reader: &Reader) -> Result<Zone, StoreError> {
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
            "verdicts, events and values of the five weeks before stay, untold: what is told of later rests on them",
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
