//! A month as a utility files it: ten stations, two centres, nine sheets.

use super::{charts, column, declared, filled, share, text};
use crate::sheets::{Cell, Chart, Mark, Report, Series, Shape, Sheet, SheetPart, Table};
use config::{Date, Lang, Zone};
use historian::counts::Share;
use signal::clock::Timestamp;

const STATIONS: [&str; 10] = [
    "Đông Hà",
    "Gio Linh",
    "Vĩnh Linh",
    "Hải Lăng",
    "Khe Sanh",
    "Lao Bảo",
    "Tà Rụt",
    "Quán Ngang",
    "Triệu Phong",
    "Cam Lộ",
];
const CENTRES: [&str; 2] = ["A1", "TTĐK"];

/// Numbers that look like chance and are always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(u32::try_from(self.below(1_000_000)).unwrap_or(0)) / 1e6
    }
}

struct Author {
    lang: Lang,
    chance: Chance,
}

/// The month in a language.
pub(crate) fn month(lang: Lang) -> Report {
    let mut author = Author { lang, chance: Chance(11) };
    let sheets = vec![
        author.summary(),
        author.stations(),
        author.missing(),
        author.quality(),
        author.links(),
        author.metering(),
        author.alarms(),
        author.exclusions(),
        author.method(),
    ];
    let report = declared(Report {
        lang,
        zone: Zone::hours(7),
        title: author.say("Thống kê, đánh giá vận hành SCADA các trạm 110 kV", "SCADA operation of 110 kV stations"),
        subtitle: author.say(
            "Công ty Điện lực Quảng Trị · tháng 11/2026 · 01/11/2026 00:00 đến 30/11/2026 24:00 (UTC+7)",
            "Quảng Trị Power Company · November 2026 · 2026-11-01 00:00 to 2026-11-30 24:00 (UTC+7)",
        ),
        sheets,
    });
    assert_eq!(charts(&report).count(), 4);
    report
}

impl Author {
    fn say(&self, vi: &str, en: &str) -> String {
        if self.lang == Lang::Vi { vi } else { en }.to_owned()
    }

    fn text(&self, vi: &str, en: &str) -> Cell {
        Cell::Text(self.say(vi, en))
    }

    fn good(&self) -> Cell {
        Cell::Verdict(Mark::Good, self.say("đạt", "reached"))
    }

    fn bad(&self) -> Cell {
        Cell::Verdict(Mark::Bad, self.say("chưa đạt", "missed"))
    }

    fn columns(&self, columns: &[(&'static str, &str, &str, u8)]) -> Vec<super::SheetColumn> {
        columns.iter().map(|(id, vi, en, width)| column(id, &self.say(vi, en), *width)).collect()
    }

    fn sheet(&self, id: &'static str, vi: &str, en: &str, parts: Vec<SheetPart>) -> Sheet {
        Sheet { id, name: self.say(vi, en), parts }
    }

    fn summary(&mut self) -> Sheet {
        let against = |have, want, target| Cell::Share(Share::new(have, want), 2, Some(target));
        let columns = self.columns(&[
            ("figure", "Chỉ tiêu", "Figure", 44),
            ("reached", "Thực hiện, %", "Reached, %", 12),
            ("target", "Mục tiêu, %", "Target, %", 10),
            ("verdict", "Đánh giá", "Verdict", 12),
            ("before", "Tháng trước, %", "Month before, %", 12),
        ]);
        let rows = vec![
            vec![
                self.text("Trạm kết nối đủ các trung tâm", "Stations connected to every centre"),
                against(10, 10, 100.0),
                Cell::Number(100.0, 1),
                self.good(),
                share(9, 10),
            ],
            vec![
                self.text("Trạm đủ tín hiệu", "Stations with all signals"),
                against(7, 10, 90.0),
                Cell::Number(90.0, 1),
                self.bad(),
                share(6, 10),
            ],
            vec![
                self.text("Trạm không người trực", "Unmanned stations"),
                against(9, 10, 90.0),
                Cell::Number(90.0, 1),
                self.good(),
                share(9, 10),
            ],
            vec![
                self.text("Công tơ đo xa", "Meters read remotely"),
                against(199_449, 268_800, 74.2),
                Cell::Number(74.2, 1),
                self.bad(),
                share(197_310, 268_412),
            ],
        ];
        let months = (0..13).map(|n| format!("{:02}/{}", (10 + n) % 12 + 1, 2025 + (10 + n) / 12));
        let values = (0..13).map(|n| Some(f64::from(40 + (n * 5 / 2).min(30)))).collect();
        let parts = vec![
            SheetPart::Note(self.say(
                "Số liệu tính từ danh mục tín hiệu bắt buộc theo mẫu trạm và lịch sử thu thập trong tháng. Tỷ lệ luôn kèm tử số và mẫu số; 100 % chỉ ghi khi đủ.",
                "Figures follow from the signals that the templates require and from what was collected in the month. Every share has its counts beside it; 100 % is written only when nothing is missing.",
            )),
            SheetPart::Table(Table {
                id: "headline",
                caption: self.say("Bốn chỉ tiêu của tháng", "The four figures of the month"),
                columns,
                rows,
                total: None,
            }),
            SheetPart::Chart(Chart {
                id: "full_by_month",
                caption: self.say("Trạm đủ tín hiệu trong 13 tháng", "Stations with all signals in 13 months"),
                shape: Shape::Bars,
                unit: "%".to_owned(),
                categories: months.collect(),
                series: vec![Series { name: self.say("Đủ tín hiệu", "All signals"), values }],
                target: Some(90.0),
            }),
        ];
        self.sheet("summary", "Tổng hợp", "Summary", parts)
    }

    fn stations(&mut self) -> Sheet {
        let columns = self.columns(&[
            ("station", "Trạm", "Station", 14),
            ("centre", "Trung tâm", "Centre", 9),
            ("full", "Tín hiệu", "Signals", 12),
            ("link", "Kết nối", "Link", 16),
            ("losses", "Số lần mất", "Losses", 8),
            ("lost", "Thời gian mất, h", "Lost, h", 11),
            ("live", "Sống", "Live", 10),
            ("right", "Đúng", "Right", 10),
            ("cause", "Nguyên nhân", "Cause", 34),
            ("unit", "Đơn vị xử lý", "Handled by", 16),
            ("due", "Hạn", "Due", 11),
        ]);
        let mut rows = Vec::new();
        for (n, station) in STATIONS.iter().enumerate() {
            for (m, centre) in CENTRES.iter().enumerate() {
                let lost = self.chance.below(4);
                let (is_full, is_linked) = (n % 4 != 1 || m == 0, (n, m) != (4, 1));
                let want = 700 * 2_592_000;
                let live = Share::new(want - self.chance.below(40_000_000), want);
                let tested = if n == 6 { 0 } else { 214 };
                rows.push(vec![
                    text(station),
                    text(centre),
                    if is_full {
                        Cell::Verdict(Mark::Good, self.say("đủ", "full"))
                    } else {
                        Cell::Verdict(Mark::Bad, self.say("thiếu", "not full"))
                    },
                    if is_linked {
                        Cell::Verdict(Mark::Good, self.say("đang kết nối", "link up"))
                    } else {
                        Cell::Verdict(Mark::Doubt, self.say("chưa có kết nối", "never connected"))
                    },
                    Cell::Count(lost),
                    Cell::Duration(i64::try_from(lost * self.chance.below(9_000_000)).unwrap_or(0)),
                    Cell::Share(live, 2, Some(98.0)),
                    share(tested, tested),
                    if is_full {
                        Cell::Empty
                    } else {
                        self.text(
                            "Ngăn 172 chưa khai báo trong cơ sở dữ liệu trung tâm, chờ cấu hình lại RTU",
                            "Bay 172 is not in the centre's database; the RTU is to be configured anew",
                        )
                    },
                    if is_full { Cell::Empty } else { self.text("Đội SCADA", "SCADA crew") },
                    if is_full { Cell::Empty } else { Cell::Day(Date { year: 2026, month: 12, day: 15 }) },
                ]);
            }
        }
        let total = Some(filled(
            11,
            vec![
                self.text("Cộng", "Total"),
                Cell::Empty,
                Cell::Empty,
                Cell::Empty,
                Cell::Count(31),
                Cell::Duration(268_931_000),
                Cell::Share(Share::new(35_953_120_000, 36_288_000_000), 2, Some(98.0)),
                share(3_852, 3_852),
            ],
        ));
        let caption = self.say("Từng trạm tại từng trung tâm", "Every station at every centre");
        let table = Table { id: "stations", caption, columns, rows, total };
        self.sheet(
            "stations",
            "Trạm × trung tâm",
            "Station × centre",
            vec![SheetPart::Table(table)],
        )
    }

    fn missing(&mut self) -> Sheet {
        let columns = self.columns(&[
            ("station", "Trạm", "Station", 14),
            ("bay", "Ngăn", "Bay", 7),
            ("signal", "Tín hiệu", "Signal", 42),
            ("kind", "Loại", "Kind", 14),
            ("centre", "Trung tâm", "Centre", 9),
            ("reason", "Vì sao", "Reason", 22),
            ("since", "Từ", "Since", 11),
            ("seen", "Lần cuối có giá trị", "Last value", 19),
        ]);
        let reasons = [
            ("chưa có trong CSDL", "not in database", Mark::Bad),
            ("chưa thử E2E", "no E2E record", Mark::Doubt),
            ("không trả lời", "no reply", Mark::Bad),
        ];
        let rows = (0..60_u8).map(|n| {
            let (vi, en, mark) = reasons[usize::from(n % 7 % 3)];
            let seen = Timestamp(1_793_000_000_000 + i64::from(n) * 31_415_926);
            vec![
                text(STATIONS[usize::from(n / 6)]),
                text(["171", "172", "131", "431"][usize::from(n % 4)]),
                [
                    self.text("Máy cắt: trạng thái hai bit", "Circuit breaker: double point"),
                    self.text(
                        "Bảo vệ so lệch dọc đường dây 87L tác động",
                        "Line differential protection 87L operated",
                    ),
                    self.text("Công suất tác dụng P", "Active power P"),
                ][usize::from(n % 3)]
                .clone(),
                self.text("trạng thái", "status"),
                text(CENTRES[usize::from(n % 2)]),
                Cell::Verdict(mark, self.say(vi, en)),
                Cell::Day(Date { year: 2026, month: 10, day: n % 28 + 1 }),
                if n % 3 == 0 { Cell::Empty } else { Cell::Instant(seen) },
            ]
        });
        let rows = rows.collect();
        let caption = self.say("Tín hiệu bắt buộc còn thiếu", "Required signals that are missing");
        let table = Table { id: "missing", caption, columns, rows, total: None };
        let note = SheetPart::Note(
            self.say("Mỗi dòng một tín hiệu tại một trung tâm.", "A row is a signal at a centre."),
        );
        self.sheet(
            "missing",
            "Tín hiệu thiếu",
            "Missing signals",
            vec![note, SheetPart::Table(table)],
        )
    }

    fn quality(&mut self) -> Sheet {
        let series = CENTRES.iter().enumerate().map(|(n, centre)| {
            let values = (0..30).map(|day| {
                let value =
                    self.chance.real(98.6, 99.95) - if day == 9 && n == 1 { 2.1 } else { 0.0 };
                (n == 1 || day != 16).then_some(value)
            });
            Series { name: (*centre).to_owned(), values: values.collect() }
        });
        let chart = Chart {
            series: series.collect(),
            id: "live_by_day",
            caption: self.say("Tín hiệu sống theo ngày", "Live signals by day"),
            shape: Shape::Line,
            unit: "%".to_owned(),
            categories: (1..=30).map(|day| format!("{day:02}/11")).collect(),
            target: Some(98.0),
        };
        let groups =
            [("Đo lường", "Measurements"), ("Trạng thái", "Statuses"), ("Cảnh báo", "Alarms")];
        let columns = self.columns(&[
            ("group", "Nhóm tín hiệu", "Group", 24),
            ("points", "Số tín hiệu", "Signals", 10),
            ("live", "Sống trung bình, %", "Live on average, %", 12),
            ("worst", "Ngày thấp nhất", "Lowest day", 12),
        ]);
        let rows = groups.map(|(vi, en)| {
            vec![
                self.text(vi, en),
                Cell::Count(1_200 + self.chance.below(3_000)),
                share(99_000_000 + self.chance.below(900_000), 100_000_000),
                Cell::Day(Date { year: 2026, month: 11, day: 10 }),
            ]
        });
        let caption = self.say("Theo nhóm tín hiệu", "By group of signals");
        let table = Table { id: "groups", caption, columns, rows: rows.to_vec(), total: None };
        let parts = vec![SheetPart::Chart(chart), SheetPart::Table(table)];
        self.sheet("quality", "Chất lượng", "Quality", parts)
    }

    fn links(&mut self) -> Sheet {
        let columns = self.columns(&[
            ("station", "Trạm", "Station", 14),
            ("centre", "Trung tâm", "Centre", 9),
            ("requests", "Số lần hỏi", "Requests", 12),
            ("answered", "Được trả lời, %", "Answered, %", 12),
            ("median", "RTT giữa, ms", "RTT median, ms", 10),
            ("p95", "RTT 95 %, ms", "RTT 95 %, ms", 10),
            ("longest", "Lần mất dài nhất, h", "Longest loss, h", 11),
            ("longest_at", "Từ lúc", "From", 19),
        ]);
        let rows = (0..20).map(|n| {
            let asked = 7_776_000 + self.chance.below(90_000);
            vec![
                text(STATIONS[n / 2]),
                text(CENTRES[n % 2]),
                Cell::Count(asked),
                share(asked - self.chance.below(12_000), asked),
                Cell::Number(self.chance.real(8.0, 40.0), 1),
                Cell::Number(self.chance.real(60.0, 400.0), 1),
                Cell::Duration(i64::try_from(self.chance.below(20_000_000)).unwrap_or(0)),
                Cell::Instant(Timestamp(
                    1_793_900_000_000 + 86_400_000 * i64::try_from(n).unwrap_or(0),
                )),
            ]
        });
        let rows = rows.collect();
        let caption = self.say("Kênh truyền trong tháng", "Links in the month");
        let table = Table { id: "links", caption, columns, rows, total: None };
        let series = CENTRES.map(|centre| Series {
            name: centre.to_owned(),
            values: STATIONS.iter().map(|_| Some(self.chance.real(0.0, 9.0))).collect(),
        });
        let outages = Chart {
            id: "outages",
            caption: self.say("Thời gian mất kết nối theo trạm", "Time without link by station"),
            shape: Shape::Bars,
            unit: "h".to_owned(),
            categories: STATIONS.map(|station| format!("110 kV {station}")).to_vec(),
            series: series.to_vec(),
            target: None,
        };
        let parts = vec![SheetPart::Table(table), SheetPart::Chart(outages)];
        self.sheet("links", "Kênh", "Links", parts)
    }

    fn metering(&mut self) -> Sheet {
        let columns = self.columns(&[
            ("district", "Điện lực", "District", 18),
            ("technology", "Công nghệ", "Technology", 14),
            ("coverage", "Đo xa", "Coverage", 12),
            ("read", "Đọc được trong ngày", "Read the same day", 12),
        ]);
        let technologies = ["RF", "PLC", "GPRS"];
        let rows = (0..15).map(|n| {
            let meters = 9_000 + self.chance.below(20_000);
            let remote = meters - self.chance.below(6_000);
            vec![
                text(["Đông Hà", "Gio Linh", "Hải Lăng", "Hướng Hóa", "Vĩnh Linh"][n / 3]),
                text(technologies[n % 3]),
                Cell::Share(Share::new(remote, meters), 2, Some(74.2)),
                share(remote - self.chance.below(400), remote),
            ]
        });
        let rows = rows.collect();
        let total = Some(vec![
            self.text("Cộng", "Total"),
            Cell::Empty,
            share(199_449, 268_800),
            share(195_020, 199_449),
        ]);
        let caption =
            self.say("Công tơ theo điện lực và công nghệ", "Meters by district and technology");
        let table = Table { id: "metering", caption, columns, rows, total };
        self.sheet("metering", "Đo xa", "Metering", vec![SheetPart::Table(table)])
    }

    fn alarms(&mut self) -> Sheet {
        let columns = self.columns(&[
            ("signal", "Tín hiệu", "Signal", 48),
            ("count", "Số lần", "Count", 8),
            ("of_all", "Phần của tất cả, %", "Of all, %", 12),
        ]);
        let rows = (0_u64..).zip(STATIONS).map(|(n, station)| {
            let count = 412 - n * 37;
            vec![text(&format!("{station} 171 · 87L")), Cell::Count(count), share(count, 5_120)]
        });
        let rows = rows.collect();
        let chart = Chart {
            id: "alarms_by_day",
            caption: self.say("Cảnh báo theo ngày", "Alarms by day"),
            shape: Shape::Line,
            unit: self.say("cảnh báo", "alarms"),
            categories: (1..=30).map(|day| format!("{day:02}/11")).collect(),
            series: vec![Series {
                name: self.say("Cảnh báo", "Alarms"),
                values: (0..30).map(|_| Some(self.chance.real(60.0, 280.0).round())).collect(),
            }],
            target: Some(150.0),
        };
        let caption = self.say("Mười tín hiệu nhiều nhất", "The ten most frequent");
        let table = Table { id: "top_ten", caption, columns, rows, total: None };
        let parts = vec![SheetPart::Table(table), SheetPart::Chart(chart)];
        self.sheet("alarms", "Cảnh báo", "Alarms", parts)
    }

    fn exclusions(&mut self) -> Sheet {
        let columns = self.columns(&[
            ("station", "Trạm", "Station", 14),
            ("signal", "Tín hiệu", "Signal", 34),
            ("by", "Người duyệt", "Approved by", 24),
            ("until", "Đến", "Until", 11),
            ("raw", "Sống khi không loại trừ, %", "Live without exclusion, %", 14),
        ]);
        let table = Table {
            id: "exclusions",
            caption: self.say("Tín hiệu được loại trừ", "Excluded signals"),
            columns,
            rows: Vec::new(),
            total: None,
        };
        self.sheet("exclusions", "Loại trừ", "Exclusions", vec![SheetPart::Table(table)])
    }

    fn method(&mut self) -> Sheet {
        let columns = self.columns(&[("what", "Mục", "What", 26), ("how", "Cách tính", "How", 90)]);
        let rows = vec![
            vec![
                self.text("Đủ tín hiệu", "Full"),
                self.text(
                    "Mọi tín hiệu bắt buộc của mẫu trạm có trong cơ sở dữ liệu của trung tâm và có biên bản end-to-end còn hiệu lực. Mất kết nối không làm thay đổi kết quả này.",
                    "Every signal that the templates require is in the centre's database and has a valid end-to-end record. A lost link does not change it.",
                ),
            ],
            vec![
                self.text("Sống", "Live"),
                self.text(
                    "Thời gian tín hiệu tươi và dùng được chia cho thời gian của tháng, trừ phần được loại trừ; cộng theo giây rồi mới chia.",
                    "Time in which a signal was fresh and usable, of the time of the month less what is excluded; summed in seconds, divided last.",
                ),
            ],
            vec![self.text("Phiên bản", "Version"), text("gridwatch 0.1.0 · sha256 4f2c9e… · seed 7")],
        ];
        let caption = self.say("Định nghĩa", "Definitions");
        let table = Table { id: "method", caption, columns, rows, total: None };
        let note = SheetPart::Note(self.say(
            "Báo cáo này được lập lại giống hệt từng byte khi cùng hợp đồng, cùng lịch sử.",
            "The same contract and history make the same report, byte for byte.",
        ));
        self.sheet("method", "Cách tính", "Method", vec![note, SheetPart::Table(table)])
    }
}
