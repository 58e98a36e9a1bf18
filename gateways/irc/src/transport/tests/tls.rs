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
    let connector = connector(dial, &Arc::default());
    let mut bench = Bench::new();
    bench.session = IrcSession::new(settings(), Ok(preferring()), connector, 1);
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

/// Seconds since 1970, as policies are kept.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// First with TLS, then without.
fn preferring() -> Route {
    let mut tls = candidate(true);
    tls.port = 6697;
    Route {
        candidates: vec![tls, candidate(false)],
        ..route()
    }
}

#[tokio::test]
async fn where_tls_was_promised_no_port_without_it_is_dialled() {
    for (learnt, route, dialled) in [
        (Some(today()), preferring(), vec![6697, 7000]),
        // A promise of 300 seconds that is over.
        (Some(today() - 1000), preferring(), vec![6697, 6667]),
        (None, preferring(), vec![6697, 6667]),
        // Plain text by choice stays.
        (Some(today()), super::route(), vec![6667]),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let refuse = move |host: &str, port: u16, _: Reach| -> io::Result<BoxedStream> {
            assert_eq!(host, "irc.example");
            log.lock().expect("no test panics here").push(port);
            Err(io::ErrorKind::ConnectionRefused.into())
        };
        let common = Arc::new(Common::default());
        if let Some(then) = learnt {
            common.policies.learn("irc.example", 7000, 300, then);
        }
        let connector = Arc::new(connector(DialFn(refuse), &common));
        let result = connector.connect(Arc::new(route), None).await;
        assert!(result.is_err());
        let ports = seen.lock().expect("no test panics here").clone();
        assert_eq!(ports, dialled, "learnt {learnt:?}");
    }
}

#[tokio::test]
async fn what_a_verified_server_promises_is_kept_for_all_until_it_ends() {
    for (verified, promise, kept) in [
        (true, "duration=300,preload", Some(6697)),
        // Anybody could have said so.
        (false, "duration=300", None),
        // The promise that was there is taken back.
        (true, "duration=0", None),
    ] {
        let own = rcgen::generate_simple_self_signed(vec!["irc.example".to_owned()]);
        let own = own.expect("a certificate");
        let mut digest = [0; 32];
        let made = ring::digest::digest(&ring::digest::SHA256, own.cert.der());
        digest.copy_from_slice(made.as_ref());
        let route = Route {
            trust: match verified {
                true => Trust::Pin(digest),
                false => Trust::Insecure,
            },
            ..preferring()
        };
        let (servers, mut dialled) = unbounded_channel();
        let dial = DialFn(move |_: &str, port: u16, _: Reach| {
            assert_eq!(port, 6697);
            let (ours, theirs) = tokio::io::duplex(4096);
            servers.send(theirs).expect("the test is there");
            Ok(Box::new(ours) as BoxedStream)
        });
        let common = Arc::new(Common::default());
        if promise == "duration=0" {
            common.policies.learn("irc.example", 6697, 300, today());
        }
        let connector = connector(dial, &common);
        let mut bench = Bench::new();
        bench.session = IrcSession::new(settings(), Ok(route), connector, 1);
        bench
            .run(async {
                let stream = dialled.recv().await.expect("dialled");
                let mut server = acceptor(own, false).accept(stream).await.expect("met");
                let list = format!(":s CAP * LS :sts=port=7000,{promise}\r\n");
                server.write_all(list.as_bytes()).await.expect("said");
                let mut said = String::new();
                while !said.contains("CAP END") {
                    said.push(char::from(server.read_u8().await.expect("it goes on")));
                }
                // What has been said is dealt with when the answer to this comes.
                server.write_all(b"PING :on\r\n").await.expect("said");
                while !said.contains("PONG :on") {
                    said.push(char::from(server.read_u8().await.expect("it goes on")));
                }
            })
            .await;
        // The port is the one that was met: the server's word for it counts in plain text only.
        let port = |later| common.policies.port("irc.example", today() + later);
        assert_eq!((port(0), port(301)), (kept, None), "{promise}");
    }
}

/// A connector of the first user.
fn connector(dial: impl isthmus_kit::Dial + 'static, common: &Arc<Common>) -> Connector {
    Connector {
        dial: Arc::new(dial),
        common: Arc::clone(common),
        user: isthmus_gateway::UserId(1),
        network: "irc.example".to_owned(),
        ident: "crab".to_owned(),
    }
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
    let connector = Arc::new(connector(dial, &common));
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
        let accepted = acceptor(server_own, true)
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

/// A TLS server that may ask for a client certificate and take any.
fn acceptor(own: rcgen::CertifiedKey<rcgen::KeyPair>, asks: bool) -> tokio_rustls::TlsAcceptor {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the usual versions");
    let config = match asks {
        true => config.with_client_cert_verifier(Arc::new(AnyClient(provider))),
        false => config.with_no_client_auth(),
    };
    let config = config
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
