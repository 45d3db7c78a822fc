//! What the operator sees and has chosen: keys change it, snapshots pass through it, and it draws
//! itself. It opens nothing, writes nothing and reads no clock, so tests drive it like an operator.

use std::sync::Arc;

use config::{CentreId, Lang};
use historian::alarms::Raised;
use historian::snapshot::Snapshot;
use historian::verdict::Reason;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use signal::clock::Timestamp;

use super::Options;
use super::finding::Finder;
use super::keys::{self, Action};
use super::list::List;
use super::screen::Screen;
use super::screens::Body;
use super::screens::help::{self, Help};
use super::screens::overview::Overview;
use super::texts::Text;
use super::theme::Theme;
use super::view::{View, widest_centre};

/// Milliseconds without a new snapshot after which the collector counts as gone.
const DOWN_AFTER_MS: i64 = 3_000;

/// What the world outside must do about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing but to draw again.
    None,
    /// End the program.
    Quit,
    /// Give the terminal back to the shell until it calls.
    Suspend,
    /// Draw everything again, whatever the terminal shows.
    Redraw,
    /// Put a text on the clipboard.
    Copy(String),
    /// Acknowledge alarms.
    Acknowledge(Vec<Raised>),
}

/// What lies over the screen.
#[derive(Debug, Clone)]
pub(super) enum Popup {
    Help(Help),
    /// Choice of a reason by which signals are filtered.
    Reasons(List<Option<Reason>>),
}

/// The state of the terminal.
#[derive(Debug)]
pub struct Ui {
    pub(super) lang: Lang,
    pub(super) theme: Theme,
    pub(super) color: bool,
    pub(super) ascii: bool,
    simulate: Arc<str>,
    /// The latest snapshot, and the one that is shown.
    pub(super) newest: Arc<Snapshot>,
    pub(super) shown: Arc<Snapshot>,
    /// Milliseconds since the latest snapshot came.
    behind_ms: i64,
    gone: bool,
    pub(super) stopped: Option<String>,
    /// The present when the operator paused.
    pub(super) paused: Option<Timestamp>,
    pub(super) basis: CentreId,
    pub(super) stack: Vec<Screen>,
    pub(super) previous: Option<Vec<Screen>>,
    pub(super) popup: Option<Popup>,
    pub(super) finder: Finder,
    pub(super) notice: Option<String>,
    size: Body,
}

/// What a view borrows from, so that the state can change meanwhile.
pub(super) struct Scene {
    snapshot: Arc<Snapshot>,
    simulate: Arc<str>,
    now: Timestamp,
    lang: Lang,
    theme: Theme,
    basis: CentreId,
    down: bool,
}

impl Scene {
    pub(super) fn view(&self) -> View<'_> {
        View {
            snapshot: &self.snapshot,
            now: self.now,
            lang: self.lang,
            theme: self.theme,
            basis: self.basis,
            down: self.down,
            simulate: &self.simulate,
            keys: true,
        }
    }
}

impl Ui {
    /// The overview of a snapshot.
    pub fn new(options: Options, snapshot: Arc<Snapshot>) -> Self {
        Self {
            lang: options.lang,
            theme: if options.color { Theme::CalmDark } else { Theme::Mono },
            color: options.color,
            ascii: options.ascii,
            simulate: options.simulate.into(),
            basis: widest_centre(&snapshot),
            finder: Finder::new(&snapshot.province),
            shown: Arc::clone(&snapshot),
            newest: snapshot,
            behind_ms: 0,
            gone: false,
            stopped: None,
            paused: None,
            stack: vec![Screen::Overview(Overview::default())],
            previous: None,
            popup: None,
            notice: None,
            size: Body { width: 80, height: 24 },
        }
    }

    /// Takes a new snapshot. Says whether anything but ages may look different.
    pub fn take(&mut self, snapshot: Arc<Snapshot>) -> bool {
        let changed = differs(&self.newest, &snapshot) || self.is_down();
        let shows_values = matches!(self.screen(), Screen::Signals(_) | Screen::Links(_));
        self.newest = snapshot;
        self.behind_ms = 0;
        if self.paused.is_none() {
            self.shown = Arc::clone(&self.newest);
        }
        changed || shows_values
    }

    /// Tells how long ago the latest snapshot came.
    pub fn wait(&mut self, ms: i64) {
        self.behind_ms = ms;
    }

    /// Tells that no snapshot will ever come again.
    pub fn collector_gone(&mut self) {
        self.gone = true;
    }

    /// Tells that an acknowledgement was not taken.
    pub fn not_taken(&mut self) {
        self.say(Text::NotTaken);
    }

    /// Tells that a task of the program has stopped, in its own words.
    pub fn task_stopped(&mut self, report: String) {
        self.stopped = Some(report);
    }

    /// Whether no snapshot has come for too long.
    pub fn is_down(&self) -> bool {
        self.gone || self.behind_ms > DOWN_AFTER_MS
    }

    /// Chooses a theme; without colours there is only one.
    pub fn set_theme(&mut self, theme: Theme) {
        if self.color || theme == Theme::Mono {
            self.theme = theme;
        }
    }

    /// The screen's name, for tests and crumbs.
    pub fn place(&self) -> &'static str {
        self.screen().name().get(Lang::En)
    }

    /// Id of what is selected, as it stands in the contract; for tests.
    pub fn selected(&self) -> Option<String> {
        let province = &self.shown.province;
        match self.screen() {
            Screen::Signals(screen) => screen.list.selected().map(|(station, point)| {
                province.stations[station.index()].points[point.index()].id.clone()
            }),
            Screen::Events(screen) => screen.list.selected().and_then(|event| {
                let points = &province.stations[event.station.index()].points;
                Some(points[event.point?.index()].id.clone())
            }),
            other => other.station().map(|id| province.stations[id.index()].id.clone()),
        }
    }

    pub(super) fn screen(&self) -> &Screen {
        self.stack.last().expect("the overview is never left")
    }

    pub(super) fn screen_mut(&mut self) -> &mut Screen {
        self.stack.last_mut().expect("the overview is never left")
    }

    /// How long the snapshot has been frozen, milliseconds.
    pub(super) fn paused_ms(&self) -> Option<i64> {
        self.paused.map(|since| self.present().since(since))
    }

    /// The present: the latest snapshot's instant, moved on when snapshots stay away.
    pub(super) fn present(&self) -> Timestamp {
        let late = if self.is_down() { self.behind_ms } else { 0 };
        self.newest.at.plus(late)
    }

    pub(super) fn scene(&self) -> Scene {
        Scene {
            snapshot: Arc::clone(&self.shown),
            simulate: Arc::clone(&self.simulate),
            now: self.paused.unwrap_or_else(|| self.present()),
            lang: self.lang,
            theme: self.theme,
            basis: self.basis,
            down: self.is_down(),
        }
    }

    /// Draws everything into a buffer.
    pub fn draw(&mut self, buffer: &mut Buffer) {
        let area = buffer.area;
        self.size = Body { width: area.width.into(), height: area.height.into() };
        self.settle();
        super::drawing::draw(self, buffer);
    }

    /// Room for the body.
    pub(super) fn body(&self) -> Body {
        Body { width: self.size.width, height: self.size.height.saturating_sub(4) }
    }

    /// Lets the screen take over what there is to show.
    fn settle(&mut self) {
        let (scene, body) = (self.scene(), self.body());
        self.screen_mut().settle(&scene.view(), body);
        let place = self.screen().place();
        let choices = self.reason_choices();
        match &mut self.popup {
            Some(Popup::Help(help)) => {
                let entries: Vec<usize> = (0..help::entries(place).len()).collect();
                help.list.settle(&entries, body.height);
            }
            Some(Popup::Reasons(list)) => list.settle(&choices, body.height),
            None => {}
        }
    }

    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent) -> Effect {
        if key.kind == KeyEventKind::Release {
            return Effect::None;
        }
        self.notice = None;
        let effect = self.pressed(key);
        self.settle();
        effect
    }

    /// Takes a text that was pasted: into the field that is open, else it is no key at all.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.finder.is_open() {
                self.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            }
        }
        self.settle();
    }

    fn pressed(&mut self, key: KeyEvent) -> Effect {
        let action = keys::action(key, self.screen().place());
        if action == Some(Action::Quit) && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Effect::Quit;
        }
        if self.popup.is_none() && self.finder.is_open() && !keys::is_help(key) {
            self.type_key(key);
            return Effect::None;
        }
        if self.popup.is_some() {
            return self.popup_key(key, action);
        }
        if let Some(action) = action {
            return self.act(action);
        }
        if matches!(key.code, KeyCode::Char(_)) {
            self.say(Text::NotHere);
        }
        Effect::None
    }

    pub(super) fn say(&mut self, text: Text) {
        self.notice = Some(text.get(self.lang).to_owned());
    }

    /// A key while something lies over the screen: arrows choose, Enter does it, Esc closes.
    fn popup_key(&mut self, key: KeyEvent, action: Option<Action>) -> Effect {
        let place = self.screen().place();
        let motion = match action {
            Some(Action::Move(motion)) => Some(motion),
            _ => None,
        };
        let choices = self.reason_choices();
        match (&mut self.popup, key.code) {
            (Some(Popup::Help(help)), KeyCode::Enter) => {
                let chosen = help::action(place, help.list.row());
                self.popup = None;
                return chosen.map_or(Effect::None, |action| self.act(action));
            }
            (Some(Popup::Reasons(list)), KeyCode::Enter) => {
                let chosen = list.selected().flatten();
                self.popup = None;
                if let Screen::Signals(signals) = self.screen_mut() {
                    signals.filter.reason = chosen;
                }
                return Effect::None;
            }
            (_, KeyCode::Esc) => {
                self.popup = None;
                return Effect::None;
            }
            (Some(Popup::Help(help)), _) if motion.is_some() => {
                let entries: Vec<usize> = (0..help::entries(place).len()).collect();
                motion.map(|motion| help.list.go(motion, &entries));
                return Effect::None;
            }
            (Some(Popup::Reasons(list)), _) if motion.is_some() => {
                motion.map(|motion| list.go(motion, &choices));
                return Effect::None;
            }
            _ => {}
        }
        match action {
            Some(Action::Help) if matches!(self.popup, Some(Popup::Help(_))) => {
                self.popup = None;
                Effect::None
            }
            Some(Action::Filter) if matches!(self.popup, Some(Popup::Reasons(_))) => {
                self.popup = None;
                Effect::None
            }
            Some(action @ (Action::Lang | Action::Theme | Action::Pause | Action::Redraw)) => {
                self.act(action)
            }
            Some(action @ (Action::Suspend | Action::Quit)) => self.act(action),
            Some(action @ (Action::Go(_) | Action::Help)) => {
                self.popup = None;
                self.act(action)
            }
            _ => Effect::None,
        }
    }

    /// What can be chosen in the filter: no reason, or one that occurs.
    pub(super) fn reason_choices(&self) -> Vec<Option<Reason>> {
        let reasons = match self.screen() {
            Screen::Signals(signals) => signals.reasons(),
            _ => Vec::new(),
        };
        [None].into_iter().chain(reasons.into_iter().map(|(reason, _)| Some(reason))).collect()
    }
}

/// Whether two snapshots differ in anything but ages and values.
fn differs(old: &Snapshot, new: &Snapshot) -> bool {
    let same = old.figures == new.figures
        && old.centres == new.centres
        && old.sites == new.sites
        && old.first_scan() == new.first_scan()
        && Arc::ptr_eq(&old.alarms, &new.alarms)
        && old.metering.uncounted == new.metering.uncounted
        && old.metering.total == new.metering.total
        && old.metering.reads == new.metering.reads
        && old.events.iter().zip(&new.events).all(|(old, new)| Arc::ptr_eq(old, new));
    !same
}
