//! The stations on the network: the only file of the field that names `tokio_modbus`.

pub mod control;
pub(crate) mod frames;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{ChannelId, Province, Table, blocks};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_modbus::server::{Service, tcp::Server};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_util::sync::CancellationToken;

use crate::Field;
use crate::faults::wire::Fate;
use crate::faults::{Keep, Scenario};
use crate::telemetry::image::{Image, Refusal};
use control::{Desk, Order, Write, carry_out};
use frames::{Frames, Manners};

/// Connections that a channel keeps; a centre needs one or two, and each costs some 18 kB.
const CONNECTIONS_MAX: u64 = 64;
/// Time between two steps of the field.
const STEP: Duration = Duration::from_secs(1);
/// A field whose clock runs fast is stepped so many times in that time.
const STEPS_WHEN_FAST: u32 = 10;
/// Pause before listening again after the system refused a connection, for want of files say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

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
pub enum StartError {
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
}

/// What the stations have been asked, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that were taken.
    pub accepted: u64,
    /// Connections that were turned away because a channel had too many.
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
    stations: Vec<Listening>,
    ticker: JoinHandle<()>,
    cancel: CancellationToken,
}

/// One channel.
struct Listening {
    channel: ChannelId,
    desk: Desk,
    address: SocketAddr,
    images: watch::Receiver<Arc<Image>>,
    counters: Arc<Counters>,
    task: Mutex<Option<(JoinHandle<()>, CancellationToken)>>,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    requests: AtomicU64,
    exceptions: AtomicU64,
    bad_frames: AtomicU64,
    /// Answers, whatever became of them.
    replies: AtomicU64,
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
    ) -> Result<Self, StartError> {
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
    ) -> Result<Self, StartError> {
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
        let (desk, orders) = Desk::new(province);
        for (n, (address, listener)) in listeners.into_iter().enumerate() {
            let (sender, images) = watch::channel(field.image(ChannelId::at(n)));
            senders.push(sender);
            let counters = Arc::default();
            let (channel, desk) = (ChannelId::at(n), desk.clone());
            let task = Mutex::new(None);
            let station = Listening { channel, desk, address, images, counters, task };
            *station.task.lock().await = Some(station.serve(listener));
            stations.push(station);
        }
        let pause = if plans.speed > 1 { STEP / STEPS_WHEN_FAST } else { STEP };
        let running = Running { field, images: senders, clock, truth, pause };
        let ticker = tokio::spawn(running.run(orders, cancel.clone()));
        Ok(Self { desk, stations, ticker, cancel })
    }

    /// Where faults are injected and cleared while it runs.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Where each channel listens, by channel id.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.stations.iter().map(|station| station.address).collect()
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
        let counters = &self.stations[channel.index()].counters;
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
                let listener = TcpListener::bind(station.address).await?;
                *task = Some(station.serve(listener));
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
) -> Result<(SocketAddr, TcpListener), StartError> {
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
        if source.kind() == io::ErrorKind::AddrInUse {
            StartError::PortInUse { port, station, centre }
        } else {
            StartError::Refused { port, station, centre, source }
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
                sender.send_replace(self.field.image(ChannelId::at(n)));
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

impl Listening {
    fn serve(&self, listener: TcpListener) -> (JoinHandle<()>, CancellationToken) {
        let cancel = CancellationToken::new();
        let service = Arc::new(StationService {
            channel: self.channel,
            desk: self.desk.clone(),
            images: self.images.clone(),
            counters: Arc::clone(&self.counters),
        });
        let images = self.images.clone();
        let serving = attend(self.address, listener, images, service, Arc::clone(&self.counters));
        let stop = cancel.clone();
        let handle = tokio::spawn(async move {
            // Dropping the server ends its connections.
            stop.run_until_cancelled(serving).await;
        });
        (handle, cancel)
    }
}

/// Serves a channel, but for the time in which a fault closes its port.
async fn attend(
    address: SocketAddr,
    listener: TcpListener,
    mut images: watch::Receiver<Arc<Image>>,
    service: Arc<StationService>,
    counters: Arc<Counters>,
) {
    let mut listener = Some(listener);
    loop {
        if images.borrow_and_update().conduct().closed {
            listener = None;
            if images.wait_for(|image| !image.conduct().closed).await.is_err() {
                return;
            }
        }
        let Some(open) = listener.take() else {
            match TcpListener::bind(address).await {
                Ok(open) => listener = Some(open),
                Err(error) => {
                    tracing::warn!("{address} cannot be opened again: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            continue;
        };
        let serving =
            serve(Server::new(open), &images, Arc::clone(&service), Arc::clone(&counters));
        let mut watched = images.clone();
        tokio::select! {
            // Dropping the server ends its connections.
            closed = watched.wait_for(|image| image.conduct().closed) => {
                if closed.is_err() {
                    return;
                }
            }
            () = serving => return,
        }
    }
}

async fn serve(
    server: Server,
    images: &watch::Receiver<Arc<Image>>,
    service: Arc<StationService>,
    counters: Arc<Counters>,
) {
    let on_connected = |stream: TcpStream, peer: SocketAddr| {
        let seat = Seat::take(&counters);
        let service = Arc::clone(&service);
        let (counters, images) = (Arc::clone(&counters), images.clone());
        async move {
            let Some(seat) = seat else {
                tracing::warn!(%peer, "turned away: {CONNECTIONS_MAX} connections are open");
                return Ok(None);
            };
            if stream.set_nodelay(true).is_err() {
                // The client has gone already.
                return Ok(None);
            }
            // The seat is given back when the connection ends.
            let frames = Frames::new(stream, ChannelManners { _seat: seat, counters, images });
            Ok(Some((service, frames)))
        }
    };
    let on_error = |error: io::Error| tracing::debug!("connection ended: {error}");
    // The library stops listening at the first connection that the system refuses.
    while let Err(error) = server.serve(&on_connected, on_error).await {
        tracing::warn!("cannot accept: {error}");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// A connection behaves as the conduct of its channel says.
struct ChannelManners {
    _seat: Seat,
    counters: Arc<Counters>,
    images: watch::Receiver<Arc<Image>>,
}

impl Manners for ChannelManners {
    fn on_bad(&self) {
        self.counters.bad_frames.fetch_add(1, Ordering::Relaxed);
    }

    fn swallows(&self, unit: u8) -> bool {
        self.images.borrow().conduct().swallows(unit)
    }

    fn fate(&self, answer: &[u8]) -> Fate {
        let n = self.counters.replies.fetch_add(1, Ordering::Relaxed);
        self.images.borrow().conduct().fate(answer, n)
    }
}

/// A place among the connections of a channel.
struct Seat(Arc<Counters>);

impl Seat {
    fn take(counters: &Arc<Counters>) -> Option<Self> {
        if counters.connections.fetch_add(1, Ordering::Relaxed) < CONNECTIONS_MAX {
            counters.accepted.fetch_add(1, Ordering::Relaxed);
            return Some(Self(Arc::clone(counters)));
        }
        counters.connections.fetch_sub(1, Ordering::Relaxed);
        counters.refused.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers from the image of its channel, and hands writes in.
struct StationService {
    channel: ChannelId,
    images: watch::Receiver<Arc<Image>>,
    counters: Arc<Counters>,
    desk: Desk,
}

impl Service for StationService {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Pin<Box<dyn Future<Output = Result<Response, ExceptionCode>> + Send>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let n = self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let image = Arc::clone(&self.images.borrow());
        let counters = Arc::clone(&self.counters);
        let (desk, channel) = (self.desk.clone(), self.channel);
        let put_off = image.conduct().puts_off(request.slave, n);
        Box::pin(async move {
            let answer = match (put_off, wish(request.slave, request.request)) {
                (Some(code), _) => Err(ExceptionCode::new(code)),
                (None, Wish::Read(table, address, count)) => {
                    let cells = image.read(request.slave, table, address, count);
                    cells.map(|cells| told(table, cells)).map_err(exception)
                }
                (None, Wish::Write(write, done)) => match refused(&image, &write) {
                    Some(refusal) => Err(exception(refusal)),
                    None => desk.write(channel, write).await.map(|()| done).map_err(exception),
                },
                (None, Wish::Other) => Err(ExceptionCode::IllegalFunction),
            };
            if answer.is_err() {
                counters.exceptions.fetch_add(1, Ordering::Relaxed);
            }
            answer
        })
    }
}

/// What a request asks for.
enum Wish {
    Read(Table, u16, u16),
    /// A write, and the answer when it is taken.
    Write(Write, Response),
    /// What no station does.
    Other,
}

fn wish(unit: u8, request: Request<'_>) -> Wish {
    match request {
        Request::ReadCoils(address, count) => Wish::Read(Table::Coil, address, count),
        Request::ReadDiscreteInputs(address, count) => Wish::Read(Table::Discrete, address, count),
        Request::ReadHoldingRegisters(address, count) => Wish::Read(Table::Holding, address, count),
        Request::ReadInputRegisters(address, count) => Wish::Read(Table::Input, address, count),
        Request::WriteMultipleRegisters(address, values) => {
            let count = u16::try_from(values.len()).unwrap_or(0);
            let done = Response::WriteMultipleRegisters(address, count);
            Wish::Write(Write::Registers { unit, address, values: values.into_owned() }, done)
        }
        Request::WriteSingleCoil(address, on) => {
            let done = Response::WriteSingleCoil(address, on);
            Wish::Write(Write::Coil { unit, address, on }, done)
        }
        _ => Wish::Other,
    }
}

/// Why a channel does not even hand a write in.
fn refused(image: &Image, write: &Write) -> Option<Refusal> {
    match write {
        Write::Registers { unit, address, values } => {
            let block = *address == blocks::COMMAND;
            let command = values.first().copied().filter(|_| block).unwrap_or(*address);
            image.refuses_write(*unit, Table::Holding, command)
        }
        Write::Coil { unit, address, .. } => image.refuses_write(*unit, Table::Coil, *address),
    }
}

fn told(table: Table, cells: Vec<u16>) -> Response {
    let bits = |cells: Vec<u16>| cells.iter().map(|cell| *cell != 0).collect();
    match table {
        Table::Coil => Response::ReadCoils(bits(cells)),
        Table::Discrete => Response::ReadDiscreteInputs(bits(cells)),
        Table::Holding => Response::ReadHoldingRegisters(cells),
        Table::Input => Response::ReadInputRegisters(cells),
    }
}

fn exception(refusal: Refusal) -> ExceptionCode {
    match refusal {
        Refusal::IllegalAddress => ExceptionCode::IllegalDataAddress,
        Refusal::IllegalQuantity => ExceptionCode::IllegalDataValue,
        Refusal::UnitAbsent => ExceptionCode::GatewayTargetDevice,
        Refusal::Fault(code) => ExceptionCode::new(code),
    }
}
