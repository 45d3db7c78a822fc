//! Modbus/TCP Security at the station's end: who is let in, and what a role may do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{ChannelId, Identity, Province, Tls};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair};
use sim::{ListenError, Ports, Simulation};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ALL_VERSIONS, ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
};

/// Longest wait for an event; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST: ChannelId = ChannelId(0);
const ROLE: [u64; 9] = [1, 3, 6, 1, 4, 1, 50316, 802, 1];

/// A certificate and its key.
type Shown = (CertificateDer<'static>, PrivateKeyDer<'static>);

struct Authority(Issuer<'static, KeyPair>, CertificateDer<'static>, String);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        Self(Issuer::new(params, key), der, pem)
    }

    /// A certificate with these extensions as its roles.
    fn sign(&self, roles: &[&[u8]]) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.custom_extensions = roles
            .iter()
            .map(|role| CustomExtension::from_oid_content(&ROLE, role.to_vec()))
            .collect();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn show(&self, roles: &[&[u8]]) -> Shown {
        let (certificate, key) = self.sign(roles);
        (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// What a client with a certificate of this role shows.
    fn with_role(&self, role: &str) -> Shown {
        self.show(&[&text(role)])
    }
}

/// A text as certificates have it.
fn text(role: &str) -> Vec<u8> {
    [&[0x0C, u8::try_from(role.len()).unwrap()], role.as_bytes()].concat()
}

/// A simulation whose ports are secured, and who signs for it.
struct Secured {
    simulation: Simulation,
    address: SocketAddr,
    authority: Authority,
    _dir: TempDir,
}

fn secured_province(dir: &Path, authority: &Authority) -> Province {
    let file = |name: &str, text: String| -> PathBuf {
        std::fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    let (certificate, key) = authority.sign(&[]);
    let station = Identity {
        certificate: file("station.pem", certificate.pem()),
        key: file("station.key", key.serialize_pem()),
    };
    let mut province = Province::load(Path::new("../config/small.toml")).unwrap();
    province.link.tls = Some(Tls {
        authority: file("ca.pem", authority.2.clone()),
        station: Some(station),
        centres: Vec::new(),
        may_read: vec!["Viewer".to_owned(), "Operator".to_owned()],
        may_write: vec!["Operator".to_owned()],
    });
    for channel in &mut province.channels {
        channel.tls = true;
    }
    province
}

async fn start() -> Secured {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let mut province = secured_province(dir.path(), &authority);
    // The second channel is that of an old device.
    province.channels[1].tls = false;
    let simulation =
        Simulation::start(Arc::new(province), Ports::Ephemeral, Arc::new(|| 1_669_188_727_000))
            .await
            .unwrap();
    let address = simulation.addresses()[0];
    Secured { simulation, address, authority, _dir: dir }
}

impl Secured {
    async fn connect(&self, shown: Option<Shown>) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_by(&self.connector(shown, ALL_VERSIONS)).await
    }

    async fn connect_by(&self, by: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        by.connect(name, TcpStream::connect(self.address).await.unwrap()).await
    }

    fn connector(
        &self,
        shown: Option<Shown>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.1.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            Some((certificate, key)) => {
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    }

    /// What a client gets for a PDU: the answer's, or the end of its connection.
    async fn ask(&self, shown: Option<Shown>, pdu: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = self.connect(shown).await?;
        ask(&mut stream, pdu).await
    }

    fn refused(&self) -> u64 {
        self.simulation.channel_traffic(FIRST).refused
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>, pdu: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u8::try_from(pdu.len() + 1).unwrap();
    stream.write_all(&[&[0, 1, 0, 0, 0, length, 1], pdu].concat()).await?;
    let mut head = [0; 7];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("an answer comes")?;
    let mut pdu = vec![0; usize::from(head[5]) - 1];
    timeout(PATIENCE, stream.read_exact(&mut pdu)).await.expect("the whole answer comes")?;
    Ok(pdu)
}

const READ: [u8; 5] = [2, 0, 0, 0, 2];
const CLOSED: [u8; 3] = [2, 1, 0b10];
/// A write that is taken where it is allowed: refused for its address, not for its function.
const WRITE: [u8; 5] = [5, 0, 99, 0xFF, 0];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_may_do_what_the_contract_says() {
    let secured = start().await;
    let viewer = || Some(secured.authority.with_role("Viewer"));
    let operator = || Some(secured.authority.with_role("Operator"));
    assert_eq!(secured.ask(viewer(), &READ).await.unwrap(), CLOSED);
    assert_eq!(secured.ask(viewer(), &WRITE).await.unwrap(), [0x85, 1]);
    assert_eq!(secured.ask(operator(), &READ).await.unwrap(), CLOSED);
    assert_eq!(secured.ask(operator(), &WRITE).await.unwrap(), [0x85, 2]);
    assert_eq!(secured.refused(), 0);
    secured.simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_without_a_role_that_counts_may_do_nothing() {
    let secured = start().await;
    let long = [&[0x0C, 0x82, 0xFF, 0xFF], &b"Viewer"[..]].concat();
    let two = [text("Viewer"), text("Operator")].concat();
    let others: [&[&[u8]]; 6] = [
        &[],
        &[&text("viewer")],
        &[&text("Viewer"), &text("Operator")],
        &[&two],
        &[b"Viewer"],
        &[&long],
    ];
    for (n, roles) in others.into_iter().enumerate() {
        let shown = secured.authority.show(roles);
        let mut stream = secured.connect(Some(shown)).await.unwrap();
        assert_eq!(ask(&mut stream, &READ).await.unwrap(), [0x82, 1], "{roles:?}");
        assert_eq!(ask(&mut stream, &WRITE).await.unwrap(), [0x85, 1], "{roles:?}");
        assert_eq!(secured.refused(), n as u64 + 1);
    }
    let line = secured.simulation.take_refusal().unwrap();
    assert!(line.contains("127.0.0.1:") && line.contains("role"), "{line}");
    secured.simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_nothing_good_is_refused() {
    let secured = start().await;
    assert!(secured.ask(None, &READ).await.is_err(), "no certificate");
    let stranger = Authority::new().with_role("Operator");
    assert!(secured.ask(Some(stranger), &READ).await.is_err(), "of another authority");
    let mut plain = TcpStream::connect(secured.address).await.unwrap();
    plain.write_all(&[0, 1, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2]).await.unwrap();
    let mut said = Vec::new();
    // An alert at most, and the end.
    let _ = timeout(PATIENCE, plain.read_to_end(&mut said)).await.expect("it is closed");
    assert!(said.len() < 9, "{said:?}");
    assert_eq!(secured.refused(), 3);
    // The old device beside it is asked as ever.
    let mut old = TcpStream::connect(secured.simulation.addresses()[1]).await.unwrap();
    old.write_all(&[0, 1, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2]).await.unwrap();
    let mut answer = [0; 10];
    timeout(PATIENCE, old.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer[7..], CLOSED);
    secured.simulation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_takes_its_time_holds_up_nobody() {
    let secured = start().await;
    let _silent = TcpStream::connect(secured.address).await.unwrap();
    let viewer = Some(secured.authority.with_role("Viewer"));
    assert_eq!(secured.ask(viewer, &READ).await.unwrap(), CLOSED);
    secured.simulation.stop().await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named_before_anybody_listens() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let good = secured_province(dir.path(), &authority);
    let said = async |change: &dyn Fn(&mut Tls)| {
        let mut province = good.clone();
        change(province.link.tls.as_mut().unwrap());
        let started = Simulation::start(Arc::new(province), Ports::Ephemeral, Arc::new(|| 0));
        match started.await.err() {
            Some(ListenError::Security(error)) => error.to_string(),
            other => format!("{other:?}"),
        }
    };
    let message = said(&|tls| tls.authority = "no/ca.pem".into()).await;
    assert!(message.starts_with("'no/ca.pem' of link.tls cannot be used: "), "{message}");
    assert!(message.ends_with("'gridwatch certificates DIR' makes a set to try with"), "{message}");
    let message = said(&|tls| tls.station = None).await;
    assert!(message.starts_with("link.tls.station is missing"), "{message}");
    let message = said(&|tls| {
        let station = tls.station.as_mut().unwrap();
        station.key.clone_from(&station.certificate);
    });
    let message = message.await;
    assert!(message.contains("station.pem' of link.tls cannot be used"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_shown_again_at_each_connection() {
    let secured = start().await;
    for version in [&TLS12, &TLS13] {
        let by = secured.connector(Some(secured.authority.with_role("Viewer")), &[version]);
        for _ in 0..2 {
            let mut stream = secured.connect_by(&by).await.unwrap();
            assert_eq!(ask(&mut stream, &READ).await.unwrap(), CLOSED);
            let kind = stream.get_ref().1.handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::Full), "{version:?}");
        }
    }
    secured.simulation.stop().await;
}
