//! The signal: what comes from a station, whatever it was asked by.
//!
//! A source (the collector, today) describes once what it brings over each channel: [`layout`]. From then on it hands on
//! updates: values that came together, events, what did not come and why, how the link stands, and the bytes that prove
//! it ([`update`]). Values are raw counts of the types of [`raw`]; what a count is worth is in the contract.
//!
//! The clock is here, too ([`clock`]): the one file that asks what time it is.
//!
//! Nothing in here knows a register, a function or an exception: whoever reads an update need not know the protocol.

pub mod bytes;
pub mod clock;
pub mod events;
pub mod layout;
pub mod raw;
pub mod source;
pub mod update;
pub mod verdict;
