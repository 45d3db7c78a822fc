//! A source that is not asked: devices tell of their points once, and from then on of what changes. Nothing in the control
//! room but the collector knows how values are asked for, so such a source feeds a province from end to end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{ChannelId, Flags, PointId, Province};
use gridwatch::clock::{Clock, Timestamp};
use gridwatch::historian::Historian;
use gridwatch::historian::snapshot::{LinkState, Snapshot};
use gridwatch::historian::verdict::Reason;
use gridwatch::monitor::Monitor;
use gridwatch::series::Buffer;
use gridwatch::signal::events::Record;
use gridwatch::signal::layout::{Content, Group, Layout, Part};
use gridwatch::signal::raw::RawType;
use gridwatch::signal::source::Source;
use gridwatch::signal::update::{Answer, Evidence, LinkFault, News, Outcome, Update};
use gridwatch::store::{Reader, Recorder, Writer};
use tempfile::tempdir;
use tokio::sync::mpsc;

use crate::cli::{gridwatch, json, stderr, stdout};
use crate::fixture::without_heartbeat;

const BEGINS: Timestamp = Timestamp(1_669_188_600_000);
const MINUTE: i64 = 60_000;
const BREAKER: &str = "S1.22.471.CB.POS";

fn province() -> Arc<Province> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = without_heartbeat(&std::fs::read_to_string(&file).unwrap());
    Arc::new(Province::parse(file.to_str().unwrap(), &text).unwrap())
}

/// What comes over each channel: all points of a device together, and what it tells of changes.
fn layouts(province: &Province) -> Vec<Arc<Layout>> {
    let of = |channel: &config::Channel| {
        let station = &province.stations[channel.station.index()];
        let mut groups = Vec::new();
        for unit in &station.units {
            let entries = station.points.iter().zip(&channel.entries).enumerate();
            let own = entries.filter(|(_, (point, entry))| {
                point.spec.scan.is_some() && entry.device() == Some(unit.id)
            });
            let parts = own.flat_map(|(n, (_, entry))| {
                let encoding = entry.encoding().unwrap();
                let value = (Part::Value, RawType::of(encoding), encoding.scale());
                let quality = entry.has_quality().then_some((
                    Part::Quality,
                    if encoding.is_bits() { RawType::Bit } else { RawType::Unsigned16 },
                    1.0,
                ));
                let parts = [Some(value), quality].into_iter().flatten();
                parts.map(move |(part, raw, scale)| (PointId::at(n), part, raw, scale))
            });
            let values = Group::of_values(unit.id, 100, parts).supervised();
            if !values.columns.is_empty() {
                groups.push(values);
                groups.push(Group::of_others(unit.id, 100, Content::Events));
            }
        }
        Arc::new(Layout { groups })
    };
    province.channels.iter().map(of).collect()
}

/// The raw value of a column while nothing happens: a switch stands as it normally does, what is measured is in the midst
/// of what can be.
fn at_rest(
    province: &Province,
    channel: ChannelId,
    column: &gridwatch::signal::layout::Column,
) -> u64 {
    let station = province.channels[channel.index()].station;
    let point = &province.stations[station.index()].points[column.point.index()];
    if column.part == Part::Quality {
        return 0;
    }
    let value =
        point.range.map_or_else(|| f64::from(point.normal), |(low, high)| f64::midpoint(low, high));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    match column.raw_type {
        RawType::Float32 => u64::from((value as f32).to_bits()),
        RawType::Signed16 => {
            u64::from(((value / column.scale).clamp(-32_000.0, 32_000.0) as i16).cast_unsigned())
        }
        _ => (value / column.scale).clamp(0.0, 60_000.0) as u64 & column.highest(),
    }
}

fn answer(group: usize, columns: std::ops::Range<u16>, outcome: Outcome, at: Timestamp) -> Answer {
    let group = u16::try_from(group).unwrap();
    let evidence = Evidence { at, ..Evidence::default() };
    Answer { group, columns, is_asked: false, outcome, evidence }
}

/// A device tells of all its points.
fn all_of_it(province: &Province, layout: &Layout, channel: ChannelId, at: Timestamp) -> Update {
    let mut answers = Vec::new();
    for (n, group) in layout.groups.iter().enumerate() {
        if group.content == Content::Events {
            answers.push(answer(n, 0..0, Outcome::Changes(Vec::new()), at));
            continue;
        }
        let mut row = vec![0; group.row_bytes];
        for column in group.columns.iter() {
            column.write(&mut row, at_rest(province, channel, column));
        }
        let columns = 0..u16::try_from(group.columns.len()).unwrap();
        let outcome = Outcome::Row { row: row.into(), unchanged: false };
        answers.push(answer(n, columns, outcome, at));
    }
    Update { channel, at, news: News::Answers(answers) }
}

/// A point takes another code: the value alone, and that it happened a little earlier.
fn change(
    province: &Province,
    layout: &Layout,
    channel: ChannelId,
    (id, code): (&str, u16),
    (source, at): (Timestamp, Timestamp),
) -> Update {
    let station = &province.stations[province.channels[channel.index()].station.index()];
    let point = station.point(id).unwrap();
    let (group, column) = layout
        .groups
        .iter()
        .enumerate()
        .find_map(|(n, group)| Some((n, group.value_column(point)?)))
        .unwrap();
    let row = layout.groups[group].row_of(column, code.into());
    let value = Outcome::Row { row: row.into(), unchanged: false };
    let record = Record {
        origin: 7,
        point: Some(point),
        is_command: false,
        code,
        source,
        flags: Flags::GOOD,
        synchronised: true,
    };
    let told = answer(group, column..column + 1, value, at);
    let happened = answer(group + 1, 0..0, Outcome::Changes(vec![record]), at);
    Update { channel, at, news: News::Answers(vec![told, happened]) }
}

/// Points with a value that a channel reads, which are not live for this reason, and all of them.
fn not_live(snapshot: &Snapshot, channel: ChannelId, reason: Option<Reason>) -> (usize, usize) {
    let channel = &snapshot.channels[channel.index()];
    let contract = channel.contract(&snapshot.province);
    let station = channel.station(&snapshot.province);
    let all = channel.points.iter().zip(&contract.entries).zip(&station.points);
    let read = all.filter(|((_, entry), point)| entry.is_mapped() && point.spec.scan.is_some());
    let read: Vec<_> = read.map(|((point, _), _)| point.not_live).collect();
    (read.iter().filter(|own| **own == reason).count(), read.len())
}

#[test]
fn points_that_tell_only_of_changes_stand_as_long_as_their_link_does() {
    let province = province();
    let layouts = layouts(&province);
    let folder = tempdir().unwrap();
    let mut historian = Historian::new(Arc::clone(&province), &layouts, BEGINS);
    let buffer = Buffer::new(&province, &layouts, 64 << 20);
    let mut recorder = Recorder::new(BEGINS, buffer);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let channels: Vec<ChannelId> = (0..layouts.len()).map(ChannelId::at).collect();
    let own = channels[0];
    let say = |historian: &mut Historian, recorder: &mut Recorder, update: &Update| {
        historian.accept(update);
        recorder.accept(update);
    };
    let (opens, closes) = (BEGINS.plus(20 * MINUTE), BEGINS.plus(30 * MINUTE));
    let (lost, back) = (BEGINS.plus(62 * MINUTE), BEGINS.plus(64 * MINUTE));
    for second in (0..70 * 60).step_by(10) {
        let at = BEGINS.plus(1_000 * second);
        for channel in &channels {
            let whole = || all_of_it(&province, &layouts[channel.index()], *channel, at);
            if second == 0 {
                let news = News::Connected;
                say(&mut historian, &mut recorder, &Update { channel: *channel, at, news });
                say(&mut historian, &mut recorder, &whole());
            }
            let layout = &layouts[channel.index()];
            for (when, code) in [(opens, 1), (closes, 2)] {
                let is_of_station = province.channels[channel.index()].station
                    == province.channels[own.index()].station;
                if at == when && is_of_station {
                    let when = (when.plus(-350), when);
                    let update = change(&province, layout, *channel, (BREAKER, code), when);
                    say(&mut historian, &mut recorder, &update);
                }
            }
            if *channel == own && at == lost {
                let news = News::Lost(LinkFault::Closed);
                say(&mut historian, &mut recorder, &Update { channel: own, at, news });
            }
            if *channel == own && at == back {
                let news = News::Connected;
                say(&mut historian, &mut recorder, &Update { channel: own, at, news });
            }
            if *channel == own && at == back.plus(MINUTE) {
                say(&mut historian, &mut recorder, &whole());
            }
        }
        let mut snapshot = historian.snapshot(at);
        let (live, all) = not_live(&snapshot, own, None);
        assert!(all > 100, "{all}");
        match at {
            _ if at < lost => assert_eq!(live, all, "live for an hour, {second} s"),
            _ if at < back => {
                assert_eq!(not_live(&snapshot, own, Some(Reason::NoLink)), (all, all), "at once");
            }
            _ if at < back.plus(MINUTE) => {
                assert_eq!(snapshot.channels[own.index()].link.state, LinkState::Connected);
                let old = not_live(&snapshot, own, Some(Reason::Old)).0;
                assert_eq!(old, all, "nobody has told what changed meanwhile");
            }
            _ => assert_eq!(live, all, "all of it was told again"),
        }
        assert_eq!(snapshot.traffic.requests, 0, "nobody asked");
        let last = second == 70 * 60 - 10;
        if let Some(batch) = recorder.look(&mut historian, &mut snapshot, (MINUTE, last)) {
            writer.commit(&batch).unwrap();
        }
    }
    writer.close().unwrap();
    what_was_kept_is_what_was_told(folder.path(), (opens, closes, back.plus(MINUTE)));
}

/// When the breaker opened and closed, and when all was told again.
fn what_was_kept_is_what_was_told(
    folder: &Path,
    (opens, closes, again): (Timestamp, Timestamp, Timestamp),
) {
    let reader = Reader::open(folder).unwrap();
    let mut came = Vec::new();
    let until = BEGINS.plus(70 * MINUTE);
    let path = ("S1", "CC", BREAKER);
    reader
        .values(path, (BEGINS, until), |value| {
            came.push((value.at, value.value));
            Ok::<(), gridwatch::store::StoreError>(())
        })
        .unwrap();
    let code = |code: f64| config::Decoded::Value(code);
    assert_eq!(
        came,
        [(BEGINS, code(2.0)), (opens, code(1.0)), (closes, code(2.0)), (again, code(2.0))]
    );
    let store = folder.to_str().unwrap();
    let events = gridwatch(&["store", "export", "events", "--store", store]);
    assert!(events.status.success(), "{}", stderr(&events));
    let text = stdout(&events);
    let own: Vec<&str> = text.lines().filter(|line| line.contains(BREAKER)).collect();
    // By the clock of the device, at each centre.
    assert_eq!(own.len(), 4, "{text}");
    let source = |at: Timestamp| at.plus(-350).to_millisecond();
    for at in [opens, closes] {
        assert_eq!(own.iter().filter(|line| line.starts_with(&source(at))).count(), 2, "{text}");
    }
    // A minute behind the opening, and a minute into the loss; local times.
    for (at, is_up) in [("2022-11-23 14:51:00", true), ("2022-11-23 15:33:00", false)] {
        let show = gridwatch(&["show", "--store", store, "--at", at, "--json"]);
        assert!(show.status.success(), "{}", stderr(&show));
        let said = json(&show);
        let centre = &said["stations"][0]["centres"][0];
        let live = &centre["live"];
        // The heartbeat is in no database.
        let (have, want) = (live["have"].as_u64().unwrap(), live["want"].as_u64().unwrap());
        assert_eq!((have, want > 100), (if is_up { want - 1 } else { 0 }, true), "{centre}");
    }
}

/// Tells of everything once, and then of nothing.
struct Still {
    province: Arc<Province>,
    layouts: Vec<Arc<Layout>>,
    clock: Clock,
    /// Keeps the queue open.
    sender: Option<mpsc::Sender<Update>>,
}

impl Source for Still {
    fn layouts(&self) -> Vec<Arc<Layout>> {
        self.layouts.clone()
    }

    fn start(&mut self, _: &Province) -> mpsc::Receiver<Update> {
        let (sender, receiver) = mpsc::channel(2 * self.layouts.len());
        let at = self.clock.now();
        for (channel, layout) in (0..).map(ChannelId::at).zip(&self.layouts) {
            sender.try_send(Update { channel, at, news: News::Connected }).unwrap();
            sender.try_send(all_of_it(&self.province, layout, channel, at)).unwrap();
        }
        self.sender = Some(sender);
        receiver
    }

    async fn stop(&mut self) {
        self.sender = None;
    }
}

#[tokio::test]
async fn a_monitor_watches_whatever_source_there_is() {
    let province = province();
    let (layouts, clock) = (layouts(&province), Clock::system());
    let source =
        Still { province: Arc::clone(&province), layouts, clock: clock.clone(), sender: None };
    let monitor = Monitor::start_from(source, &province, clock, (None, Vec::new()));
    let snapshot = monitor.first_complete(Duration::from_secs(60)).await;
    assert_eq!(snapshot.first_scan().lacking(), 0);
    assert_eq!(snapshot.figures.connected.lacking(), 0);
    for channel in (0..province.channels.len()).map(ChannelId::at) {
        let (live, all) = not_live(&snapshot, channel, None);
        assert_eq!(live, all);
    }
    monitor.stop().await;
}
