//! What devices record of themselves: numbered records, and what the head of such a log says.

use config::{Flags, PointId};

use crate::clock::Timestamp;

/// What the head of a device's log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Tells the map of its points from any other one.
    pub checksum: u32,
    /// Low 16 bits of the second of its clock.
    pub alive: u16,
    /// How often it has started.
    pub restarts: u16,
    /// Number of the newest record, 0 when there is none.
    pub newest: u32,
    /// Number of the oldest record that it still has, as it says.
    pub oldest: u32,
    /// Records that it has at most.
    pub capacity: u16,
    /// Whether its clock is synchronised, as it says itself.
    pub synchronised: bool,
    /// Whether it records what comes of commands, too.
    pub commands: bool,
}

impl LogHead {
    /// Number in front of the oldest record that it can have, whatever it says.
    fn before_oldest(&self) -> u32 {
        let least = self.newest.saturating_sub(self.capacity.into());
        let said = self.oldest.saturating_sub(1);
        if said <= self.newest { said.max(least) } else { least }
    }
}

/// A record of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: u32,
    /// What it says; `None` when what stands in its place is not it.
    pub record: Option<Record>,
}

/// What a device recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What the source calls the point; of the device and for its kind of records, no other has it.
    pub origin: u16,
    /// The point; `None` when the contract has none there.
    pub point: Option<PointId>,
    /// It says what came of a command ([`config::commands`]), not what a status is.
    pub is_command: bool,
    /// The code of the status, or what came of the command.
    pub code: u16,
    /// When, by the device's clock.
    pub source: Timestamp,
    /// What the device says against it.
    pub flags: Flags,
    /// Whether the device holds its clock to be synchronised.
    pub synchronised: bool,
}

/// How far a log was read. Who asks for records and who takes them each keep one, fed with the
/// same heads and records, so that both give a record the same number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tail {
    /// Checksum and restarts of the last head.
    origin: Option<(u32, u16)>,
    newest: u32,
    /// When the last head was here.
    heard: Option<Timestamp>,
    /// The last record that came, or was overwritten before it could.
    passed: u32,
}

/// A device makes no more records than this in a millisecond: its time tags tell no more apart.
const RECORDS_PER_MS: i64 = 1;
/// Logs whose records may come at once beside those: a gateway has gathered some, from more than one device.
const AT_ONCE: i64 = 2;

/// What a head tells of the time since the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadSeen {
    /// It is the first one.
    First,
    /// The device has begun anew: what its log holds is read from its oldest record on.
    Anew,
    /// So many records were overwritten before they were read.
    Overwritten(u32),
    /// Its numbers went back although it did not start, or by more than there can have been since the last head:
    /// nobody knows how many records it had. What its log holds is read from its oldest record on.
    Astray,
}

impl Tail {
    /// Takes a head that was here at this moment.
    pub fn see(&mut self, head: &LogHead, heard: Timestamp) -> HeadSeen {
        let origin = (head.checksum, head.restarts);
        let before = head.before_oldest();
        let is_anew = self.origin.is_some_and(|o| o != origin);
        let is_first = self.origin.is_none();
        let can_be = self.heard.map_or(0, |last| heard.since(last).max(0) * RECORDS_PER_MS)
            + AT_ONCE * i64::from(head.capacity);
        let is_astray =
            head.newest < self.newest || i64::from(head.newest) - i64::from(self.newest) > can_be;
        self.origin = Some(origin);
        (self.newest, self.heard) = (head.newest, Some(heard));
        if is_anew || is_first || is_astray {
            self.passed = before;
            return match (is_first, is_anew) {
                (true, _) => HeadSeen::First,
                (_, true) => HeadSeen::Anew,
                _ => HeadSeen::Astray,
            };
        }
        let lost = before.saturating_sub(self.passed);
        self.passed += lost;
        HeadSeen::Overwritten(lost)
    }

    /// Number of the newest record that the device has told of.
    pub fn newest(&self) -> u32 {
        self.newest
    }

    /// The last record that is behind.
    pub fn passed(&self) -> u32 {
        self.passed
    }

    /// Records that are still to come.
    pub fn pending(&self) -> u32 {
        self.newest.saturating_sub(self.passed)
    }

    /// All records up to this one are behind; later ones, and what is not told of yet, are not.
    pub fn pass(&mut self, number: u32) {
        self.passed = self.passed.max(number.min(self.newest));
    }
}
