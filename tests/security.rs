//! Certificates as the program makes them, and a province that uses them.

use std::path::Path;
use std::sync::Arc;

use config::Province;
use gridwatch::clock::Clock;
use gridwatch::historian::snapshot::{LinkState, Snapshot};
use gridwatch::monitor::Monitor;
use sim::{Ports, Simulation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::cli::{gridwatch, stderr, stdout};
use crate::field::until;

/// A province file beside the certificates that it names.
struct Laboratory {
    folder: tempfile::TempDir,
    /// What the program said when it made them.
    table: String,
}

impl Laboratory {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy("config/small.toml", folder.path().join("province.toml")).unwrap();
        let output = Self::make(folder.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let table = stdout(&output);
        let text = std::fs::read_to_string("config/small.toml").unwrap();
        std::fs::write(folder.path().join("province.toml"), text + &table).unwrap();
        Self { folder, table }
    }

    fn make(folder: &Path) -> std::process::Output {
        let (certs, config) = (folder.join("certs"), folder.join("province.toml"));
        gridwatch(&["certificates", certs.to_str().unwrap(), "--config", config.to_str().unwrap()])
    }

    fn province(&self) -> Province {
        Province::load(&self.folder.path().join("province.toml")).unwrap()
    }
}

#[test]
fn certificates_are_made_once_and_their_keys_are_for_nobody_else() {
    let laboratory = Laboratory::new();
    let certs = laboratory.folder.path().join("certs");
    let mut names: Vec<String> = std::fs::read_dir(&certs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let of = ["ca", "centre-A1", "centre-CC", "operator", "station"];
    let expected: Vec<String> =
        of.iter().flat_map(|name| [format!("{name}.key"), format!("{name}.pem")]).collect();
    assert_eq!(names, expected);
    #[cfg(unix)]
    for name in of {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = certs.join(format!("{name}.key")).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let before = std::fs::read(certs.join("ca.pem")).unwrap();
    let again = Laboratory::make(laboratory.folder.path());
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("has certificates already (ca.pem); name another folder"));
    assert_eq!(std::fs::read(certs.join("ca.pem")).unwrap(), before);
    assert!(laboratory.table.contains("\nauthority = \"certs/ca.pem\"\n"), "{}", laboratory.table);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_centre_shows_opens_its_stations() {
    let laboratory = Laboratory::new();
    let province = laboratory.province();
    let tls = province.link.tls.clone().unwrap();
    assert!(province.channels.iter().all(|channel| channel.tls));
    let simulation =
        Simulation::start(Arc::new(province), Ports::Ephemeral, Arc::new(|| 1_669_188_727_000))
            .await
            .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&tls.authority).unwrap()).unwrap();
    let shown = tls.centres[0].as_ref().unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(&shown.certificate).unwrap()],
            PrivateKeyDer::from_pem_file(&shown.key).unwrap(),
        )
        .unwrap();
    let stream = TcpStream::connect(simulation.addresses()[0]).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2]).await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[7..], [2, 1, 0b10]);
    simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_reads_secured_stations_as_any() {
    let laboratory = Laboratory::new();
    let mut province = laboratory.province();
    let clock = Clock::system();
    let own = clock.clone();
    let time = Arc::new(move || own.now().0);
    let simulation = Simulation::start(Arc::new(province.clone()), Ports::Ephemeral, time);
    let simulation = simulation.await.unwrap();
    for (channel, address) in province.channels.iter_mut().zip(simulation.addresses()) {
        assert!(channel.tls);
        (channel.host, channel.port) = (address.ip().to_string(), address.port());
    }
    let monitor = Monitor::start(&Arc::new(province), clock).unwrap();
    let settled = |snapshot: &Snapshot| snapshot.first_scan().lacking() == 0;
    let snapshot = until(&monitor, "every station scanned", settled).await;
    for channel in &snapshot.channels {
        assert_eq!(channel.link.state, LinkState::Connected, "{:?}", channel.link.fault);
        assert!(channel.counts.live.have > 0);
    }
    assert_eq!(snapshot.traffic.errors(), 0);
    monitor.stop().await;
    simulation.stop().await;
}

#[test]
fn a_station_with_an_old_device_stays_plain() {
    let laboratory = Laboratory::new();
    let path = laboratory.folder.path().join("province.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replacen("\nunmanned = true", "\nlink = { tls = false }\nunmanned = true", 1);
    std::fs::write(&path, text).unwrap();
    let secured: Vec<bool> = laboratory.province().channels.iter().map(|c| c.tls).collect();
    assert_eq!(secured, [false, true, true, false, true, true]);
}

#[test]
fn a_certificate_that_is_not_there_is_named_before_anything_listens() {
    let laboratory = Laboratory::new();
    std::fs::remove_file(laboratory.folder.path().join("certs/station.key")).unwrap();
    let config = laboratory.folder.path().join("province.toml");
    let output = gridwatch(&["simulate", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("certs/station.key' of link.tls cannot be used: "), "{said}");
    assert!(said.ends_with("'gridwatch certificates DIR' makes a set to try with\n"), "{said}");
}
