//! The single-line scheme of a station: what each bay is for, and what stands in series in it.

use std::collections::BTreeMap;

use config::{Bay, Station};

/// Rating of a transformer that the contract does not rate, MVA.
const RATING_MVA: f64 = 25.0;
/// Switches that carry the current of a bay, from the busbar outward.
const IN_SERIES: [&str; 8] =
    ["DS1.POS", "DS.POS", "TRUCK.POS", "CB.POS", "DS2.POS", "DS3.POS", "DS7.POS", "FUSE"];

/// What a bay is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A 110 kV line.
    Line,
    /// High side of a transformer: its number within [`Scheme::transformers`].
    Transformer(usize),
    /// Medium side of a transformer: its number within [`Scheme::transformers`].
    Incomer(usize),
    /// Its number within [`Scheme::feeders`].
    Feeder(usize),
    Capacitor,
    Service,
    Busbar,
    /// Between section 1 and its own.
    Coupler,
    Other,
}

/// The scheme of a station.
#[derive(Debug)]
pub(crate) struct Scheme {
    /// One for each bay.
    pub(crate) roles: Vec<Role>,
    pub(crate) transformers: Vec<TransformerBays>,
    /// Bays of the feeders, in their order.
    pub(crate) feeders: Vec<usize>,
    /// Bus sections: level in kV and number.
    pub(crate) sections: Vec<(u16, u8)>,
    /// Section of each bay: its place in `sections`; `None` for the station as a whole.
    pub(crate) section_of: Vec<Option<usize>>,
    /// Points of each bay by element and info.
    points: Vec<BTreeMap<String, usize>>,
    /// Switches in series in each bay: points, from the busbar outward.
    chains: Vec<Vec<usize>>,
}

/// A transformer and the bays that are its.
#[derive(Debug)]
pub(crate) struct TransformerBays {
    /// Bay of the high side.
    pub(crate) bay: usize,
    /// Rating.
    pub(crate) mva: f64,
    /// Bays of the medium sides.
    pub(crate) incomers: Vec<usize>,
}

impl Scheme {
    pub(crate) fn new(station: &Station) -> Self {
        let mut points = vec![BTreeMap::new(); station.bays.len()];
        for (n, point) in station.points.iter().enumerate() {
            points[point.bay].insert(point.spec.id.clone(), n);
        }
        let in_series = |own: &BTreeMap<String, usize>| {
            IN_SERIES.iter().filter_map(|id| own.get(*id).copied()).collect()
        };
        let mut scheme = Self {
            roles: vec![Role::Other; station.bays.len()],
            transformers: Vec::new(),
            feeders: Vec::new(),
            sections: Vec::new(),
            section_of: Vec::new(),
            chains: points.iter().map(in_series).collect(),
            points,
        };
        if station.plant.is_some() {
            // Its metered points are no part of the network.
            scheme.section_of = vec![None; station.bays.len()];
            return scheme;
        }
        for bay in &station.bays {
            scheme.add_section(bay);
        }
        scheme.assign_roles(station);
        scheme
    }

    fn add_section(&mut self, bay: &Bay) {
        if bay.level == 0 {
            self.section_of.push(None);
            return;
        }
        let own = (bay.level, bay.section);
        let found = self.sections.iter().position(|section| *section == own);
        self.section_of.push(Some(found.unwrap_or(self.sections.len())));
        if found.is_none() {
            self.sections.push(own);
        }
    }

    /// Roles by the number of a bay (Vietnamese numbering: second digit 3 transformer, 7 line or
    /// feeder, 1 coupler) and the letters of busbars, capacitors and station service.
    fn assign_roles(&mut self, station: &Station) {
        for (n, bay) in station.bays.iter().enumerate().filter(|(_, bay)| bay.is_transformer()) {
            let rated = station.transformers.iter().find(|(rated, _)| *rated == n);
            let mva = rated.map_or(RATING_MVA, |(_, mva)| *mva);
            self.roles[n] = Role::Transformer(self.transformers.len());
            debug_assert_eq!(station.bays[n].name, bay.name, "bays keep their order");
            self.transformers.push(TransformerBays { bay: n, mva, incomers: Vec::new() });
        }
        for (n, bay) in station.bays.iter().enumerate() {
            self.roles[n] = match (bay.role_digit(), self.roles[n]) {
                (_, transformer @ Role::Transformer(_)) => transformer,
                (Some('3'), _) => match self.transformer_of(station, bay) {
                    Some(transformer) => {
                        self.transformers[transformer].incomers.push(n);
                        Role::Incomer(transformer)
                    }
                    None => Role::Other,
                },
                _ if bay.is_feeder() => {
                    self.feeders.push(n);
                    Role::Feeder(self.feeders.len() - 1)
                }
                (Some('7'), _) => Role::Line,
                (Some('1'), _) => Role::Coupler,
                _ if bay.name.starts_with("TBN") => Role::Capacitor,
                _ if bay.name.starts_with("TD") => Role::Service,
                _ if bay.name.starts_with('C') => Role::Busbar,
                _ => Role::Other,
            };
        }
    }

    /// The transformer with the number of a medium-voltage bay, else the first.
    fn transformer_of(&self, station: &Station, bay: &Bay) -> Option<usize> {
        let last = |bay: &Bay| bay.name.chars().last();
        let same = |t: &TransformerBays| last(&station.bays[t.bay]) == last(bay);
        let found = self.transformers.iter().position(same);
        found.or((!self.transformers.is_empty()).then_some(0))
    }

    /// The point of a bay with this element and info.
    pub(crate) fn point(&self, bay: usize, id: &str) -> Option<usize> {
        self.points[bay].get(id).copied()
    }

    /// Bays that belong to the station as a whole.
    pub(crate) fn commons(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.roles.len()).filter(|bay| self.section_of[*bay].is_none())
    }

    /// The switches that carry the current of a bay, from the busbar outward.
    pub(crate) fn chain(&self, bay: usize) -> &[usize] {
        &self.chains[bay]
    }

    /// The section of a level with this number, else the first of the level.
    pub(crate) fn section(&self, level: u16, number: u8) -> Option<usize> {
        let exact = self.sections.iter().position(|section| *section == (level, number));
        exact.or_else(|| self.sections.iter().position(|(own, _)| *own == level))
    }

    /// The transformer that feeds a medium-voltage section in normal service.
    pub(crate) fn transformer_at(&self, section: usize) -> Option<usize> {
        let feeds = |t: &TransformerBays| {
            t.incomers.iter().any(|bay| self.section_of[*bay] == Some(section))
        };
        self.transformers.iter().position(feeds)
    }

    /// Bays of a role.
    pub(crate) fn bays(&self, role: Role) -> impl Iterator<Item = usize> + '_ {
        self.roles.iter().enumerate().filter(move |(_, own)| **own == role).map(|(bay, _)| bay)
    }
}
