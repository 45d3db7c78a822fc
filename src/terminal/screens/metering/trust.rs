//! How daily reading goes, and how far the counts of meters can be trusted: when they were read,
//! what was not, what does not agree with the contract.

use config::{StationId, UnitKind};

use super::{Measure, contract, day_text, read_lines};
use crate::historian::counts::Share;
use crate::historian::picture::{MeterGroupPicture, SoldReads};
use crate::historian::verdict::Since;
use crate::terminal::format;
use crate::terminal::paint::{Row, Side, framed, wrap};
use crate::terminal::texts::Text;
use crate::terminal::theme::Role;
use crate::terminal::view::View;

/// As a box.
pub(super) fn boxed(view: &View<'_>, width: usize, height: usize) -> Vec<Row> {
    let mut lines = lines(view, width - 2);
    super::fit(view, &mut lines, height - 2, " ");
    framed(view.row().put(Role::Strong, view.t(Text::ReadingCheck)), view.row(), lines, width)
}

/// Line by line: what is wrong first, then what was read, then how far the counts can be trusted.
pub(super) fn lines(view: &View<'_>, width: usize) -> Vec<Row> {
    let mut lines = troubles(view, width);
    lines.extend(read_lines(view, width));
    let metering = &view.picture.metering;
    let times = metering.groups.iter().filter_map(|group| group.at);
    if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
        let moment = view.moment();
        let (from, to) = (moment.time(first), moment.time(last));
        let span = if from == to { from } else { format!("{from}–{to}") };
        let age = view.age(first);
        lines.push(view.row().text(format!(" {} {span} ({age})", view.t(Text::CountedFrom))));
    } else {
        lines.push(view.row().text(format!(" {}", view.t(Text::CountedNever))));
    }
    lines.push(share_line(view, view.t(Text::LineOnline), metering.reads.online, width));
    lines.extend(sold_line(view));
    let told = metering.groups.iter().any(|group| group.reported.is_some());
    let agrees = told && differing(view).is_empty();
    if metering.uncounted == 0 && !agrees {
        lines.push(view.row().text(format!(" {}", view.t(Text::AllCounted))));
    }
    if agrees {
        lines.push(view.row().text(format!(" {}", view.t(Text::Agrees))));
    }
    lines
}

/// The energy sold, as far as it was read; nothing before the first reading.
fn sold_line(view: &View<'_>) -> Option<Row> {
    let sold = view.picture.metering.sold;
    let day = |day: u16| {
        let date = SoldReads::date(day)?;
        Some(view.moment().since(Since::Day(date)))
    };
    let mwh = |kwh: u64| view.count(kwh / 1_000);
    let remote = day(sold.remote_day).map(|day| {
        let (what, until) = (view.t(Text::SoldRemotely), view.t(Text::UpTo));
        format!("{what} {} MWh {until} {day}", mwh(sold.remote_kwh))
    });
    let hand = day(sold.hand_day).map(|day| {
        let (what, on) = (view.t(Text::SoldByHand), view.t(Text::LastOn));
        format!("{what} {} MWh {on} {day}", mwh(sold.hand_kwh))
    });
    let parts: Vec<String> = [remote, hand].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| view.row().text(format!(" {}", parts.join(" · "))))
}

/// Groups that report another number of meters than was agreed.
fn differing<'a>(view: &View<'a>) -> Vec<&'a MeterGroupPicture> {
    let groups = view.picture.metering.groups.iter();
    let differs = |group: &&MeterGroupPicture| {
        group.reported.is_some_and(|n| n != contract(view, group).installed)
    };
    groups.filter(differs).collect()
}

fn troubles(view: &View<'_>, width: usize) -> Vec<Row> {
    let metering = &view.picture.metering;
    let mut lines = Vec::new();
    let silent = view.province().station_ids().filter(|id| meter_unit_is_silent(view, *id));
    let silent: Vec<&str> = silent.map(|id| view.station(id).id.as_str()).collect();
    if !silent.is_empty() && !view.starting() {
        let said = view.say("thiết bị công tơ im lặng:", "metering unit silent:");
        lines.push(view.row().gap(1).put(Role::Fail, format!("{said} {}", silent.join(" "))));
    }
    let counts =
        [(metering.uncounted, Text::MetersUncounted), (metering.unreported, Text::Unreported)];
    for (n, text) in counts.into_iter().filter(|(n, _)| *n > 0) {
        let said = format!("{} {}", view.count(n), view.t(text));
        lines.push(view.row().gap(1).put(Role::Doubt, said));
    }
    let differing = differing(view);
    if !differing.is_empty() {
        lines.push(view.row().gap(1).put(Role::Doubt, view.t(Text::Differs)));
        lines.extend(differing.iter().flat_map(|group| differing_lines(view, group, width)));
    }
    lines
}

/// `đọc ngày 22/11  194.512/199.520  97,4 %`.
pub(super) fn read_line(view: &View<'_>, measure: Measure, width: usize) -> Row {
    let word = match measure {
        Measure::First => Text::LineFirst,
        Measure::Final => Text::LineFinal,
        Measure::Intervals => Text::LineIntervals,
        Measure::Minutes => Text::LineMinutes,
    };
    let label = format!("{} {}", view.t(word), day_text(view, measure));
    share_line(view, &label, measure.of(&view.picture.metering.reads), width)
}

/// What became of the final day: its first pass beside the final count above, and its half hours, followed to
/// their end.
pub(super) fn followed(view: &View<'_>, width: usize) -> Vec<Row> {
    let reads = &view.picture.metering.reads;
    let mut lines = Vec::new();
    if reads.final_first_pass.want > 0 {
        let day = day_text(view, Measure::Final);
        let label = format!("{} {day}", view.t(Text::ThatDay));
        lines.push(share_line(view, &label, reads.final_first_pass, width));
    }
    let half_hours = reads.half_hours;
    if half_hours.expected > 0 {
        let day = day_text(view, Measure::Final);
        let parts = [
            (Text::OnTime, half_hours.on_time),
            (Text::CameLate, half_hours.late),
            (Text::Backfilled, half_hours.backfilled),
            (Text::StayedAway, half_hours.missing()),
        ];
        let parts = parts.map(|(text, n)| {
            let share = Share::new(n, half_hours.expected);
            format!("{} {}", view.t(text), format::percent_digits(share, 1, None, view.lang))
        });
        let said = format!(" {} {day} %: {}", view.t(Text::HalfHoursOf), parts.join(" · "));
        lines.extend(wrap(&said, width).into_iter().map(|line| view.row().text(line)));
    }
    lines
}

/// A label, both counts and what they make.
fn share_line(view: &View<'_>, label: &str, share: Share, width: usize) -> Row {
    let room = width.saturating_sub(2 + 7).min(60);
    let row = view.row().gap(1).text(label);
    let counts = if share.want > 0 { view.share(share) } else { String::new() };
    let percent = format::percent(share, 1, None, view.lang);
    row.ending(view.row().text(counts), room).cell(
        Role::Plain,
        &format!(" {percent}"),
        9,
        Side::Right,
    )
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
