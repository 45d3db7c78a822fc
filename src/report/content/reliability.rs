//! Supply of customers: SAIDI, SAIFI and MAIFI, and the interruptions that made them.

use super::{text, titled};
use crate::report::facts::Facts;
use crate::report::reliability::{Indices, SUSTAINED_MS, customers};
use crate::report::sheets::{Cell, Part, Sheet, Table};

/// Interruptions that are listed.
const LISTED_MAX: usize = 500;

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut parts = vec![Part::Table(indices(facts)), Part::Table(list(facts))];
    let left = facts.interruptions.len().saturating_sub(LISTED_MAX);
    if left > 0 {
        parts.push(words.note(&format!("Còn {left} lần khác."), &format!("And {left} more.")));
    }
    titled("reliability", words.say("Độ tin cậy", "Reliability"), parts)
}

fn indices(facts: &Facts) -> Table {
    let words = facts.words();
    let to = facts.window.span.to;
    let mut all = Indices::default();
    let mut rows = Vec::new();
    for station in facts.stations() {
        let contract = &facts.province.stations[station.index()];
        let own = customers(&facts.province, contract);
        let mut indices = Indices { customers: own, ..Indices::default() };
        all.customers += own;
        for interruption in facts.interruptions.iter().filter(|i| i.station == station.index()) {
            indices.add(interruption, to);
            all.add(interruption, to);
        }
        let mut row = vec![text(&contract.id), text(contract.name.get(facts.lang))];
        row.extend(cells(&indices));
        rows.push(row);
    }
    let mut total = vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty];
    total.extend(cells(&all));
    Table {
        id: "indices",
        caption: words.say("Chỉ số độ tin cậy", "Indices"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("name", "Tên trạm", "Name", 18),
            words.column("customers", "Công tơ bán điện", "Meters that sell", 12),
            words.column("sustained", "Mất điện > 5 phút", "Interruptions > 5 min", 12),
            words.column("momentary", "Mất điện thoáng qua", "Momentary", 12),
            words.column("saidi", "SAIDI, phút", "SAIDI, min", 12),
            words.column("saifi", "SAIFI, lần", "SAIFI", 10),
            words.column("maifi", "MAIFI, lần", "MAIFI", 10),
        ],
        rows,
        total: Some(total),
    }
}

fn cells(indices: &Indices) -> [Cell; 6] {
    let number =
        |value: Option<f64>, decimals| value.map_or(Cell::Empty, |v| Cell::Number(v, decimals));
    [
        Cell::Count(indices.customers),
        Cell::Count(indices.sustained.0),
        Cell::Count(indices.momentary.0),
        number(indices.saidi_minutes(), 2),
        number(indices.saifi(), 3),
        number(indices.maifi(), 3),
    ]
}

fn list(facts: &Facts) -> Table {
    let words = facts.words();
    let to = facts.window.span.to;
    let rows = facts.interruptions.iter().take(LISTED_MAX).map(|interruption| {
        let station = &facts.province.stations[interruption.station];
        let ms = interruption.until.unwrap_or(to).since(interruption.from);
        let kind = if ms > SUSTAINED_MS {
            words.say("kéo dài", "sustained")
        } else {
            words.say("thoáng qua", "momentary")
        };
        vec![
            Cell::Instant(interruption.from),
            interruption.until.map_or(Cell::Empty, Cell::Instant),
            Cell::Duration(ms),
            text(&station.id),
            text(&station.bays[interruption.bay].name),
            Cell::Count(interruption.customers),
            Cell::Text(kind),
        ]
    });
    Table {
        id: "interruptions",
        caption: words.say("Các lần mất điện xuất tuyến", "Interruptions of feeders"),
        columns: vec![
            words.column("from", "Từ", "From", 17),
            words.column("until", "Đến", "Until", 17),
            words.column("length", "Thời gian", "Length", 11),
            words.column("station", "Trạm", "Station", 8),
            words.column("feeder", "Xuất tuyến", "Feeder", 10),
            words.column("customers", "Công tơ", "Meters", 10),
            words.column("kind", "Loại", "Kind", 12),
        ],
        rows: rows.collect(),
        total: None,
    }
}
