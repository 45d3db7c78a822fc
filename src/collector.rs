//! The collector: asks every station, and says what came of every question.
//!
//! One task per channel (station and centre). It never writes to a station. A poll that failed is
//! a reading too. Readings go to the historian through one bounded queue; when the historian falls
//! behind, the tasks wait, and missed slots are counted.

mod blocks;
mod channel;
mod connection;
mod dialogue;
pub mod frame;
pub mod plan;
pub mod reading;
pub mod rings;
mod scan;
mod schedule;
mod stream;
mod tls;
mod trial;

use std::sync::Arc;

use config::Province;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use plan::Plan;
use reading::Reading;
use schedule::Gate;
use tls::Security;
pub use trial::trial;

/// Readings that may wait for the historian: about two seconds of a thousand stations. Full means
/// wait.
const READINGS_MAX: usize = 8_192;

/// Why polling cannot begin.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct StartError(String);

/// The running tasks of the collector. Dropping it stops them.
pub struct Collector {
    tasks: JoinSet<()>,
}

impl Collector {
    /// Starts one task per channel of `province`, reading by `plans` (one per channel, as
    /// [`plan::plans`] makes them). Readings come out of the receiver.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When certificates that the contract names cannot be used.
    pub fn start(
        province: &Province,
        plans: &[Arc<Plan>],
        clock: Clock,
    ) -> Result<(Self, mpsc::Receiver<Reading>), StartError> {
        let security = Security::load(province).map_err(StartError)?.map(Arc::new);
        let (sender, receiver) = mpsc::channel(READINGS_MAX);
        let gate = Arc::new(Gate::new());
        let mut tasks = JoinSet::new();
        for (n, (channel, plan)) in province.channels.iter().zip(plans).enumerate() {
            let own = (clock, Arc::clone(&gate), security.clone());
            let poller = channel::Poller::new(province, n, channel, plan, own, sender.clone());
            tasks.spawn(poller.run());
        }
        Ok((Self { tasks }, receiver))
    }

    /// Stops every task and waits for it.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
