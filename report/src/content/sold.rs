//! Energy sold: read remotely, read by hand, and what is not known, by district and class.

use std::collections::BTreeMap;

use config::{Date, ReportedYear};
use historian::counts::Share;
use store::history::{Figure, FigureRow, Read, Sold};

use super::{text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, Sheet, SheetPart, Table};
use crate::shown::{meter_days, real};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Điện thương phẩm", "Energy sold");
    let absent = [
        (
            "Số liệu điện thương phẩm trong kỳ không còn lưu, nên chưa rõ.",
            "What was read of the energy sold in this period is no longer kept, so it is not known.",
        ),
        (
            "Trong kỳ không có số liệu điện thương phẩm từ hệ thống đo xa.",
            "No head-end told of energy sold in this period.",
        ),
    ];
    if facts.counted.sold.is_empty() {
        return titled("sold", name, vec![facts.without_counts(absent)]);
    }
    let (mut by_district, mut by_class) = (BTreeMap::new(), BTreeMap::new());
    for (group, sold) in &facts.counted.sold {
        if group.sells {
            *by_district.entry((true, group.district.as_str())).or_insert_with(Sold::default) +=
                sold;
        }
        *by_class.entry((group.sells, group.class.as_str())).or_insert_with(Sold::default) += sold;
    }
    let mut parts = vec![
        SheetPart::Table(table(
            facts,
            ("sold_districts", ("Theo huyện", "By district")),
            &ordered(by_district, |_, id| (false, facts.place_of_district(id))),
            &|id| facts.district(id),
        )),
        SheetPart::Table(table(
            facts,
            ("sold_classes", ("Theo loại công tơ", "By class of meters")),
            &ordered(by_class, |sells, id| facts.place_of_class(sells, id)),
            &|id| facts.class(id),
        )),
    ];
    parts.extend(earlier(facts).map(SheetPart::Table));
    parts.push(words.note(
        "Mỗi lần đọc mang lại điện năng và số ngày từ lần đọc trước của công tơ đó, và tính vào ngày của chỉ số: ghi \
         tại chỗ mỗi tháng một lần nên gồm cả ngày của tháng trước. Biết được, ít nhất: ngày công tơ của kỳ mà các lần đọc trong kỳ \
         bao trùm, trên tổng ngày công tơ của kỳ. Phần còn lại chưa đọc (đọc xa không thành, cửa khóa, hoặc chưa đến ngày ghi chỉ \
         số); điện năng của chúng không được ước lượng. Loại công tơ không bán điện nằm ngoài tổng.",
        "A reading brings what its meter has counted since the reading before, and the days of that time; all of it \
         belongs to the day of the register, so that readings by hand, once a month, bring days of the month before. Known, at \
         least: meter-days of the period that readings of the period cover, of all of them. The others are not read (a remote \
         reading failed, a door was locked, the day of the round has not come); their energy is not estimated. Classes that \
         sell nothing stand outside the sum.",
    ));
    titled("sold", name, parts)
}

type Rows<'a> = Vec<((bool, &'a str), Sold)>;

/// As every table orders them.
fn ordered<'a>(
    rows: BTreeMap<(bool, &'a str), Sold>,
    place: impl Fn(bool, &str) -> (bool, usize),
) -> Rows<'a> {
    let mut rows: Rows<'a> = rows.into_iter().collect();
    rows.sort_by_key(|((sells, id), _)| place(*sells, id));
    rows
}

fn table(
    facts: &Facts,
    (id, caption): (&'static str, (&str, &str)),
    rows: &Rows<'_>,
    name: &dyn Fn(&str) -> Option<String>,
) -> Table {
    let words = facts.words();
    let mut all = Sold::default();
    let mut cells_of = |((sells, id), sold): &((bool, &str), Sold)| {
        if *sells {
            all += sold;
        }
        let sells = if *sells { words.say("có", "yes") } else { words.say("không", "no") };
        let mut row =
            vec![text(id), text(&name(id).unwrap_or_else(|| (*id).to_owned())), Cell::Text(sells)];
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
            words.column("id", "Mã", "Id", 14),
            words.column("name", "Tên", "Name", 24),
            words.column("sells", "Bán điện", "Sells", 9),
            words.column("sold", "Đã đọc, MWh", "Read, MWh", 14),
            words
                .column("known", "Biết được, ít nhất", "Known, at least", 12)
                .holding(Holds::Shares),
            words.column("read_days", "Ngày công tơ đã đọc", "Meter-days read", 12),
            words.column("remote", "Đọc xa, MWh", "Read remotely, MWh", 14),
            words.column("remote_until", "Đọc xa đến hết ngày", "Remotely up to the end of", 14),
            words.column(
                "remote_behind",
                "Đọc xa không thành, công tơ",
                "Remote reading failed, meters",
                14,
            ),
            words.column("hand", "Ghi tại chỗ, MWh", "Read by hand, MWh", 14),
            words.column("hand_until", "Ghi tại chỗ lần cuối", "By hand last on", 14),
            words.column(
                "hand_behind",
                "Ghi tại chỗ không được, công tơ",
                "Not reached by hand, meters",
                14,
            ),
            words.column("remarks", "Lưu ý", "Remarks", 30),
        ],
        rows,
        total: Some(total),
    }
}

fn cells(facts: &Facts, sold: &Sold) -> Vec<Cell> {
    let mwh = |kwh: &u64| Cell::Number(real(*kwh) / 1_000.0, 1);
    let day = |day: i64| match day {
        0 => Cell::Empty,
        day => Cell::Day(Date::of_day(day)),
    };
    let behind = |read: Read| read.behind().map_or(Cell::NotKnown, Cell::Count);
    let (remote, hand) = (sold.remote(), sold.hand());
    let mut row = FigureRow::new();
    row.add(&sold.read(), mwh).known_as(meter_days).cell(Cell::Count(sold.all().covered_days()));
    row.add(&sold.remote_kwh(), mwh).cell(day(remote.until)).cell(behind(remote));
    row.add(&sold.hand_kwh(), mwh).cell(day(hand.until)).cell(behind(hand));
    row.said(facts.lang)
}

/// The year beside those earlier ones whose figures the contract names.
fn earlier(facts: &Facts) -> Option<Table> {
    let mut all = Sold::default();
    facts.counted.sold.iter().filter(|(group, _)| group.sells).for_each(|(_, sold)| all += sold);
    let gwh = all.read().map(|kwh| real(kwh) / 1e6);
    years(facts, "sold_years", (&gwh, Holds::Shares, meter_days), |year| year.sold_gwh)
}

/// Gigawatt hours to the kilowatt hour: what lies behind comes from floats, and from no meter.
fn rounded(gwh: f64) -> f64 {
    (gwh * 1e6).round() / 1e6
}

/// A figure of a year, in gigawatt hours, beside what was reported of earlier ones. Of a year of which too little is
/// known there is no change.
pub(super) fn years(
    facts: &Facts,
    id: &'static str,
    (gwh, holds, known): (&Figure<f64>, Holds, fn(Share) -> Cell),
    of_year: impl Fn(&ReportedYear) -> Option<f64>,
) -> Option<Table> {
    let words = facts.words();
    let gwh_known = gwh.known().reaches(facts.province.targets.watched);
    let reported = facts.province.reported_years.iter();
    let earlier = reported
        .filter(|year| facts.period.is_year() && year.year < facts.period.first.year)
        .filter_map(|year| Some((year.year, of_year(year)?)));
    let rows: Vec<Vec<Cell>> = earlier
        .map(|(year, then)| {
            let mut row = FigureRow::new();
            row.cell(Cell::Text(year.to_string())).cell(Cell::Number(then, 1));
            row.add(gwh, |gwh| Cell::Number(*gwh, 1));
            row.add(gwh, |gwh| match gwh_known {
                Some(false) => words.not_enough_known(),
                _ => Cell::Number(rounded(gwh - then), 1),
            });
            row.known_as(known);
            row.said(facts.lang)
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
            words.column("known", "Biết được", "Known", 12).holding(holds),
            words.column("remarks", "Lưu ý", "Remarks", 30),
        ],
        rows,
        total: None,
    })
}
