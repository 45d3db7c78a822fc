//! What the interruptions of a window come to: whole numbers, so that windows add up.

use std::ops::AddAssign;

use super::feeder::{Feeder, InterruptionKind};
use crate::history::Span;

/// Interruptions of one kind in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Interruptions that began in it.
    pub interruptions: u64,
    /// Customers of each, added up.
    pub customers: u64,
    /// Milliseconds without supply within it, of all customers together, wherever they began.
    pub customer_ms: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.interruptions += other.interruptions;
        self.customers += other.customers;
        self.customer_ms += other.customer_ms;
    }
}

/// What the interruptions of some feeders come to in a window. All of it is added: a window has what its
/// parts have together, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Longer than five minutes.
    pub sustained: Count,
    /// Over sooner.
    pub momentary: Count,
    /// Not known to be either.
    pub undecided: Count,
    /// Milliseconds of all customers together, of the time in which a contract knew them.
    pub customer_ms: u64,
    /// Of these, those in which it is known whether there was supply.
    pub known_ms: u64,
    /// Of these, those in which no interruption between two polls can have gone unseen.
    pub recorded_ms: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sustained += other.sustained;
        self.momentary += other.momentary;
        self.undecided += other.undecided;
        self.customer_ms += other.customer_ms;
        self.known_ms += other.known_ms;
        self.recorded_ms += other.recorded_ms;
    }
}

fn length(span: Span) -> u64 {
    span.length().unsigned_abs()
}

/// Customers times milliseconds of some stretches within a window.
fn customer_ms(feeder: &Feeder, stretches: &[Span], window: Span) -> u64 {
    let of_contract = |(era, customers): &(Span, u64)| {
        let own = stretches.iter().map(|span| length(span.and(window).and(*era)));
        customers * own.sum::<u64>()
    };
    feeder.customers.iter().map(of_contract).sum()
}

impl Tally {
    /// What one feeder adds to a window.
    pub fn of(feeder: &Feeder, window: Span) -> Self {
        let customer_ms_of = |stretches: &[Span]| customer_ms(feeder, stretches, window);
        let all = customer_ms_of(&[window]);
        let mut tally = Self {
            customer_ms: all,
            known_ms: all - customer_ms_of(&feeder.unknown),
            recorded_ms: all - customer_ms_of(&feeder.unrecorded),
            ..Self::default()
        };
        for own in feeder.interruptions.iter().filter(|own| own.is_in(window)) {
            let count = match own.kind {
                InterruptionKind::Sustained => &mut tally.sustained,
                InterruptionKind::Momentary => &mut tally.momentary,
                InterruptionKind::Undecided => &mut tally.undecided,
            };
            if own.counts && own.begins_in(window) {
                count.interruptions += 1;
                count.customers += own.customers;
            }
            count.customer_ms += customer_ms_of(&own.dead);
        }
        tally
    }
}
