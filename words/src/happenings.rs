//! Events in words: what changed, when, and why its time is to be doubted.

use config::{Lang, Point, commands};
use historian::events::{Change, RecordGap, TimeDoubt};
use signal::clock::Timestamp;

use super::format::{self, Moment};
use super::texts::Text;

/// Codes of a status: 0 to 3.
const CODE_MAX: u16 = 3;

/// The state that a code means: `■ đóng`; the code itself where nobody knows.
pub fn state(point: Option<&Point>, code: u16, lang: Lang) -> String {
    match point {
        Some(point) if point.spec.kind.is_command() => {
            let result = code & commands::RESULT;
            result_of(result, lang).map_or_else(|| result.to_string(), ToOwned::to_owned)
        }
        Some(point) if code <= CODE_MAX => format::value(point, f64::from(code), lang),
        _ => code.to_string(),
    }
}

/// What the results of commands mean (`docs/commands.md`), in Vietnamese and English.
const RESULTS: [(u16, &str, &str); 23] = [
    (1, "đã chọn", "selected"),
    (2, "đang thực hiện", "under way"),
    (3, "thành công", "done"),
    (4, "hủy chọn", "selection taken back"),
    (10, "chưa chọn", "not selected"),
    (11, "quá thời gian chọn", "selection too old"),
    (12, "không khớp với lệnh chọn", "not as selected"),
    (20, "khóa tại trạm", "station in local"),
    (21, "khóa tại ngăn", "bay in local"),
    (22, "khóa tại tủ truyền động", "drive in local"),
    (23, "không có quyền điều khiển", "no authority"),
    (24, "liên động", "interlocked"),
    (25, "không hòa đồng bộ", "not in step"),
    (26, "áp lực khí thấp", "gas too low"),
    (27, "lò xo chưa tích năng", "spring not charged"),
    (28, "khóa do bảo vệ", "locked out"),
    (29, "đã ở vị trí yêu cầu", "already there"),
    (30, "đang chuyển trạng thái", "under way or unknown"),
    (31, "mất nguồn điều khiển", "no control voltage"),
    (32, "hỏng thiết bị điều khiển", "control unit failed"),
    (33, "tụ chưa phóng điện xong", "bank discharges"),
    (34, "nấc cuối", "at its end"),
    (40, "thiết bị không thực hiện", "not confirmed"),
];

/// What came of a command; `None` for a code that nobody knows.
pub fn result_of(code: u16, lang: Lang) -> Option<&'static str> {
    let (_, vi, en) = RESULTS.iter().find(|(known, ..)| *known == code)?;
    Some(if lang == Lang::Vi { vi } else { en })
}

/// What a status was and is: `□ cắt → ■ đóng`; only what it is when the record before is missing.
pub fn turn(point: Option<&Point>, change: &Change, lang: Lang) -> String {
    let new = state(point, change.value, lang);
    change.before.map_or(format!("→ {new}"), |old| format!("{} → {new}", state(point, old, lang)))
}

/// What is to be said against a record: flags of the device, and doubts about its time. Empty when
/// there is nothing.
pub fn marks(change: &Change, lang: Lang) -> String {
    let mut marks = Vec::new();
    if !change.flags.is_good() {
        marks.push(change.flags.to_string());
    }
    match change.doubt {
        Some(TimeDoubt::Ahead) => marks.push(Text::ClockFast.get(lang).to_owned()),
        Some(TimeDoubt::Behind) => marks.push(Text::ClockSlow.get(lang).to_owned()),
        None => {}
    }
    if !change.synchronised {
        marks.push(Text::NotSynchronised.get(lang).to_owned());
    }
    marks.join(" · ")
}

/// How much a gap lacks: `mất 3 bản ghi`.
pub fn lost_count(gap: &RecordGap, lang: Lang) -> String {
    let count = format::count(gap.count.into(), lang);
    match (lang, gap.count) {
        (Lang::Vi, 0) => "mất bản ghi, không rõ bao nhiêu".to_owned(),
        (Lang::En, 0) => "records lost, not known how many".to_owned(),
        (Lang::Vi, _) => format!("mất {count} bản ghi"),
        (Lang::En, 1) => "1 record lost".to_owned(),
        (Lang::En, _) => format!("{count} records lost"),
    }
}

/// A gap: `mất 3 bản ghi từ 14:31:50.112 đến 14:31:52.240`.
pub fn lost(gap: &RecordGap, moment: Moment) -> String {
    let lang = moment.lang;
    let time = |at: Timestamp| moment.fine_time(at);
    let what = lost_count(gap, lang);
    match (gap.after, gap.before, lang) {
        (Some(after), Some(before), Lang::Vi) => {
            format!("{what} từ {} đến {}", time(after), time(before))
        }
        (Some(after), Some(before), Lang::En) => {
            format!("{what} between {} and {}", time(after), time(before))
        }
        (Some(after), None, Lang::Vi) => format!("{what} sau {}", time(after)),
        (Some(after), None, Lang::En) => format!("{what} after {}", time(after)),
        (None, Some(before), Lang::Vi) => format!("{what} trước {}", time(before)),
        (None, Some(before), Lang::En) => format!("{what} before {}", time(before)),
        (None, None, _) => what,
    }
}

/// A difference of times with its sign: `+0,2 s`, `−1 h 00`.
pub fn difference(ms: i64, lang: Lang) -> String {
    let sign = if ms < 0 { '−' } else { '+' };
    format!("{sign}{}", format::fine_age(ms.saturating_abs(), lang))
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Flags;

    #[test]
    fn a_gap_says_between_which_records_it_lies() {
        let moment =
            |lang| Moment { now: Timestamp(1_669_188_727_240), zone: config::Zone::hours(7), lang };
        let (after, before) =
            (Some(Timestamp(1_669_188_720_112)), Some(Timestamp(1_669_188_727_240)));
        let gap = |count, after, before| RecordGap { count, after, before };
        let said = lost(&gap(1_003, after, before), moment(Lang::Vi));
        assert_eq!(said, "mất 1.003 bản ghi từ 14:32:00.112 đến 14:32:07.240");
        let said = lost(&gap(3, after, before), moment(Lang::En));
        assert_eq!(said, "3 records lost between 14:32:00.112 and 14:32:07.240");
        assert_eq!(
            lost(&gap(1, after, None), moment(Lang::En)),
            "1 record lost after 14:32:00.112"
        );
        assert_eq!(lost(&gap(2, None, None), moment(Lang::Vi)), "mất 2 bản ghi");
        let unknown = "records lost, not known how many after 14:32:00.112";
        assert_eq!(lost(&gap(0, after, None), moment(Lang::En)), unknown);
    }

    #[test]
    fn what_speaks_against_a_record_is_named() {
        let change = Change {
            number: 1,
            address: 4,
            point: None,
            before: Some(1),
            value: 2,
            source: Timestamp(0),
            flags: Flags::GOOD,
            synchronised: true,
            doubt: None,
        };
        assert_eq!(marks(&change, Lang::En), "");
        assert_eq!(turn(None, &change, Lang::En), "1 → 2");
        let flags = Flags::BLOCKED;
        let doubt = Some(TimeDoubt::Ahead);
        let marked = Change { flags, synchronised: false, doubt, before: None, ..change };
        assert_eq!(marks(&marked, Lang::En), "BL · clock fast · not synchronised");
        assert_eq!(turn(None, &marked, Lang::Vi), "→ 2");
        assert_eq!(difference(240, Lang::Vi), "+0,2 s");
        assert_eq!(difference(-3_600_000, Lang::En), "−1 h 00");
    }
}
