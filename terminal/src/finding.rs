//! Finding by name: the field that is typed into, and the hits.

use config::Province;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

use super::fold::{Index, Words};
use super::screen::Screen;
use super::screens::{alarms, events, links, signals};
use super::texts::Text;
use super::ui::Ui;
use super::view::View;

/// Longest text that can be looked for, letters: more has no use.
const TYPED_MAX: usize = 60;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Finder {
    index: Index,
    /// What is being typed, and the row that was selected before.
    field: Option<(String, usize)>,
    /// What was looked for last.
    wanted: String,
}

impl Finder {
    pub(super) fn new(province: &Province) -> Self {
        Self { index: Index::new(province), field: None, wanted: String::new() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.field.is_some()
    }

    /// Opens the field.
    pub(super) fn open(&mut self, row: usize) {
        self.field = Some((String::new(), row));
    }

    /// What is being typed.
    pub(super) fn typed(&self) -> Option<&str> {
        self.field.as_ref().map(|(typed, _)| typed.as_str())
    }

    /// What is looked for.
    pub(super) fn wanted(&self) -> &str {
        &self.wanted
    }

    /// Forgets what was looked for. Says whether there was anything.
    pub(super) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.wanted).is_empty()
    }
}

impl Ui {
    /// A key while the field is open.
    pub(super) fn type_key(&mut self, key: KeyEvent) {
        let Some((typed, origin)) = &mut self.finder.field else { return };
        let origin = *origin;
        match key.code {
            KeyCode::Esc => {
                self.finder.field = None;
                self.screen_mut().select(origin);
                return;
            }
            KeyCode::Enter => {
                let typed = std::mem::take(typed);
                self.finder.field = None;
                let hits = self.hits(&Words::new(&typed));
                if hits == 0 && !typed.trim().is_empty() {
                    self.notice = Some(format!("{}: {typed}", Text::NoHits.get(self.lang)));
                } else {
                    typed.trim().clone_into(&mut self.finder.wanted);
                }
                return;
            }
            KeyCode::Backspace => {
                // A letter with its marks is one letter, however it was composed.
                let end = typed.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
                typed.truncate(end);
            }
            KeyCode::Char(c)
                if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                if typed.chars().count() < TYPED_MAX {
                    typed.push(c);
                }
            }
            _ => return,
        }
        let words = Words::new(typed);
        self.screen_mut().select(origin);
        if !words.is_empty() {
            self.jump(&words, origin, true);
        }
    }

    /// The next or the previous hit of what was looked for last.
    pub(super) fn hit(&mut self, forward: bool) {
        let words = Words::new(&self.finder.wanted);
        let rows = self.screen().len();
        if words.is_empty() || rows == 0 {
            self.say(Text::TypeToFind);
            return;
        }
        let step = if forward { 1 } else { rows - 1 };
        let from = (self.screen().row() + step) % rows;
        if !self.jump(&words, from, forward) {
            self.notice = Some(format!("{}: {}", Text::NoHits.get(self.lang), self.finder.wanted));
        }
    }

    /// Selects the first hit from a row on, round the end. Says whether there is one.
    fn jump(&mut self, words: &Words, from: usize, forward: bool) -> bool {
        let scene = self.scene();
        let (view, rows) = (scene.view(), self.screen().len());
        let hit = (0..rows)
            .map(|n| if forward { (from + n) % rows } else { (from + rows - n) % rows })
            .find(|row| self.matches(&view, words, *row));
        if let Some(row) = hit {
            self.screen_mut().select(row);
        }
        hit.is_some()
    }

    /// How many rows have all the words.
    pub(super) fn hits(&self, words: &Words) -> usize {
        let scene = self.scene();
        let view = scene.view();
        (0..self.screen().len()).filter(|row| self.matches(&view, words, *row)).count()
    }

    fn matches(&self, view: &View<'_>, words: &Words, row: usize) -> bool {
        let index = &self.finder.index;
        match self.screen() {
            Screen::Overview(screen) => {
                screen.rows.get(row).is_some_and(|id| index.station(words, *id))
            }
            Screen::Stations(screen) => {
                screen.rows.get(row).is_some_and(|id| index.station(words, *id))
            }
            Screen::Signals(screen) => {
                screen.rows.get(row).is_some_and(|id| signals::matches(view, index, words, *id))
            }
            Screen::Metering(screen) => {
                screen.rows.get(row).is_some_and(|n| words.are_in(&screen.name(view, *n)))
            }
            Screen::Links(screen) => {
                screen.rows.get(row).is_some_and(|id| words.are_in(&links::name(view, *id)))
            }
            Screen::Alarms(screen) => {
                screen.rows.get(row).is_some_and(|id| alarms::matches(view, index, words, *id))
            }
            Screen::Events(screen) => {
                screen.rows.get(row).is_some_and(|id| events::matches(view, index, words, *id))
            }
            Screen::Why(_) => false,
        }
    }
}
