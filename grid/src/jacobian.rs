//! Voltages, what is asked of every bus, the mismatch between them, and its derivatives. All by
//! positions of the elimination order. No iterating.

use crate::admittance::Admittance;
use crate::factors::{Block, Matrix, Pair};
use crate::trigonometry::sin_cos;
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
    pub(crate) v: Vec<f64>,
    pub(crate) angle: Vec<f64>,
    /// Voltages as complex numbers; zero where idle.
    pub(crate) phasors: Vec<Complex>,
    /// Power from each bus into branches and shunt at the last evaluation; not for sources.
    pub(crate) power: Vec<Complex>,
    /// Power into the grid that does not depend on voltage.
    fixed: Vec<Complex>,
    /// The same with elastic demand at present voltage.
    asked: Vec<Complex>,
    /// Derivative of elastic demand by ln V.
    slope: Vec<Complex>,
    elastic: Vec<Elastic>,
    /// Power that each mutual admittance carries.
    terms: Vec<Complex>,
    diagonal: Vec<Block>,
}

impl Jacobian {
    pub(crate) fn new(buses: usize, entries: usize) -> Self {
        let zeros = vec![Complex::ZERO; buses];
        Self {
            roles: vec![Role::Idle; buses],
            v: vec![0.0; buses],
            angle: vec![0.0; buses],
            phasors: zeros.clone(),
            power: zeros.clone(),
            fixed: zeros.clone(),
            asked: zeros.clone(),
            slope: zeros,
            elastic: Vec::with_capacity(buses),
            terms: vec![Complex::ZERO; entries],
            diagonal: vec![[0.0; 4]; buses],
        }
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
        let mut fixed = Complex::ZERO;
        match bus.kind {
            BusKind::Load => {}
            BusKind::Generator { p, v } => {
                fixed.re = p;
                self.v[row] = v;
            }
            BusKind::Source { v, angle } => {
                self.v[row] = v;
                self.angle[row] = angle;
            }
        }
        if demand.p_exponent == 0.0 && demand.q_exponent == 0.0 {
            fixed -= Complex::new(demand.p, demand.q);
        } else {
            self.elastic.push(Elastic { at, demand: *demand });
        }
        self.fixed[row] = fixed;
    }

    /// Sets the voltages that are given anew, after an attempt moved nothing but the others.
    pub(crate) fn restore(&mut self, row: usize, kind: &BusKind) {
        match *kind {
            BusKind::Load => {}
            BusKind::Generator { v, .. } => self.v[row] = v,
            BusKind::Source { v, angle } => (self.v[row], self.angle[row]) = (v, angle),
        }
    }

    /// Powers of the sources, which no step needs.
    pub(crate) fn draw_sources(&mut self, admittance: &Admittance) {
        for row in 0..self.roles.len() {
            if self.roles[row] == Role::Source {
                let range = admittance.range(row);
                let mut current = admittance.diagonal()[row] * self.phasors[row];
                let columns = &admittance.columns()[range.clone()];
                for (&column, &y) in columns.iter().zip(&admittance.values()[range]) {
                    current += y * self.phasors[column as usize];
                }
                self.power[row] = self.phasors[row] * current.conj();
            }
        }
    }

    /// Voltages as complex numbers, from magnitude and angle.
    pub(crate) fn refresh(&mut self) {
        let given = self.roles.iter().zip(&self.v).zip(&self.angle);
        for (phasor, ((role, &v), &angle)) in self.phasors.iter_mut().zip(given) {
            *phasor = if *role == Role::Idle { Complex::ZERO } else { Complex::polar(v, angle) };
        }
    }

    /// Leaves a bus out from now on.
    pub(crate) fn give_up(&mut self, row: usize) {
        self.roles[row] = Role::Idle;
        self.phasors[row] = Complex::ZERO;
    }

    /// Computes powers, mismatches (into `rhs`) and derivatives. `worst` takes the largest
    /// mismatch of each island, infinite where there is no number.
    pub(crate) fn evaluate(
        &mut self,
        admittance: &Admittance,
        island_at: &[u32],
        rhs: &mut [Pair],
        worst: &mut [f64],
    ) {
        self.stretch();
        worst.fill(0.0);
        let (columns, values) = (admittance.columns(), admittance.values());
        for (row, mismatch) in rhs.iter_mut().enumerate() {
            let role = self.roles[row];
            if matches!(role, Role::Idle | Role::Source) {
                *mismatch = [0.0; 2];
                continue;
            }
            let phasor = self.phasors[row];
            let range = admittance.range(row);
            let mut mutual = Complex::ZERO;
            let entries = columns[range.clone()].iter().zip(&values[range.clone()]);
            for (term, (&column, &y)) in self.terms[range].iter_mut().zip(entries) {
                *term = phasor * (y * self.phasors[column as usize]).conj();
                mutual += *term;
            }
            let own = admittance.diagonal()[row].conj() * phasor.abs_squared();
            let power = own + mutual;
            let slope = self.slope[row];
            self.power[row] = power;
            let off = self.asked[row] - power;
            let by_voltage = power + own + slope;
            let is_load = role == Role::Load;
            *mismatch = [off.re, if is_load { off.im } else { 0.0 }];
            self.diagonal[row] = if is_load {
                [-mutual.im, by_voltage.re, mutual.re, by_voltage.im]
            } else {
                [-mutual.im, by_voltage.re, 0.0, 1.0]
            };
            let size = mismatch[0].abs().max(mismatch[1].abs()) + 0.0 * (off.re + off.im);
            let worst = &mut worst[island_at[row] as usize];
            if size.is_nan() {
                *worst = f64::INFINITY;
            } else if size > *worst {
                *worst = size;
            }
        }
    }

    /// Elastic demand at present voltage.
    fn stretch(&mut self) {
        self.asked.copy_from_slice(&self.fixed);
        for Elastic { at, demand } in &self.elastic {
            let row = *at as usize;
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
        for (row, &[turn, growth]) in step.iter().enumerate() {
            match self.roles[row] {
                Role::Idle | Role::Source => continue,
                Role::Load | Role::Generator => {}
            }
            if !(turn.is_finite() && growth.is_finite()) {
                sound = false;
                continue;
            }
            let angle = self.angle[row] + turn.clamp(-TURN_MAX, TURN_MAX);
            let v = self.v[row] * (1.0 + growth.clamp(-GROWTH_MAX, GROWTH_MAX));
            let (sin, cos) = sin_cos(angle);
            self.angle[row] = angle;
            self.v[row] = v;
            self.phasors[row] = Complex::new(v * cos, v * sin);
        }
        sound
    }
}

/// Largest step of an angle, radians, and of a voltage, as a share of it. Newton from a flat start
/// stays well below them where there is a solution.
const TURN_MAX: f64 = 1.5;
const GROWTH_MAX: f64 = 0.5;

/// The exponents of the trade without the platform's power function, which is slow and differs
/// in the last bit from machine to machine.
fn power_of(v: f64, exponent: f64) -> f64 {
    match exponent {
        0.0 => 1.0,
        1.0 => v,
        2.0 => v * v,
        3.0 => v * v * v,
        _ => v.powf(exponent),
    }
}

/// The Jacobian with the layout that it shares with the admittances.
pub(crate) struct Laid<'a> {
    pub(crate) jacobian: &'a Jacobian,
    pub(crate) admittance: &'a Admittance,
}

impl Matrix for Laid<'_> {
    #[inline]
    fn diagonal(&self, row: usize) -> Block {
        match self.jacobian.roles[row] {
            Role::Idle | Role::Source => [1.0, 0.0, 0.0, 1.0],
            Role::Load | Role::Generator => self.jacobian.diagonal[row],
        }
    }

    #[inline]
    fn scatter(&self, row: usize, work: &mut [Block]) {
        let range = self.admittance.range(row);
        let columns = &self.admittance.columns()[range.clone()];
        let entries = columns.iter().zip(&self.jacobian.terms[range]);
        match self.jacobian.roles[row] {
            Role::Idle | Role::Source => {}
            Role::Load => {
                for (&column, term) in entries {
                    work[column as usize] = [term.im, term.re, -term.re, term.im];
                }
            }
            Role::Generator => {
                for (&column, term) in entries {
                    work[column as usize] = [term.im, term.re, 0.0, 0.0];
                }
            }
        }
    }
}
