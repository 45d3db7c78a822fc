//! What goes into the store with one commit: everything that was learned since the one before.

use std::collections::VecDeque;

use config::{Date, Province};
use historian::Historian;
use historian::alarms::{AlarmChange, Alarms};
use historian::counts::Share;
use historian::events::EventEntry;
use historian::snapshot::{MeteringSnapshot, Reads, Snapshot};
use historian::verdict_log::{Judgement, PollStats};
use signal::clock::{Jump, Timestamp};

use super::commands::{CommandsKept, Said};
use super::energy::{Counting, EnergyLine};
use crate::series::{Buffer, Sealed};

/// How often it is told how asking went, milliseconds.
const ASKED_EVERY_MS: i64 = 600_000;

/// History begins when every station was asked once, or at the latest after so long: before that
/// nothing is known, and that is no fault of any point.
const BEGIN_AFTER_MS: i64 = 10_000;

/// How long rows may be open, milliseconds: until then they are in the journal.
const OPEN_MS: i64 = 300_000;

/// Rows that may be in the journal, before they are compressed. When they are more, heads are sealed
/// early.
pub(super) const JOURNAL_BYTES_MAX: usize = 64 << 20;

/// What was learned up to a moment.
#[derive(Debug, Clone)]
pub struct Batch {
    /// A session begins with it: what came before was not kept, or nobody watched.
    pub begins: bool,
    /// Everything up to here is in it.
    pub until: Timestamp,
    /// Where time did not go on evenly since this run of the monitor began, oldest first; told with the
    /// batch that begins a session.
    pub jumps: Vec<Jump>,
    /// Changes of verdicts, in the order of time.
    pub judgements: Vec<Judgement>,
    /// Entries of the logs of events, each once; a gap again when it has become longer, and all that a log has when a
    /// session begins.
    pub events: Vec<EventEntry>,
    /// Which units record commands: what is news of it.
    pub commands: Vec<CommandsKept>,
    /// Since when, and how asking went, by channel id.
    pub asked: Option<(Timestamp, Vec<PollStats>)>,
    /// Figures of metering that are others than before.
    pub metering: Vec<MeterLine>,
    /// Counters of energy that stand otherwise than before: of the energy sold, and of plants.
    pub energy: Vec<EnergyLine>,
    /// Alarms that stand otherwise than before; when a session begins, also all that are open.
    pub alarms: Vec<AlarmChange>,
    /// Values, in chunks that nothing is added to any more.
    pub values: Vec<Sealed>,
    /// Values that are in no chunk yet ([`crate::series::fresh`]).
    pub fresh: Vec<u8>,
    /// What came before is in chunks, of this batch or an earlier one.
    pub open_from: Timestamp,
}

impl Batch {
    /// Nothing was learned up to a moment.
    pub fn empty(begins: bool, until: Timestamp) -> Self {
        Self {
            begins,
            until,
            jumps: Vec::new(),
            judgements: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            asked: None,
            metering: Vec::new(),
            energy: Vec::new(),
            alarms: Vec::new(),
            values: Vec::new(),
            fresh: Vec::new(),
            open_from: until,
        }
    }
}

/// Remote metering of a district or a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterLine {
    /// What it is about.
    pub kind: MeterKind,
    /// Its id in the contract.
    pub id: String,
    /// Whether its meters sell energy, and so count into coverage.
    pub sells: bool,
    /// Meters with a proven channel, of all.
    pub remote: Share,
    /// Of those that are not, how many nobody has counted: their station has told nothing since it was first asked.
    pub uncounted: u64,
    /// Daily reading.
    pub reads: Reads,
    /// Days that it is of: of the first pass, and of what was followed to its end.
    pub days: [Option<Date>; 2],
}

/// By what meters are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeterKind {
    /// By district: only those that sell energy.
    District,
    /// By class.
    Class,
}

impl MeterKind {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::District, Self::Class];

    /// The word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Class => "class",
        }
    }

    /// What a word of the store stands for.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Knows what was gathered last, so that nothing is gathered twice.
#[derive(Debug)]
pub struct Batcher {
    /// For each centre, the order of the next entry of its log, and how often a gap in it had become longer.
    next: Vec<(u64, u64)>,
    asked_from: Timestamp,
    metering: Vec<MeterLine>,
    commands: Said,
    energy: Counting,
    started: Timestamp,
    /// When something was last gathered.
    at: Option<Timestamp>,
    /// The next batch begins a session.
    begins: bool,
    /// Batches that have rows which are still open, and how many bytes of them.
    open: VecDeque<(Timestamp, usize)>,
    jumps: Vec<Jump>,
}

impl Batcher {
    /// Nothing was gathered before `started`.
    pub fn new(started: Timestamp) -> Self {
        let (next, metering, begins) = (Vec::new(), Vec::new(), true);
        let (open, jumps) = (VecDeque::new(), Vec::new());
        let commands = Said::default();
        let energy = Counting::default();
        Self {
            next,
            asked_from: started,
            metering,
            commands,
            energy,
            started,
            at: None,
            begins,
            open,
            jumps,
        }
    }

    /// The same, behind jumps of the clock: all of them since this run of the monitor began.
    pub fn behind(jumps: Vec<Jump>, started: Timestamp) -> Self {
        Self { jumps, ..Self::new(started) }
    }

    /// Something was not kept: the next batch says everything again.
    pub fn begin_anew(&mut self) {
        self.begins = true;
    }

    /// Whether it is time to gather again, `every_ms` after the last time.
    fn is_time(&self, snapshot: &Snapshot, every_ms: i64, last: bool) -> bool {
        if let Some(at) = self.at {
            return last || snapshot.at.since(at) >= every_ms;
        }
        let settled = snapshot.first_scan().lacking() == 0;
        settled || snapshot.at.since(self.started) >= BEGIN_AFTER_MS
    }

    /// What is new, when it is time to gather again: `every_ms` after the last time, or when no other
    /// snapshot will follow (`last`). `snapshot` is the historian's latest; when a session begins it is made
    /// again, so that it and the verdict log say the same.
    pub fn gather(
        &mut self,
        (historian, buffer, alarms): (&mut Historian, &mut Buffer, &mut Alarms),
        snapshot: &mut Snapshot,
        (every_ms, last): (i64, bool),
    ) -> Option<Batch> {
        self.energy.note(snapshot);
        if !self.is_time(snapshot, every_ms, last) {
            return None;
        }
        let until = snapshot.at;
        self.at = Some(until);
        let begins = std::mem::take(&mut self.begins);
        if begins {
            // The store may lack what was gathered last.
            (self.next, self.metering) = (Vec::new(), Vec::new());
            self.energy = Counting::default();
            historian.keep_verdict_log();
            *snapshot = historian.snapshot(until);
        }
        let is_time = until.since(self.asked_from) >= ASKED_EVERY_MS || last;
        let asked = is_time.then(|| {
            let from = std::mem::replace(&mut self.asked_from, until);
            (from, historian.take_asked())
        });
        let judgements = historian.take_judgements();
        let fresh = buffer.take_fresh();
        let open_from = self.seal(buffer, until, fresh.len(), last);
        let values = buffer.take_sealed();
        let (events, metering) = (self.events(snapshot), self.metering(snapshot));
        for (centre, (next, _)) in self.next.iter().enumerate() {
            historian.keep_events(centre, *next);
        }
        let energy = self.energy.news(snapshot, begins || last);
        let alarms = alarms.take_changes(begins);
        let jumps = if begins { self.jumps.clone() } else { Vec::new() };
        Some(Batch {
            begins,
            until,
            jumps,
            judgements,
            events,
            commands: self.commands.news(snapshot, begins),
            asked,
            metering,
            energy,
            alarms,
            values,
            fresh,
            open_from,
        })
    }

    /// Seals what has been open for long, so that the journal stays short. Returns from when on rows are
    /// open.
    fn seal(
        &mut self,
        buffer: &mut Buffer,
        until: Timestamp,
        fresh: usize,
        last: bool,
    ) -> Timestamp {
        if fresh > 0 {
            self.open.push_back((until, fresh));
        }
        let bytes: usize = self.open.iter().map(|(_, bytes)| bytes).sum();
        let oldest = if last || bytes > JOURNAL_BYTES_MAX {
            buffer.flush();
            None
        } else if self.open.is_empty() {
            // Nobody wants rows as they come.
            return until;
        } else {
            buffer.seal_before(until.plus(-OPEN_MS))
        };
        let open_from = oldest.unwrap_or(until.plus(1));
        while self.open.front().is_some_and(|(until, _)| *until < open_from) {
            self.open.pop_front();
        }
        open_from
    }

    fn events(&mut self, snapshot: &Snapshot) -> Vec<EventEntry> {
        self.next.resize(snapshot.events.len(), (0, 0));
        let mut new = Vec::new();
        for (log, (next, lengthened)) in snapshot.events.iter().zip(&mut self.next) {
            // A gap that is new comes as long as it is now.
            let known = log.longer_since(*lengthened).filter(|entry| entry.order < *next);
            new.extend(known);
            *lengthened = log.lengthened();
            if log.taken() > *next {
                new.extend(log.iter().filter(|entry| entry.order >= *next));
                *next = log.taken();
            }
        }
        new
    }

    fn metering(&mut self, snapshot: &Snapshot) -> Vec<MeterLine> {
        let lines = meter_lines(&snapshot.province, &snapshot.metering);
        let is_new = |line: &&MeterLine| !self.metering.contains(line);
        let new = lines.iter().filter(is_new).cloned().collect();
        self.metering = lines;
        new
    }
}

fn meter_lines(province: &Province, metering: &MeteringSnapshot) -> Vec<MeterLine> {
    let days = [metering.day, metering.final_day];
    let line =
        |(kind, id, sells): (MeterKind, &String, bool), (remote, uncounted), reads: &Reads| {
            MeterLine { kind, id: id.clone(), sells, remote, uncounted, reads: *reads, days }
        };
    let pairs = |remote: &[Share], uncounted: &[u64]| -> Vec<(Share, u64)> {
        remote.iter().copied().zip(uncounted.iter().copied()).collect()
    };
    let districts = pairs(&metering.districts, &metering.district_uncounted);
    let districts = province.districts.iter().zip(districts).zip(&metering.district_reads);
    let districts = districts
        .map(|((own, counted), reads)| line((MeterKind::District, &own.id, true), counted, reads));
    let classes = pairs(&metering.classes, &metering.class_uncounted);
    let classes = province.meter_classes.iter().zip(classes).zip(&metering.class_reads);
    let classes = classes
        .map(|((own, counted), reads)| line((MeterKind::Class, &own.id, own.sold), counted, reads));
    districts.chain(classes).collect()
}
