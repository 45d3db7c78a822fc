//! The control room: collector, historian, and the faces that show what they know.
//!
//! Data flows one way and imports point back along it: the collector knows the contract, the
//! historian knows the collector's readings, every face knows the historian's picture.

pub mod check;
pub mod drafts;
pub mod export;
pub mod history;
pub mod json;
pub mod leftovers;
pub mod monitor;
pub mod recording;
pub mod report;
pub mod series;
pub mod spreadsheet;
pub mod store;
pub mod terminal;

pub use collector;
pub use historian;
pub use signal::{self, clock};
