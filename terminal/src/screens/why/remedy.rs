//! What would make a station full, and what was checked and is not the cause.

use config::{CentreId, StationId};
use historian::counts::Share;
use historian::snapshot::{ChannelSnapshot, LinkState};
use historian::verdict::{Reason, Since};

use crate::issues::{self, Issue, Scope};
use crate::paint::{Row, Side, width, wrap};
use crate::places::{Form, places};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Steps that make the station full, the one with the largest gain first, with the counts that
/// each centre then has.
pub(super) fn steps(
    view: &View<'_>,
    station: StationId,
    lines: &[Issue],
    width: usize,
) -> Vec<Row> {
    let mut steps: Vec<Issue> = Vec::new();
    for line in lines {
        let same =
            |step: &&mut Issue| step.reason() == line.reason() && step.centres == line.centres;
        match steps.iter_mut().find(same) {
            Some(step) => step.points.extend(&line.points),
            None => steps.push(line.clone()),
        }
    }
    steps.sort_by_key(|step| std::cmp::Reverse(step.gain()));
    let centres = view.centres();
    let mut tested: Vec<Share> = centres
        .iter()
        .map(|centre| &view.snapshot.channel(station, *centre).counts)
        .map(|counts| Share::new(counts.tested, counts.required))
        .collect();
    let mut rows = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        for (centre, share) in centres.iter().zip(&mut tested) {
            if step.centres.contains(centre) {
                share.have += step.points.len() as u64;
            }
        }
        let mut points = step.points.clone();
        points.sort_unstable();
        let verb = match step.reason() {
            Reason::NoE2eRecord => Text::DoTest,
            _ => Text::DoMap,
        };
        let what = format!(
            "{} {}",
            view.t(verb),
            places(view.station(station), &points, Form::Full, view.lang)
        );
        let result = result(view, &centres, &tested);
        rows.extend(step_rows(view, n + 1, &what, result, width));
    }
    let figure = view.snapshot.figures.full;
    if tested.iter().all(|share| share.lacking() == 0) {
        let then = Share::new((figure.have + 1).min(figure.want), figure.want);
        let text = format!("→ {} {} ", view.t(Text::ToProvince), view.share(then));
        let last = view.row().put(Role::Strong, text);
        // Beside the last step where that has lines of its own left.
        rows.push(view.row().ending(last, width));
    }
    rows
}

/// A step: what to do, and beside it what each centre then has.
fn step_rows(view: &View<'_>, n: usize, what: &str, result: Row, width: usize) -> Vec<Row> {
    let beside = width >= 60 + result.width();
    let room = if beside { width - result.width() - 6 } else { width - 6 };
    let number = |line: usize| if line == 0 { format!(" {n}  ") } else { "    ".to_owned() };
    let mut rows: Vec<Row> = wrap(what, room)
        .into_iter()
        .enumerate()
        .map(|(line, text)| view.row().text(number(line)).text(text))
        .collect();
    if beside {
        rows[0] = rows[0].clone().ending(result, width);
    } else {
        rows.push(view.row().gap(4).join(result));
    }
    rows
}

/// `→ A1 199/199 ✓  TTĐK 597/597 ✓`, in columns.
fn result(view: &View<'_>, centres: &[CentreId], tested: &[Share]) -> Row {
    let mut row = view.row().text("→");
    for (centre, share) in centres.iter().zip(tested) {
        let whole = Share::new(share.want, share.want);
        let room = width(&view.share(whole));
        let (role, mark) =
            if share.lacking() == 0 { (Role::Strong, "✓") } else { (Role::Plain, " ") };
        row = row
            .text(format!(" {} ", view.centre(*centre)))
            .cell(role, &view.share(*share), room, Side::Right)
            .text(format!(" {mark} "));
    }
    row
}

/// What was checked and is in order.
pub(super) fn ruled_out(view: &View<'_>, station: StationId, width: usize) -> Vec<Row> {
    let seen = view.snapshot.site(station);
    let channels: Vec<_> =
        view.centres().into_iter().map(|centre| view.snapshot.channel(station, centre)).collect();
    let mut facts = Vec::new();
    let up = |channel: &&&ChannelSnapshot| channel.link.state == LinkState::Connected;
    let connected: Vec<_> = channels.iter().filter(up).collect();
    // All of them are up since the last one is.
    let since = connected.iter().map(|channel| channel.link.told_since()).reduce(Since::later);
    if let Some(since) = since {
        let only = if connected.len() == channels.len() {
            String::new()
        } else {
            let names = connected.iter().map(|c| view.centre(c.contract(view.province()).centre));
            format!(" {}", names.collect::<Vec<_>>().join(" "))
        };
        facts.push(format!(
            "{}{only} {} ({} {})",
            view.t(Text::LinkUp),
            since.instant().map_or_else(String::new, |at| view.age(at)),
            view.t(Text::SinceWord),
            view.since(since)
        ));
    }
    // One that only refuses may be one that its gateway speaks for: which exception it was is not kept.
    let refuses = issues::live(view.snapshot, station)
        .into_iter()
        .any(|line| line.reason() == Reason::Refused && matches!(line.id.scope, Scope::Unit(_)));
    if seen.units.lacking() == 0 && !refuses {
        facts.push(format!("{} {}", view.share(seen.units), view.t(Text::UnitsAnswer)));
    }
    let live: Vec<String> = view
        .centres()
        .into_iter()
        .zip(&channels)
        .filter_map(|(centre, channel)| {
            let counts = &channel.counts;
            let absent = counts.not_live[Reason::NotInDatabase as usize];
            let mapped = Share::new(counts.live.have, counts.live.want - absent);
            (mapped.lacking() == 0 && mapped.want > 0)
                .then(|| format!("{} {}", view.centre(centre), view.share(mapped)))
        })
        .collect();
    if !live.is_empty() {
        facts.push(format!("{}: {}", view.t(Text::MappedLive), live.join(", ")));
    }
    let right: Vec<String> = view
        .centres()
        .into_iter()
        .zip(&channels)
        .filter(|(_, channel)| channel.counts.right.lacking() == 0 && channel.counts.right.want > 0)
        .map(|(centre, c)| format!("{} {}", view.centre(centre), view.share(c.counts.right)))
        .collect();
    if !right.is_empty() {
        facts.push(format!("{}: {}", view.t(Text::RightPoints), right.join(", ")));
    }
    if facts.is_empty() {
        facts.push(view.t(Text::NothingRuledOut).to_owned());
    }
    wrap(&facts.join(" · "), width - 2)
        .into_iter()
        .map(|line| view.row().gap(1).text(line))
        .collect()
}
