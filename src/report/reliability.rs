//! Who was without supply, from when to when, as the positions of breakers tell: SAIDI, SAIFI, MAIFI.
//!
//! A feeder is supplied as long as its own breaker is closed and its bus section is: over a closed
//! incomer of a transformer whose high side is closed, or over a closed coupler from another section.
//! Meters that sell energy stand on the feeders of their station in equal numbers, as the contract has
//! no finer word. What fails above the station's own breakers is not seen.

use std::collections::BTreeMap;

use config::{Bay, Province, Station, StationId};

use super::shown::real;
use crate::clock::Timestamp;
use crate::history::Window;
use crate::store::{Reader, Recorded, StoreError};

/// An interruption longer than this counts for SAIDI and SAIFI, a shorter one for MAIFI (Vietnamese
/// rules: five minutes).
pub(super) const SUSTAINED_MS: i64 = 5 * 60_000;

/// Code of a double point that is closed.
const CLOSED: u16 = 2;
/// Code of a double point that is open.
const OPEN: u16 = 1;

/// A feeder without supply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interruption {
    /// Station: its place in the contract.
    pub(super) station: usize,
    /// Bay of the feeder: its place in the station's bays.
    pub(super) bay: usize,
    /// Meters that sell energy behind it.
    pub(super) customers: u64,
    pub(super) from: Timestamp,
    /// `None`: it lasted beyond the window.
    pub(super) until: Option<Timestamp>,
}

/// Indices of a group of feeders over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Indices {
    /// Meters that sell energy.
    pub(super) customers: u64,
    /// Sustained interruptions, and customers of each added up.
    pub(super) sustained: (u64, u64),
    /// Momentary ones likewise.
    pub(super) momentary: (u64, u64),
    /// Milliseconds without supply of all customers, sustained interruptions alone.
    pub(super) customer_ms: u64,
}

impl Indices {
    /// Adds an interruption of a window that ends at `to`.
    pub(super) fn add(&mut self, interruption: &Interruption, to: Timestamp) {
        let ms = interruption.until.unwrap_or(to).since(interruption.from);
        let count = if ms > SUSTAINED_MS { &mut self.sustained } else { &mut self.momentary };
        count.0 += 1;
        count.1 += interruption.customers;
        if ms > SUSTAINED_MS {
            self.customer_ms += interruption.customers * ms.unsigned_abs();
        }
    }

    /// Minutes without supply of a customer, on average. `None` without customers.
    pub(super) fn saidi_minutes(&self) -> Option<f64> {
        self.per_customer(real(self.customer_ms) / 60_000.0)
    }

    /// Sustained interruptions of a customer, on average.
    pub(super) fn saifi(&self) -> Option<f64> {
        self.per_customer(real(self.sustained.1))
    }

    /// Momentary interruptions of a customer, on average.
    pub(super) fn maifi(&self) -> Option<f64> {
        self.per_customer(real(self.momentary.1))
    }

    fn per_customer(&self, sum: f64) -> Option<f64> {
        (self.customers > 0).then(|| sum / real(self.customers))
    }
}

/// Meters that sell energy of a station.
pub(super) fn customers(province: &Province, station: &Station) -> u64 {
    let groups = station.meters.iter().filter(|group| province.meter_classes[group.class].sold);
    groups.map(|group| u64::from(group.installed)).sum()
}

fn last_digit(bay: &Bay) -> Option<char> {
    bay.name.chars().last()
}

/// Bays of a station, and which of their breakers are closed.
struct Scheme<'a> {
    station: &'a Station,
    /// By bay: closed; `None` for bays without a breaker, which carry as long as what is behind does.
    closed: Vec<Option<bool>>,
    feeders: Vec<usize>,
    /// Since when each feeder has been without supply.
    dead_since: Vec<Option<Timestamp>>,
}

impl<'a> Scheme<'a> {
    fn new(station: &'a Station) -> Self {
        let bays = station.bays.iter().enumerate();
        let feeders: Vec<usize> = bays.filter(|(_, b)| b.is_feeder()).map(|(n, _)| n).collect();
        let mut closed = vec![None; station.bays.len()];
        for point in station.points.iter().filter(|point| point.spec.id == "CB.POS") {
            // Until the first record says otherwise, it stands as in normal service.
            closed[point.bay] = Some(u16::from(point.normal) == CLOSED);
        }
        let dead_since = vec![None; feeders.len()];
        Self { station, closed, feeders, dead_since }
    }

    fn is_closed(&self, bay: usize) -> bool {
        self.closed[bay].unwrap_or(true)
    }

    /// Bus sections with supply: level and number.
    fn live_sections(&self) -> Vec<(u16, u8)> {
        let bays = || self.station.bays.iter().enumerate();
        let transformers: Vec<(usize, &Bay)> =
            bays().filter(|(_, bay)| bay.is_transformer()).collect();
        let is_fed = |incomer: &Bay| {
            let own = transformers.iter().find(|(_, t)| last_digit(t) == last_digit(incomer));
            own.or(transformers.first()).is_none_or(|(n, _)| self.is_closed(*n))
        };
        let incomers = bays().filter(|(_, bay)| bay.role_digit() == Some('3') && bay.level < 110);
        let mut live: Vec<(u16, u8)> = incomers
            .filter(|(n, bay)| self.is_closed(*n) && is_fed(bay))
            .map(|(_, bay)| (bay.level, bay.section))
            .collect();
        // A coupler stands between section 1 and its own.
        let couplers = bays().filter(|(_, bay)| bay.role_digit() == Some('1') && bay.level < 110);
        for (_, coupler) in couplers.filter(|(n, _)| self.is_closed(*n)) {
            let (one, other) = ((coupler.level, 1), (coupler.level, coupler.section));
            for (from, to) in [(one, other), (other, one)] {
                if live.contains(&from) && !live.contains(&to) {
                    live.push(to);
                }
            }
        }
        live
    }

    /// Takes a record; returns feeders that are supplied again, and since when they were not.
    fn take(&mut self, event: &Recorded) -> Vec<(usize, Timestamp)> {
        let found = event.point.as_deref().and_then(|id| self.station.point(id));
        let Some(point) = found.map(|point| &self.station.points[point.index()]) else {
            return Vec::new();
        };
        if point.spec.id != "CB.POS" || !matches!(event.value, OPEN | CLOSED) {
            return Vec::new();
        }
        self.closed[point.bay] = Some(event.value == CLOSED);
        let live = self.live_sections();
        let mut back = Vec::new();
        for (n, bay) in self.feeders.iter().enumerate() {
            let own = &self.station.bays[*bay];
            let supplied = self.is_closed(*bay) && live.contains(&(own.level, own.section));
            match (supplied, self.dead_since[n]) {
                (false, None) => self.dead_since[n] = Some(event.at),
                (true, Some(since)) => {
                    self.dead_since[n] = None;
                    back.push((*bay, since));
                }
                _ => {}
            }
        }
        back
    }
}

/// Interruptions that ended in a window or lasted beyond it, in the order of their beginning.
pub(super) fn interruptions(
    reader: &Reader,
    province: &Province,
    window: &Window,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Interruption>, StoreError> {
    let mut schemes: BTreeMap<usize, Scheme<'_>> = BTreeMap::new();
    for (n, station) in province.stations.iter().enumerate().filter(|(_, s)| wanted(&s.id)) {
        schemes.insert(n, Scheme::new(station));
    }
    let of_feeder = |station: usize| {
        let station = &province.stations[station];
        let feeders = station.bays.iter().filter(|bay| bay.is_feeder()).count() as u64;
        customers(province, station).checked_div(feeders).unwrap_or(0)
    };
    let mut all = Vec::new();
    let span = window.span;
    let interruption = |station, bay, from, until| Interruption {
        station,
        bay,
        customers: of_feeder(station),
        from,
        until,
    };
    reader.events((span.from, span.to), |event| {
        // Every centre has the same records: a breaker that is where it was changes nothing.
        let Some(station) = province.station(&event.station).map(StationId::index) else { return };
        let Some(scheme) = schemes.get_mut(&station) else { return };
        let back = scheme.take(&event);
        all.extend(
            back.into_iter().map(|(bay, from)| interruption(station, bay, from, Some(event.at))),
        );
    })?;
    for (station, scheme) in &schemes {
        let open = scheme.feeders.iter().zip(&scheme.dead_since);
        all.extend(
            open.filter_map(|(bay, since)| Some(interruption(*station, *bay, (*since)?, None))),
        );
    }
    all.sort_by_key(|i| (i.from, i.station, i.bay));
    Ok(all)
}
