//! Forgetting: what lies behind a cut is told as before, what lies before it as no longer kept, and nothing is
//! forgotten by a clock that leapt or for who only looks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use config::{CentreId, ChannelId, Date, Flags, Lang, PointId, Province, StationId, Zone};
use gridwatch::clock::{DAY_MS, Timestamp};
use gridwatch::collector::plan::{BlockContent, Plan, layouts, plans};
use gridwatch::historian::alarms::{Alarm, AlarmCause, AlarmChange, Priority, Raised};
use gridwatch::historian::counts::Share;
use gridwatch::historian::events::{Change, EventEntry, Happening, RecordGap, TimeDoubt};
use gridwatch::historian::issues::{IssueId, Scope};
use gridwatch::historian::snapshot::{LinkState, Reads};
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::historian::verdict_log::{Judgement, PollStats, Run, VerdictState};
use gridwatch::history::{ChannelHistory, LinkHistory, Span, Times, Window, channel_history, past};
use gridwatch::report::period::Period;
use gridwatch::report::{ReportRequest, json, report};
use gridwatch::series::{Buffer, fresh};
use gridwatch::signal::layout::Part;
use gridwatch::store::upkeep::{self, Compacted, Forget};
use gridwatch::store::{Batch, By, CommandsKept, Kept, MeterKind, MeterLine, Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value as Json;
use tempfile::tempdir;

const HOURS: i8 = 7;
/// The same as a zone.
const ZONE: Zone = Zone::hours(HOURS);
const HOUR_MS: i64 = 3_600_000;

/// One station with two feeders, by contracts of which the second lacks some points and the third keeps little; so does
/// the fourth, where clocks are set, and the fifth but for verdicts.
fn contract(n: usize) -> Arc<Province> {
    let absent = if n == 1 {
        "absent = [{ points = [\"22.471.*\"], since = 2022-02-01, why = \"moved\" }]\n"
    } else {
        ""
    };
    let clock = if n == 3 {
        "time_zone = \"Europe/Berlin\"".to_owned()
    } else {
        format!("utc_offset_hours = {HOURS}")
    };
    let history = match n {
        0 | 1 => "",
        4 => "[history]\nvalues_days = 20\nverdicts_days = 80\n",
        _ => "[history]\nvalues_days = 20\nverdicts_days = 40\n",
    };
    let text = format!(
        r#"
[province]
name = {{ en = "One", vi = "Một" }}
{clock}
seed = 1
{history}
[link]
port_base = 17001
[[centres]]
id = "CC"
name = {{ en = "CC", vi = "TT" }}
title = {{ en = "Centre", vi = "Trung tâm" }}
requires = ["AB", "B"]
metering = true
[[centres]]
id = "A1"
name = "A1"
title = {{ en = "Dispatch", vi = "Điều độ" }}
requires = ["AB"]
[metering]
classes = [ {{ id = "rf", name = {{ en = "RF", vi = "RF" }}, technology = "RF", sold = true, load = ["rural"] }} ]
districts = [ {{ id = "d1", name = "D1" }} ]
[[stations]]
id = "S1"
name = "S1"
unmanned = true
e2e = {{ CC = 2022-01-01, A1 = 2022-01-01 }}
peak_mw = 5
load = {{ rural = 1.0 }}
transformers = {{ "131" = 16 }}
{absent}
[stations.bays]
T110 = ["131"]
BB110 = ["C11"]
TMV = ["431"]
BBMV = ["C41"]
FMV = ["471", "472"]
[[stations.metering]]
district = "d1"
installed = {{ rf = 100 }}
remote = {{ rf = 90 }}
"#
    );
    Arc::new(Province::parse("one.toml", &text).unwrap())
}

/// A monitor of chance: what it learns is made up, in batches as a monitor writes them.
struct Chance {
    dice: Xoshiro256PlusPlus,
    now: Timestamp,
    n: u32,
    provinces: [Arc<Province>; 5],
    own: usize,
    writers: Vec<(std::path::PathBuf, bool, Option<Writer>)>,
    buffer: Buffer,
    plans: Vec<Arc<Plan>>,
    /// The oldest row that is in no chunk yet.
    open_from: Option<Timestamp>,
    alarms: BTreeMap<usize, Alarm>,
    begins: bool,
    /// Whether stations answer now and then only, or always.
    steady: bool,
    /// Whether values are so restless that they take room.
    noisy: bool,
}

impl Chance {
    /// Writers of the same into several folders; `forgets`: whether they take out what is too old.
    fn new(seed: u64, own: usize, folders: &[(&Path, bool)]) -> Self {
        let provinces = [0, 1, 2, 3, 4].map(contract);
        let plans = plans(&provinces[own]);
        let mut buffer = Buffer::new(&provinces[own], &layouts(&plans), 1 << 20);
        buffer.keep_fresh();
        let writers = folders.iter().map(|(path, forgets)| (path.to_path_buf(), *forgets, None));
        let mut chance = Self {
            dice: Xoshiro256PlusPlus::seed_from_u64(seed),
            // Midnight of 1 September 2022 in the province.
            now: Timestamp::midnight(Date { year: 2022, month: 9, day: 1 }, ZONE).unwrap(),
            n: 0,
            provinces,
            own,
            writers: writers.collect(),
            buffer,
            plans,
            open_from: None,
            alarms: BTreeMap::new(),
            begins: true,
            steady: false,
            noisy: false,
        };
        chance.open();
        chance
    }

    fn province(&self) -> Arc<Province> {
        Arc::clone(&self.provinces[self.own])
    }

    fn open(&mut self) {
        let province = self.province();
        for (folder, forgets, writer) in &mut self.writers {
            let opened = Writer::open(folder, &province).unwrap();
            *writer = Some(if *forgets { opened } else { opened.forgetting_nothing() });
        }
        self.plans = plans(&province);
        self.buffer = Buffer::new(&province, &layouts(&self.plans), 1 << 20);
        self.buffer.keep_fresh();
        self.open_from = None;
        self.begins = true;
        // What the contract does not know any more is over, and so are the others here.
        self.alarms.clear();
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.dice.random_range(0..100) < percent
    }

    /// Time goes on; now and then to midnight exactly.
    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus(ms.max(1));
        if self.chance(20) {
            let midnight = Timestamp::midnight(self.now.local(ZONE).date, ZONE).unwrap();
            self.now = midnight.plus(DAY_MS);
        }
    }

    /// One batch of anything, some time later.
    fn step(&mut self, ms: i64) {
        self.pass(ms);
        self.commit(0);
    }

    /// The same, exactly so much later.
    fn commit(&mut self, ms: i64) {
        self.now = self.now.plus(ms);
        let mut batch = Batch::empty(self.begins, self.now);
        batch.judgements = self.judgements();
        batch.events = self.events();
        if self.chance(50) {
            batch.asked = Some((self.now.plus(-60_000), self.asked()));
        }
        if self.begins || self.chance(30) {
            batch.metering = self.metering();
        }
        batch.alarms = self.alarms();
        batch.commands = self.commands();
        self.values(&mut batch);
        self.begins = false;
        for (_, _, writer) in &mut self.writers {
            writer.as_mut().unwrap().commit(&batch).unwrap();
        }
    }

    /// The monitor ends, well or not, and another begins, by one of two contracts.
    fn restart(&mut self) {
        let well = self.chance(50);
        for (_, _, writer) in &mut self.writers {
            let writer = writer.take().unwrap();
            if well {
                writer.close().unwrap();
            } else {
                drop(writer);
            }
        }
        if !self.steady && self.chance(50) {
            self.own = 1 - self.own;
        }
        self.now = self.now.plus(1);
        self.open();
    }

    fn close(mut self) -> Timestamp {
        for (_, _, writer) in &mut self.writers {
            writer.take().unwrap().close().unwrap();
        }
        self.now
    }

    fn state(&mut self) -> VerdictState {
        let states = [0, 0x33, 0x44, 0x88, 0x100, 0x300, 0xDD];
        VerdictState::from_bits(states[self.dice.random_range(0..states.len())]).unwrap()
    }

    fn link(&mut self) -> LinkState {
        let percent = if self.steady { 99 } else { 70 };
        if self.chance(percent) { LinkState::Connected } else { LinkState::Lost }
    }

    fn judgements(&mut self) -> Vec<Judgement> {
        let province = self.province();
        let mut all = Vec::new();
        for (n, channel) in province.channels.iter().enumerate() {
            let points = province.stations[channel.station.index()].points.len();
            let points = u32::try_from(points).unwrap();
            if !self.begins && self.chance(50) {
                continue;
            }
            let first = if self.begins { 0 } else { self.dice.random_range(0..points) };
            let most = points - first;
            let count = if self.begins { most } else { self.dice.random_range(1..=most) };
            all.push(Judgement {
                channel: ChannelId::at(n),
                at: self.now,
                link: self.link(),
                whole: self.begins,
                runs: vec![Run { first, count, state: self.state() }],
            });
        }
        all
    }

    fn events(&mut self) -> Vec<EventEntry> {
        let province = self.province();
        let breakers: Vec<PointId> = province.stations[0]
            .points
            .iter()
            .enumerate()
            .filter(|(_, point)| point.spec.id == "CB.POS")
            .map(|(n, _)| PointId::at(n))
            .collect();
        let count = self.dice.random_range(0..4);
        let mut all = Vec::new();
        for _ in 0..count {
            self.n += 1;
            let point = breakers[self.dice.random_range(0..breakers.len())];
            let channel = ChannelId::at(self.dice.random_range(0..province.channels.len()));
            let at = self.now.plus(-self.dice.random_range(0..1_000));
            let doubt = self.chance(10).then_some(TimeDoubt::Behind);
            let change = Change {
                number: self.n,
                address: 1,
                point: Some(point),
                before: None,
                value: self.dice.random_range(1..=2),
                source: at,
                flags: Flags::GOOD,
                synchronised: true,
                doubt,
            };
            let gap = RecordGap { count: 3, after: None, before: None };
            let lost = self.chance(20);
            let what = if lost { Happening::Lost(gap) } else { Happening::Change(change) };
            let order = self.n.into();
            all.push(EventEntry { channel, unit: 1, at, order, arrived: self.now, what });
        }
        all
    }

    /// What units say of their records of commands, mostly that they keep them.
    fn commands(&self) -> Vec<CommandsKept> {
        let province = self.province();
        let mut all = Vec::new();
        for (n, channel) in (0_u32..).zip(&province.channels) {
            for unit in &province.stations[channel.station.index()].units {
                let told = self.n + n;
                if self.begins || told.is_multiple_of(5) {
                    let kept = !told.is_multiple_of(40);
                    all.push(CommandsKept {
                        channel: ChannelId::at(n as usize),
                        unit: unit.id,
                        kept,
                    });
                }
            }
        }
        all
    }

    fn asked(&mut self) -> Vec<PollStats> {
        let mut one = || {
            let mut asked = PollStats { longest_us: 9, ..PollStats::default() };
            asked.replies[2] = self.dice.random_range(1..50);
            asked.faults[0] = self.dice.random_range(0..3);
            asked
        };
        (0..2).map(|_| one()).collect()
    }

    fn metering(&mut self) -> Vec<MeterLine> {
        let mut line = |kind, id: &str| {
            let remote = self.dice.random_range(50..=100);
            MeterLine {
                kind,
                id: id.to_owned(),
                sells: true,
                remote: Share::new(remote, 100),
                uncounted: (100 - remote) / 3,
                reads: Reads {
                    first_pass: Share::new(self.dice.random_range(0..=90), 90),
                    ..Reads::default()
                },
                days: [None, None],
            }
        };
        vec![line(MeterKind::District, "d1"), line(MeterKind::Class, "rf")]
    }

    fn alarms(&mut self) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        for place in 0..2 {
            let now = self.now;
            let (acknowledges, goes) = (self.chance(40), self.chance(40));
            match self.alarms.get_mut(&place) {
                None if acknowledges => {
                    let line = IssueId { reason: Reason::Flagged, scope: Scope::Bay(place) };
                    let cause = AlarmCause { station: StationId::at(0), line };
                    let alarm = Alarm {
                        raised: Raised { cause, at: now },
                        at_least: false,
                        priority: Priority::ALL[place],
                        centres: vec![CentreId::at(0)],
                        signals: 3,
                        returned: None,
                        acknowledged: None,
                    };
                    self.alarms.insert(place, alarm.clone());
                    changes.push(AlarmChange { alarm, is_open: true, formerly: Vec::new() });
                }
                None => {}
                Some(alarm) => {
                    if acknowledges {
                        alarm.acknowledged.get_or_insert(now);
                    }
                    if goes {
                        alarm.returned.get_or_insert(now);
                    }
                    let alarm = alarm.clone();
                    let is_open = alarm.state().is_some();
                    if !is_open {
                        self.alarms.remove(&place);
                    }
                    changes.push(AlarmChange { alarm, is_open, formerly: Vec::new() });
                }
            }
        }
        changes
    }

    /// A row of every block of values: qualities are good, values count up.
    fn values(&mut self, batch: &mut Batch) {
        for (n, plan) in self.plans.iter().enumerate() {
            for (number, block) in plan.blocks.iter().enumerate() {
                let BlockContent::Points(items) = &block.content else { continue };
                let bits = block.table.is_bits();
                let length = usize::from(block.count);
                let mut payload = vec![0; if bits { length.div_ceil(8) } else { 2 * length }];
                for item in items.iter().filter(|item| !bits && item.part == Part::Value) {
                    let last = 2 * usize::from(item.offset + item.cells()) - 2;
                    let low = u16::try_from(self.now.0 / HOUR_MS % 30_000).unwrap();
                    payload[last..last + 2].copy_from_slice(&low.to_be_bytes());
                }
                if self.noisy {
                    for byte in &mut payload {
                        *byte = self.dice.random_range(0..=255);
                    }
                }
                let (columns, row) = plan.row(number, (0, block.count), &payload).unwrap();
                self.buffer.accept_row(&fresh::Row {
                    channel: ChannelId::at(n),
                    group: number,
                    at: self.now,
                    columns,
                    row: &row,
                });
            }
        }
        self.open_from.get_or_insert(self.now);
        batch.fresh = self.buffer.take_fresh();
        if self.dice.random_range(0..100) < 30 {
            self.buffer.flush();
            self.open_from = None;
        }
        batch.values = self.buffer.take_sealed();
        batch.open_from = self.open_from.unwrap_or(self.now.plus(1));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::copy(from.join("gridwatch.db"), to.join("gridwatch.db")).unwrap();
}

fn forget(folder: &Path, before: Date) -> Compacted {
    let forget = Forget { before, only_values: false, zone: ZONE };
    upkeep::compact(folder, Some(forget)).unwrap()
}

fn day(at: Timestamp) -> Date {
    at.local(ZONE).date
}

fn after(date: Date, days: i64) -> Date {
    day(Timestamp::midnight(date, ZONE).unwrap().plus(days * DAY_MS + HOUR_MS))
}

/// All that a report says of some days; `None` when there is none.
fn told(folder: &Path, first: Date, last: Date) -> Option<Json> {
    let reader = Reader::open(folder).unwrap();
    let period = Period::days(first, last, ZONE).unwrap();
    let request = ReportRequest { period, station: None, lang: Lang::En };
    let made = report(&reader, &request, |_| {}).unwrap()?;
    Some(serde_json::from_slice(&json::bytes(&made).unwrap()).unwrap())
}

/// The same without what looks back before the days: the chart by month, what is said of it, the figures of the
/// period before.
fn behind(folder: &Path, first: Date, last: Date) -> Option<Json> {
    let mut told = told(folder, first, last)?;
    let summary = &mut told["sheets"]["summary"];
    summary["charts"].as_object_mut().unwrap().remove("months").unwrap();
    let notes = summary["notes"].as_array_mut().unwrap();
    notes.retain(|note| !note.as_str().unwrap().starts_with("Chart by month"));
    for row in summary["tables"]["figures"]["rows"].as_array_mut().unwrap() {
        row["before"] = Json::Null;
    }
    Some(told)
}

fn reliability(told: &mut Json) -> &mut Json {
    &mut told["sheets"]["reliability"]["tables"]
}

/// Where two reports of the same days differ, of which one is of a store that was cut at moments before them:
/// verdicts, and values. Of an interruption that began long before the first it says that its beginning was not seen,
/// of one that began long before the second that it follows from records alone, and the same of all that counts.
fn other(mut kept: Json, mut all: Json, (cut, values): (Timestamp, Timestamp)) -> Vec<String> {
    // What is less than six days before the cut is known.
    let [long_before, without_values] =
        [cut, values].map(|cut| format!("{}T02:00:00.000+07:00", after(day(cut), -6)));
    let mut old = 0;
    let its = reliability(&mut all)["interruptions"]["rows"].as_array_mut().unwrap();
    let own = reliability(&mut kept)["interruptions"]["rows"].as_array_mut().unwrap();
    for (own, its) in own.iter_mut().zip(its) {
        let (from, began) = (own["from"].as_str().unwrap(), its["from"].as_str().unwrap());
        let is_told =
            own["remarks"].as_str().is_some_and(|said| said.contains("beginning not seen"));
        if long_before.as_str() <= from && began < long_before.as_str() && is_told {
            old += 1;
            for key in ["from", "length", "remarks"] {
                own[key] = Json::Null;
                its[key] = Json::Null;
            }
        } else if own["remarks"].as_str().is_some_and(|said| said.contains("from records alone"))
            && from == began
            && began < without_values.as_str()
        {
            old += 1;
            (own["remarks"], its["remarks"]) = (Json::Null, Json::Null);
        }
    }
    if old > 0 {
        for told in [&mut kept, &mut all] {
            let indices = &mut reliability(told)["indices"];
            indices["total"]["remarks"] = Json::Null;
            for row in indices["rows"].as_array_mut().unwrap() {
                row["remarks"] = Json::Null;
            }
        }
    }
    different("", &kept, &all)
}

/// Where two values differ, and how.
fn different(place: &str, one: &Json, other: &Json) -> Vec<String> {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) if one.len() == other.len() => one
            .iter()
            .flat_map(|(key, own)| match other.get(key) {
                Some(its) => different(&format!("{place}/{key}"), own, its),
                None => vec![format!("{place}/{key}: only in one")],
            })
            .collect(),
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.flat_map(|(n, (own, its))| different(&format!("{place}/{n}"), own, its)).collect()
        }
        _ if one == other => Vec::new(),
        _ => vec![format!("{place}: {one} and {other}")],
    }
}

/// Every row of every table, but for how often something was taken out.
fn rows(folder: &Path) -> Vec<String> {
    let file = rusqlite::Connection::open(folder.join("gridwatch.db")).unwrap();
    let mut names = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().flatten().collect();
    let mut all = Vec::new();
    for table in names {
        let columns = if table == "forgotten" { "kind, before_ms" } else { "*" };
        let mut select = file.prepare(&format!("SELECT {columns} FROM {table}")).unwrap();
        let count = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells = (0..count).map(|n| format!("{:?}", row.get_ref(n).unwrap()));
            all.push(format!("{table}: {}", cells.collect::<Vec<_>>().join(" ")));
        }
    }
    all.sort();
    all
}

fn assert_whole(folder: &Path) {
    assert_eq!(upkeep::check(folder).unwrap().faults, Vec::<String>::new());
}

/// Hands on the history of each channel in some days, contract by contract: how long that held, and its place.
fn histories(
    folder: &Path,
    (first, last): (Date, Date),
    mut each: impl FnMut(Span, usize, ChannelHistory),
) {
    let reader = Reader::open(folder).unwrap();
    let span = Period::days(first, last, ZONE).unwrap().span();
    let kept = reader.kept().unwrap();
    let window = Window::new(span, &[], &reader.sessions().unwrap()).with_kept(kept);
    for era in &window.eras {
        let province = reader.contract(era.contract).unwrap().province;
        for (n, channel) in province.channels.iter().enumerate() {
            let history = channel_history(&reader, &province, channel, &window, era).unwrap();
            each(era.span, n, history);
        }
    }
}

/// Figures of all points of some days, with what is not kept.
fn times(folder: &Path, first: Date, last: Date) -> Times {
    let mut sum = Times::default();
    histories(folder, (first, last), |span, _, history| {
        let link = history.link;
        let all = [link.connected, link.lost, link.never, link.unobserved, link.not_kept];
        assert_eq!(all.iter().sum::<i64>(), span.length());
        sum += history.times();
    });
    sum
}

/// How each path fared in some days, as far as somebody watched and it is kept.
fn links(folder: &Path, first: Date, last: Date) -> BTreeMap<usize, LinkHistory> {
    let mut sums: BTreeMap<usize, LinkHistory> = BTreeMap::new();
    histories(folder, (first, last), |_, n, history| {
        *sums.entry(n).or_default() += LinkHistory { not_kept: 0, unobserved: 0, ..history.link };
    });
    sums
}

proptest! {
    #![proptest_config(ProptestConfig {
        max_shrink_iters: 0,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(8)
    })]

    #[test]
    fn what_lies_behind_a_cut_is_told_as_before_and_what_lies_before_it_as_not_kept(
        seed in any::<u64>(),
        cuts in (0.05..0.95_f64, 0.05..0.95_f64),
    ) {
        let folder = tempdir().unwrap();
        let full = folder.path().join("full");
        let mut chance = Chance::new(seed, 0, &[(&full, false)]);
        let began = chance.now;
        for _ in 0..40 {
            let ms = chance.dice.random_range(1..25 * HOUR_MS);
            chance.step(ms);
            if chance.chance(8) {
                // Somebody watches again at once, or much later.
                let gap = chance.dice.random_range(1..60 * HOUR_MS);
                let gap = if chance.chance(50) { 1 } else { gap };
                chance.restart();
                chance.pass(gap);
            }
        }
        let ended = chance.close();
        let (first, last) = (day(began), day(ended));
        let days = ended.since(began) / DAY_MS;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "some day")]
        let cut = |share: f64| after(first, (days as f64 * share) as i64 + 1);
        let (one, two) = (cut(cuts.0).min(cut(cuts.1)), cut(cuts.0).max(cut(cuts.1)));
        prop_assume!(Timestamp::midnight(two, ZONE).unwrap() <= ended);
        let from = Timestamp::midnight(two, ZONE).unwrap();

        let [once, twice] = ["once", "twice"].map(|name| folder.path().join(name));
        copy(&full, &once);
        copy(&full, &twice);
        let done = forget(&once, two);
        prop_assert_eq!(done.removed.as_ref().map(|(from, _)| *from), Some(from));
        assert_whole(&once);
        forget(&twice, one);
        assert_whole(&twice);
        forget(&twice, two);
        assert_whole(&twice);
        prop_assert_eq!(rows(&once), rows(&twice), "two cuts are one");

        // Behind it: from the cut on, and other days.
        let length = ended.since(from) / DAY_MS;
        let windows = [(0, 0), (0, length), (length / 2, length), (1.min(length), 1.min(length))];
        for (begin, end) in windows {
            let (begin, end) = (after(two, begin), after(two, end));
            let told = [&once, &full].map(|of| behind(of, begin, end));
            prop_assert_eq!(told[0].is_some(), told[1].is_some(), "{} to {}", begin, end);
            let [Some(kept), Some(all)] = told else { continue };
            prop_assert_eq!(other(kept, all, (from, from)), Vec::<String>::new(), "{} to {}", begin, end);
            prop_assert_eq!(times(&once, begin, end), times(&full, begin, end));
        }
        // How it stood, as far as it is told at which moment: since when may be earlier than is known.
        let (kept, all) = (Reader::open(&once).unwrap(), Reader::open(&full).unwrap());
        for share in [0, 1, 50, 99] {
            let at = from.plus(ended.since(from) * share / 100);
            let stood = |reader: &Reader| {
                let past = past(reader, Some(at)).unwrap()?.snapshot;
                let points = past.channels.iter().flat_map(|channel| channel.points.iter());
                let points = points.map(|p| format!("{:?} {:?} {:?} {:?}", p.verdict, p.not_live, p.value, p.at));
                let points = points.collect::<Vec<_>>().join("\n");
                let figures = (past.alarms, past.metering, past.figures);
                Some(format!("{points}\n{figures:?}"))
            };
            prop_assert_eq!(stood(&kept), stood(&all));
            // What is told of its beginning is the same, or said to be no more than that.
            let since = |reader: &Reader| {
                let Some(past) = past(reader, Some(at)).unwrap() else { return Vec::new() };
                let channels = past.snapshot.channels.iter();
                channels.flat_map(|own| own.points.iter().flat_map(|p| [p.since, p.not_live_since])).collect()
            };
            for (own, its) in since(&kept).into_iter().zip(since(&all)) {
                let is_as_before = own == its;
                let is_at_least = matches!(own, Since::AtLeast(own) if its.instant().is_none_or(|its| its <= own));
                prop_assert!(is_as_before || is_at_least, "{:?} {:?}", own, its);
            }
        }
        // Over it there is no more than what lies behind.
        prop_assert_eq!(links(&once, first, last), links(&once, two, last));
        let raised = |folder: &Path, first: Date| {
            let told = told(folder, first, last)?;
            let rows = told["sheets"]["alarms"]["tables"]["priorities"]["rows"].as_array()?.clone();
            let raised = rows.iter().map(|row| row["raised"].clone()).collect::<Vec<_>>();
            Some(raised)
        };
        prop_assert_eq!(raised(&once, first), raised(&once, two));

        // Before it there is nothing, and it is told of every kind.
        for kind in Kept::ALL {
            prop_assert_eq!(kept.kept_from(kind).unwrap(), Some(from));
        }
        prop_assert_eq!(told(&once, first, after(two, -1)), None);
        prop_assert!(past(&kept, Some(from.plus(-1))).unwrap().is_none());
        let over = times(&once, first, last);
        let bad: i64 = over.by_reason.iter().sum();
        prop_assert_eq!(over.good + bad + over.unobserved + over.not_kept, over.required);
        let not_live: i64 = over.not_live.iter().sum();
        let known = over.live + not_live + over.live_unobserved + over.live_not_kept;
        prop_assert_eq!(known, over.live_required);
        // Before the first record nothing was there that could be kept: nobody watched.
        let watched_from = all.sessions().unwrap()[0].from;
        let gone = kept.gap(Kept::Verdicts).unwrap().map(|gone| (gone.from, gone.to));
        prop_assert_eq!(gone, Some((watched_from, from)));
        prop_assert_eq!(times(&once, after(first, -40), last).not_kept, over.not_kept);
        let mut gone = BTreeMap::<usize, i64>::new();
        histories(&once, (after(first, -40), last), |_, n, own| *gone.entry(n).or_default() += own.link.not_kept);
        prop_assert_eq!(gone[&0], from.since(watched_from));
        if let Some(behind) = told(&once, two, last) {
            let notes = behind["sheets"]["summary"]["notes"].to_string();
            prop_assert!(notes.contains("any more: 2022-09"), "{}", notes);
            let earlier = told(&once, after(first, -3), last).unwrap();
            for row in earlier["sheets"]["summary"]["tables"]["figures"]["rows"].as_array().unwrap() {
                prop_assert_ne!(&row["before"]["text"], "not kept");
            }
        }
        if let Some(across) = told(&once, first, last) {
            let rows = across["sheets"]["summary"]["tables"]["not_kept"]["rows"].as_array().unwrap();
            let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
            prop_assert_eq!(kinds, Kept::ALL.map(Kept::word));
            for sheet in ["bm_5a", "bm21", "quality", "channels", "metering", "events", "alarms", "reliability", "energy", "sold", "produced"] {
                let note = across["sheets"][sheet]["notes"][0].as_str().unwrap().to_owned();
                prop_assert!(note.starts_with("No longer kept: "), "{}: {}", sheet, note);
            }
        }
    }
}

#[test]
fn a_year_of_retention_tells_what_is_kept_as_a_store_that_forgets_nothing() {
    let folder = tempdir().unwrap();
    let [own, full] = ["own", "full"].map(|name| folder.path().join(name));
    let mut chance = Chance::new(7, 2, &[(&own, true), (&full, false)]);
    chance.steady = true;
    for half in 0..365 * 2 {
        chance.step(12 * HOUR_MS);
        if half % 47 == 46 {
            chance.restart();
        }
        if half % 240 == 239 {
            let kept = Reader::open(&own).unwrap().kept().unwrap();
            let [verdicts, values] = [Kept::Verdicts, Kept::Values].map(|kind| kept.of(kind));
            for (from, days) in [(verdicts, 40), (values, 20)] {
                let age = from.map(|from| chance.now.since(from) / DAY_MS);
                assert!(
                    age.is_none_or(|age| (days..days + 12).contains(&age)),
                    "{age:?} of {days}"
                );
                assert!(age.is_some() || half < 2 * (days + 12), "{half}");
            }
            // The writers go on: what is compared is a copy of what they have.
            let copies = [&own, &full].map(|of| {
                let to = of.join("copy");
                upkeep::backup(of, &to, |_| std::ops::ControlFlow::Continue(())).unwrap();
                to
            });
            let begin = after(day(verdicts.max(values).unwrap()), 0);
            for length in [0, 3, 19] {
                let told =
                    copies.each_ref().map(|of| behind(of, begin, after(begin, length)).unwrap());
                let [kept, all] = told;
                let cuts = (verdicts.unwrap(), values.unwrap());
                assert_eq!(
                    other(kept, all, cuts),
                    Vec::<String>::new(),
                    "{begin} and {length} days"
                );
            }
            assert_whole(&copies[0]);
            for copy in copies {
                std::fs::remove_dir_all(copy).unwrap();
            }
        }
    }
    chance.close();
    assert_whole(&own);
    let found = upkeep::check(&own).unwrap();
    assert!(
        found.gone[&Kept::Verdicts].by == By::Retention && found.gone[&Kept::Values].rows > 1_000
    );
    let (own, full) = (found.rows["judgement"], upkeep::check(&full).unwrap().rows["judgement"]);
    assert!(own * 5 < full, "{own} of {full}");
}

#[test]
fn retention_takes_whole_days_where_clocks_are_set() {
    let berlin = contract(3).zone;
    let folder = tempdir().unwrap();
    let mut chance = Chance::new(11, 3, &[(folder.path(), true)]);
    chance.steady = true;
    // From September on until what is from before the end of October is forgotten, verdicts and values.
    let mut cuts: [BTreeSet<i64>; 2] = Default::default();
    for half in 0..105 * 2 {
        chance.step(12 * HOUR_MS);
        if half < 40 * 2 {
            continue;
        }
        let kept = Reader::open(folder.path()).unwrap().kept().unwrap();
        for (kind, cuts) in [Kept::Verdicts, Kept::Values].into_iter().zip(&mut cuts) {
            let Some(from) = kept.of(kind) else { continue };
            let day = from.local_day(berlin);
            assert_eq!(Timestamp::of_local_day(day, berlin), from, "{kind:?}");
            cuts.insert(day);
        }
    }
    chance.close();
    assert_whole(folder.path());
    for cuts in cuts {
        let changed = Date { year: 2022, month: 10, day: 30 }.number().unwrap();
        let (first, last) = (*cuts.first().unwrap(), *cuts.last().unwrap());
        assert!(first < changed && last > changed + 1, "{first} to {last}");
    }
}

/// Counts of rows by table.
fn counts(folder: &Path) -> BTreeMap<&'static str, u64> {
    upkeep::check(folder).unwrap().rows
}

#[test]
fn a_clock_that_leaps_forgets_nothing_nor_does_who_only_looks_or_hears_nobody() {
    let folder = tempdir().unwrap();
    let [own, leapt, looked] = ["own", "leapt", "looked"].map(|name| folder.path().join(name));
    let mut chance = Chance::new(3, 2, &[(&own, true)]);
    chance.steady = true;
    for _ in 0..12 {
        chance.step(12 * HOUR_MS);
    }
    let ended = chance.close();
    let before = counts(&own);
    assert_eq!(upkeep::check(&own).unwrap().gone.len(), 0, "nothing is too old yet");
    copy(&own, &leapt);
    copy(&own, &looked);
    let is_less = |folder: &Path| {
        let now = counts(folder);
        before.iter().any(|(table, rows)| *table != "journal" && now[table] < *rows)
    };
    // Sixteen years ahead, for a night.
    let mut chance = Chance::new(4, 2, &[(&leapt, true)]);
    chance.steady = true;
    chance.now = ended.plus(16 * 365 * DAY_MS);
    for _ in 0..12 {
        chance.step(HOUR_MS);
    }
    chance.close();
    assert!(!is_less(&leapt));
    assert_eq!(upkeep::check(&leapt).unwrap().gone.len(), 0);
    // For twenty days, by who only looks.
    let mut chance = Chance::new(5, 2, &[(&looked, false)]);
    chance.steady = true;
    chance.now = ended.plus(HOUR_MS);
    for _ in 0..40 {
        chance.step(12 * HOUR_MS);
    }
    chance.close();
    assert!(!is_less(&looked));
    // And by who hears nobody.
    let province = contract(2);
    let mut writer = Writer::open(&own, &province).unwrap();
    let points = u32::try_from(province.stations[0].points.len()).unwrap();
    for n in 1..40 {
        let at = ended.plus(n * 12 * HOUR_MS);
        let state = VerdictState::from_bits(0x33).unwrap();
        let lost = |channel| Judgement {
            channel: ChannelId::at(channel),
            at,
            link: LinkState::NeverConnected,
            whole: n == 1,
            runs: vec![Run { first: 0, count: points, state }],
        };
        let batch = Batch { judgements: vec![lost(0), lost(1)], ..Batch::empty(n == 1, at) };
        writer.commit(&batch).unwrap();
    }
    writer.close().unwrap();
    assert!(!is_less(&own));
}

#[test]
fn what_would_be_much_of_the_store_waits_until_somebody_confirms_it() {
    let folder = tempdir().unwrap();
    let own = folder.path().join("own");
    let mut chance = Chance::new(6, 4, &[(&own, true)]);
    chance.steady = true;
    let first = day(chance.now);
    // One day of values that take room, and then days of others.
    chance.noisy = true;
    for _ in 0..600 {
        chance.commit(60_000);
    }
    chance.noisy = false;
    // Twenty days that the contract wants, and the five weeks before whose rows stay.
    let waits = |chance: &Chance| chance.writers[0].2.as_ref().unwrap().unconfirmed().cloned();
    for _ in 0..59 {
        if waits(&chance).is_none() {
            chance.step(DAY_MS);
        }
    }
    let waits = waits(&chance);
    let waits = waits.unwrap_or_else(|| panic!("{:?}", upkeep::check(&own).unwrap()));
    assert!(waits.only_values && waits.percent > 10, "{waits:?}");
    // Chunks of later days reach over midnights, so that a step may take two days.
    let goes = [36, 37, 38].map(|days| after(first, days));
    assert!(goes.contains(&waits.before), "{waits:?}");
    let command = format!(
        "store compact --store '{}' --before {} --only-values",
        own.display(),
        waits.before
    );
    assert!(waits.command.ends_with(&command), "{waits:?}");
    let was = chance.now;
    chance.close();
    let gone = upkeep::check(&own).unwrap().gone;
    let rows: u64 = gone.values().map(|gone| gone.rows).sum();
    assert_eq!(rows, 0, "as long as it waits nothing goes");
    let forget = Forget { before: waits.before, only_values: true, zone: ZONE };
    let done = upkeep::compact(&own, Some(forget)).unwrap();
    let (_, removed) = done.removed.unwrap();
    assert!(removed[&Kept::Values] > 10 && removed.len() == 1 && done.is < done.was, "{removed:?}");
    let found = upkeep::check(&own).unwrap();
    assert_eq!(found.faults, Vec::<String>::new());
    assert_eq!((found.gone.len(), found.gone[&Kept::Values].by), (1, By::Hand));
    // It is confirmed: the monitor goes on by itself.
    let mut chance = Chance::new(7, 4, &[(&own, true)]);
    (chance.steady, chance.now) = (true, was.plus(1));
    for _ in 0..12 {
        chance.step(DAY_MS);
    }
    assert_eq!(chance.writers[0].2.as_ref().unwrap().unconfirmed(), None);
    chance.close();
    assert_eq!(upkeep::check(&own).unwrap().gone[&Kept::Values].by, By::Retention);
    // A day behind all that there is would leave nothing.
    let forget = Forget { before: after(day(was), 300), only_values: false, zone: ZONE };
    let refused = upkeep::compact(&own, Some(forget)).unwrap_err().to_string();
    assert!(refused.contains("nothing would be left"), "{refused}");
}
