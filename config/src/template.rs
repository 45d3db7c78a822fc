//! The datalist of a bay type: which points such a bay has, and how each is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::Encoding;
use crate::document::{Document, Fields, Node, Placed};
use crate::kind::PointKind;
use crate::names::Name;
use crate::problem::Problems;

/// Who must receive a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `AB`: the dispatch centre and the province.
    Both,
    /// `B`: the province only.
    Province,
    /// `O`: optional, outside every verdict.
    Optional,
}

impl Class {
    /// The codes of the datalist with their classes.
    pub const CODES: [(&'static str, Self); 3] =
        [("AB", Self::Both), ("B", Self::Province), ("O", Self::Optional)];

    /// The code of the datalist, such as `AB`.
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(_, class)| *class == self).map_or("", |(code, _)| code)
    }
}

/// How often a point is read. The periods are the province's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scan {
    /// Statuses and the heartbeat.
    Fast,
    /// Measurements of the 110 kV level and the transformers.
    Normal,
    /// Medium voltage, DC supplies, temperatures.
    Slow,
    /// Energy and operation counters.
    Counters,
    /// The metering unit.
    Metering,
}

impl Scan {
    /// Every scan class, fastest first.
    pub const ALL: [Self; 5] =
        [Self::Fast, Self::Normal, Self::Slow, Self::Counters, Self::Metering];

    /// The word in the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Slow => "slow",
            Self::Counters => "counters",
            Self::Metering => "metering",
        }
    }
}

/// Where the time tag of a change is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeTag {
    /// `SOE 1 ms`: at the source, resolution one millisecond.
    SourceMillisecond,
    /// `SOE`: at the source.
    Source,
    /// `TS only`: by the gateway.
    Gateway,
}

/// Which Modbus unit carries a bay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceRule {
    /// Its own bay control unit.
    Bay,
    /// One unit for all bays of the same level and bus section.
    Section,
    /// The station-common unit.
    Station,
}

/// Load classes with an hourly shape of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoadClass {
    /// Villages and small towns.
    Rural,
    /// Three-shift industry.
    Industry,
    /// Cement works, heavy at night.
    Cement,
    /// Offices, shops, tourism.
    Services,
}

impl LoadClass {
    /// The words of the contract with their classes, in the order of the classes.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("rural", Self::Rural),
        ("industry", Self::Industry),
        ("cement", Self::Cement),
        ("services", Self::Services),
    ];
}

/// One point of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSpec {
    /// Element and info, such as `CB.POS`.
    pub id: String,
    /// What the point is called.
    pub name: Name,
    /// What it is.
    pub kind: PointKind,
    /// Physical unit, such as `MW`; empty when there is none.
    pub unit: String,
    /// Lowest and highest value that can be real, in `unit`, where it is the same at every level.
    pub range: Option<(f64, f64)>,
    /// The same, by voltage level in kV, where it differs.
    pub range_by_level: BTreeMap<u16, (f64, f64)>,
    /// Smallest change that is sent.
    pub deadband: Option<Deadband>,
    /// Minutes between two freezes of an energy counter.
    pub freeze_minutes: Option<u16>,
    /// Words for 0 and 1 of a single point.
    pub states: Option<[Name; 2]>,
    /// Code in normal service: 0 or 1 of a single point, 1 (open) or 2 (closed) of a double point.
    pub normal: u8,
    /// Words for the orders 1, 2 of a command.
    pub orders: Vec<Name>,
    /// Where a change gets its time.
    pub time_tag: Option<TimeTag>,
    /// Who must receive it.
    pub class: Class,
    /// Priority A: without it at the centre in charge a station is not seen well enough to be without staff.
    pub priority_a: bool,
    /// It moves while its gateway works: a count that rolls with every scan of the gateway. While it stands and
    /// nothing else moves, the gateway hangs.
    pub is_heartbeat: bool,
    /// How often it is read; `None` for commands.
    pub scan: Option<Scan>,
    /// How it is sent.
    pub encoding: Encoding,
}

/// Smallest change of a measurement that is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deadband {
    /// Share of the full scale, 0 to 1.
    FullScale(f64),
    /// In the unit of the point.
    Absolute(f64),
}

/// The datalist of a bay type.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Short name, such as `L110`.
    pub id: String,
    /// What such a bay is called.
    pub name: Name,
    /// Voltage levels in kV where it may stand; 0 for the station as a whole.
    pub levels: Vec<u16>,
    /// Which unit carries it; `None` for a template that is only included in others.
    pub unit: Option<DeviceRule>,
    /// Its points, included templates first.
    pub points: Vec<Arc<PointSpec>>,
}

/// A template as its file has it, includes not yet resolved.
struct Draft {
    template: Template,
    include: Vec<Placed<String>>,
}

/// Reads templates from `(file name, text)` pairs. A later file replaces an earlier one of the
/// same id, so a province can bring its own.
pub(crate) fn read_templates(files: &[(String, String)]) -> Result<Vec<Template>, Problems> {
    let mut problems = Vec::new();
    let mut drafts: Vec<(usize, Draft)> = Vec::new();
    let documents: Vec<Document<'_>> =
        files.iter().map(|(file, text)| Document::new(file, text)).collect();
    for (n, doc) in documents.iter().enumerate() {
        let root = match doc.parse() {
            Ok(root) => root,
            Err(mut found) => {
                problems.append(&mut found.0);
                continue;
            }
        };
        if let Some(draft) = read_draft(doc.root(&root)) {
            drafts.retain(|(_, earlier)| earlier.template.id != draft.template.id);
            drafts.push((n, draft));
        }
    }
    let own: Vec<(String, Vec<Arc<PointSpec>>, bool)> = drafts
        .iter()
        .map(|(_, d)| (d.template.id.clone(), d.template.points.clone(), d.include.is_empty()))
        .collect();
    for (n, draft) in &mut drafts {
        let included = resolve(&documents[*n], draft, &own);
        draft.template.points.splice(0..0, included);
        refuse_duplicates(&documents[*n], &draft.template);
        refuse_heartbeats(&documents[*n], &draft.template);
    }
    for doc in &documents {
        problems.append(&mut doc.take_problems().0);
    }
    if problems.is_empty() {
        Ok(drafts.into_iter().map(|(_, draft)| draft.template).collect())
    } else {
        Err(Problems(problems))
    }
}

/// Points of the included templates. Includes go one level deep, so they cannot run in a circle.
fn resolve(
    doc: &Document<'_>,
    draft: &Draft,
    own: &[(String, Vec<Arc<PointSpec>>, bool)],
) -> Vec<Arc<PointSpec>> {
    let mut points = Vec::new();
    for Placed { value: id, place } in &draft.include {
        match own.iter().find(|(name, ..)| name == id) {
            Some((_, included, true)) => points.extend(included.iter().cloned()),
            Some(_) => doc.note(
                place.offset,
                &place.key,
                format!("template '{id}' itself includes others; name those here instead"),
            ),
            None => {
                let names = own.iter().map(|(name, ..)| name.as_str());
                let hint = crate::problem::way_out(id, names);
                doc.note(place.offset, &place.key, format!("no template '{id}'; {hint}"));
            }
        }
    }
    points
}

/// One heartbeat a station, that of its gateway.
fn refuse_heartbeats(doc: &Document<'_>, template: &Template) {
    let own: Vec<&str> = template
        .points
        .iter()
        .filter(|point| point.is_heartbeat)
        .map(|point| &point.id[..])
        .collect();
    let message = match (&own[..], template.unit) {
        ([], _) | ([_], None | Some(DeviceRule::Station)) => return,
        ([id], _) => format!(
            "'{id}' of template '{}' cannot be the heartbeat of a gateway: only a template with unit = \"station\" has one",
            template.id
        ),
        ([first, second, ..], _) => format!(
            "template '{}' has two heartbeats, '{first}' and '{second}'; leave 'heartbeat' out of one of them",
            template.id
        ),
    };
    doc.note(0, "points", message);
}

fn refuse_duplicates(doc: &Document<'_>, template: &Template) {
    let mut seen = std::collections::BTreeSet::new();
    for point in &template.points {
        if !seen.insert(&point.id) {
            let message =
                format!("point '{}' stands twice in template '{}'", point.id, template.id);
            doc.note(0, "points", message);
        }
    }
}

fn read_draft(fields: Fields<'_>) -> Option<Draft> {
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.required("name").and_then(|n| n.name());
    let levels = fields.required("levels").map_or_else(Vec::new, |node| {
        node.items()
            .iter()
            .filter_map(|n| n.integer(0, 500).and_then(|kv| u16::try_from(kv).ok()))
            .collect()
    });
    let include = fields.optional("include").map_or_else(Vec::new, |node| {
        node.items().iter().filter_map(|n| n.identifier().map(|id| n.placed(id))).collect()
    });
    let unit = fields.optional("unit").and_then(|node| {
        node.choice(&[
            ("bay", DeviceRule::Bay),
            ("section", DeviceRule::Section),
            ("station", DeviceRule::Station),
        ])
    });
    let points = fields.required("points").map_or_else(Vec::new, |node| {
        node.items().iter().filter_map(|n| n.fields().and_then(read_point)).map(Arc::new).collect()
    });
    fields.finish();
    Some(Draft { template: Template { id: id?, name: name?, levels, unit, points }, include })
}

fn read_point(fields: Fields<'_>) -> Option<PointSpec> {
    let id = fields.required("id").and_then(|n| point_id(&n));
    let en = fields.required("en").and_then(|n| n.text());
    let vi = fields.required("vi").and_then(|n| n.text());
    let kind = fields.required("kind").and_then(|n| n.choice(&PointKind::CODES));
    let unit = fields.optional("unit").and_then(|n| n.text()).unwrap_or_default();
    let (range, range_by_level) = fields.optional("range").map_or_else(Default::default, |n| {
        if n.is_list() { (read_range(&n), BTreeMap::new()) } else { (None, ranges_by_level(&n)) }
    });
    let deadband = fields.optional("deadband").and_then(|n| read_deadband(&n));
    let freeze_minutes =
        fields.optional("freeze").and_then(|n| n.choice(&[("15 min", 15), ("30 min", 30)]));
    let states = read_states(&fields);
    let normal_node = fields.optional("normal");
    let orders = read_orders(&fields);
    let time_tag = fields.optional("time").and_then(|node| {
        node.choice(&[
            ("SOE 1 ms", TimeTag::SourceMillisecond),
            ("SOE", TimeTag::Source),
            ("TS only", TimeTag::Gateway),
        ])
    });
    let class = fields.required("required").and_then(|n| n.choice(&Class::CODES));
    let priority = fields.optional("priority");
    let priority_a = priority.as_ref().and_then(|n| n.choice(&[("A", true)])).unwrap_or(false);
    let heartbeat = fields.optional("heartbeat");
    let is_heartbeat = heartbeat.as_ref().and_then(Node::boolean).unwrap_or(false);
    let scan = fields.optional("scan").and_then(|n| n.choice(&Scan::ALL.map(|s| (s.word(), s))));
    let encoding = fields.required("encoding").and_then(|n| {
        let written = n.text()?;
        Encoding::parse(&written).map_err(|error| n.complain(error.to_string())).ok()
    });
    let place = fields.place();
    let (kind, encoding) = (kind?, encoding?);
    if !encoding.carries(kind) {
        let message =
            format!("encoding '{encoding}' cannot carry a point of kind '{}'", kind.code());
        fields.complain(&place, message);
    }
    let normal = normal_node.as_ref().and_then(|n| read_normal(n, kind));
    if kind == PointKind::DoublePoint && normal_node.is_none() {
        fields.complain(&place, "key 'normal' is missing: \"open\" or \"closed\"");
    }
    if scan.is_none() && !kind.is_command() {
        fields.complain(&place, "key 'scan' is missing: only commands are not read");
    }
    if let Some(node) = priority.filter(|_| kind.is_command()) {
        node.complain("a command has no value that could be live; leave 'priority' out");
    }
    if let Some(node) =
        heartbeat.filter(|_| is_heartbeat && (kind.is_command() || kind.is_status()))
    {
        node.complain("a heartbeat is a count that rolls; a bit may look the same at each read");
    }
    fields.finish();
    Some(PointSpec {
        id: id?,
        name: Name { vi: vi?, en: en? },
        kind,
        unit,
        range,
        range_by_level,
        deadband,
        freeze_minutes,
        states,
        normal: normal.unwrap_or(0),
        orders,
        time_tag,
        class: class?,
        priority_a,
        is_heartbeat,
        scan,
        encoding,
    })
}

/// Element and info, separated by dots: `CB.POS`, `P`.
fn point_id(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let fits = text.split('.').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    if !fits {
        node.complain(format!("'{text}' is not a point id such as CB.POS"));
    }
    fits.then_some(text)
}

fn read_range(node: &Node<'_>) -> Option<(f64, f64)> {
    let items = node.items();
    let bounds: Vec<f64> = items.iter().filter_map(|n| n.number(-1e12, 1e12)).collect();
    match bounds[..] {
        [low, high] if items.len() == 2 && low < high => Some((low, high)),
        _ if bounds.len() == items.len() => {
            node.complain("a range is [lowest, highest], the first below the second");
            None
        }
        _ => None,
    }
}

fn ranges_by_level(node: &Node<'_>) -> BTreeMap<u16, (f64, f64)> {
    let Some(fields) = node.fields() else { return BTreeMap::new() };
    fields
        .entries()
        .into_iter()
        .filter_map(|(level, range)| {
            let kv = level.value.parse::<u16>();
            if kv.is_err() {
                range.complain(format!("'{}' is not a voltage level in kV", level.value));
            }
            Some((kv.ok()?, read_range(&range)?))
        })
        .collect()
}

fn read_deadband(node: &Node<'_>) -> Option<Deadband> {
    let text = node.text()?;
    let (number, share) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), true),
        None => (text.as_str(), false),
    };
    match number.parse::<f64>() {
        Ok(x) if share && x > 0.0 && x <= 100.0 => Some(Deadband::FullScale(x / 100.0)),
        Ok(x) if !share && x > 0.0 && x.is_finite() => Some(Deadband::Absolute(x)),
        _ => {
            node.complain(format!("'{text}' is not a deadband such as \"1 %\" or \"0.02\""));
            None
        }
    }
}

fn read_states(fields: &Fields<'_>) -> Option<[Name; 2]> {
    let en = fields.optional("states").and_then(|n| pair_of_words(&n));
    let vi = fields.optional("states_vi").and_then(|n| pair_of_words(&n));
    let [en0, en1] = en?;
    let [vi0, vi1] = vi.unwrap_or_else(|| [en0.clone(), en1.clone()]);
    Some([Name { vi: vi0, en: en0 }, Name { vi: vi1, en: en1 }])
}

fn pair_of_words(node: &Node<'_>) -> Option<[String; 2]> {
    let words: Vec<String> = node.items().iter().filter_map(Node::text).collect();
    let pair = <[String; 2]>::try_from(words);
    if pair.is_err() {
        node.complain("two words are needed: for 0 and for 1");
    }
    pair.ok()
}

fn read_orders(fields: &Fields<'_>) -> Vec<Name> {
    let words = |key| -> Vec<String> {
        fields
            .optional(key)
            .map_or_else(Vec::new, |n| n.items().iter().filter_map(Node::text).collect())
    };
    let (en, vi) = (words("orders"), words("orders_vi"));
    en.iter()
        .enumerate()
        .map(|(n, en)| Name { vi: vi.get(n).unwrap_or(en).clone(), en: en.clone() })
        .collect()
}

/// `"open"` or `"closed"` of a double point, 0 or 1 of a single one.
fn read_normal(node: &Node<'_>, kind: PointKind) -> Option<u8> {
    if kind == PointKind::DoublePoint {
        return node.choice(&[("open", 1), ("closed", 2)]);
    }
    node.integer(0, 1).and_then(|n| u8::try_from(n).ok())
}
