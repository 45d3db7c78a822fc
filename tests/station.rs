//! A station whose every answer a test decides. What a register holds tells which register it is, so
//! that a value on a wrong point shows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use config::{Decoded, Province, RegisterTable, decode};
use gridwatch::historian::snapshot::Snapshot;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::fixture::without_heartbeat;

/// Replies that may wait to be sent.
const REPLIES_MAX: usize = 1_024;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) bytes: [u8; 12],
    /// How many came before it, over all connections.
    pub(crate) number: u64,
    /// Port of the station.
    pub(crate) port: u16,
    pub(crate) at: Instant,
}

impl Asked {
    pub(crate) fn unit(&self) -> u8 {
        self.bytes[6]
    }

    pub(crate) fn function(&self) -> u8 {
        self.bytes[7]
    }

    pub(crate) fn address(&self) -> u16 {
        u16::from_be_bytes([self.bytes[8], self.bytes[9]])
    }

    pub(crate) fn count(&self) -> u16 {
        u16::from_be_bytes([self.bytes[10], self.bytes[11]])
    }

    pub(crate) fn covers(&self, address: u16) -> bool {
        (self.address()..self.address() + self.count()).contains(&address)
    }

    /// The right reply.
    pub(crate) fn reply(&self) -> Vec<u8> {
        let (unit, function) = (self.unit(), self.function());
        let cells =
            (0..self.count()).map(|n| identity(unit, function, self.address().wrapping_add(n)));
        let data: Vec<u8> = if function <= 2 {
            let bits: Vec<u16> = cells.map(|cell| cell & 1).collect();
            let byte =
                |bits: &[u16]| bits.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << n);
            bits.chunks(8).map(|bits| u8::try_from(byte(bits)).unwrap()).collect()
        } else {
            cells.flat_map(u16::to_be_bytes).collect()
        };
        self.frame(&[&[function, u8::try_from(data.len()).unwrap()], &data[..]].concat())
    }

    /// The right reply as an exception.
    pub(crate) fn refusal(&self, code: u8) -> Vec<u8> {
        self.frame(&[self.function() | 0x80, code])
    }

    fn frame(&self, pdu: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        let head = [self.bytes[0], self.bytes[1], 0, 0, high, low, self.unit()];
        [&head[..], pdu].concat()
    }
}

/// What a register holds.
pub(crate) fn identity(unit: u8, function: u8, address: u16) -> u16 {
    let place = u32::from(unit) << 24 | u32::from(function) << 20 | u32::from(address);
    let spread = place.wrapping_mul(0x9E37_79B1) >> 15;
    u16::try_from(spread & 0x7FFF).unwrap()
}

/// What a station does with a request.
#[derive(Debug, Clone)]
pub(crate) enum PlantAction {
    Answers,
    Refuses(u8),
    /// Says nothing.
    Silent,
    /// Sends these bytes.
    Sends(Vec<u8>),
    /// Sends pieces, each after a pause; what is answered later does not overtake them.
    Pieces(Vec<(Duration, Vec<u8>)>),
    /// Sends these bytes later than what is answered meanwhile.
    Later(Duration, Vec<u8>),
    /// Answers, and ends the connection when no request has come for so long.
    AnswersAndClosesWhenIdle(Duration),
    /// Ends the connection, in order or by a reset.
    Closes,
    Resets,
    /// Answers nothing any more, and keeps the connection as long as the other end does.
    Hangs,
}

pub(crate) type Manner = Arc<dyn Fn(&Asked) -> PlantAction + Send + Sync>;

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    accepted: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// A station that listens.
pub(crate) struct Station {
    pub(crate) address: SocketAddr,
    counters: Arc<Counters>,
    manner: Manner,
    task: JoinHandle<()>,
}

impl Station {
    pub(crate) async fn open(
        manner: impl Fn(&Asked) -> PlantAction + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (counters, manner): (Arc<Counters>, Manner) = (Arc::default(), Arc::new(manner));
        let task = tokio::spawn(listen(listener, Arc::clone(&manner), Arc::clone(&counters)));
        Self { address, counters, manner, task }
    }

    /// Requests that came.
    pub(crate) fn requests(&self) -> u64 {
        self.counters.requests.load(Ordering::Relaxed)
    }

    /// Connections that were taken, and the most that were open at once.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        (read(&self.counters.accepted), read(&self.counters.most_open))
    }

    /// Closes port and connections.
    pub(crate) async fn go(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Listens again where it did.
    pub(crate) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (manner, counters) = (Arc::clone(&self.manner), Arc::clone(&self.counters));
        self.task = tokio::spawn(listen(listener, manner, counters));
    }
}

async fn listen(listener: TcpListener, manner: Manner, counters: Arc<Counters>) {
    // Dropped with this task, and its connections with it.
    let mut connections = tokio::task::JoinSet::new();
    let port = listener.local_addr().unwrap().port();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        let open = counters.open.fetch_add(1, Ordering::Relaxed) + 1;
        counters.most_open.fetch_max(open, Ordering::Relaxed);
        let (manner, counters) = (Arc::clone(&manner), Arc::clone(&counters));
        connections.spawn(async move {
            let seat = Seat(Arc::clone(&counters));
            let _ = serve(stream, port, manner, counters).await;
            drop(seat);
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Seat(Arc<Counters>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(
    stream: TcpStream,
    port: u16,
    manner: Manner,
    counters: Arc<Counters>,
) -> std::io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let (queue, mut queued) = mpsc::channel::<Vec<(Duration, Vec<u8>)>>(REPLIES_MAX);
    let writing = async {
        while let Some(pieces) = queued.recv().await {
            for (pause, bytes) in pieces {
                sleep(pause).await;
                writer.write_all(&bytes).await?;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let reading = async {
        let mut bytes = [0; 12];
        let mut patience = Duration::from_secs(3_600);
        loop {
            match timeout(patience, reader.read_exact(&mut bytes)).await {
                Ok(read) => read?,
                Err(_) => return Ok(()),
            };
            let number = counters.requests.fetch_add(1, Ordering::Relaxed);
            let asked = Asked { bytes, number, port, at: Instant::now() };
            let at_once = |bytes| queue.send(vec![(Duration::ZERO, bytes)]);
            match manner(&asked) {
                PlantAction::Answers => at_once(asked.reply()).await.is_ok(),
                PlantAction::Refuses(code) => at_once(asked.refusal(code)).await.is_ok(),
                PlantAction::Silent => true,
                PlantAction::Sends(bytes) => at_once(bytes).await.is_ok(),
                PlantAction::Pieces(pieces) => queue.send(pieces).await.is_ok(),
                PlantAction::Later(pause, bytes) => {
                    let queue = queue.clone();
                    tokio::spawn(async move {
                        sleep(pause).await;
                        // Whoever asked may have hung up meanwhile.
                        let _ = queue.send(vec![(Duration::ZERO, bytes)]).await;
                    });
                    true
                }
                PlantAction::AnswersAndClosesWhenIdle(after) => {
                    patience = after;
                    at_once(asked.reply()).await.is_ok()
                }
                PlantAction::Closes => return Ok(()),
                PlantAction::Resets => {
                    reader.as_ref().set_zero_linger()?;
                    return Ok(());
                }
                PlantAction::Hangs => {
                    tokio::io::copy(&mut reader, &mut tokio::io::sink()).await?;
                    return Ok(());
                }
            };
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}

/// A province of three small stations with fast scans, each channel at a station of its own.
pub(crate) async fn stations(
    periods: &[(&str, f64)],
    manner: impl Fn(&Asked) -> PlantAction + Clone + Send + Sync + 'static,
) -> (Province, Vec<Station>) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let mut text = std::fs::read_to_string(file).unwrap();
    for (class, seconds) in periods {
        let line = text.lines().find(|line| line.starts_with(&format!("{class} = "))).unwrap();
        let line = line.to_owned();
        text = text.replacen(&line, &format!("{class} = {seconds}"), 1);
    }
    let mut province = Province::parse("small.toml", &without_heartbeat(&text)).unwrap();
    let mut stations = Vec::new();
    for channel in &mut province.channels {
        let station = Station::open(manner.clone()).await;
        channel.port = station.address.port();
        // What such a station says of events would be nonsense.
        channel.device.events = false;
        stations.push(station);
    }
    (province, stations)
}

/// Checks every value of the snapshot and returns how many there are.
pub(crate) fn values_on_their_points(snapshot: &Snapshot) -> usize {
    let mut seen = 0;
    for channel in &snapshot.channels {
        let station = channel.station(&snapshot.province);
        let entries = &channel.contract(&snapshot.province).entries;
        for ((point, state), entry) in station.points.iter().zip(&channel.points).zip(entries) {
            let (Some(register), Some(value)) = (&entry.register, state.value) else { continue };
            let function = register.table.read_function();
            let cells: Vec<u16> = (0..register.encoding.cells())
                .map(|n| identity(register.unit, function, register.address + n))
                .map(|cell| if register.table == RegisterTable::Discrete { cell & 1 } else { cell })
                .collect();
            let own = decode(register.encoding, register.word_order, &cells);
            assert_eq!(own, Decoded::Value(value), "{} holds another point's value", point.id);
            seen += 1;
        }
    }
    seen
}
