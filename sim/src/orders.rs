//! What is to happen to the field: faults and actions, by hand or by script, as people write them.
//! Reading them is here; doing them is the business of the field.

mod actions;
mod scenario;

pub(crate) use actions::phase;
pub use actions::{ActionError, PlannedAction, PlantAction};
pub use scenario::Scenario;
