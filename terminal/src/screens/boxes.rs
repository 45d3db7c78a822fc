//! The overview's boxes that have no selection: headline figures, live state, reasons, polling.

use config::{ChannelId, Lang};
use historian::counts::{Counts, Share};
use historian::verdict::Reason;

use crate::attention::{self, role_of};
use crate::format::{self, NOT_EVALUATED};
use crate::paint::{Row, Side, beside, framed};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

use super::unmanned;

/// A verdict as a mark: reached, not reached, or not evaluated.
pub(crate) fn mark(verdict: Option<bool>) -> (Role, &'static str) {
    match verdict {
        Some(true) => (Role::Plain, "✓"),
        Some(false) => (Role::Fail, "✗"),
        None => (Role::Plain, NOT_EVALUATED),
    }
}

/// Whether a figure reaches its target, once it can be said.
pub(crate) fn reached(view: &View<'_>, share: Share, target: f64) -> Option<bool> {
    if view.starting() { None } else { share.reaches(target) }
}

/// A headline figure of stations.
pub(crate) struct Headline {
    /// `9/10`; `—/10` where nothing is known of any.
    pub(crate) share: String,
    /// In per cent, without the sign.
    pub(crate) percent: String,
    /// Whether its target is reached; open as long as stations of which nothing is known could decide it.
    pub(crate) reached: Option<bool>,
}

impl Headline {
    /// Of a share of the stations, with so many more of which nothing is known.
    pub(crate) fn of(view: &View<'_>, (share, unknown): (Share, u64), target: f64) -> Self {
        let at_best = Share::new(share.have + unknown, share.want);
        let reached = match (reached(view, share, target), reached(view, at_best, target)) {
            (Some(false), Some(true)) => None,
            (reached, _) => reached,
        };
        if unknown > 0 && unknown == share.want {
            let share = format!("{NOT_EVALUATED}/{}", view.count(share.want));
            return Self { share, percent: NOT_EVALUATED.to_owned(), reached };
        }
        let percent = format::percent_digits(share, 1, Some(target), view.lang);
        Self { share: view.share(share), percent, reached }
    }
}

/// The headline figures of stations, with their names.
pub(crate) fn headlines(view: &View<'_>) -> [(Text, Headline); 3] {
    let (figures, targets) = (&view.snapshot.figures, &view.province().targets);
    let of = |share, target| Headline::of(view, (share, 0), target);
    [
        (Text::ConnectedShort, of(figures.connected, targets.connected)),
        (Text::FullShort, of(figures.full, targets.full)),
        (Text::UnmannedShort, unmanned::headline(view)),
    ]
}

/// Whether metering reaches its target: meters that have not been counted leave it open as long as
/// they could decide it.
pub(crate) fn metering_reached(view: &View<'_>) -> Option<bool> {
    let metering = &view.snapshot.metering;
    metering.total.reaches_with(metering.uncounted, view.province().targets.remote_metering)
}

/// How many meters are read remotely beside how many the target wants.
pub(crate) enum Against {
    /// So many more, or as many.
    Ahead(u64),
    /// So many too few.
    Short(u64),
    /// Too few, while some that could decide it are not counted.
    Open,
}

impl Against {
    pub(crate) fn target(view: &View<'_>, share: Share, uncounted: u64) -> Self {
        let needed = share.needed(view.province().targets.remote_metering);
        match share.have.checked_sub(needed) {
            Some(more) => Self::Ahead(more),
            None if uncounted > 0 => Self::Open,
            None => Self::Short(needed - share.have),
        }
    }
}

/// `dư 70`, `thiếu 1.390`, or how many have not been counted.
pub(crate) fn against_target(view: &View<'_>, share: Share, uncounted: u64) -> String {
    let (what, count) = match Against::target(view, share, uncounted) {
        Against::Ahead(more) => (Text::AheadBy, more),
        Against::Short(lacking) => (Text::ShortBy, lacking),
        Against::Open => (Text::Uncounted, uncounted),
    };
    format!("{} {}", view.t(what), view.count(count))
}

/// Which share of some meters is read remotely, per cent: at least so much while some are not counted, and not
/// known while none is. What nobody has counted is neither read nor not.
pub(crate) fn coverage_percent(
    view: &View<'_>,
    (share, uncounted): (Share, u64),
    decimals: u32,
) -> String {
    let target = view.province().targets.remote_metering;
    let percent = format::percent_digits(share, decimals, Some(target), view.lang);
    match uncounted {
        0 => percent,
        n if n >= share.want => NOT_EVALUATED.to_owned(),
        _ => format!("≥{percent}"),
    }
}

/// Both counts of it.
pub(crate) fn coverage_share(view: &View<'_>, share: Share, uncounted: u64) -> String {
    if uncounted > 0 && uncounted >= share.want {
        return format!("{NOT_EVALUATED}/{}", view.count(share.want));
    }
    view.share(share)
}

/// The four headline figures, side by side.
pub(crate) fn figures(view: &View<'_>, width: usize) -> Vec<Row> {
    let side = width / 4;
    let widths = [side, side, side, width - 3 * side];
    let boxes = [connected(view, side - 2), full(view, side - 2), unmanned_box(view, side - 2)];
    let titles = [Text::FigureConnected, Text::FigureFull, Text::FigureUnmanned];
    let metering = (Text::FigureMetering, metering(view, widths[3] - 2));
    titles.into_iter().zip(boxes).chain([metering]).zip(widths).fold(
        Vec::new(),
        |row, ((title, lines), width)| {
            let title = view.row().put(Role::Strong, view.t(title));
            beside(row, framed(title, view.row(), lines, width))
        },
    )
}

/// A count of stations with its percentage and mark.
fn headline(view: &View<'_>, figure: &Headline, width: usize) -> Row {
    let (role, mark) = mark(figure.reached);
    let left = view.row().gap(1).put(Role::Strong, &*figure.share);
    let right = view.row().text(format!("{} % ", figure.percent)).put(role, mark);
    left.text(format!(" {}", view.t(Text::StationsUnit))).ending(right, width)
}

fn connected(view: &View<'_>, width: usize) -> Vec<Row> {
    let (share, target) = (view.snapshot.figures.connected, view.province().targets.connected);
    let head = headline(view, &Headline::of(view, (share, 0), target), width);
    let units = view.snapshot.units();
    let text = format!(" {} {}", view.t(Text::Devices), view.share(units));
    let row = view.row().text(text);
    let lacking = units.lacking();
    let fault = if lacking > 0 && !view.starting() {
        view.row().put(Role::Fail, format!("✗ {}", view.count(lacking)))
    } else {
        view.row()
    };
    vec![head, row.ending(fault.gap(1), width)]
}

fn full(view: &View<'_>, width: usize) -> Vec<Row> {
    let (share, target) = (view.snapshot.figures.full, view.province().targets.full);
    let head = headline(view, &Headline::of(view, (share, 0), target), width);
    let each = view.pair().into_iter().map(|centre| {
        let share = view.snapshot.centres[centre.index()].full;
        format!("{} {}", view.centre(centre), view.share(share))
    });
    vec![head, view.row().text(format!(" {}", each.collect::<Vec<_>>().join(" · ")))]
}

fn unmanned_box(view: &View<'_>, width: usize) -> Vec<Row> {
    vec![headline(view, &unmanned::headline(view), width), unmanned::summary(view)]
}

fn metering(view: &View<'_>, width: usize) -> Vec<Row> {
    let metering = &view.snapshot.metering;
    let target = view.province().targets.remote_metering;
    let percent = coverage_percent(view, (metering.total, metering.uncounted), 2);
    let said = coverage_share(view, metering.total, metering.uncounted);
    let all = view.row().gap(1).put(Role::Strong, said);
    let taken = percent.chars().count() + 1;
    // A count that is cut is another one: where not all has room, what of them is said in per cent.
    let part = || view.row().gap(1).put(Role::Strong, view.count(metering.total.have));
    let left = if all.width() + taken < width { all } else { part() };
    let room = width.saturating_sub(left.width() + taken);
    let spaced = if room > 3 { format!("{percent} % ") } else { format!("{percent}%") };
    let (role, mark) = mark(metering_reached(view));
    let asked = format!(" {} {} ", view.t(Text::Target), format::target(target, view.lang));
    let rest = against_target(view, metering.total, metering.uncounted);
    let second = if metering.uncounted > 0 && metering_reached(view) != Some(true) {
        view.row().gap(1).put(role, mark).text(format!(" {rest}"))
    } else {
        view.row().text(asked).put(role, mark).text(format!(" {rest}"))
    };
    vec![left.ending(view.row().text(spaced), width), second]
}

/// How far the parts of a line stand apart.
#[derive(Debug, Clone, Copy)]
struct Spacing {
    gap: usize,
    equals: &'static str,
}

const WIDE: Spacing = Spacing { gap: 5, equals: " = " };
const TIGHT: Spacing = Spacing { gap: 3, equals: " " };

/// What is live and right at this moment, at each centre.
pub(crate) fn live(view: &View<'_>, width: usize) -> Vec<Row> {
    let title = view.row().put(Role::Strong, view.t(Text::RightNow));
    framed(title, view.row().text(view.t(Text::LiveMeans)), live_rows(view, WIDE), width)
}

/// The same without a box, for 80 columns.
pub(crate) fn live_lines(view: &View<'_>) -> Vec<Row> {
    live_rows(view, TIGHT)
}

/// The live and the right line, centre below centre.
fn live_rows(view: &View<'_>, spacing: Spacing) -> Vec<Row> {
    let pair = view.pair();
    let counts: Vec<&Counts> =
        pair.iter().map(|centre| &view.snapshot.centres[centre.index()].counts).collect();
    let parts = |of: &dyn Fn(&Counts) -> Share| -> Vec<Row> {
        let each = pair.iter().zip(&counts);
        each.map(|(centre, counts)| part(view, view.centre(*centre), of(counts), spacing)).collect()
    };
    let (live, right) = (parts(&|counts| counts.live), parts(&|counts| counts.right));
    let room = |n: usize| live[n].width().max(right[n].width());
    let rooms: Vec<usize> = (0..pair.len()).map(room).collect();
    let line = |name: Text, parts: Vec<Row>, last: Row| {
        let start = view.row().gap(1).cell(Role::Plain, view.t(name), 6, Side::Left);
        let count = parts.len();
        let parts = parts.into_iter().zip(&rooms).enumerate();
        let row = parts.fold(start, |row, (n, (part, room))| {
            // What follows the last one need not stand in a column.
            let part = if n + 1 < count { part.filled(*room) } else { part };
            row.join(part).gap(spacing.gap)
        });
        row.join(last)
    };
    vec![line(Text::Live, live, excluded(view)), line(Text::Right, right, findings(view))]
}

/// `A1 2.320/2.358 = 98,39 % ✗38`.
fn part(view: &View<'_>, name: &str, share: Share, spacing: Spacing) -> Row {
    let row = view.row().text(format!("{name} "));
    if view.starting() || share.want == 0 {
        return row.text(format!("{NOT_EVALUATED}/{}", view.count(share.want)));
    }
    let percent = format!("{}{} % ", spacing.equals, view.percent(share));
    let row = row.put(Role::Strong, view.share(share)).text(percent);
    match share.lacking() {
        0 => row.text("✓"),
        lacking => row.put(Role::Fail, format!("✗{}", view.count(lacking))),
    }
}

fn excluded(view: &View<'_>) -> Row {
    let counts = view.pair().into_iter().map(|c| (c, &view.snapshot.centres[c.index()].counts));
    let with = counts.filter(|(_, counts)| counts.excluded > 0);
    let each: Vec<String> = with
        .map(|(centre, counts)| {
            let (name, n) = (view.centre(centre), view.count(counts.excluded));
            // The raw figure beside the agreed one.
            format!("{name} {n} → {} {} %", view.t(Text::Raw), view.percent(counts.live_raw()))
        })
        .collect();
    if each.is_empty() {
        return view.row();
    }
    view.row().put(Role::Note, format!("{} {}", view.t(Text::Excluded), each.join(" · ")))
}

fn findings(view: &View<'_>) -> Row {
    let is_tested =
        |centre: &config::CentreId| view.snapshot.centres[centre.index()].counts.right.want > 0;
    if !view.pair().iter().any(is_tested) {
        return view.row().text(view.t(Text::NoneEvaluable));
    }
    let open = open_findings(view);
    let said = match (view.lang, open) {
        (Lang::En, 1) => "open finding",
        _ => view.t(Text::OpenFindings),
    };
    let role = if open > 0 { Role::Doubt } else { Role::Plain };
    view.row().put(role, format!("{} {said}", view.count(open)))
}

/// Signals with a finding at a centre that the line speaks of: one that both see is one.
fn open_findings(view: &View<'_>) -> u64 {
    let mut open = 0;
    for station in view.province().station_ids() {
        let channels: Vec<_> = view
            .pair()
            .into_iter()
            .map(|centre| view.snapshot.channel(station, centre))
            .filter(|channel| channel.counts.right.lacking() > 0)
            .collect();
        let has_finding = |n: &usize| {
            channels.iter().any(|channel| {
                let is_required = channel.contract(view.province()).entries[*n].required;
                is_required && channel.points[*n].finding.is_some()
            })
        };
        if !channels.is_empty() {
            open += (0..view.station(station).points.len()).filter(has_finding).count() as u64;
        }
    }
    open
}

/// A reason with its counts at the centres of the columns.
pub(crate) struct ReasonCount {
    pub(crate) reason: Reason,
    pub(crate) counts: Vec<u64>,
}

/// Reasons that occur, most signals at any centre first.
pub(crate) fn occurring(view: &View<'_>, of: impl Fn(&Counts, Reason) -> u64) -> Vec<ReasonCount> {
    let pair = view.pair();
    let at = |reason: Reason| -> Vec<u64> {
        let counts = pair.iter().map(|c| &view.snapshot.centres[c.index()].counts);
        counts.map(|counts| of(counts, reason)).collect()
    };
    let all = Reason::ALL.into_iter().map(|reason| ReasonCount { reason, counts: at(reason) });
    let mut found: Vec<ReasonCount> =
        all.filter(|found| found.counts.iter().any(|n| *n > 0)).collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.counts.iter().max().copied()));
    found
}

/// Why signals are not live, and what else keeps stations from being full or right.
pub(crate) fn reasons(view: &View<'_>, width: usize, height: usize) -> Vec<Row> {
    let (pair, inner) = (view.pair(), width - 2);
    let not_live = occurring(view, |counts, reason| counts.not_live[reason as usize]);
    let besides = occurring(view, |counts, reason| match reason {
        Reason::NoE2eRecord => counts.of(reason),
        Reason::Inconsistent => counts.right.lacking(),
        _ => 0,
    });
    let head = |text: Text, names: bool| {
        let row = view.row().gap(1).cell(Role::Plain, view.t(text), 23, Side::Left);
        pair.iter()
            .filter(|_| names)
            .fold(row, |row, centre| row.cell(Role::Plain, view.centre(*centre), 6, Side::Right))
    };
    let most = not_live.iter().chain(&besides).flat_map(|found| &found.counts).max();
    let bars = inner.saturating_sub(1 + 23 + 6 * pair.len() + 3);
    let line = |found: &ReasonCount| reason_line(view, found, *most.unwrap_or(&1), bars);
    let mut lines = vec![head(Text::NotLiveFor, true)];
    let mut below = Vec::new();
    let room = height.saturating_sub(2);
    if !besides.is_empty() {
        below.push(head(Text::BesidesLive, false));
        below.extend(besides.iter().map(line));
    }
    // Where there is no room for all, what is not the fault of being live stands in one line.
    if 1 + not_live.len().max(1) + below.len() > room && !below.is_empty() {
        let said = format!(" {}", view.t(Text::BesidesLive));
        below = vec![rest_line(view, &said, &besides.iter().collect::<Vec<_>>(), inner)];
    }
    if view.starting() {
        lines.push(view.row().text(format!("   {NOT_EVALUATED}")));
    } else if not_live.is_empty() {
        lines.push(view.row().text(format!("   {}", view.t(Text::Nothing))));
    } else {
        lines.extend(not_live.iter().map(line));
    }
    let own = room.saturating_sub(below.len());
    if lines.len() > own {
        lines.truncate(own.saturating_sub(1));
        let rest: Vec<&ReasonCount> = not_live.iter().skip(own.saturating_sub(2)).collect();
        lines.push(rest_line(view, " …", &rest, inner));
    }
    lines.extend(below);
    lines.resize(room, view.row());
    framed(view.row().put(Role::Strong, view.t(Text::Reasons)), sums(view), lines, width)
}

/// Reasons for which there is no line of their own: `… I 1/1 · R 0/1`.
fn rest_line(view: &View<'_>, start: &str, rest: &[&ReasonCount], width: usize) -> Row {
    let each = rest.iter().map(|found| {
        let counts: Vec<String> = found.counts.iter().map(|n| view.count(*n)).collect();
        format!("{} {}", found.reason.mark(), counts.join("/"))
    });
    view.row().text(format!("{start} {}", each.collect::<Vec<_>>().join(" · "))).filled(width)
}

/// `chưa sống A1 2 · TTĐK 14`: what the rows of reasons sum up to.
fn sums(view: &View<'_>) -> Row {
    if view.starting() {
        return view.row();
    }
    let each = view.pair().into_iter().map(|centre| {
        let lacking = view.snapshot.centres[centre.index()].counts.live.lacking();
        format!("{} {}", view.centre(centre), view.count(lacking))
    });
    view.row().text(each.collect::<Vec<_>>().join(" · "))
}

fn reason_line(view: &View<'_>, found: &ReasonCount, most: u64, bars: usize) -> Row {
    let role = role_of(found.reason);
    let row = view.row().gap(1).put(role, found.reason.mark()).gap(1);
    let text = attention::reason_text(view, found.reason);
    let row = row.cell(Role::Plain, text, 21, Side::Left);
    let row = found
        .counts
        .iter()
        .fold(row, |row, n| row.cell(Role::Plain, &view.count(*n), 6, Side::Right));
    let largest = found.counts.iter().max().copied().unwrap_or(0);
    let cells = bars as u64 * largest;
    // Whatever occurs has at least one cell.
    let length = usize::try_from(cells.div_ceil(most.max(1))).unwrap_or(bars);
    row.gap(2).put(role, "█".repeat(length.min(bars)))
}

/// How polling goes.
pub(crate) fn modbus(view: &View<'_>, width: usize, height: usize) -> Vec<Row> {
    let traffic = &view.snapshot.traffic;
    let title = view.row().put(Role::Strong, view.t(Text::Modbus));
    #[expect(clippy::cast_possible_truncation, reason = "a window is a few hundred seconds")]
    let window = format::age((traffic.window_s * 1_000.0) as i64, view.lang);
    let right = view.row().text(format!("{} {window}", view.t(Text::Window)));
    // Links of plants are no links of stations.
    let all = view.snapshot.channels.iter().zip(0..);
    let all = all.filter(|(_, n)| !view.province().is_plant(ChannelId::at(*n)));
    let up = all
        .clone()
        .filter(|(channel, _)| channel.link.state == historian::snapshot::LinkState::Connected);
    let links = Share::new(up.count() as u64, all.count() as u64);
    let missed: u64 = view.snapshot.channels.iter().map(|channel| channel.link.missed).sum();
    let faults = [
        (Text::NoReply, traffic.no_reply),
        (Text::Refused, traffic.refused),
        (Text::Undecodable, traffic.undecodable),
    ];
    let faults = faults.map(|(text, n)| format!("{} {}", view.t(text), view.count(n)));
    let counted = [(Text::LinksUp, view.share(links)), (Text::Missed, view.count(missed))];
    let counted = counted.map(|(text, said)| format!("{} {said}", view.t(text)));
    let (overruns, strays) = view.snapshot.channels.iter().fold((0, 0), |(overruns, strays), c| {
        (overruns + c.link.overruns, strays + u64::from(c.link.strays.sum()))
    });
    let besides = [(Text::Overruns, overruns), (Text::StrayReplies, strays)];
    let besides = besides.map(|(text, n)| format!("{} {}", view.t(text), view.count(n)));
    let mut lines = vec![
        view.row().text(format!(" {}", rates(view))),
        view.row().text(" ").join(errors(view)),
        view.row().text(format!("   {}", faults.join(" · "))),
        view.row().text(format!(" {}", counted.join(" · "))),
        view.row().text(format!("   {}", besides.join(" · "))),
    ];
    lines.resize(height.saturating_sub(2), view.row());
    framed(title, right, lines, width)
}

/// Requests a second and round trips.
pub(crate) fn rates(view: &View<'_>) -> String {
    let traffic = &view.snapshot.traffic;
    #[expect(clippy::cast_precision_loss, reason = "a few million at most")]
    let rate = traffic.requests as f64 / traffic.window_s.max(1.0);
    let rate = format::number(rate, usize::from(rate < 10.0), view.lang);
    let ms = |ms: Option<f64>| {
        ms.map_or_else(|| NOT_EVALUATED.to_owned(), |ms| format::milliseconds(ms, view.lang))
    };
    format!(
        "{rate} {} · p50 {} p95 {} max {} ms",
        view.t(Text::PerSecond),
        ms(traffic.p50_ms),
        ms(traffic.p95_ms),
        ms(traffic.max_ms),
    )
}

/// Requests that brought no values, of all.
pub(crate) fn errors(view: &View<'_>) -> Row {
    let traffic = &view.snapshot.traffic;
    let share = Share::new(traffic.errors(), traffic.requests);
    let role = if share.have > 0 { Role::Doubt } else { Role::Plain };
    let row = view.row().put(role, format!("{} {}", view.t(Text::Errors), view.share(share)));
    row.text(format!(" = {}", format::percent(share, 2, None, view.lang)))
}
