//! A jump of the clock, as operators read it.

use config::{Lang, Zone};
use signal::clock::{Jump, JumpKind, Local, Timestamp};

use super::format;

/// What happened: the system's clock was set, the machine slept, or nothing ran.
pub fn what(jump: &Jump, lang: Lang) -> String {
    let sign = if jump.by_ms < 0 { "−" } else { "+" };
    let ms = jump.by_ms.saturating_abs();
    // To the second: 2 h, not 1 h 59.
    let ms = if ms < 60_000 { ms } else { ms.saturating_add(500) / 1_000 * 1_000 };
    let long = if ms < 60_000 { format::fine_age(ms, lang) } else { format::age(ms, lang) };
    match (jump.kind, lang) {
        (JumpKind::Set, Lang::Vi) => format!("đồng hồ máy bị chỉnh {sign}{long}"),
        (JumpKind::Set, Lang::En) => format!("the machine's clock was set by {sign}{long}"),
        (JumpKind::Slept, Lang::Vi) => format!("máy ngủ {long}"),
        (JumpKind::Slept, Lang::En) => format!("the machine slept for {long}"),
        (JumpKind::Stopped, Lang::Vi) => format!("chương trình bị dừng {long}"),
        (JumpKind::Stopped, Lang::En) => format!("the program did not run for {long}"),
    }
}

/// The same, with the moments around it in a zone.
pub fn when(jump: &Jump, zone: Zone, lang: Lang) -> String {
    let stamp = |at: Timestamp| {
        let Local { date, hour, minute, second, .. } = at.local(zone);
        format!("{date} {hour:02}:{minute:02}:{second:02}")
    };
    let (what, before, after) = (what(jump, lang), stamp(jump.before), stamp(jump.after));
    match lang {
        Lang::Vi => format!("{what}: sau {before} là {after}"),
        Lang::En => format!("{what}: after {before} comes {after}"),
    }
}
