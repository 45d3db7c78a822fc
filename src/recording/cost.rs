//! What a recording costs: seconds of processors, as far as the system tells.

use std::time::{Duration, Instant};

/// Where the time of a recording went, in seconds: of processors where the system tells that (Linux),
/// else on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// The simulated plant and its telemetry.
    pub field: f64,
    /// Asking the stations, and their answers.
    pub collector: f64,
    /// Taking readings, and forming verdicts.
    pub historian: f64,
    /// Counting and keeping.
    pub sink: f64,
}

/// Seconds that the thread which asks has run: others on the machine do not count. `None` where the
/// system does not tell.
pub(super) fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// The processor seconds of a thread shared out between its two works, by their time on the clock.
pub(super) fn share(cpu: Option<f64>, one: Duration, other: Duration) -> (f64, f64) {
    let (one, other) = (one.as_secs_f64(), other.as_secs_f64());
    let factor = cpu.map_or(1.0, |cpu| cpu / (one + other).max(1e-9));
    (one * factor, other * factor)
}

/// Measures one stretch of work after the other.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    /// The first stretch begins.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last stretch ended.
    pub(super) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.0, now))
    }
}
