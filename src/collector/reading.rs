//! What came of a question to a station.

use std::sync::Arc;

use config::ChannelId;

use crate::clock::Timestamp;

/// One thing that the collector has learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The channel it is about.
    pub channel: ChannelId,
    /// When it was learned.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What happened on a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The station answered for the first time on this connection.
    Connected,
    /// There is no path to the station.
    Lost(LinkFault),
    /// A request came to an end.
    Poll(Poll),
    /// Slots that were due but could not be kept since the last such event.
    Missed(u32),
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// The block of the channel's plan that was asked for.
    pub block: usize,
    /// The cells (bits as 0 and 1), exactly as many as the block has, or why there are none.
    pub result: Result<Vec<u16>, Fault>,
    /// What went over the wire.
    pub exchange: Arc<Exchange>,
}

/// The bytes of one request and its reply: evidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// When the request was sent.
    pub at: Timestamp,
    /// Microseconds from request to the end of the reply, or to giving up.
    pub took_us: u32,
    /// The request as sent.
    pub request: Vec<u8>,
    /// The reply as received, as far as it came.
    pub reply: Vec<u8>,
}

/// Why a request brought no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No complete reply within the deadline.
    NoReply,
    /// The device answered with this exception code.
    Refused(u8),
    /// A reply came that is not one to this request: wrong transaction, unit, function or length.
    Undecodable,
}

/// Why there is no path to a station.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LinkFault {
    /// Nobody listens there.
    Refused,
    /// No connection within the deadline.
    ConnectTimeout,
    /// The connection was closed or reset.
    Closed,
    /// Connected, but no unit answers any more.
    Silent,
    /// Anything else, in the system's words.
    Other(String),
}
