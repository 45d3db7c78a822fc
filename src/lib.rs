//! The control room: collector, historian, and the faces that show what they know.
//!
//! Data flows one way and imports point back along it: the collector knows the contract, the
//! historian knows the collector's readings, every face knows the historian's picture.

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
