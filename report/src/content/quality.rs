//! How much of the time signals were live: by day, by kind of signal, and the worst of them.

use config::PointKind;
use historian::counts::Share;
use historian::verdict::Reason;
use store::history::Times;

use super::{DECIMALS, percent, text, titled};
use crate::facts::{ChannelFacts, Facts};
use crate::sheets::{Cell, Chart, Holds, Mark, Series, Shape, Sheet, SheetPart, Table};
use crate::shown::in_hours;

/// Kinds of signals as engineers count them, with their datalist codes.
const GROUPS: [(&str, &str, &str, &[PointKind]); 4] = [
    (
        "TI",
        "Đo lường",
        "Measurements",
        &[PointKind::Measurement, PointKind::EventMeasurement, PointKind::CalculatedMeasurement],
    ),
    (
        "TS-SP",
        "Trạng thái 1 bit",
        "Single points",
        &[PointKind::SinglePoint, PointKind::DerivedStatus],
    ),
    ("TS-DP", "Trạng thái 2 bit", "Double points", &[PointKind::DoublePoint]),
    ("CNT", "Công tơ đếm", "Counters", &[PointKind::Counter]),
];

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let parts = vec![
        SheetPart::Chart(days_chart(facts)),
        SheetPart::Table(kinds(facts)),
        SheetPart::Table(reasons(facts)),
        SheetPart::Table(worst(facts)),
        SheetPart::Table(days(facts)),
    ];
    titled("quality", words.say("Chất lượng", "Quality"), parts)
}

/// Figures of a centre, day by day.
fn by_day(facts: &Facts) -> Vec<Vec<Times>> {
    let days = facts.window.parts.len();
    let of_centre = |centre| {
        let of_day = |day: usize| facts.of_centre(centre).map(|channel| &channel.days[day]).sum();
        (0..days).map(of_day).collect()
    };
    facts.province.centre_ids().map(of_centre).collect()
}

fn days_chart(facts: &Facts) -> Chart {
    let words = facts.words();
    let series = facts.province.centres.iter().zip(by_day(facts)).map(|(centre, days)| Series {
        name: centre.name.get(facts.lang).to_owned(),
        values: days.iter().map(|times| percent(times.live_share())).collect(),
    });
    Chart {
        id: "live_by_day",
        caption: words.say("Tín hiệu sống theo ngày", "Live signals by day"),
        shape: Shape::Line,
        unit: "%".to_owned(),
        categories: facts.days(),
        series: series.collect(),
        target: Some(facts.province.targets.live),
    }
}

fn days(facts: &Facts) -> Table {
    let words = facts.words();
    let columns = vec![
        words.column("day", "Ngày", "Day", 11),
        words.column("centre", "Trung tâm", "Centre", 10),
        words
            .column("live", "Sống, trong thời gian theo dõi", "Live, while watched", 14)
            .holding(Holds::TimeShares),
        words
            .column("live_of_all", "Sống, trên cả ngày", "Live, of all the day", 14)
            .holding(Holds::TimeShares),
        words.column("observed", "Thời gian theo dõi", "Watched", 12).holding(Holds::TimeShares),
        words.column("right", "Đúng", "Right", 12).holding(Holds::TimeShares),
    ];
    let by_day = by_day(facts);
    let mut rows = Vec::new();
    for (n, date) in facts.period.dates().into_iter().enumerate() {
        for (centre, days) in facts.province.centres.iter().zip(&by_day) {
            let times = &days[n];
            let head = [Cell::Day(date), text(centre.name.get(facts.lang))];
            if times.not_kept > 0 && times.observed() == 0 {
                rows.push(head.into_iter().chain(vec![words.not_kept(); 4]).collect());
                continue;
            }
            let [day, centre] = head;
            let of_all = if times.observed() == 0 {
                Cell::Verdict(Mark::Doubt, words.say("không theo dõi", "not watched"))
            } else {
                Cell::TimeShare(times.live_share_of_all(), DECIMALS, None)
            };
            rows.push(vec![
                day,
                centre,
                Cell::TimeShare(times.live_share(), DECIMALS, None),
                of_all,
                Cell::TimeShare(times.observed_share(), DECIMALS, None),
                Cell::TimeShare(times.right_share(), DECIMALS, None),
            ]);
        }
    }
    let caption = words.say("Theo ngày", "By day");
    Table { id: "days", caption, columns, rows, total: None }
}

fn kinds(facts: &Facts) -> Table {
    let words = facts.words();
    let mut rows = Vec::new();
    for (code, vi, en, kinds) in GROUPS {
        for centre in facts.province.centre_ids() {
            let of = facts
                .of_centre(centre)
                .flat_map(|channel| kinds.iter().filter_map(|kind| channel.kinds.get(kind)));
            let times: Times = of.sum();
            rows.push(vec![
                text(code),
                Cell::Text(words.say(vi, en)),
                text(facts.province.centres[centre.index()].name.get(facts.lang)),
                Cell::TimeShare(times.live_share(), DECIMALS, None),
                Cell::TimeShare(times.right_share(), DECIMALS, None),
            ]);
        }
    }
    Table {
        id: "kinds",
        caption: words.say("Theo loại tín hiệu", "By kind of signal"),
        columns: vec![
            words.column("code", "Mã", "Code", 8),
            words.column("kind", "Loại", "Kind", 22),
            words.column("centre", "Trung tâm", "Centre", 10),
            words.column("live", "Sống", "Live", 14).holding(Holds::TimeShares),
            words.column("right", "Đúng", "Right", 14).holding(Holds::TimeShares),
        ],
        rows,
        total: None,
    }
}

/// Why signals were not live, each reason with its part of the time.
fn reasons(facts: &Facts) -> Table {
    let words = facts.words();
    let mut rows = Vec::new();
    for centre in facts.province.centre_ids() {
        let times: Times = facts.of_centre(centre).map(ChannelFacts::times).sum();
        let observed = times.live_required - times.live_unobserved - times.live_not_kept;
        for reason in Reason::ALL {
            let ms = times.not_live[reason as usize];
            if ms > 0 {
                let share = Share::new(ms.unsigned_abs(), observed.unsigned_abs());
                rows.push(vec![
                    text(facts.province.centres[centre.index()].name.get(facts.lang)),
                    text(reason.text(facts.lang)),
                    Cell::Number(in_hours(ms.unsigned_abs()), 1),
                    Cell::TimeShare(share, 3, None),
                ]);
            }
        }
    }
    Table {
        id: "reasons",
        caption: words.say("Vì sao không sống", "Why signals were not live"),
        columns: vec![
            words.column("centre", "Trung tâm", "Centre", 10),
            words.column("reason", "Lý do", "Reason", 26),
            words.column("signal_hours", "Tín hiệu-giờ", "Signal hours", 14),
            words
                .column("share", "Phần thời gian theo dõi", "Of the time watched", 14)
                .holding(Holds::TimeShares),
        ],
        rows,
        total: None,
    }
}

fn worst(facts: &Facts) -> Table {
    let words = facts.words();
    let mut columns = facts.head_columns();
    columns.extend([
        words.column("point", "Tín hiệu", "Signal", 26),
        words.column("outages", "Số lần", "Outages", 8),
        words.column("down", "Thời gian không sống", "Time not live", 13).holding(Holds::Times),
        words.column("reason", "Lý do chính", "Main reason", 24),
        words.column("live", "Sống", "Live", 12).holding(Holds::TimeShares),
    ]);
    let rows = facts.worst().into_iter().map(|(channel, point, history)| {
        let times = &history.times;
        let main = Reason::ALL.into_iter().max_by_key(|reason| times.not_live[*reason as usize]);
        let mut row = facts.heads(channel).to_vec();
        row.extend([
            text(point),
            Cell::Count(history.outages.into()),
            Cell::Duration(times.not_live.iter().sum()),
            main.map_or(Cell::Empty, |reason| text(reason.text(facts.lang))),
            Cell::TimeShare(times.live_share(), DECIMALS, None),
        ]);
        row
    });
    Table {
        id: "least_available",
        caption: words.say("Tín hiệu kém nhất", "Least available signals"),
        columns,
        rows: rows.collect(),
        total: None,
    }
}
