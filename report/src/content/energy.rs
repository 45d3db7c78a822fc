//! Energy through each station, what is lost in it, and the voltage of its busbars.

use store::Kept;
use store::history::energy::{Side, Through};
use store::history::voltage::BusVoltage;
use store::history::{Figure, FigureRow, Printed as _, Remark, What};

use super::{DECIMALS, Words, text, titled};
use crate::facts::Facts;
use crate::sheets::{Cell, Holds, Mark, Sheet, SheetPart, Table};
use crate::shown::{energy_mwh, percent_of};

/// Remarks that are listed at most; how many more there are is said below.
const REMARKS_MAX: usize = 500;

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Điện năng, điện áp", "Energy and voltage");
    if facts.energies.is_empty() {
        if facts.window.kept(Kept::Values).length() == 0 {
            let note = words.note(
                "Giá trị đo trong kỳ không còn lưu, nên không biết điện năng và điện áp.",
                "The values of this period are no longer kept, so energy and voltage are not known.",
            );
            return titled("energy", name, vec![note]);
        }
        let note = words.note(
            "Trong kỳ không lưu giá trị đo, nên không có điện năng và điện áp.",
            "No values were kept in this period, so there is no energy and no voltage.",
        );
        return titled("energy", name, vec![note]);
    }
    let mut parts = vec![
        SheetPart::Table(stations(facts)),
        words.note(
            "Nhận: công tơ phía 110 kV của máy biến áp. Giao: công tơ các xuất tuyến. Cả hai được cộng trên cùng một thời \
             gian: khi mọi công tơ của trạm đều biết. Khoảng dài chỉ có chỉ số ở hai đầu, nếu vắt qua hai ngày hoặc trùng lúc \
             công tơ khác chưa rõ, thì không được tính. Chênh lệch là tổn thất trong trạm và tự dùng; ngoài giới hạn kỹ thuật \
             thì ghi \"không hợp lý\". Mỗi bước đếm thuộc kỳ của lần đọc sau. Điện năng bán theo công tơ khách hàng không đi \
             qua SCADA.",
            "Received: counters at the 110 kV side of transformers. Delivered: counters of the feeders. Both are summed \
             over the same time: that in which every counter of the station is known, without long steps that lie in two days \
             or reach into time in which another counter is not known. The difference is lost in the station or used by it; outside of what can be lost it is marked as not plausible. A step of a counter belongs \
             to the period of its later reading. Energy sold by customers' meters does not come over SCADA.",
        ),
        SheetPart::Table(counters(facts)),
    ];
    let (table, more) = listed(facts);
    parts.push(SheetPart::Table(table));
    if more > 0 {
        parts.push(words.note(
            &format!("Còn {more} lưu ý nữa không liệt kê."),
            &format!("{more} more remarks are not listed."),
        ));
    }
    parts.push(SheetPart::Table(voltage(facts)));
    parts.push(words.note(
        "Thời gian trong ±5 % tính trên thời gian thanh cái có điện và điện áp đã biết. Cầu chì TU đứt, các pha mâu thuẫn \
         hoặc giá trị xấu là chưa rõ, không phải 0 kV. Thanh cái mất điện được ghi riêng.",
        "Within ±5 % is of the time in which the busbar was alive and its voltage known. A blown fuse of the voltage \
         transformer, phases that contradict each other and bad values are not known, and not 0 kV. Time in which the \
         busbar was dead stands apart.",
    ));
    titled("energy", name, parts)
}

fn stations(facts: &Facts) -> Table {
    let words = facts.words();
    let rows = facts.energies.iter().map(|energy| {
        let mut row = FigureRow::new();
        row.cell(text(&energy.station)).cell(text(energy.name.get(facts.lang)));
        through(&mut row, words, &energy.through);
        for counter in &energy.counters {
            row.remarks_of(&counter.energy());
        }
        row.counted()
    });
    let rows = rows.collect();
    let all: Through = facts.energies.iter().map(|energy| energy.through.clone()).sum();
    let mut total = FigureRow::new();
    total.cell(Cell::Text(words.say("Tổng", "All"))).cell(Cell::Empty);
    through(&mut total, words, &all);
    // Those of each station are counted beside it.
    let (mut total, _, _) = total.apart();
    total.push(Cell::Empty);
    Table {
        id: "energy",
        caption: words.say("Điện năng qua trạm", "Energy through the stations"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("name", "Tên trạm", "Name", 18),
            words.column("received", "Nhận, MWh", "Received, MWh", 14),
            words.column("delivered", "Giao, MWh", "Delivered, MWh", 14),
            words.column("difference", "Chênh lệch, MWh", "Difference, MWh", 14),
            words.column("loss", "Chênh lệch, %", "Difference, %", 12),
            words.column("plausible", "Hợp lý", "Plausible", 14),
            words.column("known", "Biết được", "Known", 12).holding(Holds::TimeShares),
            words.column("remarks", "Lưu ý", "Remarks", 9),
        ],
        rows,
        total: Some(total),
    }
}

fn mwh(wh: i64) -> Cell {
    Cell::Number(energy_mwh(wh), 3)
}

/// Adds received, delivered, difference in megawatt hours and per cent, whether that can be, and how much is known.
/// What the contract has no counters for is empty.
fn through(row: &mut FigureRow<Cell>, words: Words, through: &Through) {
    for side in [through.received(), through.delivered()] {
        add(row, side.as_ref(), |wh| mwh(*wh));
    }
    let lost = through.lost();
    add(row, lost.as_ref(), |lost| mwh(lost.wh));
    add(row, lost.as_ref(), |lost| match lost.received_wh {
        0 => Cell::Empty,
        received => Cell::Number(percent_of(lost.wh, received), 2),
    });
    add(row, lost.as_ref(), |lost| {
        if lost.is_plausible {
            Cell::Verdict(Mark::Good, words.say("hợp lý", "plausible"))
        } else {
            Cell::Verdict(Mark::Bad, words.say("không hợp lý", "not plausible"))
        }
    });
    let is_counted = through.received().is_some() || through.delivered().is_some();
    row.known_as(|share| if is_counted { Cell::known(share) } else { Cell::Empty });
}

/// Adds a figure, or nothing where there is none.
fn add<T>(row: &mut FigureRow<Cell>, figure: Option<&Figure<T>>, cell: impl FnOnce(&T) -> Cell) {
    match figure {
        Some(figure) => row.add(figure, cell),
        None => row.cell(Cell::Empty),
    };
}

fn counters(facts: &Facts) -> Table {
    let words = facts.words();
    let all = facts.energies.iter().flat_map(|energy| &energy.counters);
    let rows = all.map(|counter| {
        let side = match counter.side() {
            Side::Received => words.say("nhận", "received"),
            Side::Delivered => words.say("giao", "delivered"),
        };
        let mut row = FigureRow::new();
        row.cell(text(counter.point())).cell(Cell::Text(side));
        row.add(&counter.energy(), |wh| mwh(*wh)).known();
        row.counted()
    });
    Table {
        id: "counters",
        caption: words.say("Điện năng theo công tơ", "Energy by counter"),
        columns: vec![
            words.column("point", "Công tơ", "Counter", 22),
            words.column("side", "Phía", "Side", 12),
            words.column("energy", "Điện năng, MWh", "Energy, MWh", 14),
            words.column("known", "Biết được", "Known", 12).holding(Holds::TimeShares),
            words.column("remarks", "Lưu ý", "Remarks", 9),
        ],
        rows: rows.collect(),
        total: None,
    }
}

/// What must be said beside the counters and the busbars, and how much was left out.
fn listed(facts: &Facts) -> (Table, usize) {
    let words = facts.words();
    let mut more = 0;
    let mut all: Vec<Remark> = Vec::new();
    for energy in &facts.energies {
        for counter in &energy.counters {
            let energy = counter.energy();
            let (listed, left_out) = energy.remarks();
            all.extend_from_slice(listed);
            more += left_out;
        }
        let sides = [energy.through.received(), energy.through.delivered()];
        if let Some(figure) = sides.iter().flatten().next() {
            let (listed, left_out) = figure.remarks();
            all.extend_from_slice(listed);
            more += left_out;
        }
        for bus in &energy.voltages {
            let (_, listed, left_out) = voltage_row(bus).apart();
            all.extend(listed);
            more += left_out;
        }
    }
    more += all.len().saturating_sub(REMARKS_MAX);
    let rows = all.iter().take(REMARKS_MAX).map(|remark| {
        let is_known = matches!(remark.what, What::Counter(_, true) | What::BusDead);
        let came = if is_known {
            Cell::Verdict(Mark::Good, words.say("vẫn biết được", "known nevertheless"))
        } else {
            Cell::Verdict(Mark::Doubt, words.say("chưa rõ", "not known"))
        };
        vec![
            text(&remark.place),
            Cell::Instant(remark.at),
            remark.until.map_or(Cell::Empty, Cell::Instant),
            text(remark.what.text(facts.lang)),
            came,
        ]
    });
    let table = Table {
        id: "energy_remarks",
        caption: words.say("Lưu ý về công tơ và điện áp", "Remarks on counters and voltages"),
        columns: vec![
            words.column("place", "Ở đâu", "Where", 22),
            words.column("from", "Từ", "From", 18),
            words.column("until", "Đến", "Until", 18),
            words.column("remark", "Lưu ý", "Remark", 40),
            words.column("figure", "Số liệu", "Figure", 16),
        ],
        rows: rows.collect(),
        total: None,
    };
    (table, more)
}

fn voltage_row(bus: &BusVoltage) -> FigureRow<Cell> {
    let duration = |ms: &u64| Cell::Duration(i64::try_from(*ms).unwrap_or(i64::MAX));
    let mut row = FigureRow::new();
    row.cell(text(&bus.station)).cell(text(&bus.bay)).cell(Cell::Count(bus.level.into()));
    row.add(&bus.within(), |share| Cell::TimeShare(*share, DECIMALS, None));
    row.add(&bus.range(), |(low, _)| Cell::Number(*low, 2));
    row.add(&bus.range(), |(_, high)| Cell::Number(*high, 2)).known();
    row.add(&bus.dead_ms(), duration).add(&bus.doubtful_ms(), duration);
    row
}

fn voltage(facts: &Facts) -> Table {
    let words = facts.words();
    let all = facts.energies.iter().flat_map(|energy| &energy.voltages);
    // Their remarks are in the list of them above.
    let rows = all.map(|bus| voltage_row(bus).apart().0);
    Table {
        id: "voltage",
        caption: words.say("Điện áp thanh cái trong ±5 %", "Voltage of busbars within ±5 %"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("bus", "Thanh cái", "Busbar", 10),
            words.column("nominal", "Danh định, kV", "Nominal, kV", 10),
            words.column("within", "Trong ±5 %", "Within ±5 %", 12).holding(Holds::TimeShares),
            words.column("lowest", "Thấp nhất, kV", "Lowest, kV", 12),
            words.column("highest", "Cao nhất, kV", "Highest, kV", 12),
            words.column("known", "Biết được", "Known", 12).holding(Holds::TimeShares),
            words.column("dead", "Mất điện", "Dead", 12).holding(Holds::Times),
            words.column("doubtful", "TU nghi hỏng", "VT in doubt", 12).holding(Holds::Times),
        ],
        rows: rows.collect(),
        total: None,
    }
}
