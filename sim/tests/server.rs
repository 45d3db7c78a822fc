//! The servers, by a client that speaks bytes: exceptions, limits, malformed and half-sent frames.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{ChannelId, Province};
use sim::{ListenError, Ports, Simulation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longest wait for an event; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST: ChannelId = ChannelId(0);

fn province() -> Province {
    Province::load(Path::new("../config/small.toml")).unwrap()
}

async fn start() -> (Simulation, SocketAddr) {
    start_with(province()).await
}

async fn start_with(province: Province) -> (Simulation, SocketAddr) {
    let simulation =
        Simulation::start(Arc::new(province), Ports::Ephemeral, Arc::new(|| 1_669_188_727_000))
            .await
            .unwrap();
    let address = simulation.addresses()[0];
    (simulation, address)
}

fn frame(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let [a, b] = transaction.to_be_bytes();
    let [c, d] = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
    [&[a, b, 0, 0, c, d, unit], pdu].concat()
}

fn read_request(transaction: u16, unit: u8, function: u8, address: u16, count: u16) -> Vec<u8> {
    let ([a, b], [c, d]) = (address.to_be_bytes(), count.to_be_bytes());
    frame(transaction, unit, &[function, a, b, c, d])
}

/// One answer: transaction, unit, PDU.
async fn answer(stream: &mut TcpStream) -> std::io::Result<(u16, u8, Vec<u8>)> {
    let mut head = [0; 7];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("an answer comes")?;
    assert_eq!(head[2..4], [0, 0]);
    let mut pdu = vec![0; usize::from(u16::from_be_bytes([head[4], head[5]])) - 1];
    timeout(PATIENCE, stream.read_exact(&mut pdu)).await.expect("the whole answer comes")?;
    Ok((u16::from_be_bytes([head[0], head[1]]), head[6], pdu))
}

async fn ask(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    answer(&mut stream).await.unwrap().2
}

/// A station that is well answers with the position of a breaker.
async fn assert_serves(address: SocketAddr) {
    let pdu = ask(address, &read_request(7, 1, 2, 0, 2)).await;
    assert_eq!(pdu, [2, 1, 0b10], "the breaker of 171 is closed");
}

async fn assert_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
    assert!(end.is_err() || rest.is_empty(), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exceptions_are_those_of_the_specification() {
    let (simulation, address) = start().await;
    for (what, request, expected) in [
        ("write a coil that is no command", frame(1, 1, &[5, 0, 99, 0xFF, 0]), vec![0x85, 2]),
        ("write coils", frame(1, 1, &[15, 0, 0, 0, 1, 1, 1]), vec![0x8F, 1]),
        ("write a register", frame(1, 1, &[6, 0, 0, 0, 1]), vec![0x86, 1]),
        ("write a result", frame(1, 1, &[16, 0, 0, 0, 1, 2, 0, 1]), vec![0x90, 2]),
        ("write no register", frame(1, 1, &[16, 0, 0, 0, 0, 0]), vec![0x90, 3]),
        ("write to an absent unit", frame(1, 99, &[16, 0, 0, 0, 1, 2, 0, 1]), vec![0x90, 0x0B]),
        ("write a coil of an absent unit", frame(1, 99, &[5, 0, 0, 0xFF, 0]), vec![0x85, 0x0B]),
        ("write to unit 0", frame(1, 0, &[16, 0, 0, 0, 1, 2, 0, 1]), vec![0x90, 0x0B]),
        ("identify", frame(1, 1, &[0x2B, 0x0E, 1, 0]), vec![0xAB, 1]),
        ("mask a register in three bytes", frame(1, 1, &[0x16, 0, 0]), vec![0x96, 1]),
        ("read and write nothing", frame(1, 1, &[0x17]), vec![0x97, 1]),
        ("an unknown function", frame(1, 1, &[99]), vec![0xE3, 1]),
        ("beyond the last point", read_request(1, 1, 4, 5_000, 1), vec![0x84, 2]),
        ("across the last point", read_request(1, 1, 4, 0, 125), vec![0x84, 2]),
        ("across the end of the table", read_request(1, 1, 4, 65_535, 2), vec![0x84, 2]),
        ("no register", read_request(1, 1, 4, 0, 0), vec![0x84, 3]),
        ("126 registers", read_request(1, 1, 3, 0, 126), vec![0x83, 3]),
        ("no bit", read_request(1, 1, 2, 0, 0), vec![0x82, 3]),
        ("2001 bits", read_request(1, 1, 1, 0, 2_001), vec![0x81, 3]),
        ("an absent unit", read_request(1, 99, 4, 0, 1), vec![0x84, 0x0B]),
        ("unit 0", read_request(1, 0, 4, 0, 1), vec![0x84, 0x0B]),
        ("a read that is too short", frame(1, 1, &[4, 0, 0, 0]), vec![0x84, 3]),
        ("a read that is too long", frame(1, 1, &[4, 0, 0, 0, 1, 0]), vec![0x84, 3]),
        ("2000 coils in one byte", frame(1, 1, &[15, 0, 0, 7, 0xD0, 1, 0]), vec![0x8F, 1]),
    ] {
        assert_eq!(ask(address, &request).await, expected, "{what}");
    }
    assert_eq!(simulation.traffic().bad_frames, 2, "only reads of a wrong length");
    assert_serves(address).await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_point_is_refused_and_its_neighbours_are_served() {
    let province = province();
    let (simulation, _) = start().await;
    let mut checked = 0;
    for (channel, address) in province.channels.iter().zip(simulation.addresses()) {
        // The hole that an absent point leaves: one beside it has its register.
        let station = &province.stations[channel.station.index()];
        for (n, entry) in channel.entries.iter().enumerate() {
            let hole = matches!(entry.standing, config::Standing::Absent(_));
            let Some(before) = channel.entries[n.saturating_sub(1)].register.filter(|_| hole)
            else {
                continue;
            };
            let function = before.table.read_function();
            let next = u16::try_from(before.end()).unwrap();
            let own =
                ask(address, &read_request(1, before.unit, function, before.address, 1)).await;
            assert_eq!(own[0], function, "{}", station.points[n].id);
            let pdu = ask(address, &read_request(1, before.unit, function, next, 1)).await;
            assert_eq!(pdu, [function | 0x80, 2], "{}", station.points[n].id);
            checked += 1;
        }
    }
    assert!(checked > 0);
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_one_segment_are_answered_in_order() {
    let (simulation, address) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Good ones and bad ones mixed: nobody's answer overtakes another's.
    let requests: Vec<u8> = (0..64_u16)
        .flat_map(|n| match n % 4 {
            1 => frame(n, 1, &[99]),
            3 => read_request(n, 99, 4, 0, 1),
            _ => read_request(n, 1, 4, n % 6, 1),
        })
        .collect();
    stream.write_all(&requests).await.unwrap();
    for n in 0..64 {
        let (transaction, _, pdu) = answer(&mut stream).await.unwrap();
        assert_eq!(transaction, n);
        let expected = match n % 4 {
            1 => 0xE3,
            3 => 0x84,
            _ => 4,
        };
        assert_eq!(pdu[0], expected);
    }
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_byte_by_byte_is_answered() {
    let (simulation, address) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in read_request(3, 1, 2, 0, 2) {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(&mut stream).await.unwrap(), (3, 1, vec![2, 1, 0b10]));
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_no_modbus_is_closed_and_nobody_else_notices() {
    let (simulation, address) = start().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(&read_request(1, 1, 4, 0, 1)[..9]).await.unwrap();
    for broken in [
        &[0, 1, 0, 9, 0, 6, 1, 4, 0, 0, 0, 1][..],
        &[0, 1, 0, 0, 0, 0, 1],
        &[0, 1, 0, 0, 0, 1, 1],
        &[0, 1, 0, 0, 0xFF, 0xFF, 1, 4],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(broken).await.unwrap();
        assert_closed(&mut stream).await;
    }
    assert_serves(address).await;
    half.write_all(&read_request(1, 1, 4, 0, 1)[9..]).await.unwrap();
    assert_eq!(answer(&mut half).await.unwrap().2[0], 4, "the other half still counts");
    idle.write_all(&read_request(1, 1, 4, 0, 1)).await.unwrap();
    assert_eq!(answer(&mut idle).await.unwrap().2[0], 4, "an idle client is still welcome");
    assert_eq!(simulation.traffic().bad_frames, 5);
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bytes_end_the_server() {
    let (simulation, address) = start().await;
    // A fixed stream of numbers: half of the strings start like a frame.
    let mut x = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    for round in 0..300 {
        let length = usize::try_from(next() % 300).unwrap();
        let mut bytes: Vec<u8> =
            (0..length).map(|_| u8::try_from(next() & 0xFF).unwrap()).collect();
        if round % 2 == 0 && length > 8 {
            bytes[2..6].copy_from_slice(&[0, 0, 0, u8::try_from(next() % 254).unwrap()]);
            bytes[7] = u8::try_from(next() % 24).unwrap();
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may have closed it before all is sent.
        let _ = stream.write_all(&bytes).await;
    }
    assert_serves(address).await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_listen_is_held_back() {
    let (simulation, address) = start().await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let batch: Vec<u8> = (0..1_000).flat_map(|n| read_request(n, 1, 2, 0, 40)).collect();
    // Far more than all buffers on the way hold: sooner or later nothing more is taken from it.
    let mut taken = 0;
    while taken < 64 << 20 {
        match timeout(Duration::from_millis(500), deaf.write(&batch)).await {
            Ok(Ok(n)) => taken += n,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    assert!(taken < 64 << 20, "it is held back");
    assert_serves(address).await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_turned_away_and_counted() {
    let mut province = province();
    province.link.connections_max = 8;
    let (simulation, address) = start_with(province).await;
    let mut open = Vec::new();
    let mut turned_away = 0;
    for _ in 0..14 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(&read_request(1, 1, 2, 0, 2)).await;
        match answer(&mut stream).await {
            Ok(_) => open.push(stream),
            Err(_) => turned_away += 1,
        }
    }
    assert_eq!((open.len(), turned_away), (8, 6));
    let traffic = simulation.channel_traffic(FIRST);
    assert_eq!((traffic.connections, traffic.refused), (8, 6));
    // A place that is given back is taken by the next one.
    drop(open.pop());
    while simulation.channel_traffic(FIRST).connections == 8 {
        tokio::task::yield_now().await;
    }
    assert_serves(address).await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_on_the_list_is_turned_away_and_counted() {
    let mut elsewhere = province();
    elsewhere.link.allow = vec!["192.0.2.0/24".parse().unwrap()];
    let (simulation, address) = start_with(elsewhere).await;
    assert_closed(&mut TcpStream::connect(address).await.unwrap()).await;
    let traffic = simulation.channel_traffic(FIRST);
    assert_eq!((traffic.accepted, traffic.refused), (0, 1));
    simulation.stop().await;
    let mut here = province();
    here.link.allow = vec!["192.0.2.0/24".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    let (simulation, address) = start_with(here).await;
    assert_serves(address).await;
    assert_eq!(simulation.traffic().refused, 0);
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coil_takes_its_two_values_and_no_other() {
    let (simulation, address) = start().await;
    let pdu = ask(address, &frame(1, 1, &[5, 0, 0, 0x12, 0x34])).await;
    assert_eq!(pdu, [0x85, 3]);
    assert_serves(address).await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_off_the_network_closes_its_connections_and_comes_back_on_its_port() {
    let (simulation, address) = start().await;
    let neighbour = simulation.addresses()[1];
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&read_request(1, 1, 2, 0, 2)).await.unwrap();
    answer(&mut stream).await.unwrap();
    simulation.set_online(FIRST, false).await.unwrap();
    assert_closed(&mut stream).await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    assert_serves(neighbour).await;
    simulation.set_online(FIRST, true).await.unwrap();
    assert_serves(address).await;
    simulation.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named_with_its_station() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut province = province();
    province.channels[1].port = port;
    // The others are left to chance: only the taken one is on its port.
    province.channels[0].port = 0;
    for channel in &mut province.channels[2..] {
        channel.port = 0;
    }
    let start = |province: &Province| {
        Simulation::start(Arc::new(province.clone()), Ports::Contract, Arc::new(|| 0))
    };
    match start(&province).await.err() {
        Some(ListenError::PortInUse { port: named, station, centre }) => {
            assert_eq!((named, station.as_str(), centre.as_str()), (port, "S2", "CC"));
        }
        other => panic!("{other:?}"),
    }
    province.channels[1].pinned_address = true;
    let message = start(&province).await.err().map_or_else(String::new, |error| error.to_string());
    assert!(
        message.contains("leave 'address' out") && !message.contains("--port-base"),
        "{message}"
    );
}
