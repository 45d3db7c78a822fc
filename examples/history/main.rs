//! What history costs beside Prometheus and `VictoriaMetrics`, on the same recorded values. Run by
//! `benches/history.sh`, which starts the peers and makes a table of what is printed here, a name and a
//! number a line.
//!
//! ```text
//! history sizes STORE CENTRE STATIONS                  what is compared, stations apart by commas
//! history keep STORE CENTRE STATIONS FOLDER SECONDS    keeps it anew, with a commit every so many seconds
//! history mean STORE CENTRE STATIONS EXPECTED          means over the day from a store of ours
//! history feed STORE CENTRE STATIONS true|best ADDRESS EXPECTED    writes it to a peer
//! history settle prometheus|victoria-metrics ADDRESS   has a peer bring everything into its files
//! history ask ADDRESS PID DAY_END EXPECTED             means over the day from a peer
//! ```
//!
//! With NOISY in the environment, everybody gets every measurement in motion.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod keep;
mod mean;
mod peer;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use source::Source;

/// Times that a question is asked.
const ROUNDS: usize = 7;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["sizes", store, centre, stations] => open(store, centre, stations).tell(),
        ["keep", store, centre, stations, folder, seconds] => {
            keep::keep(&open(store, centre, stations), Path::new(folder), number(seconds));
        }
        ["mean", store, centre, stations, expected] => {
            mean::means(&open(store, centre, stations), Path::new(store), &read_means(expected));
        }
        ["feed", store, centre, stations, form, address, expected] => {
            let means = peer::feed(&open(store, centre, stations), form == "best", address);
            write_means(expected, &means);
        }
        ["settle", peer, address] => peer::settle(peer, address),
        ["ask", address, pid, end, expected] => {
            peer::ask(address, pid, number(end), &read_means(expected));
        }
        _ => panic_usage(),
    }
}

#[expect(clippy::panic, reason = "run by a script, which has it right")]
fn panic_usage() {
    panic!("unknown command; the first lines of examples/history/main.rs have them all");
}

fn open(store: &str, centre: &str, stations: &str) -> Source {
    Source::open(Path::new(store), centre, stations)
}

fn number(text: &str) -> i64 {
    text.parse().expect("a whole number")
}

/// Means by the id of the point.
type Means = BTreeMap<String, f64>;

fn write_means(file: &str, means: &Means) {
    let line = |(id, mean): (&String, &f64)| format!("{id} {mean:e}\n");
    std::fs::write(file, means.iter().map(line).collect::<String>()).expect("written");
}

fn read_means(file: &str) -> Means {
    let text = std::fs::read_to_string(file).expect("a file of means");
    let mean = |line: &str| {
        let (id, mean) = line.split_once(' ')?;
        Some((id.to_owned(), mean.parse().ok()?))
    };
    text.lines().map(|line| mean(line).expect("a point and its mean")).collect()
}

/// Says how far answers are from what they should be: the largest difference, as a share of the mean.
fn tell_difference(name: &str, answers: &Means, expected: &Means) {
    assert!(answers.keys().eq(expected.keys()), "{name}: the answer is about other points");
    let share = |(a, b): (&f64, &f64)| (a - b).abs() / a.abs().max(b.abs()).max(f64::MIN_POSITIVE);
    let largest = answers.values().zip(expected.values()).map(share).fold(0.0, f64::max);
    println!("{name}_difference {largest:.1e}");
}

/// Asks several times and says what it took, in CPU of whoever answers and on the clock.
fn repeat(name: &str, cpu_seconds: impl Fn() -> f64, mut question: impl FnMut() -> Means) -> Means {
    let mut answer = Means::new();
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let (before, began) = (cpu_seconds(), Instant::now());
        answer = question();
        wall.push(began.elapsed().as_secs_f64());
        cpu.push(cpu_seconds() - before);
    }
    for (what, mut times) in [("cpu", cpu), ("wall", wall)] {
        // The first one finds nothing in memory that only a question brings there.
        let first = times.remove(0);
        times.sort_by(f64::total_cmp);
        println!("{name}_first_{what} {first:.6}");
        println!("{name}_median_{what} {:.6}", times[times.len() / 2]);
        println!("{name}_least_{what} {:.6}", times[0]);
    }
    answer
}

/// Seconds that this thread has run: others on the machine do not count. Only Linux tells.
fn cpu_seconds() -> f64 {
    // Who goes on running is only charged at the next tick of some milliseconds.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("nanoseconds") / 1e9
}

/// A number of a file of `/proc`, behind its name.
fn proc_number(file: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(file).expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}
