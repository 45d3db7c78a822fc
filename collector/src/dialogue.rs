//! What was asked over a connection, and which reply answers which question.
//!
//! Replies are matched by their transaction number, unit, function and length. What is no clean reply
//! to a question that waits is never used; and a reply is only believed when the stream behind it is
//! in order, since a reply that breaks off is filled up by what comes next. The question behind it must
//! have its own reply, too: what came in its place may have been just as long as the gap.
//!
//! Pure: it is handed the bytes of the stream, and told the time.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use config::RegisterTable;
use signal::bytes::Bytes;
use signal::clock::Timestamp;
use signal::update::{LinkFault, Strays};
use tokio::time::Instant;

use super::frame::{
    Front, Numbers, ReadRequest, before, ends_in_head, front, may_end_in_head, swallows,
};
use super::poll::{Exchange, Fault};

/// Numbers of requests that were given up and may still be answered. When there are more, the
/// connection is renewed, so that no number is used again while a reply to it can come.
const GIVEN_UP_MAX: usize = 256;
/// So many deadlines after it was given up, the beginning of a reply may still fill up another one.
const GIVEN_UP_OF_LATE: u32 = 4;

/// The questions and answers of one connection.
pub(super) struct Dialogue {
    reply_timeout: Duration,
    numbers: Numbers,
    /// Questions that were ever asked.
    asked: u64,
    /// Questions under way, in the order in which they were sent.
    waiting: VecDeque<Waiting>,
    /// Answers of this scan that are not yet handed on, in the order in which they came.
    settled: Vec<Answer>,
    /// Questions whose replies cannot be proven, nobody's fault.
    unproven: Vec<Question>,
    /// Numbers of requests that were given up, and when.
    given_up: Vec<(u16, Instant)>,
    strays: Strays,
    answered: bool,
    /// What came and is not yet sorted.
    input: Vec<u8>,
}

/// What is asked: a part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    /// The block: an index into the plan.
    pub(super) block: usize,
    /// First cell, counted from the first of the block.
    pub(super) offset: u16,
    pub(super) count: u16,
    pub(super) unit: u8,
    pub(super) table: RegisterTable,
    /// Address of the first cell.
    pub(super) address: u16,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) question: Question,
    pub(super) fault: Option<Fault>,
    pub(super) exchange: Exchange,
    /// Number of its request.
    pub(super) transaction: u16,
    /// How many questions had been asked before its own.
    order: u64,
    /// The first question behind its own of which nothing can stand in this reply: the one whose reply
    /// came next, or one that was asked later.
    clear_from: u64,
    turn: Turn,
    /// It cannot be proven any more.
    is_left: bool,
}

/// Whether a reply came in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Behind all replies to earlier questions; or a reply to a later one has come since, so that its turn
    /// is over and brought no other one.
    Own,
    /// Before the reply to an earlier question: it may be that one, with a wrong number.
    Early,
    /// What it came before has come after all: it was not its turn.
    Wrong,
}

/// A question that is under way.
struct Waiting {
    question: Question,
    transaction: u16,
    order: u64,
    at: Timestamp,
    sent: Instant,
}

impl Dialogue {
    pub(super) fn new(reply_timeout: Duration) -> Self {
        Self {
            reply_timeout,
            numbers: Numbers::default(),
            asked: 0,
            waiting: VecDeque::new(),
            settled: Vec::new(),
            unproven: Vec::new(),
            given_up: Vec::new(),
            strays: Strays::default(),
            answered: false,
            input: Vec::new(),
        }
    }

    /// Questions under way.
    pub(super) fn in_flight(&self) -> usize {
        self.waiting.len()
    }

    /// Until when the oldest question may be answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.sent + self.reply_timeout)
    }

    /// Whether so many requests were given up that the connection should be renewed.
    pub(super) fn is_worn(&self) -> bool {
        self.given_up.len() >= GIVEN_UP_MAX
    }

    /// Whether any question was ever answered.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// Takes the counts of replies that belonged to nobody.
    pub(super) fn take_strays(&mut self) -> Strays {
        std::mem::take(&mut self.strays)
    }

    /// Takes a question up, and returns its request.
    pub(super) fn ask(
        &mut self,
        question: Question,
        at: Timestamp,
        sent: Instant,
    ) -> [u8; Exchange::REQUEST_BYTES] {
        let transaction = self.free_number();
        let waiting = Waiting { question, transaction, order: self.asked, at, sent };
        let request = waiting.request().bytes();
        self.waiting.push_back(waiting);
        self.asked += 1;
        request
    }

    /// Where the bytes of the stream are appended, to be sorted.
    pub(super) fn input(&mut self) -> &mut Vec<u8> {
        &mut self.input
    }

    /// Gives back the room for replies, while nothing is asked: connections are many.
    pub(super) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = Vec::new();
        }
    }

    /// Answers of this scan that were not yet taken.
    pub(super) fn settled(&self) -> &[Answer] {
        &self.settled
    }

    /// A number to which no reply can come any more.
    fn free_number(&mut self) -> u16 {
        // All others come before a number comes again: only a question that has waited while half of
        // them were drawn is looked for.
        let oldest = self.waiting.front().map_or(self.asked, |waiting| waiting.order);
        let may_wait = self.asked - oldest >= u64::from(Numbers::ALL / 2);
        loop {
            let number = self.numbers.draw();
            let waits = may_wait && self.waiting.iter().any(|w| w.transaction == number);
            if !waits && !self.given_up.iter().any(|(given, _)| *given == number) {
                return number;
            }
        }
    }

    /// Takes the answers that are to be believed: all of them when no question is under way, else
    /// those in front of the last reply whose next question has its own reply, and whose own turn is over.
    pub(super) fn take_settled(&mut self, now: Instant, answers: &mut Vec<Answer>) {
        self.doubt_what_is_filled(now);
        let unproven = self.settled.extract_if(.., |answer| answer.is_left);
        self.unproven.extend(unproven.map(|answer| answer.question));
        if self.waiting.is_empty() {
            if !self.input.is_empty() {
                // Something has begun behind the last reply that nobody asked for.
                self.doubt_last();
            }
            answers.append(&mut self.settled);
            return;
        }
        let came = |answer: &Answer| answer.fault != Some(Fault::NoReply);
        let last = self.settled.iter().rposition(came).unwrap_or(self.settled.len());
        let waiting = &self.waiting;
        let is_proven = |answer: &mut Answer| !answer.is_unproven(waiting.iter());
        answers.extend(self.settled.extract_if(..last, is_proven));
    }

    /// Takes the questions whose replies could not be proven: they are to be asked again.
    pub(super) fn take_unproven(&mut self) -> impl Iterator<Item = Question> {
        self.unproven.drain(..)
    }

    /// The connection has ended. Gives up the question that has waited longest, since a server takes
    /// them in turn: its unit is returned, and the blocks of the others, which were not even heard.
    pub(super) fn abandon(&mut self, now: Instant) -> Option<(u8, Vec<usize>)> {
        self.doubt_last();
        self.input.clear();
        self.leave_unproven(0..self.waiting.len(), now);
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        let first = waiting.next()?;
        let unit = first.question.unit;
        self.settled.push(first.given_up(now));
        Some((unit, waiting.map(|waiting| waiting.question.block).collect()))
    }

    /// Sorts the whole frames of the input to the questions that wait.
    pub(super) fn sort(&mut self, now: Instant) -> Result<(), LinkFault> {
        let mut behind = front(&self.input);
        if let Front::Frame(..) = behind {
            // Hardly ever there is more in it than whole frames.
            let came = Bytes::from(&self.input[..]);
            let mut whole = 0;
            while let Front::Frame(bytes, number) = behind {
                self.take(came.part(whole..whole + bytes), number, now);
                whole += bytes;
                behind = front(&came[whole..]);
            }
            self.input.drain(..whole);
        }
        if behind == Front::Garbage {
            self.doubt_last();
            return Err(LinkFault::Garbage);
        }
        Ok(())
    }

    /// Takes a frame to the question that it answers.
    fn take(&mut self, frame: Bytes, number: u16, now: Instant) {
        let place = self.waiting.iter().position(|w| w.transaction == number);
        let waiting = place.and_then(|place| match place {
            // Nearly always, and cheaper.
            0 => self.waiting.pop_front(),
            place => self.waiting.remove(place),
        });
        let Some(waiting) = waiting else {
            if let Some(place) = self.given_up.iter().position(|(given, _)| *given == number) {
                self.given_up.swap_remove(place);
                self.strays.late = self.strays.late.saturating_add(1);
                return;
            }
            self.strays.unknown = self.strays.unknown.saturating_add(1);
            self.doubt_last();
            // A second reply to one question: which of the two is the right one?
            match self.settled.iter_mut().find(|a| a.transaction == number) {
                Some(twice) => twice.doubt(),
                None => self.blame(&frame, now),
            }
            return;
        };
        self.answered = true;
        for answer in self.settled.iter_mut().rev() {
            if answer.is_clear() {
                // Of all in front of it the reply behind them has told before.
                break;
            }
            if answer.order < waiting.order {
                // It is whole up to here.
                answer.clear_from = answer.clear_from.min(waiting.order);
                if answer.turn == Turn::Early {
                    answer.turn = Turn::Own;
                }
            } else if answer.turn == Turn::Early {
                answer.turn = Turn::Wrong;
            }
        }
        let said = if self.has_swallowed(&frame, number) {
            Err(Fault::Undecodable)
        } else {
            waiting.request().answered_by(&frame)
        };
        let turn = if place == Some(0) { Turn::Own } else { Turn::Early };
        self.settled.push(waiting.settled(frame, said.err(), now, (self.asked, turn)));
    }

    /// Whether a frame has another reply among its cells, to any request that may still be answered.
    fn has_swallowed(&self, frame: &[u8], number: u16) -> bool {
        let [high, _] = number.to_be_bytes();
        // Numbers share their high byte with 255 others; the ones before have the one before.
        let before = before(high);
        swallows(frame, high, before)
            || self.given_up.iter().any(|(given, _)| {
                let [other, _] = given.to_be_bytes();
                other != high && other != before && swallows(frame, other, other)
            })
    }

    /// A reply with a number that nobody has is the fault of the question that it looks like a reply
    /// to: the one that has waited longest.
    fn blame(&mut self, frame: &Bytes, now: Instant) {
        let looks_like = |w: &Waiting| w.request().answered_by(frame) != Err(Fault::Undecodable);
        if let Some(place) = self.waiting.iter().position(looks_like) {
            self.leave_unproven(place..place + 1, now);
            let Some(waiting) = self.waiting.remove(place) else { return };
            self.given_up.push((waiting.transaction, now));
            let (fault, clear_from) = (Some(Fault::Undecodable), self.asked);
            self.settled.push(waiting.settled(frame.clone(), fault, now, (clear_from, Turn::Own)));
        }
    }

    /// The last reply may have been filled up by what came behind it: it is not believed.
    fn doubt_last(&mut self) {
        let came = |answer: &&mut Answer| answer.fault != Some(Fault::NoReply);
        if let Some(last) = self.settled.iter_mut().rev().find(came) {
            last.doubt();
        }
    }

    /// A reply that ends as another one begins, to a question that was given up of late, is not
    /// believed: it broke off and was filled up by what came of that one. What is in order behind it
    /// says nothing then.
    fn doubt_what_is_filled(&mut self, now: Instant) {
        if self.given_up.is_empty() {
            return;
        }
        let since = self.reply_timeout * GIVEN_UP_OF_LATE;
        for answer in self.settled.iter_mut().filter(|answer| answer.may_be_filled()) {
            let of_late = |given: &&(u16, Instant)| now.saturating_duration_since(given.1) < since;
            let numbers = self.given_up.iter().filter(of_late).map(|(number, _)| *number);
            if answer.ends_in_head_of_any(numbers) {
                answer.doubt();
            }
        }
    }

    /// These of the questions that wait are given up. Replies right in front of theirs cannot be proven,
    /// nor those that came in their place before their own turn: these may be theirs, with wrong numbers.
    fn leave_unproven(&mut self, given_up: Range<usize>, now: Instant) {
        let given_up = || self.waiting.range(given_up.clone());
        let is_lost = |answer: &&mut Answer| !answer.is_left && answer.is_unproven(given_up());
        for answer in self.settled.iter_mut().filter(is_lost) {
            answer.is_left = true;
            if answer.turn != Turn::Own {
                // Its own reply may still come.
                self.given_up.push((answer.transaction, now));
            }
        }
    }

    /// Gives up the questions whose time is over.
    pub(super) fn give_up_overdue(&mut self, now: Instant) -> Result<(), LinkFault> {
        let overdue =
            self.waiting.iter().take_while(|w| w.sent + self.reply_timeout <= now).count();
        self.leave_unproven(0..overdue, now);
        for waiting in self.waiting.drain(..overdue) {
            self.given_up.push((waiting.transaction, now));
            self.settled.push(waiting.given_up(now));
        }
        if self.input.is_empty() {
            return Ok(());
        }
        // Half a reply: whatever comes next would be taken for its other half.
        self.doubt_last();
        Err(LinkFault::Garbage)
    }
}

impl Waiting {
    fn request(&self) -> ReadRequest {
        let Question { unit, table, address, count, .. } = self.question;
        ReadRequest { transaction: self.transaction, unit, table, address, count }
    }

    fn given_up(self, now: Instant) -> Answer {
        self.settled(Bytes::default(), Some(Fault::NoReply), now, (u64::MAX, Turn::Own))
    }

    fn settled(
        self,
        reply: Bytes,
        fault: Option<Fault>,
        now: Instant,
        (clear_from, turn): (u64, Turn),
    ) -> Answer {
        let took = now.saturating_duration_since(self.sent);
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        Answer {
            exchange: Exchange { at: self.at, took_us, request: self.request().bytes(), reply },
            question: self.question,
            fault,
            transaction: self.transaction,
            order: self.order,
            clear_from,
            turn,
            is_left: false,
        }
    }
}

impl Answer {
    /// Whether it ends as the reply to any of these requests begins.
    fn ends_in_head_of_any(&self, mut numbers: impl Iterator<Item = u16>) -> bool {
        numbers.any(|number| ends_in_head(&self.exchange.reply, number))
    }

    /// Whether it may have broken off and been filled up by the beginning of another reply.
    fn may_be_filled(&self) -> bool {
        self.fault.is_none() && may_end_in_head(&self.exchange.reply, self.transaction)
    }

    /// Whether the question right behind its own has its own reply, and its turn is over.
    fn is_clear(&self) -> bool {
        self.turn == Turn::Own && self.clear_from <= self.order + 1
    }

    /// Whether any of these questions is one whose reply it may be, with a wrong number; or one that its
    /// end may have come from: asked behind it, and passed over by the replies behind it.
    fn is_unproven<'a>(&self, mut waiting: impl Iterator<Item = &'a Waiting>) -> bool {
        let may_be = |other: &Waiting| {
            (self.turn != Turn::Own && other.order < self.order)
                || (self.order + 1..self.clear_from).contains(&other.order)
        };
        self.fault.is_none() && !self.is_clear() && waiting.any(may_be)
    }

    /// What came is not to be believed.
    fn doubt(&mut self) {
        if self.fault.is_none() {
            self.fault = Some(Fault::Undecodable);
        }
    }
}

#[cfg(test)]
mod misbehaving;

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(200);

    fn question(address: u16) -> Question {
        Question { block: 0, offset: 0, count: 5, unit: 3, table: RegisterTable::Input, address }
    }

    /// A reply of five registers to a request.
    fn reply(request: &[u8]) -> Vec<u8> {
        [&request[..2], &[0, 0, 0, 13, 3, 4, 10], &[0x55; 10]].concat()
    }

    #[test]
    fn a_reply_filled_up_by_the_beginning_of_one_that_does_not_go_on_is_not_believed() {
        let now = Instant::now();
        for bytes in 1..=8 {
            let mut dialogue = Dialogue::new(WAIT);
            let first = dialogue.ask(question(0), Timestamp(0), now);
            let second = dialogue.ask(question(5), Timestamp(0), now);
            let (broken, begun) = (reply(&first), reply(&second));
            let came = [&broken[..broken.len() - bytes], &begun[..bytes]].concat();
            dialogue.input().extend(came);
            dialogue.sort(now).unwrap();
            let mut answers = Vec::new();
            dialogue.take_settled(now, &mut answers);
            assert!(answers.is_empty(), "what comes behind it is still to be seen");
            dialogue.give_up_overdue(now + WAIT).unwrap();
            dialogue.take_settled(now + WAIT, &mut answers);
            let faults: Vec<_> = answers.iter().map(|answer| answer.fault).collect();
            assert_eq!(faults, [Some(Fault::NoReply)], "{bytes} bytes");
            assert_eq!(dialogue.take_unproven().collect::<Vec<_>>(), [question(0)]);
        }
    }

    #[test]
    fn what_comes_in_order_behind_two_broken_replies_proves_neither() {
        let now = Instant::now();
        for bytes in 1..=8 {
            for filled_by in [|begun: &[u8]| begun.to_vec(), |begun: &[u8]| vec![9; begun.len()]] {
                let mut dialogue = Dialogue::new(WAIT);
                let ask = |dialogue: &mut Dialogue, n: u16| {
                    dialogue.ask(question(5 * n), Timestamp(0), now)
                };
                let [first, second, third, fourth] = [0, 1, 2, 3].map(|n| ask(&mut dialogue, n));
                let (broken, begun) = (reply(&first), reply(&second));
                let came =
                    [&broken[..broken.len() - bytes], &filled_by(&begun[..bytes]), &reply(&third)];
                dialogue.input().extend(came.concat());
                dialogue.input().extend(reply(&fourth));
                dialogue.sort(now).unwrap();
                let mut answers = Vec::new();
                dialogue.take_settled(now, &mut answers);
                let asked: Vec<_> = answers.iter().map(|answer| answer.question).collect();
                assert_eq!(asked, [question(10)], "the second may still come");
                dialogue.give_up_overdue(now + WAIT).unwrap();
                answers.clear();
                dialogue.take_settled(now + WAIT, &mut answers);
                let faults: Vec<_> = answers.iter().map(|answer| answer.fault).collect();
                assert_eq!(faults, [Some(Fault::NoReply)], "{bytes} bytes");
                let unproven: Vec<_> = dialogue.take_unproven().collect();
                assert_eq!(unproven, [question(0), question(15)]);
            }
        }
    }

    #[test]
    fn a_reply_is_believed_when_the_one_that_was_overtaken_comes() {
        let now = Instant::now();
        let mut dialogue = Dialogue::new(WAIT);
        let asked = [0, 5, 10].map(|address| dialogue.ask(question(address), Timestamp(0), now));
        let mut answers = Vec::new();
        for (request, believed) in [(0, 0), (2, 0), (1, 3)] {
            dialogue.input().extend(reply(&asked[request]));
            dialogue.sort(now).unwrap();
            dialogue.take_settled(now, &mut answers);
            assert_eq!(answers.len(), believed);
        }
        assert!(answers.iter().all(|answer| answer.fault.is_none()));
    }

    #[test]
    fn a_number_that_two_replies_have_proves_neither() {
        let now = Instant::now();
        let mut dialogue = Dialogue::new(WAIT);
        let asked =
            [0, 5, 10, 15].map(|address| dialogue.ask(question(address), Timestamp(0), now));
        let mut answers = Vec::new();
        // The station gives the number of the fourth question to its first reply.
        for request in [3, 1, 2, 3] {
            dialogue.input().extend(reply(&asked[request]));
            dialogue.sort(now).unwrap();
            dialogue.take_settled(now, &mut answers);
        }
        dialogue.give_up_overdue(now + WAIT).unwrap();
        dialogue.take_settled(now + WAIT, &mut answers);
        let faults = [question(0), question(5), question(10), question(15)].map(|question| {
            answers.iter().find(|answer| answer.question == question).map(|answer| answer.fault)
        });
        let (no_reply, in_doubt) = (Some(Some(Fault::NoReply)), Some(Some(Fault::Undecodable)));
        assert_eq!(faults, [no_reply, Some(None), in_doubt, in_doubt]);
    }

    #[test]
    fn a_reply_out_of_its_turn_is_asked_again_when_one_that_it_overtook_never_comes() {
        let now = Instant::now();
        let mut dialogue = Dialogue::new(WAIT);
        let asked =
            [0, 5, 10, 15].map(|address| dialogue.ask(question(address), Timestamp(0), now));
        let mut answers = Vec::new();
        // The first reply has the number of the third question, whose own reply is lost.
        for request in [2, 1, 3] {
            dialogue.input().extend(reply(&asked[request]));
            dialogue.sort(now).unwrap();
            dialogue.take_settled(now, &mut answers);
        }
        dialogue.give_up_overdue(now + WAIT).unwrap();
        dialogue.take_settled(now + WAIT, &mut answers);
        assert!(answers.iter().all(|answer| answer.question != question(10)));
        assert!(dialogue.take_unproven().any(|left| left == question(10)));
    }

    #[test]
    fn a_reply_that_only_looks_like_it_is_believed_when_the_other_has_come() {
        let now = Instant::now();
        let mut dialogue = Dialogue::new(WAIT);
        let first = dialogue.ask(question(0), Timestamp(0), now);
        let second = dialogue.ask(question(5), Timestamp(0), now);
        let mut own = reply(&first);
        let end = own.len();
        own[end - 2..].copy_from_slice(&second[..2]);
        dialogue.input().extend(own);
        dialogue.input().extend(reply(&second));
        dialogue.sort(now).unwrap();
        let mut answers = Vec::new();
        dialogue.take_settled(now, &mut answers);
        let faults: Vec<_> = answers.iter().map(|answer| answer.fault).collect();
        assert_eq!(faults, [None, None]);
    }

    #[test]
    fn a_reply_in_front_of_a_silent_unit_is_asked_again_and_nobodys_fault() {
        let now = Instant::now();
        let mut dialogue = Dialogue::new(WAIT);
        let first = dialogue.ask(question(0), Timestamp(0), now);
        dialogue.ask(question(5), Timestamp(0), now);
        dialogue.input().extend(reply(&first));
        dialogue.sort(now).unwrap();
        dialogue.give_up_overdue(now + WAIT).unwrap();
        let mut answers = Vec::new();
        dialogue.take_settled(now + WAIT, &mut answers);
        let faults: Vec<_> = answers.iter().map(|answer| answer.fault).collect();
        assert_eq!(faults, [Some(Fault::NoReply)]);
        assert_eq!(dialogue.take_unproven().collect::<Vec<_>>(), [question(0)]);
    }
}
