//! The iteration: from where to start, when to make new factors, when to give an island up, and
//! what to write down at the end.

use super::{BEGUN, PowerFlow};
use crate::jacobian::Role;
use crate::{Complex, Flow, NetworkState, SolverSettings, Unsolved};

/// Evaluations without a tenth of progress after which an island is given up.
const STALLED_MAX: u32 = 8;
/// A mismatch (per unit) from which nothing comes back.
const HOPELESS: f64 = 1e12;
/// Solves after which phasors are made anew from magnitudes and angles; until then rounding may
/// part them by some 1e-15.
const REFRESH_EVERY: u32 = 64;
/// A voltage (per unit) below which no grid is operated; the nose of any line's curve is above.
const COLLAPSED: f64 = 0.2;
/// So many steps with held factors are less work than one with new factors, which takes about three
/// times as much and will be followed by less.
const STEPS_WORTH_FACTORS: f64 = 2.5;
/// The same right after new factors, when full Newton is at its best.
const STEPS_WORTH_NEW_FACTORS: f64 = 1.5;

/// How the last step went.
#[derive(Debug, Clone, Copy)]
struct Pace {
    before: f64,
    was_new: bool,
}

impl Pace {
    /// Whether held factors would get from mismatch `now` to the tolerance in a few steps. Right
    /// after new factors the rate of the step foretells that of the next one, less a factor 4
    /// (measured; the theory of the chord method says 2).
    fn holds(self, now: f64, tolerance: f64) -> bool {
        let (rate, worth) = if self.was_new {
            (4.0 * now / self.before, STEPS_WORTH_NEW_FACTORS)
        } else {
            (now / self.before, STEPS_WORTH_FACTORS)
        };
        rate < 0.5 && libm::log(tolerance / now) / libm::log(rate) < worth
    }
}

impl PowerFlow {
    /// Voltages for buses that have none yet: 1 pu where none is given nearby, and the angle of
    /// the bus that they were reached from.
    pub(super) fn start(&mut self) {
        if !self.are_all_warm {
            self.begin_cold();
        }
        self.solves = self.solves.wrapping_add(1);
        self.jacobian.refresh(self.solves.is_multiple_of(REFRESH_EVERY));
    }

    fn begin_cold(&mut self) {
        for twig in &self.islands.forest {
            let at = self.pattern.position[twig.bus as usize] as usize;
            let role = self.jacobian.roles[at];
            if self.warm[at] || role == Role::Idle {
                continue;
            }
            self.warm[at] = true;
            let (mut v, mut angle) = (self.jacobian.v[at], self.jacobian.angle[at]);
            if role == Role::Load {
                let level = self.pattern.position[twig.level as usize] as usize;
                v = if level == at { 1.0 } else { self.jacobian.v[level] };
            }
            if role != Role::Source && twig.parent != twig.bus {
                let parent = self.pattern.position[twig.parent as usize] as usize;
                angle = self.jacobian.angle[parent] + twig.lead;
            }
            self.jacobian.begin(at, v, angle);
        }
        self.are_all_warm = true;
    }

    /// Steps until every island that is not lost is solved.
    pub(super) fn iterate(&mut self, settings: &SolverSettings) {
        let mut pace: Option<Pace> = None;
        let mut left = settings.iterations_max;
        loop {
            let Self { jacobian, admittance, island_at, rhs, worst, .. } = self;
            jacobian.evaluate(admittance, island_at, rhs, worst);
            let now = self.judge(settings.tolerance, left == 0);
            self.solution.mismatch = now;
            if now <= settings.tolerance || left == 0 {
                self.lose_collapsed();
                return;
            }
            left -= 1;
            let holds = settings.hold
                && self.factors_hold
                && pace.is_none_or(|pace| pace.holds(now, settings.tolerance));
            self.step(!holds);
            pace = Some(Pace { before: now, was_new: !holds });
        }
    }

    /// The largest mismatch of the islands that are not lost, after giving up those that make no
    /// progress; all that are not solved if it was the last try.
    fn judge(&mut self, tolerance: f64, is_last: bool) -> f64 {
        let mut largest = 0.0_f64;
        for island in 0..self.tries.len() {
            let worst = self.worst[island];
            let this = &mut self.tries[island];
            if this.is_lost {
                continue;
            }
            if worst < 0.9 * this.best {
                this.best = worst;
                this.stalled = 0;
            } else {
                this.stalled += 1;
            }
            let is_solved = worst <= tolerance;
            if is_solved || (worst < HOPELESS && this.stalled < STALLED_MAX && !is_last) {
                largest = largest.max(worst);
            } else {
                let bus = self.worst_bus(island);
                self.lose(island, bus, worst);
            }
        }
        largest
    }

    /// Gives up islands that ended where demand that follows the voltage is nearly nothing: a root
    /// of the equations, but not a state of a grid.
    fn lose_collapsed(&mut self) {
        for at in 0..self.rhs.len() {
            if self.jacobian.roles[at] == Role::Load && self.jacobian.v[at] < COLLAPSED {
                let island = self.island_at[at] as usize;
                let bus = self.pattern.order[at] as usize;
                self.lose(island, bus, self.worst[island]);
            }
        }
    }

    fn worst_bus(&self, island: usize) -> usize {
        let buses = &self.islands.list[island].buses;
        let size = |bus: usize| {
            let [p, q] = self.rhs[self.pattern.position[bus] as usize];
            let size = p.abs().max(q.abs());
            if (p + q).is_nan() { f64::INFINITY } else { size }
        };
        buses.iter().copied().max_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap_or(0)
    }

    /// One step, with new factors or with the held ones.
    fn step(&mut self, with_new_factors: bool) {
        self.solution.iterations += 1;
        if with_new_factors {
            self.solution.refactorisations += 1;
            self.jacobian.assemble(&self.admittance, &self.pattern, &mut self.factors);
            self.factors.factor(&self.pattern, &mut self.rhs);
            self.factors_hold = true;
        } else {
            self.factors.forward(&self.pattern, &mut self.rhs);
        }
        self.factors.backward(&self.pattern, &mut self.rhs);
        if !self.jacobian.apply(&self.rhs) {
            self.lose_singular();
        }
    }

    /// Gives up the islands in which the step is not a number: their matrix is singular.
    fn lose_singular(&mut self) {
        for at in 0..self.rhs.len() {
            let [turn, growth] = self.rhs[at];
            if self.jacobian.roles[at] != Role::Idle && !(turn + growth).is_finite() {
                let island = self.island_at[at] as usize;
                let bus = self.pattern.order[at] as usize;
                self.lose(island, bus, self.worst[island]);
            }
        }
    }

    /// Leaves an island out of the rest of this attempt.
    pub(super) fn lose(&mut self, island: usize, worst_bus: usize, mismatch: f64) {
        let buses = &self.islands.list[island].buses;
        for &bus in buses {
            let at = self.pattern.position[bus] as usize;
            self.jacobian.give_up(at);
            self.rhs[at] = [0.0; 2];
            self.warm[at] = false;
        }
        self.are_all_warm = false;
        self.has_lost = true;
        self.tries[island].is_lost = true;
        self.factors_hold = false;
        let buses = buses.clone();
        self.unsolved.push(Unsolved { island, buses, worst_bus, mismatch });
    }

    /// Gives the islands that were lost on the way another chance, from a flat start.
    pub(super) fn revive(&mut self, state: &NetworkState) {
        let mut hopeless = Vec::new();
        for lost in std::mem::take(&mut self.unsolved) {
            if lost.mismatch.is_nan() {
                hopeless.push(lost);
                continue;
            }
            self.tries[lost.island] = BEGUN;
            for bus in lost.buses {
                let at = self.pattern.position[bus];
                self.jacobian.assign(at as usize, self.held.roles[at as usize]);
                self.jacobian.give(at as usize, &state.buses[bus].kind);
            }
        }
        self.unsolved = hopeless;
    }

    /// Writes the solution down.
    pub(super) fn publish(&mut self) {
        let Self { solution, jacobian, pattern, admittance, .. } = self;
        for (at, &bus) in pattern.order.iter().enumerate() {
            let bus = bus as usize;
            let is_live = jacobian.roles[at] != Role::Idle;
            solution.v[bus] = if is_live { jacobian.v[at] } else { 0.0 };
            solution.angle[bus] = if is_live { jacobian.angle[at] } else { 0.0 };
            solution.injected[bus] = if is_live { jacobian.power(at) } else { Complex::ZERO };
        }
        let phasors = &jacobian.phasors;
        for (flow, (port, from, to)) in solution.flows.iter_mut().zip(admittance.ports()) {
            let (from, to) = (phasors[from], phasors[to]);
            flow.from = from * (port.ff * from + port.ft * to).conj();
            flow.to = to * (port.tf * from + port.tt * to).conj();
        }
        if self.is_regrouped {
            solution.island_of.clone_from(&self.islands.of_bus);
            solution.islands.clone_from(&self.islands.list);
            self.is_regrouped = false;
        }
        if !self.unsolved.is_empty() {
            self.publish_unsolved();
        }
    }

    /// Nothing stale where there is no answer.
    fn publish_unsolved(&mut self) {
        let none = Complex::new(f64::NAN, f64::NAN);
        let is_lost = |bus: usize| {
            self.islands.of_bus[bus].is_some_and(|island| self.tries[island as usize].is_lost)
        };
        for lost in &self.unsolved {
            for &bus in &lost.buses {
                self.solution.v[bus] = f64::NAN;
                self.solution.angle[bus] = f64::NAN;
                self.solution.injected[bus] = none;
            }
        }
        let branches = self.network.branches.iter().zip(&self.held.branches);
        for (flow, (branch, state)) in self.solution.flows.iter_mut().zip(branches) {
            let at_from = state.closed[0] && is_lost(branch.from);
            let at_to = state.closed[1] && is_lost(branch.to);
            if at_from || at_to {
                *flow = Flow {
                    from: if at_from { none } else { flow.from },
                    to: if at_to { none } else { flow.to },
                };
            }
        }
    }

    /// Nothing at all is known.
    pub(super) fn spoil(&mut self) {
        let none = Complex::new(f64::NAN, f64::NAN);
        self.solution.v.fill(f64::NAN);
        self.solution.angle.fill(f64::NAN);
        self.solution.injected.fill(none);
        self.solution.flows.fill(Flow { from: none, to: none });
        self.solution.mismatch = f64::NAN;
    }
}
