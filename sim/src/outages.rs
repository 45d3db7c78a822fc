//! Who was without supply, from when to when: the ground of SAIDI, SAIFI and MAIFI.

use config::StationId;

use crate::station::Station;

/// An interruption longer than this counts for SAIDI and SAIFI, a shorter one for MAIFI
/// (Vietnamese rules: five minutes).
pub const SUSTAINED_MS: i64 = 5 * 60_000;
/// Ended interruptions that are kept; the oldest go first.
const KEPT_MAX: usize = 10_000;

/// A feeder without supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Station.
    pub station: StationId,
    /// Bay of the feeder: its place in the station's bays.
    pub bay: usize,
    /// Meters that sell energy behind it.
    pub customers: u32,
    /// UTC milliseconds since 1970.
    pub from_ms: i64,
    /// The same; `None` while it lasts.
    pub until_ms: Option<i64>,
}

/// The interruptions of every feeder.
pub(crate) struct Outages {
    customers: Vec<Vec<(usize, u32)>>,
    open: Vec<Vec<Option<i64>>>,
    ended: Vec<Outage>,
}

impl Outages {
    /// `customers_of` says how many hang on a feeder of a station.
    pub(crate) fn new(stations: &[Station], customers_of: impl Fn(usize, usize) -> u32) -> Self {
        let of_station = |(n, station): (usize, &Station)| {
            let feeders = station.feeders.iter().enumerate();
            feeders.map(|(feeder, own)| (own.bay, customers_of(n, feeder))).collect()
        };
        let customers: Vec<Vec<(usize, u32)>> =
            stations.iter().enumerate().map(of_station).collect();
        let open = customers.iter().map(|feeders| vec![None; feeders.len()]).collect();
        Self { customers, open, ended: Vec::new() }
    }

    /// Is told once a second whether a feeder is supplied; `since_ms` is when that would have
    /// changed.
    pub(crate) fn tell(&mut self, station: usize, feeder: usize, supplied: bool, since_ms: i64) {
        let open = &mut self.open[station][feeder];
        match (*open, supplied) {
            (None, false) => *open = Some(since_ms),
            (Some(from_ms), true) => {
                *open = None;
                let (bay, customers) = self.customers[station][feeder];
                if self.ended.len() == KEPT_MAX {
                    self.ended.remove(0);
                }
                self.ended.push(Outage {
                    station: StationId::at(station),
                    bay,
                    customers,
                    from_ms,
                    until_ms: Some(since_ms),
                });
            }
            _ => {}
        }
    }

    /// Every interruption that is remembered, those that last at the end.
    pub(crate) fn all(&self) -> Vec<Outage> {
        let mut all = self.ended.clone();
        for (station, feeders) in self.open.iter().enumerate() {
            for (feeder, from_ms) in feeders.iter().enumerate() {
                let (bay, customers) = self.customers[station][feeder];
                if let Some(from_ms) = *from_ms {
                    let station = StationId::at(station);
                    all.push(Outage { station, bay, customers, from_ms, until_ms: None });
                }
            }
        }
        all
    }
}
