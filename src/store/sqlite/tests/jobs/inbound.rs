//! What comes from a network, until the XMPP server has it.

use super::*;

#[tokio::test]
async fn a_delivery_is_taken_once_with_all_that_belongs_to_it() {
    let place = Place::new();
    let store = place.open();
    store.user_add(USER, NUMBER).await.expect("known");
    assert_eq!(store.user_of(NUMBER).await, Ok(Some(USER.to_owned())));
    assert_eq!(store.user_of(NUMBER + 1).await, Ok(None));
    let kept = Inward {
        peer_kept: Some(b"thread".to_vec()),
        ..inward("a")
    };
    let batch = vec![kept.clone(), inward("b"), inward("a")];
    let taken = store.deliver(GATEWAY, batch).await.expect("taken");
    assert!(taken[0].is_some() && taken[1].is_some() && taken[2].is_none());
    let again = store.deliver(GATEWAY, vec![kept]).await.expect("taken");
    assert_eq!(again, [None]);
    assert_eq!(
        inbound(&store).await,
        ["<message id='a'/>", "<message id='b'/>"]
    );
    let found = store.reference(GATEWAY, "key-a").await.expect("an answer");
    let found = found.expect("a reference");
    assert_eq!((found.job, found.stanza.as_str()), (None, "id-a"));
    let job = add(&store, "answer", &["peer"]).await;
    let peer_kept = the_job(&store, job).await.peer_kept;
    assert_eq!(peer_kept.as_deref(), Some(&b"thread"[..]));
    // The same id by another gateway is another message.
    let other = store.deliver("other.example.org", vec![inward("a")]).await;
    assert!(other.expect("taken")[0].is_some());
}

#[tokio::test]
async fn a_batch_that_fails_leaves_nothing_and_spoils_nothing_else() {
    let place = Place::new();
    let store = place.open();
    store.user_add(USER, NUMBER).await.expect("known");
    let stranger = Inward {
        number: NUMBER + 1,
        ..inward("c")
    };
    // All of these share a transaction as likely as not.
    let before = store.deliver(GATEWAY, vec![inward("before")]);
    let failing = store.deliver(GATEWAY, vec![inward("a"), inward("b"), stranger]);
    let after = store.deliver(GATEWAY, vec![inward("after")]);
    assert!(before.await.expect("taken")[0].is_some());
    assert!(matches!(failing.await, Err(StoreFault::Database { .. })));
    assert!(after.await.expect("taken")[0].is_some());
    assert_eq!(
        inbound(&store).await,
        ["<message id='before'/>", "<message id='after'/>"]
    );
    assert_eq!(count(&place.witness(), "taken"), 2);
    assert_eq!(count(&place.witness(), "reference"), 2);
    let again = store.deliver(GATEWAY, vec![inward("a")]).await;
    assert!(again.expect("taken")[0].is_some(), "it was not remembered");
}

#[tokio::test]
async fn inbound_rows_go_by_number_and_leave_when_they_have_arrived() {
    let place = Place::new();
    {
        let store = place.open();
        store.user_add(USER, NUMBER).await.expect("known");
        let batch = (0..5).map(|n| inward(&n.to_string())).collect();
        store.deliver(GATEWAY, batch).await.expect("taken");
    }
    let store = place.open();
    let page = store.inbound(GATEWAY, 0, 3).await.expect("rows");
    let ids: Vec<u64> = page.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), 3);
    let rest = store.inbound(GATEWAY, ids[2], 3).await.expect("rows");
    assert_eq!(rest.len(), 2);
    store.inbound_done(ids).await.expect("gone");
    assert_eq!(store.inbound(GATEWAY, 0, 9).await, Ok(rest));
}
