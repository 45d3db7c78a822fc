//! The control room: its crates under one name, and what is at work in the program beside its commands.
//!
//! Data flows one way and imports point back along it: the collector knows the contract, the historian what the collector
//! hands on, every face the historian's snapshot. Reports, simulator and screens are there when they were built.

pub mod check;
pub mod json;
pub mod monitor;
#[cfg(feature = "simulator")]
pub mod recording;

pub use collector;
pub use historian;
#[cfg(feature = "report")]
pub use report::{self, export, spreadsheet};
pub use signal::{self, clock};
pub use store::{self, history, leftovers, series};
#[cfg(feature = "terminal")]
pub use terminal;
