//! Rows of styled text with known widths, and the frames round them.
//!
//! A screen is a list of lines, each as wide as the screen: they can be put on a terminal, into a
//! file or into a test alike.

use config::plain::commands;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::theme::{Role, Theme};

/// Cells that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text cut to `room` cells, with an ellipsis where something was cut off. A number or a time is there or not: what is
/// left of a cut one reads as another.
pub(crate) fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut left = room.saturating_sub(1);
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if wide > left {
            break;
        }
        left -= wide;
        cut.push_str(grapheme);
    }
    if room > 0 {
        cut.truncate(whole_numbers(text, cut.len()));
        cut.truncate(cut.trim_end().len());
        cut.push('…');
    }
    cut
}

/// How much stays of the first `end` bytes of a text when no number is to end within itself.
fn whole_numbers(text: &str, end: usize) -> usize {
    let (kept, lost) = text.split_at(end);
    let mut behind = lost.chars();
    let goes_on = match behind.next() {
        Some(c) if c.is_ascii_digit() => true,
        Some('.' | ',' | ':' | '/') => behind.next().is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    };
    let start = kept.rfind(' ').map_or(0, |space| space + 1);
    let word = kept[start..].trim_start_matches(['(', '≥', '≤', '+', '−']);
    let is_number = |c: char| c.is_ascii_digit() || ".,:/".contains(c);
    let begins = word.chars().next().is_none_or(|c| c.is_ascii_digit());
    if goes_on && begins && word.chars().all(is_number) { start } else { end }
}

/// A text broken into lines of at most `room` cells: between parts that stand apart with ` · `
/// where that can be, else at spaces; longer words are cut.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let last = text.split(PARTING).count() - 1;
    for (n, part) in text.split(PARTING).enumerate() {
        let part = if n < last { format!("{part} ·") } else { part.to_owned() };
        let left = lines.last().map_or(room, |line| room.saturating_sub(width(line) + 1));
        if width(&part) <= room && width(&part) > left {
            lines.push(part);
            continue;
        }
        for word in part.split(' ').filter(|word| !word.is_empty()) {
            match lines.last_mut() {
                Some(line) if width(line) + 1 + width(word) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(fit(word, room)),
            }
        }
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// What stands between the parts of a line.
const PARTING: &str = " · ";

/// On which side of its column a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A line under construction.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    theme: Theme,
    spans: Vec<Span<'static>>,
    width: usize,
}

impl Row {
    pub(crate) fn new(theme: Theme) -> Self {
        Self { theme, spans: Vec::new(), width: 0 }
    }

    /// Cells so far.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Adds a text in a role. Characters that could move or turn round everything are left out.
    pub(crate) fn put(mut self, role: Role, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.contains(commands) {
            text.retain(|c| !commands(c));
        }
        if !text.is_empty() {
            self.width += width(&text);
            self.spans.push(Span::styled(text, self.theme.style(role)));
        }
        self
    }

    /// Adds a plain text.
    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        self.put(Role::Plain, text)
    }

    /// Adds blanks.
    pub(crate) fn gap(self, cells: usize) -> Self {
        self.put(Role::Plain, " ".repeat(cells))
    }

    /// Adds a text in a column of a width, cut or filled up.
    pub(crate) fn cell(self, role: Role, text: &str, room: usize, side: Side) -> Self {
        let shown = fit(text, room);
        let blank = room.saturating_sub(width(&shown));
        match side {
            Side::Left => self.put(role, shown).gap(blank),
            Side::Right => self.gap(blank).put(role, shown),
        }
    }

    /// Adds all of another row.
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.width += other.width;
        self.spans.extend(other.spans);
        self
    }

    /// Fills up with blanks to a width, or cuts down to it.
    pub(crate) fn filled(mut self, room: usize) -> Self {
        while self.width > room {
            let Some(last) = self.spans.pop() else { break };
            let wide = width(&last.content);
            self.width -= wide;
            if self.width < room {
                let kept = fit(&last.content, room - self.width);
                self.width += width(&kept);
                self.spans.push(Span::styled(kept, last.style));
                break;
            }
        }
        let missing = room.saturating_sub(self.width);
        self.gap(missing)
    }

    /// Adds another row at the right edge of a width; this one is cut where they would meet.
    pub(crate) fn ending(self, right: Self, room: usize) -> Self {
        let right = if right.width > room { right.filled(room) } else { right };
        let own = room - right.width;
        let needed = self.width + usize::from(right.width > 0);
        let own = if needed > own { self.filled(own.saturating_sub(1)).gap(1) } else { self };
        own.filled(room - right.width).join(right).filled(room)
    }

    /// Marks the row as the one that keys act upon.
    pub(crate) fn selected(mut self) -> Self {
        let style = self.theme.style(Role::Selected);
        for span in &mut self.spans {
            span.style = span.style.patch(style);
        }
        self
    }

    /// The finished line.
    pub(crate) fn line(self) -> Line<'static> {
        Line::from(self.spans)
    }
}

/// The text of a line.
pub(crate) fn text_of(line: &Line<'_>) -> String {
    line.spans.iter().map(|span| span.content.as_ref()).collect()
}

/// Lines in a frame of a width, with titles on its upper edge.
pub(crate) fn framed(title: Row, right: Row, lines: Vec<Row>, room: usize) -> Vec<Row> {
    let theme = title.theme;
    let plain = |text: String| Row::new(theme).text(text);
    let inner = room.saturating_sub(2);
    let edge = |row: Row, left: &str| {
        if row.width() == 0 { row } else { plain(left.to_owned()).join(row).text(" ") }
    };
    let (title, mut right) = (edge(title, "─ "), edge(right, " "));
    if title.width() + right.width() + 2 > inner {
        right = Row::new(theme);
    }
    let title = if title.width() > inner { title.filled(inner) } else { title };
    let tail = usize::from(right.width() > 0);
    let rule = "─".repeat(inner.saturating_sub(title.width() + right.width() + tail));
    let top = plain("┌".into()).join(title).text(rule).join(right).text("─".repeat(tail)).text("┐");
    let mut framed = vec![top];
    framed
        .extend(lines.into_iter().map(|line| plain("│".into()).join(line.filled(inner)).text("│")));
    framed.push(plain(format!("└{}┘", "─".repeat(inner))));
    framed
}

/// Two blocks side by side; the shorter one is filled up.
pub(crate) fn beside(left: Vec<Row>, right: Vec<Row>) -> Vec<Row> {
    let (Some(first), Some(other)) = (left.first(), right.first()) else {
        return if left.is_empty() { right } else { left };
    };
    let (theme, widths) = (first.theme, (first.width, other.width));
    let blank = |room| Row::new(theme).gap(room);
    let height = left.len().max(right.len());
    let left = left.into_iter().map(Some).chain(std::iter::repeat(None));
    let right = right.into_iter().map(Some).chain(std::iter::repeat(None));
    left.zip(right)
        .take(height)
        .map(|(l, r)| {
            let r = r.unwrap_or_else(|| blank(widths.1));
            l.unwrap_or_else(|| blank(widths.0)).join(r)
        })
        .collect()
}

/// A rule across a width, with a title.
pub(crate) fn rule(title: Row, room: usize) -> Row {
    let theme = title.theme;
    let start = Row::new(theme).text("─");
    let start = if title.width() > 0 { start.text(" ").join(title).text(" ") } else { start };
    let left = room.saturating_sub(start.width());
    start.text("─".repeat(left)).filled(room)
}

/// Puts lines on the screen from the top of an area.
pub(crate) fn paint(buffer: &mut Buffer, area: Rect, rows: Vec<Row>) {
    for (y, row) in (area.y..area.bottom()).zip(rows) {
        buffer.set_line(area.x, y, &row.line(), area.width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        Row::new(Theme::Mono).text(text)
    }

    fn shown(row: Row) -> String {
        text_of(&row.line())
    }

    #[test]
    fn texts_are_cut_between_graphemes_with_an_ellipsis() {
        assert_eq!(fit("Yên Thủy", 8), "Yên Thủy");
        assert_eq!(fit("Yên Thủy", 6), "Yên T…");
        assert_eq!(fit("Yên Thủy", 5), "Yên…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("Yên", 0), "");
    }

    #[test]
    fn a_number_is_there_or_not() {
        assert_eq!(fit("last reply 14:31:52", 15), "last reply…");
        assert_eq!(fit("since 14:31:52 (34 s)", 17), "since 14:31:52…");
        assert_eq!(fit("1.525.153.877", 8), "…");
        assert_eq!(fit("179.495/268.800", 12), "…");
        assert_eq!(fit("grade 2, blocked", 9), "grade 2,…");
        assert_eq!(fit("F21.Z1, F21.Z2", 12), "F21.Z1, F21…", "a name is no number");
    }

    #[test]
    fn long_texts_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible", 6), ["incom…"]);
        assert_eq!(wrap("", 6), [""]);
        assert_eq!(wrap("one two · three", 9), ["one two ·", "three"]);
        assert_eq!(wrap("one · two three · four", 13), ["one ·", "two three ·", "four"]);
        assert_eq!(wrap("one · two three", 7), ["one ·", "two", "three"].map(str::to_owned));
    }

    #[test]
    fn rows_come_out_exactly_as_wide_as_asked() {
        assert_eq!(shown(row("abc").text("def").filled(5)), "abcd…");
        assert_eq!(shown(row("abc").filled(5)), "abc  ");
        assert_eq!(shown(row("left").ending(row("right"), 12)), "left   right");
        assert_eq!(shown(row("long left").ending(row("right"), 12)), "long…  right");
        assert_eq!(shown(row("left").ending(row("far too long"), 6)), "far t…");
    }

    #[test]
    fn a_name_cannot_bring_control_characters() {
        assert_eq!(shown(row("a\u{1b}[31mb\n")), "a[31mb");
    }

    #[test]
    fn frames_keep_their_width_whatever_the_titles() {
        for room in 2..40 {
            let lines = framed(row("TITLE"), row("on the right"), vec![row("text")], room);
            assert!(lines.iter().all(|line| line.width() == room), "{room}");
        }
    }
}
