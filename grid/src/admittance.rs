//! Branches as two-ports and the admittance matrix they make. One pattern for life: what is open
//! is zero.

use crate::factors::{Block, Factors};
use crate::network::LARGE;
use crate::ordering::{Pattern, index};
use crate::{Branch, BranchState, BusState, Complex, Network};

/// A branch as seen from its ends: currents in are these admittances times the end voltages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TwoPort {
    pub(crate) ff: Complex,
    pub(crate) ft: Complex,
    pub(crate) tf: Complex,
    pub(crate) tt: Complex,
}

impl TwoPort {
    /// Open at one end, the π-equivalent is reduced to what its live end sees: exactly, its own
    /// half of the charging and the other half behind the series impedance.
    pub(crate) fn of(branch: &Branch, state: &BranchState) -> Self {
        let series = branch.z.recip();
        let half = branch.charging * 0.5;
        let per_square = 1.0 / (state.ratio * state.ratio);
        let seen_alone = || half + series * half / (series + half);
        match state.closed {
            [true, true] => {
                let tap = Complex::polar(state.ratio, branch.shift);
                Self {
                    ff: (series + half) * per_square,
                    ft: -series / tap.conj(),
                    tf: -series / tap,
                    tt: series + half,
                }
            }
            [true, false] => Self { ff: seen_alone() * per_square, ..Self::default() },
            [false, true] => Self { tt: seen_alone(), ..Self::default() },
            [false, false] => Self::default(),
        }
    }
}

/// The admittance matrix by positions of the elimination order.
#[derive(Debug, Clone)]
pub(crate) struct Admittance {
    pub(crate) diagonal: Vec<Complex>,
    pub(crate) mutual: Vec<Mutual>,
    /// Blocks of the factors' layout where each mutual pair belongs.
    pub(crate) blocks: Vec<[u32; 2]>,
    ports: Vec<TwoPort>,
    places: Vec<Place>,
}

/// Mutual admittances of two neighbours, all parallel branches together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mutual {
    /// Positions of both, ascending.
    pub(crate) ends: [u32; 2],
    /// Row of the first and column of the second; and the other way round.
    pub(crate) y: [Complex; 2],
}

/// Where a branch enters the matrix: positions of its ends, its mutual pair, and which of its ends
/// is the first there.
#[derive(Debug, Clone, Copy)]
struct Place {
    from: u32,
    to: u32,
    mutual: u32,
    is_reversed: bool,
}

/// Sorted neighbours of every bus.
pub(crate) fn neighbours(network: &Network) -> Vec<Vec<u32>> {
    let mut lists = vec![Vec::new(); network.buses.len()];
    for branch in &network.branches {
        lists[branch.from].push(index(branch.to));
        lists[branch.to].push(index(branch.from));
    }
    for list in &mut lists {
        list.sort_unstable();
        list.dedup();
    }
    lists
}

impl Admittance {
    pub(crate) fn new(network: &Network, neighbours: &[Vec<u32>], pattern: &Pattern) -> Self {
        let mut pairs = Vec::new();
        for (row, &bus) in pattern.order.iter().enumerate() {
            let first = pairs.len();
            let others =
                neighbours[bus as usize].iter().map(|&other| pattern.position[other as usize]);
            pairs.extend(others.filter(|at| *at as usize > row).map(|at| [index(row), at]));
            pairs[first..].sort_unstable();
        }
        let block = |[row, column]: [u32; 2]| pattern.block(row as usize, column as usize);
        let places = network.branches.iter().map(|branch| {
            let (from, to) = (pattern.position[branch.from], pattern.position[branch.to]);
            let ends = [from.min(to), from.max(to)];
            let mutual = index(pairs.partition_point(|pair| *pair < ends));
            Place { from, to, mutual, is_reversed: to < from }
        });
        Self {
            places: places.collect(),
            blocks: pairs
                .iter()
                .map(|&[a, b]| [index(block([a, b])), index(block([b, a]))])
                .collect(),
            mutual: pairs.iter().map(|&ends| Mutual { ends, y: [Complex::ZERO; 2] }).collect(),
            diagonal: vec![Complex::ZERO; pattern.order.len()],
            ports: vec![TwoPort::default(); network.branches.len()],
        }
    }

    /// Takes over the state of a branch. [`Self::fill`] must follow. What cannot be computed with
    /// is as good as open: its island is given up anyway.
    pub(crate) fn set(&mut self, at: usize, branch: &Branch, state: &BranchState) {
        self.ports[at] =
            if state.is_usable() { TwoPort::of(branch, state) } else { TwoPort::default() };
    }

    /// Sums everything up anew: sums that were taken back would leave crumbs where zeros belong.
    pub(crate) fn fill(&mut self, pattern: &Pattern, buses: &[BusState]) {
        for (diagonal, &bus) in self.diagonal.iter_mut().zip(&pattern.order) {
            let shunt = buses[bus as usize].shunt;
            *diagonal = if shunt.abs_squared() <= LARGE * LARGE { shunt } else { Complex::ZERO };
        }
        for mutual in &mut self.mutual {
            mutual.y = [Complex::ZERO; 2];
        }
        for (port, place) in self.ports.iter().zip(&self.places) {
            self.diagonal[place.from as usize] += port.ff;
            self.diagonal[place.to as usize] += port.tt;
            let [first, second] = &mut self.mutual[place.mutual as usize].y;
            *first += if place.is_reversed { port.tf } else { port.ft };
            *second += if place.is_reversed { port.ft } else { port.tf };
        }
    }

    /// Two-ports with the positions of their ends, branch by branch.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (&TwoPort, usize, usize)> {
        let ends = self.places.iter().map(|place| (place.from as usize, place.to as usize));
        self.ports.iter().zip(ends).map(|(port, (from, to))| (port, from, to))
    }

    /// Writes the matrix with some buses tied to earth: sources, seen from a fault, and the dead.
    pub(crate) fn assemble(&self, is_earthed: &[bool], pattern: &Pattern, into: &mut Factors) {
        into.clear_fills(pattern);
        for (row, &y) in self.diagonal.iter().enumerate() {
            let own = if is_earthed[row] { Complex::ONE } else { y };
            into.blocks[pattern.blocks(row)] = block(own);
        }
        for (mutual, places) in self.mutual.iter().zip(&self.blocks) {
            for side in 0..2 {
                let is_left_out = is_earthed[mutual.ends[side] as usize];
                let y = if is_left_out { Complex::ZERO } else { mutual.y[side] };
                into.blocks[places[side] as usize] = block(y);
            }
        }
    }
}

/// A complex number as the matrix that multiplies by it.
fn block(y: Complex) -> Block {
    [y.re, -y.im, y.im, y.re]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_at_one_end_a_branch_is_what_elimination_of_that_end_leaves() {
        let branch = Branch {
            from: 0,
            to: 1,
            z: Complex::new(0.02, 0.1),
            charging: Complex::new(0.001, 0.04),
            shift: 0.3,
        };
        let ratio = 1.05;
        let full = TwoPort::of(&branch, &BranchState { closed: [true, true], ratio });
        let from = TwoPort::of(&branch, &BranchState { closed: [true, false], ratio });
        let to = TwoPort::of(&branch, &BranchState { closed: [false, true], ratio });
        assert!((from.ff - (full.ff - full.ft * full.tf / full.tt)).abs() < 1e-13);
        assert!((to.tt - (full.tt - full.tf * full.ft / full.ff)).abs() < 1e-13);
        assert_eq!((from.tt, from.ft, to.ff, to.tf), Default::default());
    }
}
