//! The peers: samples by remote write 1.0 (protobuf in snappy over HTTP), and questions.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use config::Decoded;
use gridwatch::clock::Timestamp;
use gridwatch::series::chunk::decoded;

use super::source::{Series, Source};
use super::{Means, repeat, tell_difference};

/// Scans of a request: what a forwarder that is seldom seconds behind sends at once.
const SCANS: i64 = 5;
/// The recording is read for so long at a time.
const SLICE_MS: i64 = 600_000;
/// How long a peer may take to start, or to bring everything into its files.
const PATIENCE: Duration = Duration::from_secs(300);
/// Clock ticks of a second in `/proc`, the same on every Linux that we know.
const TICKS: f64 = 100.0;

/// A sample on its way.
#[derive(Clone, Copy)]
struct Sample {
    /// When it came.
    came: Timestamp,
    /// When the peer is told.
    at: i64,
    value: f64,
}

/// Writes every series to a peer: with true times in the unit of the point, or as it suits the peer
/// best, in counts with times snapped to the scan. Returns the means of what was written.
pub(super) fn feed(source: &Source, best: bool, address: &str) -> Means {
    wait_until_ready(address);
    let labels: Vec<Vec<u8>> = source.series.iter().map(labels).collect();
    let grids: Vec<Grid> = source.blocks.iter().map(|block| Grid::of(source, block)).collect();
    let mut peer = Peer::connect(address);
    let mut fed =
        Fed { last: vec![i64::MIN; labels.len()], sums: vec![(0, 0.0); labels.len()], left: 0 };
    let mut message = Vec::new();
    let mut slice = source.day.start;
    while slice < source.day.end {
        let span = slice..slice.plus(SLICE_MS);
        let samples: Vec<Vec<Sample>> = slice_of(source, (best, &grids), &span, &mut fed);
        let mut rest: Vec<&[Sample]> = samples.iter().map(Vec::as_slice).collect();
        let step = SCANS * grids.iter().map(|grid| grid.period).min().expect("blocks");
        let mut to = span.start;
        while to < span.end {
            to = to.plus(step);
            message.clear();
            for (labels, rest) in labels.iter().zip(&mut rest) {
                let (now, later) = rest.split_at(rest.partition_point(|sample| sample.came < to));
                *rest = later;
                put_series(&mut message, labels, now);
            }
            if !message.is_empty() {
                peer.write(&message);
            }
        }
        slice = span.end;
    }
    println!("samples {}", fed.sums.iter().map(|(count, _)| count).sum::<u64>());
    println!("left_out {}", fed.left);
    let mean = |(series, (count, sum)): (&Series, (u64, f64))| {
        (count > 0).then(|| (series.id.clone(), sum / count as f64))
    };
    source.series.iter().zip(fed.sums).filter_map(mean).collect()
}

/// What was written so far, by series.
struct Fed {
    /// Time of the last sample.
    last: Vec<i64>,
    /// Count and sum.
    sums: Vec<(u64, f64)>,
    /// Samples whose snapped time another one already has, or which is of another day: peers take one
    /// value for a time.
    left: u64,
}

/// The moments of a block that its times are snapped to.
struct Grid {
    period: i64,
    /// How long after a moment a reply mostly comes.
    late: i64,
}

impl Grid {
    fn of(source: &Source, block: &super::source::Block) -> Self {
        let hour = source.day.start..source.day.start.plus(3_600_000);
        let chunks = source.chunks(block, &hour);
        let period = chunks.first().map_or(1_000, |chunk| i64::from(chunk.period_ms()));
        let times = chunks.iter().flat_map(|chunk| chunk.times().expect("times"));
        let mut late: Vec<i64> = times.map(|at| at.0.rem_euclid(period)).collect();
        late.sort_unstable();
        Self { period, late: late.get(late.len() / 2).copied().unwrap_or(0) }
    }

    fn snapped(&self, at: i64) -> i64 {
        (at - self.late + self.period / 2).div_euclid(self.period) * self.period
    }
}

/// The samples of each series in a span.
fn slice_of(
    source: &Source,
    (best, grids): (bool, &[Grid]),
    span: &Range<Timestamp>,
    fed: &mut Fed,
) -> Vec<Vec<Sample>> {
    let mut samples = vec![Vec::new(); source.series.len()];
    for (block, grid) in source.blocks.iter().zip(grids) {
        for chunk in source.chunks(block, span) {
            let times = chunk.times().expect("times");
            for n in block.series.clone() {
                let series = &source.series[n];
                let column = chunk.column(series.column).expect("a column");
                for (row, raw) in column.rows() {
                    let came = times[row as usize];
                    let raw = source.raw((block, series.column), came, (column.raw_type, raw));
                    let value = match decoded(column.raw_type, series.encoding.scale(), raw) {
                        Decoded::Value(_) if best => column.raw_type.counts(raw),
                        Decoded::Value(value) => Some(value),
                        _ => None,
                    };
                    let Some(value) = value.filter(|_| span.contains(&came)) else { continue };
                    let at = if best { grid.snapped(came.0) } else { came.0 };
                    // The first replies are not in step yet.
                    if at <= fed.last[n] || !source.day.contains(&Timestamp(at)) {
                        fed.left += 1;
                        continue;
                    }
                    fed.last[n] = at;
                    fed.sums[n].0 += 1;
                    fed.sums[n].1 += value;
                    samples[n].push(Sample { came, at, value });
                }
            }
        }
    }
    samples
}

/// Labels in the order of their names, as the protocol wants them. Those that sort first name station
/// and block, so that series with the same times are neighbours.
fn labels(series: &Series) -> Vec<u8> {
    let block = format!("{:03}", series.block);
    let mut out = Vec::new();
    for (name, value) in [
        ("__name__", "value"),
        ("a_station", &series.station),
        ("b_block", &block),
        ("point", &series.id),
    ] {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut out, 1, &label);
    }
    out
}

fn put_series(message: &mut Vec<u8>, labels: &[u8], samples: &[Sample]) {
    if samples.is_empty() {
        return;
    }
    let mut body = labels.to_vec();
    for sample in samples {
        let mut own = vec![1 << 3 | 1];
        own.extend_from_slice(&sample.value.to_le_bytes());
        own.push(2 << 3);
        put_varint(&mut own, sample.at.cast_unsigned());
        put_bytes(&mut body, 2, &own);
    }
    put_bytes(message, 1, &body);
}

/// A field of protobuf that has a length.
fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}

/// A message as snappy has it when it finds nothing to compress: what it costs a peer to unpack is least
/// that way.
fn snappy(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    put_varint(&mut out, message.len() as u64);
    let length = u32::try_from(message.len() - 1).expect("some kilobytes");
    // A literal whose length stands in four bytes.
    out.push(63 << 2);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(message);
    out
}

/// A connection that stays open.
struct Peer {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Peer {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a peer at this address");
        stream.set_nodelay(true).expect("a connection");
        Self { stream: BufReader::new(stream), address: address.to_owned() }
    }

    fn write(&mut self, message: &[u8]) {
        let body = snappy(message);
        let mut request = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: {}\r\nContent-Encoding: snappy\r\n\
             Content-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        self.stream.get_mut().write_all(&request).expect("sent");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).expect("an answer") > 0, "the peer went away");
        }
        assert!(head.starts_with("HTTP/1.1 204"), "the peer did not take it: {head}");
    }
}

/// The answer to a request over a connection of its own; `None` when nobody answers well.
fn request(address: &str, method: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    // Version 1.0: the answer ends with the connection.
    let ask = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    status.starts_with('2').then(|| body.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a peer tells nobody when it is ready")]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn wait_until_ready(address: &str) {
    wait_until("the peer's start", || request(address, "GET", "/-/ready").is_some());
}

/// Has a peer bring everything into its files, as compact as it can. Prometheus makes a copy, whose
/// name is printed.
pub(super) fn settle(peer: &str, address: &str) {
    if peer == "prometheus" {
        let answer = request(address, "POST", "/api/v1/admin/tsdb/snapshot").expect("a snapshot");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        println!("snapshot {}", answer["data"]["name"].as_str().expect("its name"));
        return;
    }
    request(address, "GET", "/internal/force_flush").expect("flushed");
    request(address, "GET", "/internal/force_merge").expect("merging");
    wait_until("merging", || {
        let metrics = request(address, "GET", "/metrics").expect("metrics");
        metrics.lines().any(|line| line == "vm_active_force_merges 0")
    });
}

/// Asks a peer for the means over the day that ends at `end`.
pub(super) fn ask(address: &str, pid: &str, end: i64, expected: &Means) {
    // The last millisecond of the day: a span of a peer has its end.
    let (seconds, ms) = ((end - 1).div_euclid(1_000), (end - 1).rem_euclid(1_000));
    let path = format!(
        "/api/v1/query?query=avg_over_time(value%5B1d%5D)\
         &time={seconds}.{ms:03}&nocache=1"
    );
    let ticks = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the peer runs");
        // Behind the name, which may have spaces: user time is the twelfth, system time follows.
        let behind = text.rsplit_once(')').expect("a name").1;
        let times = behind.split_whitespace().skip(11).take(2);
        times.map(|n| n.parse::<f64>().expect("ticks")).sum::<f64>() / TICKS
    };
    let answer = repeat("query", ticks, || {
        let answer = request(address, "GET", &path).expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let results = answer["data"]["result"].as_array().expect("results");
        let mean = |result: &serde_json::Value| {
            let id = result["metric"]["point"].as_str()?.to_owned();
            Some((id, result["value"][1].as_str()?.parse().ok()?))
        };
        results.iter().map(|result| mean(result).expect("a mean")).collect()
    });
    tell_difference("query", &answer, expected);
}
