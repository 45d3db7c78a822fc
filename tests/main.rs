//! End-to-end tests, linked into one binary: each module is named after what it is about.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod alarms;
mod bad_configs;
mod cli;
mod clipped;
mod clock;
mod communication_health;
mod connections;
mod crash;
mod edits;
mod energy;
mod events;
mod export;
mod faults;
mod field;
mod fixture;
mod flips;
mod forgetting;
mod forms;
mod history;
mod inject;
mod keeping;
mod late_replies;
mod metering;
mod month;
mod old_stores;
mod pains;
mod partition;
mod plant;
mod pty;
mod recording;
mod screens;
mod second_province;
mod security;
mod show;
mod slow_energy;
mod station;
mod store;
mod taken_away;
mod tidy;
mod units;
mod unmanned;
mod untrusted;
mod verdicts;
mod windows;
