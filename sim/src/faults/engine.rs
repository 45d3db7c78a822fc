//! What is active when: faults start by script, by rate and by hand, and end in time or are cleared.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use config::{ChannelId, PointId, Province, utc_text};

use super::aiming::aimed;
use super::fault::{ACTIVE_MAX, Fault, FaultError, Injection, Planned, Touched};
use super::kind::FaultKind;
use super::rates::{Dice, Rates};
use super::records::Watched;
use super::truth::{Ending, Keep, TruthRecord};
use super::{records, registers, samples, wire};
use crate::chance::Chance;
use crate::plant::event::Event;
use crate::telemetry::image::{Image, SentSample};
use crate::telemetry::{Interference, Pair};

struct Active {
    fault: Fault,
    touched: Vec<Touched>,
    /// Its first record has been written.
    told: bool,
}

/// An active fault, for people.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ActiveFault {
    /// Its number.
    pub id: u32,
    /// Id of its kind, such as `T08`.
    pub kind: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What it is aimed at.
    pub target: String,
    /// Since when, UTC.
    pub from: String,
    /// Until when; `None` until it is cleared.
    pub until: Option<String>,
    /// Points that it affects, over all centres.
    pub points: usize,
}

/// The faults of a province.
pub struct Faults {
    province: Arc<Province>,
    next_id: u32,
    /// The moment of the first step.
    started_ms: Option<i64>,
    planned: Vec<Planned>,
    dice: Option<Dice>,
    active: Vec<Active>,
    /// For each channel the active faults that touch it, and where they say so.
    touching: Vec<Vec<(usize, usize)>>,
    /// For each channel the statuses that faults make up.
    watched: Vec<BTreeMap<PointId, Watched>>,
    keeps: Option<Keep>,
    records: Vec<TruthRecord>,
}

impl Faults {
    /// No faults yet.
    pub fn new(province: Arc<Province>) -> Self {
        let touching = vec![Vec::new(); province.channels.len()];
        Self {
            province,
            next_id: 1,
            started_ms: None,
            planned: Vec::new(),
            dice: None,
            active: Vec::new(),
            watched: vec![BTreeMap::new(); touching.len()],
            touching,
            keeps: None,
            records: Vec::new(),
        }
    }

    /// Takes the faults of a scenario, in place of those of the one before; what is active stays.
    pub fn plan(&mut self, planned: Vec<Planned>, rates: Option<Rates>) {
        self.planned = planned;
        self.dice = rates.map(|rates| Dice::new(&self.province, rates));
    }

    /// The moment of the first step.
    pub(crate) fn started_ms(&self) -> Option<i64> {
        self.started_ms
    }

    /// From now on every start and end leaves a record.
    pub fn keep_truth(&mut self, keep: Keep) {
        self.keeps = Some(keep);
    }

    /// The records since they were last taken.
    pub fn take_truth(&mut self) -> Vec<TruthRecord> {
        std::mem::take(&mut self.records)
    }

    /// Whether anything is active.
    pub fn any(&self) -> bool {
        !self.active.is_empty()
    }

    /// Ends and starts what is due. `pair` says of a point at a channel what is true and what is
    /// sent, as of the step before.
    pub fn step(&mut self, at_ms: i64, pair: &dyn Fn(ChannelId, PointId) -> Pair) {
        let first = *self.started_ms.get_or_insert(at_ms);
        let due = |active: &Active| active.fault.until_ms.is_some_and(|until| until <= at_ms);
        while let Some(n) = self.active.iter().position(due) {
            self.end(n, at_ms, Ending::Over, pair);
        }
        let mut starts = Vec::new();
        self.planned.retain(|planned| {
            let at = planned.start.at(first);
            if at <= at_ms {
                starts.push((at, planned.injection.clone()));
            }
            at > at_ms
        });
        starts.sort_by_key(|(at, _)| *at);
        if let Some(dice) = &mut self.dice {
            starts.extend(dice.thrown(&self.province, at_ms));
        }
        for (at, injection) in starts {
            let until = injection.for_ms.map(|ms| at.saturating_add(ms));
            if until.is_some_and(|until| until <= at_ms) {
                // It was over before the field began.
                continue;
            }
            if let Err(problem) = self.start(&injection, at_ms, until) {
                tracing::warn!("fault not started: {problem}");
            }
        }
    }

    /// Starts a fault now.
    ///
    /// # Errors
    /// When it cannot apply to its target, with the way out.
    pub fn inject(&mut self, injection: &Injection, at_ms: i64) -> Result<u32, FaultError> {
        let until = injection.for_ms.map(|ms| at_ms.saturating_add(ms));
        self.start(injection, at_ms, until)
    }

    fn start(
        &mut self,
        injection: &Injection,
        at_ms: i64,
        until_ms: Option<i64>,
    ) -> Result<u32, FaultError> {
        if self.active.len() >= ACTIVE_MAX {
            return Err(FaultError::TooMany);
        }
        let (touched, whole_station) = aimed(&self.province, injection)?;
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        let fault = Fault {
            id,
            kind: injection.kind,
            settings: injection.settings.clone(),
            from_ms: at_ms,
            until_ms,
            target: injection.target.trim().to_owned(),
            whole_station,
            chance: Chance::of(self.province.seed, &format!("fault {id}")),
        };
        tracing::info!(id, kind = injection.kind.id(), target = fault.target, "fault started");
        self.active.push(Active { fault, touched, told: false });
        self.index();
        Ok(id)
    }

    /// Ends a fault now.
    ///
    /// # Errors
    /// When no such fault is active.
    pub fn clear(
        &mut self,
        id: u32,
        at_ms: i64,
        pair: &dyn Fn(ChannelId, PointId) -> Pair,
    ) -> Result<(), FaultError> {
        let Some(n) = self.active.iter().position(|active| active.fault.id == id) else {
            let active = self.active.iter().take(20).map(|active| active.fault.id).collect();
            return Err(FaultError::NotActive { fault: id, active });
        };
        self.end(n, at_ms, Ending::Cleared, pair);
        Ok(())
    }

    fn end(
        &mut self,
        n: usize,
        at_ms: i64,
        ending: Ending,
        pair: &dyn Fn(ChannelId, PointId) -> Pair,
    ) {
        let Active { fault, touched, told } = self.active.remove(n);
        tracing::info!(id = fault.id, kind = fault.kind.id(), "fault ended");
        if let Some(keep) = self.keeps {
            if !told {
                let start = TruthRecord::started(&self.province, &fault, &touched, keep, pair);
                self.records.push(start);
            }
            let end = (at_ms, ending);
            let record = TruthRecord::ended(&self.province, &fault, &touched, end, (keep, pair));
            self.records.push(record);
        }
        self.index();
    }

    /// Writes the first records of what has started, now that it is laid out.
    pub fn tell(&mut self, pair: &dyn Fn(ChannelId, PointId) -> Pair) {
        let Some(keep) = self.keeps else { return };
        for active in self.active.iter_mut().filter(|active| !active.told) {
            active.told = true;
            let (fault, touched) = (&active.fault, &active.touched);
            let start = TruthRecord::started(&self.province, fault, touched, keep, pair);
            self.records.push(start);
        }
    }

    fn index(&mut self) {
        for touching in &mut self.touching {
            touching.clear();
        }
        for (n, active) in self.active.iter().enumerate() {
            for (m, touched) in active.touched.iter().enumerate() {
                self.touching[touched.channel.index()].push((n, m));
            }
        }
    }

    /// Points that active faults affect at a channel, each with the faults' numbers.
    pub fn affecting(&self, channel: ChannelId, point: PointId) -> Vec<u32> {
        let touching = self.touching[channel.index()].iter();
        touching
            .filter(|(n, m)| self.active[*n].touched[*m].points.contains(&point))
            .map(|(n, _)| self.active[*n].fault.id)
            .collect()
    }

    /// What is active, oldest first.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.active
            .iter()
            .map(|Active { fault, touched, .. }| ActiveFault {
                id: fault.id,
                kind: fault.kind.id(),
                name: fault.kind.spec().name(config::Lang::En),
                target: fault.target.clone(),
                from: utc_text(fault.from_ms),
                until: fault.until_ms.map(utc_text),
                points: touched.iter().map(|touched| touched.points.len()).sum(),
            })
            .collect()
    }
}

impl Interference for Faults {
    /// Whether a fault touches a channel, or has until just now.
    fn touch(&self, channel: ChannelId) -> bool {
        let n = channel.index();
        !self.touching[n].is_empty() || !self.watched[n].is_empty()
    }

    /// What a channel sends of each point, given what is true. Costs nothing without a fault.
    fn samples<'a>(
        &mut self,
        channel: ChannelId,
        at_ms: i64,
        samples: &'a [SentSample],
    ) -> Cow<'a, [SentSample]> {
        let mut sent = Cow::Borrowed(samples);
        let station = self.province.channels[channel.index()].station;
        let station = &self.province.stations[station.index()];
        let watched = &mut self.watched[channel.index()];
        for watched in watched.values_mut() {
            watched.touched = false;
        }
        for (n, m) in &self.touching[channel.index()] {
            let Active { fault, touched, .. } = &mut self.active[*n];
            if !samples::changes_samples(fault.kind, &fault.settings) {
                continue;
            }
            samples::apply(fault, &mut touched[*m], station, at_ms, sent.to_mut());
            for point in &touched[*m].points {
                if records::makes_up(fault.kind, &station.points[point.index()]) {
                    let said = records::code(samples[point.index()].value);
                    let new = Watched { said, sent: said, touched: true };
                    watched.entry(*point).or_insert(new).touched = true;
                }
            }
        }
        for (point, watched) in watched {
            watched.sent = records::code(sent[point.index()].value);
        }
        sent
    }

    /// What a channel can be asked for, given the image without faults.
    fn image(&mut self, channel: ChannelId, at_ms: i64, image: Image) -> Image {
        let mut image = image;
        let station = self.province.channels[channel.index()].station;
        let station = &self.province.stations[station.index()];
        let contract = &self.province.channels[channel.index()];
        for (n, m) in &self.touching[channel.index()] {
            let Active { fault, touched, .. } = &mut self.active[*n];
            registers::apply(fault, &mut touched[*m], (station, contract), at_ms, &mut image);
            wire::apply(fault, &touched[*m], &mut image);
        }
        image
    }

    /// The records that a channel sends, given the true changes of its station after the first and
    /// up to the second moment of `span`, in the order in which they are sent. Must be called once for
    /// each step, after the samples. Costs nothing without a fault.
    fn alter_events<'a>(
        &mut self,
        channel: ChannelId,
        span: (i64, i64),
        events: &'a [Event],
    ) -> Cow<'a, [Event]> {
        let mut sent = Cow::Borrowed(events);
        let id = self.province.channels[channel.index()].station;
        let station = &self.province.stations[id.index()];
        for (n, m) in &self.touching[channel.index()] {
            let Active { fault, touched, .. } = &self.active[*n];
            if records::changes_events(fault.kind) {
                records::apply(fault, &touched[*m], (id, station), span, sent.to_mut());
            }
        }
        let watched = &mut self.watched[channel.index()];
        if !watched.is_empty() {
            records::follow(watched, id, span.1, sent.to_mut());
        }
        sent
    }

    /// What the clock of a unit shows at a moment, as a channel sees it.
    fn clock(&self, channel: ChannelId, unit: u8, at_ms: i64) -> i64 {
        let touching = self.touching[channel.index()].iter();
        touching.fold(at_ms, |shown, (n, m)| {
            let Active { fault, touched, .. } = &self.active[*n];
            let is_hit = fault.kind == FaultKind::WrongClock && touched[*m].units.contains(&unit);
            if is_hit { records::told(fault, shown) } else { shown }
        })
    }
}
