//! How a channel's blocks are asked for: whole, or in parts where a device refuses one.
//!
//! A device that does not have one register of a block refuses all of it. The block is then halved
//! until the register stands alone; that one is left alone, the rest is read on. From time to time
//! the whole block is asked for again, since what was missing may have come.
//!
//! Pure: it is told what came of each question, and when a scan begins.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::dialogue::Question;
use super::plan::{Block, Plan};
use super::poll::Fault;

/// Pause after which what was refused is asked for again for the first time; it doubles.
const PROBE_FIRST: Duration = Duration::from_secs(5);
/// Longest such pause.
const PROBE_LONGEST: Duration = Duration::from_secs(60);
/// Registers that one probe asks for alone, one by one in turn.
const PROBED_ALONE_MAX: usize = 8;

/// What the answer to a question says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Something of every cell that was asked for.
    Itself,
    /// Nothing of single cells: its halves are to be asked for in its place.
    Halves([Question; 2]),
    /// Nothing of single cells: the whole block is still not to be had. These are tried alone.
    Probe(Vec<Question>),
}

/// The blocks of a plan, and which of them a device does not answer whole.
#[derive(Debug)]
pub(super) struct Blocks {
    plan: Arc<Plan>,
    /// Those that are asked for in parts.
    parted: Vec<Parted>,
    /// When the scan began.
    now: Instant,
}

/// A block that is asked for in parts.
#[derive(Debug)]
struct Parted {
    block: usize,
    /// What can be told apart in it.
    atoms: Vec<Range<u16>>,
    /// Runs of atoms that are asked for with each scan.
    runs: Vec<Range<usize>>,
    /// Atoms that were refused alone.
    alone: Vec<usize>,
    /// There are others alone than when the runs were last joined.
    is_news: bool,
    /// When the whole of it is asked for again, and how long after the last time.
    probe_at: Instant,
    pause: Duration,
    /// It is being asked for now.
    probing: bool,
    /// Whose turn it is to be asked for alone.
    turn: usize,
}

impl Blocks {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self { plan, parted: Vec::new(), now: Instant::now() }
    }

    /// Lines up what to ask for one block with this scan.
    pub(super) fn queue(&mut self, block: usize, now: Instant, queue: &mut VecDeque<Question>) {
        self.now = now;
        let contract = &self.plan.blocks[block];
        if let Some(parted) = self.parted.iter_mut().find(|parted| parted.block == block) {
            parted.probing = now >= parted.probe_at;
            queue.extend(parted.runs.iter().map(|run| parted.question(contract, run)));
            if !parted.probing {
                return;
            }
        }
        queue.push_back(question(contract, block, 0..contract.count));
    }

    /// Lines up the first of what to ask for one block.
    pub(super) fn queue_one(&mut self, block: usize, now: Instant, queue: &mut VecDeque<Question>) {
        let before = queue.len();
        self.queue(block, now, queue);
        queue.truncate(before + 1);
    }

    /// Takes what came of a question.
    pub(super) fn note(&mut self, asked: &Question, fault: Option<Fault>) -> Said {
        let contract = &self.plan.blocks[asked.block];
        // Illegal address, illegal value: it does not have what was asked for, or not so much.
        let about_registers = matches!(fault, Some(Fault::Refused(2 | 3)));
        let place = self.parted.iter().position(|parted| parted.block == asked.block);
        let Some(place) = place else {
            if !about_registers {
                return Said::Itself;
            }
            let mut parted = Parted::new(asked.block, contract, self.now);
            let halves = parted.refused(contract, asked);
            self.parted.push(parted);
            return halves;
        };
        let is_whole = (asked.offset, asked.count) == (0, contract.count);
        let parted = &mut self.parted[place];
        match fault {
            None if is_whole => {
                // All of it is there again.
                self.parted.swap_remove(place);
                Said::Itself
            }
            None => {
                parted.came(asked);
                Said::Itself
            }
            Some(_) if is_whole && parted.probing => {
                let alone = parted.probed(contract, self.now);
                // Who does not answer at all is not asked again at once.
                Said::Probe(if about_registers { alone } else { Vec::new() })
            }
            Some(_) if about_registers => parted.refused(contract, asked),
            Some(_) => Said::Itself,
        }
    }

    /// A scan is over: what was found out shapes the next one.
    pub(super) fn settle(&mut self) {
        for parted in &mut self.parted {
            parted.settle();
        }
    }

    /// A station that comes back may have other registers than before.
    pub(super) fn reconnected(&mut self, now: Instant) {
        for parted in &mut self.parted {
            (parted.probe_at, parted.pause) = (now, PROBE_FIRST);
        }
    }
}

impl Parted {
    fn new(block: usize, contract: &Block, now: Instant) -> Self {
        let atoms = contract.atoms();
        Self {
            block,
            runs: std::iter::once(0..atoms.len()).collect(),
            atoms,
            alone: Vec::new(),
            is_news: false,
            probe_at: now + PROBE_FIRST,
            pause: PROBE_FIRST,
            probing: false,
            turn: 0,
        }
    }

    fn question(&self, contract: &Block, run: &Range<usize>) -> Question {
        let cells = self.atoms[run.start].start..self.atoms[run.end - 1].end;
        question(contract, self.block, cells)
    }

    /// The atoms of a question.
    fn run_of(&self, asked: &Question) -> Range<usize> {
        let end = asked.offset.saturating_add(asked.count);
        let first = self.atoms.partition_point(|atom| atom.start < asked.offset);
        let last = self.atoms.partition_point(|atom| atom.end <= end);
        first..last.max(first)
    }

    /// Halves what was refused. What cannot be halved is left alone.
    fn refused(&mut self, contract: &Block, asked: &Question) -> Said {
        let run = self.run_of(asked);
        self.runs.retain(|other| other.end <= run.start || run.end <= other.start);
        if run.len() <= 1 {
            for atom in run.filter(|atom| !self.alone.contains(atom)).collect::<Vec<_>>() {
                self.alone.push(atom);
                self.is_news = true;
            }
            return Said::Itself;
        }
        let middle = run.start + run.len() / 2;
        let halves = [run.start..middle, middle..run.end];
        let questions = [0, 1].map(|n: usize| self.question(contract, &halves[n]));
        self.runs.extend(halves);
        Said::Halves(questions)
    }

    /// The whole of it is still not to be had: some of those that stand alone are asked for.
    fn probed(&mut self, contract: &Block, now: Instant) -> Vec<Question> {
        self.probing = false;
        self.pause = (2 * self.pause).min(PROBE_LONGEST);
        self.probe_at = now + self.pause;
        let count = self.alone.len().min(PROBED_ALONE_MAX);
        let turns = (0..count).map(|n| self.alone[(self.turn + n) % self.alone.len()]);
        let questions = turns.map(|atom| self.question(contract, &(atom..atom + 1)));
        // The whole of it has just been asked for.
        let questions = questions.filter(|question| question.count < contract.count).collect();
        self.turn = (self.turn + count) % self.alone.len().max(1);
        questions
    }

    /// Something of it came.
    fn came(&mut self, asked: &Question) {
        let run = self.run_of(asked);
        let before = self.alone.len();
        self.alone.retain(|atom| !run.contains(atom));
        self.is_news |= self.alone.len() < before;
    }

    /// Joins what stands between those that stand alone. A run that is refused although none of its
    /// atoms is, because it is more than the device gives at once, stays halved.
    fn settle(&mut self) {
        if std::mem::take(&mut self.is_news) {
            self.runs.clear();
            for atom in (0..self.atoms.len()).filter(|atom| !self.alone.contains(atom)) {
                match self.runs.last_mut() {
                    Some(run) if run.end == atom => run.end += 1,
                    _ => self.runs.push(atom..atom + 1),
                }
            }
        }
    }
}

fn question(contract: &Block, block: usize, cells: Range<u16>) -> Question {
    let count = cells.end - cells.start;
    let address = contract.address + cells.start;
    let (unit, table) = (contract.unit, contract.table);
    Question { block, offset: cells.start, count, unit, table, address }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{BlockContent, Item};
    use config::{PointId, RegisterTable, Scan, WordOrder};
    use signal::layout::Part;
    use signal::raw::RawType;
    use std::collections::BTreeSet;

    /// One block of 120 registers, each a point of its own.
    fn plan(count: u16) -> Arc<Plan> {
        let item = |n| Item {
            point: PointId(n),
            part: Part::Value,
            offset: n,
            raw_type: RawType::Unsigned16,
            order: WordOrder::Abcd,
            scale: 1.0,
        };
        let content = BlockContent::Points((0..count).map(item).collect());
        let (table, scan) = (RegisterTable::Input, Scan::Fast);
        let block = Block { unit: 1, table, address: 50, count, scan, whole: Vec::new(), content };
        Arc::new(Plan::of(vec![block], |_| 1_000))
    }

    /// A device without some registers that gives at most so many at once.
    struct Device {
        illegal: BTreeSet<u16>,
        most: u16,
    }

    impl Device {
        fn answer(&self, asked: &Question) -> Option<Fault> {
            let cells = asked.address..asked.address + asked.count;
            if asked.count > self.most {
                return Some(Fault::Refused(3));
            }
            cells.into_iter().any(|cell| self.illegal.contains(&cell)).then_some(Fault::Refused(2))
        }

        /// One scan: the registers that came, and how many questions it took.
        fn scan(&self, blocks: &mut Blocks, now: Instant) -> (BTreeSet<u16>, usize) {
            let mut queue = VecDeque::new();
            blocks.queue(0, now, &mut queue);
            let (mut came, mut count) = (BTreeSet::new(), 0);
            while let Some(asked) = queue.pop_back() {
                count += 1;
                let fault = self.answer(&asked);
                match blocks.note(&asked, fault) {
                    Said::Halves(halves) => queue.extend(halves),
                    Said::Probe(alone) => queue.extend(alone),
                    Said::Itself if fault.is_none() => {
                        came.extend(asked.address..asked.address + asked.count);
                    }
                    Said::Itself => {
                        assert_eq!(asked.count, 1, "only a register alone is called refused");
                    }
                }
            }
            blocks.settle();
            (came, count)
        }
    }

    #[test]
    fn one_illegal_register_is_found_with_the_first_scan_and_costs_one_request_after_that() {
        let (mut blocks, now) = (Blocks::new(plan(120)), Instant::now());
        let device = Device { illegal: [97].into(), most: 125 };
        let (came, count) = device.scan(&mut blocks, now);
        assert_eq!(came.len(), 119);
        assert!(count <= 2 * 7 + 1, "halving 120 takes seven steps, not {count} questions");
        let (came, count) = device.scan(&mut blocks, now);
        assert_eq!((came.len(), count), (119, 2));
    }

    #[test]
    fn what_was_illegal_is_probed_and_comes_back() {
        let (mut blocks, mut now) = (Blocks::new(plan(120)), Instant::now());
        let mut device = Device { illegal: [60, 97, 98].into(), most: 125 };
        device.scan(&mut blocks, now);
        let mut probes = 0;
        for _ in 0..300 {
            now += Duration::from_secs(1);
            let (came, count) = device.scan(&mut blocks, now);
            assert_eq!(came.len(), 117);
            probes += usize::from(count > 3);
        }
        assert!((5..=9).contains(&probes), "{probes} probes in five minutes");
        // One of them comes back, the whole does not.
        device.illegal.remove(&97);
        now += PROBE_LONGEST;
        device.scan(&mut blocks, now);
        assert_eq!(device.scan(&mut blocks, now), (device.scan(&mut blocks, now).0, 3));
        assert_eq!(device.scan(&mut blocks, now).0.len(), 118);
        // All of it does.
        device.illegal.clear();
        now += PROBE_LONGEST;
        device.scan(&mut blocks, now);
        assert_eq!(device.scan(&mut blocks, now).1, 1);
    }

    #[test]
    fn a_device_that_gives_fewer_at_once_is_asked_for_fewer() {
        let (mut blocks, now) = (Blocks::new(plan(120)), Instant::now());
        let device = Device { illegal: [97].into(), most: 40 };
        device.scan(&mut blocks, now);
        device.scan(&mut blocks, now);
        let (came, count) = device.scan(&mut blocks, now);
        assert_eq!(came.len(), 119);
        assert!(count <= 6, "{count} questions for what four would do");
        assert_eq!(device.scan(&mut blocks, now).1, count, "nothing is tried again each time");
    }

    #[test]
    fn a_device_that_refuses_everything_is_probed_and_read_at_once_when_it_does_not() {
        let (mut blocks, mut now) = (Blocks::new(plan(120)), Instant::now());
        let device = Device { illegal: (0..1_000).collect(), most: 125 };
        assert_eq!(device.scan(&mut blocks, now).0.len(), 0);
        now += Duration::from_secs(1);
        assert_eq!(device.scan(&mut blocks, now).1, 0, "all are left alone");
        let device = Device { illegal: BTreeSet::new(), most: 125 };
        now += PROBE_FIRST;
        assert_eq!(device.scan(&mut blocks, now).0.len(), 120);
    }
}
