//! What is kept: some minutes of a province, session by session, as a monitor does it, and a restart with
//! what a loss has left. Each step that has come back is noted with what the store had by then.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Date, Province, Zone};
use crc32fast::Hasher;
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::{layouts, plans};
use gridwatch::historian::Historian;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::recording::{Recording, Sink};
use gridwatch::series::Buffer;
use gridwatch::signal::update::Update;
use gridwatch::store::upkeep::{self, Forget};
use gridwatch::store::{Batch, Reader, Recorder, Session, Writer};
use rusqlite::types::ValueRef;
use sim::{Plans, Scenario};
use tempfile::tempdir;

use crate::disk::Image;
use crate::layer::{self, Noted};

const START: i64 = 1_669_000_000_000;
/// The first session is so much older than the others.
const LONG_MS: i64 = 40 * 86_400_000;
/// The local day of the others.
const DAY: Date = Date { year: 2022, month: 11, day: 21 };
/// Time between two commits.
const COMMIT_EVERY_MS: i64 = 1_000;

/// Faults that come and go and keys that are turned, so that there is always something to keep; half of the
/// records of S1 are lost.
fn restless() -> String {
    let kinds = [("T07", "S1.110.171"), ("T08", "S2"), ("T05", "S3"), ("T01", "S1")];
    let lossy = "[[fault]]\nkind = \"T23\"\ntarget = \"S1\"\nlost = 0.5\n";
    // Long enough to be an alarm.
    let cut = "[[fault]]\nkind = \"T01\"\ntarget = \"S2\"\nat = \"1s\"\nfor = \"600s\"\n";
    (0..400).fold(format!("{lossy}{cut}"), |mut text, n| {
        let (kind, target) = kinds[n % 4];
        let fault = format!("[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\n");
        writeln!(text, "{fault}at = \"{}s\"\nfor = \"3s\"\n", 1 + n * 2).unwrap();
        let key = ["S1.110.172.CB.RL", "S2.110.172.CB.RL"][n / 2 % 2];
        let set = format!("[[plant]]\ndo = \"set\"\npoint = \"{key}\"\ncode = {}\n", n % 2);
        writeln!(text, "{set}at = \"{n}s\"\n").unwrap();
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

/// Everything that a store has: its rows, how many and their sum; nothing for one that is not there yet.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Digest {
    pub(crate) rows: usize,
    sum: u32,
}

/// What the store had after a step that had come back, and how many operations that took.
pub(crate) struct Step {
    pub(crate) operations: usize,
    pub(crate) digest: Digest,
}

impl Step {
    /// A step that has come back just now.
    fn of(folder: &Path) -> Self {
        Self { operations: layer::operations(), digest: digest(folder).unwrap() }
    }
}

/// Everything that was done, and what the store said it had.
pub(crate) struct Kept {
    /// What was there before, and what the store had then.
    pub(crate) before: (Image, Digest),
    pub(crate) operations: Vec<Noted>,
    pub(crate) steps: Vec<Step>,
    /// Actions of the steps that are rare: the store is made; old values are forgotten; everything old is.
    pub(crate) creation: Range<usize>,
    pub(crate) forgetting: Range<usize>,
    pub(crate) compaction: Range<usize>,
}

/// How a monitor begins: its province, and its first batch.
pub(crate) struct Beginning {
    pub(crate) province: Arc<Province>,
    batch: Batch,
}

/// Keeps a recording as a monitor does, and notes each step.
struct Witness {
    writer: Writer,
    recorder: Recorder,
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
    fn accept(&mut self, update: &Update) -> io::Result<()> {
        self.recorder.accept(update);
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        last: bool,
    ) -> io::Result<()> {
        if let Some(batch) = self.recorder.look(historian, snapshot, (COMMIT_EVERY_MS, last)) {
            self.writer.commit(&batch).unwrap();
            self.first.get_or_insert(batch);
            self.note();
        }
        Ok(())
    }
}

/// Four sessions one after the other: two end well, two without a word; the third by another contract. After
/// the second, somebody forgets the values of the first; after the last one all of it. Also returns how the
/// first one of all began.
pub(crate) fn keep(seconds: i64) -> (Kept, Beginning) {
    layer::begin();
    let folder = tempdir().unwrap();
    let (mut steps, mut first) = (Vec::new(), None);
    let (mut creation, mut forgetting) = (0..0, 0..0);
    for (n, contract, ends_well) in [(0, 0, true), (1, 0, false), (2, 1, false), (3, 0, true)] {
        let province = province(contract);
        let start = if n == 0 { START - LONG_MS } else { START + n * (seconds + 60) * 1_000 };
        let plans = plans(&province);
        // So little that heads are sealed and joined within the session.
        let mut buffer = Buffer::new(&province, &layouts(&plans), 1 << 20);
        buffer.keep_fresh();
        let mut witness = Witness {
            writer: Writer::open(folder.path(), &province).unwrap(),
            recorder: Recorder::new(Timestamp(start), buffer),
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
        if n == 0 {
            creation = 1..steps[0].operations;
        }
        if ends_well {
            witness.writer.close().unwrap();
        } else {
            drop(witness.writer);
        }
        steps.push(Step::of(folder.path()));
        if n == 1 {
            forgetting = compact(folder.path(), true, &mut steps);
        }
    }
    let found = upkeep::check(folder.path()).unwrap();
    // What was in the journal is in chunks, and nobody set the clock.
    let is_kept = |table: &str, rows: u64| rows > 0 || ["journal", "clock_jump"].contains(&table);
    assert!(found.rows.iter().all(|(table, rows)| is_kept(table, *rows)), "{found:?}");
    let left = sessions(folder.path());
    assert_eq!(left.len(), 4);
    let compaction = compact(folder.path(), false, &mut steps);
    assert_eq!(
        sessions(folder.path())[1..],
        left[1..],
        "all that is left of the first is its contract"
    );
    let before = (Image::new(), Digest::default());
    let beginning = Beginning { province: province(0), batch: first.unwrap() };
    (Kept { before, operations: layer::end(), steps, creation, forgetting, compaction }, beginning)
}

fn sessions(folder: &Path) -> Vec<Session> {
    Reader::open(folder).unwrap().sessions().unwrap()
}

/// Forgets what is older than the day of the later sessions and gives its room back: two transactions, but the
/// second changes no row. Returns the operations that it takes.
fn compact(folder: &Path, only_values: bool, steps: &mut Vec<Step>) -> Range<usize> {
    let begins = layer::operations() + 1;
    let forget = Forget { before: DAY, only_values, zone: Zone::hours(7) };
    upkeep::compact(folder, Some(forget)).unwrap();
    steps.push(Step::of(folder));
    begins..steps[steps.len() - 1].operations
}

/// What the store of a folder has. Whoever asks brings it in order, as every connection that may write does.
pub(crate) fn digest(folder: &Path) -> Result<Digest, rusqlite::Error> {
    let (mut sum, mut count) = (Hasher::new(), 0);
    let path = folder.join("gridwatch.db");
    if path.is_file() {
        let store = rusqlite::Connection::open(path)?;
        let mut names = store.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        // In the order of their names, as sets are.
        let names: BTreeSet<String> =
            names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for table in names {
            let mut all = store.prepare(&format!("SELECT * FROM {table}"))?;
            let columns = all.column_count();
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                count += 1;
                sum.update(table.as_bytes());
                for n in 0..columns {
                    let field = row.get_ref(n)?;
                    // Bytes as they are: to format them takes longer than all the rest.
                    if let ValueRef::Blob(bytes) | ValueRef::Text(bytes) = field {
                        sum.update(field.data_type().to_string().as_bytes());
                        sum.update(&bytes.len().to_le_bytes());
                        sum.update(bytes);
                    } else {
                        sum.update(format!("{field:?}").as_bytes());
                    }
                }
            }
        }
    }
    Ok(Digest { rows: count, sum: sum.finalize() })
}

/// A monitor begins anew with what is left in a folder, and goes on with another session.
pub(crate) fn restart(folder: &Path, before: (Image, Digest), beginning: &Beginning) -> Kept {
    let first = &beginning.batch;
    layer::begin();
    let mut writer = Writer::open(folder, &beginning.province).unwrap();
    let mut steps = vec![Step::of(folder)];
    let begins = writer.until().0.max(START - LONG_MS) + 30_000;
    let ms = begins - first.until.0;
    let mut batch = first.clone();
    batch.until = first.until.plus(ms + 60_000);
    batch.judgements.iter_mut().for_each(|judgement| judgement.at = judgement.at.plus(ms));
    (batch.events, batch.asked) = (Vec::new(), None);
    (batch.values, batch.fresh, batch.open_from) = (Vec::new(), Vec::new(), batch.until);
    writer.commit(&batch).unwrap();
    steps.push(Step::of(folder));
    writer.close().unwrap();
    steps.push(Step::of(folder));
    let creation = if before.1.rows == 0 { 1..steps[0].operations } else { 0..0 };
    Kept { before, operations: layer::end(), steps, creation, forgetting: 0..0, compaction: 0..0 }
}
