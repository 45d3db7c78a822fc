//! A reply that comes too late never lands on another point.
//!
//! The station of this test answers with the address of each register as its value, so that a value
//! on a wrong point shows. Now and then it answers after the deadline, half, twice, for another
//! unit, or not at all.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use config::{Decoded, Province, Table, decode};
use gridwatch::clock::Clock;
use gridwatch::historian::picture::Picture;
use gridwatch::monitor::Monitor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const DEADLINE_MS: u32 = 40;
const LATE: Duration = Duration::from_millis(3 * DEADLINE_MS as u64);
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests that the stations see before the verdict is taken.
const REQUESTS: usize = 1_500;

/// What a register holds: its address, spread so that neighbours differ much.
fn identity(address: u16) -> u16 {
    address.wrapping_mul(40_503) & 0x7FFF
}

fn reply(request: &[u8; 12]) -> Vec<u8> {
    let address = u16::from_be_bytes([request[8], request[9]]);
    let count = u16::from_be_bytes([request[10], request[11]]);
    let cells = (0..count).map(|n| identity(address + n));
    let data: Vec<u8> = if request[7] <= 2 {
        let bits: Vec<u16> = cells.map(|cell| cell & 1).collect();
        let byte = |bits: &[u16]| bits.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << n);
        bits.chunks(8).map(|bits| u8::try_from(byte(bits)).unwrap()).collect()
    } else {
        cells.flat_map(u16::to_be_bytes).collect()
    };
    let length = u16::try_from(data.len() + 3).unwrap().to_be_bytes();
    let mut frame =
        vec![request[0], request[1], 0, 0, length[0], length[1], request[6], request[7]];
    frame.push(u8::try_from(data.len()).unwrap());
    frame.extend(data);
    frame
}

/// Answers one connection, badly every few requests.
async fn misbehave(mut stream: TcpStream, served: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut request = [0; 12];
    loop {
        stream.read_exact(&mut request).await?;
        let n = served.fetch_add(1, Ordering::Relaxed);
        let good = reply(&request);
        match n % 23 {
            3 => {
                sleep(LATE).await;
                stream.write_all(&good).await?;
            }
            7 => stream.write_all(&good[..good.len() / 2]).await?,
            11 => {
                stream.write_all(&good).await?;
                stream.write_all(&good).await?;
            }
            13 => {
                let mut other = good;
                other[6] ^= 1;
                stream.write_all(&other).await?;
            }
            17 => {
                let mut other = good;
                other[1] ^= 1;
                stream.write_all(&other).await?;
            }
            19 => {}
            21 => {
                let mut short = reply(&request);
                short.truncate(short.len() - 1);
                short[5] -= 1;
                short[8] -= 1;
                stream.write_all(&short).await?;
            }
            _ => stream.write_all(&good).await?,
        }
    }
}

async fn station(listener: TcpListener, served: Arc<AtomicUsize>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(misbehave(stream, Arc::clone(&served)));
    }
}

/// Checks every value of the picture and returns how many there are.
fn values_on_their_points(picture: &Picture) -> usize {
    let mut seen = 0;
    for channel in &picture.channels {
        let station = channel.station(&picture.province);
        let entries = &channel.contract(&picture.province).entries;
        for ((point, state), entry) in station.points.iter().zip(&channel.points).zip(entries) {
            let (Some(register), Some(value)) = (&entry.register, state.value) else { continue };
            let cells: Vec<u16> = (0..register.encoding.cells())
                .map(|n| identity(register.address + n))
                .map(|cell| if register.table == Table::Discrete { cell & 1 } else { cell })
                .collect();
            let own = decode(register.encoding, register.word_order, &cells);
            assert_eq!(own, Decoded::Value(value), "{} holds another point's value", point.id);
            seen += 1;
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_lands_on_a_wrong_point_whatever_the_station_does() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = std::fs::read_to_string(file).unwrap();
    // Fast scans, so that a few seconds see thousands of replies.
    let text = ["fast = 1 ", "normal = 2 ", "slow = 10 ", "counters = 60 ", "metering = 60 "]
        .iter()
        .fold(text, |text, line| {
            text.replacen(line, &format!("{} = 0.1 ", line.split(' ').next().unwrap()), 1)
        });
    let mut province = Province::parse("small.toml", &text).unwrap();
    for channel in &mut province.channels {
        channel.device.reply_timeout_ms = DEADLINE_MS;
    }
    (province.link.backoff_first_ms, province.link.backoff_longest_ms) = (10, 40);
    let served = Arc::new(AtomicUsize::new(0));
    for channel in &mut province.channels {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        channel.port = listener.local_addr().unwrap().port();
        tokio::spawn(station(listener, Arc::clone(&served)));
    }
    let province = Arc::new(province);
    let monitor = Monitor::start(&province, Clock::system());
    let mut news = monitor.news();
    let mut faults = BTreeSet::new();
    let watched = timeout(PATIENCE, async {
        while served.load(Ordering::Relaxed) < REQUESTS {
            news.changed().await.unwrap();
            let picture = Arc::clone(&news.borrow_and_update());
            values_on_their_points(&picture);
            let last = picture.channels.iter().flat_map(|c| &c.exchanges);
            faults.extend(last.filter_map(|poll| poll.fault).map(|fault| format!("{fault:?}")));
        }
    });
    watched.await.expect("the stations were asked often enough");
    let picture = Arc::clone(&news.borrow());
    assert!(values_on_their_points(&picture) > 1_000);
    assert!(faults.contains("NoReply") && faults.contains("Undecodable"), "{faults:?}");
    monitor.stop().await;
}
