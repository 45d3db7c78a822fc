//! What the project is made of: where its crates come from, under which licences, which of them are there twice, that
//! none is used whose licence forbids it, and which of ours is built with what takes long.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The one source of all crates but our own.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences under which a crate may be used by a program that is given away in binary form: none asks for more than
/// that its text goes with it.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "WTFPL",
    "Zlib",
];

/// Crates whose licences forbid what we do, whoever would bring them.
const FORBIDDEN: [&str; 4] = ["dnp3", "iec60870-5", "lib60870", "rodbus"];

/// Crates that are there in several versions, since crates that we use have not moved to the newest yet. A new one is
/// a reason to look who brings it; one that is there once again leaves the list.
const TWICE: [&str; 18] = [
    "base64",
    "bit-vec",
    "bitflags",
    "block-buffer",
    "cfg_aliases",
    "cpufeatures",
    "crypto-common",
    "digest",
    "getrandom",
    "nix",
    "num-bigint",
    "rand",
    "rand_core",
    "rand_xoshiro",
    "sha2",
    "syn",
    "thiserror",
    "thiserror-impl",
];

/// Libraries that take long to build, and the one crate of ours that each stands in.
const HEAVY: [(&str, &str); 4] = [
    ("parquet", "gridwatch-report"),
    ("ratatui", "gridwatch-terminal"),
    ("rusqlite", "gridwatch-store"),
    ("rust_xlsxwriter", "gridwatch-report"),
];

/// A crate of the graph of this machine: what the tests are built of, so that it is there without a network.
struct Package {
    name: String,
    version: String,
    licence: Option<String>,
    source: Option<String>,
}

/// What cargo says without a network.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn metadata() -> Value {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(rustc.stdout).unwrap();
    let platform = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let all = cargo(&["metadata", "--format-version", "1", "--filter-platform", platform]);
    serde_json::from_str(&all).unwrap()
}

fn packages() -> Vec<Package> {
    let all = metadata();
    let nodes = all["resolve"]["nodes"].as_array().unwrap().iter();
    let used: BTreeSet<&str> = nodes.map(|node| node["id"].as_str().unwrap()).collect();
    let packages = all["packages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    packages
        .filter(|package| used.contains(package["id"].as_str().unwrap()))
        .map(|package| Package {
            name: text(&package["name"]).unwrap(),
            version: text(&package["version"]).unwrap(),
            licence: text(&package["license"]),
            source: text(&package["source"]),
        })
        .collect()
}

/// Whether a licence expression lets us choose licences of the list alone: `OR` (or `/`, as it was written before) is our
/// choice, `AND` is not, and an exception only gives more.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = any(&mut words);
    allowed && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut allowed = all(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words);
    }
    allowed
}

fn all(words: &mut Words<'_>) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut Words<'_>) -> bool {
    match words.next() {
        Some("(") => {
            let allowed = any(words);
            words.next() == Some(")") && allowed
        }
        Some(licence) => {
            if words.next_if_eq(&"WITH").is_some() {
                words.next();
            }
            LICENCES.contains(&licence)
        }
        None => false,
    }
}

#[test]
fn crates_come_from_one_registry_under_licences_that_let_us_use_them() {
    let packages = packages();
    assert!(packages.len() > 100, "{}", packages.len());
    let own: Vec<&str> =
        packages.iter().filter(|own| own.source.is_none()).map(|own| &own.name[..]).collect();
    assert_eq!(own.len(), own.iter().filter(|name| name.starts_with("gridwatch")).count());
    for Package { name, version, licence, source } in &packages {
        assert!(!FORBIDDEN.contains(&&name[..]), "{name} may not be used");
        assert!(source.as_deref().is_none_or(|from| from == REGISTRY), "{name}: {source:?}");
        let licence = licence.as_deref().unwrap_or_default();
        assert!(is_allowed(licence), "{name} {version}: '{licence}' is not on the list");
    }
}

#[test]
#[cfg_attr(
    not(all(target_os = "linux", target_arch = "x86_64")),
    ignore = "the list is of Linux on a PC"
)]
fn crates_that_are_there_twice_are_known() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Package { name, version, .. } in packages() {
        versions.entry(name).or_default().insert(version);
    }
    let twice: Vec<&str> =
        versions.iter().filter(|(_, all)| all.len() > 1).map(|(name, _)| &name[..]).collect();
    assert_eq!(twice, TWICE);
}

#[test]
fn what_takes_long_to_build_stands_in_one_crate_of_ours() {
    let all = metadata();
    let packages = all["packages"].as_array().unwrap().iter();
    let mut found: Vec<(&str, &str)> = Vec::new();
    for package in packages.filter(|package| package["source"].is_null()) {
        for used in package["dependencies"].as_array().unwrap() {
            // Tests read stores beside the program.
            let is_tool = used["kind"] == "dev" && used["name"] == "rusqlite";
            let heavy = HEAVY.iter().find(|(name, _)| used["name"] == *name && !is_tool);
            found.extend(heavy.map(|(name, _)| (*name, package["name"].as_str().unwrap())));
        }
    }
    found.sort_unstable();
    assert_eq!(found, HEAVY);
}

#[test]
fn a_collector_alone_is_built_without_screens_reports_and_simulator() {
    let tree = |parts: &[&str]| cargo(&[&["tree", "--prefix", "none"], parts].concat());
    let has =
        |tree: &str, name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    let least = tree(&["--no-default-features", "--features", "collector"]);
    let whole = tree(&[]);
    for name in ["ratatui", "parquet", "rust_xlsxwriter", "gridwatch-terminal", "gridwatch-report"]
    {
        assert!(!has(&least, name), "{name}");
        assert!(has(&whole, name), "{name}");
    }
    // The collector itself is tested against one, which no build has.
    let least =
        tree(&["--no-default-features", "--features", "collector", "--edges", "normal,build"]);
    for name in ["gridwatch-sim", "gridwatch-grid", "rcgen"] {
        assert!(!has(&least, name), "{name}");
    }
    assert!(has(&least, "gridwatch-collector") && has(&least, "gridwatch-store"), "{least}");
}

#[test]
fn a_licence_is_allowed_where_our_choice_is() {
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(GPL-2.0 OR GPL-3.0) AND MIT", false),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-3.0 WITH Classpath-exception-2.0", false),
        ("MIT)", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}
