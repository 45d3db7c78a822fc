//! `gridwatch check`: hold the province against thresholds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use gridwatch::check::{Grade, Thresholds, check, report};
use gridwatch::clock::Clock;
use gridwatch::collector::plan::{layouts, plans};
use gridwatch::historian::Historian;

use super::{
    Common, ConfigArg, EXIT_MISSED, EXIT_NO_DATA, Outcome, note, patience, runtime, say,
    start_monitor, state_folder, stood_in, stop_wanted,
};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch check --full 90                       exit 0: 9 of 10 stations are full
  gridwatch check --full 95                       exit 1: says which station is not, and why
  gridwatch check config/hoa-binh.toml --live 98 --coverage 74.2

Without a threshold the targets of the contract are checked. --full follows from the contract; for
the others the stations are asked. A station is unmanned when the contract declares it and every
signal of priority A is live at the centre in charge.
Each gateway is watched until its heartbeat moves, or has stood still for 3 s: it hangs then, and its
values are old. A switch that is found between its ends is watched for as long as it may move: a breaker
2 s, another 25 s. What takes longer to be found out is known from the history of a monitor that runs, or did until
just now: that a measurement stands still (15 min), that values contradict each other (30 s).
Exit codes: 0 reached, 1 missed, 2 usage or configuration, 3 nothing can be said: no station answered,
or what nobody has seen, watched for long enough or counted yet would decide, whatever else is missed.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Stations connected to every centre, per cent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    connected: Option<f64>,
    /// Stations with all required signals, mapped and tested, at every centre, per cent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    full: Option<f64>,
    /// Stations operated without staff, declared and seen, per cent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    unmanned: Option<f64>,
    /// Meters read remotely, per cent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    coverage: Option<f64>,
    /// Required points that are live, at each centre, per cent
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    live: Option<f64>,
    /// Folder of the history that knows since when things are so [default: where 'gridwatch monitor' keeps it]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Longest wait for the first complete snapshot, seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = patience)]
    timeout: Duration,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().replace(',', ".").parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a percentage from 0 to 100 is needed, such as 74.2".to_owned()),
    }
}

pub(super) fn run(common: &Common, args: &CheckArgs) -> Outcome {
    let province = Arc::new(common.province(&args.config)?);
    let mut thresholds = Thresholds {
        connected: args.connected,
        full: args.full,
        unmanned: args.unmanned,
        coverage: args.coverage,
        live: args.live,
    };
    if thresholds.is_empty() {
        thresholds = Thresholds::targets(&province.targets);
    }
    let clock = Clock::system();
    let snapshot = if thresholds.needs_stations() {
        let runtime = runtime()?;
        let folder = args.store.clone().or_else(|| state_folder(&province));
        let stood = stood_in(folder, &province);
        let monitor = start_monitor(&runtime, &province, clock, (None, stood))?;
        let snapshot = runtime.block_on(async {
            tokio::select! {
                snapshot = monitor.first_complete(args.timeout) => Some(snapshot),
                () = stop_wanted() => None,
            }
        });
        runtime.block_on(monitor.stop());
        let Some(snapshot) = snapshot else {
            note("gridwatch: stopped before every station was asked: nothing is said of them")?;
            return Ok(EXIT_NO_DATA);
        };
        snapshot
    } else {
        // The contract alone tells: no station is asked.
        let (layouts, now) = (layouts(&plans(&province)), clock.now());
        let today = province.as_of(now.local(province.zone).date);
        Arc::new(Historian::new(Arc::new(today), &layouts, now).snapshot(now))
    };
    let outcome = check(&snapshot, &thresholds);
    for line in report(&snapshot, &outcome, common.lang()) {
        say(line)?;
    }
    Ok(match outcome.grade() {
        Grade::Reached => 0,
        Grade::Missed => EXIT_MISSED,
        Grade::NoData => EXIT_NO_DATA,
    })
}
