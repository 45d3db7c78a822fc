//! What is going to happen in the plant, to the millisecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Acts in the order of their time; those of the same millisecond in the order in which they were
/// put down.
#[derive(Debug)]
pub(crate) struct Agenda<Act> {
    due: BinaryHeap<Reverse<Due<Act>>>,
    count: u64,
}

#[derive(Debug)]
struct Due<Act> {
    key: (i64, u64),
    act: Act,
}

impl<Act> PartialEq for Due<Act> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<Act> Eq for Due<Act> {}

impl<Act> PartialOrd for Due<Act> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<Act> Ord for Due<Act> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<Act> Agenda<Act> {
    pub(crate) fn new() -> Self {
        Self { due: BinaryHeap::new(), count: 0 }
    }

    /// Puts an act down for a moment.
    pub(crate) fn put(&mut self, at_ms: i64, act: Act) {
        self.count += 1;
        self.due.push(Reverse(Due { key: (at_ms, self.count), act }));
    }

    /// When the next act is due.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        self.due.peek().map(|Reverse(due)| due.key.0)
    }

    /// Takes the next act that is due by `until_ms`, with its moment.
    pub(crate) fn take(&mut self, until_ms: i64) -> Option<(i64, Act)> {
        if self.due.peek()?.0.key.0 > until_ms {
            return None;
        }
        self.due.pop().map(|Reverse(due)| (due.key.0, due.act))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_come_in_the_order_of_time_and_of_putting() {
        let mut agenda = Agenda::new();
        for (at, name) in [(30, "c"), (10, "a"), (30, "d"), (20, "b"), (99, "later")] {
            agenda.put(at, name);
        }
        let taken: String = std::iter::from_fn(|| agenda.take(50)).map(|(_, act)| act).collect();
        assert_eq!(taken, "abcd");
        assert_eq!(agenda.take(99), Some((99, "later")));
    }
}
