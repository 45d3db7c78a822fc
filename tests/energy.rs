//! Energy and voltage of recordings with faulty counters and voltage transformers, against the field's own truth.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{Lang, PointId, Province, StationId, Zone};
use gridwatch::clock::Timestamp;
use gridwatch::history::energy::{CounterEnergy, Oddity, StationEnergy, energies};
use gridwatch::history::reliability::reliability;
use gridwatch::history::{Span, What, Window};
use gridwatch::recording::stretched;
use gridwatch::report::period::Period;
use gridwatch::report::{ReportRequest, json, report};
use gridwatch::store::{Reader, StoreError};
use proptest::prelude::*;
use sim::{Field, Scenario};
use tempfile::tempdir;

use crate::figures::told;
use crate::keeping;

/// 2022-11-01 16:00 in Vietnam: the evening peak is to come.
const START: Timestamp = Timestamp(1_667_293_200_000);
const MINUTE_MS: i64 = 60_000;
const KWH: i64 = 1_000;

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    std::fs::read_to_string(path).unwrap()
}

fn province(text: &str) -> Arc<Province> {
    Arc::new(stretched(Province::parse("small.toml", text).unwrap(), 10.0))
}

/// Keeps a recording in a folder.
fn record(
    folder: &Path,
    province: &Arc<Province>,
    scenario: &str,
    (from, minutes): (Timestamp, i64),
) {
    let scenario = Scenario::parse(province, "scenario", scenario).unwrap();
    let until = from.plus(minutes * MINUTE_MS);
    keeping::record(folder, province, scenario, (from, until), 600_000);
}

fn window(reader: &Reader, from: Timestamp, to: Timestamp) -> Window {
    Window::new(Span::new(from, to), &[], &reader.sessions().unwrap())
}

pub(crate) fn all(reader: &Reader, from: Timestamp, to: Timestamp) -> Vec<StationEnergy> {
    energies(reader, &window(reader, from, to), |_| true).unwrap()
}

/// What the counters of a province truly show, second by second: the same field, told by itself.
pub(crate) struct Truth {
    from: Timestamp,
    kwh: BTreeMap<String, Vec<u32>>,
}

impl Truth {
    pub(crate) fn of(
        province: &Arc<Province>,
        scenario: Scenario,
        (from, minutes): (Timestamp, i64),
    ) -> Self {
        let mut field = Field::new(Arc::clone(province));
        field.plan(scenario);
        let mut points: Vec<(StationId, PointId, String, Vec<u32>)> = Vec::new();
        for (id, station) in province.station_ids().zip(&province.stations) {
            for (n, point) in station.points.iter().enumerate() {
                if point.spec.id == "E.IMP" {
                    points.push((id, PointId::at(n), point.id.clone(), Vec::new()));
                }
            }
        }
        for second in 0..minutes * 60 {
            field.step(from.plus(1_000 * second).0);
            for (station, point, _, kwh) in &mut points {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a register"
                )]
                kwh.push(field.value(*station, *point) as u32);
            }
        }
        Self { from, kwh: points.into_iter().map(|(_, _, id, kwh)| (id, kwh)).collect() }
    }

    /// What a counter showed at a moment, kWh.
    fn at(&self, point: &str, at: Timestamp) -> i64 {
        let second = usize::try_from(at.since(self.from).div_euclid(1_000)).unwrap();
        i64::from(self.kwh[point][second.min(self.kwh[point].len() - 1)])
    }

    fn between(&self, point: &str, span: Span) -> i64 {
        self.at(point, span.to) - self.at(point, span.from)
    }
}

/// When the last reading of a counter came before a moment.
fn last_reading(reader: &Reader, point: &str, before: Timestamp) -> Timestamp {
    let station = point.split('.').next().unwrap();
    let mut last = None;
    reader
        .values::<StoreError>(
            (station, "CC", point),
            (before.plus(-3 * MINUTE_MS), before),
            |value| {
                last = Some(value.at);
                Ok(())
            },
        )
        .unwrap();
    last.unwrap()
}

/// When it is not known what a counter counted.
fn not_known(counter: &CounterEnergy) -> Vec<Span> {
    let energy = counter.energy();
    let unknown = energy.remarks().0.iter().filter(|r| matches!(r.what, What::Counter(_, false)));
    unknown.map(|remark| Span::new(remark.at, remark.until.unwrap())).collect()
}

/// The stretches of several counters as one list.
fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.from);
    spans.into_iter().fold(Vec::new(), |mut all: Vec<Span>, span| {
        match all.last_mut() {
            Some(last) if last.to >= span.from => last.to = last.to.max(span.to),
            _ => all.push(span),
        }
        all
    })
}

/// All forms of T24, and frozen counters; fuses of voltage transformers; nothing by chance.
const FAULTY: &str = r#"
[rates]
scale = 0

[[fault]] # the true count is back within the hour
kind = "T24"
target = "S1.22.471.E.IMP"
at = "00:40:00"
for = "30m"
how = "reset"

[[fault]]
kind = "T24"
target = "S1.22.472.E.IMP"
at = "00:50:00"
for = "2h"
how = "reset"

[[fault]]
kind = "T24"
target = "S1.22.473.E.IMP"
at = "00:55:00"
for = "90m"
how = "rollover"
digits = 4

[[fault]]
kind = "T24"
target = "S2.110.131.E.IMP"
at = "01:00:00"
for = "70m"
how = "rollover"
digits = 6

[[fault]]
kind = "T08"
target = "S1.22.474.E.IMP"
at = "01:10:00"
for = "100m"

[[fault]] # less than an hour, and more than registers that are filled every half hour: it catches up
kind = "T08"
target = "S1.110.131.E.IMP"
at = "03:00:00"
for = "40m"

[[fault]] # in the middle: the values come with a flag
kind = "T25"
target = "S3.22.471.E.IMP"
at = "01:20:00"
for = "30m"

[[fault]]
kind = "T27"
target = "S2.22.C41"
at = "01:30:00"
for = "20m"
phases = "three"

[[fault]]
kind = "T27"
target = "S3.22.C41"
at = "01:30:00"
for = "20m"
phases = "one"
"#;

#[test]
fn faulty_counters_never_say_more_than_the_truth() {
    let folder = tempdir().unwrap();
    let province = province(&text());
    let minutes = 240;
    record(folder.path(), &province, FAULTY, (START, minutes));
    let quiet = Scenario::parse(&province, "quiet", "[rates]\nscale = 0\n").unwrap();
    let truth = Truth::of(&province, quiet, (START, minutes));
    let reader = Reader::open(folder.path()).unwrap();
    let span = Span::new(START.plus(20 * MINUTE_MS), START.plus((minutes - 5) * MINUTE_MS));
    let stations = all(&reader, span.from, span.to);
    assert_eq!(stations.len(), 3);
    let mut seen = Vec::new();
    for station in &stations {
        check_station(&reader, &truth, span, station);
        for counter in &station.counters {
            let energy = counter.energy();
            let remarks = energy.remarks().0.iter();
            seen.extend(remarks.map(|remark| (counter.point().to_owned(), remark.what)));
        }
    }
    for (point, what) in [
        ("S1.22.471.E.IMP", What::Counter(Oddity::NotAvailable, true)),
        ("S1.22.472.E.IMP", What::Counter(Oddity::Reset, false)),
        ("S1.22.474.E.IMP", What::Counter(Oddity::Frozen, false)),
        ("S1.110.131.E.IMP", What::Counter(Oddity::Frozen, true)),
        ("S3.22.471.E.IMP", What::Counter(Oddity::Flagged, true)),
    ] {
        assert!(seen.contains(&(point.to_owned(), what)), "{point} {what:?}: {seen:?}");
    }

    // A blown fuse is in doubt, and no voltage of nothing.
    for (station, phases) in [("S2", "three"), ("S3", "one")] {
        let station = stations.iter().find(|energy| energy.station == station).unwrap();
        let bus = &station.voltages[0];
        let (range, doubtful) = (bus.range(), bus.doubtful_ms());
        let (low, _) = told(&range).unwrap();
        assert!(low > 20.0, "{phases}: {low} kV");
        let ms = i64::try_from(told(&doubtful).unwrap()).unwrap();
        assert!((ms - 20 * MINUTE_MS).abs() <= 40_000, "{phases}: {ms} ms");
    }
    windows_add_up(&reader, span, &stations);
}

/// The gateway of a station hangs for an hour, and a feeder is out from its middle on until half an hour later.
const HUNG: &str = r#"
[rates]
scale = 0

[[fault]]
kind = "T03"
target = "S3"
at = "01:00:00"
for = "1h"

[[plant]]
do = "set"
point = "S3.22.471.CB.POS"
code = "open"
at = "01:30:00"

[[plant]]
do = "set"
point = "S3.22.471.CB.POS"
code = "closed"
at = "02:30:00"
"#;

#[test]
fn what_a_gateway_repeats_that_hangs_is_not_known() {
    let folder = tempdir().unwrap();
    let province = province(&text());
    let minutes = 240;
    record(folder.path(), &province, HUNG, (START, minutes));
    let truth =
        Truth::of(&province, Scenario::parse(&province, "hung", HUNG).unwrap(), (START, minutes));
    let reader = Reader::open(folder.path()).unwrap();
    let span = Span::new(START.plus(20 * MINUTE_MS), START.plus((minutes - 5) * MINUTE_MS));
    let (hung, answers) = (START.plus(60 * MINUTE_MS), START.plus(120 * MINUTE_MS));
    let stations = all(&reader, span.from, span.to);
    for station in &stations {
        check_station(&reader, &truth, span, station);
        let lacking = station.voltages[0].within().known().lacking();
        // Old after three scans, fresh with the next one; nothing else is missing anywhere.
        let hour = if station.station == "S3" { 60 * MINUTE_MS } else { 0 };
        let apart = i64::try_from(lacking).unwrap() - hour;
        assert!((-40_000..=20_000).contains(&apart), "{}: {lacking} ms", station.station);
    }
    let found = reliability(&reader, span, |_| true).unwrap();
    let all = found.interruptions();
    let all = all.iter().filter(|(feeder, _)| feeder.station == "S3");
    let all: Vec<_> = all.map(|(_, own)| (own.from, own.until)).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    let begins = all[0].0.since(answers);
    assert!((0..=20_000).contains(&begins), "it was open when somebody saw it: {begins} ms");
    assert_eq!(all[0].1, Some(START.plus(150 * MINUTE_MS)));
    // The half hour before is not known, and neither is whether the others had supply meanwhile.
    let indices = found.indices(Some("S3"));
    let known = indices.saidi.known();
    let share = |ms: i64| i64::try_from(known.want).unwrap() / span.length() * ms;
    let lacking = i64::try_from(known.lacking()).unwrap();
    let most = share(answers.since(hung));
    assert!((share(59 * MINUTE_MS)..=most).contains(&lacking), "{lacking} of {most}");
}

/// Holds a station's figures against the truth over the same stretches.
pub(crate) fn check_station(reader: &Reader, truth: &Truth, span: Span, station: &StationEnergy) {
    let through = station.through.received().unwrap();
    let left_out = through.remarks().0.iter().map(|own| Span::new(own.at, own.until.unwrap()));
    let skipped = station.counters.iter().flat_map(not_known).chain(left_out);
    let skipped = union(skipped.map(|own| own.and(span)).collect());
    let mut sums = BTreeMap::from([(true, 0), (false, 0)]);
    for counter in &station.counters {
        let point = counter.point();
        let energy = counter.energy();
        let read =
            Span::new(last_reading(reader, point, span.from), last_reading(reader, point, span.to));
        let whole = truth.between(point, read);
        // What is not known beyond the last reading is not in it.
        let own = not_known(counter).into_iter().map(|own| own.and(read));
        let unknown: i64 = own.map(|own| truth.between(point, own)).sum();
        let counted = told(&energy).unwrap();
        let apart = (counted / KWH - (whole - unknown)).abs();
        // A count is told when it is full, at either end of each stretch.
        let stretches = 1 + i64::try_from(not_known(counter).len()).unwrap();
        let most = stretches.max((whole - unknown) / 1_000);
        assert!(
            apart <= most,
            "{point}: {counted} Wh of {whole} - {unknown}: {:?}",
            energy.remarks()
        );
        let lacking: i64 = not_known(counter).iter().map(|span| span.length()).sum();
        assert!(
            i64::try_from(energy.known().lacking()).unwrap() <= lacking + 2 * MINUTE_MS,
            "{point}"
        );
        let common: i64 = skipped.iter().map(|s| truth.between(point, *s)).sum();
        *sums.get_mut(&point.contains(".110.")).unwrap() += whole - common;
    }
    let through = &station.through;
    for (figure, is_received) in [(through.received(), true), (through.delivered(), false)] {
        let counted = told(&figure.unwrap()).unwrap() / KWH;
        let truly = sums[&is_received];
        // Counters are read some seconds apart, so each end of a stretch may be off by those.
        let most = truly / 1_000 + i64::try_from(6 + 4 * skipped.len()).unwrap();
        assert!((counted - truly).abs() <= most, "{}: {counted}, {truly}", station.station);
    }
    let lost = through.lost().unwrap();
    assert!(told(&lost).unwrap().is_plausible, "{}: {lost:?}", station.station);
}

/// Watt hours and milliseconds that are known, by counter.
fn added(stations: &[StationEnergy], sums: &mut BTreeMap<String, (i64, u64)>) {
    for counter in stations.iter().flat_map(|station| &station.counters) {
        let energy = counter.energy();
        let sum = sums.entry(counter.point().to_owned()).or_default();
        sum.0 += told(&energy).unwrap_or(0);
        sum.1 += energy.known().have;
    }
}

/// Cuts a window into parts, and holds their sum against the whole.
fn windows_add_up(reader: &Reader, span: Span, stations: &[StationEnergy]) {
    let mut whole = BTreeMap::new();
    added(stations, &mut whole);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(6));
    let strategy = prop::collection::vec(0..span.length(), 1..5);
    let result = runner.run(&strategy, |mut cuts| {
        cuts.extend([0, span.length()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut sums = BTreeMap::new();
        for pair in cuts.windows(2) {
            added(&all(reader, span.from.plus(pair[0]), span.from.plus(pair[1])), &mut sums);
        }
        for (point, (wh, known)) in &whole {
            prop_assert_eq!(sums[point].0, *wh, "{} at {:?}", point, &cuts);
            prop_assert!(sums[point].1 <= *known, "{}", point);
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_feeder_that_is_renamed_counts_under_both_names() {
    let folder = tempdir().unwrap();
    let before = province(&text());
    let renamed = text().replace(r#"FMV = ["471", "472"]"#, r#"FMV = ["471", "474"]"#);
    assert_ne!(renamed, text());
    let after = province(&renamed);
    let quiet = "[rates]\nscale = 0\n";
    let refused = "[rates]\nscale = 0\n[[fault]]\nkind = \"T07\"\ntarget = \"S3.22.472.IA\"\n\
                   at = \"20m\"\nfor = \"9m\"\n";
    record(folder.path(), &before, refused, (START, 60));
    let middle = START.plus(61 * MINUTE_MS);
    record(folder.path(), &after, quiet, (middle, 60));
    let reader = Reader::open(folder.path()).unwrap();
    let (from, to) = (START.plus(5 * MINUTE_MS), middle.plus(55 * MINUTE_MS));
    let stations = all(&reader, from, to);
    let s3 = stations.iter().find(|energy| energy.station == "S3").unwrap();
    let names: Vec<&str> = s3.counters.iter().map(CounterEnergy::point).collect();
    for name in ["S3.22.472.E.IMP", "S3.22.474.E.IMP"] {
        let counter = s3.counters.iter().find(|counter| counter.point() == name).unwrap();
        assert!(told(&counter.energy()).unwrap() > 0, "{name} of {names:?}");
    }
    let lost = s3.through.lost().unwrap();
    let lost = told(&lost).unwrap();
    assert!(lost.is_plausible, "{lost:?}");
    // The same as both parts.
    let parts = [all(&reader, from, middle), all(&reader, middle, to)];
    let received = |stations: &[StationEnergy]| {
        let s3 = stations.iter().find(|energy| energy.station == "S3").unwrap();
        told(&s3.through.received().unwrap()).unwrap()
    };
    assert_eq!(received(&parts[0]) + received(&parts[1]), received(&stations));
    // What was not live of it by the name that it has no more is listed.
    let day = START.local(Zone::hours(7)).date;
    let request = ReportRequest {
        period: Period::days(day, day, Zone::hours(7)).unwrap(),
        station: None,
        lang: Lang::En,
    };
    let made = report(&reader, &request, |_| {}).unwrap().unwrap();
    let made: serde_json::Value = serde_json::from_slice(&json::bytes(&made).unwrap()).unwrap();
    let rows = &made["sheets"]["quality"]["tables"]["least_available"]["rows"];
    let own: Vec<_> =
        rows.as_array().unwrap().iter().filter(|row| row["point"] == "22.472.IA").collect();
    assert!(!own.is_empty(), "{rows}");
    for row in own {
        assert!((500_000..600_000).contains(&row["down"].as_i64().unwrap()), "{row}");
    }
}
