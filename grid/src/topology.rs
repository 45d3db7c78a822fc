//! Node-breaker to bus-branch: which connectivity nodes are one electrical node. No electricity.

/// Connectivity nodes of substations and the switches between them (breakers, disconnectors).
#[derive(Debug, Clone)]
pub struct Topology {
    nodes: usize,
    switches: Vec<(usize, usize)>,
}

/// The electrical nodes that closed switches make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buses {
    /// For every node the number of its group. Groups are numbered without gaps in the order of
    /// their first node, so the numbering is a function of the connections alone.
    pub of_node: Vec<usize>,
    /// How many groups there are.
    pub count: usize,
}

impl Topology {
    /// `nodes` connectivity nodes, and the two nodes of every switch. A switch that names a node
    /// that is not there connects nothing.
    pub fn new(nodes: usize, switches: Vec<(usize, usize)>) -> Self {
        Self { nodes, switches }
    }

    /// Merges nodes over closed switches; `closed` is in the order of the switches, and a switch
    /// without an entry is open.
    pub fn process(&self, closed: &[bool]) -> Buses {
        let mut groups = Groups::new(self.nodes);
        for (&(a, b), _) in self.switches.iter().zip(closed).filter(|(_, closed)| **closed) {
            if a < self.nodes && b < self.nodes {
                groups.join(a, b);
            }
        }
        // a root is the lowest node of its group, so it is numbered before its members
        let mut of_node: Vec<usize> = Vec::with_capacity(self.nodes);
        let mut count = 0;
        for node in 0..self.nodes {
            let root = groups.root(node);
            if root == node {
                of_node.push(count);
                count += 1;
            } else {
                of_node.push(of_node[root]);
            }
        }
        Buses { of_node, count }
    }
}

/// Disjoint sets with path halving; the lower number becomes the root.
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.0[node] != node {
            self.0[node] = self.0[self.0[node]];
            node = self.0[node];
        }
        node
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_bus_splits_when_its_coupler_opens() {
        // 0 and 1 are busbars, 2 a bay that can hang on either, 3 a line behind its breaker
        let topology = Topology::new(4, vec![(0, 1), (0, 2), (1, 2), (2, 3)]);
        let all = topology.process(&[true, true, false, true]);
        assert_eq!(all, Buses { of_node: vec![0, 0, 0, 0], count: 1 });
        let split = topology.process(&[false, false, true, true]);
        assert_eq!(split, Buses { of_node: vec![0, 1, 1, 1], count: 2 });
        assert_eq!(topology.process(&[]), Buses { of_node: vec![0, 1, 2, 3], count: 4 });
    }

    #[test]
    fn switches_to_nowhere_connect_nothing() {
        let topology = Topology::new(2, vec![(0, 7), (9, 1)]);
        assert_eq!(topology.process(&[true, true]).count, 2);
        assert_eq!(Topology::new(0, vec![(0, 0)]).process(&[true]).count, 0);
    }
}
