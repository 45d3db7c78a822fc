//! The real world of a channel: sockets, the runtime's timers, and the queue to the historian.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use config::Channel;
use signal::update::{LinkFault, Update};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::connection::link_fault;
use super::schedule::Gate;
use super::stream::Stream;
use super::tls::Security;
use super::world::{HistorianGone, Wire, World};

/// Where the channel of a monitor lives.
pub(super) struct Network {
    /// The path to the station; its points are not needed for that.
    contract: Channel,
    security: Option<Arc<Security>>,
    connect_timeout: Duration,
    gate: Arc<Gate>,
    updates: mpsc::Sender<Update>,
}

impl Network {
    /// The way to the station of a channel, for which a fleet waits at one gate.
    pub(super) fn new(
        channel: &Channel,
        connect_timeout: Duration,
        (gate, security): (Arc<Gate>, Option<Arc<Security>>),
        updates: mpsc::Sender<Update>,
    ) -> Self {
        let contract = Channel { entries: Vec::new().into(), ..channel.clone() };
        Self { contract, security, connect_timeout, gate, updates }
    }
}

impl World for Network {
    type Wire = Socket;

    fn now(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&mut self, until: Instant) {
        sleep_until(until).await;
    }

    async fn open(&mut self) -> Result<Socket, LinkFault> {
        sleep_until(self.gate.turn(Instant::now())).await;
        let opening = Stream::open(&self.contract, self.security.as_deref());
        let stream = match timeout(self.connect_timeout, opening).await {
            Err(_) => return Err(LinkFault::ConnectTimeout),
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(LinkFault::ConnectTimeout);
            }
            Ok(Err(error)) => return Err(link_fault(&error)),
            Ok(Ok(stream)) => stream,
        };
        Ok(Socket { stream, timer: Box::pin(sleep_until(Instant::now())) })
    }

    async fn report(&mut self, update: Update) -> Result<Duration, HistorianGone> {
        match self.updates.try_send(update) {
            Ok(()) => Ok(Duration::ZERO),
            Err(TrySendError::Closed(_)) => Err(HistorianGone),
            Err(TrySendError::Full(update)) => {
                let began = Instant::now();
                self.updates.send(update).await.map_err(|_| HistorianGone)?;
                Ok(began.elapsed())
            }
        }
    }
}

/// An open connection, and the timer that limits what is waited for on it.
pub(super) struct Socket {
    stream: Stream,
    timer: Pin<Box<Sleep>>,
}

impl Wire for Socket {
    fn now(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&mut self, until: Instant) {
        sleep_until(until).await;
    }

    async fn write(&mut self, bytes: &[u8], deadline: Instant) -> Option<io::Result<()>> {
        let stream = &mut self.stream;
        let mut write = pin!(async move {
            stream.write_all(bytes).await?;
            // What is secured leaves in records of its own.
            stream.flush().await
        });
        let timer = &mut self.timer;
        poll_fn(|cx| match write.as_mut().poll(cx) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending => {
                timer.as_mut().reset(deadline);
                timer.as_mut().poll(cx).map(|()| None)
            }
        })
        .await
    }

    /// One timer serves many reads, and is set anew only when it would be late.
    async fn read(
        &mut self,
        input: &mut Vec<u8>,
        room: usize,
        deadline: Instant,
    ) -> Option<io::Result<usize>> {
        if self.timer.is_elapsed() || self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        input.reserve(room);
        let mut read = pin!(self.stream.read_buf(input));
        let timer = &mut self.timer;
        poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await
    }
}
