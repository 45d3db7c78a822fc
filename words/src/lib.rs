//! Words: numbers, times, places and causes as operators of each language read them. Screens,
//! text output and checks say the same thing the same way because they take it from here.

pub mod format;
pub mod happenings;
pub mod jumps;
pub mod letters;
pub mod places;
pub mod texts;
