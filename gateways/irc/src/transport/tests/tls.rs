//! STS and client certificates.

use super::*;

#[tokio::test]
async fn a_server_that_asks_for_tls_is_met_there_and_never_again_without() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (servers, mut dialled) = unbounded_channel();
    let log = Arc::clone(&seen);
    let dial = DialFn(move |host: &str, port: u16, _: Reach| {
        log.lock()
            .expect("no test panics here")
            .push((host.to_owned(), port));
        if port == 6697 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = tokio::io::duplex(4096);
        servers.send(theirs).expect("the test is there");
        Ok(Box::new(ours) as BoxedStream)
    });
    let connector = Connector {
        dial: Arc::new(dial),
        common: Arc::default(),
        user: isthmus_gateway::UserId(1),
        network: "irc.example".to_owned(),
        ident: "crab".to_owned(),
    };
    let mut tls = candidate(true);
    tls.port = 6697;
    let route = Route {
        candidates: vec![tls, candidate(false)],
        ..route()
    };
    let mut bench = Bench::new();
    bench.session = IrcSession::new(settings(), Ok(route), connector, 1);
    bench
        .run(async {
            let mut server = dialled.recv().await.expect("met in plain text");
            server
                .write_all(b":s CAP * LS :sts=port=7000,duration=300\r\n")
                .await
                .expect("said");
            let mut rest = Vec::new();
            let _ = server.read_to_end(&mut rest).await;
            // The next connection comes at once: plain text again would come here.
            let _next = dialled.recv().await.expect("met again");
        })
        .await;
    let seen = seen.lock().expect("no test panics here").clone();
    let ports: Vec<_> = seen.iter().map(|(_, port)| *port).collect();
    assert_eq!(ports, [6697, 6667, 7000]);
}

#[tokio::test]
async fn a_certificate_that_was_asked_for_is_shown_to_the_server() {
    let (servers, mut dialled) = unbounded_channel();
    let dial = DialFn(move |_: &str, _: u16, _: Reach| {
        let (ours, theirs) = tokio::io::duplex(4096);
        servers.send(theirs).expect("the test is there");
        Ok(Box::new(ours) as BoxedStream)
    });
    let common = Arc::new(Common::default());
    let up: Arc<dyn isthmus_gateway::Uplink> = Arc::new(crate::testing::Shelf::default());
    common.vault.attach(up);
    let connector = Arc::new(Connector {
        dial: Arc::new(dial),
        common: Arc::clone(&common),
        user: isthmus_gateway::UserId(1),
        network: "irc.example".to_owned(),
        ident: "crab".to_owned(),
    });
    let made = common.vault.make(connector.user, "irc.example").await;
    let made = made.expect("a certificate");
    let server_own =
        rcgen::generate_simple_self_signed(vec!["irc.example".to_owned()]).expect("a certificate");
    let route = Route {
        candidates: vec![candidate(true)],
        trust: Trust::Insecure,
        ..route()
    };
    let client = connector.connect(Arc::new(route), None);
    let server = async {
        let stream = dialled.recv().await.expect("dialled");
        let accepted = acceptor(server_own)
            .accept(stream)
            .await
            .expect("shaken hands");
        let shown = accepted
            .get_ref()
            .1
            .peer_certificates()
            .expect("a certificate");
        ring::digest::digest(&ring::digest::SHA256, &shown[0])
            .as_ref()
            .to_vec()
    };
    let (connected, digest) = tokio::join!(client, server);
    let about = connected.map(|connected| connected.about.certificate);
    assert_eq!(about.ok(), Some(true));
    assert_eq!(crate::identity::shown(&made), hex::encode(digest));
}

/// A TLS server that asks for a client certificate and takes any.
fn acceptor(own: rcgen::CertifiedKey<rcgen::KeyPair>) -> tokio_rustls::TlsAcceptor {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_client_cert_verifier(Arc::new(AnyClient(provider)))
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .expect("a good certificate");
    Arc::new(config).into()
}

/// Asks for a certificate and believes it.
#[derive(Debug)]
struct AnyClient(Arc<rustls::crypto::CryptoProvider>);

impl rustls::server::danger::ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::server::danger::ClientCertVerified, rustls::Error> {
        Ok(rustls::server::danger::ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
