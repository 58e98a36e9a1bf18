//! TLS towards foreign servers: rustls with ring, one shared configuration per trust policy.
//!
//! A configuration holds the root store; making one per connection costs a hundred times the
//! memory of the connection itself.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use isthmus_gateway::Later;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio_rustls::TlsConnector;

use crate::BoxedStream;
use crate::reason::failed;

/// What makes a server's certificate good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// It is valid for the host under the system's roots.
    Native,
    /// Its SHA-256 digest is this one; neither name nor expiry matter then.
    Pin([u8; 32]),
    /// Nothing is asked of it. Only by explicit configuration.
    Insecure,
}

/// A certificate of our own, and its key. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate (DER).
    pub certificate: Vec<u8>,
    /// Its key (PKCS #8, DER).
    pub key: Vec<u8>,
}

impl Identity {
    /// The SHA-256 digest by which servers know it.
    pub fn fingerprint(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.certificate);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        fingerprint
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A ready TLS configuration. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl Tls {
    /// The configuration for `trust`: the same one for every caller in this process. Reads the
    /// system's roots the first time they are asked for.
    pub fn shared(trust: Trust) -> io::Result<Self> {
        static MADE: Mutex<Option<HashMap<Trust, Tls>>> = Mutex::new(None);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.get_or_insert_default();
        if let Some(tls) = made.get(&trust) {
            return Ok(tls.clone());
        }
        let verifier = verifier(trust)?;
        let config = Arc::new(builder(&verifier)?.with_no_client_auth());
        let tls = Self { config, verifier };
        made.insert(trust, tls.clone());
        Ok(tls)
    }

    /// The configuration for `trust` that shows this certificate to who asks for one. It is not
    /// kept, and sessions are not resumed: nothing ties two identities together.
    pub fn with_identity(trust: Trust, identity: &Identity) -> io::Result<Self> {
        let verifier = Self::shared(trust)?.verifier;
        let certificate = CertificateDer::from(identity.certificate.clone());
        let key = PrivatePkcs8KeyDer::from(identity.key.clone());
        let mut config = builder(&verifier)?
            .with_client_auth_cert(vec![certificate], key.into())
            .map_err(io::Error::other)?;
        config.resumption = Resumption::disabled();
        let config = Arc::new(config);
        Ok(Self { config, verifier })
    }

    /// Shakes hands with `host` over `stream`. The caller owns the time limit.
    pub fn connect(&self, host: &str, stream: BoxedStream) -> Later<io::Result<BoxedStream>> {
        let name = ServerName::try_from(host.to_owned());
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Box::pin(async move {
            let name = name.map_err(|_| {
                let words = ("not a host name TLS can check", "不是 TLS 可以验证的主机名");
                failed(io::ErrorKind::InvalidInput, words)
            })?;
            let stream = connector.connect(name, stream).await?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}

fn builder(
    verifier: &Arc<dyn ServerCertVerifier>,
) -> io::Result<ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let verifier = Arc::clone(verifier);
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

fn verifier(trust: Trust) -> io::Result<Arc<dyn ServerCertVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(match trust {
        Trust::Native => {
            let mut roots = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(failed(
                    io::ErrorKind::Other,
                    (
                        "the system has no certificate authorities installed",
                        "系统未安装任何证书颁发机构",
                    ),
                ));
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(io::Error::other)?
        }
        Trust::Pin(digest) => Arc::new(Lenient {
            pin: Some(digest),
            provider,
        }),
        Trust::Insecure => Arc::new(Lenient {
            pin: None,
            provider,
        }),
    })
}

/// Accepts the one certificate with the right digest, or any. The handshake's signatures are
/// checked in both cases: the peer must hold the key of the certificate it shows.
#[derive(Debug)]
struct Lenient {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.pin {
            Some(pin)
                if ring::digest::digest(&ring::digest::SHA256, end_entity).as_ref() != pin =>
            {
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::ApplicationVerificationFailure,
                ))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn one_policy_has_one_configuration() {
        let one = Tls::shared(Trust::Pin([1; 32])).expect("a pin needs no roots");
        let same = Tls::shared(Trust::Pin([1; 32])).expect("a pin needs no roots");
        let other = Tls::shared(Trust::Pin([2; 32])).expect("a pin needs no roots");
        assert!(Arc::ptr_eq(&one.config, &same.config));
        assert!(!Arc::ptr_eq(&one.config, &other.config));
    }
    /// A server with a certificate of its own on a free port of this machine, and the digest.
    async fn server() -> (std::net::SocketAddr, [u8; 32]) {
        let own = rcgen::generate_simple_self_signed(vec!["irc.example".to_owned()]);
        let own = own.expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let mut digest = [0; 32];
        let made = ring::digest::digest(&ring::digest::SHA256, own.cert.der());
        digest.copy_from_slice(made.as_ref());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .expect("a good certificate");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free port");
        let at = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whom it was refused to shake hands with is not our matter here.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(b"hello").await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        (at, digest)
    }

    /// What a server says first to who trusts so.
    async fn first_words(at: std::net::SocketAddr, trust: Trust) -> io::Result<String> {
        let stream = tokio::net::TcpStream::connect(at).await?;
        let tls = Tls::shared(trust)?;
        // By another name than the certificate has: a pin is all that counts.
        let mut stream = tls.connect("elsewhere.example", Box::new(stream)).await?;
        let mut words = String::new();
        stream.read_to_string(&mut words).await?;
        Ok(words)
    }

    #[tokio::test]
    async fn a_pinned_server_is_met_and_one_with_another_certificate_is_refused() {
        let (at, digest) = server().await;
        let words = first_words(at, Trust::Pin(digest)).await;
        assert_eq!(words.expect("the right certificate"), "hello");
        for bit in [0, 7, 128, 255] {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            let fault = first_words(at, Trust::Pin(other)).await;
            let fault = fault.expect_err("not the certificate that was asked for");
            assert_eq!(fault.kind(), io::ErrorKind::InvalidData, "{fault}");
            assert!(fault.to_string().contains("certificate"), "{fault}");
        }
        // Another server, without a fault of its own.
        let (elsewhere, _) = server().await;
        assert!(first_words(elsewhere, Trust::Pin(digest)).await.is_err());
    }
}
