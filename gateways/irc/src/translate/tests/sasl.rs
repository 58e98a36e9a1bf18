use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use super::super::{Login, Safety};
use super::*;
use crate::config::Secret;

/// Connected to a server that offers these mechanisms, over TLS, with a password.
fn offered(mechanisms: &str, login: Login) -> Desk {
    offered_to(mechanisms, Some(login), false)
}

/// The same, perhaps with a certificate and perhaps without a login.
fn offered_to(mechanisms: &str, login: Option<Login>, certificate: bool) -> Desk {
    let mut desk = Desk::with(|settings| settings.login = login);
    desk.talk.secured(Safety::Tls, certificate);
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(&format!(":s CAP * LS :sasl{mechanisms}"));
    assert_eq!(desk.said(), ["CAP REQ :sasl"]);
    desk.hear(":s CAP * ACK :sasl");
    desk
}

fn password() -> Login {
    Login {
        user: "crab".to_owned(),
        password: Some(Secret("hunter2".to_owned())),
    }
}

#[test]
fn plain_says_name_and_password_and_the_connection_goes_on() {
    let mut desk = offered("=PLAIN", password());
    assert_eq!(desk.said(), ["AUTHENTICATE PLAIN"]);
    desk.hear("AUTHENTICATE +");
    let answer = STANDARD.encode("crab\0crab\0hunter2");
    assert_eq!(desk.said(), [format!("AUTHENTICATE {answer}")]);
    desk.hear(":s 900 * ferris!f@h crab :You are now logged in as crab");
    assert!(desk.said().is_empty());
    assert_eq!(desk.events(), ["notice * You are now logged in as crab"]);
    desk.hear(":s 903 * :SASL authentication successful");
    assert_eq!(desk.said(), ["CAP END"]);
    desk.hear(":s 001 ferris :Welcome");
    assert!(!desk.talk.ending());
}

/// A server that keeps of a password what RFC 5802 §3 says it should.
struct Scram {
    salt: &'static [u8],
    rounds: u32,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Scram {
    fn knowing(password: &str) -> Self {
        let (salt, rounds) = (b"salt of the garden".as_slice(), 5000);
        let mut salted = [0; 32];
        let (algorithm, count) = (pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::new(rounds));
        let count = count.expect("not 0");
        pbkdf2::derive(algorithm, count, salt, password.as_bytes(), &mut salted);
        let client_key = mac(&salted, "Client Key");
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        Self {
            salt,
            rounds,
            stored_key: stored_key.as_ref().to_vec(),
            server_key: mac(&salted, "Server Key"),
        }
    }

    /// The challenge to the client's first message.
    fn challenge(&self, first: &str) -> String {
        let nonce = first.split(",r=").nth(1).expect("a nonce");
        let (salt, rounds) = (STANDARD.encode(self.salt), self.rounds);
        format!("r={nonce}and-ours,s={salt},i={rounds}")
    }

    /// What this server shows to who has shown that he knows the password (RFC 5802 §3).
    fn verify(&self, first: &str, challenge: &str, last: &str) -> Option<String> {
        let (without_proof, proof) = last.split_once(",p=").expect("a proof");
        let bare = first.strip_prefix("n,,").expect("no channel binding");
        let signed = format!("{bare},{challenge},{without_proof}");
        let signature = mac(&self.stored_key, &signed);
        let proof = STANDARD.decode(proof).expect("encoded");
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let knows = stored_key.as_ref() == self.stored_key;
        knows.then(|| format!("v={}", STANDARD.encode(mac(&self.server_key, &signed))))
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// What stands in the last AUTHENTICATE.
fn authenticated(desk: &mut Desk) -> String {
    let said = desk.said().pop().expect("an answer");
    let words = said.strip_prefix("AUTHENTICATE ").expect("AUTHENTICATE");
    String::from_utf8(STANDARD.decode(words).expect("encoded")).expect("text")
}

#[test]
fn scram_shows_that_both_know_the_password_and_the_connection_goes_on() {
    let server = Scram::knowing("hunter2");
    let mut desk = offered("=SCRAM-SHA-256,PLAIN", password());
    assert_eq!(desk.said(), ["AUTHENTICATE SCRAM-SHA-256"]);
    desk.hear("AUTHENTICATE +");
    let first = authenticated(&mut desk);
    assert!(first.starts_with("n,,n=crab,r="), "{first}");
    let challenge = server.challenge(&first);
    desk.hear(&format!("AUTHENTICATE {}", STANDARD.encode(&challenge)));
    let last = authenticated(&mut desk);
    let shown = server.verify(&first, &challenge, &last);
    let shown = shown.expect("the password is right");
    desk.hear(&format!("AUTHENTICATE {}", STANDARD.encode(shown)));
    assert_eq!(desk.said(), ["AUTHENTICATE +"]);
    desk.hear(":s 900 * ferris!f@h crab :You are now logged in as crab");
    desk.hear(":s 903 * :SASL authentication successful");
    assert_eq!(desk.said(), ["CAP END"]);
    assert_eq!(desk.events(), ["notice * You are now logged in as crab"]);
    desk.hear(":s 001 ferris :Welcome");
    assert!(!desk.talk.ending());
}

#[test]
fn as_whom_one_is_known_is_told_with_ones_name_and_ends_with_the_login() {
    /// The account that stands beside our own name.
    #[derive(Default)]
    struct Own(Vec<Option<String>>);
    impl Sink for Own {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Names { some, .. } = event {
                let accounts = some.iter().map(|name| name.who.account.as_deref());
                self.0.extend(accounts.map(|it| it.map(str::to_owned)));
            }
        }
    }
    let mut desk = Desk::online().joined("#c");
    let mut own = Own::default();
    let names = ":s 353 ferris = #c :ferris";
    desk.talk.line(names, desk.now, &mut own);
    desk.hear(":s 900 ferris ferris!f@h crab :You are now logged in as crab");
    desk.talk.line(names, desk.now, &mut own);
    desk.hear(":s 901 ferris ferris!f@h :You are now logged out");
    desk.talk.line(names, desk.now, &mut own);
    assert_eq!(own.0, [None, Some("crab".to_owned()), None]);
    let told = [
        "notice * You are now logged in as crab",
        "notice * You are now logged out",
    ];
    assert_eq!(desk.events(), told);
}

#[test]
fn the_best_mechanism_that_is_offered_and_can_be_used_is_taken() {
    for (mechanisms, certificate, taken) in [
        ("=PLAIN,SCRAM-SHA-256,EXTERNAL", false, "SCRAM-SHA-256"),
        ("=PLAIN,SCRAM-SHA-256,EXTERNAL", true, "EXTERNAL"),
        ("=plain,scram-sha-512", false, "PLAIN"),
        ("", true, "EXTERNAL"),
    ] {
        let mut desk = offered_to(mechanisms, Some(password()), certificate);
        assert_eq!(desk.said(), [format!("AUTHENTICATE {taken}")]);
    }
}

#[test]
fn a_server_without_a_usable_mechanism_is_left_with_words() {
    let mut desk = offered("=ECDSA-NIST256P-CHALLENGE", password());
    assert_eq!(desk.said(), ["QUIT"]);
    let end = desk.lose();
    assert_eq!(
        (end.fault.kind, end.retry),
        (FaultKind::NotAuthorized, false)
    );
    assert!(
        end.fault.text.contains("no way to log in"),
        "{}",
        end.fault.text
    );
}

#[test]
fn every_refusal_of_the_login_ends_the_connection_with_the_networks_words() {
    for number in [902, 904, 905, 906] {
        let mut desk = offered("=PLAIN", password());
        desk.hear("AUTHENTICATE +");
        desk.said();
        desk.hear(&format!(":s {number} ferris :SASL authentication failed"));
        assert!(desk.talk.ending(), "{number}");
        assert_eq!(desk.said(), ["QUIT"]);
        let end = desk.lose();
        assert_eq!(
            (end.fault.kind, end.fault.text.as_str(), end.retry),
            (
                FaultKind::NotAuthorized,
                "SASL authentication failed",
                false
            )
        );
    }
}

#[test]
fn a_mechanism_the_server_does_not_know_is_followed_by_one_it_does() {
    let mut desk = offered("", password());
    assert_eq!(desk.said(), ["AUTHENTICATE SCRAM-SHA-256"]);
    desk.hear(":s 908 * EXTERNAL,PLAIN :are available SASL mechanisms");
    desk.hear(":s 904 * :SASL authentication failed");
    assert_eq!(desk.said(), ["AUTHENTICATE PLAIN"]);
    desk.hear(":s 908 * EXTERNAL :are available SASL mechanisms");
    desk.hear(":s 904 * :SASL authentication failed");
    assert!(desk.talk.ending());
}

#[test]
fn a_certificate_that_is_not_known_is_followed_by_the_password() {
    let mut desk = offered_to("=EXTERNAL,PLAIN", Some(password()), true);
    desk.hear("AUTHENTICATE +");
    assert_eq!(desk.said(), ["AUTHENTICATE EXTERNAL", "AUTHENTICATE +"]);
    desk.hear(":s 904 * :SASL authentication failed");
    assert_eq!(desk.said(), ["AUTHENTICATE PLAIN"]);
}

#[test]
fn a_certificate_alone_lets_the_server_find_the_name() {
    let mut desk = offered_to("=EXTERNAL", None, true);
    desk.hear("AUTHENTICATE +");
    assert_eq!(desk.said(), ["AUTHENTICATE EXTERNAL", "AUTHENTICATE +"]);
    desk.hear(":s 907 * :You have already authenticated using SASL");
    assert_eq!(desk.said(), ["CAP END"]);
}

#[test]
fn a_certificate_alone_that_is_not_known_keeps_nobody_out() {
    let mut desk = offered_to("=EXTERNAL", None, true);
    desk.hear("AUTHENTICATE +");
    desk.said();
    desk.hear(":s 904 * :SASL authentication failed");
    assert_eq!(desk.said(), ["CAP END"]);
    assert_eq!(desk.events(), ["notice * SASL authentication failed"]);
    desk.hear(":s 001 ferris :Welcome");
    assert!(!desk.talk.ending());
}

#[test]
fn a_password_that_was_refused_is_not_said_in_a_weaker_way() {
    let mut desk = offered("=SCRAM-SHA-256,PLAIN", password());
    desk.hear("AUTHENTICATE +");
    desk.said();
    desk.hear(":s 904 * :SASL authentication failed");
    assert_eq!(desk.said(), ["QUIT"]);
}

#[test]
fn a_scram_server_that_proves_nothing_is_not_believed() {
    let mut desk = offered("=SCRAM-SHA-256", password());
    desk.hear("AUTHENTICATE +");
    let said = desk.said();
    let first = said[1]
        .strip_prefix("AUTHENTICATE ")
        .expect("the first message");
    let first = STANDARD.decode(first).expect("encoded");
    let first = String::from_utf8(first).expect("text");
    let nonce = first.split(",r=").nth(1).expect("a nonce");
    let challenge = STANDARD.encode(format!("r={nonce}more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    desk.hear(&format!("AUTHENTICATE {challenge}"));
    assert!(desk.said()[0].starts_with("AUTHENTICATE Yz1iaXdz"));
    desk.hear(":s 903 * :SASL authentication successful");
    assert!(desk.lose().fault.text.contains("did not show"));
}

#[test]
fn nonsense_from_the_server_ends_the_login_with_words() {
    for nonsense in ["AUTHENTICATE !", "AUTHENTICATE //8=", "AUTHENTICATE eHg="] {
        let mut desk = offered("=SCRAM-SHA-256", password());
        desk.hear("AUTHENTICATE +");
        desk.said();
        desk.hear(nonsense);
        assert_eq!(desk.said(), ["AUTHENTICATE *", "QUIT"], "{nonsense}");
        assert_eq!(desk.lose().fault.kind, FaultKind::NotAuthorized);
    }
    let mut desk = offered("=SCRAM-SHA-256", password());
    for _ in 0..20 {
        desk.hear(&format!("AUTHENTICATE {}", "A".repeat(400)));
    }
    assert!(desk.talk.ending());
}

#[test]
fn long_answers_go_out_in_pieces_of_400_bytes() {
    let pieces = |login: Login| {
        let mut desk = offered("=PLAIN", login);
        desk.said();
        desk.hear("AUTHENTICATE +");
        let said = desk.said().into_iter();
        let words = said.map(|line| line.len() - "AUTHENTICATE ".len());
        words.collect::<Vec<_>>()
    };
    for (length, expected) in [
        (100, vec![268]),
        (197, vec![396]),
        // Whole pieces, which some servers do not understand: the first name is left out.
        (200, vec![336]),
        (202, vec![400, 4]),
    ] {
        let login = Login {
            user: "u".repeat(48),
            password: Some(Secret("p".repeat(length + 2))),
        };
        assert_eq!(pieces(login), expected, "{length}");
    }
}

#[test]
fn a_network_without_a_login_now_is_tried_again_later() {
    let login = || Some(password());
    let mut desk = Desk::with(|settings| settings.login = login());
    desk.talk.connected(desk.now);
    desk.hear(":s CAP * LS :multi-prefix");
    desk.hear(":s CAP * ACK :multi-prefix");
    desk.hear(":s 001 ferris :Welcome");
    let end = desk.lose();
    assert_eq!(
        (end.fault.kind, end.retry),
        (FaultKind::NotAuthorized, true)
    );
    let mut desk = Desk::with(|settings| settings.login = login());
    desk.talk.connected(desk.now);
    desk.hear(":s CAP * LS :sasl");
    desk.hear(":s CAP * NAK :sasl");
    assert_eq!(desk.lose().fault.kind, FaultKind::NotAuthorized);
}

#[test]
fn a_server_that_does_not_answer_the_login_is_given_up() {
    let mut desk = offered("=PLAIN", password());
    desk.wait(60);
    assert!(desk.talk.ending());
    assert!(desk.lose().fault.text.contains("login"));
}

#[test]
fn a_password_is_not_said_over_a_connection_that_fell_back_to_plain_text() {
    let mut desk = Desk::with(|settings| settings.login = Some(password()));
    desk.talk.secured(Safety::Fallback, false);
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s CAP * LS :sasl=PLAIN");
    desk.hear(":s CAP * ACK :sasl");
    assert_eq!(desk.said(), ["CAP REQ :sasl", "QUIT"]);
}

#[test]
fn commands_after_connecting_go_first_and_at_the_networks_pace() {
    let mut desk = Desk::with(|settings| {
        settings.after_connect = vec![
            "PRIVMSG NickServ :IDENTIFY x".into(),
            "MODE ferris +x".into(),
        ];
        settings.throttle_burst = 1;
    });
    desk.ask(Command::Join {
        room: "#c".into(),
        nick: "ferris".into(),
        password: None,
    });
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s 001 ferris :Welcome");
    desk.hear(":s 422 ferris :No MOTD");
    assert_eq!(desk.said(), ["PRIVMSG NickServ :IDENTIFY x"]);
    desk.wait(1);
    assert_eq!(desk.said(), ["MODE ferris +x"]);
    desk.hear(":s 900 ferris ferris!f@h ferris :You are now logged in");
    desk.wait(1);
    assert_eq!(desk.said(), ["JOIN #c"]);
}

#[test]
fn a_gateway_that_is_believed_says_first_who_comes() {
    let line = "WEBIRC pw isthmus host.example fd00::1";
    for (safety, said) in [
        (Safety::Plain, line.to_owned()),
        (Safety::Tls, format!("{line} :secure")),
    ] {
        let mut desk = Desk::with(|settings| settings.webirc = Some(Secret(line.to_owned())));
        desk.talk.secured(safety, false);
        desk.talk.connected(desk.now);
        assert_eq!(desk.said()[..2], [said, "CAP LS 302".to_owned()]);
    }
}

#[test]
fn a_bot_says_so_where_the_network_has_a_mode_for_it() {
    let mut desk = Desk::with(|settings| settings.bot = true);
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s 001 ferris :Welcome");
    desk.hear(":s 005 ferris BOT=B :are supported");
    desk.hear(":s 422 ferris :No MOTD");
    assert_eq!(desk.said(), ["MODE ferris +B"]);
}

#[test]
fn an_account_nobody_named_is_the_first_nickname_whatever_one_is_called_later() {
    let unnamed = || Login {
        user: String::new(),
        ..password()
    };
    let log_in = |desk: &mut Desk, outcome: &str| {
        desk.hear(":s CAP * LS :sasl=PLAIN");
        desk.hear(":s CAP * ACK :sasl");
        desk.said();
        desk.hear("AUTHENTICATE +");
        let answer = desk.said();
        desk.hear(outcome);
        answer
    };
    let said = |name: &str| {
        let answer = STANDARD.encode(format!("{name}\0{name}\0hunter2"));
        vec![format!("AUTHENTICATE {answer}")]
    };
    let (well, refused) = (":s 903 * :done", ":s 904 * :no");
    let open = || {
        let mut desk = Desk::with(|settings| settings.login = Some(unnamed()));
        desk.talk.secured(Safety::Tls, false);
        desk
    };
    let mut desk = open();
    desk.talk.wish("Crab One");
    desk.talk.connected(desk.now);
    assert_eq!(log_in(&mut desk, well), said("Crab_One"));
    assert_eq!(desk.events(), ["keep Crab_One"]);
    desk.hear(":s 001 Crab_One :Welcome");
    desk.hear(":s 376 Crab_One :End");
    desk.ask(Command::Nick {
        nick: "crab|away".into(),
    });
    desk.hear(":Crab_One!c@h NICK crab|away");
    desk.lose();
    desk.events();
    desk.talk.dial();
    desk.talk.connected(desk.now);
    assert_eq!(log_in(&mut desk, well), said("Crab_One"));
    assert_eq!(desk.events(), Vec::<String>::new(), "kept already");

    // A later session knows it, until it is refused.
    let mut desk = open();
    desk.talk.remember_account(b"Crab_One");
    desk.talk.connected(desk.now);
    assert_eq!(log_in(&mut desk, refused), said("Crab_One"));
    assert!(desk.events().contains(&"keep ".to_owned()), "forgotten");
    desk.lose();
    desk.talk.dial();
    desk.talk.connected(desk.now);
    assert_eq!(log_in(&mut desk, well), said("ferris"));
}

#[test]
fn another_login_is_not_under_the_account_of_the_one_before() {
    let mut login = Login {
        user: String::new(),
        ..password()
    };
    let mut desk = Desk::with(|settings| settings.login = Some(login.clone()));
    desk.talk.remember_account(b"crab");
    let mut settings = Desk::settings(desk.now);
    login.password = Some(Secret("other".to_owned()));
    settings.login = Some(login);
    desk.talk.set(settings);
    desk.talk.secured(Safety::Tls, false);
    desk.talk.connected(desk.now);
    desk.hear(":s CAP * LS :sasl=PLAIN");
    desk.hear(":s CAP * ACK :sasl");
    desk.said();
    desk.hear("AUTHENTICATE +");
    let answer = STANDARD.encode("ferris\0ferris\0other");
    assert_eq!(desk.said(), [format!("AUTHENTICATE {answer}")]);
}
