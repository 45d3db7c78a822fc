//! Windows add up: whatever a stretch of history is cut into, its parts sum to it exactly, and what it says
//! is what the rows of the store say when they are gone through one by one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Flags, PointId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::historian::events::{Change, EventEntry, Happening};
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::history::alarms::alarms;
use gridwatch::history::reliability::{Count, Tally, reliability};
use gridwatch::history::{Figure, Span, What};
use gridwatch::store::{Batch, Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rusqlite::Connection;
use tempfile::tempdir;

use crate::figures;
use crate::fixture::{CENTRE, HEAD, STATION};
use crate::partition::{edges, stories};

const HOUR: i64 = 3_600_000;
const FIVE_MINUTES: i64 = 300_000;
/// Shorter than this, a position that could not be used hides nothing.
const SHORT: i64 = 30_000;

/// One station with two feeders under one transformer; by the second contract one has another name.
pub(crate) fn contracts() -> [Arc<Province>; 2] {
    contracts_of(CENTRE, STATION)
}

/// The same with these centres, and a station that says when they tested it.
pub(crate) fn contracts_of(centres: &str, station: &str) -> [Arc<Province>; 2] {
    ["472", "474"].map(|second| {
        let text = format!(
            r#"
{HEAD}
{centres}[metering]
classes = [{{ id = "rf", name = "rf", technology = "RF", sold = true }}]
districts = [{{ id = "d", name = "D" }}]
{station}
BB110 = ["C11"]
TMV = ["431"]
BBMV = ["C41"]
FMV = ["471", "{second}"]
[[stations.metering]]
district = "d"
installed = {{ rf = 101 }}
remote = {{ rf = 90 }}
"#
        );
        Arc::new(Province::parse("two.toml", &text).unwrap())
    })
}

/// Somebody watched, but neither records nor polled positions tell of a breaker: not known, and never "supplied".
#[test]
fn what_nothing_ever_told_of_a_breaker_is_not_known() {
    let folder = tempdir().unwrap();
    let (path, contracts) = (folder.path(), contracts());
    let mut story = Story {
        folder: path,
        contracts,
        contract: 0,
        writer: None,
        now: 0,
        numbers: BTreeMap::new(),
        alarms: Vec::new(),
    };
    story.begin(0, true);
    let mut known = Vec::new();
    for bay in 0..3 {
        story.now += HOUR;
        story.switch(bay, true, 0);
        story.now += HOUR;
        story.switch(bay, false, 0);
        let reader = Reader::open(path).unwrap();
        let window = Span::new(Timestamp(0), Timestamp(story.now));
        let indices = reliability(&reader, window, |_| true).unwrap().indices(None);
        let of = |figure: &Figure<f64>| figures::told(figure).is_some();
        let all = [of(&indices.saidi), of(&indices.saifi), of(&indices.maifi)];
        assert!(all.iter().all(|own| *own == all[0]), "{all:?}");
        known.push((all[0], indices.saidi.known().have > 0));
    }
    // A transformer that is open leaves its section dead wherever the others stand; closed, it says nothing alone.
    assert!(known.iter().all(|own| *own == (true, true)), "{known:?}");
    let reader = Reader::open(path).unwrap();
    let first = Span::new(Timestamp(0), Timestamp(HOUR));
    let with_records = reliability(&reader, first, |_| true).unwrap();
    let known = |feeder: &str| {
        let own = with_records.feeders.iter().find(|own| own.name.bay == feeder).unwrap();
        own.unknown.iter().all(|unknown| unknown.and(first).length() == 0)
    };
    assert!(known("471"), "the first record of each breaker tells of the time before");
    assert!(!known("472"), "nothing tells of its own");

    let empty = tempdir().unwrap();
    let mut story = Story { folder: empty.path(), writer: None, now: 0, ..story };
    story.begin(0, true);
    story.now = 24 * HOUR;
    story.commit(&Batch::empty(false, Timestamp(story.now)));
    let reader = Reader::open(empty.path()).unwrap();
    let day = Span::new(Timestamp(0), Timestamp(24 * HOUR));
    let indices = reliability(&reader, day, |_| true).unwrap().indices(None);
    for figure in [&indices.saidi, &indices.saifi, &indices.maifi] {
        assert_eq!((figures::told(figure), figure.known().have), (None, 0));
    }
    for figure in [&indices.sustained, &indices.momentary, &indices.undecided] {
        assert_eq!((figures::told(figure), figure.known().have), (None, 0));
    }
}

/// Nobody says of a feeder that a new contract has no more that it is without supply still.
#[test]
fn an_interruption_of_a_feeder_that_is_gone_has_an_end_that_nobody_saw() {
    for (second, expected) in [(0, What::Open), (1, What::EndUnseen)] {
        let folder = tempdir().unwrap();
        let (path, contracts) = (folder.path(), contracts());
        let mut story = Story {
            folder: path,
            contracts,
            contract: 0,
            writer: None,
            now: 0,
            numbers: BTreeMap::new(),
            alarms: Vec::new(),
        };
        story.begin(0, true);
        for (bay, open) in [(0, false), (1, false), (3, false), (3, true)] {
            story.now += HOUR;
            story.switch(bay, open, 0);
        }
        story.now += HOUR;
        story.commit(&Batch::empty(false, Timestamp(story.now)));
        story.begin(second, true);
        story.now += HOUR;
        story.commit(&Batch::empty(false, Timestamp(story.now)));
        let reader = Reader::open(path).unwrap();
        for window in [(0, 6 * HOUR), (3 * HOUR, 5 * HOUR)] {
            let window = Span::new(Timestamp(window.0), Timestamp(window.1));
            let found = reliability(&reader, window, |_| true).unwrap();
            let own = found.feeders.iter().find(|own| own.name.bay == "472").unwrap();
            let last = own.interruptions.last().unwrap();
            let told = [What::Open, What::EndUnseen].map(|what| last.assumed.contains(&what));
            assert_eq!(told, [What::Open, What::EndUnseen].map(|what| what == expected));
            assert_eq!((last.from.0, last.until), (4 * HOUR, None));
        }
    }
}

/// What may happen, each so many milliseconds after the one before.
#[derive(Debug, Clone)]
enum Step {
    /// A breaker moves: the transformer's, the incomer's, a feeder's. So many records of its unit before it are
    /// lost.
    Switch { after: i64, bay: usize, open: bool, lost: u32 },
    /// Values can be used, or cannot.
    Judge { after: i64, usable: bool },
    /// The monitor begins anew, by a contract.
    Restart { after: i64, contract: usize, usable: bool },
    /// An alarm is raised, and stands so long; `None`: nobody saw it return.
    Alarm { after: i64, stood: Option<i64> },
}

fn step() -> impl Strategy<Value = Step> {
    let after = || prop_oneof![4 => 6_000_i64..400_000, 2 => 400_000_i64..10_000_000, 1 => 10_000_000_i64..200_000_000];
    prop_oneof![
        8 => (after(), 0_usize..4, any::<bool>(), prop_oneof![5 => Just(0_u32), 1 => 1_u32..4])
            .prop_map(|(after, bay, open, lost)| Step::Switch { after, bay, open, lost }),
        3 => (after(), any::<bool>()).prop_map(|(after, usable)| Step::Judge { after, usable }),
        1 => (after(), 0_usize..2, any::<bool>())
            .prop_map(|(after, contract, usable)| Step::Restart { after, contract, usable }),
        1 => (after(), prop::option::of(1_i64..90_000_000)).prop_map(|(after, stood)| Step::Alarm { after, stood }),
    ]
}

/// Bays of breakers, the one that has two names last.
const BAYS: [&str; 4] = ["110.131", "22.431", "22.471", "22.47?"];

pub(crate) fn breaker(province: &Province, bay: usize) -> PointId {
    let station = &province.stations[0];
    let second = station.bays.iter().find(|b| b.is_feeder() && b.name != "471").unwrap();
    let name = BAYS[bay].replace("47?", &second.name);
    station.point(&format!("S1.{name}.CB.POS")).unwrap()
}

/// A store in which all of that happened.
struct Story<'a> {
    folder: &'a Path,
    contracts: [Arc<Province>; 2],
    contract: usize,
    writer: Option<Writer>,
    now: i64,
    /// The last number that each unit gave a record.
    numbers: BTreeMap<u8, u32>,
    alarms: Vec<(i64, Option<i64>)>,
}

impl Story<'_> {
    fn begin(&mut self, contract: usize, usable: bool) {
        self.writer = None;
        self.contract = contract;
        self.writer = Some(Writer::open(self.folder, &self.contracts[contract]).unwrap());
        self.judge(true, usable);
    }

    fn commit(&mut self, batch: &Batch) {
        self.writer.as_mut().unwrap().commit(batch).unwrap();
    }

    fn judge(&mut self, whole: bool, usable: bool) {
        let points = self.contracts[self.contract].stations[0].points.len();
        // No reason at all, or no link.
        let state = VerdictState::from_bits(if usable { 0 } else { 0x33 }).unwrap();
        let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
        let (channel, at) = (ChannelId(0), Timestamp(self.now));
        let judgements = vec![Judgement { channel, at, link: LinkState::Connected, whole, runs }];
        self.commit(&Batch { judgements, ..Batch::empty(whole, at) });
    }

    fn switch(&mut self, bay: usize, open: bool, lost: u32) {
        let province = &self.contracts[self.contract];
        let point = breaker(province, bay);
        let station = &province.stations[0];
        let unit = station.units[station.bays[station.points[point.index()].bay].unit].id;
        let number = self.numbers.entry(unit).or_default();
        *number += 1 + lost;
        let number = *number;
        let (at, value) = (Timestamp(self.now), if open { 1 } else { 2 });
        let change = Change {
            number,
            address: u16::try_from(bay).unwrap(),
            point: Some(point),
            before: None,
            value,
            source: at,
            flags: Flags::GOOD,
            synchronised: true,
            doubt: None,
        };
        let (channel, what) = (ChannelId(0), Happening::Change(change));
        let entry = EventEntry { channel, unit, at, order: 0, arrived: at, what };
        self.commit(&Batch { events: vec![entry], ..Batch::empty(false, at) });
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Switch { after, bay, open, lost } => {
                self.now += after;
                self.switch(bay, open, lost);
            }
            Step::Judge { after, usable } => {
                self.now += after;
                self.judge(false, usable);
            }
            Step::Restart { after, contract, usable } => {
                self.now += after;
                self.begin(contract, usable);
            }
            Step::Alarm { after, stood } => {
                self.now += after;
                self.commit(&Batch::empty(false, Timestamp(self.now)));
                self.alarms.push((self.now, stood.map(|ms| self.now + ms)));
            }
        }
    }

    /// Ends the story, and puts its alarms into the store: rows, as a monitor would have left them.
    fn end(mut self) {
        self.writer = None;
        let rows = Connection::open(self.folder.join("gridwatch.db")).unwrap();
        for (n, (raised, returned)) in self.alarms.iter().enumerate() {
            rows.execute(
                "INSERT INTO alarm (station, cause, reason, raised_ms, priority, centres, signals, returned_ms, open)
                 VALUES ('S1', ?1, 'no_link', ?2, 1, 'CC', 1, ?3, ?4)",
                rusqlite::params![format!("unit {n}"), raised, returned, returned.is_none()],
            )
            .unwrap();
        }
    }
}

/// A stretch without supply: from, to, customers.
type Dead = (i64, i64, u64);

/// An interruption that is over, or of which nothing more is known.
struct Ended {
    dead: Vec<Dead>,
    /// It was known to be supplied when anything was known before it.
    counts: bool,
    /// When it may have begun at the earliest; `None`: nothing was known before.
    earliest: Option<i64>,
    /// When it was over; `None`: nobody saw that.
    until: Option<i64>,
}

/// The rows of a store, and nothing else of it.
struct Rows {
    /// Contract, from, until.
    sessions: Vec<(i64, i64, i64)>,
    /// When, and whether values could be used from then on.
    judgements: Vec<(i64, bool)>,
    /// Point, when, open.
    records: Vec<(String, i64, bool)>,
    /// Unit, number and when, of every record.
    numbers: Vec<(i64, i64, i64)>,
    /// The unit of each point that has records.
    units: BTreeMap<String, i64>,
    /// Raised, returned.
    alarms: Vec<(i64, Option<i64>)>,
}

impl Rows {
    fn read(folder: &Path) -> Self {
        let rows = Connection::open(folder.join("gridwatch.db")).unwrap();
        let mut sessions = rows
            .prepare("SELECT contract, from_ms, until_ms FROM session ORDER BY from_ms")
            .unwrap();
        let sessions = sessions.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        let mut judgements =
            rows.prepare("SELECT at_ms, runs FROM judgement ORDER BY at_ms").unwrap();
        // One run each, whose state is its last two bytes.
        let usable = |runs: Vec<u8>| runs.ends_with(&[0, 0]);
        let judgements = judgements.query_map([], |r| Ok((r.get(0)?, usable(r.get(1)?)))).unwrap();
        let mut records =
            rows.prepare("SELECT point, source_ms, value FROM event ORDER BY source_ms").unwrap();
        let records = records
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get::<_, i64>(2)? == 1)))
            .unwrap();
        let mut numbers =
            rows.prepare("SELECT unit, number, at_ms FROM event ORDER BY unit, number").unwrap();
        let numbers = numbers.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        let mut units = rows.prepare("SELECT DISTINCT point, unit FROM event").unwrap();
        let units = units.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        let mut alarms = rows.prepare("SELECT raised_ms, returned_ms FROM alarm").unwrap();
        let alarms = alarms.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        Self {
            sessions: sessions.map(Result::unwrap).collect(),
            judgements: judgements.map(Result::unwrap).collect(),
            records: records.map(Result::unwrap).collect(),
            numbers: numbers.map(Result::unwrap).collect(),
            units: units.map(Result::unwrap).collect(),
            alarms: alarms.map(Result::unwrap).collect(),
        }
    }

    /// Contract, from when and up to when it held.
    fn eras(&self) -> Vec<(i64, i64, i64)> {
        let mut eras: Vec<(i64, i64, i64)> = Vec::new();
        for (contract, from, _) in &self.sessions {
            match eras.last_mut() {
                Some(last) if last.0 == *contract => {}
                Some(last) => {
                    last.2 = *from;
                    eras.push((*contract, *from, i64::MAX));
                }
                None => eras.push((*contract, i64::MIN, i64::MAX)),
            }
        }
        eras
    }

    /// Whether positions could be used just from a moment on.
    fn is_usable(&self, at: i64) -> bool {
        let own = self.sessions.iter().find(|(_, from, until)| *from <= at && at < *until);
        let Some((_, from, until)) = own else { return false };
        let told = self.judgements.iter().filter(|(t, _)| from <= t && t < until);
        let before = told.clone().rfind(|(t, _)| *t <= at).is_some_and(|(_, usable)| *usable);
        // Too short a while to hide anything: from the last usable moment to the next one.
        let last = told.clone().filter(|(t, _)| *t <= at).collect::<Vec<_>>();
        let was_usable_at = last.windows(2).rev().find(|pair| pair[0].1).map(|pair| pair[1].0);
        let next = told.clone().find(|(t, usable)| *t > at && *usable).map(|(t, _)| *t);
        before || was_usable_at.zip(next).is_some_and(|(lost, back)| back - lost < SHORT)
    }

    /// Whether a breaker is open just from a moment on, in an era; `None`: nobody can say.
    fn is_open(&self, point: &str, era: (i64, i64, i64), at: i64) -> Option<bool> {
        let own = || self.records.iter().filter(|(p, t, _)| p == point && *t < era.2);
        let last = own().rfind(|(_, t, _)| *t <= at);
        let next = own().find(|(_, t, _)| *t > at);
        let began = last.map_or(i64::MIN, |(_, t, _)| *t);
        let lost = self.lost_of(point);
        // Nobody polls: while records are lost anything may happen.
        if lost.iter().any(|(from, to)| *from < at && at < *to) {
            return None;
        }
        let is_lost = |from: i64, to: i64| lost.iter().any(|own| from <= own.0 && own.0 < to);
        // Of what nothing ever tells nobody can say.
        let by_next = next.filter(|(_, t, _)| !is_lost(at, *t)).map(|(_, _, open)| !open);
        let stands = match last {
            Some((_, _, open)) if !is_lost(began, at) => *open,
            // What nothing told of stood as the first record left it.
            _ => by_next?,
        };
        let changes = own().find(|(_, t, open)| *t > at && *open != stands);
        // Two records prove what lies between them, where none was lost.
        let is_proven =
            stands && last.is_some() && changes.is_some_and(|(_, t, _)| !is_lost(began, *t));
        (self.is_usable(at) || is_proven).then_some(stands)
    }

    /// Stretches in which records of the unit of a breaker were lost.
    fn lost_of(&self, point: &str) -> Vec<(i64, i64)> {
        self.lost(self.units.get(point).copied().as_slice())
    }

    /// Whether a feeder is dead just from a moment on; `None`: nobody can say.
    fn is_dead(&self, feeder: &str, era: (i64, i64, i64), at: i64) -> Option<bool> {
        let (first, last) = (self.sessions[0].1, self.sessions[self.sessions.len() - 1].2);
        if at < first || at >= last {
            return None;
        }
        let open = Self::breakers(feeder).map(|own| self.is_open(&own, era, at));
        if open.contains(&Some(true)) {
            Some(true)
        } else {
            open.iter().all(Option::is_some).then_some(false)
        }
    }

    /// The breakers that a feeder hangs on.
    fn breakers(feeder: &str) -> [String; 3] {
        [&format!("22.{feeder}"), "22.431", "110.131"].map(|bay| format!("S1.{bay}.CB.POS"))
    }

    /// Whether a breaker that a feeder hangs on closes at a moment, from an open position that was known: then it is known
    /// to be closed, or a record says so, however it stood afterwards.
    fn closes(&self, feeder: &str, era: (i64, i64, i64), at: i64) -> bool {
        Self::breakers(feeder).iter().any(|own| {
            let told =
                |at: i64| self.records.iter().any(|(p, t, open)| p == own && *t == at && !open);
            let known = |at: i64| self.is_open(own, era, at).or(told(at).then_some(false));
            let mut before = self.moments();
            before.retain(|moment| (era.1..at).contains(moment));
            let was_open = before.into_iter().rev().find_map(known) == Some(true);
            was_open && (known(at) == Some(false) || told(at))
        })
    }

    /// Whether a record tells of the opening of a breaker that a feeder hangs on, at a moment.
    fn opens(&self, feeder: &str, at: i64) -> bool {
        let own = Self::breakers(feeder);
        self.records.iter().any(|(point, t, open)| own.contains(point) && *t == at && *open)
    }

    /// Stretches in which a record of some units may have been lost: numbers are missing between two that came.
    fn lost(&self, units: &[i64]) -> Vec<(i64, i64)> {
        let own = self.numbers.windows(2).filter(|pair| {
            units.contains(&pair[0].0) && pair[0].0 == pair[1].0 && pair[1].1 > pair[0].1 + 1
        });
        own.map(|pair| (pair[0].2, pair[1].2)).collect()
    }

    /// All moments at which anything changes, in order.
    fn moments(&self) -> Vec<i64> {
        let sessions = self.sessions.iter().flat_map(|(_, from, until)| [*from, *until]);
        let judged = self.judgements.iter().map(|(at, _)| *at);
        let mut all: Vec<i64> =
            sessions.chain(judged).chain(self.records.iter().map(|r| r.1)).collect();
        // The record before a gap is there.
        let gaps = self.units.keys().flat_map(|point| self.lost_of(point));
        all.extend(gaps.flat_map(|(from, to)| [from + 1, to]));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What a feeder comes to in a window.
    fn tally(
        &self,
        feeder: &str,
        (customers, units): (&BTreeMap<(i64, String), u64>, &[i64]),
        window: (i64, i64),
    ) -> Tally {
        let eras = self.eras();
        let own = |era: &(i64, i64, i64)| customers.get(&(era.0, feeder.to_owned())).copied();
        let ms = |from: i64, to: i64| {
            to.min(window.1).saturating_sub(from.max(window.0)).max(0).unsigned_abs()
        };
        let mut tally = Tally::default();
        for era in &eras {
            tally.customer_ms += own(era).unwrap_or(0) * ms(era.1, era.2);
        }
        // Dead stretches of one interruption.
        let mut open: Vec<Dead> = Vec::new();
        let (mut was_supplied, mut counts) = (false, false);
        // When the one that is open may have begun.
        let mut earliest = None;
        let mut last_known = None;
        let mut ended: Vec<Ended> = Vec::new();
        for pair in self.moments().windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let era = *eras.iter().find(|era| era.1 <= from && from < era.2).unwrap();
            let Some(customers) = own(&era) else { continue };
            let Some(dead) = self.is_dead(feeder, era, from) else {
                // Nobody can say, but what made it dead is over: what comes later is another interruption.
                if !open.is_empty() && self.closes(feeder, era, from) {
                    let dead = std::mem::take(&mut open);
                    ended.push(Ended { dead, counts, earliest, until: None });
                    was_supplied = true;
                }
                continue;
            };
            // Of what was known five days before nothing follows.
            let before = last_known.replace(to);
            if before.is_some_and(|last| from - last > 5 * 24 * HOUR) {
                if !open.is_empty() {
                    let dead = std::mem::take(&mut open);
                    ended.push(Ended { dead, counts, earliest, until: None });
                }
                was_supplied = false;
            }
            tally.known_ms += customers * ms(from, to);
            if !self.lost(units).iter().any(|lost| lost.0 <= from && to <= lost.1) {
                tally.recorded_ms += customers * ms(from, to);
            }
            if dead {
                if open.is_empty() {
                    counts = was_supplied;
                    // A record tells when it began, whoever could see that.
                    let is_told = self.opens(feeder, from);
                    earliest = if is_told { Some(from) } else { before };
                }
                open.push((from, to, customers));
            } else {
                was_supplied = true;
                if !open.is_empty() {
                    let dead = std::mem::take(&mut open);
                    ended.push(Ended { dead, counts, earliest, until: Some(from) });
                }
            }
        }
        if !open.is_empty() {
            ended.push(Ended { dead: open, counts, earliest, until: None });
        }
        for Ended { dead, counts, earliest, until } in ended {
            let (from, last) = (dead[0].0, dead[dead.len() - 1].1);
            let count: &mut Count = if last - from > FIVE_MINUTES {
                &mut tally.sustained
            } else if until.zip(earliest).is_some_and(|(until, own)| until - own <= FIVE_MINUTES) {
                &mut tally.momentary
            } else {
                &mut tally.undecided
            };
            if counts && window.0 <= from && from < window.1 {
                count.interruptions += 1;
                count.customers += dead[0].2;
            }
            count.customer_ms +=
                dead.iter().map(|(from, to, customers)| customers * ms(*from, *to)).sum::<u64>();
        }
        tally
    }

    /// Alarms that were raised in a window, and milliseconds that any stood in it.
    fn stood(&self, window: (i64, i64)) -> (u64, u64) {
        let last = self.sessions[self.sessions.len() - 1].2;
        let mut sum = (0, 0);
        let overlap = |one: (i64, i64), other: (i64, i64)| {
            one.1.min(other.1).saturating_sub(one.0.max(other.0)).max(0)
        };
        for (raised, returned) in &self.alarms {
            sum.0 += u64::from(window.0 <= *raised && *raised < window.1);
            let mut until = returned.unwrap_or(last);
            // What is gone at the first look of a session was gone before.
            for (before, told) in self.sessions.iter().zip(&self.sessions[1..]) {
                let is_told = told.1 <= until && until <= told.1 + 60_000 && before.2 < told.1;
                let is_last = self.sessions.iter().all(|own| own.1 > until || own.1 <= told.1);
                if returned.is_some() && is_told && is_last && *raised < told.1 {
                    until = before.2.max(*raised);
                    break;
                }
            }
            for (_, from, to) in &self.sessions {
                let watched = (window.0.max(*from), window.1.min(*to));
                sum.1 += overlap(watched, (*raised, until)).unsigned_abs();
            }
        }
        sum
    }
}

fn told(reader: &Reader, (from, to): (i64, i64)) -> (Tally, (u64, u64)) {
    let window = Span::new(Timestamp(from), Timestamp(to));
    let mut stood = (0, 0);
    for own in alarms(reader, window, |_| true).unwrap() {
        stood.0 += u64::from(own.begins_in(window));
        stood.1 += own.ms_in_window.unsigned_abs();
    }
    (reliability(reader, window, |_| true).unwrap().tally(window, None), stood)
}

/// No value is kept in these histories: whatever is said to be supplied has its remark for all of that time.
fn no_values_are_told(reader: &Reader, (from, to): (i64, i64)) -> Result<(), TestCaseError> {
    let window = Span::new(Timestamp(from), Timestamp(to));
    let found = reliability(reader, window, |_| true).unwrap();
    let doubts = found.doubts();
    for feeder in &found.feeders {
        let eras = feeder.customers.iter().map(|(era, _)| era.and(window));
        let dead = feeder.interruptions.iter().flat_map(|own| &own.dead);
        let told = doubts.iter().filter(|own| own.feeder == feeder.name).map(|own| own.span);
        let mut all: Vec<Span> =
            told.chain(feeder.unknown.iter().chain(dead).map(|own| own.and(window))).collect();
        all.sort_by_key(|own| own.from);
        for era in eras {
            let mut until = era.from;
            for own in all.iter().map(|own| own.and(era)).filter(|own| own.length() > 0) {
                prop_assert!(own.from <= until, "{}: nothing said from {:?}", feeder.name, until);
                until = until.max(own.to);
            }
            prop_assert!(until >= era.to, "{}: nothing said from {:?}", feeder.name, until);
        }
    }
    let saidi = found.indices(None).saidi;
    let is_assumed = |what: What| matches!(what, What::RecordsAlone | What::StartAssumed);
    for doubt in &doubts {
        // Either it is assumed, or it is not known, and told to be so.
        let of_feeder = found.feeders.iter().filter(|own| own.name == doubt.feeder);
        let unknown = of_feeder.flat_map(|own| &own.unknown).map(|own| own.and(doubt.span));
        let is_known = unknown.map(Span::length).sum::<i64>() == 0;
        let is_told =
            if is_known { is_assumed(doubt.what) } else { doubt.what == What::PositionUnseen };
        prop_assert!(is_told, "{:?}", doubt);
    }
    let is_said =
        saidi.remarks().0.iter().any(|own| doubts.iter().any(|doubt| doubt.what == own.what));
    prop_assert!(is_said || doubts.is_empty(), "{:?}", doubts);
    Ok(())
}

fn check(steps: &[Step], windows: &[(i64, i64)], cuts: &[i64]) -> Result<(), TestCaseError> {
    let folder = tempdir().unwrap();
    let contracts = contracts();
    let mut customers = BTreeMap::new();
    // The units of the breakers that a feeder hangs on.
    let mut units: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (province, n) in contracts.iter().zip(1..) {
        let station = &province.stations[0];
        let unit = |bay: &str| {
            let own = station.bays.iter().find(|own| own.name == bay)?;
            Some(i64::from(station.units[own.unit].id))
        };
        for feeder in ["471", "472", "474"] {
            let own = ["131", "431", feeder].into_iter().map(unit).collect::<Option<Vec<_>>>();
            if let Some(own) = own {
                units.insert(feeder, own);
            }
        }
        for (bay, own) in province.customers_by_feeder(station) {
            customers.insert((n, station.bays[bay].name.clone()), own);
        }
    }
    let (folder_path, alarms) = (folder.path(), Vec::new());
    let mut story = Story {
        folder: folder_path,
        contracts,
        contract: 0,
        writer: None,
        now: 0,
        numbers: BTreeMap::new(),
        alarms,
    };
    story.begin(0, true);
    // In every other history each breaker has told how it stands.
    if windows[0].0 % 2 == 0 {
        for bay in 0..BAYS.len() {
            story.switch(bay, false, 0);
        }
    }
    for step in steps {
        story.take(step);
    }
    story.end();
    let (rows, reader) = (Rows::read(folder.path()), Reader::open(folder.path()).unwrap());
    let last = rows.sessions[rows.sessions.len() - 1].2;
    for (from, length) in windows {
        // Windows reach before and behind what is kept.
        let from = from.rem_euclid(last + HOUR) - HOUR;
        let window = (from, from + length);
        let (tally, stood) = told(&reader, window);
        let mut slow = Tally::default();
        for feeder in ["471", "472", "474"] {
            let knows = |(contract, name): &(i64, String)| {
                name == feeder
                    && rows
                        .eras()
                        .iter()
                        .any(|era| era.0 == *contract && era.1 < window.1 && window.0 < era.2)
            };
            if customers.keys().any(knows) {
                slow += rows.tally(feeder, (&customers, &units[feeder]), window);
            }
        }
        prop_assert_eq!(tally, slow, "{:?}", window);
        prop_assert_eq!(stood, rows.stood(window));
        no_values_are_told(&reader, window)?;
        let edges = edges(window, cuts);
        let (mut sum, mut alarms) = (Tally::default(), (0, 0));
        for part in edges.windows(2) {
            let (tally, stood) = told(&reader, (part[0], part[1]));
            sum += tally;
            alarms = (alarms.0 + stood.0, alarms.1 + stood.1);
        }
        prop_assert_eq!(sum, tally, "cut at {:?}", edges);
        prop_assert_eq!(alarms, stood);
    }
    Ok(())
}

#[test]
fn of_what_was_known_five_days_before_nothing_follows() {
    let switch = |after, bay, open| Step::Switch { after, bay, open, lost: 0 };
    let judge = |after, usable| Step::Judge { after, usable };
    for days in [4, 6] {
        let steps = [
            switch(6_000, 0, true),
            judge(6_000, false),
            switch(6_000, 0, false),
            judge(days * 24 * HOUR, true),
            switch(6_000, 1, false),
        ];
        check(&steps, &[(1, 20 * 24 * HOUR)], &[]).unwrap();
    }
}

proptest! {
    // The gate has the same cases every time, and those that ever failed; the campaign below has others.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(24) })]

    #[test]
    fn windows_add_up_and_say_what_the_rows_say((steps, windows, cuts) in stories(step(), 40)) {
        check(&steps, &windows, &cuts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    #[ignore = "a campaign of some minutes"]
    fn windows_add_up_over_thousands_of_histories((steps, windows, cuts) in stories(step(), 120)) {
        check(&steps, &windows, &cuts)?;
    }
}
