//! The historian: from readings to verdicts, counts and the snapshot.
//!
//! A plain synchronous structure with one owner. It is told what the collector learned, and what
//! time it is; from that alone it forms the verdict on every point.

pub mod alarms;
mod channel;
pub mod clocks;
pub mod counts;
pub mod events;
mod findings;
mod heartbeat;
pub mod issues;
mod looks;
mod meters;
pub mod past;
pub mod right;
pub(crate) mod rules;
pub mod snapshot;
pub mod today;
pub mod traffic;
pub mod unmanned;
pub mod verdict;
pub mod verdict_log;
mod window;

use std::sync::Arc;

use config::Province;
use signal::clock::Timestamp;
use signal::layout::Layout;
use signal::update::{News, Update};

use channel::ChannelState;
use events::EventLog;
use past::StoodChannel;
use snapshot::{ChannelSnapshot, Snapshot};
use traffic::Traffic;
use verdict_log::{Judgement, PollStats};

/// Knows the state of every point of a province.
pub struct Historian {
    province: Arc<Province>,
    started: Timestamp,
    channels: Vec<ChannelState>,
    traffic: Traffic,
    /// Events as each centre has them.
    events: Vec<Arc<EventLog>>,
    /// What was written down since it was last taken.
    judgements: Vec<Judgement>,
}

impl Historian {
    /// A historian that has seen nothing. `layouts` has one per channel.
    pub fn new(province: Arc<Province>, layouts: &[Arc<Layout>], started: Timestamp) -> Self {
        let channels = layouts
            .iter()
            .zip(rules::rules(&province))
            .enumerate()
            .map(|(n, (layout, rules))| {
                ChannelState::new(&province, n, Arc::clone(layout), rules, started)
            })
            .collect();
        let events = province.centres.iter().map(|_| Arc::default()).collect();
        let (traffic, judgements) = (Traffic::new(started), Vec::new());
        Self { province, started, channels, traffic, events, judgements }
    }

    /// Takes an update into account. Updates that do not fit the contract are left aside.
    pub fn accept(&mut self, update: &Update) {
        let Some(channel) = self.channels.get_mut(update.channel.index()) else { return };
        if let News::Answers(answers) = &update.news {
            for answer in answers.iter().filter(|answer| answer.is_asked) {
                self.traffic.count(update.at, answer.evidence.took_us, answer.miss());
            }
        }
        let centre = self.province.channels[update.channel.index()].centre;
        channel.accept(&self.province, update, &mut self.events[centre.index()]);
    }

    /// Judges by the contract of another day: what differs is what [`Province::as_of`] changes, no register. What
    /// came and since when it stands is kept.
    pub fn judge_by(&mut self, province: Arc<Province>) {
        for (channel, rules) in self.channels.iter_mut().zip(rules::rules(&province)) {
            channel.judge_by(rules);
        }
        self.province = province;
    }

    /// Whoever keeps history has the entries of a centre's log before an order: the log need not hold them any longer.
    pub fn keep_events(&mut self, centre: usize, order: u64) {
        let Some(log) = self.events.get_mut(centre) else { return };
        if log.is_to_keep(order) {
            Arc::make_mut(log).keep(order);
        }
    }

    /// From now on, how verdicts change is written down with every snapshot, beginning with all of
    /// them. Who calls this takes it out again: [`Historian::take_judgements`].
    pub fn keep_verdict_log(&mut self) {
        for channel in &mut self.channels {
            channel.keep_verdict_log();
        }
    }

    /// How each channel stood when somebody watched last, by channel id; what stands so still is told since
    /// then.
    pub fn recall(&mut self, stood: Vec<Option<StoodChannel>>) {
        for (channel, stood) in self.channels.iter_mut().zip(stood) {
            if let Some(stood) = stood {
                channel.recall(stood);
            }
        }
    }

    /// How each channel stands at `now`, for another historian to recall.
    pub fn stood(&mut self, now: Timestamp) -> Vec<Option<StoodChannel>> {
        let snapshot = self.snapshot(now);
        let channels = self.channels.iter().zip(&snapshot.channels);
        let stood = channels.map(|(channel, snapshot)| {
            let stood = StoodChannel::of(snapshot, now);
            Some(StoodChannel { answered: stood.answered || channel.answered_before(), ..stood })
        });
        stood.collect()
    }

    /// What was written down since this was last called, in the order of time.
    pub fn take_judgements(&mut self) -> Vec<Judgement> {
        std::mem::take(&mut self.judgements)
    }

    /// What was asked of each channel since this was last called, by channel id.
    pub fn take_asked(&mut self) -> Vec<PollStats> {
        self.channels.iter_mut().map(ChannelState::take_asked).collect()
    }

    /// The snapshot at `now`.
    pub fn snapshot(&mut self, now: Timestamp) -> Snapshot {
        let province = Arc::clone(&self.province);
        let judgements = &mut self.judgements;
        let draw = |channel: &mut ChannelState| channel.snapshot(&province, now, judgements);
        let channels: Vec<Arc<ChannelSnapshot>> = self.channels.iter_mut().map(draw).collect();
        let metering = meters::snapshot(&province, &self.channels, now);
        Snapshot {
            traffic: self.traffic.snapshot(now),
            events: self.events.clone(),
            ..Snapshot::of(province, (self.started, now), channels, metering)
        }
    }
}
