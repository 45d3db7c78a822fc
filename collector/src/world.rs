//! What the task of a channel lives in: the time, the way to its station, and who is told.
//!
//! A monitor's channels live in the real world (`network`): sockets, timers, and a queue to the
//! historian. A recording lets the same task live in a time of its own.

use std::io;
use std::time::Duration;

use signal::update::{LinkFault, Update};
use tokio::time::Instant;

/// Nobody takes updates any more.
pub struct HistorianGone;

/// The surroundings of one channel.
#[expect(
    async_fn_in_trait,
    reason = "whoever runs a task names its world: its own has to be Send, that of a recording need not"
)]
pub trait World {
    /// A connection to its station.
    type Wire: Wire;

    /// What time it is.
    fn now(&self) -> Instant;

    /// Waits until a moment; not at all when it is over.
    async fn sleep_until(&mut self, until: Instant);

    /// Connects to the station, or says why there is no way to it.
    async fn open(&mut self) -> Result<Self::Wire, LinkFault>;

    /// Hands an update on, and says for how long the channel had to wait for that.
    async fn report(&mut self, update: Update) -> Result<Duration, HistorianGone>;
}

/// A stream of bytes to a station and back, and the time by which it is read.
#[expect(
    async_fn_in_trait,
    reason = "whoever runs a task names its world: its own has to be Send, that of a recording need not"
)]
pub trait Wire {
    /// What time it is.
    fn now(&self) -> Instant;

    /// Waits until a moment; not at all when it is over.
    async fn sleep_until(&mut self, until: Instant);

    /// Sends all of `bytes`; `None` when they were not taken until `deadline`.
    async fn write(&mut self, bytes: &[u8], deadline: Instant) -> Option<io::Result<()>>;

    /// Appends what came, some `room` bytes at most, and says how many they are: 0 when the station
    /// has closed the connection, `None` when nothing came until `deadline`, perhaps a little earlier.
    async fn read(
        &mut self,
        input: &mut Vec<u8>,
        room: usize,
        deadline: Instant,
    ) -> Option<io::Result<usize>>;
}
