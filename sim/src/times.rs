//! Moments and spans of time, as scripts and people write them.

use config::{Node, Zone};
use thiserror::Error;

/// Longest duration: ten years.
const DURATION_MAX_MS: f64 = 10.0 * 365.25 * 86_400_000.0;

/// When something planned begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// So many milliseconds after the first step of the field.
    After(i64),
    /// At this moment, UTC milliseconds since 1970.
    At(i64),
}

impl Start {
    /// The moment, UTC milliseconds since 1970, of a field whose first step was at `first_ms`.
    pub(crate) fn at(self, first_ms: i64) -> i64 {
        match self {
            Self::After(ms) => first_ms.saturating_add(ms),
            Self::At(ms) => ms,
        }
    }
}

/// A text that is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{0}' is no span of time such as 90s, 10m, 1h30m, 2d or 00:05:00")]
pub struct NoSpan(pub String);

/// Reads when something begins, by the clocks of a zone where it has no offset; what is wrong is noted where it stands.
pub(crate) fn read_start(node: &Node<'_>, zone: Zone) -> Option<Start> {
    if node.is_datetime() {
        return node.instant(zone).map(Start::At);
    }
    let text = node.text()?;
    if is_like_an_instant(&text) {
        node.complain(format!("'{text}' is a moment in quotes: write it without them, such as at = 2022-11-02T06:00:00+07:00"));
        return None;
    }
    read_duration(node).map(Start::After)
}

/// Whether a text begins as a day does: no span of time has such a dash.
fn is_like_an_instant(text: &str) -> bool {
    let day = text.trim().get(..10).map(str::as_bytes);
    day.is_some_and(|day| {
        let is = |(n, byte): (usize, &u8)| match n {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        day.iter().enumerate().all(is)
    })
}

/// Reads a span of time; what is wrong is noted where it stands.
pub(crate) fn read_duration(node: &Node<'_>) -> Option<i64> {
    let text = node.text()?;
    duration_ms(&text).map_err(|error| node.complain(error.to_string())).ok()
}

/// A span of time as people write it: `90s`, `10m`, `1h30m`, `2d`, `00:05:00`.
///
/// # Errors
/// What can be written.
pub fn duration_ms(text: &str) -> Result<i64, NoSpan> {
    let sum = if text.contains(':') { by_colons(text) } else { by_letters(text) };
    #[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
    match sum {
        Some(ms) if (0.0..=DURATION_MAX_MS).contains(&ms) => Ok(ms.round() as i64),
        _ => Err(NoSpan(text.to_owned())),
    }
}

fn by_colons(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '.');
    let values: Option<Vec<f64>> =
        parts.iter().map(|part| part.parse().ok().filter(|_| digits(part))).collect();
    values.map(|v| ((v[0] * 60.0 + v[1]) * 60.0 + v[2]) * 1_000.0)
}

fn by_letters(text: &str) -> Option<f64> {
    let mut sum = None;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let tail = &rest[end..];
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let unit = match &tail[..unit_end] {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" | "min" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        sum = Some(sum.unwrap_or(0.0) + number * unit);
        rest = &tail[unit_end..];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, ms) in [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("00:05:00", 300_000),
            ("2d", 172_800_000),
            ("0.5h", 1_800_000),
            ("250ms", 250),
            ("0s", 0),
        ] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "5", "-5m", "5 parsecs", "1:2", "::", "nan:0:0", "1e9d", "99999999d", "é"]
        {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }
}
