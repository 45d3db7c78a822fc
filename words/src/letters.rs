//! Letters without their marks.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text without marks and in lower case: `Trạm` becomes `tram`, `đường` becomes `duong`.
pub fn fold(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        // It has no mark to drop: it is a letter of its own.
        .map(|c| if c == 'đ' { 'd' } else { c })
        .collect()
}
