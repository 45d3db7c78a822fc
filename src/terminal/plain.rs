//! The figures as lines of text, for `--once`, pipes and the clipboard: from the same functions as
//! the screens.

use config::{Lang, StationId};

use super::format;
use super::happenings;
use super::paint::{Row, text_of, width};
use super::screens::metering::read_lines;
use super::screens::overview::{figure_lines, nobody, reasons_line, scanning};
use super::screens::{boxes, why};
use super::shortfalls::unit_name;
use super::theme::Theme;
use super::view::{View, widest_centre};
use crate::clock::Timestamp;
use crate::historian::events::{EventEntry, Happening};
use crate::historian::picture::{Full, Picture};
use crate::terminal::attention;
use crate::terminal::texts::Text;

/// Columns of the text.
const WIDTH: usize = 100;

fn plain(row: Row) -> String {
    text_of(&row.line()).trim_end().to_owned()
}

/// Everything a person wants to know first: figures, live state, and why stations fall short.
pub(super) fn overview(view: &View<'_>) -> String {
    let moment = view.moment();
    let title = format!(
        "{}  {} {}",
        view.province().name.get(view.lang),
        moment.today(),
        moment.time(view.now)
    );
    let mut lines = vec![title];
    let mut rows = figure_lines(view);
    rows.extend(boxes::live_lines(view));
    rows.push(reasons_line(view));
    rows.push(view.row().text(format!(" {}", boxes::rates(view))));
    if view.starting() {
        rows.push(scanning(view));
    }
    if view.nobody_ever() {
        rows.extend(nobody(view));
    }
    lines.extend(rows.into_iter().map(plain));
    if view.nobody_ever() {
        return lines.join("\n") + "\n";
    }
    let concerns = attention::concerns(view.picture);
    lines.push(String::new());
    if concerns.is_empty() && !view.starting() {
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
        if view.picture.stations[station.index()].full != Full::Full {
            lines.push(String::new());
            lines.push(why::plain(view, station, WIDTH));
        }
    }
    lines.join("\n") + "\n"
}

/// Remote metering by district.
pub(super) fn metering(view: &View<'_>) -> String {
    let (metering, province) = (&view.picture.metering, view.province());
    let target = province.targets.remote_metering;
    let mut lines: Vec<String> = figure_lines(view).into_iter().skip(1).map(plain).collect();
    lines.extend(province.districts.iter().zip(&metering.districts).map(|(district, share)| {
        let percent = format::percent_digits(*share, 2, Some(target), view.lang);
        format!("   {}: {} = {percent} %", district.name.get(view.lang), view.share(*share))
    }));
    lines.extend(read_lines(view, WIDTH).into_iter().map(plain));
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
    let unit = unit.map_or_else(String::new, |unit| unit_name(view.picture, id, unit, lang));
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

/// A picture as a text sees it.
pub(super) fn view(picture: &Picture, lang: Lang) -> View<'_> {
    View {
        picture,
        now: picture.at,
        lang,
        // No styles are kept, so any theme will do.
        theme: Theme::Mono,
        basis: widest_centre(picture),
        down: false,
        simulate: "gridwatch simulate",
    }
}
