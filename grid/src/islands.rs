//! Which buses hang together and on which sources, and the angles to begin with. No solving.

use crate::ordering::index;
use crate::{BusKind, Network, NetworkState};

/// Buses that hang together over closed branches and have at least one source among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Island {
    /// Its buses, ascending.
    pub buses: Vec<usize>,
    /// The sources among them, ascending.
    pub sources: Vec<usize>,
}

/// The islands of a state, and a forest over their buses that grows from the sources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Islands {
    pub(crate) list: Vec<Island>,
    /// Island of each bus; `None` is dead.
    pub(crate) of_bus: Vec<Option<u32>>,
    /// Live buses, parents before children.
    pub(crate) forest: Vec<Twig>,
}

/// How a bus begins a flat start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twig {
    pub(crate) bus: u32,
    /// The bus that it was reached from, itself for a source, and by what its angle leads that
    /// bus's with no load.
    pub(crate) parent: u32,
    pub(crate) lead: f64,
    /// The source or generator next door, over couplers, whose voltage it has; itself if none.
    pub(crate) level: u32,
}

/// A branch with less impedance (per unit) is a coupler: what it joins must begin with the same
/// voltage, or the first mismatch is hundreds of times the power of the whole island.
const COUPLER: f64 = 2e-3;

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
    /// Islands are numbered by their first source.
    pub(crate) fn find(network: &Network, incidence: &Incidence, state: &NetworkState) -> Self {
        let mut found = Self { of_bus: vec![None; state.buses.len()], ..Self::default() };
        let around = Around { network, incidence, state };
        let mut walk = Vec::new();
        for bus in (0..state.buses.len()).filter(|bus| around.is_source(*bus)) {
            if found.of_bus[bus].is_some() {
                continue;
            }
            let island = index(found.list.len());
            found.list.push(Island { buses: Vec::new(), sources: Vec::new() });
            found.of_bus[bus] = Some(island);
            walk.push(bus);
            while let Some(bus) = walk.pop() {
                for (other, _) in around.of(bus) {
                    if found.of_bus[other].is_none() {
                        found.of_bus[other] = Some(island);
                        walk.push(other);
                    }
                }
            }
        }
        for (bus, island) in found.of_bus.iter().enumerate() {
            if let Some(island) = island {
                let island = &mut found.list[*island as usize];
                island.buses.push(bus);
                if around.is_source(bus) {
                    island.sources.push(bus);
                }
            }
        }
        found.plant(&around);
        found
    }

    /// Grows from all sources at once, and over all couplers before anything else.
    fn plant(&mut self, around: &Around<'_>) {
        let mut is_reached = vec![false; self.of_bus.len()];
        let sources = self.list.iter().flat_map(|island| &island.sources);
        for &source in &sources.copied().collect::<Vec<_>>() {
            if !is_reached[source] {
                self.enter(around, &mut is_reached, (source, source, 0.0));
            }
        }
        let mut next = 0;
        while let Some(&Twig { bus, .. }) = self.forest.get(next) {
            next += 1;
            for (other, branch) in around.of(bus as usize) {
                if !is_reached[other] {
                    let shift = around.network.branches[branch].shift;
                    let is_forward = around.network.branches[branch].from == bus as usize;
                    let lead = if is_forward { -shift } else { shift };
                    self.enter(around, &mut is_reached, (other, bus as usize, lead));
                }
            }
        }
    }

    /// Reaches a bus, and from it all that couplers join with it.
    fn enter(
        &mut self,
        around: &Around<'_>,
        is_reached: &mut [bool],
        (bus, parent, lead): (usize, usize, f64),
    ) {
        let first = self.forest.len();
        is_reached[bus] = true;
        self.forest.push(Twig { bus: index(bus), parent: index(parent), lead, level: index(bus) });
        let mut next = first;
        while let Some(&Twig { bus, .. }) = self.forest.get(next) {
            next += 1;
            for (other, branch) in around.of(bus as usize) {
                if !is_reached[other] && around.network.branches[branch].z.abs() < COUPLER {
                    is_reached[other] = true;
                    let parent = if around.is_source(other) { index(other) } else { bus };
                    let level = index(other);
                    self.forest.push(Twig { bus: level, parent, lead: 0.0, level });
                }
            }
        }
        let joined = &mut self.forest[first..];
        let holds =
            |twig: &&Twig| !matches!(around.state.buses[twig.bus as usize].kind, BusKind::Load);
        if let Some(level) = joined.iter().find(holds).map(|twig| twig.bus) {
            for twig in joined {
                twig.level = level;
            }
        }
    }

    /// For each island a bus where the state has a number that nobody can compute with, if any.
    pub(crate) fn unusable(&self, network: &Network, state: &NetworkState) -> Vec<Option<usize>> {
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

/// What is connected with what.
struct Around<'a> {
    network: &'a Network,
    incidence: &'a Incidence,
    state: &'a NetworkState,
}

impl Around<'_> {
    /// Buses at the other ends of the closed branches of a bus, and these branches.
    fn of(&self, bus: usize) -> impl Iterator<Item = (usize, usize)> {
        let at = self.incidence.at(bus).iter().map(|at| *at as usize);
        at.filter(|at| self.state.branches[*at].closed == [true; 2]).map(move |at| {
            let branch = &self.network.branches[at];
            (if branch.from == bus { branch.to } else { branch.from }, at)
        })
    }

    fn is_source(&self, bus: usize) -> bool {
        matches!(self.state.buses[bus].kind, BusKind::Source { .. })
    }
}
