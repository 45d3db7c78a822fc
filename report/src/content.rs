//! What a report says, sheet by sheet, in the order of the forms that utilities file each month.

mod alarms;
mod channels;
mod energy;
mod events;
mod forms;
mod metering;
mod method;
mod not_kept;
mod produced;
mod quality;
mod reading;
mod reliability;
mod signals;
mod sold;
mod stations;
mod summary;

use config::{Channel, Lang, Station};
use historian::counts::Share;
use store::Kept;
use words::format;

use super::facts::{ChannelFacts, Facts};
use super::sheets::{Cell, Mark, Report, Sheet, SheetColumn, SheetPart};
use super::shown::{DECIMALS, Reader, real};

/// How things stood at the end of a period is said to be from then, when it was seen no longer before, milliseconds.
const LAST_SEEN_MS: i64 = 60_000;

/// The report of some facts.
pub(super) fn report(facts: &Facts) -> Report {
    let words = Words(facts.lang);
    let province = facts.province.name.get(facts.lang);
    let mut sheets = vec![
        summary::sheet(facts),
        forms::supervision(facts),
        forms::assessment(facts),
        stations::sheet(facts),
        signals::sheet(facts),
        quality::sheet(facts),
        channels::sheet(facts),
        metering::sheet(facts),
        events::sheet(facts),
        alarms::sheet(facts),
        reliability::sheet(facts),
        energy::sheet(facts),
        sold::sheet(facts),
        produced::sheet(facts),
        signals::exclusions(facts),
        method::sheet(facts),
    ];
    if let Some(doubts) = reliability::doubts(facts) {
        let behind = sheets.iter().position(|sheet| sheet.id == "reliability");
        sheets.insert(behind.map_or(sheets.len(), |place| place + 1), doubts);
    }
    not_kept::tell(facts, &mut sheets);
    debug_assert!(
        sheets.iter().flat_map(|sheet| &sheet.parts).all(|part| match part {
            SheetPart::Table(table) => table.is_declared(),
            _ => true,
        }),
        "a cell is none of what its column says that it holds"
    );
    Report {
        lang: facts.lang,
        zone: facts.period.zone,
        title: words
            .say("Báo cáo vận hành SCADA trạm 110 kV", "SCADA operation at 110 kV stations"),
        subtitle: format!("{province} · {}", facts.period.name(facts.lang)),
        sheets,
    }
}

/// Words in the language of the report.
#[derive(Clone, Copy)]
struct Words(Lang);

impl Words {
    fn say(self, vi: &str, en: &str) -> String {
        match self.0 {
            Lang::Vi => vi.to_owned(),
            Lang::En => en.to_owned(),
        }
    }

    fn column(self, id: &'static str, vi: &str, en: &str, width: u8) -> SheetColumn {
        SheetColumn::new(id, self.say(vi, en), en, width)
    }

    fn note(self, vi: &str, en: &str) -> SheetPart {
        SheetPart::Note(self.say(vi, en))
    }

    /// Whether a share reaches a target, where enough of the period was watched to say so.
    /// Nobody knows of `open` of those that it lacks.
    fn reached(self, (share, open): (Share, u64), target: f64, is_enough_watched: bool) -> Cell {
        match share.reaches_with(open, target) {
            None if share.want > open => self.not_enough_known(),
            None => Cell::Verdict(Mark::Doubt, self.say("không có số liệu", "no data")),
            Some(_) if !is_enough_watched => self.not_enough_watched(),
            Some(true) => Cell::Verdict(Mark::Good, self.say("đạt", "reached")),
            Some(false) => Cell::Verdict(Mark::Bad, self.say("không đạt", "missed")),
        }
    }

    /// In place of a judgement or comparison of which too little is known.
    fn not_enough_known(self) -> Cell {
        Cell::Verdict(Mark::Doubt, self.say("chưa biết đủ", "not enough known"))
    }

    /// In place of a judgement of a period of which too little was watched.
    fn not_enough_watched(self) -> Cell {
        let text = self.say("chưa đủ thời gian theo dõi", "not enough watched");
        Cell::Verdict(Mark::Doubt, text)
    }
}

impl Facts {
    fn words(&self) -> Words {
        Words(self.lang)
    }

    /// Time in which somebody watched, of the whole period.
    fn watched(&self) -> Share {
        let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
        Share::new(ms(self.window.observed_ms()), ms(self.window.span.length()))
    }

    /// Whether so much of the period was watched that it may be judged.
    fn is_enough_watched(&self) -> bool {
        self.watched().reaches(self.province.targets.watched) == Some(true)
    }

    /// What a form says of how its period was watched.
    fn how_watched(&self) -> impl Iterator<Item = SheetPart> {
        self.little_watched().into_iter().chain(self.as_last_watched())
    }

    /// Says that too little of the period was watched to judge it, where that is so.
    fn little_watched(&self) -> Option<SheetPart> {
        if self.is_enough_watched() {
            return None;
        }
        let target = self.province.targets.watched;
        let watched = format::percent(self.watched(), 2, Some(target), self.lang);
        let least = format::number(target, 1, self.lang);
        Some(self.words().note(
            &format!("Chỉ {watched} thời gian của kỳ có theo dõi; dưới {least} % thì không đánh giá đạt hay không đạt."),
            &format!("Only {watched} of the period was watched; below {least} % nothing is said to be reached or missed."),
        ))
    }

    /// Says when how things stood at the end of the period was last seen, where that was a while before.
    fn as_last_watched(&self) -> Option<SheetPart> {
        let last = self.window.observed()?.to;
        (self.window.span.to.since(last) > LAST_SEEN_MS).then(|| {
            let zone = self.period.zone;
            let at = Reader { zone, lang: self.lang }.instant(last);
            self.words().note(
                &format!("Tình trạng cuối kỳ là tình trạng lúc theo dõi cuối cùng, {at}."),
                &format!(
                    "How things stood at the end of the period is how they were last seen, {at}."
                ),
            )
        })
    }

    /// Says by what local time the period goes, where a contract of it had another one.
    fn other_zones(&self) -> Option<SheetPart> {
        let zone = self.period.zone;
        let mut others: Vec<String> = Vec::new();
        for contract in &self.contracts {
            let other = contract.province.zone;
            if !other.agrees(zone) && !others.contains(&other.to_string()) {
                others.push(other.to_string());
            }
        }
        let others = others.join(", ");
        (!others.is_empty()).then(|| {
            self.words().note(
                &format!("Ngày và giờ của cả kỳ theo múi giờ của cấu hình cuối cùng, {zone}; trong kỳ có cấu hình theo {others}."),
                &format!("Days and times of all the period are those of the last contract's zone, {zone}; contracts of it had {others}."),
            )
        })
    }

    /// In place of figures of running counts of which there is none: what to say when they are no longer kept,
    /// and when nobody told of them; each in Vietnamese and English.
    fn without_counts(&self, [gone, none]: [(&str, &str); 2]) -> SheetPart {
        let is_gone = self.window.kept(Kept::Metering).length() == 0;
        let (vi, en) = if is_gone { gone } else { none };
        self.words().note(vi, en)
    }

    pub(super) fn station(&self, channel: &Channel) -> &Station {
        &self.province.stations[channel.station.index()]
    }

    /// Id and name of a station, and the centre: how rows of a station at a centre begin.
    fn heads(&self, facts: &ChannelFacts) -> [Cell; 3] {
        let channel = self.channel(facts.id);
        let station = self.station(channel);
        let centre = &self.province.centres[channel.centre.index()];
        [text(&station.id), text(station.name.get(self.lang)), text(centre.name.get(self.lang))]
    }

    /// The columns of these.
    fn head_columns(&self) -> Vec<SheetColumn> {
        let words = self.words();
        vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("name", "Tên trạm", "Name", 16),
            words.column("centre", "Trung tâm", "Centre", 10),
        ]
    }

    /// A class of meters in words; `None` when the contract does not know it any more.
    fn class(&self, id: &str) -> Option<String> {
        let class = self.province.meter_classes.iter().find(|class| class.id == id)?;
        Some(with_technology(class.name.get(self.lang), class.technology.get(self.lang)))
    }

    /// A district in words; `None` when the contract does not know it any more.
    fn district(&self, id: &str) -> Option<String> {
        let district = self.province.districts.iter().find(|district| district.id == id)?;
        Some(district.name.get(self.lang).to_owned())
    }

    /// Where a class stands in every table: those that sell first, each in the order of the contract; what that does
    /// not name any more comes last.
    fn place_of_class(&self, sells: bool, id: &str) -> (bool, usize) {
        let classes = &self.province.meter_classes;
        (!sells, classes.iter().position(|own| own.id == id).unwrap_or(classes.len()))
    }

    /// Where a district stands in every table.
    fn place_of_district(&self, id: &str) -> usize {
        let districts = &self.province.districts;
        districts.iter().position(|own| own.id == id).unwrap_or(districts.len())
    }

    /// Days of the period as the categories of a chart: `01`, `02`, … of a month.
    fn days(&self) -> Vec<String> {
        let is_month = self.period.is_month();
        let day = |date: config::Date| {
            if is_month {
                format!("{:02}", date.day)
            } else {
                words::format::short_date(date, self.lang)
            }
        };
        self.period.dates().into_iter().map(day).collect()
    }
}

fn text(text: &str) -> Cell {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_owned()) }
}

/// The name of a class of meters with its technology, said once.
fn with_technology(name: &str, technology: &str) -> String {
    if name.contains(technology) { name.to_owned() } else { format!("{name} · {technology}") }
}

/// A text that begins a title or a sentence.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn titled(id: &'static str, name: String, parts: Vec<SheetPart>) -> Sheet {
    Sheet { id, name, parts }
}

/// Per cent of a share, for a chart.
fn percent(share: Share) -> Option<f64> {
    (share.want > 0).then(|| 100.0 * real(share.have) / real(share.want))
}
