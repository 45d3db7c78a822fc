//! What an order is aimed at: a station, a unit, a bay, a point, or a pattern of these.
//!
//! | written | means |
//! |---|---|
//! | `HB03` | the station |
//! | `HB03/unit 4` | one of its Modbus units |
//! | `HB03.110.171` | a bay |
//! | `HB03.110.171.CB.POS` | a point |
//! | `HB0?.22.47*.P` | a pattern: stations, else bays, else points that fit; `*` any run, `?` one character |

use config::{PointId, Province, Station, StationId, way_out};
use thiserror::Error;

/// The smallest thing that a fault can be aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// A whole station.
    Station,
    /// A unit; of a bay, the unit that carries it.
    Unit,
    /// A bay.
    Bay,
    /// A point.
    Point,
}

/// What a target names in one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) station: StationId,
    /// How much of the station was named.
    pub(crate) grain: Reach,
    /// The units that carry what was named; empty means that there is none, not all.
    pub(crate) units: Vec<u8>,
    /// Bays that were named as such, or as part of a unit or station.
    pub(crate) bays: Vec<usize>,
    /// Every point that was named.
    pub(crate) points: Vec<PointId>,
}

/// Why a text names nothing that an order could be aimed at. A hint is the way out: the nearest name,
/// or what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum TargetError {
    /// The station is not in the contract.
    #[error("no station '{name}'; {hint}")]
    NoStation { name: String, hint: String },
    /// The station has no such unit.
    #[error("{station} has no unit '{unit}'; it has {units}")]
    NoUnit { station: String, unit: String, units: String },
    /// The station has no such bay, and no such point.
    #[error("no bay or point '{id}'; {hint}")]
    NoBayOrPoint { id: String, hint: String },
    /// The bay has no such point.
    #[error("no point '{id}'; {hint}")]
    NoPoint { id: String, hint: String },
    /// Nothing is called like this.
    #[error("no station, bay or point fits '{pattern}'")]
    NothingFits { pattern: String },
    /// One point is needed.
    #[error("'{target}' is not one point, such as HB03.110.171.P")]
    NotOnePoint { target: String },
    /// One bay is needed.
    #[error("'{target}' is not one bay, such as HB03.110.171")]
    NotOneBay { target: String },
}

/// Finds what a target names.
///
/// # Errors
/// What is wrong with it, with the nearest valid name.
pub(crate) fn resolve(province: &Province, text: &str) -> Result<Vec<Aim>, TargetError> {
    let text = text.trim();
    if text.contains(['*', '?']) {
        return fitting(province, text);
    }
    let end = text.find(['.', '/']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(id) = province.site(name) else {
        let hint = way_out(name, province.stations.iter().map(|s| s.id.as_str()));
        return Err(TargetError::NoStation { name: name.to_owned(), hint });
    };
    let station = &province.stations[id.index()];
    if rest.is_empty() {
        return Ok(vec![whole(id, station)]);
    }
    if let Some(unit) = rest.strip_prefix('/') {
        return unit_of(id, station, unit).map(|aim| vec![aim]);
    }
    if let Some(bay) = (0..station.bays.len()).find(|bay| bay_id(station, *bay) == text) {
        return Ok(vec![bay_of(id, station, bay)]);
    }
    if let Some(point) = station.point(text) {
        return Ok(vec![point_of(id, station, vec![point])]);
    }
    let bays: Vec<String> = (0..station.bays.len()).map(|bay| bay_id(station, bay)).collect();
    let inside = bays.iter().find(|bay| text.starts_with(&format!("{bay}.")));
    let names: Vec<&str> = match inside {
        Some(bay) => {
            let points = station.points.iter().map(|point| point.id.as_str());
            points.filter(|point| point.starts_with(&format!("{bay}."))).collect()
        }
        None => bays.iter().map(String::as_str).collect(),
    };
    let (id, hint) = (text.to_owned(), way_out(text, names));
    Err(if inside.is_some() {
        TargetError::NoPoint { id, hint }
    } else {
        TargetError::NoBayOrPoint { id, hint }
    })
}

/// The one point with an id.
///
/// # Errors
/// What is wrong with the id, with the nearest valid name.
pub(crate) fn one_point(
    province: &Province,
    text: &str,
) -> Result<(StationId, PointId), TargetError> {
    let aims = resolve(province, text)?;
    match &aims[..] {
        [Aim { station, grain: Reach::Point, points, .. }] if points.len() == 1 => {
            Ok((*station, points[0]))
        }
        _ => Err(TargetError::NotOnePoint { target: text.to_owned() }),
    }
}

/// The one bay with an id: its station, and its place there.
///
/// # Errors
/// What is wrong with the id, with the nearest valid name.
pub(crate) fn one_bay(province: &Province, text: &str) -> Result<(StationId, usize), TargetError> {
    let aims = resolve(province, text)?;
    match &aims[..] {
        [Aim { station, grain: Reach::Bay, bays, .. }] if bays.len() == 1 => {
            Ok((*station, bays[0]))
        }
        _ => Err(TargetError::NotOneBay { target: text.to_owned() }),
    }
}

/// Id of a bay, such as `HB03.110.171`: that of its points without what follows.
pub(crate) fn bay_id(station: &Station, bay: usize) -> String {
    let point = station.points.iter().find(|point| point.bay == bay);
    let id = point.and_then(|point| {
        let end = point.id.len().checked_sub(point.spec.id.len() + 1)?;
        point.id.get(..end)
    });
    id.map_or_else(|| format!("{}.{}", station.id, station.bays[bay].name), str::to_owned)
}

fn whole(id: StationId, station: &Station) -> Aim {
    Aim {
        station: id,
        grain: Reach::Station,
        units: station.units.iter().map(|unit| unit.id).collect(),
        bays: (0..station.bays.len()).collect(),
        points: (0..station.points.len()).map(PointId::at).collect(),
    }
}

fn unit_of(id: StationId, station: &Station, text: &str) -> Result<Aim, TargetError> {
    let written = text.trim().trim_start_matches("unit").trim();
    let unit = station.units.iter().position(|unit| unit.id.to_string() == written);
    let Some(index) = unit else {
        let units: Vec<String> = station.units.iter().map(|unit| unit.id.to_string()).collect();
        return Err(TargetError::NoUnit {
            station: station.id.clone(),
            unit: written.to_owned(),
            units: units.join(", "),
        });
    };
    let bays: Vec<usize> =
        (0..station.bays.len()).filter(|bay| station.bays[*bay].unit == index).collect();
    let points = points_where(station, |bay| bays.contains(&bay));
    Ok(Aim { station: id, grain: Reach::Unit, units: vec![station.units[index].id], bays, points })
}

fn bay_of(id: StationId, station: &Station, bay: usize) -> Aim {
    let points = points_where(station, |of| of == bay);
    let units = vec![station.units[station.bays[bay].unit].id];
    Aim { station: id, grain: Reach::Bay, units, bays: vec![bay], points }
}

fn point_of(id: StationId, station: &Station, points: Vec<PointId>) -> Aim {
    let mut units: Vec<u8> = points
        .iter()
        .map(|point| station.units[station.bays[station.points[point.index()].bay].unit].id)
        .collect();
    units.sort_unstable();
    units.dedup();
    Aim { station: id, grain: Reach::Point, units, bays: Vec::new(), points }
}

fn points_where(station: &Station, wanted: impl Fn(usize) -> bool) -> Vec<PointId> {
    let points = station.points.iter().enumerate();
    points.filter(|(_, point)| wanted(point.bay)).map(|(n, _)| PointId::at(n)).collect()
}

/// Stations whose ids fit a pattern, else bays, else points.
fn fitting(province: &Province, pattern: &str) -> Result<Vec<Aim>, TargetError> {
    let fits = |text: &str| fits(pattern.as_bytes(), text.as_bytes());
    let stations = || province.site_ids().zip(&province.stations);
    let whole: Vec<Aim> =
        stations().filter(|(_, s)| fits(&s.id)).map(|(id, s)| whole(id, s)).collect();
    if !whole.is_empty() {
        return Ok(whole);
    }
    let mut aims = Vec::new();
    for (id, station) in stations() {
        let bays: Vec<usize> =
            (0..station.bays.len()).filter(|bay| fits(&bay_id(station, *bay))).collect();
        let of_bays = bays.iter().map(|bay| bay_of(id, station, *bay));
        if let Some(aim) = of_bays.reduce(joined) {
            aims.push(aim);
        }
    }
    if !aims.is_empty() {
        return Ok(aims);
    }
    for (id, station) in stations() {
        let points = station.points.iter().enumerate();
        let points: Vec<PointId> =
            points.filter(|(_, p)| fits(&p.id)).map(|(n, _)| PointId::at(n)).collect();
        if !points.is_empty() {
            aims.push(point_of(id, station, points));
        }
    }
    if aims.is_empty() {
        return Err(TargetError::NothingFits { pattern: pattern.to_owned() });
    }
    Ok(aims)
}

/// Two aims at the same station as one.
fn joined(mut one: Aim, other: Aim) -> Aim {
    one.units.extend(other.units);
    one.units.sort_unstable();
    one.units.dedup();
    one.bays.extend(other.bays);
    one.points.extend(other.points);
    one.points.sort_unstable();
    one
}

/// Whether a text fits a pattern.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character further.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((star, from)) => {
                    (p, t) = (star, from + 1);
                    retry = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_stations_units_bays_points_and_patterns() {
        let province = Province::built_in();
        let aim = |text: &str| resolve(&province, text).unwrap();
        let station = &province.stations[2];
        assert_eq!(aim("HB03")[0].points.len(), station.points.len());
        assert_eq!(aim("HB03/unit 1")[0].units, [1]);
        assert_eq!(aim("HB03/1"), aim("HB03/unit 1"));
        assert_eq!(aim("HB03.110.171")[0].grain, Reach::Bay);
        assert_eq!(aim("HB03.110.171.CB.POS")[0].points.len(), 1);
        assert_eq!(aim("HB0?").len(), 9);
        let feeders = aim("HB0?.22.47*.P");
        assert!(feeders.len() > 5 && feeders.iter().all(|aim| aim.grain == Reach::Point));
        assert!(aim("HB03.110.17?").iter().all(|aim| aim.grain == Reach::Bay));
        for (n, station) in province.stations.iter().enumerate() {
            for bay in 0..station.bays.len() {
                let found = aim(&bay_id(station, bay));
                assert_eq!((found[0].station.index(), &found[0].bays[..]), (n, &[bay][..]));
            }
        }
    }

    #[test]
    fn wrong_names_are_refused_with_the_nearest() {
        let province = Province::built_in();
        let refusal = |text: &str| resolve(&province, text).unwrap_err().to_string();
        assert!(refusal("HB3").contains("did you mean 'HB"), "{}", refusal("HB3"));
        assert!(refusal("HB03/unit 99").contains("it has 1, 2"), "{}", refusal("HB03/unit 99"));
        let point = refusal("HB03.110.171.CB.PSO");
        assert!(point.contains("did you mean 'HB03.110.171.CB.POS'?"), "{point}");
        let bay = refusal("HB03.110.177");
        assert!(bay.contains("did you mean 'HB03.110.17"), "{bay}");
        assert!(refusal("HB99*").contains("fits"));
        assert!(refusal("").contains("no station ''"));
    }

    #[test]
    fn patterns_fit_as_one_expects() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("*.P", "HB03.110.171.P", true),
            ("a?c", "ac", false),
            ("**", "", true),
            ("*b*b", "abab", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
