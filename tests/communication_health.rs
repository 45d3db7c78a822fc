//! Communication health is visible: late replies, refusals, a silent unit and scans that take too
//! long stand in the snapshot, in JSON and on the screen, with their cause.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Channel, Lang, Province};
use gridwatch::clock::Clock;
use gridwatch::historian::snapshot::{ChannelSnapshot, LinkState, Snapshot};
use gridwatch::json;
use gridwatch::monitor::Monitor;
use gridwatch::signal::update::OverrunCause;
use gridwatch::terminal::ratatui::buffer::Buffer;
use gridwatch::terminal::ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use gridwatch::terminal::ratatui::layout::Rect;
use gridwatch::terminal::{Options, Ui};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::field::until;

const DEADLINE_MS: u32 = 500;
/// Behind the deadline, before the next reply.
const LATE: Duration = Duration::from_millis(DEADLINE_MS as u64 + 80);
/// The unit that misbehaves in each station.
const UNIT: u8 = 2;
/// What is wrong with a station.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// One unit never answers.
    Silent,
    /// A reply in forty comes after the deadline.
    Late,
    /// One register of one unit is refused, and so is every request over it.
    Refuses { function: u8, address: u16 },
}

/// What is wrong with the station of a channel.
fn trouble(province: &Province, channel: &Channel) -> Trouble {
    let points = &province.stations[channel.station.index()].points;
    let mapped = channel.entries.iter().zip(points).filter(|(_, point)| point.spec.scan.is_some());
    let mut registers = mapped.filter_map(|(entry, _)| entry.register);
    match channel.station.index() {
        0 => Trouble::Silent,
        1 => Trouble::Late,
        _ => {
            let missing = registers.find(|register| register.unit == UNIT).unwrap();
            let (function, address) = (missing.table.read_function(), missing.address);
            Trouble::Refuses { function, address }
        }
    }
}

async fn serve(mut stream: TcpStream, trouble: Trouble) -> std::io::Result<()> {
    let mut request = [0; 12];
    for n in 0_u32.. {
        stream.read_exact(&mut request).await?;
        let (unit, function) = (request[6], request[7]);
        let address = u16::from_be_bytes([request[8], request[9]]);
        let count = u16::from_be_bytes([request[10], request[11]]);
        let bytes = usize::from(if function <= 2 { count.div_ceil(8) } else { 2 * count });
        let mut pdu = vec![function, u8::try_from(bytes).unwrap()];
        pdu.resize(2 + bytes, 0);
        let asked = address..address + count;
        match trouble {
            Trouble::Silent if unit == UNIT => continue,
            Trouble::Late if n % 40 == 20 => sleep(LATE).await,
            Trouble::Refuses { function: of, address }
                if (unit, function) == (UNIT, of) && asked.contains(&address) =>
            {
                pdu = vec![function | 0x80, 2];
            }
            _ => {}
        }
        let [high, low] = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        let head = [request[0], request[1], 0, 0, high, low, unit];
        stream.write_all(&[&head[..], &pdu].concat()).await?;
    }
    Ok(())
}

async fn listen(listener: TcpListener, trouble: Trouble) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, trouble));
    }
}

/// Three stations that are asked five times a second, each with its trouble.
async fn watch() -> Monitor {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/small.toml");
    let text = std::fs::read_to_string(file).unwrap().replacen("fast = 1 ", "fast = 0.2 ", 1);
    let mut province = Province::parse("small.toml", &text).unwrap();
    let troubles: Vec<Trouble> =
        province.channels.iter().map(|channel| trouble(&province, channel)).collect();
    for (channel, trouble) in province.channels.iter_mut().zip(troubles) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        channel.port = listener.local_addr().unwrap().port();
        channel.device.reply_timeout_ms = DEADLINE_MS;
        tokio::spawn(listen(listener, trouble));
    }
    Monitor::start(&Arc::new(province), Clock::system()).unwrap()
}

fn of_station(snapshot: &Snapshot, station: usize) -> &ChannelSnapshot {
    let found = snapshot
        .channels
        .iter()
        .find(|channel| channel.contract(&snapshot.province).station.index() == station);
    found.unwrap()
}

/// Place of the unit that misbehaves.
fn place(snapshot: &Snapshot, channel: &ChannelSnapshot) -> usize {
    let units = &channel.station(&snapshot.province).units;
    units.iter().position(|unit| unit.id == UNIT).unwrap()
}

fn all_seen(snapshot: &Snapshot) -> bool {
    let [silent, late, refuses] = [0, 1, 2].map(|n| of_station(snapshot, n));
    silent
        .link
        .overrun
        .is_some_and(|(_, o)| o.missed > 0 && o.cause == OverrunCause::SilentDevice(UNIT))
        && late.link.strays.late > 0
        && refuses.units[place(snapshot, refuses)].set_aside > 0
        && snapshot.channels.iter().all(|channel| channel.link.state == LinkState::Connected)
}

fn screen(snapshot: &Arc<Snapshot>, keys: &[KeyCode]) -> String {
    let options =
        Options { lang: Lang::En, color: false, ascii: false, simulate: "simulate".to_owned() };
    let mut ui = Ui::new(options, Arc::clone(snapshot));
    let mut buffer = Buffer::empty(Rect::new(0, 0, 100, 40));
    ui.draw(&mut buffer);
    for key in keys {
        ui.press(KeyEvent::new(*key, KeyModifiers::NONE));
    }
    ui.draw(&mut buffer);
    let line = |y| (0..100).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..40).map(|y| line(y) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn communication_health_is_visible() {
    let monitor = watch().await;
    let snapshot = until(&monitor, "every trouble in the snapshot", all_seen).await;
    monitor.stop().await;

    let silent = of_station(&snapshot, 0);
    let unit = &silent.units[place(&snapshot, silent)];
    assert!(!unit.answers && unit.traffic.no_reply > 0 && unit.last_good.is_none());
    assert!(silent.link.overruns > 0 && silent.link.missed > 0);
    let others = silent.units.iter().filter(|u| u.asked && u.last_good.is_some());
    assert!(others.count() > 0, "its neighbours answer");
    let late = of_station(&snapshot, 1);
    assert!(late.traffic.no_reply > 0 && late.traffic.p95_ms.is_some());
    let refuses = of_station(&snapshot, 2);
    let unit = &refuses.units[place(&snapshot, refuses)];
    assert!(unit.traffic.refused > 0 && unit.last_good.is_some());
    assert_eq!(unit.set_aside as usize, refuses.set_aside(&snapshot.province, UNIT).len());

    let text = screen(&snapshot, &[KeyCode::Char('9')]);
    for part in ["✗ silent", "! overrun", "! aside"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let card = |station: &str| {
        let find = format!("9/{station}").chars().map(KeyCode::Char).collect::<Vec<_>>();
        screen(&snapshot, &[find, vec![KeyCode::Enter; 2]].concat())
    };
    for (station, parts) in [
        ("s1 doi", ["of a period of 0.2 s: unit 2", "does not answer", "reply deadline 500 ms"]),
        ("s2 ben", ["late replies: raise reply_timeout_ms", "strays     late", "no reply"]),
        ("s3 u2", ["1 refused alone", "exception 02", "correct the register map"]),
    ] {
        let card = card(station);
        for part in parts {
            assert!(card.contains(part), "{part} is missing in\n{card}");
        }
    }

    let document: serde_json::Value = serde_json::from_str(&json::snapshot(&snapshot)).unwrap();
    let traffic = |station: usize| &document["stations"][station]["centres"][0]["traffic"];
    assert!(traffic(0)["overruns"].as_u64() > Some(0));
    assert!(traffic(0)["missed_slots"].as_u64() > Some(0));
    assert!(traffic(1)["late"].as_u64() > Some(0));
    assert!(traffic(2)["refused"].as_u64() > Some(0));
    assert!(traffic(2)["requests"].as_u64() > traffic(2)["refused"].as_u64());
    assert!(traffic(2)["p95_ms"].as_f64() >= traffic(2)["p50_ms"].as_f64());
}
