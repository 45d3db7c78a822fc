//! Faults: what a real province does to its telemetry, on purpose and written down.
//!
//! [`FaultKind`] names them, T01 to T30 of the trade and W01 to W10 on the wire. [`Faults`] knows
//! which are active, changes what each channel sends, and writes a [`TruthRecord`] for each start and
//! end. All of it is a function of seed, script and time: it does not matter who polls, or how often.
//!
//! Each kind is applied in one place: values in `samples`, registers in `registers`, answers and
//! connections in `wire`, time-tagged records in `records`.

mod aiming;
mod engine;
mod fault;
mod kind;
mod rates;
mod records;
mod registers;
mod samples;
mod truth;
mod wire;

pub use crate::target::{Reach, TargetError};
pub use crate::telemetry::Pair;
pub use crate::times::{NoSpan, Start, duration_ms};
pub use aiming::check;
pub use engine::{ActiveFault, Faults};
pub use fault::{ACTIVE_MAX, FaultError, Injection, Planned};
pub use kind::{
    FAULTS, FaultClass, FaultKind, FaultSettings, FaultSpec, Parameter, Rate, SettingError, Takes,
    UnknownFault,
};
pub use rates::Rates;
pub use truth::{CentreTruth, Keep, TruthRecord};
