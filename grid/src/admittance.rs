//! Branches as two-ports and the admittance matrix they make. One pattern for life: what is open
//! is zero.

use crate::factors::{Block, Matrix};
use crate::ordering::{Pattern, index};
use crate::{Branch, BranchState, BusState, Complex, Network};
use std::ops::Range;

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
    start: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<Complex>,
    diagonal: Vec<Complex>,
    ports: Vec<TwoPort>,
    places: Vec<Place>,
}

/// Where a branch enters the matrix: positions of its ends and places of its mutual admittances.
#[derive(Debug, Clone, Copy)]
struct Place {
    from: u32,
    to: u32,
    ft: u32,
    tf: u32,
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
        let mut start = vec![0];
        let mut columns = Vec::new();
        for &bus in &pattern.order {
            let row = columns.len();
            let list = &neighbours[bus as usize];
            columns.extend(list.iter().map(|&bus| pattern.position[bus as usize]));
            columns[row..].sort_unstable();
            start.push(index(columns.len()));
        }
        let entry = |row: u32, column: u32| {
            let first = start[row as usize] as usize;
            let row = &columns[first..start[row as usize + 1] as usize];
            index(first + row.partition_point(|at| *at < column))
        };
        let places = network.branches.iter().map(|branch| {
            let (from, to) = (pattern.position[branch.from], pattern.position[branch.to]);
            Place { from, to, ft: entry(from, to), tf: entry(to, from) }
        });
        Self {
            places: places.collect(),
            values: vec![Complex::ZERO; columns.len()],
            diagonal: vec![Complex::ZERO; pattern.order.len()],
            ports: vec![TwoPort::default(); network.branches.len()],
            start,
            columns,
        }
    }

    /// Takes over the state of a branch. [`Self::fill`] must follow.
    pub(crate) fn set(&mut self, at: usize, branch: &Branch, state: &BranchState) {
        self.ports[at] = TwoPort::of(branch, state);
    }

    /// Sums everything up anew: sums that were taken back would leave crumbs where zeros belong.
    pub(crate) fn fill(&mut self, pattern: &Pattern, buses: &[BusState]) {
        self.values.fill(Complex::ZERO);
        for (diagonal, &bus) in self.diagonal.iter_mut().zip(&pattern.order) {
            *diagonal = buses[bus as usize].shunt;
        }
        for (port, place) in self.ports.iter().zip(&self.places) {
            self.diagonal[place.from as usize] += port.ff;
            self.diagonal[place.to as usize] += port.tt;
            self.values[place.ft as usize] += port.ft;
            self.values[place.tf as usize] += port.tf;
        }
    }

    /// Where a row stands in the arrays of mutual terms.
    #[inline]
    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        self.start[row] as usize..self.start[row + 1] as usize
    }

    #[inline]
    pub(crate) fn columns(&self) -> &[u32] {
        &self.columns
    }

    #[inline]
    pub(crate) fn values(&self) -> &[Complex] {
        &self.values
    }

    #[inline]
    pub(crate) fn diagonal(&self) -> &[Complex] {
        &self.diagonal
    }

    /// Two-ports with the positions of their ends, branch by branch.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (&TwoPort, usize, usize)> {
        let ends = self.places.iter().map(|place| (place.from as usize, place.to as usize));
        self.ports.iter().zip(ends).map(|(port, (from, to))| (port, from, to))
    }
}

/// The admittance matrix with some buses tied to earth (sources, seen from a fault) or left out.
pub(crate) struct Earthed<'a> {
    pub(crate) admittance: &'a Admittance,
    pub(crate) is_earthed: &'a [bool],
}

impl Matrix for Earthed<'_> {
    fn diagonal(&self, row: usize) -> Block {
        if self.is_earthed[row] {
            [1.0, 0.0, 0.0, 1.0]
        } else {
            block(self.admittance.diagonal[row])
        }
    }

    fn scatter(&self, row: usize, work: &mut [Block]) {
        if !self.is_earthed[row] {
            let range = self.admittance.range(row);
            let columns = &self.admittance.columns[range.clone()];
            for (&column, &y) in columns.iter().zip(&self.admittance.values[range]) {
                work[column as usize] = block(y);
            }
        }
    }
}

/// A complex number as the matrix that multiplies by it.
#[inline]
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
