//! What the field offers of its faults, and what it tells them.

use std::sync::Arc;

use config::{ChannelId, PointId, Province};

use super::engine::Faults;
use super::fault::Injection;
use super::script::Scenario;
use super::truth::{Keep, TruthRecord};
use crate::Field;
use crate::telemetry::Pair;

impl Field {
    /// Takes a scenario, in place of the one before. It begins at the first step.
    pub fn plan(&mut self, mut scenario: Scenario) {
        self.planned = std::mem::take(&mut scenario.deeds);
        self.faults.plan(scenario);
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
    pub fn inject(&mut self, injection: &Injection) -> Result<u32, String> {
        let at_ms = self.telemetry.at_ms.ok_or("the field has not begun")?;
        let id = self.faults.inject(injection, at_ms)?;
        self.telemetry.lay_out(&mut self.faults, None);
        self.faults.tell(&|channel, point| self.telemetry.pair(channel, point));
        Ok(id)
    }

    /// Ends a fault; every centre sees it at once.
    ///
    /// # Errors
    /// When no such fault is active.
    pub fn clear(&mut self, fault: u32) -> Result<(), String> {
        let at_ms = self.telemetry.at_ms.ok_or("the field has not begun")?;
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
