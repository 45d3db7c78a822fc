//! Faults: what a real province does to its telemetry, on purpose and written down.
//!
//! [`FaultKind`] names them, T01 to T30 of the trade and W01 to W10 on the wire. A [`Scenario`]
//! says which come when; [`Faults`] knows which are active, changes what each channel sends, and
//! writes a [`TruthRecord`] for each start and end. All of it is a function of seed, script and
//! time: it does not matter who polls, or how often.
//!
//! Each kind is applied in one place: values in `samples`, registers in `registers`, answers and
//! connections in `wire`, time-tagged records in `records`.

mod engine;
mod hooks;
mod kind;
mod rates;
mod records;
mod registers;
mod samples;
mod script;
mod target;
mod truth;
pub(crate) mod wire;

pub use engine::{ACTIVE_MAX, ActiveFault, Faults, Injection, check};
pub use kind::{FAULTS, FaultClass, FaultKind, FaultSpec, Parameter, Rate, Reach, Settings, Takes};
pub use rates::Rates;
pub use script::{Planned, Scenario, Start, duration_ms};
pub(crate) use script::{read_duration, read_start};
pub(crate) use target::{bay_id, one_bay, one_point};
pub(crate) use truth::utc;
pub use truth::{CentreTruth, Keep, Pair, TruthRecord};
