//! A fault: as it is asked for, and what those who apply it know of it.

use config::{ChannelId, Lang, PointId};
use thiserror::Error;

use super::kind::{FaultKind, FaultSettings};
use crate::chance::Chance;
use crate::target::TargetError;
use crate::telemetry::image::{Image, SentSample};
use crate::times::Start;

/// Faults that may be active at once: far more than anybody watches.
pub const ACTIVE_MAX: usize = 10_000;

/// A fault as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// Which.
    pub kind: FaultKind,
    /// Station, unit, bay, point or pattern.
    pub target: String,
    /// At one centre only.
    pub centre: Option<String>,
    /// How long, milliseconds; until it is cleared when `None`.
    pub for_ms: Option<i64>,
    /// Its parameters.
    pub settings: FaultSettings,
}

/// Why a fault cannot be started or cleared. A hint is the way out: the nearest name, or what is
/// allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum FaultError {
    /// Its target is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The centre is not in the contract.
    #[error("no centre '{name}'; {hint}")]
    NoCentre { name: String, hint: String },
    /// The target is nothing that such a fault happens to.
    #[error(
        "{} ({}) cannot apply to '{target}': it applies to {}",
        fault.id(), fault.spec().name(Lang::En), fault.spec().applies_to
    )]
    CannotApply { fault: FaultKind, target: String },
    /// Nobody would notice.
    #[error("nothing of '{target}' that {} applies to is sent to {centre}", fault.id())]
    NotSent { fault: FaultKind, target: String, centre: String },
    /// Nobody watches so many.
    #[error("{ACTIVE_MAX} faults are active: clear some first")]
    TooMany,
    /// It is over, or never was; some that are active are known, when any is.
    #[error("{}", not_active(*fault, active))]
    NotActive { fault: u32, active: Vec<u32> },
}

fn not_active(fault: u32, active: &[u32]) -> String {
    if active.is_empty() {
        return format!("no fault {fault}: none is active");
    }
    let known: Vec<String> = active.iter().map(u32::to_string).collect();
    format!("no fault {fault} is active; these are: {}", known.join(", "))
}

/// A fault to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// When.
    pub start: Start,
    /// What.
    pub injection: Injection,
}

/// What all places that apply a fault need to know of it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) id: u32,
    pub(crate) kind: FaultKind,
    pub(crate) settings: FaultSettings,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: Option<i64>,
    pub(crate) target: String,
    /// Whether it was aimed at stations as a whole.
    pub(crate) whole_station: bool,
    pub(crate) chance: Chance,
}

impl Fault {
    /// Whether a chattering contact stands the other way round in this second.
    pub(crate) fn flips(&self, point: PointId, at_ms: i64) -> bool {
        let second = at_ms.div_euclid(1_000).cast_unsigned();
        self.chance.share(second.wrapping_mul(0x1_0000) ^ u64::from(point.0)) < 0.5
    }
}

/// What a fault touches of one channel, and what it keeps of it.
#[derive(Debug, Clone)]
pub(crate) struct Touched {
    pub(crate) channel: ChannelId,
    /// Points that the channel sends and the fault affects.
    pub(crate) points: Vec<PointId>,
    /// Units of faults that reach units.
    pub(crate) units: Vec<u8>,
    /// What was sent of each point when the fault began; empty before.
    pub(crate) held: Vec<SentSample>,
    /// The image of that moment, for a gateway that hangs.
    pub(crate) image: Option<Image>,
}
