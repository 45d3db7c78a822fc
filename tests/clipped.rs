//! What a window says hangs on the history, not on the window: histories of chance with records and polls that
//! contradict each other, currents, counters, gaps, other contracts and jumps of the clock, cut in any way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Flags, PointId, Province, encode};
use gridwatch::clock::{Jump, JumpKind, Timestamp};
use gridwatch::collector::plan::{Content, Part, Plan, plans};
use gridwatch::historian::events::{Change, Doubt, EventEntry, Happening};
use gridwatch::historian::ledger::{Judgement, Run, State};
use gridwatch::historian::picture::LinkState;
use gridwatch::history::energy::energies;
use gridwatch::history::reliability::{Tally, reliability};
use gridwatch::history::{Span, Window};
use gridwatch::series::{Buffer, fresh};
use gridwatch::store::{Batch, Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tempfile::tempdir;

use crate::partition::{edges, stories};

use crate::windows::{breaker, contracts};

/// Between two scans, milliseconds.
const SCAN: i64 = 120_000;
/// 2022-11-01 00:00 local.
const BEGAN: i64 = 1_667_235_600_000;

/// What is measured of a bay.
#[derive(Debug, Clone, Copy)]
enum Flow {
    /// As its breaker stands.
    True,
    /// Current flows whatever the breaker says.
    Always,
    /// None does.
    Never,
    /// Too little to tell.
    Little,
}

/// What may happen, some time after what came before.
#[derive(Debug, Clone)]
enum Step {
    /// A breaker moves. Its record comes late, of a clock that cannot be right; or never.
    Switch { after: i64, bay: usize, open: bool, doubt: bool, lost: bool },
    /// A contact says one thing and the other, so many times.
    Chatter { after: i64, bay: usize, times: i64 },
    /// So many scans: what flows in a bay, and whether a counter says nothing meanwhile.
    Scans { count: i64, bay: usize, flow: Flow, silent: Option<usize> },
    /// Values can be used, or cannot.
    Judge { after: i64, usable: bool },
    /// The monitor begins anew, by a contract.
    Restart { after: i64, contract: usize },
    /// The clock is set.
    Jump { by: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let after = || prop_oneof![4 => 6_000_i64..400_000, 2 => 400_000_i64..10_000_000, 1 => 10_000_000_i64..200_000_000];
    let flow = prop_oneof![
        4 => Just(Flow::True),
        1 => Just(Flow::Always),
        1 => Just(Flow::Never),
        1 => Just(Flow::Little)
    ];
    let rarely = |one_in: u32| prop::bool::weighted(1.0 / f64::from(one_in));
    prop_oneof![
        6 => (after(), 0_usize..4, any::<bool>(), rarely(5), rarely(4))
            .prop_map(|(after, bay, open, doubt, lost)| Step::Switch { after, bay, open, doubt, lost }),
        1 => (after(), 0_usize..4, 8_i64..40).prop_map(|(after, bay, times)| Step::Chatter { after, bay, times }),
        8 => (1_i64..200, 0_usize..4, flow, prop::option::weighted(0.3, 0_usize..4))
            .prop_map(|(count, bay, flow, silent)| Step::Scans { count, bay, flow, silent }),
        3 => (after(), any::<bool>()).prop_map(|(after, usable)| Step::Judge { after, usable }),
        1 => (after(), 0_usize..2).prop_map(|(after, contract)| Step::Restart { after, contract }),
        1 => prop_oneof![-8_000_000_i64..-1_000, 1_000_i64..8_000_000].prop_map(|by| Step::Jump { by }),
    ]
}

/// A store in which all of that happened.
struct Story<'a> {
    folder: &'a Path,
    contracts: [Arc<Province>; 2],
    contract: usize,
    writer: Option<Writer>,
    buffer: Buffer,
    plans: Vec<Arc<Plan>>,
    now: i64,
    /// The latest moment that is in the store.
    latest: i64,
    jumps: Vec<Jump>,
    open: [bool; 4],
    flow: [Flow; 4],
    /// Watt hours that the counters of the bays have counted.
    wh: [i64; 4],
    number: u32,
    usable: bool,
}

impl Story<'_> {
    fn province(&self) -> Arc<Province> {
        Arc::clone(&self.contracts[self.contract])
    }

    /// A session begins.
    fn begin(&mut self) {
        let province = self.province();
        if self.writer.is_none() {
            self.writer = Some(Writer::open(self.folder, &province).unwrap());
            self.jumps.clear();
        }
        self.plans = plans(&province);
        self.buffer = Buffer::new(&province, &self.plans, 1 << 20);
        self.judge(true);
    }

    fn commit(&mut self, batch: &Batch) {
        self.latest = self.latest.max(self.now);
        self.writer.as_mut().unwrap().commit(batch).unwrap();
    }

    fn judge(&mut self, begins: bool) {
        let points = self.province().stations[0].points.len();
        let state = State::from_bits(if self.usable { 0 } else { 0x33 }).unwrap();
        let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
        let (channel, at) = (ChannelId(0), Timestamp(self.now));
        let judgements =
            vec![Judgement { channel, at, link: LinkState::Connected, whole: begins, runs }];
        let jumps = if begins { self.jumps.clone() } else { Vec::new() };
        self.commit(&Batch { judgements, jumps, ..Batch::empty(begins, at) });
    }

    /// Time goes on, and what flows is counted.
    fn pass(&mut self, ms: i64) {
        self.now += ms;
        for bay in 0..4 {
            self.wh[bay] += self.kw(bay) * ms / 3_600;
        }
    }

    fn kw(&self, bay: usize) -> i64 {
        let rated = if bay < 2 { 4_000 } else { 2_000 };
        match self.flow[bay] {
            Flow::True if self.open[bay] => 0,
            Flow::True | Flow::Always => rated,
            Flow::Never => 0,
            Flow::Little => rated / 150,
        }
    }

    fn record(&mut self, bay: usize, open: bool, doubt: bool) {
        let province = self.province();
        let point = breaker(&province, bay);
        let station = &province.stations[0];
        let unit = station.units[station.bays[station.points[point.index()].bay].unit].id;
        self.number += 1;
        let arrived = Timestamp(self.now);
        let source = if doubt { arrived.plus(-90_000) } else { arrived };
        let change = Change {
            number: self.number,
            address: u16::try_from(bay).unwrap(),
            point: Some(point),
            before: None,
            value: if open { 1 } else { 2 },
            source,
            flags: Flags::GOOD,
            synchronised: true,
            doubt: doubt.then_some(Doubt::Behind),
        };
        let (channel, what) = (ChannelId(0), Happening::Change(change));
        let entry = EventEntry { channel, unit, at: arrived, order: 0, arrived, what };
        self.commit(&Batch { events: vec![entry], ..Batch::empty(false, arrived) });
    }

    /// A row of every block, as it stands now.
    fn row(&mut self, silent: Option<usize>) {
        let province = self.province();
        let station = &province.stations[0];
        let breakers: Vec<PointId> = (0..4).map(|bay| breaker(&province, bay)).collect();
        let of_bay: BTreeMap<usize, usize> =
            breakers.iter().enumerate().map(|(n, p)| (station.points[p.index()].bay, n)).collect();
        let entries = &province.channels[0].entries;
        let kw = [0, 1, 2, 3].map(|bay| self.kw(bay));
        let (open, wh) = (self.open, self.wh);
        let said = |point: PointId| -> Option<f64> {
            let own = &station.points[point.index()];
            let bay = of_bay.get(&own.bay).copied();
            let volts = f64::from(own_level(station, own.bay));
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let kw = |bay: usize| kw[bay] as f64;
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let kwh = |bay: usize| (1_000_000 + wh[bay] / 1_000) as f64;
            match (&own.spec.id[..], bay) {
                ("CB.POS", Some(bay)) => Some(if open[bay] { 1.0 } else { 2.0 }),
                ("IA" | "IB" | "IC", Some(bay)) => Some(kw(bay) / volts / 3_f64.sqrt()),
                ("P", Some(bay)) => Some(kw(bay) / 1e3),
                ("E.IMP", Some(bay)) => (silent != Some(bay)).then(|| kwh(bay)),
                ("UAB" | "UBC" | "UCA", _) => Some(volts),
                _ => Some(0.0),
            }
        };
        for (block, plan) in self.plans[0].blocks.iter().enumerate() {
            let Content::Points(items) = &plan.content else { continue };
            let bits = plan.table.is_bits();
            let length = usize::from(plan.count);
            let mut payload = vec![0; if bits { length.div_ceil(8) } else { 2 * length }];
            for item in items {
                let register = entries[item.point.index()].register.unwrap();
                let value = said(item.point);
                let mut cells = vec![0_u16; usize::from(item.cells)];
                match item.part {
                    Part::Value => {
                        encode(register.encoding, register.word_order, value, &mut cells);
                    }
                    Part::Quality if value.is_none() => cells[0] = Flags::INVALID.0,
                    Part::Quality => {}
                }
                for (n, cell) in cells.iter().enumerate() {
                    let place = usize::from(item.offset) + n;
                    if !bits {
                        payload[2 * place..2 * place + 2].copy_from_slice(&cell.to_be_bytes());
                    } else if *cell != 0 {
                        payload[place / 8] |= 1 << (place % 8);
                    }
                }
            }
            let (channel, at) = (ChannelId(0), Timestamp(self.now));
            let count = plan.count;
            let row = fresh::Row { channel, block, at, offset: 0, count, payload: &payload };
            self.buffer.accept_row(&row);
        }
    }

    fn scans(&mut self, count: i64, silent: Option<usize>) {
        for _ in 0..count {
            self.pass(SCAN);
            self.row(silent);
        }
        self.flush();
    }

    /// Puts what is held of values into the store.
    fn flush(&mut self) {
        self.buffer.flush();
        let at = Timestamp(self.now);
        let values = self.buffer.take_sealed();
        self.commit(&Batch { values, open_from: at.plus(1), ..Batch::empty(false, at) });
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Switch { after, bay, open, doubt, lost } => {
                self.pass(after);
                self.open[bay] = open;
                if !lost {
                    self.record(bay, open, doubt);
                }
            }
            Step::Chatter { after, bay, times } => {
                self.pass(after);
                for n in 0..times {
                    self.pass(500);
                    self.record(bay, n % 2 == 0, false);
                }
                self.open[bay] = times % 2 == 1;
            }
            Step::Scans { count, bay, flow, silent } => {
                self.flow[bay] = flow;
                self.scans(count, silent);
            }
            Step::Judge { after, usable } => {
                self.pass(after);
                self.usable = usable;
                self.judge(false);
            }
            Step::Restart { after, contract } => {
                self.pass(after);
                self.writer = None;
                // Nobody writes while the clock is behind what is there.
                self.pass((self.latest + 1 - self.now).max(0));
                self.contract = contract;
                self.begin();
            }
            Step::Jump { by } => {
                self.flush();
                let before = Timestamp(self.now);
                self.now += by;
                let after = Timestamp(self.now);
                self.jumps.push(Jump { before, after, by_ms: by, kind: JumpKind::Set });
                self.begin();
            }
        }
    }
}

fn own_level(station: &config::Station, bay: usize) -> u16 {
    station.bays[bay].level
}

/// Whole numbers of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sums {
    tally: Tally,
    /// Watt hours, by counter.
    counters: BTreeMap<String, i64>,
    /// Watt hours received and delivered.
    through: (i64, i64),
}

impl Sums {
    fn of(reader: &Reader, (from, to): (i64, i64)) -> Self {
        let span = Span::new(Timestamp(from), Timestamp(to));
        let window = Window::new(span, &[], &reader.sessions().unwrap());
        let mut sums = Self {
            tally: reliability(reader, span, |_| true).unwrap().tally(span, None),
            ..Self::default()
        };
        for station in energies(reader, &window, |_| true).unwrap() {
            for counter in &station.counters {
                let wh = counter.energy().told().value.copied().unwrap_or(0);
                *sums.counters.entry(counter.point().to_owned()).or_default() += wh;
            }
            let wh = |figure: Option<gridwatch::history::Figure<i64>>| {
                figure.and_then(|figure| figure.told().value.copied()).unwrap_or(0)
            };
            sums.through.0 += wh(station.through.received());
            sums.through.1 += wh(station.through.delivered());
        }
        sums.counters.retain(|_, wh| *wh != 0);
        sums
    }

    fn add(&mut self, other: &Self) {
        self.tally += other.tally;
        for (point, wh) in &other.counters {
            *self.counters.entry(point.clone()).or_default() += wh;
        }
        self.through.0 += other.through.0;
        self.through.1 += other.through.1;
    }
}

fn check(steps: &[Step], windows: &[(i64, i64)], cuts: &[i64]) -> Result<(), TestCaseError> {
    let folder = tempdir().unwrap();
    let contracts = contracts().map(|province| {
        let mut province = Province::clone(&province);
        #[expect(clippy::cast_precision_loss, reason = "a scan")]
        {
            province.scan = province.scan.at_least(SCAN as f64 / 1e3);
        }
        Arc::new(province)
    });
    let plans = plans(&contracts[0]);
    let buffer = Buffer::new(&contracts[0], &plans, 1 << 20);
    let mut story = Story {
        folder: folder.path(),
        contracts,
        contract: 0,
        writer: None,
        buffer,
        plans,
        now: BEGAN,
        latest: BEGAN,
        jumps: Vec::new(),
        open: [false; 4],
        flow: [Flow::True; 4],
        wh: [0; 4],
        number: 0,
        usable: true,
    };
    story.begin();
    for step in steps {
        story.take(step);
    }
    story.flush();
    let last = story.latest;
    drop(story);
    let reader = Reader::open(folder.path()).unwrap();
    let all = Span::new(Timestamp(BEGAN - 1), Timestamp(last + 1));
    let whole = reliability(&reader, all, |_| true).unwrap();
    for (from, length) in windows {
        let from = BEGAN + from.rem_euclid(last - BEGAN + 1);
        let window = (from, from + length);
        let sums = Sums::of(&reader, window);
        // The whole history, clipped.
        let own = Span::new(Timestamp(from), Timestamp((from + length).min(last)));
        let clipped = reliability(&reader, own, |_| true).unwrap();
        prop_assert_eq!(clipped.tally(own, None), whole.tally(own, None), "{:?}", own);
        for feeder in &clipped.feeders {
            let other = whole.feeders.iter().find(|other| other.name == feeder.name).unwrap();
            let in_window = |all: &[gridwatch::history::reliability::Interruption]| {
                let own = all.iter().filter(|one| one.is_in(own));
                own.map(|one| (one.from, one.until, one.kind, one.counts, one.assumed.clone()))
                    .collect::<Vec<_>>()
            };
            prop_assert_eq!(
                in_window(&feeder.interruptions),
                in_window(&other.interruptions),
                "{:?}",
                own
            );
        }
        let edges = edges(window, cuts);
        let mut added = Sums::default();
        for part in edges.windows(2) {
            added.add(&Sums::of(&reader, (part[0], part[1])));
        }
        prop_assert_eq!(added, sums, "cut at {:?}", edges);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_window_is_the_whole_history_clipped((steps, windows, cuts) in stories(step(), 40)) {
        check(&steps, &windows, &cuts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    #[ignore = "a campaign of some minutes"]
    fn windows_are_whole_histories_clipped_over_thousands_of_them((steps, windows, cuts) in stories(step(), 80)) {
        check(&steps, &windows, &cuts)?;
    }
}
