//! Single bits of a store that turn round: each is found by a check, or changes no byte of a report.
//!
//! ```text
//! cargo test --release --test it flips:: -- --ignored --nocapture
//! GRIDWATCH_STORE=november FLIPS=1000 SEED=1 cargo test --release --test it flips:: -- --ignored --nocapture
//! ```

use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Lang, Province};
use gridwatch::report::period::Period;
use gridwatch::report::{Request, report, write};
use gridwatch::spreadsheet::Style;
use gridwatch::store::{Reader, StoreError, Writer, upkeep};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use tempfile::tempdir;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// The bytes of a report of all that is in a store.
fn told(folder: &Path, out: &Path) -> Result<Vec<u8>, StoreError> {
    let reader = Reader::open(folder)?;
    let sessions = reader.sessions()?;
    let [first, last] = [sessions[0].from, sessions[sessions.len() - 1].until];
    let period = Period::days(first.local(7).date, last.local(7).date, 7).unwrap();
    let request = Request { period, station: None, lang: Lang::En };
    let Some(made) = report(&reader, &request, |_| {})? else { return Ok(Vec::new()) };
    write(&made, out, Style::Rfc).unwrap();
    Ok(fs::read(out).unwrap())
}

#[test]
#[ignore = "some minutes"]
fn every_bit_that_turns_round_is_found_or_changes_nothing() {
    let (flips, seed) = (setting("FLIPS", 1_000), setting("SEED", 1));
    let folder = tempdir().unwrap();
    let given = std::env::var_os("GRIDWATCH_STORE").map(PathBuf::from);
    let given = given.unwrap_or_else(|| "tests/stores/0.1.0/recorded".into());
    upkeep::backup(&given, folder.path(), |_| ControlFlow::Continue(())).unwrap();
    // Brought up to date by who writes.
    let province = Arc::new(Province::load(Path::new("config/small.toml")).unwrap());
    Writer::open(folder.path(), &province).unwrap().close().unwrap();
    let whole = upkeep::check(folder.path()).unwrap();
    assert_eq!(whole.faults, Vec::<String>::new());
    let (store, out) = (folder.path().join("gridwatch.db"), folder.path().join("r.json"));
    let expected = told(folder.path(), &out).unwrap();
    let bytes = fs::read(&store).unwrap();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut found, mut same, mut missed) = (0, 0, Vec::new());
    for _ in 0..flips {
        let (place, bit) = (random.random_range(0..bytes.len()), random.random_range(0..8));
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << bit;
        fs::write(&store, &flipped).unwrap();
        let is_whole = upkeep::check(folder.path()).is_ok_and(|found| found.fault_count == 0);
        match told(folder.path(), &out) {
            _ if !is_whole => found += 1,
            Ok(bytes) if bytes == expected => same += 1,
            other => missed.push((place, bit, other.err())),
        }
    }
    let size = bytes.len() / 1_024;
    let said = format!(
        "{flips} bits of {size} kB, seed {seed}: {found} found, {same} change no byte of a report, {} missed\n",
        missed.len()
    );
    std::io::stdout().write_all(said.as_bytes()).unwrap();
    assert!(missed.is_empty(), "{missed:?}");
}
