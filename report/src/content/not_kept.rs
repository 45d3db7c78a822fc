//! What of the period is no longer kept: told on each sheet that it touches, and as a table for those who
//! read nothing else.

use config::Lang;
use store::Kept;
use store::history::Span;

use super::Words;
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, Mark, Sheet, SheetPart, Table};
use crate::shown::{Reader, real};

/// What each sheet is made from. What a sheet takes from the contract alone is not among it.
const SOURCES: [(&str, &[Kept]); 15] = [
    ("summary", &[Kept::Verdicts, Kept::Metering]),
    ("bm_5a", &[Kept::Verdicts]),
    ("bm21", &[Kept::Verdicts]),
    ("missing", &[Kept::Verdicts]),
    ("quality", &[Kept::Verdicts]),
    ("channels", &[Kept::Verdicts, Kept::Polling]),
    ("metering", &[Kept::Metering]),
    ("events", &[Kept::Events]),
    ("alarms", &[Kept::Alarms]),
    ("reliability", &[Kept::Events, Kept::Values]),
    ("doubts", &[Kept::Events, Kept::Values]),
    ("energy", &[Kept::Values]),
    ("sold", &[Kept::Metering]),
    ("produced", &[Kept::Metering]),
    ("exclusions", &[Kept::Verdicts]),
];

/// In words, within a sentence.
fn name(kind: Kept, lang: Lang) -> &'static str {
    let (vi, en) = match kind {
        Kept::Verdicts => ("nhận định", "verdicts"),
        Kept::Events => ("bản ghi sự kiện", "event records"),
        Kept::Values => ("giá trị đo", "values"),
        Kept::Polling => ("số liệu hỏi đáp", "polling"),
        Kept::Metering => ("số liệu đo xa", "metering"),
        Kept::Alarms => ("cảnh báo", "alarms"),
    };
    match lang {
        Lang::Vi => vi,
        Lang::En => en,
    }
}

impl Words {
    /// In place of a figure whose records were forgotten.
    pub(super) fn not_kept(self) -> Cell {
        Cell::Verdict(Mark::Doubt, self.say("không còn lưu", "not kept"))
    }
}

impl Facts {
    /// Whether some of the period is no longer kept of a kind of record.
    pub(super) fn lacks(&self, kind: Kept) -> bool {
        self.window.not_kept(kind).length() > 0
    }

    /// A count for each day: nothing where not all of the day is kept of a kind of record, and where there is none
    /// because nobody watched.
    pub(super) fn by_day(
        &self,
        kind: Kept,
        count: impl Fn(usize, Span) -> u64,
    ) -> Vec<Option<f64>> {
        let gone = self.window.not_kept(kind);
        let watched = || self.window.eras.iter().flat_map(|era| &era.observed);
        let days = self.window.parts.iter().enumerate().map(|(n, day)| {
            let count = count(n, *day);
            let is_known = count > 0 || watched().any(|(_, seen)| seen.and(*day).length() > 0);
            (is_known && gone.and(*day).length() == 0).then_some(real(count))
        });
        days.collect()
    }
}

/// Puts it at the top of each sheet that lacks something.
pub(super) fn tell(facts: &Facts, sheets: &mut [Sheet]) {
    for sheet in sheets {
        let sources = SOURCES.iter().find(|(id, _)| *id == sheet.id);
        let kinds = sources.map_or(&[][..], |(_, kinds)| *kinds);
        let lacking: Vec<Kept> = kinds.iter().copied().filter(|kind| facts.lacks(*kind)).collect();
        if !lacking.is_empty() {
            // The head of a form stays above it.
            let place = usize::from(matches!(sheet.parts.first(), Some(SheetPart::Head(_))));
            sheet.parts.insert(place, note(facts, &lacking));
        }
        if sheet.id == "summary"
            && let Some(table) = table(facts)
        {
            sheet.parts.push(SheetPart::Table(table));
        }
    }
}

fn note(facts: &Facts, lacking: &[Kept]) -> SheetPart {
    let words = facts.words();
    let reader = Reader { lang: facts.lang, zone: facts.period.zone };
    let each = lacking.iter().map(|kind| {
        let name = name(*kind, facts.lang);
        let until = reader.instant(facts.window.not_kept(*kind).to);
        words.say(&format!("{name} trước {until}"), &format!("{name} from before {until}"))
    });
    let each: Vec<String> = each.collect();
    let each = each.join(", ");
    words.note(
        &format!("Không còn lưu: {each}. Số liệu ở trang này không gồm phần đó."),
        &format!(
            "No longer kept: {each}. The figures of this sheet leave it out: it is not known."
        ),
    )
}

/// Kind by kind, for tables and programs.
fn table(facts: &Facts) -> Option<Table> {
    let words = facts.words();
    let rows: Vec<Vec<Cell>> = Kept::ALL
        .into_iter()
        .filter(|kind| facts.lacks(*kind))
        .map(|kind| {
            let span = facts.window.not_kept(kind);
            let name = name(kind, facts.lang).to_owned();
            let (from, to) = (Cell::Instant(span.from), Cell::Instant(span.to));
            vec![
                Cell::Text(kind.word().to_owned()),
                Cell::Text(name),
                from,
                to,
                Cell::Duration(span.length()),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        id: "not_kept",
        caption: words.say("Không còn lưu", "No longer kept"),
        columns: vec![
            words.column("kind", "Mã", "Kind", 12),
            words.column("name", "Loại", "Records", 20),
            words.column("from", "Từ", "From", 17),
            words.column("until", "Đến", "Until", 17),
            words.column("length", "Thời gian", "Length", 12).holding(Holds::Times),
        ],
        rows,
        total: None,
    })
}
