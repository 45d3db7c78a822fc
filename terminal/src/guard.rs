//! Taking the terminal over, and giving it back exactly as it was: whatever happens.

use std::io::{self, BufWriter, Stdout, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use ratatui::crossterm::{execute, queue};

/// Room for a whole frame, so that it leaves in one write: over SSH many small ones would show.
const FRAME_BYTES: usize = 64 * 1_024;

/// Modes that were set, one bit each.
const RAW: u8 = 1;
const SCREEN: u8 = 2;
const PASTE: u8 = 4;
const CURSOR: u8 = 8;

/// What was changed in the terminal and must be changed back.
#[derive(Debug, Default)]
struct Modes(AtomicU8);

impl Modes {
    fn push(&self) -> io::Result<()> {
        enable_raw_mode()?;
        self.0.fetch_or(RAW, Ordering::SeqCst);
        let mut out = io::stdout();
        // Noted before it is done: half of a sequence may have left when an error comes.
        self.0.fetch_or(SCREEN, Ordering::SeqCst);
        execute!(out, EnterAlternateScreen)?;
        self.0.fetch_or(PASTE, Ordering::SeqCst);
        execute!(out, EnableBracketedPaste)?;
        self.0.fetch_or(CURSOR, Ordering::SeqCst);
        execute!(out, Hide)
    }

    /// Changes everything back, once, whoever comes first. Errors are of no use here: the terminal
    /// may be gone.
    fn pop(&self) {
        let set = self.0.swap(0, Ordering::SeqCst);
        if set == 0 {
            return;
        }
        let mut out = io::stdout();
        let _ = queue!(out, EndSynchronizedUpdate);
        if set & CURSOR != 0 {
            let _ = queue!(out, Show);
        }
        if set & PASTE != 0 {
            let _ = queue!(out, DisableBracketedPaste);
        }
        if set & SCREEN != 0 {
            let _ = queue!(out, LeaveAlternateScreen);
        }
        let _ = out.flush();
        if set & RAW != 0 {
            let _ = disable_raw_mode();
        }
    }
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync + 'static;

/// Keeps the terminal taken over as long as it lives.
pub(super) struct Guard {
    modes: Arc<Modes>,
    /// What a panic elsewhere said.
    report: Arc<Mutex<Option<String>>>,
    previous: Arc<Hook>,
}

impl Guard {
    /// Takes the terminal over. A panic on this thread gives it back before it is reported; one on
    /// another thread is kept for the screen, since printing it would tear the screen.
    pub(super) fn enter() -> io::Result<Self> {
        let previous: Arc<Hook> = Arc::from(panic::take_hook());
        let guard = Self { modes: Arc::default(), report: Arc::default(), previous };
        let (modes, report) = (Arc::clone(&guard.modes), Arc::clone(&guard.report));
        let (previous, own) = (Arc::clone(&guard.previous), thread::current().id());
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == own {
                modes.pop();
                previous(info);
            } else {
                let said = info.to_string().replace('\n', " ");
                tracing::error!("a task stopped: {said}");
                *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
            }
        }));
        guard.modes.push()?;
        Ok(guard)
    }

    /// Gives the terminal back for a while.
    pub(super) fn leave(&self) {
        self.modes.pop();
    }

    /// Takes it over again.
    pub(super) fn enter_again(&self) -> io::Result<()> {
        self.modes.push()
    }

    /// What a panic on another thread said, once.
    pub(super) fn report(&self) -> Option<String> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.modes.pop();
        if !thread::panicking() {
            let previous = Arc::clone(&self.previous);
            panic::set_hook(Box::new(move |info| previous(info)));
        }
    }
}

/// Standard output in whole frames. Once writing fails the terminal is gone: from then on writes
/// are swallowed, so that nothing on the way out can fail over it.
pub(super) struct Output {
    inner: BufWriter<Stdout>,
    gone: Arc<AtomicBool>,
}

impl Output {
    pub(super) fn new(gone: Arc<AtomicBool>) -> Self {
        Self { inner: BufWriter::with_capacity(FRAME_BYTES, io::stdout()), gone }
    }

    fn tried<T>(&self, result: io::Result<T>, otherwise: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                tracing::warn!("the terminal is gone: {error}");
                self.gone.store(true, Ordering::SeqCst);
                Ok(otherwise)
            }
            ok => ok,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone.load(Ordering::SeqCst) {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.tried(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone.load(Ordering::SeqCst) {
            return Ok(());
        }
        let result = self.inner.flush();
        self.tried(result, ())
    }
}
