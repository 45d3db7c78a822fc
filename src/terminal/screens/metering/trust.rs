//! How far the counts of meters can be trusted: when they were read, what was not, what does not
//! agree with the contract.

use config::{StationId, UnitKind};

use super::contract;
use crate::historian::picture::MeterGroupPicture;
use crate::terminal::paint::{Row, framed, wrap};
use crate::terminal::texts::Text;
use crate::terminal::theme::Role;
use crate::terminal::view::View;

/// As a box.
pub(super) fn boxed(view: &View<'_>, width: usize, height: usize) -> Vec<Row> {
    let mut lines = lines(view, width - 2);
    super::fit(view, &mut lines, height - 2, " ");
    framed(view.row().put(Role::Strong, view.t(Text::ReadingCheck)), view.row(), lines, width)
}

/// Line by line.
pub(super) fn lines(view: &View<'_>, width: usize) -> Vec<Row> {
    let metering = &view.picture.metering;
    let times = metering.groups.iter().filter_map(|group| group.at);
    let mut lines = Vec::new();
    if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
        let moment = view.moment();
        let (from, to) = (moment.time(first), moment.time(last));
        let span = if from == to { from } else { format!("{from}–{to}") };
        let age = view.age(first);
        lines.push(view.row().text(format!(" {} {span} ({age})", view.t(Text::CountedFrom))));
    } else {
        lines.push(view.row().text(format!(" {}", view.t(Text::CountedNever))));
    }
    lines.push(if metering.uncounted > 0 {
        let n = view.count(metering.uncounted);
        view.row().gap(1).put(Role::Doubt, format!("{n} {}", view.t(Text::MetersUncounted)))
    } else {
        view.row().text(format!(" {}", view.t(Text::AllCounted)))
    });
    let differing: Vec<&MeterGroupPicture> = metering
        .groups
        .iter()
        .filter(|group| group.reported.is_some_and(|n| n != contract(view, group).installed))
        .collect();
    if differing.is_empty() {
        if metering.groups.iter().any(|group| group.reported.is_some()) {
            lines.push(view.row().text(format!(" {}", view.t(Text::Agrees))));
        }
    } else {
        lines.push(view.row().gap(1).put(Role::Doubt, view.t(Text::Differs)));
        lines.extend(differing.iter().flat_map(|group| differing_lines(view, group, width)));
    }
    let silent = view.province().station_ids().filter(|id| meter_unit_is_silent(view, *id));
    let silent: Vec<&str> = silent.map(|id| view.station(id).id.as_str()).collect();
    if !silent.is_empty() && !view.starting() {
        let said = view.say("thiết bị công tơ im lặng:", "metering unit silent:");
        lines.push(view.row().gap(1).put(Role::Fail, format!("{said} {}", silent.join(" "))));
    }
    lines.push(view.row().text(format!(" {}", view.t(Text::CountedByBit))));
    lines
}

/// `HB02 Đà Bắc 1 pha, RF: hợp đồng 8.525, báo 8.530`.
fn differing_lines(view: &View<'_>, group: &MeterGroupPicture, width: usize) -> Vec<Row> {
    let contract = contract(view, group);
    let province = view.province();
    let (district, class) =
        (&province.districts[contract.district], &province.meter_classes[contract.class]);
    let text = format!(
        "{} {} {}: {} {}, {} {}",
        view.station(group.station).id,
        district.name.get(view.lang),
        class.name.get(view.lang),
        view.t(Text::ContractWord),
        view.count(u64::from(contract.installed)),
        view.t(Text::Reported),
        view.count(u64::from(group.reported.unwrap_or(0))),
    );
    let lines = wrap(&text, width.saturating_sub(6)).into_iter().enumerate();
    lines.map(|(n, line)| view.row().gap(if n == 0 { 3 } else { 5 }).text(line)).collect()
}

/// Whether the metering unit of a station does not answer the centre that reads it.
fn meter_unit_is_silent(view: &View<'_>, station: StationId) -> bool {
    let units = view.station(station).units.iter();
    let Some(unit) = units.clone().position(|unit| unit.kind == UnitKind::Metering) else {
        return false;
    };
    view.province().centre_ids().any(|centre| {
        let seen = view.picture.channel(station, centre).units[unit];
        seen.asked && !seen.answers
    })
}
