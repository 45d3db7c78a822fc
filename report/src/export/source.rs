//! Where rows come from: the store, and what its contracts say of the names in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::{Decoded, Province, Zone, way_out};
use signal::clock::Timestamp;
use store::history::{Span, Window, intervals};
use store::{Metered, Reader, Value};

use super::tables::{Asking, Counted, Happening, Raised, Sample, Verdict};
use super::{Choice, Each, ExportError, ExportRequest, ExportTable, Watch};

/// A store, and what is wanted of it.
pub(super) struct Source<'a> {
    reader: &'a Reader,
    request: &'a ExportRequest,
    window: Window,
    /// From when until when somebody watched in it, gaps included.
    watched: Span,
    /// What stations and points there were in the window: the newest contract first.
    provinces: Vec<Arc<Province>>,
}

impl Choice {
    fn is_everybody(&self) -> bool {
        self.stations.is_empty() && self.points.is_empty()
    }

    fn has_whole(&self, station: &str) -> bool {
        self.is_everybody() || self.stations.iter().any(|id| id == station)
    }

    fn has_some_of(&self, station: &str) -> bool {
        self.has_whole(station) || self.points.iter().any(|id| station_of(id) == station)
    }

    fn has_point(&self, station: &str, point: &str) -> bool {
        self.has_whole(station) || self.points.iter().any(|id| id == point)
    }

    fn has_centre(&self, centre: &str) -> bool {
        self.centre.as_ref().is_none_or(|id| id == centre)
    }
}

/// The station of a point by its full id.
fn station_of(point: &str) -> &str {
    point.split_once('.').map_or(point, |(station, _)| station)
}

/// The ids that contracts have, each once.
fn ids<'a, I: Iterator<Item = &'a str>>(
    provinces: &'a [Arc<Province>],
    of: impl Fn(&'a Province) -> I,
) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    provinces.iter().flat_map(|province| of(province)).filter(|id| seen.insert(*id)).collect()
}

/// A share of some work.
fn share(done: usize, all: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let share = done as f64 / all.max(1) as f64;
    share
}

impl<'a> Source<'a> {
    /// Looks whether there is everybody who is asked for.
    pub(super) fn new(reader: &'a Reader, request: &'a ExportRequest) -> Result<Self, ExportError> {
        let sessions = reader.sessions()?;
        // Also where the span is empty some contract holds, and knows the names.
        let Span { from, to } = request.span;
        let named = Window::new(Span::new(from, to.max(from.plus(1))), &[], &sessions);
        let mut provinces = Vec::new();
        for era in named.eras.iter().rev() {
            provinces.push(reader.contract(era.contract)?.province);
        }
        let window = Window::new(request.span, &[], &sessions);
        let edges = sessions.first().zip(sessions.last());
        let watched = edges.map_or(request.span, |(first, last)| Span::new(first.from, last.until));
        let watched = watched.and(request.span);
        let source = Self { reader, request, window, watched, provinces };
        source.check()?;
        Ok(source)
    }

    /// By what local time goes, by the newest contract.
    pub(super) fn zone(&self) -> Zone {
        self.provinces.first().map_or(Zone::UTC, |newest| newest.zone)
    }

    pub(super) fn table(&self) -> ExportTable {
        self.request.table
    }

    fn check(&self) -> Result<(), ExportError> {
        let Choice { stations, points, centre } = &self.request.choice;
        let whom = [
            ("points", !points.is_empty()),
            ("stations", !stations.is_empty()),
            ("centres", centre.is_some()),
        ];
        let lacks: &[_] = match self.request.table {
            ExportTable::Verdicts | ExportTable::Events | ExportTable::Values => &[],
            ExportTable::Polling | ExportTable::Alarms => &whom[..1],
            ExportTable::Energy => &[whom[0], whom[2]],
            ExportTable::Metering => &whom,
        };
        if let Some((whom, _)) = lacks.iter().find(|(_, are_chosen)| *are_chosen) {
            return Err(ExportError::Choice(whom));
        }
        let known = |what, id: &str, known: &[&str]| {
            if known.contains(&id) {
                return Ok(());
            }
            let hint = way_out(id, known.iter().copied());
            Err(ExportError::Unknown { what, id: id.to_owned(), hint })
        };
        for id in stations {
            known("station", id, &self.stations())?;
        }
        for id in points {
            let station = station_of(id);
            known("station", station, &self.stations())?;
            known("point", id, &self.points(station))?;
        }
        centre.iter().try_for_each(|id| known("centre", id, &self.centres()))
    }

    fn stations(&self) -> Vec<&str> {
        ids(&self.provinces, |province| province.stations.iter().map(|station| &station.id[..]))
    }

    fn centres(&self) -> Vec<&str> {
        ids(&self.provinces, |province| province.centres.iter().map(|centre| &centre.id[..]))
    }

    /// Full ids of the points of a station.
    fn points(&self, station: &str) -> Vec<&str> {
        ids(&self.provinces, |province| {
            let station = province.site(station).map(|id| &province.stations[id.index()]);
            station.into_iter().flat_map(|s| s.points.iter().map(|point| &point.id[..]))
        })
    }

    /// The unit of a point by the newest contract that has it.
    fn unit(&self, station: &str, point: &str) -> &str {
        let specs = self.provinces.iter().filter_map(|province| {
            let station = &province.stations[province.site(station)?.index()];
            Some(&station.points[station.point(point)?.index()].spec)
        });
        specs.map(|spec| &spec.unit[..]).next().unwrap_or_default()
    }

    /// Stations and centres of which something is wanted.
    fn paths(&self) -> Vec<(&str, &str)> {
        let choice = &self.request.choice;
        let stations = self.stations().into_iter().filter(|id| choice.has_some_of(id));
        let centres = self.centres().into_iter().filter(|id| choice.has_centre(id));
        let centres: Vec<&str> = centres.collect();
        stations.flat_map(|station| centres.iter().map(move |centre| (station, *centre))).collect()
    }

    fn span(&self) -> (Timestamp, Timestamp) {
        (self.window.span.from, self.window.span.to)
    }

    /// Values, by station, centre, point and time.
    pub(super) fn values(
        &self,
        watch: Watch<'_>,
        each: Each<'_, Sample>,
    ) -> Result<(), ExportError> {
        let paths = self.paths();
        for (done, (station, centre)) in paths.iter().enumerate() {
            let points = self.points(station);
            let wanted = |id: &&&str| self.request.choice.has_point(station, id);
            for (n, point) in points.iter().enumerate().filter(|(_, id)| wanted(id)) {
                watch(share(done * points.len() + n, paths.len() * points.len()));
                let path = (*station, *centre, *point);
                let [station, centre, point] = [path.0, path.1, path.2].map(str::to_owned);
                let none = Value { at: Timestamp(0), value: Decoded::NoValue, flags: None };
                // One row for all values: its texts are the same.
                let unit = self.unit(&station, &point).to_owned();
                let mut row = Sample { station, centre, point, unit, value: none };
                self.reader.values(path, self.span(), |value| {
                    row.value = value;
                    each(&row)
                })?;
            }
        }
        Ok(())
    }

    /// Stretches in which a required point stood in one way: by contract, station and centre, each when it
    /// ended.
    pub(super) fn verdicts(
        &self,
        watch: Watch<'_>,
        each: Each<'_, Verdict>,
    ) -> Result<(), ExportError> {
        let (choice, eras) = (&self.request.choice, &self.window.eras);
        for (done, era) in eras.iter().enumerate() {
            let province = self.reader.contract(era.contract)?.province;
            for (n, channel) in province.channels.iter().enumerate() {
                let all = province.channels.len();
                watch(share(done * all + n, eras.len() * all));
                let station = &province.stations[channel.station.index()];
                let centre = &province.centres[channel.centre.index()].id;
                if !choice.has_some_of(&station.id) || !choice.has_centre(centre) {
                    continue;
                }
                let mut outcome = Ok(());
                intervals(self.reader, &province, channel, era, |interval| {
                    let point = &station.points[interval.point.index()];
                    let is_required = channel.entries[interval.point.index()].required;
                    if !is_required || outcome.is_err() || !choice.has_point(&station.id, &point.id)
                    {
                        return;
                    }
                    outcome = each(&Verdict {
                        station: station.id.clone(),
                        centre: centre.clone(),
                        point: point.id.clone(),
                        name: point.spec.name.get(self.request.lang).to_owned(),
                        span: interval.span,
                        state: interval.state,
                    });
                })?;
                outcome?;
            }
        }
        Ok(())
    }

    /// Records of events and jumps of the monitor's clock, in the order in which they happened. Jumps are of no
    /// station: who asks for some gets none.
    pub(super) fn events(
        &self,
        watch: Watch<'_>,
        each: Each<'_, Happening>,
    ) -> Result<(), ExportError> {
        let (choice, (from, to)) = (&self.request.choice, self.span());
        let passed = |at: Timestamp| usize::try_from(at.since(self.watched.from)).unwrap_or(0);
        let all = passed(self.watched.to);
        let mut jumps = if choice.is_everybody() { self.reader.jumps()? } else { Vec::new() };
        jumps.retain(|jump| from <= jump.before && jump.before < to);
        jumps.sort_by_key(|jump| jump.before);
        let mut jumps = jumps.into_iter().peekable();
        let mut outcome = Ok(());
        self.reader.events((from, to), |event| {
            let point = event.point.as_deref().unwrap_or_default();
            if outcome.is_err()
                || !choice.has_point(&event.station, point)
                || !choice.has_centre(&event.centre)
            {
                return;
            }
            let mut before = std::iter::from_fn(|| jumps.next_if(|jump| jump.before < event.at));
            outcome = before.try_for_each(|jump| each(&Happening::Jump(jump)));
            watch(share(passed(event.at).min(all), all));
            if outcome.is_ok() {
                outcome = each(&Happening::Record(event));
            }
        })?;
        outcome?;
        jumps.try_for_each(|jump| each(&Happening::Jump(jump)))
    }

    /// How asking went, by station, centre and time.
    pub(super) fn asked(
        &self,
        watch: Watch<'_>,
        each: Each<'_, Asking>,
    ) -> Result<(), ExportError> {
        let paths = self.paths();
        for (done, (station, centre)) in paths.iter().enumerate() {
            watch(share(done, paths.len()));
            let mut outcome = Ok(());
            self.reader.asking((station, centre), self.span(), |stretch| {
                let [station, centre] = [*station, *centre].map(str::to_owned);
                if outcome.is_ok() {
                    outcome = each(&Asking { station, centre, stretch });
                }
            })?;
            outcome?;
        }
        Ok(())
    }

    /// Alarms, in the order in which they were raised.
    pub(super) fn alarms(&self, each: Each<'_, Raised>) -> Result<(), ExportError> {
        let choice = &self.request.choice;
        let mut outcome = Ok(());
        self.reader.alarms(self.span(), |alarm| {
            let is_seen = alarm.centres.iter().any(|centre| choice.has_centre(centre));
            if outcome.is_ok() && choice.has_whole(&alarm.station) && is_seen {
                let centres = alarm.centres.join(" ");
                outcome = each(&Raised { alarm, centres });
            }
        })?;
        outcome
    }

    /// Running counts of energy, in the order of time.
    pub(super) fn energy(&self, each: Each<'_, Counted>) -> Result<(), ExportError> {
        let mut outcome = Ok(());
        self.reader.energy_changes(self.span(), |at, line| {
            if outcome.is_ok() && self.request.choice.has_whole(&line.station) {
                outcome = each(&Counted { at, line });
            }
        })?;
        outcome
    }

    /// Remote metering, in the order of time.
    pub(super) fn metering(&self, each: Each<'_, Metered>) -> Result<(), ExportError> {
        let mut outcome = Ok(());
        self.reader.metering_changes(self.span(), |metered| {
            if outcome.is_ok() {
                outcome = each(&metered);
            }
        })?;
        outcome
    }
}
