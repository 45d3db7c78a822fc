//! The commands, one file each, and what they share: arguments, exit codes, output.

mod bar;
#[cfg(feature = "simulator")]
mod certificates;
mod check;
mod config;
#[cfg(feature = "simulator")]
mod demo;
mod events;
#[cfg(feature = "report")]
mod export;
#[cfg(feature = "simulator")]
mod field;
#[cfg(feature = "simulator")]
mod inject;
mod map;
mod monitor;
mod plan;
#[cfg(feature = "simulator")]
mod plant;
#[cfg(feature = "simulator")]
mod record;
#[cfg(feature = "report")]
mod report;
mod show;
#[cfg(feature = "simulator")]
mod simulate;
#[cfg(feature = "simulator")]
mod simulator;
mod store;
#[cfg(feature = "simulator")]
mod truth;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use ::config::plain::{line, plain};
use ::config::{Lang, NoDay, Problems, Province, StationId, way_out};
use clap::{Args, Parser, Subcommand, ValueEnum};
use gridwatch::clock::Clock;
use gridwatch::historian::past::StoodChannel;
use gridwatch::history::stood;
use gridwatch::leftovers;
use gridwatch::monitor::Monitor;
use gridwatch::store::{Keeper, Reader, StoreError};

use bar::Bar;

/// A threshold was missed.
const EXIT_MISSED: u8 = 1;
/// Stopped before its end.
const EXIT_STOPPED: u8 = EXIT_MISSED;
/// Wrong usage or configuration: also what the argument parser uses.
const EXIT_USAGE: u8 = 2;
/// Nothing could be evaluated.
const EXIT_NO_DATA: u8 = 3;

/// Which required signal is not there, since when, and why.
#[derive(Parser)]
#[command(name = "gridwatch", version, max_term_width = 100, after_help = own(EXAMPLES))]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

const EXAMPLES: &str = "\
Examples:
  gridwatch demo                                  simulator and monitor in one window
  gridwatch simulate config/hoa-binh.toml         the stations, in one terminal
  gridwatch monitor config/hoa-binh.toml          the control room, in another
  gridwatch demo --once --json                    one snapshot for a script
  gridwatch inject T08 HB03.110.171.P --for 10m   a frozen value in the running simulator
  gridwatch plant strike HB04.22.473              a short circuit on one of its feeders
  gridwatch events --station HB04 --follow        what happens there, to the millisecond
  gridwatch check config/hoa-binh.toml --full 90  exit 0 when at least 90 % of stations are full
  gridwatch report --month 2022-11 --out 11.xlsx  the monthly report of what was kept
  gridwatch config check my-province.toml         what is wrong with a file, with lines
  gridwatch simulate --fleet 1000                 a thousand stations, to see what a machine bears

Without CONFIG every command uses the built-in province of Hòa Bình.
Exit codes: 0 good, 1 a threshold missed or stopped before its end, 2 usage or configuration, 3 no data.";

/// Whether this build has screens.
const SCREENS: bool = cfg!(feature = "terminal");

/// What stands below a help, without examples of what this build lacks.
fn own(help: &str) -> String {
    let is_own = |line: &&str| {
        let Some(example) = line.strip_prefix("  gridwatch ") else { return true };
        let command = example.split(' ').next().unwrap_or_default();
        match command {
            "demo" | "simulate" | "inject" | "plant" => cfg!(feature = "simulator"),
            "report" => cfg!(feature = "report"),
            "events" | "monitor" | "show" => {
                SCREENS || ["--json", "--headless"].iter().any(|way| example.contains(way))
            }
            _ => true,
        }
    };
    help.split_inclusive('\n').filter(is_own).collect()
}

/// What every command takes.
#[derive(Args, Clone)]
#[expect(clippy::doc_markdown, reason = "shown as help, where backticks would be noise")]
struct Common {
    /// Language of the screens: vi or en [default: from LC_ALL, LC_MESSAGES, LANG, else vi]
    #[arg(long, global = true, value_enum)]
    lang: Option<LangArg>,
    /// Colours: auto, or never (also when NO_COLOR is set)
    #[cfg(feature = "terminal")]
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: ColorArg,
    /// Plain ASCII marks instead of box-drawing and symbols
    #[cfg(feature = "terminal")]
    #[arg(long, global = true)]
    ascii: bool,
    /// First TCP port of the stations, instead of the one in the contract
    #[arg(long, global = true, value_name = "N")]
    port_base: Option<u16>,
    /// Write a log to this file (RUST_LOG sets its level, default info)
    #[arg(long, global = true, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LangArg {
    Vi,
    En,
}

#[cfg(feature = "terminal")]
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorArg {
    Auto,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Simulator and monitor in one process, real TCP between them
    #[cfg(feature = "simulator")]
    Demo(demo::DemoArgs),
    /// Serve the stations of a province over Modbus TCP
    #[cfg(feature = "simulator")]
    Simulate(simulate::SimulateArgs),
    /// Let something go wrong in the running simulator
    #[cfg(feature = "simulator")]
    Inject(inject::InjectArgs),
    /// Let something happen to the plant of the running simulator
    #[cfg(feature = "simulator")]
    #[command(subcommand)]
    Plant(plant::PlantCommand),
    /// Poll the stations and show what is missing, since when, and why
    Monitor(monitor::MonitorArgs),
    /// Read the event rings and print what happened, in the order in which it did
    Events(events::EventsArgs),
    /// How the province stands or stood, from the history that a monitor keeps
    Show(show::ShowArgs),
    /// Hold the province against thresholds and say which station falls short
    Check(check::CheckArgs),
    /// What a month or any stretch of days was like: the form that is filed
    #[cfg(feature = "report")]
    Report(report::ReportArgs),
    /// Look after the history that was kept
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Look at a province file
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The register map as CSV, one row per point and centre
    Map(map::MapArgs),
    /// The requests that the collector will send
    Plan(plan::PlanArgs),
    /// Make certificates to try Modbus/TCP Security with
    #[cfg(feature = "simulator")]
    Certificates(certificates::CertificatesArgs),
}

/// The province file of a command.
#[derive(Args, Clone)]
struct ConfigArg {
    /// Province file [default: the built-in province of Hòa Bình]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Instead of a file: N alike stations of some 800 points, 1 to 10000, all read each second
    #[arg(long, value_name = "N", conflicts_with = "config")]
    fleet: Option<usize>,
}

impl ConfigArg {
    /// The province that is meant, its ports where the contract has them.
    fn province(&self) -> Result<Province, Problems> {
        match (&self.config, self.fleet) {
            (Some(path), _) => Province::load(path),
            (None, Some(stations)) => Province::fleet(stations),
            (None, None) => Ok(Province::built_in()),
        }
    }

    /// As it stands on the command line, behind a command.
    #[cfg(any(feature = "simulator", feature = "terminal"))]
    fn written(&self) -> String {
        match (&self.config, self.fleet) {
            (Some(path), _) => format!(" {}", path.display()),
            (None, Some(stations)) => format!(" --fleet {stations}"),
            (None, None) => String::new(),
        }
    }
}

/// How a command ended that did not end well.
enum Failure {
    /// The contract is wrong.
    Contract(Problems),
    /// Anything else that the user can mend.
    Usage(String),
    /// Output could not be written.
    Output(io::Error),
    /// Whoever asked for it wanted it to end.
    Stopped,
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Contract(problems)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stopped => Self::Stopped,
            error => Self::Usage(error.to_string()),
        }
    }
}

impl From<NoDay> for Failure {
    fn from(error: NoDay) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Exit code of a command that ran.
type Outcome = Result<u8, Failure>;

/// Parses the command line, runs the command and returns its exit code.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let common = &cli.common;
    let outcome = start_log(common).and_then(|()| match &cli.command {
        #[cfg(feature = "simulator")]
        Command::Demo(args) => demo::run(common, args),
        #[cfg(feature = "simulator")]
        Command::Simulate(args) => simulate::run(common, args),
        #[cfg(feature = "simulator")]
        Command::Inject(args) => inject::run(common, args),
        #[cfg(feature = "simulator")]
        Command::Plant(command) => plant::run(common, command),
        Command::Monitor(args) => monitor::run(common, args),
        Command::Events(args) => events::run(common, args),
        Command::Show(args) => show::run(common, args),
        Command::Check(args) => check::run(common, args),
        #[cfg(feature = "report")]
        Command::Report(args) => report::run(common, args),
        Command::Store(command) => store::run(common, command),
        Command::Config(command) => config::run(command),
        Command::Map(args) => map::run(common, args),
        Command::Plan(args) => plan::run(common, args),
        #[cfg(feature = "simulator")]
        Command::Certificates(args) => certificates::run(args),
    });
    ExitCode::from(match outcome {
        Ok(code) => code,
        // Whoever read the output has had enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(failure) => {
            complain(&failure);
            if matches!(failure, Failure::Stopped) { EXIT_STOPPED } else { EXIT_USAGE }
        }
    })
}

/// What is said when a command was stopped before it wrote anything.
const NOTHING_WRITTEN: &str = "stopped, and nothing was written";

fn complain(failure: &Failure) {
    let mut stderr = io::stderr().lock();
    let said = match failure {
        Failure::Contract(problems) => {
            let count = problems.0.len();
            let s = if count == 1 { "" } else { "s" };
            // Each of them is one line.
            format!("{problems}\ngridwatch: {count} problem{s} in the configuration")
        }
        Failure::Usage(message) => line(&format!("gridwatch: {message}")).into_owned(),
        Failure::Output(error) => line(&format!("gridwatch: cannot write: {error}")).into_owned(),
        Failure::Stopped => format!("gridwatch: {NOTHING_WRITTEN}"),
    };
    // With no standard error left there is nobody to tell.
    let _ = writeln!(stderr, "{said}");
}

impl Common {
    /// The province of a command, its ports moved as asked.
    fn province(&self, config: &ConfigArg) -> Result<Province, Failure> {
        let mut province = config.province()?;
        if let Some(base) = self.port_base {
            province.move_ports(base).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(province)
    }

    fn lang(&self) -> Lang {
        match self.lang {
            Some(LangArg::Vi) => Lang::Vi,
            Some(LangArg::En) => Lang::En,
            None => lang_of_environment(|key| std::env::var(key).ok()),
        }
    }

    /// Whether colours may be used.
    #[cfg(feature = "terminal")]
    fn colors(&self) -> bool {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.color == ColorArg::Auto && !forbidden
    }
}

/// The first of the locale variables that is set decides; English only where it says so, since the
/// users are Vietnamese.
fn lang_of_environment(variable: impl Fn(&str) -> Option<String>) -> Lang {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty());
    if locale.is_some_and(|locale| locale.starts_with("en")) { Lang::En } else { Lang::Vi }
}

fn start_log(common: &Common) -> Result<(), Failure> {
    let Some(path) = &common.log else { return Ok(()) };
    let file = std::fs::File::create(path).map_err(|error| {
        Failure::Usage(format!("log file '{}' cannot be written: {error}", path.display()))
    })?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(Log(file)))
        .init();
    Ok(())
}

/// A log file. What names of files, stores and devices have in them commands no terminal that shows it.
struct Log(std::fs::File);

impl io::Write for Log {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        // An entry comes at once, with the end of its line.
        self.0.write_all(plain(&String::from_utf8_lossy(entry)).as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A runtime for the tasks that talk to stations; screens stay on the main thread.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Usage(format!("cannot start the runtime: {error}")))
}

/// Files that are open beside those of the stations: a log, the terminal, the runtime's own.
const FILES_BESIDE: u64 = 24;

/// Lets the process have as many files open as `each` for every channel needs, as far as the system
/// allows it.
///
/// # Errors
/// How many channels fit, when not all of them do.
fn allow_files(each: u64, province: &Province) -> Result<(), Failure> {
    let channels = province.channels.len() as u64;
    let needed = each * channels + FILES_BESIDE;
    let Some(allowed) = files_allowed().filter(|allowed| *allowed < needed) else {
        return Ok(());
    };
    let fit = allowed.saturating_sub(FILES_BESIDE) / each;
    Err(Failure::Usage(format!(
        "{channels} channels (stations × centres) need {needed} open files, the system allows this \
         process {allowed}: {fit} channels fit; raise its hard limit of open files ('ulimit -Hn \
         {needed}' as root, or LimitNOFILE= of the service), or take fewer stations"
    )))
}

/// Raises the limit of open files as high as the system lets the process; returns where it stands
/// then, `None` when it cannot be known.
#[cfg(unix)]
fn files_allowed() -> Option<u64> {
    rlimit::increase_nofile_limit(rlimit::INFINITY).ok()
}

#[cfg(not(unix))]
fn files_allowed() -> Option<u64> {
    None
}

/// Starts to poll a province within a runtime, and keeps history when there is somebody to keep it.
fn start_monitor(
    runtime: &tokio::runtime::Runtime,
    province: &Arc<Province>,
    clock: Clock,
    (keeper, stood): (Option<Keeper>, Vec<Option<StoodChannel>>),
) -> Result<Monitor, Failure> {
    allow_files(1, province)?;
    let _inside = runtime.enter();
    Monitor::start_recalling(province, clock, keeper, stood)
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// How the province stood when somebody watched last, as far as a store knows: the reasons of the present are
/// told since then. A store that is not there, or cannot be read, knows nothing.
fn stood_in(folder: Option<PathBuf>, province: &Province) -> Vec<Option<StoodChannel>> {
    let Some(folder) = folder else { return Vec::new() };
    let known = Reader::open(&folder).and_then(|reader| stood(&reader, province));
    match known {
        Ok(known) => known,
        Err(StoreError::Missing(_)) => Vec::new(),
        Err(error) => {
            tracing::warn!("since when things are so is not known: {error}");
            Vec::new()
        }
    }
}

/// Where history is kept unless told otherwise: a folder of the province's own within the user's
/// state. `None` when the user has none.
fn state_folder(province: &Province) -> Option<PathBuf> {
    let of_user = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty());
    let state = of_user("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(of_user("HOME")?).join(".local/state")))?;
    Some(state.join("gridwatch").join(folder_name(&province.name.en)))
}

/// The folder of a store: the one that was named, else where history of the province is kept.
fn store_folder(named: Option<&PathBuf>, province: &Province) -> Result<PathBuf, Failure> {
    let none = "neither HOME nor XDG_STATE_HOME is set; name the store with --store";
    let folder = named.cloned().or_else(|| state_folder(province));
    folder.ok_or_else(|| Failure::Usage(none.to_owned()))
}

/// The province that a store is of, by its newest contract; `named` as long as there is none. A command that
/// names a province is not answered from the store of another one.
fn province_of(
    reader: &Reader,
    (config, named): (&ConfigArg, &Province),
) -> Result<Arc<Province>, Failure> {
    let Some(last) = reader.sessions()?.last().copied() else {
        return Ok(Arc::new(named.clone()));
    };
    let own = match reader.contract(last.contract) {
        // Whoever asks for a window without it is answered.
        Err(StoreError::Contract { .. }) => return Ok(Arc::new(named.clone())),
        own => own?.province,
    };
    let is_named = config.config.is_some() || config.fleet.is_some();
    if is_named && (own.name.vi != named.name.vi) {
        return Err(Failure::Usage(format!(
            "the store is of the province '{}', not of '{}': name its own store with --store, or leave the \
             province away",
            own.name.vi, named.name.vi
        )));
    }
    Ok(own)
}

/// The station or plant with an id: whatever has channels.
fn site(province: &Province, id: &str) -> Result<StationId, Failure> {
    let known = province.stations.iter().map(|station| station.id.as_str());
    province.site(id).ok_or_else(|| unknown("station", id, known))
}

/// What is wrong with an id on the command line, and what was perhaps meant.
fn unknown<'a>(what: &str, id: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let hint = way_out(id, known);
    Failure::Usage(format!("{what} '{id}' is not in the configuration; {hint}"))
}

/// A name as a folder can have it: letters without marks and digits, the rest as one `-`.
fn folder_name(name: &str) -> String {
    let plain = words::letters::fold(name);
    let parts = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// Refuses to draw a screen where there is none, and says what to use instead.
fn need_terminal(command: &str) -> Result<(), Failure> {
    if !SCREENS {
        return Err(Failure::Usage(format!(
            "this program was built without screens; use 'gridwatch {command} --once --json' for a script, or \
             'gridwatch monitor --headless' to keep history"
        )));
    }
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !dumb {
        return Ok(());
    }
    let what = if dumb { "this terminal is dumb" } else { "standard output is not a terminal" };
    Err(Failure::Usage(format!(
        "{what}, so there is nothing to draw a screen on; use 'gridwatch {command} --once' for \
         the figures as text, or 'gridwatch {command} --once --json' for a script"
    )))
}

/// Writes one line to standard output. What it has of files, stores and devices commands no terminal, and makes no
/// line of its own.
fn say(said: impl Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{}", line(&said.to_string()))?;
    Ok(())
}

/// Writes lines to standard output, whose names were made one line each by whoever put them together.
fn say_lines(lines: impl Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{}", plain(&lines.to_string()))?;
    Ok(())
}

/// Writes one line to standard error, for who reads it beside the output.
fn note(said: impl Display) -> Result<(), Failure> {
    writeln!(io::stderr().lock(), "{}", line(&said.to_string()))?;
    Ok(())
}

/// Becomes true when the user or the system wants the program to end, which it then does by itself: until
/// that is dropped, nobody else ends it.
struct Stop {
    wanted: Arc<AtomicBool>,
    _runtime: tokio::runtime::Runtime,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        Self::listen_then(|| {})
    }

    /// Ends the program as soon as that is wanted, at whatever it is: for who only reads, and whose files are drafts
    /// until all of them are there. It says so, and what is not there therefore.
    fn at_once(said: &'static str) -> Result<Self, Failure> {
        Self::listen_then(move || end(said))
    }

    fn listen_then(when_wanted: impl FnOnce() + Send + 'static) -> Result<Self, Failure> {
        let (runtime, wanted) = (runtime()?, Arc::new(AtomicBool::new(false)));
        let wish = Arc::clone(&wanted);
        // Listening has begun when this returns.
        let (begun, listening) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let stop = stop_wanted();
            let mut stop = std::pin::pin!(stop);
            let first = std::future::poll_fn(|context| Poll::Ready(stop.as_mut().poll(context)));
            let is_over = first.await.is_ready();
            let _ = begun.send(());
            if !is_over {
                stop.await;
            }
            wish.store(true, Ordering::Relaxed);
            when_wanted();
        });
        let _ = listening.recv();
        Ok(Self { wanted, _runtime: runtime })
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Whether to go on.
    fn flow(&self) -> ControlFlow<()> {
        if self.is_wanted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// So long standard error may take to bear a line: it may be a pipe that nobody reads.
const TOLD_WITHIN: Duration = Duration::from_millis(300);

/// Ends the program in the midst of its work, unless that is done.
fn end(said: &'static str) {
    let Some(abandoned) = leftovers::abandon() else { return };
    let said =
        if abandoned.is_partly_written() { "stopped: what was written is not whole" } else { said };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        Bar::leave();
        let _ = writeln!(io::stderr().lock(), "gridwatch: {said}");
        let _ = tell.send(());
    });
    let _ = told.recv_timeout(TOLD_WITHIN);
    std::process::exit(EXIT_STOPPED.into());
}

/// Seconds given on the command line.
fn patience(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 3600 is needed".to_owned()),
    }
}

/// A stretch of time given on the command line, up to a day.
fn stretch(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 86400 is needed".to_owned()),
    }
}

/// Waits until the user or the system wants the program to end.
async fn stop_wanted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let wait = |kind| async move {
            match signal(kind) {
                Ok(mut stream) => {
                    stream.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = wait(SignalKind::terminate()) => {}
            () = wait(SignalKind::hangup()) => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_log_commands_no_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log(std::fs::File::create(&path).unwrap());
        log.write_all("WARN the store in 'a\u{1b}[2J\u{7}' is Bến Trăng's\n".as_bytes()).unwrap();
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written, "WARN the store in 'a\\u001B[2J\\u0007' is Bến Trăng's\n");
    }

    #[test]
    fn the_language_follows_the_first_locale_variable_that_is_set() {
        let lang = |set: &[(&str, &str)]| {
            lang_of_environment(|key| {
                set.iter().find(|(k, _)| *k == key).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(lang(&[]), Lang::Vi);
        assert_eq!(lang(&[("LANG", "en_US.UTF-8")]), Lang::En);
        assert_eq!(lang(&[("LC_ALL", "vi_VN"), ("LANG", "en_US.UTF-8")]), Lang::Vi);
        assert_eq!(lang(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")]), Lang::En);
        assert_eq!(lang(&[("LANG", "C.UTF-8")]), Lang::Vi);
    }
}
