//! Supply of customers: SAIDI, SAIFI and MAIFI, and the interruptions that made them.

use std::collections::BTreeMap;

use store::history::reliability::{FeederInterruption, FeederName, Indices, InterruptionKind};
use store::history::{FigureRow, Span, What};

use super::{text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, Sheet, SheetPart, Table};

/// Interruptions that are listed.
const LISTED_MAX: usize = 500;

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let all = facts.reliability.interruptions();
    let mut parts = vec![SheetPart::Table(indices(facts)), SheetPart::Table(list(facts, &all))];
    parts.extend(left(facts, all.len()));
    titled("reliability", words.say("Độ tin cậy", "Reliability"), parts)
}

/// What was assumed or is not known of supply over stretches of time; `None` when nothing is.
pub(super) fn doubts(facts: &Facts) -> Option<Sheet> {
    let doubts = facts.reliability.doubts();
    // What is alike of several feeders of a station is one row.
    let mut together: BTreeMap<_, (Vec<&str>, u64)> = BTreeMap::new();
    for doubt in &doubts {
        let Span { from, to } = doubt.span;
        let own = together.entry((from, &doubt.feeder.station, to, doubt.what)).or_default();
        own.0.push(&doubt.feeder.bay);
        own.1 += doubt.customers;
    }
    let rows: Vec<Vec<Cell>> = together
        .into_iter()
        .map(|((from, station, to, what), (feeders, customers))| {
            vec![
                Cell::Instant(from),
                Cell::Instant(to),
                Cell::Duration(to.since(from)),
                text(station),
                text(&feeders.join(", ")),
                Cell::Count(customers),
                text(what.text(facts.lang)),
            ]
        })
        .collect();
    let left = left(facts, rows.len());
    let parts = std::iter::once(SheetPart::Table(doubted(facts, rows))).chain(left).collect();
    let words = facts.words();
    let title = words.say("Chưa rõ có điện", "Supply in doubt");
    (!doubts.is_empty()).then(|| titled("doubts", title, parts))
}

/// How many rows are not listed, where there are any.
fn left(facts: &Facts, count: usize) -> Option<SheetPart> {
    let left = count.saturating_sub(LISTED_MAX);
    let (vi, en) = (format!("Còn {left} lần khác."), format!("And {left} more."));
    (left > 0).then(|| facts.words().note(&vi, &en))
}

fn indices(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.stations().into_iter().map(|station| {
        let contract = &facts.province.stations[station.index()];
        let mut row = vec![text(&contract.id), text(contract.name.get(facts.lang))];
        row.extend(cells(facts, &facts.reliability.indices(Some(&contract.id))));
        row
    });
    let mut total = vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty];
    total.extend(cells(facts, &facts.reliability.indices(None)));
    Table {
        id: "indices",
        caption: words.say("Chỉ số độ tin cậy", "Indices"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("name", "Tên trạm", "Name", 18),
            words.column("customers", "Công tơ bán điện", "Meters that sell", 12),
            words.column("sustained", "Mất điện > 5 phút", "Interruptions > 5 min", 12),
            words.column("saidi", "SAIDI, phút", "SAIDI, min", 12),
            words.column("saifi", "SAIFI, lần", "SAIFI", 10),
            words.column("undecided", "Chưa rõ loại", "Kind not known", 10),
            words.column("known", "Biết được", "Known", 12).holding(Holds::TimeShares),
            words.column("momentary", "Mất điện thoáng qua", "Momentary", 12),
            words.column("maifi", "MAIFI, lần", "MAIFI", 10),
            words
                .column("recorded", "Thoáng qua biết được", "Momentary known", 12)
                .holding(Holds::TimeShares),
            words.column("remarks", "Ghi chú", "Remarks", 40),
        ],
        rows: rows.collect(),
        total: Some(total),
    }
}

fn cells(facts: &Facts, indices: &Indices) -> Vec<Cell> {
    let number = |decimals| move |value: &f64| Cell::Number(*value, decimals);
    let count = |value: &u64| Cell::Count(*value);
    let mut row = FigureRow::new();
    row.beside(&indices.customers, count);
    row.add(&indices.sustained, count).add(&indices.saidi, number(2));
    row.add(&indices.saifi, number(3)).add(&indices.undecided, count).known();
    row.add(&indices.momentary, count).add(&indices.maifi, number(3)).known();
    row.said(facts.lang)
}

fn list(facts: &Facts, all: &[(&FeederName, &FeederInterruption)]) -> Table {
    let words = facts.words();
    let window = facts.window.span;
    let rows = all.iter().take(LISTED_MAX).map(|(name, interruption)| {
        let own = interruption;
        let kind = match own.kind {
            InterruptionKind::Sustained => words.say("kéo dài", "sustained"),
            InterruptionKind::Momentary => words.say("thoáng qua", "momentary"),
            InterruptionKind::Undecided => words.say("chưa rõ", "not known"),
        };
        let last = own.dead.last().map_or(own.from, |span| span.to);
        // When one ended that nobody saw end is not known: its length is what was seen of it.
        let until = own.until.filter(|_| !own.assumed.contains(&What::EndUnseen));
        let assumed: Vec<&str> = own.assumed.iter().map(|what| what.text(facts.lang)).collect();
        let is_begun = own.counts && own.begins_in(window);
        vec![
            Cell::Instant(own.from),
            match until {
                Some(until) => Cell::Instant(until),
                None if own.assumed.contains(&What::Open) => Cell::Empty,
                None => Cell::NotKnown,
            },
            Cell::Duration(until.unwrap_or(last).since(own.from)),
            Cell::Duration(own.ms_in(window)),
            text(&name.station),
            text(&name.bay),
            Cell::Count(own.customers),
            Cell::Text(kind),
            Cell::Count(u64::from(is_begun)),
            text(&assumed.join("; ")),
        ]
    });
    Table {
        id: "interruptions",
        caption: words.say("Các lần mất điện xuất tuyến", "Interruptions of feeders"),
        columns: vec![
            words.column("from", "Từ", "From", 17),
            words.column("until", "Đến", "Until", 17),
            words.column("length", "Thời gian", "Length", 11).holding(Holds::Times),
            words.column("within", "Trong kỳ", "In the period", 11).holding(Holds::Times),
            words.column("station", "Trạm", "Station", 8),
            words.column("feeder", "Xuất tuyến", "Feeder", 10),
            words.column("customers", "Công tơ", "Meters", 10),
            words.column("kind", "Loại", "Kind", 14),
            words.column("counted", "Tính trong kỳ", "Counted here", 10),
            words.column("remarks", "Ghi chú", "Remarks", 40),
        ],
        rows: rows.collect(),
        total: None,
    }
}

/// What was assumed or is not known over stretches of time, although somebody watched.
fn doubted(facts: &Facts, mut rows: Vec<Vec<Cell>>) -> Table {
    let words = facts.words();
    rows.truncate(LISTED_MAX);
    Table {
        id: "doubts",
        caption: words.say(
            "Lúc có theo dõi nhưng có điện hay không là giả định hoặc chưa rõ, phần trong kỳ",
            "Watched, but supply was assumed or is not known: what lies in the period",
        ),
        columns: vec![
            words.column("from", "Từ", "From", 17),
            words.column("until", "Đến", "Until", 17),
            words.column("length", "Thời gian", "Length", 11).holding(Holds::Times),
            words.column("station", "Trạm", "Station", 8),
            words.column("feeders", "Xuất tuyến", "Feeders", 20),
            words.column("customers", "Công tơ", "Meters", 10),
            words.column("remarks", "Ghi chú", "Remarks", 60),
        ],
        rows,
        total: None,
    }
}
