//! Finding names by letters without their marks, and keys typed through a Vietnamese keyboard.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{PointId, Province, StationId};
use unicode_normalization::UnicodeNormalization as _;
use words::letters::fold;

/// The key that was meant: Telex turns `w` into `ư` and doubled letters into marked ones.
pub(crate) fn key(typed: char) -> char {
    match typed {
        'ư' => 'w',
        'Ư' => 'W',
        'đ' => 'd',
        'Đ' => 'D',
        _ => typed.nfd().next().unwrap_or(typed),
    }
}

/// Names of everything that can be found, folded once.
#[derive(Debug)]
pub(crate) struct Index {
    stations: Vec<String>,
    /// By station and bay.
    bays: Vec<Vec<String>>,
    /// By template point.
    specs: Vec<String>,
    /// Template point of each point of each station.
    spec_of: Vec<Vec<u32>>,
}

impl Index {
    /// Folds the names of a province.
    pub(crate) fn new(province: &Province) -> Self {
        let mut known = BTreeMap::new();
        let mut specs = Vec::new();
        let mut spec_of = Vec::with_capacity(province.stations.len());
        for station in &province.stations {
            let of_station = station.points.iter().map(|point| {
                *known.entry(Arc::as_ptr(&point.spec)).or_insert_with(|| {
                    let spec = &point.spec;
                    specs.push(fold(&format!("{} {} {}", spec.id, spec.name.vi, spec.name.en)));
                    u32::try_from(specs.len() - 1).unwrap_or(0)
                })
            });
            spec_of.push(of_station.collect());
        }
        let bay = |bay: &config::Bay| fold(&format!("{} {}", bay.name, bay.label.vi));
        let bays = |station: &config::Station| station.bays.iter().map(bay).collect();
        Self {
            stations: province.stations.iter().map(station_text).collect(),
            bays: province.stations.iter().map(bays).collect(),
            specs,
            spec_of,
        }
    }

    /// Whether a station has all of these words in its name.
    pub(crate) fn station(&self, words: &Words, station: StationId) -> bool {
        let text = &self.stations[station.index()];
        words.0.iter().all(|word| text.contains(word.as_str()))
    }

    /// Whether every word is in the name of the point, of its bay or of its station.
    pub(crate) fn point(
        &self,
        words: &Words,
        station: StationId,
        bay: usize,
        point: PointId,
    ) -> bool {
        let s = station.index();
        let spec = self.spec_of[s][point.index()] as usize;
        let texts = [&self.specs[spec], &self.bays[s][bay], &self.stations[s]];
        words.0.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }
}

fn station_text(station: &config::Station) -> String {
    fold(&format!("{} {}", station.id, station.name.vi))
}

/// What is looked for: folded words, all of which must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// The words of what was typed.
    pub(crate) fn new(typed: &str) -> Self {
        // Ids are written with dots; their parts stand in several names.
        Self(fold(typed).split_whitespace().map(str::to_owned).collect())
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text has them all.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        let text = fold(text);
        self.0.iter().all(|word| text.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_case_do_not_count_when_finding() {
        assert_eq!(fold("Trạm ĐƯỜNG Yên Thủy"), "tram duong yen thuy");
        assert_eq!(fold("Tra\u{323}m"), "tram", "decomposed input too");
        assert!(Words::new("yen thuy").are_in("HB07 Yên Thủy"));
        assert!(Words::new("Thuỷ hb07").are_in("HB07 Yên Thủy"), "whatever the order");
        assert!(!Words::new("thuy x").are_in("HB07 Yên Thủy"));
    }

    #[test]
    fn telex_letters_are_the_keys_that_were_meant() {
        let typed: String = "ưăâêôơđẳĐQ/1".chars().map(key).collect();
        assert_eq!(typed, "waaeoodaDQ/1");
    }

    #[test]
    fn a_point_is_found_by_parts_of_station_bay_and_name() {
        let province = Province::built_in();
        let index = Index::new(&province);
        let station = province.station("HB07").unwrap();
        let of_station = &province.stations[station.index()];
        let point = of_station.point("HB07.22.471.F74.TC").unwrap();
        let bay = of_station.points[point.index()].bay;
        let found = |typed| index.point(&Words::new(typed), station, bay, point);
        assert!(found("yen thuy 471 mach cat"));
        assert!(found("f74.tc"));
        assert!(found("trip-circuit"));
        assert!(!found("472"));
    }
}
