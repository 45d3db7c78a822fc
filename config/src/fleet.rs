//! A fleet: any number of alike stations, to see how far a machine goes.
//!
//! One small grid of some stations is written as a text and read like any contract; the others are
//! copies of it under their own names. What is the same in all of them is there once.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::expand::name_bay;
use crate::names::Name;
use crate::parse::{Templates, parse};
use crate::problem::Problems;
use crate::province::{Channel, Infeed, Line, LineEnd, Origin, Province, Station, StationId};
use crate::template::Template;

/// Most stations of a fleet: eight million points.
const STATIONS_MAX: usize = 10_000;
/// Stations that one source feeds, in a chain: each such grid is solved by itself, so that the work
/// grows with the number of stations and no faster.
const STATIONS_PER_SOURCE: usize = 5;
/// Coincident peak of a station, MW, and the share of it that is drawn on average.
const PEAK_MW: f64 = 20.0;
const LOAD_FACTOR: f64 = 0.6;

/// What all stations share. Everything is read once a second, also what changes slowly: a fleet is
/// there to be a burden.
const COMMON: &str = r#"
[scan]
fast = 1
normal = 1
slow = 1
counters = 1
metering = 1

[link]
port_base = 15201
in_flight = 8
backoff_ms = [500, 5000]

[[centres]]
id = "CC"
name = { en = "CC", vi = "TTĐK" }
title = { en = "Control centre", vi = "Trung tâm điều khiển" }
requires = ["AB", "B"]
optional = true
"#;

/// The bays of a station, some 800 points.
const BAYS: &str = r#"
[stations.bays]
L110 = ["171", "172"]
T110 = ["131"]
BB110 = ["C11"]
TMV = ["431"]
BBMV = ["C41"]
FMV = ["471", "472", "473", "474", "475", "476", "477", "478", "479", "481", "482", "483", "484", "485", "486"]
CAP = ["TBN401"]
AUX = ["TD41"]
STN = ["STN"]
"#;

/// A fleet of `count` stations.
pub(crate) fn fleet(count: usize) -> Result<Province, Problems> {
    if !(1..=STATIONS_MAX).contains(&count) {
        let message = format!("{count} stations: a fleet has 1 to {STATIONS_MAX}");
        return Err(Problems::of_file("fleet", message));
    }
    let mut model = parse(
        "fleet",
        &text(count, count.min(STATIONS_PER_SOURCE)),
        Templates::BuiltInAndOwn(None),
    )?;
    #[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
    let average_mw = count as f64 * PEAK_MW * LOAD_FACTOR;
    model.sold_gwh_per_year = average_mw * 8.76;
    model.origin = Arc::new(Origin::Fleet(count));
    Ok(copies(&model, count))
}

/// The contract of the first stations of a fleet of `count`.
fn text(count: usize, stations: usize) -> String {
    let mut text = format!(
        "[province]\nname = {{ en = \"Fleet of {count}\", vi = \"Đội {count} trạm\" }}\nseed = 1\n\
         {COMMON}"
    );
    // Writing to a string cannot fail.
    let _ = write!(text, "\n[[sources]]\nid = \"{}\"\nmw = 200\n", source_id(0));
    for n in 0..stations {
        let from = if n == 0 { source_id(0) } else { format!("{}.172", station_id(n - 1)) };
        let to = station_id(n);
        let _ = write!(
            text,
            "\n[[lines]]\nfrom = \"{from}\"\nto = \"{to}.171\"\nkm = 8\nconductor = \"AC-400\"\n"
        );
    }
    for n in 0..stations {
        let _ = write!(
            text,
            "\n[[stations]]\nid = \"{}\"\nunmanned = true\ne2e = {{ CC = 2022-01-01 }}\n\
             peak_mw = {PEAK_MW}\nload = {{ rural = 0.5, industry = 0.3, services = 0.2 }}\n\
             transformers = {{ \"131\" = 40 }}\n{BAYS}",
            station_id(n)
        );
    }
    text
}

fn station_id(n: usize) -> String {
    format!("F{:04}", n + 1)
}

fn source_id(group: usize) -> String {
    format!("G{:04}", group + 1)
}

/// The model's grid again and again, until there are `count` stations.
fn copies(model: &Province, count: usize) -> Province {
    let size = model.stations.len();
    let mut fleet = model.clone();
    for n in size..count {
        let of = &model.stations[n % size];
        fleet.stations.push(station(of, n, &model.templates));
        let first = n - n % size;
        if n == first {
            fleet.sources.push(source(&model.sources[0], n / size));
        }
        let line = line(&model.lines[n % size], first, n / size);
        for (end, other) in [(line.from, line.to), (line.to, line.from)] {
            name_bay(&mut fleet, end, other);
        }
        fleet.lines.push(line);
        let channel = &model.channels[n % size];
        let station = StationId::at(n);
        let port = model.link.port_base + station.0;
        fleet.channels.push(Channel { station, port, ..channel.clone() });
    }
    fleet
}

fn station(of: &Station, n: usize, templates: &[Template]) -> Station {
    let mut copy = of.clone();
    copy.id = station_id(n);
    copy.name = Name::same(&copy.id);
    for point in &mut copy.points {
        point.id = format!("{}.{}", copy.id, point.local_id());
    }
    // Called after where their lines go, once there are lines.
    let ends = copy.bays.iter_mut().filter(|bay| bay.template == "L110");
    for bay in ends {
        let template = templates.iter().find(|template| template.id == bay.template);
        bay.label = template.map_or_else(|| Name::same(&bay.name), |t| t.name.clone());
    }
    copy
}

fn source(of: &Infeed, group: usize) -> Infeed {
    let id = source_id(group);
    Infeed { name: Name::same(&id), id, ..of.clone() }
}

/// A line of the model, between the stations from `first` on.
fn line(of: &Line, first: usize, group: usize) -> Line {
    let moved = |end| match end {
        LineEnd::Bay(station, bay) => LineEnd::Bay(StationId::at(first + station.index()), bay),
        LineEnd::Infeed(_) => LineEnd::Infeed(group),
    };
    Line { from: moved(of.from), to: moved(of.to), ..of.clone() }
}
