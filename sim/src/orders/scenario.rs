//! Scenarios: which faults come when, and what is done to the plant, as a TOML file says it.

use std::io::Read as _;
use std::path::Path;

use config::{Document, Fields, Node, Problems, Province};

use super::actions::{self, PlannedAction};
use crate::faults::{
    FAULTS, FaultError, FaultKind, FaultSettings, Injection, Planned, Rates, Takes, check,
};
use crate::times::{Start, read_duration, read_start};

/// Larger files are surely no scenario.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Faults, and actions, that one scenario may have.
const FAULTS_MAX: usize = 10_000;
/// Highest rate: one start an hour.
const RATE_MAX: f64 = 8_766.0;

/// Which faults come when, and what is done to the plant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scenario {
    /// What it is about, in the words of its author.
    pub about: String,
    /// Faults at given times.
    pub planned: Vec<Planned>,
    /// What is done to the plant at given times.
    pub actions: Vec<PlannedAction>,
    /// Faults that come by chance.
    pub rates: Option<Rates>,
}

impl Scenario {
    /// Reads a scenario for a province from its file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, at once.
    pub fn load(province: &Province, path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let unreadable = |error: &dyn std::fmt::Display| {
            Problems::of_file(&file, format!("the scenario cannot be read: {error}"))
        };
        // Looked at before it is opened: a pipe would block for as long as nobody writes to it.
        let found = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
        if !found.is_file() {
            return Err(unreadable(
                &"it is no file; name one such as sim/scenarios/storm-evening.toml",
            ));
        }
        let opened = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
        let mut text = String::new();
        opened
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| unreadable(&error))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(unreadable(&"it is larger than 4 MiB"));
        }
        Self::parse(province, &file, &text)
    }

    /// Reads a scenario for a province from a text; `file` is what problems call it.
    ///
    /// # Errors
    /// Everything that is wrong with the text, at once.
    pub fn parse(province: &Province, file: &str, text: &str) -> Result<Self, Problems> {
        let document = Document::new(file, text);
        let root = document.parse()?;
        let fields = document.root(&root);
        let about = fields.optional("about").and_then(|node| node.text()).unwrap_or_default();
        let listed = |key: &'static str| {
            let mut nodes = fields.optional(key).map_or_else(Vec::new, |node| node.items());
            if nodes.len() > FAULTS_MAX {
                document.note(0, key, format!("more than {FAULTS_MAX} of these in one scenario"));
                nodes.truncate(FAULTS_MAX);
            }
            nodes
        };
        let planned = listed("fault").iter().filter_map(|n| read_fault(province, n)).collect();
        let actions = listed("plant").iter().filter_map(|n| actions::read(province, n)).collect();
        let rates = fields.optional("rates").and_then(|node| read_rates(&node));
        fields.finish();
        if document.has_problems() {
            return Err(document.take_problems());
        }
        Ok(Self { about, planned, actions, rates })
    }
}

fn read_fault(province: &Province, node: &Node<'_>) -> Option<Planned> {
    let fields = node.fields()?;
    let kind = fields.required("kind").and_then(|node| {
        let text = node.text()?;
        FaultKind::parse(&text).map_err(|error| node.complain(error.to_string())).ok()
    });
    let target_node = fields.required("target");
    let target = target_node.as_ref().and_then(Node::text);
    let centre_node = fields.optional("centre");
    let centre = centre_node.as_ref().and_then(Node::text);
    let start = fields
        .optional("at")
        .map_or(Some(Start::After(0)), |node| read_start(&node, province.zone));
    let lasting = fields.optional("for");
    let for_ms = lasting.as_ref().and_then(read_duration);
    let settings = kind.map(|kind| read_settings(&fields, kind));
    if kind.is_none() {
        // Without a kind nobody knows its parameters.
        for parameter in FAULTS.iter().flat_map(|spec| spec.parameters) {
            fields.optional(parameter.name);
        }
    }
    fields.finish();
    let well = start.is_some() && (lasting.is_none() || for_ms.is_some());
    let (kind, target, settings) = (kind?, target?, settings??);
    let injection = Injection { kind, target, centre, for_ms, settings };
    if let Err(error) = check(province, &injection) {
        let about_centre = matches!(error, FaultError::NoCentre { .. });
        let place = if about_centre { centre_node.as_ref() } else { target_node.as_ref() };
        place.unwrap_or(node).complain(error.to_string());
        return None;
    }
    well.then_some(Planned { start: start?, injection })
}

/// The parameters of a fault, `None` when one is wrong.
fn read_settings(fields: &Fields<'_>, kind: FaultKind) -> Option<FaultSettings> {
    let mut settings = FaultSettings::of(kind);
    let mut well = true;
    for parameter in kind.spec().parameters {
        let Some(node) = fields.optional(parameter.name) else { continue };
        let text = match parameter.takes {
            Takes::Number { low, high, .. } => node.number(low, high).map(|x| x.to_string()),
            Takes::Word(_) => node.text(),
        };
        let set = text.map(|text| settings.set(parameter.name, &text));
        match set {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                node.complain(error.to_string());
                well = false;
            }
            None => well = false,
        }
    }
    well.then_some(settings)
}

/// `[rates]`: those of the table times `scale`, and any of them set.
fn read_rates(node: &Node<'_>) -> Option<Rates> {
    let fields = node.fields()?;
    let scale = fields.optional("scale").map_or(Some(1.0), |node| node.number(0.0, 10_000.0));
    let mut rates = Rates::of_table(scale.unwrap_or(1.0));
    for spec in FAULTS {
        if let Some(rate) = fields.optional(spec.id).and_then(|node| node.number(0.0, RATE_MAX)) {
            rates.set(spec.kind, rate);
        }
    }
    fields.finish();
    Some(rates)
}

#[cfg(test)]
mod tests {
    use config::Zone;

    use super::*;

    #[test]
    fn every_problem_of_a_scenario_is_said_at_once_with_its_line() {
        let province = Province::built_in();
        let text = "\
about = \"all wrong\"
[[fault]]
kind = \"T8\"
target = \"HB03.110.171.P\"
[[fault]]
kind = \"T12\"
target = \"HB03.110.171.CB.POS\"
[[fault]]
kind = \"T08\"
target = \"HB03.110.171.PP\"
at = \"soon\"
[[fault]]
kind = \"T11\"
target = \"HB03.110.171.P\"
centre = \"CX\"
factor = \"big\"
[[fault]]
kind = \"T11\"
target = \"HB03.110.171.P\"
centre = \"CX\"
facto = 10
[[fault]]
kind = \"T08\"
target = \"HB03.110.171.P\"
at = \"2022-11-02 06:00:00\"
[rates]
scale = -1
T99 = 1
";
        let problems = Scenario::parse(&province, "storm.toml", text).unwrap_err().to_string();
        for said in [
            "storm.toml:3: fault[0].kind: no fault 'T8'; did you mean 'T08'?",
            "storm.toml:7: fault[1].target: T12 (polarity reversed) cannot apply to",
            "it applies to P, Q and PF of a bay",
            "storm.toml:10: fault[2].target: no point 'HB03.110.171.PP'",
            "storm.toml:11: fault[2].at: 'soon' is no span of time",
            "storm.toml:16: fault[3].factor: 'big' is not a number",
            "storm.toml:20: fault[4].centre: no centre 'CX'",
            "storm.toml:21: fault[4]: unknown key 'facto'; did you mean 'factor'?",
            "storm.toml:25: fault[5].at: '2022-11-02 06:00:00' is a moment in quotes: write it without them",
            "storm.toml:27: rates.scale: '-1' is not a number",
            "storm.toml:28: rates: unknown key 'T99'",
        ] {
            assert!(problems.contains(said), "{said}\n--\n{problems}");
        }
    }

    #[test]
    fn times_without_an_offset_are_those_of_the_clocks_there() {
        let fault = |at: &str| format!("[[fault]]\nkind = \"T01\"\ntarget = \"HB01\"\nat = {at}\n");
        for (zone, at, expected) in [
            (Zone::hours(7), "2022-11-23T14:32:07", Ok("2022-11-23T07:32:07.000Z")),
            (
                Zone::named("Europe/Berlin").unwrap(),
                "2022-07-01 12:00:00.250",
                Ok("2022-07-01T10:00:00.250Z"),
            ),
            (
                Zone::named("Europe/Berlin").unwrap(),
                "2022-07-01T12:00:00-03:30",
                Ok("2022-07-01T15:30:00.000Z"),
            ),
            (
                Zone::named("Europe/Berlin").unwrap(),
                "2022-03-27T02:30:00",
                Err("there is no 2022-03-27 02:30:00"),
            ),
            (
                Zone::named("Europe/Berlin").unwrap(),
                "2022-10-30T02:30:00",
                Err("comes twice in Europe/Berlin"),
            ),
            (Zone::hours(7), "2022-10-30", Err("'2022-10-30' is not an instant such as")),
        ] {
            let province = Province { zone, ..Province::built_in() };
            let read = Scenario::parse(&province, "a", &fault(at));
            let start =
                read.map(|scenario| scenario.planned[0].start).map_err(|all| all.to_string());
            match (start, expected) {
                (Ok(Start::At(at)), Ok(expected)) => assert_eq!(config::utc_text(at), expected),
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
                other => panic!("{at}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_scenario_has_times_durations_and_rates() {
        let province = Province::built_in();
        let text = "\
[[fault]]
kind = \"frozen\"
target = \"HB0?.22.47*.P\"
at = 2022-11-23T14:32:07+07:00
for = \"2h\"
[[fault]]
kind = \"T11\"
target = \"HB03.110.171.P\"
centre = \"A1\"
at = \"00:05:00\"
factor = 1000
[rates]
T01 = 50
";
        let scenario = Scenario::parse(&province, "a", text).unwrap();
        assert_eq!(scenario.planned[0].start, Start::At(1_669_188_727_000));
        assert_eq!(scenario.planned[0].injection.for_ms, Some(7_200_000));
        assert_eq!(scenario.planned[1].start, Start::After(300_000));
        assert_eq!(
            scenario.planned[1].injection.settings.written(),
            [("factor", "1000".to_owned())]
        );
        assert!(scenario.rates.is_some());
    }
}
