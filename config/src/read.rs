//! Reading a province file: shapes and single values. What names mean is settled in `expand`.

use std::path::Path;

use ipnet::IpNet;

use crate::civil::Zone;
use crate::codec::{Encoding, WordOrder};
use crate::document::{Fields, Node, Placed};
use crate::draft::{
    Address, DeviceDraft, Draft, Identities, LineDraft, MeterDraft, Pin, PlantDraft, Remark,
    StationDraft, UnmannedDraft,
};
use crate::names::Name;
use crate::province::{
    Centre, DeviceLimits, District, FormSettings, HistorySettings, Identity, Infeed, LinkSettings,
    MeterClass, ReportedYear, ScanPeriods, Targets, Tls, Whole,
};
use crate::registers::RegisterTable;
use crate::template::{Class, LoadClass, Scan};

/// Conductors with known constants (public European standard types, cross-section in mm²).
const CONDUCTORS: [&str; 5] = ["AC-150", "AC-185", "AC-240", "AC-300", "AC-400"];

/// Local time where a contract says nothing of it.
const VIETNAM: Zone = Zone::hours(7);

/// Reads a province; files that it names are beside it, in `dir`.
pub(crate) fn read_province(root: &Fields<'_>, dir: &Path) -> Draft {
    let mut name = None;
    let (mut zone, mut seed, mut sold_gwh_per_year) = (VIETNAM, 1, 0.0);
    if let Some(fields) = root.required("province").and_then(|n| n.fields()) {
        name = fields.required("name").and_then(|n| n.name());
        zone = read_zone(&fields).unwrap_or(VIETNAM);
        let chance = fields.optional("seed").and_then(|n| n.integer(0, i64::MAX));
        seed = chance.and_then(|s| u64::try_from(s).ok()).unwrap_or(1);
        let sold = fields.optional("sold_gwh_per_year").and_then(|n| n.number(0.0, 1e6));
        sold_gwh_per_year = sold.unwrap_or(0.0);
        fields.finish();
    }
    let link_node = root.optional("link");
    let link_place = link_node.as_ref().map_or_else(|| root.place(), Node::place);
    let metering = root.optional("metering").and_then(|n| n.fields());
    let (meter_classes, districts) = metering.map_or_else(Default::default, |fields| {
        let read = (
            list(fields.optional("classes"), read_meter_class),
            list(fields.optional("districts"), read_district),
        );
        fields.finish();
        read
    });
    let (link, identities) = read_link(link_node.as_ref(), dir);
    Draft {
        name: name.unwrap_or_else(|| Name::same("")),
        zone,
        seed,
        sold_gwh_per_year,
        reported_years: list(root.optional("reported_years"), read_reported_year),
        targets: read_targets(root),
        scan: read_scan(root),
        history: read_history(root),
        form: read_form(root),
        unmanned: read_unmanned(root),
        link,
        link_place,
        identities,
        centres: list(root.required("centres"), read_centre),
        sources: list(root.optional("sources"), read_source),
        lines: list(root.optional("lines"), |fields| Some(read_line(fields)))
            .into_iter()
            .map(|line| line.value)
            .collect(),
        meter_classes,
        districts,
        stations: list(root.required("stations"), read_station)
            .into_iter()
            .chain(list(root.optional("plants"), read_plant))
            .map(|station| station.value)
            .collect(),
    }
}

/// By what the clocks go, where the contract says it.
fn read_zone(fields: &Fields<'_>) -> Option<Zone> {
    let (hours, name) = (fields.optional("utc_offset_hours"), fields.optional("time_zone"));
    if let (Some(_), Some(name)) = (&hours, &name) {
        name.complain("'utc_offset_hours' stands here too; leave one of the two away");
        return None;
    }
    name.map_or_else(|| hours.and_then(|hours| hours.offset()), |name| name.zone())
}

/// Reads each table of a list of tables.
fn list<T>(node: Option<Node<'_>>, read: impl Fn(&Fields<'_>) -> Option<T>) -> Vec<Placed<T>> {
    let mut read_all = Vec::new();
    for item in node.map_or_else(Vec::new, |n| n.items()) {
        if let Some(fields) = item.fields() {
            if let Some(value) = read(&fields) {
                read_all.push(Placed { value, place: fields.place() });
            }
            fields.finish();
        }
    }
    read_all
}

/// Signatures that have room beside each other.
const SIGNATURES_MAX: usize = 4;

fn read_form(root: &Fields<'_>) -> FormSettings {
    let mut form = FormSettings::default();
    if let Some(fields) = root.optional("form").and_then(|n| n.fields()) {
        for (key, name) in
            [("company", &mut form.company), ("unit", &mut form.unit), ("place", &mut form.place)]
        {
            *name = fields.optional(key).and_then(|n| n.name());
        }
        for (key, number) in
            [("supervision", &mut form.supervision), ("assessment", &mut form.assessment)]
        {
            if let Some(text) = fields.optional(key).and_then(|n| n.text()) {
                *number = text;
            }
        }
        if let Some(roles) = fields.optional("signatures") {
            let names: Vec<Name> = roles.items().iter().filter_map(Node::name).collect();
            if names.len() > SIGNATURES_MAX {
                let many = names.len();
                roles.complain(format!("{many} sign; a form has room for {SIGNATURES_MAX}"));
            }
            form.signatures = names;
        }
        fields.finish();
    }
    form
}

fn read_targets(root: &Fields<'_>) -> Targets {
    let mut targets = Targets {
        connected: 100.0,
        full: 100.0,
        unmanned: 100.0,
        remote_metering: 100.0,
        live: 98.0,
        watched: 95.0,
        daily_reading: None,
    };
    if let Some(fields) = root.optional("targets").and_then(|n| n.fields()) {
        for (key, target) in [
            ("connected", &mut targets.connected),
            ("full", &mut targets.full),
            ("unmanned", &mut targets.unmanned),
            ("remote_metering", &mut targets.remote_metering),
            ("live", &mut targets.live),
            ("watched", &mut targets.watched),
        ] {
            if let Some(percent) = fields.optional(key).and_then(|n| n.number(0.0, 100.0)) {
                *target = percent;
            }
        }
        let reading = fields.optional("daily_reading");
        targets.daily_reading = reading.and_then(|n| n.number(0.0, 100.0));
        fields.finish();
    }
    targets
}

fn read_scan(root: &Fields<'_>) -> ScanPeriods {
    // Scan groups of domain practice: status 1 s, 110 kV 2 s, medium voltage 10 s, counters 60 s.
    let mut periods = [1.0, 2.0, 10.0, 60.0, 60.0];
    let mut stale_after = 3;
    if let Some(fields) = root.optional("scan").and_then(|n| n.fields()) {
        for (scan, period) in Scan::ALL.into_iter().zip(&mut periods) {
            if let Some(seconds) =
                fields.optional(scan.word()).and_then(|n| n.number(0.1, 86_400.0))
            {
                *period = seconds;
            }
        }
        if let Some(scans) = fields.optional("stale_after").and_then(|n| n.integer(1, 100)) {
            stale_after = u16::try_from(scans).unwrap_or(stale_after);
        }
        fields.finish();
    }
    ScanPeriods::new(periods, stale_after)
}

fn read_history(root: &Fields<'_>) -> HistorySettings {
    // Two hours of ten stations fit into the memory, a quarter of a year of values on a small disk, and
    // five years of verdicts are what reports go back to.
    let mut history = HistorySettings { buffer_mb: 64, values_days: 90, verdicts_days: 1_830 };
    if let Some(fields) = root.optional("history").and_then(|n| n.fields()) {
        if let Some(mb) = fields.optional("buffer_mb").and_then(|n| n.integer(8, 65_536)) {
            history.buffer_mb = u32::try_from(mb).unwrap_or(history.buffer_mb);
        }
        let days = |key: &'static str, least: i64, days: &mut u16| {
            let said = fields.optional(key).and_then(|n| n.integer(least, 36_500));
            *days = said.and_then(|said| u16::try_from(said).ok()).unwrap_or(*days);
        };
        days("values_days", 1, &mut history.values_days);
        days("verdicts_days", 31, &mut history.verdicts_days);
        fields.finish();
    }
    history
}

fn read_unmanned(root: &Fields<'_>) -> UnmannedDraft {
    // The trade's bar for a signal that somebody must be able to rely on.
    let mut draft = UnmannedDraft { in_charge: None, seen: 99.0 };
    if let Some(fields) = root.optional("unmanned").and_then(|n| n.fields()) {
        draft.in_charge = named_centre(&fields);
        if let Some(percent) = fields.optional("seen").and_then(|n| n.number(50.0, 100.0)) {
            draft.seen = percent;
        }
        fields.finish();
    }
    draft
}

/// The centre that operates stations.
fn named_centre(fields: &Fields<'_>) -> Option<Placed<String>> {
    fields.optional("in_charge").and_then(|n| n.text().map(|text| n.placed(text)))
}

fn read_link(node: Option<&Node<'_>>, dir: &Path) -> (LinkSettings, Identities) {
    let mut link = LinkSettings {
        host: "127.0.0.1".to_owned(),
        port_base: 15_201,
        connect_timeout_ms: 2_000,
        backoff_first_ms: 500,
        backoff_longest_ms: 15_000,
        connections_max: 64,
        allow: Vec::new(),
        device: DeviceLimits { events: true, ..DeviceLimits::default() },
        tls: None,
    };
    let mut identities = Vec::new();
    let Some(fields) = node.and_then(Node::fields) else { return (link, identities) };
    if let Some(host) = fields.optional("host").and_then(|n| n.text()) {
        link.host = host;
    }
    if let Some(port) = fields.optional("port_base").and_then(|n| n.integer(1, 65_535)) {
        link.port_base = u16::try_from(port).unwrap_or(link.port_base);
    }
    if let Some(ms) = whole_number(&fields, "connect_timeout_ms", 10, 60_000) {
        link.connect_timeout_ms = ms;
    }
    link.device = read_device(&fields).over(&link.device);
    if let Some(most) = whole_number(&fields, "connections_max", 1, 1_000) {
        link.connections_max = most;
    }
    if let Some(node) = fields.optional("allow") {
        link.allow = read_networks(&node);
    }
    if let Some([first, longest]) = fields.optional("backoff_ms").and_then(|n| read_waits(&n)) {
        (link.backoff_first_ms, link.backoff_longest_ms) = (first, longest);
    }
    if let Some(tls) = fields.optional("tls").and_then(|n| n.fields()) {
        link.tls = Some(read_tls(&tls, dir));
        identities = named(tls.optional("centres"), |n| Some(read_identity(n, dir)));
        tls.finish();
    }
    fields.finish();
    (link, identities)
}

/// Reads how connections are secured, but for what the centres show.
fn read_tls(fields: &Fields<'_>, dir: &Path) -> Tls {
    let authority = fields.required("authority").and_then(|n| n.text());
    let station = fields.optional("station").and_then(|n| read_identity(&n, dir));
    let roles = |key, usual: &[&str]| {
        let usual = || usual.iter().map(|role| (*role).to_owned()).collect();
        fields
            .optional(key)
            .map_or_else(usual, |n| texts(&n).into_iter().map(|t| t.value).collect())
    };
    let (may_read, may_write) =
        (roles("may_read", &["Viewer", "Operator"]), roles("may_write", &["Operator"]));
    let authority = dir.join(authority.unwrap_or_default());
    Tls { authority, station, centres: Vec::new(), may_read, may_write }
}

/// A certificate and its key.
fn read_identity(node: &Node<'_>, dir: &Path) -> Option<Identity> {
    let needed = "two files are needed, [certificate, key]";
    let [certificate, key] = read_pair(node, needed, Node::text)?;
    Some(Identity { certificate: dir.join(certificate), key: dir.join(key) })
}

/// The first wait before calling again, and the longest.
fn read_waits(node: &Node<'_>) -> Option<[u32; 2]> {
    let needed = "two waits are needed, [first, longest], the first not above the second";
    let [first, longest] = read_pair(node, needed, |n| {
        n.integer(10, 3_600_000).and_then(|ms| u32::try_from(ms).ok())
    })?;
    if first > longest {
        node.complain(needed);
        return None;
    }
    Some([first, longest])
}

/// Two members of a list. What is wrong with a member is said of it, and of nothing else.
fn read_pair<'d, T>(
    node: &Node<'d>,
    needed: &str,
    read: impl Fn(&Node<'d>) -> Option<T>,
) -> Option<[T; 2]> {
    let items = if node.is_list() { node.items() } else { Vec::new() };
    let [first, second] = &items[..] else {
        node.complain(needed);
        return None;
    };
    let (first, second) = (read(first), read(second));
    Some([first?, second?])
}

/// Reads a whole number within bounds that its type can hold.
fn whole_number<T: TryFrom<i64>>(
    fields: &Fields<'_>,
    key: &'static str,
    low: i64,
    high: i64,
) -> Option<T> {
    fields.optional(key).and_then(|n| n.integer(low, high)).and_then(|n| T::try_from(n).ok())
}

/// Reads what a device can take, of the whole province or of one station.
fn read_device(fields: &Fields<'_>) -> DeviceDraft {
    DeviceDraft {
        reply_timeout_ms: whole_number(fields, "reply_timeout_ms", 10, 60_000),
        scan_timeout_ms: whole_number(fields, "scan_timeout_ms", 10, 3_600_000),
        in_flight: whole_number(fields, "in_flight", 1, i64::from(DeviceLimits::IN_FLIGHT_MAX)),
        registers_max: whole_number(fields, "registers_max", 2, 125),
        bits_max: whole_number(fields, "bits_max", 16, 2_000),
        gap_max: whole_number(fields, "gap_max", 0, 2_000),
        pause_after_connect_ms: whole_number(fields, "pause_after_connect_ms", 0, 60_000),
        pause_between_ms: whole_number(fields, "pause_between_ms", 0, 60_000),
        events: fields.optional("events").and_then(|n| n.boolean()),
    }
}

/// Who is let in. An empty list reads like nobody, and would let everybody in.
fn read_networks(node: &Node<'_>) -> Vec<IpNet> {
    let items = node.items();
    if node.is_list() && items.is_empty() {
        node.complain("the list is empty; leave it out to let everybody in");
    }
    items.iter().filter_map(read_network).collect()
}

/// An address, or a network such as `10.20.0.0/16`.
fn read_network(node: &Node<'_>) -> Option<IpNet> {
    let text = node.text()?;
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    if network.is_none() {
        let example = "10.20.0.7 or a network such as 10.20.0.0/16";
        node.complain(format!("'{text}' is not an address such as {example}"));
    }
    if let Some(plain) = network.and_then(unmapped) {
        node.complain(format!("'{text}' is IPv4 written as IPv6 and fits nobody; write {plain}"));
        return None;
    }
    network
}

/// The IPv4 network that an IPv6 one stands for. Peers are compared by their IPv4 address.
fn unmapped(network: IpNet) -> Option<String> {
    let IpNet::V6(network) = network else { return None };
    let address = network.addr().to_ipv4_mapped()?;
    network.prefix_len().checked_sub(96).map(|length| format!("{address}/{length}"))
}

fn read_whole(fields: &Fields<'_>) -> Option<Whole> {
    let unit = fields.required("unit").and_then(|n| n.integer(1, 247));
    let table = fields.required("table").and_then(|n| n.choice(&RegisterTable::WORDS));
    let address = fields.required("address").and_then(|n| n.integer(0, 65_535));
    let count = fields.required("count").and_then(|n| n.integer(2, 2_000));
    Some(Whole {
        unit: u8::try_from(unit?).ok()?,
        table: table?,
        address: u16::try_from(address?).ok()?,
        count: u16::try_from(count?).ok()?,
    })
}

fn read_centre(fields: &Fields<'_>) -> Option<Centre> {
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.optional("name").and_then(|n| n.name());
    let title = fields.optional("title").and_then(|n| n.name());
    let requires = fields.required("requires").map_or_else(Vec::new, |node| {
        node.items().iter().filter_map(|n| n.choice(&Class::CODES)).collect()
    });
    let optional = fields.optional("optional").and_then(|n| n.boolean()).unwrap_or(false);
    let metering = fields.optional("metering").and_then(|n| n.boolean()).unwrap_or(false);
    let id = id?;
    let name = name.unwrap_or_else(|| Name::same(&id));
    let title = title.unwrap_or_else(|| name.clone());
    Some(Centre { id, name, title, requires, optional, metering })
}

fn read_source(fields: &Fields<'_>) -> Option<Infeed> {
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.optional("name").and_then(|n| n.name());
    let mw = fields.optional("mw").and_then(|n| n.number(0.0, 1e5));
    let id = id?;
    Some(Infeed { name: name.unwrap_or_else(|| Name::same(&id)), id, mw })
}

fn read_reported_year(fields: &Fields<'_>) -> Option<ReportedYear> {
    let year = fields.required("year").and_then(|n| n.integer(1_900, 2_200));
    let gwh = |key| fields.optional(key).and_then(|n| n.number(0.0, 1e6));
    let (sold_gwh, produced_gwh) = (gwh("sold_gwh"), gwh("produced_gwh"));
    let year = year.and_then(|year| u16::try_from(year).ok())?;
    Some(ReportedYear { year, sold_gwh, produced_gwh })
}

fn placed_text(node: &Node<'_>) -> Option<Placed<String>> {
    node.text().map(|text| node.placed(text))
}

fn texts(node: &Node<'_>) -> Vec<Placed<String>> {
    node.items().iter().filter_map(placed_text).collect()
}

fn read_line(fields: &Fields<'_>) -> LineDraft {
    let conductors = CONDUCTORS.map(|name| (name, name));
    LineDraft {
        place: fields.place(),
        from: fields.required("from").and_then(|n| placed_text(&n)),
        to: fields.required("to").and_then(|n| placed_text(&n)),
        km: fields.required("km").and_then(|n| n.number(0.01, 1_000.0)).unwrap_or(1.0),
        conductor: fields
            .required("conductor")
            .and_then(|n| n.choice(&conductors))
            .unwrap_or_default()
            .to_owned(),
        open_at: fields.optional("open_at").and_then(|n| placed_text(&n)),
    }
}

fn read_meter_class(fields: &Fields<'_>) -> Option<MeterClass> {
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.optional("name").and_then(|n| n.name());
    let technology = fields.optional("technology").and_then(|n| n.name());
    let sold = fields.optional("sold").and_then(|n| n.boolean()).unwrap_or(true);
    let load = fields.optional("load").map_or_else(Vec::new, |node| {
        node.items().iter().filter_map(|n| n.choice(&LoadClass::WORDS)).collect()
    });
    let load = if load.is_empty() { LoadClass::WORDS.map(|(_, c)| c).to_vec() } else { load };
    let size = fields.optional("size").and_then(|n| n.integer(1, 10_000));
    let size = size.and_then(|size| u16::try_from(size).ok()).unwrap_or(1);
    let id = id?;
    let name = name.unwrap_or_else(|| Name::same(&id));
    let technology = technology.unwrap_or_else(|| Name::same(""));
    Some(MeterClass { id, name, technology, sold, load, size })
}

fn read_district(fields: &Fields<'_>) -> Option<District> {
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.optional("name").and_then(|n| n.name());
    let id = id?;
    Some(District { name: name.unwrap_or_else(|| Name::same(&id)), id })
}

fn read_station(fields: &Fields<'_>) -> Option<StationDraft> {
    let place = fields.place();
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.optional("name").and_then(|n| n.name());
    let e2e = named(fields.optional("e2e"), |n| Some(n.date()));
    let address = named(fields.optional("address"), |n| Some(read_address(n)));
    let transformers = named(fields.optional("transformers"), |n| n.number(0.1, 2_000.0));
    let bays = named(fields.required("bays"), |n| Some(texts(n)));
    let positions =
        named(fields.optional("positions"), |n| n.choice(&[("open", 1), ("closed", 2)]));
    let (device, tls) =
        fields.optional("link").and_then(|n| n.fields()).map_or_else(Default::default, |link| {
            let tls = link.optional("tls").and_then(|n| Some(n.placed(n.boolean()?)));
            let device = read_device(&link);
            link.finish();
            (device, tls)
        });
    let draft = StationDraft {
        place,
        id: String::new(),
        name: Name::same(""),
        unmanned: fields.required("unmanned").and_then(|n| n.boolean()).unwrap_or(false),
        in_charge: named_centre(fields),
        quality: fields.optional("quality").and_then(|n| n.boolean()).unwrap_or(true),
        e2e,
        address,
        peak_mw: fields.optional("peak_mw").and_then(|n| n.number(0.0, 2_000.0)).unwrap_or(10.0),
        load: read_load(fields),
        transformers,
        bays,
        positions,
        absent: remarks(fields.optional("absent")),
        untested: remarks(fields.optional("untested")),
        excluded: remarks(fields.optional("excluded")),
        pins: list(fields.optional("pins"), read_pin).into_iter().map(|p| p.value).collect(),
        device,
        tls,
        whole: list(fields.optional("whole"), read_whole),
        meters: list(fields.optional("metering"), |f| Some(read_meters(f)))
            .into_iter()
            .map(|m| m.value)
            .collect(),
        plant: None,
    };
    let id = id?;
    Some(StationDraft { name: name.unwrap_or_else(|| Name::same(&id)), id, ..draft })
}

fn read_plant(fields: &Fields<'_>) -> Option<StationDraft> {
    let place = fields.place();
    let id = fields.required("id").and_then(|n| n.identifier());
    let name = fields.optional("name").and_then(|n| n.name());
    let mw = fields.required("mw").and_then(|n| n.number(0.001, 1e5)).unwrap_or(1.0);
    let gwh = fields.optional("gwh_per_year");
    let gwh_per_year = gwh.as_ref().and_then(|n| n.number(0.0, 1e6)).inspect(|gwh| {
        let most = mw * 8.76;
        if let Some(node) = fields.optional("gwh_per_year").filter(|_| *gwh > most) {
            node.complain(format!("{mw} MW give at most {most:.1} GWh in a year"));
        }
    });
    let source = fields.optional("source").and_then(|n| placed_text(&n));
    let e2e = named(fields.optional("e2e"), |n| Some(n.date()));
    let address = named(fields.optional("address"), |n| Some(read_address(n)));
    let bays = named(fields.required("points"), |n| Some(texts(n)));
    let id = id?;
    Some(StationDraft {
        place,
        name: name.unwrap_or_else(|| Name::same(&id)),
        id,
        unmanned: false,
        in_charge: None,
        quality: true,
        e2e,
        address,
        peak_mw: 0.0,
        load: Vec::new(),
        transformers: Vec::new(),
        bays,
        positions: Vec::new(),
        absent: Vec::new(),
        untested: Vec::new(),
        excluded: Vec::new(),
        pins: list(fields.optional("pins"), read_pin).into_iter().map(|p| p.value).collect(),
        device: DeviceDraft::default(),
        tls: None,
        whole: Vec::new(),
        meters: Vec::new(),
        plant: Some(PlantDraft { mw, gwh_per_year, source }),
    })
}

/// Reads a table whose keys are names.
fn named<T>(
    node: Option<Node<'_>>,
    read: impl Fn(&Node<'_>) -> Option<T>,
) -> Vec<(Placed<String>, T)> {
    let Some(fields) = node.and_then(|n| n.fields()) else { return Vec::new() };
    fields.entries().into_iter().filter_map(|(key, node)| Some((key, read(&node)?))).collect()
}

/// `host:port`, or `[host]:port` for IPv6.
fn read_address(node: &Node<'_>) -> Option<Address> {
    let text = node.text()?;
    let split = text.rsplit_once(':').map(|(host, port)| (unbracketed(host), port.parse::<u16>()));
    match split {
        Some((Some(host), Ok(port))) if port > 0 => Some((host.to_owned(), port)),
        _ => {
            let examples = "10.1.2.3:502 or [fd00::1]:502";
            node.complain(format!("'{text}' is not an address such as {examples}"));
            None
        }
    }
}

/// A host without the brackets that an IPv6 address must have, lest its end be taken for the port.
fn unbracketed(host: &str) -> Option<&str> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok().then_some(inner),
        None => (!host.is_empty() && !host.contains([':', '[', ']'])).then_some(host),
    }
}

fn read_load(fields: &Fields<'_>) -> Vec<(LoadClass, f64)> {
    let Some(node) = fields.optional("load") else { return vec![(LoadClass::Rural, 1.0)] };
    let Some(shares) = node.fields() else { return Vec::new() };
    let load: Vec<(LoadClass, f64)> = LoadClass::WORDS
        .into_iter()
        .filter_map(|(word, class)| {
            shares.optional(word).and_then(|n| n.number(0.0, 1.0)).map(|share| (class, share))
        })
        .collect();
    let sum: f64 = load.iter().map(|(_, share)| share).sum();
    if (sum - 1.0).abs() > 1e-6 {
        node.complain(format!("the shares sum to {sum}, not to 1"));
    }
    shares.finish();
    load
}

fn remarks(node: Option<Node<'_>>) -> Vec<Remark> {
    let read = |fields: &Fields<'_>| {
        Some(Remark {
            points: fields.required("points").map_or_else(Vec::new, |n| texts(&n)),
            at: fields.optional("at").map(|n| texts(&n)),
            since: fields.optional("since").and_then(|n| n.date()),
            why: fields.optional("why").and_then(|n| n.name()),
        })
    };
    list(node, read).into_iter().map(|remark| remark.value).collect()
}

fn read_pin(fields: &Fields<'_>) -> Option<Pin> {
    let address = |key| {
        fields.optional(key).and_then(|n| n.integer(0, 65_535)).and_then(|a| u16::try_from(a).ok())
    };
    let point = fields.required("point").and_then(|n| placed_text(&n));
    let unit = fields.optional("unit").and_then(|n| n.integer(1, 247));
    let encoding = fields.optional("encoding").and_then(|n| {
        let written = n.text()?;
        let parsed =
            Encoding::parse(&written).map_err(|error| n.complain(error.to_string())).ok()?;
        Some(n.placed(parsed))
    });
    let pin = (address("address"), address("quality_address"));
    let table = fields.optional("table").and_then(|n| n.choice(&RegisterTable::WORDS));
    let word_order = fields.optional("word_order").and_then(|n| n.choice(&WordOrder::CODES));
    Some(Pin {
        point: point?,
        unit: unit.and_then(|u| u8::try_from(u).ok()),
        table,
        address: pin.0,
        encoding,
        word_order,
        quality_address: pin.1,
    })
}

fn read_meters(fields: &Fields<'_>) -> MeterDraft {
    let counts = |key| {
        named(fields.optional(key), |n| {
            n.integer(0, 100_000_000).and_then(|count| u32::try_from(count).ok())
        })
    };
    MeterDraft {
        district: fields.required("district").and_then(|n| placed_text(&n)),
        installed: counts("installed"),
        remote: counts("remote"),
    }
}
