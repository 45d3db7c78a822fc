//! What can happen in a station: the things that stand on the agenda.

use crate::plant::short_circuit::ShortCircuit;

/// Something that happens in a station.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Act {
    pub(crate) station: usize,
    pub(crate) what: What,
}

/// What happens. Points and bays are places in the station.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    /// A status takes a code.
    Set { point: usize, code: u8 },
    /// A value that events set.
    Hold { point: usize, value: f64 },
    /// An operation is counted.
    Count { point: usize },
    /// The breaker of a bay gets an opening impulse.
    Open { bay: usize },
    /// The breaker of a bay has arrived.
    Arrive { bay: usize, code: u8 },
    /// Somebody moves a switch, or turns a key, by hand.
    ByHand { point: usize, code: u8 },
    /// Something strikes a bay.
    Strike { bay: usize, fault: ShortCircuit },
    /// A status takes a code, unless its sequence is over.
    SetIn { bay: usize, run: u32, point: usize, code: u8 },
    /// Auto-reclose closes the breaker of a bay, unless its sequence is over.
    Reclose { bay: usize, run: u32 },
    /// The fault is gone.
    Repair { bay: usize },
    /// The bay goes into service again, unless its sequence is over.
    Return { bay: usize, run: u32 },
    /// What stands at the far end of a line, behind a source, opens or closes.
    Source { line: usize, closed: bool },
    /// The frequency of the grid is so much lower until a moment.
    Dip { hertz: f64, until_ms: i64 },
    /// A tap changer arrives.
    Tap { transformer: usize, position: u8 },
}
