//! End-to-end tests, linked into one binary: each module is named after what it is about.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_configs;
mod cli;
mod connections;
mod faults;
mod field;
mod fixture;
mod inject;
mod late_replies;
mod metering;
mod pains;
mod plant;
mod pty;
mod screens;
mod second_province;
mod security;
mod station;
mod tidy;
mod units;
mod verdicts;
