//! What is to happen to the field: faults and deeds, by hand or by script, as people write them.
//! Reading them is here; doing them is the business of the field.

mod deeds;
mod scenario;

pub(crate) use deeds::phase;
pub use deeds::{Deed, DeedError, PlannedDeed};
pub use scenario::Scenario;
