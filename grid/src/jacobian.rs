//! Voltages, what is asked of every bus, the mismatch between them, and its derivatives. All by
//! positions of the elimination order. No iterating.

use crate::admittance::{Admittance, Mutual};
use crate::factors::{Block, Factors, Pair};
use crate::ordering::Pattern;
use crate::{BusKind, BusState, Complex};

/// What is asked of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing: it is dead, or its island was given up.
    Idle,
    /// P and Q.
    Load,
    /// P and V.
    Generator,
    /// V and angle.
    Source,
}

impl Role {
    pub(crate) fn of(kind: &BusKind) -> Self {
        match kind {
            BusKind::Load => Self::Load,
            BusKind::Generator { .. } => Self::Generator,
            BusKind::Source { .. } => Self::Source,
        }
    }
}

/// A demand that follows the voltage.
#[derive(Debug, Clone, Copy)]
struct Elastic {
    at: u32,
    demand: crate::Demand,
}

/// Rows and unknowns are `[P, Q]` and `[angle, ln V]`. What is given (the angle of a source, the
/// voltage of a generator) has the row of an identity, so roles change without touching the
/// pattern.
#[derive(Debug, Clone)]
pub(crate) struct Jacobian {
    pub(crate) roles: Vec<Role>,
    /// 1 for each of P and Q that is asked of a bus, else 0.
    rows: Vec<Pair>,
    pub(crate) v: Vec<f64>,
    pub(crate) angle: Vec<f64>,
    /// Voltages as complex numbers; zero where idle.
    pub(crate) phasors: Vec<Complex>,
    /// Whether voltages were given anew since the phasors were made.
    is_stale: bool,
    /// Current from each bus into branches and shunt at the last evaluation.
    currents: Vec<Complex>,
    /// Whether the currents are those of the present phasors and admittances: a second that begins
    /// where the last one ended has them already.
    are_currents_fresh: bool,
    /// Power into the grid that does not depend on voltage.
    fixed: Vec<Complex>,
    /// The same with elastic demand at present voltage.
    asked: Vec<Complex>,
    /// Derivative of elastic demand by ln V.
    slope: Vec<Complex>,
    elastic: Vec<Elastic>,
}

impl Jacobian {
    pub(crate) fn new(buses: usize) -> Self {
        let zeros = vec![Complex::ZERO; buses];
        Self {
            roles: vec![Role::Idle; buses],
            rows: vec![[0.0; 2]; buses],
            v: vec![0.0; buses],
            angle: vec![0.0; buses],
            phasors: zeros.clone(),
            is_stale: true,
            currents: zeros.clone(),
            are_currents_fresh: false,
            fixed: zeros.clone(),
            asked: zeros.clone(),
            slope: zeros,
            elastic: Vec::with_capacity(buses),
        }
    }

    pub(crate) fn assign(&mut self, row: usize, role: Role) {
        self.is_stale |= self.roles[row] != role;
        self.are_currents_fresh &= self.roles[row] == role;
        self.roles[row] = role;
        self.rows[row] = match role {
            Role::Idle | Role::Source => [0.0, 0.0],
            Role::Load => [1.0, 1.0],
            Role::Generator => [1.0, 0.0],
        };
    }

    /// Forgets what was asked before [`Self::ask`].
    pub(crate) fn clear(&mut self) {
        for elastic in &self.elastic {
            self.slope[elastic.at as usize] = Complex::ZERO;
        }
        self.elastic.clear();
    }

    /// Takes over what is asked of a bus. Voltages that are given are set at once.
    pub(crate) fn ask(&mut self, at: u32, bus: &BusState) {
        let row = at as usize;
        let demand = &bus.demand;
        self.give(row, &bus.kind);
        let mut fixed = Complex::ZERO;
        if let BusKind::Generator { p, .. } = bus.kind {
            fixed.re = p;
        }
        if demand.p_exponent == 0.0 && demand.q_exponent == 0.0 {
            fixed -= Complex::new(demand.p, demand.q);
        } else {
            self.elastic.push(Elastic { at, demand: *demand });
        }
        self.fixed[row] = fixed;
    }

    /// Sets the voltages that a bus holds.
    pub(crate) fn give(&mut self, row: usize, kind: &BusKind) {
        let (v, angle) = match *kind {
            BusKind::Load => return,
            BusKind::Generator { v, .. } => (v, self.angle[row]),
            BusKind::Source { v, angle } => (v, angle),
        };
        if (v, angle) != (self.v[row], self.angle[row]) {
            self.begin(row, v, angle);
        }
    }

    /// Sets a voltage to begin with.
    pub(crate) fn begin(&mut self, row: usize, v: f64, angle: f64) {
        self.v[row] = v;
        self.angle[row] = angle;
        self.is_stale = true;
    }

    /// Voltages as complex numbers, from magnitude and angle, where they were given anew; and when
    /// `always`, since the many small turns of [`Self::apply`] leave a little behind.
    pub(crate) fn refresh(&mut self, always: bool) {
        if !self.is_stale && !always {
            return;
        }
        self.is_stale = false;
        self.are_currents_fresh = false;
        let given = self.roles.iter().zip(&self.v).zip(&self.angle);
        for (phasor, ((role, &v), &angle)) in self.phasors.iter_mut().zip(given) {
            *phasor = if *role == Role::Idle { Complex::ZERO } else { Complex::polar(v, angle) };
        }
    }

    /// Leaves a bus out from now on.
    pub(crate) fn give_up(&mut self, row: usize) {
        self.assign(row, Role::Idle);
        self.phasors[row] = Complex::ZERO;
        self.are_currents_fresh = false;
    }

    /// Power from a bus into branches and shunt at the last evaluation.
    pub(crate) fn power(&self, row: usize) -> Complex {
        self.phasors[row] * self.currents[row].conj()
    }

    /// Computes currents and mismatches (into `rhs`). `worst` takes the largest mismatch of each
    /// island, infinite where there is no number.
    pub(crate) fn evaluate(
        &mut self,
        admittance: &Admittance,
        island_at: &[u32],
        rhs: &mut [Pair],
        worst: &mut [f64],
    ) {
        self.stretch();
        if !self.are_currents_fresh {
            self.find_currents(admittance);
        }
        let asked = if self.elastic.is_empty() { &self.fixed } else { &self.asked };
        let (mut largest, mut doubt) = (0.0_f64, 0.0);
        let given = self.rows.iter().zip(asked);
        let found = self.phasors.iter().zip(&self.currents);
        for (mismatch, (([p, q], asked), (phasor, current))) in rhs.iter_mut().zip(given.zip(found))
        {
            let off = *asked - *phasor * current.conj();
            *mismatch = [off.re * p, off.im * q];
            let size = mismatch[0].abs().max(mismatch[1].abs());
            largest = if size > largest { size } else { largest };
            // stays zero as long as everything is finite
            doubt += 0.0 * (off.re + off.im);
        }
        if doubt == 0.0 && worst.len() == 1 {
            worst[0] = largest;
        } else {
            note_worst(island_at, rhs, worst);
        }
    }

    /// The admittances have moved: currents have to be found anew.
    pub(crate) fn forget_currents(&mut self) {
        self.are_currents_fresh = false;
    }

    fn find_currents(&mut self, admittance: &Admittance) {
        let Self { phasors, currents, .. } = self;
        for (current, (y, v)) in currents.iter_mut().zip(admittance.diagonal.iter().zip(&*phasors))
        {
            *current = *y * *v;
        }
        for Mutual { ends: [a, b], y } in &admittance.mutual {
            let (a, b) = (*a as usize, *b as usize);
            let there = y[0] * phasors[b];
            let back = y[1] * phasors[a];
            currents[a] += there;
            currents[b] += back;
        }
        self.are_currents_fresh = true;
    }

    /// Writes the matrix for the last evaluation.
    pub(crate) fn assemble(&self, admittance: &Admittance, pattern: &Pattern, into: &mut Factors) {
        into.clear_fills(pattern);
        for (row, [p, q]) in self.rows.iter().enumerate() {
            let own = admittance.diagonal[row].conj() * self.phasors[row].abs_squared();
            let power = self.power(row);
            let mutual = power - own;
            let by_voltage = power + own + self.slope[row];
            into.blocks[pattern.blocks(row)] = [
                (1.0 - p) - mutual.im * p,
                by_voltage.re * p,
                mutual.re * q,
                (1.0 - q) + by_voltage.im * q,
            ];
        }
        for (Mutual { ends: [a, b], y }, places) in admittance.mutual.iter().zip(&admittance.blocks)
        {
            let (a, b) = (*a as usize, *b as usize);
            let between = self.phasors[a] * self.phasors[b].conj();
            let there = between * y[0].conj();
            let back = (between * y[1]).conj();
            into.blocks[places[0] as usize] = block(there, self.rows[a]);
            into.blocks[places[1] as usize] = block(back, self.rows[b]);
        }
    }

    /// Elastic demand at present voltage.
    fn stretch(&mut self) {
        if self.elastic.is_empty() {
            return;
        }
        self.asked.copy_from_slice(&self.fixed);
        for Elastic { at, demand } in &self.elastic {
            let row = *at as usize;
            if self.roles[row] == Role::Idle {
                continue;
            }
            let v = self.v[row];
            let drawn = Complex::new(
                demand.p * power_of(v, demand.p_exponent),
                demand.q * power_of(v, demand.q_exponent),
            );
            self.asked[row] -= drawn;
            self.slope[row] =
                Complex::new(drawn.re * demand.p_exponent, drawn.im * demand.q_exponent);
        }
    }

    /// Moves the voltages by a step, bounded so that a bad step cannot leave the numbers that can
    /// be computed with. False if some part of the step is not a number; that part is left out.
    pub(crate) fn apply(&mut self, step: &[Pair]) -> bool {
        let mut sound = true;
        self.are_currents_fresh = false;
        let state = self.v.iter_mut().zip(&mut self.angle).zip(&mut self.phasors);
        for (((v, angle), phasor), &[mut turn, mut growth]) in state.zip(step) {
            // most steps are small; a NaN is not
            if !(turn.abs().max(growth.abs()) < GROWTH_MAX && turn + growth < 1.0) {
                if !(turn + growth).is_finite() {
                    sound = false;
                    continue;
                }
                turn = turn.clamp(-TURN_MAX, TURN_MAX);
                growth = growth.clamp(-GROWTH_MAX, GROWTH_MAX);
            }
            let (sin, cos) = sin_cos_of_step(turn);
            let growth = 1.0 + growth;
            *angle += turn;
            *v *= growth;
            *phasor = *phasor * Complex::new(cos * growth, sin * growth);
        }
        sound
    }
}

/// Largest step of an angle, radians, and of a voltage, as a share of it. Newton from a flat start
/// stays well below them where there is a solution.
const TURN_MAX: f64 = 1.5;
const GROWTH_MAX: f64 = 0.5;

/// The largest mismatch of each island, infinite where there is no number.
fn note_worst(island_at: &[u32], rhs: &[Pair], worst: &mut [f64]) {
    worst.fill(0.0);
    for (&island, [p, q]) in island_at.iter().zip(rhs) {
        if let Some(worst) = worst.get_mut(island as usize) {
            let is_sound = (p + q).is_finite();
            *worst = worst.max(if is_sound { p.abs().max(q.abs()) } else { f64::INFINITY });
        }
    }
}

/// Sine and cosine of what is mostly a small angle: up to an eighth by the series, whose first term left out is
/// below 1e-17.
#[inline]
fn sin_cos_of_step(x: f64) -> (f64, f64) {
    if x.abs() > 0.125 {
        return libm::sincos(x);
    }
    let z = x * x;
    let odd = 1.0 / 120.0 - z * (1.0 / 5040.0 - z * (1.0 / 362_880.0));
    let even = 1.0 / 24.0 - z * (1.0 / 720.0 - z * (1.0 / 40_320.0 - z * (1.0 / 3_628_800.0)));
    (x - x * z * (1.0 / 6.0 - z * odd), 1.0 - z * (0.5 - z * even))
}

/// What a mutual term is in the matrix, with the rows that are asked.
#[inline]
fn block(term: Complex, [p, q]: Pair) -> Block {
    [term.im * p, term.re * p, -term.re * q, term.im * q]
}

/// The exponents of the trade without a power function, which is slow.
fn power_of(v: f64, exponent: f64) -> f64 {
    match exponent {
        0.0 => 1.0,
        1.0 => v,
        2.0 => v * v,
        3.0 => v * v * v,
        _ => libm::pow(v, exponent),
    }
}

#[cfg(test)]
mod tests {
    use super::sin_cos_of_step;

    #[test]
    fn sine_and_cosine_of_steps_are_right_to_the_last_place() {
        let mut x = -1.5_f64;
        while x < 1.5 {
            let ((sin, cos), right) = (sin_cos_of_step(x), libm::sincos(x));
            assert!((sin - right.0).abs() < 2.5e-16 && (cos - right.1).abs() < 2.5e-16, "{x}");
            x += 0.000_37;
        }
    }
}
