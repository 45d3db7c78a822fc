//! Energy produced and distributed: what plants gave to the grid, point by point.

use std::collections::BTreeMap;

use super::sold::wide;
use super::{DECIMALS, text, titled};
use crate::historian::counts::Share;
use crate::history::Produced;
use crate::report::facts::Facts;
use crate::report::sheets::{Cell, Part, Sheet, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Điện sản xuất, phân phối", "Energy produced");
    if facts.produced.is_empty() {
        let note = words.note(
            "Trong kỳ không có số liệu công tơ của nhà máy điện.",
            "No counters of plants were kept in this period.",
        );
        return titled("produced", name, vec![note]);
    }
    let mut parts = vec![Part::Table(points(facts))];
    parts.extend(earlier(facts).map(Part::Table));
    parts.push(words.note(
        "Sản lượng sản xuất và phân phối: điện năng phát lên lưới trừ điện năng nhận từ lưới, cộng mọi điểm đo đếm của \
         các nhà máy (500, 220, 110 kV). Phần có số liệu: thời gian giữa các lần đọc công tơ dùng được, so với cả kỳ. \
         Nhà máy không tính vào số trạm.",
        "Produced and distributed: energy to the grid less energy from it, over all metered points of the plants (500, \
         220, 110 kV). Covered: time between readings of the counters that could be used, of the whole period. Plants \
         are no stations and count in none of their figures.",
    ));
    titled("produced", name, parts)
}

fn points(facts: &Facts) -> Table {
    let words = facts.words();
    let mut all = Produced::default();
    let mut plants: BTreeMap<&str, Produced> = BTreeMap::new();
    let mut rows = Vec::new();
    for ((plant, point), own) in &facts.produced {
        all += *own;
        *plants.entry(plant).or_default() += *own;
        let site = facts.province.site(plant);
        let name = site.map(|id| facts.province.stations[id.index()].name.get(facts.lang));
        let (level, bay) = point.split_once('.').unwrap_or(("", point));
        let level = level.parse().map_or(Cell::Empty, Cell::Count);
        let mut row = vec![text(plant), text(name.unwrap_or("")), level, text(bay)];
        row.extend(cells(own));
        rows.push(row);
    }
    let mut total =
        vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty, Cell::Empty, Cell::Empty];
    total.extend(cells(&all));
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
            words.column("covered", "Phần có số liệu", "Covered", 12),
            words.column("doubtful", "Lần đọc không dùng được", "Readings not usable", 12),
        ],
        rows,
        total: Some(total),
    }
}

fn cells(own: &Produced) -> [Cell; 5] {
    let count = |ms: i64| u64::try_from(ms).unwrap_or(0);
    [
        Cell::Number(wide(own.out_kwh) / 1_000.0, 0),
        Cell::Number(wide(own.in_kwh) / 1_000.0, 0),
        Cell::Number(net(own) / 1_000.0, 0),
        Cell::TimeShare(Share::new(count(own.known_ms), count(own.all_ms)), DECIMALS, None),
        Cell::Count(own.doubtful),
    ]
}

/// Produced and distributed, kWh.
fn net(own: &Produced) -> f64 {
    wide(own.out_kwh) - wide(own.in_kwh)
}

/// The year beside those earlier ones whose figures the contract names.
fn earlier(facts: &Facts) -> Option<Table> {
    let mut all = Produced::default();
    facts.produced.values().for_each(|own| all += *own);
    super::sold::years(facts, "produced_years", net(&all) / 1e6, |year| year.produced_gwh)
}
