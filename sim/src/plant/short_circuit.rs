//! A short circuit, and what is remembered of a bay that had one.

/// A short circuit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShortCircuit {
    /// It is still there when the breaker closes again.
    pub lasting: bool,
    /// Phase that is hit: 0 A, 1 B, 2 C.
    pub phase: u8,
    /// To earth, otherwise between phases.
    pub earth: bool,
    /// Where on a line, as a share of its length from the bay that is struck, 0 to 1.
    pub share: f64,
}

/// What protection and people have done to a bay lately.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Number of the present sequence: what an earlier one has put down does nothing any more.
    pub(crate) run: u32,
    /// Reclosings tried in it.
    pub(crate) shot: u8,
    /// The drive of the breaker is under way until then.
    pub(crate) driven_until_ms: i64,
    /// The spring is charged from then on.
    pub(crate) charged_ms: i64,
    /// A trip before then finds no reclosing any more.
    pub(crate) reclaim_until_ms: i64,
    /// Protection took the bay out, and nobody has switched it since.
    pub(crate) out: bool,
}

impl Guard {
    pub(crate) const QUIET: Self = Self {
        run: 0,
        shot: 0,
        driven_until_ms: i64::MIN,
        charged_ms: i64::MIN,
        reclaim_until_ms: i64::MIN,
        out: false,
    };
}
