//! Frames checked before the Modbus library sees them.
//!
//! The library's server closes connections without an answer on frames that it does not decode,
//! panics on some, and waits without limit for the rest of others. This transport lies under it:
//! it assembles whole frames, hands on those whose length fits their function, answers the others
//! as the specification asks, and ends a connection whose stream cannot be trusted or that stalls.
//!
//! Answers of its own are queued behind those of the library, one request at a time, so that the
//! order of requests is the order of answers.
//!
//! It is also the place where faults of the wire come true: requests that are swallowed, and answers
//! that leave late, in pieces, altered, or not at all.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::faults::wire::Fate;

/// Header of Modbus TCP: transaction, protocol, length, unit.
const HEADER: usize = 7;
/// Longest frame: header and 253 bytes (specification V1.1b3, section 4.1).
const FRAME_MAX: usize = 260;
/// Longest wait for the rest of a frame, or for a client to take its answers.
const STALL: Duration = Duration::from_secs(10);
/// Bytes of answers that may wait for a client before no further request is taken from it.
const WAITING_MAX: usize = 64 * 1024;

/// What to do with a frame.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Not all of it is here.
    Incomplete,
    /// Hand it on: so many bytes.
    Good(usize),
    /// Answer with this exception: so many bytes are the frame.
    Answer(usize, u8),
    /// The stream cannot be trusted.
    Broken(&'static str),
}

/// Looks at the first frame of a stream.
fn judge(bytes: &[u8]) -> Verdict {
    if bytes.len() >= 4 && bytes[2..4] != [0, 0] {
        return Verdict::Broken("the protocol is not Modbus");
    }
    if bytes.len() < HEADER - 1 {
        return Verdict::Incomplete;
    }
    // The length counts the unit and the PDU: at least a function, at most 253 bytes.
    let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    if !(2..=FRAME_MAX - HEADER + 1).contains(&length) {
        return Verdict::Broken("no frame has this length");
    }
    let end = HEADER - 1 + length;
    if bytes.len() < end {
        return Verdict::Incomplete;
    }
    let pdu = &bytes[HEADER..end];
    let word = |at: usize| usize::from(u16::from_be_bytes([pdu[at], pdu[at + 1]]));
    let fits = match pdu[0] {
        1..=6 => pdu.len() == 5,
        0x0F => pdu.len() >= 6 && word_bytes(pdu, word(3).div_ceil(8)),
        0x10 => pdu.len() >= 6 && word_bytes(pdu, 2 * word(3)),
        0x16 => pdu.len() == 7,
        // Functions that a station does not have.
        _ => return Verdict::Answer(end, 1),
    };
    if fits { Verdict::Good(end) } else { Verdict::Answer(end, 3) }
}

/// Whether a write of several cells has as many bytes as it says.
fn word_bytes(pdu: &[u8], bytes: usize) -> bool {
    usize::from(pdu[5]) == bytes && pdu.len() == 6 + bytes
}

/// How the owner of a connection wants it to be served.
pub(crate) trait Manners: Send {
    /// A frame was not handed on.
    fn on_bad(&self);

    /// Whether a request to a unit is swallowed.
    fn swallows(&self, _unit: u8) -> bool {
        false
    }

    /// What becomes of an answer.
    fn fate(&self, _answer: &[u8]) -> Fate {
        Fate::Sent
    }
}

impl<F: Fn() + Send> Manners for F {
    fn on_bad(&self) {
        self();
    }
}

/// A stream whose connection can end without a farewell.
pub(crate) trait Resettable {
    /// Closing sends a reset.
    fn reset_on_close(&self) -> io::Result<()>;
}

impl Resettable for TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

/// Bytes that leave after a pause.
struct Piece {
    pause: Duration,
    bytes: Vec<u8>,
    /// Runs while the pause does.
    timer: Option<Pin<Box<Sleep>>>,
}

/// A stream that hands on only whole, well-formed requests.
pub(crate) struct Frames<S> {
    stream: S,
    /// Bytes from the client that are not yet dealt with.
    input: VecDeque<u8>,
    /// Bytes of the request that is being handed to the library.
    handing: usize,
    /// Answers that the client has not yet taken.
    output: VecDeque<u8>,
    /// What leaves after that.
    later: VecDeque<Piece>,
    /// Runs while the client owes the rest of a frame or does not take its answers.
    stalled: Option<Pin<Box<Sleep>>>,
    manners: Box<dyn Manners>,
}

impl<S: AsyncRead + AsyncWrite + Resettable + Unpin> Frames<S> {
    pub(crate) fn new(stream: S, manners: impl Manners + 'static) -> Self {
        Self {
            stream,
            input: VecDeque::new(),
            handing: 0,
            output: VecDeque::new(),
            later: VecDeque::new(),
            stalled: None,
            manners: Box::new(manners),
        }
    }

    /// Gives the client what it is ready to take.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while !self.output.is_empty() {
                let (front, _) = self.output.as_slices();
                let n = ready!(Pin::new(&mut self.stream).poll_write(cx, front))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.output.drain(..n);
            }
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            let Some(piece) = self.later.front_mut() else { return Poll::Ready(Ok(())) };
            if !piece.pause.is_zero() {
                let until = || Box::pin(sleep_until(Instant::now() + piece.pause));
                ready!(piece.timer.get_or_insert_with(until).as_mut().poll(cx));
            }
            self.output.extend(self.later.pop_front().map(|piece| piece.bytes).unwrap_or_default());
        }
    }

    /// Ready when the client has stalled for too long.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let timer =
            self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + STALL)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client stalled"))
    }

    /// Answers a frame of `end` bytes with an exception.
    fn refuse(&mut self, end: usize, code: u8) {
        let frame: Vec<u8> = self.input.drain(..end).collect();
        let [transaction_high, transaction_low, .., unit, function] = frame[..=HEADER] else {
            return;
        };
        let answer = [transaction_high, transaction_low, 0, 0, 0, 3, unit, function | 0x80, code];
        if self.later.is_empty() {
            self.output.extend(answer);
        } else {
            self.push_later(Duration::ZERO, answer.to_vec());
        }
        self.manners.on_bad();
    }

    /// Takes an answer to the end of the queue, as its fate wants it.
    fn queue(&mut self, answer: &[u8]) -> io::Result<()> {
        match self.manners.fate(answer) {
            Fate::Sent if self.later.is_empty() => self.output.extend(answer),
            Fate::Sent => self.push_later(Duration::ZERO, answer.to_vec()),
            Fate::Pieces(pieces) => {
                for (pause, bytes) in pieces {
                    self.push_later(pause, bytes);
                }
            }
            Fate::Reset => {
                self.stream.reset_on_close()?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        Ok(())
    }

    fn push_later(&mut self, pause: Duration, bytes: Vec<u8>) {
        self.later.push_back(Piece { pause, bytes, timer: None });
    }

    /// Answers that have not left yet, bytes.
    fn waiting(&self) -> usize {
        self.output.len() + self.later.iter().map(|piece| piece.bytes.len()).sum::<usize>()
    }

    /// Drops the request at the front when its unit is not to answer.
    fn swallow(&mut self, end: usize) -> bool {
        let swallowed = self.input.get(HEADER - 1).is_some_and(|unit| self.manners.swallows(*unit));
        if swallowed {
            self.input.drain(..end);
        }
        swallowed
    }

    /// Reads what the client has sent; ready with the number of bytes.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; 2 * FRAME_MAX];
        let mut buf = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        self.input.extend(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<S: AsyncRead + AsyncWrite + Resettable + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.handing > 0 {
                let n = this.handing.min(buf.remaining());
                let bytes: Vec<u8> = this.input.drain(..n).collect();
                buf.put_slice(&bytes);
                this.handing -= n;
                return Poll::Ready(Ok(()));
            }
            if this.waiting() > WAITING_MAX {
                // The client asks and does not listen: it is asked to listen first.
                match this.poll_drain(cx) {
                    Poll::Ready(drained) => drained?,
                    Poll::Pending => return this.poll_stall(cx).map(Err),
                }
            }
            match judge(this.input.make_contiguous()) {
                Verdict::Good(end) | Verdict::Answer(end, _) if this.swallow(end) => {
                    this.stalled = None;
                    continue;
                }
                Verdict::Good(end) => {
                    (this.handing, this.stalled) = (end, None);
                    continue;
                }
                Verdict::Answer(end, code) => {
                    this.stalled = None;
                    this.refuse(end, code);
                    continue;
                }
                Verdict::Broken(why) => {
                    this.manners.on_bad();
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                Verdict::Incomplete => {}
            }
            let drained = this.poll_drain(cx)?.is_ready();
            match this.poll_fill(cx)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
                // Between frames a client may be idle for as long as it likes.
                Poll::Pending if drained && this.input.is_empty() => {
                    this.stalled = None;
                    return Poll::Pending;
                }
                Poll::Pending => return this.poll_stall(cx).map(Err),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Resettable + Unpin> AsyncWrite for Frames<S> {
    /// Takes an answer of the library; its memory is bounded because no request is handed on while
    /// too many answers wait.
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().queue(buf)?;
        Poll::Ready(Ok(buf.len()))
    }

    /// Sends the answers, unless another whole request is already here: then they go out together.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let next = judge(this.input.make_contiguous());
        let more = matches!(next, Verdict::Good(_) | Verdict::Answer(..));
        if more && this.waiting() <= WAITING_MAX {
            return Poll::Ready(Ok(()));
        }
        match this.poll_drain(cx) {
            Poll::Ready(drained) => {
                this.stalled = None;
                Poll::Ready(drained)
            }
            Poll::Pending => this.poll_stall(cx).map(Err),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    impl Resettable for tokio::io::DuplexStream {
        fn reset_on_close(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Sends every answer in two pieces with a pause, and swallows requests to unit 9.
    struct Strange;

    impl Manners for Strange {
        fn on_bad(&self) {}

        fn swallows(&self, unit: u8) -> bool {
            unit == 9
        }

        fn fate(&self, answer: &[u8]) -> Fate {
            let (one, other) = answer.split_at(answer.len() / 2);
            let pause = Duration::from_millis(300);
            Fate::Pieces(vec![(Duration::ZERO, one.to_vec()), (pause, other.to_vec())])
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_leave_as_their_fate_wants_it_and_in_their_order() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut frames = Frames::new(server, Strange);
        let mut buf = [0; 64];
        let mut to_nine = frame(&[4, 0, 0, 0, 2]);
        to_nine[6] = 9;
        client.write_all(&to_nine).await.unwrap();
        client.write_all(&frame(&[4, 0, 0, 0, 2])).await.unwrap();
        assert_eq!(frames.read(&mut buf).await.unwrap(), 12, "the one to unit 9 is gone");
        assert_eq!(buf[6], 1);
        let start = Instant::now();
        frames.write_all(b"abcdef").await.unwrap();
        let serving = tokio::spawn(async move {
            frames.flush().await.unwrap();
            frames.write_all(b"gh").await.unwrap();
            frames.flush().await.unwrap();
        });
        client.read_exact(&mut buf[..3]).await.unwrap();
        assert_eq!((&buf[..3], start.elapsed()), (&b"abc"[..], Duration::ZERO));
        client.read_exact(&mut buf[..5]).await.unwrap();
        assert_eq!(&buf[..5], b"defgh");
        assert!(start.elapsed() >= Duration::from_millis(600), "two pauses");
        serving.await.unwrap();
    }

    fn frame(pdu: &[u8]) -> Vec<u8> {
        let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        [&[0, 1, 0, 0, length[0], length[1], 1], pdu].concat()
    }

    #[test]
    fn frames_are_judged_by_length_and_function() {
        let good = frame(&[4, 0, 0, 0, 2]);
        assert_eq!(judge(&good), Verdict::Good(12));
        for short in 0..good.len() {
            assert_eq!(judge(&good[..short]), Verdict::Incomplete);
        }
        assert_eq!(judge(&frame(&[4, 0, 0, 0])), Verdict::Answer(11, 3));
        assert_eq!(judge(&frame(&[4, 0, 0, 0, 2, 9])), Verdict::Answer(13, 3));
        assert_eq!(judge(&frame(&[0x2B, 14, 1, 0])), Verdict::Answer(11, 1));
        // 2 000 coils announced, one byte of data.
        assert_eq!(judge(&frame(&[0x0F, 0, 0, 7, 0xD0, 1, 0])), Verdict::Answer(14, 3));
        assert_eq!(judge(&[0, 1, 0, 9]), Verdict::Broken("the protocol is not Modbus"));
        for length in [0_u16, 1, 255, u16::MAX] {
            let [high, low] = length.to_be_bytes();
            let broken = Verdict::Broken("no frame has this length");
            assert_eq!(judge(&[0, 1, 0, 0, high, low]), broken);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_sent_frame_ends_its_connection_and_idling_does_not() {
        let (client, server) = tokio::io::duplex(64);
        let (mut client, mut frames) = (client, Frames::new(server, || {}));
        let mut buf = [0; 64];
        client.write_all(&frame(&[4, 0, 0, 0, 2])).await.unwrap();
        assert_eq!(frames.read(&mut buf).await.unwrap(), 12);
        let idle = tokio::time::timeout(1_000 * STALL, frames.read(&mut buf)).await;
        assert!(idle.is_err(), "nothing is owed between two frames");
        client.write_all(&frame(&[4, 0, 0, 0, 2])[..5]).await.unwrap();
        let start = Instant::now();
        let end = frames.read(&mut buf).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= STALL && start.elapsed() < 2 * STALL);
    }
}
