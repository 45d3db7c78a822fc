//! Units behind a gateway: one that is silent, hangs up or talks nonsense costs its neighbours
//! nothing but a deadline now and then.

use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Clock;
use gridwatch::historian::snapshot::{ChannelSnapshot, LinkState};
use gridwatch::historian::verdict::Reason;
use gridwatch::monitor::Monitor;
use gridwatch::signal::update::Miss;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::field::{PATIENCE, until};

const DEADLINE_MS: u32 = 100;

/// What a unit does with a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Answers,
    Silent,
    HangsUp,
    /// Announces more bytes than it sends.
    Nonsense,
    Refuses(u8),
}

async fn serve(mut stream: TcpStream, manner: fn(u8) -> Manner) -> std::io::Result<()> {
    let mut request = [0; 12];
    loop {
        stream.read_exact(&mut request).await?;
        let (unit, function) = (request[6], request[7]);
        let count = usize::from(u16::from_be_bytes([request[10], request[11]]));
        let bytes = if function <= 2 { count.div_ceil(8) } else { 2 * count };
        let mut pdu = vec![function, u8::try_from(bytes).unwrap()];
        pdu.resize(2 + bytes, 0);
        match manner(unit) {
            Manner::Answers => {}
            Manner::Silent => continue,
            Manner::HangsUp => return Ok(()),
            Manner::Nonsense => pdu = vec![function, 200, 0, 0],
            Manner::Refuses(code) => pdu = vec![function | 0x80, code],
        }
        let [high, low] = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        let head = [request[0], request[1], 0, 0, high, low, unit];
        stream.write_all(&[&head[..], &pdu].concat()).await?;
    }
}

async fn listen(listener: TcpListener, manner: fn(u8) -> Manner) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, manner));
    }
}

/// A monitor of three stations whose units have these manners.
async fn watch(manner: fn(u8) -> Manner) -> (Arc<Province>, Monitor) {
    watch_with("", manner).await
}

/// The same with something more said of the last station.
async fn watch_with(more: &str, manner: fn(u8) -> Manner) -> (Arc<Province>, Monitor) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = std::fs::read_to_string(file).unwrap() + more;
    let mut province = Province::parse("small.toml", &text).unwrap();
    for channel in &mut province.channels {
        channel.device.reply_timeout_ms = DEADLINE_MS;
    }
    (province.link.backoff_first_ms, province.link.backoff_longest_ms) = (20, 100);
    for channel in &mut province.channels {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        channel.port = listener.local_addr().unwrap().port();
        tokio::spawn(listen(listener, manner));
    }
    let province = Arc::new(province);
    let monitor = Monitor::start(&province, Clock::system()).unwrap();
    (province, monitor)
}

/// Whether every value of the channel came or failed as the manner of its unit has it.
fn as_expected(channel: &ChannelSnapshot, province: &Province, manner: fn(u8) -> Manner) -> bool {
    let entries = &channel.contract(province).entries;
    let points = &channel.station(province).points;
    channel.points.iter().zip(entries).zip(points).all(|((point, entry), spec)| {
        let Some(register) = &entry.register else { return true };
        if spec.spec.kind.is_command() {
            return true;
        }
        match manner(register.unit) {
            Manner::Answers => point.at.is_some() && point.not_live != Some(Reason::NoReply),
            Manner::Silent | Manner::HangsUp => point.not_live == Some(Reason::NoReply),
            Manner::Nonsense => point.not_live == Some(Reason::Undecodable),
            Manner::Refuses(code) => {
                point.not_live == Some(Reason::Refused)
                    && point.refusal.and_then(Miss::code) == Some(code)
            }
        }
    })
}

async fn neighbours_are_not_concerned(manner: fn(u8) -> Manner) {
    let (province, monitor) = watch(manner).await;
    let snapshot = until(&monitor, "every unit as it is", |snapshot| {
        snapshot.channels.iter().all(|channel| as_expected(channel, &province, manner))
    })
    .await;
    until(&monitor, "the first scan is over", |p| p.first_scan().lacking() == 0).await;
    // From now on it stays so: the sick units are asked again, and nobody else notices.
    let mut news = monitor.news();
    let settled = snapshot.at;
    let watched = timeout(PATIENCE, async {
        loop {
            news.changed().await.unwrap();
            let snapshot = Arc::clone(&news.borrow_and_update());
            for channel in &snapshot.channels {
                assert_eq!(channel.link.state, LinkState::Connected);
                assert!(as_expected(channel, &province, manner));
            }
            if snapshot.at.since(settled) > 5_000 {
                break;
            }
        }
    });
    watched.await.expect("snapshots keep coming");
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_units_side_by_side_do_not_take_the_station_with_them() {
    neighbours_are_not_concerned(|unit| if unit <= 2 { Manner::Silent } else { Manner::Answers })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_hangs_up_does_not_take_the_station_with_it() {
    neighbours_are_not_concerned(|unit| if unit == 1 { Manner::HangsUp } else { Manner::Answers })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_talks_nonsense_is_undecodable_and_nobody_else_is() {
    neighbours_are_not_concerned(|unit| if unit == 2 { Manner::Nonsense } else { Manner::Answers })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_the_gateway_does_not_find_is_refused() {
    let manner = |unit| if unit == 3 { Manner::Refuses(0x0B) } else { Manner::Answers };
    neighbours_are_not_concerned(manner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_in_which_nothing_answers_is_not_connected() {
    let (_, monitor) = watch(|_| Manner::Silent).await;
    let snapshot = until(&monitor, "every link given up", |snapshot| {
        snapshot.channels.iter().all(|c| c.link.fault.is_some())
    })
    .await;
    for channel in &snapshot.channels {
        assert_eq!(channel.link.state, LinkState::NeverConnected);
        assert_eq!(channel.counts.live.have, 0);
    }
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_a_unit_that_only_a_pin_names_are_in_the_traffic() {
    let pin = "\n[[stations.pins]]\npoint = \"110.171.P\"\nunit = 99\naddress = 0\n";
    let (_, monitor) = watch_with(pin, |_| Manner::Answers).await;
    let beyond_the_units = |channel: &ChannelSnapshot| {
        let listed: u64 = channel.units.iter().map(|unit| unit.traffic.requests).sum();
        channel.traffic.requests - listed
    };
    until(&monitor, "unit 99 was asked", |snapshot| {
        snapshot.channels.iter().any(|channel| beyond_the_units(channel) > 0)
    })
    .await;
    monitor.stop().await;
}
