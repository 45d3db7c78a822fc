//! Words: numbers, times, places and causes as operators of each language read them. Screens,
//! text output and checks say the same thing the same way because they take it from here.

pub(crate) mod format;
pub(crate) mod happenings;
pub(crate) mod jumps;
pub(crate) mod letters;
pub(crate) mod places;

pub(crate) mod texts;
