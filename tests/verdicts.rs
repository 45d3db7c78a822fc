//! Laws of the verdicts: whatever the stations send, the counts add up and the required set stays.

use std::cell::RefCell;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use config::{ChannelId, Province, Standing};
use gridwatch::clock::Timestamp;
use gridwatch::collector::answers::Decoder;
use gridwatch::collector::plan::{BlockContent, Item, Plan, layouts, plans};
use gridwatch::collector::poll::{Exchange, Fault, Poll};
use gridwatch::historian::Historian;
use gridwatch::historian::counts::Counts;
use gridwatch::historian::snapshot::{Full, LinkState, Snapshot};
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::signal::layout::Part;
use gridwatch::signal::update::{LinkFault, Miss, News, Update};
use proptest::prelude::*;

use crate::fixture::{decoders, exchange};

const START: Timestamp = Timestamp(1_669_188_727_000);

/// The plans of the channels, and who decodes what comes over each.
struct Source {
    plans: Vec<Arc<Plan>>,
    decoders: RefCell<Vec<Decoder>>,
}

impl Deref for Source {
    type Target = [Arc<Plan>];

    fn deref(&self) -> &[Arc<Plan>] {
        &self.plans
    }
}

impl Source {
    fn of(province: &Province, plans: Vec<Arc<Plan>>) -> Self {
        Self { decoders: RefCell::new(decoders(province, &plans)), plans }
    }

    /// What comes of a request for a block.
    fn poll(
        &self,
        channel: ChannelId,
        number: usize,
        result: &Result<Vec<u16>, Fault>,
        at: Timestamp,
    ) -> News {
        let block = self.plans[channel.index()].blocks.get(number);
        let exchange = block.map_or_else(Exchange::default, |b| exchange(b, result, number, at));
        let (count, fault) = (block.map_or(0, |b| b.count), result.as_ref().err().copied());
        let (offset, in_parts) = (0, false);
        let poll = Poll { block: number, offset, count, fault, in_parts, exchange };
        News::Answers(self.decoders.borrow_mut()[channel.index()].answers(vec![poll]))
    }
}

fn small() -> (Arc<Province>, Source) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let province = Arc::new(Province::load(&file).unwrap());
    let source = Source::of(&province, plans(&province));
    (province, source)
}

/// Something that may happen, in numbers that fit any province.
#[derive(Debug, Clone)]
enum Step {
    Connected(usize),
    Lost(usize),
    Silent(usize, u8),
    Answered { channel: usize, block: usize, cells: Vec<u16>, exact: bool },
    Failed { channel: usize, block: usize, fault: Fault },
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault = prop_oneof![
        Just(Fault::NoReply),
        Just(Fault::Undecodable),
        any::<u8>().prop_map(Fault::Refused)
    ];
    let cell = prop_oneof![Just(0_u16), Just(1), Just(0x8000), any::<u16>()];
    let cells = proptest::collection::vec(cell, 0..8);
    let step = prop_oneof![
        2 => any::<usize>().prop_map(Step::Connected),
        1 => any::<usize>().prop_map(Step::Lost),
        1 => (any::<usize>(), 0_u8..9).prop_map(|(channel, unit)| Step::Silent(channel, unit)),
        6 => (any::<usize>(), any::<usize>(), cells, any::<bool>()).prop_map(
            |(channel, block, cells, exact)| Step::Answered { channel, block, cells, exact }
        ),
        3 => (any::<usize>(), any::<usize>(), fault)
            .prop_map(|(channel, block, fault)| Step::Failed { channel, block, fault }),
        1 => (0_i64..120_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Gives the historian one step; channel and block numbers are wrapped into what there is, blocks
/// sometimes just beyond, and replies are sometimes longer or shorter than asked for.
fn apply(historian: &mut Historian, plans: &Source, step: &Step, now: &mut Timestamp) {
    let id = |channel: &usize| ChannelId::at(channel % plans.len());
    let (channel, news) = match step {
        Step::Wait(ms) => {
            *now = now.plus(*ms);
            return;
        }
        Step::Connected(channel) => (channel, News::Connected),
        Step::Silent(channel, unit) => {
            (channel, News::Silent { device: *unit, miss: Miss::NoReply })
        }
        Step::Lost(channel) => (channel, News::Lost(LinkFault::Closed)),
        Step::Answered { channel, block, cells, exact } => {
            let blocks = &plans[channel % plans.len()].blocks;
            let block = block % (blocks.len() + 1);
            let count = blocks.get(block).map_or(0, |b| usize::from(b.count));
            let wanted = if *exact { count } else { cells.len() };
            let cells = cells.iter().copied().chain([7]).cycle().take(wanted).collect();
            (channel, plans.poll(id(channel), block, &Ok(cells), now.plus(37)))
        }
        Step::Failed { channel, block, fault } => {
            let plan = &plans[channel % plans.len()];
            let block = block % (plan.blocks.len() + 1);
            (channel, plans.poll(id(channel), block, &Err(*fault), now.plus(37)))
        }
    };
    *now = now.plus(37);
    historian.accept(&Update { channel: id(channel), at: *now, news });
}

fn adds_up(counts: &Counts) {
    assert_eq!(counts.good + counts.by_reason.iter().sum::<u64>(), counts.required);
    assert_eq!(counts.of(Reason::NotInDatabase), counts.missing());
    assert_eq!(counts.of(Reason::NoE2eRecord), counts.untested());
    assert_eq!(counts.live.have + counts.not_live.iter().sum::<u64>(), counts.live.want);
    assert!(counts.right.have <= counts.right.want && counts.right.want <= counts.required);
    assert!(counts.tested <= counts.mapped && counts.mapped <= counts.required);
}

/// The counts of bays, stations, centres and the province, each from the level below.
fn adds_up_at_every_level(snapshot: &Snapshot) {
    let province = &snapshot.province;
    for centre in province.centre_ids() {
        let mut sum = Counts::default();
        for station in province.station_ids() {
            let channel = snapshot.channel(station, centre);
            let mut bays = Counts::default();
            for bay in 0..province.stations[station.index()].bays.len() {
                let counts = channel.bay_counts(province, bay);
                adds_up(&counts);
                bays += counts;
            }
            assert_eq!(bays, channel.counts);
            assert_eq!(channel.counts.required, channel.contract(province).required() as u64);
            sum += channel.counts;
        }
        adds_up(&sum);
        assert_eq!(sum, snapshot.centres[centre.index()].counts);
        assert_eq!(sum.required, province.required(centre) as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_that_was_kept_is_the_one_that_would_be_made(steps in steps()) {
        let (province, plans) = small();
        let historian = || Historian::new(Arc::clone(&province), &layouts(&plans), START);
        let (mut keeping, mut judging) = (historian(), historian());
        let (_, others) = small();
        let (mut now, mut same) = (START, START);
        for step in &steps {
            apply(&mut keeping, &plans, step, &mut now);
            apply(&mut judging, &others, step, &mut same);
            // The second time nothing new has come, or something has become old since.
            for later in [0, 0, 1_700] {
                (now, same) = (now.plus(later), same.plus(later));
                for channel in (0..plans.len()).map(ChannelId::at) {
                    // Says nothing, but has every point judged.
                    let news = News::Answers(Vec::new());
                    judging.accept(&Update { channel, at: now, news });
                }
                let (kept, made) = (keeping.snapshot(now), judging.snapshot(now));
                for (kept, made) in kept.channels.iter().zip(&made.channels) {
                    prop_assert_eq!(&kept.points, &made.points);
                    prop_assert_eq!((kept.counts, &kept.link), (made.counts, &made.link));
                    prop_assert_eq!((kept.right, kept.settled), (made.right, made.settled));
                }
            }
        }
    }

    #[test]
    fn verdicts_sum_to_the_required_set_at_every_level(steps in steps()) {
        let (province, plans) = small();
        let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
        let mut now = START;
        let structure: Vec<Full> =
            historian.snapshot(now).channels.iter().map(|channel| channel.full).collect();
        for step in &steps {
            apply(&mut historian, &plans, step, &mut now);
            if matches!(step, Step::Wait(_)) {
                adds_up_at_every_level(&historian.snapshot(now));
            }
        }
        let snapshot = historian.snapshot(now);
        adds_up_at_every_level(&snapshot);
        // Whether a station is full is structural: nothing that arrives or fails to changes it.
        let after: Vec<Full> = snapshot.channels.iter().map(|channel| channel.full).collect();
        prop_assert_eq!(structure, after);
        for channel in &snapshot.channels {
            if channel.link.state != LinkState::Connected {
                prop_assert_eq!(channel.counts.live.have, 0, "nothing is live without a link");
            }
        }
    }
}

/// Answers every block of a channel with the same cell.
fn answer_all(historian: &mut Historian, plans: &Source, channel: ChannelId, at: Timestamp) {
    historian.accept(&Update { channel, at, news: News::Connected });
    for (n, block) in plans[channel.index()].blocks.iter().enumerate() {
        let zeros = vec![0; usize::from(block.count)];
        let news = plans.poll(channel, n, &Ok(zeros), at);
        historian.accept(&Update { channel, at, news });
    }
}

fn find(province: &Province, id: &str, centre: &str) -> (ChannelId, usize) {
    let station = province.station(id.split('.').next().unwrap()).unwrap();
    let point = province.stations[station.index()].point(id).unwrap();
    (province.channel_id(station, province.centre(centre).unwrap()), point.index())
}

#[test]
fn a_value_is_old_after_three_scans_and_since_the_judgement_that_found_it() {
    let (province, plans) = small();
    let (channel, point) = find(&province, "S1.110.171.P", "CC");
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    answer_all(&mut historian, &plans, channel, START);
    let verdict = |historian: &mut Historian, ms| {
        let snapshot = historian.snapshot(START.plus(ms));
        let point = snapshot.channels[channel.index()].points[point];
        (point.not_live, point.since)
    };
    assert_eq!(verdict(&mut historian, 6_000).0, None);
    let (reason, since) = verdict(&mut historian, 9_000);
    assert_eq!((reason, since), (Some(Reason::Old), Since::At(START.plus(9_000))));
}

#[test]
fn one_lost_reply_is_no_news_while_the_value_is_fresh() {
    let (province, plans) = small();
    let (channel, point) = find(&province, "S1.110.171.P", "CC");
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    answer_all(&mut historian, &plans, channel, START);
    let at = START.plus(2_000);
    let block = historian.snapshot(at).channels[channel.index()].points[point].group.unwrap();
    let news = plans.poll(channel, block.into(), &Err(Fault::NoReply), at);
    historian.accept(&Update { channel, at, news });
    let mut not_live =
        |ms| historian.snapshot(START.plus(ms)).channels[channel.index()].points[point].not_live;
    assert_eq!(not_live(2_000), None);
    assert_eq!(not_live(6_001), Some(Reason::NoReply));
}

#[test]
fn a_lost_link_takes_everything_off_live_at_once_and_leaves_the_structure() {
    let (province, plans) = small();
    let (channel, point) = find(&province, "S1.110.171.P", "CC");
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    answer_all(&mut historian, &plans, channel, START);
    let before = historian.snapshot(START);
    let lost = START.plus(500);
    let news = News::Lost(LinkFault::Refused);
    historian.accept(&Update { channel, at: lost, news });
    let after = historian.snapshot(START.plus(700));
    let (was, is) = (&before.channels[channel.index()], &after.channels[channel.index()]);
    assert!(was.counts.live.have > 0);
    assert_eq!(is.counts.live.have, 0);
    assert_eq!(is.link.state, LinkState::Lost);
    assert_eq!(is.points[point].verdict, Some(Reason::NoLink));
    assert_eq!(is.points[point].since, Since::At(START.plus(700)), "when it was judged");
    assert_eq!(is.points[point].value, was.points[point].value, "the old value is kept as such");
    assert_eq!(is.full, was.full);
    let structural = |counts: &Counts| (counts.required, counts.mapped, counts.tested);
    assert_eq!(structural(&is.counts), structural(&was.counts));
}

#[test]
fn a_station_that_never_answered_is_not_lost() {
    let (province, plans) = small();
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    let channel = ChannelId::at(0);
    let news = News::Lost(LinkFault::Refused);
    historian.accept(&Update { channel, at: START, news });
    let snapshot = historian.snapshot(START.plus(1_000));
    assert_eq!(snapshot.channels[0].link.state, LinkState::NeverConnected);
    assert!(snapshot.channels[0].settled, "there is nothing more to wait for");
    assert!(!snapshot.channels[1].settled);
}

#[test]
fn what_is_not_in_the_database_is_so_whatever_the_link_does() {
    let (province, plans) = small();
    let absent = province.channels.iter().position(|channel| {
        channel.entries.iter().any(|e| e.required && matches!(e.standing, Standing::Absent(_)))
    });
    let channel = ChannelId::at(absent.unwrap());
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    let missing = |historian: &mut Historian| {
        historian.snapshot(START).channels[channel.index()].counts.of(Reason::NotInDatabase)
    };
    let before = missing(&mut historian);
    assert!(before > 0);
    answer_all(&mut historian, &plans, channel, START);
    assert_eq!(missing(&mut historian), before);
}

/// A point, the block of its value and where it stands there.
fn find_block(
    province: &Province,
    plans: &[Arc<Plan>],
    id: &str,
) -> (ChannelId, usize, usize, usize) {
    let (channel, point) = find(province, id, "CC");
    let block = plans[channel.index()].blocks.iter().position(|block| match &block.content {
        BlockContent::Points(items) => {
            items.iter().any(|i| i.point.index() == point && i.part == Part::Value)
        }
        BlockContent::Meters | BlockContent::Events => false,
    });
    let block = block.unwrap();
    let BlockContent::Points(items) = &plans[channel.index()].blocks[block].content else {
        panic!("a block of points");
    };
    let own = |i: &&Item| i.point.index() == point && i.part == Part::Value;
    (channel, point, block, usize::from(items.iter().find(own).unwrap().offset))
}

#[test]
fn a_value_that_the_device_has_withdrawn_is_not_revived_by_a_lost_reply() {
    let (province, plans) = small();
    let (channel, point, block, offset) = find_block(&province, &plans, "S1.110.171.P");
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    answer_all(&mut historian, &plans, channel, START);
    let mut cells = vec![0; usize::from(plans[channel.index()].blocks[block].count)];
    cells[offset] = 0x8000;
    let mut not_live = |ms, result| {
        let at = START.plus(ms);
        let news = plans.poll(channel, block, &result, at);
        historian.accept(&Update { channel, at, news });
        historian.snapshot(at).channels[channel.index()].points[point].not_live
    };
    assert_eq!(not_live(1_000, Ok(cells)), Some(Reason::Flagged));
    assert_eq!(not_live(2_000, Err(Fault::NoReply)), Some(Reason::NoReply));
    let cells = vec![0; usize::from(plans[channel.index()].blocks[block].count)];
    assert_eq!(not_live(3_000, Ok(cells.clone())), None);
    assert_eq!(not_live(4_000, Err(Fault::Refused(2))), Some(Reason::Refused));
    assert_eq!(not_live(5_000, Err(Fault::NoReply)), Some(Reason::NoReply));
    assert_eq!(not_live(6_000, Ok(cells)), None);
}

#[test]
fn a_value_without_its_quality_is_not_live() {
    let (province, plans) = small();
    let (channel, point) = find(&province, "S1.110.171.P", "CC");
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    historian.accept(&Update { channel, at: START, news: News::Connected });
    // A plan of the same blocks in which the quality of the point is never read.
    let mut blind = plans.plans.clone();
    let mut blocks = blind[channel.index()].blocks.clone();
    for block in &mut blocks {
        if let BlockContent::Points(items) = &mut block.content {
            items.retain(|i| i.point.index() != point || i.part == Part::Value);
        }
    }
    let period = |scan| u32::try_from(province.scan.milliseconds(scan)).unwrap();
    blind[channel.index()] = Arc::new(Plan::of(blocks, period));
    let blind = Source::of(&province, blind);
    let mut historian_blind = Historian::new(Arc::clone(&province), &layouts(&blind), START);
    for (historian, source) in [(&mut historian, &plans), (&mut historian_blind, &blind)] {
        answer_all(historian, source, channel, START);
    }
    let not_live = |historian: &mut Historian| {
        historian.snapshot(START).channels[channel.index()].points[point].not_live
    };
    assert_eq!(not_live(&mut historian), None);
    assert_eq!(not_live(&mut historian_blind), Some(Reason::NeverSeen));
}

#[test]
fn a_good_verdict_is_as_old_as_the_recovery() {
    let (province, plans) = small();
    let (channel, point, block, _) = find_block(&province, &plans, "S1.110.171.P");
    let mut historian = Historian::new(Arc::clone(&province), &layouts(&plans), START);
    answer_all(&mut historian, &plans, channel, START);
    historian.snapshot(START);
    let cells = vec![0; usize::from(plans[channel.index()].blocks[block].count)];
    for (ms, result) in [(1_000, Err(Fault::Refused(4))), (2_000, Ok(cells))] {
        let at = START.plus(ms);
        let news = plans.poll(channel, block, &result, at);
        historian.accept(&Update { channel, at, news });
        let snapshot = historian.snapshot(at);
        assert_eq!(snapshot.channels[channel.index()].points[point].since, Since::At(at));
    }
}
