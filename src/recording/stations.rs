//! The stations of a recording and the tasks that ask them, in a thread of their own: it lives some
//! seconds ahead of who takes the updates.
//!
//! Field and tasks share a thread, so that an image is made when it is asked for and is gone before
//! the field goes on: what nobody looks at any more is not copied.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use collector::channel::Poller;
use collector::plan::Plan;
use config::{ChannelId, Province};
use signal::clock::Clock;
use signal::update::Update;
use sim::faults::{Rates, Start};
use sim::{Field, Plans, Scenario};
use tokio::time::Instant;

use super::cost::{Stopwatch, cpu_seconds};
use super::line::{Path, Place};
use super::{SECOND_MS, Window};

/// Seconds whose updates may wait: with fewer, one thread would often wait for the other.
const SECONDS_AHEAD: usize = 64;

/// What came of a second.
pub(super) struct Second {
    /// What the tasks learned, in the order of time.
    pub(super) updates: Vec<Update>,
    /// Changes of state in the field.
    pub(super) changes: usize,
}

/// What the thread of the stations has cost, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    /// Of its processor; `None` where the system does not tell.
    pub(super) cpu: Option<f64>,
    /// On the clock, of which in the field, and in asking.
    pub(super) field: Duration,
    pub(super) asking: Duration,
}

/// The seconds of the stations, one after the other.
pub(super) struct Stations {
    seconds: Receiver<Second>,
    thread: JoinHandle<Spent>,
}

impl Stations {
    /// Lets the stations of a province be asked over a window of time. Faults come at the rates of
    /// their table unless the scenario has rates of its own.
    pub(super) fn start(
        province: &Arc<Province>,
        asked: &[Arc<Plan>],
        plans: Plans,
        window: (Window, u16),
    ) -> Self {
        let (sender, seconds) = sync_channel(SECONDS_AHEAD);
        let (province, asked) = (Arc::clone(province), asked.to_vec());
        let thread = std::thread::spawn(move || live(&province, &asked, plans, window, &sender));
        Self { seconds, thread }
    }

    /// The next second.
    ///
    /// # Errors
    /// When there is none: the thread has ended before its time.
    pub(super) fn next(&mut self) -> io::Result<Second> {
        self.seconds.recv().map_err(|_| io::Error::other("the simulated stations have stopped"))
    }

    /// Ends the stations, and says what they have cost.
    pub(super) fn end(self) -> Spent {
        drop(self.seconds);
        self.thread.join().unwrap_or_default()
    }
}

fn live(
    province: &Arc<Province>,
    asked: &[Arc<Plan>],
    plans: Plans,
    (window, step_s): (Window, u16),
    seconds: &SyncSender<Second>,
) -> Spent {
    let step = Duration::from_secs(step_s.into());
    let mut field = Field::new(Arc::clone(province));
    field.coarsen(step_s);
    let mut scenario: Scenario = plans.scenario.unwrap_or_default();
    scenario.rates.get_or_insert_with(|| Rates::of_table(1.0));
    // A scenario begins with what is recorded.
    let ahead = window.from.since(window.begins);
    let faults = scenario.planned.iter_mut().map(|planned| &mut planned.start);
    let actions = scenario.actions.iter_mut().map(|planned| &mut planned.start);
    for start in faults.chain(actions) {
        if let Start::After(ms) = start {
            *ms = ms.saturating_add(ahead);
        }
    }
    field.plan(scenario);
    let mut truth = plans.truth.map(|(keep, log)| {
        field.keep_truth(keep);
        log
    });
    let began = Instant::now();
    let mut channels: Vec<Channel> =
        (0..asked.len()).map(|n| Channel::new(province, n, &asked[n], (began, window))).collect();
    let (mut spent, mut watch) = (Spent::default(), Stopwatch::start());
    let (mut at, mut from) = (window.begins, began);
    while at < window.until {
        field.step(at.0);
        if let Some(broken) = truth.as_mut().and_then(|log| tell(&mut field, log).err()) {
            tracing::error!("the truth log cannot be written any more: {broken}");
            truth = None;
        }
        spent.field += watch.lap();
        let mut updates = Vec::new();
        for (n, channel) in channels.iter_mut().enumerate() {
            channel.live((from, from + step), &field, ChannelId::at(n), &mut updates);
        }
        // Channels live one after the other within a second; what they learned is told in order.
        updates.sort_by_key(|update| update.at);
        spent.asking += watch.lap();
        let changes = field.events().len();
        if seconds.send(Second { updates, changes }).is_err() {
            // Nobody takes updates any more.
            break;
        }
        watch.lap();
        (at, from) = (at.plus(i64::from(step_s) * SECOND_MS), from + step);
    }
    spent.cpu = cpu_seconds();
    spent
}

/// Writes what there is to the truth log.
fn tell(field: &mut Field, log: &mut Box<dyn Write + Send>) -> io::Result<()> {
    let records = field.take_truth();
    for record in &records {
        log.write_all((record.line() + "\n").as_bytes())?;
    }
    if records.is_empty() { Ok(()) } else { log.flush() }
}

/// The task of a channel, and the path on which it lives.
struct Channel {
    path: Rc<RefCell<Path>>,
    task: Pin<Box<dyn Future<Output = ()>>>,
}

impl Channel {
    fn new(
        province: &Province,
        n: usize,
        plan: &Arc<Plan>,
        (began, window): (Instant, Window),
    ) -> Self {
        let clock = Clock::showing(window.begins, began.into_std());
        let path = Rc::new(RefCell::new(Path::new((province.seed, n), (began, clock.clone()))));
        let place = Place::new(Rc::clone(&path));
        let task = Poller::new(province, n, &province.channels[n], plan, (place, clock)).run();
        Self { path, task: Box::pin(task) }
    }

    /// Lives through one step, in which the station says what the field has now.
    fn live(
        &mut self,
        (from, to): (Instant, Instant),
        field: &Field,
        id: ChannelId,
        updates: &mut Vec<Update>,
    ) {
        self.path.borrow_mut().begin(from, to, field.image(id));
        // It never ends, since its updates are always taken; and nobody needs to wake it.
        let _ = self.task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.path.borrow_mut().end(updates);
    }
}
