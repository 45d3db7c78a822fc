//! Any rows in a store: see `tests/edits.rs`. From the folder of the repository, since the store that is altered is
//! one of its fixtures:
//!
//! ```text
//! cargo install cargo-fuzz
//! TMPDIR=/dev/shm cargo +nightly fuzz run -s none store -- -max_len=300
//! without nightly: RUSTC_BOOTSTRAP=1 TMPDIR=/dev/shm cargo fuzz run -s none store -- -max_len=300
//! ```
//!
//! Without a sanitizer it is some thirty times as fast, and there is no unsafe code that one could watch; files are
//! best in memory. The first byte says which of two stores it is, the second one what reads it.

#![no_main]

#[path = "../../tests/edits.rs"]
mod edits;

use std::path::Path;
use std::sync::LazyLock;

use edits::Base;
use gridwatch::store::{Reader, Writer};

/// The store of a monitor that was killed: as version 0.1.0 left it, and as this one goes on with it.
static BASES: LazyLock<[Base; 2]> = LazyLock::new(|| {
    let old = Path::new("tests/stores/0.1.0/live");
    let new = tempfile::tempdir().expect("a folder for the store");
    let copied = std::fs::copy(old.join("gridwatch.db"), new.path().join("gridwatch.db"));
    copied.expect("run it in the folder of the repository");
    let province = {
        let reader = Reader::open(new.path()).expect("a store");
        let contract = reader.sessions().expect("a store")[0].contract;
        reader.contract(contract).expect("a store").province
    };
    Writer::open(new.path(), &province).expect("a store");
    [Base::of(old), Base::of(new.path())]
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((which, edits)) = data.split_first() else { return };
    BASES[usize::from(which % 2)].trial(edits);
});
