//! Actions come true in the plant.

use super::{Field, OrderError};
use crate::orders::PlantAction;
use crate::plant::act::What;
use crate::target::bay_id;

impl Field {
    /// Lets something happen to the plant, at a moment that is still to come.
    pub fn happen(&mut self, at_ms: i64, action: PlantAction) {
        match action {
            PlantAction::Strike { station, bay, fault } => self.strike(at_ms, station, bay, fault),
            PlantAction::Set { station, point, code } => self.set(at_ms, station, point, code),
            PlantAction::Dip { hertz, for_ms } => {
                let until_ms = at_ms.saturating_add(for_ms);
                // The frequency is that of the whole grid: any station stands for it.
                self.telemetry.plant.later(at_ms, 0, What::Dip { hertz, until_ms });
            }
        }
    }

    /// Lets something happen at once; the moment, UTC milliseconds since 1970.
    ///
    /// # Errors
    /// When the field has not begun, or a short circuit would find nothing live.
    pub(crate) fn happen_now(
        &mut self,
        at_ms: i64,
        action: PlantAction,
    ) -> Result<i64, OrderError> {
        // What the field has lived through is past.
        let at_ms = at_ms.max(self.telemetry.at_ms.ok_or(OrderError::NotBegun)? + 1);
        if let PlantAction::Strike { station, bay, .. } = action
            && !self.telemetry.plant.feels(station.index(), bay)
        {
            let bay = bay_id(&self.province().stations[station.index()], bay);
            return Err(OrderError::Dead { bay });
        }
        self.happen(at_ms, action);
        Ok(at_ms)
    }

    /// Lets happen what the script has for the time up to `at_ms`.
    pub(crate) fn follow_script(&mut self, at_ms: i64) {
        let first = self.faults.started_ms().unwrap_or(at_ms);
        let last = self.telemetry.at_ms;
        let mut due = Vec::new();
        self.planned.retain(|planned| {
            let at = planned.start.at(first);
            if at <= at_ms {
                due.push((at, planned.action));
            }
            at > at_ms
        });
        due.sort_by_key(|(at, _)| *at);
        for (at, action) in due {
            match action {
                // What was set before the field began stands so from its first moment.
                PlantAction::Set { station, point, code } if last.is_none() => {
                    self.telemetry.plant.stations[station.index()].set(point.index(), code);
                }
                // Lightning of the past has struck already.
                PlantAction::Strike { .. } if at < last.unwrap_or(at_ms) => {}
                _ => self.happen(last.map_or(at, |last| at.max(last)), action),
            }
        }
    }
}
