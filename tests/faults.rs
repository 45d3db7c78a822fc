//! Every fault, as the collector sees it over real TCP, and the truth log beside it.
//!
//! The field's time stands still unless a test moves it, and a second field without faults, stepped
//! at the same moments, says what each centre should see. What departs from that is what the fault
//! did; it must be what the truth log names, neither more nor less.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use config::{ChannelId, Decoded, Flags, Point, Province};
use gridwatch::clock::Clock;
use gridwatch::historian::snapshot::{ChannelSnapshot, Snapshot};
use gridwatch::historian::verdict::{PointSnapshot, Reason};
use gridwatch::monitor::Monitor;
use gridwatch::signal::update::{LinkFault, Miss};
use serde_json::Value;
use sim::control::{ControlReply, ControlRequest, Desk};
use sim::faults::Keep;
use sim::{Field, Plans, Ports, Scenario, Simulation};
use tokio::time::timeout;

use crate::field::PATIENCE;
use crate::fixture::without_heartbeat;

/// A moment in an odd second: the one in which the other of two devices answers.
const START: i64 = 1_669_188_727_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Point ids by channel.
type Points = BTreeMap<ChannelId, BTreeSet<String>>;

/// Kind and parameters of a fault of the wire, and what shows that it came.
type WireCase = (&'static str, &'static [(&'static str, &'static str)], fn(&Snapshot) -> bool);

/// A simulation under test, its monitor, and a field that is well.
struct Bench {
    province: Arc<Province>,
    simulation: Simulation,
    monitor: Monitor,
    desk: Desk,
    time: Arc<AtomicI64>,
    well: Mutex<Field>,
    log: Log,
}

/// A truth log that can be read while it is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The field of a bench stands still until it is told to go on, as one behind a gateway that hangs does.
#[derive(Clone, Copy, PartialEq)]
enum Heartbeat {
    /// Nobody reads it, nor the event rings with their counters of seconds, so nothing grows old by them.
    NotRead,
    /// It is read, and nothing ever grows old.
    Read,
}

fn small(heartbeat: Heartbeat) -> Province {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = std::fs::read_to_string(file).unwrap();
    // Every class is soon scanned again.
    let text = ["fast = 1 ", "normal = 2 ", "slow = 10 ", "counters = 60 ", "metering = 60 "]
        .iter()
        .fold(text, |text, line| {
            text.replacen(line, &format!("{} = 0.3 ", line.split(' ').next().unwrap()), 1)
        });
    // And no value grows old because the machine is busy with something else.
    let (scans, text) = match heartbeat {
        Heartbeat::Read => (u16::MAX, text),
        Heartbeat::NotRead => (15, without_heartbeat(&text)),
    };
    let mut province = Province::parse("small.toml", &text).unwrap();
    province.scan.stale_after = scans;
    for channel in &mut province.channels {
        channel.device.reply_timeout_ms = 300;
        channel.device.events = heartbeat == Heartbeat::Read;
    }
    (province.link.backoff_first_ms, province.link.backoff_longest_ms) = (20, 100);
    province
}

impl Bench {
    async fn start() -> Self {
        Self::start_with(Heartbeat::NotRead).await
    }

    async fn start_with(heartbeat: Heartbeat) -> Self {
        let mut province = small(heartbeat);
        let time = Arc::new(AtomicI64::new(START));
        let log = Log::default();
        let mut well = Field::new(Arc::new(province.clone()));
        well.step(START);
        let clock = Arc::clone(&time);
        let truth = Some((Keep::Values, Box::new(log.clone()) as Box<dyn io::Write + Send>));
        let simulation = Simulation::start_with(
            Arc::new(province.clone()),
            Ports::Ephemeral,
            Arc::new(move || clock.load(Ordering::Relaxed)),
            Plans { truth, ..Plans::default() },
        )
        .await
        .unwrap();
        for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
            (channel.host, channel.port) = (address.ip().to_string(), address.port());
        }
        let province = Arc::new(province);
        let monitor = Monitor::start(&province, Clock::system()).unwrap();
        let (desk, well) = (simulation.desk(), Mutex::new(well));
        let bench = Self { province, simulation, monitor, desk, time, well, log };
        bench.departures_are("all is well", &Points::new(), |_, _, _| true).await;
        bench
    }

    async fn stop(self) {
        self.monitor.stop().await;
        self.simulation.stop().await;
    }

    /// Moves the time of both fields.
    fn pass(&self, ms: i64) {
        let at = self.time.fetch_add(ms, Ordering::Relaxed) + ms;
        self.well.lock().unwrap().step(at);
    }

    async fn inject(&self, kind: &str, target: &str, params: &[(&str, &str)]) -> u32 {
        let centre = params.iter().find(|(name, _)| *name == "centre");
        let others = params.iter().filter(|(name, _)| *name != "centre");
        let request = ControlRequest::Inject {
            kind: kind.to_owned(),
            target: target.to_owned(),
            centre: centre.map(|(_, id)| (*id).to_owned()),
            lasting: None,
            params: others.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        };
        match self.desk.ask(request).await.unwrap() {
            ControlReply::Injected { fault, .. } => fault,
            other => panic!("{other:?}"),
        }
    }

    fn records(&self) -> Vec<Value> {
        let log = self.log.0.lock().unwrap();
        let text = std::str::from_utf8(&log).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The points that the truth log names in a record of a fault, commands left out: they have
    /// no value that could depart.
    fn named(&self, fault: u32, state: &str) -> Points {
        let records = self.records();
        let record = records.iter().find(|r| r["fault"] == fault && r["state"] == state).unwrap();
        let mut named = Points::new();
        for centre in record["centres"].as_array().unwrap() {
            let id = self.province.centre(centre["id"].as_str().unwrap()).unwrap();
            for point in centre["points"].as_array().unwrap() {
                let point = point.as_str().unwrap();
                let station = self.province.station(point.split('.').next().unwrap()).unwrap();
                let of = &self.province.stations[station.index()];
                let spec = &of.points[of.point(point).unwrap().index()].spec;
                let channel = named.entry(self.province.channel_id(station, id)).or_default();
                if !spec.kind.is_command() {
                    channel.insert(point.to_owned());
                }
            }
        }
        named.retain(|_, points| !points.is_empty());
        named
    }

    /// What a channel shows of each readable point, beside what it should.
    fn seen<'a>(
        &'a self,
        channel: &'a ChannelSnapshot,
        well: &'a Field,
    ) -> impl Iterator<Item = (&'a Point, &'a PointSnapshot, f64)> {
        let contract = channel.contract(&self.province);
        let image = well.image(channel.id);
        let points = &channel.station(&self.province).points;
        points.iter().zip(&contract.entries).zip(&channel.points).filter_map(
            move |((point, entry), snapshot)| {
                let register = entry.register.filter(|_| !point.spec.kind.is_command())?;
                let Some((Decoded::Value(value), Flags::GOOD)) = image.decoded(&register) else {
                    panic!("{} of the field that is well has no value", point.id);
                };
                Some((point, snapshot, value))
            },
        )
    }

    /// The points that a snapshot shows otherwise than they should be.
    fn departures(&self, snapshot: &Snapshot) -> Points {
        let well = self.well.lock().unwrap();
        let mut departures = Points::new();
        for channel in &snapshot.channels {
            for (point, shown, value) in self.seen(channel, &well) {
                let good = shown.not_live.is_none() && shown.flags.is_good();
                if !good || shown.value != Some(value) {
                    departures.entry(channel.id).or_default().insert(point.id.clone());
                }
            }
        }
        departures
    }

    /// Waits until exactly these points depart, each as `look` (point, snapshot, true value) says.
    async fn departures_are(
        &self,
        what: &str,
        expected: &Points,
        look: impl Fn(&Point, &PointSnapshot, f64) -> bool,
    ) {
        let looks = |snapshot: &Snapshot| {
            let well = self.well.lock().unwrap();
            snapshot.channels.iter().all(|channel| {
                let named = expected.get(&channel.id);
                self.seen(channel, &well)
                    .filter(|(point, ..)| named.is_some_and(|named| named.contains(&point.id)))
                    .all(|(point, shown, value)| look(point, shown, value))
            })
        };
        let mut news = self.monitor.news();
        let found = timeout(
            PATIENCE,
            news.wait_for(|snapshot| self.departures(snapshot) == *expected && looks(snapshot)),
        )
        .await;
        if found.is_err() {
            let snapshot = Arc::clone(&self.monitor.news().borrow());
            let departures = self.departures(&snapshot);
            let looks = looks(&snapshot);
            panic!("{what}: looks so: {looks}\nexpected {expected:?}\nbut {departures:?}");
        }
    }

    /// Waits until a point at a centre looks so, then lets nothing depart that is not named.
    async fn witness(
        &self,
        what: &str,
        named: &Points,
        (centre, id): (&str, &str),
        look: impl Fn(&PointSnapshot) -> bool,
    ) {
        let station = self.province.station(id.split('.').next().unwrap()).unwrap();
        let centre = self.province.centre(centre).unwrap();
        let channel = self.province.channel_id(station, centre);
        let point = self.province.stations[station.index()].point(id).unwrap();
        let mut news = self.monitor.news();
        let shows = |snapshot: &Snapshot| {
            let shown = &snapshot.channels[channel.index()].points[point.index()];
            let only_named = self.departures(snapshot).iter().all(|(channel, points)| {
                named.get(channel).is_some_and(|named| points.is_subset(named))
            });
            only_named && look(shown)
        };
        let found = timeout(PATIENCE, news.wait_for(|snapshot| shows(snapshot))).await;
        assert!(found.is_ok(), "{what}: waited in vain for {id}; named {named:?}");
    }

    async fn clear(&self, what: &str, fault: u32) {
        let named = self.named(fault, "started");
        self.desk.clear(fault).await.unwrap();
        assert_eq!(self.named(fault, "cleared"), named, "{what}: both records name the same");
        self.departures_are(&format!("{what} cleared"), &Points::new(), |_, _, _| true).await;
    }

    /// Injects a fault, lets time pass, and waits until exactly what the truth log names departs,
    /// and as `look` says; then clears it and waits until all is well.
    async fn exactly(
        &self,
        (kind, target, params): (&str, &str, &[(&str, &str)]),
        ms: i64,
        look: impl Fn(&Point, &PointSnapshot, f64) -> bool,
    ) -> u32 {
        let what = format!("{kind} at {target} {params:?}");
        let fault = self.inject(kind, target, params).await;
        let named = self.named(fault, "started");
        assert!(!named.is_empty(), "{what} names nothing");
        if ms > 0 {
            self.pass(ms);
        }
        self.departures_are(&what, &named, look).await;
        self.clear(&what, fault).await;
        fault
    }
}

fn count(points: &Points) -> usize {
    points.values().map(BTreeSet::len).sum()
}

fn is(value: f64) -> impl Fn(&Point, &PointSnapshot, f64) -> bool {
    move |_, shown, _| shown.value == Some(value)
}

/// Not live for a reason.
fn because(reason: Reason) -> impl Fn(&Point, &PointSnapshot, f64) -> bool {
    move |_, shown, _| shown.not_live == Some(reason)
}

fn near(shown: &PointSnapshot, value: f64, tolerance: f64) -> bool {
    shown.value.is_some_and(|x| (x - value).abs() <= tolerance)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_links_and_devices() {
    let bench = Bench::start().await;
    // T01: all points of the station, of one centre or of both.
    for how in ["closed", "silent"] {
        bench.exactly(("T01", "S1", &[("how", how)]), 0, because(Reason::NoLink)).await;
    }
    bench.exactly(("T01", "S2", &[("centre", "A1")]), 0, because(Reason::NoLink)).await;
    // T02: the alarm point only, at the centre that has it.
    let fault = bench.exactly(("T02", "S1", &[]), 0, is(0.0)).await;
    assert_eq!(count(&bench.named(fault, "started")), 1);
    // T04: the gateway's exceptions, or last values with the alarm.
    for (says, code) in [("0B", 0x0B), ("0A", 0x0A)] {
        bench
            .exactly(("T04", "S1/unit 1", &[("says", says)]), 0, |_, shown, _| {
                shown.not_live == Some(Reason::Refused) && code_of(shown) == code
            })
            .await;
    }
    bench
        .exactly(("T04", "S1.110.171", &[("says", "com")]), 0, |point, shown, value| {
            if point.spec.id == "BCU.COM" {
                return shown.value == Some(1.0) && shown.flags.is_good();
            }
            let said =
                if point.spec.kind.is_status() { Flags::INVALID } else { Flags::NOT_TOPICAL };
            shown.value == Some(value) && shown.flags == said
        })
        .await;
    // T05: exception 04, of the unit that carries the bay.
    bench.exactly(("T05", "S1.22.471", &[]), 0, |_, shown, _| code_of(shown) == 4).await;
    // T06 all the time: values stand until they are old, and the reason is said.
    bench
        .exactly(("T06", "S1/unit 2", &[("share", "1")]), 0, |_, shown, _| code_of(shown) == 6)
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_that_leave_values_where_they_are() {
    let bench = Bench::start_with(Heartbeat::Read).await;
    // T03: heartbeat and values stand still, with good quality.
    let fault = bench.inject("T03", "S1", &[]).await;
    let named = bench.named(fault, "started");
    bench.pass(10 * MINUTE);
    let points = &bench.province.stations[0].points;
    let heartbeat = &points.iter().find(|point| point.spec.id == "STN.HB").unwrap().id;
    let then = f64::from(u16::try_from((START / 1_000) % 65_536).unwrap());
    let held = |shown: &PointSnapshot| {
        shown.value == Some(then) && shown.flags.is_good() && shown.not_live.is_none()
    };
    let moved = |snapshot: &Snapshot| bench.departures(snapshot).len() == 2;
    timeout(PATIENCE, bench.monitor.news().wait_for(|snapshot| moved(snapshot)))
        .await
        .expect("the well field goes on at both centres")
        .unwrap();
    bench.witness("T03", &named, ("CC", heartbeat), held).await;
    bench.clear("T03", fault).await;
    // T06 now and then: the device asks to be asked again, and every point stays live.
    let fault = bench.inject("T06", "S1", &[("share", "0.3")]).await;
    let mut news = bench.monitor.news();
    let busy = |snapshot: &Snapshot| {
        let last = snapshot.channels.iter().flat_map(|c| &c.answers);
        last.filter(|answer| answer.miss == Some(Miss::Busy(6))).count() > 0
    };
    timeout(PATIENCE, news.wait_for(|snapshot| busy(snapshot))).await.expect("06 is seen").unwrap();
    bench.clear("T06", fault).await;
    // T08: what was sent at the start stays, while the others move.
    let before = bench.well.lock().unwrap().image(ChannelId(0));
    let contract = &bench.province.channels[0];
    let station = &bench.province.stations[0];
    bench
        .exactly(("T08", "S1.22.47*.P", &[]), 9 * HOUR, |point, shown, _| {
            let id = station.point(&point.id).unwrap();
            let register = contract.entries[id.index()].register.unwrap();
            let (then, _) = before.decoded(&register).unwrap();
            shown.value.map(Decoded::Value) == Some(then) && shown.not_live.is_none()
        })
        .await;
    // T29: nothing is sent until the change is as large as the band.
    let band = |point: &Point| point.range.map_or(0.0, |(low, high)| low.abs().max(high)) / 2.0;
    bench
        .exactly(("T29", "S1.22.47?.P", &[("percent", "50")]), 19 * HOUR, |point, shown, value| {
            shown.value.is_some_and(|x| (x - value).abs() > 0.0 && (x - value).abs() <= band(point))
        })
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_measurements() {
    let bench = Bench::start().await;
    // T09: zero, while the breaker is closed and the feeder loaded.
    bench
        .exactly(("T09", "S1.22.471.P", &[]), 0, |_, shown, value| {
            value.abs() > 0.1 && shown.value == Some(0.0) && shown.not_live.is_none()
        })
        .await;
    // T10: full scale of the register, and OV.
    bench
        .exactly(("T10", "S1.22.471.IA", &[]), 0, |_, shown, _| {
            shown.value == Some(3_276.7) && shown.flags == Flags::OVERFLOW
        })
        .await;
    bench
        .exactly(("T10", "S1.22.471.IA", &[("quality", "good")]), 0, |_, shown, _| {
            shown.not_live == Some(Reason::OutOfRange)
        })
        .await;
    // T11: the right shape at the wrong size.
    bench
        .exactly(("T11", "S1.22.471.P", &[("factor", "10")]), 0, |_, shown, value| {
            near(shown, 10.0 * value, 0.011) && shown.not_live.is_none()
        })
        .await;
    // T12: signs of P, Q and PF.
    let fault = bench
        .exactly(("T12", "S1.110.171", &[]), 0, |_, shown, value| shown.value == Some(-value))
        .await;
    assert!(count(&bench.named(fault, "started")) >= 5);
    // T13: two currents exchanged, Q against its direction.
    bench
        .exactly(("T13", "S1.110.171", &[("phases", "AB")]), 0, |point, shown, value| {
            match point.spec.id.as_str() {
                "Q" => shown.value == Some(-value),
                _ => shown.value != Some(value) && near(shown, value, 0.02 * value),
            }
        })
        .await;
    // T14: a gain that grows: here by half in an hour.
    let quick = [("percent_per_month", "36000")];
    bench
        .exactly(("T14", "S1.22.472.P", &quick), HOUR, |_, shown, value| {
            near(shown, 1.5 * value, 0.01)
        })
        .await;
    // T25: what was entered, and SB.
    bench
        .exactly(("T25", "S1.110.131.TOIL", &[("value", "55")]), 0, |_, shown, _| {
            shown.value == Some(55.0) && shown.flags == Flags::SUBSTITUTED
        })
        .await;
    // T26: the test bit of every value of the bay.
    bench
        .exactly(("T26", "S1.110.C11", &[]), 0, |point, shown, value| {
            let said = if point.spec.kind.is_status() { Flags::INVALID } else { Flags::TEST };
            shown.value == Some(value) && shown.flags == said
        })
        .await;
    // T27: voltages gone, and the power of the bays that measure with them.
    bench
        .exactly(("T27", "S1.110.C11", &[("phases", "three")]), 0, |point, shown, _| {
            shown.value == Some(if point.spec.id == "VT.MCB" { 1.0 } else { 0.0 })
        })
        .await;
    let fault =
        bench
            .exactly(("T27", "S1.110.C11", &[("phases", "one")]), 0, |point, shown, value| {
                match point.spec.id.as_str() {
                    "UA" => shown.value == Some(0.0),
                    "UAB" | "UCA" => near(shown, value / 3_f64.sqrt(), 0.02),
                    _ => near(shown, value * 2.0 / 3.0, 0.02),
                }
            })
            .await;
    let named = bench.named(fault, "started");
    let powers = ["S1.110.131.P".to_owned(), "S1.110.131.Q".to_owned()];
    assert!(powers.iter().all(|id| named[&ChannelId(0)].contains(id)), "{named:?}");
    assert!(!named[&ChannelId(0)].contains("S1.110.171.P"), "a line has its own transformer");
    // T28: a code that is no tap position.
    bench.exactly(("T28", "S1.110.131", &[]), 0, because(Reason::OutOfRange)).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_statuses_and_counters() {
    let bench = Bench::start_with(Heartbeat::Read).await;
    let breaker = "S1.110.171.CB.POS";
    // T17 counts when it lasts, T18 at once.
    bench.exactly(("T17", breaker, &[]), 0, because(Reason::Intermediate)).await;
    bench
        .exactly(("T18", breaker, &[]), 0, |_, shown, _| {
            shown.value == Some(3.0) && shown.not_live == Some(Reason::Intermediate)
        })
        .await;
    // T19: open for closed.
    bench
        .exactly(("T19", breaker, &[]), 0, |_, shown, value| {
            shown.value == Some(3.0 - value) && shown.not_live.is_none()
        })
        .await;
    // T20: second by second another state, and only of this point.
    let alarm = "S1.110.171.CB.SF6_1";
    let fault = bench.inject("T20", alarm, &[]).await;
    let named = bench.named(fault, "started");
    let (mut up, mut down) = (false, false);
    for second in 0.. {
        assert!(second < 60, "it never changes");
        bench.pass(1_000);
        let at = bench.time.load(Ordering::Relaxed) / 1_000 % 65_536;
        let heard = |snapshot: &Snapshot| {
            let points = snapshot.channels[0].points.iter().zip(&bench.province.stations[0].points);
            points.filter(|(_, p)| p.spec.id == "STN.HB").any(|(shown, _)| {
                #[expect(clippy::cast_precision_loss, reason = "below 65 536")]
                let heartbeat = at as f64;
                shown.value == Some(heartbeat)
            })
        };
        timeout(PATIENCE, bench.monitor.news().wait_for(|snapshot| heard(snapshot)))
            .await
            .expect("the next second is read")
            .unwrap();
        let snapshot = Arc::clone(&bench.monitor.news().borrow());
        let point = bench.province.stations[0].point(alarm).unwrap();
        let value = snapshot.channels[0].points[point.index()].value;
        (up, down) = (up || value == Some(1.0), down || value == Some(0.0));
        if up && down {
            break;
        }
    }
    bench.witness("T20", &named, ("CC", alarm), |_| true).await;
    bench.clear("T20", fault).await;
    // T21: an alarm that never resets.
    bench.exactly(("T21", alarm, &[]), 0, is(1.0)).await;
    // T24: the counter begins again.
    bench.exactly(("T24", "S1.110.171.E.IMP", &[]), 0, is(0.0)).await;
    bench
        .exactly(("T24", "S1.110.171.E.IMP", &[("how", "rollover")]), 0, |_, shown, value| {
            shown.value == Some(value % 10_000.0)
        })
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_registers() {
    let bench = Bench::start().await;
    // T07: every request that covers the hole is refused; the log names the points that are gone.
    let fault = bench.inject("T07", "S1.110.171.ES75.POS", &[]).await;
    let named = bench.named(fault, "started");
    assert_eq!(count(&named), 2, "one point at two centres");
    let gone = |snapshot: &Snapshot| {
        let departures = bench.departures(snapshot);
        named.iter().all(|(channel, points)| {
            departures.get(channel).is_some_and(|seen| points.is_subset(seen))
        })
    };
    let mut news = bench.monitor.news();
    let snapshot = timeout(PATIENCE, news.wait_for(|snapshot| gone(snapshot)));
    let snapshot = Arc::clone(&snapshot.await.expect("02 is seen").unwrap());
    for (channel, seen) in bench.departures(&snapshot) {
        let channel = &snapshot.channels[channel.index()];
        let station = channel.station(&bench.province);
        let block = |id: &str| channel.points[station.point(id).unwrap().index()].group;
        for id in seen {
            let shown = &channel.points[station.point(&id).unwrap().index()];
            assert_eq!((shown.not_live, code_of(shown)), (Some(Reason::Refused), 2), "{id}");
            assert_eq!(block(&id), block("S1.110.171.ES75.POS"), "{id}");
        }
    }
    drop(news);
    bench.clear("T07", fault).await;
    // T15: the words of counters, the bytes of measurements.
    bench
        .exactly(("T15", "S1.110.171.E.*", &[]), 0, |_, shown, value| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a counter of 32 bits"
            )]
            let swapped = (value as u32).rotate_left(16);
            shown.value == Some(f64::from(swapped))
        })
        .await;
    bench
        .exactly(("T15", "S1.110.C11.UAB", &[("swaps", "bytes")]), 0, |_, shown, value| {
            #[expect(clippy::cast_possible_truncation, reason = "a register of 16 bits")]
            let swapped = ((value * 100.0).round() as i16).swap_bytes();
            near(shown, f64::from(swapped) / 100.0, 1e-9)
        })
        .await;
    // T16: P shows Q, Q shows IA in its own scale.
    let fault = bench.inject("T16", "S1.110.171", &[]).await;
    let named = bench.named(fault, "started");
    let value = |id: &str| {
        let station = bench.province.station("S1").unwrap();
        let point = bench.province.stations[0].point(id).unwrap();
        bench.well.lock().unwrap().sample(station, point).value
    };
    let (q, ia) = (value("S1.110.171.Q"), value("S1.110.171.IA"));
    bench.witness("T16", &named, ("CC", "S1.110.171.P"), |shown| near(shown, q, 0.006)).await;
    bench
        .witness("T16", &named, ("A1", "S1.110.171.Q"), |shown| near(shown, ia / 10.0, 0.006))
        .await;
    bench.clear("T16", fault).await;
    // T30: in this second the other line bay answers in the name of this one.
    let fault = bench.inject("T30", "S1.110.171", &[]).await;
    let named = bench.named(fault, "started");
    let (own, other) = (value("S1.110.171.P"), value("S1.110.172.P"));
    assert!((own - other).abs() > 0.1, "two lines that carry the same tell nothing");
    let point = ("CC", "S1.110.171.P");
    bench.witness("T30", &named, point, |shown| near(shown, other, 0.006)).await;
    bench.pass(1_000);
    let own = value("S1.110.171.P");
    bench.witness("T30", &named, point, |shown| near(shown, own, 0.006)).await;
    bench.clear("T30", fault).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_clocks_and_records() {
    let bench = Bench::start_with(Heartbeat::Read).await;
    // T22: the alarms of the clock; the records themselves are tested beside the field.
    for (target, alarms) in [("S1/unit 1", vec!["BCU.SYNC"]), ("S1", vec!["BCU.SYNC", "GPS.FAIL"])]
    {
        let fault = bench.inject("T22", target, &[]).await;
        let named = bench.named(fault, "started");
        let mut expected = named.clone();
        for points in expected.values_mut() {
            points.retain(|id| alarms.iter().any(|alarm| id.ends_with(alarm)));
        }
        expected.retain(|_, points| !points.is_empty());
        assert!(count(&expected) > 0 && count(&named) > count(&expected));
        bench.departures_are("T22", &expected, is(1.0)).await;
        bench.clear("T22", fault).await;
    }
    // T23: the station says that its buffer overflows.
    let fault = bench.inject("T23", "S1", &[]).await;
    let named = bench.named(fault, "started");
    let mut expected = named.clone();
    for points in expected.values_mut() {
        points.retain(|id| id.ends_with(".STN.SOEOV"));
    }
    expected.retain(|_, points| !points.is_empty());
    bench.departures_are("T23", &expected, is(1.0)).await;
    bench.clear("T23", fault).await;
    bench.stop().await;
}

/// With which code the device refused a point last; 0 when it did not.
fn code_of(point: &PointSnapshot) -> u8 {
    point.refusal.and_then(Miss::code).unwrap_or(0)
}

/// The last answer to some request was this.
fn ended_with(snapshot: &Snapshot, miss: Miss) -> bool {
    let last = snapshot.channels[0].answers.iter();
    last.filter(|answer| answer.miss == Some(miss)).count() > 0
}

fn lost(snapshot: &Snapshot) -> bool {
    snapshot.channels[0].link.fault.is_some()
}

fn unanswered(snapshot: &Snapshot) -> bool {
    ended_with(snapshot, Miss::NoReply) || lost(snapshot)
}

fn undecodable(snapshot: &Snapshot) -> bool {
    ended_with(snapshot, Miss::Malformed) || lost(snapshot)
}

const SEVENTH: &[(&str, &str)] = &[("every", "7")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_are_late_lost_or_cut_never_put_a_value_on_a_wrong_point() {
    wire(&[
        ("late", &[("every", "7"), ("ms", "500")], unanswered),
        ("truncated", SEVENTH, unanswered),
        ("split", &[("every", "2"), ("ms", "30")], |snapshot| slow_replies(snapshot, 30) > 0),
        ("reset", SEVENTH, unanswered),
        ("half-open", &[], |snapshot| snapshot.channels[0].link.fault == Some(LinkFault::Silent)),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_are_none_never_put_a_value_on_a_wrong_point() {
    wire(&[
        ("duplicated", &[("every", "3")], undecodable),
        ("wrong-transaction", SEVENTH, undecodable),
        ("wrong-unit", SEVENTH, undecodable),
        ("wrong-function", SEVENTH, undecodable),
        ("garbage", SEVENTH, |snapshot| undecodable(snapshot) || unanswered(snapshot)),
    ])
    .await;
}

/// Each fault is seen, no value is wrong at any time, the log names the whole channel, and all is
/// well again when it is cleared.
async fn wire(cases: &[WireCase]) {
    let bench = Bench::start().await;
    for (kind, params, seen) in cases.iter().copied() {
        let fault = bench.inject(kind, "S1", params).await;
        let mut news = bench.monitor.news();
        let watched = timeout(PATIENCE, async {
            loop {
                news.changed().await.unwrap();
                let snapshot = Arc::clone(&news.borrow_and_update());
                bench.assert_values_are_true(&snapshot, kind);
                if seen(&snapshot) {
                    return;
                }
            }
        });
        watched.await.unwrap_or_else(|_| panic!("{kind} is never seen"));
        let named = bench.named(fault, "started");
        let channels: Vec<ChannelId> = named.keys().copied().collect();
        assert_eq!(channels, [ChannelId(0), ChannelId(3)], "{kind}: S1 at both centres");
        for (channel, named) in &named {
            let entries = &bench.province.channels[channel.index()].entries;
            let station = &bench.province.stations[0];
            let mapped =
                station.points.iter().zip(entries).filter(|(point, entry)| {
                    entry.register.is_some() && !point.spec.kind.is_command()
                });
            let mapped: BTreeSet<String> = mapped.map(|(point, _)| point.id.clone()).collect();
            assert_eq!(*named, mapped, "{kind}: every point of the channel");
        }
        bench.clear(kind, fault).await;
        // Every request has been answered again: the next fault shows on its own.
        let answered = |snapshot: &Snapshot| !unanswered(snapshot) && !undecodable(snapshot);
        let mut news = bench.monitor.news();
        let again = timeout(PATIENCE, news.wait_for(|snapshot| answered(snapshot))).await;
        assert!(again.is_ok(), "{kind} is over, and requests are not answered");
    }
    bench.stop().await;
}

/// Replies that took at least so many milliseconds.
fn slow_replies(snapshot: &Snapshot, ms: u32) -> usize {
    let last = snapshot.channels[0].answers.iter();
    last.filter(|answer| answer.miss.is_none() && answer.evidence.took_us >= ms * 1_000).count()
}

impl Bench {
    /// Whatever is shown as a value is the value of that point.
    fn assert_values_are_true(&self, snapshot: &Snapshot, what: &str) {
        let well = self.well.lock().unwrap();
        for channel in &snapshot.channels {
            for (point, shown, value) in self.seen(channel, &well) {
                assert!(
                    shown.value.is_none_or(|x| x.to_bits() == value.to_bits()),
                    "{what}: {} shows {:?} for {value}",
                    point.id,
                    shown.value
                );
            }
        }
    }
}

/// A simulation whose every step is a quarter of an hour, with faults by chance.
async fn hurried(province: &Province, log: &Log) -> Simulation {
    let text = "[rates]\nscale = 400\nT16 = 500\nT30 = 500\nW08 = 500\nT06 = 500";
    let scenario = Scenario::parse(province, "hurry.toml", text).unwrap();
    let steps = AtomicI64::new(0);
    let plans = Plans {
        scenario: Some(scenario),
        truth: Some((Keep::Values, Box::new(log.clone()))),
        ..Plans::default()
    };
    let clock = move || START + 15 * MINUTE * steps.fetch_add(1, Ordering::Relaxed);
    Simulation::start_with(Arc::new(province.clone()), Ports::Ephemeral, Arc::new(clock), plans)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_truth_is_the_same_whether_anybody_polls_or_not() {
    let mut province = small(Heartbeat::NotRead);
    let (alone, watched) = (Log::default(), Log::default());
    let nobody = hurried(&province, &alone).await;
    let somebody = hurried(&province, &watched).await;
    for (channel, address) in province.channels.iter_mut().zip(somebody.addresses()) {
        (channel.host, channel.port) = (address.ip().to_string(), address.port());
    }
    let monitor = Monitor::start(&Arc::new(province), Clock::system()).unwrap();
    let mut news = monitor.news();
    let lines = |log: &Log| String::from_utf8_lossy(&log.0.lock().unwrap()).lines().count();
    let both = |_: &Arc<Snapshot>| lines(&alone).min(lines(&watched)) > 12;
    timeout(PATIENCE, news.wait_for(both)).await.expect("faults come by chance").unwrap();
    let (alone, watched) = (alone.0.lock().unwrap().clone(), watched.0.lock().unwrap().clone());
    let common = alone.len().min(watched.len());
    assert_eq!(
        String::from_utf8_lossy(&alone[..common]),
        String::from_utf8_lossy(&watched[..common])
    );
    monitor.stop().await;
    nobody.stop().await;
    somebody.stop().await;
}
