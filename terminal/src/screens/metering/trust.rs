//! How daily reading goes, and how far the counts of meters can be trusted: when they were read,
//! what was not, what does not agree with the contract.

use config::{DeviceKind, Lang, StationId};
use historian::counts::Share;
use historian::snapshot::{MeterGroupSnapshot, SoldReads};
use historian::verdict::Since;

use super::{Measure, contract, day_text};
use crate::format;
use crate::paint::{Row, Side, framed, wrap};
use crate::texts::Text;
use crate::theme::Role;
use crate::view::View;

/// Cells of a box in which no figure is parted from its name.
pub(super) fn least(view: &View<'_>) -> usize {
    if view.lang == Lang::Vi { 46 } else { 44 }
}

/// As a box, which says in its title that the counts agree: the lines are few.
pub(super) fn boxed(view: &View<'_>, width: usize, height: usize) -> Vec<Row> {
    let mut lines = troubles(view, width - 2);
    lines.extend(said(view, &paragraphs(view, false), width - 2));
    super::fit(view, &mut lines, height - 2, " ");
    let agrees = view.row().text(if agrees(view) { view.t(Text::Agrees) } else { "" });
    framed(view.row().put(Role::Strong, view.t(Text::ReadingCheck)), agrees, lines, width)
}

/// Line by line: what is wrong first, then what was read, then how far the counts can be trusted.
pub(super) fn lines(view: &View<'_>, width: usize) -> Vec<Row> {
    let mut lines = troubles(view, width);
    lines.extend(said(view, &paragraphs(view, true), width));
    lines
}
/// How daily reading goes and how far counts can be trusted: a text for each day, one for what stands now, and
/// one for the energy sold. Shares whose counts are long stand without them; the key of measures shows both.
fn paragraphs(view: &View<'_>, with_agreement: bool) -> Vec<String> {
    let metering = &view.snapshot.metering;
    let reads = &metering.reads;
    let share = |word: Text, share: Share, not_heard: u64| {
        let (all, percent) = at_least(view, share, not_heard);
        format!("{} {} {percent}", view.t(word), view.share(all))
    };
    let short = |word: Text, share: Share| {
        format!("{} {}", view.t(word), format::percent(share, 1, None, view.lang))
    };
    let mut texts = Vec::new();
    if metering.day.is_some() {
        texts.push(format!(
            "{}: {} · {} · {}{}",
            day_text(view, Measure::First),
            share(Text::ColFirst, reads.first_pass, reads.not_heard),
            short(Text::LineIntervals, reads.intervals),
            short(Text::LineMinutes, reads.minutes),
            known(view, reads.heard(), " · "),
        ));
    } else {
        texts.push(view.t(Text::NoReads).to_owned());
    }
    if metering.final_day.is_some() {
        let day = day_text(view, Measure::Final);
        let first = match reads.final_first_pass {
            Share { want: 0, .. } => String::new(),
            first => format!("{} · ", share(Text::ColFirst, first, reads.final_not_heard)),
        };
        let last = share(Text::ColFinal, reads.final_pass, reads.final_not_heard);
        texts.push(format!("{day}: {first}{last}"));
    }
    texts.extend(half_hours(view));
    let mut now = Vec::new();
    if reads.online.want > 0 {
        now.push(format!("{} {}", view.t(Text::LineOnline), view.share(reads.online)));
    }
    now.push(match metering.groups.iter().filter_map(|group| group.at).min() {
        None => view.t(Text::CountedNever).to_owned(),
        Some(oldest) if view.lang == Lang::Vi => format!("đếm {} trước", view.age(oldest)),
        Some(oldest) => format!("counted {} ago", view.age(oldest)),
    });
    if with_agreement && agrees(view) {
        now.push(view.t(Text::Agrees).to_owned());
    }
    texts.push(now.join(" · "));
    texts.extend(sold(view));
    texts
}

/// Texts as lines of a width.
fn said(view: &View<'_>, texts: &[String], width: usize) -> Vec<Row> {
    texts.iter().flat_map(|text| wrapped(view, Role::Plain, text, width)).collect()
}

/// The energy sold, as far as it was read; nothing before the first reading.
fn sold(view: &View<'_>) -> Option<String> {
    let sold = view.snapshot.metering.sold;
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
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// Whether every group that was counted is as large as agreed, and none is not counted.
fn agrees(view: &View<'_>) -> bool {
    let groups = &view.snapshot.metering.groups;
    let told = groups.iter().any(|group| group.reported.is_some());
    told && view.snapshot.metering.uncounted == 0 && differing(view).is_empty()
}

/// Groups that report another number of meters than was agreed.
fn differing<'a>(view: &View<'a>) -> Vec<&'a MeterGroupSnapshot> {
    let groups = view.snapshot.metering.groups.iter();
    let differs = |group: &&MeterGroupSnapshot| {
        group.reported.is_some_and(|n| n != contract(view, group).installed)
    };
    groups.filter(differs).collect()
}

fn troubles(view: &View<'_>, width: usize) -> Vec<Row> {
    let metering = &view.snapshot.metering;
    let mut lines = Vec::new();
    let silent = view.province().station_ids().filter(|id| meter_unit_is_silent(view, *id));
    let silent: Vec<&str> = silent.map(|id| view.station(id).id.as_str()).collect();
    if !silent.is_empty() && !view.starting() {
        let said = view.say("thiết bị công tơ im lặng:", "metering unit silent:");
        let said = format!("{said} {}", silent.join(" "));
        lines.extend(wrapped(view, Role::Fail, &said, width));
    }
    let uncounted = (metering.uncounted, view.t(Text::MetersUncounted).to_owned());
    let of_day = [Measure::First, Measure::Final].map(|measure| {
        let said = format!("{} {}", view.t(Text::MetersNotHeard), day_text(view, measure));
        let is_told = super::has_not_heard(view, measure);
        (if is_told { measure.not_heard(&metering.reads) } else { 0 }, said)
    });
    for (n, text) in [uncounted].into_iter().chain(of_day).filter(|(n, _)| *n > 0) {
        let said = format!("{} {text}", view.count(n));
        lines.extend(wrapped(view, Role::Doubt, &said, width));
    }
    let differing = differing(view);
    if !differing.is_empty() {
        lines.push(view.row().gap(1).put(Role::Doubt, view.t(Text::Differs)));
        lines.extend(differing.iter().flat_map(|group| differing_lines(view, group, width)));
    }
    lines
}

/// A text in a role, as lines of a width.
fn wrapped(view: &View<'_>, role: Role, text: &str, width: usize) -> Vec<Row> {
    let lines = wrap(text, width.saturating_sub(2)).into_iter().enumerate();
    lines.map(|(n, line)| view.row().gap(if n == 0 { 1 } else { 2 }).put(role, line)).collect()
}

/// `đọc đến 06:00 22/11  194.512/199.520  97,4 %`.
pub(super) fn read_line(view: &View<'_>, measure: Measure, width: usize) -> Row {
    let word = match measure {
        Measure::First => Text::LineFirst,
        Measure::Final => Text::LineFinal,
        Measure::Intervals => Text::LineIntervals,
        Measure::Minutes => Text::LineMinutes,
    };
    let reads = &view.snapshot.metering.reads;
    let (share, day) = (measure.of(reads), day_text(view, measure));
    let is_of_meters = matches!(measure, Measure::First | Measure::Final);
    let (known, not_heard) = match measure.not_heard(reads) {
        n if is_of_meters => (String::new(), n),
        _ => (known(view, measure.heard(reads), "· "), 0),
    };
    let label = format!("{} {day} {known}", view.t(word));
    share_line(view, label.trim_end(), (share, not_heard), width)
}

/// Those that were read of all meters, also those of which nobody told: at least so many, so many per cent.
fn at_least(view: &View<'_>, read: Share, not_heard: u64) -> (Share, String) {
    if not_heard == 0 || read.want == 0 {
        return (read, format::percent(read, 1, None, view.lang));
    }
    let all = Share::new(read.have, read.want.saturating_add(not_heard));
    (all, format!("≥{}", format::percent(all, 1, None, view.lang)))
}

/// How much a figure rests on, where some meters were not heard: `biết 58,5 %` behind what parts it from the rest.
fn known(view: &View<'_>, heard: Share, before: &str) -> String {
    if heard.lacking() == 0 || heard.have == 0 {
        return String::new();
    }
    let percent = format::percent(heard, 1, None, view.lang);
    format!("{before}{} {percent}", view.t(Text::KnownOf))
}

/// What became of the final day: its first pass beside the final count above, and its half hours, followed to
/// their end.
pub(super) fn followed(view: &View<'_>, width: usize) -> Vec<Row> {
    let reads = &view.snapshot.metering.reads;
    let mut lines = Vec::new();
    if reads.final_first_pass.want > 0 {
        let day = day_text(view, Measure::Final);
        let label = format!("{} {day}", view.t(Text::ThatDay));
        let first = (reads.final_first_pass, reads.final_not_heard);
        lines.push(share_line(view, &label, first, width));
    }
    lines.extend(said(view, half_hours(view).as_slice(), width));
    lines
}

/// What became of the half hours of the final day.
fn half_hours(view: &View<'_>) -> Option<String> {
    let reads = &view.snapshot.metering.reads;
    let half_hours = reads.half_hours;
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
    let day = day_text(view, Measure::Final);
    let known = known(view, reads.final_heard(), " · ");
    let said = format!("{} {day} %: {}{known}", view.t(Text::HalfHoursOf), parts.join(" · "));
    (half_hours.expected > 0).then_some(said)
}

/// A label, both counts and what they make: at least so much, where some meters were not heard.
fn share_line(view: &View<'_>, label: &str, (read, not_heard): (Share, u64), width: usize) -> Row {
    let (share, percent) = at_least(view, read, not_heard);
    let room = width.saturating_sub(2 + 7).min(60);
    let row = view.row().gap(1).text(label);
    let counts = if share.want > 0 { view.share(share) } else { String::new() };
    row.ending(view.row().text(counts), room).cell(
        Role::Plain,
        &format!(" {percent}"),
        9,
        Side::Right,
    )
}

/// `HB02 Đà Bắc 1 pha, RF: hợp đồng 8.525, báo 8.530`.
fn differing_lines(view: &View<'_>, group: &MeterGroupSnapshot, width: usize) -> Vec<Row> {
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
    let Some(unit) = units.clone().position(|unit| unit.kind == DeviceKind::Metering) else {
        return false;
    };
    view.province().centre_ids().any(|centre| {
        let seen = view.snapshot.channel(station, centre).units[unit];
        seen.asked && !seen.answers
    })
}
