//! TLS to the IRC server: by an authority of the system, and by the digest of its certificate.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use isthmus_test_support::irc_server::Kind as Irc;
use isthmus_test_support::xmpp_server::Kind as Xmpp;
use isthmus_test_support::{IrcClient, IrcServer, Isthmus};

use super::{CHANNEL, ROOM};
use crate::world::{IRC, World, config, error_text, irc_gateway_at, presence_of};

fn address(irc: &dyn IrcServer) -> String {
    format!("127.0.0.1:{}", irc.tls_port())
}

/// The SHA-256 digest of the server's certificate, in hex.
fn digest(irc: &dyn IrcServer) -> String {
    let file = irc.authority().with_file_name("cert.pem");
    let pem = fs::read_to_string(file).expect("the server has a certificate");
    let body = pem
        .split("-----BEGIN CERTIFICATE-----")
        .nth(1)
        .expect("one certificate");
    let body = body.split("-----END").next().unwrap_or_default();
    let base64: String = body.split_whitespace().collect();
    let der = STANDARD.decode(base64).expect("PEM holds base64");
    hex::encode(ring::digest::digest(&ring::digest::SHA256, &der))
}

/// A program that trusts the server's authority and speaks TLS only.
pub(crate) fn trusting(xmpp: Xmpp, irc: &dyn IrcServer) -> World {
    let xmpp = xmpp.start();
    let config = config(&*xmpp, &irc_gateway_at(&address(irc), "tls = \"required\""));
    let file = irc.authority().to_string_lossy().into_owned();
    let env = [("SSL_CERT_FILE", file.as_str())];
    let isthmus = Isthmus::start_with(env!("CARGO_BIN_EXE_isthmus"), &config, &env);
    World { isthmus, xmpp }
}

/// The port takes TLS and nothing else: what comes through was encrypted.
async fn whisper(irc: &dyn IrcServer, world: &World) {
    let juliet = world.user("juliet").await;
    let alice = IrcClient::connect(irc.port(), "alice").await;
    alice.join(CHANNEL).await;
    world.attached(&juliet, IRC).await;
    juliet.join(ROOM, "juliet").await;
    juliet.groupchat(ROOM, "safely");
    alice
        .expect(|line| line.is("PRIVMSG", &[CHANNEL, "safely"]))
        .await;
}

#[tokio::test]
async fn conversation_over_tls_trusts_the_authorities_of_the_system() {
    let irc = Irc::Inspircd.start();
    whisper(&*irc, &trusting(Xmpp::Prosody, &*irc)).await;
}

#[tokio::test]
async fn conversation_over_tls_trusts_a_pinned_certificate() {
    for kind in [Irc::Ngircd, Irc::Inspircd, Irc::Hybrid] {
        let irc = kind.start();
        let keys = format!("tls = \"required\"\npin = \"{}\"", digest(&*irc));
        let gateway = irc_gateway_at(&address(&*irc), &keys);
        whisper(&*irc, &World::start(Xmpp::Prosody, &gateway)).await;
    }
}

#[tokio::test]
async fn conversation_over_tls_refuses_a_certificate_nobody_vouches_for() {
    let irc = Irc::Ngircd.start();
    let gateway = irc_gateway_at(&address(&*irc), "tls = \"required\"");
    let world = World::start(Xmpp::Prosody, &gateway);
    let juliet = world.user("juliet").await;
    world.attached(&juliet, IRC).await;
    juliet.send_join(ROOM, "juliet", "");
    let error = juliet
        .expect(presence_of(&format!("{ROOM}/juliet"), "error"))
        .await;
    assert!(error_text(&error).contains("certificate"), "{error:?}");
}
