//! The plant: power flow, protection, controls, energy.

#![allow(clippy::float_cmp, reason = "codes, and zeros that are meant")]

use std::sync::Arc;

use config::{PointId, Province, StationId};
use sim::{Event, Field, Scenario, ShortCircuit};

/// Wednesday 2022-11-23, 10:00 in Hòa Bình: no storm about.
const START_MS: i64 = 1_669_172_400_000;

struct Play {
    province: Arc<Province>,
    field: Field,
    at_ms: i64,
    /// Every change of state since the start.
    events: Vec<Event>,
}

impl Play {
    fn new() -> Self {
        let province = Arc::new(Province::built_in());
        let mut field = Field::new(Arc::clone(&province));
        field.step(START_MS);
        Self { province, field, at_ms: START_MS, events: Vec::new() }
    }

    fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.at_ms += 1_000;
            self.field.step(self.at_ms);
            self.events.extend_from_slice(self.field.events());
        }
    }

    fn station(&self, id: &str) -> StationId {
        self.province.station(id).expect("it is in the contract")
    }

    fn bay(&self, station: &str, name: &str) -> usize {
        let bays = &self.province.stations[self.station(station).index()].bays;
        bays.iter().position(|bay| bay.name == name).expect("it is in the contract")
    }

    /// True value of a point by its full id.
    fn value(&self, id: &str) -> f64 {
        let station = self.station(&id[..4]);
        let point =
            self.province.stations[station.index()].point(id).expect("it is in the contract");
        self.field.value(station, point)
    }

    /// What was recorded of a bay after a moment: ms since then, element and info, code.
    fn record(&self, station: &str, bay: &str, since_ms: i64) -> Vec<(i64, String, u8)> {
        let id = self.station(station);
        let points = &self.province.stations[id.index()].points;
        let bay = self.bay(station, bay);
        self.events
            .iter()
            .filter(|event| event.station == id && points[event.point.index()].bay == bay)
            .filter(|event| event.at_ms >= since_ms)
            .map(|event| {
                let spec = &points[event.point.index()].spec.id;
                (event.at_ms - since_ms, spec.clone(), event.value)
            })
            .collect()
    }
}

fn fault(lasting: bool) -> ShortCircuit {
    ShortCircuit { lasting, phase: 0, earth: true, share: 0.4 }
}

/// A record as it is written in a table.
fn table(rows: &[(i64, &str, u8)]) -> Vec<(i64, String, u8)> {
    rows.iter().map(|(at, id, code)| (*at, (*id).to_owned(), *code)).collect()
}

#[test]
fn a_transient_line_fault_is_recorded_as_the_trade_has_it() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB02"), play.bay("HB02", "172"));
    let struck = play.at_ms + 345;
    play.field.strike(struck, station, bay, fault(false));
    play.run(1);
    assert_eq!(play.value("HB02.110.172.P").abs(), 0.0, "open at the next second");
    assert_eq!(play.value("HB03.110.171.P").abs(), 0.0, "and at the far end");
    assert_eq!(play.value("HB02.110.172.CB.POS"), 1.0);
    play.run(30);
    let rising = [
        (12, "PROT.PU", 1),
        (12, "FLT.A", 1),
        (22, "F87L.TRIP", 1),
        (24, "F21.Z1", 1),
        (26, "F85.TX", 1),
        (27, "DFR.TRG", 1),
        (52, "CB.POS", 0),
        (58, "CB.POS", 1),
        (70, "F79.PROG", 1),
        (95, "PROT.PU", 0),
        (95, "FLT.A", 0),
        (120, "F87L.TRIP", 0),
        (120, "F21.Z1", 0),
        (140, "F85.TX", 0),
        (1_122, "CB.POS", 0),
        (1_130, "CB.POS", 2),
        (1_135, "CB.SPRING", 1),
        (3_130, "F79.OK", 1),
        (3_130, "F79.PROG", 0),
        (5_000, "DFR.TRG", 0),
        (12_000, "CB.SPRING", 0),
        (18_130, "F79.OK", 0),
    ];
    assert_eq!(play.record("HB02", "172", struck), table(&rising));
    assert!(play.value("HB02.110.172.P").abs() > 0.1, "the line carries again");
    // 26 km: the fault is 40 % from here and 60 % from there.
    assert!((play.value("HB02.110.172.FL.KM") - 10.4).abs() < 1e-9);
    assert!((play.value("HB03.110.171.FL.KM") - 15.6).abs() < 1e-9);
    assert!((1.0..20.0).contains(&play.value("HB02.110.172.FL.KA")));
    // The far end trips a millisecond later and hears of it over the channel.
    let far = play.record("HB03", "171", struck);
    assert!(far.contains(&(35, "F85.RX".to_owned(), 1)), "{far:?}");
    assert!(far.contains(&(59, "CB.POS".to_owned(), 1)));
}

#[test]
fn a_lasting_line_fault_trips_again_and_locks_out_until_the_crew_has_been_there() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB02"), play.bay("HB02", "172"));
    let struck = play.at_ms + 345;
    play.field.strike(struck, station, bay, fault(true));
    play.run(60);
    let record = play.record("HB02", "172", struck);
    for row in
        [(1_130, "CB.POS", 2), (1_180, "F21.Z1", 1), (1_216, "CB.POS", 1), (1_228, "F79.LO", 1)]
    {
        assert!(record.contains(&(row.0, row.1.to_owned(), row.2)), "{row:?} in {record:?}");
    }
    assert_eq!(play.value("HB02.110.172.CB.POS"), 1.0);
    play.run(3 * 3_600);
    assert_eq!(play.value("HB02.110.172.CB.POS"), 2.0);
    assert_eq!(play.value("HB02.110.172.F79.LO"), 0.0);
}

#[test]
fn a_feeder_fault_is_felt_up_to_the_line_and_gone_after_the_reclosing() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB04"), play.bay("HB04", "473"));
    let chain = ["22.473.P", "22.431.P", "110.131.P", "110.171.P", "110.172.P"];
    let read = |play: &Play| chain.map(|id| play.value(&format!("HB04.{id}")));
    play.run(5);
    let before = read(&play);
    let counted = play.value("HB04.22.473.E.IMP");
    let registers = |play: &Play| -> Vec<f64> {
        let groups = play.province.stations[station.index()].meters.iter().enumerate();
        let meters = groups.flat_map(|(g, group)| (0..group.installed).map(move |n| (g, n)));
        meters.filter_map(|(g, n)| play.field.meter_kwh(station, g, n)).collect()
    };
    let registered = registers(&play);
    let struck = play.at_ms + 345;
    play.field.strike(struck, station, bay, fault(false));
    play.run(1);
    let during = read(&play);
    let lost = before[0];
    assert!(lost > 1.0, "{before:?}");
    assert_eq!(during[0], 0.0);
    for n in [1, 2] {
        let fell = before[n] - during[n];
        assert!(
            (fell - lost).abs() < 0.05 * lost + 0.1,
            "{} fell by {fell} MW of {lost}",
            chain[n]
        );
    }
    // What comes in over both lines falls with it.
    let fell = (during[3] + during[4]) - (before[3] + before[4]);
    assert!((fell - lost).abs() < 0.05 * lost + 0.15, "the lines by {fell} of {lost}");
    assert_eq!(play.value("HB04.22.473.E.IMP"), counted, "nobody draws anything");
    // Of the station's meters, those behind this feeder stand still and the others run.
    let still = registers(&play).iter().zip(&registered).filter(|(now, then)| now == then).count();
    assert!(still > 0, "its meters are silent");
    assert!(still < registered.len() / 2, "{still} of {} stand still", registered.len());
    let open = play.field.outages();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].station, open[0].bay), (station, bay));
    assert!(open[0].customers > 300 && open[0].until_ms.is_none());
    play.run(30);
    let record = play.record("HB04", "473", struck);
    let rows = [
        (12, "F50N.TRIP", 1),
        (52, "CB.POS", 0),
        (58, "CB.POS", 1),
        (70, "F79.PROG", 1),
        (120, "F50N.TRIP", 0),
        (1_122, "CB.POS", 0),
        (1_130, "CB.POS", 2),
        (1_135, "CB.SPRING", 1),
        (3_130, "F79.PROG", 0),
        (12_000, "CB.SPRING", 0),
    ];
    assert_eq!(record, table(&rows));
    let after = read(&play);
    assert!((after[0] / before[0] - 1.0).abs() < 0.1, "{after:?} after {before:?}");
    let ended = play.field.outages();
    assert_eq!(ended[0].from_ms, struck + 58);
    assert_eq!(ended[0].until_ms, Some(struck + 1_130));
}

#[test]
fn a_lasting_feeder_fault_gets_two_tries_and_then_a_crew() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB04"), play.bay("HB04", "473"));
    let struck = play.at_ms + 345;
    play.field.strike(struck, station, bay, fault(true));
    play.run(40);
    let trips = play.record("HB04", "473", struck);
    let of = |id: &str, code| trips.iter().filter(|(_, i, c)| i == id && *c == code).count();
    assert_eq!(of("F50N.TRIP", 1), 3);
    assert_eq!(of("F79.LO", 1), 1);
    assert_eq!(play.value("HB04.22.473.CB.POS"), 1.0);
    play.run(3 * 3_600);
    assert_eq!(play.value("HB04.22.473.CB.POS"), 2.0);
    let outage =
        play.field.outages().into_iter().max_by_key(|o| o.until_ms.unwrap_or(0) - o.from_ms);
    let outage = outage.unwrap();
    assert!(outage.until_ms.unwrap() - outage.from_ms > sim::SUSTAINED_MS);
    // Each trip is an interruption of its own, from one record of the breaker to the next, however short it was
    // closed in between.
    let own = play.province.stations[station.index()].points.iter();
    let position = own.into_iter().position(|p| p.id == "HB04.22.473.CB.POS").unwrap();
    let moved = play.events.iter().filter(|event| {
        event.station == station && event.point.index() == position && event.value != 0
    });
    let moved: Vec<i64> = moved.map(|event| event.at_ms).collect();
    let told: Vec<i64> = play
        .field
        .outages()
        .iter()
        .filter(|own| own.station == station && own.bay == bay)
        .flat_map(|own| [own.from_ms, own.until_ms.unwrap()])
        .collect();
    assert_eq!(told, moved);
    assert_eq!(told.len(), 6);
}

#[test]
fn a_transformer_trip_darkens_its_bars_and_only_those() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB01"), play.bay("HB01", "131"));
    play.field.strike(play.at_ms + 345, station, bay, fault(false));
    play.run(3);
    assert_eq!(play.value("HB01.110.131.F86.OP"), 1.0);
    assert_eq!(play.value("HB01.22.C41.UAB"), 0.0);
    assert_eq!(play.value("HB01.22.C41.F27.OP"), 1.0);
    assert!(play.value("HB01.22.C42.UAB") > 22.0);
    assert_eq!(play.value("HB01.22.471.P"), 0.0);
    assert!(play.value("HB01.22.472.P") > 0.1);
}

#[test]
fn a_falling_frequency_sheds_stage_by_stage_and_brings_back() {
    let mut play = Play::new();
    let positions = |play: &Play| {
        let mut open = 0;
        for (id, station) in play.province.station_ids().zip(&play.province.stations) {
            for (n, point) in station.points.iter().enumerate() {
                let set = play.field.value(id, PointId::at(n)) == 1.0;
                open += usize::from(set && point.spec.id == "F81.OP" && point.id.contains(".47"));
            }
        }
        open
    };
    assert_eq!(positions(&play), 0);
    play.field.dip(1.1, play.at_ms + 20_000);
    play.run(3);
    let first = positions(&play);
    assert!(first > 0);
    play.field.dip(1.5, play.at_ms + 20_000);
    play.run(3);
    assert!(positions(&play) > first, "a deeper stage takes more");
    play.run(3_600);
    assert_eq!(positions(&play), 0, "all are back an hour later");
}

#[test]
fn tap_changers_hold_the_voltage() {
    let mut play = Play::new();
    for _ in 0..6 {
        play.run(600);
        for (id, station) in play.province.station_ids().zip(&play.province.stations) {
            for (n, point) in station.points.iter().enumerate() {
                if point.id.contains(".22.C4") && point.spec.id == "UAB" {
                    let kv = play.field.value(id, PointId::at(n));
                    // Half a band of 1.35 % and a step of 1.78 % that is still to come.
                    assert!((21.8..23.1).contains(&kv), "{} at {kv} kV", point.id);
                }
            }
        }
    }
    let stepped = play.events.iter().filter(|event| {
        let point = &play.province.stations[event.station.index()].points[event.point.index()];
        point.spec.id == "OLTC.PROG" && event.value == 1
    });
    assert!(stepped.count() < 60, "they do not hunt");
}

#[test]
fn the_same_seed_gives_the_same_hours_however_often_somebody_looks() {
    let run = |stride: i64| {
        let province = Arc::new(Province::built_in());
        let mut field = Field::new(Arc::clone(&province));
        // 2022-07-09, a month of storms.
        let start = 1_657_299_600_000;
        let mut events = Vec::new();
        for second in (0..=7_200).step_by(usize::try_from(stride).unwrap()) {
            field.step(start + second * 1_000);
            events.extend_from_slice(field.events());
        }
        let images: Vec<_> =
            (0..province.channels.len()).map(|n| field.image(config::ChannelId::at(n))).collect();
        (events, images)
    };
    let (one, other) = (run(1), run(60));
    assert_eq!(one.0.len(), other.0.len(), "as many events");
    assert!(one == other);
}

#[test]
fn a_script_does_to_the_plant_what_hands_would() {
    let province = Arc::new(Province::built_in());
    let script = "\
[[plant]]
do = \"strike\"
bay = \"HB04.22.473\"
at = \"10.345s\"
[[plant]]
do = \"set\"
point = \"HB06.22.471.CB.RL\"
code = \"local\"
[[plant]]
do = \"dip\"
hertz = 1.1
at = 2022-11-23T03:00:30Z
for = \"20s\"
[[plant]]
do = \"set\"
point = \"HB06.22.472.CB.RL\"
code = 0
at = \"20s\"
[[plant]]
do = \"strike\"
bay = \"HB04.22.471\"
at = 2022-11-23T02:59:59Z
";
    let scenario = Scenario::parse(&province, "script.toml", script).unwrap();
    let mut field = Field::new(Arc::clone(&province));
    field.plan(scenario);
    field.step(START_MS);
    let mut play = Play { province, field, at_ms: START_MS, events: Vec::new() };
    assert_eq!(play.value("HB06.22.471.CB.RL"), 0.0, "so from the start");
    assert_eq!(play.value("HB06.22.472.CB.RL"), 1.0);
    play.run(60);
    assert_eq!(play.value("HB06.22.472.CB.RL"), 0.0);
    let trip = play.record("HB04", "473", START_MS + 10_345);
    assert_eq!(trip[0], (12, "F50N.TRIP".to_owned(), 1));
    let other = play.record("HB04", "471", START_MS);
    assert!(!other.iter().any(|(_, id, _)| id == "F50N.TRIP"), "lightning of the past");
    let told = play.field.interruptions();
    assert_eq!(told.sustained, sim::Interrupted::default());
    let own = told.interruptions.iter().find(|one| one.bay == "HB04.22.473").unwrap();
    assert_eq!(own.counts_as, "momentary");
    assert!(told.momentary.customers >= own.customers && told.maifi > 0.0);
    let shed = play.events.iter().any(|event| {
        let point = &play.province.stations[event.station.index()].points[event.point.index()];
        point.spec.id == "F81.OP" && event.value == 1
    });
    assert!(shed, "the frequency fell");
}

#[test]
fn the_customers_of_the_indices_are_those_behind_the_feeders() {
    let mut play = Play::new();
    let mut behind = 0;
    for (id, station) in play.province.station_ids().zip(&play.province.stations) {
        for (bay, own) in station.bays.iter().enumerate() {
            if own.level < 110 && own.name.as_bytes().get(1) == Some(&b'7') {
                play.field.strike(play.at_ms + 100, id, bay, fault(true));
            }
        }
    }
    play.run(1_200);
    let told = play.field.interruptions();
    let mut seen = std::collections::BTreeSet::new();
    for outage in &told.interruptions {
        if seen.insert(outage.bay.clone()) {
            behind += outage.customers;
        }
    }
    assert_eq!(behind, told.customers, "every meter that sells energy is on a feeder");
    assert!(told.sustained.customers <= behind);
    assert!(told.saifi <= 1.0 && told.saidi_minutes > 15.0, "{}", told.saidi_minutes);
}

#[test]
fn who_closes_onto_a_fault_that_lasts_loses_the_line_again() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB02"), play.bay("HB02", "172"));
    play.field.strike(play.at_ms + 345, station, bay, fault(true));
    play.run(30);
    assert_eq!(play.value("HB02.110.172.CB.POS"), 1.0);
    // Somebody closes by hand, behind the relay's back.
    let point = play.province.stations[station.index()].point("HB02.110.172.F79.LO").unwrap();
    play.field.set(play.at_ms + 1, station, point, 0);
    play.run(1);
    let channel = play.province.channel_id(station, play.province.centre("CC").unwrap());
    let command = play.province.stations[station.index()].point("HB02.110.172.CB.CMD").unwrap();
    let register = play.province.channels[channel.index()].entries[command.index()].register;
    let register = register.unwrap();
    for mode in [1, 2] {
        let values = [register.address, 2, mode, 9];
        let block = config::blocks::COMMAND;
        play.field.write_registers(play.at_ms, channel, register.unit, block, &values).unwrap();
    }
    let closed = play.at_ms;
    play.run(3);
    assert_eq!(play.value("HB02.110.172.CB.POS"), 1.0, "it trips again");
    let record = play.record("HB02", "172", closed);
    assert!(record.contains(&(70, "CB.POS".to_owned(), 2)), "{record:?}");
    assert!(record.contains(&(120, "F50STUB.SOTF".to_owned(), 1)), "{record:?}");
    play.run(4 * 3_600);
    assert_eq!(play.value("HB02.110.172.CB.POS"), 2.0, "the crew has been there");
    assert!(play.value("HB02.110.172.P").abs() > 0.1);
    assert_eq!(play.value("HB03.110.171.CB.POS"), 2.0, "at both ends");
}

#[test]
fn a_crew_leaves_alone_what_somebody_has_switched() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB04"), play.bay("HB04", "473"));
    let point = |id: &str| play.province.stations[station.index()].point(id).unwrap();
    let (breaker, earth) = (point("HB04.22.473.CB.POS"), point("HB04.22.473.ES.POS"));
    play.field.strike(play.at_ms + 345, station, bay, fault(true));
    play.run(60);
    // Opened for work, and earthed.
    play.field.set(play.at_ms + 1, station, breaker, 1);
    play.field.set(play.at_ms + 2, station, earth, 2);
    play.run(4 * 3_600);
    assert_eq!(play.value("HB04.22.473.CB.POS"), 1.0);
}

#[test]
fn the_far_end_of_a_tie_comes_back_after_its_repair() {
    let mut play = Play::new();
    // The tie to Nho Quan is open at HB07 and live from the other side.
    assert!(play.value("HB07.110.173.UL") > 110.0);
    let (station, bay) = (play.station("HB07"), play.bay("HB07", "173"));
    play.field.strike(play.at_ms + 345, station, bay, fault(true));
    play.run(2);
    assert_eq!(play.value("HB07.110.173.UL"), 0.0);
    play.run(3 * 3_600);
    assert!(play.value("HB07.110.173.UL") > 110.0);
    assert_eq!(play.value("HB07.110.173.CB.POS"), 1.0, "open as it was");
}

#[test]
fn a_breaker_that_cannot_trip_takes_its_section_with_it() {
    let mut play = Play::new();
    let (station, bay) = (play.station("HB02"), play.bay("HB02", "172"));
    let point = |id: &str| play.province.stations[station.index()].point(id).unwrap();
    let gas = point("HB02.110.172.CB.SF6_2");
    play.field.set(play.at_ms + 1, station, gas, 1);
    let struck = play.at_ms + 345;
    play.field.strike(struck, station, bay, fault(true));
    play.run(2);
    let record = play.record("HB02", "172", struck);
    assert!(record.contains(&(222, "F50BF.TRIP".to_owned(), 1)), "{record:?}");
    assert_eq!(play.value("HB02.110.172.CB.POS"), 2.0, "it stands closed");
    assert_eq!(play.value("HB02.110.132.CB.POS"), 1.0, "its section is opened instead");
    assert_eq!(play.value("HB02.110.131.CB.POS"), 2.0, "the other section stays");
}

#[test]
fn two_feeders_struck_in_one_second_are_out_from_their_own_moments() {
    let mut play = Play::new();
    let station = play.station("HB04");
    let at = play.at_ms;
    for (bay, ms) in [("473", 100), ("474", 700)] {
        let bay = play.bay("HB04", bay);
        play.field.strike(at + ms, station, bay, fault(false));
    }
    play.run(30);
    let mut times: Vec<(i64, i64)> = play
        .field
        .outages()
        .iter()
        .map(|outage| (outage.from_ms - at, outage.until_ms.unwrap() - at))
        .collect();
    times.sort_unstable();
    assert_eq!(times, [(158, 1_230), (758, 1_830)]);
}
