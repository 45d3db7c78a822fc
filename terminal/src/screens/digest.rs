//! What is shown where a screen has no room: the answers, never a refusal.

use super::overview::reasons_line;
use super::{Body, boxes};
use crate::attention;
use crate::format;
use crate::paint::{Row, width};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Smallest room in which the screens are drawn.
pub(crate) const LEAST: Body = Body { width: 80, height: 24 };

/// The digest, as high and wide as the terminal.
pub(crate) fn draw(view: &View<'_>, body: Body, alert: Option<String>) -> Vec<Row> {
    let size = format!(
        "{}x{} — {} ≥ {}x{}",
        body.width,
        body.height,
        view.t(Text::Need),
        LEAST.width,
        LEAST.height
    );
    let time = view.moment().time(view.now);
    let mut lines = vec![view.row().text(size).ending(view.row().text(time), body.width)];
    if let Some(alert) = alert {
        lines.push(view.row().put(Role::Down, format!(" {alert} ")));
    }
    lines.extend(figures(view));
    lines.push(reasons_line(view, body.width));
    let concerns = attention::concerns(view.snapshot);
    if view.nobody_ever() {
        lines.push(view.row().gap(1).put(Role::Fail, view.t(Text::StartSimulator)));
        lines.push(view.row().gap(1).put(Role::Strong, view.simulate));
    }
    // The last line is for the key that everybody looks for.
    let room = body.height.saturating_sub(lines.len() + 1);
    lines.extend(concerns.into_iter().take(room).map(|station| {
        let id = format!(" {} ", view.station(station).id);
        let left = body.width.saturating_sub(width(&id) + 1);
        let summary = attention::summary(view, station, left);
        view.row().put(Role::Fail, id).text(summary.why)
    }));
    lines.resize(body.height.saturating_sub(1).min(lines.len().max(1)), view.row());
    while lines.len() + 1 < body.height {
        lines.push(view.row());
    }
    let quit = view.row().gap(1).put(Role::Strong, "q").text(format!(" {}", view.t(Text::Quit)));
    lines.push(quit);
    lines.into_iter().take(body.height).map(|line| line.filled(body.width)).collect()
}

fn figures(view: &View<'_>) -> Vec<Row> {
    let first = boxes::headlines(view).into_iter().fold(view.row(), |row, (text, figure)| {
        let (role, mark) = boxes::mark(figure.reached);
        row.text(format!(" {} {} ", view.t(text), figure.share)).put(role, mark)
    });
    let metering = &view.snapshot.metering;
    let target = view.province().targets.remote_metering;
    let (role, mark) = boxes::mark(boxes::metering_reached(view));
    let percent = boxes::coverage_percent(view, (metering.total, metering.uncounted), 2);
    let second = view
        .row()
        .text(format!(" {} {percent} % ", view.t(Text::MeteringLine)))
        .put(role, mark)
        .text(format!(" ({})", format::target(target, view.lang)));
    let live = view.pair().into_iter().fold(
        view.row().text(format!(" {}", view.t(Text::LiveStart))),
        |row, centre| {
            let share = view.snapshot.centres[centre.index()].counts.live;
            let percent = if view.starting() {
                format::NOT_EVALUATED.to_owned()
            } else {
                format!("{} %", view.percent(share))
            };
            row.text(format!(" {} {percent}", view.centre(centre)))
        },
    );
    vec![first, second, live]
}
