//! Thresholds: does the province reach what was promised, and if not, which station does not and
//! why.

use config::{CentreId, Lang, PointId, StationId};
use historian::counts::Share;
use historian::issues::{self, Issue};
use historian::snapshot::{Full, LinkState, Snapshot};
use historian::unmanned;
use historian::verdict::{Reason, Since};
use words::format::{self, Moment};
use words::places::{self, Form};
use words::texts::Text;

/// What to check, in per cent; `None` is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Thresholds {
    /// Stations connected to every centre.
    pub connected: Option<f64>,
    /// Stations with all required signals at every centre.
    pub full: Option<f64>,
    /// Stations operated without staff: declared so, and seen well enough.
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

    /// Whether the stations must be asked: what a station has, and whether it is tested, stands in the
    /// contract; the rest must be seen.
    pub fn needs_stations(&self) -> bool {
        let Self { connected, full: _, unmanned, coverage, live } = self;
        [connected, unmanned, coverage, live].into_iter().any(Option::is_some)
    }
}

/// What came of the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOutcome {
    /// One for each threshold, in the order of [`Thresholds`].
    pub results: Vec<CheckResult>,
    /// Stations were asked, and none answered.
    pub nobody: bool,
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Stations connected to every centre.
    Connected,
    /// Stations with all required signals.
    Full,
    /// Stations operated without staff.
    Unmanned,
    /// Meters read remotely.
    Coverage,
    /// Points that are live at a centre.
    Live(CentreId),
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// What was checked.
    pub what: Checked,
    /// The figure.
    pub share: Share,
    /// Of those that are wanted and not there, as many are not known to be missing: nobody has looked yet.
    pub unknown: u64,
    /// Of those that are there, as many may not be: nobody has looked for long enough.
    pub undecided: u64,
    /// The threshold, per cent.
    pub threshold: f64,
    /// How it stands.
    pub grade: Grade,
    /// Stations that fall short, in the order of the contract.
    pub stations: Vec<StationId>,
}

/// How a check stands. Ordered from best to worst: what is not known is worse than a miss, because who acts
/// on a miss acts on the wrong thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// The threshold is reached.
    Reached,
    /// It is not reached, whatever is not known yet.
    Missed,
    /// Nobody answered, or not enough is known yet: nothing can be said.
    NoData,
}

impl Grade {
    /// What a share says of a threshold while so many that it lacks may be there, and so many that it has may
    /// not.
    fn of(share: Share, (unknown, undecided): (u64, u64), threshold: f64) -> Self {
        let at_best = Share::new(share.have + unknown.min(share.lacking()), share.want);
        let at_worst = Share::new(share.have.saturating_sub(undecided), share.want);
        match (at_worst.reaches(threshold), at_best.reaches(threshold)) {
            (Some(true), _) => Self::Reached,
            (Some(false), Some(false)) => Self::Missed,
            _ => Self::NoData,
        }
    }
}

impl CheckOutcome {
    /// The worst grade.
    pub fn grade(&self) -> Grade {
        self.results.iter().map(|result| result.grade).max().unwrap_or(Grade::Reached)
    }
}

/// Holds a snapshot against thresholds.
pub fn check(snapshot: &Snapshot, thresholds: &Thresholds) -> CheckOutcome {
    let province = &snapshot.province;
    let heard = snapshot.channels.iter().any(|c| c.link.state == LinkState::Connected);
    let (figures, metering) = (&snapshot.figures, &snapshot.metering);
    let count = |is: &dyn Fn(StationId) -> bool| -> u64 {
        province.station_ids().filter(|id| is(*id)).count() as u64
    };
    let of = |id: StationId| snapshot.site(id);
    let unasked = |id: StationId| of(id).link != LinkState::Connected && !snapshot.settled(id);
    let unseen = |id: StationId| of(id).unmanned.is_operated().is_none();
    let mut checks = vec![
        (Checked::Connected, figures.connected, (count(&unasked), 0), thresholds.connected),
        (Checked::Full, figures.full, (0, 0), thresholds.full),
        (Checked::Unmanned, figures.unmanned, (count(&unseen), 0), thresholds.unmanned),
        (Checked::Coverage, figures.remote_metering, (metering.uncounted, 0), thresholds.coverage),
    ];
    for centre in province.centre_ids() {
        let channels = province.station_ids().map(|id| snapshot.channel(id, centre));
        let unknown = channels.filter(|channel| !channel.settled);
        let unknown = unknown.map(|channel| channel.counts.live.lacking()).sum();
        let counts = &snapshot.centres[centre.index()].counts;
        let open = (unknown, counts.undecided);
        checks.push((Checked::Live(centre), counts.live, open, thresholds.live));
    }
    let results = checks.into_iter().filter_map(|(what, share, open, threshold)| {
        let threshold = threshold?;
        // Only what the contract says is known without anybody's answer.
        let is_known = heard || what == Checked::Full;
        let grade = if is_known { Grade::of(share, open, threshold) } else { Grade::NoData };
        let stations =
            if grade == Grade::Missed { short(snapshot, what, threshold) } else { Vec::new() };
        let (unknown, undecided) = open;
        Some(CheckResult { what, share, unknown, undecided, threshold, grade, stations })
    });
    CheckOutcome { results: results.collect(), nobody: !heard && thresholds.needs_stations() }
}

/// Stations that fall short of something.
fn short(snapshot: &Snapshot, what: Checked, threshold: f64) -> Vec<StationId> {
    let of = |id: StationId| snapshot.site(id);
    let falls_short = |id: &StationId| match what {
        Checked::Connected => of(*id).link != LinkState::Connected,
        Checked::Full => of(*id).full != Full::Full,
        Checked::Unmanned => of(*id).unmanned.is_operated() == Some(false),
        Checked::Coverage => {
            snapshot.metering.stations[id.index()].reaches(threshold) == Some(false)
        }
        Checked::Live(centre) => snapshot.channel(*id, centre).counts.live.lacking() > 0,
    };
    snapshot.province.station_ids().filter(falls_short).collect()
}

/// The outcome in lines for people: each figure, and under a missed one every station that falls
/// short, with its signals and reasons.
pub fn report(snapshot: &Snapshot, outcome: &CheckOutcome, lang: Lang) -> Vec<String> {
    let mut lines = Vec::new();
    if outcome.nobody {
        lines.push(Text::NoStationAnswered.get(lang).to_owned());
    }
    for result in &outcome.results {
        let CheckResult { what, share, unknown, undecided, threshold, grade, stations } = result;
        // Beside a grade that stands whatever these are, too.
        let unknown = unknown + undecided;
        let word = match grade {
            Grade::Reached => "ok",
            Grade::Missed => "MISSED",
            Grade::NoData => "NO DATA",
        };
        let name = name(snapshot, *what);
        let figure = if *grade == Grade::NoData {
            let have = share.have.saturating_sub(*undecided);
            let known = format!("{have} known to be of {}", share.want);
            if unknown > 0 { format!("{known}, {unknown} not known yet") } else { known }
        } else {
            let percent = format::percent(*share, 2, Some(*threshold), Lang::En);
            let unknown =
                if unknown > 0 { format!(", {unknown} not known yet") } else { String::new() };
            format!("{}/{} = {percent}{unknown}", share.have, share.want)
        };
        let raw = raw(snapshot, result);
        lines.push(format!("{word:<7} {name}: {figure}{raw}, threshold {threshold} %"));
        if *undecided > 0 {
            lines.push(format!("        {undecided} {}", Text::NotWatchedLong.get(lang)));
        }
        for station in stations {
            let of_station = &snapshot.province.stations[station.index()];
            lines.push(format!("        {} {}", of_station.id, of_station.name.get(lang)));
            let why = why(snapshot, *station, *what, lang);
            lines.extend(why.into_iter().map(|line| format!("          {line}")));
        }
    }
    lines
}

/// `, raw 1166/1168 = 99.83 % with 2 excluded`: beside a figure that leaves something out with approval, what it
/// is with that; nothing where it leaves out nothing, or is not known.
fn raw(snapshot: &Snapshot, result: &CheckResult) -> String {
    let Checked::Live(centre) = result.what else { return String::new() };
    let counts = &snapshot.centres[centre.index()].counts;
    if counts.excluded == 0 || result.grade == Grade::NoData {
        return String::new();
    }
    let share = counts.live_raw();
    let percent = format::percent(share, 2, Some(result.threshold), Lang::En);
    format!(", raw {}/{} = {percent} with {} excluded", share.have, share.want, counts.excluded)
}

/// What a check is called.
fn name(snapshot: &Snapshot, what: Checked) -> String {
    match what {
        Checked::Connected => "connected".to_owned(),
        Checked::Full => "full".to_owned(),
        Checked::Unmanned => "unmanned".to_owned(),
        Checked::Coverage => "coverage".to_owned(),
        Checked::Live(centre) => {
            format!("live at {}", snapshot.province.centres[centre.index()].id)
        }
    }
}

/// Why a station falls short of something, one line for each cause, and of nothing else.
fn why(snapshot: &Snapshot, station: StationId, what: Checked, lang: Lang) -> Vec<String> {
    let issues = |is: &dyn Fn(&Issue) -> bool| -> Vec<String> {
        let lines = issues::of_station(snapshot, station);
        lines
            .iter()
            .filter(|line| is(line))
            .map(|line| cause(snapshot, station, line, lang))
            .collect()
    };
    match what {
        Checked::Connected => issues(&|line| line.reason() == Reason::NoLink),
        Checked::Full => issues(&|line| line.reason().is_structural()),
        Checked::Live(centre) => issues(&|line| {
            let is_tested =
                line.reason() != Reason::NoE2eRecord && line.reason() != Reason::Inconsistent;
            is_tested && line.centres.contains(&centre)
        }),
        Checked::Coverage => vec![coverage(snapshot, station, lang)],
        Checked::Unmanned => manned(snapshot, station, lang),
    }
}

/// `no link CC 884 A1 287, since 05:52:16: whole station`.
fn cause(snapshot: &Snapshot, station: StationId, line: &Issue, lang: Lang) -> String {
    let centres: Vec<String> = line
        .centres
        .iter()
        .zip(&line.counts)
        .map(|(centre, n)| {
            format!("{} {n}", snapshot.province.centres[centre.index()].name.get(lang))
        })
        .collect();
    format!(
        "{} {}, {}: {}",
        line.reason().text(lang),
        centres.join(", "),
        since(snapshot, (line.since, line.last_since), lang),
        places::places(
            &snapshot.province.stations[station.index()],
            &line.points,
            Form::Full,
            lang
        ),
    )
}

fn since(snapshot: &Snapshot, (first, last): (Since, Since), lang: Lang) -> String {
    let moment = Moment { now: snapshot.at, zone: snapshot.province.zone, lang };
    moment.span_in_words(first, last)
}

/// How many of a station's meters are read remotely, and how many nobody has counted.
fn coverage(snapshot: &Snapshot, station: StationId, lang: Lang) -> String {
    let share = snapshot.metering.stations[station.index()];
    let of_station = &snapshot.province.stations[station.index()];
    let groups = snapshot.metering.groups.iter().filter(|group| group.station == station);
    let uncounted = groups.filter(|group| group.proven.is_none()).map(|group| {
        let group = &of_station.meters[group.group];
        let is_sold = snapshot.province.meter_classes[group.class].sold;
        if is_sold { u64::from(group.installed) } else { 0 }
    });
    let (have, want, uncounted) = (share.have, share.want, uncounted.sum::<u64>());
    match (lang, uncounted) {
        (Lang::Vi, 0) => format!("{have}/{want} công tơ có kênh đo xa"),
        (Lang::En, 0) => format!("{have}/{want} meters with a proven channel"),
        (Lang::Vi, _) => format!("{have}/{want} công tơ có kênh đo xa, chưa đếm {uncounted}"),
        (Lang::En, _) => {
            format!("{have}/{want} meters with a proven channel, {uncounted} not counted yet")
        }
    }
}

/// Why a station is not operated without staff.
fn manned(snapshot: &Snapshot, station: StationId, lang: Lang) -> Vec<String> {
    let of_station = &snapshot.province.stations[station.index()];
    let seen = snapshot.site(station).unmanned;
    if !seen.declared {
        let said = match lang {
            Lang::Vi => "cấu hình không khai báo là trạm không người trực",
            Lang::En => "not declared unmanned in the contract",
        };
        return vec![said.to_owned()];
    }
    let centre = snapshot.province.centres[of_station.in_charge.index()].name.get(lang);
    let (lacking, want) = (seen.signals.lacking(), seen.signals.want);
    let mut lines = vec![match lang {
        Lang::Vi => format!(
            "khai báo không người trực, nhưng {lacking}/{want} tín hiệu ưu tiên A tại {centre} không sống:"
        ),
        Lang::En => format!(
            "declared unmanned, but {lacking} of {want} priority A signals are not live at {centre}:"
        ),
    }];
    // Signals of the same reason and since together.
    let mut groups: Vec<(Reason, Since, Vec<PointId>)> = Vec::new();
    for lost in unmanned::lost(snapshot, station) {
        match groups
            .iter_mut()
            .find(|(reason, since, _)| (*reason, *since) == (lost.reason, lost.since))
        {
            Some((.., points)) => points.push(lost.point),
            None => groups.push((lost.reason, lost.since, vec![lost.point])),
        }
    }
    lines.extend(groups.into_iter().map(|(reason, when, points)| {
        let places = places::places(of_station, &points, Form::Full, lang);
        let when = since(snapshot, (when, when), lang);
        format!("{} {}, {when}: {places}", reason.text(lang), points.len())
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_neither_reached_nor_missed() {
        let grade = |have, unknown| Grade::of(Share::new(have, 268_800), unknown, 74.2);
        assert_eq!(grade(199_450, (0, 0)), Grade::Reached);
        assert_eq!(grade(199_450, (24_383, 0)), Grade::Reached, "whatever the others are");
        assert_eq!(grade(183_290, (24_383, 0)), Grade::NoData);
        assert_eq!(grade(183_290, (10, 0)), Grade::Missed, "whatever the others are");
        assert_eq!(grade(0, (268_800, 0)), Grade::NoData);
        assert_eq!(Grade::of(Share::default(), (0, 0), 50.0), Grade::NoData);
        assert!(Grade::NoData > Grade::Missed && Grade::Missed > Grade::Reached);
    }
}
