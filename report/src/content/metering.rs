//! Remote metering: coverage and daily reading, apart from each other, by district and class.

use historian::counts::Share;
use historian::snapshot::SoldReads;
use store::{FollowedDay, MeterKind, Metered};

use super::summary::{coverage, coverage_cell};
use super::{DECIMALS, percent, text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Chart, Holds, Series, Shape, Sheet, SheetPart, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Đo xa", "Metering");
    if facts.metering.is_empty() {
        let note =
            words.note("Chưa có số liệu đo xa trong kỳ.", "No figures of metering in this period.");
        return titled("metering", name, vec![note]);
    }
    let at = facts.metering.iter().map(|line| line.at).max().unwrap_or_default();
    let at = at.min(facts.window.span.to.plus(-1)).local(facts.period.zone).date;
    let day = words::format::date(at, facts.lang);
    let (by_district, by_class) = (
        (format!("Theo huyện, ngày {day}"), format!("By district, on {day}")),
        (format!("Theo loại công tơ, ngày {day}"), format!("By class of meters, on {day}")),
    );
    let mut parts = vec![SheetPart::Chart(chart(facts))];
    parts.extend(uncounted_days(facts));
    parts.extend(uncounted(facts));
    parts.extend(super::reading::begins(facts));
    parts.extend(super::reading::none(facts));
    parts.extend([
        super::reading::part(facts),
        super::reading::half_hours(facts),
        SheetPart::Table(table(facts, ("districts", MeterKind::District), (&by_district.0, &by_district.1))),
        SheetPart::Table(table(facts, ("classes", MeterKind::Class), (&by_class.0, &by_class.1))),
        words.note(
            "Đo xa: công tơ có kênh đã được chứng minh. Đọc hằng ngày là số khác và không cộng với nhau. Số sau thử lại chỉ có khi đã hết hạn thu thập, nên là của một ngày trước đó. Chưa nhận: công tơ có kênh mà trạm hoặc hệ thống đo xa của chúng không trả lời về ngày đó, không tính là đọc được hay không đọc được. Ngày thấp nhất chỉ lấy trong các ngày đã nhận đủ. Chưa đếm: công tơ của trạm chưa trả lời từ khi chương trình giám sát khởi động; tất cả chúng đều là chưa nhận.",
            "Coverage counts meters with a proven channel. Daily reading is another figure; the two are never merged. Figures after retries are there when retries have ended, so they are of an earlier day. Not heard: meters with a channel whose station or head-end told nothing of that day; they count neither as read nor as unread. The worst day is one of those of which every meter was heard. Uncounted: meters of a station that has not answered since the monitor was started; all of them are not heard.",
        ),
    ]);
    titled("metering", name, parts)
}

fn chart(facts: &Facts) -> Chart {
    let words = facts.words();
    // What is known of a day on which not every meter was counted is no figure of that day.
    let of_day = |(share, uncounted)| if uncounted > 0 { None } else { percent(share) };
    let values = facts.metering_days.iter().map(|day| of_day(coverage(day)));
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

/// How many meters nobody has counted, where there are any.
pub(super) fn uncounted(facts: &Facts) -> Option<SheetPart> {
    let count = words::format::count(
        Some(coverage(&facts.metering).1).filter(|count| *count > 0)?,
        facts.lang,
    );
    Some(facts.words().note(
        &format!("Cuối kỳ còn {count} công tơ bán điện chưa đếm, vì trạm của chúng chưa trả lời từ khi chương trình giám sát khởi động: không tính là có hay không có đo xa, nên tỷ lệ là ít nhất."),
        &format!("At the end of the period {count} meters that sell were not counted, since their stations have not answered since the monitor was started: they count neither as read remotely nor as not, so coverage is at least what is shown."),
    ))
}

/// Days without a point in the chart, since not every meter was counted at their end.
fn uncounted_days(facts: &Facts) -> Option<SheetPart> {
    let days = facts.period.dates().into_iter().zip(&facts.metering_days);
    let mut days = days.filter(|(_, metered)| coverage(metered).1 > 0).map(|(date, _)| date);
    let first = words::format::date(days.next()?, facts.lang);
    let count = words::format::count(1 + days.count() as u64, facts.lang);
    Some(facts.words().note(
        &format!("Biểu đồ theo ngày không có điểm ở {count} ngày mà cuối ngày chưa đếm đủ công tơ, ngày đầu là {first}."),
        &format!("The chart has no point on {count} days at whose end not every meter was counted, the first of them {first}."),
    ))
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
            words.column("coverage", "Đo xa", "Coverage", 14).holding(Holds::Shares),
            words.column("uncounted", "Chưa đếm", "Uncounted", 10),
            words.column("day", "Ngày mới nhất", "Newest day", 11),
            words
                .column("first_pass", "Đọc trước 06:00", "Read by 06:00", 12)
                .holding(Holds::Shares),
            words.column("half_hours", "Biểu đồ 30 phút", "Half hours", 12).holding(Holds::Shares),
            words.column("not_heard", "Chưa nhận", "Not heard", 10),
            words.column("final_day", "Ngày đã chốt", "Final day", 11),
            words
                .column("final_first_pass", "Ngày đó trước 06:00", "That day by 06:00", 12)
                .holding(Holds::Shares),
            words
                .column("final_pass", "Ngày đó sau thử lại", "That day after retries", 12)
                .holding(Holds::Shares),
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
    let day = |of: fn(FollowedDay) -> u16| {
        let date = line.followed.and_then(|followed| SoldReads::date(of(followed)));
        date.map_or(Cell::NotKnown, Cell::Day)
    };
    vec![
        text(&line.id),
        Cell::Text(name.unwrap_or_else(|| line.id.clone())),
        Cell::Text(if line.sells { words.say("có", "yes") } else { words.say("không", "no") }),
        coverage_cell((Share::new(line.remote, line.meters), line.uncounted), None),
        Cell::Count(line.uncounted),
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
