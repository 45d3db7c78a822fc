//! What takes a while to be found out is not lost when the monitor starts anew, and not taken for good before.

use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Province};
use gridwatch::check::{Grade, Thresholds, check};
use gridwatch::clock::Timestamp;
use gridwatch::collector::answers::Decoder;
use gridwatch::collector::plan::{BlockContent, Plan, layouts, plans};
use gridwatch::collector::poll::Poll;
use gridwatch::historian::Historian;
use gridwatch::historian::past::StoodChannel;
use gridwatch::historian::snapshot::{LinkState, Snapshot};
use gridwatch::historian::verdict::{Finding, PointSnapshot, Reason, Since};
use gridwatch::signal::layout::Part;
use gridwatch::signal::update::{LinkFault, News, Update};

use crate::fixture::{decoders, exchange};

const START: Timestamp = Timestamp(1_669_188_727_000);

/// One monitor of the small province that is answered by hand.
struct Bench {
    province: Arc<Province>,
    plans: Vec<Arc<Plan>>,
    decoders: Vec<Decoder>,
    historian: Historian,
}

/// What a point is answered with: its id and the cell of its value.
type Cells<'a> = &'a [(&'a str, u16)];

impl Bench {
    fn new(started: Timestamp) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
        let province = Arc::new(Province::load(&file).unwrap());
        let plans = plans(&province);
        let historian = Historian::new(Arc::clone(&province), &layouts(&plans), started);
        Self { decoders: decoders(&province, &plans), province, plans, historian }
    }

    /// The same behind a restart: it knows how each channel stood in the last snapshot of the one before.
    fn after(stood: &[Option<StoodChannel>], started: Timestamp) -> Self {
        let mut bench = Self::new(started);
        bench.historian.recall(stood.to_vec());
        bench
    }

    /// Has every block of every channel answered: closed breakers and switches, nothing flows, but for `cells`.
    fn answer(&mut self, at: Timestamp, cells: Cells<'_>) {
        for (n, plan) in self.plans.iter().enumerate() {
            let channel = ChannelId::at(n);
            self.historian.accept(&Update { channel, at, news: News::Connected });
            let contract = &self.province.channels[n];
            let station = &self.province.stations[contract.station.index()];
            for (number, block) in plan.blocks.iter().enumerate() {
                let mut words = vec![0; usize::from(block.count)];
                if let BlockContent::Points(items) = &block.content {
                    for item in items.iter().filter(|item| item.part == Part::Value) {
                        let point = &station.points[item.point.index()];
                        let is_switch = point.spec.kind == config::PointKind::DoublePoint;
                        let other = cells.iter().find(|(id, _)| *id == point.id);
                        let second = u16::try_from(at.0.div_euclid(1_000) % 0x1_0000).unwrap();
                        let own = match point.spec.id.as_str() {
                            "STN.HB" => second,
                            _ => {
                                if is_switch {
                                    2
                                } else {
                                    0
                                }
                            }
                        };
                        let word = other.map_or(own, |(_, cell)| *cell);
                        words[usize::from(item.offset)] = word;
                    }
                }
                let exchange = exchange(block, &Ok(words), number, at);
                let (count, fault) = (block.count, None);
                let poll =
                    Poll { block: number, offset: 0, count, fault, in_parts: false, exchange };
                let news = News::Answers(self.decoders[n].answers(vec![poll]));
                self.historian.accept(&Update { channel, at, news });
            }
        }
    }

    fn refuse(&mut self, at: Timestamp) {
        for channel in (0..self.plans.len()).map(ChannelId::at) {
            let news = News::Lost(LinkFault::Refused);
            self.historian.accept(&Update { channel, at, news });
        }
    }

    /// Answers every second from `from` for so long, and returns the last snapshot.
    fn run(&mut self, from: Timestamp, ms: i64, cells: Cells<'_>) -> Snapshot {
        let mut snapshot = self.historian.snapshot(from);
        for after in (0..=ms).step_by(1_000) {
            self.answer(from.plus(after), cells);
            snapshot = self.historian.snapshot(from.plus(after));
        }
        snapshot
    }

    fn point(&self, snapshot: &Snapshot, id: &str) -> PointSnapshot {
        let station = self.province.station(id.split('.').next().unwrap()).unwrap();
        let point = self.province.stations[station.index()].point(id).unwrap();
        snapshot.channel(station, self.province.centre("CC").unwrap()).points[point.index()]
    }
}

const BREAKER: &str = "S1.110.171.CB.POS";
const DISCONNECTOR: &str = "S1.110.171.DS1.POS";

/// How each threshold stands that only stations can tell.
fn grades(snapshot: &Snapshot) -> Vec<Grade> {
    // What the first centre has now, and no point less.
    let live = snapshot.centres[0].counts.live;
    let [have, want] = [live.have, live.want].map(|n| f64::from(u32::try_from(n).unwrap()));
    let live = have / want * 100.0 - 0.01;
    let all = Thresholds { unmanned: Some(100.0), live: Some(live), ..Thresholds::default() };
    check(snapshot, &all).results.iter().map(|result| result.grade).collect()
}

#[test]
fn a_switch_between_its_ends_at_first_is_not_taken_for_good_before_its_time() {
    for (id, travel) in [(BREAKER, 2_000), (DISCONNECTOR, 25_000)] {
        let mut bench = Bench::new(START);
        let first = bench.run(START, travel - 1_000, &[(id, 0)]);
        let seen = bench.point(&first, id);
        assert!(seen.undecided && seen.not_live.is_none(), "{id}: {seen:?}");
        assert!(first.undecided() > 0 && first.first_scan().lacking() == 0);
        assert_eq!(grades(&first)[0], Grade::NoData, "{id}: unmanned");
        assert_eq!(grades(&first)[1], Grade::NoData, "{id}: live");
        let after = bench.run(START.plus(travel + 1_000), 0, &[(id, 0)]);
        let seen = bench.point(&after, id);
        assert_eq!((seen.undecided, seen.not_live), (false, Some(Reason::Intermediate)), "{id}");
        assert_eq!(after.undecided(), 0);
        // It has stood there since nobody knows when.
        assert_eq!(
            (seen.since, seen.not_live_since),
            (Since::AtLeast(after.at), seen.since),
            "{id}"
        );
        assert_eq!(grades(&after)[0], Grade::Missed, "{id}: unmanned");
        // One that was seen at an end is known to move.
        let mut bench = Bench::new(START);
        bench.run(START, 0, &[]);
        let moving = bench.run(START.plus(1_000), travel - 1_000, &[(id, 0)]);
        assert_eq!(moving.undecided(), 0, "{id}");
        let stuck = bench.run(START.plus(travel), 3_000, &[(id, 0)]);
        let since = bench.point(&stuck, id).since;
        let seen = START.plus(travel)..=stuck.at;
        assert!(matches!(since, Since::At(at) if seen.contains(&at)), "{id}: {since:?} was seen");
        // And so is one that arrives.
        let mut bench = Bench::new(START);
        bench.run(START, 1_000, &[(id, 0)]);
        let arrived = bench.run(START.plus(2_000), 0, &[(id, 1)]);
        assert_eq!(arrived.undecided(), 0, "{id}");
    }
}

#[test]
fn a_gateway_that_hung_before_a_restart_does_until_its_heartbeat_moves() {
    let beat = |count: u16| [("S1.0.STN.STN.HB", count)];
    let mut bench = Bench::new(START);
    let before = bench.run(START, 200_000, &beat(7));
    let was = bench.point(&before, BREAKER);
    assert_eq!(was.not_live, Some(Reason::Old));
    let again = before.at.plus(20_000);
    let stood = bench.historian.stood(before.at);
    let mut bench = Bench::after(&stood, again);
    for after in [0, 1_000, 9_000] {
        let snapshot = bench.run(again.plus(after), 0, &beat(7));
        let is = bench.point(&snapshot, BREAKER);
        assert_eq!((is.not_live, is.not_live_since), (was.not_live, was.not_live_since), "{after}");
    }
    let beats = bench.run(again.plus(10_000), 0, &beat(8));
    assert_eq!(bench.point(&beats, BREAKER).not_live, None);
    // Whoever looked away for long does not know.
    let late = before.at.plus(16 * 60_000);
    let after = Bench::after(&stood, late).run(late, 0, &beat(7));
    assert_eq!(bench.point(&after, BREAKER).not_live, None);
}

#[test]
fn what_was_found_before_a_restart_stands_until_something_speaks_against_it() {
    // A power that hangs at half of its range while the current of its bay goes up, a current of one phase far off
    // the others', and two switches between their ends.
    let hung = ("S1.110.171.P", 8_000);
    let load: Cells<'_> = &[hung, ("S1.110.171.IA", 3_000), ("S1.110.171.IB", 3_000)];
    let stuck: Cells<'_> = &[
        (BREAKER, 0),
        (DISCONNECTOR, 0),
        hung,
        ("S1.110.171.IA", 6_000),
        ("S1.110.171.IB", 3_000),
    ];
    let mut bench = Bench::new(START);
    bench.run(START, 0, load);
    bench.run(START.plus(1_000), 14 * 60_000, stuck);
    let before = bench.run(START.plus(15 * 60_000), 120_000, stuck);
    let found = [
        (BREAKER, Some(Reason::Intermediate), None),
        (DISCONNECTOR, Some(Reason::Intermediate), None),
        ("S1.110.171.P", Some(Reason::Frozen), Some(Finding::Power)),
        ("S1.110.171.IA", None, Some(Finding::PhaseSymmetry)),
    ];
    for (id, not_live, finding) in found {
        let seen = bench.point(&before, id);
        assert_eq!((seen.not_live, seen.finding), (not_live, finding), "{id}");
    }
    let again = before.at.plus(20_000);
    let stood = bench.historian.stood(before.at);
    let mut bench = Bench::after(&stood, again);
    // Its gateway is seen to beat.
    let after = bench.run(again, 1_000, stuck);
    for (id, ..) in found {
        let (was, is) = (bench.point(&before, id), bench.point(&after, id));
        assert_eq!(
            (is.not_live, is.finding, is.undecided),
            (was.not_live, was.finding, false),
            "{id}"
        );
        assert_eq!(is.since, was.since, "{id}");
        if is.not_live.is_some() {
            assert_eq!(is.not_live_since, was.not_live_since, "{id}");
        }
    }
    // Each is refuted by what comes: an end, another value, phases that agree.
    let well = bench.run(again.plus(1_000), 0, &[]);
    for (id, ..) in found {
        let seen = bench.point(&well, id);
        assert_eq!((seen.not_live, seen.finding), (None, None), "{id}");
    }
    // What stands between its ends anew has its time.
    let moves = bench.run(again.plus(2_000), 1_000, &[(BREAKER, 0)]);
    assert_eq!(bench.point(&moves, BREAKER).not_live, None);
    // By a clock that was set since, nobody knows when it began.
    let set: Vec<_> =
        stood.iter().cloned().map(|one| one.map(|one| one.by_another_clock(again))).collect();
    let mut bench = Bench::after(&set, again);
    let after = bench.run(again, 0, stuck);
    for (id, ..) in found {
        let (was, is) = (bench.point(&before, id), bench.point(&after, id));
        assert_eq!((is.not_live, is.finding), (was.not_live, was.finding), "{id}");
        assert_eq!(is.since, Since::AtLeast(again), "{id}");
    }
    // Whoever looked away for long does not know whether a measurement has moved.
    let late = before.at.plus(16 * 60_000);
    let mut bench = Bench::after(&stood, late);
    let after = bench.run(late, 0, stuck);
    assert_eq!(bench.point(&after, "S1.110.171.P").not_live, None);
    assert_eq!(bench.point(&after, BREAKER).not_live, Some(Reason::Intermediate));
}

#[test]
fn a_station_that_answered_before_a_restart_is_lost_and_not_never_connected() {
    let mut bench = Bench::new(START);
    let up = bench.run(START, 1_000, &[]).at;
    let stood_up = bench.historian.stood(up);
    let down = START.plus(2_000);
    bench.refuse(down);
    bench.historian.snapshot(down);
    let stood_down = bench.historian.stood(down);
    for (before, stood, since) in [(up, stood_up, None), (down, stood_down, Some(down))] {
        let again = before.plus(5_000);
        let mut bench = Bench::after(&stood, again);
        bench.refuse(again.plus(10));
        let after = bench.historian.snapshot(again.plus(500));
        for channel in &after.channels {
            assert_eq!(channel.link.state, LinkState::Lost);
            assert_eq!(channel.link.losses, 0, "nobody saw it happen");
            let told = (channel.link.since, channel.link.at_least);
            assert_eq!(told, since.map_or((after.at, true), |since| (since, false)));
        }
        bench.answer(again.plus(1_000), &[]);
        bench.refuse(again.plus(2_000));
        let lost = bench.historian.snapshot(again.plus(2_000));
        assert!(lost.channels.iter().all(|channel| channel.link.losses == 1));
    }
    // One that never answered did not.
    let mut bench = Bench::new(START);
    bench.refuse(START);
    let never = START.plus(500);
    bench.historian.snapshot(never);
    let again = never.plus(5_000);
    let mut bench = Bench::after(&bench.historian.stood(never), again);
    bench.refuse(again);
    let after = bench.historian.snapshot(again.plus(500));
    assert!(after.channels.iter().all(|c| c.link.state == LinkState::NeverConnected));
}

#[test]
fn nothing_is_said_to_be_live_before_its_gateway_was_seen_to_beat() {
    let beat = |count: u16| [("S1.0.STN.STN.HB", count)];
    let slow = "S1.22.471.P";
    let mut bench = Bench::new(START);
    // All others beat each second; of one it is not known yet.
    let first = bench.run(START, 2_000, &beat(7));
    let seen = bench.point(&first, BREAKER);
    assert!(seen.undecided && seen.not_live.is_none(), "{seen:?}");
    assert_eq!(grades(&first)[..2], [Grade::NoData; 2]);
    let counts = |snapshot: &Snapshot| {
        let counts = &snapshot.channels[0].counts;
        (counts.live.have, counts.undecided)
    };
    let (live, undecided) = counts(&first);
    assert!(live > 0 && live == undecided, "{live} live, {undecided} undecided");
    let text = gridwatch::terminal::text(&first, config::Lang::En, false);
    let said = format!("{} signals not watched for long enough", first.undecided());
    assert!(text.contains(&said), "{text}");
    let json: serde_json::Value = serde_json::from_str(&gridwatch::json::snapshot(&first)).unwrap();
    assert_eq!(json["stations"][0]["centres"][0]["undecided"], undecided);
    // It stands: nothing was ever seen to be newer than when it was first asked, however slowly it is read.
    let hung = bench.run(START.plus(3_000), 1_000, &beat(7));
    for id in [BREAKER, slow] {
        let seen = bench.point(&hung, id);
        assert_eq!((seen.undecided, seen.not_live), (false, Some(Reason::Old)), "{id}");
        assert_eq!(seen.not_live_since, Since::AtLeast(START), "{id}: from the first look on");
    }
    assert_eq!(hung.undecided(), 0);
    assert_eq!(grades(&hung)[0], Grade::Missed, "unmanned");
    // It beats again.
    let beats = bench.run(START.plus(5_000), 0, &beat(8));
    for id in [BREAKER, slow] {
        let seen = bench.point(&beats, id);
        assert_eq!((seen.undecided, seen.not_live), (false, None), "{id}");
    }
    // One that beats with the second look is known with it.
    let mut bench = Bench::new(START);
    let well = bench.run(START, 1_000, &[]);
    assert_eq!((well.undecided(), &grades(&well)[..2]), (0, &[Grade::Reached; 2][..]));
}
