//! When records of a unit never came: their numbers say so.
//!
//! A unit numbers its records, one after the other. A number that is left out was lost on the way, or pushed out of
//! the ring before anybody asked. A unit that begins anew counts from 1 again: its numbers are held against those
//! since then alone. All records that the store has are gone through, so that it is the same whichever window is
//! asked for.

use std::collections::{BTreeMap, BTreeSet};

use signal::clock::Timestamp;

use super::track::DISBELIEF_MS;
use crate::Recorded;
use crate::history::Span;
use crate::history::window::{merged, without};

/// A unit that has numbers lower than before by more than its ring holds has begun anew.
const RING: u32 = 2_048;

/// That a unit told nothing when a centre read it says that nothing happened for so long before, milliseconds.
const UNREAD_MS: i64 = DISBELIEF_MS;

/// All of time.
pub(super) const ALWAYS: Span = Span { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };

/// Station, centre and unit.
type Unit = (String, String, u8);

fn key(station: &str, centre: &str, unit: u8) -> Unit {
    (station.to_owned(), centre.to_owned(), unit)
}

/// When records of units never came.
#[derive(Debug, Default)]
pub(super) struct Missing {
    of: BTreeMap<Unit, Gaps>,
    /// The unit whose records are being taken.
    own: Option<(Unit, Life)>,
    /// From when on all records are there. What was forgotten left gaps of its own: of what is from before, only the
    /// last record of a unit says anything.
    from: Option<Timestamp>,
}

impl Missing {
    /// Nothing was taken yet, of records that are all there from a moment on, if that is known.
    pub(super) fn from(from: Option<Timestamp>) -> Self {
        Self { from, ..Self::default() }
    }

    /// Takes the next record: they come unit by unit, in the order in which they came.
    pub(super) fn take(&mut self, record: &Recorded) {
        let is_own = |(station, centre, unit): &Unit| {
            (station, centre, unit) == (&record.station, &record.centre, &record.unit)
        };
        if !self.own.as_ref().is_some_and(|(unit, _)| is_own(unit)) {
            self.end_unit();
            let unit = (record.station.clone(), record.centre.clone(), record.unit);
            self.own = Some((unit, Life::default()));
        }
        let Some((_, life)) = &mut self.own else { return };
        let numbered = Numbered {
            number: record.number,
            at: record.at,
            source: record.source,
            arrived: record.arrived,
            is_doubted: record.doubt.is_some(),
        };
        if self.from.is_some_and(|from| record.at < from) {
            life.before = Some(numbered);
            return;
        }
        if let Some(before) = life.before.take() {
            life.take(before);
        }
        life.take(numbered);
    }

    /// Takes a stretch in which records of a unit never came, as it was told by the unit's header: behind it there
    /// may be no record whose number would say so.
    pub(super) fn told(&mut self, unit: Unit, (from, to): (Timestamp, Timestamp)) {
        if to > from {
            self.of.entry(unit).or_default().told.push(Span::new(from, to));
        }
    }

    /// No record of the unit comes any more.
    fn end_unit(&mut self) {
        if let Some((unit, mut life)) = self.own.take() {
            life.end();
            let own = self.of.entry(unit).or_default();
            own.latest = life.latest;
            (own.noticed, own.happened, own.behind) = (life.noticed, life.happened, life.behind);
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&mut self) {
        self.end_unit();
        for own in self.of.values_mut() {
            own.end();
        }
    }

    /// Stretches in which records of a unit were lost at one of some centres, and no other one has them: from the last
    /// record that came before up to when the first one behind came.
    pub(super) fn at_all(&self, station: &str, unit: u8, centres: &[&str]) -> Vec<Span> {
        self.lost(station, unit, centres, |own| &own.noticed)
    }

    /// The same up to the first one behind, as it happened, however late that came.
    pub(super) fn happened(&self, station: &str, unit: u8, centres: &[&str]) -> Vec<Span> {
        self.lost(station, unit, centres, |own| &own.happened)
    }

    /// What one centre lost another one has only where it was told of what came behind: one that says nothing does not
    /// vouch.
    fn lost(
        &self,
        station: &str,
        unit: u8,
        centres: &[&str],
        which: impl Fn(&Gaps) -> &[Span],
    ) -> Vec<Span> {
        let own = |centre: &&str| self.of.get(&key(station, centre, unit));
        let lost = centres.iter().filter_map(own).flat_map(|own| which(own).iter().copied());
        let untold = self.common(station, unit, centres, |own| {
            merged(which(own).iter().copied().chain(own.behind()))
        });
        common(&merged(lost), &untold)
    }

    /// Stretches in which records may have happened of which each of some centres lost some, or never told any behind:
    /// from the last record that came before up to the first one behind, however late that came.
    pub(super) fn untold(&self, station: &str, unit: u8, centres: &[&str]) -> Vec<Span> {
        let untold = |own: &Gaps| merged(own.happened.iter().copied().chain(own.behind()));
        self.common(station, unit, centres, untold)
    }

    /// The same, but that a centre gets every record that there is while it reads the unit: when, by centre, is in
    /// `read`, in order.
    pub(super) fn untold_to_readers(
        &self,
        station: &str,
        unit: u8,
        read: &[(&str, &[Span])],
    ) -> Vec<Span> {
        read.iter().fold(vec![ALWAYS], |untold, (centre, read)| {
            let left_out = self.left_out(station, unit, centre).into_iter();
            let own = left_out.chain(self.unread(station, unit, (centre, read)));
            common(&untold, &merged(own))
        })
    }

    /// Stretches in which records of a unit may have happened of which a centre lost some, as the numbers of those behind
    /// them say, and where the unit began anew.
    pub(super) fn left_out(&self, station: &str, unit: u8, centre: &str) -> Vec<Span> {
        let own = self.of.get(&key(station, centre, unit));
        own.map_or_else(Vec::new, |own| merged(own.happened.iter().chain(&own.behind).copied()))
    }

    /// Behind the last record of a unit at a centre: when it did not read the unit, nor within [`UNREAD_MS`] from then on; when it
    /// read it is in `read`, in order. A unit that never recorded anything told all of it while it was read.
    pub(super) fn unread(
        &self,
        station: &str,
        unit: u8,
        (centre, read): (&str, &[Span]),
    ) -> Vec<Span> {
        let tail = self.of.get(&key(station, centre, unit)).and_then(Gaps::tail);
        let read = read.iter().map(|own| Span::new(own.from.plus(-UNREAD_MS), own.to));
        without(std::iter::once(tail.unwrap_or(ALWAYS)), &merged(read))
    }

    fn common(
        &self,
        station: &str,
        unit: u8,
        centres: &[&str],
        which: impl Fn(&Gaps) -> Vec<Span>,
    ) -> Vec<Span> {
        let mut missing: Option<Vec<Span>> = None;
        for centre in centres {
            // One that never had any record of it lacks all of them.
            let always = || vec![ALWAYS];
            let own = self.of.get(&key(station, centre, unit)).map_or_else(always, &which);
            missing = Some(match missing {
                None => own,
                Some(before) => common(&before, &own),
            });
        }
        missing.unwrap_or_default()
    }

    /// Whether records of a unit that happened at a moment may have been lost at a centre.
    pub(super) fn has_lost(
        &self,
        station: &str,
        centre: &str,
        (unit, at): (u8, Timestamp),
    ) -> bool {
        let all = self.of.get(&key(station, centre, unit)).map_or(&[][..], |own| &own.happened);
        let next = all.partition_point(|own| own.to < at);
        all.get(next).is_some_and(|own| own.from <= at)
    }
}

/// When records of a unit never came, over one path.
#[derive(Debug, Default)]
struct Gaps {
    /// From the last record before to when the first one behind came: nobody knew of them earlier.
    noticed: Vec<Span>,
    /// From the last record before to the first one behind, as they happened.
    happened: Vec<Span>,
    /// Behind the last record of a unit that began anew, up to its next one: those that nobody had read yet are not told
    /// of by any number.
    behind: Vec<Span>,
    /// When the last record of all happened.
    latest: Option<Timestamp>,
    /// As headers told it.
    told: Vec<Span>,
}

impl Gaps {
    /// Behind the last record of all.
    fn tail(&self) -> Option<Span> {
        self.latest.map(|latest| Span::new(latest, Timestamp(i64::MAX)))
    }

    /// Behind which records no number tells of those that nobody had read yet.
    fn behind(&self) -> impl Iterator<Item = Span> + '_ {
        self.behind.iter().copied().chain(self.tail())
    }

    /// Nothing comes any more: what is there, in order. What a header told is of use where no number says it better.
    fn end(&mut self) {
        let numbered: BTreeSet<Timestamp> = self.happened.iter().map(|own| own.from).collect();
        let others = self.told.iter().filter(|own| !numbered.contains(&own.from)).copied();
        self.happened = merged(self.happened.drain(..).chain(others));
        self.noticed = merged(self.noticed.drain(..).chain(self.told.drain(..)));
    }
}

/// The number of a record, and its times.
#[derive(Debug, Clone, Copy)]
struct Numbered {
    number: u32,
    at: Timestamp,
    source: Timestamp,
    arrived: Timestamp,
    is_doubted: bool,
}

/// Numbers that came one after the other without one left out.
#[derive(Debug, Clone, Copy)]
struct Row {
    last: u32,
    /// When the first of them came.
    came: Timestamp,
    /// When the first of them happened, and the last.
    happened: (Timestamp, Timestamp),
}

/// The numbers of a unit at a centre since it began, as they come.
#[derive(Debug, Default)]
struct Life {
    /// By their first number.
    rows: BTreeMap<u32, Row>,
    /// The record with the highest number, and whether its clock is doubted.
    highest: Option<(u32, Timestamp, bool)>,
    /// When the latest record happened.
    latest: Option<Timestamp>,
    /// The latest record from before all are there.
    before: Option<Numbered>,
    /// Gaps up to when the first record behind them came.
    noticed: Vec<Span>,
    /// Gaps up to when the first record behind them happened.
    happened: Vec<Span>,
    /// Between the last record of a life and the first of the next one.
    behind: Vec<Span>,
}

impl Life {
    fn take(&mut self, record: Numbered) {
        let Numbered { number, at, source, arrived, is_doubted } = record;
        if self.is_another(record) {
            self.end();
            // What it recorded before, since it began anew, never came.
            if let Some(latest) = self.latest {
                self.behind.push(Span::new(latest, at));
                if number > 1 {
                    self.lose(latest, (arrived, at));
                }
            }
        }
        if self.highest.is_none_or(|(highest, ..)| number > highest) {
            self.highest = Some((number, source, is_doubted));
        }
        self.latest = Some(at);
        let mut row = Row { last: number, came: arrived, happened: (at, at) };
        let mut first = number;
        if let Some((begins, before)) = self.rows.range(..number).next_back()
            && before.last + 1 == number
        {
            (first, row.came, row.happened.0) = (*begins, before.came, before.happened.0);
        }
        if let Some(next) = number.checked_add(1).and_then(|next| self.rows.remove(&next)) {
            (row.last, row.happened.1) = (next.last, next.happened.1);
        }
        self.rows.insert(first, row);
    }

    /// Whether a record is of a unit that has begun anew: its number came already, or is so low that the ring
    /// cannot have had both, or lower although it happened later.
    fn is_another(&self, record: Numbered) -> bool {
        let Some((highest, source, is_doubted)) = self.highest else { return false };
        let number = record.number;
        let row = self.rows.range(..=number).next_back();
        row.is_some_and(|(_, row)| number <= row.last)
            || number.saturating_add(RING) < highest
            || (number < highest && record.source > source && !record.is_doubted && !is_doubted)
    }

    /// No number of this life comes any more.
    fn end(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        for (before, next) in rows.values().zip(rows.values().skip(1)) {
            self.lose(before.happened.1, (next.came, next.happened.0));
        }
        self.highest = None;
    }

    /// Records were lost behind a moment: the first one behind them came, and happened.
    fn lose(&mut self, from: Timestamp, (came, happened): (Timestamp, Timestamp)) {
        self.noticed.push(Span::new(from, came));
        self.happened.push(Span::new(from, happened));
    }
}

/// What two lists of stretches have in common, each in order.
pub(super) fn common(one: &[Span], other: &[Span]) -> Vec<Span> {
    let (mut one, mut other) = (one, other);
    let mut found = Vec::new();
    while let (Some(own), Some(next)) = (one.first(), other.first()) {
        found.push(own.and(*next));
        if own.to <= next.to {
            one = &one[1..];
        } else {
            other = &other[1..];
        }
    }
    merged(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records by number and second of their clock, each came a second later.
    fn missing(records: &[(u32, i64)]) -> Vec<(i64, i64)> {
        let mut life = Life::default();
        for (number, second) in records {
            let at = Timestamp(second * 1_000);
            life.take(Numbered {
                number: *number,
                at,
                source: at,
                arrived: at.plus(1_000),
                is_doubted: false,
            });
        }
        life.end();
        let seconds = |spans: Vec<Span>| -> Vec<(i64, i64)> {
            merged(spans).iter().map(|span| (span.from.0 / 1_000, span.to.0 / 1_000)).collect()
        };
        let happened: Vec<_> =
            seconds(life.noticed.clone()).iter().map(|(from, to)| (*from, to - 1)).collect();
        assert_eq!(seconds(life.happened), happened, "{records:?}");
        seconds(life.noticed)
    }

    #[test]
    fn a_number_that_is_left_out_is_told_from_the_record_before_it_to_the_one_behind() {
        let none: Vec<(i64, i64)> = Vec::new();
        let table = [
            ("nothing lost", vec![(7, 10), (8, 20), (9, 30)], none.clone()),
            ("one left out", vec![(7, 10), (9, 30)], vec![(10, 31)]),
            ("it came later", vec![(7, 10), (9, 30), (8, 20)], none.clone()),
            ("begun anew", vec![(7, 10), (8, 20), (1, 30), (2, 40)], none.clone()),
            ("anew, numbers as before", vec![(1, 10), (2, 20), (1, 30), (2, 40)], none),
            ("anew, and one lost", vec![(1, 10), (2, 20), (1, 30), (3, 50)], vec![(30, 51)]),
            ("anew, and its first lost", vec![(1, 10), (2, 20), (2, 40)], vec![(20, 41)]),
            ("anew, lower than all", vec![(8, 10), (9, 20), (1, 30), (3, 50)], vec![(30, 51)]),
            (
                "lost before and behind",
                vec![(1, 10), (3, 20), (1, 30), (3, 50)],
                vec![(10, 21), (30, 51)],
            ),
            ("far lower", vec![(9_000, 10), (1, 30), (3, 50)], vec![(30, 51)]),
        ];
        for (what, records, expected) in table {
            assert_eq!(missing(&records), expected, "{what}");
        }
    }

    #[test]
    fn what_no_centre_told_may_have_happened_up_to_what_one_told_next() {
        let mut missing = Missing::default();
        let at = |second: i64| Timestamp(second * 1_000);
        // Each came a minute late.
        let records =
            [("A1", vec![(1, 10), (2, 20), (9, 90)]), ("CC", vec![(1, 10), (7, 70), (8, 80)])];
        for (centre, all) in records {
            for (number, second) in all {
                missing.take(&Recorded {
                    station: "S1".into(),
                    centre: centre.into(),
                    unit: 4,
                    number,
                    at: at(second),
                    source: at(second),
                    arrived: at(second + 60),
                    address: 0,
                    point: None,
                    before: None,
                    value: 1,
                    flags: 0,
                    synchronised: true,
                    doubt: None,
                });
            }
        }
        // It says the same as the numbers; and one that no number says.
        missing.told(("S1".into(), "A1".into(), 4), (at(20), at(150)));
        missing.told(("S1".into(), "CC".into(), 4), (at(5), at(12)));
        missing.end();
        let never = |second: i64| Span::new(at(second), Timestamp(i64::MAX));
        let span = |from: i64, to: i64| Span::new(at(from), at(to));
        assert_eq!(missing.untold("S1", 4, &["A1"]), [never(20)]);
        assert_eq!(missing.untold("S1", 4, &["CC"]), [span(5, 70), never(80)]);
        assert_eq!(missing.untold("S1", 4, &["A1", "CC"]), [span(20, 70), never(80)]);
        // A centre that reads the unit behind its last record gets all that there is.
        let read = [span(60, 85), span(100, 200)];
        let told = missing.untold_to_readers("S1", 4, &[("CC", &read)]);
        assert_eq!(told, [span(5, 70), never(200)]);
        let told = missing.untold_to_readers("S1", 4, &[("CC", &read), ("A1", &[])]);
        assert_eq!(told, [span(20, 70), never(200)]);
        let told = missing.untold_to_readers("S1", 5, &[("CC", &read[..1])]);
        let ever = Span::new(Timestamp(i64::MIN), at(60).plus(-UNREAD_MS));
        assert_eq!(told, [ever, never(85)], "nothing was recorded while it was read");
        for (centre, second, expected) in [
            ("A1", 15, false),
            ("A1", 50, true),
            ("A1", 95, false),
            ("CC", 50, true),
            ("CC", 75, false),
        ] {
            let found = missing.has_lost("S1", centre, (4, at(second)));
            assert_eq!(found, expected, "{centre} {second}");
        }
    }

    #[test]
    fn what_one_centre_lost_another_one_has_if_it_was_told_of_what_came_behind() {
        let mut missing = Missing::default();
        let of = |centre: &str| ("S1".to_owned(), centre.to_owned(), 4);
        let at = |second: i64| Timestamp(second * 1_000);
        missing.told(of("CC"), (at(10), at(40)));
        missing.told(of("CC"), (at(50), at(50)));
        missing.told(of("A1"), (at(30), at(60)));
        let silent =
            Gaps { behind: vec![Span::new(at(20), Timestamp(i64::MAX))], ..Gaps::default() };
        missing.of.insert(of("S"), silent);
        missing.end();
        let spans = |centres: &[&str]| missing.at_all("S1", 4, centres);
        assert_eq!(spans(&["CC"]), [Span::new(at(10), at(40))]);
        assert_eq!(spans(&["CC", "A1"]), [Span::new(at(30), at(40))]);
        // One that never told a record, and one that told none since.
        assert_eq!(spans(&["CC", "B"]), [Span::new(at(10), at(40))]);
        assert_eq!(spans(&["CC", "S"]), [Span::new(at(20), at(40))]);
        assert_eq!(spans(&["B", "S"]), []);
    }
}
