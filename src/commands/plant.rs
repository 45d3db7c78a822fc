//! `gridwatch plant`: let something happen to the plant of a running simulator, and see who is
//! without supply.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::Value;
use sim::control::ControlRequest;
use sim::faults::duration_ms;

use super::simulator::{Running, local};
use super::{Common, Failure, Outcome};

#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  gridwatch plant strike HB04.22.473                     a short circuit that reclosing clears
  gridwatch plant strike HB04.22.473 --lasting           two more trips, lockout, then a crew
  gridwatch plant strike HB02.110.172 --phase C --share 0.4
                                                         on a line, 40 % of its length away
  gridwatch plant strike HB01.110.131                    in a transformer
  gridwatch plant set HB04.22.471.CB.RL local            its key is turned
  gridwatch plant set HB04.22.471.PNL.GAS 1              its gas is low: commands are refused
  gridwatch plant set HB04.22.471.CB.POS open            a breaker opened by hand
  gridwatch plant dip 1.2 --for 20s                      load is shed, and comes back
  gridwatch plant outages                                who was without supply, SAIDI, SAIFI, MAIFI

The simulator runs in another terminal: 'gridwatch simulate' or 'gridwatch demo'. What happens
here is true, and telemetry tells it honestly; 'gridwatch inject' is for telemetry that does
not. docs/plant.md says what the plant makes of it.")]
pub(super) enum PlantCommand {
    /// A short circuit on a line, on a feeder or in a transformer
    Strike(StrikeArgs),
    /// A status as it stands in the plant: a key, a gas alarm, a switch moved by hand
    Set(SetArgs),
    /// The frequency of the grid falls for a while
    Dip(DipArgs),
    /// Who was without supply since the start, and the indices that follow
    Outages(OutagesArgs),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch plant strike HB04.22.473
  gridwatch plant strike HB04.22.473 --lasting --between-phases
  gridwatch plant strike HB02.110.172 --phase C --share 0.4")]
pub(super) struct StrikeArgs {
    /// Bay of a line, a feeder or a transformer, such as HB04.22.473
    #[arg(value_name = "BAY")]
    bay: String,
    /// It is still there when the breaker closes again
    #[arg(long)]
    lasting: bool,
    /// Phase that is hit
    #[arg(long, value_name = "PHASE", default_value = "A", value_parser = ["A", "B", "C"])]
    phase: String,
    /// Between phases instead of to earth
    #[arg(long)]
    between_phases: bool,
    /// Where on a line, as a share of its length from the bay: 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    share: f64,
    #[command(flatten)]
    running: Running,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch plant set HB04.22.471.CB.RL local
  gridwatch plant set HB04.22.471.CB.RL 'từ xa'
  gridwatch plant set HB04.22.471.CB.POS open

What the plant works out for itself every second (LIVE, F27.OP, F26O.ALM, ...) is soon again as
it works it out.")]
pub(super) struct SetArgs {
    /// A status, such as HB04.22.471.CB.RL
    #[arg(value_name = "POINT")]
    point: String,
    /// Its code (0, 1; of a position 0 to 3), or a word of its states in English or Vietnamese
    #[arg(value_name = "CODE")]
    code: String,
    #[command(flatten)]
    running: Running,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch plant dip 1.2 --for 20s")]
pub(super) struct DipArgs {
    /// By so many hertz: 0.05 to 5
    #[arg(value_name = "HERTZ")]
    hertz: f64,
    /// How long, such as 20s or 5m
    #[arg(long = "for", value_name = "TIME")]
    lasting: String,
    #[command(flatten)]
    running: Running,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch plant outages
  gridwatch plant outages --json")]
pub(super) struct OutagesArgs {
    #[command(flatten)]
    running: Running,
}

pub(super) fn run(common: &Common, command: &PlantCommand) -> Outcome {
    let at = |reply: &Value| local(reply, &reply["at"], "");
    match command {
        PlantCommand::Strike(args) => {
            let StrikeArgs { bay, lasting, phase, between_phases, share, running } = args;
            if !(0.0..=1.0).contains(share) {
                let message = format!("--share: {share} is not a number from 0 to 1");
                return running.refused(Err(Failure::Usage(message)));
            }
            let request = ControlRequest::Strike {
                bay: bay.clone(),
                lasting: *lasting,
                phase: phase.clone(),
                earth: !between_phases,
                share: *share,
            };
            running.ask(common, &request, |reply| {
                let what = if *lasting { "lasting short circuit" } else { "short circuit" };
                format!("{what} at {bay}, {}", at(reply))
            })
        }
        PlantCommand::Set(SetArgs { point, code, running }) => {
            let request =
                ControlRequest::Set { point: point.clone(), code: Value::from(code.clone()) };
            running.ask(common, &request, |reply| format!("{point} is {code}, {}", at(reply)))
        }
        PlantCommand::Dip(DipArgs { hertz, lasting, running }) => {
            if let Err(error) = duration_ms(lasting) {
                return running.refused(Err(Failure::Usage(format!("--for: {error}"))));
            }
            let request = ControlRequest::Dip { hertz: *hertz, lasting: lasting.clone() };
            running.ask(common, &request, |reply| {
                format!("{hertz} Hz off the frequency for {lasting}, {}", at(reply))
            })
        }
        PlantCommand::Outages(args) => {
            args.running.ask(common, &ControlRequest::Outages {}, outages)
        }
    }
}

/// The interruptions in words.
fn outages(reply: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let [since, until] = ["since", "until"].map(|key| local(reply, &reply[key], ""));
    let mut text = format!("from {since} until {until}\n");
    for outage in reply["interruptions"].as_array().map_or(&[][..], Vec::as_slice) {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "  {:<14} {:>7} customers   from {}   until {:<24} {:>9.2} min   {}",
            word(&outage["bay"]),
            outage["customers"].to_string(),
            local(reply, &outage["from"], ""),
            local(reply, &outage["until"], "now"),
            number(&outage["minutes"]),
            word(&outage["counts_as"])
        );
    }
    for (kind, what) in [("sustained", "longer than 5 min"), ("momentary", "over within 5 min")] {
        let sum = &reply[kind];
        let _ = writeln!(
            text,
            "{kind} ({what}): {} interruptions, {} customers",
            sum["interruptions"], sum["customers"]
        );
    }
    let _ = writeln!(
        text,
        "customer-minutes of sustained ones: {:.0}\n\
         SAIDI {:.4} min   SAIFI {:.6}   MAIFI {:.6}   over {} meters that sell energy",
        number(&reply["customer_minutes"]),
        number(&reply["saidi_minutes"]),
        number(&reply["saifi"]),
        number(&reply["maifi"]),
        reply["customers"]
    );
    text
}
