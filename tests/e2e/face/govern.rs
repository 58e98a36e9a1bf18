//! How a room is run: lists, ranks, bans, its configuration, invitations, voice.

use isthmus_test_support::Stanza;

use super::{Cast, JULIET, MUC_USER, ROMEO, ROOM, bounced, form, names, refused, result, value};
use crate::world::{admin, error_text, features, presence_of, standing};

const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
const OWNER: &str = "<query xmlns='http://jabber.org/protocol/muc#owner'/>";
const CONFIG: (&str, &str) = ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig");
const REQUEST: (&str, &str) = ("FORM_TYPE", "http://jabber.org/protocol/muc#request");

fn list(attributes: &str) -> String {
    format!("<query xmlns='{ADMIN}'><item {attributes}/></query>")
}

fn owner(form: &str) -> String {
    format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>")
}

/// The nicknames, or else addresses, of a list.
fn listed(answer: &Stanza) -> Vec<String> {
    let query = answer.child_ns("query", ADMIN).expect("a list");
    let name = |item: &isthmus_test_support::node::Node| match item.attr("nick") {
        "" => item.attr("jid").to_owned(),
        nick => nick.to_owned(),
    };
    let mut names: Vec<String> = query.children_named("item").map(name).collect();
    names.sort();
    names
}

/// Lists are for who runs the room; ranks come and go, and everybody sees it.
pub(super) async fn lists_and_ranks(cast: &Cast) {
    let (juliet, romeo) = (&cast.juliet, &cast.romeo);
    for (of, who) in [
        ("role='moderator'", &["echo", "juliet"][..]),
        ("role='participant'", &["romeo"]),
        ("affiliation='owner'", &["echo"]),
        ("affiliation='admin'", &["juliet"]),
        ("affiliation='member'", &[]),
        ("affiliation='outcast'", &[]),
    ] {
        let answer = result(juliet, "get", ROOM, &list(of)).await;
        assert_eq!(listed(&answer), who, "{of}: {answer:?}");
        refused(romeo, "get", ROOM, &list(of), "forbidden").await;
    }
    for attributes in [
        "role='none'",
        "affiliation='outcast'",
        "affiliation='member'",
    ] {
        let grab = admin("juliet", attributes, "mine");
        refused(romeo, "set", ROOM, &grab, "forbidden").await;
    }
    let own = admin("juliet", "affiliation='outcast'", "me");
    refused(juliet, "set", ROOM, &own, "conflict").await;
    let above = admin("echo", "role='none'", "noise");
    refused(juliet, "set", ROOM, &above, "not-allowed").await;
    let nobody = admin("nobody", "role='none'", "");
    refused(juliet, "set", ROOM, &nobody, "item-not-found").await;
    let from = format!("{ROOM}/romeo");
    for (affiliation, seen) in [("member", "member"), ("none", "none")] {
        let give = admin("romeo", &format!("affiliation='{affiliation}'"), "");
        result(juliet, "set", ROOM, &give).await;
        for client in [juliet, romeo] {
            let told = client.expect(presence_of(&from, "")).await;
            assert_eq!(standing(&told), (seen.into(), "participant".into()));
            assert_eq!(
                told.status_codes().contains(&110),
                client.jid() == romeo.jid()
            );
        }
    }
}

/// Who is banned is out, with code, actor and reason; and invited, in again.
pub(super) async fn out_and_in(cast: &Cast) {
    let (juliet, romeo) = (&cast.juliet, &cast.romeo);
    let ban = admin("romeo", "affiliation='outcast'", "feud");
    result(juliet, "set", ROOM, &ban).await;
    let from = format!("{ROOM}/romeo");
    for (client, codes) in [(juliet, &[301][..]), (romeo, &[110, 301])] {
        let out = client.expect(presence_of(&from, "unavailable")).await;
        assert_eq!(out.status_codes(), codes, "{out:?}");
        let item = out.find("item", MUC_USER).expect("who and why");
        assert_eq!(item.attr("affiliation"), "outcast");
        assert_eq!(item.text_of("reason"), "feud");
        let actor = item.child("actor").map(|actor| actor.attr("nick"));
        assert_eq!(actor, Some("juliet"), "{out:?}");
    }
    let answer = result(juliet, "get", ROOM, &list("affiliation='outcast'")).await;
    assert_eq!(listed(&answer), [ROMEO]);
    romeo.send_join(ROOM, "romeo", "");
    let shut = romeo.expect(presence_of(&from, "error")).await;
    assert_eq!(shut.error_condition(), "forbidden", "{shut:?}");
    let lift = list(&format!("jid='{ROMEO}' affiliation='none'"));
    result(juliet, "set", ROOM, &lift).await;
    let invite = format!(
        "<x xmlns='{MUC_USER}'><invite to='{}'><reason>peace</reason></invite></x>",
        romeo.bare_jid()
    );
    juliet.send(&format!(
        "<message id='invite' to='{ROOM}'>{invite}</message>"
    ));
    let invited = romeo.expect(|s| s.find("invite", MUC_USER).is_some()).await;
    assert_eq!(invited.from(), ROOM);
    let invite = invited.find("invite", MUC_USER).expect("just found");
    assert_eq!(invite.attr("from"), juliet.bare_jid(), "{invited:?}");
    assert_eq!(invite.text_of("reason"), "peace");
    declined(cast).await;
    configured(cast).await;
    romeo.join(ROOM, "romeo").await;
    juliet.expect(presence_of(&from, "")).await;
    juliet.send(&format!(
        "<message id='direct' to='{ROMEO}'>\
         <x xmlns='jabber:x:conference' jid='{ROOM}' reason='again'/></message>"
    ));
    let conference = "jabber:x:conference";
    let again = |s: &Stanza| {
        let x = s.child_ns("x", conference);
        x.is_some_and(|x| x.attr("reason") == "again")
    };
    let invited = romeo.expect(again).await;
    let x = invited.child_ns("x", conference).expect("just found");
    assert_eq!((x.attr("jid"), invited.from()), (ROOM, ROOM));
    let invite = invited.find("invite", MUC_USER).expect("in both ways");
    assert_eq!(invite.attr("from"), JULIET);
}

/// Tybalt is invited and would rather not; to invite nobody is refused.
async fn declined(cast: &Cast) {
    let (juliet, tybalt) = (&cast.juliet, &cast.tybalt);
    let invite = |id: &str, to: &str| {
        juliet.send(&format!(
            "<message id='{id}' to='{ROOM}'><x xmlns='{MUC_USER}'><invite to='{to}'/></x></message>"
        ));
    };
    invite("ask", tybalt.bare_jid());
    tybalt
        .expect(|s| s.find("invite", MUC_USER).is_some())
        .await;
    tybalt.send(&format!(
        "<message id='no' to='{ROOM}'><x xmlns='{MUC_USER}'><decline to='{}'>\
         <reason>villain</reason></decline></x></message>",
        juliet.bare_jid()
    ));
    let no = juliet
        .expect(|s| s.find("decline", MUC_USER).is_some())
        .await;
    let decline = no.find("decline", MUC_USER).expect("just found");
    assert_eq!((no.from(), decline.attr("from")), (ROOM, tybalt.bare_jid()));
    assert_eq!(decline.text_of("reason"), "villain");
    invite("ghost", "ghost%net@loop.localhost");
    bounced(juliet, "ghost", "item-not-found").await;
}

/// The form is asked for, cancelled, wrong, and at last sent: who is in is told, and disco says so.
async fn configured(cast: &Cast) {
    let juliet = &cast.juliet;
    let moderated = "muc#roomconfig_moderatedroom";
    let asked = result(juliet, "get", ROOM, OWNER).await;
    assert_eq!(value(&asked, "FORM_TYPE"), CONFIG.1);
    assert!(names(&asked).contains(&moderated), "{asked:?}");
    let cancel = owner("<x xmlns='jabber:x:data' type='cancel'/>");
    result(juliet, "set", ROOM, &cancel).await;
    let wrong = owner(&form(&[CONFIG, ("muc#roomconfig_maxusers", "-1")]));
    let error = refused(juliet, "set", ROOM, &wrong, "not-acceptable").await;
    assert!(
        error_text(&error).contains("muc#roomconfig_maxusers"),
        "{error:?}"
    );
    let destroy = owner("<destroy/>");
    refused(juliet, "set", ROOM, &destroy, "not-allowed").await;
    result(
        juliet,
        "set",
        ROOM,
        &owner(&form(&[CONFIG, (moderated, "1")])),
    )
    .await;
    let told = juliet.expect(|s| s.status_codes().contains(&104)).await;
    assert_eq!((told.from(), told.type_()), (ROOM, "groupchat"));
    let features = features(juliet, ROOM).await;
    assert!(
        features.iter().any(|it| it == "muc_moderated"),
        "{features:?}"
    );
}

/// In the moderated room Romeo has no voice, asks for one by form, and gets it.
pub(super) async fn voice(cast: &Cast) {
    let (juliet, romeo) = (&cast.juliet, &cast.romeo);
    let asked = result(romeo, "get", ROOM, OWNER).await;
    let his = names(&asked);
    assert!(!his.contains(&"muc#roomconfig_moderatedroom"), "{asked:?}");
    let config = owner(&form(&[CONFIG, ("muc#roomconfig_moderatedroom", "0")]));
    refused(romeo, "set", ROOM, &config, "forbidden").await;
    let id = romeo.groupchat(ROOM, "may I?");
    bounced(romeo, &id, "forbidden").await;
    let request = form(&[REQUEST, ("muc#role", "participant")]);
    romeo.send(&format!(
        "<message id='voice' to='{ROOM}'>{request}</message>"
    ));
    let asked = juliet.expect(|s| value(s, "FORM_TYPE") == REQUEST.1).await;
    assert_eq!(asked.from(), ROOM);
    assert_eq!(value(&asked, "muc#roomnick"), "romeo");
    assert_eq!(value(&asked, "muc#request_allow"), "0");
    let allow = form(&[
        REQUEST,
        ("muc#role", "participant"),
        ("muc#roomnick", "romeo"),
        ("muc#request_allow", "1"),
    ]);
    juliet.send(&format!(
        "<message id='allow' to='{ROOM}'>{allow}</message>"
    ));
    let from = format!("{ROOM}/romeo");
    let voiced = |s: &Stanza| {
        presence_of(&from, "")(s) && standing(s) == ("member".into(), "participant".into())
    };
    juliet.expect(voiced).await;
    let own = romeo.expect(voiced).await;
    assert!(own.status_codes().contains(&110), "{own:?}");
    romeo.groupchat(ROOM, "thank you");
    juliet
        .expect(|s| s.is_message("groupchat", "thank you"))
        .await;
}
