//! One scan of a channel: which questions, in which order, and what to do about the answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use config::DeviceLimits;
use signal::update::{LinkFault, OverrunCause};
use tokio::time::Instant;

use super::blocks::{Blocks, Said};
use super::connection::Connection;
use super::dialogue::{Answer, Question};
use super::plan::Plan;
use super::poll::{Fault, Poll};
use super::rings::{Rings, is_record};
use super::world::Wire;

/// Pause after which a silent unit is asked again for the first time.
const UNIT_PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause after which a silent unit is asked again.
const UNIT_PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// Longest pause of a unit of which the gateway says that it does not reach it: that costs less.
const GATEWAY_PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// Questions without a reply in a row from which on a link may count as lost.
const UNANSWERED_MIN: u32 = 2;
/// Questions of one scan beyond those of its blocks: halves of what was refused. The rest waits for
/// the next scan, so that a device which refuses everything is not flooded.
const EXTRA_QUESTIONS_MAX: usize = 64;
/// Time from the beginning of a scan after which no more records of events are asked for: the polls
/// of the next slot are not to wait for history.
const RECORDS_TIME: Duration = Duration::from_millis(300);
/// Polls that are reported together.
const POLLS_TOGETHER: usize = 16;
/// Replies are handed on after that time even if some are still awaited.
const HOLD: Duration = Duration::from_millis(50);

/// Asks a station, scan by scan, and remembers what it cannot answer.
pub(super) struct Asker {
    plan: Arc<Plan>,
    device: DeviceLimits,
    pause_between: Duration,
    blocks: Blocks,
    rings: Rings,
    silent: Vec<Silence>,
    newly_silent: Vec<(u8, Fault)>,
    queue: VecDeque<Question>,
    /// Blocks that the last scan left no time for.
    left: Vec<usize>,
    polls: Vec<Poll>,
    batch: Vec<Question>,
    answers: Vec<Answer>,
    /// The last step brought nothing.
    waited_in_vain: bool,
    /// Units that were asked in this scan: whether they answered, and whether they did not.
    units: Vec<Heard>,
    extra: usize,
    /// Questions that were asked again since their replies could not be proven.
    repeated: Vec<Question>,
    deadline: Instant,
    /// When the scan began.
    began: Instant,
    /// No question before then: the device wants a pause.
    quiet_until: Instant,
    /// Questions without a reply since the last reply of any unit.
    unanswered: u32,
    /// In this scan every unit has been asked, and one of them a second time.
    probed_all: bool,
    asked_again: bool,
    /// When records are to wait for the next scan.
    records_until: Instant,
}

/// Whether a unit is not there: no reply, or the gateway says so in its place (0A, 0B).
fn says_absent(fault: Fault) -> bool {
    matches!(fault, Fault::NoReply | Fault::Refused(0x0A | 0x0B))
}

/// A unit that did not answer, and when it is asked again.
struct Silence {
    unit: u8,
    until: Instant,
    pause: Duration,
    /// The connection broke while it was asked: it is asked alone, so that nobody else is blamed.
    breaks: bool,
}

/// How a unit fared in this scan.
#[derive(Clone, Copy)]
struct Heard {
    unit: u8,
    asked: bool,
    answered: bool,
    failed: bool,
    /// How it failed last.
    fault: Fault,
}

/// Where the time of a scan went.
#[derive(Debug, Default)]
pub(super) struct Spent {
    machine: Duration,
    /// It is not known yet what it was waited for.
    open: Duration,
    silent: Duration,
    silent_unit: u8,
    replies: Duration,
    pauses: Duration,
    historian: Duration,
}

impl Spent {
    /// A scan that began so late.
    pub(super) fn after(machine: Duration) -> Self {
        Self { machine, ..Self::default() }
    }

    /// Time of waiting, and the unit that did not answer when it ended so.
    fn on_waiting(&mut self, time: Duration, settled: bool, given_up: Option<u8>) {
        self.open += time;
        match given_up {
            Some(unit) => {
                self.silent += std::mem::take(&mut self.open);
                self.silent_unit = unit;
            }
            None if settled => self.replies += std::mem::take(&mut self.open),
            None => {}
        }
    }

    /// Time for which readings had to wait.
    pub(super) fn on_historian(&mut self, time: Duration) {
        self.historian += time;
    }

    /// What took most of it.
    pub(super) fn cause(&self) -> OverrunCause {
        let parts = [
            (self.silent, OverrunCause::SilentDevice(self.silent_unit)),
            (self.replies, OverrunCause::SlowReplies),
            (self.pauses, OverrunCause::Pauses),
            (self.historian, OverrunCause::Historian),
            (self.machine, OverrunCause::Machine),
        ];
        parts
            .into_iter()
            .max_by_key(|(time, _)| *time)
            .map_or(OverrunCause::Machine, |(_, cause)| cause)
    }
}

impl Asker {
    pub(super) fn new(plan: Arc<Plan>, device: &DeviceLimits, now: Instant) -> Self {
        Self {
            blocks: Blocks::new(Arc::clone(&plan)),
            rings: Rings::new(&plan, device),
            plan,
            pause_between: Duration::from_millis(device.pause_between_ms.into()),
            device: device.clone(),
            silent: Vec::new(),
            newly_silent: Vec::new(),
            queue: VecDeque::new(),
            left: Vec::new(),
            polls: Vec::new(),
            batch: Vec::new(),
            answers: Vec::new(),
            waited_in_vain: false,
            units: Vec::new(),
            extra: 0,
            repeated: Vec::new(),
            deadline: now,
            began: now,
            quiet_until: now,
            unanswered: 0,
            probed_all: false,
            asked_again: false,
            records_until: now,
        }
    }

    /// The station is there again. What was silent before may have been so because of the loss.
    pub(super) fn reconnected(&mut self, now: Instant) {
        self.blocks.reconnected(now);
        self.rings.reconnected();
        for silence in &mut self.silent {
            (silence.until, silence.pause) = (now, UNIT_PAUSE_FIRST);
            silence.breaks = false;
        }
        self.left.clear();
    }

    /// Begins a scan of some blocks; what the last one left comes first.
    pub(super) fn begin(&mut self, blocks: &[usize], now: Instant) {
        self.deadline = now + Duration::from_millis(self.device.scan_timeout_ms.into());
        self.records_until = now + RECORDS_TIME;
        self.rings.begin();
        self.extra = 0;
        self.repeated.clear();
        self.units.clear();
        self.queue.clear();
        (self.began, self.probed_all, self.asked_again) = (now, false, false);
        let left = std::mem::take(&mut self.left);
        let others = blocks.iter().filter(|block| !left.contains(block));
        // Suspects come last, but not last each time: what was left has waited long enough.
        let mut suspects = VecDeque::new();
        for (n, block) in left.iter().chain(others).enumerate() {
            if !self.rings.may_ask(*block, now) {
                continue;
            }
            let unit = self.plan.blocks[*block].unit;
            match self.silent.iter().find(|silence| silence.unit == unit) {
                None => self.blocks.queue(*block, now, &mut self.queue),
                Some(silence) if silence.until > now => {}
                Some(_) if n < left.len() => self.blocks.queue(*block, now, &mut self.queue),
                Some(_) => self.blocks.queue(*block, now, &mut suspects),
            }
        }
        self.queue.append(&mut suspects);
        if self.queue.is_empty() && !blocks.is_empty() {
            self.ask_the_first_of_the_silent(now);
        }
    }

    /// Every unit is left alone: that spares nobody anything, so the one whose pause ends first is
    /// asked now.
    fn ask_the_first_of_the_silent(&mut self, now: Instant) {
        let first = self.silent.iter().min_by_key(|silence| silence.until);
        if let Some(unit) = first.map(|silence| silence.unit) {
            self.queue_one(unit, now);
        }
    }

    /// Lines up one question to a unit.
    fn queue_one(&mut self, unit: u8, now: Instant) {
        let own = self.plan.blocks.iter().position(|block| block.unit == unit);
        if let Some(block) = own {
            self.blocks.queue_one(block, now, &mut self.queue);
        }
    }

    /// Asks as much as may be under way, and waits for what comes next. Whether there is more.
    pub(super) async fn step<W: Wire>(
        &mut self,
        connection: &mut Connection<W>,
        spent: &mut Spent,
    ) -> Result<bool, LinkFault> {
        let stepped = self.ask_and_settle(connection, spent).await;
        let mut broke = None;
        if stepped.is_err()
            && let Some((unit, blocks)) = connection.dialogue.abandon(connection.last_read())
        {
            let heard = self.heard(unit);
            (heard.asked, heard.failed) = (true, true);
            self.leave(blocks);
            broke = Some(unit);
        }
        let mut answers = std::mem::take(&mut self.answers);
        connection.dialogue.take_settled(connection.last_read(), &mut answers);
        for answer in answers.drain(..) {
            self.take(answer, connection.last_read());
        }
        self.answers = answers;
        connection.dialogue.take_unproven().for_each(|question| self.repeat(question));
        let may_ask = self.may_ask(connection.last_read());
        if stepped.is_ok() && (connection.dialogue.in_flight() > 0 || may_ask) {
            return Ok(true);
        }
        if stepped.is_ok() && self.probe_all(connection.now()) {
            return Ok(true);
        }
        self.note_silence(connection.now(), broke);
        stepped?;
        self.all_silent().map_or(Ok(false), Err)
    }

    /// Nothing answered what was asked in this scan: perhaps nobody is there, which one question to
    /// each of the other units tells, whatever their slots; and a single question may have been lost,
    /// which a second one tells. Whether there is anything to ask.
    fn probe_all(&mut self, now: Instant) -> bool {
        let failed = self.units.iter().find(|heard| heard.failed).map(|heard| heard.unit);
        let answered = self.units.iter().any(|heard| heard.answered);
        let Some(failed) = failed.filter(|_| !answered && self.queue.is_empty()) else {
            return false;
        };
        if !std::mem::replace(&mut self.probed_all, true) {
            let mut units: Vec<u8> = self.units.iter().map(|heard| heard.unit).collect();
            units.extend(self.silent.iter().map(|silence| silence.unit));
            for (block, contract) in self.plan.blocks.iter().enumerate() {
                if !units.contains(&contract.unit) {
                    units.push(contract.unit);
                    self.blocks.queue_one(block, self.began, &mut self.queue);
                }
            }
        }
        if self.queue.is_empty() && self.unanswered < UNANSWERED_MIN && !self.asked_again {
            self.asked_again = true;
            self.heard(failed).asked = false;
            self.queue_one(failed, self.began);
        }
        self.may_ask(now)
    }

    async fn ask_and_settle<W: Wire>(
        &mut self,
        connection: &mut Connection<W>,
        spent: &mut Spent,
    ) -> Result<(), LinkFault> {
        let most = if self.pause_between.is_zero() { self.device.in_flight.into() } else { 1 };
        let mut began = connection.now();
        if began < self.quiet_until && !self.queue.is_empty() {
            spent.pauses += self.quiet_until - began;
            connection.sleep_until(self.quiet_until).await;
            began = connection.now();
        }
        let mut batch = std::mem::take(&mut self.batch);
        let under_way = connection.dialogue.in_flight();
        // Asking one by one as replies come would cost two system calls each: what was asked together
        // is waited for, unless some of it takes its time.
        let waits = under_way > 0 && !self.waited_in_vain;
        while !waits
            && under_way + batch.len() < most
            && let Some(question) = self.next(under_way + batch.len(), began)
        {
            batch.push(question);
        }
        let asked = connection.ask(batch.drain(..), began).await;
        self.batch = batch;
        asked?;
        let before = connection.dialogue.settled().len();
        let outcome = connection.settle(began + HOLD).await;
        let settled = &connection.dialogue.settled()[before..];
        let mut given_up = None;
        for answer in settled {
            if answer.fault == Some(Fault::NoReply) {
                given_up = Some(answer.question.unit);
            }
            self.hear(answer.question.unit, answer.fault);
        }
        self.waited_in_vain = settled.is_empty();
        let waited = connection.last_read().saturating_duration_since(began);
        spent.on_waiting(waited, !settled.is_empty(), given_up);
        if !settled.is_empty() {
            self.quiet_until = connection.last_read() + self.pause_between;
        }
        outcome
    }

    /// Whether there is something to ask, and time for it.
    fn may_ask(&self, now: Instant) -> bool {
        let is_askable = |question: &Question| self.may_be_asked(question.unit);
        now < self.deadline
            && !self.queue.is_empty()
            && (self.silent.is_empty() || self.queue.iter().any(is_askable))
    }

    /// The next question, while so many are under way. A unit that is suspected to be silent gets
    /// one: the others wait for what comes of it.
    fn next(&mut self, under_way: usize, now: Instant) -> Option<Question> {
        if !self.may_ask(now) {
            return None;
        }
        if self.silent.is_empty() {
            let question = self.queue.pop_front()?;
            self.heard(question.unit).asked = true;
            return Some(question);
        }
        let asked_alone = |unit| self.silent.iter().any(|s| s.unit == unit && s.breaks);
        if under_way > 0 && self.units.iter().any(|h| h.asked && !h.failed && asked_alone(h.unit)) {
            return None;
        }
        let may_be_asked = |unit| {
            let alone = asked_alone(unit);
            self.may_be_asked(unit) && (!alone || under_way == 0)
        };
        let place = self.queue.iter().position(|question| may_be_asked(question.unit))?;
        let question = self.queue.remove(place)?;
        self.heard(question.unit).asked = true;
        Some(question)
    }

    fn may_be_asked(&self, unit: u8) -> bool {
        let is_suspect = self.silent.iter().any(|silence| silence.unit == unit);
        let heard = self.units.iter().find(|heard| heard.unit == unit);
        !is_suspect || heard.is_none_or(|heard| !heard.asked || heard.answered)
    }

    fn heard(&mut self, unit: u8) -> &mut Heard {
        let place = self.units.iter().position(|heard| heard.unit == unit);
        let place = place.unwrap_or_else(|| {
            let (asked, answered, failed) = (false, false, false);
            self.units.push(Heard { unit, asked, answered, failed, fault: Fault::NoReply });
            self.units.len() - 1
        });
        &mut self.units[place]
    }

    /// What an answer means for the rest of the scan.
    fn hear(&mut self, unit: u8, fault: Option<Fault>) {
        let is_silence = fault == Some(Fault::NoReply);
        self.unanswered = if is_silence { self.unanswered.saturating_add(1) } else { 0 };
        let heard = self.heard(unit);
        if let Some(fault) = fault.filter(|fault| says_absent(*fault)) {
            (heard.failed, heard.fault) = (true, fault);
            if !heard.answered {
                // What holds for one holds for all: the rest of it is not asked now.
                let own = self.queue.iter().filter(|other| other.unit == unit);
                let blocks = own.map(|other| other.block).collect();
                self.queue.retain(|other| other.unit != unit);
                self.leave(blocks);
            }
            return;
        }
        heard.answered = true;
        if let Some(place) = self.silent.iter().position(|silence| silence.unit == unit) {
            self.silent.swap_remove(place);
            // It is there again: what it was not asked for meanwhile comes first in the next scan.
            let plan = Arc::clone(&self.plan);
            let own = plan.blocks.iter().enumerate().filter(|(_, block)| block.unit == unit);
            self.leave(own.map(|(n, _)| n).collect());
        }
    }

    /// Takes an answer that is to be believed.
    fn take(&mut self, answer: Answer, now: Instant) {
        let Answer { question, fault, exchange, .. } = answer;
        let contract = &self.plan.blocks[question.block];
        let is_record = is_record(contract, &question);
        let records = self.rings.note(contract, &question, (fault, &exchange), now);
        // Behind everything else: what is polled does not wait for what has been. Some of it comes
        // with each scan, however slow the path.
        self.queue.extend(records.filter(|_| !is_record || now < self.records_until));
        let said = if is_record { Said::Itself } else { self.blocks.note(&question, fault) };
        let in_parts = said != Said::Itself;
        match said {
            Said::Halves(halves) if self.extra < EXTRA_QUESTIONS_MAX => {
                self.extra += halves.len();
                halves.into_iter().rev().for_each(|half| self.queue.push_front(half));
            }
            Said::Probe(alone) => self.queue.extend(alone),
            // Halves for which there is no room are asked for with the next scan.
            Said::Itself | Said::Halves(_) => {}
        }
        let Question { block, offset, count, .. } = question;
        self.polls.push(Poll { block, offset, count, fault, in_parts, exchange });
    }

    /// Asks again what cannot be told from what broke off: behind everything else, where nothing comes
    /// after it that could fill it up. Once in a scan; the next one asks for it first.
    fn repeat(&mut self, question: Question) {
        if self.repeated.contains(&question) {
            self.leave(vec![question.block]);
        } else {
            self.repeated.push(question);
            self.queue.push_back(question);
        }
    }

    /// What is to be reported now: a batch, or what there is when nothing more comes soon.
    pub(super) fn take_polls(&mut self, is_over: bool) -> Vec<Poll> {
        if is_over || self.waited_in_vain || self.polls.len() >= POLLS_TOGETHER {
            let room = Vec::with_capacity(if is_over { 0 } else { POLLS_TOGETHER });
            return std::mem::replace(&mut self.polls, room);
        }
        Vec::new()
    }

    /// A unit that answered nothing is left alone for a while, which doubles each time, so that it
    /// costs its neighbours one deadline a pause.
    fn note_silence(&mut self, now: Instant, broke: Option<u8>) {
        let failed = self
            .units
            .iter()
            .filter(|heard| heard.failed && (!heard.answered || broke == Some(heard.unit)));
        for (unit, fault) in failed.map(|heard| (heard.unit, heard.fault)) {
            self.queue.retain(|other| other.unit != unit);
            let breaks = broke == Some(unit);
            let longest =
                if fault == Fault::NoReply { UNIT_PAUSE_LONGEST } else { GATEWAY_PAUSE_LONGEST };
            if let Some(silence) = self.silent.iter_mut().find(|silence| silence.unit == unit) {
                silence.pause = (2 * silence.pause).min(longest);
                silence.until = now + silence.pause;
                silence.breaks |= breaks;
            } else {
                let pause = UNIT_PAUSE_FIRST;
                self.silent.push(Silence { unit, until: now + pause, pause, breaks });
            }
            self.newly_silent.push((unit, fault));
        }
    }

    /// Units that answered nothing in the scan that has just ended, and how they did not.
    pub(super) fn take_silent(&mut self) -> Vec<(u8, Fault)> {
        std::mem::take(&mut self.newly_silent)
    }

    /// What is to be said of the link when no unit of the station answers any more: each has been
    /// asked, and not only one question was lost.
    fn all_silent(&self) -> Option<LinkFault> {
        let failed = self.units.iter().any(|heard| heard.failed);
        if !failed || self.unanswered < UNANSWERED_MIN || !self.queue.is_empty() {
            return None;
        }
        let is_silent = |unit: u8| self.silent.iter().any(|silence| silence.unit == unit);
        let all = self.plan.blocks.iter().all(|block| is_silent(block.unit));
        let closes = self.silent.iter().any(|silence| silence.breaks);
        all.then_some(if closes { LinkFault::Closed } else { LinkFault::Silent })
    }

    /// Ends a scan, and says for how many questions there was no time.
    pub(super) fn finish(&mut self) -> u32 {
        self.blocks.settle();
        let unasked = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        let blocks: Vec<usize> = self.queue.drain(..).map(|question| question.block).collect();
        self.leave(blocks);
        unasked
    }

    /// Blocks that the next scan asks for first.
    fn leave(&mut self, blocks: Vec<usize>) {
        for block in blocks {
            if !self.left.contains(&block) {
                self.left.push(block);
            }
        }
    }
}
