//! The real program in a pseudo-terminal: keys, resize, quit, and a terminal left as it was found.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longest wait for text to appear.
const PATIENCE: Duration = Duration::from_secs(30);

struct Session {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

impl Session {
    fn start(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(100, 30)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_gridwatch"));
        command.args(args);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        for (key, value) in environment {
            command.env(key, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4_096];
            while let Ok(n @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new(cells(30), cells(100), 0);
        Self { master: pair.master, keyboard, child, output, parser, bytes: Vec::new() }
    }

    fn demo(environment: &[(&str, &str)]) -> Self {
        Self::start(&["demo", "--port-base", "0", "--lang", "en"], environment)
    }

    fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    fn until(&mut self, what: &str, seen: impl Fn(&str) -> bool) {
        self.until_drawn(what, |screen| seen(&screen.contents()));
    }

    /// The same of what no text says.
    fn until_drawn(&mut self, what: &str, seen: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !seen(self.parser.screen()) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            let Ok(chunk) = self.output.recv_timeout(left) else {
                panic!("waited in vain for {what}; the screen is\n{}", self.screen());
            };
            self.parser.process(&chunk);
            self.bytes.extend(chunk);
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&mut self, cols: u16, rows: u16) {
        self.parser.screen_mut().set_size(cells(rows), cells(cols));
        self.master.resize(size(cols, rows)).unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap();
        let kill = format!("kill -{name} {pid}");
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Everything that is still to come, until the program has ended.
    fn end(&mut self) -> portable_pty::ExitStatus {
        let status = self.child.wait().unwrap();
        while let Ok(chunk) = self.output.recv_timeout(Duration::from_secs(1)) {
            self.parser.process(&chunk);
            self.bytes.extend(chunk);
        }
        status
    }

    fn assert_terminal_left_clean(&self) {
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is back");
        assert!(!screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }
}

/// The overview once every station has been scanned and every meter counted.
fn complete(screen: &str) -> bool {
    screen.contains("10/10") && screen.contains("9/10") && screen.contains("199520/268800")
}

#[test]
fn keys_lead_from_the_overview_to_the_evidence_and_back() {
    let mut session = Session::demo(&[]);
    session.until("the four figures, and the station that is not full, without a key", |screen| {
        complete(screen) && screen.contains("HB07")
    });
    session.press("2");
    session.until("the stations", |screen| screen.contains("HB10 Mai Châu"));
    session.press("1\r");
    session.until("why HB07 is not full", |screen| screen.contains("WHY NOT FULL"));
    session.press("\r");
    session.until("its signals", |screen| screen.contains("HB07.110.172.F21.Z1"));
    session.press("7");
    session.until("the meters", |screen| screen.contains("Đà Bắc"));
    session.press("\u{1b}OP");
    session.until("help", |screen| screen.contains("HELP"));
    session.press("\u{1b}");
    session.until("the meters again", |screen| !screen.contains("HELP"));
    session.press("1");
    session.until("the overview", complete);
    session.resize(80, 24);
    session.until("the overview at 80x24", |screen| {
        complete(screen) && screen.lines().all(|line| line.chars().count() <= 80)
    });
    session.resize(58, 17);
    session.until("the digest", |screen| screen.contains("58x17"));
    session.press("q");
    assert!(session.end().success());
    session.assert_terminal_left_clean();
}

#[test]
fn a_signal_ends_it_and_leaves_the_terminal_clean() {
    for name in ["TERM", "HUP"] {
        let mut session = Session::demo(&[]);
        session.until("the four figures", complete);
        session.signal(name);
        assert!(session.end().success(), "SIG{name} is a clean end");
        session.assert_terminal_left_clean();
    }
}

#[test]
fn without_colour_the_selection_is_still_marked() {
    let mut session = Session::demo(&[("NO_COLOR", "1")]);
    session.until("the four figures", complete);
    // They stand above the rows, which may come later.
    session.until_drawn("a selected row", |screen| {
        let mut cells = (0..30).flat_map(|row| (0..100).map(move |column| (row, column)));
        cells.any(|(row, column)| screen.cell(row, column).is_some_and(vt100::Cell::inverse))
    });
    session.press("\u{3}");
    assert!(session.end().success());
    session.assert_terminal_left_clean();
    let text = String::from_utf8_lossy(&session.bytes).into_owned();
    assert!(text.contains("\u{1b}[7m"), "the selected row is in reverse video");
    for colour in ["\u{1b}[3", "\u{1b}[4", "\u{1b}[9"] {
        let coloured = text.split(colour).skip(1).any(|rest| {
            let sequence: String =
                rest.chars().take_while(|c| *c != 'm' && *c != '\u{1b}').collect();
            rest.chars().nth(sequence.chars().count()) == Some('m') && sequence.starts_with("8;")
        });
        assert!(!coloured, "no colour is sent");
    }
}
