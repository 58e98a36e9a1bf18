//! Plugins that are slow, silent, mad or dead.

use isthmus_gateway::Outcome;

use crate::support::{Driver, Nest};

#[tokio::test]
async fn a_plugin_that_ends_in_mid_command_ends_it_once_and_is_started_again() {
    let nest = Nest::new();
    let exec = nest
        .start(nest.script(
            r#"
hello()
def command(m, session, body):
    if body == "die": os._exit(3)
    said(session, body); answer(m)
serve(command)
"#,
        ))
        .await;
    let mut juliet = Driver::online(&exec).await;
    let tag = juliet.say("bob", "die");
    let done = juliet.next().await;
    assert_eq!(
        (done["type"].as_str(), &done["tag"]),
        (Some("done"), &tag.0.into())
    );
    assert_eq!(done["result"]["Err"]["kind"], "network_down");
    let offline = juliet.next().await;
    assert_eq!(offline["type"], "offline");
    assert!(offline["retry"].as_u64().is_some_and(|wait| wait >= 1000));
    assert_eq!(juliet.next().await["type"], "online");
    let tag = juliet.say("bob", "again");
    assert_eq!(juliet.heard().await, "again");
    assert_eq!(juliet.ended(tag).await, Ok(Outcome::Accepted));
}
