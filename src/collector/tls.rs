//! Modbus/TCP Security at the centre's end: what a centre shows, and whom it believes.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;

use config::{CentreId, Identity, Province, Tls};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What to do when a file is not as it must be.
const WAY_OUT: &str = "'gridwatch certificates DIR' makes a set to try with";

/// What each centre needs to secure its connections.
pub(super) struct Security {
    /// By centre; none where a centre polls no secured station.
    connectors: Vec<Option<TlsConnector>>,
}

impl Security {
    /// That of a province, its files read; `None` when no channel is secured.
    pub(super) fn load(province: &Province) -> Result<Option<Self>, String> {
        let Some(tls) = &province.link.tls else { return Ok(None) };
        let mut connectors = vec![None; province.centres.len()];
        for centre in province.channels.iter().filter(|c| c.tls).map(|channel| channel.centre) {
            let n = centre.index();
            if connectors[n].is_none() {
                let Some(shown) = tls.centres.get(n).and_then(Option::as_ref) else {
                    let id = &province.centres[n].id;
                    return Err(format!(
                        "link.tls.centres has nothing that {id} shows to its stations, \
                         {id} = [certificate, key]; {WAY_OUT}"
                    ));
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
    ) -> io::Result<TlsStream<TcpStream>> {
        let unfit = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let connector = self.connectors.get(centre.index()).and_then(Option::as_ref);
        let connector = connector.ok_or_else(|| unfit("the centre has no certificate".into()))?;
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| unfit(format!("'{host}' is no name: {error}")))?;
        connector.connect(name, stream).await
    }
}

fn connector(tls: &Tls, shown: &Identity) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.authority)? {
        roots.add(authority).map_err(|error| unusable(&tls.authority, error))?;
    }
    let key = PrivateKeyDer::from_pem_file(&shown.key);
    let key = key.map_err(|error| unusable(&shown.key, error))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&shown.certificate)?, key)
        .map_err(|error| unusable(&shown.certificate, error))?;
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|error| unusable(path, error))?;
    if found.is_empty() { Err(unusable(path, "no certificate in it")) } else { Ok(found) }
}

fn unusable(path: &Path, why: impl Display) -> String {
    format!("'{}' of link.tls cannot be used: {why}; {WAY_OUT}", path.display())
}
