//! The plant from the command line: something happens to it in a running simulator, or by script.

use std::time::{Duration, Instant};

use serde_json::Value;
use sim::Scenario;

use crate::cli::{free_ports, gridwatch, json, stdout};
use crate::inject::{Simulator, assert_refused, file};

/// Longest wait; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_running_simulator_lets_things_happen_and_says_who_is_without_supply() {
    let base = free_ports(30) + 1;
    let (base, control) = (base.to_string(), (base - 1).to_string());
    let config = "config/small.toml";
    let script = "[[plant]]\ndo = \"set\"\npoint = \"S1.22.473.CB.RL\"\ncode = \"local\"\n";
    let (_folder, scenario) = file("scenario.toml", script);
    // A second of the world is a minute of the field.
    let simulator = Simulator::start(&[
        "simulate",
        config,
        "--port-base",
        &base,
        "--speed",
        "60",
        "--scenario",
        &scenario,
    ]);
    let ask = |args: &[&str]| gridwatch(&[&["plant"], args, &["--control", &control]].concat());
    let by_province = ["plant", "outages", "--config", config, "--port-base", &base];
    let told = stdout(&gridwatch(&by_province));
    assert!(told.contains("sustained (longer than 5 min): 0 interruptions"), "{told}");
    assert!(truth(&control, "S1.22.473.CB.RL") == 0.0, "the script has turned the key");

    let strike = ask(&["strike", "S1.22.471", "--lasting", "--phase", "C", "--between-phases"]);
    let told = stdout(&strike);
    assert!(told.starts_with("lasting short circuit at S1.22.471, 20"), "{told}");
    let set = stdout(&ask(&["set", "S1.22.472.CB.RL", "tại chỗ"]));
    assert!(set.starts_with("S1.22.472.CB.RL is tại chỗ, 20"), "{set}");
    let dip = stdout(&ask(&["dip", "1.2", "--for", "20s"]));
    assert!(dip.starts_with("1.2 Hz off the frequency for 20s, 20"), "{dip}");

    let begun = Instant::now();
    let out = loop {
        let told = json(&ask(&["outages", "--json"]));
        if told["sustained"]["interruptions"].as_u64() > Some(0) {
            break told;
        }
        assert!(begun.elapsed() < PATIENCE, "it lasts longer than five minutes of the field");
    };
    assert!(out["saidi_minutes"].as_f64().unwrap() > 0.0);
    let bays: Vec<&Value> =
        out["interruptions"].as_array().unwrap().iter().map(|one| &one["bay"]).collect();
    assert!(bays.contains(&&Value::from("S1.22.471")), "{bays:?}");
    assert!(truth(&control, "S1.22.472.CB.RL") == 0.0);
    let told = stdout(&ask(&["outages"]));
    assert!(told.contains("S1.22.471") && told.contains("SAIDI"), "{told}");

    assert_refused(&ask(&["strike", "S1.22.479"]), "did you mean 'S1.22.47");
    assert_refused(&ask(&["strike", "S1.22.C41"]), "could be struck");
    assert_refused(&ask(&["set", "S1.22.472.CB.R", "0"]), "did you mean 'S1.22.472.CB.RL'?");
    assert_refused(&ask(&["set", "S1.22.472.CB.RL", "far"]), "cannot be 'far'");
    assert_refused(&ask(&["dip", "9", "--for", "20s"]), "0.05 to 5");
    drop(simulator);
}

fn truth(control: &str, point: &str) -> f64 {
    let output = gridwatch(&["inject", "--control", control, "--truth", point, "--json"]);
    json(&output)["true"].as_f64().unwrap()
}

#[test]
fn without_a_simulator_it_says_how_to_start_one() {
    let control = free_ports(1).to_string();
    let ask = |args: &[&str]| gridwatch(&[&["plant"], args, &["--control", &control]].concat());
    for args in [&["strike", "HB04.22.473"][..], &["set", "x", "1"], &["outages"]] {
        assert_refused(&ask(args), "start one with 'gridwatch simulate'");
    }
    // What is wrong with the words themselves needs no simulator.
    assert_refused(&ask(&["strike", "HB04.22.473", "--phase", "R"]), "possible values: A, B, C");
    assert_refused(&ask(&["strike", "HB04.22.473", "--share", "7"]), "0 to 1");
    assert_refused(&ask(&["dip", "1", "--for", "ever"]), "no span of time");
    assert_refused(&ask(&["dip", "1"]), "--for");
}

#[test]
fn the_scenarios_that_come_along_fit_the_built_in_province() {
    let province = config::Province::built_in();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sim/scenarios");
    let mut actions = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let scenario = Scenario::load(&province, &entry.unwrap().path());
        actions += scenario.unwrap_or_else(|problems| panic!("{problems}")).actions.len();
    }
    assert!(actions >= 7);
}
