//! The single-line scheme of a station, as far as supply goes: which breakers a feeder depends on.
//!
//! A feeder is supplied as long as its own breaker is closed and its bus section is supplied: over a
//! closed incomer of a transformer whose high side is closed, or over a closed coupler from another
//! section. What fails above the station's own breakers is not seen.

use config::{Bay, PointId, Station};

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Open,
    Closed,
    /// Nobody can say.
    Unknown,
}

/// What a feeder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Supply {
    Supplied,
    Dead,
    /// Nobody can say.
    Unknown,
}

/// The breakers of a station.
pub(super) struct Scheme<'a> {
    station: &'a Station,
    /// By bay: the position of its breaker; `None` for bays without one, which carry as long as what is
    /// behind them does.
    pub(super) breakers: Vec<Option<PointId>>,
    /// Transformer bays in front of medium-voltage incomers, by bay.
    above: Vec<Option<usize>>,
}

fn last_digit(bay: &Bay) -> Option<char> {
    bay.name.chars().last()
}

impl<'a> Scheme<'a> {
    pub(super) fn new(station: &'a Station) -> Self {
        let mut breakers = vec![None; station.bays.len()];
        for (n, point) in station.points.iter().enumerate() {
            if point.spec.id == "CB.POS" {
                breakers[point.bay] = Some(PointId::at(n));
            }
        }
        let transformers = || station.bays.iter().enumerate().filter(|(_, b)| b.is_transformer());
        let above = station.bays.iter().map(|bay| {
            let own = transformers().find(|(_, t)| last_digit(t) == last_digit(bay));
            own.or_else(|| transformers().next()).map(|(n, _)| n).filter(|_| is_incomer(bay))
        });
        Self { above: above.collect(), station, breakers }
    }

    /// Bays whose breakers say whether the sections of a level are supplied.
    pub(super) fn feeds(&self, level: u16) -> Vec<usize> {
        let bays = self.station.bays.iter().enumerate();
        let own =
            bays.filter(|(_, bay)| bay.level == level && (is_incomer(bay) || is_coupler(bay)));
        let mut feeds: Vec<usize> = own.map(|(n, _)| n).collect();
        let above: Vec<usize> = feeds.iter().filter_map(|bay| self.above[*bay]).collect();
        feeds.extend(above);
        feeds.sort_unstable();
        feeds.dedup();
        feeds
    }

    /// What a feeder has when the breakers of the bays stand as `place` says: known when it is the same
    /// wherever those stand of which nobody can say.
    pub(super) fn supply(&self, feeder: usize, place: impl Fn(usize) -> Place) -> Supply {
        let place = |bay: usize| match self.breakers[bay] {
            Some(_) => place(bay),
            None => Place::Closed,
        };
        let at_best = self.is_supplied(feeder, &|bay| place(bay) != Place::Open);
        let at_worst = self.is_supplied(feeder, &|bay| place(bay) == Place::Closed);
        match (at_best, at_worst) {
            (true, true) => Supply::Supplied,
            (false, _) => Supply::Dead,
            (true, false) => Supply::Unknown,
        }
    }

    fn is_supplied(&self, feeder: usize, closed: &impl Fn(usize) -> bool) -> bool {
        let own = &self.station.bays[feeder];
        closed(feeder) && self.live_sections(own.level, closed).contains(&own.section)
    }

    /// Sections of a level with supply.
    fn live_sections(&self, level: u16, closed: &impl Fn(usize) -> bool) -> Vec<u8> {
        let bays = || self.station.bays.iter().enumerate().filter(|(_, bay)| bay.level == level);
        let is_fed = |incomer: usize| self.above[incomer].is_none_or(closed);
        let incomers = bays().filter(|(_, bay)| is_incomer(bay));
        let fed = incomers.filter(|(n, _)| closed(*n) && is_fed(*n));
        let mut live: Vec<u8> = fed.map(|(_, bay)| bay.section).collect();
        // A coupler stands between section 1 and its own; what one brings, another may take on.
        let couplers = || bays().filter(|(n, bay)| is_coupler(bay) && closed(*n));
        loop {
            let before = live.len();
            for (_, coupler) in couplers() {
                for (from, to) in [(1, coupler.section), (coupler.section, 1)] {
                    if live.contains(&from) && !live.contains(&to) {
                        live.push(to);
                    }
                }
            }
            if live.len() == before {
                return live;
            }
        }
    }
}

/// Whether a bay brings supply from a transformer to a medium-voltage section.
fn is_incomer(bay: &Bay) -> bool {
    bay.role_digit() == Some('3') && bay.level < 110
}

/// Whether it joins two medium-voltage sections.
fn is_coupler(bay: &Bay) -> bool {
    bay.role_digit() == Some('1') && bay.level < 110
}

#[cfg(test)]
mod tests {
    use config::Province;

    use super::*;

    #[test]
    fn supply_is_known_when_what_is_unknown_cannot_change_it() {
        let province = Province::built_in();
        let station = &province.stations[province.station("HB01").unwrap().index()];
        let scheme = Scheme::new(station);
        let feeder = station.feeder_bays().next().unwrap();
        let feeds = scheme.feeds(station.bays[feeder].level);
        assert!(!feeds.is_empty());
        let all = |place: Place| scheme.supply(feeder, |_| place);
        assert_eq!(all(Place::Closed), Supply::Supplied);
        assert_eq!(all(Place::Open), Supply::Dead);
        assert_eq!(all(Place::Unknown), Supply::Unknown);
        // Its own breaker is open: wherever the others stand.
        let own = |bay| if bay == feeder { Place::Open } else { Place::Unknown };
        assert_eq!(scheme.supply(feeder, own), Supply::Dead);
        // What it does not depend on.
        let other = |bay| {
            if bay == feeder || feeds.contains(&bay) { Place::Closed } else { Place::Unknown }
        };
        assert_eq!(scheme.supply(feeder, other), Supply::Supplied);
    }
}
