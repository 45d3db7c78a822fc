//! What answers the requests of a channel: its image as it is now, and the desk that takes writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use config::{ChannelId, RegisterTable, blocks};
use tokio::sync::watch;

use super::control::{Desk, Write};
use super::frames::{HEADER, answer};
use crate::telemetry::conduct::Fate;
use crate::telemetry::image::{Image, Refusal};

/// What a channel has been asked, and what it answers: by these counts, since some faults hit the n-th
/// request.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) exceptions: AtomicU64,
    pub(super) bad_frames: AtomicU64,
    /// Answers to requests, whatever became of them.
    replies: AtomicU64,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Rights {
    /// Those of everybody on a connection without security.
    pub(super) const ALL: Self = Self { read: true, write: true };
}

/// A channel, as its connections need it.
pub(super) struct Station {
    pub(super) channel: ChannelId,
    pub(super) desk: Desk,
    pub(super) images: watch::Receiver<Arc<Image>>,
    pub(super) counters: Arc<Counters>,
}

/// What a request asks for.
pub(super) enum Wish {
    Read(RegisterTable, u16, u16),
    Write(Write),
    /// What cannot be done, with its exception.
    Never(u8),
}

impl Wish {
    /// What a request of a well-formed frame wants.
    pub(super) fn of(frame: &[u8]) -> Self {
        if !matches!(frame.get(HEADER), Some(1..=5 | 0x10)) {
            return Self::Never(1);
        }
        let [unit, function, a, b, c, d, ..] = frame[HEADER - 1..] else { return Self::Never(3) };
        let (address, count) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match function {
            1 => Self::Read(RegisterTable::Coil, address, count),
            2 => Self::Read(RegisterTable::Discrete, address, count),
            3 => Self::Read(RegisterTable::Holding, address, count),
            4 => Self::Read(RegisterTable::Input, address, count),
            // The two values that a coil is written with.
            5 => match (c, d) {
                (0 | 0xFF, 0) => Self::Write(Write::Coil { unit, address, on: c == 0xFF }),
                _ => Self::Never(3),
            },
            // A quantity is looked at before the address.
            0x10 if count == 0 => Self::Never(3),
            0x10 => {
                let bytes = frame.get(HEADER + 6..).unwrap_or_default();
                let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair[1]]);
                let values = bytes.chunks_exact(2).map(word).collect();
                Self::Write(Write::Registers { unit, address, values })
            }
            _ => Self::Never(1),
        }
    }
}

impl Station {
    /// What the channel says now.
    pub(super) fn image(&self) -> Arc<Image> {
        Arc::clone(&self.images.borrow())
    }

    /// Hands in a write, and answers when it is taken or refused.
    pub(super) async fn carry_out(
        &self,
        image: &Image,
        rights: Rights,
        (frame, write): (&[u8], Write),
        out: &mut Vec<u8>,
    ) {
        let done = if !rights.write {
            Err(1)
        } else if let Some(refusal) = refused(image, &write) {
            Err(exception(refusal))
        } else {
            self.desk.write(self.channel, write).await.map_err(exception)
        };
        let told = answer(frame, out, |out| {
            done?;
            // Address, and value or count, as they were asked.
            out.extend(&frame[HEADER + 1..HEADER + 5]);
            Ok(())
        });
        self.counters.count(told);
    }
}

impl Counters {
    /// Whether the answer is a refusal before anybody looks at the request: the `n`-th is put off.
    pub(super) fn put_off(&self, image: &Image, unit: u8) -> Option<u8> {
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        image.conduct().puts_off(unit, n)
    }

    /// Answers a read, or refuses what is never done.
    pub(super) fn tell(
        &self,
        image: &Image,
        rights: Rights,
        frame: &[u8],
        (table, address, count): (RegisterTable, u16, u16),
        out: &mut Vec<u8>,
    ) {
        let told = answer(frame, out, |out| {
            if !rights.read {
                return Err(1);
            }
            // One byte counts those that follow: 250 at most.
            let at = out.len();
            out.push(0);
            image.tell(frame[HEADER - 1], table, (address, count), out).map_err(exception)?;
            out[at] = u8::try_from(out.len() - at - 1).unwrap_or(0);
            Ok(())
        });
        self.count(told);
    }

    /// Refuses a request.
    pub(super) fn refuse(&self, frame: &[u8], code: u8, out: &mut Vec<u8>) {
        self.count(answer(frame, out, |_| Err(code)));
    }

    /// What becomes of an answer.
    pub(super) fn fate(&self, image: &Image, answer: &[u8]) -> Fate {
        let n = self.replies.fetch_add(1, Ordering::Relaxed);
        image.conduct().fate(answer, n)
    }

    /// A client is served.
    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// A frame was no request.
    pub(super) fn count_bad(&self) {
        self.bad_frames.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self, told: Result<(), u8>) {
        if told.is_err() {
            self.exceptions.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Why a channel does not even hand a write in.
fn refused(image: &Image, write: &Write) -> Option<Refusal> {
    match write {
        Write::Registers { unit, address, values } => {
            let block = *address == blocks::COMMAND;
            let command = values.first().copied().filter(|_| block).unwrap_or(*address);
            image.refuses_write(*unit, RegisterTable::Holding, command)
        }
        Write::Coil { unit, address, .. } => {
            image.refuses_write(*unit, RegisterTable::Coil, *address)
        }
    }
}

fn exception(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::IllegalAddress => 2,
        Refusal::IllegalQuantity => 3,
        Refusal::UnitAbsent => 0x0B,
        Refusal::Fault(code) => code,
    }
}
