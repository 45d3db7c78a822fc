//! Alarms: how many, how urgent, how soon somebody knew of them, and when there were too many to be read.

use std::collections::BTreeMap;

use historian::alarms::Priority;
use historian::counts::Share;
use signal::clock::Timestamp;
use store::{Kept, KeptAlarm};

use super::{DECIMALS, text, titled};
use crate::facts::{FLOOD_MS, Facts};
use crate::sheets::{Cell, Chart, Holds, Series, Shape, Sheet, SheetPart, Table};
use crate::shown::real;

/// Causes that are named as those of most alarms.
const CAUSES_MAX: usize = 10;
/// Floods that are listed.
const FLOODS_MAX: usize = 100;
/// Alarms in ten minutes beyond which nobody can respond to each; and below which a flood is over.
const FLOOD: (usize, usize) = (10, 5);
/// An alarm that stands longer is stale, milliseconds.
const STALE_MS: i64 = 24 * 3_600_000;
/// The same alarm so often within a minute chatters.
const CHATTER: usize = 3;
const CHATTER_MS: i64 = 60_000;

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let (all, lang) = (facts.alarms().count() as u64, facts.lang);
    let count = words::format::count(all, lang);
    let stretches = real(u64::try_from(facts.window.observed_ms() / FLOOD_MS).unwrap_or(0).max(1));
    let rate = words::format::number(real(all) / stretches, 2, lang);
    let parts = vec![
        words.note(
            &format!(
                "Cảnh báo: {count}, trung bình {rate} trong 10 phút có giám sát (một nguyên nhân, một cảnh báo)."
            ),
            &format!(
                "Alarms: {count}, {rate} in ten minutes of watching on average (one cause, one alarm)."
            ),
        ),
        SheetPart::Table(priorities(facts)),
        SheetPart::Chart(chart(facts)),
        SheetPart::Table(causes(facts)),
        SheetPart::Table(floods(facts)),
    ];
    titled("alarms", words.say("Cảnh báo", "Alarms"), parts)
}

fn of_priority(facts: &Facts, priority: Priority) -> impl Iterator<Item = &KeptAlarm> {
    facts.alarms().filter(move |alarm| alarm.priority == priority)
}

fn name(facts: &Facts, priority: Priority) -> String {
    format!("P{} {}", priority.number(), priority.text(facts.lang))
}

fn priorities(facts: &Facts) -> Table {
    let words = facts.words();
    // What of it was forgotten has no alarm, were it one that reaches behind.
    let (window, all) = (facts.window.kept(Kept::Alarms), facts.alarms().count() as u64);
    let rows = Priority::ALL.into_iter().map(|priority| {
        let own: Vec<&KeptAlarm> = of_priority(facts, priority).collect();
        let mut known: Vec<i64> =
            own.iter().filter_map(|alarm| Some(alarm.acknowledged?.since(alarm.raised))).collect();
        known.sort_unstable();
        // Each counts where it was raised, by how long it is known to have stood.
        let stood = || facts.stood.iter().filter(|own| own.alarm.priority == priority);
        let stale = stood().filter(|own| own.begins_in(window) && own.ms > STALE_MS).count();
        let open = stood().filter(|own| !own.is_return_seen).count();
        let raised = own.len() as u64;
        vec![
            Cell::Text(name(facts, priority)),
            Cell::Count(raised),
            Cell::Share(Share::new(raised, all), DECIMALS, None),
            Cell::Share(Share::new(known.len() as u64, raised), DECIMALS, None),
            quantile(&known, 50),
            quantile(&known, 95),
            Cell::Count(stale as u64),
            Cell::Duration(stood().map(|own| own.ms_in_window).sum()),
            Cell::Count(open as u64),
        ]
    });
    Table {
        id: "priorities",
        caption: words.say("Theo mức ưu tiên", "By priority"),
        columns: vec![
            words.column("priority", "Mức ưu tiên", "Priority", 30),
            words.column("raised", "Số cảnh báo", "Raised", 9),
            words.column("of_all", "Phần của tất cả", "Of all", 12).holding(Holds::Shares),
            words.column("acknowledged", "Đã xác nhận", "Acknowledged", 18).holding(Holds::Shares),
            words
                .column("median", "Đến khi xác nhận, trung vị", "Until then, median", 14)
                .holding(Holds::Times),
            words
                .column("p95", "Đến khi xác nhận, 95 %", "Until then, 95 %", 14)
                .holding(Holds::Times),
            words.column("stale", "Kéo dài quá 24 giờ", "Stood over 24 h", 12),
            words
                .column("stood", "Thời gian đứng trong kỳ", "Stood in the period", 14)
                .holding(Holds::Times),
            words.column("open", "Chưa thấy kết thúc", "Return not seen", 10),
        ],
        rows: rows.collect(),
        total: None,
    }
}

/// The smallest of `sorted` that so many per cent of them do not exceed.
fn quantile(sorted: &[i64], percent: usize) -> Cell {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).map_or(Cell::Empty, |ms| Cell::Duration(*ms))
}

fn chart(facts: &Facts) -> Chart {
    let words = facts.words();
    let series = Priority::ALL.into_iter().map(|priority| {
        let of_day = |_, day: store::history::Span| {
            let own = of_priority(facts, priority);
            own.filter(|alarm| day.from <= alarm.raised && alarm.raised < day.to).count() as u64
        };
        Series { name: name(facts, priority), values: facts.by_day(Kept::Alarms, of_day) }
    });
    Chart {
        id: "alarms_by_day",
        caption: words.say("Cảnh báo theo ngày", "Alarms by day"),
        shape: Shape::Bars,
        unit: words.say("cảnh báo", "alarms"),
        categories: facts.days(),
        series: series.collect(),
        target: None,
    }
}

/// What an alarm is about, and when it was raised each time.
fn by_cause(facts: &Facts) -> Vec<(&KeptAlarm, Vec<Timestamp>)> {
    let mut causes: BTreeMap<(&str, &str, &str), (&KeptAlarm, Vec<Timestamp>)> = BTreeMap::new();
    for alarm in facts.alarms() {
        let cause = (&alarm.station[..], &alarm.cause[..], alarm.reason.word());
        causes.entry(cause).or_insert((alarm, Vec::new())).1.push(alarm.raised);
    }
    let mut causes: Vec<_> = causes.into_values().collect();
    causes.sort_by_key(|(_, raised)| std::cmp::Reverse(raised.len()));
    causes
}

fn causes(facts: &Facts) -> Table {
    let words = facts.words();
    let all = facts.alarms().count() as u64;
    let rows = by_cause(facts).into_iter().take(CAUSES_MAX).map(|(alarm, raised)| {
        let chatters =
            raised.windows(CHATTER).any(|some| some[CHATTER - 1].since(some[0]) < CHATTER_MS);
        vec![
            text(&alarm.station),
            text(&place(facts, &alarm.cause)),
            text(alarm.reason.text(facts.lang)),
            Cell::Count(raised.len() as u64),
            Cell::Share(Share::new(raised.len() as u64, all), DECIMALS, None),
            if chatters { Cell::Text(words.say("có", "yes")) } else { Cell::Empty },
        ]
    });
    Table {
        id: "causes",
        caption: words.say("Mười nguyên nhân nhiều cảnh báo nhất", "Ten causes of the most alarms"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("cause", "Ở đâu", "Where", 16),
            words.column("reason", "Lý do", "Reason", 26),
            words.column("raised", "Số cảnh báo", "Raised", 9),
            words.column("of_all", "Phần của tất cả", "Of all", 12).holding(Holds::Shares),
            words.column("chatters", "Lặp ≥ 3 lần/phút", "≥ 3 in a minute", 12),
        ],
        rows: rows.collect(),
        total: None,
    }
}

/// Where, in words: `kênh`, `thiết bị 3`, `ngăn 172`.
fn place(facts: &Facts, cause: &str) -> String {
    let words = facts.words();
    match cause.split_once(' ') {
        Some(("unit", id)) => words.say(&format!("thiết bị {id}"), &format!("unit {id}")),
        Some(("bay", name)) => words.say(&format!("ngăn {name}"), &format!("bay {name}")),
        _ if cause == "link" => words.say("kênh", "link"),
        _ => cause.to_owned(),
    }
}

/// Stretches with more alarms than anybody can respond to: from the first to the last of them.
fn flooded(raised: &[Timestamp]) -> Vec<(Timestamp, Timestamp, u64)> {
    let mut floods: Vec<(Timestamp, Timestamp, u64)> = Vec::new();
    let (mut first, mut is_flood) = (0, false);
    for (n, at) in raised.iter().enumerate() {
        while at.since(raised[first]) >= FLOOD_MS {
            first += 1;
        }
        let within = n + 1 - first;
        if is_flood && within >= FLOOD.1 {
            if let Some(flood) = floods.last_mut() {
                (flood.1, flood.2) = (*at, flood.2 + 1);
            }
        } else if within > FLOOD.0 {
            floods.push((raised[first], *at, within as u64));
            is_flood = true;
        } else {
            is_flood = false;
        }
    }
    floods
}

fn floods(facts: &Facts) -> Table {
    let words = facts.words();
    let raised: Vec<Timestamp> = facts.alarms().map(|alarm| alarm.raised).collect();
    let rows = flooded(&raised).into_iter().take(FLOODS_MAX).map(|(from, to, count)| {
        vec![
            Cell::Instant(from),
            Cell::Instant(to),
            Cell::Duration(to.since(from)),
            Cell::Count(count),
        ]
    });
    Table {
        id: "alarm_floods",
        caption: words.say("Hơn 10 cảnh báo trong 10 phút", "More than 10 alarms in ten minutes"),
        columns: vec![
            words.column("from", "Từ", "From", 17),
            words.column("to", "Đến", "To", 17),
            words.column("lasted", "Kéo dài", "Lasted", 12).holding(Holds::Times),
            words.column("alarms", "Số cảnh báo", "Alarms", 12),
        ],
        rows: rows.collect(),
        total: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_begins_beyond_ten_and_ends_below_five() {
        let minutes = |at: &[i64]| -> Vec<Timestamp> {
            at.iter().map(|minute| Timestamp(minute * 60_000)).collect()
        };
        assert_eq!(flooded(&minutes(&[0; 10])), [], "ten can be read");
        let many = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 11, 12, 13, 14, 15, 40, 41];
        let flood = (Timestamp(0), Timestamp(15 * 60_000), 17);
        assert_eq!(flooded(&minutes(&many)), [flood]);
        let twice: Vec<i64> = many.into_iter().chain([60; 11]).collect();
        assert_eq!(flooded(&minutes(&twice)).len(), 2);
    }

    #[test]
    fn a_quantile_is_a_time_that_was_taken() {
        assert_eq!(quantile(&[], 50), Cell::Empty);
        assert_eq!(quantile(&[7], 95), Cell::Duration(7));
        assert_eq!(quantile(&[1, 2, 3, 4], 50), Cell::Duration(2));
        assert_eq!(quantile(&[1, 2, 3, 4], 95), Cell::Duration(4));
    }
}
