//! The voltage of busbars: how long it was within its limits, of the time in which it is known.
//!
//! A voltage transformer that has lost a fuse shows nothing, or three phases that contradict each other, on a bus
//! that is alive: that is *not known*, never 0 kV. A bus without voltage is dead only when something else says so,
//! too: no current, or a miniature circuit breaker of the transformer that is closed.

use config::{Bay, CentreId, Decoded, Flags, PointId, Scan, Station};
use historian::counts::Share;
use signal::clock::{DAY_MS, Timestamp};

use super::energy::Source;
use super::figure::{Figure, Remark, What};
use super::window::Span;
use crate::StoreError;

/// Voltage may depart from its nominal value by this share (Vietnamese grid code, ±5 %).
const TOLERANCE: f64 = 0.05;
/// Below this share of the nominal voltage there is none.
const DEAD: f64 = 0.10;
/// Phase to phase voltages that differ by more than this share of the nominal one contradict each other: a lost
/// fuse takes 42 % off two of them.
const PHASES_APART: f64 = 0.10;
/// Current above which a bay carries load, share of full scale.
const CURRENT_FLOWS: f64 = 0.03;

/// Stretches that are told of a busbar at most.
const STRETCHES_MAX: usize = 1_000;

/// How the voltage of a busbar was over a window.
#[derive(Debug, Clone, PartialEq)]
pub struct BusVoltage {
    /// Station.
    pub station: String,
    /// Bay.
    pub bay: String,
    /// Nominal voltage, kV.
    pub level: u16,
    /// Milliseconds within ±5 %, of those in which the bus was alive and its voltage known.
    within: Share,
    /// Milliseconds in which the bus was dead: known, and in no other figure.
    dead_ms: u64,
    /// Milliseconds in which it is known whether it was alive and at which voltage, of the whole window.
    known: Share,
    /// Milliseconds in which the measurement contradicts itself or its neighbours: a voltage transformer
    /// that has lost a fuse.
    doubtful_ms: u64,
    /// Lowest and highest known voltage, kV.
    range: Option<(f64, f64)>,
    /// When it was in doubt, or dead.
    stretches: Vec<(What, Span)>,
}

impl BusVoltage {
    /// Milliseconds within ±5 %, of those in which the bus was alive.
    pub fn within(&self) -> Figure<Share> {
        self.figure((self.within.want > 0).then_some(self.within))
    }

    /// Lowest and highest voltage while it was alive, kV.
    pub fn range(&self) -> Figure<(f64, f64)> {
        self.figure(self.range)
    }

    /// Milliseconds in which the bus was dead.
    pub fn dead_ms(&self) -> Figure<u64> {
        self.figure((self.known.have > 0).then_some(self.dead_ms))
    }

    /// Milliseconds in which what is measured contradicts itself: known of all time in which anything came.
    pub fn doubtful_ms(&self) -> Figure<u64> {
        let seen = self.known.have + self.doubtful_ms;
        if seen == 0 {
            return Figure::unknown(self.known.want);
        }
        Figure::new(self.doubtful_ms, Share::new(seen, self.known.want))
    }

    fn figure<T>(&self, value: Option<T>) -> Figure<T> {
        let figure = match value {
            Some(value) => Figure::new(value, self.known),
            None => Figure::untold(self.known),
        };
        figure.with(self.stretches.iter().map(|(what, span)| Remark {
            at: span.from,
            until: Some(span.to),
            place: format!("{}.{}.{}", self.station, self.level, self.bay),
            what: *what,
        }))
    }

    /// Whether anything came.
    pub(super) fn has_values(&self) -> bool {
        self.known.have + self.doubtful_ms > 0
    }

    /// Adds what came behind, by the contract of that time.
    pub(super) fn add(&mut self, later: &Self) {
        self.within += later.within;
        self.known += later.known;
        self.dead_ms += later.dead_ms;
        self.doubtful_ms += later.doubtful_ms;
        let ranges = [self.range, later.range].into_iter().flatten();
        self.range = ranges.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        for (what, span) in &later.stretches {
            self.remember(*what, *span);
        }
    }

    fn remember(&mut self, what: What, span: Span) {
        let goes_on = |(same, last): &&mut (What, Span)| *same == what && last.to == span.from;
        if let Some((_, last)) = self.stretches.last_mut().filter(goes_on) {
            last.to = span.to;
        } else if self.stretches.len() < STRETCHES_MAX {
            self.stretches.push((what, span));
        }
    }
}

/// What is known of a bus for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Nothing came, or it was marked as not good.
    Unknown,
    /// What came cannot be.
    Doubtful,
    /// Without voltage.
    Dead,
    /// kV.
    Alive(f64),
}

/// What is measured at a bus.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Phase to phase: AB, BC, CA.
    phases: [Option<f64>; 3],
    /// Whether the miniature circuit breaker of its voltage transformer tripped.
    has_tripped: Option<bool>,
}

impl Seen {
    /// `flows`: whether current flows in a bay of the bus, when that is known.
    fn state(&self, nominal: f64, flows: Option<bool>) -> State {
        let Some(kv) = self.phases[0] else { return State::Unknown };
        if self.has_tripped == Some(true) {
            return State::Doubtful;
        }
        let known = self.phases.iter().flatten();
        let (low, high) = known.fold((kv, kv), |(low, high), kv| (low.min(*kv), high.max(*kv)));
        if high - low > PHASES_APART * nominal {
            return State::Doubtful;
        }
        if kv > DEAD * nominal {
            return State::Alive(kv);
        }
        match (flows, self.has_tripped) {
            (Some(false), _) | (None, Some(false)) => State::Dead,
            // Current flows, or nothing tells whether the bus is dead or its measurement.
            (Some(true) | None, _) => State::Doubtful,
        }
    }
}

/// No value stands longer than this.
const LONGEST_MS: i64 = 900_000;

/// A value that stands from one moment to another.
type Stood = (Span, Option<f64>);

/// The bus section that a bay measures its voltage at: the bay of its voltage transformer.
pub(super) fn bus_of(station: &Station, bay: usize) -> Option<usize> {
    let own = &station.bays[bay];
    let is_same = |other: &Bay| other.level == own.level && other.section == own.section;
    let bus = station.points.iter().find(|point| {
        point.spec.id == "UAB"
            && station.bays[point.bay].name.starts_with('C')
            && is_same(&station.bays[point.bay])
    });
    bus.map(|point| point.bay)
}

/// Whether a bay is a busbar of medium voltage.
pub(super) fn is_busbar(bay: &Bay) -> bool {
    bay.name.starts_with('C') && (1..110).contains(&bay.level)
}

/// Follows the voltage of a busbar: hands on each stretch of `span`, and what is known of it.
fn follow(
    source: &Source<'_>,
    bus: usize,
    span: Span,
    mut each: impl FnMut(Span, State),
) -> Result<(), StoreError> {
    let station = source.station;
    let nominal = f64::from(station.bays[bus].level);
    // A day at a time, so that a year takes no more memory than a day.
    let mut from = span.from;
    while from < span.to {
        let day = Span::new(from, from.plus(DAY_MS).min(span.to));
        from = day.to;
        let phases = ["UAB", "UBC", "UCA"].map(|id| source.find(bus, id));
        let mut series: Vec<Vec<Stood>> = Vec::new();
        for point in phases.into_iter().chain([source.find(bus, "VT.MCB")]) {
            series.push(point.map_or(Ok(Vec::new()), |point| stood(source, point, day))?);
        }
        let loads = source.loads(bus);
        for (point, _) in &loads {
            series.push(stood(source, *point, day)?);
        }
        let mut edges: Vec<Timestamp> =
            series.iter().flatten().flat_map(|(span, _)| [span.from, span.to]).collect();
        edges.extend([day.from, day.to]);
        edges.sort_unstable();
        edges.dedup();
        let mut places = vec![0; series.len()];
        for pair in edges.windows(2) {
            let span = Span::new(pair[0], pair[1]);
            let values: Vec<Option<f64>> = series
                .iter()
                .zip(&mut places)
                .map(|(series, place)| {
                    while series.get(*place).is_some_and(|(own, _)| own.to <= span.from) {
                        *place += 1;
                    }
                    let (own, value) = series.get(*place)?;
                    value.filter(|_| own.from <= span.from)
                })
                .collect();
            let seen = Seen {
                phases: [values[0], values[1], values[2]],
                has_tripped: values[3].map(|code| code > 0.5),
            };
            let currents: Vec<(f64, f64)> = values[4..]
                .iter()
                .zip(&loads)
                .filter_map(|(amps, (_, full))| Some(((*amps)?, *full)))
                .collect();
            let flows = currents.iter().any(|(amps, full)| *amps > CURRENT_FLOWS * full);
            let flows = if flows || currents.len() == loads.len() && !loads.is_empty() {
                Some(flows)
            } else {
                None
            };
            each(span, seen.state(nominal, flows));
        }
    }
    Ok(())
}

/// The values of a point, each as long as it stands: until the next one, but not beyond the time after
/// which it is old. Behind what the store knows nothing stands. How long that is follows from the values near it,
/// so that it is the same whichever window is asked for.
fn stood(source: &Source<'_>, point: PointId, span: Span) -> Result<Vec<Stood>, StoreError> {
    let spec = &source.station.points[point.index()];
    let scan = spec.spec.scan.unwrap_or(Scan::Slow);
    let mut values: Vec<(Timestamp, Option<f64>)> = Vec::new();
    // As far as it matters how far values are apart.
    let wide = Span::new(span.from.plus(-3 * LONGEST_MS), span.to.plus(LONGEST_MS));
    source.values(point, wide, |value| {
        let good = value.flags.is_none_or(Flags::is_good);
        let known = match value.value {
            Decoded::Value(now) if good => Some(now),
            _ => None,
        };
        let real = |now: &f64| spec.range.is_none_or(|(low, high)| (low..=high).contains(now));
        values.push((value.at, known.filter(real)));
    })?;
    let apart: Vec<i64> = values.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect();
    let old = source.province.scan.old_after_ms(scan);
    let scans = i64::from(source.province.scan.stale_after);
    let mut all: Vec<Stood> = Vec::new();
    for (n, (from, value)) in values.iter().enumerate() {
        // A recording may have read it more rarely than the contract says: as rarely as values come near it.
        // Those that are further apart than one stands at most say nothing of how often it is read, nor does what lies
        // before them.
        let before = apart[..n].iter().rev().take(2).take_while(|ms| **ms <= LONGEST_MS);
        let behind = apart.get(n).filter(|ms| **ms <= LONGEST_MS);
        let usual = before.chain(behind).copied().min().unwrap_or(0);
        let longest = old.max(usual.saturating_mul(scans)).min(LONGEST_MS);
        let until = values.get(n + 1).map_or(Timestamp(i64::MAX), |(next, _)| *next);
        let own = Span::new(*from, until.min(from.plus(longest))).and(span);
        let Some(value) = value.filter(|_| own.length() > 0) else { continue };
        match all.last_mut() {
            Some((last, same)) if last.to == own.from && *same == Some(value) => last.to = own.to,
            _ => all.push((own, Some(value))),
        }
    }
    source.not_old(point, source.watched(all))
}

/// How the voltage of a busbar was.
pub(super) fn voltage(source: &Source<'_>, bus: usize) -> Result<BusVoltage, StoreError> {
    let bay = &source.station.bays[bus];
    let nominal = f64::from(bay.level);
    let span = source.own;
    let kept = source.kept;
    let mut all = BusVoltage {
        station: source.station.id.clone(),
        bay: bay.name.clone(),
        level: bay.level,
        within: Share::default(),
        dead_ms: 0,
        known: Share::new(0, span.length().unsigned_abs()),
        doubtful_ms: 0,
        range: None,
        stretches: Vec::new(),
    };
    follow(source, bus, kept, |span, state| {
        let ms = span.length().unsigned_abs();
        match state {
            State::Unknown => {}
            State::Doubtful => {
                all.doubtful_ms += ms;
                all.remember(What::VoltageInDoubt, span);
            }
            State::Dead => {
                all.remember(What::BusDead, span);
                all.dead_ms += ms;
                all.known.have += ms;
            }
            State::Alive(kv) => {
                let is_within = (kv / nominal - 1.0).abs() <= TOLERANCE + 1e-9;
                all.within += Share::new(if is_within { ms } else { 0 }, ms);
                all.known.have += ms;
                let (low, high) = all.range.unwrap_or((kv, kv));
                all.range = Some((low.min(kv), high.max(kv)));
            }
        }
    })?;
    Ok(all)
}

/// When the voltage transformer of a busbar contradicts itself: whatever measures with it is not known.
pub(super) fn doubtful(
    source: &Source<'_>,
    bus: usize,
    span: Span,
) -> Result<Vec<Span>, StoreError> {
    let mut all: Vec<Span> = Vec::new();
    follow(source, bus, span, |span, state| {
        if state != State::Doubtful {
            return;
        }
        match all.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => all.push(span),
        }
    })?;
    Ok(all)
}

impl Source<'_> {
    /// The currents of the bays of a bus section, and their full scales, A.
    fn loads(&self, bus: usize) -> Vec<(PointId, f64)> {
        let own = &self.station.bays[bus];
        let points = self.station.points.iter().enumerate();
        points
            .filter(|(_, point)| point.spec.id == "IA")
            .filter(|(_, point)| {
                let bay = &self.station.bays[point.bay];
                let carries = matches!(bay.role_digit(), Some('3' | '7'));
                carries && bay.level == own.level && bay.section == own.section
            })
            .filter_map(|(n, point)| {
                let (full, point) = (point.full_scale()?, PointId::at(n));
                self.centre(point).map(|_: CentreId| (point, full))
            })
            .collect()
    }
}
