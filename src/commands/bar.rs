//! How far a command is, shown on a terminal.

use std::io::{IsTerminal as _, Write as _};

/// A bar on standard error; nothing where that is no terminal.
pub(super) struct Bar {
    shown: Option<u32>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { shown: is_terminal.then_some(u32::MAX) }
    }

    /// Shows the share that is done, 0 to 1.
    pub(super) fn show(&mut self, done: f64) {
        let Some(shown) = &mut self.shown else { return };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        let percent = (100.0 * done) as u32;
        if percent != *shown {
            *shown = percent;
            let full = "#".repeat((percent / 4) as usize);
            // With no standard error left there is nobody to tell.
            let _ = write!(std::io::stderr(), "\r[{full:25}] {percent:3} %");
        }
    }

    /// Leaves the line as it was.
    pub(super) fn clear(&self) {
        if self.shown.is_some_and(|shown| shown != u32::MAX) {
            Self::leave();
        }
    }

    /// The same, whatever was shown.
    pub(super) fn leave() {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r{:34}\r", "");
        }
    }
}
