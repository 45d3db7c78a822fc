//! How asking went over the paths of a window. A monitor tells of it every ten minutes: of what it has not told yet, or
//! was killed before it could, nothing is known, and it is no 0.

use historian::counts::Share;
use historian::verdict_log::PollStats;

use super::figure::Figure;
use super::window::{Span, Window};
use crate::{Reader, StoreError};

/// Stretches of a window of which it is kept how asking went: the same for all paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    window: Span,
    /// Milliseconds that are told of, of those in which somebody watched.
    told: Share,
    /// A stretch that is told of begins in the window: counts belong to where theirs begins.
    begins: bool,
}

impl Asking {
    /// Of a window.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(reader: &Reader, window: &Window) -> Result<Self, StoreError> {
        let span = window.span;
        let (mut told, mut begins) = (Vec::<Span>::new(), false);
        reader.asked_stretches((span.from, span.to), |from, until| {
            begins |= from >= span.from;
            let own = Span::new(from, until);
            match told.last_mut() {
                Some(last) if own.from <= last.to => last.to = last.to.max(own.to),
                _ => told.push(own),
            }
        })?;
        let observed = window.eras.iter().flat_map(|era| &era.observed).map(|(_, span)| *span);
        let mut rest = &told[..];
        let mut share = Share::default();
        for watched in observed {
            rest = &rest[rest.partition_point(|own| own.to <= watched.from)..];
            let within = rest.iter().take_while(|own| own.from < watched.to);
            let ms: i64 = within.map(|own| own.and(watched).length()).sum();
            share += Share::new(ms.unsigned_abs(), watched.length().unsigned_abs());
        }
        Ok(Self { window: span, told: share, begins })
    }

    /// Over one path, by station and centre.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn over(
        &self,
        reader: &Reader,
        path: (&str, &str),
    ) -> Result<Figure<PollStats>, StoreError> {
        if !self.begins {
            return Ok(Figure::untold(self.told));
        }
        let asked = reader.asked(path, (self.window.from, self.window.to))?;
        Ok(Figure::new(asked, self.told))
    }
}
