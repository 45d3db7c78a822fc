//! `gridwatch monitor`: poll the stations and show what is missing, since when, and why.

#[cfg(feature = "terminal")]
mod screens;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::config::{Lang, Province};
use clap::Args;
use gridwatch::clock::{Clock, Timestamp};
use gridwatch::historian::counts::Share;
use gridwatch::historian::snapshot::{ChannelSnapshot, Keeping, LinkState, Snapshot, Unconfirmed};
use gridwatch::json;
use gridwatch::monitor::Monitor;
use gridwatch::store::Keeper;
use tokio::runtime::Runtime;
use words::jumps;

use super::{
    Common, ConfigArg, EXIT_NO_DATA, Failure, Outcome, need_terminal, own, patience, runtime, say,
    say_lines, start_monitor, state_folder, stood_in, stop_wanted, stretch,
};

#[derive(Args)]
#[command(after_help = own("\
Examples:
  gridwatch monitor config/hoa-binh.toml               the screens
  gridwatch monitor config/hoa-binh.toml --once        the figures as text
  gridwatch monitor config/hoa-binh.toml --once --json one JSON object; exit 3 when nothing is known
  gridwatch monitor --once --json --after 600          the same, after ten minutes of polling
  gridwatch monitor --headless --store /srv/gridwatch  no screen: keep history until stopped

The stations come from 'gridwatch simulate' in another terminal, or are real ones whose
addresses the contract names. The monitor only reads: it never writes to a station.

History is kept while the screens or --headless run; 'gridwatch report' makes the monthly
report of it, also beside a running monitor."))]
pub(super) struct MonitorArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
    #[command(flatten)]
    pub(super) look: Look,
    #[command(flatten)]
    pub(super) keep: Keep,
}

/// Whether history is kept, and where.
#[derive(Args, Clone, Default)]
pub(super) struct Keep {
    /// Folder in which history is kept [default: the province's own in the user's state folder,
    /// ~/.local/state/gridwatch; with --once none]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Keep no history
    #[arg(long, conflicts_with = "store")]
    no_store: bool,
    /// No screen: poll and keep history until stopped, and say how it goes now and then
    #[arg(long, conflicts_with_all = ["once", "no_store"])]
    headless: bool,
    /// With --headless: seconds between two lines
    #[arg(long, requires = "headless", value_name = "SECONDS", default_value = "60", value_parser = patience)]
    tell: Duration,
}

impl Keep {
    /// Nothing is kept.
    #[cfg(feature = "simulator")]
    pub(super) fn nothing() -> Self {
        Self { no_store: true, tell: Duration::from_secs(60), ..Self::default() }
    }

    /// The folder that may know since when things are so.
    fn folder(&self, province: &Province) -> Option<PathBuf> {
        let named = || self.store.clone().or_else(|| state_folder(province));
        if self.no_store { None } else { named() }
    }

    /// Who keeps history, if anybody does. A folder that was not asked for is no reason not to show
    /// the province.
    fn keeper(
        &self,
        province: &Arc<Province>,
        once: bool,
        now: Timestamp,
    ) -> Result<Option<Keeper>, Failure> {
        if self.no_store || (once && self.store.is_none()) {
            return Ok(None);
        }
        if let Some(folder) = &self.store {
            let start = if once { Keeper::start_looking } else { Keeper::start };
            return start(folder, province).map(Some).map_err(Failure::from);
        }
        let Some(folder) = state_folder(province) else {
            let message = "no history is kept: neither HOME nor XDG_STATE_HOME is set; name a \
                           folder with --store, or say --no-store";
            return if self.headless { Err(Failure::Usage(message.into())) } else { Ok(None) };
        };
        match Keeper::start(&folder, province) {
            Ok(keeper) => Ok(Some(keeper)),
            Err(error) if self.headless => Err(error.into()),
            Err(error) => Ok(Some(Keeper::without_store(&error, now))),
        }
    }
}

/// How to look at the province.
#[derive(Args, Clone)]
pub(super) struct Look {
    /// Print one snapshot and exit, as soon as every station has been scanned once, its heartbeat was seen to
    /// move or to stand (3 s), and every switch between its ends was watched for as long as it may move
    /// (breakers 2 s, others 25 s)
    #[arg(long)]
    #[cfg_attr(not(feature = "terminal"), arg(requires = "json"))]
    pub(super) once: bool,
    /// With --once: as one JSON object
    #[arg(long, requires = "once")]
    json: bool,
    /// With --once: watch for so long before the snapshot is made, seconds; what that is too short for is said
    /// not to be known
    #[arg(long, requires = "once", value_name = "SECONDS", value_parser = stretch)]
    after: Option<Duration>,
    /// With --once: longest wait for the first complete snapshot, seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = patience)]
    timeout: Duration,
}

pub(super) fn run(common: &Common, args: &MonitorArgs) -> Outcome {
    if !args.look.once && !args.keep.headless {
        need_terminal("monitor")?;
    }
    let province = Arc::new(common.province(&args.config)?);
    watch(common, args, &province, &runtime()?, Clock::system())
}

/// Watches a province until the user has seen enough.
pub(super) fn watch(
    common: &Common,
    args: &MonitorArgs,
    province: &Arc<Province>,
    runtime: &Runtime,
    clock: Clock,
) -> Outcome {
    // Before anything is written to it.
    let stood = stood_in(args.keep.folder(province), province);
    let keeper = args.keep.keeper(province, args.look.once, clock.now())?;
    let monitor = start_monitor(runtime, province, clock, (keeper, stood))?;
    let outcome = if args.keep.headless {
        runtime.block_on(tell(&monitor, args.keep.tell, common.lang()))
    } else if args.look.once {
        let snapshot = runtime.block_on(async {
            let Some(after) = args.look.after else {
                return monitor.first_complete(args.look.timeout).await;
            };
            tokio::time::sleep(after).await;
            monitor.news().borrow().clone()
        });
        let text = text(common, &snapshot, args.look.json);
        print(&snapshot, text)
    } else {
        #[cfg(feature = "terminal")]
        let shown = screens::show(common, args, &monitor);
        #[cfg(not(feature = "terminal"))]
        let shown = need_terminal("monitor").map(|()| 0);
        shown
    };
    runtime.block_on(monitor.stop());
    outcome
}

/// Says how keeping history goes, until the user or the system wants it to end.
async fn tell(monitor: &Monitor, every: Duration, lang: Lang) -> Outcome {
    let mut news = monitor.news();
    let stop = stop_wanted();
    tokio::pin!(stop);
    let mut next = tokio::time::Instant::now();
    let (mut told, mut jumps) = (None, 0);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(0),
            changed = news.changed() => {
                if changed.is_err() {
                    return Ok(EXIT_NO_DATA);
                }
            }
        }
        let snapshot = Arc::clone(&news.borrow_and_update());
        let zone = snapshot.province.zone;
        if snapshot.jumps.len() != jumps {
            jumps = snapshot.jumps.len();
            snapshot.jumps.last().map_or(Ok(()), |jump| say(jumps::when(jump, zone, lang)))?;
        }
        let Some(keeping) = &snapshot.keeping else { continue };
        // What is wrong is said at once, and so is that it is over.
        let why = keeping.trouble.as_ref().map(|(_, why)| why.clone());
        let is_news = why.is_some() != told.is_some();
        if *keeping == Keeping::default() || tokio::time::Instant::now() < next && !is_news {
            continue;
        }
        told = why;
        next = tokio::time::Instant::now() + every;
        let Share { have, want } = snapshot.figures.connected;
        let until = keeping.until.map(|until| until.local(zone).to_millisecond());
        let until = until.unwrap_or_else(|| "nothing".to_owned());
        let trouble = keeping.trouble.as_ref();
        let trouble = trouble.map_or_else(String::new, |(_, why)| format!("; NOT KEPT: {why}"));
        let waits = keeping.unconfirmed.as_ref().map_or_else(String::new, |waits| {
            let Unconfirmed { percent, command, .. } = waits;
            format!("; {percent} % of the store is too old and waits for: {command}")
        });
        say(format_args!(
            "durable until {until}, {have}/{want} stations connected{trouble}{waits}"
        ))?;
    }
}

/// The figures as text, unless JSON is wanted.
#[cfg(feature = "terminal")]
fn text(common: &Common, snapshot: &Snapshot, as_json: bool) -> Option<String> {
    (!as_json).then(|| screens::text(common, snapshot))
}

#[cfg(not(feature = "terminal"))]
fn text(_: &Common, _: &Snapshot, _: bool) -> Option<String> {
    None
}

/// Exit code 3 when no station answered, or of none that did it is known whether what it says moves.
fn print(snapshot: &Snapshot, text: Option<String>) -> Outcome {
    match text {
        Some(text) => say_lines(text.trim_end())?,
        None => say(json::snapshot(snapshot))?,
    }
    let is_known = |channel: &ChannelSnapshot| {
        let counts = &channel.counts;
        channel.link.state == LinkState::Connected
            && (counts.live.have == 0 || counts.undecided < counts.live.have)
    };
    let heard = snapshot.channels.iter().any(|channel| is_known(channel));
    Ok(if heard { 0 } else { EXIT_NO_DATA })
}
