//! Energy produced and distributed: what plants gave to the grid, point by point.

use store::history::{FigureRow, Printed, Produced};

use super::{text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, Sheet, SheetPart, Table};
use crate::shown::{kwh_as_gwh, kwh_as_mwh};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Điện sản xuất, phân phối", "Energy produced");
    let absent = [
        (
            "Số liệu công tơ của nhà máy điện trong kỳ không còn lưu, nên chưa rõ.",
            "The counters of plants in this period are no longer kept, so it is not known.",
        ),
        (
            "Trong kỳ không có số liệu công tơ của nhà máy điện.",
            "No counters of plants were kept in this period.",
        ),
    ];
    if facts.counted.produced.is_empty() {
        return titled("produced", name, vec![facts.without_counts(absent)]);
    }
    let mut parts = vec![SheetPart::Table(points(facts))];
    parts.extend(earlier(facts).map(SheetPart::Table));
    parts.push(words.note(
        "Sản lượng sản xuất và phân phối: điện năng phát lên lưới trừ điện năng nhận từ lưới, cộng mọi điểm đo đếm của \
         các nhà máy (500, 220, 110 kV). Biết được: thời gian giữa các lần đọc công tơ dùng được, so với cả kỳ. \
         Nhà máy không tính vào số trạm.",
        "Produced and distributed: energy to the grid less energy from it, over all metered points of the plants (500, \
         220, 110 kV). Known: time between readings of the counters that could be used, of the whole period. Plants \
         are no stations and count in none of their figures.",
    ));
    titled("produced", name, parts)
}

fn points(facts: &Facts) -> Table {
    let words = facts.words();
    let mut all = Produced::default();
    let mut rows = Vec::new();
    for ((plant, point), own) in &facts.counted.produced {
        all += own;
        let site = facts.province.site(plant);
        let name = site.map(|id| facts.province.stations[id.index()].name.get(facts.lang));
        let (level, bay) = point.split_once('.').unwrap_or(("", point));
        let level = level.parse().map_or(Cell::Empty, Cell::Count);
        let mut row = vec![text(plant), text(name.unwrap_or("")), level, text(bay)];
        row.extend(cells(facts, own));
        rows.push(row);
    }
    let mut total =
        vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty, Cell::Empty, Cell::Empty];
    total.extend(cells(facts, &all));
    Table {
        id: "produced",
        caption: words.say("Theo điểm đo đếm", "By metered point"),
        columns: vec![
            words.column("plant", "Nhà máy", "Plant", 8),
            words.column("name", "Tên nhà máy", "Name", 24),
            words.column("level", "Cấp, kV", "Level, kV", 9),
            words.column("point", "Điểm đo", "Point", 9),
            words.column("out", "Phát lên lưới, MWh", "To the grid, MWh", 16),
            words.column("in", "Nhận từ lưới, MWh", "From the grid, MWh", 16),
            words.column(
                "produced",
                "Sản xuất và phân phối, MWh",
                "Produced and distributed, MWh",
                18,
            ),
            words.column("known", "Biết được", "Known", 12).holding(Holds::TimeShares),
            words.column("remarks", "Lưu ý", "Remarks", 30),
        ],
        rows,
        total: Some(total),
    }
}

fn cells(facts: &Facts, own: &Produced) -> Vec<Cell> {
    let mwh = |kwh: &i64| Cell::Number(kwh_as_mwh(*kwh), 0);
    let mut row = FigureRow::new();
    row.add(&own.out_kwh(), mwh).add(&own.in_kwh(), mwh).add(&own.net_kwh(), mwh);
    row.known();
    row.said(facts.lang)
}

/// The year beside those earlier ones whose figures the contract names.
fn earlier(facts: &Facts) -> Option<Table> {
    let mut all = Produced::default();
    facts.counted.produced.values().for_each(|own| all += own);
    let gwh = all.net_kwh().map(kwh_as_gwh);
    super::sold::years(facts, "produced_years", (&gwh, Holds::TimeShares, Cell::known), |year| {
        year.produced_gwh
    })
}
