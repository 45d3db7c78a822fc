//! How the figures are made, from which part of which store, by which contracts.

use store::End;
use words::jumps::what;

use super::{text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, Sheet, SheetPart, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut parts = formulas(facts);
    parts.push(SheetPart::Table(contracts(facts)));
    parts.extend(facts.other_zones());
    parts.push(SheetPart::Table(sessions(facts)));
    if !facts.jumps.is_empty() {
        parts.push(SheetPart::Table(jumps(facts)));
    }
    titled("method", words.say("Cách tính", "Method"), parts)
}

fn formulas(facts: &Facts) -> Vec<SheetPart> {
    let words = facts.words();
    let version = env!("CARGO_PKG_VERSION");
    vec![
        words.note(
            "Bắt buộc R(trạm, trung tâm) lấy từ mẫu datalist. Đủ: mọi tín hiệu của R có trong CSDL và có biên bản \
             E2E còn hiệu lực, cuối kỳ. Mất kết nối không làm mất đủ.",
            "The required set R(station, centre) comes from the templates. Full: every signal of R is in the database \
             and has a valid end-to-end record, at the end of the period. A lost link never changes it.",
        ),
        words.note(
            "Sống = Σ thời gian tín hiệu sống / Σ thời gian theo dõi, trên các tín hiệu bắt buộc có giá trị, không kể \
             loại trừ được duyệt; tính bằng mili giây, cộng rồi mới chia. Thời gian không theo dõi không tính là sống \
             cũng không tính là không sống; cột 'trên toàn kỳ' chia cho cả kỳ.",
            "Live = sum of time live / sum of time watched, over required signals that have a value, approved exclusions \
             left out; in milliseconds, summed before dividing. Time that nobody watched counts neither as live nor as \
             not live; the column 'of all the time' divides by the whole period.",
        ),
        words.note(
            "Một nhận định giữ từ lúc được đưa ra đến nhận định kế tiếp của kênh. Lần mất: chuyển từ đang kết nối sang \
             mất kết nối trong kỳ.",
            "A verdict holds from the judgement that formed it to the next one of its channel. A loss is a change from \
             connected to lost within the period.",
        ),
        words.note(
            "Đúng: phần thời gian không có phát hiện sai, trong thời gian tín hiệu được kiểm tra (C1, C7, C8, C12), đạt \
             99 % trên mọi tín hiệu cộng lại và trên từng tín hiệu chủ chốt (vị trí máy cắt, điện áp thanh cái, P, Q, I máy \
             biến áp): một tín hiệu chủ chốt sai quá 1 % thời gian được kiểm tra là chưa đúng. Không kiểm tra được gì: chưa \
             đánh giá.",
            "Right: share of the time without a finding, of the time in which a consistency test applied (C1, C7, C8, \
             C12), from 99 %, over all signals together and for each leading one by itself (breaker positions, bus \
             voltages, P, Q and I of transformers): a leading signal that is wrong for more than 1 % of its tested time \
             makes the station wrong. Nothing could be tested: not evaluated.",
        ),
        words.note(
            &format!(
                "Không người trực: khai báo trong cấu hình, và trung tâm điều khiển trạm nhận sống mọi tín hiệu bắt buộc \
                 ưu tiên A (vị trí, bảo vệ cắt, hơi và nhiệt độ máy biến áp, nguồn DC, cháy, đột nhập, truyền tin; không \
                 kể loại trừ được duyệt) trong ít nhất {} % thời gian theo dõi.",
                facts.province.unmanned_seen
            ),
            &format!(
                "Unmanned: declared in the contract, and every required signal of priority A (positions, protection \
                 trips, transformer gas and temperature, DC supply, fire, intrusion, communication; approved exclusions \
                 left out) live at the centre in charge for at least {} % of the time watched.",
                facts.province.unmanned_seen
            ),
        ),
        words.note(
            "Cảnh báo: các tín hiệu của một trạm không sống hoặc mâu thuẫn vì cùng một nguyên nhân là một cảnh báo, mỗi \
             lần xuất hiện tính một lần; lũ: hơn 10 cảnh báo trong 10 phút, hết khi dưới 5.",
            "Alarms: signals of a station that are not live, or contradict each other, for one cause are one alarm, counted \
             each time that it is raised; a flood: more than 10 in ten minutes, over when there are fewer than 5.",
        ),
        words.note(
            "SAIDI = Σ (công tơ × phút mất điện trên 5 phút) / công tơ; SAIFI, MAIFI = Σ công tơ bị mất điện trên 5 phút, \
             hoặc thoáng qua / công tơ. Lần mất điện theo bản ghi SOE, vị trí hỏi vòng và dòng điện; mỗi kỳ có số phút nằm \
             trong kỳ và tính lần bắt đầu trong kỳ, loại theo cả thời gian mất. 'Biết được': phần công tơ × thời gian biết rõ \
             có điện hay không. Công tơ bán điện chia đều cho các xuất tuyến của trạm, theo cấu hình của lúc đó.",
            "SAIDI = sum of (meters × minutes of interruptions above 5 min) / meters; SAIFI, MAIFI = sum of meters \
             interrupted for longer, or momentarily / meters. Interruptions follow from SOE records, polled positions and \
             current; a period has the minutes that lie in it and counts those that begin in it, by their whole length. \
             'Known': share of meters × time of which it is known whether there was supply. Meters that sell stand on the \
             feeders of their station in equal runs, by the contract of the time.",
        ),
        words.note(
            &format!("gridwatch {version}. Cùng kho, cùng kỳ cho cùng một tệp."),
            &format!("gridwatch {version}. The same store and period give the same file."),
        ),
    ]
}

fn contracts(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.window.eras.iter().zip(&facts.contracts).map(|(era, contract)| {
        vec![
            Cell::Count(u64::try_from(contract.id).unwrap_or(0)),
            Cell::Instant(era.span.from),
            Cell::Instant(era.span.to),
            text(&contract.hash),
        ]
    });
    Table {
        id: "contracts",
        caption: words.say("Cấu hình trong kỳ", "Contracts in the period"),
        columns: vec![
            words.column("contract", "Số", "Number", 8),
            words.column("from", "Từ", "From", 17),
            words.column("until", "Đến", "Until", 17),
            words.column("hash", "SHA-256", "SHA-256", 66),
        ],
        rows: rows.collect(),
        total: None,
    }
}

fn jumps(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.jumps.iter().map(|jump| {
        let what = Cell::Text(what(jump, facts.lang));
        vec![Cell::Instant(jump.before), Cell::Instant(jump.after), what]
    });
    Table {
        id: "clock_jumps",
        caption: words.say(
            "Đồng hồ không chạy đều (đoạn giờ lặp lại lấy theo phiên có đồng hồ đã chỉnh đúng)",
            "Where the clock did not go on evenly (what came twice is told by the session with the corrected clock)",
        ),
        columns: vec![
            words.column("before", "Đến", "Up to", 17),
            words.column("after", "Tiếp theo", "Then", 17),
            words.column("what", "Sự việc", "What happened", 34),
        ],
        rows: rows.collect(),
        total: None,
    }
}

fn sessions(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.sessions.iter().map(|session| {
        let end = match session.end {
            End::Running => words.say("chưa ghi kết thúc", "no end told"),
            End::Closed => words.say("kết thúc", "closed"),
            End::Broken => words.say("đứt đột ngột", "broken off"),
            End::Jump => words.say("đồng hồ nhảy", "clock jumped"),
        };
        vec![
            Cell::Instant(session.from),
            Cell::Instant(session.until),
            Cell::Duration(session.until.since(session.from)),
            Cell::Text(end),
            Cell::Count(u64::try_from(session.contract).unwrap_or(0)),
        ]
    });
    Table {
        id: "sessions",
        caption: words.say("Các phiên theo dõi", "Sessions of watching"),
        columns: vec![
            words.column("from", "Từ", "From", 17),
            words.column("until", "Đến", "Until", 17),
            words.column("length", "Thời gian", "Length", 11).holding(Holds::Times),
            words.column("end", "Kết thúc", "End", 14),
            words.column("contract", "Cấu hình", "Contract", 9),
        ],
        rows: rows.collect(),
        total: None,
    }
}
