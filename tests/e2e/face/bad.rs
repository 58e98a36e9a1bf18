//! What no client should send: forged ids, messages of and to who is not there.

use isthmus_test_support::Stanza;

use super::{Cast, ROOM, bounced, occupant, stanza_id};
use crate::world::presence_of;

pub(super) async fn forged(cast: &Cast) {
    let (juliet, romeo, tybalt) = (&cast.juliet, &cast.romeo, &cast.tybalt);
    let forged = format!(
        "<stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='{ROOM}'/>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"
    );
    romeo.message_with("groupchat", ROOM, "trust me", &forged);
    let from = format!("{ROOM}/romeo");
    for client in [juliet, romeo] {
        let heard = client
            .expect(|s: &Stanza| s.from() == from && s.body() == "trust me")
            .await;
        assert_ne!(stanza_id(&heard, ROOM), "forged", "{heard:?}");
        assert_ne!(occupant(&heard), "forged", "{heard:?}");
        assert_eq!(heard.children_named("occupant-id").count(), 1, "{heard:?}");
    }
    let id = juliet.chat(&format!("{ROOM}/ghost"), "who is there?");
    bounced(juliet, &id, "item-not-found").await;
    let id = tybalt.groupchat(ROOM, "from outside");
    bounced(tybalt, &id, "not-acceptable").await;
    let id = tybalt.chat(&format!("{ROOM}/romeo"), "from outside");
    bounced(tybalt, &id, "not-acceptable").await;
    tybalt.send(&format!(
        "<presence id='in' to='{ROOM}/tybalt'><show>away</show></presence>"
    ));
    let out = tybalt
        .expect(presence_of(&format!("{ROOM}/tybalt"), "unavailable"))
        .await;
    assert_eq!(out.status_codes(), [110, 307, 333], "{out:?}");
    // Behind the pong nothing of it is left on the way.
    for client in [juliet, romeo] {
        let seen = client.collect(&from).await;
        let leaked = seen.iter().any(|s| s.body() == "from outside");
        assert!(!leaked, "{seen:?}");
    }
}
