//! The card of a device: how it fares right now, what went wrong, what to do about it, how it is
//! asked, and how each of its units answers. Its first lines stand below the list.

use collector::explain::exception;
use config::DeviceLimits;
use historian::counts::Share;
use historian::snapshot::LinkState;
use historian::verdict::Since;

use super::remedy;
use super::rows::{Health, LinkId, Seen};
use super::{full_name, milliseconds};
use crate::evidence;
use crate::format;
use crate::paint::{Row, Side, rule, wrap};
use crate::places::{Form, places};
use crate::screens::Body;
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Cells of the words at the left.
const LABEL: usize = 11;

/// The card, as large as the body.
pub(super) fn full(view: &View<'_>, id: LinkId, body: Body) -> Vec<Row> {
    let head = view.row().gap(1).put(Role::Strong, full_name(view, id));
    let hint = view.row().text(format!("{} · {} ", view.t(Text::EscClose), view.t(Text::CopyHint)));
    let mut lines = vec![head.ending(hint, body.width), rule(view.row(), body.width)];
    lines.extend(document(view, id, body.width));
    if lines.len() > body.height {
        let hidden = lines.len() + 1 - body.height;
        lines.truncate(body.height.saturating_sub(1));
        lines.push(view.row().gap(1).text(format!("… {hidden} {}", view.t(Text::More))));
    }
    lines
}

/// All of it, what must be known first at the top.
pub(super) fn document(view: &View<'_>, id: LinkId, width: usize) -> Vec<Row> {
    let seen = Seen::new(view, id);
    let health = seen.health(view);
    let mut lines = Vec::new();
    let mut say = |label: Text, role: Role, said: &str| {
        lines.extend(labelled(view, label, (role, said), width));
    };
    say(Text::CardNow, health.role(), &now(view, &seen));
    for advice in remedy::of(view, &seen) {
        say(Text::CardDo, Role::Plain, &advice);
    }
    say(Text::CardPath, Role::Plain, &path(view, &seen));
    say(Text::CardAsked, Role::Plain, &asked(view, &seen));
    if let Some((at, overrun)) = &seen.channel.link.overrun {
        let said = format!(
            "{} · {} {} · {} {}, {} {}",
            evidence::overrun(view, seen.contract.station, overrun),
            view.since(Since::At(*at)),
            ago(view, *at),
            view.t(Text::Overruns),
            view.count(seen.channel.link.overruns),
            view.t(Text::Missed),
            view.count(seen.channel.link.missed),
        );
        say(Text::CardOverrun, Role::Plain, &said);
    }
    if let Some(said) = strays(view, &seen) {
        say(Text::CardStrays, Role::Plain, &said);
    }
    if let Some(said) = set_aside(view, &seen) {
        say(Text::CardAside, Role::Plain, &said);
    }
    if let Some(said) = last_fault(view, &seen) {
        say(Text::CardFault, Role::Plain, &said);
    }
    say(Text::CardSettings, Role::Plain, &settings(view, &seen.contract.device));
    if seen.unit.is_none() {
        lines.extend(units(view, &seen, width));
    }
    lines
}

/// A word, and beside it what there is to say.
fn labelled(view: &View<'_>, label: Text, said: (Role, &str), width: usize) -> Vec<Row> {
    let (role, said) = said;
    let wrapped = wrap(said, width.saturating_sub(LABEL + 2));
    let lines = wrapped.into_iter().enumerate().map(|(n, line)| {
        let label = if n == 0 { view.t(label) } else { "" };
        view.row().gap(1).cell(Role::Strong, label, LABEL, Side::Left).put(role, line)
    });
    lines.collect()
}

fn ago(view: &View<'_>, at: signal::clock::Timestamp) -> String {
    format!("({})", view.age(at))
}

/// How it fares, in words.
pub(super) fn now(view: &View<'_>, seen: &Seen<'_>) -> String {
    let link = &seen.channel.link;
    match seen.health(view) {
        Health::Lost | Health::Never => {
            let word = if link.state == LinkState::Lost { Text::LinkLost } else { Text::LinkNever };
            let why = link.fault.as_ref().map_or_else(String::new, |fault| {
                format!(": {}", evidence::link_fault(fault, view.lang))
            });
            let since = view.since(link.told_since());
            let (word, from) = (view.t(word), view.t(Text::SinceWord));
            format!("{word} {from} {since} {}{why}", ago(view, link.since))
        }
        Health::Hung => {
            format!("{}: {}", view.t(Text::GatewayHangs), view.t(Text::HeartbeatStands))
        }
        Health::Silent => silent(view, seen),
        Health::Overrun => link.overrun.as_ref().map_or_else(String::new, |(_, overrun)| {
            evidence::overrun(view, seen.contract.station, overrun)
        }),
        Health::Unsteady => {
            let n = view.count(link.reconnects);
            format!(
                "{} {n} · {}",
                view.t(Text::Reconnects),
                last_fault(view, seen).unwrap_or_default()
            )
            .trim_end_matches(" · ")
            .to_owned()
        }
        Health::Errors => failed(view, seen),
        Health::Strays => strays(view, seen).unwrap_or_default(),
        Health::Slow => {
            let p95 = milliseconds(view, seen.traffic().p95_ms);
            let deadline = view.count(seen.contract.device.reply_timeout_ms.into());
            match view.lang {
                config::Lang::Vi => format!("p95 {p95} ms, quá nửa hạn {deadline} ms"),
                config::Lang::En => {
                    format!("p95 {p95} ms, more than half of the deadline of {deadline} ms")
                }
            }
        }
        Health::SetAside => set_aside(view, seen).unwrap_or_default(),
        Health::Good => good(view, seen),
        Health::Pending => view.t(Text::Scanning).to_owned(),
    }
}

/// `thiết bị 2 (172) không trả lời từ 14:31:52 (17 s): ngoại lệ 0B …`.
fn silent(view: &View<'_>, seen: &Seen<'_>) -> String {
    let Some((_, _, unit)) = seen.unit else { return String::new() };
    let name = seen.unit_words(view).unwrap_or_default();
    let since = view.since(unit.since);
    let code = unit.last_miss.and_then(|(_, miss)| miss.code());
    let why = code.map_or_else(String::new, |code| format!(": {}", exception(code, view.lang)));
    let (said, from) = (view.t(Text::UnitSilent), view.t(Text::SinceWord));
    format!("{name} {said} {from} {since}{}{why}", view.lasted(unit.since))
}

/// What failed of what was asked.
fn failed(view: &View<'_>, seen: &Seen<'_>) -> String {
    let traffic = seen.traffic();
    let kinds = [
        (Text::NoReply, traffic.no_reply),
        (Text::Refused, traffic.refused),
        (Text::Undecodable, traffic.undecodable),
    ];
    let kinds = kinds.into_iter().filter(|(_, n)| *n > 0);
    let kinds: Vec<String> =
        kinds.map(|(text, n)| format!("{} {}", view.t(text), view.count(n))).collect();
    let errors = Share::new(traffic.errors(), traffic.requests);
    let said = format!("{} {}: {}", view.t(Text::Errors), view.share(errors), kinds.join(" · "));
    if seen.unit.is_some() {
        return said;
    }
    format!("{said} · {} {}", view.t(Text::Devices), view.share(seen.failing_units()))
}

/// The path is in order: whether its units are.
fn good(view: &View<'_>, seen: &Seen<'_>) -> String {
    let sick = seen.units_with_problems(view);
    if seen.unit.is_some() || sick.is_empty() {
        return view.t(Text::PathGood).to_owned();
    }
    let each = sick.iter().map(|unit| {
        let health = unit.health(view).text(view);
        format!("u{} {health}", unit.unit.map_or(0, |(_, unit, _)| unit.id))
    });
    let each = each.collect::<Vec<_>>().join(" · ");
    format!("{}: {each}", view.t(Text::PathGoodUnitsNot))
}

/// Address, state, and how often it broke off.
fn path(view: &View<'_>, seen: &Seen<'_>) -> String {
    let (contract, link) = (seen.contract, &seen.channel.link);
    let word = match link.state {
        LinkState::Connected => Text::LinkUp,
        LinkState::Lost => Text::LinkLost,
        LinkState::NeverConnected => Text::LinkNever,
    };
    let since = view.since(link.told_since());
    let secured = if contract.tls { " · TLS" } else { "" };
    format!(
        "{}:{}{secured} · {} {} {since} {} · {} {} · {} {}",
        contract.host,
        contract.port,
        view.t(word),
        view.t(Text::SinceWord),
        ago(view, link.since),
        view.t(Text::Reconnects),
        view.count(link.reconnects),
        view.t(Text::Refusals),
        view.count(link.refusals),
    )
}

/// What was asked in the window and what came of it.
fn asked(view: &View<'_>, seen: &Seen<'_>) -> String {
    let traffic = seen.traffic();
    let good = Share::new(traffic.requests - traffic.errors(), traffic.requests);
    let percent = format::percent(good, 2, None, view.lang);
    let kinds = [
        (Text::NoReply, traffic.no_reply),
        (Text::Refused, traffic.refused),
        (Text::Undecodable, traffic.undecodable),
    ];
    let mut parts = vec![format!("{} {} = {percent}", view.t(Text::Answered), view.share(good))];
    parts.extend(kinds.map(|(text, n)| format!("{} {}", view.t(text), view.count(n))));
    if traffic.max_ms.is_some() {
        let ms = |ms| milliseconds(view, ms);
        parts.push(format!(
            "p50 ≤ {} p95 ≤ {} max {} ms",
            ms(traffic.p50_ms),
            ms(traffic.p95_ms),
            ms(traffic.max_ms)
        ));
    }
    parts.join(" · ")
}

fn strays(view: &View<'_>, seen: &Seen<'_>) -> Option<String> {
    let link = &seen.channel.link;
    let at = link.stray_at?;
    Some(format!(
        "{} {} · {} {} · {} {}",
        view.t(Text::LateReplies),
        view.count(link.strays.late.into()),
        view.t(Text::UnknownReplies),
        view.count(link.strays.unknown.into()),
        view.since(Since::At(at)),
        ago(view, at)
    ))
}

/// Registers that are refused alone, by the names of their points.
fn set_aside(view: &View<'_>, seen: &Seen<'_>) -> Option<String> {
    let units = &view.station(seen.contract.station).units;
    let points: Vec<_> = units
        .iter()
        .enumerate()
        .filter(|(n, _)| seen.unit.is_none_or(|(own, ..)| own == *n))
        .flat_map(|(_, unit)| seen.channel.set_aside(view.province(), unit.id))
        .collect();
    if points.is_empty() {
        return None;
    }
    let count = view.count(points.len() as u64);
    let names = places(view.station(seen.contract.station), &points, Form::Full, view.lang);
    Some(format!("{count} {}: {names}", view.t(Text::PointsRefused)))
}

/// The last fault of the path or of the unit, and when it was.
fn last_fault(view: &View<'_>, seen: &Seen<'_>) -> Option<String> {
    let (at, said) = if let Some((_, _, unit)) = seen.unit {
        let (at, miss) = unit.last_miss?;
        (at, evidence::miss(miss, view.lang))
    } else {
        let (at, fault) = seen.channel.link.last_fault.as_ref()?;
        (*at, evidence::link_fault(fault, view.lang))
    };
    Some(format!("{said} · {} {}", view.since(Since::At(at)), ago(view, at)))
}

/// How the contract says that the device is asked.
fn settings(view: &View<'_>, device: &DeviceLimits) -> String {
    let ms = |ms: u32| format!("{} ms", view.count(ms.into()));
    let mut parts = vec![
        format!("{} {}", view.t(Text::SetInFlight), device.in_flight),
        format!("{} {}", view.t(Text::SetReply), ms(device.reply_timeout_ms)),
        format!("{} {}", view.t(Text::SetScan), ms(device.scan_timeout_ms)),
        format!(
            "{} {} / {} bit",
            view.t(Text::SetMost),
            device.registers_max,
            view.count(device.bits_max.into())
        ),
    ];
    let pauses = [
        (Text::SetAfterConnect, device.pause_after_connect_ms),
        (Text::SetBetween, device.pause_between_ms),
    ];
    let pauses = pauses.into_iter().filter(|(_, pause)| *pause > 0);
    parts.extend(pauses.map(|(text, pause)| format!("{} {}", view.t(text), ms(pause))));
    if device.gap_max > 0 {
        parts.push(format!("{} {}", view.t(Text::SetGap), device.gap_max));
    }
    parts.join(" · ")
}

/// One line for each unit that is asked, those with problems first.
fn units(view: &View<'_>, seen: &Seen<'_>, width: usize) -> Vec<Row> {
    let all = (0..seen.channel.units.len()).filter(|n| seen.channel.units[*n].asked);
    let mut all: Vec<Seen<'_>> = all.map(|n| Seen::new(view, seen.id_of_unit(n))).collect();
    all.sort_by_key(|unit| unit.health(view));
    let title = view.row().text(view.t(Text::CardUnits));
    let lines = all.iter().map(|unit| {
        let (health, traffic) = (unit.health(view), unit.traffic());
        let age = unit.last_good().map_or_else(|| "—".to_owned(), |at| view.age(at));
        let name = unit.name(view);
        let name = name.split_once(' ').map_or(name.as_str(), |(_, name)| name);
        let row = view.row().gap(1).cell(Role::Plain, name, 18, Side::Left);
        let row = row.gap(1).cell(health.role(), health.text(view), 11, Side::Left);
        let errors = Share::new(traffic.errors(), traffic.requests);
        let p95 = milliseconds(view, traffic.p95_ms);
        let (failed, good) = (view.t(Text::Errors), view.t(Text::ColLastGood));
        row.text(format!("{failed} {} · p95 ≤ {p95} ms · {good} {age}", view.share(errors)))
    });
    std::iter::once(rule(title, width)).chain(lines).collect()
}
