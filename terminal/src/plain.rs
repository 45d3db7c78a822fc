//! The figures as lines of text, for `--once`, pipes and the clipboard: from the same functions as
//! the screens.

use config::{Lang, StationId};
use historian::events::{EventEntry, Happening};
use historian::snapshot::{Full, LinkState, Snapshot};
use historian::verdict::Since;
use signal::clock::Timestamp;

use super::format::{self, Moment};
use super::happenings;
use super::issues::unit_name;
use super::paint::{Row, text_of, width};
use super::screen::Screen;
use super::screens::alarms::Alarms;
use super::screens::metering::read_lines;
use super::screens::overview::{figure_lines, nobody, reasons_line, scanning};
use super::screens::signals::{Filter, Signals};
use super::screens::stations::Stations;
use super::screens::{Body, alarms, boxes, signals, stations, why};
use super::theme::Theme;
use super::view::{View, widest_centre};
use crate::attention;
use crate::texts::Text;

/// Columns of a text that nobody has given a width.
pub(super) const WIDTH: usize = 100;

fn plain(row: Row) -> String {
    text_of(&row.line()).trim_end().to_owned()
}

/// Which province, and when.
fn title(view: &View<'_>) -> String {
    let moment = view.moment();
    let name = view.province().name.get(view.lang);
    format!("{name}  {} {}", moment.today(), moment.time(view.now))
}

/// Everything a person wants to know first: figures, live state, how asking goes where anybody asks, and
/// why stations fall short, that in so many columns.
pub(super) fn overview(view: &View<'_>, asks: bool, width: usize) -> String {
    let moment = view.moment();
    let mut lines = vec![title(view)];
    let mut rows = figure_lines(view);
    rows.extend(boxes::live_lines(view));
    rows.push(reasons_line(view, usize::MAX));
    if asks {
        rows.push(view.row().text(format!(" {}", boxes::rates(view))));
    }
    if view.starting() {
        rows.push(scanning(view));
    }
    let undecided = view.snapshot.undecided();
    if undecided > 0 {
        let undecided = view.count(undecided);
        rows.push(view.row().text(format!(" {undecided} {}", view.t(Text::NotWatchedLong))));
    }
    if view.nobody_ever() {
        rows.extend(nobody(view));
    }
    lines.extend(rows.into_iter().map(plain));
    if view.nobody_ever() {
        return lines.join("\n") + "\n";
    }
    let concerns = attention::concerns(view.snapshot);
    lines.push(String::new());
    if concerns.is_empty() && !view.starting() && undecided == 0 {
        lines.push(view.t(Text::AllWell).to_owned());
    }
    for station in concerns {
        let summary = attention::summary(view, station, usize::MAX);
        let since = summary.since.map_or_else(String::new, |s| {
            format!("  ({} {})", view.t(Text::SinceWord), moment.since_exactly(s))
        });
        lines.push(format!("{}: {}{since}", view.station_name(station), summary.why));
    }
    for station in view.province().station_ids() {
        if view.snapshot.site(station).full != Full::Full {
            lines.push(String::new());
            lines.push(why::plain(view, station, width));
        }
    }
    lines.join("\n") + "\n"
}

/// What a text can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Figures, and why stations fall short.
    Overview,
    /// The four verdicts of every station.
    Stations,
    /// Why a station falls short.
    Why(StationId),
    /// Signals of a station, or of all.
    Signals {
        /// Of this station only.
        station: Option<StationId>,
        /// Also those that fall short nowhere.
        all: bool,
    },
    /// Remote metering.
    Metering,
    /// Alarms of a station, or of all.
    Alarms(Option<StationId>),
}

/// Lines beyond those of a list that a screen has.
const ROUND: usize = 200;
/// So many blank lines a screen leaves only between its list and what stands at the bottom.
const FILLER: usize = 20;

/// A screen as text, all of its list. Nobody is asked anything.
pub(super) fn page(view: &View<'_>, page: Page, width: usize) -> String {
    let mut screen = match page {
        Page::Overview => return overview(view, false, width),
        Page::Why(station) => return why::plain(view, station, width) + "\n",
        Page::Stations => Screen::Stations(Stations::default()),
        // How reading went is not told of single groups, and the screen has boxes for that.
        Page::Metering => return format!("{}\n{}\n", title(view), metering_summary(view, width)),
        Page::Alarms(station) => Screen::Alarms(Alarms::of(station)),
        Page::Signals { station, all } => {
            let filter = Filter { station, faults: !all, ..Filter::default() };
            Screen::Signals(Signals::new(filter, None))
        }
    };
    screen.settle(view, Body { width, height: ROUND });
    let body = Body { width, height: screen.len() + ROUND };
    screen.settle(view, body);
    let rows = match &screen {
        Screen::Stations(screen) => stations::draw(view, screen, body),
        Screen::Alarms(screen) => alarms::draw(view, screen, body),
        Screen::Signals(screen) => signals::draw(view, screen, "", body),
        _ => Vec::new(),
    };
    // A text has no selected row: neither its mark nor, behind what the list leaves blank, its details.
    let lines: Vec<String> = rows.into_iter().map(|row| plain(row).replace('▸', " ")).collect();
    let filler = lines.windows(FILLER).position(|lines| lines.iter().all(String::is_empty));
    let kept = &lines[..filler.unwrap_or(lines.len())];
    let beside = if page == Page::Stations { plants(view) } else { String::new() };
    format!("{}\n{}\n{beside}", title(view), kept.join("\n").trim_end())
}

/// The paths to plants, which are no stations.
fn plants(view: &View<'_>) -> String {
    let mut lines = String::new();
    for plant in view.province().plant_ids() {
        let path = |centre| {
            let link = &view.snapshot.channel(plant, centre).link;
            let word = match link.state {
                LinkState::Connected => Text::LinkUp,
                LinkState::Lost => Text::LinkLost,
                LinkState::NeverConnected => Text::LinkNever,
            };
            let since = view.moment().since_exactly(link.told_since());
            let (word, from) = (view.t(word), view.t(Text::SinceWord));
            format!("  {}: {word} {from} {since}\n", view.centre(centre))
        };
        let name = view.station_name(plant);
        lines.extend([format!("{name}{}\n", view.t(Text::PlantUncounted))]);
        lines.extend(view.centres().into_iter().map(path));
    }
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// How it is known what a snapshot says that was made from history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotOrigin {
    /// Up to when it was watched, from the start of the snapshot on.
    pub until: Timestamp,
    /// Nobody went on then.
    pub has_ended: bool,
    /// Stretches in which nobody watched and over which something in the snapshot goes, the latest first.
    pub unwatched: Vec<(Timestamp, Timestamp)>,
    /// From when on verdicts are kept, where that is why nothing earlier is told.
    pub kept_from: Option<Timestamp>,
    /// From when on values are kept, where those of the moment no longer are.
    pub values_from: Option<Timestamp>,
    /// The present, where the snapshot is to be as new as can be.
    pub now: Option<Timestamp>,
}

/// Records older than this say that the monitor has ended, or cannot keep them, milliseconds.
const STALE_MS: i64 = 3_000;
/// Stretches in which nobody watched that are told one by one.
const UNWATCHED_SHOWN: usize = 3;

/// How it is known what a snapshot says.
pub(super) fn origin(view: &View<'_>, origin: &SnapshotOrigin) -> String {
    // By the day on which it is read: the snapshot may be of another one.
    let moment = Moment { now: origin.now.unwrap_or(view.now), ..view.moment() };
    let stamp = |at: Timestamp| moment.since_exactly(Since::At(at));
    let watched = view.say(
        "Theo lịch sử đã lưu; giám sát liên tục từ",
        "From the history that was kept; watched without a break since",
    );
    let mut lines = vec![format!("{watched} {}.", stamp(view.snapshot.started))];
    if let Some(behind) = origin.now.map(|now| now.since(origin.until)).filter(|ms| *ms > STALE_MS)
    {
        let (until, age) = (stamp(origin.until), format::age(behind, view.lang));
        lines.push(match (view.lang, origin.has_ended) {
            (Lang::Vi, true) => {
                format!("Không còn ai giám sát: kết thúc lúc {until}, {age} trước.")
            }
            (Lang::En, true) => format!("Nobody watches any more: it ended at {until}, {age} ago."),
            (Lang::Vi, false) => {
                format!("Bản ghi cuối lúc {until}, {age} trước: trình giám sát có đang chạy không?")
            }
            (Lang::En, false) => {
                format!("The last record is of {until}, {age} ago: does the monitor still run?")
            }
        });
    }
    if let Some(from) = origin.kept_from.map(stamp) {
        lines.push(match view.lang {
            Lang::Vi => {
                format!("Trước {from} không còn lưu: điều đã có từ trước được ghi là từ lúc đó.")
            }
            Lang::En => format!(
                "Nothing is kept from before {from}: what was so already is told since then."
            ),
        });
    }
    if let Some(from) = origin.values_from.map(stamp) {
        lines.push(match view.lang {
            Lang::Vi => format!("Giá trị của lúc này không còn lưu; chỉ còn từ {from}."),
            Lang::En => {
                format!("The values of this moment are no longer kept; they are from {from} on.")
            }
        });
    }
    for (from, to) in origin.unwatched.iter().take(UNWATCHED_SHOWN) {
        let (from, to) = (stamp(*from), stamp(*to));
        lines.push(match view.lang {
            Lang::Vi => format!("Không ai giám sát từ {from} đến {to}."),
            Lang::En => format!("Nobody watched from {from} to {to}."),
        });
    }
    let more = origin.unwatched.len().saturating_sub(UNWATCHED_SHOWN);
    if more > 0 {
        lines.push(match view.lang {
            Lang::Vi => format!("… và {more} khoảng trước đó."),
            Lang::En => format!("… and {more} stretches before."),
        });
    }
    lines.join("\n")
}

/// Remote metering by district.
pub(super) fn metering_summary(view: &View<'_>, width: usize) -> String {
    let (metering, province) = (&view.snapshot.metering, view.province());
    let shares = metering.districts.iter().zip(&metering.district_uncounted);
    let mut lines: Vec<String> = figure_lines(view).into_iter().skip(1).map(plain).collect();
    lines.extend(province.districts.iter().zip(shares).map(|(district, (share, uncounted))| {
        let percent = boxes::coverage_percent(view, (*share, *uncounted), 2);
        let share = boxes::coverage_share(view, *share, *uncounted);
        let unknown = if *uncounted > 0 {
            format!(", {} {}", view.t(Text::Uncounted), view.count(*uncounted))
        } else {
            String::new()
        };
        format!("   {}: {share} = {percent} %{unknown}", district.name.get(view.lang))
    }));
    lines.extend(read_lines(view, width).into_iter().map(plain));
    lines.join("\n")
}

/// Why a station falls short, line by line.
pub(super) fn why_lines(view: &View<'_>, station: StationId) -> Vec<String> {
    why::plain(view, station, WIDTH).lines().map(str::to_owned).collect()
}

/// Widths of the columns of events: time, station, bay, signal, change, centre, delay. Longer texts
/// are not cut: who reads a text can read on.
const EVENT_WIDTHS: [usize; 7] = [23, 18, 6, 30, 22, 5, 9];

/// Names of the columns of events.
pub(super) fn event_head(view: &View<'_>) -> String {
    let heads = [
        Text::ColTime,
        Text::ColStation,
        Text::ColBay,
        Text::ColSignal,
        Text::ColChange,
        Text::ColCentre,
        Text::ColDelay,
        Text::ColMarks,
    ];
    columns(heads.map(|head| view.t(head).to_owned()))
}

/// One entry of the events.
pub(super) fn event_line(view: &View<'_>, entry: &EventEntry) -> String {
    let channel = &view.province().channels[entry.channel.index()];
    let (id, centre) = (channel.station, view.centre(channel.centre).to_owned());
    let (station, name) = (view.station(id), view.station_name(id));
    let (moment, lang) = (view.moment(), view.lang);
    let stamp = |at: Timestamp| {
        let day = format::date(at.local(moment.zone).date, lang);
        format!("{day} {}", moment.fine_time(at))
    };
    let unit = station.units.iter().position(|unit| unit.id == entry.unit);
    let unit = unit.map_or_else(String::new, |unit| unit_name(view.snapshot, id, unit, lang));
    match &entry.what {
        Happening::Change(change) => {
            let point = change.point.map(|point| &station.points[point.index()]);
            let bay = point.map_or(unit, |point| station.bays[point.bay].name.clone());
            let unknown = || format!("{} {}", view.t(Text::NoSuchPoint), change.address);
            let signal = point.map_or_else(unknown, |p| p.spec.name.get(lang).to_owned());
            let turn = happenings::turn(point, change, lang);
            let delay = happenings::difference(entry.arrived.since(change.source), lang);
            let marks = happenings::marks(change, lang);
            columns([stamp(change.source), name, bay, signal, turn, centre, delay, marks])
        }
        Happening::Lost(gap) => {
            let lost = happenings::lost(gap, moment);
            columns([stamp(entry.at), name, unit, format!("‼ {lost}")])
        }
    }
}

fn columns<const N: usize>(cells: [String; N]) -> String {
    let mut line = String::new();
    for (cell, room) in cells.into_iter().zip(EVENT_WIDTHS.into_iter().chain([0])) {
        let blank = room.saturating_sub(width(&cell)) + 1;
        line.push_str(&cell);
        line.push_str(&" ".repeat(blank));
    }
    line.trim_end().to_owned()
}

/// A snapshot as a text sees it.
pub(super) fn view(snapshot: &Snapshot, lang: Lang) -> View<'_> {
    View {
        snapshot,
        now: snapshot.at,
        lang,
        // No styles are kept, so any theme will do.
        theme: Theme::Mono,
        basis: widest_centre(snapshot),
        down: false,
        simulate: "gridwatch simulate",
        keys: false,
    }
}
