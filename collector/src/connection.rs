//! One connection to a station, with several requests under way at once.
//!
//! The Modbus library's client sends one request and waits for its reply, and is out of step for ever
//! when one comes late; so what reading takes of the protocol is our own (`frame`, `dialogue`), and
//! requests of a scan are written together here.

use std::io;
use std::time::Duration;

use signal::clock::Clock;
use signal::update::LinkFault;
use tokio::time::Instant;

use super::dialogue::{Dialogue, Question};
use super::world::Wire;

/// Bytes read in one go: the replies to sixteen full requests.
const READ_BYTES: usize = 16 * 260;

/// Bytes read in one go while nothing is asked: a late reply.
const IDLE_BYTES: usize = 260;

/// A connection whose stream is in step.
pub(super) struct Connection<W> {
    wire: W,
    clock: Clock,
    reply_timeout: Duration,
    /// What is asked over it.
    pub(super) dialogue: Dialogue,
    output: Vec<u8>,
    last_read: Instant,
}

impl<W: Wire> Connection<W> {
    /// A connection that has just been opened.
    pub(super) fn over(wire: W, reply_timeout: Duration, clock: Clock) -> Self {
        let last_read = wire.now();
        let (dialogue, output) = (Dialogue::new(reply_timeout), Vec::new());
        Self { wire, clock, reply_timeout, dialogue, output, last_read }
    }

    /// What time it is.
    pub(super) fn now(&self) -> Instant {
        self.wire.now()
    }

    /// Waits until a moment without looking at what comes.
    pub(super) async fn sleep_until(&mut self, until: Instant) {
        self.wire.sleep_until(until).await;
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
            self.output.extend_from_slice(&self.dialogue.ask(question, at, sent));
        }
        if self.output.is_empty() {
            return Ok(());
        }
        let written = self.wire.write(&self.output, sent + self.reply_timeout).await;
        // A station that takes nothing any more answers nothing either.
        written.ok_or(LinkFault::Silent)?.map_err(|error| link_fault(&error))
    }

    /// Waits until a question is settled, answered or given up, but not beyond `patience`. Answers are
    /// to be believed when the dialogue hands them on: what follows on the stream may still prove the
    /// last one wrong.
    pub(super) async fn settle(&mut self, patience: Instant) -> Result<(), LinkFault> {
        if self.dialogue.in_flight() == 0 {
            // Nothing to wait for: whoever asks next is to know what time it is.
            self.last_read = self.wire.now();
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
        self.last_read = self.wire.now();
        self.dialogue.rest();
        while self.last_read < until {
            self.read_and_sort(until, IDLE_BYTES).await?;
        }
        Ok(())
    }

    /// Reads what there is until `deadline`, and lets it be sorted.
    async fn read_and_sort(&mut self, deadline: Instant, room: usize) -> Result<(), LinkFault> {
        let read = self.wire.read(self.dialogue.input(), room, deadline).await;
        self.last_read = self.wire.now();
        match read {
            Some(Ok(0)) => Err(LinkFault::Closed),
            Some(Ok(_)) => self.dialogue.sort(self.last_read),
            Some(Err(error)) => Err(link_fault(&error)),
            None => Ok(()),
        }
    }
}

/// What an error of a stream says of the path.
pub(super) fn link_fault(error: &io::Error) -> LinkFault {
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
