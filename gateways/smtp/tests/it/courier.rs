//! Sending: every way a smarthost can behave has its report.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use isthmus_gateway::{Address, Courier, Fault, FaultKind, Gateway, JobId, Key, Kind, State};
use isthmus_test_support::DEADLINE;
use isthmus_test_support::tls::Certificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use crate::double::{At, Do, Double};
use crate::host::{DOMAIN, Running, job};

fn settings(double: &Double) -> Value {
    json!({"smarthost": format!("localhost:{}", double.port), "tls": "off", "timeout": 10})
}

async fn with(script: Option<(At, Do)>) -> (Double, Running) {
    let double = Double::start(script, None).await;
    let running = Running::start(&settings(&double));
    (double, running)
}

#[tokio::test]
async fn an_accepted_mail_is_reported_with_its_id_and_what_is_kept() {
    let (double, running) = with(None).await;
    running.submit(job(1, &["alice@peer.example"], "Lunch?\n.\n..dots"));
    let report = running.report().await;
    assert_eq!(
        (report.state, report.job, report.to),
        (State::Accepted, JobId(1), 0)
    );
    let (_, _, keys) = running.host.begun.drain().remove(0);
    assert_eq!(report.keys, keys);
    let kept = report.peer_kept.expect("something to thread by");
    assert!(String::from_utf8_lossy(&kept).contains(&keys[0]));

    let log = double.heard.log();
    let mail = log.iter().find(|it| it.contains('\n')).expect("a mail");
    assert!(
        mail.contains(&format!("Message-ID: <{}>\r\n", keys[0])),
        "{mail}"
    );
    assert!(
        mail.contains(&format!(
            "From: juliet <juliet=capulet.example@{DOMAIN}>\r\n"
        )),
        "{mail}"
    );
    assert!(
        mail.ends_with("\r\n\r\nLunch?\r\n..\r\n...dots\r\n.\r\n"),
        "{mail:?}"
    );
    let from = log
        .iter()
        .find(|it| it.starts_with("MAIL"))
        .expect("a sender");
    assert!(
        from.starts_with("MAIL FROM:<b+") && from.ends_with(&format!("@{DOMAIN}>")),
        "{from}"
    );

    // The same job again is the same mail.
    running.submit(job(1, &["alice@peer.example"], "Lunch?"));
    assert_eq!(running.report().await.keys, keys);
    assert_eq!(
        double.connections.load(Ordering::SeqCst),
        1,
        "one connection does for both"
    );
    running.drain().await;
}

#[tokio::test]
async fn what_the_users_server_returned_goes_back_from_nobody() {
    let (double, running) = with(None).await;
    let whom = Address::new(Kind::Contact, "Alice@peer.example", "");
    let why = Fault::new(FaultKind::Offline, "service-unavailable");
    let user = job(1, &["alice@peer.example"], "").user;
    let courier = running.gateway.courier().expect("mail is sent by jobs");
    let key = Key("lost@peer.example".into());
    courier.undeliverable(user, &whom, key, why, running.host.clone());
    let heard = &double.heard;
    let mail = heard.take(DEADLINE, |it| it.contains('\n')).await;
    let mail = mail.expect("a mail");
    assert!(
        mail.contains("In-Reply-To: <lost@peer.example>\r\n"),
        "{mail}"
    );
    assert!(mail.contains("Auto-Submitted: auto-replied\r\n"), "{mail}");
    let said = |line: &str| heard.log().iter().any(|it| it.starts_with(line));
    assert!(said("MAIL FROM:<>"), "{:?}", heard.log());
    assert!(said("RCPT TO:<Alice@peer.example>"), "{:?}", heard.log());
    running.drain().await;
}

#[tokio::test]
async fn each_refusal_has_its_outcome() {
    let later = Err(FaultKind::NetworkDown);
    for (at, say, outcome) in [
        (At::Greeting, "554 5.7.1 go away", Err(FaultKind::Forbidden)),
        (At::Hello, "421 4.3.2 closing", later),
        (At::Mail, "451 4.3.0 later", later),
        (At::Mail, "421 4.3.2 closing", later),
        (At::Mail, "552 5.3.4 too big", Ok(FaultKind::TooLarge)),
        (At::Rcpt, "450 4.2.0 later", later),
        (At::Rcpt, "452 4.2.2 full", Err(FaultKind::Full)),
        (
            At::Rcpt,
            "550 5.1.1 no such user",
            Ok(FaultKind::NoSuchTarget),
        ),
        (At::Rcpt, "550 who?", Ok(FaultKind::NoSuchTarget)),
        (At::Data, "451 4.3.0 later", later),
        (At::Data, "554 5.7.1 policy", Ok(FaultKind::Forbidden)),
        (At::Content, "451 4.3.0 later", later),
        (At::Content, "550 5.7.1 spam", Ok(FaultKind::Forbidden)),
    ] {
        let (_double, running) = with(Some((at, Do::Say(say)))).await;
        running.submit(job(1, &["alice@peer.example"], "hello"));
        let report = running.report().await;
        let (got, fault) = match report.state {
            State::Failed(fault) => (Ok(fault.kind), fault),
            State::Retry { after, fault } => {
                assert!(after >= 60_000, "{at:?} {say}");
                (Err(fault.kind), fault)
            }
            other => panic!("{at:?} {say}: {other:?}"),
        };
        assert_eq!(got, outcome, "{at:?} {say}");
        assert_eq!(fault.text, say, "{at:?}");
        let begun = !running.host.begun.log().is_empty();
        assert_eq!(begun, matches!(at, At::Data | At::Content), "{at:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_anywhere_is_tried_again() {
    for at in [
        At::Greeting,
        At::Hello,
        At::Mail,
        At::Rcpt,
        At::Data,
        At::Content,
    ] {
        let (_double, running) = with(Some((at, Do::Drop))).await;
        running.submit(job(1, &["alice@peer.example"], "hello"));
        let report = running.report().await;
        let State::Retry { fault, .. } = report.state else {
            panic!("{at:?}: {report:?}");
        };
        assert_eq!(fault.kind, FaultKind::NetworkDown, "{at:?}");
    }
    let double = Double::start(None, None).await;
    let mut settings = settings(&double);
    settings["smarthost"] = json!("127.0.0.1:1");
    let running = Running::start(&settings);
    running.submit(job(1, &["alice@peer.example"], "hello"));
    assert!(matches!(running.report().await.state, State::Retry { .. }));
}

#[tokio::test]
async fn what_is_recalled_in_time_is_not_sent() {
    let (double, running) = with(None).await;
    running
        .host
        .rules
        .lock()
        .expect("no holder panics")
        .recalled = true;
    running.submit(job(1, &["alice@peer.example"], "hello"));
    double
        .heard
        .take(DEADLINE, |line| line == "RSET")
        .await
        .expect("the mail is taken back");
    running
        .host
        .rules
        .lock()
        .expect("no holder panics")
        .recalled = false;
    running.submit(job(2, &["alice@peer.example"], "hello"));
    assert_eq!(running.report().await.job, JobId(2));
    assert_eq!(
        double
            .heard
            .log()
            .iter()
            .filter(|it| it.contains('\n'))
            .count(),
        1
    );
    assert!(!running.gateway.recall(JobId(2)).await, "it is gone");
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_his_own() {
    let (double, running) = with(Some((At::Rcpt, Do::Say("550 5.1.1 nobody")))).await;
    running.submit(job(
        1,
        &["alice@peer.example", "bob", "carol@peer.example"],
        "hello",
    ));
    let mut kinds = Vec::new();
    for to in 0..3 {
        let report = running.report().await;
        assert_eq!(report.to, to);
        match report.state {
            State::Failed(fault) => kinds.push(fault.kind),
            other => panic!("{other:?}"),
        }
    }
    // An address that is none is not named in the mail and spoils no other copy.
    let [alice, bob, carol] = kinds[..] else {
        panic!("{kinds:?}");
    };
    assert_eq!(bob, FaultKind::BadAddress);
    assert_eq!([alice, carol], [FaultKind::NoSuchTarget; 2]);
    running.submit(job(
        2,
        &["alice@peer.example", "carol@peer.example"],
        "hello",
    ));
    for _ in 0..2 {
        let report = running.report().await;
        assert!(
            matches!(report.state, State::Failed(fault) if fault.kind == FaultKind::NoSuchTarget)
        );
    }
    assert_eq!(
        double.verbs().iter().filter(|verb| *verb == "RCPT").count(),
        4
    );
}

#[tokio::test]
async fn without_a_smarthost_nothing_can_be_sent() {
    let running = Running::start(&Value::Null);
    let job = job(1, &["alice@peer.example"], "hello");
    let preview = running.gateway.preview(&job).map_err(|fault| fault.kind);
    assert_eq!(preview, Err(FaultKind::NotAllowed));
    running.submit(job);
    assert!(matches!(running.report().await.state, State::Failed(_)));
}

fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate.certificate()).expect("a file");
    let key = PrivateKeyDer::from_pem_file(certificate.key()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider's own")
        .with_no_client_auth()
        .with_single_cert(chain.map(|it| it.expect("a certificate")).collect(), key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn mail_and_password_go_out_encrypted() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let certificate = Certificate::create(dir.path());
    let double = Double::start(None, Some(acceptor(&certificate))).await;
    let mut settings = settings(&double);
    settings["tls"] = json!("required");
    settings["authority"] = json!(certificate.authority());
    settings["user"] = json!("isthmus");
    settings["password"] = json!("secret");
    let running = Running::start(&settings);
    running.submit(job(1, &["alice@peer.example"], "hello"));
    assert_eq!(running.report().await.state, State::Accepted);
    let verbs = double.verbs();
    assert_eq!(verbs[..5], ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"]);

    // Its certificate is not one the system knows.
    settings["authority"].take();
    settings
        .as_object_mut()
        .expect("a table")
        .remove("authority");
    let strict = Running::start(&settings);
    strict.submit(job(2, &["alice@peer.example"], "hello"));
    assert!(matches!(strict.report().await.state, State::Retry { .. }));
    settings["verify"] = json!(false);
    let lax = Running::start(&settings);
    lax.submit(job(3, &["alice@peer.example"], "hello"));
    assert_eq!(lax.report().await.state, State::Accepted);
}

#[tokio::test]
async fn a_login_that_is_refused_is_an_error_in_words() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let certificate = Certificate::create(dir.path());
    for (say, fails) in [
        ("535 5.7.8 bad credentials", true),
        ("454 4.7.0 not now", false),
    ] {
        let script = Some((At::Login, Do::Say(say)));
        let double = Double::start(script, Some(acceptor(&certificate))).await;
        let mut settings = settings(&double);
        settings["tls"] = json!("required");
        settings["authority"] = json!(certificate.authority());
        settings["user"] = json!("isthmus");
        settings["password"] = json!("wrong");
        let running = Running::start(&settings);
        running.submit(job(1, &["alice@peer.example"], "hello"));
        let (failed, fault) = match running.report().await.state {
            State::Failed(fault) => (true, fault),
            State::Retry { fault, .. } => (false, fault),
            other => panic!("{say}: {other:?}"),
        };
        assert_eq!(failed, fails, "{say}");
        let words = format!("the mail server refuses this gateway: {say}");
        assert_eq!(fault.text, words);
        assert!(!double.verbs().contains(&"MAIL".to_owned()), "{say}");
    }
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_where_encryption_is_required() {
    let double = Double::start(None, None).await;
    let mut settings = settings(&double);
    settings["tls"] = json!("required");
    let running = Running::start(&settings);
    running.submit(job(1, &["alice@peer.example"], "hello"));
    assert!(matches!(running.report().await.state, State::Retry { .. }));
    assert!(!double.verbs().contains(&"MAIL".to_owned()));

    settings["tls"] = json!("preferred");
    settings["user"] = json!("isthmus");
    settings["password"] = json!("secret");
    let running = Running::start(&settings);
    running.submit(job(2, &["alice@peer.example"], "hello"));
    assert!(matches!(running.report().await.state, State::Retry { .. }));
    assert!(
        !double.verbs().contains(&"AUTH".to_owned()),
        "{:?}",
        double.verbs()
    );
}
