//! Where signals are, in as few words as an engineer would use: `F74.TC 371–373, 471–474`.

use config::{Lang, PointId, Station};

/// Signals that are spelled out; more are given by their bays alone.
const SPELLED_MAX: usize = 8;

/// How tightly to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a table: `IA, IC 371, 471`.
    Full,
    /// For one line of an overview: `IA,IC 371 471`.
    Short,
}

impl Form {
    fn infos(self) -> &'static str {
        if self == Self::Full { ", " } else { "," }
    }

    fn bays(self) -> &'static str {
        if self == Self::Full { ", " } else { " " }
    }
}

/// Signals of the same kind in the same bays.
struct Group<'a> {
    infos: Vec<&'a str>,
    bays: Vec<usize>,
}

/// The places of some points of a station. Points that mean the same are named once with all their
/// bays, and runs of bays and of numbered signals are written as runs.
pub fn places(station: &Station, points: &[PointId], form: Form, lang: Lang) -> String {
    let groups = groups(station, points);
    if groups.iter().map(|group| group.infos.len()).sum::<usize>() > SPELLED_MAX {
        return bays_alone(station, points, lang);
    }
    let written = groups.iter().map(|group| written(station, group, form));
    written.collect::<Vec<_>>().join(" · ")
}

/// The bays of some points, without the points: `ngăn 172`.
pub fn bays_alone(station: &Station, points: &[PointId], lang: Lang) -> String {
    let mut bays: Vec<usize> = points.iter().map(|p| station.points[p.index()].bay).collect();
    bays.sort_unstable();
    bays.dedup();
    if bays.len() == station.bays.len() {
        let whole = if lang == Lang::Vi { "cả trạm" } else { "whole station" };
        return whole.to_owned();
    }
    let word = match (lang, bays.len()) {
        (Lang::Vi, _) => "ngăn",
        (Lang::En, 1) => "bay",
        (Lang::En, _) => "bays",
    };
    format!("{word} {}", runs_of_bays(station, &bays).join(", "))
}

/// How often each signal falls short, most often first: `F74.TC ×7, IA ×2, TAP.POS`.
pub fn tally(station: &Station, points: &[PointId]) -> Vec<String> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for point in points {
        let id = station.points[point.index()].spec.id.as_str();
        match counted.iter_mut().find(|(known, _)| *known == id) {
            Some((_, n)) => *n += 1,
            None => counted.push((id, 1)),
        }
    }
    counted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let written = |(id, n)| if n > 1 { format!("{id} ×{n}") } else { str::to_owned(id) };
    counted.into_iter().map(written).collect()
}

fn groups<'a>(station: &'a Station, points: &[PointId]) -> Vec<Group<'a>> {
    let mut by_info: Vec<Group<'a>> = Vec::new();
    for point in points {
        let point = &station.points[point.index()];
        let info = point.spec.id.as_str();
        match by_info.iter_mut().find(|group| group.infos[0] == info) {
            Some(group) => group.bays.push(point.bay),
            None => by_info.push(Group { infos: vec![info], bays: vec![point.bay] }),
        }
    }
    let mut groups: Vec<Group<'a>> = Vec::new();
    for mut group in by_info {
        group.bays.sort_unstable();
        match groups.iter_mut().find(|known| known.bays == group.bays) {
            Some(known) => known.infos.append(&mut group.infos),
            None => groups.push(group),
        }
    }
    groups
}

fn written(station: &Station, group: &Group<'_>, form: Form) -> String {
    let infos = runs_of_infos(&group.infos).join(form.infos());
    match group.bays[..] {
        // The station as a whole needs no name.
        [bay] if station.bays[bay].level == 0 => infos,
        [bay] => format!("{} {infos}", station.bays[bay].name),
        _ => format!("{infos} {}", runs_of_bays(station, &group.bays).join(form.bays())),
    }
}

fn runs_of_bays(station: &Station, bays: &[usize]) -> Vec<String> {
    let mut names: Vec<&str> = bays.iter().map(|bay| station.bays[*bay].name.as_str()).collect();
    names.sort_by_key(|name| numbered(name));
    runs(&names, |first, last| format!("{first}–{last}"))
}

/// `F21.Z1`, `F21.Z2`, `F21.Z3` become `F21.Z1–Z3`.
fn runs_of_infos(infos: &[&str]) -> Vec<String> {
    runs(infos, |first, last| {
        let last = last.rsplit_once('.').map_or(last, |(_, info)| info);
        format!("{first}–{last}")
    })
}

/// Joins three or more names that count up.
fn runs(names: &[&str], join: impl Fn(&str, &str) -> String) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = names;
    while let Some(first) = rest.first() {
        let follows = |pair: &[&str]| match (numbered(pair[0]), numbered(pair[1])) {
            ((a, Some(m)), (b, Some(n))) => a == b && n == m + 1,
            _ => false,
        };
        let length = 1 + rest.windows(2).take_while(|pair| follows(pair)).count();
        if length >= 3 {
            out.push(join(first, rest[length - 1]));
        } else {
            out.extend(rest[..length].iter().map(|name| (*name).to_owned()));
        }
        rest = &rest[length..];
    }
    out
}

/// A name without the number at its end, and that number.
fn numbered(name: &str) -> (&str, Option<u32>) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, name[stem.len()..].parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Province;

    fn hb07(ids: &[&str], form: Form) -> String {
        let province = Province::built_in();
        let station = &province.stations[province.station("HB07").unwrap().index()];
        let points: Vec<PointId> =
            ids.iter().map(|id| station.point(&format!("HB07.{id}")).unwrap()).collect();
        places(station, &points, form, Lang::En)
    }

    #[test]
    fn signals_that_mean_the_same_are_named_once_with_all_their_bays() {
        let trip_circuits = [
            "35.371.F74.TC",
            "35.372.F74.TC",
            "35.373.F74.TC",
            "22.471.F74.TC",
            "22.472.F74.TC",
            "22.473.F74.TC",
            "22.474.F74.TC",
        ];
        assert_eq!(hb07(&trip_circuits, Form::Full), "F74.TC 371–373, 471–474");
        assert_eq!(hb07(&trip_circuits, Form::Short), "F74.TC 371–373 471–474");
        let currents = ["35.371.IA", "35.371.IC", "22.471.IA", "22.471.IC"];
        assert_eq!(hb07(&currents, Form::Full), "IA, IC 371, 471");
    }

    #[test]
    fn one_bay_comes_first_and_the_station_as_a_whole_is_not_named() {
        assert_eq!(hb07(&["110.131.TAP.POS", "110.131.TW.HV"], Form::Short), "131 TAP.POS,TW.HV");
        assert_eq!(hb07(&["0.STN.DC.I1"], Form::Full), "DC.I1");
        assert_eq!(hb07(&["110.131.TAP.POS", "0.STN.DC.I1"], Form::Full), "131 TAP.POS · DC.I1");
    }

    #[test]
    fn numbered_signals_are_written_as_a_run() {
        let zones = ["110.172.F21.Z1", "110.172.F21.Z2", "110.172.F21.Z3", "110.172.F67.TRIP"];
        assert_eq!(hb07(&zones, Form::Full), "172 F21.Z1–Z3, F67.TRIP");
        assert_eq!(hb07(&zones[..2], Form::Full), "172 F21.Z1, F21.Z2", "two are not a run");
    }

    #[test]
    fn many_signals_are_given_by_their_bays() {
        let province = Province::built_in();
        let station = &province.stations[province.station("HB07").unwrap().index()];
        let of_bay = |name: &str| {
            let in_bay = |(_, p): &(usize, &config::Point)| station.bays[p.bay].name == name;
            let points = station.points.iter().enumerate().filter(in_bay);
            points.map(|(n, _)| PointId::at(n)).collect::<Vec<_>>()
        };
        assert_eq!(places(station, &of_bay("172"), Form::Full, Lang::En), "bay 172");
        let feeders: Vec<PointId> =
            ["371", "372", "373", "C31"].into_iter().flat_map(of_bay).collect();
        assert_eq!(places(station, &feeders, Form::Full, Lang::Vi), "ngăn 371–373, C31");
        let all: Vec<PointId> = (0..station.points.len()).map(PointId::at).collect();
        assert_eq!(places(station, &all, Form::Full, Lang::Vi), "cả trạm");
    }

    #[test]
    fn the_tally_counts_signals_whatever_their_bay() {
        let province = Province::built_in();
        let station = &province.stations[province.station("HB07").unwrap().index()];
        let points = ["110.131.TAP.POS", "35.371.IA", "22.471.IA"]
            .map(|id| station.point(&format!("HB07.{id}")).unwrap());
        assert_eq!(tally(station, &points), ["IA ×2", "TAP.POS"]);
    }
}
