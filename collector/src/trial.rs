//! Replies of any bytes without sockets: what the property test and the fuzz target run.

use std::time::Duration;

use config::RegisterTable;
use signal::clock::Timestamp;
use tokio::time::Instant;

use super::dialogue::{Answer, Dialogue, Question};
use super::frame::ReadRequest;
use super::poll::{Exchange, Fault};

const REPLY_TIMEOUT: Duration = Duration::from_millis(100);
/// Questions under way at most.
const IN_FLIGHT: usize = 8;
/// Longest frame: more than that and what came with one read never waits to be sorted.
const FRAME_BYTES_MAX: usize = 260;

/// Lets bytes say what is asked over a connection and what comes back: questions, right replies, right
/// replies with a byte altered, and anything else, in any order and at any time. Checks that each
/// question is settled once, that what is believed is a whole reply to its own question, and that
/// little memory waits for the station.
///
/// # Panics
/// When any of this does not hold.
pub fn trial(data: &[u8]) {
    let mut trial = Trial {
        dialogue: Dialogue::new(REPLY_TIMEOUT),
        now: Instant::now(),
        asked: 0,
        settled: 0,
        requests: Vec::new(),
        ended: false,
    };
    let mut rest = data;
    while let Some((choice, after)) = rest.split_first() {
        rest = trial.step(*choice, after);
        if trial.ended {
            return;
        }
    }
    trial.hand_on();
}

struct Trial {
    dialogue: Dialogue,
    now: Instant,
    asked: usize,
    settled: usize,
    /// As they went over the wire, the last of them.
    requests: Vec<[u8; Exchange::REQUEST_BYTES]>,
    ended: bool,
}

impl Trial {
    /// Does what one byte says, with the help of those after it, and returns the rest.
    fn step<'a>(&mut self, choice: u8, rest: &'a [u8]) -> &'a [u8] {
        let (with, rest) = rest.split_first().map_or((0, rest), |(with, rest)| (*with, rest));
        match choice % 6 {
            0 => self.ask(with),
            1 => {
                let reply = self.right_reply(with);
                self.feed(&reply);
            }
            2 => {
                let mut reply = self.right_reply(with);
                let (at, rest) = rest.split_first().map_or((0, rest), |(at, rest)| (*at, rest));
                if let Some(byte) = reply.get_mut(usize::from(at)) {
                    *byte ^= choice;
                }
                self.feed(&reply);
                return rest;
            }
            3 => {
                let (bytes, rest) = rest.split_at(usize::from(with).min(rest.len()));
                self.feed(bytes);
                return rest;
            }
            4 => {
                let reply = self.right_reply(with);
                self.feed(&reply[..reply.len() * usize::from(choice) / 256]);
            }
            _ => self.wait(with),
        }
        rest
    }

    fn ask(&mut self, with: u8) {
        if self.dialogue.in_flight() == IN_FLIGHT || self.dialogue.is_worn() {
            return;
        }
        let table = if with & 1 == 0 { RegisterTable::Input } else { RegisterTable::Discrete };
        let question = Question {
            block: self.asked,
            offset: 0,
            count: 1 + u16::from(with) / 3,
            unit: 1 + with % 3,
            table,
            address: 0,
        };
        self.requests.push(self.dialogue.ask(question, Timestamp(0), self.now));
        if self.requests.len() > 2 * IN_FLIGHT {
            self.requests.remove(0);
        }
        self.asked += 1;
    }

    /// The reply to one of the last requests.
    fn right_reply(&self, with: u8) -> Vec<u8> {
        let Some(request) = self.requests.get(usize::from(with) % self.requests.len().max(1))
        else {
            return Vec::new();
        };
        let count = usize::from(u16::from_be_bytes([request[10], request[11]]));
        let payload = if request[7] <= 2 { count.div_ceil(8) } else { 2 * count };
        let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        let head = [request[0], request[1], 0, 0, 0, byte(payload + 3), request[6], request[7]];
        let mut reply = head.to_vec();
        reply.push(byte(payload));
        reply.resize(Exchange::REPLY_HEAD + payload, with);
        reply
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.dialogue.input().extend(bytes);
        let sorted = self.dialogue.sort(self.now);
        assert!(self.dialogue.input().len() <= FRAME_BYTES_MAX || sorted.is_err());
        if sorted.is_err() {
            self.end();
        }
    }

    /// Lets time go by; now and then a scan is over.
    fn wait(&mut self, with: u8) {
        self.now += Duration::from_millis(u64::from(with));
        if self.dialogue.deadline().is_some_and(|deadline| deadline <= self.now)
            && self.dialogue.give_up_overdue(self.now).is_err()
        {
            self.end();
        }
        self.hand_on();
    }

    /// The connection is given up.
    fn end(&mut self) {
        let left = self.dialogue.abandon(self.now).map_or(0, |(_, blocks)| blocks.len());
        self.settled += left;
        self.hand_on();
        assert_eq!((self.settled, self.dialogue.in_flight()), (self.asked, 0));
        self.ended = true;
    }

    fn hand_on(&mut self) {
        let mut answers = Vec::new();
        self.dialogue.take_settled(self.now, &mut answers);
        self.settled += answers.len() + self.dialogue.take_unproven().count();
        for answer in answers {
            check(&answer);
        }
        let kept = self.dialogue.settled().len() + self.dialogue.in_flight();
        if !self.ended {
            assert_eq!(self.settled + kept, self.asked, "each question is settled once");
        }
    }
}

/// What is believed is a whole reply to its question.
fn check(answer: &Answer) {
    let Question { unit, table, address, count, .. } = answer.question;
    let request = ReadRequest { transaction: answer.transaction, unit, table, address, count };
    assert_eq!(answer.exchange.request, request.bytes());
    let reply = &answer.exchange.reply;
    match answer.fault {
        None => {
            assert_eq!(request.answered_by(reply), Ok(()));
            assert_eq!(reply[..2], answer.transaction.to_be_bytes());
            let mut cells = Vec::new();
            answer.exchange.read_cells(usize::from(count), table.is_bits(), &mut cells);
            assert_eq!(cells.len(), usize::from(count));
        }
        Some(Fault::Refused(code)) => {
            assert_eq!(request.answered_by(reply), Err(Fault::Refused(code)));
        }
        Some(Fault::NoReply) => assert!(reply.is_empty()),
        Some(Fault::Undecodable) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_comes_each_question_is_settled_once_and_by_its_own_reply(
            data in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            trial(&data);
        }
    }
}
