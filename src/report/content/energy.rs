//! Energy through each station, what is lost in it, and the voltage of its busbars.

use super::{DECIMALS, text, titled};
use crate::report::energy::{Metered, StationEnergy};
use crate::report::facts::Facts;
use crate::report::sheets::{Cell, Part, Sheet, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let name = words.say("Điện năng, điện áp", "Energy and voltage");
    if facts.energies.is_empty() {
        let note = words.note(
            "Trong kỳ không lưu giá trị đo, nên không có điện năng và điện áp.",
            "No values were kept in this period, so there is no energy and no voltage.",
        );
        return titled("energy", name, vec![note]);
    }
    let parts = vec![
        Part::Table(energy(facts)),
        Part::Table(voltage(facts)),
        words.note(
            "Nhận: công tơ phía 110 kV của máy biến áp. Giao: công tơ các xuất tuyến. Chênh lệch là tổn thất trong trạm \
             và tự dùng. Điện năng bán theo công tơ khách hàng không đi qua SCADA. Phần có số liệu: từ giá trị đầu đến \
             giá trị cuối, so với cả kỳ.",
            "Received: counters at the 110 kV side of transformers. Delivered: counters of the feeders. The difference \
             is lost in the station or used by it. Energy sold by customers' meters does not come over SCADA. Covered: \
             from the first value to the last one, of the whole period.",
        ),
    ];
    titled("energy", name, parts)
}

fn energy(facts: &Facts) -> Table {
    let words = facts.words();
    let mut all = (Metered::default(), Metered::default());
    let rows = facts.energies.iter().map(|energy| {
        add(&mut all.0, &energy.received);
        add(&mut all.1, &energy.delivered);
        let station = &facts.province.stations[energy.station.index()];
        let mut row = vec![text(&station.id), text(station.name.get(facts.lang))];
        row.extend(cells(&energy.received, &energy.delivered));
        row
    });
    let rows = rows.collect();
    let mut total = vec![Cell::Text(words.say("Tổng", "All")), Cell::Empty];
    total.extend(cells(&all.0, &all.1));
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
            words.column("counters", "Công tơ có số liệu", "Counters with values", 12),
            words.column("covered", "Phần có số liệu", "Covered", 12),
            words.column("resets", "Số lần về không", "Resets", 9),
        ],
        rows,
        total: Some(total),
    }
}

fn add(sum: &mut Metered, other: &Metered) {
    sum.kwh += other.kwh;
    sum.counters += other.counters;
    sum.covered += other.covered;
    sum.resets += other.resets;
}

fn cells(received: &Metered, delivered: &Metered) -> [Cell; 7] {
    let lost = received.kwh - delivered.kwh;
    let mut counters = received.counters;
    counters += delivered.counters;
    let mut covered = received.covered;
    covered += delivered.covered;
    let share =
        if received.kwh > 0.0 { Cell::Number(100.0 * lost / received.kwh, 2) } else { Cell::Empty };
    [
        Cell::Number(received.kwh / 1_000.0, 1),
        Cell::Number(delivered.kwh / 1_000.0, 1),
        Cell::Number(lost / 1_000.0, 1),
        share,
        Cell::Share(counters, DECIMALS, None),
        Cell::TimeShare(covered, DECIMALS, None),
        Cell::Count((received.resets + delivered.resets).into()),
    ]
}

fn voltage(facts: &Facts) -> Table {
    let words = facts.words();
    let mut rows = Vec::new();
    for energy in &facts.energies {
        let StationEnergy { station, voltages, .. } = energy;
        let station = &facts.province.stations[station.index()];
        for bus in voltages {
            let bay = &station.bays[bus.bay];
            let (low, high) = bus.range.unzip();
            let kv = |kv: Option<f64>| kv.map_or(Cell::Empty, |kv| Cell::Number(kv, 2));
            rows.push(vec![
                text(&station.id),
                text(&bay.name),
                Cell::Count(bay.level.into()),
                Cell::TimeShare(bus.within, DECIMALS, None),
                kv(low),
                kv(high),
            ]);
        }
    }
    Table {
        id: "voltage",
        caption: words.say("Điện áp thanh cái trong ±5 %", "Voltage of busbars within ±5 %"),
        columns: vec![
            words.column("station", "Trạm", "Station", 8),
            words.column("bus", "Thanh cái", "Busbar", 10),
            words.column("nominal", "Danh định, kV", "Nominal, kV", 10),
            words.column("within", "Trong ±5 %", "Within ±5 %", 12),
            words.column("lowest", "Thấp nhất, kV", "Lowest, kV", 12),
            words.column("highest", "Cao nhất, kV", "Highest, kV", 12),
        ],
        rows,
        total: None,
    }
}
