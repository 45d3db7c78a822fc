//! What keys do to the screens.

use std::sync::Arc;

use config::{Lang, StationId};
use historian::alarms::Raised;

use super::issues::{self, IssueId};
use super::keys::{Action, Root};
use super::list::List;
use super::screen::Screen;
use super::screens::alarms::{self, Alarms};
use super::screens::events::{self, Events};
use super::screens::help::Help;
use super::screens::links::{self, Links};
use super::screens::metering::Metering;
use super::screens::signals::{Filter, SignalId, Signals};
use super::screens::stations::Stations;
use super::screens::why::Why;
use super::screens::{card, why};
use super::texts::Text;
use super::ui::{Effect, Popup, Ui};
use super::{glyphs, plain};

impl Ui {
    /// Does what a key means.
    pub(super) fn act(&mut self, action: Action) -> Effect {
        match action {
            Action::Quit => return Effect::Quit,
            Action::Suspend => return Effect::Suspend,
            Action::Redraw => return Effect::Redraw,
            Action::Copy => return self.copy(),
            Action::Acknowledge => return self.acknowledge(false),
            Action::AcknowledgePage => return self.acknowledge(true),
            Action::Tab => self.tab(),
            Action::Move(motion) => self.screen_mut().go(motion),
            Action::Left => self.other_station(false),
            Action::Right => self.other_station(true),
            Action::Find => {
                let row = self.screen().row();
                self.finder.open(row);
            }
            Action::NextHit => self.hit(true),
            Action::PreviousHit => self.hit(false),
            Action::Filter => self.open_filter(),
            Action::Faults => self.toggle_faults(),
            Action::Sort => self.next_sort(),
            Action::Open => self.open(),
            Action::Why => self.why(),
            Action::Basis => self.next_basis(),
            Action::Variant => {
                if let Screen::Metering(metering) = self.screen_mut() {
                    metering.by = metering.by.next();
                    metering.list = List::default();
                }
            }
            Action::Measure => {
                let lang = self.lang;
                if let Screen::Metering(metering) = self.screen_mut() {
                    metering.measure = metering.measure.next();
                    let said = metering.measure.text().get(lang).to_owned();
                    self.notice = Some(said);
                }
            }
            Action::Back => self.back(),
            Action::Previous => {
                if let Some(previous) = self.previous.take() {
                    self.previous = Some(std::mem::replace(&mut self.stack, previous));
                }
            }
            Action::Go(root) => self.go(root),
            Action::Help => self.popup = Some(Popup::Help(Help::default())),
            Action::Lang => {
                self.lang = if self.lang == Lang::Vi { Lang::En } else { Lang::Vi };
            }
            Action::Theme => self.next_theme(),
            Action::Pause => self.toggle_pause(),
        }
        Effect::None
    }

    fn next_theme(&mut self) {
        if self.color {
            self.theme = self.theme.next();
            self.notice = Some(self.theme.name(self.lang).to_owned());
        } else {
            self.say(Text::ColorsOff);
        }
    }

    fn toggle_pause(&mut self) {
        if self.paused.take().is_some() {
            self.shown = Arc::clone(&self.newest);
        } else {
            self.paused = Some(self.present());
        }
    }

    fn next_basis(&mut self) {
        let scene = self.scene();
        let centres = scene.view().centres();
        let at = centres.iter().position(|centre| *centre == self.basis).unwrap_or(0);
        self.basis = centres[(at + 1) % centres.len()];
        self.notice = Some(scene.view().centre(self.basis).to_owned());
    }

    fn toggle_faults(&mut self) {
        match self.screen_mut() {
            Screen::Stations(screen) => screen.faults = !screen.faults,
            Screen::Signals(screen) => screen.filter.faults = !screen.filter.faults,
            Screen::Metering(screen) => screen.faults = !screen.faults,
            Screen::Links(screen) => screen.faults = !screen.faults,
            Screen::Alarms(screen) => screen.faults = !screen.faults,
            Screen::Events(screen) => screen.faults = !screen.faults,
            Screen::Overview(_) | Screen::Why(_) => {}
        }
    }

    fn next_sort(&mut self) {
        let text = match self.screen_mut() {
            Screen::Stations(screen) => {
                screen.sort = screen.sort.next();
                screen.sort.text()
            }
            Screen::Signals(screen) => {
                screen.sort = screen.sort.next();
                screen.sort.text()
            }
            Screen::Metering(screen) => {
                screen.sort = screen.sort.next();
                screen.sort.text()
            }
            Screen::Links(screen) => {
                screen.sort = screen.sort.next();
                screen.sort.text()
            }
            Screen::Overview(_) | Screen::Why(_) | Screen::Alarms(_) | Screen::Events(_) => return,
        };
        self.notice = Some(format!("{}: {}", Text::SortIs.get(self.lang), text.get(self.lang)));
    }

    fn open_filter(&mut self) {
        if let Screen::Signals(signals) = self.screen() {
            self.popup = Some(Popup::Reasons(List::at(signals.filter.reason)));
        }
    }

    /// Enter: one step towards the evidence.
    fn open(&mut self) {
        match self.screen_mut() {
            Screen::Signals(signals) => signals.card = !signals.card,
            Screen::Links(links) => links.card = !links.card,
            Screen::Why(why) => {
                let station = Some(why.station);
                let line = why.list.selected();
                let filter = Filter { station, faults: true, ..Filter::default() };
                let selected = line.and_then(|line| self.first_point(line));
                self.enter(Screen::Signals(Signals::new(filter, selected)));
            }
            Screen::Overview(_) | Screen::Stations(_) | Screen::Alarms(_) => self.why(),
            Screen::Events(screen) => {
                let event = screen.list.selected();
                self.signal_card(event.and_then(|event| Some((event.station, event.point?))));
            }
            Screen::Metering(_) => {}
        }
    }

    /// The evidence of a signal, on a screen of its own.
    fn signal_card(&mut self, signal: Option<SignalId>) {
        let Some((station, _)) = signal else {
            self.say(Text::NotHere);
            return;
        };
        let filter = Filter { station: Some(station), ..Filter::default() };
        let mut signals = Signals::new(filter, signal);
        signals.card = true;
        self.enter(Screen::Signals(signals));
    }

    /// The first signal of a line of the Why screen.
    fn first_point(&self, line: IssueId) -> Option<SignalId> {
        let station = self.screen().station()?;
        let lines = issues::of_station(&self.shown, station);
        let found = lines.iter().find(|found| found.id == line)?;
        found.points.first().map(|point| (station, *point))
    }

    fn why(&mut self) {
        let line = match self.screen() {
            Screen::Alarms(screen) => screen.list.selected().map(|raised| raised.cause.line),
            _ => None,
        };
        match self.screen().station() {
            Some(station) => self.enter(Screen::Why(Why::at(station, line))),
            None => self.say(Text::NotHere),
        }
    }

    /// Acknowledges the selected alarm, or all that are seen.
    fn acknowledge(&mut self, page: bool) -> Effect {
        let Screen::Alarms(screen) = self.screen() else { return Effect::None };
        let chosen: Vec<Raised> = match screen.list.selected() {
            Some(selected) if !page => vec![selected],
            _ => screen.page().to_vec(),
        };
        let open = &self.newest.alarms;
        let waits = |raised: &Raised| {
            open.iter().any(|alarm| alarm.raised == *raised && alarm.acknowledged.is_none())
        };
        let chosen: Vec<Raised> = chosen.into_iter().filter(waits).collect();
        if chosen.is_empty() {
            self.say(Text::NothingToAcknowledge);
            return Effect::None;
        }
        let (count, word) = (chosen.len(), Text::AcknowledgedWord.get(self.lang));
        self.notice = Some(format!("{word}: {count}"));
        Effect::Acknowledge(chosen)
    }

    /// From alarms to events and back, of the same station.
    fn tab(&mut self) {
        let other = match self.screen() {
            Screen::Alarms(Alarms { station, .. }) => {
                Screen::Events(Events { station: *station, ..Events::default() })
            }
            Screen::Events(Events { station, .. }) => Screen::Alarms(Alarms::of(*station)),
            _ => return,
        };
        *self.screen_mut() = other;
    }

    /// Goes one step deeper. Going in circles does not pile screens up: a screen of the same kind
    /// further down is replaced, with what was above it.
    fn enter(&mut self, screen: Screen) {
        self.previous = Some(self.stack.clone());
        let same = self.stack.iter().position(|known| known.place() == screen.place());
        self.stack.truncate(same.unwrap_or(self.stack.len()).max(1));
        self.stack.push(screen);
    }

    /// A digit: the screen as it begins, the overview below it.
    fn go(&mut self, root: Root) {
        self.previous = Some(self.stack.clone());
        // From a station's screens signals and alarms are those of the station; again: all.
        let station = match self.screen() {
            Screen::Stations(_) | Screen::Why(_) => self.screen().station(),
            Screen::Overview(_)
            | Screen::Signals(_)
            | Screen::Metering(_)
            | Screen::Alarms(_)
            | Screen::Events(_)
            | Screen::Links(_) => None,
        };
        self.stack.truncate(1);
        let screen = match root {
            Root::Overview => return,
            Root::Stations => Screen::Stations(Stations::default()),
            Root::Signals => {
                let filter = Filter { station, ..Filter::default() };
                Screen::Signals(Signals::new(filter, None))
            }
            Root::Metering => Screen::Metering(Metering::default()),
            Root::Links => Screen::Links(Links::default()),
            Root::Alarms => Screen::Alarms(Alarms::of(station)),
        };
        self.stack.push(screen);
    }

    /// The same screen of the station before or after, in the order of the contract.
    fn other_station(&mut self, forward: bool) {
        let all = self.shown.province.substations().len();
        let other = |station: StationId| {
            let step = if forward { 1 } else { all - 1 };
            StationId::at((station.index() + step) % all)
        };
        match self.screen_mut() {
            Screen::Why(why) => *why = Why::new(other(why.station)),
            Screen::Signals(signals) => {
                if let Some(station) = signals.filter.station {
                    signals.filter.station = Some(other(station));
                    signals.base.station = signals.filter.station;
                    signals.list = List::default();
                }
            }
            Screen::Alarms(alarms) => {
                alarms.station = alarms.station.map(other);
                alarms.list = List::default();
            }
            Screen::Events(events) => {
                events.station = events.station.map(other);
                events.list = List::default();
            }
            Screen::Overview(_) | Screen::Stations(_) | Screen::Metering(_) | Screen::Links(_) => {}
        }
    }

    /// Esc: closes the innermost thing. At the overview nothing is left to close.
    fn back(&mut self) {
        if self.finder.clear() {
            return;
        }
        let closed = match self.screen_mut() {
            Screen::Signals(signals) if signals.card => {
                signals.card = false;
                true
            }
            Screen::Signals(signals) if signals.filter != signals.base => {
                signals.filter = signals.base;
                true
            }
            Screen::Stations(screen) => std::mem::take(&mut screen.faults),
            Screen::Links(screen) => {
                std::mem::take(&mut screen.card) || std::mem::take(&mut screen.faults)
            }
            Screen::Metering(screen) => std::mem::take(&mut screen.faults),
            Screen::Alarms(screen) => std::mem::take(&mut screen.faults),
            Screen::Events(screen) => std::mem::take(&mut screen.faults),
            Screen::Overview(_) | Screen::Why(_) | Screen::Signals(_) => false,
        };
        if !closed && self.stack.len() > 1 {
            self.previous = Some(self.stack.clone());
            self.stack.pop();
        }
    }

    fn copy(&mut self) -> Effect {
        let scene = self.scene();
        let view = scene.view();
        let text = match self.screen() {
            Screen::Signals(signals) => signals.list.selected().map(|id| card::plain(&view, id)),
            Screen::Metering(_) => Some(plain::metering_summary(&view, plain::WIDTH)),
            Screen::Links(screen) => screen.list.selected().map(|id| links::plain(&view, id)),
            Screen::Alarms(screen) => {
                screen.list.selected().and_then(|raised| alarms::text(&view, raised))
            }
            Screen::Events(screen) => {
                screen.list.selected().and_then(|event| events::text(&view, event))
            }
            other => other.station().map(|station| why::plain(&view, station, 100)),
        };
        let Some(text) = text else {
            self.say(Text::NothingToCopy);
            return Effect::None;
        };
        let lines = text.lines().count();
        let unit = match self.lang {
            Lang::Vi => "dòng",
            Lang::En if lines == 1 => "line",
            Lang::En => "lines",
        };
        self.notice = Some(format!("{} {lines} {unit}", Text::Copied.get(self.lang)));
        let text = if self.ascii { glyphs::plain_text(&text) } else { text };
        Effect::Copy(text)
    }
}
