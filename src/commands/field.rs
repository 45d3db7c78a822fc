//! How a command's stations are simulated: speed, scenario, truth log, and the port that takes orders.

use std::path::PathBuf;

use ::config::Province;
use clap::Args;
use sim::faults::Keep;
use sim::{Plans, Scenario};

use super::Failure;
use super::truth::Truth;

/// Highest speed of simulated time: a day in six minutes.
const SPEED_MAX: i64 = 240;

/// How stations are simulated.
#[derive(Args, Clone)]
pub(super) struct FieldArgs {
    /// How many times faster than the world's the field's clock runs, from the present on
    #[arg(long, value_name = "TIMES", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=SPEED_MAX))]
    pub(super) speed: u32,
    /// What is to come, as a scenario file says: faults, and what is done to the plant
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Write the truth log: one JSON object for each start and end of a fault
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// With --truth: the true value beside the one sent, of every point affected
    #[arg(long, requires = "truth")]
    truth_values: bool,
}

impl FieldArgs {
    /// What is to come, and the truth log, whose end is to be looked at when all is over.
    pub(super) fn plans(&self, province: &Province) -> Result<(Plans, Truth), Failure> {
        let scenario =
            self.scenario.as_ref().map(|path| Scenario::load(province, path)).transpose()?;
        let keep = if self.truth_values { Keep::Values } else { Keep::Points };
        let (log, truth) = match &self.truth {
            Some(path) => {
                let (log, end) = Truth::begin(path)?;
                (log, Some((keep, end)))
            }
            None => (Truth::default(), None),
        };
        Ok((Plans { speed: self.speed, scenario, truth }, log))
    }
}

/// The port on which a simulator of this province takes orders unless told otherwise: the one before
/// its first station.
pub(super) fn control_port(province: &Province) -> Option<u16> {
    let own = province.channels.iter().filter(|channel| !channel.pinned_address);
    own.map(|channel| channel.port).min()?.checked_sub(1).filter(|port| *port > 0)
}
