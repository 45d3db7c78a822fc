//! A fault: as it is asked for, and what those who apply it know of it.

use config::{ChannelId, PointId};

use super::kind::{FaultKind, Settings};
use crate::chance::Chance;
use crate::telemetry::image::{Image, Sample};
use crate::times::Start;

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
    pub settings: Settings,
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
    pub(crate) settings: Settings,
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
    pub(crate) held: Vec<Sample>,
    /// The image of that moment, for a gateway that hangs.
    pub(crate) image: Option<Image>,
}
