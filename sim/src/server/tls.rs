//! Modbus/TCP Security at the station's end: who is at the other end of a connection, and what its
//! role may do (MODBUS/TCP Security Protocol Specification, 2018).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use config::{Identity, Province, Tls};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use x509_parser::asn1_rs::{FromDer as _, Oid, Utf8String, oid};
use x509_parser::prelude::X509Certificate;

use super::connection::{STALL, Wire};
use super::station::Rights;

/// Where a certificate has the role of who shows it (the specification's R-22).
const ROLE: Oid<'static> = oid!(1.3.6.1.4.1.50316.802.1);
/// What to do when a file is not as it must be.
const WAY_OUT: &str = "'gridwatch certificates DIR' makes a set to try with";

/// Why stations cannot offer secured connections.
#[derive(Debug, Error)]
pub enum SecurityError {
    /// The contract names nothing that simulated stations show.
    #[error(
        "link.tls.station is missing: what simulated stations show, [certificate, key]; {WAY_OUT}"
    )]
    NothingToShow,
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

/// Why a client is not let in.
#[derive(Debug, Error)]
pub(super) enum Unwelcome {
    #[error("no handshake within {} s", STALL.as_secs())]
    Slow,
    #[error("the handshake failed: {0}")]
    Failed(io::Error),
}

/// Why a certificate has no role.
#[derive(Debug, Error)]
enum NoRole {
    #[error("no certificate")]
    NoCertificate,
    #[error("no extension {ROLE}")]
    NoExtension,
    #[error("more than one text")]
    TooMany,
    #[error("{0}")]
    Unreadable(String),
}

impl NoRole {
    fn unreadable(error: impl fmt::Display) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What the secured ports of a simulation share.
pub(super) struct Security {
    acceptor: TlsAcceptor,
    may_read: Vec<String>,
    may_write: Vec<String>,
}

impl Wire for TlsStream<TcpStream> {
    fn reset_on_close(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

impl Security {
    /// That of a province; `None` when no channel is secured.
    pub(super) fn load(province: &Province) -> Result<Option<Self>, SecurityError> {
        let secured = province.channels.iter().any(|channel| channel.tls);
        match &province.link.tls {
            Some(tls) if secured => Self::of(tls).map(Some),
            _ => Ok(None),
        }
    }

    fn of(tls: &Tls) -> Result<Self, SecurityError> {
        let Some(Identity { certificate, key }) = &tls.station else {
            return Err(SecurityError::NothingToShow);
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&tls.authority)? {
            roots.add(authority).map_err(|error| unusable(&tls.authority, error))?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| unusable(&tls.authority, error))?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(certificate)?, key_der)
            .map_err(|error| unusable(certificate, error))?;
        // A session that is resumed shows no certificate again: one that has run out would be good
        // for as long as its client comes back.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (may_read, may_write) = (tls.may_read.clone(), tls.may_write.clone());
        Ok(Self { acceptor, may_read, may_write })
    }

    /// Shakes hands with a client, and says what it may do; a client that is slow or shows nothing
    /// good is refused, and the error says why.
    pub(super) async fn welcome(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Guest), Unwelcome> {
        let stream = timeout(STALL, self.acceptor.accept(stream))
            .await
            .map_err(|_| Unwelcome::Slow)?
            .map_err(Unwelcome::Failed)?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let role = shown.map_or(Err(NoRole::NoCertificate), |der| role(der));
        let guest = Guest { rights: self.rights(role.as_deref().ok()), role };
        Ok((stream, guest))
    }

    fn rights(&self, role: Option<&str>) -> Rights {
        let among = |roles: &[String]| role.is_some_and(|role| roles.iter().any(|own| own == role));
        Rights { read: among(&self.may_read), write: among(&self.may_write) }
    }
}

/// Who a certificate says its owner is.
pub(super) struct Guest {
    pub(super) rights: Rights,
    /// The role, or why there is none.
    role: Result<String, NoRole>,
}

impl Guest {
    /// Whether there is nothing it may do.
    pub(super) fn may_nothing(&self) -> bool {
        self.rights == Rights { read: false, write: false }
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            // What a certificate says is not to be trusted in a log.
            Ok(role) => write!(f, "its role {role:?} may do nothing here"),
            Err(why) => write!(f, "its certificate has no role: {why}"),
        }
    }
}

/// The one role of a certificate.
fn role(der: &[u8]) -> Result<String, NoRole> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(NoRole::unreadable)?;
    let found = certificate.get_extension_unique(&ROLE);
    let extension = found.map_err(NoRole::unreadable)?;
    let value = extension.ok_or(NoRole::NoExtension)?.value;
    let (rest, role) = Utf8String::from_der(value).map_err(NoRole::unreadable)?;
    if rest.is_empty() { Ok(role.string()) } else { Err(NoRole::TooMany) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|error| unusable(path, error))?;
    if found.is_empty() { Err(unusable(path, "no certificate in it")) } else { Ok(found) }
}

fn unusable(path: &Path, why: impl fmt::Display) -> SecurityError {
    SecurityError::Unusable { file: path.to_owned(), why: why.to_string() }
}
