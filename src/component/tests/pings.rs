//! What pings prove, and what their absence means.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_ping_follows_what_was_written_and_its_return_confirms() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    let mark = push(&rig.outbox, Class::Message, "m");
    assert_eq!(id(&peer.stanza().await), "m");
    let ping = peer.ping().await;
    assert!(
        ping.contains("from='irc.example.org' to='irc.example.org'"),
        "{ping}"
    );
    assert_eq!(rig.outbox.confirmed(), Mark(0));
    peer.send(&ping).await;
    soon(rig.outbox.until_confirmed(mark)).await;
    assert_eq!(rig.outbox.confirmed(), mark);
}

#[tokio::test(start_paused = true)]
async fn results_and_errors_prove_as_well_and_reach_nobody() {
    for kind in ["result", "error"] {
        let mut rig = Rig::new();
        let mut peer = rig.stream().await;
        rig.up().await;
        let mark = push(&rig.outbox, Class::Message, "m");
        peer.stanza().await;
        let ping = peer.ping().await;
        peer.send(&ping.replace("type='get'", &format!("type='{kind}'")))
            .await;
        soon(rig.outbox.until_confirmed(mark)).await;
        assert!(rig.events.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_else_can_confirm_with_our_id() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    push(&rig.outbox, Class::Message, "m");
    peer.stanza().await;
    let ping = peer.ping().await;
    peer.send(&ping.replace("from='irc.example.org'", "from='mallory@example.org'"))
        .await;
    assert!(
        matches!(rig.event().await, Event::Stanza(_)),
        "a stanza like any other"
    );
    assert_eq!(rig.outbox.confirmed(), Mark(0));
}

#[tokio::test(start_paused = true)]
async fn pings_are_few_under_load() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    let reader = tokio::spawn(async move {
        let (mut pings, mut stanzas) = (0, 0);
        while let Some(Frame::Stanza(stanza)) = peer.next().await {
            if is_ping(&stanza) {
                pings += 1;
                peer.send(&text(&stanza)).await;
            } else {
                stanzas += 1;
            }
            if stanzas == 1000 {
                return pings;
            }
        }
        panic!("the stream ended after {stanzas}");
    });
    // One stanza each 10 ms for 10 s: a ping each 250 ms.
    for n in 0..1000 {
        push(&rig.outbox, Class::Message, &format!("m{n}"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pings = soon(reader).await.unwrap();
    assert!((30..=45).contains(&pings), "{pings}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_pinged_each_minute() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    let ping = peer.ping().await;
    peer.send(&ping).await;
    let since = Instant::now();
    for _ in 0..3 {
        let ping = peer.ping().await;
        peer.send(&ping).await;
    }
    assert_eq!(since.elapsed().as_secs() / 10, 18);
}

#[tokio::test(start_paused = true)]
async fn where_pings_to_ourselves_do_not_come_home_the_server_is_asked() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    let since = Instant::now();
    let first = push(&rig.outbox, Class::Message, "m1");
    peer.stanza().await;
    let to_server = loop {
        let ping = peer.ping().await;
        if ping.contains(" to='example.org'") {
            break ping;
        }
    };
    assert!(since.elapsed() >= Duration::from_secs(10));
    peer.send(&answered(&to_server)).await;
    soon(rig.outbox.until_confirmed(first)).await;

    // From now on the server at once.
    peer.pings.clear();
    let second = push(&rig.outbox, Class::Message, "m2");
    let since = Instant::now();
    let ping = peer.ping().await;
    assert!(ping.contains(" to='example.org'"), "{ping}");
    peer.send(&answered(&ping)).await;
    soon(rig.outbox.until_confirmed(second)).await;
    assert!(since.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_nothing_is_answered_is_cut_and_messages_go_again() {
    let mut rig = Rig::new();
    let mut mute = rig.stream().await;
    rig.up().await;
    let since = Instant::now();
    push(&rig.outbox, Class::Message, "m");
    assert_eq!(id(&mute.stanza().await), "m");
    while mute.next().await.is_some_and(|frame| frame != Frame::End) {}
    drop(mute);
    assert!(
        (90..100).contains(&since.elapsed().as_secs()),
        "{:?}",
        since.elapsed()
    );
    let mut peer = rig.stream().await;
    assert_eq!(id(&peer.stanza().await), "m");
}

#[tokio::test(start_paused = true)]
async fn half_the_pings_lost_to_another_connection_still_confirm() {
    let mut rig = Rig::new();
    let mut peer = rig.stream().await;
    rig.up().await;
    let since = Instant::now();
    let mark = push(&rig.outbox, Class::Message, "m");
    peer.stanza().await;
    let _lost = peer.ping().await;
    peer.send(
        "<iq type='get' from='irc.example.org' to='irc.example.org' id='barrier-0123-1'>\
         <ping xmlns='urn:xmpp:ping'/></iq>",
    )
    .await;
    let home = peer.ping().await;
    peer.send(&home).await;
    soon(rig.outbox.until_confirmed(mark)).await;
    assert!(since.elapsed() < Duration::from_secs(15));
    assert!(
        rig.events.try_recv().is_err(),
        "the other process's ping goes no further"
    );
}

fn answered(ping: &str) -> String {
    ping.replace(" to='example.org'", " to='irc.example.org'")
        .replace(" from='irc.example.org'", " from='example.org'")
        .replace("type='get'", "type='result'")
}
