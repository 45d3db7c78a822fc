//! Which stations need attention, the worst first, and what to say of each in one line.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use config::{CentreId, Lang, StationId};
use historian::snapshot::{ChannelSnapshot, Full, LinkState, Right, Snapshot};
use historian::verdict::{Reason, Since};

use super::issues::{self, Issue, IssueId, Scope};
use super::paint::width;
use super::places::{self, Form};
use super::texts::Text;
use super::theme::Role;
use super::view::View;

/// How bad it is, worst first: no path, not full, a silent unit, not right, then by the number of
/// signals that are not live.
type Severity = (u8, bool, bool, bool, Reverse<u64>);

fn severity(snapshot: &Snapshot, station: StationId) -> Severity {
    let seen = snapshot.site(station);
    let link = match seen.link {
        LinkState::Lost => 0,
        LinkState::NeverConnected => 1,
        LinkState::Connected => 2,
    };
    let channels = snapshot.province.centre_ids().map(|c| snapshot.channel(station, c));
    let lacking =
        channels.map(|channel| channel.counts.live.lacking() + channel.counts.right.lacking());
    (
        link,
        seen.full == Full::Full,
        seen.units.lacking() == 0,
        seen.right != Right::Wrong,
        Reverse(lacking.sum()),
    )
}

/// Stations in order of severity, the contract's order among equals.
pub(crate) fn by_severity(snapshot: &Snapshot) -> Vec<StationId> {
    let mut stations: Vec<StationId> = snapshot.province.station_ids().collect();
    stations.sort_by_key(|station| severity(snapshot, *station));
    stations
}

/// Whether something is wrong with a station, so far as it can be judged.
pub(crate) fn needs_attention(snapshot: &Snapshot, station: StationId) -> bool {
    snapshot.settled(station) && severity(snapshot, station) != (2, true, true, true, Reverse(0))
}

/// Stations that need attention, worst first.
pub(crate) fn concerns(snapshot: &Snapshot) -> Vec<StationId> {
    let mut stations = by_severity(snapshot);
    stations.retain(|station| needs_attention(snapshot, *station));
    stations
}

/// What to say of a station: why it falls short, and since when.
pub(crate) struct Summary {
    /// In words, the worst first.
    pub(crate) why: String,
    /// Since when the first of it is so.
    pub(crate) since: Option<Since>,
}

/// One line about a station in `room` cells, with counts at the basis.
pub(crate) fn summary(view: &View<'_>, station: StationId, room: usize) -> Summary {
    let mut lines = issues::of_station(view.snapshot, station);
    if view.snapshot.site(station).link != LinkState::Connected {
        // Without a path the live state is the news.
        lines.sort_by_key(|line| line.reason().is_structural());
    }
    let mut parts = Vec::new();
    let mut structural = Vec::new();
    for reason in [Reason::NotInDatabase, Reason::NoE2eRecord] {
        let of_reason: Vec<&Issue> = lines.iter().filter(|l| l.reason() == reason).collect();
        if !of_reason.is_empty() {
            structural.push(structural_part(view, station, reason, &of_reason));
        }
    }
    let first_structural = lines.first().is_some_and(|line| line.reason().is_structural());
    let live = lines.iter().filter(|line| !line.reason().is_structural());
    parts.extend(live.map(|line| vec![live_part(view, station, line)]));
    if first_structural {
        structural.append(&mut parts);
        parts = structural;
    } else {
        parts.append(&mut structural);
    }
    if parts.is_empty() {
        return silent(view, station);
    }
    // The since beside a sum is that of its largest part.
    let first = lines.first().map(Issue::reason);
    let largest = lines.iter().filter(|line| Some(line.reason()) == first);
    let since = largest.max_by_key(|line| line.points.len()).map(|line| line.since);
    Summary { why: shortened(&parts, room), since }
}

/// Units that no longer answer although their values are still fresh: the first sign.
fn silent(view: &View<'_>, station: StationId) -> Summary {
    let channels = view.province().centre_ids().map(|c| view.snapshot.channel(station, c));
    let units: Vec<(usize, Since)> = channels
        .flat_map(|channel| channel.units.iter().enumerate())
        .filter(|(_, unit)| unit.asked && !unit.answers)
        .map(|(n, unit)| (n, unit.since))
        .collect();
    let since = units.iter().map(|(_, since)| *since).reduce(Since::earlier);
    let silent: BTreeSet<usize> = units.into_iter().map(|(unit, _)| unit).collect();
    let names = silent.iter();
    let names = names.map(|unit| issues::unit_name(view.snapshot, station, *unit, view.lang));
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return Summary { why: String::new(), since };
    }
    let said = short_reason(Reason::NoReply, view.lang);
    Summary { why: format!("{} {said} {}", Reason::NoReply.mark(), names.join(", ")), since }
}

/// A part that can be said in more or fewer words: the longest first.
type Part = Vec<String>;

/// The parts in as many words as fit: details go from the last part on.
fn shortened(parts: &[Part], room: usize) -> String {
    let joined = |chosen: &[usize]| {
        let said: Vec<&str> = parts.iter().zip(chosen).map(|(part, n)| part[*n].as_str()).collect();
        said.join(" · ")
    };
    let mut chosen = vec![0; parts.len()];
    loop {
        let text = joined(&chosen);
        let shorter = (0..parts.len()).rev().find(|n| chosen[*n] + 1 < parts[*n].len());
        match shorter {
            Some(n) if width(&text) > room => chosen[n] += 1,
            _ => return text,
        }
    }
}

/// `chưa có 14: F74.TC ×7, IA ×2, … `, ever shorter down to `chưa có 14`.
fn structural_part(view: &View<'_>, station: StationId, reason: Reason, lines: &[&Issue]) -> Part {
    let at_basis = |line: &&&Issue| line.centres.contains(&view.basis);
    let shown: Vec<&&Issue> = lines.iter().filter(at_basis).collect();
    // When only the other centre lacks something, it is said of that one.
    let (lines, at) = if shown.is_empty() {
        (lines.iter().collect(), Some(lines[0].centres[0]))
    } else {
        (shown, None)
    };
    let mut points: Vec<_> = lines.iter().flat_map(|line| line.points.iter().copied()).collect();
    points.sort_unstable();
    points.dedup();
    let at = at.map_or_else(String::new, |centre| format!(" {}", view.centre(centre)));
    let head = format!("{}{at} {}", short_reason(reason, view.lang), points.len());
    if reason == Reason::NoE2eRecord {
        return vec![head];
    }
    let tally = places::tally(view.station(station), &points);
    let mut part: Part = (1..=tally.len().min(6))
        .rev()
        .map(|n| {
            let more = if n < tally.len() { ", …" } else { "" };
            format!("{head}: {}{more}", tally[..n].join(", "))
        })
        .collect();
    part.push(head);
    part
}

/// `T mất kết nối 172: 66`.
fn live_part(view: &View<'_>, station: StationId, line: &Issue) -> String {
    let reason = line.reason();
    let (mark, said) = (reason.mark(), short_reason(reason, view.lang));
    let at = at_some(view, &line.centres);
    // The count is that of the centre in the heading, where that one lacks any; else of the one that is named.
    let n = match line.count_at(view.basis) {
        0 => line.counts.first().copied().unwrap_or(0),
        at_basis => at_basis,
    };
    let (several, n) = (n > 1, view.count(n as u64));
    match line.id.scope {
        Scope::Link => {
            let channel = view.snapshot.channel(station, line.centres[0]);
            let said = path_text(view, line.id, channel.link.state);
            format!("{mark} {said}{at}: {n}")
        }
        Scope::Unit(unit) => {
            let name = issues::unit_name(view.snapshot, station, unit, view.lang);
            format!("{mark} {said} {name}{at}: {n}")
        }
        Scope::Bay(_) | Scope::Contract(..) => {
            let where_ =
                places::places(view.station(station), &line.points, Form::Short, view.lang);
            let n = if several { format!(" {n}") } else { String::new() };
            format!("{mark} {said}{n}{at}: {where_}")
        }
    }
}

/// The centres, where it is not all of them.
pub(crate) fn at_some(view: &View<'_>, centres: &[CentreId]) -> String {
    if centres.len() == view.province().centres.len() {
        return String::new();
    }
    let names: Vec<&str> = centres.iter().map(|centre| view.centre(*centre)).collect();
    format!(" {}", names.join(" "))
}

/// A reason in a word or two, for columns and sums.
pub(crate) fn short_reason(reason: Reason, lang: Lang) -> &'static str {
    let (vi, en) = match reason {
        Reason::NotInDatabase => ("chưa có", "not in DB"),
        Reason::NoE2eRecord => ("chưa E2E", "no E2E"),
        Reason::NoLink => ("mất k.nối", "no link"),
        Reason::NoReply => ("im lặng", "no reply"),
        Reason::Refused => ("từ chối", "refused"),
        Reason::Undecodable => ("tin lỗi", "bad frame"),
        Reason::NeverSeen => ("chưa nhận", "never seen"),
        Reason::Old => ("cũ", "old"),
        Reason::Flagged => ("TB xấu", "flagged"),
        Reason::Intermediate => ("tr.gian", "intermed."),
        Reason::OutOfRange => ("ngoài dải", "range"),
        Reason::Frozen => ("đứng", "frozen"),
        Reason::Inconsistent => ("mâu thuẫn", "disagrees"),
    };
    if lang == Lang::Vi { vi } else { en }
}

/// A reason in full, as it is with the province: where no path was ever up, none was lost.
pub(crate) fn reason_text(view: &View<'_>, reason: Reason) -> &'static str {
    let lost = |c: &std::sync::Arc<ChannelSnapshot>| c.link.state == LinkState::Lost;
    if reason == Reason::NoLink && !view.snapshot.channels.iter().any(lost) {
        return view.t(Text::LinkNever);
    }
    reason.text(view.lang)
}

/// The same in a word, as it is with one channel.
pub(crate) fn short_at(view: &View<'_>, reason: Reason, link: LinkState) -> &'static str {
    match (reason, link) {
        (Reason::NoLink, LinkState::NeverConnected) => view.say("chưa nối", "no conn."),
        _ => short_reason(reason, view.lang),
    }
}

/// Why the signals of a line fall short, in a word.
pub(crate) fn short_of(view: &View<'_>, line: &Issue, link: LinkState) -> &'static str {
    if line.id.is_hung() {
        return view.say("treo", "hangs");
    }
    short_at(view, line.reason(), link)
}

/// The state of a path that is not up.
pub(crate) fn link_text(view: &View<'_>, link: LinkState) -> &'static str {
    match link {
        LinkState::NeverConnected => view.t(Text::LinkNever),
        LinkState::Lost | LinkState::Connected => view.t(Text::LinkLost),
    }
}

/// What is wrong with a path that takes every signal of its station.
pub(crate) fn path_text(view: &View<'_>, line: IssueId, link: LinkState) -> &'static str {
    if line.is_hung() { view.t(Text::GatewayHangs) } else { link_text(view, link) }
}

/// How a reason is shown.
pub(crate) fn role_of(reason: Reason) -> Role {
    match reason {
        Reason::NotInDatabase
        | Reason::NoE2eRecord
        | Reason::NoLink
        | Reason::NoReply
        | Reason::Refused
        | Reason::Undecodable
        | Reason::NeverSeen
        | Reason::Flagged => Role::Fail,
        Reason::Old
        | Reason::Intermediate
        | Reason::OutOfRange
        | Reason::Frozen
        | Reason::Inconsistent => Role::Doubt,
    }
}

/// What is wrong right now and how many other stations have something too.
pub(crate) struct Alarm {
    /// In words.
    pub(crate) text: String,
    /// Since when, where that is not in the words already: it stays when they are cut.
    pub(crate) since: String,
    /// How long it has been so, where there is room for it.
    pub(crate) age: String,
    /// Other stations with a live problem.
    pub(crate) others: usize,
    /// Whether a path or a unit is gone, rather than single values.
    pub(crate) urgent: bool,
}

/// The worst live problem of the province; `None` when every path is up and every value good.
pub(crate) fn alarm(view: &View<'_>) -> Option<Alarm> {
    let snapshot = view.snapshot;
    let stations = concerns(snapshot);
    let of_link = |state: LinkState| -> Vec<StationId> {
        let linked = |id: &StationId| snapshot.site(*id).link == state;
        stations.iter().copied().filter(linked).collect()
    };
    let live = |id: &&StationId| !issues::live(snapshot, **id).is_empty();
    for (state, word) in
        [(LinkState::Lost, Text::LinkLost), (LinkState::NeverConnected, Text::LinkNever)]
    {
        let gone = of_link(state);
        if !gone.is_empty() {
            let (text, since, age) = links_text(view, &gone, state, view.t(word));
            let others = stations.iter().filter(|id| !gone.contains(id)).filter(live).count();
            return Some(Alarm { text, since, age, others, urgent: true });
        }
    }
    let (station, line) = stations.iter().find_map(|id| {
        let lines = issues::live(snapshot, *id);
        lines.into_iter().next().map(|line| (*id, line))
    })?;
    let others = stations.iter().filter(|id| **id != station).filter(live).count();
    let since = format!(" · {} {}", view.t(Text::SinceWord), view.since(line.since));
    let age = view.lasted(line.since);
    let text = format!("{}: {}", view.station_name(station), live_part(view, station, &line));
    let urgent = matches!(line.id.scope, Scope::Link | Scope::Unit(_));
    Some(Alarm { text, since, age, others, urgent })
}

/// `mất kết nối 3/10 trạm từ 14:31:52 (15 s): HB03 HB05 HB07`; of one station since when and how long apart.
fn links_text(
    view: &View<'_>,
    gone: &[StationId],
    state: LinkState,
    word: &str,
) -> (String, String, String) {
    let channels = gone.iter().flat_map(|station| {
        let centres = view.province().centre_ids();
        centres.map(|centre| view.snapshot.channel(*station, centre))
    });
    let lost = channels.filter(|c| c.link.state == state).map(|c| c.link.told_since());
    let since = lost.reduce(Since::earlier).unwrap_or(Since::At(view.now));
    let start = format!("{} {}", view.t(Text::SinceWord), view.since(since));
    let age = view.lasted(since);
    let when = format!("{start}{age}");
    let all = view.snapshot.stations().len();
    match gone {
        [one] => {
            let cut = view
                .province()
                .centre_ids()
                .filter(|centre| view.snapshot.channel(*one, *centre).link.state == state);
            let at = at_some(view, &cut.collect::<Vec<_>>());
            (format!("{}: {word}{at}", view.station_name(*one)), format!(" {start}"), age)
        }
        _ if gone.len() == all => {
            let stations = view.t(Text::StationsUnit);
            let text = format!("{word} {all}/{all} {stations} {when} · {}", view.simulate);
            (text, String::new(), String::new())
        }
        _ => {
            let ids: Vec<&str> = gone.iter().map(|id| view.station(*id).id.as_str()).collect();
            let n = gone.len();
            let stations = view.t(Text::StationsUnit);
            let text = format!("{word} {n}/{all} {stations} {when}: {}", ids.join(" "));
            (text, String::new(), String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_give_way_from_the_last_part_on() {
        let part = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let parts: Vec<Part> =
            vec![part(&["missing 3: A, B, C", "missing 3"]), part(&["T no link: 66", "T 66"])];
        assert_eq!(shortened(&parts, 40), "missing 3: A, B, C · T no link: 66");
        assert_eq!(shortened(&parts, 26), "missing 3: A, B, C · T 66");
        assert_eq!(shortened(&parts, 10), "missing 3 · T 66", "the rest is cut by the column");
    }
}
