//! A store that somebody takes away while a monitor keeps it: it says so, and keeps again when it can.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{ChannelId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::collector::plan::{Plan, layouts, plans};
use gridwatch::historian::snapshot::{Keeping, LinkState};
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::series::Buffer;
use gridwatch::series::fresh::Row;
use gridwatch::store::{Batch, Keeper, Reader, StoreError, Writer, set_aside, upkeep};
use tempfile::tempdir;

use crate::cli::{gridwatch, stderr, stdout};
use crate::field::{PATIENCE, small};

/// A batch; one that begins a session says everything.
fn batch(province: &Province, begins: bool, seconds: i64) -> Batch {
    let at = Timestamp(1_669_188_727_000 + 1_000 * seconds);
    let judgement = |n: usize| {
        let points = province.stations[province.channels[n].station.index()].points.len();
        let state = VerdictState::default();
        let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
        Judgement { channel: ChannelId::at(n), at, link: LinkState::Connected, whole: true, runs }
    };
    let channels = if begins { province.channels.len() } else { 0 };
    Batch { judgements: (0..channels).map(judgement).collect(), ..Batch::empty(begins, at) }
}

/// A monitor that hands a batch a second to its keeper, in a time of its own, and values of one block.
struct Watch {
    keeper: Keeper,
    province: Arc<Province>,
    plan: Arc<Plan>,
    buffer: Buffer,
    second: i64,
    begins: bool,
}

impl Watch {
    fn of(folder: &Path) -> Self {
        let province = Arc::new(small());
        let keeper = Keeper::start(folder, &province).unwrap();
        let mut watch = Self::with(keeper, province, 0);
        for _ in 0..3 {
            assert_eq!(watch.next().trouble, None);
        }
        watch
    }

    fn with(keeper: Keeper, province: Arc<Province>, second: i64) -> Self {
        let plans = plans(&province);
        let mut buffer = Buffer::new(&province, &layouts(&plans), 1 << 20);
        buffer.keep_fresh();
        Self { keeper, province, plan: Arc::clone(&plans[0]), buffer, second, begins: true }
    }

    /// A reply a second, which stays open for so long as a monitor lets it.
    fn values(&mut self, batch: &mut Batch) {
        let of = &self.plan.layout.groups[0];
        let row = vec![u8::try_from(self.second % 100).unwrap(); of.row_bytes];
        let (channel, at) = (ChannelId::at(0), batch.until);
        let columns = 0..u16::try_from(of.columns.len()).unwrap();
        self.buffer.accept_row(&Row { channel, group: 0, at, columns, row: &row });
        batch.fresh = self.buffer.take_fresh();
        let open_from = self.buffer.seal_before(at.plus(-5_000));
        batch.open_from = open_from.unwrap_or(at.plus(1));
        batch.values = self.buffer.take_sealed();
    }

    /// When a value of the first point of the block came, as the store has it.
    fn kept(&self, folder: &Path) -> Vec<i64> {
        let station = &self.province.stations[0];
        let entries = &self.province.channels[0].entries;
        let (point, _) = self.buffer.columns((ChannelId::at(0), 0)).unwrap()[0];
        assert!(entries[point.index()].register.is_some());
        let centre = &self.province.centres[self.province.channels[0].centre.index()].id;
        let path = (&station.id[..], &centre[..], &station.points[point.index()].id[..]);
        let always = (Timestamp(i64::MIN), Timestamp(i64::MAX));
        let mut kept = Vec::new();
        Reader::open(folder)
            .unwrap()
            .values(path, always, |value| {
                kept.push(value.at.since(batch(&self.province, false, 0).until) / 1_000);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        kept
    }

    /// One more second, and how keeping goes when it was dealt with.
    fn next(&mut self) -> Keeping {
        self.second += 1;
        let begins = std::mem::take(&mut self.begins) || self.keeper.lacks();
        let mut batch = batch(&self.province, begins, self.second);
        self.values(&mut batch);
        let at = batch.until;
        self.keeper.offer(batch);
        let patience = Instant::now() + PATIENCE;
        loop {
            let keeping = self.keeper.keeping();
            if keeping.until == Some(at) && keeping.trouble.is_none() {
                return keeping;
            }
            if keeping.trouble.is_some() && self.keeper.lacks() {
                self.begins = true;
                return keeping;
            }
            assert!(Instant::now() < patience, "{keeping:?}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// It is said within two commits what is wrong.
    fn assert_told(&mut self, what: &str) {
        let keeping = self.next();
        let keeping = if keeping.trouble.is_some() { keeping } else { self.next() };
        let (_, why) = keeping.trouble.unwrap();
        assert!(why.contains(what), "{why}");
    }

    /// As many values as seconds, but for those that could not be written, each once, whatever was taken away.
    fn assert_each_value_is_there_once(&mut self, folder: &Path) {
        for _ in 0..20 {
            assert_eq!(self.next().trouble, None);
        }
        let expected: Vec<i64> = (1..=self.second).collect();
        assert_eq!(self.kept(folder), expected);
        assert_eq!(upkeep::check(folder).unwrap().faults, Vec::<String>::new());
    }

    fn assert_kept_again(&mut self, folder: &Path, sessions: usize) {
        let keeping = self.next();
        let keeping = if keeping.trouble.is_none() { keeping } else { self.next() };
        assert_eq!(keeping.trouble, None);
        let kept = Reader::open(folder).unwrap().sessions().unwrap();
        assert_eq!(kept.len(), sessions);
        assert_eq!(kept.last().unwrap().until, keeping.until.unwrap());
        assert_eq!(upkeep::check(folder).unwrap().faults, Vec::<String>::new());
    }
}

#[test]
fn a_store_that_is_deleted_is_told_and_begun_anew_after_a_while() {
    let parent = tempdir().unwrap();
    let folder = parent.path().join("store");
    let mut watch = Watch::of(&folder);
    fs::remove_dir_all(&folder).unwrap();
    watch.assert_told("deleted or moved away");
    for _ in 0..8 {
        watch.assert_told("deleted or moved away");
        assert!(!folder.exists(), "it may be put back");
    }
    watch.second += 5;
    watch.assert_kept_again(&folder, 1);
}

#[test]
fn a_store_that_is_moved_away_and_put_back_is_gone_on_with() {
    let parent = tempdir().unwrap();
    let (folder, elsewhere) = (parent.path().join("store"), parent.path().join("elsewhere"));
    let mut watch = Watch::of(&folder);
    fs::rename(&folder, &elsewhere).unwrap();
    watch.assert_told("deleted or moved away");
    fs::rename(&elsewhere, &folder).unwrap();
    watch.assert_kept_again(&folder, 2);
    watch.assert_each_value_is_there_once(&folder);
}

#[test]
fn a_store_whose_log_is_deleted_loses_nothing() {
    let parent = tempdir().unwrap();
    let folder = parent.path().join("store");
    let mut watch = Watch::of(&folder);
    fs::remove_file(folder.join("gridwatch.db-wal")).unwrap();
    watch.assert_told("deleted or moved away");
    watch.assert_kept_again(&folder, 2);
    watch.assert_each_value_is_there_once(&folder);
}

#[test]
fn a_store_that_takes_the_place_of_the_file_alone_is_not_mixed_with_the_log_of_the_other() {
    let parent = tempdir().unwrap();
    let (folder, other) = (parent.path().join("store"), parent.path().join("other"));
    // A store with a history of its own, of an hour before.
    let mut writer = Writer::open(&other, &Arc::new(small())).unwrap();
    for second in -3_600..-3_590 {
        writer.commit(&batch(&small(), second == -3_600, second)).unwrap();
    }
    writer.close().unwrap();
    let mut watch = Watch::of(&folder);
    fs::rename(other.join("gridwatch.db"), folder.join("gridwatch.db")).unwrap();
    watch.assert_told("replaced by another one");
    watch.assert_kept_again(&folder, 2);
    let sessions = Reader::open(&folder).unwrap().sessions().unwrap();
    assert_eq!(sessions[0].from, batch(&watch.province, true, -3_600).until, "its history stays");
    assert_eq!(sessions[0].until, batch(&watch.province, true, -3_591).until);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_to_the_file_of_a_store_is_followed() {
    use std::os::unix::fs::symlink;
    let parent = tempdir().unwrap();
    let path = |name: &str| parent.path().join(name);
    let (folder, disk, other) = (path("store"), path("disk"), path("other"));
    for place in [&folder, &disk, &other] {
        fs::create_dir(place).unwrap();
    }
    let link = folder.join("gridwatch.db");
    // It leads to no file: no store is begun where nobody wants it.
    symlink(disk.join("gridwatch.db"), &link).unwrap();
    let province = Arc::new(small());
    for refused in [
        Keeper::start(&folder, &province).err(),
        Reader::open(&folder).err(),
        upkeep::check(&folder).err(),
    ] {
        let said = refused.unwrap().to_string();
        assert!(said.contains("a symbolic link that leads to no file"), "{said}");
    }
    assert!(fs::read_dir(&disk).unwrap().next().is_none());
    Writer::open(&disk, &province).unwrap().close().unwrap();
    let mut watch = Watch::of(&folder);
    // What is in the log alone is read over the link, and over it or not, one writes.
    assert_eq!(watch.kept(&folder), [1, 2, 3]);
    for own in [&folder, &disk] {
        assert!(matches!(Writer::open(own, &province), Err(StoreError::InUse(_))));
    }
    watch.assert_each_value_is_there_once(&folder);
    // The link leads to another store from now on: what was kept in the first one stays.
    Writer::open(&other, &province).unwrap().close().unwrap();
    fs::rename(other.join("gridwatch.db"), other.join("of_another_name.db")).unwrap();
    fs::remove_file(&link).unwrap();
    symlink("../other/of_another_name.db", &link).unwrap();
    let before = watch.second;
    watch.assert_told("replaced by another one");
    assert_eq!(watch.kept(&disk), (1..=before).collect::<Vec<_>>());
    assert_eq!(upkeep::check(&disk).unwrap().faults, Vec::<String>::new());
    watch.assert_kept_again(&folder, 1);
    fs::remove_file(&link).unwrap();
    watch.assert_told("deleted or moved away");
    symlink("../other/of_another_name.db", &link).unwrap();
    watch.assert_kept_again(&folder, 2);
    drop(watch);
    let copied = upkeep::backup(&folder, &path("copy"), |_| std::ops::ControlFlow::Continue(()));
    assert!(copied.unwrap().is_file());
    assert_eq!(Reader::open(&path("copy")).unwrap().sessions().unwrap().len(), 2);
}

#[test]
fn a_store_that_another_one_takes_the_place_of_is_told() {
    let parent = tempdir().unwrap();
    let (folder, other) = (parent.path().join("store"), parent.path().join("other"));
    let mut watch = Watch::of(&folder);
    let first = watch.second - 2;
    Writer::open(&other, &watch.province).unwrap().close().unwrap();
    fs::rename(&folder, parent.path().join("elsewhere")).unwrap();
    fs::rename(&other, &folder).unwrap();
    watch.assert_told("replaced by another one");
    watch.assert_kept_again(&folder, 1);
    let old = Reader::open(&parent.path().join("elsewhere")).unwrap().sessions().unwrap();
    assert_eq!(old[0].from, batch(&watch.province, true, first).until, "what was kept stays");
    // Something that is no store is not written to.
    fs::rename(&folder, parent.path().join("second")).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("gridwatch.db"), "not a database at all, but long enough to be read")
        .unwrap();
    watch.assert_told("replaced by another one");
    watch.assert_told("not a store of gridwatch");
    fs::remove_file(folder.join("gridwatch.db")).unwrap();
    watch.second += 11;
    watch.assert_kept_again(&folder, 1);
}

#[test]
fn what_a_store_has_of_the_future_is_set_aside_and_kept_and_the_monitor_goes_on() {
    let parent = tempdir().unwrap();
    let (folder, copy) = (parent.path().join("store"), parent.path().join("aside"));
    let province = Arc::new(small());
    let mut writer = Writer::open(&folder, &province).unwrap();
    for (begins, second) in [(true, 1), (false, 2), (true, 1_000_000), (false, 1_000_001)] {
        writer.commit(&batch(&province, begins, second)).unwrap();
    }
    writer.close().unwrap();
    let keeper = Keeper::start(&folder, &province).unwrap();
    let mut watch = Watch::with(keeper, province, 9);
    watch.assert_told("store aside");
    // The monitor that waits for it holds nothing.
    let now = batch(&watch.province, true, watch.second).until;
    let aside = set_aside(&folder, now, &copy).unwrap().unwrap();
    assert_eq!((aside.sessions, aside.rows), (1, watch.province.channels.len() + 1));
    watch.assert_kept_again(&folder, 2);
    assert_eq!(Reader::open(&copy).unwrap().sessions().unwrap().len(), 2);
    assert_eq!(upkeep::check(&copy).unwrap().faults, Vec::<String>::new());
    drop(watch);
    let again = set_aside(&folder, now.plus(60_000), &parent.path().join("again")).unwrap();
    assert_eq!(again, None);
    assert!(!parent.path().join("again").exists());
}

#[test]
fn the_command_sets_aside_what_is_later_than_now() {
    // Two seconds that are long over, and two of a clock that was some 300 years ahead.
    let far = 9_000_000_000;
    let parent = tempdir().unwrap();
    let (folder, copy) = (parent.path().join("store"), parent.path().join("aside"));
    let province = Arc::new(small());
    let mut writer = Writer::open(&folder, &province).unwrap();
    for (begins, second) in [(true, 1), (false, 2), (true, far), (false, far + 1)] {
        writer.commit(&batch(&province, begins, second)).unwrap();
    }
    writer.close().unwrap();
    let [store, to] = [&folder, &copy].map(|path| path.to_str().unwrap());
    let check = gridwatch(&["store", "check", "--store", store]);
    let said = stdout(&check);
    assert!(said.contains("into the future") && said.contains("gridwatch store aside"), "{said}");
    let aside = ["store", "aside", "--store", store, "--to", to];
    let done = gridwatch(&aside);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(stdout(&done).contains(to), "it says where the copy is: {}", stdout(&done));
    let sessions = |folder: &Path| Reader::open(folder).unwrap().sessions().unwrap();
    assert_eq!(sessions(&folder), [sessions(&copy)[0]], "what is not of the future stays");
    assert_eq!(sessions(&copy).len(), 2, "the copy has all of it");
    let check = gridwatch(&["store", "check", "--store", store]);
    assert!(!stdout(&check).contains("future") && stdout(&check).ends_with("whole\n"));
    // Nothing is left to do, and the copy of before is not touched.
    let again = gridwatch(&aside);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(sessions(&copy).len(), 2);
}
