//! The stations on the network: one Modbus TCP server for each channel.

mod connection;
pub mod control;
mod frames;
mod guests;
mod listening;
mod station;
mod tls;
mod trial;
mod visit;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{ChannelId, Province};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::faults::Keep;
use crate::field::Field;
use crate::orders::Scenario;
use crate::telemetry::image::Image;
use control::{Desk, Order, carry_out};
use guests::Guests;
use listening::Door;
use station::Station;
use tls::Security;
pub use tls::SecurityError;
#[doc(hidden)]
pub use trial::trial;
pub use visit::{Port, Then, Visit};

/// Time between two steps of the field.
const STEP: Duration = Duration::from_secs(1);
/// A field whose clock runs fast is stepped so many times in that time.
const STEPS_WHEN_FAST: u32 = 10;
/// Where the stations listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// On the ports of the contract, at the province's host when that is this machine, else on
    /// loopback.
    Contract,
    /// On any free ports of loopback.
    Ephemeral,
}

/// Why the stations cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error(
        "port {port} ({station} at {centre}) is in use: stop the other simulator, or choose other \
         ports with --port-base"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// Station id.
        station: String,
        /// Centre id.
        centre: String,
    },
    /// The system does not allow it.
    #[error("port {port} ({station} at {centre}) cannot be opened: {source}")]
    Refused {
        /// The port.
        port: u16,
        /// Station id.
        station: String,
        /// Centre id.
        centre: String,
        /// In the system's words.
        source: io::Error,
    },
    /// The port of a real device, which the contract pins.
    #[error(
        "port {port} ({station} at {centre}) cannot be opened: {source}; the station's 'address' pins \
         it and describes a real device: leave 'address' out to simulate the station"
    )]
    Pinned {
        /// The port.
        port: u16,
        /// Station id.
        station: String,
        /// Centre id.
        centre: String,
        /// In the system's words.
        source: io::Error,
    },
    /// A certificate or key that the stations need.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

/// What the stations have been asked, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that were taken.
    pub accepted: u64,
    /// Connections that were turned away: the peer is not on the list, too many are open, or it did
    /// not show a certificate with a role that may do anything.
    pub refused: u64,
    /// Requests answered, those with an exception included.
    pub requests: u64,
    /// Requests answered with an exception.
    pub exceptions: u64,
    /// Frames that were no request: answered with an exception, or the end of their connection.
    pub bad_frames: u64,
}

/// What a simulation does beside serving its stations.
#[derive(Default)]
pub struct Plans {
    /// How many times faster than the world's its clock runs; 0 counts as 1.
    pub speed: u32,
    /// Faults to come.
    pub scenario: Option<Scenario>,
    /// Where the truth log goes, a JSON object a line, and how much of it.
    pub truth: Option<(Keep, Box<dyn io::Write + Send>)>,
}

/// A simulated province on the network.
pub struct Simulation {
    desk: Desk,
    guests: Arc<Guests>,
    stations: Vec<Listening>,
    ticker: JoinHandle<()>,
    cancel: CancellationToken,
}

/// One channel.
struct Listening {
    door: Door,
    task: Mutex<Option<(JoinHandle<()>, CancellationToken)>>,
}

impl Simulation {
    /// Opens every port, then serves the stations and steps the field once a second by `clock`
    /// (UTC milliseconds).
    ///
    /// # Errors
    /// The first port that cannot be opened; nothing is left running then.
    pub async fn start(
        province: Arc<Province>,
        ports: Ports,
        clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    ) -> Result<Self, ListenError> {
        Self::start_with(province, ports, clock, Plans::default()).await
    }

    /// The same, with faults to come and a truth log.
    ///
    /// # Errors
    /// The first port that cannot be opened; nothing is left running then.
    pub async fn start_with(
        province: Arc<Province>,
        ports: Ports,
        clock: Arc<dyn Fn() -> i64 + Send + Sync>,
        plans: Plans,
    ) -> Result<Self, ListenError> {
        let security = Security::load(&province)?.map(Arc::new);
        let mut listeners = Vec::with_capacity(province.channels.len());
        for n in 0..province.channels.len() {
            listeners.push(open(&province, n, ports).await?);
        }
        let mut field = Field::new(Arc::clone(&province));
        if let Some(scenario) = plans.scenario {
            field.plan(scenario);
        }
        let truth = plans.truth.map(|(keep, log)| {
            field.keep_truth(keep);
            TruthLog(Some(log))
        });
        field.step(clock());
        let cancel = CancellationToken::new();
        let mut senders = Vec::with_capacity(listeners.len());
        let mut stations = Vec::with_capacity(listeners.len());
        let guests = Arc::new(Guests::new(&province.link));
        let secured: Vec<bool> = province.channels.iter().map(|channel| channel.tls).collect();
        let (desk, orders) = Desk::new(province);
        for (n, (address, listener)) in listeners.into_iter().enumerate() {
            let (sender, images) = watch::channel(field.image(ChannelId::at(n)));
            senders.push(sender);
            let (channel, desk, counters) = (ChannelId::at(n), desk.clone(), Arc::default());
            let station = Arc::new(Station { channel, desk, images, counters });
            let security = security.clone().filter(|_| secured[n]);
            let door = Door { address, station, guests: Arc::clone(&guests), security };
            let task = Mutex::new(Some(door.serve(listener)));
            stations.push(Listening { door, task });
        }
        let pause = if plans.speed > 1 { STEP / STEPS_WHEN_FAST } else { STEP };
        let running = Running { field, images: senders, clock, truth, pause };
        let ticker = tokio::spawn(running.run(orders, cancel.clone()));
        Ok(Self { desk, guests, stations, ticker, cancel })
    }

    /// Where faults are injected and cleared while it runs.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Where each channel listens, by channel id.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.stations.iter().map(|station| station.door.address).collect()
    }

    /// Traffic of all channels.
    pub fn traffic(&self) -> Traffic {
        let mut sum = Traffic::default();
        for channel in 0..self.stations.len() {
            let one = self.channel_traffic(ChannelId::at(channel));
            sum.connections += one.connections;
            sum.accepted += one.accepted;
            sum.refused += one.refused;
            sum.requests += one.requests;
            sum.exceptions += one.exceptions;
            sum.bad_frames += one.bad_frames;
        }
        sum
    }

    /// Traffic of one channel.
    pub fn channel_traffic(&self, channel: ChannelId) -> Traffic {
        let counters = &self.stations[channel.index()].door.station.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            connections: read(&counters.connections),
            accepted: read(&counters.accepted),
            refused: read(&counters.refused),
            requests: read(&counters.requests),
            exceptions: read(&counters.exceptions),
            bad_frames: read(&counters.bad_frames),
        }
    }

    /// The last line about a peer that was turned away, with its address and why; each is told once,
    /// and at most one a second.
    pub fn take_refusal(&self) -> Option<String> {
        self.guests.take_line()
    }

    /// Takes a channel off the network, its connections closed, or puts it back on the same port.
    /// When the port has been taken meanwhile, it stays off and the error says so.
    ///
    /// # Errors
    /// When the port cannot be opened again.
    pub async fn set_online(&self, channel: ChannelId, online: bool) -> io::Result<()> {
        let station = &self.stations[channel.index()];
        let mut task = station.task.lock().await;
        match (online, task.take()) {
            (true, None) => {
                let listener = TcpListener::bind(station.door.address).await?;
                *task = Some(station.door.serve(listener));
            }
            (false, Some((handle, cancel))) => {
                cancel.cancel();
                let _ = handle.await;
            }
            (_, unchanged) => *task = unchanged,
        }
        Ok(())
    }

    /// Closes every connection and port, and waits until all tasks have ended.
    pub async fn stop(self) {
        self.cancel.cancel();
        for channel in 0..self.stations.len() {
            // Going offline cannot fail.
            let _ = self.set_online(ChannelId::at(channel), false).await;
        }
        let _ = self.ticker.await;
    }
}

async fn open(
    province: &Province,
    n: usize,
    ports: Ports,
) -> Result<(SocketAddr, TcpListener), ListenError> {
    let channel = &province.channels[n];
    let port = if ports == Ports::Ephemeral { 0 } else { channel.port };
    let mut opened = TcpListener::bind((province.link.host.as_str(), port)).await;
    let elsewhere = |error: &io::Error| {
        !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
    };
    if opened.as_ref().is_err_and(elsewhere) || ports == Ports::Ephemeral {
        opened = TcpListener::bind(("127.0.0.1", port)).await;
    }
    let address = opened.and_then(|listener| Ok((listener.local_addr()?, listener)));
    address.map_err(|source| {
        let station = province.stations[channel.station.index()].id.clone();
        let centre = province.centres[channel.centre.index()].id.clone();
        if channel.pinned_address {
            ListenError::Pinned { port, station, centre, source }
        } else if source.kind() == io::ErrorKind::AddrInUse {
            ListenError::PortInUse { port, station, centre }
        } else {
            ListenError::Refused { port, station, centre, source }
        }
    })
}

/// The field, and everybody who waits for what it does.
struct Running {
    field: Field,
    images: Vec<watch::Sender<Arc<Image>>>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    truth: Option<TruthLog>,
    pause: Duration,
}

/// The truth log, until it cannot be written any more.
struct TruthLog(Option<Box<dyn io::Write + Send>>);

impl Running {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>, cancel: CancellationToken) {
        // Steps fall just behind whole seconds, so that each finds one.
        let to_second = 1_000 - (self.clock)().rem_euclid(1_000) + 2;
        let first = Instant::now() + Duration::from_millis(to_second.unsigned_abs());
        let mut steps = interval_at(first, self.pause);
        // After a pause of the machine the field goes on from the present.
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let outcome = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                _ = steps.tick() => {
                    self.field.step((self.clock)());
                    None
                }
                // The desk of the simulation itself keeps the queue open.
                Some(order) = orders.recv() => Some(carry_out(&mut self.field, (self.clock)(), order)),
            };
            for (n, sender) in self.images.iter().enumerate() {
                // Most orders change one channel: nobody else is woken.
                let image = self.field.image(ChannelId::at(n));
                sender.send_if_modified(|held| {
                    let is_new = !Arc::ptr_eq(held, &image);
                    *held = image;
                    is_new
                });
            }
            if let Some(log) = &mut self.truth {
                log.write(&mut self.field);
            }
            if let Some(outcome) = outcome {
                outcome.hand_over();
            }
        }
    }
}

impl TruthLog {
    fn write(&mut self, field: &mut Field) {
        let records = field.take_truth();
        let Some(log) = self.0.as_mut().filter(|_| !records.is_empty()) else { return };
        let lines: String = records.iter().map(|record| record.line() + "\n").collect();
        if let Err(error) = log.write_all(lines.as_bytes()).and_then(|()| log.flush()) {
            tracing::error!("the truth log cannot be written any more: {error}");
            self.0 = None;
        }
    }
}
