//! Single bits of a store that turn round: each is found by a check, or changes no byte of a report.
//! `examples/flips.rs` does the same to any store.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use config::{Lang, Zone};
use gridwatch::report::period::Period;
use gridwatch::report::{ReportRequest, json, report};
use gridwatch::store::{Reader, StoreError, upkeep};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What became of bits that turned round.
#[derive(Debug, Default)]
pub(crate) struct Flips {
    /// Bytes of the store.
    pub(crate) bytes: u64,
    /// A check named something.
    pub(crate) found: usize,
    /// A check did not, and a report of all of it was the same to the byte.
    pub(crate) same: usize,
    /// Neither: where, which bit, and what a report said.
    pub(crate) missed: Vec<(u64, u8, String)>,
}

/// A report of all that is in a store.
fn told(folder: &Path) -> Result<Vec<u8>, StoreError> {
    let reader = Reader::open(folder)?;
    let sessions = reader.sessions()?;
    let Some((first, last)) = sessions.first().zip(sessions.last()) else { return Ok(Vec::new()) };
    let [first, last] = [first.from, last.until].map(|at| at.local(Zone::hours(7)).date);
    let Ok(period) = Period::days(first, last, Zone::hours(7)) else { return Ok(Vec::new()) };
    let made = report(&reader, &ReportRequest { period, station: None, lang: Lang::En }, |_| {})?;
    Ok(made.map_or_else(Vec::new, |made| json::bytes(&made).unwrap()))
}

/// Turns bits of a store round, one at a time.
///
/// # Panics
/// When it is not whole to begin with.
pub(crate) fn flips(folder: &Path, (count, seed): (usize, u64)) -> Flips {
    let whole = upkeep::check(folder).unwrap();
    assert_eq!((whole.faults, whole.unproven), (Vec::new(), 0), "to begin with");
    let path = folder.join("gridwatch.db");
    let (expected, bytes) = (told(folder).unwrap(), fs::metadata(&path).unwrap().len());
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut flips = Flips { bytes, ..Flips::default() };
    for _ in 0..count {
        let (place, bit) = (random.random_range(0..bytes), random.random_range(0..8));
        let store = File::options().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        store.read_exact_at(&mut byte, place).unwrap();
        store.write_all_at(&[byte[0] ^ (1 << bit)], place).unwrap();
        if upkeep::check(folder).is_ok_and(|found| found.fault_count == 0) {
            match told(folder) {
                Ok(told) if told == expected => flips.same += 1,
                Ok(_) => flips.missed.push((place, bit, "another report".to_owned())),
                Err(error) => flips.missed.push((place, bit, error.to_string())),
            }
        } else {
            flips.found += 1;
        }
        store.write_all_at(&byte, place).unwrap();
    }
    flips
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::Province;
    use gridwatch::clock::Timestamp;
    use gridwatch::recording::stretched;
    use sim::Scenario;

    use super::*;
    use crate::keeping::record;

    #[test]
    fn a_bit_that_turns_round_is_found_or_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let province = Province::load(Path::new("config/small.toml")).unwrap();
        let province = Arc::new(stretched(province, 10.0));
        let scenario = "[[fault]]\nkind = \"T01\"\ntarget = \"S2\"\nat = \"120s\"\nfor = \"200s\"\n\
                        [[plant]]\ndo = \"strike\"\nbay = \"S1.22.471\"\nat = \"300s\"\n";
        let scenario = Scenario::parse(&province, "scenario.toml", scenario).unwrap();
        let window = (Timestamp(1_669_000_000_000), Timestamp(1_669_001_200_000));
        record(folder.path(), &province, scenario, window, 60_000);
        let flips = flips(folder.path(), (60, 1));
        assert!(flips.missed.is_empty() && flips.found > flips.same, "{flips:?}");
        assert!(flips.bytes > 100_000, "{flips:?}");
        assert_eq!(flips.found + flips.same, 60);
    }
}
