//! A web server's end of TLS, with a certificate of its own.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, version};
use tokio_rustls::server::TlsStream;

/// One certificate and what serves with it.
#[derive(Clone)]
pub struct Https {
    acceptor: TlsAcceptor,
    certificate: Vec<u8>,
}

impl Https {
    /// With a new certificate for a host.
    ///
    /// # Panics
    ///
    /// When none can be made.
    pub fn new(host: &str) -> Self {
        let own = rcgen::generate_simple_self_signed(vec![host.to_owned()]);
        let own = own.expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let certificate = own.cert.der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .expect("a good certificate");
        Self {
            acceptor: Arc::new(config).into(),
            certificate: certificate.to_vec(),
        }
    }

    /// The certificate (DER).
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Shakes hands.
    ///
    /// # Errors
    ///
    /// The other side does not, or not for this certificate.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await
    }
}
