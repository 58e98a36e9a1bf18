use super::*;

#[test]
fn a_refused_request_is_made_again_one_capability_at_a_time() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s CAP * LS :multi-prefix echo-message");
    assert_eq!(desk.said(), ["CAP REQ :multi-prefix echo-message"]);
    // Some servers send the list back cut short.
    desk.hear(":s CAP * NAK :multi-pre");
    assert_eq!(
        desk.said(),
        ["CAP REQ :multi-prefix", "CAP REQ :echo-message"]
    );
    desk.hear(":s CAP * NAK :multi-prefix");
    assert!(desk.said().is_empty());
    desk.hear(":s CAP * ACK :echo-message ");
    assert_eq!(desk.said(), ["CAP END"]);
}

#[test]
fn a_single_refused_capability_ends_the_negotiation() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s CAP * LS :multi-prefix");
    desk.hear(":s CAP * NAK :multi-prefix");
    assert_eq!(desk.said(), ["CAP REQ :multi-prefix", "CAP END"]);
}

#[test]
fn only_what_is_used_is_asked_for() {
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.said();
    desk.hear(":s CAP * LS * :sasl=PLAIN tls draft/persistence draft/extended-monitor");
    desk.hear(":s CAP * LS :extended-monitor batch");
    assert_eq!(desk.said(), ["CAP REQ :extended-monitor batch"]);
}

#[test]
fn a_long_request_is_made_in_lines_that_fit() {
    let mut desk = Desk::with(|settings| {
        settings.login = Some(crate::translate::Login {
            user: "ferris".into(),
            password: Some(crate::config::Secret("x".into())),
        });
    });
    desk.talk.connected(desk.now);
    desk.said();
    let all = super::super::caps::all();
    desk.hear(&format!(":s CAP * LS * :{}", all[..12].join(" ")));
    desk.hear(&format!(":s CAP * LS :{}", all[12..].join(" ")));
    let said = desk.said();
    assert!(said.iter().all(|line| line.len() <= 510), "{said:?}");
    let asked: usize = said.iter().map(|line| line.split(' ').count() - 2).sum();
    // One of them goes by two names.
    assert_eq!(asked, all.len() - 1);
}

#[test]
fn what_a_network_learns_and_forgets_changes_what_can_be_expressed() {
    struct Seen(Vec<isthmus_gateway::Caps>);
    impl Sink for Seen {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Caps { at: None, caps } = event {
                self.0.push(caps);
            }
        }
    }
    let mut desk = Desk::online_with("cap-notify");
    let mut seen = Seen(Vec::new());
    desk.talk.line(
        ":s CAP ferris NEW :message-tags x/y batch",
        desk.now,
        &mut seen,
    );
    assert_eq!(desk.said(), ["CAP REQ :message-tags batch"]);
    assert!(seen.0.is_empty());
    desk.talk
        .line(":s CAP ferris ACK :message-tags batch", desk.now, &mut seen);
    desk.talk
        .line(":s CAP ferris DEL :message-tags", desk.now, &mut seen);
    let told: Vec<_> = seen
        .0
        .iter()
        .map(|caps| (caps.typing, caps.react, caps.reply))
        .collect();
    assert_eq!(told, [(true, true, true), (false, false, false)]);
    assert!(desk.said().is_empty());
}

#[test]
fn a_network_is_said_to_do_what_it_can_and_no_more() {
    struct Seen(Option<isthmus_gateway::Caps>);
    impl Sink for Seen {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Online(facts) = event {
                self.0 = Some(facts.caps);
            }
        }
    }
    let caps = |caps: &str, words: &str| {
        let mut desk = Desk::new();
        let mut seen = Seen(None);
        desk.talk.connected(desk.now);
        for line in [
            format!(":s CAP * LS :{caps}"),
            format!(":s CAP * ACK :{caps}"),
            ":s 001 ferris :Welcome".to_owned(),
            format!(":s 005 ferris {words} :are supported"),
            ":s 422 ferris :No MOTD".to_owned(),
        ] {
            desk.talk.line(&line, desk.now, &mut seen);
        }
        seen.0.expect("online")
    };
    let none = caps("", "X=y");
    assert!(!none.typing && !none.react && !none.reply && !none.retract && !none.history);
    assert!(!none.pictures && !none.avatar);
    assert!(none.rooms && none.watch && !none.multiline && !none.read);
    let all = "message-tags batch draft/multiline draft/chathistory draft/read-marker \
               draft/message-redaction draft/metadata-2";
    let all = caps(all, "X=y");
    assert!(all.typing && all.react && all.reply && all.retract && all.history);
    assert!(all.multiline && all.read && all.pictures && all.avatar);
    let denied = caps("message-tags", "CLIENTTAGDENY=*,-draft/reply");
    assert!(!denied.typing && !denied.react && denied.reply);
    let denied = caps("message-tags", "CLIENTTAGDENY=typing");
    assert!(!denied.typing && denied.react);
    // They need batch.
    let alone = caps("draft/multiline draft/chathistory draft/metadata-2", "X=y");
    assert!(!alone.multiline && !alone.history && !alone.pictures);
}

#[test]
fn a_server_met_in_plain_text_by_need_is_met_again_over_tls() {
    use crate::translate::{Safety, Sts};
    let policy = ":s CAP * LS :sts=port=6697,duration=300";
    let mut desk = Desk::new();
    desk.talk.secured(Safety::Fallback, false);
    desk.talk.connected(desk.now);
    desk.hear(policy);
    assert_eq!(desk.talk.take_sts(), Some(Sts::Upgrade(6697)));
    assert!(desk.talk.ending());
    let mut desk = Desk::new();
    desk.talk.connected(desk.now);
    desk.hear(policy);
    assert_eq!((desk.talk.take_sts(), desk.talk.ending()), (None, false));
    let mut desk = Desk::new();
    desk.talk.secured(Safety::Tls, false);
    desk.talk.connected(desk.now);
    desk.hear(policy);
    assert_eq!(desk.talk.take_sts(), Some(Sts::Keep(300)));
    assert!(!desk.talk.ending());
}
