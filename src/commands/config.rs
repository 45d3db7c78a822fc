//! `gridwatch config`: look at a province file without connecting to anything.

use std::collections::BTreeMap;

use ::config::{Date, Province, Standing, StationId};
use clap::Subcommand;
use gridwatch::clock::{Clock, Timestamp};

use super::{ConfigArg, Outcome, say};

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Say everything that is wrong with a province file, or what it holds
    #[command(after_help = "\
Examples:
  gridwatch config check config/small.toml

Every problem is one line: file, line, key, what is wrong, and the way out.
Exit codes: 0 the file is good, 2 it is not.")]
    Check(ConfigArg),
}

pub(super) fn run(command: &ConfigCommand) -> Outcome {
    let ConfigCommand::Check(args) = command;
    let province = args.province()?;
    let name = match (&args.config, args.fleet) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(_)) => "fleet".to_owned(),
        (None, None) => "built-in province".to_owned(),
    };
    let points: usize = province.substations().iter().map(|station| station.points.len()).sum();
    let units: usize = province.substations().iter().map(|station| station.units.len()).sum();
    let meters: u64 = province
        .stations
        .iter()
        .flat_map(|station| &station.meters)
        .filter(|group| province.meter_classes[group.class].sold)
        .map(|group| u64::from(group.installed))
        .sum();
    say(format_args!(
        "{name}: good. {}: {} stations, {units} units, {points} points, {} lines, {meters} meters",
        province.name.vi,
        province.substations().len(),
        province.lines.len()
    ))?;
    for later in begins_later(&province, Clock::system().now()) {
        say(later)?;
    }
    if let Some(note) = without_heartbeat(&province) {
        say(note)?;
    }
    // Counted as they hold today.
    let today = province.as_of(Clock::system().now().local(province.zone).date);
    for centre in today.centre_ids() {
        let province = &today;
        let entries = || {
            let of_centre = province.station_ids().map(|id| province.channel(id, centre));
            of_centre.flat_map(|channel| &channel.entries).filter(|entry| entry.required)
        };
        let absent = entries().filter(|e| matches!(e.standing, Standing::Absent(_))).count();
        let untested = entries().filter(|e| matches!(e.standing, Standing::Untested(_))).count();
        say(format_args!(
            "  {:<4} required {}, not in the database {absent}, without end-to-end record {untested}",
            province.centres[centre.index()].id,
            province.required(centre),
        ))?;
    }
    Ok(0)
}

/// What the contract says of days that have not come yet, a line for each station and day: until then it does
/// not hold.
fn begins_later(province: &Province, now: Timestamp) -> Vec<String> {
    let today = now.local(province.zone).date;
    let mut later: BTreeMap<(&str, Date), usize> = BTreeMap::new();
    for channel in &province.channels {
        let station = province.stations[channel.station.index()].id.as_str();
        for day in channel.entries.iter().flat_map(config::Entry::days).filter(|day| *day > today) {
            *later.entry((station, day)).or_default() += 1;
        }
    }
    let line = |((station, day), count)| {
        format!(
            "  note: {station}: {count} records or remarks of signals are of {day}, later than today; they do not hold until then"
        )
    };
    later.into_iter().map(line).collect()
}

/// Which stations have no heartbeat that any centre reads.
fn without_heartbeat(province: &Province) -> Option<String> {
    let has_one = |station: &StationId| {
        province.centre_ids().any(|centre| province.heartbeat(*station, centre).is_some())
    };
    let lacking: Vec<&str> = province
        .station_ids()
        .filter(|station| !has_one(station))
        .map(|station| &province.stations[station.index()].id[..])
        .collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "  note: {}: no heartbeat is read; that a gateway hangs is known by its event rings alone. Mark the count that rolls while it works with heartbeat = true in its template",
            lacking.join(", ")
        )
    })
}
