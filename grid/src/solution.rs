//! What a solve hands back: voltages, flows, islands, or which islands have no answer.

use crate::{Complex, Island};
use std::fmt;

/// The result of a solve. Dead buses and branches are zeros; an island without an answer is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Solution {
    /// Voltage magnitude of each bus, per unit of its nominal voltage.
    pub v: Vec<f64>,
    /// Voltage angle of each bus, radians.
    pub angle: Vec<f64>,
    /// Net power into the grid at each bus, per unit: sources and generation less demand, which is
    /// what goes into branches and shunt. At a source, what it gives is this plus the demand.
    pub injected: Vec<Complex>,
    /// Flow at both ends of each branch.
    pub flows: Vec<Flow>,
    /// The live islands, in the order of their first source.
    pub islands: Vec<Island>,
    /// Island of each bus; `None` is dead.
    pub island_of: Vec<Option<u32>>,
    /// Steps that the last solve took, restarts included.
    pub iterations: u32,
    /// How many of them needed new factors.
    pub refactorisations: u32,
    /// Largest mismatch that was left in the islands that have an answer, per unit.
    pub mismatch: f64,
}

/// Power into a branch at its ends, per unit. The sum of both is what it loses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flow {
    /// Into the branch at its from end.
    pub from: Complex,
    /// Into the branch at its to end.
    pub to: Complex,
}

/// Islands for which no voltages were found, neither from the last solution nor from a flat
/// start. All other islands have fresh values in [`PowerFlow::solution`](crate::PowerFlow::solution).
#[derive(Debug, Clone, PartialEq)]
pub struct Diverged {
    /// The islands without an answer. Empty if the state does not fit the network at all (another
    /// number of buses or branches); then nothing was solved.
    pub islands: Vec<Unsolved>,
}

/// An island without an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsolved {
    /// Its index in [`Solution::islands`].
    pub island: usize,
    /// Its buses, ascending.
    pub buses: Vec<usize>,
    /// Where the mismatch was largest when it was given up, or where a number is unusable.
    pub worst_bus: usize,
    /// The mismatch there, per unit. NaN if the state has an unusable number there; small if the
    /// island ended at a voltage below 0.2 pu, which is a root but not a state of a grid.
    pub mismatch: f64,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.islands.is_empty() {
            return write!(f, "the state has not the buses and branches of the network");
        }
        for (at, island) in self.islands.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            let Unsolved { island, buses, worst_bus, mismatch } = island;
            let count = buses.len();
            write!(
                f,
                "{separator}island {island} ({count} buses) has no power flow: mismatch \
                 {mismatch:.3e} pu at bus {worst_bus}"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Diverged {}
