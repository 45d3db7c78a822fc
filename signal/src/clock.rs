//! Time: the one file that reads a clock. What days and local clocks are follows from `config::Zone`.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use config::{DAY_MS, Local};
use config::{Date, Zone};
use serde::{Serialize, Serializer};

/// An instant in milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `ms` later.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant that ISO 8601 in UTC says, `2022-11-23T07:32:07.240Z` or without milliseconds; `None` of anything
    /// else.
    pub fn from_iso(text: &str) -> Option<Self> {
        config::utc_instant(text).map(Self)
    }

    /// The beginning of a day in a zone; `None` when the calendar has no such day.
    pub fn midnight(day: Date, zone: Zone) -> Option<Self> {
        zone.begins(day).map(Self)
    }

    /// ISO 8601 in UTC, to the millisecond: `2022-11-23T07:32:07.240Z`.
    pub fn to_millisecond(self) -> String {
        config::utc_text(self.0)
    }

    /// The day in a zone, since 1970-01-01.
    pub fn local_day(self, zone: Zone) -> i64 {
        zone.day(self.0)
    }

    /// When a day since 1970-01-01 begins in a zone.
    pub fn of_local_day(day: i64, zone: Zone) -> Self {
        Self(zone.day_begins(day))
    }

    /// Calendar and clock of a zone.
    pub fn local(self, zone: Zone) -> Local {
        zone.local(self.0)
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC, to the second: `2022-11-23T07:32:07Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Local { date, hour, minute, second, .. } = self.local(Zone::UTC);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A difference from the system's clock from which on it was set, and not only a little off,
/// milliseconds: what is less is made up for without a jump.
const SET_MS: i64 = 250;

/// Nothing ran for so long: the machine slept where its monotonic clock goes on meanwhile, or the
/// process was stopped.
const STOPPED: Duration = Duration::from_secs(30);

/// What is made up for takes about so long: the clock runs faster or slower meanwhile.
const SLEW_OVER_US: i64 = 10_000_000;

/// By how much at most it runs faster or slower then, parts in a million.
const SLEW_PPM_MAX: i64 = 5_000;

/// The system's two clocks are read at one moment when that took no longer.
const TOGETHER: Duration = Duration::from_millis(5);

/// What the clocks of a machine show at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// The monotonic one: nobody sets it, and it may stand still while the machine sleeps.
    pub monotonic: Instant,
    /// The system's time, microseconds since 1970, UTC.
    pub real_us: i64,
    /// Time since the machine was started, sleep included, where the system tells that.
    pub with_sleep: Option<Duration>,
}

/// Reads the clocks of a machine; `None` when that could not be done at one moment.
pub type ClockSource = dyn Fn() -> Option<Shown> + Send + Sync;

/// Why the time of a clock did not go on evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JumpKind {
    /// Somebody set the system's clock.
    Set,
    /// The machine slept.
    Slept,
    /// The process did not run.
    Stopped,
}

impl JumpKind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Set, Self::Slept, Self::Stopped];

    /// Its number in the store, for ever.
    pub fn code(self) -> u8 {
        match self {
            Self::Set => 1,
            Self::Slept => 2,
            Self::Stopped => 3,
        }
    }

    /// The kind that a number of a store stands for; `None` when it stands for none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Set => "clock_set",
            Self::Slept => "slept",
            Self::Stopped => "stopped",
        }
    }
}

/// A place where time did not go on evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Jump {
    /// The last moment at which all was well, by the clock as it went then.
    pub before: Timestamp,
    /// The first one behind it, by the clock as it goes from then on.
    pub after: Timestamp,
    /// By how much it is ahead of what it would have shown, milliseconds; negative when it was set
    /// back. How long the machine slept, or the process did not run.
    pub by_ms: i64,
    /// Why.
    pub kind: JumpKind,
}

/// The system's time, moved on by the monotonic clock between two looks at it, so that ages stay true
/// and no moment comes twice. Who owns it looks now and then ([`Clock::look`]): what the system's clock
/// is a little off is made up for slowly, and where it was set the clock goes on with the right time and
/// says so. Copies of a clock are one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    course: RwLock<Course>,
    source: Option<Arc<ClockSource>>,
}

/// How a clock goes: a straight line from a moment on, and the one before it.
#[derive(Clone, Copy)]
struct Course {
    from: Line,
    before: Line,
    /// What was last seen.
    seen: Option<Shown>,
}

#[derive(Clone, Copy)]
struct Line {
    since: Instant,
    start_us: i64,
    /// Times as fast as the monotonic clock, in millionths.
    speed: i64,
}

impl Line {
    fn at_us(&self, instant: Instant) -> i64 {
        let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let passed = match instant.checked_duration_since(self.since) {
            Some(later) => us(later),
            None => -us(self.since.duration_since(instant)),
        };
        let passed = i128::from(passed) * i128::from(self.speed) / 1_000_000;
        self.start_us.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

impl Course {
    fn new(since: Instant, start_us: i64, speed: i64) -> Self {
        let line = Line { since, start_us, speed };
        Self { from: line, before: line, seen: None }
    }

    fn at_us(&self, instant: Instant) -> i64 {
        let line = if instant < self.from.since { &self.before } else { &self.from };
        line.at_us(instant)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Clock {
    /// A clock that follows the system's.
    pub fn system() -> Self {
        Self::following(Arc::new(machine))
    }

    /// A clock that follows what a source shows.
    pub fn following(source: Arc<ClockSource>) -> Self {
        let shown = source().unwrap_or_else(|| machine_at_once(Instant::now()));
        let mut course = Course::new(shown.monotonic, shown.real_us, 1_000_000);
        course.seen = Some(shown);
        Self(Arc::new(Inner { course: RwLock::new(course), source: Some(source) }))
    }

    /// A clock that shows `start` at an instant of the monotonic clock: that of a world in which time is
    /// told, not taken.
    pub fn showing(start: Timestamp, since: Instant) -> Self {
        Self::going(Course::new(since, start.0.saturating_mul(1_000), 1_000_000))
    }

    fn going(course: Course) -> Self {
        Self(Arc::new(Inner { course: RwLock::new(course), source: None }))
    }

    /// A clock of its own that shows what this one does and runs so many times as fast from now on; it
    /// follows nobody.
    #[must_use]
    pub fn at_speed(&self, speed: u32) -> Self {
        let now = Instant::now();
        let start_us = self.course().at_us(now);
        Self::going(Course::new(now, start_us, i64::from(speed) * 1_000_000))
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// What it shows at an instant of the monotonic clock, of late or of the present.
    pub fn at(&self, instant: Instant) -> Timestamp {
        Timestamp(self.course().at_us(instant).div_euclid(1_000))
    }

    /// Looks at what it follows, and says when time did not go on evenly since it last looked. It never
    /// goes back but for that.
    pub fn look(&self) -> Option<Jump> {
        let shown = self.0.source.as_ref()?()?;
        let mut course = self.0.course.write().unwrap_or_else(PoisonError::into_inner);
        let seen = course.seen.replace(shown)?;
        let expected = course.at_us(shown.monotonic);
        let ahead_us = shown.real_us.saturating_sub(expected);
        let passed = shown.monotonic.saturating_duration_since(seen.monotonic);
        course.before = course.from;
        let (since, start_us) = (shown.monotonic, expected);
        let Some((kind, by_ms)) = jump(&seen, &shown, ahead_us) else {
            let ppm = ahead_us * 1_000_000 / SLEW_OVER_US;
            let speed = 1_000_000 + ppm.clamp(-SLEW_PPM_MAX, SLEW_PPM_MAX);
            course.from = Line { since, start_us, speed };
            return None;
        };
        let before_us = start_us - i64::try_from(passed.as_micros()).unwrap_or(0);
        course.from = Line { since, start_us: shown.real_us, speed: 1_000_000 };
        let ms = |us: i64| Timestamp(us.div_euclid(1_000));
        Some(Jump { before: ms(before_us), after: ms(shown.real_us), by_ms, kind })
    }

    fn course(&self) -> Course {
        *self.0.course.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why time did not go on evenly between two looks, and by how much; `None` when it did.
fn jump(seen: &Shown, shown: &Shown, ahead_us: i64) -> Option<(JumpKind, i64)> {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let passed = shown.monotonic.saturating_duration_since(seen.monotonic);
    let ahead_ms = ahead_us / 1_000;
    if ahead_ms.abs() >= SET_MS {
        let all = shown.with_sleep.zip(seen.with_sleep).map(|(now, then)| now.saturating_sub(then));
        let slept = all.map_or(0, |all| ms(all.saturating_sub(passed)));
        let is_sleep = slept >= SET_MS && (ahead_ms - slept).abs() < SET_MS;
        return Some((if is_sleep { JumpKind::Slept } else { JumpKind::Set }, ahead_ms));
    }
    (passed >= STOPPED).then(|| (JumpKind::Stopped, ms(passed)))
}

/// What the clocks of this machine show; `None` when something came between reading one and the other.
fn machine() -> Option<Shown> {
    (0..4).find_map(|_| {
        let before = Instant::now();
        let shown = machine_at_once(before);
        (before.elapsed() < TOGETHER).then_some(shown)
    })
}

fn machine_at_once(monotonic: Instant) -> Shown {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let real_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    Shown { monotonic, real_us, with_sleep: with_sleep() }
}

#[cfg(target_os = "linux")]
fn with_sleep() -> Option<Duration> {
    let shown = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(shown).ok()
}

#[cfg(not(target_os = "linux"))]
fn with_sleep() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_shown_in_local_time() {
        let at = Timestamp(1_669_188_727_240);
        assert_eq!(at.to_string(), "2022-11-23T07:32:07Z");
        assert_eq!(at.to_millisecond(), "2022-11-23T07:32:07.240Z");
        let local = at.local(Zone::hours(7));
        assert_eq!(local.date.to_string(), "2022-11-23");
        assert_eq!((local.hour, local.minute, local.second), (14, 32, 7));
        assert_eq!(local.millisecond, 240);
        let day = Date { year: 2022, month: 11, day: 23 };
        let midnight = Timestamp::midnight(day, Zone::hours(7)).unwrap();
        assert_eq!(midnight.to_string(), "2022-11-22T17:00:00Z");
        assert_eq!(Timestamp::midnight(Date { month: 2, day: 30, ..day }, Zone::hours(7)), None);
    }

    /// A machine whose clocks are set by hand.
    struct Machine {
        start: Instant,
        shown: Arc<std::sync::Mutex<Shown>>,
        clock: Clock,
    }

    const REAL_US: i64 = 1_669_188_727_000_000;

    impl Machine {
        fn new() -> Self {
            let start = Instant::now();
            let with_sleep = Some(Duration::from_secs(1_000));
            let first = Shown { monotonic: start, real_us: REAL_US, with_sleep };
            let shown = Arc::new(std::sync::Mutex::new(first));
            let own = Arc::clone(&shown);
            let clock = Clock::following(Arc::new(move || Some(*own.lock().unwrap())));
            Self { start, shown, clock }
        }

        /// Lets time pass by the monotonic clock and by the system's, and sleep on top of it.
        fn pass(&self, monotonic_ms: u64, real_us: i64, asleep_ms: u64) {
            let mut shown = self.shown.lock().unwrap();
            let awake = Duration::from_millis(monotonic_ms);
            shown.monotonic += awake;
            shown.real_us += real_us;
            let asleep = Duration::from_millis(asleep_ms);
            shown.with_sleep = shown.with_sleep.map(|all| all + awake + asleep);
        }

        fn real(&self) -> Timestamp {
            Timestamp(self.shown.lock().unwrap().real_us.div_euclid(1_000))
        }

        fn now(&self) -> Timestamp {
            self.clock.at(self.shown.lock().unwrap().monotonic)
        }
    }

    #[test]
    fn a_clock_that_is_set_and_a_machine_that_slept_are_told_apart() {
        let (hours, days) = (7_200_000, 400 * DAY_MS);
        let cases = [
            (hours, 0, JumpKind::Set),
            (-hours, 0, JumpKind::Set),
            (days, 0, JumpKind::Set),
            (-days, 0, JumpKind::Set),
            (500, 0, JumpKind::Set),
            (-500, 0, JumpKind::Set),
            // A leap second, as the system has it.
            (-1_000, 0, JumpKind::Set),
            (600_000, 600_000, JumpKind::Slept),
            // It slept, and its clock was wrong when it woke up.
            (600_000 - hours, 600_000, JumpKind::Set),
        ];
        for (by_ms, asleep, kind) in cases {
            let machine = Machine::new();
            machine.pass(500, 500_000, 0);
            assert_eq!(machine.clock.look(), None);
            machine.pass(500, 500_000 + by_ms * 1_000, asleep);
            let jump = machine.clock.look().unwrap();
            let start = Timestamp(REAL_US / 1_000);
            assert_eq!(jump.before, start.plus(500), "{by_ms}");
            assert_eq!(jump.after, start.plus(1_000 + by_ms), "{by_ms}");
            assert_eq!((jump.by_ms, jump.kind), (by_ms, kind));
            assert_eq!(machine.now(), machine.real());
            machine.pass(500, 500_000, 0);
            assert_eq!(machine.clock.look(), None, "it is told once");
            assert_eq!(machine.now(), machine.real());
        }
    }

    #[test]
    fn a_process_that_did_not_run_is_told() {
        let machine = Machine::new();
        machine.pass(600_000, 600_000_000, 0);
        let jump = machine.clock.look().unwrap();
        assert_eq!((jump.by_ms, jump.kind), (600_000, JumpKind::Stopped));
        assert_eq!(jump.after.since(jump.before), 600_000);
    }

    #[test]
    fn what_is_a_little_off_is_made_up_for_and_time_never_goes_back() {
        // 50 ppm either way over a day, and once 200 ms: less than what counts as set.
        for (ppm, once_us) in [(50, 0), (-50, 0), (0, 200_000), (0, -200_000), (-50, 200_000)] {
            let machine = Machine::new();
            let mut last = machine.now();
            machine.pass(0, once_us, 0);
            for look in 0..172_800_i64 {
                machine.pass(500, 500_000 + ppm / 2, 0);
                assert_eq!(machine.clock.look(), None);
                let now = machine.now();
                assert!(now >= last, "{ppm} ppm: {now:?} after {last:?}");
                assert!(now.since(last) <= 503, "{ppm} ppm: no jump");
                let off = now.since(machine.real()).abs();
                assert!(look < 200 || off <= 2, "{ppm} ppm, {once_us}: {off} ms off");
                last = now;
            }
            let passed = machine.shown.lock().unwrap().monotonic.duration_since(machine.start);
            assert_eq!(passed.as_secs(), DAY_MS.unsigned_abs() / 1_000);
        }
    }

    #[test]
    fn clocks_that_cannot_be_read_together_are_read_later() {
        let clock = Clock::following(Arc::new(|| None));
        assert_eq!(clock.look(), None);
        let shown = machine().unwrap();
        assert!(cfg!(not(target_os = "linux")) || shown.with_sleep.is_some());
    }
}
