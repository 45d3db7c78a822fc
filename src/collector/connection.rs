//! One connection to a station, with several requests under way at once.
//!
//! The Modbus library's client sends one request and waits for its reply, and is out of step for ever
//! when one comes late; so what reading takes of the protocol is our own here: requests are written
//! together, and replies are matched by their transaction number, unit, function and length.
//!
//! What is no clean reply to a request that waits is never used. A reply is only believed when the
//! stream behind it is in order: on a stream, a reply that breaks off is filled up by the next one.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use config::{Channel, Table};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::frame::{Front, Numbers, Request, front, swallows};
use super::reading::{Exchange, Fault, LinkFault, Strays};
use super::stream::Stream;
use super::tls::Security;
use crate::clock::{Clock, Timestamp};

/// Numbers of requests that were given up and may still be answered. When there are more, the
/// connection is renewed, so that no number is used again while a reply to it can come.
const GIVEN_UP_MAX: usize = 256;
/// Bytes read in one go: the replies to sixteen full requests.
const READ_BYTES: usize = 16 * 260;

/// A connection whose stream is in step.
pub(super) struct Connection {
    stream: Stream,
    clock: Clock,
    reply_timeout: Duration,
    numbers: Numbers,
    /// Requests under way, in the order in which they were sent.
    waiting: Vec<Waiting>,
    /// Replies of this scan that are not yet handed on, in the order in which they came.
    settled: Vec<Answer>,
    given_up: Vec<u16>,
    strays: Strays,
    answered: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    timer: Pin<Box<Sleep>>,
    last_read: Instant,
}

/// What is asked: a part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    /// The block: an index into the plan.
    pub(super) block: usize,
    /// First cell, counted from the first of the block.
    pub(super) offset: u16,
    pub(super) count: u16,
    pub(super) unit: u8,
    pub(super) table: Table,
    /// Address of the first cell.
    pub(super) address: u16,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) question: Question,
    pub(super) fault: Option<Fault>,
    pub(super) exchange: Exchange,
    /// Number of its request.
    transaction: u16,
}

struct Waiting {
    question: Question,
    request: Request,
    at: Timestamp,
    sent: Instant,
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
            Ok(Err(error)) => return Err(link_fault(&error)),
            Ok(Ok(stream)) => stream,
        };
        Ok(Self {
            stream,
            clock,
            reply_timeout: Duration::from_millis(channel.device.reply_timeout_ms.into()),
            numbers: Numbers::default(),
            waiting: Vec::new(),
            settled: Vec::new(),
            given_up: Vec::new(),
            strays: Strays::default(),
            answered: false,
            input: Vec::new(),
            output: Vec::new(),
            timer: Box::pin(sleep_until(Instant::now())),
            last_read: Instant::now(),
        })
    }

    /// Requests under way.
    pub(super) fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Whether so many requests were given up on it that it should be renewed.
    pub(super) fn is_worn(&self) -> bool {
        self.given_up.len() >= GIVEN_UP_MAX
    }

    /// Whether any reply has come over it.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// When it was last looked whether something had come.
    pub(super) fn last_read(&self) -> Instant {
        self.last_read
    }

    /// Takes the counts of replies that belonged to nobody.
    pub(super) fn take_strays(&mut self) -> Strays {
        std::mem::take(&mut self.strays)
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
            let transaction = self.free_number();
            let Question { unit, table, address, count, .. } = question;
            let request = Request { transaction, unit, table, address, count };
            self.output.extend(request.bytes());
            self.waiting.push(Waiting { question, request, at, sent });
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

    /// A number to which no reply can come any more.
    fn free_number(&mut self) -> u16 {
        loop {
            let number = self.numbers.draw();
            let used = self.waiting.iter().any(|w| w.request.transaction == number);
            if !used && !self.given_up.contains(&number) {
                return number;
            }
        }
    }

    /// Waits until a question is settled, answered or given up, but not beyond `patience`. Returns the questions that were. Their answers come from [`Self::take_settled`]: what
    /// follows on the stream may still prove the last reply wrong.
    pub(super) async fn settle(&mut self, patience: Instant) -> Result<&[Answer], LinkFault> {
        let before = self.settled.len();
        while self.settled.len() == before && !self.waiting.is_empty() {
            let overdue = self.waiting[0].sent + self.reply_timeout;
            match self.read(overdue.min(patience)).await {
                Some(Ok(0)) => return Err(LinkFault::Closed),
                Some(Ok(_)) => self.sort()?,
                Some(Err(error)) => return Err(link_fault(&error)),
                None => {
                    self.last_read = Instant::now();
                    if overdue <= self.last_read {
                        self.give_up_overdue()?;
                    } else if patience <= self.last_read {
                        break;
                    }
                }
            }
        }
        Ok(&self.settled[before..])
    }

    /// Reads what there is, or `None` when nothing came until `deadline`, perhaps a little earlier:
    /// one timer serves many reads, and is set anew only when it would be late.
    async fn read(&mut self, deadline: Instant) -> Option<io::Result<usize>> {
        if self.timer.is_elapsed() || self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.input.reserve(READ_BYTES);
        let mut read = pin!(self.stream.read_buf(&mut self.input));
        let timer = &mut self.timer;
        poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    /// Takes the answers that are to be believed: all of them when no question is under way, else
    /// those in front of the last reply.
    pub(super) fn take_settled(&mut self, answers: &mut Vec<Answer>) {
        if !self.waiting.is_empty() {
            let came = |answer: &Answer| answer.fault != Some(Fault::NoReply);
            let last = self.settled.iter().rposition(came);
            answers.extend(self.settled.drain(..last.unwrap_or(self.settled.len())));
            return;
        }
        if self.input.is_empty() {
            // An idle connection keeps no room for replies.
            self.input = Vec::new();
        } else {
            // Something has begun behind the last reply that nobody asked for.
            self.doubt_last();
        }
        answers.append(&mut self.settled);
    }

    /// The connection has ended. Gives up the question that has waited longest, since a server takes
    /// them in turn: its unit is returned, and the blocks of the others, which were not even heard.
    pub(super) fn abandon(&mut self) -> Option<(u8, Vec<usize>)> {
        self.doubt_last();
        self.input.clear();
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        let first = waiting.next()?;
        let unit = first.question.unit;
        self.settled.push(first.given_up());
        Some((unit, waiting.map(|waiting| waiting.question.block).collect()))
    }

    /// Sorts the whole frames of the input to the questions that wait.
    fn sort(&mut self) -> Result<(), LinkFault> {
        let input = std::mem::take(&mut self.input);
        let now = Instant::now();
        self.last_read = now;
        let mut rest = &input[..];
        let sorted = loop {
            match front(rest) {
                Front::Incomplete => break Ok(()),
                Front::Garbage => {
                    self.doubt_last();
                    break Err(LinkFault::Garbage);
                }
                Front::Frame(end, number) => {
                    self.take(&rest[..end], number, now);
                    rest = &rest[end..];
                }
            }
        };
        let read = input.len() - rest.len();
        self.input = input;
        self.input.drain(..read);
        sorted
    }

    /// Takes a frame to the question that it answers.
    fn take(&mut self, frame: &[u8], number: u16, now: Instant) {
        let waits = self.waiting.iter().position(|w| w.request.transaction == number);
        let Some(place) = waits else {
            if let Some(place) = self.given_up.iter().position(|given| *given == number) {
                self.given_up.swap_remove(place);
                self.strays.late = self.strays.late.saturating_add(1);
                return;
            }
            self.strays.unknown = self.strays.unknown.saturating_add(1);
            self.doubt_last();
            // A second reply to one question: which of the two is the right one?
            match self.settled.iter_mut().find(|a| a.transaction == number) {
                Some(twice) => twice.doubt(),
                None => self.blame(frame, now),
            }
            return;
        };
        let waiting = self.waiting.remove(place);
        self.answered = true;
        let said = if self.has_swallowed(frame, number) {
            Err(Fault::Undecodable)
        } else {
            waiting.request.answered_by(frame)
        };
        self.settled.push(waiting.answered(frame, said.err(), now));
    }

    /// Whether a frame has another reply among its cells, to any request that may still be answered.
    fn has_swallowed(&self, frame: &[u8], number: u16) -> bool {
        let [high, _] = number.to_be_bytes();
        // Numbers share their high byte with 255 others; the ones before have the one before.
        let before = if high == 1 { u8::MAX } else { high - 1 };
        swallows(frame, high)
            || swallows(frame, before)
            || self.given_up.iter().any(|given| {
                let [other, _] = given.to_be_bytes();
                other != high && other != before && swallows(frame, other)
            })
    }

    /// A reply with a number that nobody has is the fault of the question that it looks like a reply
    /// to: the one that has waited longest.
    fn blame(&mut self, frame: &[u8], now: Instant) {
        let looks_like = |w: &Waiting| w.request.answered_by(frame) != Err(Fault::Undecodable);
        if let Some(place) = self.waiting.iter().position(looks_like) {
            let waiting = self.waiting.remove(place);
            self.given_up.push(waiting.request.transaction);
            self.settled.push(waiting.answered(frame, Some(Fault::Undecodable), now));
        }
    }

    /// The last reply may have been filled up by what came behind it: it is not believed.
    fn doubt_last(&mut self) {
        let came = |answer: &&mut Answer| answer.fault != Some(Fault::NoReply);
        if let Some(last) = self.settled.iter_mut().rev().find(came) {
            last.doubt();
        }
    }

    /// Gives up the questions whose time is over.
    fn give_up_overdue(&mut self) -> Result<(), LinkFault> {
        let now = self.last_read;
        let overdue =
            self.waiting.iter().take_while(|w| w.sent + self.reply_timeout <= now).count();
        for waiting in self.waiting.drain(..overdue) {
            self.given_up.push(waiting.request.transaction);
            self.settled.push(waiting.given_up());
        }
        if self.input.is_empty() {
            return Ok(());
        }
        // Half a reply: whatever comes next would be taken for its other half.
        self.doubt_last();
        Err(LinkFault::Garbage)
    }
}

impl Waiting {
    fn given_up(self) -> Answer {
        let took = self.sent.elapsed();
        self.settled(&[], Some(Fault::NoReply), took)
    }

    fn answered(self, frame: &[u8], fault: Option<Fault>, now: Instant) -> Answer {
        let took = now.saturating_duration_since(self.sent);
        self.settled(frame, fault, took)
    }

    fn settled(self, reply: &[u8], fault: Option<Fault>, took: Duration) -> Answer {
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let (request, reply) = (self.request.bytes(), Arc::from(reply));
        Answer {
            question: self.question,
            fault,
            exchange: Exchange { at: self.at, took_us, request, reply },
            transaction: self.request.transaction,
        }
    }
}

impl Answer {
    /// What came is not to be believed.
    fn doubt(&mut self) {
        if self.fault.is_none() {
            self.fault = Some(Fault::Undecodable);
        }
    }
}

fn link_fault(error: &io::Error) -> LinkFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => LinkFault::Refused,
        io::ErrorKind::TimedOut => LinkFault::ConnectTimeout,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe => LinkFault::Closed,
        _ => LinkFault::Other(error.to_string()),
    }
}
