//! Figures that leave history: a value, how much of its window it rests on, and what must be said
//! beside it. Nobody can have the value without the other two.

use config::Lang;

use super::energy::Oddity;
use crate::clock::Timestamp;
use crate::historian::counts::Share;

/// Remarks that a figure carries, at most: what is more is counted.
const REMARKS_MAX: usize = 100;

/// A figure of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure<T> {
    value: Option<T>,
    known: Share,
    remarks: Vec<Remark>,
    /// Remarks that are not among them, since there were too many.
    more: usize,
}

/// What must be said beside a figure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// When it began, or happened.
    pub at: Timestamp,
    /// When it ended; `None`: it was a moment.
    pub until: Option<Timestamp>,
    /// Full id of the point or bay that it is about, or the id of a station.
    pub place: String,
    /// What.
    pub what: What,
}

/// What can be said beside a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Still so at the end of what is known.
    Open,
    /// Nothing told of a position near: it was taken to be as the first record left it, or as it was polled first.
    StartAssumed,
    /// The clock of the unit cannot be right: the time of the polling that brought the record stands.
    ClockDoubtful,
    /// No record came of a change: the time of the polling that saw it stands.
    NoRecord,
    /// Values were not kept: positions follow from records alone.
    RecordsAlone,
    /// A contact said open while current flowed, and was not believed.
    CurrentFlowed,
    /// Nobody could see it for a while in between; taken as one.
    UnseenBetween,
    /// It was there when it could first be seen: when it began is not known.
    BeginUnseen,
    /// The next time that it could be seen it was over: when it ended is not known.
    EndUnseen,
    /// Records were lost: what was short may have gone unseen.
    RecordsLost,
    /// The records that it would follow from are no longer kept.
    NotKept,
    /// A running count stepped back, or further than it can: what lies between two readings is not known.
    CountDoubtful,
    /// Something odd about a counter, and whether what it counted meanwhile is known nevertheless.
    Counter(Oddity, bool),
    /// A voltage transformer that shows what cannot be: its fuse has blown.
    VoltageInDoubt,
    /// A busbar without voltage.
    BusDead,
}

/// All that a figure says, for the one place that prints figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told<'a, T> {
    /// The value; `None`: it is not known.
    pub value: Option<&'a T>,
    /// Milliseconds of its window that it rests on, of those that it is about.
    pub known: Share,
    /// What must be said beside it.
    pub remarks: &'a [Remark],
    /// Further remarks that were left out.
    pub more: usize,
}

impl What {
    /// What it says to people.
    pub fn text(self, lang: Lang) -> &'static str {
        let (vi, en) = match self {
            Self::Open => ("chưa kết thúc", "still so"),
            Self::NotKept => ("số liệu không còn lưu", "no longer kept"),
            Self::StartAssumed => ("vị trí ban đầu là giả định", "position at the start assumed"),
            Self::ClockDoubtful => (
                "giờ bản ghi sai, lấy giờ hỏi vòng",
                "clock of the record wrong, time of polling used",
            ),
            Self::NoRecord => {
                ("không có bản ghi, lấy giờ hỏi vòng", "no record, time of polling used")
            }
            Self::RecordsAlone => {
                ("không lưu giá trị, chỉ theo bản ghi", "values not kept, from records alone")
            }
            Self::CurrentFlowed => (
                "tiếp điểm báo cắt khi có dòng điện, không tính",
                "contact said open while current flowed, not counted",
            ),
            Self::UnseenBetween => {
                ("có lúc không theo dõi được, coi là một lần", "not seen in between, taken as one")
            }
            Self::BeginUnseen => ("không rõ lúc bắt đầu", "beginning not seen"),
            Self::EndUnseen => ("không rõ lúc kết thúc", "end not seen"),
            Self::RecordsLost => ("mất bản ghi", "records lost"),
            Self::CountDoubtful => (
                "số đếm lùi hoặc tăng quá mức, không dùng được",
                "count stepped back or too far, not used",
            ),
            Self::Counter(odd, _) => return odd.text(lang),
            Self::VoltageInDoubt => {
                ("TU nghi hỏng (cầu chì)", "voltage transformer in doubt (fuse)")
            }
            Self::BusDead => ("thanh cái mất điện", "busbar dead"),
        };
        match lang {
            Lang::Vi => vi,
            Lang::En => en,
        }
    }
}

impl<T> Figure<T> {
    /// A figure that rests on `known` of its window, both in milliseconds.
    pub fn new(value: T, known: Share) -> Self {
        Self { value: Some(value), known, remarks: Vec::new(), more: 0 }
    }

    /// A figure of which nothing is known, about so many milliseconds.
    pub fn unknown(window_ms: u64) -> Self {
        let known = Share::new(0, window_ms);
        Self { value: None, known, remarks: Vec::new(), more: 0 }
    }

    /// With what must be said beside it.
    #[must_use]
    pub fn with(mut self, remarks: impl IntoIterator<Item = Remark>) -> Self {
        for remark in remarks {
            if self.remarks.len() < REMARKS_MAX {
                self.remarks.push(remark);
            } else {
                self.more += 1;
            }
        }
        self
    }

    /// Another value from the same stretches: what was known of it is known of that.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Figure<U> {
        let Self { value, known, remarks, more } = self;
        Figure { value: value.map(of), known, remarks, more }
    }

    /// All that it says.
    pub fn told(&self) -> Told<'_, T> {
        let Self { value, known, remarks, more } = self;
        Told { value: value.as_ref(), known: *known, remarks, more: *more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_how_much_of_its_window_is_known() {
        let figure = Figure::new(7, Share::new(3, 4)).map(|n| n + 1);
        assert_eq!((figure.told().value, figure.told().known), (Some(&8), Share::new(3, 4)));
        let unknown = Figure::<u64>::unknown(4);
        assert_eq!((unknown.told().value, unknown.told().known), (None, Share::new(0, 4)));
    }

    #[test]
    fn remarks_that_are_too_many_are_counted() {
        let remark = |n| Remark {
            at: Timestamp(n),
            until: None,
            place: "S1.22.471.E.IMP".to_owned(),
            what: What::Open,
        };
        let figure = Figure::new((), Share::default()).with((0..130).map(remark));
        assert_eq!((figure.told().remarks.len(), figure.told().more), (REMARKS_MAX, 30));
    }
}
