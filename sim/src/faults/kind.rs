//! The faults by name: what each is called, what it takes, what it counts as and how often it comes.

use config::{Encoding, Lang, Point, PointKind};
use thiserror::Error;

use crate::target::Reach;

/// A fault that can be injected. What it does is said beside its application: values in `samples`,
/// registers in `registers`, answers and connections in `wire`, time-tagged records in `records`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named in the table below, in both languages")]
pub enum FaultKind {
    ChannelLost,
    OneChannelLost,
    GatewayHung,
    UnitLost,
    DeviceFailure,
    Busy,
    PointsRefused,
    Frozen,
    StuckAtZero,
    Saturated,
    WrongScale,
    Polarity,
    PhaseSwap,
    GainDrift,
    WordOrder,
    IndexShift,
    Intermediate,
    Contradictory,
    Inverted,
    Chatter,
    StuckAlarm,
    WrongClock,
    EventOverflow,
    CounterReset,
    Substituted,
    TestMode,
    VtFuse,
    WrongTap,
    WideDeadband,
    DuplicateAddress,
    LateReply,
    TruncatedReply,
    SplitReply,
    DuplicatedReply,
    WrongTransaction,
    WrongUnit,
    WrongFunction,
    Reset,
    HalfOpen,
    Garbage,
}

/// Which figure of the control room a fault moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// No path.
    Link,
    /// A path fewer, none lost.
    Redundancy,
    /// A point does not arrive.
    Live,
    /// It arrives late.
    Latency,
    /// It arrives and is wrong.
    Correctness,
    /// The register map is not what was agreed.
    Structure,
    /// Its time tag is wrong.
    Time,
    /// A reply is not one.
    Wire,
}

impl FaultClass {
    /// The word in the truth log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Redundancy => "redundancy",
            Self::Live => "live",
            Self::Latency => "latency",
            Self::Correctness => "correctness",
            Self::Structure => "structure",
            Self::Time => "time",
            Self::Wire => "wire",
        }
    }
}

/// What a fault can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Key in scripts and on the command line.
    pub name: &'static str,
    /// What it means.
    pub what: &'static str,
    /// What may be given.
    pub takes: Takes,
}

/// What may be given for a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    /// A number.
    Number {
        /// When none is given; not a number when that means something of its own.
        default: f64,
        /// Smallest.
        low: f64,
        /// Largest.
        high: f64,
    },
    /// One of these words; the first when none is given.
    Word(&'static [&'static str]),
}

/// How often a fault starts by itself, and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Starts in a station in a year.
    pub per_station_year: f64,
    /// Shortest and longest duration, hours.
    pub hours: (f64, f64),
}

/// A row of the table of faults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultSpec {
    /// Which.
    pub kind: FaultKind,
    /// Short id, such as `T08`.
    pub id: &'static str,
    /// The word that may be given instead of the id.
    pub word: &'static str,
    en: &'static str,
    vi: &'static str,
    /// What it counts as.
    pub class: FaultClass,
    /// What it can be aimed at.
    pub reach: Reach,
    /// The same in words.
    pub applies_to: &'static str,
    /// What it can be told.
    pub parameters: &'static [Parameter],
    /// How often it comes by itself.
    pub rate: Rate,
}

impl FaultSpec {
    /// What it is called.
    pub fn name(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Vi => self.vi,
            Lang::En => self.en,
        }
    }
}

const fn number(
    name: &'static str,
    what: &'static str,
    default: f64,
    bounds: (f64, f64),
) -> Parameter {
    Parameter { name, what, takes: Takes::Number { default, low: bounds.0, high: bounds.1 } }
}

const fn word(name: &'static str, what: &'static str, words: &'static [&'static str]) -> Parameter {
    Parameter { name, what, takes: Takes::Word(words) }
}

const fn rate(per_station_year: f64, shortest: f64, longest: f64) -> Rate {
    Rate { per_station_year, hours: (shortest, longest) }
}

/// Comes with work on the station, not by itself: rate 0 unless a script says otherwise.
const WORK: Rate = rate(0.0, 24.0, 240.0);
const EVERY: &[Parameter] =
    &[number("every", "each so many replies, one is bad", 10.0, (1.0, 1e6))];
const BIG: f64 = 1e9;

macro_rules! table {
    ($($kind:ident $id:literal $word:literal $en:literal $vi:literal $class:ident $reach:ident
       $applies:literal $parameters:expr, $rate:expr;)*) => {
        /// Every fault, in the order of their ids.
        pub const FAULTS: &[FaultSpec] = &[$(FaultSpec {
            kind: FaultKind::$kind, id: $id, word: $word, en: $en, vi: $vi,
            class: FaultClass::$class, reach: Reach::$reach, applies_to: $applies,
            parameters: $parameters, rate: $rate,
        }),*];
    };
}

table! {
    ChannelLost "T01" "channel-lost" "channel lost" "mất kênh truyền" Link Station
        "stations" &[word("how", "connections are closed, or nobody answers any more", &["closed", "silent"])],
        rate(1.5, 0.2, 6.0);
    OneChannelLost "T02" "one-channel-lost" "one of two channels lost" "mất một trong hai kênh" Redundancy Point
        "the channel alarms CH.PC1 and CH.PC2" &[word("channel", "which of the two", &["PC2", "PC1"])],
        rate(4.0, 1.0, 24.0);
    GatewayHung "T03" "gateway-hung" "gateway hung, connection alive" "gateway treo, kết nối còn" Live Station
        "stations" &[], rate(0.3, 0.1, 3.0);
    UnitLost "T04" "unit-lost" "bay unit out of reach" "mất liên lạc thiết bị ngăn lộ" Live Unit
        "stations, units and bays"
        &[word("says", "exception of the gateway, or last values with NT and the COM alarm", &["0B", "0A", "com"])],
        rate(2.0, 0.5, 48.0);
    DeviceFailure "T05" "device-failure" "device failure" "hỏng thiết bị" Live Unit
        "stations, units and bays" &[], rate(0.5, 1.0, 48.0);
    Busy "T06" "busy" "device busy" "thiết bị bận" Latency Unit
        "stations, units and bays" &[number("share", "share of the requests that are put off", 0.3, (0.0, 1.0))],
        rate(6.0, 0.05, 1.0);
    PointsRefused "T07" "points-refused" "points no longer configured" "điểm bị xóa khỏi cấu hình" Structure Point
        "mapped points" &[], WORK;
    Frozen "T08" "frozen" "frozen value" "giá trị treo" Correctness Point
        "measurements, statuses and counters" &[], rate(3.0, 24.0, 120.0);
    StuckAtZero "T09" "stuck-at-zero" "stuck at zero" "kẹt ở không" Correctness Point
        "measurements" &[], rate(1.0, 168.0, 672.0);
    Saturated "T10" "saturated" "saturated at full scale" "bão hòa thang đo" Correctness Point
        "measurements" &[word("quality", "whether the device says OV", &["OV", "good"])], rate(0.5, 24.0, 240.0);
    WrongScale "T11" "wrong-scale" "wrong scale" "sai hệ số" Correctness Point
        "measurements" &[number("factor", "what the value is multiplied by", 10.0, (-1e6, 1e6))], WORK;
    Polarity "T12" "polarity" "polarity reversed" "ngược cực tính TI" Correctness Point
        "P, Q and PF of a bay" &[], WORK;
    PhaseSwap "T13" "phase-swap" "phases exchanged" "đảo pha" Correctness Point
        "Q and the phase currents of a bay" &[word("phases", "which two", &["AB", "BC", "CA"])], WORK;
    GainDrift "T14" "gain-drift" "slow drift of the gain" "trôi hệ số khuếch đại" Correctness Point
        "measurements" &[number("percent_per_month", "growth of the gain", 0.2, (-1e6, 1e6))], rate(0.0, 720.0, 2160.0);
    WordOrder "T15" "word-order" "wrong order of words or bytes" "sai thứ tự từ hoặc byte" Correctness Point
        "values of two registers (words), or of any number of them (bytes, both)"
        &[word("swaps", "what is exchanged", &["words", "bytes", "both"])], WORK;
    IndexShift "T16" "index-shift" "addresses shifted by one" "lệch địa chỉ một ô" Correctness Unit
        "stations, units and bays" &[number("by", "cells", 1.0, (-8.0, 8.0))], WORK;
    Intermediate "T17" "intermediate" "double point stays at 00" "tín hiệu kép kẹt 00" Correctness Point
        "double points" &[], rate(1.0, 0.1, 24.0);
    Contradictory "T18" "contradictory" "double point at 11" "tín hiệu kép báo 11" Correctness Point
        "double points" &[], rate(0.2, 0.1, 24.0);
    Inverted "T19" "inverted" "contact inverted" "tiếp điểm đấu ngược" Correctness Point
        "single and double points" &[], WORK;
    Chatter "T20" "chatter" "chattering contact" "tiếp điểm rung" Correctness Point
        "single and double points"
        &[number("per_second", "changes a second", 5.0, (1.0, 50.0)),
          word("quality", "whether the device blocks it", &["good", "BL"])],
        rate(1.0, 0.05, 4.0);
    StuckAlarm "T21" "stuck-alarm" "alarm that never resets or never comes" "cảnh báo không giải trừ hoặc không đến" Structure Point
        "single points" &[word("at", "alarm or normal state", &["alarm", "normal"])], rate(0.5, 168.0, 2160.0);
    WrongClock "T22" "wrong-clock" "clock wrong" "sai đồng hồ" Time Unit
        "stations, units and bays"
        &[number("seconds", "how far ahead", 3_600.0, (-BIG, BIG)),
          word("clock", "off by seconds, or started again at the beginning of its time", &["offset", "1970", "2000"])],
        rate(0.2, 24.0, 720.0);
    EventOverflow "T23" "event-overflow" "event buffer overflow" "tràn bộ đệm sự kiện" Correctness Station
        "stations" &[number("lost", "share of the records that are lost", 0.8, (0.0, 1.0))], rate(1.0, 0.05, 1.0);
    CounterReset "T24" "counter-reset" "counter reset or rolled over" "công tơ về không hoặc tràn số" Correctness Point
        "counters" &[word("how", "begins at 0 again, or loses its upper digits", &["reset", "rollover"]),
                      number("digits", "digits that are left by a rollover", 4.0, (1.0, 9.0))],
        rate(0.1, 24.0, 720.0);
    Substituted "T25" "substituted" "substituted by hand and left so" "giá trị nhập tay bỏ quên" Correctness Point
        "measurements, statuses and counters"
        &[number("value", "what was entered; without it the value of that moment", f64::NAN, (-BIG, BIG))],
        rate(1.0, 24.0, 240.0);
    TestMode "T26" "test-mode" "test mode left on" "bỏ quên chế độ thử" Live Point
        "measurements, statuses and counters" &[], rate(0.5, 4.0, 72.0);
    VtFuse "T27" "vt-fuse" "voltage transformer fuse or MCB" "đứt cầu chì hoặc nhảy aptomat TU" Correctness Bay
        "bays with a voltage transformer: busbars, and lines with UL"
        &[word("phases", "phase A, or all three with the MCB alarm", &["one", "three"])], rate(0.5, 1.0, 48.0);
    WrongTap "T28" "wrong-tap" "tap position wrong" "sai nấc phân áp" Correctness Point
        "tap positions (TAP.POS)"
        &[word("how", "a code that is no position, or the last position for ever", &["impossible", "stuck"]),
          number("code", "the code", 31.0, (0.0, 255.0))],
        rate(0.5, 24.0, 240.0);
    WideDeadband "T29" "wide-deadband" "deadband too wide" "vùng chết quá rộng" Correctness Point
        "measurements" &[number("percent", "of the full scale", 5.0, (0.0, 100.0))], WORK;
    DuplicateAddress "T30" "duplicate-address" "two devices with one address" "trùng địa chỉ thiết bị" Correctness Unit
        "units and bays, where the station has another unit" &[number("unit", "the other device; without it the nearest that is alike", f64::NAN, (1.0, 247.0))],
        WORK;
    LateReply "W01" "late" "late reply" "trả lời trễ" Wire Unit
        "stations, units and bays"
        &[number("every", "each so many replies, one is bad", 10.0, (1.0, 1e6)),
          number("ms", "how late", 1_500.0, (1.0, 8_000.0))], WORK;
    TruncatedReply "W02" "truncated" "truncated reply" "trả lời bị cắt" Wire Unit
        "stations, units and bays" EVERY, WORK;
    SplitReply "W03" "split" "reply in two pieces" "trả lời chia hai mảnh" Wire Unit
        "stations, units and bays"
        &[number("every", "each so many replies, one is bad", 10.0, (1.0, 1e6)),
          number("ms", "pause between the pieces", 50.0, (1.0, 8_000.0))], WORK;
    DuplicatedReply "W04" "duplicated" "reply sent twice" "trả lời lặp đôi" Wire Unit
        "stations, units and bays"
        &[number("every", "each so many replies, one is bad", 10.0, (1.0, 1e6)),
          number("ms", "how long after the first", 5.0, (0.0, 8_000.0))], WORK;
    WrongTransaction "W05" "wrong-transaction" "reply to another transaction" "trả lời sai số giao dịch" Wire Unit
        "stations, units and bays" EVERY, WORK;
    WrongUnit "W06" "wrong-unit" "reply of another unit" "trả lời sai thiết bị" Wire Unit
        "stations, units and bays" EVERY, WORK;
    WrongFunction "W07" "wrong-function" "reply to another function" "trả lời sai hàm" Wire Unit
        "stations, units and bays" EVERY, WORK;
    Reset "W08" "reset" "connection reset instead of a reply" "kết nối bị đặt lại" Wire Unit
        "stations, units and bays" EVERY, WORK;
    HalfOpen "W09" "half-open" "accepts and never answers" "nhận kết nối mà không trả lời" Wire Unit
        "stations, units and bays" &[], WORK;
    Garbage "W10" "garbage" "garbage instead of a reply" "dữ liệu rác thay trả lời" Wire Unit
        "stations, units and bays" EVERY, WORK;
}

/// No fault has this id or word.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no fault '{name}'; {hint}")]
pub struct UnknownFault {
    /// As it was written.
    pub name: String,
    /// The way out: the nearest name.
    pub hint: String,
}

/// Why a parameter of a fault cannot be set. A hint is the way out: the nearest name, or what is
/// allowed.
#[derive(Debug, Clone, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum SettingError {
    /// The fault has no such parameter.
    #[error("{} has no parameter '{name}'; {hint}", fault.id())]
    NoParameter { fault: FaultKind, name: String, hint: String },
    /// The parameter is a number, within bounds.
    #[error("{name}: '{text}' is not a number from {low} to {high}")]
    NoNumber { name: &'static str, text: String, low: f64, high: f64 },
    /// The parameter is one of some words.
    #[error("{name}: '{text}' is not known here; {hint}")]
    NoWord { name: &'static str, text: String, hint: String },
}

impl FaultKind {
    /// Its row in the table.
    pub fn spec(self) -> &'static FaultSpec {
        &FAULTS[self as usize]
    }

    /// Its short id, such as `T08`.
    pub fn id(self) -> &'static str {
        self.spec().id
    }

    /// The kind with this id or word.
    ///
    /// # Errors
    /// What is wrong, with the nearest name.
    pub fn parse(text: &str) -> Result<Self, UnknownFault> {
        let same = |name: &str| name.eq_ignore_ascii_case(text);
        let found = FAULTS.iter().find(|spec| same(spec.id) || same(spec.word));
        found.map(|spec| spec.kind).ok_or_else(|| {
            let names: Vec<&str> = FAULTS.iter().flat_map(|spec| [spec.id, spec.word]).collect();
            UnknownFault { name: text.to_owned(), hint: config::way_out(text, names) }
        })
    }

    /// Whether a point can have this fault. Faults that reach further than points take them all.
    pub(crate) fn takes(self, settings: &FaultSettings, point: &Point) -> bool {
        let kind = point.spec.kind;
        let id = point.spec.id.as_str();
        let number = kind.is_measurement();
        match self {
            Self::OneChannelLost => id == ["CH.PC2", "CH.PC1"][settings.word("channel")],
            Self::Frozen | Self::Substituted | Self::TestMode => !kind.is_command(),
            Self::StuckAtZero
            | Self::Saturated
            | Self::WrongScale
            | Self::GainDrift
            | Self::WideDeadband => number,
            Self::Polarity => number && ["P", "Q", "PF"].contains(&id),
            Self::PhaseSwap => {
                let (one, other) = phase_pair(settings);
                number && (id == "Q" || id == one || id == other)
            }
            Self::WordOrder => {
                let registers = !point.encoding.is_bits() && !kind.is_command();
                let words = matches!(point.encoding, Encoding::Af | Encoding::C32);
                registers && (words || settings.word("swaps") != 0)
            }
            Self::Intermediate | Self::Contradictory => kind == PointKind::DoublePoint,
            Self::Inverted | Self::Chatter => {
                matches!(kind, PointKind::SinglePoint | PointKind::DoublePoint)
            }
            Self::StuckAlarm => kind == PointKind::SinglePoint,
            Self::CounterReset => kind == PointKind::Counter,
            Self::WrongTap => number && id == "TAP.POS",
            _ => true,
        }
    }
}

/// The two currents that a phase swap exchanges.
pub(crate) fn phase_pair(settings: &FaultSettings) -> (&'static str, &'static str) {
    [("IA", "IB"), ("IB", "IC"), ("IC", "IA")][settings.word("phases")]
}

/// The parameters of one fault, each with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultSettings {
    kind: FaultKind,
    /// In the order of the specification; a word is its place among the words.
    values: Vec<f64>,
}

impl FaultSettings {
    /// What a fault does when nothing is said.
    pub fn of(kind: FaultKind) -> Self {
        let default = |parameter: &Parameter| match parameter.takes {
            Takes::Number { default, .. } => default,
            Takes::Word(_) => 0.0,
        };
        Self { kind, values: kind.spec().parameters.iter().map(default).collect() }
    }

    /// Sets a parameter as it is written in a script or on a command line.
    ///
    /// # Errors
    /// What is wrong with the name or the value, with the way out.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingError> {
        let parameters = self.kind.spec().parameters;
        let Some(n) = parameters.iter().position(|parameter| parameter.name == name) else {
            let names = parameters.iter().map(|parameter| parameter.name);
            let hint = config::way_out(name, names);
            return Err(SettingError::NoParameter {
                fault: self.kind,
                name: name.to_owned(),
                hint,
            });
        };
        let (name, text) = (parameters[n].name, text.to_owned());
        self.values[n] = match parameters[n].takes {
            Takes::Number { low, high, .. } => match text.parse::<f64>() {
                Ok(x) if (low..=high).contains(&x) => x,
                _ => return Err(SettingError::NoNumber { name, text, low, high }),
            },
            Takes::Word(words) => {
                let place = words.iter().position(|word| word.eq_ignore_ascii_case(&text));
                let Some(place) = place.and_then(|place| u8::try_from(place).ok()) else {
                    let hint = config::way_out(&text, words.iter().copied());
                    return Err(SettingError::NoWord { name, text, hint });
                };
                f64::from(place)
            }
        };
        Ok(())
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> f64 {
        let place = self.kind.spec().parameters.iter().position(|p| p.name == name);
        place.map_or(f64::NAN, |n| self.values[n])
    }

    /// The place of a word among those that may be given.
    pub(crate) fn word(&self, name: &str) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the place of a word in a short list"
        )]
        let place = self.number(name) as usize;
        place
    }

    /// Names and values as they would be written; what has no value is left out.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let parameters = self.kind.spec().parameters.iter();
        parameters
            .zip(&self.values)
            .filter(|(_, value)| value.is_finite())
            .map(|(parameter, value)| {
                let text = match parameter.takes {
                    Takes::Number { .. } => value.to_string(),
                    Takes::Word(words) => words[self.word(parameter.name)].to_owned(),
                };
                (parameter.name, text)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_row_and_its_names() {
        for (n, spec) in FAULTS.iter().enumerate() {
            assert_eq!(spec.kind as usize, n, "{}", spec.id);
            assert_eq!(FaultKind::parse(spec.id), Ok(spec.kind));
            assert_eq!(FaultKind::parse(&spec.word.to_uppercase()), Ok(spec.kind));
            assert_eq!(spec.kind.spec().id, spec.id);
        }
        assert_eq!(FAULTS.len(), 40);
        let message = FaultKind::parse("T31").unwrap_err().to_string();
        assert!(message.contains("did you mean 'T"), "{message}");
    }

    #[test]
    fn parameters_are_checked_by_name_and_bounds() {
        let mut settings = FaultSettings::of(FaultKind::WrongScale);
        assert_eq!(settings.set("factor", "1000"), Ok(()));
        assert_eq!(settings.written(), [("factor", "1000".to_owned())]);
        assert!(settings.set("factor", "nan").is_err());
        assert!(
            settings.set("faktor", "1").unwrap_err().to_string().contains("did you mean 'factor'?")
        );
        let mut settings = FaultSettings::of(FaultKind::UnitLost);
        assert_eq!(settings.set("says", "0a"), Ok(()));
        assert_eq!(settings.written(), [("says", "0A".to_owned())]);
        assert!(settings.set("says", "0C").unwrap_err().to_string().contains("0B"));
    }
}
