//! The screens: each a state that keys change, and functions from a view to lines.

pub(crate) mod alarms;
pub(crate) mod boxes;
pub(crate) mod card;
pub(crate) mod digest;
pub(crate) mod events;
pub(crate) mod exclusions;
pub(crate) mod frame;
pub(crate) mod help;
pub(crate) mod links;
pub(crate) mod metering;
pub(crate) mod overview;
pub(crate) mod signals;
pub(crate) mod stations;
pub(crate) mod unmanned;
pub(crate) mod why;

/// Room for the body of a screen, between banner and hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Body {
    /// Whether the layout for 100 columns fits, rather than the one for 80.
    pub(crate) fn is_wide(self) -> bool {
        self.width >= 96
    }
}
