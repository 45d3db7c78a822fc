//! Where the channel of a recording lives: a clock that jumps from one thing that happens to the next,
//! and a line to the station that takes its time as a real one does.
//!
//! A channel may live up to the end of the second of which the field has told. What lies behind waits
//! for the next one, so that a station always answers as it is at that moment.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use collector::schedule::mix;
use collector::world::{HistorianGone, Wire, World};
use signal::clock::Clock;
use signal::update::{LinkFault, Update};
use sim::{Image, Port, Then, Visit};
use tokio::time::Instant;

/// Shortest time to a station, microseconds: a fibre in the same valley.
const NEAR_US: u64 = 1_500;
/// What the farthest one takes more.
const FAR_US: u64 = 9_000;
/// What the way takes more by chance: up to so much nearly always, ...
const USUAL_US: u64 = 1_500;
/// ... and up to so much one time in [`RARE`].
const SLOW_US: u64 = 12_000;
const RARE: u64 = 64;

/// The time of one channel, and the station at the other end.
pub(super) struct Path {
    now: Instant,
    /// What the station says from then on is not known yet.
    known_until: Instant,
    /// What it says until then; `None` between two seconds.
    image: Option<Arc<Image>>,
    port: Port,
    clock: Clock,
    seed: u64,
    updates: Vec<Update>,
}

impl Path {
    /// The path of the `n`-th channel of a province with this seed, from `began` on; `clock` says when
    /// that is.
    pub(super) fn new((seed, n): (u64, usize), (began, clock): (Instant, Clock)) -> Self {
        Self {
            now: began,
            known_until: began,
            image: None,
            port: Port::default(),
            clock,
            seed: mix(mix(seed).wrapping_add(n as u64)),
            updates: Vec::new(),
        }
    }

    /// The station says this from `from` up to `until`.
    pub(super) fn begin(&mut self, from: Instant, until: Instant, image: Arc<Image>) {
        self.now = self.now.max(from);
        self.known_until = until;
        self.image = Some(image);
    }

    /// What the station says later is not known; what the channel has learned is added to `updates`.
    pub(super) fn end(&mut self, updates: &mut Vec<Update>) {
        self.image = None;
        updates.append(&mut self.updates);
    }

    /// Lets time go on to a moment, unless too little is known of it.
    fn reach(&mut self, at: Instant) -> Poll<()> {
        if at >= self.known_until {
            return Poll::Pending;
        }
        self.now = self.now.max(at);
        Poll::Ready(())
    }

    /// Time that bytes which leave now take to the other end: a function of seed and time.
    fn way(&self) -> Duration {
        let at = self.clock.at(self.now.into_std()).0.cast_unsigned();
        let chance = mix(self.seed ^ mix(at));
        let most = if chance.is_multiple_of(RARE) { SLOW_US } else { USUAL_US };
        Duration::from_micros(NEAR_US + self.seed % FAR_US + (chance >> 8) % most)
    }

    /// Whether the station takes connections, and keeps those it has.
    fn is_open(&self) -> bool {
        self.image.as_ref().is_some_and(|image| self.port.is_open(image))
    }
}

/// What a channel knows of the path it lives on.
pub(super) struct Place(Rc<RefCell<Path>>);

impl Place {
    /// The place at one end of a path.
    pub(super) fn new(path: Rc<RefCell<Path>>) -> Self {
        Self(path)
    }
}

async fn sleep_until(path: &RefCell<Path>, until: Instant) {
    poll_fn(|_| path.borrow_mut().reach(until)).await;
}

impl World for Place {
    type Wire = Line;

    fn now(&self) -> Instant {
        self.0.borrow().now
    }

    async fn sleep_until(&mut self, until: Instant) {
        sleep_until(&self.0, until).await;
    }

    async fn open(&mut self) -> Result<Line, LinkFault> {
        // There and back, however it is answered.
        let answered = {
            let path = self.0.borrow();
            path.now + 2 * path.way()
        };
        sleep_until(&self.0, answered).await;
        let path = self.0.borrow();
        let visit = path.image.as_ref().and_then(|image| path.port.visit(image));
        let visit = visit.ok_or(LinkFault::Refused)?;
        Ok(Line::new(Rc::clone(&self.0), visit, path.now))
    }

    async fn report(&mut self, update: Update) -> Result<Duration, HistorianGone> {
        self.0.borrow_mut().updates.push(update);
        Ok(Duration::ZERO)
    }
}

/// A connection: bytes on their way there and back.
pub(super) struct Line {
    path: Rc<RefCell<Path>>,
    visit: Visit,
    /// Requests on their way, and when they are there.
    going: VecDeque<(Instant, Vec<u8>)>,
    /// The station is busy until then with an answer that leaves in pieces.
    busy_until: Instant,
    /// It may have something left to answer when it is not busy any more.
    is_behind: bool,
    /// What is on its way back, and when it is here.
    coming: VecDeque<(Instant, Coming)>,
    /// The station has ended the connection.
    is_over: bool,
}

/// What comes from a station.
enum Coming {
    Bytes(Vec<u8>),
    Closed,
    Reset,
}

impl Line {
    fn new(path: Rc<RefCell<Path>>, visit: Visit, now: Instant) -> Self {
        Self {
            path,
            visit,
            going: VecDeque::new(),
            busy_until: now,
            is_behind: false,
            coming: VecDeque::new(),
            is_over: false,
        }
    }

    /// When the station next looks at what was sent.
    fn served_at(&self) -> Option<Instant> {
        let arrives = self.going.front().map(|(at, _)| *at);
        let next = if self.is_behind { Some(self.busy_until) } else { arrives };
        next.filter(|_| !self.is_over).map(|at| at.max(self.busy_until))
    }

    /// The station answers what is there.
    fn serve(&mut self, path: &Path) {
        let Some(image) = &path.image else { return };
        while self.going.front().is_some_and(|(at, _)| *at <= path.now)
            && let Some((_, bytes)) = self.going.pop_front()
        {
            self.visit.send(&bytes);
        }
        let mut output = Vec::new();
        let then = path.port.answer(&mut self.visit, image, &mut output);
        self.is_behind = false;
        let (now, way) = (path.now, path.way());
        if then == Then::Resets {
            self.is_over = true;
            self.put(now + way, Coming::Reset);
            return;
        }
        if !output.is_empty() {
            self.put(now + way, Coming::Bytes(output));
        }
        match then {
            Then::Waits | Then::Resets => {}
            Then::Pieces(pieces) => {
                let mut leaves = now;
                for (pause, bytes) in pieces {
                    leaves += pause;
                    self.put(leaves + way, Coming::Bytes(bytes));
                }
                (self.busy_until, self.is_behind) = (leaves, true);
            }
            Then::Closes => {
                self.is_over = true;
                self.put(now + way, Coming::Closed);
            }
        }
    }

    /// Something is on its way back: it does not overtake what left before.
    fn put(&mut self, at: Instant, what: Coming) {
        let last = self.coming.back().map_or(at, |(last, _)| *last);
        self.coming.push_back((at.max(last), what));
    }

    /// Lives on until something comes or `deadline` is over.
    fn live(&mut self, input: &mut Vec<u8>, deadline: Instant) -> Poll<Option<io::Result<usize>>> {
        let path = Rc::clone(&self.path);
        let mut path = path.borrow_mut();
        loop {
            if !path.is_open() {
                return Poll::Ready(Some(Ok(0)));
            }
            let now = path.now;
            let (served, comes) = (self.served_at(), self.coming.front().map(|(at, _)| *at));
            let first = [served, comes, Some(deadline)].into_iter().flatten().min();
            let first = first.unwrap_or(deadline).max(now);
            if path.reach(first).is_pending() {
                return Poll::Pending;
            }
            let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= first);
            if is_due(served) {
                self.serve(&path);
            } else if is_due(comes) {
                return Poll::Ready(Some(self.take(first, input)));
            } else {
                return Poll::Ready(None);
            }
        }
    }

    /// Takes everything that is here by now.
    fn take(&mut self, now: Instant, input: &mut Vec<u8>) -> io::Result<usize> {
        let before = input.len();
        while let Some((at, coming)) = self.coming.front()
            && *at <= now
        {
            match coming {
                Coming::Bytes(bytes) => input.extend(bytes),
                // What came before is looked at first; an end stays an end.
                Coming::Closed | Coming::Reset if input.len() > before => break,
                Coming::Closed => return Ok(0),
                Coming::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
            }
            self.coming.pop_front();
        }
        Ok(input.len() - before)
    }
}

impl Wire for Line {
    fn now(&self) -> Instant {
        self.path.borrow().now
    }

    async fn sleep_until(&mut self, until: Instant) {
        sleep_until(&self.path, until).await;
    }

    async fn write(&mut self, bytes: &[u8], _: Instant) -> Option<io::Result<()>> {
        let path = self.path.borrow();
        let last = self.going.back().map_or(path.now, |(at, _)| *at);
        self.going.push_back(((path.now + path.way()).max(last), bytes.to_vec()));
        Some(Ok(()))
    }

    async fn read(
        &mut self,
        input: &mut Vec<u8>,
        _: usize,
        deadline: Instant,
    ) -> Option<io::Result<usize>> {
        poll_fn(|_| self.live(input, deadline)).await
    }
}
