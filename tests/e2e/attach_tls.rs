//! TLS from the first byte at the server's listener for components: by an authority that the
//! configuration names, and by no other, for no other name.
//!
//! Of the three servers only ejabberd has such a listener.

use isthmus_test_support::xmpp_server::Ejabberd;

use crate::world::{LOOP, LOOP_GATEWAY, World, config, isthmus};

/// The usual configuration with these keys for the component.
fn with(server: &Ejabberd, keys: &str) -> String {
    let keys = format!("[component]\n{keys}\n");
    config(server, LOOP_GATEWAY).replace("[component]\n", &keys)
}

#[tokio::test]
async fn attach_to_ejabberd_over_tls() {
    let ejabberd = Ejabberd::start_tls(&[LOOP]);
    let certificate = ejabberd.certificate().expect("it was started with one");
    let authority = format!("ca_file = \"{}\"", certificate.authority().display());

    let unknown = isthmus(&with(&ejabberd, "tls = true"));
    let named = format!("tls = true\ntls_name = \"elsewhere.example\"\n{authority}");
    let named = isthmus(&with(&ejabberd, &named));
    let plain = isthmus(&config(&ejabberd, LOOP_GATEWAY));
    let trusted = isthmus(&with(&ejabberd, &format!("tls = true\n{authority}")));

    let world = World {
        isthmus: trusted,
        xmpp: Box::new(ejabberd),
    };
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    juliet.chat("echo%net@loop.localhost", "safely");
    juliet.expect(|s| s.is_message("chat", "safely")).await;

    for (refused, words) in [
        (&unknown, "component.ca_file names"),
        (&named, "elsewhere.example"),
        (&plain, "no stream to the server"),
    ] {
        refused.wait_for_log(words);
        assert!(
            !refused.log().contains("component connected"),
            "{}",
            refused.log()
        );
    }
    let ended = world.isthmus.terminate();
    assert_eq!(ended.code(), Some(0), "{}", world.isthmus.log());
}
