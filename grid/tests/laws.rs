//! Laws that hold for any network and any state: Kirchhoff, losses, dead parts, and that the way
//! to a solution does not matter.

#[path = "laws/random.rs"]
mod random;

use grid::{
    Branch, BranchState, Bus, BusKind, BusState, Complex, Demand, Network, NetworkState, PowerFlow,
    Solution, SolverSettings, Topology,
};
use proptest::prelude::*;
use random::Chance;

/// What flows into a branch at its ends, computed the long way round.
fn flow(branch: &Branch, state: &BranchState, v: [Complex; 2]) -> [Complex; 2] {
    let half = branch.charging * 0.5;
    let tap = Complex::polar(state.ratio, branch.shift);
    let inner = v[0] / tap;
    match state.closed {
        [true, true] => {
            let through = (inner - v[1]) / branch.z;
            [inner * (through + half * inner).conj(), v[1] * (half * v[1] - through).conj()]
        }
        [true, false] => {
            let through = inner / (branch.z + end(half));
            [inner * (through + half * inner).conj(), Complex::ZERO]
        }
        [false, true] => {
            let through = v[1] / (branch.z + end(half));
            [Complex::ZERO, v[1] * (through + half * v[1]).conj()]
        }
        [false, false] => [Complex::ZERO; 2],
    }
}

/// Half of the charging at an end that hangs free, as an impedance.
fn end(half: Complex) -> Complex {
    if half == Complex::ZERO { Complex::new(1e300, 0.0) } else { half.recip() }
}

fn voltages(solution: &Solution) -> Vec<Complex> {
    let polar = solution.v.iter().zip(&solution.angle);
    polar.map(|(v, angle)| Complex::polar(*v, *angle)).collect()
}

/// Buses with a path of closed branches to a source, found naively.
fn live(network: &Network, state: &NetworkState) -> Vec<bool> {
    let mut live: Vec<bool> =
        state.buses.iter().map(|bus| matches!(bus.kind, BusKind::Source { .. })).collect();
    loop {
        let before = live.clone();
        for (branch, switched) in network.branches.iter().zip(&state.branches) {
            if switched.closed == [true; 2] && (live[branch.from] || live[branch.to]) {
                live[branch.from] = true;
                live[branch.to] = true;
            }
        }
        if live == before {
            return live;
        }
    }
}

fn assert_laws(network: &Network, state: &NetworkState, solution: &Solution) {
    let v = voltages(solution);
    let live = live(network, state);
    let mut leaving: Vec<Complex> =
        v.iter().zip(&state.buses).map(|(v, bus)| bus.shunt.conj() * v.abs_squared()).collect();
    for (at, branch) in network.branches.iter().enumerate() {
        let expected = flow(branch, &state.branches[at], [v[branch.from], v[branch.to]]);
        let found = solution.flows[at];
        let scale = 1.0 + branch.z.recip().abs();
        assert!((found.from - expected[0]).abs() < 1e-12 * scale, "branch {at}");
        assert!((found.to - expected[1]).abs() < 1e-12 * scale, "branch {at}");
        leaving[branch.from] += found.from;
        leaving[branch.to] += found.to;
        if state.branches[at].closed == [true; 2] {
            let inner = v[branch.from] / Complex::polar(state.branches[at].ratio, branch.shift);
            let through = ((inner - v[branch.to]) / branch.z).abs_squared();
            let iron =
                branch.charging.re / 2.0 * (inner.abs_squared() + v[branch.to].abs_squared());
            let lost = (found.from + found.to).re;
            assert!((lost - through * branch.z.re - iron).abs() < 1e-11 * scale, "branch {at}");
        }
    }
    for (at, bus) in state.buses.iter().enumerate() {
        assert_eq!(solution.island_of[at].is_some(), live[at], "bus {at}");
        if !live[at] {
            assert_eq!((solution.v[at], solution.angle[at]), (0.0, 0.0), "bus {at}");
            assert_eq!(solution.injected[at], Complex::ZERO);
            continue;
        }
        assert!((leaving[at] - solution.injected[at]).abs() < 1e-8, "bus {at}");
        let demand = &bus.demand;
        let drawn = Complex::new(
            demand.p * libm::pow(solution.v[at], demand.p_exponent),
            demand.q * libm::pow(solution.v[at], demand.q_exponent),
        );
        match bus.kind {
            BusKind::Load => assert!((leaving[at] + drawn).abs() < 3e-8, "bus {at}"),
            BusKind::Generator { p, v } => {
                assert!((leaving[at].re + drawn.re - p).abs() < 3e-8, "bus {at}");
                assert!((solution.v[at] - v).abs() < 1e-12, "bus {at}");
            }
            BusKind::Source { v, angle } => {
                assert!((solution.v[at] - v).abs() < 1e-12, "bus {at}");
                assert!((solution.angle[at] - angle).abs() < 1e-12, "bus {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kirchhoff_holds_whatever_is_switched(seed: u64) {
        let mut chance = Chance::new(seed);
        let network = chance.network();
        let mut flow = PowerFlow::new(&network).unwrap();
        for _ in 0..4 {
            let state = chance.state(&network);
            let solution = flow.solve(&state, &SolverSettings::default());
            assert_laws(&network, &state, solution.unwrap());
        }
    }

    #[test]
    fn the_way_to_a_solution_does_not_matter(seed: u64) {
        let mut chance = Chance::new(seed);
        let network = chance.network();
        let mut state = chance.state(&network);
        let mut held = PowerFlow::new(&network).unwrap();
        for _ in 0..6 {
            chance.disturb(&network, &mut state);
            let warm = voltages(held.solve(&state, &SolverSettings::default()).unwrap());
            let settings = SolverSettings { hold: false, ..SolverSettings::default() };
            let mut fresh = PowerFlow::new(&network).unwrap();
            let flat = voltages(fresh.solve_from_flat(&state, &settings).unwrap());
            for (warm, flat) in warm.iter().zip(&flat) {
                prop_assert!((*warm - *flat).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn garbage_in_a_state_is_an_error_value_and_no_stale_answer(seed: u64) {
        let mut chance = Chance::new(seed);
        let network = chance.network();
        let mut state = chance.state(&network);
        let mut flow = PowerFlow::new(&network).unwrap();
        flow.solve(&state, &SolverSettings::default()).unwrap();
        for _ in 0..4 {
            chance.spoil(&mut state);
            let lost = match flow.solve(&state, &SolverSettings::default()) {
                Ok(_) => Vec::new(),
                Err(diverged) => {
                    prop_assert!(!diverged.islands.is_empty() && !diverged.to_string().is_empty());
                    diverged.islands
                }
            };
            let solution = flow.solution();
            for (bus, v) in solution.v.iter().enumerate() {
                let island = solution.island_of[bus].map(|island| island as usize);
                let is_lost = lost.iter().any(|lost| Some(lost.island) == island);
                prop_assert_eq!(is_lost, v.is_nan(), "bus {}", bus);
                prop_assert_eq!(is_lost, lost.iter().any(|lost| lost.buses.contains(&bus)));
            }
            for flow in &solution.flows {
                prop_assert!(!flow.from.abs().is_infinite() && !flow.to.abs().is_infinite());
            }
            let _ = flow.thevenin(&state, 0);
        }
    }

    #[test]
    fn groups_of_nodes_are_those_that_a_walk_finds(seed: u64) {
        let mut chance = Chance::new(seed);
        let nodes = 1 + chance.below(30);
        let switches: Vec<(usize, usize)> =
            (0..chance.below(60)).map(|_| (chance.below(nodes), chance.below(nodes))).collect();
        let closed: Vec<bool> = switches.iter().map(|_| chance.below(2) == 0).collect();
        let buses = Topology::new(nodes, switches.clone()).process(&closed);
        let mut group = vec![usize::MAX; nodes];
        let mut count = 0;
        for first in 0..nodes {
            if group[first] != usize::MAX {
                continue;
            }
            let mut walk = vec![first];
            while let Some(node) = walk.pop() {
                group[node] = count;
                for (&(a, b), _) in switches.iter().zip(&closed).filter(|(_, closed)| **closed) {
                    for (here, there) in [(a, b), (b, a)] {
                        if here == node && group[there] == usize::MAX {
                            walk.push(there);
                        }
                    }
                }
            }
            count += 1;
        }
        prop_assert_eq!(buses.of_node, group);
        prop_assert_eq!(buses.count, count);
    }
}

/// A source, a line, and what hangs on it, `islands` times.
fn lines(islands: usize) -> (Network, NetworkState) {
    let branch = |at: usize| Branch {
        from: 2 * at,
        to: 2 * at + 1,
        z: Complex::new(0.02, 0.1),
        charging: Complex::new(0.0, 0.04),
        shift: 0.0,
    };
    let network = Network {
        base_mva: 100.0,
        buses: vec![Bus { kv: 110.0 }; 2 * islands],
        branches: (0..islands).map(branch).collect(),
    };
    let mut state = NetworkState::of(&network);
    for at in 0..islands {
        state.buses[2 * at].kind = BusKind::Source { v: 1.02, angle: 0.1 };
        state.buses[2 * at + 1].demand.p = 0.4;
    }
    (network, state)
}

#[test]
fn a_hopeless_load_is_named_and_its_neighbour_is_solved() {
    let (network, mut state) = lines(3);
    let mut flow = PowerFlow::new(&network).unwrap();
    let healthy = flow.solve(&state, &SolverSettings::default()).unwrap().v[1];
    for hold in [true, false] {
        state.buses[3].demand.p = 50.0;
        state.buses[5].demand.p = 0.5;
        let settings = SolverSettings { hold, ..SolverSettings::default() };
        let error = flow.solve(&state, &settings).unwrap_err();
        assert_eq!(error.islands.len(), 1);
        assert_eq!((error.islands[0].island, error.islands[0].worst_bus), (1, 3));
        assert_eq!(error.islands[0].buses, [2, 3]);
        assert!(error.islands[0].mismatch > 1.0);
        let solution = flow.solution();
        assert!((solution.v[1] - healthy).abs() < 1e-9);
        assert!(solution.v[5] < healthy && solution.v[5] > 0.9);
        assert!(solution.v[2].is_nan() && solution.flows[1].to.re.is_nan());
        state.buses[3].demand.p = 0.4;
        assert!((flow.solve(&state, &settings).unwrap().v[3] - healthy).abs() < 1e-9);
    }
}

#[test]
fn garbage_on_a_dead_bus_or_next_door_changes_nothing() {
    let (network, mut state) = lines(3);
    state.buses[4].kind = BusKind::Load;
    let mut flow = PowerFlow::new(&network).unwrap();
    let clean = flow.solve(&state, &SolverSettings::default()).unwrap().clone();
    let z = flow.thevenin(&state, 3).unwrap();
    state.buses[5].demand = Demand { p: f64::NAN, q: 1e300, p_exponent: -3.0, q_exponent: 0.0 };
    state.buses[4].shunt.re = f64::INFINITY;
    let dead = flow.solve_from_flat(&state, &SolverSettings::default()).unwrap();
    assert!((dead.v[1] - clean.v[1]).abs() < 1e-12 && dead.v[4..] == [0.0, 0.0]);
    state.buses[3].demand.q = f64::NAN;
    state.buses[3].shunt.im = 0.1;
    let error = flow.solve(&state, &SolverSettings::default()).unwrap_err();
    assert_eq!((error.islands.len(), error.islands[0].worst_bus), (1, 3));
    assert!((flow.solution().v[1] - clean.v[1]).abs() < 1e-12);
    assert!(flow.thevenin(&state, 1).is_some() && flow.thevenin(&state, 3).is_none());
    state.buses[3].demand.q = 0.0;
    let healed = flow.solve(&state, &SolverSettings::default()).unwrap();
    assert!(healed.v[3] > clean.v[3]);
    assert!((healed.flows[1].to.im - 0.1 * healed.v[3].powi(2)).abs() < 1e-7);
    state.buses[3].shunt.im = 0.0;
    assert!((flow.thevenin(&state, 3).unwrap() - z).abs() < 1e-12);
}

#[test]
fn a_state_of_another_size_is_an_error_value() {
    let (network, state) = lines(2);
    let mut flow = PowerFlow::new(&network).unwrap();
    let other = lines(1).1;
    let error = flow.solve(&other, &SolverSettings::default()).unwrap_err();
    assert_eq!(error.islands, []);
    assert!(flow.solution().v.iter().all(|v| v.is_nan()));
    assert_eq!(flow.thevenin(&other, 0), None);
    flow.solve(&state, &SolverSettings::default()).unwrap();
    let empty = Network { base_mva: 100.0, buses: Vec::new(), branches: Vec::new() };
    let mut flow = PowerFlow::new(&empty).unwrap();
    assert_eq!(
        flow.solve(&NetworkState::of(&empty), &SolverSettings::default()).unwrap().v,
        [] as [f64; 0]
    );
}

#[test]
fn a_line_open_at_its_far_end_draws_its_charging() {
    let (network, mut state) = lines(1);
    state.branches[0].closed = [true, false];
    let mut flow = PowerFlow::new(&network).unwrap();
    let solution = flow.solve(&state, &SolverSettings::default()).unwrap();
    let half = Complex::new(0.0, 0.02);
    let seen = half + (network.branches[0].z + half.recip()).recip();
    let expected = seen.conj() * (1.02 * 1.02);
    assert!((solution.flows[0].from - expected).abs() < 1e-12);
    assert_eq!(solution.flows[0].to, Complex::ZERO);
    assert_eq!((solution.v[1], solution.island_of[1]), (0.0, None));
}

#[test]
fn a_fault_sees_the_lines_to_the_sources_and_nothing_of_the_load() {
    let (mut network, mut state) = lines(1);
    network.branches[0].charging = Complex::ZERO;
    let mut flow = PowerFlow::new(&network).unwrap();
    let close = |a: Option<Complex>, b: Complex| (a.unwrap() - b).abs() < 1e-12;
    assert!(close(flow.thevenin(&state, 1), network.branches[0].z));
    assert!(close(flow.thevenin(&state, 0), Complex::ZERO));
    assert_eq!(flow.thevenin(&state, 2), None);
    state.branches[0].closed[1] = false;
    assert_eq!(flow.thevenin(&state, 1), None);
    // twice the same line halves it, and asking does not disturb the power flow
    network.branches.push(network.branches[0]);
    state.branches = vec![BranchState::default(); 2];
    let mut flow = PowerFlow::new(&network).unwrap();
    let before = flow.solve(&state, &SolverSettings::default()).unwrap().clone();
    assert!(close(flow.thevenin(&state, 1), network.branches[0].z * 0.5));
    assert_eq!(flow.solve(&state, &SolverSettings::default()).unwrap().v, before.v);
}

#[test]
fn a_vector_group_turns_what_is_behind_it() {
    let (mut network, state) = lines(1);
    network.branches[0].shift = -std::f64::consts::FRAC_PI_6;
    let mut flow = PowerFlow::new(&network).unwrap();
    let solution = flow.solve(&state, &SolverSettings::default()).unwrap();
    assert!((solution.angle[1] - 0.1 - std::f64::consts::FRAC_PI_6).abs() < 0.06);
    assert!(solution.iterations <= 6);
}

#[test]
fn what_no_network_can_have_is_refused() {
    let (good, _) = lines(1);
    let broken = |change: fn(&mut Network)| {
        let mut network = good.clone();
        change(&mut network);
        let error = PowerFlow::new(&network).expect_err("a broken network");
        assert!(!error.to_string().is_empty());
    };
    broken(|network| network.base_mva = f64::NAN);
    broken(|network| network.buses[1].kv = 0.0);
    broken(|network| network.branches[0].to = 2);
    broken(|network| network.branches[0].to = 0);
    broken(|network| network.branches[0].z = Complex::ZERO);
    broken(|network| network.branches[0].z.im = f64::NAN);
    broken(|network| network.branches[0].charging.im = f64::INFINITY);
    broken(|network| network.branches[0].shift = f64::NAN);
}

#[test]
fn buses_change_their_kind_on_the_same_pattern() {
    let (network, mut state) = lines(1);
    let mut flow = PowerFlow::new(&network).unwrap();
    flow.solve(&state, &SolverSettings::default()).unwrap();
    state.buses[1].kind = BusKind::Generator { p: 0.2, v: 1.03 };
    assert_laws(&network, &state, flow.solve(&state, &SolverSettings::default()).unwrap());
    state.buses[1] = BusState { kind: BusKind::Source { v: 1.01, angle: 0.05 }, ..state.buses[1] };
    state.buses[0].kind = BusKind::Load;
    let solution = flow.solve(&state, &SolverSettings::default()).unwrap();
    assert_laws(&network, &state, solution);
    assert_eq!(solution.islands[0].sources, [1]);
}
