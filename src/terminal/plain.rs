//! The figures as lines of text, for `--once`, pipes and the clipboard: from the same functions as
//! the screens.

use config::{Lang, StationId};

use super::format;
use super::paint::{Row, text_of};
use super::screens::metering::read_lines;
use super::screens::overview::{figure_lines, nobody, reasons_line, scanning};
use super::screens::{boxes, why};
use super::theme::Theme;
use super::view::{View, widest_centre};
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
