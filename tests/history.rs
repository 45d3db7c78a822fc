//! History: what a window was like is what was judged in it, whatever happened in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{ChannelId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict::{Reason, Since};
use gridwatch::historian::verdict_log::{Judgement, Run, VerdictState};
use gridwatch::history::{LinkHistory, Span, Times, Window, channel_history};
use gridwatch::store::{Batch, Reader, StoreError, Writer};
use proptest::prelude::*;
use tempfile::tempdir;

/// One station with a few points that a centre requires, by two contracts: the second one lacks some.
fn contracts() -> [Arc<Province>; 2] {
    let text = |absent: &str| {
        format!(
            r#"
[province]
name = {{ en = "Two", vi = "Hai" }}
seed = 1
[link]
port_base = 17001
[[centres]]
id = "CC"
name = {{ en = "CC", vi = "TT" }}
title = {{ en = "Centre", vi = "Trung tâm" }}
requires = ["AB", "B"]
[[stations]]
id = "S1"
name = "S1"
unmanned = true
e2e = {{ CC = 2022-01-01 }}
peak_mw = 5
load = {{ rural = 1.0 }}
{absent}
[stations.bays]
CAP = ["TBN401"]
"#
        )
    };
    let absent = "absent = [{ points = [\"22.TBN401.*\"], since = 2022-02-01, why = \"moved\" }]\n";
    ["", absent].map(|own| Arc::new(Province::parse("two.toml", &text(own)).unwrap()))
}

const CHANNEL: ChannelId = ChannelId(0);

/// What may happen, one thing after the other, each so many milliseconds after the one before.
#[derive(Debug, Clone)]
enum Step {
    /// Some neighbours take a state, the path too.
    Judge { after: i64, first: u32, count: u32, bits: u16, link: u8 },
    /// Nothing new up to here.
    Quiet { after: i64 },
    /// The monitor ends, well or not, and another begins by a contract.
    Restart { after: i64, well: bool, contract: usize, bits: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    let after = || prop_oneof![4 => 1_i64..5_000, 1 => 1_i64..200_000_000];
    let bits =
        || (0_u16..0x400).prop_filter("a state", |bits| VerdictState::from_bits(*bits).is_some());
    prop_oneof![
        6 => (after(), 0_u32..40, 1_u32..40, bits(), 0_u8..3)
            .prop_map(|(after, first, count, bits, link)| Step::Judge { after, first, count, bits, link }),
        2 => after().prop_map(|after| Step::Quiet { after }),
        1 => (after(), any::<bool>(), 0_usize..2, bits())
            .prop_map(|(after, well, contract, bits)| Step::Restart { after, well, contract, bits }),
    ]
}

fn link(n: u8) -> LinkState {
    [LinkState::Connected, LinkState::Lost, LinkState::NeverConnected][usize::from(n)]
}

/// What is known of one point over time, told the slow way.
#[derive(Default)]
struct Known {
    /// From when on it was in which state, by which contract; `None`: nobody watched.
    changes: Vec<(i64, usize, Option<VerdictState>)>,
}

fn batch(begins: bool, until: i64, judgements: Vec<Judgement>) -> Batch {
    Batch { judgements, ..Batch::empty(begins, Timestamp(until)) }
}

fn judgement(at: i64, link: LinkState, whole: bool, runs: Vec<Run>) -> Judgement {
    Judgement { channel: CHANNEL, at: Timestamp(at), link, whole, runs }
}

/// Adds up what is known of a point in a span, millisecond run by run.
fn slowly(known: &Known, provinces: &[Arc<Province>], place: usize, span: Span) -> Times {
    let mut times = Times::default();
    let changes = &known.changes;
    for (n, (from, contract, state)) in changes.iter().enumerate() {
        let to = changes.get(n + 1).map_or(i64::MAX, |next| next.0);
        // The first contract also holds before anybody watched.
        let begin = if n == 0 { i64::MIN } else { *from };
        for (from, to, state) in [(begin, *from, None), (*from, to, *state)] {
            let ms = to.min(span.to.0).saturating_sub(from.max(span.from.0)).max(0);
            let province = &provinces[*contract];
            let entry = &province.channels[0].entries[place];
            let command = province.stations[0].points[place].spec.kind.is_command();
            if entry.required && ms > 0 {
                times.required += ms;
                match state {
                    None => times.unobserved += ms,
                    Some(state) => match state.verdict() {
                        None => times.good += ms,
                        Some(reason) => times.by_reason[reason as usize] += ms,
                    },
                }
                if !command {
                    times.live_required += ms;
                    match state {
                        None => times.live_unobserved += ms,
                        Some(state) => match state.not_live() {
                            None => times.live += ms,
                            Some(reason) => times.not_live[reason as usize] += ms,
                        },
                    }
                }
            }
        }
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_millisecond_of_every_required_point_is_accounted_for_once(
        steps in prop::collection::vec(step(), 1..40),
        first_bits in (0_u16..0x400).prop_filter("a state", |b| VerdictState::from_bits(*b).is_some()),
        windows in prop::collection::vec((-100_000_i64..400_000_000, 1_i64..400_000_000), 4),
        cut in 1_i64..200_000_000,
    ) {
        let folder = tempdir().unwrap();
        let provinces = contracts();
        let points = provinces[0].stations[0].points.len();
        let all = |bits: u16| vec![Run {
            first: 0,
            count: u32::try_from(points).unwrap(),
            state: VerdictState::from_bits(bits).unwrap(),
        }];
        let mut known: Vec<Known> = (0..points).map(|_| Known::default()).collect();
        let (mut now, mut contract) = (0_i64, 0);
        let mut writer = Writer::open(folder.path(), &provinces[contract]).unwrap();
        let whole = judgement(now, LinkState::Connected, true, all(first_bits));
        writer.commit(&batch(true, now, vec![whole])).unwrap();
        for point in &mut known {
            point.changes.push((now, contract, VerdictState::from_bits(first_bits)));
        }
        for step in &steps {
            match step {
                Step::Judge { after, first, count, bits, link: n } => {
                    now += after;
                    let first = first % u32::try_from(points).unwrap();
                    let count = (*count).min(u32::try_from(points).unwrap() - first);
                    let state = VerdictState::from_bits(*bits).unwrap();
                    let runs = vec![Run { first, count, state }];
                    writer.commit(&batch(false, now, vec![judgement(now, link(*n), false, runs)])).unwrap();
                    for point in &mut known[first as usize..(first + count) as usize] {
                        point.changes.push((now, contract, Some(state)));
                    }
                }
                Step::Quiet { after } => {
                    now += after;
                    writer.commit(&batch(false, now, Vec::new())).unwrap();
                }
                Step::Restart { after, well, contract: other, bits } => {
                    for point in &mut known {
                        point.changes.push((now, contract, None));
                    }
                    if *well {
                        writer.close().unwrap();
                    } else {
                        drop(writer);
                    }
                    now += after;
                    contract = *other;
                    writer = Writer::open(folder.path(), &provinces[contract]).unwrap();
                    let whole = judgement(now, LinkState::Connected, true, all(*bits));
                    writer.commit(&batch(true, now, vec![whole])).unwrap();
                    for point in &mut known {
                        point.changes.push((now, contract, VerdictState::from_bits(*bits)));
                    }
                }
            }
        }
        for point in &mut known {
            point.changes.push((now, contract, None));
        }
        let reader = Reader::open(folder.path()).unwrap();
        let sessions = reader.sessions().unwrap();
        for (from, length) in windows {
            let span = Span::new(Timestamp(from), Timestamp(from + length));
            let window = Window::new(span, &[Timestamp(from + cut % length)], &sessions);
            let eras: i64 = window.eras.iter().map(|era| era.span.length()).sum();
            prop_assert_eq!(eras, length, "contracts hold all of the time");
            let mut sum = Times::default();
            let mut of_point = vec![Times::default(); points];
            for era in &window.eras {
                let province = reader.contract(era.contract).unwrap().province;
                let history =
                    channel_history(&reader, &province, &province.channels[0], &window, era).unwrap();
                sum += history.times();
                for (own, point) in of_point.iter_mut().zip(&history.points) {
                    *own += point.times;
                }
                let link = history.link;
                let all = link.connected + link.lost + link.never + link.unobserved;
                prop_assert_eq!(all, era.span.length());
            }
            let mut required = 0;
            for era in &window.eras {
                let province = reader.contract(era.contract).unwrap().province;
                let points = i64::try_from(province.channels[0].required()).unwrap();
                required += era.span.length() * points;
            }
            prop_assert_eq!(sum.required, required, "required × time");
            let bad: i64 = sum.by_reason.iter().sum();
            prop_assert_eq!(sum.good + bad + sum.unobserved, required);
            let not_live: i64 = sum.not_live.iter().sum();
            prop_assert_eq!(sum.live + not_live + sum.live_unobserved, sum.live_required);
            for (place, own) in of_point.iter().enumerate() {
                let slow = slowly(&known[place], &provinces, place, span);
                prop_assert_eq!(own.required, slow.required);
                prop_assert_eq!(own.good, slow.good);
                prop_assert_eq!(own.by_reason, slow.by_reason);
                prop_assert_eq!(own.unobserved, slow.unobserved);
                prop_assert_eq!(own.live, slow.live);
                prop_assert_eq!(own.not_live, slow.not_live);
                prop_assert_eq!(own.live_unobserved, slow.live_unobserved);
            }
        }
    }
}

fn session(province: &Arc<Province>, folder: &std::path::Path, from: i64, until: i64) {
    let mut writer = Writer::open(folder, province).unwrap();
    let points = u32::try_from(province.stations[0].points.len()).unwrap();
    let runs = vec![Run { first: 0, count: points, state: VerdictState::default() }];
    let whole = judgement(from, LinkState::Connected, true, runs);
    writer.commit(&batch(true, from, vec![whole])).unwrap();
    writer.commit(&batch(false, until, Vec::new())).unwrap();
}

#[test]
fn a_clock_that_was_set_back_writes_no_history_twice() {
    let folder = tempdir().unwrap();
    let [province, _] = contracts();
    session(&province, folder.path(), 10_000, 90_000);
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    let first =
        batch(true, 30_000, vec![judgement(30_000, LinkState::Connected, true, Vec::new())]);
    match writer.commit(&first) {
        Err(StoreError::ClockBehind { behind_ms: 60_000, .. }) => {}
        other => panic!("{other:?}"),
    }
    let later =
        batch(true, 90_001, vec![judgement(90_001, LinkState::Connected, true, Vec::new())]);
    writer.commit(&later).unwrap();
    drop(writer);
    let sessions = Reader::open(folder.path()).unwrap().sessions().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0].until < sessions[1].from);
}

#[test]
fn only_one_writes_and_whoever_reads_sees_one_instant() {
    let folder = tempdir().unwrap();
    let [province, _] = contracts();
    let mut writer = Writer::open(folder.path(), &province).unwrap();
    assert!(matches!(Writer::open(folder.path(), &province), Err(StoreError::InUse(_))));
    writer
        .commit(&batch(true, 1_000, vec![judgement(1_000, LinkState::Lost, true, Vec::new())]))
        .unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    writer.commit(&batch(false, 2_000, Vec::new())).unwrap();
    assert_eq!(
        reader.sessions().unwrap()[0].until,
        Timestamp(1_000),
        "as it was when it was opened"
    );
    let later = Reader::open(folder.path()).unwrap();
    assert_eq!(later.sessions().unwrap()[0].until, Timestamp(2_000));
    drop(writer);
    Writer::open(folder.path(), &province).unwrap();
}

#[test]
fn what_is_no_store_or_a_newer_one_is_refused_with_its_name() {
    let folder = tempdir().unwrap();
    let missing = Reader::open(folder.path()).err().unwrap().to_string();
    assert!(missing.contains("no store in") && missing.contains("--store"), "{missing}");
    let [province, _] = contracts();
    session(&province, folder.path(), 1_000, 2_000);
    let file = folder.path().join("gridwatch.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    let newer = Writer::open(folder.path(), &province).err().unwrap().to_string();
    assert!(newer.contains("version 99") && newer.contains("newer gridwatch"), "{newer}");
    std::fs::write(&file, "this is a text, and none of ours: some more of it").unwrap();
    for refused in [
        Writer::open(folder.path(), &province).err().unwrap(),
        Reader::open(folder.path()).err().unwrap(),
    ] {
        assert!(matches!(refused, StoreError::Foreign(_)), "{refused}");
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("this is a text"), "nothing of it was lost");
}

#[test]
fn a_contract_that_is_made_something_else_of_is_not_judged_by() {
    let folder = tempdir().unwrap();
    let [province, _] = contracts();
    session(&province, folder.path(), 1_000, 2_000);
    let file = rusqlite::Connection::open(folder.path().join("gridwatch.db")).unwrap();
    let refused = || Reader::open(folder.path()).unwrap().contract(1).err().unwrap().to_string();
    // Another program, which made other points of the same texts.
    let expanded = "UPDATE contract SET expanded = replace(expanded, 'a', 'b')";
    assert_eq!(file.execute(expanded, []).unwrap(), 1);
    let error = refused();
    assert!(error.contains("contract 1") && error.contains("other points"), "{error}");
    // Texts that are not those that were written.
    let text = "UPDATE contract SET text = replace(text, 'TBN401', 'TBN402')";
    assert_eq!(file.execute(text, []).unwrap(), 1);
    let error = refused();
    assert!(error.contains("contract 1") && error.contains("not those"), "{error}");
}

#[test]
fn states_keep_their_reasons() {
    let by_word: BTreeMap<&str, Reason> = Reason::ALL.iter().map(|r| (r.word(), *r)).collect();
    assert_eq!(by_word.len(), Reason::ALL.len());
    // A store that was written once is read for years: these numbers stay.
    let told = |bits| VerdictState::from_bits(bits).and_then(VerdictState::verdict);
    assert_eq!(told(1), Some(Reason::NotInDatabase));
    assert_eq!(told(3), Some(Reason::NoLink));
    assert_eq!(told(8), Some(Reason::Old));
    assert_eq!(told(13), Some(Reason::Inconsistent));
}

#[test]
fn what_stood_so_before_a_restart_stands_since_then_and_a_lost_path_is_lost_in_one() {
    use LinkState::{Connected, Lost, NeverConnected};
    let folder = tempdir().unwrap();
    let [province, _] = contracts();
    let (good, old) = (VerdictState::from_bits(0).unwrap(), VerdictState::from_bits(0x88).unwrap());
    let points = u32::try_from(province.stations[0].points.len()).unwrap();
    let of = |state| vec![Run { first: 0, count: points, state }];
    // Two runs of the monitor, and a third one behind ten seconds that nobody watched.
    for moments in [
        &[(0, Connected, good), (10_000, Lost, old), (40_000, Lost, old)][..],
        &[(50_000, NeverConnected, old), (60_000, Lost, old), (80_000, Lost, old)],
        &[
            (90_000, Lost, old),
            (100_000, Connected, good),
            (110_000, Lost, old),
            (115_000, Lost, old),
        ],
    ] {
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        for (n, (at, link, state)) in moments.iter().enumerate() {
            let judgements = vec![judgement(*at, *link, n == 0, of(*state))];
            writer.commit(&batch(n == 0, *at, judgements)).unwrap();
        }
        writer.close().unwrap();
    }
    let reader = Reader::open(folder.path()).unwrap();
    let channel = &province.channels[0];
    let told = |until: i64| {
        let span = Span::new(Timestamp(0), Timestamp(until));
        let window = Window::new(span, &[], &reader.sessions().unwrap());
        let own = channel_history(&reader, &province, channel, &window, &window.eras[0]).unwrap();
        let (state, since) = own.points[0].last.unwrap();
        let LinkHistory { longest, losses, .. } = own.link;
        (state.not_live(), since, longest, losses)
    };
    // Somebody saw each of them begin.
    let since = |ms: i64| Since::At(Timestamp(ms));
    assert_eq!(told(40_000), (old.not_live(), since(10_000), 30_000, 1));
    assert_eq!(told(80_000), (old.not_live(), since(10_000), 60_000, 1), "over the restart");
    assert_eq!(told(95_000), (old.not_live(), since(10_000), 65_000, 1));
    assert_eq!(told(105_000), (good.not_live(), since(100_000), 70_000, 1));
    assert_eq!(told(115_000), (old.not_live(), since(110_000), 70_000, 2), "another time");
    // Wherever the time is cut, the moment of a change included, the parts are the whole.
    let counted = |from: i64, to: i64| {
        let span = Span::new(Timestamp(from), Timestamp(to));
        let window = Window::new(span, &[], &reader.sessions().unwrap());
        let own = channel_history(&reader, &province, channel, &window, &window.eras[0]).unwrap();
        (own.link.losses, own.points[0].outages)
    };
    let whole = counted(0, 115_000);
    assert_eq!(whole, (2, 2));
    for cut in (2_500..115_000).step_by(2_500) {
        let (one, other) = (counted(0, cut), counted(cut, 115_000));
        assert_eq!((one.0 + other.0, one.1 + other.1), whole, "{cut}");
    }
}

#[test]
fn what_was_lost_while_nobody_watched_counts_once_where_it_was_seen_first() {
    use LinkState::{Connected, Lost, NeverConnected};
    let folder = tempdir().unwrap();
    let [province, _] = contracts();
    let state = VerdictState::from_bits(0).unwrap();
    let points = u32::try_from(province.stations[0].points.len()).unwrap();
    // Up when watching ended, and not when it began again; twice, and once more after a week and a day.
    let day = 86_400_000;
    for moments in [
        [(0, Connected), (20_000, Connected), (40_000, Connected)],
        [(50_000, Lost), (70_000, Connected), (80_000, Connected)],
        [(90_000, NeverConnected), (110_000, Lost), (120_000, Lost)],
        [(130_000, Lost), (140_000, Connected), (150_000, Connected)],
        [150_000, 160_000, 170_000].map(|at| (at + 8 * day, Lost)),
    ] {
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        for (n, (at, link)) in moments.into_iter().enumerate() {
            let runs = vec![Run { first: 0, count: points, state }];
            let judgements = vec![judgement(at, link, n == 0, runs)];
            writer.commit(&batch(n == 0, at, judgements)).unwrap();
        }
        writer.close().unwrap();
    }
    let reader = Reader::open(folder.path()).unwrap();
    let sessions = reader.sessions().unwrap();
    let told = |from: i64, to: i64| {
        let span = Span::new(Timestamp(from), Timestamp(to));
        let window = Window::new(span, &[], &sessions);
        window.eras.iter().fold((0, 0), |(losses, unseen), era| {
            let channel = &province.channels[0];
            let own = channel_history(&reader, &province, channel, &window, era).unwrap().link;
            (losses + own.losses, unseen + own.unseen_losses)
        })
    };
    let end = 200_000 + 8 * day;
    // After more than six days nobody knows what became of it.
    assert_eq!(told(0, end), (2, 2));
    assert_eq!(told(0, 45_000), (0, 0));
    assert_eq!((told(45_000, 60_000), told(50_000, 60_000)), ((1, 1), (1, 1)));
    assert_eq!((told(50_001, 85_000), told(85_000, 100_000)), ((0, 0), (1, 1)));
    // Wherever the time is cut, the parts are the whole.
    for cut in (0..160_000).step_by(2_500).chain([end - 30_000]) {
        let (one, other) = (told(0, cut), told(cut, end));
        assert_eq!((one.0 + other.0, one.1 + other.1), (2, 2), "{cut}");
    }
}
