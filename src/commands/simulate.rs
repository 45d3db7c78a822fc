//! `gridwatch simulate`: serve the stations of a province over Modbus TCP.

use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::Args;
use gridwatch::clock::Clock;
use sim::{Ports, Simulation};

use super::{Common, ConfigArg, Failure, Outcome, runtime, say, stop_wanted};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch simulate config/hoa-binh.toml
  gridwatch simulate config/small.toml --port-base 20001

Every station listens on one port per centre, at the host of the contract (loopback unless it
says otherwise); 'gridwatch map' says what stands where.
Ctrl-C stops it.")]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    config: ConfigArg,
}

pub(super) fn run(common: &Common, args: &SimulateArgs) -> Outcome {
    let province = Arc::new(common.province(&args.config)?);
    let runtime = runtime()?;
    let clock = Clock::system();
    runtime.block_on(async {
        let simulation = Simulation::start(
            Arc::clone(&province),
            Ports::Contract,
            Arc::new(move || clock.now().0),
        )
        .await
        .map_err(|error| Failure::Usage(error.to_string()))?;
        let addresses = simulation.addresses();
        say(format_args!(
            "{}: {} stations, seed {}, serving Modbus TCP",
            province.name.vi,
            province.stations.len(),
            province.seed
        ))?;
        for (n, station) in province.station_ids().zip(&province.stations) {
            let ports: Vec<String> = province
                .centre_ids()
                .map(|centre| {
                    let channel = province.channel_id(n, centre);
                    format!(
                        "{} {}",
                        province.centres[centre.index()].id,
                        addresses[channel.index()]
                    )
                })
                .collect();
            say(format_args!(
                "  {:<6} {:<16} {:>5} points {:>3} units   {}",
                station.id,
                station.name.vi,
                station.points.len(),
                station.units.len(),
                ports.join("   ")
            ))?;
        }
        let config = args.config.config.as_ref().map(|path| format!(" {}", path.display()));
        let base = common.port_base.map(|base| format!(" --port-base {base}"));
        say(format_args!(
            "watch it with: gridwatch monitor{}{}",
            config.unwrap_or_default(),
            base.unwrap_or_default()
        ))?;
        if std::io::stdout().is_terminal() {
            say("Ctrl-C stops")?;
        }
        stop_wanted().await;
        let traffic = simulation.traffic();
        simulation.stop().await;
        say(format_args!(
            "stopped: {} requests from {} connections, {} exceptions, {} bad frames",
            traffic.requests, traffic.accepted, traffic.exceptions, traffic.bad_frames
        ))?;
        Ok(0)
    })
}
