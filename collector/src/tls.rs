//! Modbus/TCP Security at the centre's end: what a centre shows, and whom it believes.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{CentreId, Identity, Province, Tls};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// What to do when a file is not as it must be.
const WAY_OUT: &str = "'gridwatch certificates DIR' makes a set to try with";

/// Why polling cannot begin.
#[derive(Debug, Error)]
pub enum StartError {
    /// The contract names nothing that a centre shows to its stations.
    #[error(
        "link.tls.centres has nothing that {centre} shows to its stations, {centre} = [certificate, \
         key]; {WAY_OUT}"
    )]
    NothingToShow {
        /// Id of the centre.
        centre: String,
    },
    /// A file is not what it must be.
    #[error("'{}' of link.tls cannot be used: {why}; {WAY_OUT}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// In the words of who reads it.
        why: String,
    },
    /// Our own settings of the protocol do not fit each other.
    #[error(transparent)]
    Protocol(#[from] rustls::Error),
}

/// A secured connection.
pub(super) type Secured = TlsStream<TcpStream>;

/// What each centre needs to secure its connections.
pub(super) struct Security {
    /// By centre; none where a centre polls no secured station.
    connectors: Vec<Option<TlsConnector>>,
}

impl Security {
    /// That of a province, its files read; `None` when no channel is secured.
    pub(super) fn load(province: &Province) -> Result<Option<Self>, StartError> {
        let Some(tls) = &province.link.tls else { return Ok(None) };
        let mut connectors = vec![None; province.centres.len()];
        for centre in province.channels.iter().filter(|c| c.tls).map(|channel| channel.centre) {
            let n = centre.index();
            if connectors[n].is_none() {
                let Some(shown) = tls.centres.get(n).and_then(Option::as_ref) else {
                    let centre = province.centres[n].id.clone();
                    return Err(StartError::NothingToShow { centre });
                };
                connectors[n] = Some(connector(tls, shown)?);
            }
        }
        let any = connectors.iter().any(Option::is_some);
        Ok(any.then_some(Self { connectors }))
    }

    /// Shakes hands with a station on behalf of a centre. The station's certificate must be signed
    /// by the authority and name the host that was connected to.
    pub(super) async fn secure(
        &self,
        centre: CentreId,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<Secured> {
        let unfit = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let connector = self.connectors.get(centre.index()).and_then(Option::as_ref);
        let connector = connector.ok_or_else(|| unfit("the centre has no certificate".into()))?;
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| unfit(format!("'{host}' is no name: {error}")))?;
        connector.connect(name, stream).await
    }
}

fn connector(tls: &Tls, shown: &Identity) -> Result<TlsConnector, StartError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.authority)? {
        roots.add(authority).map_err(|error| unusable(&tls.authority, error))?;
    }
    let key = PrivateKeyDer::from_pem_file(&shown.key);
    let key = key.map_err(|error| unusable(&shown.key, error))?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&shown.certificate)?, key)
        .map_err(|error| unusable(&shown.certificate, error))?;
    // The station's certificate is looked at each time: a session that is resumed would skip that.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|error| unusable(path, error))?;
    if found.is_empty() { Err(unusable(path, "no certificate in it")) } else { Ok(found) }
}

fn unusable(path: &Path, why: impl Display) -> StartError {
    StartError::Unusable { file: path.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::ChannelId;
    use rcgen::{CertificateParams, CustomExtension, IsCa, Issuer, KeyPair};
    use sim::{Ports, Simulation};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const VIEWER: [u8; 8] = *b"\x0C\x06Viewer";

    /// The built-in province, secured by certificates in a folder.
    fn secured_province(dir: &Path) -> Province {
        let write = |name: &str, text: String| {
            std::fs::write(dir.join(name), text).unwrap();
            dir.join(name)
        };
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = write("ca.pem", params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        let sign = |name: &str| {
            let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
            let role = [1, 3, 6, 1, 4, 1, 50_316, 802, 1];
            let role = CustomExtension::from_oid_content(&role, VIEWER.to_vec());
            params.custom_extensions = vec![role];
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            Identity {
                certificate: write(&format!("{name}.pem"), certificate.pem()),
                key: write(&format!("{name}.key"), key.serialize_pem()),
            }
        };
        let mut province = Province::built_in();
        province.link.tls = Some(Tls {
            authority,
            station: Some(sign("station")),
            centres: vec![Some(sign("centre")), None],
            may_read: vec!["Viewer".to_owned()],
            may_write: Vec::new(),
        });
        for channel in province.channels.iter_mut().filter(|channel| channel.centre.index() == 0) {
            channel.tls = true;
        }
        province
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_centre_reads_a_station_that_it_believes() {
        let dir = tempfile::tempdir().unwrap();
        let province = Arc::new(secured_province(dir.path()));
        let clock = Arc::new(|| 1_669_188_727_000);
        let simulation =
            Simulation::start(Arc::clone(&province), Ports::Ephemeral, clock).await.unwrap();
        let address = simulation.addresses()[0];
        let centre = province.channels[ChannelId::at(0).index()].centre;
        let security = Security::load(&province).unwrap().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = security.secure(centre, "127.0.0.1", stream).await.unwrap();
        stream.write_all(&[0, 1, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2]).await.unwrap();
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[7..9], [2, 1]);

        let stream = TcpStream::connect(address).await.unwrap();
        let end = security.secure(centre, "localhost", stream).await;
        assert!(end.is_err(), "the certificate names another host");
        simulation.stop().await;
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut province = secured_province(dir.path());
        province.channels.iter_mut().for_each(|channel| channel.tls = true);
        let message = Security::load(&province).err().unwrap().to_string();
        assert!(message.starts_with("link.tls.centres has nothing that A1 shows"), "{message}");
        province.link.tls = None;
        assert!(Security::load(&province).unwrap().is_none());
    }
}
