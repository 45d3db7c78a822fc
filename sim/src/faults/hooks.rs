//! What the field offers of its faults, and what it tells them.

use std::borrow::Cow;
use std::sync::Arc;

use config::{ChannelId, Decoded, PointId, Province};

use super::engine::{Faults, Injection};
use super::script::Scenario;
use super::truth::{Keep, Pair, TruthRecord};
use crate::image::{Image, Sample};
use crate::{Event, Field};

impl Field {
    /// Takes a scenario of faults, in place of the one before. It begins at the first step.
    pub fn plan(&mut self, scenario: Scenario) {
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
        let at_ms = self.at_ms.ok_or("the field has not begun")?;
        let id = self.faults.inject(injection, at_ms)?;
        self.lay_out(at_ms);
        Ok(id)
    }

    /// Ends a fault; every centre sees it at once.
    ///
    /// # Errors
    /// When no such fault is active.
    pub fn clear(&mut self, fault: u32) -> Result<(), String> {
        let at_ms = self.at_ms.ok_or("the field has not begun")?;
        self.faults.clear(fault, at_ms, &pairs(&self.province, &self.samples, &self.images))?;
        self.lay_out(at_ms);
        Ok(())
    }

    /// The records that a channel sends, given the true changes of its station since the step
    /// before: what faults make of them. To be called once after each step.
    pub fn alter_events<'a>(
        &mut self,
        channel: ChannelId,
        span: (i64, i64),
        events: &'a [Event],
    ) -> Cow<'a, [Event]> {
        self.faults.alter_events(channel, span, events)
    }

    /// The province.
    pub fn province(&self) -> &Arc<Province> {
        &self.province
    }

    /// The faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What is true of a point, and what a channel sends of it.
    pub fn pair(&self, channel: ChannelId, point: PointId) -> Pair {
        pairs(&self.province, &self.samples, &self.images)(channel, point)
    }
}

/// Says of points what is true and what is sent.
pub(crate) fn pairs(
    province: &Province,
    samples: &[Vec<Sample>],
    images: &[Arc<Image>],
) -> impl Fn(ChannelId, PointId) -> Pair {
    |channel, point| {
        let contract = &province.channels[channel.index()];
        let true_value = samples[contract.station.index()][point.index()].value;
        let register = contract.entries[point.index()].register;
        let decoded = register.and_then(|register| images[channel.index()].decoded(&register));
        let sent = match decoded {
            Some((Decoded::Value(value), _)) => Some(value),
            _ => None,
        };
        Pair { true_value, sent }
    }
}
