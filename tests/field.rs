//! Simulator and monitor together, over real TCP on loopback.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Decoded, Province, StationId, decode};
use gridwatch::clock::Clock;
use gridwatch::historian::snapshot::{LinkState, Snapshot};
use gridwatch::historian::verdict::Reason;
use gridwatch::monitor::Monitor;
use sim::{Field, Ports, Simulation};
use tokio::time::timeout;

/// Longest wait for an event before a test gives up; no test waits for this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn small() -> Province {
    Province::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml")).unwrap()
}

pub(crate) async fn simulate(
    province: &mut Province,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
) -> Simulation {
    let simulation =
        Simulation::start(Arc::new(province.clone()), Ports::Ephemeral, clock).await.unwrap();
    for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
        (channel.host, channel.port) = (address.ip().to_string(), address.port());
    }
    simulation
}

pub(crate) async fn until(
    monitor: &Monitor,
    what: &str,
    seen: impl Fn(&Snapshot) -> bool,
) -> Arc<Snapshot> {
    let mut news = monitor.news();
    let found = timeout(PATIENCE, news.wait_for(|snapshot| seen(snapshot))).await;
    Arc::clone(&found.unwrap_or_else(|_| panic!("waited in vain for: {what}")).unwrap())
}

fn all_live(snapshot: &Snapshot) -> bool {
    snapshot.channels.iter().all(|c| {
        c.link.state == LinkState::Connected
            && c.counts.live.lacking() == c.counts.not_live[Reason::NotInDatabase as usize]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_province_that_goes_away_is_lost_and_comes_back_by_itself() {
    let mut province = small();
    province.link.backoff_first_ms = 20;
    province.link.backoff_longest_ms = 100;
    let clock = Clock::system();
    let own = clock.clone();
    let simulation = simulate(&mut province, Arc::new(move || own.now().0)).await;
    let channels = province.channels.len();
    let province = Arc::new(province);
    let monitor = Monitor::start(&province, clock).unwrap();
    until(&monitor, "everything live", all_live).await;

    for n in 0..channels {
        simulation.set_online(config::ChannelId::at(n), false).await.unwrap();
    }
    let lost = until(&monitor, "every link lost", |snapshot| {
        snapshot.channels.iter().all(|c| c.link.state == LinkState::Lost)
    })
    .await;
    for channel in &lost.channels {
        assert_eq!(channel.counts.live.have, 0, "nothing is shown as live");
        let required = channel.contract(&province).entries.iter().map(|e| e.required);
        let dead = |p: &gridwatch::historian::verdict::PointSnapshot| p.verdict.is_some();
        for ((point, spec), required) in
            channel.points.iter().zip(&channel.station(&province).points).zip(required)
        {
            assert!(!required || spec.spec.kind.is_command() || dead(point), "{}", spec.id);
        }
    }
    let later = until(&monitor, "ages count", |snapshot| snapshot.at.since(lost.at) >= 1_000).await;
    let oldest =
        |snapshot: &Snapshot| snapshot.channels[0].oldest_ms(&province, snapshot.at).unwrap();
    assert!(oldest(&later) >= oldest(&lost) + 1_000);

    for n in 0..channels {
        simulation.set_online(config::ChannelId::at(n), true).await.unwrap();
    }
    until(&monitor, "everything live again", all_live).await;
    monitor.stop().await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_station_that_is_lost_leaves_its_neighbours_live() {
    let mut province = small();
    let clock = Clock::system();
    let own = clock.clone();
    let simulation = simulate(&mut province, Arc::new(move || own.now().0)).await;
    let province = Arc::new(province);
    let monitor = Monitor::start(&province, clock).unwrap();
    until(&monitor, "everything live", all_live).await;
    let centre = province.centre("CC").unwrap();
    let gone = province.channel_id(StationId::at(0), centre);
    simulation.set_online(gone, false).await.unwrap();
    let snapshot = until(&monitor, "one link lost", |snapshot| {
        snapshot.channels[gone.index()].link.state == LinkState::Lost
    })
    .await;
    for channel in snapshot.channels.iter().filter(|c| c.id != gone) {
        assert_eq!(channel.link.state, LinkState::Connected);
        assert!(channel.counts.live.have > 0);
    }
    assert_eq!(snapshot.figures.connected.have, 2);
    assert_eq!(snapshot.figures.full.have, 2, "a lost link does not change what is full");
    monitor.stop().await;
    simulation.stop().await;
}

/// A Modbus client of a few lines that shares nothing with the program.
struct ForeignClient(TcpStream);

impl ForeignClient {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Cells of a table, or the exception code.
    fn read(&mut self, unit: u8, function: u8, address: u16, count: u16) -> Result<Vec<u16>, u8> {
        let [a, b] = address.to_be_bytes();
        let [c, d] = count.to_be_bytes();
        self.0.write_all(&[0x12, 0x34, 0, 0, 0, 6, unit, function, a, b, c, d]).unwrap();
        let mut head = [0; 8];
        self.0.read_exact(&mut head).unwrap();
        assert_eq!(head[..4], [0x12, 0x34, 0, 0]);
        assert_eq!(head[6], unit);
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let mut body = vec![0; length - 2];
        self.0.read_exact(&mut body).unwrap();
        if head[7] != function {
            assert_eq!(head[7], function | 0x80);
            return Err(body[0]);
        }
        assert_eq!(usize::from(body[0]), body.len() - 1);
        let bytes = &body[1..];
        Ok(if function <= 2 {
            (0..usize::from(count)).map(|n| u16::from(bytes[n / 8] >> (n % 8) & 1)).collect()
        } else {
            bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_client_reads_every_point_where_the_map_says() {
    // A field whose time stands still, beside one that knows what it sends.
    let at = 1_669_188_727_000;
    let mut province = Province::built_in();
    let mut truth = Field::new(Arc::new(province.clone()));
    truth.step(at);
    let simulation = simulate(&mut province, Arc::new(move || at)).await;
    let client_side = tokio::task::spawn_blocking(move || {
        let mut read = 0;
        for channel in &province.channels {
            let address = format!("{}:{}", channel.host, channel.port).parse().unwrap();
            let mut client = ForeignClient::connect(address);
            let station = &province.stations[channel.station.index()];
            for (n, (point, entry)) in station.points.iter().zip(&channel.entries).enumerate() {
                let Some(register) = &entry.register else { continue };
                let function = register.table.read_function();
                let cells = register.encoding.cells();
                let got = client.read(register.unit, function, register.address, cells).unwrap();
                read += 1;
                let value = match decode(register.encoding, register.word_order, &got) {
                    Decoded::Value(value) => value,
                    other => panic!("{}: {other:?}", point.id),
                };
                if !point.spec.kind.is_command() {
                    let id = config::PointId::at(n);
                    let expected = truth.sample(channel.station, id).value;
                    let step = register.encoding.scale();
                    assert!(
                        (value - expected).abs() <= step,
                        "{}: {value} for {expected}",
                        point.id
                    );
                }
                if let Some(quality) = register.quality {
                    assert_eq!(client.read(register.unit, function, quality, 1), Ok(vec![0]));
                }
            }
        }
        read
    });
    let plants = 2 * crate::fixture::points_of_plants(&Province::built_in());
    assert_eq!(client_side.await.unwrap(), 8_153 - 14 + 2_364 - 2 + plants);
    simulation.stop().await;
}
