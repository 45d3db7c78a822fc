//! What a source hands on: updates of what came over one channel.

use std::ops::Range;

use config::{ChannelId, MeterFigures, SoldFigures};

use super::bytes::Bytes;
use super::events::{LogHead, Numbered, Record};
use crate::clock::Timestamp;

/// Something that came, or happened, on a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Station and centre.
    pub channel: ChannelId,
    /// When it was known.
    pub at: Timestamp,
    /// What it is.
    pub news: News,
}

/// What happened on a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The station answers.
    Connected,
    /// It does not any more, and why.
    Lost(LinkFault),
    /// The connection was replaced by another one: it had failed, or had used up its numbers.
    Renewed(Option<LinkFault>),
    /// What came of requests, in the order in which they came to an end.
    Answers(Vec<Answer>),
    /// A device answered nothing of what it was asked, and how it did not.
    Silent {
        /// The device: its number within the station.
        device: u8,
        /// How.
        miss: Miss,
    },
    /// A scan took longer than its time.
    Overrun(Overrun),
    /// Replies that nobody waited for.
    Strays(Strays),
}

/// What came of one request, or by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The group: its place in the channel's layout.
    pub group: u16,
    /// The columns that were asked for; none where it is no values.
    pub columns: Range<u16>,
    /// Whether it was asked for; otherwise the device told by itself.
    pub is_asked: bool,
    /// What came.
    pub outcome: Outcome,
    /// What proves it.
    pub evidence: Evidence,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A row of the group: of it, the columns that were asked for.
    Row {
        /// The row, whole: other columns in it are 0.
        row: Bytes,
        /// Every column says what it said in the answer before.
        unchanged: bool,
    },
    /// The head of a device's log of events.
    LogHead(LogHead),
    /// Records of it, in the order of their numbers.
    Records(Vec<Numbered>),
    /// Changes that a device tells of as they happen, without numbers: what is lost on the way nobody knows.
    Changes(Vec<Record>),
    /// What a head-end tells of its meters.
    Meters(Vec<MetersTold>),
    /// An answer in which there is nothing.
    Nothing,
    /// Nothing, and why.
    Missed(Miss),
    /// Nothing yet: it is asked for again in parts, which says nothing of it.
    InParts(Miss),
}

impl Answer {
    /// Why nothing came; `None` when something did.
    pub fn miss(&self) -> Option<Miss> {
        match self.outcome {
            Outcome::Missed(miss) | Outcome::InParts(miss) => Some(miss),
            _ => None,
        }
    }
}

/// What a head-end tells of a group of meters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetersTold {
    /// The group: its place in the station.
    pub group: usize,
    /// When the oldest part of it was here.
    pub at: Timestamp,
    /// What it tells.
    pub figure: MetersFigure,
}

/// A figure of a group of meters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetersFigure {
    /// How many meters the head-end has.
    Reported(u32),
    /// How many of the contract's meters have proven their remote channel.
    Proven(u32),
    /// How daily reading goes; `None` when it makes no sense.
    Reads(Option<MeterFigures>),
    /// What they sold; `None` when it makes no sense.
    Sold(Option<SoldFigures>),
}

/// Why something did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Miss {
    /// No reply in time.
    NoReply,
    /// The device has no such point; the code is the source's own.
    NotThere(u8),
    /// The device will not give it, for another reason; the code is the source's own.
    Refused(u8),
    /// The device asks to be asked again; what it gave before stands. The code is the source's own.
    Busy(u8),
    /// What stands in front of the device says that it cannot be reached; the code is the source's own.
    Unreachable(u8),
    /// What came cannot be right.
    Malformed,
}

impl Miss {
    /// What the source calls it, where it has a code for it.
    pub fn code(self) -> Option<u8> {
        match self {
            Self::NotThere(code)
            | Self::Refused(code)
            | Self::Busy(code)
            | Self::Unreachable(code) => Some(code),
            Self::NoReply | Self::Malformed => None,
        }
    }

    /// Of which kind it is.
    pub fn kind(self) -> MissKind {
        match self {
            Self::NoReply => MissKind::NoReply,
            Self::NotThere(_) | Self::Refused(_) | Self::Busy(_) | Self::Unreachable(_) => {
                MissKind::Refused
            }
            Self::Malformed => MissKind::Malformed,
        }
    }

    /// Whether the device is there all the same.
    pub fn is_answer(self) -> bool {
        !matches!(self, Self::NoReply | Self::Unreachable(_))
    }
}

/// Kinds of misses that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MissKind {
    /// No reply in time.
    NoReply,
    /// An answer that says no.
    Refused,
    /// What came cannot be right.
    Malformed,
}

/// The bytes that went back and forth, as the source that sent and took them explains them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// When it was asked.
    pub at: Timestamp,
    /// From then until the answer was here, or was given up, microseconds.
    pub took_us: u32,
    /// What was sent.
    pub sent: Bytes,
    /// What came; nothing when nothing did.
    pub received: Bytes,
}

impl Evidence {
    /// When the answer was here, or was given up.
    pub fn heard(&self) -> Timestamp {
        self.at.plus(i64::from(self.took_us.div_ceil(1_000)))
    }
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LinkFault {
    /// Nobody listens at that address.
    Refused,
    /// Nobody took the connection in time.
    ConnectTimeout,
    /// The station closed it.
    Closed,
    /// It is open, and no device answers.
    Silent,
    /// What comes is not of the protocol.
    Garbage,
    /// Something else, as the system says it.
    Other(String),
}

/// A scan that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrun {
    /// Slots that were missed.
    pub missed: u32,
    /// Questions that were left for the next scan.
    pub unasked: u32,
    /// How long the scan took from its slot on, milliseconds.
    pub took_ms: u32,
    /// The shortest period of which a slot was missed, milliseconds; 0: none was.
    pub period_ms: u32,
    /// What took most of it.
    pub cause: OverrunCause,
}

/// What took most of the time of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverrunCause {
    /// Waiting for a device that did not answer.
    SilentDevice(u8),
    /// Waiting for replies that came.
    SlowReplies,
    /// The pauses that the contract asks for.
    Pauses,
    /// The machine was late.
    Machine,
    /// The historian did not keep up.
    Historian,
}

/// Replies that nobody waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strays {
    /// To questions that were given up.
    pub late: u32,
    /// To no question that was asked.
    pub unknown: u32,
}

impl Strays {
    /// All of them.
    pub fn sum(self) -> u32 {
        self.late + self.unknown
    }
}
