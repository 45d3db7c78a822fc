//! Figures that leave history: a value, how much of its window it rests on, and what must be said
//! beside it. Nobody can have the value without the other two: it is only had as a cell of a [`FigureRow`], which says
//! what its figures rest on and ends with their remarks.

use std::collections::{BTreeMap, BTreeSet};

use config::Lang;
use historian::counts::Share;
use signal::clock::Timestamp;

use super::energy::Oddity;

/// Remarks that a figure carries, at most: what is more is counted.
const REMARKS_MAX: usize = 100;

/// A figure of a window.
///
/// Its value cannot be had by itself, whoever asks: there is no way to it but a [`FigureRow`].
///
/// ```
/// use config::Lang;
/// use historian::counts::Share;
/// use store::history::{Figure, FigureRow, Printed};
///
/// #[derive(Debug, PartialEq)]
/// struct Text(String);
///
/// impl Printed for Text {
///     fn not_known() -> Self {
///         Self("not known".to_owned())
///     }
///     fn known(share: Share) -> Self {
///         Self(format!("{} of {} ms", share.have, share.want))
///     }
///     fn text(text: String) -> Self {
///         Self(text)
///     }
///     fn count(count: usize) -> Self {
///         Self(count.to_string())
///     }
/// }
///
/// let mut row = FigureRow::new();
/// row.add(&Figure::new(7, Share::new(3, 4)), |n| Text(n.to_string()));
/// let cells = row.said(Lang::En);
/// assert_eq!(cells, ["7", "3 of 4 ms", ""].map(|text| Text(text.to_owned())));
/// ```
///
/// ```compile_fail,E0616
/// use historian::counts::Share;
/// use store::history::Figure;
///
/// let figure = Figure::new(7, Share::new(3, 4));
/// println!("{:?}", figure.value); // private: without what it rests on and its remarks
/// ```
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
    /// A contact was not believed, and closed is what current told: what was over between two scans may have gone unseen.
    ByCurrent,
    /// Two centres said opposite things of a breaker: nobody can say how it stood, unless its current tells.
    CentresContradict,
    /// A breaker changed for the polling alone, although its unit tells of every change: nobody can say how it stood.
    Untold,
    /// Units that keep no records of their changes: what was short between two polls went unseen.
    NoRing,
    /// Nothing flowed although the breakers stood closed: supply may have been lost above them.
    WithoutCurrent,
    /// Whether it was supplied hangs on a breaker of which nothing told how it stood.
    PositionUnseen,
    /// Nobody could see it for a while in between; taken as one.
    UnseenBetween,
    /// It was there when it could first be seen: when it began is not known.
    BeginUnseen,
    /// The next time that it could be seen it was over: when it ended is not known.
    EndUnseen,
    /// Records were lost, or not believed against what was polled: what was short may have gone unseen.
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
    /// Meters of which nobody told for a day, since their station or head-end did not answer.
    NotHeard,
}

impl What {
    /// What it says to people.
    pub fn text(self, lang: Lang) -> &'static str {
        let (vi, en) = match self {
            Self::Open => ("chưa kết thúc", "not over yet"),
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
                "có lúc tiếp điểm báo cắt khi có dòng điện, lúc đó không tính",
                "contact said open while current flowed, that time not counted",
            ),
            Self::ByCurrent => (
                "không tin tiếp điểm, vị trí theo dòng điện: thoáng qua chưa rõ",
                "contact not believed, position by its current: short interruptions not known",
            ),
            Self::CentresContradict => (
                "hai trung tâm báo trái nhau về vị trí máy cắt, chưa rõ trừ khi dòng điện cho biết: thoáng qua chưa rõ",
                "centres contradict each other about a breaker, not known unless its current tells: short interruptions not known",
            ),
            Self::Untold => (
                "vị trí máy cắt thay đổi mà không có bản ghi dù không mất bản ghi nào, chưa rõ có điện hay không",
                "position of a breaker changed without a record though none was lost, supply not known",
            ),
            Self::NoRing => (
                "thiết bị không lưu bản ghi sự kiện: thoáng qua chưa rõ",
                "units keep no records of events: short interruptions not known",
            ),
            Self::WithoutCurrent => (
                "máy cắt đóng nhưng không có dòng điện, chưa rõ có điện hay không: có thể mất nguồn phía trên",
                "breakers closed but no current, supply not known: it may be lost above them",
            ),
            Self::PositionUnseen => (
                "không rõ vị trí máy cắt, chưa rõ có điện hay không",
                "position of a breaker not known, supply neither",
            ),
            Self::UnseenBetween => {
                ("có lúc không theo dõi được, coi là một lần", "not seen in between, taken as one")
            }
            Self::BeginUnseen => ("không rõ lúc bắt đầu", "beginning not seen"),
            Self::EndUnseen => ("không rõ lúc kết thúc", "end not seen"),
            Self::RecordsLost => {
                ("mất bản ghi, hoặc không tin được", "records lost, or not to be believed")
            }
            Self::CountDoubtful => (
                "số đếm lùi hoặc tăng quá mức, không dùng được",
                "count stepped back or too far, not used",
            ),
            Self::Counter(odd, _) => return odd.text(lang),
            Self::VoltageInDoubt => {
                ("TU nghi hỏng (cầu chì)", "voltage transformer in doubt (fuse)")
            }
            Self::BusDead => ("thanh cái mất điện", "busbar dead"),
            Self::NotHeard => {
                ("ngày có công tơ chưa nhận số liệu", "days with meters not heard of")
            }
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

    /// A figure that is not known, although some of its window was seen: what that brought belongs to another one.
    pub fn untold(known: Share) -> Self {
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

    /// Milliseconds of its window that it rests on, of those that it is about.
    pub fn known(&self) -> Share {
        self.known
    }

    /// What must be said beside it, and how many further remarks were left out.
    pub fn remarks(&self) -> (&[Remark], usize) {
        (&self.remarks, self.more)
    }
}

/// A cell that figures are printed into.
pub trait Printed {
    /// In place of a value that is not known.
    fn not_known() -> Self;
    /// How much of their window figures rest on, milliseconds.
    fn known(share: Share) -> Self;
    /// What must be said beside figures; it may be empty.
    fn text(text: String) -> Self;
    /// How much there is to be said beside figures.
    fn count(count: usize) -> Self;
}

/// A row of cells in which figures are printed, with what they rest on and what must be said beside them. This is
/// where a figure is printed, and the only place that can: whichever way a row ends, it says at least once how much
/// its figures rest on, and has their remarks.
#[derive(Debug)]
pub struct FigureRow<C> {
    cells: Vec<C>,
    /// The least known of the figures since the last cell that says so.
    known: Option<Share>,
    /// A cell says so.
    says_known: bool,
    remarks: Vec<Remark>,
    /// Remarks of one figure that were left out.
    more: usize,
}

impl<C> Default for FigureRow<C> {
    fn default() -> Self {
        Self { cells: Vec::new(), known: None, says_known: false, remarks: Vec::new(), more: 0 }
    }
}

impl<C: Printed> FigureRow<C> {
    /// A row without figures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a figure; where its value is not known, it says so.
    pub fn add<T>(&mut self, figure: &Figure<T>, cell: impl FnOnce(&T) -> C) -> &mut Self {
        self.cells.push(figure.value.as_ref().map_or_else(C::not_known, cell));
        // Another part of the same value may stand there already.
        self.more = self.more.max(figure.more);
        self.remember(&figure.remarks);
        let is_less = |known: Share| {
            u128::from(figure.known.have) * u128::from(known.want)
                < u128::from(known.have) * u128::from(figure.known.want)
        };
        if self.known.is_none_or(is_less) {
            self.known = Some(figure.known);
        }
        self
    }

    /// Adds a figure that the next cell of what is known does not speak of: it rests on something else.
    pub fn beside<T>(&mut self, figure: &Figure<T>, cell: impl FnOnce(&T) -> C) -> &mut Self {
        let known = self.known.take();
        self.add(figure, cell).known = known;
        self
    }

    /// Adds what is no figure.
    pub fn cell(&mut self, cell: C) -> &mut Self {
        self.cells.push(cell);
        self
    }

    /// Adds the remarks of a figure that other figures of the row are made of.
    pub fn remarks_of<T>(&mut self, figure: &Figure<T>) -> &mut Self {
        self.more += figure.more;
        self.remember(&figure.remarks);
        self
    }

    fn remember(&mut self, remarks: &[Remark]) {
        for remark in remarks {
            if !self.remarks.contains(remark) {
                self.remarks.push(remark.clone());
            }
        }
    }

    /// Adds how much of their time the figures since the last such cell rest on.
    pub fn known(&mut self) -> &mut Self {
        self.known_as(C::known)
    }

    /// The same in a cell of another kind.
    pub fn known_as(&mut self, cell: impl FnOnce(Share) -> C) -> &mut Self {
        let known = self.known.take().unwrap_or_default();
        self.cells.push(cell(known));
        self.says_known = true;
        self
    }

    fn end(mut self) -> (Vec<C>, Vec<Remark>, usize) {
        if self.known.is_some() && !self.says_known {
            self.known();
        }
        (self.cells, self.remarks, self.more)
    }

    /// The row, with what must be said beside its figures at its end: what, how often, and where first.
    pub fn said(self, lang: Lang) -> Vec<C> {
        let (mut cells, remarks, more) = self.end();
        let mut places: BTreeMap<What, BTreeSet<(&str, Timestamp)>> = BTreeMap::new();
        for remark in &remarks {
            places.entry(remark.what).or_default().insert((&remark.place, remark.at));
        }
        let mut said: Vec<String> = places
            .iter()
            .map(|(what, places)| {
                let first = places.first().map_or("", |(place, _)| *place);
                format!("{} × {} ({first})", places.len(), what.text(lang))
            })
            .collect();
        if more > 0 {
            said.push(match lang {
                Lang::Vi => format!("còn {more} ghi chú khác"),
                Lang::En => format!("{more} more remarks"),
            });
        }
        cells.push(C::text(said.join("; ")));
        cells
    }

    /// The row, with how many remarks there are at its end: they are listed elsewhere.
    pub fn counted(self) -> Vec<C> {
        let (mut cells, remarks, more) = self.end();
        cells.push(C::count(remarks.len() + more));
        cells
    }

    /// The row, and apart from it its remarks, with how many more were left out: for a list of them.
    pub fn apart(self) -> (Vec<C>, Vec<Remark>, usize) {
        self.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    enum Said {
        Value(u64),
        NotKnown,
        Known(Share),
        Text(String),
        Count(usize),
    }

    impl Printed for Said {
        fn not_known() -> Self {
            Self::NotKnown
        }

        fn known(share: Share) -> Self {
            Self::Known(share)
        }

        fn text(text: String) -> Self {
            Self::Text(text)
        }

        fn count(count: usize) -> Self {
            Self::Count(count)
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as cells of figures are made")]
    fn value(n: &u64) -> Said {
        Said::Value(*n)
    }

    fn remark(n: i64) -> Remark {
        let place = "S1.22.471.E.IMP".to_owned();
        Remark { at: Timestamp(n), until: None, place, what: What::Open }
    }

    #[test]
    fn a_figure_says_how_much_of_its_window_is_known() {
        let mut row = FigureRow::new();
        row.add(&Figure::new(7, Share::new(3, 4)).map(|n| n + 1), value).known();
        row.add(&Figure::unknown(4), value);
        let expected = [
            Said::Value(8),
            Said::Known(Share::new(3, 4)),
            Said::NotKnown,
            Said::Text(String::new()),
        ];
        assert_eq!(row.said(Lang::En), expected);
    }

    #[test]
    fn no_row_ends_without_what_its_figures_rest_on_and_their_remarks() {
        let figure = Figure::new(7, Share::new(3, 4)).with([remark(1), remark(2)]);
        let known = Said::Known(Share::new(3, 4));
        let row = || {
            let mut row = FigureRow::new();
            row.add(&Figure::new(1, Share::new(4, 4)), value).add(&figure, value);
            row
        };
        let said = Said::Text("2 × not over yet (S1.22.471.E.IMP)".to_owned());
        let cells = [Said::Value(1), Said::Value(7), known];
        assert_eq!(row().said(Lang::En), [&cells[..], &[said]].concat());
        assert_eq!(row().counted(), [&cells[..], &[Said::Count(2)]].concat());
        assert_eq!(row().apart(), (cells.to_vec(), vec![remark(1), remark(2)], 0));
    }

    #[test]
    fn what_stands_beside_has_no_part_in_what_is_known() {
        let mut row = FigureRow::new();
        row.beside(&Figure::new(7, Share::new(5, 5)), value);
        row.add(&Figure::new(1, Share::new(35, 35)), value).known();
        assert_eq!(row.counted()[2], Said::Known(Share::new(35, 35)));
    }

    #[test]
    fn remarks_that_are_too_many_are_counted() {
        let figure = Figure::new(0, Share::default()).with((0..130).map(remark));
        assert_eq!((figure.remarks().0.len(), figure.remarks().1), (REMARKS_MAX, 30));
        let mut row = FigureRow::new();
        row.add(&figure, value);
        assert_eq!(row.counted().pop(), Some(Said::Count(130)));
    }
}
