//! Keys, from a thread that does nothing else and only looks when asked.
//!
//! Not on the screen's own thread: when the terminal is gone, crossterm 0.29 reads its end over
//! and over without ever returning, and nobody would see the wish to quit.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event};

/// Events taken in one go: a paste or a held key costs one draw, not forty.
const BATCH_MAX: usize = 1_024;
/// Silence after which the terminal counts as gone: the thread answers within a turn.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// Events, none when none came in time.
    Events(Vec<Event>),
    /// Nothing will ever come again.
    Gone,
}

/// The keyboard and whatever else sends events.
pub(super) struct Keyboard {
    ask: SyncSender<Duration>,
    answers: Receiver<io::Result<Vec<Event>>>,
    /// When the question was put that is still unanswered.
    asked: Option<Instant>,
}

impl Keyboard {
    /// Starts the thread. It ends when the keyboard is dropped, or with the program when it is
    /// stuck.
    pub(super) fn start() -> io::Result<Self> {
        // One question at a time: neither end ever waits for room.
        let (ask, asked) = sync_channel::<Duration>(1);
        let (answer, answers) = sync_channel(1);
        thread::Builder::new().name("keyboard".to_owned()).spawn(move || {
            for patience in asked {
                if answer.send(read(patience)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { ask, answers, asked: None })
    }

    /// Events that come within `patience`.
    pub(super) fn wait(&mut self, patience: Duration) -> io::Result<Heard> {
        let asked = match self.asked {
            Some(asked) => asked,
            None if self.ask.send(patience).is_err() => return Ok(Heard::Gone),
            None => *self.asked.insert(Instant::now()),
        };
        match self.answers.recv_timeout(patience + patience / 2) {
            Ok(answer) => {
                self.asked = None;
                Ok(Heard::Events(answer?))
            }
            Err(RecvTimeoutError::Timeout) if asked.elapsed() < STUCK_AFTER => {
                Ok(Heard::Events(Vec::new()))
            }
            Err(_) => Ok(Heard::Gone),
        }
    }
}

fn read(patience: Duration) -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut patience = patience;
    while events.len() < BATCH_MAX && event::poll(patience)? {
        events.push(event::read()?);
        patience = Duration::ZERO;
    }
    Ok(events)
}
