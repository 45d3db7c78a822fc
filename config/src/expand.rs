//! From a draft to a province: templates expanded, names resolved, registers allotted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use crate::codec::WordOrder;
use crate::document::{Document, Place, Placed};
use crate::draft::{Draft, Identities, LineDraft, MeterDraft, Pin, Remark, StationDraft};
use crate::kind::PointKind;
use crate::metering::{MeterFigures, SoldFigures};
use crate::names::{Date, Name};
use crate::problem::{Problems, way_out};
use crate::province::{
    Bay, Cause, CentreId, Channel, Device, DeviceKind, DeviceLimits, Entry, Line, LineEnd,
    MeterGroup, Origin, Plant, Point, PointId, Province, Standing, Station, StationId, Whole,
};
use crate::registers::{Register, RegisterTable, Slot, allot, limits};
use crate::template::{Class, Deadband, DeviceRule, PointSpec, Template};

/// Channels of a province: each needs a port of its own.
const CHANNELS_MAX: usize = 60_000;

/// Signals of a province, each point counted at each centre: ten times those of forty large stations with three
/// centres. A few names of bays in a file make thousands of them.
const SIGNALS_MAX: usize = 1_000_000;

/// Template of the metered points of a plant.
const METERED_POINT: &str = "PM";

/// Bays of a station; the largest real ones have some dozens.
const BAYS_MAX: usize = 500;

pub(crate) fn expand(
    doc: &Document<'_>,
    draft: Draft,
    templates: Vec<Template>,
    origin: Arc<Origin>,
) -> Result<Province, Problems> {
    refuse_twins(doc, "centre", draft.centres.iter().map(|c| (c.value.id.as_str(), &c.place)));
    refuse_twins(doc, "station", draft.stations.iter().map(|s| (s.id.as_str(), &s.place)));
    refuse_twins(doc, "source", draft.sources.iter().map(|s| (s.value.id.as_str(), &s.place)));
    refuse_twins(doc, "district", draft.districts.iter().map(|d| (d.value.id.as_str(), &d.place)));
    let years: Vec<(String, &Place)> =
        draft.reported_years.iter().map(|y| (y.value.year.to_string(), &y.place)).collect();
    refuse_twins(doc, "reported year", years.iter().map(|(year, place)| (&year[..], *place)));
    let classes = draft.meter_classes.iter().map(|c| (c.value.id.as_str(), &c.place));
    refuse_twins(doc, "meter class", classes);
    let channels = draft.centres.len().max(1) * draft.stations.len().max(1);
    let too_many = if channels > CHANNELS_MAX {
        Some(format!("{CHANNELS_MAX} channels (stations × centres)"))
    } else {
        let is_large = signals(&draft, &templates) > SIGNALS_MAX;
        is_large.then(|| format!("{SIGNALS_MAX} signals (points × centres)"))
    };
    if let Some(what) = too_many {
        let place = &draft.link_place;
        doc.note(place.offset, &place.key, format!("more than {what}; split it"));
        return Err(doc.take_problems());
    }
    let mut province = Province {
        name: draft.name,
        zone: draft.zone,
        seed: draft.seed,
        sold_gwh_per_year: draft.sold_gwh_per_year,
        reported_years: draft.reported_years.into_iter().map(|year| year.value).collect(),
        targets: draft.targets,
        scan: draft.scan,
        link: draft.link,
        history: draft.history,
        form: draft.form,
        unmanned_seen: draft.unmanned.seen,
        centres: draft.centres.into_iter().map(|c| c.value).collect(),
        sources: draft.sources.into_iter().map(|s| s.value).collect(),
        lines: Vec::new(),
        meter_classes: draft.meter_classes.into_iter().map(|c| c.value).collect(),
        districts: draft.districts.into_iter().map(|d| d.value).collect(),
        stations: Vec::new(),
        channels: Vec::new(),
        templates,
        origin,
    };
    settle_identities(doc, &mut province, draft.identities);
    // Whoever names no centre in charge has the first one in charge.
    let in_charge = draft.unmanned.in_charge.as_ref();
    let in_charge = in_charge.map_or(CentreId(0), |named| centre_in_charge(doc, &province, named));
    for station in &draft.stations {
        let expanded = Builder { doc, province: &province, draft: station }.station(in_charge);
        province.stations.push(expanded);
    }
    add_lines(doc, &mut province, &draft.lines);
    settle_plants(doc, &mut province, &draft.stations);
    for centre in province.centre_ids() {
        for (station, draft) in province.site_ids().zip(&draft.stations) {
            let mut builder = ChannelBuilder::new(doc, &province, station, draft);
            let channel = builder.channel(centre, port_of(&province, station, centre));
            province.channels.push(channel);
        }
    }
    let channels = province.centres.len() * province.stations.len();
    let channels = u32::try_from(channels).unwrap_or(u32::MAX);
    let last = u32::from(province.link.port_base) + channels.saturating_sub(1);
    if last > u32::from(u16::MAX) {
        let place = &draft.link_place;
        let message = format!("the last port would be {last}; start 'port_base' lower");
        doc.note(place.offset, &place.key, message);
    } else {
        refuse_shared_addresses(doc, &province, &draft.stations);
    }
    refuse_empty_regions(doc, &province, &draft.stations);
    if doc.has_problems() { Err(doc.take_problems()) } else { Ok(province) }
}

/// How many signals a province would have: points of all bays, each at each centre.
fn signals(draft: &Draft, templates: &[Template]) -> usize {
    let points: BTreeMap<&str, usize> =
        templates.iter().map(|template| (&template.id[..], template.points.len())).collect();
    let bays = draft.stations.iter().flat_map(|station| &station.bays);
    let of_bays = bays.map(|(template, names)| {
        let each = points.get(&template.value[..]).copied().unwrap_or(0);
        each.saturating_mul(names.len().min(BAYS_MAX))
    });
    of_bays.fold(0, usize::saturating_add).saturating_mul(draft.centres.len())
}

/// The centre with a name, to be in charge of stations.
fn centre_in_charge(doc: &Document<'_>, province: &Province, named: &Placed<String>) -> CentreId {
    province.centre(&named.value).unwrap_or_else(|| {
        let hint = way_out(&named.value, province.centres.iter().map(|c| c.id.as_str()));
        let message = format!("no centre '{}'; {hint}", named.value);
        doc.note(named.place.offset, &named.place.key, message);
        CentreId(0)
    })
}

/// Port of a channel without an address of its own: centre by centre and station by station, and
/// behind all of these the plants, likewise.
fn port_of(province: &Province, site: StationId, centre: CentreId) -> u32 {
    let (stations, sites) = (province.substations().len(), province.stations.len());
    let place = match site.index().checked_sub(stations) {
        None => centre.index() * stations + site.index(),
        Some(plant) => {
            province.centres.len() * stations + centre.index() * (sites - stations) + plant
        }
    };
    u32::from(province.link.port_base).saturating_add(u32::try_from(place).unwrap_or(u32::MAX))
}

/// A plant's 110 kV points are where the lines of its source begin, one each.
fn settle_plants(doc: &Document<'_>, province: &mut Province, drafts: &[StationDraft]) {
    for (n, draft) in drafts.iter().enumerate() {
        let Some(plant) = &draft.plant else { continue };
        let yard = province.stations[n].bays.iter().filter(|bay| bay.level == 110).count();
        let complain = |place: &Place, message| doc.note(place.offset, &place.key, message);
        let Some(name) = &plant.source else {
            if yard > 0 {
                let message = format!("plant '{}' has points at 110 kV, but no 'source'", draft.id);
                complain(&draft.place, message);
            }
            continue;
        };
        let Some(source) = province.sources.iter().position(|s| s.id == name.value) else {
            let hint = way_out(&name.value, province.sources.iter().map(|s| s.id.as_str()));
            complain(&name.place, format!("no source '{}'; {hint}", name.value));
            continue;
        };
        let end = LineEnd::Infeed(source);
        let lines = province.lines.iter().filter(|line| line.from == end || line.to == end).count();
        if lines != yard {
            let message = format!(
                "{lines} lines begin at source '{}', but plant '{}' has {yard} points at 110 kV: one \
                 for each is needed",
                name.value, draft.id
            );
            complain(&name.place, message);
        }
        if let Some(own) = &mut province.stations[n].plant {
            own.source = Some(source);
        }
    }
}

/// Gives each centre what it shows on secured connections.
fn settle_identities(doc: &Document<'_>, province: &mut Province, identities: Identities) {
    let Some(tls) = &mut province.link.tls else { return };
    tls.centres = vec![None; province.centres.len()];
    for (name, identity) in identities {
        let centre = province.centres.iter().position(|centre| centre.id == name.value);
        let Some(centre) = centre else {
            let hint = way_out(&name.value, province.centres.iter().map(|c| c.id.as_str()));
            let message = format!("no centre '{}'; {hint}", name.value);
            doc.note(name.place.offset, &name.place.key, message);
            continue;
        };
        tls.centres[centre] = identity;
    }
}

/// What is only told in one go must have something in it, at one centre at least: a region at a
/// wrong address would change nothing, and nobody would notice.
fn refuse_empty_regions(doc: &Document<'_>, province: &Province, drafts: &[StationDraft]) {
    for (id, draft) in province.site_ids().zip(drafts) {
        for Placed { value: whole, place } in &draft.whole {
            let own = province.channels.iter().filter(|channel| channel.station == id);
            // Of the others something else has been said.
            let mut kept = own.filter(|channel| channel.whole.contains(whole)).peekable();
            if kept.peek().is_some() && !kept.any(|channel| has_register_in(channel, *whole)) {
                doc.note(place.offset, &place.key, "no register of the station lies in it");
            }
        }
    }
}

fn has_register_in(channel: &Channel, whole: Whole) -> bool {
    let meets =
        |start: u16, end: u32| u32::from(start) < whole.end() && u32::from(whole.address) < end;
    channel.entries.iter().filter_map(|entry| entry.register).any(|register| {
        let quality = register.quality;
        (register.unit, register.table) == (whole.unit, whole.table)
            && (meets(register.address, register.end())
                || quality.is_some_and(|at| meets(at, u32::from(at) + 1)))
    })
}

/// Two channels at one address would show one station's values as the other's.
fn refuse_shared_addresses(doc: &Document<'_>, province: &Province, drafts: &[StationDraft]) {
    let mut seen: BTreeMap<(&str, u16), &Channel> = BTreeMap::new();
    for channel in &province.channels {
        let address = (channel.host.as_str(), channel.port);
        let Some(first) = seen.insert(address, channel) else { continue };
        let named = |channel: &Channel| {
            let station = &province.stations[channel.station.index()].id;
            format!("{station} at {}", province.centres[channel.centre.index()].id)
        };
        let pinned = if channel.pinned_address { channel } else { first };
        let place = &drafts[pinned.station.index()].place;
        let (host, port) = address;
        let message = format!(
            "{} and {} have the same address {host}:{port}; change 'address' or 'port_base'",
            named(first),
            named(channel)
        );
        doc.note(place.offset, &place.key, message);
    }
}

/// Two things of a kind must not share an id.
fn refuse_twins<'a>(
    doc: &Document<'_>,
    what: &str,
    ids: impl Iterator<Item = (&'a str, &'a Place)>,
) {
    let mut seen = BTreeMap::new();
    for (id, place) in ids {
        if let Some(first) = seen.insert(id, place) {
            let message = format!("{what} '{id}' stands twice; the first is {}", first.key);
            doc.note(place.offset, &place.key, message);
        }
    }
}

/// Voltage level in kV of a bay name, from its first digit (Vietnamese numbering).
fn level_of(bay: &str) -> Option<u16> {
    match bay.chars().find(char::is_ascii_digit)? {
        '1' => Some(110),
        '2' => Some(220),
        '3' => Some(35),
        '4' => Some(22),
        '5' => Some(500),
        '6' => Some(6),
        '9' => Some(10),
        _ => None,
    }
}

/// Busbars are called C and two digits: C11, C41.
fn is_busbar(bay: &str) -> bool {
    bay.strip_prefix('C').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
}

/// Odd numbers hang on the first section, even ones on the second, and so on round the sections
/// that the level has.
fn section_of(bay: &str, sections: u8) -> u8 {
    let last = bay.chars().rev().find_map(|c| c.to_digit(10)).unwrap_or(1);
    let last = u8::try_from(last).unwrap_or(1);
    (last + sections - 1) % sections.max(1) + 1
}

struct Builder<'a> {
    doc: &'a Document<'a>,
    province: &'a Province,
    draft: &'a StationDraft,
}

impl Builder<'_> {
    fn complain(&self, place: &Place, message: impl Into<String>) {
        self.doc.note(place.offset, &place.key, message);
    }

    /// The station; `in_charge` is the centre that operates it where it names none.
    fn station(&self, in_charge: CentreId) -> Station {
        let mut bays = self.bays();
        let units = self.units(&mut bays);
        let transformers = self.transformers(&mut bays);
        let mut points = self.points(&bays);
        self.set_positions(&mut points);
        let draft = self.draft;
        Station {
            id: draft.id.clone(),
            name: draft.name.clone(),
            unmanned: draft.unmanned,
            in_charge: draft
                .in_charge
                .as_ref()
                .map_or(in_charge, |named| centre_in_charge(self.doc, self.province, named)),
            peak_mw: draft.peak_mw,
            load: draft.load.clone(),
            transformers,
            bays,
            units,
            points,
            meters: self.meters(),
            plant: draft.plant.as_ref().map(|plant| Plant {
                mw: plant.mw,
                gwh_per_year: plant.gwh_per_year,
                source: None,
            }),
        }
    }

    /// Bays with their level; section and unit are settled once all bays are known.
    fn bays(&self) -> Vec<Bay> {
        let mut bays: Vec<Bay> = Vec::new();
        for (template_id, names) in &self.draft.bays {
            let templates = &self.province.templates;
            let Some(template) = templates.iter().find(|t| t.id == template_id.value) else {
                let usable = templates.iter().filter(|t| t.unit.is_some());
                let hint = way_out(&template_id.value, usable.map(|t| t.id.as_str()));
                let message = format!("no bay template '{}'; {hint}", template_id.value);
                self.complain(&template_id.place, message);
                continue;
            };
            if (template.id == METERED_POINT) != self.draft.plant.is_some() {
                let what = if self.draft.plant.is_some() {
                    format!("a plant has metered points, template '{METERED_POINT}', and no bays")
                } else {
                    format!("template '{METERED_POINT}' is for [[plants]]")
                };
                self.complain(&template_id.place, what);
                continue;
            }
            if template.unit.is_none() {
                let message = format!("template '{}' is only included in others", template.id);
                self.complain(&template_id.place, message);
                continue;
            }
            for name in names {
                if bays.len() == BAYS_MAX {
                    let message = format!("a station has at most {BAYS_MAX} bays");
                    self.complain(&name.place, message);
                    return bays;
                }
                if bays.iter().any(|bay| bay.name == name.value) {
                    let message = format!("bay '{}' stands twice in this station", name.value);
                    self.complain(&name.place, message);
                } else if let Some(level) = self.level(template, name) {
                    bays.push(Bay {
                        name: name.value.clone(),
                        level,
                        template: template.id.clone(),
                        section: 1,
                        unit: 0,
                        label: template.name.clone(),
                    });
                }
            }
        }
        if bays.is_empty() && self.draft.bays.is_empty() {
            self.complain(&self.draft.place, format!("station '{}' has no bays", self.draft.id));
        }
        bays
    }

    fn level(&self, template: &Template, bay: &Placed<String>) -> Option<u16> {
        let name = &bay.value;
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            let message = format!("'{name}' is not a bay name: letters A-Z and digits such as 171");
            self.complain(&bay.place, message);
            return None;
        }
        if template.levels == [0] {
            return Some(0);
        }
        let allowed: Vec<String> = template.levels.iter().map(|kv| format!("{kv} kV")).collect();
        let allowed = allowed.join(" or ");
        match level_of(name) {
            Some(kv) if template.levels.contains(&kv) => return Some(kv),
            Some(kv) => self.complain(
                &bay.place,
                format!(
                    "bay '{name}' is at {kv} kV by its first digit, template '{}' is for {allowed}",
                    template.id
                ),
            ),
            None => self.complain(
                &bay.place,
                format!(
                    "bay '{name}' has no voltage digit (1 = 110 kV, 3 = 35, 4 = 22); template \
                     '{}' is for {allowed}",
                    template.id
                ),
            ),
        }
        None
    }

    /// Units in the order of the bays: own units, sections, the station, the meters.
    fn units(&self, bays: &mut [Bay]) -> Vec<Device> {
        let sections = |level, bays: &[Bay]| {
            let busbars = bays.iter().filter(|b| b.level == level && is_busbar(&b.name)).count();
            u8::try_from(busbars.clamp(1, 9)).unwrap_or(1)
        };
        for n in 0..bays.len() {
            bays[n].section = section_of(&bays[n].name, sections(bays[n].level, bays));
        }
        let rule = |bay: &Bay| {
            self.province.templates.iter().find(|t| t.id == bay.template).and_then(|t| t.unit)
        };
        let mut kinds: Vec<(DeviceKind, Name)> = Vec::new();
        for (n, bay) in bays.iter().enumerate() {
            if rule(bay) == Some(DeviceRule::Bay) {
                kinds.push((DeviceKind::Bay(n), Name::same(&bay.name)));
            }
        }
        for bay in bays.iter() {
            let (level, section) = (bay.level, bay.section);
            let kind = DeviceKind::Section { level, section };
            if rule(bay) == Some(DeviceRule::Section) && kinds.iter().all(|(k, _)| *k != kind) {
                let busbar = bays
                    .iter()
                    .find(|b| b.level == level && b.section == section && is_busbar(&b.name));
                let busbar = busbar.map_or_else(|| format!("{section}"), |b| b.name.clone());
                kinds.push((kind, Name::same(format!("{level} kV {busbar}"))));
            }
        }
        if bays.iter().any(|bay| rule(bay) == Some(DeviceRule::Station)) {
            let name = Name { vi: "chung trạm".to_owned(), en: "station common".to_owned() };
            kinds.push((DeviceKind::Station, name));
        }
        if !self.draft.meters.is_empty() {
            let name = Name { vi: "công tơ".to_owned(), en: "meters".to_owned() };
            kinds.push((DeviceKind::Metering, name));
        }
        for (n, bay) in bays.iter_mut().enumerate() {
            let wanted = match rule(bay) {
                Some(DeviceRule::Bay) => DeviceKind::Bay(n),
                Some(DeviceRule::Section) => {
                    DeviceKind::Section { level: bay.level, section: bay.section }
                }
                _ => DeviceKind::Station,
            };
            bay.unit = kinds.iter().position(|(kind, _)| *kind == wanted).unwrap_or(0);
        }
        if kinds.len() > usize::from(limits::UNIT_MAX) {
            let message =
                format!("{} units are needed, a channel has {}", kinds.len(), limits::UNIT_MAX);
            self.complain(&self.draft.place, message);
        }
        (1..=limits::UNIT_MAX)
            .zip(kinds)
            .map(|(id, (kind, label))| Device { id, kind, label })
            .collect()
    }

    /// Transformer ratings; their bays are called T1, T2 by the last digit.
    fn transformers(&self, bays: &mut [Bay]) -> Vec<(usize, f64)> {
        let mut ratings = Vec::new();
        for (name, mva) in &self.draft.transformers {
            let Some(n) = bays.iter().position(|bay| bay.name == name.value) else {
                let hint = way_out(&name.value, bays.iter().map(|bay| bay.name.as_str()));
                let message = format!("no bay '{}' in this station; {hint}", name.value);
                self.complain(&name.place, message);
                continue;
            };
            let number = name.value.chars().last().unwrap_or('1');
            bays[n].label = Name::same(format!("T{number} {mva} MVA"));
            ratings.push((n, *mva));
        }
        ratings
    }

    fn points(&self, bays: &[Bay]) -> Vec<Point> {
        let mut points = Vec::new();
        for (n, bay) in bays.iter().enumerate() {
            let template = self.province.templates.iter().find(|t| t.id == bay.template);
            for spec in template.map_or(&[][..], |t| &t.points) {
                points.push(self.point(n, bay, spec));
            }
        }
        if points.len() > usize::from(u16::MAX) {
            let message = format!("station '{}' has more than 65535 points", self.draft.id);
            self.complain(&self.draft.place, message);
            points.truncate(usize::from(u16::MAX));
        }
        points
    }

    fn point(&self, n: usize, bay: &Bay, spec: &Arc<PointSpec>) -> Point {
        let range = spec.range_by_level.get(&bay.level).copied().or(spec.range);
        let deadband = spec.deadband.and_then(|band| match band {
            Deadband::Absolute(width) => Some(width),
            Deadband::FullScale(share) => {
                range.map(|(low, high)| share * low.abs().max(high.abs()))
            }
        });
        Point {
            id: format!("{}.{}.{}.{}", self.draft.id, bay.level, bay.name, spec.id),
            bay: n,
            spec: Arc::clone(spec),
            range,
            deadband,
            normal: spec.normal,
            encoding: spec.encoding,
            word_order: WordOrder::default(),
        }
    }

    fn set_positions(&self, points: &mut [Point]) {
        for (pattern, position) in &self.draft.positions {
            for n in self.matching(points, pattern) {
                if points[n].spec.kind == PointKind::DoublePoint {
                    points[n].normal = *position;
                } else {
                    let message = format!("point '{}' has no position", points[n].local_id());
                    self.complain(&pattern.place, message);
                }
            }
        }
    }

    /// Points that a pattern names; a pattern that names none is a problem.
    fn matching(&self, points: &[Point], pattern: &Placed<String>) -> Vec<usize> {
        let found: Vec<usize> = points
            .iter()
            .enumerate()
            .filter(|(_, point)| glob(&pattern.value, point.local_id()))
            .map(|(n, _)| n)
            .collect();
        if found.is_empty() && !points.is_empty() {
            let ids: Vec<&str> = points.iter().map(Point::local_id).collect();
            let hint = way_out(&pattern.value, ids);
            let id = &self.draft.id;
            let message = format!("no point '{}' in station '{id}'; {hint}", pattern.value);
            self.complain(&pattern.place, message);
        }
        found
    }

    fn meters(&self) -> Vec<MeterGroup> {
        let mut groups: Vec<MeterGroup> = Vec::new();
        for entry in &self.draft.meters {
            let Some(district) = self.district(entry) else { continue };
            if groups.iter().any(|group| group.district == district) {
                let place = entry.district.as_ref().map_or(&self.draft.place, |d| &d.place);
                self.complain(place, "the district stands twice in this station");
                continue;
            }
            self.add_meters(entry, district, &mut groups);
        }
        let mut next = 2 * groups.len();
        for (n, group) in groups.iter_mut().enumerate() {
            group.count_address = u16::try_from(2 * n).unwrap_or(u16::MAX);
            group.bits_address = u16::try_from(next).unwrap_or(u16::MAX);
            next += group.bit_registers() as usize;
        }
        // Behind the bits, so that what stood there before figures were published stands still.
        for group in &mut groups {
            group.figures_address = u16::try_from(next).unwrap_or(u16::MAX);
            next += usize::from(MeterFigures::REGISTERS);
        }
        for group in &mut groups {
            group.sold_address = u16::try_from(next).unwrap_or(u16::MAX);
            next += usize::from(SoldFigures::REGISTERS);
        }
        if next > 0x1_0000 {
            let message = format!(
                "the metering unit of station '{}' needs {next} registers, it has 65536: at most \
                 about a million meters a station",
                self.draft.id
            );
            self.complain(&self.draft.place, message);
        }
        groups
    }

    fn district(&self, entry: &MeterDraft) -> Option<usize> {
        let id = entry.district.as_ref()?;
        let districts = &self.province.districts;
        let found = districts.iter().position(|district| district.id == id.value);
        if found.is_none() {
            let hint = way_out(&id.value, districts.iter().map(|d| d.id.as_str()));
            self.complain(&id.place, format!("no district '{}'; {hint}", id.value));
        }
        found
    }

    fn add_meters(&self, entry: &MeterDraft, district: usize, groups: &mut Vec<MeterGroup>) {
        let classes = &self.province.meter_classes;
        for (id, _) in entry.installed.iter().chain(&entry.remote) {
            if classes.iter().all(|class| class.id != id.value) {
                let hint = way_out(&id.value, classes.iter().map(|c| c.id.as_str()));
                self.complain(&id.place, format!("no meter class '{}'; {hint}", id.value));
            }
        }
        for (remote, _) in &entry.remote {
            if entry.installed.iter().all(|(id, _)| id.value != remote.value) {
                let message = format!("no meters of class '{}' are installed here", remote.value);
                self.complain(&remote.place, message);
            }
        }
        for (id, installed) in &entry.installed {
            let Some(class) = classes.iter().position(|class| class.id == id.value) else {
                continue;
            };
            let found = entry.remote.iter().find(|(remote, _)| remote.value == id.value);
            let remote = found.map_or(0, |(_, count)| *count);
            if let Some((place, _)) = found.filter(|_| remote > *installed) {
                let message = format!("{remote} remote meters, but only {installed} installed");
                self.complain(&place.place, message);
            }
            let installed = *installed;
            groups.push(MeterGroup {
                district,
                class,
                installed,
                remote,
                count_address: 0,
                bits_address: 0,
                figures_address: 0,
                sold_address: 0,
            });
        }
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn add_lines(doc: &Document<'_>, province: &mut Province, drafts: &[LineDraft]) {
    let mut taken: Vec<(StationId, usize)> = Vec::new();
    for draft in drafts {
        let mut end = |written: &Option<Placed<String>>| {
            let written = written.as_ref()?;
            let end = line_end(province, &written.value)
                .map_err(|error| {
                    doc.note(written.place.offset, &written.place.key, error.to_string());
                })
                .ok()?;
            if let LineEnd::Bay(station, bay) = end {
                if taken.contains(&(station, bay)) {
                    let message = format!("bay '{}' already ends another line", written.value);
                    doc.note(written.place.offset, &written.place.key, message);
                    return None;
                }
                taken.push((station, bay));
            }
            Some(end)
        };
        let (from, to) = (end(&draft.from), end(&draft.to));
        let (Some(from), Some(to)) = (from, to) else { continue };
        if let (LineEnd::Infeed(_), LineEnd::Infeed(_)) = (from, to) {
            doc.note(
                draft.place.offset,
                &draft.place.key,
                "a line between two sources feeds nobody",
            );
            continue;
        }
        if let (LineEnd::Bay(station, _), LineEnd::Bay(other, _)) = (from, to)
            && station == other
        {
            doc.note(
                draft.place.offset,
                &draft.place.key,
                "both ends of this line are in one station; a line goes to another station or a source",
            );
            continue;
        }
        let open_at = draft.open_at.as_ref().and_then(|written| {
            let found = line_end(province, &written.value).ok().filter(|e| *e == from || *e == to);
            if found.is_none() {
                let message = format!("'{}' is not an end of this line", written.value);
                doc.note(written.place.offset, &written.place.key, message);
            }
            found
        });
        name_bay(province, from, to);
        name_bay(province, to, from);
        if let Some(LineEnd::Bay(station, bay)) = open_at {
            let station = &mut province.stations[station.index()];
            let breaker = station.points.iter_mut().find(|p| p.bay == bay && p.spec.id == "CB.POS");
            if let Some(breaker) = breaker {
                breaker.normal = 1;
            }
        }
        let conductor = draft.conductor.clone();
        province.lines.push(Line { from, to, km: draft.km, conductor, open_at });
    }
}

/// Why a text is no end of a line.
#[derive(Debug, Error)]
enum LineEndError {
    #[error("'{written}' is neither <station>.<bay> nor a source; {hint}")]
    Neither { written: String, hint: String },
    #[error("no station '{station}'; {hint}")]
    NoStation { station: String, hint: String },
    #[error("no line bay '{bay}' in station '{station}'; {hint}")]
    NoBay { station: String, bay: String, hint: String },
    #[error("bay '{bay}' is not a line bay (171, 172, …)")]
    NotOfALine { bay: String },
}

fn line_end(province: &Province, written: &str) -> Result<LineEnd, LineEndError> {
    if let Some(source) = province.sources.iter().position(|source| source.id == written) {
        return Ok(LineEnd::Infeed(source));
    }
    let Some((station_id, bay_name)) = written.split_once('.') else {
        let sources = province.sources.iter().map(|source| source.id.as_str());
        let hint = way_out(written, sources);
        return Err(LineEndError::Neither { written: written.to_owned(), hint });
    };
    let Some(station) = province.station(station_id) else {
        let hint = way_out(station_id, province.stations.iter().map(|s| s.id.as_str()));
        return Err(LineEndError::NoStation { station: station_id.to_owned(), hint });
    };
    let bays = &province.stations[station.index()].bays;
    // Line bays are numbered x7y: the second digit says what the bay is for.
    let is_line =
        |bay: &Bay| bay.name.len() == 3 && bay.name[1..].starts_with('7') && bay.level >= 110;
    match bays.iter().position(|bay| bay.name == bay_name) {
        Some(bay) if is_line(&bays[bay]) => Ok(LineEnd::Bay(station, bay)),
        Some(_) => Err(LineEndError::NotOfALine { bay: bay_name.to_owned() }),
        None => {
            let lines = bays.iter().filter(|bay| is_line(bay)).map(|bay| bay.name.as_str());
            let hint = way_out(bay_name, lines);
            let (station, bay) = (station_id.to_owned(), bay_name.to_owned());
            Err(LineEndError::NoBay { station, bay, hint })
        }
    }
}

/// A line bay is called after the place where its line goes.
pub(crate) fn name_bay(province: &mut Province, end: LineEnd, other: LineEnd) {
    let there = match other {
        LineEnd::Bay(station, _) => province.stations[station.index()].name.clone(),
        LineEnd::Infeed(source) => province.sources[source].name.clone(),
    };
    if let LineEnd::Bay(station, bay) = end {
        province.stations[station.index()].bays[bay].label = there;
    }
}

impl Remark {
    /// Whether it is said of this centre; without `at` it is said of all.
    fn applies_to(&self, centre: &str) -> bool {
        self.at.as_ref().is_none_or(|at| at.iter().any(|name| name.value == centre))
    }
}

struct ChannelBuilder<'a> {
    doc: &'a Document<'a>,
    province: &'a Province,
    station: StationId,
    points: &'a [Point],
    draft: &'a StationDraft,
}

impl<'a> ChannelBuilder<'a> {
    /// What is only told in one go, as far as the device can be asked for it in one go.
    fn whole(&self, device: &DeviceLimits) -> Vec<Whole> {
        let mut kept: Vec<Whole> = Vec::new();
        for Placed { value: whole, place } in &self.draft.whole {
            let most = device.cells_max(whole.table);
            let meets = |other: &Whole| {
                (other.unit, other.table) == (whole.unit, whole.table)
                    && u32::from(other.address) < whole.end()
                    && u32::from(whole.address) < other.end()
            };
            if whole.count > most {
                let count = whole.count;
                self.complain(place, format!("{count} cells are more than one request's {most}"));
            } else if whole.end() > 0x1_0000 {
                self.complain(place, "it runs past address 65535");
            } else if kept.iter().any(meets) {
                self.complain(place, "it overlaps another one; join them");
            } else {
                kept.push(*whole);
            }
        }
        kept
    }

    /// What is told in one go must not end within a value.
    fn refuse_cut_points(&self, entries: &[Entry]) {
        for Placed { value: whole, place } in &self.draft.whole {
            let cut = self.points.iter().zip(entries).find(|(_, entry)| {
                entry.register.is_some_and(|register| {
                    let (start, end) = (u32::from(register.address), register.end());
                    let inside = u32::from(whole.address) <= start && end <= whole.end();
                    let apart = end <= whole.address.into() || whole.end() <= start;
                    (register.unit, register.table) == (whole.unit, whole.table)
                        && !inside
                        && !apart
                })
            });
            if let Some((point, _)) = cut {
                self.complain(place, format!("it ends within the value of {}", point.id));
            }
        }
    }

    fn new(
        doc: &'a Document<'a>,
        province: &'a Province,
        station: StationId,
        draft: &'a StationDraft,
    ) -> Self {
        let points = &province.stations[station.index()].points;
        Self { doc, province, station, points, draft }
    }

    fn complain(&self, place: &Place, message: impl Into<String>) {
        self.doc.note(place.offset, &place.key, message);
    }

    fn channel(&mut self, centre: CentreId, port: u32) -> Channel {
        let receiver = &self.province.centres[centre.index()];
        self.check_centre_names(self.draft.e2e.iter().map(|(key, _)| key));
        self.check_centre_names(self.draft.address.iter().map(|(key, _)| key));
        let tested: Option<Date> =
            self.draft.e2e.iter().find(|(key, _)| key.value == receiver.id).and_then(|(_, d)| *d);
        let mut entries: Vec<Entry> = self
            .points
            .iter()
            .map(|point| {
                let class = point.spec.class;
                let required = receiver.requires.contains(&class);
                let listed = required || (receiver.optional && class == Class::Optional);
                let standing = match (listed, tested) {
                    (false, _) => Standing::Elsewhere,
                    (true, Some(date)) => Standing::Tested(date),
                    (true, None) => Standing::Untested(never_tested()),
                };
                Entry { required, standing, excluded: None, register: None }
            })
            .collect();
        self.remark(&self.draft.untested, &receiver.id, &mut entries, |entry, cause| {
            entry.standing = Standing::Untested(cause);
        });
        self.remark(&self.draft.absent, &receiver.id, &mut entries, |entry, cause| {
            entry.standing = Standing::Absent(cause);
        });
        self.remark(&self.draft.excluded, &receiver.id, &mut entries, |entry, cause| {
            entry.excluded = Some(cause);
        });
        self.refuse_absent_and_untested(&receiver.id);
        self.place(&mut entries);
        self.refuse_cut_points(&entries);
        let address = self.draft.address.iter().find(|(key, _)| key.value == receiver.id);
        let pinned = address.and_then(|(_, address)| address.clone());
        let pinned_address = pinned.is_some();
        let derived = || (self.province.link.host.clone(), u16::try_from(port).unwrap_or(u16::MAX));
        let (host, port) = pinned.unwrap_or_else(derived);
        // Of a real device nothing is known but what is said of it; the province's settings are
        // those of its simulated stations.
        let unknown = DeviceLimits::default();
        let link = if pinned_address { &unknown } else { &self.province.link.device };
        let device = self.draft.device.over(link);
        let whole = self.whole(&device);
        let plain = self.draft.tls.as_ref().is_some_and(|tls| !tls.value);
        if let Some(tls) = self.draft.tls.as_ref().filter(|tls| tls.value)
            && self.province.link.tls.is_none()
        {
            let message = "there is no [link.tls] that says how";
            self.complain(&tls.place, message);
        }
        Channel {
            station: self.station,
            centre,
            host,
            port,
            pinned_address,
            device,
            tls: self.province.link.tls.is_some() && !plain,
            whole,
            entries: entries.into(),
        }
    }

    fn check_centre_names<'n>(&self, names: impl Iterator<Item = &'n Placed<String>>) {
        for name in names {
            if self.province.centre(&name.value).is_none() {
                let hint =
                    way_out(&name.value, self.province.centres.iter().map(|c| c.id.as_str()));
                self.complain(&name.place, format!("no centre '{}'; {hint}", name.value));
            }
        }
    }

    fn remark(
        &self,
        remarks: &[Remark],
        centre: &str,
        entries: &mut [Entry],
        apply: impl Fn(&mut Entry, Cause),
    ) {
        for remark in remarks {
            let at = remark.at.as_deref().unwrap_or_default();
            self.check_centre_names(at.iter());
            if !remark.applies_to(centre) {
                continue;
            }
            let builder = Builder { doc: self.doc, province: self.province, draft: self.draft };
            for pattern in &remark.points {
                for n in builder.matching(self.points, pattern) {
                    if entries[n].standing != Standing::Elsewhere {
                        let cause = Cause { since: remark.since, why: remark.why.clone() };
                        apply(&mut entries[n], cause);
                    }
                }
            }
        }
    }

    /// A point that is not in the database cannot have a test record that has lapsed.
    fn refuse_absent_and_untested(&self, centre: &str) {
        let at_centre = |remarks: &'a [Remark]| {
            remarks.iter().filter(|r| r.applies_to(centre)).flat_map(|remark| &remark.points)
        };
        for untested in at_centre(&self.draft.untested) {
            for absent in at_centre(&self.draft.absent) {
                let both = self.points.iter().find(|point| {
                    glob(&untested.value, point.local_id()) && glob(&absent.value, point.local_id())
                });
                if let Some(point) = both {
                    let id = point.local_id();
                    let message = format!("point '{id}' is also absent, at {}", absent.place.key);
                    self.complain(&untested.place, message);
                }
            }
        }
    }

    /// Gives every listed point its register, absent ones too: their place stays empty.
    fn place(&self, entries: &mut [Entry]) {
        let station = &self.province.stations[self.station.index()];
        for (unit_index, unit) in station.units.iter().enumerate() {
            let slots: Vec<Slot> = self
                .points
                .iter()
                .enumerate()
                .filter(|(n, point)| {
                    station.bays[point.bay].unit == unit_index
                        && entries[*n].standing != Standing::Elsewhere
                })
                .map(|(n, point)| Slot {
                    point: n,
                    unit: unit.id,
                    kind: point.spec.kind,
                    scan: point.spec.scan,
                    encoding: point.encoding,
                    word_order: point.word_order,
                    with_quality: self.draft.quality,
                })
                .collect();
            let Some(placed) = allot(&slots) else {
                let message = format!("unit {} has more points than a Modbus table holds", unit.id);
                self.complain(&self.draft.place, message);
                continue;
            };
            for (n, register) in placed {
                entries[n].register = Some(register);
            }
        }
        for pin in &self.draft.pins {
            self.pin(pin, entries);
        }
        if !self.draft.pins.is_empty() {
            self.refuse_overlaps(entries);
        }
        for entry in entries {
            if let Standing::Absent(_) = entry.standing {
                entry.register = None;
            }
        }
    }

    fn pin(&self, pin: &Pin, entries: &mut [Entry]) {
        let builder = Builder { doc: self.doc, province: self.province, draft: self.draft };
        for n in builder.matching(self.points, &pin.point) {
            let kind = self.points[n].spec.kind;
            let Some(register) = &mut entries[n].register else { continue };
            if let Some(encoding) = &pin.encoding {
                if !encoding.value.carries(kind) {
                    let (encoding, code) = (encoding.value, kind.code());
                    let message = format!("encoding '{encoding}' cannot carry kind '{code}'");
                    self.complain(&pin.point.place, message);
                }
                register.encoding = encoding.value;
            }
            register.word_order = pin.word_order.unwrap_or(register.word_order);
            register.unit = pin.unit.unwrap_or(register.unit);
            register.table = pin.table.unwrap_or(register.table);
            if let Some(address) = pin.address {
                // The device's own address: its quality stands where the pin says, or nowhere.
                (register.address, register.quality) = (address, None);
            }
            register.quality = pin.quality_address.or(register.quality);
            if register.table.is_bits() != register.encoding.is_bits() {
                let (encoding, table) = (register.encoding, register.table.word());
                let message = format!("encoding '{encoding}' does not fit the table '{table}'");
                self.complain(&pin.point.place, message);
            }
            if register.end() > 0x1_0000 {
                let message = format!("address {} runs past 65535", register.address);
                self.complain(&pin.point.place, message);
            }
        }
    }

    /// Two points must not share a cell, nor may a value lie on another's quality.
    fn refuse_overlaps(&self, entries: &[Entry]) {
        let mut cells: BTreeMap<(u8, RegisterTable, u32), PointId> = BTreeMap::new();
        let mut told: BTreeSet<(PointId, PointId)> = BTreeSet::new();
        let metering = self.province.stations[self.station.index()].metering_unit();
        for pin in self.draft.pins.iter().filter(|pin| pin.unit.is_some() && pin.unit == metering) {
            let message = "the unit of this pin carries the meters; pin the point elsewhere";
            self.complain(&pin.point.place, message);
        }
        for (n, entry) in entries.iter().enumerate() {
            let Some(register) = &entry.register else { continue };
            let point = PointId::at(n);
            for cell in occupied(register) {
                let key = (register.unit, register.table, cell);
                let Some(other) = cells.insert(key, point).filter(|other| *other != point) else {
                    continue;
                };
                if told.insert((other, point)) {
                    let (a, b) = (&self.points[other.index()], &self.points[n]);
                    let message = format!(
                        "points '{}' and '{}' share {} address {cell} of unit {}; pin one elsewhere",
                        a.local_id(),
                        b.local_id(),
                        register.table.word(),
                        register.unit
                    );
                    self.complain(&self.draft.pins[0].point.place, message);
                }
            }
        }
    }
}

fn occupied(register: &Register) -> impl Iterator<Item = u32> + use<> {
    (u32::from(register.address)..register.end()).chain(register.quality.map(u32::from))
}

fn never_tested() -> Cause {
    let why = Name {
        vi: "chưa nghiệm thu end-to-end".to_owned(),
        en: "no end-to-end acceptance yet".to_owned(),
    };
    Cause { since: None, why: Some(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, fits) in [
            ("110.172.F21.*", "110.172.F21.Z1", true),
            ("*.F74.TC", "35.371.F74.TC", true),
            ("35.37*.F74.TC", "35.371.F74.TC", true),
            ("35.37*.F74.TC", "22.471.F74.TC", false),
            ("110.171.P", "110.171.PF", false),
            ("*", "anything", true),
            ("a*b*c", "a-b-c", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn sections_follow_the_last_digit() {
        assert_eq!(section_of("471", 2), 1);
        assert_eq!(section_of("472", 2), 2);
        assert_eq!(section_of("478", 2), 2);
        assert_eq!(section_of("TBN402", 2), 2);
        assert_eq!(section_of("172", 1), 1);
        assert_eq!(section_of("STN", 1), 1);
    }
}
