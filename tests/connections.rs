//! Clients of a simulator that has too many of them, or does not want them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cli::free_ports;
use crate::inject::{Simulator, file};

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks unit 1 for the position of a breaker.
fn ask(stream: &mut TcpStream) -> std::io::Result<[u8; 10]> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2])?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(unix)]
#[test]
fn a_simulator_out_of_files_keeps_the_clients_that_it_has() {
    let base = free_ports(8) + 1;
    let program = env!("CARGO_BIN_EXE_gridwatch");
    let command =
        format!("ulimit -n 48; exec {program} simulate config/small.toml --port-base {base}");
    let _simulator = Simulator::start_by(Command::new("sh").args(["-c", &command]));
    let connect = || TcpStream::connect(("127.0.0.1", base)).unwrap();
    let mut first = connect();
    assert_eq!(ask(&mut first).unwrap()[7], 2);
    // The system takes them all; the simulator has files for half of them.
    let others: Vec<TcpStream> = (0..60).map(|_| connect()).collect();
    for mut other in &others {
        other.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        other.write_all(&[0, 1, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2]).unwrap();
    }
    // The first of them is served, whenever that is.
    others[0].set_read_timeout(Some(PATIENCE)).unwrap();
    (&others[0]).read_exact(&mut [0; 10]).unwrap();
    let is_served = |mut other: &TcpStream| other.read_exact(&mut [0; 10]).is_ok();
    let served = 1 + others[1..].iter().filter(|other| is_served(other)).count();
    assert!(served < 60, "{served}");
    assert_eq!(ask(&mut first).unwrap()[7], 2, "it is still there");
    drop(others);
    assert_eq!(ask(&mut connect()).unwrap()[7], 2, "and there is room again");
    assert_eq!(ask(&mut first).unwrap()[7], 2);
}

#[test]
fn a_simulator_says_whom_it_turned_away_and_why() {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let text = text.replace("[link]\n", "[link]\nallow = [\"192.0.2.0/24\"]\n");
    let (_folder, config) = file("province.toml", &text);
    let base = (free_ports(8) + 1).to_string();
    let mut simulator = Simulator::start(&["simulate", &config, "--port-base", &base]);
    let mut stream = TcpStream::connect(format!("127.0.0.1:{base}")).unwrap();
    assert!(ask(&mut stream).is_err());
    let line = simulator.line_with("turned away");
    let address = stream.local_addr().unwrap();
    assert_eq!(
        line.trim_end(),
        format!("{address} was turned away: its address is not on the list of link.allow")
    );
}

#[tokio::test]
async fn a_simulator_that_nobody_listens_to_any_more_serves_on() {
    let text = std::fs::read_to_string("config/small.toml").unwrap();
    let text = text.replace("[link]\n", "[link]\nallow = [\"192.0.2.0/24\"]\n");
    let (folder, config) = file("province.toml", &text);
    let log = folder.path().join("log");
    let base = (free_ports(8) + 1).to_string();
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_gridwatch"))
        .args(["simulate", &config, "--port-base", &base])
        .arg("--log")
        .arg(&log)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(simulator.stdout.take().unwrap());
    let told = output.lines().map_while(Result::ok).find(|line| line.contains("watch it with"));
    assert!(told.is_some(), "it serves, and its output is closed now");
    let turned_away = || {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{base}")).unwrap();
        assert!(ask(&mut stream).is_err());
    };
    turned_away();
    let noticed = async {
        while !std::fs::read_to_string(&log).unwrap().contains("told in the log only") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("it cannot tell any more");
    turned_away();
    let ended = simulator.try_wait().unwrap();
    simulator.kill().unwrap();
    simulator.wait().unwrap();
    assert_eq!(ended, None);
}
