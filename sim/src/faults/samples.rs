//! Faults of values: what a station sends of a point instead of what is true.

use config::{Flags, Point, PointId, Station};

use super::fault::{Fault, Touched};
use super::kind::{FaultKind, FaultSettings, phase_pair};
use crate::telemetry::image::SentSample;

/// Days of the month by which a drift is counted.
const MONTH_MS: f64 = 30.0 * 86_400_000.0;
/// Share of power that three wattmeters still see when one voltage is gone.
const TWO_OF_THREE: f64 = 2.0 / 3.0;

/// Whether a fault of this kind changes what is sent of points.
pub(crate) fn changes_samples(kind: FaultKind, settings: &FaultSettings) -> bool {
    match kind {
        FaultKind::UnitLost => says_com(settings),
        FaultKind::OneChannelLost | FaultKind::WrongClock | FaultKind::EventOverflow => true,
        FaultKind::WordOrder | FaultKind::IndexShift => false,
        kind => (FaultKind::Frozen..=FaultKind::WideDeadband).contains(&kind),
    }
}

/// Whether a lost unit is told by its alarm, its last values kept, and not by an exception.
pub(crate) fn says_com(settings: &FaultSettings) -> bool {
    settings.word("says") == 2
}

/// Alters the samples of a channel as one fault does.
pub(crate) fn apply(
    fault: &Fault,
    touched: &mut Touched,
    station: &Station,
    at_ms: i64,
    samples: &mut [SentSample],
) {
    if touched.held.is_empty() {
        touched.held = touched.points.iter().map(|point| samples[point.index()]).collect();
    }
    let original: Option<Vec<SentSample>> =
        (fault.kind == FaultKind::PhaseSwap).then(|| samples.to_vec());
    for (n, id) in touched.points.iter().enumerate() {
        let point = &station.points[id.index()];
        if point.spec.kind.is_command() {
            continue;
        }
        let now = samples[id.index()];
        let seen = Seen { fault, point, id: *id, at_ms, now, held: touched.held[n] };
        samples[id.index()] = match fault.kind {
            FaultKind::PhaseSwap => {
                seen.exchanged(station, original.as_deref().unwrap_or_default())
            }
            FaultKind::WideDeadband => {
                let sent = seen.stepped();
                touched.held[n] = sent;
                sent
            }
            _ => seen.sample(),
        };
    }
}

/// One point under one fault.
struct Seen<'a> {
    fault: &'a Fault,
    point: &'a Point,
    id: PointId,
    at_ms: i64,
    now: SentSample,
    /// What was sent when the fault began.
    held: SentSample,
}

impl Seen<'_> {
    fn sample(&self) -> SentSample {
        let SentSample { value, flags } = self.now;
        let set = |value: f64| SentSample { value, flags };
        let flag = |flag: Flags| SentSample { value, flags: flags.with(flag) };
        let settings = &self.fault.settings;
        match self.fault.kind {
            FaultKind::UnitLost => self.out_of_reach(),
            FaultKind::OneChannelLost | FaultKind::StuckAtZero | FaultKind::Intermediate => {
                set(0.0)
            }
            FaultKind::WrongTap if settings.word("how") == 0 => set(settings.number("code")),
            FaultKind::Frozen | FaultKind::WrongTap => self.held,
            FaultKind::Saturated => {
                let said = [Flags::OVERFLOW, Flags::GOOD][settings.word("quality")];
                SentSample { value: self.full_scale(), flags: flags.with(said) }
            }
            FaultKind::WrongScale => set(value * settings.number("factor")),
            FaultKind::Polarity => set(-value),
            FaultKind::GainDrift => {
                let months = self.since_ms() / MONTH_MS;
                set(value * (1.0 + settings.number("percent_per_month") / 100.0 * months))
            }
            FaultKind::Contradictory => set(3.0),
            FaultKind::Inverted => set(self.opposite(value)),
            FaultKind::Chatter => {
                let blocked = [Flags::GOOD, Flags::BLOCKED][settings.word("quality")];
                let flipped = self.fault.flips(self.id, self.at_ms);
                let value = if flipped { self.opposite(value) } else { value };
                SentSample { value, flags: flags.with(blocked) }
            }
            FaultKind::StuckAlarm => {
                let normal = f64::from(self.point.normal);
                set(if settings.word("at") == 0 { 1.0 - normal } else { normal })
            }
            FaultKind::WrongClock if is_clock_alarm(self.point, self.fault.whole_station) => {
                set(1.0)
            }
            FaultKind::EventOverflow if self.point.spec.id == "STN.SOEOV" => set(1.0),
            FaultKind::CounterReset => set(self.recounted()),
            FaultKind::Substituted => {
                let entered = settings.number("value");
                let value = if entered.is_finite() { entered } else { self.held.value };
                SentSample { value, flags: flags.with(Flags::SUBSTITUTED) }
            }
            FaultKind::TestMode => flag(Flags::TEST),
            FaultKind::VtFuse => self.without_vt(),
            _ => self.now,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 milliseconds")]
    fn since_ms(&self) -> f64 {
        (self.at_ms - self.fault.from_ms) as f64
    }

    /// The highest value that the register or its range can hold.
    fn full_scale(&self) -> f64 {
        use config::Encoding;
        let range = self.point.range.map_or(1e6, |(_, high)| high);
        match self.point.encoding {
            Encoding::A16 { scale } => 32_767.0 * scale,
            Encoding::U16 { scale } => 65_535.0 * scale,
            _ => range,
        }
    }

    fn opposite(&self, value: f64) -> f64 {
        opposite(self.point, value)
    }

    fn out_of_reach(&self) -> SentSample {
        if is_com_alarm(self.point) {
            return SentSample { value: 1.0, flags: self.now.flags };
        }
        let SentSample { value, flags } = self.held;
        SentSample { value, flags: flags.with(Flags::NOT_TOPICAL) }
    }

    fn recounted(&self) -> f64 {
        let settings = &self.fault.settings;
        match settings.word("how") {
            0 => (self.now.value - self.held.value).max(0.0),
            _ => self.now.value % libm::pow(10.0, settings.number("digits").floor()),
        }
    }

    fn exchanged(&self, station: &Station, samples: &[SentSample]) -> SentSample {
        let (one, other) = phase_pair(&self.fault.settings);
        let id = self.point.spec.id.as_str();
        if id == "Q" {
            return SentSample { value: -self.now.value, flags: self.now.flags };
        }
        let wanted = if id == one { other } else { one };
        let points = station.points.iter().zip(samples);
        let twin = points
            .filter(|(point, _)| point.bay == self.point.bay && point.spec.id == wanted)
            .map(|(_, sample)| *sample)
            .next();
        twin.unwrap_or(self.now)
    }

    /// The value that was sent last, until the new one is far enough from it.
    fn stepped(&self) -> SentSample {
        let range = self.point.full_scale().unwrap_or(0.0);
        let band = range * self.fault.settings.number("percent") / 100.0;
        let near = (self.now.value - self.held.value).abs() <= band;
        let value = if near { self.held.value } else { self.now.value };
        SentSample { value, flags: self.now.flags }
    }

    /// What is left of a value when its voltage transformer has lost phase A, or all three.
    fn without_vt(&self) -> SentSample {
        let all = self.fault.settings.word("phases") == 1;
        let factor = match self.point.spec.id.as_str() {
            "VT.MCB" => return SentSample { value: 1.0, flags: self.now.flags },
            "UL" | "UA" => 0.0,
            _ if all => 0.0,
            // One side of these two is gone, the other is the voltage to earth.
            "UAB" | "UCA" => 1.0 / 3_f64.sqrt(),
            "P" | "Q" => TWO_OF_THREE,
            _ => 1.0,
        };
        SentSample { value: self.now.value * factor, flags: self.now.flags }
    }
}

/// The other state of a status.
pub(crate) fn opposite(point: &Point, value: f64) -> f64 {
    if point.spec.kind == config::PointKind::DoublePoint { 3.0 - value } else { 1.0 - value }
}

fn is_com_alarm(point: &Point) -> bool {
    ["BCU.COM", "REL.COM"].contains(&point.spec.id.as_str())
}

/// The alarms that follow a wrong clock: of the bay, and of the station when all of it is wrong.
fn is_clock_alarm(point: &Point, whole_station: bool) -> bool {
    point.spec.id == "BCU.SYNC" || whole_station && point.spec.id == "GPS.FAIL"
}

/// Whether a bay has a voltage transformer of its own.
pub(crate) fn has_vt(station: &Station, bay: usize) -> bool {
    let own = station.points.iter().filter(|point| point.bay == bay);
    own.into_iter().any(|point| point.spec.id == "UL" || point.spec.id == "UAB")
}

/// The bay whose voltage transformer a bay measures with: its own, or that of its bus section.
fn vt_of(station: &Station, bay: usize) -> Option<usize> {
    if has_vt(station, bay) {
        return Some(bay);
    }
    let own = &station.bays[bay];
    (0..station.bays.len()).find(|other| {
        let bay = &station.bays[*other];
        bay.level == own.level && bay.section == own.section && bus_vt(station, *other)
    })
}

fn bus_vt(station: &Station, bay: usize) -> bool {
    station.points.iter().any(|point| point.bay == bay && point.spec.id == "UAB")
}

/// What changes when the voltage transformers of some bays fail.
pub(crate) fn behind_vt(
    station: &Station,
    bays: &[usize],
    settings: &FaultSettings,
) -> Vec<PointId> {
    let all = settings.word("phases") == 1;
    let voltages: &[&str] = if all {
        &["UA", "UB", "UC", "UAB", "UBC", "UCA", "UL", "VT.MCB"]
    } else {
        &["UA", "UAB", "UCA", "UL"]
    };
    let points = station.points.iter().enumerate();
    points
        .filter(|(_, point)| {
            let id = point.spec.id.as_str();
            let own = bays.contains(&point.bay) && voltages.contains(&id);
            let power = point.spec.kind.is_measurement() && (id == "P" || id == "Q");
            own || power && vt_of(station, point.bay).is_some_and(|vt| bays.contains(&vt))
        })
        .map(|(n, _)| PointId::at(n))
        .collect()
}
