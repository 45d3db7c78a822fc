//! What is done to the plant by hand or by script: a short circuit, a status set as it stands in
//! the plant, a frequency that falls. It is the truth, so telemetry tells it honestly and the
//! truth log has nothing to say of it.

use config::{Node, Point, PointId, PointKind, Province, Station, StationId, way_out};
use thiserror::Error;

use crate::plant::scheme::{Role, Scheme};
use crate::plant::short_circuit::ShortCircuit;
use crate::target::{TargetError, bay_id, one_bay, one_point};
use crate::times::{Start, read_duration, read_start};

/// Hertz that can be taken off the frequency of the grid, and for how long, milliseconds.
const DIP_HERTZ: (f64, f64) = (0.05, 5.0);
const DIP_MS: (i64, i64) = (1_000, 3_600_000);
/// Words for the codes of a double point.
const POSITIONS: [(&str, u8); 7] = [
    ("open", 1),
    ("closed", 2),
    ("between", 0),
    ("contradictory", 3),
    ("mở", 1),
    ("cắt", 1),
    ("đóng", 2),
];

/// Something done to the plant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PlantAction {
    /// A short circuit on the line or the feeder of a bay, or in its transformer.
    Strike {
        /// Station.
        station: StationId,
        /// Its place in the station's bays.
        bay: usize,
        /// What it is like.
        fault: ShortCircuit,
    },
    /// A status stands otherwise: a key turned, gas lost, a switch moved by hand.
    Set {
        /// Station.
        station: StationId,
        /// The status.
        point: PointId,
        /// What it is from now on.
        code: u8,
    },
    /// The frequency of the grid falls, and comes back.
    Dip {
        /// By so much.
        hertz: f64,
        /// For so long, milliseconds.
        for_ms: i64,
    },
}

/// An action to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedAction {
    /// When.
    pub start: Start,
    /// What.
    pub action: PlantAction,
}

/// Why nothing like this can be done to the plant. A hint is the way out: the nearest name, or what is
/// allowed.
#[derive(Debug, Clone, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ActionError {
    /// The bay or point is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A short circuit needs something that can be struck.
    #[error("'{bay}' has no line, feeder or transformer that could be struck; {hint}")]
    CannotBeStruck { bay: String, hint: String },
    /// Where on a line is a share of it.
    #[error("share {share} is not a number from 0 to 1")]
    NoShare { share: f64 },
    /// Phases are A, B and C.
    #[error("no phase '{letter}'; allowed: A, B, C")]
    NoPhase { letter: String },
    /// Only a status can be set.
    #[error("'{point}' is no status; {hint}")]
    NoStatus { point: String, hint: String },
    /// The status has no such state.
    #[error("{point} cannot be '{code}'; {hint}")]
    NoState { point: String, code: String, hint: String },
    /// The frequency falls by less or more than it can.
    #[error("{hertz} Hz is not a number from {} to {}", DIP_HERTZ.0, DIP_HERTZ.1)]
    Hertz { hertz: f64 },
    /// It is back sooner or later than it can be.
    #[error("a dip lasts from 1s to 1h")]
    Lasting { for_ms: i64 },
}

impl PlantAction {
    /// A short circuit at the bay with an id, such as `HB04.22.473`.
    ///
    /// # Errors
    /// When it is no bay of a line, a feeder or a transformer, with the nearest that is.
    pub fn strike(
        province: &Province,
        bay: &str,
        fault: ShortCircuit,
    ) -> Result<Self, ActionError> {
        let (id, at) = one_bay(province, bay)?;
        let station = &province.stations[id.index()];
        let scheme = Scheme::new(station);
        let can_be_struck = |bay: &usize| match scheme.roles[*bay] {
            Role::Feeder(_) | Role::Transformer(_) => true,
            Role::Line => {
                let end = config::LineEnd::Bay(id, *bay);
                province.lines.iter().any(|line| line.from == end || line.to == end)
            }
            _ => false,
        };
        if !can_be_struck(&at) {
            let bays: Vec<String> = (0..station.bays.len())
                .filter(can_be_struck)
                .map(|bay| bay_id(station, bay))
                .collect();
            let hint = way_out(bay, bays.iter().map(String::as_str));
            return Err(ActionError::CannotBeStruck { bay: bay.to_owned(), hint });
        }
        if !(0.0..=1.0).contains(&fault.share) {
            return Err(ActionError::NoShare { share: fault.share });
        }
        Ok(Self::Strike { station: id, bay: at, fault })
    }

    /// A status takes a code, written as its number or in a word of its states.
    ///
    /// # Errors
    /// When it is no status or has no such state, with the nearest that is.
    pub fn set(province: &Province, point: &str, code: &str) -> Result<Self, ActionError> {
        let (station, id) = one_point(province, point)?;
        let own = &province.stations[station.index()];
        let spec = &own.points[id.index()];
        if !spec.spec.kind.is_status() {
            let statuses = statuses_beside(own, spec);
            let hint = way_out(point, statuses.iter().map(|point| point.id.as_str()));
            return Err(ActionError::NoStatus { point: point.to_owned(), hint });
        }
        Ok(Self::Set { station, point: id, code: code_of(spec, code)? })
    }

    /// The frequency falls by so many hertz for so many milliseconds.
    ///
    /// # Errors
    /// When that is more or less than can be.
    pub fn dip(hertz: f64, for_ms: i64) -> Result<Self, ActionError> {
        if !(DIP_HERTZ.0..=DIP_HERTZ.1).contains(&hertz) {
            return Err(ActionError::Hertz { hertz });
        }
        if !(DIP_MS.0..=DIP_MS.1).contains(&for_ms) {
            return Err(ActionError::Lasting { for_ms });
        }
        Ok(Self::Dip { hertz, for_ms })
    }
}

/// Number of a phase by its letter.
///
/// # Errors
/// When it is none of A, B and C.
pub(crate) fn phase(letter: &str) -> Result<u8, ActionError> {
    match letter {
        "A" | "a" => Ok(0),
        "B" | "b" => Ok(1),
        "C" | "c" => Ok(2),
        _ => Err(ActionError::NoPhase { letter: letter.to_owned() }),
    }
}

fn statuses_beside<'a>(station: &'a Station, point: &Point) -> Vec<&'a Point> {
    let beside = |other: &&Point| other.bay == point.bay && other.spec.kind.is_status();
    station.points.iter().filter(beside).collect()
}

/// The code that is meant by a number or a word.
fn code_of(point: &Point, written: &str) -> Result<u8, ActionError> {
    let wanted = written.trim().to_lowercase();
    let mut words: Vec<(String, u8)> = match (point.spec.kind, &point.spec.states) {
        (PointKind::DoublePoint, _) => {
            POSITIONS.iter().map(|(word, code)| ((*word).to_owned(), *code)).collect()
        }
        (_, Some([zero, one])) => {
            let of = |name: &config::Name, code| [(name.en.clone(), code), (name.vi.clone(), code)];
            [of(zero, 0), of(one, 1)].concat()
        }
        _ => Vec::new(),
    };
    let codes = if point.spec.kind == PointKind::DoublePoint { 0..=3 } else { 0..=1_u8 };
    words.extend(codes.map(|code| (code.to_string(), code)));
    let found = words.iter().find(|(word, _)| word.to_lowercase() == wanted);
    found.map(|(_, code)| *code).ok_or_else(|| {
        let mut known: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        known.dedup();
        ActionError::NoState {
            point: point.id.clone(),
            code: written.to_owned(),
            hint: way_out(&wanted, known),
        }
    })
}

/// Reads a `[[plant]]` of a scenario; what is wrong with it is noted in its document.
pub(crate) fn read(province: &Province, node: &Node<'_>) -> Option<PlannedAction> {
    #[derive(Clone, Copy)]
    enum Do {
        Strike,
        Set,
        Dip,
    }
    let fields = node.fields()?;
    let kinds = [("strike", Do::Strike), ("set", Do::Set), ("dip", Do::Dip)];
    let kind = fields.required("do").and_then(|node| node.choice(&kinds));
    let start = fields
        .optional("at")
        .map_or(Some(Start::After(0)), |node| read_start(&node, province.zone));
    let action = match kind {
        Some(Do::Strike) => read_strike(province, &fields),
        Some(Do::Set) => {
            let (point, code) = (fields.required("point"), fields.required("code"));
            let written = code.as_ref().and_then(|node| {
                let number = || node.integer(0, 3).map(|code| code.to_string());
                if node.is_text() { node.text() } else { number() }
            });
            let id = point.as_ref().and_then(Node::text);
            id.zip(written).and_then(|(id, written)| {
                let set = PlantAction::set(province, &id, &written);
                let about_code = matches!(set, Err(ActionError::NoState { .. }));
                noted(if about_code { code.as_ref() } else { point.as_ref() }, set)
            })
        }
        Some(Do::Dip) => {
            let (hertz, lasting) = (fields.required("hertz"), fields.required("for"));
            let by = hertz.as_ref().and_then(|node| node.number(DIP_HERTZ.0, DIP_HERTZ.1));
            let for_ms = lasting.as_ref().and_then(read_duration);
            by.zip(for_ms).and_then(|(hertz, for_ms)| {
                noted(lasting.as_ref(), PlantAction::dip(hertz, for_ms))
            })
        }
        None => {
            // Without a kind nobody knows its keys.
            let keys = ["bay", "lasting", "phase", "earth", "share", "point", "code", "hertz"];
            for key in keys.into_iter().chain(["for"]) {
                fields.optional(key);
            }
            None
        }
    };
    fields.finish();
    Some(PlannedAction { start: start?, action: action? })
}

fn read_strike(province: &Province, fields: &config::Fields<'_>) -> Option<PlantAction> {
    let bay = fields.required("bay");
    let lasting = fields.optional("lasting").map_or(Some(false), |node| node.boolean());
    let phase = fields.optional("phase").map_or(Some(0), |node| {
        let letter = node.text()?;
        noted(Some(&node), phase(&letter))
    });
    let earth = fields.optional("earth").map_or(Some(true), |node| node.boolean());
    let share = fields.optional("share").map_or(Some(0.5), |node| node.number(0.0, 1.0));
    let id = bay.as_ref().and_then(Node::text)?;
    let fault = ShortCircuit {
        lasting: lasting.unwrap_or_default(),
        phase: phase.unwrap_or_default(),
        earth: earth.unwrap_or_default(),
        share: share.unwrap_or_default(),
    };
    let action = noted(bay.as_ref(), PlantAction::strike(province, &id, fault));
    let well = lasting.is_some() && phase.is_some() && earth.is_some() && share.is_some();
    action.filter(|_| well)
}

/// What is right; what is wrong is noted where it stands.
fn noted<T>(node: Option<&Node<'_>>, result: Result<T, ActionError>) -> Option<T> {
    result.map_err(|error| node.map(|node| node.complain(error.to_string()))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::Scenario;

    #[test]
    fn deeds_are_refused_with_the_nearest_name() {
        let province = Province::built_in();
        let strike = |bay: &str| {
            let fault = ShortCircuit { lasting: false, phase: 0, earth: true, share: 0.5 };
            PlantAction::strike(&province, bay, fault)
        };
        let set = |point: &str, code: &str| PlantAction::set(&province, point, code);
        for bay in ["HB04.22.473", "HB02.110.172", "HB01.110.131"] {
            assert!(strike(bay).is_ok(), "{bay}");
        }
        for (refused, said) in [
            (strike("HB04.22.479"), "no bay or point 'HB04.22.479'; did you mean 'HB04.22.47"),
            (strike("HB04.22.C41"), "no line, feeder or transformer that could be struck"),
            (strike("HB04.22.473.P"), "is not one bay"),
            (strike("HB04"), "is not one bay"),
            (set("HB04.22.471.CB.R", "0"), "did you mean 'HB04.22.471.CB.RL'?"),
            (set("HB04.22.471.P", "0"), "'HB04.22.471.P' is no status"),
            (set("HB04.22.471.CB.RL", "2"), "HB04.22.471.CB.RL cannot be '2'"),
            (set("HB04.22.471.CB.RL", "remot"), "did you mean 'remote'?"),
            (set("HB04.22.471.CB.POS", "4"), "HB04.22.471.CB.POS cannot be '4'"),
            (PlantAction::dip(0.0, 20_000), "is not a number from 0.05 to 5"),
            (PlantAction::dip(f64::NAN, 20_000), "is not a number"),
            (PlantAction::dip(1.0, 10), "from 1s to 1h"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn states_are_numbers_or_words_of_both_languages() {
        let province = Province::built_in();
        for (point, written, meant) in [
            ("HB04.22.471.CB.RL", "local", 0),
            ("HB04.22.471.CB.RL", "Từ xa", 1),
            ("HB04.22.471.CB.RL", "1", 1),
            ("HB04.22.471.CB.POS", "closed", 2),
            ("HB04.22.471.CB.POS", "cắt", 1),
            ("HB04.22.471.CB.POS", "3", 3),
        ] {
            let action = PlantAction::set(&province, point, written);
            assert!(
                matches!(action, Ok(PlantAction::Set { code, .. }) if code == meant),
                "{written}"
            );
        }
    }

    #[test]
    fn every_problem_of_a_script_is_said_at_once_with_its_line() {
        let province = Province::built_in();
        let text = "\
[[plant]]
do = \"strik\"
bay = \"HB04.22.473\"
[[plant]]
do = \"strike\"
bay = \"HB04.22.C41\"
phase = \"D\"
at = \"soon\"
[[plant]]
do = \"set\"
point = \"HB04.22.471.CB.RL\"
code = \"remot\"
[[plant]]
do = \"dip\"
hertz = 9
[[plant]]
do = \"set\"
point = \"HB04.22.471.P\"
code = 0
lasting = true
";
        let problems = Scenario::parse(&province, "storm.toml", text).unwrap_err().to_string();
        for said in [
            "storm.toml:2: plant[0].do: 'strik' is not known here; did you mean 'strike'?",
            "storm.toml:6: plant[1].bay: 'HB04.22.C41' has no line, feeder or transformer",
            "storm.toml:7: plant[1].phase: no phase 'D'; allowed: A, B, C",
            "storm.toml:8: plant[1].at: 'soon' is no span of time",
            "storm.toml:12: plant[2].code: HB04.22.471.CB.RL cannot be 'remot'",
            "storm.toml:15: plant[3].hertz: '9' is not a number from 0.05 to 5",
            "plant[3]: key 'for' is missing",
            "storm.toml:18: plant[4].point: 'HB04.22.471.P' is no status",
            "storm.toml:20: plant[4]: unknown key 'lasting'",
        ] {
            assert!(problems.contains(said), "{said}\n--\n{problems}");
        }
        assert_eq!(problems.lines().count(), 9, "{problems}");
    }
}
