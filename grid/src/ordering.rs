//! In which order to eliminate buses so that little fills in, and what fills in. Structure only,
//! no numbers: done once for a network.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The order of elimination and the pattern of the factors in that order. Every row owns, one
/// after the other, its diagonal block, its blocks right of it (U), and the blocks below it (L) in
/// the same order: the pattern is symmetric.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// Bus at each position of the order.
    pub(crate) order: Vec<u32>,
    /// Position of each bus.
    pub(crate) position: Vec<u32>,
    /// Where each row begins in `columns`.
    start: Vec<u32>,
    /// Columns right of the diagonal, row by row, ascending.
    columns: Vec<u32>,
    /// For every row, for each block of L and each of U the block that their product is taken
    /// from, counted from the end of the row's own blocks.
    pub(crate) targets: Vec<u32>,
    /// Blocks that are no neighbours' but fill in.
    pub(crate) fills: Vec<u32>,
}

impl Pattern {
    /// Columns right of the diagonal; as rows, those below it.
    #[inline]
    pub(crate) fn columns(&self, row: usize) -> &[u32] {
        &self.columns[self.start[row] as usize..self.start[row + 1] as usize]
    }

    /// Where the blocks of a row begin.
    #[inline]
    pub(crate) fn blocks(&self, row: usize) -> usize {
        row + 2 * self.start[row] as usize
    }

    /// Where the block of a row and a column stands.
    pub(crate) fn block(&self, row: usize, column: usize) -> usize {
        let (first, second) = (row.min(column), row.max(column));
        if first == second {
            return self.blocks(row);
        }
        let columns = self.columns(first);
        let at = self.blocks(first) + 1 + columns.partition_point(|at| (*at as usize) < second);
        if row < column { at } else { at + columns.len() }
    }

    fn aim(&mut self) {
        let mut targets = Vec::new();
        for row in 0..self.order.len() {
            let end = self.blocks(row + 1);
            for &below in self.columns(row) {
                for &right in self.columns(row) {
                    targets.push(index(self.block(below as usize, right as usize) - end));
                }
            }
        }
        self.targets = targets;
    }

    /// The blocks that are neither in the diagonal nor of neighbours, given row by row.
    fn find_fills(&mut self, neighbours: &[Vec<u32>]) {
        let mut fills = Vec::new();
        for row in 0..self.order.len() {
            let near = &neighbours[self.order[row] as usize];
            for (at, &column) in self.columns(row).iter().enumerate() {
                if near.binary_search(&self.order[column as usize]).is_err() {
                    let upper = self.blocks(row) + 1 + at;
                    fills.extend([index(upper), index(upper + self.columns(row).len())]);
                }
            }
        }
        self.fills = fills;
    }
}

/// The checks of a network bound every count far below this.
pub(crate) fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Orders a graph given by the sorted neighbours of every bus.
pub(crate) fn order(neighbours: &[Vec<u32>]) -> Pattern {
    let (eliminated, rows) = least_fill(neighbours.to_vec());
    let order = postorder(&eliminated, &rows);
    let mut position = vec![0; order.len()];
    for (at, &bus) in order.iter().enumerate() {
        position[bus as usize] = index(at);
    }
    let mut start = vec![0];
    let mut columns = Vec::new();
    for &bus in &order {
        let first = columns.len();
        columns.extend(rows[bus as usize].iter().map(|&other| position[other as usize]));
        columns[first..].sort_unstable();
        start.push(index(columns.len()));
    }
    let mut pattern =
        Pattern { order, position, start, columns, targets: Vec::new(), fills: Vec::new() };
    pattern.aim();
    pattern.find_fills(neighbours);
    pattern
}

/// Buses in the order of their elimination, and for each bus its neighbours at that moment. The
/// bus whose elimination fills in least goes first (Tinney's third scheme; a sixth less work than
/// minimum degree on the PEGASE cases). What a bus would fill in is counted anew when it loses a
/// neighbour, not when two of its neighbours become neighbours: close enough. The graph is kept
/// explicitly: power grids fill in so little that this is as fast as a quotient graph.
fn least_fill(mut graph: Vec<Vec<u32>>) -> (Vec<u32>, Vec<Vec<u32>>) {
    let count = graph.len();
    let mut queue = Queue::new(count);
    for bus in (0..count).rev() {
        queue.push(bus, &graph);
    }
    let mut eliminated = Vec::with_capacity(count);
    let mut rows = vec![Vec::new(); count];
    let mut merged = Vec::new();
    while let Some(bus) = queue.next() {
        let row = std::mem::take(&mut graph[bus as usize]);
        for &neighbour in &row {
            merge(&graph[neighbour as usize], &row, [bus, neighbour], &mut merged);
            std::mem::swap(&mut graph[neighbour as usize], &mut merged);
        }
        for &neighbour in &row {
            queue.push(neighbour as usize, &graph);
        }
        rows[bus as usize] = row;
        eliminated.push(bus);
    }
    (eliminated, rows)
}

/// The union of two sorted lists less two members.
fn merge(one: &[u32], two: &[u32], without: [u32; 2], into: &mut Vec<u32>) {
    into.clear();
    let (mut i, mut j) = (0, 0);
    while i < one.len() || j < two.len() {
        let a = one.get(i).copied().unwrap_or(u32::MAX);
        let b = two.get(j).copied().unwrap_or(u32::MAX);
        let next = a.min(b);
        i += usize::from(a == next);
        j += usize::from(b == next);
        if !without.contains(&next) {
            into.push(next);
        }
    }
}

/// Buses by what they would fill in, then by their number of neighbours, then lately changed ones
/// last. An entry that is out of date is passed over.
struct Queue {
    heap: BinaryHeap<Reverse<(usize, usize, usize, u32)>>,
    /// The number of the valid entry of each bus.
    current: Vec<usize>,
    pushed: usize,
    marks: Vec<u32>,
}

impl Queue {
    fn new(count: usize) -> Self {
        let marks = vec![u32::MAX; count];
        Self { heap: BinaryHeap::new(), current: vec![0; count], pushed: 0, marks }
    }

    fn push(&mut self, bus: usize, graph: &[Vec<u32>]) {
        self.pushed += 1;
        self.current[bus] = self.pushed;
        let fill = self.fill(bus, graph);
        self.heap.push(Reverse((fill, graph[bus].len(), self.pushed, index(bus))));
    }

    /// Pairs of neighbours that are not neighbours of each other, twice; above 48 neighbours,
    /// where counting is slow and the end near, as if none were.
    fn fill(&mut self, bus: usize, graph: &[Vec<u32>]) -> usize {
        let near = &graph[bus];
        if near.len() < 2 {
            return 0;
        }
        let pairs = near.len() * (near.len() - 1);
        if near.len() > 48 {
            return pairs;
        }
        for &neighbour in near {
            self.marks[neighbour as usize] = index(bus);
        }
        let known = near.iter().flat_map(|other| &graph[*other as usize]);
        pairs - known.filter(|other| self.marks[**other as usize] == index(bus)).count()
    }

    fn next(&mut self) -> Option<u32> {
        while let Some(Reverse((_, _, number, bus))) = self.heap.pop() {
            if self.current[bus as usize] == number {
                self.current[bus as usize] = 0;
                return Some(bus);
            }
        }
        None
    }
}

/// An equivalent order in which every subtree of the elimination tree stands together, so that
/// what a row needs was written lately.
fn postorder(eliminated: &[u32], rows: &[Vec<u32>]) -> Vec<u32> {
    let count = eliminated.len();
    let mut when = vec![0; count];
    for (at, &bus) in eliminated.iter().enumerate() {
        when[bus as usize] = at;
    }
    let mut children = vec![Vec::new(); count];
    let mut stack = Vec::new();
    for &bus in eliminated {
        let parent = rows[bus as usize].iter().min_by_key(|j| when[**j as usize]);
        match parent {
            Some(parent) => children[*parent as usize].push(bus),
            None => stack.push(bus),
        }
    }
    // a parent before its children, reversed at the end
    let mut order = Vec::with_capacity(count);
    while let Some(bus) = stack.pop() {
        order.push(bus);
        stack.append(&mut children[bus as usize]);
    }
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_does_not_fill_in_and_a_ring_does_little() {
        let star = vec![vec![1, 2, 3], vec![0], vec![0], vec![0]];
        assert_eq!(order(&star).columns.len(), 3);
        let ring = (0..10_u32).map(|i| {
            let mut row = vec![(i + 1) % 10, (i + 9) % 10];
            row.sort_unstable();
            row
        });
        let pattern = order(&ring.collect::<Vec<_>>());
        assert_eq!(pattern.columns.len(), 17);
        for (at, &bus) in pattern.order.iter().enumerate() {
            assert_eq!(pattern.position[bus as usize] as usize, at);
        }
    }

    #[test]
    fn nothing_and_lonely_buses_are_fine() {
        assert!(order(&[]).order.is_empty());
        assert_eq!(order(&vec![Vec::new(); 3]).order.len(), 3);
    }
}
