//! Themes: what each role of a text looks like. One table, no hue without a glyph or a word.

use config::Lang;
use ratatui::style::{Color, Modifier, Style};

use super::texts::Text;

/// What a piece of text is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing to say: the terminal's own colours.
    Plain,
    /// Headings, figures, keys.
    Strong,
    /// Must be acted upon now.
    Urgent,
    /// Falls short.
    Fail,
    /// Cannot be trusted.
    Doubt,
    /// Worth knowing, nothing wrong: exclusions, tests.
    Note,
    /// The row that keys act upon.
    Selected,
    /// The mode line when what is shown is not the present.
    Halted,
    /// The mode line when the collector is gone.
    Down,
}

/// A theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// For dark rooms.
    CalmDark,
    /// For white backgrounds, where yellow cannot be seen.
    CalmLight,
    /// For projectors and poor screens.
    Contrast,
    /// No colour at all.
    Mono,
}

impl Theme {
    /// All, in the order of the key that switches them.
    pub const ALL: [Self; 4] = [Self::CalmDark, Self::CalmLight, Self::Contrast, Self::Mono];

    /// The next one.
    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|theme| *theme == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// What it is called.
    pub(crate) fn name(self, lang: Lang) -> &'static str {
        match self {
            Self::CalmDark => Text::ThemeDark,
            Self::CalmLight => Text::ThemeLight,
            Self::Contrast => Text::ThemeContrast,
            Self::Mono => Text::ThemeMono,
        }
        .get(lang)
    }

    /// The table.
    pub(crate) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let (bold, reversed) = (Modifier::BOLD, Modifier::REVERSED);
        let base =
            if self == Self::Contrast { plain.fg(Color::White).add_modifier(bold) } else { plain };
        let [fail, doubt, note] = match self {
            Self::CalmDark => {
                [Color::LightRed, Color::Yellow, Color::LightCyan].map(|c| plain.fg(c))
            }
            Self::CalmLight => [Color::Red, Color::Magenta, Color::Blue].map(|c| plain.fg(c)),
            Self::Contrast => [
                base.bg(Color::Red),
                plain.fg(Color::Black).bg(Color::Yellow),
                plain.fg(Color::Black).bg(Color::Cyan),
            ],
            Self::Mono => {
                [plain.add_modifier(bold), plain.add_modifier(Modifier::UNDERLINED), plain]
            }
        };
        match role {
            Role::Plain => base,
            Role::Strong => base.add_modifier(bold),
            Role::Fail => fail,
            Role::Doubt => doubt,
            Role::Note => note,
            Role::Selected => base.add_modifier(reversed),
            Role::Halted => base.add_modifier(reversed | bold),
            // White on red is as loud as it gets; reversing it would make it quieter.
            Role::Urgent | Role::Down if self == Self::Contrast => fail,
            Role::Urgent | Role::Down => fail.add_modifier(reversed | bold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 9] = [
        Role::Plain,
        Role::Strong,
        Role::Urgent,
        Role::Fail,
        Role::Doubt,
        Role::Note,
        Role::Selected,
        Role::Halted,
        Role::Down,
    ];

    #[test]
    fn mono_has_no_colour_at_all() {
        for role in ROLES {
            let style = Theme::Mono.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn a_selected_row_stands_out_in_every_theme() {
        for theme in Theme::ALL {
            assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
        }
    }

    #[test]
    fn no_theme_hides_text_in_dark_grey_or_dims_it() {
        for (theme, role) in Theme::ALL.iter().flat_map(|t| ROLES.map(|role| (t, role))) {
            let style = theme.style(role);
            assert_ne!(style.fg, Some(Color::DarkGray));
            assert!(!style.add_modifier.contains(Modifier::DIM));
        }
    }
}
