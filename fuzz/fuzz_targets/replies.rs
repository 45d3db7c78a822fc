//! Any replies from a station: see `gridwatch::collector::trial`.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run replies           without nightly: RUSTC_BOOTSTRAP=1 cargo fuzz run replies
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gridwatch::collector::trial(data));
