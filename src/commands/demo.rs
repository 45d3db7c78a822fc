//! `gridwatch demo`: simulator and monitor in one process, real TCP between them.

use std::sync::Arc;

use clap::Args;
use gridwatch::clock::Clock;
use sim::control::Control;
use sim::{Ports, Simulation};

use super::field::{FieldArgs, control_port};
use super::monitor::{Keep, Look, MonitorArgs, watch};
use super::{Common, ConfigArg, Failure, Outcome, allow_files, need_terminal, runtime};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch demo                     the province of Hòa Bình, live
  gridwatch demo my-province.toml    yours
  gridwatch demo --once --json       one snapshot, then exit
  gridwatch demo --scenario sim/scenarios/storm-evening.toml
                                     with faults; 'gridwatch inject' adds more by hand
  gridwatch demo --port-base 20001   when the ports are taken; 0 takes any that are free")]
pub(super) struct DemoArgs {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    field: FieldArgs,
    #[command(flatten)]
    look: Look,
}

pub(super) fn run(common: &Common, args: &DemoArgs) -> Outcome {
    if !args.look.once {
        need_terminal("demo")?;
    }
    // Port base 0 leaves the choice of ports to the system.
    let (ports, common) = match common.port_base {
        Some(0) => (Ports::Ephemeral, Common { port_base: None, ..common.clone() }),
        _ => (Ports::Contract, common.clone()),
    };
    let mut province = common.province(&args.config)?;
    // A port and both ends of a connection.
    allow_files(3, &province)?;
    let runtime = runtime()?;
    let clock = Clock::system();
    let fast = clock.at_speed(args.field.speed);
    let time = Arc::new(move || fast.now().0);
    let (plans, truth) = args.field.plans(&province)?;
    let simulation = runtime
        .block_on(Simulation::start_with(Arc::new(province.clone()), ports, time, plans))
        .map_err(|error| Failure::Usage(error.to_string()))?;
    // A port that is taken is no reason not to show the province.
    let port = control_port(&province).filter(|_| ports == Ports::Contract);
    let control = port.and_then(|port| {
        let control = runtime.block_on(Control::start(simulation.desk(), port));
        control.inspect_err(|error| tracing::warn!("no control port {port}: {error}")).ok()
    });
    for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
        (channel.host, channel.port) = (address.ip().to_string(), address.port());
    }
    let monitor =
        MonitorArgs { config: args.config.clone(), look: args.look.clone(), keep: Keep::nothing() };
    let outcome = watch(&common, &monitor, &Arc::new(province), &runtime, clock);
    if let Some(control) = control {
        runtime.block_on(control.stop());
    }
    runtime.block_on(simulation.stop());
    truth.end()?;
    outcome
}
