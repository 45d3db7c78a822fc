//! Turns single bits of a copy of a store round, and counts those that `store check` finds, those that
//! change no byte of a report, and those that do and are not found.
//!
//! ```text
//! gridwatch simulate --record november --from 2022-11-01 --days 30
//! cargo run --release --example flips -- november 1000 1
//! ```
//!
//! The folder of a store, how many bits, and the seed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "not part of the program")]

#[path = "../tests/flips.rs"]
mod flips;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use gridwatch::store::upkeep;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let number = |n: usize, usual| args.get(n).map_or(usual, |arg| arg.parse().unwrap());
    let Some(store) = args.first() else {
        println!("flips STORE [BITS [SEED]]");
        return ExitCode::from(2);
    };
    let (count, seed) = (number(1, 1_000), number(2, 1));
    let copy = tempfile::tempdir().unwrap();
    upkeep::backup(Path::new(store), copy.path(), |_| ControlFlow::Continue(())).unwrap();
    let flips = flips::flips(copy.path(), (usize::try_from(count).unwrap(), seed));
    println!(
        "{count} bits of {} kB, seed {seed}: {} found by a check, {} change no byte of a report, {} missed",
        flips.bytes / 1_000,
        flips.found,
        flips.same,
        flips.missed.len()
    );
    for (place, bit, told) in &flips.missed {
        println!("missed: bit {bit} of byte {place}: {told}");
    }
    ExitCode::from(u8::from(!flips.missed.is_empty()))
}
