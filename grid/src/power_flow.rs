//! The balanced AC power flow: Newton's method in polar form on one pattern for life, warm from
//! the last solution, with factors held while they make progress.

mod newton;

use crate::admittance::{Admittance, neighbours};
use crate::factors::{Factors, Pair};
use crate::islands::{Incidence, Islands};
use crate::jacobian::{Jacobian, Role};
use crate::ordering::{self, Pattern, index};
use crate::{
    BranchState, BusState, Complex, Diverged, Flow, Network, NetworkError, NetworkState, Solution,
    Unsolved,
};

/// How exactly and how long to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SolverSettings {
    /// Largest mismatch of active or reactive power at any bus that counts as solved, per unit.
    /// On 100 MVA the default 1e-8 is one watt; 1e-6 (100 W) is enough for telemetry.
    pub tolerance: f64,
    /// Steps from a start before an island is given up.
    pub iterations_max: u32,
    /// Whether factors of an earlier step, or of an earlier solve, may serve as long as they make
    /// progress. Without it every step is a full Newton step.
    pub hold: bool,
}

impl Default for SolverSettings {
    fn default() -> Self {
        Self { tolerance: 1e-8, iterations_max: 30, hold: true }
    }
}

/// Solves the power flow of one network, again and again. Pattern, order of elimination and all
/// memory are made once; a solve allocates only when switching regroups the islands.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says what still holds since last time")]
pub struct PowerFlow {
    network: Network,
    incidence: Incidence,
    pattern: Pattern,
    admittance: Admittance,
    jacobian: Jacobian,
    factors: Factors,
    /// Whether the factors belong to the present admittances and roles.
    factors_hold: bool,
    /// Factors of the admittance matrix for faults, made when first asked for.
    fault: Option<Factors>,
    fault_holds: bool,
    islands: Islands,
    /// Island at each position; 0 where dead, since nothing is asked there.
    island_at: Vec<u32>,
    held: Held,
    /// Positions whose voltages are a solution to start from.
    warm: Vec<bool>,
    /// Whether no live position is cold.
    are_all_warm: bool,
    are_branches_usable: bool,
    /// Whether an island was given up since roles were assigned.
    has_lost: bool,
    /// Whether the solution has other islands than the state by now.
    is_regrouped: bool,
    solves: u32,
    rhs: Vec<Pair>,
    tries: Vec<Try>,
    worst: Vec<f64>,
    unsolved: Vec<Unsolved>,
    solution: Solution,
}

/// The part of the last state that admittances, islands and roles were made from.
#[derive(Debug, Clone)]
struct Held {
    branches: Vec<BranchState>,
    /// By position.
    shunts: Vec<Complex>,
    /// By position; what the state says, dead or not.
    roles: Vec<Role>,
}

/// How an island fares.
#[derive(Debug, Clone, Copy)]
struct Try {
    best: f64,
    stalled: u32,
    is_lost: bool,
}

const BEGUN: Try = Try { best: f64::INFINITY, stalled: 0, is_lost: false };

impl PowerFlow {
    /// Checks the network and prepares its pattern, once for all states.
    ///
    /// # Errors
    ///
    /// [`NetworkError`] names the first bus or branch that cannot be computed with.
    pub fn new(network: &Network) -> Result<Self, NetworkError> {
        network.check()?;
        let neighbours = neighbours(network);
        let pattern = ordering::order(&neighbours);
        let admittance = Admittance::new(network, &neighbours, &pattern);
        let (buses, branches) = (network.buses.len(), network.branches.len());
        let never = BranchState { closed: [false; 2], ratio: 1.0 };
        Ok(Self {
            incidence: Incidence::new(network),
            jacobian: Jacobian::new(buses),
            factors: Factors::new(&pattern),
            factors_hold: false,
            fault: None,
            fault_holds: false,
            islands: Islands { of_bus: vec![None; buses], ..Islands::default() },
            island_at: vec![0; buses],
            held: Held {
                branches: vec![never; branches],
                shunts: vec![Complex::ZERO; buses],
                roles: vec![Role::Load; buses],
            },
            warm: vec![false; buses],
            are_all_warm: false,
            are_branches_usable: true,
            has_lost: false,
            is_regrouped: false,
            solves: 0,
            rhs: vec![[0.0; 2]; buses],
            tries: Vec::new(),
            worst: Vec::new(),
            unsolved: Vec::new(),
            solution: Solution {
                v: vec![0.0; buses],
                angle: vec![0.0; buses],
                injected: vec![Complex::ZERO; buses],
                flows: vec![Flow::default(); branches],
                island_of: vec![None; buses],
                ..Solution::default()
            },
            network: network.clone(),
            pattern,
            admittance,
        })
    }

    /// The result of the last solve; all dead before the first.
    pub fn solution(&self) -> &Solution {
        &self.solution
    }

    /// Solves from the voltages of the last solution where there is one (and with the held factors
    /// while they make progress), else from a flat start. An island that gets nowhere is tried
    /// once more from a flat start.
    ///
    /// # Errors
    ///
    /// [`Diverged`] names the islands without an answer. [`Self::solution`] has fresh values for
    /// all others, and NaN for these.
    pub fn solve(
        &mut self,
        state: &NetworkState,
        settings: &SolverSettings,
    ) -> Result<&Solution, Diverged> {
        self.solve_with(state, settings, false)
    }

    /// Solves from a flat start: 1 pu where no voltage is given, angles of the nearest source less
    /// the phase shifts on the way. Nothing of an earlier solve is used, factors neither.
    ///
    /// # Errors
    ///
    /// As for [`Self::solve`].
    pub fn solve_from_flat(
        &mut self,
        state: &NetworkState,
        settings: &SolverSettings,
    ) -> Result<&Solution, Diverged> {
        self.solve_with(state, settings, true)
    }

    fn solve_with(
        &mut self,
        state: &NetworkState,
        settings: &SolverSettings,
        flat: bool,
    ) -> Result<&Solution, Diverged> {
        self.solution.iterations = 0;
        self.solution.refactorisations = 0;
        self.unsolved.clear();
        if !self.fits(state) {
            self.spoil();
            return Err(Diverged { islands: Vec::new() });
        }
        self.take(state);
        if flat {
            self.warm.fill(false);
            self.are_all_warm = false;
            self.factors_hold = false;
        }
        let warm_before = !flat && self.warm.contains(&true);
        self.start();
        self.iterate(settings);
        if warm_before && self.unsolved.iter().any(|lost| !lost.mismatch.is_nan()) {
            self.revive(state);
            self.start();
            self.iterate(settings);
        }
        self.publish();
        if self.unsolved.is_empty() {
            Ok(&self.solution)
        } else {
            self.unsolved.sort_by_key(|lost| lost.island);
            Err(Diverged { islands: std::mem::take(&mut self.unsolved) })
        }
    }

    /// Thevenin impedance seen from a bus, per unit: a three-phase fault there draws v / |z|. The
    /// sources are short-circuited; demand and generators are left out, lines, transformers and
    /// shunts are in. Zero at a source. The first call after a change of switches, taps or shunts
    /// factors the admittance matrix, further ones use its factors.
    ///
    /// `None` for a dead bus, one that is not there, and where the state has unusable numbers.
    pub fn thevenin(&mut self, state: &NetworkState, bus: usize) -> Option<Complex> {
        if !self.fits(state) || bus >= state.buses.len() {
            return None;
        }
        self.take(state);
        self.unsolved.clear();
        let position = self.pattern.position[bus] as usize;
        if self.jacobian.roles[position] == Role::Idle {
            return None;
        }
        self.rhs.fill([0.0; 2]);
        if self.jacobian.roles[position] != Role::Source {
            self.rhs[position] = [1.0, 0.0];
        }
        let factors = self.fault.get_or_insert_with(|| Factors::new(&self.pattern));
        if self.fault_holds {
            factors.forward(&self.pattern, &mut self.rhs);
        } else {
            let held = self.held.roles.iter().zip(&self.pattern.order);
            let is_earthed: Vec<bool> = held
                .map(|(role, bus)| {
                    *role == Role::Source || self.islands.of_bus[*bus as usize].is_none()
                })
                .collect();
            self.admittance.assemble(&is_earthed, &self.pattern, factors);
            factors.factor(&self.pattern, &mut self.rhs);
            self.fault_holds = true;
        }
        factors.backward(&self.pattern, &mut self.rhs);
        let [re, im] = self.rhs[position];
        Some(Complex { re, im }).filter(|z| z.is_finite())
    }

    fn fits(&self, state: &NetworkState) -> bool {
        state.buses.len() == self.network.buses.len()
            && state.branches.len() == self.network.branches.len()
    }

    /// Takes over a state: admittances, islands and roles where they changed, powers always.
    fn take(&mut self, state: &NetworkState) {
        let (mut moved, mut regroup) = self.take_branches(state);
        let (mut usable, nothing) = (true, BusState::default());
        self.jacobian.clear();
        for (at, &bus) in self.pattern.order.iter().enumerate() {
            let bus = &state.buses[bus as usize];
            let role = Role::of(&bus.kind);
            let is_usable = bus.is_usable();
            usable &= is_usable;
            self.jacobian.ask(index(at), if is_usable { bus } else { &nothing });
            if self.held.shunts[at] != bus.shunt {
                self.held.shunts[at] = bus.shunt;
                moved = true;
            }
            let held = std::mem::replace(&mut self.held.roles[at], role);
            if held != role {
                regroup = true;
            }
        }
        if moved {
            self.admittance.fill(&self.pattern, &state.buses);
            self.jacobian.forget_currents();
        }
        if moved || regroup {
            self.factors_hold = false;
            self.fault_holds = false;
        }
        if regroup {
            self.regroup(state);
            self.is_regrouped = true;
        }
        if regroup || self.has_lost {
            self.assign();
            self.has_lost = false;
        }
        self.tries.clear();
        self.tries.resize(self.islands.list.len(), BEGUN);
        self.worst.resize(self.islands.list.len(), 0.0);
        if !usable || !self.are_branches_usable {
            self.give_up_unusable(state);
        }
    }

    /// Whether any admittance moved, and whether any end was switched.
    fn take_branches(&mut self, state: &NetworkState) -> (bool, bool) {
        if self.held.branches == state.branches {
            return (false, false);
        }
        let mut switched = false;
        for (at, new) in state.branches.iter().enumerate() {
            let held = &mut self.held.branches[at];
            if held != new {
                switched |= held.closed != new.closed;
                self.admittance.set(at, &self.network.branches[at], new);
                *held = *new;
            }
        }
        self.are_branches_usable = state.branches.iter().all(BranchState::is_usable);
        (true, switched)
    }

    fn regroup(&mut self, state: &NetworkState) {
        self.islands = Islands::find(&self.network, &self.incidence, state);
        self.are_all_warm = false;
        for (bus, island) in self.islands.of_bus.iter().enumerate() {
            let at = self.pattern.position[bus] as usize;
            self.island_at[at] = island.unwrap_or(0);
            if island.is_none() {
                self.warm[at] = false;
            }
        }
    }

    /// Roles as the state has them, but for the dead.
    fn assign(&mut self) {
        for (at, &bus) in self.pattern.order.iter().enumerate() {
            let is_live = self.islands.of_bus[bus as usize].is_some();
            let role = if is_live { self.held.roles[at] } else { Role::Idle };
            self.jacobian.assign(at, role);
        }
    }

    fn give_up_unusable(&mut self, state: &NetworkState) {
        let unusable = self.islands.unusable(&self.network, state);
        for (island, bus) in unusable.into_iter().enumerate() {
            if let Some(bus) = bus {
                self.lose(island, bus, f64::NAN);
            }
        }
    }
}
