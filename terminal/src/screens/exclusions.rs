//! What is left out of the live figures with approval: the agreed percentage and the raw one, side by side.

use config::StationId;

use crate::paint::Row;
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Of one station: `excluded TTĐK 23: live 99.61 %, raw 96.10 %`; nothing where no signal is left out.
pub(crate) fn of_station(view: &View<'_>, station: StationId) -> Option<Row> {
    let channels = view.centres().into_iter().map(|c| (c, view.snapshot.channel(station, c)));
    let with = channels.filter(|(_, channel)| channel.counts.excluded > 0);
    let each: Vec<String> = with
        .map(|(centre, channel)| {
            let counts = &channel.counts;
            format!(
                "{} {}: {} {} %, {} {} %",
                view.centre(centre),
                view.count(counts.excluded),
                view.t(Text::Live),
                view.percent(counts.live),
                view.t(Text::Raw),
                view.percent(counts.live_raw())
            )
        })
        .collect();
    let said = || format!(" {} {}", view.t(Text::Excluded), each.join(" · "));
    (!each.is_empty()).then(|| view.row().put(Role::Note, said()))
}
