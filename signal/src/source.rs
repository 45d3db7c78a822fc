//! Whatever values come from.

use std::future::Future;
use std::sync::Arc;

use config::Province;
use tokio::sync::mpsc;

use super::layout::Layout;
use super::update::Update;

/// What hands on updates of the channels of a province: the collector, which asks stations, or anything else that says
/// what comes over each channel.
pub trait Source: Send + 'static {
    /// What comes over each channel, by channel id.
    fn layouts(&self) -> Vec<Arc<Layout>>;

    /// Begins, or begins anew after a stop: everything of every channel is told again. Updates come out of a bounded
    /// queue; while it is full the source waits, and counts what it could not keep.
    ///
    /// Must be called within a tokio runtime.
    fn start(&mut self, province: &Province) -> mpsc::Receiver<Update>;

    /// Stops: what was about to be told is not told any more.
    fn stop(&mut self) -> impl Future<Output = ()> + Send;
}
