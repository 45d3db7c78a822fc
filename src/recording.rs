//! A recording: field, collector and historian in a time of their own, as fast as the machine can.
//!
//! Nothing is imitated. The field is the simulator's, the channels are asked by the tasks of the
//! collector, and a station answers as its server does, faults of the wire included; only sockets
//! and waiting are left out (`line`). Stations and tasks live in one thread (`stations`), historian
//! and sink in that of the caller. What is recorded is a function of province, seed, scenario and
//! window, whatever the machine is doing.

mod cost;
mod line;
mod stations;
mod tally;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use collector::plan::{Plan, layouts, plans};
use config::{Province, Scan};
use historian::Historian;
use historian::snapshot::Snapshot;
use historian::today::Today;
use signal::clock::Timestamp;
use signal::update::Update;
use sim::Plans;

pub use cost::Cost;
use cost::{Stopwatch, cpu_seconds, share};
use stations::Stations;
pub use tally::{CentreTally, RecordingTally};

/// The field lives so long at a time.
const SECOND_MS: i64 = 1_000;

/// Who keeps what is recorded.
pub trait Sink {
    /// Takes an update. They come in the order of their time.
    ///
    /// # Errors
    /// When it cannot be kept; that ends the recording.
    fn accept(&mut self, update: &Update) -> io::Result<()>;

    /// Takes the verdicts of a moment, once for each scan, after the updates up to it, and what the
    /// historian has written down. `last` says that no other will follow.
    ///
    /// # Errors
    /// When they cannot be kept; that ends the recording.
    fn judged(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        last: bool,
    ) -> io::Result<()>;
}

/// The province as it is recorded: no scan class is read more often than once in `seconds`, and a
/// value is old after as many of these longer scans as the contract says.
#[must_use]
pub fn stretched(mut province: Province, seconds: f64) -> Province {
    province.scan = province.scan.at_least(seconds);
    province
}

/// A recording that goes on from another one begins so long before it: at its first moment every
/// station has been asked, so that nothing lies between the two.
const WARM_UP_MS: i64 = 60_000;

/// The stretch of time that is recorded: whole seconds, from the first up to but not including the
/// last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// The stations live from here on ...
    begins: Timestamp,
    /// ... and what comes of it is recorded from here on.
    from: Timestamp,
    until: Timestamp,
}

/// A recording under way. It goes on as it is told to, step by step.
pub struct Recording {
    stations: Stations,
    historian: Historian,
    /// Whoever watched would have judged by the contract of the day.
    today: Today,
    window: Window,
    next: Timestamp,
    /// How long the field lives at a time, milliseconds.
    step_ms: i64,
    /// Milliseconds between two judgements: the shortest period of a scan class.
    judged_every: i64,
    tally: RecordingTally,
    /// Time on the clock for judging and for keeping.
    judging: Duration,
    keeping: Duration,
    /// Processor seconds of the caller's thread before.
    cpu_before: Option<f64>,
}

impl Recording {
    /// Begins to record a province, mostly as [`stretched`] makes it, from a moment up to but not
    /// including another one, both cut to whole seconds. Of `to_come` the speed means nothing; faults
    /// come at the rates of their table unless its scenario has rates of its own.
    pub fn start(province: &Arc<Province>, to_come: Plans, window: (Timestamp, Timestamp)) -> Self {
        Self::in_steps(province, to_come, window, (1, false))
    }

    /// The same, going on from one that ended at the first moment: every station has been asked by then.
    pub fn going_on(
        province: &Arc<Province>,
        to_come: Plans,
        (from, until): (Timestamp, Timestamp),
    ) -> Self {
        Self::in_steps(province, to_come, (from, until), (1, true))
    }

    /// The same with a field that lives `step_s` seconds at a time, 1 to 300: a second for everything that
    /// happens, more for what is counted alone; `goes_on` from a recording that ended at the first moment.
    pub fn in_steps(
        province: &Arc<Province>,
        to_come: Plans,
        (from, until): (Timestamp, Timestamp),
        (step_s, goes_on): (u16, bool),
    ) -> Self {
        let step_s = step_s.clamp(1, 300);
        let step_ms = i64::from(step_s) * SECOND_MS;
        let warm_up = if goes_on { WARM_UP_MS.max(step_ms) } else { 0 };
        let window = Window { begins: from.plus(-warm_up), from, until };
        let whole = |at: Timestamp| Timestamp(at.0.div_euclid(SECOND_MS) * SECOND_MS);
        let Window { begins, from, until } = window;
        let window = Window { begins: whole(begins), from: whole(from), until: whole(until) };
        let plans: Vec<Arc<Plan>> = plans(province);
        let layouts = layouts(&plans);
        let today = Today::at(Arc::clone(province), window.begins);
        let periods = Scan::ALL.iter().map(|scan| province.scan.milliseconds(*scan));
        Self {
            stations: Stations::start(province, &plans, to_come, (window, step_s)),
            historian: Historian::new(today.contract(), &layouts, window.begins),
            today,
            next: window.begins,
            step_ms,
            window,
            judged_every: periods.min().unwrap_or(SECOND_MS).max(SECOND_MS),
            tally: RecordingTally::new(province, &layouts, window.from),
            judging: Duration::ZERO,
            keeping: Duration::ZERO,
            cpu_before: cpu_seconds(),
        }
    }

    /// How far it has come: everything before this moment is recorded.
    pub fn reached(&self) -> Timestamp {
        self.next.max(self.window.from)
    }

    /// Records one more step, and says whether there is another one.
    ///
    /// # Errors
    /// When `sink` cannot keep something, or the stations are gone.
    pub fn step(&mut self, sink: &mut impl Sink) -> io::Result<bool> {
        if self.next >= self.window.until {
            return Ok(false);
        }
        let second = self.stations.next()?;
        let mut watch = Stopwatch::start();
        self.next = self.next.plus(self.step_ms).min(self.window.until);
        if self.next <= self.window.from {
            return self.warm_up(&second.updates, sink);
        }
        self.tally.count_changes(second.changes);
        for update in &second.updates {
            self.historian.accept(update);
        }
        self.judging += watch.lap();
        for update in &second.updates {
            self.tally.count(update);
            sink.accept(update)?;
        }
        drop(second);
        self.keeping += watch.lap();
        let is_last = self.next >= self.window.until;
        if is_last || self.next.since(self.window.from) % self.judged_every < self.step_ms {
            self.judge(sink, false)?;
        }
        Ok(!is_last)
    }

    /// Takes what comes before the first moment: the historian knows it, and nobody else.
    fn warm_up(&mut self, updates: &[Update], sink: &mut impl Sink) -> io::Result<bool> {
        for update in updates {
            self.historian.accept(update);
        }
        if self.next == self.window.from {
            self.historian.take_asked();
            self.judge(sink, false)?;
        }
        Ok(true)
    }

    /// The one place where verdicts are asked for.
    fn judge(&mut self, sink: &mut impl Sink, last: bool) -> io::Result<()> {
        let mut watch = Stopwatch::start();
        if let Some(contract) = self.today.turn(self.next) {
            self.historian.judge_by(contract);
        }
        let mut snapshot = self.historian.snapshot(self.next);
        self.judging += watch.lap();
        self.tally.judge(&snapshot);
        sink.judged(&mut self.historian, &mut snapshot, last)?;
        drop(snapshot);
        self.keeping += watch.lap();
        Ok(())
    }

    /// Ends the recording, wherever it is, and says what came of it and what it cost.
    ///
    /// # Errors
    /// When `sink` cannot keep the last of it.
    pub fn end(mut self, sink: &mut impl Sink) -> io::Result<(RecordingTally, Cost)> {
        if self.next >= self.window.from {
            self.judge(sink, true)?;
        }
        let cpu = cpu_seconds().zip(self.cpu_before).map(|(now, before)| now - before);
        let stations = self.stations.end();
        let (field, collector) = share(stations.cpu, stations.field, stations.asking);
        let (historian, sink) = share(cpu, self.judging, self.keeping);
        Ok((self.tally, Cost { field, collector, historian, sink }))
    }
}
