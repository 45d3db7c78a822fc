//! Events over real TCP: what the simulator's units record is what every centre has, in the order in
//! which it happened; what was lost is counted to the record.
//!
//! A second field, struck at the same moment and stepped through the same seconds, says what
//! happened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use config::{CentreId, ChannelId, PointId, Province, StationId};
use gridwatch::clock::{Clock, Timestamp};
use gridwatch::historian::events::{
    Change, EventCounts, EventEntry, Happening, RecordGap, TimeDoubt,
};
use gridwatch::historian::snapshot::{ChannelSnapshot, LinkState, Snapshot};
use gridwatch::monitor::Monitor;
use serde_json::Value;
use sim::control::{ControlReply, ControlRequest, Desk};
use sim::{Field, Plans, Ports, ShortCircuit, Simulation};

use crate::cli::{free_ports, gridwatch, stderr, stdout};
use crate::field::until;
use crate::inject::{Simulator, assert_refused, file};

/// Records of a ring.
const RING: u32 = 1_024;

/// A simulation whose clock can be moved on, and a field that lives through the same.
struct Bench {
    province: Arc<Province>,
    simulation: Simulation,
    desk: Desk,
    clock: Clock,
    /// Milliseconds that the simulation is ahead of the world.
    ahead: Arc<AtomicI64>,
    twin: Field,
}

impl Bench {
    async fn start() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
        let text = std::fs::read_to_string(file).unwrap();
        // Headers are soon read again.
        let text = text.replacen("normal = 2 ", "normal = 0.5 ", 1);
        let mut province = Province::parse("small.toml", &text).unwrap();
        (province.link.backoff_first_ms, province.link.backoff_longest_ms) = (20, 100);
        let (clock, ahead) = (Clock::system(), Arc::new(AtomicI64::new(0)));
        let (shift, first) = (Arc::clone(&ahead), Arc::new(OnceLock::new()));
        let began = Arc::clone(&first);
        let own = clock.clone();
        let now = move || {
            let now = own.now().0 + shift.load(Ordering::Relaxed);
            began.get_or_init(|| now);
            now
        };
        let simulation = Simulation::start_with(
            Arc::new(province.clone()),
            Ports::Ephemeral,
            Arc::new(now),
            Plans::default(),
        )
        .await
        .unwrap();
        for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
            (channel.host, channel.port) = (address.ip().to_string(), address.port());
        }
        let province = Arc::new(province);
        let mut twin = Field::new(Arc::clone(&province));
        twin.step(*first.get().unwrap());
        let desk = simulation.desk();
        Self { province, simulation, desk, clock, ahead, twin }
    }

    fn watch(&self) -> Monitor {
        Monitor::start(&self.province, self.clock.clone()).unwrap()
    }

    fn station(&self) -> StationId {
        self.province.station("S1").unwrap()
    }

    fn channel(&self, centre: CentreId) -> ChannelId {
        self.province.channel_id(self.station(), centre)
    }

    fn now(&self) -> i64 {
        self.clock.now().0 + self.ahead.load(Ordering::Relaxed)
    }

    /// Strikes a feeder of both fields, and says when.
    async fn strike(&mut self, bay: &str) -> i64 {
        let request = ControlRequest::Strike {
            bay: format!("S1.22.{bay}"),
            lasting: false,
            phase: "A".to_owned(),
            earth: true,
            share: 0.5,
        };
        let ControlReply::Happened { at, .. } = self.desk.ask(request).await.unwrap() else {
            panic!("it was struck")
        };
        let struck = (self.now() - 5_000..=self.now() + 1_000).find(|ms| at_text(*ms) == at);
        let struck = struck.unwrap_or_else(|| panic!("{at}"));
        let station = self.station();
        let bays = &self.province.stations[station.index()].bays;
        let place = bays.iter().position(|b| b.name == bay).unwrap();
        let fault = ShortCircuit { lasting: false, phase: 0, earth: true, share: 0.5 };
        self.twin.strike(struck, station, place, fault);
        struck
    }

    async fn inject(&self, kind: &str, target: &str, params: &[(&str, &str)]) -> u32 {
        let request = ControlRequest::Inject {
            kind: kind.to_owned(),
            target: target.to_owned(),
            centre: None,
            lasting: None,
            params: params
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
        };
        match self.desk.ask(request).await.unwrap() {
            ControlReply::Injected { fault, .. } => fault,
            other => panic!("{other:?}"),
        }
    }

    /// What has happened at the station while the twin lived, as a centre must have it: time,
    /// status and code.
    fn happened(&self, centre: CentreId) -> Vec<(i64, PointId, u16)> {
        let entries = &self.province.channels[self.channel(centre).index()].entries;
        let own = self.twin.events().iter().filter(|event| event.station == self.station());
        let mut told: Vec<_> = own
            .filter(|event| entries[event.point.index()].register.is_some())
            .map(|event| (event.at_ms, event.point, u16::from(event.value)))
            .collect();
        told.sort_unstable();
        told
    }

    async fn stop(self, monitors: impl IntoIterator<Item = Monitor>) {
        for monitor in monitors {
            monitor.stop().await;
        }
        self.simulation.stop().await;
    }
}

/// A moment as the simulator writes it.
fn at_text(ms: i64) -> String {
    let second = Timestamp(ms).to_string();
    format!("{}.{:03}Z", second.trim_end_matches('Z'), ms.rem_euclid(1_000))
}

fn of_channel(snapshot: &Snapshot, channel: ChannelId) -> impl Iterator<Item = &EventEntry> {
    let centre = snapshot.province.channels[channel.index()].centre;
    snapshot.events[centre.index()].iter().filter(move |entry| entry.channel == channel)
}

fn changes(snapshot: &Snapshot, channel: ChannelId) -> Vec<(u8, Change)> {
    let change = |entry: &EventEntry| match entry.what {
        Happening::Change(change) => Some((entry.unit, change)),
        Happening::Lost(_) => None,
    };
    of_channel(snapshot, channel).filter_map(change).collect()
}

fn gaps(snapshot: &Snapshot, channel: ChannelId) -> Vec<(u8, RecordGap)> {
    let gap = |entry: &EventEntry| match entry.what {
        Happening::Lost(gap) => Some((entry.unit, gap)),
        Happening::Change(_) => None,
    };
    of_channel(snapshot, channel).filter_map(gap).collect()
}

/// Whether every channel is up and every unit with events has been read to the end.
fn is_read(snapshot: &Snapshot) -> bool {
    let up = |c: &Arc<ChannelSnapshot>| c.link.state == LinkState::Connected && c.settled;
    snapshot.channels.iter().all(up) && snapshot.events_read()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strike_is_told_to_every_centre_as_it_happened_to_the_millisecond() {
    let mut bench = Bench::start().await;
    let monitor = bench.watch();
    until(&monitor, "every ring is read", is_read).await;
    let struck = bench.strike("471").await;
    let end = whole_second(struck + 12_000);
    bench.twin.step(end);
    for centre in bench.province.centre_ids() {
        let channel = bench.channel(centre);
        let expected_after = Timestamp(end + 3_000);
        let snapshot = until(&monitor, "the sequence is over", |snapshot| {
            snapshot.at > expected_after && is_read(snapshot)
        })
        .await;
        let told = changes(&snapshot, channel);
        let found: Vec<_> = told
            .iter()
            .map(|(_, change)| (change.source.0, change.point.unwrap(), change.value))
            .filter(|(at, _, _)| *at <= end)
            .collect();
        assert!(found.is_sorted_by_key(|(at, _, _)| *at), "in the order in which it happened");
        let mut sorted = found.clone();
        sorted.sort_unstable();
        let expected = bench.happened(centre);
        assert!(centre != CentreId::at(0) || expected.len() > 5, "{expected:?}");
        assert_eq!(sorted, expected);
        for (_, change) in &told {
            assert_eq!((change.doubt, change.synchronised), (None, true), "{change:?}");
        }
        let counts = snapshot.channels[channel.index()].event_counts();
        let received = told.len() as u64;
        assert_eq!(counts, EventCounts { received, ..EventCounts::default() });
        for unit in snapshot.channels[channel.index()].units.iter().filter_map(|u| u.events) {
            let clock = unit.clock.unwrap();
            assert!(clock.ms.abs() <= clock.within_ms + 300, "the clocks are one: {clock:?}");
            assert!(clock.within_ms <= 1_000, "{clock:?}");
        }
    }
    bench.stop([monitor]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_too_late_knows_exactly_how_much_was_lost() {
    let bench = Bench::start().await;
    let early = bench.watch();
    until(&early, "every ring is read", is_read).await;
    let channel = bench.channel(CentreId::at(0));
    let fault = bench.inject("T20", "S1.22.471.CB.POS", &[("per_second", "50")]).await;
    let some =
        until(&early, "some changes", |snapshot| changes(snapshot, channel).len() > 100).await;
    let (unit, _) = changes(&some, channel)[0];
    bench.simulation.set_online(channel, false).await.unwrap();
    let lost =
        |snapshot: &Snapshot| snapshot.channels[channel.index()].link.state == LinkState::Lost;
    let before = until(&early, "the channel is lost", lost).await;
    let passed = changes(&before, channel).iter().map(|(_, change)| change.number).max().unwrap();
    let newest_of = |snapshot: &Snapshot, channel: ChannelId| {
        let units = &bench.province.stations[bench.station().index()].units;
        let place = units.iter().position(|u| u.id == unit).unwrap();
        snapshot.channels[channel.index()].units[place].events.map_or(0, |events| events.newest)
    };
    // Half a minute of the field, 1 500 changes, which the other centre can follow.
    bench.ahead.fetch_add(30_000, Ordering::Relaxed);
    let other = bench.channel(CentreId::at(1));
    until(&early, "a ringful", |snapshot| newest_of(snapshot, other) > passed + RING + 300).await;
    bench.desk.clear(fault).await.unwrap();
    bench.simulation.set_online(channel, true).await.unwrap();

    let late = until(&early, "the rest is read", |snapshot| {
        is_read(snapshot) && newest_of(snapshot, channel) > passed + RING
    })
    .await;
    let newest = newest_of(&late, channel);
    let numbers = |snapshot: &Snapshot| -> BTreeSet<u32> {
        let of_unit = changes(snapshot, channel).into_iter().filter(|(of, _)| *of == unit);
        of_unit.map(|(_, change)| change.number).collect()
    };
    let told = gaps(&late, channel);
    let [(of, RecordGap { count: missing, .. })] = told[..] else { panic!("one gap: {told:?}") };
    assert_eq!(of, unit);
    let expected: BTreeSet<u32> = (1..=passed).chain(passed + missing + 1..=newest).collect();
    assert_eq!(numbers(&late), expected, "all but the gap");
    // The ring was full when it was read; few records can have come while it was.
    assert!((newest - RING - 60..=newest - RING).contains(&(passed + missing)), "{missing}");
    let counts = late.channels[channel.index()].event_counts();
    let received = changes(&late, channel).len() as u64;
    assert_eq!(counts, EventCounts { received, lost: missing.into(), ..EventCounts::default() });

    // A second one reads the same ring from its oldest record on, and takes nothing from the first.
    let second = bench.watch();
    let snapshot = until(&second, "the same ring is read", |snapshot| {
        is_read(snapshot) && !changes(snapshot, channel).is_empty()
    })
    .await;
    let newest = newest_of(&snapshot, channel);
    let whole: BTreeSet<u32> = (newest - RING + 1..=newest).collect();
    assert!(numbers(&snapshot).is_superset(&whole), "the whole ring");
    assert_eq!(snapshot.channels[channel.index()].event_counts().lost, 0, "that was before it");
    bench.stop([early, second]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_a_station_loses_are_counted() {
    let mut bench = Bench::start().await;
    bench.inject("T23", "S1", &[("lost", "1")]).await;
    let monitor = bench.watch();
    until(&monitor, "every ring is read", is_read).await;
    let struck = bench.strike("471").await;
    let centre = CentreId::at(0);
    let channel = bench.channel(centre);
    let end = whole_second(struck + 12_000);
    let snapshot = until(&monitor, "the sequence is over", |snapshot| {
        snapshot.at > Timestamp(end + 3_000) && is_read(snapshot)
    })
    .await;
    let counts = snapshot.channels[channel.index()].event_counts();
    bench.twin.step(end);
    let expected = bench.happened(centre);
    // The alarm that says so is made up by the fault, and lost like everything else.
    assert!(counts.lost >= expected.len() as u64, "{counts:?} of {}", expected.len());
    let told: u64 = gaps(&snapshot, channel).iter().map(|(_, gap)| u64::from(gap.count)).sum();
    assert_eq!(told, counts.lost);
    let mut by_unit = BTreeMap::new();
    for (unit, gap) in gaps(&snapshot, channel) {
        assert!(by_unit.insert(unit, gap).is_none(), "one gap a unit, as long as none came");
    }
    bench.stop([monitor]).await;
}

/// The field is always at a whole second.
fn whole_second(ms: i64) -> i64 {
    ms.div_euclid(1_000) * 1_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_wrong_marks_its_records() {
    // That of one unit, or of the whole station, which says so itself.
    let cases =
        [("S1.22.471", "3600", TimeDoubt::Ahead, true), ("S1", "-3600", TimeDoubt::Behind, false)];
    for (target, seconds, doubt, synchronised) in cases {
        let mut bench = Bench::start().await;
        bench.inject("T22", target, &[("seconds", seconds)]).await;
        let monitor = bench.watch();
        until(&monitor, "every ring is read", is_read).await;
        bench.strike("471").await;
        let channel = bench.channel(CentreId::at(0));
        let province = Arc::clone(&bench.province);
        let station = &province.stations[bench.station().index()];
        let of_bay = |snapshot: &Snapshot| -> Vec<Change> {
            let bay = |point: PointId| station.points[point.index()].bay;
            let is_of = |c: &Change| c.point.is_some_and(|p| station.bays[bay(p)].name == "471");
            changes(snapshot, channel).into_iter().map(|(_, c)| c).filter(is_of).collect()
        };
        let told = until(&monitor, "the feeder has told", |p| of_bay(p).len() > 3).await;
        for change in of_bay(&told) {
            let found = (change.doubt, change.synchronised);
            assert_eq!(found, (Some(doubt), synchronised), "{target}: {change:?}");
        }
        // So does the second in front of the records.
        let bay = station.bays.iter().find(|bay| bay.name == "471").unwrap();
        let clock = told.channels[channel.index()].units[bay.unit].events.unwrap().clock.unwrap();
        let ahead: i64 = 1_000 * seconds.parse::<i64>().unwrap();
        assert!(clock.is_off() && (clock.ms - ahead).abs() <= clock.within_ms + 300, "{clock:?}");
        bench.stop([monitor]).await;
    }
}

#[test]
fn the_command_prints_what_happened_in_its_order_and_says_what_is_wrong_with_a_name() {
    let base = free_ports(30) + 1;
    let (base, control) = (base.to_string(), (base - 1).to_string());
    let config = "config/small.toml";
    let simulator = Simulator::start(&["simulate", config, "--port-base", &base]);
    stdout(&gridwatch(&["plant", "strike", "S1.22.471", "--control", &control]));
    let events =
        |args: &[&str]| gridwatch(&[&["events", config, "--port-base", &base], args].concat());
    let begun = std::time::Instant::now();
    let told = loop {
        let output = events(&["--json", "--station", "S1", "--centre", "CC"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        let told: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if told.iter().any(|event| event["point"] == "S1.22.471.F79.PROG" && event["value"] == 0) {
            break told;
        }
        assert!(begun.elapsed() < crate::field::PATIENCE, "it recloses");
    };
    let times: Vec<&str> = told.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of_breaker = |event: &&Value| event["point"] == "S1.22.471.CB.POS";
    let codes: Vec<u64> =
        told.iter().filter(of_breaker).map(|event| event["value"].as_u64().unwrap()).collect();
    assert_eq!(codes[..2], [0, 1], "the breaker opened");
    assert!(told.iter().all(|event| event["centre"] == "CC" && event["doubt"].is_null()));

    let lines = stdout(&events(&["--lang", "en", "--ascii"]));
    assert!(lines.contains("/ between 00 > o open"), "{lines}");
    assert!(lines.trim_end().ends_with("0 lost, 0 again; 6/6 channels connected"), "{lines}");
    let lines = stdout(&events(&["--lang", "vi", "--once", "--station", "S2"]));
    assert!(lines.ends_with("0 bản ghi, 0 mất, 0 trùng; 2/2 kênh đang kết nối\n"), "{lines}");
    assert_refused(&events(&["--station", "S9"]), "did you mean 'S");
    assert_refused(&events(&["--centre", "A2"]), "did you mean 'A1'?");
    assert_refused(&events(&["--once", "--follow"]), "cannot be used with");
    let (_folder, half) = file("half.toml", &text_with_a_station_elsewhere(&base));
    let partly = gridwatch(&["events", &half]);
    let said = stderr(&partly);
    assert_eq!(partly.status.code(), Some(1), "a station does not answer: {said}");
    drop(simulator);
    let nobody = events(&[]);
    assert_eq!(nobody.status.code(), Some(3), "nobody answers: {}", stderr(&nobody));
}

/// The small province from a port on, with a station at an address where nobody is. That must be none that the file
/// gives to a station: it says itself from where on it has them, so that all of them are taken here.
fn text_with_a_station_elsewhere(base: &str) -> String {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    assert_eq!(text.matches("port_base = 15401").count(), 1);
    let text = text.replace("port_base = 15401", &format!("port_base = {base}"));
    let nobody = format!("address = {{ CC = \"127.0.0.1:{}\" }}\n", free_ports(1));
    let (before, last) = text.rsplit_once("[[stations]]\n").unwrap();
    format!("{before}[[stations]]\n{nobody}{last}")
}
