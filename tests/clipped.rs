//! What a window says hangs on the history, not on the window: histories of chance with records and polls that
//! contradict each other, two centres that do, currents, counters, gaps, other contracts and jumps of the clock, cut in
//! any way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{CentreId, ChannelId, Decoded, Flags, PointId, Province, StationId, decode, encode};
use gridwatch::clock::{Jump, JumpKind, Timestamp};
use gridwatch::collector::plan::{BlockContent, Plan, layouts, plans};
use gridwatch::historian::alarms::{Alarm, AlarmCause, AlarmChange, Priority, Raised};
use gridwatch::historian::events::{Change, EventEntry, Happening, TimeDoubt};
use gridwatch::historian::issues::{IssueId, Scope};
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict::Reason;
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::history::alarms::{Stood, alarms};
use gridwatch::history::energy::{
    CounterEnergy, StationEnergy, Through, energies, energies_in_pieces,
};
use gridwatch::history::reliability::{self as supply, Reliability, Tally, reliability};
use gridwatch::history::{Figure, Span, What, Window};
use gridwatch::series::{Buffer, fresh};
use gridwatch::signal::layout::Part;
use gridwatch::store::{Batch, Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tempfile::tempdir;

use crate::figures::told;
use crate::fixture::{CENTRE, STATION};
use crate::partition::{edges, stories};
use crate::slow_energy::{Rows, Value};
use crate::windows::{breaker, contracts_of};

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

/// What a counter shows in place of what it counted.
#[derive(Debug, Clone, Copy)]
enum Shown {
    /// Nothing, and says so.
    Silent,
    Zero,
    /// Every bit of its register.
    AllBits,
    /// The highest bit alone.
    HighestBit,
    /// What it showed last.
    Frozen,
    /// Less by so much, kWh.
    Less(i64),
    /// Something else, kWh.
    Other(i64),
}

/// What becomes of a counter for good.
#[derive(Debug, Clone, Copy)]
enum Register {
    /// It begins anew.
    Reset,
    /// Its own is shown again.
    Own,
    /// Another one takes its place, which shows so much, kWh.
    Replaced(i64),
    /// One of so many digits does, which is full in so many kWh.
    Digits(u32, i64),
    /// So much is lost, or gained, kWh.
    Lost(i64),
}

/// What a centre is sent of the position of a breaker.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Right,
    Opposite,
    /// This one all the time: open.
    Stuck(bool),
}

impl Sent {
    fn is_open(self, open: bool) -> bool {
        match self {
            Self::Right => open,
            Self::Opposite => !open,
            Self::Stuck(open) => open,
        }
    }
}

/// How values are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Judged {
    Good,
    NoLink,
    NoReply,
    Frozen,
    Contradicts,
}

impl Judged {
    fn state(self) -> VerdictState {
        let bits = match self {
            Self::Good => 0,
            Self::NoLink => 0x33,
            Self::NoReply => 0x44,
            Self::Frozen => 0xCC,
            Self::Contradicts => 1 << 8 | 1 << 9,
        };
        VerdictState::from_bits(bits).unwrap()
    }
}

/// What may happen, some time after what came before.
#[derive(Debug, Clone)]
enum Step {
    /// A breaker moves. Its record comes late, of a clock that cannot be right; or never.
    Switch { after: i64, bay: usize, open: bool, doubt: bool, lost: bool },
    /// A contact says one thing and the other, so many times.
    Chatter { after: i64, bay: usize, times: i64 },
    /// So many scans: what flows in a bay, what a counter shows meanwhile, and whether the miniature circuit
    /// breakers of the voltage transformers have tripped.
    Scans { count: i64, bay: usize, flow: Flow, shown: Option<(usize, Shown)>, tripped: bool },
    /// Something becomes of a counter.
    Counter { bay: usize, register: Register },
    /// Values are judged otherwise, at both centres or one of them.
    Judge { after: i64, judged: Judged, of: Option<usize> },
    /// A centre is sent something else of a breaker.
    Send { centre: usize, bay: usize, sent: Sent },
    /// An alarm is raised, of a cause; returns; or is acknowledged.
    Alarm { after: i64, cause: usize, ends: bool },
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
    let shown = prop_oneof![
        3 => Just(Shown::Silent),
        1 => Just(Shown::Zero),
        1 => Just(Shown::AllBits),
        1 => Just(Shown::HighestBit),
        2 => Just(Shown::Frozen),
        1 => (1_i64..400).prop_map(Shown::Less),
        1 => (1_i64..999_999_999).prop_map(Shown::Other),
    ];
    let register = prop_oneof![
        1 => Just(Register::Reset),
        1 => (1_i64..999_999_999).prop_map(Register::Replaced),
        2 => (5_u32..10, 1_i64..2_000).prop_map(|(digits, left)| Register::Digits(digits, left)),
        1 => (-3_000_i64..3_000).prop_map(Register::Lost),
    ];
    let judged = prop_oneof![
        3 => Just(Judged::Good),
        2 => Just(Judged::NoLink),
        1 => Just(Judged::Frozen),
        1 => Just(Judged::Contradicts)
    ];
    let sent = prop_oneof![
        2 => Just(Sent::Right),
        1 => Just(Sent::Opposite),
        1 => any::<bool>().prop_map(Sent::Stuck)
    ];
    prop_oneof![
        6 => (after(), 0_usize..4, any::<bool>(), rarely(5), rarely(4))
            .prop_map(|(after, bay, open, doubt, lost)| Step::Switch { after, bay, open, doubt, lost }),
        1 => (after(), 0_usize..4, 8_i64..40).prop_map(|(after, bay, times)| Step::Chatter { after, bay, times }),
        8 => (1_i64..200, 0_usize..4, flow, prop::option::weighted(0.3, (0_usize..4, shown)), rarely(6))
            .prop_map(|(count, bay, flow, shown, tripped)| Step::Scans { count, bay, flow, shown, tripped }),
        1 => (0_usize..4, register).prop_map(|(bay, register)| Step::Counter { bay, register }),
        3 => (after(), judged, prop::option::weighted(0.4, 0_usize..2))
            .prop_map(|(after, judged, of)| Step::Judge { after, judged, of }),
        3 => (0_usize..2, 0_usize..4, sent).prop_map(|(centre, bay, sent)| Step::Send { centre, bay, sent }),
        2 => (after(), 0_usize..3, any::<bool>())
            .prop_map(|(after, cause, ends)| Step::Alarm { after, cause, ends }),
        1 => (after(), 0_usize..2).prop_map(|(after, contract)| Step::Restart { after, contract }),
        1 => prop_oneof![-8_000_000_i64..-1_000, 1_000_i64..8_000_000].prop_map(|by| Step::Jump { by }),
    ]
}

/// The same, and counters that show another one for a while, of which the register is another.
fn step_or_other_counter() -> impl Strategy<Value = Step> {
    let register = prop_oneof![
        2 => Just(Register::Own),
        1 => (1_i64..999_999_999).prop_map(Register::Replaced)
    ];
    let counter =
        (0_usize..4, register).prop_map(|(bay, register)| Step::Counter { bay, register });
    prop_oneof![6 => step(), 1 => counter]
}

/// What a counter shows of its own: beyond what was counted, and where it is full, kWh.
const OWN: (i64, i64) = (1_000_000, 1 << 32);

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
    /// Watt hours that have flowed through the bays.
    wh: [i64; 4],
    /// What the counters of the bays show beyond that, kWh, and where they begin again.
    shows: [(i64, i64); 4],
    /// What they showed last.
    last_shown: [i64; 4],
    number: u32,
    /// By centre.
    judged: [Judged; 2],
    /// By centre and bay.
    sent: [[Sent; 4]; 2],
    alarms: [Option<Alarm>; 3],
    /// Whether an earlier run raised them, and when they were raised by clocks that were set since.
    raised_before: [(bool, Vec<Timestamp>); 3],
    /// How often the clock has jumped.
    epoch: i64,
    said: Vec<Value>,
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
        self.buffer = Buffer::new(&province, &layouts(&self.plans), 1 << 20);
        self.judge(true);
    }

    fn commit(&mut self, batch: &Batch) {
        self.latest = self.latest.max(self.now);
        self.writer.as_mut().unwrap().commit(batch).unwrap();
    }

    fn judge(&mut self, begins: bool) {
        let points = self.province().stations[0].points.len();
        let at = Timestamp(self.now);
        let judgement = |(n, judged): (usize, &Judged)| {
            let (first, count, state) = (0, u32::try_from(points).unwrap(), judged.state());
            let runs = vec![Run { first, count, state }];
            let channel = channel(n);
            Judgement { channel, at, link: LinkState::Connected, whole: begins, runs }
        };
        let judgements = self.judged.iter().enumerate().map(judgement).collect();
        let jumps = if begins { self.jumps.clone() } else { Vec::new() };
        // When a session begins, all alarms that are open are told.
        let open = self.alarms.iter().zip(&self.raised_before).filter(|_| begins);
        let alarms = open
            .filter_map(|(alarm, (_, formerly))| {
                let (alarm, formerly) = (alarm.clone()?, formerly.clone());
                Some(AlarmChange { alarm, is_open: true, formerly })
            })
            .collect();
        self.commit(&Batch { judgements, jumps, alarms, ..Batch::empty(begins, at) });
    }

    /// An alarm is raised; or, where it stands, returns and is acknowledged.
    fn alarm(&mut self, cause: usize, ends: bool) {
        let at = Timestamp(self.now);
        let change = match self.alarms[cause].take() {
            None => {
                let line = IssueId { reason: Reason::NoReply, scope: Scope::Bay(cause) };
                let cause_of = AlarmCause { station: StationId(0), line };
                let alarm = Alarm {
                    raised: Raised { cause: cause_of, at },
                    at_least: false,
                    priority: Priority::ALL[0],
                    centres: vec![CentreId(0)],
                    signals: 1,
                    returned: None,
                    acknowledged: None,
                };
                self.alarms[cause] = Some(alarm.clone());
                self.raised_before[cause] = (false, Vec::new());
                AlarmChange { alarm, is_open: true, formerly: Vec::new() }
            }
            Some(mut alarm) => {
                alarm.returned = alarm.returned.or(Some(at));
                if ends {
                    alarm.acknowledged = Some(at);
                } else {
                    self.alarms[cause] = Some(alarm.clone());
                }
                AlarmChange { alarm, is_open: !ends, formerly: Vec::new() }
            }
        };
        self.commit(&Batch { alarms: vec![change], ..Batch::empty(false, at) });
    }

    /// What a counter shows, kWh; `None`: nothing.
    fn shown(&mut self, bay: usize, shown: Option<Shown>) -> Option<i64> {
        let (beyond, full) = self.shows[bay];
        let counted = (beyond + self.wh[bay] / 1_000).rem_euclid(full);
        let kwh = match shown {
            None => counted,
            Some(Shown::Silent) => return None,
            Some(Shown::Zero) => 0,
            Some(Shown::AllBits) => (1 << 32) - 1,
            Some(Shown::HighestBit) => 1 << 31,
            Some(Shown::Frozen) => self.last_shown[bay],
            Some(Shown::Less(by)) => (counted - by).max(0),
            Some(Shown::Other(kwh)) => kwh,
        };
        self.last_shown[bay] = kwh;
        Some(kwh)
    }

    fn change(&mut self, bay: usize, register: Register) {
        let counted = self.wh[bay] / 1_000;
        let (beyond, full) = &mut self.shows[bay];
        match register {
            Register::Reset => *beyond = -counted,
            Register::Own => (*beyond, *full) = OWN,
            Register::Replaced(kwh) => (*beyond, *full) = (kwh - counted, 1 << 32),
            Register::Digits(digits, left) => {
                *full = 10_i64.pow(digits);
                *beyond = *full - left - counted;
            }
            Register::Lost(kwh) => *beyond -= kwh,
        }
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
        let change = |open: bool| Change {
            number: self.number,
            address: u16::try_from(bay).unwrap(),
            point: Some(point),
            before: None,
            value: if open { 1 } else { 2 },
            source,
            flags: Flags::GOOD,
            synchronised: true,
            doubt: doubt.then_some(TimeDoubt::Behind),
        };
        // A value that is stuck changes for no record.
        let tells = |centre: &usize| !matches!(self.sent[*centre][bay], Sent::Stuck(_));
        let entry = |centre: usize| {
            let what = Happening::Change(change(self.sent[centre][bay].is_open(open)));
            let channel = channel(centre);
            EventEntry { channel, unit, at: arrived, order: 0, arrived, what }
        };
        let events = (0..2).filter(tells).map(entry).collect();
        self.commit(&Batch { events, ..Batch::empty(false, arrived) });
    }

    /// A row of every block, as it stands now.
    fn row(&mut self, shown: Option<(usize, Shown)>, tripped: bool) {
        let kwh = [0, 1, 2, 3].map(|bay| {
            let own = shown.filter(|(of, _)| *of == bay).map(|(_, shown)| shown);
            self.shown(bay, own)
        });
        let province = self.province();
        let station = &province.stations[0];
        let breakers: Vec<PointId> = (0..4).map(|bay| breaker(&province, bay)).collect();
        let of_bay: BTreeMap<usize, usize> =
            breakers.iter().enumerate().map(|(n, p)| (station.points[p.index()].bay, n)).collect();
        let kw = [0, 1, 2, 3].map(|bay| self.kw(bay));
        let open = self.open;
        let sent = self.sent;
        // In every other hour currents move, in the others they stand still.
        let moves = self.now / 3_600_000 % 2 == 0 && self.now / 60_000 % 2 == 0;
        let wanders = if moves { 1.02 } else { 1.0 };
        let said = |centre: usize, point: PointId| -> Option<f64> {
            let own = &station.points[point.index()];
            let bay = of_bay.get(&own.bay).copied();
            let volts = f64::from(own_level(station, own.bay));
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let kw = |bay: usize| kw[bay] as f64;
            #[expect(clippy::cast_precision_loss, reason = "a register")]
            let kwh = |bay: usize| kwh[bay].map(|kwh| kwh as f64);
            match (&own.spec.id[..], bay) {
                ("CB.POS", Some(bay)) => {
                    Some(if sent[centre][bay].is_open(open[bay]) { 1.0 } else { 2.0 })
                }
                ("IA" | "IB" | "IC", Some(bay)) => Some(kw(bay) * wanders / volts / 3_f64.sqrt()),
                ("P", Some(bay)) => Some(kw(bay) / 1e3),
                ("E.IMP", Some(bay)) => kwh(bay),
                ("VT.MCB", _) => Some(if tripped { 1.0 } else { 0.0 }),
                ("UAB" | "UBC" | "UCA", _) => Some(volts),
                _ => Some(0.0),
            }
        };
        let plans = self.plans.clone();
        let blocks = plans.iter().enumerate().flat_map(|(centre, plan)| {
            plan.blocks.iter().enumerate().map(move |(block, plan)| (centre, block, plan))
        });
        for (centre, block, plan) in blocks {
            let entries = &province.channels[centre].entries;
            let BlockContent::Points(items) = &plan.content else { continue };
            let bits = plan.table.is_bits();
            let length = usize::from(plan.count);
            let mut payload = vec![0; if bits { length.div_ceil(8) } else { 2 * length }];
            for item in items {
                let register = entries[item.point.index()].register.unwrap();
                let value = said(centre, item.point);
                let mut cells = vec![0_u16; usize::from(item.cells())];
                match item.part {
                    Part::Value => {
                        encode(register.encoding, register.word_order, value, &mut cells);
                        let told = decode(register.encoding, register.word_order, &cells);
                        // Counters of the first one count.
                        self.said.extend((centre == 0).then(|| Value {
                            point: station.points[item.point.index()].id.clone(),
                            at: self.now,
                            epoch: self.epoch,
                            said: match told {
                                Decoded::Value(told) if value.is_some() => Some(told),
                                _ => None,
                            },
                        }));
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
            let (channel, at) = (channel(centre), Timestamp(self.now));
            let read = plans[centre].row(block, (0, plan.count), &payload);
            let (columns, row) = read.unwrap();
            self.buffer.accept_row(&fresh::Row { channel, group: block, at, columns, row: &row });
        }
    }

    fn scans(&mut self, count: i64, shown: Option<(usize, Shown)>, tripped: bool) {
        for _ in 0..count {
            self.pass(SCAN);
            self.row(shown, tripped);
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
            Step::Scans { count, bay, flow, shown, tripped } => {
                self.flow[bay] = flow;
                self.scans(count, shown, tripped);
            }
            Step::Counter { bay, register } => self.change(bay, register),
            Step::Judge { after, judged, of } => {
                self.pass(after);
                for (n, own) in self.judged.iter_mut().enumerate() {
                    if of.is_none_or(|of| of == n) {
                        *own = judged;
                    }
                }
                self.judge(false);
            }
            Step::Send { centre, bay, sent } => self.sent[centre][bay] = sent,
            Step::Alarm { after, cause, ends } => {
                self.pass(after);
                self.alarm(cause, ends);
            }
            Step::Restart { after, contract } => {
                self.pass(after);
                self.writer = None;
                for (is_resumed, _) in &mut self.raised_before {
                    *is_resumed = true;
                }
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
                self.epoch += 1;
                // Alarms that stand keep their age; those of an earlier run their times.
                let alarms = self.alarms.iter_mut().zip(&mut self.raised_before);
                for (alarm, (is_resumed, formerly)) in alarms {
                    let Some(alarm) = alarm.as_mut().filter(|_| !*is_resumed) else { continue };
                    formerly.push(alarm.raised.at);
                    alarm.raised.at = alarm.raised.at.plus(by);
                    alarm.returned = alarm.returned.map(|at| at.plus(by));
                    alarm.acknowledged = alarm.acknowledged.map(|at| at.plus(by));
                }
                self.begin();
            }
        }
    }
}

fn channel(centre: usize) -> ChannelId {
    ChannelId(u16::try_from(centre).unwrap())
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
    /// Milliseconds of busbars: within their limits, alive, dead, known, in doubt.
    voltage: [u64; 5],
    /// Alarms that were raised, and milliseconds that any stood.
    alarms: (u64, i64),
}

fn stations(reader: &Reader, (from, to): (i64, i64)) -> Vec<StationEnergy> {
    let span = Span::new(Timestamp(from), Timestamp(to));
    let window = Window::new(span, &[], &reader.sessions().unwrap());
    let whole = energies(reader, &window, |_| true).unwrap();
    // A day at a time, it is the same.
    assert_eq!(energies_in_pieces(reader, &window, |_| true, 1).unwrap(), whole, "{from} {to}");
    whole
}

impl Sums {
    fn of(reader: &Reader, window: (i64, i64)) -> Self {
        let span = Span::new(Timestamp(window.0), Timestamp(window.1));
        let mut sums = Self {
            tally: reliability(reader, span, |_| true).unwrap().tally(span, None),
            ..Self::default()
        };
        for station in stations(reader, window) {
            for counter in &station.counters {
                let wh = told(&counter.energy()).unwrap_or(0);
                *sums.counters.entry(counter.point().to_owned()).or_default() += wh;
            }
            let wh =
                |figure: Option<Figure<i64>>| figure.and_then(|figure| told(&figure)).unwrap_or(0);
            sums.through.0 += wh(station.through.received());
            sums.through.1 += wh(station.through.delivered());
            for bus in &station.voltages {
                let within = told(&bus.within()).unwrap_or_default();
                let (dead, doubtful) = (told(&bus.dead_ms()), told(&bus.doubtful_ms()));
                let known = bus.within().known().have;
                let own =
                    [within.have, within.want, dead.unwrap_or(0), known, doubtful.unwrap_or(0)];
                sums.voltage.iter_mut().zip(own).for_each(|(sum, ms)| *sum += ms);
            }
        }
        sums.counters.retain(|_, wh| *wh != 0);
        for own in alarms(reader, span, |_| true).unwrap() {
            sums.alarms.0 += u64::from(own.begins_in(span));
            sums.alarms.1 += own.ms_in_window;
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.tally += other.tally;
        for (point, wh) in &other.counters {
            *self.counters.entry(point.clone()).or_default() += wh;
        }
        self.through.0 += other.through.0;
        self.through.1 += other.through.1;
        self.voltage.iter_mut().zip(other.voltage).for_each(|(sum, ms)| *sum += ms);
        self.alarms.0 += other.alarms.0;
        self.alarms.1 += other.alarms.1;
    }
}

/// Holds what a window says of energy against what its rows say.
fn energy_is_as_the_rows_say(
    reader: &Reader,
    rows: &Rows,
    window: (i64, i64),
) -> Result<(), TestCaseError> {
    let slow = rows.energy(window);
    let stations = stations(reader, window);
    // Of a station without a value in the window nothing is said.
    let through = stations.first().map_or(Through::default(), |station| station.through.clone());
    let share = |figure: &Figure<i64>| {
        let known = figure.known();
        (known.have, known.want)
    };
    let all_of = |counter: &CounterEnergy| told(&counter.energy()).unwrap_or(0);
    let counters = stations.iter().flat_map(|station| &station.counters);
    let counters: BTreeMap<&str, &CounterEnergy> =
        counters.map(|counter| (counter.point(), counter)).collect();
    for (point, counted) in &slow.counters {
        let Some(counter) = counters.get(&point[..]) else {
            prop_assert_eq!((counted.wh, counted.known.0), (0, 0), "{} {:?}", point, window);
            continue;
        };
        prop_assert_eq!(all_of(counter), counted.wh, "{} {:?}", point, window);
        let energy = counter.energy();
        prop_assert_eq!(share(&energy), counted.known, "{} {:?}", point, window);
        // Whatever is not known between two readings is named.
        let (remarks, more) = energy.remarks();
        for (from, to) in &counted.unknown {
            let names = remarks.iter().any(|remark| {
                let until = remark.until.unwrap_or(remark.at);
                matches!(remark.what, What::Counter(_, false))
                    && remark.at.0 <= *from
                    && *to <= until.0
            });
            prop_assert!(names || more > 0, "{point} {from} to {to}: {remarks:?}");
        }
    }
    let sides = [(through.received(), slow.received), (through.delivered(), slow.delivered)];
    for (figure, wh) in sides {
        let figure = figure.unwrap_or_else(|| Figure::unknown(slow.known.1));
        let fast = (told(&figure).unwrap_or(0), share(&figure));
        prop_assert_eq!(fast, (wh, slow.known), "{:?}", window);
        // Never nothing where nothing is known.
        let is_known = slow.known.0 > 0 || slow.received != 0 || slow.delivered != 0;
        prop_assert_eq!(told(&figure).is_some(), is_known, "{:?}", window);
    }
    if let Some(lost) = through.lost().and_then(|lost| told(&lost)) {
        prop_assert_eq!(lost.wh, slow.received - slow.delivered);
        let (least, most) = slow.bounds;
        prop_assert_eq!(lost.is_plausible, (least..=most).contains(&lost.wh), "{:?}", window);
    }
    Ok(())
}

/// Alarms of a window are those of the whole history that touch it, as they are.
fn alarms_are_clipped(
    reader: &Reader,
    all: &[Stood],
    (from, to): (i64, i64),
) -> Result<(), TestCaseError> {
    let window = Span::new(Timestamp(from), Timestamp(to));
    let own = alarms(reader, window, |_| true).unwrap();
    let whole = |one: &Stood| Stood { ms_in_window: 0, ..one.clone() };
    let told = |one: &&Stood| one.begins_in(window) || own.iter().any(|o| o.alarm == one.alarm);
    let clipped: Vec<Stood> = all.iter().filter(told).map(whole).collect();
    prop_assert_eq!(own.iter().map(whole).collect::<Vec<_>>(), clipped, "{:?}", window);
    Ok(())
}

/// Whatever is not known of a feeder while somebody watched is told why.
fn doubts_name_what_is_not_known(reader: &Reader, all: &Reliability) -> Result<(), TestCaseError> {
    let doubts = all.doubts();
    let sessions = reader.sessions().unwrap();
    // What lies behind the end of the last one is of a clock that was set back.
    let end = sessions.last().map_or(all.window.to, |last| last.until);
    let eras = Window::new(Span::new(all.window.from, end), &[], &sessions).eras;
    for watched in eras.iter().flat_map(|era| &era.observed).map(|(_, watched)| *watched) {
        for feeder in &all.feeders {
            let told = doubts.iter().filter(|doubt| doubt.feeder == feeder.name);
            let told: Vec<Span> = told.map(|doubt| doubt.span).collect();
            for unknown in feeder.unknown.iter().map(|own| own.and(watched).and(all.window)) {
                let mut at = unknown.from;
                while at < unknown.to {
                    let next = told.iter().filter(|own| own.from <= at && at < own.to);
                    let next = next.map(|own| own.to).max();
                    prop_assert!(next.is_some(), "{} at {at:?} of {unknown:?}", feeder.name);
                    at = next.unwrap_or(unknown.to);
                }
            }
        }
    }
    Ok(())
}

/// The contracts of the story, read once a scan, at two centres.
fn contracts() -> [Arc<Province>; 2] {
    let centres = CENTRE.replace("CC", "A1").replace(", \"B\"", "");
    let station = STATION.replace("CC = 2022-01-01", "CC = 2022-01-01, A1 = 2022-01-01");
    contracts_of(&format!("{CENTRE}{centres}"), &station).map(|province| {
        let mut province = Province::clone(&province);
        #[expect(clippy::cast_precision_loss, reason = "a scan")]
        {
            province.scan = province.scan.at_least(SCAN as f64 / 1e3);
        }
        Arc::new(province)
    })
}

fn check(steps: &[Step], windows: &[(i64, i64)], cuts: &[i64]) -> Result<(), TestCaseError> {
    let folder = tempdir().unwrap();
    let contracts = contracts();
    let plans = plans(&contracts[0]);
    let buffer = Buffer::new(&contracts[0], &layouts(&plans), 1 << 20);
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
        shows: [OWN; 4],
        last_shown: [1_000_000; 4],
        number: 0,
        judged: [Judged::Good; 2],
        sent: [[Sent::Right; 4]; 2],
        alarms: [None, None, None],
        raised_before: Default::default(),
        epoch: 0,
        said: Vec::new(),
    };
    story.begin();
    for step in steps {
        story.take(step);
    }
    story.flush();
    let (last, said) = (story.latest, std::mem::take(&mut story.said));
    drop(story);
    let reader = Reader::open(folder.path()).unwrap();
    let rows = Rows::read(folder.path(), &said, |id| reader.contract(id).unwrap().province);
    let always = Span::new(Timestamp(i64::MIN), Timestamp(i64::MAX));
    let all_alarms = alarms(&reader, always, |_| true).unwrap();
    let all = Span::new(Timestamp(BEGAN - 1), Timestamp(last + 1));
    let whole = reliability(&reader, all, |_| true).unwrap();
    doubts_name_what_is_not_known(&reader, &whole)?;
    for (from, length) in windows {
        let from = BEGAN + from.rem_euclid(last - BEGAN + 1);
        let window = (from, from + length);
        let sums = Sums::of(&reader, window);
        energy_is_as_the_rows_say(&reader, &rows, window)?;
        alarms_are_clipped(&reader, &all_alarms, window)?;
        // The whole history, clipped.
        let own = Span::new(Timestamp(from), Timestamp((from + length).min(last)));
        let clipped = reliability(&reader, own, |_| true).unwrap();
        prop_assert_eq!(clipped.tally(own, None), whole.tally(own, None), "{:?}", own);
        let clip = |doubt: &supply::Doubt| {
            let span = doubt.span.and(own);
            (span.length() > 0).then(|| (span.from, span.to, doubt.feeder.clone(), doubt.what))
        };
        let doubts = |all: &Reliability| {
            let mut doubts: Vec<_> = all.doubts().iter().filter_map(clip).collect();
            doubts.sort();
            doubts
        };
        prop_assert_eq!(doubts(&clipped), doubts(&whole), "{:?}", own);
        for feeder in &clipped.feeders {
            let other = whole.feeders.iter().find(|other| other.name == feeder.name).unwrap();
            let in_window = |all: &[gridwatch::history::reliability::FeederInterruption]| {
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

    #[test]
    fn a_window_with_other_counters_is_the_whole_history_clipped(
        (steps, windows, cuts) in stories(step_or_other_counter(), 60)
    ) {
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
    #[test]
    #[ignore = "a campaign of some minutes"]
    fn windows_with_other_counters_are_whole_histories_clipped_over_thousands_of_them(
        (steps, windows, cuts) in stories(step_or_other_counter(), 80)
    ) {
        check(&steps, &windows, &cuts)?;
    }
}

#[test]
fn a_position_that_was_polled_long_ago_is_not_forgotten() {
    // Its record is lost, and for days nothing more is polled; the window begins two days later.
    let switch = |after, bay, open, lost| Step::Switch { after, bay, open, doubt: false, lost };
    let scans =
        |count| Step::Scans { count, bay: 0, flow: Flow::True, shown: None, tripped: false };
    let steps = [
        switch(60_000, 0, false, false),
        scans(30),
        switch(48_000, 0, true, true),
        scans(44),
        switch(120_000_000, 1, false, false),
        switch(70_000_000, 0, false, false),
        scans(3),
    ];
    let from = 30 * SCAN + 44 * SCAN + 180_000_000;
    for from in [from, from - 100_000_000, from + 5_000_000] {
        check(&steps, &[(from, 12_000_000)], &[4_000_000]).unwrap();
    }
}

#[test]
fn hours_without_a_poll_are_the_same_in_a_chunk_that_is_read_and_in_one_that_is_not() {
    // Chunks of scans are joined, so that in the midst of one are days without a poll.
    let switch = |after, open| Step::Switch { after, bay: 0, open, doubt: false, lost: false };
    let scans = |count| {
        let scan = Step::Scans { count: 30, bay: 0, flow: Flow::True, shown: None, tripped: false };
        std::iter::repeat_n(scan, count)
    };
    let day = 86_400_000;
    for before in 1..7 {
        let mut steps = vec![switch(60_000, false)];
        steps.extend(scans(before));
        steps.extend([switch(day, true), switch(day, false), switch(3 * day, false)]);
        steps.extend(scans(12));
        let from = 60_000 + 30 * SCAN * i64::try_from(before).unwrap();
        let windows = [(from, day), (from + day, day), (from + day / 2, day), (0, day)];
        check(&steps, &windows, &[]).unwrap();
    }
}

#[test]
fn a_session_of_no_length_in_the_midst_of_another_one_cuts_nothing() {
    // It began by a clock that had been set back, with another contract, and ended at once.
    let scans =
        |count| Step::Scans { count, bay: 0, flow: Flow::True, shown: None, tripped: false };
    for by in [30 * SCAN, 30 * SCAN + 6_000, 30 * SCAN + 6_001, 40 * SCAN + 17, 90 * SCAN + 5_999] {
        let steps = [
            Step::Switch { after: 6_000, bay: 0, open: false, doubt: false, lost: false },
            scans(60),
            Step::Restart { after: 6_000, contract: 1 },
            scans(30),
            Step::Jump { by: -by },
            Step::Restart { after: 6_000, contract: 0 },
            scans(3),
        ];
        check(&steps, &[(0, 120 * SCAN), (59 * SCAN, 60 * SCAN)], &[4_000_000]).unwrap();
    }
}

#[test]
fn centres_whose_records_told_opposite_things_days_ago_do_so_in_no_window_of_today() {
    // One of them has each change of a breaker the other way round, up to when it chatters five days later.
    let scans =
        |count| Step::Scans { count, bay: 0, flow: Flow::True, shown: None, tripped: false };
    let send = |sent| Step::Send { centre: 0, bay: 2, sent };
    let day = 86_400_000;
    let steps = [
        send(Sent::Opposite),
        Step::Switch { after: 480_000, bay: 2, open: false, doubt: false, lost: false },
        Step::Judge { after: 2 * day, judged: Judged::Good, of: None },
        scans(22),
        send(Sent::Right),
        Step::Chatter { after: 3 * day, bay: 2, times: 8 },
        scans(28),
    ];
    let windows: Vec<(i64, i64)> = (0..60).map(|n| (n * day / 12, 1)).collect();
    check(&steps, &windows, &[0]).unwrap();
}

#[test]
fn how_a_breaker_stood_first_is_known_from_a_poll_of_days_later() {
    // Nothing is polled for three days, and the first records are those of a contact that chatters.
    let scans =
        |count| Step::Scans { count, bay: 0, flow: Flow::True, shown: None, tripped: false };
    let day = 86_400_000;
    let steps = [
        Step::Judge { after: 3 * day, judged: Judged::Good, of: None },
        scans(21),
        Step::Chatter { after: 60_000, bay: 0, times: 14 },
        scans(28),
    ];
    check(&steps, &[(0, 1), (day / 2, 3_600_000), (day, 1)], &[0]).unwrap();
}

#[test]
fn a_breaker_that_was_open_when_its_unit_fell_silent_is_so_in_no_window_of_days_later() {
    // No position is kept; its closing is told a week later.
    let day = 86_400_000;
    let judge = |after, judged| Step::Judge { after, judged, of: None };
    let switch = |after, open| Step::Switch { after, bay: 0, open, doubt: false, lost: false };
    for link in [Judged::Good, Judged::NoLink] {
        let steps = [
            switch(60_000, true),
            judge(day, Judged::NoReply),
            judge(day / 24, link),
            switch(7 * day, false),
        ];
        check(&steps, &[(day / 2, day), (5 * day, 1), (5 * day, day)], &[0]).unwrap();
    }
}

#[test]
fn a_register_that_was_full_while_it_said_nothing_is_counted_through() {
    let scans =
        |count, shown| Step::Scans { count, bay: 0, flow: Flow::True, shown, tripped: false };
    let switch = |after, open| Step::Switch { after, bay: 2, open, doubt: false, lost: false };
    let full = |digits, left| Step::Counter { bay: 2, register: Register::Digits(digits, left) };
    let steps =
        [full(5, 142), scans(16, None), scans(17, Some((2, Shown::Silent))), scans(87, None)];
    check(&steps, &[(0, 1_926_002)], &[0]).unwrap();
    let steps = [
        switch(6_002, true),
        scans(1, None),
        full(6, 1),
        scans(10, None),
        switch(76_513_079, false),
        scans(74, Some((2, Shown::Silent))),
        scans(1, None),
        Step::Alarm { after: 62_075, cause: 0, ends: false },
    ];
    check(&steps, &[(0, 87_108_852)], &[0]).unwrap();
}
