//! Events: what each unit recorded, put in order by the time at which it happened.
//!
//! A record is believed when it carries its own number. One that does not was overwritten before it
//! was read, or the unit has lost it: a gap, which is kept as an entry of its own between the
//! records round it. A number that came before is a duplicate and changes nothing, and so is a record that a
//! unit which began anew tells once more, whatever number it has now.
//!
//! The time of a record is believed when nothing speaks against it: the looks at the ring between which it came
//! (`historian/src/looks.rs`), and where these leave it open, the counter of seconds in the header and the
//! unit's own word on its clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{ChannelId, Flags, PointId};
use signal::clock::{DAY_MS, Timestamp};
use signal::events::{HeadSeen, LogHead, Numbered, Record, Tail};
use signal::layout::{Content, Layout};

use super::clocks::{ClockOffset, ClockWindow};
use super::heartbeat::Beat;
use super::looks::{Allowance, BEHIND_MS, Looks};

/// Entries that are kept for each centre; those that happened longest ago go first. A stormy evening
/// in ten stations has some thousands; at about 100 bytes each they take 2 MB.
pub const ENTRIES_MAX: usize = 20_000;
/// Entries that are kept together: a snapshot that is still shown makes the next entry copy so many.
const CHUNK_MAX: usize = 256;

/// A time later than its record can have been made is wrong when it is so much later, milliseconds:
/// clocks that are synchronised agree to less.
const AHEAD_MS: i64 = 2_000;
/// Looks so close together, milliseconds, prove the time of a record that came between them, whatever the clock
/// of its unit says later.
const BOUND_MS: i64 = 60_000;
/// No ring has records that are older than this, milliseconds: ten years. Clocks that began again do.
const ANCIENT_MS: i64 = 10 * 365 * DAY_MS;

/// Something that a unit told, or should have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventEntry {
    /// Station and centre.
    pub channel: ChannelId,
    /// Unit id.
    pub unit: u8,
    /// Where it stands in the order: when it happened by the unit's clock, or when it came if that
    /// cannot be right.
    pub at: Timestamp,
    /// Tells entries of the same time apart: the order in which a centre took them.
    pub order: u64,
    /// When it came.
    pub arrived: Timestamp,
    /// What it is.
    pub what: Happening,
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening {
    /// A status took another code, or something came of a command.
    Change(Change),
    /// Records that never came.
    Lost(RecordGap),
}

/// A change of a status, as its unit recorded it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Number of the record in its unit.
    pub number: u32,
    /// What the source calls the point.
    pub address: u16,
    /// Which status that is; `None` when the contract has none there.
    pub point: Option<PointId>,
    /// The code that the record before it told; `None` when that did not come.
    pub before: Option<u16>,
    /// Its new code; of a command what came of it ([`config::commands`]).
    pub value: u16,
    /// When, by the unit's clock.
    pub source: Timestamp,
    /// What the device says against it.
    pub flags: Flags,
    /// Whether the unit holds its clock to be synchronised.
    pub synchronised: bool,
    /// Why the time cannot be right.
    pub doubt: Option<TimeDoubt>,
}

/// Why a time cannot be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeDoubt {
    /// It is later than the moment at which the record was there.
    Ahead,
    /// It is earlier than a moment at which the record was not there.
    Behind,
}

impl TimeDoubt {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Ahead, Self::Behind];

    /// The word in stores and JSON, stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Behind => "behind",
        }
    }
}

/// Records that never came: numbers that were overwritten before they were read, or that the unit
/// itself has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordGap {
    /// How many; 0: nobody knows how many.
    pub count: u32,
    /// Time of the last record before them; where nobody knows how many, the last look at which none was missing.
    pub after: Option<Timestamp>,
    /// Time of the first record behind them.
    pub before: Option<Timestamp>,
}

/// How many records came, and how many did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct EventCounts {
    /// Records that came.
    pub received: u64,
    /// Records that were overwritten before they were read, or lost by their unit, where it is known how many.
    pub lost: u64,
    /// Times that records may have been lost and nobody knows how many.
    pub uncounted: u64,
    /// Records that came again.
    pub duplicates: u64,
}

impl std::ops::AddAssign for EventCounts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.lost += other.lost;
        self.uncounted += other.uncounted;
        self.duplicates += other.duplicates;
    }
}

/// The events of a unit as one centre has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceEvents {
    /// Number of the newest record that the unit has told of.
    pub newest: u32,
    /// Records that it has told of and that are still to be read.
    pub pending: u32,
    /// Records that came, and that did not.
    pub counts: EventCounts,
    /// How far its clock is off ours.
    pub clock: Option<ClockOffset>,
    /// Whether it holds its clock to be synchronised.
    pub synchronised: bool,
    /// Whether it records what comes of commands: where it does not, nobody knows how many there
    /// were.
    pub commands: bool,
}

/// The entries of a centre in the order in which they happened. Immutable chunks are shared between
/// snapshots, so a snapshot costs nothing and an entry one chunk.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    chunks: Vec<Arc<Vec<EventEntry>>>,
    len: usize,
    taken: u64,
    /// Gaps that became longer after they were taken, the latest last, and how often any did.
    longer: Vec<(Timestamp, u64)>,
    lengthened: u64,
    /// Whoever keeps the log has all before this order; `None`: nobody keeps it.
    kept: Option<u64>,
}

/// Gaps that became longer which a log remembers: who keeps a log looks every second.
const LONGER_MAX: usize = 256;

impl EventLog {
    /// Entries that are there.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many entries were ever taken; an entry's order is one of these.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How often a gap became longer after it was taken.
    pub fn lengthened(&self) -> u64 {
        self.lengthened
    }

    /// The gaps that became longer since that had happened so many times.
    pub fn longer_since(&self, times: u64) -> impl Iterator<Item = &EventEntry> {
        let new = usize::try_from(self.lengthened.saturating_sub(times)).unwrap_or(usize::MAX);
        let first = self.longer.len().saturating_sub(new);
        self.longer[first..].iter().filter_map(|(at, order)| self.find(*at, *order))
    }

    /// The entries, those that happened first first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &EventEntry> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The entry at a place and order, as the entry itself has them.
    pub fn find(&self, at: Timestamp, order: u64) -> Option<&EventEntry> {
        let (chunk, place) = self.place((at, order))?;
        self.chunks[chunk].get(place).filter(|entry| (entry.at, entry.order) == (at, order))
    }

    /// Whether it is news that all before an order is kept.
    pub(super) fn is_to_keep(&self, order: u64) -> bool {
        self.kept != Some(order) || self.len > ENTRIES_MAX
    }

    /// Whoever keeps the log has all entries before an order: only these are forgotten from now on, so that what is old
    /// when it comes is kept before a full log has no room for it.
    pub(super) fn keep(&mut self, order: u64) {
        self.kept = Some(order);
        let is_kept = |entry: &EventEntry| entry.order < order;
        while self.len > ENTRIES_MAX {
            let mut chunks = self.chunks.iter().enumerate();
            let first = chunks.find_map(|(n, chunk)| Some((n, chunk.iter().position(is_kept)?)));
            let Some((chunk, place)) = first else { return };
            self.forget(chunk, place);
        }
    }

    /// Most entries that are there: those that are not kept yet stay for the moment.
    fn most(&self) -> usize {
        if self.kept.is_some() { 2 * ENTRIES_MAX } else { ENTRIES_MAX }
    }

    /// Whether a unit told of this change before: its time, address and code.
    fn has_told(
        &self,
        (channel, unit): (ChannelId, u8),
        source: Timestamp,
        (address, value): (u16, u16),
    ) -> bool {
        let Some((chunk, place)) = self.place((source, 0)) else { return false };
        let behind = self.chunks[chunk..].iter().flat_map(|chunk| chunk.iter()).skip(place);
        let mut of_time = behind.take_while(|entry| entry.at == source);
        let is_same = |entry: &EventEntry| match entry.what {
            Happening::Change(told) => {
                (entry.channel, entry.unit) == (channel, unit)
                    && (told.source, told.address, told.value) == (source, address, value)
            }
            Happening::Lost(_) => false,
        };
        of_time.any(is_same)
    }

    /// Whether an entry of that time stays: a full log forgets what comes before all others.
    fn keeps(&self, at: Timestamp) -> bool {
        self.len < self.most() || self.iter().next().is_none_or(|first| first.at <= at)
    }

    /// Puts an entry where it belongs and gives it its order, which is returned.
    fn take(&mut self, mut entry: EventEntry) -> u64 {
        entry.order = self.taken;
        self.taken += 1;
        self.insert(entry);
        if self.len > self.most() {
            self.forget(0, 0);
        }
        entry.order
    }

    fn insert(&mut self, entry: EventEntry) {
        let (chunk, place) = self.place((entry.at, entry.order)).unwrap_or_else(|| {
            self.chunks.push(Arc::default());
            (0, 0)
        });
        let entries = Arc::make_mut(&mut self.chunks[chunk]);
        entries.insert(place, entry);
        if entries.len() > CHUNK_MAX {
            // What comes in order fills the new chunk, and leaves full ones behind.
            let keep = if place == CHUNK_MAX { CHUNK_MAX } else { CHUNK_MAX / 2 };
            let rest = entries.split_off(keep);
            self.chunks.insert(chunk + 1, Arc::new(rest));
        }
        self.len += 1;
    }

    fn forget(&mut self, chunk: usize, place: usize) {
        let Some(entries) = self.chunks.get_mut(chunk) else { return };
        Arc::make_mut(entries).remove(place);
        if entries.is_empty() {
            self.chunks.remove(chunk);
        }
        self.len -= 1;
    }

    /// Changes a gap that is still there, and puts it where it belongs then.
    fn change(&mut self, (at, order): (Timestamp, u64), change: impl FnOnce(&mut EventEntry)) {
        if self.find(at, order).is_none() {
            return;
        }
        let Some((chunk, place)) = self.place((at, order)) else { return };
        let entries = Arc::make_mut(&mut self.chunks[chunk]);
        let mut entry = entries.remove(place);
        if entries.is_empty() {
            self.chunks.remove(chunk);
        }
        self.len -= 1;
        change(&mut entry);
        self.insert(entry);
    }

    /// Chunk and place in it where an entry stands or belongs. `None` when there is no chunk yet.
    fn place(&self, key: (Timestamp, u64)) -> Option<(usize, usize)> {
        let is_before = |entry: &EventEntry| (entry.at, entry.order) < key;
        let behind = |chunk: &Arc<Vec<EventEntry>>| chunk.last().is_some_and(is_before);
        let chunk = self.chunks.partition_point(behind).min(self.chunks.len().checked_sub(1)?);
        Some((chunk, self.chunks[chunk].partition_point(is_before)))
    }
}

/// The events of a channel.
pub(super) struct ChannelEvents {
    channel: ChannelId,
    units: Vec<DeviceState>,
}

/// What is known of the records of a unit.
struct DeviceState {
    unit: u8,
    /// It has shown a head.
    is_there: bool,
    looks: Looks,
    allowance: Allowance,
    tail: Tail,
    /// Records up to this number may have come before it began anew, with another one.
    retold: u32,
    /// Time of the last record of this life against which nothing speaks, by a clock that was synchronised.
    vouched: Option<Timestamp>,
    counts: EventCounts,
    clock: ClockWindow,
    synchronised: bool,
    commands: bool,
    /// The last look at which all records had come.
    complete: Option<Timestamp>,
    /// Time of the last record that came.
    last: Option<Timestamp>,
    /// The gap behind it, as long as no other record has come.
    gap: Option<(Timestamp, u64)>,
    /// Codes that the last records told, by what the source calls their points.
    codes: BTreeMap<u16, u16>,
    /// Records that came without a number.
    told: u32,
}

impl ChannelEvents {
    pub(super) fn new(id: ChannelId, layout: &Layout) -> Self {
        let logs = layout.groups.iter().filter(|group| group.content == Content::Events);
        let units = logs.map(|group| DeviceState::new(group.device)).collect();
        Self { channel: id, units }
    }

    /// Takes the head of a unit's log, that was asked for and came at these moments. Returns how it came.
    pub(super) fn see(
        &mut self,
        unit: u8,
        head: &LogHead,
        when: (Timestamp, Timestamp),
        log: &mut Arc<EventLog>,
    ) -> Option<Beat> {
        let unit = self.units.iter_mut().find(|own| own.unit == unit)?;
        Some(unit.see(head, self.channel, when, log))
    }

    /// Takes records of a unit that came then.
    pub(super) fn take(
        &mut self,
        unit: u8,
        records: &[Numbered],
        arrived: Timestamp,
        log: &mut Arc<EventLog>,
    ) {
        let Some(unit) = self.units.iter_mut().find(|own| own.unit == unit) else { return };
        for record in records {
            unit.take((self.channel, arrived), record, log);
        }
    }

    /// Takes changes that a unit told of without numbers, and that came then: it has no more of them than came.
    pub(super) fn tell(
        &mut self,
        unit: u8,
        changes: &[Record],
        arrived: Timestamp,
        log: &mut Arc<EventLog>,
    ) {
        let Some(unit) = self.units.iter_mut().find(|own| own.unit == unit) else { return };
        unit.is_there = true;
        for record in changes {
            unit.told = unit.told.saturating_add(1);
            unit.add((self.channel, arrived), unit.told, *record, log);
        }
    }

    /// What a unit's events look like; `None` when it has shown none.
    pub(super) fn of_unit(&self, id: u8) -> Option<DeviceEvents> {
        let state = self.units.iter().find(|state| state.unit == id)?;
        state.is_there.then(|| DeviceEvents {
            newest: state.tail.newest(),
            pending: state.tail.pending(),
            counts: state.counts,
            clock: state.clock.offset(),
            synchronised: state.synchronised,
            commands: state.commands,
        })
    }
}

impl DeviceState {
    fn new(unit: u8) -> Self {
        Self {
            unit,
            is_there: false,
            looks: Looks::default(),
            allowance: Allowance::default(),
            tail: Tail::default(),
            retold: 0,
            vouched: None,
            counts: EventCounts::default(),
            clock: ClockWindow::default(),
            synchronised: true,
            commands: false,
            complete: None,
            last: None,
            gap: None,
            codes: BTreeMap::new(),
            told: 0,
        }
    }

    fn see(
        &mut self,
        header: &LogHead,
        channel: ChannelId,
        (asked, heard): (Timestamp, Timestamp),
        log: &mut Arc<EventLog>,
    ) -> Beat {
        let was_read = self.tail.pending() == 0;
        match self.tail.see(header, heard) {
            HeadSeen::Overwritten(0) if was_read && self.tail.pending() == 0 => {
                self.complete = Some(asked);
            }
            HeadSeen::First | HeadSeen::Overwritten(0) => {}
            HeadSeen::Overwritten(count) => self.lose(count, (channel, heard), log),
            HeadSeen::Anew => self.begin_anew(header),
            HeadSeen::Astray => {
                self.begin_anew(header);
                self.lose_track((channel, heard), log);
            }
        }
        self.is_there = true;
        self.clock.read(header.alive, asked, heard);
        let agrees = self.clock_doubt().is_none();
        (self.synchronised, self.commands) = (header.synchronised, header.commands);
        self.looks.take(header, (asked, heard), self.tail.passed(), agrees)
    }

    fn begin_anew(&mut self, header: &LogHead) {
        self.clock.forget();
        self.codes.clear();
        self.looks.begin_anew();
        self.retold = header.newest;
        (self.vouched, self.last, self.gap) = (None, None, None);
    }

    /// Takes one record.
    fn take(
        &mut self,
        (channel, arrived): (ChannelId, Timestamp),
        numbered: &Numbered,
        log: &mut Arc<EventLog>,
    ) {
        let number = numbered.number;
        if number <= self.tail.passed() {
            self.counts.duplicates += 1;
            return;
        }
        let skipped = number - self.tail.passed() - 1;
        self.tail.pass(number);
        if skipped > 0 {
            self.lose(skipped, (channel, arrived), log);
        }
        let Some(record) = numbered.record else {
            self.lose(1, (channel, arrived), log);
            return;
        };
        self.add((channel, arrived), number, record, log);
    }

    /// Adds a record to the log.
    fn add(
        &mut self,
        (channel, arrived): (ChannelId, Timestamp),
        number: u32,
        record: Record,
        log: &mut Arc<EventLog>,
    ) {
        let Record { origin: address, point, is_command, code: value, source, flags, synchronised } =
            record;
        if number <= self.retold && log.has_told((channel, self.unit), source, (address, value)) {
            self.counts.duplicates += 1;
            self.vouched = self.vouched.max(synchronised.then_some(source));
            return;
        }
        if !self.allowance.take(arrived) {
            self.lose(1, (channel, arrived), log);
            return;
        }
        // What a command came to before says nothing of what it comes to now.
        let before = (!is_command).then(|| self.codes.insert(address, value)).flatten();
        let doubt = self.doubt((number, source), synchronised, arrived);
        let change =
            Change { number, address, point, before, value, source, flags, synchronised, doubt };
        self.counts.received += 1;
        // Records that one look showed stand together, however many replies brought them.
        let told = self.looks.there(number).unwrap_or(arrived);
        let at = if doubt.is_some() { told } else { source };
        self.end_gap(at, source, log);
        self.last = Some(at);
        let (unit, what) = (self.unit, Happening::Change(change));
        Arc::make_mut(log).take(EventEntry { channel, unit, at, order: 0, arrived, what });
    }

    /// Holds the time of a record against when it was there, and when it was not yet; where that leaves it open,
    /// against the unit's clock as it is now, and as the unit says that it was.
    fn doubt(
        &mut self,
        (number, source): (u32, Timestamp),
        is_synchronised: bool,
        arrived: Timestamp,
    ) -> Option<TimeDoubt> {
        let there = self.looks.there(number).unwrap_or(arrived);
        if source.since(there) > AHEAD_MS {
            return Some(TimeDoubt::Ahead);
        }
        let not_before = self.looks.not_before(number);
        if not_before.is_some_and(|from| source < from) || arrived.since(source) > ANCIENT_MS {
            return Some(TimeDoubt::Behind);
        }
        if not_before.is_none_or(|from| there.since(from) > BOUND_MS) {
            // A clock that is off now, and is no longer held to be right, may have been right then.
            let was_right = is_synchronised && !self.synchronised;
            if let Some(doubt) = self.clock_doubt().filter(|_| !was_right) {
                return Some(doubt);
            }
            let is_behind_other = |other: Timestamp| other.since(source) <= BEHIND_MS;
            let vouched = self.vouched.is_some_and(is_behind_other);
            if !is_synchronised && not_before.is_none() && !vouched {
                return Some(TimeDoubt::Behind);
            }
        }
        self.vouched = self.vouched.max(is_synchronised.then_some(source));
        None
    }

    /// What the counter of seconds in the header says against the unit's clock.
    fn clock_doubt(&self) -> Option<TimeDoubt> {
        let ClockOffset { ms, within_ms } = self.clock.offset()?;
        let is_behind = ms + within_ms < -BEHIND_MS;
        let is_ahead = ms - within_ms > AHEAD_MS;
        is_behind.then_some(TimeDoubt::Behind).or(is_ahead.then_some(TimeDoubt::Ahead))
    }

    /// Records may have been lost since all had come, and nobody knows how many.
    fn lose_track(&mut self, (channel, arrived): (ChannelId, Timestamp), log: &mut Arc<EventLog>) {
        self.counts.uncounted += 1;
        let after = self.complete.or(self.looks.last());
        let what = Happening::Lost(RecordGap { count: 0, after, before: None });
        let (unit, at) = (self.unit, arrived);
        let order =
            Arc::make_mut(log).take(EventEntry { channel, unit, at, order: 0, arrived, what });
        self.gap = Some((at, order));
    }

    /// Records that will never come.
    fn lose(
        &mut self,
        count: u32,
        (channel, arrived): (ChannelId, Timestamp),
        log: &mut Arc<EventLog>,
    ) {
        // What a status was before the next record is not known any more.
        self.codes.clear();
        let log = Arc::make_mut(log);
        let is_open =
            |entry: &EventEntry| matches!(entry.what, Happening::Lost(RecordGap { count: 0, .. }));
        // Where nobody knows how many, these are among them.
        if self.gap.and_then(|(at, order)| log.find(at, order)).is_some_and(is_open) {
            return;
        }
        self.counts.lost += u64::from(count);
        if let Some(gap) = self.gap {
            log.change(gap, |entry| {
                if let Happening::Lost(gap) = &mut entry.what {
                    gap.count = gap.count.saturating_add(count);
                    entry.arrived = arrived;
                }
            });
            log.lengthened += 1;
            if log.longer.len() == LONGER_MAX {
                log.longer.remove(0);
            }
            log.longer.push(gap);
            return;
        }
        // Before all that a full log keeps it would be gone at once.
        let at = self.last.filter(|last| log.keeps(*last)).unwrap_or(arrived);
        let what = Happening::Lost(RecordGap { count, after: self.last, before: None });
        let unit = self.unit;
        let order = log.take(EventEntry { channel, unit, at, order: 0, arrived, what });
        self.gap = Some((at, order));
    }

    /// A record has come behind the gap: it stands at `at`, and says that it is of `source`.
    fn end_gap(&mut self, at: Timestamp, source: Timestamp, log: &mut Arc<EventLog>) {
        let Some(gap) = self.gap.take() else { return };
        let keeps = log.keeps(at);
        Arc::make_mut(log).change(gap, |entry| {
            if let Happening::Lost(gap) = &mut entry.what {
                gap.before = Some(source);
                // Without a record before it, it stands before the one behind it.
                entry.at = if gap.after.is_none() && keeps { at } else { entry.at };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector::answers::Decoder;
    use collector::plan::{self, plan};
    use collector::poll::{Exchange, Poll};
    use config::{Encoding, PointKind, Province, RegisterTable, blocks, commands};
    use proptest::prelude::*;
    use signal::update::Outcome;

    const START: i64 = 1_669_188_727_000;

    /// A unit of the first channel, the records in its ring, and who reads them.
    struct Bench {
        decoder: Decoder,
        events: ChannelEvents,
        log: Arc<EventLog>,
        block: usize,
        unit: u8,
        /// A status of the unit with two bits, and its address.
        status: (PointId, u16),
    }

    impl Bench {
        fn new() -> Self {
            let province = Province::built_in();
            let channel = &province.channels[0];
            let plan = Arc::new(plan(&province, channel));
            let is_log = |block: &plan::Block| block.content == plan::BlockContent::Events;
            let block = plan.blocks.iter().position(is_log).unwrap();
            let unit = plan.blocks[block].unit;
            let points = &province.stations[channel.station.index()].points;
            let status = channel.entries.iter().zip(points).enumerate().find_map(|(n, (e, p))| {
                let register = e.register.filter(|register| register.unit == unit)?;
                (p.spec.kind == PointKind::DoublePoint)
                    .then_some((PointId::at(n), register.address))
            });
            let events = ChannelEvents::new(ChannelId::at(0), &plan.layout);
            let decoder = Decoder::new(&province, channel, &plan);
            Self { decoder, events, log: Arc::default(), block, unit, status: status.unwrap() }
        }

        fn poll(&mut self, at: i64, offset: u16, cells: &[u16]) {
            let mut reply = vec![0; Exchange::REPLY_HEAD];
            reply.extend(cells.iter().flat_map(|cell| cell.to_be_bytes()));
            let (reply, took_us) = (reply.into(), 4_000);
            let exchange = Exchange { at: Timestamp(at), took_us, reply, ..Exchange::default() };
            let count = u16::try_from(cells.len()).unwrap();
            let (block, in_parts) = (self.block, false);
            let poll = Poll { block, offset, count, fault: None, in_parts, exchange };
            for answer in self.decoder.answers(vec![poll]) {
                let when = (answer.evidence.at, answer.evidence.heard());
                match answer.outcome {
                    Outcome::LogHead(head) => {
                        self.events.see(self.unit, &head, when, &mut self.log);
                    }
                    Outcome::Records(records) => {
                        self.events.take(self.unit, &records, when.1, &mut self.log);
                    }
                    _ => {}
                }
            }
        }

        fn header(&mut self, at: i64, oldest: u16, newest: u16) {
            self.header_of((at, at), (0, 1), (oldest, newest));
        }

        /// A header of a unit with that clock, restarts and word on its clock.
        fn header_of(
            &mut self,
            (at, clock): (i64, i64),
            (restarts, word): (u16, u16),
            (oldest, newest): (u16, u16),
        ) {
            let alive = u16::try_from((clock / 1_000) & 0xFFFF).unwrap();
            let (marker, version) = (blocks::MARKER, blocks::VERSION);
            let ring = blocks::EVENT_RECORDS;
            let cells = [marker, version, 7, 7, alive, restarts, 0, newest, 0, oldest, word, ring];
            self.poll(at, 0, &cells);
        }

        fn records(&mut self, at: i64, first: u16, records: &[[u16; 8]]) {
            let offset = blocks::EVENT_RING - blocks::EVENT_HEADER + (first - 1) % 1_024 * 8;
            self.poll(at, offset, records.as_flattened());
        }

        fn record(&self, number: u16, value: u16, source: i64) -> [u16; 8] {
            let word = |n: usize| {
                let bytes = source.to_be_bytes();
                u16::from_be_bytes([bytes[2 * n], bytes[2 * n + 1]])
            };
            let kind = 0x8000 | 0x0200;
            [number, kind, self.status.1, value, word(0), word(1), word(2), word(3)]
        }

        /// The same by a clock that was not synchronised.
        fn unsynchronised(&self, number: u16, value: u16, source: i64) -> [u16; 8] {
            let mut record = self.record(number, value, source);
            record[1] |= 0x2000;
            record
        }

        /// Where records stand and what is said against their times.
        fn doubts(&self) -> Vec<(u32, i64, Option<TimeDoubt>)> {
            let told = |entry: &EventEntry| match entry.what {
                Happening::Change(change) => Some((change.number, entry.at.0, change.doubt)),
                Happening::Lost(_) => None,
            };
            self.log.iter().filter_map(told).collect()
        }

        fn counts(&self) -> (u64, u64, u64) {
            let EventCounts { received, lost, duplicates, .. } =
                self.events.of_unit(self.unit).unwrap().counts;
            (received, lost, duplicates)
        }

        fn changes(&self) -> Vec<Change> {
            let change = |entry: &EventEntry| match entry.what {
                Happening::Change(change) => Some(change),
                Happening::Lost(_) => None,
            };
            self.log.iter().filter_map(change).collect()
        }

        fn gaps(&self) -> Vec<RecordGap> {
            let gap = |entry: &EventEntry| match entry.what {
                Happening::Lost(gap) => Some(gap),
                Happening::Change(_) => None,
            };
            self.log.iter().filter_map(gap).collect()
        }
    }

    #[test]
    fn a_record_becomes_a_change_of_its_point_with_what_it_was_before() {
        let mut bench = Bench::new();
        bench.header(START, 1, 2);
        let records = [bench.record(1, 1, START - 900), bench.record(2, 2, START - 480)];
        bench.records(START + 20, 1, &records);
        let [first, second] = bench.changes()[..] else { panic!("two changes") };
        assert_eq!(first.point, Some(bench.status.0));
        assert_eq!((first.before, first.value), (None, 1));
        assert_eq!((second.before, second.value), (Some(1), 2));
        assert_eq!((second.number, second.source), (2, Timestamp(START - 480)));
        assert_eq!((second.doubt, second.synchronised, second.flags), (None, true, Flags::GOOD));
        assert_eq!(bench.counts(), (2, 0, 0));
        bench.records(START + 40, 1, &records);
        assert_eq!(bench.counts(), (2, 0, 2), "they came before");
        assert_eq!(bench.log.len(), 2);
    }

    #[test]
    fn what_was_overwritten_or_lost_is_a_gap_between_its_neighbours() {
        let mut bench = Bench::new();
        bench.header(START, 1, 1);
        let record = bench.record(1, 1, START - 900);
        bench.records(START + 20, 1, &[record]);
        // 2 to 10 are gone, 12 was lost by the unit, 13 is overwritten while it is asked for.
        bench.header(START + 5_000, 11, 14);
        let late = START + 4_000;
        let mut overwritten = bench.record(13, 1, late + 2);
        overwritten[0] += 1_024;
        let records =
            [bench.record(11, 2, late), [0; 8], overwritten, bench.record(14, 2, late + 3)];
        bench.records(START + 5_020, 11, &records);
        assert_eq!(bench.counts(), (3, 11, 0));
        let gap = |count, after, before| {
            let (after, before) = (Some(Timestamp(after)), Some(Timestamp(before)));
            RecordGap { count, after, before }
        };
        assert_eq!(bench.gaps(), [gap(9, START - 900, late), gap(2, late, late + 3)]);
        assert_eq!(bench.changes()[1].before, None, "nobody knows what it was before");
    }

    #[test]
    fn a_gap_without_a_record_before_it_stands_before_the_one_behind_it() {
        let mut bench = Bench::new();
        bench.header(START, 1, 3);
        bench.records(START + 20, 1, &[[0; 8], [0; 8]]);
        let at = bench.log.iter().next().unwrap().at;
        assert_eq!(at, Timestamp(START + 24), "when that was known");
        let record = bench.record(3, 2, START - 900);
        bench.records(START + 40, 3, &[record]);
        let found: Vec<_> = bench.log.iter().map(|entry| (entry.at.0, entry.order)).collect();
        assert_eq!(found, [(START - 900, 0), (START - 900, 1)]);
        let before = Some(Timestamp(START - 900));
        assert_eq!(bench.gaps(), [RecordGap { count: 2, after: None, before }]);
    }

    #[test]
    fn a_time_that_cannot_be_is_marked_and_does_not_order() {
        let mut bench = Bench::new();
        bench.header(START, 1, 1);
        let old = bench.record(1, 1, START - 86_400_000);
        bench.records(START + 20, 1, &[old]);
        bench.header(START + 2_000, 1, 5);
        let records = [
            bench.record(2, 2, START + 3_600_000),
            bench.record(3, 1, START - 60_000),
            bench.record(4, 2, 5_000),
            bench.record(5, 1, START + 500),
        ];
        bench.records(START + 2_020, 2, &records);
        let doubts: Vec<(u32, Option<TimeDoubt>)> =
            bench.changes().iter().map(|change| (change.number, change.doubt)).collect();
        let (ahead, behind) = (Some(TimeDoubt::Ahead), Some(TimeDoubt::Behind));
        let expected = [(1, None), (5, None), (2, ahead), (3, behind), (4, behind)];
        assert_eq!(doubts, expected, "history may be old, news may not");
    }

    #[test]
    fn what_a_gateway_shows_that_hung_is_exact() {
        let mut bench = Bench::new();
        for n in 0..3 {
            bench.header(START + n * 2_000, 0, 0);
        }
        for n in 3..200 {
            bench.header_of((START + n * 2_000, START + 4_000), (0, 1), (0, 0));
        }
        let shown = START + 400_000;
        let times: Vec<i64> = (0..40).map(|n| START + 10_000 + n * 9_000).collect();
        // Read over several scans, behind further headers.
        for (n, first) in [(0, 1), (1, 16), (2, 31)] {
            bench.header(shown + n * 2_000, 1, 40);
            let own = (first..=40_u16).take(15);
            let records: Vec<_> =
                own.map(|n| bench.record(n, n % 2 + 1, times[usize::from(n) - 1])).collect();
            bench.records(shown + n * 2_000 + 20, first, &records);
        }
        let exact: Vec<_> = (1..=40_u32).zip(&times).map(|(n, at)| (n, *at, None)).collect();
        assert_eq!(bench.doubts(), exact);
    }

    #[test]
    fn records_that_one_look_showed_stand_together_when_their_clock_is_wrong() {
        let mut bench = Bench::new();
        let slow = |at: i64| at - 3_600_000;
        bench.header_of((START, slow(START)), (0, 1), (0, 0));
        bench.header_of((START + 2_000, slow(START + 2_000)), (0, 1), (0, 0));
        let shown = START + 60_000;
        for (n, first) in [(0, 1), (1, 16), (2, 31)] {
            let at = shown + n * 2_000;
            bench.header_of((at, slow(at)), (0, 1), (1, 40));
            let own = (first..=40_u16).take(15);
            let records: Vec<_> = own
                .map(|n| bench.record(n, 1, slow(shown - 41_000) + 1_000 * i64::from(n)))
                .collect();
            bench.records(at + 20, first, &records);
        }
        let behind = |number| (number, shown + 4, Some(TimeDoubt::Behind));
        assert_eq!(bench.doubts(), (1..=40).map(behind).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_look_at_a_ring_believes_no_time_that_its_unit_does_not_vouch_for() {
        const HOUR: i64 = 3_600_000;
        // The counter of seconds begins again after 18.2 hours: what is behind by more than half may look ahead.
        let (ahead, behind) = (Some(TimeDoubt::Ahead), Some(TimeDoubt::Behind));
        // Clock of the unit, its word on it, word of the record, its age, what is said against it.
        let table = [
            ("right", 0, 1, true, 24 * HOUR, None),
            ("right, and was not held to be", 0, 1, false, 24 * HOUR, behind),
            ("12 minutes behind", -12 * HOUR / 60, 0, false, HOUR, behind),
            ("17 hours behind, and says nothing of it", -17 * HOUR, 1, true, 17 * HOUR, ahead),
            ("36 hours behind", -36 * HOUR, 0, false, 36 * HOUR, ahead),
            ("2 hours ahead", 2 * HOUR, 1, true, HOUR, ahead),
            ("lost its time after the record", -36 * HOUR, 0, true, 24 * HOUR, None),
            ("behind since 2020", -25_000 * HOUR, 0, false, 25_000 * HOUR, behind),
        ];
        for (what, off, word, is_synchronised, age, doubt) in table {
            let mut bench = Bench::new();
            bench.header_of((START, START + off), (0, word), (1, 1));
            let source = START - age;
            let record = if is_synchronised {
                bench.record(1, 1, source)
            } else {
                bench.unsynchronised(1, 1, source)
            };
            bench.records(START + 20, 1, &[record]);
            let at = if doubt.is_some() { START + 4 } else { source };
            assert_eq!(bench.doubts(), [(1, at, doubt)], "{what}");
        }
        // Behind one whose clock was right, one that was not synchronised any more is as good as its place.
        let mut bench = Bench::new();
        bench.header(START, 1, 3);
        let records = [
            bench.record(1, 1, START - HOUR),
            bench.unsynchronised(2, 2, START - HOUR + 60_000),
            bench.unsynchronised(3, 1, START - 9 * HOUR),
        ];
        bench.records(START + 20, 1, &records);
        let at = [START - HOUR, START - HOUR + 60_000, START + 4];
        assert_eq!(bench.doubts(), [(1, at[0], None), (2, at[1], None), (3, at[2], behind)]);
    }

    #[test]
    fn a_unit_that_begins_anew_tells_nothing_of_the_time_before_but_what_it_told_then() {
        // Its clock lost its time with the restart, or it did not; its numbers go on, begin again, or are others.
        for (off, first) in [(0, 1), (0, 3), (0, 500), (-90_000_000, 1), (-90_000_000, 500)] {
            let mut bench = Bench::new();
            bench.header(START, 1, 2);
            let old = [bench.record(1, 1, START - 900_000), bench.record(2, 2, START - 600_000)];
            bench.records(START + 20, 1, &old);
            bench.header(START + 2_000, 1, 2);
            let shown = START + 32_000;
            let (from, to) = (first, first + 4);
            bench.header_of((shown, shown + off), (1, u16::from(off == 0)), (from, to));
            let records = [
                bench.record(from, 1, START - 900_000),
                bench.record(from + 1, 2, START - 600_000),
                // Nothing of this was there when it was looked at last.
                bench.unsynchronised(from + 2, 1, START - 50_000),
                bench.unsynchronised(from + 3, 2, START - 40_000),
                bench.unsynchronised(to, 1, shown - 3_000 + off),
            ];
            bench.records(shown + 20, from, &records);
            let own: Vec<_> = bench.doubts().into_iter().skip(2).collect();
            let (behind, first) = (Some(TimeDoubt::Behind), u32::from(first));
            let (at, doubt) = if off == 0 { (shown - 3_000, None) } else { (shown + 4, behind) };
            let mut expected = vec![(first + 2, shown + 4, behind), (first + 3, shown + 4, behind)];
            expected.insert(if off == 0 { 0 } else { 2 }, (first + 4, at, doubt));
            assert_eq!(own, expected, "{off} {first}");
            assert_eq!(bench.counts(), (5, 0, 2), "what it told before is told again");
        }
    }

    #[test]
    fn a_unit_that_begins_anew_is_no_loss() {
        let mut bench = Bench::new();
        bench.header(START, 1, 3);
        let records = [1, 2, 3].map(|n| bench.record(n, 1, START - 100));
        bench.records(START + 20, 1, &records);
        bench.header(START + 2_000, 1, 1);
        let record = bench.record(1, 2, START + 1_500);
        bench.records(START + 2_020, 1, &[record]);
        assert_eq!(bench.counts(), (4, 0, 0));
        assert_eq!(bench.events.of_unit(bench.unit).unwrap().newest, 1);
    }

    #[test]
    fn numbers_that_leap_or_run_back_are_lost_track_of_and_never_counted() {
        let mut bench = Bench::new();
        bench.header(START, 1, 3);
        let records = [1, 2, 3].map(|n| bench.record(n, 1, START - 900 + i64::from(n)));
        bench.records(START + 20, 1, &records);
        bench.header(START + 1_000, 1, 3);
        // One header is garbled; what is read then carries other numbers.
        let garbled = [0xFFFF; 2];
        let alive = u16::try_from(((START + 2_000) / 1_000) & 0xFFFF).unwrap();
        let (marker, version, ring) = (blocks::MARKER, blocks::VERSION, blocks::EVENT_RECORDS);
        let [new, new_low] = garbled;
        let cells = [marker, version, 7, 7, alive, 0, new, new_low, 0, 1, 1, ring];
        bench.poll(START + 2_000, 0, &cells);
        bench.records(START + 2_020, 1, &[[0; 8], [0; 8]]);
        bench.header(START + 3_000, 1, 4);
        let more = bench.record(4, 2, START + 2_500);
        bench.records(START + 3_020, 1, &[records[0], records[1], records[2], more]);
        assert_eq!(bench.counts(), (4, 0, 3));
        assert_eq!(bench.doubts().last(), Some(&(4, START + 2_500, None)));
        // From the last look at which none was missing on; how many, nobody knows.
        let told: Vec<_> = bench.gaps().iter().map(|gap| (gap.count, gap.after)).collect();
        assert_eq!(told, [(0, Some(Timestamp(START + 1_000))); 2]);
        assert_eq!(bench.events.of_unit(bench.unit).unwrap().counts.uncounted, 2);
        // As many as there can have been are counted.
        bench.header(START + 4_000, 1_001, 2_024);
        assert_eq!(bench.counts().1, 996);
    }

    #[test]
    fn a_ring_that_begins_anew_with_each_look_does_not_fill_the_store() {
        let mut bench = Bench::new();
        let (seconds, each) = (600, 100_u16);
        for n in 0..seconds {
            let at = START + i64::from(n) * 1_000;
            bench.header_of((at, at), (n, 1), (1, each));
            let own = |number: u16| bench.record(number, number % 2 + 1, at - i64::from(number));
            let records: Vec<_> = (1..=each).map(own).collect();
            for (first, records) in (1_u16..).step_by(15).zip(records.chunks(15)) {
                bench.records(at + 20, first, records);
            }
        }
        let (received, lost, _) = bench.counts();
        assert!(received < 20_480 + 5 * u64::from(seconds), "{received}");
        assert_eq!(received + lost, u64::from(seconds) * u64::from(each), "told as lost");
    }

    #[test]
    fn the_log_is_bounded_and_snapshots_of_it_stand_still() {
        let mut log = Arc::new(EventLog::default());
        let most = i64::try_from(ENTRIES_MAX).unwrap();
        for n in 0..most {
            Arc::make_mut(&mut log).take(entry(n));
        }
        let before = Arc::clone(&log);
        for n in 0..1_000 {
            Arc::make_mut(&mut log).take(entry(most + n));
        }
        assert_eq!((before.len(), log.len()), (ENTRIES_MAX, ENTRIES_MAX));
        assert_eq!(before.iter().next().map(|e| e.at.0), Some(0));
        assert_eq!(log.iter().next().map(|e| e.at.0), Some(1_000));
        let shared = before.chunks.iter().filter(|c| log.chunks.iter().any(|d| Arc::ptr_eq(c, d)));
        assert!(shared.count() > ENTRIES_MAX / CHUNK_MAX - 8, "most chunks are the same");
    }

    #[test]
    fn a_gap_before_all_that_a_full_log_keeps_stands_where_it_was_noticed() {
        let mut bench = Bench::new();
        bench.header(START, 1, 1);
        let record = bench.record(1, 1, START - 900);
        bench.records(START + 20, 1, &[record]);
        for _ in 0..ENTRIES_MAX {
            Arc::make_mut(&mut bench.log).take(entry(START + 1_000));
        }
        bench.header(START + 2_000, 1, 3);
        bench.records(START + 2_020, 2, &[[0; 8], [0; 8]]);
        let last = bench.log.iter().next_back().unwrap();
        assert_eq!((last.at, last.unit), (Timestamp(START + 2_024), bench.unit));
        let Happening::Lost(gap) = last.what else { panic!("a gap: {last:?}") };
        assert_eq!((gap.count, gap.after), (2, Some(Timestamp(START - 900))));
    }

    #[test]
    fn what_is_old_when_it_comes_stays_until_it_is_kept() {
        let mut log = EventLog::default();
        for n in 0..ENTRIES_MAX {
            log.take(entry(START + i64::try_from(n).unwrap()));
        }
        // Nobody keeps it: what comes before all others is forgotten at once.
        let nobody = log.take(entry(START - 1_000));
        assert!(log.iter().all(|own| own.order != nobody));
        log.keep(log.taken());
        let old: Vec<u64> = (0..50).map(|n| log.take(entry(START - 1_000 - n))).collect();
        let kept = |log: &EventLog| log.iter().filter(|own| old.contains(&own.order)).count();
        assert_eq!((kept(&log), log.len()), (50, ENTRIES_MAX + 50));
        // Half of them are kept: the log forgets these first, and what is later than the others.
        log.keep(old[25]);
        assert_eq!((kept(&log), log.len()), (25, ENTRIES_MAX));
        log.keep(log.taken());
        assert_eq!(log.len(), ENTRIES_MAX);
        // Whoever never comes to keep it does not let it grow without bound.
        for n in 0..3 * ENTRIES_MAX {
            log.take(entry(START + i64::try_from(n).unwrap()));
        }
        assert_eq!(log.len(), 2 * ENTRIES_MAX);
    }

    fn entry(at: i64) -> EventEntry {
        let gap = RecordGap { count: 1, after: None, before: None };
        let (at, what) = (Timestamp(at), Happening::Lost(gap));
        EventEntry { channel: ChannelId::at(0), unit: 1, at, order: 0, arrived: at, what }
    }

    #[test]
    fn what_came_of_a_command_is_about_the_command_and_a_status_at_its_address_stays_apart() {
        let mut bench = Bench::new();
        let province = Province::built_in();
        let entries = province.channels[0].entries.iter().enumerate();
        let command = entries.filter_map(|(n, entry)| Some((n, entry.register?))).find(|(_, r)| {
            (r.table, r.encoding, r.unit) == (RegisterTable::Holding, Encoding::K2, bench.unit)
        });
        let (n, register) = command.unwrap();
        bench.header(START, 1, 1);
        assert!(!bench.events.of_unit(bench.unit).unwrap().commands, "this one keeps none");
        let mut record = bench.record(1, commands::DONE | 2 << commands::SHIFTS.0, START);
        (record[1], record[2]) = (0x8000 | commands::RECORD, register.address);
        bench.records(START + 1_000, 1, &[record]);
        let change = bench.changes()[0];
        assert_eq!((change.point, change.before), (Some(PointId::at(n)), None));
        assert_eq!(change.value & commands::RESULT, commands::DONE);
        assert_eq!(bench.counts(), (1, 0, 0));
    }

    proptest! {
        #[test]
        fn the_log_is_in_order_of_time_then_of_arrival(times in prop::collection::vec(0_i64..50, 0..900)) {
            let mut log = EventLog::default();
            let mut model = Vec::new();
            for (n, at) in times.iter().enumerate() {
                let order = log.take(entry(*at));
                prop_assert_eq!(order, n as u64);
                model.push((Timestamp(*at), order));
            }
            model.sort_unstable();
            let found: Vec<_> = log.iter().map(|entry| (entry.at, entry.order)).collect();
            prop_assert_eq!(&found, &model);
            prop_assert!(log.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_MAX));
            for (at, order) in model {
                prop_assert_eq!(log.find(at, order).map(|entry| entry.order), Some(order));
            }
        }

        #[test]
        fn any_cells_are_taken_without_panic(
            polls in prop::collection::vec(
                (0_u16..9_000, prop::collection::vec(any::<u16>(), 0..130)), 0..30,
            ),
        ) {
            let mut bench = Bench::new();
            bench.header(START, 0, 1_000);
            for (offset, cells) in polls {
                bench.poll(START, offset, &cells);
            }
        }
    }
}
