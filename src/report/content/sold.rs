//! Energy sold: read remotely, read by hand, and what is not known, by district and class.

use std::collections::BTreeMap;

use config::ReportedYear;

use super::{DECIMALS, text, titled};
use crate::clock::{DAY_MS, Timestamp};
use crate::history::Sold;
use crate::report::facts::Facts;
use crate::report::sheets::{Cell, Part, Sheet, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Điện thương phẩm", "Energy sold");
    if facts.sold.is_empty() {
        let note = words.note(
            "Trong kỳ không có số liệu điện thương phẩm từ hệ thống đo xa.",
            "No head-end told of energy sold in this period.",
        );
        return titled("sold", name, vec![note]);
    }
    let districts = |id: &str| {
        let found = facts.province.districts.iter().find(|district| district.id == id);
        found.map_or(id.to_owned(), |district| district.name.get(facts.lang).to_owned())
    };
    let classes = |id: &str| {
        let found = facts.province.meter_classes.iter().find(|class| class.id == id);
        found.map_or(id.to_owned(), |class| class.name.get(facts.lang).to_owned())
    };
    let (mut by_district, mut by_class) = (BTreeMap::new(), BTreeMap::new());
    for (group, sold) in &facts.sold {
        if group.sells {
            *by_district.entry((true, group.district.as_str())).or_insert_with(Sold::default) +=
                *sold;
        }
        *by_class.entry((group.sells, group.class.as_str())).or_insert_with(Sold::default) += *sold;
    }
    let district_order: Vec<&str> =
        facts.province.districts.iter().map(|district| district.id.as_str()).collect();
    let class_order: Vec<&str> =
        facts.province.meter_classes.iter().map(|class| class.id.as_str()).collect();
    let mut parts = vec![
        Part::Table(table(
            facts,
            ("sold_districts", ("Theo huyện", "By district")),
            &ordered(by_district, &district_order),
            &districts,
        )),
        Part::Table(table(
            facts,
            ("sold_classes", ("Theo loại công tơ", "By class of meters")),
            &ordered(by_class, &class_order),
            &classes,
        )),
    ];
    parts.extend(earlier(facts).map(Part::Table));
    parts.push(words.note(
        "Mỗi lần đọc mang lại điện năng từ lần đọc trước của công tơ đó, và tính vào ngày của chỉ số. Chưa đọc: \
         ngày công tơ trong kỳ mà chưa lần đọc nào bao trùm (đọc xa không thành, cửa khóa, hoặc chưa đến ngày ghi chỉ \
         số); điện năng của chúng không được ước lượng. Loại công tơ không bán điện nằm ngoài tổng.",
        "A reading brings what its meter has counted since the reading before, and belongs to the day of the register. \
         Not read: meter-days of the period that no reading covers (a remote reading failed, a door was locked, the day \
         of the round has not come); their energy is not estimated. Classes that sell nothing stand outside the sum.",
    ));
    titled("sold", name, parts)
}

type Rows<'a> = Vec<((bool, &'a str), Sold)>;

/// In the order of the contract; what it does not name any more comes last.
fn ordered<'a>(rows: BTreeMap<(bool, &'a str), Sold>, order: &[&str]) -> Rows<'a> {
    let place = |id: &str| order.iter().position(|own| *own == id).unwrap_or(order.len());
    let mut rows: Rows<'a> = rows.into_iter().collect();
    rows.sort_by_key(|((sells, id), _)| (!sells, place(id)));
    rows
}

fn table(
    facts: &Facts,
    (id, caption): (&'static str, (&str, &str)),
    rows: &Rows<'_>,
    name: &dyn Fn(&str) -> String,
) -> Table {
    let words = facts.words();
    let mut all = Sold::default();
    let mut cells_of = |((sells, id), sold): &((bool, &str), Sold)| {
        if *sells {
            all += *sold;
        }
        let sells = if *sells { words.say("có", "yes") } else { words.say("không", "no") };
        let mut row = vec![text(id), text(&name(id)), Cell::Text(sells)];
        row.extend(cells(facts, sold));
        row
    };
    let rows: Vec<Vec<Cell>> = rows.iter().map(&mut cells_of).collect();
    let mut total =
        vec![Cell::Text(words.say("Tổng bán điện", "All that sell")), Cell::Empty, Cell::Empty];
    total.extend(cells(facts, &all));
    Table {
        id,
        caption: words.say(caption.0, caption.1),
        columns: vec![
            words.column("id", "Mã", "Id", 12),
            words.column("name", "Tên", "Name", 24),
            words.column("sells", "Bán điện", "Sells", 9),
            words.column("sold", "Đã đọc, MWh", "Read, MWh", 14),
            words.column("remote", "Đọc xa, MWh", "Read remotely, MWh", 14),
            words.column("remote_until", "Đọc xa đến hết ngày", "Remotely up to the end of", 14),
            words.column("hand", "Ghi tại chỗ, MWh", "Read by hand, MWh", 14),
            words.column("hand_until", "Ghi tại chỗ lần cuối", "By hand last on", 14),
            words.column("read_days", "Ngày công tơ đã đọc", "Meter-days read", 16),
            words.column("unread_days", "Ngày công tơ chưa đọc", "Meter-days not read", 16),
            words.column(
                "remote_behind",
                "Đọc xa không thành, công tơ",
                "Remote reading failed, meters",
                14,
            ),
            words.column(
                "hand_behind",
                "Ghi tại chỗ không được, công tơ",
                "Not reached by hand, meters",
                14,
            ),
            words.column("doubtful", "Lần đọc không dùng được", "Readings not usable", 12),
        ],
        rows,
        total: Some(total),
    }
}

fn cells(facts: &Facts, sold: &Sold) -> [Cell; 10] {
    let mwh = |kwh: u64| Cell::Number(wide(kwh) / 1_000.0, 1);
    let day = |day: i64| match day {
        0 => Cell::Empty,
        day => {
            let date = Timestamp(day * DAY_MS).local(0).date;
            Cell::Text(crate::words::format::date(date, facts.lang))
        }
    };
    let read = sold.read_days.min(sold.all_days);
    let read = crate::historian::counts::Share::new(read, sold.all_days);
    [
        mwh(sold.kwh()),
        mwh(sold.remote_kwh),
        day(sold.remote_until),
        mwh(sold.hand_kwh),
        day(sold.hand_until),
        Cell::Share(read, DECIMALS, None),
        Cell::Count(sold.unread_days()),
        Cell::Count(sold.remote_behind),
        Cell::Count(sold.hand_behind),
        Cell::Count(sold.doubtful),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "energy of a province is far below 2^53 kWh")]
pub(super) fn wide(kwh: u64) -> f64 {
    kwh as f64
}

/// The year beside those earlier ones whose figures the contract names.
fn earlier(facts: &Facts) -> Option<Table> {
    let mut all = Sold::default();
    facts.sold.iter().filter(|(group, _)| group.sells).for_each(|(_, sold)| all += *sold);
    years(facts, "sold_years", wide(all.kwh()) / 1e6, |year| year.sold_gwh)
}

/// A figure of a year beside what was reported of earlier ones.
pub(super) fn years(
    facts: &Facts,
    id: &'static str,
    gwh: f64,
    of_year: impl Fn(&ReportedYear) -> Option<f64>,
) -> Option<Table> {
    let words = facts.words();
    let reported = facts.province.reported_years.iter();
    let earlier = reported
        .filter(|year| facts.period.is_year() && year.year != facts.period.first.year)
        .filter_map(|year| Some((year.year, of_year(year)?)));
    let rows: Vec<Vec<Cell>> = earlier
        .map(|(year, then)| {
            vec![
                Cell::Text(year.to_string()),
                Cell::Number(then, 1),
                Cell::Number(gwh, 1),
                Cell::Number(gwh - then, 1),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        id,
        caption: words.say("So với năm đã công bố", "Beside years as they were reported"),
        columns: vec![
            words.column("year", "Năm", "Year", 8),
            words.column("then", "Đã công bố, GWh", "Reported, GWh", 14),
            words.column("now", "Kỳ này, GWh", "This period, GWh", 14),
            words.column("change", "Thay đổi, GWh", "Change, GWh", 14),
        ],
        rows,
        total: None,
    })
}
