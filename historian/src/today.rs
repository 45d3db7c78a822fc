//! The contract of the day: what begins later does not hold yet.

use std::sync::Arc;

use config::{Date, Province};
use signal::clock::Timestamp;

/// The contract as it holds on the day in which somebody watches.
#[derive(Debug)]
pub struct Today {
    whole: Arc<Province>,
    /// The local day.
    day: Date,
    /// Of the day.
    contract: Arc<Province>,
}

impl Today {
    /// As it holds at a moment.
    pub fn at(whole: Arc<Province>, now: Timestamp) -> Self {
        let day = Date::of_day(now.local_day(whole.zone));
        let contract = Arc::new(whole.as_of(day));
        Self { whole, day, contract }
    }

    /// With all that begins later.
    pub fn whole(&self) -> &Arc<Province> {
        &self.whole
    }

    /// Of the day.
    pub fn contract(&self) -> Arc<Province> {
        Arc::clone(&self.contract)
    }

    /// The contract of another day, when one has begun.
    pub fn turn(&mut self, now: Timestamp) -> Option<Arc<Province>> {
        if Date::of_day(now.local_day(self.whole.zone)) == self.day {
            return None;
        }
        *self = Self::at(Arc::clone(&self.whole), now);
        Some(self.contract())
    }
}
