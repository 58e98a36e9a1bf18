//! What a user says from another connection of his to the network, on servers that let the gateway
//! speak in his name (XEP-0356).

use isthmus_test_support::xmpp_server::{Ejabberd, Prosody};
use isthmus_test_support::{Stanza, XmppClient, XmppServer};

use crate::world::{LOOP, World, config_at, isthmus};

const CONTACT: &str = "narcissus@loop.localhost";
const CARBONS: &str = "urn:xmpp:carbons:2";
const HERE: &str = "from here";
const ELSEWHERE: &str = "from the desk";

/// The echo in shell; but what it says is the user's own, from elsewhere, each time he says
/// something.
fn program(dir: &std::path::Path) -> String {
    let echo = include_str!("../../examples/plugins/echo.sh");
    let own = format!(r#""at":\1,"who":{{"nick":"you"}},"mine":true,"body":"{ELSEWHERE}"/"#);
    let changed = echo.replace(r#""at":\1,"who":{"nick":\2},"body":\3/"#, &own);
    assert_ne!(changed, echo, "the example is another one now");
    let path = dir.join("own.sh");
    std::fs::write(&path, changed).expect("written");
    path.display().to_string()
}

async fn start(xmpp: Box<dyn XmppServer>) -> (World, XmppClient, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = program(dir.path());
    let gateways = format!(
        r#"
[gateway.loop]
kind = "exec"
domain = "{LOOP}"
allow = ["localhost"]
exec = ["/bin/sh", "{program}"]
"#
    );
    let config = config_at(xmpp.component_port(), xmpp.secret(), "debug", &gateways);
    let isthmus = isthmus(&config);
    let world = World { isthmus, xmpp };
    let juliet = world.user("juliet").await;
    world.attached(&juliet, LOOP).await;
    world.isthmus.wait_for_log("the server grants privileges");
    (world, juliet, dir)
}

/// Says something, and what is said elsewhere by it comes to the server and back.
async fn say(world: &World, juliet: &XmppClient) {
    juliet.chat(CONTACT, HERE);
    let back = "what was said in a user's name has come back";
    world.isthmus.wait_for_log(back);
    juliet.collect(LOOP).await;
    let archive = juliet.archive(CONTACT, 10).await;
    let mut said: Vec<_> = archive.into_iter().map(|it| (it.from, it.body)).collect();
    said.sort();
    let own = |jid: &str, body: &str| (jid.to_owned(), body.to_owned());
    let all = [own(juliet.bare_jid(), ELSEWHERE), own(juliet.jid(), HERE)];
    assert_eq!(said, all, "{}", world.isthmus.log());
}

#[tokio::test]
async fn what_is_said_elsewhere_is_told_by_prosody() {
    let xmpp = Box::new(Prosody::start_privileged(&[LOOP]));
    let (world, juliet, _dir) = start(xmpp).await;
    let own = juliet.bare_jid().to_owned();
    let enable = format!("<enable xmlns='{CARBONS}'/>");
    assert_eq!(juliet.iq("set", &own, &enable).await.type_(), "result");
    say(&world, &juliet).await;
    let log = juliet.log();
    let sent = |s: &&Stanza| s.child_ns("sent", CARBONS).is_some();
    let carbons: Vec<_> = log.iter().filter(sent).collect();
    let [carbon] = carbons[..] else {
        panic!("one carbon: {log:?}");
    };
    for part in [ELSEWHERE, CONTACT] {
        assert!(carbon.xml.contains(part), "{carbon:?}");
    }
    assert_eq!(carbon.from(), own);
}

#[tokio::test]
async fn what_is_said_elsewhere_is_archived_behind_ejabberd() {
    let xmpp = Box::new(Ejabberd::start_privileged(&[LOOP]));
    let (world, juliet, _dir) = start(xmpp).await;
    say(&world, &juliet).await;
}
