//! Daily reading of meters as a figure of the period: mean, worst day, days below the target.

use std::collections::BTreeSet;

use super::{DECIMALS, text};
use crate::historian::counts::Share;
use crate::historian::picture::{HalfHours, SoldReads};
use crate::report::facts::Facts;
use crate::report::sheets::{Cell, Holds, Part, Table};
use crate::store::{MeterKind, Metered};
use config::Date;

/// The first pass of a day ends so long after midnight, milliseconds: what was told before is of the
/// day before.
const FIRST_PASS_MS: i64 = 6 * 3_600_000;

/// Reading on days, by district and in all.
pub(super) fn part(facts: &Facts) -> Part {
    let words = facts.words();
    let target = facts.province.targets.daily_reading;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for district in &facts.province.districts {
        let days = days(facts, |line| line.id == district.id);
        let mut row = vec![text(&district.id), text(district.name.get(facts.lang))];
        row.extend(cells(facts, &days, target));
        rows.push(row);
    }
    let mut total = vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty];
    total.extend(cells(facts, &days(facts, |_| true), target));
    Part::Table(Table {
        id: "daily_reading",
        caption: match target {
            Some(_) => words.say(
                "Đọc hằng ngày trước 06:00 trong kỳ, theo huyện",
                "Daily reading by 06:00 in the period, by district",
            ),
            None => words.say(
                "Đọc hằng ngày trước 06:00 trong kỳ, theo huyện (không đặt mục tiêu)",
                "Daily reading by 06:00 in the period, by district (no target named)",
            ),
        },
        columns: vec![
            words.column("id", "Mã", "Id", 14),
            words.column("name", "Tên", "Name", 24),
            words.column("days", "Số ngày có số liệu", "Days with figures", 12),
            words.column("mean", "Trung bình", "Mean", 12).holding(Holds::Shares),
            words.column("worst", "Ngày thấp nhất", "Worst day", 10).holding(Holds::Shares),
            words.column("worst_date", "Vào ngày", "On", 11),
            words.column("target", "Mục tiêu, %", "Target, %", 10),
            words.column("below", "Số ngày dưới mục tiêu", "Days below the target", 12),
        ],
        rows,
        total: Some(total),
    })
}

/// Half hours of days of the period that were followed to their end within it: told apart by when they came.
pub(super) fn half_hours(facts: &Facts) -> Part {
    let words = facts.words();
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for district in &facts.province.districts {
        let mut row = vec![text(&district.id), text(district.name.get(facts.lang))];
        row.extend(half_hour_cells(facts, |line| line.id == district.id));
        rows.push(row);
    }
    let mut total = vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty];
    total.extend(half_hour_cells(facts, |_| true));
    Part::Table(Table {
        id: "half_hours",
        caption: words.say(
            "Biểu đồ 30 phút của các ngày trong kỳ đã hết hạn thu thập, theo huyện",
            "Half hours of days of the period, followed to their end, by district",
        ),
        columns: vec![
            words.column("id", "Mã", "Id", 14),
            words.column("name", "Tên", "Name", 24),
            words.column("days", "Số ngày có số liệu", "Days with figures", 12),
            words.column("expected", "Phải có", "Expected", 12),
            words.column("on_time", "Đúng hạn", "On time", 12).holding(Holds::Shares),
            words.column("late", "Trễ", "Late", 10).holding(Holds::Shares),
            words.column("backfilled", "Bù", "Filled in", 10).holding(Holds::Shares),
            words.column("missing", "Mất", "Missing", 10).holding(Holds::Shares),
        ],
        rows,
        total: Some(total),
    })
}

/// Days with figures, of all; half hours that there should be, and which share of them came when.
fn half_hour_cells(facts: &Facts, is_wanted: impl Fn(&Metered) -> bool) -> [Cell; 6] {
    let all = facts.window.parts.len() as u64;
    let dates: BTreeSet<Date> = facts.period.dates().into_iter().collect();
    let (mut sum, mut told) = (HalfHours::default(), BTreeSet::new());
    for lines in &facts.metering_days {
        let of_it = lines.iter().filter(|line| line.kind == MeterKind::District && is_wanted(line));
        let followed = || of_it.clone().filter_map(|line| line.followed);
        let newest = followed().map(|of| of.final_day).max();
        let Some(day) =
            newest.filter(|day| SoldReads::date(*day).is_some_and(|d| dates.contains(&d)))
        else {
            continue;
        };
        let mut of_day = HalfHours::default();
        followed().filter(|of| of.final_day == day).for_each(|of| of_day += of.half_hours);
        if of_day.expected > 0 && told.insert(day) {
            sum += of_day;
        }
    }
    let days = Cell::Share(Share::new(told.len() as u64, all), 0, None);
    if sum.expected == 0 {
        let unknown = || Cell::NotKnown;
        return [days, unknown(), unknown(), unknown(), unknown(), unknown()];
    }
    let share = |n: u64| Cell::Share(Share::new(n, sum.expected), DECIMALS, None);
    let [on_time, late] = [sum.on_time, sum.late].map(share);
    let [backfilled, missing] = [sum.backfilled, sum.missing()].map(share);
    [days, Cell::Count(sum.expected), on_time, late, backfilled, missing]
}

/// Days of the period of which the first pass is known, with its counts.
fn days(facts: &Facts, is_wanted: impl Fn(&Metered) -> bool) -> Vec<(Date, Share)> {
    let dates = facts.period.dates();
    let days = facts.window.parts.iter().zip(dates).zip(&facts.metering_days);
    let of_day = |((span, date), lines): ((&crate::history::Span, Date), &Vec<Metered>)| {
        let told = |line: &&Metered| {
            line.kind == MeterKind::District
                && is_wanted(line)
                && line.at >= span.from.plus(FIRST_PASS_MS)
                && line.at <= span.to
        };
        let mut sum = Share::default();
        for line in lines.iter().filter(told) {
            sum += Share::new(line.first_pass.0, line.first_pass.1);
        }
        (sum.want > 0).then_some((date, sum))
    };
    days.filter_map(of_day).collect()
}

fn cells(facts: &Facts, days: &[(Date, Share)], target: Option<f64>) -> [Cell; 6] {
    let all = facts.window.parts.len() as u64;
    let known = Cell::Share(Share::new(days.len() as u64, all), 0, None);
    // Where no target is named, figures stand without a judgement: there is nothing that is not known.
    let goal = target.map_or(Cell::Empty, |target| Cell::Number(target, 1));
    let unknown = || Cell::NotKnown;
    // The lowest share, compared without dividing; of equal ones the first.
    let worst = days.iter().min_by(|(_, one), (_, other)| {
        let product = |have: u64, want: u64| u128::from(have) * u128::from(want);
        product(one.have, other.want).cmp(&product(other.have, one.want))
    });
    let Some((date, worst)) = worst else {
        let below = target.map_or(Cell::Empty, |_| unknown());
        return [known, unknown(), unknown(), unknown(), goal, below];
    };
    let mut mean = Share::default();
    for (_, day) in days {
        mean += *day;
    }
    let below = target.map_or(Cell::Empty, |target| {
        let missed = days.iter().filter(|(_, day)| day.reaches(target) == Some(false));
        Cell::Count(missed.count() as u64)
    });
    let mean = Cell::Share(mean, DECIMALS, target);
    [known, mean, Cell::Share(*worst, DECIMALS, target), Cell::Day(*date), goal, below]
}
