//! Energy sold and produced: histories of chance with gaps, counts that begin anew, other contracts and jumps of the
//! clock. The days of any partition add up, and each says what the rows of the store say one by one.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Province, Zone};
use gridwatch::clock::{DAY_MS, Jump, JumpKind, Timestamp};
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::history::{
    Counted, Days, Figure, Produced, Read, SoldBy, Span, What, Window, counted,
};
use gridwatch::recording::stretched;
use gridwatch::store::{Batch, Contract, EnergyKind, EnergyLine, Reader, Session, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rusqlite::Connection;
use serde_json::Value;
use sim::Scenario;
use tempfile::tempdir;

use crate::cli::{gridwatch, stderr};
use crate::clock::wrong_epochs;
use crate::figures;
use crate::fixture::{CENTRE, HEAD, STATION};
use crate::keeping;

const HOUR_MS: i64 = 3_600_000;

/// Where something happens: since when, and by what clock.
#[derive(Clone, Copy)]
struct Place {
    zone: Zone,
    /// When its story begins, and the number of that day since 1970.
    began: i64,
    first_day: i64,
    /// Hours that its midnights are before those of Greenwich.
    ahead: fn(i64) -> i64,
}

impl Place {
    fn begin_of(self, day: i64) -> i64 {
        day * DAY_MS - (self.ahead)(day) * HOUR_MS
    }

    fn day_of(self, at: i64) -> i64 {
        let day = at.div_euclid(DAY_MS);
        if at < self.begin_of(day + 1) { day } else { day + 1 }
    }
}

/// 2022-11-01 00:00 in Hòa Bình.
const HOA_BINH: Place =
    Place { zone: Zone::hours(7), began: 1_667_235_600_000, first_day: 19_297, ahead: |_| 7 };

/// 2022-10-27 00:00 in Berlin, three days before one of 25 hours. Those of 2022 and 2023 that have 23 are there, too.
fn berlin() -> Place {
    Place {
        zone: Zone::named("Europe/Berlin").unwrap(),
        began: 1_666_821_600_000,
        first_day: 19_292,
        ahead: |day| {
            let summer = [19_079..=19_295, 19_443..=19_659];
            if summer.iter().any(|days| days.contains(&day)) { 2 } else { 1 }
        },
    }
}

/// One station and one plant. By the second contract a class sells nothing any more, another one is gone, and the
/// plant is a smaller one.
fn contracts() -> [Arc<Province>; 2] {
    [("true", "rf = 101, mv = 7", 300), ("false", "rf = 80", 100)]
        .map(|own| Arc::new(Province::parse("p.toml", &text(own)).unwrap()))
}

fn text((sells, installed, mw): (&str, &str, u32)) -> String {
    format!(
        r#"
{HEAD}
[[sources]]
id = "HPP"
name = "H"
mw = 300
[[plants]]
id = "HPP"
name = "H"
mw = {mw}
gwh_per_year = 500
source = "HPP"
e2e = {{ CC = 2022-01-01 }}
points = {{ PM = ["271", "272"] }}
{CENTRE}
[metering]
classes = [
  {{ id = "rf", name = "rf", technology = "RF", sold = {sells} }},
  {{ id = "mv", name = "mv", technology = "4G", sold = true }},
]
districts = [{{ id = "d", name = "D" }}]
{STATION}
TMV = ["431"]
FMV = ["471", "472"]
[[stations.metering]]
district = "d"
installed = {{ {installed} }}
remote = {{ rf = 60 }}
"#
    )
}

/// What may happen, some time after what came before.
#[derive(Debug, Clone)]
enum Step {
    /// A head-end tells of one of its counts, for a day that is so many days ago.
    Read { after: i64, count: usize, late: i64, kwh: u64, days: u64, behind: u64, unread: u64 },
    /// The counters of a point of the plant are taken down; of one of both alone, or of both.
    Point { after: i64, point: usize, sides: usize, kwh: u64 },
    /// A count begins anew.
    Reset { count: usize },
    /// A count is told wrongly once.
    Wrong { after: i64, count: usize, kwh: u64, days: u64 },
    /// The monitor begins anew, by a contract.
    Restart { after: i64, contract: usize },
    /// The clock is set.
    Jump { by: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let after = || prop_oneof![4 => 60_000_i64..HOUR_MS, 2 => HOUR_MS..10 * HOUR_MS, 1 => 10 * HOUR_MS..90 * HOUR_MS];
    let read = (after(), 0_usize..4, 0_i64..4, 0_u64..30_000, 0_u64..130, 0_u64..8, 0_u64..90);
    prop_oneof![
        6 => read.prop_map(|(after, count, late, kwh, days, behind, unread)| {
            Step::Read { after, count, late, kwh, days, behind, unread }
        }),
        8 => (after(), 0_usize..2, 0_usize..3, 0_u64..150_000)
            .prop_map(|(after, point, sides, kwh)| Step::Point { after, point, sides, kwh }),
        1 => (0_usize..8).prop_map(|count| Step::Reset { count }),
        1 => (after(), 0_usize..8, prop_oneof![0_u64..2_000, 0_u64..1 << 40], 0_u64..3_000)
            .prop_map(|(after, count, kwh, days)| Step::Wrong { after, count, kwh, days }),
        1 => (after(), 0_usize..2).prop_map(|(after, contract)| Step::Restart { after, contract }),
        1 => prop_oneof![-40 * HOUR_MS..-1_000, 1_000..40 * HOUR_MS].prop_map(|by| Step::Jump { by }),
    ]
}

/// Running counts: of two classes remotely and by hand, then of two points to the grid and from it.
const COUNTS: [(EnergyKind, &str); 8] = [
    (EnergyKind::Remote, "d.rf"),
    (EnergyKind::Hand, "d.rf"),
    (EnergyKind::Remote, "d.mv"),
    (EnergyKind::Hand, "d.mv"),
    (EnergyKind::Out, "220.271.E.OUT"),
    (EnergyKind::In, "220.271.E.IN"),
    (EnergyKind::Out, "220.272.E.OUT"),
    (EnergyKind::In, "220.272.E.IN"),
];

/// A store in which all of that happened.
struct Story<'a> {
    folder: &'a Path,
    contracts: [Arc<Province>; 2],
    contract: usize,
    writer: Option<Writer>,
    now: i64,
    latest: i64,
    jumps: Vec<Jump>,
    lines: [EnergyLine; 8],
    place: Place,
}

impl<'a> Story<'a> {
    fn begin(folder: &'a Path, contracts: [Arc<Province>; 2], place: Place) -> Self {
        let now = place.began;
        let lines = COUNTS.map(|(kind, id)| EnergyLine {
            kind,
            station: if id.starts_with('d') { "S1" } else { "HPP" }.to_owned(),
            id: id.to_owned(),
            sells: false,
            day: place.day_of(now) - 1,
            kwh: 1_000,
            meter_days: 0,
            meters: 0,
            behind: 0,
            unread_days: 0,
        });
        let (writer, jumps) = (None, Vec::new());
        let mut story =
            Self { folder, contracts, contract: 0, writer, now, latest: 0, jumps, lines, place };
        story.session();
        story
    }

    fn commit(&mut self, batch: &Batch) {
        self.latest = self.latest.max(self.now);
        self.writer.as_mut().unwrap().commit(batch).unwrap();
    }

    /// A session begins: all that the contract has is told.
    fn session(&mut self) {
        let province = Arc::clone(&self.contracts[self.contract]);
        if self.writer.is_none() {
            self.writer = Some(Writer::open(self.folder, &province).unwrap());
            self.jumps.clear();
        }
        let at = Timestamp(self.now);
        let judgement = |n: usize| {
            let station = province.channels[n].station;
            let points = province.stations[station.index()].points.len();
            let (channel, state) = (ChannelId::at(n), VerdictState::from_bits(0).unwrap());
            let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
            Judgement { channel, at, link: LinkState::Connected, whole: true, runs }
        };
        let judgements = (0..province.channels.len()).map(judgement).collect();
        let (jumps, energy) = (self.jumps.clone(), self.told(0..8));
        self.commit(&Batch { judgements, jumps, energy, ..Batch::empty(true, at) });
    }

    /// Lines of counts, with the meters of the contract that holds.
    fn told(&mut self, counts: std::ops::Range<usize>) -> Vec<EnergyLine> {
        let province = &self.contracts[self.contract];
        let mut told = Vec::new();
        for line in &mut self.lines[counts] {
            if let Some((_, class)) = line.id.split_once('.').filter(|_| line.station == "S1") {
                let groups = province.stations[0].meters.iter();
                let is_own =
                    |group: &&config::MeterGroup| province.meter_classes[group.class].id == class;
                let Some(group) = groups.into_iter().find(is_own) else { continue };
                let remote = if class == "rf" { 60 } else { 0 };
                let hand = u64::from(group.installed) - remote;
                line.meters = if line.kind == EnergyKind::Remote { remote } else { hand };
                line.sells = province.meter_classes[group.class].sold;
                line.behind = line.behind.min(line.meters);
            }
            told.push(line.clone());
        }
        told
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Read { after, count, late, kwh, days, behind, unread } => {
                self.now += after;
                let line = &mut self.lines[count];
                line.day = self.place.day_of(self.now) - 1 - late;
                (line.kwh, line.meter_days) = (line.kwh + kwh, line.meter_days + days);
                (line.behind, line.unread_days) = (behind, unread);
                let energy = self.told(count..count + 1);
                self.commit(&Batch { energy, ..Batch::empty(false, Timestamp(self.now)) });
            }
            Step::Point { after, point, sides, kwh } => {
                self.now += after;
                let first = 4 + 2 * point;
                let counts = [first..first + 1, first + 1..first + 2, first..first + 2];
                let counts = counts[sides].clone();
                for line in &mut self.lines[counts.clone()] {
                    line.kwh += if line.kind == EnergyKind::Out { kwh } else { kwh / 10 };
                    line.day = self.place.day_of(self.now - 1);
                }
                let energy = self.told(counts);
                self.commit(&Batch { energy, ..Batch::empty(false, Timestamp(self.now)) });
            }
            Step::Wrong { after, count, kwh, days } => {
                self.now += after;
                let right = self.lines[count].clone();
                let line = &mut self.lines[count];
                (line.kwh, line.meter_days) = (kwh, days);
                if count >= 4 {
                    (line.day, line.meter_days) = (self.place.day_of(self.now - 1), 0);
                }
                let energy = self.told(count..count + 1);
                self.lines[count] = right;
                self.commit(&Batch { energy, ..Batch::empty(false, Timestamp(self.now)) });
            }
            Step::Reset { count } => {
                self.lines[count].kwh = 0;
                self.lines[count].meter_days = 0;
            }
            Step::Restart { after, contract } => {
                self.now += after;
                self.writer = None;
                // Nobody writes while the clock is behind what is there.
                self.now = self.now.max(self.latest + 1);
                self.contract = contract;
                self.session();
            }
            Step::Jump { by } => {
                self.commit(&Batch::empty(false, Timestamp(self.now)));
                let (before, after) = (Timestamp(self.now), Timestamp(self.now + by));
                self.now += by;
                self.jumps.push(Jump { before, after, by_ms: by, kind: JumpKind::Set });
                self.session();
            }
        }
    }
}

/// A row of the table `energy`: when it was told, and what.
type Row = (i64, EnergyLine);

/// The rows of each running count, in the order in which they were told; what a later epoch has in place of them
/// left out.
fn rows(folder: &Path) -> Vec<Vec<Row>> {
    let rows = Connection::open(folder.join("gridwatch.db")).unwrap();
    let mut sessions = rows.prepare("SELECT epoch, from_ms, until_ms FROM session").unwrap();
    let sessions: Vec<(i64, i64, i64)> = sessions
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let wrong = wrong_epochs(&rows);
    let mut counts = Vec::new();
    for (kind, id) in COUNTS {
        let mut own = rows
            .prepare("SELECT * FROM energy WHERE kind = ?1 AND id = ?2 ORDER BY epoch, at_ms")
            .unwrap();
        let line = |row: &rusqlite::Row<'_>| {
            let line = EnergyLine {
                kind,
                station: row.get("station")?,
                id: row.get("id")?,
                sells: row.get("sells")?,
                day: row.get("day")?,
                kwh: row.get::<_, i64>("kwh")?.unsigned_abs(),
                meter_days: row.get::<_, i64>("meter_days")?.unsigned_abs(),
                meters: row.get::<_, i64>("meters")?.unsigned_abs(),
                behind: row.get::<_, i64>("behind")?.unsigned_abs(),
                unread_days: row.get::<_, i64>("unread_days")?.unsigned_abs(),
            };
            Ok((row.get::<_, i64>("epoch")?, (row.get::<_, i64>("at_ms")?, line)))
        };
        let all = own.query_map([kind.word(), id], line).unwrap().map(Result::unwrap);
        let holds = |(epoch, (at, _)): &(i64, Row)| {
            let is_later = |(later, from, until): &(i64, i64, i64)| {
                later > epoch && from <= at && at < until && !wrong.contains(later)
            };
            !wrong.contains(epoch) && !sessions.iter().any(is_later)
        };
        counts.push(all.filter(holds).map(|(_, row)| row).collect());
    }
    counts
}

/// Whole numbers of a group: kWh, meter-days that were read, and all of them; remotely and by hand.
type Group = [[u64; 3]; 2];

/// Whole numbers of a window: of groups of meters, by class and whether they sell; of points, kWh to the grid and
/// from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sums {
    sold: BTreeMap<(String, bool), Group>,
    produced: BTreeMap<String, [Option<i64>; 2]>,
    remarks: usize,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        for (group, own) in &other.sold {
            let sum = self.sold.entry(group.clone()).or_default();
            for (sum, own) in sum.iter_mut().flatten().zip(own.iter().flatten()) {
                *sum += own;
            }
        }
        for (point, own) in &other.produced {
            let sum = self.produced.entry(point.clone()).or_default();
            for (sum, own) in sum.iter_mut().zip(own) {
                *sum = own.map_or(*sum, |own| Some(sum.unwrap_or(0) + own));
            }
        }
        self.remarks += other.remarks;
    }

    /// Groups and points of which there is anything.
    fn told(mut self) -> Self {
        self.sold.retain(|_, own| *own != Group::default());
        self.produced.retain(|_, own| *own != [None, None]);
        self
    }
}

/// A value, which must be there exactly when something was seen, or nothing was to be.
fn value<T: Copy + Default>(figure: &Figure<T>, is_known: bool) -> T {
    let value = figures::told(figure);
    assert_eq!(value.is_some(), is_known, "known, or not");
    value.unwrap_or_default()
}

fn sums(counted: &Counted) -> Sums {
    let mut sums = Sums::default();
    for (SoldBy { sells, class, .. }, own) in &counted.sold {
        let of = |read: Read, kwh: &Figure<u64>| {
            let (covered, all) = (read.covered_days(), read.all_days());
            [value(kwh, covered > 0 || all == 0), covered, all]
        };
        let group = [of(own.remote(), &own.remote_kwh()), of(own.hand(), &own.hand_kwh())];
        sums.sold.insert((class.clone(), *sells), group);
        sums.remarks += own.read().remarks().0.len();
    }
    for ((_, point), own) in &counted.produced {
        let sides = [own.out_kwh(), own.in_kwh()].map(|side| figures::told(&side));
        let both = sides[0].zip(sides[1]);
        assert_eq!(figures::told(&own.net_kwh()), both.map(|(out, back)| out - back));
        sums.produced.insert(point.clone(), sides);
        let remarks = own.net_kwh();
        let of_days = remarks.remarks().0.iter().filter(|own| own.what != What::CountDoubtful);
        sums.remarks += of_days.count();
    }
    sums
}

/// The last row that was told up to the end of a day; before all of them, of the first day of which one was.
fn meters_of(rows: &[Row], place: Place, day: i64) -> &Row {
    let earliest = rows.iter().map(|(at, _)| place.day_of(*at)).min().unwrap();
    rows.iter().rfind(|(at, _)| place.day_of(*at) <= day.max(earliest)).unwrap()
}

/// The history as rows, and what they are held against.
struct Slow {
    place: Place,
    counts: Vec<Vec<Row>>,
    sessions: Vec<Session>,
    contracts: [Arc<Province>; 2],
    /// For each row of each count the one that it counts on from, once that is asked for.
    from: OnceCell<Vec<Vec<Option<usize>>>>,
}

impl Slow {
    /// The contract that holds at the end of a day.
    fn province(&self, day: i64) -> &Province {
        let last = self.place.begin_of(day + 1) - 1;
        let held = self.sessions.iter().rfind(|own| own.from.0 <= last);
        let contract = held.unwrap_or(&self.sessions[0]).contract;
        &self.contracts[usize::try_from(contract - 1).unwrap()]
    }

    fn has_meters(&self, day: i64, class: &str, sells: bool) -> bool {
        let province = self.province(day);
        province.stations[0].meters.iter().any(|group| {
            let own = &province.meter_classes[group.class];
            own.id == class && own.sold == sells
        })
    }

    /// Whether a row of a count can follow another one.
    fn can_follow(&self, count: usize, (before, old): &Row, (at, new): &Row) -> bool {
        if new.kwh < old.kwh {
            return false;
        }
        let kwh = new.kwh - old.kwh;
        if count >= 4 {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let (hours, kwh) = ((at - before).max(0) as f64 / HOUR_MS as f64, kwh as f64);
            let mw = self.province(new.day).stations[1].plant.unwrap().mw;
            return at > before && kwh <= 1_000.0 * (1.1 * mw * (hours + 0.5) + 1.0);
        }
        if new.meter_days < old.meter_days || new.day < old.day {
            return false;
        }
        let days = new.meter_days - old.meter_days;
        let most = old.meters.max(new.meters) * (new.day - old.day).unsigned_abs();
        let other = 62 * old.meters.abs_diff(new.meters);
        // No province of these says what it sells in a year.
        kwh <= 240_000 * days && days <= old.unread_days + most + other
    }

    /// For each row of a count the one that it counts on from: the last one that was believed, or else the one before
    /// it, or else the only one of a month from which it had begun anew; none for the first one, for those that cannot be,
    /// and for what lay between.
    fn counts_from(&self, count: usize) -> Vec<Option<usize>> {
        let rows = &self.counts[count];
        let mut from: Vec<Option<usize>> = Vec::new();
        // Rows behind which it began anew, and those from which it went on though what they added is not known.
        let (mut ends, mut went_on) = (Vec::<usize>::new(), BTreeSet::new());
        for n in 0..rows.len() {
            let can = |m: &usize| self.can_follow(count, &rows[*m], &rows[n]);
            let starts = |m: usize| m == 0 || from[m].is_some() || went_on.contains(&m);
            let believed = (0..n).rev().find(|m| starts(*m));
            let near = |m: &&usize| (rows[n].0 - rows[**m].0).abs() <= 31 * 24 * HOUR_MS;
            let before = n.checked_sub(1).filter(can);
            let is_anew = before.is_some_and(|before| {
                let own = &rows[before].1;
                count < 4 && before > believed.unwrap_or(0) && (own.kwh, own.meter_days) == (0, 0)
            });
            if let Some(own) = believed.filter(|own| !is_anew && can(own)) {
                from.push(Some(own));
            } else if let (Some(own), Some(end)) = (before, believed) {
                ends.push(end);
                from.push(Some(own));
            } else if let Some(own) = ends.iter().filter(near).copied().find(can) {
                let is_clear = ends.iter().filter(near).copied().filter(can).count() == 1;
                from[own + 1..].fill(None);
                ends.retain(|end| *end < own);
                from.push(is_clear.then_some(own));
                went_on.insert(n);
            } else {
                from.push(None);
            }
        }
        from
    }

    /// The same for all counts, but for rows of plants whose series is not known to be the counter's own.
    fn all_from(&self) -> &[Vec<Option<usize>>] {
        self.from.get_or_init(|| {
            let mut all: Vec<_> = (0..8).map(|count| self.counts_from(count)).collect();
            let series: Vec<_> = (4..8).map(|count| self.series(count, &all[count])).collect();
            for (count, from) in all.iter_mut().enumerate().skip(4) {
                for n in self.not_own(count, &series) {
                    from[n] = None;
                }
            }
            all
        })
    }

    /// Series of a counter of a plant: its first row, the one behind it, how long it was shown, and whether it gave way to
    /// another one while somebody watched, and cannot have begun at nothing.
    fn series(&self, count: usize, from: &[Option<usize>]) -> Vec<(usize, usize, i64, bool)> {
        let rows = &self.counts[count];
        let is_first = |n: &usize| from[*n].is_none() && from.get(n + 1) == Some(&Some(*n));
        let mut first: Vec<usize> = (1..rows.len()).filter(is_first).collect();
        first.insert(0, 0);
        first.retain(|n| *n < rows.len());
        let of = |(k, own): (usize, &usize)| {
            let end = first.get(k + 1).copied().unwrap_or(rows.len());
            let last = (*own..end).rev().find(|n| from[*n].is_some()).unwrap_or(*own);
            let gives_way = *own > 0 && {
                let (before, (at, line)) = (rows[own - 1].0, &rows[*own]);
                let from_nothing = EnergyLine { kwh: 0, ..line.clone() };
                let is_anew = self.can_follow(count, &(before, from_nothing), &rows[*own]);
                at - before <= 2 * HOUR_MS && !is_anew
            };
            (*own, end, rows[last].0 - rows[*own].0, gives_way)
        };
        first.iter().enumerate().map(of).collect()
    }

    /// Rows that are not known to be of the counter: of a series shorter than a day beside another one; of one to which
    /// another counter of the plant went over, too, for half a month, and of the one before unless that was shown as long;
    /// and those that stand at nothing.
    fn not_own(&self, count: usize, all: &[Vec<(usize, usize, i64, bool)>]) -> BTreeSet<usize> {
        let (rows, own) = (&self.counts[count], &all[count - 4]);
        let half = 31 * 24 * HOUR_MS / 2;
        let mut found = BTreeSet::new();
        for (k, (first, end, shown, gives_way)) in own.iter().copied().enumerate() {
            let is_left = own.get(k + 1).is_some_and(|next| next.3);
            if (gives_way || is_left) && shown < 24 * HOUR_MS {
                found.extend(first..end);
            }
            if k == 0 {
                continue;
            }
            let began = rows[first].0;
            let others = (4..8).filter(|other| *other != count);
            let is_shared = others
                .flat_map(|other| all[other - 4].iter().skip(1).map(move |o| (other, o)))
                .any(|(other, theirs)| {
                    (self.counts[other][theirs.0].0 - began).abs() <= 15 * 60_000
                        && (gives_way || theirs.3)
                });
            if is_shared {
                let late = (first..end).find(|n| rows[*n].0 - began > half).unwrap_or(end);
                found.extend(first..late);
                let before = own[k - 1];
                if before.2 < half {
                    found.extend(before.0..before.1);
                }
            }
            let moves = (first..end).find(|n| rows[*n].1.kwh > 0).unwrap_or(end);
            found.extend(first..moves);
        }
        found
    }

    /// What a day comes to, row by row.
    fn day(&self, day: i64) -> Sums {
        let mut sums = Sums::default();
        for (n, ((kind, id), rows)) in COUNTS.iter().zip(&self.counts).enumerate() {
            let from = &self.all_from()[n];
            let of_day = rows.iter().zip(from).skip(1).filter(|(row, _)| row.1.day == day);
            let Some((_, class)) = id.split_once('.').filter(|_| id.starts_with('d')) else {
                for (new, from) in of_day {
                    // One remark for all that goes on: `doubts`.
                    let Some(old) = from.map(|from| &rows[from]) else { continue };
                    sums.remarks += usize::from(new.0 - old.0 > 2 * HOUR_MS);
                    let point = id[..7].to_owned();
                    let side = usize::from(*kind == EnergyKind::In);
                    let kwh = i64::try_from(new.1.kwh - old.1.kwh).unwrap();
                    let own = &mut sums.produced.entry(point).or_default()[side];
                    *own = Some(own.unwrap_or(0) + kwh);
                }
                continue;
            };
            let side = usize::from(*kind == EnergyKind::Hand);
            for ((_, new), from) in of_day {
                let Some((_, old)) = from.map(|from| &rows[from]) else {
                    sums.remarks += 1;
                    continue;
                };
                let own = &mut sums.sold.entry((class.to_owned(), new.sells)).or_default()[side];
                own[0] += new.kwh - old.kwh;
                own[1] += new.meter_days - old.meter_days;
            }
            // All that was told of it was told by a wrong clock.
            if rows.is_empty() {
                continue;
            }
            let line = &meters_of(rows, self.place, day).1;
            if self.has_meters(day, class, line.sells) {
                let own = &mut sums.sold.entry((class.to_owned(), line.sells)).or_default()[side];
                own[2] += line.meters;
            }
        }
        sums
    }

    /// Meter-days within a window that its readings cover, at least: of a class, remotely or by hand.
    fn within(&self, count: usize, sells: bool, (first, last): (i64, i64)) -> u64 {
        let rows = &self.counts[count];
        if rows.is_empty() {
            return 0;
        }
        let back = |pair: &[Row]| pair[0].1.day >= first && pair[1].1.day < first;
        if rows.windows(2).any(back) {
            return 0;
        }
        let before = rows.iter().rfind(|(_, line)| line.day < first).unwrap_or(&rows[0]);
        let since = (before.1.day + 1..first).map(|day| meters_of(rows, self.place, day).1.meters);
        let unread = before.1.unread_days + since.sum::<u64>();
        let (class, side) = (COUNTS[count].1.split_once('.').unwrap().1, count % 2);
        let mut all = [0; 2];
        for day in first..=last {
            let own = self.day(day).sold.get(&(class.to_owned(), sells)).copied();
            let own = own.unwrap_or_default()[side];
            all = [all[0] + own[1], all[1] + own[2]];
        }
        all[0].saturating_sub(unread).min(all[1])
    }

    /// How many times the counters of a point went on to say what cannot be, as far as a window tells of it.
    fn doubts(&self, point: usize, (first, last): (i64, i64)) -> usize {
        let of_side = |count: usize| {
            let (rows, from) = (&self.counts[count], &self.all_from()[count]);
            let is_doubtful =
                |n: usize| n > 0 && from[n].is_none() && (first..=last).contains(&rows[n].1.day);
            let begins = |n: &usize| is_doubtful(*n) && !is_doubtful(n - 1);
            (1..rows.len()).filter(begins).count()
        };
        of_side(4 + 2 * point) + of_side(5 + 2 * point)
    }

    /// Milliseconds of a window in which both counters of a point were seen, stretch by stretch.
    fn seen(&self, point: usize, (first, last): (i64, i64)) -> u64 {
        let usable = |count: usize| -> Vec<(i64, i64)> {
            let (rows, from) = (&self.counts[count], &self.all_from()[count]);
            // Whatever day a step belongs to, its time lies where it lies; but what of one of more than two hours is of the
            // window cannot be told where it leaves it.
            let begins = self.place.begin_of(first);
            let is_told = |new: &Row, old: i64| {
                let is_within = (first..=last).contains(&new.1.day) && old >= begins;
                is_within || new.0 - old <= 2 * 3_600_000
            };
            let known = rows.iter().zip(from).filter_map(|(new, from)| {
                let old = rows[(*from)?].0;
                is_told(new, old).then_some((old, new.0))
            });
            known.collect()
        };
        let sides = [usable(4 + 2 * point), usable(5 + 2 * point)];
        let window = (self.place.begin_of(first), self.place.begin_of(last + 1));
        let edges: BTreeSet<i64> = sides
            .iter()
            .flatten()
            .flat_map(|(from, to)| [*from, *to])
            .chain([window.0, window.1])
            .collect();
        let edges: Vec<i64> = edges.into_iter().collect();
        let has = |side: &[(i64, i64)], at: i64| side.iter().any(|own| own.0 <= at && at < own.1);
        let both = |pair: &&[i64]| {
            window.0 <= pair[0]
                && pair[1] <= window.1
                && sides.iter().all(|side| has(side, pair[0]))
        };
        edges.windows(2).filter(both).map(|pair| (pair[1] - pair[0]).unsigned_abs()).sum()
    }
}

fn told(reader: &Reader, place: Place, (first, last): (i64, i64)) -> Counted {
    let sessions = reader.sessions().unwrap();
    let span = Span::new(Timestamp(place.begin_of(first)), Timestamp(place.begin_of(last + 1)));
    let window = Window::new(span, &[], &sessions);
    let contracts: Vec<Contract> =
        window.eras.iter().map(|era| reader.contract(era.contract).unwrap()).collect();
    counted(reader, &Days::new(&window, &contracts, place.zone), |_| true).unwrap()
}

fn check(
    place: Place,
    steps: &[Step],
    windows: &[(i64, i64)],
    cuts: &[i64],
) -> Result<(), TestCaseError> {
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path(), contracts(), place);
    for step in steps {
        story.take(step);
    }
    let contracts = story.contracts.clone();
    let reader = Reader::open(folder.path()).unwrap();
    let sessions = reader.sessions().unwrap();
    let watched = sessions.iter().map(|session| session.until.0).max().unwrap();
    let (counts, from) = (rows(folder.path()), OnceCell::new());
    let slow = Slow { place, counts, sessions, contracts, from };
    let mut closed = Vec::new();
    for (first, length) in windows {
        // Windows reach before and behind what is kept.
        let first_day = place.first_day - 3;
        let first = first_day + first.rem_euclid(place.day_of(watched) - first_day + 3);
        let last = first + length;
        let whole = told(&reader, place, (first, last));
        let mut expected = Sums::default();
        (first..=last).for_each(|day| expected.add(&slow.day(day)));
        let (found, expected) = (sums(&whole).told(), expected.told());
        prop_assert_eq!(&found, &expected, "{:?}", (first, last));
        for (n, point) in ["220.271", "220.272"].into_iter().enumerate() {
            let own = whole.produced.get(&("HPP".to_owned(), point.to_owned()));
            let net = own.map(Produced::net_kwh);
            let have = net.as_ref().map_or(0, |net| net.known().have);
            let doubtful = net.as_ref().map_or(0, |net| {
                net.remarks().0.iter().filter(|own| own.what == What::CountDoubtful).count()
            });
            prop_assert_eq!(doubtful, slow.doubts(n, (first, last)), "{} {:?}", point, first);
            prop_assert_eq!(have, slow.seen(n, (first, last)), "{} {:?}", point, (first, last));
        }
        for (SoldBy { class, sells, .. }, own) in &whole.sold {
            let remote = COUNTS.iter().position(|(_, id)| id[2..] == **class).unwrap();
            for (count, figure) in [(remote, own.remote_kwh()), (remote + 1, own.hand_kwh())] {
                let known = figure.known().have / DAY_MS.unsigned_abs();
                let is_told = figures::told(&figure).is_some();
                let within = slow.within(count, *sells, (first, last));
                prop_assert_eq!(known, if is_told { within } else { 0 }, "{} {:?}", count, first);
            }
        }
        let mut edges: Vec<i64> =
            cuts.iter().map(|cut| first + cut.rem_euclid(length + 1)).collect();
        edges.extend([first, last + 1]);
        edges.sort_unstable();
        edges.dedup();
        let known = |counted: &Counted| -> u64 {
            counted.produced.values().map(|own| own.net_kwh().known().have).sum()
        };
        let (mut added, mut known_of_parts) = (Sums::default(), 0);
        for part in edges.windows(2) {
            let days = (part[0], part[1] - 1);
            let part = told(&reader, place, days);
            added.add(&sums(&part));
            known_of_parts += known(&part);
            let seen: u64 = (0..2).map(|point| slow.seen(point, days)).sum();
            prop_assert_eq!(known(&part), seen, "{:?}", days);
        }
        // A day does not know what a later one tells of it.
        prop_assert!(known_of_parts <= known(&whole), "known, cut at {:?}", edges);
        prop_assert_eq!(added.told(), found, "cut at {:?}", edges);
        closed.push(((first, last), whole));
    }
    drop(reader);
    watched_later(story, &closed)
}

/// Somebody watches again, long after some windows and what is told of them: they say what they said.
fn watched_later(
    mut story: Story<'_>,
    closed: &[((i64, i64), Counted)],
) -> Result<(), TestCaseError> {
    let contract = story.contract;
    for (after, contract) in [(90 * 24 * HOUR_MS, contract), (200 * HOUR_MS, 1 - contract)] {
        for line in &mut story.lines {
            line.day = story.place.day_of(story.now + after) - 1;
            line.kwh += 700;
        }
        story.take(&Step::Restart { after, contract });
        for count in 0..4 {
            let (kwh, days, behind) = (900, 20, 3);
            story.take(&Step::Read {
                after: HOUR_MS,
                count,
                late: 0,
                kwh,
                days,
                behind,
                unread: 9,
            });
        }
        let reader = Reader::open(story.folder).unwrap();
        let slow = Slow {
            place: story.place,
            counts: rows(story.folder),
            sessions: reader.sessions().unwrap(),
            contracts: story.contracts.clone(),
            from: OnceCell::new(),
        };
        for (window, before) in closed {
            let after = told(&reader, story.place, *window);
            prop_assert_eq!(&after.sold, &before.sold, "{:?}", window);
            // A plant's counter that is read again tells of the time between, and brings nothing to the days in it; but a
            // series that was not a day old may be believed now.
            let mut expected = Sums::default();
            (window.0..=window.1).for_each(|day| expected.add(&slow.day(day)));
            prop_assert_eq!(sums(&after).told(), expected.told(), "{:?}", window);
        }
    }
    Ok(())
}

/// Whole numbers of a report: kilowatt hours and meter-days of each row and of the total.
fn filed(store: &Path, period: &[&str]) -> Option<BTreeMap<String, i64>> {
    let (config, out) = (store.join("p.toml"), store.join("r.json"));
    let [config, folder, out] = [&config, store, &out].map(|own: &Path| own.to_str().unwrap());
    let args = [&["report", config, "--store", folder, "--out", out], period].concat();
    let output = gridwatch(&args);
    if output.status.code() == Some(3) {
        return None;
    }
    assert!(output.status.success(), "{}", stderr(&output));
    let said: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let mut sums = BTreeMap::new();
    for (sheet, table, columns) in [
        ("sold", "sold_districts", &["sold", "remote", "hand"][..]),
        ("sold", "sold_classes", &["sold", "remote", "hand"]),
        ("produced", "produced", &["out", "in", "produced"]),
    ] {
        let table = &said["sheets"][sheet]["tables"][table];
        for row in table["rows"].as_array().unwrap().iter().chain([&table["total"]]) {
            let name = format!("{} {} {}", row["id"], row["point"], row["sells"]);
            for column in columns {
                // What is not known is an object.
                let mwh = row[*column].as_f64().unwrap_or_default();
                #[expect(clippy::cast_possible_truncation, reason = "small")]
                let kwh = (1_000.0 * mwh).round() as i64;
                *sums.entry(format!("{name} {column}")).or_default() += kwh;
            }
            for (column, days) in [("read", &row["read_days"]), ("all", &row["known"]["want"])] {
                let days = days.as_i64().filter(|_| sheet == "sold").unwrap_or_default();
                *sums.entry(format!("{name} {column} days")).or_default() += days;
            }
        }
    }
    sums.retain(|_, sum| *sum != 0);
    Some(sums)
}

#[test]
fn quarters_add_up_to_their_year() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("p.toml"), text(("true", "rf = 101, mv = 7", 300))).unwrap();
    // 2022-02-10 to the middle of August; the contract changes in May.
    let mut story = Story::begin(
        folder.path(),
        contracts(),
        Place { began: HOA_BINH.begin_of(19_033), ..HOA_BINH },
    );
    for n in 0..130_u64 {
        let count = usize::try_from(n % 4).unwrap();
        let (after, kwh, behind) = (20 * HOUR_MS, 900 + 37 * n, n % 5);
        story.take(&Step::Read { after, count, late: 0, kwh, days: 3, behind, unread: 0 });
        let (point, kwh) = (usize::try_from(n % 2).unwrap(), 70_000 + 1_001 * n);
        story.take(&Step::Point { after: 14 * HOUR_MS, point, sides: 2, kwh });
        if n == 65 {
            story.take(&Step::Restart { after: HOUR_MS, contract: 1 });
            story.take(&Step::Restart { after: 30 * HOUR_MS, contract: 0 });
        }
    }
    // Nobody watches until the last weeks of the year.
    story.take(&Step::Restart { after: HOA_BINH.begin_of(19_340) - story.now, contract: 0 });
    story.take(&Step::Read {
        after: HOUR_MS,
        count: 0,
        late: 0,
        kwh: 9,
        days: 3,
        behind: 0,
        unread: 0,
    });
    drop(story);
    let year = filed(folder.path(), &["--year", "2022"]).unwrap();
    let mut sum: BTreeMap<String, i64> = BTreeMap::new();
    let mut watched = Vec::new();
    for quarter in 1..=4 {
        let own = filed(folder.path(), &["--quarter", &format!("2022-Q{quarter}")]);
        watched.push(own.is_some());
        for (name, own) in own.unwrap_or_default() {
            *sum.entry(name).or_default() += own;
        }
    }
    assert_eq!(watched, [true; 4]);
    assert_eq!(sum, year);
    for total in ["sold", "remote", "hand", "out", "in", "produced"] {
        let own = year.iter().filter(|(name, _)| name.ends_with(&format!(" {total}")));
        assert!(own.map(|(_, kwh)| kwh).sum::<i64>() > 100_000, "{total}: {year:?}");
    }
}

/// Which of the meters without a channel are read on a day, as bits.
fn rounds() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u64>(), 1 => Just(u64::MAX)], 1..60)
}

/// What is told of a count to be known of a window is what its meters were read, meter by meter; less only where
/// some of those that were behind when it began were not read in it.
fn read_by_hand(rounds: &[u64], (first, length): (i64, i64)) -> Result<(), TestCaseError> {
    const METERS: usize = 41;
    let folder = tempdir().unwrap();
    let mut story = Story::begin(folder.path(), contracts(), HOA_BINH);
    // Of each meter the days of its readings; nothing is read of the time before.
    let mut read: Vec<Vec<i64>> = vec![vec![HOA_BINH.first_day - 1]; METERS];
    for (day, round) in (HOA_BINH.first_day..).zip(rounds) {
        let is_read = |meter: &usize| round >> meter & 1 == 1;
        let mut brought = 0;
        for meter in (0..METERS).filter(is_read) {
            brought += (day - read[meter].last().unwrap()).unsigned_abs();
            read[meter].push(day);
        }
        story.now = HOA_BINH.begin_of(day + 1) + 6 * HOUR_MS;
        let line = &mut story.lines[1];
        if brought > 0 {
            line.day = day;
            line.meter_days += brought;
            line.kwh += 7 * brought;
            let unread = read.iter().map(|days| (day - days.last().unwrap()).unsigned_abs());
            line.unread_days = unread.sum();
        }
        let energy = story.told(1..2);
        story.commit(&Batch { energy, ..Batch::empty(false, Timestamp(story.now)) });
    }
    drop(story);
    let first = HOA_BINH.first_day + first.rem_euclid(i64::try_from(rounds.len()).unwrap());
    // Of days that are over.
    let last = (first + length).min(HOA_BINH.first_day - 1 + i64::try_from(rounds.len()).unwrap());
    let counted = told(&Reader::open(folder.path()).unwrap(), HOA_BINH, (first, last));
    let group = |own: &&SoldBy| own.class == "rf" && own.sells;
    let own = &counted.sold[counted.sold.keys().find(group).unwrap()];
    let (mut within, mut all, mut are_caught_up) = (0, 0, true);
    for days in &read {
        // From the reading before the window on to the last one in it.
        let latest = days.iter().rfind(|day| **day <= last).unwrap();
        let before = days.iter().rfind(|day| **day < first).unwrap();
        within += (latest - (first - 1)).max(0).unsigned_abs();
        all += (latest - before).unsigned_abs();
        are_caught_up &= *latest >= first || *before == first - 1;
    }
    let figure = own.hand_kwh();
    let (value, known) = (figures::told(&figure), figure.known());
    prop_assert_eq!(own.hand().covered_days(), all);
    prop_assert_eq!(value, (all > 0).then_some(7 * all));
    prop_assert_eq!(known.want, (last + 1 - first).unsigned_abs() * 41 * DAY_MS.unsigned_abs());
    let known = known.have / DAY_MS.unsigned_abs();
    prop_assert!(known <= within, "{} of {}", known, within);
    if are_caught_up {
        prop_assert_eq!(known, within);
    }
    Ok(())
}

fn stories(steps: usize) -> impl Strategy<Value = (Vec<Step>, Vec<(i64, i64)>, Vec<i64>)> {
    (
        prop::collection::vec(step(), 1..steps),
        prop::collection::vec((any::<i64>(), 0_i64..40), 3),
        prop::collection::vec(any::<i64>(), 1..5),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(40) })]

    #[test]
    fn energy_sold_and_produced_adds_up_and_is_what_the_rows_say((steps, windows, cuts) in stories(120)) {
        check(HOA_BINH, &steps, &windows, &cuts)?;
    }

    /// Days of 25 hours are days like others.
    #[test]
    fn energy_adds_up_where_clocks_are_set((steps, windows, cuts) in stories(120)) {
        check(berlin(), &steps, &windows, &cuts)?;
    }

    #[test]
    fn what_is_known_of_readings_by_hand_is_what_meters_were_read(
        (rounds, window) in (rounds(), (any::<i64>(), 0_i64..40)),
    ) {
        read_by_hand(&rounds, window)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    #[ignore = "a campaign of some minutes"]
    fn energy_sold_and_produced_adds_up_over_thousands_of_histories((steps, windows, cuts) in stories(200)) {
        check(HOA_BINH, &steps, &windows, &cuts)?;
    }
}

#[test]
fn a_count_that_is_wrong_for_a_moment_adds_nothing_when_it_is_right_again() {
    let read =
        |kwh| Step::Read { after: HOUR_MS, count: 0, late: 0, kwh, days: 0, behind: 0, unread: 0 };
    let point = |kwh| Step::Point { after: HOUR_MS / 2, point: 0, sides: 0, kwh };
    for wrong in [0, 40_000_000, 1_000_000_000_000] {
        let folder = tempdir().unwrap();
        let mut story = Story::begin(folder.path(), contracts(), HOA_BINH);
        let glitch = |count, kwh| Step::Wrong { after: HOUR_MS / 2, count, kwh, days: 0 };
        for step in [read(0), glitch(0, wrong), read(0), point(500), glitch(4, wrong), point(700)] {
            story.take(&step);
        }
        let days = (HOA_BINH.day_of(HOA_BINH.began) - 4, HOA_BINH.day_of(story.now) + 1);
        let counted = told(&Reader::open(folder.path()).unwrap(), HOA_BINH, days);
        let sums = sums(&counted);
        assert_eq!(sums.sold[&("rf".to_owned(), true)][0][0], 0, "{wrong}");
        assert_eq!(sums.produced["220.271"], [Some(1_200), None], "{wrong}");
        let produced = counted.produced.values().flat_map(|own| own.net_kwh().remarks().0.to_vec());
        let doubtful = produced.filter(|own| own.what == What::CountDoubtful).count();
        assert_eq!((sums.remarks > 0, doubtful), (true, 1), "both are told");
    }
}

/// What a counter of a plant tells while something is wrong with it is what the field truly gave, over all that is not told
/// as not known.
#[test]
fn what_a_counter_of_a_plant_says_is_held_against_the_power_of_its_point() {
    let [province, _] = contracts();
    let province = Arc::new(stretched((*province).clone(), 60.0));
    let from = Timestamp(HOA_BINH.began);
    let days = (HOA_BINH.first_day, HOA_BINH.first_day + 1);
    let to = Timestamp(HOA_BINH.begin_of(days.1 + 1));
    let record = |fault: &str| {
        let folder = tempdir().unwrap();
        let text = if fault.is_empty() {
            String::new()
        } else {
            format!("[[fault]]\ntarget = \"HPP.220.271{fault}\nat = \"10h\"\nfor = \"16h\"\n")
        };
        let scenario = Scenario::parse(&province, "scenario", &text).unwrap();
        keeping::record(folder.path(), &province, scenario, (from, to), 600_000);
        folder
    };
    let right = record("");
    let truth = rows(right.path())[4].clone();
    let of_point = |folder: &Path, days| {
        let counted = told(&Reader::open(folder).unwrap(), HOA_BINH, days);
        counted.produced[&("HPP".to_owned(), "220.271".to_owned())].clone()
    };
    let table = [
        ("frozen", ".E.OUT\"\nkind = \"T08\""),
        ("the power, too", "\"\nkind = \"T08\""),
        ("two digits", ".E.OUT\"\nkind = \"T24\"\nhow = \"rollover\"\ndigits = 2"),
        ("one digit", ".E.OUT\"\nkind = \"T24\"\nhow = \"rollover\"\ndigits = 1"),
        ("begun anew", ".E.OUT\"\nkind = \"T24\"\nhow = \"reset\""),
        ("another counter", "\"\nkind = \"T16\"\nby = 2"),
        ("the power ten times too small", ".P\"\nkind = \"T11\"\nfactor = 0.1"),
    ];
    let day = |n: i64| (days.0 + n, days.0 + n);
    let whole = of_point(right.path(), days).out_kwh();
    assert!(figures::told(&whole).unwrap() > 1_000_000, "{whole:?}");
    for (what, fault) in table {
        let folder = record(fault);
        let mut sum = 0;
        for days in [days, day(0), day(1)] {
            let own = of_point(folder.path(), days);
            let net = own.net_kwh();
            let said = net.remarks().0.iter().filter(|own| own.place == "HPP.220.271.E.OUT");
            let said: Vec<(i64, i64, bool)> = said
                .map(|own| (own.at.0, own.until.unwrap().0, own.what == What::UnseenBetween))
                .collect();
            // Row by row: what is told as not known is not in it, but for what goes on behind it over all of that.
            let mut expected = 0;
            for pair in truth.windows(2) {
                let (since, (at, line)) = (pair[0].0, &pair[1]);
                let bridge = said.iter().find(|own| own.1 == *at && own.2);
                let is_not_known = said.iter().any(|own| own.0 < *at && since < own.1);
                let from = match bridge {
                    Some(bridge) => bridge.0,
                    None if is_not_known => continue,
                    None => since,
                };
                let before = truth.iter().rfind(|(at, _)| *at <= from).unwrap();
                if (days.0..=days.1).contains(&line.day) {
                    expected += (line.kwh - before.1.kwh).cast_signed();
                }
            }
            let found = figures::told(&own.out_kwh()).unwrap_or(0);
            assert_eq!(found, expected, "{what}, {days:?}: {said:?}");
            sum += if days.0 == days.1 { found } else { -found };
        }
        assert_eq!(sum, 0, "{what}: days add up");
    }
}
