//! Every text that operators read, in both languages: one line each, checked by the compiler.
//!
//! Texts with arguments are functions beside the place that uses them. Names of stations, points
//! and centres are not here: they come from the contract.

use config::Lang;

macro_rules! texts {
    ($($name:ident => $vi:literal, $en:literal;)*) => {
        /// A text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Text {
            $(
                #[doc = concat!("`", $en, "`")]
                $name,
            )*
        }

        impl Text {
            /// All of them, for the tests.
            #[cfg(test)]
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// In a language.
            pub fn get(self, lang: Lang) -> &'static str {
                let (vi, en) = match self {
                    $(Self::$name => ($vi, $en),)*
                };
                match lang {
                    Lang::Vi => vi,
                    Lang::En => en,
                }
            }
        }
    };
}

texts! {
    // Screens: in crumbs, in the hint bar, and where it is narrow
    Overview => "Tổng quan", "Overview";
    Stations => "Trạm", "Stations";
    Why => "Vì sao", "Why";
    Signals => "Tín hiệu", "Signals";
    Metering => "Đo xa", "Metering";
    Links => "Kênh", "Links";
    Alarms => "Cảnh báo", "Alarms";
    Events => "Sự kiện", "Events";
    Help => "Trợ giúp", "Help";
    OverviewShort => "Tổng", "Over";
    StationsShort => "Trạm", "Stn";
    SignalsShort => "T.hiệu", "Sig";
    MeteringShort => "Đoxa", "Meter";
    LinksShort => "Kênh", "Link";
    AlarmsShort => "C.báo", "Alarm";

    // Header and status bar
    UnitsShort => "TB", "units";
    ModeLive => "TRỰC TIẾP", "LIVE";
    NotKept => "KHÔNG LƯU", "NOT KEPT";
    Unconfirmed => "chờ xác nhận xóa", "to forget: unconfirmed";
    UnconfirmedForgetting => "của kho đã quá thời hạn lưu, chờ xác nhận (dừng giám sát rồi chạy)",
        "of the store is too old and waits to be confirmed (stop the monitor and run)";
    NotKeptSince => "KHÔNG LƯU ĐƯỢC LỊCH SỬ từ", "HISTORY IS NOT KEPT since";
    ModePaused => "TẠM DỪNG", "PAUSED";
    ModeDown => "MẤT BỘ THU", "COLLECTOR DOWN";
    ModeStarting => "QUÉT LẦN ĐẦU", "FIRST SCAN";
    Oldest => "cũ nhất", "oldest";
    Limit => "hạn", "limit";
    NoValueYet => "chưa có giá trị", "no value yet";
    FilterNone => "lọc: không", "filter: none";
    FilterIs => "lọc", "filter";
    SortIs => "xếp", "sort";
    At => "tại", "at";
    FindIs => "tìm", "find";
    Hits => "kết quả", "found";
    Quit => "thoát", "quit";
    More => "nữa", "more";

    // Headline figures
    FigureConnected => "KẾT NỐI", "CONNECTED";
    FigureFull => "ĐỦ TÍN HIỆU", "FULL SIGNALS";
    FigureUnmanned => "KHÔNG NGƯỜI TRỰC", "UNMANNED";
    FigureMetering => "ĐO XA CÔNG TƠ", "REMOTE METERING";
    ConnectedShort => "Kết nối", "Link";
    FullShort => "Đủ", "Full";
    UnmannedShort => "KNT", "Unmanned";
    MeteringLine => "Đo xa", "Metering";
    StationsUnit => "trạm", "stations";
    Devices => "thiết bị", "units";
    Target => "mục tiêu", "target";
    ShortBy => "thiếu", "short";
    AheadBy => "dư", "ahead";
    UnmannedLine => "không người trực", "unmanned";
    Declared => "khai báo", "declared";
    Observed => "thực tế", "observed";
    PriorityASignals => "tín hiệu A sống tại", "priority A signals live at";
    NotWatchedLong => "tín hiệu chưa theo dõi đủ lâu để biết là sống", "signals not watched for long enough to say that they are live";
    NotAskedYet => "chưa hỏi hết", "not asked yet";
    NoPriorityA => "mẫu ngăn không có tín hiệu ưu tiên A", "the templates name no priority A signal";
    ColUnmanned => "KNT", "Unm.";
    Uncounted => "chưa đếm", "uncounted";

    // The live box
    RightNow => "NGAY LÚC NÀY", "RIGHT NOW";
    LiveMeans => "sống = tươi và dùng được", "live = fresh and usable";
    Live => "sống", "live";
    Right => "đúng", "right";
    LiveStart => "Sống", "Live";
    Excluded => "loại trừ", "excluded";
    Raw => "thô", "raw";
    NoneEvaluable => "chưa đánh giá được", "not evaluable yet";
    OpenFindings => "mâu thuẫn", "open findings";

    // Stations that need attention
    Attention => "TRẠM CẦN CHÚ Ý", "STATIONS THAT NEED ATTENTION";
    AttentionShort => "TRẠM CẦN CHÚ Ý", "NEED ATTENTION";
    WorstFirst => "nặng nhất trước", "worst first";
    EnterWhy => "Enter: vì sao", "Enter: why";
    AllWell => "Không có trạm cần chú ý.", "No station needs attention.";
    Scanning => "Đang quét lần đầu", "First scan";
    NoStationAnswered => "Không trạm nào trả lời: kiểm tra địa chỉ và đường truyền; chạy thử thì bật 'gridwatch simulate' trước.",
        "No station answered: see to addresses and network; to try it, start 'gridwatch simulate' first.";
    NobodyAnswers => "Không trạm nào trả lời tại", "No station answers at";
    StartSimulator => "Chạy trong cửa sổ kia:", "Start it in the other window:";
    ColStation => "Trạm", "Station";
    ColLink => "nối", "link";
    ColFull => "đủ", "full";
    ColRight => "đúng", "right";
    ColLive => "sống %", "live %";
    ColWhy => "vì sao", "why";
    PerhapsEarlier => "có thể từ trước", "perhaps before";
    ColSince => "từ lúc", "since";
    SignalsAt => "số tín hiệu,", "signals,";
    Lacks => "thiếu", "lacks";

    // Verdicts
    IsFull => "đủ", "full";
    NotFull => "thiếu", "not";
    NoneYet => "chưa có", "none";
    LinkUp => "đang kết nối", "link up";
    LinkLost => "mất kết nối", "link lost";
    LinkNever => "chưa có kết nối", "never connected";
    HeartbeatStands => "lặp lại giá trị cũ: nhịp sống đứng yên", "repeats what it had: heartbeat stands still";
    GatewayHangs => "gateway treo", "gateway hangs";
    LostShort => "mất", "lost";
    NeverShort => "chưa", "none";
    Always => "từ đầu", "always";
    SinceWord => "từ", "since";

    // The reasons box
    Reasons => "NGUYÊN NHÂN", "REASONS";
    NotLiveFor => "chưa sống vì", "not live because";
    BesidesLive => "chưa đủ, chưa đúng vì", "not full or right for";
    Nothing => "không có gì", "nothing";
    NotLiveBy => "Chưa sống", "Not live";

    // The Modbus box
    Modbus => "KÊNH MODBUS", "MODBUS";
    PerSecond => "hỏi/s", "requests/s";
    Errors => "lỗi", "errors";
    NoReply => "không trả lời", "no reply";
    Refused => "từ chối", "refused";
    Undecodable => "bản tin lỗi", "bad frames";
    Missed => "bỏ lỡ", "missed slots";
    Window => "trong", "window";
    StrayReplies => "trả lời không khớp", "stray replies";
    LinksUp => "đường kết nối", "links up";
    LastReply => "trả lời cuối", "last reply";

    // The stations screen
    NeedAttention => "cần chú ý", "need attention";
    FullStations => "đủ", "full";
    ColExcluded => "Ltrừ", "Excl";
    ColUnits => "TB", "Units";
    ColLinkTitle => "Nối", "Link";
    ColFullTitle => "Đủ", "Full";
    ColRightTitle => "Đúng", "Right";
    ColLiveAt => "sống", "live";
    Province => "TOÀN TỈNH", "PROVINCE";
    LegendLink => "Nối    có đường về trung tâm", "Link   a path to the centre is up";
    LegendFull => "Đủ   mọi điểm bắt buộc đã khai báo và thử E2E",
        "Full   every required point mapped and E2E-tested";
    LegendRight => "Đúng   không có mâu thuẫn",
        "Right  no open finding that breaks \"right\"";
    LegendLive => "sống tươi và dùng được, không kể lệnh và loại trừ",
        "live   fresh and usable; commands, exclusions aside";
    EscClearsFilter => "Esc bỏ lọc", "Esc clears the filter";

    // The Why screen
    WhyNotFull => "VÌ SAO CHƯA ĐỦ", "WHY NOT FULL";
    WhyFull => "ĐỦ TÍN HIỆU", "FULL";
    WhyNow => "ngay lúc này", "right now";
    WhyRemedy => "làm gì để đủ", "what would make it full";
    WhyNotCause => "không phải nguyên nhân", "not the cause";
    ColCount => "n", "n";
    ColReason => "nguyên nhân", "reason";
    ColAt => "tại", "at";
    ColWhere => "ở đâu", "where";
    ColEvidence => "bằng chứng", "evidence";
    MissingWord => "chưa có", "missing";
    UntestedWord => "chưa E2E", "untested";
    AllPresent => "mọi tín hiệu bắt buộc đã khai báo và thử E2E",
        "every required point is mapped and E2E-tested";
    NothingLive => "mọi tín hiệu đã khai báo đang sống và đúng",
        "every mapped point is live and right";
    DoTest => "thử E2E", "E2E test of";
    DoMap => "khai báo và thử E2E", "map and E2E-test";
    ToProvince => "tỉnh", "province";
    MappedLive => "điểm đã khai báo đang sống", "mapped points live";
    UnitsAnswer => "thiết bị trả lời", "units answer";
    RightPoints => "điểm đã kiểm tra, không có mâu thuẫn", "points that were tested, no finding";
    NothingRuledOut => "chưa loại trừ được gì", "nothing could be ruled out yet";
    CopyHint => "y chép", "y copy as text";
    EscClose => "Esc đóng", "Esc close";
    EnterSignals => "Enter tín hiệu", "Enter signals";
    WholeStation => "cả trạm", "whole station";

    // The signals screen
    Of => "của", "of";
    ColSignal => "Tín hiệu", "Signal";
    ColBay => "Ngăn", "Bay";
    ColKind => "Loại", "Kind";
    ColValue => "Giá trị", "Value";
    ColQuality => "Q", "Q";
    ColAge => "Tuổi", "Age";
    ColSource => "Nguồn", "Source";
    ReasonChips => "lý do", "reason";
    NoFailing => "không có tín hiệu chưa đạt", "no failing signals";
    Optional => "t.chọn", "opt.";
    KindMeasurement => "đo", "meas";
    KindSingle => "TT", "SP";
    KindDouble => "TTK", "DP";
    KindCommand => "lệnh", "cmd";
    KindCounter => "đếm", "cnt";
    PositionBetween => "tr.gian 00", "between 00";
    PositionOpen => "cắt", "open";
    PositionClosed => "đóng", "closed";
    PositionContradictory => "m.thuẫn 11", "both 11";
    FilterTitle => "LỌC THEO LÝ DO", "FILTER BY REASON";
    FilterAll => "tất cả", "all";

    // Evidence
    NotRequired => "không bắt buộc", "not required";
    NotSentHere => "không gửi về đây", "not sent here";
    ByTemplate => "theo mẫu", "by template";
    Unit => "thiết bị", "unit";
    Scan => "quét", "scan";
    Good => "tốt", "good";
    TestedOn => "E2E", "E2E";
    ValueWord => "giá trị", "value";
    LastValue => "giá trị cuối", "last value";
    NeverCame => "chưa nhận lần nào", "never received";
    AgeWord => "tuổi", "age";
    RawWord => "giá trị gốc", "raw";
    FlagsWord => "cờ chất lượng", "flags";
    FlagsNone => "không", "none";
    RangeWord => "dải", "range";
    RequestWord => "hỏi", "request";
    ReplyWord => "đáp", "reply";
    NoReplyYet => "không có trả lời", "no reply";
    NotAsked => "chưa hỏi lần nào", "not asked yet";
    CommandNotRead => "lệnh: không có giá trị để đọc", "command: no value to read";
    ExcludedSince => "loại trừ được duyệt", "approved exclusion";
    FindingWord => "mâu thuẫn", "finding";
    BytesWord => "byte", "bytes";

    // Metering
    ByDistrict => "THEO HUYỆN", "BY DISTRICT";
    ByClass => "THEO CÔNG NGHỆ", "BY TECHNOLOGY";
    ByStation => "THEO TRẠM", "BY STATION";
    SortLowest => "thấp nhất trước", "lowest first";
    SortShort => "thiếu nhiều nhất trước", "most short first";
    SortContract => "theo hợp đồng", "in contract order";
    ColDistrict => "Huyện", "District";
    ColClass => "Công nghệ", "Technology";
    ColTotal => "tổng", "total";
    ColRemote => "có đo xa", "remote";
    ColPercent => "%", "%";
    ColAgainst => "so mục tiêu", "against target";
    ColShort => "thiếu", "short";
    WholeProvince => "Cả tỉnh", "Province";
    ReadingCheck => "ĐỌC VÀ ĐẾM", "READS AND COUNTS";
    NoReads => "chưa có số đọc ngày", "no daily reads yet";
    CountedNever => "chưa đếm nhóm nào", "no group counted yet";
    SoldRemotely => "điện bán: đọc xa", "sold: remote";
    SoldByHand => "ghi tại chỗ", "by hand";
    UpTo => "đến", "to";
    LastOn => "ngày", "on";
    MetersUncounted => "công tơ chưa đếm", "meters uncounted";
    Agrees => "số lắp đặt khớp", "counts agree";
    Differs => "lệch hợp đồng:", "differ from contract:";
    Reported => "báo", "reports";
    ContractWord => "hợp đồng", "contract";
    SellsNothing => "không bán", "not sold";
    OnTime => "đúng hạn", "on time";
    CameLate => "trễ", "late";
    Backfilled => "bù", "filled in";
    StayedAway => "mất", "missing";
    HalfHoursOf => "nửa giờ", "half hours";
    ForDay => "· số liệu", "for";
    ThatDay => "cùng ngày, trước 06:00", "that day by 06:00";
    GroupHint => "v nhóm", "v group";
    ReadsHint => "v nhóm  r đọc", "v group  r reads";
    ReadFirst => "đọc ngày trước 06:00", "daily reads by 06:00";
    ReadFinal => "đọc ngày sau hết hạn thử lại (N+3)", "daily reads in the end (D+3)";
    ReadIntervals => "đủ nửa giờ", "half hours complete";
    ReadMinutes => "phút DCU trực tuyến", "DCU minutes online";
    ColFirst => "đến 06:00", "by 06:00";
    ColFinal => "sau N+3", "in 3 d";
    ColIntervals => "nửa giờ", "30 min";
    ColMinutes => "phút DCU", "DCU min";
    ColFirstPercent => "06:00 %", "06:00 %";
    ColFinalPercent => "N+3 %", "3 d %";
    ColIntervalsPercent => "30 ph %", "30 min %";
    ColMinutesPercent => "DCU %", "DCU %";
    LineFirst => "đọc trước 06:00 ngày", "read by 06:00";
    LineFinal => "sau hết hạn thử lại", "read in 3 d";
    LineIntervals => "nửa giờ", "half hours";
    LineMinutes => "phút DCU", "DCU minutes";
    LineOnline => "DCU trực tuyến", "DCU online";
    NotHeard => "chưa nhận", "not heard";
    MetersNotHeard => "công tơ chưa nhận số liệu", "meters not heard of";
    KnownOf => "biết", "known";

    // Links
    PathsWord => "đường", "paths";
    PlantPathsWord => "của nhà máy", "of plants";
    PlantUncounted => " · nhà máy, không tính vào số trạm", " · plant, in no count of stations";
    LinksWell => "Mọi đường và mọi thiết bị trả lời tốt.", "Every path and every unit answers well.";
    ColDevice => "Thiết bị", "Device";
    ColState => "Hiện nay", "State";
    ColPerSecond => "hỏi/s", "req/s";
    ColNoReply => "k.đáp", "no rep";
    ColRefused => "t.chối", "refus.";
    ColBad => "hỏng", "bad";
    ColStrays => "khác", "stray";
    ColMissed => "bỏ lỡ", "missed";
    ColLastGood => "tốt cuối", "last ok";
    CardNow => "hiện nay", "right now";
    CardDo => "nên làm", "to do";
    CardPath => "đường", "path";
    CardAsked => "đã hỏi", "asked";
    CardOverrun => "quá chu kỳ", "overrun";
    CardStrays => "không khớp", "strays";
    CardAside => "tạm tách", "set aside";
    CardFault => "lỗi cuối", "last fault";
    CardSettings => "cài đặt", "settings";
    CardUnits => "thiết bị", "units";
    UnitSilent => "không trả lời", "does not answer";
    PathGood => "mọi câu hỏi được trả lời", "every request is answered";
    PathGoodUnitsNot => "kênh tốt, thiết bị có lỗi", "the path is good, units are not";
    Reconnects => "nối lại", "reconnects";
    Refusals => "bị từ chối nối", "connections refused";
    Answered => "đáp tốt", "answered";
    Overruns => "quá chu kỳ quét", "overruns";
    LateReplies => "đáp muộn", "late";
    UnknownReplies => "đáp lạ", "unknown";
    PointsRefused => "tín hiệu bị từ chối riêng", "refused alone";
    SetInFlight => "hỏi cùng lúc", "in flight";
    SetReply => "hạn trả lời", "reply deadline";
    SetScan => "hạn quét", "scan deadline";
    SetMost => "mỗi câu nhiều nhất", "at most";
    SetAfterConnect => "nghỉ sau khi nối", "pause after connecting";
    SetBetween => "nghỉ giữa hai câu", "pause between requests";
    SetGap => "đọc lướt ô trống", "gaps read over";
    // Alarms
    Unacknowledged => "chưa xác nhận", "unacknowledged";
    AcknowledgedWord => "xác nhận", "acknowledged";
    ReturnedWord => "đã hết", "returned";
    ColSignals => "tín hiệu", "signals";
    ColWhat => "Nội dung", "What";
    NoAlarms => "Không có cảnh báo nào.", "No alarms.";
    NoSuchAlarms => "Không có cảnh báo nào như vậy · Esc bỏ lọc", "No such alarm · Esc clears the filter";
    AlarmWaits => "a xác nhận · Enter vì sao · cảnh báo đứng cho đến khi hết nguyên nhân", "a acknowledge · Enter why · it stands until its cause is gone";
    AlarmStands => "Enter vì sao · cảnh báo tự mất khi hết nguyên nhân", "Enter why · it leaves the list when its cause is gone";
    AlarmIsGone => "a xác nhận: nguyên nhân đã hết, cảnh báo rời danh sách", "a acknowledge: its cause is gone, it leaves the list";
    KeyAcknowledge => "xác nhận cảnh báo", "acknowledge the alarm";
    KeyAcknowledgePage => "xác nhận cả trang", "acknowledge the page";
    HintAcknowledge => "xác nhận", "ack";
    KeyTab => "cảnh báo ↔ sự kiện", "alarms ↔ events";
    HintEvents => "sự kiện", "events";
    HintAlarms => "cảnh báo", "alarms";
    NothingToAcknowledge => "không còn gì để xác nhận", "nothing left to acknowledge";
    NotTaken => "bộ thu không nhận được, hãy thử lại", "the collector did not take it, try again";
    // Events
    ClockFast => "giờ nhanh", "clock fast";
    ClockSlow => "giờ chậm", "clock slow";
    NotSynchronised => "chưa đồng bộ", "not synchronised";
    ColTime => "Giờ xảy ra", "Time (source)";
    ColCentre => "T.tâm", "Centre";
    ColChange => "Thay đổi", "Change";
    ColDelay => "Trễ đến", "Delay";
    ColMarks => "Ghi chú", "Marks";
    NoSuchPoint => "địa chỉ", "address";
    NoEvents => "Chưa thiết bị nào báo sự kiện.", "No unit has told of an event yet.";
    NoSuchEvents => "Không có sự kiện nào như vậy · Esc bỏ lọc", "No such event · Esc clears the filter";
    DoubtfulOnly => "mất hoặc đáng ngờ", "lost or doubtful";
    RecordsWord => "bản ghi", "records";
    RecordWord => "bản ghi số", "record";
    LostWord => "mất", "lost";
    AgainWord => "trùng", "again";
    ClocksWord => "đồng hồ", "clocks";
    ClockWord => "đồng hồ", "clock";
    Measured => "đã đo", "measured";
    ClocksOff => "lệch", "off";
    ArrivedWord => "đến lúc", "came";
    NotThere => "không có", "not there";

    // Sort orders of lists
    SortSeverity => "nặng nhất", "severity";
    SortOrder => "danh mục", "list order";
    SortLive => "sống thấp nhất", "lowest live";
    SortMissing => "chưa có nhiều nhất", "most missing";
    SortReason => "lý do", "reason";
    SortSince => "mới nhất", "newest";
    SortErrors => "nhiều lỗi nhất", "most errors";
    SortSlowest => "chậm nhất", "slowest";
    FaultsOnly => "chỉ mục lỗi", "faults only";

    // Key descriptions: in help, then in the hint bar
    GroupMove => "DI CHUYỂN", "MOVE";
    GroupFind => "LỌC VÀ TÌM", "FILTER AND FIND";
    GroupHere => "MÀN HÌNH NÀY", "THIS SCREEN";
    GroupGeneral => "CHUNG", "GENERAL";
    GroupScreens => "MÀN HÌNH", "SCREENS";
    KeyUp => "lên", "up";
    KeyDown => "xuống", "down";
    KeyLeft => "trạm trước", "previous station";
    KeyRight => "trạm sau", "next station";
    KeyPageUp => "lên một trang", "page up";
    KeyPageDown => "xuống một trang", "page down";
    KeyFirst => "về đầu", "first";
    KeyLast => "về cuối", "last";
    KeyFind => "tìm theo tên (bỏ dấu)", "find by name";
    KeyNext => "kết quả kế", "next hit";
    KeyPrevious => "kết quả trước", "previous hit";
    KeyFilter => "lọc theo lý do", "filter by reason";
    KeyFaults => "chỉ hiện mục lỗi", "faults only";
    KeySort => "đổi cách sắp xếp", "change sort order";
    KeyWhy => "vì sao", "why";
    KeyOpenSignals => "tín hiệu của dòng này", "signals of this line";
    KeyEvidence => "bằng chứng tín hiệu", "evidence of a signal";
    KeyDevice => "thẻ của thiết bị", "card of the device";
    KeyBasis => "đổi trung tâm", "switch centre";
    KeyVariant => "đổi cách nhóm", "switch grouping";
    KeyMeasure => "đổi chỉ tiêu đọc", "which reads are shown";
    KeyCopy => "chép ra bộ nhớ tạm", "copy to the clipboard";
    KeyBack => "đóng, bỏ lọc, lùi", "close, clear, back";
    KeyLast2 => "màn hình vừa rồi", "previous screen";
    KeyHelp => "trợ giúp", "help";
    KeyLang => "ngôn ngữ vi ↔ en", "language vi ↔ en";
    KeyTheme => "bảng màu", "theme";
    KeyPause => "dừng / chạy tiếp", "pause / resume";
    KeyRedraw => "vẽ lại", "redraw";
    KeySuspend => "tạm dừng chương trình", "suspend";
    KeyQuit => "thoát", "quit";
    HintWhy => "vì sao", "why";
    HintSignals => "tín hiệu", "signals";
    HintEvidence => "bằng chứng", "evidence";
    HintDevice => "thiết bị", "device";
    HintFind => "tìm", "find";
    HintFilter => "lọc", "filter";
    HintFaults => "lỗi", "faults";
    HintSort => "xếp", "sort";
    HintBasis => "t.tâm", "centre";
    HintVariant => "nhóm", "group";
    HintMeasure => "đọc", "reads";
    HintCopy => "chép", "copy";
    HintPause => "dừng", "pause";
    HintBack => "lùi", "back";
    HelpTitle => "TRỢ GIÚP", "HELP";
    HelpEnter => "Enter làm · Esc đóng", "Enter runs it · Esc closes";
    HelpMarks => "KÝ HIỆU CHẤT LƯỢNG", "QUALITY MARKS";
    HelpTelex => "Đang bật gõ tiếng Việt (Telex, VNI)? Phím nào cũng có phím thay, hoặc chọn ở đây rồi Enter.",
        "Vietnamese typing on (Telex, VNI)? Every key has a twin, or choose it here and press Enter.";
    HelpFold => "Ngoài ô nhập: ư ă â ê ô ơ đ được hiểu là w a a e o o d; Backspace không làm gì.",
        "Outside text fields ư ă â ê ô ơ đ are read as w a a e o o d; Backspace does nothing.";

    // Themes
    ThemeDark => "êm-tối", "calm-dark";
    ThemeLight => "êm-sáng", "calm-light";
    ThemeContrast => "tương phản", "contrast";
    ThemeMono => "đơn sắc", "mono";
    ColorsOff => "màu đã tắt (NO_COLOR hoặc --color never)", "colours are off (NO_COLOR or --color never)";

    // Notices and banner
    Copied => "đã chép", "copied";
    NothingToCopy => "không có gì để chép", "nothing to copy";
    NoHits => "không tìm thấy", "not found";
    NotHere => "phím này không dùng ở đây", "this key does nothing here";
    TypeToFind => "gõ tên, Enter tìm, Esc bỏ", "type a name, Enter finds, Esc leaves";
    TaskStopped => "TÁC VỤ DỪNG", "TASK STOPPED";
    CollectorStopped => "BỘ THU DỪNG", "COLLECTOR STOPPED";
    FiguresStand => "số liệu đứng từ", "figures stand since";
    Need => "cần", "need";

    // Files of a report
    Contents => "Mục lục", "Contents";
    ChartData => "Số liệu biểu đồ", "Chart data";
    NoFigure => "không có số liệu", "not known";
    FormNumber => "Biểu mẫu", "Form";
    ReportTitle => "tiêu đề", "title";
    Note => "ghi chú", "note";
    TableFile => "bảng", "table";
    FormHead => "đầu biểu", "form head";
    Signature => "người ký", "signature";
    ToSign => "(Ký, ghi rõ họ tên)", "(signature, full name)";
    ContinuedTable => "tiếp", "continued";
    NoRows => "không có dòng nào", "no rows";
    NoValues => "không có giá trị", "no values";
    Numerator => "tử số", "numerator";
    Denominator => "mẫu số", "denominator";
    ShareUnit => "đơn vị", "unit";
    LineChart => "Biểu đồ đường", "Line chart";
    BarChart => "Biểu đồ cột", "Bar chart";
    Lowest => "thấp nhất", "lowest";
    Highest => "cao nhất", "highest";
}

#[cfg(test)]
mod tests {
    use historian::alarms::Priority;
    use historian::verdict::Finding;
    use signal::verdict::Reason;

    use super::*;
    use unicode_normalization::is_nfc;

    /// Texts that name something, in both languages: heads, figures, states, kinds and screens.
    fn terms() -> Vec<(&'static str, &'static str)> {
        let kinds = ["Col", "Figure", "Kind", "Link", "Position", "Read"];
        let others = [
            "Overview",
            "Stations",
            "Why",
            "Signals",
            "Metering",
            "Links",
            "Alarms",
            "Events",
            "UnmannedShort",
            "ConnectedShort",
            "FullShort",
            "Devices",
            "Target",
            "Declared",
            "Observed",
            "Uncounted",
            "Live",
            "Right",
            "Excluded",
            "OpenFindings",
            "GatewayHangs",
            "Reasons",
            "PerSecond",
            "Errors",
            "NoReply",
            "Refused",
            "Undecodable",
            "Missed",
            "StrayReplies",
            "PathsWord",
            "FindingWord",
            "RecordsWord",
            "Reconnects",
            "Overruns",
            "Unacknowledged",
            "AcknowledgedWord",
            "ReturnedWord",
            "NotKept",
            "KnownOf",
        ];
        let is_term = |text: &&Text| {
            let name = format!("{text:?}");
            let is_of = |kind: &&str| {
                let rest = name.strip_prefix(*kind);
                rest.is_some_and(|rest| rest.chars().next().is_none_or(char::is_uppercase))
            };
            kinds.iter().any(is_of) || others.contains(&name.as_str())
        };
        let own = Text::ALL.iter().filter(is_term);
        own.map(|text| (text.get(Lang::En), text.get(Lang::Vi))).collect()
    }

    #[test]
    fn every_term_of_a_screen_stands_in_the_glossary_in_both_languages() {
        let glossary = include_str!("../../docs/GLOSSARY.md");
        let forms = |cell: &str| -> Vec<String> {
            cell.split(';').map(|form| form.trim().to_lowercase()).collect()
        };
        let rows: Vec<[Vec<String>; 2]> = glossary
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
                let is_row = cells.len() == 4 && !["word", "---"].contains(&cells[0].trim());
                is_row.then(|| [forms(cells[0]), forms(cells[1])])
            })
            .collect();
        assert!(rows.len() > 100, "{} rows", rows.len());
        let mut terms = terms();
        assert!(terms.len() > 90, "{} texts", terms.len());
        terms.extend(Reason::ALL.map(|own| (own.text(Lang::En), own.text(Lang::Vi))));
        let findings = [
            Finding::Power,
            Finding::OpenBreakerCarriesCurrent,
            Finding::PhaseSymmetry,
            Finding::Temperature,
        ];
        terms.extend(findings.map(|own| (own.text(Lang::En), own.text(Lang::Vi))));
        terms.extend(Priority::ALL.map(|own| (own.text(Lang::En), own.text(Lang::Vi))));
        let is_there = |(en, vi): &&(&str, &str)| {
            let (en, vi) = (en.to_lowercase(), vi.to_lowercase());
            rows.iter().any(|[own, other]| own.contains(&en) && other.contains(&vi))
        };
        let missing: Vec<_> = terms.iter().filter(|term| !is_there(term)).collect();
        assert!(missing.is_empty(), "not in docs/GLOSSARY.md: {missing:#?}");
        // One word is one thing: what a row begins with no other row begins with.
        let mut heads: Vec<&String> = rows.iter().map(|[own, _]| &own[0]).collect();
        heads.sort_unstable();
        let twice: Vec<_> = heads.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn every_text_is_there_in_both_languages_composed_and_printable() {
        for text in Text::ALL {
            for lang in [Lang::Vi, Lang::En] {
                let said = text.get(lang);
                assert!(!said.trim().is_empty(), "{text:?} {lang:?} is empty");
                assert!(is_nfc(said), "{text:?} {lang:?} is not in composed form");
                assert!(!said.chars().any(char::is_control), "{text:?} {lang:?}");
            }
        }
    }
}
