//! What a store has about the breakers of a station over a stretch of time in which one contract held.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use config::{CentreId, Decoded, Flags, Point, PointId, Province, Scan, StationId};
use historian::verdict::Reason;
use historian::verdict_log::VerdictState;
use signal::clock::Timestamp;

use super::contradiction::{self, Said};
use super::missing::{ALWAYS, common};
use super::track::{AGAIN_MS, DISBELIEF_MS, Flow, OFF_MS, Record, SOON_MS, Sample, place};
use crate::history::window::{merged, without};
use crate::history::{Era, NOTHING, Span};
use crate::{Reader, Recorded, StoreError, Value};

/// A position that nobody could use for less than this, milliseconds, within a session, hides nothing:
/// what happened then is told by its record or the next poll.
const SHORT_MS: i64 = 30_000;
/// What two centres have of one record is no further apart than this, milliseconds: the clocks of units are off by more
/// only where that is seen, and doubted.
const SAME_MS: i64 = 600_000;
/// Further apart than this, milliseconds, it is not known which of the two clocks is right.
const APART_MS: i64 = 1_000;
/// Where no position was polled for so long before and afterwards, milliseconds, a record stands alone.
pub(super) const POLLED_MS: i64 = 3_600_000;

/// How the id of the position of a breaker ends.
const POSITION: &str = ".CB.POS";

/// A record of a unit, as it is the same from every centre: unit, time by its clock, code.
type Key = (u8, Timestamp, u16);

/// What is known of a record.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// When it came first.
    arrived: Timestamp,
    /// Whether its clock is doubted.
    is_doubted: bool,
    /// Whether its unit vouches for it.
    is_good: bool,
}

/// Every record of the position of a breaker that the store has. A breaker stands as it was told last, however
/// long ago, and was open up to the record of its closing, however late: so all of them are read, whatever
/// window is asked for.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// By the id of the point and the centre that has them.
    of: BTreeMap<String, BTreeMap<String, BTreeMap<Key, Told>>>,
}

impl Positions {
    /// Takes a record, if it is one of these.
    pub(super) fn take(&mut self, event: Recorded) {
        let is_position = |point: &String| point.ends_with(POSITION);
        let Some(point) = event.point.filter(is_position) else { return };
        let key = (event.unit, event.source, event.value);
        // One of a wrong clock stands where its unit told of it.
        let arrived = if event.doubt.is_some() { event.at } else { event.arrived };
        let new = Told {
            arrived,
            is_doubted: event.doubt.is_some(),
            is_good: Flags(event.flags).is_good(),
        };
        let own = self.of.entry(point).or_default().entry(event.centre).or_default();
        own.entry(key).or_insert(new).and(new);
    }

    /// What a centre has of the contact of a breaker, whether or not its unit vouched for it, in the order of time.
    pub(super) fn contact(&self, point: &str, centre: &str) -> Vec<Record> {
        let all = self.of.get(point).and_then(|of_centres| of_centres.get(centre));
        let all = all.into_iter().flatten().map(|(key, told)| (*key, (*told, 0))).collect();
        placed(&all).into_iter().map(|own| own.record).collect()
    }

    /// Records of a breaker before `to`, in the order in which they happened, each once however many centres have
    /// it. One of a clock that cannot be right stands when it came, those that came with it as far before as their
    /// clock says. `has_lost`: whether records of a unit that happened at a moment may have been lost at a centre.
    pub(super) fn of(
        &self,
        point: &str,
        to: Timestamp,
        has_lost: impl Fn(&str, (u8, Timestamp)) -> bool,
    ) -> Vec<Record> {
        let Some(of_centres) = self.of.get(point) else { return Vec::new() };
        // By one clock: what several centres have came when the first of them got it.
        let mut all: BTreeMap<Key, (Told, usize)> = BTreeMap::new();
        for (n, told) in of_centres.values().enumerate() {
            for (key, told) in told.iter().filter(|(_, told)| told.is_good) {
                all.entry(*key).or_insert((*told, n)).0.and(*told);
            }
        }
        let all = placed(&all);
        let names: Vec<&String> = of_centres.keys().collect();
        // What a centre lost it does not have by another clock.
        let lost = |own: &Copied, n: usize| has_lost(names[n], (own.key.0, own.record.at));
        let mut records: Vec<Copied> = Vec::new();
        for (n, told) in of_centres.values().enumerate() {
            let new = all.iter().filter(|own| own.first == n).copied().collect();
            add_copies(&mut records, new, (n, told), lost);
        }
        records.sort_by_key(|own| own.record.at);
        records.into_iter().map(|own| own.record).filter(|record| record.at < to).collect()
    }
}

impl Told {
    /// The same record once more.
    fn and(&mut self, other: Self) {
        self.arrived = self.arrived.min(other.arrived);
        self.is_doubted |= other.is_doubted;
        self.is_good |= other.is_good;
    }
}

/// A record, what it was in its unit, and the first centre that has it.
#[derive(Clone, Copy)]
struct Copied {
    key: Key,
    record: Record,
    first: usize,
}

/// Records where they stand, in the order of time.
fn placed(all: &BTreeMap<Key, (Told, usize)>) -> Vec<Copied> {
    let mut latest: BTreeMap<(u8, Timestamp), Timestamp> = BTreeMap::new();
    for ((unit, source, _), (told, _)) in all.iter().filter(|(_, (told, _))| told.is_doubted) {
        let latest = latest.entry((*unit, told.arrived)).or_insert(*source);
        *latest = (*latest).max(*source);
    }
    let own = all.iter().map(|(key, (told, first))| {
        let (unit, source, value) = *key;
        let Told { arrived, is_doubted, .. } = *told;
        let last = latest.get(&(unit, arrived)).filter(|_| is_doubted);
        let at = last.map_or(source, |last| arrived.plus(-last.since(source)));
        Copied { key: *key, record: Record { at, value, is_exact: !is_doubted }, first: *first }
    });
    let mut placed: Vec<Copied> = own.collect();
    placed.sort_by_key(|own| own.record.at);
    placed
}

/// Adds what another centre has of a breaker, which no centre before it has by the same clock: `told` is all that it has.
/// Those of one unit and code that only one of two has may be the same by two clocks, where neither centre lost what
/// the other has: first by first, where they are no further apart than [`SAME_MS`] and both tell the same one after
/// the other, or some clock is doubted; and whatever was lost, no further than [`OFF_MS`].
fn add_copies(
    records: &mut Vec<Copied>,
    new: Vec<Copied>,
    (n, told): (usize, &BTreeMap<Key, Told>),
    lost: impl Fn(&Copied, usize) -> bool,
) {
    let has_it = |own: &Copied| told.get(&own.key).is_some_and(|told| told.is_good);
    let mut alone: Vec<usize> = (0..records.len()).filter(|n| !has_it(&records[*n])).collect();
    alone.sort_by_key(|n| records[*n].record.at);
    let alike = alike(alone.iter().map(|n| &records[*n]), &new);
    let mut by_code: BTreeMap<(u8, u16), VecDeque<usize>> = BTreeMap::new();
    for n in alone {
        let (unit, _, value) = records[n].key;
        by_code.entry((unit, value)).or_default().push_back(n);
    }
    for own in new {
        let (unit, _, value) = own.key;
        let others = by_code.entry((unit, value)).or_default();
        let earliest = own.record.at.plus(-SAME_MS);
        while others.front().is_some_and(|n| records[*n].record.at < earliest) {
            others.pop_front();
        }
        let is_alike = alike.get(alike.partition_point(|span| span.to <= own.record.at));
        let is_alike = is_alike.is_some_and(|span| span.from <= own.record.at);
        let apart = |other: &Copied| other.record.at.since(own.record.at).saturating_abs();
        let is_same = |other: &usize| {
            let other = &records[*other];
            let is_whole = !lost(other, n) && !lost(&own, other.first);
            let may_be = is_alike || !other.record.is_exact || !own.record.is_exact;
            apart(other) <= SAME_MS && may_be && is_whole
        };
        let near = own.record.at.plus(-OFF_MS);
        let first = others.front().filter(|n| is_same(n)).map(|_| 0);
        let first =
            first.unwrap_or_else(|| others.partition_point(|n| records[*n].record.at < near));
        let is_it = |n: &usize| is_same(n) || apart(&records[*n]) <= OFF_MS;
        let Some(n) = others.get(first).copied().filter(is_it) else {
            records.push(own);
            continue;
        };
        others.remove(first);
        let apart = apart(&records[n]);
        let same = &mut records[n].record;
        match (same.is_exact, own.record.is_exact) {
            (true, true) if apart > APART_MS => same.is_exact = false,
            (false, true) => *same = own.record,
            _ => {}
        }
    }
}

/// Stretches, in order, in which two centres tell the same one after the other, by whatever clock: what hangs together lies no
/// further apart than [`SAME_MS`].
fn alike<'a>(others: impl Iterator<Item = &'a Copied>, own: &'a [Copied]) -> Vec<Span> {
    let mut all: Vec<(bool, &Copied)> =
        others.map(|other| (false, other)).chain(own.iter().map(|own| (true, own))).collect();
    all.sort_by_key(|(_, record)| record.record.at);
    let hangs_together = |one: &(bool, &Copied), next: &(bool, &Copied)| {
        next.1.record.at.since(one.1.record.at) <= SAME_MS
    };
    let mut found = Vec::new();
    for run in all.chunk_by(hangs_together) {
        let of = |is_own: bool| {
            let side = run.iter().filter(move |(side, _)| *side == is_own);
            side.map(|(_, record)| (record.key.0, record.key.2))
        };
        if let [(_, first), .., (_, last)] = run
            && of(true).eq(of(false))
        {
            found.push(Span::new(first.record.at, last.record.at.plus(1)));
        }
    }
    found
}

fn scan(point: &Point) -> Scan {
    point.spec.scan.unwrap_or(Scan::Slow)
}

/// How often a point is polled, milliseconds.
pub(super) fn scan_ms(province: &Province, point: &Point) -> i64 {
    province.scan.milliseconds(scan(point))
}

/// A station over a stretch of time in which one contract held.
pub(super) struct Source<'a> {
    pub(super) reader: &'a Reader,
    pub(super) province: &'a Province,
    pub(super) station: StationId,
    pub(super) era: &'a Era,
    /// The part of it that is looked at.
    pub(super) span: Span,
    /// When positions, currents and powers were old in that, once it is known.
    pub(super) old: OnceCell<Usable>,
}

/// Positions of a breaker that were polled.
pub(super) struct Polls {
    /// In the order of time: of the first centre, and of others where the first has none.
    pub(super) positions: Vec<(Timestamp, u16)>,
    /// The same, of each centre that reads it.
    pub(super) of_centres: Vec<(CentreId, Vec<(Timestamp, u16)>)>,
    /// What each centre said.
    pub(super) said: Vec<Vec<Said>>,
    /// Stretches in which there are any.
    pub(super) there: Vec<Span>,
}

/// Why nothing more is read once the first position is there.
enum First {
    Is(Timestamp, u16),
    Failed(StoreError),
}

impl From<StoreError> for First {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Where a point was usable, centre by centre.
pub(super) type Usable = BTreeMap<usize, Vec<Vec<Span>>>;

impl Source<'_> {
    fn station(&self) -> &config::Station {
        &self.province.stations[self.station.index()]
    }

    fn point(&self, point: PointId) -> &Point {
        &self.station().points[point.index()]
    }

    /// Ids of the centres that get a point.
    pub(super) fn centres(&self, point: PointId) -> Vec<&str> {
        let reads = |centre: &CentreId| {
            let entries = &self.province.channel(self.station, *centre).entries;
            entries[point.index()].is_mapped()
        };
        let own = self.province.centre_ids().filter(reads);
        own.map(|centre| &self.province.centres[centre.index()].id[..]).collect()
    }

    /// Whether the units of the station record changes for a centre, as the contract says.
    pub(super) fn has_records(&self, centre: CentreId) -> bool {
        self.province.channel(self.station, centre).device.events
    }

    /// Whether any centre that reads a point gets records of it.
    pub(super) fn has_ring(&self, point: PointId) -> bool {
        let mut centres = self.province.centre_ids();
        centres.any(|centre| {
            let entries = &self.province.channel(self.station, centre).entries;
            entries[point.index()].is_mapped() && self.has_records(centre)
        })
    }

    /// When the positions of breakers were there and could be used, and when their units did not answer for them, by
    /// point and centre.
    pub(super) fn usable(&self, points: &[PointId]) -> Result<[Usable; 2], StoreError> {
        let [mut usable, mut mute, mut old] =
            self.while_judged(points, &[is_usable as fn(VerdictState) -> bool, is_mute, is_old])?;
        for (point, of_centres) in &mut mute {
            let old = old.remove(point).unwrap_or_default();
            let usable = usable.get_mut(point).into_iter().flatten();
            let own = usable.zip(of_centres).zip(self.province.centre_ids());
            for ((usable, mute), centre) in own {
                // What one says that cannot be seen to hang is no newer than what others get of the gateway.
                let others = old.iter().flatten().filter(|_| !self.beats(centre));
                // What it said last was believed until it was old.
                let all = mute.drain(..).chain(others.copied());
                *mute = merged(self.repeated(PointId::at(*point), all));
                *usable = without(usable.drain(..), mute);
            }
        }
        Ok([usable, mute])
    }

    /// Stretches in which a point was found to be old, or its unit not to answer: what came before that since it was last
    /// new was a repetition.
    fn repeated(&self, point: PointId, found: impl Iterator<Item = Span>) -> Vec<Span> {
        let old_ms = self.old_after_ms(point);
        found.map(|own| Span::new(own.from.plus(-old_ms), own.to)).collect()
    }

    /// Whether it would be seen at a centre that the gateway of the station hangs: something comes that always moves.
    fn beats(&self, centre: CentreId) -> bool {
        self.has_records(centre) || self.province.heartbeat(self.station, centre).is_some()
    }

    /// When a point was old at a centre: a gateway that hangs repeats what it had.
    fn old(&self, point: PointId, centre: CentreId) -> Result<&[Span], StoreError> {
        let known = if let Some(known) = self.old.get() {
            known
        } else {
            let points = self.station().points.iter().enumerate();
            let own = points
                .filter(|(_, p)| matches!(&p.spec.id[..], "CB.POS" | "IA" | "IB" | "IC" | "P"));
            let own: Vec<PointId> = own.map(|(n, _)| PointId::at(n)).collect();
            let [mut old] = self.while_judged(&own, &[is_old])?;
            for (point, of_centres) in &mut old {
                for own in of_centres {
                    *own = merged(self.repeated(PointId::at(*point), own.drain(..)));
                }
            }
            self.old.get_or_init(|| old)
        };
        Ok(known.get(&point.index()).map_or(&[], |of_centres| &of_centres[centre.index()]))
    }

    /// When points were judged to be so, for each of some answers to that, by point and centre.
    fn while_judged<const N: usize>(
        &self,
        points: &[PointId],
        is_so: &[impl Fn(VerdictState) -> bool; N],
    ) -> Result<[Usable; N], StoreError> {
        let centres = self.province.centres.len();
        let none: Usable =
            points.iter().map(|point| (point.index(), vec![Vec::new(); centres])).collect();
        let mut found = [(); N].map(|()| none.clone());
        for centre in self.province.centre_ids() {
            let name = &self.province.centres[centre.index()].id;
            for (session, span) in &self.era.observed {
                let span = span.and(self.span);
                if span.length() == 0 {
                    continue;
                }
                let mut since: BTreeMap<usize, [Option<Timestamp>; N]> = BTreeMap::new();
                let mut push = |n: usize, point: usize, own: Option<Span>| {
                    if let Some((spans, own)) = found[n].get_mut(&point).zip(own) {
                        spans[centre.index()].push(own);
                    }
                };
                let path = (&self.station().id[..], &name[..]);
                self.reader.judgements(path, *session, (span.from, span.to), |judged| {
                    let at = judged.at.max(span.from);
                    for run in &judged.runs {
                        let (first, end) = (run.first as usize, (run.first + run.count) as usize);
                        for (point, _) in none.range(first..end) {
                            let since = since.entry(*point).or_insert([None; N]);
                            for (n, since) in since.iter_mut().enumerate() {
                                push(n, *point, ended(since, is_so[n](run.state), at));
                            }
                        }
                    }
                })?;
                for (point, since) in since {
                    for (n, mut since) in since.into_iter().enumerate() {
                        push(n, point, ended(&mut since, false, span.to));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Within a session, stretches with less than [`SHORT_MS`] between them are one.
    pub(super) fn joined(&self, of_centres: &[Vec<Span>]) -> Vec<Span> {
        let mut all: Vec<Span> = of_centres.iter().flatten().copied().collect();
        all.sort_unstable_by_key(|span| span.from);
        // They are in the order of time, and never overlap.
        let sessions = &self.era.observed;
        let observed = |at: Timestamp| {
            let next = sessions.partition_point(|(_, span)| span.from <= at);
            sessions[..next].last().filter(|(_, span)| at < span.to)
        };
        let mut joined: Vec<Span> = Vec::new();
        for span in all {
            match joined.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                Some(last)
                    if span.from.since(last.to) < SHORT_MS
                        && observed(last.to).is_some_and(|(_, own)| span.from < own.to) =>
                {
                    last.to = span.to;
                }
                _ => joined.push(span),
            }
        }
        joined
    }

    /// Polled positions of a breaker. While a position is old at a centre, what that polls says nothing.
    pub(super) fn polls(
        &self,
        point: PointId,
        usable: &[Vec<Span>],
        records: &[Record],
    ) -> Result<Polls, StoreError> {
        let mut polls: Vec<(Timestamp, u16)> = Vec::new();
        let polled: RefCell<Vec<Span>> = RefCell::default();
        let there = |first: Timestamp, last: Timestamp| {
            let own = Span::new(first.plus(-POLLED_MS), last.plus(POLLED_MS));
            let mut polled = polled.borrow_mut();
            match polled.last_mut() {
                Some(before) if own.from >= before.from && own.from <= before.to => {
                    before.to = before.to.max(own.to);
                }
                _ => polled.push(own),
            }
        };
        let mut covered: Vec<Span> = Vec::new();
        let (mut said, mut of_centres) = (Vec::new(), Vec::new());
        let scan_ms = self.scan_ms(point);
        let old_ms = self.old_after_ms(point);
        for centre in self.province.centre_ids() {
            if !self.province.channel(self.station, centre).entries[point.index()].is_mapped() {
                continue;
            }
            let is_near = |(first, last): (Timestamp, Timestamp)| {
                let (from, to) = (first.plus(-SHORT_MS), last.plus(SHORT_MS));
                let next = records.partition_point(|record| record.at < from);
                records.get(next).is_some_and(|record| record.at <= to)
            };
            let skips = |ends: (Timestamp, Timestamp), (low, high): (f64, f64)| {
                // A longer one may have hours in which none was polled.
                let is_whole = ends.1.since(ends.0) <= 2 * POLLED_MS;
                let skips = is_whole && low.total_cmp(&high).is_eq() && !is_near(ends);
                if skips {
                    there(ends.0, ends.1);
                }
                skips
            };
            let is_covered = |at: Timestamp| {
                let next = covered.partition_point(|span| span.to <= at);
                covered.get(next).is_some_and(|span| span.from <= at)
            };
            let mut own: Vec<(Timestamp, u16)> = Vec::new();
            self.values((point, centre), self.span, skips, |value| {
                there(value.at, value.at);
                let code = code(value.value).filter(|_| value.flags.is_none_or(Flags::is_good));
                own.extend(code.map(|code| (value.at, code)));
            })?;
            polls.extend(own.iter().filter(|(at, _)| !is_covered(*at)));
            let usable_here = self.joined(&usable[centre.index()..=centre.index()]);
            said.push(contradiction::said(&own, &usable_here, (scan_ms, old_ms)));
            of_centres.push((centre, own));
            covered = merged(covered.into_iter().chain(usable[centre.index()].iter().copied()));
        }
        polls.sort_by_key(|(at, _)| *at);
        Ok(Polls { positions: polls, of_centres, said, there: merged(polled.into_inner()) })
    }

    /// Whether how a breaker stood where the stretch that is looked at begins hangs on positions that were polled
    /// before it: it could be used, but none was polled near. `edge_ms`: so long from its beginning on nothing is
    /// told.
    pub(super) fn hangs_on_earlier(
        &self,
        point: PointId,
        (polls, usable): (&Polls, &[Span]),
        edge_ms: i64,
    ) -> Result<bool, StoreError> {
        let first = polls.positions.first().map_or(self.span.to, |(at, _)| *at);
        let soon_ms = self.soon_ms(self.point(point).bay);
        let is_told = |span: &Span| span.from.plus(soon_ms) >= first.min(span.to);
        if first < self.span.from.plus(edge_ms) || usable.iter().all(is_told) {
            return Ok(false);
        }
        let earlier = Span::new(self.era.span.from, self.span.from);
        Ok(self.first_position(point, earlier)?.is_some())
    }

    /// What the contract held before and behind the stretch that is looked at, where positions of a breaker were polled in
    /// that and it has anything of some stretches: it is taken to have been polled all along. Where that makes an interruption,
    /// this is followed to its ends, and all of it is looked at.
    pub(super) fn polled_elsewhere(
        &self,
        point: PointId,
        all: &[Span],
    ) -> Result<Vec<Span>, StoreError> {
        let (era, own) = (self.era.span, self.span);
        let mut polled = Vec::new();
        for other in [Span::new(era.from, own.from), Span::new(own.to, era.to)] {
            let has_any = all.iter().any(|one| one.and(other).length() > 0);
            if has_any && self.first_position(point, other)?.is_some() {
                polled.push(other);
            }
        }
        Ok(polled)
    }

    /// The first position of a breaker that was polled at all while the contract held, else before or behind, whatever the
    /// stretch that is looked at, and when; only asked for where none was polled in that.
    pub(super) fn first_poll(
        &self,
        point: PointId,
        polls: &Polls,
    ) -> Result<Option<(Timestamp, u16)>, StoreError> {
        if !polls.positions.is_empty() {
            return Ok(None);
        }
        let of_era = self.first_position(point, self.era.span)?;
        Ok(of_era.or(self.first_position(point, ALWAYS)?))
    }

    /// The first position of a breaker that was polled at all, of one that changed although it has no record.
    pub(super) fn first_of_changes(
        &self,
        point: PointId,
        polls: &Polls,
        records: &[Record],
    ) -> Result<Option<u16>, StoreError> {
        let all = &polls.positions;
        if !records.is_empty() || all.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            return Ok(None);
        }
        Ok(self.first_position(point, ALWAYS)?.map(|(_, code)| code))
    }

    /// The first end position of a breaker in a stretch, which need not lie in the one that is looked at: of the first
    /// centre, unless another one was much earlier.
    fn first_position(
        &self,
        point: PointId,
        span: Span,
    ) -> Result<Option<(Timestamp, u16)>, StoreError> {
        let mut found: Option<(Timestamp, u16)> = None;
        for centre in &self.province.centres {
            let path = (&self.station().id[..], &centre.id[..], &self.point(point).id[..]);
            let mut first = |value: Value| {
                let is_good = value.flags.is_none_or(Flags::is_good);
                let code = code(value.value).filter(|code| is_good && place(*code).is_some());
                code.map_or(Ok(()), |code| Err(First::Is(value.at, code)))
            };
            let of = (path, (span.from, span.to));
            match self.reader.values_but(of, |_, _| true, &mut first) {
                Ok(()) => {}
                Err(First::Is(at, code)) => {
                    if found.is_none_or(|(first, _)| at.plus(SHORT_MS) < first) {
                        found = Some((at, code));
                    }
                }
                Err(First::Failed(error)) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Hands on the values of a point at a centre, but for those that came while it was old.
    fn values(
        &self,
        (point, centre): (PointId, CentreId),
        span: Span,
        skips: impl Fn((Timestamp, Timestamp), (f64, f64)) -> bool,
        mut each: impl FnMut(Value),
    ) -> Result<(), StoreError> {
        let old = self.old(point, centre)?;
        // It is judged to be so no longer behind the poll that says something again.
        let scan_ms = self.scan_ms(point);
        let is_old = |at: Timestamp| {
            let next = old.partition_point(|span| span.to.plus(-scan_ms) <= at);
            old.get(next).is_some_and(|span| span.from <= at)
        };
        let centre = &self.province.centres[centre.index()].id;
        let id = &self.point(point).id;
        let span = span.and(self.span);
        let of = ((&self.station().id[..], &centre[..], &id[..]), (span.from, span.to));
        self.reader.values_but(of, skips, &mut |value| {
            if !is_old(value.at) {
                each(value);
            }
            Ok(())
        })
    }

    /// The measurement of a bay with this id, where some centre gets it.
    fn measured(&self, bay: usize, id: &str) -> Option<Measured> {
        let points = self.station().points.iter().enumerate();
        let (n, point) = points.into_iter().find(|(_, p)| p.bay == bay && p.spec.id == id)?;
        let full = point.full_scale()?;
        let reads =
            |centre: &CentreId| self.province.channel(self.station, *centre).entries[n].is_mapped();
        let centre = self.province.centre_ids().find(reads)?;
        let nothing = NOTHING * full;
        let flows = nothing + point.deadband.unwrap_or(0.0);
        Some(Measured { at: (PointId::at(n), centre), nothing, flows })
    }

    /// How often a point is polled, milliseconds.
    pub(super) fn scan_ms(&self, point: PointId) -> i64 {
        scan_ms(self.province, self.point(point))
    }

    /// Age above which a value of a point is old, milliseconds.
    fn old_after_ms(&self, point: PointId) -> i64 {
        self.province.scan.old_after_ms(self.scan(point))
    }

    fn scan(&self, point: PointId) -> Scan {
        scan(self.point(point))
    }

    /// The first poll of a stretch in which the position of a bay's breaker could be used comes within this,
    /// milliseconds.
    pub(super) fn soon_ms(&self, bay: usize) -> i64 {
        SOON_MS.max(4 * self.period_ms(bay))
    }

    /// How often the currents of a bay are read, milliseconds.
    pub(super) fn period_ms(&self, bay: usize) -> i64 {
        let scan = self.measured(bay, "IA").and_then(|own| self.point(own.at.0).spec.scan);
        self.province.scan.milliseconds(scan.unwrap_or(Scan::Slow))
    }

    /// What flowed in a bay, as its currents and its power say together.
    pub(super) fn flow(&self, bay: usize, span: Span) -> Result<Vec<Sample>, StoreError> {
        let period_ms = self.period_ms(bay);
        // Whether a value stands still at an edge is told by what lies beyond it.
        let round = Span::new(span.from.plus(-AGAIN_MS), span.to.plus(AGAIN_MS));
        let mut moves = Moves::default();
        let mut of = |id: &str| {
            let Some(own) = self.measured(bay, id) else { return Ok(Vec::new()) };
            let (mut of_point, mut last) = (Vec::new(), None);
            self.values(
                own.at,
                round,
                |_, _| false,
                |value| {
                    let Some((sample, size)) = own.sized(value) else { return };
                    moves.take(last.replace((sample, size)), (sample, size), 3 * period_ms);
                    of_point
                        .extend((span.from <= sample.at && sample.at < span.to).then_some(sample));
                },
            )?;
            Ok::<_, StoreError>(of_point)
        };
        let currents = [of("IA")?, of("IB")?, of("IC")?];
        let mut samples = agreed(&currents, &of("P")?, 2 * period_ms);
        moves.end();
        for sample in &mut samples {
            sample.stands = moves.stands(sample.at, 2 * period_ms);
        }
        Ok(samples)
    }

    /// Stretches in which nothing flowed in a bay, neither current nor power, from the last measurement before to
    /// the first one behind, where they are long enough to say anything; and shorter ones without current, in which a
    /// short interruption may have been.
    pub(super) fn without_current(&self, bay: usize) -> Result<(Vec<Dark>, Vec<Span>), StoreError> {
        let longest = 3 * self.period_ms(bay);
        let measured = ["IA", "IB", "IC", "P"].map(|id| self.measured(bay, id));
        let all = measured.into_iter().flatten();
        let all: Vec<Nothing> =
            all.map(|own| self.nothing(own, longest)).collect::<Result<_, _>>()?;
        let (long, short): (Vec<Span>, _) =
            common_nothing(&all).into_iter().partition(|own| own.length() > longest);
        let mut gaps = all.iter().map(|own| own.gaps.clone());
        let first = gaps.next().unwrap_or_default();
        let gaps = gaps.fold(first, |gaps, own| common(&gaps, &own));
        let dark = long.into_iter().map(|span| Dark::new(span, &gaps, longest)).collect();
        Ok((dark, short))
    }

    /// When a measurement showed nothing. Two values further apart than `longest` say nothing of the time between.
    fn nothing(&self, own: Measured, longest: i64) -> Result<Nothing, StoreError> {
        let found = RefCell::new(Nothing::default());
        let skips = |(first, last): (Timestamp, Timestamp), (low, high): (f64, f64)| {
            let flows = low > own.flows || high < -own.flows;
            // A longer one may have hours in which none was polled.
            let skips = flows && last.since(first) <= 2 * POLLED_MS;
            if skips {
                found.borrow_mut().all_there = Some(last);
            }
            skips
        };
        self.values(own.at, self.span, skips, |value| {
            if let Some(sample) = own.sample(value) {
                found.borrow_mut().take(sample, longest);
            }
        })?;
        let mut found = found.into_inner();
        found.end();
        Ok(found)
    }
}

/// When measurements of a bay moved: each time whether to more than nothing.
#[derive(Debug, Default)]
struct Moves(Vec<(Timestamp, bool)>);

impl Moves {
    /// Takes the next value of a measurement and the one before it. One further behind that than `longest` may have come long
    /// before it was seen.
    fn take(&mut self, last: Option<(Sample, f64)>, (sample, size): (Sample, f64), longest: i64) {
        let moved = last.is_some_and(|(before, was)| {
            was.to_bits() != size.to_bits() && sample.at.since(before.at) <= longest
        });
        let is_nothing = sample.flow == Flow::Nothing;
        let ceased = last.is_some_and(|(before, _)| before.flow != Flow::Nothing) && is_nothing;
        if ceased || moved && !is_nothing {
            self.0.push((sample.at, !is_nothing));
        }
    }

    /// Nothing comes any more.
    fn end(&mut self) {
        self.0.sort_unstable();
    }

    /// While what shows more than nothing stands still at a moment: nothing moves between one time that something moved and the
    /// next. What moved is no older for `seen_ms`. What ceased lives up to then and no longer.
    fn stands(&self, at: Timestamp, seen_ms: i64) -> Span {
        let next = self.0.partition_point(|(moved, _)| *moved <= at);
        let Some((before, true)) = next.checked_sub(1).map(|n| self.0[n]) else { return ALWAYS };
        let behind = self.0.get(next).map_or(ALWAYS.to, |(behind, _)| *behind);
        Span::new(before, if at.since(before) < seen_ms { before } else { behind })
    }
}

/// When a measurement was there, and when it showed nothing; each in order.
#[derive(Debug, Default)]
struct Nothing {
    there: Vec<Span>,
    shown: Vec<Span>,
    before: Option<Timestamp>,
    /// Since when it shows nothing.
    from: Option<Timestamp>,
    /// Up to here no value is missing, though not all are handed on.
    all_there: Option<Timestamp>,
    /// Between two values further apart, of which one at least shows nothing: what flowed then was not measured.
    gaps: Vec<Span>,
    last: Option<Sample>,
}

impl Nothing {
    /// Takes the next value; one further behind the last than `longest` says nothing of the time between.
    fn take(&mut self, sample: Sample, longest: i64) {
        let is_near = |before: &Timestamp| {
            sample.at.since(*before) <= longest || self.all_there == Some(sample.at)
        };
        let near = self.before.filter(is_near);
        if near.is_none() {
            self.end();
            let last = self.last.filter(|last| sample.at.since(last.at) <= DISBELIEF_MS);
            let is_dark = |last: &Sample| [last.flow, sample.flow].contains(&Flow::Nothing);
            self.gaps.extend(last.filter(is_dark).map(|last| Span::new(last.at, sample.at)));
        }
        self.last = Some(sample);
        let moment = Span::new(sample.at, sample.at.plus(1));
        match self.there.last_mut().filter(|_| near.is_some()) {
            Some(last) => last.to = moment.to,
            None => self.there.push(moment),
        }
        if sample.flow == Flow::Nothing {
            self.from.get_or_insert(near.unwrap_or(sample.at));
        } else if let Some(from) = self.from.take() {
            self.shown.push(Span::new(from, sample.at));
        }
        self.before = Some(sample.at);
    }

    /// Nothing comes any more, or not for long.
    fn end(&mut self) {
        if let Some((from, last)) = self.from.take().zip(self.before) {
            self.shown.push(Span::new(from, last));
        }
    }
}

/// A stretch in which nothing flowed in a bay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dark {
    /// As it was measured.
    pub(super) span: Span,
    /// With what was not measured next to it: back to when something flowed last, and on to when it did next.
    pub(super) reach: Span,
}

impl Dark {
    /// `gaps`: when nothing was measured for longer than `longest`.
    pub(super) fn new(span: Span, gaps: &[Span], longest: i64) -> Self {
        let is_near =
            |one: Timestamp, other: Timestamp| one.since(other).saturating_abs() <= longest;
        let before = gaps.iter().find(|gap| is_near(gap.to, span.from));
        let behind = gaps.iter().find(|gap| is_near(gap.from, span.to));
        let from = before.map_or(span.from, |gap| gap.from.min(span.from));
        let to = behind.map_or(span.to, |gap| gap.to.max(span.to));
        Self { span, reach: Span::new(from, to) }
    }
}

/// When measurements showed nothing together: all that were there, or three of four.
fn common_nothing(all: &[Nothing]) -> Vec<Span> {
    let mut edges: Vec<(Timestamp, i32, i32)> = Vec::new();
    for own in all {
        for (spans, counts) in [(&own.there, (1, 0)), (&own.shown, (0, 1))] {
            for span in spans.iter().filter(|span| span.length() > 0) {
                edges.push((span.from, counts.0, counts.1));
                edges.push((span.to, -counts.0, -counts.1));
            }
        }
    }
    edges.sort_unstable_by_key(|(at, ..)| *at);
    let (mut there, mut nothing) = (0, 0);
    let mut found: Vec<Span> = Vec::new();
    let mut from: Option<Timestamp> = None;
    for now in edges.chunk_by(|one, next| one.0 == next.0) {
        let at = now[0].0;
        for (_, there_too, nothing_too) in now {
            (there, nothing) = (there + there_too, nothing + nothing_too);
        }
        let is_nothing = nothing > 0 && nothing + i32::from(there == 4) >= there;
        if is_nothing {
            from.get_or_insert(at);
        } else if let Some(from) = from.take() {
            found.push(Span::new(from, at));
        }
    }
    found
}

/// Notes whether something is so from a moment on, where it was so `since` another one; returns the stretch that ends.
fn ended(since: &mut Option<Timestamp>, is_so: bool, at: Timestamp) -> Option<Span> {
    if is_so {
        since.get_or_insert(at);
        return None;
    }
    since.take().map(|from| Span::new(from, at))
}

/// A measurement that tells whether anything flows.
#[derive(Clone, Copy)]
struct Measured {
    at: (PointId, CentreId),
    /// Up to here it is nothing, in the unit of the point.
    nothing: f64,
    /// Beyond this it is something.
    flows: f64,
}

impl Measured {
    fn sample(&self, value: Value) -> Option<Sample> {
        self.sized(value).map(|(sample, _)| sample)
    }

    /// With the value itself.
    fn sized(&self, value: Value) -> Option<(Sample, f64)> {
        let Decoded::Value(measured) = value.value else { return None };
        if !value.flags.is_none_or(Flags::is_good) {
            return None;
        }
        let flow = match measured.abs() {
            size if size <= self.nothing => Flow::Nothing,
            size if size > self.flows => Flow::Flows,
            _ => Flow::Unclear,
        };
        Some((Sample { at: value.at, flow, stands: ALWAYS }, measured))
    }
}

/// What the currents of a bay and its power say together, at the times of the power, or of the last current where there is
/// none. Of four that show nothing one may be wrong. That anything flows both kinds must say, and two of three
/// currents: what is wrong with all of them is one fault.
fn agreed(currents: &[Vec<Sample>], power: &[Sample], longest_ms: i64) -> Vec<Sample> {
    let has_power = !power.is_empty();
    let all = currents.iter().map(Vec::as_slice).chain([power]).filter(|own| !own.is_empty());
    let all: Vec<&[Sample]> = all.collect();
    let Some((times, others)) = all.split_last() else { return Vec::new() };
    let at_moment = |samples: &[Sample], at: Timestamp| {
        let next = samples.partition_point(|sample| sample.at <= at.plus(longest_ms / 4));
        let last = next.checked_sub(1).and_then(|n| samples.get(n));
        last.filter(|sample| at.since(sample.at) <= longest_ms).map(|sample| sample.flow)
    };
    let flow = |sample: &Sample| {
        let others = others.iter().filter_map(|own| at_moment(own, sample.at));
        let said: Vec<Flow> = others.chain([sample.flow]).collect();
        let says = |flow: Flow, wrong: bool| {
            said.iter().filter(|own| **own == flow).count() + usize::from(wrong) >= said.len()
        };
        let one_of_three_currents = said.len() == 3 + usize::from(has_power);
        // One that no other one bears out says nothing.
        if said.len() < all.len().min(2) {
            Flow::Unclear
        } else if says(Flow::Nothing, said.len() == 4) {
            Flow::Nothing
        } else if sample.flow == Flow::Flows && says(Flow::Flows, one_of_three_currents) {
            Flow::Flows
        } else {
            Flow::Unclear
        }
    };
    times.iter().map(|sample| Sample { flow: flow(sample), ..*sample }).collect()
}

/// Whether the value of a position is there and says something: what the tests of consistency make of it
/// is worked out here again, from the current.
fn is_usable(state: VerdictState) -> bool {
    matches!(state.not_live(), None | Some(Reason::Inconsistent | Reason::Frozen))
}

/// Whether a gateway repeats a value that it had.
fn is_old(state: VerdictState) -> bool {
    state.not_live() == Some(Reason::Old)
}

/// Whether the unit of a position does not answer for it: it fails, or says so, or the gateway before it repeats what it
/// had. What happens then it may not even record.
fn is_mute(state: VerdictState) -> bool {
    use Reason::{Flagged, NoReply, Old, Refused, Undecodable};
    matches!(state.not_live(), Some(Flagged | NoReply | Old | Refused | Undecodable))
}

/// The code of a status.
fn code(value: Decoded) -> Option<u16> {
    let Decoded::Value(value) = value else { return None };
    (0_u16..=3).find(|code| (f64::from(*code) - value).abs() < 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each centre has: by its clock when, when it came, code, whether it is doubted.
    type Has<'a> = &'a [(i64, i64, u16, bool)];

    fn once(centres: &[Has<'_>]) -> Vec<(i64, u16, bool)> {
        let mut positions = Positions::default();
        for (centre, has) in ["A1", "CC", "X"].into_iter().zip(centres) {
            for (number, (source, arrived, value, is_doubted)) in (1..).zip(*has) {
                positions.take(Recorded {
                    station: "S1".into(),
                    centre: centre.into(),
                    unit: 1,
                    number,
                    at: Timestamp(if *is_doubted { *arrived } else { *source }),
                    source: Timestamp(*source),
                    arrived: Timestamp(*arrived),
                    address: 0,
                    point: Some("S1.22.471.CB.POS".into()),
                    before: None,
                    value: *value,
                    flags: 0,
                    synchronised: true,
                    doubt: is_doubted.then(|| "behind".into()),
                });
            }
        }
        let records = positions.of("S1.22.471.CB.POS", Timestamp(i64::MAX), |_, _| false);
        records.into_iter().map(|own| (own.at.0, own.value, own.is_exact)).collect()
    }

    /// What it is; from when to when each of four measurements shows nothing, seconds, `None` where it is not there at
    /// all; and what they say together.
    type Votes = (&'static str, [Option<(i64, i64)>; 4], Option<(i64, i64)>);

    #[test]
    fn three_of_four_measurements_say_that_nothing_flows() {
        let (dead, never) = (Some((100, 300)), Some((0, 0)));
        let table: [Votes; 6] = [
            ("all", [dead; 4], Some((90, 300))),
            ("one is frozen", [never, dead, dead, dead], Some((90, 300))),
            ("two are", [never, never, dead, dead], None),
            ("one is not there", [None, dead, dead, dead], Some((90, 300))),
            ("one is there", [None, dead, None, None], Some((90, 300))),
            ("one of two says so", [None, dead, never, None], None),
        ];
        for (what, own, expected) in table {
            let of = |(from, to): (i64, i64)| {
                let mut all = Nothing::default();
                for second in (0..=600).step_by(10) {
                    let is_nothing = (from..to).contains(&second);
                    let flow = if is_nothing { Flow::Nothing } else { Flow::Flows };
                    let at = Timestamp(second * 1_000);
                    all.take(Sample { at, flow, stands: ALWAYS }, 30_000);
                }
                all.end();
                all
            };
            let all: Vec<Nothing> = own.into_iter().flatten().map(of).collect();
            let found = common_nothing(&all);
            let found = found.first().map(|own| (own.from.0 / 1_000, own.to.0 / 1_000));
            assert_eq!(found, expected, "{what}");
        }
    }

    /// What it is, what one measurement shows second by second in steps of ten, and from when to when it stands still at 100.
    type Standing<'a> = (&'a str, &'a [f64], Option<(i64, i64)>);

    #[test]
    fn a_value_stands_still_from_one_time_that_it_moved_to_the_next() {
        let table: [Standing<'_>; 7] = [
            ("it never moves", &[5.0; 20], None),
            (
                "it moved before",
                &[4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
                None,
            ),
            (
                "it moves again",
                &[4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 6.0],
                Some((10, 130)),
            ),
            (
                "it ceases",
                &[4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 0.0],
                Some((10, 110)),
            ),
            ("it comes back", &[4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0], None),
            (
                "it moved just then",
                &[4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 5.0],
                Some((90, 90)),
            ),
            ("nothing flows", &[0.0; 20], None),
        ];
        for (what, shown, expected) in table {
            let (mut moves, mut last) = (Moves::default(), None);
            for (n, size) in (0..).zip(shown) {
                let flow = if *size > 0.0 { Flow::Flows } else { Flow::Nothing };
                let own = (Sample { at: Timestamp(n * 10_000), flow, stands: ALWAYS }, *size);
                moves.take(last.replace(own), own, 30_000);
            }
            moves.end();
            let stands = moves.stands(Timestamp(100_000), 20_000);
            let found = (stands.from.0 / 1_000, stands.to.0 / 1_000);
            let is_bounded = stands.from > ALWAYS.from && stands.to < ALWAYS.to;
            assert_eq!(is_bounded.then_some(found), expected, "{what}");
        }
    }

    #[test]
    fn a_measurement_that_is_gone_for_long_shows_nothing_no_longer() {
        let mut all = Nothing::default();
        let nothing =
            |second: i64| Sample { at: Timestamp(second), flow: Flow::Nothing, stands: ALWAYS };
        for second in [0, 10, 20, 100, 110] {
            all.take(nothing(second), 30);
        }
        all.end();
        let told: Vec<_> = all.shown.iter().map(|own| (own.from.0, own.to.0)).collect();
        assert_eq!(told, [(0, 20), (100, 110)]);
        assert_eq!(all.there.len(), 2);
    }

    /// A trip with two more tries, with what is shown on the way, by a clock that is `ahead` of the true one.
    fn trip(ahead: i64) -> Vec<(i64, i64, u16, bool)> {
        let codes = [0, 1, 0, 2, 0, 1, 0, 2, 0, 1];
        let at = [0, 40, 1_000, 1_060, 3_000, 3_040, 18_000, 18_060, 20_000, 20_040];
        let at = at.map(|at| 10_000_000 + at);
        at.into_iter().zip(codes).map(|(at, code)| (at + ahead, at + 700, code, false)).collect()
    }

    #[test]
    fn what_two_centres_have_of_one_happening_is_one() {
        let truth = trip(0);
        for ahead in [0, 1, 50, -50, 997, -997, 5_000, -5_000, 30_000, -30_000, 300_000, -300_000] {
            let is_exact = i64::abs(ahead) <= APART_MS;
            let expected: Vec<_> = truth.iter().map(|own| (own.0, own.2, is_exact)).collect();
            assert_eq!(once(&[&truth, &trip(ahead)]), expected, "{ahead} ms");
            // Nor does a third one make more of it.
            assert_eq!(once(&[&truth, &truth, &trip(ahead)]).len(), truth.len(), "{ahead} ms");
            assert_eq!(once(&[&truth, &trip(ahead), &trip(2 * ahead)]).len(), truth.len());
        }
        // One that cannot be right stands where the other one has it, whoever comes first.
        let doubted: Vec<_> =
            trip(-86_400_000).iter().map(|own| (own.0, own.1, own.2, true)).collect();
        let expected: Vec<_> = truth.iter().map(|own| (own.0, own.2, true)).collect();
        assert_eq!(once(&[&truth, &doubted]), expected);
        assert_eq!(once(&[&doubted, &truth]), expected);
    }

    #[test]
    fn what_only_one_centre_has_is_there() {
        let truth = trip(0);
        for ahead in [0, 50, -5_000] {
            let other = trip(ahead);
            let all = truth.len();
            assert_eq!(once(&[&truth[4..], &other]).len(), all, "{ahead} ms");
            assert_eq!(once(&[&truth, &other[..4]]).len(), all, "{ahead} ms");
            assert_eq!(once(&[&truth, &other[6..]]).len(), all, "{ahead} ms");
        }
        // Each has one that the other lost, by one clock.
        let (first, second) = ([&truth[..2], &truth[4..]].concat(), &truth[2..]);
        let is_end = |own: &&(i64, u16, bool)| own.1 != 0;
        let ends = |all: &[(i64, u16, bool)]| all.iter().filter(is_end).count();
        assert_eq!(ends(&once(&[&first, second])), ends(&once(&[&truth])));
        // One that was made up later is no copy of the first that the other one lost without telling.
        let made_up = [(truth[0].0 + 20_500, truth[0].1 + 20_500, 1, false)];
        assert_eq!(once(&[&truth, &made_up]).len(), truth.len(), "of the one next to it");
        assert!(once(&[&truth, &made_up]).contains(&(truth[1].0, 1, true)), "not of the first");
        // An hour later it happened again.
        let later = trip(3_600_000);
        assert_eq!(once(&[&truth, &later]).len(), 2 * truth.len());
    }
}
