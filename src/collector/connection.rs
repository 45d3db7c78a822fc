//! One connection to a station, with several requests under way at once.
//!
//! The Modbus library's client sends one request and waits for its reply, and is out of step for ever
//! when one comes late; so what reading takes of the protocol is our own (`frame`, `dialogue`), and
//! requests of a scan are written together here.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use config::Channel;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::dialogue::{Dialogue, Question};
use super::reading::LinkFault;
use super::stream::Stream;
use super::tls::Security;
use crate::clock::Clock;

/// Bytes read in one go: the replies to sixteen full requests.
const READ_BYTES: usize = 16 * 260;

/// Bytes read in one go while nothing is asked: a late reply.
const IDLE_BYTES: usize = 260;

/// A connection whose stream is in step.
pub(super) struct Connection {
    stream: Stream,
    clock: Clock,
    reply_timeout: Duration,
    /// What is asked over it.
    pub(super) dialogue: Dialogue,
    output: Vec<u8>,
    timer: Pin<Box<Sleep>>,
    last_read: Instant,
}

impl Connection {
    /// Connects to the station of a channel.
    pub(super) async fn open(
        channel: &Channel,
        security: Option<&Security>,
        deadline: Duration,
        clock: Clock,
    ) -> Result<Self, LinkFault> {
        let stream = match timeout(deadline, Stream::open(channel, security)).await {
            Err(_) => return Err(LinkFault::ConnectTimeout),
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(LinkFault::ConnectTimeout);
            }
            Ok(Err(error)) => return Err(link_fault(&error)),
            Ok(Ok(stream)) => stream,
        };
        let reply_timeout = Duration::from_millis(channel.device.reply_timeout_ms.into());
        Ok(Self {
            stream,
            clock,
            reply_timeout,
            dialogue: Dialogue::new(reply_timeout),
            output: Vec::new(),
            timer: Box::pin(sleep_until(Instant::now())),
            last_read: Instant::now(),
        })
    }

    /// When it was last looked whether something had come.
    pub(super) fn last_read(&self) -> Instant {
        self.last_read
    }

    /// Writes questions together.
    pub(super) async fn ask(
        &mut self,
        questions: impl Iterator<Item = Question>,
        sent: Instant,
    ) -> Result<(), LinkFault> {
        let at = self.clock.at(sent.into_std());
        self.output.clear();
        for question in questions {
            self.output.extend(self.dialogue.ask(question, at, sent));
        }
        if self.output.is_empty() {
            return Ok(());
        }
        let stream = &mut self.stream;
        let output = &self.output;
        let mut write = pin!(async move {
            stream.write_all(output).await?;
            // What is secured leaves in records of its own.
            stream.flush().await
        });
        let (timer, deadline) = (&mut self.timer, sent + self.reply_timeout);
        let written = poll_fn(|cx| match write.as_mut().poll(cx) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending => {
                timer.as_mut().reset(deadline);
                timer.as_mut().poll(cx).map(|()| None)
            }
        });
        // A station that takes nothing any more answers nothing either.
        written.await.ok_or(LinkFault::Silent)?.map_err(|error| link_fault(&error))
    }

    /// Waits until a question is settled, answered or given up, but not beyond `patience`. Answers are
    /// to be believed when the dialogue hands them on: what follows on the stream may still prove the
    /// last one wrong.
    pub(super) async fn settle(&mut self, patience: Instant) -> Result<(), LinkFault> {
        if self.dialogue.in_flight() == 0 {
            // Nothing to wait for: whoever asks next is to know what time it is.
            self.last_read = Instant::now();
        }
        let before = self.dialogue.settled().len();
        while self.dialogue.settled().len() == before
            && let Some(overdue) = self.dialogue.deadline()
        {
            self.read_and_sort(overdue.min(patience), READ_BYTES).await?;
            if overdue <= self.last_read {
                self.dialogue.give_up_overdue(self.last_read)?;
            } else if patience <= self.last_read {
                break;
            }
        }
        Ok(())
    }

    /// Waits until `until` with no question under way: for late replies, and for the end of the
    /// connection, which is nobody's fault then.
    pub(super) async fn idle(&mut self, until: Instant) -> Result<(), LinkFault> {
        self.last_read = Instant::now();
        while self.last_read < until {
            self.read_and_sort(until, IDLE_BYTES).await?;
        }
        Ok(())
    }

    /// Reads what there is until `deadline`, and lets it be sorted.
    async fn read_and_sort(&mut self, deadline: Instant, room: usize) -> Result<(), LinkFault> {
        let read = self.read(deadline, room).await;
        self.last_read = Instant::now();
        match read {
            Some(Ok(0)) => Err(LinkFault::Closed),
            Some(Ok(_)) => self.dialogue.sort(self.last_read),
            Some(Err(error)) => Err(link_fault(&error)),
            None => Ok(()),
        }
    }

    /// Reads what there is, or `None` when nothing came until `deadline`, perhaps a little earlier:
    /// one timer serves many reads, and is set anew only when it would be late.
    async fn read(&mut self, deadline: Instant, room: usize) -> Option<io::Result<usize>> {
        if self.timer.is_elapsed() || self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        let input = self.dialogue.input();
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

fn link_fault(error: &io::Error) -> LinkFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => LinkFault::Refused,
        // On an open connection it means that the system has given the peer up.
        io::ErrorKind::TimedOut
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe => LinkFault::Closed,
        _ => LinkFault::Other(error.to_string()),
    }
}
