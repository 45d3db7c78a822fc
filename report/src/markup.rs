//! Markup that is written by hand: what is not markup is escaped, always and in one place.

use std::fmt::{Display, Write};

use config::plain::commands;

/// Names and values of an element's attributes.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a dyn Display)];

/// A page, or a piece of one, under way.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup that stands in the program's own text.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A piece that was written the same way.
    pub(super) fn piece(&mut self, piece: &Self) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(character),
                // Neither HTML nor XML may hold control characters, and none turns round what stands beside it.
                command if commands(command) => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A text as a string of a style sheet.
    pub(super) fn style_text(&mut self, text: &str) -> &mut Self {
        self.0.push('"');
        for character in text.chars() {
            if character.is_alphanumeric() || character == ' ' {
                self.0.push(character);
            } else {
                // Writing to a string cannot fail.
                let _ = write!(self.0, "\\{:x} ", u32::from(character));
            }
        }
        self.0.push('"');
        self
    }

    /// The beginning of an element. Attributes without a value are left out.
    pub(super) fn open(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.start(name, attributes);
        self.0.push('>');
        self
    }

    /// Its end.
    pub(super) fn close(&mut self, name: &'static str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    /// An element with nothing but a text.
    pub(super) fn leaf(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        text: &str,
    ) -> &mut Self {
        self.open(name, attributes).text(text).close(name)
    }

    /// An element of SVG without content.
    pub(super) fn mark(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.start(name, attributes);
        self.0.push_str("/>");
        self
    }

    fn start(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(name);
        let mut value = String::new();
        for (name, given) in attributes {
            value.clear();
            // Writing to a string cannot fail.
            let _ = write!(value, "{given}");
            if value.is_empty() {
                continue;
            }
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.text(&value);
            self.0.push('"');
        }
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut markup = Markup::default();
        markup
            .open("p", &[("title", &"\"><script>")])
            .text("a & b </p><script>'\u{0}\n")
            .close("p")
            .mark("br", &[]);
        assert_eq!(
            markup.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">\
             a &amp; b &lt;/p&gt;&lt;script&gt;&#39;\u{fffd}\n</p><br/>"
        );
    }

    #[test]
    fn no_text_ends_a_style_sheet() {
        let mut markup = Markup::default();
        markup.style_text("Tháng 11\"</style>");
        assert_eq!(markup.finish(), "\"Tháng 11\\22 \\3c \\2f style\\3e \"");
    }

    proptest! {
        #[test]
        fn any_text_is_only_text(text in "(?s)(.|[\\u{202a}-\\u{202e}]){0,60}") {
            let mut markup = Markup::default();
            markup.leaf("p", &[("title", &text)], &text);
            let written = markup.finish();
            prop_assert_eq!(written.matches('<').count(), 2);
            prop_assert!(written.matches('"').count() <= 2);
            prop_assert!(!written.contains(|c: char| commands(c) && c != '\n' && c != '\t'));
            let mut style = Markup::default();
            style.style_text(&text);
            prop_assert!(!style.finish().trim_matches('"').contains(['"', '<', '\n']));
        }
    }
}
