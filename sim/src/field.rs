//! The field: plant, telemetry and faults, second by second, and what is done to them.

mod actions;

use std::sync::Arc;

use config::{ChannelId, PointId, Province, StationId};
use thiserror::Error;

use crate::faults::{FaultError, Faults, Injection, Keep, TruthRecord};
use crate::orders::{PlannedAction, Scenario};
use crate::plant::act::What;
use crate::plant::event::Event;
use crate::plant::outages::{Interruptions, Outage};
use crate::plant::short_circuit::ShortCircuit;
use crate::telemetry::image::{Image, Refusal, SentSample};
use crate::telemetry::{Pair, Telemetry};

/// The plant lives second by second.
const SECOND_MS: i64 = 1_000;
/// A longer time than this is not lived through but passed over: counters run on, what was due
/// happens, and the present is as after a quiet while.
const LEAP_MS: i64 = 300_000;
/// Counters do not run on over more than this: a machine that slept is not a station that ran.
const COUNTED_MS: i64 = 3_600_000;

/// Why an order cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderError {
    /// Before its first step nothing is as it would be later.
    #[error("the field has not begun")]
    NotBegun,
    /// The fault cannot be started or cleared.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A short circuit would find nothing live.
    #[error(
        "{bay} is dead or switched off: there is nothing to strike; 'gridwatch inject --truth \
         {bay}.CB.POS' shows its breaker (1 open, 2 closed)"
    )]
    Dead {
        /// Id of the bay.
        bay: String,
    },
}

/// The plant of a province, what it tells each centre, and what goes wrong on the way.
pub struct Field {
    telemetry: Telemetry,
    faults: Faults,
    /// What is still to be done to the plant by script.
    planned: Vec<PlannedAction>,
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
    pub fn sample(&self, station: StationId, point: PointId) -> SentSample {
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

    /// Interruptions of supply since the start, and the indices that follow from them.
    pub fn interruptions(&self) -> Interruptions {
        let now_ms = self.telemetry.at_ms.unwrap_or(0);
        let since_ms = self.faults.started_ms().unwrap_or(now_ms);
        self.telemetry.plant.outages.told(&self.telemetry.province, (since_ms, now_ms))
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

    /// Takes a scenario, in place of the one before. It begins at the first step.
    pub fn plan(&mut self, scenario: Scenario) {
        self.planned = scenario.actions;
        self.faults.plan(scenario.planned, scenario.rates);
    }

    /// From now on every start and end of a fault leaves a record.
    pub fn keep_truth(&mut self, keep: Keep) {
        self.faults.keep_truth(keep);
    }

    /// The records of the truth log since they were last taken.
    pub fn take_truth(&mut self) -> Vec<TruthRecord> {
        self.faults.take_truth()
    }

    /// Starts a fault; every centre sees it at once.
    ///
    /// # Errors
    /// When it cannot apply to its target, with the way out.
    pub fn inject(&mut self, injection: &Injection) -> Result<u32, OrderError> {
        let at_ms = self.telemetry.at_ms.ok_or(OrderError::NotBegun)?;
        let id = self.faults.inject(injection, at_ms)?;
        self.telemetry.lay_out(&mut self.faults, None);
        self.faults.tell(&|channel, point| self.telemetry.pair(channel, point));
        Ok(id)
    }

    /// Ends a fault; every centre sees it at once.
    ///
    /// # Errors
    /// When no such fault is active.
    pub fn clear(&mut self, fault: u32) -> Result<(), OrderError> {
        let at_ms = self.telemetry.at_ms.ok_or(OrderError::NotBegun)?;
        self.faults.clear(fault, at_ms, &|channel, point| self.telemetry.pair(channel, point))?;
        self.telemetry.lay_out(&mut self.faults, None);
        Ok(())
    }

    /// The province.
    pub fn province(&self) -> &Arc<Province> {
        &self.telemetry.province
    }

    /// The faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What is true of a point, and what a channel sends of it.
    pub fn pair(&self, channel: ChannelId, point: PointId) -> Pair {
        self.telemetry.pair(channel, point)
    }
}
