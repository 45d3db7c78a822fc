//! What fuzzing has found worth keeping (`fuzz/corpus`) is tried with every run, each input as it is and with some bytes
//! changed: without a fuzzer, by the same bodies.

use std::path::Path;

use gridwatch::collector;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::texts;

/// Hands on every input of a target's corpus, and so many changed ones of each; says how many in all.
pub(crate) fn try_all(target: &str, changed: u64, trial: impl Fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let mut tried = 0;
    for (file, seed) in files.iter().zip(1_u64..) {
        let bytes = std::fs::read(file).unwrap();
        trial(&bytes);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut chance = |most: usize| random.random_range(0..most.max(1));
        for _ in 0..changed {
            let mut bytes = bytes.clone();
            for _ in 0..=chance(4) {
                let (place, byte) = (chance(bytes.len()), u8::try_from(chance(256)).unwrap());
                match chance(4) {
                    0 if !bytes.is_empty() => drop(bytes.remove(place)),
                    1 => bytes.insert(place.min(bytes.len()), byte),
                    2 => bytes.truncate(bytes.len() - place / 8),
                    _ if !bytes.is_empty() => bytes[place] = byte,
                    _ => {}
                }
            }
            trial(&bytes);
        }
        tried += 1 + usize::try_from(changed).unwrap();
    }
    tried
}

#[test]
fn what_was_found_of_replies_is_tried_again() {
    assert!(try_all("replies", 300, collector::trial) > 1_000);
}

#[test]
fn what_was_found_of_requests_is_tried_again() {
    assert!(try_all("requests", 300, sim::trial) > 1_000);
}

#[test]
fn what_was_found_of_texts_is_tried_again() {
    assert!(try_all("texts", 40, texts::trial) > 100);
}
