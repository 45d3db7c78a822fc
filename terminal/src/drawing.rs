//! The whole snapshot of the terminal: frame, screen, and what lies over it.

use config::Lang;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::attention::{role_of, short_reason};
use super::fold::Words;
use super::glyphs;
use super::paint::{Row, Side, framed, paint};
use super::screen::Screen;
use super::screens::frame::{self, Chrome, Mode};
use super::screens::{
    Body, alarms, digest, events, help, links, metering, overview, signals, stations, why,
};
use super::texts::Text;
use super::theme::Role;
use super::ui::{Popup, Ui};
use super::view::View;

/// Draws everything.
pub(super) fn draw(ui: &Ui, buffer: &mut Buffer) {
    let area = buffer.area;
    let scene = ui.scene();
    let view = scene.view();
    let size = Body { width: area.width.into(), height: area.height.into() };
    buffer.set_style(area, view.theme.style(Role::Plain));
    if size.width < digest::LEAST.width || size.height < digest::LEAST.height {
        paint(buffer, area, digest::draw(&view, size, alert(ui, &view)));
    } else {
        draw_screen(ui, &view, buffer);
    }
    if ui.ascii {
        plain_marks(buffer);
    }
}

/// What a digest must not leave out.
fn alert(ui: &Ui, view: &View<'_>) -> Option<String> {
    if view.down {
        return Some(format!("{} {}", view.t(Text::ModeDown), view.age(view.snapshot.at)));
    }
    ui.paused_ms().map(|ms| format!("{} {}", view.t(Text::ModePaused), super::format::clock(ms)))
}

fn draw_screen(ui: &Ui, view: &View<'_>, buffer: &mut Buffer) {
    let area = buffer.area;
    let (body, chrome) = (ui.body(), chrome(ui, view));
    let room = body.width;
    let mut rows = vec![frame::header(view, &chrome, room), frame::banner(view, &chrome, room)];
    let mut lines = match (&ui.popup, ui.screen()) {
        (Some(Popup::Help(state)), screen) => {
            let name = view.t(screen.name());
            help::draw(view, state, (screen.place(), name), body)
        }
        (_, Screen::Overview(screen)) => overview::draw(view, screen, body),
        (_, Screen::Stations(screen)) => stations::draw(view, screen, body),
        (_, Screen::Why(screen)) => why::draw(view, screen, body),
        (_, Screen::Signals(screen)) => signals::draw(view, screen, ui.finder.wanted(), body),
        (_, Screen::Metering(screen)) => metering::draw(view, screen, body),
        (_, Screen::Links(screen)) => links::draw(view, screen, body),
        (_, Screen::Alarms(screen)) => alarms::draw(view, screen, body),
        (_, Screen::Events(screen)) => events::draw(view, screen, ui.finder.wanted(), body),
    };
    lines.truncate(body.height);
    lines.resize(body.height, view.row());
    rows.extend(lines);
    rows.push(match ui.finder.typed() {
        Some(typed) => field(ui, view, typed, room),
        None => frame::hints(view, &chrome, room),
    });
    rows.push(frame::status(view, &chrome, room));
    paint(buffer, area, rows.into_iter().map(|row| row.filled(room)).collect());
    if let Some(Popup::Reasons(list)) = &ui.popup {
        choices(ui, view, list, buffer);
    }
}

/// The field that is typed into.
fn field(ui: &Ui, view: &View<'_>, typed: &str, room: usize) -> Row {
    let row = view.row().gap(1).put(Role::Strong, format!("{}: ", view.t(Text::FindIs)));
    let row = row.text(typed).put(Role::Selected, " ");
    let right = if typed.trim().is_empty() {
        view.t(Text::TypeToFind).to_owned()
    } else {
        let hits = ui.hits(&Words::new(typed)) as u64;
        format!("{} {}", view.count(hits), view.t(Text::Hits))
    };
    row.ending(view.row().text(right).gap(1), room)
}

/// The reasons by which signals can be filtered.
fn choices(
    ui: &Ui,
    view: &View<'_>,
    list: &super::list::List<Option<historian::verdict::Reason>>,
    buffer: &mut Buffer,
) {
    let Screen::Signals(screen) = ui.screen() else { return };
    let counts = screen.reasons();
    let inner = 38;
    let lines = ui.reason_choices().into_iter().map(|choice| {
        let row = match choice {
            None => view.row().text(format!("   {}", view.t(Text::FilterAll))),
            Some(reason) => {
                let n = counts.iter().find(|(found, _)| *found == reason).map_or(0, |(_, n)| *n);
                view.row()
                    .gap(1)
                    .put(role_of(reason), reason.mark())
                    .gap(1)
                    .cell(Role::Plain, short_reason(reason, view.lang), 11, Side::Left)
                    .cell(Role::Plain, reason.text(view.lang), 16, Side::Left)
                    .cell(Role::Plain, &view.count(n as u64), 6, Side::Right)
            }
        };
        let row = row.filled(inner);
        if list.selected() == Some(choice) { row.selected() } else { row }
    });
    let title = view.row().put(Role::Strong, view.t(Text::FilterTitle));
    let rows = framed(title, view.row(), lines.collect(), inner + 2);
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(buffer.area.height);
    let width = 40.min(buffer.area.width);
    let area = Rect {
        x: buffer.area.x + 8,
        y: buffer.area.y + 4,
        width,
        height: height.min(buffer.area.height.saturating_sub(5)),
    };
    paint(buffer, area, rows);
}

/// What the frame shows of the state.
fn chrome(ui: &Ui, view: &View<'_>) -> Chrome {
    let crumbs = ui
        .stack
        .iter()
        .filter(|screen| ui.stack.len() == 1 || !matches!(screen, Screen::Overview(_)));
    let mut crumbs: Vec<String> = crumbs.flat_map(|screen| crumb(view, screen)).collect();
    // A station that was named on the way is not named again.
    let mut named = Vec::new();
    crumbs.retain(|crumb| {
        !named.contains(crumb) && {
            named.push(crumb.clone());
            true
        }
    });
    if matches!(ui.popup, Some(Popup::Help(_))) {
        crumbs.push(view.t(Text::Help).to_owned());
    }
    let mode = match (view.down, ui.paused_ms()) {
        (true, _) => Mode::Down,
        (false, Some(ms)) => Mode::Paused(ms),
        (false, None) => Mode::Live,
    };
    Chrome {
        place: ui.screen().place(),
        crumbs,
        mode,
        status: status(ui, view),
        notice: ui.notice.clone(),
        stopped: ui.stopped.clone(),
    }
}

fn crumb(view: &View<'_>, screen: &Screen) -> Vec<String> {
    let station = match screen {
        Screen::Why(screen) => Some(screen.station),
        Screen::Signals(screen) => screen.filter.station,
        Screen::Alarms(screen) => screen.station,
        Screen::Events(screen) => screen.station,
        Screen::Overview(_) | Screen::Stations(_) | Screen::Metering(_) | Screen::Links(_) => None,
    };
    let id = station.map(|station| view.station(station).id.clone());
    id.into_iter().chain([view.t(screen.name()).to_owned()]).collect()
}

/// Filter and what is looked for, in words.
fn status(ui: &Ui, view: &View<'_>) -> String {
    let filter = match ui.screen() {
        Screen::Signals(screen) => signals::filter_text(view, screen),
        Screen::Alarms(screen) => alarms::filter_text(view, screen),
        Screen::Events(screen) => events::filter_text(view, screen),
        Screen::Stations(stations::Stations { faults: true, .. })
        | Screen::Metering(metering::Metering { faults: true, .. })
        | Screen::Links(links::Links { faults: true, .. }) => view.t(Text::FaultsOnly).to_owned(),
        _ => String::new(),
    };
    let filter = if filter.is_empty() {
        view.t(Text::FilterNone).to_owned()
    } else {
        format!("{}: {filter}", view.t(Text::FilterIs))
    };
    let wanted = ui.finder.wanted();
    if wanted.is_empty() {
        return filter;
    }
    let hits = ui.hits(&Words::new(wanted)) as u64;
    let colon = if view.lang == Lang::Vi { ": " } else { " " };
    format!("{filter} · {}{colon}{wanted} ({})", view.t(Text::FindIs), view.count(hits))
}

/// Replaces every symbol by its substitute. Cell by cell, so nothing moves.
fn plain_marks(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let mut symbol = cell.symbol().chars();
        if let (Some(only), None) = (symbol.next(), symbol.next())
            && let Some(plain) = glyphs::plain(only)
        {
            cell.set_char(plain);
        }
    }
}
