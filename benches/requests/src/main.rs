//! What asking costs: requests for 125 registers per CPU-second of the client, ours beside others.
//!
//! `benches/requests.sh` starts one process for the station and one for each client in turn. A client
//! prints how many replies it read and the CPU time that its process took for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Province, RegisterTable, Scan};
use gridwatch::clock::Clock;
use gridwatch::collector::Collector;
use gridwatch::collector::plan::{Block, BlockContent, Plan};
use gridwatch::signal::update::News;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_modbus::client::{Reader, tcp};

const REGISTERS: u16 = 125;
const REQUEST: usize = 12;
const REPLY: usize = 259;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |n: usize| args.get(n).and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let port = u16::try_from(number(2)).expect("a port");
    let (connections, in_flight, seconds) = (number(3), number(4), number(5));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let deadline = Instant::now() + Duration::from_secs(seconds as u64);
    let run = Run { port, connections, in_flight, deadline };
    if args[1] == "station" {
        runtime.block_on(station(port));
    }
    let count = match args[1].as_str() {
        "gridwatch" => runtime.block_on(ours(run)),
        "tokio-modbus" => runtime.block_on(each(run, library)),
        "voltage_modbus" => runtime.block_on(each(run, pipeline)),
        "limit" => runtime.block_on(each(run, raw)),
        other => panic!("no client '{other}'"),
    };
    println!("{count} {:.2}", cpu_seconds());
}

#[derive(Clone, Copy)]
struct Run {
    port: u16,
    connections: usize,
    in_flight: usize,
    deadline: Instant,
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |n: usize| fields[n].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

/// Answers every read; what came with one read of the socket is answered with one write. It costs as
/// little as may be, since a client that waits for its station is woken for each reply alone: what
/// differs from reply to reply is put into replies that are there already.
async fn station(port: u16) {
    const REPLIES: usize = 64;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let mut reply = [0x5A; REPLY];
    reply[..9].copy_from_slice(&[0, 0, 0, 0, 0, 253, 1, 3, 250]);
    let replies = reply.repeat(REPLIES);
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut output = replies.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true).expect("a socket");
            let mut input = Vec::with_capacity(REPLIES * REQUEST);
            while stream.read_buf(&mut input).await.is_ok_and(|n| n > 0) {
                let whole = (input.len() / REQUEST).min(REPLIES);
                for (request, reply) in
                    input.chunks_exact(REQUEST).zip(output.chunks_exact_mut(REPLY))
                {
                    reply[..2].copy_from_slice(&request[..2]);
                    reply[6..8].copy_from_slice(&request[6..8]);
                }
                input.drain(..whole * REQUEST);
                if stream.write_all(&output[..whole * REPLY]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// One task a connection.
async fn each<F: Future<Output = u64> + Send + 'static>(run: Run, client: fn(Run) -> F) -> u64 {
    let tasks: Vec<_> = (0..run.connections).map(|_| tokio::spawn(client(run))).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("the client runs");
    }
    sum
}

/// The collector as it is: a plan that never ends, scans that follow each other.
async fn ours(run: Run) -> u64 {
    let text = include_str!("../../../config/small.toml").replacen("fast = 1 ", "fast = 0.1 ", 1);
    let mut province = Province::parse("small.toml", &text).expect("a province");
    let mut channel = province.channels[0].clone();
    (channel.host, channel.port) = ("127.0.0.1".into(), run.port);
    channel.device.in_flight = u8::try_from(run.in_flight).expect("a few");
    province.channels = vec![channel; run.connections];
    let block = |n: u16| Block {
        unit: 1,
        table: RegisterTable::Holding,
        address: n % 500 * REGISTERS,
        count: REGISTERS,
        scan: Scan::Fast,
        whole: Vec::new(),
        content: BlockContent::Meters,
    };
    let plan = Arc::new(Plan::of((0..4_000).map(block).collect(), |_| 100));
    let plans = vec![plan; run.connections];
    let (collector, mut updates) = Collector::start(&province, &plans, Clock::system()).unwrap();
    let mut count = 0;
    while Instant::now() < run.deadline {
        let update = updates.recv().await.expect("the collector runs");
        if let News::Answers(answers) = update.news {
            for answer in &answers {
                assert_eq!(answer.evidence.received.len(), REPLY);
            }
            count += answers.len() as u64;
        }
    }
    collector.stop().await;
    count
}

async fn library(run: Run) -> u64 {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], run.port));
    let mut client = tcp::connect(address).await.expect("a connection");
    let mut count = 0;
    while Instant::now() < run.deadline {
        let words =
            client.read_holding_registers(0, REGISTERS).await.expect("a reply").expect("words");
        assert_eq!(words.len(), usize::from(REGISTERS));
        count += 1;
    }
    count
}

async fn pipeline(run: Run) -> u64 {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], run.port));
    let timeout = Duration::from_secs(5);
    let client = voltage_modbus::ModbusTcpClient::new(address, timeout).await;
    let mut client = client.expect("a connection");
    let reads: Vec<(u16, u16)> = (0..run.in_flight).map(|_| (0, REGISTERS)).collect();
    let mut count = 0;
    while Instant::now() < run.deadline {
        for words in client.pipeline_reads(1, &reads, timeout).await.expect("replies") {
            assert_eq!(words.expect("words").len(), usize::from(REGISTERS));
            count += 1;
        }
    }
    count
}

/// The least that a client can do: a batch in one write, its replies counted, nothing decoded.
async fn raw(run: Run) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", run.port)).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let request = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 125];
    let batch = request.repeat(run.in_flight);
    let mut input = vec![0; 16 * REPLY];
    let mut count = 0;
    while Instant::now() < run.deadline {
        stream.write_all(&batch).await.expect("a write");
        let mut left = run.in_flight * REPLY;
        while left > 0 {
            let n = stream.read(&mut input).await.expect("a reply");
            left -= n;
        }
        count += run.in_flight as u64;
    }
    count
}
