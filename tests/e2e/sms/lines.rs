//! Whose number is whose: by the configuration, and by registration (XEP-0077).

use super::second::OPEN;
use super::{OURS, SMS, Scene, THEIRS};
use crate::world::{error_text, register_form};

/// Somebody who has not written to juliet before.
const OTHER: &str = "+14169938001@sms.localhost";
const OTHERS: &str = "14169938001";

/// Juliet takes the open number beside her own: who knows her by the old one goes on with it, who
/// does not gets the new one, and what is sent to either reaches her. Then she gives it back.
pub(super) async fn registered(scene: &Scene) {
    let juliet = &scene.juliet;
    let form = juliet
        .iq("get", SMS, "<query xmlns='jabber:iq:register'/>")
        .await;
    let field = form.find("field", "jabber:x:data");
    assert!(field.is_some(), "{form:?}");
    assert!(form.xml.contains(&format!("+{OPEN}")), "{form:?}");
    assert!(
        !form.xml.contains(&format!("+{OURS}")),
        "only open ones: {form:?}"
    );

    let taken = register_form(&[("line", "+15551230001")]);
    let refused = juliet.iq("set", SMS, &taken).await;
    assert_eq!(refused.error_condition(), "not-allowed", "{refused:?}");
    assert!(error_text(&refused).contains("+15551230001"), "{refused:?}");
    let missing = juliet.iq("set", SMS, &register_form(&[])).await;
    assert_eq!(missing.error_condition(), "not-acceptable", "{missing:?}");

    let line = register_form(&[("line", &format!("+{OPEN}"))]);
    assert_eq!(juliet.iq("set", SMS, &line).await.type_(), "result");
    let asks =
        |s: &isthmus_test_support::Stanza| s.kind() == "presence" && s.type_() == "subscribe";
    juliet.expect(asks).await;

    juliet.chat(OTHER, "from the new number");
    let submit = scene.second.submit().await;
    let numbers = (
        submit.source_addr.as_str(),
        submit.destination_addr.as_str(),
    );
    assert_eq!(numbers, (OPEN, OTHERS));
    scene.write("from the old number");
    assert_eq!(scene.smsc.submit().await.source, OURS);
    let text = b"to the new number".to_vec();
    assert!(scene.second.deliver((THEIRS, OPEN), (0, 0), text).await);
    scene.hears("to the new number").await;

    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    assert_eq!(juliet.iq("set", SMS, remove).await.type_(), "result");
    let text = b"is she gone?".to_vec();
    assert!(
        !scene.second.deliver((THEIRS, OPEN), (0, 0), text).await,
        "nobody's number"
    );
    scene.write("from the old number again");
    assert_eq!(scene.smsc.submit().await.source, OURS);
}
