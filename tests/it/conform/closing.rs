//! A session that is closed is over soon, at whatever step it is, with all commands ended.

use isthmus_gateway::{Close, Command, Credit, Outgoing, Place};

use super::bench::{Bench, Live};
use super::driver::Driver;
use super::rules;

rules! {
    irc_ends_when_closed_at_any_step: Irc, ends_when_closed_at_any_step;
    smtp_ends_when_closed_at_any_step: Smtp, ends_when_closed_at_any_step;
    sms_ends_when_closed_at_any_step: Sms, ends_when_closed_at_any_step;
    exec_ends_when_closed_at_any_step: Exec, ends_when_closed_at_any_step;
    loopback_ends_when_closed_at_any_step: Loopback, ends_when_closed_at_any_step;

    irc_closes_on_a_silent_or_dead_peer: Irc, closes_on_a_silent_or_dead_peer;
    exec_closes_on_a_silent_or_dead_peer: Exec, closes_on_a_silent_or_dead_peer;
    loopback_closes_on_a_silent_or_dead_peer: Loopback, closes_on_a_silent_or_dead_peer;

    irc_a_dropped_session_disturbs_no_other: Irc, a_dropped_session_disturbs_no_other;
    exec_a_dropped_session_disturbs_no_other: Exec, a_dropped_session_disturbs_no_other;
    loopback_a_dropped_session_disturbs_no_other: Loopback, a_dropped_session_disturbs_no_other;
}

fn why() -> [Close; 4] {
    let text = "time to go\r\nQUIT".to_owned();
    [
        Close::Left,
        Close::Drain,
        Close::Refused,
        Close::Ended { text },
    ]
}

/// Steps that are tried: a session is online well before the last.
const STEPS: usize = 8;

/// Something that is not answered at once.
fn give_work(driver: &mut Driver) {
    driver.command(Command::Join {
        room: "#garden".into(),
        nick: "juliet".into(),
        password: None,
    });
    let to = Place::Contact("bob".into());
    driver.command(Command::Send(Outgoing::text(to, "hello")));
}

/// Polls as often as that, a little apart so that the peer comes to speak in between.
async fn go(driver: &mut Driver, steps: usize) {
    for _ in 0..steps {
        let limit = tokio::time::Instant::now() + std::time::Duration::from_millis(5);
        driver.step(limit).await;
    }
}

async fn ends_when_closed_at_any_step<B: Bench>() {
    let bench = B::start().await;
    for why in why() {
        for steps in 0..STEPS {
            for work in [false, true] {
                let mut driver = bench.open();
                go(&mut driver, steps).await;
                if work {
                    give_work(&mut driver);
                }
                driver.credit = if steps % 2 == 0 {
                    driver.credit
                } else {
                    Credit::Hold
                };
                driver.close(why.clone());
                // Closing twice is closing.
                driver.close(Close::Left);
                let online = driver.told.has("online");
                driver.until_over().await;
                assert_eq!(driver.told.has("online"), online, "online behind the close");
            }
        }
    }
}

async fn closes_on_a_silent_or_dead_peer<B: Live>() {
    let bench = B::start().await;
    for network in [Some(B::DOWN), B::MUTE].into_iter().flatten() {
        for steps in 0..4 {
            let mut driver = bench.open_on(network);
            give_work(&mut driver);
            go(&mut driver, steps).await;
            give_work(&mut driver);
            driver.close(Close::Drain);
            driver.until_over().await;
            assert!(!driver.told.has("online"));
        }
    }
}

async fn a_dropped_session_disturbs_no_other<B: Live>() {
    let bench = B::start().await;
    let mut other = bench.online().await;
    for steps in 0..STEPS {
        let mut driver = bench.open();
        go(&mut driver, steps).await;
        give_work(&mut driver);
        drop(driver);
        let to = Place::Contact(B::CONTACT.into());
        let tag = other.command(Command::Send(Outgoing::text(to, "hello")));
        assert_eq!(other.ended(tag).await, Ok(()));
    }
    assert!(!other.told.has("offline"));
}
