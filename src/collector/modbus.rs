//! One connection to a station: the only file of the collector that names `tokio_modbus`.
//!
//! The library sends one request and waits for its reply. After a deadline has passed, a late
//! reply would be taken for the next one's, and with slow devices for ever after; so whatever is
//! not a clean answer ends the connection here. A tap under the library keeps the bytes that went
//! over the wire.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use config::Table;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client, Context as Master, tcp};
use tokio_modbus::slave::SlaveContext as _;
use tokio_modbus::{Request, Response, Slave};

use super::plan::Block;
use super::reading::{Exchange, Fault, LinkFault};
use crate::clock::Clock;

/// A connection on which the last reply, if any, was a clean one.
pub(super) struct Connection {
    master: Master,
    tape: Arc<Mutex<Tape>>,
    clock: Clock,
}

/// What became of a request.
pub(super) struct Answer {
    pub(super) result: Result<Vec<u16>, Fault>,
    pub(super) exchange: Exchange,
    /// Whether the connection is surely in step: no reply can still be on its way.
    pub(super) in_step: bool,
}

impl Connection {
    pub(super) async fn open(
        host: &str,
        port: u16,
        deadline: Duration,
        clock: Clock,
    ) -> Result<Self, LinkFault> {
        let stream = match timeout(deadline, TcpStream::connect((host, port))).await {
            Err(_) => return Err(LinkFault::ConnectTimeout),
            Ok(Err(error)) => return Err(link_fault(&error)),
            Ok(Ok(stream)) => stream,
        };
        stream.set_nodelay(true).map_err(|error| link_fault(&error))?;
        let tape = Arc::default();
        let tap = Tap { stream, tape: Arc::clone(&tape) };
        Ok(Self { master: tcp::attach(tap), tape, clock })
    }

    /// Asks for a block and waits for the reply until `deadline` has passed.
    pub(super) async fn read(&mut self, block: &Block, deadline: Duration) -> Answer {
        self.master.set_slave(Slave(block.unit));
        let request = match block.table {
            Table::Coil => Request::ReadCoils(block.address, block.count),
            Table::Discrete => Request::ReadDiscreteInputs(block.address, block.count),
            Table::Holding => Request::ReadHoldingRegisters(block.address, block.count),
            Table::Input => Request::ReadInputRegisters(block.address, block.count),
        };
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (at, start) = (self.clock.now(), Instant::now());
        let reply = timeout(deadline, self.master.call(request)).await;
        let took_us = u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX);
        let tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, in_step) = match reply {
            Err(_) => (Err(Fault::NoReply), false),
            Ok(Ok(Ok(response))) => match cells(block, response) {
                Some(cells) => (Ok(cells), true),
                None => (Err(Fault::Undecodable), false),
            },
            Ok(Ok(Err(exception))) => (Err(Fault::Refused(exception.into())), true),
            // The library reports replies that it cannot decode and streams that ended alike;
            // the tap knows which it was.
            Ok(Err(_)) if tape.ended => (Err(Fault::NoReply), false),
            Ok(Err(_)) => (Err(Fault::Undecodable), false),
        };
        let (request, reply) = (tape.sent.clone(), tape.received.clone());
        Answer { result, exchange: Exchange { at, took_us, request, reply }, in_step }
    }
}

/// The cells of a reply, when it is one to this block and has as many as were asked for. Replies
/// of bits are padded to whole bytes; the padding is cut off.
fn cells(block: &Block, response: Response) -> Option<Vec<u16>> {
    let count = usize::from(block.count);
    let (table, cells) = match response {
        Response::ReadCoils(bits) => (Table::Coil, from_bits(&bits, count)?),
        Response::ReadDiscreteInputs(bits) => (Table::Discrete, from_bits(&bits, count)?),
        Response::ReadHoldingRegisters(words) => (Table::Holding, words),
        Response::ReadInputRegisters(words) => (Table::Input, words),
        _ => return None,
    };
    (table == block.table && cells.len() == count).then_some(cells)
}

fn from_bits(bits: &[bool], count: usize) -> Option<Vec<u16>> {
    (bits.len() == count || bits.len() == count.next_multiple_of(8))
        .then(|| bits[..count].iter().map(|bit| u16::from(*bit)).collect())
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

/// Bytes of the exchange that is under way.
#[derive(Debug, Default)]
struct Tape {
    sent: Vec<u8>,
    received: Vec<u8>,
    /// The station has closed the connection, or the system has given it up.
    ended: bool,
}

/// The longest frame of Modbus TCP is 260 bytes; what a peer sends beyond is not evidence.
const TAPE_BYTES_MAX: usize = 260;

impl Tape {
    fn clear(&mut self) {
        self.sent.clear();
        self.received.clear();
    }
}

fn record(track: &mut Vec<u8>, bytes: &[u8]) {
    let room = TAPE_BYTES_MAX.saturating_sub(track.len());
    track.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// A stream that keeps what passes through it.
#[derive(Debug)]
struct Tap {
    stream: TcpStream,
    tape: Arc<Mutex<Tape>>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = &buf.filled()[before..];
        tape.ended = read.is_err() || bytes.is_empty();
        record(&mut tape.received, bytes);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        match &written {
            Ok(count) => record(&mut tape.sent, &buf[..*count]),
            Err(_) => tape.ended = true,
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
