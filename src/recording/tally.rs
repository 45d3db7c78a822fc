//! What a recording has seen, in figures that do not grow with it.

use std::sync::Arc;

use config::Province;
use historian::snapshot::Snapshot;
use signal::clock::Timestamp;
use signal::layout::{Group, Layout, Part};
use signal::update::{Answer, Miss, MissKind, News, Outcome, Update};

/// What came of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordingTally {
    layouts: Vec<Arc<Layout>>,
    connected: Vec<bool>,
    judged: Timestamp,
    /// Values of points that came.
    pub samples: u64,
    /// Requests that were answered with what was asked for.
    pub answered: u64,
    /// Requests without a complete reply.
    pub unanswered: u64,
    /// Requests that were refused.
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

impl RecordingTally {
    /// Nothing yet.
    pub(super) fn new(province: &Province, layouts: &[Arc<Layout>], start: Timestamp) -> Self {
        Self {
            layouts: layouts.to_vec(),
            connected: vec![false; layouts.len()],
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

    pub(super) fn count(&mut self, update: &Update) {
        let channel = update.channel.index();
        match &update.news {
            News::Connected => self.connected[channel] = true,
            News::Lost(_) => {
                self.losses += u64::from(std::mem::take(&mut self.connected[channel]));
            }
            News::Answers(answers) => {
                for answer in answers.iter().filter(|answer| answer.is_asked) {
                    match answer.miss().map(Miss::kind) {
                        None => self.answered += 1,
                        Some(MissKind::NoReply) => self.unanswered += 1,
                        Some(MissKind::Refused) => self.refused += 1,
                        Some(MissKind::Malformed) => self.undecodable += 1,
                    }
                    let group = &self.layouts[channel].groups[usize::from(answer.group)];
                    self.samples += values(group, answer);
                }
            }
            News::Renewed(_) | News::Silent { .. } | News::Overrun(_) | News::Strays(_) => {}
        }
    }

    /// Takes the verdicts of a moment: they hold for the time since the last ones.
    pub(super) fn judge(&mut self, snapshot: &Snapshot) {
        let lasted = u64::try_from(snapshot.at.since(self.judged)).unwrap_or(0);
        self.judged = snapshot.at;
        for (sum, centre) in self.centres.iter_mut().zip(&snapshot.centres) {
            let counts = &centre.counts;
            sum.good += counts.good * lasted;
            sum.not_good += (counts.required - counts.good) * lasted;
            sum.live += counts.live.have * lasted;
            sum.not_live += counts.live.lacking() * lasted;
        }
    }
}

/// Values of points that an answer brought.
fn values(group: &Group, answer: &Answer) -> u64 {
    if !matches!(answer.outcome, Outcome::Row { .. }) {
        return 0;
    }
    let came = group.some(&answer.columns).iter();
    came.filter(|column| column.part == Part::Value).count() as u64
}
