//! The field over a day: values are real, agree within each bay, and come out the same every time.

use std::sync::Arc;

use config::{ChannelId, PointId, PointKind, Province, Station, StationId};
use sim::Field;

/// Wednesday 2022-11-23, midnight in Hòa Bình.
const MIDNIGHT: i64 = 1_669_136_400_000;
const HOUR: i64 = 3_600_000;

fn hours() -> impl Iterator<Item = i64> {
    (0..=24).map(|hour| MIDNIGHT + hour * HOUR)
}

struct Bay<'a> {
    field: &'a Field,
    station: &'a Station,
    id: StationId,
    index: usize,
}

impl Bay<'_> {
    fn point(&self, id: &str) -> Option<(PointId, f64)> {
        let found = self.station.points.iter().position(|p| p.bay == self.index && p.spec.id == id);
        found.map(PointId::at).map(|point| (point, self.field.value(self.id, point)))
    }

    fn value(&self, id: &str) -> Option<f64> {
        self.point(id).map(|(_, value)| value)
    }
}

fn bays<'a>(field: &'a Field, province: &'a Province) -> Vec<Bay<'a>> {
    let mut bays = Vec::new();
    for (id, station) in province.station_ids().zip(&province.stations) {
        bays.extend((0..station.bays.len()).map(|index| Bay { field, station, id, index }));
    }
    bays
}

#[test]
fn every_value_is_one_that_can_be_real_all_day() {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    for at in hours() {
        field.step(at);
        for (id, station) in province.station_ids().zip(&province.stations) {
            for (n, point) in station.points.iter().enumerate() {
                let value = field.value(id, PointId::at(n));
                assert!(value.is_finite(), "{}", point.id);
                if let Some((low, high)) = point.range {
                    let inside = (low..=high).contains(&value);
                    assert!(inside, "{} is {value}, outside {low} to {high}", point.id);
                }
                if point.spec.kind == PointKind::DoublePoint {
                    assert!([1.0, 2.0].contains(&value), "{}", point.id);
                }
            }
        }
    }
}

#[test]
fn power_voltage_and_current_of_a_bay_agree() {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    let mut compared = 0;
    for at in hours() {
        field.step(at);
        let all = bays(&field, &province);
        for bay in &all {
            let (Some(p), Some(q), Some(i)) = (bay.value("P"), bay.value("Q"), bay.value("IA"))
            else {
                continue;
            };
            let own = &bay.station.bays[bay.index];
            let bus = all.iter().filter(|other| other.id == bay.id).find(|other| {
                let other_bay = &other.station.bays[other.index];
                let same = (other_bay.level, other_bay.section) == (own.level, own.section);
                same && other.point("UAB").is_some()
            });
            let u = bay.value("UL").or(bus.and_then(|bus| bus.value("UAB"))).unwrap();
            let (power, _) = bay.point("P").unwrap();
            let full_scale = bay.station.points[power.index()].range.unwrap().1;
            let apart = (libm::hypot(p, q) - 3_f64.sqrt() * u * i / 1_000.0).abs();
            assert!(apart < 0.01 * full_scale, "{}.{}: {apart} MVA", bay.station.id, own.name);
            compared += 1;
        }
    }
    assert!(compared > 25 * 100);
}

#[test]
fn transformers_carry_what_their_feeders_draw() {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    field.step(MIDNIGHT + 18 * HOUR);
    for (id, station) in province.station_ids().zip(&province.stations) {
        let sum = |template: &str| -> f64 {
            bays(&field, &province)
                .iter()
                .filter(|bay| bay.id == id && bay.station.bays[bay.index].template == template)
                .filter_map(|bay| bay.value("P"))
                .sum()
        };
        let (feeders, incomers, transformers) = (sum("FMV"), sum("TMV"), sum("T110"));
        assert!((incomers - feeders).abs() < 0.1, "{}: {incomers} against {feeders}", station.id);
        let losses = transformers - incomers;
        assert!(losses > 0.0 && losses < 0.01 * transformers, "{}: {losses} MW", station.id);
        let peak = feeders / station.peak_mw;
        assert!((0.3..1.1).contains(&peak), "{}: {peak} of the peak", station.id);
    }
}

#[test]
fn what_is_open_in_normal_service_carries_nothing() {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    field.step(MIDNIGHT);
    let mut open = 0;
    for bay in bays(&field, &province) {
        if bay.value("CB.POS") == Some(1.0) {
            assert_eq!(bay.value("IA"), Some(0.0), "{}", bay.station.bays[bay.index].name);
            open += 1;
        }
    }
    // Two ties, and the section breakers of the stations with two transformers.
    assert!(open >= 10);
}

#[test]
fn counters_never_fall_and_run_with_the_power() {
    let province = Arc::new(Province::built_in());
    let mut field = Field::new(Arc::clone(&province));
    field.step(MIDNIGHT);
    let count = |field: &Field| -> Vec<f64> {
        let mut counts = Vec::new();
        for (id, station) in province.station_ids().zip(&province.stations) {
            for (n, point) in station.points.iter().enumerate() {
                if point.spec.kind == PointKind::Counter {
                    counts.push(field.value(id, PointId::at(n)));
                }
            }
        }
        counts
    };
    let mut before = count(&field);
    let feeder = province.station("HB03").unwrap();
    let point = |id: &str| province.stations[feeder.index()].point(id).unwrap();
    let energy = point("HB03.22.471.E.IMP");
    let start = field.value(feeder, energy);
    let mut expected = 0.0;
    for minute in 1..=60 {
        field.step(MIDNIGHT + minute * 60_000);
        expected += field.value(feeder, point("HB03.22.471.P")) * 1_000.0 / 60.0;
        let after = count(&field);
        assert!(before.iter().zip(&after).all(|(a, b)| b >= a));
        before = after;
    }
    let counted = field.value(feeder, energy) - start;
    assert!((counted - expected).abs() < 0.01 * expected + 1.0, "{counted} kWh for {expected}");
}

#[test]
fn the_same_seed_and_steps_give_the_same_registers() {
    let province = Arc::new(Province::built_in());
    let mut one = Field::new(Arc::clone(&province));
    let mut two = Field::new(Arc::clone(&province));
    for at in (0..30).map(|n| MIDNIGHT + n * 1_000) {
        one.step(at);
        two.step(at);
        // A step back, or to the same moment, changes nothing.
        two.step(at - 500);
        for n in 0..province.channels.len() {
            let channel = ChannelId::at(n);
            if at % 7 == 0 {
                let _ = one.image(channel);
            }
            assert_eq!(one.image(channel), two.image(channel));
        }
    }
    let mut other = Province::built_in();
    other.seed += 1;
    let mut other = Field::new(Arc::new(other));
    other.step(MIDNIGHT);
    assert_ne!(other.image(ChannelId::at(0)), one.image(ChannelId::at(0)));
}

#[test]
fn a_field_before_its_first_step_has_no_values() {
    let province = Arc::new(Province::built_in());
    let field = Field::new(Arc::clone(&province));
    let power = config::RegisterTable::Input;
    assert_eq!(field.image(ChannelId::at(0)).read(1, power, 0, 1), Ok(vec![0x8000]));
}

#[test]
fn a_province_with_templates_of_its_own_runs() {
    let dir = std::env::temp_dir().join(format!("gridwatch-own-bays-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("bays")).unwrap();
    let template = "id = \"W110\"\nname = \"wind\"\nlevels = [110]\nunit = \"bay\"\npoints = [\n\
        { id = \"WIND\", en = \"Wind\", vi = \"Gió\", kind = \"TI\", unit = \"m/s\", range = [0, 40], \
        required = \"AB\", scan = \"slow\", encoding = \"AF\" },\n]\n";
    std::fs::write(dir.join("bays/W110.toml"), template).unwrap();
    let province = "bays = \"bays\"\n[province]\nname = \"W\"\n[[centres]]\nid = \"CC\"\n\
        requires = [\"AB\", \"B\"]\n[[stations]]\nid = \"W1\"\nunmanned = true\n\
        [stations.bays]\nW110 = [\"181\"]\n";
    let path = dir.join("province.toml");
    std::fs::write(&path, province).unwrap();
    let province = Province::load(&path).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let mut field = Field::new(Arc::new(province));
    field.step(MIDNIGHT);
    assert!((field.value(StationId::at(0), PointId::at(0)) - 20.0).abs() < 1e-9);
}

/// What customers and plants have by the end of a day that is lived in steps of so many seconds, by
/// counter.
fn counted(province: &Arc<Province>, seconds: u16) -> Vec<(String, f64)> {
    let mut field = Field::new(Arc::clone(province));
    field.coarsen(seconds);
    // Sunday 6 November 2022, 00:00 in Vietnam: no storm breaks a feeder for long.
    let start = 1_667_667_600_000;
    let step = i64::from(seconds) * 1_000;
    let mut before = Vec::new();
    for n in 0..=86_400 / i64::from(seconds) {
        field.step(start + n * step);
        if n == 0 {
            before = counters(province, &field);
        }
    }
    let after = counters(province, &field);
    before.into_iter().zip(after).map(|((id, old), (_, new))| (id, new - old)).collect()
}

fn counters(province: &Province, field: &Field) -> Vec<(String, f64)> {
    let stations = province.site_ids().zip(&province.stations);
    let all = stations.flat_map(|(id, station)| {
        let points = station.points.iter().enumerate();
        let own =
            points.filter(|(_, p)| matches!(&p.spec.id[..], "E.IMP" | "E.EXP" | "E.OUT" | "E.IN"));
        own.map(move |(n, p)| (p.id.clone(), field.value(id, PointId::at(n))))
    });
    all.collect()
}

#[test]
fn a_coarser_step_counts_the_same_energy() {
    let text = include_str!("../../config/small.toml");
    let province = Arc::new(Province::parse("small.toml", text).unwrap());
    let (fine, coarse) = (counted(&province, 10), counted(&province, 300));
    let sum = |counted: &[(String, f64)]| counted.iter().map(|(_, kwh)| kwh).sum::<f64>();
    assert!(sum(&fine) > 1e5);
    assert!((sum(&coarse) / sum(&fine) - 1.0).abs() < 0.001, "{} {}", sum(&coarse), sum(&fine));
    for ((id, a), (_, b)) in fine.iter().zip(&coarse) {
        // Noise of a minute and drift of half an hour are drawn more rarely.
        assert!((a - b).abs() <= 0.01 * a.abs() + 20.0, "{id}: {a} and {b} kWh");
    }
}
