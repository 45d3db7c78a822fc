//! What to do about a device with which asking does not go well: in the words of who will do it.

use config::Lang;
use signal::update::{LinkFault, Miss, OverrunCause};

use super::rows::{Health, Seen};
use crate::view::View;

/// What to do, what helps most first; nothing when all is well.
pub(super) fn of(view: &View<'_>, seen: &Seen<'_>) -> Vec<String> {
    let mut said = match (seen.health(view), seen.unit) {
        (Health::Lost | Health::Never, _) => {
            seen.channel.link.fault.iter().map(|fault| for_path(view, fault).to_owned()).collect()
        }
        (Health::Hung, _) => vec![
            view.say(
                "khởi động lại gateway (giá trị hiện có là của lúc nhịp sống còn chạy); xem đường nối tiếp và \
                 bộ xử lý của nó",
                "restart the gateway (its values are of when its heartbeat still ran); look at its serial lines \
                 and its processor",
            )
            .to_owned(),
        ],
        (Health::Silent, Some((_, _, unit))) => vec![for_unit(view, unit.last_miss).to_owned()],
        (Health::Overrun, _) => for_overrun(view, seen),
        (Health::Unsteady, _) => {
            let fault = seen.channel.link.last_fault.as_ref().map(|(_, fault)| fault);
            vec![match fault {
                Some(LinkFault::Closed) | None => view.say(
                    "nó đóng kết nối giữa chừng: khởi động lại, hết số kết nối, hay không chịu được \
                     một câu hỏi (xem thiết bị có lỗi)",
                    "it closes the connection: a restart, too many of them, or a request that it \
                     cannot take (see units with errors)",
                ),
                Some(fault) => for_path(view, fault),
            }
            .to_owned()]
        }
        (Health::Errors, Some((_, _, unit))) => vec![for_errors(view, unit.last_miss).to_owned()],
        (Health::Errors, None) => vec![
            view.say(
                "phần lớn thiết bị cùng lỗi: do đường truyền hoặc gateway, không phải từng thiết bị",
                "most units fail alike: it is the line or the gateway, not each unit",
            )
            .to_owned(),
        ],
        (Health::Slow, _) => vec![for_slowness(view, seen)],
        _ => Vec::new(),
    };
    if seen.unit.is_none() && seen.channel.link.strays.sum() > 0 {
        said.push(for_strays(view, seen));
    }
    if seen.unit.is_some_and(|(_, _, unit)| unit.set_aside > 0) {
        said.push(
            view.say(
                "sửa bảng thanh ghi của hợp đồng hoặc khai báo trên thiết bị; sẽ tự hỏi lại",
                "correct the register map of the contract, or map them in the device; they are \
                 asked for again by themselves",
            )
            .to_owned(),
        );
    }
    said
}

fn for_path(view: &View<'_>, fault: &LinkFault) -> &'static str {
    match fault {
        LinkFault::Refused => view.say(
            "gateway có chạy không, cổng có đúng không, tường lửa có chặn không",
            "is the gateway running, is the port right, does a firewall refuse it",
        ),
        LinkFault::ConnectTimeout => view.say(
            "đường truyền, định tuyến, nguồn của gateway; địa chỉ trong hợp đồng",
            "line, routing and power of the gateway; the address in the contract",
        ),
        LinkFault::Closed => view.say(
            "có thể gateway đã hết số kết nối, hoặc danh sách của nó thiếu địa chỉ máy này",
            "its connections may all be taken, or its list of peers lacks this machine",
        ),
        LinkFault::Silent => view.say(
            "nối được mà không thiết bị nào đáp: đường nối tiếp sau gateway, số thiết bị (unit id)",
            "it connects and no unit answers: the serial line behind the gateway, the unit ids",
        ),
        LinkFault::Garbage => view.say(
            "cổng này không nói Modbus TCP: có thể là RTU qua TCP; xem cổng và chế độ của gateway",
            "this port speaks no Modbus TCP, perhaps RTU over TCP: look at port and mode of the gateway",
        ),
        LinkFault::Other(_) => view.say(
            "xem lời của hệ điều hành ở trên",
            "see what the operating system says, above",
        ),
    }
}

fn for_unit(view: &View<'_>, miss: Option<(signal::clock::Timestamp, Miss)>) -> &'static str {
    match miss.and_then(|(_, miss)| miss.code()) {
        Some(_) => view.say(
            "gateway không với tới thiết bị: nguồn, dây và số thiết bị (unit id) ở ngăn",
            "the gateway does not reach it: power, wire and unit id at the bay",
        ),
        _ => view.say(
            "gateway còn đáp, thiết bị thì không: nguồn, dây và số thiết bị (unit id) ở ngăn",
            "the gateway answers and the unit does not: power, wire and unit id at the bay",
        ),
    }
}

fn for_errors(view: &View<'_>, miss: Option<(signal::clock::Timestamp, Miss)>) -> &'static str {
    match miss.map(|(_, miss)| miss) {
        Some(Miss::Busy(_)) => view.say(
            "thiết bị bận: giảm in_flight, hoặc thêm pause_between_ms",
            "the device is busy: lower in_flight, or set pause_between_ms",
        ),
        Some(Miss::NotThere(_) | Miss::Refused(_) | Miss::Unreachable(_)) => view.say(
            "xem mã từ chối dưới đây; màn hình 4 có từng tín hiệu với byte của nó",
            "see the exception below; screen 4 has each signal with its bytes",
        ),
        Some(Miss::Malformed) => view.say(
            "khung sai: hai thiết bị trùng số, hay gateway trộn trả lời của nhiều máy hỏi",
            "bad frames: two devices with one id, or a gateway that mixes up the replies of several clients",
        ),
        _ => view.say(
            "đáp lúc có lúc không: nhiễu đường nối tiếp, hoặc reply_timeout_ms quá ngắn",
            "it answers now and then: a poor serial line, or too short a reply_timeout_ms",
        ),
    }
}

fn for_overrun(view: &View<'_>, seen: &Seen<'_>) -> Vec<String> {
    let Some((_, overrun)) = seen.channel.link.overrun else { return Vec::new() };
    let device = &seen.contract.device;
    let said = match (overrun.cause, view.lang) {
        (OverrunCause::SilentDevice(unit), Lang::Vi) => format!(
            "đưa thiết bị {unit} trở lại; nó tốn {} ms mỗi lần hỏi (reply_timeout_ms)",
            view.count(device.reply_timeout_ms.into())
        ),
        (OverrunCause::SilentDevice(unit), Lang::En) => format!(
            "bring unit {unit} back; it costs {} ms each time it is asked (reply_timeout_ms)",
            view.count(device.reply_timeout_ms.into())
        ),
        (OverrunCause::SlowReplies, Lang::Vi) => format!(
            "tăng in_flight (nay {}) nếu thiết bị chịu được, hoặc quét thưa hơn",
            device.in_flight
        ),
        (OverrunCause::SlowReplies, Lang::En) => format!(
            "raise in_flight (now {}) if the device can take it, or scan less often",
            device.in_flight
        ),
        (OverrunCause::Pauses, Lang::Vi) => format!(
            "giảm pause_between_ms (nay {} ms) nếu thiết bị chịu được, hoặc quét thưa hơn",
            device.pause_between_ms
        ),
        (OverrunCause::Pauses, Lang::En) => format!(
            "lower pause_between_ms (now {} ms) if the device can take it, or scan less often",
            device.pause_between_ms
        ),
        (OverrunCause::Machine | OverrunCause::Historian, _) => view
            .say(
                "không phải lỗi của trạm: máy giám sát này quá tải, xem bộ xử lý của nó",
                "not the station's fault: this machine is overloaded, look at its processors",
            )
            .to_owned(),
    };
    vec![said]
}

fn for_slowness(view: &View<'_>, seen: &Seen<'_>) -> String {
    let device = &seen.contract.device;
    match view.lang {
        Lang::Vi => format!(
            "đường chậm, hoặc quá nhiều câu hỏi một lúc (in_flight {}): thử giảm; đừng rút hạn trả lời",
            device.in_flight
        ),
        Lang::En => format!(
            "a slow line, or too much asked at once (in_flight {}): try less; do not shorten the deadline",
            device.in_flight
        ),
    }
}

/// Replies that belong to nothing: too late, or twice.
fn for_strays(view: &View<'_>, seen: &Seen<'_>) -> String {
    let (strays, device) = (seen.channel.link.strays, &seen.contract.device);
    if strays.late < strays.unknown {
        let said = view.say(
            "trả lời lạ: gateway gửi hai lần, hay hai máy cùng một địa chỉ; không giá trị nào bị dùng nhầm",
            "unknown replies: the gateway sends twice, or two machines share an address; none was used",
        );
        return said.to_owned();
    }
    let deadline = view.count(device.reply_timeout_ms.into());
    match view.lang {
        Lang::Vi => format!(
            "trả lời sau hạn: tăng reply_timeout_ms (nay {deadline} ms) hoặc giảm in_flight; không giá trị nào bị dùng nhầm"
        ),
        Lang::En => format!(
            "late replies: raise reply_timeout_ms (now {deadline} ms) or lower in_flight; none was used"
        ),
    }
}
