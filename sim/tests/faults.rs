//! Faults in the field alone: which cells change, which records, and that all of it comes out the
//! same every time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Decoded, Flags, PointId, Province, RegisterTable, StationId, blocks};
use sim::faults::{FAULTS, FaultKind, FaultSettings, Injection, Keep, TruthRecord};
use sim::{Field, Image, Scenario};

/// Wednesday 2022-11-23, 14:32:07 in Hòa Bình.
const START: i64 = 1_669_188_727_000;
const MINUTE: i64 = 60_000;
const S1: StationId = StationId(0);
const FIRST: ChannelId = ChannelId(0);

fn small() -> Arc<Province> {
    Arc::new(Province::load(Path::new("../config/small.toml")).unwrap())
}

fn injection(kind: &str, target: &str, params: &[(&str, &str)]) -> Injection {
    let kind = FaultKind::parse(kind).unwrap();
    let mut settings = FaultSettings::of(kind);
    for (name, value) in params {
        settings.set(name, value).unwrap();
    }
    Injection { kind, target: target.to_owned(), centre: None, for_ms: None, settings }
}

/// A field that is ill beside one that is well.
struct Twins {
    province: Arc<Province>,
    well: Field,
    ill: Field,
}

impl Twins {
    fn new(province: &Arc<Province>) -> Self {
        let mut twins = Self {
            province: Arc::clone(province),
            well: Field::new(Arc::clone(province)),
            ill: Field::new(Arc::clone(province)),
        };
        twins.ill.keep_truth(Keep::Points);
        twins.step(START);
        twins
    }

    fn step(&mut self, at: i64) {
        self.well.step(at);
        self.ill.step(at);
    }

    /// Points whose cells, or whose quality, a foreign client would read differently, by centre.
    fn differing(&self) -> BTreeSet<(String, String)> {
        let mut differing = BTreeSet::new();
        for (n, channel) in self.province.channels.iter().enumerate() {
            let (well, ill) = (self.well.image(ChannelId(id(n))), self.ill.image(ChannelId(id(n))));
            let station = &self.province.stations[channel.station.index()];
            for (point, entry) in station.points.iter().zip(&channel.entries) {
                let Some(register) = &entry.register else { continue };
                if well.decoded(register) != ill.decoded(register) {
                    let centre = self.province.centres[channel.centre.index()].id.clone();
                    differing.insert((centre, point.id.clone()));
                }
            }
        }
        differing
    }
}

fn id(n: usize) -> u16 {
    u16::try_from(n).unwrap()
}

fn named(record: &TruthRecord) -> BTreeSet<(String, String)> {
    let centres = record.centres.iter();
    centres.flat_map(|c| c.points.iter().map(|point| (c.id.clone(), point.clone()))).collect()
}

/// Kind, target, parameters, and whether the points are exactly those that differ.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], bool);

/// Faults that change registers, each with a target at which every point that it touches shows it
/// within a day, or with `false` where some points may hold by chance what their neighbour does.
const OF_REGISTERS: [Case; 28] = [
    ("T02", "S1", &[], true),
    ("T03", "S1", &[], false),
    ("T04", "S1/unit 1", &[], true),
    ("T04", "S1/unit 1", &[("says", "0A")], true),
    ("T04", "S1/unit 1", &[("says", "com")], true),
    ("T05", "S1.22.471", &[], true),
    ("T07", "S1.110.171.ES*", &[], true),
    ("T07", "S1.110.171", &[], true),
    ("T08", "S1.*.P", &[], false),
    ("T08", "S1.22.47*.P", &[], true),
    ("T09", "S1.22.471.I?", &[], true),
    ("T10", "S1.110.C11", &[], true),
    ("T11", "S1.22.47*.P", &[("factor", "1.732")], true),
    ("T12", "S1.110.171", &[], true),
    ("T13", "S1.110.171", &[("phases", "CA")], true),
    ("T14", "S1.22.471.P", &[("percent_per_month", "7200")], true),
    ("T15", "S1.110.171.E.IMP", &[], true),
    ("T16", "S1/unit 1", &[], false),
    ("T17", "S1.110.171.*.POS", &[], true),
    ("T18", "S1.110.171.*.POS", &[], true),
    ("T19", "S1.110.171", &[], true),
    ("T20", "S1.110.171.CB.*", &[], true),
    ("T21", "S1.110.171", &[], true),
    ("T24", "S1.110.171.E.IMP", &[], true),
    ("T25", "S1.110.171", &[], true),
    ("T26", "S?.110.171", &[], true),
    ("T27", "S1.110.C11", &[("phases", "three")], true),
    ("T28", "S1", &[], true),
];

#[test]
fn the_truth_log_names_exactly_the_points_whose_registers_differ() {
    let province = small();
    for (kind, target, params, exact) in OF_REGISTERS {
        let mut twins = Twins::new(&province);
        twins.ill.inject(&injection(kind, target, params)).unwrap();
        let records = twins.ill.take_truth();
        assert_eq!((records.len(), records[0].state), (1, "started"));
        let named = named(&records[0]);
        let mut seen = twins.differing();
        for n in 1..=12 {
            // A day: what is small moves by its deadband only in hours.
            twins.step(START + 120 * MINUTE * n + 1_000 * (n % 7));
            seen.extend(twins.differing());
        }
        let too_many: Vec<_> = seen.difference(&named).collect();
        assert!(too_many.is_empty(), "{kind} {target}: not named: {too_many:?}");
        assert!(!seen.is_empty(), "{kind} {target} does nothing");
        if exact {
            let silent: Vec<_> = named.difference(&seen).collect();
            assert!(silent.is_empty(), "{kind} {target}: named, but well: {silent:?}");
        }
        twins.ill.clear(1).unwrap();
        assert!(twins.differing().is_empty(), "{kind} {target} leaves something behind");
        let records = twins.ill.take_truth();
        assert_eq!((records.len(), records[0].state), (1, "cleared"));
        assert_eq!(self::named(&records[0]), named);
    }
}

#[test]
fn whatever_is_hit_by_whatever_the_log_names_all_that_differs() {
    let province = small();
    let station = &province.stations[0];
    let mut targets = vec!["S1".to_owned()];
    targets.extend(station.units.iter().map(|unit| format!("S1/{}", unit.id)));
    let bay = |id: &str| id.split('.').take(3).collect::<Vec<_>>().join(".");
    let bays: BTreeSet<String> = station.points.iter().map(|point| bay(&point.id)).collect();
    targets.extend(bays);
    targets.extend(station.points.iter().step_by(97).map(|point| point.id.clone()));
    let (mut started, mut refused) = (0, 0);
    for spec in &FAULTS[..30] {
        let mut twins = Twins::new(&province);
        for (n, target) in (1..).zip(&targets) {
            match twins.ill.inject(&injection(spec.id, target, &[])) {
                Ok(fault) => {
                    started += 1;
                    twins.step(START + 7 * MINUTE * n + 1_000 * (n % 2));
                    let log = twins.ill.take_truth();
                    let (seen, named) = (twins.differing(), named(&log[0]));
                    let too_many: Vec<_> = seen.difference(&named).collect();
                    assert!(too_many.is_empty(), "{} at {target}: {too_many:?}", spec.id);
                    twins.ill.clear(fault).unwrap();
                    assert!(twins.differing().is_empty(), "{} at {target} stays", spec.id);
                    twins.ill.take_truth();
                }
                Err(error) => {
                    refused += 1;
                    let message = error.to_string();
                    assert!(message.contains("it applies to"), "{message}");
                }
            }
        }
    }
    assert!(started > 250 && refused > 50, "{started} started, {refused} refused");
}

#[test]
fn what_a_fault_of_the_path_affects_is_all_that_is_mapped_there() {
    let province = small();
    for (kind, params) in [("T01", vec![]), ("T01", vec![("how", "silent")]), ("T06", vec![])]
        .into_iter()
        .chain(FAULTS[30..].iter().map(|spec| (spec.id, vec![])))
    {
        let mut twins = Twins::new(&province);
        let injection =
            Injection { centre: Some("A1".to_owned()), ..injection(kind, "S2", &params) };
        twins.ill.inject(&injection).unwrap();
        assert!(twins.differing().is_empty(), "{kind}: what would be said stays true");
        let record = &twins.ill.take_truth()[0];
        let channel = province.channel(StationId(1), province.centre("A1").unwrap());
        let points = province.stations[1].points.iter().zip(&channel.entries);
        let mapped: BTreeSet<(String, String)> = points
            .filter(|(_, entry)| entry.register.is_some())
            .map(|(point, _)| ("A1".to_owned(), point.id.clone()))
            .collect();
        assert_eq!(named(record), mapped, "{kind}");
        let of = |field: &Field, n: u16| field.image(ChannelId(n));
        for n in 0..6 {
            let same = of(&twins.well, n) == of(&twins.ill, n);
            assert_eq!(same, n != 4, "{kind}: only the channel of S2 to A1 behaves otherwise");
        }
    }
}

#[test]
fn a_shifted_unit_says_of_each_address_what_stands_at_the_next() {
    let province = small();
    let mut twins = Twins::new(&province);
    twins.ill.inject(&injection("T16", "S1/unit 1", &[])).unwrap();
    let (well, ill) = (twins.well.image(FIRST), twins.ill.image(FIRST));
    for (table, cells) in [(RegisterTable::Input, 34), (RegisterTable::Discrete, 109)] {
        for at in 0..cells - 1 {
            let next = well.read(1, table, at + 1, 1);
            if let (Ok(next), Ok(shown)) = (next, ill.read(1, table, at, 1)) {
                assert_eq!(next, shown, "{table:?} {at}");
            }
        }
    }
    assert_eq!(well.read(2, RegisterTable::Input, 0, 4), ill.read(2, RegisterTable::Input, 0, 4));
}

#[test]
fn two_devices_with_one_address_answer_in_turn_second_by_second() {
    let province = small();
    let mut twins = Twins::new(&province);
    twins.ill.inject(&injection("T30", "S1.110.171", &[("unit", "2")])).unwrap();
    for second in 0..6 {
        twins.step(START + 1_000 * second);
        let (well, ill) = (twins.well.image(FIRST), twins.ill.image(FIRST));
        let answers = if (START / 1_000 + second) % 2 == 0 { 1 } else { 2 };
        let (shown, expected) = (
            ill.read(1, RegisterTable::Input, 0, 6).unwrap(),
            well.read(answers, RegisterTable::Input, 0, 6),
        );
        assert_eq!(Ok(shown), expected, "second {second}");
    }
    let named = named(&twins.ill.take_truth()[0]);
    assert!(named.contains(&("CC".to_owned(), "S1.110.171.P".to_owned())));
    assert!(named.iter().all(|(_, point)| point.starts_with("S1.110.171.")));
}

#[test]
fn a_wide_deadband_makes_a_staircase() {
    let province = small();
    let mut twins = Twins::new(&province);
    twins.ill.inject(&injection("T29", "S1.22.471.P", &[("percent", "2")])).unwrap();
    let point = province.stations[0].point("S1.22.471.P").unwrap();
    let (mut steps, mut moves) = (0, 0);
    let (mut sent, mut truth) = (f64::NAN, f64::NAN);
    let band = 0.02 * province.stations[0].points[point.index()].range.unwrap().1;
    for minute in 0..600 {
        twins.step(START + minute * MINUTE);
        let pair = twins.ill.pair(FIRST, point);
        let now = pair.sent.unwrap();
        assert!((now - pair.true_value).abs() <= band + 0.001, "never further off than the band");
        steps += usize::from(now.to_bits() != sent.to_bits());
        moves += usize::from(pair.true_value.to_bits() != truth.to_bits());
        (sent, truth) = (now, pair.true_value);
    }
    assert!(steps >= 2 && steps * 10 < moves, "{steps} steps for {moves} changes");
}

/// A record of an event ring: point, time tag, code.
type Record = (PointId, i64, u16);

/// What the rings of a channel have recorded of some points since a number of records each.
fn records(field: &Field, of: &[PointId]) -> Vec<Record> {
    let province = Arc::clone(field.province());
    let image = field.image(FIRST);
    let registers =
        |unit, address, count| image.read(unit, RegisterTable::Input, address, count).unwrap();
    let mut all: Vec<(u16, Record)> = Vec::new();
    for point in of {
        let register = province.channels[FIRST.index()].entries[point.index()].register.unwrap();
        let header = registers(register.unit, blocks::EVENT_HEADER, blocks::EVENT_HEADER_CELLS);
        assert_eq!(header[0], blocks::MARKER);
        for n in 0..header[7] {
            let at = blocks::EVENT_RING + n * blocks::EVENT_CELLS;
            let cells = registers(register.unit, at, blocks::EVENT_CELLS);
            if cells[0] == 0 {
                // Its number is spent, the record is lost.
                continue;
            }
            assert_eq!(cells[0], n + 1, "a record stands where its number says");
            if cells[2] == register.address {
                let ms = cells[4..].iter().fold(0_u64, |ms, word| ms << 16 | u64::from(*word));
                all.push((cells[0], (*point, ms.cast_signed(), cells[3])));
            }
        }
    }
    all.into_iter().map(|(_, record)| record).collect()
}

#[test]
fn records_are_mistimed_lost_or_made_up_and_the_alarms_say_so() {
    let province = small();
    let point = |id: &str| province.stations[0].point(id).unwrap();
    let (contact, other) = (point("S1.110.171.CB.SF6_1"), point("S1.110.172.CB.SF6_1"));
    let now = START + 1_000;
    // Twenty true changes of each contact within a second.
    let change = |field: &mut Field| {
        for n in 0..20_i64 {
            for (contact, shift) in [(contact, 0), (other, 5)] {
                let code = u8::from(n % 2 == 0);
                field.set(START + 20 * n + 10 + shift, S1, contact, code);
            }
        }
        field.step(now);
    };

    // T22: an hour ahead, or in the years in which its clock began, of one unit only.
    for (params, ahead) in [
        (vec![("seconds", "3600")], 3_600_000),
        (vec![("clock", "1970")], -START),
        (vec![("clock", "2000")], 946_684_800_000 - START),
    ] {
        let mut field = Twins::new(&province).ill;
        field.inject(&injection("T22", "S1/unit 1", &params)).unwrap();
        change(&mut field);
        let (wrong, right) = (records(&field, &[contact]), records(&field, &[other]));
        assert_eq!((wrong.len(), right.len()), (20, 20));
        for ((_, shown, _), (_, told, _)) in wrong.iter().zip(&right) {
            assert_eq!(*shown, told - 5 + ahead);
        }
        let alarm = point("S1.110.171.BCU.SYNC");
        assert_eq!(records(&field, &[alarm]).last().map(|record| record.2), Some(1));
    }

    // T23: most are lost, which ones by chance of the seed.
    let mut field = Twins::new(&province).ill;
    field.inject(&injection("T23", "S1", &[("lost", "0.5")])).unwrap();
    change(&mut field);
    let kept = records(&field, &[contact, other]).len();
    assert!((8..32).contains(&kept), "{kept}");
    let numbers = |unit| field.image(FIRST).read(unit, RegisterTable::Input, 40_006, 2).unwrap()[1];
    assert!(usize::from(numbers(1) + numbers(2)) >= 40, "the numbers tell of the loss");
    let overflow = province.stations[0].points.iter().position(|p| p.spec.id == "STN.SOEOV");
    let overflow = PointId::at(overflow.unwrap());
    assert_eq!(records(&field, &[overflow]).last().map(|record| record.2), Some(1));

    // T20: more than ten changes in five seconds, the last as the register says.
    let mut field = Twins::new(&province).ill;
    field.inject(&injection("T20", "S1.110.171.CB.SF6_1", &[])).unwrap();
    for second in 1..=5 {
        field.step(START + 1_000 * second);
        let last = records(&field, &[contact]).last().map(|record| f64::from(record.2));
        assert_eq!(last, field.pair(FIRST, contact).sent);
    }
    let all = records(&field, &[contact]);
    assert!(all.len() > 10, "{} changes in 5 s", all.len());
    assert!(all.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    assert!(records(&field, &[other]).is_empty());

    // T19: the other way round; T21: the change to alarm is told once, later ones not at all.
    let mut field = Twins::new(&province).ill;
    let breaker = point("S1.110.171.CB.POS");
    field.inject(&injection("T19", "S1.110.171.CB.POS", &[])).unwrap();
    field.inject(&injection("T21", "S1.110.171.CB.SF6_1", &[])).unwrap();
    field.step(now);
    let begun = records(&field, &[breaker, contact]);
    assert_eq!(begun, [(breaker, now, 1), (contact, now, 1)]);
    field.set(now + 5, S1, breaker, 1);
    field.set(now + 7, S1, contact, 1);
    field.step(now + 1_000);
    let sent = records(&field, &[breaker, contact]);
    assert_eq!(sent, [(breaker, now, 1), (breaker, now + 5, 2), (contact, now, 1)]);
    field.clear(1).unwrap();
    field.step(now + 2_000);
    let ended = records(&field, &[breaker]);
    assert_eq!(ended.last(), Some(&(breaker, now + 2_000, 1)), "as it is now");
}

/// A day of a province with rates: its truth log, and the images of each step.
fn day(look: impl Fn(&Field)) -> (Vec<String>, Vec<Arc<Image>>) {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    let text = "[[fault]]\nkind = \"T08\"\ntarget = \"HB03.110.171.P\"\nat = \"1h\"\nfor = \"3h\"\n\
                [rates]\nscale = 150\nT16 = 60\nT30 = 60\nT14 = 60\nT29 = 60\nW01 = 20";
    field.plan(Scenario::parse(&province, "day.toml", text).unwrap());
    field.keep_truth(Keep::Values);
    let (mut log, mut images) = (Vec::new(), Vec::new());
    for quarter in 0..96 {
        field.step(START + quarter * 15 * MINUTE);
        log.extend(field.take_truth().iter().map(TruthRecord::line));
        images.extend((0..province.channels.len()).map(|n| field.image(ChannelId(id(n)))));
        look(&field);
    }
    (log, images)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_the_same_truth_whatever_the_polling_does() {
    let (log, images) = day(|_| {});
    let (again, images_again) = day(|field| {
        // Somebody asks in between.
        for unit in 0..20 {
            let _ = field.image(FIRST).read(unit, RegisterTable::Input, 0, 10);
        }
    });
    assert_eq!(log, again);
    assert!(images == images_again, "the registers differ");
    let started = log.iter().filter(|line| line.contains("\"started\"")).count();
    let ended = log.iter().filter(|line| line.contains("\"ended\"")).count();
    assert!(started > 50 && ended > 20, "{started} started, {ended} ended");
    let kinds: BTreeSet<&str> =
        FAULTS.iter().map(|spec| spec.id).filter(|id| log.iter().any(|l| l.contains(id))).collect();
    assert!(kinds.len() > 15, "{kinds:?}");
}

/// FNV-1a, so that the hash is the same with every version of the standard library.
fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_day_is_the_same_on_every_machine() {
    // All that is sent and all that is true. It changes with the model of the field, and with nothing else: not
    // with the processor, the optimisation, or the system's library of mathematics.
    const HASH: u64 = 0x280a_3e8b_47ca_ff39;
    let province = Province::built_in();
    let (log, images) = day(|_| {});
    let mut state =
        log.iter().fold(0xcbf2_9ce4_8422_2325, |state, line| hash(state, line.as_bytes()));
    for (n, image) in images.iter().enumerate() {
        let channel = &province.channels[n % province.channels.len()];
        for register in channel.entries.iter().filter_map(|entry| entry.register) {
            let Some((Decoded::Value(value), _)) = image.decoded(&register) else { continue };
            state = hash(state, &value.to_bits().to_le_bytes());
        }
    }
    assert_eq!(state, HASH, "{state:#x}");
}

#[test]
fn without_a_fault_the_bytes_are_those_of_a_field_without_faults() {
    let mut twins = Twins::new(&small());
    let scenario = Scenario::parse(&twins.province, "none", "").unwrap();
    twins.ill.plan(scenario);
    twins.step(START + MINUTE);
    for n in 0..twins.province.channels.len() {
        let channel = ChannelId(id(n));
        assert_eq!(twins.well.image(channel), twins.ill.image(channel));
    }
    assert!(twins.ill.take_truth().is_empty());
}

#[test]
fn a_script_starts_and_ends_its_faults_in_time() {
    let province = small();
    let mut twins = Twins::new(&province);
    let mut field = Field::new(Arc::clone(&province));
    let text = "[[fault]]\nkind = \"T11\"\ntarget = \"S1.22.471.P\"\nat = \"00:01:00\"\nfor = \"2m\"\n\
                [[fault]]\nkind = \"T18\"\ntarget = \"S1.110.171.CB.POS\"\nat = 2022-11-23T07:33:07Z\n\
                [[fault]]\nkind = \"T18\"\ntarget = \"S1.110.172.CB.POS\"\nat = 2022-11-23T07:00:00Z\n\
                for = \"5m\"";
    field.plan(Scenario::parse(&province, "script", text).unwrap());
    field.keep_truth(Keep::Values);
    field.step(START);
    std::mem::swap(&mut twins.ill, &mut field);
    let mut seen = Vec::new();
    for second in 0..=240 {
        twins.step(START + 1_000 * second);
        seen.push(twins.differing().iter().any(|(_, point)| point == "S1.22.471.P"));
    }
    let ill: Vec<usize> = (0..seen.len()).filter(|n| seen[*n]).collect();
    assert_eq!((ill[0], ill[ill.len() - 1], ill.len()), (60, 179, 120));
    let log = twins.ill.take_truth();
    let told: Vec<(&str, &str, &str, Option<&str>)> = log
        .iter()
        .map(|r| (r.kind, r.state, &r.from[11..19], r.until.as_ref().map(|at| &at[11..19])))
        .collect();
    assert_eq!(
        told,
        [
            ("T11", "started", "07:33:07", Some("07:35:07")),
            ("T18", "started", "07:33:07", None),
            ("T11", "ended", "07:33:07", Some("07:35:07")),
        ],
        "the one that was over before the start never came"
    );
    let values = log[0].centres[0].values.as_ref().unwrap();
    let [truth, sent] = values[0];
    // The truth, and ten times what the measuring chain makes of it.
    let point = province.stations[0].point("S1.22.471.P").unwrap();
    let class = sim::tolerance(&province.stations[0].points[point.index()], truth.unwrap());
    assert!((sent.unwrap() - 10.0 * truth.unwrap()).abs() < 10.0 * class, "true beside sent");
    assert_eq!(twins.ill.faults().list().len(), 1);
}

#[test]
fn faults_on_one_point_work_on_each_other_in_the_order_of_their_start() {
    let province = small();
    let mut twins = Twins::new(&province);
    let point = province.stations[0].point("S1.22.471.P").unwrap();
    twins.ill.inject(&injection("T11", "S1.22.471.P", &[("factor", "2")])).unwrap();
    twins.ill.inject(&injection("T12", "S1.22.471", &[])).unwrap();
    let measured = twins.well.sample(S1, point).value;
    let pair = twins.ill.pair(FIRST, point);
    assert!((pair.sent.unwrap() + 2.0 * measured).abs() < 0.002);
    assert_eq!(twins.ill.faults().affecting(FIRST, point), [1, 2]);
    twins.ill.clear(1).unwrap();
    let pair = twins.ill.pair(FIRST, point);
    assert!((pair.sent.unwrap() + measured).abs() < 0.002);
    assert!(twins.ill.clear(1).unwrap_err().to_string().contains("these are: 2"));
}

#[test]
fn every_fault_starts_somewhere_and_says_what_it_applies_to_elsewhere() {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    field.step(START);
    for spec in FAULTS {
        let target = if spec.kind == FaultKind::DuplicateAddress { "HB03/unit 1" } else { "HB03" };
        let started = field.inject(&injection(spec.id, target, &[]));
        assert!(started.is_ok(), "{}: {started:?}", spec.id);
    }
    field.step(START + 1_000);
    field.step(START + 5 * MINUTE);
    let active: Vec<u32> = field.faults().list().iter().map(|fault| fault.id).collect();
    assert_eq!(active.len(), FAULTS.len());
    for fault in active {
        field.clear(fault).unwrap();
    }
    for (kind, target) in [
        ("T12", "HB03.110.171.CB.POS"),
        ("T09", "HB03.110.171.CB.POS"),
        ("T18", "HB03.110.171.P"),
        ("T24", "HB03.110.171.P"),
        ("T28", "HB03.110.171"),
        ("T27", "HB03.110.171.P"),
        ("T05", "HB03.110.171.P"),
        ("T01", "HB03.110.171"),
    ] {
        let refused = field.inject(&injection(kind, target, &[])).unwrap_err().to_string();
        assert!(refused.contains("it applies to"), "{kind}: {refused}");
    }
}

#[test]
fn the_scenarios_of_the_repository_fit_the_built_in_province() {
    let province = Province::built_in();
    let mut read = 0;
    for file in std::fs::read_dir("scenarios").unwrap() {
        let path = file.unwrap().path();
        let scenario = Scenario::load(&province, &path);
        let scenario = scenario.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!scenario.planned.is_empty() && !scenario.about.is_empty());
        read += 1;
    }
    assert_eq!(read, 3);
}

#[test]
fn the_truth_of_a_point_stands_beside_what_each_centre_gets() {
    let province = small();
    let mut field = Twins::new(&province).ill;
    let mut only_a1 = injection("T11", "S1.110.171.P", &[("factor", "1000")]);
    only_a1.centre = Some("A1".to_owned());
    field.inject(&only_a1).unwrap();
    let truth = field.truth("S1.110.171.P").unwrap();
    let value = truth.true_value.unwrap();
    let point = province.stations[0].point("S1.110.171.P").unwrap();
    let class = sim::tolerance(&province.stations[0].points[point.index()], value);
    assert!((truth.sent[0].value.unwrap() - value).abs() < class);
    assert_eq!(truth.sent[0].faults, [0; 0]);
    assert_eq!(
        (truth.sent[1].value, truth.sent[1].flags.as_str()),
        (Some(327.67 * value.signum()), "OV")
    );
    assert_eq!(truth.sent[1].faults, [1]);
    assert!(field.truth("S1.110.171.PP").unwrap_err().to_string().contains("did you mean"));
    let point = province.stations[0].point("S1.110.171.P").unwrap();
    let register = province.channels[0].entries[point.index()].register.unwrap();
    assert!(matches!(
        field.image(FIRST).decoded(&register),
        Some((Decoded::Value(_), Flags::GOOD))
    ));
}
