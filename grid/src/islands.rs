//! Which buses hang together and on which sources, and the angles to begin with. No solving.

use crate::ordering::index;
use crate::{BusKind, Network, State};

/// Buses that hang together over closed branches and have at least one source among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Island {
    /// Its buses, ascending.
    pub buses: Vec<usize>,
    /// The sources among them, ascending.
    pub sources: Vec<usize>,
}

/// The islands of a state, and a tree over each of them that grows from its sources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Islands {
    pub(crate) list: Vec<Island>,
    /// Island of each bus; `None` is dead.
    pub(crate) of_bus: Vec<Option<u32>>,
    /// Live buses, parents before children.
    pub(crate) tree: Vec<Twig>,
}

/// A bus, the bus that it was reached from (itself for a source), and by what its angle leads
/// that bus's with no load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twig {
    pub(crate) bus: u32,
    pub(crate) parent: u32,
    pub(crate) lead: f64,
}

/// Branches at each bus.
#[derive(Debug, Clone)]
pub(crate) struct Incidence {
    start: Vec<u32>,
    branches: Vec<u32>,
}

impl Incidence {
    pub(crate) fn new(network: &Network) -> Self {
        let mut lists = vec![Vec::new(); network.buses.len()];
        for (at, branch) in network.branches.iter().enumerate() {
            lists[branch.from].push(index(at));
            lists[branch.to].push(index(at));
        }
        let mut incidence = Self { start: vec![0], branches: Vec::new() };
        for list in lists {
            incidence.branches.extend(list);
            incidence.start.push(index(incidence.branches.len()));
        }
        incidence
    }

    fn at(&self, bus: usize) -> &[u32] {
        &self.branches[self.start[bus] as usize..self.start[bus + 1] as usize]
    }
}

impl Islands {
    /// Grows from the sources in ascending order, so islands are numbered by their first source.
    pub(crate) fn find(network: &Network, incidence: &Incidence, state: &State) -> Self {
        let mut found = Self { of_bus: vec![None; state.buses.len()], ..Self::default() };
        for bus in 0..state.buses.len() {
            if is_source(state, bus) && found.of_bus[bus].is_none() {
                let island = index(found.list.len());
                found.list.push(Island { buses: Vec::new(), sources: Vec::new() });
                found.grow(network, incidence, state, (bus, island));
            }
        }
        for (bus, island) in found.of_bus.iter().enumerate() {
            if let Some(island) = island {
                let island = &mut found.list[*island as usize];
                island.buses.push(bus);
                if is_source(state, bus) {
                    island.sources.push(bus);
                }
            }
        }
        found
    }

    fn grow(
        &mut self,
        network: &Network,
        incidence: &Incidence,
        state: &State,
        (root, island): (usize, u32),
    ) {
        let mut next = self.tree.len();
        self.of_bus[root] = Some(island);
        self.tree.push(Twig { bus: index(root), parent: index(root), lead: 0.0 });
        while let Some(&Twig { bus, .. }) = self.tree.get(next) {
            next += 1;
            for &at in incidence.at(bus as usize) {
                if state.branches[at as usize].closed != [true; 2] {
                    continue;
                }
                let branch = &network.branches[at as usize];
                let (other, lead) = if branch.from == bus as usize {
                    (branch.to, -branch.shift)
                } else {
                    (branch.from, branch.shift)
                };
                if self.of_bus[other].is_none() {
                    self.of_bus[other] = Some(island);
                    let root = is_source(state, other);
                    let parent = if root { index(other) } else { bus };
                    self.tree.push(Twig { bus: index(other), parent, lead });
                }
            }
        }
    }

    /// For each island a bus where the state has a number that nobody can compute with, if any.
    pub(crate) fn unusable(&self, network: &Network, state: &State) -> Vec<Option<usize>> {
        let mut unusable = vec![None; self.list.len()];
        let mut mark = |bus: usize| {
            if let Some(island) = self.of_bus[bus] {
                unusable[island as usize].get_or_insert(bus);
            }
        };
        for (bus, bus_state) in state.buses.iter().enumerate() {
            if !bus_state.is_usable() {
                mark(bus);
            }
        }
        for (branch, branch_state) in network.branches.iter().zip(&state.branches) {
            if !branch_state.is_usable() {
                let ends = [branch.from, branch.to].into_iter().zip(branch_state.closed);
                ends.filter(|(_, closed)| *closed).for_each(|(bus, _)| mark(bus));
            }
        }
        unusable
    }
}

fn is_source(state: &State, bus: usize) -> bool {
    matches!(state.buses[bus].kind, BusKind::Source { .. })
}
