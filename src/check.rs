//! Thresholds: does the province reach what was promised, and if not, which station does not and
//! why.

use config::{Lang, StationId};

use crate::historian::counts::Share;
use crate::historian::picture::{Full, LinkState, Picture};
use crate::historian::shortfalls;
use crate::historian::verdict::Since;
use crate::words::format::{self, Moment};
use crate::words::places::{self, Form};

/// What to check, in per cent; `None` is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Thresholds {
    /// Stations connected to every centre.
    pub connected: Option<f64>,
    /// Stations with all required signals at every centre.
    pub full: Option<f64>,
    /// Stations operated without staff.
    pub unmanned: Option<f64>,
    /// Meters read remotely.
    pub coverage: Option<f64>,
    /// Required points that are live, at each centre.
    pub live: Option<f64>,
}

impl Thresholds {
    /// The targets of the contract.
    pub fn targets(targets: &config::Targets) -> Self {
        Self {
            connected: Some(targets.connected),
            full: Some(targets.full),
            unmanned: Some(targets.unmanned),
            coverage: Some(targets.remote_metering),
            live: Some(targets.live),
        }
    }

    /// Whether nothing is checked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the stations must be asked: what a station has, and whether it is tested and
    /// unmanned, stands in the contract; the rest must be seen.
    pub fn needs_stations(&self) -> bool {
        self.connected.is_some() || self.coverage.is_some() || self.live.is_some()
    }
}

/// What came of the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// One for each threshold, in the order of [`Thresholds`].
    pub results: Vec<CheckResult>,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// What was checked, such as `full`, or `live at CC`.
    pub what: String,
    /// The figure.
    pub share: Share,
    /// The threshold, per cent.
    pub threshold: f64,
    /// How it stands.
    pub grade: Grade,
    /// Stations that fall short, in the order of the contract.
    pub stations: Vec<StationId>,
}

/// How a check stands. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// The threshold is reached.
    Reached,
    /// Nobody answered, so nothing can be said.
    NoData,
    /// It is not reached.
    Missed,
}

impl Outcome {
    /// The worst grade.
    pub fn grade(&self) -> Grade {
        self.results.iter().map(|result| result.grade).max().unwrap_or(Grade::Reached)
    }
}

/// Holds a picture against thresholds.
pub fn check(picture: &Picture, thresholds: &Thresholds) -> Outcome {
    let mut results = Vec::new();
    let figures = &picture.figures;
    let heard = picture.channels.iter().any(|c| c.link.state == LinkState::Connected);
    let mut add = |what: String, share: Share, threshold: Option<f64>, seen: bool, stations| {
        let Some(threshold) = threshold else { return };
        let grade = match share.reaches(threshold) {
            _ if !seen => Grade::NoData,
            None => Grade::NoData,
            Some(true) => Grade::Reached,
            Some(false) => Grade::Missed,
        };
        let stations = if grade == Grade::Missed { stations } else { Vec::new() };
        results.push(CheckResult { what, share, threshold, grade, stations });
    };
    let short = |falls_short: &dyn Fn(StationId) -> bool| -> Vec<StationId> {
        picture.province.station_ids().filter(|id| falls_short(*id)).collect()
    };
    let of = |id: StationId| &picture.stations[id.index()];
    let lost = short(&|id| of(id).link != LinkState::Connected);
    add("connected".to_owned(), figures.connected, thresholds.connected, heard, lost);
    let not_full = short(&|id| of(id).full != Full::Full);
    add("full".to_owned(), figures.full, thresholds.full, true, not_full);
    let manned = short(&|id| !picture.province.stations[id.index()].unmanned);
    add("unmanned".to_owned(), figures.unmanned, thresholds.unmanned, true, manned);
    let target = thresholds.coverage.unwrap_or(100.0);
    let uncovered =
        short(&|id| picture.metering.stations[id.index()].reaches(target) == Some(false));
    add("coverage".to_owned(), figures.remote_metering, thresholds.coverage, heard, uncovered);
    for centre in picture.province.centre_ids() {
        let what = format!("live at {}", picture.province.centres[centre.index()].id);
        let live = picture.centres[centre.index()].counts.live;
        let dead = short(&|id| picture.channel(id, centre).counts.live.lacking() > 0);
        add(what, live, thresholds.live, heard, dead);
    }
    Outcome { results }
}

/// The outcome in lines for people: each figure, and under a missed one every station that falls
/// short, with its signals and reasons.
pub fn report(picture: &Picture, outcome: &Outcome, lang: Lang) -> Vec<String> {
    let mut lines = Vec::new();
    for result in &outcome.results {
        let CheckResult { what, share, threshold, grade, stations } = result;
        let word = match grade {
            Grade::Reached => "ok",
            Grade::Missed => "MISSED",
            Grade::NoData => "NO DATA",
        };
        let percent = format::percent(*share, 2, Some(*threshold), Lang::En);
        lines.push(format!(
            "{word:<7} {what}: {}/{} = {percent}, threshold {threshold} %",
            share.have, share.want
        ));
        for station in stations {
            let of_station = &picture.province.stations[station.index()];
            lines.push(format!("        {} {}", of_station.id, of_station.name.get(lang)));
            let structural = matches!(what.as_str(), "full");
            lines.extend(why(picture, *station, structural, lang));
        }
    }
    lines
}

/// Why a station falls short, one line for each cause.
fn why(picture: &Picture, station: StationId, structural: bool, lang: Lang) -> Vec<String> {
    let moment = Moment { now: picture.at, zone: picture.province.utc_offset_hours, lang };
    let of_station = &picture.province.stations[station.index()];
    let shortfalls = shortfalls::of_station(picture, station);
    let relevant = shortfalls.iter().filter(|s| !structural || s.reason().is_structural());
    relevant
        .map(|shortfall| {
            let centres: Vec<&str> = shortfall
                .centres
                .iter()
                .map(|centre| picture.province.centres[centre.index()].name.get(lang))
                .collect();
            let since = match (shortfall.since, lang) {
                (Since::Always, Lang::Vi) => "từ đầu".to_owned(),
                (Since::Always, Lang::En) => "always".to_owned(),
                (since, Lang::Vi) => format!("từ {}", moment.since(since)),
                (since, Lang::En) => format!("since {}", moment.since(since)),
            };
            format!(
                "          {} {} ({}), {since}: {}",
                shortfall.reason().text(lang),
                shortfall.points.len(),
                centres.join(" "),
                places::places(of_station, &shortfall.points, Form::Full, lang),
            )
        })
        .collect()
}
