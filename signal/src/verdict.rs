//! What a verdict says: nothing, or the first stage on a point's way that fails, and since when. Who judges is the
//! historian; stores, screens and whoever takes verdicts say them by these words and numbers.

use config::{Date, Lang};

use super::clock::Timestamp;

/// Why a point falls short, in the order of the stages on its way to the screen. A point's verdict
/// is the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Required by the template, but not in the centre's database.
    NotInDatabase,
    /// Mapped, but without a valid end-to-end record.
    NoE2eRecord,
    /// There is no path to the station.
    NoLink,
    /// The unit does not answer.
    NoReply,
    /// The device answered that it will not, or cannot.
    Refused,
    /// What came is not a value.
    Undecodable,
    /// Nothing has come since the monitor was started.
    NeverSeen,
    /// The latest value is older than the scan class allows.
    Old,
    /// The device itself says that the value cannot be used.
    Flagged,
    /// A double point between its ends for too long (00), or contradictory (11).
    Intermediate,
    /// Outside what can be real.
    OutOfRange,
    /// Unchanged for too long while its neighbours moved.
    Frozen,
    /// Contradicts its neighbours.
    Inconsistent,
}

impl Reason {
    /// Every reason, in stage order.
    pub const ALL: [Self; 13] = [
        Self::NotInDatabase,
        Self::NoE2eRecord,
        Self::NoLink,
        Self::NoReply,
        Self::Refused,
        Self::Undecodable,
        Self::NeverSeen,
        Self::Old,
        Self::Flagged,
        Self::Intermediate,
        Self::OutOfRange,
        Self::Frozen,
        Self::Inconsistent,
    ];

    /// Its number in stores. A number that is given is never given again, nor to another reason.
    pub fn code(self) -> u8 {
        match self {
            Self::NotInDatabase => 1,
            Self::NoE2eRecord => 2,
            Self::NoLink => 3,
            Self::NoReply => 4,
            Self::Refused => 5,
            Self::Undecodable => 6,
            Self::NeverSeen => 7,
            Self::Old => 8,
            Self::Flagged => 9,
            Self::Intermediate => 10,
            Self::OutOfRange => 11,
            Self::Frozen => 12,
            Self::Inconsistent => 13,
        }
    }

    /// The reason that a number of a store stands for; `None` when it stands for none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The word in JSON, stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotInDatabase => "not_in_database",
            Self::NoE2eRecord => "no_e2e_record",
            Self::NoLink => "no_link",
            Self::NoReply => "no_reply",
            Self::Refused => "refused",
            Self::Undecodable => "undecodable",
            Self::NeverSeen => "never_seen",
            Self::Old => "old",
            Self::Flagged => "flagged",
            Self::Intermediate => "intermediate",
            Self::OutOfRange => "out_of_range",
            Self::Frozen => "frozen",
            Self::Inconsistent => "inconsistent",
        }
    }

    /// What operators read.
    pub fn text(self, lang: Lang) -> &'static str {
        let (vi, en) = match self {
            Self::NotInDatabase => ("chưa có trong CSDL", "not in DB"),
            Self::NoE2eRecord => ("chưa E2E", "no E2E"),
            Self::NoLink => ("mất kết nối", "no link"),
            Self::NoReply => ("thiết bị không trả lời", "no reply"),
            Self::Refused => ("thiết bị từ chối", "refused"),
            Self::Undecodable => ("không giải mã được", "undecodable"),
            Self::NeverSeen => ("chưa từng nhận", "never seen"),
            Self::Old => ("tín hiệu cũ", "old"),
            Self::Flagged => ("thiết bị báo xấu", "flagged by device"),
            Self::Intermediate => ("trung gian 00/11", "intermediate 00/11"),
            Self::OutOfRange => ("ngoài dải", "out of range"),
            Self::Frozen => ("đứng giá trị", "frozen"),
            Self::Inconsistent => ("mâu thuẫn", "inconsistent"),
        };
        match lang {
            Lang::Vi => vi,
            Lang::En => en,
        }
    }

    /// One-letter mark beside values and counts.
    pub fn mark(self) -> char {
        match self {
            Self::NotInDatabase => '–',
            Self::NoE2eRecord => '!',
            Self::NoLink | Self::NoReply => 'T',
            Self::Refused | Self::Undecodable | Self::Flagged => 'F',
            Self::NeverSeen => 'N',
            Self::Old => 'H',
            Self::Intermediate => 'I',
            Self::OutOfRange => 'R',
            Self::Frozen | Self::Inconsistent => 'Q',
        }
    }

    /// Whether a value came that it is said of.
    pub fn has_value(self) -> bool {
        match self {
            Self::Flagged
            | Self::Intermediate
            | Self::OutOfRange
            | Self::Frozen
            | Self::Inconsistent => true,
            Self::NotInDatabase
            | Self::NoE2eRecord
            | Self::NoLink
            | Self::NoReply
            | Self::Refused
            | Self::Undecodable
            | Self::NeverSeen
            | Self::Old => false,
        }
    }

    /// Structural reasons come from the contract; a lost link never changes them.
    pub fn is_structural(self) -> bool {
        matches!(self, Self::NotInDatabase | Self::NoE2eRecord)
    }
}

/// Since when something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It was never otherwise.
    Always,
    /// Since a day that the contract names.
    Day(Date),
    /// Since the judgement of this instant: it was otherwise in the one before.
    At(Timestamp),
    /// At least since the judgement of this instant: it was so already when somebody began to watch.
    AtLeast(Timestamp),
}

impl Since {
    /// The earlier of the two; at least since the first moment, where one of them may be so for longer than is told.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Day(one), Self::Day(other)) => Self::Day(one.min(other)),
            (Self::Day(day), _) | (_, Self::Day(day)) => Self::Day(day),
            (Self::At(one), Self::At(other)) => Self::At(one.min(other)),
            (Self::At(one) | Self::AtLeast(one), Self::At(other) | Self::AtLeast(other)) => {
                Self::AtLeast(one.min(other))
            }
        }
    }

    /// The later of the two: exactly, where the one told last is known exactly.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        let (Some(one), Some(two)) = (self.instant(), other.instant()) else {
            return if self.earlier(other) == self { other } else { self };
        };
        let latest = one.max(two);
        let is_exact = [self, other].contains(&Self::At(latest));
        if is_exact { Self::At(latest) } else { Self::AtLeast(latest) }
    }

    /// Since when a verdict holds that the judgement of `at` tells (the second reason), where the one before told the
    /// first: the one rule for snapshots, stores and reports. It is known exactly, unless an earlier stage stood in front
    /// of it, so that nobody could see it, or it is a position that takes a while to be judged and was found so
    /// (`is_found`): then it may have been so before.
    pub fn begins(
        (before, reason): (Option<Reason>, Option<Reason>),
        is_found: bool,
        at: Timestamp,
    ) -> Self {
        // In front of what asking says stands also that nobody has asked for a while.
        let hides = |before| match before {
            Reason::Old | Reason::NeverSeen => Reason::NoLink,
            before => before,
        };
        let is_hidden =
            before.map(hides).is_some_and(|before| reason.is_some_and(|reason| reason > before));
        let is_found = is_found && reason == Some(Reason::Intermediate);
        if is_hidden || is_found { Self::AtLeast(at) } else { Self::At(at) }
    }

    /// Whether it may be so for longer than is told.
    pub fn is_at_least(self) -> bool {
        matches!(self, Self::AtLeast(_))
    }

    /// The instant, of what somebody judged.
    pub fn instant(self) -> Option<Timestamp> {
        match self {
            Self::At(at) | Self::AtLeast(at) => Some(at),
            Self::Always | Self::Day(_) => None,
        }
    }
}
