//! The screens as an operator meets them: drawn from snapshots that the real historian made.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use config::{Date, Flags, Lang, Province};
use gridwatch::collector::poll::Fault;
use gridwatch::historian::snapshot::Snapshot;
use gridwatch::signal::update::{OverrunCause, Strays};
use gridwatch::terminal::ratatui::buffer::Buffer;
use gridwatch::terminal::ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use gridwatch::terminal::ratatui::layout::Rect;
use gridwatch::terminal::ratatui::style::{Color, Modifier};
use gridwatch::terminal::{self, Effect, Options, Theme, Ui};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use crate::fixture::{NOW, World};

const LANGS: [(Lang, &str); 2] = [(Lang::Vi, "vi"), (Lang::En, "en")];
const SIZES: [(u16, u16); 2] = [(80, 24), (100, 30)];

fn options(lang: Lang) -> Options {
    Options {
        lang,
        color: true,
        ascii: false,
        simulate: "gridwatch simulate config/hoa-binh.toml".to_owned(),
    }
}

/// A terminal of 100x30 in English.
fn ui(snapshot: Arc<Snapshot>) -> Ui {
    let mut ui = Ui::new(options(Lang::En), snapshot);
    draw(&mut ui, 100, 30);
    ui
}

fn buffer(ui: &mut Ui, width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    ui.draw(&mut buffer);
    buffer
}

/// What stands on the screen, line by line.
fn lines(buffer: &Buffer) -> Vec<String> {
    let line = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..buffer.area.height).map(line).collect()
}

fn draw(ui: &mut Ui, width: u16, height: u16) -> String {
    let lines = lines(&buffer(ui, width, height));
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    trimmed.join("\n") + "\n"
}

fn press(ui: &mut Ui, code: KeyCode) -> Effect {
    ui.press(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Types keys: `\n` is Enter, `\u{1b}` Esc.
fn type_keys(ui: &mut Ui, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        press(ui, code);
    }
}

// --- Situations -------------------------------------------------------------------------------

fn normal() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| World::running().snapshot_at(0));
    Arc::clone(&PICTURE)
}

/// The monitor runs, the stations do not.
fn nobody() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::new();
        world.refuse_all(-10_000);
        world.snapshot_at(0)
    });
    Arc::clone(&PICTURE)
}

/// Three stations of ten have been scanned.
fn starting() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::new();
        world.connect_all(-719_000);
        world.scan_stations(&["HB01", "HB02", "HB07"], -718_000);
        world.snapshot_at(-717_000)
    });
    Arc::clone(&PICTURE)
}

/// The stations went away fifteen seconds ago.
fn lost() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::running();
        world.lose_all(-500);
        world.snapshot_at(14_500)
    });
    Arc::clone(&PICTURE)
}

/// The gateway of HB03 says that the unit of bay 172 does not answer.
fn refused() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::started();
        world.fail_unit("HB03", "172", Fault::Refused(0x0B));
        world.scan(-60_000);
        world.snapshot_at(-59_000);
        world.scan(-1_000);
        world.snapshot_at(0)
    });
    Arc::clone(&PICTURE)
}

/// Much at once: a lost path, a refusing unit, values that cannot be trusted, meters that differ.
fn troubled() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::started();
        world.scan(-60_000);
        world.fail_unit("HB03", "172", Fault::Refused(0x0B));
        world.fail_unit("HB06", "C41", Fault::NoReply);
        world.flag("HB05.22.473.P", Flags::INVALID.with(Flags::NOT_TOPICAL));
        world.set("HB08.110.171.DS7.POS", Some(0.0));
        world.set("HB09.110.171.P", Some(130.0));
        world.set("HB02.110.172.IB", Some(0.0));
        world.report_meters("HB02", 9, 9_000);
        for ms in [-45_000, -40_000] {
            world.scan(ms);
            world.snapshot_at(ms + 900);
        }
        // Fresh while the path is lost, so that what contradicts itself goes on doing so.
        world.scan(-16_000);
        world.lose(&["HB10"], &["A1"], -15_000);
        world.scan(-1_000);
        world.snapshot_at(0)
    });
    Arc::clone(&PICTURE)
}

/// Asking goes badly in every way: a lost path, one that breaks off, a silent unit that makes scans
/// too long, replies that come late, registers that are refused.
fn strained() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::started();
        world.scan(-60_000);
        world.fail_unit("HB03", "172", Fault::Refused(0x0B));
        world.fail_unit("HB06", "C41", Fault::NoReply);
        world.fail_unit("HB08", "131", Fault::Refused(2));
        world.interrupt("HB09", "A1", -58_000);
        let silent = OverrunCause::SilentDevice(world.unit("HB06", "C41"));
        for ms in [-45_000, -40_000] {
            world.scan(ms);
            world.overrun("HB06", "CC", silent, ms + 1_400);
            world.stray("HB05", "CC", Strays { late: 2, unknown: 0 }, ms);
        }
        world.overrun("HB02", "CC", OverrunCause::SlowReplies, -30_000);
        world.lose(&["HB10"], &["A1"], -15_000);
        world.scan(-1_000);
        world.snapshot_at(0)
    });
    Arc::clone(&PICTURE)
}

/// A feeder was struck and reclosed; a unit lost records, the clock of another is wrong.
fn eventful() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::new();
        world.set_clock("HB03", "172", 3_600);
        world.record("HB07.22.471.CB.RL", 0, -86_400_000 * 3, false);
        world.connect_all(-719_000);
        for ms in [-700_000, -610_370, -600_000] {
            world.scan(ms);
        }
        let feeder = |status: &str| format!("HB04.22.473.{status}");
        for (status, code, ms) in [
            ("F50N.TRIP", 1, -43_320),
            ("CB.POS", 0, -43_280),
            ("CB.POS", 1, -43_274),
            ("F79.PROG", 1, -43_262),
            ("F50N.TRIP", 0, -43_212),
            ("CB.POS", 0, -42_210),
            ("CB.POS", 2, -42_202),
            ("F79.PROG", 0, -40_202),
        ] {
            world.record(&feeder(status), code, ms, false);
        }
        world.record("HB03.110.172.CB.RL", 0, -42_000, false);
        world.scan(-39_640);
        for ms in [-30_100, -30_050, -30_020] {
            world.record("HB05.110.171.DS1.POS", 0, ms, true);
        }
        world.record("HB05.110.171.DS1.POS", 2, -29_000, false);
        world.record("HB05.110.171.CB.RL", 0, -20_000, false);
        world.scan(-1_100);
        world.snapshot_at(0)
    });
    Arc::clone(&PICTURE)
}

/// Alarms in every state: a lost path, a silent unit that is known, a position that is back unseen.
fn alarming() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::started();
        let watch = |world: &mut World, from: i64, to: i64| {
            for second in (from..to).step_by(2) {
                world.scan(second * 1_000);
                world.watched_at(second * 1_000 + 900);
            }
        };
        watch(&mut world, -70, -64);
        world.flag("HB05.110.171.CB.POS", Flags::INVALID);
        world.set("HB08.110.171.DS7.POS", Some(0.0));
        world.fail_unit("HB03", "172", Fault::NoReply);
        watch(&mut world, -64, -44);
        let known = world.alarms.listed()[0].raised;
        world.alarms.acknowledge(&[known], NOW.plus(-44_000));
        world.flag("HB05.110.171.CB.POS", Flags::GOOD);
        watch(&mut world, -44, -15);
        world.lose(&["HB10"], &["A1"], -15_000);
        watch(&mut world, -14, 0);
        world.watched_at(0)
    });
    Arc::clone(&PICTURE)
}

// --- Snapshots --------------------------------------------------------------------------------

fn assert_screen(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Runs of cells of one style, those that differ from plain: `y:x..x fg bg modifiers`.
fn style_runs(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let style = |x: u16| {
            let cell = &buffer[(x, y)];
            (cell.fg, cell.bg, cell.modifier)
        };
        let mut x = 0;
        while x < buffer.area.width {
            let start = x;
            while x < buffer.area.width && style(x) == style(start) {
                x += 1;
            }
            let (fg, bg, modifier) = style(start);
            if (fg, bg, modifier) != (Color::Reset, Color::Reset, Modifier::empty()) {
                let _ = write!(out, "{y}:{start}..{x}");
                for color in [fg, bg].into_iter().filter(|color| *color != Color::Reset) {
                    let _ = write!(out, " {color}");
                }
                let _ = writeln!(out, " {modifier:?}");
            }
        }
    }
    out
}

fn check_screen(
    name: &str,
    snapshot: &Arc<Snapshot>,
    keys: &str,
    sizes: &[(u16, u16)],
    with_styles: bool,
) {
    for (lang, code) in LANGS {
        for (width, height) in sizes {
            let mut ui = Ui::new(options(lang), Arc::clone(snapshot));
            draw(&mut ui, *width, *height);
            type_keys(&mut ui, keys);
            let drawn = buffer(&mut ui, *width, *height);
            let mut text = draw(&mut ui, *width, *height);
            if with_styles {
                let _ = write!(text, "\nstyles\n{}", style_runs(&drawn));
            }
            assert_screen(&format!("{name}-{code}-{width}x{height}"), &text);
        }
    }
}

#[test]
fn the_banner_of_a_small_screen_says_since_when() {
    let mut world = World::running();
    for id in ["CB.POS", "DS1.POS", "DS7.POS", "P", "Q", "IA", "IB", "IC"] {
        world.flag(&format!("HB05.110.171.{id}"), Flags::INVALID);
    }
    for second in 0..20 {
        world.scan(second * 1_000);
        world.watched_at(second * 1_000 + 500);
    }
    let snapshot = world.watched_at(20_000);
    assert!(!snapshot.alarms.is_empty());
    for (lang, name) in LANGS {
        let mut ui = Ui::new(options(lang), Arc::clone(&snapshot));
        let wide = draw(&mut ui, 160, 24);
        let all = wide.lines().nth(1).unwrap();
        let (before, _) = all.split_once("14:32:0").unwrap();
        assert!(before.width() > 72, "{name}: something has to give way: {all}");
        let screen = draw(&mut ui, 80, 24);
        let banner = screen.lines().nth(1).unwrap();
        assert!(banner.contains("Kim Bôi") && banner.contains(" 14:32:0"), "{name}: {screen}");
    }
}

#[test]
fn every_screen_looks_as_agreed() {
    let snapshot = normal();
    check_screen("overview", &snapshot, "", &SIZES, true);
    for (name, keys) in [
        ("stations", "2"),
        ("why", "2\n"),
        ("signals", "2\n\n"),
        ("metering", "7"),
        ("help", "2?"),
        ("links", "9"),
    ] {
        check_screen(name, &snapshot, keys, &SIZES, false);
    }
}

#[test]
fn every_situation_looks_as_agreed() {
    let wide = &[(100, 30)];
    check_screen("nobody-overview", &nobody(), "", wide, false);
    check_screen("nobody-stations", &nobody(), "2", wide, false);
    check_screen("starting-overview", &starting(), "", wide, false);
    check_screen("starting-stations", &starting(), "2", wide, false);
    check_screen("lost-overview", &lost(), "", wide, false);
    check_screen("lost-stations", &lost(), "2", wide, false);
    check_screen("lost-signals", &lost(), "4", wide, false);
    check_screen("refused-overview", &refused(), "", wide, true);
    check_screen("refused-why", &refused(), "j\n", wide, false);
    check_screen("refused-evidence", &refused(), "j\n\n\n", wide, false);
    check_screen("troubled-overview", &troubled(), "", &[(100, 30), (80, 24), (58, 17)], false);
    check_screen("troubled-signals", &troubled(), "4xss", wide, false);
    check_screen("alarms", &alarming(), "8", &SIZES, true);
    check_screen("alarms-banner", &alarming(), "", &SIZES, false);
    check_screen("alarms-help", &alarming(), "8?", wide, false);
    check_screen("events", &eventful(), "8\t", &SIZES, false);
    check_screen("events-lost", &eventful(), "8\txj", &SIZES, false);
    check_screen("events-help", &eventful(), "8\t?", wide, false);
    check_screen("troubled-metering", &troubled(), "7vv", wide, false);
    check_screen("strained-links", &strained(), "9", &[(80, 24), (100, 30), (160, 40)], false);
    check_screen("strained-links-faults", &strained(), "9xjjj", wide, false);
    check_screen("strained-link-card", &strained(), "9/hb06 lac\n\n", &SIZES, false);
    check_screen("strained-unit-card", &strained(), "9x/HB08 u\n\n", wide, false);
}

#[test]
fn the_text_for_pipes_says_what_the_screens_say() {
    for (lang, code) in LANGS {
        assert_screen(&format!("text-{code}"), &terminal::text(&normal(), lang, false));
    }
    let plain = terminal::text(&troubled(), Lang::En, true);
    for place in ["Nhuận", "HB03 Lương Sơn: F refused 172", "HB10 Mai Châu: T link lost A1"] {
        assert!(plain.contains(place) || place == "Nhuận", "{place} is missing in\n{plain}");
    }
    assert!(!plain.contains(['─', '✓', '✗', '—', '·']), "only plain marks");
    let why = terminal::why_lines(&normal(), normal().province.station("HB07").unwrap(), Lang::En);
    assert!(why[0].contains("WHY NOT FULL"));
}

#[test]
fn signals_without_a_register_are_one_line_whatever_their_bays() {
    // HB07, a day before seven signals were cut out of its map: on that day they should have been there.
    let day = Date { year: 2022, month: 11, day: 1 };
    let mut world = World::of(Province::built_in().as_of(day));
    world.connect_all(-719_000);
    world.scan(-700_000);
    world.scan(-1_100);
    let snapshot = world.watched_at(0);
    let station = snapshot.province.station("HB07").unwrap();
    let lines = terminal::why_lines(&snapshot, station, Lang::En);
    let of_them: Vec<&String> = lines.iter().filter(|line| line.contains("F74.TC")).collect();
    assert_eq!(of_them.len(), 1, "{lines:#?}");
    assert!(of_them[0].contains("7 N never seen"), "{of_them:?}");
    assert!(lines.iter().any(|line| line.contains("no row in the address map")), "{lines:#?}");
    assert!(
        snapshot.alarms.iter().all(|alarm| alarm.raised.cause.station != station),
        "nobody can respond"
    );
}

#[test]
fn what_is_told_of_a_station_is_told_of_a_plant() {
    let snapshot = normal();
    for id in snapshot.province.site_ids() {
        let name = &snapshot.province.stations[id.index()].id;
        for (lang, _) in LANGS {
            let signals = terminal::Page::Signals { station: Some(id), all: true };
            for page in [terminal::Page::Why(id), signals] {
                let text = terminal::page(&snapshot, page, (lang, false), 100);
                assert!(text.contains(&**name), "{name}: {text}");
            }
            terminal::page(&snapshot, terminal::Page::Alarms(Some(id)), (lang, false), 100);
        }
    }
}

// --- Laws -------------------------------------------------------------------------------------

/// Keys that lead to every screen and what lies over it.
const WAYS: [&str; 17] = [
    "", "2", "2\n", "2\n\n", "2\n\n\n", "4x", "4f", "7", "7?", "4/f74", "8", "8\n", "8\t", "8\t\n",
    "9", "9\n", "9xs",
];

#[test]
fn every_size_language_theme_and_glyph_set_fills_the_screen_exactly() {
    let snapshots = [normal(), nobody(), troubled(), strained(), eventful()];
    let widths = [40, 79, 80, 96, 100, 140, 200];
    let heights = [10, 24, 30, 60];
    let mut turn = 0;
    for (snapshot, way) in snapshots.iter().flat_map(|p| WAYS.map(|way| (p, way))) {
        let mut ui = ui(Arc::clone(snapshot));
        type_keys(&mut ui, way);
        for (width, height) in widths.iter().flat_map(|w| heights.map(|h| (*w, h))) {
            // The rest takes turns: all of it with all of it would take minutes.
            turn += 1;
            if turn % 2 == 0 {
                press(&mut ui, KeyCode::F(2));
            }
            ui.set_theme(Theme::ALL[turn % 4]);
            let drawn = buffer(&mut ui, width, height);
            for line in lines(&drawn) {
                assert_eq!(line.width(), usize::from(width), "{way:?} {width}x{height}\n{line}");
            }
        }
    }
}

/// Whether a figure, a time or an age is cut: what is left of it reads as another one.
fn has_cut_number(line: &str) -> Option<&str> {
    let mut words = line.split([' ', '│']).filter(|word| word.ends_with('…'));
    words.find(|word| {
        let number = word.trim_start_matches(['≥', '≤', '(', '+', '−']).trim_end_matches('…');
        let is_number = number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || ".,:/".contains(c));
        // `cấp 2,…` ends with the whole number.
        let is_whole = number.ends_with(',');
        is_number && !is_whole && (word.starts_with('(') || number.contains(['.', ',', ':', '/']))
    })
}

#[test]
fn no_number_or_time_is_cut() {
    assert_eq!(has_cut_number("│ 179.495/268.8… ≥66,78%│"), Some("179.495/268.8…"));
    assert_eq!(has_cut_number(" link lost since 21:01:07 (3…  +2 stations"), Some("(3…"));
    assert_eq!(has_cut_number("  SF6 pressure low, stage 1…  HB04 Nhuận…"), None);
    let snapshots = [
        normal(),
        nobody(),
        starting(),
        lost(),
        refused(),
        troubled(),
        strained(),
        eventful(),
        partly_counted(),
    ];
    for (snapshot, way) in snapshots.iter().flat_map(|p| WAYS.map(|way| (p, way))) {
        for (lang, (width, height)) in LANGS.iter().flat_map(|(l, _)| SIZES.map(|s| (*l, s))) {
            let mut ui = Ui::new(options(lang), Arc::clone(snapshot));
            draw(&mut ui, width, height);
            type_keys(&mut ui, way);
            for line in lines(&buffer(&mut ui, width, height)) {
                assert_eq!(has_cut_number(&line), None, "{way:?} {width}x{height}\n{line}");
            }
        }
    }
}

#[test]
fn nothing_that_help_says_is_cut() {
    for way in ["", "2", "2\n", "4", "7", "8", "8\t", "9"] {
        for (lang, _) in LANGS {
            let mut ui = Ui::new(options(lang), eventful());
            draw(&mut ui, 100, 30);
            type_keys(&mut ui, way);
            let help: Vec<String> = {
                type_keys(&mut ui, "?");
                let all = lines(&buffer(&mut ui, 100, 30));
                all.into_iter().filter(|line| line.starts_with('│')).collect()
            };
            assert!(help.len() > 15, "{way:?}: {help:#?}");
            for line in help {
                assert!(!line.contains('…'), "{way:?}: {line}");
            }
        }
    }
}

/// A station has never answered: its meters are not counted, its path was never up.
fn partly_counted() -> Arc<Snapshot> {
    static PICTURE: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
        let mut world = World::new();
        world.connect_all_but("HB03", -719_000);
        world.scan(-700_000);
        world.scan(-1_100);
        world.watched_at(0)
    });
    Arc::clone(&PICTURE)
}

#[test]
fn what_was_never_up_is_not_told_as_lost() {
    for (lang, said, other) in
        [(Lang::Vi, "chưa có kết nối", "mất kết nối"), (Lang::En, "never connected", "link lost")]
    {
        let mut ui = Ui::new(options(lang), partly_counted());
        draw(&mut ui, 100, 30);
        type_keys(&mut ui, "8");
        let screen = draw(&mut ui, 100, 30);
        let rows: Vec<&str> = screen.lines().filter(|line| line.contains("HB03")).collect();
        assert!(rows.len() > 1 && rows.iter().all(|row| row.contains(said)), "{screen}");
        assert!(!screen.contains(other), "{screen}");
    }
}

#[test]
fn plain_marks_need_nothing_but_ascii_and_letters() {
    for way in WAYS {
        let mut ui = Ui::new(Options { ascii: true, ..options(Lang::Vi) }, troubled());
        draw(&mut ui, 100, 30);
        type_keys(&mut ui, way);
        for line in lines(&buffer(&mut ui, 100, 30)) {
            let odd = line.chars().find(|c| !c.is_ascii() && !c.is_alphabetic() && *c != '°');
            assert_eq!(odd, None, "{way:?}: {line}");
        }
    }
}

#[test]
fn without_colours_none_is_sent_and_the_theme_key_brings_none_back() {
    let mut ui = Ui::new(Options { color: false, ..options(Lang::En) }, troubled());
    for _ in 0..4 {
        press(&mut ui, KeyCode::F(3));
        let drawn = buffer(&mut ui, 100, 30);
        assert!(drawn.content.iter().all(|c| (c.fg, c.bg) == (Color::Reset, Color::Reset)));
        let selected = drawn.content.iter().filter(|c| c.modifier.contains(Modifier::REVERSED));
        assert!(selected.count() > 90, "the selected row is reversed");
    }
}

/// Something an operator may do.
#[derive(Debug, Clone)]
enum PlantAction {
    Press(KeyCode),
    Paste(String),
    Resize(u16, u16),
    News(bool),
    Silence(i64),
}

fn actions() -> impl Strategy<Value = Vec<PlantAction>> {
    let letters = "hjklgGnNfxswdvy-124789?/ qzưđ".chars().map(KeyCode::Char).collect::<Vec<_>>();
    let codes = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Backspace,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Tab,
        KeyCode::F(1),
        KeyCode::F(2),
        KeyCode::F(3),
        KeyCode::F(4),
        KeyCode::F(5),
        KeyCode::F(6),
        KeyCode::F(8),
    ];
    let key = proptest::sample::select(letters.into_iter().chain(codes).collect::<Vec<_>>());
    let action = prop_oneof![
        40 => key.prop_map(PlantAction::Press),
        1 => "[a-zà-ỹ .]{0,8}".prop_map(PlantAction::Paste),
        2 => (20_u16..160, 5_u16..50).prop_map(|(w, h)| PlantAction::Resize(w, h)),
        2 => any::<bool>().prop_map(PlantAction::News),
        1 => (0_i64..6_000).prop_map(PlantAction::Silence),
    ];
    proptest::collection::vec(action, 200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_pressed_ten_times_esc_leads_to_the_overview_and_never_out(actions in actions()) {
        let snapshots = [normal(), strained()];
        let mut ui = ui(Arc::clone(&snapshots[1]));
        for action in actions {
            match action {
                PlantAction::Press(code) => {
                    press(&mut ui, code);
                }
                PlantAction::Paste(text) => ui.paste(&text),
                PlantAction::Resize(width, height) => {
                    draw(&mut ui, width, height);
                }
                PlantAction::News(good) => {
                    ui.take(Arc::clone(&snapshots[usize::from(!good)]));
                }
                PlantAction::Silence(ms) => ui.wait(ms),
            }
        }
        for _ in 0..10 {
            prop_assert_eq!(press(&mut ui, KeyCode::Esc), Effect::None);
        }
        prop_assert_eq!(ui.place(), "Overview");
        draw(&mut ui, 100, 30);
    }
}

// --- Behaviour --------------------------------------------------------------------------------

#[test]
fn the_start_screen_names_station_cause_and_signals() {
    let text = draw(&mut ui(normal()), 100, 30);
    for part in ["HB07 Yên Thủy", "✗ not", "F74.TC 371–373, 471–474", "IA, IC 371, 471", "DC.I1"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn enter_goes_on_to_the_evidence_and_esc_all_the_way_back() {
    let mut ui = ui(normal());
    let mut places = vec![ui.place()];
    for _ in 0..2 {
        press(&mut ui, KeyCode::Enter);
        places.push(ui.place());
    }
    assert_eq!(places, ["Overview", "Why", "Signals"]);
    assert_eq!(ui.selected().as_deref(), Some("HB07.110.172.F21.Z1"));
    press(&mut ui, KeyCode::Enter);
    assert!(draw(&mut ui, 100, 30).contains("request 14:32:06"));
    for place in ["Signals", "Why", "Overview", "Overview"] {
        press(&mut ui, KeyCode::Esc);
        assert_eq!(ui.place(), place);
    }
}

#[test]
fn esc_closes_popup_then_field_then_filter_then_screen() {
    let mut ui = ui(troubled());
    type_keys(&mut ui, "2\n\n/f2");
    press(&mut ui, KeyCode::F(1));
    let text = draw(&mut ui, 100, 30);
    assert!(text.contains("HELP"), "F1 works while typing");
    press(&mut ui, KeyCode::Esc);
    assert!(draw(&mut ui, 100, 30).contains("find: f2"), "the field is still open");
    press(&mut ui, KeyCode::Esc);
    assert!(!draw(&mut ui, 100, 30).contains("find: f2"));
    type_keys(&mut ui, "x");
    assert!(!draw(&mut ui, 100, 30).contains("faults only"));
    press(&mut ui, KeyCode::Esc);
    assert!(draw(&mut ui, 100, 30).contains("faults only"), "the filter it was opened with");
    assert_eq!(ui.place(), "Signals");
    press(&mut ui, KeyCode::Esc);
    assert_eq!(ui.place(), "Why");
}

#[test]
fn the_selection_stays_on_its_station_when_the_order_changes() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "2jjj");
    let selected = ui.selected();
    for _ in 0..4 {
        type_keys(&mut ui, "s");
        assert_eq!(ui.selected(), selected);
    }
    ui.take(troubled());
    draw(&mut ui, 100, 30);
    assert_eq!(ui.selected(), selected, "trouble elsewhere does not move it");
    // HB03 is in order again: the row that leaves hands over to its neighbour.
    ui.take(normal());
    type_keys(&mut ui, "x");
    assert_eq!(ui.selected().as_deref(), Some("HB07"));
}

#[test]
fn a_filter_is_visible_with_its_counts_and_says_when_nothing_matches() {
    let mut ui = ui(troubled());
    type_keys(&mut ui, "4fj\n");
    let text = draw(&mut ui, 100, 30);
    assert!(text.contains("Signals 14 of 8153 · filter: – not in DB"), "{text}");
    type_keys(&mut ui, "4fjj\nl");
    assert!(draw(&mut ui, 100, 30).contains("filter: ! no E2E"));
    // A good station has no failing signals.
    type_keys(&mut ui, "2GG4x");
    let text = draw(&mut ui, 100, 30);
    assert!(text.contains("0 of 799") || text.contains("Esc clears the filter"), "{text}");
}

#[test]
fn names_are_found_without_their_marks_from_row_to_row() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "2/luong son\n");
    assert_eq!(ui.selected().as_deref(), Some("HB03"));
    type_keys(&mut ui, "4/hu hong mach cat 47\n");
    assert_eq!(ui.selected().as_deref(), Some("HB03.22.471.F74.TC"));
    type_keys(&mut ui, "n");
    assert_eq!(ui.selected().as_deref(), Some("HB03.22.472.F74.TC"));
    type_keys(&mut ui, "NN");
    assert_eq!(ui.selected().as_deref(), Some("HB03.22.478.F74.TC"), "round the end");
    type_keys(&mut ui, "/zzz\n");
    assert!(draw(&mut ui, 100, 30).contains("not found: zzz"));
}

#[test]
fn typing_leaves_keys_alone_and_backspace_takes_a_whole_letter() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "2/q");
    assert_eq!(ui.place(), "Stations", "q is a letter here");
    // A letter that came in two parts, as some input methods send it.
    type_keys(&mut ui, "a\u{300}");
    press(&mut ui, KeyCode::Backspace);
    assert!(draw(&mut ui, 100, 30).contains("find: q "));
    press(&mut ui, KeyCode::Esc);
    let before = draw(&mut ui, 100, 30);
    for _ in 0..20 {
        press(&mut ui, KeyCode::Backspace);
    }
    assert_eq!(draw(&mut ui, 100, 30), before, "outside a field Backspace does nothing");
}

#[test]
fn telex_letters_are_the_keys_that_were_meant() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "ư");
    assert_eq!(ui.place(), "Why");
    type_keys(&mut ui, "đ");
    assert!(draw(&mut ui, 100, 30).contains("calm-dark · A1"), "the basis is the other centre");
}

#[test]
fn every_action_can_be_reached_from_help_with_arrows_and_enter() {
    let mut ui = ui(normal());
    press(&mut ui, KeyCode::F(1));
    for _ in 0..60 {
        press(&mut ui, KeyCode::Down);
    }
    assert_eq!(press(&mut ui, KeyCode::Enter), Effect::Quit, "the last entry");
    press(&mut ui, KeyCode::F(1));
    press(&mut ui, KeyCode::Home);
    while !draw(&mut ui, 100, 30).lines().any(|line| line.contains("why") && line.contains('w')) {
        press(&mut ui, KeyCode::Down);
    }
}

#[test]
fn a_pause_freezes_what_is_shown_and_says_for_how_long() {
    let mut ui = ui(normal());
    type_keys(&mut ui, " ");
    let frozen = draw(&mut ui, 100, 30);
    assert!(frozen.contains("PAUSED 00:00:00"));
    ui.take(lost());
    let later = draw(&mut ui, 100, 30);
    assert!(later.contains("PAUSED 00:00:14"), "{later}");
    assert!(!later.contains("link lost"), "the snapshot is the one that was frozen");
    press(&mut ui, KeyCode::F(8));
    assert!(draw(&mut ui, 100, 30).contains("link lost"));
}

#[test]
fn without_snapshots_nothing_looks_live_and_ages_go_on() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "4");
    ui.wait(2_500);
    assert!(!draw(&mut ui, 100, 30).contains("COLLECTOR DOWN"));
    ui.wait(64_000);
    let text = draw(&mut ui, 100, 30);
    assert!(text.contains("COLLECTOR DOWN") && text.contains("figures stand since 14:32:07"));
    assert!(text.contains("(1 min)"), "{text}");
    assert!(text.contains("---- H"), "no value is shown as if it were known");
    assert!(!text.lines().take(20).any(|line| line.contains("■ closed")), "{text}");
    ui.take(normal());
    ui.wait(0);
    assert!(draw(&mut ui, 100, 30).contains("■ closed"));
}

#[test]
fn before_the_first_scan_nothing_is_called_a_fault() {
    let mut world = World::new();
    world.connect_all(-719_000);
    let mut ui = ui(world.snapshot_at(-718_500));
    for way in ["", "2", "2\n", "4"] {
        type_keys(&mut ui, "1");
        type_keys(&mut ui, way);
        let text = draw(&mut ui, 100, 30);
        let structural = text.replace("✗ not", "").replace("! no E2E", "");
        assert!(!structural.contains('✗') || way == "2\n", "{text}");
        assert!(!text.contains("link lost") && !text.contains("never connected"), "{text}");
    }
    type_keys(&mut ui, "1");
    assert!(draw(&mut ui, 100, 30).contains("First scan 0/10 stations"));
}

#[test]
fn a_lost_path_is_not_one_that_never_was() {
    let text = draw(&mut ui(nobody()), 100, 30);
    assert!(text.contains("No station answers at 127.0.0.1:15201–15220."));
    assert!(text.contains("gridwatch simulate config/hoa-binh.toml"));
    assert!(text.contains("never connected") && !text.contains("link lost"), "{text}");
    let text = draw(&mut ui(lost()), 100, 30);
    assert!(text.contains("link lost 10/10 stations since 14:32:06 (15 s)"), "{text}");
    assert!(!text.contains("never connected"));
}

#[test]
fn a_lost_station_shows_its_last_values_only_as_evidence() {
    let mut ui = ui(lost());
    type_keys(&mut ui, "4");
    let text = draw(&mut ui, 100, 30);
    let is_row = |line: &&str| line.contains("HB01  171 ");
    let rows: Vec<&str> = text.lines().filter(is_row).collect();
    assert!(rows.len() > 10 && rows.iter().all(|row| row.contains("---- T")), "{text}");
    assert!(text.contains("last value ■ closed 14:32:06"), "{text}");
}

#[test]
fn the_why_text_is_copied_as_it_is_read() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "\n");
    let Effect::Copy(text) = press(&mut ui, KeyCode::Char('y')) else { panic!("nothing copied") };
    assert!(text.starts_with(" HB07 Yên Thủy — WHY NOT FULL"), "{text}");
    assert!(text.contains("→ province 10/10"));
    assert!(text.lines().all(|line| line == line.trim_end()));
}

#[test]
fn digits_are_absolute_and_minus_goes_to_the_screen_before() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "2j\n7");
    assert_eq!(ui.place(), "Metering");
    type_keys(&mut ui, "-");
    assert_eq!(ui.place(), "Why");
    type_keys(&mut ui, "-");
    assert_eq!(ui.place(), "Metering");
    press(&mut ui, KeyCode::Esc);
    assert_eq!(ui.place(), "Overview", "nothing is left of the way there");
}

#[test]
fn a_stopped_task_and_a_dead_collector_are_said_on_every_screen() {
    let mut ui = ui(normal());
    ui.task_stopped("panicked at src/x.rs:1: boom\u{1b}[31m".to_owned());
    for way in ["1", "2", "4", "7"] {
        type_keys(&mut ui, way);
        let text = draw(&mut ui, 100, 30);
        assert!(text.contains("TASK STOPPED: panicked at src/x.rs:1: boom"), "{text}");
        assert!(!text.contains('\u{1b}'), "no escape reaches the terminal");
    }
    ui.collector_gone();
    assert!(draw(&mut ui, 100, 30).contains("COLLECTOR STOPPED"));
    assert!(draw(&mut ui, 60, 20).contains("COLLECTOR DOWN"), "in the digest too");
}

#[test]
fn one_key_switches_which_reads_stand_beside_coverage() {
    let mut ui = ui(normal());
    type_keys(&mut ui, "7");
    for (head, day) in
        [("by 06:00", "11-22"), ("in 3 d", "11-19"), ("30 min", "11-22"), ("DCU min", "11-22")]
    {
        for (width, height) in [(100, 30), (80, 24)] {
            let text = draw(&mut ui, width, height);
            assert!(text.contains(&format!("{head} for {day}")), "{head}: {text}");
            assert!(text.contains("199520/268800 = 74.23 %"), "coverage stays: {text}");
        }
        type_keys(&mut ui, "r");
    }
    assert!(draw(&mut ui, 100, 30).contains("by 06:00 for 11-22"));
}

/// Each province that comes with the program, as long as one station was not asked, and when all were; with
/// the energy of a year sold.
fn shipped() -> Vec<Arc<Snapshot>> {
    let snapshots = ["small", "hoa-binh", "thai-nguyen"].into_iter().flat_map(|name| {
        let path = format!("{}/config/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut world = World::of(config::Province::load(std::path::Path::new(&path)).unwrap());
        world.connect_all(-719_000);
        let province = Arc::clone(&world.province);
        let metered: Vec<&str> =
            province.station_ids().map(|id| &*province.stations[id.index()].id).collect();
        for id in &metered {
            let kwh = 1_207_845_000 / metered.len() as u64;
            let groups = &province.stations[province.station(id).unwrap().index()].meters;
            let largest = (0..groups.len()).max_by_key(|n| groups[*n].installed);
            let Some(group) = largest else { continue };
            let days = 365 * u64::from(groups[group].installed);
            let sold = config::SoldFigures {
                day: 19_318,
                hand_day: 19_317,
                remote_kwh: kwh,
                remote_days: days,
                hand_kwh: kwh / 6,
                hand_days: days,
                ..Default::default()
            };
            world.sell(id, group, sold);
        }
        world.scan_stations(&metered[1..], -2_000);
        let one_uncounted = world.snapshot_at(-1_900);
        world.scan(-1_100);
        [one_uncounted, world.snapshot_at(0)]
    });
    snapshots.collect()
}

/// Everything that the metering screen shows in turn, at a size.
fn metering_screens(
    snapshot: &Arc<Snapshot>,
    lang: Lang,
    (width, height): (u16, u16),
) -> Vec<String> {
    let mut ui = Ui::new(options(lang), Arc::clone(snapshot));
    draw(&mut ui, width, height);
    type_keys(&mut ui, "7");
    let turns = (0..12).map(|turn| {
        let text = draw(&mut ui, width, height);
        type_keys(&mut ui, if turn % 4 == 3 { "rv" } else { "r" });
        text
    });
    turns.collect()
}

#[test]
fn nothing_on_the_metering_screen_is_cut() {
    for snapshot in shipped() {
        let counted = snapshot.metering.uncounted == 0;
        for ((lang, _), size) in LANGS.iter().flat_map(|l| SIZES.map(|size| (l, size))) {
            for text in metering_screens(&snapshot, *lang, size) {
                // What did not fit is counted, and nothing is left out where nothing is wrong.
                let told = |line: &str| !counted && line.contains(" … ");
                let cut = text.lines().find(|line| line.contains('…') && !told(line));
                assert_eq!(cut, None, "{size:?}:\n{text}");
                let sold = if *lang == Lang::Vi { "điện bán" } else { "sold: remote" };
                assert!(text.contains(sold) || !counted, "{size:?}:\n{text}");
            }
        }
    }
}

#[test]
fn what_sells_nothing_is_marked_in_every_list() {
    for snapshot in shipped() {
        let unsold = snapshot.province.meter_classes.iter().filter(|class| !class.sold);
        let unsold: Vec<_> = unsold.map(|class| &class.name).collect();
        assert!(!unsold.is_empty());
        for ((lang, _), size) in LANGS.iter().flat_map(|l| SIZES.map(|size| (l, size))) {
            let texts = metering_screens(&snapshot, *lang, size);
            let rows = texts.iter().flat_map(|text| text.lines());
            let rows: Vec<&str> = rows
                .filter(|line| unsold.iter().any(|name| line.contains(name.get(*lang))))
                .collect();
            assert!(rows.len() >= 4 * unsold.len(), "{size:?}");
            for row in rows {
                let word = if *lang == Lang::Vi { "không bán" } else { "not sold" };
                assert!(row.contains("│* ") || row.contains(word), "{size:?}: {row}");
            }
        }
    }
}

#[test]
fn reads_are_unknown_until_they_are_told() {
    let mut world = World::new();
    world.connect_all(-1_000);
    world.scan_stations(&["HB01", "HB10"], -900);
    let mut ui = ui(world.snapshot_at(0));
    type_keys(&mut ui, "7");
    for (width, height) in [(100, 30), (80, 24)] {
        let text = draw(&mut ui, width, height);
        let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        assert!(row("Mai Châu").contains("10455"), "{text}");
        assert!(row("Lạc Sơn").contains(" — "), "{text}");
        assert!(row("Lạc Sơn").contains("42213"), "nobody counted them: {text}");
    }
}

#[test]
fn meters_that_are_reported_otherwise_than_agreed_are_named() {
    let mut ui = ui(troubled());
    type_keys(&mut ui, "7");
    let text = draw(&mut ui, 100, 30);
    assert!(text.contains("differ from contract:"), "{text}");
    assert!(text.contains("9000"), "{text}");
}

#[test]
fn links_put_the_worst_first_and_the_card_says_what_to_do() {
    let mut ui = ui(strained());
    type_keys(&mut ui, "9");
    let text = draw(&mut ui, 100, 30);
    let row = |part: &str| text.lines().position(|line| line.contains(part)).unwrap();
    assert!(row("✗ lost") < row("✗ silent") && row("✗ silent") < row("! overrun"));
    assert!(row("! overrun") < row("! unsteady") && row("! unsteady") < row("! strays"));
    assert!(row("! strays") < row("! aside") && row("! aside") < row("✓ up"), "{text}");
    type_keys(&mut ui, "x");
    assert!(!draw(&mut ui, 100, 30).contains("✓ up"), "problems only");
    assert!(draw(&mut ui, 100, 30).contains("faults only"));
    type_keys(&mut ui, "/hb06 lac\n\n");
    let card = draw(&mut ui, 100, 30);
    for part in ["scan 1.4 s of a period of 1 s: unit", "does not answer", "to do", "in flight"] {
        assert!(card.contains(part), "{part} is missing in\n{card}");
    }
    let Effect::Copy(copied) = press(&mut ui, KeyCode::Char('y')) else { panic!("nothing copied") };
    assert!(copied.contains("1.4 s of a period of 1 s"));
    type_keys(&mut ui, "w");
    assert_eq!(ui.place(), "Why");
    for _ in 0..3 {
        type_keys(&mut ui, "\u{1b}");
    }
    type_keys(&mut ui, "9ssss");
    assert_eq!(draw(&mut ui, 100, 30).matches("sort: severity").count(), 2, "all orders passed");
}

#[test]
fn links_of_plants_are_among_the_links_and_in_no_count() {
    let (mut ui, province) = (ui(normal()), Arc::clone(&normal().province));
    type_keys(&mut ui, "9s");
    let drawn = draw(&mut ui, 100, 60);
    let centres = province.centres.len();
    let plants = centres * province.plant_ids().count();
    let paths = centres * province.substations().len();
    assert!(drawn.contains(&format!(" {paths} paths + {plants} of plants")), "{drawn}");
    for id in province.plant_ids() {
        let name = &*province.stations[id.index()].id;
        let rows = drawn.lines().filter(|line| line.contains(&format!(" {name} "))).count();
        assert_eq!(rows, centres, "{drawn}");
        type_keys(&mut ui, &format!("/{name}\n\n"));
        let card = draw(&mut ui, 100, 60);
        assert!(card.contains("plant, in no count of stations"), "{card}");
    }
    let text = terminal::page(&normal(), terminal::Page::Stations, (Lang::En, false), 80);
    for id in province.plant_ids() {
        let plant = &province.stations[id.index()];
        let (_, behind) = text.split_once(&format!("\n\n{} ", plant.id)).unwrap();
        assert!(behind.contains("plant, in no count of stations\n  A1: link up since"), "{text}");
        assert_eq!(behind.matches("link up since").count(), centres, "{text}");
        assert!(behind.lines().all(|line| line.chars().count() < 80), "{text}");
    }
}

#[test]
fn an_event_leads_to_the_evidence_of_its_signal_and_back() {
    let mut ui = ui(eventful());
    type_keys(&mut ui, "8\t");
    draw(&mut ui, 100, 30);
    assert_eq!((ui.place(), ui.selected().as_deref()), ("Events", Some("HB05.110.171.CB.RL")));
    type_keys(&mut ui, "\n");
    assert_eq!((ui.place(), ui.selected().as_deref()), ("Signals", Some("HB05.110.171.CB.RL")));
    assert!(draw(&mut ui, 100, 30).contains("request"), "the bytes");
    type_keys(&mut ui, "\u{1b}\u{1b}");
    assert_eq!((ui.place(), ui.selected().as_deref()), ("Events", Some("HB05.110.171.CB.RL")));
    // A gap has no signal; from a station's screens only its events are shown.
    type_keys(&mut ui, "x\n");
    assert_eq!((ui.place(), ui.selected()), ("Events", None));
    type_keys(&mut ui, "\u{1b}2/nhuan\n8\t");
    let drawn = draw(&mut ui, 100, 30);
    assert!(drawn.contains("filter: HB04") && !drawn.contains("HB05 Kim"), "{drawn}");
    // At A1 there are fewer.
    let rows = |drawn: &str| drawn.lines().filter(|line| line.contains("HB04 Nhu")).count();
    type_keys(&mut ui, "d");
    assert!(rows(&draw(&mut ui, 100, 30)) < rows(&drawn));
    let Effect::Copy(text) = press(&mut ui, KeyCode::Char('y')) else { panic!("it is copied") };
    assert!(text.contains("HB04 Nhuận Trạch") && text.contains("A1"), "{text}");
}

#[test]
fn what_most_units_share_is_said_once_of_their_path() {
    let mut world = World::started();
    world.fail_station("HB07", Fault::Undecodable);
    world.fail_unit("HB04", "171", Fault::Undecodable);
    world.scan(-1_000);
    let mut ui = ui(world.snapshot_at(0));
    type_keys(&mut ui, "9x");
    let text = draw(&mut ui, 100, 30);
    let rows = ["CC ! errors", "A1 ! errors"].map(|said| text.matches(said).count());
    assert_eq!(rows, [2, 2], "{text}");
    assert!(!text.contains("HB07 u") && text.contains("HB07 Yên Thủy"), "the path:\n{text}");
    assert!(text.contains("HB04 u") && !text.contains("HB04 Nhuận Trạch    A1 !"), "the unit");
    type_keys(&mut ui, "/hb07\n");
    assert!(draw(&mut ui, 100, 30).contains("most units fail alike"));
}
