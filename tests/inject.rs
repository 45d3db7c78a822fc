//! Faults from the command line: a running simulator is told to go wrong, and the truth is asked for.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use sim::faults::FAULTS;

use crate::cli::{free_ports, gridwatch, stderr, stdout};

/// A simulator in a process of its own, ended with the test.
pub(crate) struct Simulator {
    child: Child,
    /// Kept open: it would stop if nobody listened.
    output: BufReader<ChildStdout>,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Simulator {
    /// Started, and past the line that says that it takes faults.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_gridwatch")).args(args))
    }

    /// The same by a command that starts it.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let mut child =
            command.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut simulator = Self { child, output };
        simulator.line_with("gridwatch inject --control");
        simulator
    }

    /// The next line that it says with this in it.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it says {text:?}");
        }
        line
    }
}

pub(crate) fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

pub(crate) fn assert_refused(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(2), "{}", stdout(output));
    assert!(stderr(output).contains(said), "{said}\n--\n{}", stderr(output));
}

#[test]
fn a_running_simulator_takes_faults_and_tells_the_truth() {
    let base = free_ports(30) + 1;
    let (base, control) = (base.to_string(), (base - 1).to_string());
    let (folder, scenario) =
        file("scenario.toml", "[[fault]]\nkind = \"T12\"\ntarget = \"S1.110.171\"\n");
    let truth = folder.path().join("truth.jsonl").to_str().unwrap().to_owned();
    let config = "config/small.toml";
    let simulator = Simulator::start(&[
        "simulate",
        config,
        "--port-base",
        &base,
        "--scenario",
        &scenario,
        "--truth",
        &truth,
        "--truth-values",
    ]);
    // The port follows from the province, or is named.
    let by_province = |args: &[&str]| {
        gridwatch(&[&["inject", "--config", config, "--port-base", &base], args].concat())
    };
    let by_port = |args: &[&str]| gridwatch(&[&["inject", "--control", &control], args].concat());
    let list = stdout(&by_province(&["--list"]));
    assert!(list.contains("T12  polarity reversed") && list.contains("S1.110.171"), "{list}");

    let output = by_port(&["T11", "S1.22.471.P", "--for", "10m", "--set", "factor=1000"]);
    assert_eq!(stdout(&output), "fault 2: wrong scale at S1.22.471.P, for 10m\n");
    let shown = stdout(&by_port(&["--truth", "S1.22.471.P"]));
    assert!(shown.contains("true") && shown.contains("32.767 MW OV  by fault 2"), "{shown}");
    let output = by_port(&["frozen", "S1/unit 5", "--centre", "CC", "--json"]);
    let reply: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&reply["ok"], &reply["fault"]), (&Value::Bool(true), &Value::from(3)));
    assert_eq!(stdout(&by_port(&["--clear", "2"])), "fault 2 is cleared\n");
    assert_refused(&by_port(&["--clear", "2"]), "no fault 2 is active; these are: 1, 3");
    assert_refused(&by_port(&["T09", "S1.110.171.CB.POS"]), "it applies to measurements");
    assert_refused(&by_port(&["T09", "S1.110.171.PP"]), "no point 'S1.110.171.PP'");
    assert_refused(&by_port(&["T11", "S1", "--set", "factr=1"]), "did you mean 'factor'?");
    assert_refused(&by_port(&["--truth", "S1.110.171"]), "is not one point");
    drop(simulator);

    let log = std::fs::read_to_string(&truth).unwrap();
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(u64, &str)> = records
        .iter()
        .map(|r| (r["fault"].as_u64().unwrap(), r["state"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [(1, "started"), (2, "started"), (3, "started"), (2, "cleared")]);
    assert_eq!(records[1]["centres"][0]["points"][0], "S1.22.471.P");
    assert_eq!(records[1]["centres"][0]["values"][0][1], 32.767);
    assert!(records[3]["until"].is_string());
}

#[test]
fn without_a_simulator_it_says_how_to_start_one() {
    let control = free_ports(1).to_string();
    let output = gridwatch(&["inject", "--control", &control, "--list"]);
    assert_refused(&output, "start one with 'gridwatch simulate'");
    // Who wants JSON is told in it.
    for (args, says) in [
        (&["inject", "--control", &control, "--list"][..], "start one with 'gridwatch simulate'"),
        (&["inject", "T8", "HB03"], "did you mean 'T08'?"),
        (&["plant", "dip", "1.2", "--for", "ever"], "no span of time"),
    ] {
        let output = gridwatch(&[args, &["--json"]].concat());
        let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!((output.status.code(), &told["ok"]), (Some(2), &Value::Bool(false)), "{told}");
        assert!(told["error"].as_str().unwrap().contains(says), "{told}");
    }
    // What is wrong with the words themselves needs no simulator.
    assert_refused(&gridwatch(&["inject", "T8", "HB03"]), "did you mean 'T08'?");
    assert_refused(&gridwatch(&["inject", "T08", "HB03", "--for", "ever"]), "no span of time");
    assert_refused(&gridwatch(&["inject", "T08", "HB03", "--set", "x"]), "name=value");
    assert_refused(&gridwatch(&["inject"]), "say which fault and where");
    assert_refused(&gridwatch(&["inject", "T08"]), "<TARGET>");
    assert_refused(&gridwatch(&["inject", "--list", "--clear", "3"]), "cannot be used with");
}

#[test]
fn a_scenario_with_mistakes_is_refused_with_all_of_them() {
    let (_folder, path) = file(
        "bad.toml",
        "[[fault]]\nkind = \"T12\"\ntarget = \"HB03.110.171.CB.POS\"\n[[fault]]\nkind = \"T99\"\n",
    );
    for command in [&["simulate"][..], &["demo", "--once", "--port-base", "0"]] {
        let output = gridwatch(&[command, &["--scenario", &path]].concat());
        assert_refused(&output, ":3: fault[0].target: T12 (polarity reversed) cannot apply to");
        assert_refused(&output, ":5: fault[1].kind: no fault 'T99'");
        assert_refused(&output, "fault[1]: key 'target' is missing");
    }
    let output = gridwatch(&["simulate", "--scenario", "nowhere.toml"]);
    assert_refused(&output, "nowhere.toml: the scenario cannot be read");
    let output = gridwatch(&["simulate", "--truth", "no/such/folder/truth.jsonl"]);
    assert_refused(&output, "truth log 'no/such/folder/truth.jsonl' cannot be written");
}

#[test]
fn demo_takes_a_scenario_and_the_snapshot_shows_it() {
    let (_folder, path) = file("one.toml", "[[fault]]\nkind = \"T05\"\ntarget = \"S1/unit 1\"\n");
    let output = gridwatch(&[
        "demo",
        "config/small.toml",
        "--once",
        "--json",
        "--port-base",
        "0",
        "--scenario",
        &path,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("\"refused\""), "the unit answers with exception 04");
}

#[test]
fn the_kinds_are_told_and_the_document_has_them_all() {
    let told = stdout(&gridwatch(&["inject", "--kinds", "--lang", "en"]));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let document = std::fs::read_to_string(file).unwrap();
    for spec in FAULTS {
        let row =
            document.lines().find(|l| l.starts_with(&format!("| {} `{}` |", spec.id, spec.word)));
        let row = row.unwrap_or_else(|| panic!("docs/faults.md has no row for {}", spec.id));
        assert!(told.contains(&format!("{}  {:<18} ", spec.id, spec.word)), "{told}");
        for parameter in spec.parameters {
            let name = format!("`{}`", parameter.name);
            assert!(row.contains(&name), "docs/faults.md, {}: {name} is missing", spec.id);
            assert!(told.contains(&format!("--set {}=", parameter.name)), "{told}");
        }
    }
}
