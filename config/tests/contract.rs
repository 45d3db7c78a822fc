//! The reference province and the datalists are what the trade says they are.

use config::{Class, Date, PointKind, Province, RegisterTable, Standing};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn the_datalists_hold_292_points_with_names_in_both_languages() {
    let province = Province::built_in();
    // Points of a sub-template stand in each template that includes it: count each once.
    let own: BTreeSet<(bool, String, String)> = province
        .templates
        .iter()
        .filter(|template| template.id != "PM") // metered points of plants are no part of the datalist
        .filter(|template| template.unit.is_none() || template.points.len() > 1)
        .flat_map(|template| {
            let sub: Vec<&str> = province
                .templates
                .iter()
                .filter(|t| t.unit.is_none() && t.id != template.id)
                .filter(|t| t.points.iter().all(|p| template.points.contains(p)))
                .flat_map(|t| t.points.iter().map(|p| p.id.as_str()))
                .collect();
            template
                .points
                .iter()
                .filter(|point| !sub.contains(&point.id.as_str()))
                .map(|point| (template.unit.is_none(), template.id.clone(), point.id.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(own.len(), 292);
    for template in &province.templates {
        for point in &template.points {
            assert!(!point.name.vi.is_empty() && !point.name.en.is_empty(), "{}", point.id);
            if point.kind == PointKind::Measurement {
                let known = point.range.is_some() || !point.range_by_level.is_empty();
                assert!(known, "{} {} has no range", template.id, point.id);
            }
        }
    }
}

#[test]
fn the_reference_province_has_the_counts_of_the_forms() {
    let province = Province::built_in();
    let counts: Vec<usize> = province.substations().iter().map(|s| s.points.len()).collect();
    assert_eq!(counts, [1115, 917, 1071, 541, 574, 888, 676, 888, 676, 807]);
    let units: Vec<usize> = province.substations().iter().map(|s| s.units.len()).collect();
    // Bay control units as the control room counts them, and one metering unit each.
    assert_eq!(units, [12, 10, 11, 5, 6, 10, 7, 10, 7, 10].map(|n| n + 1));
    let [cc, a1] = ["CC", "A1"].map(|id| province.centre(id).unwrap());
    assert_eq!((province.required(cc), province.required(a1)), (7216, 2364));
    let optional = province
        .stations
        .iter()
        .flat_map(|s| &s.points)
        .filter(|point| point.spec.class == Class::Optional)
        .count();
    assert_eq!(optional, 937);
    let hb07 = province.station("HB07").unwrap();
    assert_eq!(province.channel(hb07, cc).required(), 597);
    assert_eq!(province.channel(hb07, a1).required(), 199);
}

#[test]
fn only_one_station_is_not_full_and_its_points_are_named() {
    let province = Province::built_in();
    for (centre, absent, untested) in [("CC", 14, 6), ("A1", 2, 6)] {
        let centre = province.centre(centre).unwrap();
        for station in province.station_ids() {
            let channel = province.channel(station, centre);
            let count = |what: fn(&Standing) -> bool| {
                channel.entries.iter().filter(|e| e.required && what(&e.standing)).count()
            };
            let found = (
                count(|s| matches!(s, Standing::Absent(_))),
                count(|s| matches!(s, Standing::Untested(_))),
            );
            let is_hb07 = province.stations[station.index()].id == "HB07";
            assert_eq!(found, if is_hb07 { (absent, untested) } else { (0, 0) });
        }
    }
}

#[test]
fn meters_add_up_to_the_coverage_of_the_province() {
    let province = Province::built_in();
    let sold = |group: &&config::MeterGroup| province.meter_classes[group.class].sold;
    let groups = || province.stations.iter().flat_map(|s| &s.meters);
    let installed: u32 = groups().filter(sold).map(|g| g.installed).sum();
    let remote: u32 = groups().filter(sold).map(|g| g.remote).sum();
    assert_eq!((installed, remote), (268_800, 199_520));
}

#[test]
fn no_two_points_of_a_channel_share_a_cell_and_every_mapped_point_has_one() {
    let province = Province::built_in();
    for channel in &province.channels {
        let mut cells = BTreeSet::new();
        for entry in &channel.entries {
            let mapped = matches!(entry.standing, Standing::Tested(_) | Standing::Untested(_));
            assert_eq!(entry.register.is_some(), mapped);
            let Some(register) = entry.register else { continue };
            let own = u32::from(register.address)..register.end();
            for cell in own.chain(register.quality.map(u32::from)) {
                assert!(cells.insert((register.unit, register.table, cell)));
            }
        }
    }
}

#[test]
fn a_missing_point_leaves_a_hole_and_moves_nobody() {
    let text = std::fs::read_to_string("hoa-binh.toml").unwrap();
    let absent = "[[stations.absent]]\npoints = [\"110.171.P\"]\n\n[[stations]]\nid = \"HB02\"";
    let changed = text.replacen("[[stations]]\nid = \"HB02\"", absent, 1);
    assert_ne!(text, changed);
    let before = Province::parse("before", &text).unwrap();
    let after = Province::parse("after", &changed).unwrap();
    for (a, b) in before.channels.iter().zip(&after.channels) {
        for (n, (a_entry, b_entry)) in a.entries.iter().zip(&b.entries).enumerate() {
            let id = &before.stations[a.station.index()].points[n].id;
            if id == "HB01.110.171.P" {
                assert!(a_entry.register.is_some() && b_entry.register.is_none());
                assert!(b_entry.required);
            } else {
                assert_eq!(a_entry, b_entry, "{id}");
            }
        }
    }
}

#[test]
fn a_pinned_point_stands_where_the_device_has_it() {
    let text = std::fs::read_to_string("small.toml").unwrap();
    let pin = "\n[[stations.pins]]\npoint = \"110.171.P\"\ntable = \"holding\"\naddress = 4000\n\
               encoding = \"AF\"\nword_order = \"CDAB\"\n";
    let province = Province::parse("small.toml", &(text + pin)).unwrap();
    let station = province.stations.last().unwrap();
    let point = station.point("S3.110.171.P").unwrap();
    let channel = province.channels.iter().find(|c| c.station.index() == 2).unwrap();
    let register = channel.entries[point.index()].register.unwrap();
    assert_eq!((register.table, register.address), (RegisterTable::Holding, 4000));
    assert_eq!(register.encoding.code(), "AF");
    assert_eq!(register.word_order.code(), "CDAB");
    assert_eq!(register.quality, None);
}

#[test]
fn the_file_to_start_from_is_valid() {
    let province = Province::load(Path::new("small.toml")).unwrap();
    assert_eq!(province.stations.len(), 3);
}

#[test]
fn moved_ports_stay_in_range() {
    let mut province = Province::built_in();
    province.move_ports(20_000).unwrap();
    assert_eq!(province.channels[0].port, 20_000);
    // Plants come behind all stations: their ports are the last.
    let port = |site: &str, centre: &str| {
        let channel =
            province.channel_id(province.site(site).unwrap(), province.centre(centre).unwrap());
        province.channels[channel.index()].port
    };
    assert_eq!([port("HB10", "CC"), port("HB10", "A1")], [20_009, 20_019]);
    assert_eq!([port("HPP", "CC"), port("HPP", "A1")], [20_020, 20_021]);
    assert_eq!(
        province.move_ports(65_530).unwrap_err().to_string(),
        "port base 65530 does not fit: 22 ports are needed, use 1 to 65514"
    );
    province.move_ports(65_514).unwrap();
    assert_eq!(province.channels[21].port, 65_535);
    let device = &mut province.channels[3];
    (device.pinned_address, device.port) = (true, 30_001);
    assert_eq!(
        province.move_ports(30_000).unwrap_err().to_string(),
        "port base 30000 does not fit: HB02 at CC would have 127.0.0.1:30001, which another \
         station's 'address' has; choose another base"
    );
    assert_eq!(province.channels[21].port, 65_535, "nothing was moved");
    province.move_ports(30_002).unwrap();
}

#[test]
fn the_address_of_a_device_may_be_of_either_kind() {
    let text = include_str!("../small.toml");
    let with = |address: &str| {
        let line = format!("[[stations]]\naddress = {{ CC = \"{address}\" }}");
        Province::parse("f", &text.replacen("[[stations]]", &line, 1))
    };
    let pinned = |address: &str| {
        let channel = with(address).unwrap().channels[0].clone();
        (channel.host, channel.port)
    };
    assert_eq!(pinned("[fd00::1]:502"), ("fd00::1".to_owned(), 502));
    assert_eq!(pinned("rtu-7.example:502"), ("rtu-7.example".to_owned(), 502));
    for wrong in ["fd00::1:502", "[fd00::1]", "[10.1.2.3]:502", ":502", "[]:502", "h:0"] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_fleet_has_its_stations_in_small_grids_of_their_own_source() {
    let fleet = Province::fleet(12).unwrap();
    assert_eq!((fleet.stations.len(), fleet.channels.len(), fleet.sources.len()), (12, 12, 3));
    let [first, last] = [0, 11].map(|n| &fleet.stations[n]);
    assert_eq!((last.id.as_str(), last.points.len()), ("F0012", first.points.len()));
    assert!((750..850).contains(&last.points.len()), "{}", last.points.len());
    assert!(last.point("F0012.110.171.P").is_some());
    let labels = |n: usize| [0, 1].map(|bay| fleet.stations[n].bays[bay].label.en.as_str());
    assert_eq!(labels(9), ["F0009", "110 kV line bay"]);
    assert_eq!(labels(10), ["G0003", "F0012"]);
    assert_eq!(labels(11), ["F0011", "110 kV line bay"]);
    // What is the same is there once.
    let entries = |n: usize| &fleet.channels[n].entries;
    assert!((0..12).all(|n| entries(n).is_shared_with(entries(n % 5))));
    assert_eq!(fleet.channels[11].port, fleet.link.port_base + 11);
}

#[test]
fn a_fleet_of_no_or_too_many_stations_is_refused() {
    for count in [0, 10_001] {
        let problems = Province::fleet(count).unwrap_err();
        assert!(problems.to_string().contains("1 to 10000"), "{problems}");
    }
}

#[test]
fn a_province_is_read_again_from_what_it_was_read_from() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("thai-nguyen.toml");
    let provinces =
        [Province::built_in(), Province::load(&file).unwrap(), Province::fleet(7).unwrap()];
    for province in provinces {
        let again = Province::from_origin(&province.origin).unwrap();
        assert_eq!(again.origin, province.origin);
        assert_eq!(again.stations.len(), province.stations.len());
        for (one, other) in again.channels.iter().zip(&province.channels) {
            assert_eq!(one.required(), other.required());
            assert!(one.entries.iter().eq(other.entries.iter()));
        }
    }
}

#[test]
fn priority_a_is_what_a_station_without_staff_must_be_seen_by() {
    let province = Province::built_in();
    let points = province.templates.iter().flat_map(|template| &template.points);
    let mut statuses = 0;
    for point in points.clone() {
        let is_trip = point.states.as_ref().is_some_and(|states| states[1].en == "trip");
        if point.kind == PointKind::DoublePoint || is_trip {
            assert!(point.priority_a, "{}: positions and protection trips", point.id);
        }
        if point.priority_a {
            assert!(point.kind.is_status(), "{}: a status, told at once", point.id);
            statuses += 1;
        }
        let never = ["TAP.POS", "OLTC.PROG"].contains(&point.id.as_str());
        assert!(!(point.priority_a && (never || point.id.starts_with("F74."))), "{}", point.id);
    }
    let has = |id: &str| points.clone().any(|point| point.id == id && point.priority_a);
    for id in
        ["F96.ALM", "F26W.ALM", "DC.EF1", "CB.DC1", "FIRE.ALM", "SEC.FENCE", "GW1.FAIL", "CH.A1"]
    {
        assert!(has(id), "{id}");
    }
    assert!(statuses > 100, "{statuses}");
    for station in &province.stations {
        assert_eq!(station.in_charge, province.centre("CC").unwrap());
    }
}

#[test]
fn a_station_may_name_the_centre_that_operates_it() {
    let text = include_str!("../small.toml");
    let text = text.replacen("unmanned = true  ", "unmanned = true\nin_charge = \"A1\" ", 1);
    let province = Province::parse("small.toml", &text).unwrap();
    assert_eq!(province.stations[0].in_charge, province.centre("A1").unwrap());
    assert_eq!(province.stations[1].in_charge, province.centre("CC").unwrap());
    let text = text.replacen("in_charge = \"A1\"", "in_charge = \"A2\"", 1);
    let problems = Province::parse("small.toml", &text).unwrap_err().to_string();
    assert!(problems.contains("no centre 'A2'") && problems.contains("A1"), "{problems}");
}

#[test]
fn a_day_is_judged_by_what_held_on_it() {
    let province = Province::built_in();
    let station = province.station("HB07").unwrap();
    let date = |month, day| Date { year: 2022, month, day };
    let lacks = |day: Date| -> Vec<(usize, usize)> {
        let then = province.as_of(day);
        let counts = ["CC", "A1"].map(|centre| {
            let entries = &then.channel(station, then.centre(centre).unwrap()).entries;
            let of = |is: fn(&Standing) -> bool| {
                entries.iter().filter(|entry| entry.required && is(&entry.standing)).count()
            };
            let absent = of(|standing| matches!(standing, Standing::Absent(_)));
            (absent, of(|standing| matches!(standing, Standing::Untested(_))))
        });
        counts.to_vec()
    };
    assert_eq!(lacks(date(11, 2)), [(14, 6), (2, 6)]);
    // Seven trip-circuit supervisions and the relay are of the second.
    assert_eq!(lacks(date(11, 1)), [(7, 0), (2, 0)]);
    assert_eq!(lacks(date(10, 17)), [(6, 0), (1, 0)], "and the tap position of 18 October");
    let before = province.as_of(Date { year: 2021, month: 6, day: 14 });
    let entries = |centre: &str| &before.channel(station, before.centre(centre).unwrap()).entries;
    let tested = |centre| entries(centre).iter().any(|e| matches!(e.standing, Standing::Tested(_)));
    assert!(tested("A1") && !tested("CC"), "CC accepted its tests on the fifteenth");
}

#[test]
fn days_that_cannot_be_are_refused() {
    let text = include_str!("../small.toml");
    for (year, good) in [("0000", false), ("9999", false), ("2031", true)] {
        let text = text.replacen("CC = 2021", &format!("CC = {year}"), 1);
        let problems = Province::parse("small.toml", &text).err().map(|found| found.to_string());
        let says = problems.as_ref().is_some_and(|said| said.contains("years are 1950 to 2199"));
        assert_eq!((problems.is_none(), says), (good, !good), "{year}: {problems:?}");
    }
}

#[test]
fn a_short_text_cannot_stand_for_millions_of_signals() {
    let mut text = std::fs::read_to_string("small.toml").unwrap();
    let bays: Vec<String> = (0..400).map(|n| format!("\"4{n:03}\"")).collect();
    for n in 0..100 {
        write!(
            text,
            "\n[[stations]]\nid = \"X{n}\"\nname = \"X{n}\"\nunmanned = false\npeak_mw = 1\n[stations.bays]\nFMV = [{}]\n",
            bays.join(", ")
        )
        .unwrap();
    }
    let problems = Province::parse("large.toml", &text).unwrap_err().to_string();
    assert!(problems.contains("more than 1000000 signals"), "{problems}");
}

/// What is wrong with the built-in province when a text in one of its templates is another one.
fn with_template(from: &str, to: &str) -> Result<Province, config::Problems> {
    let config::Origin::Texts { file, text, mut templates } =
        config::Origin::clone(&Province::built_in().origin)
    else {
        return Province::fleet(1);
    };
    let mut count = 0;
    for (_, template) in &mut templates {
        count += template.matches(from).count();
        *template = template.replace(from, to);
    }
    assert_eq!(count, 1, "{from}");
    Province::from_origin(&config::Origin::Texts { file, text, templates })
}

#[test]
fn a_template_marks_the_heartbeat_of_its_gateway() {
    let marked = |province: &Province| -> Vec<String> {
        let points = province.templates.iter().flat_map(|template| &template.points);
        points.filter(|point| point.is_heartbeat).map(|point| point.id.clone()).collect()
    };
    assert_eq!(marked(&Province::built_in()), ["STN.HB"]);
    // Another name is as good.
    let other = with_template("\"STN.HB\"", "\"GW.LIFE\"").unwrap();
    assert_eq!(marked(&other), ["GW.LIFE"]);
    let none = with_template("heartbeat = true, ", "").unwrap();
    assert!(marked(&none).is_empty());
    // One a station, of its gateway, and a count.
    let deny = |from: &str, to: &str, message: &str| {
        let problems = with_template(from, to).unwrap_err().to_string();
        assert!(problems.contains(message), "{problems}");
    };
    let marked = |id: &str| format!("{{ id = \"{id}\", heartbeat = true,");
    for (id, message) in [
        ("DC.U1", "template 'STN' has two heartbeats, 'DC.U1' and 'STN.HB'"),
        ("DC.EF1", "a bit may look the same at each read"),
        ("TOIL", "only a template with unit = \"station\" has one"),
    ] {
        deny(&format!("{{ id = \"{id}\","), &marked(id), message);
    }
}
