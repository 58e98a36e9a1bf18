//! Files of mails, both ways: through the file service of each XMPP server that has one, and
//! through our own file server where there is none.

use isthmus_test_support::Stanza;
use isthmus_test_support::port::Port;
use isthmus_test_support::xmpp_server::Kind;

use super::{ALICE, Hop, JULIET, Scene};
use crate::files::{http, upload};
use crate::world::World;

/// A file that is no text, and the same in base64.
const FILE: &[u8] = b"\x89PNG\r\n\x1a\n\xff\0";
const BASE64: &str = "iVBORw0KGgr/AA==";
/// SHA-256 of the file, in base64 (XEP-0300).
const SHA256: &str = "+nm8McZwIH9DXz4SpiA/uJPFV8Ohat0InbhFUsk+WZA=";

/// A mail with a text and the file.
fn with_file(id: &str) -> String {
    format!(
        "From: Alice <alice@peer.example>\nTo: {JULIET}\nMessage-ID: <{id}@peer.example>\n\
         Subject: rose\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n\
         --x\n\nlook {id}\n--x\nContent-Type: image/png\n\
         Content-Disposition: attachment; filename=rose.png\n\
         Content-Transfer-Encoding: base64\n\n{BASE64}\n--x--\n"
    )
}

/// The link of a message that bears a file, and that everything about it says so.
fn link_of(stanza: &Stanza) -> String {
    let url = stanza.body().to_owned();
    let oob = stanza.find("x", "jabber:x:oob").expect("a link");
    assert_eq!(oob.text_of("url"), url, "{stanza:?}");
    let shared = stanza.find("file-sharing", "urn:xmpp:sfs:0");
    let file = shared.expect("a file").child("file").expect("what it is");
    assert_eq!(
        (file.text_of("name"), file.text_of("media-type")),
        ("rose.png", "image/png")
    );
    assert_eq!((file.text_of("size"), file.text_of("hash")), ("10", SHA256));
    url
}

async fn through_the_servers_own_service(kind: Kind) {
    let scene = Scene::around(
        Hop::Lmtp,
        "[attachments]\ntrusted = [\"127.0.0.1\"]\n",
        |toml| World::around(kind.start_with_upload(&[super::MAIL]), toml),
    )
    .await;
    let text = scene.alice_writes(&with_file("in"), "look in").await;
    assert_eq!(text.body(), "look in", "{text:?}");
    let file = scene.hears("http://127.0.0.1:").await;
    let (head, bytes) = http("GET", &link_of(&file), "", b"").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(bytes, FILE);

    let url = upload(&scene.juliet, "tulip.png", FILE).await;
    let oob = format!("<x xmlns='jabber:x:oob'><url>{url}</url></x>");
    scene.juliet.message_with("chat", ALICE, &url, &oob);
    let mail = scene.postfix.wait_for_mail(|mail| mail.contains(BASE64));
    assert!(
        mail.contains("tulip.png") && mail.contains("image/png"),
        "{mail}"
    );
    assert!(
        !mail.contains(&url),
        "the file is there, not its link: {mail}"
    );
}

#[tokio::test]
async fn files_of_mails_go_through_prosodys_file_service_both_ways() {
    through_the_servers_own_service(Kind::Prosody).await;
}

#[tokio::test]
async fn files_of_mails_go_through_ejabberds_file_service_both_ways() {
    through_the_servers_own_service(Kind::Ejabberd).await;
}

#[tokio::test]
async fn files_of_mails_are_at_our_own_server_where_jabberd2_has_none() {
    let port = Port::reserve();
    let ours = format!("http://127.0.0.1:{}/files", port.number());
    let toml = format!(
        "[attachments]\nlisten = \"{}\"\npublic_url = \"{ours}\"\n",
        port.address()
    );
    let scene = Scene::around(Hop::Lmtp, &toml, |toml| {
        World::serving(Kind::Jabberd2, &[super::MAIL], toml)
    })
    .await;
    scene.alice_writes(&with_file("own"), "look own").await;
    let file = scene.hears(&ours).await;
    let url = link_of(&file);
    let (head, bytes) = http("GET", &url, "", b"").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let head = head.to_lowercase();
    for header in [
        "content-type: image/png",
        "content-length: 10",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; sandbox",
        "content-disposition: inline; filename*=utf-8''rose.png",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert_eq!(bytes, FILE);
    let (head, bytes) = http("HEAD", &url, "", b"").await;
    assert!(head.contains("200") && bytes.is_empty(), "{head}");
    let (head, _) = http("POST", &url, "", b"x").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
    let id = url.rsplit('/').nth(1).expect("an id");
    for wrong in [&id.replace(|c| c != '0', "0"), &id[1..], "..", "%2e%2e"] {
        let (head, _) = http("GET", &format!("{ours}/{wrong}/rose.png"), "", b"").await;
        assert!(head.starts_with("HTTP/1.1 404"), "{wrong}: {head}");
    }

    // What may not be fetched goes out as it is, and who sent it hears why.
    let private = "https://127.0.0.1:9/secret.png";
    let oob = format!("<x xmlns='jabber:x:oob'><url>{private}</url></x>");
    scene.juliet.message_with("chat", ALICE, private, &oob);
    scene.postfix.wait_for_mail(|mail| mail.contains(private));
    let told = scene.hears("Your file could not be sent as such").await;
    assert!(told.body().contains("public internet"), "{told:?}");
    let encrypted = scene.juliet.chat(ALICE, "aesgcm://files.example/a#00");
    let (condition, words) = scene.refused(&encrypted).await;
    assert!(words.contains("encrypted"), "{condition}: {words}");
}
