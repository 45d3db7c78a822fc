//! Requests of any bytes without sockets: what the property test and the fuzz target run.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use config::{ChannelId, Province, RegisterTable};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};

use super::connection::{self, Wire};
use super::control::{Desk, Order, carry_out};
use super::station::{Rights, Station};
use crate::field::Field;
use crate::telemetry::image::Image;

/// When it is.
const AT_MS: i64 = 1_669_188_727_000;
/// The unit whose requests are swallowed when the first byte is odd.
const MUTE: u8 = 2;
/// More than this never waits for a client.
const WAITING_MAX: usize = 32 * 1024;

/// Feeds bytes to a station, in pieces that the first byte has a say in, and checks what comes back:
/// every whole request gets one answer, or none where its unit is mute; answers keep the order, name
/// their request, and tell what the image has; and little memory waits for the client.
///
/// # Panics
/// When any of this does not hold.
pub fn trial(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let mut image = Image::clone(first_image());
    let mute = first % 2 == 1;
    if mute {
        image.conduct_mut().mute.push(MUTE);
    }
    let image = Arc::new(image);
    let (station, orders) = station(Arc::clone(&image));
    let piece = usize::from(first / 2) + 1;
    let mut wire = Memory { input: bytes, piece, output: Vec::new(), most: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime needs nothing of the system").block_on(async {
        tokio::select! {
            // What is no Modbus ends it with an error: its answers up to there count.
            _ = connection::serve(&mut wire, &station, Rights::ALL) => {}
            () = take_writes(orders) => {}
        }
    });
    assert!(wire.most <= WAITING_MAX, "{} bytes waited", wire.most);
    let mut answers = &wire.output[..];
    for request in requests(bytes) {
        if mute && request[6] == MUTE {
            continue;
        }
        answers = check(&image, request, answers);
    }
    assert!(answers.is_empty(), "nobody asked for {answers:?}");
}

/// Whole requests up to where the stream is none of Modbus, found in the plainest way.
fn requests(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut requests = Vec::new();
    while let [_, _, 0, 0, high, low, ..] = *bytes {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(2..=254).contains(&length) || bytes.len() < 6 + length {
            break;
        }
        let (request, rest) = bytes.split_at(6 + length);
        requests.push(request);
        bytes = rest;
    }
    requests
}

/// Checks the answer to a request; what follows it is left.
fn check<'a>(image: &Image, request: &[u8], answers: &'a [u8]) -> &'a [u8] {
    assert!(answers.len() >= 9, "no answer to {request:?}");
    let length = usize::from(u16::from_be_bytes([answers[4], answers[5]]));
    let (answer, rest) = answers.split_at(6 + length);
    assert!(answer.len() <= 260, "an answer is no longer than a frame");
    assert_eq!(answer[..4], [request[0], request[1], 0, 0], "an answer to {request:?}");
    let (unit, function) = (request[6], request[7]);
    if answer[7] == function | 0x80 {
        assert!(answer.len() == 9 && [1, 2, 3, 0x0B].contains(&answer[8]), "{answer:?}");
        return rest;
    }
    assert_eq!((answer[6], answer[7]), (unit, function));
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    let table = [
        RegisterTable::Coil,
        RegisterTable::Discrete,
        RegisterTable::Holding,
        RegisterTable::Input,
    ];
    let table = table.into_iter().find(|table| table.read_function() == function);
    let Some(table) = table else {
        assert_eq!(answer[8..], request[8..12], "a write is answered by its address and its value");
        return rest;
    };
    assert_eq!(usize::from(answer[8]), answer.len() - 9);
    let cells = image.read(unit, table, word(8), word(10)).expect("it was answered");
    for (n, cell) in cells.iter().enumerate() {
        let told = if table.is_bits() {
            u16::from(answer[9 + n / 8] >> (n % 8) & 1)
        } else {
            u16::from_be_bytes([answer[9 + 2 * n], answer[10 + 2 * n]])
        };
        assert_eq!(told, *cell);
    }
    rest
}

/// A channel that says one image for ever.
pub(super) fn station(image: Arc<Image>) -> (Station, mpsc::Receiver<Order>) {
    let (desk, orders) = Desk::new(Arc::clone(province()));
    let (_, images) = watch::channel(image);
    let counters = Arc::default();
    (Station { channel: ChannelId(0), desk, images, counters }, orders)
}

fn province() -> &'static Arc<Province> {
    static PROVINCE: OnceLock<Arc<Province>> = OnceLock::new();
    PROVINCE.get_or_init(|| Arc::new(Province::built_in()))
}

/// What the first channel says at the start.
pub(super) fn first_image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| Image::clone(&field().image(ChannelId(0))))
}

fn field() -> Field {
    let mut field = Field::new(Arc::clone(province()));
    field.step(AT_MS);
    field
}

/// Lets a field take writes: each thread has one.
async fn take_writes(mut orders: mpsc::Receiver<Order>) {
    thread_local! {
        static FIELD: RefCell<Field> = RefCell::new(field());
    }
    while let Some(order) = orders.recv().await {
        FIELD.with_borrow_mut(|field| carry_out(field, AT_MS, order)).hand_over();
    }
}

/// A client that is no socket.
struct Memory<'a> {
    input: &'a [u8],
    /// Bytes that are read at once.
    piece: usize,
    output: Vec<u8>,
    /// Most bytes that were written at once.
    most: usize,
}

impl AsyncRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.piece.min(self.input.len()).min(buf.remaining());
        let (read, rest) = self.input.split_at(count);
        buf.put_slice(read);
        self.input = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.most = self.most.max(buf.len());
        // Not all at once: nobody promises that.
        let count = buf.len().min(self.piece * 8);
        self.output.extend(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire for &mut Memory<'_> {
    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }
}
