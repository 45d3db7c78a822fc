//! What a point is: its kind, in the words of the datalist.

/// What a point is, in the words of the datalist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointKind {
    /// `TI`: measurement, sampled.
    Measurement,
    /// `TI-EV`: measurement set by an event, such as a fault location; constant between events.
    EventMeasurement,
    /// `TI-C`: measurement calculated in the station.
    CalculatedMeasurement,
    /// `TS-SP`: status in one bit.
    SinglePoint,
    /// `TS-DP`: position of a switching device in two bits.
    DoublePoint,
    /// `TS-C`: status derived by the gateway.
    DerivedStatus,
    /// `TC-SC`: command with one direction.
    SingleCommand,
    /// `TC-DC`: command with two directions.
    DoubleCommand,
    /// `TC-RC`: step up or down.
    StepCommand,
    /// `TC-SP`: a value to set.
    SetPoint,
    /// `CNT`: a count that only grows.
    Counter,
}

impl PointKind {
    /// The codes of the datalist with their kinds.
    pub const CODES: [(&'static str, Self); 11] = [
        ("TI", Self::Measurement),
        ("TI-EV", Self::EventMeasurement),
        ("TI-C", Self::CalculatedMeasurement),
        ("TS-SP", Self::SinglePoint),
        ("TS-DP", Self::DoublePoint),
        ("TS-C", Self::DerivedStatus),
        ("TC-SC", Self::SingleCommand),
        ("TC-DC", Self::DoubleCommand),
        ("TC-RC", Self::StepCommand),
        ("TC-SP", Self::SetPoint),
        ("CNT", Self::Counter),
    ];

    /// The code of the datalist, such as `TS-DP`.
    pub fn code(self) -> &'static str {
        Self::CODES.iter().find(|(_, kind)| *kind == self).map_or("", |(code, _)| code)
    }

    /// A command goes to the station; it is mapped and tested but never read as a value.
    pub fn is_command(self) -> bool {
        matches!(
            self,
            Self::SingleCommand | Self::DoubleCommand | Self::StepCommand | Self::SetPoint
        )
    }

    /// A measured or calculated quantity.
    pub fn is_measurement(self) -> bool {
        matches!(self, Self::Measurement | Self::EventMeasurement | Self::CalculatedMeasurement)
    }

    /// A status in one or two bits.
    pub fn is_status(self) -> bool {
        matches!(self, Self::SinglePoint | Self::DoublePoint | Self::DerivedStatus)
    }
}
