//! Remote metering: coverage and daily reading, apart from each other, by district and class.

use super::summary::coverage;
use super::{DECIMALS, percent, text, titled};
use crate::historian::counts::Share;
use crate::historian::picture::SoldReads;
use crate::report::facts::Facts;
use crate::report::sheets::{Cell, Chart, Holds, Part, Series, Shape, Sheet, Table};
use crate::store::{Followed, MeterKind, Metered};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Đo xa", "Metering");
    if facts.metering.is_empty() {
        let note =
            words.note("Chưa có số liệu đo xa trong kỳ.", "No figures of metering in this period.");
        return titled("metering", name, vec![note]);
    }
    let at = facts.metering.iter().map(|line| line.at).max().unwrap_or_default();
    let at = at.min(facts.window.span.to.plus(-1)).local(facts.province.utc_offset_hours).date;
    let day = crate::words::format::date(at, facts.lang);
    let (by_district, by_class) = (
        (format!("Theo huyện, ngày {day}"), format!("By district, on {day}")),
        (format!("Theo loại công tơ, ngày {day}"), format!("By class of meters, on {day}")),
    );
    let mut parts = vec![Part::Chart(chart(facts))];
    parts.extend(super::reading::begins(facts));
    parts.extend([
        super::reading::part(facts),
        super::reading::half_hours(facts),
        Part::Table(table(facts, ("districts", MeterKind::District), (&by_district.0, &by_district.1))),
        Part::Table(table(facts, ("classes", MeterKind::Class), (&by_class.0, &by_class.1))),
        words.note(
            "Đo xa: công tơ có kênh đã được chứng minh. Đọc hằng ngày là số khác và không cộng với nhau. Số sau thử lại chỉ có khi đã hết hạn thu thập, nên là của một ngày trước đó. Chưa nhận: công tơ có kênh mà trạm hoặc hệ thống đo xa của chúng không trả lời về ngày đó, không tính là đọc được hay không đọc được. Ngày thấp nhất chỉ lấy trong các ngày đã nhận đủ.",
            "Coverage counts meters with a proven channel. Daily reading is another figure; the two are never merged. Figures after retries are there when retries have ended, so they are of an earlier day. Not heard: meters with a channel whose station or head-end told nothing of that day; they count neither as read nor as unread. The worst day is one of those of which every meter was heard.",
        ),
    ]);
    titled("metering", name, parts)
}

fn chart(facts: &Facts) -> Chart {
    let words = facts.words();
    let values = facts.metering_days.iter().map(|day| percent(coverage(day)));
    Chart {
        id: "coverage_by_day",
        caption: words.say("Tỷ lệ đo xa theo ngày", "Remote metering by day"),
        shape: Shape::Line,
        unit: "%".to_owned(),
        categories: facts.days(),
        series: vec![Series { name: words.say("Đo xa", "Coverage"), values: values.collect() }],
        target: Some(facts.province.targets.remote_metering),
    }
}

fn table(facts: &Facts, (id, kind): (&'static str, MeterKind), (vi, en): (&str, &str)) -> Table {
    let words = facts.words();
    let mut of_kind: Vec<&Metered> =
        facts.metering.iter().filter(|line| line.kind == kind).collect();
    of_kind.sort_by_key(|line| match kind {
        MeterKind::District => (false, facts.place_of_district(&line.id)),
        MeterKind::Class => facts.place_of_class(line.sells, &line.id),
    });
    let rows: Vec<Vec<Cell>> = of_kind.into_iter().map(|line| row(facts, line)).collect();
    Table {
        id,
        caption: words.say(vi, en),
        columns: vec![
            words.column("id", "Mã", "Id", 14),
            words.column("name", "Tên", "Name", 30),
            words.column("sells", "Bán điện", "Sells", 9),
            words.column("coverage", "Đo xa", "Coverage", 14),
            words.column("day", "Ngày mới nhất", "Newest day", 11),
            words.column("first_pass", "Đọc trước 06:00", "Read by 06:00", 12),
            words.column("half_hours", "Biểu đồ 30 phút", "Half hours", 12),
            words.column("not_heard", "Chưa nhận", "Not heard", 10),
            words.column("final_day", "Ngày đã chốt", "Final day", 11),
            words
                .column("final_first_pass", "Ngày đó trước 06:00", "That day by 06:00", 12)
                .holding(Holds::Shares),
            words.column("final_pass", "Ngày đó sau thử lại", "That day after retries", 12),
            words.column("final_not_heard", "Ngày đó chưa nhận", "That day not heard", 10),
        ],
        rows,
        total: None,
    }
}

fn row(facts: &Facts, line: &Metered) -> Vec<Cell> {
    let words = facts.words();
    let name = match line.kind {
        MeterKind::District => facts.district(&line.id),
        MeterKind::Class => facts.class(&line.id),
    };
    let share = |(have, want): (u64, u64)| Cell::Share(Share::new(have, want), DECIMALS, None);
    // Stores before version 4 do not say which day it was.
    let day = |of: fn(Followed) -> u16| {
        let date = line.followed.and_then(|followed| SoldReads::date(of(followed)));
        date.map_or(Cell::NotKnown, Cell::Day)
    };
    vec![
        text(&line.id),
        Cell::Text(name.unwrap_or_else(|| line.id.clone())),
        Cell::Text(if line.sells { words.say("có", "yes") } else { words.say("không", "no") }),
        share((line.remote, line.meters)),
        day(|followed| followed.day),
        share(line.first_pass),
        share(line.half_hours),
        Cell::Count(line.not_heard()[0]),
        day(|followed| followed.final_day),
        line.followed.map_or(Cell::NotKnown, |followed| share(followed.final_first_pass)),
        share(line.final_pass),
        Cell::Count(line.not_heard()[1]),
    ]
}
