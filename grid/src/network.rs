//! What a network is made of, and what may change in it from second to second. No solving.

use crate::Complex;
use std::fmt;

/// What never changes: buses and the branches between them. Per unit on `base_mva` and the
/// nominal voltages of the buses.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Base power, MVA; 100 by custom.
    pub base_mva: f64,
    /// Electrical nodes, named by their index.
    pub buses: Vec<Bus>,
    /// Lines, transformers and couplers, named by their index.
    pub branches: Vec<Branch>,
}

/// An electrical node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bus {
    /// Nominal voltage, kV.
    pub kv: f64,
}

/// A line, a transformer (or a leg of its star), or a closed coupler, as a π-equivalent behind an
/// ideal transformer at its from side. A coupler is a branch of x = 3e-4: its flow then comes out
/// of the solution, and opening it needs no new pattern. Branches may be parallel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Branch {
    /// Bus at the from end, where the tap changer sits.
    pub from: usize,
    /// Bus at the to end.
    pub to: usize,
    /// Series impedance, per unit; its magnitude between 1e-9 and 1e9.
    pub z: Complex,
    /// Total shunt admittance g + jb, per unit, half at each end: a line's charging (b > 0) or a
    /// transformer's magnetising (b < 0).
    pub charging: Complex,
    /// Phase shift at the from side, radians: with no load the to bus lags by it. A vector group
    /// d11 leads by 30°, so it is -π/6.
    pub shift: f64,
}

/// What may change from second to second. Indices are those of the network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkState {
    /// One for each bus.
    pub buses: Vec<BusState>,
    /// One for each branch.
    pub branches: Vec<BranchState>,
}

/// The state of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BusState {
    /// What holds its voltage, if anything.
    pub kind: BusKind,
    /// What is drawn there.
    pub demand: Demand,
    /// Admittance to earth, per unit; a capacitor bank has im > 0.
    pub shunt: Complex,
}

/// What holds the voltage of a bus. "De-energised" is not a kind: it follows from having no path
/// to a source.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum BusKind {
    /// Nothing: the voltage follows.
    #[default]
    Load,
    /// A machine that holds active power and voltage, without limits of reactive power.
    Generator {
        /// Active power, per unit.
        p: f64,
        /// Voltage, per unit, above 0.
        v: f64,
    },
    /// A source that holds voltage and angle and gives whatever is missing. An island may have
    /// several.
    Source {
        /// Voltage, per unit, above 0.
        v: f64,
        /// Angle, radians, within ±1 000.
        angle: f64,
    },
}

/// Power drawn at a bus: `p · v^p_exponent` and `q · v^q_exponent`. Exponent 0 is constant power,
/// 2 constant impedance; 110 kV practice is about 1 to 1.2 for P and 2 to 3 for Q. Generation
/// without voltage control is negative demand.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand {
    /// Active power at 1 pu voltage, per unit.
    pub p: f64,
    /// Reactive power at 1 pu voltage, per unit.
    pub q: f64,
    /// Exponent of active power.
    pub p_exponent: f64,
    /// Exponent of reactive power.
    pub q_exponent: f64,
}

/// The state of a branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchState {
    /// Whether it is connected at its from and at its to end.
    pub closed: [bool; 2],
    /// Off-nominal turns ratio at the from side, 0.001 to 1000; 1 for a line.
    pub ratio: f64,
}

impl Default for BranchState {
    fn default() -> Self {
        Self { closed: [true; 2], ratio: 1.0 }
    }
}

impl NetworkState {
    /// Load buses without demand, every branch closed, ratio 1. There is no source yet, so
    /// everything is dead.
    pub fn of(network: &Network) -> Self {
        Self {
            buses: vec![BusState::default(); network.buses.len()],
            branches: vec![BranchState::default(); network.branches.len()],
        }
    }
}

/// Why a network is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkError {
    /// The base power is not a number above 0.
    Base,
    /// More than a billion buses or branches.
    Size,
    /// The nominal voltage of this bus is not a number above 0.
    Voltage {
        /// Index of the bus.
        bus: usize,
    },
    /// A branch names a bus that is not there.
    Bus {
        /// Index of the branch.
        branch: usize,
        /// What it names.
        bus: usize,
    },
    /// Both ends of a branch are the same bus.
    Loop {
        /// Index of the branch.
        branch: usize,
    },
    /// The series impedance of a branch is zero, not finite, or beyond 1e-9 to 1e9 per unit.
    Impedance {
        /// Index of the branch.
        branch: usize,
    },
    /// The charging of a branch is not finite or above 1e9 per unit.
    Charging {
        /// Index of the branch.
        branch: usize,
    },
    /// The phase shift of a branch is not within ±1 000 radians.
    Shift {
        /// Index of the branch.
        branch: usize,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => write!(f, "the base power is not a number of MVA above 0"),
            Self::Size => write!(f, "more than a billion buses or branches"),
            Self::Voltage { bus } => {
                write!(f, "bus {bus}: the nominal voltage is not a number of kV above 0")
            }
            Self::Bus { branch, bus } => write!(f, "branch {branch}: there is no bus {bus}"),
            Self::Loop { branch } => write!(f, "branch {branch}: both ends are the same bus"),
            Self::Impedance { branch } => {
                write!(f, "branch {branch}: the series impedance is not from 1e-9 to 1e9 per unit")
            }
            Self::Charging { branch } => {
                write!(f, "branch {branch}: the charging is not a number below 1e9 per unit")
            }
            Self::Shift { branch } => {
                write!(f, "branch {branch}: the phase shift is not within 1 000 radians")
            }
        }
    }
}

impl std::error::Error for NetworkError {}

/// Magnitudes of admittances and powers that the arithmetic is sure to survive, per unit.
pub(crate) const LARGE: f64 = 1e9;
/// Angles up to here are reduced without loss, radians.
pub(crate) const TURNS: f64 = 1000.0;

impl Network {
    /// Refuses what cannot be computed with.
    pub(crate) fn check(&self) -> Result<(), NetworkError> {
        const SIZE: usize = 1_000_000_000;
        if !(self.base_mva.is_finite() && self.base_mva > 0.0) {
            return Err(NetworkError::Base);
        }
        if self.buses.len() > SIZE || self.branches.len() > SIZE {
            return Err(NetworkError::Size);
        }
        for (bus, Bus { kv }) in self.buses.iter().enumerate() {
            if !(kv.is_finite() && *kv > 0.0) {
                return Err(NetworkError::Voltage { bus });
            }
        }
        for (index, branch) in self.branches.iter().enumerate() {
            branch.check(index, self.buses.len())?;
        }
        Ok(())
    }
}

impl Branch {
    fn check(&self, branch: usize, buses: usize) -> Result<(), NetworkError> {
        if let Some(bus) = [self.from, self.to].into_iter().find(|bus| *bus >= buses) {
            return Err(NetworkError::Bus { branch, bus });
        }
        if self.from == self.to {
            return Err(NetworkError::Loop { branch });
        }
        // a comparison with a NaN is false
        if !(1.0 / LARGE..=LARGE).contains(&self.z.abs()) {
            return Err(NetworkError::Impedance { branch });
        }
        if !(0.0..=LARGE).contains(&self.charging.abs()) {
            return Err(NetworkError::Charging { branch });
        }
        if !(-TURNS..=TURNS).contains(&self.shift) {
            return Err(NetworkError::Shift { branch });
        }
        Ok(())
    }
}

impl BusState {
    /// Whether these are numbers that a solution can be sought for.
    pub(crate) fn is_usable(&self) -> bool {
        let held = match self.kind {
            BusKind::Load => true,
            BusKind::Generator { p, v } => p.abs() <= LARGE && (1e-3..=1e3).contains(&v),
            BusKind::Source { v, angle } => (1e-3..=1e3).contains(&v) && angle.abs() <= TURNS,
        };
        let Demand { p, q, p_exponent, q_exponent } = self.demand;
        let size = p.abs() + q.abs() + self.shunt.re.abs() + self.shunt.im.abs();
        held && size <= LARGE && p_exponent.abs() + q_exponent.abs() <= 20.0
    }
}

impl BranchState {
    /// Whether the ratio is a number that a solution can be sought for.
    pub(crate) fn is_usable(&self) -> bool {
        (1e-3..=1e3).contains(&self.ratio)
    }
}
