//! How asking went: what a monitor has not told yet, or was killed before it could, is not known and never 0. Held
//! against the minutes of histories of chance, one by one.

use std::sync::Arc;

use config::{ChannelId, Province};
use gridwatch::clock::Timestamp;
use gridwatch::historian::snapshot::LinkState;
use gridwatch::historian::verdict_log::{Judgement, PollStats, Run, VerdictState};
use gridwatch::history::{Asking, Span, Window};
use gridwatch::store::{Batch, Reader, Writer};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tempfile::tempdir;

use crate::figures;

const MINUTE: i64 = 60_000;

/// A run of a monitor: minutes before it that nobody watched, how long it ran, whether it was killed, and the path that
/// was asked nothing.
type Ran = (i64, i64, bool, usize);

/// What is told: from and up to which minute, and how much of each path.
type Told = (i64, i64, Vec<u64>);

/// Ten minutes at a time; a monitor that ends tells of the rest.
fn stretches(from: i64, minutes: i64, is_killed: bool) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> =
        (0..minutes / 10).map(|n| (from + 10 * n, from + 10 * n + 10)).collect();
    let rest = from + minutes / 10 * 10;
    if !is_killed && rest < from + minutes {
        all.push((rest, from + minutes));
    }
    all
}

fn check(runs: &[Ran], windows: &[(i64, i64)]) -> Result<(), TestCaseError> {
    let folder = tempdir().unwrap();
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let province = Arc::new(Province::parse("small.toml", &text).unwrap());
    let paths = province.channels.len();
    let (mut now, mut told, mut watched) = (0, Vec::<Told>::new(), Vec::new());
    for (before, minutes, is_killed, silent) in runs {
        now += before;
        let (from, end) = (now, now + minutes);
        let mut writer = Writer::open(folder.path(), &province).unwrap();
        let mut pending = stretches(from, *minutes, *is_killed);
        for minute in from..=end {
            let at = Timestamp(minute * MINUTE);
            let mut batch = Batch::empty(minute == from, at);
            if minute == from {
                batch.judgements = (0..paths).map(|n| whole(&province, n, at)).collect();
            }
            if pending.first().is_some_and(|(_, until)| *until == minute) {
                let (begun, until) = pending.remove(0);
                // A path that was not asked for a while has no row; the others say that it is told.
                let count =
                    |n: usize| if n == *silent { 0 } else { minute.unsigned_abs() + n as u64 };
                let counts: Vec<u64> = (0..paths).map(count).collect();
                let asked =
                    counts.iter().map(|count| PollStats { missed: *count, ..PollStats::default() });
                batch.asked = Some((Timestamp(begun * MINUTE), asked.collect()));
                told.push((begun, until, counts));
            }
            writer.commit(&batch).unwrap();
        }
        watched.push((from, end));
        now = end;
    }
    let reader = Reader::open(folder.path()).unwrap();
    let sessions = reader.sessions().unwrap();
    for (from, length) in windows {
        let from = from.rem_euclid(now + 20) - 10;
        let (first, end) = (from, from + length);
        let span = Span::new(Timestamp(first * MINUTE), Timestamp(end * MINUTE));
        let asking = Asking::of(&reader, &Window::new(span, &[], &sessions)).unwrap();
        let has = |all: &[(i64, i64)], minute: i64| {
            all.iter().any(|own| own.0 <= minute && minute < own.1)
        };
        let stretches: Vec<(i64, i64)> = told.iter().map(|own| (own.0, own.1)).collect();
        let of_watched: Vec<i64> = (first..end).filter(|minute| has(&watched, *minute)).collect();
        let known = of_watched.iter().filter(|minute| has(&stretches, **minute)).count();
        let own: Vec<&Told> = told.iter().filter(|own| first <= own.0 && own.0 < end).collect();
        for (n, channel) in province.channels.iter().enumerate() {
            let station = &province.stations[channel.station.index()].id;
            let centre = &province.centres[channel.centre.index()].id;
            let figure = asking.over(&reader, (station, centre)).unwrap();
            let minutes = MINUTE.unsigned_abs();
            prop_assert_eq!(figure.known().have, known as u64 * minutes, "{:?}", (first, end));
            prop_assert_eq!(figure.known().want, of_watched.len() as u64 * minutes);
            let expected = (!own.is_empty()).then(|| own.iter().map(|told| told.2[n]).sum::<u64>());
            prop_assert_eq!(figures::told(&figure.map(|asked| asked.missed)), expected);
        }
    }
    Ok(())
}

/// All of a path is known from a moment on.
fn whole(province: &Province, n: usize, at: Timestamp) -> Judgement {
    let points = province.stations[province.channels[n].station.index()].points.len();
    let (channel, state) = (ChannelId::at(n), VerdictState::from_bits(0).unwrap());
    let runs = vec![Run { first: 0, count: u32::try_from(points).unwrap(), state }];
    Judgement { channel, at, link: LinkState::Connected, whole: true, runs }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(24) })]

    #[test]
    fn what_was_not_told_of_asking_is_not_known(
        (runs, windows) in (
            prop::collection::vec((1_i64..40, 1_i64..60, any::<bool>(), 0_usize..3), 1..6),
            prop::collection::vec((any::<i64>(), 1_i64..150), 4),
        ),
    ) {
        check(&runs, &windows)?;
    }
}
