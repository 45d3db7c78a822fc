//! One connection: requests in, answers out, in their order.
//!
//! A connection takes what the client has sent, answers every whole request of it, and sends these
//! answers together. Reads are answered from the image of the channel straight into the bytes that
//! leave; a write waits for the field. Time and memory are bounded: a client that owes the rest of
//! a frame or does not take its answers is let go, and nothing more is taken from it before it has
//! taken what it asked for.
//!
//! It is also the place where faults of the wire come true: requests that are swallowed, and answers
//! that leave late, in pieces, altered, or not at all.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::control::Write;
use super::frames::{HEADER, Verdict, answer, judge};
use super::station::{Counters, Rights, Station, Wish};
use crate::telemetry::conduct::Fate;
use crate::telemetry::image::Image;

/// Longest wait for the rest of a frame, or for a client to take its answers.
pub(super) const STALL: Duration = Duration::from_secs(10);
/// Bytes that are taken from a client at once. That bounds its answers that wait as well: 85 reads
/// at most, some 22 kB.
const TAKEN_MAX: usize = 1_024;

/// A stream whose connection can end without a farewell.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// Closing sends a reset.
    fn reset_on_close(&self) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

/// Bytes from the client that are not yet dealt with.
pub(super) struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// By when the rest of a frame must be here.
    until: Option<Instant>,
}

impl Input {
    pub(super) fn new() -> Self {
        let bytes = vec![0; TAKEN_MAX].into_boxed_slice();
        Self { bytes, start: 0, end: 0, until: None }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The first bytes have been dealt with.
    fn drop_front(&mut self, count: usize) {
        self.start += count;
        self.until = None;
    }

    /// Waits for more; false when the client sends nothing any more. Between frames a client may be
    /// idle for as long as it likes.
    async fn fill(&mut self, stream: &mut impl Wire) -> io::Result<bool> {
        let count = if self.start == self.end {
            stream.read(self.room()).await?
        } else {
            let until = *self.until.get_or_insert_with(|| Instant::now() + STALL);
            timeout_at(until, stream.read(self.room())).await.map_err(|_| stalled())??
        };
        self.end += count;
        Ok(count > 0)
    }

    /// Takes as much as there is room for from the front of `sent`, and says how much that is.
    pub(super) fn take(&mut self, sent: &[u8]) -> usize {
        let room = self.room();
        let count = room.len().min(sent.len());
        room[..count].copy_from_slice(&sent[..count]);
        self.end += count;
        count
    }

    /// Where more can be put.
    fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        &mut self.bytes[self.end..]
    }
}

fn stalled() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client stalled")
}

/// What stands between a batch of requests and the next thing to do.
pub(super) enum Next {
    /// More bytes are needed.
    Fill,
    /// A write at the front of the input, so many bytes, waits for the field.
    Write(usize, Write),
    /// The last answer leaves in these pieces, each after its pause.
    Pieces(Vec<(Duration, Vec<u8>)>),
    /// The connection is reset.
    Reset,
    /// The stream cannot be trusted.
    Broken(&'static str),
}

/// Serves a client until it leaves.
///
/// # Errors
/// Why the connection ended otherwise.
pub(super) async fn serve(
    mut stream: impl Wire,
    station: &Station,
    rights: Rights,
) -> io::Result<()> {
    let (mut input, mut output) = (Input::new(), Vec::new());
    let mut image = station.image();
    loop {
        let mut next = answer_all(&station.counters, &image, rights, &mut input, &mut output);
        if let Next::Write(end, write) = next {
            let frame = &input.bytes()[..end];
            let start = output.len();
            station.carry_out(&image, rights, (frame, write), &mut output).await;
            input.drop_front(end);
            // What came of a write can be read at once.
            image = station.image();
            match settle(&station.counters, &image, start, &mut output) {
                None => continue,
                Some(unusual) => next = unusual,
            }
        }
        if matches!(next, Next::Reset) {
            stream.reset_on_close()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        send(&mut stream, &mut output).await?;
        match next {
            Next::Pieces(pieces) => {
                for (pause, bytes) in pieces {
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                    output.extend(bytes);
                    send(&mut stream, &mut output).await?;
                }
            }
            Next::Broken(why) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
            _ if !input.fill(&mut stream).await? => return stream.shutdown().await,
            _ => {}
        }
        image = station.image();
    }
}

/// Gives the client its answers.
async fn send(stream: &mut impl Wire, output: &mut Vec<u8>) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    let mut sending = pin!(async {
        stream.write_all(output).await?;
        stream.flush().await
    });
    // Nearly always all is taken at once, and no clock is needed.
    match poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await {
        Poll::Ready(sent) => sent?,
        Poll::Pending => timeout(STALL, sending).await.map_err(|_| stalled())??,
    }
    output.clear();
    Ok(())
}

/// Answers the requests of the input up to the first one that is more than that.
pub(super) fn answer_all(
    counters: &Counters,
    image: &Image,
    rights: Rights,
    input: &mut Input,
    output: &mut Vec<u8>,
) -> Next {
    loop {
        let (end, exception) = match judge(input.bytes()) {
            Verdict::Incomplete => return Next::Fill,
            Verdict::Broken(why) => {
                counters.count_bad();
                return Next::Broken(why);
            }
            Verdict::Good(end) => (end, None),
            Verdict::Answer(end, code) => (end, Some(code)),
        };
        let frame = &input.bytes()[..end];
        let unit = frame[HEADER - 1];
        let start = output.len();
        if image.conduct().swallows(unit) {
            input.drop_front(end);
            continue;
        }
        if let Some(code) = exception {
            // What this comes to is known.
            let _ = answer(frame, output, |_| Err(code));
            counters.count_bad();
            input.drop_front(end);
            continue;
        }
        match (counters.put_off(image, unit), Wish::of(frame)) {
            (Some(code), _) | (None, Wish::Never(code)) => counters.refuse(frame, code, output),
            (None, Wish::Read(table, address, count)) => {
                counters.tell(image, rights, frame, (table, address, count), output);
            }
            (None, Wish::Write(write)) => return Next::Write(end, write),
        }
        input.drop_front(end);
        if let Some(unusual) = settle(counters, image, start, output) {
            return unusual;
        }
    }
}

/// What is to be done about an answer that does not leave as it is: `output` from `start` on.
fn settle(counters: &Counters, image: &Image, start: usize, output: &mut Vec<u8>) -> Option<Next> {
    match counters.fate(image, &output[start..]) {
        Fate::Sent => None,
        Fate::Pieces(pieces) => {
            output.truncate(start);
            Some(Next::Pieces(pieces))
        }
        Fate::Reset => Some(Next::Reset),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::ChannelId;

    use super::super::trial;
    use super::*;
    use crate::faults::{FaultKind, FaultSettings, Injection};
    use crate::field::Field;

    impl Wire for tokio::io::DuplexStream {
        fn reset_on_close(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read_request(transaction: u8, unit: u8) -> [u8; 12] {
        [0, transaction, 0, 0, 0, 6, unit, 2, 0, 0, 0, 2]
    }

    /// A channel whose answers leave in two pieces with a pause, and whose unit 2 is mute.
    fn strange_image() -> Image {
        let mut field = Field::new(Arc::new(config::Province::built_in()));
        let target = field.province().stations[0].id.clone();
        let kind = FaultKind::SplitReply;
        let mut settings = FaultSettings::of(kind);
        settings.set("ms", "300").unwrap();
        settings.set("every", "1").unwrap();
        let split = Injection { kind, target, centre: None, for_ms: None, settings };
        field.step(1_669_188_727_000);
        field.inject(&split).unwrap();
        field.step(1_669_188_728_000);
        let mut image = Image::clone(&field.image(ChannelId::at(0)));
        image.conduct_mut().mute.push(2);
        image
    }

    #[tokio::test(start_paused = true)]
    async fn answers_leave_as_their_fate_wants_it_and_in_their_order() {
        let (mut client, server) = tokio::io::duplex(4_096);
        let (station, _orders) = trial::station(Arc::new(strange_image()));
        let serving = tokio::spawn(async move { serve(server, &station, Rights::ALL).await });
        let start = Instant::now();
        let requests = [read_request(1, 2), read_request(2, 1), read_request(3, 1)].concat();
        client.write_all(&requests).await.unwrap();
        let mut answer = [0; 10];
        client.read_exact(&mut answer[..5]).await.unwrap();
        assert_eq!((answer[1], start.elapsed()), (2, Duration::ZERO), "unit 2 says nothing");
        client.read_exact(&mut answer[5..]).await.unwrap();
        assert_eq!((answer[7], answer[8]), (2, 1));
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[1], 3);
        assert!(start.elapsed() >= Duration::from_millis(600), "two pauses");
        drop(client);
        serving.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_sent_frame_ends_its_connection_and_idling_does_not() {
        let (mut client, server) = tokio::io::duplex(64);
        let (station, _orders) = trial::station(Arc::new(trial::first_image().clone()));
        let serving = tokio::spawn(async move { serve(server, &station, Rights::ALL).await });
        let mut answer = [0; 10];
        client.write_all(&read_request(1, 1)).await.unwrap();
        client.read_exact(&mut answer).await.unwrap();
        sleep(1_000 * STALL).await;
        client.write_all(&read_request(2, 1)).await.unwrap();
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[1], 2, "nothing is owed between two frames");
        let start = Instant::now();
        for byte in &read_request(3, 1)[..5] {
            // However often a little more comes.
            client.write_all(&[*byte]).await.unwrap();
            sleep(STALL / 10).await;
        }
        let end = serving.await.unwrap();
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= STALL && start.elapsed() < 2 * STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_answers_is_let_go() {
        let (mut client, server) = tokio::io::duplex(64);
        let (station, _orders) = trial::station(Arc::new(trial::first_image().clone()));
        let serving = tokio::spawn(async move { serve(server, &station, Rights::ALL).await });
        let asking = async { while client.write_all(&read_request(1, 1)).await.is_ok() {} };
        asking.await;
        assert_eq!(serving.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
