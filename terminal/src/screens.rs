//! The screens: each a state that keys change, and functions from a view to lines.

pub(crate) mod alarms;
pub(crate) mod boxes;
pub(crate) mod card;
pub(crate) mod digest;
pub(crate) mod events;
pub(crate) mod exclusions;
pub(crate) mod frame;
pub(crate) mod help;
pub(crate) mod links;
pub(crate) mod metering;
pub(crate) mod overview;
pub(crate) mod signals;
pub(crate) mod stations;
pub(crate) mod unmanned;
pub(crate) mod why;

/// Room for the body of a screen, between banner and hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Body {
    /// Whether the layout for 100 columns fits, rather than the one for 80.
    pub(crate) fn is_wide(self) -> bool {
        self.width >= 96
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use collector::plan::{layouts, plans};
    use config::{CentreId, Lang, PointId, Province, StationId};
    use historian::Historian;
    use historian::alarms::{Alarm, AlarmCause, Priority, Raised};
    use historian::issues::{IssueId, Scope};
    use historian::snapshot::Snapshot;
    use historian::verdict::Reason;
    use signal::clock::Timestamp;

    use super::*;
    use crate::attention;
    use crate::fold::{Index, Words};
    use crate::list::List;
    use crate::paint::{Row, text_of};
    use crate::theme::Theme;
    use crate::view::View;

    const BODY: Body = Body { width: 100, height: 30 };

    fn view(snapshot: &Snapshot, lang: Lang, basis: CentreId) -> View<'_> {
        let (now, theme) = (snapshot.at, Theme::ALL[0]);
        View { snapshot, now, lang, theme, basis, down: false, simulate: "", keys: true }
    }

    fn text(rows: Vec<Row>) -> String {
        rows.into_iter().map(|row| text_of(&row.line()) + "\n").collect()
    }

    /// Every screen that can be of one station, and what it then says.
    fn of_station(view: &View<'_>, station: StationId) -> Vec<(&'static str, String)> {
        let mut why = why::Why::new(station);
        why.settle(view, BODY);
        let filter = signals::Filter { station: Some(station), ..signals::Filter::default() };
        let mut signals = signals::Signals::new(filter, None);
        signals.settle(view, BODY);
        let mut events = events::Events { station: Some(station), ..events::Events::default() };
        events.settle(view, BODY);
        let mut said = vec![
            ("why", text(why::draw(view, &why, BODY))),
            ("why as text", why::plain(view, station, BODY.width)),
            ("signals", text(signals::draw(view, &signals, "", BODY))),
            ("events", text(events::draw(view, &events, "", BODY))),
            ("a line of attention", attention::summary(view, station, 100).why),
            ("unmanned", text(vec![unmanned::of_station(view, station, BODY.width)])),
        ];
        said.extend(
            exclusions::of_station(view, station).map(|row| ("exclusions", text(vec![row]))),
        );
        let units = view.station(station).units.len();
        for channel in view.province().centre_ids().map(|c| view.province().channel_id(station, c))
        {
            for unit in [None].into_iter().chain((0..units).map(Some)) {
                let id = links::LinkId { station, channel, unit };
                let mut links =
                    links::Links { list: List::at(id), card: true, ..Default::default() };
                links.rows = vec![id];
                said.push(("links", text(links::draw(view, &links, BODY))));
                said.push(("a device as text", links::plain(view, id)));
            }
        }
        said
    }

    /// One alarm of each scope that a station can have.
    fn alarms_of(snapshot: &Snapshot, station: StationId) -> Vec<Alarm> {
        let contract = &snapshot.province.stations[station.index()];
        let grounds = [Scope::Link, Scope::Unit(contract.units.len() - 1)];
        let grounds = grounds.into_iter().chain([Scope::Bay(contract.bays.len() - 1)]);
        let alarm = |scope| {
            let line = IssueId { reason: Reason::NoReply, scope };
            Alarm {
                raised: Raised { cause: AlarmCause { station, line }, at: snapshot.at },
                at_least: false,
                priority: Priority::One,
                centres: snapshot.province.centre_ids().collect(),
                signals: 1,
                returned: None,
                acknowledged: None,
            }
        };
        grounds.map(alarm).collect()
    }

    #[test]
    fn every_screen_can_be_of_a_plant_as_of_a_station_and_of_each_point_of_them() {
        let province = Arc::new(Province::built_in());
        let now = Timestamp(1_669_188_727_240);
        let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans(&province)), now);
        let mut snapshot = historian.snapshot(now);
        let alarms = province.site_ids().flat_map(|id| alarms_of(&snapshot, id));
        snapshot.alarms = alarms.collect();
        let (index, words) = (Index::new(&province), Words::new("x"));
        assert!(province.plant_ids().next().is_some());
        for (lang, basis) in [Lang::Vi, Lang::En].into_iter().zip(province.centre_ids()) {
            let view = view(&snapshot, lang, basis);
            for station in province.site_ids() {
                let id = &province.stations[station.index()].id;
                for (screen, said) in of_station(&view, station) {
                    assert!(!said.trim().is_empty(), "{screen} of {id}");
                }
                let mut alarms = alarms::Alarms::of(Some(station));
                alarms.settle(&view, BODY);
                assert_eq!(alarms.rows.len(), 3, "{id}");
                for raised in alarms.rows.clone() {
                    alarms.list = List::at(raised);
                    alarms.settle(&view, BODY);
                    let said = text(alarms::draw(&view, &alarms, BODY));
                    assert!(
                        said.contains(&**id) && alarms::text(&view, raised).is_some(),
                        "{said}"
                    );
                    alarms::matches(&view, &index, &words, raised);
                }
                for point in (0..view.station(station).points.len()).map(PointId::at) {
                    let (id, name) =
                        ((station, point), &view.station(station).points[point.index()].id);
                    for said in [card::plain(&view, id), text(card::full(&view, id, BODY))] {
                        assert!(said.contains(&**name), "{said}");
                    }
                    card::below(&view, id, BODY.width, 2);
                    signals::matches(&view, &index, &words, id);
                }
            }
        }
    }
}
