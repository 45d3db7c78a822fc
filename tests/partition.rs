//! Windows of a history and what they are cut into: for tests that sum the parts.

use std::fmt::Debug;

use proptest::prelude::*;

/// At most so many steps of a history; windows, each with where it begins and how long it is; and where they are
/// cut, anywhere in the range of numbers.
pub(crate) fn stories<S: Debug>(
    step: impl Strategy<Value = S>,
    steps: usize,
) -> impl Strategy<Value = (Vec<S>, Vec<(i64, i64)>, Vec<i64>)> {
    let window = (
        any::<i64>(),
        prop_oneof![1_i64..400_000, 400_000_i64..30_000_000, 30_000_000_i64..600_000_000],
    );
    (
        prop::collection::vec(step, 1..steps),
        prop::collection::vec(window, 3),
        prop::collection::vec(any::<i64>(), 1..5),
    )
}

/// The edges of the parts of a window, its own among them, each once and in order.
pub(crate) fn edges((from, to): (i64, i64), cuts: &[i64]) -> Vec<i64> {
    let mut edges: Vec<i64> = cuts.iter().map(|cut| from + cut.rem_euclid(to - from)).collect();
    edges.extend([from, to]);
    edges.sort_unstable();
    edges.dedup();
    edges
}
