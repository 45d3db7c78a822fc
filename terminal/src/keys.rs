//! The keys: one table, from which help and hint bar are drawn. It is a promise to the users: one
//! letter has one meaning on every screen.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::fold;
use super::list::Motion;
use super::texts::Text;

/// Where keys are pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Overview,
    Stations,
    Why,
    Signals,
    Metering,
    Links,
    Alarms,
    Events,
}

/// Screens that digits lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Overview,
    Stations,
    Signals,
    Metering,
    Links,
    Alarms,
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Move(Motion),
    Left,
    Right,
    Find,
    NextHit,
    PreviousHit,
    Filter,
    Faults,
    Sort,
    Open,
    Why,
    Basis,
    Variant,
    Measure,
    Copy,
    Acknowledge,
    AcknowledgePage,
    Tab,
    Back,
    Previous,
    Go(Root),
    Help,
    Lang,
    Theme,
    Pause,
    Redraw,
    Suspend,
    Quit,
}

/// A key as it is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chord {
    Char(char),
    Ctrl(char),
    Code(KeyCode),
}

/// Where a binding stands in help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Move,
    Find,
    Here,
    Screens,
    General,
}

impl Group {
    /// In the order of help.
    pub(crate) const ALL: [Self; 5] =
        [Self::Move, Self::Find, Self::Here, Self::Screens, Self::General];

    pub(crate) fn title(self) -> Text {
        match self {
            Self::Move => Text::GroupMove,
            Self::Find => Text::GroupFind,
            Self::Here => Text::GroupHere,
            Self::Screens => Text::GroupScreens,
            Self::General => Text::GroupGeneral,
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    /// All keys that mean it.
    pub(crate) chords: &'static [Chord],
    /// How they are written.
    pub(crate) shown: &'static str,
    pub(crate) action: Action,
    pub(crate) group: Group,
    pub(crate) text: Text,
    /// Key and word in the hint bar.
    pub(crate) hint: Option<(&'static str, Text)>,
    /// Where it is valid.
    pub(crate) places: &'static [Place],
}

use Chord::{Char, Code, Ctrl};
use Place::{Alarms, Events, Links, Metering, Overview, Signals, Stations};

const ALL: &[Place] = &[Overview, Stations, Place::Why, Signals, Metering, Alarms, Events, Links];
const LISTS: &[Place] = &[Overview, Stations, Signals, Metering, Alarms, Events, Links];

const fn binding(
    chords: &'static [Chord],
    shown: &'static str,
    action: Action,
    group: Group,
    text: Text,
) -> Binding {
    Binding { chords, shown, action, group, text, hint: None, places: ALL }
}

impl Binding {
    const fn on(self, places: &'static [Place]) -> Self {
        Self { places, ..self }
    }

    const fn hint(self, key: &'static str, text: Text) -> Self {
        Self { hint: Some((key, text)), ..self }
    }
}

/// The table. Hints come in its order.
pub(crate) const TABLE: &[Binding] = &[
    binding(&[Code(KeyCode::Enter)], "Enter", Action::Open, Group::Here, Text::KeyWhy)
        .on(&[Overview, Stations, Alarms])
        .hint("Enter", Text::HintWhy),
    binding(&[Char('a')], "a", Action::Acknowledge, Group::Here, Text::KeyAcknowledge)
        .on(&[Alarms])
        .hint("a", Text::HintAcknowledge),
    binding(&[Char('A')], "A", Action::AcknowledgePage, Group::Here, Text::KeyAcknowledgePage)
        .on(&[Alarms]),
    binding(&[Code(KeyCode::Tab)], "Tab", Action::Tab, Group::Here, Text::KeyTab)
        .on(&[Alarms])
        .hint("Tab", Text::HintEvents),
    binding(&[Code(KeyCode::Tab)], "Tab", Action::Tab, Group::Here, Text::KeyTab)
        .on(&[Events])
        .hint("Tab", Text::HintAlarms),
    binding(&[Code(KeyCode::Enter)], "Enter", Action::Open, Group::Here, Text::KeyOpenSignals)
        .on(&[Place::Why])
        .hint("Enter", Text::HintSignals),
    binding(&[Code(KeyCode::Enter)], "Enter", Action::Open, Group::Here, Text::KeyEvidence)
        .on(&[Signals, Events])
        .hint("Enter", Text::HintEvidence),
    binding(&[Code(KeyCode::Enter)], "Enter", Action::Open, Group::Here, Text::KeyDevice)
        .on(&[Links])
        .hint("Enter", Text::HintDevice),
    binding(
        &[Char('k'), Code(KeyCode::Up)],
        "↑ k",
        Action::Move(Motion::Up),
        Group::Move,
        Text::KeyUp,
    ),
    binding(
        &[Char('j'), Code(KeyCode::Down)],
        "↓ j",
        Action::Move(Motion::Down),
        Group::Move,
        Text::KeyDown,
    ),
    binding(&[Char('h'), Code(KeyCode::Left)], "← h", Action::Left, Group::Move, Text::KeyLeft)
        .on(&[Place::Why, Signals, Alarms, Events]),
    binding(&[Char('l'), Code(KeyCode::Right)], "→ l", Action::Right, Group::Move, Text::KeyRight)
        .on(&[Place::Why, Signals, Alarms, Events]),
    binding(
        &[Code(KeyCode::PageUp)],
        "PgUp",
        Action::Move(Motion::PageUp),
        Group::Move,
        Text::KeyPageUp,
    ),
    binding(
        &[Code(KeyCode::PageDown)],
        "PgDn",
        Action::Move(Motion::PageDown),
        Group::Move,
        Text::KeyPageDown,
    ),
    binding(
        &[Char('g'), Code(KeyCode::Home)],
        "Home g",
        Action::Move(Motion::First),
        Group::Move,
        Text::KeyFirst,
    ),
    binding(
        &[Char('G'), Code(KeyCode::End)],
        "End G",
        Action::Move(Motion::Last),
        Group::Move,
        Text::KeyLast,
    ),
    binding(&[Char('/')], "/", Action::Find, Group::Find, Text::KeyFind)
        .on(LISTS)
        .hint("/", Text::HintFind),
    binding(&[Char('n')], "n", Action::NextHit, Group::Find, Text::KeyNext).on(LISTS),
    binding(&[Char('N')], "N", Action::PreviousHit, Group::Find, Text::KeyPrevious).on(LISTS),
    binding(
        &[Char('f'), Code(KeyCode::F(4))],
        "f F4",
        Action::Filter,
        Group::Find,
        Text::KeyFilter,
    )
    .on(&[Signals])
    .hint("f", Text::HintFilter),
    binding(
        &[Char('x'), Code(KeyCode::F(5))],
        "x F5",
        Action::Faults,
        Group::Find,
        Text::KeyFaults,
    )
    .on(&[Stations, Signals, Metering, Alarms, Events, Links])
    .hint("x", Text::HintFaults),
    binding(&[Char('s'), Code(KeyCode::F(6))], "s F6", Action::Sort, Group::Here, Text::KeySort)
        .on(&[Stations, Signals, Metering, Links])
        .hint("s", Text::HintSort),
    binding(&[Char('w')], "w", Action::Why, Group::Here, Text::KeyWhy)
        .on(&[Overview, Stations, Signals, Alarms, Events, Links]),
    binding(&[Char('v')], "v", Action::Variant, Group::Here, Text::KeyVariant)
        .on(&[Metering])
        .hint("v", Text::HintVariant),
    binding(&[Char('r')], "r", Action::Measure, Group::Here, Text::KeyMeasure)
        .on(&[Metering])
        .hint("r", Text::HintMeasure),
    binding(&[Char('d')], "d", Action::Basis, Group::Here, Text::KeyBasis)
        .on(&[Overview, Stations, Place::Why, Signals, Events])
        .hint("d", Text::HintBasis),
    binding(&[Char('y')], "y", Action::Copy, Group::Here, Text::KeyCopy).hint("y", Text::HintCopy),
    binding(&[Code(KeyCode::Esc)], "Esc", Action::Back, Group::Find, Text::KeyBack)
        .on(&[Stations, Place::Why, Signals, Metering, Alarms, Events, Links])
        .hint("Esc", Text::HintBack),
    binding(&[Code(KeyCode::Esc)], "Esc", Action::Back, Group::Find, Text::KeyBack).on(&[Overview]),
    binding(&[Char('1')], "1", Action::Go(Root::Overview), Group::Screens, Text::Overview),
    binding(&[Char('2')], "2", Action::Go(Root::Stations), Group::Screens, Text::Stations),
    binding(&[Char('4')], "4", Action::Go(Root::Signals), Group::Screens, Text::Signals),
    binding(&[Char('7')], "7", Action::Go(Root::Metering), Group::Screens, Text::Metering),
    binding(&[Char('8')], "8", Action::Go(Root::Alarms), Group::Screens, Text::Alarms),
    binding(&[Char('9')], "9", Action::Go(Root::Links), Group::Screens, Text::Links),
    binding(&[Char('-')], "-", Action::Previous, Group::Screens, Text::KeyLast2),
    binding(&[Char('?'), Code(KeyCode::F(1))], "F1 ?", Action::Help, Group::General, Text::KeyHelp),
    binding(&[Code(KeyCode::F(2))], "F2", Action::Lang, Group::General, Text::KeyLang),
    binding(&[Code(KeyCode::F(3))], "F3", Action::Theme, Group::General, Text::KeyTheme),
    binding(
        &[Char(' '), Code(KeyCode::F(8))],
        "Space F8",
        Action::Pause,
        Group::General,
        Text::KeyPause,
    )
    .hint("Space", Text::HintPause),
    binding(&[Ctrl('l')], "Ctrl-L", Action::Redraw, Group::General, Text::KeyRedraw),
    binding(&[Ctrl('z')], "Ctrl-Z", Action::Suspend, Group::General, Text::KeySuspend),
    binding(
        &[Char('q'), Code(KeyCode::F(10)), Ctrl('c')],
        "q F10",
        Action::Quit,
        Group::General,
        Text::KeyQuit,
    ),
];

/// Bindings that are valid at a place.
pub(crate) fn at(place: Place) -> impl Iterator<Item = &'static Binding> {
    TABLE.iter().filter(move |binding| binding.places.contains(&place))
}

/// What a key means at a place; `None` when it means nothing there.
pub(crate) fn action(key: KeyEvent, place: Place) -> Option<Action> {
    let chord = chord(key)?;
    at(place).find(|binding| binding.chords.contains(&chord)).map(|binding| binding.action)
}

/// The key that was meant, whatever the keyboard made of it.
fn chord(key: KeyEvent) -> Option<Chord> {
    match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            Some(Ctrl(c.to_ascii_lowercase()))
        }
        KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::ALT) => Some(Char(fold::key(c))),
        KeyCode::Char(_) | KeyCode::Backspace => None,
        code => Some(Code(code)),
    }
}

/// Whether a key asks for help wherever it is pressed, also while typing.
pub(crate) fn is_help(key: KeyEvent) -> bool {
    key.code == KeyCode::F(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(c: char) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
    }

    #[test]
    fn no_key_means_two_things_at_one_place() {
        for place in ALL {
            let mut taken: Vec<Chord> = Vec::new();
            for chord in at(*place).flat_map(|binding| binding.chords) {
                assert!(!taken.contains(chord), "{chord:?} is bound twice at {place:?}");
                taken.push(*chord);
            }
        }
    }

    #[test]
    fn one_letter_has_one_meaning_on_every_screen() {
        for one in TABLE {
            for other in TABLE {
                let shared = one.chords.iter().any(|c| other.chords.contains(c));
                assert!(!shared || one.action == other.action, "{} and {}", one.shown, other.shown);
            }
        }
    }

    #[test]
    fn what_is_shown_names_the_first_key_and_its_twins() {
        for binding in TABLE {
            for chord in binding.chords {
                let named = match chord {
                    // Ctrl-C quits everywhere, nobody has to be told.
                    Ctrl('c') => true,
                    Char(' ') => binding.shown.contains("Space"),
                    Char(c) => binding.shown.split(' ').any(|key| key == c.to_string()),
                    Code(KeyCode::F(n)) => binding.shown.contains(&format!("F{n}")),
                    Ctrl(c) => binding.shown.contains(&format!("Ctrl-{}", c.to_ascii_uppercase())),
                    Code(_) => !binding.shown.is_empty(),
                };
                assert!(named, "{chord:?} is not in '{}'", binding.shown);
            }
        }
    }

    #[test]
    fn telex_letters_act_as_the_keys_that_were_meant() {
        let at_stations = |c| action(press(c), Place::Stations);
        assert_eq!(at_stations('ư'), Some(Action::Why));
        assert_eq!(at_stations('đ'), Some(Action::Basis));
        assert_eq!(at_stations('ư'), at_stations('w'));
        let backspace = KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(action(backspace, Place::Stations), None);
    }

    #[test]
    fn control_keys_are_not_letters() {
        let ctrl = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        assert_eq!(action(ctrl('c'), Place::Why), Some(Action::Quit));
        assert_eq!(action(ctrl('l'), Place::Why), Some(Action::Redraw));
        assert_eq!(action(ctrl('q'), Place::Why), None);
    }
}
