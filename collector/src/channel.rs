//! The task of one channel: connect, keep the slots, ask, report.

use std::sync::Arc;
use std::time::Duration;

use config::{Channel, ChannelId, Province};
use signal::clock::Clock;
use signal::update::{LinkFault, News, Overrun, Update};
use tokio::time::Instant;

use super::answers::Decoder;
use super::connection::Connection;
use super::plan::Plan;
use super::scan::{Asker, Spent};
use super::schedule::{Backoff, Schedule, mix};
use super::world::{HistorianGone, World};

/// Connections that may break one after the other without a single reply before the link counts
/// as lost.
const BREAKS_MAX: u32 = 3;

/// Polls one station for one centre.
pub struct Poller<W> {
    id: ChannelId,
    world: W,
    clock: Clock,
    reply_timeout: Duration,
    pause_after_connect: Duration,
    backoff: Backoff,
    schedule: Schedule,
    asker: Asker,
    decoder: Decoder,
    /// The station has answered since it was called last.
    connected: bool,
}

impl<W: World> Poller<W> {
    /// The task of a channel, which lives in `world`; `clock` says when by its time.
    pub fn new(
        province: &Province,
        index: usize,
        channel: &Channel,
        plan: &Arc<Plan>,
        (world, clock): (W, Clock),
    ) -> Self {
        let link = &province.link;
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let seed = mix(province.seed ^ mix(index as u64 + 1));
        Self {
            id: ChannelId::at(index),
            reply_timeout: ms(channel.device.reply_timeout_ms),
            pause_after_connect: ms(channel.device.pause_after_connect_ms),
            backoff: Backoff::new(ms(link.backoff_first_ms), ms(link.backoff_longest_ms), seed),
            schedule: Schedule::new(province, plan, world.now(), seed),
            asker: Asker::new(Arc::clone(plan), &channel.device, world.now()),
            decoder: Decoder::new(province, channel, plan),
            connected: false,
            world,
            clock,
        }
    }

    /// Runs until the historian is gone or the task is cancelled.
    pub async fn run(mut self) {
        while self.connect_and_poll().await.is_ok() {}
    }

    async fn connect_and_poll(&mut self) -> Result<(), HistorianGone> {
        if self.schedule.is_empty() {
            // Nothing is mapped here: there is nothing to ask, and the historian knows it.
            std::future::pending::<()>().await;
        }
        let fault = match self.open().await {
            Ok(connection) => self.poll(connection).await?,
            Err(fault) => fault,
        };
        self.report(News::Lost(fault)).await?;
        let until = self.world.now() + self.backoff.next();
        self.world.sleep_until(until).await;
        Ok(())
    }

    async fn open(&mut self) -> Result<Connection<W::Wire>, LinkFault> {
        let wire = self.world.open().await?;
        let connection = Connection::over(wire, self.reply_timeout, self.clock.clone());
        let until = self.world.now() + self.pause_after_connect;
        self.world.sleep_until(until).await;
        Ok(connection)
    }

    /// Reports something, and returns how long that took: nothing while the historian keeps up.
    async fn report(&mut self, news: News) -> Result<Duration, HistorianGone> {
        let at = self.clock.at(self.world.now().into_std());
        self.world.report(Update { channel: self.id, at, news }).await
    }

    /// Polls until the path is gone, and says why it is.
    async fn poll(
        &mut self,
        mut connection: Connection<W::Wire>,
    ) -> Result<LinkFault, HistorianGone> {
        // A station that comes back is asked for everything at once; slots before are no loss.
        self.asker.reconnected(self.world.now());
        self.connected = false;
        let (mut due, mut breaks) = (self.world.now(), 0);
        let mut blocks: Vec<usize> = self.schedule.all().collect();
        self.schedule.skip_to(due);
        let mut ended = self.scan(&mut connection, &blocks, (due, due)).await?.err();
        self.schedule.skip_to(self.world.now());
        loop {
            if ended.is_none() && !connection.dialogue.is_worn() {
                due = self.schedule.next().unwrap_or(due);
                ended = connection.idle(due).await.err();
            }
            let broke = ended.is_some() && !connection.dialogue.answered();
            breaks = if broke { breaks + 1 } else { 0 };
            match ended {
                None if !connection.dialogue.is_worn() => {}
                // Perhaps it only broke off over one unit: this connection is of no use any more.
                None | Some(LinkFault::Closed | LinkFault::Garbage) if breaks < BREAKS_MAX => {
                    // The old one is closed first, since some stations take no second.
                    drop(connection);
                    connection = match self.open().await {
                        Ok(fresh) => fresh,
                        Err(fault) => return Ok(fault),
                    };
                    self.report(News::Renewed(ended)).await?;
                    self.schedule.skip_to(self.world.now());
                    due = self.schedule.next().unwrap_or(due);
                    self.world.sleep_until(due).await;
                }
                ended => return Ok(ended.unwrap_or(LinkFault::Silent)),
            }
            let now = self.world.now();
            blocks.clear();
            blocks.extend(self.schedule.due(now));
            ended = self.scan(&mut connection, &blocks, (due, now)).await?.err();
        }
    }

    /// Asks for some blocks, whose slot came at `due` and which are asked from `began` on, and reports
    /// what came of it.
    async fn scan(
        &mut self,
        connection: &mut Connection<W::Wire>,
        blocks: &[usize],
        (due, began): (Instant, Instant),
    ) -> Result<Result<(), LinkFault>, HistorianGone> {
        let mut spent = Spent::after(began.saturating_duration_since(due));
        self.asker.begin(blocks, began);
        let outcome = loop {
            let step = self.asker.step(connection, &mut spent).await;
            let polls = self.asker.take_polls(!matches!(step, Ok(true)));
            if !self.connected && connection.dialogue.answered() {
                self.connected = true;
                self.backoff.reset();
                spent.on_historian(self.report(News::Connected).await?);
            }
            if !polls.is_empty() {
                let answers = self.decoder.answers(polls);
                spent.on_historian(self.report(News::Answers(answers)).await?);
            }
            match step {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        for (device, fault) in self.asker.take_silent() {
            self.report(News::Silent { device, miss: fault.into() }).await?;
        }
        let strays = connection.dialogue.take_strays();
        if strays.sum() > 0 {
            self.report(News::Strays(strays)).await?;
        }
        let now = self.world.now();
        let unasked = self.asker.finish();
        let missed = self.schedule.pass(began, now);
        if outcome.is_ok() && (missed.is_some() || unasked > 0) {
            let ms = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            let overrun = Overrun {
                missed: missed.map_or(0, |missed| missed.slots),
                unasked,
                took_ms: ms(now.saturating_duration_since(due)),
                period_ms: missed.map_or(0, |missed| ms(missed.period)),
                cause: spent.cause(),
            };
            self.report(News::Overrun(overrun)).await?;
        }
        Ok(outcome)
    }
}
