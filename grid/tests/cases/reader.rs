//! Reads the case files that make.py writes: per unit, angles in radians, but for the solution,
//! which is in degrees.
//!
//! ```text
//! base 100.0
//! bus source|generator|load kv v angle p demand_p demand_q shunt_g shunt_b [v angle°]
//! branch from to r x g b ratio shift
//! ```

use grid::{Branch, BranchState, Bus, BusKind, BusState, Complex, Demand, Network, NetworkState};

/// A network, its state, and the voltages (pu, degrees) that somebody else found, if in the file.
pub(crate) struct Case {
    pub(crate) network: Network,
    pub(crate) state: NetworkState,
    pub(crate) expected: Vec<(f64, f64)>,
}

/// Panics on a file that is not of that form: these are our own files.
pub(crate) fn read(text: &str) -> Case {
    let mut case = Case {
        network: Network { base_mva: 100.0, buses: Vec::new(), branches: Vec::new() },
        state: NetworkState::default(),
        expected: Vec::new(),
    };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().expect("a line has words");
        let word = if first == "bus" { words.next().expect("a bus has a kind") } else { "" };
        let x: Vec<f64> = words.map(|word| word.parse().expect("a number")).collect();
        match first {
            "base" => case.network.base_mva = x[0],
            "bus" => add_bus(&mut case, word, &x),
            _ => add_branch(&mut case, &x),
        }
    }
    case
}

fn add_bus(case: &mut Case, kind: &str, x: &[f64]) {
    case.network.buses.push(Bus { kv: x[0] });
    case.state.buses.push(BusState {
        kind: match kind {
            "source" => BusKind::Source { v: x[1], angle: x[2] },
            "generator" => BusKind::Generator { p: x[3], v: x[1] },
            _ => BusKind::Load,
        },
        demand: Demand { p: x[4], q: x[5], ..Demand::default() },
        shunt: Complex::new(x[6], x[7]),
    });
    if let [v, angle] = x[8..] {
        case.expected.push((v, angle));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "indices of buses, written as whole numbers"
)]
fn add_branch(case: &mut Case, x: &[f64]) {
    case.network.branches.push(Branch {
        from: x[0] as usize,
        to: x[1] as usize,
        z: Complex::new(x[2], x[3]),
        charging: Complex::new(x[4], x[5]),
        shift: x[7],
    });
    case.state.branches.push(BranchState { closed: [true; 2], ratio: x[6] });
}
