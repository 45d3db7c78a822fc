//! What a recording has seen, in figures that do not grow with it.

use std::sync::Arc;

use config::Province;

use crate::clock::Timestamp;
use crate::collector::plan::{Block, Content, Part, Plan};
use crate::collector::reading::{Event, Fault, Poll, Reading};
use crate::historian::picture::Picture;

/// What came of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    plans: Vec<Arc<Plan>>,
    connected: Vec<bool>,
    judged: Timestamp,
    /// Values of points that came.
    pub samples: u64,
    /// Requests that were answered with what was asked for.
    pub answered: u64,
    /// Requests without a complete reply.
    pub unanswered: u64,
    /// Requests that were answered with an exception.
    pub refused: u64,
    /// Requests with a reply that cannot be right.
    pub undecodable: u64,
    /// Links that were lost after they had been there.
    pub losses: u64,
    /// Changes of state in the field.
    pub changes: u64,
    /// Completeness by centre.
    pub centres: Vec<CentreTally>,
}

/// Points of a centre times milliseconds. Each judgement holds for the time since the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CentreTally {
    /// Required points without anything against them.
    pub good: u64,
    /// The others that are required.
    pub not_good: u64,
    /// Required points with a value that were live.
    pub live: u64,
    /// The others with a value.
    pub not_live: u64,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new(province: &Province, plans: &[Arc<Plan>], start: Timestamp) -> Self {
        Self {
            plans: plans.to_vec(),
            connected: vec![false; plans.len()],
            judged: start,
            samples: 0,
            answered: 0,
            unanswered: 0,
            refused: 0,
            undecodable: 0,
            losses: 0,
            changes: 0,
            centres: vec![CentreTally::default(); province.centres.len()],
        }
    }

    pub(super) fn count_changes(&mut self, changes: usize) {
        self.changes += changes as u64;
    }

    pub(super) fn count(&mut self, reading: &Reading) {
        let channel = reading.channel.index();
        match &reading.event {
            Event::Connected => self.connected[channel] = true,
            Event::Lost(_) => {
                self.losses += u64::from(std::mem::take(&mut self.connected[channel]));
            }
            Event::Polls(polls) => {
                for poll in polls {
                    match poll.fault {
                        None => self.answered += 1,
                        Some(Fault::NoReply) => self.unanswered += 1,
                        Some(Fault::Refused(_)) => self.refused += 1,
                        Some(Fault::Undecodable) => self.undecodable += 1,
                    }
                    self.samples += values(&self.plans[channel].blocks[poll.block], poll);
                }
            }
            Event::Renewed(_) | Event::Silent(..) | Event::Overrun(_) | Event::Strays(_) => {}
        }
    }

    /// Takes the verdicts of a moment: they hold for the time since the last ones.
    pub(super) fn judge(&mut self, picture: &Picture) {
        let lasted = u64::try_from(picture.at.since(self.judged)).unwrap_or(0);
        self.judged = picture.at;
        for (sum, centre) in self.centres.iter_mut().zip(&picture.centres) {
            let counts = &centre.counts;
            sum.good += counts.good * lasted;
            sum.not_good += (counts.required - counts.good) * lasted;
            sum.live += counts.live.have * lasted;
            sum.not_live += counts.live.lacking() * lasted;
        }
    }
}

/// Values of points that a poll brought.
fn values(block: &Block, poll: &Poll) -> u64 {
    let Content::Points(items) = &block.content else { return 0 };
    if poll.fault.is_some() {
        return 0;
    }
    let asked = |offset: u16| (u32::from(poll.offset)..poll.end()).contains(&offset.into());
    let came = items.iter().filter(|item| item.part == Part::Value && asked(item.offset));
    came.count() as u64
}
