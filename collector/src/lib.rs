//! The collector: asks every station, and says what came of every question.
//!
//! One task per channel (station and centre). It never writes to a station. A poll that failed is
//! told, too. Updates go to the historian through one bounded queue; when the historian falls
//! behind, the tasks wait, and missed slots are counted.

pub mod answers;
mod blocks;
pub mod channel;
mod connection;
mod dialogue;
pub mod explain;
pub mod frame;
mod network;
pub mod plan;
pub mod poll;
mod rings;
mod scan;
pub mod schedule;
mod stream;
mod tls;
mod trial;
pub mod world;

use std::sync::Arc;
use std::time::Duration;

use config::Province;
use signal::clock::Clock;
use signal::layout::Layout;
use signal::source::Source;
use signal::update::Update;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use channel::Poller;
use network::Network;
use plan::Plan;
use schedule::Gate;
use tls::Security;
pub use tls::StartError;
pub use trial::trial;

/// Updates that may wait for the historian: about two seconds of a thousand stations. Full means
/// wait.
const UPDATES_MAX: usize = 8_192;

/// The collector: a task for each channel. Dropping it stops them.
pub struct Collector {
    /// One for each channel.
    plans: Vec<Arc<Plan>>,
    tasks: JoinSet<()>,
    security: Option<Arc<Security>>,
    clock: Clock,
}

impl Collector {
    /// Reads the channels of `province` by `plans` (one per channel, as [`plan::plans`] makes them), once it is
    /// started.
    ///
    /// # Errors
    /// When certificates that the contract names cannot be used.
    pub fn new(province: &Province, plans: &[Arc<Plan>], clock: Clock) -> Result<Self, StartError> {
        let security = Security::load(province)?.map(Arc::new);
        Ok(Self { plans: plans.to_vec(), tasks: JoinSet::new(), security, clock })
    }

    /// The same, started. Updates come out of the receiver.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When certificates that the contract names cannot be used.
    pub fn start(
        province: &Province,
        plans: &[Arc<Plan>],
        clock: Clock,
    ) -> Result<(Self, mpsc::Receiver<Update>), StartError> {
        let mut collector = Self::new(province, plans, clock)?;
        let updates = Source::start(&mut collector, province);
        Ok((collector, updates))
    }

    /// Stops every task and waits for it.
    pub async fn stop(mut self) {
        Source::stop(&mut self).await;
    }
}

impl Source for Collector {
    fn layouts(&self) -> Vec<Arc<Layout>> {
        plan::layouts(&self.plans)
    }

    fn start(&mut self, province: &Province) -> mpsc::Receiver<Update> {
        let (sender, receiver) = mpsc::channel(UPDATES_MAX);
        let gate = Arc::new(Gate::new(Instant::now()));
        let connect_timeout = Duration::from_millis(province.link.connect_timeout_ms.into());
        for (n, (channel, plan)) in province.channels.iter().zip(&self.plans).enumerate() {
            let way = (Arc::clone(&gate), self.security.clone());
            let world = Network::new(channel, connect_timeout, way, sender.clone());
            self.tasks
                .spawn(Poller::new(province, n, channel, plan, (world, self.clock.clone())).run());
        }
        receiver
    }

    async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}
