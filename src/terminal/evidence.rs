//! Proof: what was asked of a station, what it answered, and what follows from it.

use config::{CentreId, Kind, Lang, PointId, Register, StationId, Table, Unit};

use super::format;
use super::shortfalls::{Ground, Shortfall, unit_name};
use super::texts::Text;
use super::view::View;
use crate::collector::reading::{Cause, Exchange, Fault, LinkFault, Overrun};
use crate::historian::picture::{ChannelPicture, LastPoll, LinkState};
use crate::historian::verdict::{PointPicture, Reason};

/// Name of an exception of the Modbus application protocol, section 7.
fn exception_name(code: u8, lang: Lang) -> &'static str {
    let (vi, en) = match code {
        1 => ("hàm không hỗ trợ", "illegal function"),
        2 => ("sai địa chỉ", "illegal address"),
        3 => ("sai giá trị", "illegal value"),
        4 => ("thiết bị hỏng", "device failure"),
        5 => ("đã nhận, đang làm", "acknowledged"),
        6 => ("thiết bị bận", "device busy"),
        8 => ("lỗi bộ nhớ", "memory parity"),
        10 => ("gateway không có đường", "no gateway path"),
        11 => ("thiết bị sau gateway im lặng", "gateway target silent"),
        _ => ("mã không chuẩn", "code not standard"),
    };
    if lang == Lang::Vi { vi } else { en }
}

/// An exception: `ngoại lệ 0B thiết bị sau gateway im lặng`.
pub(crate) fn exception(code: u8, lang: Lang) -> String {
    format!("{} {code:02X} {}", Text::ExceptionWord.get(lang), exception_name(code, lang))
}

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
pub(crate) fn fault(fault: Fault, lang: Lang) -> String {
    match fault {
        Fault::NoReply => Text::NoReply.get(lang).to_owned(),
        Fault::Undecodable => Text::Undecodable.get(lang).to_owned(),
        Fault::Refused(code) => exception(code, lang),
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

fn cause(view: &View<'_>, station: StationId, cause: Cause) -> String {
    match cause {
        Cause::SilentUnit(id) => {
            let units = &view.station(station).units;
            let place = units.iter().position(|unit| unit.id == id);
            let name = place.map_or_else(
                || format!("{} {id}", view.t(Text::Unit)),
                |n| unit(view, &units[n], &unit_name(view.picture, station, n, view.lang)),
            );
            format!("{name} {}", view.t(Text::UnitSilent))
        }
        Cause::SlowReplies => view.say("trạm trả lời chậm", "the station is slow").to_owned(),
        Cause::Pauses => view.say("khoảng nghỉ đã cài", "the pauses that are set").to_owned(),
        Cause::Machine => view.say("máy giám sát này bị trễ", "this machine was late").to_owned(),
        Cause::Historian => {
            view.say("máy giám sát này nhận không kịp", "this machine did not keep up").to_owned()
        }
    }
}

/// What proves a shortfall, in one line.
pub(crate) fn of_line(view: &View<'_>, station: StationId, line: &Shortfall) -> String {
    let centre = line.centres[0];
    let channel = view.picture.channel(station, centre);
    match line.id.ground {
        Ground::Contract(point, centre) => {
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
        Ground::Link if line.id.is_hung() => view.t(Text::HeartbeatStands).to_owned(),
        Ground::Link => of_link(view, channel),
        Ground::Unit(unit) => of_unit(view, station, channel, unit),
        Ground::Bay(_) => of_value(view, station, channel, line),
    }
}

/// Fault of a path, and when the last reply came over it.
fn of_link(view: &View<'_>, channel: &ChannelPicture) -> String {
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
fn of_unit(view: &View<'_>, station: StationId, channel: &ChannelPicture, unit: usize) -> String {
    let id = view.station(station).units[unit].id;
    let of_unit = |last: &&LastPoll| channel.plan.blocks[usize::from(last.block)].unit == id;
    let faults = channel.exchanges.iter().filter(of_unit).filter(|last| last.fault.is_some());
    let Some(last) = faults.max_by_key(|last| last.exchange.at) else {
        return format!("{} {id}", view.t(Text::Unit));
    };
    format!("{} {id}: {}", view.t(Text::Unit), outcome(view, last))
}

/// What came of a request: `ngoại lệ 0B … 14:32:06, 6 ms`.
fn outcome(view: &View<'_>, last: &LastPoll) -> String {
    let (at, took) = (view.moment().time(last.exchange.at), took(&last.exchange, view.lang));
    match last.fault {
        None => format!("{} {at}, {took}", view.t(Text::ReplyWord)),
        Some(Fault::NoReply) => format!("{} {at}, {took}", view.t(Text::NoReply)),
        Some(Fault::Undecodable) => format!("{} {at}, {took}", view.t(Text::Undecodable)),
        Some(Fault::Refused(code)) => format!("{} {at}, {took}", exception(code, view.lang)),
    }
}

fn took(exchange: &Exchange, lang: Lang) -> String {
    format!("{} ms", format::milliseconds(f64::from(exchange.took_us) / 1_000.0, lang))
}

/// What is wrong with the first value of a line.
fn of_value(
    view: &View<'_>,
    station: StationId,
    channel: &ChannelPicture,
    line: &Shortfall,
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
pub(crate) fn age(view: &View<'_>, point: &config::Point, seen: &PointPicture) -> String {
    let Some(at) = seen.at else { return view.t(Text::NeverCame).to_owned() };
    let age = format::fine_age(view.now.since(at), view.lang);
    let limit = point.spec.scan.map(|scan| view.province().scan.old_after_ms(scan));
    limit.map_or_else(
        || age.clone(),
        |limit| format!("{age}, {} {}", view.t(Text::Limit), format::age(limit, view.lang)),
    )
}

/// Where a point stands, in both ways of counting: `30101` as in documents, 100 as on the wire.
pub(crate) fn address(view: &View<'_>, register: &Register) -> String {
    let (first, table) = match register.table {
        Table::Coil => ('0', Text::TableCoil),
        Table::Discrete => ('1', Text::TableDiscrete),
        Table::Holding => ('4', Text::TableHolding),
        Table::Input => ('3', Text::TableInput),
    };
    let number = u32::from(register.address) + 1;
    format!(
        "{} {} ({} {}) {}",
        view.t(table),
        document_number(first, number),
        view.t(Text::OnTheWire),
        register.address,
        register.encoding,
    )
}

/// The same for a narrow column: `u2 10161`.
pub(crate) fn short_address(register: &Register) -> String {
    let first = match register.table {
        Table::Coil => '0',
        Table::Discrete => '1',
        Table::Holding => '4',
        Table::Input => '3',
    };
    let number = document_number(first, u32::from(register.address) + 1);
    format!("u{} {number}", register.unit)
}

/// Five digits as long as four suffice for the address, else six.
fn document_number(first: char, number: u32) -> String {
    if number <= 9_999 { format!("{first}{number:04}") } else { format!("{first}{number:05}") }
}

/// The cells of a point's value as they came in the last reply, and what they mean.
pub(crate) fn raw(
    view: &View<'_>,
    station: StationId,
    centre: CentreId,
    point: PointId,
) -> Option<String> {
    let channel = view.picture.channel(station, centre);
    let entry = &channel.contract(view.province()).entries[point.index()];
    let register = entry.register.as_ref()?;
    let last = channel.last_poll(point).filter(|last| last.fault.is_none())?;
    let block = channel.plan.blocks.get(usize::from(last.block))?;
    let from = usize::from(block.value_offset(point)? - last.offset);
    let mut cells = Vec::new();
    last.exchange.read_cells(usize::from(last.count), block.table.is_bits(), &mut cells);
    let cells = cells.get(from..from + usize::from(register.encoding.cells()))?;
    let of_station = &view.station(station).points[point.index()];
    if block.table.is_bits() {
        let bits: Vec<String> = cells.iter().map(u16::to_string).collect();
        return Some(bits.join(""));
    }
    let hex: Vec<String> = cells.iter().map(|cell| format!("{cell:04X}")).collect();
    let hex = format!("0x{}", hex.join(" "));
    let scale = register.encoding.scale();
    let value = channel.points[point.index()].value?;
    let value = format::value(of_station, value, view.lang);
    Some(match cells[..] {
        [cell] if of_station.spec.kind != Kind::Counter => {
            let signed = matches!(register.encoding, config::Encoding::A16 { .. });
            let count = if signed { i32::from(cell.cast_signed()) } else { i32::from(cell) };
            let times = format::number(scale, 4, view.lang);
            let times = times.trim_end_matches('0').trim_end_matches(['.', ',']);
            format!("{hex} = {count} ×{times} → {value}")
        }
        _ => format!("{hex} {} → {value}", register.word_order.code()),
    })
}

/// The last request that asked for a point: when, what was sent, what came back.
pub(crate) fn exchange(
    view: &View<'_>,
    channel: &ChannelPicture,
    point: PointId,
) -> Vec<(String, String)> {
    let Some(last) = channel.last_poll(point) else { return Vec::new() };
    let exchange = &last.exchange;
    let sent = view.moment().fine_time(exchange.at);
    let request = (format!("{} {sent}", view.t(Text::RequestWord)), hex(&exchange.request));
    let took = took(exchange, view.lang);
    let reply = if exchange.reply.is_empty() {
        let said = format!("{} ({took})", view.t(Text::NoReplyYet));
        (view.t(Text::ReplyWord).to_owned(), said)
    } else {
        let bytes = exchange.reply.len();
        let said =
            format!("{} {bytes} {}, {took}", view.t(Text::ReplyWord), view.t(Text::BytesWord));
        (said, hex(&exchange.reply))
    };
    vec![request, reply]
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(" ")
}

/// A unit with its id: `thiết bị 2 (172)`.
pub(crate) fn unit(view: &View<'_>, unit: &Unit, name: &str) -> String {
    format!("{} {} ({name})", view.t(Text::Unit), unit.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_numbered_as_in_documents() {
        assert_eq!(document_number('3', 101), "30101");
        assert_eq!(document_number('1', 9_999), "19999");
        assert_eq!(document_number('3', 10_000), "310000");
        assert_eq!(document_number('4', 65_536), "465536");
    }
}
