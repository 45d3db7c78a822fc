//! Who was without supply, from when to when: the ground of SAIDI, SAIFI and MAIFI.

use config::{Province, StationId, utc_text};
use serde::Serialize;

use crate::target::bay_id;

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
    pub customers: u64,
    /// UTC milliseconds since 1970.
    pub from_ms: i64,
    /// The same; `None` while it lasts.
    pub until_ms: Option<i64>,
}

/// Interruptions of one kind, and how many customers they reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Interrupted {
    /// Interruptions of feeders.
    pub interruptions: u64,
    /// Customers of each, added up.
    pub customers: u64,
}

/// An interruption, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlantInterruption {
    /// Station id.
    pub station: String,
    /// Bay id.
    pub bay: String,
    /// Meters that sell energy behind it.
    pub customers: u64,
    /// Since when, UTC.
    pub from: String,
    /// Until when; `None` while it lasts.
    pub until: Option<String>,
    /// How long, or how long by now.
    pub minutes: f64,
    /// `sustained`, `momentary`, or `open`: not over, and not yet sustained.
    pub counts_as: &'static str,
}

/// Who was without supply since the start, and the indices that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interruptions {
    /// Done.
    pub ok: bool,
    /// Start of the field, UTC.
    pub since: String,
    /// The present.
    pub until: String,
    /// Meters that sell energy in the province.
    pub customers: u64,
    /// Those of more than [`SUSTAINED_MS`].
    pub sustained: Interrupted,
    /// Those that were over sooner.
    pub momentary: Interrupted,
    /// Minutes without supply in sustained interruptions, times customers.
    pub customer_minutes: f64,
    /// Minutes without supply in sustained interruptions, of the mean customer.
    pub saidi_minutes: f64,
    /// Sustained interruptions of the mean customer.
    pub saifi: f64,
    /// Momentary interruptions of the mean customer.
    pub maifi: f64,
    /// Those that ended, the oldest of very many left out, then those that last.
    pub interruptions: Vec<PlantInterruption>,
}

/// What the interruptions of a while come to.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    sustained: Interrupted,
    momentary: Interrupted,
    /// Of sustained ones.
    customer_ms: f64,
}

impl Tally {
    /// Counts an interruption that lasted, or has lasted, so long.
    fn count(&mut self, customers: u64, lasted_ms: i64, over: bool) {
        let sum = match counts_as(lasted_ms, over) {
            "sustained" => &mut self.sustained,
            "momentary" => &mut self.momentary,
            _ => return,
        };
        sum.interruptions += 1;
        sum.customers += customers;
        if lasted_ms > SUSTAINED_MS {
            self.customer_ms += as_f64(customers.cast_signed()) * as_f64(lasted_ms);
        }
    }
}

fn counts_as(lasted_ms: i64, over: bool) -> &'static str {
    match (lasted_ms > SUSTAINED_MS, over) {
        (true, _) => "sustained",
        (false, true) => "momentary",
        (false, false) => "open",
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds and customers are far below 2^52")]
fn as_f64(n: i64) -> f64 {
    n as f64
}

/// The interruptions of every feeder.
pub(crate) struct Outages {
    customers: Vec<Vec<(usize, u64)>>,
    open: Vec<Vec<Option<i64>>>,
    ended: Vec<Outage>,
    /// Of all that ended, those that are no longer kept among them.
    tally: Tally,
}

impl Outages {
    /// Nobody was without supply yet.
    pub(crate) fn new(province: &Province) -> Self {
        let stations = province.stations.iter();
        let customers: Vec<Vec<(usize, u64)>> =
            stations.map(|station| province.customers_by_feeder(station)).collect();
        let open = customers.iter().map(|feeders| vec![None; feeders.len()]).collect();
        Self { customers, open, ended: Vec::new(), tally: Tally::default() }
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
                self.tally.count(customers, since_ms - from_ms, true);
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

    /// The interruptions from the start to the present, for people, and the indices that follow from
    /// them.
    pub(crate) fn told(
        &self,
        province: &Province,
        (since_ms, now_ms): (i64, i64),
    ) -> Interruptions {
        let mut tally = self.tally;
        let mut listed = Vec::new();
        for outage in self.all() {
            let Outage { station, bay, customers, from_ms, until_ms } = outage;
            let station = &province.stations[station.index()];
            let lasted_ms = until_ms.unwrap_or(now_ms) - from_ms;
            if until_ms.is_none() {
                tally.count(customers, lasted_ms, false);
            }
            listed.push(PlantInterruption {
                station: station.id.clone(),
                bay: bay_id(station, bay),
                customers,
                from: utc_text(from_ms),
                until: until_ms.map(utc_text),
                minutes: as_f64(lasted_ms) / 60_000.0,
                counts_as: counts_as(lasted_ms, until_ms.is_some()),
            });
        }
        let customers: u64 = province.stations.iter().map(|own| province.customers(own)).sum();
        let of_all =
            |x: f64| if customers == 0 { 0.0 } else { x / as_f64(customers.cast_signed()) };
        let reached = |of: Interrupted| of_all(as_f64(of.customers.cast_signed()));
        let customer_minutes = tally.customer_ms / 60_000.0;
        Interruptions {
            ok: true,
            since: utc_text(since_ms),
            until: utc_text(now_ms),
            customers,
            sustained: tally.sustained,
            momentary: tally.momentary,
            customer_minutes,
            saidi_minutes: of_all(customer_minutes),
            saifi: reached(tally.sustained),
            maifi: reached(tally.momentary),
            interruptions: listed,
        }
    }
}
