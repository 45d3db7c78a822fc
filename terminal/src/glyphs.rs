//! The plain set of marks: what stands for each symbol where only ASCII can be shown.
//!
//! Every substitute is one cell wide, so nothing moves. Vietnamese letters stay: they are text,
//! not marks.

/// The substitute of a symbol; `None` for what is text.
pub(crate) fn plain(symbol: char) -> Option<char> {
    Some(match symbol {
        '─' | '—' | '–' | '−' | '╌' => '-',
        '│' | '┃' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' => '+',
        '✓' | '↓' => 'v',
        '✗' | '×' => 'x',
        '‼' => '!',
        '·' => '.',
        '…' => '~',
        '▸' | '→' | '▶' | '≥' => '>',
        '←' | '≤' => '<',
        '↑' => '^',
        '↔' | '≠' => '=',
        '█' | '■' => '#',
        '◧' => '/',
        '▏' => '_',
        '●' => '*',
        '○' | '□' => 'o',
        '◐' => '%',
        _ => return None,
    })
}

/// A text with plain marks.
pub(crate) fn plain_text(text: &str) -> String {
    text.chars().map(|c| plain(c).unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_differ_by_glyph_in_plain_marks_too() {
        let marks: Vec<char> = "‼✗✓·—".chars().filter_map(plain).collect();
        assert_eq!(marks, ['!', 'x', 'v', '.', '-']);
        assert_eq!(plain_text("▸ Trạm — đủ ✓"), "> Trạm - đủ v");
    }
}
