//! Commands that only read are ended at whatever they are, at once: they say so, and leave nothing.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::{TempDir, tempdir};

use crate::cli::stderr;
use crate::field::PATIENCE;

/// A store of some days, which nobody writes.
fn store() -> (TempDir, Connection) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("gridwatch.db");
    fs::copy("tests/stores/0.1.0/recorded/gridwatch.db", &path).unwrap();
    let file = Connection::open(&path).unwrap();
    file.pragma_update(None, "journal_mode", "delete").unwrap();
    (folder, file)
}

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridwatch"));
    command.args(args).env("LANG", "en_US.UTF-8").env_remove("LC_ALL");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Waits until the program ends itself when it is told to, and tells it.
fn interrupt(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    wait_for("it listens", || {
        let said = fs::read_to_string(&status).unwrap_or_default();
        let caught = said.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        // SIGINT is number 2.
        caught.is_some_and(|mask| mask & 0b10 > 0)
    });
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
}

fn assert_stopped(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    assert_eq!(stderr(output), format!("gridwatch: {said}\n"));
}

const NOTHING: &str = "stopped, and nothing was written";
const NOT_WHOLE: &str = "stopped: what was written is not whole";

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn whoever_waits_for_the_store_is_ended_at_once() {
    let (folder, writer) = store();
    let out = tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    let file = |name: &str| out.path().join(name).to_str().unwrap().to_owned();
    // Nobody reads as long as this lasts, and a reader waits for five seconds.
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for end in ["r.xlsx", "r.csv"] {
        let (days, out) = (["--from", "2022-11-01", "--to", "2022-11-03"], file(end));
        let child = start(&[&["report", "--store", store, "--out", &out][..], &days].concat());
        interrupt(&child);
        assert_stopped(&child.wait_with_output().unwrap(), NOTHING);
    }
    for (args, said) in [
        (
            &["store", "check"][..],
            "stopped before all of it was read: whether it is whole is not known",
        ),
        (&["show"], "stopped before all of it was shown"),
        (&["show", "why", "S1", "--at", "2022-11-02 12:00"], "stopped before all of it was shown"),
    ] {
        let child = start(&[args, &["--store", store]].concat());
        interrupt(&child);
        assert_stopped(&child.wait_with_output().unwrap(), said);
    }
    let out_file = file("v.parquet");
    let child = start(&["store", "export", "values", "--store", store, "--out", &out_file]);
    interrupt(&child);
    assert_stopped(&child.wait_with_output().unwrap(), NOTHING);
    assert_eq!(names(out.path()), Vec::<String>::new());
}

#[test]
fn whoever_writes_leaves_no_half_of_a_file_and_says_what_others_have_read() {
    let (folder, file) = store();
    file.execute_batch(
        "INSERT INTO alarm (station, cause, reason, raised_ms, priority, centres, signals, returned_ms, open)
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 400000)
         SELECT 'S1', 'link', 'no_link', 1667408700000 + x, 1, 'CC', 3, 1667408700001 + x, 0 FROM n",
    )
    .unwrap();
    drop(file);
    let (store, out) = (folder.path().to_str().unwrap(), tempdir().unwrap());
    fs::write(out.path().join("a.csv"), "the one before").unwrap();
    let to = out.path().join("a.csv");
    let export = ["store", "export", "alarms", "--store", store];
    let child = start(&[&export[..], &["--out", to.to_str().unwrap()]].concat());
    wait_for("it has begun", || names(out.path()).len() == 2);
    interrupt(&child);
    assert_stopped(&child.wait_with_output().unwrap(), NOTHING);
    assert_eq!(names(out.path()), ["a.csv"]);
    assert_eq!(fs::read_to_string(&to).unwrap(), "the one before");
    // Somebody reads what comes, and no further: it is blocked.
    let mut child = start(&export);
    let mut read = [0; 100];
    child.stdout.as_mut().unwrap().read_exact(&mut read).unwrap();
    let pipe = child.stdout.take();
    interrupt(&child);
    assert_stopped(&child.wait_with_output().unwrap(), NOT_WHOLE);
    drop(pipe);
    // A pipe of a name.
    let pipe = out.path().join("pipe.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = start(&[&export[..], &["--out", pipe.to_str().unwrap()]].concat());
    let mut reader = fs::File::open(&pipe).unwrap();
    reader.read_exact(&mut read).unwrap();
    interrupt(&child);
    assert_stopped(&child.wait_with_output().unwrap(), NOT_WHOLE);
}
