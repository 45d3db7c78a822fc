//! The tables: the name of each column, of what kind it is, and what a row has there.
//!
//! No name is one that SQL has taken, such as `at` or `right`: nobody has to quote them.

use config::{Decoded, Flags};
use historian::verdict_log::VerdictState;
use signal::clock::{Jump, Timestamp};
use store::history::Span;
use store::{EnergyLine, KeptAlarm, Metered, Recorded, Stretch, Value};

/// A row of a table.
pub(super) trait Row: Sized + 'static {
    /// The columns of the table, in their order.
    const COLUMNS: &'static [Column<Self>];
}

/// A column: its name, and its cell in a row.
pub(super) struct Column<R>(pub(super) &'static str, pub(super) Cell<R>);

/// What a row has in a column, by kind.
pub(super) enum Cell<R> {
    /// An id, a name, a word; an empty one is none.
    Text(fn(&R) -> &str),
    /// A count.
    Whole(fn(&R) -> i64),
    /// A count that a row may not have.
    Maybe(fn(&R) -> Option<i64>),
    /// A local day, told in days since 1970, that a row may not have.
    Day(fn(&R) -> Option<i64>),
    /// Sixteen bits as they came.
    Code(fn(&R) -> Option<u16>),
    /// A number in some unit.
    Number(fn(&R) -> Option<f64>),
    /// A moment.
    Instant(fn(&R) -> Timestamp),
    /// A moment that may not have come.
    Moment(fn(&R) -> Option<Timestamp>),
    /// Whether.
    YesNo(fn(&R) -> Option<bool>),
}

use Cell::{Code, Day, Instant, Maybe, Moment, Number, Text, Whole, YesNo};

/// A stretch in which a point stood in one way.
pub(super) struct Verdict {
    pub(super) station: String,
    pub(super) centre: String,
    pub(super) point: String,
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) state: VerdictState,
}

impl Row for Verdict {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("station", Text(|row| &row.station)),
        Column("centre", Text(|row| &row.centre)),
        Column("point", Text(|row| &row.point)),
        Column("name", Text(|row| &row.name)),
        Column("since", Instant(|row| row.span.from)),
        Column("until", Instant(|row| row.span.to)),
        Column("verdict", Text(|row| row.state.verdict().map_or("good", |reason| reason.word()))),
        Column("not_live", Text(|row| row.state.not_live().map_or("", |reason| reason.word()))),
        Column(
            "is_right",
            YesNo(|row| row.state.is_evaluable().then_some(!row.state.has_finding())),
        ),
    ];
}

/// What stands among the events.
pub(super) enum Happening {
    /// A record of a unit.
    Record(Recorded),
    /// The clock of the monitor did not go on evenly.
    Jump(Jump),
}

impl Happening {
    fn record(&self) -> Option<&Recorded> {
        match self {
            Self::Record(record) => Some(record),
            Self::Jump(_) => None,
        }
    }

    fn jump(&self) -> Option<&Jump> {
        match self {
            Self::Record(_) => None,
            Self::Jump(jump) => Some(jump),
        }
    }

    /// The moment of a record, or one of the two of a jump.
    fn at(&self, of: fn(&Recorded) -> Timestamp, or: fn(&Jump) -> Timestamp) -> Timestamp {
        match self {
            Self::Record(record) => of(record),
            Self::Jump(jump) => or(jump),
        }
    }

    fn text(&self, of: fn(&Recorded) -> Option<&str>) -> &str {
        self.record().and_then(of).unwrap_or_default()
    }
}

impl Row for Happening {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("time", Instant(|row| row.at(|record| record.at, |jump| jump.before))),
        Column("station", Text(|row| row.text(|record| Some(&record.station)))),
        Column("centre", Text(|row| row.text(|record| Some(&record.centre)))),
        Column("unit", Code(|row| Some(row.record()?.unit.into()))),
        Column("number", Maybe(|row| Some(row.record()?.number.into()))),
        Column("source", Instant(|row| row.at(|record| record.source, |jump| jump.before))),
        Column("arrived", Instant(|row| row.at(|record| record.arrived, |jump| jump.after))),
        Column("address", Code(|row| Some(row.record()?.address))),
        Column("point", Text(|row| row.text(|record| record.point.as_deref()))),
        Column("before", Code(|row| row.record()?.before)),
        Column("value", Code(|row| Some(row.record()?.value))),
        Column("flags", Code(|row| Some(row.record()?.flags))),
        Column("synchronised", YesNo(|row| Some(row.record()?.synchronised))),
        Column("doubt", Text(|row| row.text(|record| record.doubt.as_deref()))),
        Column("clock", Text(|row| row.jump().map_or("", |jump| jump.kind.word()))),
        Column("clock_by_ms", Maybe(|row| Some(row.jump()?.by_ms))),
    ];
}

/// A value, and whose it is.
pub(super) struct Sample {
    pub(super) station: String,
    pub(super) centre: String,
    pub(super) point: String,
    /// Unit of its values by the newest contract that has it; empty when there is none.
    pub(super) unit: String,
    pub(super) value: Value,
}

impl Row for Sample {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("time", Instant(|row| row.value.at)),
        Column("station", Text(|row| &row.station)),
        Column("centre", Text(|row| &row.centre)),
        Column("point", Text(|row| &row.point)),
        Column(
            "value",
            Number(|row| match row.value.value {
                Decoded::Value(number) => Some(shortest(number)),
                Decoded::NoValue | Decoded::Nonsense => None,
            }),
        ),
        Column("unit", Text(|row| &row.unit)),
        Column(
            "problem",
            Text(|row| match row.value.value {
                Decoded::Value(_) => "",
                Decoded::NoValue => "no value",
                Decoded::Nonsense => "undecodable",
            }),
        ),
        Column("flags", Code(|row| row.value.flags.map(|Flags(bits)| bits))),
    ];
}

/// How asking went, and whom.
pub(super) struct Asking {
    pub(super) station: String,
    pub(super) centre: String,
    pub(super) stretch: Stretch,
}

impl Row for Asking {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("station", Text(|row| &row.station)),
        Column("centre", Text(|row| &row.centre)),
        Column("since", Instant(|row| row.stretch.from)),
        Column("until", Instant(|row| row.stretch.until)),
        Column("replies", Whole(|row| count(row.stretch.asked.replies.iter().sum()))),
        Column("no_reply", Whole(|row| count(row.stretch.asked.faults[0]))),
        Column("refused", Whole(|row| count(row.stretch.asked.faults[1]))),
        Column("undecodable", Whole(|row| count(row.stretch.asked.faults[2]))),
        Column("missed_slots", Whole(|row| count(row.stretch.asked.missed))),
        Column("longest_us", Whole(|row| row.stretch.asked.longest_us.into())),
    ];
}

impl Row for Metered {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("time", Instant(|row| row.at)),
        Column("kind", Text(|row| row.kind.word())),
        Column("id", Text(|row| &row.id)),
        Column("sells", YesNo(|row| Some(row.sells))),
        Column("meters", Whole(|row| count(row.meters))),
        Column("remote", Whole(|row| count(row.remote))),
        Column("first_pass_have", Whole(|row| count(row.first_pass.0))),
        Column("first_pass_want", Whole(|row| count(row.first_pass.1))),
        Column("final_pass_have", Whole(|row| count(row.final_pass.0))),
        Column("final_pass_want", Whole(|row| count(row.final_pass.1))),
        Column("half_hours_have", Whole(|row| count(row.half_hours.0))),
        Column("half_hours_want", Whole(|row| count(row.half_hours.1))),
        Column("day", Day(|row| day(row.followed?.day))),
        Column("final_day", Day(|row| day(row.followed?.final_day))),
        Column("final_first_pass_have", Maybe(|row| Some(count(row.followed?.final_first_pass.0)))),
        Column("final_first_pass_want", Maybe(|row| Some(count(row.followed?.final_first_pass.1)))),
        Column("final_half_hours", Maybe(|row| Some(count(row.followed?.half_hours.expected)))),
        Column("on_time", Maybe(|row| Some(count(row.followed?.half_hours.on_time)))),
        Column("late", Maybe(|row| Some(count(row.followed?.half_hours.late)))),
        Column("backfilled", Maybe(|row| Some(count(row.followed?.half_hours.backfilled)))),
        Column("missing", Maybe(|row| Some(count(row.followed?.half_hours.missing())))),
        Column("not_heard", Maybe(|row| Some(count(row.followed?.not_heard[0])))),
        Column("final_not_heard", Maybe(|row| Some(count(row.followed?.not_heard[1])))),
        Column("uncounted", Whole(|row| count(row.uncounted))),
    ];
}

/// A running count of energy as it stood, and when that was told.
pub(super) struct Counted {
    pub(super) at: Timestamp,
    pub(super) line: EnergyLine,
}

impl Row for Counted {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("time", Instant(|row| row.at)),
        Column("kind", Text(|row| row.line.kind.word())),
        Column("station", Text(|row| &row.line.station)),
        Column("id", Text(|row| &row.line.id)),
        Column("sells", YesNo(|row| Some(row.line.sells))),
        Column("day", Day(|row| (row.line.day > 0).then_some(row.line.day))),
        Column("kwh", Whole(|row| count(row.line.kwh))),
        Column("meter_days", Whole(|row| count(row.line.meter_days))),
        Column("meters", Whole(|row| count(row.line.meters))),
        Column("behind", Whole(|row| count(row.line.behind))),
        Column("unread_days", Whole(|row| count(row.line.unread_days))),
    ];
}

/// An alarm, and the centres that lacked signals by it in one word.
pub(super) struct Raised {
    pub(super) alarm: KeptAlarm,
    pub(super) centres: String,
}

impl Row for Raised {
    const COLUMNS: &'static [Column<Self>] = &[
        Column("raised", Instant(|row| row.alarm.raised)),
        Column("raised_at_least", YesNo(|row| Some(row.alarm.at_least))),
        Column("station", Text(|row| &row.alarm.station)),
        Column("cause", Text(|row| &row.alarm.cause)),
        Column("reason", Text(|row| row.alarm.reason.word())),
        Column("priority", Code(|row| Some(row.alarm.priority.number().into()))),
        Column("signals", Whole(|row| row.alarm.signals.into())),
        Column("centres", Text(|row| &row.centres)),
        Column("returned", Moment(|row| row.alarm.returned)),
        Column("acknowledged", Moment(|row| row.alarm.acknowledged)),
        Column("is_open", YesNo(|row| Some(row.alarm.is_open))),
    ];
}

/// What stands above a column for a Vietnamese spreadsheet.
pub(super) fn head(name: &str) -> &str {
    let said = HEADS.iter().find(|(own, _)| *own == name);
    said.map_or(name, |(_, said)| said)
}

/// The names of columns, and what a Vietnamese spreadsheet has above them.
const HEADS: &[(&str, &str)] = &[
    ("station", "Trạm"),
    ("centre", "Trung tâm"),
    ("point", "Điểm"),
    ("name", "Tên"),
    ("since", "Từ"),
    ("until", "Đến"),
    ("verdict", "Nhận định"),
    ("not_live", "Không sống vì"),
    ("is_right", "Đúng"),
    ("time", "Thời điểm"),
    ("unit", "Đơn vị"),
    ("number", "Số thứ tự"),
    ("source", "Thời điểm thiết bị ghi"),
    ("arrived", "Thời điểm nhận"),
    ("address", "Địa chỉ"),
    ("before", "Trước đó"),
    ("value", "Giá trị"),
    ("flags", "Cờ chất lượng"),
    ("synchronised", "Đồng bộ giờ"),
    ("doubt", "Nghi ngờ giờ"),
    ("clock", "Đồng hồ"),
    ("clock_by_ms", "Đồng hồ lệch, ms"),
    ("problem", "Vấn đề"),
    ("replies", "Số trả lời"),
    ("no_reply", "Không trả lời"),
    ("refused", "Từ chối"),
    ("undecodable", "Bản tin lỗi"),
    ("missed_slots", "Lần hỏi bỏ lỡ"),
    ("longest_us", "Lâu nhất, µs"),
    ("kind", "Loại"),
    ("id", "Mã"),
    ("sells", "Bán điện"),
    ("meters", "Số công tơ"),
    ("remote", "Có đo xa"),
    ("first_pass_have", "Đọc đến 06:00"),
    ("first_pass_want", "Đọc đến 06:00, phải có"),
    ("final_pass_have", "Đọc sau hết hạn thử lại"),
    ("final_pass_want", "Đọc sau hết hạn thử lại, phải có"),
    ("half_hours_have", "Đủ nửa giờ"),
    ("half_hours_want", "Đủ nửa giờ, phải có"),
    ("day", "Ngày"),
    ("final_day", "Ngày đã chốt"),
    ("final_first_pass_have", "Ngày đã chốt, đọc đến 06:00"),
    ("final_first_pass_want", "Ngày đã chốt, đọc đến 06:00, phải có"),
    ("final_half_hours", "Ngày đã chốt, nửa giờ phải có"),
    ("on_time", "Đúng hạn"),
    ("late", "Trễ"),
    ("backfilled", "Bù"),
    ("missing", "Mất"),
    ("not_heard", "Công tơ của trạm mất liên lạc"),
    ("final_not_heard", "Ngày đã chốt, công tơ của trạm mất liên lạc"),
    ("uncounted", "Công tơ chưa đếm"),
    ("kwh", "kWh"),
    ("meter_days", "Ngày công tơ"),
    ("behind", "Lần đọc cuối không thành, công tơ"),
    ("unread_days", "Ngày công tơ chưa đọc"),
    ("raised", "Phát sinh"),
    ("raised_at_least", "Phát sinh muộn nhất lúc đó"),
    ("cause", "Nguyên nhân"),
    ("reason", "Lý do"),
    ("priority", "Ưu tiên"),
    ("signals", "Số tín hiệu"),
    ("centres", "Các trung tâm"),
    ("returned", "Hết"),
    ("acknowledged", "Xác nhận"),
    ("is_open", "Đang mở"),
];

/// A number that came as a float of 32 bits as the shortest decimal that is this float, which is what the
/// device meant: 12.3 and not 12.300000190734863. As a float of 32 bits it is the same bits again.
fn shortest(number: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "only where nothing is lost")]
    let short = number as f32;
    let is_short = number.fract() != 0.0 && f64::from(short).to_bits() == number.to_bits();
    let shortest = is_short.then(|| short.to_string().parse().ok()).flatten();
    shortest.unwrap_or(number)
}

/// A local day since 1970, when there is one.
fn day(day: u16) -> Option<i64> {
    (day > 0).then(|| day.into())
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_column_has_a_head_of_its_own_for_a_vietnamese_spreadsheet() {
        fn check<R: Row>() {
            let mut heads: Vec<&str> =
                R::COLUMNS.iter().map(|Column(name, _)| head(name)).collect();
            for Column(name, _) in R::COLUMNS {
                assert!(HEADS.iter().any(|(own, _)| own == name), "{name}");
            }
            heads.sort_unstable();
            heads.dedup();
            assert_eq!(heads.len(), R::COLUMNS.len(), "none stands twice");
        }
        check::<Verdict>();
        check::<Happening>();
        check::<Sample>();
        check::<Asking>();
        check::<Metered>();
        check::<Counted>();
        check::<Raised>();
    }

    #[test]
    fn a_short_float_is_as_short_as_it_was_meant() {
        assert_eq!(shortest(f64::from(12.3_f32)).to_string(), "12.3");
        assert_eq!(shortest(f64::from(-0.07_f32)).to_string(), "-0.07");
        // Counts and sums stay what they are.
        assert_eq!(shortest(4_294_967_040.0).to_string(), "4294967040");
        assert_eq!(shortest(0.1 + 0.2).to_bits(), (0.1_f64 + 0.2).to_bits());
    }

    proptest! {
        #[test]
        #[expect(clippy::cast_possible_truncation, reason = "the bits that came")]
        fn the_bits_that_came_are_told(bits in any::<u32>()) {
            let came = f32::from_bits(bits);
            let told = shortest(f64::from(came)) as f32;
            prop_assert!(told.to_bits() == bits || came.is_nan());
        }
    }
}
