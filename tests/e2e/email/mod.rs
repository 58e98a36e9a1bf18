//! A correspondence between an XMPP user and somebody who has a mailbox at a real Postfix.
//!
//! Postfix asks the gateway to log in before it takes its mail, and all goes under encryption:
//! out by STARTTLS with its authority in the settings, in by STARTTLS at our listeners.

mod files;
mod machines;
mod odd;

use isthmus_test_support::mail::{self, Back, LOST, Postfix, swaks};
use isthmus_test_support::port::Port;
use isthmus_test_support::xmpp_server::Kind;
use isthmus_test_support::{Stanza, XmppClient};

use crate::world::{RECEIPT, World, error_text, is_receipt};

const MAIL: &str = "mail.localhost";
const ALICE: &str = r"alice\40peer.example@mail.localhost";
/// Juliet, as mail knows her.
const JULIET: &str = "juliet=localhost@mail.localhost";

/// The most that a mail may have, in bytes.
const LARGEST: usize = 65_536;

/// How Postfix brings mail to the gateway.
#[derive(Clone, Copy)]
enum Hop {
    Smtp,
    Lmtp,
}

/// Juliet on XMPP, alice behind Postfix, and the gateway between them.
struct Scene {
    world: World,
    juliet: XmppClient,
    postfix: Postfix,
    listener: Port,
}

impl Scene {
    async fn open(kind: Kind, hop: Hop) -> Self {
        Self::around(hop, "", |toml| World::serving(kind, &[MAIL], toml)).await
    }

    /// In a world that is made of a configuration, which has `more` in it.
    async fn around(hop: Hop, more: &str, world: impl FnOnce(&str) -> World) -> Self {
        let (listener, lmtp) = (Port::reserve(), Port::reserve());
        let back = match hop {
            Hop::Smtp => Back::Smtp(listener.number()),
            Hop::Lmtp => Back::Lmtp(lmtp.number()),
        };
        let postfix = Postfix::strict(MAIL, back);
        let certificate = postfix.certificate();
        let gateway = format!(
            r#"
[gateway.mail]
kind = "smtp"
domain = "{MAIL}"
allow = ["juliet@localhost", "rosaline@localhost"]
smarthost = "localhost:{smarthost}"
authority = "{authority}"
user = "{user}"
password = "{password}"
listen = ["{listener}"]
lmtp = ["{lmtp}"]
certificate = "{chain}"
key = "{key}"
max_size = {LARGEST}
{more}"#,
            smarthost = postfix.port(),
            authority = postfix.authority().display(),
            user = mail::USER,
            password = mail::PASSWORD,
            chain = certificate.certificate().display(),
            key = certificate.key().display(),
            listener = listener.address(),
            lmtp = lmtp.address(),
        );
        let world = world(&gateway);
        let juliet = world.user("juliet").await;
        world.attached(&juliet, MAIL).await;
        Self {
            world,
            juliet,
            postfix,
            listener,
        }
    }

    /// Alice writes: Postfix takes it, and juliet gets a message of alice's that begins like this.
    async fn alice_writes(&self, mail: &str, begin: &str) -> Stanza {
        let taken = self.postfix.submit("alice@peer.example", JULIET, mail);
        taken.expect("Postfix takes alice's mail");
        self.hears(begin).await
    }

    /// Juliet gets a message of alice's that begins like this.
    async fn hears(&self, begin: &str) -> Stanza {
        let heard = |s: &Stanza| s.kind() == "message" && s.body().starts_with(begin);
        let heard = self
            .juliet
            .try_expect(isthmus_test_support::DEADLINE, heard);
        let stanza = heard.await.unwrap_or_else(|fault| {
            let (postfix, ours) = (self.postfix.log(), self.world.isthmus.log());
            panic!("{fault}\n{postfix}\n{ours}")
        });
        assert_eq!(bare(stanza.from()), ALICE);
        stanza
    }

    /// Waits for the error that answers juliet's message of that id; its condition and words.
    async fn refused(&self, id: &str) -> (String, String) {
        let error = self
            .juliet
            .expect(|s| s.id() == id && s.type_() == "error")
            .await;
        (error.error_condition().to_owned(), error_text(&error))
    }

    /// swaks hands this over to our own listener, from alice.
    fn swaks(&self, to: &str, more: &[&str], mail: &str) -> Result<(), String> {
        let server = self.listener.address().to_string();
        let usual = [
            "--server",
            &server,
            "--from",
            "alice@peer.example",
            "--to",
            to,
        ];
        swaks(&[&usual[..], more].concat(), mail)
    }
}

fn bare(jid: &str) -> &str {
    jid.split('/').next().unwrap_or_default()
}

/// A header field, its folded lines joined.
fn header(mail: &str, name: &str) -> String {
    let mut lines = mail.lines();
    let mut value = lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name} in {mail}"))
        .to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value += line;
    }
    value
}

/// A mail of alice's.
fn letter(id: &str, subject: &str, fields: &str, body: &str) -> String {
    format!(
        "From: Alice <Alice@peer.example>\nTo: {JULIET}\nMessage-ID: {id}\n\
         Subject: {subject}\n{fields}\n{body}\n"
    )
}

async fn correspond(kind: Kind, hop: Hop) {
    let scene = Scene::open(kind, hop).await;
    let (id, first) = the_first_mail(&scene).await;
    let answer = the_answer(&scene, &id, &first).await;
    going_on(&scene, &first).await;
    back_to_an_earlier_mail(&scene, &answer).await;
    threads_of_both_sides(&scene).await;
    odd_mail(&scene).await;
    odd::transactions(&scene).await;
    odd::smuggled(&scene).await;
    odd::too_large(&scene).await;
    refused_by_the_other_side(&scene).await;
    returned(&scene).await;
    refused_by_us(&scene);
    machines::are_not_answered(&scene).await;
    wrong_password(&scene).await;
    let ended = scene.world.isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", scene.world.isthmus.log());
}

#[tokio::test]
async fn email_corresponds_on_prosody() {
    correspond(Kind::Prosody, Hop::Lmtp).await;
}

#[tokio::test]
async fn email_corresponds_on_ejabberd() {
    correspond(Kind::Ejabberd, Hop::Smtp).await;
}

#[tokio::test]
async fn email_corresponds_on_jabberd2() {
    correspond(Kind::Jabberd2, Hop::Lmtp).await;
}

/// A message becomes a mail; once Postfix has taken it, there is a receipt (XEP-0184).
async fn the_first_mail(scene: &Scene) -> (String, String) {
    let body = "Kommst du zum Mittag?\nIch wäre da. 🌹";
    let id = scene.juliet.message_with("chat", ALICE, body, RECEIPT);
    scene.juliet.expect(|s| is_receipt(s, &id)).await;
    let mail = scene
        .postfix
        .wait_for_mail(|mail| mail.contains("Subject: Kommst du zum Mittag?"));
    assert!(
        header(&mail, "From").contains(&format!("<{JULIET}>")),
        "{mail}"
    );
    assert!(
        header(&mail, "Message-ID").ends_with("@mail.localhost>"),
        "{mail}"
    );
    assert!(mail.contains("Ich w=C3=A4re da. =F0=9F=8C=B9"), "{mail}");
    (id, mail)
}

/// Alice answers as any mail program does: it is a reply (XEP-0461) to that very message.
async fn the_answer(scene: &Scene, id: &str, first: &str) -> Stanza {
    let first_id = header(first, "Message-ID");
    let fields = format!("In-Reply-To: {first_id}\nReferences: {first_id}\n");
    let mail = letter(
        "<yes@peer.example>",
        "Re: Kommst du zum Mittag?",
        &fields,
        "Ja.",
    );
    let answer = scene.alice_writes(&mail, "Ja.").await;
    assert!(answer.is_message("chat", "Ja."), "{answer:?}");
    let reply = answer.find("reply", "urn:xmpp:reply:0");
    let reply = reply.unwrap_or_else(|| panic!("it replies: {answer:?}"));
    assert_eq!(
        (reply.attr("id"), reply.attr("to")),
        (id, scene.juliet.bare_jid())
    );
    answer
}

/// A plain message goes on with the thread.
async fn going_on(scene: &Scene, first: &str) {
    scene.juliet.chat(ALICE, "Bis dann.");
    let mail = scene
        .postfix
        .wait_for_mail(|mail| mail.contains("Bis dann."));
    assert_eq!(header(&mail, "Subject"), "Re: Kommst du zum Mittag?");
    assert_eq!(header(&mail, "In-Reply-To"), "<yes@peer.example>");
    let references = header(&mail, "References");
    let both = [&header(first, "Message-ID"), "<yes@peer.example>"];
    let found: Vec<&str> = references.split_whitespace().collect();
    assert_eq!(found, both, "{mail}");
}

/// Another thread is begun meanwhile; a reply names the mail that it answers.
async fn back_to_an_earlier_mail(scene: &Scene, answer: &Stanza) {
    let mail = letter("<film@peer.example>", "Kino", "", "Heute?");
    let other = scene.alice_writes(&mail, "Heute?").await;
    assert_eq!(other.subject(), Some("Kino"), "{other:?}");
    let reply = format!(
        "<reply xmlns='urn:xmpp:reply:0' to='{ALICE}' id='{}'/>",
        answer.id()
    );
    scene
        .juliet
        .message_with("chat", ALICE, "Doch eher um eins.", &reply);
    let mail = scene
        .postfix
        .wait_for_mail(|mail| mail.contains("Doch eher um eins."));
    assert_eq!(header(&mail, "In-Reply-To"), "<yes@peer.example>");
    assert_eq!(header(&mail, "References"), "<yes@peer.example>");
    assert!(!header(&mail, "Subject").contains("Kino"), "{mail}");
}

/// Nested parts, three charsets and two encodings, lines folded in the middle of words.
async fn odd_mail(scene: &Scene) {
    let mail = format!(
        "From: =?iso-8859-1?q?Al=EFce?= (at home)\n <alice@PEER.example>\nTo: {JULIET}\n\
         Message-ID:\n <odd@peer.example>\nMIME-Version: 1.0 (odd)\n\
         Subject: =?utf-8?B?UsO2?= =?utf-8?Q?schen?=\n\
         Content-Type: multipart/mixed;\n boundary=\"=_outer\"\n\nnobody reads this\n\
         --=_outer\nContent-Type: multipart/alternative; boundary=inner\n\n\
         --inner\nContent-Type: text/plain; charset=iso-8859-15\n\
         Content-Transfer-Encoding: quoted-printable\n\nF=FCnf =A4 f=\n=FCr ein R=F6schen\n\
         --inner\nContent-Type: text/html; charset=windows-1252\n\n<p>no\n--inner--\n\
         --=_outer\nContent-Type: image/png; name=\"rose.png\"\n\
         Content-Transfer-Encoding: base64\nContent-Disposition: attachment\n\niVBORw0KGgo=\n--=_outer--\n"
    );
    // What is said of where the attachment is is not looked at here.
    let body = "Fünf € für ein Röschen\n[attachment: rose.png, image/png, 8 bytes";
    let odd = scene.alice_writes(&mail, body).await;
    assert_eq!(odd.subject(), Some("Röschen"), "{odd:?}");
}

/// The other server's words, on the message that it refuses.
async fn refused_by_the_other_side(scene: &Scene) {
    let id = scene
        .juliet
        .chat(r"nobody\40peer.example@mail.localhost", "hello?");
    let (condition, words) = scene.refused(&id).await;
    assert_eq!(condition, "item-not-found", "{words}");
    assert!(
        words.contains("550 5.1.1") && words.contains("User unknown"),
        "{words}"
    );
}

/// Postfix takes a mail that it cannot pass on: the bounce becomes an error on that message, though
/// a receipt has told that the next station had it.
async fn returned(scene: &Scene) {
    let somebody = format!(r"somebody\40{LOST}@{MAIL}");
    let id = scene
        .juliet
        .message_with("chat", &somebody, "anybody there?", RECEIPT);
    scene.juliet.expect(|s| is_receipt(s, &id)).await;
    let error = scene
        .juliet
        .expect(|s| s.id() == id && s.type_() == "error")
        .await;
    assert_eq!(bare(error.from()), somebody);
    let words = error_text(&error);
    assert!(words.contains("Connection refused"), "{words}");
}

/// Whom the gateway does not serve is refused before anything was sent, and so is mail for others.
fn refused_by_us(scene: &Scene) {
    for (stranger, code) in [
        ("tybalt=localhost@mail.localhost", "550 5.1.1"),
        ("juliet=elsewhere.example@mail.localhost", "550 5.1.1"),
        ("nobody@mail.localhost", "550 5.1.1"),
        ("alice@peer.example", "550 5.7.1"),
    ] {
        let mail = letter("<no@peer.example>", "hello", "", "hi");
        let words = scene.swaks(stranger, &[], &mail).expect_err(stranger);
        assert!(words.contains(code) && !words.contains("354"), "{words}");
    }
}

/// The name that juliet's client gave the thread comes back with what alice answers, though she
/// answers her own answer.
async fn threads_of_both_sides(scene: &Scene) {
    let extra = "<subject>Ball</subject><thread>ball-0815</thread>";
    scene.juliet.message_with("chat", ALICE, "Tanzt du?", extra);
    let mail = scene
        .postfix
        .wait_for_mail(|mail| mail.contains("Tanzt du?"));
    assert_eq!(header(&mail, "Subject"), "Ball");
    assert!(!mail.contains("In-Reply-To:"), "{mail}");
    let root = header(&mail, "Message-ID");
    let mut references = root.clone();
    for (id, body) in [
        ("<b1@peer.example>", "Vielleicht."),
        ("<b2@peer.example>", "Doch!"),
    ] {
        let parent = references.rsplit(' ').next().unwrap_or_default();
        let fields = format!("In-Reply-To: {parent}\nReferences: {references}\n");
        let mail = letter(id, "Re: Ball", &fields, body);
        let answer = scene.alice_writes(&mail, body).await;
        let thread = answer.child("thread").map(|thread| thread.text.as_str());
        assert_eq!(thread, Some("ball-0815"), "{answer:?}");
        references = format!("{references} {id}");
    }
}

/// A smarthost that does not let us log in: the message comes back with its words.
async fn wrong_password(scene: &Scene) {
    let isthmus = &scene.world.isthmus;
    let ended = isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", isthmus.log());
    let file = isthmus.config_file();
    let config = std::fs::read_to_string(&file).expect("written above");
    let config = config.replace(mail::PASSWORD, "forgotten");
    std::fs::write(&file, config).expect("ours");
    isthmus.restart();
    scene.world.attached(&scene.juliet, MAIL).await;
    let id = scene
        .juliet
        .message_with("chat", ALICE, "Still there?", RECEIPT);
    let (condition, words) = scene.refused(&id).await;
    assert_eq!(condition, "not-authorized", "{words}");
    assert!(
        words.starts_with("the mail server refuses this gateway: 535 5.7.8"),
        "{words}"
    );
    isthmus.wait_for_log("the smarthost does not let us log in");
    assert!(
        !isthmus.log().contains("forgotten"),
        "no password in the log"
    );
}
