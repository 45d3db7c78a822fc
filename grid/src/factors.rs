//! Sparse LU of 2×2 blocks on a fixed pattern, without pivoting between blocks: the diagonal of a
//! grid's matrices is strong enough (physics), and the pattern then never changes.

use crate::ordering::Pattern;

/// A 2×2 block, row by row.
pub(crate) type Block = [f64; 4];
/// The two unknowns, or the two right-hand sides, of one bus.
pub(crate) type Pair = [f64; 2];

const NONE: Block = [0.0; 4];

/// A matrix, and then its factors in the same place (see [`Pattern`] for the layout). The blocks
/// of the diagonal end as their inverses, those of L transposed.
#[derive(Debug, Clone)]
pub(crate) struct Factors {
    pub(crate) blocks: Vec<Block>,
}

impl Factors {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        Self { blocks: vec![NONE; pattern.blocks(pattern.order.len())] }
    }

    /// Empties what fills in; the rest is about to be written.
    pub(crate) fn clear_fills(&mut self, pattern: &Pattern) {
        for &fill in &pattern.fills {
            self.blocks[fill as usize] = NONE;
        }
    }

    /// Factors the matrix in place and, on the way, does the forward half of the solution for
    /// `rhs`. A singular block makes numbers that are not finite; they stay among the rows that
    /// it is really connected with, since what is zero is never multiplied.
    pub(crate) fn factor(&mut self, pattern: &Pattern, rhs: &mut [Pair]) {
        let mut targets = &pattern.targets[..];
        let mut rest = &mut self.blocks[..];
        for row in 0..pattern.order.len() {
            let columns = pattern.columns(row);
            let (own, after) = rest.split_at_mut(1 + 2 * columns.len());
            rest = after;
            let (pivot, own) = own.split_at_mut(1);
            let (upper, lower) = own.split_at_mut(columns.len());
            let inverse = inverse(&pivot[0]);
            pivot[0] = inverse;
            let right = rhs[row];
            for (&below, block) in columns.iter().zip(lower) {
                let (aimed, others) = targets.split_at(columns.len());
                targets = others;
                if *block == NONE {
                    continue;
                }
                let multiplier = product(block, &inverse);
                // by columns: so the forward half needs no sums across a pair
                *block = [multiplier[0], multiplier[2], multiplier[1], multiplier[3]];
                subtract(&mut rhs[below as usize], &multiplier, &right);
                for (&target, upper) in aimed.iter().zip(&*upper) {
                    subtract_product(&mut rest[target as usize], &multiplier, upper);
                }
            }
        }
    }

    /// The forward half with held factors.
    pub(crate) fn forward(&self, pattern: &Pattern, rhs: &mut [Pair]) {
        let mut rest = &self.blocks[..];
        for row in 0..pattern.order.len() {
            let columns = pattern.columns(row);
            let (own, after) = rest.split_at(1 + 2 * columns.len());
            rest = after;
            let right = rhs[row];
            for (&below, block) in columns.iter().zip(&own[1 + columns.len()..]) {
                let rhs = &mut rhs[below as usize];
                let [a, b, c, d] = *block;
                *rhs = combine(*rhs, (right[0], [a, b]), (right[1], [c, d]));
            }
        }
    }

    /// The backward half; `rhs` becomes the solution.
    pub(crate) fn backward(&self, pattern: &Pattern, rhs: &mut [Pair]) {
        let mut rest = &self.blocks[..];
        for row in (0..pattern.order.len()).rev() {
            let columns = pattern.columns(row);
            let (before, own) = rest.split_at(rest.len() - 1 - 2 * columns.len());
            rest = before;
            let mut right = rhs[row];
            for (&column, block) in columns.iter().zip(&own[1..]) {
                subtract(&mut right, block, &rhs[column as usize]);
            }
            let pivot = &own[0];
            rhs[row] = [
                pivot[0] * right[0] + pivot[1] * right[1],
                pivot[2] * right[0] + pivot[3] * right[1],
            ];
        }
    }
}

#[inline]
fn product(a: &Block, b: &Block) -> Block {
    [
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    ]
}

/// Rows of two are what the processor multiplies at once.
#[inline]
fn subtract_product(from: &mut Block, a: &Block, b: &Block) {
    let upper = [b[0], b[1]];
    let lower = [b[2], b[3]];
    let first = combine([from[0], from[1]], (a[0], upper), (a[1], lower));
    let second = combine([from[2], from[3]], (a[2], upper), (a[3], lower));
    *from = [first[0], first[1], second[0], second[1]];
}

#[inline]
fn combine(from: Pair, (a, upper): (f64, Pair), (b, lower): (f64, Pair)) -> Pair {
    [from[0] - a * upper[0] - b * lower[0], from[1] - a * upper[1] - b * lower[1]]
}

#[inline]
fn subtract(from: &mut Pair, a: &Block, x: &Pair) {
    from[0] -= a[0] * x[0] + a[1] * x[1];
    from[1] -= a[2] * x[0] + a[3] * x[1];
}

#[inline]
fn inverse(a: &Block) -> Block {
    let scale = 1.0 / (a[0] * a[3] - a[1] * a[2]);
    [a[3] * scale, -a[1] * scale, -a[2] * scale, a[0] * scale]
}
