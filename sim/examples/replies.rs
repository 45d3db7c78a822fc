//! Replies per CPU-second of the simulator's server, of its peers, and of the limit.
//!
//! ```text
//! benches/replies.sh                         everything, five rounds of three seconds
//! replies compare ROUNDS SECONDS [PROGRAM]   the same without building; PROGRAM is one more server
//! ```
//!
//! Each server is a process of its own that answers 125 registers from one port; it prints that
//! port. A client of plain bytes keeps so many requests in flight on each connection, those of one
//! connection written together. What a server costs is what the system says of its process.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that fails has no result")]

use std::future::{Ready, ready};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::Province;
use sim::{Ports, Simulation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_modbus::server::{Service, tcp::Server};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};

/// Registers that are asked for.
const COUNT: u16 = 125;
/// An answer with them.
const ANSWER: usize = 9 + 2 * COUNT as usize;
/// A read.
const ASKED: usize = 12;
/// Connections, and requests in flight on each.
const SHAPES: [(usize, usize); 5] = [(1, 1), (10, 1), (100, 1), (10, 8), (10, 16)];
/// Servers in the order of the table; the one that others are measured against first.
const SERVERS: [&str; 3] = ["tokio-modbus", "limit", "gridwatch"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match words[..] {
        ["serve", name] => runtime.block_on(serve(name)),
        ["compare", rounds, seconds, ref others @ ..] => {
            let seconds = Duration::from_secs(seconds.parse().unwrap());
            runtime.block_on(compare(rounds.parse().unwrap(), seconds, others));
        }
        _ => println!("replies serve NAME | replies compare ROUNDS SECONDS [PROGRAM]"),
    }
}

async fn serve(name: &str) {
    if name == "gridwatch" {
        return serve_simulator().await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{} 1 0", listener.local_addr().unwrap().port());
    if name == "limit" {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(echo(stream));
        }
    }
    let on_connected = |stream: TcpStream, _: SocketAddr| async move {
        stream.set_nodelay(true)?;
        Ok(Some((Bare, stream)))
    };
    Server::new(listener).serve(&on_connected, |_| {}).await.unwrap();
}

/// The simulator, asked for the bits of its meters: registers that stand side by side.
async fn serve_simulator() {
    let mut province = Province::built_in();
    province.link.connections_max = 1_000;
    let province = Arc::new(province);
    let metering = province.channels.iter().position(|channel| {
        let station = &province.stations[channel.station.index()];
        province.centres[channel.centre.index()].metering && station.metering_unit().is_some()
    });
    let channel = metering.expect("a centre reads meters");
    let station = &province.stations[province.channels[channel].station.index()];
    let group = station.meters.iter().find(|group| group.bit_registers() >= u32::from(COUNT));
    let address = group.expect("a group is large enough").bits_address;
    let unit = station.metering_unit().unwrap();
    let clock = Arc::new(|| 1_669_188_727_000);
    let simulation =
        Simulation::start(Arc::clone(&province), Ports::Ephemeral, clock).await.unwrap();
    println!("{} {unit} {address}", simulation.addresses()[channel].port());
    std::future::pending::<()>().await;
}

/// The least that a server on this runtime does: finds frames, and answers them together.
async fn echo(mut stream: TcpStream) {
    let (mut input, mut held) = ([0; 4_096], 0);
    let mut output = Vec::new();
    loop {
        let Ok(count @ 1..) = stream.read(&mut input[held..]).await else { return };
        held += count;
        let mut at = 0;
        while held - at >= ASKED {
            let start = output.len();
            output.resize(start + ANSWER, 0x5A);
            output[start..start + 9].copy_from_slice(&[
                input[at],
                input[at + 1],
                0,
                0,
                0,
                253,
                input[at + 6],
                input[at + 7],
                250,
            ]);
            at += ASKED;
        }
        input.copy_within(at..held, 0);
        held -= at;
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

/// The library's own server with the least service.
struct Bare;

impl Service for Bare {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(match request.request {
            Request::ReadInputRegisters(_, count) => {
                Ok(Response::ReadInputRegisters(vec![0x5A5A; usize::from(count)]))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

/// A server in a process of its own.
struct Running {
    name: String,
    child: Child,
    address: SocketAddr,
    request: [u8; ASKED],
}

impl Running {
    fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Vec<u16> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let [port, unit, at] = said[..] else { panic!("{name} said {line:?}") };
        let ([high, low], [count_high, count_low]) = (at.to_be_bytes(), COUNT.to_be_bytes());
        let unit = u8::try_from(unit).unwrap();
        let request = [0, 0, 0, 0, 0, 6, unit, 4, high, low, count_high, count_low];
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { name: name.to_owned(), child, address, request }
    }

    /// CPU time so far, seconds.
    fn cpu(&self) -> f64 {
        // On a thread of its own: nanoseconds on a processor, better than ticks.
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    }

    fn resident_kb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn compare(rounds: usize, time: Duration, others: &[&str]) {
    let own = std::env::current_exe().unwrap();
    let mut servers: Vec<Running> = SERVERS
        .iter()
        .map(|name| Running::start(name, Command::new(&own).args(["serve", name])))
        .collect();
    for program in others {
        let name = Path::new(program).file_name().unwrap().to_str().unwrap();
        servers.push(Running::start(name, &mut Command::new(program)));
    }
    println!("thousand replies of 125 registers per CPU-second of the server, medians of {rounds}");
    print_row("connections x in flight", servers.iter().map(|s| format!("{:>14}", s.name)));
    for (connections, in_flight) in SHAPES {
        let mut rates = vec![Vec::new(); servers.len()];
        for _ in 0..rounds {
            for (server, rates) in servers.iter().zip(&mut rates) {
                let before = server.cpu();
                let replies = load(server, connections, in_flight, time).await;
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
                rates.push(replies as f64 / (server.cpu() - before) / 1e3);
            }
        }
        let medians: Vec<f64> = rates.into_iter().map(median).collect();
        let told = |rate: &f64| format!("{rate:>7.0} {:>5.2}x", rate / medians[0]);
        print_row(&format!("{connections} x {in_flight}"), medians.iter().map(told));
    }
    let resident = |s: &Running| format!("{:>11.1} MB", s.resident_kb() / 1024.0);
    print_row("resident at the end", servers.iter().map(resident));
}

fn print_row(title: &str, cells: impl Iterator<Item = String>) {
    println!("{title:<24}{}", cells.collect::<Vec<_>>().concat());
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Asks a server for so long; the number of replies.
async fn load(server: &Running, connections: usize, in_flight: usize, time: Duration) -> usize {
    let until = Instant::now() + time;
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(ask(server.address, server.request, in_flight, until)))
        .collect();
    let mut replies = 0;
    for client in clients {
        replies += client.await.unwrap();
    }
    replies
}

async fn ask(address: SocketAddr, request: [u8; ASKED], in_flight: usize, until: Instant) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut requests = request.repeat(in_flight);
    let mut answers = vec![0; ANSWER * in_flight];
    let mut replies = 0;
    while Instant::now() < until {
        for (n, request) in (replies..).zip(requests.chunks_exact_mut(ASKED)) {
            request[1] = u8::try_from(n % 256).unwrap();
        }
        stream.write_all(&requests).await.unwrap();
        stream.read_exact(&mut answers).await.unwrap();
        for (n, answer) in (replies..).zip(answers.chunks_exact(ANSWER)) {
            assert_eq!((usize::from(answer[1]), answer[7], answer[8]), (n % 256, 4, 250));
        }
        replies += in_flight;
    }
    replies
}
