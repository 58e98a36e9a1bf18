//! The archive of a room as its user reads it (XEP-0313): the form, the ends, pages, refusals.

use super::{Cast, ROOM, RSM, names, refused, result, stanza_id};

const MAM: &str = "urn:xmpp:mam:2";

pub(super) async fn read(cast: &Cast) {
    let juliet = &cast.juliet;
    let said = juliet.archive(ROOM, 1).await;
    let said: Vec<(&str, &str)> = said.iter().map(|it| (&*it.from, &*it.body)).collect();
    let (own, echo) = (format!("{ROOM}/juliet"), format!("{ROOM}/echo"));
    // The subject is a message of the room's, too, if one without a body.
    let words: Vec<_> = said.into_iter().filter(|it| !it.1.is_empty()).collect();
    assert_eq!(words, [(&*own, "a rose"), (&*echo, "a rose")]);
    let asked = result(juliet, "get", ROOM, &format!("<query xmlns='{MAM}'/>")).await;
    for field in ["with", "start", "end", "before-id", "after-id", "ids"] {
        assert!(names(&asked).contains(&field), "{field}: {asked:?}");
    }
    let log = juliet.log();
    let first = log
        .iter()
        .find(|s| s.body() == "a rose")
        .expect("it was heard");
    let first = stanza_id(first, ROOM);
    let ends = format!("<metadata xmlns='{MAM}'/>");
    let ends = result(juliet, "get", ROOM, &ends).await;
    let start = ends.find("start", MAM).expect("an archive has a start");
    assert_eq!(start.attr("id"), first, "the live id is the archive's");
    assert!(
        ends.find("end", MAM)
            .is_some_and(|end| !end.attr("timestamp").is_empty())
    );
    page(cast, &first).await;
    let lost = format!("<query xmlns='{MAM}'><set xmlns='{RSM}'><after>lost</after></set></query>");
    refused(juliet, "set", ROOM, &lost, "item-not-found").await;
    let empty = result(
        &cast.tybalt,
        "set",
        ROOM,
        &format!("<query xmlns='{MAM}'/>"),
    )
    .await;
    let fin = empty.child_ns("fin", MAM).expect("a query ends");
    assert_eq!(
        fin.attr("complete"),
        "true",
        "an outsider's own, of nothing: {empty:?}"
    );
}

/// One page of one message: what is forwarded, and what the end says.
async fn page(cast: &Cast, first: &str) {
    let query =
        format!("<query xmlns='{MAM}' queryid='q7'><set xmlns='{RSM}'><max>1</max></set></query>");
    let end = result(&cast.juliet, "set", ROOM, &query).await;
    let found = |s: &isthmus_test_support::Stanza| {
        let result = s.child_ns("result", MAM);
        result.is_some_and(|it| it.attr("queryid") == "q7")
    };
    let found = cast.juliet.expect(found).await;
    assert_eq!(found.from(), ROOM);
    let result = found.child_ns("result", MAM).expect("it has one");
    assert_eq!(result.attr("id"), first);
    assert!(
        result.find("delay", "urn:xmpp:delay").is_some(),
        "{found:?}"
    );
    let inner = result.find("message", "jabber:client").expect("forwarded");
    assert_eq!(inner.attr("from"), format!("{ROOM}/juliet"));
    let fin = end.child_ns("fin", MAM).expect("a query ends");
    assert_eq!(fin.attr("complete"), "", "there is more: {end:?}");
    let set = fin.child_ns("set", RSM).expect("a page has its set");
    assert_eq!((set.text_of("first"), set.text_of("last")), (first, first));
}
