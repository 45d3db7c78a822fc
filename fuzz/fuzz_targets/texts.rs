//! Any text as the file of a province, or as a scenario: see `tests/texts.rs`.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run texts -- -dict=fuzz/texts.dict
//! without nightly: RUSTC_BOOTSTRAP=1 cargo fuzz run texts -- -dict=fuzz/texts.dict
//! ```
//!
//! The first byte says which of the two it is.

#![no_main]

#[path = "../../tests/texts.rs"]
mod texts;

libfuzzer_sys::fuzz_target!(|data: &[u8]| texts::trial(data));
