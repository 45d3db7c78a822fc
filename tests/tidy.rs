//! The walls inside the house (docs/ARCHITECTURE.md, "Direction"): Cargo holds those between the
//! crates, this holds those within.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Rooms and the rooms that each may import. These stand before it, so that there is no circle.
type Direction = &'static [(&'static str, &'static [&'static str])];

/// The crates beside the root package, each with its walls round it.
const CRATES: [&str; 10] = [
    "collector",
    "config",
    "grid",
    "historian",
    "report",
    "signal",
    "sim",
    "store",
    "terminal",
    "words",
];

/// The source folders that have rooms, their directions, and files that may import every room. Where a direction has a
/// room of the crate's own name, files that are in none of the others are in that.
const HOUSES: [(&str, Direction, &[&str]); 5] = [
    ("src/", PROGRAM, &["lib", "main", "commands"]),
    ("sim/src/", FIELD, &["lib"]),
    ("config/src/", CONTRACT, &["lib"]),
    ("store/src/", STORE, &["lib"]),
    ("report/src/", REPORT, &["lib"]),
];

const PROGRAM: Direction =
    &[("monitor", &[]), ("recording", &[]), ("json", &[]), ("check", &[]), ("terminal", &[])];

const STORE: Direction = &[
    ("leftovers", &[]),
    ("series", &[]),
    ("store", &["leftovers", "series"]),
    ("history", &["store"]),
];

const REPORT: Direction = &[
    ("drafts", &[]),
    ("spreadsheet", &[]),
    ("export", &["drafts", "spreadsheet"]),
    ("report", &["drafts", "spreadsheet"]),
];

const FIELD: Direction = &[
    ("chance", &[]),
    ("target", &[]),
    ("times", &[]),
    ("plant", &["chance", "target"]),
    ("meters", &["chance", "plant"]),
    ("telemetry", &["chance", "meters", "plant"]),
    ("faults", &["chance", "plant", "target", "telemetry", "times"]),
    ("orders", &["faults", "plant", "target", "times"]),
    ("field", &["faults", "orders", "plant", "target", "telemetry"]),
    ("server", &["faults", "field", "orders", "plant", "target", "telemetry", "times"]),
];

const CONTRACT: Direction = &[
    ("plain", &[]),
    ("names", &[]),
    ("kind", &[]),
    ("civil", &["names"]),
    ("built_in", &[]),
    ("problem", &["plain"]),
    ("codec", &["kind", "problem"]),
    ("metering", &["codec"]),
    ("document", &["civil", "names", "plain", "problem"]),
    ("template", &["codec", "document", "kind", "names", "problem"]),
    ("registers", &["codec", "kind", "template"]),
    ("province", &["civil", "codec", "kind", "names", "registers", "template"]),
    ("customers", &["province"]),
    ("draft", &["civil", "codec", "document", "names", "province", "registers", "template"]),
    (
        "read",
        &["civil", "codec", "document", "draft", "names", "province", "registers", "template"],
    ),
    (
        "expand",
        &[
            "codec",
            "document",
            "draft",
            "kind",
            "metering",
            "names",
            "problem",
            "province",
            "registers",
            "template",
        ],
    ),
    ("parse", &["built_in", "document", "expand", "problem", "province", "read", "template"]),
    ("fleet", &["expand", "names", "parse", "problem", "province", "template"]),
    ("load", &["built_in", "fleet", "parse", "problem", "province"]),
];

/// Names that only the given files may mention.
const RESERVED: [(&str, &[&str]); 7] = [
    ("jiff", &["config/src/civil.rs"]),
    ("::parquet::", &["report/src/export"]),
    ("tokio_modbus", &[]),
    ("tokio_rustls", &["collector/src/tls.rs", "sim/src/server/tls.rs"]),
    // The control room meets the field over the network; only a recording has both in one hand. From
    // the crates below it Cargo keeps it away.
    ("sim::", &["src/recording", "src/commands", "collector/src/tls.rs", "sim/", "config/"]),
    ("SystemTime::now", &["signal/src/clock.rs"]),
    ("println!", &["benches/"]),
];

/// File names that say nothing.
const EMPTY_NAMES: [&str; 8] =
    ["mod", "utils", "helpers", "common", "misc", "types", "manager", "general"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<(String, String)> {
    let of_crates =
        CRATES.iter().flat_map(|name| ["src", "tests"].map(|end| format!("{name}/{end}")));
    let own = ["src", "tests", "benches"].map(str::to_owned);
    let mut folders: Vec<PathBuf> =
        own.into_iter().chain(of_crates).map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Lines that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn imports_point_back_along_the_flow_of_data() {
    let mut complaints = Vec::new();
    for (house, direction, free) in HOUSES {
        let whole = house.split('/').next().unwrap();
        let has = |name: &str| direction.iter().any(|(room, _)| *room == name);
        let room_of = |name| if !has(name) && has(whole) { whole } else { name };
        for (file, text) in sources().iter().filter(|(file, _)| file.starts_with(house)) {
            let name = file[house.len()..].split(['/', '.']).next().unwrap();
            if free.contains(&name) {
                continue;
            }
            let room = room_of(name);
            let Some((_, allowed)) = direction.iter().find(|(name, _)| *name == room) else {
                complaints.push(format!("{file} has no place yet"));
                continue;
            };
            for (n, line) in code(text) {
                for import in imports(&file[house.len()..], line).into_iter().map(room_of) {
                    if import != room && !allowed.contains(&import) {
                        complaints.push(format!("{file}:{n}: {room} may not import '{import}'"));
                    }
                }
            }
        }
    }
    assert_none(&complaints);
}

/// Where the tests of a file begin: the line before them.
fn first_line_of_tests(file: &str, text: &str) -> usize {
    if file.ends_with("/tests.rs") || file.ends_with("/trial.rs") {
        return 0;
    }
    let before = text.find("#[cfg(test)]\nmod tests").map(|place| &text[..place]);
    before.map_or(usize::MAX, |before| before.lines().count())
}

#[test]
fn only_the_collector_knows_how_values_are_asked_for() {
    // Where values stand in a device, and what it answers, is the business of who asks it.
    let names = [
        ".register.",
        ".register?",
        "Register {",
        "config::Register",
        "Table::Coil",
        "Table::Discrete",
        "Table::Holding",
        "Table::Input",
        "read_function",
        "0x0A",
        "0x0B",
    ];
    let mut complaints = Vec::new();
    let is_elsewhere = |file: &str| {
        ["config/", "grid/", "sim/", "tests/", "benches/"].iter().any(|top| file.starts_with(top))
    };
    for (file, text) in sources().iter().filter(|(file, _)| !is_elsewhere(file)) {
        let knows = ["collector/", "src/commands"].iter().any(|room| file.starts_with(room));
        // A counter of energy has a register, too.
        if knows || file.starts_with("store/src/history/energy") {
            continue;
        }
        let tests = first_line_of_tests(file, text);
        for (n, line) in code(text).filter(|(n, _)| *n <= tests) {
            for name in names.iter().filter(|name| line.contains(*name)) {
                complaints.push(format!("{file}:{n}: only the collector may name {name}"));
            }
        }
    }
    assert_none(&complaints);
}

/// What a line imports by way of the root of its crate: as `crate::` or, in a file right below the root,
/// as `super::` (what is indented belongs to its tests, where that is the file itself).
fn imports<'a>(file: &str, line: &'a str) -> Vec<&'a str> {
    let is_below_root = !file.contains('/') && !line.starts_with(' ');
    let ways = if is_below_root { &["crate::", "super::"][..] } else { &["crate::"] };
    let behind = ways.iter().flat_map(|way| line.split(*way).skip(1));
    let name = |text: &'a str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    };
    behind.map(name).collect()
}

#[test]
fn directions_have_no_circles() {
    for (house, direction, _) in HOUSES {
        for (n, (room, allowed)) in direction.iter().enumerate() {
            for other in *allowed {
                let stands_before = direction[..n].iter().any(|(name, _)| name == other);
                assert!(stands_before, "{house}: {other} does not stand before {room}");
            }
        }
    }
}

#[test]
fn reserved_names_stay_in_their_files() {
    let mut complaints = Vec::new();
    let sources = sources();
    for (file, text) in sources.iter().filter(|(file, _)| file != "tests/tidy.rs") {
        for (name, places) in RESERVED {
            let is_trial = ["tests/", "benches/"].iter().any(|trial| file.contains(trial));
            if places.iter().any(|place| file.starts_with(place)) || is_trial {
                continue;
            }
            for (n, _) in code(text).filter(|(_, line)| line.contains(name)) {
                complaints.push(format!("{file}:{n}: only {places:?} may name {name}"));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let sources = sources();
    let word = ["unsafe", " "].concat();
    let has = |text: &str| code(text).any(|(_, line)| line.contains(&word));
    let files: Vec<&str> =
        sources.iter().filter(|(_, text)| has(text)).map(|(file, _)| &file[..]).collect();
    assert_eq!(files, ["tests/power_loss/layer.rs"]);
}

#[test]
fn every_file_says_what_it_is_for_and_has_a_name_that_says_something() {
    let mut complaints = Vec::new();
    for (file, text) in sources() {
        if !text.starts_with("//!") {
            complaints.push(format!("{file}:1: a file opens with what it is for"));
        }
        let stem = Path::new(&file).file_stem().unwrap().to_str().unwrap().to_owned();
        if EMPTY_NAMES.contains(&stem.as_str()) {
            complaints.push(format!("{file}: the name says nothing"));
        }
    }
    assert_none(&complaints);
}

#[test]
fn paths_that_the_documents_name_exist() {
    let mut complaints = Vec::new();
    let docs: Vec<PathBuf> = read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)))
        .chain(
            CRATES
                .iter()
                .map(|name| root().join(name).join("README.md"))
                .filter(|path| path.exists()),
        )
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    for doc in docs {
        let text = read_to_string(&doc).unwrap();
        for (n, line) in text.lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let is_path = quoted.contains('/')
                    && CRATES
                        .iter()
                        .chain(&["src", "tests", "docs", "benches", "fuzz", "examples", ".ci"])
                        .any(|top| quoted.split('/').next() == Some(top))
                    && !quoted.contains([' ', '*', '{', '<', '…']);
                if is_path && !root().join(quoted).exists() {
                    complaints.push(format!("{}:{}: no '{quoted}'", doc.display(), n + 1));
                }
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut named: std::collections::BTreeMap<String, Vec<String>> =
        std::collections::BTreeMap::new();
    let is_beside = |file: &str| {
        ["tests/", "benches/", "examples/", "fuzz/"].iter().any(|top| file.starts_with(top))
    };
    for (file, text) in sources().iter().filter(|(file, _)| !is_beside(file)) {
        let until = first_line_of_tests(file, text);
        for (n, line) in code(text).filter(|(n, _)| *n <= until) {
            let name = ["struct", "enum", "trait", "type"]
                .iter()
                .find_map(|kind| line.trim_start().strip_prefix(&format!("pub {kind} ")));
            if let Some(rest) = name {
                let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                named.entry(name.to_owned()).or_default().push(format!("{file}:{n}"));
            }
        }
    }
    assert!(named.len() > 200, "{} types", named.len());
    let twice = named.iter().filter(|(_, places)| places.len() > 1);
    let complaints: Vec<String> =
        twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect();
    assert_none(&complaints);
}
