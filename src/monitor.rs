//! Collector and historian joined: snapshots come out.

use std::sync::Arc;
use std::time::Duration;

use collector::plan::plans;
use collector::{Collector, StartError};
use config::Province;
use historian::Historian;
use historian::alarms::{Alarms, Raised};
use historian::past::StoodChannel;
use historian::snapshot::Snapshot;
use historian::today::Today;
use signal::clock::{Clock, Jump, JumpKind, Timestamp};
use signal::layout::Layout;
use signal::source::Source;
use signal::update::Update;
use store::series::Buffer;
use store::{Batcher, Keeper};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Least time between two snapshots: half the fastest scan, so that what is read is soon seen.
const PICTURE_EVERY: Duration = Duration::from_millis(500);

/// Snapshots may take one part in so many of a core. A province so large that judging all of its points
/// takes longer is judged less often: what is read must not wait for what is shown.
const PICTURE_SHARE: u32 = 16;

/// Time between two commits to the store: what may be lost when the process or the machine dies.
const COMMIT_EVERY_MS: i64 = 1_000;

/// Acknowledgements that may wait: keys come one by one.
const ACKNOWLEDGED_MAX: usize = 64;

/// Time between two looks at whether the system's clock goes on evenly.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Jumps of the clock that are told, the last ones: a clock that jumps more often has lost its way.
const JUMPS_MAX: usize = 100;

/// Updates taken in one go before the clock is looked at again.
const BATCH_MAX: usize = 512;

/// A running monitor. Dropping it stops it.
pub struct Monitor {
    task: JoinHandle<()>,
    cancel: CancellationToken,
    news: watch::Receiver<Arc<Snapshot>>,
    acknowledge: Acknowledge,
}

/// Acknowledges alarms of a running monitor.
#[derive(Debug, Clone)]
pub struct Acknowledge(mpsc::Sender<Vec<Raised>>);

impl Acknowledge {
    /// Acknowledges what was raised: the next snapshot shows it. Whether the monitor took it: one that has
    /// ended does not, nor one that is given far more than it can take.
    pub fn acknowledge(&self, raised: Vec<Raised>) -> bool {
        self.0.try_send(raised).is_ok()
    }
}

impl Monitor {
    /// Starts to poll every channel of `province`, and judges each day by the contract as it holds on it: a remark
    /// that begins later holds from the first moment of its day.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When certificates that the contract names cannot be used.
    pub fn start(province: &Arc<Province>, clock: Clock) -> Result<Self, StartError> {
        Self::start_keeping(province, clock, None)
    }

    /// The same, and keeps history.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start_keeping(
        province: &Arc<Province>,
        clock: Clock,
        keeper: Option<Keeper>,
    ) -> Result<Self, StartError> {
        Self::start_recalling(province, clock, keeper, Vec::new())
    }

    /// The same, and tells what stands as it stood when somebody watched last since then; `stood` by channel
    /// id.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start_recalling(
        province: &Arc<Province>,
        clock: Clock,
        keeper: Option<Keeper>,
        stood: Vec<Option<StoodChannel>>,
    ) -> Result<Self, StartError> {
        let collector = Collector::new(province, &plans(province), clock.clone())?;
        Ok(Self::start_from(collector, province, clock, (keeper, stood)))
    }

    /// The same with what another source hands on.
    pub fn start_from(
        mut source: impl Source,
        province: &Arc<Province>,
        clock: Clock,
        (keeper, stood): (Option<Keeper>, Vec<Option<StoodChannel>>),
    ) -> Self {
        let layouts = source.layouts();
        let started = clock.now();
        let today = Today::at(Arc::clone(province), started);
        let mut historian = Historian::new(today.contract(), &layouts, started);
        historian.recall(stood);
        let (sender, news) = watch::channel(Arc::new(historian.snapshot(started)));
        let alarms = keeper.as_ref().map_or_else(Alarms::default, Keeper::open_alarms);
        let history = keeper.map(|keeper| History::new(keeper, started));
        let updates = source.start(province);
        let cancel = CancellationToken::new();
        let buffer = buffer(province, &layouts, history.is_some());
        let (acknowledge, acknowledged) = mpsc::channel(ACKNOWLEDGED_MAX);
        let acknowledge = Acknowledge(acknowledge);
        let task = Task {
            today,
            layouts,
            source,
            updates,
            historian,
            buffer,
            alarms,
            history,
            snapshots: sender,
            clock,
            shown: started,
            jumps: Vec::new(),
        };
        let task = tokio::spawn(task.run(acknowledged, cancel.clone()));
        Self { task, cancel, news, acknowledge }
    }

    /// The latest snapshot, and word of every new one.
    pub fn news(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.news.clone()
    }

    /// Who acknowledges alarms does it through this.
    pub fn acknowledger(&self) -> Acknowledge {
        self.acknowledge.clone()
    }

    /// The first snapshot in which every channel has settled and nothing is [undecided](Snapshot::undecided): every
    /// gateway was seen to beat, or to hang. Or the latest, when `patience` has run out.
    pub async fn first_complete(&self, patience: Duration) -> Arc<Snapshot> {
        let mut news = self.news();
        let complete = |snapshot: &Arc<Snapshot>| {
            snapshot.first_scan().lacking() == 0 && snapshot.undecided() == 0
        };
        let _ = timeout(patience, news.wait_for(complete)).await;
        Arc::clone(&news.borrow_and_update())
    }

    /// The first snapshot in which every channel has settled and every record of the rings was read,
    /// or the latest when `patience` has run out.
    pub async fn events_read(&self, patience: Duration) -> Arc<Snapshot> {
        let mut news = self.news();
        let read = |p: &Arc<Snapshot>| p.first_scan().lacking() == 0 && p.events_read();
        let _ = timeout(patience, news.wait_for(read)).await;
        Arc::clone(&news.borrow_and_update())
    }

    /// Stops polling and waits until every task has ended.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        // A task that panicked has already said so.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Where values are held; also as they come, when somebody keeps them.
fn buffer(province: &Province, layouts: &[Arc<Layout>], kept: bool) -> Buffer {
    let mut buffer = Buffer::new(province, layouts, province.history.buffer_bytes());
    if kept {
        buffer.keep_fresh();
    }
    buffer
}

/// From the beginning of one snapshot to that of the next, when it took so long to make.
fn pause_after(took: Duration) -> Duration {
    PICTURE_EVERY.max(took * PICTURE_SHARE)
}

/// Source and historian at work: the one place in which they live.
struct Task<S> {
    today: Today,
    layouts: Vec<Arc<Layout>>,
    source: S,
    updates: mpsc::Receiver<Update>,
    historian: Historian,
    buffer: Buffer,
    alarms: Alarms,
    history: Option<History>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    clock: Clock,
    /// The moment of the last snapshot.
    shown: Timestamp,
    jumps: Vec<Jump>,
}

impl<S: Source> Task<S> {
    async fn run(
        mut self,
        mut acknowledged: mpsc::Receiver<Vec<Raised>>,
        cancel: CancellationToken,
    ) {
        let (mut next, mut look) = (Instant::now(), Instant::now());
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = sleep_until(next.min(look)) => {
                    if let Some(jump) = self.clock.look() {
                        self.begin_anew(jump).await;
                        next = Instant::now();
                    }
                    look = Instant::now() + LOOK_EVERY;
                    if next > Instant::now() {
                        continue;
                    }
                    let began = Instant::now();
                    self.publish(self.clock.now(), false);
                    // The one before goes here too, when nobody looks at it any more.
                    next = began + pause_after(began.elapsed());
                }
                Some(raised) = acknowledged.recv() => {
                    self.alarms.acknowledge(&raised, self.clock.now());
                    // Who acknowledged sees it at once.
                    next = Instant::now();
                }
                taken = self.updates.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 {
                        break;
                    }
                    for update in batch.drain(..) {
                        self.historian.accept(&update);
                        self.buffer.accept(&update);
                    }
                }
            }
        }
        self.source.stop().await;
        self.publish(self.clock.now(), true);
        if let Some(history) = self.history {
            // What is left is written while others run on.
            let _ = tokio::task::spawn_blocking(|| drop(history)).await;
        }
    }

    /// Makes a snapshot, hands on what is to be kept, and shows it.
    fn publish(&mut self, now: Timestamp, last: bool) {
        self.shown = now;
        if let Some(contract) = self.today.turn(now) {
            self.historian.judge_by(contract);
        }
        let mut snapshot = self.historian.snapshot(now);
        self.alarms.look(&snapshot);
        if let Some(history) = &mut self.history {
            let sources = (&mut self.historian, &mut self.buffer, &mut self.alarms);
            history.note(sources, &mut snapshot, last);
            snapshot.keeping = Some(history.keeper.keeping());
        }
        snapshot.alarms = self.alarms.listed();
        snapshot.jumps = self.jumps.as_slice().into();
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// Time did not go on evenly: what was known up to then is closed, and everybody is asked anew, since
    /// what they say in between has times of which nobody knows what they are worth.
    async fn begin_anew(&mut self, jump: Jump) {
        let Jump { before, after, by_ms, kind } = jump;
        let (from, to, kind_word) = (before.to_millisecond(), after.to_millisecond(), kind.word());
        tracing::warn!(by_ms, from, to, "{kind_word}: history goes on behind a gap");
        self.publish(before.max(self.shown), true);
        self.source.stop().await;
        self.updates = self.source.start(self.today.whole());
        self.jumps.push(jump);
        let surplus = self.jumps.len().saturating_sub(JUMPS_MAX);
        self.jumps.drain(..surplus);
        let now = self.clock.now();
        self.today.turn(now);
        let stood = self.historian.stood(self.shown).into_iter().map(|stood| match kind {
            JumpKind::Set => stood.map(|stood| stood.by_another_clock(now)),
            JumpKind::Slept | JumpKind::Stopped => stood,
        });
        let stood = stood.collect();
        self.historian = Historian::new(self.today.contract(), &self.layouts, now);
        self.historian.recall(stood);
        self.buffer = buffer(self.today.whole(), &self.layouts, self.history.is_some());
        if kind == JumpKind::Set {
            self.alarms.clock_was_set(by_ms);
        }
        if let Some(history) = &mut self.history {
            history.batcher = Batcher::behind(self.jumps.clone(), now);
        }
    }
}

/// What is kept of the snapshots.
struct History {
    keeper: Keeper,
    batcher: Batcher,
}

impl History {
    fn new(keeper: Keeper, started: Timestamp) -> Self {
        Self { keeper, batcher: Batcher::new(started) }
    }

    fn note(
        &mut self,
        sources: (&mut Historian, &mut Buffer, &mut Alarms),
        snapshot: &mut Snapshot,
        last: bool,
    ) {
        if self.keeper.lacks() {
            self.batcher.begin_anew();
        }
        if let Some(batch) = self.batcher.gather(sources, snapshot, (COMMIT_EVERY_MS, last)) {
            self.keeper.offer(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use collector::plan::layouts;
    use config::Date;
    use historian::verdict::Reason;

    use super::*;

    /// How every point is judged, path by path.
    fn verdicts(snapshot: &Snapshot) -> Vec<Vec<Option<Reason>>> {
        let channels = snapshot.channels.iter();
        channels.map(|channel| channel.points.iter().map(|point| point.verdict).collect()).collect()
    }

    #[test]
    fn each_day_is_judged_by_its_contract_from_midnight_on() {
        let whole = Arc::new(Province::built_in());
        // HB07: a relay was replaced, and its signals have not been tested since.
        let day = Date { year: 2022, month: 11, day: 2 };
        let midnight = Timestamp::midnight(day, whole.zone).unwrap();
        let (layouts, before) = (layouts(&plans(&whole)), midnight.plus(-1));
        let mut today = Today::at(Arc::clone(&whole), before.plus(-60_000));
        let mut historian = Historian::new(today.contract(), &layouts, before.plus(-60_000));
        assert!(today.turn(before).is_none(), "the day is not over");
        let old = verdicts(&historian.snapshot(before));
        let contract = today.turn(midnight).unwrap();
        historian.judge_by(contract);
        let new = historian.snapshot(midnight);
        // As somebody sees it who begins then, by what the file says of that day.
        let fresh =
            Historian::new(Arc::new(whole.as_of(day)), &layouts, midnight).snapshot(midnight);
        assert_eq!(verdicts(&new), verdicts(&fresh));
        for (channel, fresh) in new.channels.iter().zip(&fresh.channels) {
            assert_eq!((channel.full, channel.counts), (fresh.full, fresh.counts));
        }
        let untested = |all: &[Vec<Option<Reason>>]| {
            all.iter().flatten().filter(|verdict| **verdict == Some(Reason::NoE2eRecord)).count()
        };
        assert_eq!((untested(&old), untested(&verdicts(&new))), (0, 12), "six at each centre");
        assert!(today.turn(midnight.plus(1)).is_none(), "once a day");
    }
}
