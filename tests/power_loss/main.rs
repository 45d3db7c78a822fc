//! The power is lost at any moment while a monitor keeps: what its store has called durable is there.
//!
//! A process of its own, since the file layer of `SQLite` is another one here (`layer.rs`). Some minutes of
//! a province are recorded through the real writer, session by session; each deed on its files is written
//! down. Then for any moment of that a disk is made as it may be after a loss (`disk.rs`), and looked at.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disk;
mod layer;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use config::Province;
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::plans;
use gridwatch::collector::reading::Reading;
use gridwatch::historian::Historian;
use gridwatch::historian::picture::Picture;
use gridwatch::history::{Span, Window, channel_history};
use gridwatch::recording::{Recording, Sink};
use gridwatch::series::Buffer;
use gridwatch::store::{Batch, Gatherer, Reader, Writer, upkeep};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use sha2::{Digest as _, Sha256};
use sim::Plans;
use sim::faults::Scenario;
use tempfile::tempdir;

use disk::{Disk, Lost};
use layer::Deed;

/// There is one log of deeds in the process.
static ALONE: Mutex<()> = Mutex::new(());

const START: i64 = 1_669_000_000_000;
/// Time between two commits.
const COMMIT_EVERY_MS: i64 = 1_000;

/// Faults that come and go, so that there is always something to keep.
fn restless() -> String {
    let kinds = [("T07", "S1.110.171"), ("T08", "S2"), ("T05", "S3"), ("T01", "S1")];
    (0..400).fold(String::new(), |mut text, n| {
        let (kind, target) = kinds[n % 4];
        let fault = format!("[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\n");
        writeln!(text, "{fault}at = \"{}s\"\nfor = \"3s\"\n", 1 + n * 2).unwrap();
        text
    })
}

/// A province by one of two contracts.
fn province(contract: usize) -> Arc<Province> {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let text =
        text.replacen("stale_after = 3 ", ["stale_after = 3 ", "stale_after = 4 "][contract], 1);
    Arc::new(Province::parse("small.toml", &text).unwrap())
}

/// What the store had after a step that had come back, and how many deeds that took.
struct Step {
    deeds: usize,
    digest: Vec<u8>,
}

impl Step {
    /// A step that has come back just now.
    fn of(folder: &Path) -> Self {
        Self { deeds: layer::deeds(), digest: digest(folder).unwrap() }
    }
}

/// Everything that was done, and what the store said it had.
struct Kept {
    deeds: Vec<(PathBuf, Deed)>,
    steps: Vec<Step>,
    /// The first batch of all, as a pattern of one that begins a session.
    first: Batch,
}

/// Keeps a recording as a monitor does, and notes each step.
struct Witness {
    writer: Writer,
    buffer: Buffer,
    gatherer: Gatherer,
    folder: PathBuf,
    steps: Vec<Step>,
    first: Option<Batch>,
}

impl Witness {
    fn note(&mut self) {
        self.steps.push(Step::of(&self.folder));
    }
}

impl Sink for Witness {
    fn accept(&mut self, reading: &Reading) -> io::Result<()> {
        self.buffer.accept(reading);
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        picture: &mut Picture,
        last: bool,
    ) -> io::Result<()> {
        let sources = (historian, &mut self.buffer);
        if let Some(batch) = self.gatherer.gather(sources, picture, (COMMIT_EVERY_MS, last)) {
            self.writer.commit(&batch).unwrap();
            self.first.get_or_insert(batch);
            self.note();
        }
        Ok(())
    }
}

/// Four sessions one after the other: two end well, two without a word; the third by another contract.
fn keep(seconds: i64) -> Kept {
    layer::begin();
    let folder = tempdir().unwrap();
    let (mut steps, mut first) = (Vec::new(), None);
    for (n, contract, ends_well) in [(0, 0, true), (1, 0, false), (2, 1, false), (3, 0, true)] {
        let province = province(contract);
        let start = START + n * (seconds + 60) * 1_000;
        let plans = plans(&province);
        // So little that heads are sealed and joined within the session.
        let mut buffer = Buffer::new(&province, &plans, 1 << 20);
        buffer.keep_fresh();
        let mut witness = Witness {
            writer: Writer::open(folder.path(), &province).unwrap(),
            buffer,
            gatherer: Gatherer::new(Timestamp(start)),
            folder: folder.path().to_owned(),
            steps: std::mem::take(&mut steps),
            first: first.take(),
        };
        witness.note();
        let scenario = Scenario::parse(&province, "restless.toml", &restless()).unwrap();
        let to_come = Plans { scenario: Some(scenario), ..Plans::default() };
        let window = (Timestamp(start), Timestamp(start + seconds * 1_000));
        let mut recording = Recording::start(&province, to_come, window);
        while recording.step(&mut witness).unwrap() {}
        if ends_well {
            recording.end(&mut witness).unwrap();
        }
        (steps, first) = (witness.steps, witness.first);
        if ends_well {
            witness.writer.close().unwrap();
        } else {
            drop(witness.writer);
        }
        steps.push(Step::of(folder.path()));
    }
    Kept { deeds: layer::end(), steps, first: first.unwrap() }
}

/// Everything that a store has, row by row; the same for one that is not there yet.
fn digest(folder: &Path) -> Result<Vec<u8>, rusqlite::Error> {
    let mut sum = Sha256::new();
    let path = folder.join("gridwatch.db");
    if path.is_file() {
        let store = rusqlite::Connection::open(path)?;
        let is_there = |table: &str| store.table_exists(None, table);
        let tables =
            ["contract", "datalist", "session", "judgement", "event", "lost_events", "asked"];
        for table in tables.iter().chain(&["metering", "layout", "block", "chunk", "journal"]) {
            if !is_there(table)? {
                continue;
            }
            let mut all = store.prepare(&format!("SELECT * FROM {table}"))?;
            let columns = all.column_count();
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                sum.update(table);
                for n in 0..columns {
                    sum.update(format!("{:?}", row.get_ref(n)?));
                }
            }
        }
    }
    Ok(sum.finalize().to_vec())
}

/// What the losses came to.
#[derive(Debug, Default)]
struct Seen {
    losses: usize,
    /// Steps that had come back before them.
    steps: usize,
    /// Losses while a step was under way that was there as a whole all the same.
    ahead: usize,
    /// Losses while the log was being put into the database.
    in_checkpoint: usize,
    dropped: usize,
    kept: usize,
    /// Losses after which something that had come back was not there.
    lost: usize,
}

/// Loses the power some times, and looks at what is left.
fn lose(kept: &Kept, times: usize, seed: u64, lies: bool) -> Seen {
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut seen = Seen::default();
    for _ in 0..times {
        let moment = chance.random_range(1..=kept.deeds.len());
        let done = kept.steps.partition_point(|step| step.deeds <= moment);
        let folder = tempdir().unwrap();
        let Lost { dropped, kept: pieces } =
            Disk::after(&kept.deeds[..moment], lies).put(folder.path(), &mut chance);
        seen.losses += 1;
        (seen.steps, seen.dropped, seen.kept) =
            (seen.steps + done, seen.dropped + dropped, seen.kept + pieces);
        let (path, deed) = &kept.deeds[moment - 1];
        let in_database = path.ends_with("gridwatch.db") && matches!(deed, Deed::Written(..));
        seen.in_checkpoint += usize::from(in_database);
        // A store that cannot be read has lost what it had.
        let is = digest(folder.path()).ok();
        let nothing = digest(&folder.path().join("nowhere")).ok();
        let before = done.checked_sub(1).map(|n| kept.steps[n].digest.clone()).or(nothing);
        let after = kept.steps.get(done).map(|step| step.digest.clone());
        if is == after && is != before {
            seen.ahead += 1;
        } else if is != before {
            seen.lost += 1;
            continue;
        }
        if !lies {
            go_on(folder.path(), &kept.first);
        }
    }
    seen
}

/// The store is whole, and a monitor that begins anew goes on with it: sessions do not overlap, and what
/// lies between is not observed.
fn go_on(folder: &Path, first: &Batch) {
    let province = province(0);
    let mut writer = Writer::open(folder, &province).unwrap();
    let begins = writer.until().0.max(START) + 30_000;
    let ms = begins - first.until.0;
    let mut batch = first.clone();
    batch.until = first.until.plus(ms + 60_000);
    batch.judgements.iter_mut().for_each(|judgement| judgement.at = judgement.at.plus(ms));
    (batch.events, batch.asked) = (Vec::new(), None);
    (batch.values, batch.fresh, batch.open_from) = (Vec::new(), Vec::new(), batch.until);
    writer.commit(&batch).unwrap();
    writer.close().unwrap();
    let found = upkeep::check(folder).unwrap();
    assert_eq!(found.fault_count, 0, "{:?}", found.faults);
    let reader = Reader::open(folder).unwrap();
    let sessions = reader.sessions().unwrap();
    for pair in sessions.windows(2) {
        assert!(pair[0].until < pair[1].from, "{pair:?} do not overlap");
    }
    let last = sessions[sessions.len() - 1];
    let span = Span::new(sessions[0].from, last.until);
    let window = Window::new(span, &[], &sessions);
    let watched: i64 = sessions.iter().map(|session| session.until.since(session.from)).sum();
    assert_eq!(window.observed_ms(), watched);
    for channel in &province.channels {
        for era in &window.eras {
            let by = reader.contract(era.contract).unwrap().province;
            let history = channel_history(&reader, &by, channel, &window, era).unwrap();
            let times = history.times();
            let bad: i64 = times.by_reason.iter().sum();
            assert_eq!(times.good + bad + times.unobserved, times.required);
        }
    }
}

#[test]
fn what_was_called_durable_is_there_after_the_power_was_lost() {
    let _alone = ALONE.lock();
    let kept = keep(24);
    let seen = lose(&kept, 20, 1, false);
    println!("{seen:?}");
    assert_eq!(seen.lost, 0, "{seen:?}");
    assert!(seen.dropped > 100 && seen.kept > 100 && seen.steps > 20, "{seen:?}");
    // And this would be seen: a disk that says it has written what it has not loses something.
    let lied = lose(&kept, 10, 2, true);
    assert!(lied.lost > 0, "{lied:?}");
}

#[test]
#[ignore = "a hundred losses take some minutes"]
fn a_hundred_power_losses_lose_nothing_that_was_called_durable() {
    let _alone = ALONE.lock();
    let kept = keep(400);
    let seen = lose(&kept, 300, 3, false);
    println!("{} deeds, {} steps; {seen:?}", kept.deeds.len(), kept.steps.len());
    assert_eq!(seen.lost, 0, "{seen:?}");
    assert!(seen.in_checkpoint > 0 && seen.ahead > 0, "{seen:?}");
}
