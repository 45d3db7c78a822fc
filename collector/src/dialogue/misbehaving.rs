//! A stream of replies of which many are wrong, straight into a dialogue: without sockets it is a
//! hundred times as many as over them. What each cell holds follows from its question.

use std::io::Write as _;
use std::time::Duration;

use super::*;
use crate::schedule::mix;

const WAIT: Duration = Duration::from_millis(200);

/// Numbers by chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        let x = mix(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        x
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap() % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}

/// What a cell holds.
fn cell(unit: u8, address: u16) -> u16 {
    let place = u32::from(unit) << 16 | u32::from(address);
    let [_, _, high, low] = (place.wrapping_mul(0x9E37_79B1) >> 9).to_be_bytes();
    // Registers are mostly small, and many are 0, as they are in stations.
    match low % 4 {
        0 => 0,
        1 => u16::from(low),
        _ => u16::from_be_bytes([high & 0x7F, low]),
    }
}

fn reply(request: &[u8], question: &Question) -> Vec<u8> {
    let bytes = u8::try_from(2 * question.count).unwrap();
    let mut reply = request[..2].to_vec();
    reply.extend([0, 0, 0, bytes + 3, question.unit, 4, bytes]);
    for n in 0..question.count {
        reply.extend(cell(question.unit, question.address + n).to_be_bytes());
    }
    reply
}

/// Pieces of the stream, each with the milliseconds that pass before it.
type Pieces = Vec<(u64, Vec<u8>)>;

/// What a station sends for a request, one in so many of them wrong.
fn sent(good: Vec<u8>, one_in: usize, chance: &mut Chance) -> Pieces {
    if chance.below(one_in) > 0 {
        return vec![(0, good)];
    }
    let at = 1 + chance.below(good.len() - 1);
    let mut other = good.clone();
    match chance.below(9) {
        0 => return vec![(300, good)],
        1 => return vec![(0, good[..at].to_vec())],
        2 => return vec![(0, good[..at].to_vec()), (25, good[at..].to_vec())],
        3 => return vec![(0, [&good[..], &good[..]].concat())],
        4 => {
            let wrong = if chance.below(2) == 0 { 1 } else { chance.byte() };
            other[chance.below(2)] ^= wrong;
        }
        5 => other[6] ^= 1 + chance.byte() % 200,
        6 => other[7] ^= 1 + chance.byte() % 7,
        7 => return vec![],
        _ => other = (0..chance.below(300)).map(|_| chance.byte()).collect(),
    }
    vec![(0, other)]
}

/// What was seen: answers that were believed, and of these wrong ones.
#[derive(Debug, Default)]
struct Seen {
    believed: u64,
    wrong: Vec<String>,
}

/// Asks over connections of a misbehaving station, each until it breaks or has had some scans.
fn run(seed: u64, connections: usize, in_flight: usize) -> Seen {
    let mut chance = Chance(seed);
    let mut seen = Seen::default();
    let mut answers = Vec::new();
    for _ in 0..connections {
        let mut dialogue = Dialogue::new(WAIT);
        let mut now = Instant::now();
        'connection: for _ in 0..40 {
            // A whole scan is on its way at once; the station answers one after the other.
            let mut stream: Pieces = Vec::new();
            for _ in 0..in_flight {
                let unit = 1 + chance.byte() % 6;
                let count = 1 + chance.byte() % if chance.below(4) == 0 { 125 } else { 8 };
                let (address, count) = (u16::from(chance.byte()), u16::from(count));
                let question = Question {
                    block: 0,
                    offset: 0,
                    count,
                    unit,
                    table: RegisterTable::Input,
                    address,
                };
                let request = dialogue.ask(question, Timestamp(0), now);
                stream.extend(sent(reply(&request, &question), 10, &mut chance));
            }
            let mut pieces = stream.into_iter().peekable();
            while dialogue.in_flight() > 0 {
                let deadline = dialogue.deadline().unwrap();
                let due = pieces.peek().map(|(pause, _)| now + Duration::from_millis(*pause));
                let mut stepped = Ok(());
                if let Some(due) = due.filter(|due| *due < deadline) {
                    now = due.max(now) + Duration::from_micros(chance.next() % 400);
                    // What the system has by then comes at once.
                    let together = 1 + chance.below(4);
                    for n in 0..together {
                        let follows = pieces.peek().is_some_and(|(pause, _)| n == 0 || *pause == 0);
                        if let Some((_, bytes)) = pieces.next_if(|_| follows) {
                            dialogue.input().extend(bytes);
                        }
                    }
                    stepped = dialogue.sort(now);
                } else {
                    if let Some((pause, _)) = pieces.peek_mut() {
                        let passed = deadline.saturating_duration_since(now).as_millis();
                        *pause = pause.saturating_sub(u64::try_from(passed).unwrap());
                    }
                    now = now.max(deadline);
                    if stepped.is_ok() {
                        stepped = dialogue.give_up_overdue(now);
                    }
                }
                if stepped.is_err() {
                    dialogue.abandon(now);
                }
                dialogue.take_settled(now, &mut answers);
                check(&mut answers, &mut seen);
                if stepped.is_err() {
                    break 'connection;
                }
            }
            // What is late comes with the next scan, in front of everything.
            for (_, bytes) in pieces {
                dialogue.input().extend(bytes);
            }
            if dialogue.sort(now).is_err() || dialogue.is_worn() {
                dialogue.abandon(now);
                dialogue.take_settled(now, &mut answers);
                check(&mut answers, &mut seen);
                break;
            }
        }
    }
    seen
}

fn check(answers: &mut Vec<Answer>, seen: &mut Seen) {
    let mut cells = Vec::new();
    for answer in answers.drain(..).filter(|answer| answer.fault.is_none()) {
        seen.believed += 1;
        let Question { unit, address, count, .. } = answer.question;
        cells.clear();
        answer.exchange.read_cells(usize::from(count), false, &mut cells);
        let own = (0..count).map(|n| cell(unit, address + n));
        if !cells.iter().copied().eq(own) {
            seen.wrong.push(format!("{:02x?}", answer.exchange.reply));
        }
    }
}

#[test]
fn no_cell_holds_what_another_does_in_a_hundred_thousand_replies() {
    for in_flight in [1, 8, 16] {
        let seen = run(1, 900, in_flight);
        assert!(seen.believed > 3_000, "{}", seen.believed);
        assert_eq!(seen.wrong, Vec::<String>::new());
    }
}

#[test]
#[ignore = "tens of millions of replies take some minutes"]
fn no_cell_holds_what_another_does_in_tens_of_millions_of_replies() {
    for in_flight in [1, 2, 8, 16] {
        for seed in 2..5 {
            let seen = run(seed, 400_000, in_flight);
            let told = format!("seed {seed}, {in_flight} in flight: {} believed\n", seen.believed);
            std::io::stdout().write_all(told.as_bytes()).unwrap();
            assert_eq!(seen.wrong, Vec::<String>::new(), "seed {seed}, {in_flight} in flight");
        }
    }
}
