//! The contract: what a province must send, to whom, and at which registers.
//!
//! One TOML file names a province; templates (the datalist of a bay type) say which points a bay
//! has. Expanding the two gives every point of every station, the set that each centre requires,
//! and the register map of each channel. The simulator and the control room share nothing else.
//!
//! This crate knows nobody: it reads the files named to it and does no other I/O, reads no clock
//! and opens no connection.
//!
//! ```
//! let province = config::Province::built_in();
//! assert_eq!(province.substations().len(), 10);
//! let centre = province.centre("CC").expect("the province has this centre");
//! assert_eq!(province.required(centre), 7216);
//! ```

mod built_in;
mod civil;
mod codec;
mod customers;
mod document;
mod draft;
mod expand;
mod fleet;
mod kind;
mod load;
mod metering;
mod names;
mod parse;
pub mod plain;
mod problem;
mod province;
mod read;
mod registers;
mod template;

pub use civil::{DAY_MS, Local, NoDay, NoInstant, Zone, utc_instant, utc_text};
pub use codec::{Decoded, Encoding, Flags, WordOrder, decode, encode, scaled};
pub use customers::run_start;
pub use document::{Document, Fields, Node, Place, Placed};
pub use kind::PointKind;
pub use metering::{MeterFigures, SoldFigures};
pub use names::{Date, Lang, Name};
pub use problem::{Problem, Problems, way_out};
pub use province::{
    Bay, Cause, Centre, CentreId, Channel, ChannelId, Device, DeviceKind, DeviceLimits, District,
    Entries, Entry, FormSettings, HistorySettings, Identity, Infeed, Line, LineEnd, LinkSettings,
    MeterClass, MeterGroup, Origin, Plant, Point, PointId, PortsError, Province, ReportedYear,
    ScanPeriods, Standing, Station, StationId, Targets, Tls, Whole,
};
pub use registers::{Register, RegisterTable, blocks, commands, limits};
pub use template::{Class, DeviceRule, LoadClass, PointSpec, Scan, Template, TimeTag};
