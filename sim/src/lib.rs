//! The field: a simulated province of unmanned 110 kV substations.
//!
//! [`Field`] is the plant and its register images: synchronous, without sockets or clock, the same
//! bytes for the same seed and the same steps. [`Simulation`] puts it on the network: one Modbus
//! TCP server per channel (a station as one centre sees it).
//!
//! One second goes: what is due in the plant happens → loads → power flow → controls and counters →
//! values of points (`plant`) → measuring chain (`telemetry`) → what faults make of it (`faults`) →
//! registers (`telemetry`). What is to happen besides is in `orders`.
//!
//! ```
//! use std::sync::Arc;
//! use config::{Province, RegisterTable};
//!
//! let province = Arc::new(Province::built_in());
//! let mut field = sim::Field::new(Arc::clone(&province));
//! field.step(1_669_188_727_000);
//! let channel = province.channel_id(province.station("HB03").unwrap(), province.centre("CC").unwrap());
//! // Unit 1 is the bay control unit of line 171; its breaker is closed: 10.
//! assert_eq!(field.image(channel).read(1, RegisterTable::Discrete, 0, 2), Ok(vec![0, 1]));
//! ```

mod chance;
pub mod faults;
mod field;
mod meters;
mod orders;
mod plant;
mod server;
mod target;
mod telemetry;
mod times;

pub use field::{Field, OrderError};
pub use orders::{ActionError, PlannedAction, PlantAction, Scenario};
pub use plant::event::Event;
pub use plant::outages::{Interrupted, Interruptions, Outage, PlantInterruption, SUSTAINED_MS};
pub use plant::short_circuit::ShortCircuit;
#[doc(hidden)]
pub use server::trial;
pub use server::{
    ListenError, Plans, Port, Ports, SecurityError, Simulation, Then, Traffic, Visit, control,
};
pub use telemetry::chain::tolerance;
pub use telemetry::commands::CommandOutcome;
pub use telemetry::image::{Image, Refusal, SentSample};
