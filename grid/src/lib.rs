//! The laws: what electricity does in the grid.
//!
//! Pure numerics without I/O, time or chance. [`PowerFlow`] solves the balanced AC power flow of a
//! [`Network`] whose [`NetworkState`] changes from second to second; [`Topology`] merges the nodes of a
//! substation over its closed switches; [`Conductor`], [`Windings`] and [`TapChanger`] turn
//! kilometres and nameplates into per unit.
//!
//! ```
//! use grid::{Branch, Bus, BusKind, Complex, Network, PowerFlow, SolverSettings, NetworkState};
//!
//! let line = grid::Conductor::named("AC-185").unwrap().line(30.0, 110.0, 100.0);
//! let network = Network {
//!     base_mva: 100.0,
//!     buses: vec![Bus { kv: 110.0 }, Bus { kv: 110.0 }],
//!     branches: vec![Branch { from: 0, to: 1, z: line.z, charging: line.charging, shift: 0.0 }],
//! };
//! let mut state = NetworkState::of(&network);
//! state.buses[0].kind = BusKind::Source { v: 1.05, angle: 0.0 };
//! state.buses[1].demand.p = 0.30; // 30 MW
//! let mut flow = PowerFlow::new(&network).unwrap();
//! let solution = flow.solve(&state, &SolverSettings::default()).unwrap();
//! assert!(solution.v[1] < 1.05);
//! assert!(solution.flows[0].from.re > 0.30);
//! ```

mod admittance;
mod complex;
mod conductor;
mod factors;
mod islands;
mod jacobian;
mod network;
mod ordering;
mod power_flow;
mod solution;
mod topology;
mod transformer;

pub use complex::Complex;
pub use conductor::{Conductor, LineData};
pub use islands::Island;
pub use network::{
    Branch, BranchState, Bus, BusKind, BusState, Demand, Network, NetworkError, NetworkState,
};
pub use power_flow::{PowerFlow, SolverSettings};
pub use solution::{Diverged, Flow, Solution, Unsolved};
pub use topology::{Buses, Topology};
pub use transformer::{ShortCircuitVoltages, Star, TapChanger, Transformer, Windings};
