//! Ad-hoc commands (XEP-0050): listed, wrong, over, and a dialog of two steps.

use isthmus_test_support::Stanza;

use super::{COMMANDS, Cast, form, names, refused, result};
use crate::world::LOOP;

fn command(node: &str, session: &str, action: &str, form: &str) -> String {
    format!(
        "<command xmlns='{COMMANDS}' node='{node}' sessionid='{session}' action='{action}'>\
         {form}</command>"
    )
}

fn attr<'a>(stanza: &'a Stanza, name: &str) -> &'a str {
    let command = stanza.child_ns("command", COMMANDS);
    command.map_or("", |command| command.attr(name))
}

/// The type and the words of a command's note.
fn note(stanza: &Stanza) -> (&str, &str) {
    let note = stanza.find("note", COMMANDS);
    note.map_or(("", ""), |note| (note.attr("type"), &note.text))
}

/// Tybalt lists, errs, and is registered with a network that asks for a code.
pub(super) async fn run(cast: &Cast) {
    let tybalt = &cast.tybalt;
    let list = format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/>");
    let listed = result(tybalt, "get", LOOP, &list).await;
    let query = listed.child("query").expect("a list");
    let nodes: Vec<&str> = query
        .children_named("item")
        .map(|it| it.attr("node"))
        .collect();
    for node in [
        "register",
        "queue",
        "queue-cancel",
        "archive-export",
        "archive-delete",
    ] {
        assert!(nodes.contains(&node), "{node}: {nodes:?}");
    }
    let begin = |node: &str| format!("<command xmlns='{COMMANDS}' node='{node}'/>");
    refused(tybalt, "set", LOOP, &begin("nothing"), "item-not-found").await;
    let over = command("register", "over", "complete", &form(&[("nick", "x")]));
    let error = refused(tybalt, "set", LOOP, &over, "bad-request").await;
    assert!(error.find("bad-sessionid", COMMANDS).is_some(), "{error:?}");
    let dance = format!("<command xmlns='{COMMANDS}' node='queue' action='dance'/>");
    let error = refused(tybalt, "set", LOOP, &dance, "bad-request").await;
    assert!(
        error.find("malformed-action", COMMANDS).is_some(),
        "{error:?}"
    );
    let begun = result(tybalt, "set", LOOP, &begin("archive-delete")).await;
    let sure = form(&[("sure", "perhaps")]);
    let wrong = command(
        "archive-delete",
        attr(&begun, "sessionid"),
        "complete",
        &sure,
    );
    let wrong = result(tybalt, "set", LOOP, &wrong).await;
    assert_eq!(note(&wrong).0, "error", "{wrong:?}");
    assert!(
        note(&wrong).1.contains("(sure)"),
        "the field is named: {wrong:?}"
    );
    dialog(cast).await;
}

/// Two steps: nothing filled in, a nickname that is asked for a code, a wrong code, the right one.
async fn dialog(cast: &Cast) {
    let tybalt = &cast.tybalt;
    let begin = format!("<command xmlns='{COMMANDS}' node='register'/>");
    let first = result(tybalt, "set", LOOP, &begin).await;
    let session = attr(&first, "sessionid").to_owned();
    assert_eq!(attr(&first, "status"), "executing");
    assert_eq!(names(&first), ["nick", "line", "password"]);
    let step = |action: &str, fields: &[(&str, &str)]| {
        command("register", &session, action, &form(fields))
    };
    let missing = result(tybalt, "set", LOOP, &step("next", &[("line", "1")])).await;
    assert_eq!(
        (attr(&missing, "status"), note(&missing).0),
        ("executing", "error")
    );
    assert!(note(&missing).1.contains("(nick)"), "{missing:?}");
    let second = result(tybalt, "set", LOOP, &step("next", &[("nick", "twice")])).await;
    assert!(names(&second).contains(&"code"), "{second:?}");
    let wrong = result(tybalt, "set", LOOP, &step("complete", &[("code", "4712")])).await;
    assert_eq!(
        (attr(&wrong, "status"), note(&wrong).0),
        ("executing", "error")
    );
    let done = result(tybalt, "set", LOOP, &step("complete", &[("code", "4711")])).await;
    assert_eq!(
        (attr(&done, "status"), note(&done).0),
        ("completed", "info")
    );
    let late = step("cancel", &[]);
    let error = refused(tybalt, "set", LOOP, &late, "bad-request").await;
    assert!(error.find("bad-sessionid", COMMANDS).is_some(), "{error:?}");
    let remove = "<query xmlns='jabber:iq:register'><remove/></query>";
    result(tybalt, "set", LOOP, remove).await;
}
