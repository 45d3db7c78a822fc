//! Sparse LU of 2×2 blocks on a fixed pattern, without pivoting between blocks: the diagonal of a
//! grid's matrices is strong enough (physics), and the pattern then never changes.

use crate::ordering::Pattern;

/// A 2×2 block, row by row.
pub(crate) type Block = [f64; 4];
/// The two unknowns, or the two right-hand sides, of one bus.
pub(crate) type Pair = [f64; 2];

const NONE: Block = [0.0; 4];

/// A matrix on the pattern of the admittances, by positions of the elimination order.
pub(crate) trait Matrix {
    /// The diagonal block of a row.
    fn diagonal(&self, row: usize) -> Block;
    /// Writes the other blocks of a row to their columns in `work`.
    fn scatter(&self, row: usize, work: &mut [Block]);
}

/// The factors' numbers.
#[derive(Debug, Clone)]
pub(crate) struct Factors {
    lower: Vec<Block>,
    upper: Vec<Block>,
    /// Inverses of the diagonal blocks of U.
    pivots: Vec<Block>,
    /// One row, spread over all columns; all zero between calls.
    work: Vec<Block>,
}

impl Factors {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        Self {
            lower: vec![NONE; pattern.lower.columns.len()],
            upper: vec![NONE; pattern.upper.columns.len()],
            pivots: vec![NONE; pattern.order.len()],
            work: vec![NONE; pattern.order.len()],
        }
    }

    /// Factors the matrix and, on the way, does the forward half of the solution for `rhs`. A
    /// singular block makes numbers that are not finite; they stay among the buses that it is
    /// really connected with, since what is zero is never multiplied.
    pub(crate) fn factor(&mut self, pattern: &Pattern, matrix: &impl Matrix, rhs: &mut [Pair]) {
        let Self { lower, upper, pivots, work } = self;
        for row in 0..pivots.len() {
            matrix.scatter(row, work);
            let mut diagonal = matrix.diagonal(row);
            let mut right = rhs[row];
            let left = pattern.lower.range(row);
            let columns = &pattern.lower.columns[left.clone()];
            work[row] = diagonal;
            for (&column, entry) in columns.iter().zip(&mut lower[left]) {
                let column = column as usize;
                let block = std::mem::replace(&mut work[column], NONE);
                if block == NONE {
                    *entry = NONE;
                    continue;
                }
                let multiplier = product(&block, &pivots[column]);
                *entry = multiplier;
                subtract(&mut right, &multiplier, &rhs[column]);
                let range = pattern.upper.range(column);
                for (&j, u) in pattern.upper.columns[range.clone()].iter().zip(&upper[range]) {
                    subtract_product(&mut work[j as usize], &multiplier, u);
                }
            }
            rhs[row] = right;
            diagonal = std::mem::replace(&mut work[row], NONE);
            pivots[row] = inverse(&diagonal);
            let range = pattern.upper.range(row);
            let columns = &pattern.upper.columns[range.clone()];
            for (&column, entry) in columns.iter().zip(&mut upper[range]) {
                *entry = std::mem::replace(&mut work[column as usize], NONE);
            }
        }
    }

    /// The forward half with held factors.
    pub(crate) fn forward(&self, pattern: &Pattern, rhs: &mut [Pair]) {
        for row in 0..self.pivots.len() {
            let range = pattern.lower.range(row);
            let columns = &pattern.lower.columns[range.clone()];
            let mut right = rhs[row];
            for (&column, block) in columns.iter().zip(&self.lower[range]) {
                subtract(&mut right, block, &rhs[column as usize]);
            }
            rhs[row] = right;
        }
    }

    /// The backward half; `rhs` becomes the solution.
    pub(crate) fn backward(&self, pattern: &Pattern, rhs: &mut [Pair]) {
        for row in (0..self.pivots.len()).rev() {
            let range = pattern.upper.range(row);
            let columns = &pattern.upper.columns[range.clone()];
            let mut right = rhs[row];
            for (&column, block) in columns.iter().zip(&self.upper[range]) {
                subtract(&mut right, block, &rhs[column as usize]);
            }
            let pivot = &self.pivots[row];
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

#[inline]
fn subtract_product(from: &mut Block, a: &Block, b: &Block) {
    from[0] -= a[0] * b[0] + a[1] * b[2];
    from[1] -= a[0] * b[1] + a[1] * b[3];
    from[2] -= a[2] * b[0] + a[3] * b[2];
    from[3] -= a[2] * b[1] + a[3] * b[3];
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
