//! The field: a simulated province of unmanned 110 kV substations.
//!
//! [`Field`] is the plant and its register images: synchronous, without sockets or clock, the same
//! bytes for the same seed and the same steps. [`Simulation`] puts it on the network: one Modbus
//! TCP server per channel (a station as one centre sees it).
//!
//! One second goes: what is due in the plant happens → loads → power flow → controls and counters →
//! values of points (`plant`) → measuring chain (`chain`) → what faults make of it (`faults`) →
//! registers (`image`).
//!
//! ```
//! use std::sync::Arc;
//! use config::{Province, Table};
//!
//! let province = Arc::new(Province::built_in());
//! let mut field = sim::Field::new(Arc::clone(&province));
//! field.step(1_669_188_727_000);
//! let channel = province.channel_id(province.station("HB03").unwrap(), province.centre("CC").unwrap());
//! // Unit 1 is the bay control unit of line 171; its breaker is closed: 10.
//! assert_eq!(field.image(channel).read(1, Table::Discrete, 0, 2), Ok(vec![0, 1]));
//! ```

mod chance;
pub mod faults;
mod meters;
mod plant;
mod server;
mod target;
mod telemetry;
mod times;

use std::sync::Arc;

use config::{ChannelId, PointId, Province, StationId};

use faults::Faults;
pub use plant::deeds::{Deed, PlannedDeed};
pub use plant::event::Event;
pub use plant::outages::{Interrupted, Interruption, Interruptions, Outage, SUSTAINED_MS};
pub use plant::protection::ShortCircuit;
use plant::switching::What;
#[doc(hidden)]
pub use server::trial;
pub use server::{Plans, Port, Ports, Simulation, StartError, Then, Traffic, Visit, control};
use telemetry::Telemetry;
pub use telemetry::chain::tolerance;
pub use telemetry::commands::Outcome;
pub use telemetry::image::{Image, Refusal, Sample};

/// The plant lives second by second.
const SECOND_MS: i64 = 1_000;
/// A longer time than this is not lived through but passed over: counters run on, what was due
/// happens, and the present is as after a quiet while.
const LEAP_MS: i64 = 300_000;
/// Counters do not run on over more than this: a machine that slept is not a station that ran.
const COUNTED_MS: i64 = 3_600_000;

/// The plant of a province, what it tells each centre, and what goes wrong on the way.
pub struct Field {
    telemetry: Telemetry,
    faults: Faults,
    /// What is still to be done to the plant by script.
    planned: Vec<PlannedDeed>,
    /// How long it lives at a time, milliseconds.
    step_ms: i64,
}

impl Field {
    /// The field of a province, before its first step: no measurement has a value.
    pub fn new(province: Arc<Province>) -> Self {
        let faults = Faults::new(Arc::clone(&province));
        Self {
            telemetry: Telemetry::new(province),
            faults,
            planned: Vec::new(),
            step_ms: SECOND_MS,
        }
    }

    /// Lets the field live so many seconds at a time, 1 to 300, instead of each of them: one power flow
    /// for each step. What protection and switching do still happens to the millisecond; loads,
    /// temperatures and counters follow the steps (`docs/plant.md` has the error).
    pub fn coarsen(&mut self, seconds: u16) {
        self.step_ms = (i64::from(seconds) * SECOND_MS).clamp(SECOND_MS, LEAP_MS);
    }

    /// Brings the field to a moment, UTC milliseconds since 1970, second by second. Moments that
    /// are not later than the last one change nothing, and nothing happens within a second: the
    /// field is always at a whole one.
    pub fn step(&mut self, at_ms: i64) {
        let at_ms = at_ms.div_euclid(SECOND_MS) * SECOND_MS;
        self.telemetry.events.clear();
        let Some(mut last) = self.telemetry.at_ms else {
            self.second(at_ms, 0);
            return;
        };
        if at_ms - last > LEAP_MS {
            self.leap(last, at_ms);
            return;
        }
        while last < at_ms {
            let passed = self.step_ms.min(at_ms - last);
            last += passed;
            self.second(last, passed);
        }
    }

    /// Passes over a long time from one thing that happens in it to the next.
    fn leap(&mut self, mut last: i64, at_ms: i64) {
        while let Some(due) = self.telemetry.plant.agenda.next_ms().filter(|due| *due <= at_ms) {
            let second = (due + SECOND_MS - 1).div_euclid(SECOND_MS) * SECOND_MS;
            let second = second.clamp(last + SECOND_MS, at_ms);
            if second >= at_ms {
                break;
            }
            self.second(second, (second - last).min(COUNTED_MS));
            last = second;
        }
        self.second(at_ms, (at_ms - last).min(COUNTED_MS));
    }

    /// Lives through the time up to `at_ms`, of which `passed_ms` count.
    fn second(&mut self, at_ms: i64, passed_ms: i64) {
        self.faults.step(at_ms, &|channel, point| self.telemetry.pair(channel, point));
        self.follow_script(at_ms);
        let before_ms = self.telemetry.at_ms.unwrap_or(at_ms);
        self.telemetry.live(at_ms, passed_ms);
        self.telemetry.tell(&mut self.faults, (before_ms, at_ms));
        self.faults.tell(&|channel, point| self.telemetry.pair(channel, point));
    }

    /// What a channel can be asked for now.
    pub fn image(&self, channel: ChannelId) -> Arc<Image> {
        self.telemetry.image(channel)
    }

    /// True value of a point: in its unit, or a code. Not a number before the first step.
    pub fn value(&self, station: StationId, point: PointId) -> f64 {
        self.telemetry.value(station, point)
    }

    /// What the register of a meter shows, kWh: its place in [`config::Station::meters`] and its
    /// number there. `None` for a meter that is not there.
    pub fn meter_kwh(&self, station: StationId, group: usize, meter: u32) -> Option<f64> {
        self.telemetry.meter_kwh(station, group, meter)
    }

    /// What a station sends of a point when nothing is wrong: the truth through its measuring chain.
    pub fn sample(&self, station: StationId, point: PointId) -> Sample {
        self.telemetry.samples[station.index()][point.index()]
    }

    /// Changes of state during the last step, in the order of their time.
    pub fn events(&self) -> &[Event] {
        &self.telemetry.events
    }

    /// Interruptions of supply since the start: those that ended, then those that last.
    pub fn outages(&self) -> Vec<Outage> {
        self.telemetry.plant.outages.all()
    }

    /// A short circuit at a moment that is still to come, on the line or the feeder of a bay or in
    /// its transformer. What is dead then, or switched off, is not struck.
    pub fn strike(&mut self, at_ms: i64, station: StationId, bay: usize, fault: ShortCircuit) {
        self.telemetry.plant.later(at_ms, station.index(), What::Strike { bay, fault });
    }

    /// Takes so many hertz off the frequency of the grid until a moment.
    pub fn dip(&mut self, hertz: f64, until_ms: i64) {
        self.telemetry.plant.dip = (hertz, until_ms);
    }

    /// Sets a status as the plant has it, at a moment that is still to come: a key turned, gas
    /// lost, a switch moved by hand.
    pub fn set(&mut self, at_ms: i64, station: StationId, point: PointId, code: u8) {
        let (station, point) = (station.index(), point.index());
        self.telemetry.plant.later(at_ms, station, What::ByHand { point, code });
    }

    /// Takes a write of registers from a centre: a command, or a clock. What came of it can be read
    /// at once.
    ///
    /// # Errors
    /// The exception to answer with when it is neither.
    pub fn write_registers(
        &mut self,
        at_ms: i64,
        channel: ChannelId,
        unit: u8,
        address: u16,
        values: &[u16],
    ) -> Result<(), Refusal> {
        self.step(at_ms);
        self.telemetry.write_registers(at_ms, channel, (unit, address, values))?;
        let station = self.telemetry.province.channels[channel.index()].station;
        self.telemetry.lay_out(&mut self.faults, Some(station));
        Ok(())
    }

    /// Takes a write of a coil from a centre: a command that is one pulse.
    ///
    /// # Errors
    /// Exception 02 when no command stands there.
    pub fn write_coil(
        &mut self,
        at_ms: i64,
        channel: ChannelId,
        unit: u8,
        address: u16,
        on: bool,
    ) -> Result<(), Refusal> {
        self.step(at_ms);
        self.telemetry.write_coil(at_ms, channel, (unit, address, on))
    }
}
