//! Whether stations are operated without staff, in words: what the contract declares and what is observed, side
//! by side.

use config::{PointId, StationId};
use historian::unmanned::lost;
use historian::verdict::Since;

use crate::format::NOT_EVALUATED;
use crate::paint::{self, Row};
use crate::places::{Form, places};
use crate::table::Cell;
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

use super::boxes::Headline;

/// Of one station, as much as `width` cells take: `unmanned: declared ✓ · observed ✗ 304/305 A signals live at CC · 131 F96.ALM since 14:31:52`.
pub(crate) fn of_station(view: &View<'_>, station: StationId, width: usize) -> Row {
    let seen = view.snapshot.site(station).unmanned;
    let row = view.row().text(format!(" {}: ", view.t(Text::UnmannedLine)));
    let declared = view.t(Text::Declared);
    let row = if seen.declared {
        row.text(format!("{declared} ✓ · "))
    } else {
        row.put(Role::Fail, format!("{declared} ✗")).text(" · ")
    };
    let row = row.text(format!("{} ", view.t(Text::Observed)));
    let Some(is_seen) = seen.is_seen() else {
        let why = match seen.asked {
            true if seen.signals.want > 0 => {
                let count = seen.undecided;
                return row
                    .text(format!("{NOT_EVALUATED} {count} {}", view.t(Text::NotWatchedLong)));
            }
            true => Text::NoPriorityA,
            false if view.nobody_ever() => Text::LinkNever,
            false => Text::NotAskedYet,
        };
        return row.text(format!("{NOT_EVALUATED} {}", view.t(why)));
    };
    let centre = view.centre(view.station(station).in_charge);
    let signals =
        format!(" {} {} {centre}", view.share(seen.signals), view.t(Text::PriorityASignals));
    if is_seen {
        return row.text(format!("✓{signals}"));
    }
    let row = row.put(Role::Fail, format!("✗{signals}"));
    // The signals that are not seen, and since when the first of them is not: what has no room is on the screen Why.
    let points: Vec<PointId> = lost(view.snapshot, station).iter().map(|lost| lost.point).collect();
    let where_ = places(view.station(station), &points, Form::Short, view.lang);
    let since = view.moment().since_in_words(seen.lost_since.unwrap_or(Since::Always));
    let rest = [format!(" · {where_} {since}"), format!(" · {where_}"), format!(" · {since}")];
    let fits = |text: &&String| row.width() + paint::width(text) <= width;
    let rest = rest.iter().find(fits).cloned().unwrap_or_default();
    row.text(rest)
}

/// In a column: operated without staff, or how many signals keep it from that.
pub(crate) fn cell(view: &View<'_>, station: StationId) -> Cell {
    let seen = view.snapshot.site(station).unmanned;
    match seen.is_operated() {
        Some(true) => (Role::Plain, "✓".to_owned()),
        Some(false) if seen.declared => {
            (Role::Fail, format!("✗ {}", view.count(seen.signals.lacking())))
        }
        // The contract says that somebody is there.
        Some(false) => (Role::Plain, "·".to_owned()),
        None => (Role::Plain, NOT_EVALUATED.to_owned()),
    }
}

/// The headline figure.
pub(crate) fn headline(view: &View<'_>) -> Headline {
    let (share, target) = (view.snapshot.figures.unmanned, view.province().targets.unmanned);
    let unknown = view.snapshot.stations().iter().filter(|s| s.unmanned.is_operated().is_none());
    Headline::of(view, (share, unknown.count() as u64), target)
}

/// Below the headline figure: how many are declared, and which of them are not seen.
pub(crate) fn summary(view: &View<'_>) -> Row {
    let declared = view.snapshot.figures.unmanned_declared;
    let row = view.row().text(format!(" {} {}", view.t(Text::Declared), view.share(declared)));
    let is_unseen = |id: &StationId| {
        let seen = view.snapshot.site(*id).unmanned;
        seen.declared && seen.is_operated() == Some(false)
    };
    let unseen: Vec<StationId> = view.province().station_ids().filter(is_unseen).collect();
    match unseen[..] {
        [] => row,
        [one] => row.put(Role::Fail, format!(" ✗ {}", view.station(one).id)),
        _ => row.put(Role::Fail, format!(" ✗ {}", view.count(unseen.len() as u64))),
    }
}
