//! What the meters promise, over the whole reference province.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use config::{DAY_MS, MeterFigures, Province, SoldFigures, Zone};

use super::Meters;
use super::days::HOUR_MS;
use crate::plant::station::FeederState;

/// 23/11/2022 14:32:07 in Vietnam, a Wednesday.
const NOW: i64 = 1_669_188_727_000;
/// Midnight before it.
const MIDNIGHT: i64 = NOW - (14 * 3_600 + 32 * 60 + 7) * 1_000;
/// Its day since 1970.
const TODAY: u16 = 19_319;

/// Feeders of a province, all supplied, nothing drawn yet.
fn feeders(province: &Province) -> Vec<Vec<FeederState>> {
    let fresh = FeederState { consumed_kwh: [0.0; 4], supplied: true };
    province.stations.iter().map(|s| vec![fresh; s.feeder_bays().count()]).collect()
}

/// Lets every feeder draw something, each its own, in the load classes of its station.
fn draw(province: &Province, feeders: &mut [Vec<FeederState>], round: u32) {
    for (n, (station, states)) in province.stations.iter().zip(feeders).enumerate() {
        for (feeder, state) in states.iter_mut().enumerate() {
            for (class, share) in &station.load {
                let uneven = u32::try_from(n * 7 + feeder * 3).unwrap() + round * 5;
                let uneven = 1.0 + f64::from(uneven % 11) / 10.0;
                state.consumed_kwh[*class as usize] += 900.0 * share * uneven;
            }
        }
    }
}

/// Figures of all groups that sell energy, or none does, summed up.
fn sum(province: &Province, meters: &Meters, sold: bool) -> MeterFigures {
    let mut sum = MeterFigures::default();
    for (station, figures) in province.stations.iter().zip(&meters.figures) {
        for (group, (of_group, _)) in station.meters.iter().zip(figures) {
            if province.meter_classes[group.class].sold != sold {
                continue;
            }
            (sum.day, sum.final_day) = (of_group.day, of_group.final_day);
            sum.expected += of_group.expected;
            sum.first_pass += of_group.first_pass;
            sum.final_expected += of_group.final_expected;
            sum.final_first_pass += of_group.final_first_pass;
            sum.final_read += of_group.final_read;
            sum.final_intervals_expected += of_group.final_intervals_expected;
            sum.final_intervals_on_time += of_group.final_intervals_on_time;
            sum.final_intervals_late += of_group.final_intervals_late;
            sum.final_intervals_backfilled += of_group.final_intervals_backfilled;
            sum.intervals_expected += of_group.intervals_expected;
            sum.intervals += of_group.intervals;
            sum.concentrators += of_group.concentrators;
            sum.online += of_group.online;
            sum.minutes_expected += of_group.minutes_expected;
            sum.minutes_online += of_group.minutes_online;
        }
    }
    sum
}

#[test]
fn half_hours_of_the_meters_of_a_feeder_sum_to_its_energy() {
    let province = Province::built_in();
    let meters = Meters::new(&province);
    let fleet = &meters.fleet;
    let mut before = feeders(&province);
    for round in 0..3 {
        let mut after = before.clone();
        draw(&province, &mut after, round);
        for feeder in 0..before.iter().map(Vec::len).sum() {
            let station = fleet.first_feeder.partition_point(|first| *first <= feeder) - 1;
            let n = feeder - fleet.first_feeder[station];
            let drawn: f64 = (0..4)
                .map(|c| after[station][n].consumed_kwh[c] - before[station][n].consumed_kwh[c])
                .sum();
            let (mut sold, mut public, mut totals) = (0.0, 0.0, 0.0);
            for (group, contract) in province.stations[station].meters.iter().enumerate() {
                let class = &province.meter_classes[contract.class];
                let group = fleet.group(station, group).unwrap();
                for meter in fleet.on_feeder(group, feeder) {
                    let read = |feeders| fleet.consumed_kwh(group, meter, feeders).unwrap();
                    let half_hour = read(&after) - read(&before);
                    assert!(half_hour >= 0.0, "group {group} meter {meter}: {half_hour} kWh");
                    match (class.sold, class.technology.en.as_str()) {
                        (false, _) => totals += half_hour,
                        (true, "4G") => sold += half_hour,
                        (true, _) => {
                            sold += half_hour;
                            public += half_hour;
                        }
                    }
                }
            }
            assert!((sold / drawn - 1.0).abs() < 1e-9, "{feeder}: {sold} of {drawn} kWh");
            assert!((totals / public - 1.0).abs() < 1e-9, "{feeder}: {totals} of {public} kWh");
        }
        before = after;
    }
}

#[test]
fn registers_stand_still_while_a_feeder_is_dead_and_never_run_backwards() {
    let province = Province::built_in();
    let meters = Meters::new(&province);
    let mut feeders = feeders(&province);
    let read =
        |feeders: &[Vec<FeederState>], meter| meters.register_kwh((0, 2, meter), feeders).unwrap();
    let start: Vec<f64> = (0..500).map(|meter| read(&feeders, meter)).collect();
    assert!(start.iter().all(|kwh| (0.0..1e5).contains(kwh)));
    let same: Vec<f64> = (0..500).map(|meter| read(&feeders, meter)).collect();
    assert_eq!(start, same);
    draw(&province, &mut feeders, 0);
    let after: Vec<f64> = (0..500).map(|meter| read(&feeders, meter)).collect();
    assert!(start.iter().zip(&after).all(|(a, b)| b > a || *a > 99_000.0));
    assert_eq!(meters.register_kwh((0, 2, u32::MAX), &feeders), None);
    assert_eq!(meters.register_kwh((99, 0, 0), &feeders), None);
}

#[test]
fn yesterday_is_known_from_the_first_step() {
    let province = Province::built_in();
    let mut meters = Meters::new(&province);
    meters.step(NOW, &feeders(&province));
    let sum = sum(&province, &meters, true);
    assert_eq!((sum.day, sum.final_day), (TODAY - 1, TODAY - 4));
    assert_eq!((sum.expected, sum.final_expected), (199_520, 199_520));
    let share = |have: u32, want: u32| f64::from(have) / f64::from(want);
    let first = share(sum.first_pass, sum.expected);
    assert!((0.960..0.980).contains(&first), "first pass {first}");
    let last = share(sum.final_read, sum.final_expected);
    assert!((0.994..0.999).contains(&last), "final {last}");
    let intervals = share(sum.intervals, sum.intervals_expected);
    assert!((0.955..0.985).contains(&intervals), "intervals {intervals}");
    let then = share(sum.final_intervals_on_time, sum.final_intervals_expected);
    assert!((0.955..0.985).contains(&then), "on time, of the final day {then}");
    let late = share(sum.final_intervals_late, sum.final_intervals_expected);
    assert!((0.010..0.030).contains(&late), "late {late}");
    assert!(sum.final_intervals_backfilled > 0);
    let missing = share(sum.final_intervals_missing().unwrap(), sum.final_intervals_expected);
    assert!((0.002..0.010).contains(&missing), "missing {missing}");
    let minutes = share(sum.minutes_online, sum.minutes_expected);
    assert!((0.985..0.9995).contains(&minutes), "concentrators {minutes}");
    let online = f64::from(sum.online) / f64::from(sum.concentrators);
    assert!((750..1_000).contains(&sum.concentrators), "{}", sum.concentrators);
    assert!((0.96..1.0).contains(&online), "online {online}");
}

#[test]
fn a_day_comes_out_the_same_whoever_saw_it() {
    let province = Province::built_in();
    let still = feeders(&province);
    let mut seen = Meters::new(&province);
    for step in 0..=4 * 31 {
        seen.step(MIDNIGHT + step * HOUR_MS / 4 - 5 * HOUR_MS, &still);
    }
    let mut late = Meters::new(&province);
    late.step(MIDNIGHT + 26 * HOUR_MS, &still);
    // Energy is another matter: what was drawn before the start nobody has read.
    let reads = |meters: &Meters| -> Vec<MeterFigures> {
        meters.figures.iter().flatten().map(|(reads, _)| *reads).collect()
    };
    assert_eq!(reads(&seen), reads(&late));
    let mut other = Meters::new(&Province { seed: province.seed + 1, ..province });
    other.step(MIDNIGHT + 26 * HOUR_MS, &still);
    assert_ne!(reads(&seen), reads(&other));
}

#[test]
fn days_on_which_clocks_are_set_have_their_own_half_hours_and_minutes() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let kathmandu = Zone::minutes(345).unwrap();
    // Days since 1970 on whose next morning the first pass ends, and how many half hours they had.
    for (zone, day, half_hours) in [
        (berlin, 19_078, 46),
        (berlin, 19_079, 48),
        (berlin, 19_294, 48),
        (berlin, 19_295, 50),
        (kathmandu, 19_295, 48),
    ] {
        let province = Province { zone, ..Province::built_in() };
        let still = feeders(&province);
        let (mut seen, mut late) = (Meters::new(&province), Meters::new(&province));
        // From before the day is over to the end of the third day after it: 06:00 and midnight are those of the clock.
        let published = |meters: &Meters| {
            let sum = sum(&province, meters, true);
            (i64::from(sum.day) == day, i64::from(sum.final_day) == day)
        };
        let first = zone.shows(day + 1, 6 * HOUR_MS);
        let last = zone.day_begins(day + 4);
        for at in (zone.day_begins(day)..first).step_by(1_800_000) {
            seen.step(at, &still);
            assert!(!published(&seen).0);
        }
        seen.step(first, &still);
        let sum_of = |meters: &Meters| sum(&province, meters, true);
        let told = sum_of(&seen);
        assert_eq!(i64::from(told.day), day, "{zone}");
        assert_eq!(told.minutes_expected, u32::from(told.concentrators) * 30 * half_hours);
        assert_eq!(told.intervals_expected % half_hours, 0);
        assert!(
            told.intervals <= told.intervals_expected
                && told.intervals > told.intervals_expected / 10 * 9
        );
        let profiles = told.intervals_expected / half_hours;
        for at in (first..last).step_by(1_800_000) {
            seen.step(at, &still);
            assert!(!published(&seen).1, "{zone}: {day}");
        }
        seen.step(last, &still);
        let told = sum_of(&seen);
        assert_eq!(i64::from(told.final_day), day);
        assert_eq!(told.final_intervals_expected, profiles * half_hours);
        late.step(last, &still);
        assert_eq!(told, sum_of(&late), "it comes out the same whoever saw it");
    }
}

#[test]
fn a_dead_feeder_is_silent_and_its_registers_come_later() {
    let province = Province::built_in();
    let mut live = Meters::new(&province);
    let mut meters = Meters::new(&province);
    let still = feeders(&province);
    let mut dead = still.clone();
    dead[0][3].supplied = false;
    let mut step = |hours: i64, states: &[Vec<FeederState>]| {
        meters.step(MIDNIGHT + hours * HOUR_MS, states);
        live.step(MIDNIGHT + hours * HOUR_MS, &still);
        (meters.figures[0][2].0, live.figures[0][2].0)
    };
    step(20, &still);
    let (off, on) = step(21, &dead);
    assert!(off.online < on.online, "a concentrator without supply is silent at once");
    for hours in 22..31 {
        step(hours, &dead);
    }
    let (off, on) = step(32, &still);
    assert_eq!((off.online, off.day), (on.online, TODAY));
    let missed = on.first_pass - off.first_pass;
    assert!(missed > 2_000 && missed < 3_500, "a tenth of the station: {missed}");
    assert!(off.minutes_online < on.minutes_online);
    assert!(off.intervals < on.intervals, "nobody counts while it is dark");
    for hours in 33..=4 * 24 {
        step(hours, &still);
    }
    let (off, on) = step(4 * 24 + 1, &still);
    assert_eq!(off.final_day, TODAY);
    assert_eq!(off.final_expected, on.final_expected);
    assert!(on.final_read - off.final_read < 30, "they came in a later attempt");
}

#[test]
fn the_final_count_says_again_what_the_first_pass_of_its_day_was() {
    let province = Province::built_in();
    let mut meters = Meters::new(&province);
    let still = feeders(&province);
    let mut dead = still.clone();
    dead[0][3].supplied = false;
    let mut first = Vec::new();
    for hours in 20..=5 * 24 {
        // A feeder is dark over the night and the deadline.
        meters.step(
            MIDNIGHT + hours * HOUR_MS,
            if (21..32).contains(&hours) { &dead } else { &still },
        );
        let now: Vec<MeterFigures> =
            meters.figures.iter().flatten().map(|(reads, _)| *reads).collect();
        if now[0].day == TODAY && first.is_empty() {
            first.clone_from(&now);
        }
        if now[0].final_day == TODAY {
            for (then, of_group) in first.iter().zip(&now) {
                assert_eq!(of_group.final_expected, then.expected);
                assert_eq!(of_group.final_first_pass, then.first_pass);
                assert_eq!(of_group.final_intervals_expected, then.intervals_expected);
                assert_eq!(of_group.final_intervals_on_time, then.intervals);
                assert_eq!(MeterFigures::from_cells(&of_group.cells()), Some(*of_group));
            }
            return;
        }
    }
    panic!("the final count of today never came");
}

#[test]
fn provinces_without_meters_or_feeders_are_no_trouble() {
    let mut province = Province::built_in();
    for station in &mut province.stations {
        station.bays.retain(|bay| bay.level >= 110);
    }
    let mut meters = Meters::new(&province);
    meters.step(NOW, &[]);
    assert_eq!(sum(&province, &meters, true).expected, 0);
    for station in &mut province.stations {
        station.meters.clear();
    }
    let mut meters = Meters::new(&province);
    meters.step(NOW, &[]);
    meters.step(NOW + 3 * DAY_MS, &[]);
    assert!(meters.news(0).is_some_and(<[_]>::is_empty));
}

/// A line of a measurement.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
}

/// `cargo test --release -p gridwatch-sim thirty_million -- --ignored --nocapture` prints the
/// figures of `docs/measurements.md`.
#[test]
#[ignore = "a measurement, not a test"]
fn thirty_million_meters() {
    let mut province = Province::built_in();
    let ten = province.stations.clone();
    // A hundred and ten stations with ten times the meters of Hòa Bình's each.
    province.stations = (0..11).flat_map(|_| ten.clone()).collect();
    for (n, station) in province.stations.iter_mut().enumerate() {
        station.id = format!("X{n}");
        for group in &mut station.meters {
            group.installed *= 10;
            group.remote *= 10;
        }
    }
    let count: u64 =
        province.stations.iter().flat_map(|s| &s.meters).map(|g| u64::from(g.installed)).sum();
    let still = feeders(&province);
    let begun = Instant::now();
    let mut meters = Meters::new(&province);
    say(&format!("{count} meters, built in {:?}", begun.elapsed()));
    say(&format!(
        "{} bytes, {} to a hundred meters",
        meters.bytes(),
        100 * meters.bytes() as u64 / count
    ));
    let begun = Instant::now();
    meters.step(NOW, &still);
    say(&format!("first step, the past days read: {:?}", begun.elapsed()));
    for (name, hour) in [("by day", 12), ("first pass", 27), ("final", 43)] {
        meters.step(MIDNIGHT + hour * HOUR_MS, &still);
        let mut times = Vec::new();
        for second in 1..=600 {
            let begun = Instant::now();
            meters.step(MIDNIGHT + hour * HOUR_MS + second * 1_000, &still);
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        assert!(times[300].as_micros() < 500, "half a millisecond a step");
        say(&format!("a step of a second, {name}: median {:?}, 99 % {:?}", times[300], times[594]));
    }
    assert!(meters.bytes() as u64 <= 10 * count);
    let begun = Instant::now();
    let read = |meter| meters.register_kwh((50, 2, meter), &still).unwrap_or(0.0);
    let sum: f64 = (0..100_000).map(read).sum();
    say(&format!("a register: {:?} ({sum:.0})", begun.elapsed() / 100_000));
}

#[test]
fn what_readings_bring_and_what_is_unread_is_all_that_meters_count() {
    let text = include_str!("../../../config/small.toml");
    let province = Province::parse("small.toml", text).unwrap();
    // From 1 November, 00:00 local, and from earlier or later, until the 27th of December. A recording begins a
    // minute before midnight.
    for (start, since) in [(0, 19_296), (-60_000, 19_296), (12 * HOUR_MS, 19_297), (1, 19_297)] {
        let mut meters = Meters::new(&province);
        let mut feeders = feeders(&province);
        let mut last = BTreeMap::new();
        let mut counted_before = 0.0;
        let hours = (0..57 * 24).map(|hour| hour * HOUR_MS).filter(|at| *at > start);
        for at in std::iter::once(start).chain(hours) {
            if at != start {
                draw(&province, &mut feeders, 1);
            }
            meters.step(1_667_235_600_000 + at, &feeders);
            if at <= (since - 19_296) * 24 * HOUR_MS {
                counted_before = counted_kwh(&province, &meters, &feeders);
            }
            for (n, group, figures) in sold_figures(&province, &meters) {
                let before: SoldFigures = last.insert((n, group), figures).unwrap_or_default();
                assert!(before.remote_kwh <= figures.remote_kwh && before.day <= figures.day);
                assert!(before.hand_kwh <= figures.hand_kwh && before.hand_day <= figures.hand_day);
                let (own, number) =
                    (&province.stations[n].meters[group], meters.fleet.group(n, group).unwrap());
                assert_eq!(SoldFigures::from_cells(&figures.cells(), own.installed), Some(figures));
                if at % (24 * HOUR_MS) == 13 * HOUR_MS {
                    let unread = [figures.remote_unread, figures.hand_unread].map(u64::from);
                    assert_eq!(unread, meters.sold.unread_days(&meters.fleet, number));
                    let begun = at > (since - 19_296) * 24 * HOUR_MS;
                    assert_eq!(i64::from(figures.since), if begun { since } else { 0 });
                }
            }
        }
        let (mut read, mut remote_days, mut hand_days) = (0.0, 0, 0);
        let (mut remote, mut hand) = (0, 0);
        for (n, group, figures) in sold_figures(&province, &meters) {
            let own = &province.stations[n].meters[group];
            if province.meter_classes[own.class].sold {
                read += precise(figures.remote_kwh) + precise(figures.hand_kwh);
                remote_days += figures.remote_days;
                hand_days += figures.hand_days;
                remote += u64::from(own.remote);
                hand += u64::from(own.installed - own.remote);
            }
        }
        let counted = counted_kwh(&province, &meters, &feeders) - counted_before;
        let unread = meters.sold.unread_kwh(&meters.fleet, &feeders);
        // Each count is cut to whole kilowatt-hours.
        let cut = 2.0 * precise(last.len() as u64);
        assert!(
            read + unread <= counted + 1e-6 && read + unread > counted - cut,
            "{start}: {read} {unread} {counted}"
        );
        assert!(unread > 0.0 && unread < 0.15 * counted, "{unread} of {counted}");
        // Until the 26th all remote meters but those that are behind; by hand until each route's day.
        assert!(remote_days > 54 * remote * 97 / 100 && remote_days <= 56 * remote);
        assert!(hand_days > 39 * hand * 96 / 100 && hand_days <= 55 * hand, "{hand_days}");
    }
}

/// What the meters of a province that sell have counted, kWh.
fn counted_kwh(province: &Province, meters: &Meters, feeders: &[Vec<FeederState>]) -> f64 {
    let mut counted = 0.0;
    for (n, station) in province.stations.iter().enumerate() {
        for (group, own) in station.meters.iter().enumerate() {
            if province.meter_classes[own.class].sold {
                let number = meters.fleet.group(n, group).unwrap();
                let kwh = |meter| meters.fleet.consumed_kwh(number, meter, feeders).unwrap();
                counted += (0..own.installed).map(kwh).sum::<f64>();
            }
        }
    }
    counted
}

/// Energy sold that is published, by station and group.
fn sold_figures(
    province: &Province,
    meters: &Meters,
) -> impl Iterator<Item = (usize, usize, SoldFigures)> {
    assert_eq!(province.stations.len(), meters.figures.len());
    let stations = meters.figures.iter().enumerate();
    stations.flat_map(|(n, f)| f.iter().enumerate().map(move |(g, f)| (n, g, f.1)))
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn precise(n: u64) -> f64 {
    n as f64
}
