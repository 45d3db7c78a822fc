//! The four lines that every screen has at the same places: header, banner, hints, status.

use config::CentreId;
use historian::counts::Share;
use historian::snapshot::{LinkState, Unconfirmed};
use signal::clock::Timestamp;

use crate::attention;
use crate::format::{self, NOT_EVALUATED};
use crate::keys::{self, Place};
use crate::paint::{Row, fit, width};
use crate::screens::alarms;
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Whether what is shown is the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is.
    Live,
    /// Frozen by the operator, for so many milliseconds.
    Paused(i64),
    /// No snapshot has come for too long.
    Down,
}

/// What the frame shows beside the snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Chrome {
    pub(crate) place: Place,
    /// Where the operator is: screen names and ids.
    pub(crate) crumbs: Vec<String>,
    pub(crate) mode: Mode,
    /// Filter and sort order in words.
    pub(crate) status: String,
    /// Word to the operator, in place of the hints.
    pub(crate) notice: Option<String>,
    /// A task that stopped, in its own words.
    pub(crate) stopped: Option<String>,
}

/// Line 1: where one is, and the state of every centre.
pub(crate) fn header(view: &View<'_>, chrome: &Chrome, room: usize) -> Row {
    let wide = room >= 96;
    let crumbs = chrome.crumbs.join(" ▸ ");
    let place =
        if wide { format!("{} ▸ {crumbs}", view.province().name.get(view.lang)) } else { crumbs };
    let left = view.row().gap(1).put(Role::Strong, "GRIDWATCH").text(format!(" │ {place}"));
    let mut right = view.row();
    for centre in view.centres() {
        let (role, light) = centre_light(view, centre);
        right = right.text(view.centre(centre)).gap(usize::from(wide)).put(role, light).gap(1);
    }
    let units = view.snapshot.units();
    let role = if units.lacking() > 0 && !view.starting() { Role::Fail } else { Role::Plain };
    if wide {
        right = right.text(format!("{} ", view.t(Text::UnitsShort)));
    }
    right = right.put(role, view.share(units)).gap(if wide { 2 } else { 1 });
    let moment = view.moment();
    if wide {
        right = right.text(format!("{} ", moment.today()));
    }
    left.ending(right.put(Role::Strong, moment.time(view.now)).gap(usize::from(wide)), room)
}

/// Whether a centre reaches its stations: all, some or none.
fn centre_light(view: &View<'_>, centre: CentreId) -> (Role, String) {
    let share = view.snapshot.centres[centre.index()].connected;
    if view.down {
        return (Role::Fail, "○".to_owned());
    }
    if view.starting() {
        return (Role::Plain, NOT_EVALUATED.to_owned());
    }
    match (share.have, share.lacking()) {
        (_, 0) => (Role::Plain, "●".to_owned()),
        (0, _) => (Role::Fail, "○".to_owned()),
        _ => (Role::Fail, format!("◐{}", view.share(share))),
    }
}

/// Line 2: the worst that is wrong right now, or nothing.
pub(crate) fn banner(view: &View<'_>, chrome: &Chrome, room: usize) -> Row {
    if view.down {
        let since = view.moment().time(view.snapshot.at);
        let report = chrome.stopped.as_ref().map_or_else(String::new, |said| format!(" · {said}"));
        let text = format!(
            " ‼ {} · {} {since} ({}){report}",
            view.t(Text::CollectorStopped),
            view.t(Text::FiguresStand),
            view.age(view.snapshot.at)
        );
        return view.row().put(Role::Down, text).filled(room);
    }
    if let Some(report) = &chrome.stopped {
        let text = format!(" ‼ {}: {report}", view.t(Text::TaskStopped));
        return view.row().put(Role::Urgent, text).filled(room);
    }
    if view.nobody_ever() {
        let said = view.t(Text::NobodyAnswers).trim_end_matches(view.say(" tại", " at"));
        let text = format!(" ‼ {said} · {}", view.simulate);
        return view.row().put(Role::Fail, text).filled(room);
    }
    let alarm = attention::alarm(view);
    if let Some((since, why)) = trouble(view).filter(|_| alarm.as_ref().is_none_or(|a| !a.urgent)) {
        let since = view.moment().time(*since);
        let text = format!(" ‼ {} {since}: {why}", view.t(Text::NotKeptSince));
        return view.row().put(Role::Fail, text).filled(room);
    }
    if let Some(waits) = unconfirmed(view).filter(|_| alarm.is_none()) {
        let (percent, command) = (waits.percent, &waits.command);
        let text = format!(" ! {percent} % {}: {command}", view.t(Text::UnconfirmedForgetting));
        return view.row().put(Role::Doubt, text).filled(room);
    }
    let waiting = alarms::waiting(view);
    let (count, word) = (view.count(waiting), view.t(Text::Unacknowledged));
    let Some(alarm) = alarm else {
        if waiting == 0 {
            return view.row().filled(room);
        }
        // What has returned still waits for somebody.
        let text = format!(" · {} {count}: {word}: 8", view.t(Text::Alarms));
        return view.row().put(Role::Note, text).filled(room);
    };
    let role = if alarm.urgent { Role::Fail } else { Role::Doubt };
    let mark = if alarm.urgent { " ‼ " } else { " ! " };
    let waiting = if waiting > 0 { format!("{count} {word} · ") } else { String::new() };
    let others = view.count(alarm.others as u64);
    let unit =
        if alarm.others == 1 { view.say("trạm", "station") } else { view.t(Text::StationsUnit) };
    let right = match alarm.others {
        0 => view.row(),
        _ => view.row().put(role, format!(" +{others} {unit}")).gap(1),
    };
    // What is wrong and since when comes before how many wait; the words are cut before since when.
    let words = room.saturating_sub(width(mark) + width(&alarm.since) + right.width());
    let has_room = width(&waiting) + width(&alarm.text) <= words;
    let waiting = if has_room { waiting } else { String::new() };
    let text = fit(&alarm.text, words.saturating_sub(width(&waiting)));
    let row = view.row().put(role, mark).put(role, waiting).put(role, text).put(role, alarm.since);
    let has_room = row.width() + width(&alarm.age) + right.width() <= room;
    let row = if has_room { row.put(role, alarm.age) } else { row };
    if alarm.others == 0 { row.filled(room) } else { row.ending(right, room) }
}

/// Since when, and why, history is not kept.
fn trouble<'a>(view: &View<'a>) -> Option<&'a (Timestamp, String)> {
    view.snapshot.keeping.as_ref()?.trouble.as_ref()
}

/// What is older than the contract wants, and waits to be confirmed.
fn unconfirmed<'a>(view: &View<'a>) -> Option<&'a Unconfirmed> {
    view.snapshot.keeping.as_ref()?.unconfirmed.as_ref()
}

/// Last line but one: the keys that work here.
pub(crate) fn hints(view: &View<'_>, chrome: &Chrome, room: usize) -> Row {
    if let Some(notice) = &chrome.notice {
        return view.row().gap(1).put(Role::Strong, notice.clone()).filled(room);
    }
    let wide = room >= 96;
    let screens = [
        ("1", Text::Overview, Text::OverviewShort),
        ("2", Text::Stations, Text::StationsShort),
        ("4", Text::Signals, Text::SignalsShort),
        ("7", Text::Metering, Text::MeteringShort),
        ("8", Text::Alarms, Text::AlarmsShort),
        ("9", Text::Links, Text::LinksShort),
    ];
    let mut row = view.row().gap(1).put(Role::Strong, "F1 ?").gap(1);
    for (key, long, short) in screens {
        let name = view.t(if wide { long } else { short });
        row = row.gap(1).put(Role::Strong, key).gap(usize::from(wide)).text(name);
    }
    row = row.text(" │");
    for (key, text) in keys::at(chrome.place).filter_map(|binding| binding.hint) {
        let word = view.t(text);
        if row.width() + 2 + width(key) + width(word) > room {
            continue;
        }
        row = row.gap(1).put(Role::Strong, key).gap(1).text(word);
    }
    row.filled(room)
}

/// Last line: mode, age of the value that is oldest for its class, filter, language, theme.
pub(crate) fn status(view: &View<'_>, chrome: &Chrome, room: usize) -> Row {
    let mode = match chrome.mode {
        Mode::Down => view.row().put(Role::Down, format!(" {} ", view.t(Text::ModeDown))),
        Mode::Paused(ms) => {
            let text = format!(" {} {} ", view.t(Text::ModePaused), format::clock(ms));
            view.row().put(Role::Halted, text)
        }
        Mode::Live if view.starting() => {
            let scan: Share = view.snapshot.first_scan();
            let text = format!("{} {}", view.t(Text::ModeStarting), view.share(scan));
            view.row().gap(1).put(Role::Strong, text).gap(1)
        }
        Mode::Live => view.row().gap(1).put(Role::Strong, view.t(Text::ModeLive)).gap(1),
    };
    let (role, oldest) = oldest(view).map_or_else(
        || (Role::Plain, view.t(Text::NoValueYet).to_owned()),
        |(age, limit)| {
            let role = if age > limit { Role::Doubt } else { Role::Plain };
            let (age, limit) = (format::fine_age(age, view.lang), format::age(limit, view.lang));
            (role, format!("{} {age} ({} {limit})", view.t(Text::Oldest), view.t(Text::Limit)))
        },
    );
    let mut left = mode.text("│ ");
    if trouble(view).is_some() {
        left = left.put(Role::Fail, format!("‼ {}", view.t(Text::NotKept))).text(" │ ");
    }
    if unconfirmed(view).is_some() {
        left = left.put(Role::Doubt, format!("! {}", view.t(Text::Unconfirmed))).text(" │ ");
    }
    let left = left.put(role, oldest).text(format!(" │ {}", chrome.status));
    let lang = match view.lang {
        config::Lang::Vi => "vi",
        config::Lang::En => "en",
    };
    let ending = |said: String| {
        let right = view.row().text(format!("{said}{}  ", view.centre(view.basis)));
        right.put(Role::Strong, "q").text(format!(" {} ", view.t(Text::Quit)))
    };
    let (full, least) = (format!("{lang} · {} · ", view.theme.name(view.lang)), String::new());
    // Which language and theme it is can be seen; what is filtered cannot.
    let fits = left.width() + 1 + ending(full.clone()).width() <= room;
    left.ending(ending(if fits { full } else { least }), room)
}

/// Age of the required value that is nearest to being old, or furthest beyond, with the age at
/// which it is: counters are read every minute, so age alone would say nothing.
fn oldest(view: &View<'_>) -> Option<(i64, i64)> {
    let province = view.province();
    let mut worst: Option<(i64, i64)> = None;
    for channel in &view.snapshot.channels {
        if channel.link.state == LinkState::NeverConnected {
            continue;
        }
        let entries = &channel.contract(province).entries;
        let points = channel.station(province).points.iter().zip(&channel.points);
        for ((point, seen), _) in points.zip(entries).filter(|(_, entry)| entry.required) {
            let (Some(at), Some(scan)) = (seen.at, point.spec.scan) else { continue };
            let (age, limit) = (view.now.since(at), province.scan.old_after_ms(scan));
            if worst.is_none_or(|(a, l)| age.saturating_mul(l) > a.saturating_mul(limit)) {
                worst = Some((age, limit));
            }
        }
    }
    worst
}
