//! The evidence of one signal: below the list of signals, or filling the screen.

use collector::explain;
use config::{CentreId, Standing};
use historian::verdict::Reason;

use super::Body;
use super::signals::{SignalId, reader};
use crate::attention::{link_text, role_of};
use crate::evidence;
use crate::format::{self, NOT_EVALUATED};
use crate::issues::unit_name;
use crate::paint::{Row, Side, rule, wrap};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// The evidence in `height` lines below a rule.
pub(crate) fn below(view: &View<'_>, id: SignalId, width: usize, height: usize) -> Vec<Row> {
    let mut lines = vec![rule(title(view, id), width)];
    let mut rows =
        if height < 3 { vec![in_one_line(view, id)] } else { document(view, id, width, 1) };
    if rows.len() > height {
        // What each centre has of it comes before how it is addressed.
        let contract = contract_lines(view, id, width).len().min(rows.len());
        rows.rotate_left(contract);
    }
    lines.extend(rows.into_iter().take(height));
    lines
}

/// The evidence of the whole screen.
pub(crate) fn full(view: &View<'_>, id: SignalId, body: Body) -> Vec<Row> {
    let head = view.row().gap(1).join(title(view, id));
    let hint = view.row().text(format!("{} · {} ", view.t(Text::EscClose), view.t(Text::CopyHint)));
    let mut lines = vec![head.ending(hint, body.width), rule(view.row(), body.width)];
    lines.extend(document(view, id, body.width, usize::MAX));
    lines.truncate(body.height);
    lines
}

/// The evidence as text, for the clipboard.
pub(crate) fn plain(view: &View<'_>, id: SignalId) -> String {
    let rows = [title(view, id)].into_iter().chain(document(view, id, 100, usize::MAX));
    let lines = rows.map(|row| crate::paint::text_of(&row.line()).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Full id and name.
fn title(view: &View<'_>, (station, point): SignalId) -> Row {
    let contract = &view.station(station).points[point.index()];
    let name = contract.spec.name.get(view.lang);
    view.row().put(Role::Strong, contract.id.clone()).text(format!(" · {name}"))
}

/// What must be there in one line: where it stands and why it falls short.
fn in_one_line(view: &View<'_>, id: SignalId) -> Row {
    let (station, point) = id;
    let centre = reader(view, id);
    let entry = &view.province().channel(station, centre).entries[point.index()];
    let address = explain::short_address(entry);
    let (_, standing) = standing(view, id, centre);
    let parts = [address, Some(standing)].into_iter().flatten().collect::<Vec<_>>();
    view.row().text(format!(" {}", parts.join(" · ")))
}

/// All of it; the hex of a message takes at most `hex_lines` lines.
fn document(view: &View<'_>, id: SignalId, width: usize, hex_lines: usize) -> Vec<Row> {
    let (station, point) = id;
    let mut lines = contract_lines(view, id, width);
    for centre in view.centres() {
        let (role, said) = standing(view, id, centre);
        let name = view.row().gap(1).cell(Role::Strong, view.centre(centre), 5, Side::Left);
        let said = wrap(&said, width.saturating_sub(7));
        let rest = said.iter().skip(1).map(|text| view.row().gap(6).text(text.clone()));
        lines.push(name.put(role, said[0].clone()));
        lines.extend(rest.take(if hex_lines == 1 { 0 } else { 3 }));
    }
    lines.extend(value_lines(view, id, width));
    let channel = view.snapshot.channel(station, reader(view, id));
    let entry = &channel.contract(view.province()).entries[point.index()];
    if view.station(station).points[point.index()].spec.kind.is_command() {
        lines.push(view.row().text(format!(" {}", view.t(Text::CommandNotRead))));
        return lines;
    }
    let exchange = evidence::exchange(view, channel, point);
    if exchange.is_empty() && entry.is_mapped() {
        lines.push(view.row().text(format!(" {}", view.t(Text::NotAsked))));
    }
    for (head, bytes) in exchange {
        let head = format!(" {head}  ");
        let room = width.saturating_sub(head.chars().count() + 1);
        let mut chunks = wrap(&bytes, room);
        if chunks.len() > hex_lines {
            chunks.truncate(hex_lines);
            if let Some(last) = chunks.last_mut() {
                *last = format!("{} …", crate::paint::fit(last, room - 2).trim_end_matches('…'));
            }
        }
        let indent = head.chars().count();
        lines.extend(chunks.into_iter().enumerate().map(|(n, chunk)| {
            let start = if n == 0 { head.clone() } else { " ".repeat(indent) };
            view.row().text(start).text(chunk)
        }));
    }
    lines
}

/// What the contract says of the signal itself.
fn contract_lines(view: &View<'_>, id: SignalId, width: usize) -> Vec<Row> {
    let (station, point) = id;
    let of_station = view.station(station);
    let contract = &of_station.points[point.index()];
    let bay = &of_station.bays[contract.bay];
    let centre = reader(view, id);
    let entry = &view.province().channel(station, centre).entries[point.index()];
    let mut parts = vec![format!(
        "{} {} {} {}",
        contract.spec.kind.code(),
        contract.spec.class.code(),
        view.t(Text::ByTemplate),
        bay.template
    )];
    if let Some(scan) = contract.spec.scan {
        let period = view.province().scan.seconds(scan);
        let period = format::number(period, usize::from(period.fract() != 0.0), view.lang);
        parts.push(format!("{} {period} s", view.t(Text::Scan)));
    }
    let unit = of_station.units.iter().position(|unit| entry.device() == Some(unit.id));
    if let Some(unit) = unit {
        let name = unit_name(view.snapshot, station, unit, view.lang);
        parts.push(evidence::unit(view, &of_station.units[unit], &name));
    }
    parts.extend(explain::address(entry, view.lang));
    let lines = wrap(&parts.join(" · "), width.saturating_sub(2));
    lines.into_iter().map(|line| view.row().gap(1).text(line)).collect()
}

/// How far the signal has come at a centre, and why not further.
fn standing(view: &View<'_>, (station, point): SignalId, centre: CentreId) -> (Role, String) {
    let entry = &view.province().channel(station, centre).entries[point.index()];
    let seen = &view.snapshot.channel(station, centre).points[point.index()];
    let tested = match &entry.standing {
        Standing::Tested(date) => {
            format!(" · {} {}", view.t(Text::TestedOn), format::date(*date, view.lang))
        }
        Standing::Elsewhere | Standing::Absent(_) | Standing::Untested(_) => String::new(),
    };
    let excluded = entry.excluded.as_ref().map_or_else(String::new, |cause| {
        format!(" · x {} {}", view.t(Text::ExcludedSince), cause.text(view.lang))
    });
    if !entry.required {
        let said = if entry.is_mapped() { Text::NotRequired } else { Text::NotSentHere };
        return (Role::Plain, format!("{}{tested}{excluded}", view.t(said)));
    }
    let channel = view.snapshot.channel(station, centre);
    if !channel.settled && !seen.verdict.is_some_and(Reason::is_structural) {
        return (Role::Plain, format!("{NOT_EVALUATED} {}", view.t(Text::Scanning)));
    }
    let Some(reason) = seen.verdict else {
        return (Role::Plain, format!("✓ {}{tested}{excluded}", view.t(Text::Good)));
    };
    let since = view.moment().since_exactly(seen.since);
    let why = match &entry.standing {
        Standing::Absent(cause) | Standing::Untested(cause) => cause.text(view.lang).to_owned(),
        Standing::Elsewhere | Standing::Tested(_) => {
            why_now(view, (station, point), centre, reason)
        }
    };
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let said = match reason {
        Reason::NoLink => link_text(view, channel.link.state),
        _ => reason.text(view.lang),
    };
    let said = format!("{} {said}", reason.mark());
    let text = format!("{said} {} {since}{why}{tested}{excluded}", view.t(Text::SinceWord));
    (role_of(reason), text)
}

fn why_now(
    view: &View<'_>,
    (station, point): SignalId,
    centre: CentreId,
    reason: Reason,
) -> String {
    let channel = view.snapshot.channel(station, centre);
    let seen = &channel.points[point.index()];
    match reason {
        Reason::NoLink => channel
            .link
            .fault
            .as_ref()
            .map_or_else(String::new, |fault| evidence::link_fault(fault, view.lang)),
        Reason::Old if channel.is_hung => view.t(Text::HeartbeatStands).to_owned(),
        Reason::Refused => {
            seen.refusal.map_or_else(String::new, |refusal| evidence::miss(refusal, view.lang))
        }
        Reason::Inconsistent => {
            seen.finding.map_or("", |finding| finding.text(view.lang)).to_owned()
        }
        _ => String::new(),
    }
}

/// Value, age, raw cells, flags and range, as the centre has them that reads the signal.
fn value_lines(view: &View<'_>, id: SignalId, width: usize) -> Vec<Row> {
    let (station, point) = id;
    let centre = reader(view, id);
    let seen = &view.snapshot.channel(station, centre).points[point.index()];
    let contract = &view.station(station).points[point.index()];
    let entry = &view.province().channel(station, centre).entries[point.index()];
    if contract.spec.kind.is_command() || !entry.is_mapped() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let live = seen.not_live.is_none() && !view.down;
    match (seen.value, seen.at) {
        (Some(value), Some(at)) => {
            let said = view.t(if live { Text::ValueWord } else { Text::LastValue });
            let value = format::value(contract, value, view.lang);
            let at = view.moment().fine_time(at);
            let age = evidence::age(view, contract, seen);
            parts.push(format!("{said} {value} {at} ({age})"));
        }
        _ => parts.push(view.t(Text::NeverCame).to_owned()),
    }
    if let Some(raw) = evidence::raw(view, station, centre, point) {
        parts.push(format!("{} {raw}", view.t(Text::RawWord)));
    }
    let flags = if seen.flags.is_good() {
        view.t(Text::FlagsNone).to_owned()
    } else {
        seen.flags.to_string()
    };
    if seen.at.is_some() || !seen.flags.is_good() {
        parts.push(format!("{} {flags}", view.t(Text::FlagsWord)));
    }
    let range = evidence::range(view, contract);
    if !range.is_empty() {
        parts.push(range);
    }
    if let Some(finding) = seen.finding {
        parts.push(format!("{} {}", view.t(Text::FindingWord), finding.text(view.lang)));
    }
    let lines = wrap(&parts.join(" · "), width.saturating_sub(2));
    lines.into_iter().map(|line| view.row().gap(1).text(line)).collect()
}
