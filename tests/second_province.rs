//! A second province: a meshed grid, three centres, other meters. Nothing in the program knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use config::{Line, LineEnd, PointId, Province, StationId};
use sim::Field;

use crate::cli::{gridwatch, json};

const FILE: &str = "config/thai-nguyen.toml";
/// Wednesday 2022-11-23, midnight there.
const MIDNIGHT: i64 = 1_669_136_400_000;
const HOUR: i64 = 3_600_000;
/// What conductors may carry, A.
const AMPS: [(&str, f64); 4] =
    [("AC-185", 535.0), ("AC-240", 645.0), ("AC-300", 740.0), ("AC-400", 840.0)];

fn province() -> Province {
    Province::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)).unwrap()
}

/// A station, or a source after the stations.
fn node(province: &Province, end: LineEnd) -> usize {
    match end {
        LineEnd::Bay(station, _) => station.index(),
        LineEnd::Infeed(source) => province.stations.len() + source,
    }
}

/// Which part of the grid each node is in, when these lines are in service.
fn parts<'a>(province: &Province, lines: impl Iterator<Item = &'a Line>) -> Vec<usize> {
    let mut parts: Vec<usize> = (0..province.stations.len() + province.sources.len()).collect();
    for line in lines {
        let (a, b) = (parts[node(province, line.from)], parts[node(province, line.to)]);
        parts.iter_mut().filter(|part| **part == a).for_each(|part| *part = b);
    }
    parts
}

#[test]
fn every_line_bay_has_a_line_and_every_section_is_fed() {
    let province = province();
    assert!(province.stations.len() >= 38, "{}", province.stations.len());
    let mut ends = BTreeSet::new();
    for line in &province.lines {
        assert!((4.0..=35.0).contains(&line.km), "{} km", line.km);
        for end in [line.from, line.to] {
            if let LineEnd::Bay(station, bay) = end {
                assert!(ends.insert((station, bay)), "a line bay ends two lines");
            }
        }
    }
    for (id, station) in province.station_ids().zip(&province.stations) {
        let of = |template: &str| -> Vec<(usize, &config::Bay)> {
            station.bays.iter().enumerate().filter(|(_, b)| b.template == template).collect()
        };
        for (bay, named) in of("L110") {
            assert!(ends.contains(&(id, bay)), "{} {} has no line", station.id, named.name);
        }
        let sections = |bays: &[(usize, &config::Bay)]| -> BTreeSet<u8> {
            bays.iter().map(|(_, bay)| bay.section).collect()
        };
        let (lines, transformers) = (of("L110"), of("T110"));
        assert_eq!(sections(&transformers).len(), transformers.len(), "{}", station.id);
        assert!(sections(&lines).is_superset(&sections(&transformers)), "{}", station.id);
        assert_eq!(of("BC110").len() + 1, transformers.len(), "{}", station.id);
    }
}

#[test]
fn the_grid_is_one_mesh_and_only_mountain_radials_hang_on_one_line() {
    let province = province();
    let closed: Vec<&Line> = province.lines.iter().filter(|l| l.open_at.is_none()).collect();
    // Double circuits count once: a loop is a way round.
    let mut nodes = BTreeSet::new();
    let mut edges = BTreeSet::new();
    for line in &closed {
        let (a, b) = (node(&province, line.from), node(&province, line.to));
        nodes.extend([a, b]);
        edges.insert((a.min(b), a.max(b)));
    }
    let whole = parts(&province, closed.iter().copied());
    assert!(nodes.iter().all(|node| whole[*node] == whole[0]), "the grid falls apart");
    assert!((0..province.stations.len()).all(|station| nodes.contains(&station)));
    let loops = edges.len() + 1 - nodes.len();
    assert!(loops >= 2, "{loops} loops");
    let mut dark = BTreeSet::new();
    for out in 0..closed.len() {
        let rest = closed.iter().enumerate().filter(|(n, _)| *n != out).map(|(_, line)| *line);
        let parts = parts(&province, rest);
        let fed: BTreeSet<usize> = parts[province.stations.len()..].iter().copied().collect();
        let lost = province.stations.iter().zip(&parts).filter(|(_, part)| !fed.contains(part));
        dark.extend(lost.map(|(station, _)| station.id.as_str()));
    }
    assert_eq!(dark.into_iter().collect::<Vec<_>>(), ["TN12", "TN14", "TN37"]);
}

#[test]
fn energy_and_meters_add_up() {
    let province = province();
    let peaks: f64 = province.stations.iter().map(|s| s.peak_mw).sum();
    let energy = peaks * 0.60 * 8.76;
    assert!((1_000.0..1_300.0).contains(&peaks), "{peaks} MW");
    assert!((energy / province.sold_gwh_per_year - 1.0).abs() < 0.01, "{energy} GWh");
    for station in &province.stations {
        let mva: f64 = station.transformers.iter().map(|(_, mva)| mva).sum();
        let used = station.peak_mw / 0.94 / mva;
        assert!((0.35..0.55).contains(&used), "{}: {used}", station.id);
    }
    let mut districts: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for group in province.stations.iter().flat_map(|station| &station.meters) {
        if province.meter_classes[group.class].sold {
            let (installed, remote) = districts.entry(group.district).or_default();
            *installed += group.installed;
            *remote += group.remote;
        }
    }
    assert_eq!(districts.len(), province.districts.len());
    let sum = districts.values().fold((0, 0), |sum, d| (sum.0 + d.0, sum.1 + d.1));
    assert_eq!(sum, (465_000, 422_620));
}

#[test]
fn no_line_is_overloaded_and_voltages_hold_all_day() {
    let province = Arc::new(province());
    let mut field = Field::new(Arc::clone(&province));
    for hour in 0..24 {
        field.step(MIDNIGHT + hour * HOUR);
        let value = |station: StationId, bay: usize, id: &str| {
            let points = &province.stations[station.index()].points;
            let point = points.iter().position(|p| p.bay == bay && p.spec.id == id).unwrap();
            field.value(station, PointId::at(point))
        };
        for line in &province.lines {
            let most = AMPS.iter().find(|(name, _)| *name == line.conductor).unwrap().1;
            for end in [line.from, line.to] {
                let LineEnd::Bay(station, bay) = end else { continue };
                let amps = value(station, bay, "IA");
                let id = &province.stations[station.index()].id;
                assert!(amps < 0.8 * most, "{id}: {amps} A on {} at {hour} h", line.conductor);
                // An open line still draws its charging.
                assert!(line.open_at.is_none() || amps < 10.0, "{id}: {amps} A on an open line");
            }
        }
        for (id, station) in province.station_ids().zip(&province.stations) {
            let busbars = station.bays.iter().enumerate().filter(|(_, b)| b.template == "BB110");
            for (bay, _) in busbars {
                let kv = value(id, bay, "UAB");
                assert!((109.25..=120.75).contains(&kv), "{}: {kv} kV at {hour} h", station.id);
            }
            for (n, point) in station.points.iter().enumerate() {
                let value = field.value(id, PointId::at(n));
                let inside = point.range.is_none_or(|(low, high)| (low..=high).contains(&value));
                assert!(inside, "{} is {value} at {hour} h", point.id);
            }
        }
    }
}

#[test]
fn all_its_stations_are_live_at_three_centres() {
    let args = ["demo", FILE, "--once", "--json", "--port-base", "0", "--timeout", "60"];
    let output = gridwatch(&args);
    assert_eq!(output.status.code(), Some(0));
    let snapshot = json(&output);
    assert_eq!(snapshot["province"], "Thái Nguyên");
    let figure = |name: &str| {
        let figure = &snapshot["figures"][name];
        (figure["have"].as_u64().unwrap(), figure["want"].as_u64().unwrap())
    };
    assert_eq!(figure("connected"), (40, 40));
    assert_eq!(figure("full"), (37, 40));
    assert_eq!(figure("unmanned"), (39, 40));
    assert_eq!(figure("remote_metering"), (422_620, 465_000));
    let mut short = BTreeSet::new();
    for station in snapshot["stations"].as_array().unwrap() {
        let centres = station["centres"].as_array().unwrap();
        assert_eq!(centres.len(), 3);
        for channel in centres {
            let number = |value: &serde_json::Value| value.as_u64().unwrap();
            assert_eq!(channel["link"], "connected");
            let (live, missing) = (&channel["live"], number(&channel["missing"]));
            assert_eq!(number(&live["have"]) + missing, number(&live["want"]), "{channel:.300}");
            if channel["full"] != "full" {
                let ids = [&station["id"], &channel["id"]].map(|id| id.as_str().unwrap());
                short.insert(ids.join(" at "));
            }
        }
    }
    let expected = [
        "TN13 at A1",
        "TN13 at CC",
        "TN13 at PD",
        "TN33 at A1",
        "TN33 at CC",
        "TN33 at PD",
        "TN37 at A1",
    ];
    assert_eq!(short.into_iter().collect::<Vec<_>>(), expected);
}
