//! What a cell says to people.

use super::sheets::{Cell, Head, Mark, Table};
use config::{Date, Lang, Zone};
use historian::counts::Share;
use historian::verdict::Since;
use signal::clock::{DAY_MS, Timestamp};
use store::history::Printed;
use words::format::{self, NOT_EVALUATED};
use words::texts::Text;

/// Decimals of shares of points, meters and time.
pub(super) const DECIMALS: u8 = 2;
/// A line to write on.
const DOTS: &str = "………………………";

/// Where and how a report is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// Language.
    pub(super) lang: Lang,
    /// By what local time goes.
    pub(super) zone: Zone,
}

impl Reader {
    /// What a cell says; of a share only the percentage.
    pub(super) fn shown(self, cell: &Cell) -> String {
        match cell {
            Cell::Empty => String::new(),
            Cell::NotKnown => Text::NoFigure.get(self.lang).to_owned(),
            Cell::Text(text) | Cell::Verdict(_, text) => text.clone(),
            Cell::Count(n) => format::count(*n, self.lang),
            Cell::Number(value, decimals) if value.is_finite() => {
                format::number(*value, usize::from(*decimals), self.lang)
            }
            Cell::Number(..) => NOT_EVALUATED.to_owned(),
            Cell::Share(share, decimals, target) | Cell::TimeShare(share, decimals, target) => {
                format::percent(*share, places(*decimals), *target, self.lang)
            }
            Cell::AtLeast(share, decimals, target) => {
                format!("≥{}", format::percent(*share, places(*decimals), *target, self.lang))
            }
            Cell::Duration(ms) => hours(*ms, if *ms <= -1_000 { "−" } else { "" }),
            Cell::Instant(at) => self.instant(*at),
            Cell::Day(day) => format::date(*day, self.lang),
            Cell::Since(since) => self.since(*since),
        }
    }

    /// Since when something is so, to the second.
    fn since(self, since: Since) -> String {
        match since {
            Since::Always => Text::Always.get(self.lang).to_owned(),
            Since::Day(day) => format::date(day, self.lang),
            Since::At(at) => self.instant(at),
            Since::AtLeast(at) => format!("≤{}", self.instant(at)),
        }
    }

    /// What a cell says in a table; times to the millisecond in one that is precise.
    pub(super) fn shown_in(self, table: &Table, cell: &Cell) -> String {
        let ms = match cell {
            Cell::Duration(ms) => ms.unsigned_abs() % 1_000,
            Cell::Instant(at) => at.0.rem_euclid(1_000).unsigned_abs(),
            _ => return self.shown(cell),
        };
        if !table.is_precise() {
            return self.shown(cell);
        }
        let point = if self.lang == Lang::Vi { ',' } else { '.' };
        let whole = match cell {
            Cell::Duration(length) => hours(*length, if *length < 0 { "−" } else { "" }),
            _ => self.shown(cell),
        };
        format!("{whole}{point}{ms:03}")
    }

    /// A moment in local time, to the second.
    pub(super) fn instant(self, at: Timestamp) -> String {
        let local = at.local(self.zone);
        let day = format::date(local.date, self.lang);
        format!("{day} {:02}:{:02}:{:02}", local.hour, local.minute, local.second)
    }

    /// A part of the head of a form, or a dotted line to write it on.
    pub(super) fn or_dots(said: Option<&str>) -> &str {
        said.unwrap_or(DOTS)
    }

    /// Number of a form: `Biểu mẫu: BM21`.
    pub(super) fn form_number(self, head: &Head) -> String {
        format!("{}: {}", Text::FormNumber.get(self.lang), Self::or_dots(head.number.as_deref()))
    }

    /// Where and when a form is issued, as letters have it.
    pub(super) fn place_and_date(self, head: &Head) -> String {
        let place = Self::or_dots(head.place.as_deref());
        match (self.lang, head.date) {
            (Lang::Vi, Some(Date { year, month, day })) => {
                format!("{place}, ngày {day:02} tháng {month:02} năm {year}")
            }
            (Lang::Vi, None) => format!("{place}, ngày …… tháng …… năm ………"),
            (Lang::En, Some(date)) => format!("{place}, {date}"),
            (Lang::En, None) => format!("{place}, date ………………"),
        }
    }

    /// A value of a chart: two decimals, without the zeros that say nothing.
    pub(super) fn value(self, value: f64) -> String {
        let written = format::number(value, 2, self.lang);
        written.trim_end_matches('0').trim_end_matches([',', '.']).to_owned()
    }
}

impl Printed for Cell {
    fn not_known() -> Self {
        Self::NotKnown
    }

    fn known(share: Share) -> Self {
        Self::TimeShare(share, DECIMALS, None)
    }

    fn text(text: String) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }

    fn count(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

/// How many of their meter-days figures rest on, of those milliseconds.
pub(super) fn meter_days(Share { have, want }: Share) -> Cell {
    let days = |ms: u64| ms / DAY_MS.unsigned_abs();
    Cell::Share(Share::new(days(have), days(want)), DECIMALS, None)
}

/// A count as charts, workbooks and ratios have it.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and they have no other numbers")]
pub(super) fn real(n: u64) -> f64 {
    n as f64
}

/// The same of what is on a page.
pub(super) fn length(n: usize) -> f64 {
    real(n as u64)
}

/// Kilowatt hours as megawatt hours.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 kWh, nine million TWh")]
pub(super) fn kwh_as_mwh(kwh: i64) -> f64 {
    kwh as f64 / 1e3
}

/// Kilowatt hours as gigawatt hours.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 kWh, nine million TWh")]
pub(super) fn kwh_as_gwh(kwh: i64) -> f64 {
    kwh as f64 / 1e6
}

/// Watt hours as megawatt hours.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 Wh, nine million GWh")]
pub(super) fn energy_mwh(wh: i64) -> f64 {
    wh as f64 / 1e6
}

/// One energy as per cent of another: divided once, so that it has no more digits than it must.
#[expect(clippy::cast_precision_loss, reason = "exact up to 90 TWh; beyond it a rounding")]
pub(super) fn percent_of(wh: i64, whole_wh: i64) -> f64 {
    100.0 * wh as f64 / whole_wh as f64
}

/// Milliseconds as hours.
pub(super) fn in_hours(ms: u64) -> f64 {
    real(ms) / 3_600_000.0
}

/// Decimals of a percentage: more than nine would not fit the integers that it is made of.
pub(super) fn places(decimals: u8) -> u32 {
    u32::from(decimals.min(9))
}

/// `731:04:12`.
fn hours(ms: i64, sign: &str) -> String {
    let seconds = ms.unsigned_abs() / 1_000;
    format!("{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// ISO 8601 to the millisecond with the offset that the zone has then: `2022-11-23T14:32:07.240+07:00`.
pub(super) fn iso(at: Timestamp, zone: Zone) -> String {
    let local = at.local(zone);
    let (date, ms) = (local.date, local.millisecond);
    let (hour, minute, second) = (local.hour, local.minute, local.second);
    let offset = zone.offset_text(at.0);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{ms:03}{offset}")
}

/// A text in one line of at most so many characters.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= longest {
        return line;
    }
    line.chars().take(longest - 1).chain(['…']).collect()
}

/// The glyph beside a judgement, so that it stands without colour.
pub(super) fn glyph(mark: Mark) -> char {
    match mark {
        Mark::Good => '✓',
        Mark::Bad => '✗',
        Mark::Doubt => '!',
    }
}

/// The word of a judgement for machines.
pub(super) fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Doubt => "doubt",
    }
}

#[cfg(test)]
mod tests {
    use historian::counts::Share;

    use super::*;

    const VI: Reader = Reader { lang: Lang::Vi, zone: Zone::hours(7) };
    const EN: Reader = Reader { lang: Lang::En, zone: Zone::UTC };

    #[test]
    fn a_cell_reads_as_its_language_writes_it() {
        let at = Cell::Instant(Timestamp(1_669_188_727_240));
        assert_eq!(VI.shown(&at), "23/11/2022 14:32:07");
        assert_eq!(EN.shown(&at), "2022-11-23 07:32:07");
        assert_eq!(VI.shown(&Cell::Count(8_153)), "8.153");
        assert_eq!(VI.shown(&Cell::Number(-1_234.56, 1)), "−1.234,6");
        assert_eq!(VI.shown(&Cell::Number(f64::NAN, 1)), "—");
        assert_eq!(VI.shown(&Cell::Duration(731 * 3_600_000 + 252_999)), "731:04:12");
        assert_eq!(VI.shown(&Cell::Duration(-1_500)), "−0:00:01");
        assert_eq!(VI.value(98.50), "98,5");
        assert_eq!(EN.value(100.0), "100");
    }

    /// What has few digits is told with few: nothing comes of dividing twice.
    #[test]
    fn energies_and_their_shares_have_no_more_digits_than_they_must() {
        for n in 0..20_000_i64 {
            let decimal = |digits: usize| {
                let scale = 10_i64.pow(u32::try_from(digits).unwrap());
                let text = format!("{}.{:0digits$}", n / scale, n % scale);
                text.parse::<f64>().unwrap().to_string()
            };
            assert_eq!(percent_of(n * 37, 370_000).to_string(), decimal(2), "{n}");
            assert_eq!(kwh_as_mwh(n).to_string(), decimal(3));
            assert_eq!(kwh_as_gwh(n).to_string(), decimal(6));
            assert_eq!(energy_mwh(n).to_string(), decimal(6));
        }
    }

    #[test]
    fn a_percentage_is_made_of_counts_and_never_shown_at_what_it_misses() {
        let share = |have, want, decimals, target| {
            VI.shown(&Cell::Share(Share::new(have, want), decimals, target))
        };
        assert_eq!(share(199_520, 268_800, 2, None), "74,23 %");
        assert_eq!(share(99_999, 100_000, 2, None), "99,99 %");
        assert_eq!(share(10, 10, 2, None), "100 %");
        assert_eq!(share(0, 0, 2, Some(98.0)), "—");
        assert_eq!(share(979_999, 1_000_000, 2, Some(98.0)), "97,99 %");
        assert_eq!(share(1, 3, 255, None), "33,333333333 %");
        let at_least = Cell::AtLeast(Share::new(979_999, 1_000_000), 2, Some(98.0));
        assert_eq!([VI, EN].map(|reader| reader.shown(&at_least)), ["≥97,99 %", "≥97.99 %"]);
    }

    #[test]
    fn what_is_too_long_for_one_line_is_cut() {
        assert_eq!(cut("Trạm\n  Đông Hà", 12), "Trạm Đông Hà");
        assert_eq!(cut("Trạm Đông Hà", 11), "Trạm Đông …");
    }

    #[test]
    fn machines_get_the_offset_with_an_instant() {
        let at = Timestamp(1_669_188_727_240);
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for (at, zone, written) in [
            (at, Zone::hours(7), "2022-11-23T14:32:07.240+07:00"),
            (at, Zone::hours(-3), "2022-11-23T04:32:07.240-03:00"),
            (at, Zone::minutes(345).unwrap(), "2022-11-23T13:17:07.240+05:45"),
            (at, Zone::minutes(-210).unwrap(), "2022-11-23T04:02:07.240-03:30"),
            (at, berlin, "2022-11-23T08:32:07.240+01:00"),
            (at.plus(-150 * DAY_MS), berlin, "2022-06-26T09:32:07.240+02:00"),
        ] {
            assert_eq!(iso(at, zone), written);
        }
        assert_eq!(iso(Timestamp(0), Zone::hours(-5)), "1969-12-31T19:00:00.000-05:00");
    }
}
