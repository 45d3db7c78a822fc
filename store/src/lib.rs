//! The store: what was judged and what happened, kept on disk for years.
//!
//! A folder with one `SQLite` database. One process writes, any number read beside it. What a commit has
//! put there survives the end of the process and of the machine; what was learned since the last commit
//! is lost with them, and the time until somebody watches again is known not to have been observed.

mod alarms;
mod aside;
mod batch;
mod cells;
mod check;
mod commands;
mod contracts;
mod energy;
mod epochs;
mod forget;
pub mod history;
mod journal;
mod keeper;
mod kept;
pub mod leftovers;
mod reader;
mod recent;
mod recorder;
mod runs;
mod schema;
pub mod series;
mod sums;
pub mod upkeep;
mod values;
mod writer;

pub use alarms::KeptAlarm;
pub use aside::{Aside, set_aside};
pub use batch::{Batch, Batcher, MeterKind, MeterLine};
pub use commands::CommandsKept;
pub use contracts::hash;
pub use energy::{EnergyKind, EnergyLine};
pub use forget::Removed;
pub use keeper::Keeper;
pub use kept::{By, Gap, Gone, Kept, KeptFrom};
pub use reader::{Contract, End, FollowedDay, Judged, Metered, Reader, Recorded, Session, Stretch};
pub use recorder::Recorder;
pub use schema::StoreError;
pub use values::Value;
pub use writer::Writer;
