//! The truth log: which fault, which points at which centre, from when until when.

use std::collections::BTreeMap;

use config::{ChannelId, Lang, PointId, Province, utc_text};
use serde::Serialize;

use super::fault::{Fault, Touched};
use crate::telemetry::Pair;

/// How much of the truth is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Faults and the points that they affect.
    Points,
    /// The same, and of each point the true value beside the one that was sent.
    Values,
}

/// How a fault ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its time was over.
    Over,
    /// Somebody cleared it.
    Cleared,
}

/// One line of the truth log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthRecord {
    /// Number of the fault.
    pub fault: u32,
    /// Id of its kind.
    pub kind: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What it counts as.
    pub class: &'static str,
    /// `started`, `ended` in time, or `cleared` by hand.
    pub state: &'static str,
    /// What it was aimed at.
    pub target: String,
    /// Its parameters.
    pub parameters: BTreeMap<&'static str, String>,
    /// When it began, UTC.
    pub from: String,
    /// When it is to end, or ended; `None` when that is open.
    pub until: Option<String>,
    /// The points affected, centre by centre.
    pub centres: Vec<CentreTruth>,
}

/// The points that a fault affects at one centre.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CentreTruth {
    /// Centre id.
    pub id: String,
    /// Point ids.
    pub points: Vec<String>,
    /// Of each point the true value and the one that was sent, where that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<[Option<f64>; 2]>>,
}

type Known<'a> = (Keep, &'a dyn Fn(ChannelId, PointId) -> Pair);

impl TruthRecord {
    pub(crate) fn started(
        province: &Province,
        fault: &Fault,
        touched: &[Touched],
        keep: Keep,
        pair: &dyn Fn(ChannelId, PointId) -> Pair,
    ) -> Self {
        let until = fault.until_ms.map(utc_text);
        Self::of(province, fault, ("started", until), touched, (keep, pair))
    }

    pub(crate) fn ended(
        province: &Province,
        fault: &Fault,
        touched: &[Touched],
        (at_ms, ending): (i64, Ending),
        known: Known<'_>,
    ) -> Self {
        let state = if ending == Ending::Over { "ended" } else { "cleared" };
        Self::of(province, fault, (state, Some(utc_text(at_ms))), touched, known)
    }

    fn of(
        province: &Province,
        fault: &Fault,
        (state, until): (&'static str, Option<String>),
        touched: &[Touched],
        (keep, pair): Known<'_>,
    ) -> Self {
        let spec = fault.kind.spec();
        let mut centres: Vec<CentreTruth> = Vec::new();
        for touched in touched {
            let channel = &province.channels[touched.channel.index()];
            let station = &province.stations[channel.station.index()];
            let id = &province.centres[channel.centre.index()].id;
            if centres.last().is_none_or(|last| last.id != *id) {
                let values = (keep == Keep::Values).then(Vec::new);
                centres.push(CentreTruth { id: id.clone(), points: Vec::new(), values });
            }
            let Some(centre) = centres.last_mut() else { continue };
            for point in &touched.points {
                centre.points.push(station.points[point.index()].id.clone());
                if let Some(values) = &mut centre.values {
                    let Pair { true_value, sent } = pair(touched.channel, *point);
                    values.push([Some(true_value).filter(|x| x.is_finite()), sent]);
                }
            }
        }
        Self {
            fault: fault.id,
            kind: spec.id,
            name: spec.name(Lang::En),
            class: spec.class.word(),
            state,
            target: fault.target.clone(),
            parameters: fault.settings.written().into_iter().collect(),
            from: utc_text(fault.from_ms),
            until,
            centres,
        }
    }

    /// The line of the log, without its end.
    pub fn line(&self) -> String {
        // Nothing in a record can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
