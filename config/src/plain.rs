//! Texts of files, stores and devices as a terminal may have them: nothing in them commands it, or turns
//! round what is read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character is none to be read, but does something to what stands round it: control
/// characters, and those that turn the direction of writing.
pub fn commands(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of which each character is shown: those that command are written as `\u001B`, but for the ends
/// of lines and tabulators. What is JSON stays JSON of the same meaning.
pub fn plain(text: &str) -> Cow<'_, str> {
    written_out(text, |c| commands(c) && !matches!(c, '\n' | '\t'))
}

/// The same of what is one line: ends of lines and tabulators in it are written out, too, so that no name makes a line
/// of its own of what it says.
pub fn line(text: &str) -> Cow<'_, str> {
    written_out(text, commands)
}

fn written_out(text: &str, is_raw: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_raw) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_raw(c) {
            // Writing to a string cannot fail. All of them have four digits.
            let _ = write!(out, "\\u{:04X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_commands_a_terminal_is_written_out() {
        assert_eq!(plain("\u{1b}]0;OWNED\u{7}"), "\\u001B]0;OWNED\\u0007");
        assert_eq!(plain("a\u{9b}31mb\u{7f}\r"), "a\\u009B31mb\\u007F\\u000D");
        assert_eq!(plain("x\u{202e}y\u{2066}"), "x\\u202Ey\\u2066");
        assert!(matches!(plain("Hòa Bình\n\tĐông Anh – 110 kV"), Cow::Borrowed(_)));
        assert_eq!(line("S1\r\n\twhole\u{1b}"), "S1\\u000D\\u000A\\u0009whole\\u001B");
    }

    proptest! {
        #[test]
        fn no_text_commands(text in "\\PC*|[\\x00-\\xff\u{2000}-\u{20ff}]*") {
            let plain = plain(&text);
            prop_assert!(!plain.contains(|c: char| commands(c) && c != '\n' && c != '\t'));
            prop_assert!(!line(&text).contains(commands));
        }
    }
}
