//! Every kind of mistake in a province file has its message pinned in the file that makes it.
//!
//! A file opens with the messages it must cause, one line each behind `#! `, with their line
//! numbers as they are in the file itself. `GRIDWATCH_BLESS=1` writes what is said today into the
//! files: read the difference before keeping it.

use config::Province;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Kinds of mistakes that must be covered at least.
const KINDS_MIN: usize = 25;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-configs");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn said(text: &str, path: &Path) -> Vec<String> {
    // Parsed under a short name, so that messages do not depend on where the tree stands; files
    // that name a folder are loaded, which needs the path.
    let folder = text.lines().any(|line| line.starts_with("bays = \""));
    let result = if folder { Province::load(path) } else { Province::parse("f", text) };
    let problems = result.err().map_or_else(Vec::new, |problems| problems.0);
    problems
        .iter()
        .map(|p| {
            let place = if p.key.is_empty() { String::new() } else { format!("{}: ", p.key) };
            let message = p.message.replace(&path.parent().unwrap().display().to_string(), "…");
            format!("#! {}: {place}{message}", p.line)
        })
        .collect()
}

#[test]
fn every_bad_file_says_what_is_wrong_where_and_what_to_do() {
    let bless = std::env::var_os("GRIDWATCH_BLESS").is_some();
    let mut wrong = String::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (pinned, body): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.starts_with("#! "));
        if bless {
            // The header moves the lines of the body: say it twice.
            let body = body.join("\n") + "\n";
            let count = said(&body, &path).len();
            let spaced = "#! \n".repeat(count) + &body;
            let header = said(&spaced, &path).join("\n") + "\n";
            std::fs::write(&path, header + &body).unwrap();
            continue;
        }
        let now = said(&text, &path);
        if now.is_empty() {
            writeln!(wrong, "{}: nothing was wrong with it", path.display()).unwrap();
        } else if now != pinned {
            writeln!(wrong, "{}:\n{}", path.display(), now.join("\n")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "messages differ from the pinned ones:\n{wrong}");
    assert!(files().len() >= KINDS_MIN);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_way_out() {
    let said = |path: &str| Province::load(Path::new(path)).unwrap_err().to_string();
    let missing = said("no/such/province.toml");
    assert!(
        missing.starts_with("no/such/province.toml: cannot be read: No such file"),
        "{missing}"
    );
    assert!(missing.ends_with("name a province file such as config/small.toml"), "{missing}");
    assert!(said("tests").starts_with("tests: is a folder"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latin1.toml");
    std::fs::write(&path, b"[province]\nname = \"H\xF2a\"\n").unwrap();
    let message = said(path.to_str().unwrap());
    assert!(message.ends_with("is not UTF-8 at byte 20; save it as UTF-8"), "{message}");
}

#[test]
fn no_text_makes_the_reader_panic() {
    // Every prefix of a valid file, and every file with one line left out.
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).step_by(97).collect();
    for end in ends {
        let _ = Province::parse("prefix", &text[..end]);
    }
    let lines: Vec<&str> = text.lines().collect();
    for n in 0..lines.len() {
        let rest: Vec<&str> =
            lines.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, line)| *line).collect();
        let _ = Province::parse("line left out", &rest.join("\n"));
    }
}
