//! `gridwatch simulate`: serve the stations of a province over Modbus TCP.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use ::config::Province;
use clap::Args;
use gridwatch::clock::Clock;
use sim::control::Control;
use sim::{Ports, Simulation};
use unicode_width::UnicodeWidthStr as _;

use super::field::{FieldArgs, control_port};
use super::record::{self, RecordArgs};
use super::{Common, ConfigArg, Failure, Outcome, allow_files, runtime, say, stop_wanted};

/// With more stations than these only the first half of so many is introduced, and the last one.
const STATIONS_SHOWN: usize = 100;
/// Time between two looks at who was turned away.
const TOLD_EVERY: Duration = Duration::from_secs(1);

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch simulate config/hoa-binh.toml
  gridwatch simulate config/small.toml --port-base 20001
  gridwatch simulate --speed 60                    a day in 24 minutes
  gridwatch simulate --record november --from 2022-11-01 --days 30     a month in minutes
  gridwatch simulate --scenario sim/scenarios/storm-evening.toml --truth truth.jsonl

Every station listens on one port per centre, at the host of the contract (loopback unless it
says otherwise); 'gridwatch map' says what stands where. 'gridwatch inject' lets things go
wrong while it runs, 'gridwatch plant' lets things happen in the plant.
Ctrl-C stops it.")]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    field: FieldArgs,
    /// Port of loopback on which 'gridwatch inject' and 'plant' are heard; 0 for none [default: the one before
    /// the first station's, when it is free]
    #[arg(long, value_name = "PORT")]
    control: Option<u16>,
    #[command(flatten)]
    record: RecordArgs,
}

pub(super) fn run(common: &Common, args: &SimulateArgs) -> Outcome {
    if let Some(directory) = args.record.directory() {
        return record::run(common, (&args.config, &args.field, &args.record), directory);
    }
    let province = Arc::new(common.province(&args.config)?);
    // A port and a connection for each channel, as long as one centre looks at each.
    allow_files(2, &province)?;
    let runtime = runtime()?;
    let clock = Clock::system().at_speed(args.field.speed);
    runtime.block_on(async {
        let (plans, truth) = args.field.plans(&province)?;
        let to_come = plans.scenario.as_ref().map(|scenario| {
            let by_chance = if scenario.rates.is_some() { ", and others by chance" } else { "" };
            let (faults, actions) = (scenario.planned.len(), scenario.actions.len());
            let actions = if actions > 0 { format!("; {actions} in the plant") } else { String::new() };
            format!("faults to come: {}: {faults}{by_chance}{actions}", scenario.about)
        });
        let time = Arc::new(move || clock.now().0);
        let simulation =
            Simulation::start_with(Arc::clone(&province), Ports::Contract, time, plans)
                .await
                .map_err(|error| Failure::Usage(error.to_string()))?;
        let control = match start_control(&simulation, &province, args.control).await {
            Ok(control) => control,
            Err(failure) => {
                simulation.stop().await;
                return Err(failure);
            }
        };
        introduce(&simulation, &province)?;
        if let Some(to_come) = to_come {
            say(to_come)?;
        }
        if let Some(control) = &control {
            say(format_args!(
                "faults by hand: gridwatch inject --control {}",
                control.address().port()
            ))?;
        }
        let config = args.config.written();
        let base = common.port_base.map(|base| format!(" --port-base {base}"));
        say(format_args!("watch it with: gridwatch monitor{config}{}", base.unwrap_or_default()))?;
        if std::io::stdout().is_terminal() {
            say("Ctrl-C stops")?;
        }
        tokio::select! {
            () = stop_wanted() => {}
            () = tell_refusals(&simulation) => {}
        }
        let traffic = simulation.traffic();
        if let Some(control) = control {
            control.stop().await;
        }
        simulation.stop().await;
        say(format_args!(
            "stopped: {} requests from {} connections, {} turned away, {} exceptions, {} bad frames",
            traffic.requests,
            traffic.accepted,
            traffic.refused,
            traffic.exceptions,
            traffic.bad_frames
        ))?;
        truth.end()?;
        Ok(0)
    })
}

/// Says who is turned away, for ever. When nobody can be told any more, the stations serve on.
async fn tell_refusals(simulation: &Simulation) {
    loop {
        tokio::time::sleep(TOLD_EVERY).await;
        let Some(line) = simulation.take_refusal() else { continue };
        if let Err(Failure::Output(error)) = say(line) {
            tracing::warn!("who is turned away is told in the log only: {error}");
            return std::future::pending().await;
        }
    }
}

/// Says which stations are served where.
fn introduce(simulation: &Simulation, province: &Province) -> Result<(), Failure> {
    let addresses = simulation.addresses();
    say(format_args!(
        "{}: {} stations, seed {}, serving Modbus TCP",
        province.name.vi,
        province.substations().len(),
        province.seed
    ))?;
    let names = province.stations.iter().map(|station| station.name.vi.width());
    let widest = names.max().unwrap_or(0);
    let count = province.stations.len();
    for (n, station) in province.site_ids().zip(&province.stations) {
        if count > STATIONS_SHOWN && (STATIONS_SHOWN / 2..count - 1).contains(&n.index()) {
            if n.index() == STATIONS_SHOWN / 2 {
                say("  …")?;
            }
            continue;
        }
        let room = widest - station.name.vi.width();
        let ports: Vec<String> = province
            .centre_ids()
            .map(|centre| {
                let channel = province.channel_id(n, centre);
                format!("{} {}", province.centres[centre.index()].id, addresses[channel.index()])
            })
            .collect();
        let name = &station.name.vi;
        say(format_args!(
            "  {:<6} {name}{:room$} {:>5} points {:>3} units   {}",
            station.id,
            "",
            station.points.len(),
            station.units.len(),
            ports.join("   ")
        ))?;
    }
    Ok(())
}

/// Opens the control port: the one that was asked for, else the usual one when it is free.
async fn start_control(
    simulation: &Simulation,
    province: &Province,
    wanted: Option<u16>,
) -> Result<Option<Control>, Failure> {
    let Some(port) = wanted.or_else(|| control_port(province)).filter(|port| *port > 0) else {
        return Ok(None);
    };
    match (Control::start(simulation.desk(), port).await, wanted) {
        (Ok(control), _) => Ok(Some(control)),
        (Err(error), Some(_)) => Err(Failure::Usage(format!(
            "control port {port} cannot be opened: {error}; choose another with --control PORT"
        ))),
        (Err(error), None) => {
            say(format_args!(
                "no faults by hand: port {port} cannot be opened: {error}; choose another with \
                 --control PORT"
            ))?;
            Ok(None)
        }
    }
}
