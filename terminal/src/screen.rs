//! One of the screens with its state: what all of them have in common.

use config::StationId;

use super::keys::Place;
use super::list::Motion;
use super::screens::Body;
use super::screens::alarms::Alarms;
use super::screens::events::Events;
use super::screens::links::Links;
use super::screens::metering::Metering;
use super::screens::overview::Overview;
use super::screens::signals::Signals;
use super::screens::stations::Stations;
use super::screens::why::Why;
use super::texts::Text;
use super::view::View;

/// A screen and its state.
#[derive(Debug, Clone)]
pub(super) enum Screen {
    Overview(Overview),
    Stations(Stations),
    Why(Why),
    Signals(Signals),
    Metering(Metering),
    Links(Links),
    Alarms(Alarms),
    Events(Events),
}

impl Screen {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Overview(_) => Place::Overview,
            Self::Stations(_) => Place::Stations,
            Self::Why(_) => Place::Why,
            Self::Signals(_) => Place::Signals,
            Self::Metering(_) => Place::Metering,
            Self::Links(_) => Place::Links,
            Self::Alarms(_) => Place::Alarms,
            Self::Events(_) => Place::Events,
        }
    }

    pub(super) fn name(&self) -> Text {
        match self {
            Self::Overview(_) => Text::Overview,
            Self::Stations(_) => Text::Stations,
            Self::Why(_) => Text::Why,
            Self::Signals(_) => Text::Signals,
            Self::Metering(_) => Text::Metering,
            Self::Links(_) => Text::Links,
            Self::Alarms(_) => Text::Alarms,
            Self::Events(_) => Text::Events,
        }
    }

    pub(super) fn settle(&mut self, view: &View<'_>, body: Body) {
        match self {
            Self::Overview(screen) => screen.settle(view, body),
            Self::Stations(screen) => screen.settle(view, body),
            Self::Why(screen) => screen.settle(view, body),
            Self::Signals(screen) => screen.settle(view, body),
            Self::Metering(screen) => screen.settle(view, body),
            Self::Links(screen) => screen.settle(view, body),
            Self::Alarms(screen) => screen.settle(view, body),
            Self::Events(screen) => screen.settle(view, body),
        }
    }

    pub(super) fn go(&mut self, motion: Motion) {
        match self {
            Self::Overview(screen) => screen.list.go(motion, &screen.rows),
            Self::Stations(screen) => screen.list.go(motion, &screen.rows),
            Self::Why(screen) => screen.list.go(motion, &screen.rows),
            Self::Signals(screen) => screen.list.go(motion, &screen.rows),
            Self::Metering(screen) => screen.list.go(motion, &screen.rows),
            Self::Links(screen) => screen.list.go(motion, &screen.rows),
            Self::Alarms(screen) => screen.list.go(motion, &screen.rows),
            Self::Events(screen) => screen.list.go(motion, &screen.rows),
        };
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Overview(screen) => screen.rows.len(),
            Self::Stations(screen) => screen.rows.len(),
            Self::Why(screen) => screen.rows.len(),
            Self::Signals(screen) => screen.rows.len(),
            Self::Metering(screen) => screen.rows.len(),
            Self::Links(screen) => screen.rows.len(),
            Self::Alarms(screen) => screen.rows.len(),
            Self::Events(screen) => screen.rows.len(),
        }
    }

    /// Place of the selected row.
    pub(super) fn row(&self) -> usize {
        match self {
            Self::Overview(screen) => screen.list.row(),
            Self::Stations(screen) => screen.list.row(),
            Self::Why(screen) => screen.list.row(),
            Self::Signals(screen) => screen.list.row(),
            Self::Metering(screen) => screen.list.row(),
            Self::Links(screen) => screen.list.row(),
            Self::Alarms(screen) => screen.list.row(),
            Self::Events(screen) => screen.list.row(),
        }
    }

    pub(super) fn select(&mut self, row: usize) {
        match self {
            Self::Overview(screen) => screen.list.select(row, &screen.rows),
            Self::Stations(screen) => screen.list.select(row, &screen.rows),
            Self::Why(screen) => screen.list.select(row, &screen.rows),
            Self::Signals(screen) => screen.list.select(row, &screen.rows),
            Self::Metering(screen) => screen.list.select(row, &screen.rows),
            Self::Links(screen) => screen.list.select(row, &screen.rows),
            Self::Alarms(screen) => screen.list.select(row, &screen.rows),
            Self::Events(screen) => screen.list.select(row, &screen.rows),
        }
    }

    /// The station that the screen or its selected row is about.
    pub(super) fn station(&self) -> Option<StationId> {
        match self {
            Self::Overview(screen) => screen.list.selected(),
            Self::Stations(screen) => screen.list.selected(),
            Self::Why(screen) => Some(screen.station),
            Self::Signals(screen) => screen.list.selected().map(|(station, _)| station),
            Self::Links(screen) => screen.list.selected().map(|id| id.station),
            Self::Alarms(screen) => {
                screen.list.selected().map(|raised| raised.cause.station).or(screen.station)
            }
            Self::Events(screen) => {
                screen.list.selected().map(|event| event.station).or(screen.station)
            }
            Self::Metering(_) => None,
        }
    }
}
