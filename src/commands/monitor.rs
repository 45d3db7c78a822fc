//! `gridwatch monitor`: poll the stations and show what is missing, since when, and why.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ::config::Province;
use clap::Args;
use gridwatch::clock::Clock;
use gridwatch::historian::picture::{LinkState, Picture};
use gridwatch::monitor::Monitor;
use gridwatch::{json, terminal};
use tokio::runtime::Runtime;

use super::{
    Common, ConfigArg, EXIT_NO_DATA, Failure, Outcome, need_terminal, patience, runtime, say,
    start_monitor,
};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch monitor config/hoa-binh.toml               the screens
  gridwatch monitor config/hoa-binh.toml --once        the figures as text
  gridwatch monitor config/hoa-binh.toml --once --json one JSON object; exit 3 when nobody answers

The stations come from 'gridwatch simulate' in another terminal, or are real ones whose
addresses the contract names. The monitor only reads: it never writes to a station.")]
pub(super) struct MonitorArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
    #[command(flatten)]
    pub(super) look: Look,
}

/// How to look at the province.
#[derive(Args, Clone)]
pub(super) struct Look {
    /// Print one picture and exit, as soon as every station has been scanned once
    #[arg(long)]
    pub(super) once: bool,
    /// With --once: as one JSON object
    #[arg(long, requires = "once")]
    json: bool,
    /// With --once: longest wait for the first complete picture, seconds
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = patience)]
    timeout: Duration,
}

pub(super) fn run(common: &Common, args: &MonitorArgs) -> Outcome {
    if !args.look.once {
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
    let monitor = start_monitor(runtime, province, clock)?;
    let outcome = if args.look.once {
        let picture = runtime.block_on(monitor.first_complete(args.look.timeout));
        print(common, &picture, args.look.json)
    } else {
        show(common, args, &monitor)
    };
    runtime.block_on(monitor.stop());
    outcome
}

/// Exit code 3 when no station answered.
fn print(common: &Common, picture: &Picture, as_json: bool) -> Outcome {
    if as_json {
        say(json::picture(picture))?;
    } else {
        say(terminal::text(picture, common.lang(), common.ascii).trim_end())?;
    }
    let heard = picture.channels.iter().any(|c| c.link.state == LinkState::Connected);
    Ok(if heard { 0 } else { EXIT_NO_DATA })
}

fn show(common: &Common, args: &MonitorArgs, monitor: &Monitor) -> Outcome {
    let quit = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&quit)).map_err(Failure::Output)?;
    }
    let config = args.config.config.as_ref();
    let simulate = config.map_or_else(
        || "gridwatch simulate".to_owned(),
        |path| format!("gridwatch simulate {}", path.display()),
    );
    let options = terminal::Options {
        lang: common.lang(),
        color: common.colors(),
        ascii: common.ascii,
        simulate,
    };
    match terminal::run(monitor.news(), options, quit) {
        Ok(_) => Ok(0),
        // The terminal is gone: so is the user.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(Failure::Usage(format!("the terminal cannot be used: {error}"))),
    }
}
