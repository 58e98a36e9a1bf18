//! What a gateway says of itself is what it does.

use isthmus_gateway::{Caps, Close, Command, Dialog, FaultKind, Key, Place, Step, Time};

use super::bench::{Bench, Post, job, juliet};
use super::rules;

rules! {
    irc_says_what_it_is: Irc, says_what_it_is;
    smtp_says_what_it_is: Smtp, says_what_it_is;
    sms_says_what_it_is: Sms, says_what_it_is;
    exec_says_what_it_is: Exec, says_what_it_is;
    dict_says_what_it_is: Dict, says_what_it_is;
    echo_says_what_it_is: Echo, says_what_it_is;
    loopback_says_what_it_is: Loopback, says_what_it_is;

    irc_does_what_it_declares: Irc, does_what_it_declares;
    exec_does_what_it_declares: Exec, does_what_it_declares;
    dict_does_what_it_declares: Dict, does_what_it_declares;
    echo_does_what_it_declares: Echo, does_what_it_declares;
    loopback_does_what_it_declares: Loopback, does_what_it_declares;
    bare_loopback_does_what_it_declares: Bare, does_what_it_declares;

    smtp_lanes_and_previews_are_pure: Smtp, lanes_and_previews_are_pure;
    sms_lanes_and_previews_are_pure: Sms, lanes_and_previews_are_pure;
    exec_lanes_and_previews_are_pure: Exec, lanes_and_previews_are_pure;
    loopback_lanes_and_previews_are_pure: Loopback, lanes_and_previews_are_pure;
}

async fn says_what_it_is<B: Bench>() {
    let bench = B::start().await;
    let gateway = bench.gateway();
    let manifest = gateway.manifest();
    assert_eq!(manifest.name, B::NAME);
    assert!(
        !manifest.identities.is_empty(),
        "discovery has nothing to show"
    );
    for identity in &manifest.identities {
        assert!(!identity.category.is_empty() && !identity.kind.is_empty());
    }
    let mut names: Vec<_> = manifest.register.iter().map(|field| &field.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "two fields of one name");
    let user = juliet::<B>();
    for _ in 0..2 {
        assert_eq!(gateway.forget(&user).await, Ok(()));
    }
    let nonsense = Dialog {
        name: "no such dialog".into(),
        ..Dialog::default()
    };
    let fault = gateway.dialog(&user, nonsense).await;
    let kind = fault.as_ref().map_err(|fault| fault.kind);
    assert_eq!(kind, Err(FaultKind::Unsupported));
    if manifest.register.is_empty() {
        return;
    }
    let answers = Dialog {
        name: "register".into(),
        fields: manifest.register.iter().cloned().map(answered).collect(),
        ..Dialog::default()
    };
    match gateway.dialog(&user, answers).await {
        Ok(Step::Done { account, .. }) => assert!(account.is_some(), "no account"),
        Ok(Step::Next(_)) => {}
        Err(fault) => panic!("its own form is refused: {fault}"),
    }
}

fn answered(mut field: isthmus_gateway::Field) -> isthmus_gateway::Field {
    let first = field.options.first().map(|(value, _)| value.clone());
    let usual = field.value.take().or(first);
    field.value = Some(usual.unwrap_or_else(|| "juliet".into()));
    field
}

/// What each capability is about, and whether it is declared.
fn claims(caps: &Caps, room: &str) -> Vec<(&'static str, bool, Command<'static>)> {
    let to = Place::Contact("echo".into());
    let key = Key("k".into());
    vec![
        (
            "rooms",
            caps.rooms,
            Command::Join {
                room: room.to_owned().into(),
                nick: "juliet".into(),
                password: None,
            },
        ),
        (
            "typing",
            caps.typing,
            Command::Typing {
                to: to.clone(),
                on: true,
            },
        ),
        (
            "edit",
            caps.edit,
            Command::edit(to.clone(), key.clone(), "better"),
        ),
        (
            "retract",
            caps.retract,
            Command::Retract {
                to: to.clone(),
                key: key.clone(),
                reason: None,
            },
        ),
        (
            "react",
            caps.react,
            Command::React {
                to: to.clone(),
                key: key.clone(),
                with: vec!["\u{1f44d}".into()],
            },
        ),
        (
            "read",
            caps.read,
            Command::Read {
                to: to.clone(),
                key,
            },
        ),
        (
            "watch",
            caps.watch,
            Command::Watch {
                contact: "echo".into(),
                on: true,
            },
        ),
        (
            "history",
            caps.history,
            Command::History {
                at: to,
                after: Time(0),
                max: 5,
            },
        ),
    ]
}

async fn does_what_it_declares<B: Bench>() {
    let bench = B::start().await;
    let mut driver = bench.open();
    driver.until("online").await;
    let online = driver.told.events.iter().find(|it| it["type"] == "online");
    let caps = online.expect("it is online")["caps"].clone();
    let caps: Caps = serde_json::from_value(caps).expect("own output");
    for (name, declared, command) in claims(&caps, "#garden") {
        let tag = driver.command(command);
        let end = driver.ended(tag).await;
        let refused = end == Err(FaultKind::Unsupported);
        assert_eq!(refused, !declared, "{name}: {end:?}");
    }
    driver.close(Close::Left);
    driver.until_over().await;
}

async fn lanes_and_previews_are_pure<B: Post>() {
    let bench = B::start().await;
    let gateway = bench.gateway();
    let courier = gateway.courier().expect("a gateway with jobs");
    let good = job::<B>(1, &[B::good()], "hello");
    let bad = job::<B>(2, &[B::bad()], "hello");
    assert!(courier.serves(&B::good()));
    let preview = courier.preview(&good).expect("it can be sent");
    assert!(preview.parts >= 1);
    for _ in 0..3 {
        assert_eq!(courier.preview(&good), Ok(preview.clone()));
        assert_eq!(
            courier.lane(&good),
            courier.lane(&job::<B>(3, &[B::good()], "x"))
        );
        // Any job has a lane.
        assert_eq!(courier.lane(&bad), courier.lane(&bad));
        assert_eq!(
            courier.lane(&job::<B>(4, &[], "x")),
            courier.lane(&job::<B>(5, &[], "y"))
        );
    }
}
