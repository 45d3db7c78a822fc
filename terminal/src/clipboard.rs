//! Copying through the terminal itself (OSC 52): works over SSH, where no other way does.

/// Longest text that is copied, bytes: terminals drop sequences beyond some 75 kB of base64.
pub(crate) const COPY_MAX: usize = 48 * 1_024;

/// The sequence that asks the terminal to put a text on the clipboard. It carries nothing but
/// base64, so no text can break out of it.
pub(crate) fn sequence(text: &str) -> String {
    let end = (0..=text.len().min(COPY_MAX)).rev().find(|n| text.is_char_boundary(*n));
    format!("\u{1b}]52;c;{}\u{7}", base64(&text.as_bytes()[..end.unwrap_or(0)]))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let digit = (word >> (18 - 6 * n)) & 63;
            out.push(if n > chunk.len() { '=' } else { char::from(DIGITS[digit as usize]) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let sequence = sequence(&"ư".repeat(COPY_MAX));
        assert!(sequence.len() < COPY_MAX * 4 / 3 + 16);
        assert!(sequence.starts_with("\u{1b}]52;c;") && sequence.ends_with('\u{7}'));
    }
}
