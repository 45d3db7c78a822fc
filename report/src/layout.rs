//! How wide columns are on A4 across, and which of them stand side by side: nothing is cut, and no
//! type is smaller than eight points.
//!
//! Widths are counted in digits of the type of a table. A column is never narrower than its longest
//! number and its longest word; what is left of the page goes to those that would like more. A table
//! that has no room even so is parted: each part begins with the columns that name its rows.

use words::format;
use words::texts::Text;

use super::sheets::{Cell, Holds, Table};
use super::shown::{Reader, cut, in_hours, length};

/// Longest head of a column that filters of a workbook can name.
pub(super) const HEAD_MAX: usize = 200;
/// Letters of a word in a text that is not broken.
const WORD_MAX: usize = 18;
/// Letters of a judgement that stands in one line.
const VERDICT_MAX: f64 = 13.0;
/// Columns at most that name the row.
const KEYS_MAX: usize = 3;
/// Letters of body text, and of bold heads, are so wide as digits.
const LETTER: f64 = 0.95;
const BOLD_LETTER: f64 = 1.06;
/// A space, and a dot between words, of a letter.
const SPACE: f64 = 0.55;

/// What of a cell a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// All of it, or the percentage of a share.
    Cell,
    /// What a share counts.
    Numerator,
    /// Of how many.
    Denominator,
    /// In which unit both are, where the rows of a column differ in that.
    Unit,
}

/// One column as it is written.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Of the table.
    pub(super) column: usize,
    /// What of its cells.
    pub(super) role: Role,
    /// What stands above it.
    pub(super) head: String,
    /// Digits that it needs.
    least: f64,
    /// Digits that it would like.
    wanted: f64,
}

/// Where the columns go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paper {
    /// Digits that fit across.
    pub(super) across: f64,
    /// What each column takes beside its contents, in digits.
    pub(super) padding: f64,
    /// Shares are three columns, each of one number.
    pub(super) apart: bool,
}

impl Paper {
    /// The parts of tables that stand below each other on the same columns: those of each, from top to bottom.
    pub(super) fn lay_out(self, tables: &[&Table], reader: Reader) -> Vec<Vec<Vec<Field>>> {
        let fields: Vec<(usize, Vec<Field>)> =
            tables.iter().map(|table| (keys(table), self.fields(table, reader))).collect();
        let longest = fields.iter().map(|(_, fields)| fields.len()).max().unwrap_or(0);
        // Fewer and fewer side by side, until all have room: three are a share.
        let parted = |most: usize| -> Vec<Vec<Vec<Field>>> {
            fields.iter().map(|(keys, fields)| parts(fields, *keys, most)).collect()
        };
        let has_room = |tables: &[Vec<Vec<Field>>]| {
            self.total(&widths(all(tables), |field| field.least)) <= self.across
        };
        let most = (3..=longest.max(3)).rev().find(|most| has_room(&parted(*most))).unwrap_or(3);
        // As few as that allows, so that the last part is no narrower than the others.
        let tables = parted(most);
        let counts = |tables: &[Vec<Vec<Field>>]| tables.iter().map(Vec::len).collect::<Vec<_>>();
        let even = (3..most).rev().map(parted).take_while(|even| counts(even) == counts(&tables));
        even.filter(|even| has_room(even)).last().unwrap_or(tables)
    }

    /// Digits across each column, without its padding, of parts of tables that stand below each other.
    pub(super) fn widths<'a>(self, parts: impl Iterator<Item = &'a [Field]> + Clone) -> Vec<f64> {
        let least = widths(parts.clone(), |field| field.least);
        let wanted = widths(parts, |field| field.wanted.max(field.least));
        self.spread(&least, &wanted)
    }

    fn total(self, widths: &[f64]) -> f64 {
        widths.iter().map(|width| width + self.padding).sum()
    }

    /// Gives what is left of the page to those that would like more.
    fn spread(self, least: &[f64], wanted: &[f64]) -> Vec<f64> {
        let more = self.total(wanted) - self.total(least);
        let room = (self.across - self.total(least)).max(0.0);
        let part = if more > room { room / more } else { 1.0 };
        least.iter().zip(wanted).map(|(least, wanted)| least + (wanted - least) * part).collect()
    }

    /// A share is three columns where each holds one number.
    fn fields(self, table: &Table, reader: Reader) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for (n, column) in table.columns.iter().enumerate() {
            let cells = || table.rows.iter().chain(&table.total).filter_map(move |row| row.get(n));
            let head = cut(&column.title, HEAD_MAX);
            let needs = cells().map(|cell| self.least(table, cell, reader)).fold(2.0, f64::max);
            let least = needs.max(longest_word(&head) * BOLD_LETTER);
            let wanted = f64::from(column.width);
            let named = head.clone();
            fields.push(Field { column: n, role: Role::Cell, head, least, wanted });
            if !(self.apart && column.holds.shares()) {
                continue;
            }
            let counted = cells().map(|cell| counted(cell, reader)).fold(6.0, f64::max);
            for (role, text) in
                [(Role::Numerator, Text::Numerator), (Role::Denominator, Text::Denominator)]
            {
                let unit = if column.holds == Holds::TimeShares { ", h" } else { "" };
                let head = format!("{named}: {}{unit}", text.get(reader.lang));
                let least = counted.max(longest_word(&head) * BOLD_LETTER);
                fields.push(Field { column: n, role, head, least, wanted: 11.0 });
            }
            if column.holds == Holds::Both {
                let head = format!("{named}: {}", Text::ShareUnit.get(reader.lang));
                let least = longest_word(&head) * BOLD_LETTER;
                fields.push(Field { column: n, role: Role::Unit, head, least, wanted: 6.0 });
            }
        }
        fields
    }

    /// Digits that a cell needs: a number is never broken, a text between words.
    fn least(self, table: &Table, cell: &Cell, reader: Reader) -> f64 {
        let said = reader.shown_in(table, cell);
        let whole = length(said.chars().count());
        match cell {
            Cell::Empty => 0.0,
            Cell::Text(text) => longest_word(text) * LETTER,
            // The glyph stays with the first word.
            Cell::Verdict(_, text) => {
                let first = text.split_whitespace().next().map_or(0, |word| word.chars().count());
                let short = Some(whole).filter(|whole| *whole <= VERDICT_MAX).unwrap_or(0.0);
                (longest_word(text).max(length(first) + 2.0).max(short + 2.0)) * BOLD_LETTER
            }
            // In two lines.
            Cell::NotKnown => whole / 2.0 + 1.0,
            Cell::Share(share, ..) | Cell::AtLeast(share, ..) if !self.apart => {
                // The counts stand above the percentage.
                whole.max(length(format::share(*share, reader.lang).chars().count()))
            }
            _ => whole + 1.0,
        }
    }
}

/// Leading columns that name a row: texts and days, an ordinal before them.
fn keys(table: &Table) -> usize {
    let all = |n: usize, is_it: fn(&Cell) -> bool| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(n)).peekable();
        cells.peek().is_some() && cells.all(is_it)
    };
    let names = |n: &usize| {
        all(*n, |cell| matches!(cell, Cell::Text(_) | Cell::Day(_) | Cell::Empty))
            || *n == 0 && all(0, |cell| matches!(cell, Cell::Count(_)))
    };
    (0..table.columns.len().min(KEYS_MAX)).take_while(names).count().max(1)
}

/// The parts of all tables, one behind the other.
fn all(tables: &[Vec<Vec<Field>>]) -> impl Iterator<Item = &[Field]> + Clone {
    tables.iter().flatten().map(Vec::as_slice)
}

/// Parts of a table with at most so many columns, each with those that name its rows. A share is
/// not torn apart.
fn parts(fields: &[Field], keys: usize, most: usize) -> Vec<Vec<Field>> {
    if fields.len() <= most {
        return vec![fields.to_vec()];
    }
    let keys = fields.iter().take_while(|field| field.column < keys).count().min(most - 1);
    let (names, rest) = fields.split_at(keys);
    let mut parts: Vec<Vec<Field>> = vec![names.to_vec()];
    for column in rest.chunk_by(|one, other| one.column == other.column) {
        let last = parts.len() - 1;
        if parts[last].len() > names.len() && parts[last].len() + column.len() > most {
            parts.push(names.to_vec());
        }
        let last = parts.len() - 1;
        parts[last].extend_from_slice(column);
    }
    parts
}

/// The widest of what stands on each column.
fn widths<'a>(parts: impl Iterator<Item = &'a [Field]>, of: impl Fn(&Field) -> f64) -> Vec<f64> {
    let mut widths: Vec<f64> = Vec::new();
    for (n, field) in parts.flat_map(|part| part.iter().enumerate()) {
        match widths.get_mut(n) {
            Some(width) => *width = width.max(of(field)),
            None => widths.push(of(field)),
        }
    }
    widths
}

/// Digits of the counts of a share.
fn counted(cell: &Cell, reader: Reader) -> f64 {
    let said = match cell {
        Cell::Share(share, ..) | Cell::AtLeast(share, ..) => format::count(share.want, reader.lang),
        Cell::TimeShare(share, ..) => reader.shown(&Cell::Number(in_hours(share.want), 1)),
        _ => return 0.0,
    };
    length(said.chars().count()) + 1.0
}

/// Letters of the longest word; of one that no column has room for, as many as it may take.
fn longest_word(text: &str) -> f64 {
    let words = text.split_whitespace().map(|word| word.chars().count());
    length(words.max().unwrap_or(0).min(WORD_MAX))
}

/// Lines that a text takes in a column of so many digits, broken between words.
pub(super) fn lines(text: &str, width: f64, is_bold: bool) -> f64 {
    let letter = if is_bold { BOLD_LETTER } else { LETTER };
    let room = (width / letter).max(4.0);
    let mut lines = 0.0;
    for paragraph in text.split('\n') {
        let mut used = 0.0;
        lines += 1.0;
        for word in paragraph.split_whitespace() {
            let dots = word.chars().filter(|letter| *letter == '·').count();
            let word = length(word.chars().count()) - length(dots) * (1.0 - SPACE);
            if used > 0.0 && used + SPACE + word > room {
                lines += 1.0;
                used = 0.0;
            }
            let gap = if used > 0.0 { SPACE } else { 0.0 };
            used += gap + word;
            // A word with no room for it is broken anywhere.
            while used > room {
                lines += 1.0;
                used -= room;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::sheets::SheetColumn;
    use config::Lang;
    use proptest::prelude::*;

    const READER: Reader = Reader { lang: Lang::Vi, zone: config::Zone::hours(7) };
    const PAPER: Paper = Paper { across: 190.0, padding: 1.0, apart: true };

    #[test]
    fn a_table_with_too_many_columns_is_parted_and_each_part_names_its_rows() {
        let ids = ["a"; 40];
        let mut columns: Vec<SheetColumn> = sample::columns(&ids);
        columns[0].title = "Trạm".to_owned();
        let mut row = vec![Cell::Text("HB01".to_owned())];
        row.resize(40, Cell::Count(1_234_567));
        let (rows, caption) = (vec![row], String::new());
        let table = Table { id: "wide", caption, columns, rows, total: None };
        let tables = PAPER.lay_out(&[&table], READER);
        assert!(tables[0].len() > 1);
        let columns: Vec<usize> = tables[0].iter().map(Vec::len).collect();
        let (most, least) = (columns.iter().max().unwrap(), columns.iter().min().unwrap());
        assert!(most - least < tables[0].len(), "parts are even: {columns:?}");
        let mut seen: Vec<usize> = Vec::new();
        for part in &tables[0] {
            assert_eq!(part[0].column, 0);
            seen.extend(part.iter().skip(1).map(|field| field.column));
        }
        assert_eq!(seen, (1..40).collect::<Vec<_>>(), "each column once");
        assert!(PAPER.total(&PAPER.widths(all(&tables))) <= PAPER.across + 1e-6);
    }

    #[test]
    fn an_ordinal_is_no_name_by_itself() {
        let mut columns = sample::columns(&["a"; 40]);
        columns[1].title = "Trạm".to_owned();
        let mut row = vec![Cell::Count(1), Cell::Text("HB01".to_owned())];
        row.resize(40, Cell::Count(1_234_567));
        let (rows, caption) = (vec![row], String::new());
        let table = Table { id: "form", caption, columns, rows, total: None };
        for part in &PAPER.lay_out(&[&table], READER)[0] {
            assert_eq!(part[1].column, 1, "each part has the name");
        }
    }

    #[test]
    fn every_sample_fits_across_the_page_and_no_number_or_word_is_cut() {
        for report in [sample::month(Lang::Vi), sample::month(Lang::En), sample::every_cell()] {
            for sheet in &report.sheets {
                let tables: Vec<&Table> = sheet
                    .parts
                    .iter()
                    .filter_map(|part| match part {
                        crate::sheets::SheetPart::Table(table) => Some(table),
                        _ => None,
                    })
                    .collect();
                for apart in [true, false] {
                    let paper = Paper { apart, ..PAPER };
                    let tables = paper.lay_out(&tables, READER);
                    let widths = paper.widths(all(&tables));
                    assert!(paper.total(&widths) <= paper.across + 1e-6, "{}", sheet.id);
                    for part in tables.iter().flatten() {
                        for (field, width) in part.iter().zip(&widths) {
                            assert!(*width >= field.least - 1e-9, "{} {}", sheet.id, field.head);
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_columns_are_they_fit_across(
            texts in proptest::collection::vec("[a-zđ ]{0,40}", 1..40),
            counts: Vec<u64>,
        ) {
            let ids = vec!["x"; texts.len()];
            let mut columns = sample::columns(&ids);
            for (column, text) in columns.iter_mut().zip(&texts) {
                column.title.clone_from(text);
            }
            let row: Vec<Cell> = texts
                .iter()
                .enumerate()
                .map(|(n, text)| match counts.get(n) {
                    Some(count) => Cell::Count(*count),
                    None => Cell::Text(text.clone()),
                })
                .collect();
            let (rows, caption) = (vec![row], String::new());
            let table = Table { id: "any", caption, columns, rows, total: None };
            let tables = PAPER.lay_out(&[&table], READER);
            prop_assert!(PAPER.total(&PAPER.widths(all(&tables))) <= PAPER.across + 1e-6);
        }

        #[test]
        fn a_text_has_the_lines_that_its_words_need(words in proptest::collection::vec("[a-z]{1,9}", 1..20)) {
            let text = words.join(" ");
            prop_assert!((lines(&text, 1e6, false) - 1.0).abs() < 1e-9);
            prop_assert!(lines(&text, 10.0, false) <= length(words.len()));
            prop_assert!(lines(&text, 10.0, false) >= lines(&text, 20.0, false));
        }
    }
}
