//! Numbers, shares, times and ages as operators of each language read them.

use config::{Date, Encoding, Lang, Point, PointKind, Zone};
use historian::counts::Share;
use historian::verdict::Since;
use signal::clock::Timestamp;

use super::texts::Text;

/// What stands where a share has no denominator, or a verdict has not been formed.
pub const NOT_EVALUATED: &str = "—";
/// What stands where a value is not known.
pub const UNKNOWN: &str = "----";

/// A count: `12.345` in Vietnamese, plain digits in English.
pub fn count(n: u64, lang: Lang) -> String {
    grouped(&n.to_string(), lang)
}

fn grouped(digits: &str, lang: Lang) -> String {
    if lang == Lang::En {
        return digits.to_owned();
    }
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push('.');
        }
        out.push(digit);
    }
    out
}

/// A number with a fixed count of decimals, with the sign that is as wide as a digit.
pub fn number(value: f64, decimals: usize, lang: Lang) -> String {
    let written = rounded(value.abs(), decimals);
    let negative = value < 0.0 && written.contains(|c: char| ('1'..='9').contains(&c));
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let mut out = String::from(if negative { "−" } else { "" });
    out.push_str(&grouped(whole, lang));
    if !fraction.is_empty() {
        out.push(if lang == Lang::Vi { ',' } else { '.' });
        out.push_str(fraction);
    }
    out
}

/// Rounded as it is written down, half away from nothing: 22.095 is 22.10 here as in every spreadsheet, although the
/// nearest binary fraction is a little less.
fn rounded(value: f64, decimals: usize) -> String {
    let written = value.to_string();
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let (kept, rest) = fraction.split_at_checked(decimals).unwrap_or((fraction, ""));
    let digits: Option<u128> = format!("{whole}{kept:0<decimals$}").parse().ok();
    // Beyond what can be counted, or no number.
    let Some(digits) = digits else { return format!("{value:.decimals$}") };
    let digits = digits + u128::from(rest.starts_with(|first: char| first >= '5'));
    let written = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = written.split_at(written.len() - decimals);
    if decimals == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// `have/want`, both as counts.
pub fn share(share: Share, lang: Lang) -> String {
    format!("{}/{}", count(share.have, lang), count(share.want, lang))
}

/// A share in per cent: `74,23 %`, `100 %` when it is whole, `—` of nothing. Beside a target, a
/// share that the integers hold below it is never rounded up to it or beyond.
pub fn percent(share: Share, decimals: u32, target: Option<f64>, lang: Lang) -> String {
    match share.want {
        0 => NOT_EVALUATED.to_owned(),
        _ => format!("{} %", percent_digits(share, decimals, target, lang)),
    }
}

/// The same without the sign.
pub fn percent_digits(share: Share, decimals: u32, target: Option<f64>, lang: Lang) -> String {
    let Some(units) = percent_units(share, decimals, target) else {
        return NOT_EVALUATED.to_owned();
    };
    scaled(units, decimals, share.have >= share.want, lang)
}

/// The same as a number, in units of 10^-`decimals` per cent; `None` for a share of nothing.
pub fn percent_units(share: Share, decimals: u32, target: Option<f64>) -> Option<u64> {
    let whole = 100 * 10_u64.pow(decimals);
    let units = share.percent(decimals)?.min(whole);
    let missed = target.filter(|target| share.reaches(*target) == Some(false));
    Some(
        missed.map_or(units, |target| {
            units.min(Share::new(0, whole).needed(target).saturating_sub(1))
        }),
    )
}

fn scaled(units: u64, decimals: u32, whole: bool, lang: Lang) -> String {
    if whole {
        return "100".to_owned();
    }
    let one = 10_u64.pow(decimals);
    let point = if lang == Lang::Vi { ',' } else { '.' };
    match decimals {
        0 => units.to_string(),
        _ => format!("{}{point}{:0width$}", units / one, units % one, width = decimals as usize),
    }
}

/// A target as it was given: `74,2`, `100`.
pub fn target(percent: f64, lang: Lang) -> String {
    let written = percent.to_string();
    if lang == Lang::Vi { written.replace('.', ",") } else { written }
}

/// Milliseconds as measured: one decimal below ten, two below one, as on a local network.
pub fn milliseconds(ms: f64, lang: Lang) -> String {
    number(ms, usize::from(ms < 10.0) + usize::from(ms < 1.0), lang)
}

/// How long something has lasted: `2,1 s`, `34 min`, `2 h 52`, `20 d`.
pub fn age(ms: i64, lang: Lang) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, days) = match lang {
        Lang::Vi => ("ph", "ng"),
        Lang::En => ("min", "d"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} {minutes}", seconds / 60),
        3_600..86_400 => format!("{} h {:02}", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} {days}", seconds / 86_400),
    }
}

/// The same to a tenth of a second below a minute.
pub fn fine_age(ms: i64, lang: Lang) -> String {
    if (0..60_000).contains(&ms) {
        #[expect(clippy::cast_precision_loss, reason = "less than a minute")]
        let seconds = ms as f64 / 1_000.0;
        return format!("{} s", number(seconds, 1, lang));
    }
    age(ms, lang)
}

/// A duration as a clock shows it: `00:01:12`.
pub fn clock(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A day: `23/11/2022` in Vietnamese, `2022-11-23` in English.
pub fn date(date: Date, lang: Lang) -> String {
    match lang {
        Lang::Vi => format!("{:02}/{:02}/{}", date.day, date.month, date.year),
        Lang::En => date.to_string(),
    }
}

/// A month: `11/2022` in Vietnamese, `2022-11` in English.
pub fn month(of: Date, lang: Lang) -> String {
    match lang {
        Lang::Vi => format!("{:02}/{}", of.month, of.year),
        Lang::En => format!("{}-{:02}", of.year, of.month),
    }
}

/// A day of this year: `23/11` in Vietnamese, `11-23` in English.
pub fn short_date(date: Date, lang: Lang) -> String {
    match lang {
        Lang::Vi => format!("{:02}/{:02}", date.day, date.month),
        Lang::En => format!("{:02}-{:02}", date.month, date.day),
    }
}

/// Where and when an operator stands: what turns an instant into words.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The present.
    pub now: Timestamp,
    /// By what local time of the province goes.
    pub zone: Zone,
    /// Language.
    pub lang: Lang,
}

impl Moment {
    /// Time of day: `14:32:07`.
    pub fn time(self, at: Timestamp) -> String {
        let local = at.local(self.zone);
        format!("{:02}:{:02}:{:02}", local.hour, local.minute, local.second)
    }

    /// Time of day with milliseconds: `14:32:07.240`.
    pub fn fine_time(self, at: Timestamp) -> String {
        format!("{}.{:03}", self.time(at), at.local(self.zone).millisecond)
    }

    /// Day and time to the minute of what was not today: `23/11 14:32`, in English `11-23 14:32`; `None` of what was.
    pub fn other_day(self, at: Timestamp) -> Option<String> {
        let local = at.local(self.zone);
        let day = || short_date(local.date, self.lang);
        (local.date != self.now.local(self.zone).date)
            .then(|| format!("{} {:02}:{:02}", day(), local.hour, local.minute))
    }

    /// The present as the header shows it.
    pub fn today(self) -> String {
        date(self.now.local(self.zone).date, self.lang)
    }

    /// Since when, as short as it can be without doubt: time of day for today, day and month for
    /// this year, else the whole date.
    pub fn since(self, since: Since) -> String {
        match since {
            Since::Always => Text::Always.get(self.lang).to_owned(),
            Since::Day(day) => self.day(day),
            Since::AtLeast(at) => format!("≤{}", self.since(Since::At(at))),
            Since::At(at) => {
                let local = at.local(self.zone);
                if local.date == self.now.local(self.zone).date {
                    self.time(at)
                } else {
                    self.day(local.date)
                }
            }
        }
    }

    /// The same with the time of day whenever there is one.
    pub fn since_exactly(self, since: Since) -> String {
        match since {
            Since::AtLeast(at) => format!("≤{}", self.since_exactly(Since::At(at))),
            Since::At(at) if at.local(self.zone).date != self.now.local(self.zone).date => {
                format!("{} {}", self.day(at.local(self.zone).date), self.time(at))
            }
            other => self.since(other),
        }
    }

    /// The same as part of a sentence: `since 14:32:07`, `always`.
    pub fn since_in_words(self, since: Since) -> String {
        match (since, self.lang) {
            (Since::Always, Lang::Vi) => "từ đầu".to_owned(),
            (Since::Always, Lang::En) => "always".to_owned(),
            (Since::AtLeast(at), Lang::Vi) => {
                format!("ít nhất từ {}", self.since_exactly(Since::At(at)))
            }
            (Since::AtLeast(at), Lang::En) => {
                format!("at least since {}", self.since_exactly(Since::At(at)))
            }
            (since, Lang::Vi) => format!("từ {}", self.since_exactly(since)),
            (since, Lang::En) => format!("since {}", self.since_exactly(since)),
        }
    }

    /// The same of several things, which are so since several moments: `since 14:32:07, the last of them since
    /// 14:40:00`.
    pub fn span_in_words(self, first: Since, last: Since) -> String {
        let said = self.since_in_words(first);
        if first == last {
            return said;
        }
        match self.lang {
            Lang::Vi => format!("{said}, tín hiệu cuối cùng {}", self.since_in_words(last)),
            Lang::En => format!("{said}, the last of them {}", self.since_in_words(last)),
        }
    }

    fn day(self, day: Date) -> String {
        if day.year == self.now.local(self.zone).date.year {
            short_date(day, self.lang)
        } else {
            date(day, self.lang)
        }
    }
}

/// A value in words: `46,00 MW`, `đóng`, `bình thường`.
pub fn value(point: &Point, value: f64, lang: Lang) -> String {
    match point.spec.kind {
        PointKind::DoublePoint => return position(value, lang),
        PointKind::SinglePoint | PointKind::DerivedStatus => {
            let state = point.spec.states.as_ref().map(|states| &states[usize::from(value > 0.5)]);
            return state.map_or_else(|| number(value, 0, lang), |name| name.get(lang).to_owned());
        }
        _ => {}
    }
    let written = number(value, decimals(point.encoding, value), lang);
    if point.spec.unit.is_empty() { written } else { format!("{written} {}", point.spec.unit) }
}

/// Position of a switching device: shape and word, never colour alone.
fn position(code: f64, lang: Lang) -> String {
    let (glyph, word) = if code < 0.5 {
        ('◧', Text::PositionBetween)
    } else if code < 1.5 {
        ('□', Text::PositionOpen)
    } else if code < 2.5 {
        ('■', Text::PositionClosed)
    } else {
        ('‼', Text::PositionContradictory)
    };
    format!("{glyph} {}", word.get(lang))
}

/// Decimals that the register carries: more would be made up, fewer would hide.
fn decimals(encoding: Encoding, value: f64) -> usize {
    match encoding {
        Encoding::Af if value.abs() < 10.0 => 3,
        Encoding::Af if value.abs() < 1_000.0 => 2,
        Encoding::Af => 1,
        scaled => {
            let steps = [1.0, 0.1, 0.01, 0.001];
            steps.iter().position(|step| scaled.scale() >= step * 0.999).unwrap_or(4)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_each_language_writes_them() {
        assert_eq!(count(199_520, Lang::Vi), "199.520");
        assert_eq!(count(199_520, Lang::En), "199520");
        assert_eq!(count(7, Lang::Vi), "7");
        assert_eq!(number(-1_234.5, 1, Lang::Vi), "−1.234,5");
        assert_eq!(number(-1_234.5, 1, Lang::En), "−1234.5");
        assert_eq!(number(-0.001, 1, Lang::En), "0.0", "nothing has no sign");
        for (value, decimals, expected) in [
            (22.095, 2, "22.10"),
            (22.094_999, 2, "22.09"),
            (0.5, 0, "1"),
            (2.5, 0, "3"),
            (9.995, 2, "10.00"),
            (1e-7, 3, "0.000"),
            (7.0, 3, "7.000"),
            (1e25, 1, "10000000000000000000000000.0"),
            (f64::MAX, 0, &format!("{:.0}", f64::MAX)),
            (f64::INFINITY, 1, "inf"),
        ] {
            assert_eq!(number(value, decimals, Lang::En), expected, "{value}");
        }
    }

    #[test]
    fn a_share_below_its_target_is_never_shown_at_it() {
        let below = Share::new(199_449, 268_800);
        assert_eq!(percent_digits(below, 2, Some(74.2), Lang::Vi), "74,19");
        assert_eq!(percent_digits(below, 1, Some(74.2), Lang::En), "74.1");
        let at = Share::new(199_450, 268_800);
        assert_eq!(percent_digits(at, 2, Some(74.2), Lang::Vi), "74,20");
        // 74.25 cannot be shown with one decimal; 74.3 would be above it.
        assert_eq!(percent_digits(Share::new(7_424, 10_000), 1, Some(74.25), Lang::En), "74.2");
        assert_eq!(percent_digits(Share::new(7_425, 10_000), 1, Some(74.25), Lang::En), "74.3");
    }

    #[test]
    fn a_whole_has_no_decimals_and_nothing_has_no_share() {
        assert_eq!(percent_digits(Share::new(10, 10), 2, None, Lang::Vi), "100");
        assert_eq!(percent_digits(Share::new(99_999, 100_000), 2, None, Lang::Vi), "99,99");
        assert_eq!(percent_digits(Share::new(9, 10), 1, None, Lang::Vi), "90,0");
        assert_eq!(percent_digits(Share::new(0, 0), 2, None, Lang::En), NOT_EVALUATED);
        assert_eq!(percent_digits(Share::new(0, 0), 2, Some(74.2), Lang::En), NOT_EVALUATED);
    }

    #[test]
    fn ages_get_coarser_as_they_grow() {
        assert_eq!(age(1_999, Lang::En), "1 s");
        assert_eq!(age(59_999, Lang::En), "59 s");
        assert_eq!(age(34 * 60_000, Lang::En), "34 min");
        assert_eq!(age(34 * 60_000, Lang::Vi), "34 ph");
        assert_eq!(age(172 * 60_000, Lang::En), "2 h 52");
        assert_eq!(age(20 * 86_400_000, Lang::En), "20 d");
        assert_eq!(age(-5, Lang::En), "0 s");
        assert_eq!(fine_age(2_140, Lang::Vi), "2,1 s");
        assert_eq!(clock(72_000), "00:01:12");
    }

    #[test]
    fn since_shows_the_year_only_when_it_is_another() {
        let moment = Moment {
            now: Timestamp(1_669_188_727_240),
            zone: config::Zone::hours(7),
            lang: Lang::En,
        };
        let day = |year| Since::Day(Date { year, month: 11, day: 2 });
        assert_eq!(moment.since(day(2022)), "11-02");
        assert_eq!(moment.since(day(2021)), "2021-11-02");
        assert_eq!(moment.since(Since::Always), "always");
        assert_eq!(moment.since(Since::At(moment.now)), "14:32:07");
        let yesterday = Since::At(moment.now.plus(-86_400_000));
        assert_eq!(moment.since(yesterday), "11-22");
        assert_eq!(moment.since_exactly(yesterday), "11-22 14:32:07");
        let later = Moment { now: moment.now.plus(366 * 86_400_000), ..moment };
        assert_eq!(later.since(day(2022)), "2022-11-02");
        assert_eq!(Moment { lang: Lang::Vi, ..later }.since(day(2022)), "02/11/2022");
        assert_eq!(moment.fine_time(moment.now), "14:32:07.240");
    }

    #[test]
    fn a_value_has_the_decimals_of_its_register() {
        assert_eq!(decimals(Encoding::A16 { scale: 0.01 }, 1.0), 2);
        assert_eq!(decimals(Encoding::U16 { scale: 1.0 }, 1.0), 0);
        assert_eq!(decimals(Encoding::U16 { scale: 5.0 }, 1.0), 0);
        assert_eq!(decimals(Encoding::U16 { scale: 0.001 }, 1.0), 3);
        assert_eq!(decimals(Encoding::C32, 1.0), 0);
    }
}
