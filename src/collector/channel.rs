//! The task of one channel: connect, keep the scan classes' schedules, ask, report.

use std::sync::Arc;
use std::time::Duration;

use config::{Channel, ChannelId, Province, Scan};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::modbus::Connection;
use super::plan::Plan;
use super::reading::{Event, Fault, LinkFault, Poll, Reading};
use crate::clock::Clock;

/// Pause after which a silent unit is asked again for the first time.
const UNIT_PAUSE_FIRST: Duration = Duration::from_secs(1);

/// Longest pause after which a silent unit is asked again.
const UNIT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Span over which the first polls of all channels are spread, so that they do not tick together.
const PHASE_SPREAD_MS: u64 = 200;

/// Why the task has nobody to talk to any more.
struct HistorianGone;

/// Polls one station for one centre.
pub(super) struct Poller {
    id: ChannelId,
    host: String,
    port: u16,
    plan: Arc<Plan>,
    clock: Clock,
    connect_timeout: Duration,
    reply_timeout: Duration,
    backoff: Backoff,
    classes: Vec<Class>,
    silent: Vec<Silence>,
}

/// One scan class: its blocks and when they are due next.
struct Class {
    period: Duration,
    due: Instant,
    blocks: std::ops::Range<usize>,
}

/// A unit that did not answer, and when it is asked again.
struct Silence {
    unit: u8,
    until: Instant,
    pause: Duration,
}

impl Poller {
    pub(super) fn new(
        province: &Province,
        index: usize,
        channel: &Channel,
        plan: Arc<Plan>,
        clock: Clock,
    ) -> Self {
        let link = &province.link;
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let seed = mix(province.seed ^ mix(index as u64 + 1));
        let start = Instant::now() + Duration::from_millis(seed % PHASE_SPREAD_MS);
        let mut classes: Vec<Class> = Vec::new();
        for scan in Scan::ALL {
            let first = plan.blocks.partition_point(|block| block.scan < scan);
            let last = plan.blocks.partition_point(|block| block.scan <= scan);
            if first < last {
                let period = Duration::from_secs_f64(province.scan.seconds(scan));
                classes.push(Class { period, due: start, blocks: first..last });
            }
        }
        Self {
            id: ChannelId::at(index),
            host: channel.host.clone(),
            port: channel.port,
            plan,
            clock,
            connect_timeout: ms(link.connect_timeout_ms),
            reply_timeout: ms(channel.device.reply_timeout_ms),
            backoff: Backoff {
                first: ms(link.backoff_first_ms),
                longest: ms(link.backoff_longest_ms),
                tries: 0,
                seed,
            },
            classes,
            silent: Vec::new(),
        }
    }

    /// Runs until the historian is gone or the task is cancelled.
    pub(super) async fn run(mut self, readings: mpsc::Sender<Reading>) {
        while self.connect_and_poll(&readings).await.is_ok() {}
    }

    async fn connect_and_poll(
        &mut self,
        readings: &mpsc::Sender<Reading>,
    ) -> Result<(), HistorianGone> {
        if self.classes.is_empty() {
            // Nothing is mapped here: there is nothing to ask, and the historian knows it.
            std::future::pending::<()>().await;
        }
        let fault = match self.open().await {
            Ok(connection) => self.poll(connection, readings).await?,
            Err(fault) => fault,
        };
        self.report(readings, Event::Lost(fault)).await?;
        sleep_until(Instant::now() + self.backoff.next()).await;
        // A station that comes back is asked for everything at once.
        let now = Instant::now();
        for class in &mut self.classes {
            class.due = now;
        }
        // What was silent before the loss may have been so because of it.
        for silence in &mut self.silent {
            (silence.until, silence.pause) = (now, UNIT_PAUSE_FIRST);
        }
        Ok(())
    }

    async fn open(&self) -> Result<Connection, LinkFault> {
        Connection::open(&self.host, self.port, self.connect_timeout, self.clock).await
    }

    async fn report(
        &self,
        readings: &mpsc::Sender<Reading>,
        event: Event,
    ) -> Result<(), HistorianGone> {
        let reading = Reading { channel: self.id, at: self.clock.now(), event };
        readings.send(reading).await.map_err(|_| HistorianGone)
    }

    /// Polls until the path is gone, and says why it is.
    async fn poll(
        &mut self,
        mut connection: Connection,
        readings: &mpsc::Sender<Reading>,
    ) -> Result<LinkFault, HistorianGone> {
        let mut connected = false;
        loop {
            let next = (0..self.classes.len()).min_by_key(|n| self.classes[*n].due).unwrap_or(0);
            sleep_until(self.classes[next].due).await;
            let blocks = self.classes[next].blocks.clone();
            for block in blocks {
                let unit = self.plan.blocks[block].unit;
                if self.pauses(unit) {
                    continue;
                }
                let answer = connection.read(&self.plan.blocks[block], self.reply_timeout).await;
                let answered = answer.result != Err(Fault::NoReply);
                if answered && !connected {
                    connected = true;
                    self.backoff.tries = 0;
                    self.report(readings, Event::Connected).await?;
                }
                self.note_unit(unit, answered);
                let exchange = Arc::new(answer.exchange);
                let poll = Poll { block, result: answer.result, exchange };
                self.report(readings, Event::Poll(poll)).await?;
                if !answered && self.all_silent() {
                    return Ok(LinkFault::Silent);
                }
                if !answer.in_step {
                    // A reply may still come: only a fresh connection is surely in step. The old
                    // one is closed first, since some stations take no second.
                    drop(connection);
                    connection = match self.open().await {
                        Ok(fresh) => fresh,
                        Err(fault) => return Ok(fault),
                    };
                }
            }
            let missed = self.classes[next].advance(Instant::now());
            if missed > 0 {
                self.report(readings, Event::Missed(missed)).await?;
            }
        }
    }

    /// Whether a unit is left alone for now.
    fn pauses(&self, unit: u8) -> bool {
        self.silent.iter().any(|silence| silence.unit == unit && Instant::now() < silence.until)
    }

    /// Whether no unit of the station answers any more.
    fn all_silent(&self) -> bool {
        let is_silent = |unit: u8| self.silent.iter().any(|silence| silence.unit == unit);
        self.plan.blocks.iter().all(|block| is_silent(block.unit))
    }

    /// A unit that does not answer costs its neighbours one deadline a pause, and the pause
    /// doubles each time.
    fn note_unit(&mut self, unit: u8, answered: bool) {
        let known = self.silent.iter().position(|silence| silence.unit == unit);
        let now = Instant::now();
        match (known, answered) {
            (None, true) => {}
            (Some(n), true) => {
                self.silent.swap_remove(n);
            }
            (Some(n), false) => {
                let silence = &mut self.silent[n];
                silence.pause = (2 * silence.pause).min(UNIT_PAUSE_MAX);
                silence.until = now + silence.pause;
            }
            (None, false) => {
                let pause = UNIT_PAUSE_FIRST;
                self.silent.push(Silence { unit, until: now + pause, pause });
            }
        }
    }
}

impl Class {
    /// Moves to the next slot that is not yet over and returns how many were missed. Slots stand
    /// on a fixed grid: a late scan is not followed by a burst.
    fn advance(&mut self, now: Instant) -> u32 {
        self.due += self.period;
        let late = now.saturating_duration_since(self.due);
        if late.is_zero() {
            return 0;
        }
        let periods = u32::try_from(late.as_nanos() / self.period.as_nanos().max(1));
        let missed = periods.unwrap_or(u32::MAX - 1);
        self.due += self.period * missed;
        missed
    }
}

/// Waits that double from try to try, with chance taken from a seed so that stations which were
/// lost together do not come back together.
struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
    seed: u64,
}

impl Backoff {
    /// The next wait: between half and the whole of first × 2^tries, cut at the longest.
    fn next(&mut self) -> Duration {
        let whole = self.first.saturating_mul(1 << self.tries.min(20)).min(self.longest);
        self.tries = self.tries.saturating_add(1);
        let chance = mix(self.seed.wrapping_add(u64::from(self.tries))) >> 40;
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit a float exactly")]
        let share = 0.5 + 0.5 * (chance as f64 / f64::from(1_u32 << 24));
        whole.mul_f64(share)
    }
}

/// Spreads the bits of a number (the finaliser of `SplitMix64`).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_differ_between_stations() {
        let ms = Duration::from_millis;
        let waits = |seed| {
            let mut backoff = Backoff { first: ms(500), longest: ms(15_000), tries: 0, seed };
            [0; 8].map(|_| backoff.next())
        };
        for (n, wait) in waits(7).into_iter().enumerate() {
            let whole = ms(500 << n).min(ms(15_000));
            assert!(wait >= whole / 2 && wait <= whole, "try {n}: {wait:?}");
        }
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn missed_slots_are_counted_and_not_made_up_for() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut class = Class { period: second, due: start, blocks: 0..1 };
        assert_eq!(class.advance(start), 0);
        assert_eq!(class.due, start + second);
        assert_eq!(class.advance(start + Duration::from_millis(5_300)), 3);
        assert_eq!(class.due, start + 5 * second);
    }
}
