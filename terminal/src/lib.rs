//! The screens: which required signal is not there, since when, and why.
//!
//! Drawn from the historian's snapshot and nothing else. What is here runs the loop; [`Ui`] holds
//! what the operator has chosen and draws it, and can be driven by tests without a terminal.
//!
//! ```text
//! keys ─► keys.rs (one table) ─► Action ─► Ui ─► Effect: quit, suspend, copy
//! historian ─► watch::Receiver<Arc<Snapshot>> ─► Ui ─► screens ─► lines ─► buffer
//! ```

mod acting;
mod attention;
mod clipboard;
mod drawing;
mod evidence;
mod finding;
mod fold;
mod glyphs;
mod guard;
mod keyboard;
mod keys;
mod list;
mod paint;
mod plain;
mod screen;
mod screens;
mod table;
mod theme;
mod ui;
mod view;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config::{Lang, StationId};
use historian::alarms::Raised;
use historian::events::EventEntry;
use historian::issues;
use historian::snapshot::Snapshot;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::Event;
use ratatui::crossterm::queue;
use ratatui::crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use tokio::sync::watch;
use words::{format, happenings, jumps, places, texts};

use guard::{Guard, Output};
use keyboard::{Heard, Keyboard};
pub use plain::{Page, SnapshotOrigin};
/// What [`Ui`] draws into, and whose keys it takes.
pub use ratatui;
pub use theme::Theme;
pub use ui::{Effect, Ui};

/// Longest sleep between two looks at keys, snapshots and the wish to quit.
const TURN: Duration = Duration::from_millis(100);
/// Shortest time between two redraws that no key asked for.
const REDRAW_MIN: Duration = Duration::from_millis(250);
/// Time between two redraws when nothing but ages changes.
const REDRAW_AGES: Duration = Duration::from_secs(1);

/// How to show the province.
#[derive(Debug, Clone)]
pub struct Options {
    /// Language at the start.
    pub lang: Lang,
    /// Whether colours may be used.
    pub color: bool,
    /// Plain ASCII marks instead of box-drawing and symbols.
    pub ascii: bool,
    /// The command that starts the simulated stations, for when nobody answers.
    pub simulate: String,
}

/// Why the screens were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The operator asked for it.
    Asked,
    /// The operator asked for it when no snapshots came any more.
    AskedWhileDown,
    /// The program was told to end.
    Told,
    /// The terminal is gone.
    TerminalGone,
}

/// Shows the snapshots that come, until the operator leaves or `quit` is set. What he acknowledges is handed
/// to `acknowledge`, which says whether it was taken.
///
/// Must be called on the main thread: while it runs, a panic there gives the terminal back, one
/// elsewhere is shown.
///
/// # Errors
/// When the terminal cannot be taken over or read.
#[expect(clippy::needless_pass_by_value, reason = "the caller has no use for them afterwards")]
pub fn run(
    news: watch::Receiver<Arc<Snapshot>>,
    acknowledge: impl Fn(Vec<Raised>) -> bool,
    options: Options,
    quit: Arc<AtomicBool>,
) -> io::Result<Exit> {
    let guard = Guard::enter()?;
    let gone = Arc::new(AtomicBool::new(false));
    let backend = CrosstermBackend::new(Output::new(Arc::clone(&gone)));
    // Declared after the guard, so that it is dropped before: it shows its cursor again.
    let mut screen = Terminal::new(backend)?;
    let mut keyboard = Keyboard::start()?;
    let mut news = news;
    let first = Arc::clone(&news.borrow_and_update());
    let mut session =
        Session { ui: Ui::new(options, first), came: Instant::now(), drawn: None, due: Due::Now };
    loop {
        if gone.load(Ordering::SeqCst) {
            return Ok(Exit::TerminalGone);
        }
        if quit.load(Ordering::SeqCst) {
            return Ok(Exit::Told);
        }
        session.look(&mut news, &guard);
        if session.must_draw() {
            session.draw(&mut screen)?;
        }
        let events = match keyboard.wait(TURN)? {
            Heard::Events(events) => events,
            Heard::Gone => return Ok(Exit::TerminalGone),
        };
        for event in events {
            match session.take(&event) {
                Effect::None => {}
                Effect::Quit if session.ui.is_down() => return Ok(Exit::AskedWhileDown),
                Effect::Quit => return Ok(Exit::Asked),
                Effect::Acknowledge(raised) => {
                    if !acknowledge(raised) {
                        session.ui.not_taken();
                    }
                }
                Effect::Redraw => screen.clear()?,
                Effect::Suspend => {
                    suspend(&guard)?;
                    screen.clear()?;
                }
                Effect::Copy(text) => {
                    let out = screen.backend_mut();
                    out.write_all(clipboard::sequence(&text).as_bytes())?;
                    out.flush()?;
                }
            }
        }
    }
}

/// When the next redraw is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A key was pressed: at once.
    Now,
    /// Counts have changed.
    Soon,
    /// Only ages have.
    Later,
}

struct Session {
    ui: Ui,
    /// When the latest snapshot came.
    came: Instant,
    drawn: Option<Instant>,
    due: Due,
}

impl Session {
    /// Looks for news from the other threads.
    fn look(&mut self, news: &mut watch::Receiver<Arc<Snapshot>>, guard: &Guard) {
        let was_down = self.ui.is_down();
        match news.has_changed() {
            Ok(true) => {
                let snapshot = Arc::clone(&news.borrow_and_update());
                self.came = Instant::now();
                if self.ui.take(snapshot) {
                    self.due = self.due.min(Due::Soon);
                }
            }
            Ok(false) => {}
            Err(_) => self.ui.collector_gone(),
        }
        let waited = i64::try_from(self.came.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.ui.wait(waited);
        if let Some(report) = guard.report() {
            self.ui.task_stopped(report);
            self.due = Due::Now;
        }
        if self.ui.is_down() != was_down {
            self.due = Due::Now;
        }
    }

    fn must_draw(&self) -> bool {
        let since = self.drawn.map(|drawn| drawn.elapsed());
        since.is_none_or(|since| match self.due {
            Due::Now => true,
            Due::Soon => since >= REDRAW_MIN,
            Due::Later => since >= REDRAW_AGES,
        })
    }

    fn draw(&mut self, screen: &mut Terminal<CrosstermBackend<Output>>) -> io::Result<()> {
        queue!(screen.backend_mut(), BeginSynchronizedUpdate)?;
        screen.draw(|frame| self.ui.draw(frame.buffer_mut()))?;
        queue!(screen.backend_mut(), EndSynchronizedUpdate)?;
        screen.backend_mut().flush()?;
        (self.drawn, self.due) = (Some(Instant::now()), Due::Later);
        Ok(())
    }

    fn take(&mut self, event: &Event) -> Effect {
        self.due = Due::Now;
        match event {
            Event::Key(key) => self.ui.press(*key),
            Event::Paste(text) => {
                self.ui.paste(text);
                Effect::None
            }
            Event::Resize(..) | Event::Mouse(_) | Event::FocusGained | Event::FocusLost => {
                Effect::None
            }
        }
    }
}

/// Gives the terminal to the shell and stops, as Ctrl-Z does everywhere, until it continues.
fn suspend(guard: &Guard) -> io::Result<()> {
    guard.leave();
    #[cfg(unix)]
    signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)?;
    guard.enter_again()
}

/// The figures of a snapshot and why stations fall short, as lines of text.
pub fn text(snapshot: &Snapshot, lang: Lang, ascii: bool) -> String {
    let text = plain::overview(&plain::view(snapshot, lang), true, plain::WIDTH);
    if ascii { glyphs::plain_text(&text) } else { text }
}

/// A screen of a snapshot as text, in `width` columns; the figures take what they need.
pub fn page(snapshot: &Snapshot, page: Page, (lang, ascii): (Lang, bool), width: usize) -> String {
    let text = plain::page(&plain::view(snapshot, lang), page, width);
    if ascii { glyphs::plain_text(&text) } else { text }
}

/// How it is known what a snapshot says that was made from history, as lines of text.
pub fn origin(snapshot: &Snapshot, origin: &SnapshotOrigin, (lang, ascii): (Lang, bool)) -> String {
    let text = plain::origin(&plain::view(snapshot, lang), origin);
    if ascii { glyphs::plain_text(&text) } else { text }
}

/// The line over the lines of events.
pub fn event_head(snapshot: &Snapshot, lang: Lang) -> String {
    plain::event_head(&plain::view(snapshot, lang))
}

/// One entry of the events as a line of text.
pub fn event_line(snapshot: &Snapshot, entry: &EventEntry, lang: Lang, ascii: bool) -> String {
    let text = plain::event_line(&plain::view(snapshot, lang), entry);
    if ascii { glyphs::plain_text(&text) } else { text }
}

/// Why a station falls short, as lines of text without marks of selection.
pub fn why_lines(snapshot: &Snapshot, station: StationId, lang: Lang) -> Vec<String> {
    plain::why_lines(&plain::view(snapshot, lang), station)
}
