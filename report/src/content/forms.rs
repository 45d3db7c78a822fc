//! The two forms that are filed each month, as tables of their own: supervision of SCADA (`BM_5a`) and
//! statistics and assessment of SCADA operation (BM21). Each has a row for a station, a head and
//! signatures. What only people can say (remedy, unit, date) is left open for them.

use config::{FormSettings, StationId};
use historian::snapshot::LinkState;

use super::stations::{issues, link_verdict, right_verdict, signals_verdict};
use super::{capital, text, titled};
use crate::facts::{ChannelFacts, Facts};
use crate::operations::Operations;
use crate::sheets::{Cell, Head, Holds, Mark, Sheet, SheetColumn, SheetPart, Table};

impl Facts {
    fn form(&self, number: &str, title: String) -> Head {
        let FormSettings { company, unit, place, .. } = &self.province.form;
        let say = |name: &Option<config::Name>| Some(name.as_ref()?.get(self.lang).to_owned());
        Head {
            company: say(company),
            unit: say(unit),
            number: Some(number.to_owned()).filter(|number| !number.is_empty()),
            title,
            period: capital(&self.period.name(self.lang)),
            place: say(place),
            date: None,
        }
    }

    fn signatures(&self) -> SheetPart {
        let roles = self.province.form.signatures.iter();
        SheetPart::Signatures(roles.map(|role| role.get(self.lang).to_owned()).collect())
    }

    /// Ordinal, id and name of a station: how rows of a form begin.
    fn station_heads(&self, n: usize, station: StationId) -> [Cell; 3] {
        let station = &self.province.stations[station.index()];
        [Cell::Count(n as u64 + 1), text(&station.id), text(station.name.get(self.lang))]
    }

    fn station_columns(&self) -> Vec<SheetColumn> {
        let words = self.words();
        vec![
            words.column("number", "STT", "No.", 4),
            words.column("station", "Trạm", "Station", 7),
            words.column("name", "Tên trạm", "Name", 16),
        ]
    }
}

/// Monthly supervision of SCADA: what each centre receives of each station, and what is done about
/// it.
pub(super) fn supervision(facts: &Facts) -> Sheet {
    let words = facts.words();
    let number = &facts.province.form.supervision;
    let mut columns = facts.station_columns();
    for centre in &facts.province.centres {
        let (id, name) = (centre.id.to_lowercase(), centre.name.get(facts.lang));
        let signals = words.say("tín hiệu", "signals");
        let link = words.say("kết nối", "link");
        columns.push(SheetColumn::new(
            format!("signals_{id}"),
            format!("{name}: {signals}"),
            "",
            13,
        ));
        columns.push(SheetColumn::new(format!("link_{id}"), format!("{name}: {link}"), "", 13));
    }
    columns.extend([
        words.column("plan", "Biện pháp khắc phục", "Remedial plan", 18),
        words.column("unit", "Đơn vị thực hiện", "Unit", 12),
        words.column("date", "Thời hạn", "Date", 10),
        words.column("note", "Ghi chú", "Note", 80),
    ]);
    let rows = facts.stations().into_iter().enumerate().map(|(n, station)| {
        let mut row = facts.station_heads(n, station).to_vec();
        for channel in facts.of_station(station) {
            row.extend([signals_verdict(facts, channel), link_verdict(facts, channel)]);
        }
        row.extend([Cell::Empty, Cell::Empty, Cell::Empty, text(&note(facts, station))]);
        row
    });
    let table = Table {
        id: "bm_5a",
        caption: words
            .say("Tín hiệu và kết nối tại cuối kỳ", "Signals and links at the end of the period"),
        columns,
        rows: rows.collect(),
        total: None,
    };
    let title = words.say(
        "BÁO CÁO GIÁM SÁT TÍN HIỆU SCADA CÁC TRẠM BIẾN ÁP 110 kV",
        "SUPERVISION OF SCADA AT 110 kV SUBSTATIONS",
    );
    let mut parts = vec![SheetPart::Head(facts.form(number, title)), SheetPart::Table(table)];
    parts.extend(facts.how_watched());
    parts.push(facts.signatures());
    titled("bm_5a", tab(number, words.say("Giám sát", "Supervision")), parts)
}

/// Name of a tab: number of the form, without what no tab may have in its name.
fn tab(number: &str, otherwise: String) -> String {
    let allowed = |c: &char| !"[]:*?/\\'".contains(*c) && !c.is_control();
    let name: String = number.chars().filter(allowed).take(26).collect();
    if name.trim().is_empty() { otherwise } else { name }
}

/// What is missing or untested at a station, and where; said once where centres agree.
fn note(facts: &Facts, station: StationId) -> String {
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for channel in facts.of_station(station) {
        let centre = facts.channel(channel.id).centre;
        let name = facts.province.centres[centre.index()].name.get(facts.lang);
        let said = issues(facts, channel).join("; ");
        match notes.iter_mut().find(|(other, _)| *other == said) {
            Some((_, names)) => names.push(name),
            None => notes.push((said, vec![name])),
        }
    }
    notes.retain(|(said, _)| !said.is_empty());
    let notes = notes.into_iter().map(|(said, names)| format!("{}: {said}", names.join(", ")));
    notes.collect::<Vec<_>>().join("\n")
}

/// Statistics and assessment of SCADA operation.
pub(super) fn assessment(facts: &Facts) -> Sheet {
    let words = facts.words();
    let number = &facts.province.form.assessment;
    let levels = levels(facts);
    let mut columns = facts.station_columns();
    columns.extend([
        words.column("lost_now", "Đang mất kết nối (kênh)", "Lost now (links)", 9),
        words.column("losses", "Số lần mất, cộng mọi kênh", "Losses, of all links", 8),
        words
            .column("lost", "Tổng thời gian mất, cộng mọi kênh", "Time lost, of all links", 11)
            .holding(Holds::Times),
    ]);
    for (id, vi, en) in [
        ("operations", "Thao tác xa", "Remote control"),
        ("failed", "Thao tác xa không thành công", "Failed remote control"),
    ] {
        for level in &levels {
            let title = words.say(&format!("{vi} {level} kV"), &format!("{en} {level} kV"));
            columns.push(SheetColumn::new(format!("{id}_{level}kv"), title, "", 9));
        }
    }
    columns.extend([
        words.column("cause", "Nguyên nhân không thành công", "Cause of failure", 22),
        words.column("full", "Đủ", "Full", 8),
        words.column("right", "Đúng", "Right", 18),
        words.column("note", "Ghi chú", "Note", 18),
    ]);
    let mut rows = Vec::new();
    for (n, station) in facts.stations().into_iter().enumerate() {
        let channels: Vec<&ChannelFacts> = facts.of_station(station).collect();
        let mut row = facts.station_heads(n, station).to_vec();
        row.extend(links(&channels));
        let operations = facts.operations.get(&facts.province.stations[station.index()].id);
        row.extend(operated(operations, &levels));
        let is_full = channels.iter().all(|channel| facts.is_full(channel));
        let full = if is_full {
            Cell::Verdict(Mark::Good, words.say("đủ", "full"))
        } else {
            Cell::Verdict(Mark::Bad, words.say("thiếu", "not full"))
        };
        let known = operations.filter(|own| own.is_known);
        let known = known.filter(|own| own.is_told || !own.causes.is_empty());
        let cause = known.map_or(Cell::NotKnown, |known| text(&known.causes(facts.lang)));
        row.extend([cause, full, right_verdict(facts, &channels), Cell::Empty]);
        rows.push(row);
    }
    let table = Table {
        id: "bm21",
        caption: words.say(
            "Kết nối, điều khiển và chất lượng tín hiệu",
            "Links, control and quality of signals",
        ),
        columns,
        rows,
        total: None,
    };
    let title = words.say(
        "THỐNG KÊ, ĐÁNH GIÁ TÌNH HÌNH VẬN HÀNH SCADA TẠI CÁC TRẠM BIẾN ÁP 110 kV",
        "STATISTICS AND ASSESSMENT OF SCADA OPERATION AT 110 kV SUBSTATIONS",
    );
    let mut parts = vec![SheetPart::Head(facts.form(number, title)), SheetPart::Table(table)];
    parts.extend(facts.unseen_losses());
    parts.extend(facts.how_watched());
    parts.push(facts.signatures());
    titled("bm21", tab(number, words.say("Đánh giá", "Assessment")), parts)
}

/// Remote operations of each level, then those that failed.
fn operated(operations: Option<&Operations>, levels: &[u16]) -> Vec<Cell> {
    let Some(known) = operations.filter(|operations| operations.is_known) else {
        return vec![Cell::NotKnown; 2 * levels.len()];
    };
    let of_level = |level: &u16| known.levels.get(level).copied().unwrap_or_default();
    let count = |count: u64| known.count(count).map_or(Cell::NotKnown, Cell::Count);
    let all = levels.iter().map(|level| count(of_level(level).0));
    all.chain(levels.iter().map(|level| count(of_level(level).1))).collect()
}

/// Voltage levels of feeders and lines, from the lowest.
fn levels(facts: &Facts) -> Vec<u16> {
    let stations = facts.stations();
    let stations = stations.iter().map(|station| &facts.province.stations[station.index()]);
    let levels = stations.flat_map(|station| &station.bays).map(|bay| bay.level);
    let mut levels: Vec<u16> = levels.filter(|level| *level > 0).collect();
    levels.sort_unstable();
    levels.dedup();
    levels
}

/// How many links are lost at the end, and how often and how long they were.
fn links(channels: &[&ChannelFacts]) -> [Cell; 3] {
    let last: Option<Vec<LinkState>> = channels.iter().map(|channel| channel.link.last).collect();
    let lost_now = last.map_or(Cell::NotKnown, |last| {
        Cell::Count(last.iter().filter(|link| **link != LinkState::Connected).count() as u64)
    });
    if channels.iter().all(|channel| channel.link.last.is_none()) {
        return [lost_now, Cell::NotKnown, Cell::NotKnown];
    }
    let losses = channels.iter().map(|channel| u64::from(channel.link.losses)).sum();
    let lost = channels.iter().map(|channel| channel.link.lost + channel.link.never).sum();
    [lost_now, Cell::Count(losses), Cell::Duration(lost)]
}
