//! When a record of an event ring can have been made: not before the last look at the ring in which it
//! was not there yet, and not after the first one in which it was.
//!
//! A header whose cells are those of the look before, its counter of seconds among them, is no look: a
//! gateway that hangs repeats what it had. So it is no evidence that a record was not there yet. The first
//! header of a ring is one only when its counter of seconds agrees with our time, since it may be as old.

use std::collections::VecDeque;

use signal::clock::Timestamp;
use signal::events::LogHead;

use super::heartbeat::Beat;

/// A time earlier than the last look at the ring in which the record was not there yet is wrong when it is
/// so much earlier, milliseconds: between change and record there may be a slow bus.
pub(super) const BEHIND_MS: i64 = 10_000;
/// The same for the last look before the unit began anew, milliseconds: what was on a bus then is lost.
const BEGAN_MS: i64 = 2_000;

/// Looks at the ring of a unit since it began.
#[derive(Debug, Default)]
pub(super) struct Looks {
    header: Option<LogHead>,
    /// By the newest number that they showed, in its order; those before all records still to come are gone.
    seen: VecDeque<Seen>,
    /// The last look before the unit began anew.
    before: Option<Timestamp>,
}

/// Looks that showed the same newest record.
#[derive(Debug, Clone, Copy)]
struct Seen {
    newest: u32,
    /// When the first of them was here.
    first: Timestamp,
    /// When the last of them was asked for; `None` when it may be old.
    last: Option<Timestamp>,
}

impl Looks {
    /// The unit has begun anew.
    pub(super) fn begin_anew(&mut self) {
        self.before = self.last();
        self.seen.clear();
    }

    /// When the last look was asked for.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.seen.iter().rev().find_map(|seen| seen.last).or(self.before)
    }

    /// Takes a header that was asked for and came at these moments; records up to `passed` are behind.
    /// `agrees`: its counter of seconds agrees with our time. Returns how it came.
    pub(super) fn take(
        &mut self,
        header: &LogHead,
        (asked, heard): (Timestamp, Timestamp),
        passed: u32,
        agrees: bool,
    ) -> Beat {
        let before = self.header.replace(*header);
        let moved = before.map_or(agrees, |before| before != *header);
        let last = moved.then_some(asked);
        match self.seen.back_mut() {
            Some(seen) if seen.newest == header.newest => seen.last = last.or(seen.last),
            _ => self.seen.push_back(Seen { newest: header.newest, first: heard, last }),
        }
        // The last one in front of the records to come says when the first of them was not there yet.
        while self.seen.get(1).is_some_and(|next| next.newest <= passed && next.last.is_some()) {
            self.seen.pop_front();
        }
        match before {
            None => Beat::First,
            Some(before) if before == *header => Beat::Same,
            Some(_) => Beat::New,
        }
    }

    /// When a record was there first, as far as is known.
    pub(super) fn there(&self, number: u32) -> Option<Timestamp> {
        self.seen.iter().find(|seen| seen.newest >= number).map(|seen| seen.first)
    }

    /// The earliest moment at which a record can have been made; `None`: any.
    pub(super) fn not_before(&self, number: u32) -> Option<Timestamp> {
        let mut without = self.seen.iter().rev().filter(|seen| seen.newest < number);
        let looked = without.find_map(|seen| seen.last);
        looked.map(|at| at.plus(-BEHIND_MS)).or_else(|| self.before.map(|at| at.plus(-BEGAN_MS)))
    }
}

/// Records of a unit that are taken at once: twenty full rings. A contact that chatters for an hour has fewer.
const AT_ONCE: i64 = 20_480;
/// Records of a unit that are taken for each second besides, as long as it goes on.
const PER_SECOND: i64 = 5;

/// How many records of a unit are taken: whatever it sends, a store does not grow without bound. Those beyond it
/// are lost, and told as such.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Thousandths of a record.
    left: i64,
    at: Option<Timestamp>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: AT_ONCE * 1_000, at: None }
    }
}

impl Allowance {
    /// Whether one more record is taken that came at a moment.
    pub(super) fn take(&mut self, at: Timestamp) -> bool {
        let passed = self.at.map_or(0, |before| at.since(before).max(0));
        self.at = Some(at);
        let more = passed.saturating_mul(PER_SECOND);
        self.left = self.left.saturating_add(more).min(AT_ONCE * 1_000);
        let is_taken = self.left >= 1_000;
        self.left -= if is_taken { 1_000 } else { 0 };
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_no_more_records_taken_than_its_allowance() {
        // For two hours, and then after a day of rest.
        let day = 86_400_000;
        for (per_second, seconds, taken) in
            [(240, 7_200, AT_ONCE + PER_SECOND * 7_199), (5, 7_200, 36_000), (1, 100, 100)]
        {
            let mut allowance = Allowance::default();
            for begins in [0, day] {
                let times = (0..seconds).map(|n| Timestamp(begins + n * 1_000));
                let all = times.flat_map(|at| (0..per_second).map(move |_| at));
                let found = all.filter(|at| allowance.take(*at)).count();
                assert_eq!(i64::try_from(found).unwrap(), taken, "{per_second} a second");
            }
        }
        // A clock that is set back gives nothing.
        let mut allowance = Allowance::default();
        let found = (0..100_000_i64).filter(|n| allowance.take(Timestamp(-n))).count();
        assert_eq!(found, 20_480);
    }

    /// Heads as (second, counter of seconds, newest), and of a record (number, since, there), in seconds.
    type Case = (&'static str, Vec<(i64, u16, u32)>, (u32, Option<i64>, Option<i64>));

    #[test]
    fn only_a_header_that_moved_tells_when_a_record_was_not_there_yet() {
        let table: Vec<Case> = vec![
            ("moves", vec![(100, 100, 3), (102, 102, 3), (104, 104, 5)], (4, Some(92), Some(104))),
            (
                "hung for six minutes",
                vec![(100, 100, 3), (102, 102, 3), (104, 102, 3), (470, 102, 3), (472, 472, 9)],
                (4, Some(92), Some(472)),
            ),
            (
                "hung, and records are read over several looks",
                vec![(100, 100, 3), (470, 100, 3), (472, 472, 9), (474, 474, 9), (476, 476, 10)],
                (9, Some(90), Some(472)),
            ),
            (
                "hung from the first look on",
                vec![(470, 100, 3), (472, 472, 9)],
                (4, None, Some(472)),
            ),
            ("hung, and moved later", vec![(470, 100, 3), (472, 472, 3), (474, 474, 4)], {
                (4, Some(462), Some(474))
            }),
            (
                "its clock stands, its ring does not",
                vec![(100, 50, 3), (102, 50, 4), (104, 50, 5)],
                (5, Some(92), Some(104)),
            ),
            ("there from the first look on", vec![(100, 100, 3)], (3, None, Some(100))),
        ];
        for (what, headers, (number, since, there)) in table {
            let mut looks = Looks::default();
            for (second, alive, newest) in headers {
                let at = Timestamp(second * 1_000);
                let header = header(alive, newest);
                looks.take(&header, (at, at), 3, i64::from(alive) == second);
            }
            let seconds = |at: Option<Timestamp>| at.map(|at| at.0 / 1_000);
            let found = (seconds(looks.not_before(number)), seconds(looks.there(number)));
            assert_eq!(found, (since, there), "{what}");
        }
    }

    #[test]
    fn a_unit_that_begins_anew_has_no_record_of_before_the_last_look() {
        let mut looks = Looks::default();
        let at = |second: i64| Timestamp(second * 1_000);
        looks.take(&header(100, 7), (at(100), at(100)), 7, true);
        looks.take(&header(102, 7), (at(102), at(102)), 7, true);
        looks.begin_anew();
        looks.take(&header(900, 2), (at(104), at(104)), 0, false);
        assert_eq!(looks.not_before(1), Some(at(100)));
        assert_eq!(
            looks.not_before(3),
            Some(at(94)),
            "it was not there in the new life's first look"
        );
    }

    #[test]
    fn looks_are_as_many_as_records_to_come_at_most() {
        let mut looks = Looks::default();
        for n in 0..10_000_u32 {
            let at = Timestamp(i64::from(n) * 1_000);
            let alive = u16::try_from(n).unwrap();
            looks.take(&header(alive, n), (at, at), n.saturating_sub(40), true);
            assert!(looks.seen.len() <= 42, "{}", looks.seen.len());
        }
    }

    fn header(alive: u16, newest: u32) -> LogHead {
        LogHead {
            checksum: 7,
            alive,
            restarts: 0,
            newest,
            oldest: 1,
            capacity: 1_024,
            synchronised: true,
            commands: false,
        }
    }
}
