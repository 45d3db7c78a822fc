//! Proof: what was asked of a station, what it answered, and what follows from it.

use collector::explain::{self, exception};
use config::{CentreId, Device, Lang, PointId, PointKind, StationId};
use historian::snapshot::{ChannelSnapshot, LastAnswer, LinkState};
use historian::verdict::{PointSnapshot, Reason};
use signal::update::{Evidence, LinkFault, Miss, Overrun, OverrunCause};

use super::format;
use super::issues::{Issue, Scope, unit_name};
use super::texts::Text;
use super::view::View;

/// Why there is no path.
pub(crate) fn link_fault(fault: &LinkFault, lang: Lang) -> String {
    let (vi, en) = match fault {
        LinkFault::Refused => ("cổng từ chối kết nối", "connection refused"),
        LinkFault::ConnectTimeout => ("không kết nối được, quá hạn", "connect timed out"),
        LinkFault::Closed => ("đầu kia đóng kết nối", "closed by the station"),
        LinkFault::Garbage => ("đầu kia gửi rác, không phải Modbus", "sends no Modbus"),
        LinkFault::Silent => ("đã nối nhưng không trả lời", "connected but silent"),
        LinkFault::Other(said) => return said.clone(),
    };
    if lang == Lang::Vi { vi.to_owned() } else { en.to_owned() }
}

/// Why a request brought no values.
pub(crate) fn miss(miss: Miss, lang: Lang) -> String {
    match (miss, miss.code()) {
        (_, Some(code)) => exception(code, lang),
        (Miss::Malformed, None) => Text::Undecodable.get(lang).to_owned(),
        (_, None) => Text::NoReply.get(lang).to_owned(),
    }
}

/// A scan that took too long: `quét 1,4 s của chu kỳ 1 s: thiết bị 3 (172) không trả lời`.
pub(crate) fn overrun(view: &View<'_>, station: StationId, overrun: &Overrun) -> String {
    let seconds = |ms: u32| {
        let seconds = f64::from(ms) / 1_000.0;
        format!("{} s", format::number(seconds, usize::from(!ms.is_multiple_of(1_000)), view.lang))
    };
    let took = seconds(overrun.took_ms);
    let cause = cause(view, station, overrun.cause);
    if overrun.period_ms > 0 {
        let of = view.say("của chu kỳ", "of a period of");
        let period = seconds(overrun.period_ms);
        return format!("{} {took} {of} {period}: {cause}", view.t(Text::Scan));
    }
    // No slot was missed, but the scan's deadline cut it short.
    let unasked = view.count(overrun.unasked.into());
    let left = view.say("câu hỏi để lượt sau", "requests left for the next scan");
    format!("{} {took}: {unasked} {left}, {cause}", view.t(Text::Scan))
}

fn cause(view: &View<'_>, station: StationId, cause: OverrunCause) -> String {
    match cause {
        OverrunCause::SilentDevice(id) => {
            let units = &view.station(station).units;
            let place = units.iter().position(|unit| unit.id == id);
            let name = place.map_or_else(
                || format!("{} {id}", view.t(Text::Unit)),
                |n| unit(view, &units[n], &unit_name(view.snapshot, station, n, view.lang)),
            );
            format!("{name} {}", view.t(Text::UnitSilent))
        }
        OverrunCause::SlowReplies => {
            view.say("trạm trả lời chậm", "the station is slow").to_owned()
        }
        OverrunCause::Pauses => {
            view.say("khoảng nghỉ đã cài", "the pauses that are set").to_owned()
        }
        OverrunCause::Machine => {
            view.say("máy giám sát này bị trễ", "this machine was late").to_owned()
        }
        OverrunCause::Historian => {
            view.say("máy giám sát này nhận không kịp", "this machine did not keep up").to_owned()
        }
    }
}

/// What proves an issue, in one line.
pub(crate) fn of_line(view: &View<'_>, station: StationId, line: &Issue) -> String {
    let centre = line.centres[0];
    let channel = view.snapshot.channel(station, centre);
    match line.id.scope {
        Scope::Contract(point, centre) => {
            let entry = &view.province().channel(station, centre).entries[point.index()];
            match &entry.standing {
                config::Standing::Absent(cause) | config::Standing::Untested(cause) => {
                    cause.text(view.lang).to_owned()
                }
                config::Standing::Elsewhere | config::Standing::Tested(_) => view
                    .say("bảng địa chỉ không có dòng này", "no row in the address map")
                    .to_owned(),
            }
        }
        Scope::Link if line.id.is_hung() => view.t(Text::HeartbeatStands).to_owned(),
        Scope::Link => of_link(view, channel),
        Scope::Unit(unit) => of_unit(view, station, channel, unit),
        Scope::Bay(_) => of_value(view, station, channel, line),
    }
}

/// Fault of a path, and when the last reply came over it.
fn of_link(view: &View<'_>, channel: &ChannelSnapshot) -> String {
    let fault = channel.link.fault.as_ref().map(|fault| link_fault(fault, view.lang));
    let last = channel
        .link
        .last_reply
        .map(|at| format!("{} {}", view.t(Text::LastReply), view.moment().time(at)));
    let contract = channel.contract(view.province());
    let address = (channel.link.state == LinkState::NeverConnected)
        .then(|| format!("{}:{}", contract.host, contract.port));
    [fault, address, last].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What a unit answers: the latest of its requests that brought no values.
fn of_unit(view: &View<'_>, station: StationId, channel: &ChannelSnapshot, unit: usize) -> String {
    let id = view.station(station).units[unit].id;
    let of_unit = |last: &&LastAnswer| {
        let group = channel.layout.groups.get(usize::from(last.group));
        group.is_some_and(|group| group.device == id)
    };
    let missed = channel.answers.iter().filter(of_unit).filter(|last| last.miss.is_some());
    let Some(last) = missed.max_by_key(|last| last.evidence.at) else {
        return format!("{} {id}", view.t(Text::Unit));
    };
    format!("{} {id}: {}", view.t(Text::Unit), outcome(view, last))
}

/// What came of a request: `ngoại lệ 0B … 14:32:06, 6 ms`.
fn outcome(view: &View<'_>, last: &LastAnswer) -> String {
    let (at, took) = (view.moment().time(last.evidence.at), took(&last.evidence, view.lang));
    let said = last.miss.map_or_else(|| view.t(Text::ReplyWord).to_owned(), |m| miss(m, view.lang));
    format!("{said} {at}, {took}")
}

fn took(evidence: &Evidence, lang: Lang) -> String {
    format!("{} ms", format::milliseconds(f64::from(evidence.took_us) / 1_000.0, lang))
}

/// What is wrong with the first value of a line.
fn of_value(
    view: &View<'_>,
    station: StationId,
    channel: &ChannelSnapshot,
    line: &Issue,
) -> String {
    let index = line.points[0].index();
    let (point, seen) = (&view.station(station).points[index], &channel.points[index]);
    let value = seen.value.map_or_else(
        || view.t(Text::NeverCame).to_owned(),
        |value| format::value(point, value, view.lang),
    );
    match line.reason() {
        Reason::Flagged if seen.flags.is_good() => {
            view.say("thiết bị báo không có giá trị", "the device says it has no value").to_owned()
        }
        Reason::Flagged => format!("{} {}", view.t(Text::FlagsWord), seen.flags),
        Reason::OutOfRange => format!("{value}, {}", range(view, point)),
        Reason::Inconsistent => {
            seen.finding.map_or("", |finding| finding.text(view.lang)).to_owned()
        }
        Reason::Old => format!("{} {}", view.t(Text::AgeWord), age(view, point, seen)),
        Reason::Frozen => {
            format!(
                "{value} {}",
                view.say("không đổi trong khi điểm kề đổi", "while its neighbour moved")
            )
        }
        Reason::NeverSeen => view.t(Text::NeverCame).to_owned(),
        _ => value,
    }
}

pub(crate) fn range(view: &View<'_>, point: &config::Point) -> String {
    let bound = |x: f64| format::number(x, usize::from(x.fract() != 0.0), view.lang);
    point.range.map_or_else(String::new, |(low, high)| {
        format!("{} {}…{} {}", view.t(Text::RangeWord), bound(low), bound(high), point.spec.unit)
            .trim_end()
            .to_owned()
    })
}

/// Age of a value and the age at which it is old: `12 s, hạn 30 s`.
pub(crate) fn age(view: &View<'_>, point: &config::Point, seen: &PointSnapshot) -> String {
    let Some(at) = seen.at else { return view.t(Text::NeverCame).to_owned() };
    let age = format::fine_age(view.now.since(at), view.lang);
    let limit = point.spec.scan.map(|scan| view.province().scan.old_after_ms(scan));
    limit.map_or_else(
        || age.clone(),
        |limit| format!("{age}, {} {}", view.t(Text::Limit), format::age(limit, view.lang)),
    )
}

/// What came for a point's value in the last reply, and what it means.
pub(crate) fn raw(
    view: &View<'_>,
    station: StationId,
    centre: CentreId,
    point: PointId,
) -> Option<String> {
    let channel = view.snapshot.channel(station, centre);
    let entry = &channel.contract(view.province()).entries[point.index()];
    let last = channel.last_answer(point).filter(|last| last.miss.is_none())?;
    let raw = explain::raw(&last.evidence, entry)?;
    let of_station = &view.station(station).points[point.index()];
    if of_station.spec.kind.is_status() {
        return Some(raw.cells);
    }
    let value = channel.points[point.index()].value?;
    let value = format::value(of_station, value, view.lang);
    Some(match raw.count.filter(|_| of_station.spec.kind != PointKind::Counter) {
        Some(count) => {
            let group = channel.layout.groups.get(usize::from(last.group))?;
            let column = group.columns.get(usize::from(group.value_column(point)?))?;
            let times = format::number(column.scale, 4, view.lang);
            let times = times.trim_end_matches('0').trim_end_matches(['.', ',']);
            format!("{} = {count} ×{times} → {value}", raw.cells)
        }
        None => format!("{} → {value}", raw.cells),
    })
}

/// The last request that asked for a point: when, what was sent, what came back.
pub(crate) fn exchange(
    view: &View<'_>,
    channel: &ChannelSnapshot,
    point: PointId,
) -> Vec<(String, String)> {
    let Some(last) = channel.last_answer(point) else { return Vec::new() };
    let evidence = &last.evidence;
    let sent = view.moment().fine_time(evidence.at);
    let request = (format!("{} {sent}", view.t(Text::RequestWord)), hex(&evidence.sent));
    let took = took(evidence, view.lang);
    let reply = if evidence.received.is_empty() {
        let said = format!("{} ({took})", view.t(Text::NoReplyYet));
        (view.t(Text::ReplyWord).to_owned(), said)
    } else {
        let bytes = evidence.received.len();
        let said =
            format!("{} {bytes} {}, {took}", view.t(Text::ReplyWord), view.t(Text::BytesWord));
        (said, hex(&evidence.received))
    };
    vec![request, reply]
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(" ")
}

/// A unit with its id: `thiết bị 2 (172)`.
pub(crate) fn unit(view: &View<'_>, unit: &Device, name: &str) -> String {
    format!("{} {} ({name})", view.t(Text::Unit), unit.id)
}
