//! Daily reading of meters as a figure of the period: mean, worst day, days below the target; and what became of its
//! half hours.

use historian::counts::Share;
use historian::snapshot::SoldReads;
use store::Kept;
use store::history::{FigureRow, Reading};

use super::{DECIMALS, text};
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, SheetColumn, SheetPart, Table};
use crate::shown::meter_days;

/// Reading on days, by district and in all.
pub(super) fn part(facts: &Facts) -> SheetPart {
    let words = facts.words();
    let caption = match facts.province.targets.daily_reading {
        Some(_) => words.say(
            "Đọc hằng ngày trước 06:00 trong kỳ, theo huyện",
            "Daily reading by 06:00 in the period, by district",
        ),
        None => words.say(
            "Đọc hằng ngày trước 06:00 trong kỳ, theo huyện (không đặt mục tiêu)",
            "Daily reading by 06:00 in the period, by district (no target named)",
        ),
    };
    let columns = vec![
        words.column("days", "Số ngày có số liệu", "Days with figures", 12).holding(Holds::Shares),
        words.column("mean", "Trung bình", "Mean", 12).holding(Holds::Shares),
        words.column("worst", "Ngày thấp nhất", "Worst day", 10).holding(Holds::Shares),
        words.column("worst_date", "Vào ngày", "On", 11),
        words.column("target", "Mục tiêu, %", "Target, %", 10),
        words.column("below", "Số ngày dưới mục tiêu", "Days below the target", 12),
        words.column("undecided", "Số ngày chưa xét được", "Days undecided", 12),
        words.column("not_heard", "Ngày công tơ chưa nhận", "Meter-days not heard", 12),
        words.column("known", "Biết được", "Known", 12).holding(Holds::Shares),
        words.column("remarks", "Lưu ý", "Remarks", 24),
    ];
    SheetPart::Table(table(facts, ("daily_reading", caption), columns, &cells))
}

/// Half hours of the days of the period, told apart by when they came.
pub(super) fn half_hours(facts: &Facts) -> SheetPart {
    let words = facts.words();
    let caption =
        words.say("Biểu đồ 30 phút trong kỳ, theo huyện", "Half hours of the period, by district");
    let columns = vec![
        words.column("days", "Số ngày đã chốt", "Days final", 12).holding(Holds::Shares),
        words.column("expected", "Phải có", "Expected", 12),
        words.column("on_time", "Đúng hạn", "On time", 12).holding(Holds::Shares),
        words.column("late", "Trễ", "Late", 10).holding(Holds::Shares),
        words.column("backfilled", "Bù", "Filled in", 10).holding(Holds::Shares),
        words.column("missing", "Mất", "Missing", 10).holding(Holds::Shares),
        words.column("not_final", "Chưa chốt", "Not final", 10).holding(Holds::Shares),
        words.column("known", "Biết được", "Known", 12).holding(Holds::Shares),
        words.column("remarks", "Lưu ý", "Remarks", 24),
    ];
    SheetPart::Table(table(facts, ("half_hours", caption), columns, &half_hour_cells))
}

/// From when on there are figures, where the period begins before.
pub(super) fn begins(facts: &Facts) -> Option<SheetPart> {
    let day = SoldReads::date(u16::try_from(facts.readings.first?).ok()?)?;
    let day = words::format::date(day, facts.lang);
    Some(facts.words().note(
        &format!("Số liệu đọc hằng ngày có từ ngày {day}: những ngày trước đó không tính."),
        &format!("Figures of daily reading begin with {day}: days before it are not counted."),
    ))
}

/// Why there are none, where no day of the period has any that are kept.
pub(super) fn none(facts: &Facts) -> Option<SheetPart> {
    let is_kept = facts.window.kept(Kept::Metering).length() > 0;
    let note = || {
        facts.words().note(
            "Không ngày nào trong kỳ có số liệu đọc hằng ngày: số liệu của một ngày chỉ có từ 06:00 ngày hôm sau, nếu lúc đó \
             có theo dõi.",
            "No day of the period has figures of daily reading: those of a day come at 06:00 of the next one, where \
             somebody watches then.",
        )
    };
    (is_kept && facts.readings.all().days().have == 0).then(note)
}

fn table(
    facts: &Facts,
    (id, caption): (&'static str, String),
    columns: Vec<SheetColumn>,
    cells: &dyn Fn(&Facts, &Reading) -> Vec<Cell>,
) -> Table {
    let words = facts.words();
    let nothing = Reading::default();
    let rows = facts.province.districts.iter().map(|district| {
        let own = facts.readings.districts.get(&district.id).unwrap_or(&nothing);
        let mut row = vec![text(&district.id), text(district.name.get(facts.lang))];
        row.extend(cells(facts, own));
        row
    });
    let mut total = vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty];
    total.extend(cells(facts, &facts.readings.all()));
    let named = [words.column("id", "Mã", "Id", 14), words.column("name", "Tên", "Name", 24)];
    let rows = rows.collect();
    Table {
        id,
        caption,
        columns: named.into_iter().chain(columns).collect(),
        rows,
        total: Some(total),
    }
}

fn cells(facts: &Facts, reading: &Reading) -> Vec<Cell> {
    let target = facts.province.targets.daily_reading;
    let mean = reading.first_pass();
    let mut row = FigureRow::new();
    row.cell(Cell::Share(reading.days(), 0, None));
    row.add(&mean, |mean| Cell::Share(*mean, DECIMALS, target));
    if let Some((day, share)) = reading.worst() {
        let date = u16::try_from(day).ok().and_then(SoldReads::date);
        row.cell(Cell::Share(share, DECIMALS, target)).cell(date.map_or(Cell::NotKnown, Cell::Day));
    } else {
        row.cell(Cell::NotKnown).cell(Cell::NotKnown);
    }
    // Where no target is named, figures stand without a judgement: there is nothing that is not known.
    let [goal, below, undecided] =
        target.map_or([Cell::Empty, Cell::Empty, Cell::Empty], |target| {
            let (below, undecided) = reading.below(target);
            let below =
                if undecided < reading.days().want { Cell::Count(below) } else { Cell::NotKnown };
            [Cell::Number(target, 1), below, Cell::Count(undecided)]
        });
    row.cell(goal).cell(below).cell(undecided).cell(Cell::Count(reading.not_heard()));
    row.known_as(meter_days);
    row.said(facts.lang)
}

/// Days with a final count, of all; half hours that there should be, and which share of them came when.
fn half_hour_cells(facts: &Facts, reading: &Reading) -> Vec<Cell> {
    let half_hours = reading.half_hours();
    let mut row = FigureRow::new();
    row.cell(Cell::Share(reading.final_days(), 0, None));
    row.add(&half_hours, |of| Cell::Count(of.half_hours.expected));
    let parts: [fn(&store::history::Followed) -> u64; 5] = [
        |of| of.half_hours.on_time,
        |of| of.half_hours.late,
        |of| of.half_hours.backfilled,
        |of| of.missing(),
        |of| of.not_final,
    ];
    for part in parts {
        row.add(&half_hours, |of| {
            Cell::Share(Share::new(part(of), of.half_hours.expected), DECIMALS, None)
        });
    }
    row.known_as(meter_days);
    row.said(facts.lang)
}
