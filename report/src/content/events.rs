//! Records of events: how many, when too many, and what told most of them.

use config::Lang;
use store::Kept;

use super::{capital, text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Chart, Series, Shape, Sheet, SheetPart, Table};

/// Signals that are named as the most talkative.
const TALKERS_MAX: usize = 10;
/// Floods that are listed.
const FLOODS_MAX: usize = 100;
/// Jumps of the clock that are told here; all of them stand under *Method*.
const JUMPS_MAX: usize = 5;

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let n = |count: u64| words::format::count(count, facts.lang);
    let (received, lost) = (n(facts.events.received), facts.events.lost.map(n));
    let (lost_vi, lost_en) = match &lost {
        Some(lost) => (&lost[..], &lost[..]),
        None => ("có thể có, không rõ bao nhiêu", "perhaps some, not known how many"),
    };
    let mut parts = vec![words.note(
        &format!("Bản ghi nhận được: {received}; bản ghi bị mất: {lost_vi}."),
        &format!("Records that came: {received}; records that never came: {lost_en}."),
    )];
    let zone = facts.period.zone;
    let told = facts.jumps.iter().take(JUMPS_MAX).map(|jump| {
        let when = |lang| format!("{}.", capital(&words::jumps::when(jump, zone, lang)));
        words.note(&when(Lang::Vi), &when(Lang::En))
    });
    parts.extend(told);
    if let Some(more) = facts.jumps.len().checked_sub(JUMPS_MAX).filter(|more| *more > 0) {
        let more = n(more as u64);
        parts.push(words.note(
            &format!("Đồng hồ còn nhảy {more} lần nữa: xem trang Cách tính."),
            &format!("The clock jumped {more} times more: see the sheet Method."),
        ));
    }
    parts.push(SheetPart::Chart(chart(facts)));
    parts.push(SheetPart::Table(talkers(facts)));
    parts.push(SheetPart::Table(floods(facts)));
    titled("events", words.say("Sự kiện", "Events"), parts)
}

fn chart(facts: &Facts) -> Chart {
    let words = facts.words();
    let series = facts.province.centres.iter().enumerate().map(|(n, centre)| Series {
        name: centre.name.get(facts.lang).to_owned(),
        values: facts.by_day(Kept::Events, |day, _| facts.events.days[day][n]),
    });
    Chart {
        id: "events_by_day",
        caption: words.say("Bản ghi theo ngày", "Records by day"),
        shape: Shape::Bars,
        unit: words.say("bản ghi", "records"),
        categories: facts.days(),
        series: series.collect(),
        target: None,
    }
}

fn talkers(facts: &Facts) -> Table {
    let words = facts.words();
    let mut talkers: Vec<_> = facts.events.by_point.iter().collect();
    talkers.sort_by_key(|(point, count)| (std::cmp::Reverse(**count), *point));
    talkers.truncate(TALKERS_MAX);
    let rows = talkers.into_iter().map(|((station, id), count)| {
        let found = facts.province.site(station);
        let found = found.map(|station| &facts.province.stations[station.index()]);
        let point = found.and_then(|s| s.point(id).map(|point| &s.points[point.index()]));
        let name = point.map_or("", |point| point.spec.name.get(facts.lang));
        vec![text(station), text(id), text(name), Cell::Count(*count)]
    });
    Table {
        id: "talkers",
        caption: words.say("Mười tín hiệu nhiều bản ghi nhất", "Ten signals with the most records"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("point", "Tín hiệu", "Signal", 28),
            words.column("name", "Tên", "Name", 36),
            words.column("records", "Bản ghi, mọi trung tâm", "Records, all centres", 12),
        ],
        rows: rows.collect(),
        total: None,
    }
}

fn floods(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.events.floods.iter().take(FLOODS_MAX).map(|(at, station, centre, count)| {
        let named = facts.province.centres.iter().find(|own| own.id == *centre);
        let centre = named.map_or(centre.as_str(), |own| own.name.get(facts.lang));
        vec![Cell::Instant(*at), text(station), text(centre), Cell::Count(*count)]
    });
    Table {
        id: "floods",
        caption: words.say(
            "Hơn 10 bản ghi trong 10 phút ở một trạm",
            "More than 10 records in ten minutes at a station",
        ),
        columns: vec![
            words.column("from", "Từ", "From", 17),
            words.column("station", "Trạm", "Station", 8),
            words.column("centre", "Trung tâm", "Centre", 10),
            words.column("records", "Bản ghi", "Records", 10),
        ],
        rows: rows.collect(),
        total: None,
    }
}
