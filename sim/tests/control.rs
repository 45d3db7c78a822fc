//! The control port, by a client that speaks bytes: what it answers, and what it bears.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Province, Zone};
use sim::control::{Control, LINE_BYTES_MAX};
use sim::{Ports, Simulation};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an event; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

async fn start() -> (Simulation, Control) {
    start_of(Province::load(Path::new("../config/small.toml")).unwrap()).await
}

async fn start_of(province: Province) -> (Simulation, Control) {
    let province = Arc::new(province);
    let clock = Arc::new(|| 1_669_188_727_000);
    let simulation = Simulation::start(province, Ports::Ephemeral, clock).await.unwrap();
    let control = Control::start(simulation.desk(), 0).await.unwrap();
    (simulation, control)
}

async fn ask(address: SocketAddr, line: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(line).await.unwrap();
    stream.write_all(b"\n").await.unwrap();
    let mut answer = String::new();
    let mut read = BufReader::new(stream);
    timeout(PATIENCE, read.read_line(&mut answer)).await.expect("an answer comes").unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_says_by_what_local_time_goes() {
    for (zone, told) in [
        (Zone::minutes(-210), "\"utc_offset_hours\":-3.5"),
        (Zone::named("Asia/Ho_Chi_Minh"), "\"utc_offset_hours\":7"),
        (Zone::named("Europe/Berlin"), "\"time_zone\":\"Europe/Berlin\""),
    ] {
        let province = Province { zone: zone.unwrap(), ..Province::built_in() };
        let (simulation, control) = start_of(province).await;
        let answer = ask(control.address(), br#"{"do":"list"}"#).await;
        assert_eq!(answer, format!("{{\"ok\":true,\"faults\":[],{told}}}\n"));
        control.stop().await;
        simulation.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_started_listed_looked_at_and_cleared() {
    let (simulation, control) = start().await;
    let address = control.address();
    let inject = br#"{"do":"inject","kind":"wrong-scale","target":"S1.110.171.P","centre":"A1","for":"10m","params":{"factor":10}}"#;
    assert_eq!(ask(address, inject).await, "{\"ok\":true,\"fault\":1,\"utc_offset_hours\":7}\n");
    let list = ask(address, br#"{"do":"list"}"#).await;
    assert!(list.contains(r#""id":1,"kind":"T11","name":"wrong scale""#), "{list}");
    assert!(list.contains(r#""until":"2022-11-23T07:42:07.000Z","points":1"#), "{list}");
    let truth = ask(address, br#"{"do":"truth","point":"S1.110.171.P"}"#).await;
    let truth: serde_json::Value = serde_json::from_str(&truth).unwrap();
    let (value, sent) = (truth["true"].as_f64().unwrap(), &truth["sent"]);
    let measured = sent[0]["value"].as_f64().unwrap();
    assert!((measured - value).abs() < 2.0, "within the class of the point");
    assert!((sent[1]["value"].as_f64().unwrap() - 10.0 * measured).abs() < 0.1);
    assert_eq!(sent[1]["faults"][0], 1);
    assert_eq!(
        ask(address, br#"{"do":"clear","fault":1}"#).await,
        "{\"ok\":true,\"utc_offset_hours\":7}\n"
    );
    assert_eq!(
        ask(address, br#"{"do":"list"}"#).await,
        "{\"ok\":true,\"faults\":[],\"utc_offset_hours\":7}\n"
    );
    control.stop().await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_said() {
    let (simulation, control) = start().await;
    let address = control.address();
    for (line, said) in [
        (&b""[..], "no request"),
        (b"hello", "no request"),
        (b"\xFF\xFE\x00", "no request"),
        (b"[[[[[[[[", "no request"),
        (br#"{"do":"dance"}"#, "unknown variant `dance`"),
        (br#"{"do":"list","extra":1}"#, "no request"),
        (br#"{"do":"clear","fault":-1}"#, "no request"),
        (br#"{"do":"clear","fault":7}"#, "no fault 7"),
        (br#"{"do":"inject","kind":"T77","target":"S1"}"#, "no fault 'T77'"),
        (br#"{"do":"inject","kind":"T08","target":"S9"}"#, "did you mean 'S"),
        (br#"{"do":"inject","kind":"T08","target":"S1","centre":"B"}"#, "no centre 'B'"),
        (br#"{"do":"inject","kind":"T08","target":"S1","for":"ever"}"#, "no span of time"),
        (br#"{"do":"inject","kind":"T11","target":"S1","params":{"factor":1e999}}"#, "no request"),
        (br#"{"do":"inject","kind":"T11","target":"S1","params":{"factor":[1]}}"#, "not a number"),
        (br#"{"do":"truth","point":"S1.110.171"}"#, "is not one point"),
        (br#"{"do":"truth","point":"*"}"#, "is not one point"),
    ] {
        let answer = ask(address, line).await;
        let value: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(value["ok"], false, "{answer}");
        assert!(value["error"].as_str().unwrap().contains(said), "{said}: {answer}");
    }
    control.stop().await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_without_end_is_cut_off_and_others_are_served() {
    let (simulation, control) = start().await;
    let address = control.address();
    let mut flood = TcpStream::connect(address).await.unwrap();
    let chunk = vec![b'x'; usize::try_from(LINE_BYTES_MAX).unwrap()];
    // It may be closed before all of it is taken.
    let _ = flood.write_all(&chunk).await;
    let _ = flood.write_all(&chunk).await;
    let mut answer = Vec::new();
    let end = timeout(PATIENCE, flood.read_to_end(&mut answer)).await.expect("it is closed");
    let answer = String::from_utf8(answer).unwrap();
    assert!(end.is_err() || answer.contains("longer than"), "{answer}");
    // More clients than are served at once, all silent: the next waits for a seat.
    let mut idle = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"{\"do\":\"list\"}\n").await.unwrap();
        let mut byte = [0];
        timeout(PATIENCE, stream.read_exact(&mut byte)).await.expect("it is seated").unwrap();
        idle.push(stream);
    }
    let waiting = tokio::spawn(async move { ask(address, br#"{"do":"list"}"#).await });
    drop(idle);
    assert!(waiting.await.unwrap().contains("\"ok\":true"));
    control.stop().await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_channel_refuses_and_comes_back_on_its_port() {
    let (simulation, control) = start().await;
    let address = simulation.addresses()[0];
    let desk = simulation.desk();
    let mut open = TcpStream::connect(address).await.unwrap();
    let fault = desk.inject("T01", "S1", None).await.unwrap();
    let mut byte = [0];
    let end = timeout(PATIENCE, open.read(&mut byte)).await.expect("it is closed");
    assert!(end.is_err() || end.unwrap() == 0);
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("the port is closed");
    desk.clear(fault).await.unwrap();
    let taken = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, taken).await.expect("the port is open again");
    if let Err(error) = desk.clear(fault).await {
        assert!(error.to_string().contains("none is active"), "{error}");
    } else {
        panic!("it was cleared twice");
    }
    control.stop().await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plant_is_struck_set_and_looked_at() {
    use std::sync::atomic::{AtomicI64, Ordering};
    let province = Arc::new(Province::load(Path::new("../config/small.toml")).unwrap());
    // Half a second past the last step: what is done now is in the next one.
    let now = Arc::new(AtomicI64::new(1_669_188_727_500));
    let clock = Arc::clone(&now);
    let clock = Arc::new(move || clock.load(Ordering::Relaxed));
    let simulation = Simulation::start(province, Ports::Ephemeral, clock).await.unwrap();
    let control = Control::start(simulation.desk(), 0).await.unwrap();
    let address = control.address();
    let happened = "{\"ok\":true,\"at\":\"2022-11-23T07:32:07.500Z\",\"utc_offset_hours\":7}\n";
    for line in [
        &br#"{"do":"strike","bay":"S1.22.471","lasting":true,"phase":"B","earth":false}"#[..],
        br#"{"do":"set","point":"S1.22.472.CB.RL","code":0}"#,
        br#"{"do":"set","point":"S1.22.472.PNL.GAS","code":"alarm"}"#,
        br#"{"do":"dip","hertz":1.2,"for":"20s"}"#,
    ] {
        assert_eq!(ask(address, line).await, happened);
    }
    let none = ask(address, br#"{"do":"outages"}"#).await;
    assert!(none.contains(r#""interruptions":[]"#), "{none}");
    // Four minutes later: the feeder is locked out, and a crew on its way.
    now.fetch_add(240_000, Ordering::Relaxed);
    let read = |point: &str| format!(r#"{{"do":"truth","point":"{point}"}}"#);
    let (key, gas) = (read("S1.22.472.CB.RL"), read("S1.22.472.PNL.GAS"));
    let stepped = async {
        loop {
            let answer = ask(address, key.as_bytes()).await;
            if answer.contains(r#""true":0.0"#) {
                break;
            }
        }
    };
    timeout(PATIENCE, stepped).await.expect("the field takes a step");
    assert!(ask(address, gas.as_bytes()).await.contains(r#""true":1.0"#));
    assert!(ask(address, read("S1.22.471.F79.LO").as_bytes()).await.contains(r#""true":1.0"#));
    let strike = br#"{"do":"strike","bay":"S1.22.471"}"#;
    let dead = ask(address, strike).await;
    assert!(dead.contains("S1.22.471 is dead or switched off"), "{dead}");
    now.fetch_add(240_000, Ordering::Relaxed);
    let outages = async {
        loop {
            let answer = ask(address, br#"{"do":"outages"}"#).await;
            let told: serde_json::Value = serde_json::from_str(&answer).unwrap();
            if told["sustained"]["interruptions"] == 1 {
                break told;
            }
        }
    };
    let told = timeout(PATIENCE, outages).await.expect("it is sustained by now");
    let all = told["interruptions"].as_array().unwrap();
    let lasting = all.last().unwrap();
    assert_eq!((&lasting["bay"], &lasting["station"]), (&"S1.22.471".into(), &"S1".into()));
    assert_eq!(lasting["counts_as"], "sustained");
    assert!(lasting["until"].is_null());
    let (out, of) = (lasting["customers"].as_f64().unwrap(), told["customers"].as_f64().unwrap());
    // Each trip counts for itself: it was closed again after one second and after another fifteen.
    let trips = all.iter().filter(|own| own["bay"] == lasting["bay"]).count();
    let minutes = lasting["minutes"].as_f64().unwrap();
    assert!(trips == 3 && (7.65..7.8).contains(&minutes), "{trips} {minutes}");
    assert!((told["saifi"].as_f64().unwrap() - out / of).abs() < 1e-12);
    assert!((told["saidi_minutes"].as_f64().unwrap() - minutes * out / of).abs() < 1e-9);
    assert!((told["customer_minutes"].as_f64().unwrap() - minutes * out).abs() < 1e-6);
    control.stop().await;
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_happen_to_the_plant_is_said() {
    let (simulation, control) = start().await;
    let address = control.address();
    for (line, said) in [
        (&br#"{"do":"strike","bay":"S1.22.47"}"#[..], "did you mean 'S1.22.47"),
        (br#"{"do":"strike","bay":"S1.22.C41"}"#, "could be struck"),
        (br#"{"do":"strike","bay":"S1.22.471","phase":"R"}"#, "no phase 'R'"),
        (br#"{"do":"strike","bay":"S1.22.471","share":2}"#, "0 to 1"),
        (br#"{"do":"strike","bay":"S1.22.471","shar":0.5}"#, "no request"),
        (br#"{"do":"set","point":"S1.22.471.CB.RL","code":2}"#, "cannot be '2'"),
        (br#"{"do":"set","point":"S1.22.471.CB.RL","code":[0]}"#, "cannot be '[0]'"),
        (br#"{"do":"set","point":"S1.22.471.P","code":1}"#, "is no status"),
        (br#"{"do":"set","point":"S1.22.471.CB.CMD","code":1}"#, "is no status"),
        (br#"{"do":"dip","hertz":12,"for":"20s"}"#, "0.05 to 5"),
        (br#"{"do":"dip","hertz":1,"for":"2d"}"#, "1s to 1h"),
        (br#"{"do":"dip","hertz":1}"#, "no request"),
        (br#"{"do":"outages","extra":1}"#, "no request"),
    ] {
        let answer = ask(address, line).await;
        let value: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(value["ok"], false, "{answer}");
        assert!(value["error"].as_str().unwrap().contains(said), "{said}: {answer}");
    }
    control.stop().await;
    simulation.stop().await;
}
