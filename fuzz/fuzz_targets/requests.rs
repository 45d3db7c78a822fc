//! Any bytes from a client of a simulated station: see `sim::trial`.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run requests          without nightly: RUSTC_BOOTSTRAP=1 cargo fuzz run requests
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sim::trial(data));
