//! Which records of the event rings to ask for: those that are new since the last time.
//!
//! A unit keeps its last events in a ring behind a header that says which number is the newest
//! (`docs/commands.md`). Nobody writes: a record stands where its number says, so any number of
//! monitors reads, each for itself, and what was overwritten before it was read leaves a gap in the
//! numbers. Records of a unit are asked for one request after the other, so that they come in order
//! and a fault makes none come twice.
//!
//! Pure: it is told what came of each question, and what time it is. What a station says of its
//! numbers is not trusted: whatever they are, the work is bounded by the ring.

use std::time::Duration;

use config::{DeviceLimits, blocks, commands};
use signal::events::{LogHead, Tail};
use tokio::time::Instant;

use super::dialogue::Question;
use super::plan::{Block, BlockContent, Plan};
use super::poll::{Exchange, Fault};

/// Records that one request asks for at most: 120 registers.
const RECORDS_PER_REQUEST: u16 = 15;
/// Requests for records of one unit in one scan: a full ring is read in five scans.
const REQUESTS_PER_SCAN: u16 = 16;
/// What a unit without events is asked for its header again after: it may have been a passing thing
/// that garbled it.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// Cell of the first record, counted from the first of the header.
const FIRST_CELL: u16 = blocks::EVENT_RING - blocks::EVENT_HEADER;

/// Reads the cells of a header. `None`: there is none, or of a layout that is not known.
pub(super) fn head(cells: &[u16]) -> Option<LogHead> {
    let [
        marker,
        version,
        sum,
        sum_low,
        alive,
        restarts,
        new,
        new_low,
        old,
        old_low,
        clock,
        records,
    ] = *cells.first_chunk::<{ blocks::EVENT_HEADER_CELLS as usize }>()?;
    let known = (blocks::MARKER, blocks::VERSION, blocks::EVENT_RECORDS);
    let long = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
    (known == (marker, version, records)).then_some(LogHead {
        checksum: long(sum, sum_low),
        alive,
        restarts,
        newest: long(new, new_low),
        oldest: long(old, old_low),
        capacity: blocks::EVENT_RECORDS,
        synchronised: clock & 1 != 0,
        commands: clock & commands::KEPT != 0,
    })
}

/// Number of the record that stands at a cell, counted from the first of the header: the one
/// that is nearest to the next. `None` when no record begins there, or none has told of it.
pub(super) fn number(tail: &Tail, cell: u16) -> Option<u32> {
    let within = cell.checked_sub(FIRST_CELL)?;
    let slot = i64::from(within / blocks::EVENT_CELLS);
    let records = i64::from(blocks::EVENT_RECORDS);
    if within % blocks::EVENT_CELLS != 0 || slot >= records {
        return None;
    }
    let ahead = (slot - i64::from(tail.passed())).rem_euclid(records);
    let ahead = if ahead >= records / 2 { ahead - records } else { ahead };
    let number = u32::try_from(i64::from(tail.passed()) + 1 + ahead).ok()?;
    (1..=tail.newest()).contains(&number).then_some(number)
}

/// Cells of the next records, counted from the first of the header: at most so many, and none
/// beyond the end of the ring.
fn next(tail: &Tail, most: u16) -> Option<(u16, u16)> {
    let pending = u16::try_from(tail.pending()).unwrap_or(u16::MAX);
    let slot = u16::try_from(tail.passed() % u32::from(blocks::EVENT_RECORDS)).ok()?;
    let records = pending.min(most).min(blocks::EVENT_RECORDS - slot);
    let cells = (FIRST_CELL + slot * blocks::EVENT_CELLS, records * blocks::EVENT_CELLS);
    (records > 0).then_some(cells)
}

/// The rings of a station.
#[derive(Debug)]
pub(super) struct Rings {
    rings: Vec<Ring>,
    /// Records that the device gives at once.
    most: u16,
}

/// The ring of one unit.
#[derive(Debug)]
struct Ring {
    /// Its header: an index into the plan.
    block: usize,
    tail: Tail,
    /// Records that it gives at once, as far as is known.
    most: u16,
    /// Requests for records in this scan.
    asked: u16,
    /// It has no events, and is asked again then.
    none_until: Option<Instant>,
}

impl Rings {
    pub(super) fn new(plan: &Plan, device: &DeviceLimits) -> Self {
        let most = (device.registers_max / blocks::EVENT_CELLS).min(RECORDS_PER_REQUEST);
        let headers =
            plan.blocks.iter().enumerate().filter(|(_, b)| b.content == BlockContent::Events);
        let ring = |(block, _)| {
            let (tail, asked, none_until) = (Tail::default(), 0, None);
            Ring { block, tail, most, asked, none_until }
        };
        Self { rings: headers.map(ring).collect(), most }
    }

    /// Whether a block of the plan is to be asked for: all are but the headers of units that have
    /// none.
    pub(super) fn may_ask(&self, block: usize, now: Instant) -> bool {
        let ring = self.rings.iter().find(|ring| ring.block == block);
        ring.and_then(|ring| ring.none_until).is_none_or(|until| until <= now)
    }

    /// A scan begins.
    pub(super) fn begin(&mut self) {
        for ring in &mut self.rings {
            ring.asked = 0;
        }
    }

    /// A station that comes back may have other units than before.
    pub(super) fn reconnected(&mut self) {
        for ring in &mut self.rings {
            (ring.none_until, ring.most) = (None, self.most);
        }
    }

    /// Takes what came of a question for a header or for records, and says which records to ask for
    /// next.
    pub(super) fn note(
        &mut self,
        contract: &Block,
        asked: &Question,
        (fault, exchange): (Option<Fault>, &Exchange),
        now: Instant,
    ) -> Option<Question> {
        if contract.content != BlockContent::Events {
            return None;
        }
        let ring = self.rings.iter_mut().find(|ring| ring.block == asked.block)?;
        let refused = matches!(fault, Some(Fault::Refused(2 | 3)));
        match fault {
            None if is_record(contract, asked) => ring.came(asked),
            None => ring.see(asked, exchange, now)?,
            // Perhaps it gives fewer at once.
            Some(_) if refused && is_record(contract, asked) && ring.most > 1 => ring.most /= 2,
            // What did not come is asked for with the next scan.
            Some(_) => return None,
        }
        ring.question(contract)
    }
}

impl Ring {
    fn see(&mut self, asked: &Question, exchange: &Exchange, now: Instant) -> Option<()> {
        let mut cells = Vec::with_capacity(asked.count.into());
        exchange.read_cells(asked.count.into(), false, &mut cells);
        let header = head(&cells);
        self.none_until = header.is_none().then(|| now + PROBE_EVERY);
        self.tail.see(&header?, exchange.heard());
        Some(())
    }

    fn came(&mut self, asked: &Question) {
        let end = asked.offset.saturating_add(asked.count);
        let last = end.checked_sub(blocks::EVENT_CELLS).and_then(|cell| number(&self.tail, cell));
        self.tail.pass(last.unwrap_or(0));
    }

    fn question(&mut self, contract: &Block) -> Option<Question> {
        let (offset, count) = next(&self.tail, self.most)?;
        if self.asked == REQUESTS_PER_SCAN {
            return None;
        }
        self.asked += 1;
        let (unit, table, address) = (contract.unit, contract.table, contract.address + offset);
        Some(Question { block: self.block, offset, count, unit, table, address })
    }
}

/// Whether a question is one for records, not for a block of the plan or a part of it.
pub(super) fn is_record(contract: &Block, asked: &Question) -> bool {
    contract.content == BlockContent::Events && asked.offset >= contract.count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use config::Province;
    use proptest::prelude::*;
    use signal::clock::Timestamp;
    use signal::events::HeadSeen;

    const RECORDS: u32 = blocks::EVENT_RECORDS as u32;

    /// A unit, and how many events it has had.
    #[derive(Debug, Clone)]
    struct Unit {
        newest: u32,
        restarts: u16,
        /// Records that it gives at once.
        gives: u16,
    }

    impl Unit {
        fn header(&self) -> [u16; 12] {
            let word = |number: u32| {
                let [a, b, c, d] = number.to_be_bytes();
                [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
            };
            let oldest = self.newest.saturating_sub(RECORDS - 1).max(self.newest.min(1));
            let ([n, n_low], [o, o_low]) = (word(self.newest), word(oldest));
            let (marker, version) = (blocks::MARKER, blocks::VERSION);
            [marker, version, 7, 7, 0, self.restarts, n, n_low, o, o_low, 1, blocks::EVENT_RECORDS]
        }

        /// Number of the record in a slot.
        fn number(&self, slot: u32) -> u32 {
            let last = (self.newest + RECORDS - 1) % RECORDS;
            self.newest.saturating_sub((last + RECORDS - slot) % RECORDS)
        }
    }

    /// Who takes what the rings ask for, as the historian does.
    #[derive(Debug, Default)]
    struct Taker {
        tail: Tail,
        came: Vec<u32>,
        lost: u32,
        first: u32,
    }

    struct Bench {
        rings: Rings,
        header: Block,
        index: usize,
        /// Scans so far: one every ten seconds.
        scans: i64,
    }

    fn reply(cells: &[u16]) -> Exchange {
        let mut bytes = vec![0; Exchange::REPLY_HEAD];
        bytes.extend(cells.iter().flat_map(|cell| cell.to_be_bytes()));
        Exchange { reply: bytes.into(), ..Exchange::default() }
    }

    impl Bench {
        fn new(registers_max: u16) -> Self {
            let mut province = Province::built_in();
            province.channels[0].device.registers_max = registers_max;
            let channel = &province.channels[0];
            assert!(channel.device.events);
            let plan = plan(&province, channel);
            let index = plan.blocks.iter().position(|b| b.content == BlockContent::Events).unwrap();
            let header = plan.blocks[index].clone();
            Self { rings: Rings::new(&plan, &channel.device), header, index, scans: 0 }
        }

        fn header_question(&self) -> Question {
            let (unit, table, address) = (self.header.unit, self.header.table, self.header.address);
            let (block, count) = (self.index, self.header.count);
            Question { block, offset: 0, count, unit, table, address }
        }

        /// One scan; events happen before each of its requests. Returns the requests for records.
        fn scan(&mut self, unit: &mut Unit, taker: &mut Taker, steps: &[Step]) -> usize {
            let now = Instant::now();
            self.rings.begin();
            let mut steps = steps.iter().cycle();
            let asked = self.header_question();
            self.scans += 1;
            let at = Timestamp(self.scans * 10_000);
            let exchange = Exchange { at, ..reply(&unit.header()) };
            let heard = exchange.heard();
            match taker.tail.see(&head(&unit.header()).unwrap(), heard) {
                HeadSeen::First | HeadSeen::Anew | HeadSeen::Astray => {
                    taker.first = taker.tail.passed() + 1;
                }
                HeadSeen::Overwritten(lost) => taker.lost += lost,
            }
            let mut next = self.rings.note(&self.header, &asked, (None, &exchange), now);
            let mut requests = 0;
            while let Some(asked) = next {
                requests += 1;
                assert!(asked.count <= 120 && asked.count % 8 == 0 && asked.count > 0);
                assert!(asked.address + asked.count <= blocks::END);
                let step = steps.next().copied().unwrap_or_default();
                unit.newest += step.events;
                let fault = if asked.count / 8 > unit.gives {
                    Some(Fault::Refused(3))
                } else {
                    step.fails.then_some(Fault::NoReply)
                };
                if fault.is_none() {
                    taker.take(unit, &asked);
                }
                next = self.rings.note(&self.header, &asked, (fault, &Exchange::default()), now);
            }
            requests
        }
    }

    impl Taker {
        fn take(&mut self, unit: &Unit, asked: &Question) {
            for cell in (asked.offset..asked.offset + asked.count).step_by(8) {
                let number = number(&self.tail, cell).unwrap();
                let stands = unit.number(u32::from((cell - FIRST_CELL) / 8));
                assert_eq!(number, self.tail.passed() + 1, "in order, none twice");
                if stands == number {
                    self.came.push(number);
                } else {
                    assert_eq!(stands, number + RECORDS, "it was overwritten meanwhile");
                    self.lost += 1;
                }
                self.tail.pass(number);
            }
        }
    }

    /// What happens before a request for records.
    #[derive(Debug, Clone, Copy, Default)]
    struct Step {
        events: u32,
        fails: bool,
    }

    const QUIET: [Step; 1] = [Step { events: 0, fails: false }];

    #[test]
    fn a_full_ring_is_read_over_a_few_scans_and_then_only_what_is_new() {
        let (mut bench, mut taker) = (Bench::new(125), Taker::default());
        let mut unit = Unit { newest: 5_000, restarts: 0, gives: 125 };
        let requests: Vec<usize> =
            (0..6).map(|_| bench.scan(&mut unit, &mut taker, &QUIET)).collect();
        assert_eq!(requests, [16, 16, 16, 16, 5, 0]);
        assert_eq!(taker.came, (3_977..=5_000).collect::<Vec<_>>());
        unit.newest += 3;
        assert_eq!(bench.scan(&mut unit, &mut taker, &QUIET), 1);
        assert_eq!(taker.came.last(), Some(&5_003));
        assert_eq!(taker.lost, 0);
    }

    #[test]
    fn a_unit_that_restarts_is_read_from_the_start() {
        let (mut bench, mut taker) = (Bench::new(125), Taker::default());
        let mut unit = Unit { newest: 40, restarts: 0, gives: 125 };
        bench.scan(&mut unit, &mut taker, &QUIET);
        unit = Unit { newest: 60, restarts: 1, gives: 125 };
        taker.came.clear();
        bench.scan(&mut unit, &mut taker, &QUIET);
        assert_eq!(taker.came, (1..=60).collect::<Vec<_>>(), "it says that it has restarted");
        unit.newest = 5;
        taker.came.clear();
        bench.scan(&mut unit, &mut taker, &QUIET);
        assert_eq!(taker.came, (1..=5).collect::<Vec<_>>(), "its numbers begin again");
    }

    #[test]
    fn numbers_that_leap_further_than_can_be_or_run_back_are_no_count() {
        let header = |newest, restarts| LogHead {
            checksum: 7,
            alive: 0,
            restarts,
            newest,
            oldest: 1,
            capacity: blocks::EVENT_RECORDS,
            synchronised: true,
            commands: false,
        };
        let (second, at_once) = (1_000, 2 * RECORDS);
        for (newest, restarts, seen) in [
            (10, 0, HeadSeen::Overwritten(0)),
            (10 + at_once + second, 0, HeadSeen::Overwritten(at_once + second - RECORDS)),
            (11 + at_once + second, 0, HeadSeen::Astray),
            (u32::MAX, 0, HeadSeen::Astray),
            (9, 0, HeadSeen::Astray),
            (9, 1, HeadSeen::Anew),
            (u32::MAX, 1, HeadSeen::Anew),
        ] {
            let mut tail = Tail::default();
            assert_eq!(tail.see(&header(10, 0), Timestamp(0)), HeadSeen::First);
            tail.pass(10);
            assert_eq!(tail.see(&header(newest, restarts), Timestamp(1_000)), seen, "{newest}");
            assert!(tail.pending() <= RECORDS);
        }
    }

    #[test]
    fn a_device_that_gives_few_registers_at_once_is_asked_for_few() {
        let (mut bench, mut taker) = (Bench::new(20), Taker::default());
        let mut unit = Unit { newest: 10, restarts: 0, gives: 2 };
        assert_eq!(bench.scan(&mut unit, &mut taker, &QUIET), 5);
        let (mut bench, mut taker) = (Bench::new(125), Taker::default());
        unit.gives = 4;
        bench.scan(&mut unit, &mut taker, &QUIET);
        assert_eq!(taker.came, (1..=10).collect::<Vec<_>>(), "found out by asking");
    }

    #[test]
    fn a_unit_without_a_header_is_left_alone_for_a_while() {
        let mut bench = Bench::new(125);
        let (asked, now) = (bench.header_question(), Instant::now());
        for cells in [[0; 12], [blocks::MARKER; 12]] {
            let next = bench.rings.note(&bench.header, &asked, (None, &reply(&cells)), now);
            assert_eq!(next, None);
            assert!(!bench.rings.may_ask(bench.index, now));
            assert!(bench.rings.may_ask(bench.index + 1, now), "its points are asked for");
            assert!(bench.rings.may_ask(bench.index, now + PROBE_EVERY));
            bench.rings.reconnected();
            assert!(bench.rings.may_ask(bench.index, now));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_record_that_was_there_comes_once_in_order_and_every_other_is_counted(
            start in 0_u32..3_000,
            registers in 16_u16..126,
            scans in prop::collection::vec(
                (0_u32..1_500, prop::collection::vec((0_u32..40, any::<bool>()), 1..20)),
                1..12,
            ),
        ) {
            let (mut bench, mut taker) = (Bench::new(registers), Taker::default());
            let mut unit = Unit { newest: start, restarts: 0, gives: 125 };
            for (events, steps) in scans {
                unit.newest += events;
                let steps: Vec<Step> =
                    steps.into_iter().map(|(events, fails)| Step { events, fails }).collect();
                let requests = bench.scan(&mut unit, &mut taker, &steps);
                prop_assert!(requests <= usize::from(REQUESTS_PER_SCAN));
            }
            while bench.scan(&mut unit, &mut taker, &QUIET) > 0 {}
            prop_assert!(taker.came.is_sorted_by(|a, b| a < b));
            let all = unit.newest + 1 - taker.first.min(unit.newest + 1);
            prop_assert_eq!(taker.came.len() + taker.lost as usize, all as usize);
        }

        #[test]
        fn whatever_a_header_says_the_work_is_bounded(
            headers in prop::collection::vec(
                (any::<u32>(), any::<u32>(), any::<u16>(), any::<bool>()), 1..40,
            ),
        ) {
            let mut tail = Tail::default();
            for (newest, oldest, restarts, known) in headers {
                let restarts = if known { 0 } else { restarts };
                let (checksum, alive, synchronised) = (1, 0, true);
                let commands = false;
                let heard = Timestamp(i64::from(newest));
                let capacity = blocks::EVENT_RECORDS;
                tail.see(
                    &LogHead { checksum, alive, restarts, newest, oldest, capacity, synchronised, commands },
                    heard,
                );
                prop_assert!(tail.pending() <= RECORDS);
                while let Some((cell, count)) = next(&tail, RECORDS_PER_REQUEST) {
                    prop_assert!(cell >= FIRST_CELL && count > 0);
                    let end = u32::from(blocks::EVENT_HEADER) + u32::from(cell + count);
                    prop_assert!(end <= blocks::END.into());
                    let before = tail.passed();
                    tail.pass(number(&tail, cell + count - blocks::EVENT_CELLS).unwrap());
                    prop_assert_eq!(tail.passed(), before + u32::from(count / blocks::EVENT_CELLS));
                }
                prop_assert_eq!(tail.pending(), 0);
            }
        }
    }
}
