//! The four headline figures, their targets, the period before, and thirteen months.

use config::CentreId;
use historian::counts::Share;
use historian::snapshot::LinkState;
use store::history::Times;
use store::{Kept, MeterKind, Metered};
use words::format;

use super::{DECIMALS, percent, text};
use crate::facts::{ChannelFacts, Facts};
use crate::sheets::{Cell, Chart, Holds, Series, Shape, Sheet, SheetPart, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut parts = vec![SheetPart::Table(figures(facts))];
    parts.extend(facts.little_watched());
    parts.extend(facts.other_zones());
    parts.extend(super::metering::uncounted(facts));
    parts.extend([SheetPart::Chart(months(facts)), SheetPart::Table(centres(facts))]);
    parts.extend(forgotten_months(facts));
    super::titled("summary", words.say("Tổng hợp", "Summary"), parts)
}

fn figures(facts: &Facts) -> Table {
    let words = facts.words();
    let targets = &facts.province.targets;
    let stations = facts.stations();
    let count = |have: usize| Share::new(have as u64, stations.len() as u64);
    let connected = stations.iter().filter(|station| {
        facts.of_station(**station).all(|c| c.link.last == Some(LinkState::Connected))
    });
    let full =
        stations.iter().filter(|station| facts.of_station(**station).all(|c| facts.is_full(c)));
    let operations: Vec<Option<bool>> =
        stations.iter().map(|station| facts.operation(*station).operated).collect();
    let unmanned = operations.iter().filter(|operated| **operated == Some(true)).count();
    let unknown = operations.iter().filter(|operated| operated.is_none()).count();
    let declared = stations.iter().filter(|s| facts.province.stations[s.index()].unmanned);
    // Nothing that could be said of any station is no figure.
    let unmanned = if unknown == stations.len() { Share::default() } else { count(unmanned) };
    let mut rows = vec![
        row(
            facts,
            ("Trạm kết nối với mọi trung tâm", "Stations connected to every centre"),
            Cell::Share,
            (count(connected.count()), None),
            targets.connected,
        ),
        row(
            facts,
            ("Trạm đủ tín hiệu ở mọi trung tâm", "Stations with all required signals"),
            Cell::Share,
            (count(full.count()), None),
            targets.full,
        ),
        row(
            facts,
            ("Trạm không người trực, theo khai báo", "Unmanned stations, as declared"),
            Cell::Share,
            (count(declared.count()), None),
            targets.unmanned,
        ),
        row(
            facts,
            (
                "Trạm không người trực, quan sát đủ tín hiệu ưu tiên A",
                "Unmanned stations, seen by every priority A signal",
            ),
            Cell::Share,
            (unmanned, None),
            targets.unmanned,
        ),
    ];
    // Meters are not told apart by station in the store.
    if stations.len() == facts.province.substations().len() {
        rows.push(metering(facts));
        let gone = facts.window.not_kept(Kept::Metering);
        mark_not_kept(&mut rows, facts, gone.length() > 0 && gone.from == facts.window.span.from);
    }
    for centre in facts.province.centre_ids() {
        let (now, before) = live(facts, centre);
        let name = facts.province.centres[centre.index()].name.get(facts.lang);
        let (vi, en) = (format!("Tín hiệu sống ở {name}"), format!("Live signals at {name}"));
        rows.push(row(facts, (&vi, &en), Cell::TimeShare, (now, Some(before)), targets.live));
        mark_not_kept(&mut rows, facts, facts.before.iter().any(|times| times.not_kept > 0));
    }
    Table {
        id: "figures",
        caption: words.say("Chỉ tiêu", "Figures"),
        columns: vec![
            words.column("figure", "Chỉ tiêu", "Figure", 40),
            words.column("value", "Kết quả", "Value", 12).holding(Holds::Both),
            words.column("target", "Mục tiêu, %", "Target, %", 10),
            words.column("reached", "Đánh giá", "Judgement", 14),
            words.column("before", "Kỳ trước", "Period before", 12).holding(Holds::Both),
        ],
        rows,
        total: None,
    }
}

/// A row of a figure: `cell` writes its shares.
fn row(
    facts: &Facts,
    (vi, en): (&str, &str),
    cell: fn(Share, u8, Option<f64>) -> Cell,
    (share, before): (Share, Option<Share>),
    target: f64,
) -> Vec<Cell> {
    let words = facts.words();
    let before = before.filter(|share| share.want > 0);
    vec![
        Cell::Text(words.say(vi, en)),
        cell(share, DECIMALS, Some(target)),
        Cell::Number(target, 1),
        words.reached((share, 0), target, facts.is_enough_watched()),
        before.map_or(Cell::Empty, |share| cell(share, DECIMALS, None)),
    ]
}

/// The row of remote metering: of meters that nobody has counted, any may be read remotely.
fn metering(facts: &Facts) -> Vec<Cell> {
    let words = facts.words();
    let target = facts.province.targets.remote_metering;
    let (now, before) = (coverage(&facts.metering), coverage(&facts.metering_before));
    let before = Some(before).filter(|(share, _)| share.want > 0);
    vec![
        Cell::Text(words.say("Công tơ bán điện đo xa", "Meters that sell, read remotely")),
        coverage_cell(now, Some(target)),
        Cell::Number(target, 1),
        words.reached(now, target, facts.is_enough_watched()),
        before.map_or(Cell::Empty, |before| coverage_cell(before, None)),
    ]
}

/// Says of the last row that the figure of the period before is no longer kept, when that is so: what is left
/// of it would be another figure.
fn mark_not_kept(rows: &mut [Vec<Cell>], facts: &Facts, is_gone: bool) {
    if let Some(before) = rows.last_mut().filter(|_| is_gone).and_then(|row| row.last_mut()) {
        *before = facts.words().not_kept();
    }
}

/// Meters with a proven channel, of those that sell energy; and how many of the others nobody has counted.
pub(super) fn coverage(metered: &[Metered]) -> (Share, u64) {
    let (mut sum, mut uncounted) = (Share::default(), 0);
    for line in metered.iter().filter(|line| line.kind == MeterKind::District) {
        sum += Share::new(line.remote, line.meters);
        uncounted += line.uncounted;
    }
    (sum, uncounted)
}

/// The same in a cell: at least so much while some are not counted, and not known while none is.
pub(super) fn coverage_cell((share, uncounted): (Share, u64), target: Option<f64>) -> Cell {
    match uncounted {
        0 => Cell::Share(share, DECIMALS, target),
        n if n >= share.want => Cell::NotKnown,
        _ => Cell::AtLeast(share, DECIMALS, target),
    }
}

/// Live shares of a centre in the period and in the one before, of the time in which somebody watched.
fn live(facts: &Facts, centre: CentreId) -> (Share, Share) {
    let times = facts.of_centre(centre).map(ChannelFacts::times);
    let now = times.sum::<Times>().live_share();
    let of_centre = facts.channels.iter().zip(&facts.before);
    let before = of_centre.filter(|(c, _)| facts.channel(c.id).centre == centre).map(|(_, t)| t);
    (now, before.sum::<Times>().live_share())
}

fn months(facts: &Facts) -> Chart {
    let words = facts.words();
    let categories = facts.months.iter().map(|(month, _)| format::month(month.first, facts.lang));
    let series = facts.province.centre_ids().map(|centre| {
        // What is left of a month that is no longer kept as a whole is no figure of that month.
        let kept =
            |times: &Times| if times.not_kept > 0 { None } else { percent(times.live_share()) };
        let values = facts.months.iter().map(|(_, of)| kept(&of[centre.index()]));
        let name = facts.province.centres[centre.index()].name.get(facts.lang).to_owned();
        Series { name, values: values.collect() }
    });
    Chart {
        id: "months",
        caption: words.say("Tín hiệu sống theo tháng", "Live signals by month"),
        shape: Shape::Line,
        unit: "%".to_owned(),
        categories: categories.collect(),
        series: series.collect(),
        target: Some(facts.province.targets.live),
    }
}

/// Names the months of the chart that are no longer kept as a whole.
fn forgotten_months(facts: &Facts) -> Option<SheetPart> {
    let is_gone = |times: &Vec<Times>| times.iter().any(|times| times.not_kept > 0);
    let gone = facts.months.iter().filter(|(_, times)| is_gone(times));
    let gone: Vec<String> = gone.map(|(month, _)| format::month(month.first, facts.lang)).collect();
    let gone = gone.join(", ");
    let note = || {
        facts.words().note(
            &format!("Biểu đồ theo tháng: không còn lưu (hoặc không còn đủ) {gone}."),
            &format!("Chart by month: not kept, or not as a whole, any more: {gone}."),
        )
    };
    (!gone.is_empty()).then(note)
}

fn centres(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.province.centre_ids().map(|centre| {
        let times: Times = facts.of_centre(centre).map(ChannelFacts::times).sum();
        let structure = facts.of_centre(centre).fold((0, 0, 0), |(r, m, t), channel| {
            let (required, mapped, tested) = facts.structure(channel);
            (r + required, m + mapped, t + tested)
        });
        let (required, mapped, tested) = structure;
        vec![
            text(facts.province.centres[centre.index()].title.get(facts.lang)),
            Cell::Count(required),
            Cell::Count(required - mapped),
            Cell::Count(mapped - tested),
            Cell::TimeShare(times.live_share(), DECIMALS, None),
            Cell::TimeShare(times.live_share_raw(), DECIMALS, None),
            Cell::TimeShare(times.live_share_of_all(), DECIMALS, None),
            Cell::TimeShare(times.observed_share(), DECIMALS, None),
            Cell::TimeShare(times.right_share(), DECIMALS, None),
        ]
    });
    Table {
        id: "centres",
        caption: words.say("Theo trung tâm", "By centre"),
        columns: vec![
            words.column("centre", "Trung tâm", "Centre", 34),
            words.column("required", "Bắt buộc", "Required", 10),
            words.column("missing", "Chưa có", "Missing", 10),
            words.column("untested", "Chưa E2E", "Untested", 10),
            words
                .column("live", "Sống, trong thời gian theo dõi", "Live, while watched", 14)
                .holding(Holds::TimeShares),
            words
                .column("live_raw", "Sống, kể cả loại trừ", "Live, exclusions counted", 14)
                .holding(Holds::TimeShares),
            words
                .column("live_of_all", "Sống, trên toàn kỳ", "Live, of all the time", 14)
                .holding(Holds::TimeShares),
            words
                .column("observed", "Thời gian theo dõi", "Watched", 12)
                .holding(Holds::TimeShares),
            words.column("right", "Đúng", "Right", 12).holding(Holds::TimeShares),
        ],
        rows: rows.collect(),
        total: None,
    }
}
