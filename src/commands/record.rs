//! `gridwatch simulate --record`: days of a province in minutes, without sockets.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::config::{Date, Province, Scan, Zone};
use clap::Args;
use gridwatch::clock::{DAY_MS, Timestamp};
use gridwatch::collector::plan::{Plan, layouts, plans};
use gridwatch::historian::Historian;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::recording::{Cost, Recording, RecordingTally, Sink, stretched};
use gridwatch::series::Buffer;
use gridwatch::signal::update::{Answer, News, Update};
use gridwatch::store::{Recorder, Writer};

use super::field::FieldArgs;
use super::{
    Common, ConfigArg, EXIT_STOPPED, Failure, Outcome, runtime, say, say_lines, stop_wanted,
};

/// Time between two looks at the clock of the machine, and between two words on a terminal.
const TOLD_EVERY: Duration = Duration::from_millis(250);
/// Recorded time between two commits: nothing is lost that could not be recorded again.
const COMMIT_EVERY_MS: i64 = 600_000;

/// What is recorded.
#[derive(Args)]
pub(super) struct RecordArgs {
    /// Serve nobody: record days of the province into this directory, as fast as the machine can.
    /// Faults come at the rates of docs/faults.md unless the scenario has [rates] of its own
    #[arg(long, value_name = "DIR", requires = "from", conflicts_with_all = ["speed", "control"])]
    record: Option<PathBuf>,
    /// With --record: the first day, from local midnight on
    #[arg(long, value_name = "YYYY-MM-DD", requires = "record", value_parser = first_day)]
    from: Option<Date>,
    /// With --record: how many days, 1 to 400
    #[arg(long, value_name = "N", requires = "record", default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(1..=400))]
    days: u16,
    /// With --record: seconds between two reads of a point at least, 1 to 300 [default: 10, and 300
    /// with --counters]; values are old after as many of these longer scans as the province file says
    #[arg(long, value_name = "SECONDS", requires = "record",
        value_parser = clap::value_parser!(u16).range(1..=300))]
    scan: Option<u16>,
    /// With --record: keep counters alone, of energy sold and produced and of every bay, and let the
    /// field live one scan at a time: a year in minutes. Short interruptions are not seen
    #[arg(long, requires = "record", conflicts_with = "no_values")]
    counters: bool,
    /// With --record: keep no values, only verdicts, events and metering
    #[arg(long, requires = "record")]
    no_values: bool,
}

/// The first day of a recording.
fn first_day(text: &str) -> Result<Date, String> {
    let date = Date::read(text).map_err(|error| error.to_string())?;
    // Before, device clocks and the calendar of holidays know no day.
    let known = date.year >= 2000;
    known.then_some(date).ok_or_else(|| format!("{text}: days are recorded from 2000 on"))
}

impl RecordArgs {
    /// Where to, when it is to be recorded at all.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.record.as_deref()
    }
}

/// Where a recording begins: with its first day in an empty store, else where the store ends, if that is
/// the end of the day before or within the first day. `true`: it goes on.
fn begins(
    directory: &Path,
    ends: Option<Timestamp>,
    (first, zone): (Timestamp, Zone),
) -> Result<(Timestamp, bool), Failure> {
    let Some(ends) = ends else { return Ok((first, false)) };
    if ends.local_day(zone) == first.local_day(zone) {
        return Ok((ends, true));
    }
    let (directory, local) = (directory.display(), ends.local(zone));
    let trouble = if ends < first {
        "what lies between would be missing"
    } else {
        "that would be recorded twice"
    };
    Err(Failure::Usage(format!(
        "--from {}: the store in '{directory}' ends on {} at {:02}:{:02}:{:02}, so {trouble}; go on with \
         --from {}, or record into another folder",
        first.local(zone).date,
        local.date,
        local.hour,
        local.minute,
        local.second,
        local.date
    )))
}

/// The command that goes on with a recording that was stopped: this one, with another first day.
fn to_go_on(arguments: impl Iterator<Item = String>, from: Date, days: i64) -> String {
    let mut said = String::from("gridwatch");
    let mut is_value = false;
    for argument in arguments.skip(1) {
        let name = argument.split('=').next().unwrap_or_default();
        if std::mem::take(&mut is_value) {
            continue;
        }
        if ["--from", "--days"].contains(&name) {
            is_value = !argument.contains('=');
            continue;
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
        said.push(' ');
        if !argument.is_empty() && argument.chars().all(is_plain) {
            said.push_str(&argument);
        } else {
            let quoted = argument.replace('\'', "'\\''");
            said.extend(["'", &quoted, "'"]);
        }
    }
    format!("{said} --from {from} --days {days}")
}

/// Keeps what is recorded in a store.
struct Kept {
    /// What arrived before is of an earlier recording.
    from: Timestamp,
    writer: Writer,
    recorder: Recorder,
    /// Which values are kept, too.
    values: Values,
}

/// Which values a recording keeps.
enum Values {
    All,
    None,
    /// Those of the counters, by the plans of the channels.
    Counters(Vec<Arc<Plan>>),
}

impl Kept {
    /// Keeps of an update what counters say.
    fn accept_counters(recorder: &mut Recorder, plans: &[Arc<Plan>], update: &Update) {
        let News::Answers(answers) = &update.news else {
            recorder.accept(update);
            return;
        };
        let Some(plan) = plans.get(update.channel.index()) else { return };
        let is_counter = |answer: &&Answer| {
            let block = plan.blocks.get(usize::from(answer.group));
            block.is_some_and(|block| block.scan == Scan::Counters)
        };
        let own: Vec<Answer> = answers.iter().filter(is_counter).cloned().collect();
        if !own.is_empty() {
            recorder.accept(&Update { news: News::Answers(own), ..update.clone() });
        }
    }
}

impl Sink for Kept {
    fn accept(&mut self, update: &Update) -> io::Result<()> {
        match &self.values {
            Values::All => self.recorder.accept(update),
            Values::Counters(plans) => Self::accept_counters(&mut self.recorder, plans, update),
            Values::None => {}
        }
        Ok(())
    }

    fn judged(
        &mut self,
        historian: &mut Historian,
        snapshot: &mut Snapshot,
        last: bool,
    ) -> io::Result<()> {
        let when = (COMMIT_EVERY_MS, last);
        let Some(mut batch) = self.recorder.look(historian, snapshot, when) else { return Ok(()) };
        batch.events.retain(|event| event.arrived >= self.from);
        self.writer.commit(&batch).map_err(io::Error::other)
    }
}

pub(super) fn run(
    common: &Common,
    (config, field, args): (&ConfigArg, &FieldArgs, &RecordArgs),
    directory: &Path,
) -> Outcome {
    if common.port_base.is_some() {
        let message = "--port-base has no place beside --record: a recording opens no ports";
        return Err(Failure::Usage(message.to_owned()));
    }
    let scan = args.scan.unwrap_or(if args.counters { 300 } else { 10 });
    let province = Arc::new(stretched(common.province(config)?, f64::from(scan)));
    let (to_come, truth) = field.plans(&province)?;
    let zone = province.zone;
    let no_day = || Failure::Usage("--from: there is no such day".to_owned());
    let first = args.from.and_then(|day| Timestamp::midnight(day, zone)).ok_or_else(no_day)?;
    let until = Timestamp::of_local_day(first.local_day(zone) + i64::from(args.days), zone);
    let writer = Writer::open(directory, &province)?.forgetting_nothing();
    let ends = Some(writer.until()).filter(|ends| *ends > Timestamp(i64::MIN));
    let (from, goes_on) = begins(directory, ends, (first, zone))?;
    let buffer =
        Buffer::new(&province, &layouts(&plans(&province)), province.history.buffer_bytes());
    let values = match (args.counters, args.no_values) {
        (true, _) => Values::Counters(plans(&province)),
        (false, true) => Values::None,
        (false, false) => Values::All,
    };
    let recorder = Recorder::new(from, buffer);
    let mut kept = Kept { from, writer, recorder, values };
    say(format_args!(
        "{}: {} stations, seed {}, {} from {}; points are read every {} s or more rarely, and old \
         after {} scans",
        province.name.vi,
        province.substations().len(),
        province.seed,
        if args.days == 1 { "1 day".to_owned() } else { format!("{} days", args.days) },
        from.local(zone).date,
        scan,
        province.scan.stale_after
    ))?;
    let stop = Arc::new(AtomicBool::new(false));
    let (runtime, wish) = (runtime()?, Arc::clone(&stop));
    runtime.spawn(async move {
        stop_wanted().await;
        wish.store(true, Ordering::Relaxed);
    });
    let step_s = if args.counters { scan } else { 1 };
    let window = (from, until);
    let mut recording = Recording::in_steps(&province, to_come, window, (step_s, goes_on));
    let mut progress = Progress::new((from, until), zone);
    while !stop.load(Ordering::Relaxed) && recording.step(&mut kept)? {
        progress.tell(recording.reached())?;
    }
    progress.end()?;
    let reached = recording.reached();
    let (tally, cost) = recording.end(&mut kept)?;
    kept.writer.close()?;
    let wall = progress.began.elapsed();
    say_lines(summary(&province, &tally, reached.since(from)).trim_end())?;
    say(costs(cost, wall))?;
    truth.end()?;
    if reached >= until {
        return Ok(0);
    }
    let local = reached.local(zone);
    let left = until.local_day(zone) - reached.local_day(zone);
    say_lines(format_args!(
        "stopped: {}; what is recorded is whole up to {} {:02}:{:02}:{:02}. Go on with:\n  {}",
        share_done((from, until), reached),
        local.date,
        local.hour,
        local.minute,
        local.second,
        to_go_on(std::env::args(), local.date, left)
    ))?;
    Ok(EXIT_STOPPED)
}

/// How far a recording has come, for people.
struct Progress {
    began: Instant,
    window: (Timestamp, Timestamp),
    zone: Zone,
    terminal: bool,
    told: Instant,
    told_day: i64,
    /// Letters of the line that stands on the terminal.
    width: usize,
}

impl Progress {
    fn new(window: (Timestamp, Timestamp), zone: Zone) -> Self {
        let (began, terminal) = (Instant::now(), io::stderr().is_terminal());
        let told_day = window.0.local_day(zone);
        Self { began, window, zone, terminal, told: began, told_day, width: 0 }
    }

    /// Says on a terminal how it goes, and elsewhere that another day is done.
    fn tell(&mut self, reached: Timestamp) -> io::Result<()> {
        let (from, until) = self.window;
        let passed = reached.since(from);
        let day = reached.local_day(self.zone);
        let is_day = day > self.told_day;
        // The machine's clock need not be asked each second.
        if !is_day && (!self.terminal || passed % 10_000 != 0 || self.told.elapsed() < TOLD_EVERY) {
            return Ok(());
        }
        (self.told, self.told_day) = (Instant::now(), day);
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        let rate = days(passed) / minutes.max(1e-6);
        let left = Duration::from_secs_f64((60.0 * days(until.since(reached)) / rate).min(1e9));
        let line = format!(
            "{}, {}, {rate:.1} days a minute, {} min {:02} s left",
            share_done(self.window, reached),
            reached.plus(-1).local(self.zone).date,
            left.as_secs() / 60,
            left.as_secs() % 60
        );
        let mut out = io::stderr().lock();
        if self.terminal {
            write!(out, "\r{line:<width$}", width = self.width)?;
            self.width = line.len();
            return out.flush();
        }
        writeln!(out, "{line}")
    }

    /// Leaves the line.
    fn end(&self) -> io::Result<()> {
        if self.width > 0 { writeln!(io::stderr()) } else { Ok(()) }
    }
}

fn days(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most some hundred days")]
    let days = ms as f64 / DAY_MS as f64;
    days
}

/// What part of a window is done, never more than there is.
fn share_done((from, until): (Timestamp, Timestamp), reached: Timestamp) -> String {
    let (done, all) = (reached.since(from), until.since(from).max(1));
    format!("{}.{} % done", 100 * done / all, 1_000 * done / all % 10)
}

/// What came of it.
fn summary(province: &Province, tally: &RecordingTally, passed_ms: i64) -> String {
    let mut text = format!("recorded {:.2} days\n", days(passed_ms));
    let asked = tally.answered + tally.unanswered + tally.refused + tally.undecodable;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  {} values of points in {asked} requests: {} answered, {} refused, {} without a reply, {} \
         undecodable",
        tally.samples, tally.answered, tally.refused, tally.unanswered, tally.undecodable
    );
    let _ = writeln!(
        text,
        "  {} links lost, {} changes of state in the field",
        tally.losses, tally.changes
    );
    for (centre, sum) in province.centres.iter().zip(&tally.centres) {
        let _ = writeln!(
            text,
            "  {}: of the time of all required signals {} good; of those with a value {} live",
            centre.id,
            percent(sum.good, sum.not_good),
            percent(sum.live, sum.not_live)
        );
    }
    text
}

/// Per cent to four decimals, cut, so that a whole is only shown when it is one.
fn percent(have: u64, lack: u64) -> String {
    let (have, all) = (u128::from(have), u128::from(have) + u128::from(lack));
    (have * 1_000_000)
        .checked_div(all)
        .map_or("–".to_owned(), |parts| format!("{}.{:04} %", parts / 10_000, parts % 10_000))
}

/// What it cost.
fn costs(cost: Cost, wall: Duration) -> String {
    let Cost { field, collector, historian, sink } = cost;
    format!(
        "{:.1} s; processor: field {field:.1} s, collector {collector:.1} s, historian {historian:.1} \
         s, counted and kept {sink:.1} s",
        wall.as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_screens_show_it_in_either_language() {
        for text in ["2022-11-01", "01/11/2022"] {
            assert_eq!(first_day(text), Ok(Date { year: 2022, month: 11, day: 1 }), "{text}");
        }
        for text in ["2022-11-31", "2022-1-1", "1999-12-31", "31/11/2022", "2022-11", "+022-11-01"]
        {
            assert!(first_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_recording_goes_on_where_the_store_ends() {
        let day = |n: i64| Timestamp(n * DAY_MS - 7 * 3_600_000);
        let at = |ends: Option<i64>| {
            let ends = ends.map(|ms| day(100).plus(ms));
            begins(Path::new("x"), ends, (day(100), Zone::hours(7))).ok()
        };
        assert_eq!(at(None), Some((day(100), false)));
        assert_eq!(at(Some(0)), Some((day(100), true)));
        assert_eq!(
            at(Some(5_000)),
            Some((day(100).plus(5_000), true)),
            "it was stopped in that day"
        );
        assert_eq!(at(Some(-1_000)), None);
        assert_eq!(at(Some(DAY_MS)), None);
    }

    #[test]
    fn the_command_that_goes_on_is_the_one_that_was_given() {
        let given =
            ["gridwatch", "simulate", "--from=2022-11-01", "--record", "my store", "--days", "30"];
        let date = Date { year: 2022, month: 11, day: 4 };
        assert_eq!(
            to_go_on(given.into_iter().map(str::to_owned), date, 27),
            "gridwatch simulate --record 'my store' --from 2022-11-04 --days 27"
        );
    }

    #[test]
    fn a_whole_is_shown_only_when_it_is_one() {
        assert_eq!(percent(10, 0), "100.0000 %");
        assert_eq!(percent(9_999_999, 1), "99.9999 %");
        assert_eq!(percent(0, 0), "–");
        let window = (Timestamp(0), Timestamp(3_000));
        assert_eq!(share_done(window, Timestamp(2_999)), "99.9 % done");
        assert_eq!(share_done(window, Timestamp(3_000)), "100.0 % done");
    }
}
